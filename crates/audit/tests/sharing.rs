//! The audit on runs of the engine at a desk, record by record, as they were and with one thing altered.

#[path = "../../engine/tests/common/mod.rs"]
mod common;

use common::{Desk, Taking, card, config};
use oddsmith_audit::{Auditor, Report, Rule};
use oddsmith_domain::{Event, Input, MarketCard, MarketId, Output, OutputBody, PlaceOrder, RunId, Usdc};
use oddsmith_engine::{Engine, EngineConfig, InstanceConfig, Pauses, Sharing};
use oddsmith_journal::{Encoder, Record, RecordHead};
use oddsmith_risk::{CapitalPart, Limits};
use oddsmith_strategy::{StrategyConfig, imbalance};

/// Puts a desk's inputs into a new engine and audits what comes out; `alter` may change each record before the auditor sees it.
fn audited(desk: &Desk, alter: &mut dyn FnMut(&mut Input<'_>, &mut Vec<Output>)) -> Report {
    let (mut engine, mut auditor, mut encoder) = (Engine::new(), Auditor::new(), Encoder::default());
    let mut sequence = 0;
    for (now, bytes) in &desk.tape {
        let mut input: Input<'_> = postcard::from_bytes(bytes).expect("an input");
        let mut outputs = Vec::new();
        engine.handle(&input, *now, &mut outputs);
        alter(&mut input, &mut outputs);
        let mut record = |encoded: oddsmith_journal::Encoded<'_>| {
            sequence += 1;
            let head = RecordHead { time: *now, kind: encoded.kind, ids: encoded.ids };
            auditor.record(&Record { sequence, head, payload: encoded.payload }).expect("a record");
        };
        record(encoder.input(&input).expect("encodes"));
        outputs.iter().for_each(|output| record(encoder.output(output).expect("encodes")));
    }
    auditor.finish(RunId([7; 16]), true)
}

/// Nothing is altered.
fn as_it_was(desk: &Desk) -> Report {
    audited(desk, &mut |_, _| {})
}

fn first(report: &Report) -> Option<(Rule, &str)> {
    report.violations.first().map(|violation| (violation.rule, violation.what.as_str()))
}

/// Something is bought in the first market; then it is decided, and the second one is quoted as far as the limit allows.
fn decided() -> Desk {
    let limits = Limits { max_total_loss_usdc: Usdc::from_whole(16), ..Limits::default() };
    let mut desk = Desk::quoting_with(EngineConfig { limits, ..config() });
    let bid = desk.resting_buy();
    desk.take_from_venue(&bid.id);
    let trade = desk.fill(&bid, bid.size, "MATCHED");
    desk.report(&trade, &bid, bid.size, "CONFIRMED");
    desk.collateral -= bid.size.cost_ceil(bid.price);
    desk.run_for(1_000);
    let (condition, winner) = (card(0).condition, card(0).token(bid.asset.outcome()));
    let frame = format!(
        r#"{{"event_type":"market_resolved","id":"1","market":"{condition}","winning_asset_id":"{winner}","winning_outcome":"x","timestamp":"{}"}}"#,
        desk.now.wall_ms()
    );
    desk.frame(frame.as_bytes());
    desk.run_for(1_000);
    desk.add_market(1);
    desk.run_for(9_000);
    desk
}

#[test]
fn what_is_held_in_a_decided_market_is_in_no_limit() {
    let desk = decided();
    let in_second = |o: &&PlaceOrder| o.asset.market() == MarketId(1);
    let at_stake: Usdc = desk.resting.iter().filter(in_second).map(|o| o.size.cost_ceil(o.price)).sum();
    assert!(at_stake > Usdc::from_whole(10), "the first market's holdings leave room for {at_stake}");
    let report = as_it_was(&desk);
    assert!(report.holds, "{:?}", report.violations);

    // Without the decision the holdings would have counted, and the orders in the second market been too many.
    let mut silent = |_: &mut Input<'_>, outputs: &mut Vec<Output>| {
        for output in outputs {
            if matches!(output.body, OutputBody::Event(Event::Resolved { .. })) {
                output.body = OutputBody::Event(Event::Alert { text: String::new() });
            }
        }
    };
    let report = audited(&desk, &mut silent);
    assert!(matches!(first(&report), Some((Rule::Limit, what)) if what.contains("max_total_loss_usdc")), "{report:?}");
}

#[test]
fn a_decision_that_the_venue_has_not_told_is_found() {
    let mut unheard = |input: &mut Input<'_>, _: &mut Vec<Output>| {
        if let Input::Market { bytes, .. } = input
            && bytes.windows(15).any(|window| window == b"market_resolved")
        {
            *bytes = b"[]";
        }
    };
    let report = audited(&decided(), &mut unheard);
    assert!(matches!(first(&report), Some((Rule::Settlement, what)) if what.contains("has not said so")), "{report:?}");
}

/// The settings that the auditor reads are not those that the engine had.
fn other_settings(from: &str, to: &str) -> impl FnMut(&mut Input<'_>, &mut Vec<Output>) {
    move |input, _| {
        if let Input::Setup(setup) = input {
            assert!(setup.config.contains(from), "{}", setup.config);
            setup.config = setup.config.replace(from, to);
        }
    }
}

#[test]
fn an_order_beyond_a_part_of_the_capital_is_found() {
    for (part, from, to) in [
        (CapitalPart::Amount(Usdc::from_whole(30)), r#""amount":"30""#, r#""amount":"18""#),
        (CapitalPart::Share(Usdc::from_micros(30_000).into()), r#""share":"0.03""#, r#""share":"0.018""#),
    ] {
        let mut config = config();
        config.instances[0].sharing.capital = Some(part);
        let mut desk = Desk::quoting_with(config);
        let bid = desk.resting_buy();
        desk.take_from_venue(&bid.id);
        let trade = desk.fill(&bid, bid.size, "MATCHED");
        desk.report(&trade, &bid, bid.size, "CONFIRMED");
        desk.collateral -= bid.size.cost_ceil(bid.price);
        desk.run_for(9_000);
        let report = as_it_was(&desk);
        assert!(report.holds, "{:?}", report.violations);
        let report = audited(&desk, &mut other_settings(from, to));
        assert!(matches!(first(&report), Some((Rule::Limit, what)) if what.contains("to work")), "{report:?}");
    }
}

#[test]
fn a_market_too_many_is_found() {
    let mut config = config();
    config.instances[0].sharing.max_markets = Some(2);
    let mut desk = Desk::quoting_with(config);
    desk.add_market(1);
    desk.add_market(2);
    desk.run_for(9_000);
    let report = as_it_was(&desk);
    assert!(report.holds, "{:?}", report.violations);
    let report = audited(&desk, &mut other_settings(r#""max_markets":2"#, r#""max_markets":1"#));
    assert!(matches!(first(&report), Some((Rule::Limit, what)) if what.contains("enters a market")), "{report:?}");
}

/// A taker's basket is under way, and the book moves meanwhile.
fn under_way(pauses: Pauses) -> Desk {
    let parameters = imbalance::Parameters {
        size_usdc: Usdc::from_whole(5),
        max_seconds_left: 31_536_000,
        cooldown_s: 600,
        max_spread: 0.05,
        ..imbalance::Parameters::default()
    };
    let maker = config().instances.remove(0);
    let taker = InstanceConfig {
        name: "taker".to_owned(),
        strategy: StrategyConfig::Imbalance(parameters),
        sharing: Sharing { priority: 1, pauses, ..Sharing::default() },
        ..maker.clone()
    };
    let mut desk = Desk::new(EngineConfig { instances: vec![maker, taker], ..EngineConfig::default() });
    let end_wall_s = Some(desk.now.wall_s() + 10_000);
    desk.put(&Input::Card(Box::new(MarketCard { end_wall_s, ..card(0) })));
    desk.run_for(12_000);
    desk.fates.push_back(Taking::Delayed);
    desk.sized_book(0, ("0.49", 300), ("0.51", 100));
    desk.run_for(200);
    desk.sized_book(0, ("0.45", 300), ("0.49", 100));
    desk.run_for(400);
    assert_eq!(desk.taken.len(), 1);
    desk
}

#[test]
fn a_quote_beside_a_basket_that_pauses_it_is_found() {
    for pauses in [Pauses::Others, Pauses::Named(vec!["maker".to_owned()])] {
        let report = as_it_was(&under_way(pauses));
        assert!(report.holds, "{:?}", report.violations);
    }
    // The engine was not told of pauses, and the auditor is.
    let nobody = under_way(Pauses::default());
    assert!(as_it_was(&nobody).holds);
    for told in [r#""others""#, r#"["maker"]"#] {
        let told = format!(r#""pauses":{told}"#);
        let report = audited(&nobody, &mut other_settings(r#""pauses":[]"#, &told));
        assert!(
            matches!(first(&report), Some((Rule::Stopped, what)) if what.contains("pauses its instance")),
            "{report:?}"
        );
    }
}

#[test]
fn a_pause_that_no_setting_allows_is_found() {
    let desk = under_way(Pauses::Others);
    let report = audited(&desk, &mut other_settings(r#""pauses":"others""#, r#""pauses":[]"#));
    assert!(matches!(first(&report), Some((Rule::Stopped, what)) if what.contains("may not")), "{report:?}");
    // Nor may one that comes later in priority.
    let report = audited(&desk, &mut other_settings(r#""priority":1"#, r#""priority":-1"#));
    assert!(matches!(first(&report), Some((Rule::Stopped, what)) if what.contains("may not")), "{report:?}");
}
