//! Snapshots and changes of both tokens, in any order of levels and of arrival, against a naive book.

mod common;

use std::collections::BTreeMap;

use common::{STREAM, asset, at, card, change, header};
use oddsmith_book::{HashPolicy, PairBook};
use oddsmith_domain::{BookLevel, Outcome, Price, Shares, Side, SizeText};
use proptest::prelude::*;

/// What a frame says, in the prices of its own token.
#[derive(Clone, Debug)]
enum Frame {
    Snapshot { outcome: Outcome, ms: u64, bids: Vec<(u16, i64)>, asks: Vec<(u16, i64)> },
    Change { outcome: Outcome, ms: u64, side: Side, units: u16, micros: i64 },
}

/// A book as a list of statements: for each YES price and side, the newest statement wins, the later one among equals.
#[derive(Default)]
struct Naive {
    /// (is a YES bid, YES price) to (venue time, size).
    stated: BTreeMap<(bool, u16), (u64, i64)>,
    floor: u64,
}

impl Naive {
    fn key(outcome: Outcome, side: Side, units: u16) -> (bool, u16) {
        match outcome {
            Outcome::Yes => (side == Side::Buy, units),
            Outcome::No => (side == Side::Sell, 10_000 - units),
        }
    }

    fn state(&mut self, key: (bool, u16), ms: u64, micros: i64) {
        let known = self.stated.get(&key).map_or(0, |(ms, _)| *ms).max(self.floor);
        if ms >= known {
            self.stated.insert(key, (ms, micros));
        }
    }

    fn apply(&mut self, frame: &Frame) {
        match frame {
            Frame::Change { outcome, ms, side, units, micros } => {
                self.state(Naive::key(*outcome, *side, *units), *ms, *micros);
            }
            Frame::Snapshot { outcome, ms, bids, asks } => {
                let mut whole: BTreeMap<(bool, u16), i64> = self.stated.keys().map(|key| (*key, 0)).collect();
                for (side, levels) in [(Side::Buy, bids), (Side::Sell, asks)] {
                    whole.extend(levels.iter().map(|(units, micros)| (Naive::key(*outcome, side, *units), *micros)));
                }
                for (key, micros) in whole {
                    self.state(key, *ms, micros);
                }
                self.floor = self.floor.max(*ms);
            }
        }
    }

    fn side(&self, bid: bool) -> Vec<(u16, i64)> {
        let mut levels: Vec<_> = self
            .stated
            .iter()
            .filter(|((is_bid, _), (_, micros))| *is_bid == bid && *micros > 0)
            .map(|((_, units), (_, micros))| (*units, *micros))
            .collect();
        if bid {
            levels.reverse();
        }
        levels
    }
}

fn book_level((units, micros): (u16, i64)) -> BookLevel {
    let price = Price::from_units(units).expect("in range");
    BookLevel { price, price_decimals: 4, size: SizeText { shares: Shares::from_micros(micros), decimals: 6 } }
}

fn apply(book: &mut PairBook, frame: &Frame, order: &mut impl FnMut(&mut Vec<BookLevel>)) {
    match frame {
        Frame::Snapshot { outcome, ms, bids, asks } => {
            let [mut bids, mut asks] =
                [bids, asks].map(|side| side.iter().copied().map(book_level).collect::<Vec<_>>());
            order(&mut bids);
            order(&mut asks);
            book.apply_snapshot(*outcome, &header(*outcome, *ms), &bids, &asks, at(*ms), STREAM);
        }
        Frame::Change { outcome, ms, side, units, micros } => {
            book.apply_change(&change(*outcome, *side, book_level((*units, *micros)), *ms), at(*ms));
        }
    }
    book.end_of_frame(at(0));
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Yes), Just(Outcome::No)]
}

fn sides() -> impl Strategy<Value = Vec<(u16, i64)>> {
    // A map: a snapshot states each price once.
    prop::collection::btree_map(0u16..=10_000, 1i64..1_000_000, 0..12).prop_map(|map| map.into_iter().collect())
}

fn frames() -> impl Strategy<Value = Frame> {
    let times = 1_000u64..1_040;
    // Few prices, so that levels meet.
    let units = prop_oneof![0u16..=10_000, (1u16..20).prop_map(|tick| tick * 500)];
    prop_oneof![
        1 => (outcomes(), times.clone(), sides(), sides())
            .prop_map(|(outcome, ms, bids, asks)| Frame::Snapshot { outcome, ms, bids, asks }),
        6 => (outcomes(), times, any::<bool>(), units, prop_oneof![Just(0i64), 1i64..1_000_000])
            .prop_map(|(outcome, ms, buy, units, micros)| Frame::Change {
                outcome,
                ms,
                side: if buy { Side::Buy } else { Side::Sell },
                units,
                micros,
            }),
    ]
}

/// All levels, in YES prices, whether the book is crossed or not.
fn ladder(book: &PairBook) -> [Vec<(u16, i64)>; 2] {
    let at =
        |side, units| book.size_at(Outcome::Yes, side, Price::from_units(units).expect("in range")).shares.micros();
    let all =
        |side| (0..=10_000).map(|units| (units, at(side, units))).filter(|(_, micros)| *micros > 0).collect::<Vec<_>>();
    let (mut bids, asks) = (all(Side::Buy), all(Side::Sell));
    bids.reverse();
    [bids, asks]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_frames_equal_the_naive_book(frames in prop::collection::vec(frames(), 1..60), seed in any::<u64>()) {
        let (mut book, mut naive) = (PairBook::new(&card()), Naive::default());
        let mut state = seed | 1;
        let mut shuffle = |levels: &mut Vec<BookLevel>| {
            for place in (1..levels.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                levels.swap(place, (state >> 33) as usize % (place + 1));
            }
        };
        for frame in &frames {
            apply(&mut book, frame, &mut shuffle);
            naive.apply(frame);
        }
        let [bids, asks] = ladder(&book);
        prop_assert_eq!(&bids, &naive.side(true));
        prop_assert_eq!(&asks, &naive.side(false));
        // Both tokens are views of one ladder, and nothing is shown of a crossed one.
        let crossed = bids.first().zip(asks.first()).is_some_and(|(bid, ask)| bid.0 >= ask.0);
        prop_assert_eq!(book.is_crossed(), crossed);
        for outcome in Outcome::BOTH {
            let [own, other] = [(outcome, Side::Buy), (outcome.complement(), Side::Sell)]
                .map(|(outcome, side)| common::side(&book, outcome, side));
            let mirrored: Vec<_> = other.iter().map(|(units, micros)| (10_000 - units, *micros)).collect();
            prop_assert_eq!(&own, &mirrored);
            prop_assert_eq!(book.best_bid(outcome).map(|top| (top.price.units(), top.size.micros())), own.first().copied());
        }
        if !crossed {
            prop_assert_eq!(common::side(&book, Outcome::Yes, Side::Buy), bids);
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(frames in prop::collection::vec(frames(), 1..20), seed in any::<u64>()) {
        // Distinct times: among equal ones the later arrival wins by design.
        let spread: Vec<Frame> = (0u64..).zip(frames).map(|(place, frame)| match frame {
            Frame::Snapshot { outcome, bids, asks, .. } => Frame::Snapshot { outcome, ms: 1_000 + place, bids, asks },
            Frame::Change { outcome, side, units, micros, .. } => Frame::Change { outcome, ms: 1_000 + place, side, units, micros },
        }).collect();
        let mut shuffled = spread.clone();
        let mut state = seed | 1;
        for place in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(place, (state >> 33) as usize % (place + 1));
        }
        let ladders = [&spread, &shuffled].map(|frames| {
            let mut book = PairBook::new(&card());
            frames.iter().for_each(|frame| apply(&mut book, frame, &mut |_| {}));
            ladder(&book)
        });
        prop_assert_eq!(&ladders[0], &ladders[1]);
    }

    #[test]
    fn no_time_or_size_makes_a_book_panic(
        entries in prop::collection::vec((outcomes(), any::<u64>(), any::<bool>(), 0u16..=10_000, any::<i64>(), any::<u64>()), 0..40),
        every in any::<bool>(),
    ) {
        let mut book = PairBook::new(&card());
        book.set_hash_policy(if every { HashPolicy::Every } else { HashPolicy::Sampled { one_in: 1 } });
        for (outcome, ms, buy, units, micros, mono_ns) in entries {
            let level = book_level((units, micros));
            let now = oddsmith_domain::Time { mono_ns, wall_ns: 0 };
            if units % 5 == 0 {
                book.apply_snapshot(outcome, &header(outcome, ms), &[level], &[], now, STREAM);
            } else {
                let side = if buy { Side::Buy } else { Side::Sell };
                let stated = oddsmith_domain::LevelChange {
                    hash: Some(oddsmith_domain::VenueHash([7; 20])),
                    best_bid: Some(level.price),
                    asset: asset(outcome),
                    ..change(outcome, side, level, ms)
                };
                book.apply_change(&stated, now);
            }
            let end = book.end_of_frame(now);
            prop_assert!(!(end.crossed && book.best_bid(Outcome::Yes).is_some()));
            book.idle_check(now);
            let _ = (book.snapshot(), book.next_check_mono_ns(), book.effective_price(outcome, Side::Buy, Shares::from_micros(micros)));
        }
    }
}
