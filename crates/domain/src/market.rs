//! Decoded public market data: what the codec makes of a frame and the book applies.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AssetId, MarketId, Price, Shares, Side, Tick, decimal::write_fixed};

/// A size together with how the venue wrote it, so that its book hash can be reproduced to the byte.
///
/// `decimals` is the number of digits after the point in the venue's text (`"12.50"` has 2); the text itself is thereby known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SizeText {
    /// The size.
    pub shares: Shares,
    /// Digits after the point in the venue's text.
    pub decimals: u8,
}

/// One price level as the venue states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookLevel {
    /// The level's price.
    pub price: Price,
    /// Digits after the point in the venue's text of the price.
    pub price_decimals: u8,
    /// The aggregate size that rests there.
    pub size: SizeText,
}

impl BookLevel {
    /// Writes the price as the venue wrote it.
    ///
    /// # Errors
    /// Only those of the writer.
    pub fn write_price(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write_padded(out, i64::from(self.price.units()), Price::SCALE, self.price_decimals)
    }

    /// Writes the size as the venue wrote it.
    ///
    /// # Errors
    /// Only those of the writer.
    pub fn write_size(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write_padded(out, self.size.shares.micros(), Shares::SCALE, self.size.decimals)
    }
}

/// Writes a fixed-point number with exactly `decimals` digits after the point (none and no point for zero).
fn write_padded(out: &mut impl fmt::Write, value: i64, scale: u32, decimals: u8) -> fmt::Result {
    let decimals = u32::from(decimals);
    if decimals < scale && value % 10i64.pow(scale - decimals) != 0 {
        // The stated width cannot hold the value: the shortest exact text is the only honest one.
        return write_fixed(out, value, scale);
    }
    let unit = 10i64.pow(scale);
    write!(out, "{}", value / unit)?;
    if decimals == 0 {
        return Ok(());
    }
    let fraction = (value % unit).unsigned_abs();
    if decimals <= scale {
        let width = decimals as usize;
        write!(out, ".{:0width$}", fraction / 10u64.pow(scale - decimals))
    } else {
        let (width, zeros) = (scale as usize, (decimals - scale) as usize);
        write!(out, ".{fraction:0width$}{:0<zeros$}", "")
    }
}

/// The venue's hash of a book: 20 bytes of SHA-1 (protocol section 5.5).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VenueHash(pub [u8; 20]);

impl fmt::Display for VenueHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for VenueHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The head of a full book of one token. Its levels stand in [`MarketBatch::levels`], bids first, in the venue's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// The token.
    pub asset: AssetId,
    /// The venue's time in milliseconds.
    pub timestamp_ms: u64,
    /// The venue's hash, when the frame has one that is 40 hexadecimal digits.
    pub hash: Option<VenueHash>,
    /// Where the bids begin in [`MarketBatch::levels`].
    pub first_level: u32,
    /// How many bids there are.
    pub bids: u32,
    /// How many asks follow them.
    pub asks: u32,
    /// The tick size, when stated.
    pub tick: Option<Tick>,
    /// The minimum order size, when stated.
    pub min_size: Option<Shares>,
    /// Whether the market is neg-risk, when stated.
    pub neg_risk: Option<bool>,
    /// The last traded price, when stated and not empty.
    pub last_trade: Option<Price>,
    /// Whether `last_trade_price` was stated at all, be it empty.
    pub last_trade_stated: bool,
    /// Whether the frame carried `"version":"v2"` (a position market), which the hash covers.
    pub version_v2: bool,
    /// Whether a text in the frame is one that cannot be reproduced from the decoded numbers (`.48`, leading zeros), so that
    /// the hash cannot be checked.
    pub irregular_text: bool,
}

/// One change of one level of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange {
    /// The token.
    pub asset: AssetId,
    /// The side of the book that changes.
    pub side: Side,
    /// The level's price and its *new* aggregate size; zero removes it.
    pub level: BookLevel,
    /// The venue's time in milliseconds.
    pub timestamp_ms: u64,
    /// The hash of the token's whole book after the change, or after the millisecond's batch that it belongs to.
    pub hash: Option<VenueHash>,
    /// The best bid after the change; [`Price::ZERO`] when the side is empty, `None` when not stated.
    pub best_bid: Option<Price>,
    /// The best ask after the change; [`Price::ONE`] when the side is empty, `None` when not stated.
    pub best_ask: Option<Price>,
    /// As [`SnapshotHeader::irregular_text`].
    pub irregular_text: bool,
}

/// A public event of the market channel, or a book read by REST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketEvent {
    /// A full book.
    Snapshot(SnapshotHeader),
    /// A level changed. The changes of one frame follow each other.
    Change(LevelChange),
    /// A match was printed.
    LastTrade {
        /// The token in which the taker traded.
        asset: AssetId,
        /// The price.
        price: Price,
        /// The size.
        size: Shares,
        /// The taker's side as the feed states it: weak information (protocol 8.1).
        side: Side,
        /// The venue's time in milliseconds.
        timestamp_ms: u64,
    },
    /// The token's price grid changed.
    TickChange {
        /// The token.
        asset: AssetId,
        /// The grid from now on.
        tick: Tick,
        /// The venue's time in milliseconds.
        timestamp_ms: u64,
    },
    /// The top of a book, stated on its own.
    BestBidAsk {
        /// The token.
        asset: AssetId,
        /// The best bid; [`Price::ZERO`] when there is none.
        best_bid: Price,
        /// The best ask; [`Price::ONE`] when there is none.
        best_ask: Price,
        /// The venue's time in milliseconds.
        timestamp_ms: u64,
    },
    /// The market is decided.
    Resolved {
        /// The market.
        market: MarketId,
        /// The winning token, when it is one of ours.
        winner: Option<AssetId>,
        /// The venue's time in milliseconds.
        timestamp_ms: u64,
    },
}

impl MarketEvent {
    /// The market that it speaks of.
    #[must_use]
    pub const fn market(&self) -> MarketId {
        match self {
            MarketEvent::Snapshot(header) => header.asset.market(),
            MarketEvent::Change(change) => change.asset.market(),
            MarketEvent::LastTrade { asset, .. }
            | MarketEvent::TickChange { asset, .. }
            | MarketEvent::BestBidAsk { asset, .. } => asset.market(),
            MarketEvent::Resolved { market, .. } => *market,
        }
    }
}

/// What one frame held: events in the frame's order, and the levels that its snapshots point into. Reused from frame to
/// frame, so that decoding allocates nothing once warm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MarketBatch {
    /// The events, in the frame's order.
    pub events: Vec<MarketEvent>,
    /// The levels of the snapshots.
    pub levels: Vec<BookLevel>,
}

impl MarketBatch {
    /// Forgets the last frame and keeps the memory.
    pub fn clear(&mut self) {
        self.events.clear();
        self.levels.clear();
    }

    /// The bids of a snapshot of this batch, in the venue's order.
    #[must_use]
    pub fn bids(&self, header: &SnapshotHeader) -> &[BookLevel] {
        let first = header.first_level as usize;
        self.levels.get(first..first + header.bids as usize).unwrap_or_default()
    }

    /// The asks of a snapshot of this batch, in the venue's order.
    #[must_use]
    pub fn asks(&self, header: &SnapshotHeader) -> &[BookLevel] {
        let first = header.first_level as usize + header.bids as usize;
        self.levels.get(first..first + header.asks as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_venues_texts_are_reproduced() {
        for (text, micros, decimals) in [
            ("100", 100_000_000, 0),
            ("1485.64", 1_485_640_000, 2),
            ("12.50", 12_500_000, 2),
            ("0.000001", 1, 6),
            ("7.00000000", 7_000_000, 8),
        ] {
            let size = SizeText { shares: Shares::from_micros(micros), decimals };
            let level = BookLevel { price: Price::ZERO, price_decimals: 2, size };
            let mut out = String::new();
            level.write_size(&mut out).expect("a String takes any text");
            assert_eq!(out, text);
        }
        let level = BookLevel {
            price: Price::from_units(1_300).expect("in range"),
            price_decimals: 3,
            size: SizeText::default(),
        };
        let mut out = String::new();
        level.write_price(&mut out).expect("a String takes any text");
        assert_eq!(out, "0.130");
    }
}
