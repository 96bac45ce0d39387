//! The live driver: the engine on real sockets, with its journal.
//!
//! One thread reads market, user and order connections, feeds the engine and writes its orders. Every input and what came of
//! it is in the journal before an action is handed to the edge, so that nothing leaves that a replay would not explain.

mod attend;
mod driver;
mod end;
mod hold;
mod outside;
mod paper;
mod recorder;
mod start;
mod stopwatch;
mod table;
#[cfg(test)]
mod tests;

pub use outside::{Outside, PRICES, Sources, TRUTH};
pub use table::summary;

use std::path::PathBuf;
use std::time::Duration;

use oddsmith_domain::Payer;
use oddsmith_engine::EngineView;
use oddsmith_net::{EdgeCounts, EdgeSettings, LatencyLine};
use oddsmith_polymarket::order::Signer;

use crate::failure::Failure;
use crate::housekeeping::Housekeeper;

/// Everything that a live run needs to know.
pub struct LivePlan {
    /// Whom to talk to, and how.
    pub edge: EdgeSettings,
    /// What is followed outside of the venue.
    pub sources: Sources,
    /// Who signs.
    pub signer: Signer,
    /// Who pays.
    pub payer: Payer,
    /// The chain that orders are signed for.
    pub chain_id: u64,
    /// The engine's configuration.
    pub engine: oddsmith_engine::EngineConfig,
    /// Where the run's directory is made.
    pub data: crate::data::DataDir,
    /// The effective configuration, for the run's manifest.
    pub config: serde_json::Value,
    /// The journal's sizes and times.
    pub journal: oddsmith_journal::Options,
    /// What becomes of journals that are over.
    pub tidy: crate::config::Journal,
    /// Who cancels when the engine cannot.
    pub guard: crate::config::Guard,
    /// Whether the venue lives in this process.
    pub built_in: bool,
    /// Orders go to a venue that exists on paper; from the other one only what is public is read.
    pub paper: Option<oddsmith_paper::PaperSettings>,
    /// Whether the past of the account is given up.
    pub fresh: bool,
    /// How often the status table is printed; never if zero.
    pub status_every: Duration,
    /// Ends by itself after this time, as if somebody had pressed Ctrl-C.
    pub run_for: Option<Duration>,
    /// The processor core that the hot thread is pinned to, if any.
    pub pin_core: Option<usize>,
}

/// How a run ended.
#[derive(Debug)]
pub struct LiveEnd {
    /// Where its journal is.
    pub dir: PathBuf,
    /// The engine's last words.
    pub view: EngineView,
    /// What the edge counted.
    pub counts: EdgeCounts,
    /// How long requests took, by endpoint and status.
    pub requests: Vec<LatencyLine>,
    /// Whether the venue has shown that nothing of ours is left.
    pub clean: bool,
    /// Wake-up to written order, in microseconds: how many, half, ninety-nine of a hundred, all.
    pub tick_to_order_us: (u64, u64, u64, u64),
}

/// Runs until somebody ends it.
///
/// # Errors
/// [`Failure`] when it could not begin, or when it had to end; everything under the key is cancelled then.
pub fn run(plan: LivePlan) -> Result<LiveEnd, Failure> {
    if let Some(core) = plan.pin_core {
        let pinned = core_affinity::set_for_current(core_affinity::CoreId { id: core });
        tracing::info!(core, pinned, "hot thread");
    }
    let tidy = (plan.data.clone(), plan.tidy.clone());
    let (started, hold) = start::start(plan)?;
    let housekeeper = Housekeeper::start(tidy.0, &tidy.1);
    let end = driver::drive(started);
    drop(housekeeper);
    // Not before everything was cancelled.
    drop(hold);
    end
}
