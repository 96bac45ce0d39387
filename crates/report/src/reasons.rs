//! What each instance wanted, for how long, and why.

use std::collections::BTreeMap;

use oddsmith_domain::{Event, InstanceId, MarketId, Mode, Reasons, Time};

/// What was wanted, for one set of reasons.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lasted {
    /// How often it came to that.
    pub(crate) times: u64,
    /// How long it lasted, summed over markets, in nanoseconds.
    pub(crate) ns: u64,
}

/// What stands in a market since a time on the monotonic clock.
#[derive(Clone, Debug)]
struct Standing {
    mode: Mode,
    reasons: Reasons,
    since: u64,
}

/// Wishes and their reasons, by instance.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    standing: BTreeMap<(InstanceId, MarketId), Standing>,
    pub(crate) lasted: BTreeMap<(InstanceId, Mode, Reasons), Lasted>,
}

impl Wishes {
    pub(crate) fn event(&mut self, event: &Event, now: Time) {
        let (instance, market, mode, reasons) = match event {
            Event::Decision { instance, market, mode, reasons, .. } => (*instance, *market, Some(*mode), reasons),
            Event::Reasons { instance, market, reasons, .. } => (*instance, *market, None, reasons),
            _ => return,
        };
        // The same reasons are the same in any order.
        let mut reasons = reasons.clone();
        reasons.sort_unstable();
        let before = self.standing.remove(&(instance, market));
        let mode = mode.or(before.as_ref().map(|standing| standing.mode)).unwrap_or_default();
        let same = before.as_ref().is_some_and(|standing| standing.mode == mode && standing.reasons == reasons);
        if let Some(standing) = before {
            self.end(instance, standing, now);
        }
        if !same {
            self.lasted.entry((instance, mode, reasons.clone())).or_default().times += 1;
        }
        let standing = Standing { mode, reasons, since: now.mono_ns };
        self.standing.insert((instance, market), standing);
    }

    fn end(&mut self, instance: InstanceId, standing: Standing, now: Time) {
        let lasted = self.lasted.entry((instance, standing.mode, standing.reasons)).or_default();
        lasted.ns += now.mono_ns.saturating_sub(standing.since);
    }

    /// The run is over: what stands has lasted until now.
    pub(crate) fn finish(&mut self, now: Time) {
        for ((instance, _), standing) in std::mem::take(&mut self.standing) {
            self.end(instance, standing, now);
        }
    }

    /// Adds those of another run, whose instances have these numbers here.
    pub(crate) fn go_on(&mut self, next: &mut Wishes, number: impl Fn(InstanceId) -> InstanceId) {
        for ((instance, mode, reasons), more) in std::mem::take(&mut next.lasted) {
            let lasted = self.lasted.entry((number(instance), mode, reasons)).or_default();
            lasted.times += more.times;
            lasted.ns += more.ns;
        }
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{IntentId, Reason};

    use super::*;

    fn at(seconds: u64) -> Time {
        Time { mono_ns: seconds * Time::SECOND, wall_ns: seconds * Time::SECOND }
    }

    #[test]
    fn every_second_of_a_wish_has_one_reason() {
        let (instance, market, intent) = (InstanceId(0), MarketId(4), IntentId(1));
        let reasons = |reason| -> Reasons { [reason].into_iter().collect() };
        let decision = |mode, reason| Event::Decision {
            instance,
            market,
            intent,
            mode,
            keep: Vec::new(),
            quotes: Vec::new(),
            reasons: reasons(reason),
        };
        let mut wishes = Wishes::default();
        wishes.event(&decision(Mode::Stop, Reason::NoBook), at(10));
        let spread = Event::Reasons { instance, market, intent, reasons: reasons(Reason::WideSpread) };
        wishes.event(&spread, at(13));
        wishes.event(&decision(Mode::Normal, Reason::Quoting), at(20));
        // Another price for the same reason.
        wishes.event(&decision(Mode::Normal, Reason::Quoting), at(24));
        wishes.event(&decision(Mode::Stop, Reason::NoBook), at(30));
        wishes.finish(at(31));
        let seen = |mode, reason| {
            let lasted = wishes.lasted[&(instance, mode, reasons(reason))];
            (lasted.times, lasted.ns / Time::SECOND)
        };
        assert_eq!(seen(Mode::Stop, Reason::NoBook), (2, 4));
        assert_eq!(seen(Mode::Stop, Reason::WideSpread), (1, 7));
        assert_eq!(seen(Mode::Normal, Reason::Quoting), (1, 10));
        let mut all = Wishes::default();
        all.go_on(&mut wishes, |_| InstanceId(2));
        assert_eq!(all.lasted.values().map(|lasted| lasted.ns / Time::SECOND).sum::<u64>(), 21);
        assert!(all.lasted.keys().all(|(instance, _, _)| *instance == InstanceId(2)));
    }
}
