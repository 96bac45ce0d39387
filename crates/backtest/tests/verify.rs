//! What `verify` finds in recordings of a small venue of our own, whole, damaged and hostile.

#[path = "common/venue.rs"]
mod venue;

use std::io::Write;
use std::path::Path;

use oddsmith_backtest::verify::{FileReport, Gap, Options, Proofs, VerifyError, verify_file};
use proptest::prelude::*;
use venue::{MARKET, TOKENS, Venue};

fn venue() -> Venue {
    Venue::new(&[(1, "1485.64"), (30, "12.50"), (49, "100")], &[(52, "50"), (99, "7")])
}

/// A session of `changes` updates, one line each, after the books of both tokens.
fn session(changes: u32) -> Vec<String> {
    let mut venue = venue();
    let mut lines = vec![venue.rest(0, 1_000), venue.rest(1, 1_000), venue.dump(1_000)];
    for step in 0..changes {
        let ms = 2_000 + u64::from(step) * 10;
        let (bid, price) = (step % 2 == 0, if step % 2 == 0 { 40 + step % 8 } else { 60 + step % 8 });
        let size = if step % 5 == 4 { "0".to_owned() } else { format!("{}.5", step + 1) };
        lines.push(venue.change(bid, price, &size, ms));
    }
    lines
}

fn verify(lines: &[String]) -> FileReport {
    verify_bytes(lines.join("\n").as_bytes())
}

fn verify_bytes(bytes: &[u8]) -> FileReport {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("written");
    verify_file(file.path(), &Options::default()).expect("readable")
}

fn whole(count: u64) -> Proofs {
    Proofs { checked: count, reproduced: count }
}

#[test]
fn a_whole_recording_reproduces_and_has_no_gaps() {
    let report = verify(&session(40));
    assert_eq!(report.hashes_by_kind.rest, whole(2));
    assert_eq!(report.hashes_by_kind.snapshot, whole(2));
    assert_eq!(report.hashes_by_kind.delta, whole(80));
    assert_eq!(report.hashes, whole(84));
    assert_eq!(report.top_of_book.checked, 40);
    assert_eq!(report.top_of_book.agreed_before_repair, 40);
    assert_eq!((report.repaired, report.crossed_published, report.dirty, report.undecodable), (0, 0, 0, 0));
    assert_eq!(report.gaps, []);
    let frames: Vec<_> = report.frames.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(frames, [("book", 2), ("price_change", 40), ("rest", 2)]);
}

#[test]
fn envelopes_and_arrays_change_nothing() {
    let plain = session(10);
    let expected = verify(&plain);
    let envelopes = plain.iter().enumerate().map(|(place, line)| match place % 3 {
        0 => format!("{{\"recv_wall_ts\":{},\"payload\":{line}}}", 1_777_000_000_000u64 + place as u64),
        1 => format!("{{\"payload\":{},\"received_at\":1777000000.5}}", serde_json::to_string(line).expect("text")),
        _ if line.starts_with('[') => line.clone(),
        _ => format!("[{line}]"),
    });
    let report = verify(&envelopes.collect::<Vec<_>>());
    assert_eq!((report.hashes, report.frames, report.gaps), (expected.hashes, expected.frames, expected.gaps));
}

#[test]
fn a_lost_change_is_found_and_the_gap_named() {
    let mut lines = session(40);
    // A level that no later change touches: it stays wrong.
    lines.remove(3 + 5);
    let report = verify(&lines);
    let delta = report.hashes_by_kind.delta;
    assert!(delta.reproduced < delta.checked && delta.reproduced >= 10, "{report:?}");
    assert_eq!(report.dirty, 2, "both tokens' views became dirty: {report:?}");
    let [first, second] = &report.gaps[..] else { panic!("one gap for each token: {report:?}") };
    assert!(first.asset_id != second.asset_id && TOKENS.contains(&first.asset_id.as_str()));
    assert_eq!((first.from, second.from), (2_040, 2_040), "the last change before the lost one");
}

#[test]
fn a_snapshot_closes_the_gap() {
    let mut venue = venue();
    let mut lines = vec![venue.dump(1_000), venue.change(true, 40, "1", 2_000)];
    venue.change(true, 41, "2", 2_010);
    lines.extend([venue.change(true, 42, "3", 2_020), venue.change(true, 43, "4", 2_030), venue.dump(2_030)]);
    lines.extend([venue.change(true, 44, "5", 2_040), venue.change(true, 44, "6", 2_050)]);
    let report = verify(&lines);
    let gap = |token: usize| Gap { asset_id: TOKENS[token].to_owned(), from: 2_000, to: 2_030 };
    assert!(report.gaps.contains(&gap(0)) && report.gaps.contains(&gap(1)) && report.gaps.len() == 2, "{report:?}");
    let delta = report.hashes_by_kind.delta;
    assert_eq!(delta.checked - delta.reproduced, 2, "{report:?}");
}

#[test]
fn a_reconnect_with_lost_changes_is_a_gap_and_without_is_none() {
    for lost in [false, true] {
        let mut venue = venue();
        let mut lines = vec![venue.dump(1_000), venue.change(true, 40, "1", 2_000)];
        if lost {
            venue.change(true, 41, "2", 2_500);
        }
        lines.extend([venue.dump(if lost { 2_500 } else { 2_000 }), venue.change(true, 42, "3", 3_000)]);
        let report = verify(&lines);
        assert_eq!(report.gaps.len(), if lost { 2 } else { 0 }, "{report:?}");
        assert_eq!(report.hashes_by_kind.delta, whole(4));
    }
}

#[test]
fn messages_of_one_millisecond_may_carry_the_hash_of_its_end() {
    let mut venue = venue();
    let mut lines = vec![venue.dump(1_000)];
    let mut last = venue.clone();
    last.change(true, 41, "2", 2_000);
    last.change(false, 60, "3", 2_000);
    for (bid, price, size) in [(true, 41, "2"), (false, 60, "3")] {
        let mut line = venue.change(bid, price, size, 2_000);
        for token in 0..2 {
            line = line.replace(&venue.hash(token, 2_000), &last.hash(token, 2_000));
        }
        lines.push(line);
    }
    lines.push(venue.change(true, 42, "1", 2_001));
    assert_eq!(verify(&lines).hashes_by_kind.delta, whole(6));
    // Cut in the middle of the batch, the first two prove nothing; they are neither right nor wrong.
    let cut = verify(&lines[..2]);
    assert_eq!((cut.hashes_by_kind.delta, cut.dirty, cut.not_comparable), (whole(0), 0, 2));
    assert_eq!(cut.gaps.len(), 2);
}

#[test]
fn a_lost_removal_is_repaired_by_the_stated_best_price() {
    let mut venue = venue();
    let mut lines = vec![venue.dump(1_000)];
    venue.change(true, 49, "0", 2_000);
    lines.extend([venue.change(false, 40, "3", 2_010), venue.change(true, 31, "3", 2_020)]);
    let report = verify(&lines);
    assert_eq!((report.repaired, report.crossed_published), (1, 0));
    let top = report.top_of_book;
    assert_eq!((top.checked, top.agreed, top.agreed_before_repair), (2, 2, 1));
    assert_eq!(report.hashes_by_kind.delta, whole(4), "the repaired book is the venue's again");
}

#[test]
fn the_last_trade_is_part_of_the_hash() {
    let mut venue = venue();
    let mut lines = vec![venue.dump(1_000), venue.change(true, 40, "1", 2_000)];
    lines.push(venue.trade(52, 2_010));
    lines.extend([venue.change(false, 52, "45", 2_010), venue.book(0, 2_010), venue.book(1, 2_010)]);
    lines.push(venue.change(true, 41, "1", 2_020));
    let report = verify(&lines);
    assert_eq!((report.hashes, report.gaps.len()), (whole(4 + 6), 0), "{report:?}");
    assert_eq!(report.frames["last_trade_price"], 1);
}

#[test]
fn hostile_lines_are_counted_and_kept() {
    let book = |bids: &str| {
        format!(
            "{{\"event_type\":\"book\",\"market\":\"{MARKET}\",\"asset_id\":\"{}\",\"timestamp\":\"1\",\"bids\":{bids},\"asks\":[]}}",
            TOKENS[0]
        )
    };
    let bad: Vec<Vec<u8>> = vec![
        b"not json".to_vec(),
        b"{\"event_type\":\"book\",\"market\":\"0x".to_vec(),
        b"\xff\xfe{\"event_type\":\"book\"}".to_vec(),
        b"{\"foo\":1}".to_vec(),
        b"42".to_vec(),
        b"NaN".to_vec(),
        b"{\"event_type\":5}".to_vec(),
        book("[{\"price\":\"NaN\",\"size\":\"1\"}]").into_bytes(),
        book("[{\"price\":\"0.5\",\"size\":\"-1\"}]").into_bytes(),
        book("[{\"price\":\"1e3\",\"size\":\"1\"}]").into_bytes(),
        book("[{\"price\":\"0.5\",\"size\":\"99999999999999999999999\"}]").into_bytes(),
        book("{\"price\":\"0.5\"}").into_bytes(),
        book("[{\"price\":0.5,\"size\":[]}]").into_bytes(),
        [b"[".repeat(200_000), b"]".repeat(200_000)].concat(),
        b"{\"recv_ts\":1,\"payload\":\"{\\\"cut\"}".to_vec(),
    ];
    let good = session(4);
    let mut bytes = Vec::new();
    for (place, line) in good.iter().enumerate() {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        for line in bad.iter().skip(place * 3).take(3) {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (file, letters) = (folder.path().join("hostile.jsonl"), folder.path().join("dead.jsonl"));
    std::fs::write(&file, &bytes).expect("written");
    let report = verify_file(&file, &Options { dead_letter: Some(letters.clone()) }).expect("readable");
    assert_eq!(report.undecodable, bad.len() as u64, "{report:?}");
    assert_eq!(report.hashes, whole(4 + 8), "what is good stays good: {report:?}");
    let kept = std::fs::read_to_string(&letters).expect("the dead letters");
    let kept: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(kept.len(), bad.len());
    for letter in &kept {
        let offset = letter["offset"].as_u64().expect("an offset") as usize;
        assert!(offset < bytes.len() && letter["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    }
    assert!(kept.iter().any(|letter| letter["frame_base64"].is_string() && letter["frame"].is_null()));
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let options = Options::default();
    let missing = verify_file(Path::new("/nonexistent/file.jsonl"), &options);
    assert!(matches!(missing, Err(VerifyError::Recording(_))), "{missing:?}");
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(b"PAR1 this is no table PAR1").expect("written");
    let table = verify_file(file.path(), &options);
    assert!(table.is_err_and(|error| error.to_string().contains("not a table")));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(session(40).join("\n").as_bytes()).expect("memory");
    let mut bytes = gzip.finish().expect("memory");
    bytes.truncate(bytes.len() - 20);
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(&bytes).expect("written");
    assert!(verify_file(file.path(), &options).is_err());
    let letters = Options { dead_letter: Some("/nonexistent/dead.jsonl".into()) };
    assert!(matches!(verify_file(file.path(), &letters), Err(VerifyError::DeadLetter { .. })));
}

#[test]
fn an_empty_file_is_a_recording_of_nothing() {
    let report = verify_bytes(b"");
    assert_eq!(report, FileReport { file: report.file.clone(), ..FileReport::default() });
}

#[test]
fn many_markets_do_not_need_much_memory_and_are_all_verified() {
    let mut lines = Vec::new();
    let venue = venue();
    for market in 0..700u32 {
        // The texts that the hash covers change with the market, so these books do not reproduce; they are all looked at.
        lines.push(
            venue
                .rest(0, 1_000)
                .replace(MARKET, &format!("0x{market:064x}"))
                .replace(TOKENS[0], &format!("{}", market + 5)),
        );
    }
    let report = verify(&lines);
    assert_eq!(report.hashes_by_kind.rest, Proofs { checked: 700, reproduced: 0 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_damage_makes_verify_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..40),
    ) {
        let mut bytes = session(12).join("\n").into_bytes();
        for (place, byte, how) in edits {
            let at = place.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => { bytes.remove(at); }
                _ => {
                    let end = (at + usize::from(byte)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
            if bytes.is_empty() {
                bytes.push(b'x');
            }
        }
        let report = verify_bytes(&bytes);
        prop_assert_eq!(report.crossed_published, 0);
        prop_assert!(report.hashes.reproduced <= report.hashes.checked);
        prop_assert!(report.top_of_book.agreed <= report.top_of_book.checked);
    }

    #[test]
    fn a_damaged_table_is_an_error_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(b"PAR1").expect("written");
        file.write_all(&bytes).expect("written");
        file.write_all(b"PAR1").expect("written");
        prop_assert!(verify_file(file.path(), &Options::default()).is_err());
    }
}
