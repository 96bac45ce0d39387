//! A match: two competitors, rounds, a winner. What happens is known to outside sources at once and to the market a while later.

use std::collections::VecDeque;

use oddsmith_domain::{Competitor, MatchState, SourceTier, TruthReport};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::core::Nanos;

const SECOND: f64 = 1e9;
const MILLI: Nanos = 1_000_000;

/// How a match is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContestSpec {
    /// Who wins so many rounds first wins the match.
    pub rounds: u32,
    /// The chance that the first competitor wins a round.
    pub strength: f64,
    /// How long a round lasts on average, in seconds.
    pub round_s: f64,
    /// How much later than outside sources the market knows of a round, in seconds.
    pub lag_s: f64,
}

/// A match that is being played.
#[derive(Clone, Debug)]
pub(crate) struct Contest {
    spec: ContestSpec,
    won: [u32; 2],
    events: u64,
    next_ns: Nanos,
    /// The chance of the first competitor since each moment, oldest first.
    known: VecDeque<(Nanos, f64)>,
}

/// The chance to win `a` more rounds before the other wins `b`, at `p` each.
fn chance(p: f64, a: u32, b: u32) -> f64 {
    // Row by row: the chance with `i` still to win for the first and `j` for the other.
    let mut row = vec![1.0; b as usize + 1];
    for _ in 0..a {
        let mut left = 0.0;
        for (j, value) in row.iter_mut().enumerate() {
            left = if j == 0 { 0.0 } else { p * *value + (1.0 - p) * left };
            *value = left;
        }
    }
    row.last().copied().unwrap_or(1.0)
}

impl Contest {
    pub(crate) fn new(spec: ContestSpec, now_ns: Nanos, rng: &mut ChaCha8Rng) -> Contest {
        let mut contest = Contest { spec, won: [0; 2], events: 0, next_ns: 0, known: VecDeque::new() };
        contest.learn(now_ns, rng);
        contest
    }

    fn learn(&mut self, now_ns: Nanos, rng: &mut ChaCha8Rng) {
        self.events += 1;
        self.known.push_back((now_ns, self.chance()));
        let length = self.spec.round_s * (0.5 + rng.random::<f64>()) * SECOND;
        self.next_ns = now_ns.saturating_add(length.max(1.0) as Nanos);
    }

    fn chance(&self) -> f64 {
        let left = self.won.map(|won| self.spec.rounds.saturating_sub(won));
        chance(self.spec.strength, left[0], left[1])
    }

    /// When the present round ends.
    pub(crate) const fn next_ns(&self) -> Nanos {
        self.next_ns
    }

    /// When the market knows what outside sources know now.
    pub(crate) fn known_by(&self, now_ns: Nanos) -> Nanos {
        now_ns.saturating_add((self.spec.lag_s * SECOND) as Nanos)
    }

    /// The round ends. Says whether the match does.
    pub(crate) fn play(&mut self, now_ns: Nanos, rng: &mut ChaCha8Rng) -> bool {
        let first = rng.random::<f64>() < self.spec.strength;
        self.won[usize::from(!first)] += 1;
        self.learn(now_ns, rng);
        self.is_over()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.won.iter().any(|won| *won >= self.spec.rounds)
    }

    pub(crate) fn first_won(&self) -> bool {
        self.won[0] >= self.spec.rounds
    }

    /// The chance of the first competitor as the market knows it.
    pub(crate) fn fair(&self, now_ns: Nanos) -> f64 {
        let lag = (self.spec.lag_s * SECOND) as Nanos;
        let seen = self.known.iter().rfind(|(at, _)| at.saturating_add(lag) <= now_ns);
        seen.or_else(|| self.known.front()).map_or(0.5, |(_, chance)| *chance)
    }

    /// What an official source says of it now.
    pub(crate) fn report(&self, market: &str, now_ns: Nanos) -> TruthReport {
        let at_ns = self.known.back().map_or(now_ns, |(at, _)| *at);
        TruthReport {
            match_id: format!("match-of-{market}"),
            market: market.to_owned(),
            yes: Competitor::First,
            source: "world".to_owned(),
            tier: SourceTier::Official,
            state: if self.is_over() { MatchState::Final } else { MatchState::Live },
            first_ppm: (self.chance() * 1e6) as u32,
            confidence_ppm: 990_000,
            event: self.events,
            source_wall_ms: at_ns / MILLI,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn chances_of_a_race() {
        let near = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-12, "{value} is not {expected}");
        near(chance(0.5, 3, 3), 0.5);
        near(chance(0.6, 1, 1), 0.6);
        // Best of three: both of two, or two of three.
        near(chance(0.6, 2, 2), 0.36 + 2.0 * 0.36 * 0.4);
        near(chance(0.6, 0, 2), 1.0);
        near(chance(0.6, 2, 0), 0.0);
        near(chance(0.3, 1, 2) + chance(0.7, 2, 1), 1.0);
    }

    #[test]
    fn the_market_knows_later_than_the_reports_say() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let spec = ContestSpec { rounds: 3, strength: 0.5, round_s: 60.0, lag_s: 8.0 };
        let mut contest = Contest::new(spec, 0, &mut rng);
        let mut rounds = 0;
        let now = loop {
            let now = contest.next_ns();
            let before = contest.fair(now);
            let over = contest.play(now, &mut rng);
            rounds += 1;
            let told = f64::from(contest.report("a-b", now).first_ppm) / 1e6;
            assert!((contest.fair(now + 7_999_999_999) - before).abs() < 1e-12, "not yet");
            assert!((contest.fair(now + 8_000_000_000) - told).abs() < 2e-6, "now");
            if over {
                break now;
            }
        };
        let last = contest.report("a-b", now);
        assert!((3..=5).contains(&rounds) && last.state == MatchState::Final, "{rounds} {last:?}");
        assert_eq!(last.first_ppm, if contest.first_won() { 1_000_000 } else { 0 });
        assert_eq!(last.event, rounds + 1);
    }
}
