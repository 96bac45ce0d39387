//! Who may stop trading, what that does, and what brings it back.

mod common;

use common::{Desk, config};
use oddsmith_domain::{
    Command, DoubtCause, Event, InstanceId, KillReason, Latch, LatchScope, Latched, MarketId, Scope, Side, TradingMode,
};
use oddsmith_engine::Engine;
use oddsmith_risk::Latches;

/// Quotes in this many markets, named `market-0` and so on.
fn quoting_in(markets: u8) -> Desk {
    let mut desk = Desk::new(config());
    (1..markets).for_each(|n| desk.add_market(n));
    desk.run_for(9_000);
    desk
}

fn resting_in(desk: &Desk, market: u32) -> usize {
    desk.resting.iter().filter(|o| o.asset.market() == MarketId(market)).count()
}

fn folded(desk: &Desk) -> Latches {
    let mut latches = Latches::default();
    desk.events().iter().for_each(|event| latches.apply(event));
    latches
}

#[test]
fn the_kill_switch_holds_until_the_operator_resets_it_and_nothing_else_does() {
    let mut desk = quoting_in(1);
    desk.command(Command::Kill);
    desk.run_for(2_000);
    assert!(desk.resting.is_empty());
    for command in [Command::Resume, Command::Activate(Scope::Wallet)] {
        desk.command(command);
        desk.run_for(60_000);
        assert!(desk.resting.is_empty(), "{command:?} does not undo it");
    }
    assert_eq!(folded(&desk).killed(), Some(KillReason::Operator));
    desk.command(Command::Reset);
    desk.run_for(9_000);
    assert!(!desk.resting.is_empty() && folded(&desk).is_empty());
}

#[test]
fn the_kill_switch_outlives_the_process() {
    let mut before = quoting_in(1);
    before.command(Command::Kill);
    before.run_for(100);
    let held: Vec<Latched> = folded(&before).iter().cloned().collect();
    let mut desk = Desk::new(config());
    let mut out = Vec::new();
    desk.engine.restore_latches(&held, None, desk.now, &mut out);
    desk.run_for(60_000);
    assert!(desk.resting.is_empty());
    desk.command(Command::Reset);
    desk.run_for(9_000);
    assert!(!desk.resting.is_empty());
}

#[test]
fn a_halted_market_is_cancelled_and_the_other_trades_on() {
    let mut desk = quoting_in(2);
    assert!(resting_in(&desk, 0) > 0 && resting_in(&desk, 1) > 0);
    desk.command(Command::Halt(Scope::Market(MarketId(0))));
    for _ in 0..200 {
        desk.run_for(100);
        assert!(resting_in(&desk, 1) > 0, "the other market is never without quotes");
    }
    assert_eq!(resting_in(&desk, 0), 0);
    desk.command(Command::Activate(Scope::Market(MarketId(0))));
    desk.run_for(5_000);
    assert!(resting_in(&desk, 0) > 0);
    let wallet =
        |e: &&Event| matches!(e, Event::DoubtBegan { scope: Scope::Wallet, cause } if *cause != DoubtCause::Start);
    assert!(!desk.events().iter().any(wallet), "the wallet was never in doubt");
}

#[test]
fn reducing_leaves_only_what_brings_the_position_to_zero() {
    for scope in [Scope::Wallet, Scope::Market(MarketId(0)), Scope::Instance(InstanceId(0))] {
        let mut desk = quoting_in(1);
        let bid = desk.resting_buy();
        desk.take_from_venue(&bid.id);
        let trade = desk.fill(&bid, bid.size, "MATCHED");
        desk.report(&trade, &bid, bid.size, "CONFIRMED");
        desk.collateral -= bid.size.cost_ceil(bid.price);
        desk.command(Command::Reduce(scope));
        desk.run_for(3_000);
        assert!(!desk.resting.is_empty(), "{scope:?}: what reduces stays");
        for order in &desk.resting {
            let reduces = order.asset != bid.asset || order.side() == Side::Sell;
            assert!(reduces && order.size <= bid.size, "{scope:?}: {order:?}");
        }
        desk.command(Command::Activate(scope));
        desk.run_for(3_000);
        assert!(desk.resting.iter().any(|o| o.asset == bid.asset && o.side() == Side::Buy) || desk.resting.len() > 1);
    }
}

#[test]
fn a_halted_instance_has_no_order() {
    let mut desk = quoting_in(1);
    desk.command(Command::Halt(Scope::Instance(InstanceId(0))));
    desk.run_for(3_000);
    assert!(desk.resting.is_empty());
    let latch = Latched {
        scope: LatchScope::Instance("maker".to_owned()),
        latch: Latch::Mode(TradingMode::Halted),
        until_wall_ns: None,
    };
    assert_eq!(folded(&desk).iter().cloned().collect::<Vec<_>>(), [latch]);
    desk.command(Command::Activate(Scope::Instance(InstanceId(0))));
    desk.run_for(3_000);
    assert!(!desk.resting.is_empty());
}

#[test]
fn a_scope_that_does_not_exist_changes_nothing() {
    let mut desk = quoting_in(1);
    let orders = desk.resting.len();
    desk.command(Command::Halt(Scope::Market(MarketId(99))));
    desk.command(Command::Halt(Scope::Instance(InstanceId(99))));
    desk.run_for(1_000);
    assert_eq!(desk.resting.len(), orders);
    assert!(desk.events().iter().any(|e| matches!(e, Event::Alert { text } if text.contains("changed nothing"))));
    assert!(Engine::new().view(desk.now).markets.is_empty());
}
