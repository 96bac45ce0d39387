//! The check that every order passes, and the proof that it did.

use oddsmith_domain::{
    Denial, Event, KillReason, Latch, LatchScope, Latched, MarketCard, Price, ProfitMark, Shares, Side, Tick, Time,
    TradingMode, Usdc,
};

use crate::limits::DailyLossReset;
use crate::profit::{day_ends_s, day_loss, marked};
use crate::{Latches, Limits, MarketExposure, OpenOrder};

/// An order that somebody would like to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What it would be.
    pub order: OpenOrder,
    /// What it would cost at most beyond its notional (the taker fee, if it may take).
    pub fee: Usdc,
}

/// The state of things that a proposal is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The market's card.
    pub card: &'a MarketCard,
    /// The market without the proposal.
    pub exposure: &'a MarketExposure,
    /// The part of it that is the instance's own.
    pub own: &'a MarketExposure,
    /// How far the instance may trade in the market.
    pub mode: TradingMode,
    /// The worst-case losses of all other markets together.
    pub other_losses: Usdc,
    /// Free collateral of the wallet.
    pub free_collateral: Usdc,
    /// Settled tokens of the outcome that the instance holds and has not promised.
    pub sellable: Shares,
    /// Whether the engine, or a person, has stopped the wallet.
    pub halted: bool,
    /// Whether the market is halted.
    pub market_halted: bool,
}

/// Proof that an order passed every limit. It can only be made by [`Gate::check`], is for exactly one order, and is used up by
/// building it.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    order: OpenOrder,
    tick: Tick,
}

impl Permit {
    /// The order that was permitted.
    #[must_use]
    pub const fn order(&self) -> &OpenOrder {
        &self.order
    }

    /// The grid on which its price was checked.
    #[must_use]
    pub const fn tick(&self) -> Tick {
        self.tick
    }
}

/// The keeper of the limits, of what stops trading, and of the day's loss.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: Limits,
    latches: Latches,
    mark: Option<ProfitMark>,
    /// When the mark was last told, and what it was.
    told: Option<(u64, ProfitMark)>,
}

impl Gate {
    /// A gate with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Gate {
        Gate { limits, latches: Latches::default(), mark: None, told: None }
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
            let until = day_ends_s(mark.day, hour).saturating_mul(Time::SECOND);
            let (latch, until_wall_ns) = match self.limits.daily_loss_reset {
                DailyLossReset::NextDay => (Latch::DailyLoss, Some(until)),
                DailyLossReset::Operator => (Latch::Kill(KillReason::DailyLoss), None),
            };
            events.extend(self.latches.engage(Latched { scope: LatchScope::Wallet, latch, until_wall_ns }));
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

    /// A person has looked: what was lost so far does not count against the day's limit and the drawdown any more.
    pub fn forgive_losses(&mut self) -> Option<Event> {
        let mark = self.mark.as_mut()?;
        (mark.day_start, mark.peak) = (mark.profit, mark.profit);
        Some(Event::Profit(*mark))
    }

    /// Checks a proposed order against every limit.
    ///
    /// An order that makes nothing worse (the worst loss, the net and the gross position do not grow) passes the position and loss
    /// limits even when they are exceeded: a limit must not keep anybody from getting out.
    ///
    /// # Errors
    /// The first limit that does not allow it.
    pub fn check(&self, proposal: &Proposal, standing: &Standing<'_>) -> Result<Permit, Denial> {
        let order = &proposal.order;
        if standing.halted {
            return Err(Denial::Halted);
        }
        match standing.mode {
            TradingMode::Active => {}
            TradingMode::Reducing if standing.own.is_reduced_by(order) => {}
            TradingMode::Reducing => return Err(Denial::ReduceOnly),
            TradingMode::Halted => return Err(Denial::Latched),
        }
        if standing.market_halted || !standing.card.accepting_orders {
            return Err(Denial::MarketHalted);
        }
        let (Some(tick), Some(min_size)) = (standing.card.tick, standing.card.min_size) else {
            return Err(Denial::CardIncomplete);
        };
        if !tick.admits(order.price) {
            return Err(Denial::OffGrid);
        }
        if order.size < min_size {
            return Err(Denial::MinSize);
        }
        self.check_order(order)?;
        match order.side {
            Side::Buy if order.size.cost_ceil(order.price) + proposal.fee > standing.free_collateral => {
                return Err(Denial::Collateral);
            }
            Side::Sell if order.size > standing.sellable => return Err(Denial::Tokens),
            _ => {}
        }
        self.check_exposure(order, standing)?;
        Ok(Permit { order: *order, tick })
    }

    fn check_order(&self, order: &OpenOrder) -> Result<(), Denial> {
        if order.size > self.limits.max_order_shares {
            return Err(Denial::OrderSize);
        }
        let paid = match order.side {
            Side::Buy => order.price,
            Side::Sell => Price::complement(order.price),
        };
        if order.size.cost_ceil(paid) > self.limits.max_order_usdc {
            return Err(Denial::OrderNotional);
        }
        Ok(())
    }

    fn check_exposure(&self, order: &OpenOrder, standing: &Standing<'_>) -> Result<(), Denial> {
        let before = standing.exposure.worst();
        let mut with = *standing.exposure;
        with.add(order);
        let after = with.worst();
        let limits = &self.limits;
        if after.orders > limits.max_open_orders {
            return Err(Denial::OpenOrders);
        }
        let grew = |now: Shares, then: Shares, limit: Shares| now > limit && now > then;
        let i = order.outcome.index();
        if grew(after.position[i], before.position[i], limits.max_position_shares) {
            return Err(Denial::Position);
        }
        if grew(after.net, before.net, limits.max_net_shares) {
            return Err(Denial::NetPosition);
        }
        if grew(after.gross, before.gross, limits.max_gross_shares) {
            return Err(Denial::GrossPosition);
        }
        if after.loss > limits.max_market_loss_usdc && after.loss > before.loss {
            return Err(Denial::MarketExposure);
        }
        if after.loss + standing.other_losses > limits.max_total_loss_usdc && after.loss > before.loss {
            return Err(Denial::TotalExposure);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{ConditionId, Outcome, TokenId};
    use proptest::prelude::*;

    use super::*;

    fn card() -> MarketCard {
        MarketCard {
            condition: ConditionId::parse("0xab").expect("a condition"),
            slug: "test".to_owned(),
            question: "?".to_owned(),
            tokens: [TokenId::from_be_bytes([1; 32]), TokenId::from_be_bytes([2; 32])],
            outcomes: ["Yes".to_owned(), "No".to_owned()],
            tick: Some(Tick::Cent),
            min_size: Some(Shares::from_whole(5)),
            fee: None,
            end_wall_s: None,
            neg_risk: false,
            accepting_orders: true,
            taker_delay_ms: 0,
        }
    }

    fn proposal(outcome: Outcome, side: Side, price: &str, size: &str) -> Proposal {
        let (price, size) = (price.parse().expect("price"), size.parse().expect("size"));
        Proposal { order: OpenOrder { outcome, side, price, size }, fee: Usdc::ZERO }
    }

    fn check(limits: Limits, p: Proposal, change: impl FnOnce(&mut Standing<'_>)) -> Result<(), Denial> {
        let (card, exposure) = (card(), MarketExposure::default());
        let mut standing = Standing {
            card: &card,
            exposure: &exposure,
            own: &exposure,
            mode: TradingMode::Active,
            other_losses: Usdc::ZERO,
            free_collateral: Usdc::from_whole(1_000),
            sellable: Shares::from_whole(1_000),
            halted: false,
            market_halted: false,
        };
        change(&mut standing);
        Gate::new(limits).check(&p, &standing).map(|_| ())
    }

    #[test]
    fn one_denial_for_each_limit() {
        let buy = proposal(Outcome::Yes, Side::Buy, "0.5", "20");
        let none = |_: &mut Standing<'_>| {};
        let d = Limits::default;
        assert_eq!(check(d(), buy, none), Ok(()));
        assert_eq!(check(d(), buy, |s| s.halted = true), Err(Denial::Halted));
        assert_eq!(check(d(), buy, |s| s.market_halted = true), Err(Denial::MarketHalted));
        assert_eq!(check(d(), buy, |s| s.mode = TradingMode::Halted), Err(Denial::Latched));
        assert_eq!(check(d(), buy, |s| s.mode = TradingMode::Reducing), Err(Denial::ReduceOnly));
        assert_eq!(check(d(), proposal(Outcome::Yes, Side::Buy, "0.505", "20"), none), Err(Denial::OffGrid));
        assert_eq!(check(d(), proposal(Outcome::Yes, Side::Buy, "0.5", "4.99"), none), Err(Denial::MinSize));
        assert_eq!(check(d(), buy, |s| s.free_collateral = Usdc::from_whole(9)), Err(Denial::Collateral));
        let sell = proposal(Outcome::No, Side::Sell, "0.5", "20");
        assert_eq!(check(d(), sell, |s| s.sellable = Shares::from_whole(19)), Err(Denial::Tokens));
        for (limits, denial) in [
            (Limits { max_order_shares: Shares::from_whole(19), ..d() }, Denial::OrderSize),
            (Limits { max_order_usdc: Usdc::from_whole(9), ..d() }, Denial::OrderNotional),
            (Limits { max_position_shares: Shares::from_whole(19), ..d() }, Denial::Position),
            (Limits { max_net_shares: Shares::from_whole(19), ..d() }, Denial::NetPosition),
            (Limits { max_gross_shares: Shares::from_whole(19), ..d() }, Denial::GrossPosition),
            (Limits { max_market_loss_usdc: Usdc::from_whole(9), ..d() }, Denial::MarketExposure),
            (Limits { max_total_loss_usdc: Usdc::from_whole(9), ..d() }, Denial::TotalExposure),
        ] {
            assert_eq!(check(limits, buy, none), Err(denial));
        }
        assert_eq!(
            check(d(), buy, |s| s.other_losses = Usdc::from_whole(995)),
            Err(Denial::TotalExposure),
            "all markets count"
        );
    }

    #[test]
    fn getting_out_is_always_allowed() {
        let (card, mut exposure) =
            (card(), MarketExposure::new([Shares::from_whole(900), Shares::ZERO], Usdc::from_whole(450)));
        exposure.add(&OpenOrder {
            outcome: Outcome::Yes,
            side: Side::Buy,
            price: Price::from_units(5_000).expect("in range"),
            size: Shares::from_whole(1),
        });
        let standing = Standing {
            card: &card,
            exposure: &exposure,
            own: &exposure,
            mode: TradingMode::Active,
            other_losses: Usdc::from_whole(5_000),
            free_collateral: Usdc::ZERO,
            sellable: Shares::from_whole(900),
            halted: false,
            market_halted: false,
        };
        let gate = Gate::new(Limits::default());
        assert!(gate.check(&proposal(Outcome::Yes, Side::Sell, "0.9", "100"), &standing).is_ok());
    }

    #[test]
    fn the_days_loss_latches_until_the_next_day() {
        let limits = Limits { max_daily_loss_usdc: Usdc::from_whole(10), daily_reset_hour_utc: 6, ..Limits::default() };
        let mut gate = Gate::new(limits);
        let ns = |s: u64| (20_000 * 86_400 + 6 * 3_600 + s) * Time::SECOND;
        let latched = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Latched(_)));
        assert!(!latched(&gate.mark(Usdc::from_whole(3), ns(0))));
        assert!(!latched(&gate.mark(Usdc::from_whole(-6), ns(60))));
        assert!(latched(&gate.mark(Usdc::from_whole(-7), ns(61))), "ten below the day's start");
        assert!(!latched(&gate.mark(Usdc::from_whole(-50), ns(62))), "said once");
        assert!(gate.latches_mut().expire(ns(86_399)).is_empty());
        assert_eq!(gate.latches_mut().expire(ns(86_400)).len(), 1);
        assert!(!latched(&gate.mark(Usdc::from_whole(-50), ns(86_400))), "a new day counts from its own start");
    }

    #[test]
    fn a_loss_that_needs_a_person_throws_the_kill_switch_and_outlives_the_process() {
        let limits = Limits {
            max_daily_loss_usdc: Usdc::from_whole(10),
            daily_loss_reset: DailyLossReset::Operator,
            ..Limits::default()
        };
        let mut gate = Gate::new(limits.clone());
        let mut events = gate.mark(Usdc::ZERO, 1);
        events.extend(gate.mark(Usdc::from_whole(-10), 2));
        assert_eq!(gate.latches().killed(), Some(KillReason::DailyLoss));
        let held: Vec<_> = gate.latches().iter().cloned().collect();
        let mut next = Gate::new(limits);
        next.restore(&held, gate.profit_mark().copied());
        assert!(next.latches_mut().expire(u64::MAX).is_empty(), "no day ends it");
        assert_eq!(next.latches().killed(), Some(KillReason::DailyLoss));
        next.latches_mut().release(|_| true);
        next.forgive_losses();
        assert!(next.mark(Usdc::from_whole(-19), 3).iter().all(|e| !matches!(e, Event::Latched(_))));
    }

    proptest! {
        /// Whatever is proposed, in whatever order: what has been permitted never exceeds a limit.
        #[test]
        fn permitted_orders_never_exceed_a_limit(
            proposals in prop::collection::vec((any::<bool>(), any::<bool>(), 1u16..100, 5i64..200), 1..60),
        ) {
            let limits = Limits::default();
            let gate = Gate::new(limits.clone());
            let card = card();
            let mut exposure = MarketExposure::default();
            for (yes, buy, cents, whole) in proposals {
                let order = OpenOrder {
                    outcome: if yes { Outcome::Yes } else { Outcome::No },
                    side: if buy { Side::Buy } else { Side::Sell },
                    price: Price::from_units(cents * 100).expect("in range"),
                    size: Shares::from_whole(whole),
                };
                let standing = Standing {
                    card: &card,
                    exposure: &exposure,
                    own: &exposure,
                    mode: TradingMode::Active,
                    other_losses: Usdc::from_whole(900),
                    free_collateral: Usdc::from_whole(10_000),
                    sellable: Shares::from_whole(10_000),
                    halted: false,
                    market_halted: false,
                };
                if gate.check(&Proposal { order, fee: Usdc::ZERO }, &standing).is_ok() {
                    exposure.add(&order);
                }
                let worst = exposure.worst();
                prop_assert!(worst.position.iter().all(|p| *p <= limits.max_position_shares));
                prop_assert!(worst.net <= limits.max_net_shares && worst.gross <= limits.max_gross_shares);
                prop_assert!(worst.loss <= limits.max_market_loss_usdc);
                prop_assert!(worst.loss + Usdc::from_whole(900) <= limits.max_total_loss_usdc);
                prop_assert!(worst.orders <= limits.max_open_orders);
            }
        }
    }
}
