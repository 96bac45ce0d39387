//! The faults of the five original programs that a single decision shows (systems.md, marked W): each test is named after one, and shows
//! that ours does not have it. `docs/reference/originals.md` lists them all, with those that show elsewhere.

mod stated_market;

use oddsmith_strategy::StrategyConfig;
use serde_json::{Value, json};
use stated_market::{NOW_S, market, number, quotes, reasons, wanted};

fn sizes_times_prices(quotes: &Value, side: &str) -> f64 {
    let of_side = quotes.as_array().into_iter().flatten().filter(|quote| quote["side"] == side);
    of_side.map(|quote| number(&quote["price"]) * number(&quote["size"])).sum()
}

// Document 000: AMM and bands.

#[test]
fn w_the_markets_tick_and_smallest_order_rule() {
    let state = |min_size: &str| {
        market("0.494", "0.505", json!({"tick": "0.001", "min_size": min_size, "position": {"yes": "100", "no": "0"}}))
    };
    for strategy in ["amm", "bands"] {
        let result = wanted(strategy, json!({}), state("5"));
        assert!(quotes(&result).iter().any(|quote| !quote.ends_with("0 @0.5")), "{result:#}");
        let fine = |quote: &Value| quote["price"].as_str().is_some_and(|price| price.len() == "0.001".len());
        assert!(result["markets"][0]["quotes"].as_array().is_some_and(|all| all.iter().any(fine)), "{result:#}");
        let large = wanted(strategy, json!({}), state("25"));
        assert!(large["markets"][0]["quotes"].as_array().into_iter().flatten().all(|q| number(&q["size"]) >= 25.0));
    }
}

#[test]
fn w_without_a_price_none_is_made_up() {
    let mut state = market("0.49", "0.51", json!({"position": {"yes": "500", "no": "500"}}));
    for book in [Value::Null, json!({"bids": [], "asks": [["0.51", "100"]]}), json!({"bids": [], "asks": []})] {
        state["markets"][0]["book"] = book;
        for strategy in ["amm", "bands", "skewed_maker"] {
            let result = wanted(strategy, json!({}), state.clone());
            assert_eq!(result["markets"][0]["mode"], "STOP", "{strategy}");
            assert!(
                quotes(&result).is_empty() && ["stale_book", "no_book"].contains(&reasons(&result)[0]),
                "{strategy}"
            );
        }
    }
}

#[test]
fn w_an_account_that_is_small_quotes_small() {
    let mut state = market("0.49", "0.51", json!({}));
    state["collateral"] = "60".into();
    // Twenty levels of three dollars each: at fifteen shares none is large enough.
    assert_eq!(reasons(&wanted("amm", json!({}), state.clone())), ["below_min_size"]);
    let result = wanted("amm", json!({"min_size": 0}), state);
    assert!(!quotes(&result).is_empty() && reasons(&result) == ["quoting"], "{result:#}");
}

#[test]
fn w_dollars_in_open_bids_are_counted_once() {
    let bid = |id: &str, price: &str| json!({"id": id, "outcome": "YES", "side": "BUY", "price": price, "size": "100"});
    let open = json!([bid("a", "0.48"), bid("b", "0.3")]);
    let mut state = market("0.49", "0.51", json!({"open_orders": open}));
    state["collateral"] = "120".into();
    // What stays and what is added never cost more than there is, those of bids that go included.
    for strategy in ["amm", "bands"] {
        let result = wanted(strategy, json!({"min_size": 0}), state.clone());
        let kept = result["markets"][0]["keep"].as_array().map_or(0, Vec::len);
        let kept = if kept > 0 { 48.0 } else { 0.0 };
        let spent = kept + sizes_times_prices(&result["markets"][0]["quotes"], "BUY");
        assert!(spent > 30.0 && spent <= 120.0, "{strategy}: {spent} {result:#}");
    }
}

#[test]
fn w_a_bands_distance_is_measured_where_the_order_counts() {
    // Far from the middle: 0.2. Sells of NO at 0.81 and 0.83 are bids for YES at 0.19 and 0.17; the first is nearest.
    let parameters = json!({"bands": [{"minMargin": 0.0, "avgMargin": 0.02, "maxMargin": 0.05, "minAmount": 5,
                                       "avgAmount": 20, "maxAmount": 30}]});
    let order = |id: &str, side: &str, outcome: &str, price: &str| json!({"id": id, "outcome": outcome, "side": side, "price": price, "size": "20"});
    let open = json!([order("near", "SELL", "NO", "0.81"), order("far", "BUY", "YES", "0.16")]);
    let state = market("0.19", "0.21", json!({"open_orders": open, "position": {"yes": "0", "no": "20"}}));
    let result = wanted("bands", parameters, state);
    assert_eq!(result["markets"][0]["keep"], json!(["far"]), "{result:#}");
}

#[test]
fn w_a_bad_band_is_refused_by_name_and_never_an_empty_list() {
    let band = |min: f64, avg: f64, max: f64| json!({"minMargin": min, "avgMargin": avg, "maxMargin": max, "minAmount": 10, "avgAmount": 20, "maxAmount": 30});
    for (bands, name) in [
        (json!([band(0.02, 0.01, 0.03)]), "avgMargin"),
        (json!([band(0.01, 0.01, 0.03), band(0.02, 0.03, 0.04)]), "bands"),
        (json!([]), "bands"),
    ] {
        let config: StrategyConfig = serde_json::from_value(json!({"bands": {"bands": bands}})).expect("parameters");
        let error = config.build().err().expect("refused").to_string();
        assert!(error.contains(name), "{error}");
    }
}

// Document 001: the skewed maker, and arbitrage over many outcomes.

#[test]
fn w_the_inventory_limit_stops_the_side_that_grows_it() {
    let held = |yes: &str, no: &str| market("0.49", "0.51", json!({"position": {"yes": yes, "no": no}}));
    let parameters = json!({"max_net_shares": "20"});
    let result = wanted("skewed_maker", parameters.clone(), held("20", "0"));
    assert!(quotes(&result).iter().all(|quote| quote.starts_with("SELL")) && quotes(&result).len() == 1, "{result:#}");
    let result = wanted("skewed_maker", parameters, held("0", "25"));
    assert!(quotes(&result).iter().all(|quote| quote.starts_with("BUY")) && quotes(&result).len() == 1, "{result:#}");
}

#[test]
fn w_the_default_risk_does_not_saturate_and_the_grid_is_the_markets() {
    let result =
        wanted("skewed_maker", json!({}), market("0.49", "0.51", json!({"position": {"yes": "10", "no": "0"}})));
    // Ten shares at 0.05 each would have put the bid at 0.001.
    let prices: Vec<f64> =
        result["markets"][0]["quotes"].as_array().into_iter().flatten().map(|q| number(&q["price"])).collect();
    assert_eq!(prices, [0.47, 0.52], "{result:#}");
}

#[test]
fn w_nothing_is_sold_that_is_not_held() {
    for (yes, sold) in [("0", 0.0), ("7", 7.0)] {
        let state = market("0.49", "0.51", json!({"position": {"yes": yes, "no": "0"}}));
        let result = wanted("skewed_maker", json!({}), state);
        let plan = &result["markets"][0]["plan"];
        let all = plan["place"].as_array().into_iter().flatten();
        let sells: f64 = all.clone().filter(|o| o["side"] == "SELL").map(|o| number(&o["size"])).sum();
        assert!((sells - sold).abs() < 1e-9, "{plan:#}");
        assert!(all.clone().all(|order| number(&order["size"]) >= 5.0), "{plan:#}");
        assert!(all.clone().any(|order| order["outcome"] == "NO" && order["side"] == "BUY"), "{plan:#}");
    }
}

/// An event of three outcomes: best bid and ask of each.
fn event(prices: [(&str, &str); 3], size: [&str; 3]) -> Value {
    let markets: Vec<Value> = prices
        .iter()
        .zip(size)
        .map(|((bid, ask), size)| {
            json!({"slug": ask, "tick": "0.01", "min_size": "5", "neg_risk": true, "fee": {"rate": "0.04"},
                   "book": {"bids": [[bid, size]], "asks": [[ask, size]]}})
        })
        .collect();
    json!({"time_ms": NOW_S * 1_000, "collateral": "1000", "markets": markets})
}

#[test]
fn w_all_no_costs_its_own_asks_and_pays_one_less_than_there_are() {
    // A fair set: YES comes to 0.99, and the original would have called the cost 0.01. NO comes to 2.01, for a payout of 2.
    let fair = event([("0.33", "0.33"), ("0.32", "0.33"), ("0.32", "0.33")].map(|(_, ask)| ("0.32", ask)), ["100"; 3]);
    let result = wanted("multi", json!({"outcomes": 3, "margin": 0.02}), fair);
    assert_eq!((reasons(&result), &result["basket"]), (vec!["no_edge"], &Value::Null));
    // NO for 0.62 + 0.71 + 0.64 = 1.97, fees of 0.02688: the worked example leaves 0.0031.
    let state = event([("0.38", "0.4"), ("0.29", "0.31"), ("0.36", "0.38")], ["100"; 3]);
    let result = wanted("multi", json!({"margin": 0.003}), state.clone());
    let legs = result["basket"]["legs"].as_array().expect("a basket");
    assert!(legs.len() == 3 && legs.iter().all(|leg| leg["outcome"] == "NO" && leg["size"] == legs[0]["size"]));
    // The margin is dollars per share on both sides of the comparison.
    assert_eq!(reasons(&wanted("multi", json!({"margin": 0.0032}), state)), ["no_edge"]);
}

#[test]
fn w_a_baskets_size_is_its_budget_over_what_a_set_costs() {
    let state = event([("0.33", "0.36"), ("0.25", "0.27"), ("0.31", "0.34")], ["1000"; 3]);
    let result = wanted("multi", json!({"outcomes": 3, "max_basket_usdc": "20"}), state);
    let leg = &result["basket"]["legs"][0];
    // 0.97 and 0.0261 of fees: twenty dollars buy twenty sets, and not one more.
    assert!((number(&leg["size"]) - 20.0 / 0.9961).abs() < 0.02, "{leg}");
}

#[test]
fn w_the_thinnest_leg_is_the_first() {
    let state = event([("0.33", "0.36"), ("0.25", "0.27"), ("0.31", "0.34")], ["90", "60", "75"]);
    let result = wanted("multi", json!({"outcomes": 3}), state);
    let order: Vec<u64> =
        result["basket"]["legs"].as_array().into_iter().flatten().filter_map(|leg| leg["market"].as_u64()).collect();
    assert_eq!(order, [1, 2, 0]);
}

// Document 002: the temporal trade.

fn truth(probability: f64, confidence: f64) -> Value {
    json!({"truth": {"probability": probability, "confidence": confidence, "event_age_ms": 300, "rules": "The winner of the match."},
           "fee": {"rate": "0"}})
}

#[test]
fn w_a_live_match_can_be_traded_by_its_score() {
    // One map ahead, told by a good source: nothing has ended, and the edge counts.
    let result = wanted("temporal", json!({"enabled": true}), market("0.58", "0.6", truth(0.7, 0.95)));
    assert_eq!(result["basket"]["legs"][0]["outcome"], "YES", "{result:#}");
}

#[test]
fn w_a_stake_is_a_share_of_the_bankroll_and_reaches_its_minimum() {
    let result = wanted("temporal", json!({"enabled": true}), market("0.73", "0.75", truth(0.9, 0.95)));
    // (0.9 - 0.75) / (1 - 0.75) = 0.6 of 200 dollars, a quarter of it: 30 dollars.
    assert_eq!(result["markets"][0]["figures"]["kelly"], "0.600000");
    assert_eq!(result["basket"]["legs"][0]["size"], "40");
}

// Document 003: the maker that follows a reference price.

fn reference(left_s: u64, more: Value) -> Value {
    let end_s = NOW_S + left_s;
    let mut reference = json!({"price": "100000", "sigma": 0.005 / 60.0, "start_s": end_s - 3_600, "end_s": end_s,
                               "average_s": 0, "strike": "100000"});
    for (key, value) in more.as_object().expect("an object") {
        reference[key] = value.clone();
    }
    json!({"reference": reference, "end_s": end_s, "tick": "0.001"})
}

#[test]
fn w_the_hourly_volatility_of_the_vectors_is_one_unit() {
    for (price, left_s, chance) in [("100100", 1_800, 0.611_297), ("99900", 900, 0.344_505)] {
        let state = market("0.3", "0.7", reference(left_s, json!({"price": price})));
        let result = wanted("reference_maker", json!({"model_weight": 1.0}), state);
        assert!((number(&result["markets"][0]["figures"]["model"]) - chance).abs() < 2e-6, "{result:#}");
    }
}

#[test]
fn w_a_shock_is_counted_in_deviations() {
    // Two hundredths of a deviation are nothing; the original widened for ever.
    let calm = wanted("reference_maker", json!({}), market("0.49", "0.51", reference(1_800, json!({"shock": 0.02}))));
    assert_eq!(reasons(&calm), ["quoting"]);
    let shock = wanted("reference_maker", json!({}), market("0.49", "0.51", reference(1_800, json!({"shock": 5.0}))));
    assert_eq!(reasons(&shock), ["shock"]);
}

#[test]
fn w_long_lowers_both_quotes() {
    let prices = |yes: &str| {
        let mut state = market("0.45", "0.55", reference(1_800, json!({})));
        state["markets"][0]["position"] = json!({"yes": yes, "no": "0"});
        let result = wanted("reference_maker", json!({}), state);
        let quotes = result["markets"][0]["quotes"].as_array().expect("quotes").clone();
        quotes.iter().map(|quote| number(&quote["price"])).collect::<Vec<_>>()
    };
    let (flat, long) = (prices("0"), prices("200"));
    assert!(long[0] < flat[0] && long[1] < flat[1], "{flat:?} {long:?}");
}

#[test]
fn w_an_old_reference_price_stops_the_quotes() {
    let state = market("0.49", "0.51", reference(1_800, json!({"age_ms": 501})));
    assert_eq!(reasons(&wanted("reference_maker", json!({}), state)), ["reference_stale"]);
}

#[test]
fn w_prices_below_a_cent_are_prices() {
    let mut state = market("0.001", "0.003", json!({"tick": "0.001", "position": {"yes": "1000", "no": "0"}}));
    state["markets"][0]["end_s"] = Value::Null;
    let parameters = json!({"min_mid": 0.0, "target_spread": 0.001, "risk_per_share": 0.0, "inventory_widening": 0.0, "max_net_shares": "5000"});
    let result = wanted("skewed_maker", parameters, state);
    assert!(quotes(&result).iter().any(|quote| quote.ends_with("@0.001")), "{result:#}");
    assert!(quotes(&result).iter().any(|quote| quote.ends_with("@0.003")), "{result:#}");
}

// Document 004: the book that leans.

/// A book that leans to a side, around 0.5, in terms of either token.
fn leaning(outcome: &str, bids: &str, asks: &str) -> Value {
    json!({"min_size": "1", "book": {"outcome": outcome, "bids": [["0.49", bids]], "asks": [["0.5", asks]]}})
}

#[test]
fn w_the_time_that_is_left_is_that_of_the_moment() {
    let mut state = market("0.49", "0.5", leaning("YES", "900", "100"));
    for (left_s, reason) in [(300, "taking"), (299, "near_expiry")] {
        state["markets"][0]["end_s"] = (NOW_S + left_s).into();
        assert_eq!(reasons(&wanted("imbalance", json!({}), state.clone())), [reason]);
    }
}

#[test]
fn w_the_token_that_is_bought_is_the_one_that_is_looked_at() {
    // The book that is stated is that of either token; what is bought has its own ask as its limit, and never a price below it.
    for (outcome, bids, asks, bought, limit) in [
        ("YES", "900", "100", "YES", "0.5"),
        ("YES", "100", "900", "NO", "0.51"),
        ("NO", "900", "100", "NO", "0.5"),
        ("NO", "100", "900", "YES", "0.51"),
    ] {
        let result = wanted("imbalance", json!({}), market("0.49", "0.5", leaning(outcome, bids, asks)));
        let leg = &result["basket"]["legs"][0];
        assert_eq!((leg["outcome"].as_str(), leg["limit"].as_str()), (Some(bought), Some(limit)), "{result:#}");
    }
}

#[test]
fn w_a_position_in_either_token_holds_the_market() {
    for position in [json!({"yes": "3", "no": "0"}), json!({"yes": "0", "no": "3"})] {
        let mut more = leaning("YES", "900", "100");
        more["position"] = position;
        assert_eq!(reasons(&wanted("imbalance", json!({}), market("0.49", "0.5", more))), ["already_held"]);
    }
}

#[test]
fn w_an_unknown_fee_does_not_pass() {
    let mut state = market("0.49", "0.5", leaning("YES", "900", "100"));
    state["markets"][0].as_object_mut().expect("an object").remove("fee");
    assert_eq!(reasons(&wanted("imbalance", json!({}), state)), ["fee_unknown"]);
}
