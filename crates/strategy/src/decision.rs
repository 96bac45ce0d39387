//! What a strategy returns.

use arrayvec::ArrayVec;
use oddsmith_domain::{Basket, DesiredQuote, EventConversion, MarketId, Mode, Reason, Reasons};

use crate::Working;

/// What an instance wants, market by market. Latest wins: it replaces whatever the instance wanted there before.
#[derive(Debug, Default)]
pub struct Decision {
    rests: Vec<Rest>,
    used: usize,
    basket: Option<Basket>,
    conversion: Option<EventConversion>,
    opportunities: Vec<(MarketId, Opportunity)>,
    fair_values: Vec<(MarketId, f64)>,
}

/// What an instance sees in a market beyond quoting. It opens the trading state in which the matching buys are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opportunity {
    /// Both outcomes can be bought for less than they pay together.
    Pair,
    /// The winner is known before the book shows it.
    Winner,
}

/// The complete set of quotes that an instance wants to have resting in one market.
#[derive(Debug, PartialEq)]
pub struct Rest {
    /// The market.
    pub market: MarketId,
    /// How it wants to be there. [`Mode::Stop`] means no order at all.
    pub mode: Mode,
    /// Orders that work and shall stay exactly as they are. They come on top of `quotes`.
    pub keep: Vec<Working>,
    /// The quotes.
    pub quotes: Vec<DesiredQuote>,
    /// Why.
    pub reasons: Reasons,
    /// What it was made from, for whoever explains it: names and values. No part of what is wanted.
    pub figures: Figures,
}

/// Named values.
pub type Figures = ArrayVec<(&'static str, f64), 8>;

impl Clone for Rest {
    fn clone(&self) -> Rest {
        let Rest { market, mode, keep, quotes, reasons, figures } = self;
        Rest {
            market: *market,
            mode: *mode,
            keep: keep.clone(),
            quotes: quotes.clone(),
            reasons: reasons.clone(),
            figures: figures.clone(),
        }
    }

    /// Keeps the memory of the lists.
    fn clone_from(&mut self, source: &Rest) {
        (self.market, self.mode) = (source.market, source.mode);
        self.keep.clone_from(&source.keep);
        self.quotes.clone_from(&source.quotes);
        self.reasons.clone_from(&source.reasons);
        self.figures.clone_from(&source.figures);
    }
}

impl Rest {
    /// Wants nothing here, for this reason.
    pub fn stop(&mut self, reason: Reason) {
        self.mode = Mode::Stop;
        self.keep.clear();
        self.quotes.clear();
        self.because(reason);
    }

    /// Adds a reason. Reasons beyond the eighth are not kept: the first ones weigh most.
    pub fn because(&mut self, reason: Reason) {
        if !self.reasons.contains(&reason) {
            let _ = self.reasons.try_push(reason);
        }
    }

    /// States a value that the decision was made from. Values beyond the eighth are not kept.
    pub fn figure(&mut self, name: &'static str, value: f64) {
        let _ = self.figures.try_push((name, value));
    }
}

impl Decision {
    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.used = 0;
        (self.basket, self.conversion) = (None, None);
        self.opportunities.clear();
        self.fair_values.clear();
    }

    /// Asks for a basket. It is accepted once, and only while no other of the instance is on its way.
    pub fn take(&mut self, basket: Basket) {
        self.basket = Some(basket);
    }

    /// The basket that was asked for.
    #[must_use]
    pub const fn basket(&self) -> Option<&Basket> {
        self.basket.as_ref()
    }

    /// Asks for NO of some outcomes of an event to become collateral and YES of the others. It is carried out once everything given is free,
    /// where [`crate::View::converts`] says that it can be.
    pub fn convert(&mut self, what: EventConversion) {
        self.conversion = Some(what);
    }

    /// The conversion that was asked for.
    #[must_use]
    pub const fn conversion(&self) -> Option<&EventConversion> {
        self.conversion.as_ref()
    }

    /// Says what is seen in a market, at each evaluation for as long as it is there.
    pub fn sees(&mut self, market: MarketId, opportunity: Opportunity) {
        self.opportunities.push((market, opportunity));
    }

    /// What is seen, in the order in which it was said.
    #[must_use]
    pub fn opportunities(&self) -> &[(MarketId, Opportunity)] {
        &self.opportunities
    }

    /// States what a YES share is worth by the strategy's own model: a probability from outside, not one read from the book. It decides
    /// nothing; it is written down so that it can be judged by how the market was decided.
    pub fn values(&mut self, market: MarketId, yes: f64) {
        self.fair_values.push((market, yes));
    }

    /// The fair values that were stated, in the order in which they were.
    #[must_use]
    pub fn fair_values(&self) -> &[(MarketId, f64)] {
        &self.fair_values
    }

    /// Begins a complete new set for a market.
    pub fn set(&mut self, market: MarketId, mode: Mode) -> &mut Rest {
        if self.used == self.rests.len() {
            self.rests.push(Rest {
                market,
                mode,
                keep: Vec::new(),
                quotes: Vec::new(),
                reasons: Reasons::new(),
                figures: Figures::new(),
            });
        }
        let rest = &mut self.rests[self.used];
        self.used += 1;
        rest.market = market;
        rest.mode = mode;
        rest.keep.clear();
        rest.quotes.clear();
        rest.reasons.clear();
        rest.figures.clear();
        rest
    }

    /// The sets, in the order in which they were made.
    #[must_use]
    pub fn rests(&self) -> &[Rest] {
        &self.rests[..self.used]
    }
}
