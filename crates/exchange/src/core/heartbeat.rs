//! The dead man's switch: once a key has sent a heartbeat, silence cancels its orders (protocol 6.6).

use rand::RngCore;

use super::account::KeyId;
use super::keys;
use super::order::CancelReason;
use super::timer::Timer;
use super::{Core, MILLI, Nanos};

/// An armed switch.
#[derive(Clone, Debug)]
pub(crate) struct Switch {
    /// The id that the next call must carry.
    expected: String,
    due_ns: Nanos,
}

impl Core {
    /// Takes a heartbeat. The first one, with an empty id, arms the switch; every later one carries the id that the last
    /// reply gave.
    ///
    /// # Errors
    /// The id that was expected. The switch is not refreshed then.
    pub fn heartbeat(&mut self, key: KeyId, id: &str, now_ns: Nanos) -> Result<String, String> {
        self.advance(now_ns);
        if let Some(switch) = self.switches.get(&key)
            && switch.expected != id
        {
            return Err(switch.expected.clone());
        }
        let mut bytes = [0u8; 32];
        self.ids.fill_bytes(&mut bytes);
        let expected = keys::uuid(&bytes);
        let due_ns = self.now_ns.saturating_add(self.config.heartbeat_ms.saturating_mul(MILLI));
        self.switches.insert(key, Switch { expected: expected.clone(), due_ns });
        self.timers.at(due_ns, Timer::Heartbeat(key));
        Ok(expected)
    }

    /// Every switch runs out now: a fault, as if the venue had not heard what it was sent.
    pub fn expire_heartbeats(&mut self, now_ns: Nanos) {
        self.advance(now_ns);
        let mut armed: Vec<KeyId> = self.switches.keys().copied().collect();
        armed.sort_unstable();
        for key in armed {
            if let Some(switch) = self.switches.get_mut(&key) {
                switch.due_ns = self.now_ns;
            }
            self.heartbeat_due(key);
        }
    }

    /// A switch may have run out. Every accepted heartbeat leaves a timer behind; only the last one finds the switch due.
    pub(crate) fn heartbeat_due(&mut self, key: KeyId) {
        if self.switches.get(&key).is_none_or(|switch| switch.due_ns > self.now_ns) {
            return;
        }
        self.switches.remove(&key);
        let Some(user) = self.keys.get(key).map(|record| record.user) else { return };
        let orders =
            self.open_of(user).filter(|order| order.key == key).map(|order| (order.market, order.id)).collect();
        self.remove_all(orders, CancelReason::Heartbeat);
    }
}
