//! What a venue may send, and a disk may hold, without doing harm.

use oddsmith_domain::{ConditionId, LinkState, MarketCard, MarketId, Outcome, Time, TokenId};
use oddsmith_recorder::{Cause, Coverage, CoverageSettings, Files, Layout, Limits, Pen, Source, line, read_line};

fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse(&format!("0x{}", "1".repeat(64))).expect("an id"),
        slug: "rain".to_owned(),
        question: String::new(),
        tokens: ["11", "22"].map(|text| TokenId::parse(text).expect("an id")),
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: None,
        min_size: None,
        fee: None,
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

fn at(seconds: u64) -> Time {
    Time { mono_ns: seconds * Time::SECOND, wall_ns: (1_795_000_000 + seconds) * Time::SECOND }
}

fn coverage() -> Coverage {
    let settings = CoverageSettings { unit_ns: 3_600 * Time::SECOND, check_ns: 60 * Time::SECOND, hash_one_in: 1 };
    let mut coverage = Coverage::new(settings);
    coverage.follow(MarketId(0), &card(), 0, None, at(0));
    coverage
}

fn book(token: &str) -> String {
    format!(
        r#"{{"event_type":"book","market":"{}","asset_id":"{token}","timestamp":"1795000001000","bids":[{{"price":"0.4","size":"10"}}],"asks":[{{"price":"0.6","size":"10"}}]}}"#,
        card().condition
    )
}

#[test]
fn garbage_is_counted_and_no_gap() {
    let mut coverage = coverage();
    coverage.on_frame(0, format!("[{},{}]", book("11"), book("22")).as_bytes(), at(1));
    coverage.on_link(0, &LinkState::Up, at(1));
    let garbage: [&[u8]; 6] =
        [b"", b"{", b"[[[[[", b"\xff\xfe", br#"{"event_type":"book","asset_id":"11"}"#, br#"[{"event_type":7}]"#];
    for (n, frame) in (2..).zip(garbage) {
        coverage.on_frame(0, frame, at(n));
        coverage.on_book(MarketId(0).asset(Outcome::Yes), at(n), Some(frame), at(n));
        coverage.recount(frame, at(n).wall_ns);
    }
    coverage.on_link(9, &LinkState::Down("a socket that nobody knows".to_owned()), at(9));
    coverage.on_time(at(10));
    let totals = coverage.totals();
    assert!(totals.undecodable >= 4, "{totals:?}");
    assert_eq!((totals.gaps, totals.open_gaps, totals.frames), (0, 0, 7));
}

#[test]
fn a_lost_connection_is_a_gap_from_its_last_frame_to_the_books_of_the_next() {
    let mut coverage = coverage();
    let both = format!("[{},{}]", book("11"), book("22"));
    coverage.on_frame(0, both.as_bytes(), at(1));
    coverage.on_frame(0, both.as_bytes(), at(5));
    coverage.on_link(0, &LinkState::Down("closed".to_owned()), at(7));
    coverage.on_frame(0, book("11").as_bytes(), at(9));
    assert_eq!(coverage.totals().open_gaps, 1, "one token's book is half of them");
    coverage.on_link(0, &LinkState::Up, at(10));
    coverage.on_missing(MarketId(0).asset(Outcome::No));
    let late = at(8);
    coverage.on_book(MarketId(0).asset(Outcome::No), late, Some(book("22").as_bytes()), at(11));
    assert_eq!(coverage.totals().open_gaps, 1, "it was asked for before anything flowed");
    coverage.on_book(MarketId(0).asset(Outcome::No), at(10), Some(book("22").as_bytes()), at(12));
    let certificate = coverage.under_way(at(20)).remove(0);
    let gap = &certificate.gaps[0];
    assert_eq!((gap.from_ns, gap.to_ns, certificate.gaps.len()), (at(5).wall_ns, at(12).wall_ns, 1));
    assert_eq!(gap.causes, [Cause::Disconnect, Cause::MissingSnapshot]);
}

#[test]
fn silence_is_a_gap_that_a_book_ends_only_when_data_flows_again() {
    let mut coverage = coverage();
    let both = format!("[{},{}]", book("11"), book("22"));
    coverage.on_frame(0, both.as_bytes(), at(1));
    coverage.on_link(0, &LinkState::Up, at(1));
    coverage.on_link(0, &LinkState::Silent, at(8));
    let read = |coverage: &mut Coverage, seconds| {
        for (outcome, token) in Outcome::BOTH.into_iter().zip(["11", "22"]) {
            coverage.on_book(MarketId(0).asset(outcome), at(seconds), Some(book(token).as_bytes()), at(seconds));
        }
    };
    read(&mut coverage, 9);
    assert_eq!(coverage.totals().open_gaps, 1);
    coverage.on_link(0, &LinkState::Up, at(10));
    read(&mut coverage, 10);
    assert_eq!(coverage.totals().open_gaps, 1, "a connection that says nothing proves nothing");
    coverage.on_frame(0, b"[]", at(10));
    coverage.on_time(at(10));
    assert_eq!(coverage.wanted().len(), 2, "both books are asked for at once");
    read(&mut coverage, 11);
    let gaps = coverage.under_way(at(20)).remove(0).gaps;
    assert_eq!((gaps[0].from_ns, gaps[0].to_ns), (at(1).wall_ns, at(11).wall_ns));
    assert_eq!(gaps[0].causes, [Cause::Frozen]);
}

#[test]
fn a_limit_ends_the_writing_and_leaves_whole_files() {
    let dir = tempfile::tempdir().expect("a folder");
    let layout = Layout { root: dir.path().to_owned(), rotate_ns: 3_600 * Time::SECOND };
    let (files, _) = Files::open(layout.clone(), at(0).wall_ns).expect("an empty folder");
    let limits = Limits { part_bytes: 4_000, total_bytes: 20_000, keep_free_bytes: 0 };
    let pen = Pen::start(files, limits).expect("a thread");
    for n in 0..5_000u64 {
        let mut bytes = Vec::new();
        let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        line(&mut bytes, Source::Socket(0), n, format!("{{\"n\":{noise}}}").as_bytes());
        pen.lines(bytes, 1);
    }
    let state = pen.close();
    assert!(state.fault.as_deref().is_some_and(|why| why.contains("its limit of 20000 bytes")), "{state:?}");
    let mut lines = 0;
    let folder = layout.folder(layout.period(at(0).wall_ns));
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let packed = std::fs::read(entry.expect("an entry").path()).expect("a file");
        let text = zstd::decode_all(packed.as_slice()).expect("a whole file");
        let whole = text.split_inclusive(|byte| *byte == b'\n').filter(|line| read_line(line).is_some()).count();
        lines += whole as u64;
    }
    assert!(lines > 100 && lines == state.lines, "{lines} of {}", state.lines);
}
