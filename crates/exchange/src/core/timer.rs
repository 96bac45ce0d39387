//! What is due when.

use std::collections::BTreeMap;

use oddsmith_domain::MarketId;

use super::Nanos;
use super::account::KeyId;
use super::book::Slot;
use super::trade::TradeState;

/// Marks the keys of expiries, which are made of order sequences, apart from those in order of entry.
const EXPIRY: u64 = 1 << 63;

/// One thing that becomes due. Orders are named by slot and sequence, because a slot is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A delayed order is decided.
    DelayOver(Slot, u64),
    /// A GTD order leaves.
    Expire(Slot, u64),
    /// A match takes its next step.
    Settle(u64, TradeState),
    /// A key's heartbeat switch.
    Heartbeat(KeyId),
    /// A market's game begins.
    GameStart(MarketId),
    /// The mode changes by itself.
    ModeOver,
}

/// The agenda, in order of time and then of entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    due: BTreeMap<(Nanos, u64), Timer>,
    entered: u64,
}

impl Timers {
    pub(crate) fn at(&mut self, when: Nanos, timer: Timer) {
        self.entered += 1;
        self.due.insert((when, self.entered), timer);
    }

    /// Enters the expiry of an order, under a key by which it can be found again.
    pub(crate) fn expire_at(&mut self, when: Nanos, slot: Slot, sequence: u64) {
        self.due.insert((when, EXPIRY | sequence), Timer::Expire(slot, sequence));
    }

    /// Takes the expiry of an order out that is gone. Cancelled orders must not pile up here until their day comes.
    pub(crate) fn forget_expiry(&mut self, when: Nanos, sequence: u64) {
        self.due.remove(&(when, EXPIRY | sequence));
    }

    /// How many things are due some time.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn next(&self) -> Option<Nanos> {
        self.due.first_key_value().map(|((when, _), _)| *when)
    }

    pub(crate) fn pop_until(&mut self, now: Nanos) -> Option<(Nanos, Timer)> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| {
            let ((when, _), timer) = entry.remove_entry();
            (when, timer)
        })
    }
}
