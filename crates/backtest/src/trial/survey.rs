//! What recordings cover: their sessions, and the holes between them.
//!
//! A hole is a stretch in which updates of a market were lost, and that is proven: a snapshot differs from the book that the updates led
//! to, or the venue's hash does, twice in a row. Silence alone proves nothing. A session is a stretch without a hole of any market
//! that matters; it also ends where nothing at all came for [`Limits::silence_ns`]: the recorder was off.
//!
//! Our own recordings come with certificates of what they cover. Where these name a gap, or nothing is certified, there is a hole, too.

use std::path::PathBuf;

use oddsmith_domain::{MarketSource, Outcome, Time};
use serde::Serialize;

use super::TrialError;
use super::certified::Certified;
use crate::tape::{Assumed, Assumptions, Counts, Form, MarketNo, Tape, What, venue_ns};
use crate::verify::{Audit, Options};

/// How sessions are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Silence of everything for longer than this ends a session.
    pub silence_ns: u64,
    /// A session that is shorter than this is left out.
    pub shortest_ns: u64,
    /// For so long before a session that begins in the middle of a recording the books are followed, so that it begins with them.
    pub carried_ns: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { silence_ns: 120 * Time::SECOND, shortest_ns: Time::SECOND, carried_ns: 86_400 * Time::SECOND }
    }
}

/// A stretch of recording: from the first time to before the second, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Stretch {
    /// Its first moment.
    pub from_ns: u64,
    /// The first moment after it.
    pub to_ns: u64,
}

impl Stretch {
    /// How long it is, in nanoseconds.
    #[must_use]
    pub const fn length_ns(&self) -> u64 {
        self.to_ns.saturating_sub(self.from_ns)
    }

    /// What it has in common with another; `None` if nothing.
    #[must_use]
    pub fn within(&self, other: Stretch) -> Option<Stretch> {
        let both = Stretch { from_ns: self.from_ns.max(other.from_ns), to_ns: self.to_ns.min(other.to_ns) };
        (both.from_ns < both.to_ns).then_some(both)
    }
}

/// How a hole is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// A book or a hash of the recording itself is not what its updates had led to.
    Books,
    /// The recorder's certificate names it.
    Certificate,
    /// The recorder certified other hours, and not this one.
    Nothing,
}

impl Evidence {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Evidence::Books => "the books differ behind it",
            Evidence::Certificate => "the recorder's certificate names it",
            Evidence::Nothing => "no certificate proves that nothing is missing",
        }
    }
}

/// A hole of a market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hole {
    /// The market's short name.
    pub market: String,
    /// When, by the clock of the recording.
    pub stretch: Stretch,
    /// How that is known.
    pub evidence: Evidence,
}

/// A market of the recordings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Surveyed {
    /// Its short name.
    pub slug: String,
    /// Frames that name it.
    pub frames: u64,
    /// Which facts of it were assumed.
    pub assumed: Assumed,
    /// Whether a tick, a smallest order and a fee are known, stated or assumed.
    pub known: [bool; 3],
    /// Whether an instance trades it.
    pub in_scope: bool,
}

/// What a survey found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// What can be run, one after the other.
    pub sessions: Vec<Stretch>,
    /// Holes of markets that matter, in their order.
    pub holes: Vec<Hole>,
    /// Sessions that were too short.
    pub too_short: u64,
    /// The markets with both tokens.
    pub markets: Vec<Surveyed>,
    /// Markets of which one token was seen only.
    pub half_markets: usize,
    /// What the tape came across.
    pub counts: Counts,
}

/// What was seen of a market.
#[derive(Clone, Copy, Default)]
struct Seen {
    frames: u64,
    /// Of these, those that came by the channel and were not read by REST.
    streamed: u64,
    /// From the first to the last.
    stretch: Stretch,
}

impl Seen {
    fn take(&mut self, at: u64, what: &What) {
        if self.frames == 0 {
            self.stretch.from_ns = at;
        }
        (self.frames, self.stretch.to_ns) = (self.frames + 1, at + 1);
        self.streamed += u64::from(matches!(what, What::Frame(MarketSource::Shard(_))));
    }
}

/// Reads recordings once, without running anything over them. `scope` says which markets matter, by their short names; `watch` is
/// told how many entries were read.
///
/// # Errors
/// [`TrialError`] when a recording cannot be read.
pub fn survey(
    recordings: &[(PathBuf, Form)],
    assumptions: Assumptions,
    limits: Limits,
    scope: &dyn Fn(&str) -> bool,
    watch: &mut dyn FnMut(u64),
) -> Result<Survey, TrialError> {
    let certified = Certified::beside(recordings)?;
    let mut tape = Tape::open(recordings, assumptions)?;
    let mut audit = Audit::new("", &Options::default())?;
    let (mut parts, mut frames): (Vec<Stretch>, Vec<Seen>) = (Vec::new(), Vec::new());
    // How far the clock of the recording is ahead of the venue's, at the least.
    let mut ahead_ns: Option<i64> = None;
    while let Some(entry) = tape.next()? {
        let at = entry.at_ns;
        match parts.last_mut() {
            Some(part) if at.saturating_sub(part.to_ns) <= limits.silence_ns => part.to_ns = at + 1,
            _ => parts.push(Stretch { from_ns: at, to_ns: at + 1 }),
        }
        if let What::Frame(_) = entry.what {
            audit.frame(0, "", &entry.bytes, Some(at))?;
            if let Some(stated) = venue_ns(&entry.bytes) {
                let ahead = (at as i64).saturating_sub(stated as i64);
                ahead_ns = Some(ahead_ns.map_or(ahead, |known| known.min(ahead)));
            }
        }
        for no in &entry.markets {
            if frames.len() <= no.index() {
                frames.resize(no.index() + 1, Seen::default());
            }
            frames[no.index()].take(at, &entry.what);
        }
        watch(1);
    }
    let mut out = Survey { counts: tape.counts(), ..Survey::default() };
    let mut owners = std::collections::HashMap::new();
    for (no, seen) in (0..).zip(frames) {
        let Some((card, assumed)) = tape.roster().card(MarketNo(no)) else {
            out.half_markets += 1;
            continue;
        };
        let in_scope = scope(&card.slug);
        let condition = card.condition.to_string();
        // What the recorder certified it has compared itself, and knows what its reads by REST had overtaken.
        let asked = in_scope && !certified.covers(&condition, seen.streamed);
        for outcome in Outcome::BOTH {
            owners.insert(card.token(outcome).to_string(), (card.slug.clone(), asked));
        }
        if in_scope {
            let holes = certified.holes(&condition, seen.stretch, seen.streamed).into_iter();
            out.holes.extend(holes.map(|(stretch, evidence)| Hole { market: card.slug.clone(), stretch, evidence }));
        }
        let known = [card.tick.is_some(), card.min_size.is_some(), card.fee.is_some()];
        out.markets.push(Surveyed { slug: card.slug, frames: seen.frames, assumed, known, in_scope });
    }
    let here = |ms: u64| (ms as i64).saturating_mul(Time::MILLI as i64).saturating_add(ahead_ns.unwrap_or(0)) as u64;
    for gap in audit.finish().gaps {
        let Some((slug, true)) = owners.get(&gap.asset_id) else { continue };
        // Up to the last moment that is right, and from the first one again.
        let stretch = Stretch { from_ns: here(gap.from) + 1, to_ns: here(gap.to) };
        if stretch.from_ns < stretch.to_ns {
            out.holes.push(Hole { market: slug.clone(), stretch, evidence: Evidence::Books });
        }
    }
    out.holes.sort_by(|a, b| {
        let key = |hole: &Hole| (hole.stretch.from_ns, hole.stretch.to_ns, hole.market.clone(), hole.evidence);
        key(a).cmp(&key(b))
    });
    out.holes.dedup();
    let (sessions, too_short) = without(&parts, &out.holes, limits.shortest_ns);
    (out.sessions, out.too_short) = (sessions, too_short);
    Ok(out)
}

/// What is left of the parts without the holes, and how many pieces were too short to be kept.
fn without(parts: &[Stretch], holes: &[Hole], shortest_ns: u64) -> (Vec<Stretch>, u64) {
    let mut left = Vec::new();
    for part in parts {
        let mut from_ns = part.from_ns;
        for hole in holes.iter().filter_map(|hole| hole.stretch.within(*part)) {
            if hole.from_ns > from_ns {
                left.push(Stretch { from_ns, to_ns: hole.from_ns });
            }
            from_ns = from_ns.max(hole.to_ns);
        }
        if part.to_ns > from_ns {
            left.push(Stretch { from_ns, to_ns: part.to_ns });
        }
    }
    let all = left.len();
    left.retain(|stretch| stretch.length_ns() >= shortest_ns);
    let too_short = (all - left.len()) as u64;
    (left, too_short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from_ns: u64, to_ns: u64) -> Stretch {
        Stretch { from_ns, to_ns }
    }

    #[test]
    fn sessions_are_what_holes_leave() {
        let hole = |from_ns, to_ns| Hole {
            market: "m".to_owned(),
            stretch: stretch(from_ns, to_ns),
            evidence: Evidence::Books,
        };
        let parts = [stretch(0, 100), stretch(500, 600)];
        let holes = [hole(20, 30), hole(25, 50), hole(90, 110), hole(550, 551)];
        let (left, short) = without(&parts, &holes, 10);
        assert_eq!(left, [stretch(0, 20), stretch(50, 90), stretch(500, 550), stretch(551, 600)]);
        assert_eq!(short, 0);
        let (left, short) = without(&parts, &holes, 45);
        assert_eq!((left, short), (vec![stretch(500, 550), stretch(551, 600)], 2));
        assert_eq!(without(&parts, &[], 1).0, parts);
    }
}
