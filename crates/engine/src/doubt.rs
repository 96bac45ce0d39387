//! Doubt: stop, cancel, wait, re-enter with care, as four steps of a small machine.

use std::collections::BTreeSet;

use oddsmith_domain::{ActionSeq, DoubtCause, Time, planted};

/// Causes that end when the venue has shown its account, with nothing of ours left in it.
pub(crate) const VERIFIED: [DoubtCause; 6] = [
    DoubtCause::Start,
    DoubtCause::UnknownOrder,
    DoubtCause::Mismatch,
    DoubtCause::ClockJump,
    DoubtCause::Resync,
    DoubtCause::Guardian,
];

/// Where a scope stands on the way out of doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No doubt.
    Clear,
    /// The account is to be read before anything is cancelled, so that what is not ours can be named.
    Name(Step),
    /// Everything in the scope is to be cancelled.
    Cancel(Step),
    /// The venue is to show that nothing is left.
    Verify(Step),
    /// Nothing is left; wait until this monotonic time.
    CoolDown(u64),
    /// Nothing is left and the wait is over, but a cause is still there.
    Held,
    /// Quoting again, in caution until this monotonic time.
    Caution(u64),
}

/// A request that a phase needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To be made at or after this monotonic time.
    At(u64),
    /// Made; its result is awaited.
    Asked(ActionSeq),
}

/// What a scope's doubt wants done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Cancel everything in the scope.
    Cancel,
    /// Read the account.
    Read,
    /// Tell that doubt is over and caution begins.
    Ended,
    /// Tell that caution is over.
    Calm,
}

/// The doubt of one scope.
#[derive(Clone, Debug)]
pub(crate) struct Doubt {
    causes: BTreeSet<DoubtCause>,
    phase: Phase,
}

impl Doubt {
    pub(crate) const fn none() -> Doubt {
        Doubt { causes: BTreeSet::new(), phase: Phase::Clear }
    }

    /// Whether the scope may quote.
    pub(crate) fn may_quote(&self) -> bool {
        matches!(self.phase, Phase::Clear | Phase::Caution(_))
            || (planted!(DoubtIgnored) && matches!(self.phase, Phase::CoolDown(_)))
    }

    pub(crate) const fn is_cautious(&self) -> bool {
        matches!(self.phase, Phase::Caution(_))
    }

    pub(crate) const fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn has(&self, cause: DoubtCause) -> bool {
        self.causes.contains(&cause)
    }

    pub(crate) fn causes(&self) -> impl Iterator<Item = DoubtCause> + '_ {
        self.causes.iter().copied()
    }

    /// Whether nothing of ours is left in the scope, and the venue has shown it.
    pub(crate) const fn is_verified(&self) -> bool {
        matches!(self.phase, Phase::CoolDown(_) | Phase::Held)
    }

    /// A cause appears. Returns whether it is new. Whatever the scope was doing, it begins to cancel; a scope that is known to be
    /// empty only waits again.
    pub(crate) fn begin(&mut self, cause: DoubtCause, now: Time, cooldown_ns: u64) -> bool {
        let new = self.causes.insert(cause);
        match self.phase {
            Phase::Clear | Phase::Caution(_) => {
                let step = Step::At(now.mono_ns);
                self.phase = if cause == DoubtCause::Start { Phase::Name(step) } else { Phase::Cancel(step) };
            }
            // What is known to be empty stays so, unless the account itself is in question.
            Phase::CoolDown(_) | Phase::Held if VERIFIED.contains(&cause) => {
                self.phase = Phase::Cancel(Step::At(now.mono_ns));
            }
            Phase::CoolDown(_) | Phase::Held if new => self.phase = Phase::CoolDown(now.mono_ns + cooldown_ns),
            _ => {}
        }
        new
    }

    /// A cause is gone.
    pub(crate) fn resolve(&mut self, cause: DoubtCause) {
        self.causes.remove(&cause);
    }

    /// What is to be done at this time; the caller notes the action with [`Doubt::asked`].
    pub(crate) fn want(&mut self, now: Time, caution_ns: u64) -> Option<Want> {
        match self.phase {
            Phase::Cancel(Step::At(at)) if now.mono_ns >= at => Some(Want::Cancel),
            Phase::Name(Step::At(at)) | Phase::Verify(Step::At(at)) if now.mono_ns >= at => Some(Want::Read),
            Phase::CoolDown(until) if now.mono_ns >= until => {
                self.phase = Phase::Held;
                self.want(now, caution_ns)
            }
            Phase::Held if self.causes.is_empty() => {
                self.phase = Phase::Caution(now.mono_ns + caution_ns);
                Some(Want::Ended)
            }
            Phase::Caution(until) if now.mono_ns >= until => {
                self.phase = Phase::Clear;
                Some(Want::Calm)
            }
            _ => None,
        }
    }

    /// The request of the present phase was made.
    pub(crate) fn asked(&mut self, action: ActionSeq) {
        self.phase = match self.phase {
            Phase::Name(_) => Phase::Name(Step::Asked(action)),
            Phase::Cancel(_) => Phase::Cancel(Step::Asked(action)),
            Phase::Verify(_) => Phase::Verify(Step::Asked(action)),
            other => other,
        };
    }

    /// Whether this action's result is awaited.
    pub(crate) fn awaits(&self, action: ActionSeq) -> bool {
        matches!(
            self.phase,
            Phase::Name(Step::Asked(a)) | Phase::Cancel(Step::Asked(a)) | Phase::Verify(Step::Asked(a)) if a == action
        )
    }

    /// The request of the present phase failed, or did not show what it should: the phase begins again at this time.
    pub(crate) fn retry_at(&mut self, mono_ns: u64) {
        let step = Step::At(mono_ns);
        self.phase = match self.phase {
            Phase::Name(_) => Phase::Name(step),
            Phase::Cancel(_) | Phase::Verify(_) => Phase::Cancel(step),
            other => other,
        };
    }

    /// The request of the present phase cannot be made before this time.
    pub(crate) const fn postpone(&mut self, mono_ns: u64) {
        match &mut self.phase {
            Phase::Name(step) | Phase::Cancel(step) | Phase::Verify(step) => *step = Step::At(mono_ns),
            _ => {}
        }
    }

    /// The present phase is done.
    pub(crate) fn done(&mut self, now: Time, cooldown_ns: u64) {
        self.phase = match self.phase {
            Phase::Name(_) => Phase::Cancel(Step::At(now.mono_ns)),
            Phase::Cancel(_) => Phase::Verify(Step::At(now.mono_ns)),
            Phase::Verify(_) => Phase::CoolDown(now.mono_ns + cooldown_ns),
            other => other,
        };
    }

    /// A market's doubt needs no reading of the account: its cancel was answered order by order.
    pub(crate) fn done_without_reading(&mut self, now: Time, cooldown_ns: u64) {
        self.phase = Phase::CoolDown(now.mono_ns + cooldown_ns);
    }

    /// When the machine next has something to do by itself.
    pub(crate) fn deadline(&self) -> Option<u64> {
        match self.phase {
            Phase::Name(Step::At(at)) | Phase::Cancel(Step::At(at)) | Phase::Verify(Step::At(at)) => Some(at),
            Phase::CoolDown(at) | Phase::Caution(at) => Some(at),
            Phase::Held if self.causes.is_empty() => Some(0),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ns: u64) -> Time {
        Time { mono_ns: ns, wall_ns: 0 }
    }

    #[test]
    fn the_four_steps_in_order() {
        let mut doubt = Doubt::none();
        assert!(doubt.begin(DoubtCause::UserLink, at(10), 100));
        assert!(!doubt.may_quote());
        assert_eq!(doubt.want(at(10), 50), Some(Want::Cancel));
        doubt.asked(ActionSeq(1));
        assert_eq!(doubt.want(at(11), 50), None, "one cancel at a time");
        doubt.done(at(20), 100);
        assert_eq!(doubt.want(at(20), 50), Some(Want::Read));
        doubt.asked(ActionSeq(2));
        assert!(doubt.awaits(ActionSeq(2)) && !doubt.awaits(ActionSeq(1)));
        doubt.done(at(30), 100);
        assert_eq!(doubt.want(at(129), 50), None, "cooling down");
        assert_eq!(doubt.want(at(130), 50), None, "the cause is still there");
        doubt.resolve(DoubtCause::UserLink);
        assert_eq!(doubt.want(at(131), 50), Some(Want::Ended));
        assert!(doubt.may_quote() && doubt.is_cautious());
        assert_eq!(doubt.want(at(180), 50), None, "still in caution");
        assert_eq!(doubt.want(at(181), 50), Some(Want::Calm));
        assert!(!doubt.is_cautious());
    }

    #[test]
    fn what_failed_is_done_again_from_the_cancel() {
        let mut doubt = Doubt::none();
        doubt.begin(DoubtCause::UnknownOrder, at(0), 100);
        doubt.asked(ActionSeq(1));
        doubt.done(at(1), 100);
        doubt.asked(ActionSeq(2));
        doubt.retry_at(500);
        assert_eq!(doubt.want(at(499), 50), None);
        assert_eq!(doubt.want(at(500), 50), Some(Want::Cancel));
    }

    #[test]
    fn the_start_reads_before_it_cancels() {
        let mut doubt = Doubt::none();
        doubt.begin(DoubtCause::Start, at(0), 100);
        assert_eq!(doubt.want(at(0), 50), Some(Want::Read));
        doubt.asked(ActionSeq(1));
        doubt.done(at(1), 100);
        assert_eq!(doubt.want(at(1), 50), Some(Want::Cancel));
    }
}
