//! What every WebSocket of the venue has in common: connecting, keep-alive, and coming back.

use oddsmith_domain::{AssetId, Link, LinkState, Millis, Time};

use super::Backoff;

/// Something for the driver of a session to do, or to pass on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionOutput {
    /// Open a new connection. Answered by `on_open` or `on_closed`.
    Connect {
        /// How many attempts have failed since the last healthy period.
        attempt: u32,
    },
    /// Send this text frame.
    SendText(String),
    /// Close the connection. It needs no answer.
    Close,
    /// Tell the engine.
    LinkChange {
        /// The connection.
        link: Link,
        /// How it stands now.
        state: LinkState,
    },
    /// Read this asset's book by REST, because its snapshot did not come.
    FetchBook(AssetId),
}

/// The times of a session, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Between two PINGs.
    pub ping_every_ms: Millis,
    /// From a PING to the latest PONG; later counts as disconnected.
    pub pong_limit_ms: Millis,
    /// From the wish to connect to an established connection.
    pub connect_limit_ms: Millis,
    /// From a subscription to the snapshot of each of its assets; later it is read by REST.
    pub snapshot_limit_ms: Millis,
    /// A connection that lived this long was healthy: the backoff begins anew.
    pub healthy_after_ms: Millis,
    /// The shortest pause in the data that can be suspicious.
    pub silence_floor_ms: Millis,
    /// The longest pause in the data that is not suspicious, whatever the traffic was.
    pub silence_cap_ms: Millis,
    /// From suspicious silence to a new connection.
    pub silence_grace_ms: Millis,
    /// The longest wait between two attempts to connect.
    pub backoff_cap_ms: Millis,
}

impl Default for SessionSettings {
    fn default() -> SessionSettings {
        SessionSettings {
            ping_every_ms: 5_000,
            pong_limit_ms: 10_000,
            connect_limit_ms: 10_000,
            snapshot_limit_ms: 5_000,
            healthy_after_ms: 30_000,
            silence_floor_ms: 10_000,
            silence_cap_ms: 300_000,
            silence_grace_ms: 5_000,
            backoff_cap_ms: Backoff::CAP_S * 1_000,
        }
    }
}

pub(super) const fn ns(ms: Millis) -> u64 {
    ms.saturating_mul(Time::MILLI)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not connected; the next attempt is due at `retry_at`.
    Waiting { retry_at: u64 },
    /// The driver is connecting.
    Connecting { give_up_at: u64 },
    /// Connected since then. `pong_by` is the latest time of the PONG that is owed.
    Open { since: u64, ping_at: u64, pong_by: Option<u64> },
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Connect { attempt: u32 },
    Ping,
    Lost(&'static str),
}

/// The connection itself: the part that market and user channel share.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    settings: SessionSettings,
    backoff: Backoff,
    phase: Phase,
}

impl Wire {
    pub(super) fn new(settings: SessionSettings, seed: u64, now: Time) -> Wire {
        let backoff = Backoff::new(seed).with_cap_ns(ns(settings.backoff_cap_ms));
        Wire { settings, backoff, phase: Phase::Waiting { retry_at: now.mono_ns } }
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    pub(super) const fn attempt(&self) -> u32 {
        self.backoff.attempt()
    }

    /// The first PING is due at once: its PONG is the first proof that the venue listens.
    pub(super) const fn on_open(&mut self, now: Time) {
        self.phase = Phase::Open { since: now.mono_ns, ping_at: now.mono_ns, pong_by: None };
    }

    pub(super) const fn on_pong(&mut self) {
        if let Phase::Open { pong_by, .. } = &mut self.phase {
            *pong_by = None;
        }
    }

    pub(super) fn on_lost(&mut self, now: Time) {
        if let Phase::Open { since, .. } = self.phase
            && now.mono_ns.saturating_sub(since) >= ns(self.settings.healthy_after_ms)
        {
            self.backoff.reset();
        }
        self.phase = Phase::Waiting { retry_at: now.mono_ns.saturating_add(self.backoff.fail()) };
    }

    /// Not needed any more. When it is again, it may connect at once.
    pub(super) const fn retire(&mut self, now: Time) {
        self.phase = Phase::Waiting { retry_at: now.mono_ns };
    }

    pub(super) fn due(&mut self, now: Time) -> Option<Due> {
        match &mut self.phase {
            Phase::Waiting { retry_at } if *retry_at <= now.mono_ns => {
                let give_up_at = now.mono_ns.saturating_add(ns(self.settings.connect_limit_ms));
                self.phase = Phase::Connecting { give_up_at };
                Some(Due::Connect { attempt: self.backoff.attempt() })
            }
            Phase::Connecting { give_up_at } if *give_up_at <= now.mono_ns => Some(Due::Lost("no connection in time")),
            Phase::Open { pong_by: Some(by), .. } if *by <= now.mono_ns => Some(Due::Lost("no PONG in time")),
            Phase::Open { ping_at, pong_by, .. } if *ping_at <= now.mono_ns => {
                *ping_at = now.mono_ns.saturating_add(ns(self.settings.ping_every_ms).max(Time::MILLI));
                pong_by.get_or_insert(now.mono_ns.saturating_add(ns(self.settings.pong_limit_ms)));
                Some(Due::Ping)
            }
            _ => None,
        }
    }

    pub(super) fn next_deadline(&self) -> u64 {
        match self.phase {
            Phase::Waiting { retry_at } => retry_at,
            Phase::Connecting { give_up_at } => give_up_at,
            Phase::Open { ping_at, pong_by, .. } => pong_by.map_or(ping_at, |by| by.min(ping_at)),
        }
    }
}
