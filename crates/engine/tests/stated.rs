//! Worked numbers of the references, and rules that one stated situation shows, through the evaluation that `oddsmith eval` prints.

mod stated_market;

use serde_json::{Value, json};
use stated_market::{NOW_S, market, number, quotes, reasons, wanted};

fn figure(result: &Value, name: &str) -> f64 {
    number(&result["markets"][0]["figures"][name])
}

#[test]
fn quant_5_1_a_ladder_of_fifty_dollars_and_a_hundred_shares() {
    let mut state = market("0.49", "0.51", json!({"position": {"yes": "100", "no": "100"}}));
    state["collateral"] = "100".into();
    let quotes = quotes(&wanted("amm", json!({"min_size": 0}), state));
    for level in [
        "BUY YES 9.61 @0.49",
        "BUY YES 9.91 @0.48",
        "BUY YES 10.23 @0.47",
        "SELL YES 11.3 @0.51",
        "SELL YES 10.98 @0.52",
    ] {
        assert!(quotes.iter().any(|quote| quote == level), "{level} {quotes:?}");
    }
}

#[test]
fn quant_4_5_a_simple_skew() {
    let reference = json!({"price": "100", "sigma": 1e-4, "start_s": NOW_S - 600, "end_s": NOW_S + 3_000, "average_s": 0, "strike": "100"});
    let state = market("0.52", "0.54", json!({"reference": reference, "position": {"yes": "200", "no": "0"}}));
    let parameters = json!({"model_weight": 0.0, "half_min": 0.015, "reaction": 0.0, "skew": 0.8, "base_shares": "100", "max_shares": "500"});
    assert_eq!(quotes(&wanted("reference_maker", parameters, state)), ["BUY YES 60 @0.51", "SELL YES 140 @0.55"]);
}

#[test]
fn quant_3_4_how_fast_the_fair_value_moves_at_the_money() {
    // Half of the spread is one deviation over a second: the speed itself.
    for (tau, speed) in [(900, 0.0136), (300, 0.0247), (120, 0.0446), (60, 0.0892)] {
        let reference = json!({"price": "84600", "sigma": 8e-5, "start_s": NOW_S + tau - 901, "end_s": NOW_S + tau, "average_s": 60, "strike": "84600",
                               "final_mean": "84600"});
        let state = market("0.49", "0.51", json!({"reference": reference, "tick": "0.0001"}));
        let parameters = json!({"half_min": 0.0001, "half_max": 0.5, "reaction": 1.0, "react_s": 1.0, "near_s": 0, "stop_s": 0, "flatten_s": 0});
        let half = figure(&wanted("reference_maker", parameters, state), "half_spread");
        assert!((half - speed).abs() < 6e-5, "{tau} s: {half} is not {speed}");
    }
}

#[test]
fn quant_3_5_the_settling_feed_and_not_the_trading_one() {
    for (price, chance) in [("84568", 0.565), ("84600", 0.677)] {
        let reference = json!({"price": price, "sigma": 8e-5, "start_s": NOW_S - 600, "end_s": NOW_S + 300, "average_s": 60, "strike": "84550"});
        let state = market("0.3", "0.7", json!({"reference": reference, "tick": "0.001"}));
        let model = figure(&wanted("reference_maker", json!({}), state), "model");
        assert!((model - chance).abs() < 6e-4, "{price}: {model} is not {chance}");
    }
}

fn known(chance: f64) -> Value {
    json!({"probability": chance, "confidence": 1.0, "event_age_ms": 100, "rules": "The winner of the match."})
}

#[test]
fn quant_10_a_quarter_of_the_kelly_stake() {
    let state = market(
        "0.55",
        "0.57",
        json!({"truth": known(0.62), "book": {"bids": [["0.55", "900"]], "asks": [["0.57", "900"]]}}),
    );
    let parameters = json!({"enabled": true, "min_edge": 0.03, "bankroll_usdc": "5000", "max_stake_usdc": "5000"});
    let result = wanted("temporal", parameters, state);
    assert!(
        (figure(&result, "cost") - 0.587_16).abs() < 1e-5 && (figure(&result, "kelly") - 0.0796).abs() < 1e-4,
        "{result:#}"
    );
    // 1.99 % of 5000 dollars: 99.4, 169 shares.
    assert!((number(&result["basket"]["legs"][0]["size"]) - 169.3).abs() < 0.3, "{result:#}");
}

#[test]
fn quant_15_3_the_edge_of_a_match_that_is_over() {
    let state = market("0.94", "0.96", json!({"truth": known(0.9948), "fee": {"rate": "0.05"}}));
    let parameters = json!({"enabled": true, "min_edge": 0.0328, "max_price": 0.97});
    let result = wanted("temporal", parameters.clone(), state.clone());
    assert!((figure(&result, "edge") - 0.032_88).abs() < 1e-6 && !result["basket"].is_null(), "{result:#}");
    let dearer = json!({"enabled": true, "min_edge": 0.0329, "max_price": 0.97});
    assert_eq!(reasons(&wanted("temporal", dearer, state)), ["no_edge"]);
}

#[test]
fn a_ladders_price_moves_against_the_inventory_and_is_rounded_once() {
    // 0.685 less 10 * 0.001 is 0.675; rounding the mid first would make it 0.68.
    for (held, price) in [("0", 0.69), ("10", 0.68), ("50", 0.64)] {
        let state = market("0.66", "0.71", json!({"position": {"yes": held, "no": "0"}}));
        for strategy in ["amm", "bands"] {
            let result = wanted(strategy, json!({"inventory_skew": 0.001}), state.clone());
            assert!((figure(&result, "price") - price).abs() < 1e-9, "{strategy} {held}: {result:#}");
            assert_eq!(reasons(&result).contains(&"inventory_skew"), held != "0");
            assert!(
                (figure(&wanted(strategy, json!({}), state.clone()), "price") - 0.69).abs() < 1e-9,
                "off by default"
            );
        }
    }
}

#[test]
fn three_positions_are_as_many_as_may_be() {
    let mut state =
        market("0.49", "0.5", json!({"min_size": "1", "book": {"bids": [["0.49", "900"]], "asks": [["0.5", "100"]]}}));
    let (fresh, mut held) = (state["markets"][0].clone(), state["markets"][0].clone());
    held["position"] = json!({"yes": "2", "no": "0"});
    for (positions, reason) in [(2, "taking"), (3, "max_positions")] {
        let mut markets = vec![fresh.clone()];
        markets.extend(vec![held.clone(); positions]);
        state["markets"] = markets.into();
        assert_eq!(reasons(&wanted("imbalance", json!({}), state.clone())), [reason]);
    }
}

#[test]
fn what_a_book_shows_beyond_the_fifth_level_and_in_which_order_does_not_matter() {
    let bids =
        json!([["0.4", "9000"], ["0.47", "100"], ["0.49", "100"], ["0.46", "100"], ["0.48", "100"], ["0.45", "100"]]);
    let asks = json!([["0.52", "10"], ["0.5", "50"], ["0.51", "65"]]);
    let state = market("0.49", "0.5", json!({"min_size": "1", "book": {"bids": bids, "asks": asks}}));
    let result = wanted("imbalance", json!({}), state);
    // 500 against 125.
    assert!((figure(&result, "imbalance") - 0.6).abs() < 1e-9 && reasons(&result) == ["taking"], "{result:#}");
}

#[test]
fn a_lagging_leg_is_bought_or_the_leading_one_is_sold_when_there_are_no_dollars() {
    // Both are worth 0.19 a share: the tokens' books are mirrors. To hold is worth 0.18.
    let position = json!({"yes": "100", "no": "0", "cost": ["30", "0"]});
    let mut state = market("0.49", "0.51", json!({"fee": {"rate": "0"}, "position": position}));
    for (collateral, side, outcome, limit) in [("1000", "BUY", "NO", "0.51"), ("20", "SELL", "YES", "0.49")] {
        state["collateral"] = collateral.into();
        let result = wanted("pair", json!({}), state.clone());
        let leg = &result["basket"]["legs"][0];
        assert_eq!(
            (&leg["side"], &leg["outcome"], &leg["limit"]),
            (&side.into(), &outcome.into(), &limit.into()),
            "{result:#}"
        );
    }
}
