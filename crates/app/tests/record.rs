//! `oddsmith record` as a process, against a real exchange that loses connections and falls silent: its certificates list what was
//! done to it and nothing else, and what it wrote is a recording that the other commands read.

#![allow(clippy::print_stdout, reason = "what was injected and what was certified is what the ten minutes are for")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oddsmith_backtest::recording::{Recording, unwrap};
use oddsmith_book::PairBook;
use oddsmith_domain::{MarketBatch, MarketCard, MarketEvent, MarketId, MarketSource, Outcome, Time};
use oddsmith_exchange::scenario::Scenario;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;
use oddsmith_recorder::{BookNote, Cause, Certificate, Gap, read_line, read_note};
use serde_json::{Value, json};
use support::live::{Live, paper_flags};
use support::trial::http;
use support::{data, oddsmith};

/// Two markets in which something happens several times a second.
const SCENARIO: &str = "
exchange: { books_after_match: false }
markets:
  - slug: rain-tomorrow
    process: { opinion: { start: 0.5, volatility: 0.01, pull: 0.05 } }
    traders: { noise_rate: 8.0, maker_rate: 4.0, half_spread: 0.03 }
  - slug: snow-tomorrow
    process: { opinion: { start: 0.3, volatility: 0.01, pull: 0.05 } }
    traders: { noise_rate: 8.0, maker_rate: 4.0, half_spread: 0.03 }
";
/// Sessions that notice within seconds: a test should not wait for what a recorder would.
const IMPATIENT: [&str; 6] = [
    "venue.sessions.ping_every_ms=500",
    "venue.sessions.snapshot_limit_ms=500",
    "venue.sessions.silence_floor_ms=1500",
    "venue.sessions.silence_grace_ms=300",
    "venue.sessions.backoff_cap_ms=1000",
    "venue.sessions.healthy_after_ms=1000",
];

/// How long a frame may be on its way on a busy machine.
const UNDER_WAY_NS: u64 = 100_000_000;

struct Trial {
    exchange: Running,
    data: support::Data,
    live: Option<Live>,
}

/// Something that was done to the recorder.
#[derive(Debug)]
struct Blow {
    what: &'static str,
    /// From when until when, in nanoseconds since the Unix epoch: it began between the first two, and was over at the third.
    begun_ns: (u64, u64),
    over_ns: u64,
    cause: Cause,
}

impl Trial {
    fn begin(more: &[&str]) -> Trial {
        let scenario = Scenario::parse(SCENARIO).expect("a valid scenario");
        let exchange = Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("an exchange");
        let mut trial = Trial { exchange, data: data(), live: None };
        trial.start(more);
        trial
    }

    /// Starts a recorder of both markets, one on a socket.
    fn start(&mut self, more: &[&str]) {
        let mut arguments: Vec<String> =
            ["--market=rain-tomorrow", "--market=snow-tomorrow", "--markets-per-socket=1", "--check-every=2s"]
                .into_iter()
                .map(str::to_owned)
                .collect();
        arguments.extend(paper_flags(&self.exchange));
        arguments.extend(IMPATIENT.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]));
        arguments.extend(more.iter().map(|&text| text.to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let live = Live::command(self.data.path(), "record", &arguments);
        live.wait_for("sockets", |said| said.contains("sockets 2/2"));
        self.live = Some(live);
    }

    fn strike(&self, what: &'static str, fault: Value, lasts: Duration, cause: Cause) -> Blow {
        let before = now_ns();
        let (status, answer) = http(self.exchange.addr(), "POST", "/control/faults", &fault.to_string());
        assert_eq!(status, 200, "{answer}");
        let after = now_ns();
        let over_ns = after + u64::try_from(lasts.as_nanos()).expect("short");
        Blow { what, begun_ns: (before, after), over_ns, cause }
    }

    fn disconnect(&self) -> Blow {
        let fault = json!({ "disconnect": { "channel": "market" } });
        self.strike("disconnect", fault, Duration::ZERO, Cause::Disconnect)
    }

    fn freeze(&self, time: Duration) -> Blow {
        let fault = json!({ "freeze_channel": { "channel": "market", "for_ms": time.as_millis() as u64 } });
        self.strike("freeze", fault, time, Cause::Frozen)
    }

    /// A connection that does not begin with its books.
    fn without_books(&self) -> Blow {
        let fault = json!({ "skip_snapshots": { "count": 4 } });
        let _ = self.strike("no first books", fault, Duration::ZERO, Cause::MissingSnapshot);
        let blow = self.disconnect();
        Blow { what: "no first books", cause: Cause::MissingSnapshot, ..blow }
    }

    /// Ends the recorder as Ctrl-C does.
    fn end(&mut self) -> String {
        let live = self.live.take().expect("a recorder");
        live.interrupt();
        let (code, said) = live.end();
        assert_eq!(code, 0, "{said}");
        said
    }

    fn folder(&self) -> PathBuf {
        self.data.path().join("recordings")
    }

    /// The files of frames, oldest first.
    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = days(&self.folder())
            .iter()
            .flat_map(|day| std::fs::read_dir(day).expect("a folder"))
            .map(|entry| entry.expect("an entry").path().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".jsonl.zst"))
            .collect();
        files.sort();
        files
    }

    /// All certificates, oldest first.
    fn certificates(&self) -> Vec<Certificate> {
        let mut all = Vec::new();
        for day in days(&self.folder()) {
            for name in ["coverage.jsonl", "coverage.open.jsonl"] {
                let text = std::fs::read_to_string(day.join(name)).unwrap_or_default();
                all.extend(text.lines().map(|line| serde_json::from_str::<Certificate>(line).expect("a certificate")));
            }
        }
        all.sort_by_key(|certificate| certificate.hour_ns);
        all
    }

    /// The gaps of a market over all hours: one that goes on over an hour's end is one.
    fn gaps(&self, market: &str) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        for gap in self.certificates().into_iter().filter(|c| c.market == market).flat_map(|c| c.gaps) {
            match gaps.last_mut().filter(|last| last.to_ns == gap.from_ns) {
                Some(last) => last.to_ns = gap.to_ns,
                None => gaps.push(gap),
            }
        }
        gaps
    }

    /// Every blow is one gap of every market, and there is no other gap.
    fn certifies(&self, blows: &[Blow], slack: Duration) {
        let slack = u64::try_from(slack.as_nanos()).expect("short");
        for market in ["rain-tomorrow", "snow-tomorrow"] {
            let gaps = self.gaps(market);
            for (blow, gap) in blows.iter().zip(&gaps) {
                println!("{market}: {}", told(blow, gap));
            }
            assert_eq!(gaps.len(), blows.len(), "{market}: {gaps:#?}\n{blows:#?}");
            for (blow, gap) in blows.iter().zip(&gaps) {
                let (begun, over) = (blow.begun_ns, blow.over_ns);
                // What was on its way when the blow fell still arrives.
                let covers = gap.from_ns <= begun.1 + UNDER_WAY_NS && gap.to_ns >= over;
                let tight = gap.from_ns + slack >= begun.0 && gap.to_ns <= over + slack;
                assert!(covers && tight && gap.causes.contains(&blow.cause), "{market}: {}", told(blow, gap));
            }
        }
    }
}

fn told(blow: &Blow, gap: &Gap) -> String {
    let seconds = |from: u64, to: u64| (to as f64 - from as f64) / 1e9;
    let injected = seconds(blow.begun_ns.0, blow.over_ns);
    let (early, late) = (seconds(gap.from_ns, blow.begun_ns.1), seconds(blow.over_ns, gap.to_ns));
    format!(
        "{} of {injected:.3} s, certified {:.3} s (from {early:.3} s before it to {late:.3} s behind it) because of {:?}",
        blow.what,
        seconds(gap.from_ns, gap.to_ns),
        gap.causes
    )
}

fn now_ns() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos()).expect("before 2500")
}

fn days(folder: &Path) -> Vec<PathBuf> {
    let mut days: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    days.sort();
    days
}

/// Socket, receive time and frame of every line of a file, read as the other commands read it.
fn lines(file: &str) -> Vec<(Option<u16>, u64, Vec<u8>)> {
    let mut recording = Recording::open(Path::new(file)).expect("a recording");
    let mut all = Vec::new();
    while let Some(piece) = recording.next_piece().expect("readable to its end") {
        let kept = read_line(piece.bytes).expect("a line of ours");
        let Some(frame) = kept.frame else { continue };
        let seen = unwrap(piece.bytes);
        assert_eq!((seen.received_ns, seen.frame.as_ref()), (Some(kept.wall_ns), frame.as_ref()));
        all.push((kept.socket, kept.wall_ns, frame.into_owned()));
    }
    all
}

fn sleep(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

#[test]
fn gaps_are_those_that_were_injected_and_the_recording_can_be_used() {
    let mut trial = Trial::begin(&[]);
    sleep(4);
    let mut blows = vec![trial.disconnect()];
    sleep(8);
    blows.push(trial.freeze(Duration::from_secs(4)));
    sleep(12);
    blows.push(trial.without_books());
    sleep(8);
    let said = trial.end();
    // Wide enough for a machine that does much else at the same time; the ten minutes hold it tighter.
    trial.certifies(&blows, Duration::from_millis(7_500));
    for certificate in trial.certificates() {
        let hashes = certificate.hashes;
        assert!(hashes.checked > 50 && hashes.checked + hashes.not_comparable <= hashes.changes, "{certificate:#?}");
        assert!(certificate.snapshots >= 2 && certificate.checks.read >= 4, "{certificate:#?}");
        assert_eq!((certificate.checks.failed, certificate.gaps_left_out), (0, 0), "{certificate:#?}");
    }
    assert!(said.contains("sockets 2/2") && said.contains("disconnected"), "{said}");

    let files = trial.files();
    let mut verify = vec!["verify", "--json"];
    verify.extend(files.iter().map(String::as_str));
    let proof = oddsmith(trial.data.path(), &verify);
    assert_eq!(proof.code, 0, "{}{}", proof.out, proof.err);
    let report: Value = serde_json::from_str(proof.out.lines().next().expect("a report")).expect("JSON");
    assert_eq!(report["undecodable"], 0, "{report}");
    assert!(report["hashes"]["reproduced"].as_u64().expect("a number") > 100, "{report}");

    let mut run = vec!["run", "--input"];
    run.extend(files.iter().map(String::as_str));
    let dry = oddsmith(trial.data.path(), &run);
    assert_eq!(dry.code, 0, "{}{}", dry.out, dry.err);
    assert!(dry.out.contains("2 with both tokens"), "{}", dry.out);
}

#[test]
fn a_recorder_that_was_killed_goes_on_and_states_the_gap_to_the_frame() {
    let mut trial = Trial::begin(&[]);
    sleep(3);
    trial.live.as_ref().expect("a recorder").signal("KILL");
    let _ = trial.live.take().expect("a recorder").end();
    sleep(1);
    trial.start(&[]);
    sleep(3);
    trial.end();

    let files = trial.files();
    let [first, second] = files.as_slice() else { panic!("two files, not {files:?}") };
    let (before, after) = (lines(first), lines(second));
    for market in ["rain-tomorrow", "snow-tomorrow"] {
        let gaps = trial.gaps(market);
        let [gap] = gaps.as_slice() else { panic!("one gap of {market}, not {gaps:?}") };
        assert_eq!(gap.causes, [Cause::Restart]);
        let from = |socket: u16| before.iter().filter(|(at, ..)| *at == Some(socket)).map(|(_, ns, _)| *ns).max();
        assert!([from(0), from(1)].contains(&Some(gap.from_ns)), "{market}: {gap:?}");
        let whole = after.iter().find(|(_, ns, _)| *ns == gap.to_ns).expect("the frame that ends the gap");
        assert!(String::from_utf8_lossy(&whole.2).contains("\"bids\""), "{market}: the gap ends with a book");
    }
    let certified: u64 = trial.certificates().iter().map(|certificate| certificate.frames).sum();
    let streamed = before.iter().chain(&after).filter(|(socket, ..)| socket.is_some());
    let spoken = streamed.filter(|(.., frame)| String::from_utf8_lossy(frame).contains("\"asset_id\"")).count();
    assert_eq!(certified, spoken as u64, "every frame that was written is certified, and no other");

    // A backtest reads the certificates: what they do not prove is a hole, and nobody runs across it without being told.
    let folder = trial.folder().display().to_string();
    let arguments = ["backtest", &folder, "--no-journals", "--assume-fee", "0"];
    let refused = oddsmith(trial.data.path(), &arguments);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("the recorder's certificate names it"), "{refused:?}");
    let told = oddsmith(trial.data.path(), &[&arguments[..], &["--across-gaps", "--json"]].concat());
    assert_eq!(told.code, 0, "{told:?}");
    let told: Value = serde_json::from_str(&told.out).expect("an object");
    let certified = |hole: &&Value| hole["evidence"] == "certificate";
    let holes: Vec<&Value> = told["survey"]["holes"].as_array().expect("holes").iter().filter(certified).collect();
    assert_eq!(holes.len(), 2, "one of each market: {holes:?}");
    assert!(told["survey"]["sessions"].as_array().is_some_and(|sessions| sessions.len() >= 2), "{}", told["survey"]);
    // Without its certificates nothing of the recording is proven.
    for day in days(&trial.folder()) {
        for name in ["coverage.jsonl", "coverage.open.jsonl"] {
            let _ = std::fs::remove_file(day.join(name));
        }
    }
    let refused = oddsmith(trial.data.path(), &arguments);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("no certificate proves that nothing is missing"), "{refused:?}");
}

#[test]
fn files_are_rotated_and_each_can_be_read_by_itself() {
    let mut trial = Trial::begin(&["--rotate", "5s"]);
    sleep(12);
    trial.end();
    let days = days(&trial.folder());
    assert!(days.len() >= 3, "{days:?}");
    for market in ["rain-tomorrow", "snow-tomorrow"] {
        let gaps = trial.gaps(market);
        let around = |gap: &Gap| -> String {
            let near = |ns: u64| ns + 300_000_000 >= gap.from_ns && ns <= gap.to_ns + 100_000_000;
            let all = trial.files().into_iter().flat_map(|file| lines(&file));
            let all = all.filter(|(_, ns, _)| near(*ns));
            all.map(|(socket, ns, frame)| format!("{socket:?} {ns} {}\n", String::from_utf8_lossy(&frame))).collect()
        };
        assert!(gaps.is_empty(), "{market}: {gaps:?}\n{}", gaps.iter().map(around).collect::<String>());
    }
    for day in &days[1..] {
        assert!(std::fs::read_to_string(day.join("markets.jsonl")).expect("cards").lines().count() == 2);
    }
    // Periods and hours that lie one behind the other leave no hole between them.
    let folder = trial.folder().display().to_string();
    let whole = oddsmith(trial.data.path(), &["backtest", &folder, "--no-journals", "--json"]);
    assert_eq!(whole.code, 0, "{whole:?}");
    let total: u64 = trial.certificates().iter().map(|certificate| certificate.frames).sum();
    let files = trial.files();
    let written: usize =
        files.iter().map(|file| lines(file).iter().filter(|(socket, ..)| socket.is_some()).count()).sum();
    assert!(total > 0 && total <= written as u64, "{total} of {written}");
    let middle = &files[1];
    let proof = oddsmith(trial.data.path(), &["verify", "--json", middle]);
    assert_eq!(proof.code, 0, "{}{}", proof.out, proof.err);
    let report: Value = serde_json::from_str(&proof.out).expect("JSON");
    assert_eq!(report["gaps"], json!([]), "{report}");
    assert!(report["hashes"]["reproduced"].as_u64().expect("a number") > 10, "{report}");
}

/// What the recorder saw of the books is what anybody sees who makes them again from the raw messages, at the same place in the file.
#[test]
fn noted_books_are_those_of_the_raw_messages() {
    let mut trial = Trial::begin(&[]);
    sleep(seconds("BOOKS_SECONDS", 12));
    trial.end();
    let mut remade = Remade::new(&trial.folder());
    for file in trial.files() {
        let mut recording = Recording::open(Path::new(&file)).expect("a recording");
        while let Some(piece) = recording.next_piece().expect("readable to its end") {
            remade.line(piece.bytes);
        }
    }
    for market in ["rain-tomorrow", "snow-tomorrow"] {
        let noted = remade.noted.get(market).copied().unwrap_or(0);
        assert!(noted >= 5, "{noted} notes of {market}");
    }
}

fn seconds(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Books made of frames alone, and compared with every note.
struct Remade {
    table: AssetTable,
    decoder: MarketDecoder,
    batch: MarketBatch,
    books: BTreeMap<MarketId, (MarketCard, PairBook)>,
    noted: BTreeMap<String, u64>,
}

impl Remade {
    fn new(folder: &Path) -> Remade {
        let (mut table, mut books) = (AssetTable::new(), BTreeMap::new());
        let cards = std::fs::read_to_string(days(folder)[0].join("markets.jsonl")).expect("cards");
        for (number, line) in (0..).zip(cards.lines()) {
            let card: Value = serde_json::from_str(line).expect("JSON");
            let card: MarketCard = serde_json::from_value(card["card"].clone()).expect("a card");
            table.insert(MarketId(number), &card);
            books.insert(MarketId(number), (card.clone(), PairBook::new(&card)));
        }
        let (decoder, batch) = (MarketDecoder::new(), MarketBatch::default());
        Remade { table, decoder, batch, books, noted: BTreeMap::new() }
    }

    fn line(&mut self, bytes: &[u8]) {
        if let Some((wall_ns, note)) = read_note(bytes) {
            let of = |(card, _): &&(MarketCard, PairBook)| card.slug == note.market;
            let (card, book) = self.books.values().find(of).expect("a market of the cards");
            let remade = BookNote::of(&card.slug, &card.condition.to_string(), &book.glance(Outcome::Yes));
            assert_eq!(remade, note, "at {wall_ns}");
            let both = note.spread.is_some() && note.depth_ratio.is_some_and(|ratio| ratio > 0.0);
            *self.noted.entry(note.market).or_default() += u64::from(both);
            return;
        }
        let Some(kept) = read_line(bytes) else { panic!("no line: {}", String::from_utf8_lossy(bytes)) };
        let (Some(socket), Some(frame)) = (kept.socket, kept.frame) else { return };
        let now = Time { mono_ns: kept.wall_ns, wall_ns: kept.wall_ns };
        self.decoder.decode(&self.table, &frame, &mut self.batch);
        for event in &self.batch.events {
            if let Some((_, book)) = self.books.get_mut(&event.market()) {
                book.apply_event(&self.batch, event, now, MarketSource::Shard(socket));
            }
        }
        // A frame is whole before anybody looks at its book.
        for market in self.batch.events.iter().map(MarketEvent::market).collect::<BTreeSet<_>>() {
            if let Some((_, book)) = self.books.get_mut(&market) {
                book.end_of_frame(now);
            }
        }
    }
}

/// Prices from outside are written down beside the frames, and a backtest of the recording hands them to the engine as they were.
#[test]
fn prices_from_outside_are_recorded_beside_the_frames_and_replayed() {
    const WITH_PRICE: &str = "
markets:
  - slug: series
    process: { up_down: { coin: btc, price: 100000.0, volatility: 0.00005, window_s: 86400 } }
    traders: { noise_rate: 8.0, maker_rate: 4.0, half_spread: 0.03 }
";
    let scenario = Scenario::parse(WITH_PRICE).expect("a valid scenario");
    let exchange = Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("an exchange");
    let data = data();
    let feed = format!("feeds.binance=ws://{}/binance/stream", exchange.addr());
    let flags = paper_flags(&exchange);
    let mut words = vec!["--market=btc-updown-*", "--rotate=5s", "--set", feed.as_str()];
    words.extend(flags.iter().map(String::as_str));
    let record = || Live::command(data.path(), "record", &words);
    // Killed in the middle: what goes on is one recording.
    let live = record();
    sleep(5);
    live.signal("KILL");
    let _ = live.end();
    let live = record();
    sleep(7);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");

    let folder = data.path().join("recordings");
    let (mut prices, mut marks, mut last) = (Vec::new(), 0, 0);
    let mut files: Vec<PathBuf> = days(&folder)
        .iter()
        .flat_map(|day| std::fs::read_dir(day).expect("a folder"))
        .map(|e| e.expect("an entry").path())
        .collect();
    files.retain(|path| path.to_string_lossy().ends_with(".jsonl.zst"));
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    for file in &files {
        let mut recording = Recording::open(file).expect("a recording");
        while let Some(piece) = recording.next_piece().expect("readable to its end") {
            let kept = read_line(piece.bytes).expect("a line of ours");
            assert!(kept.wall_ns >= last, "receive times do not go back");
            last = kept.wall_ns;
            match (kept.source.as_str(), kept.frame) {
                ("binance", Some(frame)) if String::from_utf8_lossy(&frame).contains("@bookTicker") => {
                    let price: Value = serde_json::from_slice(&frame).expect("JSON");
                    prices.push((kept.wall_ns, price["data"]["b"].as_str().expect("a bid").to_owned()));
                }
                ("binance", None) => marks += 1,
                _ => {}
            }
        }
    }
    assert!(prices.len() > 20 && marks >= 2, "{} prices, {marks} words on the connection", prices.len());

    let folder = folder.to_string_lossy().into_owned();
    let ran =
        oddsmith(data.path(), &["backtest", &folder, "--strategies", "reference_maker", "--across-gaps", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let mut replayed: Vec<(u64, String)> = Vec::new();
    for run in std::fs::read_dir(data.path().join("runs")).expect("runs") {
        let run = run.expect("an entry").path().to_string_lossy().into_owned();
        let cat = oddsmith(data.path(), &["journal", "cat", &run, "--kind", "input.reference"]);
        replayed.extend(cat.out.lines().map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let bid = line["payload"]["Reference"]["bid"].as_str().expect("a bid").to_owned();
            (line["wall_ns"].as_u64().expect("a time"), bid)
        }));
    }
    let decimal = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    let known: Vec<(u64, String)> = prices.iter().map(|(at, bid)| (*at, decimal(bid))).collect();
    assert!(replayed.len() > 10, "{} prices reached an engine", replayed.len());
    for (at, bid) in &replayed {
        assert!(known.contains(&(*at, decimal(bid))), "{bid} at {at} was recorded");
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let data = data();
    let scenario = Scenario::parse(SCENARIO).expect("a valid scenario");
    let exchange = Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("an exchange");
    let record = |more: &[&str]| {
        let mut arguments = vec!["record".to_owned(), "--for".to_owned(), "20s".to_owned()];
        arguments.extend(paper_flags(&exchange));
        arguments.extend(more.iter().map(|&text| text.to_owned()));
        oddsmith(data.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let unknown = record(&["--market", "rain-yesterday"]);
    assert_eq!(unknown.code, 2, "{}", unknown.err);
    assert!(unknown.err.contains("no market `rain-yesterday` takes orders"), "{}", unknown.err);
    assert!(unknown.err.contains("rain-tomorrow"), "{}", unknown.err);
    let full = record(&["--market", "rain-tomorrow", "--keep-free-mib", "99999999999"]);
    assert_eq!(full.code, 3, "{}{}", full.out, full.err);
    assert!(full.err.contains("are to stay free") && full.err.contains("is whole"), "{}", full.err);
    let odd = record(&["--rotate", "90m"]);
    assert!(odd.code == 2 && odd.err.contains("--rotate"), "{}", odd.err);
    let nobody = record(&["--market", "rain-tomorrow", "--set", "venue.rest=http://127.0.0.1:9"]);
    assert_eq!(nobody.code, 3, "{}", nobody.err);
    assert!(nobody.err.contains("is the venue there?"), "{}", nobody.err);
}

/// Ten minutes with a blow every twenty seconds or so: `scripts/record-10-minutes`.
#[test]
#[ignore = "takes ten minutes: scripts/record-10-minutes"]
fn ten_minutes_of_blows() {
    let minutes: u64 = std::env::var("MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let mut trial = Trial::begin(&[]);
    let until = Instant::now() + Duration::from_secs(minutes * 60);
    sleep(10);
    let mut blows = Vec::new();
    while Instant::now() < until {
        match blows.len() % 3 {
            0 => blows.push(trial.disconnect()),
            1 => {
                blows.push(trial.freeze(Duration::from_secs(4 + (blows.len() as u64) % 5)));
                sleep(10);
            }
            _ => blows.push(trial.without_books()),
        }
        sleep(15);
    }
    let said = trial.end();
    trial.certifies(&blows, Duration::from_millis(2_500));
    let memory: Vec<u64> =
        said.lines().filter_map(|line| line.split("memory ").nth(1)?.split(' ').next()?.parse().ok()).collect();
    let at = |part: usize| memory.get(memory.len() * part / 10).copied().unwrap_or(0);
    let last = memory.last().copied().unwrap_or(0);
    println!("memory: {} KiB after a tenth of the time, {} KiB in the middle, {last} KiB at the end", at(1), at(5));
    assert!(last <= at(1) + at(1) / 4, "memory grows: {memory:?}");
    println!("{}", said.lines().filter(|line| !line.contains("  sockets ")).collect::<Vec<_>>().join("\n"));
}
