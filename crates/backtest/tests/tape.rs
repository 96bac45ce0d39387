//! Tapes: what was received, in the order in which it was received, and nothing before its time.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use oddsmith_backtest::tape::{Assumptions, Catalogued, Entry, Form, MarketNo, Tape, What, catalog};
use oddsmith_domain::{Input, MarketCard, MarketSource, RunId, Time};
use oddsmith_journal::{Encoder, Options, RecordHead, Writer};

const MS: u64 = Time::MILLI;

fn token(name: u8) -> String {
    format!("{name}{}", "1234567890".repeat(7))
}

/// A book of one token of market `market`, received at `at` milliseconds.
fn book(market: u32, name: u8, at: u64, bid: &str, ask: &str) -> String {
    format!(
        "{{\"recv_wall_ts\":{at},\"payload\":{{\"event_type\":\"book\",\"market\":\"0x{market:064x}\",\"asset_id\":\"{}\",\"timestamp\":\"{at}\",\
         \"bids\":[{{\"price\":\"{bid}\",\"size\":\"50\"}}],\"asks\":[{{\"price\":\"{ask}\",\"size\":\"50\"}}]}}}}\n",
        token(name)
    )
}

fn tape(files: &[(&Path, &str)]) -> Tape {
    for (path, text) in files {
        std::fs::write(path, text).expect("a file");
    }
    let recordings: Vec<(PathBuf, Form)> = files.iter().map(|(path, _)| (path.to_path_buf(), Form::Frames)).collect();
    Tape::open(&recordings, Assumptions::default()).expect("recordings")
}

fn all(tape: &mut Tape) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some(entry) = tape.next().expect("readable") {
        entries.push(entry.clone());
    }
    entries
}

fn told(entries: &[Entry]) -> Vec<(u64, Vec<u32>, String)> {
    let text = |entry: &Entry| String::from_utf8_lossy(&entry.bytes).into_owned();
    entries.iter().map(|e| (e.at_ns / MS, e.markets.iter().map(|no| no.0).collect(), text(e))).collect()
}

const T0: u64 = 1_790_000_000_000;

#[test]
fn files_are_merged_by_the_time_of_receipt() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = (dir.path().join("one.jsonl"), dir.path().join("two.jsonl"));
    let first = book(1, 1, T0, "0.4", "0.5") + &book(1, 2, T0, "0.5", "0.6") + &book(1, 1, T0 + 20, "0.41", "0.5");
    let second = book(2, 3, T0 + 10, "0.1", "0.2") + &book(2, 4, T0 + 20, "0.8", "0.9") + "{\"type\":\"ticker\"}\n";
    let mut tape = tape(&[(&one, &first), (&two, &second)]);
    let entries = all(&mut tape);
    let order: Vec<_> = told(&entries).into_iter().map(|(at, markets, _)| (at - T0, markets)).collect();
    // The book of the second market waits until its other token is known, and comes late.
    assert_eq!(order, [(0, vec![0]), (0, vec![0]), (20, vec![0]), (20, vec![1]), (20, vec![1])]);
    let counts = tape.counts();
    assert_eq!((counts.frames, counts.others, counts.waited, counts.dropped), (5, 1, 2, 0), "{counts:?}");
    assert!(tape.roster().is_known(MarketNo(1)) && !tape.roster().is_known(MarketNo(2)));
}

#[test]
fn a_clock_that_steps_back_lifts_what_follows_and_is_counted() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("back.jsonl");
    let mut text = book(1, 1, T0, "0.4", "0.5") + &book(1, 2, T0 + 500, "0.5", "0.6");
    text += &book(1, 1, T0 + 100, "0.42", "0.5");
    text += &book(1, 1, T0 + 600, "0.43", "0.5");
    // A frame without an envelope has the venue's own time.
    text += &format!(
        "{{\"event_type\":\"tick_size_change\",\"market\":\"0x{:064x}\",\"asset_id\":\"{}\",\"new_tick_size\":\"0.001\",\
         \"timestamp\":\"{}\"}}\n",
        1,
        token(1),
        T0 + 700
    );
    let mut tape = tape(&[(&path, &text)]);
    let times: Vec<u64> = all(&mut tape).iter().map(|entry| entry.at_ns / MS - T0).collect();
    assert_eq!(times, [500, 500, 500, 600, 700]);
    let counts = tape.counts();
    assert_eq!((counts.lifted, counts.lifted_most_ns, counts.untimed), (1, 400 * MS, 1));
}

#[test]
fn what_comes_later_does_not_change_what_came_before() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = (dir.path().join("one.jsonl"), dir.path().join("two.jsonl"));
    let lines = |market: u32, names: [u8; 2], step: u64| -> Vec<String> {
        (0_u64..60)
            .map(|n| {
                let (name, bid) = (names[usize::from(n % 3 == 1)], 30 + n % 7);
                book(market, name, T0 + n * step, &format!("0.{bid}"), &format!("0.{}", bid + 3))
            })
            .collect()
    };
    let (first, second) = (lines(1, [1, 2], 1_000), lines(2, [3, 4], 700));
    let whole = told(&all(&mut tape(&[(&one, &first.concat()), (&two, &second.concat())])));
    for cut in [T0, T0 + 699, T0 + 20_000, T0 + 41_000, T0 + 90_000] {
        let received = |line: &&String| {
            let at: String =
                line.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
            at.parse::<u64>().expect("a time") <= cut
        };
        let keep = |lines: &[String]| lines.iter().filter(received).cloned().collect::<String>();
        let early = told(&all(&mut tape(&[(&one, &keep(&first)), (&two, &keep(&second))])));
        let before: Vec<_> = whole.iter().filter(|(at, ..)| *at <= cut).cloned().collect();
        assert_eq!(early, before, "cut at {}", cut - T0);
    }
}

#[test]
fn a_journal_is_read_for_what_came_from_outside() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = dir.path().join("run");
    std::fs::create_dir_all(&run).expect("a folder");
    let options = Options { segment_bytes: 1 << 20, ..Options::default() };
    let mut writer = Writer::create(&run, RunId([7; 16]), &options).expect("a journal");
    let mut encoder = Encoder::default();
    let frame = format!("{{\"event_type\":\"book\",\"market\":\"0x{:064x}\",\"asset_id\":\"{}\"}}", 1, token(1));
    let card = MarketCard {
        condition: oddsmith_domain::ConditionId::parse(&format!("0x{:064x}", 1)).expect("an id"),
        slug: "a-market".to_owned(),
        question: String::new(),
        tokens: [1, 2].map(|name| oddsmith_domain::TokenId::parse(&token(name)).expect("a token")),
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: None,
        min_size: None,
        fee: Some(oddsmith_domain::FeeSchedule::FREE),
        end_wall_s: Some(1_800_000_000),
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 250,
        settlement: Default::default(),
    };
    let inputs = [
        Input::Card(Box::new(card.clone())),
        Input::Tick,
        Input::Market { source: MarketSource::Rest, bytes: frame.as_bytes() },
        Input::User { bytes: b"{}" },
    ];
    for (n, input) in inputs.iter().enumerate() {
        let encoded = encoder.input(input).expect("encodes");
        let time = Time { mono_ns: n as u64 + 1, wall_ns: T0 * MS + n as u64 };
        let head = RecordHead { time, kind: encoded.kind, ids: encoded.ids };
        writer.append(&head, encoded.payload).expect("room");
    }
    writer.close().expect("closed");

    let found = catalog(&[dir.path().to_owned()]).expect("a directory");
    assert!(matches!(found.as_slice(), [Catalogued { form: Some(Form::Journal), .. }]), "{found:?}");
    let mut tape = Tape::open(&[(run, Form::Journal)], Assumptions::default()).expect("a journal");
    let entries = all(&mut tape);
    assert!(matches!(
        entries.as_slice(),
        [Entry { what: What::Card, .. }, Entry { what: What::Frame(MarketSource::Rest), .. }]
    ));
    assert_eq!(entries.iter().map(|e| e.at_ns).collect::<Vec<_>>(), [T0 * MS, T0 * MS + 2]);
    assert_eq!(tape.roster().card(MarketNo(0)).map(|(card, _)| card), Some(card));
}

#[test]
fn what_is_assumed_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("one.jsonl");
    std::fs::write(&path, book(1, 1, T0, "0.4", "0.5") + &book(1, 2, T0, "0.5", "0.6")).expect("a file");
    let assumptions = Assumptions { min_size: Some(oddsmith_domain::Shares::from_whole(5)), ..Assumptions::default() };
    let mut tape = Tape::open(&[(path, Form::Frames)], assumptions).expect("a recording");
    all(&mut tape);
    let (card, assumed) = tape.roster().card(MarketNo(0)).expect("a card");
    assert_eq!((card.min_size, card.tick, card.fee), (assumptions.min_size, None, None));
    assert!(assumed.min_size && !assumed.tick && !assumed.fee);
}

/// The folder of recordings beside the repository, if it is there.
fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("ODDSMITH_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let folder = shared.join("data");
    if !folder.is_dir() {
        eprintln!("skipped: the recordings are not beside the repository");
        return None;
    }
    Some(folder)
}

#[test]
fn the_real_recordings_are_told_apart() {
    let Some(folder) = shared() else { return };
    let found = catalog(&[folder]).expect("a directory");
    let forms = |form| found.iter().filter(|file| file.form == Some(form)).count();
    assert_eq!((forms(Form::Table), forms(Form::Books)), (1, 4));
    assert!(forms(Form::Frames) >= 9, "{}", forms(Form::Frames));
    let why = |part: &str| {
        let file = found.iter().find(|file| file.path.to_string_lossy().contains(part)).expect(part);
        format!("{:?} {}", file.form, file.why)
    };
    assert!(why("books/eth").contains("trades without books"));
    assert!(why("kalshi").contains("not supported"));
    assert!(why("clob_book.json").contains("without a time of receipt"));
    assert!(found.iter().all(|file| !file.why.is_empty()));
}

#[test]
fn a_real_table_becomes_frames_of_its_six_markets() {
    let Some(folder) = shared() else { return };
    let found = catalog(&[folder.join("polymarket/l2-deltas")]).expect("a directory");
    let used: Vec<_> = found.into_iter().filter_map(|file| Some((file.path, file.form?))).collect();
    let mut tape = Tape::open(&used, Assumptions::default()).expect("a table");
    let (mut markets, mut names, mut last) = ([0_u64; 6], String::new(), 0);
    while let Some(entry) = tape.next().expect("readable") {
        assert!(entry.at_ns >= last);
        last = entry.at_ns;
        for no in &entry.markets {
            markets[no.index()] += 1;
        }
    }
    for no in 0..tape.roster().count() {
        let card = tape.roster().card(MarketNo(no as u32)).map(|(card, _)| card.slug).unwrap_or_default();
        let _ = write!(names, "{card} ");
    }
    assert!(markets.iter().all(|frames| *frames > 500), "{markets:?}: {names}");
    assert_eq!(tape.roster().count(), 6, "{names}");
    assert_eq!(tape.counts().refused, 0);
}
