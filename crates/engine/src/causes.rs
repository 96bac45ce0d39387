//! Where doubt comes from besides books, orders and links: the clocks, the venue's modes, an account that cannot be read.

use oddsmith_domain::{DoubtCause, Event, MarketId, Output, ReadReason, RefusalCode, Scope, Time, VenueMode};

use crate::config::ns;
use crate::core::Engine;

/// The longest rest between two tries at a venue that takes no orders.
const MAX_REST_NS: u64 = 60 * Time::SECOND;
/// A failed comparison with the account is made again after this time.
const READ_AGAIN_NS: u64 = 5 * Time::SECOND;

/// How the venue was last found to be.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The mode that was told last, until an order was taken or the post-only time is over.
    pub(crate) mode: Option<VenueMode>,
    /// When the wallet may try again, on the monotonic clock.
    retry_at: u64,
    /// Only post-only orders are sent until this monotonic time.
    post_only_until: u64,
    /// Refusals for the venue's mode in a row.
    strikes: u32,
    /// Reads of the account that failed in a row.
    unread: u32,
    /// Orders in a row that were refused for want of balance.
    balance_refusals: u32,
}

const VENUE_CAUSES: [DoubtCause; 3] =
    [DoubtCause::VenueRestarting, DoubtCause::VenueCancelOnly, DoubtCause::VenueDisabled];

impl Engine {
    /// Something about the wallet is in doubt: everything under the key is cancelled.
    pub(crate) fn doubt_wallet(&mut self, cause: DoubtCause, now: Time, out: &mut Vec<Output>) {
        if self.wallet.begin(cause, now, ns(self.config.timing.wallet_cooldown_ms)) {
            self.emit.event(out, Event::DoubtBegan { scope: Scope::Wallet, cause });
            // Only what is new: a cause that is told again at every tick must not ask for the next one.
            self.pending = true;
        }
    }

    /// Something about one market is in doubt: its orders are cancelled, the others go on.
    pub(crate) fn doubt_market(&mut self, id: MarketId, cause: DoubtCause, now: Time, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        if market.doubt.begin(cause, now, ns(self.config.timing.market_cooldown_ms)) {
            self.emit.event(out, Event::DoubtBegan { scope: Scope::Market(id), cause });
            self.pending = true;
        }
    }

    /// Compares how much time has passed on both clocks since the last input. A slow correction of the wall clock is none.
    pub(crate) fn watch_clock(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some(last) = self.last_time.replace(now) else { return };
        let lead = |now: u64, last: u64| i128::from(now) - i128::from(last);
        let drift = lead(now.wall_ns, last.wall_ns) - lead(now.mono_ns, last.mono_ns);
        if drift.unsigned_abs() > u128::from(ns(self.config.doubt.clock_jump_ms)) {
            let text = format!("the wall clock jumped by {} ms", drift / i128::from(Time::MILLI));
            self.emit.event(out, Event::Alert { text });
            self.forget_lag();
            self.doubt_wallet(DoubtCause::ClockJump, now, out);
        }
    }

    /// The venue refused an order for a reason that is about the venue, or about all that we know of it.
    pub(crate) fn on_refusal_code(&mut self, code: RefusalCode, now: Time, out: &mut Vec<Output>) {
        if code != RefusalCode::InsufficientBalance {
            self.standing.balance_refusals = 0;
        }
        match code {
            RefusalCode::EngineRestarting => self.venue_takes_nothing(VenueMode::Restarting, now, out),
            RefusalCode::CancelOnlyMode => self.venue_takes_nothing(VenueMode::CancelOnly, now, out),
            RefusalCode::TradingDisabled => self.venue_takes_nothing(VenueMode::Disabled, now, out),
            RefusalCode::PostOnlyMode => self.begin_post_only(now, out),
            RefusalCode::VersionMismatch => self.doubt_wallet(DoubtCause::ProtocolVersion, now, out),
            RefusalCode::InsufficientBalance => {
                self.standing.balance_refusals += 1;
                if self.standing.balance_refusals >= self.config.doubt.balance_refusals {
                    self.standing.balance_refusals = 0;
                    self.doubt_wallet(DoubtCause::Mismatch, now, out);
                }
            }
            _ => {}
        }
    }

    fn venue_takes_nothing(&mut self, mode: VenueMode, now: Time, out: &mut Vec<Output>) {
        let cause = match mode {
            VenueMode::Restarting => DoubtCause::VenueRestarting,
            VenueMode::Disabled => DoubtCause::VenueDisabled,
            VenueMode::CancelOnly | VenueMode::PostOnly => DoubtCause::VenueCancelOnly,
        };
        // The answers of several orders that left together are one refusal.
        if !self.wallet.has(cause) {
            let first = ns(self.config.doubt.venue_pause_ms);
            let rest = first.saturating_mul(1 << self.standing.strikes.min(16)).min(MAX_REST_NS);
            self.standing.strikes = self.standing.strikes.saturating_add(1);
            self.standing.retry_at = now.mono_ns.saturating_add(rest);
        }
        if mode == VenueMode::Restarting {
            // It comes back post-only.
            let until = now.mono_ns.saturating_add(ns(self.config.doubt.post_only_ms));
            self.standing.post_only_until = self.standing.post_only_until.max(until);
        }
        self.tell_venue_mode(Some(mode), out);
        self.doubt_wallet(cause, now, out);
    }

    /// Orders that rest go on: only taking waits.
    fn begin_post_only(&mut self, now: Time, out: &mut Vec<Output>) {
        self.standing.post_only_until = now.mono_ns.saturating_add(ns(self.config.doubt.post_only_ms));
        self.tell_venue_mode(Some(VenueMode::PostOnly), out);
    }

    /// Whether the venue is taken to take only post-only orders.
    pub(crate) const fn is_post_only(&self, now: Time) -> bool {
        now.mono_ns < self.standing.post_only_until
    }

    fn tell_venue_mode(&mut self, mode: Option<VenueMode>, out: &mut Vec<Output>) {
        if std::mem::replace(&mut self.standing.mode, mode) != mode {
            self.emit.event(out, Event::VenueMode { mode });
        }
    }

    /// The venue took an order: it takes orders.
    pub(crate) fn venue_took_an_order(&mut self, now: Time, out: &mut Vec<Output>) {
        (self.standing.strikes, self.standing.balance_refusals) = (0, 0);
        let post_only = now.mono_ns < self.standing.post_only_until;
        self.tell_venue_mode(post_only.then_some(VenueMode::PostOnly), out);
    }

    /// When the rest after the venue's refusal is over, the cause is gone: the next order is the question.
    pub(crate) fn watch_venue(&mut self, now: Time, out: &mut Vec<Output>) {
        if now.mono_ns >= self.standing.retry_at {
            VENUE_CAUSES.into_iter().for_each(|cause| self.wallet.resolve(cause));
        }
        if self.standing.mode == Some(VenueMode::PostOnly) && now.mono_ns >= self.standing.post_only_until {
            self.tell_venue_mode(None, out);
        }
    }

    /// The account could not be read whole.
    pub(crate) fn account_unread(&mut self, reason: ReadReason, now: Time, out: &mut Vec<Output>) {
        self.standing.unread = self.standing.unread.saturating_add(1);
        self.ask_for_account(now.mono_ns.saturating_add(READ_AGAIN_NS), reason);
        if self.standing.unread >= self.config.doubt.resync_failures {
            self.doubt_wallet(DoubtCause::Resync, now, out);
        }
    }

    /// The account was read whole.
    pub(crate) const fn account_was_read(&mut self) {
        self.standing.unread = 0;
    }
}
