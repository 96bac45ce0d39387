//! Stated situations of one market, and what is wanted in them.
#![allow(dead_code, reason = "every test binary uses a part of it")]

use oddsmith_engine::eval::{State, evaluate};
use oddsmith_strategy::StrategyConfig;
use serde_json::{Value, json};

pub const NOW_S: u64 = 1_800_000_000;

/// What a strategy wants in a state.
#[track_caller]
pub fn wanted(strategy: &str, parameters: Value, state: Value) -> Value {
    let config: StrategyConfig = serde_json::from_value(json!({ strategy: parameters })).expect("parameters");
    let state = State::from_value(state).expect("a state");
    serde_json::to_value(evaluate(&config, &state).expect("an evaluation")).expect("JSON")
}

/// A state of one market: its best bid and ask with a hundred shares each, and what else it has.
pub fn market(bid: &str, ask: &str, more: Value) -> Value {
    let mut market = json!({
        "slug": "m", "tick": "0.01", "min_size": "5", "fee": {"rate": "0.07"}, "end_s": NOW_S + 3_600,
        "book": {"bids": [[bid, "100"]], "asks": [[ask, "100"]]}
    });
    for (key, value) in more.as_object().expect("an object") {
        market[key] = value.clone();
    }
    json!({"time_ms": NOW_S * 1_000, "collateral": "1000", "markets": [market]})
}

pub fn reasons(result: &Value) -> Vec<&str> {
    result["markets"][0]["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `BUY YES 20 @0.48`, for what shall rest besides what does.
pub fn quotes(result: &Value) -> Vec<String> {
    let text = |quote: &Value, key: &str| quote[key].as_str().unwrap_or_default().to_owned();
    let told =
        |q: &Value| format!("{} {} {} @{}", text(q, "side"), text(q, "outcome"), text(q, "size"), text(q, "price"));
    result["markets"][0]["quotes"].as_array().into_iter().flatten().map(told).collect()
}

pub fn number(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}
