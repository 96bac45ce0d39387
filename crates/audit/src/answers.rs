//! Every action has one result.

use std::collections::BTreeMap;

use oddsmith_domain::{
    AccountOrder, AccountTrade, Action, ActionSeq, FetchWhat, GatewayInput, GatewayOutcome, MarketId, Price,
};

use crate::report::{Findings, Rule};

/// The kind of result that an action has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Place,
    Cancel,
    CancelScope,
    Query,
    Account,
    Activity,
    Resolution,
    Tokens,
    Heartbeat,
    Done,
}

/// What a read showed.
pub(crate) struct Shown<'a> {
    /// Every open order of the key.
    pub orders: &'a [AccountOrder],
    /// Matches.
    pub trades: &'a [AccountTrade],
    /// Whether it was a read of the whole account.
    pub whole: bool,
}

/// The actions that have no result yet.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    awaited: BTreeMap<ActionSeq, Wanted>,
    /// Markets of which is asked how they were decided.
    deciding: BTreeMap<ActionSeq, MarketId>,
}

impl Answers {
    pub fn asked(&mut self, seq: u64, action: &Action) {
        let wanted = match action {
            Action::Place(_) => Wanted::Place,
            Action::Cancel { .. } => Wanted::Cancel,
            Action::CancelMarket { .. } | Action::CancelAll => Wanted::CancelScope,
            Action::Query { .. } => Wanted::Query,
            Action::Heartbeat => Wanted::Heartbeat,
            Action::Fetch(FetchWhat::Account { .. }) => Wanted::Account,
            Action::Fetch(FetchWhat::Activity { .. }) => Wanted::Activity,
            Action::Fetch(FetchWhat::Resolution(_)) => Wanted::Resolution,
            Action::Merge { .. } | Action::Redeem { .. } | Action::Convert(_) => Wanted::Tokens,
            Action::Fetch(FetchWhat::Book(_)) | Action::Subscribe { .. } | Action::Unsubscribe { .. } => Wanted::Done,
        };
        self.awaited.insert(ActionSeq(seq), wanted);
        if let Action::Fetch(FetchWhat::Resolution(market)) = action {
            self.deciding.insert(ActionSeq(seq), *market);
        }
    }

    /// What the result of asking says a YES share of a market pays.
    pub fn decided(&mut self, result: &GatewayInput) -> Option<(MarketId, Price)> {
        let market = self.deciding.remove(&result.action)?;
        match &result.outcome {
            GatewayOutcome::Resolution(Ok(Some(yes))) => Some((market, *yes)),
            _ => None,
        }
    }

    /// A result. Gives orders and matches, if that is what was read.
    pub fn answered<'a>(&mut self, result: &'a GatewayInput, found: &mut Findings) -> Option<Shown<'a>> {
        let got = match &result.outcome {
            GatewayOutcome::Place(_) => Wanted::Place,
            GatewayOutcome::Cancel(_) => Wanted::Cancel,
            GatewayOutcome::CancelScope(_) => Wanted::CancelScope,
            GatewayOutcome::Query(_) => Wanted::Query,
            GatewayOutcome::Account(_) => Wanted::Account,
            GatewayOutcome::Activity(_) => Wanted::Activity,
            GatewayOutcome::Resolution(_) => Wanted::Resolution,
            GatewayOutcome::Tokens(_) => Wanted::Tokens,
            GatewayOutcome::Heartbeat(_) => Wanted::Heartbeat,
            GatewayOutcome::Done(_) => Wanted::Done,
        };
        let action = result.action.0;
        match self.awaited.remove(&result.action) {
            Some(wanted) => found.check(Rule::OneResult, wanted == got, || {
                format!("action {action} has a result of another kind: {got:?} instead of {wanted:?}")
            }),
            None => found.check(Rule::OneResult, false, || {
                format!("a result ({got:?}) came for action {action}, which has one already or was never asked")
            }),
        }
        match &result.outcome {
            GatewayOutcome::Account(Ok(read)) => {
                Some(Shown { orders: &read.orders, trades: &read.trades, whole: true })
            }
            GatewayOutcome::Activity(Ok(read)) => {
                Some(Shown { orders: &read.orders, trades: &read.trades, whole: false })
            }
            _ => None,
        }
    }

    pub fn waiting(&self) -> usize {
        self.awaited.len()
    }
}
