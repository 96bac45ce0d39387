//! What the coverage certificates of our own recorder prove about a recording.
//!
//! They lie beside the frames. Where one names a gap, updates of the market are missing; where none speaks of the market, or one says that no
//! hash was ever compared, nothing proves that they are not. A certificate speaks of frames that were all written: when fewer of them are
//! there, it proves nothing. Recordings of others have no certificates and are not asked for them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oddsmith_recorder::{Certificate, SCHEMA_VERSION};

use super::TrialError;
use super::survey::{Evidence, Stretch};
use crate::tape::Form;

/// The files of certificates in a folder of frames: of the hours that are over, and of those that were under way.
const FILES: [&str; 2] = ["coverage.jsonl", "coverage.open.jsonl"];
/// What a recorder leaves in the folder above.
const STATE: &str = "recorder.json";

/// The certificates that lie beside recordings.
#[derive(Debug, Default)]
pub(super) struct Certified {
    /// By market and hour.
    certificates: BTreeMap<(String, u64), Certificate>,
    /// Whether every recording is one of our recorder's.
    all: bool,
}

impl Certified {
    /// Reads the certificates beside recordings.
    ///
    /// # Errors
    /// [`TrialError::Certificate`] for one that is not understood.
    pub(super) fn beside(recordings: &[(PathBuf, Form)]) -> Result<Certified, TrialError> {
        let mut found = Certified { certificates: BTreeMap::new(), all: !recordings.is_empty() };
        let mut folders: Vec<&Path> = Vec::new();
        for (path, form) in recordings {
            let folder = path.parent().unwrap_or(Path::new(""));
            if *form != Form::Frames || !is_ours(folder) {
                found.all = false;
            } else if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        for path in folders.iter().flat_map(|folder| FILES.map(|name| folder.join(name))) {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let wrong = |why: String| TrialError::Certificate { path: path.clone(), line: number + 1, why };
                let certificate: Certificate = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
                if certificate.schema_version != SCHEMA_VERSION {
                    let version = certificate.schema_version;
                    return Err(wrong(format!("version {version}; this build knows version {SCHEMA_VERSION}")));
                }
                found.add(certificate);
            }
        }
        Ok(found)
    }

    /// Of two certificates of one hour the one that reaches farther is the later one.
    fn add(&mut self, certificate: Certificate) {
        let key = (certificate.condition.clone(), certificate.hour_ns);
        match self.certificates.get(&key) {
            Some(known) if (known.complete, known.to_ns) >= (certificate.complete, certificate.to_ns) => {}
            _ => drop(self.certificates.insert(key, certificate)),
        }
    }

    fn hours(&self, condition: &str) -> impl Iterator<Item = &Certificate> {
        let range = (condition.to_owned(), 0)..=(condition.to_owned(), u64::MAX);
        self.certificates.range(range).map(|(_, certificate)| certificate)
    }

    /// Whether a market is certified, and all frames that its certificates speak of are there: so many were streamed. Then nothing else
    /// needs to be asked of its books.
    pub(super) fn covers(&self, condition: &str, streamed: u64) -> bool {
        let mut hours = self.hours(condition).peekable();
        hours.peek().is_some() && hours.map(|hour| hour.frames).sum::<u64>() <= streamed
    }

    /// Where it is not proven that nothing of a market is missing between the first and the last of its frames, of which so many were
    /// streamed.
    pub(super) fn holes(&self, condition: &str, frames: Stretch, streamed: u64) -> Vec<(Stretch, Evidence)> {
        if self.hours(condition).next().is_some() && !self.covers(condition, streamed) {
            return vec![(frames, Evidence::Nothing)];
        }
        let hours = self.hours(condition);
        let (mut holes, mut proven_to, mut any) = (Vec::new(), frames.from_ns, false);
        let mut miss = |from_ns: u64, to_ns: u64, evidence: Evidence| {
            let hole = Stretch { from_ns, to_ns }.within(frames);
            holes.extend(hole.map(|hole| (hole, evidence)));
        };
        for hour in hours {
            any = true;
            miss(proven_to, hour.from_ns, Evidence::Nothing);
            let unproven = hour.gaps_left_out > 0 || (hour.hashes.changes > 0 && hour.hashes.checked == 0);
            if unproven {
                miss(hour.from_ns, hour.to_ns.saturating_add(1), Evidence::Nothing);
            } else {
                hour.gaps.iter().for_each(|gap| miss(gap.from_ns.saturating_add(1), gap.to_ns, Evidence::Certificate));
            }
            // What was received at the last moment is within the hour.
            proven_to = proven_to.max(hour.to_ns.saturating_add(1));
        }
        if any || self.all {
            miss(proven_to, frames.to_ns, Evidence::Nothing);
        }
        holes
    }
}

fn is_ours(folder: &Path) -> bool {
    FILES.iter().any(|name| folder.join(name).is_file())
        || folder.parent().is_some_and(|above| above.join(STATE).is_file())
}

#[cfg(test)]
mod tests {
    use oddsmith_recorder::{Cause, Gap, Hashes};

    use super::*;

    fn hour(hour_ns: u64, from_ns: u64, to_ns: u64, gaps: &[(u64, u64)]) -> Certificate {
        let gap = |&(from_ns, to_ns): &(u64, u64)| Gap { from_ns, to_ns, causes: vec![Cause::Disconnect] };
        Certificate {
            schema_version: SCHEMA_VERSION,
            market: "m".to_owned(),
            condition: "0x1".to_owned(),
            hour: String::new(),
            hour_ns,
            complete: true,
            from_ns,
            to_ns,
            first_frame_ns: None,
            last_frame_ns: None,
            frames: 1,
            snapshots: 1,
            hashes: Hashes { changes: 4, checked: 4, reproduced: 4, not_comparable: 0 },
            checks: Default::default(),
            gaps: gaps.iter().map(gap).collect(),
            gaps_left_out: 0,
            gap_ns: 0,
        }
    }

    fn found(certified: &Certified, condition: &str) -> Vec<(u64, u64, Evidence)> {
        let frames = Stretch { from_ns: 110, to_ns: 400 };
        certified.holes(condition, frames, 4).into_iter().map(|(hole, why)| (hole.from_ns, hole.to_ns, why)).collect()
    }

    #[test]
    fn what_no_certificate_proves_is_a_hole() {
        let mut certified = Certified { all: true, ..Certified::default() };
        assert_eq!(found(&certified, "0x1"), [(110, 400, Evidence::Nothing)], "no certificate at all");
        certified.add(hour(100, 110, 199, &[(150, 160)]));
        certified.add(hour(300, 300, 399, &[]));
        let holes = [(151, 160, Evidence::Certificate), (200, 300, Evidence::Nothing)];
        assert_eq!(found(&certified, "0x1"), holes, "a gap, and an hour without a certificate");
        // A later certificate of the same hour counts, an earlier one does not.
        certified.add(Certificate { complete: false, ..hour(100, 110, 140, &[]) });
        assert_eq!(found(&certified, "0x1"), holes);
        certified.add(hour(200, 200, 299, &[]));
        assert_eq!(found(&certified, "0x1"), holes[..1]);
        let unchecked = Hashes { changes: 9, ..Hashes::default() };
        certified.add(Certificate { hashes: unchecked, to_ns: 300, ..hour(200, 200, 300, &[]) });
        assert_eq!(found(&certified, "0x1")[1], (200, 301, Evidence::Nothing), "no hash was ever compared");
        // Recordings of others are not asked for certificates.
        certified.all = false;
        assert_eq!(found(&certified, "0x2"), []);
        assert!(certified.covers("0x1", 3) && !certified.covers("0x1", 2) && !certified.covers("0x2", 9));
        certified.add(Certificate { frames: 3, ..hour(400, 400, 499, &[]) });
        assert_eq!(
            found(&certified, "0x1"),
            [(110, 400, Evidence::Nothing)],
            "six frames are certified, four are there"
        );
    }

    #[test]
    fn certificates_are_found_beside_the_frames_and_others_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let frames = dir.path().join("frames-0000.jsonl.zst");
        let recordings = [(frames, Form::Frames)];
        assert!(!Certified::beside(&recordings).expect("nothing there").all, "somebody else's recording");
        let path = dir.path().join(FILES[1]);
        let text = serde_json::to_string(&hour(100, 110, 199, &[])).expect("json");
        std::fs::write(&path, format!("{text}\n")).expect("written");
        let certified = Certified::beside(&recordings).expect("understood");
        assert!(certified.all && certified.certificates.len() == 1);
        let other = text.replace("\"schema_version\":1", "\"schema_version\":9");
        std::fs::write(&path, other).expect("written");
        let error = Certified::beside(&recordings).expect_err("another version").to_string();
        assert!(error.contains("coverage.open.jsonl") && error.contains("version 9"), "{error}");
    }
}
