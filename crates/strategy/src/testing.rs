//! What every strategy must hold to, checked over thousands of situations: for the strategies of this crate, and for anybody's own.
//!
//! ```
//! use oddsmith_strategy::{StrategyConfig, testing};
//!
//! let broken = testing::check(&|| StrategyConfig::Amm(Default::default()).build().expect("defaults are in range"));
//! assert_eq!(broken, None);
//! ```

use oddsmith_book::PairBook;
use oddsmith_domain::{
    Basket, BasketLeg, BookLevel, ConditionId, FeeSchedule, MarketCard, MarketId, MarketSource, OrderId, Outcome,
    Price, Shares, Side, SizeText, SnapshotHeader, Tick, Time, TokenId, Usdc,
};

use crate::{
    Decision, MarketView, OwnFill, OwnFills, OwnOrder, Position, Rest, Strategy, Truth, Underlying, View, Working,
};

/// Makes a fresh instance.
pub type Make<'a> = &'a dyn Fn() -> Box<dyn Strategy + Send>;

/// One situation in one market, from which a view is built.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The grid.
    pub tick: Tick,
    /// The smallest order.
    pub min_size: Shares,
    /// The best bid for YES and its size; `None` for an empty side.
    pub bid: Option<(Price, Shares)>,
    /// The best ask for YES and its size; `None` for an empty side.
    pub ask: Option<(Price, Shares)>,
    /// How long ago the book was proven current; `None` for never.
    pub book_age_ns: Option<u64>,
    /// Settled shares of YES and NO.
    pub held: [Shares; 2],
    /// All the dollars of the wallet, those in open bids included.
    pub collateral: Usdc,
    /// The instance's open orders: token, side, price and size.
    pub open: Vec<(Outcome, Side, Price, Shares)>,
    /// The instance's last fill, in YES terms, and how many seconds ago it was.
    pub last_fill: Option<(Side, Shares, u64)>,
    /// Whether it is one outcome of an event of which one wins.
    pub neg_risk: bool,
    /// Whether the venue turns NO of some outcomes of an event into YES of the others.
    pub converts: bool,
    /// The taker's fee; `None` when the market states none.
    pub fee: Option<FeeSchedule>,
    /// Seconds until the market's end; `None` for no stated end.
    pub seconds_left: Option<u64>,
    /// Whether the engine re-enters after doubt.
    pub caution: bool,
    /// The price that decides the market, and how.
    pub underlying: Option<Underlying>,
    /// What is known of the match that decides the market.
    pub truth: Option<Truth>,
}

impl Default for Scene {
    /// A market at 0.49 to 0.51 on the cent grid, nothing held, a thousand dollars.
    fn default() -> Scene {
        let level = |units| Price::from_units(units).map(|price| (price, Shares::from_whole(100)));
        Scene {
            tick: Tick::Cent,
            min_size: Shares::from_whole(5),
            bid: level(4_900),
            ask: level(5_100),
            book_age_ns: Some(0),
            held: [Shares::ZERO; 2],
            collateral: Usdc::from_whole(1_000),
            open: Vec::new(),
            last_fill: None,
            neg_risk: false,
            converts: false,
            fee: FeeSchedule::new(70_000, 1, true).ok(),
            seconds_left: None,
            caution: false,
            underlying: None,
            truth: None,
        }
    }
}

/// The moment of every scene, unless another is given.
pub const NOW: Time = Time { mono_ns: 100_000 * Time::SECOND, wall_ns: 1_800_000_000 * Time::SECOND };

impl Scene {
    /// Lets a strategy look at the scene, and returns what it wants in the market; `None` when it did not mention it.
    #[must_use]
    pub fn ask_of(&self, strategy: &mut dyn Strategy) -> Option<Rest> {
        self.decision_of(strategy, NOW).rests().last().cloned()
    }

    /// Lets a strategy look at the scene at a moment, and returns all that it decided.
    #[must_use]
    pub fn decision_of(&self, strategy: &mut dyn Strategy, now: Time) -> Decision {
        decide(std::slice::from_ref(self), strategy, now)
    }

    fn fills(&self) -> OwnFills {
        let mut fills = OwnFills::default();
        if let Some((side, size, seconds)) = self.last_fill {
            let mono_ns = NOW.mono_ns - seconds.min(1_000) * Time::SECOND;
            fills.push(OwnFill { mono_ns, side, size, notional: size.cost_floor(Price::ONE) });
        }
        fills
    }

    fn position(&self, outcome: Outcome) -> Position {
        let held = self.held[outcome.index()];
        let sells = self.open.iter().filter(|(of, side, _, _)| *of == outcome && *side == Side::Sell);
        let promised: Shares = sells.map(|(_, _, _, size)| *size).sum();
        // Bought at the middle of the book.
        let middle = self.bid.zip(self.ask).map_or(0.5, |(bid, ask)| (bid.0.to_f64() + ask.0.to_f64()) / 2.0);
        let price = self.tick.nearest(if outcome == Outcome::Yes { middle } else { 1.0 - middle });
        let cost = held.cost_ceil(price.unwrap_or(Price::ZERO));
        Position { matched: held, settled: held, sellable: (held - promised).max(Shares::ZERO), cost }
    }

    fn card(&self) -> MarketCard {
        let token = |last| {
            let mut bytes = [0; 32];
            bytes[31] = last;
            TokenId::from_be_bytes(bytes)
        };
        MarketCard {
            condition: ConditionId::parse("0x1").unwrap_or_else(|_| unreachable!("the text is a condition")),
            slug: "scene".to_owned(),
            question: "Scene?".to_owned(),
            tokens: [token(1), token(2)],
            outcomes: ["Yes".to_owned(), "No".to_owned()],
            tick: Some(self.tick),
            min_size: Some(self.min_size),
            fee: self.fee,
            end_wall_s: self.seconds_left.map(|left| NOW.wall_s() + left),
            neg_risk: self.neg_risk,
            accepting_orders: true,
            taker_delay_ms: 0,
            settlement: Default::default(),
        }
    }

    fn book(&self, card: &MarketCard) -> PairBook {
        let mut book = PairBook::new(card);
        let header = SnapshotHeader {
            asset: MarketId(0).asset(Outcome::Yes),
            timestamp_ms: NOW.wall_ms(),
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
        let side = |level: Option<(Price, Shares)>| {
            level.map(|(price, shares)| BookLevel { price, price_decimals: 4, size: SizeText { shares, decimals: 6 } })
        };
        let (bids, asks) = (side(self.bid), side(self.ask));
        book.apply_snapshot(Outcome::Yes, &header, bids.as_slice(), asks.as_slice(), NOW, MarketSource::Rest);
        // The scene is the venue's own word, also where bids and asks meet.
        let price = |level: Option<(Price, Shares)>, none| level.map_or(none, |(price, _)| price);
        let (bid, ask) = (price(self.bid, Price::ZERO), price(self.ask, Price::ONE));
        book.apply_best(header.asset, bid, ask, NOW.wall_ms(), NOW);
        book.end_of_frame(NOW);
        book
    }
}

/// Lets a strategy look at several markets at once, numbered as they stand, and returns all that it decided. The dollars are the
/// first scene's.
#[must_use]
pub fn decide(scenes: &[Scene], strategy: &mut dyn Strategy, now: Time) -> Decision {
    let parts: Vec<_> = scenes
        .iter()
        .map(|scene| {
            let card = scene.card();
            let book = scene.book(&card);
            let working: Vec<_> = working_of(scene).collect();
            let own: Vec<_> = working.iter().map(in_yes_terms).collect();
            (scene, card, book, working, own, scene.fills())
        })
        .collect();
    let markets: Vec<_> = parts
        .iter()
        .enumerate()
        .map(|(index, (scene, card, book, working, own, fills))| MarketView {
            id: MarketId(u32::try_from(index).unwrap_or(u32::MAX)),
            card,
            book,
            book_age_ns: scene.book_age_ns,
            position: Outcome::BOTH.map(|outcome| scene.position(outcome)),
            own,
            working,
            fills,
            caution: scene.caution,
            underlying: scene.underlying,
            truth: scene.truth,
        })
        .collect();
    let reserved: Usdc = markets.iter().map(MarketView::in_own_bids).sum();
    let (collateral, converts) = scenes.first().map_or((Usdc::ZERO, false), |scene| (scene.collateral, scene.converts));
    let mut decision = Decision::default();
    let view = View { now, markets: &markets, spendable: collateral - reserved, converts, basket: None };
    strategy.evaluate(&view, &mut decision);
    decision
}

fn working(index: usize, (outcome, side, price, size): (Outcome, Side, Price, Shares)) -> Working {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(index as u64).to_be_bytes());
    Working { id: OrderId(id), outcome, side, price, size, settled: true }
}

fn in_yes_terms(order: &Working) -> OwnOrder {
    let (side, price) = yes(order.outcome, order.side, order.price);
    OwnOrder { side, price, size: order.size }
}

/// Buying NO at `p` is selling YES at `1 - p`.
fn yes(outcome: Outcome, side: Side, price: Price) -> (Side, Price) {
    match outcome {
        Outcome::Yes => (side, price),
        Outcome::No => (side.opposite(), price.complement()),
    }
}

/// A rule that a strategy broke, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The rule.
    pub rule: &'static str,
    /// The situation.
    pub scene: Scene,
    /// What the strategy wanted there.
    pub wanted: Option<Rest>,
}

/// Everything that every strategy must hold to; `None` when it does.
///
/// - It wants something defined in every situation: any price, an empty side, an old book, any holdings.
/// - What it wants is on the market's grid, not below its minimum size, and does not cross itself on either token.
/// - It keeps only orders that there are, and sells no more of a token than is held when it names the token itself.
/// - The same situation leads a fresh instance to the same wish.
/// - What it takes is on the grid and not below the minimum size, and it neither sells nor spends more than there is.
/// - If it quotes one bid and one ask, more inventory raises neither.
#[must_use]
pub fn check(make: Make<'_>) -> Option<Broken> {
    scenes().find_map(|scene| {
        let decide = || scene.decision_of(&mut *make(), NOW);
        let (decision, again) = (decide(), decide());
        let wanted = decision.rests().last().cloned();
        let rule = if decision.rests() != again.rests() || decision.basket() != again.basket() {
            Some("the same view leads to the same wish")
        } else {
            let quotes = || wanted.as_ref().and_then(|rest| shape(&scene, rest));
            let basket = || decision.basket().and_then(|basket| taking(&scene, basket));
            quotes().or_else(basket).or_else(|| skew(&scene, wanted.as_ref(), make))
        };
        rule.map(|rule| Broken { rule, scene, wanted })
    })
}

/// What a wish must look like.
fn shape(scene: &Scene, rest: &Rest) -> Option<&'static str> {
    if rest.quotes.iter().any(|quote| !scene.tick.admits(quote.price)) {
        return Some("every price is on the market's grid");
    }
    if rest.quotes.iter().any(|quote| quote.size < scene.min_size || quote.size != quote.size.floor_lots()) {
        return Some("every size is in whole lots and not below the minimum");
    }
    if rest.keep.iter().any(|kept| working_of(scene).all(|order| order.id != kept.id)) {
        return Some("only orders that there are can be kept");
    }
    let (bid, ask) = best(rest);
    if bid.zip(ask).is_some_and(|(bid, ask)| bid >= ask) {
        return Some("a wish does not cross itself");
    }
    let oversold = Outcome::BOTH.into_iter().any(|outcome| {
        let exact = |q: &&oddsmith_domain::DesiredQuote| q.route == oddsmith_domain::Route::Exact;
        let quotes = rest.quotes.iter().filter(exact).map(|q| (q.outcome, q.side, q.size));
        let kept = rest.keep.iter().map(|w| (w.outcome, w.side, w.size));
        let sold: Shares =
            quotes.chain(kept).filter(|(of, side, _)| *of == outcome && *side == Side::Sell).map(|(_, _, s)| s).sum();
        sold > scene.held[outcome.index()]
    });
    if oversold { Some("no more is sold than is held") } else { None }
}

/// What a basket must look like.
fn taking(scene: &Scene, basket: &Basket) -> Option<&'static str> {
    let admitted = |leg: &BasketLeg| scene.tick.admits(leg.limit);
    if !basket.legs.iter().all(admitted) {
        return Some("every price is on the market's grid");
    }
    if basket.legs.iter().any(|leg| leg.size < scene.min_size || leg.size != leg.size.floor_lots()) {
        return Some("every size is in whole lots and not below the minimum");
    }
    let sells = basket.legs.iter().filter(|leg| leg.side == Side::Sell);
    if sells.clone().any(|leg| leg.size > scene.position(leg.outcome).sellable) {
        return Some("no more is sold than is held");
    }
    let buys = basket.legs.iter().filter(|leg| leg.side == Side::Buy);
    let cost: Usdc = buys.map(|leg| leg.size.cost_ceil(leg.limit)).sum();
    (cost > scene.collateral.max(Usdc::ZERO)).then_some("no more is spent than there is")
}

fn working_of(scene: &Scene) -> impl Iterator<Item = Working> + '_ {
    scene.open.iter().enumerate().map(|(index, order)| working(index, *order))
}

/// The best bid and ask of a wish in YES terms.
fn best(rest: &Rest) -> (Option<Price>, Option<Price>) {
    let quotes = rest.quotes.iter().map(|q| yes(q.outcome, q.side, q.price));
    let kept = rest.keep.iter().map(|w| yes(w.outcome, w.side, w.price));
    quotes.chain(kept).fold((None, None), |(bid, ask): (Option<Price>, Option<Price>), (side, price)| match side {
        Side::Buy => (Some(bid.map_or(price, |bid| bid.max(price))), ask),
        Side::Sell => (bid, Some(ask.map_or(price, |ask| ask.min(price)))),
    })
}

/// More YES in hand, nothing else changed: neither quote rises.
fn skew(scene: &Scene, wanted: Option<&Rest>, make: Make<'_>) -> Option<&'static str> {
    let mut more = scene.clone();
    more.held[0] += Shares::from_whole(40);
    let with_more = more.ask_of(&mut *make())?;
    let wanted = wanted?;
    // A ladder's levels come and go with their sizes; where it stands is checked level by level by its own tests.
    let one_each = |rest: &Rest| rest.keep.is_empty() && rest.quotes.len() <= 2;
    if !one_each(wanted) || !one_each(&with_more) {
        return None;
    }
    let ((bid, ask), (later_bid, later_ask)) = (best(wanted), best(&with_more));
    let raised = |before: Option<Price>, after: Option<Price>| before.zip(after).is_some_and(|(b, a)| a > b);
    (raised(bid, later_bid) || raised(ask, later_ask)).then_some("more inventory raises no quote")
}

/// Situations of every kind: a walk over all prices, and drawn ones from a fixed sequence.
fn scenes() -> impl Iterator<Item = Scene> {
    let walk = (1..=9_999u16).step_by(101).chain([9_999]).flat_map(|units| {
        Tick::ALL.into_iter().filter_map(move |tick| {
            let price = Price::from_units(units).and_then(|price| tick.floor_price(price))?;
            let above = price.saturating_add_units(i32::from(tick.units()));
            let level = |price| Some((price, Shares::from_whole(50)));
            let ask = if tick.admits(above) { level(above) } else { None };
            Some(Scene { tick, bid: level(price), ask, ..Scene::default() })
        })
    });
    let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
    walk.chain((0..1_000).map(move |_| draw.scene()))
}

/// A sequence of numbers that is the same every time (xorshift).
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }

    fn price(&mut self, tick: Tick) -> Price {
        let steps = u64::from(Price::ONE.units() / tick.units());
        let units = (1 + self.below(steps - 1)) * u64::from(tick.units());
        u16::try_from(units).ok().and_then(Price::from_units).unwrap_or(tick.min_price())
    }

    fn shares(&mut self, most: u64) -> Shares {
        Shares::from_whole(self.below(most) as i64)
    }

    fn scene(&mut self) -> Scene {
        let tick = Tick::ALL[self.below(Tick::ALL.len() as u64) as usize];
        let (one, other) = (self.price(tick), self.price(tick));
        // One in eight is crossed, one in eight lacks a side.
        let (bid, ask) =
            if self.below(8) == 0 { (one.max(other), one.min(other)) } else { (one.min(other), one.max(other)) };
        let size = self.shares(1_000) + Shares::from_whole(1);
        let open = (0..self.below(4))
            .map(|_| {
                let outcome = if self.below(2) == 0 { Outcome::Yes } else { Outcome::No };
                (outcome, Side::Buy, self.price(tick), self.shares(60) + Shares::from_whole(1))
            })
            .collect();
        Scene {
            tick,
            min_size: Shares::from_whole([1, 5, 15][self.below(3) as usize]),
            bid: (self.below(8) != 0).then_some((bid, size)),
            ask: (self.below(8) != 0).then_some((ask, size)),
            book_age_ns: (self.below(16) != 0).then(|| self.below(3 * Time::SECOND)),
            held: [self.shares(500), self.shares(500)],
            collateral: Usdc::from_whole(self.below(5_000) as i64),
            open,
            last_fill: (self.below(3) == 0).then(|| (Side::Buy, self.shares(500), self.below(100))),
            neg_risk: self.below(2) == 0,
            converts: false,
            fee: FeeSchedule::new(self.below(80_000) as i64, 1, true).ok().filter(|_| self.below(8) != 0),
            seconds_left: (self.below(3) == 0).then(|| self.below(1_000)),
            caution: self.below(4) == 0,
            underlying: None,
            truth: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{DesiredQuote, Mode, Route};

    use super::*;
    use crate::StrategyConfig;

    #[test]
    fn every_strategy_holds_to_the_contract() {
        for config in StrategyConfig::all() {
            let broken = check(&|| config.build().expect("defaults are in range"));
            assert_eq!(broken, None, "{}", config.name());
        }
    }

    /// Quotes both sides of the best bid, chases its inventory, and ignores grid and sizes, as told.
    struct Careless(&'static str);

    impl Strategy for Careless {
        fn name(&self) -> &'static str {
            "careless"
        }

        fn version(&self) -> u32 {
            1
        }

        fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
            for market in view.markets {
                let rest = decision.set(market.id, Mode::Normal);
                let (Some(tick), Some(bid)) = (market.card.tick, market.book.best_bid(Outcome::Yes)) else { continue };
                let mut quote = |side, price, size| {
                    rest.quotes.push(DesiredQuote { outcome: Outcome::Yes, side, price, size, route: Route::Exact });
                };
                let size = Shares::from_whole(15);
                match self.0 {
                    "crosses" => {
                        quote(Side::Buy, bid.price, size);
                        quote(Side::Sell, bid.price, size);
                    }
                    "off grid" => quote(Side::Buy, bid.price.saturating_add_units(1), size),
                    "tiny" => quote(Side::Buy, bid.price, Shares::LOT),
                    "oversells" => quote(Side::Sell, bid.price, size),
                    "chases" => {
                        let steps = i32::from(market.net() > Shares::from_whole(20)) * i32::from(tick.units());
                        let price = bid.price.saturating_add_units(steps);
                        if tick.admits(price) {
                            quote(Side::Buy, price, size);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn the_contract_finds_what_breaks_it() {
        for (fault, rule) in [
            ("crosses", "a wish does not cross itself"),
            ("off grid", "every price is on the market's grid"),
            ("tiny", "every size is in whole lots and not below the minimum"),
            ("oversells", "no more is sold than is held"),
            ("chases", "more inventory raises no quote"),
        ] {
            let broken = check(&|| Box::new(Careless(fault)));
            assert_eq!(broken.map(|broken| broken.rule), Some(rule), "{fault}");
        }
        assert_eq!(check(&|| Box::new(Careless("nothing"))), None);
    }
}
