//! What becomes of a match, and what accounts do beside trading.

mod support;

use oddsmith_domain::{ExchangeKind, Outcome, Price, Shares, Side, Usdc};
use oddsmith_exchange::core::{
    ActionError, Allowance, CancelReason, Config, Core, CoreEvent, MarketSpec, OrderStatus, Settlement, TradeState,
    UsableAt,
};
use support::{Desk, MS, S, price, shares, usdc, want};

/// The states of matches as one key is told them.
fn told(desk: &mut Desk, who: usize) -> Vec<TradeState> {
    let key = desk.key(who);
    let state = |event| match event {
        CoreEvent::Trade(trade) if trade.receiver == key => Some(trade.state),
        _ => None,
    };
    desk.events().into_iter().filter_map(state).collect()
}

#[test]
fn each_way_of_settling() {
    use TradeState::{Confirmed, Failed, Matched, Mined, Retrying};
    for (way, states, settles) in [
        (Settlement::Normal, vec![Matched, Mined, Confirmed], true),
        (Settlement::RetryThenMine, vec![Matched, Retrying, Mined, Confirmed], true),
        (Settlement::RetryThenFail, vec![Matched, Retrying, Failed], false),
        (Settlement::Fail, vec![Matched, Failed], false),
        (Settlement::Late, vec![Matched, Mined, Confirmed], true),
    ] {
        let mut desk = Desk::new();
        desk.core.script_settlements([way]);
        desk.put(1, "BUY NO 10 @ 0.42");
        desk.put(0, "BUY YES 10 @ 0.6");
        let total = desk.core.total_collateral();
        let free = |desk: &Desk| desk.core.account(desk.account(0)).expect("an account").spendable(UsableAt::Mined);
        assert_eq!(free(&desk), usdc("9994.2"), "what is matched away cannot be spent again");
        assert_eq!(desk.cash(0), usdc("10000"), "and has not left the account");
        desk.wait(20 * S);
        assert_eq!(told(&mut desk, 0), states, "{way:?}");
        let (cash, tokens) = if settles { ("9994.2", "10") } else { ("10000", "0") };
        assert_eq!((desk.cash(0), desk.tokens(0, Outcome::Yes)), (usdc(cash), shares(tokens)), "{way:?}");
        assert_eq!(free(&desk), usdc(cash), "{way:?}");
        assert_eq!(desk.core.total_collateral(), total);
        let trade = desk.core.trades_of(desk.core.key(desk.key(0)).expect("a key").user).next().expect("a trade");
        assert_eq!(trade.transaction.is_some(), settles);
    }
}

#[test]
fn the_default_settles_within_two_seconds() {
    let mut desk = Desk::new();
    desk.put(1, "BUY NO 10 @ 0.42");
    desk.put(0, "BUY YES 10 @ 0.6");
    desk.wait(2 * S - MS);
    assert_eq!(told(&mut desk, 0).last(), Some(&TradeState::Confirmed));
}

#[test]
fn when_received_tokens_can_be_sold_is_a_setting() {
    for (usable_at, at_once) in [(UsableAt::Matched, true), (UsableAt::Mined, false)] {
        let config = Config { usable_at, ..Config::default() };
        let mut desk = Desk::with(config, MarketSpec::ordinary("soon", "?"));
        desk.put(1, "BUY NO 10 @ 0.42");
        desk.put(0, "BUY YES 10 @ 0.6");
        assert_eq!(desk.place(want(0, "SELL YES 10 @ 0.7")).is_ok(), at_once, "{usable_at:?}");
        desk.wait(S);
        assert_eq!(desk.place(want(0, "SELL YES 10 @ 0.7")).is_ok(), !at_once, "{usable_at:?}");
    }
}

#[test]
fn shares_sold_before_they_came_fail_with_the_match_that_should_bring_them() {
    let config = Config { usable_at: UsableAt::Matched, ..Config::default() };
    let mut desk = Desk::with(config, MarketSpec::ordinary("chain", "?"));
    desk.core.script_settlements([Settlement::Fail, Settlement::Normal]);
    desk.put(1, "BUY NO 10 @ 0.42");
    desk.put(0, "BUY YES 10 @ 0.6");
    desk.put(2, "BUY YES 6 @ 0.55");
    desk.put(0, "SELL YES 6 @ 0.55");
    desk.wait(3 * S);
    assert_eq!(desk.cash(2), usdc("10000"), "the second match failed too");
    assert_eq!(desk.cash(0), usdc("10000"));
}

#[test]
fn a_maker_whose_balance_moves_away_is_removed_newest_order_first() {
    let mut desk = Desk::new();
    let first = desk.put(0, "BUY YES 10 @ 0.4");
    let second = desk.put(0, "BUY NO 10 @ 0.3");
    let account = desk.account(0);
    desk.core.transfer(account, Desk::address(9), usdc("9995"), desk.now).expect("money to move");
    let status = |core: &Core, id| core.order(&id).expect("remembered").status;
    assert_eq!(status(&desk.core, second.id), OrderStatus::Canceled(CancelReason::NotEnoughBalance));
    assert_eq!(status(&desk.core, first.id), OrderStatus::Live, "five dollars are enough for the first");
    let none = Allowance { collateral: Some(Usdc::ZERO), tokens: true };
    desk.core.set_allowance(account, ExchangeKind::Ctf, none, desk.now);
    assert_eq!(status(&desk.core, first.id), OrderStatus::Canceled(CancelReason::NotEnoughBalance));
    desk.split(1, "10");
    let offer = desk.put(1, "SELL NO 10 @ 0.9");
    let account = desk.account(1);
    let to = (desk.market, Outcome::No);
    desk.core.transfer_shares(account, Desk::address(9), to, shares("1"), desk.now).expect("shares to move");
    assert_eq!(status(&desk.core, offer.id), OrderStatus::Canceled(CancelReason::NotEnoughBalance));
}

#[test]
fn a_match_whose_party_was_emptied_before_the_block_fails() {
    let mut desk = Desk::new();
    desk.put(1, "BUY NO 10 @ 0.42");
    desk.put(0, "BUY YES 10 @ 0.6");
    let account = desk.account(1);
    desk.core.transfer(account, Desk::address(9), usdc("10000"), desk.now).expect("money to move");
    desk.wait(3 * S);
    assert_eq!(told(&mut desk, 0).last(), Some(&TradeState::Failed));
    assert_eq!((desk.cash(0), desk.cash(1)), (usdc("10000"), Usdc::ZERO));
}

#[test]
fn split_merge_and_redeem_at_every_outcome() {
    for (yes, paid_yes, paid_no) in [("1", "10", "0"), ("0", "0", "6"), ("0.5", "5", "3")] {
        let mut desk = Desk::new();
        let total = desk.core.total_collateral();
        desk.split(0, "10");
        let account = desk.account(0);
        assert_eq!(desk.core.redeem(account, desk.market, desk.now), Err(ActionError::NotResolved));
        let to = (desk.market, Outcome::No);
        desk.core.transfer_shares(account, Desk::address(1), to, shares("6"), desk.now).expect("shares to move");
        assert_eq!(desk.core.merge(account, desk.market, shares("5"), desk.now), Err(ActionError::NotEnough));
        desk.put(2, "BUY YES 10 @ 0.4");
        desk.core.resolve(desk.market, price(yes), desk.now);
        desk.core.resolve(desk.market, Price::ZERO, desk.now);
        assert!(desk.place(want(2, "BUY YES 10 @ 0.4")).is_err(), "no orders after the end");
        assert_eq!(desk.core.account(desk.account(2)).expect("an account").open, Usdc::ZERO, "cancelled");
        let before = desk.cash(0);
        desk.core.redeem(account, desk.market, desk.now).expect("decided");
        let other = desk.account(1);
        let no = desk.core.redeem(other, desk.market, desk.now).expect("decided");
        let mine = desk.cash(0) - before;
        let my_no = match yes {
            "1" => "0",
            "0" => "4",
            _ => "2",
        };
        assert_eq!((mine, no), (usdc(paid_yes) + usdc(my_no), usdc(paid_no)), "YES pays {yes}");
        assert_eq!(desk.core.total_collateral(), total);
        assert_eq!(desk.core.market(desk.market).expect("a market").locked, Usdc::ZERO);
    }
}

#[test]
fn merge_gives_back_what_split_took() {
    let mut desk = Desk::new();
    desk.split(0, "10.123456");
    desk.core.merge(desk.account(0), desk.market, shares("10.123456"), desk.now).expect("a pair");
    assert_eq!(desk.cash(0), usdc("10000"));
    for amount in ["0", "-1", "10000.000001"] {
        assert!(desk.core.split(desk.account(0), desk.market, usdc(amount), desk.now).is_err(), "{amount}");
    }
}

#[test]
fn neg_risk_shares_convert() {
    let member = |name: &str| MarketSpec {
        kind: ExchangeKind::NegRisk,
        neg_risk_group: Some("race".to_owned()),
        ..MarketSpec::ordinary(name, "?")
    };
    let mut desk = Desk::with(Config::default(), member("a"));
    let b = desk.core.list_market(member("b"), desk.now);
    let c = desk.core.list_market(member("c"), desk.now);
    let a = desk.market;
    let account = desk.account(0);
    let total = desk.core.total_collateral();
    for market in [a, b] {
        desk.core.split(account, market, usdc("10"), desk.now).expect("money");
    }
    assert_eq!(desk.core.convert(account, &[a, a], shares("4"), desk.now), Err(ActionError::Group));
    assert!(desk.core.is_whole_group(&[c, a, b]));
    assert!(
        !desk.core.is_whole_group(&[a, b]) && !desk.core.is_whole_group(&[a, b, b]) && !desk.core.is_whole_group(&[])
    );
    desk.core.convert(account, &[a, b], shares("4"), desk.now).expect("two NO of a group");
    let held = |core: &Core, market: oddsmith_domain::MarketId, outcome| {
        core.account(account).expect("an account").holding(market.asset(outcome)).settled
    };
    assert_eq!(held(&desk.core, a, Outcome::No), shares("6"));
    assert_eq!(held(&desk.core, c, Outcome::Yes), shares("4"));
    assert_eq!(desk.cash(0), usdc("9984"), "one dollar for each of four");
    assert_eq!(desk.core.total_collateral(), total);
    // Whoever wins, everything can be redeemed and nothing is left.
    desk.core.resolve(a, Price::ZERO, desk.now);
    desk.core.resolve(b, Price::ZERO, desk.now);
    desk.core.resolve(c, Price::ONE, desk.now);
    for market in [a, b, c] {
        desk.core.redeem(account, market, desk.now).expect("decided");
    }
    assert_eq!(desk.cash(0), usdc("10000"));
}

#[test]
fn every_party_of_a_match_is_told_in_its_own_terms() {
    let mut desk = Desk::new();
    desk.split(2, "10");
    desk.put(1, "BUY NO 6 @ 0.42");
    desk.put(2, "SELL YES 5 @ 0.57");
    desk.put(0, "BUY YES 11 @ 0.6");
    let trades: Vec<_> = desk
        .events()
        .into_iter()
        .filter_map(|event| if let CoreEvent::Trade(trade) = event { Some(trade) } else { None })
        .collect();
    assert_eq!(trades.len(), 3, "one match, three parties");
    assert!(trades.iter().all(|trade| trade.trade.id == trades[0].trade.id));
    let trade = &trades[0].trade;
    assert_eq!((trade.taker.shares, trade.taker.collateral), (shares("11"), usdc("6.33")));
    assert_eq!(trade.taker.price, price("0.5755"), "the average, to the grid's unit");
    let legs: Vec<_> =
        trade.makers.iter().map(|(leg, kind)| (leg.outcome, leg.side, leg.price, leg.shares, *kind)).collect();
    use oddsmith_exchange::core::FillKind::{Complementary, Mint};
    assert_eq!(
        legs,
        [
            (Outcome::Yes, Side::Sell, price("0.57"), Shares::from_whole(5), Complementary),
            (Outcome::No, Side::Buy, price("0.42"), Shares::from_whole(6), Mint),
        ]
    );
}

#[test]
fn a_phantom_lock_takes_money_out_of_use() {
    let mut desk = Desk::new();
    let account = desk.account(0);
    desk.core.set_phantom_lock(account, usdc("9999"));
    assert!(desk.place(want(0, "BUY YES 10 @ 0.4")).is_err());
    desk.core.set_phantom_lock(account, Usdc::ZERO);
    desk.put(0, "BUY YES 10 @ 0.4");
}
