//! Writing a run down: its directory, its journal, and what was not understood.

use std::path::PathBuf;

use oddsmith_domain::{Address, Input, Output, RunId, Time};
use oddsmith_journal::{Encoder, Options, Packing, Pressure, RecordHead, Writer};

use crate::data::{DataDir, Manifest};
use crate::dead_letter::DeadLetters;
use crate::failure::Failure;

/// What a new run says of itself.
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// What it was asked to do, in words.
    pub command: &'static str,
    /// The effective configuration, without secrets.
    pub config: serde_json::Value,
    /// What the salts of its orders are made from.
    pub seed: [u8; 32],
    /// The journal's sizes and times.
    pub journal: Options,
    /// The account that trades, if any.
    pub account: Option<Address>,
    /// The venue's address, if it outlives the run.
    pub venue: Option<String>,
    /// The run that it goes on after.
    pub predecessor: Option<RunId>,
}

/// The journal of a run that is going on, and the dead letters beside it.
///
/// After a fault nothing more is written: what follows a hole would not replay.
pub struct Pages {
    dir: PathBuf,
    writer: Writer,
    encoder: Encoder,
    dead_letters: DeadLetters,
    fault: Option<String>,
}

impl Pages {
    /// Makes a run's directory with its manifest and an empty journal.
    ///
    /// # Errors
    /// [`Failure::Running`] when something cannot be written.
    pub fn begin(data: &DataDir, new: NewRun) -> Result<Pages, Failure> {
        let dir = data.runs_dir().join(new.id.to_string().trim_start_matches("0x"));
        let unwritable =
            |error: &dyn std::fmt::Display| Failure::Running(format!("cannot write {}: {error}", dir.display()));
        std::fs::create_dir_all(&dir).map_err(|error| unwritable(&error))?;
        Manifest::of(&new).write(&dir).map_err(|error| unwritable(&error))?;
        let writer = Writer::create(&dir, new.id, &new.journal).map_err(|error| unwritable(&error))?;
        let dead_letters = DeadLetters::beside(&dir);
        Ok(Pages { dir, writer, encoder: Encoder::default(), dead_letters, fault: None })
    }

    /// Writes down an input and what came of it. `false` if that could not be done, now or earlier.
    pub fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) -> bool {
        if self.fault.is_none() {
            self.fault = self.write(input, now, outputs).err();
            self.dead_letters.watch(input, now, outputs);
        }
        self.fault.is_none()
    }

    fn write(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) -> Result<(), String> {
        let record = self.encoder.input(input).map_err(|error| error.to_string())?;
        let head = RecordHead { time: now, kind: record.kind, ids: record.ids };
        self.writer.append(&head, record.payload).map_err(|error| error.to_string())?;
        for output in outputs {
            let record = self.encoder.output(output).map_err(|error| error.to_string())?;
            let head = RecordHead { time: now, kind: record.kind, ids: record.ids };
            self.writer.append(&head, record.payload).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Where the run is kept.
    pub fn dir(&self) -> &std::path::Path {
        &self.dir
    }

    /// Why the journal cannot be written any more, if so.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// The number that the next record will have.
    pub const fn next_sequence(&self) -> u64 {
        self.writer.next_sequence()
    }

    /// Waits until everything that was written is on the disk. `false`, and a fault, if that cannot be done.
    pub fn sync(&mut self) -> bool {
        if self.fault.is_none() {
            self.fault = self.writer.sync().err().map(|error| error.to_string());
        }
        self.fault.is_none()
    }

    /// How full the journal is.
    pub fn pressure(&mut self) -> Pressure {
        self.writer.pressure()
    }

    /// How the packing of finished segments stands.
    pub fn packing(&self) -> Packing {
        self.writer.packing()
    }

    /// Takes back a run that never began: it must not become the latest one.
    ///
    /// The journal is closed first. Its own thread makes segments ahead of time, and would go on making them while the directory is deleted.
    pub fn discard(self) {
        let Pages { dir, writer, .. } = self;
        let closed = writer.close().map_err(|error| error.to_string());
        let deleted = std::fs::remove_dir_all(&dir).map_err(|error| error.to_string());
        if let Err(error) = closed.and(deleted) {
            tracing::warn!(dir = %dir.display(), error, "what is left of a run that never began cannot be deleted");
        }
    }

    /// Closes the journal and tells where it is.
    ///
    /// # Errors
    /// [`Failure::Running`] when it could not be written, now or earlier.
    pub fn close(self) -> Result<PathBuf, Failure> {
        let Pages { dir, writer, fault, .. } = self;
        let failed = |why: &dyn std::fmt::Display| {
            Failure::Running(format!("the journal in {} cannot be written: {why}", dir.display()))
        };
        if let Some(why) = fault {
            return Err(failed(&why));
        }
        writer.close().map_err(|error| failed(&error))?;
        Ok(dir)
    }
}
