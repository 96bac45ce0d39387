//! The engine over recordings, at a venue on paper: what it would have earned, between a pessimistic and an optimistic assumption.
//!
//! Everything that decides is the engine itself; what the venue would have said is `oddsmith-paper`'s. This room brings the two
//! together over a [`Tape`], session by session, and measures what came of it. [`survey`] tells beforehand where recordings have
//! holes; nobody runs across a hole: each session begins with a fresh engine, and with books from a snapshot.

mod bootstrap;
mod bracket;
mod carry;
mod certified;
mod desk;
mod measure;
mod survey;

use std::path::PathBuf;

use oddsmith_domain::{Input, Output, Time};
use oddsmith_report::Record;
use thiserror::Error;

use crate::tape::{Assumptions, Form, MarketNo, Moments, Reel, Roster, Tape, TapeError};
use crate::verify::VerifyError;
pub use bootstrap::{Interval, bootstrap};
pub use bracket::Assumption;
use carry::Carry;
use desk::Desk;
pub use desk::Setting;
pub use measure::{Curve, Markout, Measured, Profit};
pub use survey::{Evidence, Hole, Limits, Stretch, Survey, Surveyed, survey};

/// Why a backtest cannot be made.
#[derive(Debug, Error)]
pub enum TrialError {
    /// A recording cannot be read.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// A recording cannot be looked through.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A certificate of coverage is not understood.
    #[error("{}, line {line}: no certificate of coverage: {why}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// What happens cannot be written down.
    #[error("the journal cannot be written")]
    Journal,
    /// Somebody wants it to end.
    #[error("interrupted")]
    Interrupted,
}

/// Where what goes in and what comes out is written down.
pub trait Recorder {
    /// Takes one input that was handled, and its outputs. `false` when they cannot be written down.
    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) -> bool;

    /// The session is over. `false` when it could not be written down whole.
    fn close(&mut self) -> bool {
        true
    }
}

/// Writes nothing down.
#[derive(Debug, Default)]
pub struct Unrecorded;

impl Recorder for Unrecorded {
    fn record(&mut self, _: &Input<'_>, _: Time, _: &[Output]) -> bool {
        true
    }
}

/// Whoever wants a backtest made.
pub trait Client {
    /// A session begins, by its place: who runs through it, and where it is written down.
    ///
    /// # Errors
    /// When it cannot be written down.
    fn begin(&mut self, session: usize) -> Result<(Setting, Box<dyn Recorder>), TrialError>;

    /// A session is over: what was measured, and its record, from which a report can be made.
    fn end(&mut self, session: usize, measured: Measured, record: Record);

    /// One more entry was read. `false` ends the whole.
    fn go_on(&mut self) -> bool {
        true
    }
}

/// What is run over.
#[derive(Clone, Debug)]
pub struct Material {
    /// The recordings.
    pub recordings: Vec<(PathBuf, Form)>,
    /// What is taken for true where they are silent.
    pub assumptions: Assumptions,
    /// How sessions are told apart.
    pub limits: Limits,
    /// Where books are not to be trusted, in the order of their beginnings: what a survey found.
    pub holes: Vec<Hole>,
}

/// Runs a fresh engine through each of the sessions, which do not overlap and stand in the order of time. The recordings are read
/// once.
///
/// # Errors
/// [`TrialError`] when a recording cannot be read, a session cannot be written down, or the client does not want to go on.
pub fn run(material: &Material, sessions: &[Stretch], client: &mut dyn Client) -> Result<(), TrialError> {
    let mut tape = Tape::open(&material.recordings, material.assumptions)?;
    through(&mut tape, material, sessions, client)
}

/// The same over the same recordings, which somebody has laid out in memory. What comes of it is the same, too.
///
/// # Errors
/// As [`run`].
pub fn run_laid_out(
    reel: &Reel,
    material: &Material,
    sessions: &[Stretch],
    client: &mut dyn Client,
) -> Result<(), TrialError> {
    through(&mut reel.play(), material, sessions, client)
}

fn through(
    moments: &mut impl Moments,
    material: &Material,
    sessions: &[Stretch],
    client: &mut dyn Client,
) -> Result<(), TrialError> {
    let mut carry = Carry::default();
    let (mut open_holes, mut next_hole) = (Vec::new(), 0);
    let (mut at, mut last_ns) = (0, 0);
    let mut desk: Option<Desk> = None;
    while let Some(moment) = moments.next_moment()? {
        let (entry, roster) = (moment.entry, moment.roster);
        if !client.go_on() {
            return Err(TrialError::Interrupted);
        }
        while let Some(session) = sessions.get(at).filter(|session| session.to_ns <= entry.at_ns) {
            if let Some(desk) = desk.take() {
                let (measured, record) = desk.close(session.to_ns)?;
                client.end(at, measured, record);
            }
            at += 1;
        }
        let Some(session) = sessions.get(at) else { break };
        if entry.at_ns.saturating_sub(last_ns) > material.limits.silence_ns {
            carry.clear();
        }
        last_ns = entry.at_ns;
        if entry.at_ns >= session.from_ns {
            let desk = match &mut desk {
                Some(desk) => desk,
                None => {
                    let (setting, recorder) = client.begin(at)?;
                    desk.insert(Desk::open(&setting, session.from_ns, recorder))
                }
            };
            desk.take(&moment, &carry)?;
        }
        // Books are carried on only for a session that will begin in their middle.
        let until = sessions.get(at + 1).map_or(session.from_ns, |next| next.from_ns);
        if entry.at_ns < until && until.saturating_sub(entry.at_ns) < material.limits.carried_ns {
            while let Some(hole) = material.holes.get(next_hole).filter(|hole| hole.stretch.from_ns <= entry.at_ns) {
                open_holes.push(hole);
                next_hole += 1;
            }
            open_holes.retain(|hole| hole.stretch.to_ns > entry.at_ns);
            match entry.markets.iter().find(|no| is_in_hole(**no, roster, &open_holes)) {
                Some(no) => carry.forget(*no),
                None => carry.take(entry, roster),
            }
        }
    }
    if let (Some(desk), Some(session)) = (desk, sessions.get(at)) {
        let (measured, record) = desk.close(session.to_ns)?;
        client.end(at, measured, record);
    }
    Ok(())
}

fn is_in_hole(no: MarketNo, roster: &Roster, holes: &[&Hole]) -> bool {
    !holes.is_empty() && roster.card(no).is_some_and(|(card, _)| holes.iter().any(|hole| hole.market == card.slug))
}
