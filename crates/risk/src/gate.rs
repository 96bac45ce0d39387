//! The keeper of the limits: what stops trading, how much it has lost, and what that leaves of a size.

use std::collections::BTreeMap;

use oddsmith_domain::{
    Event, KillReason, Latch, LatchScope, Latched, MarketId, Price, ProfitMark, Shares, Time, TripCause, Usdc,
};

use crate::breaker::{Breaker, Went};
use crate::factor::Factor;
use crate::limits::DailyLossReset;
use crate::profit::{day_ends_s, day_loss, day_of, drawdown, marked};
use crate::{Latches, Limits};

/// The keeper of the limits, of what stops trading, and of the day's loss.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: Limits,
    latches: Latches,
    mark: Option<ProfitMark>,
    /// When the mark was last told, and what it was.
    told: Option<(u64, ProfitMark)>,
    breakers: BTreeMap<MarketId, Breaker>,
    /// Requests that failed in a row, whatever the market.
    errors: u32,
}

impl Gate {
    /// A gate with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Gate {
        Gate { limits, latches: Latches::default(), mark: None, told: None, breakers: BTreeMap::new(), errors: 0 }
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What stops or narrows trading.
    #[must_use]
    pub const fn latches(&self) -> &Latches {
        &self.latches
    }

    /// The same, to throw or undo.
    pub fn latches_mut(&mut self) -> &mut Latches {
        &mut self.latches
    }

    /// How the profit stood when it was last looked at.
    #[must_use]
    pub const fn profit_mark(&self) -> Option<&ProfitMark> {
        self.mark.as_ref()
    }

    /// Takes over what held when the run before ended. Returns the events that tell it to this run's readers.
    pub fn restore(&mut self, latches: &[Latched], mark: Option<ProfitMark>) -> Vec<Event> {
        let mut events: Vec<Event> = latches.iter().filter_map(|l| self.latches.engage(l.clone())).collect();
        self.mark = mark;
        events.extend(mark.map(Event::Profit));
        events
    }

    /// Takes note of the wallet's profit, realised and unrealised with fees in. Returns what is to be told: a new day, the
    /// day's loss limit when it is reached, and how the profit stands, at most once a second.
    pub fn mark(&mut self, profit: Usdc, wall_ns: u64) -> Vec<Event> {
        let hour = self.limits.daily_reset_hour_utc;
        let mark = marked(self.mark, profit, wall_ns / Time::SECOND, hour);
        let new_day = self.mark.is_none_or(|before| before.day != mark.day);
        self.mark = Some(mark);
        let mut events = Vec::new();
        if day_loss(&mark) >= self.limits.max_daily_loss_usdc {
            match self.limits.daily_loss_reset {
                DailyLossReset::NextDay => {
                    let until = day_ends_s(mark.day, hour).saturating_mul(Time::SECOND);
                    events.extend(self.engage_wallet(Latch::DailyLoss, Some(until)));
                }
                DailyLossReset::Operator => events.extend(self.kill(KillReason::DailyLoss, wall_ns)),
            }
        }
        let most = self.limits.drawdown.max_usdc;
        if most.is_positive() && drawdown(&mark) >= most {
            events.extend(self.kill(KillReason::Drawdown, wall_ns));
        }
        let due = match self.told {
            Some((at, told)) => told != mark && wall_ns.saturating_sub(at) >= Time::SECOND,
            None => true,
        };
        if new_day || due || !events.is_empty() {
            self.told = Some((wall_ns, mark));
            events.insert(0, Event::Profit(mark));
        }
        events
    }

    /// Throws the kill switch, unless it is thrown already. When the engine itself throws it, trading also cools down, and
    /// sizes are halved until the next day.
    pub fn kill(&mut self, reason: KillReason, wall_ns: u64) -> Vec<Event> {
        if self.latches.killed().is_some() {
            return Vec::new();
        }
        let mut events: Vec<Event> = self.engage_wallet(Latch::Kill(reason), None).into_iter().collect();
        if reason != KillReason::Operator {
            let cooled = wall_ns.saturating_add(self.limits.kill.cooldown_s.saturating_mul(Time::SECOND));
            events.extend(self.engage_wallet(Latch::CoolDown, Some(cooled)));
            let hour = self.limits.daily_reset_hour_utc;
            let next_day = day_ends_s(day_of(cooled / Time::SECOND, hour), hour).saturating_mul(Time::SECOND);
            events.extend(self.engage_wallet(Latch::HalfSize, Some(next_day)));
        }
        events
    }

    /// Counts how a request went. Returns why the market's breaker opens, if it does, and whether too many requests have
    /// failed in a row in all markets together.
    pub fn note_request(&mut self, market: MarketId, went: Went, took_ms: u64) -> (Option<TripCause>, bool) {
        match went {
            Went::Accepted | Went::Canceled => self.errors = 0,
            Went::Rejected | Went::CancelFailed => self.errors = self.errors.saturating_add(1),
            Went::Unclear => {}
        }
        let most = self.limits.kill.max_errors;
        let too_many = most > 0 && self.errors >= most;
        if too_many {
            self.errors = 0;
        }
        (self.breakers.entry(market).or_default().note(went, took_ms, &self.limits.breakers), too_many)
    }

    /// Forgets what went wrong in a market that is not followed any more.
    pub fn forget(&mut self, market: MarketId) {
        self.breakers.remove(&market);
    }

    /// The latch of an open breaker that opens now.
    #[must_use]
    pub fn breaker_latch(&self, scope: LatchScope, cause: TripCause, wall_ns: u64) -> Latched {
        let until = wall_ns.saturating_add(self.limits.breakers.halt_s.saturating_mul(Time::SECOND));
        Latched { scope, latch: Latch::Breaker(cause), until_wall_ns: Some(until) }
    }

    /// What the drawdown, the hour, the nearness of the market's end and an earlier kill leave of a size.
    #[must_use]
    pub fn size_factor(&self, wall_s: u64, end_s: Option<u64>) -> Factor {
        let half = if self.latches.wallet_has(Latch::HalfSize) { Factor::percent(50) } else { Factor::ONE };
        let times = &self.limits.times;
        let drawdown = self.mark.as_ref().map_or(Factor::ONE, |mark| self.limits.drawdown.factor(mark));
        drawdown.and(half).and(times.hour_factor(wall_s)).and(times.end_factor(wall_s, end_s))
    }

    /// The largest order that the limits of one order allow, when every share is paid `paid` at worst.
    #[must_use]
    pub fn order_cap(&self, paid: Price, factor: Factor) -> Shares {
        let by_size = factor.of_shares(self.limits.max_order_shares);
        by_size.min(factor.of_usdc(self.limits.max_order_usdc).affords(paid))
    }

    fn engage_wallet(&mut self, latch: Latch, until_wall_ns: Option<u64>) -> Option<Event> {
        self.latches.engage(Latched { scope: LatchScope::Wallet, latch, until_wall_ns })
    }

    /// A person has looked: what was lost so far does not count against the day's limit and the drawdown any more.
    pub fn forgive_losses(&mut self) -> Option<Event> {
        let mark = self.mark.as_mut()?;
        (mark.day_start, mark.peak) = (mark.profit, mark.profit);
        Some(Event::Profit(*mark))
    }
}
