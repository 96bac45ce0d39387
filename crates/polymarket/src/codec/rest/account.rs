//! Orders, trades and balances as the venue lists them.

use oddsmith_domain::{
    AccountOrder, AccountTrade, Address, DecimalError, MakerLeg, OrderId, Price, Shares, Side, TradeId, TradeStatus,
    Usdc, VenueOrderStatus, parse_fixed,
};

use super::RestFault;
use crate::AssetTable;
use crate::codec::calendar::unix_seconds;
use crate::error::reply::placement_status;
use crate::wire::{BalanceAllowance, MakerOrder, OpenOrder, Text, Trade};

const ORDER: &str = "an order of the account";
const TRADE: &str = "a trade of the account";
const BALANCE: &str = "a balance of the account";

/// An order of `GET /data/orders` or `GET /data/order/{id}`.
///
/// # Errors
/// [`RestFault`] names the field.
pub fn open_order(order: &OpenOrder, assets: &AssetTable) -> Result<AccountOrder, RestFault> {
    Ok(AccountOrder {
        id: order_id(ORDER, "id", &order.id)?,
        asset: assets.lookup(order.asset_id.as_str().as_bytes()),
        side: side(ORDER, &order.side)?,
        price: number(ORDER, "price", &order.price, Text::price)?,
        original_size: number(ORDER, "original_size", &order.original_size, Text::shares)?,
        size_matched: match order.size_matched.is_empty() {
            true => Shares::ZERO,
            false => number(ORDER, "size_matched", &order.size_matched, Text::shares)?,
        },
        status: order_status(&order.status),
    })
}

/// A match of `GET /data/trades`.
///
/// # Errors
/// [`RestFault`] names the field.
pub fn trade(trade: &Trade, assets: &AssetTable) -> Result<AccountTrade, RestFault> {
    let status = trade_status(&trade.status)
        .ok_or_else(|| RestFault::field(TRADE, "status", "not a settlement status", &trade.status))?;
    let taker_side = side(TRADE, &trade.side)?;
    Ok(AccountTrade {
        id: TradeId::parse(&trade.id).map_err(|why| RestFault::field(TRADE, "id", why, &trade.id))?,
        status,
        taker_order: order_id(TRADE, "taker_order_id", &trade.taker_order_id)?,
        asset: assets.lookup(trade.asset_id.as_str().as_bytes()),
        side: taker_side,
        size: number(TRADE, "size", &trade.size, Text::shares)?,
        price: number(TRADE, "price", &trade.price, |text| rounded_price(text.as_str()))?,
        we_take: match trade.trader_side.as_str() {
            "TAKER" => true,
            "MAKER" => false,
            other => return Err(RestFault::field(TRADE, "trader_side", "neither TAKER nor MAKER", other)),
        },
        legs: trade
            .maker_orders
            .iter()
            .map(|leg| maker_leg(leg, trade, taker_side, assets))
            .collect::<Result<_, _>>()?,
        match_time_s: match_time_s(trade.match_time.as_str()),
    })
}

fn maker_leg(leg: &MakerOrder, taker: &Trade, taker_side: Side, assets: &AssetTable) -> Result<MakerLeg, RestFault> {
    // Where the side is not stated, the tokens imply it: the same token changes hands from a seller to a buyer, and two
    // different ones are minted for two buyers or merged by two sellers.
    let maker_side = match leg.side.as_str() {
        "" if leg.asset_id == taker.asset_id => taker_side.opposite(),
        "" => taker_side,
        stated => side(TRADE, stated)?,
    };
    Ok(MakerLeg {
        order: order_id(TRADE, "maker_orders.order_id", &leg.order_id)?,
        maker: Address::parse(&leg.maker_address).unwrap_or_default(),
        asset: assets.lookup(leg.asset_id.as_str().as_bytes()),
        side: maker_side,
        price: number(TRADE, "maker_orders.price", &leg.price, Text::price)?,
        size: number(TRADE, "maker_orders.matched_amount", &leg.matched_amount, Text::shares)?,
    })
}

/// Collateral of `GET /balance-allowance`. The venue counts millionths there, without a point.
///
/// # Errors
/// [`RestFault`].
pub fn collateral(balance: &BalanceAllowance) -> Result<Usdc, RestFault> {
    base_units(balance).map(Usdc::from_micros)
}

/// Shares of `GET /balance-allowance` for a token.
///
/// # Errors
/// [`RestFault`].
pub fn token_balance(balance: &BalanceAllowance) -> Result<Shares, RestFault> {
    base_units(balance).map(Shares::from_micros)
}

fn base_units(balance: &BalanceAllowance) -> Result<i64, RestFault> {
    let text = balance.balance.as_str();
    // A point would mean that the unit is not what we think it is, and a balance wrong by a million.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RestFault::field(BALANCE, "balance", "digits without a point are needed", text));
    }
    text.parse().map_err(|_| RestFault::field(BALANCE, "balance", DecimalError::Range, text))
}

/// The venue's word for how an order stands, with or without its prefix.
#[must_use]
pub fn order_status(word: &str) -> VenueOrderStatus {
    placement_status(word)
}

/// The venue's word for how far a settlement has come, with or without its prefix; `None` for a word that is not known.
#[must_use]
pub fn trade_status(word: &str) -> Option<TradeStatus> {
    match word.strip_prefix("TRADE_STATUS_").unwrap_or(word) {
        "MATCHED" | "MATCHED_NOT_BROADCASTED" => Some(TradeStatus::Matched),
        "MINED" => Some(TradeStatus::Mined),
        "CONFIRMED" => Some(TradeStatus::Confirmed),
        "RETRYING" => Some(TradeStatus::Retrying),
        "FAILED" => Some(TradeStatus::Failed),
        _ => None,
    }
}

/// A price that may be an average: more than four decimals are rounded to the nearest unit, halves up.
fn rounded_price(text: &str) -> Result<Price, DecimalError> {
    match Price::parse(text.as_bytes()) {
        Err(DecimalError::Precision) => {
            let cut = text.get(..text.find('.').unwrap_or(0).saturating_add(6)).ok_or(DecimalError::Syntax)?;
            let tenths = parse_fixed(cut.as_bytes(), Price::SCALE + 1)?;
            let units = tenths.checked_add(5).ok_or(DecimalError::Range)? / 10;
            u16::try_from(units).ok().and_then(Price::from_units).ok_or(DecimalError::Range)
        }
        other => other,
    }
}

fn match_time_s(text: &str) -> u64 {
    const FIRST_MILLISECONDS: u64 = 100_000_000_000;
    match text.parse::<u64>() {
        Ok(ms) if ms >= FIRST_MILLISECONDS => ms / 1_000,
        Ok(seconds) => seconds,
        Err(_) => unix_seconds(text).unwrap_or(0),
    }
}

fn order_id(what: &'static str, name: &str, text: &str) -> Result<OrderId, RestFault> {
    OrderId::parse(text).map_err(|why| RestFault { what, why: format!("`{name}`: {why}") })
}

fn side(what: &'static str, text: &str) -> Result<Side, RestFault> {
    match text {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        other => Err(RestFault::field(what, "side", "neither BUY nor SELL", other)),
    }
}

fn number<T>(
    what: &'static str,
    name: &str,
    text: &Text,
    read: impl Fn(&Text) -> Result<T, DecimalError>,
) -> Result<T, RestFault> {
    read(text).map_err(|why| RestFault::field(what, name, why, text.as_str()))
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{MarketId, Outcome};

    use super::*;
    use crate::assets::tests::card;
    use crate::codec::rest::decode;

    fn assets() -> AssetTable {
        let mut assets = AssetTable::new();
        assets.insert(MarketId(1), &card("0xab", ["111", "222"]));
        assets
    }

    fn id(digit: char) -> String {
        format!("0x{}", String::from(digit).repeat(64))
    }

    fn order_json(more: &str) -> String {
        let id = id('a');
        format!(
            "{{\"id\":\"{id}\",\"status\":\"LIVE\",\"owner\":\"k\",\"maker_address\":\"0xf3\",\"market\":\"0xab\",\
             \"asset_id\":\"111\",\"side\":\"BUY\",\"original_size\":\"10\",\"size_matched\":\"2.5\",\"price\":\"0.5\",\
             \"associate_trades\":null,\"outcome\":\"Yes\",\"created_at\":1760000000,\"expiration\":\"0\"{more}}}"
        )
    }

    fn read_order(json: &str) -> Result<AccountOrder, RestFault> {
        open_order(&decode::<OpenOrder>("an order", json.as_bytes())?.value, &assets())
    }

    #[test]
    fn an_open_order() {
        let order = read_order(&order_json(",\"order_type\":\"GTC\"")).expect("an order");
        assert_eq!(order.id, OrderId([0xaa; 32]));
        assert_eq!(order.asset, Some(MarketId(1).asset(Outcome::Yes)));
        assert_eq!((order.side, order.status), (Side::Buy, VenueOrderStatus::Live));
        assert_eq!((order.price.to_string(), order.size_matched.to_string()), ("0.5".into(), "2.5".into()));
        let foreign = order_json("").replace("\"111\"", "333");
        assert_eq!(read_order(&foreign).map(|order| order.asset), Ok(None));
        let killed = order_json("").replace("\"2.5\"", "\"\"");
        assert_eq!(read_order(&killed).map(|order| order.size_matched), Ok(Shares::ZERO));
    }

    #[test]
    fn what_is_wrong_with_an_order_is_named() {
        for (from, to, name) in [
            ("\"BUY\"", "\"buy\"", "side"),
            ("\"0.5\"", "\"1.5\"", "price"),
            ("\"0.5\"", "\"NaN\"", "price"),
            ("\"10\"", "\"ten\"", "original_size"),
            ("\"2.5\"", "\"1e5\"", "size_matched"),
            ("\"0xaaaa", "\"0xaa", "id"),
        ] {
            let fault = read_order(&order_json("").replace(from, to)).expect_err("a fault");
            assert!(fault.why.contains(name), "{to}: {fault}");
        }
        assert!(read_order(&order_json("").replace("\"id\"", "\"di\"")).is_err());
        assert!(read_order(&order_json("").replace("\"LIVE\"", "7")).is_err());
    }

    fn trade_json() -> String {
        let (taker, maker) = (id('b'), id('c'));
        format!(
            "{{\"id\":\"t-1\",\"taker_order_id\":\"{taker}\",\"market\":\"0xab\",\"asset_id\":\"111\",\"side\":\"BUY\",\
             \"size\":\"10\",\"fee_rate_bps\":\"0\",\"price\":\"0.58\",\"status\":\"TRADE_STATUS_MINED\",\
             \"match_time\":\"1760000000\",\"last_update\":\"1760000001\",\"outcome\":\"Yes\",\"bucket_index\":0,\
             \"owner\":\"k\",\"maker_address\":\"0xf3\",\"transaction_hash\":\"\",\"trader_side\":\"MAKER\",\
             \"maker_orders\":[{{\"order_id\":\"{maker}\",\"owner\":\"k\",\"maker_address\":\"0xf4\",\
             \"matched_amount\":\"10\",\"price\":\"0.42\",\"fee_rate_bps\":\"0\",\"asset_id\":\"222\",\
             \"outcome\":\"No\",\"side\":\"BUY\"}}]}}"
        )
    }

    fn read_trade(json: &str) -> Result<AccountTrade, RestFault> {
        trade(&decode::<Trade>("a trade", json.as_bytes())?.value, &assets())
    }

    #[test]
    fn a_mint_seen_by_its_maker() {
        let trade = read_trade(&trade_json()).expect("a trade");
        assert_eq!((trade.status, trade.we_take, trade.match_time_s), (TradeStatus::Mined, false, 1_760_000_000));
        assert_eq!(trade.asset, Some(MarketId(1).asset(Outcome::Yes)));
        let leg = trade.legs.first().expect("a leg");
        assert_eq!((leg.asset, leg.side), (Some(MarketId(1).asset(Outcome::No)), Side::Buy));
        assert_eq!((leg.price.to_string(), leg.size), ("0.42".into(), Shares::from_whole(10)));
    }

    #[test]
    fn average_prices_and_times_in_every_spelling() {
        for (text, units) in [("0.58", 5_800), ("0.573333", 5_733), ("0.57335", 5_734), ("0.99999", 10_000)] {
            let trade = read_trade(&trade_json().replace("0.58", text)).expect("a trade");
            assert_eq!(trade.price.units(), units, "{text}");
        }
        for (text, seconds) in [("1760000000123", 1_760_000_000), ("2024-01-01T00:00:10Z", 1_704_067_210), ("soon", 0)]
        {
            let trade = read_trade(&trade_json().replace("\"1760000000\"", &format!("\"{text}\""))).expect("a trade");
            assert_eq!(trade.match_time_s, seconds, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_trade_is_named() {
        for (from, to, name) in [
            ("TRADE_STATUS_MINED", "LOST", "status"),
            ("\"MAKER\"", "\"\"", "trader_side"),
            ("0.58", "1.00006", "price"),
            ("0.42", "0.42001", "maker_orders.price"),
            ("\"0xcccc", "\"cccc", "maker_orders.order_id"),
            ("\"t-1\"", &format!("\"{}\"", "t".repeat(67)), "id"),
        ] {
            let fault = read_trade(&trade_json().replace(from, to)).expect_err("a fault");
            assert!(fault.why.contains(name), "{to}: {fault}");
        }
    }

    #[test]
    fn balances_are_base_units() {
        let read = |json: &str| {
            let balance = decode::<BalanceAllowance>("a balance", json.as_bytes())?.value;
            Ok::<_, RestFault>((collateral(&balance)?, token_balance(&balance)?))
        };
        let both =
            read("{\"balance\":\"12500000\",\"allowances\":{\"0xE1\":\"115792089237316195423570985008687907853\"}}");
        assert_eq!(both, Ok((Usdc::from_micros(12_500_000), Shares::from_micros(12_500_000))));
        for bad in ["\"12.5\"", "\"-1\"", "\"\"", "null", "1e30", "\"99999999999999999999\""] {
            assert!(read(&format!("{{\"balance\":{bad}}}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn words() {
        for (word, status) in [
            ("MATCHED", Some(TradeStatus::Matched)),
            ("MATCHED_NOT_BROADCASTED", Some(TradeStatus::Matched)),
            ("TRADE_STATUS_CONFIRMED", Some(TradeStatus::Confirmed)),
            ("RETRYING", Some(TradeStatus::Retrying)),
            ("FAILED", Some(TradeStatus::Failed)),
            ("", None),
        ] {
            assert_eq!(trade_status(word), status, "{word}");
        }
        assert_eq!(order_status("ORDER_STATUS_LIVE"), VenueOrderStatus::Live);
        assert_eq!(order_status("INVALID"), VenueOrderStatus::Other);
    }
}
