//! Markets come and go during a run.

mod common;

use common::{Desk, card, config};
use oddsmith_domain::{
    Action, DoubtCause, Event, Input, Listing, MarketCard, MarketId, OutputBody, Scope, Shares, Side, Tick,
    VenueProtocol,
};
use oddsmith_engine::EngineConfig;
use oddsmith_strategy::StrategyConfig;
use oddsmith_strategy::skewed_maker::Parameters;

fn give(desk: &mut Desk, card: &MarketCard) {
    desk.put(&Input::Card(Box::new(card.clone())));
}

/// A maker who quotes until the engine stops him.
fn until_the_end() -> EngineConfig {
    let mut config = config();
    let times = &mut config.limits.times;
    (times.no_orders_before_end_s, times.reduce_only_before_end_s, times.scale_before_end_s) = (0, 0, 0);
    for instance in &mut config.instances {
        instance.strategy = StrategyConfig::SkewedMaker(Parameters { stop_before_end_s: 0, ..Parameters::default() });
    }
    config
}

fn run_until(desk: &mut Desk, wall_ms: u64) {
    desk.run_for(wall_ms.saturating_sub(desk.now.wall_ms()));
}

/// What was told of a market's life, in order.
fn life(desk: &Desk, id: u32) -> Vec<Listing> {
    let of = |e: &&Event| match e {
        Event::Listing { market, listing } if *market == MarketId(id) => Some(*listing),
        _ => None,
    };
    desk.events().iter().filter_map(of).collect()
}

/// The place of the first output that fits.
fn first(desk: &Desk, fits: impl Fn(&OutputBody) -> bool) -> Option<usize> {
    desk.outputs.iter().position(|output| fits(&output.body))
}

fn resting_in(desk: &Desk, id: u32) -> usize {
    desk.resting.iter().filter(|order| order.asset.market() == MarketId(id)).count()
}

#[test]
fn a_series_rotates_without_a_gap_and_without_growing() {
    const WINDOW_S: u64 = 15;
    const WINDOWS: u8 = 40;
    let mut desk = Desk::new(until_the_end());
    let begun = desk.now.wall_s();
    let window = |n: u8| MarketCard { end_wall_s: Some(begun + u64::from(n) * WINDOW_S), ..card(n) };
    give(&mut desk, &window(1));
    let mut most = 0;
    for n in 1..WINDOWS {
        desk.book(n, "0.48", "0.52");
        run_until(&mut desk, (begun + u64::from(n) * WINDOW_S - 5) * 1_000);
        assert!(resting_in(&desk, u32::from(n)) > 0, "window {n} is quoted");
        give(&mut desk, &window(n + 1));
        desk.book(n + 1, "0.48", "0.52");
        // The engine looks at the clock ten times a second.
        run_until(&mut desk, (begun + u64::from(n) * WINDOW_S) * 1_000 + 150);
        assert_eq!(resting_in(&desk, u32::from(n)), 0, "nothing rests in window {n} when it has ended");
        most = most.max(desk.engine.market_count());
    }
    desk.run_for(90_000);
    // One that never ends, the present one, and those that ended within the minute that they are remembered.
    assert!(most <= 2 + 60 / WINDOW_S as usize + 2, "{most} markets at once");
    assert_eq!(desk.engine.market_count(), 1, "only the market without an end is left");
    for n in 1..u32::from(WINDOWS) {
        assert_eq!(life(&desk, n), [Listing::Joined, Listing::Ended, Listing::Left, Listing::Forgotten], "window {n}");
        let subscribed = |id: u32| {
            first(
                &desk,
                |o| matches!(o, OutputBody::Action(Action::Subscribe { markets }) if markets[..] == [MarketId(id)]),
            )
        };
        let ended = first(
            &desk,
            |o| matches!(o, OutputBody::Event(Event::Listing { market, listing: Listing::Ended }) if *market == MarketId(n)),
        );
        assert!(subscribed(n + 1) < ended, "the successor of {n} is there before it ends");
        let late = desk.outputs.iter().skip(ended.expect("it ended")).any(
            |o| matches!(&o.body, OutputBody::Action(Action::Place(place)) if place.asset.market() == MarketId(n)),
        );
        assert!(!late, "nothing was placed in {n} after its end");
    }
    let unsubscribed = desk.count(|a| matches!(a, Action::Unsubscribe { .. }));
    assert_eq!(unsubscribed, usize::from(WINDOWS));
}

#[test]
fn a_closed_market_leaves_and_the_others_go_on() {
    let mut desk = Desk::quoting();
    desk.add_market(1);
    desk.run_for(3_000);
    assert!(resting_in(&desk, 0) > 0 && resting_in(&desk, 1) > 0);
    give(&mut desk, &MarketCard { accepting_orders: false, ..card(1) });
    desk.run_for(3_000);
    assert_eq!(life(&desk, 1), [Listing::Joined, Listing::Ended, Listing::Left]);
    assert_eq!(resting_in(&desk, 1), 0);
    assert!(resting_in(&desk, 0) > 0, "{:?}", desk.quotes());
    assert_eq!(desk.count(|a| matches!(a, Action::CancelAll)), 1, "of the start only");
    // It opens again, and is quoted again.
    give(&mut desk, &card(1));
    desk.book(1, "0.48", "0.52");
    desk.run_for(5_000);
    assert_eq!(life(&desk, 1).last(), Some(&Listing::Resumed));
    assert!(resting_in(&desk, 1) > 0);
    let twice = |a: &Action| matches!(a, Action::Subscribe { markets } if markets[..] == [MarketId(1)]);
    assert_eq!(desk.count(twice), 2);
}

#[test]
fn a_market_in_which_something_is_held_is_received_until_it_is_decided() {
    let mut desk = Desk::quoting_with(until_the_end());
    let end = desk.now.wall_s() + 5;
    give(&mut desk, &MarketCard { end_wall_s: Some(end), ..card(0) });
    let bought = desk.resting_buy();
    desk.take_from_venue(&bought.id);
    desk.fill(&bought, bought.size, "CONFIRMED");
    desk.run_for(120_000);
    assert_eq!(life(&desk, 0), [Listing::Joined, Listing::Ended], "its decision is awaited");
    assert_eq!(desk.count(|a| matches!(a, Action::Unsubscribe { .. })), 0);
    let resolved = format!(
        r#"{{"event_type":"market_resolved","market":"{}","assets_ids":["{}","{}"],"winning_asset_id":"{}","winning_outcome":"Yes","timestamp":"{}"}}"#,
        card(0).condition,
        card(0).tokens[0],
        card(0).tokens[1],
        card(0).tokens[0],
        desk.now.wall_ms()
    );
    desk.frame(resolved.as_bytes());
    desk.run_for(1_000);
    assert!(life(&desk, 0).contains(&Listing::Left), "{:?}", life(&desk, 0));
    let view = desk.engine.view(desk.now);
    assert_eq!(view.instances[0].markets, 0, "out of the scope");
}

#[test]
fn what_has_ended_is_not_taken_up() {
    let mut desk = Desk::new(config());
    let past = desk.now.wall_s() - 1;
    give(&mut desk, &MarketCard { end_wall_s: Some(past), ..card(1) });
    give(&mut desk, &MarketCard { accepting_orders: false, ..card(2) });
    assert_eq!(desk.engine.market_count(), 1);
    assert_eq!(desk.count(|a| matches!(a, Action::Subscribe { .. })), 1);
}

#[test]
fn a_card_that_was_asked_for_before_a_tick_change_does_not_undo_it() {
    let mut desk = Desk::quoting();
    let change = format!(
        r#"{{"event_type":"tick_size_change","asset_id":"{}","market":"{}","old_tick_size":"0.01","new_tick_size":"0.001","timestamp":"{}"}}"#,
        card(0).tokens[0],
        card(0).condition,
        desk.now.wall_ms()
    );
    desk.frame(change.as_bytes());
    let tick = |desk: &Desk| desk.engine.card(MarketId(0)).and_then(|card| card.tick);
    assert_eq!(tick(&desk), Some(Tick::Thousandth));
    give(&mut desk, &card(0));
    assert_eq!(tick(&desk), Some(Tick::Thousandth));
    desk.run_for(61_000);
    give(&mut desk, &card(0));
    assert_eq!(tick(&desk), Some(Tick::Cent), "a minute later the card counts");
}

#[test]
fn an_unknown_protocol_reads_and_does_not_trade() {
    let mut desk = Desk::quoting();
    let placed = |desk: &Desk| desk.count(|a| matches!(a, Action::Place(_)));
    desk.put(&Input::Protocol(VenueProtocol::Unknown(Some(3))));
    desk.run_for(2_000);
    assert!(desk.resting.is_empty());
    let before = placed(&desk);
    desk.book(0, "0.40", "0.44");
    desk.run_for(60_000);
    assert_eq!(placed(&desk), before, "nothing is sent");
    let view = desk.engine.view(desk.now);
    assert_eq!(view.markets[0].bid.map(|(price, _)| price.to_string()), Some("0.4".to_owned()), "books go on");
    assert!(view.doubts.contains(&DoubtCause::ProtocolVersion));
    let began =
        |e: &&&Event| matches!(e, Event::DoubtBegan { scope: Scope::Wallet, cause: DoubtCause::ProtocolVersion });
    assert_eq!(desk.events().iter().filter(began).count(), 1);
    desk.put(&Input::Protocol(VenueProtocol::Supported));
    desk.book(0, "0.40", "0.44");
    desk.run_for(10_000);
    assert!(placed(&desk) > before, "it trades again when the venue speaks what is known");
}

#[test]
fn a_late_fill_of_a_market_that_was_left_is_still_counted() {
    let mut desk = Desk::quoting();
    let order = desk.resting_buy();
    give(&mut desk, &MarketCard { accepting_orders: false, ..card(0) });
    desk.run_for(2_000);
    assert_eq!(life(&desk, 0).last(), Some(&Listing::Left));
    assert_eq!(order.side(), Side::Buy);
    desk.fill(&order, Shares::from_whole(5), "MATCHED");
    desk.run_for(70_000);
    assert_eq!(desk.engine.held(order.instance, order.asset), Shares::from_whole(5));
    assert_eq!(desk.engine.market_count(), 1, "what is held is not forgotten");
}

#[test]
fn what_the_venue_says_beyond_what_is_known_is_counted_and_shown_now_and_then() {
    let mut desk = Desk::quoting();
    let told = |desk: &Desk| {
        let of = |e: &&Event| match e {
            Event::Unfamiliar { events, fields, sample } => Some((*events, *fields, sample.clone())),
            _ => None,
        };
        desk.events().iter().filter_map(of).collect::<Vec<_>>()
    };
    let new_kind =
        format!(r#"{{"event_type":"moon_phase","market":"{}","phase":"{}"}}"#, card(0).condition, "x".repeat(500));
    for _ in 0..10 {
        desk.frame(new_kind.as_bytes());
    }
    let first = told(&desk);
    assert_eq!(first.len(), 1, "once a minute: {first:?}");
    assert_eq!((first[0].0, first[0].1), (1, 0));
    assert!(first[0].2.contains("moon_phase") && first[0].2.len() <= 200, "{first:?}");
    assert_eq!(desk.engine.view(desk.now).totals.unfamiliar, 10, "all are counted");
    desk.put(&Input::User { bytes: br#"{"event_type":"tea_time","id":"7"}"# });
    assert_eq!(told(&desk).len(), 2, "the user channel tells its own");
    desk.run_for(61_000);
    desk.frame(new_kind.as_bytes());
    assert_eq!(told(&desk).last().map(|(events, ..)| *events), Some(11));
}
