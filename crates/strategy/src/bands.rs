//! Orders kept within bands of distance from the price (systems 1.6).
//!
//! Orders are grouped by the token `T` whose exposure they add: buys of `T`, and sells of its complement. With the price `P` of `T`:
//!
//! ```text
//! e = an order's price for a buy, 1 - its price for a sell of the complement
//! in the band  <=>  P - maxMargin < e <= P - minMargin
//! new buys at P - avgMargin, new sells of the complement at 1 - (P - avgMargin)
//! ```
//!
//! An order in no band is cancelled. A band that holds more than `maxAmount` loses orders until it does not: in the first band the one
//! nearest to the price, in the last the farthest, in between the largest. A band that holds less than `minAmount` is filled up to
//! `avgAmount`, by selling free tokens of the complement first and then with free dollars.
//!
//! Unlike the original: a margin finer than the grid is one step of it, margins and amounts are read by name, a bad configuration is refused by name, nothing is changed from tick to
//! tick, distances are measured on one scale, what a band holds is counted after its cancels, and free dollars and tokens take the open
//! orders of both tokens into account.

use arrayvec::ArrayVec;
use oddsmith_domain::{DesiredQuote, Mode, Outcome, Price, Reason, Route, Shares, Side, Tick, Usdc};
use serde::{Deserialize, Serialize};

use crate::config::ParameterError;
use crate::{Decision, LadderPrice, MarketView, Rest, Strategy, View, Working};

/// The strategy's name.
pub const NAME: &str = "bands";

/// The most own orders of a market that are looked at; more are cancelled.
const MAX_ORDERS: usize = 128;

/// One band, under the names of the original's JSON file. Margins are dollars of price, amounts are shares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Band {
    /// The band's edge nearest to the price, itself in the band. 0 … 1.
    pub min_margin: f64,
    /// Where new orders are placed. `minMargin` … `maxMargin`.
    pub avg_margin: f64,
    /// The band's far edge, itself not in the band. More than `minMargin`, up to 1.
    pub max_margin: f64,
    /// Less than this in the band is filled up. 0 … 1000000.
    pub min_amount: f64,
    /// How far it is filled up. `minAmount` … `maxAmount`.
    pub avg_amount: f64,
    /// More than this in the band is cancelled.
    pub max_amount: f64,
}

/// The parameters. The original's JSON file, which has `bands` alone, is accepted as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// The bands, nearest first. They may touch, and must not overlap.
    pub bands: Vec<Band>,
    /// The tokens whose exposure is bought: `A` is YES, `B` is NO.
    pub active_tokens: Vec<Token>,
    /// Sells of a token stand across its own price, instead of being buys of the other token.
    pub vanilla_mode: bool,
    /// No order smaller than this many shares; the market's own minimum when that is larger. 0 … 1000000.
    pub min_size: f64,
    /// How far the price is moved against each net share of inventory, in dollars. 0 … 0.1; 0 is the original.
    pub inventory_skew: f64,
    /// No quotes when the book was proven current longer ago than this, in milliseconds. 1 … 600000.
    pub max_book_age_ms: u64,
}

/// A token under the original's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Token {
    /// YES.
    A,
    /// NO.
    B,
}

impl Default for Parameters {
    /// The original's sample file.
    fn default() -> Parameters {
        let band = |min_margin, avg_margin, max_margin| Band {
            min_margin,
            avg_margin,
            max_margin,
            min_amount: 10.0,
            avg_amount: 20.0,
            max_amount: 30.0,
        };
        Parameters {
            bands: vec![band(0.01, 0.01, 0.02), band(0.02, 0.02, 0.03), band(0.03, 0.03, 0.04)],
            active_tokens: vec![Token::A, Token::B],
            vanilla_mode: false,
            min_size: 15.0,
            inventory_skew: 0.0,
            max_book_age_ms: 2_000,
        }
    }
}

impl Parameters {
    /// Checks every band and that none overlap.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        if self.bands.is_empty() || self.bands.len() > 64 {
            return Err(ParameterError { name: "bands", value: self.bands.len().to_string(), range: "1 … 64 bands" });
        }
        if self.active_tokens.is_empty() {
            return Err(ParameterError { name: "active_tokens", value: "none".to_owned(), range: "A, B or both" });
        }
        ParameterError::check(&[
            ("min_size", self.min_size, 0.0, 1e6, "0 … 1000000"),
            ("inventory_skew", self.inventory_skew, 0.0, 0.1, "0 … 0.1"),
            ("max_book_age_ms", self.max_book_age_ms as f64, 1.0, 600_000.0, "1 … 600000"),
        ])?;
        for (index, band) in self.bands.iter().enumerate() {
            band.validate()?;
            let overlaps = |other: &&Band| other.min_margin < band.max_margin && band.min_margin < other.max_margin;
            if let Some(other) = self.bands[..index].iter().find(overlaps) {
                return Err(ParameterError {
                    name: "bands",
                    value: format!("{} … {}", band.min_margin, band.max_margin),
                    range: if other.min_margin < band.min_margin {
                        "a band that begins where the nearer one ends, or later"
                    } else {
                        "a band that ends where the farther one begins, or before"
                    },
                });
            }
        }
        Ok(())
    }

    fn buys(&self, outcome: Outcome) -> bool {
        self.active_tokens.contains(if outcome == Outcome::Yes { &Token::A } else { &Token::B })
    }
}

impl Band {
    fn validate(&self) -> Result<(), ParameterError> {
        ParameterError::check(&[
            ("minMargin", self.min_margin, 0.0, 1.0, "0 … 1"),
            ("avgMargin", self.avg_margin, self.min_margin, self.max_margin, "minMargin … maxMargin"),
            ("maxMargin", self.max_margin, self.min_margin, 1.0, "minMargin … 1"),
            ("minAmount", self.min_amount, 0.0, 1e6, "0 … 1000000"),
            ("avgAmount", self.avg_amount, self.min_amount, self.max_amount, "minAmount … maxAmount"),
            ("maxAmount", self.max_amount, self.avg_amount, 1e6, "avgAmount … 1000000"),
        ])?;
        if self.min_margin >= self.max_margin {
            let value = self.max_margin.to_string();
            return Err(ParameterError { name: "maxMargin", value, range: "more than `minMargin`" });
        }
        Ok(())
    }

    /// The band around a price, on the grid; `None` when no part of it has a positive price.
    fn around(&self, target: Price, tick: Tick) -> Option<Zone> {
        let at = |margin: f64| tick.nearest((target.to_f64() - margin).clamp(0.0, 1.0)).unwrap_or(Price::ZERO);
        let step = i32::from(tick.units());
        if at(self.min_margin) == Price::ZERO || target <= tick.min_price() {
            return None;
        }
        // A margin finer than the grid is one step of it: a bid at the price itself would meet the other token's.
        let below = target.saturating_add_units(-step);
        let buy = at(self.avg_margin).min(below).max(tick.min_price());
        // What the band places is in the band.
        let near = at(self.min_margin).max(buy);
        let far = at(self.max_margin).min(buy.saturating_add_units(-step));
        Some(Zone { far, near, buy })
    }
}

/// A band around a price.
#[derive(Clone, Copy, Debug)]
struct Zone {
    far: Price,
    near: Price,
    buy: Price,
}

impl Zone {
    fn holds(&self, equivalent: Price) -> bool {
        self.far < equivalent && equivalent <= self.near
    }
}

/// Which token a sell belongs to, and where.
#[derive(Clone, Copy, Debug)]
struct Grouping {
    /// Sells stand across the price of their own token, instead of being buys of the other one.
    vanilla: bool,
    /// The price of each token.
    targets: [Price; 2],
}

impl Grouping {
    /// The token in whose bands an order counts, and the price at which it counts there; no price when it is beyond the scale.
    fn place(&self, order: &Working) -> (Outcome, Option<Price>) {
        match order.side {
            Side::Buy => (order.outcome, Some(order.price)),
            Side::Sell if self.vanilla => (order.outcome, self.mirrored(order.outcome, order.price)),
            Side::Sell => (order.outcome.complement(), Some(order.price.complement())),
        }
    }

    /// As far on the other side of the token's price.
    fn mirrored(&self, outcome: Outcome, price: Price) -> Option<Price> {
        let twice = self.targets[outcome.index()].units().checked_mul(2)?;
        twice.checked_sub(price.units()).and_then(Price::from_units)
    }

    /// The token and the price at which a sell adds what a buy of `token` at `buy` adds.
    fn sell(&self, token: Outcome, buy: Price) -> Option<(Outcome, Price)> {
        if self.vanilla {
            return self.mirrored(token, buy).map(|price| (token, price));
        }
        Some((token.complement(), buy.complement()))
    }
}

/// What the bands are applied to.
#[derive(Clone, Copy, Debug)]
pub struct BandsInput<'a> {
    /// The price of YES, on the grid.
    pub price: Price,
    /// The grid.
    pub tick: Tick,
    /// The smallest order.
    pub min_size: Shares,
    /// The own orders that work, oldest first.
    pub working: &'a [Working],
    /// Tokens held, by outcome, those in open sells included.
    pub tokens: [Shares; 2],
    /// Dollars, those in open buys included.
    pub collateral: Usdc,
}

/// Decides which orders stay and which are made: `keep` and `quotes` of `rest`.
pub fn apply(parameters: &Parameters, input: &BandsInput<'_>, rest: &mut Rest) {
    let grouping = Grouping { vanilla: parameters.vanilla_mode, targets: [input.price, input.price.complement()] };
    let active = || Outcome::BOTH.into_iter().filter(|token| parameters.buys(*token));
    let mut stays: ArrayVec<&Working, MAX_ORDERS> = ArrayVec::new();
    for token in active() {
        remaining(parameters, &grouping, token, input, &mut stays);
    }
    let mut free = Free { dollars: input.collateral, tokens: input.tokens };
    for order in stays.iter().filter(|order| order.side == Side::Buy) {
        free.dollars -= order.size.cost_ceil(order.price);
    }
    // A sell promises its tokens until it is gone, also one that is being cancelled.
    for order in input.working.iter().filter(|order| order.side == Side::Sell) {
        free.tokens[order.outcome.index()] -= order.size;
    }
    rest.keep.extend(stays.iter().copied());
    for token in active() {
        for band in &parameters.bands {
            let Some(zone) = band.around(grouping.targets[token.index()], input.tick) else { continue };
            let held: Shares = stays.iter().filter(|w| counts(&grouping, token, zone, w)).map(|w| w.size).sum();
            if held < Shares::floor_from(band.min_amount) {
                let missing = Shares::floor_from(band.avg_amount) - held;
                let sell = grouping.sell(token, zone.buy).filter(|(_, price)| input.tick.admits(*price));
                fill((token, zone.buy), sell, missing, input.min_size, &mut free, rest);
            }
        }
    }
}

/// Whether an order counts in a token's zone.
fn counts(grouping: &Grouping, token: Outcome, zone: Zone, order: &Working) -> bool {
    let (of, at) = grouping.place(order);
    of == token && at.is_some_and(|at| zone.holds(at))
}

/// What no order that stays has taken.
struct Free {
    dollars: Usdc,
    tokens: [Shares; 2],
}

/// The orders of one token that are in a band and not too much for it.
fn remaining<'a>(
    parameters: &Parameters,
    grouping: &Grouping,
    token: Outcome,
    input: &BandsInput<'a>,
    stays: &mut ArrayVec<&'a Working, MAX_ORDERS>,
) {
    let target = grouping.targets[token.index()];
    // Bands that have no positive price here do not count: the last is the farthest of those that do.
    let zones = || parameters.bands.iter().filter_map(|band| Some((band, band.around(target, input.tick)?)));
    let count = zones().count();
    for (index, (band, zone)) in zones().enumerate() {
        let begin = stays.len();
        for order in input.working.iter().filter(|w| counts(grouping, token, zone, w)) {
            // Bands that are finer than the grid share prices.
            let known = stays.iter().any(|w| w.id == order.id);
            if !known && stays.try_push(order).is_err() {
                break;
            }
        }
        let most = Shares::floor_from(band.max_amount);
        while stays[begin..].iter().map(|w| w.size).sum::<Shares>() > most {
            let distance = |w: &Working| {
                let at = grouping.place(w).1.unwrap_or(Price::ZERO);
                i64::from(target.units().abs_diff(at.units()))
            };
            // Of equals the newest goes: `max_by_key` takes the last.
            let key = |w: &Working| match index {
                0 => -distance(w),
                _ if index + 1 == count => distance(w),
                _ => w.size.micros(),
            };
            let Some((goes, _)) = stays[begin..].iter().enumerate().max_by_key(|(_, w)| key(w)) else { break };
            stays.remove(begin + goes);
        }
    }
}

/// Fills a band: free tokens are sold first, then dollars buy.
fn fill(
    buy: (Outcome, Price),
    sell: Option<(Outcome, Price)>,
    mut missing: Shares,
    min_size: Shares,
    free: &mut Free,
    rest: &mut Rest,
) {
    let mut quote = |outcome, side, price, size| {
        rest.quotes.push(DesiredQuote { outcome, side, price, size, route: Route::Exact });
    };
    if let Some((outcome, price)) = sell {
        let size = missing.min(free.tokens[outcome.index()]).floor_lots();
        if size >= min_size && size.is_positive() {
            free.tokens[outcome.index()] -= size;
            missing -= size;
            quote(outcome, Side::Sell, price, size);
        }
    }
    let (outcome, price) = buy;
    let size = missing.min(free.dollars.affords(price)).floor_lots();
    if size >= min_size && size.is_positive() {
        free.dollars -= size.cost_ceil(price);
        quote(outcome, Side::Buy, price, size);
    }
}

/// An instance of the strategy.
#[derive(Debug)]
pub struct Bands {
    parameters: Parameters,
}

impl Bands {
    /// An instance with checked parameters.
    #[must_use]
    pub fn new(parameters: Parameters) -> Bands {
        Bands { parameters }
    }

    fn evaluate_market(&self, view: &View<'_>, market: &MarketView<'_>, rest: &mut Rest) {
        let p = &self.parameters;
        let LadderPrice { tick, price, is_skewed } = match market.ladder_price(p.max_book_age_ms, p.inventory_skew) {
            Ok(found) => found,
            Err(reason) => return rest.stop(reason),
        };
        let Some(market_min) = market.card.min_size else { return rest.stop(Reason::CardIncomplete) };
        rest.figure("price", price.to_f64());
        if is_skewed {
            rest.because(Reason::InventorySkew);
        }
        let input = BandsInput {
            price,
            tick,
            min_size: market_min.max(Shares::floor_from(p.min_size)),
            working: market.working,
            tokens: market.position.map(|position| position.settled),
            collateral: view.spendable + market.in_own_bids(),
        };
        apply(p, &input, rest);
        if rest.quotes.is_empty() && rest.keep.is_empty() {
            rest.stop(Reason::BelowMinSize);
        } else {
            rest.because(Reason::Quoting);
        }
    }
}

impl Strategy for Bands {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        2
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        for market in view.markets {
            let rest = decision.set(market.id, Mode::Normal);
            self.evaluate_market(view, market, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::OrderId;

    use super::*;

    fn parameters() -> Parameters {
        let band = |min_margin, avg_margin, max_margin| Band {
            min_margin,
            avg_margin,
            max_margin,
            min_amount: 20.0,
            avg_amount: 30.0,
            max_amount: 40.0,
        };
        Parameters { bands: vec![band(0.01, 0.02, 0.03), band(0.03, 0.04, 0.05)], ..Parameters::default() }
    }

    fn working(id: u8, text: &str) -> Working {
        let words: Vec<_> = text.split(' ').collect();
        Working {
            id: OrderId([id; 32]),
            outcome: if words[1] == "A" { Outcome::Yes } else { Outcome::No },
            side: if words[0] == "BUY" { Side::Buy } else { Side::Sell },
            size: Shares::parse(words[2].as_bytes()).expect("size"),
            price: words[3].trim_start_matches('@').parse().expect("price"),
            settled: true,
        }
    }

    fn applied(
        parameters: &Parameters,
        price: &str,
        collateral: i64,
        tokens: [i64; 2],
        open: &[&str],
    ) -> (Vec<u8>, Vec<String>) {
        let working: Vec<_> = open.iter().enumerate().map(|(i, text)| working(i as u8, text)).collect();
        let input = BandsInput {
            price: price.parse().expect("price"),
            tick: Tick::Cent,
            min_size: Shares::from_whole(15),
            working: &working,
            tokens: tokens.map(Shares::from_whole),
            collateral: Usdc::from_whole(collateral),
        };
        let mut decision = Decision::default();
        let rest = decision.set(oddsmith_domain::MarketId(0), Mode::Normal);
        apply(parameters, &input, rest);
        let name = |outcome| if outcome == Outcome::Yes { "A" } else { "B" };
        let quotes =
            rest.quotes.iter().map(|q| format!("{} {} {} @{}", q.side.as_str(), name(q.outcome), q.size, q.price));
        (rest.keep.iter().map(|w| w.id.0[0]).collect(), quotes.collect())
    }

    fn made(collateral: i64, tokens: [i64; 2], open: &[&str]) -> (Vec<u8>, Vec<String>) {
        applied(&parameters(), "0.5", collateral, tokens, open)
    }

    #[test]
    fn golden_vector_with_dollars_alone() {
        let (_, quotes) = made(1_000, [0, 0], &[]);
        assert_eq!(quotes, ["BUY A 30 @0.48", "BUY A 30 @0.46", "BUY B 30 @0.48", "BUY B 30 @0.46"]);
    }

    #[test]
    fn golden_vector_with_tokens_alone() {
        let (_, quotes) = made(0, [100, 100], &[]);
        assert_eq!(quotes, ["SELL B 30 @0.52", "SELL B 30 @0.54", "SELL A 30 @0.52", "SELL A 30 @0.54"]);
    }

    #[test]
    fn golden_vector_with_some_of_both() {
        let (_, quotes) = made(1_000, [0, 45], &[]);
        assert_eq!(
            quotes,
            ["SELL B 30 @0.52", "SELL B 15 @0.54", "BUY A 15 @0.46", "BUY B 30 @0.48", "BUY B 30 @0.46"]
        );
    }

    #[test]
    fn golden_vector_with_open_orders() {
        let open = ["BUY A 30 @0.48", "BUY A 30 @0.48", "BUY A 30 @0.4", "BUY A 15 @0.46"];
        let (keep, quotes) = made(1_000, [0, 0], &open);
        assert_eq!(keep, [0, 3], "b is too much, c is in no band");
        assert_eq!(quotes, ["BUY A 15 @0.46", "BUY B 30 @0.48", "BUY B 30 @0.46"]);
    }

    #[test]
    fn w_the_other_tokens_buys_take_their_dollars() {
        // 30 dollars: A's two bids take 28.20, so that B gets nothing. The original spends them twice.
        let (_, quotes) = made(30, [0, 0], &[]);
        assert_eq!(quotes, ["BUY A 30 @0.48", "BUY A 30 @0.46"]);
        let (keep, quotes) = made(30, [0, 0], &["BUY A 30 @0.48", "BUY A 30 @0.46"]);
        assert_eq!((keep.len(), quotes.len()), (2, 0));
    }

    #[test]
    fn w_an_adjusted_band_does_not_leak_into_the_other_token() {
        let band =
            |min_margin, avg_margin, max_margin| Band { min_margin, avg_margin, max_margin, ..parameters().bands[0] };
        let parameters = Parameters { bands: vec![band(0.01, 0.02, 0.03)], ..parameters() };
        for _tick in 0..1_000 {
            let (_, quotes) = applied(&parameters, "0.02", 1_000, [0, 0], &[]);
            assert_eq!(quotes, ["BUY A 30 @0.01", "BUY B 30 @0.96"]);
        }
    }

    #[test]
    fn w_what_a_band_holds_is_counted_after_its_cancels() {
        let band = Band { max_amount: 50.0, avg_amount: 50.0, min_amount: 30.0, ..parameters().bands[0] };
        let parameters = Parameters { bands: vec![band], ..parameters() };
        // Sixty are too many; the nearest goes, which leaves 20, less than the band's minimum.
        let (keep, quotes) = applied(&parameters, "0.5", 20, [0, 0], &["BUY A 40 @0.49", "BUY A 20 @0.48"]);
        assert_eq!(keep, [1]);
        assert_eq!(quotes, ["BUY A 21.66 @0.48"], "20 dollars less 9.60 buy 21.66 at 0.48");
    }

    #[test]
    fn w_margins_are_read_by_name() {
        let text = r#"{"bands":[{"maxAmount":30.0,"avgAmount":20.0,"minAmount":10.0,"maxMargin":0.02,"avgMargin":0.01,"minMargin":0.01}]}"#;
        let read: Parameters = serde_json::from_str(text).expect("the original's file");
        assert_eq!(read.bands[0], Parameters::default().bands[0]);
    }

    #[test]
    fn which_order_is_too_much_depends_on_the_band() {
        let band =
            |min_margin, avg_margin, max_margin| Band { min_margin, avg_margin, max_margin, ..parameters().bands[0] };
        let parameters = Parameters {
            bands: vec![band(0.01, 0.02, 0.04), band(0.04, 0.05, 0.07), band(0.07, 0.08, 0.1)],
            ..parameters()
        };
        let open = [
            "BUY A 30 @0.49",
            "BUY A 20 @0.47", // the first band: the nearest goes
            "BUY A 25 @0.46",
            "BUY A 16 @0.44", // the middle: the largest
            "BUY A 25 @0.43",
            "BUY A 16 @0.41", // the last: the farthest
        ];
        let (keep, _) = applied(&parameters, "0.5", 0, [0, 0], &open);
        assert_eq!(keep, [1, 3, 4]);
    }

    #[test]
    fn w_margins_finer_than_the_grid_do_not_cross_themselves() {
        let band = Band { min_margin: 0.001, avg_margin: 0.002, max_margin: 0.003, ..parameters().bands[0] };
        let parameters = Parameters { bands: vec![band], ..parameters() };
        let (_, quotes) = applied(&parameters, "0.5", 1_000, [0, 0], &[]);
        assert_eq!(quotes, ["BUY A 30 @0.49", "BUY B 30 @0.49"]);
        let (keep, quotes) = applied(&parameters, "0.5", 1_000, [0, 0], &["BUY A 30 @0.49", "BUY B 30 @0.49"]);
        assert_eq!((keep.len(), quotes.len()), (2, 0), "what it placed it keeps");
    }

    #[test]
    fn sells_across_the_own_price_in_vanilla_mode() {
        let parameters = Parameters { vanilla_mode: true, active_tokens: vec![Token::A], ..parameters() };
        let (_, quotes) = applied(&parameters, "0.6", 1_000, [40, 0], &[]);
        assert_eq!(quotes, ["SELL A 30 @0.62", "BUY A 30 @0.56"]);
        let (keep, _) = applied(&parameters, "0.6", 1_000, [70, 0], &["SELL A 30 @0.62", "SELL A 30 @0.7"]);
        assert_eq!(keep, [0]);
    }

    #[test]
    fn the_last_band_is_the_last_that_has_a_price() {
        let band =
            |min_margin, avg_margin, max_margin| Band { min_margin, avg_margin, max_margin, ..parameters().bands[0] };
        let bands = vec![band(0.01, 0.02, 0.03), band(0.03, 0.04, 0.08), band(0.2, 0.21, 0.22)];
        let parameters = Parameters { bands, ..parameters() };
        // At 0.10 the third band is below zero, so that the farthest of the second goes; at 0.50 it is in the middle, and the largest goes.
        let (keep, _) = applied(&parameters, "0.1", 0, [0, 0], &["BUY A 20 @0.03", "BUY A 25 @0.07"]);
        assert_eq!(keep, [1]);
        let (keep, _) = applied(&parameters, "0.5", 0, [0, 0], &["BUY A 20 @0.43", "BUY A 25 @0.47"]);
        assert_eq!(keep, [0]);
    }

    #[test]
    fn tokens_of_a_sell_that_is_cancelled_are_promised_until_it_is_gone() {
        let (keep, quotes) = made(0, [0, 50], &["SELL B 30 @0.7"]);
        assert_eq!((keep.len(), &quotes[..]), (0, &["SELL B 20 @0.52".to_owned()][..]));
    }

    #[test]
    fn bad_bands_are_named() {
        let bad = |change: fn(&mut Parameters)| {
            let mut parameters = parameters();
            change(&mut parameters);
            parameters.validate().expect_err("bad")
        };
        assert_eq!(bad(|p| p.bands[1].min_margin = 0.02).name, "bands");
        assert_eq!(bad(|p| p.bands[0].avg_margin = 0.2).name, "avgMargin");
        assert_eq!(bad(|p| p.bands[0].max_margin = 0.01).name, "avgMargin");
        assert_eq!(bad(|p| p.bands[0].min_amount = -1.0).name, "minAmount");
        assert_eq!(bad(|p| p.bands.clear()).name, "bands");
        assert_eq!(parameters().validate(), Ok(()));
        assert_eq!(Parameters::default().validate(), Ok(()));
    }
}
