//! The export's lines: a versioned envelope, frames as text, base64 where they are none.

use oddsmith_domain::{Action, MarketId, OrderId};
use oddsmith_domain::{Input, MarketSource, Outcome, Output, OutputBody, RunId, Time};
use oddsmith_journal::{Encoder, Options, Reader, RecordHead, Writer, export};

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
