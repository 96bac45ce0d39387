//! Bodies and frames that could not be understood: counted, and kept for people if there is a file for them.
//!
//! The exchange has one thread, and what is not understood is met in many places on it: the list belongs to the thread.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

/// Of one body or frame, so much is kept.
const CLIPPED_BYTES: usize = 64 << 10;
/// The file does not grow beyond this: whoever sends nonsense without end must not fill the disk.
const LIMIT_BYTES: u64 = 16 << 20;

#[derive(Default)]
struct Letters {
    counted: u64,
    written: u64,
    file: Option<File>,
}

thread_local! {
    static LETTERS: RefCell<Letters> = RefCell::default();
}

/// Begins anew on this thread; with a file, everything that is not understood is appended to it.
///
/// # Errors
/// When the file cannot be opened.
pub(super) fn open(path: Option<&Path>) -> io::Result<()> {
    let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
    LETTERS.set(Letters { file, ..Letters::default() });
    Ok(())
}

/// How many have been met.
pub(super) fn counted() -> u64 {
    LETTERS.with_borrow(|letters| letters.counted)
}

/// Counts and keeps one.
pub(super) fn keep(channel: &str, bytes: &[u8], why: &dyn std::fmt::Display) {
    LETTERS.with_borrow_mut(|letters| {
        letters.counted += 1;
        let Some(file) = &mut letters.file else { return };
        let kept = bytes.get(..CLIPPED_BYTES).unwrap_or(bytes);
        let line = json!({
            "wall_ms": SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
            "channel": channel,
            "why": why.to_string(),
            "bytes": bytes.len(),
            "utf8": std::str::from_utf8(bytes).is_ok(),
            "body": String::from_utf8_lossy(kept),
        });
        let line = format!("{line}\n");
        if letters.written + line.len() as u64 <= LIMIT_BYTES && file.write_all(line.as_bytes()).is_ok() {
            letters.written += line.len() as u64;
        }
    });
}
