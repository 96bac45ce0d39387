use proptest::prelude::*;

use super::*;

fn at(ms: u64) -> Time {
    Time { mono_ns: ms * Time::MILLI, wall_ns: 1_790_000_000 * Time::SECOND + ms * Time::MILLI }
}

fn btc() -> Symbol {
    Symbol::new("btc").expect("a symbol")
}

fn session() -> BinanceSession {
    let symbols = vec![(btc(), "btcusdt".to_owned()), (Symbol::new("eth").expect("a symbol"), "ethusdt".to_owned())];
    BinanceSession::new(symbols, FeedSettings::default(), 7, at(0))
}

fn open() -> BinanceSession {
    let mut session = session();
    session.on_time(at(0));
    session.on_open(at(10));
    outputs(&mut session);
    session
}

fn outputs(session: &mut BinanceSession) -> Vec<FeedOutput> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

fn said(update: u64, bid: &str, ask: &str) -> Vec<u8> {
    format!(
        "{{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"u\":{update},\"s\":\"BTCUSDT\",\"b\":\"{bid}\",\"B\":\"2.1\",\"a\":\"{ask}\",\"A\":\"0.4\"}}}}"
    )
    .into_bytes()
}

fn link(state: LinkState) -> FeedOutput {
    FeedOutput::LinkChange { link: LINK, state }
}

#[test]
fn everything_is_subscribed_to_with_one_message_and_up_with_the_first_price() {
    let mut session = session();
    session.on_time(at(0));
    assert_eq!(outputs(&mut session), [FeedOutput::Connect { attempt: 0 }]);
    session.on_open(at(10));
    let text = r#"{"method":"SUBSCRIBE","params":["btcusdt@bookTicker","ethusdt@bookTicker"],"id":1}"#;
    assert_eq!(outputs(&mut session), [FeedOutput::SendText(text.to_owned())]);
    session.on_text(br#"{"result":null,"id":1}"#, at(20));
    assert_eq!(outputs(&mut session), [], "an answer is no price");
    assert!(!session.is_live());
    session.on_text(&said(91, "84600.10000000", "84600.11"), at(30));
    assert_eq!(outputs(&mut session), [link(LinkState::Up)]);
    assert!(session.is_live());
    let ticks: Vec<_> = session.take_ticks().collect();
    assert_eq!((ticks.len(), ticks[0].symbol, ticks[0].bid.to_string()), (1, btc(), "84600.1".to_owned()));
    assert_eq!(session.take_ticks().count(), 0, "told once");
}

#[test]
fn the_newest_price_counts_and_an_older_one_is_passed_over() {
    let mut session = open();
    for (update, bid) in [(5, "100"), (7, "101"), (6, "99"), (7, "98")] {
        session.on_text(&said(update, bid, "102"), at(20));
    }
    let ticks: Vec<_> = session.take_ticks().collect();
    assert_eq!(ticks.iter().map(|tick| tick.bid.to_string()).collect::<Vec<_>>(), ["101"]);
    assert_eq!(session.counts(), FeedCounts { prices: 2, coalesced: 1, out_of_order: 2, ..FeedCounts::default() });
}

#[test]
fn what_is_not_known_is_counted_and_does_no_harm() {
    let mut session = open();
    let more = r#"{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1","x":1,"y":{"z":2}}"#;
    session.on_text(more.as_bytes(), at(20));
    assert_eq!((session.counts().unknown_fields, session.counts().prices), (2, 1));
    for text in [r#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1","1"]],"a":[]}"#, r#"{"news":1}"#] {
        session.on_text(text.as_bytes(), at(20));
    }
    session.on_text(&said(2, "1", "2").iter().map(|b| if *b == b'T' { b'X' } else { *b }).collect::<Vec<_>>(), at(20));
    assert_eq!((session.counts().unknown_events, session.counts().strangers), (2, 1));
    for text in ["", "[", "PONG", r#"{"u":9,"s":"BTCUSDT","b":"1e3","a":"2"}"#, r#"{"u":9,"s":"BTCUSDT","b":1,"a":2}"#]
    {
        session.on_text(text.as_bytes(), at(20));
    }
    for (bid, ask) in [("3", "2"), ("0", "2"), ("-1", "2")] {
        session.on_text(&said(9, bid, ask), at(20));
    }
    assert_eq!(session.counts().undecodable, 8);
    let two = [b"[".as_slice(), &said(10, "1", "2"), b",", &said(11, "1", "3"), b"]"].concat();
    session.on_text(&two, at(20));
    assert_eq!(session.counts().prices, 3, "an array of messages");
}

#[test]
fn a_connection_that_says_nothing_is_made_again_with_a_longer_wait_each_time() {
    let mut session = open();
    session.on_text(&said(1, "1", "2"), at(1_000));
    outputs(&mut session);
    assert_eq!(session.next_deadline(), at(11_000).mono_ns);
    session.on_time(at(10_999));
    assert_eq!(outputs(&mut session), []);
    session.on_time(at(11_000));
    let down = |why: &str, attempt: u32| link(LinkState::Down(format!("{why} (attempt {attempt})")));
    assert_eq!(outputs(&mut session), [FeedOutput::Close, down("it says nothing", 1)]);
    let first = session.next_deadline() - at(11_000).mono_ns;
    assert!((Time::SECOND..=2 * Time::SECOND).contains(&first), "half of it is certain: {first}");
    let again = Time { mono_ns: session.next_deadline(), wall_ns: 0 };
    session.on_time(again);
    assert_eq!(outputs(&mut session), [FeedOutput::Connect { attempt: 1 }]);
    session.on_closed("refused", again);
    assert_eq!(outputs(&mut session), [down("refused", 2)]);
    let second = session.next_deadline() - again.mono_ns;
    assert!((2 * Time::SECOND..=4 * Time::SECOND).contains(&second), "{second}");
}

#[test]
fn another_connection_may_count_anew() {
    let mut session = open();
    session.on_text(&said(1_000, "1", "2"), at(20));
    session.on_closed("gone", at(30));
    assert_eq!(session.take_ticks().count(), 0, "what was said before it broke is old");
    let again = Time { mono_ns: session.next_deadline(), wall_ns: 0 };
    session.on_time(again);
    session.on_open(again);
    session.on_text(&said(3, "1", "2"), again);
    assert_eq!(session.take_ticks().count(), 1);
}

#[test]
fn a_connection_is_made_anew_before_it_is_closed_and_when_that_is_announced() {
    let settings = FeedSettings { max_age_ms: 5_000, ..FeedSettings::default() };
    let mut session = BinanceSession::new(vec![(btc(), "btcusdt".to_owned())], settings, 7, at(0));
    session.on_time(at(0));
    session.on_open(at(0));
    outputs(&mut session);
    session.on_time(at(5_000));
    assert_eq!(outputs(&mut session), [FeedOutput::Close, FeedOutput::Connect { attempt: 0 }], "it has not failed");
    session.on_open(at(5_100));
    outputs(&mut session);
    session.on_text(br#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#, at(5_200));
    assert_eq!(outputs(&mut session), [FeedOutput::Close, FeedOutput::Connect { attempt: 0 }]);
}

#[test]
fn a_refused_subscription_is_a_lost_connection() {
    let mut session = open();
    session.on_text(br#"{"error":{"code":2,"msg":"Invalid request"},"id":1}"#, at(20));
    let lost = outputs(&mut session);
    assert!(matches!(&lost[..], [FeedOutput::Close, FeedOutput::LinkChange { state: LinkState::Down(why), .. }]
        if why.contains("Invalid request")));
}

#[test]
fn what_is_written_is_read_again() {
    let ticker = BookTicker {
        symbol: "BTCUSDT".to_owned(),
        update: 7,
        bid: price("61837.63"),
        ask: price("61837.64000001"),
        event_ms: None,
    };
    let mut messages = Vec::new();
    assert_eq!(decode(encode(&ticker).as_bytes(), &mut messages), 0);
    assert_eq!(messages, [Ok(Message::Ticker(ticker))]);
}

fn price(text: &str) -> oddsmith_domain::ReferencePrice {
    oddsmith_domain::ReferencePrice::parse(text.as_bytes()).expect("a price")
}

proptest! {
    #[test]
    fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut session = open();
        session.on_text(&text, at(20));
    }
}
