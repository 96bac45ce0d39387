//! One state of the world as JSON: everything that a strategy sees, stated by hand.

use oddsmith_book::PairBook;
use oddsmith_domain::{
    BookLevel, ConditionId, FeeSchedule, MarketCard, MarketId, MarketSource, Outcome, Price, Shares, Side, SizeText,
    SnapshotHeader, Tick, Time, TokenId, Usdc,
};
use oddsmith_polymarket::rules::is_clear;
use oddsmith_strategy::fair::{Spot, Window};
use oddsmith_strategy::{OwnFill, OwnFills, Position, SettlementRule, Truth, Underlying};
use serde::Deserialize;
use serde_json::Value;

use super::EvalError;
use super::natural::natural;
use crate::config::Planning;

/// The state. Amounts and prices are decimal strings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The wall clock in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// All the dollars of the wallet, those in open bids included.
    pub collateral: Usdc,
    /// The markets of the instance's scope, in their order.
    pub markets: Vec<MarketState>,
    /// Whether the venue turns NO of some outcomes of an event into YES of the others.
    #[serde(default)]
    pub converts: bool,
    /// How keen the planner is; exact when it is left out: what is not exactly as wanted is replaced.
    #[serde(default)]
    pub planning: Option<Planning>,
}

/// One market of the state.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketState {
    /// Its name, used in the result.
    pub slug: String,
    /// Its question in words.
    #[serde(default)]
    pub question: String,
    /// The price grid.
    pub tick: Tick,
    /// The smallest order.
    pub min_size: Shares,
    /// The taker's fee; when it is left out the market has none stated.
    #[serde(default)]
    pub fee: Option<FeeState>,
    /// When the market ends, in seconds since the Unix epoch.
    #[serde(default)]
    pub end_s: Option<u64>,
    /// Whether it settles through the neg-risk exchange.
    #[serde(default)]
    pub neg_risk: bool,
    /// How long a marketable order waits, in milliseconds.
    #[serde(default)]
    pub taker_delay_ms: u64,
    /// The book of a token; the other token's is its mirror.
    #[serde(default)]
    pub book: Option<BookState>,
    /// How long ago the book was proven current, in milliseconds.
    #[serde(default)]
    pub book_age_ms: u64,
    /// What is held of each outcome.
    #[serde(default)]
    pub position: Holdings,
    /// The instance's open orders, oldest first.
    #[serde(default)]
    pub open_orders: Vec<OpenOrderState>,
    /// The instance's recent fills, oldest first.
    #[serde(default)]
    pub fills: Vec<FillState>,
    /// Whether the engine re-enters after doubt.
    #[serde(default)]
    pub caution: bool,
    /// The price that decides the market.
    #[serde(default)]
    pub reference: Option<ReferenceState>,
    /// What is known of the match that decides the market.
    #[serde(default)]
    pub truth: Option<TruthState>,
}

/// A price outside of the venue, and the rule by which it decides the market.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceState {
    /// The price.
    pub price: Usdc,
    /// Its volatility per square-root second, in log-return units.
    pub sigma: f64,
    /// How long ago it became known, in milliseconds.
    #[serde(default)]
    pub age_ms: u64,
    /// How many deviations it is from the last second's.
    #[serde(default)]
    pub shock: f64,
    /// When the strike is taken, in seconds since the Unix epoch.
    pub start_s: u64,
    /// When the final value is taken.
    pub end_s: u64,
    /// Over how many seconds before each the price is averaged; 0 for a single print.
    pub average_s: f64,
    /// The strike, if the venue has stated it.
    #[serde(default)]
    pub strike: Option<Usdc>,
    /// The mean of the strike's window so far.
    #[serde(default)]
    pub strike_mean: Option<Usdc>,
    /// The mean of the final value's window so far.
    #[serde(default)]
    pub final_mean: Option<Usdc>,
}

/// What outside sources know of a match.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TruthState {
    /// The chance of YES, 0 … 1.
    pub probability: f64,
    /// How sure the sources are, 0 … 1.
    pub confidence: f64,
    /// How long ago the last event became known, in milliseconds.
    pub event_age_ms: u64,
    /// How long ago any source was heard of, in milliseconds.
    #[serde(default)]
    pub heard_age_ms: u64,
    /// The market's rules in words.
    #[serde(default)]
    pub rules: String,
}

/// A fee schedule: `shares * rate * (p (1 - p))^exponent`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeState {
    /// The rate, 0 … 1.
    pub rate: Usdc,
    /// The exponent, 0 … 4.
    #[serde(default = "one")]
    pub exponent: u32,
}

const fn one() -> u32 {
    1
}

/// A token's book; levels in any order.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "StatedBook")]
pub struct BookState {
    /// Whose book it is.
    pub outcome: Outcome,
    /// Price and size of each level.
    pub bids: Levels,
    /// Price and size of each level.
    pub asks: Levels,
    /// Whether the instance's open orders are among the levels; else the book is that of other people.
    pub includes_own: bool,
}

type Levels = Vec<(Price, Shares)>;

/// A book as it is written: of one token, or of both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedBook {
    outcome: Option<Outcome>,
    bids: Option<Levels>,
    asks: Option<Levels>,
    yes: Option<StatedSides>,
    no: Option<StatedSides>,
    mid: Option<Price>,
    #[serde(default)]
    includes_own: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StatedSides {
    bids: Levels,
    asks: Levels,
}

impl TryFrom<StatedBook> for BookState {
    type Error = &'static str;

    fn try_from(stated: StatedBook) -> Result<BookState, &'static str> {
        let StatedBook { outcome, bids, asks, yes, no, mid, includes_own } = stated;
        let whose = outcome.unwrap_or(Outcome::Yes);
        match (bids, asks, yes, no, mid) {
            (Some(bids), Some(asks), None, None, None) => Ok(BookState { outcome: whose, bids, asks, includes_own }),
            (None, None, Some(yes), Some(no), None) if outcome.is_none() => Ok(BookState {
                outcome: whose,
                bids: with_mirror(yes.bids, &no.asks),
                asks: with_mirror(yes.asks, &no.bids),
                includes_own,
            }),
            (None, None, None, None, Some(mid)) if !includes_own => {
                let level = |units: i32| vec![(mid.saturating_add_units(units), Shares::from_whole(1_000_000))];
                Ok(BookState { outcome: whose, bids: level(-1), asks: level(1), includes_own })
            }
            _ => Err(
                "a book has `bids` and `asks` of one token (an empty side is `[]`), or `yes` and `no` with those of both, or a `mid` alone",
            ),
        }
    }
}

/// Levels of YES, and those of NO that mirror other ones: what both tokens show is one level.
fn with_mirror(mut levels: Levels, other: &Levels) -> Levels {
    for &(price, size) in other {
        let price = price.complement();
        match levels.iter_mut().find(|level| level.0 == price) {
            Some(level) => level.1 = level.1.max(size),
            None => levels.push((price, size)),
        }
    }
    levels
}

/// Shares of both outcomes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Holdings {
    /// Of YES, settled.
    pub yes: Shares,
    /// Of NO, settled.
    pub no: Shares,
    /// What each cost, fees included.
    pub cost: [Usdc; 2],
}

/// An open order of the instance.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenOrderState {
    /// Any name, used in the result.
    pub id: String,
    /// The token.
    pub outcome: Outcome,
    /// The side.
    pub side: Side,
    /// The limit price.
    pub price: Price,
    /// What may still fill.
    pub size: Shares,
}

/// A fill of the instance, in YES terms.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FillState {
    /// How long ago, in milliseconds.
    pub age_ms: u64,
    /// The side.
    pub side: Side,
    /// The size.
    pub size: Shares,
    /// The price.
    pub price: Price,
}

impl State {
    /// Reads a state.
    ///
    /// # Errors
    /// [`EvalError::State`] says what is wrong, and where.
    pub fn from_json(text: &str) -> Result<State, EvalError> {
        State::from_value(serde_json::from_str(text).map_err(|error| EvalError::State(error.to_string()))?)
    }

    /// Reads a state that is JSON already.
    ///
    /// # Errors
    /// [`EvalError::State`] says what is wrong, and under which key.
    pub fn from_value(mut value: Value) -> Result<State, EvalError> {
        natural(&mut value);
        serde_path_to_error::deserialize(value).map_err(|error| EvalError::State(error.to_string()))
    }

    /// The moment: the monotonic clock is the wall clock.
    pub(super) const fn now(&self) -> Time {
        let ns = self.time_ms.saturating_mul(Time::MILLI);
        Time { mono_ns: ns, wall_ns: ns }
    }
}

impl MarketState {
    pub(super) fn card(&self, id: MarketId) -> Result<MarketCard, EvalError> {
        let token = |outcome: Outcome| {
            let mut bytes = [0; 32];
            bytes[24..28].copy_from_slice(&id.0.to_be_bytes());
            bytes[31] = outcome.index() as u8 + 1;
            TokenId::from_be_bytes(bytes)
        };
        let condition =
            ConditionId::parse(&format!("0x{:x}", id.0)).map_err(|error| EvalError::State(error.to_string()))?;
        let fee = self.fee.as_ref().map(|fee| FeeSchedule::new(fee.rate.micros(), fee.exponent, true)).transpose();
        Ok(MarketCard {
            condition,
            slug: self.slug.clone(),
            question: self.question.clone(),
            tokens: Outcome::BOTH.map(token),
            outcomes: ["Yes".to_owned(), "No".to_owned()],
            tick: Some(self.tick),
            min_size: Some(self.min_size),
            fee: fee.map_err(|error| EvalError::State(format!("market {}: {error}", self.slug)))?,
            end_wall_s: self.end_s,
            neg_risk: self.neg_risk,
            accepting_orders: true,
            taker_delay_ms: self.taker_delay_ms,
            settlement: Default::default(),
        })
    }

    pub(super) fn book(&self, id: MarketId, card: &MarketCard, now: Time) -> PairBook {
        let mut book = PairBook::new(card);
        let Some(state) = &self.book else { return book };
        let header = SnapshotHeader {
            asset: id.asset(state.outcome),
            timestamp_ms: now.wall_ms(),
            hash: None,
            first_level: 0,
            bids: 0,
            asks: 0,
            tick: None,
            min_size: None,
            neg_risk: None,
            last_trade: None,
            last_trade_stated: false,
            version_v2: false,
            irregular_text: true,
        };
        let levels = |side: &[(Price, Shares)]| -> Vec<BookLevel> {
            side.iter()
                .map(|&(price, shares)| BookLevel { price, price_decimals: 4, size: SizeText { shares, decimals: 6 } })
                .collect()
        };
        book.apply_snapshot(
            state.outcome,
            &header,
            &levels(&state.bids),
            &levels(&state.asks),
            now,
            MarketSource::Rest,
        );
        // What is stated is the venue's own word, also where bids and asks meet.
        let best = |levels: &[(Price, Shares)], better: fn(Price, Price) -> Price| {
            levels.iter().filter(|(_, size)| size.is_positive()).map(|(price, _)| *price).reduce(better)
        };
        let (bid, ask) = (best(&state.bids, Price::max), best(&state.asks, Price::min));
        let (bid, ask) = (bid.unwrap_or(Price::ZERO), ask.unwrap_or(Price::ONE));
        book.apply_best(id.asset(state.outcome), bid, ask, now.wall_ms(), now);
        book.end_of_frame(now);
        book
    }

    pub(super) fn held(&self) -> [Shares; 2] {
        [self.position.yes, self.position.no]
    }

    /// Holdings, with what open sells have promised taken off what can be sold.
    pub(super) fn positions(&self) -> [Position; 2] {
        Outcome::BOTH.map(|outcome| {
            let held = self.held()[outcome.index()];
            let promised: Shares =
                self.open_orders.iter().filter(|o| o.outcome == outcome && o.side == Side::Sell).map(|o| o.size).sum();
            let cost = self.position.cost[outcome.index()];
            Position { matched: held, settled: held, sellable: (held - promised).max(Shares::ZERO), cost }
        })
    }

    pub(super) fn underlying(&self, now: Time) -> Option<Underlying> {
        let state = self.reference.as_ref()?;
        // A window that has not begun has no mean to be stated.
        let window = |at_s: u64, mean: Option<Usdc>| {
            let begins_s = at_s as f64 - state.average_s;
            let begun = now.wall_ns as f64 / Time::SECOND as f64 > begins_s;
            let mean = if begun { mean?.to_f64() } else { 0.0 };
            Some(Window { length_s: state.average_s, mean_so_far: mean })
        };
        Some(Underlying {
            rule: SettlementRule {
                start_wall_s: state.start_s,
                end_wall_s: state.end_s,
                average_s: state.average_s,
                strike: state.strike.map(Usdc::to_f64),
            },
            spot: Spot { price: state.price.to_f64(), sigma: state.sigma },
            mono_ns: now.mono_ns.saturating_sub(state.age_ms.saturating_mul(Time::MILLI)),
            shock: state.shock,
            strike_window: window(state.start_s, state.strike_mean),
            final_window: window(state.end_s, state.final_mean),
        })
    }

    pub(super) fn truth(&self, now: Time) -> Option<Truth> {
        let state = self.truth.as_ref()?;
        let ago = |ms: u64| now.mono_ns.saturating_sub(ms.saturating_mul(Time::MILLI));
        Some(Truth {
            probability: state.probability,
            confidence: state.confidence,
            event_mono_ns: ago(state.event_age_ms),
            heard_mono_ns: ago(state.heard_age_ms),
            clear_rules: is_clear(&self.question, &state.rules),
        })
    }

    pub(super) fn fills(&self, now: Time) -> OwnFills {
        let mut fills = OwnFills::default();
        for fill in &self.fills {
            let mono_ns = now.mono_ns.saturating_sub(fill.age_ms.saturating_mul(Time::MILLI));
            let FillState { side, size, price, .. } = *fill;
            fills.push(OwnFill { mono_ns, side, size, notional: size.cost_floor(price) });
        }
        fills
    }
}
