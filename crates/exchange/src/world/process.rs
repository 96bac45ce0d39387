//! The true value of a market.

use oddsmith_domain::ReferencePrice;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::core::{MarketSpec, Nanos};

use super::contest::{Contest, ContestSpec};
use super::price::PricePath;
use super::standard::up_down_spec;

const SECOND: f64 = 1e9;
/// Probabilities stay within these bounds, so that there is always something to trade.
const LOWEST: f64 = 0.02;

/// How a true value moves.
#[derive(Clone, Debug, PartialEq)]
pub enum ProcessSpec {
    /// A diffusion of the log-odds with jumps, pulled back weakly to where it began.
    Opinion {
        /// The value at the start.
        start: f64,
        /// Standard deviation of the log-odds after one second.
        volatility: f64,
        /// Jumps per second.
        jump_rate: f64,
        /// Standard deviation of a jump of the log-odds.
        jump_size: f64,
        /// How fast it returns: the share of the distance per second.
        pull: f64,
    },
    /// Whether a coin's price ends a window at or above where it began; then comes the next window. All markets of a coin are decided by
    /// one price: the first that is opened says where it begins and how it moves.
    UpDown {
        /// The name of the coin in slugs, such as `btc`.
        coin: String,
        /// Its price at the start.
        price: f64,
        /// Standard deviation of its logarithm after one second.
        volatility: f64,
        /// The length of a window in seconds.
        window_s: u64,
        /// Over how many seconds before each boundary the price is averaged; 0 for a single print.
        average_s: u32,
    },
    /// A match; then comes the next one of the same two.
    Contest(ContestSpec),
}

/// A true value at a moment.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// See [`ProcessSpec::Opinion`]: log-odds, and where they return to.
    Opinion { spec: ProcessSpec, state: f64, anchor: f64, at_ns: Nanos },
    /// See [`ProcessSpec::UpDown`].
    UpDown(Interval),
    /// See [`ProcessSpec::Contest`].
    Contest(Contest),
}

/// A window of an up-or-down market.
#[derive(Clone, Debug)]
pub(crate) struct Interval {
    coin: String,
    volatility: f64,
    window_s: u64,
    average_s: u32,
    /// The price to beat, once it is known.
    strike: ReferencePrice,
    end_ns: Nanos,
}

impl Interval {
    /// A window that may have begun a while ago: the price to beat is near the price of now.
    pub(crate) fn new(spec: &ProcessSpec, market: &MarketSpec, path: &PricePath) -> Option<Interval> {
        let ProcessSpec::UpDown { coin, volatility, window_s, average_s, price } = spec else { return None };
        let strike = ReferencePrice::nearest(*price).unwrap_or_default();
        let strike = if path.symbol().as_str() == coin { strike } else { ReferencePrice::default() };
        let end_ns = market.end_s?.saturating_mul(1_000_000_000);
        let (coin, volatility, window_s, average_s) = (coin.clone(), *volatility, *window_s, *average_s);
        Some(Interval { coin, volatility, window_s, average_s, strike, end_ns })
    }

    pub(crate) const fn end_ns(&self) -> Nanos {
        self.end_ns
    }

    pub(crate) const fn strike(&self) -> ReferencePrice {
        self.strike
    }

    /// Begins a window at the end of the last one, whose final value is the price to beat.
    pub(crate) fn restart(&mut self, market: &MarketSpec, path: &PricePath) {
        self.strike = path.value_at(self.end_ns, self.average_s);
        if let Some(end_s) = market.end_s {
            self.end_ns = end_s.saturating_mul(1_000_000_000);
        }
    }

    /// The market of the next window, which begins when the last one ended.
    pub(crate) fn next(&self, start_s: u64) -> MarketSpec {
        up_down_spec(&self.coin, start_s, self.window_s, self.average_s)
    }

    /// Whether the window ends as "Up": ties are Up (protocol 9.8).
    pub(crate) fn is_up(&self, path: &PricePath) -> bool {
        path.value_at(self.end_ns, self.average_s) >= self.strike
    }

    /// Where the final value is expected and how much is open about it, in the price's own units (quant 3.3).
    fn expected(&self, path: &PricePath, now_ns: Nanos) -> (f64, f64) {
        let left = (self.end_ns.saturating_sub(now_ns) as f64 / SECOND).max(1.0);
        let (spot, w) = (path.price(), f64::from(self.average_s));
        if left >= w {
            return (spot, spot * self.volatility * libm::sqrt(left - 2.0 * w / 3.0));
        }
        let begin_ns = self.end_ns.saturating_sub(u64::from(self.average_s) * 1_000_000_000);
        let mean = ((w - left) * path.mean(begin_ns, now_ns) + left * spot) / w;
        (mean, spot * self.volatility * libm::sqrt(left * left * left / 3.0) / w)
    }

    fn fair(&self, path: &PricePath, now_ns: Nanos) -> f64 {
        let (mean, deviation) = self.expected(path, now_ns);
        0.5 * libm::erfc(-(mean - self.strike.to_f64()) / deviation.max(1e-12) / std::f64::consts::SQRT_2)
    }

    /// The price at which the window would be worth this.
    pub(crate) fn price_for(&self, path: &PricePath, probability: f64, now_ns: Nanos) -> f64 {
        let (mean, deviation) = self.expected(path, now_ns);
        // The logistic quantile is near enough to the normal one for a shock.
        path.price() + self.strike.to_f64() + log_odds(probability) / 1.702 * deviation - mean
    }
}

impl Value {
    pub(crate) fn opinion(spec: ProcessSpec, now_ns: Nanos) -> Option<Value> {
        let ProcessSpec::Opinion { start, .. } = spec else { return None };
        let state = log_odds(start);
        Some(Value::Opinion { spec, state, anchor: state, at_ns: now_ns })
    }

    /// Moves on to a later time. Prices and matches move by themselves.
    pub(crate) fn advance(&mut self, now_ns: Nanos, rng: &mut ChaCha8Rng) {
        let Value::Opinion { spec, state, anchor, at_ns } = self else { return };
        let ProcessSpec::Opinion { volatility, jump_rate, jump_size, pull, .. } = *spec else { return };
        let seconds = now_ns.saturating_sub(*at_ns) as f64 / SECOND;
        *at_ns = now_ns.max(*at_ns);
        if seconds <= 0.0 {
            return;
        }
        let back = (*anchor - *state) * (1.0 - libm::exp(-pull * seconds));
        *state += back + volatility * libm::sqrt(seconds) * normal(rng);
        if rng.random::<f64>() < 1.0 - libm::exp(-jump_rate * seconds) {
            *state += jump_size * normal(rng);
        }
        let bound = log_odds(1.0 - LOWEST);
        *state = state.clamp(-bound, bound);
    }

    /// The fair price of a YES share, as the market knows it.
    pub(crate) fn fair(&self, path: Option<&PricePath>, now_ns: Nanos) -> f64 {
        let fair = match self {
            Value::Opinion { state, .. } => 1.0 / (1.0 + libm::exp(-state)),
            Value::UpDown(interval) => path.map_or(0.5, |path| interval.fair(path, now_ns)),
            Value::Contest(contest) => contest.fair(now_ns),
        };
        fair.clamp(LOWEST, 1.0 - LOWEST)
    }

    /// An opinion jumps to a probability and stays around it.
    pub(crate) fn jump_to(&mut self, probability: f64) {
        if let Value::Opinion { state, anchor, .. } = self {
            *state = log_odds(probability);
            *anchor = *state;
        }
    }
}

fn log_odds(probability: f64) -> f64 {
    let probability = probability.clamp(LOWEST, 1.0 - LOWEST);
    libm::log(probability / (1.0 - probability))
}

/// A standard normal number (Box and Muller).
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    libm::sqrt(-2.0 * libm::log1p(-u)) * libm::cos(std::f64::consts::TAU * v)
}
