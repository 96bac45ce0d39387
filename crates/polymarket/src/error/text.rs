//! The venue's error texts as codes (protocol sections 7.2 and 7.3).

use oddsmith_domain::{RefusalCode, VenueMode};

/// Parts of texts, in lower case, and what they mean. The first that occurs decides, so the narrower stand first.
const TEXTS: &[(&str, RefusalCode)] = &[
    ("post-only mode", RefusalCode::PostOnlyMode),
    ("post_only_mode", RefusalCode::PostOnlyMode),
    ("trading is currently cancel-only", RefusalCode::CancelOnlyMode),
    ("trading is currently disabled", RefusalCode::TradingDisabled),
    ("order_version_mismatch", RefusalCode::VersionMismatch),
    ("invalid post-only order", RefusalCode::PostOnlyWouldCross),
    ("crosses the book", RefusalCode::PostOnlyWouldCross),
    ("crosses book", RefusalCode::PostOnlyWouldCross),
    ("not enough balance", RefusalCode::InsufficientBalance),
    ("allowance is not enough", RefusalCode::InsufficientBalance),
    ("insufficient balance", RefusalCode::InsufficientBalance),
    ("insufficient_balance", RefusalCode::InsufficientBalance),
    ("breaks minimum tick size", RefusalCode::InvalidPrice),
    ("lower than the minimum", RefusalCode::MinSize),
    ("duplicated", RefusalCode::Duplicate),
    ("invalid expiration", RefusalCode::InvalidExpiration),
    ("fok orders are", RefusalCode::FokNotFilled),
    ("fak orders are", RefusalCode::FakNotFilled),
    ("there are no matching orders", RefusalCode::FakNotFilled),
    ("not yet ready to process new orders", RefusalCode::MarketNotReady),
    ("market not found", RefusalCode::MarketNotReady),
    ("no orderbook exists", RefusalCode::MarketNotReady),
    ("of the api key", RefusalCode::Unauthorized),
    ("unauthorized", RefusalCode::Unauthorized),
    ("invalid api key", RefusalCode::Unauthorized),
    ("invalid l1 request headers", RefusalCode::Unauthorized),
    ("could not create api key", RefusalCode::Unauthorized),
    ("could not derive api key", RefusalCode::Unauthorized),
    ("address banned", RefusalCode::AccountRestricted),
    ("closed only mode", RefusalCode::AccountRestricted),
    ("maker address not allowed", RefusalCode::AccountRestricted),
    ("too many requests", RefusalCode::RateLimited),
    ("too many orders in payload", RefusalCode::InvalidPayload),
    ("payload exceeds the limit", RefusalCode::InvalidPayload),
    ("invalid order payload", RefusalCode::InvalidPayload),
    ("invalid order params payload", RefusalCode::InvalidPayload),
    ("invalid trade params payload", RefusalCode::InvalidPayload),
    ("invalid payload", RefusalCode::InvalidPayload),
    ("invalid orderid", RefusalCode::InvalidPayload),
    ("invalid nonce", RefusalCode::InvalidPayload),
    ("invalid token id", RefusalCode::InvalidPayload),
    ("invalid side", RefusalCode::InvalidPayload),
    ("invalid market", RefusalCode::InvalidPayload),
    ("invalid asset type", RefusalCode::InvalidPayload),
    ("invalid signature_type", RefusalCode::InvalidPayload),
];

/// Parts of texts, in lower case, after which an order may live.
const DOUBTFUL: &[&str] = &["duplicated", "delayed", "timed out", "could not insert", "context canceled"];

/// What a text of the venue means. `Other` for a text that is not known.
#[must_use]
pub fn text_code(text: &str) -> RefusalCode {
    let text = text.to_ascii_lowercase();
    TEXTS.iter().find(|(part, _)| text.contains(part)).map_or(RefusalCode::Other, |(_, code)| *code)
}

/// What a status and a text mean together: some statuses speak for themselves, others only where the text does not.
#[must_use]
pub fn refusal_code(status: u16, text: &str) -> RefusalCode {
    match (status, text_code(text)) {
        (425, _) => RefusalCode::EngineRestarting,
        (429, _) => RefusalCode::RateLimited,
        (401, RefusalCode::Other) => RefusalCode::Unauthorized,
        (403, RefusalCode::Other) => RefusalCode::AccountRestricted,
        (413, RefusalCode::Other) => RefusalCode::InvalidPayload,
        (_, code) => code,
    }
}

/// Whether a text leaves open that the order lives.
#[must_use]
pub fn is_doubtful(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    DOUBTFUL.iter().any(|part| text.contains(part))
}

/// The mode that a status and a text tell of.
#[must_use]
pub fn venue_mode(status: u16, text: &str) -> Option<VenueMode> {
    match refusal_code(status, text) {
        RefusalCode::EngineRestarting => Some(VenueMode::Restarting),
        RefusalCode::TradingDisabled => Some(VenueMode::Disabled),
        RefusalCode::CancelOnlyMode => Some(VenueMode::CancelOnly),
        RefusalCode::PostOnlyMode => Some(VenueMode::PostOnly),
        _ => None,
    }
}
