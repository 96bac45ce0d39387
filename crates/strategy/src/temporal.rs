//! Trades what is known of a match against a book that has not heard of it yet (systems 3.5, quant 10 and 15).
//!
//! ```text
//! edge  = p - (ask + fee)        p of the token that the truth favours
//! f     = kelly * (p - c) / (1 - c),  c = ask + fee per share;   stake = min(f * bankroll, max_stake)
//! ```
//!
//! Nothing is traded unless the truth is confident enough and fresh, its signal is younger than its time to live, and the book has not had
//! longer to react than it usually takes: a tenth of its reactions are faster than the window times 1 / 0.7. Before enough reactions are
//! known the window is `cold_window_ms`. A stale source stops its own match alone. The market's text must say how it is decided, and must
//! not be one that may be void without saying what then.

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{
    Basket, BasketLeg, MarketId, Millis, Mode, Outcome, Reason, Reasons, Sequence, Shares, Side, Time, Unwind, Usdc,
};
use serde::{Deserialize, Serialize};

use crate::config::ParameterError;
use crate::{Decision, Figures, MarketView, Opportunity, Strategy, Truth, View};

/// The strategy's name.
pub const NAME: &str = "temporal";

/// How many reactions are remembered, and how many must be before they count.
const REACTIONS: usize = 100;
const ENOUGH: usize = 10;

/// The parameters, with their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Whether anything is traded at all. It is off until somebody says so, market by market.
    pub enabled: bool,
    /// The least confidence of the truth. 0 … 1.
    pub min_confidence: f64,
    /// The least edge after fees, in dollars per share. 0 … 1.
    pub min_edge: f64,
    /// The highest price that is paid, in dollars. 0.01 … 0.9999.
    pub max_price: f64,
    /// Which share of the Kelly stake is risked. 0 … 1.
    pub kelly: f64,
    /// The dollars that stakes are shares of. 0.01 … 10000000.
    pub bankroll_usdc: Usdc,
    /// The largest stake, in dollars. 0.01 … 100000.
    pub max_stake_usdc: Usdc,
    /// The smallest stake, in dollars; a smaller one is not worth it. 0 … 100000.
    pub min_stake_usdc: Usdc,
    /// The most dollars in all markets together. 0.01 … 1000000.
    pub max_exposure_usdc: Usdc,
    /// A truth older than this stops its match, in milliseconds. 1 … 600000.
    pub max_truth_age_ms: u64,
    /// A signal older than this is not traded, in milliseconds. 1 … 600000.
    pub signal_ttl_ms: u64,
    /// How old an event may be while the book's reactions are not known, in milliseconds. 0 … 600000.
    pub cold_window_ms: u64,
    /// A mid that moves by this much after an event has reacted, in dollars. 0.0001 … 1.
    pub reaction_move: f64,
    /// What is taken off the edge for the risk that the match is void, in dollars. 0 … 1.
    pub void_risk: f64,
    /// The oldest book, in milliseconds. 1 … 600000.
    pub max_book_age_ms: u64,
    /// A taking that is not filled after this time is given up, in milliseconds. 10 … 60000.
    pub deadline_ms: Millis,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            enabled: false,
            min_confidence: 0.9,
            min_edge: 0.05,
            max_price: 0.95,
            kelly: 0.25,
            bankroll_usdc: Usdc::from_whole(200),
            max_stake_usdc: Usdc::from_whole(50),
            min_stake_usdc: Usdc::from_whole(10),
            max_exposure_usdc: Usdc::from_whole(200),
            max_truth_age_ms: 30_000,
            signal_ttl_ms: 5_000,
            cold_window_ms: 1_000,
            reaction_move: 0.01,
            void_risk: 0.0,
            max_book_age_ms: 2_000,
            deadline_ms: 1_000,
        }
    }
}

impl Parameters {
    /// Checks every parameter against the range that its documentation states.
    ///
    /// # Errors
    /// The first one outside its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        ParameterError::check(&[
            ("min_confidence", self.min_confidence, 0.0, 1.0, "0 … 1"),
            ("min_edge", self.min_edge, 0.0, 1.0, "0 … 1"),
            ("max_price", self.max_price, 0.01, 0.9999, "0.01 … 0.9999"),
            ("kelly", self.kelly, 0.0, 1.0, "0 … 1"),
            ("bankroll_usdc", self.bankroll_usdc.to_f64(), 0.01, 1e7, "0.01 … 10000000"),
            ("max_stake_usdc", self.max_stake_usdc.to_f64(), 0.01, 1e5, "0.01 … 100000"),
            ("min_stake_usdc", self.min_stake_usdc.to_f64(), 0.0, 1e5, "0 … 100000"),
            ("max_exposure_usdc", self.max_exposure_usdc.to_f64(), 0.01, 1e6, "0.01 … 1000000"),
            ("max_truth_age_ms", self.max_truth_age_ms as f64, 1.0, 600_000.0, "1 … 600000"),
            ("signal_ttl_ms", self.signal_ttl_ms as f64, 1.0, 600_000.0, "1 … 600000"),
            ("cold_window_ms", self.cold_window_ms as f64, 0.0, 600_000.0, "0 … 600000"),
            ("reaction_move", self.reaction_move, 0.0001, 1.0, "0.0001 … 1"),
            ("void_risk", self.void_risk, 0.0, 1.0, "0 … 1"),
            ("max_book_age_ms", self.max_book_age_ms as f64, 1.0, 600_000.0, "1 … 600000"),
            ("deadline_ms", self.deadline_ms as f64, 10.0, 60_000.0, "10 … 60000"),
        ])
    }
}

/// The share of the bankroll that Kelly stakes at probability `p` and all-in cost `c` per share (quant 10).
#[must_use]
pub fn kelly(p: f64, c: f64) -> f64 {
    if p > c && c < 1.0 { (p - c) / (1.0 - c) } else { 0.0 }
}

/// How fast the book reacts to events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reactions {
    /// Delays in nanoseconds, newest last.
    delays: VecDeque<u64>,
    /// The event that waits for a reaction: when it happened, and the mid then.
    waiting: Option<(u64, f64)>,
}

impl Reactions {
    /// Looks at the mid, and at when the last event happened.
    pub fn observe(&mut self, event_ns: u64, mid: f64, moved: f64, now: Time) {
        match self.waiting {
            Some((at, before)) if at == event_ns => {
                if (mid - before).abs() + 1e-9 >= moved {
                    if self.delays.len() == REACTIONS {
                        self.delays.pop_front();
                    }
                    self.delays.push_back(now.mono_ns.saturating_sub(at));
                    // Only the first reaction to an event counts.
                    self.waiting = Some((at, f64::NAN));
                }
            }
            _ => self.waiting = Some((event_ns, mid)),
        }
    }

    /// How old an event may be so that the book has most likely not reacted to it: 0.7 of the tenth percentile; `None` before enough
    /// reactions are known.
    #[must_use]
    pub fn window_ns(&self) -> Option<u64> {
        if self.delays.len() < ENOUGH {
            return None;
        }
        let mut sorted: Vec<u64> = self.delays.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get((sorted.len() - 1) / 10).map(|p10| p10 / 10 * 7)
    }
}

/// An instance of the strategy.
#[derive(Debug)]
pub struct Temporal {
    parameters: Parameters,
    reactions: BTreeMap<MarketId, Reactions>,
    /// The event that was traded last in each market.
    traded: BTreeMap<MarketId, u64>,
}

impl Temporal {
    /// An instance with checked parameters.
    #[must_use]
    pub fn new(parameters: Parameters) -> Temporal {
        Temporal { parameters, reactions: BTreeMap::new(), traded: BTreeMap::new() }
    }

    fn signal(&mut self, view: &View<'_>, market: &MarketView<'_>, figures: &mut Figures) -> Result<BasketLeg, Reason> {
        let (p, now) = (&self.parameters, view.now);
        if !p.enabled {
            return Err(Reason::Disabled);
        }
        let truth = market.truth.ok_or(Reason::TruthUnknown)?;
        let (Some(tick), Some(min_size)) = (market.card.tick, market.card.min_size) else {
            return Err(Reason::CardIncomplete);
        };
        let fee = market.card.fee.ok_or(Reason::FeeUnknown)?;
        if market.book_age_ns.is_none_or(|age| age > p.max_book_age_ms.saturating_mul(Time::MILLI)) {
            return Err(Reason::StaleBook);
        }
        let mid = market.book.mid(Outcome::Yes).ok_or(Reason::NoBook)?;
        let reactions = self.reactions.entry(market.id).or_default();
        reactions.observe(truth.event_mono_ns, mid, p.reaction_move, now);
        let window = reactions.window_ns().unwrap_or(p.cold_window_ms.saturating_mul(Time::MILLI));
        self.timing(&truth, window, market.id, now)?;
        // Asking now would use the event up, and nothing would be taken.
        if market.caution {
            return Err(Reason::Caution);
        }
        if !truth.clear_rules {
            return Err(Reason::RulesUnclear);
        }
        if truth.confidence < p.min_confidence {
            return Err(Reason::WeakSignal);
        }
        let (outcome, chance) = if truth.probability > 0.5 {
            (Outcome::Yes, truth.probability)
        } else {
            (Outcome::No, 1.0 - truth.probability)
        };
        let ask = market.book.best_ask(outcome).ok_or(Reason::NoBook)?;
        let limit = tick.ceil_price(ask.price).ok_or(Reason::NoPrice)?;
        if limit.to_f64() > p.max_price + 1e-9 {
            return Err(Reason::OutsideZone);
        }
        let per_share = fee.taker_fee(Shares::from_whole(1_000), limit).to_f64() / 1_000.0;
        let cost = limit.to_f64() + per_share;
        let edge = chance - cost - p.void_risk;
        figures.extend([("chance", chance), ("cost", cost), ("edge", edge), ("kelly", kelly(chance, cost))]);
        if edge < p.min_edge - 1e-9 {
            return Err(Reason::NoEdge);
        }
        let spent: Usdc = view.markets.iter().flat_map(|m| m.position.iter().map(|p| p.cost)).sum();
        let stake = self.stake(chance, cost).min(p.max_exposure_usdc - spent).min(view.spendable);
        if stake < p.min_stake_usdc {
            return Err(Reason::InventoryLimit);
        }
        let size = Usdc::from_micros((stake.to_f64() / cost * limit.to_f64() * 1e6) as i64).affords(limit);
        let size = size.min(ask.size.floor_lots());
        if size < min_size {
            return Err(Reason::ThinBook);
        }
        Ok(BasketLeg { market: market.id, outcome, side: Side::Buy, limit, size })
    }

    /// Whether the truth is fresh, its signal young, the book most likely unaware, and the event not traded yet.
    fn timing(&self, truth: &Truth, window_ns: u64, market: MarketId, now: Time) -> Result<(), Reason> {
        let p = &self.parameters;
        let age = |at: u64| now.mono_ns.saturating_sub(at);
        if age(truth.heard_mono_ns) > p.max_truth_age_ms.saturating_mul(Time::MILLI) {
            return Err(Reason::TruthStale);
        }
        let event = age(truth.event_mono_ns);
        if event > p.signal_ttl_ms.saturating_mul(Time::MILLI) || event > window_ns {
            return Err(Reason::TooLate);
        }
        if self.traded.get(&market) == Some(&truth.event_mono_ns) {
            return Err(Reason::CoolDown);
        }
        Ok(())
    }

    fn stake(&self, chance: f64, cost: f64) -> Usdc {
        let p = &self.parameters;
        let dollars = kelly(chance, cost) * p.kelly * p.bankroll_usdc.to_f64();
        Usdc::from_micros((dollars * 1e6) as i64).min(p.max_stake_usdc)
    }
}

impl Strategy for Temporal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        2
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        let mut busy = view.basket.is_some_and(|basket| !basket.state.is_final());
        for market in view.markets {
            let mut figures = Figures::new();
            let found = self.signal(view, market, &mut figures);
            if let Some(truth) = market.truth.filter(|truth| truth.clear_rules) {
                decision.values(market.id, truth.probability);
            }
            let rest = decision.set(market.id, Mode::Stop);
            rest.figures = figures;
            match found {
                Err(reason) => rest.stop(reason),
                Ok(_) if busy => rest.stop(Reason::BasketRunning),
                Ok(leg) => {
                    rest.stop(Reason::Taking);
                    busy = true;
                    decision.sees(market.id, Opportunity::Winner);
                    if let Some(truth) = market.truth {
                        self.traded.insert(market.id, truth.event_mono_ns);
                    }
                    let mut reasons = Reasons::new();
                    reasons.push(Reason::Taking);
                    decision.take(Basket {
                        legs: vec![leg],
                        sequence: Sequence::OneByOne,
                        deadline_ms: self.parameters.deadline_ms,
                        unwind: Unwind::Keep,
                        reasons,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::FeeSchedule;

    use super::*;
    use crate::testing::{NOW, Scene};

    fn truth(probability: f64, event_ms_ago: u64) -> Truth {
        Truth {
            probability,
            confidence: 0.95,
            event_mono_ns: NOW.mono_ns - event_ms_ago * Time::MILLI,
            heard_mono_ns: NOW.mono_ns,
            clear_rules: true,
        }
    }

    fn scene(ask: &str, truth: Truth) -> Scene {
        let level = |at: &str| Some((at.parse().expect("price"), Shares::from_whole(1_000)));
        let fee = Some(FeeSchedule::FREE);
        Scene { bid: level("0.5"), ask: level(ask), truth: Some(truth), fee, ..Scene::default() }
    }

    fn parameters() -> Parameters {
        Parameters { enabled: true, ..Parameters::default() }
    }

    fn decided(scene: &Scene, parameters: Parameters) -> Result<BasketLeg, Reason> {
        let decision = scene.decision_of(&mut Temporal::new(parameters), NOW);
        match decision.basket() {
            Some(basket) => Ok(basket.legs[0]),
            None => Err(decision.rests()[0].reasons[0]),
        }
    }

    #[test]
    fn w_kelly_is_a_share_of_the_bankroll() {
        assert!((kelly(0.9, 0.75) - 0.6).abs() < 1e-12, "the original is short by a factor of the price: 0.45");
        assert!(kelly(0.5, 0.6) <= 0.0);
        // 0.6 of a quarter of 200 dollars.
        let leg = decided(&scene("0.75", truth(0.9, 100)), parameters()).expect("a taking");
        assert_eq!(leg.size, Shares::from_whole(40));
        let rich = Parameters { bankroll_usdc: Usdc::from_whole(10_000), ..parameters() };
        let leg = decided(&scene("0.75", truth(0.9, 100)), rich).expect("a taking");
        assert_eq!(leg.size, Usdc::from_whole(50).affords(leg.limit), "the cap");
    }

    #[test]
    fn the_edge_at_its_bound() {
        for (ask, probability, reason) in [
            ("0.85", 0.9, None),
            ("0.86", 0.9, Some(Reason::NoEdge)),
            ("0.95", 0.9999, Some(Reason::NoEdge)),
            ("0.96", 0.9999, Some(Reason::OutsideZone)),
        ] {
            let free = Parameters { min_stake_usdc: Usdc::ZERO, ..parameters() };
            assert_eq!(decided(&scene(ask, truth(probability, 100)), free).err(), reason, "{ask}");
        }
        let cheap = Parameters { min_edge: 0.04, ..parameters() };
        assert!(decided(&scene("0.95", truth(0.9999, 100)), cheap).is_ok());
    }

    #[test]
    fn the_other_token_is_bought_when_the_truth_is_against_yes() {
        let leg = decided(&scene("0.7", truth(0.01, 100)), parameters()).expect("a taking");
        assert_eq!((leg.outcome, leg.limit.to_string()), (Outcome::No, "0.5".to_owned()));
    }

    #[test]
    fn time_confidence_and_rules_are_looked_at() {
        type Change = fn(&mut Truth, &mut Parameters);
        let rows: [(Change, Reason); 6] = [
            (|t, _| t.event_mono_ns -= 1_000 * Time::MILLI, Reason::TooLate),
            (
                |t, p| (p.cold_window_ms, t.event_mono_ns) = (60_000, t.event_mono_ns - 5_000 * Time::MILLI),
                Reason::TooLate,
            ),
            (|t, _| t.heard_mono_ns -= 30_001 * Time::MILLI, Reason::TruthStale),
            (|t, _| t.confidence = 0.89, Reason::WeakSignal),
            (|t, _| t.clear_rules = false, Reason::RulesUnclear),
            (|_, p| p.enabled = false, Reason::Disabled),
        ];
        for (index, (change, reason)) in rows.into_iter().enumerate() {
            let (mut truth, mut parameters) = (truth(0.9, 100), parameters());
            change(&mut truth, &mut parameters);
            assert_eq!(decided(&scene("0.75", truth), parameters).err(), Some(reason), "row {index}");
        }
        assert!(!Parameters::default().enabled);
        let none = Scene { truth: None, ..scene("0.75", truth(0.9, 100)) };
        assert_eq!(decided(&none, parameters()).err(), Some(Reason::TruthUnknown));
    }

    #[test]
    fn an_event_is_traded_once() {
        let mut strategy = Temporal::new(parameters());
        let scene = scene("0.75", truth(0.9, 100));
        assert!(scene.decision_of(&mut strategy, NOW).basket().is_some());
        assert!(scene.decision_of(&mut strategy, NOW).basket().is_none());
    }

    #[test]
    fn w_the_window_has_a_defined_cold_start() {
        let mut reactions = Reactions::default();
        assert_eq!(reactions.window_ns(), None);
        for n in 0..20u64 {
            let event = n * 1_000 * Time::MILLI;
            let later = |ms: u64| Time { mono_ns: event + ms * Time::MILLI, wall_ns: 0 };
            reactions.observe(event, 0.5, 0.01, later(0));
            reactions.observe(event, 0.505, 0.01, later(100));
            reactions.observe(event, 0.52, 0.01, later(200 + n * 10));
            reactions.observe(event, 0.6, 0.01, later(900));
        }
        // Delays of 200 to 390 ms: the tenth percentile is 210.
        assert_eq!(reactions.window_ns(), Some(147 * Time::MILLI));
        assert_eq!(reactions.delays.len(), 20, "one reaction each");
    }
}
