//! The book itself: what it holds and what readers ask of it.

use oddsmith_domain::{
    BookHealth, BookLevel, ConditionId, MarketCard, Outcome, Price, Shares, Side, SizeText, Tick, TokenId,
};

use crate::check::{Checks, HashPolicy};
use crate::fresh::Times;
use crate::health::Record;
use crate::ladder::{Ladder, Slot};
use crate::publish::{Published, Stated};
use crate::ring::{MidSample, Ring, TradePrint};
use crate::stamp::Epoch;
use crate::text::{Facts, Hasher};

/// How many mids a book remembers.
const MIDS: usize = 1_024;
/// How many trades a book remembers.
const TRADES: usize = 256;
/// Levels of a side that a snapshot may have before the scratch memory grows.
const SCRATCH: usize = 256;

/// The best level of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// Its price, in the prices of the token that was asked for.
    pub price: Price,
    /// The aggregate size that rests there.
    pub size: Shares,
}

/// One level of a side, as a reader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its price, in the prices of the token that was asked for.
    pub price: Price,
    /// The aggregate size that rests there.
    pub size: Shares,
}

/// The book of a market: both outcome tokens in one ladder of YES prices. The crate's first page tells how it is used.
#[derive(Clone, Debug)]
pub struct PairBook {
    pub(crate) condition: ConditionId,
    pub(crate) tokens: [TokenId; 2],
    pub(crate) facts: Facts,
    /// Whether neg-risk was stated by a card or a book, and the stamp of the newest book that stated facts.
    pub(crate) facts_stamp: u32,
    /// The stamp of the newest printed match: an older book does not know its price.
    pub(crate) trade_stamp: u32,
    /// YES bids, which are NO asks.
    pub(crate) bids: Ladder,
    /// YES asks, which are NO bids.
    pub(crate) asks: Ladder,
    pub(crate) epoch: Epoch,
    /// The stamp of the newest snapshot: what no slot says more recently, this says.
    pub(crate) floor: u32,
    /// The newest stamp applied.
    pub(crate) newest: u32,
    /// Whether the stream has said anything since the book was empty: only then can REST show that it left something out.
    pub(crate) streamed: bool,
    pub(crate) stated: Option<Stated>,
    /// The stamp of a snapshot whose hash was reproduced and that the ladder still is, level by level.
    pub(crate) whole_since: Option<u32>,
    pub(crate) published: Published,
    pub(crate) records: [Record; 2],
    pub(crate) times: [Times; 2],
    pub(crate) checks: Checks,
    pub(crate) hasher: Hasher,
    pub(crate) scratch: [Vec<BookLevel>; 2],
    pub(crate) mids: Ring<MidSample>,
    pub(crate) trades: Ring<TradePrint>,
    pub(crate) repaired: u64,
}

impl PairBook {
    /// An empty book for the market of this card.
    #[must_use]
    pub fn new(card: &MarketCard) -> PairBook {
        let mut book = PairBook::without_card(card.condition, card.tokens);
        book.facts =
            Facts { tick: card.tick, min_size: card.min_size, neg_risk: Some(card.neg_risk), ..Facts::default() };
        book
    }

    /// An empty book of tokens about which nothing else is known yet, as in a recording: what its hash covers comes from the
    /// books in it, and until then nothing is assumed.
    #[must_use]
    pub fn without_card(condition: ConditionId, tokens: [TokenId; 2]) -> PairBook {
        PairBook {
            condition,
            tokens,
            facts: Facts::default(),
            facts_stamp: 0,
            trade_stamp: 0,
            bids: Ladder::new(),
            asks: Ladder::new(),
            epoch: Epoch::default(),
            floor: 0,
            newest: 0,
            streamed: false,
            stated: None,
            whole_since: None,
            published: Published::default(),
            records: [Record::default(); 2],
            times: [Times::default(); 2],
            checks: Checks::default(),
            hasher: Hasher::new(condition, tokens),
            scratch: [Vec::with_capacity(SCRATCH), Vec::with_capacity(SCRATCH)],
            mids: Ring::new(MIDS),
            trades: Ring::new(TRADES),
            repaired: 0,
        }
    }

    /// Takes over a refreshed card: what the card states replaces what was known, what it does not state stays.
    pub fn update_card(&mut self, card: &MarketCard) {
        self.rename(card.condition, card.tokens);
        self.facts.tick = card.tick.or(self.facts.tick);
        self.facts.min_size = card.min_size.or(self.facts.min_size);
        self.facts.neg_risk = Some(card.neg_risk);
    }

    /// Corrects the names of market and tokens, which the hash covers.
    pub fn rename(&mut self, condition: ConditionId, tokens: [TokenId; 2]) {
        if (condition, tokens) != (self.condition, self.tokens) {
            (self.condition, self.tokens) = (condition, tokens);
            self.hasher = Hasher::new(condition, tokens);
        }
    }

    /// Takes an empty book that was made of changes alone for whole, without proof: for a recording that begins in the middle,
    /// once its stated best prices agree with the book's. A book that is to be traded on needs a snapshot instead.
    pub fn adopt(&mut self) {
        for record in &mut self.records {
            if record.health() == BookHealth::Empty {
                record.replaced_unproven(self.newest);
            }
        }
    }

    /// How often the venue's hash of changes is recomputed; see [`HashPolicy`].
    pub fn set_hash_policy(&mut self, policy: HashPolicy) {
        self.checks.policy = policy;
    }

    /// Forgets levels, times and health, as after a lost connection: nothing is published until the next snapshot. The card's
    /// facts, the rings and the counters stay.
    pub fn reset(&mut self) {
        self.bids.reset();
        self.asks.reset();
        (self.epoch, self.floor, self.newest) = (Epoch::default(), 0, 0);
        (self.facts_stamp, self.trade_stamp) = (0, 0);
        (self.stated, self.whole_since, self.streamed) = (None, None, false);
        self.published.clear();
        self.checks.abandon();
        for outcome in Outcome::BOTH {
            self.records[outcome.index()].reset();
            self.times[outcome.index()] = Times::default();
        }
    }

    /// The market's id at the venue.
    #[must_use]
    pub fn condition(&self) -> ConditionId {
        self.condition
    }

    /// The price grid, once it is known.
    #[must_use]
    pub fn tick(&self) -> Option<Tick> {
        self.facts.tick
    }

    /// The smallest order, once it is known.
    #[must_use]
    pub fn min_size(&self) -> Option<Shares> {
        self.facts.min_size
    }

    /// The best bid for a token as of the last [`PairBook::end_of_frame`]; `None` when nobody bids or the book is crossed.
    #[must_use]
    pub fn best_bid(&self, outcome: Outcome) -> Option<Top> {
        match outcome {
            Outcome::Yes => self.published.bid,
            Outcome::No => self.published.ask.map(mirrored),
        }
    }

    /// The best ask for a token as of the last [`PairBook::end_of_frame`]; `None` when nobody offers or the book is crossed.
    #[must_use]
    pub fn best_ask(&self, outcome: Outcome) -> Option<Top> {
        match outcome {
            Outcome::Yes => self.published.ask,
            Outcome::No => self.published.bid.map(mirrored),
        }
    }

    /// Whether bids and asks met at the last [`PairBook::end_of_frame`]. A crossed book publishes no prices, and is dirty unless the venue
    /// itself states the crossing.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.published.crossed
    }

    /// Whether the book is crossed by the venue's own word: its stated best prices, or a whole book with its hash, say that bids and asks
    /// meet. No level of ours is wrong then: both sides can be had, for as long as it lasts, and nobody knows where the middle is.
    #[must_use]
    pub fn is_crossed_by_venue(&self) -> bool {
        self.published.meant
    }

    /// How the token's view of the book stands.
    #[must_use]
    pub fn health(&self, outcome: Outcome) -> BookHealth {
        self.records[outcome.index()].health()
    }

    /// The worse of the two tokens' health. The ladder is one: doubt about either token is doubt about the market.
    #[must_use]
    pub fn worst_health(&self) -> BookHealth {
        let rank = |health: BookHealth| match health {
            BookHealth::Verified => 0,
            BookHealth::Unverifiable => 1,
            BookHealth::Suspect => 2,
            BookHealth::Empty => 3,
            BookHealth::Dirty => 4,
        };
        let [yes, no] = Outcome::BOTH.map(|outcome| self.health(outcome));
        if rank(no) > rank(yes) { no } else { yes }
    }

    /// How often a view of this book has become dirty.
    #[must_use]
    pub fn times_dirty(&self) -> u64 {
        self.records.iter().map(|record| record.times_dirty).sum()
    }

    /// How many own levels were removed because the venue stated a worse best price.
    #[must_use]
    pub fn repaired(&self) -> u64 {
        self.repaired
    }

    /// Mids of the published top, oldest first.
    #[must_use]
    pub fn mids(&self) -> &Ring<MidSample> {
        &self.mids
    }

    /// The middle of the last two-sided top that was published, to the nearest price unit, half up: what holdings are valued at. It
    /// outlives a reset, and is never 0 or 1; `None` before there was one.
    #[must_use]
    pub fn mark(&self) -> Option<Price> {
        let units = self.mids.latest()?.twice_mid.div_ceil(2);
        Price::from_units(units.clamp(1, Price::ONE.units() - 1))
    }

    /// Printed trades of both tokens, oldest first.
    #[must_use]
    pub fn trades(&self) -> &Ring<TradePrint> {
        &self.trades
    }

    /// The last trade that was printed while this book listened.
    #[must_use]
    pub fn last_trade(&self) -> Option<&TradePrint> {
        self.trades.latest()
    }

    /// What [`PairBook::levels`] and [`PairBook::takeable`] depend on, as a number that is another one after every change of it.
    #[must_use]
    pub const fn levels_version(&self) -> u64 {
        // The sum only grows, and the last bits say the rest.
        (self.bids.changes() + self.asks.changes()) << 2
            | (self.published.crossed as u64) << 1
            | self.published.meant as u64
    }

    /// The levels of a token's side, best first. Nothing while the book is crossed.
    pub fn levels(&self, outcome: Outcome, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.levels_if(!self.published.crossed, outcome, side)
    }

    /// The levels that an order could take from, best first: [`PairBook::levels`], and those of a book that is crossed by the venue's own
    /// word. For whoever takes; a middle between them means nothing.
    pub fn takeable(&self, outcome: Outcome, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.levels_if(!self.published.crossed || self.published.meant, outcome, side)
    }

    fn levels_if(&self, shown: bool, outcome: Outcome, side: Side) -> impl Iterator<Item = Level> + '_ {
        let (ladder, mirror) = self.side(outcome, side);
        // Bids are best at their highest price; a mirrored side runs the other way through its ladder.
        let downwards = (side == Side::Buy) != mirror;
        let first = if shown { end_of(ladder, downwards) } else { None };
        walk(ladder, first, downwards)
            .map(move |(price, slot)| Level { price: reflect(price, mirror), size: Shares::from_micros(slot.micros) })
    }

    /// The levels of a token's side, worst first, with the texts of the venue: the order of its hash.
    pub(crate) fn venue_levels(&self, outcome: Outcome, side: Side) -> impl Iterator<Item = BookLevel> + '_ {
        let (ladder, mirror) = self.side(outcome, side);
        let downwards = (side == Side::Buy) == mirror;
        walk(ladder, end_of(ladder, downwards), downwards).map(move |(price, slot)| BookLevel {
            price: reflect(price, mirror),
            price_decimals: slot.price_decimals[outcome.index()],
            size: slot.size(outcome),
        })
    }

    /// The size at one price of a token's side, with its text.
    #[must_use]
    pub fn size_at(&self, outcome: Outcome, side: Side, price: Price) -> SizeText {
        let (ladder, mirror) = self.side(outcome, side);
        ladder.slot(reflect(price, mirror)).size(outcome)
    }

    /// The ladder that holds a token's side, and whether its prices are those of the other token.
    pub(crate) fn side(&self, outcome: Outcome, side: Side) -> (&Ladder, bool) {
        let mirror = outcome == Outcome::No;
        if (side == Side::Buy) != mirror { (&self.bids, mirror) } else { (&self.asks, mirror) }
    }

    pub(crate) fn side_mut(&mut self, outcome: Outcome, side: Side) -> (&mut Ladder, bool) {
        let mirror = outcome == Outcome::No;
        if (side == Side::Buy) != mirror { (&mut self.bids, mirror) } else { (&mut self.asks, mirror) }
    }
}

/// A price of one token as a price of YES, or back.
pub(crate) fn reflect(price: Price, mirror: bool) -> Price {
    if mirror { price.complement() } else { price }
}

fn mirrored(top: Top) -> Top {
    Top { price: top.price.complement(), ..top }
}

fn end_of(ladder: &Ladder, downwards: bool) -> Option<Price> {
    if downwards { ladder.highest() } else { ladder.lowest() }
}

fn walk(ladder: &Ladder, first: Option<Price>, downwards: bool) -> impl Iterator<Item = (Price, &Slot)> + '_ {
    let next = move |price: &Price| if downwards { ladder.below(*price) } else { ladder.above(*price) };
    std::iter::successors(first, next).map(|price| (price, ladder.slot(price)))
}
