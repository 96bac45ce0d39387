//! What an order gives and what it receives, in the integers that are signed (protocol section 4.3).
//!
//! A limit order's amounts are exact: a size in hundredths of a share times a price on the grid always fits the decimals
//! that the venue allows, so the price that the venue computes back from them *is* the limit. The same holds for a market
//! order that states shares. A market buy that states dollars cannot be exact; see [`MarketAmount`].
//!
//! ```
//! use oddsmith_domain::{Side, Tick};
//! use oddsmith_polymarket::amounts;
//!
//! let price = "0.57".parse().unwrap();
//! let order = amounts::limit(Side::Buy, price, "10".parse().unwrap(), Tick::Cent).unwrap();
//! assert_eq!((order.maker, order.taker), (5_700_000, 10_000_000));
//! ```

use oddsmith_domain::{Price, Shares, Side, Tick, Usdc};
use thiserror::Error;

/// What the maker of an order gives and receives, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Amounts {
    /// What the maker gives: dollars for a BUY, shares for a SELL.
    pub maker: u64,
    /// What the maker receives: shares for a BUY, dollars for a SELL.
    pub taker: u64,
}

/// Why there are no amounts for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// The price is not one that an order may have on this grid.
    #[error("{price} is not an order price on a grid of {tick}")]
    OffGrid {
        /// The price.
        price: Price,
        /// The grid.
        tick: Tick,
    },
    /// Nothing is left of the size after rounding.
    #[error("a size of {0} is less than one lot of 0.01 shares")]
    Size(Shares),
    /// Nothing is left of the amount after rounding.
    #[error("{0} dollars do not buy one lot")]
    Dollars(Usdc),
    /// A sale states its amount in shares.
    #[error("a SELL states its amount in shares, not in dollars")]
    SellInDollars,
    /// More than the integers of the protocol hold.
    #[error("the amount is out of range")]
    Range,
}

/// How much a market order wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketAmount {
    /// This many shares, rounded down to lots. Exact at the worst acceptable price.
    Shares(Shares),
    /// As many whole lots as these dollars pay for at the worst acceptable price, and no more dollars than that. Exact, and
    /// what the engine uses.
    Budget(Usdc),
    /// Precisely these dollars, as the official clients send them. The shares asked for are cut to the venue's decimals, so
    /// that the stated price is worse than the limit by less than one unit of the last decimal of the shares.
    ExactDollars(Usdc),
}

/// The amounts of a limit order. The size is rounded down to hundredths of a share.
///
/// # Errors
/// [`AmountError::OffGrid`], [`AmountError::Size`] or [`AmountError::Range`].
pub fn limit(side: Side, price: Price, size: Shares, tick: Tick) -> Result<Amounts, AmountError> {
    if !tick.admits(price) {
        return Err(AmountError::OffGrid { price, tick });
    }
    let lots = size.floor_lots();
    if !lots.is_positive() {
        return Err(AmountError::Size(size));
    }
    let shares = u64::try_from(lots.micros()).map_err(|_| AmountError::Range)?;
    // Whole lots times whole ticks are whole millionths: the division leaves no remainder.
    let dollars = u128::from(shares) * u128::from(price.units()) / u128::from(Price::ONE.units());
    let dollars = u64::try_from(dollars).map_err(|_| AmountError::Range)?;
    Ok(match side {
        Side::Buy => Amounts { maker: dollars, taker: shares },
        Side::Sell => Amounts { maker: shares, taker: dollars },
    })
}

/// The amounts of a market order (FOK or FAK) whose worst acceptable price is `price`.
///
/// # Errors
/// As [`limit`], and [`AmountError::Dollars`] or [`AmountError::SellInDollars`].
pub fn market(side: Side, amount: MarketAmount, price: Price, tick: Tick) -> Result<Amounts, AmountError> {
    match (side, amount) {
        (_, MarketAmount::Shares(shares)) => limit(side, price, shares, tick),
        (Side::Sell, _) => Err(AmountError::SellInDollars),
        (Side::Buy, MarketAmount::Budget(budget)) => {
            let shares = budget.affords(price);
            limit(side, price, shares, tick).map_err(|fault| match fault {
                AmountError::Size(_) => AmountError::Dollars(budget),
                other => other,
            })
        }
        (Side::Buy, MarketAmount::ExactDollars(dollars)) => exact_dollars(dollars, price, tick),
    }
}

fn exact_dollars(dollars: Usdc, price: Price, tick: Tick) -> Result<Amounts, AmountError> {
    if !tick.admits(price) {
        return Err(AmountError::OffGrid { price, tick });
    }
    let maker = u64::try_from(dollars.micros()).map_err(|_| AmountError::Dollars(dollars))?;
    let shares = u128::from(maker) * u128::from(Price::ONE.units()) / u128::from(price.units());
    let quantum = 10u128.pow(Shares::SCALE - tick.amount_decimals());
    let shares = u64::try_from(shares / quantum * quantum).map_err(|_| AmountError::Range)?;
    if maker == 0 || shares == 0 {
        return Err(AmountError::Dollars(dollars));
    }
    Ok(Amounts { maker, taker: shares })
}

impl Amounts {
    /// The shares of the order, whichever side it is on, in millionths.
    #[must_use]
    pub const fn shares(self, side: Side) -> u64 {
        match side {
            Side::Buy => self.taker,
            Side::Sell => self.maker,
        }
    }

    /// The dollars of the order, whichever side it is on, in millionths.
    #[must_use]
    pub const fn dollars(self, side: Side) -> u64 {
        match side {
            Side::Buy => self.maker,
            Side::Sell => self.taker,
        }
    }

    /// The price that the venue computes back from the amounts: rounded up for a BUY and down for a SELL, that is against
    /// the one who checks a limit with it. `None` when no shares or more than a dollar per share are stated.
    #[must_use]
    pub fn implied_price(self, side: Side) -> Option<Price> {
        let shares = u128::from(self.shares(side));
        let dollars = u128::from(self.dollars(side)) * u128::from(Price::ONE.units());
        if shares == 0 {
            return None;
        }
        let units = match side {
            Side::Buy => dollars.div_ceil(shares),
            Side::Sell => dollars / shares,
        };
        u16::try_from(units).ok().and_then(Price::from_units)
    }

    /// Whether the stated price lies on the grid exactly, as the venue demands of an order that rests.
    #[must_use]
    pub fn on_grid(self, side: Side, tick: Tick) -> bool {
        self.implied_price(side).is_some_and(|price| {
            let exact = u128::from(self.shares(side)) * u128::from(price.units())
                == u128::from(self.dollars(side)) * u128::from(Price::ONE.units());
            exact && tick.admits(price)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(text: &str) -> Price {
        text.parse().expect("a price")
    }

    fn shares(text: &str) -> Shares {
        text.parse().expect("shares")
    }

    #[test]
    fn the_worked_examples() {
        let buy = limit(Side::Buy, price("0.57"), shares("10"), Tick::Cent);
        assert_eq!(buy, Ok(Amounts { maker: 5_700_000, taker: 10_000_000 }));
        let sell = limit(Side::Sell, price("0.983"), shares("21.04"), Tick::Thousandth);
        assert_eq!(sell, Ok(Amounts { maker: 21_040_000, taker: 20_682_320 }));
        // a float would have made 0.29 * 100 = 28.999999999999996 of this
        let tricky = limit(Side::Buy, price("0.29"), shares("100"), Tick::Cent);
        assert_eq!(tricky, Ok(Amounts { maker: 29_000_000, taker: 100_000_000 }));
    }

    #[test]
    fn market_buys_in_three_ways() {
        let ten = Usdc::from_whole(10);
        let exact = market(Side::Buy, MarketAmount::ExactDollars(ten), price("0.57"), Tick::Cent);
        assert_eq!(exact, Ok(Amounts { maker: 10_000_000, taker: 17_543_800 }));
        let budget = market(Side::Buy, MarketAmount::Budget(ten), price("0.57"), Tick::Cent);
        assert_eq!(budget, Ok(Amounts { maker: 9_997_800, taker: 17_540_000 }));
        let lots = market(Side::Buy, MarketAmount::Shares(shares("17.549")), price("0.57"), Tick::Cent);
        assert_eq!(lots, budget.map(|a| Amounts { maker: a.maker, ..a }));
    }

    #[test]
    fn what_cannot_be_ordered_is_refused() {
        let tick = Tick::Cent;
        for text in ["0", "1", "0.005", "0.575"] {
            let off = limit(Side::Buy, price(text), shares("10"), tick);
            assert_eq!(off, Err(AmountError::OffGrid { price: price(text), tick }));
        }
        for text in ["0", "0.009999", "-5"] {
            assert_eq!(limit(Side::Sell, price("0.5"), shares(text), tick), Err(AmountError::Size(shares(text))));
        }
        let dollar = Usdc::from_whole(1);
        for amount in [MarketAmount::Budget(dollar), MarketAmount::ExactDollars(dollar)] {
            assert_eq!(market(Side::Sell, amount, price("0.5"), tick), Err(AmountError::SellInDollars));
        }
        for amount in [MarketAmount::Budget(-dollar), MarketAmount::ExactDollars(-dollar)] {
            assert_eq!(market(Side::Buy, amount, price("0.5"), tick), Err(AmountError::Dollars(-dollar)));
        }
        let dust = Usdc::from_micros(1);
        assert_eq!(market(Side::Buy, MarketAmount::Budget(dust), price("0.5"), tick), Err(AmountError::Dollars(dust)));
        assert_eq!(
            limit(Side::Buy, price("0.5"), Shares::from_micros(i64::MAX), tick).map(|a| a.taker),
            Ok(9_223_372_036_854_770_000)
        );
    }

    fn any_side() -> impl Strategy<Value = Side> {
        prop_oneof![Just(Side::Buy), Just(Side::Sell)]
    }

    fn any_grid_price() -> impl Strategy<Value = (Tick, Price)> {
        (0usize..6).prop_flat_map(|index| {
            let tick = Tick::ALL[index];
            let last = Price::ONE.units() / tick.units() - 1;
            (1..=last).prop_map(move |steps| (tick, Price::from_units(steps * tick.units()).expect("below one")))
        })
    }

    proptest! {
        #[test]
        fn a_limit_is_stated_exactly(
            side in any_side(),
            (tick, price) in any_grid_price(),
            micros in 10_000i64..1_000_000_000_000_000,
        ) {
            let amounts = limit(side, price, Shares::from_micros(micros), tick).expect("an order");
            prop_assert_eq!(amounts.implied_price(side), Some(price));
            prop_assert!(amounts.on_grid(side, tick));
            // the venue's decimals: two for shares, those of the grid for dollars
            prop_assert_eq!(amounts.shares(side) % 10_000, 0);
            prop_assert_eq!(amounts.dollars(side) % 10u64.pow(6 - tick.amount_decimals()), 0);
            prop_assert!(amounts.shares(side) <= micros as u64 && amounts.shares(side) + 10_000 > micros as u64);
        }

        #[test]
        fn a_budget_is_never_exceeded((tick, price) in any_grid_price(), micros in 10_000i64..1_000_000_000_000) {
            let budget = Usdc::from_micros(micros);
            let amounts = market(Side::Buy, MarketAmount::Budget(budget), price, tick).expect("an order");
            prop_assert!(amounts.maker <= micros as u64);
            prop_assert_eq!(amounts.implied_price(Side::Buy), Some(price));
            // one lot more would not have been paid for
            let more = u128::from(amounts.taker + 10_000) * u128::from(price.units());
            prop_assert!(more > micros as u128 * 10_000);
        }

        #[test]
        fn exact_dollars_are_within_one_decimal((tick, price) in any_grid_price(), micros in 10_000i64..1_000_000_000_000) {
            let dollars = Usdc::from_micros(micros);
            let amounts = market(Side::Buy, MarketAmount::ExactDollars(dollars), price, tick).expect("an order");
            prop_assert_eq!(amounts.maker, micros as u64);
            let quantum = 10u64.pow(6 - tick.amount_decimals());
            prop_assert_eq!(amounts.taker % quantum, 0);
            let spent = u128::from(amounts.maker) * 10_000;
            prop_assert!(u128::from(amounts.taker) * u128::from(price.units()) <= spent);
            prop_assert!(u128::from(amounts.taker + quantum) * u128::from(price.units()) > spent);
        }
    }
}
