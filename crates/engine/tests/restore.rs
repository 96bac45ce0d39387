//! Going on after another run: facts folded from outputs are the engine's own, wherever the journal was cut.

mod common;

use std::collections::BTreeMap;

use common::{Desk, START_WALL_NS, card, config};
use oddsmith_domain::{
    AccountOrder, AccountSnapshot, AccountTrade, Action, ActionSeq, CanceledOrders, Command, Event, FetchWhat,
    GatewayInput, GatewayOutcome, Input, InstanceId, Latch, MakerLeg, MarketId, OrderId, OrderState, Output,
    OutputBody, Payer, PlaceOrder, Restore, RunId, Scope, Setup, Shares, SubAccount, Time, TradeId, TradeStatus, Usdc,
    VenueOrderStatus,
};
use oddsmith_engine::{Engine, EngineConfig};
use oddsmith_execution::facts::Facts;

type Accounts = BTreeMap<(MarketId, InstanceId), SubAccount>;

fn accounts_of(engine: &Engine) -> Accounts {
    engine.accounts().map(|(instance, market, account)| ((market, instance), *account)).collect()
}

/// Plays a desk's inputs again, and hands each with what came out of it to `look`.
fn again(desk: &Desk, mut look: impl FnMut(&Engine, &Input<'_>, &[Output], Time)) {
    let mut engine = Engine::new();
    for (now, bytes) in &desk.tape {
        let input: Input<'_> = postcard::from_bytes(bytes).expect("an input");
        let mut out = Vec::new();
        engine.handle(&input, *now, &mut out);
        look(&engine, &input, &out, *now);
    }
}

fn fold(desk: &Desk) -> Facts {
    let mut facts = Facts::default();
    again(desk, |_, input, out, now| {
        facts.input(input);
        out.iter().for_each(|output| facts.apply(output, now));
    });
    facts
}

/// What the venue knows in the end.
struct Truth {
    trades: Vec<AccountTrade>,
    collateral: Usdc,
}

fn report(id: &str, order: &PlaceOrder, size: i64, status: TradeStatus) -> AccountTrade {
    AccountTrade {
        id: TradeId::parse(id).expect("short"),
        status,
        taker_order: OrderId([9; 32]),
        asset: Some(order.asset),
        side: order.side().opposite(),
        size: Shares::from_whole(size),
        price: order.price,
        we_take: false,
        legs: vec![MakerLeg {
            order: order.id,
            maker: order.fields.maker,
            asset: Some(order.asset),
            side: order.side(),
            price: order.price,
            size: Shares::from_whole(size),
        }],
        match_time_s: START_WALL_NS / Time::SECOND + 20,
    }
}

/// A story with fills that settle, one that fails and one that is still open at the end.
fn story() -> (Desk, Truth) {
    let mut desk = Desk::quoting();
    desk.run_for(6_000);
    let (yes, no) = (desk.resting[0], desk.resting[1]);
    assert_ne!(yes.asset, no.asset);
    for (id, order, statuses) in [
        ("trade-1", &yes, &["MATCHED", "MINED", "CONFIRMED"][..]),
        ("trade-2", &yes, &["MATCHED"]),
        ("trade-3", &no, &["MATCHED", "RETRYING", "FAILED"]),
        ("trade-4", &no, &["MINED"]),
    ] {
        for status in statuses {
            desk.report(id, order, Shares::from_whole(5), status);
            desk.run_for(40);
        }
    }
    let trades = vec![
        report("trade-1", &yes, 5, TradeStatus::Confirmed),
        report("trade-2", &yes, 5, TradeStatus::Matched),
        report("trade-3", &no, 5, TradeStatus::Failed),
        report("trade-4", &no, 5, TradeStatus::Mined),
    ];
    // What is not on the chain is still counted: 1,000 less five at 0.48 or so, twice.
    let paid = yes.price.units() + no.price.units();
    let collateral = Usdc::from_whole(1_000) - Usdc::from_micros(i64::from(paid) * 100 * 5);
    (desk, Truth { trades, collateral })
}

/// A new run of the same account, told what the run before left behind.
fn successor(restore: &Restore, config: &EngineConfig, at: Time) -> (Engine, Vec<Output>) {
    let setup = Setup {
        run: RunId([8; 16]),
        seed: [4; 32],
        account: restore.account,
        payer: Payer::own(restore.account),
        chain_id: 137,
        config: config.to_json().expect("json"),
    };
    let (mut engine, mut out) = (Engine::new(), Vec::new());
    engine.handle(&Input::Setup(Box::new(setup)), at, &mut out);
    engine.handle(&Input::Restore(Box::new(restore.clone())), at, &mut out);
    engine.handle(&Input::Card(Box::new(card(0))), at, &mut out);
    (engine, out)
}

/// Lets the venue answer until the wallet's doubt is over; returns everything that came out.
fn answer(engine: &mut Engine, mut out: Vec<Output>, truth: &Truth, open: &[AccountOrder], at: Time) -> Vec<Output> {
    let (mut now, mut next, mut resting) = (at, 0, open.to_vec());
    for _ in 0..1_000 {
        now = now.plus_ns(10 * Time::MILLI);
        engine.handle(&Input::Tick, now, &mut out);
        while let Some(output) = out.get(next).cloned() {
            next += 1;
            let OutputBody::Action(action) = &output.body else { continue };
            let outcome = match action {
                Action::CancelAll => {
                    let canceled = resting.drain(..).map(|order| order.id).collect();
                    GatewayOutcome::CancelScope(Ok(CanceledOrders { canceled, not_canceled: Vec::new() }))
                }
                Action::Fetch(FetchWhat::Account { trades_since_s, .. }) => {
                    let late = |trade: &&AccountTrade| trade.match_time_s >= *trades_since_s;
                    GatewayOutcome::Account(Ok(AccountSnapshot {
                        orders: resting.clone(),
                        trades: truth.trades.iter().filter(late).cloned().collect(),
                        collateral: truth.collateral,
                        ..AccountSnapshot::default()
                    }))
                }
                Action::Query { .. } => GatewayOutcome::Query(Ok(None)),
                Action::Heartbeat => GatewayOutcome::Heartbeat(Ok(())),
                _ => GatewayOutcome::Done(Ok(())),
            };
            let result = GatewayInput { action: ActionSeq(output.seq), outcome };
            engine.handle(&Input::Gateway(Box::new(result)), now, &mut out);
        }
    }
    out
}

fn later() -> Time {
    Time { mono_ns: 77, wall_ns: START_WALL_NS + 90 * Time::SECOND }
}

#[test]
fn facts_are_what_the_engine_knows_after_every_input() {
    let (desk, _) = story();
    let (mut facts, mut compared) = (Facts::default(), 0);
    again(&desk, |engine, input, out, now| {
        facts.input(input);
        out.iter().for_each(|output| facts.apply(output, now));
        let folded: Accounts = facts.accounts().map(|(i, m, account)| ((m, i), *account)).collect();
        assert_eq!(folded, accounts_of(engine));
        for (id, state, filled) in facts.orders() {
            assert_eq!(engine.order_state(id), Some(state));
            assert!(!filled.is_negative());
            compared += 1;
        }
    });
    assert!(compared > 100, "the story has orders");
    assert_eq!(facts.run(), RunId([7; 16]));
}

#[test]
fn wherever_the_journal_is_cut_the_successor_comes_to_the_same_ledger() {
    let (desk, truth) = story();
    let mut cuts: Vec<Restore> = Vec::new();
    let (mut facts, mut quoted) = (Facts::default(), false);
    let mut end = Accounts::new();
    again(&desk, |engine, input, out, now| {
        facts.input(input);
        for output in out {
            facts.apply(output, now);
            quoted |= matches!(&output.body, OutputBody::Event(Event::Fill { .. }));
            let mut restore = facts.clone().into_restore();
            restore.ended_wall_ns = 0;
            if quoted && cuts.last() != Some(&restore) {
                cuts.push(restore);
            }
        }
        end = accounts_of(engine);
    });
    assert!(cuts.len() >= 10, "{} different ends", cuts.len());
    for restore in &cuts {
        let (mut engine, out) = successor(restore, &config(), later());
        let out = answer(&mut engine, out, &truth, &[], later());
        let found = accounts_of(&engine);
        assert_eq!(found, end, "after {restore:#?}");
        assert!(found.values().all(SubAccount::balances));
        let differs = |o: &&Output| matches!(&o.body, OutputBody::Event(Event::Difference { .. }));
        assert_eq!(out.iter().filter(differs).collect::<Vec<_>>(), Vec::<&Output>::new());
        assert!(engine.open_orders(Scope::Wallet).iter().all(|id| out.iter().any(|o| o.body_places(id))));
    }
}

trait Places {
    fn body_places(&self, id: &OrderId) -> bool;
}

impl Places for Output {
    fn body_places(&self, id: &OrderId) -> bool {
        matches!(&self.body, OutputBody::Action(Action::Place(place)) if place.id == *id)
    }
}

#[test]
fn what_may_be_alive_counts_until_the_venue_shows_that_it_is_gone() {
    let desk = Desk::quoting();
    let restore = fold(&desk).into_restore();
    let left = desk.resting.clone();
    assert!(!left.is_empty());
    let (mut engine, out) = successor(&restore, &config(), later());
    for order in &left {
        assert_eq!(engine.order_state(&order.id), Some(OrderState::Unknown));
    }
    let open: Vec<AccountOrder> = left
        .iter()
        .map(|order| AccountOrder {
            id: order.id,
            asset: Some(order.asset),
            side: order.side(),
            price: order.price,
            original_size: order.size,
            size_matched: Shares::ZERO,
            status: VenueOrderStatus::Live,
        })
        .collect();
    let truth = Truth { trades: Vec::new(), collateral: Usdc::from_whole(1_000) };
    let out = answer(&mut engine, out, &truth, &open, later());
    for order in &left {
        assert_eq!(engine.order_state(&order.id), Some(OrderState::Canceled));
    }
    let ended = |o: &Output| matches!(o.body, OutputBody::Event(Event::DoubtEnded { scope: Scope::Wallet }));
    assert!(out.iter().any(ended), "quoting goes on");
}

#[test]
fn the_kill_switch_and_a_stop_survive_and_a_shutdown_takes_the_stop_back() {
    for (commands, killed, stopped) in [
        (&[Command::Kill][..], true, false),
        (&[Command::Stop], false, true),
        (&[Command::Stop, Command::Shutdown], false, false),
        (&[Command::Kill, Command::Shutdown], true, false),
    ] {
        let mut desk = Desk::quoting();
        for command in commands {
            desk.command(*command);
            desk.run_for(200);
        }
        let restore = fold(&desk).into_restore();
        assert_eq!(restore.stopped, stopped, "{commands:?}");
        assert_eq!(restore.latches.iter().any(|l| matches!(l.latch, Latch::Kill(_))), killed, "{commands:?}");
        let (mut engine, out) = successor(&restore, &config(), later());
        let truth = Truth { trades: Vec::new(), collateral: Usdc::from_whole(1_000) };
        let out = answer(&mut engine, out, &truth, &[], later());
        let ended = out.iter().any(|o| matches!(o.body, OutputBody::Event(Event::DoubtEnded { scope: Scope::Wallet })));
        assert_eq!(ended, !killed && !stopped, "{commands:?}");
    }
}

#[test]
fn a_chain_of_restarts_carries_everything_on() {
    let (desk, truth) = story();
    let first = fold(&desk).into_restore();
    let (mut engine, out) = successor(&first, &config(), later());
    let end = {
        let out = answer(&mut engine, out, &truth, &[], later());
        let mut facts = Facts::default();
        // The names of the instances come with the setup, before the facts of the run before.
        let began =
            out.iter().position(|o| matches!(o.body, OutputBody::Event(Event::Began { .. }))).expect("it began");
        facts.apply(&out[began], later());
        facts.input(&Input::Restore(Box::new(first.clone())));
        out[began + 1..].iter().for_each(|output| facts.apply(output, later()));
        facts.into_restore()
    };
    assert_eq!((end.run, end.account), (RunId([8; 16]), first.account));
    let sum = |restore: &Restore| -> Usdc { restore.accounts.iter().map(|a| a.account.cash).sum() };
    assert_eq!(sum(&end), engine.accounts().map(|(_, _, account)| account.cash).sum());
    assert_eq!(end.capital, first.capital);
    assert!(end.trades_since_s >= first.trades_since_s);
    let (third, _) = successor(&end, &config(), later());
    assert_eq!(accounts_of(&third), accounts_of(&engine));
}

#[test]
fn a_run_that_died_before_it_read_anything_leaves_that_to_the_next() {
    let desk = Desk::quoting();
    let first = fold(&desk).into_restore();
    // A day later another run begins, and is killed at once.
    let day = 86_400 * Time::SECOND;
    let at = Time { mono_ns: 5, wall_ns: later().wall_ns + day };
    let (_, out) = successor(&first, &config(), at);
    let mut facts = Facts::default();
    facts.apply(&out[0], at);
    facts.input(&Input::Restore(Box::new(first.clone())));
    out[1..].iter().for_each(|output| facts.apply(output, at));
    let second = facts.into_restore();
    assert_eq!(second.ended_wall_ns, at.wall_ns);
    assert!(second.trades_since_s <= first.trades_since_s, "what happened in that day is still to be read");
    let at = Time { mono_ns: 9, wall_ns: at.wall_ns + day };
    let (mut third, mut out) = successor(&second, &config(), at);
    third.handle(&Input::Tick, at, &mut out);
    let read = out.iter().find_map(|output| match &output.body {
        OutputBody::Action(Action::Fetch(FetchWhat::Account { trades_since_s, .. })) => Some(*trades_since_s),
        _ => None,
    });
    assert_eq!(read, Some(second.trades_since_s));
}

#[test]
fn what_an_instance_held_that_is_no_more_belongs_to_nobody() {
    let (desk, _) = story();
    let restore = fold(&desk).into_restore();
    let mut renamed = config();
    renamed.instances[0].name = "another".to_owned();
    let (engine, out) = successor(&restore, &renamed, later());
    let found = accounts_of(&engine);
    assert_eq!(found.keys().map(|(_, instance)| *instance).collect::<Vec<_>>(), [InstanceId::WALLET]);
    assert_eq!(found.values().map(|a| a.cash).sum::<Usdc>(), restore.accounts.iter().map(|a| a.account.cash).sum());
    let told = |o: &Output| matches!(&o.body, OutputBody::Event(Event::Alert { text }) if text.contains("`maker`"));
    assert!(out.iter().any(told));
}

#[test]
fn facts_that_do_not_fit_are_refused() {
    let (desk, _) = story();
    let restore = fold(&desk).into_restore();
    let refused = |mut wrong: Restore, change: fn(&mut Restore), late: bool| {
        let account = wrong.account;
        change(&mut wrong);
        let setup = Setup {
            run: RunId([8; 16]),
            seed: [4; 32],
            account,
            payer: Payer::own(account),
            chain_id: 137,
            config: config().to_json().expect("json"),
        };
        let (mut engine, mut out) = (Engine::new(), Vec::new());
        engine.handle(&Input::Setup(Box::new(setup)), later(), &mut out);
        if late {
            engine.handle(&Input::Card(Box::new(card(0))), later(), &mut out);
        }
        engine.handle(&Input::Restore(Box::new(wrong)), later(), &mut out);
        assert_eq!(engine.accounts().count(), 0);
        out.iter().any(|o| matches!(&o.body, OutputBody::Event(Event::Alert { text }) if text.contains("refused")))
    };
    assert!(refused(restore.clone(), |r| r.account.0[0] ^= 1, false));
    assert!(refused(restore.clone(), |r| r.markets.clear(), false));
    assert!(refused(restore, |_| (), true));
}
