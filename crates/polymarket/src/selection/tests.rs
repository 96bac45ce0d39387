//! Tests of selection: every bound and its margin, series, room, what is held, and that order plays no part.

use oddsmith_domain::{ConditionId, Fit, MarketFacts, RewardTerms, Unfit, Verdict};
use proptest::prelude::*;

use super::*;

const NOW_S: u64 = 1_790_000_000;

fn usdc(whole: i64) -> Usdc {
    Usdc::from_whole(whole)
}

fn price(units: u16) -> Price {
    Price::from_units(units).expect("in range")
}

/// A market that fits the strictest rule of these tests.
fn facts(n: u32) -> MarketFacts {
    MarketFacts {
        condition: ConditionId::parse(&format!("0x{n:064x}")).expect("an id"),
        slug: format!("market-{n:03}"),
        series: String::new(),
        tags: vec!["crypto".to_owned(), "up or down".to_owned()],
        active: true,
        closed: false,
        archived: false,
        accepting_orders: true,
        neg_risk: false,
        end_wall_s: Some(NOW_S + 3_600),
        volume: Some(usdc(1_000)),
        liquidity: Some(usdc(500)),
        spread: Some(price(300)),
        rewards: Some(RewardTerms { daily: usdc(50), max_spread: price(350), min_size: Shares::from_whole(100) }),
    }
}

fn strict() -> Rule {
    Rule {
        tags: vec!["Crypto".to_owned()],
        without_tags: vec!["sports".to_owned()],
        neg_risk: Some(false),
        min_to_close_s: 120,
        max_to_close_s: Some(14_400),
        min_volume_usdc: usdc(1_000),
        min_liquidity_usdc: usdc(500),
        max_spread: Some(price(300)),
        min_reward_usdc: usdc(50),
        min_reward_spread: Some(price(350)),
        max_reward_size: Some(Shares::from_whole(100)),
        ..Rule::default()
    }
}

fn fresh(facts: &MarketFacts) -> Candidate<'_> {
    Candidate { facts, spread: None, chosen: false, bound: false, over: false }
}

fn one(rule: &Rule, candidate: Candidate<'_>, now_s: u64) -> Verdict {
    choose(rule, &[candidate], now_s).verdicts[0]
}

/// The numbers of the chosen ones among candidates that were chosen before or not.
fn chosen(rule: &Rule, all: &[(MarketFacts, bool)], now_s: u64) -> Vec<usize> {
    let candidates: Vec<Candidate<'_>> =
        all.iter().map(|(facts, chosen)| Candidate { chosen: *chosen, ..fresh(facts) }).collect();
    let choice = choose(rule, &candidates, now_s);
    (0..all.len()).filter(|n| matches!(choice.verdicts[*n], Verdict::Chosen(_))).collect()
}

#[test]
fn every_bound_refuses_by_its_name() {
    type Change = fn(&mut MarketFacts);
    let rows: [(Change, Unfit); 17] = [
        (|f| f.archived = true, Unfit::Archived),
        (|f| f.closed = true, Unfit::Closed),
        (|f| f.active = false, Unfit::Inactive),
        (|f| f.accepting_orders = false, Unfit::NotAccepting),
        (|f| f.end_wall_s = Some(NOW_S), Unfit::Ended),
        (|f| f.tags.clear(), Unfit::Tag),
        (|f| f.tags.push("sports".to_owned()), Unfit::UnwantedTag),
        (|f| f.neg_risk = true, Unfit::NegRisk),
        (|f| f.end_wall_s = None, Unfit::NoEnd),
        (|f| f.end_wall_s = Some(NOW_S + 119), Unfit::EndsTooSoon),
        (|f| f.end_wall_s = Some(NOW_S + 14_401), Unfit::EndsTooLate),
        (|f| f.volume = Some(usdc(999)), Unfit::Volume),
        (|f| f.liquidity = None, Unfit::Liquidity),
        (|f| f.spread = Some(price(301)), Unfit::Spread),
        (|f| f.rewards = None, Unfit::Reward),
        (|f| f.rewards = f.rewards.map(|r| RewardTerms { max_spread: price(349), ..r }), Unfit::RewardSpread),
        (|f| f.rewards = f.rewards.map(|r| RewardTerms { min_size: Shares::from_whole(101), ..r }), Unfit::RewardSize),
    ];
    assert_eq!(one(&strict(), fresh(&facts(1)), NOW_S), Verdict::Chosen(Fit::Rule), "at every border");
    for (change, why) in rows {
        let mut market = facts(1);
        change(&mut market);
        assert_eq!(one(&strict(), fresh(&market), NOW_S), Verdict::Refused(why));
        let held = Candidate { bound: true, chosen: true, ..fresh(&market) };
        let margin = [Unfit::EndsTooLate, Unfit::Volume, Unfit::Spread, Unfit::RewardSpread, Unfit::RewardSize];
        let expected = if margin.contains(&why) { Verdict::Chosen(Fit::Margin) } else { Verdict::Leaving(why) };
        assert_eq!(one(&strict(), held, NOW_S), expected, "what is held there is not left behind");
    }
    let ours = facts(1);
    let over = Candidate { over: true, ..fresh(&ours) };
    assert_eq!(one(&strict(), over, NOW_S), Verdict::Refused(Unfit::Ended), "we know better than the list");
    let wide = Candidate { spread: Some(price(1_000)), ..fresh(&ours) };
    assert_eq!(
        one(&strict(), wide, NOW_S),
        Verdict::Refused(Unfit::Spread),
        "our own book counts for more than the list"
    );
    assert_eq!(one(&Rule::default(), fresh(&facts(1)), NOW_S), Verdict::Chosen(Fit::Rule));
}

#[test]
fn a_market_at_the_border_does_not_come_and_go() {
    let rule = Rule { min_volume_usdc: usdc(1_000), ..Rule::default() };
    let mut stands = false;
    let mut changes = 0;
    for volume in [995, 1_005, 995, 1_010, 901, 1_000, 900, 950, 899, 950, 999, 1_001] {
        let market = MarketFacts { volume: Some(usdc(volume)), ..facts(1) };
        let is = matches!(one(&rule, Candidate { chosen: stands, ..fresh(&market) }, NOW_S), Verdict::Chosen(_));
        changes += u32::from(is != stands);
        stands = is;
    }
    assert_eq!(changes, 3, "in at 1005, out at 899, in at 1001");
    let none = Rule { margin_percent: 0, ..rule };
    let market = MarketFacts { volume: Some(usdc(999)), ..facts(1) };
    let at = Candidate { chosen: true, ..fresh(&market) };
    assert_eq!(one(&none, at, NOW_S), Verdict::Refused(Unfit::Volume), "without a margin the bound is the bound");
}

#[test]
fn time_alone_moves_a_market_in_and_out_at_the_stated_second() {
    let rule = Rule { min_to_close_s: 120, max_to_close_s: Some(14_400), ..Rule::default() };
    let market = MarketFacts { end_wall_s: Some(NOW_S + 20_000), ..facts(1) };
    let (mut now_s, mut told, mut stands) = (NOW_S, Vec::new(), false);
    loop {
        let choice = choose(&rule, &[Candidate { chosen: stands, ..fresh(&market) }], now_s);
        stands = matches!(choice.verdicts[0], Verdict::Chosen(_));
        told.push((now_s - NOW_S, choice.verdicts[0]));
        let Some(next) = choice.until_s else { break };
        assert!(next > now_s);
        let before = choose(&rule, &[Candidate { chosen: stands, ..fresh(&market) }], next - 1);
        assert_eq!(before.verdicts, choice.verdicts, "nothing changes before the stated time");
        now_s = next;
    }
    assert_eq!(
        told,
        [
            (0, Verdict::Refused(Unfit::EndsTooLate)),
            (5_600, Verdict::Chosen(Fit::Rule)),
            (19_881, Verdict::Refused(Unfit::EndsTooSoon)),
            (20_000, Verdict::Refused(Unfit::Ended)),
        ]
    );
}

#[test]
fn the_next_window_is_there_before_the_present_one_leaves() {
    const WINDOW_S: u64 = 900;
    let window = |n: u64| MarketFacts {
        slug: format!("btc-updown-15m-{}", NOW_S + n * WINDOW_S),
        series: "btc-updown-15m".to_owned(),
        end_wall_s: Some(NOW_S + (n + 1) * WINDOW_S),
        ..facts(u32::try_from(n).expect("small"))
    };
    let rule = Rule { per_series: Some(1), successor_s: 60, min_to_close_s: 30, max_markets: 1, ..Rule::default() };
    let mut all: Vec<(MarketFacts, bool)> = (0..20).map(|n| (window(n), false)).collect();
    for second in 0..5 * WINDOW_S {
        let now_s = NOW_S + second;
        let which = chosen(&rule, &all, now_s);
        for (n, (_, is)) in all.iter_mut().enumerate() {
            *is = which.contains(&n);
        }
        let (n, left) = ((second / WINDOW_S) as usize, WINDOW_S - second % WINDOW_S);
        let expected = match left {
            0..30 => vec![n + 1],
            30..=90 => vec![n, n + 1],
            _ => vec![n],
        };
        assert_eq!(which, expected, "{left} s before the end");
    }
    let free = Rule { per_series: None, ..rule };
    assert_eq!(chosen(&free, &all, NOW_S), [0], "without a number for the series, the number of markets holds");
}

#[test]
fn of_too_many_the_first_by_the_configured_order_stay() {
    let market = |n: u32, end: u64, volume: i64, spread: u16, daily: i64| MarketFacts {
        end_wall_s: Some(NOW_S + end),
        volume: Some(usdc(volume)),
        liquidity: Some(usdc(10_000 - volume)),
        spread: Some(price(spread)),
        rewards: Some(RewardTerms { daily: usdc(daily), max_spread: price(300), min_size: Shares::ZERO }),
        ..facts(n)
    };
    let all: Vec<(MarketFacts, bool)> =
        [market(0, 900, 100, 500, 9), market(1, 800, 300, 900, 8), market(2, 1_000, 200, 100, 7)]
            .map(|f| (f, false))
            .into();
    for (order, first) in
        [(Order::EndsFirst, 1), (Order::Volume, 1), (Order::Liquidity, 0), (Order::Spread, 2), (Order::Reward, 0)]
    {
        let rule = Rule { order, max_markets: 1, ..Rule::default() };
        assert_eq!(chosen(&rule, &all, NOW_S), [first], "{order:?}");
    }
    let rule = Rule { order: Order::Volume, max_markets: 1, ..Rule::default() };
    let keeps = |rival: i64| {
        let two = [(market(0, 900, 1_000, 1, 1), true), (market(1, 900, rival, 1, 1), false)];
        chosen(&rule, &two, NOW_S) == [0]
    };
    assert!(keeps(1_001) && keeps(1_100) && !keeps(1_101), "its place is lost to one that is better by the margin");
}

#[test]
fn what_is_out_of_range_is_named() {
    type Change = fn(&mut Rule);
    let rows: [(Change, &str); 13] = [
        (|r| r.min_to_close_s = YEAR_S + 1, "min_to_close_s"),
        (|r| r.max_to_close_s = Some(0), "max_to_close_s"),
        (|r| r.max_to_close_s = Some(120), "max_to_close_s"),
        (|r| r.min_volume_usdc = usdc(-1), "min_volume_usdc"),
        (|r| r.min_liquidity_usdc = usdc(-1), "min_liquidity_usdc"),
        (|r| r.max_spread = Some(Price::ZERO), "max_spread"),
        (|r| r.min_reward_usdc = usdc(-1), "min_reward_usdc"),
        (|r| r.min_reward_spread = Some(Price::ZERO), "min_reward_spread"),
        (|r| r.max_reward_size = Some(Shares::from_whole(-1)), "max_reward_size"),
        (|r| r.per_series = Some(0), "per_series"),
        (|r| r.successor_s = 86_401, "successor_s"),
        (|r| r.max_markets = 0, "max_markets"),
        (|r| r.margin_percent = 51, "margin_percent"),
    ];
    assert_eq!(strict().validate(), Ok(()));
    for (change, name) in rows {
        let mut rule = strict();
        change(&mut rule);
        assert_eq!(rule.validate().expect_err(name).name, name);
    }
    let unknown = serde_json::from_str::<Rule>(r#"{"max_sprad":"0.03"}"#).expect_err("unknown").to_string();
    assert!(unknown.contains("max_sprad"), "{unknown}");
    let word = serde_json::from_str::<Rule>(r#"{"order":"loudest"}"#).expect_err("unknown").to_string();
    assert!(word.contains("loudest"), "{word}");
}

fn any_market() -> impl Strategy<Value = (MarketFacts, bool)> {
    let one = (0..30u32, 0..4_000u64, 0..2_000i64, 0..5u32, any::<bool>(), any::<bool>());
    one.prop_map(|(n, end, volume, series, accepting_orders, chosen)| {
        let series = if series == 0 { String::new() } else { format!("s{series}") };
        let end_wall_s = (end > 0).then_some(NOW_S + end);
        (MarketFacts { series, end_wall_s, volume: Some(usdc(volume)), accepting_orders, ..facts(n) }, chosen)
    })
}

proptest! {
    #[test]
    fn the_order_of_the_list_plays_no_part_and_the_numbers_hold(
        all in proptest::collection::btree_map(0..1_000u32, any_market(), 0..40),
        most in 1..6u32,
        per_series in proptest::option::of(1..4u32),
        now in 0..4_000u64,
    ) {
        let all: Vec<(MarketFacts, bool)> =
            all.into_iter().map(|(n, (market, chosen))| (MarketFacts { slug: format!("m{n}"), ..market }, chosen)).collect();
        let rule = Rule { max_markets: most, per_series, min_to_close_s: 10, min_volume_usdc: usdc(500), ..Rule::default() };
        let names = |all: &[(MarketFacts, bool)]| {
            let mut names: Vec<String> = chosen(&rule, all, NOW_S + now).into_iter().map(|n| all[n].0.slug.clone()).collect();
            names.sort();
            names
        };
        let mut turned = all.clone();
        turned.reverse();
        prop_assert_eq!(names(&all), names(&turned));
        let candidates: Vec<Candidate<'_>> = all.iter().map(|(f, chosen)| Candidate { chosen: *chosen, ..fresh(f) }).collect();
        let choice = choose(&rule, &candidates, NOW_S + now);
        let of = |fit: fn(Fit) -> bool| choice.verdicts.iter().filter(|v| matches!(v, Verdict::Chosen(f) if fit(*f))).count();
        prop_assert!(of(|fit| fit != Fit::Successor) <= most as usize);
        prop_assert!(of(|fit| fit == Fit::Successor) <= of(|fit| fit != Fit::Successor));
        for (verdict, (market, _)) in choice.verdicts.iter().zip(&all) {
            if matches!(verdict, Verdict::Chosen(_)) {
                prop_assert!(market.accepting_orders && market.end_wall_s.is_none_or(|end| end >= NOW_S + now + 10));
            }
        }
    }
}
