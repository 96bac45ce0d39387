//! Rows of a table as events of the stream.

use oddsmith_domain::{
    AssetId, BookLevel, LevelChange, MarketBatch, MarketEvent, Price, Shares, Side, SizeText, TokenId,
};

use super::VerifyError;
use super::audit::Audit;
use crate::recording::TableRow;

/// How far a float may lie from a whole unit and still be the number that was meant.
const SLACK: f64 = 1e-4;

impl Audit {
    /// Takes one row. A table does not say which tokens belong together, so that every token has a book of its own.
    pub fn row(&mut self, row: &TableRow) -> Result<(), VerifyError> {
        let asset = TokenId::parse(&row.asset_id).ok().and_then(|token| {
            let condition: String = token.to_be_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            self.asset(&format!("0x{condition}"), &row.asset_id)
        });
        let event = match asset {
            Some(asset) => event(row, asset),
            None => Err("asset_id: not a token id"),
        };
        match event {
            Ok(event) => {
                self.count(match event {
                    MarketEvent::LastTrade { .. } => "last_trade_price",
                    _ => "price_change",
                });
                self.apply(&MarketBatch { events: vec![event], levels: Vec::new() }, false, false);
                Ok(())
            }
            Err(reason) => self.refuse(row.number, reason, format!("{row:?}").as_bytes()),
        }
    }
}

/// What a row says of a token.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn event(row: &TableRow, asset: AssetId) -> Result<MarketEvent, &'static str> {
    let timestamp_ms = row.timestamp_ms.ok_or("timestamp: not a time")?;
    let price = row.price.and_then(price).ok_or("price: not between 0 and 1, or finer than 0.0001")?;
    let size = row.size.and_then(size).ok_or("size: negative, too large, or finer than 0.000001")?;
    let side = match row.side.as_str() {
        "BID" | "BUY" => Side::Buy,
        "ASK" | "SELL" => Side::Sell,
        _ => return Err("side: neither BID nor ASK"),
    };
    match row.event_type.as_str() {
        "PRICE_CHANGE" | "price_change" => Ok(MarketEvent::Change(LevelChange {
            asset,
            side,
            level: BookLevel { price, price_decimals: 0, size: SizeText { shares: size, decimals: 0 } },
            timestamp_ms,
            hash: None,
            best_bid: row.best_bid.and_then(self::price),
            // An empty side is 1 on the stream; 0 is how a table says that nothing was stated.
            best_ask: row.best_ask.and_then(self::price).filter(|ask| *ask > Price::ZERO),
            irregular_text: true,
        })),
        "LAST_TRADE" | "last_trade_price" => Ok(MarketEvent::LastTrade { asset, price, size, side, timestamp_ms }),
        _ => Err("event_type: neither PRICE_CHANGE nor LAST_TRADE"),
    }
}

fn price(dollars: f64) -> Option<Price> {
    let units = whole(dollars * 1e4)?;
    u16::try_from(units).ok().and_then(Price::from_units)
}

fn size(shares: f64) -> Option<Shares> {
    whole(shares * 1e6).map(Shares::from_micros)
}

/// The whole number that a float stands for; `None` when it is none, negative, or beyond what a float holds exactly.
fn whole(value: f64) -> Option<i64> {
    let rounded = value.round();
    let near = (value - rounded).abs() <= SLACK.max(value.abs() * f64::EPSILON * 4.0);
    (near && (0.0..9e15).contains(&rounded)).then_some(rounded as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_become_the_numbers_that_were_meant() {
        assert_eq!(price(0.29), Price::from_units(2_900));
        assert_eq!(price(0.1 + 0.2), Price::from_units(3_000));
        assert_eq!(size(198_942.24), Some(Shares::from_micros(198_942_240_000)));
        assert_eq!(size(2.083_332), Some(Shares::from_micros(2_083_332)));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.01, 1.0001, 0.12345, 1e300] {
            assert_eq!(price(bad), None, "{bad}");
        }
        for bad in [f64::NAN, f64::INFINITY, -1.0, 1e300, 0.000_000_5] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
