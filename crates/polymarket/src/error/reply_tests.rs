//! Every text of the venue, and what each answer proves.

use oddsmith_domain::RefusalCode as Code;
use proptest::prelude::*;

use super::super::text::text_code;
use super::*;

const ID: OrderId = OrderId([0xab; 32]);

fn answer(status: u16, body: &str) -> PlaceOutcome {
    place(&HttpReply { status, retry_after: None, body: body.as_bytes() }, &ID).outcome
}

fn error(status: u16, text: &str) -> PlaceOutcome {
    answer(status, &serde_json::to_string(&ErrorBody::of(text)).expect("JSON"))
}

/// `None`: nobody knows.
fn refused(outcome: &PlaceOutcome) -> Option<Code> {
    match outcome {
        PlaceOutcome::Refused { code, .. } => Some(*code),
        PlaceOutcome::Unknown(_) => None,
        other => panic!("neither refused nor unknown: {other:?}"),
    }
}

/// Every text of section 7.2 and 7.3: the status with which it comes, its code, and whether it proves a refusal.
const TABLE: &[(u16, &str, Code, bool)] = &[
    (400, "Invalid order payload", Code::InvalidPayload, true),
    (400, "the order owner has to be the owner of the API KEY", Code::Unauthorized, true),
    (400, "the order signer address has to be the address of the API KEY", Code::Unauthorized, true),
    (400, "maker address not allowed, please use the deposit wallet flow", Code::AccountRestricted, true),
    (400, "'0xf39F' address banned", Code::AccountRestricted, true),
    (400, "'0xf39F' address in closed only mode", Code::AccountRestricted, true),
    (400, "order_version_mismatch", Code::VersionMismatch, true),
    (400, "Too many orders in payload: 16, max allowed: 15", Code::InvalidPayload, true),
    (400, "invalid post-only order: order crosses book", Code::PostOnlyWouldCross, true),
    (400, "order 0xab is invalid. Price (0.505) breaks minimum tick size rule: 0.01", Code::InvalidPrice, true),
    (400, "order 0xab is invalid. Size (1) lower than the minimum: 5", Code::MinSize, true),
    (400, "order 0xab is invalid. Duplicated.", Code::Duplicate, false),
    (400, "order 0xab crosses the book", Code::PostOnlyWouldCross, true),
    (400, "not enough balance / allowance", Code::InsufficientBalance, true),
    (
        400,
        "not enough balance / allowance: the balance is not enough -> balance: 1, order amount: 2",
        Code::InsufficientBalance,
        true,
    ),
    (400, "the allowance is not enough -> spender: 0xE1, allowance: 0", Code::InsufficientBalance, true),
    (400, "invalid expiration", Code::InvalidExpiration, true),
    (400, "invalid nonce", Code::InvalidPayload, true),
    (400, "order canceled in the CTF exchange contract", Code::Other, true),
    (400, "order match delayed due to market conditions", Code::Other, false),
    (400, "order couldn't be fully filled. FOK orders are fully filled or killed.", Code::FokNotFilled, true),
    (
        400,
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        Code::FakNotFilled,
        true,
    ),
    (400, "the market is not yet ready to process new orders", Code::MarketNotReady, true),
    (500, "order timed out", Code::Other, false),
    (500, "could not insert order", Code::Other, false),
    (500, "there are no matching orders", Code::FakNotFilled, false),
    (500, "FOK orders are filled or killed", Code::FokNotFilled, false),
    (500, "the trade contains rounding issues", Code::Other, false),
    (
        500,
        "the price of the taker's order has a discrepancy greater than allowed with the worst maker order",
        Code::Other,
        false,
    ),
    (500, "Internal server error", Code::Other, false),
    (400, "Invalid orderID", Code::InvalidPayload, true),
    (400, "Too many orders in payload, max allowed: 1000", Code::InvalidPayload, true),
    (400, "Invalid token id", Code::InvalidPayload, true),
    (400, "Invalid side", Code::InvalidPayload, true),
    (400, "Invalid payload", Code::InvalidPayload, true),
    (400, "Payload exceeds the limit", Code::InvalidPayload, true),
    (400, "Invalid market", Code::InvalidPayload, true),
    (404, "No orderbook exists for the requested token id", Code::MarketNotReady, true),
    (404, "market not found", Code::MarketNotReady, true),
    (400, "Invalid asset type", Code::InvalidPayload, true),
    (400, "Invalid signature_type", Code::InvalidPayload, true),
    (400, "Invalid trade params payload", Code::InvalidPayload, true),
    (400, "invalid order params payload", Code::InvalidPayload, true),
    (400, "Could not create api key", Code::Unauthorized, true),
    (400, "Could not derive api key!", Code::Unauthorized, true),
    (401, "Unauthorized/Invalid api key", Code::Unauthorized, true),
    (401, "Invalid L1 Request headers", Code::Unauthorized, true),
    (429, "Too Many Requests", Code::RateLimited, true),
    (425, "", Code::EngineRestarting, true),
    (425, "anything", Code::EngineRestarting, true),
    (503, "Trading is currently disabled. Check polymarket.com for updates", Code::TradingDisabled, true),
    (
        503,
        "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
        Code::CancelOnlyMode,
        true,
    ),
    (503, "post-only mode: only post-only orders and cancels are allowed", Code::PostOnlyMode, true),
    (503, "upstream connect error", Code::Other, false),
    (400, "context canceled", Code::Other, false),
];

#[test]
fn every_text_of_the_protocol_file() {
    for &(status, text, code, proves) in TABLE {
        assert_eq!(refusal_code(status, text), code, "{text}");
        assert_eq!(refused(&error(status, text)), proves.then_some(code), "{status} {text}");
    }
}

#[test]
fn the_same_texts_with_status_200() {
    // A batch answers 200 with a text for each order; what a text proves does not depend on the status then, except that
    // the engine's own errors are told apart from the crash of a server.
    for &(_, text, _, _) in TABLE.iter().filter(|row| !row.1.is_empty()) {
        let body = format!("{{\"success\":true,\"errorMsg\":{text:?},\"orderID\":\"\",\"status\":\"\"}}");
        let expected = if is_doubtful(text) { None } else { Some(text_code(text)) };
        assert_eq!(refused(&answer(200, &body)), expected, "{text}");
    }
}

#[test]
fn an_accepted_order() {
    let body = |id: &str, status: &str, more: &str| {
        format!("{{\"success\":true,\"errorMsg\":\"\",\"orderID\":\"{id}\",\"status\":\"{status}\"{more}}}")
    };
    let id = ID.to_string();
    for (word, status) in [
        ("live", VenueOrderStatus::Live),
        ("matched", VenueOrderStatus::Matched),
        ("delayed", VenueOrderStatus::Delayed),
        ("unmatched", VenueOrderStatus::Unmatched),
        ("ORDER_STATUS_LIVE", VenueOrderStatus::Live),
        ("CANCELED_MARKET_RESOLVED", VenueOrderStatus::Canceled),
        ("brand new", VenueOrderStatus::Other),
        ("", VenueOrderStatus::Other),
    ] {
        assert_eq!(answer(200, &body(&id, word, "")), PlaceOutcome::Accepted { status, trades: vec![] });
    }
    let matched =
        answer(200, &body(&id.to_uppercase().replace("0X", "0x"), "matched", ",\"tradeIDs\":[\"t-1\"],\"new\":1"));
    let trades = vec![TradeId::parse("t-1").expect("an id")];
    assert_eq!(matched, PlaceOutcome::Accepted { status: VenueOrderStatus::Matched, trades });
    let undecodable = PlaceOutcome::Unknown(UnknownCause::Undecodable);
    assert_eq!(answer(200, &body(&OrderId([1; 32]).to_string(), "live", "")), undecodable, "another order's id");
    assert_eq!(answer(200, &body("", "live", "")), undecodable);
    assert_eq!(answer(200, &body(&id, "live", ",\"tradeIDs\":7")), undecodable);
}

#[test]
fn answers_that_prove_nothing() {
    let undecodable = PlaceOutcome::Unknown(UnknownCause::Undecodable);
    for body in
        ["", "null", "[]", "{}", "\"OK\"", "<html>", "{\"success\":true", "{\"success\":1}", "{\"error\":\"x\"}"]
    {
        assert_eq!(answer(200, body), undecodable, "{body}");
    }
    assert_eq!(answer(200, "{\"success\":false,\"errorMsg\":\"\",\"orderID\":\"\"}"), undecodable);
    let both = format!("{{\"success\":true,\"errorMsg\":\"invalid nonce\",\"orderID\":\"{ID}\"}}");
    assert_eq!(answer(200, &both), PlaceOutcome::Unknown(UnknownCause::Status(200)));
    for status in [0, 100, 301, 302, 408, 499, 500, 502, 503, 504, 520, 522, 999] {
        for body in ["", "<html>bad gateway</html>", "{\"error\":\"Invalid order payload\"}"] {
            assert_eq!(answer(status, body), PlaceOutcome::Unknown(UnknownCause::Status(status)), "{status} {body}");
        }
    }
}

#[test]
fn refusals_without_the_venues_words() {
    for (status, code) in [
        (400, Code::Other),
        (401, Code::Unauthorized),
        (403, Code::AccountRestricted),
        (404, Code::Other),
        (405, Code::Other),
        (413, Code::InvalidPayload),
        (425, Code::EngineRestarting),
        (429, Code::RateLimited),
    ] {
        let outcome = answer(status, "<html>\u{7}Attention Required</html>");
        let text = String::from("<html>Attention Required</html>");
        assert_eq!(outcome, PlaceOutcome::Refused { code, text });
    }
    let nulls = "{\"success\":false,\"orderID\":null,\"errorMsg\":\"Insufficient balance\"}";
    assert_eq!(refused(&answer(200, nulls)), Some(Code::InsufficientBalance));
}

#[test]
fn modes_and_waiting_times() {
    let read = |status, retry_after, body: &str| {
        let reply = place(&HttpReply { status, retry_after, body: body.as_bytes() }, &ID);
        (reply.mode, reply.retry_after_ms)
    };
    assert_eq!(read(425, Some("1"), ""), (Some(VenueMode::Restarting), Some(1_000)));
    assert_eq!(read(429, Some(" 0.5 "), "{\"error\":\"Too Many Requests\"}"), (None, Some(500)));
    let post_only = "{\"error\":\"post-only mode: only post-only orders and cancels are allowed\",\"code\":\"post_only_mode\",\"retry_after_seconds\":120}";
    assert_eq!(read(503, None, post_only), (Some(VenueMode::PostOnly), Some(120_000)));
    assert_eq!(read(503, Some("7"), post_only), (Some(VenueMode::PostOnly), Some(7_000)));
    let disabled = "{\"error\":\"Trading is currently disabled. Check polymarket.com for updates\"}";
    assert_eq!(read(503, None, disabled), (Some(VenueMode::Disabled), None));
    // a body that is the bare text
    let bare = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.";
    assert_eq!(read(503, None, bare), (Some(VenueMode::CancelOnly), None));
    for (text, ms) in [
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("", None),
        ("1e9", None),
        ("99999999999999999999", None),
        ("9999999", Some(3_600_000)),
    ] {
        assert_eq!(retry_after_ms(text), ms, "{text}");
    }
}

#[test]
fn batches_keep_their_order() {
    let other = OrderId([2; 32]);
    let batch = |status, body: &str| {
        place_batch(&HttpReply { status, retry_after: None, body: body.as_bytes() }, &[ID, other]).outcome
    };
    let live = format!("{{\"success\":true,\"errorMsg\":\"\",\"orderID\":\"{ID}\",\"status\":\"live\"}}");
    let failed = "{\"success\":true,\"errorMsg\":\"invalid nonce\",\"orderID\":\"\",\"status\":\"\"}";
    let mixed = batch(200, &format!("[{live},{failed}]"));
    assert_eq!(mixed[0], PlaceOutcome::Accepted { status: VenueOrderStatus::Live, trades: vec![] });
    assert_eq!(refused(&mixed[1]), Some(Code::InvalidPayload));
    let unknown = PlaceOutcome::Unknown(UnknownCause::Undecodable);
    for body in [format!("[{live}]"), format!("[{live},{failed},{failed}]"), live.clone(), String::from("[]")] {
        assert_eq!(batch(200, &body), [unknown.clone(), unknown.clone()], "{body}");
    }
    assert_eq!(batch(200, &format!("[{live},7]"))[1], unknown);
    // swapped entries carry the wrong ids
    assert_eq!(batch(200, &format!("[{failed},{live}]"))[1], unknown);
    let all = batch(400, "{\"error\":\"Too many orders in payload: 16, max allowed: 15\"}");
    assert!(all.iter().all(|outcome| refused(outcome) == Some(Code::InvalidPayload)) && all.len() == 2);
}

#[test]
fn cancels() {
    let one = |status, body: &str| cancel(&HttpReply { status, retry_after: None, body: body.as_bytes() }, &ID).outcome;
    assert_eq!(one(200, &format!("{{\"canceled\":[\"{ID}\"],\"not_canceled\":{{}}}}")), CancelOutcome::Canceled);
    for (why, gone) in [
        ("already canceled or matched", true),
        ("order not found", true),
        ("the order is already canceled", true),
        ("delayed orders cannot be canceled", false),
    ] {
        let outcome = one(200, &format!("{{\"canceled\":[],\"not_canceled\":{{\"{ID}\":\"{why}\"}}}}"));
        let text = why.to_owned();
        assert_eq!(outcome, if gone { CancelOutcome::Gone(text) } else { CancelOutcome::Refused(text) });
    }
    let unknown = CancelOutcome::Unknown(UnknownCause::Undecodable);
    for body in ["", "{}", "{\"canceled\":null,\"not_canceled\":null}", "[]"] {
        assert_eq!(one(200, body), unknown, "{body}");
    }
    assert_eq!(one(404, "{\"error\":\"order not found\"}"), CancelOutcome::Gone(String::from("order not found")));
    assert_eq!(one(400, "{\"error\":\"Invalid orderID\"}"), CancelOutcome::Refused(String::from("Invalid orderID")));
    assert_eq!(one(500, "{\"error\":\"x\"}"), CancelOutcome::Unknown(UnknownCause::Status(500)));

    let scope =
        |status, body: &str| cancel_scope(&HttpReply { status, retry_after: None, body: body.as_bytes() }).outcome;
    let both = format!("{{\"canceled\":[\"{ID}\"],\"notCanceled\":{{\"{ID}\":\"why\"}}}}");
    let expected = CanceledOrders { canceled: vec![ID], not_canceled: vec![(ID, String::from("why"))] };
    assert_eq!(scope(200, &both), Ok(expected));
    assert_eq!(scope(200, "{\"canceled\":[\"0x12\"]}"), Err(UnknownCause::Undecodable));
    assert_eq!(scope(503, "{}"), Err(UnknownCause::Status(503)));
}

#[test]
fn heartbeats() {
    let beat = |status, body: &str| heartbeat(&HttpReply { status, retry_after: None, body: body.as_bytes() }).outcome;
    assert_eq!(beat(200, "{\"heartbeat_id\":\"a\"}"), HeartbeatOutcome::Accepted(String::from("a")));
    let wrong = "{\"error_msg\":\"Invalid Heartbeat ID\",\"heartbeat_id\":\"b\"}";
    assert_eq!(beat(400, wrong), HeartbeatOutcome::Expected(String::from("b")));
    assert_eq!(beat(200, wrong), HeartbeatOutcome::Expected(String::from("b")));
    assert_eq!(beat(400, "{\"error\":\"x\"}"), HeartbeatOutcome::Unknown(UnknownCause::Status(400)));
    assert_eq!(beat(200, "{}"), HeartbeatOutcome::Unknown(UnknownCause::Undecodable));
    assert_eq!(beat(500, "{\"heartbeat_id\":\"a\"}"), HeartbeatOutcome::Unknown(UnknownCause::Status(500)));
}

proptest! {
    #[test]
    fn any_answer_has_a_result(status: u16, header in ".{0,20}", body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let reply = HttpReply { status, retry_after: Some(&header), body: &body };
        let accepted = matches!(place(&reply, &ID).outcome, PlaceOutcome::Accepted { .. });
        prop_assert!(!accepted);
        prop_assert!(cancel(&reply, &ID).outcome != CancelOutcome::Canceled);
        prop_assert_eq!(place_batch(&reply, &[ID, ID]).outcome.len(), 2);
        let _ = (cancel_scope(&reply), heartbeat(&reply));
    }
}
