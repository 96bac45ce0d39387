//! When the venue's hash of changes is recomputed, and what comes of it.
//!
//! Several messages of one millisecond can carry the hash of the batch's final state, so a hash is compared with the book when
//! its batch has ended: a newer timestamp for the market, or [`SILENCE_NS`] without a frame. Both tokens stand on one ladder and
//! their entries arrive together, so what ends a batch for one ends it for the other.

use arrayvec::ArrayVec;
use oddsmith_domain::{BookHealth, BookLevel, Outcome, Side, Time, VenueHash};

use crate::PairBook;
use crate::text::Facts;

/// A batch has ended when the market has been silent for this long.
pub const SILENCE_NS: u64 = 250 * Time::MILLI;

/// Different hashes that one token may carry in one millisecond and still have each of them checked.
const GROUPS: usize = 8;
/// Levels of a book that a capture holds before its memory grows.
const CAPTURED: usize = 512;

/// How often the venue's hash of changes is recomputed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashPolicy {
    /// Each hash, at once, when its batch ends: for recordings, where time does not matter and completeness does.
    Every,
    /// The final state of one batch in so many is copied when the batch ends, and hashed by [`PairBook::idle_check`]; so is the
    /// state in which every silence begins. 0 leaves only the silences.
    Sampled {
        /// One batch in this many.
        one_in: u32,
    },
}

/// How many hashes of changes were compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashCounts {
    /// Entries whose hash was compared with the book at the end of their batch.
    pub checked: u64,
    /// Of these, the entries whose hash the book reproduced.
    pub reproduced: u64,
    /// Entries that could not be compared, because a fact that the hash covers is not known.
    pub unverifiable: u64,
    /// Entries whose batch's end was never seen, and which the book did not reproduce as it stood.
    pub unfinished: u64,
}

/// Entries that follow each other with the same hash.
#[derive(Clone, Copy, Debug)]
struct Group {
    hash: VenueHash,
    entries: u64,
}

/// A book that was copied for a later check.
#[derive(Clone, Debug)]
struct Capture {
    outcome: Outcome,
    hash: VenueHash,
    stamp: u32,
    timestamp_ms: u64,
    facts: [Facts; 3],
}

#[derive(Clone, Debug)]
pub(crate) struct Checks {
    pub policy: HashPolicy,
    pub counts: HashCounts,
    /// The batch that is open: its stamp and its venue time.
    pub batch_stamp: u32,
    batch_ms: u64,
    groups: [ArrayVec<Group, GROUPS>; 2],
    /// A text that cannot be reproduced stands in the token's book since its last snapshot.
    pub irregular: [bool; 2],
    /// Whether the stated best prices of the last frame have been looked at.
    pub stated_seen: bool,
    /// The facts before their last change, because a hash may have been made just before a trade or a tick change was announced;
    /// and those before their first change since the last level changed, which the open batch's hashes cover: an order that
    /// matches at several prices is announced several times.
    pub facts_before: [Option<Facts>; 2],
    /// Whether the facts have changed since the last change of a level.
    facts_moved: bool,
    last_change: Time,
    batches: u32,
    capture: Option<Capture>,
    captured: [Vec<BookLevel>; 2],
}

impl Default for Checks {
    fn default() -> Checks {
        Checks {
            policy: HashPolicy::Sampled { one_in: 32 },
            counts: HashCounts::default(),
            batch_stamp: 0,
            batch_ms: 0,
            groups: [ArrayVec::new(), ArrayVec::new()],
            irregular: [false; 2],
            stated_seen: true,
            facts_before: [None; 2],
            facts_moved: false,
            last_change: Time::default(),
            batches: 0,
            capture: None,
            captured: [Vec::with_capacity(CAPTURED), Vec::with_capacity(CAPTURED)],
        }
    }
}

impl Checks {
    /// Forgets what waits for a check.
    pub fn abandon(&mut self) {
        self.groups.iter_mut().for_each(ArrayVec::clear);
        self.capture = None;
        (self.batch_stamp, self.stated_seen, self.facts_before) = (0, true, [None; 2]);
        self.irregular = [false; 2];
    }

    /// Keeps the facts of now. Called before every change of them.
    pub fn facts_will_change(&mut self, facts: Facts) {
        self.facts_before[0] = Some(facts);
        if !std::mem::replace(&mut self.facts_moved, true) {
            self.facts_before[1] = Some(facts);
        }
    }

    /// Whether a hash waits for the end of its batch.
    fn is_open(&self) -> bool {
        self.groups.iter().any(|groups| !groups.is_empty())
    }

    /// A snapshot at `stamp` replaced the book: older copies prove nothing any more.
    pub fn drop_capture_before(&mut self, stamp: u32) {
        self.capture.take_if(|capture| capture.stamp <= stamp);
    }

    pub fn shift_stamps(&mut self, shift: u32) {
        self.batch_stamp = self.batch_stamp.saturating_sub(shift);
        self.capture = None;
    }
}

impl PairBook {
    /// How many hashes of changes were compared since the book was made.
    #[must_use]
    pub fn hash_counts(&self) -> HashCounts {
        self.checks.counts
    }

    /// Does the work that is kept off the way of a tick: hashes a copied batch, and the book as it stands once the market has
    /// been silent for [`SILENCE_NS`]. Says how many hashes were computed.
    pub fn idle_check(&mut self, now: Time) -> u32 {
        let mut hashed = 0;
        if let Some(capture) = self.checks.capture.take() {
            self.check_capture(&capture);
            hashed += 1;
        }
        if self.checks.is_open() && now.since(self.checks.last_change) >= SILENCE_NS {
            hashed += self.conclude();
        }
        hashed
    }

    /// When [`PairBook::idle_check`] has something to do, on the monotonic clock; `None` when nothing waits.
    #[must_use]
    pub fn next_check_mono_ns(&self) -> Option<u64> {
        let last = self.checks.last_change.mono_ns;
        if self.checks.capture.is_some() {
            Some(last)
        } else {
            self.checks.is_open().then(|| last.saturating_add(SILENCE_NS))
        }
    }

    /// Ends the open batch where a recording or a connection ends. A hash that is reproduced is a proof all the same; one that is
    /// not proves nothing, because the rest of its batch may be what is missing. Returns the entries that stayed unproven, by
    /// outcome.
    pub fn finish_batch(&mut self) -> [u64; 2] {
        Outcome::BOTH.map(|outcome| {
            self.match_groups(outcome);
            let groups = &mut self.checks.groups[outcome.index()];
            let unfinished = groups.iter().map(|group| group.entries).sum::<u64>();
            groups.clear();
            self.checks.counts.unfinished += unfinished;
            unfinished
        })
    }

    /// Prepares for a change of `outcome` at `stamp`: ends what it shows to have ended. Called before the change is applied.
    pub(crate) fn before_change(&mut self, outcome: Outcome, stamp: u32, hash: Option<VenueHash>) {
        if stamp > self.checks.batch_stamp {
            self.end_batch();
        } else if stamp == self.checks.batch_stamp && self.checks.policy == HashPolicy::Every {
            let last = self.checks.groups[outcome.index()].last();
            if last.is_some_and(|group| Some(group.hash) != hash) {
                // The earlier entries named a state on the way to the batch's end; it is this one, or it never was.
                Outcome::BOTH.into_iter().for_each(|outcome| {
                    self.match_groups(outcome);
                });
            }
        }
    }

    /// Remembers the hash of a change that was applied.
    pub(crate) fn after_change(
        &mut self,
        outcome: Outcome,
        (stamp, timestamp_ms): (u32, u64),
        hash: Option<VenueHash>,
        irregular: bool,
        now: Time,
    ) {
        let checks = &mut self.checks;
        checks.last_change = now;
        checks.facts_moved = false;
        checks.irregular[outcome.index()] |= irregular;
        if stamp < checks.batch_stamp {
            return;
        }
        (checks.batch_stamp, checks.batch_ms) = (stamp, timestamp_ms);
        let groups = &mut checks.groups[outcome.index()];
        let Some(hash) = hash else {
            return groups.clear();
        };
        match groups.last_mut() {
            Some(group) if group.hash == hash => group.entries += 1,
            last => {
                let full = groups_full(last.is_some(), checks.policy);
                if full || groups.is_full() {
                    groups.clear();
                }
                groups.push(Group { hash, entries: 1 });
            }
        }
    }

    /// The open batch has ended: something newer is about to be applied.
    pub(crate) fn end_batch(&mut self) {
        self.check_stated();
        if !self.checks.is_open() {
            return;
        }
        match self.checks.policy {
            HashPolicy::Every => {
                self.conclude();
            }
            HashPolicy::Sampled { one_in } => {
                self.checks.batches = self.checks.batches.wrapping_add(1);
                let due = one_in > 0 && self.checks.batches.is_multiple_of(one_in) && self.checks.capture.is_none();
                if due {
                    self.capture();
                }
                self.checks.groups.iter_mut().for_each(ArrayVec::clear);
            }
        }
    }

    /// Compares the batch's end with the best prices that were stated in it.
    fn check_stated(&mut self) {
        let Some(stated) = self.stated.filter(|stated| stated.stamp == self.checks.batch_stamp) else {
            return;
        };
        if stated.stamp >= self.newest && !self.agrees(&stated) {
            self.records[stated.by.index()].dirty(stated.stamp);
        }
    }

    /// Compares the hashes of the open batch with the book, which is as the batch left it. Says how many hashes were computed.
    fn conclude(&mut self) -> u32 {
        let mut hashed = 0;
        for outcome in Outcome::BOTH {
            let Some(last) = self.checks.groups[outcome.index()].last().copied() else {
                continue;
            };
            hashed += 1;
            let stamp = self.checks.batch_stamp;
            match self.match_groups(outcome) {
                None => {}
                Some(hash) if hash == last.hash => {}
                Some(_) => self.records[outcome.index()].refuted(stamp),
            }
            let groups = &mut self.checks.groups[outcome.index()];
            self.checks.counts.checked += groups.iter().map(|group| group.entries).sum::<u64>();
            groups.clear();
        }
        hashed
    }

    /// Counts and removes the groups whose hash is that of the book as it stands. A match of the last group proves the book.
    /// Returns the book's hash, if it can be computed.
    fn match_groups(&mut self, outcome: Outcome) -> Option<VenueHash> {
        let index = outcome.index();
        let last = self.checks.groups[index].last()?.hash;
        let Some(hash) = self.ladder_hash(outcome, last) else {
            let groups = &mut self.checks.groups[index];
            self.checks.counts.unverifiable += groups.iter().map(|group| group.entries).sum::<u64>();
            groups.clear();
            self.records[index].unverifiable();
            return None;
        };
        let matched: u64 = self.checks.groups[index].iter().filter(|g| g.hash == hash).map(|g| g.entries).sum();
        self.checks.groups[index].retain(|group| group.hash != hash);
        self.checks.counts.checked += matched;
        self.checks.counts.reproduced += matched;
        if hash == last {
            self.records[index].proven();
        }
        Some(hash)
    }

    /// The hash of a token's book as it stands, at the open batch's time. Where the current facts do not give the `expected` hash
    /// and earlier ones that may be meant do, it is the latter.
    fn ladder_hash(&mut self, outcome: Outcome, expected: VenueHash) -> Option<VenueHash> {
        if self.checks.irregular[outcome.index()] {
            return None;
        }
        let mut hasher = std::mem::take(&mut self.hasher);
        let mut hash = |facts: &Facts| {
            let (bids, asks) = (self.venue_levels(outcome, Side::Buy), self.venue_levels(outcome, Side::Sell));
            hasher.hash(outcome, self.checks.batch_ms, facts, bids, asks)
        };
        let current = hash(&self.facts);
        let earlier = self.checks.facts_before.iter().flatten().filter(|_| current != Some(expected));
        let before = earlier.filter_map(&mut hash).find(|before| *before == expected);
        self.hasher = hasher;
        before.or(current)
    }

    /// Copies the book of the first token that waits for a check.
    fn capture(&mut self) {
        let waiting = Outcome::BOTH.into_iter().find_map(|outcome| {
            let group = self.checks.groups[outcome.index()].last()?;
            (!self.checks.irregular[outcome.index()]).then_some((outcome, group.hash))
        });
        let Some((outcome, hash)) = waiting else {
            return;
        };
        let mut captured = std::mem::take(&mut self.checks.captured);
        for (levels, side) in captured.iter_mut().zip([Side::Buy, Side::Sell]) {
            levels.clear();
            levels.extend(self.venue_levels(outcome, side));
        }
        self.checks.captured = captured;
        let [last, first] = self.checks.facts_before;
        self.checks.capture = Some(Capture {
            outcome,
            hash,
            stamp: self.checks.batch_stamp,
            timestamp_ms: self.checks.batch_ms,
            facts: [self.facts, last.unwrap_or(self.facts), first.unwrap_or(self.facts)],
        });
    }

    fn check_capture(&mut self, capture: &Capture) {
        let [bids, asks] = &self.checks.captured;
        let mut known = false;
        for facts in &capture.facts {
            let (bids, asks) = (bids.iter().copied(), asks.iter().copied());
            let hash = self.hasher.hash(capture.outcome, capture.timestamp_ms, facts, bids, asks);
            known |= hash.is_some();
            if hash == Some(capture.hash) {
                self.checks.counts.checked += 1;
                self.checks.counts.reproduced += 1;
                // The copy is older than the book: it does not lift a doubt that came later.
                if self.health(capture.outcome) != BookHealth::Dirty {
                    self.records[capture.outcome.index()].proven();
                }
                return;
            }
        }
        if known {
            self.checks.counts.checked += 1;
            self.records[capture.outcome.index()].refuted(capture.stamp);
        } else {
            self.checks.counts.unverifiable += 1;
            self.records[capture.outcome.index()].unverifiable();
        }
    }
}

/// Whether the groups before a new one are given up: live, only the batch's last hash is of interest.
fn groups_full(any: bool, policy: HashPolicy) -> bool {
    any && policy != HashPolicy::Every
}
