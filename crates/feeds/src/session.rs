//! What every feed's session has in common.

use oddsmith_domain::{Link, LinkState, Millis, Time};
use oddsmith_polymarket::session::Backoff;

/// Something for the driver of a session to do, or to pass on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedOutput {
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
}

/// The times of a feed's session, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedSettings {
    /// From the wish to connect to an established connection.
    pub connect_limit_ms: Millis,
    /// A connection that says nothing for this long is closed and made again.
    pub silence_ms: Millis,
    /// A connection that lived this long was healthy: the backoff begins anew.
    pub healthy_after_ms: Millis,
    /// The longest wait between two attempts to connect.
    pub backoff_cap_ms: Millis,
    /// A connection is made anew before the source closes it: after this time.
    pub max_age_ms: Millis,
}

impl Default for FeedSettings {
    fn default() -> FeedSettings {
        FeedSettings {
            connect_limit_ms: 10_000,
            silence_ms: 10_000,
            healthy_after_ms: 60_000,
            backoff_cap_ms: 30_000,
            // Binance closes after 24 hours.
            max_age_ms: 23 * 3_600_000,
        }
    }
}

/// What a feed has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedCounts {
    /// Prices that were understood.
    pub prices: u64,
    /// Reports of matches that were understood.
    pub reports: u64,
    /// Prices that were followed by a newer one before anybody took them.
    pub coalesced: u64,
    /// Prices that were older than one that was known.
    pub out_of_order: u64,
    /// Prices of something that is not followed.
    pub strangers: u64,
    /// Events of a kind that is not known.
    pub unknown_events: u64,
    /// Fields that are not known.
    pub unknown_fields: u64,
    /// Messages that could not be understood, prices that make no sense included.
    pub undecodable: u64,
}

pub(crate) const fn ns(ms: Millis) -> u64 {
    ms.saturating_mul(Time::MILLI)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting { retry_at: u64 },
    Connecting { give_up_at: u64 },
    Open { since: u64, heard: u64 },
}

/// What is due on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Connect {
        attempt: u32,
    },
    Lost(&'static str),
    /// It is old, and made anew without having failed.
    Renew,
}

/// A connection that is made again and again, and watched by what it says: one that is open and silent is none.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    settings: FeedSettings,
    backoff: Backoff,
    phase: Phase,
}

impl Line {
    pub(crate) fn new(settings: FeedSettings, seed: u64, now: Time) -> Line {
        let backoff = Backoff::new(seed).with_cap_ns(ns(settings.backoff_cap_ms));
        Line { settings, backoff, phase: Phase::Waiting { retry_at: now.mono_ns } }
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    pub(crate) const fn attempt(&self) -> u32 {
        self.backoff.attempt()
    }

    pub(crate) const fn on_open(&mut self, now: Time) {
        self.phase = Phase::Open { since: now.mono_ns, heard: now.mono_ns };
    }

    pub(crate) const fn on_data(&mut self, now: Time) {
        if let Phase::Open { heard, .. } = &mut self.phase {
            *heard = now.mono_ns;
        }
    }

    pub(crate) fn on_lost(&mut self, now: Time) {
        if let Phase::Open { since, .. } = self.phase
            && now.mono_ns.saturating_sub(since) >= ns(self.settings.healthy_after_ms)
        {
            self.backoff.reset();
        }
        self.phase = Phase::Waiting { retry_at: now.mono_ns.saturating_add(self.backoff.fail()) };
    }

    /// May connect again at once.
    pub(crate) const fn renew(&mut self, now: Time) {
        self.phase = Phase::Waiting { retry_at: now.mono_ns };
    }

    pub(crate) fn due(&mut self, now: Time) -> Option<Due> {
        if self.next_deadline() > now.mono_ns {
            return None;
        }
        match self.phase {
            Phase::Waiting { .. } => {
                let give_up_at = now.mono_ns.saturating_add(ns(self.settings.connect_limit_ms));
                self.phase = Phase::Connecting { give_up_at };
                Some(Due::Connect { attempt: self.backoff.attempt() })
            }
            Phase::Connecting { .. } => Some(Due::Lost("no connection in time")),
            Phase::Open { since, .. } if now.mono_ns.saturating_sub(since) >= ns(self.settings.max_age_ms) => {
                Some(Due::Renew)
            }
            Phase::Open { .. } => Some(Due::Lost("it says nothing")),
        }
    }

    pub(crate) const fn next_deadline(&self) -> u64 {
        match self.phase {
            Phase::Waiting { retry_at } => retry_at,
            Phase::Connecting { give_up_at } => give_up_at,
            Phase::Open { since, heard } => {
                let silent = heard.saturating_add(ns(self.settings.silence_ms));
                let old = since.saturating_add(ns(self.settings.max_age_ms));
                if silent < old { silent } else { old }
            }
        }
    }
}
