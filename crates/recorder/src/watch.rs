//! One market under watch: its book, what is proven of it, and the gap under way.

use oddsmith_book::{Applied, Glance, HashCheck, HashCounts, HashPolicy, PairBook};
use oddsmith_domain::{AssetId, BookHealth, MarketBatch, MarketCard, MarketEvent, MarketSource, Outcome, Time};

use crate::certificate::{Cause, Gap};
use crate::checkpoint::Followed;
use crate::envelope::BookNote;
use crate::hours::{Hours, add};

/// A batch of changes is taken to have ended when the market has been silent for this long: its frames come at once, but a busy
/// machine may hand them over in two goes.
const SETTLE_NS: u64 = Time::SECOND;
/// Between two questions for the same book.
const ASK_NS: u64 = 2 * Time::SECOND;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Watch {
    pub card: MarketCard,
    /// The socket that carries it.
    pub socket: u16,
    pub hours: Hours,
    book: PairBook,
    /// Tokens whose book must come before anything is right again.
    awaited: [bool; 2],
    /// Up to when nothing is missing; `None` before the first books.
    right_ns: Option<u64>,
    /// When the last frame came.
    last_ns: u64,
    gap: Option<Gap>,
    counted: HashCounts,
    /// When each token's book was asked for last, on the monotonic clock.
    asked: [u64; 2],
    /// The token that is compared next, and when, on the monotonic clock.
    pub check: (Outcome, u64),
    /// What was to be seen of the book when it was last noted.
    noted: Option<Glance>,
}

/// What a REST book was read for, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The stream flows: a book and what follows it are complete.
    Flows,
    /// It does not: a book proves nothing beyond its moment.
    Broken,
}

impl Watch {
    pub fn new(card: &MarketCard, socket: u16, hours: Hours, policy: HashPolicy) -> Watch {
        let mut book = PairBook::new(card);
        book.set_hash_policy(policy);
        Watch {
            card: card.clone(),
            socket,
            hours,
            book,
            awaited: [true; 2],
            right_ns: None,
            last_ns: 0,
            gap: None,
            counted: HashCounts::default(),
            asked: [0; 2],
            check: (Outcome::Yes, 0),
            noted: None,
        }
    }

    /// Goes on where an earlier recorder stopped: what lies between is a gap.
    pub fn resume(&mut self, followed: Followed, last_ns: u64) {
        if followed.hours.unit_ns() == self.hours.unit_ns() {
            self.hours = followed.hours;
        }
        self.right_ns = followed.right_ns;
        if let Some(right_ns) = followed.right_ns {
            let from_ns = right_ns.max(last_ns);
            let mut gap = followed.gap.unwrap_or(Gap { from_ns, to_ns: 0, causes: Vec::new() });
            add(&mut gap.causes, Cause::Restart);
            self.gap = Some(gap);
        }
    }

    pub fn followed(&self) -> Followed {
        Followed {
            card: self.card.clone(),
            socket: self.socket,
            hours: self.hours.clone(),
            right_ns: self.right_ns,
            gap: self.gap.clone(),
        }
    }

    /// The book as it is now, if that is known and another one than when it was last noted.
    pub fn note(&mut self) -> Option<BookNote> {
        if self.gap.is_some() || self.right_ns.is_none() {
            return None;
        }
        let seen = self.book.glance(Outcome::Yes);
        if self.noted.replace(seen) == Some(seen) {
            return None;
        }
        Some(BookNote::of(&self.card.slug, &self.card.condition.to_string(), &seen))
    }

    pub fn gap(&self) -> Option<&Gap> {
        self.gap.as_ref()
    }

    pub fn update(&mut self, card: &MarketCard) {
        self.book.update_card(card);
        self.card = card.clone();
    }

    /// Takes one event of a frame.
    pub fn event(&mut self, batch: &MarketBatch, event: &MarketEvent, now: Time) {
        match event {
            MarketEvent::Snapshot(header) => {
                let _ = self.snapshot(batch, event, header.asset.outcome(), now, MarketSource::Shard(self.socket));
                self.awaited[header.asset.outcome().index()] = false;
                self.hours.now().snapshots += 1;
            }
            _ => {
                self.hours.now().hashes.changes += u64::from(matches!(event, MarketEvent::Change(_)));
                let _ = self.book.apply_event(batch, event, now, MarketSource::Shard(self.socket));
            }
        }
    }

    /// The events of a frame have been taken.
    pub fn frame_ended(&mut self, now: Time) {
        self.book.end_of_frame(now);
        self.hours.now().frame(now.wall_ns);
        let before = std::mem::replace(&mut self.last_ns, now.wall_ns);
        self.count(before);
        self.judge(now, Cause::HashMismatch);
    }

    /// A book came by REST.
    pub fn rest(&mut self, batch: &MarketBatch, event: &MarketEvent, outcome: Outcome, now: Time, flow: Flow) {
        self.hours.now().checks.read += 1;
        self.asked[outcome.index()] = 0;
        if self.gap.is_none() && self.right_ns.is_some() && self.agrees(batch, event, now) {
            self.hours.now().checks.agreed += 1;
            return;
        }
        let Some(applied) = self.snapshot(batch, event, outcome, now, MarketSource::Rest) else { return };
        self.count(self.last_ns);
        let checks = &mut self.hours.now().checks;
        if applied.difference {
            checks.differed += 1;
        } else {
            checks.agreed += 1;
        }
        if flow == Flow::Flows {
            self.awaited[outcome.index()] = false;
            self.judge(now, Cause::BookDiffers);
        }
    }

    /// Whether a book agrees with what the stream has said. It is tried on a copy: a book can overtake the frames of its own millisecond,
    /// and what they say of the states before its own would then seem wrong.
    fn agrees(&mut self, batch: &MarketBatch, event: &MarketEvent, now: Time) -> bool {
        let mut copy = self.book.clone();
        let unproven = copy.next_check_mono_ns().is_some();
        let Some(applied) = copy.apply_event(batch, event, now, MarketSource::Rest) else { return true };
        if applied.fresh && applied.changed == 0 && applied.hash == HashCheck::Reproduced && !unproven {
            self.right_ns = self.right_ns.max(Some(now.wall_ns));
        }
        !applied.difference
    }

    pub fn rest_failed(&mut self) {
        self.hours.now().checks.failed += 1;
    }

    /// Applies a whole book.
    fn snapshot(
        &mut self,
        batch: &MarketBatch,
        event: &MarketEvent,
        outcome: Outcome,
        now: Time,
        source: MarketSource,
    ) -> Option<Applied> {
        let applied = self.book.apply_event(batch, event, now, source)?;
        if let (HashCheck::Unverifiable, MarketEvent::Snapshot(header)) = (applied.hash, event)
            && self.book.learn_facts(outcome, header, batch.bids(header), batch.asks(header))
        {
            // A fact that the card does not state can be read off the hash itself.
            let _ = self.book.apply_event(batch, event, now, source);
        }
        Some(applied)
    }

    /// A quiet moment: hashes that wait for the end of their batch.
    pub fn idle(&mut self, now: Time) {
        let silent = now.wall_ns.saturating_sub(self.last_ns) >= SETTLE_NS;
        if silent && self.book.next_check_mono_ns().is_some_and(|due| due <= now.mono_ns) {
            self.book.idle_check(now);
            self.count(self.last_ns);
            self.judge(now, Cause::HashMismatch);
        }
    }

    /// Adds the hashes that were compared since the last time. A proof covers everything up to `proven_ns`.
    fn count(&mut self, proven_ns: u64) {
        let (now, then) = (self.book.hash_counts(), self.counted);
        let hashes = &mut self.hours.now().hashes;
        let (checked, reproduced) = (now.checked - then.checked, now.reproduced - then.reproduced);
        hashes.checked += checked;
        hashes.reproduced += reproduced;
        hashes.not_comparable += (now.unverifiable - then.unverifiable) + (now.unfinished - then.unfinished);
        self.counted = now;
        if checked > 0 && checked == reproduced && self.gap.is_none() {
            self.right_ns = self.right_ns.max(Some(proven_ns)).filter(|_| self.right_ns.is_some());
        }
    }

    /// Opens or closes the gap, as the book stands.
    fn judge(&mut self, now: Time, cause: Cause) {
        let right = !self.awaited.contains(&true)
            && matches!(self.book.worst_health(), BookHealth::Verified | BookHealth::Unverifiable);
        match (right, &mut self.gap) {
            (true, Some(_)) => self.close(now.wall_ns),
            (true, None) => {
                if self.right_ns.is_none() {
                    self.right_ns = Some(now.wall_ns);
                    let hour = self.hours.now();
                    hour.from_ns = now.wall_ns.max(hour.start_ns);
                }
            }
            (false, Some(gap)) => {
                // While books are awaited, a hash that does not fit says nothing new.
                if !self.awaited.contains(&true)
                    && matches!(self.book.worst_health(), BookHealth::Suspect | BookHealth::Dirty)
                {
                    add(&mut gap.causes, cause);
                }
            }
            (false, None) => self.open(self.right_ns, cause),
        }
    }

    fn open(&mut self, from_ns: Option<u64>, cause: Cause) {
        let Some(from_ns) = from_ns else { return };
        self.gap = Some(Gap { from_ns, to_ns: 0, causes: vec![cause] });
    }

    fn close(&mut self, now_ns: u64) {
        if let Some(gap) = self.gap.take() {
            self.hours.gap(&Gap { to_ns: now_ns, ..gap });
            self.right_ns = Some(now_ns);
        }
    }

    /// The connection was lost, or says nothing. Up to its last data frame everything came, unless a hash still waits for its proof.
    pub fn broken(&mut self, last_data_ns: u64, cause: Cause) {
        let unproven = self.book.finish_batch().iter().any(|entries| *entries > 0);
        self.count(self.last_ns);
        self.awaited = [true; 2];
        match &mut self.gap {
            Some(gap) => add(&mut gap.causes, cause),
            None => {
                let from = if unproven { self.right_ns } else { self.right_ns.map(|ns| ns.max(last_data_ns)) };
                self.open(from, cause);
            }
        }
    }

    /// The connection carries data again: whatever is still awaited is asked for at once.
    pub const fn resumed(&mut self) {
        self.asked = [0; 2];
    }

    /// A first book did not come.
    pub fn missing(&mut self) {
        if let Some(gap) = &mut self.gap {
            add(&mut gap.causes, Cause::MissingSnapshot);
        }
    }

    /// Books to be read by REST now, because something is not right.
    pub fn wanted(&mut self, market: oddsmith_domain::MarketId, now: Time, wanted: &mut Vec<AssetId>) {
        for outcome in Outcome::BOTH {
            let sick = matches!(self.book.health(outcome), BookHealth::Suspect | BookHealth::Dirty);
            let asked = &mut self.asked[outcome.index()];
            if (sick || self.awaited[outcome.index()]) && now.mono_ns.saturating_sub(*asked) >= ASK_NS {
                *asked = now.mono_ns;
                wanted.push(market.asset(outcome));
            }
        }
    }
}
