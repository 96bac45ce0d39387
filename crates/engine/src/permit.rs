//! What an order is checked against, and what rules leave of a wish before it is planned.

use oddsmith_domain::{
    Denial, DesiredQuote, InstanceId, Latch, MarketId, OrderType, Outcome, Output, Shares, Side, Time, TradingMode,
    Usdc,
};
use oddsmith_risk::{BookStanding, Factor, OpenOrder, Permit, Proposal, Standing, paid};

use crate::config::ns;
use crate::core::Engine;
use crate::instance::Instance;
use crate::market::Market;

/// How far a wish may be followed in a market, and why not wholly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Narrowing {
    pub(crate) mode: TradingMode,
    pub(crate) why: Option<Denial>,
}

impl Engine {
    /// Asks the gate for an order of an instance.
    pub(crate) fn permit(
        &mut self,
        order: &OpenOrder,
        instance: InstanceId,
        market: MarketId,
        order_type: OrderType,
        now: Time,
    ) -> Result<Permit, Denial> {
        self.recount(market);
        self.regroup(market);
        let rests = order_type.rests();
        let known = self.markets.get(market.index()).ok_or(Denial::MarketHalted)?;
        let owner = self.instances.get(usize::from(instance.0)).ok_or(Denial::Halted)?;
        // What one instance has resting is the planner's business, which waits for its own cancels.
        let in_the_way = |o: &oddsmith_execution::Order| !rests || o.place.instance != instance;
        if self.orders.open_in(market).any(|o| in_the_way(o) && o.open().meets(order)) {
            return Err(Denial::SelfTrade);
        }
        let own_elsewhere = owner.loss - owner.wants.get(&market).map_or(Usdc::ZERO, |wanted| wanted.loss);
        let asset = market.asset(order.outcome);
        let limits = self.gate.limits();
        let standing = Standing {
            card: &known.card,
            exposure: &known.figures.all,
            own: &known.figures.own(instance),
            elsewhere: self.elsewhere(known),
            own_elsewhere,
            own_limit: limits.instance_limit(&owner.name),
            groups: &self.group_standings(known),
            book: self.book_standing(known, rests, now),
            latch: self.latch_of(owner, known),
            factor: self.gate.size_factor(now.wall_s(), known.card.end_wall_s),
            wall_s: now.wall_s(),
            free_collateral: self.free_for(instance, now),
            own_capital: self.own_capital(instance),
            own_markets: self.own_markets(instance, market),
            sellable: self.ledger.available(instance, asset) - self.orders.promised(instance, asset),
            halted: !self.wallet.may_quote(),
            market_halted: known.resolved || !known.doubt.may_quote(),
        };
        // What rests is post-only, and a maker pays no fee. Nothing is taken where the fee is not known.
        let fee = if rests { Some(Usdc::ZERO) } else { self.taker_fee(order, market) };
        let fee = fee.ok_or(Denial::CardIncomplete)?;
        let permit = self.gate.check(&Proposal { order: *order, fee, rests }, &standing)?;
        self.check_state(order, rests, instance, market)?;
        // A basket that was accepted before is carried through.
        if rests && self.is_paused(instance, market) {
            return Err(Denial::Paused);
        }
        self.check_reference(instance, market, now)?;
        Ok(permit)
    }

    /// The strictest latch that covers an instance in a market; one that it leaves is as good as narrowed by the operator.
    fn latch_of(&self, owner: &Instance, market: &Market) -> Option<Latch> {
        let latch = self.gate.latches().covering(&market.card.condition, &owner.name);
        let leaves = owner.wants.get(&market.id).is_some_and(|wanted| wanted.leaving);
        latch.or_else(|| leaves.then_some(Latch::Mode(TradingMode::Reducing)))
    }

    /// The book as it matters to an order: what rests needs one with a middle, what takes only one that can be had.
    fn book_standing(&self, market: &Market, rests: bool, now: Time) -> BookStanding {
        let age = market.book_age_ns(now, Engine::proof_of(&self.shards, market.id));
        let best = |side| {
            let mut levels = market.book.takeable(Outcome::Yes, side);
            levels.next().filter(|_| !(rests && market.crossed)).map(|level| level.price)
        };
        BookStanding {
            bid: best(Side::Buy),
            ask: best(Side::Sell),
            depth: market.depth(),
            fresh: age.is_some_and(|age| age <= ns(self.config.timing.stale_book_ms)),
        }
    }

    /// How far latches, the clock and the book let an instance trade in a market.
    pub(crate) fn narrowing(&self, instance: InstanceId, market: MarketId, now: Time) -> Narrowing {
        let Some(known) = self.markets.get(market.index()) else { return Narrowing::default() };
        let latched = Narrowing { mode: self.trading_mode(instance, market), why: None };
        if latched.mode != TradingMode::Active {
            return latched;
        }
        let wanted = self.instances.get(usize::from(instance.0)).and_then(|i| i.wants.get(&market));
        let leaves = wanted.is_some_and(|wanted| wanted.leaving);
        let limits = self.gate.limits();
        let (wall_s, end_s) = (now.wall_s(), known.card.end_wall_s);
        let standing = self.book_standing(known, true, now);
        // A book that is not current is the business of doubt, which knows when to cancel.
        let book = limits.book.check(&BookStanding { fresh: true, ..standing }, false);
        match limits.times.check(wall_s, end_s, false).and(book) {
            Ok(()) if leaves => Narrowing { mode: TradingMode::Reducing, why: Some(Denial::ReduceOnly) },
            Ok(()) => latched,
            Err(why @ Denial::TooNearEnd) => Narrowing { mode: TradingMode::Halted, why: Some(why) },
            Err(why) => Narrowing { mode: TradingMode::Reducing, why: Some(why) },
        }
    }

    /// Plans anew wherever the clock, the book or a latch has changed how far a wish may be followed.
    pub(crate) fn watch_narrowings(&mut self, now: Time) {
        for index in 0..self.instances.len() {
            let Some(instance) = self.instances.get(index) else { continue };
            let id = instance.id;
            let wishes = instance.wants.iter().filter(|(_, wanted)| wanted.wants_quotes());
            let changed: Vec<_> = wishes
                .map(|(market, wanted)| (*market, wanted.narrowed, self.narrowing(id, *market, now)))
                .filter(|(_, before, after)| before != after)
                .collect();
            for (market, _, after) in changed {
                if let Some(wanted) = self.instances.get_mut(index).and_then(|i| i.wants.get_mut(&market)) {
                    wanted.narrowed = after;
                    wanted.told = None;
                }
                self.replan(id, market);
            }
        }
    }

    /// What rules and limits leave of an instance's quotes; `None` if all of them stay as they are.
    pub(crate) fn shaped(
        &mut self,
        instance: InstanceId,
        market: MarketId,
        now: Time,
        out: &mut Vec<Output>,
    ) -> Option<Vec<DesiredQuote>> {
        let narrowing = self.narrowing(instance, market, now);
        let known = self.markets.get(market.index())?;
        let (held, end_s) = (known.figures.own(instance).net_held(), known.card.end_wall_s);
        let factor = self.gate.size_factor(now.wall_s(), end_s);
        let wanted = self.instances.get_mut(usize::from(instance.0))?.wants.get_mut(&market)?;
        wanted.narrowed = narrowing;
        let quotes = &wanted.rest.as_ref()?.quotes;
        let cap = |order: &OpenOrder, factor| self.gate.order_cap(paid(order), factor);
        let shaped = shape(quotes, narrowing.mode, held, factor, cap)?;
        if let (true, Some(denial)) = (shaped.len() < quotes.len(), narrowing.why) {
            self.tell_denial(instance, market, denial, out);
        }
        Some(shaped)
    }
}

/// What is left of quotes: the side that grows the position is scaled, and left out unless trading is active; the side that
/// brings the net position `held` to zero may always do so wholly; and no order is larger than its cap. `None` if all stays.
fn shape(
    quotes: &[DesiredQuote],
    mode: TradingMode,
    held: Shares,
    factor: Factor,
    cap: impl Fn(&OpenOrder, Factor) -> Shares,
) -> Option<Vec<DesiredQuote>> {
    let mut left = held.abs();
    let mut size_of = |quote: &DesiredQuote| {
        let DesiredQuote { outcome, side, price, size, .. } = *quote;
        let order = OpenOrder { outcome, side, price, size };
        let back = match order.in_yes_terms().0 {
            Side::Buy => held.is_negative(),
            Side::Sell => held.is_positive(),
        };
        let reducing = if back { size.min(left) } else { Shares::ZERO };
        left -= reducing;
        let grown = if factor == Factor::ONE { size } else { factor.of_shares(size) };
        let wished = match mode {
            TradingMode::Active if reducing == size => size,
            TradingMode::Active => grown.max(reducing).min(cap(&order, factor).max(reducing)),
            TradingMode::Reducing => reducing,
            TradingMode::Halted => Shares::ZERO,
        };
        wished.min(cap(&order, Factor::ONE))
    };
    let mut shaped: Option<Vec<DesiredQuote>> = None;
    for (index, quote) in quotes.iter().enumerate() {
        let size = size_of(quote);
        if size != quote.size {
            shaped.get_or_insert_with(|| quotes.to_vec())[index].size = size;
        }
    }
    let mut shaped = shaped?;
    shaped.retain(|quote| quote.size.is_positive());
    Some(shaped)
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{Price, Route};

    use super::*;

    fn quote(side: Side, size: i64) -> DesiredQuote {
        let price = Price::from_units(5_000).expect("in range");
        DesiredQuote { outcome: Outcome::Yes, side, price, size: Shares::from_whole(size), route: Route::Materialise }
    }

    fn sizes(mode: TradingMode, held: i64, percent: u8, cap: i64) -> Option<Vec<(Side, i64)>> {
        let quotes = [quote(Side::Buy, 40), quote(Side::Sell, 30), quote(Side::Sell, 20)];
        let shaped =
            shape(&quotes, mode, Shares::from_whole(held), Factor::percent(percent), |_, _| Shares::from_whole(cap));
        shaped.map(|quotes| quotes.iter().map(|q| (q.side, q.size.micros() / 1_000_000)).collect())
    }

    #[test]
    fn rules_shrink_what_grows_the_position_and_never_what_reduces_it() {
        use Side::{Buy, Sell};
        let (active, reducing) = (TradingMode::Active, TradingMode::Reducing);
        assert_eq!(sizes(active, 0, 100, 100), None);
        assert_eq!(sizes(active, 0, 50, 100), Some(vec![(Buy, 20), (Sell, 15), (Sell, 10)]));
        assert_eq!(sizes(active, 0, 100, 25), Some(vec![(Buy, 25), (Sell, 25), (Sell, 20)]));
        assert_eq!(sizes(active, 35, 50, 100), Some(vec![(Buy, 20), (Sell, 30), (Sell, 10)]));
        assert_eq!(sizes(active, 35, 0, 100), Some(vec![(Sell, 30), (Sell, 5)]));
        assert_eq!(sizes(reducing, 35, 100, 100), Some(vec![(Sell, 30), (Sell, 5)]));
        assert_eq!(sizes(reducing, -35, 100, 100), Some(vec![(Buy, 35)]));
        assert_eq!(sizes(reducing, 0, 100, 100), Some(vec![]));
        assert_eq!(sizes(TradingMode::Halted, 35, 100, 100), Some(vec![]));
    }
}
