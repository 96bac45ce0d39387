//! Instances that pause others: who may pause whom, and who is paused where.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{Event, InstanceId, Listing, MarketId, PauseCause};
use serde_json::Value;

use crate::report::{Findings, Rule};

/// What the settings say of pauses, and what events told of them.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    /// Who may pause whom.
    may: BTreeSet<(InstanceId, InstanceId)>,
    /// The markets of each instance's open basket.
    baskets: BTreeMap<InstanceId, BTreeSet<MarketId>>,
    /// Who is paused where, and by whom.
    paused: BTreeMap<(InstanceId, MarketId), InstanceId>,
}

fn id(place: usize) -> InstanceId {
    u16::try_from(place).map_or(InstanceId::WALLET, InstanceId)
}

impl Pauses {
    /// Reads who may pause whom from the instances of a run's configuration.
    pub fn of(instances: &[Value]) -> Pauses {
        let priority = |instance: &Value| instance["sharing"]["priority"].as_i64().unwrap_or(0);
        let mut may = BTreeSet::new();
        for (by, pauser) in instances.iter().enumerate() {
            let setting = &pauser["sharing"]["pauses"];
            let named = |name: &Value| setting.as_array().is_some_and(|names| names.contains(name));
            for (whom, other) in instances.iter().enumerate() {
                let after = (priority(other), by) < (priority(pauser), whom);
                if whom != by && (named(&other["name"]) || (setting == "others" && after)) {
                    may.insert((id(by), id(whom)));
                }
            }
        }
        Pauses { may, ..Pauses::default() }
    }

    pub fn event(&mut self, event: &Event, found: &mut Findings) {
        match event {
            Event::BasketTaken { instance, what, .. } => {
                self.baskets.insert(*instance, what.legs.iter().map(|leg| leg.market).collect());
            }
            Event::Basket { instance, state, .. } if state.is_final() => {
                self.baskets.remove(instance);
            }
            Event::Paused { market, instance, by, cause } => {
                let reason = *cause != PauseCause::Basket || self.has_basket(*by, *market);
                found.check(Rule::Stopped, self.may.contains(&(*by, *instance)) && reason, || {
                    format!("instance {} pauses instance {} in market {} and may not", by.0, instance.0, market.0)
                });
                self.paused.insert((*instance, *market), *by);
            }
            Event::Unpaused { market, instance, .. } => {
                self.paused.remove(&(*instance, *market));
            }
            Event::Listing { market, listing: Listing::Left } => self.paused.retain(|(_, of), _| of != market),
            _ => {}
        }
    }

    fn has_basket(&self, instance: InstanceId, market: MarketId) -> bool {
        self.baskets.get(&instance).is_some_and(|markets| markets.contains(&market))
    }

    /// Who keeps an instance from quoting in a market, by what was told or by a basket that is open there.
    pub fn against(&self, instance: InstanceId, market: MarketId) -> Option<InstanceId> {
        let by_basket = || self.may.iter().find(|(by, whom)| *whom == instance && self.has_basket(*by, market));
        self.paused.get(&(instance, market)).copied().or_else(|| by_basket().map(|(by, _)| *by))
    }
}
