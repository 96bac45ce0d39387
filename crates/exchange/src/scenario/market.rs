//! Markets in a scenario file.

use oddsmith_domain::{ExchangeKind, FeeSchedule, RewardTerms, Shares, Symbol, Tick};
use serde::{Deserialize, Serialize};

use crate::core::MarketSpec;
use crate::world::{ContestSpec, ProcessSpec, RoomSpec, TraderSpec, up_down_spec};

use super::ScenarioError;

/// Which contract settles a market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The ordinary one.
    #[default]
    Ctf,
    /// The neg-risk one.
    NegRisk,
    /// The one of position markets.
    Position,
}

/// A fee schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// The rate, such as 0.07.
    pub rate: f64,
    /// The exponent of `p (1 - p)`; 1 if left out.
    #[serde(default)]
    pub exponent: Option<u32>,
}

/// How the true value of a market moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Process {
    /// See [`ProcessSpec::Opinion`].
    Opinion {
        /// The value at the start, between 0 and 1.
        start: f64,
        /// Standard deviation of the log-odds after one second.
        volatility: f64,
        /// Jumps per second.
        #[serde(default)]
        jump_rate: f64,
        /// Standard deviation of a jump of the log-odds.
        #[serde(default)]
        jump_size: f64,
        /// The share of the distance to the start by which it returns per second.
        #[serde(default)]
        pull: f64,
    },
    /// See [`ProcessSpec::UpDown`]. The market's slug, question and times follow from it.
    UpDown {
        /// The coin, such as `btc`.
        coin: String,
        /// Its price at the start.
        price: f64,
        /// Standard deviation of the price's logarithm after one second.
        volatility: f64,
        /// The length of a window in seconds.
        window_s: u64,
        /// Over how many seconds the price is averaged, 0 for a single print; 60, but no more than a quarter of the window, if left out.
        #[serde(default)]
        average_s: Option<u32>,
    },
    /// See [`ProcessSpec::Contest`]. When a match is decided the next one is listed, with its number behind the slug.
    Contest {
        /// Who wins so many rounds first wins.
        rounds: u32,
        /// The chance that the first outcome's competitor wins a round.
        strength: f64,
        /// How long a round lasts on average, in seconds.
        round_s: f64,
        /// How much later than outside sources the traders know, in seconds.
        lag_s: f64,
    },
}

fn averaged(average_s: Option<u32>, window_s: u64) -> u32 {
    average_s.unwrap_or_else(|| u32::try_from(window_s / 4).unwrap_or(60).min(60))
}

/// Who trades in a market. What is left out is as in [`TraderSpec::default`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traders {
    /// How many makers quote.
    pub makers: Option<u32>,
    /// How often each of them looks, per second.
    pub maker_rate: Option<f64>,
    /// Half of the makers' spread, in dollars.
    pub half_spread: Option<f64>,
    /// Levels on each side.
    pub levels: Option<u32>,
    /// Shares on each level, about.
    pub size: Option<f64>,
    /// Noise orders per second.
    pub noise_rate: Option<f64>,
    /// How often the informed look, per second.
    pub informed_rate: Option<f64>,
    /// What must be wrong with a price before the informed act, in dollars.
    pub informed_edge: Option<f64>,
    /// The share of purchases at once that are of whole cents' worth, whatever that is in shares.
    pub by_value: Option<f64>,
}

impl Traders {
    fn spec(&self) -> TraderSpec {
        let base = TraderSpec::default();
        TraderSpec {
            makers: self.makers.unwrap_or(base.makers),
            maker_rate: self.maker_rate.unwrap_or(base.maker_rate),
            half_spread: self.half_spread.unwrap_or(base.half_spread),
            levels: self.levels.unwrap_or(base.levels),
            size: self.size.unwrap_or(base.size),
            noise_rate: self.noise_rate.unwrap_or(base.noise_rate),
            informed_rate: self.informed_rate.unwrap_or(base.informed_rate),
            informed_edge: self.informed_edge.unwrap_or(base.informed_edge),
            by_value: self.by_value.unwrap_or(base.by_value),
        }
    }
}

/// A market in a scenario file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketEntry {
    /// The short name, unique.
    pub slug: String,
    /// The question in words; the slug if left out.
    #[serde(default)]
    pub question: Option<String>,
    /// The names of the outcomes; Yes and No if left out.
    #[serde(default)]
    pub outcomes: Option<[String; 2]>,
    /// The contract.
    #[serde(default)]
    pub kind: Kind,
    /// The grid; 0.01 if left out.
    #[serde(default)]
    pub tick: Option<Tick>,
    /// The smallest resting order; 5 if left out.
    #[serde(default)]
    pub min_size: Option<Shares>,
    /// The fee; none if left out.
    #[serde(default)]
    pub fee: Option<Fee>,
    /// When it is listed, in seconds from the start; at the start if left out.
    #[serde(default)]
    pub opens_in_s: Option<u64>,
    /// When it is stated to end, in seconds from the start; a year if left out.
    #[serde(default)]
    pub ends_in_s: Option<u64>,
    /// When its game starts, in seconds from the start.
    #[serde(default)]
    pub game_starts_in_s: Option<u64>,
    /// Whether the book is cleared when the game starts.
    #[serde(default)]
    pub clear_on_start: bool,
    /// The sports delay of marketable orders, in seconds.
    #[serde(default)]
    pub seconds_delay: u32,
    /// The delay of marketable orders on crypto and finance markets, in milliseconds.
    #[serde(default)]
    pub taker_delay_ms: u64,
    /// Whether the tick becomes 0.001 beyond 0.96 and 0.04; yes if left out.
    #[serde(default)]
    pub dynamic_tick: Option<bool>,
    /// The neg-risk group.
    #[serde(default)]
    pub group: Option<String>,
    /// Labels.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What is promised to those whose orders rest near the mid; nothing if left out.
    #[serde(default)]
    pub rewards: Option<RewardTerms>,
    /// How its true value moves; nobody trades by himself if left out.
    #[serde(default)]
    pub process: Option<Process>,
    /// Who trades.
    #[serde(default)]
    pub traders: Traders,
}

impl MarketEntry {
    /// Whether it makes sense by itself.
    ///
    /// # Errors
    /// [`ScenarioError::Sense`].
    pub fn check(&self) -> Result<(), ScenarioError> {
        let refuse = |what: &str| Err(ScenarioError::Sense(format!("market `{}`: {what}", self.slug)));
        if self.slug.is_empty() || !self.slug.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return refuse("a slug is made of letters, digits and hyphens");
        }
        if self.fee.is_some_and(|fee| schedule(fee).is_none()) {
            return refuse("the fee rate must be between 0 and 1 and the exponent at most 4");
        }
        if self.min_size.is_some_and(|size| !size.is_positive()) {
            return refuse("`min_size` must be positive");
        }
        if self.opens_in_s.zip(self.ends_in_s).is_some_and(|(opens, ends)| opens >= ends) {
            return refuse("it must be listed before it ends");
        }
        let pays = |terms: &RewardTerms| terms.daily.is_positive() && !terms.min_size.is_negative();
        if !self.rewards.as_ref().is_none_or(pays) {
            return refuse("`rewards` has a positive `daily` and a `min_size` of at least 0");
        }
        if (self.kind == Kind::NegRisk) != self.group.is_some() {
            return refuse("`group` goes with `kind: neg_risk`, and the other way round");
        }
        match &self.process {
            Some(Process::Opinion { start, volatility, jump_rate, jump_size, pull }) => {
                if !(*start > 0.0 && *start < 1.0) {
                    return refuse("`start` must lie between 0 and 1");
                }
                if [volatility, jump_rate, jump_size, pull].iter().any(|value| !value.is_finite() || **value < 0.0) {
                    return refuse("a process has no negative numbers");
                }
            }
            Some(Process::UpDown { coin, price, volatility, window_s, average_s }) => {
                if !(price.is_finite() && *price > 0.0 && volatility.is_finite() && *volatility > 0.0) {
                    return refuse("`price` and `volatility` must be positive");
                }
                if *window_s < 10 {
                    return refuse("`window_s` must be at least 10");
                }
                if u64::from(averaged(*average_s, *window_s)) > (*window_s).min(3_600) {
                    return refuse("`average_s` must not be longer than a window, or than an hour");
                }
                if Symbol::new(coin).is_err() {
                    return refuse("`coin` is made of letters and digits, twelve at most");
                }
            }
            Some(Process::Contest { rounds, strength, round_s, lag_s }) => {
                if !((1..=100).contains(rounds) && *strength > 0.0 && *strength < 1.0) {
                    return refuse("a match has 1 to 100 rounds to win and a `strength` between 0 and 1");
                }
                if !(round_s.is_finite() && *round_s >= 1.0 && lag_s.is_finite() && *lag_s >= 0.0) {
                    return refuse("`round_s` must be at least 1 and `lag_s` at least 0");
                }
            }
            None => {}
        }
        let traders = self.traders.spec();
        let rates = [traders.maker_rate, traders.noise_rate, traders.informed_rate, traders.half_spread, traders.size];
        if !(0.0..=1.0).contains(&traders.by_value) {
            return refuse("`by_value` is a share, from 0 to 1");
        }
        if rates.iter().any(|rate| !rate.is_finite() || *rate < 0.0) || traders.makers > 100 || traders.levels > 50 {
            return refuse("traders have finite rates, at most 100 makers and 50 levels");
        }
        Ok(())
    }

    /// The room of a session that begins at this time, as it is when the market is listed.
    pub(super) fn room(&self, now_s: u64) -> RoomSpec {
        let listed_s = now_s.saturating_add(self.opens_in_s.unwrap_or(0));
        let process = self.process.as_ref().map(|process| match process.clone() {
            Process::Opinion { start, volatility, jump_rate, jump_size, pull } => {
                ProcessSpec::Opinion { start, volatility, jump_rate, jump_size, pull }
            }
            Process::UpDown { coin, price, volatility, window_s, average_s } => {
                let average_s = averaged(average_s, window_s);
                ProcessSpec::UpDown { coin, price, volatility, window_s, average_s }
            }
            Process::Contest { rounds, strength, round_s, lag_s } => {
                ProcessSpec::Contest(ContestSpec { rounds, strength, round_s, lag_s })
            }
        });
        let market = match &self.process {
            Some(Process::UpDown { coin, window_s, average_s, .. }) => {
                up_down_spec(coin, listed_s - listed_s % window_s, *window_s, averaged(*average_s, *window_s))
            }
            Some(Process::Contest { .. }) => self.contest(now_s),
            _ => self.spec(now_s),
        };
        RoomSpec { market, process, traders: self.traders.spec() }
    }

    /// The market of a match, with rules that say what happens if it is void.
    fn contest(&self, now_s: u64) -> MarketSpec {
        let market = self.spec(now_s);
        let [first, second] = &market.outcomes;
        let description = format!(
            "This market will resolve to \"{first}\" if {first} wins the match, and to \"{second}\" if {second} wins it. If the match is void it \
             will resolve to 50-50."
        );
        MarketSpec { description, ..market }
    }

    /// The market that is listed at a time, given in seconds since the Unix epoch.
    pub(crate) fn spec(&self, now_s: u64) -> MarketSpec {
        let question = self.question.clone().unwrap_or_else(|| self.slug.replace('-', " "));
        let base = MarketSpec::ordinary(&self.slug, &question);
        MarketSpec {
            outcomes: self.outcomes.clone().unwrap_or_else(|| base.outcomes.clone()),
            kind: match self.kind {
                Kind::Ctf => ExchangeKind::Ctf,
                Kind::NegRisk => ExchangeKind::NegRisk,
                Kind::Position => ExchangeKind::Position,
            },
            tick: self.tick.unwrap_or(base.tick),
            min_size: self.min_size.unwrap_or(base.min_size),
            fee: self.fee.and_then(schedule).unwrap_or(FeeSchedule::FREE),
            end_s: Some(now_s.saturating_add(self.ends_in_s.unwrap_or(365 * 86_400))),
            game_start_s: self.game_starts_in_s.map(|seconds| now_s.saturating_add(seconds)),
            clear_on_start: self.clear_on_start,
            seconds_delay: self.seconds_delay,
            taker_delay_ms: self.taker_delay_ms,
            dynamic_tick: self.dynamic_tick.unwrap_or(base.dynamic_tick),
            event_slug: self.group.clone().unwrap_or_else(|| base.event_slug.clone()),
            event_title: self.group.clone().unwrap_or_else(|| base.event_title.clone()),
            neg_risk_group: self.group.clone(),
            tags: self.tags.clone(),
            rewards: self.rewards,
            ..base
        }
    }
}

fn schedule(fee: Fee) -> Option<FeeSchedule> {
    if !(0.0..=1.0).contains(&fee.rate) {
        return None;
    }
    FeeSchedule::new((fee.rate * 1e6).round() as i64, fee.exponent.unwrap_or(1), true).ok()
}
