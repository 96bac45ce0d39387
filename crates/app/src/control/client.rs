//! The operator's side.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;

use super::{Reply, Request, socket};

/// How long the first answer may take: the run gives up earlier.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a call came to nothing.
#[derive(Debug, Error)]
pub enum CallError {
    /// Nobody listens there.
    #[error("it does not run: nothing listens on its control socket")]
    NotRunning,
    /// The connection failed.
    #[error("its control socket failed: {0}")]
    Io(#[from] std::io::Error),
    /// The answer cannot be understood: another version's.
    #[error("its answer is not understood ({0}): use the build that runs")]
    Answer(#[from] serde_json::Error),
    /// It ended before it had answered.
    #[error("it ended before it had answered")]
    Ended,
}

/// A call to a running engine.
#[derive(Debug)]
pub struct Call {
    reader: BufReader<UnixStream>,
}

impl Call {
    /// Calls the run that works in a directory.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn place(dir: &Path, request: &Request) -> Result<Call, CallError> {
        let mut stream = socket::connect(dir).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => CallError::NotRunning,
            _ => CallError::Io(error),
        })?;
        stream.set_read_timeout(Some(PATIENCE + Duration::from_millis(request.wait_ms)))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        Ok(Call { reader: BufReader::new(stream) })
    }

    /// Whether anybody listens in a run's directory.
    pub fn is_answered(dir: &Path) -> bool {
        socket::connect(dir).is_ok()
    }

    /// The next line of the answer; `None` when there is no more.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn hear(&mut self) -> Result<Option<Reply>, CallError> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&line)?))
    }
}
