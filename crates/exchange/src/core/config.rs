//! Settings of the exchange: latencies, and our choice wherever the venue's behaviour is not known.

use oddsmith_domain::Usdc;

/// What decides when received tokens and collateral can be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsableAt {
    /// As soon as the match is made.
    Matched,
    /// When the match is in a block: the venue's behaviour as far as observed (protocol 9.4).
    #[default]
    Mined,
}

/// What happens when an order meets a resting order of the same account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfFill {
    /// They match, as on the venue (about 1 % of its volume, protocol 9.1).
    #[default]
    Allow,
    /// The resting order is cancelled first.
    CancelResting,
}

/// How the answer to a delayed order looks (protocol 9.3 knows both).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DelayReply {
    /// `delayed` at once.
    #[default]
    AtOnce,
    /// The answer waits for the delay and carries the final result.
    Wait,
}

/// What the smallest order size counts (protocol 14 knows both).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MinSizeUnit {
    /// Shares, as in the venue's error text.
    #[default]
    Shares,
    /// Dollars at the limit price, as one page of its documentation has it.
    Collateral,
}

/// What becomes of a match after it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// MATCHED, MINED, CONFIRMED.
    #[default]
    Normal,
    /// MATCHED, RETRYING, MINED, CONFIRMED.
    RetryThenMine,
    /// MATCHED, RETRYING, FAILED: nothing has moved.
    RetryThenFail,
    /// MATCHED, FAILED.
    Fail,
    /// As normal, ten times as slow.
    Late,
}

/// Settings of the core. [`Config::default`] is the venue as we understand it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// From MATCHED to MINED, or to RETRYING, in milliseconds.
    pub mined_after_ms: u64,
    /// From MINED to CONFIRMED, or from RETRYING to what follows, in milliseconds.
    pub confirmed_after_ms: u64,
    /// When received tokens and collateral can be used.
    pub usable_at: UsableAt,
    /// Whether an account may trade with itself.
    pub self_fill: SelfFill,
    /// How delayed orders are answered.
    pub delay_reply: DelayReply,
    /// What a market's smallest order size counts.
    pub min_size_unit: MinSizeUnit,
    /// Whether a grid may also become coarser again, which has never been observed.
    pub coarser_ticks: bool,
    /// Whether both whole books are published after a match.
    pub books_after_match: bool,
    /// The smallest value of an order that would match at once; zero switches the rule off.
    pub min_marketable: Usdc,
    /// How long before its stated expiration a GTD order is removed, in seconds.
    pub gtd_early_s: u64,
    /// How far in the future a stated expiration must lie at least, in seconds.
    pub gtd_min_s: u64,
    /// After how long without a heartbeat an armed switch cancels, in milliseconds.
    pub heartbeat_ms: u64,
    /// Whether the per-signer order rates are enforced. By default they are only reported in headers, with a warning: since when
    /// the venue enforces them is uncertain (protocol 14), and a load test should not have to know.
    pub enforce_rates: bool,
    /// How many finished orders, and how many finished trades, of outside accounts stay readable.
    pub history: usize,
    /// What the exchange gives to each of the ten known accounts, and to their wallets when they first appear.
    pub grant: Usdc,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mined_after_ms: 400,
            confirmed_after_ms: 800,
            usable_at: UsableAt::default(),
            self_fill: SelfFill::default(),
            delay_reply: DelayReply::default(),
            min_size_unit: MinSizeUnit::default(),
            coarser_ticks: false,
            books_after_match: true,
            min_marketable: Usdc::from_whole(1),
            gtd_early_s: 60,
            gtd_min_s: 180,
            heartbeat_ms: 10_000,
            enforce_rates: false,
            history: 50_000,
            grant: Usdc::from_whole(10_000),
        }
    }
}
