//! What every kind of run must keep: it replays to the byte, and a change of one byte or of one setting is named.

use std::path::Path;

use oddsmith_journal::{Kind, Options, Reader, Writer};

use super::oddsmith;

/// Writes a journal again with one record's payload changed: every checksum is right, one input is not what it was.
pub fn alter(from: &Path, to: &Path, kind: Kind, change: impl Fn(&mut Vec<u8>) -> bool) {
    let mut reader = Reader::open(from).expect("opens");
    let options = Options { segment_bytes: 8 << 20, ..Options::default() };
    let mut writer = Writer::create(to, reader.run(), &options).expect("a journal");
    let mut changed = 0;
    while let Some(record) = reader.next().expect("valid") {
        let mut payload = record.payload.to_vec();
        if record.head.kind == kind && changed == 0 && change(&mut payload) {
            changed += 1;
        }
        writer.append(&record.head, &payload).expect("room");
    }
    assert_eq!(changed, 1, "one record was to be changed");
    writer.close().expect("closes");
}

/// The run in `dir` replays to the byte. With one byte of its first whole book changed, or with this setting, the first difference is named.
pub fn assert_replays_and_names_changes(data: &Path, dir: &Path, setting: &str) {
    let path = dir.to_string_lossy();
    let same = oddsmith(data, &["replay", &path]);
    assert_eq!(same.code, 0, "{}{}", same.out, same.err);
    assert!(same.out.contains("identical"), "{same:?}");

    let altered = tempfile::tempdir().expect("a folder");
    alter(dir, altered.path(), Kind::MARKET, |payload| {
        let at = payload.windows(6).position(|part| part == b"\"bids\"");
        at.map(|at| payload[at + 1] = b'x').is_some()
    });
    let other = oddsmith(data, &["replay", &altered.path().to_string_lossy()]);
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.out.contains("different at record") && other.out.contains("after the input"), "{other:?}");

    let set = oddsmith(data, &["replay", &path, "--set", setting]);
    assert_eq!(set.code, 1, "{set:?}");
    let key = setting.split('=').next().unwrap_or_default();
    assert!(set.out.contains(&format!("changed: {key} was")) && set.out.contains("different at record"), "{set:?}");
}
