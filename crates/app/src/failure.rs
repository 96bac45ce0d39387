//! How a command ends when it does not end well.

use std::process::ExitCode;

use oddsmith_journal::{ExportError, ReadError};
use thiserror::Error;

/// Why the process ends with another code than 0. Each text is one sentence that says what to do.
#[derive(Debug, Error)]
pub enum Failure {
    /// The answer to what was asked is no.
    #[error("{0}")]
    Answer(String),
    /// The command line, the environment or the configuration is wrong.
    #[error("{0}")]
    Usage(String),
    /// Something failed on the way.
    #[error("{0}")]
    Running(String),
    /// Nobody reads our output any more.
    #[error("standard output is closed")]
    OutputClosed,
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::OutputClosed => 0,
            Failure::Answer(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Running(_) => 3,
        })
    }

    /// What failed when our output was written.
    pub fn output(error: &std::io::Error) -> Failure {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Running(format!("cannot write to standard output: {error}")),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        match error {
            ReadError::Corrupt { .. } => Failure::Answer(error.to_string()),
            ReadError::NoJournal(_) | ReadError::UnknownSchema { .. } => Failure::Usage(error.to_string()),
            ReadError::Io { .. } => Failure::Running(error.to_string()),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Failure {
        match error {
            ExportError::Read(error) => error.into(),
            ExportError::Codec { .. } => Failure::Answer(error.to_string()),
            ExportError::Write(error) => Failure::output(&error),
        }
    }
}
