//! The simulated world is alive, deterministic and honest.

mod support;

use oddsmith_domain::{Address, MarketId, OrderId, OrderType, Outcome, Side, SignatureType};
use oddsmith_exchange::core::{Config, Core, CoreEvent, KNOWN_ADDRESSES, PlaceRequest, PublicEvent};
use oddsmith_exchange::world::{World, standard_rooms};
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
