//! The venue of a dry run: it takes every order and never fills one.

use std::collections::BTreeMap;

use oddsmith_domain::{
    AccountSnapshot, Action, ActionSeq, AssetId, CancelOutcome, CanceledOrders, FetchWhat, GatewayInput,
    GatewayOutcome, OrderId, Output, OutputBody, PlaceOutcome, Usdc, VenueOrderStatus,
};

/// Takes actions and answers each of them at once.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) replies: Vec<GatewayInput>,
    resting: BTreeMap<OrderId, AssetId>,
    collateral: Usdc,
}

impl Desk {
    pub(super) fn new(collateral: Usdc) -> Desk {
        Desk { replies: Vec::new(), resting: BTreeMap::new(), collateral }
    }

    pub(super) fn hear(&mut self, outputs: &[Output]) {
        for output in outputs {
            if let OutputBody::Action(action) = &output.body {
                let outcome = self.answer(action);
                self.replies.push(GatewayInput { action: ActionSeq(output.seq), outcome });
            }
        }
    }

    fn answer(&mut self, action: &Action) -> GatewayOutcome {
        match action {
            Action::Place(place) => {
                self.resting.insert(place.id, place.asset);
                let outcome = PlaceOutcome::Accepted { status: VenueOrderStatus::Live, trades: Vec::new() };
                GatewayOutcome::Place(outcome)
            }
            Action::Cancel { order, .. } => GatewayOutcome::Cancel(match self.resting.remove(order) {
                Some(_) => CancelOutcome::Canceled,
                None => CancelOutcome::Gone("already canceled or matched".to_owned()),
            }),
            Action::CancelMarket { market } => self.cancel(|asset| asset.market() == *market),
            Action::CancelAll => self.cancel(|_| true),
            Action::Query { .. } => GatewayOutcome::Query(Ok(None)),
            Action::Heartbeat => GatewayOutcome::Heartbeat(Ok(())),
            // A recording cannot be asked for a book: the next frame is all there is.
            Action::Subscribe { .. } | Action::Unsubscribe { .. } | Action::Fetch(FetchWhat::Book(_)) => {
                GatewayOutcome::Done(Ok(()))
            }
            Action::Fetch(FetchWhat::Activity { .. }) => GatewayOutcome::Activity(Ok(Default::default())),
            Action::Fetch(FetchWhat::Resolution(_)) => GatewayOutcome::Resolution(Ok(None)),
            Action::Merge { .. } | Action::Redeem { .. } => {
                GatewayOutcome::Tokens(oddsmith_domain::TokenOutcome::Refused("nobody converts tokens here".to_owned()))
            }
            Action::Fetch(FetchWhat::Account { .. }) => GatewayOutcome::Account(Ok(AccountSnapshot {
                collateral: self.collateral,
                ..AccountSnapshot::default()
            })),
        }
    }

    fn cancel(&mut self, which: impl Fn(AssetId) -> bool) -> GatewayOutcome {
        let canceled: Vec<_> = self.resting.iter().filter(|(_, asset)| which(**asset)).map(|(id, _)| *id).collect();
        self.resting.retain(|id, _| !canceled.contains(id));
        GatewayOutcome::CancelScope(Ok(CanceledOrders { canceled, not_canceled: Vec::new() }))
    }
}
