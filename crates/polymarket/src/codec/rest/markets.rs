//! Market cards from the CLOB's metadata (protocol section 6.2).
//!
//! `/markets` states names, dates and tokens; `/clob-markets/{condition}` states fees and delays. Fees come from `fd` only: the
//! `*_base_fee` numbers and `/fee-rate` are a relic and say nothing.

use oddsmith_domain::{ConditionId, FeeSchedule, MarketCard, Price, Settlement, TokenId};

use super::RestFault;
use crate::codec::calendar::unix_seconds;
use crate::wire::{ClobMarket, FeeDetails, Market, MarketByToken, Number, TickSize};

const MARKET: &str = "a market";
const CLOB_MARKET: &str = "a market's trading parameters";

/// The longest that the venue lets a taker wait on markets that only say *that* he waits (protocol section 9.3: 150 ms for
/// crypto, 250 ms for finance).
pub const LONGEST_TAKER_DELAY_MS: u64 = 250;

/// The card of a market of `GET /markets` or `GET /markets/{condition}`. It has no fee schedule until [`refine`] adds one.
///
/// # Errors
/// [`RestFault`] names the field. A market whose tokens are not there yet is an error too: ask again later.
pub fn market_card(market: &Market) -> Result<MarketCard, RestFault> {
    let tokens: Vec<_> = market.tokens.iter().map(|token| (token.token_id.as_str(), token.outcome.as_str())).collect();
    let (tokens, outcomes) = two_tokens(MARKET, &tokens)?;
    let accepting = market.enable_order_book && market.active && !market.closed && !market.archived;
    Ok(MarketCard {
        condition: condition(MARKET, &market.condition_id)?,
        slug: market.market_slug.clone(),
        question: market.question.clone(),
        tokens,
        outcomes,
        tick: stated(MARKET, "minimum_tick_size", &market.minimum_tick_size, Number::tick)?,
        min_size: stated(MARKET, "minimum_order_size", &market.minimum_order_size, Number::shares)?,
        fee: None,
        end_wall_s: market.end_date_iso.as_deref().and_then(unix_seconds),
        neg_risk: market.neg_risk,
        accepting_orders: accepting && market.accepting_orders,
        taker_delay_ms: delay_ms(MARKET, &market.seconds_delay)?,
        settlement: Settlement::Unstated,
    })
}

/// What a YES share pays by `GET /markets/{condition}`: `None` while the market is not decided, or does not say it in full.
///
/// A winner pays one. A market that is closed without a winner was voided: its tokens' prices are what they pay, and must make a
/// dollar together.
#[must_use]
pub fn resolution(market: &Market) -> Option<Price> {
    let [yes, no] = market.tokens.as_slice() else { return None };
    if !market.closed {
        return None;
    }
    match (yes.winner, no.winner) {
        (true, false) => Some(Price::ONE),
        (false, true) => Some(Price::ZERO),
        (true, true) => None,
        (false, false) => {
            let [yes, no] = [&yes.price, &no.price].map(|price| price.price().ok());
            yes.filter(|yes| no == Some(yes.complement()) && *yes != Price::ZERO && *yes != Price::ONE)
        }
    }
}

/// The card of `GET /clob-markets/{condition}` alone: no name, no question, no end.
///
/// # Errors
/// As [`market_card`].
pub fn clob_card(market: &ClobMarket) -> Result<MarketCard, RestFault> {
    let tokens: Vec<_> =
        market.tokens.iter().flatten().map(|token| (token.token_id.as_str(), token.outcome.as_str())).collect();
    let (tokens, outcomes) = two_tokens(CLOB_MARKET, &tokens)?;
    let seconds = delay_ms(CLOB_MARKET, &market.seconds_delay)?;
    let by_flag = if market.taker_delay_enabled { LONGEST_TAKER_DELAY_MS } else { 0 };
    Ok(MarketCard {
        condition: condition(CLOB_MARKET, &market.condition_id)?,
        slug: String::new(),
        question: String::new(),
        tokens,
        outcomes,
        tick: stated(CLOB_MARKET, "mts", &market.min_tick_size, Number::tick)?,
        min_size: stated(CLOB_MARKET, "mos", &market.min_order_size, Number::shares)?,
        fee: market.fee_details.as_ref().map(fee_schedule).transpose()?,
        end_wall_s: None,
        neg_risk: market.neg_risk,
        accepting_orders: market.accepting_orders.unwrap_or(false),
        taker_delay_ms: seconds.max(by_flag),
        settlement: Settlement::Unstated,
    })
}

/// Adds what only `GET /clob-markets/{condition}` knows to the card of the same market.
///
/// # Errors
/// As [`market_card`], and when the two do not speak of the same market and tokens.
pub fn refine(card: MarketCard, market: &ClobMarket) -> Result<MarketCard, RestFault> {
    let stated = clob_card(market)?;
    if stated.condition != card.condition || stated.tokens != card.tokens {
        let why = String::from("the two descriptions do not name the same condition and tokens");
        return Err(RestFault { what: CLOB_MARKET, why });
    }
    Ok(MarketCard {
        tick: stated.tick.or(card.tick),
        min_size: stated.min_size.or(card.min_size),
        fee: stated.fee.or(card.fee),
        neg_risk: stated.neg_risk || card.neg_risk,
        accepting_orders: card.accepting_orders && market.accepting_orders.unwrap_or(true),
        taker_delay_ms: stated.taker_delay_ms.max(card.taker_delay_ms),
        ..card
    })
}

/// The fee schedule of `fd`.
///
/// # Errors
/// [`RestFault`] for a rate or an exponent that is not understood.
pub fn fee_schedule(fees: &FeeDetails) -> Result<FeeSchedule, RestFault> {
    read_fee_schedule(CLOB_MARKET, &fees.rate, &fees.exponent, fees.taker_only)
}

pub(crate) fn read_fee_schedule(
    what: &'static str,
    rate: &Number,
    exponent: &Number,
    taker_only: bool,
) -> Result<FeeSchedule, RestFault> {
    let rate = rate.usdc().map_err(|why| RestFault::field(what, "rate", why, rate.as_str()))?;
    let power = exponent.count().map_err(|why| RestFault::field(what, "exponent", why, exponent.as_str()))?;
    FeeSchedule::new(rate.micros(), u32::try_from(power).unwrap_or(u32::MAX), taker_only)
        .map_err(|why| RestFault { what, why: why.to_string() })
}

/// The condition and the tokens of `GET /markets-by-token/{token}`.
///
/// # Errors
/// [`RestFault`].
pub fn market_by_token(market: &MarketByToken) -> Result<(ConditionId, [TokenId; 2]), RestFault> {
    let tokens = [(market.primary_token_id.as_str(), ""), (market.secondary_token_id.as_str(), "")];
    Ok((condition(MARKET, &market.condition_id)?, two_tokens(MARKET, &tokens)?.0))
}

/// The grid of `GET /tick-size`.
///
/// # Errors
/// [`RestFault`].
pub fn tick_size(tick: &TickSize) -> Result<oddsmith_domain::Tick, RestFault> {
    let number = &tick.minimum_tick_size;
    number.tick().map_err(|why| RestFault::field("a tick size", "minimum_tick_size", why, number.as_str()))
}

pub(crate) fn condition(what: &'static str, text: &str) -> Result<ConditionId, RestFault> {
    ConditionId::parse(text).map_err(|why| RestFault { what, why: why.to_string() })
}

/// The outcome tokens with their names. Binary markets only.
pub(crate) fn two_tokens(
    what: &'static str,
    tokens: &[(&str, &str)],
) -> Result<([TokenId; 2], [String; 2]), RestFault> {
    let [first, second] = tokens else {
        return Err(RestFault { what, why: format!("two outcome tokens are needed, not {}", tokens.len()) });
    };
    let token = |text: &str| TokenId::parse(text).map_err(|why| RestFault { what, why: why.to_string() });
    let ids = [token(first.0)?, token(second.0)?];
    if ids[0] == ids[1] {
        return Err(RestFault { what, why: String::from("both outcomes have the same token") });
    }
    Ok((ids, [first.1.to_owned(), second.1.to_owned()]))
}

/// A number that may be left out, but not be wrong.
pub(crate) fn stated<T, E: std::fmt::Display>(
    what: &'static str,
    name: &str,
    number: &Number,
    read: impl Fn(&Number) -> Result<T, E>,
) -> Result<Option<T>, RestFault> {
    if number.is_empty() {
        return Ok(None);
    }
    read(number).map(Some).map_err(|why| RestFault::field(what, name, why, number.as_str()))
}

pub(crate) fn delay_ms(what: &'static str, seconds: &Number) -> Result<u64, RestFault> {
    let seconds = stated(what, "seconds_delay", seconds, Number::count)?;
    Ok(seconds.unwrap_or(0).saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{Shares, Tick};

    use super::*;
    use crate::codec::rest::decode;

    const CONDITION: &str = "0x00000000000000000000000000000000000000000000000000000000000000ab";

    fn market_json() -> String {
        format!(
            "{{\"enable_order_book\":true,\"active\":true,\"closed\":false,\"archived\":false,\"accepting_orders\":true,\
             \"minimum_order_size\":5,\"minimum_tick_size\":0.01,\"condition_id\":\"{CONDITION}\",\"question\":\"Rain?\",\
             \"market_slug\":\"rain\",\"end_date_iso\":\"2026-06-24T07:55:00Z\",\"seconds_delay\":1,\"fpmm\":\"\",\
             \"maker_base_fee\":1000,\"taker_base_fee\":1000,\"neg_risk\":true,\"tokens\":[{{\"token_id\":\"111\",\
             \"outcome\":\"Yes\",\"price\":0.5,\"winner\":false}},{{\"token_id\":\"222\",\"outcome\":\"No\",\"price\":0.5}}]}}"
        )
    }

    fn clob_json() -> String {
        format!(
            "{{\"c\":\"{CONDITION}\",\"t\":[{{\"t\":\"111\",\"o\":\"Yes\"}},{{\"t\":\"222\",\"o\":\"No\"}}],\"mts\":0.001,\
             \"mos\":5,\"fd\":{{\"r\":0.07,\"e\":1,\"to\":true}},\"mbf\":0,\"tbf\":0,\"r\":null,\"ao\":true,\"itode\":true}}"
        )
    }

    fn read(json: &str) -> Result<MarketCard, RestFault> {
        market_card(&decode::<Market>("a market", json.as_bytes())?.value)
    }

    fn clob(json: &str) -> Result<ClobMarket, RestFault> {
        decode::<ClobMarket>("parameters", json.as_bytes()).map(|decoded| decoded.value)
    }

    #[test]
    fn a_card_and_what_refines_it() {
        let card = read(&market_json()).expect("a card");
        assert_eq!((card.tick, card.min_size), (Some(Tick::Cent), Some(Shares::from_whole(5))));
        assert_eq!((card.fee, card.taker_delay_ms), (None, 1_000), "base fees are no fees");
        assert_eq!((card.end_wall_s, card.neg_risk, card.accepting_orders), (Some(1_782_287_700), true, true));
        assert_eq!(card.outcomes, ["Yes", "No"]);
        let refined = refine(card.clone(), &clob(&clob_json()).expect("parameters")).expect("a card");
        assert_eq!(refined.fee, FeeSchedule::new(70_000, 1, true).ok());
        assert_eq!((refined.tick, refined.taker_delay_ms, refined.neg_risk), (Some(Tick::Thousandth), 1_000, true));
        let other = clob_json().replace("111", "333");
        assert!(refine(card, &clob(&other).expect("parameters")).is_err());
    }

    #[test]
    fn parameters_alone_make_a_card() {
        let card = clob_card(&clob(&clob_json()).expect("parameters")).expect("a card");
        assert_eq!((card.taker_delay_ms, card.accepting_orders), (LONGEST_TAKER_DELAY_MS, true));
        let bare = format!("{{\"c\":\"{CONDITION}\",\"t\":[{{\"t\":\"1\",\"o\":\"A\"}},{{\"t\":\"2\",\"o\":\"B\"}}]}}");
        let card = clob_card(&clob(&bare).expect("parameters")).expect("a card");
        assert_eq!((card.tick, card.min_size, card.fee), (None, None, None), "nothing is assumed");
        assert!(!card.accepting_orders && card.taker_delay_ms == 0);
    }

    #[test]
    fn a_market_that_takes_no_orders() {
        for (from, to) in [
            ("\"accepting_orders\":true", "\"accepting_orders\":false"),
            ("\"active\":true", "\"active\":null"),
            ("\"closed\":false", "\"closed\":true"),
            ("\"archived\":false", "\"archived\":true"),
            ("\"enable_order_book\":true", "\"enable_order_book\":false"),
        ] {
            assert!(!read(&market_json().replace(from, to)).expect("a card").accepting_orders, "{to}");
        }
    }

    #[test]
    fn what_is_missing_stays_open_and_what_is_wrong_is_named() {
        let card = read(&market_json().replace("\"minimum_tick_size\":0.01,", "")).expect("a card");
        assert_eq!(card.tick, None);
        for (from, to) in [
            ("0.01", "0.02"),
            ("\"minimum_order_size\":5", "\"minimum_order_size\":\"five\""),
            ("\"seconds_delay\":1", "\"seconds_delay\":-1"),
            ("\"111\"", "\"\""),
            ("\"111\"", "\"222\""),
            ("\"0x00", "\"0xzz"),
            ("{\"token_id\":\"111\",\"outcome\":\"Yes\",\"price\":0.5,\"winner\":false},", ""),
        ] {
            assert!(read(&market_json().replace(from, to)).is_err(), "{to}");
        }
        for (from, to) in
            [("0.07", "7"), ("0.07", "-0.07"), ("0.07", "\"\""), ("\"e\":1", "\"e\":9"), ("\"e\":1", "\"e\":1.5")]
        {
            let market = clob(&clob_json().replace(from, to)).expect("parameters");
            assert!(clob_card(&market).is_err(), "{to}");
        }
    }

    #[test]
    fn the_small_objects() {
        let by_token =
            format!("{{\"condition_id\":\"{CONDITION}\",\"primary_token_id\":\"1\",\"secondary_token_id\":\"2\"}}");
        let market = decode::<MarketByToken>("a market", by_token.as_bytes()).expect("an object").value;
        assert_eq!(market_by_token(&market).map(|(id, _)| id.to_string()), Ok(CONDITION.to_owned()));
        for (json, tick) in [("0.0025", Some(Tick::QuarterCent)), ("\"0.1\"", Some(Tick::Tenth)), ("0.3", None)] {
            let json = format!("{{\"minimum_tick_size\":{json}}}");
            let size = decode::<TickSize>("a tick", json.as_bytes()).expect("an object").value;
            assert_eq!(tick_size(&size).ok(), tick);
        }
    }
}
