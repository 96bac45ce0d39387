//! The venue's own recordings, where they are at hand.

mod common;

use std::path::PathBuf;

use oddsmith_backtest::verify::{FileReport, Options, Proofs, render_table, verify_file};

fn raw_frames() -> Vec<FileReport> {
    let Some(folder) = common::shared("polymarket/raw-frames") else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path().join("raw_messages.jsonl"))
        .collect();
    files.sort();
    files.iter().map(|file| verify_file(file, &Options::default()).expect("readable")).collect()
}

#[test]
fn every_snapshot_and_change_of_the_recordings_reproduces() {
    let reports = raw_frames();
    if reports.is_empty() {
        return;
    }
    print!("{}", render_table(&reports));
    let sum = |pick: fn(&FileReport) -> Proofs| {
        reports.iter().map(pick).fold((0, 0), |(c, r), proofs| (c + proofs.checked, r + proofs.reproduced))
    };
    assert_eq!(sum(|report| report.hashes_by_kind.rest), (192, 192));
    assert_eq!(sum(|report| report.hashes_by_kind.snapshot), (138, 138));
    let (checked, reproduced) = sum(|report| report.hashes_by_kind.delta);
    assert!(checked >= 80, "{checked} changes of 90 checked");
    assert!(reproduced * 100 >= checked * 98, "{reproduced} of {checked}");
    let frames = |name: &str| reports.iter().filter_map(|report| report.frames.get(name)).sum::<u64>();
    assert_eq!((frames("rest"), frames("book"), frames("price_change"), frames("new_market")), (192, 138, 45, 31));
    assert_eq!((frames("binance.trade"), frames("coinbase.ticker"), frames("coinbase.subscriptions")), (99, 82, 23));
    assert_eq!(reports.iter().map(|report| report.undecodable + report.crossed_published).sum::<u64>(), 0);
    for report in &reports {
        assert!(report.top_of_book.agreed == report.top_of_book.checked, "{}", report.file);
    }
}
