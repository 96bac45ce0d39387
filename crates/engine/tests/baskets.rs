//! Baskets in the engine: accepted once, carried through by their orders' own truth, and told.

mod common;

use common::{Desk, Taking, card};
use oddsmith_domain::{
    Action, BasketPart, BasketState, Command, DoubtCause, Event, Input, MarketCard, OrderState, OrderType, OutputBody,
    Scope, Shares, Side, Time, Usdc,
};
use oddsmith_engine::{Engine, EngineConfig, InstanceConfig};
use oddsmith_strategy::{StrategyConfig, imbalance};

fn instance(name: &str, strategy: StrategyConfig) -> InstanceConfig {
    InstanceConfig {
        name: name.to_owned(),
        markets: vec!["*".to_owned()],
        strategy,
        listener: Default::default(),
        sharing: Default::default(),
    }
}

/// Takes five dollars of the side that the book leans to, and leaves after a minute.
fn imbalance() -> EngineConfig {
    let parameters = imbalance::Parameters {
        size_usdc: Usdc::from_whole(5),
        max_seconds_left: 31_536_000,
        cooldown_s: 600,
        hold_s: 60,
        max_spread: 0.05,
        ..imbalance::Parameters::default()
    };
    EngineConfig { instances: vec![instance("taker", StrategyConfig::Imbalance(parameters))], ..Default::default() }
}

/// An engine in a market that ends some time, out of doubt and out of caution, with a book that leans to nothing.
fn ready(config: EngineConfig) -> Desk {
    let mut desk = Desk::new(config);
    let end = Some(desk.now.wall_s() + 10_000);
    desk.put(&Input::Card(Box::new(MarketCard { end_wall_s: end, ..card(0) })));
    desk.run_for(12_000);
    assert!(desk.taken.is_empty());
    desk
}

/// Three of four shares are bid for.
fn lean(desk: &mut Desk) {
    desk.sized_book(0, ("0.49", 300), ("0.51", 100));
}

fn states(desk: &Desk) -> Vec<BasketState> {
    let state = |e: &&Event| if let Event::Basket { state, .. } = e { Some(*state) } else { None };
    desk.events().iter().filter_map(state).collect()
}

fn accepted(desk: &Desk) -> usize {
    desk.events().iter().filter(|e| matches!(e, Event::BasketTaken { .. })).count()
}

fn last_parts(desk: &Desk) -> Vec<BasketPart> {
    let parts = |e: &&Event| if let Event::Basket { parts, .. } = e { Some(parts.clone()) } else { None };
    desk.events().iter().rev().find_map(parts).expect("a basket has ended")
}

fn whole(shares: i64) -> Shares {
    Shares::from_whole(shares)
}

#[test]
fn w_a_burst_of_updates_is_one_order_and_the_position_is_left_by_time() {
    let mut desk = ready(imbalance());
    for _ in 0..50 {
        lean(&mut desk);
        desk.tick();
    }
    desk.run_for(1_000);
    assert_eq!((accepted(&desk), desk.taken.len()), (1, 1));
    let entry = desk.taken[0];
    assert_eq!((entry.order_type, entry.post_only), (OrderType::Fak, false));
    assert_eq!(
        (entry.side(), entry.price.to_string(), entry.size.to_string()),
        (Side::Buy, "0.51".into(), "9.8".into())
    );
    assert_eq!(states(&desk), [BasketState::Complete], "nine of 9.8 were had, and the rest is dropped");
    assert_eq!(last_parts(&desk)[0].got, whole(9));
    assert_eq!(desk.engine.order_state(&entry.id), Some(OrderState::Canceled));

    desk.run_for(50_000);
    desk.sized_book(0, ("0.53", 100), ("0.55", 100));
    desk.run_for(20_000);
    assert_eq!(desk.taken.len(), 2, "left after a minute");
    let exit = desk.taken[1];
    assert_eq!((exit.side(), exit.price.to_string(), exit.size), (Side::Sell, "0.53".into(), whole(9)));
    let view = desk.engine.view(desk.now);
    assert_eq!(view.markets[0].matched, [Shares::ZERO; 2]);
    assert_eq!(view.totals.realized, "0.18".parse().expect("dollars"));
    lean(&mut desk);
    desk.run_for(5_000);
    assert_eq!(desk.taken.len(), 2, "the cool-down began with the entry");
}

#[test]
fn what_takes_is_never_cancelled_by_the_rules_of_what_rests() {
    let mut desk = ready(imbalance());
    desk.fates.push_back(Taking::Delayed);
    lean(&mut desk);
    desk.run_for(200);
    let taken = desk.taken[0];
    // The book moves through its price, and the answer about it stays away for longer than an order's deadline.
    desk.sized_book(0, ("0.40", 100), ("0.42", 100));
    desk.run_for(400);
    assert_eq!(desk.count(|a| matches!(a, Action::Cancel { .. })), 0);
    assert!(states(&desk).is_empty(), "it is waited for");
    desk.match_taker(&taken, 4, "MATCHED");
    desk.answer_all();
    desk.run_for(100);
    assert!(states(&desk).is_empty(), "four of 9.8, and nobody has said that the rest is dropped");
    desk.later.push(canceled_frame(&taken, 4));
    desk.answer_all();
    desk.run_for(100);
    assert_eq!((states(&desk), last_parts(&desk)[0].got), (vec![BasketState::Complete], whole(4)));
}

fn canceled_frame(order: &oddsmith_domain::PlaceOrder, matched: i64) -> String {
    let c = card(0);
    format!(
        r#"{{"event_type":"order","type":"CANCELLATION","id":"{}","market":"{}","asset_id":"{}","side":"{}","original_size":"{}","size_matched":"{matched}","price":"{}","status":"CANCELED","outcome":"Yes","owner":"00000000-0000-0000-0000-000000000001","order_owner":"00000000-0000-0000-0000-000000000001","maker_address":"{}","order_type":"FAK","created_at":"1","expiration":"0","timestamp":"1","associate_trades":null}}"#,
        order.id,
        c.condition,
        c.token(order.asset.outcome()),
        order.side().as_str(),
        order.size,
        order.price,
        order.fields.maker,
    )
}

#[test]
fn a_leg_without_an_answer_is_unknown_and_the_basket_waits_for_the_truth() {
    let mut desk = ready(imbalance());
    desk.fates.push_back(Taking::Lost);
    lean(&mut desk);
    desk.run_for(1_500);
    assert_eq!(desk.engine.order_state(&desk.taken[0].id), Some(OrderState::Unknown));
    assert!(states(&desk).is_empty(), "long after its deadline");
    desk.run_for(1_500);
    let doubt = |e: &&&Event| matches!(e, Event::DoubtBegan { cause: DoubtCause::UnknownOrder, .. });
    assert_eq!(desk.events().iter().filter(doubt).count(), 1, "and then the wallet is in doubt");
    desk.run_for(3_000);
    assert_eq!(states(&desk), [BasketState::Nothing], "the venue has shown that nothing is left");
}

#[test]
fn a_match_that_the_venue_named_is_awaited_and_its_absence_is_doubt() {
    let mut desk = ready(imbalance());
    desk.fates.push_back(Taking::Gets(9));
    lean(&mut desk);
    // The answer comes, and the user channel is silent.
    desk.step();
    for (seq, action) in std::mem::take(&mut desk.waiting) {
        let outcome = desk.honest(&action);
        desk.answer(seq, outcome);
    }
    let report = desk.later.pop().expect("a report");
    desk.run_for(2_000);
    assert!(states(&desk).is_empty());
    desk.put(&Input::User { bytes: report.as_bytes() });
    desk.run_for(100);
    assert_eq!((states(&desk), last_parts(&desk)[0].got), (vec![BasketState::Complete], whole(9)));
}

#[test]
fn a_match_that_nobody_tells_is_doubt_and_the_engine_rests_meanwhile() {
    let mut desk = ready(imbalance());
    desk.fates.push_back(Taking::Gets(9));
    lean(&mut desk);
    desk.step();
    for (seq, action) in std::mem::take(&mut desk.waiting) {
        let outcome = desk.honest(&action);
        desk.answer(seq, outcome);
    }
    let place = *desk.taken.last().expect("it was sent");
    desk.later.clear();
    // It is over, nine of it were matched, and the match itself is told by nobody. A tick that asks for another one as long as that
    // lasts would never end: the desk fails then.
    desk.put(&Input::User { bytes: canceled_frame(&place, 9).as_bytes() });
    let doubted = |desk: &Desk| {
        let mismatch = Event::DoubtBegan { scope: Scope::Wallet, cause: DoubtCause::Mismatch };
        desk.events().into_iter().filter(|e| **e == mismatch).count()
    };
    for _ in 0..1_500 {
        desk.step();
    }
    assert_eq!((doubted(&desk), states(&desk).len()), (1, 0));
    desk.run_for(20_000);
    assert!(
        states(&desk).last().is_some_and(|state| state.is_final()),
        "the account was read: it is counted, or not awaited any more"
    );
}

#[test]
fn nothing_is_taken_in_caution_in_doubt_after_a_stop_or_without_a_known_fee() {
    let mut desk = Desk::new(imbalance());
    let end = Some(desk.now.wall_s() + 10_000);
    let ends = MarketCard { end_wall_s: end, ..card(0) };
    desk.put(&Input::Card(Box::new(ends.clone())));
    lean(&mut desk);
    // Doubt about the start lasts three seconds, caution after it five.
    desk.run_for(8_000);
    assert!(desk.taken.is_empty());
    desk.command(Command::Stop);
    desk.run_for(6_000);
    assert!(desk.taken.is_empty());
    desk.put(&Input::Card(Box::new(MarketCard { fee: None, ..ends.clone() })));
    desk.command(Command::Resume);
    desk.run_for(15_000);
    assert!(desk.taken.is_empty(), "the market states no fee");
    desk.put(&Input::Card(Box::new(ends)));
    desk.run_for(1_000);
    assert_eq!(desk.taken.len(), 1);
}

#[test]
fn a_taking_that_finds_nothing_is_no_reject_and_counts_against_nobody() {
    let mut config = imbalance();
    config.limits.breakers.max_rejects = 1;
    let mut desk = ready(config);
    desk.fates.push_back(Taking::Gets(0));
    lean(&mut desk);
    desk.run_for(1_000);
    assert_eq!(states(&desk), [BasketState::Nothing]);
    assert!(!desk.events().iter().any(|e| matches!(e, Event::Latched(_))), "the market's breaker stays closed");
    let view = desk.engine.view(desk.now);
    assert!(view.quoting && view.markets[0].matched == [Shares::ZERO; 2]);
}

#[test]
fn limits_hold_for_what_takes_and_the_fee_must_be_there_too() {
    let mut config = imbalance();
    config.limits.max_order_shares = whole(9);
    let mut desk = ready(config);
    lean(&mut desk);
    desk.run_for(1_000);
    assert_eq!((accepted(&desk), desk.taken.len()), (0, 0));
    let denied = |e: &&&Event| matches!(e, Event::Denied { denial: oddsmith_domain::Denial::OrderSize, .. });
    assert_eq!(desk.events().iter().filter(denied).count(), 1);
}

#[test]
fn a_restart_names_the_basket_that_was_on_its_way_and_does_not_go_on_with_it() {
    let mut desk = ready(imbalance());
    desk.fates.push_back(Taking::Lost);
    lean(&mut desk);
    desk.run_for(500);
    let lost = desk.taken[0];
    let mut facts = oddsmith_engine::Facts::default();
    desk.outputs.iter().for_each(|output| facts.apply(output, desk.now));
    let restore = facts.into_restore();
    assert_eq!(restore.baskets.len(), 1);

    let mut next = Engine::new();
    let mut out = Vec::new();
    let setup: Input<'_> = postcard::from_bytes(&desk.tape[0].1).expect("the setup");
    next.handle(&setup, desk.now, &mut out);
    next.handle(&Input::Restore(Box::new(restore)), desk.now, &mut out);
    let abandoned = out.iter().find_map(|output| match &output.body {
        OutputBody::Event(Event::BasketAbandoned { state, parts, .. }) => Some((*state, parts[0].got)),
        _ => None,
    });
    assert_eq!(abandoned, Some((BasketState::Entering, Shares::ZERO)));
    assert_eq!(next.order_state(&lost.id), Some(OrderState::Unknown), "its order is a fact, and asked for");
}

#[test]
fn the_same_inputs_lead_to_the_same_outputs() {
    let mut desk = ready(imbalance());
    desk.fates.extend([Taking::Lost, Taking::Gets(5)]);
    lean(&mut desk);
    desk.run_for(20_000);
    let mut again = Engine::new();
    let mut out = Vec::new();
    for (now, bytes) in &desk.tape {
        let input: Input<'_> = postcard::from_bytes(bytes).expect("an input");
        again.handle(&input, *now, &mut out);
    }
    assert!(out == desk.outputs && !desk.taken.is_empty());
    assert!(desk.now.mono_ns > 30 * Time::SECOND);
}

#[test]
fn quotes_of_lower_priority_make_way_before_a_leg_is_sent() {
    let mut config = imbalance();
    config.instances.push(instance("maker", common::config().instances[0].strategy.clone()));
    let mut desk = ready(config);
    desk.run_for(3_000);
    let bid = *desk.resting.iter().find(|o| o.asset.outcome() == oddsmith_domain::Outcome::No).expect("a bid for NO");
    // The leg will buy YES at 0.52, which a bid of 0.48 for NO would sell.
    assert_eq!(bid.price.to_string(), "0.48");
    let from = desk.outputs.len();
    desk.sized_book(0, ("0.48", 300), ("0.52", 100));
    desk.run_for(500);
    let place = |output: &oddsmith_domain::Output| match &output.body {
        OutputBody::Action(Action::Place(place)) => !place.post_only,
        _ => false,
    };
    let gone = |output: &oddsmith_domain::Output| match &output.body {
        OutputBody::Event(Event::Order { order, to, .. }) => *order == bid.id && *to == OrderState::Canceled,
        _ => false,
    };
    let (sent, canceled) = (desk.outputs[from..].iter().position(place), desk.outputs[from..].iter().position(gone));
    assert!(canceled.is_some() && sent > canceled, "{canceled:?} {sent:?}");
    assert_eq!((states(&desk), desk.taken[0].price.to_string()), (vec![BasketState::Complete], "0.52".to_owned()));
}
