//! The export's lines: a versioned envelope, frames as text, base64 where they are none.

use std::collections::BTreeSet;
use std::path::Path;

use oddsmith_domain::{Action, InstanceId, IntentId, MarketId, OrderId};
use oddsmith_domain::{Input, MarketSource, Outcome, Output, OutputBody, RunId, Time};
use oddsmith_journal::{Encoder, Ids, Options, Reader, Record, RecordHead, SCHEMA_VERSION, Writer, envelope, export};

#[test]
fn every_line_has_the_envelope() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { segment_bytes: 1 << 16, ..Options::default() };
    let mut writer = Writer::create(dir.path(), RunId([1; 16]), &options).expect("a journal");
    let mut encoder = Encoder::default();
    let time = Time { mono_ns: 5, wall_ns: 6 };
    for bytes in [&br#"{"event_type":"book"}"#[..], &[0xff, 0xfe]] {
        let record = encoder.input(&Input::Market { source: MarketSource::Shard(2), bytes }).expect("encodes");
        writer.append(&RecordHead { time, kind: record.kind, ids: record.ids }, record.payload).expect("room");
    }
    let cancel = Action::Cancel { order: OrderId([2; 32]), asset: MarketId(3).asset(Outcome::Yes) };
    let record = encoder.output(&Output { seq: 1, body: OutputBody::Action(cancel) }).expect("encodes");
    writer.append(&RecordHead { time, kind: record.kind, ids: record.ids }, record.payload).expect("room");
    writer.close().expect("closes");

    let mut text = Vec::new();
    let lines = export(&mut Reader::open(dir.path()).expect("opens"), &mut text).expect("exports");
    assert_eq!(lines, 3);
    let lines: Vec<serde_json::Value> = String::from_utf8(text)
        .expect("JSON is text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["schema_version"], 1);
        assert_eq!(line["run_id"], "0x01010101010101010101010101010101");
        assert_eq!(line["sequence"], number as u64 + 1);
        assert_eq!((line["mono_ns"].as_u64(), line["wall_ns"].as_u64()), (Some(5), Some(6)));
    }
    assert_eq!(lines[0]["kind"], "input.market");
    assert_eq!(lines[0]["payload"]["Market"]["frame"], r#"{"event_type":"book"}"#);
    assert_eq!(lines[1]["payload"]["Market"]["frame"]["base64"], "//4=");
    assert_eq!(lines[2]["kind"], "action.cancel");
    assert_eq!(lines[2]["market_id"], 3);
    assert_eq!(lines[2]["order_id"], OrderId([2; 32]).to_string());
    assert!(lines[2].get("intent_id").is_none());
}

/// The reference names every key of a line and no other, and each holds what it says. A key that goes, or changes its type, is a new
/// version of the schema.
#[test]
fn a_line_has_the_keys_of_the_reference() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/journal.md");
    let page = std::fs::read_to_string(page).expect("the reference");
    let (_, section) = page.split_once("## The lines of `journal cat`").expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    assert!(section.contains(&format!("| `schema_version` | {SCHEMA_VERSION} |")), "the stated version");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let stated: BTreeSet<&str> = rows
        .flat_map(|row| row.trim_matches('|').split('|').next().unwrap_or_default().split(", "))
        .map(|key| key.trim().trim_matches('`'))
        .collect();

    let cancel = Action::Cancel { order: OrderId([2; 32]), asset: MarketId(3).asset(Outcome::Yes) };
    let mut encoder = Encoder::default();
    let encoded = encoder.output(&Output { seq: 1, body: OutputBody::Action(cancel) }).expect("encodes");
    let ids = Ids { instance: Some(InstanceId(4)), intent: Some(IntentId(5)), ..encoded.ids };
    let head = RecordHead { time: Time { mono_ns: 5, wall_ns: 6 }, kind: encoded.kind, ids };
    let line = envelope(RunId([1; 16]), &Record { sequence: 7, head, payload: encoded.payload }).expect("an envelope");
    let line = serde_json::to_value(line).expect("JSON");
    let fields = line.as_object().expect("an object");
    assert_eq!(fields.keys().map(String::as_str).collect::<BTreeSet<_>>(), stated);
    for key in ["schema_version", "sequence", "mono_ns", "wall_ns", "market_id", "instance_id", "intent_id"] {
        assert!(line[key].is_u64(), "{key}: {line}");
    }
    for key in ["run_id", "kind", "order_id"] {
        assert!(line[key].is_string(), "{key}: {line}");
    }
    assert!(line["payload"].is_object(), "{line}");
}
