//! What a recorder says to people.

use std::fmt::Write as _;
use std::io::Write as _;

use oddsmith_domain::Time;
use oddsmith_recorder::{Cause, Gap, PenState, Totals};

use super::RecordEnd;
use crate::failure::Failure;

/// Gaps that are told at the end.
const TOLD: usize = 20;

/// The status line and its timer.
pub struct Status {
    every_ns: u64,
    next_at: u64,
    last: (u64, u64),
}

impl Status {
    /// A line every so often; never if zero.
    pub fn every(every_ns: u64, now: Time) -> Status {
        let next_at = if every_ns == 0 { u64::MAX } else { now.mono_ns.saturating_add(every_ns) };
        Status { every_ns, next_at, last: (now.mono_ns, 0) }
    }

    /// Prints the line if it is time.
    pub fn show(
        &mut self,
        now: Time,
        totals: &Totals,
        pen: &PenState,
        ((sockets, live), markets): ((usize, usize), usize),
    ) -> Result<(), Failure> {
        if now.mono_ns < self.next_at {
            return Ok(());
        }
        self.next_at = now.mono_ns.saturating_add(self.every_ns);
        let (then, frames) = std::mem::replace(&mut self.last, (now.mono_ns, totals.frames));
        let seconds = now.mono_ns.saturating_sub(then) as f64 / 1e9;
        let rate = totals.frames.saturating_sub(frames) as f64 / seconds.max(1e-9);
        let line = format!(
            "{}  sockets {live}/{sockets}  markets {markets}  frames {} ({rate:.0}/s)  hashes {}/{}  gaps {} ({} open)  \
             not understood {}  written {} KiB  waits {}  memory {} KiB\n",
            crate::time::utc(now.wall_ns),
            totals.frames,
            totals.hashes.1,
            totals.hashes.0,
            totals.gaps,
            totals.open_gaps,
            totals.undecodable,
            pen.bytes.1 >> 10,
            pen.waits,
            resident_kib(),
        );
        std::io::stdout().lock().write_all(line.as_bytes()).map_err(|error| Failure::output(&error))
    }
}

/// Memory of this process that is in use, in KiB; 0 where the system does not tell.
fn resident_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The last words, for people.
pub fn summary(end: &RecordEnd) -> String {
    let RecordEnd { root, under_way, totals, pen, .. } = end;
    let (checked, reproduced) = totals.hashes;
    let mut text = format!(
        "recorded    {} frames, {} lines, {} KiB packed of {} KiB\n\
         proven      {reproduced} of {checked} hashes reproduced in the hours under way\n\
         certified   {} markets and hours under way, {} gaps, {} not over\n\
         files       {}\n",
        totals.frames,
        pen.lines,
        pen.bytes.1 >> 10,
        pen.bytes.0 >> 10,
        under_way.len(),
        under_way.iter().map(|certificate| certificate.gaps.len()).sum::<usize>(),
        totals.open_gaps,
        root.display(),
    );
    let gaps = under_way.iter().flat_map(|certificate| certificate.gaps.iter().map(move |gap| (certificate, gap)));
    for (certificate, gap) in gaps.clone().take(TOLD) {
        let _ = writeln!(text, "gap         {}  {}", told(gap), certificate.market);
    }
    let more = gaps.count().saturating_sub(TOLD);
    if more > 0 {
        let _ = writeln!(text, "gap         and {more} more: coverage.jsonl and coverage.open.jsonl have all of them");
    }
    text
}

fn told(gap: &Gap) -> String {
    let causes: Vec<&str> = gap.causes.iter().map(|cause| word(*cause)).collect();
    let seconds = gap.to_ns.saturating_sub(gap.from_ns) as f64 / 1e9;
    format!("{} for {seconds:.3} s: {}", crate::time::utc(gap.from_ns), causes.join(", "))
}

const fn word(cause: Cause) -> &'static str {
    match cause {
        Cause::Disconnect => "disconnected",
        Cause::Frozen => "frozen",
        Cause::MissingSnapshot => "no first book",
        Cause::HashMismatch => "the hash did not fit",
        Cause::BookDiffers => "the book differed",
        Cause::Restart => "no recorder ran",
    }
}
