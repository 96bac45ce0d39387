//! The engine at a venue on paper, through one session of a tape.

use oddsmith_domain::{
    Action, ActionSeq, Command, Input, Link, LinkState, MarketBatch, MarketEvent, MarketId, MarketSource, Output,
    OutputBody, RunId, Setup, Time,
};
use oddsmith_engine::{DecodedFrame, Engine, Lanes, OwnedInput, Sink};
use oddsmith_paper::{PaperInput, PaperSettings, PaperVenue};
use oddsmith_report::Record;

use super::carry::Carry;
use super::measure::{Measure, Measured};
use super::{Recorder, TrialError};
use crate::tape::{MarketNo, Moment, Roster, What};

/// A connection that carried something lately answers pings this often.
const ALIVE_NS: u64 = 2 * Time::SECOND;
/// For so long after the last frame it is taken to be alive: a live one would answer, and a hole is not proven.
const ALIVE_FOR_NS: u64 = 30 * Time::SECOND;
/// Time passes by this at least: what stays due (an instance that does not evaluate any more) must not hold it up.
const LEAST_STEP_NS: u64 = 100_000;
/// How long a session's end may take, in virtual time.
const END_NS: u64 = 60 * Time::SECOND;

/// Who runs, and at what venue.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The run.
    pub run: RunId,
    /// Seeds order salts.
    pub seed: [u8; 32],
    /// The engine's configuration as canonical JSON.
    pub config: String,
    /// The venue on paper.
    pub paper: PaperSettings,
}

/// The engine, its venue, and what is noted of them.
pub(super) struct Desk {
    engine: Engine,
    lanes: Lanes,
    venue: PaperVenue,
    notes: Notes,
    /// By the tape's number of a market: whether it was taken up, and under which number of the engine's.
    taken: Vec<Taken>,
    shards: u16,
    last_frame: u64,
    next_alive: u64,
}

/// Whether the engine takes part in a market of the tape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Taken {
    /// It was not told of it yet.
    #[default]
    Untold,
    /// It did not take it up.
    Left,
    /// It did, under this number.
    Up(MarketId),
}

/// Hears everything that goes in and comes out.
struct Notes {
    now: Time,
    recorder: Box<dyn Recorder>,
    measure: Measure,
    actions: Vec<(ActionSeq, Action)>,
    faulty: bool,
}

impl Sink for Notes {
    fn now(&mut self) -> Time {
        self.now
    }

    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        self.measure.record(input, now, outputs);
        self.hear(input, now, outputs);
    }
}

impl Notes {
    fn hear(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        self.faulty |= !self.recorder.record(input, now, outputs);
        for output in outputs {
            if let OutputBody::Action(action) = &output.body {
                self.actions.push((ActionSeq(output.seq), action.clone()));
            }
        }
    }
}

/// The same in a slice whose one market frame was decoded already.
struct Decoded<'a> {
    notes: &'a mut Notes,
    batch: &'a MarketBatch,
}

impl Sink for Decoded<'_> {
    fn now(&mut self) -> Time {
        self.notes.now
    }

    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        match input {
            Input::Market { source, .. } => self.notes.measure.frame(*source, self.batch, now, outputs),
            _ => self.notes.measure.record(input, now, outputs),
        }
        self.notes.hear(input, now, outputs);
    }
}

impl Desk {
    pub(super) fn open(setting: &Setting, at_ns: u64, recorder: Box<dyn Recorder>) -> Desk {
        let mut desk = Desk {
            engine: Engine::new(),
            lanes: Lanes::new(),
            venue: PaperVenue::new(setting.paper.clone()),
            notes: Notes {
                now: Time { mono_ns: 1, wall_ns: at_ns },
                recorder,
                measure: Measure::new(),
                actions: Vec::new(),
                faulty: false,
            },
            taken: Vec::new(),
            shards: 0,
            last_frame: 0,
            next_alive: u64::MAX,
        };
        let setup = Setup {
            run: setting.run,
            seed: setting.seed,
            account: setting.paper.payer.maker,
            payer: setting.paper.payer,
            chain_id: oddsmith_polymarket::order::POLYGON,
            config: setting.config.clone(),
        };
        desk.push(Input::Setup(Box::new(setup)));
        desk.push(Input::Link { link: Link::User, state: LinkState::Up });
        desk.push(Input::Link { link: Link::Orders, state: LinkState::Up });
        desk.settle();
        desk
    }

    fn push(&mut self, input: Input<'static>) {
        self.lanes.push(OwnedInput::Other(input));
    }

    /// Takes what was received, at its time.
    pub(super) fn take(&mut self, moment: &Moment<'_>, carry: &Carry) -> Result<(), TrialError> {
        let Moment { entry, roster, decoded } = *moment;
        self.go_to(entry.at_ns);
        let mut settled = false;
        match &entry.what {
            What::Frame(source) => {
                for no in &entry.markets {
                    self.introduce(*no, roster, carry, entry.news);
                }
                let id = entry.markets.iter().find_map(|no| self.number(*no));
                if let Some(id) = id {
                    let (_, waiting) = self.lanes.waiting();
                    match decoded.filter(|batch| waiting == 0 && self.is_numbered_alike(batch)) {
                        Some(batch) => settled = self.decoded_frame(*source, id, &entry.bytes, batch),
                        None => self.frame(*source, id, &entry.bytes),
                    }
                }
            }
            What::Card => {
                for no in &entry.markets {
                    if self.taken(*no) != Taken::Untold {
                        self.introduce(*no, roster, carry, true);
                    }
                }
            }
            What::Input(input) => self.push((**input).clone()),
            What::Decided(pays) => {
                for no in &entry.markets {
                    if let Some(id) = self.number(*no) {
                        self.venue.resolve(id, *pays, self.notes.now);
                    }
                }
            }
        }
        if !settled {
            self.settle();
        }
        if self.notes.faulty { Err(TrialError::Journal) } else { Ok(()) }
    }

    fn taken(&self, no: MarketNo) -> Taken {
        self.taken.get(no.index()).copied().unwrap_or_default()
    }

    fn number(&self, no: MarketNo) -> Option<MarketId> {
        if let Taken::Up(id) = self.taken(no) { Some(id) } else { None }
    }

    /// Whether everything in a batch is of markets that the engine has under the numbers of the tape, so that decoding the frame
    /// would say the same.
    fn is_numbered_alike(&self, batch: &MarketBatch) -> bool {
        batch.events.iter().map(MarketEvent::market).all(|id| self.number(MarketNo(id.0)) == Some(id))
    }

    fn frame(&mut self, source: MarketSource, id: MarketId, bytes: &[u8]) {
        let source = self.hear(source, id);
        self.venue.frame(bytes, self.notes.now);
        self.hear_venue();
        self.lanes.push_frame(source, bytes);
    }

    /// The same, with what the frame says, and the slice in which the engine takes it. Whether nothing is left to do now.
    fn decoded_frame(&mut self, source: MarketSource, id: MarketId, bytes: &[u8], batch: &MarketBatch) -> bool {
        let source = self.hear(source, id);
        self.venue.decoded(batch, self.notes.now);
        self.hear_venue();
        let mut notes = Decoded { notes: &mut self.notes, batch };
        let more = self.lanes.slice_with(&mut self.engine, &mut notes, &DecodedFrame { source, bytes, batch });
        self.carry_out();
        !more && self.lanes.waiting() == (0, 0)
    }

    /// Something came on a connection, which therefore lives; the source as the engine knows it.
    fn hear(&mut self, source: MarketSource, id: MarketId) -> MarketSource {
        match source {
            MarketSource::Rest => MarketSource::Rest,
            MarketSource::Shard(_) => {
                let now = self.notes.now.mono_ns;
                (self.last_frame, self.next_alive) = (now, now + ALIVE_NS);
                MarketSource::Shard(id.shard())
            }
        }
    }

    /// Tells engine and venue of a market, the first time that something of it comes, and when its card has changed.
    fn introduce(&mut self, no: MarketNo, roster: &Roster, carry: &Carry, changed: bool) {
        let known = self.taken(no) != Taken::Untold;
        if known && !changed {
            return;
        }
        let Some((card, _)) = roster.card(no) else { return };
        let condition = card.condition;
        self.push(Input::Card(Box::new(card)));
        self.settle();
        let found = self.engine.cards().find(|(_, card)| card.condition == condition);
        let found = found.map(|(id, card)| (id, card.clone()));
        if self.taken.len() <= no.index() {
            self.taken.resize(no.index() + 1, Taken::Untold);
        }
        self.taken[no.index()] = found.as_ref().map_or(Taken::Left, |(id, _)| Taken::Up(*id));
        let Some((id, card)) = found else { return };
        self.venue.learn(id, &card);
        self.notes.measure.name(id, &card.slug);
        if !known {
            while self.shards <= id.shard() {
                let link = Link::Market(self.shards);
                self.shards += 1;
                self.push(Input::Link { link, state: LinkState::Up });
            }
            self.settle();
            if let Some(snapshot) = carry.snapshot(no) {
                self.frame(MarketSource::Shard(0), id, snapshot.as_bytes());
                self.settle();
            }
        }
    }

    /// Lets time pass up to a moment, stopping wherever engine or venue have something to do by themselves.
    fn go_to(&mut self, wall_ns: u64) {
        let ahead = wall_ns.saturating_sub(self.notes.now.wall_ns);
        let target = self.notes.now.plus_ns(ahead);
        while let Some(due) = self.next_due().filter(|due| *due < target.mono_ns) {
            let left = target.mono_ns - self.notes.now.mono_ns;
            // The least step must not lead beyond what comes next: time would run backwards then.
            let step = due.saturating_sub(self.notes.now.mono_ns).max(LEAST_STEP_NS);
            if step >= left {
                break;
            }
            self.pass(self.notes.now.plus_ns(step));
            self.settle();
        }
        self.pass(target);
    }

    fn next_due(&self) -> Option<u64> {
        let alive = Some(self.next_alive).filter(|at| *at != u64::MAX);
        [self.engine.next_deadline(), self.venue.next_due(), alive].into_iter().flatten().min()
    }

    fn pass(&mut self, now: Time) {
        self.notes.measure.until(now, &self.engine);
        self.notes.now = now;
        self.venue.advance(now);
        self.hear_venue();
        if self.next_alive <= now.mono_ns {
            for shard in 0..self.shards {
                self.push(Input::Link { link: Link::Market(shard), state: LinkState::Alive });
            }
            let next = now.mono_ns + ALIVE_NS;
            self.next_alive = if next <= self.last_frame.saturating_add(ALIVE_FOR_NS) { next } else { u64::MAX };
        }
    }

    fn hear_venue(&mut self) {
        while let Some(input) = self.venue.next_input() {
            self.lanes.push(match input {
                PaperInput::User(bytes) => OwnedInput::User(bytes),
                PaperInput::Gateway(result) => OwnedInput::Other(Input::Gateway(Box::new(result))),
            });
        }
    }

    /// Runs slices until nothing is left to do now.
    fn settle(&mut self) {
        loop {
            let more = self.lanes.slice(&mut self.engine, &mut self.notes);
            self.carry_out();
            if !more && self.lanes.waiting() == (0, 0) {
                return;
            }
        }
    }

    /// Gives the venue what the engine wants done.
    fn carry_out(&mut self) {
        let now = self.notes.now;
        let mut actions = std::mem::take(&mut self.notes.actions);
        for (seq, action) in actions.drain(..) {
            self.venue.act(seq, &action, now);
        }
        self.notes.actions = actions;
        self.hear_venue();
    }

    /// Ends the session: the last mids are what is held is worth, then everything is cancelled.
    pub(super) fn close(mut self, at_ns: u64) -> Result<(Measured, Record), TrialError> {
        self.go_to(at_ns);
        self.settle();
        self.notes.measure.end(self.notes.now, &self.engine);
        self.push(Input::Command(Command::Shutdown));
        self.settle();
        let latest = self.notes.now.wall_ns.saturating_add(END_NS);
        while !self.engine.is_shut_down() && self.notes.now.wall_ns < latest {
            let Some(due) = self.next_due() else { break };
            let step = due.saturating_sub(self.notes.now.mono_ns).max(LEAST_STEP_NS);
            let now = self.notes.now.plus_ns(step);
            self.notes.now = now;
            self.venue.advance(now);
            self.hear_venue();
            self.settle();
        }
        let totals = self.engine.view(self.notes.now).totals;
        if self.notes.faulty || !self.notes.recorder.close() {
            return Err(TrialError::Journal);
        }
        Ok(self.notes.measure.finish(&totals))
    }
}
