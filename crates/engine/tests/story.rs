//! The engine's behaviour as its users see it: start, quote, fill, doubt, stop.

mod common;

use common::{Desk, card, config, trade_frame};
use oddsmith_domain::{
    AccountOrder, AccountSnapshot, Action, CancelOutcome, Command, DoubtCause, Event, FetchWhat, GatewayOutcome, Input,
    Link, LinkState, OrderId, OrderState, Outcome, OutputBody, PlaceOutcome, Price, RefusalCode, Scope, Shares, Side,
    Time, TradeStatus, UnknownCause, Usdc, VenueOrderStatus,
};
use oddsmith_engine::{Engine, EngineConfig, Timing};

fn began(desk: &Desk, cause: DoubtCause) -> usize {
    let is = |e: &&&Event| matches!(e, Event::DoubtBegan { cause: c, .. } if *c == cause);
    desk.events().iter().filter(is).count()
}

fn placed(desk: &Desk) -> usize {
    desk.count(|a| matches!(a, Action::Place(_)))
}

#[test]
fn the_start_reads_names_cancels_verifies_and_waits() {
    let mut desk = Desk::new(config());
    desk.tick();
    let stranger = AccountOrder {
        id: OrderId([0xee; 32]),
        asset: None,
        side: Side::Sell,
        price: "0.9".parse().expect("price"),
        original_size: Shares::from_whole(7),
        size_matched: Shares::ZERO,
        status: VenueOrderStatus::Live,
    };
    let (read, _) = *desk
        .waiting
        .iter()
        .map(|(s, a)| (s, a))
        .find(|(_, a)| matches!(a, Action::Fetch(FetchWhat::Account { .. })))
        .as_ref()
        .expect("the account is read first");
    let read = *read;
    assert_eq!(desk.count(|a| matches!(a, Action::CancelAll)), 0, "nothing is cancelled before it was named");
    let snapshot =
        AccountSnapshot { orders: vec![stranger], collateral: Usdc::from_whole(1_000), ..Default::default() };
    desk.answer(read, GatewayOutcome::Account(Ok(snapshot)));
    desk.waiting.retain(|(s, _)| *s != read);
    let named = desk.events().iter().any(|e| matches!(e, Event::Difference { what, .. } if what.contains("7 @0.9")));
    assert!(named, "{:#?}", desk.events());
    desk.run_for(1_000);
    assert_eq!(desk.count(|a| matches!(a, Action::CancelAll)), 1);
    assert_eq!(placed(&desk), 0, "still cooling down");
    desk.run_for(4_000);
    assert!(placed(&desk) >= 2);
    let ended = desk.events().iter().any(|e| matches!(e, Event::DoubtEnded { scope: Scope::Wallet }));
    assert!(ended);
}

#[test]
fn both_sides_rest_and_nothing_churns() {
    let mut desk = Desk::quoting();
    desk.run_for(6_000);
    // Out of caution: target spread 0.03 around 0.50.
    assert_eq!(desk.quotes(), ["BUY No 19.23 @0.48", "BUY Yes 20.83 @0.48"]);
    let (orders, intents) =
        (placed(&desk), desk.events().iter().filter(|e| matches!(e, Event::Decision { .. })).count());
    desk.run_for(10_000);
    let again = desk.events().iter().filter(|e| matches!(e, Event::Decision { .. })).count();
    assert_eq!((placed(&desk), again), (orders, intents), "the same view leads to no new intent and no new order");
}

#[test]
fn a_fill_moves_position_ledger_and_quotes_and_counts_once() {
    let mut desk = Desk::quoting();
    desk.run_for(6_000);
    let bid = desk.resting_buy();
    desk.take_from_venue(&bid.id);
    let id = desk.fill(&bid, bid.size, "MATCHED");
    for status in ["MATCHED", "MINED", "CONFIRMED", "MATCHED"] {
        desk.report(&id, &bid, bid.size, status);
    }
    let fills = desk.events().iter().filter(|e| matches!(e, Event::Fill { .. })).count();
    assert_eq!(fills, 1);
    desk.collateral -= bid.size.cost_ceil(bid.price);
    desk.run_for(200);
    let view = desk.engine.view(desk.now);
    let i = bid.asset.outcome().index();
    assert_eq!((view.markets[0].matched[i], view.markets[0].settled[i]), (bid.size, bid.size));
    let cash = view.totals.cash.expect("known");
    assert_eq!(cash, Usdc::from_whole(1_000) - bid.size.cost_ceil(bid.price));
    // What is held is now offered before the complement is bought.
    assert!(desk.quotes().iter().any(|q| q.starts_with("SELL")), "{:?}", desk.quotes());
}

#[test]
fn a_matched_share_is_not_sold_before_it_is_settled() {
    let mut desk = Desk::quoting();
    desk.run_for(6_000);
    let bid = desk.resting_buy();
    desk.take_from_venue(&bid.id);
    let id = desk.fill(&bid, bid.size, "MATCHED");
    desk.run_for(300);
    assert!(desk.quotes().iter().all(|q| q.starts_with("BUY")), "{:?}", desk.quotes());
    desk.report(&id, &bid, bid.size, "FAILED");
    let view = desk.engine.view(desk.now);
    assert_eq!(view.markets[0].matched, [Shares::ZERO; 2], "a failed match is undone");
    assert_eq!(view.totals.cash, Some(Usdc::from_whole(1_000)));
    let undone = |e: &&Event| matches!(e, Event::Settlement { status: TradeStatus::Failed, .. });
    assert!(desk.events().iter().any(undone));
}

#[test]
fn a_lost_user_stream_stops_cancels_waits_and_re_enters() {
    let mut desk = Desk::quoting();
    let (before, cancels) = (placed(&desk), desk.count(|a| matches!(a, Action::CancelAll)));
    desk.put(&Input::Link { link: Link::User, state: LinkState::Down("closed".to_owned()) });
    desk.run_for(5_000);
    assert_eq!(began(&desk, DoubtCause::UserLink), 1);
    assert_eq!(desk.count(|a| matches!(a, Action::CancelAll)), cancels + 1, "one cancel-all");
    assert!(desk.resting.is_empty());
    assert_eq!(placed(&desk), before, "no order while it is down");
    desk.put(&Input::Link { link: Link::User, state: LinkState::Up });
    desk.run_for(50);
    assert!(desk.engine.view(desk.now).cautious);
    desk.run_for(500);
    assert!(placed(&desk) > before);
}

#[test]
fn an_order_without_an_answer_stays_unknown_until_the_venue_has_spoken() {
    let mut desk = Desk::new(config());
    desk.run_for(2_000);
    while !desk.waiting.iter().any(|(_, a)| matches!(a, Action::Place(_))) {
        desk.answer_all();
        desk.step();
    }
    let (seq, place) = desk
        .waiting
        .iter()
        .find_map(|(s, a)| if let Action::Place(p) = a { Some((*s, **p)) } else { None })
        .expect("an order");
    desk.waiting.retain(|(s, _)| *s != seq);
    desk.answer(seq, GatewayOutcome::Place(PlaceOutcome::Unknown(UnknownCause::Timeout)));
    let unknown = |e: &&Event| matches!(e, Event::Order { order, to: OrderState::Unknown, .. } if *order == place.id);
    assert!(desk.events().iter().any(unknown));
    let asked = desk.waiting.iter().any(|(_, a)| matches!(a, Action::Query { order } if *order == place.id));
    assert!(asked, "the venue is asked");
    let free = desk.engine.view(desk.now).totals.free;
    desk.run_for(1_000);
    let again = placed(&desk);
    assert!(desk.engine.view(desk.now).totals.free <= free, "it counts as alive");
    let twice = desk.actions().iter().filter(|a| matches!(a, Action::Place(p) if p.id == place.id)).count();
    assert_eq!(twice, 1, "nothing is sent again blindly");
    desk.run_for(2_000);
    assert_eq!(began(&desk, DoubtCause::UnknownOrder), 1, "too long");
    let gone = |e: &&Event| matches!(e, Event::Order { order, to: OrderState::Canceled, .. } if *order == place.id);
    assert!(desk.events().iter().any(gone), "the verified cancel-all decides");
    desk.run_for(6_000);
    assert!(placed(&desk) > again, "trading goes on afterwards");
}

#[test]
fn a_late_fill_of_an_order_that_was_cancelled_counts() {
    let mut desk = Desk::quoting();
    let bid = desk.resting_buy();
    desk.command(Command::Stop);
    desk.run_for(1_000);
    assert!(desk.resting.is_empty());
    desk.fill(&bid, Shares::from_whole(5), "CONFIRMED");
    let view = desk.engine.view(desk.now);
    assert_eq!(view.markets[0].matched[bid.asset.outcome().index()], Shares::from_whole(5));
}

#[test]
fn stop_cancels_at_once_and_resume_re_enters_with_care() {
    let mut desk = Desk::quoting();
    desk.command(Command::Stop);
    desk.tick();
    assert!(desk.waiting.iter().any(|(_, a)| matches!(a, Action::CancelAll)), "in the very next tick");
    desk.run_for(10_000);
    assert!(desk.resting.is_empty() && !desk.engine.view(desk.now).quoting);
    desk.command(Command::Resume);
    desk.run_for(1_000);
    assert!(!desk.resting.is_empty());
}

#[test]
fn shutdown_is_done_only_when_the_venue_shows_nothing_is_left() {
    let mut desk = Desk::quoting();
    desk.command(Command::Shutdown);
    desk.tick();
    assert!(!desk.engine.is_shut_down());
    // A cancel-all without an answer is asked again.
    let (seq, _) = desk.waiting.iter().find(|(_, a)| matches!(a, Action::CancelAll)).expect("a cancel-all").clone();
    desk.waiting.clear();
    desk.answer(seq, GatewayOutcome::CancelScope(Err(UnknownCause::Timeout)));
    for _ in 0..120 {
        desk.step();
    }
    let (seq, action) = desk.waiting.iter().find(|(_, a)| matches!(a, Action::CancelAll)).expect("again").clone();
    desk.waiting.clear();
    let outcome = desk.honest(&action);
    desk.answer(seq, outcome);
    // The venue still shows one of ours: not done.
    let mut left = desk.resting.clone();
    left.truncate(0);
    desk.tick();
    assert!(!desk.engine.is_shut_down());
    desk.run_for(1_000);
    assert!(desk.engine.is_shut_down());
    assert!(desk.resting.is_empty());
}

#[test]
fn one_markets_doubt_leaves_the_other_alone() {
    let mut desk = Desk::new(config());
    desk.add_market(1);
    desk.run_for(12_000);
    let in_market = |desk: &Desk, n: u32| desk.resting.iter().filter(|o| o.asset.market().0 == n).count();
    assert!(in_market(&desk, 0) > 0 && in_market(&desk, 1) > 0);
    let all = desk.count(|a| matches!(a, Action::CancelAll));
    // The first market's books contradict each other.
    desk.book(0, "0.60", "0.40");
    desk.run_for(500);
    assert_eq!(in_market(&desk, 0), 0, "{:#?}", desk.engine.view(desk.now).markets[0]);
    assert!(in_market(&desk, 1) > 0);
    assert_eq!(desk.count(|a| matches!(a, Action::CancelAll)), all);
    let fetched = desk.count(|a| matches!(a, Action::Fetch(FetchWhat::Book(asset)) if asset.market().0 == 0));
    assert!(fetched > 0, "a fresh book is asked for");
    desk.book(0, "0.48", "0.52");
    desk.run_for(3_000);
    assert!(in_market(&desk, 0) > 0, "and quoting resumes when it is there");
}

#[test]
fn an_order_that_the_book_moved_through_is_cancelled_before_any_debounce() {
    let slow =
        EngineConfig { timing: Timing { debounce_ms: 60_000, shock_ticks: 1_000, ..Timing::default() }, ..config() };
    let mut desk = Desk::quoting_with(slow);
    let bid = *desk.resting.iter().find(|o| o.asset.outcome() == Outcome::Yes && o.side() == Side::Buy).expect("a bid");
    let below: Price = bid.price;
    desk.now = desk.now.plus_ns(Time::MILLI);
    desk.book(0, "0.40", &below.to_string());
    desk.tick();
    let canceled = desk.waiting.iter().any(|(_, a)| matches!(a, Action::Cancel { order, .. } if *order == bid.id));
    assert!(canceled, "{:?}", desk.waiting);
}

#[test]
fn a_refused_order_pauses_and_never_loops() {
    let mut desk = Desk::new(config());
    for _ in 0..2_000 {
        desk.step();
        for (seq, action) in std::mem::take(&mut desk.waiting) {
            let outcome = if matches!(action, Action::Place(_)) {
                let text = "not enough balance / allowance".to_owned();
                GatewayOutcome::Place(PlaceOutcome::Refused { code: RefusalCode::InsufficientBalance, text })
            } else {
                desk.honest(&action)
            };
            desk.answer(seq, outcome);
        }
    }
    // Twenty seconds, two orders each time, a pause that doubles from a quarter of a second.
    assert!(placed(&desk) <= 2 * 8, "{} orders were sent into a wall", placed(&desk));
    assert!(desk.events().iter().any(|e| matches!(e, Event::Refused { text, .. } if text.contains("balance"))));
}

#[test]
fn a_cancel_that_found_nothing_is_asked_about_and_its_fill_counts() {
    let mut desk = Desk::quoting();
    desk.run_for(6_000);
    let bid = desk.resting_buy();
    desk.take_from_venue(&bid.id);
    desk.now = desk.now.plus_ns(200 * Time::MILLI);
    desk.book(0, "0.58", "0.62");
    desk.step();
    let (seq, _) = desk
        .waiting
        .iter()
        .find(|(_, a)| matches!(a, Action::Cancel { order, .. } if *order == bid.id))
        .expect("a cancel")
        .clone();
    desk.waiting.retain(|(s, _)| *s != seq);
    let gone = CancelOutcome::Gone("already canceled or matched".to_owned());
    desk.answer(seq, GatewayOutcome::Cancel(gone));
    desk.fill(&bid, bid.size, "MATCHED");
    let filled = |e: &&Event| matches!(e, Event::Order { order, to: OrderState::Filled, .. } if *order == bid.id);
    assert!(desk.events().iter().any(filled));
    desk.run_for(500);
    let illegal = desk.events().iter().any(|e| matches!(e, Event::IllegalTransition { .. }));
    assert!(!illegal);
}

#[test]
fn frames_that_cannot_be_understood_are_told_and_do_no_harm() {
    let mut desk = Desk::quoting();
    for garbage in [&b"{"[..], b"[]]", b"\xff\xfe", b"{\"event_type\":\"book\"}", b"null", b"", b"[[[[[[[["] {
        desk.frame(garbage);
    }
    let told = desk.events().iter().filter(|e| matches!(e, Event::Undecodable { .. })).count();
    assert!(told >= 5, "{told}");
    desk.run_for(500);
    assert!(!desk.resting.is_empty(), "the market channel's garbage stops nobody");
    desk.put(&Input::User { bytes: b"{\"event_type\":\"trade\"}" });
    desk.run_for(100);
    assert_eq!(began(&desk, DoubtCause::Mismatch), 1, "on the user channel a fill may have been lost");
}

#[test]
fn a_tick_change_re_rounds_the_quotes() {
    let mut desk = Desk::quoting();
    desk.run_for(6_000);
    let c = card(0);
    for token in c.tokens {
        desk.frame(
            format!(
                r#"{{"event_type":"tick_size_change","asset_id":"{token}","market":"{}","old_tick_size":"0.01","new_tick_size":"0.001","timestamp":"{}"}}"#,
                c.condition,
                desk.now.wall_ms()
            )
            .as_bytes(),
        );
    }
    desk.run_for(2_000);
    assert_eq!(desk.quotes(), ["BUY No 19.41 @0.485", "BUY Yes 20.61 @0.485"]);
}

#[test]
fn the_same_inputs_lead_to_the_same_outputs_byte_for_byte() {
    let mut desk = Desk::quoting();
    let bid = desk.resting_buy();
    desk.take_from_venue(&bid.id);
    desk.fill(&bid, bid.size, "MATCHED");
    desk.book(0, "0.52", "0.55");
    desk.run_for(3_000);
    desk.command(Command::Shutdown);
    desk.run_for(2_000);

    let mut engine = Engine::new();
    let mut outputs = Vec::new();
    for (time, bytes) in &desk.tape {
        let input: Input<'_> = postcard::from_bytes(bytes).expect("an input");
        engine.handle(&input, *time, &mut outputs);
    }
    let bytes = |outputs: &[oddsmith_domain::Output]| postcard::to_stdvec(outputs).expect("outputs have bytes");
    assert_eq!(bytes(&outputs), bytes(&desk.outputs));
    assert!(outputs.iter().any(|o| matches!(&o.body, OutputBody::Action(Action::Place(_)))));
}

#[test]
fn reports_of_other_peoples_orders_change_nothing() {
    let mut desk = Desk::quoting();
    let mut stranger = desk.resting_buy();
    stranger.id = OrderId([0xab; 32]);
    let frame = trade_frame("foreign", &stranger, Shares::from_whole(9), "MATCHED", desk.now);
    for _ in 0..3 {
        desk.put(&Input::User { bytes: frame.as_bytes() });
    }
    let told = desk.events().iter().filter(|e| matches!(e, Event::Difference { .. })).count();
    assert_eq!(told, 1, "told once");
    assert_eq!(desk.engine.view(desk.now).markets[0].matched, [Shares::ZERO; 2]);
}

#[test]
fn our_own_orders_in_the_book_do_not_move_our_quotes() {
    let mut desk = Desk::quoting();
    desk.book(0, "0.46", "0.54");
    desk.run_for(6_000);
    let (quotes, orders) = (desk.quotes(), placed(&desk));
    // The venue publishes our bid, which is better than everybody else's: seen as theirs, it would move the micro-price.
    let bid = *desk.resting.iter().find(|o| o.asset.outcome() == Outcome::Yes).expect("a bid");
    let c = card(0);
    for step in 0..20 {
        desk.frame(
            format!(
                r#"{{"event_type":"price_change","market":"{}","timestamp":"{}","price_changes":[{{"asset_id":"{}","price":"{}","size":"{}","side":"BUY"}}]}}"#,
                c.condition,
                desk.now.wall_ms() + step,
                c.tokens[0],
                bid.price,
                bid.size,
            )
            .as_bytes(),
        );
        desk.run_for(200);
    }
    assert_eq!((desk.quotes(), placed(&desk)), (quotes, orders));
}

#[test]
fn a_quiet_book_is_no_proof_while_another_of_its_connection_is_wrong() {
    let mut desk = Desk::new(config());
    desk.add_market(1);
    desk.run_for(12_000);
    let age = |desk: &Desk| desk.engine.view(desk.now).markets[1].age_ms.expect("a book");
    desk.run_for(3_000);
    assert!(age(&desk) <= 1_000, "the connection lives, so the quiet market is fresh: {} ms", age(&desk));
    // A book of the first market, read by REST, shows a change that the connection never delivered.
    let c = card(0);
    let body = format!(
        r#"{{"market":"{}","asset_id":"{}","timestamp":"{}","bids":[{{"price":"0.45","size":"7"}}],"asks":[{{"price":"0.55","size":"9"}}],"hash":""}}"#,
        c.condition,
        c.tokens[0],
        desk.now.wall_ms() - 2_000
    );
    desk.put(&Input::Market { source: oddsmith_domain::MarketSource::Rest, bytes: body.as_bytes() });
    desk.run_for(3_000);
    assert!(age(&desk) >= 3_000, "{} ms", age(&desk));
}
