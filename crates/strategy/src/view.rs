//! What a strategy sees.

use oddsmith_book::{PairBook, Top};
use oddsmith_domain::{MarketCard, MarketId, Outcome, Price, Shares, Side, Time};

use crate::OwnFills;

/// One instance's view over the markets of its scope, at one moment.
#[derive(Debug)]
pub struct View<'a> {
    /// The moment.
    pub now: Time,
    /// The markets, in the order of the scope.
    pub markets: &'a [MarketView<'a>],
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
    /// The instance's recent fills, newest last.
    pub fills: &'a OwnFills,
    /// Whether the engine re-enters after doubt and wants smaller, wider quotes.
    pub caution: bool,
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

    /// Seconds until the market's stated end; `None` when it has none.
    #[must_use]
    pub fn seconds_left(&self, now: Time) -> Option<u64> {
        self.card.end_wall_s.map(|end| end.saturating_sub(now.wall_s()))
    }
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

/// How many shares of one outcome are held, in the three senses that differ while settlement is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// By every match so far, settled or not.
    pub matched: Shares,
    /// On the chain.
    pub settled: Shares,
    /// Settled, not promised to a working sell and not on its way out.
    pub sellable: Shares,
}
