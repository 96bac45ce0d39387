//! Inventory that is held for too long, or has lost too much of its cost: offered at the middle first, then sold across the spread.
//!
//! The clock of a holding begins when the net inventory is no longer hedged, and begins anew when it changes its side; a restart begins it anew
//! too. Once unwinding has begun, it goes on until the inventory is hedged, whatever the price does.

use oddsmith_domain::{
    Basket, BasketLeg, DesiredQuote, Outcome, Price, Reason, Reasons, Route, Sequence, Shares, Side, Time, Unwind, Usdc,
};

use crate::MarketView;
use crate::skewed_maker::Parameters;

/// An order is worth at least this.
const LEAST_WORTH: Usdc = Usdc::from_whole(1);
/// What of a crossing has not left after this time is given up, in milliseconds: the middle has moved on.
const CROSSING_MS: u64 = 1_000;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unwinding {
    /// Nothing.
    Not,
    /// Offer it at the middle.
    Offer(DesiredQuote),
    /// Quote nothing, and sell this across the spread as soon as it is free.
    Cross(Option<BasketLeg>),
}

/// One market's inventory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unwinder {
    /// Since when more than a hedged inventory of this outcome has been held, on the monotonic clock.
    held: Option<(Outcome, u64)>,
    /// Since when it is unwound.
    since: Option<u64>,
}

impl Unwinder {
    /// Looks at the inventory, with the middle of other people's book.
    pub(crate) fn look(&mut self, p: &Parameters, market: &MarketView<'_>, mid: f64, now: Time) -> Unwinding {
        let net = market.net();
        if net.abs() <= p.unwind_flat_shares {
            *self = Unwinder::default();
            return Unwinding::Not;
        }
        let outcome = if net.is_positive() { Outcome::Yes } else { Outcome::No };
        if self.held.is_none_or(|(before, _)| before != outcome) {
            *self = Unwinder { held: Some((outcome, now.mono_ns)), since: None };
        }
        let ago = |then: u64| now.mono_ns.saturating_sub(then) / Time::SECOND;
        let old = self.held.is_some_and(|(_, then)| ago(then) >= p.unwind_after_s);
        let value = if outcome == Outcome::Yes { mid } else { 1.0 - mid };
        let position = &market.position[outcome.index()];
        let lost = position.matched.to_f64() * value < position.cost.to_f64() * (1.0 - p.unwind_loss);
        if old || lost {
            self.since.get_or_insert(now.mono_ns);
        }
        match self.since {
            None => Unwinding::Not,
            Some(since) if ago(since) >= p.unwind_passive_s && !market.caution => {
                Unwinding::Cross(crossing(market, outcome, (net.abs(), value - p.unwind_cross)))
            }
            Some(_) => offer(market, outcome, (net.abs(), mid)).map_or(Unwinding::Cross(None), Unwinding::Offer),
        }
    }
}

/// The whole inventory at the middle, clear of the other side's best, in YES terms.
fn offer(market: &MarketView<'_>, outcome: Outcome, (size, mid): (Shares, f64)) -> Option<DesiredQuote> {
    let (tick, least) = (market.card.tick?, market.card.min_size?);
    let best = (market.best_of_others(Side::Buy)?.price, market.best_of_others(Side::Sell)?.price);
    let side = if outcome == Outcome::Yes { Side::Sell } else { Side::Buy };
    let (bid, ask) = MarketView::clear_of_the_book((tick.floor(mid), tick.ceil(mid)), best, tick);
    let price = if side == Side::Sell { ask } else { bid };
    let size = size.floor_lots();
    (size >= least).then_some(DesiredQuote {
        outcome: Outcome::Yes,
        side,
        price: price?,
        size,
        route: Route::Materialise,
    })
}

/// What of the outcome is free, at no less than `lowest`.
fn crossing(market: &MarketView<'_>, outcome: Outcome, (most, lowest): (Shares, f64)) -> Option<BasketLeg> {
    let (tick, least) = (market.card.tick?, market.card.min_size?);
    let limit: Price = tick.ceil(lowest.max(tick.min_price().to_f64()))?;
    let size = market.position[outcome.index()].sellable.min(most).floor_lots();
    let enough = size >= least && size.cost_floor(limit) >= LEAST_WORTH;
    enough.then_some(BasketLeg { market: market.id, outcome, side: Side::Sell, limit, size })
}

/// A crossing of its own.
pub(crate) fn basket(leg: BasketLeg) -> Basket {
    let mut reasons = Reasons::new();
    reasons.push(Reason::Exit);
    let (sequence, unwind) = (Sequence::OneByOne, Unwind::Keep);
    Basket { legs: vec![leg], sequence, deadline_ms: CROSSING_MS, unwind, reasons }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::Mode;

    use crate::skewed_maker::SkewedMaker;
    use crate::testing::{NOW, Scene};

    use super::*;

    fn held(yes: i64, no: i64) -> Scene {
        Scene { held: [Shares::from_whole(yes), Shares::from_whole(no)], ..Scene::default() }
    }

    fn maker() -> SkewedMaker {
        SkewedMaker::new(Parameters { unwind: true, ..Parameters::default() })
    }

    /// What is wanted so many seconds after the first look: the mode, the prices, and what crosses the spread.
    fn wanted(maker: &mut SkewedMaker, scene: &Scene, seconds: u64) -> (Mode, Vec<String>, Option<String>) {
        let decision = scene.decision_of(maker, NOW.plus_ns(seconds * Time::SECOND));
        let rest = decision.rests().last().expect("a wish");
        let quotes = rest.quotes.iter().map(|q| format!("{} {} @{}", q.side.as_str(), q.size, q.price)).collect();
        let leg = |b: &Basket| {
            format!("{:?} {:?} {} @{}", b.legs[0].side, b.legs[0].outcome, b.legs[0].size, b.legs[0].limit)
        };
        (rest.mode, quotes, decision.basket().map(leg))
    }

    #[test]
    fn what_is_held_for_an_hour_is_offered_for_five_minutes_and_then_crosses() {
        for (scene, mode, offered, sold) in [
            (held(40, 0), Mode::OneSidedSell, "SELL 40 @0.5", "Sell Yes 40 @0.48"),
            (held(0, 40), Mode::OneSidedBuy, "BUY 40 @0.5", "Sell No 40 @0.48"),
        ] {
            let mut maker = maker();
            for seconds in [0, 1_800, 3_599] {
                let (mode, quotes, crossing) = wanted(&mut maker, &scene, seconds);
                assert_eq!((mode, quotes.len(), crossing), (Mode::Normal, 2, None), "{seconds}");
            }
            for seconds in [3_600, 3_899] {
                assert_eq!(wanted(&mut maker, &scene, seconds), (mode, vec![offered.to_owned()], None), "{seconds}");
            }
            assert_eq!(wanted(&mut maker, &scene, 3_900), (Mode::Stop, vec![], Some(sold.to_owned())));
            let gone = held(5, 5);
            assert_eq!(wanted(&mut maker, &gone, 3_901).0, Mode::Normal, "and then it quotes again");
            assert_eq!(wanted(&mut maker, &scene, 3_902).0, Mode::Normal, "the clock begins anew");
        }
    }

    #[test]
    fn what_is_hedged_turned_or_promised_does_not_cross() {
        let mut maker = maker();
        for seconds in [0, 4_000, 8_000] {
            assert_eq!(wanted(&mut maker, &held(45, 40), seconds).0, Mode::Normal, "five shares are hedged");
        }
        wanted(&mut maker, &held(40, 0), 9_000);
        assert_eq!(wanted(&mut maker, &held(0, 40), 12_600).0, Mode::Normal, "another side is another holding");
        let price = Price::from_units(5_000).expect("in range");
        let promised = Scene { open: vec![(Outcome::No, Side::Sell, price, Shares::from_whole(40))], ..held(0, 40) };
        wanted(&mut maker, &promised, 16_200);
        assert_eq!(wanted(&mut maker, &promised, 16_500), (Mode::Stop, vec![], None), "its own offer goes first");
        assert!(wanted(&mut maker, &held(0, 40), 16_501).2.is_some());
    }

    #[test]
    fn it_is_off_unless_it_is_wanted() {
        let mut maker = SkewedMaker::new(Parameters::default());
        for seconds in [0, 10_000, 20_000] {
            assert_eq!(wanted(&mut maker, &held(40, 0), seconds).1.len(), 2);
        }
    }
}
