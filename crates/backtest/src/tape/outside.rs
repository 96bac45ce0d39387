//! Prices of other places that were recorded beside the market's frames.

use oddsmith_domain::{PriceSource, ReferencePrice, ReferenceTick, Symbol};
use oddsmith_feeds::binance::{Message, decode};
use serde::Deserialize;

/// What the pairs that are followed are quoted in, as Binance names it.
const QUOTED_IN: &str = "USDT";

/// A trade on a combined stream of Binance.
#[derive(Deserialize)]
struct Combined<'c> {
    #[serde(borrow)]
    data: Trade<'c>,
}

#[derive(Deserialize)]
struct Trade<'c> {
    e: &'c str,
    #[serde(rename = "E")]
    event_ms: u64,
    s: &'c str,
    t: u64,
    p: &'c str,
}

/// The price that a frame of Binance states: the best bid and ask, or a trade's price as both. `None` for any other frame.
pub(super) fn price(frame: &[u8]) -> Option<ReferenceTick> {
    let text = std::str::from_utf8(frame).ok()?;
    if text.contains("@bookTicker") {
        let mut messages = Vec::new();
        decode(frame, &mut messages);
        let Some(Ok(Message::Ticker(ticker))) = messages.pop() else { return None };
        return Some(ReferenceTick {
            symbol: symbol(&ticker.symbol)?,
            source: PriceSource::Binance,
            bid: ticker.bid,
            ask: ticker.ask,
            update: ticker.update,
            source_wall_ms: ticker.event_ms,
        });
    }
    if !text.contains("@trade") {
        return None;
    }
    let Combined { data } = serde_json::from_str(text).ok()?;
    let price = ReferencePrice::parse(data.p.as_bytes()).ok().filter(|_| data.e == "trade")?;
    Some(ReferenceTick {
        symbol: symbol(data.s)?,
        source: PriceSource::Binance,
        bid: price,
        ask: price,
        update: data.t,
        source_wall_ms: Some(data.event_ms),
    })
}

fn symbol(pair: &str) -> Option<Symbol> {
    Symbol::new(pair.strip_suffix(QUOTED_IN)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickers_and_trades_are_prices_and_nothing_else_is() {
        let trade = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1777366911692,"s":"BTCUSDT","t":7,"p":"76968.86000000","q":"1"}}"#;
        let tick = price(trade.as_bytes()).expect("a price");
        assert_eq!((tick.symbol.as_str(), tick.bid, tick.update), ("btc", tick.ask, 7));
        assert_eq!(tick.bid.to_string(), "76968.86");
        assert_eq!(tick.source_wall_ms, Some(1_777_366_911_692));
        let ticker = r#"{"stream":"ethusdt@bookTicker","data":{"u":9,"s":"ETHUSDT","b":"2292.59","B":"1","a":"2292.60","A":"2"}}"#;
        let tick = price(ticker.as_bytes()).expect("a price");
        assert_eq!((tick.bid.to_string(), tick.ask.to_string()), ("2292.59".to_owned(), "2292.6".to_owned()));
        for other in [
            r#"{"stream":"btceur@trade","data":{"e":"trade","E":1,"s":"BTCEUR","t":7,"p":"1"}}"#,
            r#"{"stream":"btcusdt@depth","data":{}}"#,
            r#"{"stream":"btcusdt@trade","data":{"p":"x"}}"#,
            "PONG",
        ] {
            assert_eq!(price(other.as_bytes()), None, "{other}");
        }
    }
}
