//! Readers on other threads: they see whole views only, and never wait for the writer.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use common::{at, book, change};
use oddsmith_domain::{BookLevel, Outcome, Price, Shares, Side, SizeText};

#[test]
fn content_and_version_of_a_view_always_agree() {
    let mut book = book(&[("0.49", "1")], &[("0.52", "1")], 1_000);
    let shared = ArcSwap::from_pointee(book.snapshot());
    let done = AtomicBool::new(false);
    let first = book.top_version();
    let seen = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut last, mut views) = (0, 0u64);
                    while !done.load(Ordering::Relaxed) {
                        let view = shared.load();
                        // The writer gives both sides the same size, and a greater one in every version.
                        let sizes = [Side::Buy, Side::Sell]
                            .map(|side| view.levels(Outcome::Yes, side).next().map(|level| level.size));
                        assert_eq!(sizes[0], sizes[1]);
                        assert_eq!(sizes[0], Some(Shares::from_whole((view.version - first) as i64 + 1)));
                        assert!(view.version >= last, "views do not go back");
                        (last, views) = (view.version, views + 1);
                    }
                    views
                })
            })
            .collect();
        for step in 1..3_000u64 {
            for (side, units) in [(Side::Buy, 4_900), (Side::Sell, 5_200)] {
                let level = BookLevel {
                    price: Price::from_units(units).expect("price"),
                    price_decimals: 2,
                    size: SizeText { shares: Shares::from_whole(step as i64 + 1), decimals: 0 },
                };
                book.apply_change(&change(Outcome::Yes, side, level, 1_000 + step), at(step));
            }
            book.end_of_frame(at(step));
            shared.store(std::sync::Arc::new(book.snapshot()));
        }
        done.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().expect("a reader")).sum::<u64>()
    });
    assert!(seen > 0);
}
