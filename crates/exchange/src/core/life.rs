//! What happens as time passes: timers, listing, tick changes, game starts, resolution, modes.

use oddsmith_domain::{MarketId, Outcome, Price, ReferencePrice, Tick};

use super::event::{CoreEvent, PublicEvent};
use super::market::{Market, MarketSpec, MarketState};
use super::order::CancelReason;
use super::timer::Timer;
use super::{Core, Nanos, SECOND};

/// Beyond this price, and below its complement, a tick of 0.01 becomes 0.001 (protocol 9.6).
const FINE_ABOVE: u16 = 9_600;

/// What the exchange as a whole takes (protocol 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    Normal,
    /// Post-only orders and cancels, until a time if one is stated.
    PostOnly {
        /// When normal trading begins again.
        until_ns: Option<Nanos>,
    },
    /// Cancels.
    CancelOnly,
    /// Nothing.
    Disabled,
    /// Nothing, because the engine restarts; afterwards post-only for a while.
    Restarting {
        /// When the post-only phase begins.
        until_ns: Nanos,
        /// How long the post-only phase lasts.
        post_only_ns: Nanos,
    },
}

impl Core {
    /// Lets time pass: everything that is due happens, each thing at its own time.
    pub fn advance(&mut self, now_ns: Nanos) {
        while let Some((when, timer)) = self.timers.pop_until(now_ns) {
            self.now_ns = self.now_ns.max(when);
            match timer {
                Timer::DelayOver(slot, sequence) => self.delay_over(slot, sequence),
                Timer::Expire(slot, sequence) => self.expire(slot, sequence),
                Timer::Settle(sequence, step) => self.settle(sequence, step),
                Timer::Heartbeat(key) => self.heartbeat_due(key),
                Timer::GameStart(market) => self.game_start(market),
                Timer::ModeOver => self.mode_over(),
            }
        }
        self.now_ns = self.now_ns.max(now_ns);
    }

    /// When the next thing is due.
    #[must_use]
    pub fn next_timer(&self) -> Option<Nanos> {
        self.timers.next()
    }

    /// Lists a market.
    pub fn list_market(&mut self, spec: MarketSpec, now_ns: Nanos) -> MarketId {
        self.advance(now_ns);
        let id = MarketId(self.markets.len() as u32);
        let next_event = (100_001 + self.event_ids.len()).to_string();
        let event_id = self.event_ids.entry(spec.event_slug.clone()).or_insert(next_event).clone();
        let game_start = spec.game_start_s.filter(|_| spec.clear_on_start);
        let market = Market::new(id, spec, event_id, self.now_ns, &mut self.ids);
        self.market_by_condition.insert(market.condition, id);
        self.market_by_slug.insert(market.spec.slug.clone(), id);
        for outcome in Outcome::BOTH {
            self.market_by_token.insert(market.tokens[outcome.index()], id.asset(outcome));
        }
        self.markets.push(market);
        if let Some(start_s) = game_start {
            self.timers.at(start_s.saturating_mul(SECOND), Timer::GameStart(id));
        }
        let timestamp_ms = self.now_ms();
        self.events.push(CoreEvent::Public(PublicEvent::NewMarket { market: id, timestamp_ms }));
        id
    }

    /// States what the price that decides a market must reach.
    pub fn set_price_to_beat(&mut self, market: MarketId, price: ReferencePrice) {
        if let Some(listed) = self.market_mut(market) {
            listed.price_to_beat = Some(price);
        }
    }

    /// Stops or resumes the taking of orders in one market. A resolved market stays closed.
    pub fn pause_market(&mut self, market: MarketId, paused: bool) {
        if let Some(listed) = self.market_mut(market)
            && !matches!(listed.state, MarketState::Resolved(_))
        {
            listed.state = if paused { MarketState::Paused } else { MarketState::Open };
        }
    }

    fn expire(&mut self, slot: super::Slot, sequence: u64) {
        let due = self.order_at(slot).filter(|order| order.sequence == sequence && order.status.is_open());
        if let Some((market, id)) = due.map(|order| (order.market, order.id)) {
            self.remove_all(vec![(market, id)], CancelReason::Expired);
        }
    }

    fn game_start(&mut self, market: MarketId) {
        self.cancel_market(market, CancelReason::GameStart);
    }

    fn cancel_market(&mut self, market: MarketId, reason: CancelReason) {
        let open: Vec<_> =
            self.orders.iter().flatten().filter(|order| order.market == market && order.status.is_open()).collect();
        let open = open.into_iter().map(|order| (order.market, order.id)).collect();
        self.remove_all(open, reason);
    }

    /// Makes the grid of a market finer. A grid that would become coarser is left as it is, unless the settings allow it: the
    /// venue has never been seen to do that. Orders that rest stay where they are.
    pub fn change_tick(&mut self, market: MarketId, new: Tick, now_ns: Nanos) {
        self.advance(now_ns);
        self.set_tick(market, new);
    }

    fn set_tick(&mut self, market: MarketId, new: Tick) {
        let (now_ns, timestamp_ms) = (self.now_ns, self.now_ms());
        let coarser = self.config.coarser_ticks;
        let Some(listed) = self.markets.get_mut(market.index()) else { return };
        let old = listed.tick;
        let finer = old.units().is_multiple_of(new.units());
        if old == new || !(finer || coarser) {
            return;
        }
        listed.tick = new;
        listed.restamp(now_ns);
        for outcome in Outcome::BOTH {
            let event = PublicEvent::TickChange { market, outcome, old, new, timestamp_ms };
            self.events.push(CoreEvent::Public(event));
        }
    }

    /// After a match: beyond 0.96 and below 0.04 a tick of 0.01 becomes 0.001.
    pub(crate) fn refine_tick(&mut self, market: MarketId) {
        let Some(listed) = self.markets.get(market.index()) else { return };
        let Some(units) = listed.last_trade.map(|trade| trade.price.units()) else { return };
        let beyond = units > FINE_ABOVE || units < Price::ONE.units() - FINE_ABOVE;
        if listed.spec.dynamic_tick && listed.tick == Tick::Cent && beyond {
            self.set_tick(market, Tick::Thousandth);
        }
    }

    /// Decides a market: a YES share pays `yes`, a NO share the rest. Open orders are cancelled. Deciding twice does nothing.
    pub fn resolve(&mut self, market: MarketId, yes: Price, now_ns: Nanos) {
        self.advance(now_ns);
        let now_s = self.now_ns / SECOND;
        let Some(listed) = self.market_mut(market) else { return };
        if matches!(listed.state, MarketState::Resolved(_)) {
            return;
        }
        listed.state = MarketState::Resolved(yes);
        listed.closed_s = Some(now_s);
        self.cancel_market(market, CancelReason::MarketResolved);
        let winner = match yes {
            Price::ONE => Some(Outcome::Yes),
            Price::ZERO => Some(Outcome::No),
            _ => None,
        };
        let timestamp_ms = self.now_ms();
        self.events.push(CoreEvent::Public(PublicEvent::MarketResolved { market, winner, timestamp_ms }));
    }

    /// What the exchange takes now.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Changes what the exchange takes.
    pub fn set_mode(&mut self, mode: Mode, now_ns: Nanos) {
        self.advance(now_ns);
        self.mode = mode;
        if let Mode::PostOnly { until_ns: Some(until) } | Mode::Restarting { until_ns: until, .. } = mode {
            self.timers.at(until, Timer::ModeOver);
        }
    }

    /// Ends a mode that has run out. A timer of a mode that was changed meanwhile finds nothing to end.
    fn mode_over(&mut self) {
        match self.mode {
            Mode::PostOnly { until_ns: Some(until) } if until <= self.now_ns => self.mode = Mode::Normal,
            Mode::Restarting { until_ns, post_only_ns } if until_ns <= self.now_ns => {
                let until = until_ns.saturating_add(post_only_ns);
                self.mode = Mode::PostOnly { until_ns: Some(until) };
                self.timers.at(until, Timer::ModeOver);
            }
            _ => {}
        }
    }
}
