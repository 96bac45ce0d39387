//! What the paper venue does with orders, as the engine sees it.

mod common;

use common::{Desk, MARKET, START_S, book_at, buy, card, order, sell};
use oddsmith_domain::{
    Action, CancelOutcome, EventConversion, GatewayOutcome, MarketId, OrderType, Outcome, PlaceOrder, PlaceOutcome,
    Price, RefusalCode, Shares, Side, Time, TokenOutcome, TradeStatus, Usdc, VenueOrderStatus,
};
use oddsmith_paper::latency::LatencyModel;
use oddsmith_paper::queue::QueueModel;
use oddsmith_paper::{PaperSettings, Settlement};

fn dollars(whole: i64) -> Usdc {
    Usdc::from_whole(whole)
}

fn ideal() -> Desk {
    Desk::new(PaperSettings::ideal(dollars(1_000)))
}

fn shares(text: &str) -> Shares {
    text.parse().expect("shares")
}

fn refused(outcome: &PlaceOutcome) -> RefusalCode {
    match outcome {
        PlaceOutcome::Refused { code, .. } => *code,
        other => panic!("{other:?}"),
    }
}

fn with_book() -> Desk {
    let mut desk = ideal();
    desk.book(&[("0.48", "100"), ("0.49", "100")], &[("0.53", "40"), ("0.52", "30"), ("0.51", "20")]);
    desk
}

#[test]
fn a_resting_order_waits_for_its_queue_and_then_fills_by_what_reaches_it() {
    let mut desk = with_book();
    let seq = desk.place(buy(1, "0.49", "50"));
    let live = PlaceOutcome::Accepted { status: VenueOrderStatus::Live, trades: vec![] };
    assert_eq!(desk.placed(seq), &live);
    assert_eq!(desk.venue.ahead(&buy(1, "0.49", "50").id), Some(100.0));
    desk.pass_ms(10);
    desk.trade("111", "SELL", "0.49", "70");
    desk.change(&[("BUY", "0.49", "30")]);
    assert!(desk.fills().is_empty(), "30 are still before it");
    desk.pass_ms(10);
    desk.trade("111", "SELL", "0.49", "42.5");
    assert_eq!(desk.fills(), ["12.5"]);
    desk.pass_ms(10);
    desk.trade("111", "SELL", "0.49", "1000");
    assert_eq!(desk.fills(), ["12.5", "37.5"]);
    let account = desk.account();
    assert_eq!(account.collateral, dollars(1_000) - "24.5".parse().expect("dollars"));
    assert_eq!(account.tokens[0].1, shares("50"));
    assert!(account.orders.is_empty());
}

#[test]
fn both_tokens_are_one_ladder() {
    let mut desk = with_book();
    // A bid for NO at 0.48 stands on the asks of YES at 0.52, behind 30.
    let no = order(1, Outcome::No, Side::Buy, "0.48", "10");
    desk.place(no);
    assert_eq!(desk.venue.ahead(&no.id), Some(30.0));
    // Somebody sells NO at 0.48: that is somebody who buys YES at 0.52.
    desk.pass_ms(5);
    desk.trade("222", "SELL", "0.48", "33");
    assert_eq!(desk.fills(), ["3"]);
    // And the bids of YES are the asks of NO.
    let takes = order(2, Outcome::No, Side::Buy, "0.52", "60");
    desk.place(takes);
    assert_eq!(desk.trades(TradeStatus::Matched).last().map(|trade| trade.price.to_string()), Some("0.51".to_owned()));
}

#[test]
fn a_price_that_others_cross_or_trade_through_fills_whole() {
    let mut desk = with_book();
    desk.place(buy(1, "0.49", "50"));
    desk.place(buy(2, "0.48", "20"));
    desk.pass_ms(5);
    desk.trade("111", "SELL", "0.48", "1");
    assert_eq!(desk.fills(), ["50"], "0.48 was printed, so that 0.49 is gone, and 0.48 is behind 99");
    desk.pass_ms(5);
    desk.change(&[("SELL", "0.47", "1")]);
    assert_eq!(desk.fills(), ["50", "20"], "an offer at 0.47 meets a bid at 0.48");
}

#[test]
fn a_taker_walks_the_displayed_book_and_nothing_is_taken_twice() {
    let mut desk = with_book();
    let seq = desk.place(buy(1, "0.52", "40"));
    let PlaceOutcome::Accepted { status: VenueOrderStatus::Matched, trades } = desk.placed(seq) else {
        panic!("{:?}", desk.placed(seq))
    };
    assert_eq!(trades.len(), 1);
    let trade = desk.trades(TradeStatus::Matched).remove(0);
    let legs: Vec<_> = trade.legs.iter().map(|leg| (leg.price.to_string(), leg.size.to_string())).collect();
    assert_eq!(legs, [("0.51".to_owned(), "20".to_owned()), ("0.52".to_owned(), "20".to_owned())]);
    assert!(trade.we_take);
    // 20 at 0.51 and 20 at 0.52, with 7 % of p (1 - p) for each.
    let fee: Usdc = [("20", "0.51"), ("20", "0.52")]
        .map(|(size, price)| card().fee.expect("known").taker_fee(shares(size), price.parse().expect("a price")))
        .into_iter()
        .sum();
    assert_eq!(desk.account().collateral, dollars(1_000) - "20.6".parse().expect("dollars") - fee);
    // Ten are left at 0.52. The rest of a second order rests, and is not filled by what the first one took.
    let seq = desk.place(buy(2, "0.52", "40"));
    assert!(matches!(desk.placed(seq), PlaceOutcome::Accepted { status: VenueOrderStatus::Matched, .. }));
    assert_eq!(desk.fills(), ["40", "10"]);
    desk.pass_ms(5);
    desk.change(&[("BUY", "0.47", "5")]);
    assert_eq!(desk.fills(), ["40", "10"], "a frame about another level gives nothing back");
    // The level changes: what it shows now is new.
    desk.pass_ms(5);
    desk.change(&[("SELL", "0.51", "12")]);
    assert_eq!(desk.fills(), ["40", "10", "30"]);
}

#[test]
fn a_print_after_the_change_that_it_explains_counts_once() {
    let mut late = with_book();
    let mut early = with_book();
    for (desk, trade_first) in [(&mut early, true), (&mut late, false)] {
        desk.place(buy(1, "0.49", "50"));
        desk.pass_ms(5);
        if trade_first {
            desk.trade("111", "SELL", "0.49", "60");
            desk.change(&[("BUY", "0.49", "40")]);
        } else {
            desk.change(&[("BUY", "0.49", "40")]);
            desk.trade("111", "SELL", "0.49", "60");
        }
    }
    let id = buy(1, "0.49", "50").id;
    assert_eq!(early.venue.ahead(&id), Some(40.0));
    assert_eq!(late.venue.ahead(&id), Some(40.0));
}

#[test]
fn a_print_is_divided_among_our_orders() {
    let mut desk = with_book();
    desk.place(buy(1, "0.49", "20"));
    desk.place(buy(2, "0.49", "20"));
    desk.pass_ms(5);
    desk.trade("111", "SELL", "0.49", "130");
    assert_eq!(desk.fills(), ["20", "10"]);
}

#[test]
fn order_types_are_kept() {
    let mut desk = with_book();
    let kind = |number, order_type, post_only, price: &str, size: &str| PlaceOrder {
        order_type,
        post_only,
        ..buy(number, price, size)
    };
    let mut outcome = |order: PlaceOrder| {
        let seq = desk.place(order);
        desk.placed(seq).clone()
    };
    assert_eq!(refused(&outcome(kind(1, OrderType::Gtc, true, "0.51", "10"))), RefusalCode::PostOnlyWouldCross);
    assert_eq!(refused(&outcome(kind(2, OrderType::Fok, false, "0.51", "21"))), RefusalCode::FokNotFilled);
    assert_eq!(refused(&outcome(kind(3, OrderType::Fak, false, "0.50", "21"))), RefusalCode::FakNotFilled);
    assert_eq!(refused(&outcome(kind(4, OrderType::Fak, true, "0.51", "21"))), RefusalCode::InvalidPayload);
    assert_eq!(refused(&outcome(kind(5, OrderType::Gtc, false, "0.505", "21"))), RefusalCode::InvalidPrice);
    assert_eq!(refused(&outcome(kind(6, OrderType::Gtc, false, "0.5", "4.99"))), RefusalCode::MinSize);
    assert_eq!(refused(&outcome(kind(7, OrderType::Gtc, false, "0.5", "2001"))), RefusalCode::InsufficientBalance);
    assert_eq!(refused(&outcome(kind(8, OrderType::Gtd, false, "0.4", "10"))), RefusalCode::InvalidExpiration);
    assert!(matches!(outcome(kind(9, OrderType::Gtc, true, "0.50", "10")), PlaceOutcome::Accepted { .. }));
    assert_eq!(refused(&outcome(kind(9, OrderType::Gtc, true, "0.50", "10"))), RefusalCode::Duplicate);
    let part = outcome(kind(10, OrderType::Fak, false, "0.51", "30"));
    assert!(matches!(part, PlaceOutcome::Accepted { status: VenueOrderStatus::Matched, .. }), "{part:?}");
    assert_eq!(desk.fills(), ["20"]);
    assert_eq!(desk.account().orders.len(), 1, "what a FAK did not get is gone");
    let seq = desk.place(sell(11, "0.60", "10"));
    assert!(matches!(desk.placed(seq), PlaceOutcome::Accepted { .. }), "bought shares are in a block at once here");
    let seq = desk.place(sell(12, "0.60", "20"));
    assert_eq!(refused(desk.placed(seq)), RefusalCode::InsufficientBalance, "10 of 20 are offered already");
}

#[test]
fn nothing_is_invented() {
    let mut desk = ideal();
    let seq = desk.place(buy(1, "0.49", "50"));
    assert_eq!(refused(desk.placed(seq)), RefusalCode::MarketNotReady, "no book has been seen");
    let mut free = card();
    free.fee = None;
    let mut desk = Desk::with(PaperSettings::ideal(dollars(100)), &free);
    desk.book(&[("0.49", "100")], &[("0.51", "20")]);
    let seq = desk.place(buy(1, "0.51", "10"));
    assert_eq!(refused(desk.placed(seq)), RefusalCode::MarketNotReady, "nobody knows what taking costs");
    let seq = desk.place(buy(2, "0.50", "10"));
    assert!(matches!(desk.placed(seq), PlaceOutcome::Accepted { .. }));
}

#[test]
fn orders_act_on_the_book_that_stands_when_they_arrive_and_cancels_race_fills() {
    let mut settings = PaperSettings::ideal(dollars(1_000));
    settings.latency = LatencyModel::Constant { entry_ns: 60_000_000, response_ns: 40_000_000 };
    settings.feed_ns = 40_000_000;
    let mut desk = Desk::new(settings);
    desk.book(&[("0.49", "100")], &[("0.51", "20")]);
    let seq = desk.place(buy(1, "0.51", "10"));
    desk.pass_ms(50);
    desk.change(&[("SELL", "0.51", "0"), ("SELL", "0.52", "10")]);
    desk.pass_ms(49);
    assert!(desk.result(seq).is_none(), "entry and response are not over");
    desk.pass_ms(1);
    let live = PlaceOutcome::Accepted { status: VenueOrderStatus::Live, trades: vec![] };
    assert_eq!(desk.placed(seq), &live, "the offer went before the order arrived");
    // The cancel is on its way when the fill happens.
    let cancel = desk.act(Action::Cancel { order: buy(1, "0.51", "10").id, asset: buy(1, "0.51", "10").asset });
    desk.pass_ms(60);
    desk.trade("111", "SELL", "0.49", "5");
    desk.pass_ms(100);
    assert!(matches!(desk.result(cancel), Some(GatewayOutcome::Cancel(CancelOutcome::Gone(_)))));
    assert_eq!(desk.fills(), ["10"]);
}

#[test]
fn a_marketable_order_waits_for_its_taker_delay_and_is_looked_at_again() {
    let mut slow = card();
    slow.taker_delay_ms = 150;
    let mut desk = Desk::with(PaperSettings::ideal(dollars(1_000)), &slow);
    desk.book(&[("0.49", "100")], &[("0.51", "20")]);
    let order = buy(1, "0.51", "15");
    let seq = desk.place(order);
    let delayed = PlaceOutcome::Accepted { status: VenueOrderStatus::Delayed, trades: vec![] };
    assert_eq!(desk.placed(seq), &delayed);
    let cancel = desk.act(Action::Cancel { order: order.id, asset: order.asset });
    assert!(matches!(desk.result(cancel), Some(GatewayOutcome::Cancel(CancelOutcome::Refused(_)))));
    desk.pass_ms(100);
    desk.change(&[("SELL", "0.51", "7")]);
    assert!(desk.fills().is_empty());
    desk.pass_ms(50);
    assert_eq!(desk.fills(), ["7"], "what stood at the end of the delay");
    let account = desk.account();
    assert_eq!((account.orders.len(), account.orders[0].size_matched), (1, shares("7")));
    // An order that rests at once does not wait.
    let seq = desk.place(buy(2, "0.40", "15"));
    assert!(matches!(desk.placed(seq), PlaceOutcome::Accepted { status: VenueOrderStatus::Live, .. }));
}

#[test]
fn gtd_orders_leave_a_minute_early() {
    let mut desk = with_book();
    let order = PlaceOrder { order_type: OrderType::Gtd, expiration_s: START_S + 200, ..buy(1, "0.4", "10") };
    desk.place(order);
    desk.pass_ms(139_999);
    assert_eq!(desk.account().orders.len(), 1);
    assert_eq!(desk.account().orders.len(), 0);
    let words: Vec<_> = desk
        .news()
        .into_iter()
        .filter_map(|event| match event {
            oddsmith_polymarket::codec::user::UserEvent::Order(order) => Some(order.status_text),
            _ => None,
        })
        .collect();
    assert_eq!(words, ["LIVE", "CANCELED_EXPIRED_ORDER"]);
}

#[test]
fn silence_after_a_heartbeat_cancels_everything() {
    let mut desk = with_book();
    desk.place(buy(1, "0.4", "10"));
    desk.pass_ms(60_000);
    assert_eq!(desk.account().orders.len(), 1, "nobody who never sent one is let go");
    desk.act(Action::Heartbeat);
    desk.pass_ms(9_000);
    desk.act(Action::Heartbeat);
    desk.pass_ms(9_000);
    assert_eq!(desk.account().orders.len(), 1);
    desk.pass_ms(2_000);
    assert_eq!(desk.account().orders.len(), 0);
}

#[test]
fn matches_settle_and_a_failed_one_is_undone() {
    let settlement = Settlement { mined_after_ms: 100, confirmed_after_ms: 200, retried_ppm: 0, failed_ppm: 0 };
    let way = |failed_ppm, retried_ppm| {
        let mut settings = PaperSettings::ideal(dollars(1_000));
        settings.settlement = Settlement { failed_ppm, retried_ppm, ..settlement };
        let mut desk = Desk::new(settings);
        desk.book(&[("0.49", "100")], &[("0.51", "20")]);
        desk.place(buy(1, "0.51", "20"));
        let before = desk.venue.collateral();
        let seq = desk.place(sell(2, "0.60", "20"));
        assert_eq!(refused(desk.placed(seq)), RefusalCode::InsufficientBalance, "not in a block yet");
        desk.pass_ms(1_000);
        let statuses: Vec<_> = desk
            .news()
            .into_iter()
            .filter_map(|event| match event {
                oddsmith_polymarket::codec::user::UserEvent::Trade(trade) => Some(trade.status),
                _ => None,
            })
            .collect();
        let account = desk.account();
        (statuses, before, account.collateral, account.tokens[0].1)
    };
    use TradeStatus::{Confirmed, Failed, Matched, Mined, Retrying};
    let (statuses, before, after, tokens) = way(0, 0);
    assert_eq!(statuses, [Matched, Mined, Confirmed]);
    assert_eq!((before, tokens), (dollars(1_000), shares("20")));
    assert!(after < dollars(990));
    assert_eq!(way(0, 1_000_000).0, [Matched, Retrying, Mined, Confirmed]);
    let (statuses, _, after, tokens) = way(1_000_000, 0);
    assert_eq!(statuses, [Matched, Retrying, Failed]);
    assert_eq!((after, tokens), (dollars(1_000), Shares::ZERO));
}

#[test]
fn no_of_an_event_is_converted_and_what_is_no_conversion_is_refused() {
    let mut desk = with_book();
    assert!(desk.venue.split(MARKET, shares("100")));
    let convert = |from: &[MarketId], into: &[MarketId], amount: &str| {
        let (from, into) = (from.to_vec(), into.to_vec());
        Action::Convert(Box::new(EventConversion { from, into, shares: shares(amount) }))
    };
    let other = MarketId(77);
    for (from, into, amount) in [
        (&[MARKET][..], &[][..], "101"),
        (&[MARKET], &[other], "1"),
        (&[], &[MARKET], "1"),
        (&[MARKET], &[MARKET], "1"),
    ] {
        let seq = desk.act(convert(from, into, amount));
        assert!(
            matches!(desk.result(seq), Some(GatewayOutcome::Tokens(TokenOutcome::Refused(_)))),
            "{from:?} {into:?}"
        );
    }
    let before = desk.account();
    let seq = desk.act(convert(&[MARKET], &[], "40"));
    assert_eq!(desk.result(seq), Some(&GatewayOutcome::Tokens(TokenOutcome::Done)));
    let after = desk.account();
    assert_eq!(after.collateral, before.collateral, "one outcome less one is no dollar");
    assert_eq!(
        (after.tokens[0].1, after.tokens[1].1),
        (before.tokens[0].1, before.tokens[1].1 - shares("40")),
        "NO is gone"
    );
}

#[test]
fn pairs_are_split_and_merged_and_a_decided_market_pays() {
    let mut desk = with_book();
    assert!(desk.venue.split(MARKET, shares("100")));
    assert!(!desk.venue.split(MARKET, shares("1000")));
    let seq = desk.act(Action::Merge { market: MARKET, pairs: shares("40") });
    assert_eq!(desk.result(seq), Some(&GatewayOutcome::Tokens(TokenOutcome::Done)));
    let seq = desk.act(Action::Merge { market: MARKET, pairs: shares("61") });
    assert!(matches!(desk.result(seq), Some(GatewayOutcome::Tokens(TokenOutcome::Refused(_)))));
    desk.place(sell(1, "0.60", "10"));
    let seq = desk.act(Action::Redeem { market: MARKET });
    assert!(matches!(desk.result(seq), Some(GatewayOutcome::Tokens(TokenOutcome::Refused(_)))), "not decided");
    let resolved = r#"{"id":"7","market":"0xab","winning_asset_id":"111","winning_outcome":"Yes","assets_ids":["111","222"],"timestamp":"1790000000000","event_type":"market_resolved"}"#;
    desk.frame(resolved);
    assert_eq!(desk.account().orders.len(), 0);
    let seq = desk.place(buy(2, "0.40", "10"));
    assert_eq!(refused(desk.placed(seq)), RefusalCode::MarketNotReady);
    let seq = desk.act(Action::Redeem { market: MARKET });
    assert_eq!(desk.result(seq), Some(&GatewayOutcome::Tokens(TokenOutcome::Done)));
    let account = desk.account();
    assert_eq!(
        (account.collateral, account.tokens[0].1, account.tokens[1].1),
        (dollars(1_000), Shares::ZERO, Shares::ZERO)
    );
    let seq = desk.act(Action::Fetch(oddsmith_domain::FetchWhat::Resolution(MARKET)));
    assert_eq!(desk.result(seq), Some(&GatewayOutcome::Resolution(Ok(Some(Price::ONE)))));
}

#[test]
fn an_allowance_binds() {
    let mut settings = PaperSettings::ideal(dollars(1_000));
    settings.allowance = Some(dollars(10));
    let mut desk = Desk::new(settings);
    desk.book(&[("0.49", "100")], &[("0.51", "20")]);
    desk.place(buy(1, "0.4", "20"));
    let seq = desk.place(buy(2, "0.4", "6"));
    assert_eq!(refused(desk.placed(seq)), RefusalCode::InsufficientBalance);
    assert_eq!(desk.cancel(&buy(1, "0.4", "20")), CancelOutcome::Canceled);
    let seq = desk.place(buy(3, "0.4", "6"));
    assert!(matches!(desk.placed(seq), PlaceOutcome::Accepted { .. }));
}

#[test]
fn an_old_book_changes_nothing_and_a_new_one_replaces_all() {
    let mut desk = with_book();
    let old = book_at(desk.now.wall_ms() - 10, &[("0.10", "1")], &[("0.20", "1")]);
    desk.frame(&old);
    desk.place(buy(1, "0.49", "10"));
    assert_eq!(desk.venue.ahead(&buy(1, "0.49", "10").id), Some(100.0));
    desk.pass_ms(10);
    desk.book(&[("0.48", "100"), ("0.49", "60")], &[("0.51", "20")]);
    assert_eq!(desk.venue.ahead(&buy(1, "0.49", "10").id), Some(60.0));
}

#[test]
fn the_same_seed_says_the_same_and_another_does_not() {
    let play = |seed| {
        let mut settings = PaperSettings::with(dollars(1_000), seed);
        settings.queue = QueueModel::Power(3.0);
        let mut desk = Desk::new(settings);
        desk.book(&[("0.49", "100")], &[("0.51", "20")]);
        for number in 1..30 {
            desk.place(buy(number, "0.49", "10"));
            desk.pass_ms(300);
            desk.trade("111", "SELL", "0.49", "17");
            desk.change(&[("BUY", "0.49", "83")]);
            desk.pass_ms(300);
            desk.change(&[("BUY", "0.49", "100")]);
        }
        desk.pass_ms(60_000);
        assert!(desk.venue.is_idle());
        desk.said
    };
    assert_eq!(play(7), play(7));
    assert_ne!(play(7), play(8));
    let end = Time { mono_ns: 0, wall_ns: 0 };
    assert!(play(7).iter().all(|(at, _)| *at > end.mono_ns));
}
