//! What a run leaves in its directory for its guardian: whom to ask with which credentials, and how it ended.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use oddsmith_domain::Address;
use oddsmith_net::Target;
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::wire::ApiKeyCreds;
use serde::{Deserialize, Serialize};

use super::Guardian;

/// The credentials' file; only this user can read it.
const CREDENTIALS: &str = "guard.json";
/// How the run ended.
const ENDED: &str = "ended.json";

/// The address and the API credentials of a run. The signing key is no part of it, so that it can place nothing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Papers {
    /// The venue's REST interface.
    pub rest: String,
    /// Whether the venue lives in the run's own process, and dies with it.
    pub built_in: bool,
    /// The account whose API key it is.
    pub account: Address,
    /// The API key.
    pub credentials: ApiKeyCreds,
}

impl Papers {
    /// Writes them into a run's directory, readable by this user only.
    ///
    /// # Errors
    /// What the system said.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.join(CREDENTIALS))?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_data()
    }

    /// Reads those of a run, or of a file.
    ///
    /// # Errors
    /// What the system said; [`io::ErrorKind::InvalidData`] for something else.
    pub fn read(path: &Path) -> io::Result<Papers> {
        let path = if path.is_dir() { path.join(CREDENTIALS) } else { path.to_owned() };
        serde_json::from_slice(&fs::read(path)?).map_err(io::Error::from)
    }

    /// Takes them out of a run's directory: there is nothing left to guard.
    pub fn remove(dir: &Path) {
        let _ = fs::remove_file(dir.join(CREDENTIALS));
    }

    /// The guardian that they make.
    ///
    /// # Errors
    /// Why they make none.
    pub fn guardian(&self) -> Result<Guardian, String> {
        let target = Target::parse(&self.rest).map_err(|error| error.to_string())?;
        let credentials =
            Credentials::new(self.account, self.credentials.clone()).map_err(|error| error.to_string())?;
        Ok(Guardian::new(target, Arc::new(credentials)))
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Whether the venue has shown that nothing of ours is left.
    pub clean: bool,
    /// Why it ended, in words.
    pub why: String,
}

impl Ended {
    /// Says it in the run's directory, whole or not at all.
    pub fn write(&self, dir: &Path) {
        let write = || -> io::Result<()> {
            let fresh = dir.join("ended.new");
            fs::write(&fresh, serde_json::to_vec(self)?)?;
            fs::rename(fresh, dir.join(ENDED))
        };
        if let Err(error) = write() {
            tracing::error!(%error, "how the run ended could not be written down");
        }
    }

    /// What a run has said; `None` while it works, or when it was killed.
    pub fn read(dir: &Path) -> Option<Ended> {
        serde_json::from_slice(&fs::read(dir.join(ENDED)).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn papers_are_private_and_survive() {
        let dir = tempfile::tempdir().expect("a folder");
        let credentials = ApiKeyCreds { api_key: "a".into(), secret: "AAAA".into(), passphrase: "p".into() };
        let papers =
            Papers { rest: "http://127.0.0.1:1".into(), built_in: false, account: Address::default(), credentials };
        papers.write(dir.path()).expect("written");
        let mode = fs::metadata(dir.path().join(CREDENTIALS)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = Papers::read(dir.path()).expect("read");
        assert_eq!((&read.rest, &read.credentials), (&papers.rest, &papers.credentials));
        assert!(read.guardian().is_ok());
        assert!(papers.write(dir.path()).is_err(), "never over somebody else's");
        Papers::remove(dir.path());
        assert!(Papers::read(dir.path()).is_err());
    }
}
