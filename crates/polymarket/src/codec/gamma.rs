//! Gamma: pages of markets and events, and the cards of their markets (protocol section 10.1).

use oddsmith_domain::{FeeSchedule, MarketCard, MarketFacts, Price, RewardTerms, Settlement, Usdc, parse_fixed};

use super::calendar::unix_seconds;
use super::rest::markets::{condition, delay_ms, read_fee_schedule, stated, two_tokens};
use super::rest::{Listing, RestFault, decode, listing};
use crate::rules::{self, Said};
use crate::wire::{FIRST_CURSOR, GammaEvent, GammaMarket, LAST_CURSOR, Number};

const MARKET: &str = "a market of Gamma";
const EVENT: &str = "an event of Gamma";

/// How long a taker waits on crypto markets, by their fee type (protocol section 9.3).
const CRYPTO_TAKER_DELAY_MS: u64 = 150;
/// How long a taker waits on finance markets, by their fee type.
const FINANCE_TAKER_DELAY_MS: u64 = 250;

/// A page of markets: `/markets/keyset`, or the plain array of `/markets`, or a single object.
///
/// # Errors
/// [`RestFault`] when the page itself is not understood; a market that is not is in its faults.
pub fn markets(body: &[u8]) -> Result<Listing<GammaMarket>, RestFault> {
    let (items, next_cursor) = page(MARKET, body, "markets")?;
    Ok(listing(MARKET, items, next_cursor))
}

/// A page of events with their markets: `/events/keyset`, or the plain array of `/events`, or a single object.
///
/// # Errors
/// As [`markets`].
pub fn events(body: &[u8]) -> Result<Listing<GammaEvent>, RestFault> {
    let (items, next_cursor) = page(EVENT, body, "events")?;
    Ok(listing(EVENT, items, next_cursor))
}

type Items = (Vec<serde_json::Value>, Option<String>);

fn page(what: &'static str, body: &[u8], name: &str) -> Result<Items, RestFault> {
    use serde_json::Value;
    match decode::<Value>(what, body)?.value {
        Value::Array(items) => Ok((items, None)),
        Value::Object(mut object) => match object.remove(name) {
            Some(Value::Array(items)) => {
                let cursor = object.remove("next_cursor").and_then(|cursor| cursor.as_str().map(str::to_owned));
                let last = |cursor: &String| [FIRST_CURSOR, LAST_CURSOR, ""].contains(&cursor.as_str());
                Ok((items, cursor.filter(|cursor| !last(cursor))))
            }
            Some(_) => Err(RestFault { what, why: format!("`{name}` is not a list") }),
            None if object.contains_key("id") || object.contains_key("slug") => Ok((vec![Value::Object(object)], None)),
            None => Err(RestFault { what, why: format!("neither a list nor an object with `{name}`") }),
        },
        _ => Err(RestFault { what, why: String::from("neither a list nor an object") }),
    }
}

/// Whether the venue takes orders for the market now.
#[must_use]
pub fn is_tradable(market: &GammaMarket) -> bool {
    market.active && !market.closed && !market.archived && market.enable_order_book && market.accepting_orders
}

/// The card of a market. Fees come from `feeSchedule`; a market that says it has none is free of them.
///
/// # Errors
/// [`RestFault`] names the field. A market whose tokens are not there yet is an error too: ask again later.
pub fn card(market: &GammaMarket) -> Result<MarketCard, RestFault> {
    let ids: Vec<&str> = match &market.position_ids {
        Some(positions) if market.version.as_deref() == Some("v2") => positions.iter().map(|id| id.as_str()).collect(),
        _ => market.clob_token_ids.0.iter().map(String::as_str).collect(),
    };
    if !ids.is_empty() && ids.len() != market.outcomes.0.len() {
        let why = format!("{} tokens for {} outcomes", ids.len(), market.outcomes.0.len());
        return Err(RestFault { what: MARKET, why });
    }
    let named: Vec<_> = ids.into_iter().zip(market.outcomes.0.iter().map(String::as_str)).collect();
    let (tokens, outcomes) = two_tokens(MARKET, &named)?;
    Ok(MarketCard {
        condition: condition(MARKET, &market.condition_id)?,
        slug: market.slug.clone(),
        question: market.question.clone(),
        tokens,
        outcomes,
        tick: stated(MARKET, "orderPriceMinTickSize", &market.order_price_min_tick_size, Number::tick)?,
        min_size: stated(MARKET, "orderMinSize", &market.order_min_size, Number::shares)?,
        fee: fee(market)?,
        end_wall_s: market.end_date.as_deref().and_then(unix_seconds),
        neg_risk: market.neg_risk,
        accepting_orders: is_tradable(market),
        taker_delay_ms: delay_ms(MARKET, &market.seconds_delay)?.max(delay_by_fee_type(market)),
        settlement: settlement(market),
    })
}

/// What the list says of a market beyond its card. A number that is not understood is one that is not stated.
///
/// # Errors
/// [`RestFault`] when the market's id is none.
pub fn facts(market: &GammaMarket) -> Result<MarketFacts, RestFault> {
    let spread = match (market.best_bid.price(), market.best_ask.price(), market.spread.price()) {
        (Ok(bid), Ok(ask), _) if Price::ZERO < bid && bid < ask && ask < Price::ONE => {
            Price::from_units(ask.units() - bid.units())
        }
        // An empty side is stated as 0 or 1, and the distance between those is no spread.
        (Ok(_), Ok(_), _) => None,
        (_, _, spread) => spread.ok().filter(|spread| *spread > Price::ZERO),
    };
    Ok(MarketFacts {
        condition: condition(MARKET, &market.condition_id)?,
        slug: market.slug.clone(),
        series: series(market),
        tags: tags(market),
        active: market.active,
        closed: market.closed,
        archived: market.archived,
        accepting_orders: market.enable_order_book && market.accepting_orders,
        neg_risk: market.neg_risk,
        end_wall_s: market.end_date.as_deref().and_then(unix_seconds),
        volume: dollars(&market.volume_num),
        liquidity: dollars(&market.liquidity_num),
        spread,
        rewards: rewards(market),
    })
}

/// The series that its event names, or the slug before the time at which its window begins.
fn series(market: &GammaMarket) -> String {
    let stated = market
        .events
        .iter()
        .flat_map(|event| std::iter::once(&event.series_slug).chain(event.series.iter().map(|series| &series.slug)));
    if let Some(named) = stated.into_iter().find(|slug| !slug.is_empty()) {
        return named.clone();
    }
    match market.slug.rsplit_once('-') {
        Some((series, start)) if start.len() >= 9 && start.bytes().all(|b| b.is_ascii_digit()) => series.to_owned(),
        _ => String::new(),
    }
}

fn tags(market: &GammaMarket) -> Vec<String> {
    let mut tags: Vec<String> = market
        .tags
        .iter()
        .flat_map(|tag| [&tag.label, &tag.slug])
        .filter(|word| !word.is_empty())
        .map(|word| word.to_lowercase())
        .collect();
    tags.sort();
    tags.dedup();
    tags
}

/// What the venue pays for resting orders; its greatest distance from the mid is stated in cents.
fn rewards(market: &GammaMarket) -> Option<RewardTerms> {
    let daily: Usdc = market.clob_rewards.iter().filter_map(|program| dollars(&program.rewards_daily_rate)).sum();
    let hundredths = parse_fixed(cut(market.rewards_max_spread.as_str(), 2).as_bytes(), 2).ok()?;
    let max_spread = u16::try_from(hundredths).ok().and_then(Price::from_units)?;
    let min_size = market.rewards_min_size.shares().ok()?;
    (daily.is_positive() && max_spread > Price::ZERO).then_some(RewardTerms { daily, max_spread, min_size })
}

/// Dollars, cut to the unit: what the list adds up has more digits than money.
fn dollars(number: &Number) -> Option<Usdc> {
    Usdc::parse(cut(number.as_str(), Usdc::SCALE as usize).as_bytes()).ok()
}

/// A decimal text without the digits after the given one.
fn cut(text: &str, decimals: usize) -> &str {
    let end = text.find('.').map_or(text.len(), |point| point + 1 + decimals);
    text.get(..end.min(text.len())).unwrap_or(text)
}

/// How a market says that it is decided.
fn settlement(market: &GammaMarket) -> Settlement {
    let outcome = |index: usize| market.outcomes.0.get(index).map_or("", String::as_str);
    let average = market.crypto_market_config.as_ref().map(|config| {
        let seconds = config.twap_lookback_seconds.count().ok().and_then(|seconds| u32::try_from(seconds).ok());
        (config.twap_enabled, seconds)
    });
    let metadata = market.events.iter().find_map(|event| event.event_metadata.as_ref());
    rules::settlement(&Said {
        question: &market.question,
        description: market.description.as_deref().unwrap_or_default(),
        source: market.resolution_source.as_deref().unwrap_or_default(),
        outcomes: [outcome(0), outcome(1)],
        start_s: market.event_start_time.as_deref().and_then(unix_seconds),
        end_s: market.end_date.as_deref().and_then(unix_seconds),
        average,
        strike: metadata.map(|metadata| metadata.price_to_beat.as_str()),
    })
}

fn fee(market: &GammaMarket) -> Result<Option<FeeSchedule>, RestFault> {
    match (&market.fee_schedule, market.fees_enabled) {
        (_, Some(false)) => Ok(Some(FeeSchedule::FREE)),
        (Some(fees), _) => read_fee_schedule(MARKET, &fees.rate, &fees.exponent, fees.taker_only).map(Some),
        (None, _) => Ok(None),
    }
}

fn delay_by_fee_type(market: &GammaMarket) -> u64 {
    match market.fee_type.as_deref() {
        Some(kind) if kind.starts_with("crypto") => CRYPTO_TAKER_DELAY_MS,
        Some(kind) if kind.starts_with("finance") => FINANCE_TAKER_DELAY_MS,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::Tick;
    use proptest::prelude::*;

    use super::*;

    fn json(more: &str) -> String {
        format!(
            "{{\"id\":\"7\",\"conditionId\":\"0xab\",\"slug\":\"rain\",\"question\":\"Rain?\",\
             \"outcomes\":\"[\\\"Up\\\",\\\"Down\\\"]\",\"clobTokenIds\":\"[\\\"111\\\",\\\"222\\\"]\",\"active\":true,\
             \"closed\":false,\"acceptingOrders\":true,\"enableOrderBook\":true,\"orderMinSize\":5,\
             \"orderPriceMinTickSize\":0.01,\"endDate\":\"2026-06-24T07:55:00Z\"{more}}}"
        )
    }

    fn read(more: &str) -> Result<MarketCard, RestFault> {
        let listing = markets(json(more).as_bytes())?;
        card(listing.items.first().expect("a market"))
    }

    #[test]
    fn a_card_with_its_fees() {
        let fees = ",\"feesEnabled\":true,\"feeType\":\"crypto_fees_v2\",\
                    \"feeSchedule\":{\"exponent\":1,\"rate\":0.07,\"takerOnly\":true,\"rebateRate\":0.2}";
        let card = read(fees).expect("a card");
        assert_eq!(card.fee, FeeSchedule::new(70_000, 1, true).ok());
        assert_eq!((card.tick, card.taker_delay_ms, card.end_wall_s), (Some(Tick::Cent), 150, Some(1_782_287_700)));
        assert_eq!((card.outcomes, card.accepting_orders), (["Up", "Down"].map(String::from), true));
    }

    #[test]
    fn fees_are_never_assumed() {
        assert_eq!(read("").expect("a card").fee, None);
        assert_eq!(read(",\"feesEnabled\":true,\"takerBaseFee\":1000").expect("a card").fee, None);
        assert_eq!(read(",\"feesEnabled\":false").expect("a card").fee, Some(FeeSchedule::FREE));
        assert!(read(",\"feeSchedule\":{\"rate\":\"seven\",\"exponent\":1}").is_err());
        assert!(read(",\"feeSchedule\":{}").is_err(), "a schedule without a rate");
    }

    #[test]
    fn tokens_in_every_shape() {
        let list = json("").replace("\"[\\\"111\\\",\\\"222\\\"]\"", "[\"111\",222]");
        let market = markets(list.as_bytes()).expect("a market").items.remove(0);
        assert_eq!(card(&market), read(""));
        for tokens in
            ["\"\"", "null", "\"[]\"", "\"[\\\"111\\\"]\"", "\"[\\\"a\\\",\\\"b\\\"]\"", "[\"1\",\"2\",\"3\"]"]
        {
            let other = json("").replace("\"[\\\"111\\\",\\\"222\\\"]\"", tokens);
            let market = markets(other.as_bytes()).expect("a market").items.remove(0);
            assert!(card(&market).is_err(), "{tokens}");
        }
        let broken = json("").replace("\"[\\\"111\\\",\\\"222\\\"]\"", "\"alpha_yes\"");
        let listing = markets(broken.as_bytes()).expect("a page");
        assert_eq!((listing.items.len(), listing.faults.len()), (0, 1));
    }

    #[test]
    fn a_position_market_has_its_own_ids() {
        let more = ",\"version\":\"v2\",\"positionIds\":[\"333\",\"444\"]";
        let card = read(more).expect("a card");
        assert_eq!(card.tokens.map(|token| token.to_string()), ["333", "444"]);
        assert_eq!(
            read(",\"version\":\"v1\",\"positionIds\":[]").map(|card| card.tokens),
            read("").map(|card| card.tokens)
        );
    }

    fn stated(more: &str) -> MarketFacts {
        let listing = markets(json(more).as_bytes()).expect("a page");
        facts(listing.items.first().expect("a market")).expect("facts")
    }

    #[test]
    fn what_the_list_says_beyond_the_card() {
        let said = stated(
            ",\"volumeNum\":12345.678901234,\"liquidityNum\":50,\"bestBid\":0.48,\"bestAsk\":0.51,\"spread\":0.03,\
             \"rewardsMinSize\":50,\"rewardsMaxSpread\":3.5,\"negRisk\":true,\"clobRewards\":[\
             {\"id\":\"1\",\"assetAddress\":\"0x1\",\"rewardsAmount\":0,\"rewardsDailyRate\":100.5},\
             {\"id\":\"2\",\"rewardsDailyRate\":20}],\"tags\":[{\"id\":\"21\",\"label\":\"Up or Down\",\"slug\":\"up-or-down\"}],\
             \"events\":[{\"slug\":\"e\",\"series\":[{\"slug\":\"btc-up-or-down-15m\"}]}]",
        );
        let usdc = |text: &str| text.parse::<Usdc>().ok();
        assert_eq!((said.volume, said.liquidity), (usdc("12345.678901"), usdc("50")));
        assert_eq!((said.spread, said.neg_risk, said.end_wall_s), (Price::from_units(300), true, Some(1_782_287_700)));
        let rewards = said.rewards.expect("rewards");
        assert_eq!((Some(rewards.daily), Some(rewards.max_spread)), (usdc("120.5"), Price::from_units(350)));
        assert_eq!(rewards.min_size.to_string(), "50");
        assert_eq!(
            (said.tags, said.series.as_str()),
            (vec!["up or down".to_owned(), "up-or-down".to_owned()], "btc-up-or-down-15m")
        );
    }

    #[test]
    fn what_the_list_does_not_say_is_not_assumed() {
        let said = stated("");
        assert_eq!((said.volume, said.spread, said.rewards, said.series.as_str()), (None, None, None, ""));
        let empty = stated(",\"bestBid\":0,\"bestAsk\":1,\"spread\":1");
        assert_eq!(empty.spread, None, "two empty sides are no spread");
        let unpaid = stated(",\"rewardsMinSize\":50,\"rewardsMaxSpread\":3.5,\"clobRewards\":[]");
        assert_eq!(unpaid.rewards, None);
        let odd = stated(",\"tags\":[\"crypto\"],\"clobRewards\":\"none\",\"volumeNum\":\"much\"");
        assert_eq!((odd.tags.len(), odd.volume), (0, None), "an oddity costs what is odd, and not the market");
        let window = json("").replace("\"rain\"", "\"btc-updown-15m-1790000100\"");
        let window = facts(&markets(window.as_bytes()).expect("a page").items[0]).expect("facts");
        assert_eq!(window.series, "btc-updown-15m");
    }

    #[test]
    fn pages_of_every_kind() {
        let market = json("");
        let keyset = format!("{{\"markets\":[{market},{{\"active\":7}}],\"next_cursor\":\"abc\"}}");
        let page = markets(keyset.as_bytes()).expect("a page");
        assert_eq!((page.items.len(), page.faults.len(), page.next_cursor.as_deref()), (1, 1, Some("abc")));
        for end in ["\"\"", "null", "\"LTE=\""] {
            let page = markets(format!("{{\"markets\":[],\"next_cursor\":{end}}}").as_bytes()).expect("a page");
            assert_eq!(page.next_cursor, None);
        }
        let event = format!("[{{\"id\":\"1\",\"slug\":\"e\",\"title\":\"E\",\"markets\":[{market}]}}]");
        let page = events(event.as_bytes()).expect("a page");
        assert_eq!(page.items.iter().map(|event| event.markets.len()).collect::<Vec<_>>(), [1]);
        for bad in ["", "7", "{}", "{\"markets\":7}", "<html>"] {
            assert!(markets(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (markets(&body), events(&body));
        }
    }
}
