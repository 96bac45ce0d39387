//! Tests of the outbox: order, budgets, and one result for every action.

use std::collections::BTreeMap;

use oddsmith_domain::{
    Address, AssetId, ExchangeKind, InstanceId, IntentId, OrderFields, OrderType, Price, Shares, Side, SignatureType,
    TokenId, VenueOrderStatus,
};
use proptest::prelude::*;

use super::*;
use crate::AssetTable;
use crate::error::HttpReply;

const FREE: FreeConnections = FreeConnections { orders: 4, cancels: 2 };

fn at(ms: u64) -> Time {
    Time::default().plus_ns(ms * Time::MILLI)
}

fn id(n: u8) -> OrderId {
    OrderId([n; 32])
}

fn place(n: u8, market: u32, deadline_ms: u64) -> Action {
    Action::Place(Box::new(PlaceOrder {
        id: id(n),
        fields: OrderFields {
            salt: u64::from(n),
            maker: Address::default(),
            signer: Address::default(),
            token: TokenId::from_be_bytes([1; 32]),
            maker_amount: 1,
            taker_amount: 1,
            side: Side::Buy,
            signature_type: SignatureType::Eoa,
            timestamp_ms: 0,
            metadata: [0; 32],
            builder: [0; 32],
        },
        exchange: ExchangeKind::Ctf,
        order_type: OrderType::Gtc,
        post_only: true,
        expiration_s: 0,
        asset: AssetId(market * 2),
        price: Price::ZERO,
        size: Shares::ZERO,
        instance: InstanceId(0),
        intent: IntentId(0),
        deadline_mono_ns: deadline_ms * Time::MILLI,
    }))
}

fn cancel(n: u8) -> Action {
    Action::Cancel { order: id(n), asset: AssetId(0) }
}

fn outbox() -> Outbox {
    let mut outbox = Outbox::new(OutboxSettings::default(), 1, at(0));
    for market in 0..3 {
        outbox.set_market(MarketId(market), ConditionId::parse(&format!("0x0{market}")).expect("a condition"));
    }
    outbox
}

fn results(outbox: &mut Outbox) -> Vec<GatewayInput> {
    std::iter::from_fn(|| outbox.poll_result()).collect()
}

fn answer(outbox: &mut Outbox, request: RequestId, status: u16, body: &str, now: Time) {
    let reply = HttpReply { status, retry_after: None, body: body.as_bytes() };
    outbox.on_response(request, &reply, &AssetTable::new(), now);
}

fn placed(action: u64, outcome: PlaceOutcome) -> GatewayInput {
    GatewayInput { action: ActionSeq(action), outcome: GatewayOutcome::Place(outcome) }
}

fn accepted(n: u8) -> String {
    format!(r#"{{"success":true,"errorMsg":"","orderID":"{}","status":"live"}}"#, id(n))
}

#[test]
fn placements_of_one_turn_share_a_request_up_to_fifteen() {
    let mut outbox = outbox();
    for n in 1..=17 {
        outbox.submit(ActionSeq(u64::from(n)), place(n, 0, 5_000), at(0));
    }
    let first = outbox.next_request(FREE, at(0)).expect("a request");
    let RequestBody::Orders(orders) = &first.body else { panic!("a batch") };
    assert_eq!((first.endpoint, orders.len()), (Endpoint::PlaceBatch, 15));
    assert_eq!(first.actions, (1..=15).map(ActionSeq).collect::<Vec<_>>());
    let second = outbox.next_request(FREE, at(0)).expect("a request");
    assert_eq!(second.actions, [ActionSeq(16), ActionSeq(17)]);
    assert!(outbox.next_request(FREE, at(0)).is_none());
    answer(&mut outbox, second.id, 200, &format!("[{},{}]", accepted(16), accepted(17)), at(1));
    let live = PlaceOutcome::Accepted { status: VenueOrderStatus::Live, trades: vec![] };
    assert_eq!(results(&mut outbox), [placed(16, live.clone()), placed(17, live)]);
    answer(&mut outbox, second.id, 200, "[]", at(2));
    assert_eq!(results(&mut outbox), [], "an answer that nobody waits for decides nothing");
}

/// GW02: fifty placements wait, and cancel-all is the next request all the same.
#[test]
fn cancel_all_jumps_the_queue_and_clears_it() {
    let mut outbox = outbox();
    for n in 1..=50 {
        outbox.submit(ActionSeq(u64::from(n)), place(n, u32::from(n) % 3, 5_000), at(0));
    }
    outbox.submit(ActionSeq(51), cancel(77), at(0));
    outbox.submit(ActionSeq(52), Action::CancelAll, at(0));
    let cleared = results(&mut outbox);
    assert_eq!(cleared.len(), 50);
    assert!(cleared.iter().all(|r| r.outcome == GatewayOutcome::Place(PlaceOutcome::NotSent(UnknownCause::Cleared))));
    // with the reserved connection only, and without any budget
    outbox.cancel_budget.force(500, at(0));
    let request = outbox.next_request(FreeConnections { orders: 0, cancels: 1 }, at(0)).expect("a request");
    assert_eq!((request.endpoint, request.channel), (Endpoint::CancelAll, Channel::Cancels));
    assert!(outbox.next_request(FREE, at(0)).is_none(), "the single cancel has no budget");
    outbox.submit(ActionSeq(53), place(90, 1, 5_000), at(0));
    outbox.cancel_budget = TokenBucket::new(80, 120, at(0));
    assert_eq!(outbox.next_request(FREE, at(0)).expect("the cancel").endpoint, Endpoint::Cancel);
    assert!(outbox.next_request(FREE, at(0)).is_none(), "no placement overtakes the cancel-all");
    answer(&mut outbox, request.id, 200, &format!(r#"{{"canceled":["{}"],"not_canceled":{{}}}}"#, id(9)), at(1));
    let [GatewayInput { action: ActionSeq(52), outcome: GatewayOutcome::CancelScope(Ok(canceled)) }] =
        &results(&mut outbox)[..]
    else {
        panic!("the cancel-all's result");
    };
    assert_eq!(canceled.canceled, [id(9)]);
    assert_eq!(outbox.next_request(FREE, at(1)).expect("now").endpoint, Endpoint::Place);
}

#[test]
fn a_market_is_cleared_without_touching_another() {
    let mut outbox = outbox();
    outbox.submit(ActionSeq(1), place(1, 1, 5_000), at(0));
    outbox.submit(ActionSeq(2), place(2, 2, 5_000), at(0));
    outbox.submit(ActionSeq(3), Action::CancelMarket { market: MarketId(1) }, at(0));
    assert_eq!(results(&mut outbox), [placed(1, PlaceOutcome::NotSent(UnknownCause::Cleared))]);
    let request = outbox.next_request(FREE, at(0)).expect("a request");
    assert_eq!(request.body, RequestBody::Json(r#"{"market":"0x01","asset_id":""}"#.into()));
    assert_eq!(outbox.next_request(FREE, at(0)).expect("the other market").actions, [ActionSeq(2)]);
    outbox.submit(ActionSeq(4), place(3, 1, 5_000), at(0));
    assert!(outbox.next_request(FREE, at(0)).is_none(), "the market is being cleared");
    outbox.submit(ActionSeq(5), Action::CancelMarket { market: MarketId(9) }, at(0));
    assert!(matches!(
        results(&mut outbox)[..],
        [GatewayInput { action: ActionSeq(5), outcome: GatewayOutcome::CancelScope(Err(_)) }]
    ));
}

#[test]
fn wishes_for_the_same_scope_are_one_request() {
    let mut outbox = outbox();
    outbox.submit(ActionSeq(1), Action::CancelMarket { market: MarketId(0) }, at(0));
    outbox.submit(ActionSeq(2), Action::CancelAll, at(0));
    outbox.submit(ActionSeq(3), Action::CancelAll, at(0));
    let request = outbox.next_request(FREE, at(0)).expect("a request");
    assert_eq!((request.endpoint, request.actions), (Endpoint::CancelAll, vec![ActionSeq(2), ActionSeq(3)]));
    answer(&mut outbox, request.id, 500, "", at(1));
    let expected = GatewayOutcome::CancelScope(Err(UnknownCause::Status(500)));
    let expected = [2, 3].map(|n| GatewayInput { action: ActionSeq(n), outcome: expected.clone() });
    assert_eq!(results(&mut outbox), expected);
}

#[test]
fn cancels_leave_first_together_and_never_before_their_placement() {
    let mut outbox = outbox();
    outbox.submit(ActionSeq(1), place(1, 0, 5_000), at(0));
    let placement = outbox.next_request(FREE, at(0)).expect("a request");
    outbox.submit(ActionSeq(2), place(2, 0, 5_000), at(0));
    outbox.submit(ActionSeq(3), cancel(1), at(0));
    outbox.submit(ActionSeq(4), cancel(8), at(0));
    outbox.submit(ActionSeq(5), cancel(9), at(0));
    let cancels = outbox.next_request(FREE, at(0)).expect("a request");
    assert_eq!((cancels.endpoint, cancels.actions), (Endpoint::CancelBatch, vec![ActionSeq(4), ActionSeq(5)]));
    assert_eq!(outbox.next_request(FREE, at(0)).expect("then placements").actions, [ActionSeq(2)]);
    assert!(outbox.next_request(FREE, at(0)).is_none(), "the first order's fate is open");
    answer(&mut outbox, placement.id, 200, &accepted(1), at(1));
    let held = outbox.next_request(FREE, at(1)).expect("a request");
    assert_eq!(held.body, RequestBody::Json(format!(r#"{{"orderID":"{}"}}"#, id(1))));
    answer(
        &mut outbox,
        cancels.id,
        200,
        &format!(r#"{{"canceled":["{}"],"not_canceled":{{"{}":"order not found"}}}}"#, id(8), id(9)),
        at(2),
    );
    let outcomes: Vec<_> = results(&mut outbox).into_iter().skip(1).map(|r| r.outcome).collect();
    let gone = CancelOutcome::Gone("order not found".into());
    assert_eq!(outcomes, [GatewayOutcome::Cancel(CancelOutcome::Canceled), GatewayOutcome::Cancel(gone)]);
}

#[test]
fn cancelling_what_has_not_left_needs_no_venue() {
    let mut outbox = outbox();
    outbox.submit(ActionSeq(1), place(1, 0, 5_000), at(0));
    outbox.submit(ActionSeq(2), cancel(1), at(0));
    let results = results(&mut outbox);
    assert_eq!(results[0], placed(1, PlaceOutcome::NotSent(UnknownCause::Cleared)));
    assert!(matches!(&results[1].outcome, GatewayOutcome::Cancel(CancelOutcome::Gone(_))));
    assert!(outbox.next_request(FREE, at(0)).is_none() && outbox.is_idle());
}

#[test]
fn the_last_reserved_connection_is_for_scopes() {
    let mut outbox = outbox();
    outbox.submit(ActionSeq(1), cancel(1), at(0));
    assert!(outbox.next_request(FreeConnections { orders: 0, cancels: 1 }, at(0)).is_none());
    let request = outbox.next_request(FreeConnections { orders: 1, cancels: 1 }, at(0)).expect("a request");
    assert_eq!(request.channel, Channel::Orders);
    outbox.submit(ActionSeq(2), cancel(2), at(0));
    let request = outbox.next_request(FreeConnections { orders: 0, cancels: 2 }, at(0)).expect("a request");
    assert_eq!(request.channel, Channel::Cancels);
}

#[test]
fn an_order_that_comes_too_late_is_not_sent() {
    let mut outbox = outbox();
    outbox.submit(ActionSeq(1), place(1, 0, 100), at(0));
    assert!(outbox.next_request(FreeConnections::default(), at(0)).is_none());
    assert_eq!(outbox.next_deadline(at(0)), Some(at(100).mono_ns));
    assert!(outbox.next_request(FREE, at(100)).is_none());
    assert_eq!(results(&mut outbox), [placed(1, PlaceOutcome::NotSent(UnknownCause::Deadline))]);
}

#[test]
fn budgets_hold_and_orders_keep_a_reserve_for_their_cancels() {
    let mut outbox = Outbox::new(OutboxSettings { place_batch: 1, ..OutboxSettings::default() }, 1, at(0));
    for n in 0..80 {
        outbox.submit(ActionSeq(u64::from(n)), place(n, 0, 60_000), at(0));
    }
    let sent = |outbox: &mut Outbox, now| std::iter::from_fn(|| outbox.next_request(FREE, now)).count();
    assert_eq!(sent(&mut outbox, at(0)), 58);
    assert_eq!(outbox.next_deadline(at(0)), Some(at(25).mono_ns));
    assert_eq!(sent(&mut outbox, at(100)), 4);
    outbox.cancel_budget.force(118, at(100));
    assert_eq!(sent(&mut outbox, at(200)), 0, "what cannot be cancelled is not placed");
    assert_eq!(sent(&mut outbox, at(350)), 10);
    // whose deadline is before the budget's return need not wait for it
    outbox.submit(ActionSeq(100), place(200, 0, 360), at(350));
    outbox.on_time(at(350));
    assert_eq!(results(&mut outbox), [placed(100, PlaceOutcome::NotSent(UnknownCause::RateBudget))]);
}

#[test]
fn too_many_requests_pause_placements_longer_and_longer_but_not_cancel_all() {
    let mut outbox = outbox();
    let (mut now, mut pauses) = (at(0), Vec::new());
    for n in 1..=3 {
        outbox.submit(ActionSeq(u64::from(n)), place(n, 0, 600_000), now);
        let request = outbox.next_request(FREE, now).expect("a request");
        answer(&mut outbox, request.id, 429, r#"{"error":"Too Many Requests"}"#, now);
        pauses.push((outbox.order_pause.until - now.mono_ns) / Time::MILLI);
        outbox.submit(ActionSeq(u64::from(n) + 100), place(n + 100, 0, 600_000), now);
        assert!(outbox.next_request(FREE, now).is_none());
        outbox.submit(ActionSeq(u64::from(n) + 200), Action::CancelAll, now);
        let request = outbox.next_request(FREE, now).expect("the cancel-all");
        answer(&mut outbox, request.id, 200, "{}", now);
        now = Time { mono_ns: outbox.order_pause.until, ..now };
    }
    let refused = results(&mut outbox);
    assert!(matches!(&refused[0].outcome, GatewayOutcome::Place(PlaceOutcome::Refused { .. })));
    for (pause, full) in pauses.iter().zip([2_000, 4_000, 8_000]) {
        assert!((full / 2..=full).contains(pause), "{pauses:?}");
    }
}

#[test]
fn the_same_order_is_never_sent_twice() {
    let mut outbox = outbox();
    outbox.submit(ActionSeq(1), place(1, 0, 5_000), at(0));
    outbox.submit(ActionSeq(2), place(1, 0, 5_000), at(0));
    let request = outbox.next_request(FREE, at(0)).expect("a request");
    assert!(outbox.next_request(FREE, at(0)).is_none());
    answer(&mut outbox, request.id, 200, &accepted(1), at(1));
    outbox.submit(ActionSeq(3), place(1, 0, 5_000), at(2));
    let outcomes: Vec<_> = results(&mut outbox).into_iter().map(|r| (r.action.0, r.outcome)).collect();
    let live = GatewayOutcome::Place(PlaceOutcome::Accepted { status: VenueOrderStatus::Live, trades: vec![] });
    assert_eq!(outcomes, [(2, live.clone()), (1, live.clone()), (3, live)]);
    // and forgotten after five minutes, in bounded memory
    outbox.on_time(at(300_001));
    assert!(outbox.remembered.is_empty() && outbox.remembered_since.is_empty());
}

#[test]
fn silence_is_unknown_and_its_connection_is_given_up() {
    let mut outbox = outbox();
    outbox.submit(ActionSeq(1), place(1, 0, 5_000), at(0));
    let request = outbox.next_request(FREE, at(0)).expect("a request");
    outbox.on_time(at(2_999));
    assert_eq!(results(&mut outbox), []);
    outbox.on_time(at(3_000));
    assert_eq!(outbox.poll_output(), Some(OutboxOutput::Abandon(request.id)));
    assert_eq!(results(&mut outbox), [placed(1, PlaceOutcome::Unknown(UnknownCause::Timeout))]);
}

#[test]
fn heartbeats_chain_their_ids_and_correct_them_once() {
    let mut outbox = outbox();
    let beat = |outbox: &mut Outbox, seq| {
        outbox.submit(ActionSeq(seq), Action::Heartbeat, at(0));
        outbox.next_request(FREE, at(0)).expect("a request")
    };
    let json = |id: &str| RequestBody::Json(format!(r#"{{"heartbeat_id":"{id}"}}"#));
    let first = beat(&mut outbox, 1);
    assert_eq!((&first.body, first.path.as_ref()), (&json(""), "/v1/heartbeats"));
    answer(&mut outbox, first.id, 200, r#"{"heartbeat_id":"a"}"#, at(1));
    let second = beat(&mut outbox, 2);
    assert_eq!(second.body, json("a"));
    answer(&mut outbox, second.id, 400, r#"{"error_msg":"Invalid Heartbeat ID","heartbeat_id":"b"}"#, at(2));
    let again = outbox.next_request(FREE, at(2)).expect("once more");
    assert_eq!((&again.body, &again.actions[..]), (&json("b"), &[ActionSeq(2)][..]));
    answer(&mut outbox, again.id, 400, r#"{"error_msg":"Invalid Heartbeat ID","heartbeat_id":"c"}"#, at(3));
    assert!(outbox.next_request(FREE, at(3)).is_none());
    let outcomes: Vec<_> = results(&mut outbox).into_iter().map(|r| r.outcome).collect();
    let refused = GatewayOutcome::Heartbeat(Err(UnknownCause::Status(400)));
    assert_eq!(outcomes, [GatewayOutcome::Heartbeat(Ok(())), refused]);
}

#[test]
fn a_query_tells_nothing_from_doubt() {
    let mut outbox = outbox();
    let open = format!(
        r#"{{"id":"{}","status":"LIVE","market":"0x0","asset_id":"1","side":"BUY","original_size":"10","size_matched":"2.5","price":"0.5"}}"#,
        id(1)
    );
    let stranger = open.replace(&id(1).to_string(), &id(2).to_string());
    for (status, body, expected) in [
        (200, open.as_str(), Ok(true)),
        (200, "null", Ok(false)),
        (404, r#"{"error":"order not found"}"#, Ok(false)),
        (200, stranger.as_str(), Err(UnknownCause::Undecodable)),
        (200, "<html>", Err(UnknownCause::Undecodable)),
        (502, "", Err(UnknownCause::Status(502))),
    ] {
        outbox.submit(ActionSeq(1), Action::Query { order: id(1) }, at(0));
        let request = outbox.next_request(FREE, at(0)).expect("a request");
        assert_eq!(request.path, format!("/data/order/{}", id(1)));
        answer(&mut outbox, request.id, status, body, at(1));
        let [GatewayInput { outcome: GatewayOutcome::Query(found), .. }] = &results(&mut outbox)[..] else {
            panic!("one result");
        };
        assert_eq!(found.as_ref().map(Option::is_some).map_err(|cause| *cause), expected, "{body}");
    }
}

#[test]
fn a_full_queue_says_so() {
    let settings = OutboxSettings { max_queued_placements: 1, max_queued: 1, ..OutboxSettings::default() };
    let mut outbox = Outbox::new(settings, 1, at(0));
    for n in 1..=2 {
        outbox.submit(ActionSeq(u64::from(n)), place(n, 0, 5_000), at(0));
        outbox.submit(ActionSeq(u64::from(n) + 10), cancel(n + 50), at(0));
        outbox.submit(ActionSeq(u64::from(n) + 20), Action::Heartbeat, at(0));
    }
    let outcomes: Vec<_> = results(&mut outbox).into_iter().map(|r| (r.action.0, r.outcome)).collect();
    assert_eq!(
        outcomes,
        [
            (2, GatewayOutcome::Place(PlaceOutcome::NotSent(UnknownCause::QueueFull))),
            (12, GatewayOutcome::Cancel(CancelOutcome::NotSent(UnknownCause::QueueFull))),
            (22, GatewayOutcome::Heartbeat(Err(UnknownCause::QueueFull))),
        ]
    );
}

/// What can happen to an outbox, in any order.
#[derive(Clone, Debug)]
enum Step {
    Submit(u8, u8),
    Send(usize, usize),
    Answer(usize, u16, bool),
    Fail(usize, bool),
    Fetched(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0u8..8, any::<u8>()).prop_map(|(kind, n)| Step::Submit(kind, n % 40)),
        4 => (0usize..3, 0usize..3).prop_map(|(orders, cancels)| Step::Send(orders, cancels)),
        3 => (0usize..8, prop_oneof![Just(200u16), Just(400), Just(404), Just(429), Just(500)], any::<bool>())
            .prop_map(|(which, status, sense)| Step::Answer(which, status, sense)),
        1 => (0usize..8, any::<bool>()).prop_map(|(which, written)| Step::Fail(which, written)),
        1 => (0usize..4).prop_map(Step::Fetched),
        2 => (0u64..4_000).prop_map(Step::Wait),
    ]
}

fn action_of(kind: u8, n: u8, now_ms: u64) -> Action {
    match kind {
        0..=2 => place(n, u32::from(n) % 3, now_ms + u64::from(n) * 100),
        3 => cancel(n),
        4 => Action::CancelMarket { market: MarketId(u32::from(n) % 4) },
        5 if n < 10 => Action::CancelAll,
        5 => Action::Query { order: id(n) },
        6 if n < 20 => Action::Heartbeat,
        6 => Action::Subscribe { markets: vec![] },
        _ => Action::Fetch(FetchWhat::Book(AssetId(u32::from(n)))),
    }
}

proptest! {
    /// GW01: N actions, N results, whatever happens.
    #[test]
    fn every_action_has_exactly_one_result(steps in proptest::collection::vec(step(), 1..120)) {
        let settings = OutboxSettings { max_queued_placements: 6, max_queued: 6, ..OutboxSettings::default() };
        let mut outbox = Outbox::new(settings, 3, at(0));
        for market in 0..3 {
            outbox.set_market(MarketId(market), ConditionId::parse("0x0a").expect("a condition"));
        }
        let (mut now, mut seq) = (0u64, 0u64);
        let mut flying: Vec<(RequestId, RequestBody)> = Vec::new();
        let mut fetching = Vec::new();
        let mut seen: BTreeMap<ActionSeq, u32> = BTreeMap::new();
        let mut on_wire: Vec<OrderId> = Vec::new();
        let finish = [Step::Wait(30_000), Step::Send(9, 9), Step::Wait(30_000)];
        for step in steps.into_iter().chain(finish) {
            match step {
                Step::Submit(kind, n) => {
                    seq += 1;
                    outbox.submit(ActionSeq(seq), action_of(kind, n, now), at(now));
                }
                Step::Send(orders, cancels) => {
                    for _ in 0..orders + cancels {
                        let free = FreeConnections { orders, cancels };
                        let Some(request) = outbox.next_request(free, at(now)) else { break };
                        match &request.body {
                            RequestBody::Order(order) => on_wire.push(order.id),
                            RequestBody::Orders(orders) => on_wire.extend(orders.iter().map(|o| o.id)),
                            _ => {}
                        }
                        flying.push((request.id, request.body));
                    }
                }
                Step::Answer(which, status, sense) if which < flying.len() => {
                    let (request, _) = flying.swap_remove(which);
                    answer(&mut outbox, request, status, if sense { "{\"heartbeat_id\":\"x\"}" } else { "?" }, at(now));
                }
                Step::Fail(which, written) if which < flying.len() => {
                    let (request, _) = flying.swap_remove(which);
                    let failure = if written { SendFailure::Broken } else { SendFailure::NotWritten };
                    outbox.on_failure(request, failure, at(now));
                }
                Step::Fetched(which) if which < fetching.len() => {
                    let action = fetching.swap_remove(which);
                    outbox.on_fetched(action, GatewayOutcome::Done(Ok(())));
                }
                Step::Wait(ms) => now += ms,
                _ => {}
            }
            outbox.on_time(at(now));
            while let Some(output) = outbox.poll_output() {
                if let OutboxOutput::Fetch { action, .. } = output {
                    fetching.push(action);
                }
            }
            for result in results(&mut outbox) {
                *seen.entry(result.action).or_default() += 1;
            }
        }
        prop_assert!(outbox.is_idle(), "{outbox:?}");
        let expected: BTreeMap<ActionSeq, u32> = (1..=seq).map(|n| (ActionSeq(n), 1)).collect();
        prop_assert_eq!(seen, expected);
        let sent = on_wire.len();
        on_wire.sort_unstable();
        on_wire.dedup();
        prop_assert_eq!(on_wire.len(), sent, "no order is sent twice");
    }
}
