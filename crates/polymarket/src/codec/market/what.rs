//! The events of the market channel and the fields that they are known to have.

use super::fields::Key;

/// What an element is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Book,
    PriceChange,
    LastTrade,
    TickSize,
    BestBidAsk,
    NewMarket,
    Resolved,
}

impl What {
    pub(super) fn named(text: &[u8]) -> Option<What> {
        Some(match text {
            b"book" => What::Book,
            b"price_change" => What::PriceChange,
            b"last_trade_price" => What::LastTrade,
            b"tick_size_change" => What::TickSize,
            b"best_bid_ask" => What::BestBidAsk,
            b"new_market" => What::NewMarket,
            b"market_resolved" => What::Resolved,
            _ => return None,
        })
    }

    /// REST books have no `event_type`, and some captured frames lost theirs: their fields still say what they are.
    pub(super) fn shaped(seen: u64) -> Option<What> {
        let has = |keys: &[Key]| seen & Key::bits(keys) == Key::bits(keys);
        if has(&[Key::Bids]) || has(&[Key::Asks]) {
            Some(What::Book)
        } else if has(&[Key::PriceChanges]) {
            Some(What::PriceChange)
        } else if has(&[Key::NewTickSize]) {
            Some(What::TickSize)
        } else if has(&[Key::Price, Key::FeeRateBps]) {
            Some(What::LastTrade)
        } else {
            None
        }
    }

    /// The fields that such an element is known to have.
    pub(super) const fn known(self) -> u64 {
        const COMMON: u64 = Key::bits(&[Key::EventType, Key::Market, Key::Timestamp]);
        COMMON
            | match self {
                What::Book => Key::bits(&[
                    Key::AssetId,
                    Key::Hash,
                    Key::Bids,
                    Key::Asks,
                    Key::TickSize,
                    Key::MinOrderSize,
                    Key::NegRisk,
                    Key::LastTradePrice,
                    Key::Version,
                ]),
                What::PriceChange => Key::PriceChanges.bit() | CHANGE,
                What::LastTrade => {
                    Key::bits(&[Key::AssetId, Key::Price, Key::Size, Key::Side, Key::FeeRateBps, Key::TransactionHash])
                }
                What::TickSize => Key::bits(&[Key::AssetId, Key::OldTickSize, Key::NewTickSize]),
                What::BestBidAsk => Key::bits(&[Key::AssetId, Key::BestBid, Key::BestAsk, Key::Spread]),
                What::NewMarket | What::Resolved => {
                    Key::bits(&[Key::WinningAssetId, Key::WinningOutcome]) | ANNOUNCEMENT
                }
            }
    }
}

/// The fields of an entry of `price_changes` (and of a change of the first protocol, which stood alone).
pub(super) const CHANGE: u64 =
    Key::bits(&[Key::AssetId, Key::Price, Key::Size, Key::Side, Key::Hash, Key::BestBid, Key::BestAsk]);

/// The fields that describe a market.
const ANNOUNCEMENT: u64 = Key::bits(&[
    Key::Id,
    Key::Question,
    Key::Slug,
    Key::Description,
    Key::AssetsIds,
    Key::Outcomes,
    Key::EventMessage,
    Key::Tags,
    Key::ConditionId,
    Key::Active,
    Key::ClobTokenIds,
    Key::SportsMarketType,
    Key::Line,
    Key::GameStartTime,
    Key::OrderPriceMinTickSize,
    Key::GroupItemTitle,
    Key::TakerBaseFee,
    Key::FeesEnabled,
    Key::FeeSchedule,
]);
