//! The engine over recorded frames: the decisions it would have taken and the orders it would have sent.
//!
//! Nothing is sent. Orders go to a venue that exists on paper, which fills them by the recorded frames; time is the recording's own.
//! It is one run under one model: what a strategy would have earned is said by a backtest, with the models that it depends on.

mod cards;

use std::path::{Path, PathBuf};

use oddsmith_domain::{
    Action, ActionSeq, Input, Link, LinkState, MarketCard, MarketSource, Output, OutputBody, RunId, Setup, Time,
};
use oddsmith_engine::{Engine, Lanes, OwnedInput, Sink};
use oddsmith_paper::{PaperInput, PaperSettings, PaperVenue};
use thiserror::Error;

use crate::recording::{Recording, RecordingError, is_market_frame, unwrap};

/// A recording is taken to have lost its connection when nothing came for this long.
const GAP_NS: u64 = 30 * Time::SECOND;

/// Why a dry run cannot be made.
#[derive(Debug, Error)]
pub enum DryRunError {
    /// A recording cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// No market with both its tokens is in the recordings.
    #[error("no market with both of its tokens is in {0}: a recording of market frames or books is needed")]
    NoMarket(String),
    /// No instance of the configuration trades any of the markets.
    #[error("no instance of the configuration trades a market of the recordings; they hold: {0}")]
    NoScope(String),
}

/// What a dry run is given.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// The recordings, in order.
    pub files: Vec<PathBuf>,
    /// The run's id.
    pub run: RunId,
    /// Seeds order salts.
    pub seed: [u8; 32],
    /// The engine's configuration as canonical JSON.
    pub config: String,
    /// The venue that its orders go to.
    pub paper: PaperSettings,
}

/// What a dry run went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DryReport {
    /// Frames of the market channel and books that were handed to the engine.
    pub frames: u64,
    /// Pieces of the recordings that are something else.
    pub others: u64,
    /// Markets found, with both tokens.
    pub markets: usize,
    /// Markets of which only one token was seen.
    pub half_markets: usize,
    /// Holes in the recordings longer than half a minute.
    pub gaps: u64,
    /// Nanoseconds that the recordings span, holes included.
    pub span_ns: u64,
}

/// Where a dry run's inputs and outputs go, and how fast time passes.
pub trait DrySink {
    /// Takes one input that was handled, and its outputs.
    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]);

    /// The recording is about to go on by this many nanoseconds: wait as long, or not at all. `false` ends the run.
    fn pass(&mut self, ns: u64) -> bool;
}

impl DryRun {
    /// Finds the markets in the recordings, then runs a fresh engine over all frames.
    ///
    /// # Errors
    /// [`DryRunError`].
    pub fn run(&self, engine: &mut Engine, sink: &mut impl DrySink) -> Result<DryReport, DryRunError> {
        let found = cards::find(&self.files)?;
        if found.cards.is_empty() {
            return Err(DryRunError::NoMarket(names(&self.files)));
        }
        let mut report = DryReport { markets: found.cards.len(), half_markets: found.half, ..DryReport::default() };
        let mut tape = Tape {
            sink,
            now: Time { mono_ns: 1, wall_ns: found.first_ns.unwrap_or(1) },
            venue: PaperVenue::new(self.paper.clone()),
            actions: Vec::new(),
        };
        let mut lanes = Lanes::new();
        self.begin(engine, &mut lanes, &mut tape, &found.cards)?;
        let began = tape.now;
        'files: for path in &self.files {
            let mut recording = Recording::open(path)?;
            while let Some(piece) = recording.next_piece()? {
                let unwrapped = unwrap(piece.bytes);
                if !is_market_frame(&unwrapped.frame) {
                    report.others += 1;
                    continue;
                }
                report.frames += 1;
                let at = unwrapped.received_ns.unwrap_or(tape.now.wall_ns);
                if !go_to(at, engine, &mut lanes, &mut tape, &mut report) {
                    break 'files;
                }
                tape.venue.frame(&unwrapped.frame, tape.now);
                lanes.push_frame(MarketSource::Shard(0), &unwrapped.frame);
                settle(engine, &mut lanes, &mut tape);
            }
        }
        report.span_ns = tape.now.since(began);
        Ok(report)
    }

    fn begin(
        &self,
        engine: &mut Engine,
        lanes: &mut Lanes,
        tape: &mut Tape<'_, impl DrySink>,
        cards: &[MarketCard],
    ) -> Result<(), DryRunError> {
        let setup = Setup {
            run: self.run,
            seed: self.seed,
            account: oddsmith_domain::Address::default(),
            payer: oddsmith_domain::Payer::own(oddsmith_domain::Address::default()),
            chain_id: oddsmith_polymarket::order::POLYGON,
            config: self.config.clone(),
        };
        lanes.push(OwnedInput::Other(Input::Setup(Box::new(setup))));
        for card in cards {
            lanes.push(OwnedInput::Other(Input::Card(Box::new(card.clone()))));
        }
        for link in [Link::User, Link::Market(0)] {
            lanes.push(OwnedInput::Other(Input::Link { link, state: LinkState::Up }));
        }
        settle(engine, lanes, tape);
        if engine.cards().next().is_none() {
            let slugs: Vec<_> = cards.iter().map(|card| card.slug.as_str()).take(10).collect();
            return Err(DryRunError::NoScope(slugs.join(", ")));
        }
        Ok(())
    }
}

/// Lets time pass up to a frame's receive time, stopping wherever the engine has something to do by itself.
fn go_to(
    wall_ns: u64,
    engine: &mut Engine,
    lanes: &mut Lanes,
    tape: &mut Tape<'_, impl DrySink>,
    report: &mut DryReport,
) -> bool {
    let ahead = wall_ns.saturating_sub(tape.now.wall_ns);
    if !tape.sink.pass(ahead.min(GAP_NS)) {
        return false;
    }
    if ahead > GAP_NS || wall_ns.saturating_add(GAP_NS) < tape.now.wall_ns {
        // What happened in the hole is not known: the engine loses its connection, as it would have live.
        report.gaps += 1;
        let why = format!("a hole of {} s in the recording", ahead / Time::SECOND);
        lanes.push(OwnedInput::Other(Input::Link { link: Link::Market(0), state: LinkState::Down(why) }));
        settle(engine, lanes, tape);
        tape.now = Time { mono_ns: tape.now.mono_ns.saturating_add(ahead), wall_ns };
        lanes.push(OwnedInput::Other(Input::Link { link: Link::Market(0), state: LinkState::Up }));
        settle(engine, lanes, tape);
        return true;
    }
    let target = tape.now.plus_ns(ahead);
    while let Some(due) = next_due(engine, &tape.venue).filter(|due| *due < target.mono_ns) {
        let step = due.saturating_sub(tape.now.mono_ns);
        tape.now = tape.now.plus_ns(step);
        settle(engine, lanes, tape);
    }
    tape.now = target;
    true
}

fn next_due(engine: &Engine, venue: &PaperVenue) -> Option<u64> {
    [engine.next_deadline(), venue.next_due()].into_iter().flatten().min()
}

/// Runs slices until nothing is left to do now, with the paper venue's answers to whatever the engine wants.
fn settle(engine: &mut Engine, lanes: &mut Lanes, tape: &mut Tape<'_, impl DrySink>) {
    loop {
        tape.venue.advance(tape.now);
        while let Some(input) = tape.venue.next_input() {
            lanes.push(match input {
                PaperInput::User(bytes) => OwnedInput::User(bytes),
                PaperInput::Gateway(result) => OwnedInput::Other(Input::Gateway(Box::new(result))),
            });
        }
        let more = lanes.slice(engine, tape);
        for (seq, action) in std::mem::take(&mut tape.actions) {
            if let Action::Subscribe { markets } = &action {
                for (market, card) in markets.iter().filter_map(|id| Some((*id, engine.card(*id)?))) {
                    tape.venue.learn(market, card);
                }
            }
            tape.venue.act(seq, &action, tape.now);
        }
        if !more && tape.venue.next_due().is_none_or(|due| due > tape.now.mono_ns) {
            return;
        }
    }
}

/// The dry run's clock, and the venue that hears every action.
struct Tape<'s, S> {
    sink: &'s mut S,
    now: Time,
    venue: PaperVenue,
    actions: Vec<(ActionSeq, Action)>,
}

impl<S: DrySink> Sink for Tape<'_, S> {
    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        self.sink.record(input, now, outputs);
        for output in outputs {
            if let OutputBody::Action(action) = &output.body {
                self.actions.push((ActionSeq(output.seq), action.clone()));
            }
        }
    }

    fn now(&mut self) -> Time {
        self.now
    }
}

fn names(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|path| Path::display(path).to_string()).collect();
    names.join(", ")
}
