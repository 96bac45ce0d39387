//! Trades that pay a known sum together: pairs that are locked and merged, events of which every outcome is bought.

mod common;

use common::{Desk, Taking, card};
use oddsmith_domain::{
    Action, BasketPart, BasketState, Booking, DoubtCause, Event, Input, InstanceId, MarketCard, MarketId, Outcome,
    Sequence, Shares, Side, StateCause, TradingState, Usdc,
};
use oddsmith_engine::{EngineConfig, InstanceConfig};
use oddsmith_strategy::{StrategyConfig, multi, pair};

fn instance(name: &str, strategy: StrategyConfig) -> InstanceConfig {
    InstanceConfig {
        name: name.to_owned(),
        markets: vec!["*".to_owned()],
        strategy,
        listener: Default::default(),
        sharing: Default::default(),
    }
}

fn engine(strategy: StrategyConfig) -> EngineConfig {
    EngineConfig { instances: vec![instance("lock", strategy)], ..Default::default() }
}

fn pair_desk() -> Desk {
    let parameters = pair::Parameters { step_usdc: Usdc::from_whole(10), ..pair::Parameters::default() };
    let mut desk = Desk::new(engine(StrategyConfig::Pair(parameters)));
    desk.merges = true;
    desk.run_for(12_000);
    desk
}

fn whole(shares: i64) -> Shares {
    Shares::from_whole(shares)
}

fn dollars(text: &str) -> Usdc {
    text.parse().expect("dollars")
}

/// The instance's way through its trading states in the first market.
fn way(desk: &Desk) -> Vec<(StateCause, TradingState)> {
    let of = |e: &&Event| match e {
        Event::State { market: MarketId(0), instance: Some(InstanceId(0)), to, cause, .. } => Some((*cause, *to)),
        _ => None,
    };
    desk.events().iter().filter_map(of).collect()
}

fn states(desk: &Desk) -> Vec<BasketState> {
    let state = |e: &&Event| if let Event::Basket { state, .. } = e { Some(*state) } else { None };
    desk.events().iter().filter_map(state).collect()
}

fn last_parts(desk: &Desk) -> Vec<BasketPart> {
    let parts = |e: &&Event| if let Event::Basket { parts, .. } = e { Some(parts.clone()) } else { None };
    desk.events().iter().rev().find_map(parts).expect("a basket has ended")
}

/// A resting bid of ours for an outcome is filled, so many shares of it, and settled.
fn fill_bid(desk: &mut Desk, outcome: Outcome, shares: i64) -> Usdc {
    let bid = *desk.resting.iter().find(|o| o.asset.outcome() == outcome).expect("a resting bid");
    assert_eq!(bid.side(), Side::Buy);
    if bid.size <= whole(shares) {
        desk.take_from_venue(&bid.id);
    }
    let id = desk.fill(&bid, whole(shares), "MATCHED");
    desk.report(&id, &bid, whole(shares), "CONFIRMED");
    let paid = whole(shares).cost_ceil(bid.price);
    desk.collateral -= paid;
    paid
}

#[test]
fn a_pair_that_was_rested_on_is_locked_and_merged_for_exactly_what_it_leaves() {
    let mut desk = pair_desk();
    assert_eq!(way(&desk), [(StateCause::PairOpportunity, TradingState::BuildingPair)]);
    assert_eq!(desk.quotes(), ["BUY No 20.83 @0.48", "BUY Yes 20.83 @0.48"]);
    let cost = fill_bid(&mut desk, Outcome::Yes, 12) + fill_bid(&mut desk, Outcome::No, 12);
    assert_eq!(way(&desk).last(), Some(&(StateCause::PairLocked, TradingState::LockedPair)));
    desk.run_for(300);
    assert_eq!(desk.count(|a| matches!(a, Action::Merge { pairs, .. } if *pairs == whole(12))), 1);
    let merged = |e: &&&Event| matches!(e, Event::Booking { booking: Booking::Merge, .. });
    assert_eq!(desk.events().iter().filter(merged).count(), 1);
    let profit = Usdc::from_whole(12) - cost;
    let totals = desk.engine.view(desk.now).totals;
    assert_eq!((profit, totals.realized), (dollars("0.48"), dollars("0.48")));
    assert_eq!(totals.cash, Some(Usdc::from_whole(1_000) + profit));
    let after = way(&desk);
    let ends =
        [(StateCause::PairOpened, TradingState::Idle), (StateCause::PairOpportunity, TradingState::BuildingPair)];
    assert_eq!(after.last_chunk(), Some(&ends), "and the next pair is built");
}

#[test]
fn w_a_lagging_leg_is_hedged_by_taking_and_the_pair_is_locked() {
    let mut desk = pair_desk();
    let cost = fill_bid(&mut desk, Outcome::Yes, 20);
    // NO is offered at 0.48: 0.04 a share are left.
    desk.sized_book(0, ("0.52", 100), ("0.53", 100));
    desk.run_for(500);
    let hedge = desk.taken[0];
    assert_eq!((hedge.asset.outcome(), hedge.side(), hedge.size), (Outcome::No, Side::Buy, whole(20)));
    assert_eq!(states(&desk), [BasketState::Complete]);
    let profit = Usdc::from_whole(20) - cost - whole(20).cost_ceil(hedge.price);
    assert_eq!((profit, desk.engine.view(desk.now).totals.realized), (dollars("0.8"), dollars("0.8")));
    assert!(way(&desk).contains(&(StateCause::PairLocked, TradingState::LockedPair)));
}

#[test]
fn a_leg_is_completed_at_a_loss_too_and_such_a_pair_is_not_locked() {
    let mut desk = pair_desk();
    fill_bid(&mut desk, Outcome::Yes, 20);
    // NO is offered at 0.54: 0.02 a share are lost for certain, and no more than that.
    desk.sized_book(0, ("0.46", 100), ("0.47", 100));
    desk.run_for(500);
    assert_eq!((desk.taken[0].asset.outcome(), desk.taken[0].price.to_string()), (Outcome::No, "0.54".into()));
    let view = desk.engine.view(desk.now);
    assert_eq!(view.markets[0].matched, [whole(20); 2]);
    assert!(way(&desk).iter().all(|(_, state)| *state != TradingState::LockedPair));
    assert_eq!(
        desk.count(|a| matches!(a, Action::Merge { .. })),
        0,
        "it is merged only where the configuration says so"
    );
}

/// A pair that takes both, and a maker, in one market; the venue then says that somebody bids 0.52 and another one asks 0.50.
fn crossed_desk() -> Desk {
    let taker = pair::Parameters {
        accumulate: false,
        max_order_usdc: Usdc::from_whole(20),
        max_total_usdc: Usdc::from_whole(20),
        ..Default::default()
    };
    let mut config = engine(StrategyConfig::Pair(taker));
    config.instances.push(instance("maker", StrategyConfig::SkewedMaker(Default::default())));
    let mut desk = Desk::new(config);
    desk.run_for(12_000);
    assert_eq!((desk.quotes().len(), desk.taken.len()), (2, 0), "the maker quotes, and there is nothing to take");
    desk
}

#[test]
fn a_book_that_the_venue_states_crossed_is_taken_on_both_sides_while_makers_leave() {
    let mut desk = crossed_desk();
    let before = desk.outputs.len();
    let canceled = |a: &Action| matches!(a, Action::Cancel { .. });
    let withdrawn = desk.count(canceled) + 2;
    desk.levels_change(0, &[(Side::Buy, "0.52", 100), (Side::Sell, "0.50", 100)], ("0.52", "0.50"));
    desk.tick();
    assert_eq!(desk.count(canceled), withdrawn, "both quotes are withdrawn in the same moment");
    desk.run_for(1_000);
    let mut taken: Vec<_> = desk.taken.iter().map(|o| (o.asset.outcome(), o.price.to_string())).collect();
    taken.sort_by_key(|(outcome, _)| outcome.index());
    assert_eq!(taken, [(Outcome::Yes, "0.5".to_owned()), (Outcome::No, "0.48".to_owned())]);
    assert_eq!(states(&desk), [BasketState::Complete]);
    // Twenty pairs for 19.60; a dollar's worth more would be above what the pair may have in a market.
    let view = desk.engine.view(desk.now);
    assert_eq!((view.markets[0].matched, view.totals.cash), ([whole(20); 2], Some(dollars("980.4"))));
    assert_eq!(way(&desk).last(), Some(&(StateCause::PairLocked, TradingState::LockedPair)));
    let placed = |o: &oddsmith_domain::Output| match &o.body {
        oddsmith_domain::OutputBody::Action(Action::Place(place)) => place.post_only,
        _ => false,
    };
    assert!(!desk.outputs[before..].iter().any(placed) && desk.resting.is_empty(), "nobody quotes meanwhile");
    let doubt = |e: &&Event| matches!(e, Event::DoubtBegan { cause: DoubtCause::DirtyBook, .. });
    assert!(!desk.events().iter().any(doubt), "the book is the venue's, not a mistake of ours");

    desk.levels_change(0, &[(Side::Buy, "0.52", 0), (Side::Sell, "0.50", 0)], ("0.48", "0.52"));
    desk.run_for(2_000);
    assert_eq!(desk.quotes().len(), 2, "the maker is back");
    assert_eq!(desk.taken.len(), 2);
}

#[test]
fn a_crossed_book_that_the_venue_does_not_state_is_a_mistake_and_nobody_takes_from_it() {
    let mut desk = crossed_desk();
    // A change without a word about the best prices: the removal of the ask may have been lost.
    desk.sized_book(0, ("0.53", 100), ("0.52", 100));
    desk.run_for(1_000);
    assert!(desk.taken.is_empty() && desk.resting.is_empty());
    let doubt = |e: &&Event| matches!(e, Event::DoubtBegan { cause: DoubtCause::DirtyBook, .. });
    assert!(desk.events().iter().any(doubt));
}

/// An event of four outcomes, offered at 0.21, 0.22, 0.23 and 0.24: 0.90 together.
fn event() -> Desk {
    event_with(multi::Parameters::default())
}

fn event_with(parameters: multi::Parameters) -> Desk {
    let parameters = multi::Parameters { outcomes: 4, depth_share: 1.0, ..parameters };
    let mut desk = Desk::new(engine(StrategyConfig::Multi(parameters)));
    for n in 0..4 {
        desk.put(&Input::Card(Box::new(MarketCard { neg_risk: true, ..card(n) })));
        desk.sized_book(n, ("0.10", 100), ("0.40", 100));
    }
    desk.run_for(12_000);
    assert!(desk.taken.is_empty());
    desk
}

fn offer(desk: &mut Desk) {
    let asks = ["0.21", "0.22", "0.23", "0.24"];
    for (n, (ask, size)) in asks.into_iter().zip([90, 80, 70, 60]).enumerate() {
        desk.sized_book(n as u8, ("0.19", 100), (ask, size));
    }
}

#[test]
fn every_outcome_of_an_event_is_bought_thinnest_first_once() {
    let mut desk = event();
    offer(&mut desk);
    desk.fates.extend([11; 4].map(Taking::Gets));
    desk.run_for(2_000);
    let markets: Vec<_> = desk.taken.iter().map(|o| o.asset.market().0).collect();
    assert_eq!(markets, [3, 2, 1, 0]);
    assert_eq!(desk.taken.iter().map(|o| o.size.micros() / 10_000).collect::<Vec<_>>(), [1_111, 1_100, 1_100, 1_100]);
    assert_eq!(states(&desk), [BasketState::Complete]);
    let view = desk.engine.view(desk.now);
    assert!(view.markets.iter().all(|m| m.matched == [whole(11), Shares::ZERO]));
    // Eleven sets of a dollar for 9.90.
    assert_eq!(view.totals.cash, Some(dollars("990.1")));
    desk.run_for(30_000);
    assert_eq!(desk.taken.len(), 4, "and nothing more before the cool-down is over");
}

#[test]
fn w_legs_are_not_atomic_what_has_no_counterpart_is_sold_again_when_it_is_settled() {
    let mut desk = event();
    offer(&mut desk);
    // The third leg finds nothing; the first two are not settled yet.
    desk.fates.extend([
        Taking::Unsettled(11),
        Taking::Unsettled(11),
        Taking::Gets(0),
        Taking::Gets(11),
        Taking::Gets(6),
    ]);
    desk.run_for(1_000);
    assert_eq!((desk.taken.len(), states(&desk)), (3, vec![BasketState::Unwinding]));
    desk.run_for(5_000);
    assert_eq!(desk.taken.len(), 3, "nothing is sold before it is settled");
    // Bids at the lowest prices at which they may be sold.
    desk.sized_book(3, ("0.21", 100), ("0.24", 60));
    desk.sized_book(2, ("0.20", 100), ("0.23", 70));
    let (first, second) = (desk.taken[0], desk.taken[1]);
    for (id, order) in [("trade-1", first), ("trade-2", second)] {
        desk.later.push(common::taker_frame(id, &order, whole(11), "CONFIRMED", desk.now));
    }
    desk.answer_all();
    desk.run_for(500);
    let sales: Vec<_> = desk.taken[3..].iter().map(|o| (o.asset.market().0, o.side(), o.size)).collect();
    assert_eq!(sales, [(3, Side::Sell, whole(11)), (2, Side::Sell, whole(11))]);
    // No lower than 0.03 below the legs' limits.
    assert_eq!([desk.taken[3].price.to_string(), desk.taken[4].price.to_string()], ["0.21", "0.2"].map(str::to_owned));
}

#[test]
fn w_sizes_need_not_be_equal_the_residual_is_the_sum_of_the_fills() {
    let mut desk = event();
    offer(&mut desk);
    desk.fates.extend([11, 9, 7, 7].map(Taking::Gets));
    // Nobody bids near enough to sell anything again.
    desk.run_for(10_000);
    let sizes: Vec<_> = desk.taken.iter().map(|o| o.size.micros() / 10_000).collect();
    assert_eq!(sizes, [1_111, 1_100, 900, 700]);
    assert_eq!(states(&desk), [BasketState::Unwinding]);
    desk.run_for(310_000);
    assert_eq!(states(&desk), [BasketState::Unwinding, BasketState::Residual], "it is given up in the end, and told");
    let got: Vec<_> = last_parts(&desk).iter().map(|p| (p.market.0, p.got, p.undone)).collect();
    assert_eq!(got, [(3, 11), (2, 9), (1, 7), (0, 7)].map(|(m, shares)| (m, whole(shares), Shares::ZERO)));
    let alert = |e: &&Event| matches!(e, Event::Alert { text } if text.contains("no counterpart"));
    assert!(desk.events().iter().any(alert));
}

/// All legs leave in one tick; each gets what the test says.
fn together(gets: [i64; 4]) -> Desk {
    let mut desk = event_with(multi::Parameters { legs: Sequence::Together, ..Default::default() });
    offer(&mut desk);
    desk.fates.extend(gets.map(Taking::Gets));
    desk.run_for(1_000);
    let places = |a: &Action| matches!(a, Action::Place(_));
    let orders: Vec<_> = desk.actions().into_iter().enumerate().filter(|(_, a)| places(a)).map(|(n, _)| n).collect();
    assert!(
        orders.len() >= 4 && orders[..4].windows(2).all(|w| w[1] == w[0] + 1),
        "nothing is between them: they are one batch"
    );
    let sizes: Vec<_> = desk.taken.iter().take(4).map(|o| o.size.micros() / 10_000).collect();
    assert_eq!(sizes, [1_111; 4]);
    desk
}

#[test]
fn legs_that_leave_together_make_whole_sets() {
    let desk = together([11; 4]);
    assert_eq!(states(&desk), [BasketState::Complete]);
    assert_eq!(desk.engine.view(desk.now).totals.cash, Some(dollars("990.1")));
}

#[test]
fn each_leg_that_fails_in_turn_is_unwound_and_accounted_for_exactly() {
    let limits = [("0.21", 21), ("0.22", 22), ("0.23", 23), ("0.24", 24)];
    for failing in 0..4 {
        let mut gets = [11; 4];
        gets[failing] = 0;
        let mut desk = together(gets);
        assert_eq!(states(&desk), [BasketState::Unwinding], "leg {failing}");
        // The legs left thinnest first: 3, 2, 1, 0. Each other one is bid for a cent below what it cost.
        for (n, (ask, cents)) in limits.into_iter().enumerate() {
            desk.sized_book(n as u8, (&format!("0.{}", cents - 1), 100), (ask, 100));
        }
        desk.run_for(3_000);
        assert_eq!(states(&desk).last(), Some(&BasketState::Nothing), "leg {failing}");
        for (n, part) in last_parts(&desk).iter().enumerate() {
            let shares = if n == failing { Shares::ZERO } else { whole(11) };
            assert_eq!((part.market.0 as usize, part.got, part.undone), (3 - n, shares, shares));
        }
        let view = desk.engine.view(desk.now);
        assert!(view.markets.iter().all(|m| m.matched == [Shares::ZERO; 2]));
        // Three times eleven shares, sold at the lowest prices at which they may be: three cents each.
        assert_eq!((view.totals.cash, view.totals.realized), (Some(dollars("999.01")), dollars("-0.99")));
        let taken = desk.taken.len();
        offer(&mut desk);
        desk.run_for(50_000);
        assert_eq!(desk.taken.len(), taken, "the cool-down holds after a failure, too");
        offer(&mut desk);
        desk.run_for(15_000);
        assert!(desk.taken.len() > taken, "and ends");
    }
}

#[test]
fn what_legs_together_got_beyond_the_least_is_the_residual_to_the_share() {
    // Nobody bids near enough: 11, 9, 7 and 4 make four sets, and seven, five and three shares are left.
    let mut desk = together([11, 9, 7, 4]);
    assert_eq!(states(&desk), [BasketState::Unwinding]);
    desk.run_for(310_000);
    assert_eq!(states(&desk), [BasketState::Unwinding, BasketState::Residual]);
    let got: Vec<_> = last_parts(&desk).iter().map(|p| (p.got, p.undone)).collect();
    assert_eq!(got, [11, 9, 7, 4].map(|shares| (whole(shares), Shares::ZERO)));
    let matched = desk.events().iter().rev().find_map(|e| match e {
        Event::Basket { matched, .. } => Some(*matched),
        _ => None,
    });
    assert_eq!(matched, Some(whole(4)));
}

#[test]
fn legs_without_an_answer_hold_the_basket_and_stop_the_wallet() {
    let mut desk = event_with(multi::Parameters { legs: Sequence::Together, cooldown_s: 0, ..Default::default() });
    offer(&mut desk);
    desk.fates.extend([Taking::Lost, Taking::Lost, Taking::Lost, Taking::Lost]);
    desk.run_for(1_000);
    assert_eq!((desk.taken.len(), states(&desk).len()), (4, 0), "nothing is assumed, and nothing is asked for twice");
    let lost = |e: &&&Event| matches!(e, Event::DoubtBegan { cause: DoubtCause::UnknownOrder, .. });
    desk.run_for(2_000);
    assert_eq!(desk.events().iter().filter(lost).count(), 1, "the wallet is in doubt: nothing is taken anywhere");
    desk.run_for(5_000);
    assert_eq!(states(&desk), [BasketState::Nothing], "the venue has shown that nothing is left of them");
    assert_eq!(desk.taken.len(), 4);
}
