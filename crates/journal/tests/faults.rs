//! What the journal survives: truncation anywhere, any flipped bit, the death of its writer.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oddsmith_domain::{MarketId, RunId, Time};
use oddsmith_journal::{
    AppendError, CreateError, Cursor, Ending, Flaw, Ids, Kind, Options, Pressure, ReadError, Reader, RecordHead,
    Writer, verify,
};
use proptest::prelude::*;

const RUN: RunId = RunId([0xab; 16]);

fn options(segment_bytes: usize) -> Options {
    Options { segment_bytes, flush_every: Duration::from_millis(5), ..Options::default() }
}

fn head(number: u64) -> RecordHead {
    RecordHead {
        time: Time { mono_ns: number * 10, wall_ns: number * 1_000 },
        kind: Kind::MARKET,
        ids: Ids { market: Some(MarketId(number as u32)), ..Ids::default() },
    }
}

fn payload(number: u64) -> Vec<u8> {
    (0..number * 7 % 41).map(|i| (i * 31 + number) as u8).collect()
}

fn write(dir: &Path, records: u64, options: &Options) -> Writer {
    let mut writer = Writer::create(dir, RUN, options).expect("a journal");
    for number in 1..=records {
        let sequence = writer.append(&head(number), &payload(number)).expect("room");
        assert_eq!(sequence, number);
    }
    writer
}

/// Reads all that can be read, checking every record against what was written.
fn read(dir: &Path) -> Result<(u64, Ending), ReadError> {
    let mut reader = Reader::open(dir)?;
    let mut records = 0;
    while let Some(record) = reader.next()? {
        records += 1;
        assert_eq!(record.sequence, records);
        assert_eq!(record.head, head(records));
        assert_eq!(record.payload, payload(records));
    }
    Ok((records, reader.ending()?))
}

fn segment(dir: &Path, index: u32) -> std::path::PathBuf {
    dir.join(format!("{index:08}.segment"))
}

#[test]
fn records_cross_segments_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let writer = write(dir.path(), 500, &options(4_096));
    assert_eq!(read(dir.path()).expect("readable while it is written"), (500, Ending::Open));
    writer.close().expect("closes");
    assert_eq!(read(dir.path()).expect("readable"), (500, Ending::Sealed));
    let verification = verify(dir.path()).expect("readable");
    assert_eq!((verification.records, verification.run), (500, RUN));
    assert!(verification.segments > 5, "{verification:?}");
    assert!(!dir.path().join("next.spare").exists());
}

#[test]
fn a_cut_anywhere_leaves_the_valid_prefix() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), 8, &options(4_096)).close().expect("closes");
    let whole = fs::read(segment(dir.path(), 0)).expect("a segment");
    let mut seen = 0;
    for length in 0..whole.len() {
        fs::write(segment(dir.path(), 0), &whole[..length]).expect("writes");
        let (records, ending) = read(dir.path()).unwrap_or_else(|error| panic!("cut at {length}: {error}"));
        let Ending::Torn(damage) = ending else { panic!("cut at {length} is not told: {ending:?}") };
        assert_eq!(damage.flaw, Flaw::CutShort { found: length as u64 });
        assert_eq!(damage.sequence, records + 1);
        assert!(records >= seen, "a longer file has no fewer records");
        seen = records;
    }
    assert_eq!(seen, 8, "only the seal was missing at the last cut");
}

#[test]
fn every_flipped_bit_is_found_where_it_is() {
    for close in [true, false] {
        let dir = tempfile::tempdir().expect("a directory");
        let writer = write(dir.path(), 6, &options(4_096));
        let used = writer.bytes_used() as usize;
        if close {
            writer.close().expect("closes");
        } else {
            std::mem::forget(writer);
        }
        let whole = fs::read(segment(dir.path(), 0)).expect("a segment");
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(segment(dir.path(), 0), &flipped).expect("writes");
            let at = (bit / 8) as u64;
            match read(dir.path()) {
                Err(ReadError::Corrupt { damage, .. }) => {
                    assert!(damage.offset <= at.max(64), "bit {bit}: {damage}");
                    assert!(at < used as u64);
                }
                Ok((records, Ending::Torn(damage))) => {
                    assert!(damage.offset <= at.max(64), "bit {bit}: {damage}");
                    assert_eq!(damage.sequence, records + 1);
                }
                other => panic!("bit {bit} goes unnoticed: {other:?}"),
            }
        }
    }
}

#[test]
fn damage_with_records_behind_it_is_corruption() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), 300, &options(4_096)).close().expect("closes");
    let mut bytes = fs::read(segment(dir.path(), 1)).expect("a segment");
    let end = bytes.len();
    bytes[end - 100] ^= 4;
    fs::write(segment(dir.path(), 1), &bytes).expect("writes");
    let error = read(dir.path()).expect_err("corrupt");
    let ReadError::Corrupt { damage, .. } = &error else { panic!("{error}") };
    assert_eq!((damage.segment, &damage.flaw), (1, &Flaw::Checksum));
    let text = error.to_string();
    assert!(text.contains("segment 1, offset") && text.contains("checksum"), "{text}");

    // Two records wiped whole leave a gap of zeros, and records behind it.
    let dir = tempfile::tempdir().expect("a directory");
    let writer = write(dir.path(), 10, &options(4_096));
    let mut bytes = fs::read(segment(dir.path(), 0)).expect("a segment");
    bytes[64..400].fill(0);
    fs::write(segment(dir.path(), 0), &bytes).expect("writes");
    let error = read(dir.path()).expect_err("corrupt");
    assert!(matches!(&error, ReadError::Corrupt { damage, .. } if damage.flaw == Flaw::Uncommitted), "{error}");
    std::mem::forget(writer);
}

#[test]
fn a_missing_segment_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), 300, &options(4_096)).close().expect("closes");
    fs::remove_file(segment(dir.path(), 2)).expect("removes");
    let error = read(dir.path()).expect_err("corrupt");
    assert!(
        matches!(&error, ReadError::Corrupt { damage, .. } if damage.segment == 2 && damage.flaw == Flaw::MissingSegment),
        "{error}"
    );
    fs::remove_file(segment(dir.path(), 0)).expect("removes");
    assert!(matches!(read(dir.path()), Err(ReadError::NoJournal(_))));
}

#[test]
fn another_schema_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), 3, &options(4_096)).close().expect("closes");
    let mut bytes = fs::read(segment(dir.path(), 0)).expect("a segment");
    bytes[8..12].copy_from_slice(&7u32.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    fs::write(segment(dir.path(), 0), &bytes).expect("writes");
    let error = read(dir.path()).expect_err("refused");
    assert!(matches!(error, ReadError::UnknownSchema { found: 7, .. }), "{error}");
    assert!(error.to_string().contains("schema version 7"), "{error}");
}

#[test]
fn one_writer_and_one_journal_per_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let writer = write(dir.path(), 1, &options(4_096));
    assert!(matches!(Writer::create(dir.path(), RUN, &options(4_096)), Err(CreateError::Locked(_))));
    writer.close().expect("closes");
    assert!(matches!(Writer::create(dir.path(), RUN, &options(4_096)), Err(CreateError::Exists(_))));
    assert!(matches!(Writer::create(dir.path(), RUN, &options(100)), Err(CreateError::SegmentSize(100))));
}

#[test]
fn half_of_the_budget_is_told_and_all_of_it_is_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let budget = 20_000;
    let mut writer =
        Writer::create(dir.path(), RUN, &Options { budget_bytes: budget, ..options(4_096) }).expect("a journal");
    assert!(matches!(writer.pressure(), Pressure::Ample));
    let mut half_full_at = None;
    let error = loop {
        if let Err(error) = writer.append(&head(1), &[0; 100]) {
            break error;
        }
        if half_full_at.is_none() && matches!(writer.pressure(), Pressure::HalfFull) {
            half_full_at = Some(writer.bytes_used());
        }
    };
    assert!(matches!(error, AppendError::BudgetExhausted { budget: 20_000 }), "{error}");
    let half = half_full_at.expect("told before the end");
    assert!(half >= budget / 2 && half < budget / 2 + 4_096, "{half}");
    assert!(writer.bytes_used() <= budget);
    assert!(matches!(writer.append(&head(1), &[0; 5_000]), Err(AppendError::TooLarge { .. })));
}

#[test]
fn a_cursor_goes_on_where_a_reader_stood_while_the_writer_works() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = write(dir.path(), 20, &options(4_096));
    let mut reader = Reader::open(dir.path()).expect("opens");
    let mut read = 0;
    while reader.next().expect("valid").is_some() {
        read += 1;
    }
    assert_eq!(read, 20);
    for number in 21..=200 {
        writer.append(&head(number), &payload(number)).expect("room");
        let text = serde_json::to_string(&reader.cursor()).expect("a cursor is plain data");
        let cursor: Cursor = serde_json::from_str(&text).expect("a cursor is plain data");
        // One reader goes on, another begins at its cursor: both see the new record and nothing more.
        let mut other = Reader::open_at(dir.path(), cursor).expect("opens");
        for reader in [&mut reader, &mut other] {
            assert_eq!(reader.next().expect("valid").map(|record| record.sequence), Some(number));
            assert!(reader.next().expect("valid").is_none());
            assert_eq!(reader.ending().expect("valid"), Ending::Open);
        }
    }
}

/// Not a test of its own: the child of the next one, which writes until it is killed.
#[test]
fn child_that_writes_until_killed() {
    let Some(dir) = std::env::var_os("ODDSMITH_JOURNAL_CHILD") else { return };
    let mut writer = Writer::create(Path::new(&dir), RUN, &options(1 << 20)).expect("a journal");
    for number in 1.. {
        writer.append(&head(number), &payload(number)).expect("room");
        eprintln!("{number}");
    }
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    for round in 0..5u64 {
        let dir = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["child_that_writes_until_killed", "--exact", "--nocapture"])
            .env("ODDSMITH_JOURNAL_CHILD", dir.path())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a child");
        let stderr = child.stderr.take().expect("piped");
        let mut acknowledged = 0;
        for line in BufReader::new(stderr).lines() {
            acknowledged = line.expect("text").trim().parse().unwrap_or(acknowledged);
            if acknowledged == 300 + round * 701 {
                child.kill().expect("SIGKILL");
            }
        }
        child.wait().expect("gone");
        assert!(acknowledged >= 300 + round * 701);
        let (records, ending) = read(dir.path()).expect("valid");
        assert!(records >= acknowledged, "{records} of {acknowledged} acknowledged records are there");
        // A record may have been half stored when the process died; it was never acknowledged.
        match ending {
            Ending::Open => {}
            Ending::Torn(damage) => assert_eq!(damage.flaw, Flaw::Uncommitted, "{damage}"),
            Ending::Sealed => panic!("nobody sealed it"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_appended_is_read(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 0..60)) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut writer = Writer::create(dir.path(), RUN, &options(8_192)).expect("a journal");
        for (number, payload) in payloads.iter().enumerate() {
            writer.append(&head(number as u64), payload).expect("room");
        }
        writer.close().expect("closes");
        let mut reader = Reader::open(dir.path()).expect("opens");
        for (number, payload) in payloads.iter().enumerate() {
            let record = reader.next().expect("valid").expect("one more");
            prop_assert_eq!(record.head, head(number as u64));
            prop_assert_eq!(record.payload, &payload[..]);
        }
        prop_assert!(reader.next().expect("valid").is_none());
        prop_assert_eq!(reader.ending().expect("valid"), Ending::Sealed);
    }
}

/// Appending never waits for the disk, and who asks is told how far behind it is.
#[test]
fn a_slow_disk_is_noticed_and_does_not_hold_up_the_writer() {
    let dir = tempfile::tempdir().expect("a folder");
    let slow = Options { slow_disk: Duration::from_millis(5_500), ..options(1 << 20) };
    let mut writer = write(dir.path(), 1, &slow);
    let (begun, mut slowest, mut number) = (Instant::now(), Duration::ZERO, 1);
    while !matches!(writer.pressure(), Pressure::Behind(by) if by >= Duration::from_secs(5)) {
        assert!(begun.elapsed() < Duration::from_secs(12), "never noticed");
        number += 1;
        let before = Instant::now();
        writer.append(&head(number), &payload(number)).expect("room");
        slowest = slowest.max(before.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(slowest < Duration::from_secs(1), "an append took {slowest:?}");
}
