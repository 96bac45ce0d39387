//! The journal of the simulated process on the real disk, and what is left of it when the process is killed in the middle of a write.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use oddsmith_domain::{Input, Output, RunId, Time};
use oddsmith_journal::{Cursor, Encoder, Ending, Options, Reader, Record, RecordHead, Writer};
use sha2::{Digest, Sha256};

/// Of the last records, so many can be lost to a power cut: what was written within the unsynced interval.
const UNSYNCED_RECORDS: usize = 8;

/// What stands before a record's payload.
const RECORD_HEAD_BYTES: u64 = 80;

/// One run's journal.
pub(super) struct Disk {
    dir: PathBuf,
    writer: Option<Writer>,
    encoder: Encoder,
    /// The process dies when this many more records have been written.
    pub(super) dies_after: Option<u64>,
    dead: bool,
    fault: Option<String>,
}

/// How a journal is left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tear {
    /// The last record is cut in the middle: the process died while it wrote.
    Last,
    /// So many records before it are lost, too: the power went.
    Unsynced(usize),
}

impl Disk {
    /// An empty journal in a directory of its own.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn create(dir: &Path, run: RunId) -> Result<Disk, String> {
        fs::create_dir_all(dir).map_err(|error| error.to_string())?;
        // Flushing serves a power cut, which is simulated by tearing.
        let options = Options {
            segment_bytes: 8 << 20,
            budget_bytes: 8 << 30,
            flush_every: Duration::from_secs(3_600),
            ..Options::default()
        };
        let writer = Writer::create(dir, run, &options).map_err(|error| error.to_string())?;
        Ok(Disk {
            dir: dir.to_owned(),
            writer: Some(writer),
            encoder: Encoder::default(),
            dies_after: None,
            dead: false,
            fault: None,
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the process died at one of its writes.
    pub(super) const fn is_dead(&self) -> bool {
        self.dead
    }

    /// Why the journal could not be written, if it could not.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Writes down an input and what came of it, and adds both to the digest. `false` once the process is dead.
    pub(super) fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output], digest: &mut Sha256) -> bool {
        if self.dead {
            return false;
        }
        if let Err(fault) = self.write(input, now, outputs, digest) {
            self.fault = Some(fault);
        }
        !self.dead
    }

    fn write(&mut self, input: &Input<'_>, now: Time, outputs: &[Output], digest: &mut Sha256) -> Result<(), String> {
        let Some(writer) = &mut self.writer else { return Err("the journal is closed".to_owned()) };
        for part in 0..=outputs.len() {
            let record = match part.checked_sub(1).and_then(|n| outputs.get(n)) {
                None => self.encoder.input(input),
                Some(output) => self.encoder.output(output),
            };
            let record = record.map_err(|error| error.to_string())?;
            digest.update(now.mono_ns.to_le_bytes());
            digest.update(record.payload);
            let head = RecordHead { time: now, kind: record.kind, ids: record.ids };
            writer.append(&head, record.payload).map_err(|error| error.to_string())?;
            if let Some(left) = &mut self.dies_after {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.dead = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Closes the journal as a process does that ends well.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn close(&mut self) -> Result<(), String> {
        self.writer.take().map_or(Ok(()), |writer| writer.close().map_err(|error| error.to_string()))
    }

    /// Leaves the journal as a dead process does: with its last record cut at a place that `draw` decides. Says the number of the
    /// first record that is lost.
    ///
    /// # Errors
    /// What the disk or the reader says.
    pub(super) fn tear(&mut self, tear: Tear, draw: u64) -> Result<u64, String> {
        self.close()?;
        let mut last = Vec::new();
        read(&self.dir, |cursor, record| {
            if last.len() > UNSYNCED_RECORDS {
                last.remove(0);
            }
            last.push((cursor, record.payload.len() as u64));
            Ok(())
        })?;
        let back = match tear {
            Tear::Last => 1,
            Tear::Unsynced(records) => records.clamp(1, UNSYNCED_RECORDS),
        };
        let Some((cursor, length)) = last.len().checked_sub(back).and_then(|at| last.get(at)).copied() else {
            return Err("there is nothing to tear".to_owned());
        };
        // Segments behind the torn one were begun by records that are lost.
        for segment in cursor.segment + 1.. {
            let path = self.segment(segment);
            if !path.exists() {
                break;
            }
            fs::remove_file(path).map_err(|error| error.to_string())?;
        }
        let cut = cursor.offset + draw % (RECORD_HEAD_BYTES + length);
        let path = self.segment(cursor.segment);
        let mut file = OpenOptions::new().write(true).open(path).map_err(|error| error.to_string())?;
        let end = file.metadata().map_err(|error| error.to_string())?.len();
        if draw.is_multiple_of(2) {
            file.set_len(cut.min(end)).map_err(|error| error.to_string())?;
        } else {
            let zeros = vec![0u8; usize::try_from(end.saturating_sub(cut)).unwrap_or(0)];
            file.seek(SeekFrom::Start(cut)).map_err(|error| error.to_string())?;
            file.write_all(&zeros).map_err(|error| error.to_string())?;
        }
        Ok(cursor.sequence)
    }

    fn segment(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{number:08}.segment"))
    }
}

/// Reads every record of a journal, with the place where it stands, and says how the journal ends.
///
/// # Errors
/// What the reader says, or `each`.
pub(super) fn read(
    dir: &Path,
    mut each: impl FnMut(Cursor, &Record<'_>) -> Result<(), String>,
) -> Result<Ending, String> {
    let mut reader = Reader::open(dir).map_err(|error| error.to_string())?;
    loop {
        let cursor = reader.cursor();
        let Some(record) = reader.next().map_err(|error| error.to_string())? else { break };
        each(cursor, &record)?;
    }
    reader.ending().map_err(|error| error.to_string())
}
