//! Asking for what the user channel would tell, while it is away.

use oddsmith_domain::{Action, ActionSeq, Activity, Event, FetchWhat, Omission, Output, ReadReason, Time};

use crate::config::ns;
use crate::core::{Engine, Purpose};

/// The poll that stands in for the user channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Poll {
    pub(crate) next_at: u64,
    pub(crate) asked: Option<ActionSeq>,
    pub(crate) polls: u64,
    /// Fills that were counted when it began.
    pub(crate) fills: u64,
}

impl Engine {
    fn next_poll(&self) -> Option<u64> {
        let poll = self.poll.as_ref()?;
        poll.asked.is_none().then_some(poll.next_at)
    }

    /// The user channel is away: what it would have told is asked for, every so often, until it is back.
    pub(crate) fn begin_poll(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.config.timing.poll_ms == 0 || self.poll.is_some() {
            return;
        }
        self.poll = Some(Poll { next_at: now.mono_ns, asked: None, polls: 0, fills: self.counts.fills });
        self.emit.event(out, Event::PollBegan);
    }

    /// The user channel is back.
    pub(crate) fn end_poll(&mut self, out: &mut Vec<Output>) {
        if let Some(poll) = self.poll.take() {
            let fills = self.counts.fills - poll.fills;
            self.emit.event(out, Event::PollEnded { polls: poll.polls, fills });
        }
    }

    /// Asks when it is time; never twice at once.
    pub(crate) fn step_poll(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.next_poll().is_none_or(|at| at > now.mono_ns) {
            return;
        }
        let trades_since_s = self.reach.since_s(now);
        let action = self.emit.action(out, Action::Fetch(FetchWhat::Activity { trades_since_s }));
        self.awaited.insert(action, Purpose::Poll);
        let interval = ns(self.config.timing.poll_ms);
        if let Some(poll) = &mut self.poll {
            poll.asked = Some(action);
            poll.polls += 1;
            poll.next_at = now.mono_ns + interval;
        }
    }

    /// What was asked for: matches count, orders stand as the venue says.
    pub(crate) fn on_polled(
        &mut self,
        action: ActionSeq,
        outcome: &Result<Activity, Omission>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        // The channel may have come back meanwhile; a fact is a fact all the same.
        if let Some(poll) = self.poll.as_mut().filter(|poll| poll.asked == Some(action)) {
            poll.asked = None;
        }
        match outcome {
            Ok(activity) => {
                for trade in &activity.trades {
                    self.on_trade(trade, now, out);
                }
                for order in &activity.orders {
                    self.on_order_standing(&order.id, order.status, order.size_matched, now, out);
                }
            }
            Err(omission) => self.reject_account(ReadReason::Poll, omission, out),
        }
    }
}
