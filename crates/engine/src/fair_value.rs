//! What strategies say that outcomes are worth, written down so that it can be judged later.

use oddsmith_domain::{Event, Output, Price, Time};

use crate::Engine;

/// A fair value is told this often at most: it is for statistics, and says little more when it is told more often.
const EVERY_NS: u64 = 60 * Time::SECOND;

impl Engine {
    /// Tells the fair values that the instance stated in its last evaluation, where none was told within [`EVERY_NS`].
    pub(crate) fn tell_fair_values(&mut self, index: usize, now: Time, out: &mut Vec<Output>) {
        let decision = std::mem::take(&mut self.scratch.decision);
        for &(market, value) in decision.fair_values() {
            let Some(instance) = self.instances.get_mut(index) else { break };
            let Some(wanted) = instance.wants.get_mut(&market) else { continue };
            let due = wanted.valued_at.is_none_or(|at| now.mono_ns.saturating_sub(at) >= EVERY_NS);
            let Some(yes) = nearest(value).filter(|_| due) else { continue };
            wanted.valued_at = Some(now.mono_ns);
            self.emit.event(out, Event::FairValue { instance: instance.id, market, yes });
        }
        self.scratch.decision = decision;
    }
}

/// A probability as a price, rounded half up; `None` for what is no probability.
fn nearest(value: f64) -> Option<Price> {
    if !(0.0..=1.0).contains(&value) {
        return None;
    }
    // In range: 0 … 10,000 and a half.
    Price::from_units((value * f64::from(Price::ONE.units()) + 0.5) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_probabilities_are_prices() {
        let units = |value: f64| nearest(value).map(|price| price.units());
        assert_eq!([0.0, 0.00004, 0.00006, 0.5, 0.99996, 1.0].map(units), [0, 0, 1, 5_000, 10_000, 10_000].map(Some));
        assert_eq!([-0.1, 1.000_001, f64::NAN, f64::INFINITY].map(units), [None; 4]);
    }
}
