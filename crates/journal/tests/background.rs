//! Finished segments are packed while their run goes on; whoever reads, and whoever kills the writer, loses nothing by it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oddsmith_domain::{RunId, Time};
use oddsmith_journal::{
    Ending, Ids, Kind, Options, Packing, ReadError, Reader, RecordHead, Writer, is_closed, pack, verify,
};

const SEGMENT_BYTES: usize = 1 << 16;

fn options() -> Options {
    Options { segment_bytes: SEGMENT_BYTES, flush_every: Duration::from_millis(5), pack: true, ..Options::default() }
}

fn append(writer: &mut Writer, number: u64) {
    let head = RecordHead { time: Time { mono_ns: number, wall_ns: number }, kind: Kind::MARKET, ids: Ids::default() };
    writer.append(&head, format!("record {number} of a journal that packs well").as_bytes()).expect("room");
}

/// How many records there are; each is the one that was written.
fn read(dir: &Path) -> Result<(u64, Ending), ReadError> {
    let (mut reader, mut count) = (Reader::open(dir)?, 0);
    while let Some(record) = reader.next()? {
        count += 1;
        let text = format!("record {count} of a journal that packs well");
        assert_eq!((record.sequence, record.payload), (count, text.as_bytes()));
    }
    Ok((count, reader.ending()?))
}

fn names(dir: &Path, ending: &str) -> usize {
    let entries = fs::read_dir(dir).expect("a folder").flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(ending)).count()
}

/// The number of the segment that is written now: so many are finished.
fn last_segment(mut reader: Reader) -> usize {
    while reader.next().expect("valid").is_some() {}
    reader.cursor().segment as usize
}

fn wait_for(writer: &Writer, what: impl Fn(&Packing) -> bool) -> Packing {
    let give_up = Instant::now() + Duration::from_secs(30);
    loop {
        let packing = writer.packing();
        if what(&packing) {
            return packing;
        }
        assert!(Instant::now() < give_up, "{packing:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn finished_segments_are_packed_under_a_reader_and_the_one_that_is_written_is_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(dir.path(), RunId([7; 16]), &options()).expect("a journal");
    append(&mut writer, 1);
    let mut slow = Reader::open(dir.path()).expect("a journal");
    (2..=4_000).for_each(|number| append(&mut writer, number));
    let finished = Reader::open(dir.path()).map(last_segment).expect("a journal");
    assert!(finished >= 5, "{finished} finished segments");
    let packing = wait_for(&writer, |packing| packing.packed.segments as usize == finished);
    assert!(packing.packed.bytes.1 * 3 < packing.packed.bytes.0 && packing.fault.is_none(), "{packing:?}");
    assert_eq!((names(dir.path(), ".segment"), names(dir.path(), ".segment.zst")), (1, finished));
    // A reader that stood in the first segment when it was packed goes on, and one that begins now sees the same.
    let mut count = 0;
    while slow.next().expect("valid").is_some() {
        count += 1;
    }
    assert_eq!(count, 4_000);
    assert_eq!(read(dir.path()).expect("valid"), (4_000, Ending::Open));
    writer.close().expect("closes");
    assert_eq!(verify(dir.path()).expect("valid").ending, Ending::Sealed);
    assert!(is_closed(dir.path()).expect("readable"));
    assert_eq!(names(dir.path(), ".packing"), 0);
}

#[test]
fn a_packing_that_fails_is_told_harms_nothing_and_is_made_up_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(dir.path(), RunId([7; 16]), &options()).expect("a journal");
    // Nothing can be written under this name.
    let in_the_way = dir.path().join("00000000.segment.packing");
    fs::create_dir(&in_the_way).expect("a folder in the way");
    let mut number = 0;
    while writer.packing().fault.is_none() {
        number += 1;
        append(&mut writer, number);
        assert!(number < 200_000, "never told");
    }
    let fault = writer.packing().fault.expect("told");
    assert!(fault.contains("segment 0 cannot be packed"), "{fault}");
    assert_eq!(read(dir.path()).expect("valid"), (number, Ending::Open));
    fs::remove_dir(&in_the_way).expect("out of the way");
    let until = number + 2_000;
    for number in number + 1..=until {
        append(&mut writer, number);
    }
    let packing = wait_for(&writer, |packing| packing.fault.is_none() && packing.packed.segments >= 2);
    assert!(packing.packed.segments >= 2, "{packing:?}");
    writer.close().expect("closes");
    assert_eq!(read(dir.path()).expect("valid"), (until, Ending::Sealed));
}

/// Not a test of its own: the child of the next one, which writes, turns over and packs until it is killed.
#[test]
fn child_that_packs_until_killed() {
    let Some(dir) = std::env::var_os("ODDSMITH_PACKING_CHILD") else { return };
    let mut writer = Writer::create(Path::new(&dir), RunId([7; 16]), &options()).expect("a journal");
    for number in 1.. {
        append(&mut writer, number);
        if number % 50 == 0 {
            eprintln!("{number} {}", writer.packing().packed.segments);
        }
    }
}

#[test]
fn kill_9_while_segments_turn_over_and_are_packed_loses_nothing() {
    let mut packed_ones = 0;
    for round in 0..8u64 {
        let dir = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["child_that_packs_until_killed", "--exact", "--nocapture"])
            .env("ODDSMITH_PACKING_CHILD", dir.path())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a child");
        let stderr = child.stderr.take().expect("piped");
        let (mut acknowledged, mut killed) = (0, false);
        for line in BufReader::new(stderr).lines() {
            let line = line.expect("text");
            let mut words = line.split(' ').map(|word| word.parse::<u64>().unwrap_or(0));
            let (number, packed) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
            acknowledged = acknowledged.max(number);
            if !killed && packed > round && acknowledged > 2_000 + round * 377 {
                child.kill().expect("SIGKILL");
                killed = true;
            }
        }
        child.wait().expect("gone");
        packed_ones += names(dir.path(), ".segment.zst");
        let (records, ending) = read(dir.path()).expect("valid");
        assert!(records >= acknowledged, "{records} of {acknowledged} acknowledged records are there");
        assert!(!matches!(ending, Ending::Sealed), "nobody sealed it");
        assert!(!is_closed(dir.path()).expect("readable"));
        // What was left in the middle is packed by whoever comes next, and is the same.
        pack(dir.path()).expect("packs");
        assert_eq!(read(dir.path()).expect("valid").0, records);
        assert_eq!((names(dir.path(), ".segment"), names(dir.path(), ".packing")), (0, 0));
    }
    assert!(packed_ones > 8, "{packed_ones} segments were packed when their writer died");
}
