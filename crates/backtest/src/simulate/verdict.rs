//! What is said of a simulation at its end: whether its journals hold, and if something was wrong, what came before it.

use oddsmith_domain::Time;
use oddsmith_journal::decode_output;

use super::world::World;
use super::{Broken, Plan, disk};

/// So many of the last records that speak of the same things are shown with a failure.
const SHOWN: usize = 16;

impl World {
    /// Has the journals of all runs audited: every limit and the ledger at every record, by books that are nobody else's.
    pub(super) fn audit(&mut self) -> Result<(), String> {
        for run in 0..=self.run {
            let report = oddsmith_audit::audit(&run_dir(&self.plan, run)).map_err(|error| error.to_string())?;
            if let Some(first) = report.violations.first() {
                return Err(format!(
                    "the audit of run {run} finds {} violations, the first at record {} ({}): {}",
                    report.violation_count, first.record, first.rule, first.what
                ));
            }
            self.tally.audited += report.totals.records;
        }
        Ok(())
    }

    /// What was wrong, with what came before it: the last faults, and the last records that speak of the same things.
    pub(super) fn broken(&mut self, what: String) -> Broken {
        // The journal is read as it is; what could not be closed shows as its end.
        let _ = self.process.disk.close();
        let mut causes: Vec<String> =
            self.struck.iter().rev().take(6).rev().map(|(at, words)| format!("{at} ms, fault: {words}")).collect();
        let names: Vec<&str> = what.split([' ', ':', ',']).filter(|word| word.len() >= 36).collect();
        let mut shown = std::collections::VecDeque::new();
        let read = disk::read(self.process.disk.dir(), |_, record| {
            let about = record.head.ids.order.map(|order| order.to_string());
            let named = |text: &str| names.iter().any(|name| text.contains(name));
            if names.is_empty() && !record.head.kind.is_output() {
                return Ok(());
            }
            let Ok(output) = decode_output(record.payload) else { return Ok(()) };
            let text = format!("{:?}", output.body);
            if names.is_empty() || about.is_some_and(|order| named(&order)) || named(&text) {
                if shown.len() == SHOWN {
                    shown.pop_front();
                }
                let at_ms = record.head.time.mono_ns / Time::MILLI;
                let text: String = text.chars().take(220).collect();
                shown.push_back(format!("{at_ms} ms, record {}: {text}", record.sequence));
            }
            Ok(())
        });
        causes.extend(shown);
        causes.extend(self.audit().err().filter(|found| *found != what));
        causes.extend(read.err());
        Broken {
            seed: self.plan.seed,
            at_ms: self.now.mono_ns / Time::MILLI,
            what,
            causes,
            journals: self.plan.dir.clone(),
        }
    }
}

/// Where a run of the process is written down.
pub(super) fn run_dir(plan: &Plan, run: u32) -> std::path::PathBuf {
    plan.dir.join(format!("run-{run:03}"))
}
