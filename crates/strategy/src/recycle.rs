//! What the sets of an event leave to be done: NO that becomes collateral, and YES that comes of it and is sold.
//!
//! NO of `k` outcomes of a complete event is worth `k - 1` dollars and YES of the others, whichever outcome wins: as many as are held of at
//! least two of them are converted once all that was bought is settled. YES beyond what is held of every outcome is sold, at no less than it
//! was to bring, or has cost, less the distance at which parts without a counterpart are sold again. All is decided by what is held, so that
//! a restart goes on where the run before it ended.

use std::collections::BTreeMap;

use oddsmith_domain::{BasketLeg, EventConversion, MarketId, Outcome, Price, Shares, Side, Time, Usdc};

use crate::{MarketView, View};

/// An order is worth at least this.
const LEAST_WORTH: Usdc = Usdc::from_whole(1);

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// NO becomes collateral and YES.
    Convert(EventConversion),
    /// YES is sold.
    Sell(BasketLeg),
}

/// Remembers at which prices YES was to be sold.
#[derive(Debug, Default)]
pub(crate) struct Recycler {
    floors: BTreeMap<MarketId, Price>,
}

impl Recycler {
    /// YES of these markets will come, to be sold at these prices.
    pub(crate) fn expect(&mut self, floors: Vec<(MarketId, Price)>) {
        self.floors = floors.into_iter().collect();
    }

    /// The next step; `None` while a basket is on its way, or nothing is to be done.
    pub(crate) fn next(&self, view: &View<'_>, slack_units: u16, max_age_ms: u64, depth_share: f64) -> Option<Step> {
        if view.basket.is_some_and(|basket| !basket.state.is_final()) {
            return None;
        }
        let least = view.markets.iter().filter_map(|m| m.card.min_size).max()?;
        let converts = conversion(view, least).map(Step::Convert);
        let loose = |market: &MarketView<'_>| self.sale(view, market, (least, slack_units), max_age_ms, depth_share);
        converts.or_else(|| view.markets.iter().find_map(loose).map(Step::Sell))
    }

    fn sale(
        &self,
        view: &View<'_>,
        market: &MarketView<'_>,
        (least, slack_units): (Shares, u16),
        max_age_ms: u64,
        depth_share: f64,
    ) -> Option<BasketLeg> {
        let yes = |m: &MarketView<'_>| m.position[Outcome::Yes.index()];
        let sets = view.markets.iter().map(|m| yes(m).matched).min()?;
        let held = yes(market);
        let loose = (held.sellable - sets).floor_lots();
        let fresh = market.book_age_ns.is_some_and(|age| age <= max_age_ms.saturating_mul(Time::MILLI));
        if loose < least || !fresh || market.caution {
            return None;
        }
        // What cost nothing and was not expected is not given away at any price.
        let worth = self.floors.get(&market.id).copied().or_else(|| average(held.cost, held.matched))?;
        let floor = worth.saturating_add_units(-i32::from(slack_units));
        let (mut size, mut limit) = (Shares::ZERO, None);
        for level in market.book.takeable(Outcome::Yes, Side::Buy).take_while(|level| level.price >= floor) {
            if size >= loose {
                break;
            }
            size += Shares::floor_from(level.size.to_f64() * depth_share);
            limit = Some(level.price);
        }
        let (size, limit) = (size.min(loose).floor_lots(), limit?);
        let enough = size >= least && size.cost_floor(limit) >= LEAST_WORTH;
        enough.then_some(BasketLeg { market: market.id, outcome: Outcome::Yes, side: Side::Sell, limit, size })
    }
}

/// What a share has cost, rounded down; `None` for nothing.
fn average(cost: Usdc, shares: Shares) -> Option<Price> {
    let units = i128::from(cost.micros()) * i128::from(Price::ONE.units()) / i128::from(shares.micros().max(1));
    u16::try_from(units).ok().and_then(Price::from_units).filter(|price| *price > Price::ZERO)
}

/// NO of as many outcomes as at least `least` is held of, when all of it is settled.
fn conversion(view: &View<'_>, least: Shares) -> Option<EventConversion> {
    let no = |m: &MarketView<'_>| m.position[Outcome::No.index()];
    if view.markets.iter().any(|m| no(m).settled != no(m).matched) {
        return None;
    }
    let (from, into): (Vec<_>, Vec<_>) = view.markets.iter().partition(|m| no(m).sellable.floor_lots() >= least);
    let shares = from.iter().map(|m| no(m).sellable.floor_lots()).min()?;
    let ids = |markets: Vec<&MarketView<'_>>| markets.into_iter().map(|m| m.id).collect::<Vec<_>>();
    (from.len() >= 2).then(|| EventConversion { from: ids(from), into: ids(into), shares })
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::FeeSchedule;

    use crate::Decision;
    use crate::multi::{Multi, Parameters};
    use crate::testing::{NOW, Scene, decide};

    use super::*;

    /// Three outcomes with these bids for YES, four cents below the asks, of which so many YES and NO are held.
    fn event(rows: [(&str, i64, i64); 3]) -> Vec<Scene> {
        let scene = |(bid, yes, no): (&str, i64, i64)| {
            let price: Price = bid.parse().expect("price");
            let level = |price| Some((price, Shares::from_whole(100)));
            Scene {
                bid: level(price),
                ask: level(price.saturating_add_units(400)),
                held: [Shares::from_whole(yes), Shares::from_whole(no)],
                neg_risk: true,
                converts: true,
                fee: Some(FeeSchedule::FREE),
                ..Scene::default()
            }
        };
        rows.map(scene).to_vec()
    }

    fn decided(scenes: &[Scene]) -> Decision {
        decide(scenes, &mut Multi::new(Parameters { outcomes: 3, ..Parameters::default() }), NOW)
    }

    fn converted(scenes: &[Scene]) -> Option<(Vec<u32>, Vec<u32>, Shares)> {
        let ids = |markets: &[MarketId]| markets.iter().map(|m| m.0).collect::<Vec<_>>();
        decided(scenes).conversion().map(|c| (ids(&c.from), ids(&c.into), c.shares))
    }

    #[test]
    fn no_of_two_outcomes_or_more_is_converted() {
        let whole = Shares::from_whole;
        let rows = [
            ([10, 12, 0], Some((vec![0, 1], vec![2], whole(10)))),
            ([10, 12, 11], Some((vec![0, 1, 2], vec![], whole(10)))),
            ([10, 4, 11], Some((vec![0, 2], vec![1], whole(10)))),
            ([10, 4, 0], None),
        ];
        for (held, expected) in rows {
            let bids = ["0.5", "0.3", "0.1"];
            let scenes = event([0, 1, 2].map(|n| (bids[n], 0, held[n])));
            assert_eq!(converted(&scenes), expected, "{held:?}");
            let mut elsewhere = scenes.clone();
            elsewhere[0].converts = false;
            assert_eq!(converted(&elsewhere), None, "only where the venue does it");
            let other = Parameters { outcomes: 4, ..Parameters::default() };
            assert_eq!(decide(&scenes, &mut Multi::new(other), NOW).conversion(), None, "nor of a part of an event");
        }
    }

    #[test]
    fn yes_beyond_whole_sets_is_sold_and_whole_sets_are_kept() {
        let sold = |scenes: &[Scene]| {
            let decision = decided(scenes);
            decision.basket().map(|b| (b.legs[0].market.0, b.legs[0].side, b.legs[0].limit.to_string(), b.legs[0].size))
        };
        let bids = ["0.5", "0.3", "0.1"];
        let held = |yes: [i64; 3]| event([0, 1, 2].map(|n| (bids[n], yes[n], 0)));
        assert_eq!(sold(&held([0, 0, 30])), Some((2, Side::Sell, "0.1".to_owned(), Shares::from_whole(30))));
        assert_eq!(sold(&held([20, 20, 50])), Some((2, Side::Sell, "0.1".to_owned(), Shares::from_whole(30))));
        assert_eq!(sold(&held([20, 20, 20])), None);
        assert_eq!(sold(&held([20, 20, 29])), None, "less than a dollar");
        assert_eq!(
            sold(&held([0, 0, 200])).map(|s| s.3),
            Some(Shares::from_whole(80)),
            "what is counted on of the bids"
        );
        let mut old = held([0, 0, 30]);
        old[2].book_age_ns = Some(2_000 * Time::MILLI);
        assert_eq!(sold(&old), None);
    }
}
