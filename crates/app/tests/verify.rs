//! `oddsmith verify` as people and scripts see it. What it computes is tested in `backtest`.

mod support;

use std::fs;

use support::{oddsmith, raw_frames};

const FRAMES: &str = r#"[{"event_type":"book","market":"0xaa","asset_id":"11","timestamp":"1790000000000","hash":"x","bids":[{"price":"0.47","size":"100"}],"asks":[{"price":"0.52","size":"100"}]}]
{"event_type":"price_change","market":"0xaa","timestamp":"1790000000100","price_changes":[{"asset_id":"11","price":"0.48","size":"5","side":"BUY","hash":"y","best_bid":"0.48","best_ask":"0.52"}]}
{not a frame
"#;

#[test]
fn every_file_has_its_object_and_unreadable_ones_are_named() {
    let data = tempfile::tempdir().expect("a folder");
    let file = data.path().join("frames.jsonl");
    fs::write(&file, FRAMES).expect("writes");
    let name = file.to_string_lossy().into_owned();
    let dead = data.path().join("dead.jsonl").to_string_lossy().into_owned();
    let good = oddsmith(data.path(), &["verify", "--json", "--dead-letter", &dead, &name]);
    assert_eq!(good.code, 0, "{good:?}");
    let report: serde_json::Value = serde_json::from_str(good.out.trim()).expect("one object");
    for key in
        ["file", "frames", "hashes", "hashes_by_kind", "top_of_book", "repaired", "crossed_published", "dirty", "gaps"]
    {
        assert!(report.get(key).is_some(), "{key}: {report}");
    }
    assert_eq!((report["frames"]["book"].as_u64(), report["undecodable"].as_u64()), (Some(1), Some(1)), "{report}");
    assert!(fs::read_to_string(&dead).expect("dead letters").contains("{not a frame"));

    let mixed = oddsmith(data.path(), &["verify", "--json", "nowhere.jsonl", &name]);
    assert_eq!(mixed.code, 1, "{mixed:?}");
    assert_eq!(mixed.out.lines().count(), 1, "the readable one is verified all the same: {mixed:?}");
    assert!(mixed.err.contains("nowhere.jsonl"), "{mixed:?}");
    let table = oddsmith(data.path(), &["verify", &name]);
    assert!(table.code == 0 && table.out.contains("frames.jsonl"), "{table:?}");
    assert_eq!(oddsmith(data.path(), &["verify"]).code, 2);
}

#[test]
fn the_recordings_reproduce_the_venues_hashes() {
    let files = raw_frames();
    if files.is_empty() {
        eprintln!("skipped: the shared recordings are not beside the repository (set ODDSMITH_SHARED)");
        return;
    }
    let mut arguments = vec!["verify", "--json"];
    arguments.extend(files.iter().map(String::as_str));
    let data = tempfile::tempdir().expect("a folder");
    let ran = oddsmith(data.path(), &arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut sums = [[0u64; 2]; 3];
    for line in ran.out.lines() {
        let report: serde_json::Value = serde_json::from_str(line).expect("an object");
        for (sum, kind) in sums.iter_mut().zip(["rest", "snapshot", "delta"]) {
            sum[0] += report["hashes_by_kind"][kind]["checked"].as_u64().unwrap_or(0);
            sum[1] += report["hashes_by_kind"][kind]["reproduced"].as_u64().unwrap_or(0);
        }
    }
    let [rest, snapshot, delta] = sums;
    assert!(snapshot[0] > 0 && delta[0] > 0, "{sums:?}");
    assert_eq!(rest[0], rest[1], "every REST snapshot");
    assert_eq!(snapshot[0], snapshot[1], "every subscription snapshot");
    assert!(delta[1] * 100 >= delta[0] * 98, "at least 98 of 100 deltas: {delta:?}");
}
