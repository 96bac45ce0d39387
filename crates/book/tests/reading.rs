//! Signals, depth, freshness, history and views.

mod common;

use common::{STREAM, at, book, change, header, level, levels, price, side};
use oddsmith_book::{PairBook, ShardProof};
use oddsmith_domain::{MarketSource, Outcome, Shares, Side, Time, Usdc};

fn near(value: Option<f64>, expected: f64) {
    let value = value.expect("a value");
    assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
}

#[test]
fn micro_price_and_mid_of_both_tokens() {
    let book = book(&[("0.49", "100")], &[("0.52", "50")], 1_000);
    near(book.micro_price(Outcome::Yes), 0.51);
    near(book.micro_price(Outcome::No), 0.49);
    near(book.mid(Outcome::Yes), 0.505);
    near(book.snapshot().micro_price(Outcome::No), 0.49);
    let empty = PairBook::new(&common::card());
    assert_eq!((empty.mid(Outcome::Yes), empty.micro_price(Outcome::No)), (None, None));
}

#[test]
fn imbalance_of_the_reference() {
    let bids = [("0.52", "400"), ("0.51", "300"), ("0.50", "800")];
    let asks = [("0.54", "100"), ("0.55", "500"), ("0.56", "200")];
    let book = book(&bids, &asks, 1_000);
    near(Some(book.imbalance(Outcome::Yes, 1)), 0.6);
    near(Some(book.imbalance(Outcome::Yes, 3)), 700.0 / 2_300.0);
    near(Some(book.imbalance(Outcome::No, 3)), -700.0 / 2_300.0);
    near(Some(book.imbalance(Outcome::No, 0)), 0.0);
}

#[test]
fn order_flow_imbalance_of_the_reference() {
    let mut book = book(&[("0.52", "400")], &[("0.54", "100")], 1_000);
    let edits = [
        vec![(Side::Buy, "0.52", "350")],
        vec![(Side::Buy, "0.53", "50"), (Side::Sell, "0.54", "180")],
        vec![(Side::Sell, "0.54", "0"), (Side::Sell, "0.55", "500")],
    ];
    for (ms, frame) in (1_001..).zip(edits) {
        for (side, at_price, size) in frame {
            book.apply_change(&change(Outcome::Yes, side, level(at_price, size), ms), at(ms));
        }
        book.end_of_frame(at(ms));
    }
    assert_eq!(book.ofi(Outcome::Yes), Shares::from_whole(100));
    assert_eq!(book.ofi(Outcome::No), Shares::from_whole(-100));
    // The window of the last two steps: what a reader takes from the ring.
    let samples: Vec<_> = book.mids().iter().map(|sample| sample.ofi_micros).collect();
    assert_eq!(samples, [0, -50_000_000, -80_000_000, 100_000_000]);
    // A resync is not order flow.
    book.apply_snapshot(
        Outcome::Yes,
        &header(Outcome::Yes, 2_000),
        &levels(&[("0.1", "9")]),
        &levels(&[("0.9", "9")]),
        at(9),
        STREAM,
    );
    assert_eq!(book.ofi(Outcome::Yes), Shares::from_whole(100));
}

#[test]
fn effective_prices_and_their_shortfall() {
    let thin = book(&[("0.1", "5")], &[("0.40", "50"), ("0.42", "100")], 1_000);
    let spent = thin.effective_price_for_cash(Outcome::Yes, Usdc::from_whole(50));
    near(spent.average(), 0.411_765);
    assert_eq!((spent.is_complete(), spent.worst), (true, Some(price("0.42"))));
    let all = thin.effective_price_for_cash(Outcome::Yes, Usdc::from_whole(100));
    assert_eq!((all.is_complete(), all.unspent, all.filled), (false, Usdc::from_whole(38), Shares::from_whole(150)));
    assert_eq!(thin.effective_price_for_cash(Outcome::Yes, Usdc::from_whole(-5)).filled, Shares::ZERO);

    let deep = book(&[("0.4", "10")], &[("0.50", "100"), ("0.51", "200"), ("0.53", "500")], 1_000);
    let sweep = deep.effective_price(Outcome::Yes, Side::Buy, Shares::from_whole(250));
    near(sweep.average(), 0.506);
    assert_eq!((sweep.worst, sweep.shortfall), (Some(price("0.51")), Shares::ZERO));
    let short = deep.effective_price(Outcome::Yes, Side::Sell, Shares::from_whole(25));
    assert_eq!((short.filled, short.shortfall), (Shares::from_whole(10), Shares::from_whole(15)));
    assert!(!short.is_complete());
    // Buying NO takes from the YES bids.
    let mirrored = deep.effective_price(Outcome::No, Side::Buy, Shares::from_whole(10));
    assert_eq!((mirrored.cash, mirrored.worst), (Usdc::from_whole(6), Some(price("0.6"))));
    assert_eq!(deep.effective_price(Outcome::Yes, Side::Buy, Shares::ZERO).average(), None);
}

#[test]
fn cash_rounds_against_the_one_who_takes() {
    let book = book(&[("0.33", "0.000001")], &[("0.57", "0.000001")], 1_000);
    let one = Shares::from_micros(1);
    assert_eq!(book.effective_price(Outcome::Yes, Side::Buy, one).cash, Usdc::from_micros(1));
    assert_eq!(book.effective_price(Outcome::Yes, Side::Sell, one).cash, Usdc::ZERO);
}

#[test]
fn staleness_is_two_seconds_and_not_one_nanosecond_less() {
    let limit = 2 * Time::SECOND;
    let mut book = book(&[("0.49", "100")], &[("0.52", "50")], 1_000);
    book.apply_change(&change(Outcome::Yes, Side::Buy, level("0.4", "1"), 1_001), at(10_000));
    let stale = |book: &PairBook, outcome, ms, shard| book.is_stale(outcome, at(ms), limit, shard);
    assert!(!stale(&book, Outcome::Yes, 11_990, ShardProof::None));
    assert!(!stale(&book, Outcome::Yes, 12_000, ShardProof::None));
    assert!(stale(&book, Outcome::Yes, 12_010, ShardProof::None));
    assert!(stale(&book, Outcome::No, 10_000, ShardProof::None), "never seen is stale");
    // A quiet market on a live shard is not stale; on a silent one it is, whatever was seen.
    assert!(!stale(&book, Outcome::Yes, 60_000, ShardProof::Alive(at(59_500))));
    assert!(stale(&book, Outcome::Yes, 60_000, ShardProof::Alive(at(57_000))));
    assert!(stale(&book, Outcome::Yes, 10_001, ShardProof::Silent));
    assert!(stale(&book, Outcome::No, 60_000, ShardProof::Alive(at(59_900))));
    assert!(book.had_traffic(Outcome::Yes, at(60_000), 60 * Time::SECOND));
    assert!(!book.had_traffic(Outcome::Yes, at(71_000), 60 * Time::SECOND));
}

#[test]
fn age_ignores_the_wall_clock() {
    let mut book = book(&[("0.49", "100")], &[("0.52", "50")], 1_000);
    let seen = Time { mono_ns: 5 * Time::SECOND, wall_ns: 1_800_000_000 * Time::SECOND };
    book.apply_change(&change(Outcome::Yes, Side::Buy, level("0.4", "1"), 1_001), seen);
    for wall_ns in [0, seen.wall_ns, seen.wall_ns + 3_600 * Time::SECOND] {
        let now = Time { mono_ns: 6 * Time::SECOND, wall_ns };
        assert_eq!(book.proof_age_ns(Outcome::Yes, now, ShardProof::None), Some(Time::SECOND));
    }
    let times = book.times(Outcome::Yes);
    assert_eq!((times.last_frame, times.source, times.sequence), (Some(seen), Some(STREAM), 2));
}

#[test]
fn a_rest_book_equal_to_ours_is_a_proof_and_an_older_one_is_not() {
    let mut book = book(&[("0.49", "100")], &[("0.52", "50")], 1_000);
    let (bids, asks) = (levels(&[("0.49", "100")]), levels(&[("0.52", "50")]));
    let mut read = |ms, mono_ms| {
        book.apply_snapshot(Outcome::Yes, &header(Outcome::Yes, ms), &bids, &asks, at(mono_ms), MarketSource::Rest);
        book.times(Outcome::Yes).last_proof
    };
    assert_eq!(read(1_000, 7_000), Some(at(7_000)));
    assert_eq!(read(999, 8_000), Some(at(7_000)));
}

#[test]
fn history_is_kept_for_readers() {
    let mut book = book(&[("0.49", "100")], &[("0.52", "50")], 1_000);
    book.apply_trade(Outcome::No, price("0.48"), Shares::from_whole(3), Side::Buy, 1_001, at(1));
    assert_eq!(book.last_trade().map(|trade| (trade.outcome, trade.price)), Some((Outcome::No, price("0.48"))));
    for ms in 1_002..3_500 {
        book.apply_change(&change(Outcome::Yes, Side::Buy, level("0.49", &ms.to_string()), ms), at(ms));
        book.end_of_frame(at(ms));
    }
    assert_eq!(book.mids().len(), book.mids().capacity());
    assert_eq!(book.mids().latest().map(|sample| sample.mono_ns), Some(at(3_499).mono_ns));
}

#[test]
fn a_view_does_not_change_when_the_book_does() {
    let mut book = book(&[("0.49", "100")], &[("0.52", "50")], 1_000);
    let view = book.snapshot();
    book.apply_change(&change(Outcome::Yes, Side::Buy, level("0.5", "1"), 1_001), at(1));
    book.end_of_frame(at(1));
    assert_eq!(view.best_bid(Outcome::Yes).map(|top| top.price), Some(price("0.49")));
    let newer = book.snapshot();
    assert!(newer.version > view.version);
    assert_eq!(newer.best_ask(Outcome::No).map(|top| top.price), Some(price("0.5")));
    assert_eq!(newer.age_ns(Outcome::Yes, at(3)), Some(2 * Time::MILLI));
}

#[test]
fn a_lost_connection_empties_the_book() {
    let mut book = book(&[("0.49", "100")], &[("0.52", "50")], 1_000);
    book.reset();
    assert_eq!((book.best_bid(Outcome::Yes), book.health(Outcome::Yes)), (None, oddsmith_domain::BookHealth::Empty));
    assert!(side(&book, Outcome::Yes, Side::Buy).is_empty());
    assert!(book.is_stale(Outcome::Yes, at(0), u64::MAX, ShardProof::Alive(at(0))));
    // The venue's clock may have gone back meanwhile: a new snapshot counts for itself.
    book.apply_snapshot(Outcome::Yes, &header(Outcome::Yes, 500), &levels(&[("0.3", "1")]), &[], at(1), STREAM);
    assert_eq!(book.best_bid(Outcome::Yes).map(|top| top.price), Some(price("0.3")));
    assert_eq!(book.best_ask(Outcome::No).map(|top| top.price), Some(price("0.7")));
}
