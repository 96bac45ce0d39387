//! Frames that could not be understood, kept for people.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oddsmith_domain::{Event, Input, Output, OutputBody, Time};
use serde_json::json;

/// More than this is not kept: the journal has every frame anyhow, and a venue gone mad must not fill the disk twice.
const LIMIT_BYTES: u64 = 16 << 20;

/// The file beside the journal, `dead-letter.jsonl`: one line for each frame of which a part was not understood.
pub struct DeadLetters {
    path: PathBuf,
    file: Option<File>,
    written: u64,
}

impl DeadLetters {
    /// Where they will be kept. The file is made with the first of them.
    pub fn beside(dir: &Path) -> DeadLetters {
        DeadLetters { path: dir.join("dead-letter.jsonl"), file: None, written: 0 }
    }

    /// Keeps the input if the engine did not understand it.
    pub fn watch(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        let fault = outputs.iter().find_map(|output| match &output.body {
            OutputBody::Event(Event::Undecodable { elements, why }) => Some((elements, why)),
            _ => None,
        });
        let (Some((elements, why)), Input::Market { bytes, .. } | Input::User { bytes }) = (fault, input) else {
            return;
        };
        let line = json!({
            "wall_ns": now.wall_ns,
            "channel": input.kind(),
            "elements": elements,
            "why": why,
            "utf8": std::str::from_utf8(bytes).is_ok(),
            "frame": String::from_utf8_lossy(bytes),
        });
        if let Err(error) = self.write(&format!("{line}\n")) {
            tracing::warn!(%error, "a frame that was not understood is only in the journal");
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let len = line.len() as u64;
        if self.written + len > LIMIT_BYTES {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create_new(&self.path)?),
        };
        file.write_all(line.as_bytes())?;
        self.written += len;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::MarketSource;

    use super::*;

    fn undecodable() -> Vec<Output> {
        let event = Event::Undecodable { elements: 1, why: "not JSON at byte 0".into() };
        vec![Output { seq: 1, body: OutputBody::Event(event) }]
    }

    #[test]
    fn what_was_not_understood_is_kept_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut letters = DeadLetters::beside(dir.path());
        let frame = |bytes| Input::Market { source: MarketSource::Shard(0), bytes };
        letters.watch(&frame(b"[]"), Time::default(), &[]);
        assert!(!dir.path().join("dead-letter.jsonl").exists());
        letters.watch(&frame(b"\xff\xfe"), Time::default(), &undecodable());
        letters.watch(&Input::User { bytes: b"{\n" }, Time::default(), &undecodable());
        let text = std::fs::read_to_string(dir.path().join("dead-letter.jsonl")).expect("a file");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["utf8"], &lines[0]["channel"]), (&json!(false), &json!("market")));
        assert_eq!(lines[1]["frame"], "{\n");
    }

    #[test]
    fn the_file_has_a_limit() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut letters = DeadLetters::beside(dir.path());
        letters.written = LIMIT_BYTES - 10;
        letters.watch(&Input::User { bytes: b"{" }, Time::default(), &undecodable());
        assert!(!dir.path().join("dead-letter.jsonl").exists());
    }
}
