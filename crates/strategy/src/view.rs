//! What a strategy sees.

use oddsmith_book::{PairBook, Top};
use oddsmith_domain::{
    BasketId, BasketState, MarketCard, MarketId, OrderId, Outcome, Price, Reason, Shares, Side, Tick, Time, Usdc,
};

use crate::OwnFills;
use crate::fair::{Spot, Window};
use crate::features::Features;

/// One instance's view over the markets of its scope, at one moment.
#[derive(Debug)]
pub struct View<'a> {
    /// The moment.
    pub now: Time,
    /// The markets, in the order of the scope.
    pub markets: &'a [MarketView<'a>],
    /// Dollars that no working order has reserved.
    pub spendable: Usdc,
    /// Whether the venue turns NO of some outcomes of an event into YES of the others.
    pub converts: bool,
    /// The instance's last basket, on its way or over.
    pub basket: Option<BasketView>,
}

/// How a basket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasketView {
    /// Its number.
    pub id: BasketId,
    /// How it stands.
    pub state: BasketState,
    /// Shares that every leg has.
    pub matched: Shares,
}

/// One market as its instance sees it.
#[derive(Debug)]
pub struct MarketView<'a> {
    /// Our number of it.
    pub id: MarketId,
    /// What is known of it.
    pub card: &'a MarketCard,
    /// Both tokens' books.
    pub book: &'a PairBook,
    /// Nanoseconds since the book was last proven to be current; `None` when it never was.
    pub book_age_ns: Option<u64>,
    /// What the instance holds, by outcome.
    pub position: [Position; 2],
    /// Our own orders that may rest in the book, of all instances, in YES terms.
    pub own: &'a [OwnOrder],
    /// The instance's own orders that may be alive, oldest first.
    pub working: &'a [Working],
    /// The instance's recent fills, newest last.
    pub fills: &'a OwnFills,
    /// Whether the engine re-enters after doubt and wants smaller, wider quotes.
    pub caution: bool,
    /// The price that decides the market; `None` when its rule is not one that is known, or its feed is not there.
    pub underlying: Option<Underlying>,
    /// What is known of the match that decides the market.
    pub truth: Option<Truth>,
}

/// What outside sources know of a match, seen from a market's YES.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// The chance of YES.
    pub probability: f64,
    /// How sure the sources are of what they say, 0 … 1.
    pub confidence: f64,
    /// When the last event of the match became known, on the monotonic clock.
    pub event_mono_ns: u64,
    /// When any source was last heard of, on the monotonic clock.
    pub heard_mono_ns: u64,
    /// Whether the market's text says how it is decided, and what happens if it is not.
    pub clear_rules: bool,
}

/// A price outside of the venue that decides a market.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Underlying {
    /// How the market is decided by it.
    pub rule: SettlementRule,
    /// The price, and its volatility.
    pub spot: Spot,
    /// When the price became known, on the monotonic clock.
    pub mono_ns: u64,
    /// How many deviations the price is from the last second's.
    pub shock: f64,
    /// The strike's averaging window as far as it has come; `None` when a part of it is not known.
    pub strike_window: Option<Window>,
    /// The final value's.
    pub final_window: Option<Window>,
}

impl Underlying {
    /// What is known of a price, seen by a market's rule; `None` before there is a price and a volatility.
    #[must_use]
    pub fn new(features: &Features, rule: SettlementRule, now: Time) -> Option<Underlying> {
        let window = |at_s: u64| features.window(at_s.saturating_mul(Time::SECOND), rule.average_s, now);
        // A strike that is known needs no window once it is taken.
        let is_taken = rule.strike.is_some() && now.wall_s() >= rule.start_wall_s;
        Some(Underlying {
            rule,
            spot: features.spot()?,
            mono_ns: features.last()?.at.mono_ns,
            shock: features.shock(),
            strike_window: if is_taken { None } else { window(rule.start_wall_s) },
            final_window: window(rule.end_wall_s),
        })
    }
}

/// How an up/down market is decided: YES wins if the final value is at or above the strike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SettlementRule {
    /// When the strike is taken, in seconds since the Unix epoch.
    pub start_wall_s: u64,
    /// When the final value is taken.
    pub end_wall_s: u64,
    /// Over how many seconds before each of them the price is averaged; 0 for a single print.
    pub average_s: f64,
    /// The strike, if the venue has stated it.
    pub strike: Option<f64>,
}

impl MarketView<'_> {
    /// Net exposure in YES shares: what is held of YES less what is held of NO, matched.
    #[must_use]
    pub fn net(&self) -> Shares {
        self.position[Outcome::Yes.index()].matched - self.position[Outcome::No.index()].matched
    }

    /// The best YES price of other people on a side of the book: a signal must not see our own orders, or every quote would
    /// move the next one. A level counts with what is left of it without us; less than a lot is nothing.
    #[must_use]
    pub fn best_of_others(&self, side: Side) -> Option<Top> {
        self.book.levels(Outcome::Yes, side).find_map(|level| {
            let ours: Shares =
                self.own.iter().filter(|o| o.side == side && o.price == level.price).map(|o| o.size).sum();
            let size = level.size - ours;
            (size >= Shares::LOT).then_some(Top { price: level.price, size })
        })
    }

    /// The grid, and the middle of other people's spread in dollars; or why there is none to quote around.
    ///
    /// # Errors
    /// The reason not to quote: an incomplete card, a book that is too old, one-sided or crossed.
    pub fn quotable_mid(&self, max_age_ms: u64) -> Result<(Tick, f64), Reason> {
        let tick = self.card.tick.ok_or(Reason::CardIncomplete)?;
        if self.book_age_ns.is_none_or(|age| age > max_age_ms.saturating_mul(Time::MILLI)) {
            return Err(Reason::StaleBook);
        }
        let (bid, ask) = self.best_of_others(Side::Buy).zip(self.best_of_others(Side::Sell)).ok_or(Reason::NoBook)?;
        if bid.price >= ask.price {
            return Err(Reason::BookNotTrusted);
        }
        // One division: the double that is nearest to the exact middle.
        Ok((tick, f64::from(bid.price.units() + ask.price.units()) / f64::from(2 * Price::ONE.units())))
    }

    /// The price to put a ladder around: the mid moved against the net inventory by `per_share` dollars each, as the nearest point of the
    /// grid, rounded once.
    ///
    /// # Errors
    /// Those of [`MarketView::quotable_mid`].
    pub fn ladder_price(&self, max_age_ms: u64, per_share: f64) -> Result<LadderPrice, Reason> {
        let (tick, mid) = self.quotable_mid(max_age_ms)?;
        let skew = self.net().to_f64() * per_share;
        let price = tick.nearest((mid - skew).clamp(0.0, 1.0)).ok_or(Reason::NoPrice)?;
        Ok(LadderPrice { tick, price, is_skewed: skew != 0.0 })
    }

    /// A bid and an ask that do not meet other people's best: each stays a tick away from it. A side is `None` when the grid has no such
    /// price.
    #[must_use]
    pub fn clear_of_the_book(
        (bid, ask): (Option<Price>, Option<Price>),
        (best_bid, best_ask): (Price, Price),
        tick: Tick,
    ) -> (Option<Price>, Option<Price>) {
        let step = i32::from(tick.units());
        let (below, above) = (best_ask.saturating_add_units(-step), best_bid.saturating_add_units(step));
        (bid.and_then(|bid| tick.floor_price(bid.min(below))), ask.and_then(|ask| tick.ceil_price(ask.max(above))))
    }

    /// Dollars that the instance's own bids here have reserved.
    #[must_use]
    pub fn in_own_bids(&self) -> Usdc {
        self.working.iter().filter(|w| w.side == Side::Buy).map(|w| w.size.cost_ceil(w.price)).sum()
    }

    /// Seconds until the market's stated end; `None` when it has none.
    #[must_use]
    pub fn seconds_left(&self, now: Time) -> Option<u64> {
        self.card.end_wall_s.map(|end| end.saturating_sub(now.wall_s()))
    }
}

/// What a ladder is put around.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LadderPrice {
    /// The grid.
    pub tick: Tick,
    /// The price, on the grid.
    pub price: Price,
    /// Whether the inventory was weighed.
    pub is_skewed: bool,
}

/// An order of ours that may rest in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnOrder {
    /// Its side in YES terms.
    pub side: Side,
    /// Its price in YES terms.
    pub price: Price,
    /// What may still fill.
    pub size: Shares,
}

/// An order of the instance itself, as the venue knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Working {
    /// Its id.
    pub id: OrderId,
    /// The token.
    pub outcome: Outcome,
    /// The side.
    pub side: Side,
    /// The limit price.
    pub price: Price,
    /// What may still fill.
    pub size: Shares,
    /// Whether its fate is known and no cancel of it is on its way.
    pub settled: bool,
}

/// How many shares of one outcome are held, in the three senses that differ while settlement is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// By every match so far, settled or not.
    pub matched: Shares,
    /// On the chain.
    pub settled: Shares,
    /// Settled, not promised to a working sell and not on its way out.
    pub sellable: Shares,
    /// What the matched shares cost, fees included.
    pub cost: Usdc,
}
