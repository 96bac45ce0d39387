//! What a backtest was made of: hashes of everything that its result depends on.

use std::io;
use std::path::{Path, PathBuf};

use oddsmith_backtest::tape::Form;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::hash;

/// A recording by its contents.
#[derive(Clone, Debug, Serialize)]
pub struct Hashed {
    /// Where it was.
    pub path: PathBuf,
    /// What it was read as.
    pub form: Form,
    /// SHA-256 of its bytes; of a run, of its journal's files one after the other.
    pub sha256: String,
}

/// What a result depends on.
#[derive(Clone, Debug, Serialize)]
pub struct Identity {
    /// SHA-256 over everything below.
    pub id: String,
    /// The version of the program.
    pub version: &'static str,
    /// SHA-256 of the program itself.
    pub program: String,
    /// SHA-256 of the configuration and of everything that was asked for.
    pub config: String,
    /// The recordings.
    pub inputs: Vec<Hashed>,
}

impl Identity {
    /// Reads and hashes.
    pub fn of(recordings: &[(PathBuf, Form)], asked: &serde_json::Value) -> Result<Identity, Failure> {
        let hashed = |path: &Path| {
            hash::file(path).map_err(|error| Failure::Answer(format!("cannot read {}: {error}", path.display())))
        };
        let mut inputs = Vec::new();
        for (path, form) in recordings {
            let sha256 = if path.is_dir() { hashed_directory(path)? } else { hashed(path)? };
            let again = inputs.iter().find(|known: &&Hashed| known.sha256 == sha256);
            if let Some(Hashed { path: known, .. }) = again {
                return Err(Failure::Usage(format!(
                    "{} and {} are the same recording: every trade would count twice, give it once",
                    known.display(),
                    path.display()
                )));
            }
            inputs.push(Hashed { path: path.clone(), form: *form, sha256 });
        }
        let program = hash::program().to_owned();
        let config = hash::hex(&Sha256::digest(asked.to_string()));
        let version = env!("CARGO_PKG_VERSION");
        let mut all = Sha256::new();
        for part in [version, &program, &config].into_iter().chain(inputs.iter().map(|input| input.sha256.as_str())) {
            all.update(part);
            all.update([0]);
        }
        Ok(Identity { id: hash::hex(&all.finalize()), version, program, config, inputs })
    }
}

fn hashed_directory(dir: &Path) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::Answer(format!("cannot read {}: {error}", dir.display()));
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .map_err(failed)?
        .flatten()
        .map(|entry| entry.path())
        // A report of the run may lie beside its journal.
        .filter(|path| {
            path.is_file() && path.file_name().is_some_and(|name| name.to_string_lossy().contains(".segment"))
        })
        .collect();
    files.sort();
    let mut all = Sha256::new();
    for path in files {
        all.update(hash::file(&path).map_err(failed)?);
    }
    Ok(hash::hex(&all.finalize()))
}

/// A short name made of a text.
pub fn short(text: &str) -> String {
    hash::hex(&Sha256::digest(text)).chars().take(16).collect()
}
