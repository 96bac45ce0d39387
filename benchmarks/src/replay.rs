//! Raw frames from memory into books, as a replay of a recording does it, beside the SDK's parser alone.

use std::hint::black_box;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use oddsmith_backtest::recording::{Recording, is_market_frame, unwrap};
use oddsmith_backtest::tape::{Assumptions, Tape, What};
use oddsmith_backtest::verify::{FileReport, Options, verify_recording};
use oddsmith_book::PairBook;
use oddsmith_domain::{BookHealth, MarketBatch, MarketEvent, MarketId, MarketSource, Time};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;
use oddsmith_recorder::{Source, line};
use polymarket_client_sdk_v2::clob::ws::interest::MessageInterest;
use polymarket_client_sdk_v2::clob::ws::types::response::parse_if_interested;

use crate::harness::{Effort, Figures, race_on_processor};
use crate::report::{Bar, Row};
use crate::stream::{Received, stream};

/// What the stream is drawn from.
const SEED: u64 = 0x5eed_0f0d_d5b0_0c55;

/// The recordings of others that lie beside the repository, when they are there.
const SHARED: &str = "ODDSMITH_SHARED";

/// What a pass over a recording came across.
#[derive(Clone, Copy, Debug, Default)]
struct Passed {
    frames: u64,
    undecodable: u64,
    hashes: u64,
}

/// A reader of recordings with books: what lies between the bytes and the engine's decisions.
#[derive(Default)]
struct Ours {
    table: AssetTable,
    decoder: MarketDecoder,
    batch: MarketBatch,
    books: Vec<Option<PairBook>>,
    passed: Passed,
}

impl Ours {
    /// One that knows the markets of a recording.
    fn knowing(bytes: &Arc<[u8]>) -> anyhow::Result<Ours> {
        let mut ours = Ours::default();
        ours.merge(bytes)?;
        Ok(ours)
    }

    fn begin(&mut self) {
        self.books.iter_mut().flatten().for_each(PairBook::reset);
        self.passed = Passed::default();
    }

    /// Reads a recording from its first byte to its last into books that know nothing yet, as `oddsmith run --input` does once it has
    /// found the markets.
    fn replay(&mut self, bytes: &Arc<[u8]>) -> anyhow::Result<()> {
        self.begin();
        let mut recording = open(bytes)?;
        let mut now = Time::default();
        while let Some(piece) = recording.next_piece()? {
            let unwrapped = unwrap(piece.bytes);
            if !is_market_frame(&unwrapped.frame) {
                continue;
            }
            let ns = unwrapped.received_ns.unwrap_or(now.wall_ns);
            now = Time { mono_ns: now.mono_ns.max(ns), wall_ns: ns };
            self.frame(MarketSource::Shard(0), &unwrapped.frame, now);
        }
        Ok(())
    }

    /// The same as a backtest does it: recordings are merged by receive time, and markets learned from what was received by then.
    fn merge(&mut self, bytes: &Arc<[u8]>) -> anyhow::Result<()> {
        self.begin();
        self.table = AssetTable::new();
        let mut known = vec![false; self.books.len()];
        let mut tape = Tape::of_frames(open(bytes)?, Assumptions::default())?;
        while let Some((entry, roster)) = tape.next_with_roster()? {
            let What::Frame(source) = entry.what else { continue };
            for no in &entry.markets {
                let at = no.index();
                known.resize(known.len().max(at + 1), false);
                if known[at] && !entry.news {
                    continue;
                }
                if let Some((card, _)) = roster.card(*no) {
                    known[at] = true;
                    self.table.insert(MarketId(no.0), &card);
                    self.books.resize_with(self.books.len().max(at + 1), || None);
                    self.books[at].get_or_insert_with(|| PairBook::new(&card)).update_card(&card);
                }
            }
            self.frame(source, &entry.bytes, Time { mono_ns: entry.at_ns, wall_ns: entry.at_ns });
        }
        Ok(())
    }

    fn frame(&mut self, source: MarketSource, frame: &[u8], now: Time) {
        let report = self.decoder.decode(&self.table, frame, &mut self.batch);
        let hashes = self.apply(source, now);
        self.passed.frames += 1;
        self.passed.undecodable += u64::from(report.undecodable);
        self.passed.hashes += u64::from(hashes);
    }

    /// Brings a frame's events into its books, as the engine does, and looks at the hashes that wait. Says how many were computed.
    fn apply(&mut self, source: MarketSource, now: Time) -> u32 {
        let mut hashed = 0;
        let mut touched: Option<MarketId> = None;
        for event in &self.batch.events {
            let id = event.market();
            let Some(Some(book)) = self.books.get_mut(id.index()) else { continue };
            book.apply_event(&self.batch, event, now, source);
            hashed += u32::from(matches!(event, MarketEvent::Snapshot(header) if header.hash.is_some()));
            if touched != Some(id)
                && let Some(before) = touched.replace(id)
            {
                hashed += end_frame(&mut self.books, before, now);
            }
        }
        touched.map_or(hashed, |id| hashed + end_frame(&mut self.books, id, now))
    }
}

fn end_frame(books: &mut [Option<PairBook>], id: MarketId, now: Time) -> u32 {
    let Some(Some(book)) = books.get_mut(id.index()) else { return 0 };
    book.end_of_frame(now);
    if book.next_check_mono_ns().is_some_and(|due| due <= now.mono_ns) { book.idle_check(now) } else { 0 }
}

fn open(bytes: &Arc<[u8]>) -> anyhow::Result<Recording> {
    Ok(Recording::from_reader("memory".to_owned(), Box::new(Cursor::new(bytes.clone())))?)
}

/// A recording in memory: its bytes, and its market frames alone for those who cannot read it as it is.
struct Recorded {
    bytes: Arc<[u8]>,
    frames: Vec<Vec<u8>>,
}

impl Recorded {
    fn of(bytes: Vec<u8>) -> anyhow::Result<Recorded> {
        let bytes: Arc<[u8]> = bytes.into();
        let mut recording = open(&bytes)?;
        let mut frames = Vec::new();
        while let Some(piece) = recording.next_piece()? {
            let unwrapped = unwrap(piece.bytes);
            if is_market_frame(&unwrapped.frame) {
                frames.push(unwrapped.frame.into_owned());
            }
        }
        Ok(Recorded { bytes, frames })
    }

    /// Each frame on a line of its own, and nothing around it.
    fn bare(&self) -> anyhow::Result<Recorded> {
        Recorded::of(self.frames.iter().flat_map(|frame| [frame.trim_ascii(), b"\n"].concat()).collect())
    }

    fn note(&self, more: &str) -> String {
        let size = self.frames.iter().map(Vec::len).sum::<usize>();
        format!("{} frames of {} B on average; {more}", self.frames.len(), size / self.frames.len().max(1))
    }
}

/// What the SDK's users of books subscribe to; of anything else its parser makes a tree and no more.
const INTEREST: MessageInterest = MessageInterest::BOOK
    .union(MessageInterest::PRICE_CHANGE)
    .union(MessageInterest::TICK_SIZE)
    .union(MessageInterest::LAST_TRADE_PRICE)
    .union(MessageInterest::BEST_BID_ASK);

fn sdk_parses(frames: &[Vec<u8>], mut told: impl FnMut(usize)) {
    for frame in frames {
        let messages = parse_if_interested(black_box(frame), &INTEREST).expect("the SDK understands the frame");
        told(black_box(messages).len());
    }
}

fn trees(frames: &[Vec<u8>]) {
    for frame in frames {
        drop(black_box(serde_json::from_slice::<serde_json::Value>(black_box(frame)).expect("JSON")));
    }
}

/// Whole passes over the recording in turns, by the thread's own time; nanoseconds for one market frame.
fn measure(effort: Effort, recorded: &Recorded, mut ours: impl FnMut(&Arc<[u8]>)) -> Vec<Figures> {
    let rounds = if effort.quick { 9 } else { 21 };
    let effort = Effort { rounds, ..effort };
    let repeated = |mut work: Box<dyn FnMut()>| Box::new(move |times| (0..times).for_each(|_| work()));
    let figures = race_on_processor(
        effort,
        vec![
            ("oddsmith, into books", repeated(Box::new(|| ours(&recorded.bytes)))),
            ("official SDK, parse only", repeated(Box::new(|| sdk_parses(&recorded.frames, |_| ())))),
            ("JSON tree, parse only", repeated(Box::new(|| trees(&recorded.frames)))),
        ],
    );
    let count = recorded.frames.len().max(1) as f64;
    figures.into_iter().map(|figure| Figures { median_ns: figure.median_ns / count, ..figure }).collect()
}

fn replay(effort: Effort, recorded: &Recorded) -> anyhow::Result<Vec<Figures>> {
    let mut ours = Ours::knowing(&recorded.bytes)?;
    Ok(measure(effort, recorded, |bytes| ours.replay(bytes).expect("a recording")))
}

fn merge(effort: Effort, recorded: &Recorded) -> Vec<Figures> {
    let mut ours = Ours::default();
    measure(effort, recorded, |bytes| ours.merge(bytes).expect("a recording"))
}

fn verify(bytes: &Arc<[u8]>) -> anyhow::Result<FileReport> {
    Ok(verify_recording("memory", open(bytes)?, &Options::default())?)
}

/// Nothing is measured that does not come out right: the SDK understands every frame that it is asked for, and every hash of the stream is
/// reproduced, of the few that are looked at on the way and of all of them.
fn prove(recorded: &Recorded, told: usize) -> anyhow::Result<()> {
    let mut ours = Ours::knowing(&recorded.bytes)?;
    let merged = ours.passed;
    ours.replay(&recorded.bytes)?;
    for passed in [merged, ours.passed] {
        ensure!(passed.undecodable == 0 && passed.hashes > 0, "the stream was not understood: {passed:?}");
    }
    ensure!(ours.passed.frames == recorded.frames.len() as u64, "not all frames came through: {:?}", ours.passed);
    let mut books = ours.books.iter().flatten();
    let verified = books.all(|book| book.worst_health() == BookHealth::Verified && book.hash_counts().checked > 0);
    ensure!(verified, "the books do not agree with the venue's");
    let report = verify(&recorded.bytes)?;
    let right = report.hashes.checked > 0 && report.hashes.checked == report.hashes.reproduced;
    ensure!(right && report.undecodable == 0 && report.gaps.is_empty(), "the stream does not verify: {report:?}");
    let mut parsed = 0;
    sdk_parses(&recorded.frames, |messages| parsed += messages);
    ensure!(parsed == told, "the SDK parsed {parsed} messages of {told}");
    Ok(())
}

/// The stream as lines, with the envelope of `oddsmith record` or without.
fn lines(received: &[Received], envelope: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for Received { at_ns, frame } in received {
        if envelope {
            line(&mut out, Source::Socket(0), *at_ns, frame.as_bytes());
        } else {
            out.extend_from_slice(frame.as_bytes());
            out.push(b'\n');
        }
    }
    out
}

/// The largest recording of raw frames beside the repository.
fn largest() -> Option<PathBuf> {
    let folder = Path::new(&std::env::var_os(SHARED)?).join("data/polymarket/raw-frames");
    let files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path().join("raw_messages.jsonl")));
    files.max_by_key(|path| std::fs::metadata(path).map_or(0, |data| data.len()))
}

/// All benches of replays.
pub fn run(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let received = stream(SEED, if effort.quick { 8_000 } else { 32_000 });
    let events = |one: &Received| one.frame.matches("\"event_type\"").count();
    let told = received.iter().filter(|one| !one.frame.contains("new_market")).map(events).sum();
    let [bare, wrapped] = [false, true].map(|envelope| Recorded::of(lines(&received, envelope)));
    let (bare, wrapped) = (bare?, wrapped?);
    prove(&bare, told)?;
    prove(&wrapped, told)?;
    let bars = [Bar::faster(1, 8.0, 14.0)];
    let some = "books hashed, of changes one batch in 32";
    let note = bare.note(some);
    let mut rows = vec![
        Row::new("replay of raw frames", &note, replay(effort, &bare)?, &bars),
        Row::new("replay of raw frames in envelopes", &note, replay(effort, &wrapped)?, &bars),
        Row::new("…, markets learned, merged by time", &note, merge(effort, &wrapped), &[]),
    ];
    let figures = measure(effort, &wrapped, |bytes| drop(black_box(verify(bytes).expect("a recording"))));
    rows.push(Row::new("verification of raw frames in envelopes", &bare.note("every hash checked"), figures, &[]));
    let Some(path) = largest() else {
        eprintln!("the replay of a recording is skipped: {SHARED} does not lead to one");
        return Ok(rows);
    };
    let recorded = Recorded::of(std::fs::read(&path).with_context(|| path.display().to_string())?)?;
    let note = recorded.note("most of it whole books, which are hashed");
    rows.push(Row::new("replay of a recording, its frames alone", &note, replay(effort, &recorded.bare()?)?, &[]));
    let note = format!("{note}; envelopes with the frames as texts, and other feeds");
    rows.push(Row::new("replay of a recording", &note, replay(effort, &recorded)?, &[]));
    Ok(rows)
}
