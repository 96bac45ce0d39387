//! The one line of JSON that tells a program where everything is.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::signature::CHAIN;
use crate::core::{Core, KNOWN_ADDRESSES, Market};

/// The mnemonic of the accounts that hold money: public knowledge, never for real funds.
const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// A market, as far as a program needs it to begin.
pub(super) fn market(market: &Market) -> Value {
    json!({
        "slug": market.spec.slug,
        "question": market.spec.question,
        "condition": market.condition.as_str(),
        "tokens": market.token_texts,
        "outcomes": market.spec.outcomes,
        "tick": market.tick.as_str(),
        "min_size": market.spec.min_size.to_string(),
        "kind": market.spec.kind,
        "neg_risk": market.neg_risk(),
    })
}

/// The whole line.
pub(super) fn line(addr: SocketAddr, core: &Core) -> String {
    json!({
        "ready": true,
        "urls": {
            "clob": format!("http://{addr}"),
            "gamma": format!("http://{addr}/gamma/"),
            "data": format!("http://{addr}/data-api/"),
            "ws": format!("ws://{addr}"),
            "ws_market": format!("ws://{addr}/ws/market"),
            "ws_user": format!("ws://{addr}/ws/user"),
            "binance": format!("ws://{addr}/binance/stream"),
            "truth": format!("ws://{addr}/truth"),
            "control": format!("http://{addr}/control"),
        },
        "chain_id": CHAIN,
        "mnemonic": MNEMONIC,
        "accounts": KNOWN_ADDRESSES,
        "markets": core.markets().iter().map(market).collect::<Vec<_>>(),
    })
    .to_string()
}
