//! Signals as pure functions of the top and of a few levels. Floats: for judgement, never for money.

use oddsmith_domain::Shares;

use crate::Top;

/// Prices within this part of a dollar are one price. Signals compare floats nowhere else.
const UNIT: f64 = 1e-4;

/// The middle of the spread, in dollars.
#[must_use]
pub fn mid(bid: Top, ask: Top) -> f64 {
    (f64::from(bid.price.units()) + f64::from(ask.price.units())) * UNIT / 2.0
}

/// The micro-price, in dollars: each price weighted by the size on the *other* side (quant reference 1.1). The mid when both
/// sizes are zero.
#[must_use]
pub fn micro_price(bid: Top, ask: Top) -> f64 {
    let (bid_size, ask_size) = (bid.size.to_f64(), ask.size.to_f64());
    let total = bid_size + ask_size;
    if total <= 0.0 {
        return mid(bid, ask);
    }
    (bid.price.to_f64() * ask_size + ask.price.to_f64() * bid_size) / total
}

/// `(bids - asks) / (bids + asks)` of two sums of sizes: -1 … 1, and 0 when there is nothing (quant reference 1.3).
#[must_use]
pub fn imbalance(bids: Shares, asks: Shares) -> f64 {
    let (bids, asks) = (bids.to_f64(), asks.to_f64());
    let total = bids + asks;
    if total <= 0.0 { 0.0 } else { (bids - asks) / total }
}

/// One step of order-flow imbalance between consecutive tops, in millionths of a share: Cont, Kukanov and Stoikov,
/// "The price impact of order book events" (2014), section 2.1. Exact, because it is a sum of sizes.
#[must_use]
pub fn ofi_step(before: (Top, Top), after: (Top, Top)) -> i64 {
    let ((bid_0, ask_0), (bid_1, ask_1)) = (before, after);
    let when = |condition: bool, size: Shares| if condition { size.micros() } else { 0 };
    when(bid_1.price >= bid_0.price, bid_1.size)
        .saturating_sub(when(bid_1.price <= bid_0.price, bid_0.size))
        .saturating_sub(when(ask_1.price <= ask_0.price, ask_1.size))
        .saturating_add(when(ask_1.price >= ask_0.price, ask_0.size))
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::Price;

    use super::*;

    fn top(price: &str, size: i64) -> Top {
        Top { price: Price::parse(price.as_bytes()).expect("price"), size: Shares::from_whole(size) }
    }

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12, "{value} is not {expected}");
    }

    #[test]
    fn worked_numbers_of_the_reference() {
        near(micro_price(top("0.49", 100), top("0.52", 50)), 0.51);
        near(micro_price(top("0.52", 400), top("0.54", 100)), 0.536);
        near(mid(top("0.52", 400), top("0.54", 100)), 0.53);
        near(micro_price(top("0.52", 0), top("0.54", 0)), 0.53);
        near(imbalance(Shares::from_whole(400), Shares::from_whole(100)), 0.6);
        near(imbalance(Shares::from_whole(1_500), Shares::from_whole(800)), 700.0 / 2_300.0);
        near(imbalance(Shares::ZERO, Shares::ZERO), 0.0);
    }

    #[test]
    fn order_flow_of_the_reference() {
        let tops = [
            (top("0.52", 400), top("0.54", 100)),
            (top("0.52", 350), top("0.54", 100)),
            (top("0.53", 50), top("0.54", 180)),
            (top("0.53", 50), top("0.55", 500)),
        ];
        let steps: Vec<i64> = tops.windows(2).map(|pair| ofi_step(pair[0], pair[1]) / 1_000_000).collect();
        assert_eq!(steps, [-50, -30, 180]);
    }
}
