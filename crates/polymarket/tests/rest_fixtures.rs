//! Real and realistic REST payloads of others: each decodes, or stands here with the reason why it does not.

mod common;

use std::fs;

use common::shared;
use oddsmith_domain::{
    FeeSchedule, OrderId, PlaceOutcome, Settlement, SettlementFeed, Shares, Symbol, Tick, UpDownRule,
};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::{data, gamma, rest};
use oddsmith_polymarket::error::{HttpReply, reply};
use oddsmith_polymarket::wire;

/// What a payload is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Book,
    Market,
    MarketsPage,
    GammaMarkets,
    GammaEvents,
    Positions,
    Value,
    DataTrades,
    History,
    OpenOrder,
    OpenOrders,
    Trade,
    Trades,
    Balance,
    Cancel,
    Placement,
    SignedOrder,
    FeeRate,
    /// A request with its response: a placement, or the status of an order.
    Capture,
    /// Not of the venue's REST interface, or read by another module.
    Foreign,
}

use Kind::*;

/// File, what it is, and a part of the fault that reading it to the end gives; `""` when there is none.
const FILES: &[(&str, Kind, &str)] = &[
    // tokens that are no numbers, and a list that is one bare word
    ("chaddy/gamma-markets.json", GammaMarkets, "a JSON array in a string is needed"),
    ("chaddy/orderbook-resync-gap.json", Foreign, ""),
    ("chaddy/polymarket-clob-requests.json", Foreign, ""),
    ("http-captures/manifest.json", Foreign, ""),
    // made-up order ids and bodies of the first protocol version
    ("http-captures/poly_full_fill.json", Capture, "Undecodable"),
    ("http-captures/poly_full_fill_real.json", Capture, ""),
    ("http-captures/poly_insufficient_balance.json", Capture, ""),
    ("http-captures/poly_order_status_full.json", Capture, "is not an order id"),
    ("http-captures/poly_order_status_full_real.json", Capture, ""),
    ("http-captures/poly_order_status_partial.json", Capture, "is not an order id"),
    ("http-captures/poly_partial_fill.json", Capture, "Undecodable"),
    ("http-captures/sample_kalshi_order.json", Foreign, ""),
    ("hugompt/clob_book.json", Book, ""),
    ("hugompt/clob_prices_history.json", History, ""),
    ("hugompt/data_activity.json", DataTrades, ""),
    ("hugompt/data_positions.json", Positions, ""),
    ("hugompt/data_trades.json", DataTrades, ""),
    ("hugompt/data_value.json", Value, ""),
    ("hugompt/gamma_event_crypto_updown.json", GammaEvents, ""),
    ("hugompt/gamma_market_updown.json", GammaMarkets, ""),
    ("hugompt/gamma_markets.json", GammaMarkets, ""),
    ("nautilus/http/book.json", Book, ""),
    // cut down by their author: markets without tokens, or without the names of their outcomes
    ("nautilus/http/event.json", GammaEvents, "two outcome tokens are needed, not 0"),
    ("nautilus/http/events_list.json", GammaEvents, "two outcome tokens are needed, not 0"),
    ("nautilus/http/market.json", Market, ""),
    ("nautilus/http/market_slug.json", GammaMarkets, "2 tokens for 0 outcomes"),
    // a closed market of 2024 whose tokens are empty
    ("nautilus/http/markets.json", MarketsPage, "`` is not a token id"),
    ("nautilus/http/markets_list.json", GammaMarkets, "2 tokens for 0 outcomes"),
    ("nautilus/http/orderbook_history.json", Foreign, ""),
    ("nautilus/http/price_history.json", History, ""),
    ("nautilus/http/trades.json", DataTrades, ""),
    ("nautilus/unit/clob_book_response.json", Book, ""),
    ("nautilus/unit/clob_fee_rate_response_nonzero.json", FeeRate, ""),
    ("nautilus/unit/clob_fee_rate_response_zero.json", FeeRate, ""),
    ("nautilus/unit/clob_market_closed_binary_accepting_false.json", Market, ""),
    ("nautilus/unit/clob_market_closed_binary_accepting_true.json", Market, ""),
    // a made-up condition that is not hexadecimal
    ("nautilus/unit/data_api_positions_response.json", Positions, "is not a condition id"),
    ("nautilus/unit/data_api_trades_response.json", DataTrades, ""),
    ("nautilus/unit/gamma_event.json", GammaEvents, ""),
    ("nautilus/unit/gamma_market.json", GammaMarkets, ""),
    ("nautilus/unit/gamma_market_closed_binary_accepting_false.json", GammaMarkets, ""),
    ("nautilus/unit/gamma_market_closed_binary_accepting_true.json", GammaMarkets, ""),
    ("nautilus/unit/gamma_market_closed_nonbinary_legacy.json", GammaMarkets, ""),
    ("nautilus/unit/gamma_market_closed_zero_zero_legacy.json", GammaMarkets, ""),
    ("nautilus/unit/gamma_market_live.json", GammaMarkets, ""),
    ("nautilus/unit/gamma_market_sports_market_map_handicap.json", GammaMarkets, ""),
    ("nautilus/unit/gamma_market_sports_market_money_line.json", GammaMarkets, ""),
    ("nautilus/unit/gamma_tags.json", Foreign, ""),
    // made-up balances with a point, where the venue sends millionths without one
    ("nautilus/unit/http_balance_allowance_collateral.json", Balance, "digits without a point are needed"),
    ("nautilus/unit/http_balance_allowance_no_allowance.json", Balance, "digits without a point are needed"),
    ("nautilus/unit/http_batch_cancel_response.json", Cancel, ""),
    ("nautilus/unit/http_cancel_response_failed.json", Cancel, ""),
    ("nautilus/unit/http_cancel_response_ok.json", Cancel, ""),
    // made-up order ids of 66 digits
    ("nautilus/unit/http_open_order.json", OpenOrder, "is not an order id"),
    ("nautilus/unit/http_open_order_sell_fok.json", OpenOrder, ""),
    ("nautilus/unit/http_open_orders_page.json", OpenOrders, ""),
    ("nautilus/unit/http_order_response_error_500.json", Placement, "Undecodable"),
    ("nautilus/unit/http_order_response_failed.json", Placement, ""),
    ("nautilus/unit/http_order_response_ok.json", Placement, "Undecodable"),
    ("nautilus/unit/http_signed_order.json", SignedOrder, ""),
    ("nautilus/unit/http_trade_report.json", Trade, "is not an order id"),
    ("nautilus/unit/http_trades_page.json", Trades, "is not an order id"),
    ("nautilus/unit/search_response.json", GammaEvents, ""),
];

fn read(kind: Kind, body: &[u8]) -> Result<String, String> {
    let assets = AssetTable::new();
    let fault = |fault: rest::RestFault| fault.to_string();
    match kind {
        Book => rest::decode::<wire::Book>("a book", body).map(|d| format!("{:?}", d.first_unknown)).map_err(fault),
        Market => {
            let market = rest::decode::<wire::Market>("a market", body).map_err(fault)?;
            let card = rest::markets::market_card(&market.value).map_err(fault)?;
            Ok(format!("{} {:?}", card.slug, market.first_unknown))
        }
        MarketsPage => {
            let page = rest::decode_listing::<wire::Market>("a market", body).map_err(fault)?;
            let cards: Result<Vec<_>, _> = page.items.iter().map(rest::markets::market_card).collect();
            page.faults.into_iter().next().map_or(Ok(()), Err).map_err(fault)?;
            Ok(format!("{} cards", cards.map_err(fault)?.len()))
        }
        GammaMarkets => {
            let page = gamma::markets(body).map_err(fault)?;
            page.faults.into_iter().next().map_or(Ok(()), Err).map_err(fault)?;
            let cards: Result<Vec<_>, _> = page.items.iter().map(gamma::card).collect();
            Ok(format!("{:?}", cards.map_err(fault)?))
        }
        GammaEvents => {
            let page = gamma::events(body).map_err(fault)?;
            page.faults.into_iter().next().map_or(Ok(()), Err).map_err(fault)?;
            let cards: Result<Vec<_>, _> =
                page.items.iter().flat_map(|event| &event.markets).map(gamma::card).collect();
            Ok(format!("{:?}", cards.map_err(fault)?.len()))
        }
        Positions => data::positions(body, &assets).map(|held| format!("{held:?}")).map_err(fault),
        Value => data::value(body).map(|value| value.to_string()).map_err(fault),
        DataTrades => {
            rest::decode::<Vec<wire::DataTrade>>("trades", body).map(|d| format!("{:?}", d.value.len())).map_err(fault)
        }
        History => rest::decode::<wire::PriceHistory>("a history", body)
            .map(|d| format!("{:?}", d.value.history.len()))
            .map_err(fault),
        OpenOrder => {
            let order = rest::decode::<wire::OpenOrder>("an order", body).map_err(fault)?;
            rest::account::open_order(&order.value, &assets).map(|order| format!("{order:?}")).map_err(fault)
        }
        OpenOrders => {
            let page = rest::decode::<wire::Page<wire::OpenOrder>>("orders", body).map_err(fault)?.value;
            let orders: Result<Vec<_>, _> =
                page.data.iter().map(|order| rest::account::open_order(order, &assets)).collect();
            orders.map(|orders| format!("{orders:?}")).map_err(fault)
        }
        Trade => {
            let trade = rest::decode::<wire::Trade>("a trade", body).map_err(fault)?;
            rest::account::trade(&trade.value, &assets).map(|trade| format!("{trade:?}")).map_err(fault)
        }
        Trades => {
            let page = rest::decode::<wire::Page<wire::Trade>>("trades", body).map_err(fault)?.value;
            let trades: Result<Vec<_>, _> =
                page.data.iter().map(|trade| rest::account::trade(trade, &assets)).collect();
            trades.map(|trades| format!("{trades:?}")).map_err(fault)
        }
        Balance => {
            let balance = rest::decode::<wire::BalanceAllowance>("a balance", body).map_err(fault)?;
            rest::account::collateral(&balance.value).map(|usdc| usdc.to_string()).map_err(fault)
        }
        Cancel => {
            let outcome = reply::cancel_scope(&HttpReply { status: 200, retry_after: None, body }).outcome;
            outcome.map(|orders| format!("{orders:?}")).map_err(|cause| format!("{cause:?}"))
        }
        Placement => placement(200, body),
        Capture => capture(body),
        SignedOrder => {
            rest::decode::<wire::SignedOrder>("an order", body).map(|d| format!("{:?}", d.value)).map_err(fault)
        }
        FeeRate => rest::decode::<wire::FeeRate>("a fee rate", body).map(|d| format!("{:?}", d.value)).map_err(fault),
        Foreign => Ok(String::new()),
    }
}

/// An accepted or refused placement, or why it is neither. The order that was sent is the one that is answered.
fn placement(status: u16, body: &[u8]) -> Result<String, String> {
    let answered = serde_json::from_slice::<wire::PostOrderReply>(body).map(|reply| reply.order_id).unwrap_or_default();
    let order = OrderId::parse(&answered).unwrap_or_default();
    match reply::place(&HttpReply { status, retry_after: None, body }, &order).outcome {
        PlaceOutcome::Unknown(cause) => Err(format!("{cause:?}")),
        known => Ok(format!("{known:?}")),
    }
}

fn capture(body: &[u8]) -> Result<String, String> {
    let capture: serde_json::Value = serde_json::from_slice(body).map_err(|fault| fault.to_string())?;
    let text = |pointer: &str| capture.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default();
    let answer = text("/response/body_raw").as_bytes();
    let status = capture.pointer("/response/status").and_then(|status| status.as_u64()).unwrap_or_default();
    match text("/request/method") {
        "POST" => placement(status as u16, answer),
        _ => read(OpenOrder, answer),
    }
}

#[test]
fn every_payload_decodes_or_has_its_reason() {
    let Some(folder) = shared("data/polymarket/fixtures") else { return };
    for (name, kind, fault) in FILES {
        let body = fs::read(folder.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
        match read(*kind, &body) {
            Ok(_) => assert_eq!(*fault, "", "{name} was read"),
            Err(why) => assert!(!fault.is_empty() && why.contains(fault), "{name}: {why}"),
        }
    }
}

#[test]
fn no_payload_is_forgotten() {
    let Some(folder) = shared("data/polymarket/fixtures") else { return };
    for part in ["hugompt", "chaddy", "http-captures", "nautilus/http", "nautilus/unit"] {
        for entry in fs::read_dir(folder.join(part)).expect("a folder") {
            let file = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            // sockets have codecs of their own, and another venue is another venue
            let elsewhere = ["ws_", "rtds_", "kalshi_"].iter().any(|prefix| file.starts_with(prefix));
            if file.ends_with(".json") && !elsewhere {
                let name = format!("{part}/{file}");
                assert!(FILES.iter().any(|(known, _, _)| *known == name), "{name} is not in the table");
            }
        }
    }
}

#[test]
fn a_real_order_and_its_status() {
    let Some(folder) = shared("data/polymarket/fixtures/http-captures") else { return };
    let read = |name: &str| capture(&fs::read(folder.join(name)).expect("a capture")).expect("a decoded capture");
    assert_eq!(read("poly_full_fill_real.json"), "Accepted { status: Matched, trades: [] }");
    let status = read("poly_order_status_full_real.json");
    assert!(status.contains("price: 0.53, original_size: 5, size_matched: 5, status: Matched"), "{status}");
}

#[test]
fn a_real_market_of_gamma_becomes_a_card() {
    let Some(folder) = shared("data/polymarket/fixtures/hugompt") else { return };
    let body = fs::read(folder.join("gamma_market_updown.json")).expect("a market");
    let page = gamma::markets(&body).expect("a page");
    let card = gamma::card(page.items.first().expect("a market")).expect("a card");
    assert_eq!(card.outcomes, ["Up", "Down"]);
    assert_eq!((card.tick, card.min_size), (Some(Tick::Cent), Some(Shares::from_whole(5))));
    assert_eq!(card.end_wall_s, Some(1_782_287_700));
    assert_eq!(card.fee, FeeSchedule::new(70_000, 1, true).ok(), "from feeSchedule, not from takerBaseFee");
    assert!(card.accepting_orders && !card.neg_risk);
}

#[test]
fn real_markets_state_how_they_are_decided() {
    let Some(folder) = shared("data/polymarket/fixtures") else { return };
    let settlement = |file: &str| {
        let body = fs::read(folder.join(file)).expect("a market");
        let page = gamma::markets(&body).expect("a page");
        gamma::card(page.items.first().expect("a market")).expect("a card").settlement
    };
    let rule = |symbol: &str, start_wall_s: u64| {
        Settlement::UpDown(UpDownRule {
            symbol: Symbol::new(symbol).expect("a symbol"),
            feed: SettlementFeed::Chainlink,
            start_wall_s,
            end_wall_s: start_wall_s + 300,
            average_s: 0,
            strike: None,
        })
    };
    // Recorded before the averages began: single prints of a stream.
    assert_eq!(settlement("hugompt/gamma_market_updown.json"), rule("hype", 1_782_287_400));
    assert_eq!(settlement("nautilus/unit/gamma_market.json"), rule("btc", 1_773_307_200));
    for words in ["gamma_market_sports_market_money_line.json", "gamma_market_live.json"] {
        assert!(matches!(settlement(&format!("nautilus/unit/{words}")), Settlement::Words { .. }), "{words}");
    }
}
