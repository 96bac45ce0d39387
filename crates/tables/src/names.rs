//! What the numbers of a run stand for.

use std::collections::BTreeMap;

use oddsmith_domain::{Event, InstanceId, MarketId};

use crate::rows::Cell;

/// Names of instances and markets, as far as the run has told them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    instances: Vec<String>,
    markets: BTreeMap<MarketId, String>,
}

impl Names {
    /// Learns from what the engine says.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::Began { instances, .. } => self.instances.clone_from(instances),
            Event::Numbered { market, card } => {
                self.markets.insert(*market, card.slug.clone());
            }
            _ => {}
        }
    }

    pub fn market(&self, market: MarketId) -> Cell {
        Cell::maybe(self.markets.get(&market), Cell::text)
    }

    pub fn instance(&self, instance: InstanceId) -> Cell {
        Cell::maybe(self.instances.get(usize::from(instance.0)), Cell::text)
    }
}
