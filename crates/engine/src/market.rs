//! A market as the engine knows it.

use oddsmith_book::{PairBook, ShardProof};
use oddsmith_domain::{BookHealth, Event, MarketCard, MarketId, Outcome, Output, Price, Time, TradingState};

use crate::core::Emitter;
use crate::doubt::Doubt;
use crate::figures::{Depth, Figures, Membership};
use crate::lifecycle::Life;
use crate::links::Reads;
use crate::settle::Conversion;

/// One market: its card, its book, its doubt.
pub(crate) struct Market {
    pub(crate) id: MarketId,
    pub(crate) card: MarketCard,
    pub(crate) book: PairBook,
    pub(crate) doubt: Doubt,
    /// The venue has decided it: nothing is traded here any more.
    pub(crate) resolved: bool,
    /// No instance's rule of selection wants it any more.
    pub(crate) dropped: bool,
    /// How far its life has come.
    pub(crate) life: Life,
    /// Whether the edge was told that it is received no more.
    pub(crate) unsubscribed: bool,
    /// When the stream last told its tick, on the monotonic clock.
    pub(crate) tick_told: Option<u64>,
    /// What a YES share pays, once somebody said so.
    pub(crate) pays: Option<Price>,
    /// The venue's own account of the market said it.
    pub(crate) confirmed: bool,
    /// When the venue is asked how it was decided.
    pub(crate) ask_at: Option<u64>,
    /// Its tokens were counted at least once, and what the wallet held before was taken in.
    pub(crate) adopted: bool,
    /// Tokens on their way to becoming collateral.
    pub(crate) conversion: Option<Conversion>,
    /// No conversion before this time.
    pub(crate) convert_at: u64,
    /// Its book changed since its working orders were last compared with it.
    pub(crate) touched: bool,
    /// The venue itself states that bids and asks meet.
    pub(crate) crossed: bool,
    /// The YES mid when an instance was last evaluated on it, in ticks.
    pub(crate) mid_ticks: Option<i64>,
    /// Where trading stands, as it was last told, and since when on the monotonic clock.
    pub(crate) state: TradingState,
    pub(crate) state_since: u64,
    /// What is held and open in it comes to, how often that was added up, and the groups that it is in.
    pub(crate) figures: Figures,
    pub(crate) recounts: u64,
    pub(crate) groups: Vec<Membership>,
    pub(crate) depth: Depth,
    /// What it lives on while its connection is missing.
    pub(crate) reads: Reads,
    /// When each token's book may be fetched again, on the monotonic clock.
    pub(crate) fetch_at: [u64; 2],
}

impl Market {
    pub(crate) fn new(id: MarketId, card: MarketCard) -> Market {
        let book = PairBook::new(&card);
        Market {
            id,
            card,
            book,
            doubt: Doubt::none(),
            resolved: false,
            dropped: false,
            life: Life::default(),
            unsubscribed: false,
            tick_told: None,
            pays: None,
            confirmed: false,
            ask_at: None,
            adopted: false,
            conversion: None,
            convert_at: 0,
            touched: false,
            crossed: false,
            mid_ticks: None,
            state: TradingState::Idle,
            state_since: 0,
            figures: Figures::default(),
            recounts: 0,
            groups: Vec::new(),
            depth: Depth::default(),
            reads: Reads::default(),
            fetch_at: [0; 2],
        }
    }

    /// What a YES share counts as: what it pays, once that is known, else the last known mid.
    pub(crate) fn mark(&self) -> Option<Price> {
        self.pays.or_else(|| self.book.mark())
    }

    /// The health of both tokens' books.
    pub(crate) fn health(&self) -> [BookHealth; 2] {
        Outcome::BOTH.map(|outcome| self.book.health(outcome))
    }

    /// Tells what has changed since `before`.
    pub(crate) fn report_health(&self, emit: &mut Emitter, before: [BookHealth; 2], out: &mut Vec<Output>) {
        for (outcome, before) in Outcome::BOTH.into_iter().zip(before) {
            let health = self.book.health(outcome);
            if health != before {
                emit.event(out, Event::Book { asset: self.id.asset(outcome), health });
            }
        }
    }

    /// The YES mid in whole ticks, when both sides are there: coarse on purpose, it only tells shocks.
    pub(crate) fn mid_in_ticks(&self) -> Option<i64> {
        let tick = i64::from(self.card.tick?.units());
        let bid = self.book.best_bid(Outcome::Yes)?.price.units();
        let ask = self.book.best_ask(Outcome::Yes)?.price.units();
        Some(i64::from(bid + ask) / (2 * tick))
    }

    /// Nanoseconds since both tokens' books were last proven to be current, given how their connection stands.
    pub(crate) fn book_age_ns(&self, now: Time, shard: ShardProof) -> Option<u64> {
        let [yes, no] = Outcome::BOTH.map(|outcome| self.book.proof_age_ns(outcome, now, shard));
        Some(yes?.max(no?))
    }
}
