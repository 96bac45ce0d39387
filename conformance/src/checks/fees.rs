//! Fees of real fills, exact to the millionth, on the examples of the venue's published schedules.

use polymarket_client_sdk_v2::clob::types::{OrderStatusType, Side};
use polymarket_client_sdk_v2::types::Decimal;
use serde_json::json;

use super::CLOB;
use crate::report::{Report, same};
use crate::venue::{Market, Trader, Venue, decimal, market};

/// A schedule, the pair of accounts that trade by it, and what 100 shares cost at a price.
struct Schedule {
    name: &'static str,
    rate: &'static str,
    accounts: (usize, usize),
    cases: &'static [(&'static str, &'static str)],
}

const CRYPTO: Schedule = Schedule {
    name: "crypto",
    rate: "0.07",
    accounts: (0, 1),
    cases: &[
        ("0.5", "1.75"),
        ("0.9", "0.63"),
        ("0.1", "0.63"),
        ("0.3", "1.47"),
        ("0.7", "1.47"),
        ("0.05", "0.3325"),
        ("0.95", "0.3325"),
    ],
};
const SPORTS: Schedule = Schedule {
    name: "sports",
    rate: "0.05",
    accounts: (2, 3),
    cases: &[
        ("0.5", "1.25"),
        ("0.3", "1.05"),
        ("0.7", "1.05"),
        ("0.1", "0.45"),
        ("0.9", "0.45"),
        ("0.05", "0.2375"),
        ("0.95", "0.2375"),
    ],
};
const POLITICS: Schedule = Schedule {
    name: "politics",
    rate: "0.04",
    accounts: (6, 7),
    cases: &[
        ("0.5", "1"),
        ("0.2", "0.64"),
        ("0.3", "0.84"),
        ("0.7", "0.84"),
        ("0.1", "0.36"),
        ("0.9", "0.36"),
        ("0.05", "0.19"),
        ("0.95", "0.19"),
    ],
};
const GEOPOLITICS: Schedule =
    Schedule { name: "geopolitics", rate: "0", accounts: (8, 9), cases: &[("0.5", "0"), ("0.2", "0")] };

/// A maker and a taker in a market with a fee where nobody else trades.
struct Pair {
    market: Market,
    maker: Trader,
    taker: Trader,
}

impl Pair {
    async fn open(venue: &Venue, slug: &str, rate: &str, accounts: (usize, usize)) -> anyhow::Result<Pair> {
        let rate: f64 = rate.parse()?;
        let market = market(&venue.control("markets", &json!({ "slug": slug, "fee": { "rate": rate } })).await?)?;
        Ok(Pair { market, maker: venue.trader(accounts.0).await?, taker: venue.trader(accounts.1).await? })
    }

    async fn cash(&self) -> anyhow::Result<[Decimal; 2]> {
        Ok([self.maker.cash().await?, self.taker.cash().await?])
    }

    /// Fills an order of the taker; what the maker's and the taker's collateral changed by, in dollars.
    async fn fill(&self, side: Side, price: &str, size: &str) -> anyhow::Result<[Decimal; 2]> {
        let before = self.cash().await?;
        let placed = self.taker.rest(self.market.yes, side, price, size).await?;
        same("the status", placed.status, OrderStatusType::Matched)?;
        self.taker.mined(&placed.trade_ids[0]).await?;
        let after = self.cash().await?;
        Ok([0, 1].map(|index| (after[index] - before[index]) / Decimal::from(1_000_000)))
    }
}

/// Buys and sells a hundred shares at every price of a schedule.
async fn schedule(venue: &Venue, schedule: &Schedule) -> anyhow::Result<()> {
    let pair = Pair::open(venue, &format!("quiet-fee-{}", schedule.name), schedule.rate, schedule.accounts).await?;
    let info = pair.taker.client.clob_market_info(&pair.market.condition_text).await?;
    match info.fee_details {
        Some(fee) => same("the schedule", (fee.rate, fee.taker_only), (decimal(schedule.rate), true))?,
        None => same("the rate of a market without schedule", schedule.rate, "0")?,
    }
    let hundred = decimal("100");
    for (price, fee) in schedule.cases {
        let (value, fee, complement) = (decimal(price) * hundred, decimal(fee), Decimal::ONE - decimal(price));
        pair.maker.rest(pair.market.no, Side::Buy, &complement.to_string(), "100").await?;
        let bought = pair.fill(Side::Buy, price, "100").await?;
        same(&format!("maker and taker of a BUY at {price}"), bought, [value - hundred, -value - fee])?;
        pair.maker.rest(pair.market.yes, Side::Buy, price, "100").await?;
        let sold = pair.fill(Side::Sell, price, "100").await?;
        same(&format!("maker and taker of a SELL at {price}"), sold, [-value, value - fee])?;
    }
    Ok(())
}

/// One order at two prices, and an amount that does not end at the fifth decimal.
async fn levels_and_rounding(venue: &Venue) -> anyhow::Result<()> {
    let pair = Pair::open(venue, "quiet-fee-levels", "0.07", (4, 5)).await?;
    for price in ["0.7", "0.5"] {
        pair.maker.rest(pair.market.no, Side::Buy, price, "100").await?;
    }
    let bought = pair.fill(Side::Buy, "0.5", "200").await?;
    same("two levels, each with its own fee", bought, [decimal("-120"), decimal("-83.22")])?;
    // 5.01 × 0.07 × 0.37 × 0.63 = 0.08174817
    pair.maker.rest(pair.market.no, Side::Buy, "0.63", "5.01").await?;
    let rounded = pair.fill(Side::Buy, "0.37", "5.01").await?;
    same("to the fifth decimal", rounded, [decimal("-3.1563"), decimal("-1.93545")])
}

pub async fn run(venue: &Venue, report: &mut Report) {
    if !report.wants("fees") {
        return;
    }
    // Every check has its own market and its own accounts, so that they need not wait for each other's settlements.
    let (crypto, sports, politics, free, levels) = futures::join!(
        Report::timed(schedule(venue, &CRYPTO)),
        Report::timed(schedule(venue, &SPORTS)),
        Report::timed(schedule(venue, &POLITICS)),
        Report::timed(schedule(venue, &GEOPOLITICS)),
        Report::timed(levels_and_rounding(venue)),
    );
    report.note("fees: crypto (0.07), 100 shares bought and sold at seven prices, exact", CLOB, crypto);
    report.note("fees: sports (0.05), 100 shares bought and sold at seven prices, exact", CLOB, sports);
    report.note("fees: politics (0.04), 100 shares bought and sold at eight prices, exact", CLOB, politics);
    report.note("fees: geopolitics, none", CLOB, free);
    report.note("fees: per level, and rounded at the fifth decimal", CLOB, levels);
}
