//! The data directory: `<data>/runs/<run id>/` with a manifest and the journal's segments.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
pub use crate::manifest::Manifest;

/// The environment variable that names the data directory.
pub const VARIABLE: &str = "ODDSMITH_DATA";
/// Where it is when nobody names it.
pub const DEFAULT: &str = "oddsmith-data";

/// The data directory.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

/// A run on disk.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its directory.
    pub dir: PathBuf,
    /// What it says of itself; `None` when its manifest is missing or unreadable.
    pub manifest: Option<Manifest>,
}

impl DataDir {
    /// The directory that a flag names, else the environment, else `oddsmith-data` here.
    pub fn find(flag: Option<&Path>) -> DataDir {
        let named = flag.map(Path::to_owned).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        DataDir { root: named.unwrap_or_else(|| PathBuf::from(DEFAULT)) }
    }

    /// Where the runs are.
    pub fn runs_dir(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Where runs are put that are being deleted: what is left of one that was half deleted is no run any more.
    pub fn pruned_dir(&self) -> PathBuf {
        self.root.join("pruned")
    }

    /// Where the locks of the wallets are.
    pub fn wallets_dir(&self) -> PathBuf {
        self.root.join("wallets")
    }

    /// Where recordings are kept.
    pub fn recordings_dir(&self) -> PathBuf {
        self.root.join("recordings")
    }

    /// Where backtests keep their results.
    pub fn backtests_dir(&self) -> PathBuf {
        self.root.join("backtests")
    }

    /// Where simulations keep their journals.
    pub fn simulations_dir(&self) -> PathBuf {
        self.root.join("simulations")
    }

    /// Every run, oldest first; those without a readable manifest before the others.
    pub fn runs(&self) -> Result<Vec<Run>, Failure> {
        let folder = self.runs_dir();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::Running(format!("cannot read {}: {error}", folder.display()))),
        };
        let mut runs: Vec<Run> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).map(Run::at).collect();
        runs.sort_by_key(|run| (run.manifest.as_ref().map_or(0, |m| m.started_wall_ns), run.dir.clone()));
        Ok(runs)
    }

    /// The run that a person means: `latest`, an id or the start of one, or a path.
    pub fn resolve(&self, name: &str) -> Result<Run, Failure> {
        let path = Path::new(name);
        if path.is_dir() && (path.is_absolute() || name.contains(['/', '.'])) {
            return Ok(Run::at(path.to_owned()));
        }
        let runs = self.runs()?;
        let here = self.root.display();
        if name == "latest" {
            return runs.into_iter().last().ok_or_else(|| {
                Failure::Usage(format!("there is no run in {here} yet: start one, or name the place with --data"))
            });
        }
        let wanted = name.trim_start_matches("0x").to_ascii_lowercase();
        let mut found: Vec<Run> = runs.into_iter().filter(|run| run.name().starts_with(&wanted)).collect();
        match (found.len(), found.pop()) {
            (1, Some(run)) if !wanted.is_empty() => Ok(run),
            (0, _) => Err(Failure::Usage(format!(
                "`{name}` is no run in {here}: `oddsmith journal ls` lists them; a path or `latest` will do too"
            ))),
            (count, _) => {
                Err(Failure::Usage(format!("{count} runs in {here} begin with `{name}`: give more of the id")))
            }
        }
    }
}

impl Run {
    fn at(dir: PathBuf) -> Run {
        let manifest = Manifest::read(&dir).ok();
        Run { dir, manifest }
    }

    /// The name of its directory.
    pub fn name(&self) -> String {
        self.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(data: &DataDir, name: &str, started: u64) {
        let dir = data.root.join("runs").join(name);
        fs::create_dir_all(&dir).expect("a folder");
        let manifest = serde_json::json!({
            "schema_version": 1, "run_id": oddsmith_domain::RunId::default(), "version": "0", "started_wall_ns": started,
            "command": "run", "config": null,
        });
        fs::write(dir.join(crate::manifest::FILE), manifest.to_string()).expect("a manifest");
    }

    #[test]
    fn a_run_is_found_by_start_by_path_and_as_the_latest() {
        let temp = tempfile::tempdir().expect("a folder");
        let data = DataDir::find(Some(temp.path()));
        assert!(matches!(data.resolve("latest"), Err(Failure::Usage(_))));
        run(&data, "ab12", 2);
        run(&data, "ab34", 1);
        assert_eq!(data.resolve("latest").expect("a run").name(), "ab12");
        assert_eq!(data.resolve("0xAB3").expect("a run").name(), "ab34");
        let path = temp.path().join("runs/ab34");
        assert_eq!(data.resolve(&path.to_string_lossy()).expect("a run").dir, path);
        for (name, part) in [("ab", "2 runs"), ("ff", "is no run"), ("", "2 runs")] {
            let error = data.resolve(name).expect_err("no run").to_string();
            assert!(error.contains(part), "{name}: {error}");
        }
    }
}
