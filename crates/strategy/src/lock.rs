//! Takings that pay a known sum together, whatever happens: how many, at which prices, for how much (quant 7 to 9).

use oddsmith_domain::{FeeSchedule, Outcome, Price, Shares, Side, Usdc};

use crate::MarketView;

/// A level that can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its price.
    pub price: Price,
    /// What can be had there.
    pub size: Shares,
}

/// One leg: what can be had, best first, and the taker's fee.
#[derive(Clone, Debug, PartialEq)]
pub struct LegOffers {
    /// The levels.
    pub offers: Vec<Offer>,
    /// The fee.
    pub fee: FeeSchedule,
    /// Nothing is paid for it now: the other token is sold in the end, at what each price here is short of a dollar.
    pub sold: bool,
}

impl LegOffers {
    /// The best price.
    #[must_use]
    pub fn best(&self) -> Option<Price> {
        self.offers.first().map(|offer| offer.price)
    }

    /// All that can be had.
    #[must_use]
    pub fn depth(&self) -> Shares {
        self.offers.iter().map(|offer| offer.size).sum()
    }
}

/// What taking one share of every leg, so many times, would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Sets of one share of each leg.
    pub size: Shares,
    /// The worst price of each leg.
    pub limits: Vec<Price>,
    /// What all legs cost, fees included.
    pub cost: Usdc,
    /// What of it is paid at once: all but the legs that are sold in the end.
    pub capital: Usdc,
}

impl Lock {
    /// What a set's payout, in dollars, leaves after the cost.
    #[must_use]
    pub fn profit(&self, payout: u32) -> Usdc {
        Usdc::from_micros(self.size.micros().saturating_mul(i64::from(payout))) - self.cost
    }
}

/// Walks all legs, best first, while the next share of each still leaves the margin of the payout, and the budget lasts. Fees are
/// counted level by level.
#[must_use]
pub fn walk(legs: &[LegOffers], payout: u32, margin: f64, budget: Usdc) -> Lock {
    let mut lock = Lock { limits: vec![Price::ZERO; legs.len()], ..Lock::default() };
    // Where each leg stands: its level, and what of it is taken.
    let mut at = vec![(0usize, Shares::ZERO); legs.len()];
    let next = |at: &[(usize, Shares)]| -> Option<Vec<Offer>> {
        legs.iter()
            .zip(at)
            .map(|(leg, (index, taken))| {
                let offer = leg.offers.get(*index)?;
                Some(Offer { size: offer.size - *taken, ..*offer })
            })
            .collect()
    };
    while let Some(heads) = next(&at).filter(|heads| !heads.is_empty()) {
        let each: f64 = heads.iter().zip(legs).map(|(offer, leg)| all_in(*offer, leg.fee)).sum();
        // A float that should be on the margin counts as on it.
        if f64::from(payout) - each < margin - 1e-9 {
            break;
        }
        let paid = heads.iter().zip(legs).filter(|(_, leg)| !leg.sold).map(|(offer, leg)| all_in(*offer, leg.fee));
        let affordable = Shares::floor_from((budget - lock.capital).to_f64() / paid.sum::<f64>());
        let size = heads.iter().map(|offer| offer.size).fold(affordable, Shares::min);
        if !size.is_positive() {
            break;
        }
        lock.size += size;
        for (((offer, leg), limit), (index, taken)) in heads.iter().zip(legs).zip(&mut lock.limits).zip(&mut at) {
            *limit = offer.price;
            let cost = size.cost_ceil(offer.price) + leg.fee.taker_fee(size, offer.price);
            lock.cost += cost;
            lock.capital += if leg.sold { Usdc::ZERO } else { cost };
            *taken += size;
            if leg.offers.get(*index).is_some_and(|level| *taken >= level.size) {
                (*index, *taken) = (*index + 1, Shares::ZERO);
            }
        }
    }
    lock
}

/// Price and fee of one share.
fn all_in(offer: Offer, fee: FeeSchedule) -> f64 {
    offer.price.to_f64() + fee.taker_fee(Shares::from_whole(1_000), offer.price).to_f64() / 1_000.0
}

impl MarketView<'_> {
    /// Asks of a token that can be had: own orders left out, and of the rest a share only, because what is shown is not always there.
    /// `None` when the market states no fee.
    #[must_use]
    pub fn offers(&self, outcome: Outcome, share: f64) -> Option<LegOffers> {
        let fee = self.card.fee?;
        let offers = self.book.takeable(outcome, Side::Sell).filter_map(|level| {
            // An ask of NO at `p` is a bid of YES at `1 - p`.
            let mirrored = match outcome {
                Outcome::Yes => (Side::Sell, level.price),
                Outcome::No => (Side::Buy, level.price.complement()),
            };
            let ours: Shares = self.own.iter().filter(|o| (o.side, o.price) == mirrored).map(|o| o.size).sum();
            let size = Shares::floor_from((level.size - ours).to_f64() * share);
            size.is_positive().then_some(Offer { price: level.price, size })
        });
        Some(LegOffers { offers: offers.collect(), fee, sold: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(levels: &[(&str, i64)], rate: i64) -> LegOffers {
        let offer = |&(price, whole): &(&str, i64)| Offer {
            price: price.parse().expect("price"),
            size: Shares::from_whole(whole),
        };
        let fee = FeeSchedule::new(rate, 1, true).expect("a schedule");
        LegOffers { offers: levels.iter().map(offer).collect(), fee, sold: false }
    }

    #[test]
    fn the_worked_ladder_of_a_pair() {
        for (rate, profit) in [(70_000, "5.30"), (50_000, "8.79")] {
            let legs = [
                leg(&[("0.45", 150), ("0.46", 200), ("0.48", 500)], rate),
                leg(&[("0.48", 100), ("0.5", 300), ("0.52", 500)], rate),
            ];
            let found = walk(&legs, 1, 0.005, Usdc::from_whole(10_000));
            assert_eq!(found.size, Shares::from_whole(350), "rate {rate}");
            assert_eq!(found.limits.iter().map(Price::to_string).collect::<Vec<_>>(), ["0.46", "0.5"]);
            assert_eq!(format!("{:.2}", found.profit(1).to_f64()), profit);
        }
    }

    #[test]
    fn fees_decide_at_the_bound() {
        // 0.46 and 0.49: crypto's fees leave 0.0151, sports' 0.0251, politics' 0.0301.
        for (rate, edge) in [(70_000, 0.0151), (50_000, 0.0251), (40_000, 0.0301)] {
            let legs = [leg(&[("0.46", 100)], rate), leg(&[("0.49", 100)], rate)];
            let size = |margin| walk(&legs, 1, margin, Usdc::from_whole(1_000)).size;
            assert!(size(edge - 1e-4).is_positive() && size(edge + 1e-4).is_zero(), "rate {rate}");
        }
    }

    #[test]
    fn the_worked_events() {
        let legs = |prices: [&str; 3]| prices.map(|price| leg(&[(price, 100)], 40_000));
        let profit = |prices, payout| {
            let found = walk(&legs(prices), payout, 0.0, Usdc::from_whole(10_000));
            found.profit(payout).to_f64() / found.size.to_f64()
        };
        assert!((profit(["0.62", "0.71", "0.64"], 2) - 0.0031).abs() < 1e-4, "all NO");
        assert!((profit(["0.36", "0.27", "0.34"], 1) - 0.0039).abs() < 1e-4, "all YES");
    }

    #[test]
    fn the_worked_subset_and_the_capital_that_it_takes() {
        // NO of two outcomes at 0.62 and 0.71, a conversion, and the sale of the third's YES.
        let subset = |bid: &str| {
            let short: Price = bid.parse().expect("price");
            let no = [("0.62".to_owned(), false), ("0.71".to_owned(), false), (short.complement().to_string(), true)];
            let legs = no.map(|(price, sold)| LegOffers { sold, ..leg(&[(&price, 100)], 40_000) });
            walk(&legs, 2, 0.0, Usdc::from_whole(10_000))
        };
        // A gross of 0.025 against fees of 0.0268.
        assert!(subset("0.355").size.is_zero());
        // The edge of all NO, 0.0031, for 1.33 dollars and 0.01766 of fees a set.
        let found = subset("0.36");
        assert_eq!((found.size, found.capital), (Shares::from_whole(100), "134.766".parse().expect("dollars")));
        assert!((found.profit(2).to_f64() / 100.0 - 0.0031).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn the_budget_and_the_thinnest_leg_hold() {
        let legs = [leg(&[("0.4", 1_000)], 70_000), leg(&[("0.4", 1_000)], 70_000)];
        let found = walk(&legs, 1, 0.01, Usdc::from_whole(50));
        assert!(found.cost <= Usdc::from_whole(50) && found.cost > Usdc::from_whole(49), "{found:?}");
        let legs = [leg(&[("0.4", 1_000)], 0), leg(&[("0.4", 7)], 0)];
        assert_eq!(walk(&legs, 1, 0.01, Usdc::from_whole(500)).size, Shares::from_whole(7));
        assert_eq!(walk(&[], 1, 0.0, Usdc::from_whole(1)).size, Shares::ZERO);
    }
}
