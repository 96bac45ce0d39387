//! Every cause of doubt: what it covers, the steps out of it, what it blocks, and what ends it.

mod common;

use common::{Desk, card, config};
use oddsmith_domain::{
    AccountPart, Action, Command, DoubtCause, Event, FetchWhat, GatewayOutcome, Input, Link, LinkState, MarketId,
    Omission, OutputBody, PlaceOutcome, RefusalCode, Scope, Time, UnknownCause, VenueMode,
};

/// What ends a doubt.
enum End {
    /// This, done by somebody.
    By(fn(&mut Desk)),
    /// The way out itself: cancelled, read, waited.
    Itself,
    /// Nothing in this run.
    Never,
}

struct Case {
    name: &'static str,
    cause: DoubtCause,
    scope: Scope,
    begin: fn(&mut Desk),
    end: End,
}

const MARKET: Scope = Scope::Market(MarketId(0));

/// Two markets are quoted.
fn desk() -> Desk {
    let mut desk = Desk::new(config());
    desk.add_market(1);
    desk.run_for(16_000);
    assert!([0, 1].iter().all(|n| in_market(&desk, *n) > 0), "{:?}", desk.quotes());
    desk
}

fn in_market(desk: &Desk, n: u32) -> usize {
    desk.resting.iter().filter(|o| o.asset.market().0 == n).count()
}

fn link(desk: &mut Desk, link: Link, state: LinkState) {
    desk.put(&Input::Link { link, state });
}

/// The venue answers the next action that `which` picks with `outcome`, everything else honestly.
fn answer_next(desk: &mut Desk, which: fn(&Action) -> bool, outcome: &GatewayOutcome, mut times: u32) {
    for _ in 0..10_000 {
        desk.step();
        for (seq, action) in std::mem::take(&mut desk.waiting) {
            let ours = times > 0 && which(&action);
            times -= u32::from(ours);
            let outcome = if ours { outcome.clone() } else { desk.honest(&action) };
            desk.answer(seq, outcome);
        }
        if times == 0 {
            return;
        }
    }
    panic!("nothing of the kind was asked for");
}

const fn is_place(action: &Action) -> bool {
    matches!(action, Action::Place(_))
}

const fn is_account(action: &Action) -> bool {
    matches!(action, Action::Fetch(FetchWhat::Account { .. }))
}

/// The quotes of the first market move, and the venue says this to the first new order.
fn place_is_answered(desk: &mut Desk, outcome: PlaceOutcome) {
    desk.book(0, "0.40", "0.44");
    answer_next(desk, is_place, &GatewayOutcome::Place(outcome), 1);
}

fn refuse(desk: &mut Desk, code: RefusalCode) {
    place_is_answered(desk, PlaceOutcome::Refused { code, text: "no".to_owned() });
}

fn cases() -> Vec<Case> {
    let case = |name, cause, scope, begin, end| Case { name, cause, scope, begin, end };
    let books = |desk: &mut Desk| {
        desk.alive = true;
        desk.book(0, "0.48", "0.52");
        desk.book(1, "0.48", "0.52");
        link(desk, Link::Market(0), LinkState::Up);
    };
    let user_up = |desk: &mut Desk| link(desk, Link::User, LinkState::Up);
    vec![
        case(
            "socket lost",
            DoubtCause::MarketLink,
            MARKET,
            |desk| {
                desk.alive = false;
                link(desk, Link::Market(0), LinkState::Down("closed".to_owned()));
            },
            End::By(books),
        ),
        case(
            "socket silent",
            DoubtCause::MarketLink,
            MARKET,
            |desk| {
                desk.alive = false;
                link(desk, Link::Market(0), LinkState::Silent);
            },
            End::By(books),
        ),
        case(
            "user stream lost",
            DoubtCause::UserLink,
            Scope::Wallet,
            |desk| link(desk, Link::User, LinkState::Down("closed".to_owned())),
            End::By(user_up),
        ),
        case(
            "user stream blind",
            DoubtCause::UserLink,
            Scope::Wallet,
            |desk| link(desk, Link::User, LinkState::Silent),
            End::By(user_up),
        ),
        case(
            "stale book",
            DoubtCause::StaleBook,
            MARKET,
            |desk| {
                desk.alive = false;
                desk.run_for(5_500);
            },
            End::By(|desk| {
                desk.alive = true;
                link(desk, Link::Market(0), LinkState::Alive);
            }),
        ),
        case(
            "dirty book",
            DoubtCause::DirtyBook,
            MARKET,
            |desk| desk.book(0, "0.60", "0.40"),
            End::By(|desk| desk.book(0, "0.48", "0.52")),
        ),
        case("frames come late", DoubtCause::FeedLag, MARKET, frames_come_late, End::Itself),
        case(
            "unknown order",
            DoubtCause::UnknownOrder,
            Scope::Wallet,
            |desk| {
                place_is_answered(desk, PlaceOutcome::Unknown(UnknownCause::Timeout));
                desk.run_for(2_200);
            },
            End::Itself,
        ),
        case(
            "heartbeat missed",
            DoubtCause::Heartbeat,
            Scope::Wallet,
            |desk| {
                let miss = GatewayOutcome::Heartbeat(Err(UnknownCause::Timeout));
                answer_next(desk, |a| matches!(a, Action::Heartbeat), &miss, 1);
            },
            End::Itself,
        ),
        case(
            "clock jumped forwards",
            DoubtCause::ClockJump,
            Scope::Wallet,
            |desk| desk.now.wall_ns += 1_500 * Time::MILLI,
            End::Itself,
        ),
        case(
            "clock jumped backwards",
            DoubtCause::ClockJump,
            Scope::Wallet,
            |desk| desk.now.wall_ns -= 1_500 * Time::MILLI,
            End::Itself,
        ),
        case(
            "engine restarts (425)",
            DoubtCause::VenueRestarting,
            Scope::Wallet,
            |desk| refuse(desk, RefusalCode::EngineRestarting),
            End::Itself,
        ),
        case(
            "cancel-only (503)",
            DoubtCause::VenueCancelOnly,
            Scope::Wallet,
            |desk| refuse(desk, RefusalCode::CancelOnlyMode),
            End::Itself,
        ),
        case(
            "trading disabled (503)",
            DoubtCause::VenueDisabled,
            Scope::Wallet,
            |desk| refuse(desk, RefusalCode::TradingDisabled),
            End::Itself,
        ),
        case(
            "protocol version not known",
            DoubtCause::ProtocolVersion,
            Scope::Wallet,
            |desk| refuse(desk, RefusalCode::VersionMismatch),
            End::Never,
        ),
        case(
            "account not readable",
            DoubtCause::Resync,
            Scope::Wallet,
            |desk| {
                let failed = GatewayOutcome::Account(Err(Omission {
                    part: AccountPart::Orders,
                    page: 1,
                    cause: UnknownCause::Status(500),
                    rejected: 0,
                    rejects: Vec::new(),
                }));
                answer_next(desk, is_account, &failed, 3);
            },
            End::Itself,
        ),
        case(
            "undecodable user frame",
            DoubtCause::Mismatch,
            Scope::Wallet,
            |desk| desk.put(&Input::User { bytes: b"{\"event_type\":\"trade\"}" }),
            End::Itself,
        ),
        case(
            "operator's stop",
            DoubtCause::Operator,
            Scope::Wallet,
            |desk| desk.command(Command::Stop),
            End::By(|desk| desk.command(Command::Resume)),
        ),
        case("shutdown", DoubtCause::Shutdown, Scope::Wallet, |desk| desk.command(Command::Shutdown), End::Never),
    ]
}

/// A trade that the venue stamped so long ago.
fn trade_of(desk: &mut Desk, ago_ms: u64) {
    let (card, at) = (card(0), desk.now.wall_ms() - ago_ms);
    let frame = format!(
        r#"{{"event_type":"last_trade_price","asset_id":"{}","market":"{}","price":"0.5","side":"BUY","size":"1","fee_rate_bps":"0","timestamp":"{at}"}}"#,
        card.tokens[0], card.condition,
    );
    desk.frame(frame.as_bytes());
}

fn frames_come_late(desk: &mut Desk) {
    trade_of(desk, 20);
    desk.run_for(700);
    trade_of(desk, 530);
}

/// The four steps as the journal has them, for one scope; and the placements between them.
fn steps(desk: &Desk, from: usize, case: &Case) -> Vec<&'static str> {
    let of = |scope: &Scope| *scope == case.scope;
    let blocked = |market: MarketId| case.scope == Scope::Wallet || case.scope == Scope::Market(market);
    let step = |body: &OutputBody| match body {
        OutputBody::Event(Event::DoubtBegan { scope, cause }) if of(scope) && *cause == case.cause => Some("began"),
        OutputBody::Event(Event::DoubtCanceled { scope }) if of(scope) => Some("canceled"),
        OutputBody::Event(Event::DoubtCleared { scope }) if of(scope) => Some("cleared"),
        OutputBody::Event(Event::DoubtEnded { scope }) if of(scope) => Some("ended"),
        OutputBody::Event(Event::CautionEnded { scope }) if of(scope) => Some("calm"),
        OutputBody::Action(Action::Place(place)) if blocked(place.asset.market()) => Some("placed"),
        _ => None,
    };
    let mut steps: Vec<_> = desk.outputs[from..].iter().filter_map(|o| step(&o.body)).collect();
    steps.dedup();
    let begin = steps.iter().position(|s| *s == "began").unwrap_or_else(|| panic!("{}: no doubt", case.name));
    steps.split_off(begin)
}

#[test]
fn every_cause_takes_its_four_steps_in_its_scope() {
    for case in cases() {
        let mut desk = desk();
        let from = desk.outputs.len();
        (case.begin)(&mut desk);
        desk.run_for(300);
        match case.scope {
            Scope::Wallet => assert!(desk.resting.is_empty(), "{}: everything is cancelled", case.name),
            Scope::Market(_) | Scope::Instance(_) => {
                assert_eq!(in_market(&desk, 0), 0, "{}", case.name);
                assert_eq!(desk.outputs[from..].iter().filter(|o| is_cancel_all(&o.body)).count(), 0, "{}", case.name);
            }
        }
        if let End::By(end) = case.end {
            desk.run_for(20_000);
            assert!(!steps(&desk, from, &case).contains(&"ended"), "{}: only its end ends it", case.name);
            end(&mut desk);
        }
        desk.run_for(20_000);
        let steps = steps(&desk, from, &case);
        match case.end {
            End::Never => {
                assert_eq!(steps, ["began", "canceled", "cleared"], "{}", case.name);
                assert!(desk.resting.is_empty(), "{}", case.name);
            }
            _ => {
                // Quoting begins again in caution, never before; the first step of all is the last of the quotes.
                assert_eq!(steps[..4], ["began", "canceled", "cleared", "ended"], "{}: {steps:?}", case.name);
                assert_eq!((steps[4], steps.contains(&"calm")), ("placed", true), "{}: {steps:?}", case.name);
                assert!([0, 1].iter().all(|n| in_market(&desk, *n) > 0), "{}: quoting again", case.name);
            }
        }
    }
}

const fn is_cancel_all(body: &OutputBody) -> bool {
    matches!(body, OutputBody::Action(Action::CancelAll))
}

#[test]
fn doubt_about_one_book_leaves_the_other_markets_quotes() {
    let mut desk = desk();
    let others = in_market(&desk, 1);
    desk.book(0, "0.60", "0.40");
    desk.run_for(2_000);
    assert_eq!((in_market(&desk, 0), in_market(&desk, 1)), (0, others));
}

#[test]
fn late_frames_stop_quoting_until_they_come_in_time_again() {
    let mut desk = desk();
    let from = desk.outputs.len();
    frames_come_late(&mut desk);
    for _ in 0..10 {
        desk.run_for(1_000);
        trade_of(&mut desk, 220);
    }
    assert!(desk.resting.is_empty(), "200 ms later than the quickest is too late still");
    let placed = |desk: &Desk| {
        desk.outputs[from..].iter().filter(|o| matches!(&o.body, OutputBody::Action(a) if is_place(a))).count()
    };
    assert_eq!(placed(&desk), 0);
    desk.run_for(1_000);
    trade_of(&mut desk, 219);
    desk.run_for(3_000);
    assert!(in_market(&desk, 0) > 0 && in_market(&desk, 1) > 0);
}

#[test]
fn a_venue_that_stays_closed_is_tried_less_and_less_often() {
    let mut desk = desk();
    let from = desk.outputs.len();
    refuse(&mut desk, RefusalCode::CancelOnlyMode);
    let closed = PlaceOutcome::Refused { code: RefusalCode::CancelOnlyMode, text: "no".to_owned() };
    for _ in 0..30_000 {
        desk.step();
        for (seq, action) in std::mem::take(&mut desk.waiting) {
            let outcome = if is_place(&action) { GatewayOutcome::Place(closed.clone()) } else { desk.honest(&action) };
            desk.answer(seq, outcome);
        }
    }
    let tries = desk.outputs[from..].iter().filter(|o| matches!(&o.body, OutputBody::Action(a) if is_place(a))).count();
    // Five minutes: rests of 2, 4, 8, 16, 32, 60, 60 … seconds, four orders at each try.
    assert!((8..=48).contains(&tries), "{tries} orders were sent to a venue that takes none");
    desk.run_for(80_000);
    assert!(!desk.resting.is_empty(), "and it goes on when the venue does");
    let modes: Vec<_> = desk.outputs[from..]
        .iter()
        .filter_map(|o| if let OutputBody::Event(Event::VenueMode { mode }) = &o.body { Some(*mode) } else { None })
        .collect();
    assert_eq!(modes, [Some(VenueMode::CancelOnly), None]);
}

#[test]
fn post_only_mode_goes_on_with_post_only_orders() {
    let mut desk = desk();
    let from = desk.outputs.len();
    refuse(&mut desk, RefusalCode::PostOnlyMode);
    desk.run_for(5_000);
    let doubts =
        desk.outputs[from..].iter().filter(|o| matches!(&o.body, OutputBody::Event(Event::DoubtBegan { .. }))).count();
    assert_eq!(doubts, 0);
    assert!(desk.resting.len() >= 4 && desk.resting.iter().all(|o| o.post_only));
    desk.run_for(120_000);
    let modes = desk.events().into_iter().filter(|e| matches!(e, Event::VenueMode { .. })).count();
    assert_eq!(modes, 2, "told when it begins and when it is over");
}

#[test]
fn a_restart_is_followed_by_a_post_only_time() {
    let mut desk = desk();
    refuse(&mut desk, RefusalCode::EngineRestarting);
    desk.run_for(20_000);
    let told = |desk: &Desk, mode| desk.events().contains(&&Event::VenueMode { mode });
    assert!(told(&desk, Some(VenueMode::Restarting)) && told(&desk, Some(VenueMode::PostOnly)));
    assert!(!told(&desk, None));
    desk.run_for(110_000);
    assert!(told(&desk, None));
}

#[test]
fn three_orders_without_balance_let_the_account_be_read() {
    let mut desk = desk();
    desk.book(0, "0.40", "0.44");
    desk.book(1, "0.40", "0.44");
    let code = RefusalCode::InsufficientBalance;
    let refused = GatewayOutcome::Place(PlaceOutcome::Refused { code, text: "not enough balance".to_owned() });
    answer_next(&mut desk, is_place, &refused, 3);
    assert!(desk.events().contains(&&Event::DoubtBegan { scope: Scope::Wallet, cause: DoubtCause::Mismatch }));
}

#[test]
fn a_slow_correction_of_the_clock_is_no_jump() {
    let mut desk = desk();
    let from = desk.outputs.len();
    for _ in 0..200 {
        desk.now.wall_ns += 20 * Time::MILLI;
        desk.run_for(100);
    }
    let doubt = desk.outputs[from..].iter().any(|o| matches!(&o.body, OutputBody::Event(Event::DoubtBegan { .. })));
    assert!(!doubt, "four seconds in twenty, twenty milliseconds at a time");
}

/// Both last words of a settlement cannot be true: told once, not followed, and the account is read.
#[test]
fn a_settlement_that_contradicts_itself_is_told_and_not_followed() {
    for (first, second, kept) in [("CONFIRMED", "FAILED", true), ("FAILED", "CONFIRMED", false)] {
        let mut desk = desk();
        let bid = desk.resting_buy();
        desk.take_from_venue(&bid.id);
        let trade = desk.fill(&bid, bid.size, "MATCHED");
        for status in [first, second, second] {
            desk.report(&trade, &bid, bid.size, status);
        }
        let told = desk.events().into_iter().filter(|e| matches!(e, Event::IllegalSettlement { .. })).count();
        assert_eq!(told, 1, "{first}, then {second}");
        let began = Event::DoubtBegan { scope: Scope::Wallet, cause: DoubtCause::Mismatch };
        assert!(desk.events().contains(&&began));
        let held = desk.engine.held(bid.instance, bid.asset);
        assert_eq!(held.is_positive(), kept, "{first} stands");
    }
}
