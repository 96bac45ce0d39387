//! What an audit found.

use std::collections::BTreeMap;
use std::fmt;

use oddsmith_domain::{RunId, Usdc};
use serde::Serialize;

/// How many violations are kept; the others are counted.
const KEPT: usize = 50;

/// What was held against the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Outputs are numbered without a gap, time does not run backwards, the setup is the first input and the only one.
    Order,
    /// Every action has at most one result, of its own kind, and every result an action.
    OneResult,
    /// An order is what its digest, its amounts and its market's card say, and is made once.
    WellFormed,
    /// An order's states follow each other as the table allows, from where it stood.
    Transition,
    /// Every reported match is counted once, as it was reported, and none that was not reported.
    FillOnce,
    /// A settlement, and how a market was decided, is told as the venue reported it.
    Settlement,
    /// A sub-account stands where its movements lead, to the millionth.
    Ledger,
    /// Nothing is placed while a command, a latch or doubt is against it.
    Stopped,
    /// Doubt is cleared only when the venue has shown that nothing is left.
    Cleared,
    /// No order meets an own one.
    SelfTrade,
    /// No order exceeds a limit, or what is there to pay for it.
    Limit,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Rule::Order => "order of records",
            Rule::OneResult => "one result",
            Rule::WellFormed => "well-formed order",
            Rule::Transition => "transition",
            Rule::FillOnce => "fill once",
            Rule::Settlement => "settlement",
            Rule::Ledger => "ledger",
            Rule::Stopped => "stopped",
            Rule::Cleared => "cleared",
            Rule::SelfTrade => "self-trade",
            Rule::Limit => "limit",
        })
    }
}

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The record at which it shows.
    pub record: u64,
    /// What it violates.
    pub rule: Rule,
    /// What was found, and what should have been.
    pub what: String,
}

/// Sums of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Records read.
    pub records: u64,
    /// Of these, inputs.
    pub inputs: u64,
    /// Of these, outputs.
    pub outputs: u64,
    /// Orders placed.
    pub orders: u64,
    /// Fills counted.
    pub fills: u64,
    /// Of these, undone because their settlement failed.
    pub failed: u64,
    /// Changes of sub-accounts compared.
    pub ledgers: u64,
    /// Commands of a person or the process.
    pub commands: u64,
    /// Times that doubt began.
    pub doubts: u64,
    /// Actions that had no result when the journal ended.
    pub unanswered: u64,
    /// Orders that may have been alive when the journal ended.
    pub open_orders: u64,
    /// Cash of all sub-accounts, counted from zero.
    pub cash: Usdc,
    /// Profit realised, fees in.
    pub realized: Usdc,
    /// What the shares held at the end have cost.
    pub cost_basis: Usdc,
    /// Fees paid.
    pub fees: Usdc,
}

/// The outcome of an audit.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The run.
    pub run_id: RunId,
    /// Whether the journal was closed by its writer.
    pub closed: bool,
    /// What is wrong with its end, if something is: what stood behind is not in here.
    pub damage: Option<String>,
    /// Whether everything holds.
    pub holds: bool,
    /// How many checks of each rule were made.
    pub checks: BTreeMap<Rule, u64>,
    /// Sums.
    pub totals: Totals,
    /// The first violations.
    pub violations: Vec<Violation>,
    /// How many there are.
    pub violation_count: u64,
}

/// Counts checks and keeps violations while the journal is read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub record: u64,
    pub checks: BTreeMap<Rule, u64>,
    pub violations: Vec<Violation>,
    pub count: u64,
}

impl Findings {
    /// Checks that something holds; if not, `what` says what was found.
    pub fn check(&mut self, rule: Rule, holds: bool, what: impl FnOnce() -> String) {
        *self.checks.entry(rule).or_default() += 1;
        if !holds {
            self.found(rule, what());
        }
    }

    /// Something does not hold.
    pub fn found(&mut self, rule: Rule, what: String) {
        self.found_at(self.record, rule, what);
    }

    pub fn found_at(&mut self, record: u64, rule: Rule, what: String) {
        self.count += 1;
        if self.violations.len() < KEPT {
            self.violations.push(Violation { record, rule, what });
        }
    }
}
