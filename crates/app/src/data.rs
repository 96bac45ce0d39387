//! The data directory: `<data>/runs/<run id>/` with a manifest and the journal's segments.

use std::fs;
use std::path::{Path, PathBuf};

use oddsmith_domain::{Address, RunId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The environment variable that names the data directory.
pub const VARIABLE: &str = "ODDSMITH_DATA";
/// Where it is when nobody names it.
pub const DEFAULT: &str = "oddsmith-data";

const MANIFEST: &str = "manifest.json";

/// What a run says of itself, beside its journal. Holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this file's layout.
    pub schema_version: u32,
    /// The run.
    pub run_id: RunId,
    /// The version of the program.
    pub version: String,
    /// When it began, in nanoseconds since the Unix epoch.
    pub started_wall_ns: u64,
    /// What it was asked to do, in words.
    pub command: String,
    /// The effective configuration, without secrets.
    pub config: serde_json::Value,
    /// The account that trades; `None` for a run that sends nothing.
    #[serde(default)]
    pub account: Option<Address>,
    /// The venue's REST address; `None` for a venue that ends with the run.
    #[serde(default)]
    pub venue: Option<String>,
    /// The run whose facts it took over.
    #[serde(default)]
    pub predecessor: Option<RunId>,
}

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
        let manifest =
            fs::read_to_string(dir.join(MANIFEST)).ok().and_then(|text| serde_json::from_str::<Manifest>(&text).ok());
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
        let manifest = Manifest {
            schema_version: 1,
            run_id: RunId::default(),
            version: "0".to_owned(),
            started_wall_ns: started,
            command: "run".to_owned(),
            config: serde_json::Value::Null,
            account: None,
            venue: None,
            predecessor: None,
        };
        fs::write(dir.join(MANIFEST), serde_json::to_string(&manifest).expect("JSON")).expect("a manifest");
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
