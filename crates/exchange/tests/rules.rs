//! Every rule by which an order is refused, delayed or limited.

mod support;

use oddsmith_domain::{ExchangeKind, FeeSchedule, OrderType, Outcome, Shares, Side, SignatureType, Tick, Usdc};
use oddsmith_exchange::core::{
    Allowance, CancelReason, Config, CoreEvent, MarketSpec, Mode, OrderChange, OrderStatus, PlacedStatus, RateUse,
    Refusal, SelfFill, wallet_of,
};
use oddsmith_polymarket::Tier;
use support::{Desk, MS, S, START, price, shares, usdc, want};

const START_S: u64 = START / S;

fn refusal(desk: &mut Desk, order: support::Want) -> String {
    let before = format!("{:?}", desk.core.accounts());
    let text = desk.place(order).expect_err("a refusal").text();
    assert_eq!(format!("{:?}", desk.core.accounts()), before, "a refused order changes nothing");
    text
}

#[test]
fn the_words_of_refusals() {
    let mut desk = Desk::new();
    desk.split(1, "100");
    desk.put(1, "SELL YES 20 @ 0.5");
    let cases = [
        (want(0, "BUY YES 10 @ 0.505"), "Price (0.505) breaks minimum tick size rule: 0.01"),
        (want(0, "BUY YES 4.99 @ 0.4"), "Size (4.99) lower than the minimum: 5"),
        (want(0, "BUY YES 10 @ 0.5").post_only(), "invalid post-only order: order crosses book"),
        (want(0, "BUY NO 10 @ 0.4").until(START_S + 179), "invalid expiration"),
        (
            want(0, "BUY YES 21 @ 0.5").kind(OrderType::Fok),
            "order couldn't be fully filled. FOK orders are fully filled or killed.",
        ),
        (
            want(0, "BUY YES 21 @ 0.49").kind(OrderType::Fak),
            "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        ),
        (
            want(0, "BUY YES 1 @ 0.5").kind(OrderType::Fak),
            "invalid amount for a marketable BUY order ($0.5), min size: $1",
        ),
        (want(0, "BUY YES 20001 @ 0.5"), "not enough balance / allowance: the balance is not enough"),
        (want(0, "SELL YES 10 @ 0.6"), "not enough balance / allowance: the balance is not enough"),
    ];
    for (order, words) in cases {
        let text = refusal(&mut desk, order);
        assert!(text.contains(words), "{order:?}: {text}");
    }
    let mut wrong = want(0, "BUY YES 10 @ 0.4");
    wrong.expiration_s = START_S + 1_000;
    assert_eq!(refusal(&mut desk, wrong), "invalid expiration", "a GTC order has none");
    assert_eq!(desk.ladder(Outcome::Yes, Side::Sell), ["20@0.5"]);
}

#[test]
fn who_may_send_what() {
    let mut desk = Desk::new();
    let base = desk.request(want(0, "BUY YES 10 @ 0.4"));
    let key = desk.key(0);
    let mut stranger = base;
    stranger.fields.signer = Desk::address(1);
    assert_eq!(desk.core.place(key, &stranger, START), Err(Refusal::SignerMismatch));
    let mut other_purse = base;
    other_purse.fields.maker = Desk::address(1);
    assert_eq!(desk.core.place(key, &other_purse, START), Err(Refusal::MakerNotAllowed));
    for kind in [SignatureType::Proxy, SignatureType::Safe, SignatureType::Poly1271] {
        let mut order = desk.request(want(0, "BUY YES 10 @ 0.4"));
        order.fields.signature_type = kind;
        order.fields.maker = wallet_of(Desk::address(0), kind);
        if kind == SignatureType::Poly1271 {
            order.fields.signer = order.fields.maker;
        }
        let placed = desk.core.place(key, &order, START).expect("the signer's own wallet");
        assert_eq!(placed.status, PlacedStatus::Live);
        let account = desk.core.account_at(&order.fields.maker).expect("made on demand");
        assert_eq!(desk.core.account(account).expect("an account").open, usdc("4"), "{kind:?}");
        // What is bound to one signer is not another's.
        let theirs = desk.key(1);
        let mut stolen = desk.request(want(1, "BUY YES 10 @ 0.4"));
        stolen.fields = oddsmith_domain::OrderFields { salt: 99, ..order.fields };
        assert!(desk.core.place(theirs, &stolen, START).is_err(), "{kind:?}");
    }
    let total = desk.core.total_collateral();
    let mut brought = 0;
    for number in 0..20u8 {
        let mut order = desk.request(want(0, "BUY YES 10 @ 0.4"));
        order.fields.signature_type = SignatureType::Poly1271;
        order.fields.maker = oddsmith_domain::Address([number + 1; 20]);
        order.fields.signer = order.fields.maker;
        brought += i64::from(desk.core.place(key, &order, START).is_ok());
    }
    assert_eq!(brought, 7, "one was there, eight are the most");
    assert_eq!(desk.core.total_collateral(), total + Usdc::from_whole(7 * 10_000));
    desk.core.restrict(Desk::address(0), false, true);
    assert!(refusal(&mut desk, want(0, "BUY YES 10 @ 0.4")).contains("closed only mode"));
    desk.core.restrict(Desk::address(0), true, false);
    assert!(refusal(&mut desk, want(0, "BUY YES 10 @ 0.4")).ends_with("address banned"));
    let revoked = desk.key(1);
    assert!(desk.core.revoke_key(revoked));
    assert_eq!(desk.place(want(1, "BUY YES 10 @ 0.4")), Err(Refusal::SignerMismatch));
}

#[test]
fn amounts_that_are_no_order() {
    let mut desk = Desk::new();
    let key = desk.key(0);
    for (maker, taker) in [(0, 1), (1, 0), (u64::MAX, 10_000_000), (10_000_000, u64::MAX), (u64::MAX, u64::MAX)] {
        for side in [Side::Buy, Side::Sell] {
            let mut order = desk.request(want(0, "BUY YES 10 @ 0.4"));
            (order.fields.maker_amount, order.fields.taker_amount, order.fields.side) = (maker, taker, side);
            assert_eq!(desk.core.place(key, &order, START), Err(Refusal::InvalidPayload));
        }
    }
    let mut unknown = desk.request(want(0, "BUY YES 10 @ 0.4"));
    unknown.fields.token = oddsmith_domain::TokenId::from_be_bytes([7; 32]);
    let refused = desk.core.place(key, &unknown, START).expect_err("no such token");
    assert_eq!((refused.status(), refused.text().as_str()), (404, "No orderbook exists for the requested token id"));
}

#[test]
fn a_digest_is_taken_once_whatever_became_of_it() {
    let mut desk = Desk::new();
    let key = desk.key(0);
    let order = desk.request(want(0, "BUY YES 10 @ 0.4"));
    desk.core.place(key, &order, START).expect("a good order");
    let again = Refusal::Duplicated(order.id);
    assert_eq!(desk.core.place(key, &order, START), Err(again.clone()));
    desk.core.cancel(key, &[order.id], START).expect("cancels are on");
    assert_eq!(desk.core.place(key, &order, START), Err(again));
}

#[test]
fn open_orders_bound_new_ones_and_the_allowance_counts() {
    let mut desk = Desk::new();
    desk.put(0, "BUY YES 15000 @ 0.6");
    assert!(desk.place(want(0, "BUY NO 3000 @ 0.35")).is_err(), "9,000 of 10,000 dollars are taken");
    desk.put(0, "BUY NO 2500 @ 0.4");
    assert!(desk.place(want(0, "BUY NO 5 @ 0.2")).is_err(), "to the last cent");
    let account = desk.account(1);
    let allowance = Allowance { collateral: Some(usdc("5")), tokens: false };
    desk.core.set_allowance(account, ExchangeKind::Ctf, allowance, START);
    desk.split(1, "10");
    assert!(refusal(&mut desk, want(1, "BUY YES 20 @ 0.3")).contains("the allowance is not enough"));
    assert!(refusal(&mut desk, want(1, "SELL YES 10 @ 0.7")).contains("the allowance is not enough"));
    desk.put(1, "BUY YES 10 @ 0.3");
}

#[test]
fn fees_are_charged_to_the_taker_alone() {
    let fee = FeeSchedule::new(70_000, 1, true).expect("a schedule");
    let spec = MarketSpec { fee, ..MarketSpec::ordinary("fees", "?") };
    let mut desk = Desk::with(Config::default(), spec);
    desk.split(1, "200");
    desk.put(1, "SELL YES 100 @ 0.5");
    let placed = desk.put(0, "BUY YES 100 @ 0.5");
    assert_eq!(placed.making_micro, 50_000_000, "amounts are without the fee");
    desk.wait(2 * S);
    assert_eq!((desk.cash(0), desk.cash(1)), (usdc("9948.25"), usdc("9850")));
    desk.put(1, "BUY YES 100 @ 0.3");
    desk.put(0, "SELL YES 100 @ 0.3");
    desk.wait(2 * S);
    assert_eq!(desk.cash(0), usdc("9976.78"), "1.47 out of the proceeds");
    assert_eq!(desk.core.fees_collected(), usdc("3.22"));
    // Whoever can pay the price and not the fee cannot buy.
    desk.put(1, "SELL YES 100 @ 0.9");
    let account = desk.account(2);
    desk.core.transfer(account, Desk::address(5), usdc("9910.2"), desk.now).expect("money to move");
    assert!(refusal(&mut desk, want(2, "BUY YES 99.7 @ 0.9")).contains("the balance is not enough"));
    desk.put(2, "BUY YES 99 @ 0.9");
}

#[test]
fn a_gtd_order_leaves_a_minute_early() {
    let mut desk = Desk::new();
    let placed = desk.place(want(0, "BUY YES 10 @ 0.4").until(START_S + 180)).expect("three minutes are enough");
    desk.wait(120 * S - MS);
    assert_eq!(desk.ladder(Outcome::Yes, Side::Buy), ["10@0.4"]);
    desk.events();
    desk.wait(MS);
    assert!(desk.ladder(Outcome::Yes, Side::Buy).is_empty());
    let order = desk.core.order(&placed.id).expect("remembered");
    assert_eq!(order.status, OrderStatus::Canceled(CancelReason::Expired));
    assert!(desk.events().iter().any(|event| matches!(event, CoreEvent::Order(order)
        if order.change == OrderChange::Cancellation && order.order.status.as_str() == "CANCELED_EXPIRED_ORDER")));
}

#[test]
fn a_marketable_order_waits_for_the_taker_delay_and_cannot_be_cancelled() {
    let spec = MarketSpec { seconds_delay: 1, ..MarketSpec::ordinary("game", "?") };
    let mut desk = Desk::with(Config::default(), spec);
    let maker = desk.put(1, "BUY NO 10 @ 0.45");
    assert_eq!(maker.status, PlacedStatus::Live, "an order that rests is not delayed");
    let placed = desk.put(0, "BUY YES 10 @ 0.56");
    assert_eq!((placed.status, placed.making_micro), (PlacedStatus::Delayed, 0));
    let key = desk.key(0);
    let reply = desk.core.cancel(key, &[placed.id], desk.now).expect("cancels are on");
    assert_eq!(reply.not_canceled.len(), 1);
    assert!(desk.core.cancel_scope(key, None, None, desk.now).expect("cancels are on").canceled.is_empty());
    assert_eq!(desk.core.account(desk.account(0)).expect("an account").open, usdc("5.6"), "reserved");
    // The maker may leave meanwhile; then the order rests.
    let theirs = desk.key(1);
    desk.core.cancel(theirs, &[maker.id], desk.now).expect("cancels are on");
    desk.wait(S);
    let decided = desk.events().into_iter().find_map(|event| match event {
        CoreEvent::DelayOver { result, order } if order == placed.id => Some(*result),
        _ => None,
    });
    assert_eq!(decided.expect("a decision").expect("it rests").status, PlacedStatus::Unmatched);
    assert_eq!(desk.ladder(Outcome::Yes, Side::Buy), ["10@0.56"]);
    // One that finds its price still there matches when the delay is over.
    let second = desk.put(1, "BUY NO 10 @ 0.44");
    assert_eq!(second.status, PlacedStatus::Delayed);
    desk.wait(S);
    assert!(desk.ladder(Outcome::Yes, Side::Buy).is_empty());
    desk.wait(2 * S);
    assert_eq!(desk.tokens(0, Outcome::Yes), shares("10"));
}

#[test]
fn a_delayed_order_is_validated_again() {
    let spec = MarketSpec { taker_delay_ms: 150, ..MarketSpec::ordinary("coin", "?") };
    let mut desk = Desk::with(Config::default(), spec);
    desk.put(1, "BUY NO 10 @ 0.45");
    let placed = desk.put(0, "BUY YES 10 @ 0.55");
    let account = desk.account(0);
    desk.core.transfer(account, Desk::address(9), usdc("9999"), desk.now).expect("money to move");
    desk.wait(150 * MS);
    let order = desk.core.order(&placed.id).expect("remembered");
    assert_eq!(order.status, OrderStatus::Canceled(CancelReason::NotEnoughBalance));
    assert_eq!(desk.ladder(Outcome::Yes, Side::Sell), ["10@0.55"]);
}

#[test]
fn self_fills_are_a_setting() {
    let mut desk = Desk::new();
    desk.put(0, "BUY NO 10 @ 0.45");
    assert_eq!(desk.put(0, "BUY YES 10 @ 0.55").status, PlacedStatus::Matched);
    let config = Config { self_fill: SelfFill::CancelResting, ..Config::default() };
    let mut desk = Desk::with(config, MarketSpec::ordinary("self", "?"));
    desk.put(0, "BUY NO 10 @ 0.45");
    desk.put(1, "BUY NO 5 @ 0.45");
    let placed = desk.put(0, "BUY YES 10 @ 0.55");
    assert_eq!(placed.taking_micro, 5_000_000, "only with the other one");
    assert_eq!(desk.ladder(Outcome::Yes, Side::Buy), ["5@0.55"]);
    assert!(desk.ladder(Outcome::Yes, Side::Sell).is_empty());
}

#[test]
fn modes_take_what_they_say() {
    let mut desk = Desk::new();
    let resting = desk.put(0, "BUY YES 10 @ 0.4");
    let key = desk.key(0);
    let mut status = |mode: Mode, order: support::Want| {
        desk.core.set_mode(mode, desk.now);
        let placed = desk.place(order).map_err(|refusal| (refusal.status(), refusal.code()));
        (placed.map(|placed| placed.status), desk.core.cancels_allowed().is_ok())
    };
    let order = || want(0, "BUY YES 10 @ 0.3");
    assert_eq!(status(Mode::Disabled, order()), (Err((503, None)), false));
    assert_eq!(status(Mode::CancelOnly, order()), (Err((503, None)), true));
    let post_only = Mode::PostOnly { until_ns: Some(START + 30 * S) };
    assert_eq!(status(post_only, order()), (Err((503, Some("post_only_mode"))), true));
    assert_eq!(status(post_only, order().post_only()), (Ok(PlacedStatus::Live), true));
    let restart = Mode::Restarting { until_ns: START + 10 * S, post_only_ns: 5 * S };
    assert_eq!(status(restart, order()), (Err((425, None)), false));
    assert_eq!(desk.core.cancel(key, &[resting.id], desk.now), Err(Refusal::Restarting));
    desk.wait(10 * S);
    assert!(matches!(desk.core.mode(), Mode::PostOnly { .. }));
    let refused = desk.place(want(0, "BUY YES 10 @ 0.3")).expect_err("post-only");
    assert_eq!(refused.retry_after_s(), Some(5));
    desk.wait(5 * S);
    assert_eq!(desk.core.mode(), Mode::Normal);
    assert_eq!(desk.core.cancel(key, &[resting.id], desk.now).expect("cancels are on").canceled, [resting.id]);
}

#[test]
fn heartbeats_are_chained_and_silence_cancels() {
    let mut desk = Desk::new();
    let key = desk.key(0);
    desk.put(0, "BUY YES 10 @ 0.4");
    desk.put(1, "BUY YES 10 @ 0.39");
    desk.wait(60 * S);
    assert_eq!(desk.ladder(Outcome::Yes, Side::Buy).len(), 2, "nothing happens before the first heartbeat");
    let first = desk.core.heartbeat(key, "", desk.now).expect("arms the switch");
    desk.wait(6 * S);
    assert_eq!(desk.core.heartbeat(key, "", desk.now), Err(first.clone()), "the chain is broken");
    let second = desk.core.heartbeat(key, &first, desk.now).expect("the chain goes on");
    assert_ne!(first, second);
    desk.wait(9 * S);
    assert_eq!(desk.ladder(Outcome::Yes, Side::Buy).len(), 2, "refreshed");
    assert!(desk.core.heartbeat(key, "nonsense", desk.now).is_err(), "a wrong id does not refresh");
    desk.wait(S);
    assert_eq!(desk.ladder(Outcome::Yes, Side::Buy), ["10@0.39"], "only the key's own orders");
    assert!(desk.core.heartbeat(key, "", desk.now).is_ok(), "expiry disarms");
}

#[test]
fn rates_follow_the_tiers() {
    let strict = Config { enforce_rates: true, ..Config::default() };
    let mut desk = Desk::with(strict, MarketSpec::ordinary("strict", "?"));
    let key = desk.key(0);
    for _ in 0..4 {
        assert!(desk.core.use_rate(key, RateUse::Orders, 15, START).allowed);
    }
    let refused = desk.core.use_rate(key, RateUse::Orders, 15, START);
    assert_eq!(
        (refused.allowed, refused.remaining, refused.tier, refused.retry_after_s),
        (false, 0, Tier::Standard, 1)
    );
    assert!(desk.core.use_rate(key, RateUse::Cancels, 100, START).allowed, "a bucket of their own");
    assert!(desk.core.use_rate(key, RateUse::Orders, 15, START + 375 * MS).allowed, "40 a second");
    assert!(!desk.core.use_rate(key, RateUse::Orders, 1, START + 376 * MS).allowed);
    let owing = desk.core.charge_rate(key, RateUse::Cancels, 501, START + S);
    assert!(owing.remaining < 0, "a cancel-all may owe");
    desk.core.set_tier(Desk::address(1), Tier::Elite);
    let elite = desk.key(1);
    assert!(desk.core.use_rate(elite, RateUse::Orders, 900, START).allowed);
    assert_eq!(desk.core.charge_rate(elite, RateUse::Cancels, 9_000, START).remaining, 0, "and may not in high tiers");
    let mut desk = Desk::with(Config::default(), MarketSpec::ordinary("lax", "?"));
    let key = desk.key(0);
    let warned = desk.core.use_rate(key, RateUse::Orders, 1_000, START);
    assert!(warned.allowed && warned.warning);
}

#[test]
fn keys_live_and_die() {
    let mut desk = Desk::new();
    let (address, key) = (Desk::address(0), desk.key(0));
    assert_eq!(desk.core.create_key(address, 0), Err(key), "one for each nonce");
    assert_eq!(desk.core.derive_key(address, 0), Some(key));
    assert_eq!(desk.core.derive_key(address, 5), None);
    let record = desk.core.key(key).expect("a key").clone();
    assert_eq!((record.id.len(), record.passphrase.len(), record.secret.len()), (36, 64, 44));
    assert_eq!(desk.core.find_key(&record.id), Some(key));
    assert!(desk.core.revoke_key(key) && !desk.core.revoke_key(key));
    assert_eq!(desk.core.find_key(&record.id), None);
    let next = desk.core.create_key(address, 0).expect("the nonce is free again");
    assert_ne!(desk.core.key(next).expect("a key").id, record.id, "a revoked key does not come back");
    let again = Desk::new();
    assert_eq!(again.core.key(again.key(0)), Some(&record), "the seed decides");
}

#[test]
fn the_tick_becomes_finer_beyond_96_cents() {
    let mut desk = Desk::new();
    desk.split(1, "20");
    desk.put(1, "SELL YES 10 @ 0.97");
    assert!(desk.place(want(0, "BUY YES 10 @ 0.965")).is_err());
    desk.put(0, "BUY YES 10 @ 0.97");
    let public = format!("{:?}", desk.public());
    assert_eq!(public.matches("TickChange").count(), 2, "once for each token");
    assert_eq!(desk.core.market(desk.market).expect("a market").tick, Tick::Thousandth);
    desk.put(0, "BUY YES 10 @ 0.965");
    desk.core.change_tick(desk.market, Tick::Cent, desk.now);
    assert_eq!(desk.core.market(desk.market).expect("a market").tick, Tick::Thousandth, "never coarser");
    assert_eq!(
        price("0.965"),
        desk.core.market(desk.market).expect("a market").best(Outcome::Yes, Side::Buy).expect("a bid")
    );
}

#[test]
fn what_the_venue_leaves_open_is_a_setting() {
    use oddsmith_exchange::core::MinSizeUnit;
    let config = Config {
        min_size_unit: MinSizeUnit::Collateral,
        coarser_ticks: true,
        books_after_match: false,
        min_marketable: Usdc::ZERO,
        ..Config::default()
    };
    let mut desk = Desk::with(config, MarketSpec::ordinary("open-questions", "?"));
    assert!(refusal(&mut desk, want(1, "BUY NO 9 @ 0.5")).contains("lower than the minimum"), "4.50 dollars");
    desk.put(1, "BUY NO 10 @ 0.5");
    desk.place(want(0, "BUY YES 1 @ 0.5").kind(OrderType::Fak)).expect("half a dollar is enough");
    assert!(!format!("{:?}", desk.public()).contains("Book {"), "no whole books after a match");
    desk.core.change_tick(desk.market, Tick::Tenth, desk.now);
    assert_eq!(desk.core.market(desk.market).expect("a market").tick, Tick::Tenth);
}

#[test]
fn a_card_names_the_contract() {
    for kind in [ExchangeKind::Ctf, ExchangeKind::NegRisk, ExchangeKind::Position] {
        let desk = Desk::with(Config::default(), MarketSpec { kind, ..MarketSpec::ordinary("any", "?") });
        let market = desk.core.market(desk.market).expect("a market");
        assert_eq!(market.card().exchange(), kind);
        for token in market.tokens {
            let position = oddsmith_polymarket::order::is_position_id(token);
            assert_eq!(position, kind == ExchangeKind::Position, "{kind:?}: {token}");
        }
    }
}

#[test]
fn memory_of_finished_orders_and_trades_is_bounded() {
    let mut desk = Desk::with(Config { history: 3, ..Config::default() }, MarketSpec::ordinary("short", "?"));
    let mut ids = Vec::new();
    for _ in 0..6 {
        desk.put(1, "BUY NO 10 @ 0.5");
        ids.push(desk.put(0, "BUY YES 10 @ 0.5"));
        desk.wait(3 * S);
    }
    assert!(desk.core.order(&ids[0].id).is_none() && desk.core.order(&ids[5].id).is_some());
    assert!(desk.core.trade(&ids[2].trades[0]).is_none() && desk.core.trade(&ids[3].trades[0]).is_some());
    let user = desk.core.key(desk.key(0)).expect("a key").user;
    assert_eq!(desk.core.trades_of(user).count(), 3);
}

#[test]
fn the_book_is_cleared_when_the_game_starts() {
    let spec =
        MarketSpec { game_start_s: Some(START_S + 60), clear_on_start: true, ..MarketSpec::ordinary("kick-off", "?") };
    let mut desk = Desk::with(Config::default(), spec);
    desk.put(0, "BUY YES 10 @ 0.4");
    desk.wait(60 * S);
    assert!(desk.ladder(Outcome::Yes, Side::Buy).is_empty());
    desk.put(0, "BUY YES 10 @ 0.4");
    assert_eq!(desk.core.account(desk.account(0)).expect("an account").open, Usdc::from_whole(4));
}

#[test]
fn a_fak_order_takes_what_is_there_and_drops_the_rest() {
    let mut desk = Desk::new();
    desk.put(1, "BUY NO 10 @ 0.45");
    let placed = desk.place(want(0, "BUY YES 30 @ 0.6").kind(OrderType::Fak)).expect("a part");
    assert_eq!((placed.status, placed.taking_micro), (PlacedStatus::Matched, 10_000_000));
    assert!(desk.ladder(Outcome::Yes, Side::Buy).is_empty());
    assert_eq!(desk.core.account(desk.account(0)).expect("an account").open, Usdc::ZERO);
    assert_eq!(desk.core.order(&placed.id).expect("remembered").matched, Shares::from_whole(10));
}
