//! Engine, edge and exchange in one process under virtual time, with faults drawn from a seed.
//!
//! Everything that decides is the real thing: the engine and its lanes, the session machines and the outbox, the codecs on both
//! sides, signatures and their verification, the client that reads the account, the exchange's handlers, and the journal on the
//! real disk. Only sockets and clocks are replaced: between the edge and the exchange bytes travel through a simulated network,
//! which delays them, loses them and lets connections break, and time jumps from one event to the next.
//!
//! The process is killed at a write of its journal, the journal's tail is torn, and another process begins with what it reads there. From
//! time to time the faults end; then trading must resume, and when everything is quiet the books of engine and exchange must agree
//! to the millionth. After every step an oracle looks for what must never be. A seed fixes everything, so a failure can be looked
//! at again.

mod disk;
mod edge;
mod fault;
mod oracle;
mod outside;
mod process;
mod profile;
mod read;
mod report;
mod trade;
mod verdict;
mod wire;
mod world;

use std::path::PathBuf;

use oddsmith_engine::EngineConfig;
use oddsmith_exchange::scenario::Scenario;

pub use fault::FaultKind;
pub use profile::engine_config;
pub use report::{Broken, FLOOR, Floor, Tally};
pub use trade::{Traded, Trader};

/// What a simulation is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything random comes from here.
    pub seed: u64,
    /// How often faults begin, end, and everything becomes quiet once.
    pub parts: u32,
    /// How long the faults of a part last, in seconds of virtual time.
    pub part_s: u64,
    /// Faults an hour, on average.
    pub faults_per_hour: u32,
    /// The kinds that are drawn.
    pub kinds: Vec<FaultKind>,
    /// The engine's configuration.
    pub config: EngineConfig,
    /// The exchange's markets and traders; the usual world if there is none.
    pub scenario: Option<Scenario>,
    /// Where the journals go: a directory that is not there yet.
    pub dir: PathBuf,
    /// Whether the journals stay when nothing was wrong.
    pub keep: bool,
}

impl Plan {
    /// The usual simulation of a seed.
    #[must_use]
    pub fn usual(seed: u64, hours: u32, dir: PathBuf) -> Plan {
        Plan {
            seed,
            parts: hours.saturating_mul(4),
            part_s: 900,
            faults_per_hour: 40,
            kinds: FaultKind::ALL.to_vec(),
            config: engine_config(),
            scenario: None,
            dir,
            keep: false,
        }
    }

    /// Hours of trading in which nothing goes wrong.
    #[must_use]
    pub fn calm(seed: u64, seconds: u64, config: EngineConfig, scenario: Scenario, dir: PathBuf) -> Plan {
        Plan {
            parts: 1,
            part_s: seconds,
            faults_per_hour: 0,
            kinds: Vec::new(),
            config,
            scenario: Some(scenario),
            ..Plan::usual(seed, 0, dir)
        }
    }
}

/// Runs a simulation.
///
/// # Errors
/// The first thing that must never be.
pub fn run(plan: Plan) -> Result<Tally, Box<Broken>> {
    world::World::begin(plan)?.run()
}

/// Lets an engine trade for as long as the plan says, finding its markets as it goes.
///
/// # Errors
/// The first thing that must never be.
pub fn trade(plan: Plan) -> Result<Traded, Box<Broken>> {
    world::World::begin(plan)?.trade()
}
