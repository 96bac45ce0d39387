//! Frames that could not be decoded, kept for people.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use base64::Engine;
use serde::Serialize;

use super::VerifyError;

/// Of a frame longer than this only the beginning is kept.
const KEPT_BYTES: usize = 256 << 10;

/// One line of the file.
#[derive(Serialize)]
struct Letter<'l> {
    file: &'l str,
    offset: u64,
    reason: &'l str,
    /// How long the piece was that held the frame.
    bytes: usize,
    /// The frame, when it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<&'l str>,
    /// The frame, when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    frame_base64: Option<String>,
}

/// Appends undecodable frames to a file, if one was asked for.
pub(super) struct DeadLetters {
    file: Option<(String, File)>,
}

impl DeadLetters {
    pub fn open(path: Option<&Path>) -> Result<DeadLetters, VerifyError> {
        let Some(path) = path else {
            return Ok(DeadLetters { file: None });
        };
        let name = path.display().to_string();
        match OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => Ok(DeadLetters { file: Some((name, file)) }),
            Err(source) => Err(VerifyError::DeadLetter { path: name, source }),
        }
    }

    pub fn keep(&mut self, from: &str, offset: u64, reason: &str, frame: &[u8]) -> Result<(), VerifyError> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        let kept = frame.get(..KEPT_BYTES).unwrap_or(frame);
        let text = std::str::from_utf8(kept).ok();
        let frame_base64 = text.is_none().then(|| base64::engine::general_purpose::STANDARD.encode(kept));
        let letter = Letter { file: from, offset, reason, bytes: frame.len(), frame: text, frame_base64 };
        let written = serde_json::to_vec(&letter).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
        written.map_err(|source| VerifyError::DeadLetter { path: path.clone(), source })
    }
}
