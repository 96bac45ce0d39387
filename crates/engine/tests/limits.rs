//! Breakers, the clock, the book and losses: what each does to its own scope, and to nothing else.

mod common;

use common::{Desk, START_WALL_NS, card, config};
use oddsmith_domain::{
    Action, CancelOutcome, Denial, Event, GatewayOutcome, Input, KillReason, Latch, Latched, Link, LinkState,
    MarketCard, MarketId, PlaceOutcome, RefusalCode, Shares, Side, Time, TripCause, Usdc,
};
use oddsmith_engine::EngineConfig;
use oddsmith_risk::{Latches, Limits};

fn limited(limits: Limits) -> EngineConfig {
    EngineConfig { limits, ..config() }
}

/// Quotes in two markets.
fn desk(config: EngineConfig) -> Desk {
    let mut desk = Desk::new(config);
    desk.add_market(1);
    desk
}

fn resting_in(desk: &Desk, market: u32) -> usize {
    desk.resting.iter().filter(|o| o.asset.market() == MarketId(market)).count()
}

fn tripped(desk: &Desk) -> Vec<TripCause> {
    let trip = |e: &&Event| match e {
        Event::Latched(Latched { latch: Latch::Breaker(cause), .. }) => Some(*cause),
        _ => None,
    };
    desk.events().iter().filter_map(trip).collect()
}

fn denied(desk: &Desk, code: Denial) -> bool {
    desk.events().iter().any(|e| matches!(e, Event::Denied { denial, .. } if *denial == code))
}

/// Lets time pass while the venue refuses what `refuses` says, and answers everything else.
fn run_with(desk: &mut Desk, ms: u64, refuses: impl Fn(&Desk, &Action) -> Option<GatewayOutcome>) {
    for _ in 0..ms / 10 {
        desk.step();
        for (seq, action) in std::mem::take(&mut desk.waiting) {
            let outcome = refuses(desk, &action).unwrap_or_else(|| desk.honest(&action));
            desk.answer(seq, outcome);
        }
    }
}

fn in_market_0(action: &Action) -> bool {
    match action {
        Action::Place(place) => place.asset.market() == MarketId(0),
        Action::Cancel { asset, .. } => asset.market() == MarketId(0),
        _ => false,
    }
}

#[test]
fn three_refusals_halt_their_market_for_its_time_and_the_other_trades_on() {
    let mut desk = desk(config());
    let refuse = |_: &Desk, action: &Action| {
        let text = "not enough balance / allowance".to_owned();
        let code = RefusalCode::InsufficientBalance;
        (in_market_0(action) && matches!(action, Action::Place(_)))
            .then_some(GatewayOutcome::Place(PlaceOutcome::Refused { code, text }))
    };
    run_with(&mut desk, 20_000, refuse);
    assert_eq!(tripped(&desk), [TripCause::Rejects]);
    assert!(resting_in(&desk, 1) > 0, "the other market trades");
    let before = desk.count(|a| matches!(a, Action::Place(p) if p.asset.market() == MarketId(0)));
    assert!((3..=4).contains(&before), "{before}");
    desk.run_for(270_000);
    assert_eq!(resting_in(&desk, 0), 0);
    desk.run_for(40_000);
    assert!(resting_in(&desk, 0) > 0, "it re-enters by itself");
    let closed = |e: &&Event| matches!(e, Event::Unlatched { latch: Latch::Breaker(TripCause::Rejects), .. });
    assert!(desk.events().iter().any(closed));
}

#[test]
fn failed_cancels_and_slow_answers_open_the_breaker_too() {
    let mut failing = desk(config());
    failing.run_for(9_000);
    let refuse = |_: &Desk, action: &Action| {
        (in_market_0(action) && matches!(action, Action::Cancel { .. }))
            .then(|| GatewayOutcome::Cancel(CancelOutcome::Refused("no".to_owned())))
    };
    for k in 0..20 {
        let (bid, ask) = if k % 2 == 0 { ("0.38", "0.42") } else { ("0.58", "0.62") };
        failing.book(0, bid, ask);
        run_with(&mut failing, 500, refuse);
    }
    assert_eq!(tripped(&failing).first(), Some(&TripCause::CancelFailures));
    assert!(resting_in(&failing, 1) > 0);

    let mut slow = desk(config());
    // Placements of one market are answered only after six seconds.
    let mut late = Vec::new();
    for _ in 0..2_000 {
        slow.step();
        for (seq, action) in std::mem::take(&mut slow.waiting) {
            if in_market_0(&action) && matches!(action, Action::Place(_)) {
                late.push((slow.now.mono_ns + 6 * Time::SECOND, seq, action));
            } else {
                let outcome = slow.honest(&action);
                slow.answer(seq, outcome);
            }
        }
        while late.first().is_some_and(|(at, ..)| *at <= slow.now.mono_ns) {
            let (_, seq, action) = late.remove(0);
            let outcome = slow.honest(&action);
            slow.answer(seq, outcome);
        }
    }
    assert_eq!(tripped(&slow).first(), Some(&TripCause::Latency));
    assert!(resting_in(&slow, 1) > 0);
}

#[test]
fn an_open_breaker_outlives_the_process_in_wall_time() {
    let mut latches = Latches::default();
    let mut before = desk(config());
    run_with(&mut before, 20_000, |_, action| {
        let (code, text) = (RefusalCode::Other, "no".to_owned());
        (in_market_0(action) && matches!(action, Action::Place(_)))
            .then_some(GatewayOutcome::Place(PlaceOutcome::Refused { code, text }))
    });
    before.events().iter().for_each(|event| latches.apply(event));
    let held: Vec<_> = latches.iter().cloned().collect();
    assert_eq!(held.len(), 1);
    // The next process begins 200 seconds later, on another monotonic clock.
    let mut next = Desk::new(config());
    next.now.wall_ns = START_WALL_NS + 200 * Time::SECOND;
    let mut out = Vec::new();
    next.engine.restore_latches(&held, None, next.now, &mut out);
    next.add_market(1);
    next.run_for(80_000);
    assert_eq!(resting_in(&next, 0), 0);
    assert!(resting_in(&next, 1) > 0);
    next.run_for(60_000);
    assert!(resting_in(&next, 0) > 0);
}

#[test]
fn near_the_end_first_nothing_grows_and_then_nothing_is_left() {
    let mut config = config();
    if let oddsmith_strategy::StrategyConfig::SkewedMaker(parameters) = &mut config.instances[0].strategy {
        parameters.stop_before_end_s = 0;
    }
    let mut desk = Desk::new(config);
    let ends = MarketCard { end_wall_s: Some(desk.now.wall_s() + 120), ..card(0) };
    desk.put(&Input::Card(Box::new(ends)));
    desk.run_for(15_000);
    let scaled: Vec<Shares> = desk.resting.iter().map(|o| o.size).collect();
    assert!(!scaled.is_empty() && scaled.iter().all(|size| *size < Shares::from_whole(16)), "{scaled:?}");
    let bid = desk.resting_buy();
    desk.take_from_venue(&bid.id);
    let trade = desk.fill(&bid, bid.size, "MATCHED");
    desk.report(&trade, &bid, bid.size, "CONFIRMED");
    desk.collateral -= bid.size.cost_ceil(bid.price);
    desk.run_for(50_000);
    assert!(denied(&desk, Denial::NearEnd));
    let reduces = |o: &oddsmith_domain::PlaceOrder| o.asset != bid.asset || o.side() == Side::Sell;
    assert!(!desk.resting.is_empty() && desk.resting.iter().all(reduces), "{:?}", desk.quotes());
    desk.run_for(50_000);
    assert!(denied(&desk, Denial::TooNearEnd) && desk.resting.is_empty());
}

#[test]
fn a_thin_book_is_not_quoted_and_says_why() {
    let mut limits = Limits::default();
    limits.book.min_depth_usdc = Usdc::from_whole(100_000);
    let mut thin = desk(limited(limits));
    thin.run_for(9_000);
    assert!(thin.resting.is_empty() && denied(&thin, Denial::ThinBook));
    let mut limits = Limits::default();
    limits.book.max_spread = "0.03".parse().expect("price");
    let mut wide = desk(limited(limits));
    wide.run_for(9_000);
    assert!(wide.resting.is_empty() && denied(&wide, Denial::WideBook));
    wide.book(1, "0.49", "0.51");
    wide.run_for(2_000);
    assert!(resting_in(&wide, 0) == 0 && resting_in(&wide, 1) > 0, "what is sane again is quoted again");
}

#[test]
fn a_fallen_mid_reaches_the_days_loss_and_the_next_day_brings_quotes_back() {
    let limits = Limits { max_daily_loss_usdc: "0.5".parse().expect("decimal"), ..Limits::default() };
    let mut desk = desk(limited(limits));
    desk.run_for(15_000);
    let bid = desk.resting_buy();
    desk.take_from_venue(&bid.id);
    let trade = desk.fill(&bid, bid.size, "MATCHED");
    desk.report(&trade, &bid, bid.size, "CONFIRMED");
    desk.collateral -= bid.size.cost_ceil(bid.price);
    let up = bid.asset.outcome() == oddsmith_domain::Outcome::No;
    let (low, high) = if up { ("0.60", "0.64") } else { ("0.36", "0.40") };
    desk.book(bid.asset.market().0.try_into().expect("small"), low, high);
    desk.run_for(20_000);
    let latched = |e: &&Event| matches!(e, Event::Latched(Latched { latch: Latch::DailyLoss, .. }));
    assert_eq!(desk.events().iter().filter(|e| latched(e)).count(), 1);
    assert!(desk.resting.is_empty(), "a loss that is not realised counts");
    // The wall clock goes on to the next day; so does the monotonic one.
    desk.now = desk.now.plus_ns(86_400 * Time::SECOND);
    desk.put(&Input::Link { link: Link::Market(0), state: LinkState::Alive });
    desk.run_for(30_000);
    let ended = |e: &&Event| matches!(e, Event::Unlatched { latch: Latch::DailyLoss, .. });
    assert!(desk.events().iter().any(ended));
}

#[test]
fn a_venue_that_is_out_of_reach_for_too_long_needs_a_person() {
    let mut limits = Limits::default();
    limits.kill.max_disconnect_s = 60;
    let mut desk = desk(limited(limits));
    desk.run_for(9_000);
    desk.put(&Input::Link { link: Link::User, state: LinkState::Down("gone".to_owned()) });
    desk.run_for(59_000);
    let killed = |desk: &Desk| {
        let is = |e: &Event| matches!(e, Event::Latched(Latched { latch: Latch::Kill(KillReason::Disconnected), .. }));
        desk.events().iter().any(|e| is(e))
    };
    assert!(!killed(&desk));
    desk.run_for(2_000);
    assert!(killed(&desk));
    desk.put(&Input::Link { link: Link::User, state: LinkState::Up });
    desk.run_for(60_000);
    assert!(desk.resting.is_empty());
}
