//! Tests of discovery: pages, rotation, refresh, limits and failures.

use oddsmith_domain::TokenId;
use proptest::prelude::*;

use super::*;

fn at(ms: u64) -> Time {
    Time { mono_ns: ms * Time::MILLI, wall_ns: (1_790_000_000_000 + ms) * Time::MILLI }
}

fn settings(patterns: &[&str]) -> DiscoverySettings {
    DiscoverySettings { patterns: patterns.iter().map(|&p| p.to_owned()).collect(), ..DiscoverySettings::default() }
}

fn market(n: u32, slug: &str, more: &str) -> String {
    format!(
        "{{\"id\":\"{n}\",\"conditionId\":\"0x{n:064x}\",\"slug\":\"{slug}\",\"question\":\"?\",\
         \"outcomes\":\"[\\\"Up\\\",\\\"Down\\\"]\",\"clobTokenIds\":\"[\\\"{}\\\",\\\"{}\\\"]\",\"active\":true,\
         \"acceptingOrders\":true,\"enableOrderBook\":true,\"orderMinSize\":5,\"orderPriceMinTickSize\":0.01{more}}}",
        n * 2 + 100,
        n * 2 + 101,
    )
}

fn page(markets: &[String], cursor: Option<&str>) -> Vec<u8> {
    let cursor = cursor.map(|cursor| format!(",\"next_cursor\":\"{cursor}\"")).unwrap_or_default();
    format!("{{\"markets\":[{}]{cursor}}}", markets.join(",")).into_bytes()
}

/// Walks a sweep through answers by path; the parameters of the exchange say nothing new.
fn walk(mut sweep: Sweep, mut answer: impl FnMut(&str) -> Vec<u8>) -> (Swept, Vec<String>) {
    let mut paths = Vec::new();
    while let Some(path) = sweep.next_path() {
        sweep.on_page(&answer(&path)).expect("a page");
        paths.push(path);
    }
    for condition in sweep.unrefined() {
        let card = sweep.listed(&condition).cloned().expect("listed");
        sweep.refine(condition, Ok(card));
    }
    (sweep.finish(), paths)
}

fn slugs(cards: &[MarketCard]) -> Vec<&str> {
    cards.iter().map(|card| card.slug.as_str()).collect()
}

#[test]
fn all_pages_are_read_and_only_what_is_wanted_is_kept() {
    let mut discovery = Discovery::new(settings(&["btc-updown-*"]), 1, at(0));
    assert!(discovery.on_time(at(29_999)).is_none());
    let sweep = discovery.on_time(at(30_000)).expect("due");
    assert!(discovery.on_time(at(90_000)).is_none(), "one at a time");
    let (swept, paths) = walk(sweep, |path| match path.contains("after_cursor=b%3D") {
        false => page(&[market(1, "btc-updown-1", ""), market(2, "rain", "")], Some("b=")),
        true => page(&[market(3, "btc-updown-2", ""), "{\"slug\":7}".to_owned()], None),
    });
    assert_eq!(paths[0], "/markets/keyset?limit=100&active=true&closed=false");
    assert_eq!((paths.len(), &swept.others[..]), (2, &["rain".to_owned()][..]));
    assert_eq!(swept.faults.len(), 1);
    let told = discovery.on_swept(Some(swept), at(30_500));
    assert_eq!(slugs(&told), ["btc-updown-1", "btc-updown-2"]);
    assert_eq!(discovery.next_deadline(), Some(at(60_500).mono_ns));
}

#[test]
fn filters_and_names_are_in_the_question() {
    let wanted = DiscoverySettings {
        tags: vec!["21".to_owned()],
        end_within_s: Some(3_600),
        min_volume: Some(Usdc::from_whole(1_000)),
        min_liquidity: Some(Usdc::from_whole(50)),
        ..settings(&["a&b", "rain"])
    };
    let mut sweep = Sweep::new(wanted, BTreeMap::new(), 1_782_287_700);
    assert_eq!(
        sweep.next_path().as_deref(),
        Some(
            "/markets/keyset?limit=100&active=true&closed=false&tag_id=21&end_date_min=2026-06-24T07:55:00Z\
             &end_date_max=2026-06-24T08:55:00Z&volume_num_min=1000&liquidity_num_min=50&slug=a%26b&slug=rain"
        )
    );
}

#[test]
fn a_rotation_is_followed_and_the_end_of_what_is_gone_is_heard() {
    let mut discovery = Discovery::new(settings(&["btc-*"]), 1, at(0));
    let mut now = 0;
    for window in 1..50u32 {
        now += 30_000;
        let sweep = discovery.on_time(at(now)).expect("due");
        let (swept, paths) = walk(sweep, |path| {
            if path.contains("condition_ids") {
                let gone = market(window - 1, &format!("btc-{}", window - 1), "")
                    .replace("\"acceptingOrders\":true", "\"acceptingOrders\":false");
                assert!(path.ends_with(&format!("condition_ids=0x{:064x}", window - 1)), "{path}");
                let gone = [gone.replace("\"active\":true", "\"active\":true,\"closed\":true")];
                return page(if path.contains("closed=true") { &gone } else { &[] }, None);
            }
            page(
                &[market(window, &format!("btc-{window}"), ""), market(window + 1, &format!("btc-{}", window + 1), "")],
                None,
            )
        });
        let told = discovery.on_swept(Some(swept), at(now));
        let successor = format!("btc-{}", window + 1);
        if window == 1 {
            assert_eq!(slugs(&told), ["btc-1", "btc-2"]);
            continue;
        }
        assert_eq!(paths.len(), 3, "{paths:?}");
        let ended = format!("btc-{}", window - 1);
        assert_eq!(slugs(&told), [ended.as_str(), successor.as_str()]);
        assert!(!told[0].accepting_orders && told[1].accepting_orders);
        // The engine has left it.
        discovery.forget(&told[0].condition);
        assert_eq!(discovery.known(), 2);
    }
    assert_eq!(discovery.counts().found, 50);
}

#[test]
fn what_changed_is_told_again_and_what_did_not_is_not() {
    let mut discovery = Discovery::new(settings(&["rain"]), 1, at(0));
    let mut sweep = |ms: u64, more: &str| {
        let (swept, _) = walk(discovery.on_time(at(ms)).expect("due"), |_| page(&[market(1, "rain", more)], None));
        discovery.on_swept(Some(swept), at(ms))
    };
    assert_eq!(sweep(30_000, "").len(), 1);
    assert_eq!(sweep(60_000, "").len(), 0);
    let later = ",\"endDate\":\"2027-06-24T07:55:00Z\"";
    assert_eq!(sweep(90_000, later).first().and_then(|card| card.end_wall_s), Some(1_813_823_700));
    assert_eq!(sweep(120_000, later).len(), 0);
}

#[test]
fn of_too_many_those_that_end_first_are_followed() {
    let limited = DiscoverySettings { max_markets: 2, ..settings(&["*"]) };
    let mut discovery = Discovery::new(limited, 1, at(0));
    let ends =
        |n: u32, hour: u32| market(n, &format!("m{n}"), &format!(",\"endDate\":\"2027-06-24T{hour:02}:00:00Z\""));
    let all = [market(1, "m1", ""), ends(2, 9), ends(3, 8), ends(4, 10)];
    let (swept, _) = walk(discovery.on_time(at(30_000)).expect("due"), |_| page(&all, None));
    assert_eq!(slugs(&discovery.on_swept(Some(swept), at(30_000))), ["m3", "m2"]);
    assert_eq!(discovery.counts().left_out, 2);
    let third: TokenId = TokenId::parse("106").expect("a token");
    let known =
        MarketCard { condition: ConditionId::parse(&format!("0x{:064x}", 3)).expect("an id"), ..some_card(third) };
    discovery.forget(&known.condition);
    let (swept, _) = walk(discovery.on_time(at(60_000)).expect("due"), |_| page(&all[..2], None));
    assert_eq!(slugs(&discovery.on_swept(Some(swept), at(60_000))), ["m1"], "one has left");
}

fn some_card(token: TokenId) -> MarketCard {
    let listing = crate::codec::gamma::markets(&page(&[market(9, "x", "")], None)).expect("a page");
    let card = crate::codec::gamma::card(&listing.items[0]).expect("a card");
    MarketCard { tokens: [token; 2], ..card }
}

#[test]
fn a_market_without_parameters_waits_for_the_next_sweep() {
    let mut discovery = Discovery::new(settings(&["rain"]), 1, at(0));
    let mut sweep = discovery.on_time(at(30_000)).expect("due");
    sweep.next_path().expect("a path");
    sweep.on_page(&page(&[market(1, "rain", "")], None)).expect("a page");
    let [condition] = sweep.unrefined()[..] else { panic!("one") };
    sweep.refine(condition, Err("no answer".to_owned()));
    let swept = sweep.finish();
    assert_eq!((swept.found.len(), &swept.faults[..]), (0, &["rain: no answer".to_owned()][..]));
    assert!(discovery.on_swept(Some(swept), at(30_000)).is_empty());
    let (swept, _) = walk(discovery.on_time(at(60_000)).expect("due"), |_| page(&[market(1, "rain", "")], None));
    assert_eq!(discovery.on_swept(Some(swept), at(60_000)).len(), 1);
}

#[test]
fn a_failed_sweep_is_made_again_and_changes_nothing() {
    let mut discovery = Discovery::new(settings(&["rain"]), 1, at(0));
    let (swept, _) = walk(discovery.on_time(at(30_000)).expect("due"), |_| page(&[market(1, "rain", "")], None));
    discovery.on_swept(Some(swept), at(30_000));
    let mut now = at(60_000);
    for _ in 0..5 {
        assert!(discovery.on_time(now).is_some());
        assert!(discovery.on_swept(None, now).is_empty());
        let next = discovery.next_deadline().expect("again");
        assert!(next <= now.mono_ns + 30 * Time::SECOND && next > now.mono_ns);
        now = now.plus_ns(next - now.mono_ns);
    }
    assert_eq!((discovery.known(), discovery.counts().failures), (1, 5));
    let endless = |cursor: &str| page(&[], Some(cursor));
    let mut sweep = Sweep::new(settings(&["*"]), BTreeMap::new(), 0);
    sweep.next_path().expect("a path");
    assert_eq!(sweep.on_page(&endless("a")), Ok(()));
    assert_eq!(sweep.on_page(&endless("a")), Err(SweepError::Endless));
}

fn ruled(rule: Rule) -> DiscoverySettings {
    let rules = vec![Ruled { patterns: vec!["*".to_owned()], rule }];
    DiscoverySettings { rules, every_ms: 300_000, ..settings(&[]) }
}

const CRYPTO: &str = ",\"tags\":[{\"id\":\"21\",\"label\":\"Crypto\",\"slug\":\"crypto\"}]";

#[test]
fn of_a_rules_markets_the_list_is_told_whole_and_only_the_cards_that_can_be_needed_are_read() {
    let rule = Rule { tags: vec!["crypto".to_owned()], max_markets: 1, ..Rule::default() };
    let mut discovery = Discovery::new(ruled(rule), 1, at(0));
    let sweep = discovery.on_time(at(300_000)).expect("due after five minutes");
    let mut all: Vec<String> = (1..=60).map(|n| market(n, &format!("m{n:02}"), CRYPTO)).collect();
    all.push(market(61, "rain", ""));
    let (swept, paths) = walk(sweep, |_| page(&all, None));
    assert!(paths[0].ends_with("&include_tag=true"), "{paths:?}");
    let told = discovery.on_swept(Some(swept), at(300_000));
    assert_eq!(told.len(), 21, "the one that is chosen, and a few that can take its place");
    assert!(told.iter().all(|card| card.slug.starts_with('m')));
    let list = discovery.take_list().expect("a list");
    assert_eq!(list.len(), 61, "a reason is given for every one");
    assert_eq!(discovery.take_list(), None, "once");
    // What cannot be needed any more is told again when it can.
    let sweep = discovery.on_time(at(600_000)).expect("due");
    let (swept, _) = walk(sweep, |path| page(if path.contains("condition_ids") { &[] } else { &all[30..] }, None));
    discovery.on_swept(Some(swept), at(600_000));
    let sweep = discovery.on_time(at(900_000)).expect("due");
    let (swept, _) = walk(sweep, |path| page(if path.contains("condition_ids") { &[] } else { &all }, None));
    assert!(slugs(&discovery.on_swept(Some(swept), at(900_000))).contains(&"m01"));
}

#[test]
fn half_a_list_is_no_list_and_one_that_is_too_short_is_made_good_by_name() {
    let mut discovery = Discovery::new(ruled(Rule::default()), 1, at(0));
    let sweep = discovery.on_time(at(300_000)).expect("due");
    let (swept, _) = walk(sweep, |_| page(&[market(1, "rain", ""), market(2, "snow", "")], None));
    for card in discovery.on_swept(Some(swept), at(300_000)) {
        discovery.follow(&card);
    }
    assert_eq!(discovery.take_list().map(|list| list.len()), Some(2));
    let mut sweep = discovery.on_time(at(600_000)).expect("due");
    sweep.next_path().expect("a path");
    sweep.on_page(&page(&[market(1, "rain", "")], Some("next"))).expect("a page");
    // The second page does not come.
    assert!(discovery.on_swept(None, at(600_000)).is_empty());
    assert_eq!((discovery.take_list(), discovery.known()), (None, 2));
    let again = discovery.next_deadline().expect("again") / Time::MILLI + 1;
    let sweep = discovery.on_time(at(again)).expect("due");
    let snow = market(2, "snow", ",\"volumeNum\":7.25");
    let (swept, paths) = walk(sweep, |path| match path.contains("condition_ids") {
        false => page(&[market(1, "rain", "")], None),
        true => page(if path.contains("closed=false") { std::slice::from_ref(&snow) } else { &[] }, None),
    });
    assert_eq!(paths.len(), 3, "{paths:?}");
    discovery.on_swept(Some(swept), at(again));
    let list = discovery.take_list().expect("a list");
    let snow = list.iter().find(|facts| facts.slug == "snow").expect("asked for by name");
    assert_eq!(snow.volume, Usdc::parse(b"7.25").ok());
}

#[test]
fn what_has_ended_and_awaits_its_decision_takes_no_room() {
    let limited = DiscoverySettings { max_markets: 1, ..settings(&["btc-*"]) };
    let mut discovery = Discovery::new(limited, 1, at(0));
    let window = |n: u32, minute: u32| {
        market(n, &format!("btc-{n}"), &format!(",\"endDate\":\"2026-09-21T14:{minute:02}:00Z\""))
    };
    // The clock of these tests begins at 14:13:20.
    let (swept, _) = walk(discovery.on_time(at(30_000)).expect("due"), |_| page(&[window(1, 15)], None));
    for card in discovery.on_swept(Some(swept), at(30_000)) {
        discovery.follow(&card);
    }
    // It ends at 14:15, is held, and goes on being listed; its successor comes.
    let now = at(150_000);
    let (swept, _) = walk(discovery.on_time(now).expect("due"), |_| page(&[window(1, 15), window(2, 30)], None));
    assert_eq!(slugs(&discovery.on_swept(Some(swept), now)), ["btc-2"]);
    assert_eq!(discovery.counts().left_out, 0);
}

#[test]
fn nothing_wanted_is_nothing_asked() {
    let mut discovery = Discovery::new(settings(&[]), 1, at(0));
    assert_eq!(discovery.next_deadline(), None);
    assert!(discovery.on_time(at(1_000_000)).is_none());
}

proptest! {
    #[test]
    fn any_page_is_survived(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut sweep = Sweep::new(settings(&["*"]), BTreeMap::new(), 0);
        sweep.next_path();
        let _ = sweep.on_page(&body);
        let _ = (sweep.next_path(), sweep.unrefined(), sweep.finish());
    }
}
