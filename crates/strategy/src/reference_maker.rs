//! Quotes an up/down market around what the price that decides it says it is worth (systems 4, quant 3 and 4).
//!
//! ```text
//! fair  = logistic(w logit(model) + (1 - w) logit(book)), model by the market's own settlement rule
//! speed = |d fair / d ln S| * sigma                       dollars per square-root second
//! half  = max(half_min, reaction * speed * sqrt(react_s), tick), wider near the end and in caution
//! q_max = max_shares * min(1, sqrt(tau / full_size_s)),   u = clamp(net / q_max, -1, 1)
//! bid, ask = fair - skew u half -/+ half                  or one of the models of `crate::model`
//! ```
//!
//! A shock of the reference stops the quotes until it has calmed down. A market whose rule is not known, a strike that was missed, a stale
//! reference, or a fair value that moves faster than the widest spread are reasons not to quote. Near the end spreads widen and sizes
//! shrink; in the last `flatten_s` only what reduces the position is quoted, and under `stop_s` nothing.

use std::collections::BTreeMap;

use oddsmith_domain::{DesiredQuote, MarketId, Mode, Outcome, Price, Reason, Route, Shares, Side, Tick, Time};
use serde::{Deserialize, Serialize};

use crate::config::ParameterError;
use crate::fair::{Spot, averaged, averaged_before_start, blend, digital};
use crate::model::{Around, Glft, indifference, log_odds};
use crate::{Decision, MarketView, Rest, Strategy, Underlying, View};

/// The strategy's name.
pub const NAME: &str = "reference_maker";

/// How the inventory moves the quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quoting {
    /// In proportion to what is held of the most that may be.
    #[default]
    Simple,
    /// The stationary model of Guéant, Lehalle and Fernandez-Tapia.
    Glft,
    /// In log-odds.
    LogOdds,
    /// By indifference until settlement.
    Indifference,
}

/// The parameters, with their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// How the inventory moves the quotes.
    pub quoting: Quoting,
    /// The weight of the model in the fair value; the book has the rest. 0 … 1.
    pub model_weight: f64,
    /// The least half of the spread, in dollars. 0.0001 … 0.5.
    pub half_min: f64,
    /// The largest half of the spread, in dollars; what needs more is not quoted. 0.0001 … 0.5.
    pub half_max: f64,
    /// How many deviations of the fair value while we react are half of the spread. 0 … 10.
    pub reaction: f64,
    /// How long a reaction takes, in seconds. 0.001 … 60.
    pub react_s: f64,
    /// How far a full inventory moves the quotes, in halves of the spread. 0 … 3.
    pub skew: f64,
    /// Risk aversion of the models, per dollar. 0.000001 … 10.
    pub gamma: f64,
    /// Decay of fills with distance, per dollar (`glft`) or per unit of log-odds (`log_odds`). 0.1 … 10000.
    pub k: f64,
    /// Fills per second at the fair value (`glft`). 0.0001 … 1000.
    pub intensity: f64,
    /// Shares of each side with a flat inventory. 0.01 … 100000.
    pub base_shares: Shares,
    /// The largest net inventory, in shares. 0.01 … 1000000.
    pub max_shares: Shares,
    /// With less time than this the largest inventory shrinks, in seconds. 1 … 31536000.
    pub full_size_s: u64,
    /// A return of this many deviations is a shock. 1 … 100.
    pub shock_z: f64,
    /// For how many seconds after a shock nothing is quoted. 0 … 600.
    pub shock_hold_s: u64,
    /// The oldest reference price, in milliseconds. 1 … 60000.
    pub max_reference_age_ms: u64,
    /// The oldest book, in milliseconds. 1 … 600000.
    pub max_book_age_ms: u64,
    /// With fewer seconds left the spread is wider and the size smaller. 0 … 86400.
    pub near_s: u64,
    /// By how much half of the spread is multiplied then, and the size divided; also in caution. 1 … 10.
    pub near_factor: f64,
    /// With fewer seconds left only what reduces the position is quoted. 0 … 86400.
    pub flatten_s: u64,
    /// With fewer seconds left nothing is quoted. 0 … 86400.
    pub stop_s: u64,
    /// The uncertainty of the settling feed against the reference, as a share of the price. 0 … 0.01.
    pub basis_sd: f64,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            quoting: Quoting::Simple,
            model_weight: 0.7,
            half_min: 0.01,
            half_max: 0.1,
            reaction: 1.5,
            react_s: 0.25,
            skew: 0.8,
            gamma: 0.0004,
            k: 150.0,
            intensity: 0.03,
            base_shares: Shares::from_whole(25),
            max_shares: Shares::from_whole(500),
            full_size_s: 900,
            shock_z: 4.5,
            shock_hold_s: 3,
            max_reference_age_ms: 500,
            max_book_age_ms: 2_000,
            near_s: 300,
            near_factor: 1.5,
            flatten_s: 90,
            stop_s: 60,
            basis_sd: 0.0,
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
            ("model_weight", self.model_weight, 0.0, 1.0, "0 … 1"),
            ("half_min", self.half_min, 0.0001, 0.5, "0.0001 … 0.5"),
            ("half_max", self.half_max, self.half_min, 0.5, "half_min … 0.5"),
            ("reaction", self.reaction, 0.0, 10.0, "0 … 10"),
            ("react_s", self.react_s, 0.001, 60.0, "0.001 … 60"),
            ("skew", self.skew, 0.0, 3.0, "0 … 3"),
            ("gamma", self.gamma, 1e-6, 10.0, "0.000001 … 10"),
            ("k", self.k, 0.1, 1e4, "0.1 … 10000"),
            ("intensity", self.intensity, 1e-4, 1e3, "0.0001 … 1000"),
            ("base_shares", self.base_shares.to_f64(), 0.01, 1e5, "0.01 … 100000"),
            ("max_shares", self.max_shares.to_f64(), 0.01, 1e6, "0.01 … 1000000"),
            ("full_size_s", self.full_size_s as f64, 1.0, 31_536_000.0, "1 … 31536000"),
            ("shock_z", self.shock_z, 1.0, 100.0, "1 … 100"),
            ("shock_hold_s", self.shock_hold_s as f64, 0.0, 600.0, "0 … 600"),
            ("max_reference_age_ms", self.max_reference_age_ms as f64, 1.0, 60_000.0, "1 … 60000"),
            ("max_book_age_ms", self.max_book_age_ms as f64, 1.0, 600_000.0, "1 … 600000"),
            ("near_s", self.near_s as f64, 0.0, 86_400.0, "0 … 86400"),
            ("near_factor", self.near_factor, 1.0, 10.0, "1 … 10"),
            ("flatten_s", self.flatten_s as f64, 0.0, 86_400.0, "0 … 86400"),
            ("stop_s", self.stop_s as f64, 0.0, 86_400.0, "0 … 86400"),
            ("basis_sd", self.basis_sd, 0.0, 0.01, "0 … 0.01"),
        ])
    }
}

/// What a market is worth, and how fast that moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// The probability of YES by the model.
    pub model: f64,
    /// Its deviation per square-root second.
    pub speed: f64,
}

/// A market's worth by its settlement rule; or why there is none.
///
/// # Errors
/// [`Reason::ReferenceStale`] when the price, its volatility or a part of an average is not known.
pub fn worth(underlying: &Underlying, basis_sd: f64, now: Time) -> Result<Worth, Reason> {
    let Underlying { rule, spot, strike_window, final_window, .. } = *underlying;
    let seconds = |wall_s: u64| (wall_s.saturating_mul(Time::SECOND) as f64 - now.wall_ns as f64) / Time::SECOND as f64;
    let (to_start, tau) = (seconds(rule.start_wall_s), seconds(rule.end_wall_s));
    let at = |spot: Spot| -> Option<f64> {
        if rule.average_s <= 0.0 {
            // Before the start the strike is the price itself.
            return match (to_start > 0.0, rule.strike) {
                (true, _) => Some(0.5),
                (false, strike) => digital(spot, strike?, tau, basis_sd),
            };
        }
        if to_start > 0.0 {
            return averaged_before_start(spot, to_start, tau - to_start, strike_window?);
        }
        // A strike that the venue has not stated is what its window came to.
        let strike = rule.strike.or(strike_window.map(|window| window.mean_so_far));
        averaged(spot, strike?, tau, final_window?, basis_sd * spot.price)
    };
    let model = at(spot).ok_or(Reason::ReferenceStale)?;
    const STEP: f64 = 1e-5;
    let moved = |by: f64| at(Spot { price: spot.price * (1.0 + by), ..spot });
    let slope = moved(STEP).zip(moved(-STEP)).map_or(0.0, |(up, down)| (up - down) / (2.0 * STEP));
    Ok(Worth { model, speed: slope.abs() * spot.sigma })
}

/// An instance of the strategy.
#[derive(Debug)]
pub struct ReferenceMaker {
    parameters: Parameters,
    /// Until when a shock keeps a market quiet, on the monotonic clock.
    quiet_until: BTreeMap<MarketId, u64>,
}

/// What the quotes are made from.
struct Setting {
    tick: Tick,
    min_size: Shares,
    fair: f64,
    model: f64,
    speed: f64,
    tau: f64,
    net: f64,
    wide: bool,
}

impl ReferenceMaker {
    /// An instance with checked parameters.
    #[must_use]
    pub fn new(parameters: Parameters) -> ReferenceMaker {
        ReferenceMaker { parameters, quiet_until: BTreeMap::new() }
    }

    /// What there is to quote around; or why nothing is quoted.
    fn setting(&mut self, market: &MarketView<'_>, now: Time) -> Result<Setting, Reason> {
        let p = &self.parameters;
        let min_size = market.card.min_size.ok_or(Reason::CardIncomplete)?;
        // A rule that is known, without its price, is another matter than an unknown rule.
        let missing =
            if market.card.settlement.up_down().is_some() { Reason::ReferenceStale } else { Reason::SettlementUnknown };
        let underlying = market.underlying.as_ref().ok_or(missing)?;
        let (tick, _) = market.quotable_mid(p.max_book_age_ms)?;
        let left_ns = underlying.rule.end_wall_s.saturating_mul(Time::SECOND).saturating_sub(now.wall_ns);
        if left_ns < p.stop_s.saturating_mul(Time::SECOND).max(1) {
            return Err(Reason::NearExpiry);
        }
        if now.mono_ns.saturating_sub(underlying.mono_ns) > p.max_reference_age_ms.saturating_mul(Time::MILLI) {
            return Err(Reason::ReferenceStale);
        }
        let quiet = self.quiet_until.entry(market.id).or_insert(0);
        if underlying.shock >= p.shock_z {
            *quiet = now.mono_ns.saturating_add(p.shock_hold_s.saturating_mul(Time::SECOND)).max(*quiet);
            return Err(Reason::Shock);
        }
        if now.mono_ns < *quiet {
            return Err(Reason::Shock);
        }
        let Worth { model, speed } = worth(underlying, p.basis_sd, now)?;
        let (bid, ask) =
            market.best_of_others(Side::Buy).zip(market.best_of_others(Side::Sell)).ok_or(Reason::NoBook)?;
        let book = oddsmith_book::signal::micro_price(bid, ask);
        let tau = left_ns as f64 / Time::SECOND as f64;
        let wide = market.caution || tau < p.near_s as f64;
        let fair = blend(model, book, p.model_weight);
        Ok(Setting { tick, min_size, fair, model, speed, tau, net: market.net().to_f64(), wide })
    }

    /// Half of the spread with a flat inventory.
    fn half(&self, setting: &Setting) -> Result<f64, Reason> {
        let p = &self.parameters;
        let grid = f64::from(setting.tick.units()) / f64::from(Price::ONE.units());
        let reacting = p.reaction * setting.speed * libm::sqrt(p.react_s);
        let widened = if setting.wide { p.near_factor } else { 1.0 };
        let half = p.half_min.max(reacting).max(grid) * widened;
        if half > p.half_max { Err(Reason::TooFast) } else { Ok(half) }
    }

    /// Bid and ask before the grid and the book.
    fn around(&self, setting: &Setting, half: f64, u: f64) -> Around {
        let p = &self.parameters;
        let (fair, q) = (setting.fair, setting.net);
        let model = match p.quoting {
            Quoting::Simple => {
                let centre = fair - p.skew * u * half;
                return Around { bid: centre - half, ask: centre + half };
            }
            Quoting::Glft => {
                let delta = p.base_shares.to_f64();
                let glft = Glft { gamma: p.gamma, sigma: setting.speed, k: p.k, a: p.intensity, delta };
                glft.around(fair, q / delta)
            }
            Quoting::LogOdds => {
                let belief = setting.speed / (fair * (1.0 - fair));
                log_odds(fair, q, p.gamma, belief * belief * setting.tau, p.k)
            }
            Quoting::Indifference => indifference(fair, q, p.gamma, p.base_shares.to_f64()),
        };
        // A model knows the inventory; how fast we react is ours to say.
        let centre = (model.bid + model.ask) / 2.0;
        let half = half.max((model.ask - model.bid) / 2.0);
        Around { bid: centre - half, ask: centre + half }
    }

    fn quote(&self, market: &MarketView<'_>, setting: &Setting, rest: &mut Rest) {
        let half = match self.half(setting) {
            Ok(half) => half,
            Err(reason) => return rest.stop(reason),
        };
        rest.figure("fair", setting.fair);
        rest.figure("model", setting.model);
        rest.figure("half_spread", half);
        let p = &self.parameters;
        let most = p.max_shares.to_f64() * libm::sqrt(setting.tau / p.full_size_s as f64).min(1.0);
        let u = (setting.net / most).clamp(-1.0, 1.0);
        let Around { bid, ask } = self.around(setting, half, u);
        let (Some(best_bid), Some(best_ask)) = (market.best_of_others(Side::Buy), market.best_of_others(Side::Sell))
        else {
            return rest.stop(Reason::NoBook);
        };
        let wanted = (setting.tick.floor(bid), setting.tick.ceil(ask));
        let (bid, ask) = MarketView::clear_of_the_book(wanted, (best_bid.price, best_ask.price), setting.tick);
        if setting.wide {
            rest.mode = Mode::Caution;
            rest.because(if market.caution { Reason::Caution } else { Reason::NearExpiry });
        }
        if setting.net != 0.0 {
            rest.because(Reason::InventorySkew);
        }
        let flatten = setting.tau < p.flatten_s as f64;
        let shrink = if setting.wide { p.near_factor } else { 1.0 };
        for (side, price, grows) in [(Side::Buy, bid, u), (Side::Sell, ask, -u)] {
            let reduces = grows < 0.0;
            if (flatten && !reduces) || grows >= 1.0 {
                rest.because(Reason::InventoryLimit);
                continue;
            }
            let Some(price) = price else {
                rest.because(Reason::NoPrice);
                continue;
            };
            let wanted = p.base_shares.to_f64() * (1.0 - grows) / shrink;
            let wanted = if flatten { wanted.min(setting.net.abs()) } else { wanted };
            let size = Shares::floor_from(wanted);
            if size < setting.min_size {
                rest.because(Reason::BelowMinSize);
                continue;
            }
            rest.quotes.push(DesiredQuote { outcome: Outcome::Yes, side, price, size, route: Route::Materialise });
        }
        if rest.quotes.is_empty() {
            rest.mode = Mode::Stop;
        } else {
            rest.because(Reason::Quoting);
        }
    }
}

impl Strategy for ReferenceMaker {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        2
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        for market in view.markets {
            let setting = self.setting(market, view.now);
            if let Ok(setting) = &setting {
                decision.values(market.id, setting.fair);
            }
            let rest = decision.set(market.id, Mode::Normal);
            match setting {
                Ok(setting) => self.quote(market, &setting, rest),
                Err(reason) => rest.stop(reason),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SettlementRule;
    use crate::features::Features;
    use crate::testing::{NOW, Scene};

    /// A reference that moved by 8e-5 each second until now, and stands at this price.
    fn reference(price: f64) -> Features {
        let mut features = Features::default();
        for second in 0..=600u64 {
            let back = (600 - second) * Time::SECOND;
            let at = Time { mono_ns: NOW.mono_ns - back, wall_ns: NOW.wall_ns - back };
            features.update(price * (1.0 + if second % 2 == 0 { 0.0 } else { 8e-5 }), at);
        }
        features
    }

    fn seen(features: &Features, rule: SettlementRule, ms: u64) -> Option<Underlying> {
        Underlying::new(features, rule, NOW.plus_ns(ms * Time::MILLI))
    }

    fn rule(seconds_left: u64, strike: f64) -> SettlementRule {
        let end_wall_s = NOW.wall_s() + seconds_left;
        SettlementRule { start_wall_s: end_wall_s - 900, end_wall_s, average_s: 60.0, strike: Some(strike) }
    }

    fn scene(price: f64, strike: f64, seconds_left: u64) -> Scene {
        let level = |at: &str| Some((at.parse().expect("price"), Shares::from_whole(100)));
        Scene {
            bid: level("0.3"),
            ask: level("0.8"),
            tick: Tick::Thousandth,
            underlying: seen(&reference(price), rule(seconds_left, strike), 0),
            ..Scene::default()
        }
    }

    fn parameters() -> Parameters {
        Parameters { model_weight: 1.0, half_min: 0.005, ..Parameters::default() }
    }

    fn quoted(scene: &Scene) -> Result<(f64, f64, Rest), Reason> {
        quoted_by(scene, parameters())
    }

    fn quoted_by(scene: &Scene, parameters: Parameters) -> Result<(f64, f64, Rest), Reason> {
        let rest = scene.ask_of(&mut ReferenceMaker::new(parameters)).expect("a wish");
        match rest.quotes[..] {
            [bid, ask] => Ok((bid.price.to_f64(), ask.price.to_f64(), rest)),
            _ => Err(rest.reasons[0]),
        }
    }

    #[test]
    fn the_fair_value_is_the_models() {
        let (bid, ask, _) = quoted(&scene(84_600.0, 84_550.0, 300)).expect("quotes");
        // Quant 3.3 a: 0.6766 at 300 seconds.
        assert!(((bid + ask) / 2.0 - 0.6766).abs() < 2e-3, "{bid} {ask}");
        assert!(ask - bid >= 2.0 * 0.005 - 1e-9);
    }

    #[test]
    fn reasons_not_to_quote() {
        type Change = fn(&mut Scene);
        let rows: [(Change, Reason); 5] = [
            (|s| s.underlying = None, Reason::SettlementUnknown),
            (|s| s.underlying.iter_mut().for_each(|u| u.mono_ns -= 501 * Time::MILLI), Reason::ReferenceStale),
            (|s| s.underlying = seen(&reference(84_600.0), rule(59, 84_550.0), 0), Reason::NearExpiry),
            (|s| s.book_age_ns = None, Reason::StaleBook),
            (|s| s.ask = None, Reason::NoBook),
        ];
        for (index, (change, reason)) in rows.into_iter().enumerate() {
            let mut scene = scene(84_600.0, 84_550.0, 300);
            change(&mut scene);
            assert_eq!(quoted(&scene).err(), Some(reason), "row {index}");
        }
        // Without a stated strike, and without having seen its window, there is no strike.
        let mut unknown = scene(84_600.0, 84_550.0, 300);
        unknown.underlying.iter_mut().for_each(|u| u.rule.strike = None);
        assert_eq!(quoted(&unknown).err(), Some(Reason::ReferenceStale));
    }

    #[test]
    fn w_the_strike_is_its_window_and_not_the_first_trade_seen() {
        // The window of the strike lies within what was seen: its mean is the strike.
        let unstated = SettlementRule { strike: None, ..rule(900 - 100, 84_550.0) };
        let late =
            Scene { underlying: seen(&reference(84_600.0), unstated, 0), ..scene(84_600.0, 84_550.0, 900 - 100) };
        let (bid, ask, _) = quoted(&late).expect("quotes");
        assert!(((bid + ask) / 2.0 - 0.5).abs() < 0.01, "{bid} {ask}");
    }

    #[test]
    fn a_shock_stops_the_quotes_for_a_while() {
        let (mut features, mut maker) = (reference(84_600.0), ReferenceMaker::new(parameters()));
        let mut reasons = |features: &Features, ms: u64| {
            let underlying = seen(features, rule(300, 84_550.0), ms);
            let scene = Scene { underlying, ..scene(84_600.0, 84_550.0, 300) };
            let now = NOW.plus_ns(ms * Time::MILLI);
            scene.decision_of(&mut maker, now).rests()[0].reasons.clone()
        };
        assert!(reasons(&features, 0).contains(&Reason::Quoting));
        features.update(84_600.0 * 1.002, NOW.plus_ns(200 * Time::MILLI));
        assert_eq!(reasons(&features, 200)[..], [Reason::Shock], "within one evaluation");
        features.update(84_600.0, NOW.plus_ns(2_000 * Time::MILLI));
        assert_eq!(reasons(&features, 2_000)[..], [Reason::Shock], "still quiet");
        features.update(84_600.0, NOW.plus_ns(3_300 * Time::MILLI));
        assert!(reasons(&features, 3_300).contains(&Reason::Quoting));
    }

    #[test]
    fn w_near_the_end_the_spread_widens_and_the_size_shrinks() {
        let spread =
            |left| quoted(&scene(84_600.0, 84_550.0, left)).map(|(bid, ask, rest)| (ask - bid, rest.quotes[0].size));
        let (far, near) = (spread(800).expect("quotes"), spread(200).expect("quotes"));
        assert!(near.0 > far.0 && near.1 < far.1, "{far:?} {near:?}");
        let mut flat = scene(84_600.0, 84_550.0, 80);
        assert_eq!(quoted(&flat).err(), Some(Reason::NearExpiry), "nothing that grows, and nothing to reduce");
        flat.held[0] = Shares::from_whole(10);
        let rest = flat.ask_of(&mut ReferenceMaker::new(Parameters { half_max: 0.5, ..parameters() })).expect("a wish");
        assert_eq!(
            rest.quotes.iter().map(|q| (q.side, q.size)).collect::<Vec<_>>(),
            [(Side::Sell, Shares::from_whole(10))]
        );
    }

    #[test]
    fn at_the_largest_inventory_only_the_reducing_side_is_quoted() {
        let full = Scene { held: [Shares::from_whole(500), Shares::ZERO], ..scene(84_600.0, 84_550.0, 900) };
        let rest = full.ask_of(&mut ReferenceMaker::new(parameters())).expect("a wish");
        assert_eq!(rest.quotes.iter().map(|q| q.side).collect::<Vec<_>>(), [Side::Sell]);
    }

    proptest! {
        #[test]
        fn more_inventory_never_raises_a_quote_in_any_model(held in 0i64..300, more in 1i64..100, index in 0usize..4) {
            let quoting = [Quoting::Simple, Quoting::Glft, Quoting::LogOdds, Quoting::Indifference][index];
            let parameters = Parameters { quoting, half_max: 0.5, ..parameters() };
            let at = |held| {
                let scene = Scene { held: [Shares::from_whole(held), Shares::ZERO], ..scene(84_600.0, 84_590.0, 800) };
                quoted_by(&scene, parameters.clone())
            };
            if let (Ok(before), Ok(after)) = (at(held), at(held + more)) {
                prop_assert!(after.0 <= before.0 && after.1 <= before.1, "{quoting:?}");
            }
        }
    }
}
