//! Markets that a rule chooses from the venue's list, and how they are taken up and handed over.

mod common;

use common::{Desk, card, config};
use oddsmith_domain::{
    Action, Event, Fit, Input, InstanceId, Listing, MarketCard, MarketFacts, MarketId, OutputBody, Price, Shares, Side,
    Unfit, Usdc, Verdict,
};
use oddsmith_engine::{EngineConfig, Selecting};
use oddsmith_polymarket::selection::{Order, Rule};
use oddsmith_strategy::StrategyConfig;
use oddsmith_strategy::skewed_maker::Parameters;

fn facts(n: u8) -> MarketFacts {
    let card = card(n);
    MarketFacts {
        condition: card.condition,
        slug: card.slug,
        series: String::new(),
        tags: vec!["crypto".to_owned()],
        active: true,
        closed: false,
        archived: false,
        accepting_orders: true,
        neg_risk: false,
        end_wall_s: None,
        volume: Some(Usdc::from_whole(1_000)),
        liquidity: Some(Usdc::from_whole(1_000)),
        spread: Price::from_units(400),
        rewards: None,
    }
}

/// The engine of these tests: one maker who quotes to the end, with a rule.
fn ruled(rule: Rule) -> EngineConfig {
    let mut config = config();
    let times = &mut config.limits.times;
    (times.no_orders_before_end_s, times.reduce_only_before_end_s, times.scale_before_end_s) = (0, 0, 0);
    for instance in &mut config.instances {
        instance.strategy = StrategyConfig::SkewedMaker(Parameters { stop_before_end_s: 0, ..Parameters::default() });
    }
    config.tokens.merge_pairs = true;
    config.selection = Selecting { all: Some(rule), ..Selecting::default() };
    config
}

/// A desk whose one market is not chosen yet.
fn desk(rule: Rule) -> Desk {
    let desk = Desk::new(ruled(rule));
    assert_eq!(desk.engine.market_count(), 0, "a card alone is an offer");
    desk
}

fn list(desk: &mut Desk, markets: &[MarketFacts]) {
    for market in markets {
        let n = (0..=u8::MAX).find(|n| card(*n).condition == market.condition).expect("one of ours");
        // Whatever is held can be sold.
        let offered = MarketCard { end_wall_s: market.end_wall_s, min_size: Some(Shares::LOT), ..card(n) };
        desk.put(&Input::Card(Box::new(offered)));
    }
    desk.put(&Input::Listed(markets.to_vec().into_boxed_slice()));
}

/// What was said of a market, in order.
fn said(desk: &Desk, n: u8) -> Vec<Verdict> {
    let of = |e: &&Event| match e {
        Event::Selection { choices, .. } => {
            choices.iter().find(|choice| choice.condition == card(n).condition).map(|choice| choice.verdict)
        }
        _ => None,
    };
    desk.events().iter().filter_map(of).collect()
}

fn life(desk: &Desk, id: u32) -> Vec<Listing> {
    let of = |e: &&Event| match e {
        Event::Listing { market, listing } if *market == MarketId(id) => Some(*listing),
        _ => None,
    };
    desk.events().iter().filter_map(of).collect()
}

fn resting_in(desk: &Desk, id: u32) -> usize {
    desk.resting.iter().filter(|order| order.asset.market() == MarketId(id)).count()
}

fn place_of(desk: &Desk, fits: impl Fn(&OutputBody) -> bool) -> Option<usize> {
    desk.outputs.iter().position(|output| fits(&output.body))
}

const CHOSEN: Verdict = Verdict::Chosen(Fit::Rule);

#[test]
fn a_chosen_market_is_received_before_it_is_traded_and_another_is_not_received_at_all() {
    let mut desk = desk(Rule { tags: vec!["crypto".to_owned()], ..Rule::default() });
    list(&mut desk, &[facts(0), MarketFacts { tags: Vec::new(), ..facts(1) }]);
    assert_eq!((said(&desk, 0), said(&desk, 1)), (vec![CHOSEN], vec![Verdict::Refused(Unfit::Tag)]));
    desk.run_for(9_000);
    assert_eq!(desk.resting.len(), 0, "no book, no order");
    desk.book(0, "0.48", "0.52");
    desk.run_for(9_000);
    assert!(resting_in(&desk, 0) > 0);
    assert_eq!(desk.engine.market_count(), 1, "the other one is an offer");
    let subscribed = place_of(&desk, |o| matches!(o, OutputBody::Action(Action::Subscribe { .. })));
    let book = place_of(&desk, |o| matches!(o, OutputBody::Event(Event::Book { .. })));
    let placed = place_of(&desk, |o| matches!(o, OutputBody::Action(Action::Place(_))));
    assert!(subscribed < book && book < placed && placed.is_some(), "{subscribed:?} {book:?} {placed:?}");
    assert_eq!(desk.count(|a| matches!(a, Action::Subscribe { .. })), 1);
}

#[test]
fn a_market_that_crosses_the_cut_off_is_cancelled_and_then_unsubscribed() {
    let mut desk = desk(Rule { min_to_close_s: 60, max_to_close_s: Some(600), ..Rule::default() });
    let end = desk.now.wall_s() + 700;
    list(&mut desk, &[MarketFacts { end_wall_s: Some(end), ..facts(0) }]);
    assert_eq!(said(&desk, 0), [Verdict::Refused(Unfit::EndsTooLate)]);
    // No further list comes: the clock alone decides.
    desk.run_for(101_000);
    assert_eq!(said(&desk, 0).last(), Some(&CHOSEN));
    desk.book(0, "0.48", "0.52");
    let until = |desk: &mut Desk, wall_s: u64| desk.run_for((wall_s * 1_000).saturating_sub(desk.now.wall_ms()));
    until(&mut desk, end - 61);
    assert!(resting_in(&desk, 0) > 0, "quoted to the cut-off");
    until(&mut desk, end - 58);
    assert_eq!(resting_in(&desk, 0), 0);
    assert_eq!(life(&desk, 0), [Listing::Joined, Listing::Dropped, Listing::Left]);
    assert_eq!(said(&desk, 0).last(), Some(&Verdict::Refused(Unfit::EndsTooSoon)));
    let last_cancel = desk
        .outputs
        .iter()
        .rposition(|o| matches!(&o.body, OutputBody::Action(Action::Cancel { .. } | Action::CancelMarket { .. })));
    let unsubscribed = place_of(&desk, |o| matches!(o, OutputBody::Action(Action::Unsubscribe { .. })));
    assert!(last_cancel.is_some() && last_cancel < unsubscribed, "{last_cancel:?} {unsubscribed:?}");
    let view = desk.engine.view(desk.now);
    assert_eq!(view.instances[0].markets, 0);
}

#[test]
fn a_market_in_which_something_is_held_is_reduced_until_it_is_flat_and_then_let_go() {
    let mut desk = desk(Rule { min_volume_usdc: Usdc::from_whole(500), ..Rule::default() });
    // What was bought on the other side as the way out is turned back into collateral together with what was held.
    desk.merges = true;
    list(&mut desk, &[facts(0), facts(1)]);
    desk.book(0, "0.48", "0.52");
    desk.book(1, "0.48", "0.52");
    desk.run_for(9_000);
    let bought =
        *desk.resting.iter().find(|o| o.side() == Side::Buy && o.asset.market() == MarketId(0)).expect("a resting buy");
    desk.take_from_venue(&bought.id);
    desk.fill(&bought, bought.size, "CONFIRMED");
    desk.run_for(1_000);
    let quiet = |n| MarketFacts { volume: Some(Usdc::from_whole(10)), ..facts(n) };
    desk.put(&Input::Listed(vec![quiet(0), quiet(1)].into_boxed_slice()));
    desk.run_for(3_000);
    assert_eq!(said(&desk, 0).last(), Some(&Verdict::Leaving(Unfit::Volume)));
    assert_eq!(said(&desk, 1).last(), Some(&Verdict::Refused(Unfit::Volume)), "nothing is held there any more");
    assert_eq!(life(&desk, 1).last(), Some(&Listing::Left));
    assert_eq!(life(&desk, 0), [Listing::Joined]);
    let reduces = |o: &oddsmith_domain::PlaceOrder| {
        let back = (o.asset == bought.asset) == (o.side() == Side::Sell);
        back && o.asset.market() == MarketId(0)
    };
    assert!(!desk.resting.is_empty() && desk.resting.iter().all(reduces), "{:?}", desk.quotes());
    let offered: Shares = desk.resting.iter().map(|o| o.size).sum();
    assert!(offered <= bought.size, "never more than what is held: {:?}", desk.quotes());
    // A list that lacks it is no reason to forget it.
    desk.put(&Input::Listed(Vec::new().into_boxed_slice()));
    desk.run_for(3_000);
    assert_eq!(said(&desk, 0).last(), Some(&Verdict::Leaving(Unfit::Volume)));
    while let Some(way_out) = desk.resting.first().copied() {
        desk.take_from_venue(&way_out.id);
        desk.fill(&way_out, way_out.size, "CONFIRMED");
        desk.run_for(1_000);
        if desk.engine.held(InstanceId(0), bought.asset).is_zero() {
            break;
        }
    }
    desk.run_for(3_000);
    assert_eq!(life(&desk, 0), [Listing::Joined, Listing::Dropped, Listing::Left], "{:?}", desk.quotes());
    assert_eq!(said(&desk, 0).last(), Some(&Verdict::Refused(Unfit::Volume)));
    // It fits again, and is taken up again.
    list(&mut desk, &[facts(0)]);
    desk.book(0, "0.48", "0.52");
    desk.run_for(9_000);
    assert_eq!(life(&desk, 0).last(), Some(&Listing::Resumed));
    assert!(resting_in(&desk, 0) > 0);
}

#[test]
fn an_order_whose_fate_is_unknown_keeps_its_market() {
    let mut desk = desk(Rule { min_volume_usdc: Usdc::from_whole(500), ..Rule::default() });
    list(&mut desk, &[facts(0)]);
    desk.book(0, "0.48", "0.52");
    desk.run_for(9_000);
    desk.waiting.clear();
    desk.put(&Input::Listed(vec![MarketFacts { volume: None, ..facts(0) }].into_boxed_slice()));
    // The cancels go out and nobody answers.
    (0..50).for_each(|_| desk.step());
    assert!(desk.waiting.iter().any(|(_, a)| matches!(a, Action::Cancel { .. })), "{:?}", desk.waiting);
    assert_eq!(life(&desk, 0), [Listing::Joined]);
    assert_eq!(desk.count(|a| matches!(a, Action::Unsubscribe { .. })), 0);
    desk.run_for(5_000);
    assert_eq!(life(&desk, 0), [Listing::Joined, Listing::Dropped, Listing::Left]);
}

#[test]
fn the_windows_of_a_series_follow_each_other_without_a_gap_though_the_list_comes_every_five_minutes() {
    const WINDOW_S: u64 = 100;
    let mut desk = desk(Rule { per_series: Some(1), successor_s: 20, max_markets: 1, ..Rule::default() });
    let begun = desk.now.wall_s();
    let window = |n: u8| MarketFacts {
        series: "quick".to_owned(),
        end_wall_s: Some(begun + u64::from(n) * WINDOW_S),
        ..facts(n)
    };
    for n in 1..10u8 {
        if n % 3 == 1 {
            let next: Vec<MarketFacts> = (n..n + 5).map(window).collect();
            list(&mut desk, &next);
        }
        let end_ms = (begun + u64::from(n) * WINDOW_S) * 1_000;
        let until = |desk: &mut Desk, wall_ms: u64| desk.run_for(wall_ms.saturating_sub(desk.now.wall_ms()));
        let numbered =
            |desk: &Desk, n: u8| desk.engine.cards().find(|(_, c)| c.slug == card(n).slug).map(|(id, _)| id.0);
        until(&mut desk, end_ms - 21_000);
        let id = numbered(&desk, n).expect("taken up");
        desk.book(n, "0.48", "0.52");
        assert_eq!(numbered(&desk, n + 1), None, "not before its time");
        until(&mut desk, end_ms - 15_000);
        assert!(resting_in(&desk, id) > 0, "window {n} is quoted");
        let next = numbered(&desk, n + 1).expect("the next one is received before this one ends");
        assert_eq!(said(&desk, n + 1).last(), Some(&Verdict::Chosen(Fit::Successor)));
        desk.book(n + 1, "0.48", "0.52");
        until(&mut desk, end_ms - 500);
        assert!(resting_in(&desk, id) > 0 && resting_in(&desk, next) > 0, "both are quoted when one ends");
        until(&mut desk, end_ms + 3_000);
        assert!(resting_in(&desk, id) == 0 && resting_in(&desk, next) > 0);
        assert_eq!(life(&desk, id), [Listing::Joined, Listing::Ended, Listing::Left]);
    }
}

#[test]
fn of_two_instances_each_has_its_own_choice_and_the_last_takes_the_subscription_along() {
    let mut config = ruled(Rule::default());
    let mut second = config.instances[0].clone();
    second.name = "other".to_owned();
    config.instances.push(second);
    let rule = |order| Rule { order, max_markets: 1, margin_percent: 0, ..Rule::default() };
    config.selection = Selecting::default();
    config.selection.instances.insert("maker".to_owned(), rule(Order::Volume));
    config.selection.instances.insert("other".to_owned(), rule(Order::Liquidity));
    let mut desk = Desk::new(config);
    let market = |n: u8, volume, liquidity| MarketFacts {
        volume: Some(Usdc::from_whole(volume)),
        liquidity: Some(Usdc::from_whole(liquidity)),
        ..facts(n)
    };
    let markets = |desk: &Desk| {
        let view = desk.engine.view(desk.now);
        (view.instances[0].markets, view.instances[1].markets, desk.engine.market_count())
    };
    list(&mut desk, &[market(0, 9, 9), market(1, 1, 1)]);
    desk.run_for(500);
    assert_eq!(markets(&desk), (1, 1, 1), "both in the first");
    assert_eq!(desk.count(|a| matches!(a, Action::Subscribe { .. })), 1);
    list(&mut desk, &[market(0, 1, 9), market(1, 9, 1)]);
    desk.run_for(500);
    assert_eq!(markets(&desk), (1, 1, 2), "one went over");
    assert_eq!(desk.count(|a| matches!(a, Action::Unsubscribe { .. })), 0);
    list(&mut desk, &[market(0, 1, 1), market(1, 9, 9)]);
    desk.run_for(500);
    assert_eq!(desk.count(|a| matches!(a, Action::Unsubscribe { .. })), 1, "nobody is left in the first");
}

#[test]
fn the_same_inputs_choose_the_same_markets() {
    let rule = Rule { max_markets: 2, order: Order::Volume, ..Rule::default() };
    let mut desk = desk(rule.clone());
    for round in 0..6i64 {
        let markets: Vec<MarketFacts> = (0..6u8)
            .map(|n| MarketFacts { volume: Some(Usdc::from_whole((i64::from(n) * 7 + round * 5) % 11)), ..facts(n) })
            .collect();
        list(&mut desk, &markets);
        (0..6).for_each(|n| desk.book(n, "0.48", "0.52"));
        desk.run_for(2_000);
    }
    assert!(desk.count(|a| matches!(a, Action::Unsubscribe { .. })) > 0, "markets came and went");
    let mut again = oddsmith_engine::Engine::new();
    let mut outputs = Vec::new();
    for (now, bytes) in &desk.tape {
        let input: Input<'_> = postcard::from_bytes(bytes).expect("an input");
        again.handle(&input, *now, &mut outputs);
    }
    assert_eq!(outputs, desk.outputs);
}

#[test]
fn a_rule_for_nobody_is_refused_by_name() {
    let mut config = config();
    config.selection.instances.insert("nobody".to_owned(), Rule::default());
    let why = config.validate().expect_err("no such instance").to_string();
    assert!(why.contains("nobody"), "{why}");
    let mut config = ruled(Rule { max_markets: 0, ..Rule::default() });
    assert!(config.validate().expect_err("none").to_string().contains("max_markets"));
    config.selection = Selecting::default();
    assert_eq!(config.validate(), Ok(()));
}
