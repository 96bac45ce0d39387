//! Results of single jobs on disk, so that what was done need not be done again.

use std::fs;
use std::path::{Path, PathBuf};

use oddsmith_backtest::trial::{Measured, Stretch};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::whole;

/// One session of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// When it began, in nanoseconds since the Unix epoch.
    pub from_ns: u64,
    /// When it ended.
    pub to_ns: u64,
    /// The run whose journal it left; `None` if journals were not wanted.
    pub run: Option<String>,
    /// What it came to.
    pub measured: Measured,
}

impl Session {
    pub fn stretch(&self) -> Stretch {
        Stretch { from_ns: self.from_ns, to_ns: self.to_ns }
    }
}

/// A job that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Its sessions, in their order.
    pub sessions: Vec<Session>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Entries of the tape that it read.
    pub entries: u64,
    /// Profit over the recorded time, laid end to end: seconds and dollars.
    pub equity: Vec<(f64, f64)>,
    /// Its page, as seen from the folder of the results; `None` if none was made.
    pub page: Option<PathBuf>,
    /// What it wanted for most of the time, and why.
    pub mostly: Option<String>,
}

/// Where the jobs of one backtest keep their results.
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The place for a backtest of this identity.
    pub fn open(root: &Path, id: &str) -> Result<Store, Failure> {
        let dir = root.join(id.get(..16).unwrap_or(id));
        fs::create_dir_all(&dir)
            .map_err(|error| Failure::Running(format!("cannot write {}: {error}", dir.display())))?;
        Ok(Store { dir })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What a job came to earlier. One that was cut off left nothing.
    pub fn find(&self, job: &str) -> Option<Done> {
        let text = fs::read(self.path(job)).ok()?;
        let done: Done = serde_json::from_slice(&text).ok()?;
        // A page that somebody has removed is made anew, with all that is on it.
        done.page.as_ref().is_none_or(|page| self.dir.join(page).is_file()).then_some(done)
    }

    /// Writes a file of the results, by its path as seen from their folder.
    pub fn write(&self, name: &Path, text: &str) -> Result<(), Failure> {
        whole::write(&self.dir.join(name), text.as_bytes())
    }

    /// Keeps what a job came to. It is there whole or not at all.
    pub fn keep(&self, job: &str, done: &Done) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(done).map_err(|error| Failure::Running(error.to_string()))?;
        whole::write(&self.path(job), &text)
    }

    fn path(&self, job: &str) -> PathBuf {
        self.dir.join(format!("{job}.json"))
    }
}
