//! Tests of the market session: every answer that the venue can fail to give.

use oddsmith_domain::MarketId;
use oddsmith_domain::Outcome;

use super::*;

fn at(ms: u64) -> Time {
    Time::default().plus_ns(ms * Time::MILLI)
}

fn assets(count: u32) -> Vec<(AssetId, TokenId)> {
    (0..count).map(|n| (AssetId(n), TokenId::parse(&(u64::from(n) + 1_000).to_string()).expect("a token"))).collect()
}

fn drain(session: &mut MarketSession) -> Vec<SessionOutput> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

fn session(count: u32) -> MarketSession {
    let mut session = MarketSession::new(3, SessionSettings::default(), 1, at(0));
    assert!(session.add(&assets(count), at(0)).is_empty());
    session
}

fn live(count: u32) -> MarketSession {
    let mut session = session(count);
    session.on_time(at(0));
    session.on_open(at(0));
    for n in 0..count {
        session.on_snapshot(AssetId(n), at(1));
    }
    session.on_text(b"PONG", at(1));
    drain(&mut session);
    assert!(session.is_live());
    session
}

fn link(state: LinkState) -> SessionOutput {
    SessionOutput::LinkChange { link: Link::Market(3), state }
}

fn texts(outputs: &[SessionOutput]) -> Vec<&str> {
    outputs
        .iter()
        .filter_map(|o| if let SessionOutput::SendText(text) = o { Some(text.as_str()) } else { None })
        .collect()
}

#[test]
fn twelve_hundred_tokens_are_six_connections() {
    let shards = shard_assets(&assets(1_200));
    assert_eq!(shards.iter().map(Vec::len).collect::<Vec<_>>(), [200; 6]);
    // a market's two outcomes share a connection, so that they go stale together
    let home = |asset: AssetId| shards.iter().position(|s| s.iter().any(|(a, _)| *a == asset));
    for n in 0..600 {
        assert_eq!(home(MarketId(n).asset(Outcome::Yes)), home(MarketId(n).asset(Outcome::No)));
    }
    assert_eq!(shard_assets(&assets(201)).len(), 2);
}

#[test]
fn a_full_shard_hands_back_what_does_not_fit() {
    let mut session = session(199);
    let left = session.add(&assets(202), at(0));
    assert_eq!(left.iter().map(|(asset, _)| asset.0).collect::<Vec<_>>(), [200, 201]);
    assert_eq!(session.room(), 0);
}

#[test]
fn up_only_when_every_snapshot_is_there() {
    let mut session = session(2);
    assert_eq!(session.next_deadline(), Some(0));
    session.on_time(at(0));
    assert_eq!(drain(&mut session), [SessionOutput::Connect { attempt: 0 }]);
    session.on_open(at(10));
    let outputs = drain(&mut session);
    let frame: serde_json::Value = serde_json::from_str(texts(&outputs)[0]).expect("JSON");
    assert_eq!(frame["assets_ids"], serde_json::json!(["1000", "1001"]));
    assert_eq!((&frame["type"], &frame["initial_dump"]), (&"market".into(), &true.into()));
    assert_eq!(texts(&outputs)[1], "PING");
    assert!(session.on_text(b"[{}]", at(11)));
    session.on_snapshot(AssetId(0), at(11));
    assert!(!session.is_live() && session.awaits_snapshots());
    session.on_snapshot(AssetId(1), at(12));
    assert_eq!(drain(&mut session), [link(LinkState::Up)]);
    session.on_snapshot(AssetId(1), at(13));
    assert_eq!(drain(&mut session), []);
}

#[test]
fn a_snapshot_that_does_not_come_is_read_by_rest() {
    let mut session = session(2);
    session.on_time(at(0));
    session.on_open(at(0));
    session.on_text(b"PONG", at(1));
    session.on_snapshot(AssetId(0), at(1));
    drain(&mut session);
    session.on_time(at(4_999));
    assert_eq!(drain(&mut session), []);
    session.on_time(at(5_000));
    assert!(drain(&mut session).contains(&SessionOutput::FetchBook(AssetId(1))));
    session.on_time(at(5_001));
    assert_eq!(drain(&mut session), []);
    session.on_snapshot(AssetId(1), at(5_100));
    assert_eq!(drain(&mut session), [link(LinkState::Up)]);
}

#[test]
fn an_asset_without_a_book_does_not_hold_up_the_others() {
    let mut session = session(2);
    session.on_time(at(0));
    session.on_open(at(0));
    session.on_text(b"PONG", at(1));
    session.on_snapshot(AssetId(0), at(1));
    session.on_time(at(5_000));
    drain(&mut session);
    session.on_book_missing(AssetId(1), at(5_050));
    assert_eq!(drain(&mut session), [link(LinkState::Up)]);
    session.on_text(b"PONG", at(5_060));
    session.on_time(at(20_000));
    assert!(drain(&mut session).contains(&SessionOutput::FetchBook(AssetId(1))), "asked for again");
}

#[test]
fn assets_come_and_go_without_touching_the_others() {
    let mut session = live(2);
    let more = [(AssetId(7), TokenId::parse("77").expect("a token"))];
    session.add(&more, at(100));
    session.add(&more, at(100));
    let outputs = drain(&mut session);
    assert_eq!(
        texts(&outputs),
        [r#"{"operation":"subscribe","custom_feature_enabled":true,"level":2,"assets_ids":["77"]}"#]
    );
    assert!(session.is_live() && session.awaits_snapshots());
    session.on_snapshot(AssetId(7), at(120));
    session.remove(&[AssetId(0), AssetId(99)], at(130));
    assert_eq!(texts(&drain(&mut session)), [r#"{"operation":"unsubscribe","assets_ids":["1000"]}"#]);
    assert_eq!(session.assets().collect::<Vec<_>>(), [AssetId(1), AssetId(7)]);
    assert!(session.is_live());
}

#[test]
fn five_kills_five_full_subscriptions_and_growing_waits() {
    let mut session = live(2);
    let mut now = 1_000;
    for kill in 1..=5u32 {
        session.on_closed("killed", at(now));
        let outputs = drain(&mut session);
        assert_eq!(outputs, [link(LinkState::Down(format!("killed (attempt {kill})")))]);
        let due = session.next_deadline().expect("it comes back");
        let waited = due - at(now).mono_ns;
        let full = (1u64 << kill) * Time::SECOND;
        assert!(waited >= full / 2 && waited <= full, "kill {kill}: {waited}");
        session.on_closed("killed twice over", at(now));
        assert_eq!(drain(&mut session), [], "one loss is one attempt");
        now = due / Time::MILLI + 1;
        session.on_time(at(now));
        assert_eq!(drain(&mut session), [SessionOutput::Connect { attempt: kill }]);
        session.on_open(at(now + 1));
        let outputs = drain(&mut session);
        assert!(texts(&outputs)[0].contains(r#"["1000","1001"]"#), "everything is subscribed again");
        assert!(!session.is_live(), "and every snapshot awaited again");
        session.on_snapshot(AssetId(0), at(now + 2));
        session.on_snapshot(AssetId(1), at(now + 2));
        assert_eq!(drain(&mut session), [link(LinkState::Up)]);
        now += 10;
    }
    // half a minute of health forgives all of it
    session.on_closed("killed", at(now + 31_000));
    assert_eq!(drain(&mut session), [link(LinkState::Down("killed (attempt 1)".into()))]);
}

#[test]
fn a_missing_pong_is_a_disconnect() {
    let mut session = live(1);
    session.on_time(at(5_000));
    assert_eq!(texts(&drain(&mut session)), ["PING"]);
    session.on_time(at(10_000));
    session.on_text(b"{}", at(14_000));
    assert_eq!(session.next_deadline(), Some(at(15_000).mono_ns));
    drain(&mut session);
    session.on_time(at(15_000));
    let outputs = drain(&mut session);
    assert_eq!(outputs[0], SessionOutput::Close);
    assert_eq!(outputs[1], link(LinkState::Down("no PONG in time (attempt 1)".into())));
}

#[test]
fn an_attempt_that_takes_too_long_is_given_up() {
    let mut session = session(1);
    session.on_time(at(0));
    drain(&mut session);
    session.on_time(at(10_000));
    assert_eq!(drain(&mut session)[0], SessionOutput::Close);
}

/// PONG is answered and nothing else comes: the venue's silent freeze.
#[test]
fn a_silent_freeze_is_seen_and_ended() {
    let mut session = live(1);
    let mut now = 0;
    while now < 20_000 {
        now += 100;
        session.on_text(b"{}", at(now));
        session.on_text(b"PONG", at(now));
        session.on_time(at(now));
    }
    drain(&mut session);
    let mut seen = Vec::new();
    while now < 36_000 {
        now += 100;
        session.on_text(b"PONG", at(now));
        session.on_time(at(now));
        let changes = drain(&mut session).into_iter().filter(|o| {
            !matches!(o, SessionOutput::SendText(_) | SessionOutput::LinkChange { state: LinkState::Alive, .. })
        });
        seen.extend(changes.map(|o| (now, o)));
    }
    assert_eq!(seen[0], (30_000, link(LinkState::Silent)));
    assert_eq!(seen[1], (35_000, SessionOutput::Close));
    assert!(
        matches!(&seen[2].1, SessionOutput::LinkChange { state: LinkState::Down(why), .. } if why.contains("15 s"))
    );
}

#[test]
fn data_after_silence_is_up_again() {
    let mut session = live(1);
    for n in 0..200 {
        session.on_text(b"{}", at(n * 100));
    }
    session.on_text(b"PONG", at(29_900));
    session.on_time(at(29_900));
    assert!(drain(&mut session).contains(&link(LinkState::Silent)));
    session.on_text(b"{}", at(31_000));
    assert_eq!(drain(&mut session), [link(LinkState::Up)]);
}

#[test]
fn a_quiet_market_is_alive() {
    let mut session = live(1);
    let mut alive = 0;
    for second in (5..=200).step_by(5) {
        session.on_time(at(second * 1_000));
        session.on_text(b"PONG", at(second * 1_000 + 1));
        alive += drain(&mut session).iter().filter(|o| **o == link(LinkState::Alive)).count();
    }
    assert_eq!(alive, 40);
    assert!(session.is_live());
}

#[test]
fn a_shard_without_assets_stays_away() {
    let mut session = MarketSession::new(0, SessionSettings::default(), 1, at(0));
    session.on_time(at(0));
    assert_eq!((session.next_deadline(), drain(&mut session)), (None, vec![]));
}

#[test]
fn snapshots_are_found_in_frames_while_they_are_awaited() {
    let mut table = AssetTable::new();
    table.insert(MarketId(0), &crate::assets::tests::card("0x01", ["1000", "1001"]));
    let book = |token: &str| {
        format!(
            r#"{{"event_type":"book","asset_id":"{token}","market":"0x01","timestamp":"1","hash":"","bids":[],"asks":[]}}"#
        )
    };
    let mut session = session(2);
    session.on_time(at(0));
    session.on_open(at(0));
    session.look_for_snapshots(b"{nonsense", &table, at(1));
    session.look_for_snapshots(format!("[{},{}]", book("1000"), book("7")).as_bytes(), &table, at(1));
    assert!(session.awaits_snapshots());
    session.look_for_snapshots(book("1001").as_bytes(), &table, at(2));
    assert!(session.is_live() && !session.awaits_snapshots());
}
