//! Packed segments read as plain ones do, whatever happened while they were packed; a reader behind a writer is not misled by a turnover.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oddsmith_domain::{RunId, Time};
use oddsmith_journal::{
    Cursor, Ending, Ids, Kind, Options, PackError, Reader, RecordHead, Writer, is_alive, is_journal, pack, verify,
};

fn write(dir: &Path, records: u64) -> Writer {
    let options = Options { segment_bytes: 4_096, flush_every: Duration::from_millis(5), ..Options::default() };
    let mut writer = Writer::create(dir, RunId([7; 16]), &options).expect("a journal");
    (1..=records).for_each(|number| append(&mut writer, number));
    writer
}

fn append(writer: &mut Writer, number: u64) {
    let head = RecordHead { time: Time { mono_ns: number, wall_ns: number }, kind: Kind::MARKET, ids: Ids::default() };
    writer.append(&head, format!("record {number}").as_bytes()).expect("room");
}

/// Reads everything from a cursor on.
fn read(dir: &Path, cursor: Option<Cursor>) -> (Vec<u64>, Ending) {
    let mut reader = match cursor {
        None => Reader::open(dir),
        Some(cursor) => Reader::open_at(dir, cursor),
    }
    .expect("a journal");
    let mut sequences = Vec::new();
    while let Some(record) = reader.next().expect("readable") {
        assert_eq!(record.payload, format!("record {}", record.sequence).as_bytes());
        sequences.push(record.sequence);
    }
    (sequences, reader.ending().expect("readable"))
}

fn names(dir: &Path, ending: &str) -> usize {
    fs::read_dir(dir)
        .expect("a folder")
        .filter(|e| e.as_ref().expect("an entry").file_name().to_string_lossy().ends_with(ending))
        .count()
}

#[test]
fn a_packed_journal_reads_as_the_plain_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let writer = write(dir.path(), 300);
    assert!(is_alive(dir.path()).expect("readable"));
    assert!(matches!(pack(dir.path()), Err(PackError::Alive(_))));
    writer.close().expect("closes");
    let mut half = Reader::open(dir.path()).expect("a journal");
    (0..120).for_each(|_| assert!(half.next().expect("readable").is_some()));
    let (plain, cursor) = (read(dir.path(), None), half.cursor());
    let packed = pack(dir.path()).expect("packs");
    assert!(packed.segments > 5 && packed.bytes.1 < packed.bytes.0 / 2, "{packed:?}");
    assert_eq!((names(dir.path(), ".segment"), names(dir.path(), ".segment.zst")), (0, packed.segments as usize));
    assert_eq!(read(dir.path(), None), plain);
    assert_eq!(read(dir.path(), Some(cursor)).0, (121..=300).collect::<Vec<_>>());
    assert_eq!(verify(dir.path()).expect("readable").records, 300);
    assert!(is_journal(dir.path()) && !is_alive(dir.path()).expect("readable"));
    assert_eq!(pack(dir.path()).expect("packs nothing").segments, 0);
    let again = Writer::create(dir.path(), RunId([8; 16]), &Options::default());
    assert!(again.is_err(), "a packed journal is a journal");
}

#[test]
fn a_journal_that_was_not_closed_packs_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let writer = write(dir.path(), 100);
    let copy = tempfile::tempdir().expect("a folder");
    // The files as a killed process leaves them.
    for entry in fs::read_dir(dir.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, copy.path().join(path.file_name().expect("a name"))).expect("copied");
    }
    drop(writer);
    let plain = read(copy.path(), None);
    assert_eq!((plain.0.len(), &plain.1), (100, &Ending::Open));
    pack(copy.path()).expect("packs");
    assert_eq!(read(copy.path(), None), plain);
}

#[test]
fn a_death_while_packing_leaves_every_record_once() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), 200).close().expect("closes");
    let plain = fs::read(dir.path().join("00000001.segment")).expect("a segment");
    pack(dir.path()).expect("packs");
    // Died before the plain file went: both forms are there.
    fs::write(dir.path().join("00000001.segment"), &plain).expect("written");
    assert_eq!(read(dir.path(), None).0, (1..=200).collect::<Vec<_>>());
    // Died in the middle of writing the packed one.
    fs::remove_file(dir.path().join("00000001.segment.zst")).expect("removed");
    fs::write(dir.path().join("00000001.segment.packing"), b"half").expect("written");
    assert_eq!(read(dir.path(), None).0, (1..=200).collect::<Vec<_>>());
    assert_eq!(pack(dir.path()).expect("packs again").segments, 1);
    assert_eq!((read(dir.path(), None).0.len(), names(dir.path(), ".packing")), (200, 0));
}

/// A reader that looks between a full segment and its successor must see the seal, not the end of the world.
#[test]
fn a_reader_behind_a_writer_passes_every_turnover() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut writer = write(dir.path(), 1);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut reader = Reader::open(dir.path()).expect("a journal");
                    let mut seen = 0;
                    loop {
                        let over = done.load(Ordering::Acquire);
                        while let Some(record) = reader.next().expect("a journal without damage") {
                            seen = record.sequence;
                        }
                        if over {
                            return seen;
                        }
                    }
                })
            })
            .collect();
        for number in 2..=6_000 {
            append(&mut writer, number);
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().expect("no panic"), 6_000);
        }
    });
}
