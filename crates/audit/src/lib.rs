//! Whether a run did what it should, proven from its journal alone.
//!
//! This crate reads a run's records once, in order, and keeps books of its own: from the frames of the user channel and the answers of
//! the venue it derives which fills there were and what they did to cash and shares; from commands, doubts and latches, when nothing may
//! be placed; from the orders, what could be lost at worst. Every output of the engine is held against that. It never runs the engine,
//! never shares its state, and never writes anything. Shared with the engine are the codecs of the venue's frames, the arithmetic of
//! exposures and latches ([`oddsmith_risk::MarketExposure`], [`oddsmith_risk::Latches`]) and the table of an order's states.
//!
//! Memory is bounded by what is open and a fixed number of finished orders and fills, whatever the length of the run.

mod accounts;
mod answers;
mod auditor;
mod form;
mod limits;
mod money;
mod orders;
mod pauses;
mod report;
mod stops;
mod takeover;

pub use auditor::Auditor;
pub use report::{Report, Rule, Totals, Violation};

use std::path::Path;

use oddsmith_journal::{CodecError, Ending, ReadError, Reader};
use thiserror::Error;

/// Why a journal could not be audited.
#[derive(Debug, Error)]
pub enum AuditError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record cannot be understood.
    #[error("record {record}: {source}: use the build that wrote the journal")]
    Codec {
        /// The record.
        record: u64,
        /// Why.
        source: CodecError,
    },
}

/// Audits the journal in `dir` from its first record to its last.
///
/// # Errors
/// [`AuditError`] when it cannot be read; what is wrong with the run itself is in the [`Report`].
pub fn audit(dir: &Path) -> Result<Report, AuditError> {
    let mut reader = Reader::open(dir)?;
    let mut auditor = Auditor::new();
    while let Some(record) = reader.next()? {
        let number = record.sequence;
        auditor.record(&record).map_err(|source| AuditError::Codec { record: number, source })?;
    }
    let run = reader.run();
    let ending = reader.ending()?;
    let damage = if let Ending::Torn(damage) = &ending { Some(damage.to_string()) } else { None };
    Ok(Report { damage, ..auditor.finish(run, matches!(ending, Ending::Sealed)) })
}
