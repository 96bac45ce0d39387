//! Stretches of venue time for which updates are missing.

use oddsmith_domain::BookHealth;

use super::Gap;

/// Gaps that are kept; a file that has more is beyond being described one by one.
const KEPT: usize = 100_000;

/// The gaps of a file, in the order in which they ended.
#[derive(Default)]
pub(super) struct Gaps {
    pub all: Vec<Gap>,
}

impl Gaps {
    fn push(&mut self, token: &str, from: u64, to: u64) {
        if let Some(last) = self.all.iter_mut().rev().take(64).find(|gap| gap.asset_id == token)
            && from < last.to
        {
            last.to = last.to.max(to);
            return;
        }
        if self.all.len() < KEPT {
            self.all.push(Gap { asset_id: token.to_owned(), from, to });
        }
    }
}

/// One token's account of what it has proof of.
#[derive(Default)]
pub(super) struct Track {
    /// The venue time up to which the book is known to be right.
    right_ms: Option<u64>,
    /// The newest venue time, and the one before it.
    newest_ms: u64,
    before_ms: u64,
    /// Whether changes came for it: a series of snapshots alone has no gaps.
    streamed: bool,
    /// A snapshot told of changes between these times which did not come (yet).
    missing: Option<(u64, u64)>,
    /// The book has been doubtful since.
    doubt_from: Option<u64>,
}

impl Track {
    /// A snapshot at `ms`; `differs` if it changed something in the book.
    pub fn snapshot(&mut self, token: &str, ms: u64, differs: bool, gaps: &mut Gaps) {
        if self.streamed && differs && ms > self.newest_ms {
            self.confirm(token, gaps);
            self.missing = Some((self.right_ms.unwrap_or(self.newest_ms), ms));
        }
        self.advance(ms);
    }

    /// An event of the stream for the market at `ms`. One that fills a stretch that seemed missing shows that nothing was: the
    /// snapshot had merely overtaken it.
    pub fn streamed(&mut self, token: &str, ms: u64, is_change: bool, gaps: &mut Gaps) {
        if let Some((from, to)) = self.missing {
            if ms > to {
                self.confirm(token, gaps);
            } else if ms > from {
                self.missing = None;
            }
        }
        self.streamed |= is_change;
        self.advance(ms);
    }

    /// The state of the token's book after a frame. `waiting` if a hash of the newest batch is still to be compared.
    pub fn judged(&mut self, token: &str, health: BookHealth, waiting: bool, gaps: &mut Gaps) {
        match health {
            BookHealth::Empty => {}
            BookHealth::Verified | BookHealth::Unverifiable => {
                self.right_ms =
                    Some(if waiting { self.before_ms.max(self.right_ms.unwrap_or(0)) } else { self.newest_ms });
                if let Some(from) = self.doubt_from.take() {
                    gaps.push(token, from, self.newest_ms);
                }
            }
            BookHealth::Suspect | BookHealth::Dirty => {
                self.doubt_from.get_or_insert(self.right_ms.unwrap_or(self.before_ms));
            }
        }
    }

    /// The recording ends, or the market is let go. `cut` if its last batch was left without its end.
    pub fn finish(&mut self, token: &str, cut: bool, gaps: &mut Gaps) {
        self.confirm(token, gaps);
        if cut {
            self.doubt_from.get_or_insert(self.right_ms.unwrap_or(self.before_ms));
        }
        if let Some(from) = self.doubt_from.take() {
            gaps.push(token, from, self.newest_ms);
        }
    }

    fn confirm(&mut self, token: &str, gaps: &mut Gaps) {
        if let Some((from, to)) = self.missing.take() {
            gaps.push(token, from, to);
        }
    }

    fn advance(&mut self, ms: u64) {
        if ms > self.newest_ms {
            self.before_ms = self.newest_ms;
            self.newest_ms = ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(steps: &[(&str, u64)]) -> Vec<(u64, u64)> {
        let (mut track, mut gaps) = (Track::default(), Gaps::default());
        for (step, ms) in steps {
            match *step {
                "same" => track.snapshot("7", *ms, false, &mut gaps),
                "differs" => track.snapshot("7", *ms, true, &mut gaps),
                "change" => track.streamed("7", *ms, true, &mut gaps),
                "trade" => track.streamed("7", *ms, false, &mut gaps),
                "wrong" => {
                    track.streamed("7", *ms, true, &mut gaps);
                    track.judged("7", BookHealth::Suspect, false, &mut gaps);
                    continue;
                }
                _ => unreachable!("a step of this test"),
            }
            track.judged("7", BookHealth::Verified, false, &mut gaps);
        }
        track.finish("7", false, &mut gaps);
        gaps.all.iter().map(|gap| (gap.from, gap.to)).collect()
    }

    #[test]
    fn a_snapshot_after_lost_changes_shows_a_gap() {
        assert_eq!(run(&[("differs", 10), ("change", 20), ("differs", 50), ("change", 60)]), [(20, 50)]);
        assert_eq!(run(&[("differs", 10), ("change", 20), ("differs", 50)]), [(20, 50)]);
        assert_eq!(run(&[("differs", 10), ("change", 20), ("same", 50), ("change", 60)]), []);
    }

    #[test]
    fn a_snapshot_that_overtook_its_changes_does_not() {
        assert_eq!(run(&[("differs", 10), ("change", 20), ("differs", 50), ("change", 50), ("change", 60)]), []);
        assert_eq!(run(&[("differs", 10), ("change", 20), ("differs", 50), ("change", 30), ("change", 60)]), []);
        assert_eq!(run(&[("differs", 10), ("change", 20), ("differs", 50), ("trade", 50), ("change", 60)]), []);
    }

    #[test]
    fn snapshots_alone_have_no_gaps() {
        assert_eq!(run(&[("differs", 10), ("differs", 20), ("differs", 30)]), []);
    }

    #[test]
    fn doubt_lasts_from_the_last_proof_to_the_next() {
        assert_eq!(run(&[("differs", 10), ("change", 20), ("wrong", 30), ("wrong", 40), ("differs", 50)]), [(20, 50)]);
        assert_eq!(run(&[("differs", 10), ("change", 20), ("wrong", 30)]), [(20, 30)]);
    }
}
