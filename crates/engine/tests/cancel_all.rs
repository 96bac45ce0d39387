//! Cancel-all, with the engine and the outbox together: it leaves first, takes the waiting placements along, asks no budget, and is
//! believed only when the venue shows an empty account.

mod common;

use common::{Desk, card, config};
use oddsmith_domain::{
    AccountOrder, AccountSnapshot, Action, Command, Event, GatewayOutcome, MarketId, OrderState, PlaceOrder,
    PlaceOutcome, Scope, Shares, UnknownCause, VenueOrderStatus,
};
use oddsmith_engine::EngineConfig;
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::error::HttpReply;
use oddsmith_polymarket::session::{Channel, Endpoint, FreeConnections, Outbox, OutboxSettings, Request};

/// One connection of the reserve is free and nothing else.
const LAST: FreeConnections = FreeConnections { orders: 0, cancels: 1 };
const FREE: FreeConnections = FreeConnections { orders: 4, cancels: 2 };

/// An engine that has just made its orders, and an outbox in which they wait.
fn waiting_orders(settings: OutboxSettings) -> (Desk, Outbox) {
    let mut desk = Desk::new(config());
    let mut outbox = Outbox::new(settings, 1, desk.now);
    outbox.set_market(MarketId(0), card(0).condition);
    while !desk.waiting.iter().any(|(_, a)| matches!(a, Action::Place(_))) {
        desk.answer_all();
        desk.step();
        assert!(desk.now.mono_ns < 30_000_000_000, "the engine quotes");
    }
    hand_over(&mut desk, &mut outbox);
    (desk, outbox)
}

fn hand_over(desk: &mut Desk, outbox: &mut Outbox) {
    for (seq, action) in std::mem::take(&mut desk.waiting) {
        outbox.submit(seq, action, desk.now);
    }
}

/// The outbox's results go to the engine.
fn hand_back(desk: &mut Desk, outbox: &mut Outbox) {
    while let Some(result) = outbox.poll_result() {
        desk.answer(result.action, result.outcome);
    }
}

fn answer(desk: &Desk, outbox: &mut Outbox, request: &Request, status: u16, body: &str) {
    let reply = HttpReply { status, retry_after: None, body: body.as_bytes() };
    outbox.on_response(request.id, &reply, &AssetTable::new(), desk.now);
}

fn stop(desk: &mut Desk, outbox: &mut Outbox) {
    desk.command(Command::Stop);
    desk.tick();
    hand_over(desk, outbox);
}

#[test]
fn it_is_the_next_request_and_the_waiting_placements_never_leave() {
    let (mut desk, mut outbox) = waiting_orders(OutboxSettings::default());
    let waiting = outbox.queued_placements();
    assert!(waiting >= 2);
    stop(&mut desk, &mut outbox);
    assert_eq!(outbox.queued_placements(), 0);
    let request = outbox.next_request(LAST, desk.now).expect("a request");
    assert_eq!((request.endpoint, request.channel), (Endpoint::CancelAll, Channel::Cancels));
    hand_back(&mut desk, &mut outbox);
    let rejected = |e: &&&Event| matches!(e, Event::Order { to: OrderState::Rejected, .. });
    assert_eq!(desk.events().iter().filter(rejected).count(), waiting, "each has its result, and its state");
    let rest: Vec<_> = std::iter::from_fn(|| outbox.next_request(FREE, desk.now)).map(|r| r.endpoint).collect();
    assert!(rest.iter().all(|e| !matches!(e, Endpoint::Place | Endpoint::PlaceBatch)), "{rest:?}");
}

#[test]
fn no_budget_and_no_pause_holds_it_back() {
    // One order and one cancel in a very long time.
    let settings = OutboxSettings { orders: (1, 60), cancels: (0, 1), cancel_reserve: 0, ..OutboxSettings::default() };
    let (mut desk, mut outbox) = waiting_orders(settings);
    let placements = outbox.next_request(FREE, desk.now).expect("the placements");
    answer(&desk, &mut outbox, &placements, 429, r#"{"error":"Too Many Requests"}"#);
    hand_back(&mut desk, &mut outbox);
    for tries in 0..5 {
        stop(&mut desk, &mut outbox);
        let request = outbox.next_request(LAST, desk.now).unwrap_or_else(|| panic!("held back at try {tries}"));
        assert_eq!(request.endpoint, Endpoint::CancelAll);
        answer(&desk, &mut outbox, &request, 429, r#"{"error":"Too Many Requests"}"#);
        hand_back(&mut desk, &mut outbox);
        // Not answered: asked again after a second.
        for _ in 0..101 {
            desk.step();
        }
    }
}

#[test]
fn nothing_is_placed_before_it_is_answered() {
    let (mut desk, mut outbox) = waiting_orders(OutboxSettings::default());
    stop(&mut desk, &mut outbox);
    let cancel = outbox.next_request(FREE, desk.now).expect("the cancel-all");
    desk.command(Command::Resume);
    for _ in 0..500 {
        desk.step();
        hand_over(&mut desk, &mut outbox);
        while let Some(request) = outbox.next_request(FREE, desk.now) {
            assert!(!matches!(request.endpoint, Endpoint::Place | Endpoint::PlaceBatch));
        }
    }
    assert_eq!(cancel.endpoint, Endpoint::CancelAll);
}

/// The account as the venue shows it: with these orders of ours.
fn account(desk: &Desk, orders: &[PlaceOrder]) -> GatewayOutcome {
    let orders = orders.iter().map(|order| AccountOrder {
        id: order.id,
        asset: Some(order.asset),
        side: order.side(),
        price: order.price,
        original_size: order.size,
        size_matched: Shares::ZERO,
        status: VenueOrderStatus::Live,
    });
    let snapshot =
        AccountSnapshot { orders: orders.collect(), collateral: desk.collateral, ..AccountSnapshot::default() };
    GatewayOutcome::Account(Ok(snapshot))
}

fn cleared(desk: &Desk) -> usize {
    desk.events().iter().filter(|e| matches!(e, Event::DoubtCleared { scope: Scope::Wallet })).count()
}

fn cancel_alls(desk: &Desk) -> usize {
    desk.count(|a| matches!(a, Action::CancelAll))
}

/// Everything is answered honestly, but the account shows what `left` says.
fn run_with(desk: &mut Desk, steps: u32, left: &[PlaceOrder]) {
    for _ in 0..steps {
        desk.step();
        for (seq, action) in std::mem::take(&mut desk.waiting) {
            let outcome = match &action {
                Action::Fetch(oddsmith_domain::FetchWhat::Account { .. }) => account(desk, left),
                _ => desk.honest(&action),
            };
            desk.answer(seq, outcome);
        }
    }
}

#[test]
fn an_order_that_the_account_still_shows_is_cancelled_again() {
    let mut desk = Desk::quoting();
    let (cleared_before, cancels_before) = (cleared(&desk), cancel_alls(&desk));
    let left = [desk.resting_buy()];
    desk.command(Command::Shutdown);
    run_with(&mut desk, 200, &left);
    assert_eq!(cleared(&desk), cleared_before, "the venue's word alone is not believed");
    assert!(cancel_alls(&desk) - cancels_before >= 3 && !desk.engine.is_shut_down());
    run_with(&mut desk, 200, &[]);
    assert_eq!(cleared(&desk), cleared_before + 1);
    assert!(desk.engine.is_shut_down());
}

#[test]
fn a_placement_without_an_answer_keeps_it_waiting() {
    let mut desk = Desk::quoting_with(EngineConfig { ..config() });
    desk.book(0, "0.40", "0.44");
    while !desk.waiting.iter().any(|(_, a)| matches!(a, Action::Place(_))) {
        desk.answer_all();
        desk.step();
    }
    let (held, others) = desk.waiting.drain(..).partition(|(_, a)| matches!(a, Action::Place(_)));
    desk.waiting = others;
    let held: Vec<_> = held;
    let before = cleared(&desk);
    desk.command(Command::Shutdown);
    desk.run_for(2_000);
    assert_eq!(cleared(&desk), before, "it could land after the cancel");
    for (seq, action) in held {
        let outcome = match &action {
            // One of them landed after all, behind the cancel.
            Action::Place(_) if desk.resting.is_empty() => desk.honest(&action),
            _ => GatewayOutcome::Place(PlaceOutcome::NotSent(UnknownCause::Deadline)),
        };
        desk.answer(seq, outcome);
    }
    assert!(!desk.engine.is_shut_down() && !desk.resting.is_empty());
    desk.run_for(2_000);
    assert!(desk.resting.is_empty(), "cancelled by the next round");
    assert!(desk.engine.is_shut_down());
}
