//! What each thing that can happen to a ledger books, with worked numbers.

use oddsmith_domain::{InstanceId, MarketId, Movement, Outcome, Price, Shares, Side, SubAccount, Usdc};
use oddsmith_execution::{Ledger, LedgerError, Place};

const WHERE: Place = (InstanceId(0), MarketId(0));

fn usdc(text: &str) -> Usdc {
    text.parse().expect("decimal")
}

fn fill(ledger: &mut Ledger, outcome: Outcome, side: Side, whole: i64, notional: &str, fee: &str) -> Movement {
    let m = ledger.fill(WHERE, (outcome, side), Shares::from_whole(whole), usdc(notional), usdc(fee)).expect("a fill");
    ledger.settle(WHERE, (outcome, side), &m, false);
    assert!(ledger.balances() && m.balances());
    m
}

#[test]
fn the_worked_example() {
    // quant 6.1: buy 100 YES at 0.48, buy 60 NO at 0.49 as a taker, mid 0.55.
    let mut ledger = Ledger::default();
    fill(&mut ledger, Outcome::Yes, Side::Buy, 100, "48", "0");
    fill(&mut ledger, Outcome::No, Side::Buy, 60, "29.4", "1.04958");
    let account = ledger.account(WHERE.0, WHERE.1);
    assert_eq!(account.cash, usdc("-78.44958"));
    assert_eq!(account.cost, [usdc("48"), usdc("30.44958")]);
    let mid = "0.55".parse().expect("price");
    // 100 * 0.55 + 60 * 0.45 - 78.44958
    assert_eq!(account.unrealized(mid), usdc("3.55042"));
    fill(&mut ledger, Outcome::Yes, Side::Sell, 60, "33", "0");
    assert_eq!(ledger.account(WHERE.0, WHERE.1).realized, usdc("4.2"));
}

#[test]
fn a_sale_of_what_is_not_there_is_booked_and_seen_and_its_cover_is_realised() {
    let mut ledger = Ledger::default();
    fill(&mut ledger, Outcome::Yes, Side::Sell, 1, "0.4", "0");
    assert!(ledger.account(WHERE.0, WHERE.1).is_short());
    fill(&mut ledger, Outcome::Yes, Side::Buy, 1, "0.3", "0");
    let account = ledger.account(WHERE.0, WHERE.1);
    assert_eq!((account.realized, account.cost_basis()), (usdc("0.1"), Usdc::ZERO), "as if bought first");
    assert_eq!(
        ledger.fill(WHERE, (Outcome::Yes, Side::Sell), Shares::ZERO, usdc("1"), Usdc::ZERO),
        Err(LedgerError::Size(Shares::ZERO))
    );
}

#[test]
fn every_price_of_a_decided_market() {
    // 100 YES for 48 and 60 NO for 29.4: YES pays 100, NO pays 60, a void pays 50 and 30.
    for (yes, profit, paid) in [("1", "22.6", "100"), ("0", "-17.4", "60"), ("0.5", "2.6", "80")] {
        let mut ledger = Ledger::default();
        fill(&mut ledger, Outcome::Yes, Side::Buy, 100, "48", "0");
        fill(&mut ledger, Outcome::No, Side::Buy, 60, "29.4", "0");
        let (yes, cash) = (yes.parse().expect("price"), ledger.cash());
        assert_eq!(ledger.decide(WHERE, yes).realized, usdc(profit), "at {yes}");
        assert!(ledger.decide(WHERE, yes).is_nothing(), "once");
        assert_eq!((ledger.cash(), ledger.account(WHERE.0, WHERE.1).cost_basis()), (cash, usdc(paid)));
        let [one, other] = Outcome::BOTH.map(|outcome| ledger.redeem(WHERE, outcome, yes));
        assert_eq!((one.cash + other.cash, one.realized + other.realized), (usdc(paid), Usdc::ZERO));
        let account = ledger.account(WHERE.0, WHERE.1);
        assert_eq!((account.shares, account.realized, account.cash), ([Shares::ZERO; 2], usdc(profit), usdc(profit)));
        assert!(ledger.balances());
    }
}

#[test]
fn a_match_that_fails_after_the_decision_leaves_nothing_behind() {
    let mut ledger = Ledger::default();
    let size = Shares::from_whole(10);
    let m = ledger.fill(WHERE, (Outcome::No, Side::Buy), size, usdc("4"), Usdc::ZERO).expect("a fill");
    ledger.decide(WHERE, Price::ZERO);
    assert_eq!(ledger.account(WHERE.0, WHERE.1).realized, usdc("6"));
    ledger.redeem(WHERE, Outcome::No, Price::ZERO);
    assert_eq!(ledger.account(WHERE.0, WHERE.1).shares[1], size, "not on the chain: nothing to redeem");
    ledger.undo(WHERE, (Outcome::No, Side::Buy), &m);
    assert_eq!(ledger.account(WHERE.0, WHERE.1), SubAccount::default());
}

#[test]
fn pairs_are_split_reserved_and_merged() {
    let mut ledger = Ledger::default();
    let ten = Shares::from_whole(10);
    ledger.split(WHERE, ten).expect("a split");
    assert_eq!(ledger.cash(), usdc("-10"));
    assert_eq!(ledger.merge(WHERE, ten), Err(LedgerError::NotFree { free: Shares::ZERO, wanted: ten }));
    ledger.reserve(WHERE, [ten, ten]).expect("free");
    let asset = WHERE.1.asset(Outcome::Yes);
    assert_eq!(ledger.available(WHERE.0, asset), Shares::ZERO, "promised");
    assert!(ledger.reserve(WHERE, [Shares::LOT, Shares::ZERO]).is_err(), "not twice");
    let merged = ledger.merge(WHERE, Shares::from_whole(6)).expect("reserved");
    assert_eq!((merged.cash, merged.realized), (usdc("6"), Usdc::ZERO));
    ledger.release(WHERE, [Shares::from_whole(4); 2]);
    assert_eq!(ledger.available(WHERE.0, asset), Shares::from_whole(4));
    assert!(ledger.balances());
}

#[test]
fn a_transfer_is_a_sale_and_a_purchase() {
    let mut ledger = Ledger::default();
    fill(&mut ledger, Outcome::Yes, Side::Buy, 10, "4", "0");
    let (asset, half) = (WHERE.1.asset(Outcome::Yes), "0.5".parse().expect("price"));
    let cash = ledger.cash();
    let [given, taken] = ledger.transfer((WHERE.0, InstanceId(1)), asset, Shares::from_whole(5), half).expect("free");
    assert_eq!((given.realized, taken.cost[0]), (usdc("0.5"), usdc("2.5")));
    assert_eq!((ledger.cash(), ledger.available(InstanceId(1), asset)), (cash, Shares::from_whole(5)));
    assert!(ledger.transfer((WHERE.0, InstanceId(1)), asset, Shares::from_whole(6), half).is_err());
    assert!(ledger.balances());
}

#[test]
fn what_was_kept_elsewhere_is_taken_up() {
    let mut ledger = Ledger::default();
    fill(&mut ledger, Outcome::Yes, Side::Buy, 10, "4", "0");
    ledger.take_in((InstanceId::WALLET, WHERE.1), Outcome::No, Shares::from_whole(3), usdc("1.5"));
    let parts: Vec<_> = ledger.accounts().map(|(i, m, a)| ((i, m), *a)).collect();
    assert_eq!(Ledger::from_accounts(parts), ledger);
}
