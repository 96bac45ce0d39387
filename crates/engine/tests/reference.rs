//! Prices outside of the venue: quotes that follow them, and what a shock, silence or an unknown rule does to those quotes.

mod common;

use common::{Desk, START_WALL_NS, card, config};
use oddsmith_domain::{
    Action, Denial, DoubtCause, Event, Input, InstanceId, Link, LinkState, MarketCard, MarketId, Mode, Output,
    OutputBody, PriceSource, Reason, ReferencePrice, ReferenceTick, RuleRefusal, Scope, Settlement, SettlementFeed,
    Symbol, Time, UpDownRule, Withdrawal,
};
use oddsmith_engine::{Engine, EngineConfig, InstanceConfig};
use oddsmith_strategy::StrategyConfig;
use oddsmith_strategy::reference_maker::Parameters;

const START_S: u64 = START_WALL_NS / Time::SECOND;
const FOLLOWED: MarketId = MarketId(0);
const OTHER: MarketId = MarketId(1);

fn btc() -> Symbol {
    Symbol::new("btc").expect("a symbol")
}

/// An instance that follows the price in the first market, and one that follows nothing in the second.
fn two() -> EngineConfig {
    let strategy = StrategyConfig::ReferenceMaker(Parameters { half_max: 0.2, ..Parameters::default() });
    let follower = InstanceConfig {
        name: "follower".to_owned(),
        markets: vec!["market-0".to_owned(), "window-*".to_owned()],
        strategy,
        listener: Default::default(),
        sharing: Default::default(),
    };
    let mut config = config();
    config.instances[0].markets = vec!["market-1".to_owned()];
    config.instances.insert(0, follower);
    config
}

fn rule(start_wall_s: u64, end_wall_s: u64, strike: Option<&str>) -> Settlement {
    Settlement::UpDown(UpDownRule {
        symbol: btc(),
        feed: SettlementFeed::Chainlink,
        start_wall_s,
        end_wall_s,
        average_s: 60,
        strike: strike.map(|price| ReferencePrice::parse(price.as_bytes()).expect("a price")),
    })
}

fn follows(card: MarketCard, settlement: Settlement) -> Input<'static> {
    let end_wall_s = settlement.up_down().map(|rule| rule.end_wall_s);
    Input::Card(Box::new(MarketCard { settlement, end_wall_s, ..card }))
}

fn tick(desk: &mut Desk, price: f64) {
    let bid = ReferencePrice::nearest(price - 0.5).expect("a price");
    let ask = ReferencePrice::nearest(price + 0.5).expect("a price");
    let (update, source) = (desk.now.mono_ns, PriceSource::Binance);
    let tick = ReferenceTick { symbol: btc(), source, bid, ask, update, source_wall_ms: None };
    desk.put(&Input::Reference(Box::new(tick)));
}

/// Time passes with a price ten times a second, that goes up and down by eight parts in a hundred thousand each second.
fn fed(desk: &mut Desk, ms: u64, around: f64) {
    for _ in 0..ms / 100 {
        let up = (desk.now.mono_ns / Time::SECOND).is_multiple_of(2);
        tick(desk, around * if up { 1.000_08 } else { 1.0 });
        desk.run_for(100);
    }
}

/// A desk on which both instances quote, 800 seconds before the end of the window that began a hundred seconds ago.
fn quoting() -> Desk {
    let mut desk = Desk::new(two());
    desk.put(&follows(card(0), rule(START_S - 60, START_S + 840, Some("84600"))));
    desk.add_market(1);
    fed(&mut desk, 40_000, 84_600.0);
    assert!(desk.resting.iter().any(|order| order.asset.market() == FOLLOWED), "{:#?}", last(&desk));
    assert!(desk.resting.iter().any(|order| order.asset.market() == OTHER));
    desk
}

fn last(desk: &Desk) -> Vec<&Event> {
    desk.events().into_iter().rev().take(12).collect()
}

fn in_market(desk: &Desk, market: MarketId) -> usize {
    desk.resting.iter().filter(|order| order.asset.market() == market).count()
}

fn began(desk: &Desk, market: MarketId) -> usize {
    let wanted = Event::DoubtBegan { scope: Scope::Market(market), cause: DoubtCause::ReferenceFeed };
    desk.events().into_iter().filter(|event| **event == wanted).count()
}

/// The reasons of the follower's last decision in a market.
fn reasons(desk: &Desk, of: MarketId) -> (Mode, Vec<Reason>) {
    let decided = desk.events().into_iter().rev().find_map(|event| match event {
        Event::Decision { instance: InstanceId(0), market, mode, reasons, .. } if *market == of => {
            Some((*mode, reasons.to_vec()))
        }
        _ => None,
    });
    decided.expect("a decision")
}

fn replayed(desk: &Desk) -> Vec<Output> {
    let mut engine = Engine::new();
    let mut out = Vec::new();
    for (now, bytes) in &desk.tape {
        engine.handle(&postcard::from_bytes(bytes).expect("an input"), *now, &mut out);
    }
    out
}

#[test]
fn a_shock_takes_back_what_follows_the_price_before_anything_is_evaluated() {
    let mut desk = quoting();
    let (before, other) = (desk.outputs.len(), in_market(&desk, OTHER));
    let resting = in_market(&desk, FOLLOWED);
    // Half a percent within a tenth of a second; no tick of the engine follows.
    tick(&mut desk, 84_600.0 * 1.005);
    let since = &desk.outputs[before..];
    let withdrawn = |o: &&Output| matches!(o.body, OutputBody::Event(Event::Withdrawn { why: Withdrawal::Shock, .. }));
    let canceled =
        |o: &&Output| matches!(&o.body, OutputBody::Action(Action::Cancel { asset, .. }) if asset.market() == FOLLOWED);
    assert_eq!(since.iter().filter(withdrawn).count(), resting);
    assert_eq!(since.iter().filter(canceled).count(), resting);
    assert_eq!(reasons(&desk, FOLLOWED), (Mode::Stop, vec![Reason::Shock]));
    desk.answer_all();
    fed(&mut desk, 1_000, 84_600.0 * 1.005);
    assert_eq!((in_market(&desk, FOLLOWED), in_market(&desk, OTHER)), (0, other), "{:#?}", last(&desk));
    fed(&mut desk, 20_000, 84_600.0 * 1.005);
    assert!(in_market(&desk, FOLLOWED) > 0, "it has calmed down: {:#?}", last(&desk));
    assert_eq!(replayed(&desk), desk.outputs);
}

#[test]
fn a_silent_feed_stops_the_markets_that_depend_on_it_and_no_others() {
    let mut desk = quoting();
    let other = in_market(&desk, OTHER);
    desk.run_for(700);
    assert_eq!(reasons(&desk, FOLLOWED), (Mode::Stop, vec![Reason::ReferenceStale]), "the strategy's own limit");
    assert_eq!(began(&desk, FOLLOWED), 0);
    desk.run_for(1_500);
    assert_eq!((began(&desk, FOLLOWED), began(&desk, OTHER)), (1, 0));
    assert_eq!((in_market(&desk, FOLLOWED), in_market(&desk, OTHER)), (0, other));
    fed(&mut desk, 3_000, 84_600.0);
    let ended = Event::DoubtEnded { scope: Scope::Market(FOLLOWED) };
    assert!(desk.events().contains(&&ended), "{:#?}", last(&desk));
    fed(&mut desk, 20_000, 84_600.0);
    assert!(in_market(&desk, FOLLOWED) > 0, "{:#?}", last(&desk));
    assert_eq!(replayed(&desk), desk.outputs);
}

#[test]
fn a_lost_connection_is_doubt_at_once_and_until_it_is_back_with_prices() {
    let mut desk = quoting();
    let link = Link::Reference(PriceSource::Binance);
    desk.put(&Input::Link { link, state: LinkState::Down("closed".to_owned()) });
    desk.tick();
    desk.answer_all();
    assert_eq!((began(&desk, FOLLOWED), in_market(&desk, FOLLOWED)), (1, 0));
    assert!(in_market(&desk, OTHER) > 0);
    // Connected, and silent: nothing is quoted by a price that nobody has said.
    desk.run_for(2_500);
    desk.put(&Input::Link { link, state: LinkState::Up });
    desk.run_for(5_000);
    assert_eq!(in_market(&desk, FOLLOWED), 0);
    fed(&mut desk, 20_000, 84_600.0);
    assert!(in_market(&desk, FOLLOWED) > 0, "{:#?}", last(&desk));
}

#[test]
fn a_rule_that_is_not_known_is_not_quoted_and_says_so() {
    let mut desk = Desk::new(two());
    desk.put(&follows(card(0), Settlement::Refused(RuleRefusal::Contradiction)));
    fed(&mut desk, 40_000, 84_600.0);
    assert_eq!(reasons(&desk, FOLLOWED), (Mode::Stop, vec![Reason::SettlementUnknown]));
    assert_eq!((in_market(&desk, FOLLOWED), began(&desk, FOLLOWED)), (0, 0));
}

#[test]
fn without_a_price_there_is_a_reason_and_no_doubt() {
    let mut desk = Desk::new(two());
    desk.put(&follows(card(0), rule(START_S - 60, START_S + 840, Some("84600"))));
    desk.run_for(12_000);
    assert_eq!(reasons(&desk, FOLLOWED), (Mode::Stop, vec![Reason::ReferenceStale]));
    assert_eq!(began(&desk, FOLLOWED), 0);
}

#[test]
fn an_order_does_not_leave_on_a_price_that_is_too_old_for_it() {
    let mut config = two();
    config.timing.fresh_reference_ms = 50;
    let mut desk = Desk::new(config);
    desk.put(&follows(card(0), rule(START_S - 60, START_S + 840, Some("84600"))));
    fed(&mut desk, 39_000, 84_600.0);
    desk.run_for(300);
    // The book moves: new quotes are wanted by a price that is 300 ms old.
    desk.book(0, "0.44", "0.60");
    let before = desk.outputs.len();
    desk.run_for(150);
    let denied = |o: &Output| matches!(o.body, OutputBody::Event(Event::Denied { denial: Denial::StaleReference, .. }));
    let placed = |o: &Output| matches!(o.body, OutputBody::Action(Action::Place(_)));
    assert!(desk.outputs[before..].iter().any(denied), "{:#?}", last(&desk));
    assert!(!desk.outputs[before..].iter().any(placed));
}

#[test]
fn near_the_end_the_quotes_are_wider_and_then_gone() {
    let spread = |left: u64| {
        let mut desk = Desk::new(two());
        desk.book(0, "0.40", "0.60");
        desk.put(&follows(card(0), rule(START_S + 40 + left - 900, START_S + 40 + left, Some("84600"))));
        fed(&mut desk, 40_000, 84_600.0);
        // Both sides are bids: what two of them cost together is short of a dollar by the spread.
        let [one, other] = desk.resting.as_slice() else { return None };
        Some(10_000 - one.price.units() - other.price.units())
    };
    let (far, near) = (spread(800), spread(250));
    assert!(far.is_some() && near > far, "{far:?} {near:?}");
    assert_eq!(spread(50), None);
}

#[test]
fn one_window_follows_the_other_without_a_gap_and_its_strike_is_what_was_seen() {
    let mut desk = Desk::new(two());
    let end = START_S + 120;
    let window = |n: u8, start: u64| {
        let named = MarketCard { slug: format!("window-{n}"), ..card(n) };
        follows(named, rule(start, start + 900, None))
    };
    // Nobody has seen the strike of the window that runs.
    desk.put(&follows(card(0), rule(end - 900, end, None)));
    desk.put(&window(2, end));
    desk.book(2, "0.45", "0.55");
    fed(&mut desk, 110_000, 84_600.0);
    let next = desk.engine.cards().find(|(_, card)| card.slug == "window-2").map(|(id, _)| id).expect("taken up");
    assert_eq!(reasons(&desk, FOLLOWED).0, Mode::Stop);
    assert!(in_market(&desk, next) > 0, "quoted before it begins: {:#?}", last(&desk));
    for _ in 0..30 {
        fed(&mut desk, 1_000, 84_600.0);
        assert!(in_market(&desk, next) > 0, "no gap: {:#?}", last(&desk));
    }
    assert!(desk.now.wall_s() > end + 15);
}
