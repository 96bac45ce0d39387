//! A recorded session of raw frames into books, against the official SDK's parser alone.

use std::hint::black_box;

use crate::frames::{Style, book, price_change, trade};
use crate::harness::{Effort, race};
use crate::market::{FRAMES, Ours, Sdk, round, round_again};
use crate::report::{Bar, Row};

/// So many frames lie between two trades, and each trade is followed by a full book.
const BETWEEN_TRADES: u64 = 40;

/// Frames as they are received: changes of both tokens, now and then a trade, and the book that the venue sends after it.
fn session() -> Vec<String> {
    let frame = |n: u64| match n % BETWEEN_TRADES {
        0 => trade(n),
        1 => book(n, Style::Compact),
        _ => price_change(2, n, Style::Recorded),
    };
    (1..=FRAMES).map(frame).collect()
}

/// The benches of replays.
pub fn run(effort: Effort) -> Vec<Row> {
    let frames = session();
    let bytes = frames.iter().map(String::len).sum::<usize>() / frames.len();
    let (mut ours, mut sdk) = (Ours::new(), Sdk::default());
    let start = book(0, Style::Compact);
    let figures = race(
        effort,
        vec![
            (
                "oddsmith, into books",
                round_again(&frames, move |frame, again| {
                    if again {
                        ours.begin_again(start.as_bytes());
                    }
                    ours.apply(frame);
                }),
            ),
            ("official SDK, its parser alone", round(&frames, |frame| drop(black_box(Sdk::parse(frame))))),
            ("official SDK, into books", round(&frames, move |frame| sdk.apply(frame))),
        ],
    );
    let note =
        format!("{bytes} B on average; a trade and a full book in {BETWEEN_TRADES} frames; a book's hash is checked");
    vec![Row::new("replay of raw frames", &note, figures, &[Bar::faster(1, 8.0, 14.0)])]
}
