//! Damaged packed segments: what stands before the damage is read, the damage has a place, and no wrong record is ever handed out.

use std::fs;
use std::path::{Path, PathBuf};

use oddsmith_domain::{RunId, Time};
use oddsmith_journal::{
    Damage, Ending, Flaw, Ids, Kind, Options, PackError, ReadError, Reader, RecordHead, Writer, is_closed, pack,
};

/// Bytes that no packer makes shorter, so that damage falls into the middle of records.
fn payload(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..200)
        .map(|_| {
            (state, _) = (state ^ (state << 13), ());
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

fn write(dir: &Path, records: u64, segment_bytes: usize) {
    let options = Options { segment_bytes, ..Options::default() };
    let mut writer = Writer::create(dir, RunId([7; 16]), &options).expect("a journal");
    for number in 1..=records {
        let time = Time { mono_ns: number, wall_ns: number };
        let head = RecordHead { time, kind: Kind::MARKET, ids: Ids::default() };
        writer.append(&head, &payload(number)).expect("room");
    }
    writer.close().expect("closes");
}

/// Reads what can be read; every record is the one that was written.
fn read(dir: &Path) -> (u64, Result<Ending, ReadError>) {
    let mut count = 0;
    let mut reader = match Reader::open(dir) {
        Ok(reader) => reader,
        Err(error) => return (0, Err(error)),
    };
    loop {
        match reader.next() {
            Ok(Some(record)) => {
                count += 1;
                assert_eq!((record.sequence, record.payload), (count, payload(count).as_slice()));
            }
            Ok(None) => return (count, reader.ending()),
            Err(error) => return (count, Err(error)),
        }
    }
}

fn packed(dir: &Path, index: u32) -> PathBuf {
    dir.join(format!("{index:08}.segment.zst"))
}

#[test]
fn a_cut_packed_segment_is_read_up_to_the_cut_and_the_cut_has_a_place() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), 2_000, 1 << 20);
    pack(dir.path()).expect("packs");
    let whole = fs::read(packed(dir.path(), 0)).expect("a segment");
    let mut seen = 0;
    for part in 0..=10 {
        let cut = whole.len() * part / 10;
        fs::write(packed(dir.path(), 0), &whole[..cut]).expect("written");
        let (records, ending) = read(dir.path());
        assert!(records >= seen, "a longer file has no fewer records");
        seen = records;
        if part == 10 {
            assert_eq!((records, ending.expect("whole")), (2_000, Ending::Sealed));
            break;
        }
        let Ok(Ending::Torn(Damage { segment: 0, sequence, flaw: Flaw::Packed(_), .. })) = ending else {
            panic!("cut at {cut}: {ending:?}")
        };
        assert_eq!(sequence, records + 1);
        assert!(!is_closed(dir.path()).expect("readable"));
    }
    assert!(is_closed(dir.path()).expect("readable"));
}

#[test]
fn a_damaged_packed_segment_with_others_behind_it_is_corruption_with_a_place() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), 2_000, 1 << 18);
    pack(dir.path()).expect("packs");
    assert!(packed(dir.path(), 1).exists());
    let whole = fs::read(packed(dir.path(), 0)).expect("a segment");
    fs::write(packed(dir.path(), 0), &whole[..whole.len() * 2 / 3]).expect("written");
    let (records, ending) = read(dir.path());
    let error = ending.expect_err("others follow");
    let ReadError::Corrupt { damage, .. } = &error else { panic!("{error}") };
    assert!(records > 300 && damage.sequence == records + 1 && damage.segment == 0, "{records}: {damage}");
    let told = error.to_string();
    let place = format!(
        "segment 0, offset {}, where record {} should be: the packed segment is damaged",
        damage.offset,
        records + 1
    );
    assert!(told.contains(&place), "{told}");
    // The last segment says by itself that the run closed its journal.
    assert!(is_closed(dir.path()).expect("readable"));
}

/// A flipped bit is told, or it harms nothing: the packer's own checksum may be all that it hit.
#[test]
fn no_flipped_bit_of_a_packed_segment_makes_a_wrong_record() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), 3, 4_096);
    pack(dir.path()).expect("packs");
    let whole = fs::read(packed(dir.path(), 0)).expect("a segment");
    let mut told = 0;
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(packed(dir.path(), 0), &bytes).expect("written");
        match read(dir.path()) {
            (3, Ok(Ending::Sealed)) => {}
            (records, Ok(Ending::Torn(damage))) => {
                assert_eq!(damage.sequence, records + 1, "bit {bit}: {damage}");
                told += 1;
            }
            (records, Err(ReadError::Corrupt { damage, .. })) => {
                assert_eq!(damage.sequence, records + 1, "bit {bit}: {damage}");
                told += 1;
            }
            other => panic!("bit {bit}: {other:?}"),
        }
    }
    assert!(told > whole.len() * 7, "{told} of {} flipped bits were told", whole.len() * 8);
}

/// Not a test of its own: the child of the next one, to which the system gives no more room than a few KiB a file.
#[test]
fn child_that_packs_without_room() {
    let Some(dir) = std::env::var_os("ODDSMITH_PACK_CHILD") else { return };
    let error = pack(Path::new(&dir)).expect_err("no room");
    assert!(matches!(error, PackError::Io { .. }), "{error}");
    eprintln!("refused: {error}");
}

#[test]
fn without_room_for_the_packed_form_everything_stays_as_it_was() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), 2_000, 1 << 20);
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$0\" child_that_packs_without_room --exact --nocapture";
    let child = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().expect("this test"))
        .env("ODDSMITH_PACK_CHILD", dir.path())
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("refused: cannot pack"), "{said}");
    let left: Vec<String> = fs::read_dir(dir.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "journal.lock")
        .collect();
    assert_eq!(left, ["00000000.segment"]);
    assert_eq!(read(dir.path()).0, 2_000);
    assert_eq!(pack(dir.path()).expect("there is room again").segments, 1);
    assert!(matches!(read(dir.path()), (2_000, Ok(Ending::Sealed))));
}
