//! The venue's hash, repair, crossed states, and what they do to a book's health.

mod common;

use common::{
    ASKS, BIDS, STREAM, at, book, card, change, header, level, levels, price, side, venue_hash, venue_hash_after,
};
use oddsmith_book::{HashCheck, HashPolicy, PairBook, SILENCE_NS};
use oddsmith_domain::{
    BookHealth, LevelChange, MarketSource, Outcome, Shares, Side, SnapshotHeader, Tick, Time, VenueHash,
};

/// What mirrors these levels in the other token's book.
fn mirror<'t>(levels: &[(&'t str, &'t str)], texts: &[&'t str]) -> Vec<(&'t str, &'t str)> {
    texts.iter().zip(levels).map(|(text, (_, size))| (*text, *size)).collect()
}

fn mismatch(stamp: u64) -> LevelChange {
    LevelChange { hash: Some(VenueHash([1; 20])), ..change(Outcome::Yes, Side::Buy, level("0.02", "9"), stamp) }
}

#[test]
fn a_snapshot_is_checked_at_once_whatever_the_order_of_its_levels() {
    let hash = Some(venue_hash(Outcome::Yes, 1_000, &BIDS, &ASKS));
    for reversed in [false, true] {
        let mut book = PairBook::new(&card());
        let (mut bids, mut asks) = (levels(&BIDS), levels(&ASKS));
        if reversed {
            bids.reverse();
            asks.reverse();
        }
        let header = SnapshotHeader { hash, ..header(Outcome::Yes, 1_000) };
        let applied = book.apply_snapshot(Outcome::Yes, &header, &bids, &asks, at(0), STREAM);
        assert_eq!((applied.hash, applied.changed), (HashCheck::Reproduced, 5));
        assert_eq!(book.health(Outcome::Yes), BookHealth::Verified);
        assert_eq!(book.health(Outcome::No), BookHealth::Empty, "the other token's own view is still to come");
        assert_eq!(side(&book, Outcome::No, Side::Buy), [(4_800, 50_000_000), (100, 7_000_000)]);
    }
}

#[test]
fn missing_card_fields_make_a_book_unverifiable_not_dirty() {
    let mut book = PairBook::new(&oddsmith_domain::MarketCard { min_size: None, ..card() });
    let hash = Some(venue_hash(Outcome::Yes, 1_000, &BIDS, &ASKS));
    let header = SnapshotHeader { hash, ..header(Outcome::Yes, 1_000) };
    let applied = book.apply_snapshot(Outcome::Yes, &header, &levels(&BIDS), &levels(&ASKS), at(0), STREAM);
    assert_eq!(applied.hash, HashCheck::Unverifiable);
    book.apply_change(&mismatch(1_001), at(1));
    book.apply_change(&mismatch(1_002), at(2));
    book.apply_change(&mismatch(1_003), at(3));
    book.idle_check(at(3).plus_ns(SILENCE_NS));
    assert_eq!(book.health(Outcome::Yes), BookHealth::Unverifiable);
    assert_eq!(book.hash_counts().checked, 0);
}

#[test]
fn the_hash_of_a_change_is_checked_when_its_batch_has_ended() {
    // Both messages of the millisecond carry the hash of its final state.
    let after: Vec<_> = BIDS.into_iter().filter(|(at, _)| *at != "0.3").chain([("0.48", "5.5")]).collect();
    let hash = Some(venue_hash(Outcome::Yes, 1_007, &after, &ASKS));
    let mut book = book(&BIDS, &ASKS, 1_000);
    book.apply_change(&LevelChange { hash, ..change(Outcome::Yes, Side::Buy, level("0.3", "0"), 1_007) }, at(10));
    book.end_of_frame(at(10));
    assert_eq!(book.idle_check(at(11)), 0, "the batch may not be over");
    assert_eq!(book.next_check_mono_ns(), Some(at(10).mono_ns + SILENCE_NS));
    book.apply_change(&LevelChange { hash, ..change(Outcome::Yes, Side::Buy, level("0.48", "5.5"), 1_007) }, at(12));
    book.end_of_frame(at(12));
    assert_eq!(book.idle_check(at(12).plus_ns(SILENCE_NS)), 1);
    assert_eq!(book.next_check_mono_ns(), None);
    let counts = book.hash_counts();
    assert_eq!((counts.checked, counts.reproduced), (2, 2));
    assert_eq!(book.health(Outcome::Yes), BookHealth::Verified);
}

#[test]
fn both_tokens_are_checked_by_their_own_hash() {
    let mut book = book(&BIDS, &ASKS, 1_000);
    book.set_hash_policy(HashPolicy::Every);
    let bids: Vec<_> = BIDS.into_iter().chain([("0.5", "20.0")]).collect();
    let (no_bids, no_asks) = (mirror(&ASKS, &["0.48", "0.01"]), mirror(&bids, &["0.99", "0.7", "0.51", "0.5"]));
    let yes = Some(venue_hash(Outcome::Yes, 1_001, &bids, &ASKS));
    let no = Some(venue_hash(Outcome::No, 1_001, &no_bids, &no_asks));
    book.apply_change(
        &LevelChange { hash: yes, ..change(Outcome::Yes, Side::Buy, level("0.5", "20.0"), 1_001) },
        at(1),
    );
    book.apply_change(&LevelChange { hash: no, ..change(Outcome::No, Side::Sell, level("0.5", "20.0"), 1_001) }, at(1));
    // The other token's entry comes first in the next frame: the first batch must be judged before it is applied.
    let wrong = Some(VenueHash([9; 20]));
    book.apply_change(&LevelChange { hash: wrong, ..change(Outcome::No, Side::Sell, level("0.6", "1"), 1_002) }, at(2));
    let counts = book.hash_counts();
    assert_eq!((counts.checked, counts.reproduced), (2, 2));
    for outcome in Outcome::BOTH {
        assert_eq!(book.health(outcome), BookHealth::Verified, "{outcome:?}");
    }
    assert_eq!(book.finish_batch(), [0, 1], "the last entry is not proven, and its batch may go on");
    assert_eq!(book.hash_counts().unfinished, 1);
}

#[test]
fn entries_of_one_millisecond_may_carry_the_hash_of_their_own_state() {
    let mut book = book(&BIDS, &ASKS, 1_000);
    book.set_hash_policy(HashPolicy::Every);
    let mut bids = BIDS.to_vec();
    for (at_price, size) in [("0.4", "1"), ("0.41", "2"), ("0.42", "3")] {
        bids.push((at_price, size));
        let hash = Some(venue_hash(Outcome::Yes, 1_001, &bids, &ASKS));
        let entry = LevelChange { hash, ..change(Outcome::Yes, Side::Buy, level(at_price, size), 1_001) };
        book.apply_change(&entry, at(1));
    }
    book.idle_check(at(1).plus_ns(SILENCE_NS));
    assert_eq!((book.hash_counts().checked, book.hash_counts().reproduced), (3, 3));
}

#[test]
fn a_lost_change_makes_suspect_then_dirty_and_a_fresh_snapshot_cleans() {
    for policy in [HashPolicy::Every, HashPolicy::Sampled { one_in: 1 }] {
        let mut book = book(&BIDS, &ASKS, 1_000);
        book.set_hash_policy(policy);
        let mut healths = Vec::new();
        for ms in 1_001..=1_004 {
            book.apply_change(&mismatch(ms), at(ms));
            book.end_of_frame(at(ms));
            book.idle_check(at(ms));
            healths.push(book.health(Outcome::Yes));
        }
        use BookHealth::{Dirty, Suspect, Verified};
        assert_eq!(healths, [Verified, Suspect, Dirty, Dirty], "{policy:?}");
        assert_eq!(book.times_dirty(), 1);
        for (ms, health) in [(1_000, Dirty), (1_004, Verified)] {
            let hash = Some(venue_hash(Outcome::Yes, ms, &BIDS, &ASKS));
            let header = SnapshotHeader { hash, ..header(Outcome::Yes, ms) };
            book.apply_snapshot(Outcome::Yes, &header, &levels(&BIDS), &levels(&ASKS), at(2_000), MarketSource::Rest);
            assert_eq!(book.health(Outcome::Yes), health, "a snapshot of {ms}");
        }
    }
}

#[test]
fn a_hash_may_be_older_than_the_trade_that_was_announced_before_it() {
    for last_trade in ["0.520", "0.490"] {
        let mut book = book(&BIDS, &ASKS, 1_000);
        book.apply_trade(Outcome::Yes, price("0.52"), Shares::from_whole(5), Side::Buy, 1_001, at(1));
        book.apply_trade(Outcome::Yes, price("0.49"), Shares::from_whole(5), Side::Sell, 1_002, at(1));
        let bids: Vec<_> = BIDS.into_iter().chain([("0.4", "3")]).collect();
        let hash = Some(venue_hash_after(Outcome::Yes, 1_002, &bids, &ASKS, last_trade));
        let entry = LevelChange { hash, ..change(Outcome::Yes, Side::Buy, level("0.4", "3"), 1_002) };
        book.apply_change(&entry, at(2));
        book.idle_check(at(2).plus_ns(SILENCE_NS));
        assert_eq!(book.hash_counts().reproduced, 1, "{last_trade}");
    }
}

#[test]
fn a_book_that_was_read_before_a_match_does_not_take_its_price_back() {
    let mut book = book(&BIDS, &ASKS, 1_000);
    book.apply_trade(Outcome::Yes, price("0.49"), Shares::from_whole(5), Side::Sell, 1_010, at(10));
    let bids: Vec<_> = BIDS.into_iter().chain([("0.4", "3")]).collect();
    let hash = Some(venue_hash_after(Outcome::Yes, 1_010, &bids, &ASKS, "0.490"));
    book.apply_change(&LevelChange { hash, ..change(Outcome::Yes, Side::Buy, level("0.4", "3"), 1_010) }, at(11));
    // Asked for before the match, answered after it.
    let read =
        SnapshotHeader { hash: Some(venue_hash(Outcome::Yes, 1_005, &BIDS, &ASKS)), ..header(Outcome::Yes, 1_005) };
    let applied = book.apply_snapshot(Outcome::Yes, &read, &levels(&BIDS), &levels(&ASKS), at(12), MarketSource::Rest);
    assert_eq!((applied.hash, applied.difference), (HashCheck::Reproduced, false));
    book.idle_check(at(11).plus_ns(SILENCE_NS));
    assert_eq!((book.hash_counts().checked, book.hash_counts().reproduced), (1, 1));
    assert_eq!(book.health(Outcome::Yes), BookHealth::Verified);
}

#[test]
fn own_levels_better_than_the_stated_best_are_removed() {
    let mut book = book(&BIDS, &ASKS, 1_000);
    // The removals of 0.49 and of the ask at 0.52 never arrived.
    let entry = LevelChange {
        best_bid: Some(price("0.3")),
        best_ask: Some(price("0.99")),
        ..change(Outcome::Yes, Side::Buy, level("0.2", "4"), 1_001)
    };
    book.apply_change(&entry, at(1));
    let end = book.end_of_frame(at(1));
    assert_eq!((end.repaired, end.agreed_before_repair, end.agreed), (2, Some(false), Some(true)));
    assert_eq!((book.repaired(), book.health(Outcome::Yes)), (2, BookHealth::Suspect));
    assert_eq!(book.best_bid(Outcome::Yes).map(|top| top.price), Some(price("0.3")));
    assert_eq!(book.best_ask(Outcome::No).map(|top| top.price), Some(price("0.7")));
    assert_eq!(book.end_of_frame(at(2)).agreed, None, "a statement is looked at once");
}

#[test]
fn a_missing_level_is_a_disagreement_and_makes_dirty_when_the_batch_is_over() {
    let mut book = book(&BIDS, &ASKS, 1_000);
    let stated = LevelChange {
        best_bid: Some(price("0.5")),
        best_ask: Some(price("0.52")),
        ..change(Outcome::Yes, Side::Buy, level("0.2", "4"), 1_001)
    };
    book.apply_change(&stated, at(1));
    assert_eq!(book.end_of_frame(at(1)).agreed, Some(false));
    assert_eq!(book.health(Outcome::Yes), BookHealth::Verified, "the level may follow in the same millisecond");
    book.apply_change(&change(Outcome::Yes, Side::Buy, level("0.2", "5"), 1_002), at(2));
    assert_eq!(book.health(Outcome::Yes), BookHealth::Dirty);
}

#[test]
fn a_crossed_book_publishes_nothing_and_is_dirty() {
    let mut book = book(&BIDS, &ASKS, 1_000);
    assert_eq!(book.best_bid(Outcome::Yes).map(|top| top.price), Some(price("0.49")));
    book.apply_change(&change(Outcome::Yes, Side::Buy, level("0.52", "4"), 1_001), at(1));
    assert_eq!(book.best_bid(Outcome::Yes).map(|top| top.price), Some(price("0.49")), "a frame is half applied");
    assert!(book.end_of_frame(at(1)).crossed);
    for outcome in Outcome::BOTH {
        assert_eq!((book.best_bid(outcome), book.best_ask(outcome)), (None, None));
        assert_eq!(book.levels(outcome, Side::Buy).count(), 0);
    }
    assert_eq!(book.health(Outcome::Yes), BookHealth::Dirty);
    assert!(book.snapshot().crossed && book.snapshot().bids.is_empty());
}

#[test]
fn rest_compares_by_venue_time() {
    let later: Vec<_> = BIDS.into_iter().chain([("0.4", "3")]).collect();
    let mut book = book(&BIDS, &ASKS, 1_000);
    let read = |book: &mut PairBook, ms: u64, bids: &[(&str, &str)], wall_ms: u64| {
        let header =
            SnapshotHeader { hash: Some(venue_hash(Outcome::Yes, ms, bids, &ASKS)), ..header(Outcome::Yes, ms) };
        let now = Time { mono_ns: 9, wall_ns: wall_ms * Time::MILLI };
        book.apply_snapshot(Outcome::Yes, &header, &levels(bids), &levels(&ASKS), now, MarketSource::Rest)
    };
    // An answer from a cache that lags behind the stream proves nothing and undoes nothing.
    let old = read(&mut book, 900, &[("0.1", "1")], 5_000);
    assert!(!old.fresh && old.changed == 0 && !old.difference);
    assert_eq!(side(&book, Outcome::Yes, Side::Buy).len(), 3);
    // The same book again is a proof.
    let same = read(&mut book, 1_000, &BIDS, 5_000);
    assert_eq!((same.changed, same.difference), (0, false));
    // Newer than the stream, and just now: the stream may still bring it.
    let ahead = read(&mut book, 4_500, &later, 5_000);
    assert_eq!((ahead.changed, ahead.difference), (1, false));
    assert_eq!(book.health(Outcome::Yes), BookHealth::Verified);
    // Newer than the stream for two seconds: the stream lost it.
    let lost = read(&mut book, 5_500, &BIDS, 7_500);
    assert_eq!((lost.changed, lost.difference), (1, true));
    assert_eq!(book.health(Outcome::Yes), BookHealth::Dirty);
    assert!(!read(&mut book, 5_500, &BIDS, 7_600).difference);
    assert_eq!(book.health(Outcome::Yes), BookHealth::Verified, "another read agrees");
}

#[test]
fn polling_by_rest_alone_is_not_a_difference() {
    let mut book = PairBook::new(&card());
    for (ms, bids) in [(1_000, &BIDS[..]), (2_000, &BIDS[..1]), (3_000, &BIDS[..2])] {
        let hash = Some(venue_hash(Outcome::Yes, ms, bids, &ASKS));
        let header = SnapshotHeader { hash, ..header(Outcome::Yes, ms) };
        let now = Time { mono_ns: ms, wall_ns: (ms + 60_000) * Time::MILLI };
        let applied =
            book.apply_snapshot(Outcome::Yes, &header, &levels(bids), &levels(&ASKS), now, MarketSource::Rest);
        assert!(applied.changed > 0 && !applied.difference);
        assert_eq!(book.health(Outcome::Yes), BookHealth::Verified);
    }
}

#[test]
fn what_nobody_stated_is_learned_by_proof() {
    let mut book = PairBook::without_card(card().condition, card().tokens);
    let stated = SnapshotHeader {
        hash: Some(venue_hash_after(Outcome::Yes, 1_000, &BIDS, &ASKS, "0.370")),
        last_trade_stated: false,
        ..header(Outcome::Yes, 1_000)
    };
    let (bids, asks) = (levels(&BIDS), levels(&ASKS));
    let applied = book.apply_snapshot(Outcome::Yes, &stated, &bids, &asks, at(0), STREAM);
    assert_eq!(applied.hash, HashCheck::Unverifiable);
    let wrong = SnapshotHeader { hash: Some(VenueHash([3; 20])), ..stated };
    assert!(!book.learn_facts(Outcome::Yes, &wrong, &bids, &asks) && book.tick().is_none());
    assert!(book.learn_facts(Outcome::Yes, &stated, &bids, &asks));
    assert_eq!((book.tick(), book.min_size()), (Some(Tick::Cent), Some(Shares::from_whole(5))));
    let applied = book.apply_snapshot(Outcome::Yes, &stated, &bids, &asks, at(0), STREAM);
    assert_eq!(applied.hash, HashCheck::Reproduced);
}

#[test]
fn a_text_that_cannot_be_rewritten_makes_unverifiable_until_the_next_snapshot() {
    let mut book = book(&BIDS, &ASKS, 1_000);
    for ms in 1_001..=1_004 {
        book.apply_change(&LevelChange { irregular_text: ms == 1_001, ..mismatch(ms) }, at(ms));
    }
    book.idle_check(at(1_004).plus_ns(SILENCE_NS));
    assert_eq!(book.health(Outcome::Yes), BookHealth::Unverifiable);
    let header =
        SnapshotHeader { hash: Some(venue_hash(Outcome::Yes, 1_005, &BIDS, &ASKS)), ..header(Outcome::Yes, 1_005) };
    book.apply_snapshot(Outcome::Yes, &header, &levels(&BIDS), &levels(&ASKS), at(2_000), STREAM);
    assert_eq!(book.health(Outcome::Yes), BookHealth::Verified);
}

#[test]
fn the_tick_changes_while_the_market_trades() {
    let mut book = book(&BIDS, &ASKS, 1_000);
    assert_eq!(book.tick(), Some(Tick::Cent));
    book.tick_change(Outcome::No, Tick::Thousandth);
    assert_eq!(book.tick(), Some(Tick::Thousandth));
    book.apply_change(&change(Outcome::Yes, Side::Sell, level("0.495", "4"), 1_001), at(1));
    book.end_of_frame(at(1));
    assert_eq!(book.best_ask(Outcome::Yes).map(|top| top.price), Some(price("0.495")));
    assert_eq!(book.best_bid(Outcome::No).map(|top| top.price), Some(price("0.505")));
}

#[test]
fn a_time_from_the_far_future_does_not_freeze_the_book() {
    let mut book = book(&BIDS, &ASKS, 1_000);
    let now = Time { mono_ns: 1, wall_ns: 2_000 * Time::MILLI };
    assert!(!book.apply_change(&change(Outcome::Yes, Side::Buy, level("0.4", "4"), u64::MAX), now).fresh);
    assert!(book.apply_change(&change(Outcome::Yes, Side::Buy, level("0.4", "4"), 1_001), now).fresh);
}

#[test]
fn a_crossing_that_the_venue_states_is_no_mistake_of_ours_and_can_be_taken() {
    let cross = |book: &mut PairBook, best: Option<(&str, &str)>, stamp: u64| {
        let (best_bid, best_ask) = best.map(|(bid, ask)| (price(bid), price(ask))).unzip();
        let entry = change(Outcome::Yes, Side::Buy, level("0.53", "4"), stamp);
        book.apply_change(&LevelChange { best_bid, best_ask, ..entry }, at(1));
        book.end_of_frame(at(1))
    };
    let mut book = book(&BIDS, &ASKS, 1_000);
    assert!(cross(&mut book, Some(("0.53", "0.52")), 1_001).crossed && book.is_crossed_by_venue());
    assert_ne!(book.health(Outcome::Yes), BookHealth::Dirty);
    assert_eq!((book.best_bid(Outcome::Yes), book.best_ask(Outcome::No)), (None, None), "makers see nothing");
    let first = |outcome| book.takeable(outcome, Side::Sell).next().map(|level| level.price);
    assert_eq!((first(Outcome::Yes), first(Outcome::No)), (Some(price("0.52")), Some(price("0.47"))));
    assert_eq!(book.levels(Outcome::Yes, Side::Sell).count(), 0);
    // A change without a word about the best prices takes the proof away.
    book.apply_change(&change(Outcome::Yes, Side::Buy, level("0.2", "9"), 1_002), at(2));
    assert!(book.end_of_frame(at(2)).crossed && !book.is_crossed_by_venue());
    assert_eq!(book.health(Outcome::Yes), BookHealth::Dirty);
    assert_eq!(book.takeable(Outcome::Yes, Side::Sell).count(), 0);
}

#[test]
fn a_whole_crossed_book_with_its_hash_is_the_venues_own() {
    let bids = [("0.3", "12"), ("0.53", "4")];
    for hashed in [true, false] {
        let mut book = book(&BIDS, &ASKS, 1_000);
        let hash = hashed.then(|| venue_hash(Outcome::Yes, 1_001, &bids, &ASKS));
        let header = SnapshotHeader { hash, ..header(Outcome::Yes, 1_001) };
        book.apply_snapshot(Outcome::Yes, &header, &levels(&bids), &levels(&ASKS), at(1), STREAM);
        assert!(book.end_of_frame(at(1)).crossed);
        assert_eq!(book.is_crossed_by_venue(), hashed);
        assert_eq!(book.health(Outcome::Yes) == BookHealth::Dirty, !hashed);
        assert_eq!(book.takeable(Outcome::No, Side::Sell).count(), if hashed { 2 } else { 0 });
    }
}
