//! A breaker for each kind of request that may be held back: what fails again and again is left alone for a while.
//!
//! Cancels and heartbeats have none. A cancel must always be tried, and a heartbeat that is held back would cost every order.

use oddsmith_domain::{BreakerState, Event, GatewayOutcome, Output, PlaceOutcome, RequestKind, Time, UnknownCause};

use crate::config::ns;
use crate::core::Engine;

/// What the result of a request says of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answers.
    Answers,
    /// It does not.
    Fails,
    /// The request never came so far.
    Nothing,
}

/// How one kind of request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: u64 },
    HalfOpen { left: u32, passed: u32 },
}

/// One breaker.
#[derive(Clone, Copy, Debug)]
struct Breaker {
    state: State,
}

/// When breakers open, and how they close again.
#[derive(Clone, Copy, Debug)]
struct Policy {
    failures: u32,
    pause_ns: u64,
    probes: u32,
}

impl Breaker {
    const NEW: Breaker = Breaker { state: State::Closed { failures: 0 } };

    const fn shown(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// How many requests may go out now.
    const fn room(&self) -> usize {
        match self.state {
            State::Closed { .. } => usize::MAX,
            State::Open { .. } => 0,
            State::HalfOpen { left, .. } => left as usize,
        }
    }

    const fn sent(&mut self) {
        if let State::HalfOpen { left, .. } = &mut self.state {
            *left = left.saturating_sub(1);
        }
    }

    const fn on_time(&mut self, now: Time, policy: Policy) {
        if let State::Open { until } = self.state
            && now.mono_ns >= until
        {
            self.state = State::HalfOpen { left: policy.probes, passed: 0 };
        }
    }

    /// A result that was asked for before the breaker opened says nothing that is not known.
    const fn on_result(&mut self, verdict: Verdict, now: Time, policy: Policy) {
        let open = State::Open { until: now.mono_ns.saturating_add(policy.pause_ns) };
        self.state = match (self.state, verdict) {
            (State::Closed { .. }, Verdict::Answers) => State::Closed { failures: 0 },
            (State::Closed { failures }, Verdict::Fails) if failures + 1 >= policy.failures => open,
            (State::Closed { failures }, Verdict::Fails) => State::Closed { failures: failures + 1 },
            (State::HalfOpen { .. }, Verdict::Fails) => open,
            (State::HalfOpen { passed, .. }, Verdict::Answers) if passed + 1 >= policy.probes => {
                State::Closed { failures: 0 }
            }
            (State::HalfOpen { left, passed }, Verdict::Answers) => State::HalfOpen { left, passed: passed + 1 },
            // It was not sent, so it may be tried again.
            (State::HalfOpen { left, passed }, Verdict::Nothing) => State::HalfOpen { left: left + 1, passed },
            (state, _) => state,
        };
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Breakers([Breaker; KINDS.len()]);

const KINDS: [RequestKind; 4] = [RequestKind::Place, RequestKind::Query, RequestKind::Account, RequestKind::Book];

impl Breakers {
    pub(crate) const NEW: Breakers = Breakers([Breaker::NEW; KINDS.len()]);

    /// How many requests of a kind may go out now.
    pub(crate) const fn room(&self, kind: RequestKind) -> usize {
        self.0[kind as usize].room()
    }

    /// A request went out.
    pub(crate) const fn sent(&mut self, kind: RequestKind) {
        self.0[kind as usize].sent();
    }
}

/// What an outcome says of the endpoint that it came from.
pub(crate) const fn verdict(outcome: &GatewayOutcome) -> Option<(RequestKind, Verdict)> {
    Some(match outcome {
        GatewayOutcome::Place(PlaceOutcome::Accepted { .. } | PlaceOutcome::Refused { .. }) => {
            (RequestKind::Place, Verdict::Answers)
        }
        GatewayOutcome::Place(PlaceOutcome::Unknown(cause) | PlaceOutcome::NotSent(cause)) => {
            (RequestKind::Place, of_cause(*cause))
        }
        GatewayOutcome::Query(Err(cause)) => (RequestKind::Query, of_cause(*cause)),
        GatewayOutcome::Query(Ok(_)) => (RequestKind::Query, Verdict::Answers),
        GatewayOutcome::Account(Err(omission)) => (RequestKind::Account, of_cause(omission.cause)),
        GatewayOutcome::Account(Ok(_)) => (RequestKind::Account, Verdict::Answers),
        _ => return None,
    })
}

/// What a failed read of a book says of its endpoint.
pub(crate) const fn verdict_of_book(outcome: Result<(), UnknownCause>) -> Verdict {
    match outcome {
        Ok(()) => Verdict::Answers,
        Err(cause) => of_cause(cause),
    }
}

const fn of_cause(cause: UnknownCause) -> Verdict {
    match cause {
        UnknownCause::Timeout | UnknownCause::Broken | UnknownCause::NoConnection | UnknownCause::Undecodable => {
            Verdict::Fails
        }
        UnknownCause::Status(500..) => Verdict::Fails,
        // A status below 500 is an answer.
        UnknownCause::Status(_) => Verdict::Answers,
        UnknownCause::Deadline | UnknownCause::Cleared | UnknownCause::RateBudget | UnknownCause::QueueFull => {
            Verdict::Nothing
        }
    }
}

impl Engine {
    fn breaker_policy(&self) -> Policy {
        let sending = &self.config.sending;
        Policy {
            failures: sending.breaker_failures,
            pause_ns: ns(sending.breaker_pause_ms),
            probes: sending.breaker_probes,
        }
    }

    /// Counts a result for the breaker of its kind.
    pub(crate) fn judge(&mut self, kind: RequestKind, verdict: Verdict, now: Time, out: &mut Vec<Output>) {
        let policy = self.breaker_policy();
        self.turn_breaker(kind, out, |breaker| breaker.on_result(verdict, now, policy));
    }

    /// What was paused for long enough is tried again, a few requests at first.
    pub(crate) fn watch_breakers(&mut self, now: Time, out: &mut Vec<Output>) {
        let policy = self.breaker_policy();
        for kind in KINDS {
            self.turn_breaker(kind, out, |breaker| breaker.on_time(now, policy));
        }
    }

    fn turn_breaker(&mut self, kind: RequestKind, out: &mut Vec<Output>, turn: impl FnOnce(&mut Breaker)) {
        let Some(breaker) = self.breakers.0.get_mut(kind as usize) else { return };
        let (before, room) = (breaker.shown(), breaker.room());
        turn(breaker);
        let (state, more) = (breaker.shown(), breaker.room() > room);
        if state != before {
            self.emit.event(out, Event::Breaker { requests: kind, state });
        }
        if more && kind == RequestKind::Place {
            self.wake_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { failures: 3, pause_ns: 100, probes: 2 };

    fn at(ns: u64) -> Time {
        Time { mono_ns: ns, wall_ns: 0 }
    }

    #[test]
    fn closed_open_half_open_and_closed_again() {
        let mut breaker = Breaker::NEW;
        for verdict in [Verdict::Fails, Verdict::Fails, Verdict::Answers, Verdict::Fails, Verdict::Fails] {
            breaker.on_result(verdict, at(0), POLICY);
            assert_eq!(breaker.shown(), BreakerState::Closed, "not three in a row");
        }
        breaker.on_result(Verdict::Nothing, at(0), POLICY);
        breaker.on_result(Verdict::Fails, at(10), POLICY);
        assert_eq!((breaker.shown(), breaker.room()), (BreakerState::Open, 0));
        breaker.on_result(Verdict::Answers, at(20), POLICY);
        breaker.on_time(at(109), POLICY);
        assert_eq!(breaker.shown(), BreakerState::Open);
        breaker.on_time(at(110), POLICY);
        assert_eq!((breaker.shown(), breaker.room()), (BreakerState::HalfOpen, 2));
        breaker.sent();
        breaker.sent();
        assert_eq!(breaker.room(), 0);
        breaker.on_result(Verdict::Nothing, at(111), POLICY);
        assert_eq!(breaker.room(), 1, "what was not sent is no probe");
        breaker.on_result(Verdict::Fails, at(120), POLICY);
        assert_eq!(breaker.shown(), BreakerState::Open);
        breaker.on_time(at(220), POLICY);
        breaker.on_result(Verdict::Answers, at(221), POLICY);
        assert_eq!(breaker.shown(), BreakerState::HalfOpen);
        breaker.on_result(Verdict::Answers, at(222), POLICY);
        assert_eq!((breaker.shown(), breaker.room()), (BreakerState::Closed, usize::MAX));
    }

    #[test]
    fn each_kind_has_its_own_place() {
        for (index, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
