//! Replays the seeds, every corpus that fuzzing has grown here, and the recorded payloads beside the repository.

use std::fs;
use std::path::{Path, PathBuf};

use oddsmith_fuzz::{TARGETS, seeds};

#[test]
fn seeds_and_their_mutilations() {
    for (target, run) in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for seed in seeds {
            run(&seed);
            // cut short, and with one byte changed, at some fifty places
            let step = (seed.len() / 50).max(1);
            for at in (0..seed.len()).step_by(step) {
                run(&seed[..at]);
                let mut changed = seed.clone();
                changed[at] = changed[at].wrapping_add(1 + (at % 7) as u8);
                run(&changed);
            }
        }
    }
}

#[test]
fn grown_corpora() {
    for (target, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        for file in files(&folder) {
            run(&fs::read(file).expect("a readable file"));
        }
    }
}

#[test]
fn recorded_payloads() {
    let shared = std::env::var_os("ODDSMITH_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let fixtures = shared.join("data/polymarket/fixtures");
    if !fixtures.exists() {
        eprintln!("skipped: {} is not there", fixtures.display());
        return;
    }
    let files = files(&fixtures);
    assert!(files.len() > 50, "{} payloads", files.len());
    for file in files {
        let bytes = fs::read(&file).expect("a readable file");
        for (_, run) in TARGETS {
            run(&bytes);
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
