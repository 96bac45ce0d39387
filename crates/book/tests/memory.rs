//! A warm book takes no memory.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{ASKS, BIDS, STREAM, at, book, change, header, level, levels};
use oddsmith_domain::{LevelChange, Outcome, Side, VenueHash};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's memory, counted by thread.
struct Counting;

#[allow(unsafe_code, reason = "an allocator cannot be written otherwise; it only passes on to the system's")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on unchanged.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static MEMORY: Counting = Counting;

#[test]
fn changes_snapshots_checks_and_history_allocate_nothing() {
    let mut book = book(&BIDS, &ASKS, 1_000);
    let (bids, asks) = (levels(&BIDS), levels(&ASKS));
    let before = ALLOCATIONS.with(Cell::get);
    for step in 0..5_000u64 {
        let ms = 1_001 + step;
        let entry = LevelChange {
            hash: Some(VenueHash([step as u8; 20])),
            best_bid: Some(common::price("0.49")),
            best_ask: Some(common::price("0.52")),
            ..change(Outcome::Yes, Side::Buy, level("0.48", "1.25"), ms)
        };
        book.apply_change(&entry, at(ms));
        book.end_of_frame(at(ms));
        book.idle_check(at(ms));
        if step % 100 == 0 {
            book.apply_snapshot(Outcome::Yes, &header(Outcome::Yes, ms), &bids, &asks, at(ms), STREAM);
        }
        if step % 7 == 0 {
            book.apply_trade(
                Outcome::No,
                common::price("0.5"),
                oddsmith_domain::Shares::from_whole(1),
                Side::Buy,
                ms,
                at(ms),
            );
        }
    }
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    assert!(book.hash_counts().checked > 100, "the checks did run");
}
