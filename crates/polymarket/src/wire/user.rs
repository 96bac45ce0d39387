//! Frames of the user channel, for whoever plays the venue (protocol section 8.2): compact JSON, keys always in the same order.

use oddsmith_domain::{OrderId, Price, Shares, Side, TradeId};
use serde::Serialize;

/// What an order frame says.
#[derive(Clone, Copy, Debug)]
pub struct OrderFrame<'a> {
    /// `PLACEMENT`, `UPDATE` or `CANCELLATION`.
    pub change: &'a str,
    /// The order.
    pub id: OrderId,
    /// The API key's UUID.
    pub owner: &'a str,
    /// The market's condition.
    pub market: &'a str,
    /// The token, in decimal digits.
    pub asset: &'a str,
    /// The token's outcome in words.
    pub outcome: &'a str,
    /// The side.
    pub side: Side,
    /// The limit price.
    pub price: Price,
    /// The size when it was placed.
    pub size: Shares,
    /// How much of it has been matched.
    pub matched: Shares,
    /// The matches it took part in.
    pub trades: &'a [TradeId],
    /// When it was placed, in seconds since the Unix epoch.
    pub created_s: u64,
    /// Its stated expiry; 0 for none.
    pub expiration_s: u64,
    /// `GTC`, `GTD`, `FOK` or `FAK`.
    pub order_type: &'a str,
    /// The account that pays.
    pub maker: &'a str,
    /// How it stands, in the venue's word.
    pub status: &'a str,
    /// When this happened, in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
}

/// What a trade frame says.
#[derive(Clone, Copy, Debug)]
pub struct TradeFrame<'a> {
    /// The match.
    pub id: &'a str,
    /// The taker's order.
    pub taker_order: OrderId,
    /// The market's condition.
    pub market: &'a str,
    /// The taker's token.
    pub asset: &'a str,
    /// Its outcome in words.
    pub outcome: &'a str,
    /// The taker's side.
    pub side: Side,
    /// The taker's size.
    pub size: Shares,
    /// The taker's average price.
    pub price: Price,
    /// How far the settlement has come, in the venue's word.
    pub status: &'a str,
    /// The UUID of the API key that receives the frame.
    pub owner: &'a str,
    /// The account that pays for the taker's order.
    pub maker: &'a str,
    /// Whether the receiver took.
    pub as_taker: bool,
    /// The resting orders.
    pub legs: &'a [LegFrame<'a>],
    /// The transaction; empty until it is in a block.
    pub transaction: &'a str,
    /// When it was matched, in milliseconds since the Unix epoch.
    pub matched_ms: u64,
    /// When this happened, in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
}

/// A resting order's part in a match.
#[derive(Clone, Copy, Debug)]
pub struct LegFrame<'a> {
    /// The order.
    pub order: OrderId,
    /// Its API key's UUID.
    pub owner: &'a str,
    /// The account that pays for it.
    pub maker: &'a str,
    /// Its token.
    pub asset: &'a str,
    /// The token's outcome in words.
    pub outcome: &'a str,
    /// 0 for the first outcome, 1 for the second.
    pub outcome_index: usize,
    /// Its side.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// How much of it was matched.
    pub size: Shares,
}

#[derive(Serialize)]
struct OrderJson<'a> {
    event_type: &'a str,
    #[serde(rename = "type")]
    change: &'a str,
    id: String,
    owner: &'a str,
    order_owner: &'a str,
    market: &'a str,
    asset_id: &'a str,
    side: &'a str,
    price: String,
    outcome: &'a str,
    original_size: String,
    size_matched: String,
    associate_trades: Vec<&'a str>,
    created_at: String,
    expiration: String,
    order_type: &'a str,
    maker_address: &'a str,
    status: &'a str,
    timestamp: String,
}

#[derive(Serialize)]
struct TradeJson<'a> {
    event_type: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    taker_order_id: String,
    market: &'a str,
    asset_id: &'a str,
    side: &'a str,
    size: String,
    price: String,
    fee_rate_bps: &'a str,
    status: &'a str,
    outcome: &'a str,
    bucket_index: u32,
    owner: &'a str,
    trade_owner: &'a str,
    maker_address: &'a str,
    trader_side: &'a str,
    maker_orders: Vec<LegJson<'a>>,
    transaction_hash: &'a str,
    match_time: String,
    last_update: String,
    timestamp: String,
}

#[derive(Serialize)]
struct LegJson<'a> {
    order_id: String,
    owner: &'a str,
    maker_address: &'a str,
    matched_amount: String,
    price: String,
    fee_rate_bps: &'a str,
    asset_id: &'a str,
    side: &'a str,
    outcome: &'a str,
    outcome_index: usize,
}

impl OrderFrame<'_> {
    /// The frame.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(&OrderJson {
            event_type: "order",
            change: self.change,
            id: self.id.to_string(),
            owner: self.owner,
            order_owner: self.owner,
            market: self.market,
            asset_id: self.asset,
            side: self.side.as_str(),
            price: self.price.to_string(),
            outcome: self.outcome,
            original_size: self.size.to_string(),
            size_matched: self.matched.to_string(),
            associate_trades: self.trades.iter().map(TradeId::as_str).collect(),
            created_at: self.created_s.to_string(),
            expiration: self.expiration_s.to_string(),
            order_type: self.order_type,
            maker_address: self.maker,
            status: self.status,
            timestamp: self.timestamp_ms.to_string(),
        })
    }
}

impl TradeFrame<'_> {
    /// The frame.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(&TradeJson {
            event_type: "trade",
            kind: "TRADE",
            id: self.id,
            taker_order_id: self.taker_order.to_string(),
            market: self.market,
            asset_id: self.asset,
            side: self.side.as_str(),
            size: self.size.to_string(),
            price: self.price.to_string(),
            fee_rate_bps: "0",
            status: self.status,
            outcome: self.outcome,
            bucket_index: 0,
            owner: self.owner,
            trade_owner: self.owner,
            maker_address: self.maker,
            trader_side: if self.as_taker { "TAKER" } else { "MAKER" },
            maker_orders: self.legs.iter().map(LegFrame::json).collect(),
            transaction_hash: self.transaction,
            match_time: (self.matched_ms / 1_000).to_string(),
            last_update: (self.timestamp_ms / 1_000).to_string(),
            timestamp: self.timestamp_ms.to_string(),
        })
    }
}

impl<'a> LegFrame<'a> {
    fn json(&self) -> LegJson<'a> {
        LegJson {
            order_id: self.order.to_string(),
            owner: self.owner,
            maker_address: self.maker,
            matched_amount: self.size.to_string(),
            price: self.price.to_string(),
            fee_rate_bps: "0",
            asset_id: self.asset,
            side: self.side.as_str(),
            outcome: self.outcome,
            outcome_index: self.outcome_index,
        }
    }
}

fn json(frame: &impl Serialize) -> String {
    // Texts, numbers and lists of them: nothing that JSON cannot say.
    serde_json::to_string(frame).unwrap_or_default()
}
