//! A strategy instance at work.

use std::collections::BTreeMap;

use oddsmith_domain::{InstanceId, IntentId, MarketId, Mode};
use oddsmith_strategy::{OwnFills, Rest, Strategy};

/// One configured instance, its strategy's state, and what it wants where.
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) name: String,
    pub(crate) strategy: Box<dyn Strategy + Send>,
    pub(crate) scope: Vec<MarketId>,
    pub(crate) wants: BTreeMap<MarketId, Wanted>,
    /// Something that it looks at has changed since it was last evaluated.
    pub(crate) dirty: bool,
    /// It must be evaluated without waiting for the debounce.
    pub(crate) urgent: bool,
    pub(crate) evaluated_at: Option<u64>,
    /// It failed and is not evaluated any more.
    pub(crate) quarantined: bool,
}

/// What an instance wants in one market, and how far that is carried out.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) intent: IntentId,
    pub(crate) rest: Option<Rest>,
    pub(crate) fills: OwnFills,
    pub(crate) planned_at: Option<u64>,
    /// After refusals: no placement before this time.
    pub(crate) paused_until: u64,
    pub(crate) refusals: u32,
    /// The plan waits for the pause to end.
    pub(crate) held: bool,
    /// The last denial that was told, so that it is not told at every plan.
    pub(crate) told: Option<oddsmith_domain::Denial>,
    /// The last residual that was told.
    pub(crate) residual: Option<(oddsmith_domain::Side, oddsmith_domain::Shares)>,
}

impl Wanted {
    /// Whether a new wish differs enough from the present one to be worth an intent: another mode, a price one tick away, or a
    /// size beyond the tolerance.
    pub(crate) fn differs(&self, new: &Rest, size_tolerance: oddsmith_domain::Shares) -> bool {
        let Some(old) = &self.rest else { return true };
        if old.mode != new.mode || old.quotes.len() != new.quotes.len() {
            return true;
        }
        old.quotes.iter().zip(&new.quotes).any(|(a, b)| {
            (a.outcome, a.side, a.route, a.price) != (b.outcome, b.side, b.route, b.price)
                || (a.size - b.size).abs() > size_tolerance
        })
    }

    /// How it wants to be in the market.
    pub(crate) fn mode(&self) -> Mode {
        self.rest.as_ref().map_or(Mode::Stop, |rest| rest.mode)
    }
}
