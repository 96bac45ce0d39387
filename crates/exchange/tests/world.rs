//! The simulated world is alive, deterministic and honest.

mod support;

use oddsmith_domain::{Address, MarketId, OrderId, OrderType, Outcome, Side, SignatureType};
use oddsmith_exchange::core::{Config, Core, CoreEvent, KNOWN_ADDRESSES, PlaceRequest, PublicEvent};
use oddsmith_exchange::world::{ContestSpec, ProcessSpec, RoomSpec, TraderSpec, World, standard_rooms, up_down_spec};
use support::{S, START, price};

const START_S: u64 = START / S;

fn session(seed: u64) -> (Core, World) {
    let mut core = Core::new(Config::default(), seed, START);
    let world = World::new(&mut core, standard_rooms(START_S), 1.0, seed, START);
    (core, world)
}

fn run(core: &mut Core, world: &mut World, from: u64, seconds: u64) -> Vec<CoreEvent> {
    let mut events = Vec::new();
    for step in 1..=seconds * 10 {
        world.step(core, from + step * S / 10);
        core.drain_events(&mut events);
    }
    events
}

fn market(core: &Core, slug: &str) -> MarketId {
    core.markets().iter().find(|m| m.spec.slug.starts_with(slug)).expect("a listed market").id
}

#[test]
fn markets_live_and_the_quiet_one_is_quiet() {
    let (mut core, mut world) = session(3);
    let total = core.total_collateral();
    let events = run(&mut core, &mut world, START, 60);
    let prints = |id: MarketId| {
        let of =
            |e: &&CoreEvent| matches!(e, CoreEvent::Public(PublicEvent::LastTrade { market, .. }) if *market == id);
        events.iter().filter(of).count()
    };
    for slug in ["will-the-budget", "btc-updown-15m", "harbour-city", "will-alder", "will-the-bridge"] {
        assert!(prints(market(&core, slug)) >= 10, "{slug}: {} matches in a minute", prints(market(&core, slug)));
    }
    let met = core.markets().iter().fold([0; 3], |sum, m| [0, 1, 2].map(|kind| sum[kind] + m.fills[kind]));
    assert!(met.iter().all(|fills| *fills >= 20), "complementary, mint, merge: {met:?}");
    let quiet = market(&core, "quiet-");
    let touched = |e: &CoreEvent| matches!(e, CoreEvent::Public(p) if p.market() == quiet && !matches!(p, PublicEvent::NewMarket { .. }));
    assert!(!events.iter().any(touched), "nobody trades in the quiet market by himself");
    assert_eq!(core.total_collateral(), total);
    for market in core.markets() {
        let locked = market.locked.micros();
        assert_eq!([locked; 2], market.outstanding.map(|shares| shares.micros()), "{}", market.spec.slug);
        let (bid, ask) = (market.best(Outcome::Yes, Side::Buy), market.best(Outcome::Yes, Side::Sell));
        assert!(bid.zip(ask).is_none_or(|(bid, ask)| bid < ask), "{} is crossed", market.spec.slug);
    }
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_one_does_not() {
    let story = |seed, chunk: u64| {
        let (mut core, mut world) = session(seed);
        let mut events = Vec::new();
        let mut now = START;
        while now < START + 20 * S {
            now += chunk;
            world.step(&mut core, now);
            core.drain_events(&mut events);
        }
        format!("{events:?}")
    };
    assert_eq!(story(3, S / 7), story(3, S / 7));
    assert_eq!(story(3, S), story(3, 4 * S), "how time is cut does not matter");
    assert_ne!(story(3, S), story(4, S));
}

#[test]
fn a_maker_three_cents_wide_is_filled_within_seconds() {
    let (mut core, mut world) = session(11);
    let address = Address::parse(KNOWN_ADDRESSES[0]).expect("an address");
    let key = core.create_key(address, 0).expect("a first key");
    let id = market(&core, "will-the-budget");
    run(&mut core, &mut world, START, 2);
    let mut fills = 0;
    let mut now = START + 2 * S;
    for round in 0..60u64 {
        let _allowed = core.cancel_scope(key, None, None, now);
        let tick = core.market(id).expect("a market").tick;
        let truth = world.truth(id, now).expect("a simulated market");
        let wide = [(Outcome::Yes, truth - 0.015), (Outcome::No, 1.0 - truth - 0.015)];
        for (outcome, value) in wide {
            let bid = tick.floor(value).expect("a bid");
            let token = core.market(id).expect("a market").tokens[outcome.index()];
            let mut digest = [9u8; 32];
            digest[..8].copy_from_slice(&(2 * round + outcome.index() as u64).to_be_bytes());
            let request = PlaceRequest {
                id: OrderId(digest),
                fields: oddsmith_domain::OrderFields {
                    salt: 1,
                    maker: address,
                    signer: address,
                    token,
                    maker_amount: 10 * u64::from(bid.units()) * 100,
                    taker_amount: 10_000_000,
                    side: Side::Buy,
                    signature_type: SignatureType::Eoa,
                    timestamp_ms: 0,
                    metadata: [0; 32],
                    builder: [0; 32],
                },
                order_type: OrderType::Gtc,
                post_only: true,
                expiration_s: 0,
            };
            let _crossing = core.place(key, &request, now);
        }
        let events = run(&mut core, &mut world, now, 1);
        now += S;
        fills += events.iter().filter(|e| matches!(e, CoreEvent::Trade(t) if t.state.as_str() == "MATCHED")).count();
    }
    assert!(fills >= 10, "{fills} fills in a minute");
}

#[test]
fn a_window_is_decided_and_the_next_one_opens() {
    let (mut core, mut world) = session(5);
    let first = market(&core, "btc-updown");
    let end_s = core.market(first).expect("a market").spec.end_s.expect("an end");
    world.step(&mut core, end_s * S + S);
    let closed = core.market(first).expect("a market");
    assert!(closed.payout(Outcome::Yes).is_some_and(|yes| yes == price("1") || yes == price("0")));
    let next = core.market_by_slug(&format!("btc-updown-15m-{end_s}")).expect("the next window");
    assert_eq!(next.spec.end_s, Some(end_s + 900));
    assert!(next.best(Outcome::Yes, Side::Buy).is_some() || next.last_trade.is_some(), "it is traded");
}

/// One room, in which nobody trades.
fn alone(market: oddsmith_exchange::core::MarketSpec, process: ProcessSpec) -> (Core, World) {
    let mut core = Core::new(Config::default(), 5, START);
    let room = RoomSpec { market, process: Some(process), traders: TraderSpec::default() };
    let world = World::new(&mut core, vec![room], 0.0, 5, START);
    (core, world)
}

#[test]
fn windows_are_decided_by_the_average_that_anybody_can_follow() {
    let (window_s, average_s) = (300, 60);
    let start_s = START_S - START_S % window_s;
    let process = ProcessSpec::UpDown { coin: "btc".into(), price: 84_600.0, volatility: 8e-5, window_s, average_s };
    let (mut core, mut world) = alone(up_down_spec("btc", start_s, window_s, average_s), process);
    // The price as it is told, ten times a second.
    let (mut heard, mut now) = (Vec::new(), START);
    let until = (start_s + 8 * window_s) * S + S;
    while now < until {
        now += S / 10;
        world.step(&mut core, now);
        heard.extend(world.take_prices().map(|price| (price.at_ns, price.bid.middle(price.ask).to_f64())));
    }
    assert!(heard.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let average = |end_s: u64| {
        let told = heard.iter().filter(|(at, _)| (end_s - 60) * S <= *at && *at < end_s * S);
        let (count, sum) = told.fold((0u32, 0.0), |(count, sum), (_, price)| (count + 1, sum + price));
        sum / f64::from(count)
    };
    let mut outcomes = [0; 2];
    for n in 1..8 {
        let begin_s = start_s + n * window_s;
        let market = core.market_by_slug(&format!("btc-updown-5m-{begin_s}")).expect("a window");
        let rule = *market.card().settlement.up_down().expect("a rule that is known");
        assert_eq!((rule.average_s, rule.start_wall_s, rule.end_wall_s), (60, begin_s, begin_s + window_s));
        let strike = rule.strike.expect("the price to beat").to_f64();
        assert!((strike - average(begin_s)).abs() < 0.05, "{strike} is not {}", average(begin_s));
        let (last, up) = (average(begin_s + window_s), market.payout(Outcome::Yes) == Some(price("1")));
        assert!((last - strike).abs() < 0.05 || up == (last > strike), "{last} against {strike}: {up}");
        outcomes[usize::from(up)] += 1;
    }
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "{outcomes:?}");
}

#[test]
fn a_match_is_reported_before_the_market_knows_and_the_next_one_follows() {
    let description =
        "This market will resolve to \"Alpha\" if Alpha wins. If the match is void it will resolve to 50-50.";
    let market = oddsmith_exchange::core::MarketSpec {
        outcomes: ["Alpha".into(), "Beta".into()],
        description: description.into(),
        ..oddsmith_exchange::core::MarketSpec::ordinary("alpha-beta", "Alpha vs. Beta")
    };
    let spec = ContestSpec { rounds: 3, strength: 0.6, round_s: 30.0, lag_s: 8.0 };
    let (mut core, mut world) = alone(market, ProcessSpec::Contest(spec));
    let first = core.market_by_slug("alpha-beta").expect("a market").id;
    let (mut now, mut led) = (START, 0);
    let mut last = world.take_reports().last().expect("how it begins");
    while core.market_by_slug("alpha-beta-match-2").is_none() {
        assert!(now < START + 600 * S, "a match of at most five rounds ends");
        now += S / 10;
        world.step(&mut core, now);
        for report in world.take_reports().filter(|report| report.market == "alpha-beta") {
            let known = world.truth(first, now).expect("a simulated market");
            led += u32::from(report.event > last.event && (known - f64::from(report.first_ppm) / 1e6).abs() > 0.02);
            assert!(report.event >= last.event);
            last = report;
        }
    }
    assert!(led >= 2, "{led} rounds were known before the market knew");
    assert_eq!(last.state, oddsmith_domain::MatchState::Final);
    let paid = core.market(first).and_then(|market| market.payout(Outcome::Yes));
    assert_eq!(paid, Some(if last.first_ppm == 1_000_000 { price("1") } else { price("0") }));
    let settlement = core.market(first).expect("a market").card().settlement;
    assert_eq!(settlement, oddsmith_domain::Settlement::Words { clear: true });
}
