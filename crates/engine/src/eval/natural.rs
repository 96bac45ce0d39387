//! The forms in which people state a situation, brought into the one that is read.
//!
//! A decimal may be a string or a JSON number (read to its ninth decimal), a level a pair or an object with `price` and `size`, an outcome or a
//! side in letters of any case.

use serde_json::Value;

/// The keys under which numbers are exact decimals; under all others they stay what they are.
const DECIMALS: [&str; 17] = [
    "collateral",
    "tick",
    "min_size",
    "rate",
    "price",
    "size",
    "bids",
    "asks",
    "yes",
    "no",
    "cost",
    "strike",
    "strike_mean",
    "final_mean",
    "shrink_tolerance",
    "top_up_threshold",
    "safety_buffer",
];

/// Rewrites a stated situation.
pub(super) fn natural(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(natural),
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match key.as_str() {
                    "bids" | "asks" => levels(value),
                    "outcome" | "side" => upper(value),
                    "cost" => pair(value),
                    _ => {}
                }
                if DECIMALS.contains(&key.as_str()) {
                    decimals(value);
                }
                natural(value);
            }
        }
        _ => {}
    }
}

/// Numbers become their own text.
fn decimals(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::String(plain(&number.to_string())),
        Value::Array(all) => all.iter_mut().for_each(decimals),
        _ => {}
    }
}

/// A double without an exponent and without the noise of binary arithmetic behind the ninth decimal; a whole number as it is.
fn plain(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(value) if text.contains(['.', 'e', 'E']) => {
            let text = format!("{value:.9}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => text.to_owned(),
    }
}

fn upper(value: &mut Value) {
    if let Value::String(text) = value {
        text.make_ascii_uppercase();
    }
}

/// `{"price": P, "size": S}` becomes `[P, S]`.
fn levels(value: &mut Value) {
    for level in value.as_array_mut().into_iter().flatten() {
        in_order(level, ["price", "size"]);
    }
}

/// `{"yes": Y, "no": N}` becomes `[Y, N]`.
fn pair(value: &mut Value) {
    in_order(value, ["yes", "no"]);
}

/// An object of exactly these keys becomes the list of their values.
fn in_order(value: &mut Value, keys: [&str; 2]) {
    let Value::Object(map) = value else { return };
    if map.len() == 2 && keys.iter().all(|key| map.contains_key(*key)) {
        *value = Value::Array(keys.iter().filter_map(|key| map.remove(*key)).collect());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_becomes_one() {
        let mut stated = json!({
            "time_ms": 5, "collateral": 1000.5,
            "markets": [{
                "tick": 0.0001, "min_size": 5,
                "book": { "outcome": "yes", "bids": [[0.49, 100], [0.5800000000000001, 7.0], { "size": 1e-6, "price": "0.5" }], "asks": [] },
                "position": { "yes": 1, "no": "2", "cost": { "yes": 0.5, "no": 1 } },
                "fills": [{ "age_ms": 7, "side": "Buy", "size": 1, "price": 0.5 }],
                "reference": { "price": 84600, "sigma": 8e-5, "start_s": 1, "end_s": 2, "average_s": 60 }
            }]
        });
        natural(&mut stated);
        let wanted = json!({
            "time_ms": 5, "collateral": "1000.5",
            "markets": [{
                "tick": "0.0001", "min_size": "5",
                "book": { "outcome": "YES", "bids": [["0.49", "100"], ["0.58", "7"], ["0.5", "0.000001"]], "asks": [] },
                "position": { "yes": "1", "no": "2", "cost": ["0.5", "1"] },
                "fills": [{ "age_ms": 7, "side": "BUY", "size": "1", "price": "0.5" }],
                "reference": { "price": "84600", "sigma": 8e-5, "start_s": 1, "end_s": 2, "average_s": 60 }
            }]
        });
        assert_eq!(stated, wanted);
    }
}
