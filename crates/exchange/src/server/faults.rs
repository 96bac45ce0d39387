//! Transport faults that can be switched on while the server runs, so that a client's recovery can be tested.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;

use crate::scenario::{Channel, Errors, Requests};

const fn place(channel: Channel) -> usize {
    match channel {
        Channel::Market => 0,
        Channel::User => 1,
        Channel::Feed => 2,
    }
}

/// What happens to the next data frames of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FrameFaults {
    /// This many are not sent.
    pub drop: u32,
    /// This many are sent twice.
    pub duplicate: u32,
    /// This many change places with the frame that follows them.
    pub reorder: u32,
}

/// What becomes of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameFate {
    Send,
    Drop,
    Duplicate,
    /// Held back until the next frame of the channel has gone.
    Hold,
}

/// The switches. All of them are off until `/control` turns them on.
#[derive(Debug, Default)]
pub struct Faults {
    delay_ms: AtomicU64,
    frozen_http: AtomicBool,
    frozen: [AtomicBool; 3],
    thaw: Notify,
    lose_answers: AtomicU64,
    refuse_connections: AtomicBool,
    refused: [AtomicBool; 3],
    skip_snapshots: AtomicU64,
    frames: Mutex<[FrameFaults; 3]>,
    errors: Mutex<Option<Errors>>,
    skew_ms: AtomicI64,
}

impl Faults {
    /// Every request waits so long before it is looked at.
    pub fn set_delay_ms(&self, ms: u64) {
        self.delay_ms.store(ms, Ordering::Relaxed);
    }

    /// Requests hang until thawed.
    pub fn freeze_http(&self, frozen: bool) {
        self.frozen_http.store(frozen, Ordering::Relaxed);
        self.thaw.notify_waiters();
    }

    /// A channel stays open and answers PING, but says nothing: the venue's silent freeze.
    pub fn freeze_channel(&self, channel: Channel, frozen: bool) {
        self.frozen[place(channel)].store(frozen, Ordering::Relaxed);
    }

    /// The next `count` answers to order placements and cancels are lost after the exchange has acted on them.
    pub fn lose_answers(&self, count: u64) {
        self.lose_answers.store(count, Ordering::Relaxed);
    }

    /// New connections are closed at once.
    pub fn refuse_connections(&self, refuse: bool) {
        self.refuse_connections.store(refuse, Ordering::Relaxed);
    }

    /// A channel's handshakes are refused; REST goes on.
    pub fn refuse_channel(&self, channel: Channel, refuse: bool) {
        self.refused[place(channel)].store(refuse, Ordering::Relaxed);
    }

    /// The next `count` books that a subscription would begin with are not sent.
    pub fn skip_snapshots(&self, count: u64) {
        self.skip_snapshots.store(count, Ordering::Relaxed);
    }

    /// Sets what happens to a channel's next frames.
    pub fn set_frames(&self, channel: Channel, faults: FrameFaults) {
        self.lock_frames()[place(channel)] = faults;
    }

    /// Requests are answered with an error, or no longer.
    pub fn set_errors(&self, errors: Option<Errors>) {
        *self.errors.lock().unwrap_or_else(PoisonError::into_inner) = errors;
    }

    /// The clock by which the venue judges timestamps is wrong by so much.
    pub fn set_skew_ms(&self, ms: i64) {
        self.skew_ms.store(ms, Ordering::Relaxed);
    }

    /// Switches everything off.
    pub fn end(&self) {
        self.set_delay_ms(0);
        self.freeze_http(false);
        self.lose_answers(0);
        self.refuse_connections(false);
        self.skip_snapshots(0);
        self.set_errors(None);
        self.set_skew_ms(0);
        for channel in [Channel::Market, Channel::User, Channel::Feed] {
            self.refuse_channel(channel, false);
            self.freeze_channel(channel, false);
            self.set_frames(channel, FrameFaults::default());
        }
    }

    /// Waits for as long as the switches say.
    pub(super) async fn hold_request(&self) {
        let ms = self.delay_ms.load(Ordering::Relaxed);
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        while self.frozen_http.load(Ordering::Relaxed) {
            // The timeout covers a thaw between the check and the wait.
            let _late = tokio::time::timeout(Duration::from_millis(50), self.thaw.notified()).await;
        }
    }

    pub(super) fn refuses_channel(&self, channel: Channel) -> bool {
        self.refused[place(channel)].load(Ordering::Relaxed)
    }

    pub(super) fn refuses_connections(&self) -> bool {
        self.refuse_connections.load(Ordering::Relaxed)
    }

    pub(super) fn is_frozen(&self, channel: Channel) -> bool {
        self.frozen[place(channel)].load(Ordering::Relaxed)
    }

    /// Whether this answer is to be lost; counts it.
    pub(super) fn takes_answer(&self) -> bool {
        take_one(&self.lose_answers)
    }

    /// Whether this snapshot is to be skipped; counts it.
    pub(super) fn takes_snapshot(&self) -> bool {
        take_one(&self.skip_snapshots)
    }

    /// The error that a request is answered with, if any. Changes of orders are told apart from everything else.
    pub(super) fn error_for(&self, changes_orders: bool) -> Option<Errors> {
        let errors = (*self.errors.lock().unwrap_or_else(PoisonError::into_inner))?;
        let struck = match errors.requests {
            Requests::Orders => changes_orders,
            Requests::Reads => !changes_orders,
            Requests::All => true,
        };
        struck.then_some(errors)
    }

    /// A time as the venue's wrong clock has it.
    pub(super) fn skewed(&self, now_ns: u64) -> u64 {
        now_ns.saturating_add_signed(self.skew_ms.load(Ordering::Relaxed).saturating_mul(1_000_000))
    }

    /// The fate of the next frame of a channel; counts it.
    pub(super) fn frame_fate(&self, channel: Channel) -> FrameFate {
        if self.is_frozen(channel) {
            return FrameFate::Drop;
        }
        let mut frames = self.lock_frames();
        let next = &mut frames[place(channel)];
        for (count, fate) in [
            (&mut next.drop, FrameFate::Drop),
            (&mut next.duplicate, FrameFate::Duplicate),
            (&mut next.reorder, FrameFate::Hold),
        ] {
            if *count > 0 {
                *count -= 1;
                return fate;
            }
        }
        FrameFate::Send
    }

    /// The switches as JSON.
    pub(super) fn state(&self) -> serde_json::Value {
        let frames = *self.lock_frames();
        serde_json::json!({
            "delay_ms": self.delay_ms.load(Ordering::Relaxed),
            "frozen_http": self.frozen_http.load(Ordering::Relaxed),
            "frozen_market": self.is_frozen(Channel::Market),
            "frozen_user": self.is_frozen(Channel::User),
            "lose_answers": self.lose_answers.load(Ordering::Relaxed),
            "refuse_connections": self.refuses_connections(),
            "refused_market": self.refuses_channel(Channel::Market),
            "refused_user": self.refuses_channel(Channel::User),
            "skip_snapshots": self.skip_snapshots.load(Ordering::Relaxed),
            "errors": *self.errors.lock().unwrap_or_else(PoisonError::into_inner),
            "skew_ms": self.skew_ms.load(Ordering::Relaxed),
            "market_frames": frames[0],
            "user_frames": frames[1],
            "frozen_feed": self.is_frozen(Channel::Feed),
            "refused_feed": self.refuses_channel(Channel::Feed),
            "feed_frames": frames[2],
        })
    }

    fn lock_frames(&self) -> std::sync::MutexGuard<'_, [FrameFaults; 3]> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_one(counter: &AtomicU64) -> bool {
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_strikes_as_often_as_it_was_told_to() {
        let faults = Faults::default();
        faults.set_frames(Channel::User, FrameFaults { drop: 1, duplicate: 1, reorder: 1 });
        let fates: Vec<_> = (0..4).map(|_| faults.frame_fate(Channel::User)).collect();
        assert_eq!(fates, [FrameFate::Drop, FrameFate::Duplicate, FrameFate::Hold, FrameFate::Send]);
        assert_eq!(faults.frame_fate(Channel::Market), FrameFate::Send);
        faults.lose_answers(1);
        assert!(faults.takes_answer() && !faults.takes_answer());
    }

    #[test]
    fn errors_and_the_clock_strike_what_they_are_about() {
        let faults = Faults::default();
        let errors = Errors { status: 500, requests: Requests::Orders, acted: false };
        faults.set_errors(Some(errors));
        assert_eq!((faults.error_for(true), faults.error_for(false)), (Some(errors), None));
        faults.set_skew_ms(-2);
        assert_eq!(faults.skewed(5_000_000), 3_000_000);
        faults.end();
        assert_eq!((faults.error_for(true), faults.skewed(7)), (None, 7));
    }

    #[test]
    fn a_frozen_channel_says_nothing() {
        let faults = Faults::default();
        faults.freeze_channel(Channel::Market, true);
        assert_eq!(faults.frame_fate(Channel::Market), FrameFate::Drop);
        assert_eq!(faults.frame_fate(Channel::User), FrameFate::Send);
        faults.freeze_channel(Channel::Market, false);
        assert_eq!(faults.frame_fate(Channel::Market), FrameFate::Send);
    }
}
