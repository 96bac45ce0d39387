//! What a run says of itself, beside its journal: who wrote it, with which settings, after which run.
//!
//! The manifest is on the disk before the journal's first record. It is what tells later which build must be taken to read a journal, and
//! what has changed since; a build or a setting that differs is named, and stops nothing.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use oddsmith_domain::{Address, Input, RunId, Setup};
use oddsmith_engine::EngineConfig;
use oddsmith_journal::{Kind, Reader, decode_input};
use oddsmith_strategy::StrategyConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::hash;
use crate::pages::NewRun;

/// The name of its file.
pub const FILE: &str = "manifest.json";
/// The version of its layout. Version 1 had neither hashes nor strategies nor seed, and is read as one that does not state them.
pub const SCHEMA_VERSION: u32 = 2;

/// Holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this file's layout.
    pub schema_version: u32,
    /// The run.
    pub run_id: RunId,
    /// The version of the program.
    pub version: String,
    /// SHA-256 of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The version of the journal's schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal_schema: Option<u32>,
    /// When it began, in nanoseconds since the Unix epoch.
    pub started_wall_ns: u64,
    /// What it was asked to do, in words.
    pub command: String,
    /// The account that trades; `None` for a run that sends nothing.
    #[serde(default)]
    pub account: Option<Address>,
    /// The venue's REST address; `None` for a venue that ends with the run.
    #[serde(default)]
    pub venue: Option<String>,
    /// The run whose facts it took over.
    #[serde(default)]
    pub predecessor: Option<RunId>,
    /// What the salts of its orders are made from, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// Who decided, instance by instance.
    #[serde(default)]
    pub strategies: Vec<Strategist>,
    /// SHA-256 of the configuration below, as JSON without spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_sha256: Option<String>,
    /// The effective configuration, without secrets.
    pub config: Value,
}

/// A strategy instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strategist {
    /// The instance's name.
    pub instance: String,
    /// The strategy's name.
    pub strategy: String,
    /// The strategy's version.
    pub version: u32,
    /// SHA-256 of its parameters, as JSON without spaces.
    pub config_sha256: String,
}

/// Why there is no manifest to read.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The system said no.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is no manifest.
    #[error("it is not understood: {0}")]
    Syntax(#[from] serde_json::Error),
    /// A later build wrote it.
    #[error("it has version {0}, and this build knows versions up to {SCHEMA_VERSION}: use the build that wrote it")]
    Version(u32),
}

impl Manifest {
    /// What a run that begins now says of itself.
    pub fn of(new: &NewRun) -> Manifest {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Manifest {
            schema_version: SCHEMA_VERSION,
            run_id: new.id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: Some(hash::program().to_owned()).filter(|hash| !hash.is_empty()),
            journal_schema: Some(oddsmith_journal::SCHEMA_VERSION),
            started_wall_ns: u64::try_from(started.as_nanos()).unwrap_or(u64::MAX),
            command: new.command.to_owned(),
            account: new.account,
            venue: new.venue.clone(),
            predecessor: new.predecessor,
            seed: Some(hash::hex(&new.seed)),
            strategies: strategists(&new.config),
            config_sha256: Some(hash::text(&new.config.to_string())),
            config: new.config.clone(),
        }
    }

    /// Reads the manifest of a run's directory.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn read(dir: &Path) -> Result<Manifest, ManifestError> {
        let text = fs::read_to_string(dir.join(FILE))?;
        #[derive(Deserialize)]
        struct Versioned {
            schema_version: u32,
        }
        let Versioned { schema_version } = serde_json::from_str(&text)?;
        if schema_version > SCHEMA_VERSION {
            return Err(ManifestError::Version(schema_version));
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// Writes it into a run's directory; when this returns it is on the disk, whole.
    ///
    /// # Errors
    /// What the system said.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        let beside = dir.join("manifest.new");
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(beside, dir.join(FILE))?;
        File::open(dir)?.sync_all()?;
        dir.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())
    }

    /// The build that wrote it, in words.
    pub fn build(&self) -> String {
        build(&self.version, self.program.as_deref())
    }
}

fn build(version: &str, program: Option<&str>) -> String {
    match program {
        Some(program) => format!("oddsmith {version}, program {}", hash::short(program)),
        None => format!("oddsmith {version}"),
    }
}

fn strategists(config: &Value) -> Vec<Strategist> {
    let engine = config.get("engine").and_then(|engine| EngineConfig::deserialize(engine).ok());
    let instances = engine.into_iter().flat_map(|engine| engine.instances);
    instances.map(|instance| strategist(&instance.name, &instance.strategy)).collect()
}

fn strategist(instance: &str, strategy: &StrategyConfig) -> Strategist {
    Strategist {
        instance: instance.to_owned(),
        strategy: strategy.name().to_owned(),
        // The configuration has been checked: a strategy that cannot be built does not come so far.
        version: strategy.build().map_or(0, |built| built.version()),
        config_sha256: hash::text(&serde_json::to_string(strategy).unwrap_or_default()),
    }
}

/// What comes of holding a manifest against its journal and this build.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Where this build is not the one that wrote the run: named, because a replay may differ for it.
    pub changes: Vec<String>,
    /// Where the manifest is not what the run wrote.
    pub contradictions: Vec<String>,
}

/// Holds a run's manifest against its journal and this build.
pub fn check(dir: &Path) -> Agreement {
    let mut agreement = Agreement::default();
    let manifest = match Manifest::read(dir) {
        Ok(manifest) => manifest,
        Err(error) => {
            agreement.changes.push(format!("the manifest says nothing: {error}"));
            return agreement;
        }
    };
    let changes = &mut agreement.changes;
    let this = build(env!("CARGO_PKG_VERSION"), Some(hash::program()));
    if manifest.version != env!("CARGO_PKG_VERSION")
        || manifest.program.as_deref().is_some_and(|p| p != hash::program())
    {
        changes.push(format!("the run was written by {}; this is {this}", manifest.build()));
    }
    let now = strategists(&manifest.config);
    for then in &manifest.strategies {
        let Some(now) = now.iter().find(|now| now.instance == then.instance && now.strategy == then.strategy) else {
            changes.push(format!("strategy {} of {} is not known to this build", then.strategy, then.instance));
            continue;
        };
        if now.version != then.version {
            changes.push(format!(
                "strategy {} of {} had version {}; it has {} now",
                then.strategy, then.instance, then.version, now.version
            ));
        }
    }
    contradictions(dir, &manifest, &mut agreement.contradictions);
    agreement
}

fn contradictions(dir: &Path, manifest: &Manifest, found: &mut Vec<String>) {
    let hash_now = stated_config(dir).map(|config| hash::text(&config));
    if let (Some(stated), Some(now)) = (&manifest.config_sha256, &hash_now)
        && stated != now
    {
        found.push(format!(
            "its configuration has the hash {}, and it states {}: somebody has changed it",
            hash::short(now),
            hash::short(stated)
        ));
    }
    let Some((run, setup)) = setup(dir) else { return };
    if run != manifest.run_id {
        found.push(format!("it speaks of run {}, the journal is of run {run}", manifest.run_id));
    }
    if let Some(setup) = setup {
        if manifest.seed.as_deref().is_some_and(|seed| seed != hash::hex(&setup.seed)) {
            found.push("its seed is not the journal's".to_owned());
        }
        let engine = serde_json::from_str::<Value>(&setup.config).unwrap_or_default();
        for setting in
            manifest.config.get("engine").into_iter().flat_map(|then| oddsmith_report::differing(then, &engine))
        {
            found.push(format!("it states {} = {}, the journal {}", setting.key, setting.first, setting.second));
        }
    }
}

/// The configuration as it stands in the file, without the spaces: the digits of its numbers as they were written.
fn stated_config(dir: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Raw<'t> {
        #[serde(borrow)]
        config: &'t RawValue,
    }
    let text = fs::read_to_string(dir.join(FILE)).ok()?;
    let raw: Raw<'_> = serde_json::from_str(&text).ok()?;
    let (mut out, mut in_text, mut escaped) = (String::new(), false, false);
    for char in raw.config.get().chars() {
        if !in_text && char.is_ascii_whitespace() {
            continue;
        }
        in_text ^= char == '"' && !escaped;
        escaped = in_text && char == '\\' && !escaped;
        out.push(char);
    }
    Some(out)
}

/// The run that a journal is of, and the first input if it can be read.
fn setup(dir: &Path) -> Option<(RunId, Option<Box<Setup>>)> {
    let mut reader = Reader::open(dir).ok()?;
    let run = reader.run();
    let record = reader.next().ok().flatten().filter(|record| record.head.kind == Kind::SETUP);
    let setup = record.and_then(|record| match decode_input(record.payload) {
        Ok(Input::Setup(setup)) => Some(setup),
        _ => None,
    });
    Some((run, setup))
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::Payer;
    use oddsmith_journal::{Encoder, Options, RecordHead, Writer};
    use serde_json::json;

    use super::*;

    fn config() -> Value {
        json!({
            "journal": { "note": "a \"quoted\" \\ text with  spaces", "odd": 0.1 },
            "engine": { "instances": [{ "name": "m", "markets": ["*"], "strategy": { "skewed_maker": {} } }] },
        })
    }

    fn written(dir: &Path, config: &Value) -> Manifest {
        let engine: EngineConfig = EngineConfig::deserialize(&config["engine"]).expect("a configuration");
        let mut config = config.clone();
        config["engine"] = serde_json::to_value(&engine).expect("JSON");
        let new = NewRun {
            id: RunId([3; 16]),
            command: "run",
            config,
            seed: [9; 32],
            journal: Options::default(),
            account: None,
            venue: None,
            predecessor: Some(RunId([2; 16])),
        };
        let manifest = Manifest::of(&new);
        manifest.write(dir).expect("written");
        let options = Options { segment_bytes: 1 << 16, ..Options::default() };
        let mut writer = Writer::create(dir, new.id, &options).expect("a journal");
        let account = Address([1; 20]);
        let setup = Setup {
            run: new.id,
            seed: new.seed,
            account,
            payer: Payer::own(account),
            chain_id: 137,
            config: engine.to_json().expect("JSON"),
        };
        let mut encoder = Encoder::default();
        let record = encoder.input(&Input::Setup(Box::new(setup))).expect("encodes");
        let head = RecordHead { time: Default::default(), kind: record.kind, ids: record.ids };
        writer.append(&head, record.payload).expect("room");
        writer.close().expect("closes");
        manifest
    }

    fn rewrite(dir: &Path, from: &str, to: &str) {
        let text = fs::read_to_string(dir.join(FILE)).expect("a manifest");
        assert!(text.contains(from), "{from} in {text}");
        fs::write(dir.join(FILE), text.replacen(from, to, 1)).expect("written");
    }

    #[test]
    fn what_was_written_agrees_with_its_journal_and_this_build() {
        let dir = tempfile::tempdir().expect("a folder");
        let manifest = written(dir.path(), &config());
        assert_eq!(Manifest::read(dir.path()).expect("a manifest"), manifest);
        assert_eq!(check(dir.path()), Agreement::default());
        let [strategist] = manifest.strategies.as_slice() else { panic!("{manifest:?}") };
        assert_eq!((strategist.instance.as_str(), strategist.strategy.as_str()), ("m", "skewed_maker"));
        assert!(strategist.version >= 1 && strategist.config_sha256.len() == 64);
        assert_eq!(manifest.program.as_deref().map(str::len), Some(64));
        assert!(!dir.path().join("manifest.new").exists());
    }

    #[test]
    fn another_build_is_named_and_is_no_contradiction() {
        let dir = tempfile::tempdir().expect("a folder");
        let manifest = written(dir.path(), &config());
        rewrite(dir.path(), &manifest.program.clone().expect("a hash"), &"ab".repeat(32));
        let version = manifest.strategies[0].version;
        rewrite(dir.path(), &format!("\"version\": {version}"), "\"version\": 99");
        let Agreement { changes, contradictions } = check(dir.path());
        assert!(contradictions.is_empty(), "{contradictions:?}");
        let told = changes.join("\n");
        assert!(told.contains("program abababab; this is") && told.contains("had version 99"), "{told}");
    }

    #[test]
    fn a_changed_manifest_contradicts_its_journal() {
        for (from, to, told) in [
            ("0.1\n", "0.2\n", "somebody has changed it"),
            (&"09".repeat(32)[..], &"08".repeat(32)[..], "its seed is not the journal's"),
            ("0x0303", "0x0403", "the journal is of run 0x0303"),
            ("\"name\": \"m\"", "\"name\": \"n\"", "engine.instances.0.name = \"n\", the journal \"m\""),
        ] {
            let dir = tempfile::tempdir().expect("a folder");
            written(dir.path(), &config());
            rewrite(dir.path(), from, to);
            let found = check(dir.path()).contradictions.join("\n");
            assert!(found.contains(told), "{from} -> {to}: {found}");
        }
    }

    #[test]
    fn the_first_version_is_read_and_a_later_one_refused_by_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = json!({
            "schema_version": 1, "run_id": RunId([3; 16]), "version": "0.0.9", "started_wall_ns": 5, "command": "run",
            "config": { "engine": {} }, "account": null, "venue": "http://there", "predecessor": null,
        });
        fs::write(dir.path().join(FILE), first.to_string()).expect("written");
        let manifest = Manifest::read(dir.path()).expect("a manifest");
        assert_eq!((manifest.program, manifest.seed, manifest.strategies.len()), (None, None, 0));
        assert_eq!(manifest.venue.as_deref(), Some("http://there"));
        assert!(check(dir.path()).changes[0].contains("written by oddsmith 0.0.9;"));
        fs::write(dir.path().join(FILE), "{\"schema_version\":3,\"run\":7}").expect("written");
        let error = Manifest::read(dir.path()).expect_err("refused").to_string();
        assert!(error.contains("version 3") && error.contains("up to 2"), "{error}");
    }
}
