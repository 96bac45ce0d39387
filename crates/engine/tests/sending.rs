//! Sending in order: late answers, age, post-only refusals, own orders that would meet, breakers, and cancels that always go.

mod common;

use common::{Desk, config};
use oddsmith_domain::{
    Action, ActionSeq, BreakerState, CancelOutcome, Command, Denial, Event, FetchWhat, GatewayOutcome, InstanceId,
    OrderId, OutputBody, PlaceOrder, PlaceOutcome, RefusalCode, RequestKind, Side, Time, UnknownCause, Withdrawal,
};
use oddsmith_engine::{EngineConfig, InstanceConfig, Sending, Timing};
use oddsmith_polymarket::session::{Endpoint, FreeConnections, Outbox, OutboxSettings, RequestBody};
use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};

fn with(sending: Sending) -> EngineConfig {
    EngineConfig { sending, ..config() }
}

fn withdrawn(desk: &Desk, why: Withdrawal) -> Vec<OrderId> {
    let of = |e: &&Event| if let Event::Withdrawn { order, why: w } = e { (*w == why).then_some(*order) } else { None };
    desk.events().iter().filter_map(of).collect()
}

/// Time passes; placements get what `say` says, everything else an honest answer.
fn run_saying(desk: &mut Desk, ms: u64, mut say: impl FnMut(&PlaceOrder) -> Option<PlaceOutcome>) {
    for _ in 0..ms / 10 {
        desk.step();
        for (seq, action) in std::mem::take(&mut desk.waiting) {
            let said = if let Action::Place(place) = &action { say(place) } else { None };
            let outcome = said.map_or_else(|| desk.honest(&action), GatewayOutcome::Place);
            desk.answer(seq, outcome);
        }
    }
}

/// The book moves, and the first placement that follows is held back.
fn held_placement(desk: &mut Desk) -> (ActionSeq, Action) {
    desk.book(0, "0.40", "0.44");
    for _ in 0..1_000 {
        desk.step();
        for (seq, action) in std::mem::take(&mut desk.waiting) {
            if matches!(action, Action::Place(_)) {
                desk.waiting.push((seq, action));
            } else {
                let outcome = desk.honest(&action);
                desk.answer(seq, outcome);
            }
        }
        if let Some(at) = desk.waiting.iter().position(|(_, a)| matches!(a, Action::Place(_))) {
            let held = desk.waiting.remove(at);
            desk.answer_all();
            return held;
        }
    }
    panic!("nothing was placed");
}

#[test]
fn an_order_that_the_venue_takes_too_late_is_cancelled() {
    for (ms, late) in [(1_500, false), (2_100, true)] {
        let mut desk = Desk::quoting();
        let (seq, action) = held_placement(&mut desk);
        let Action::Place(place) = &action else { unreachable!("a placement") };
        desk.run_for(ms);
        let outcome = desk.honest(&action);
        desk.answer(seq, outcome);
        assert_eq!(withdrawn(&desk, Withdrawal::LateAnswer).contains(&place.id), late, "after {ms} ms");
        let canceled =
            desk.waiting.iter().any(|(_, a)| matches!(a, Action::Cancel { order, .. } if *order == place.id));
        assert_eq!(canceled, late, "after {ms} ms");
    }
}

#[test]
fn an_order_that_is_obsolete_when_the_venue_takes_it_is_cancelled_at_once() {
    // The next plan would not be due for a long time.
    let timing = Timing { replace_interval_ms: 3_000, ..Timing::default() };
    let mut desk = Desk::quoting_with(EngineConfig { timing, ..config() });
    desk.run_for(60_000);
    let (seq, action) = held_placement(&mut desk);
    let Action::Place(place) = &action else { unreachable!("a placement") };
    desk.book(0, "0.60", "0.64");
    desk.run_for(300);
    let outcome = desk.honest(&action);
    desk.answer(seq, outcome);
    desk.tick();
    let canceled = desk.waiting.iter().any(|(_, a)| matches!(a, Action::Cancel { order, .. } if *order == place.id));
    assert!(canceled, "{:?}", desk.waiting);
}

#[test]
fn no_order_grows_older_than_it_may() {
    let mut desk = Desk::quoting_with(with(Sending { order_ttl_ms: 5_000, ..Sending::default() }));
    let first: Vec<_> = desk.resting.iter().map(|o| o.id).collect();
    desk.run_for(30_000);
    assert!(!desk.resting.is_empty() && desk.resting.iter().all(|o| !first.contains(&o.id)));
    let oldest = desk.resting.iter().map(|o| desk.now.wall_ms() - o.fields.timestamp_ms).max();
    assert!(oldest.is_some_and(|ms| ms <= 5_200), "{oldest:?}");
    assert!(withdrawn(&desk, Withdrawal::TooOld).len() >= 8);
}

const fn crosses() -> RefusalCode {
    RefusalCode::PostOnlyWouldCross
}

fn is_bid(place: &PlaceOrder) -> bool {
    place.asset.outcome() == oddsmith_domain::Outcome::Yes && place.side() == Side::Buy
}

#[test]
fn post_only_refusals_move_a_quote_away_three_times_and_then_the_side_rests_for_a_minute() {
    let mut desk = Desk::new(config());
    let mut prices = Vec::new();
    run_saying(&mut desk, 20_000, |place| {
        let refused = PlaceOutcome::Refused { code: crosses(), text: "order crosses book".to_owned() };
        is_bid(place).then(|| prices.push(place.price.to_string())).map(|()| refused)
    });
    assert_eq!(prices.len(), 4, "once, and three times again: {prices:?}");
    let cents: Vec<i32> = prices.iter().map(|p| (p.parse::<f64>().expect("price") * 100.0).round() as i32).collect();
    assert!(cents.windows(2).all(|w| w[1] == w[0] - 1), "{cents:?}");
    assert!(desk.resting.iter().all(|o| !is_bid(o)) && !desk.resting.is_empty(), "the other side is quoted");
    let defence = |e: &&&Event| matches!(e, Event::Repelled { side: Side::Buy, defence: true, .. });
    assert_eq!(desk.events().iter().filter(defence).count(), 1);
    run_saying(&mut desk, 39_000, |_| None);
    assert!(desk.resting.iter().all(|o| !is_bid(o)));
    run_saying(&mut desk, 21_000, |_| None);
    assert!(desk.resting.iter().any(is_bid), "{:?}", desk.quotes());
}

#[test]
fn a_quote_that_was_moved_away_and_taken_stays_there() {
    let mut desk = Desk::new(config());
    let mut refusals = 0;
    run_saying(&mut desk, 30_000, |place| {
        let first = is_bid(place) && refusals == 0;
        refusals += u32::from(first);
        first.then(|| PlaceOutcome::Refused { code: crosses(), text: "order crosses book".to_owned() })
    });
    let placed = desk.count(|a| matches!(a, Action::Place(_)));
    run_saying(&mut desk, 20_000, |_| None);
    assert_eq!(desk.count(|a| matches!(a, Action::Place(_))), placed, "no churn");
    assert!(desk.resting.iter().any(is_bid));
}

/// Two makers on one market, the first with the higher priority.
fn two_makers(first: f64, second: f64) -> EngineConfig {
    let maker = |name: &str, target_spread| {
        let parameters = Parameters { target_spread, max_book_spread: 0.5, ..Parameters::default() };
        let strategy = StrategyConfig::SkewedMaker(parameters);
        InstanceConfig {
            name: name.to_owned(),
            markets: vec!["*".to_owned()],
            strategy,
            listener: Default::default(),
            sharing: Default::default(),
        }
    };
    let timing = Timing { shock_ticks: 2, ..Timing::default() };
    EngineConfig { instances: vec![maker("first", first), maker("second", second)], timing, ..EngineConfig::default() }
}

/// Both quote around 0.48; then the book moves so far that one's new bid meets the other's old ask.
fn meeting(first: f64, second: f64) -> Desk {
    let mut desk = Desk::new(two_makers(first, second));
    desk.book(0, "0.40", "0.56");
    desk.run_for(20_000);
    assert_eq!(desk.resting.len(), 4, "{:?}", desk.quotes());
    desk.book(0, "0.44", "0.60");
    for _ in 0..30 {
        desk.step();
    }
    desk
}

fn never_met(desk: &Desk) {
    let open: Vec<_> = desk.resting.iter().map(open).collect();
    for (i, a) in open.iter().enumerate() {
        assert!(open[i + 1..].iter().all(|b| !a.meets(b)), "{:?}", desk.quotes());
    }
}

fn open(o: &PlaceOrder) -> oddsmith_risk::OpenOrder {
    oddsmith_risk::OpenOrder { outcome: o.asset.outcome(), side: o.side(), price: o.price, size: o.size }
}

#[test]
fn a_lower_priority_makes_way_and_the_other_order_follows_the_answer() {
    let mut desk = meeting(0.06, 0.02);
    let old: Vec<_> = desk.resting.iter().filter(|o| o.instance == InstanceId(1)).copied().collect();
    let made_way = withdrawn(&desk, Withdrawal::SelfTrade);
    assert!(!made_way.is_empty() && made_way.iter().all(|id| old.iter().any(|o| o.id == *id)), "{made_way:?}");
    let in_the_way: Vec<_> = old.iter().filter(|o| made_way.contains(&o.id)).map(open).collect();
    let sent = |desk: &Desk, instance| -> Vec<PlaceOrder> {
        let of = |a: &(ActionSeq, Action)| if let Action::Place(p) = &a.1 { Some(**p) } else { None };
        desk.waiting.iter().filter_map(of).filter(|p| p.instance == InstanceId(instance)).collect()
    };
    assert!(sent(&desk, 0).iter().all(|p| in_the_way.iter().all(|o| !o.meets(&open(p)))), "waits for the answer");
    let told = |e: &&Event| matches!(e, Event::Denied { instance: InstanceId(0), denial: Denial::SelfTrade, .. });
    assert!(desk.events().iter().any(told));
    for _ in 0..500 {
        desk.answer_all();
        never_met(&desk);
        desk.step();
    }
    let bids = desk.resting.iter().filter(|o| o.instance == InstanceId(0) && is_bid(o));
    assert!(bids.into_iter().any(|o| in_the_way.iter().any(|w| w.meets(&open(o)))), "{:?}", desk.quotes());
}

#[test]
fn a_lower_priority_waits_for_the_higher_one() {
    let mut desk = meeting(0.02, 0.06);
    assert_eq!(withdrawn(&desk, Withdrawal::SelfTrade), [], "the higher priority is never cancelled for a lower one");
    let told = |e: &&Event| matches!(e, Event::Denied { instance: InstanceId(1), denial: Denial::SelfTrade, .. });
    assert!(desk.events().iter().any(told), "{:#?}", desk.events());
    for _ in 0..500 {
        desk.answer_all();
        never_met(&desk);
        desk.step();
    }
    assert_eq!(desk.resting.len(), 4, "{:?}", desk.quotes());
}

fn breakers(desk: &Desk, kind: RequestKind) -> Vec<BreakerState> {
    let of = |e: &&Event| match e {
        Event::Breaker { requests, state } if *requests == kind => Some(*state),
        _ => None,
    };
    desk.events().iter().filter_map(of).collect()
}

#[test]
fn placements_that_fail_are_left_alone_for_a_while_and_cancels_are_not() {
    let sending = Sending { breaker_pause_ms: 20_000, ..Sending::default() };
    let timing = Timing { refusal_pause_ms: 10, ..Timing::default() };
    let mut desk = Desk::quoting_with(EngineConfig { timing, ..with(sending) });
    for n in 1..4 {
        desk.add_market(n);
    }
    desk.run_for(3_000);
    assert_eq!(desk.resting.len(), 8);
    let down = PlaceOutcome::NotSent(UnknownCause::NoConnection);
    for n in 0..4 {
        desk.book(n, "0.40", "0.44");
    }
    run_saying(&mut desk, 3_000, |_| Some(down.clone()));
    assert_eq!(breakers(&desk, RequestKind::Place), [BreakerState::Open]);
    assert!(desk.resting.is_empty(), "what was not wanted any more was cancelled");
    let placed = desk.count(|a| matches!(a, Action::Place(_)));
    for n in 0..4 {
        desk.book(n, "0.50", "0.54");
    }
    run_saying(&mut desk, 16_000, |_| Some(down.clone()));
    assert_eq!(desk.count(|a| matches!(a, Action::Place(_))), placed, "open: nothing is placed");
    // Half open: three are tried, and fail.
    run_saying(&mut desk, 5_000, |_| Some(down.clone()));
    let tried = desk.count(|a| matches!(a, Action::Place(_))) - placed;
    assert!((1..=3).contains(&tried), "{tried}");
    run_saying(&mut desk, 30_000, |_| None);
    use BreakerState::{Closed, HalfOpen, Open};
    assert_eq!(breakers(&desk, RequestKind::Place), [Open, HalfOpen, Open, HalfOpen, Closed]);
    assert_eq!(desk.resting.len(), 8, "all is quoted again");
}

#[test]
fn an_account_that_cannot_be_read_is_not_asked_for_all_the_time() {
    let mut desk = Desk::quoting();
    desk.command(Command::Stop);
    let reads = |desk: &Desk| desk.count(|a| matches!(a, Action::Fetch(FetchWhat::Account { .. })));
    let before = reads(&desk);
    for _ in 0..6_000 {
        desk.step();
        for (seq, action) in std::mem::take(&mut desk.waiting) {
            let outcome = match &action {
                Action::Fetch(FetchWhat::Account { .. }) => {
                    GatewayOutcome::Account(Err(common::unread(UnknownCause::Status(502))))
                }
                _ => desk.honest(&action),
            };
            desk.answer(seq, outcome);
        }
    }
    // Five until it opens, one or a few each time it is half open.
    assert!((6..=9).contains(&(reads(&desk) - before)), "{} reads in a minute", reads(&desk) - before);
    desk.command(Command::Resume);
    desk.run_for(60_000);
    assert_ne!(breakers(&desk, RequestKind::Account).last(), Some(&BreakerState::Open));
    assert!(!desk.resting.is_empty());
}

#[test]
fn a_cancel_that_was_lost_is_not_forgotten() {
    let mut desk = Desk::quoting();
    let bid = desk.resting_buy();
    desk.book(0, "0.40", "0.44");
    while !desk.waiting.iter().any(|(_, a)| matches!(a, Action::Cancel { order, .. } if *order == bid.id)) {
        desk.step();
    }
    for (seq, action) in std::mem::take(&mut desk.waiting) {
        let ours = matches!(&action, Action::Cancel { order, .. } if *order == bid.id);
        let gone = GatewayOutcome::Cancel(CancelOutcome::Gone("not found".to_owned()));
        let outcome = if ours { gone } else { desk.honest(&action) };
        desk.answer(seq, outcome);
    }
    // The question what became of it is lost as well.
    for (seq, action) in std::mem::take(&mut desk.waiting) {
        let query = matches!(&action, Action::Query { .. });
        let outcome = if query { GatewayOutcome::Query(Err(UnknownCause::Timeout)) } else { desk.honest(&action) };
        desk.answer(seq, outcome);
    }
    desk.take_from_venue(&bid.id);
    desk.run_for(2_000);
    let asked = desk.count(|a| matches!(a, Action::Query { order } if *order == bid.id));
    assert_eq!(asked, 2, "asked once more");
    let gone = |e: &&Event| matches!(e, Event::Order { order, to: oddsmith_domain::OrderState::Canceled, .. } if *order == bid.id);
    assert!(desk.events().iter().any(gone));
}

/// Twelve markets move at once; no budget for orders is left, and one order connection.
#[test]
fn cancels_leave_before_placements_however_many_there_are() {
    let mut desk = Desk::quoting();
    for n in 1..12 {
        desk.add_market(n);
    }
    desk.run_for(10_000);
    assert_eq!(desk.resting.len(), 24);
    let settings = OutboxSettings { orders: (1, 1), ..OutboxSettings::default() };
    let mut outbox = Outbox::new(settings, 1, desk.now);
    let from = desk.outputs.len();
    for n in 0..12 {
        desk.book(n, "0.40", "0.44");
    }
    desk.now = desk.now.plus_ns(150 * Time::MILLI);
    desk.tick();
    for (seq, action) in std::mem::take(&mut desk.waiting) {
        if matches!(action, Action::Cancel { .. } | Action::Place(_)) {
            outbox.submit(seq, action, desk.now);
        }
    }
    let canceled = desk.outputs[from..].iter().filter(|o| matches!(o.body, OutputBody::Action(Action::Cancel { .. })));
    assert_eq!(canceled.count(), 24);
    let free = FreeConnections { orders: 1, cancels: 2 };
    let first = outbox.next_request(free, desk.now).expect("a request");
    assert_eq!((first.endpoint, first.actions.len()), (Endpoint::CancelBatch, 24), "all of them in one request");
    let RequestBody::Json(body) = &first.body else { panic!("a list of ids") };
    assert_eq!(body.matches("0x").count(), 24);
}

/// EX16: orders in a market change at most once in the interval, and a cancel of everything does not wait for it.
#[test]
fn replaces_keep_their_distance_and_a_stop_does_not_wait() {
    let timing = Timing { replace_interval_ms: 1_000, debounce_ms: 0, ..Timing::default() };
    let mut desk = Desk::quoting_with(EngineConfig { timing, ..config() });
    desk.run_for(10_000);
    let from = desk.outputs.len();
    for step in 0..20u32 {
        let (bid, ask) = if step.is_multiple_of(2) { ("0.40", "0.44") } else { ("0.60", "0.64") };
        desk.book(0, bid, ask);
        desk.run_for(100);
    }
    let is_place = |o: &&oddsmith_domain::Output| matches!(o.body, OutputBody::Action(Action::Place(_)));
    let placed = desk.outputs[from..].iter().filter(is_place).count();
    assert!((2..=6).contains(&placed), "two orders at a time, at most three times in two seconds: {placed}");
    desk.book(0, "0.40", "0.44");
    desk.run_for(20);
    desk.command(Command::Stop);
    desk.tick();
    assert!(desk.waiting.iter().any(|(_, a)| matches!(a, Action::CancelAll)));
}

/// OL03: what rests at the venue is known from our own actions and its answers.
#[test]
fn a_book_alone_never_changes_an_order() {
    let mut desk = Desk::quoting();
    let from = desk.outputs.len();
    let c = common::card(0);
    for (side, price) in [("BUY", "0.48"), ("BUY", "0.47"), ("SELL", "0.52"), ("SELL", "0.53")] {
        // Everything goes from the level where our own order may rest.
        desk.frame(
            format!(
                r#"{{"event_type":"price_change","market":"{}","timestamp":"{}","price_changes":[{{"asset_id":"{}","price":"{price}","size":"0","side":"{side}"}}]}}"#,
                c.condition,
                desk.now.wall_ms(),
                c.tokens[0],
            )
            .as_bytes(),
        );
        desk.book(0, "0.30", "0.35");
    }
    let changed =
        |o: &oddsmith_domain::Output| matches!(o.body, OutputBody::Event(Event::Order { .. } | Event::Fill { .. }));
    assert!(!desk.outputs[from..].iter().any(changed));
}
