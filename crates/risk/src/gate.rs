//! The check that every order passes, and the proof that it did.

use oddsmith_domain::{Denial, MarketCard, Price, Shares, Side, Tick, Usdc};

use crate::{Limits, MarketExposure, OpenOrder};

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

/// The keeper of the limits.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: Limits,
    /// The UTC day whose loss limit was reached.
    tripped_day: Option<u64>,
    /// The UTC day that the loss is counted from, and the equity at its start.
    day: Option<(u64, Usdc)>,
}

impl Gate {
    /// A gate with these limits.
    #[must_use]
    pub const fn new(limits: Limits) -> Gate {
        Gate { limits, tripped_day: None, day: None }
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes note of the wallet's profit since the start of the run, realised and unrealised. Returns `true` once, when the day's
    /// loss limit is reached by it.
    pub fn mark(&mut self, profit: Usdc, wall_s: u64) -> bool {
        let today = wall_s / 86_400;
        let start = match self.day {
            Some((day, start)) if day == today => start,
            _ => {
                self.day = Some((today, profit));
                profit
            }
        };
        let tripped = start - profit >= self.limits.max_daily_loss_usdc;
        if tripped && self.tripped_day != Some(today) {
            self.tripped_day = Some(today);
            return true;
        }
        false
    }

    /// Whether the day's loss limit has been reached.
    #[must_use]
    pub fn loss_latched(&self, wall_s: u64) -> bool {
        self.tripped_day == Some(wall_s / 86_400)
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
        let mut gate = Gate::new(Limits { max_daily_loss_usdc: Usdc::from_whole(10), ..Limits::default() });
        let day = 20_000 * 86_400;
        assert!(!gate.mark(Usdc::from_whole(3), day));
        assert!(!gate.mark(Usdc::from_whole(-6), day + 60));
        assert!(gate.mark(Usdc::from_whole(-7), day + 61), "ten below the day's start");
        assert!(!gate.mark(Usdc::from_whole(-50), day + 62), "said once");
        assert!(gate.loss_latched(day + 86_399) && !gate.loss_latched(day + 86_400));
        assert!(!gate.mark(Usdc::from_whole(-50), day + 86_400), "a new day counts from its own start");
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
