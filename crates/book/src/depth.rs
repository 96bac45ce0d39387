//! What an order of a given size would get.

use oddsmith_domain::{Outcome, Price, Shares, Side, Usdc};

use crate::PairBook;

/// The result of walking a side level by level, before fees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// The shares that the levels hold, up to what was asked for.
    pub filled: Shares,
    /// What could not be had: of shares in [`PairBook::effective_price`]; not stated by [`PairBook::effective_price_for_cash`].
    pub shortfall: Shares,
    /// The cash that could not be spent, in [`PairBook::effective_price_for_cash`].
    pub unspent: Usdc,
    /// What the filled shares cost a buyer, rounded up, or bring a seller, rounded down, to the millionth.
    pub cash: Usdc,
    /// The price of the last level that was touched: the limit that such an order needs.
    pub worst: Option<Price>,
}

impl Sweep {
    /// Whether all that was asked for can be had.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.shortfall.is_zero() && self.unspent.is_zero()
    }

    /// The average price in dollars per share, as a signal; `None` when nothing was filled.
    #[must_use]
    pub fn average(&self) -> Option<f64> {
        self.filled.is_positive().then(|| self.cash.to_f64() / self.filled.to_f64())
    }
}

impl PairBook {
    /// Walks the side that an order of this `side` would take from, for a number of shares (quant reference 7.1).
    #[must_use]
    pub fn effective_price(&self, outcome: Outcome, side: Side, shares: Shares) -> Sweep {
        let mut sweep = Sweep { shortfall: shares, ..Sweep::default() };
        // The sum is kept exact and rounded once, against the one who takes.
        let mut product: i128 = 0;
        for level in self.levels(outcome, side.opposite()) {
            if !sweep.shortfall.is_positive() {
                break;
            }
            let taken = level.size.min(sweep.shortfall);
            product += i128::from(taken.micros()) * i128::from(level.price.units());
            sweep.filled += taken;
            sweep.shortfall -= taken;
            sweep.worst = Some(level.price);
        }
        sweep.cash = round_cash(product, side);
        sweep
    }

    /// Walks the asks for a sum of cash that a buyer wants to spend.
    #[must_use]
    pub fn effective_price_for_cash(&self, outcome: Outcome, cash: Usdc) -> Sweep {
        let scale = i128::from(Price::ONE.units());
        let mut sweep = Sweep::default();
        let mut left = i128::from(cash.micros()).max(0) * scale;
        for level in self.levels(outcome, Side::Sell) {
            let price = i128::from(level.price.units());
            if left == 0 || price == 0 {
                break;
            }
            let affordable = i64::try_from(left / price).unwrap_or(i64::MAX);
            let taken = level.size.min(Shares::from_micros(affordable));
            if !taken.is_positive() {
                // What is left buys not even a millionth of a share.
                left = 0;
                break;
            }
            left -= i128::from(taken.micros()) * price;
            sweep.filled += taken;
            sweep.worst = Some(level.price);
            if taken < level.size {
                left = 0;
                break;
            }
        }
        sweep.unspent = round_cash(left, Side::Sell);
        sweep.cash = cash - sweep.unspent;
        sweep
    }
}

/// Millionths of a dollar from a product of millionths of a share and price units: up for who pays, down for who receives.
fn round_cash(product: i128, side: Side) -> Usdc {
    let unit = i128::from(Price::ONE.units());
    let micros = match side {
        Side::Buy => -((-product).div_euclid(unit)),
        Side::Sell => product.div_euclid(unit),
    };
    Usdc::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
