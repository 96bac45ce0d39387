//! What the paper venue is told about itself.

use oddsmith_domain::{Address, Payer, Usdc};
use serde::{Deserialize, Serialize};

use crate::latency::{LatencyModel, Unevenness};
use crate::queue::QueueModel;

/// How matches settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settlement {
    /// From the match to its block, in milliseconds. 0 … 600000.
    pub mined_after_ms: u64,
    /// From its block to its end, in milliseconds; a try that failed is followed up after the same time. 0 … 600000.
    pub confirmed_after_ms: u64,
    /// How many matches of a million fail once and are mined at the second try. 0 … 1000000.
    pub retried_ppm: u32,
    /// How many matches of a million fail once and then for good: they are undone. 0 … 1000000.
    pub failed_ppm: u32,
}

impl Default for Settlement {
    fn default() -> Settlement {
        Settlement { mined_after_ms: 2_000, confirmed_after_ms: 4_000, retried_ppm: 1_000, failed_ppm: 500 }
    }
}

/// Everything that the paper venue does not learn from frames and cards.
#[derive(Clone, Debug, PartialEq)]
pub struct PaperSettings {
    /// What the account has at the beginning.
    pub collateral: Usdc,
    /// The most that its orders and matches may take altogether; no limit if none.
    pub allowance: Option<Usdc>,
    /// Whether the venue may take its tokens.
    pub tokens_allowed: bool,
    /// Where orders stand in their queues.
    pub queue: QueueModel,
    /// How long requests are under way.
    pub latency: LatencyModel,
    /// What makes that uneven.
    pub uneven: Unevenness,
    /// How long frames are taken to have been under way, in nanoseconds, where nothing better is known.
    pub feed_ns: u64,
    /// How matches settle.
    pub settlement: Settlement,
    /// Who pays, as the engine's setup says: the account that frames name.
    pub payer: Payer,
    /// Seeds everything that looks like chance.
    pub seed: u64,
}

impl PaperSettings {
    /// The venue's side as quant.md 13.3 has it, for an account with this much.
    #[must_use]
    pub fn with(collateral: Usdc, seed: u64) -> PaperSettings {
        PaperSettings {
            collateral,
            allowance: None,
            tokens_allowed: true,
            queue: QueueModel::default(),
            latency: LatencyModel::Constant { entry_ns: 60_000_000, response_ns: 40_000_000 },
            uneven: Unevenness::default(),
            feed_ns: 40_000_000,
            settlement: Settlement::default(),
            payer: Payer::own(Address::default()),
            seed,
        }
    }

    /// A venue without delay, chance or failure: for tests of what a strategy does, never for results to be believed.
    #[must_use]
    pub fn ideal(collateral: Usdc) -> PaperSettings {
        PaperSettings {
            queue: QueueModel::RiskAverse,
            latency: LatencyModel::Constant { entry_ns: 0, response_ns: 0 },
            uneven: Unevenness::NONE,
            feed_ns: 0,
            settlement: Settlement { mined_after_ms: 0, confirmed_after_ms: 0, retried_ppm: 0, failed_ppm: 0 },
            ..PaperSettings::with(collateral, 0)
        }
    }
}
