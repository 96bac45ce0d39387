//! The true value of a market.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::core::{MarketSpec, Nanos};

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
    /// Whether a reference price ends a window at or above where it began; then comes the next window.
    UpDown {
        /// The name of the coin in slugs, such as `btc`.
        coin: String,
        /// The reference price at the start.
        price: f64,
        /// Standard deviation of its logarithm after one second.
        volatility: f64,
        /// The length of a window in seconds.
        window_s: u64,
    },
}

/// A true value at a moment.
#[derive(Clone, Debug)]
pub struct Value {
    spec: ProcessSpec,
    /// Log-odds of an opinion, logarithm of the price for up-or-down.
    state: f64,
    /// Where an opinion returns to; the logarithm of the price to beat.
    anchor: f64,
    at_ns: Nanos,
    ends_ns: Option<Nanos>,
}

impl Value {
    /// A value at its start. The length of the first window is what is left of it.
    pub(crate) fn new(spec: ProcessSpec, market: &MarketSpec, now_ns: Nanos, rng: &mut ChaCha8Rng) -> Value {
        let state = match &spec {
            ProcessSpec::Opinion { start, .. } => log_odds(*start),
            // The window may have begun a while ago: the price has moved a little since.
            ProcessSpec::UpDown { price, volatility, .. } => {
                libm::log(price.max(1e-9)) + 5.0 * volatility * normal(rng)
            }
        };
        let anchor = match &spec {
            ProcessSpec::Opinion { .. } => state,
            ProcessSpec::UpDown { price, .. } => libm::log(price.max(1e-9)),
        };
        let mut value = Value { spec, state, anchor, at_ns: now_ns, ends_ns: None };
        value.set_end(market);
        value
    }

    fn set_end(&mut self, market: &MarketSpec) {
        let windows = matches!(self.spec, ProcessSpec::UpDown { .. });
        self.ends_ns = market.end_s.filter(|_| windows).map(|end_s| end_s.saturating_mul(1_000_000_000));
    }

    /// When its window ends.
    pub(crate) fn ends_ns(&self) -> Option<Nanos> {
        self.ends_ns
    }

    /// Begins the next window: the price to beat is the price of now.
    pub(crate) fn restart(&mut self, market: &MarketSpec, now_ns: Nanos) {
        self.anchor = self.state;
        self.at_ns = now_ns;
        self.set_end(market);
    }

    /// The market of the next window, which begins when the last one ended.
    pub(crate) fn next_window(&self, start_s: u64) -> Option<MarketSpec> {
        match &self.spec {
            ProcessSpec::UpDown { coin, window_s, .. } => Some(up_down_spec(coin, start_s, *window_s)),
            ProcessSpec::Opinion { .. } => None,
        }
    }

    /// Moves on to a later time.
    pub(crate) fn advance(&mut self, now_ns: Nanos, rng: &mut ChaCha8Rng) {
        let seconds = now_ns.saturating_sub(self.at_ns) as f64 / SECOND;
        self.at_ns = self.at_ns.max(now_ns);
        if seconds <= 0.0 {
            return;
        }
        match self.spec {
            ProcessSpec::Opinion { volatility, jump_rate, jump_size, pull, .. } => {
                let back = (self.anchor - self.state) * (1.0 - libm::exp(-pull * seconds));
                self.state += back + volatility * libm::sqrt(seconds) * normal(rng);
                if rng.random::<f64>() < 1.0 - libm::exp(-jump_rate * seconds) {
                    self.state += jump_size * normal(rng);
                }
                let bound = log_odds(1.0 - LOWEST);
                self.state = self.state.clamp(-bound, bound);
            }
            ProcessSpec::UpDown { volatility, .. } => {
                self.state += volatility * libm::sqrt(seconds) * normal(rng);
            }
        }
    }

    /// The fair price of a YES share.
    pub(crate) fn fair(&self, now_ns: Nanos) -> f64 {
        let fair = match self.spec {
            ProcessSpec::Opinion { .. } => 1.0 / (1.0 + libm::exp(-self.state)),
            ProcessSpec::UpDown { volatility, .. } => {
                let left = self.ends_ns.map_or(0.0, |end| end.saturating_sub(now_ns) as f64 / SECOND);
                let spread = volatility * libm::sqrt(left.max(1.0));
                0.5 * libm::erfc(-(self.state - self.anchor) / spread / std::f64::consts::SQRT_2)
            }
        };
        fair.clamp(LOWEST, 1.0 - LOWEST)
    }

    /// Whether the window would end as "Up" now: ties are Up (protocol 9.8).
    pub(crate) fn is_up(&self) -> bool {
        self.state >= self.anchor
    }

    /// The reference price and the price to beat, for up-or-down.
    pub(crate) fn reference(&self) -> Option<(f64, f64)> {
        matches!(self.spec, ProcessSpec::UpDown { .. }).then(|| (libm::exp(self.state), libm::exp(self.anchor)))
    }

    /// Jumps to a probability and stays around it. A reference price jumps by as many deviations as its probability says.
    pub(crate) fn jump_to(&mut self, probability: f64) {
        let probability = if probability.is_finite() { probability.clamp(LOWEST, 1.0 - LOWEST) } else { return };
        match self.spec {
            ProcessSpec::Opinion { .. } => {
                self.state = log_odds(probability);
                self.anchor = self.state;
            }
            ProcessSpec::UpDown { volatility, .. } => {
                let left = self.ends_ns.map_or(0.0, |end| end.saturating_sub(self.at_ns) as f64 / SECOND);
                // The logistic quantile is near enough to the normal one for a shock.
                self.state = self.anchor + log_odds(probability) / 1.702 * volatility * libm::sqrt(left.max(1.0));
            }
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
