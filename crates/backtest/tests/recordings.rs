//! The venue's own recordings, where they are at hand.

mod common;

use std::path::PathBuf;

use oddsmith_backtest::verify::{FileReport, Options, Proofs, verify_file};

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

#[test]
fn level_changes_without_snapshots_agree_with_the_stated_best_prices() {
    let Some(folder) = common::shared("polymarket/l2-deltas") else {
        return;
    };
    let file = folder.join("polymarket_20260607_0130.parquet");
    let report = verify_file(&file, &Options::default()).expect("readable");
    let summary = FileReport { gaps: Vec::new(), ..report.clone() };
    assert_eq!((report.frames["price_change"], report.frames["last_trade_price"]), (206_365, 483), "{summary:?}");
    let top = report.top_of_book;
    // The first seconds are missing: a book counts from the moment at which its best prices have agreed once.
    assert!(top.checked > 204_000, "{summary:?}");
    assert!(top.agreed * 1_000 >= top.checked * 999, "{summary:?}");
    assert!(top.agreed_before_repair < top.agreed && report.repaired > 300, "{summary:?}");
    assert_eq!((report.crossed_published, report.undecodable), (0, 0), "{summary:?}");
}

#[test]
fn book_files_are_read_as_one_array() {
    let Some(folder) = common::shared("polymarket/books/sol") else {
        return;
    };
    for file in ["orderbooks/1765450800up.json", "orderbooks/1765450800down.json"] {
        let report = verify_file(&folder.join(file), &Options::default()).expect("readable");
        assert_eq!((report.frames["book"], report.undecodable, report.crossed_published), (248, 0, 0), "{report:?}");
        assert_eq!((report.dirty, report.gaps.len()), (0, 0), "{report:?}");
    }
    let trades = verify_file(&folder.join("trades/1765450800up.json"), &Options::default()).expect("readable");
    assert_eq!((trades.undecodable, trades.frames.len()), (0, 1), "{trades:?}");
}

#[test]
fn a_session_on_a_position_market_reproduces() {
    let Some(folder) = common::shared("polymarket/fixtures/adriancova") else {
        return;
    };
    let report =
        verify_file(&folder.join("ws-market-v2-session.excerpt.jsonl"), &Options::default()).expect("readable");
    assert_eq!((report.undecodable, report.frames["book"], report.frames["pong"]), (0, 1, 1), "{report:?}");
    assert_eq!((report.hashes.checked, report.hashes.reproduced), (1, 1), "{report:?}");
}
