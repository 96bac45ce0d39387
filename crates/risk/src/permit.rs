//! The check that every order passes, and the proof that it did.

use oddsmith_domain::{Denial, Latch, MarketCard, Price, Shares, Side, Tick, TradingMode, Usdc};

use crate::factor::Factor;
use crate::{BookStanding, Gate, GroupStanding, MarketExposure, OpenOrder};

/// The venue takes nothing at once that is worth less.
const LEAST_TAKEN: Usdc = Usdc::from_whole(1);

/// An order that somebody would like to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What it would be.
    pub order: OpenOrder,
    /// What it would cost at most beyond its notional (the taker fee, if it may take).
    pub fee: Usdc,
    /// Whether it may rest. The venue's least size is for orders that do; what only takes must be worth a dollar.
    pub rests: bool,
}

/// All other markets together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Their worst-case losses.
    pub losses: Usdc,
    /// What everything held there has cost, and everything bid for would.
    pub at_work: Usdc,
    /// Their open orders.
    pub orders: u32,
    /// How many of them hold something or have an order open.
    pub markets: u32,
}

impl Elsewhere {
    /// One market by itself.
    #[must_use]
    pub fn of(exposure: &MarketExposure) -> Elsewhere {
        let worst = exposure.worst();
        Elsewhere {
            losses: worst.loss,
            at_work: exposure.at_work(),
            orders: worst.orders,
            markets: u32::from(!exposure.is_empty()),
        }
    }

    /// Adds a market.
    pub fn add(&mut self, exposure: &MarketExposure) {
        *self = self.plus(&Elsewhere::of(exposure));
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Elsewhere) -> Elsewhere {
        Elsewhere {
            losses: self.losses + other.losses,
            at_work: self.at_work + other.at_work,
            orders: self.orders.saturating_add(other.orders),
            markets: self.markets.saturating_add(other.markets),
        }
    }

    /// What is left without a part of it.
    #[must_use]
    pub fn without(&self, part: &Elsewhere) -> Elsewhere {
        Elsewhere {
            losses: self.losses - part.losses,
            at_work: self.at_work - part.at_work,
            orders: self.orders.saturating_sub(part.orders),
            markets: self.markets.saturating_sub(part.markets),
        }
    }
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
    /// All other markets.
    pub elsewhere: Elsewhere,
    /// The worst-case losses of the instance in all other markets.
    pub own_elsewhere: Usdc,
    /// The largest worst-case loss of the instance.
    pub own_limit: Usdc,
    /// The groups that the market belongs to.
    pub groups: &'a [GroupStanding<'a>],
    /// The market's book.
    pub book: BookStanding,
    /// The strictest latch that covers the instance in the market.
    pub latch: Option<Latch>,
    /// What is left of a size, see [`Gate::size_factor`].
    pub factor: Factor,
    /// Seconds since the Unix epoch.
    pub wall_s: u64,
    /// Free collateral of the wallet.
    pub free_collateral: Usdc,
    /// What the instance may still put to work of its part of the wallet's capital; `None` when it has no part of its own.
    pub own_capital: Option<Usdc>,
    /// In how many other markets it may still hold something or have an order open; `None` when that is not limited.
    pub own_markets: Option<u32>,
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

/// What one share of an order costs at worst; for a sell, what the buyer of the complement would pay.
#[must_use]
pub const fn paid(order: &OpenOrder) -> Price {
    match order.side {
        Side::Buy => order.price,
        Side::Sell => order.price.complement(),
    }
}

impl Gate {
    /// Checks a proposed order against every limit.
    ///
    /// An order that makes nothing worse (the worst loss, the net and the gross position do not grow) passes the position and loss
    /// limits even when they are exceeded, and one that reduces what the instance holds passes the rules of time, of the book
    /// and of scaled sizes: a limit must not keep anybody from getting out.
    ///
    /// # Errors
    /// The first limit that does not allow it.
    pub fn check(&self, proposal: &Proposal, standing: &Standing<'_>) -> Result<Permit, Denial> {
        let order = &proposal.order;
        let reduces = standing.own.is_reduced_by(order);
        check_latch(standing.latch, reduces)?;
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
        let large_enough = match proposal.rests {
            true => order.size >= min_size,
            false => order.size.cost_ceil(order.price) >= LEAST_TAKEN,
        };
        if !large_enough {
            return Err(Denial::MinSize);
        }
        self.limits().times.check(standing.wall_s, standing.card.end_wall_s, reduces)?;
        self.limits().book.check(&standing.book, reduces)?;
        self.check_order(order, if reduces { Factor::ONE } else { standing.factor })?;
        match order.side {
            Side::Buy if order.size.cost_ceil(order.price) + proposal.fee > standing.free_collateral => {
                return Err(Denial::Collateral);
            }
            Side::Buy
                if standing.own_capital.is_some_and(|left| order.size.cost_ceil(order.price) + proposal.fee > left) =>
            {
                return Err(Denial::Capital);
            }
            Side::Sell if order.size > standing.sellable => return Err(Denial::Tokens),
            _ => {}
        }
        self.check_market(order, standing)?;
        self.check_wider(order, standing)?;
        Ok(Permit { order: *order, tick })
    }

    fn check_order(&self, order: &OpenOrder, factor: Factor) -> Result<(), Denial> {
        if factor == Factor::percent(0) {
            return Err(Denial::Drawdown);
        }
        if order.size > factor.of_shares(self.limits().max_order_shares) {
            return Err(Denial::OrderSize);
        }
        if order.size.cost_ceil(paid(order)) > factor.of_usdc(self.limits().max_order_usdc) {
            return Err(Denial::OrderNotional);
        }
        Ok(())
    }

    /// The limits of the market.
    fn check_market(&self, order: &OpenOrder, standing: &Standing<'_>) -> Result<(), Denial> {
        let (before, after) = (standing.exposure.worst(), with(standing.exposure, order, standing.own).worst());
        let limits = self.limits();
        if after.orders > limits.max_open_orders {
            return Err(Denial::OpenOrders);
        }
        let grew = |now: Shares, then: Shares, limit: Shares| now > limit && now > then;
        let i = order.outcome.index();
        if grew(after.position[i], before.position[i], limits.max_position_shares) {
            return Err(Denial::Position);
        }
        if (0..2).any(|towards| grew(after.net[towards], before.net[towards], limits.max_net_shares)) {
            return Err(Denial::NetPosition);
        }
        let near_end = limits.times.end_factor(standing.wall_s, standing.card.end_wall_s);
        if grew(after.gross, before.gross, near_end.of_shares(limits.max_gross_shares)) {
            return Err(Denial::GrossPosition);
        }
        let losses = (standing.exposure.losses(), with(standing.exposure, order, standing.own).losses());
        if exceeds(losses, limits.max_market_loss_usdc, standing.own.is_reduced_by(order)) {
            return Err(Denial::MarketExposure);
        }
        Ok(())
    }

    /// The limits of groups, of the instance and of the wallet.
    fn check_wider(&self, order: &OpenOrder, standing: &Standing<'_>) -> Result<(), Denial> {
        let (before, after) = (standing.exposure, &with(standing.exposure, order, standing.own));
        let (limits, elsewhere) = (self.limits(), &standing.elsewhere);
        let grew = |now: Usdc, then: Usdc, limit: Usdc| now > limit && now > then;
        let reduces = standing.own.is_reduced_by(order);
        // A gain in this market pays for no loss elsewhere.
        let beside = |losses: [Usdc; 2], elsewhere: Usdc| losses.map(|loss| loss.max(Usdc::ZERO) + elsewhere);
        for group in standing.groups {
            let worst = |market: &MarketExposure| group.others.worst_with(market.losses(), group.limit.exclusive);
            if exceeds((worst(before), worst(after)), group.limit.max_loss_usdc, reduces) {
                return Err(Denial::GroupExposure);
            }
        }
        let own = |market: &MarketExposure| beside(market.losses(), standing.own_elsewhere);
        if exceeds((own(standing.own), own(&with(standing.own, order, standing.own))), standing.own_limit, reduces) {
            return Err(Denial::InstanceExposure);
        }
        if standing.own.is_empty() && standing.own_markets == Some(0) {
            return Err(Denial::InstanceMarkets);
        }
        if elsewhere.orders.saturating_add(after.worst().orders) > limits.max_wallet_orders {
            return Err(Denial::WalletOrders);
        }
        if before.is_empty() && elsewhere.markets >= limits.max_markets {
            return Err(Denial::Markets);
        }
        let all = |market: &MarketExposure| beside(market.losses(), elsewhere.losses);
        if exceeds((all(before), all(after)), limits.max_total_loss_usdc, reduces) {
            return Err(Denial::TotalExposure);
        }
        let at_work = |market: &MarketExposure| market.at_work() + elsewhere.at_work;
        if grew(at_work(after), at_work(before), limits.max_total_gross_usdc) {
            return Err(Denial::TotalGross);
        }
        Ok(())
    }
}

/// Whether an order makes a loss grow beyond its limit, given `[if YES wins, if NO wins]` without and with the order.
///
/// Each way is held to the limit by itself: what is above it in one must not hide what grows in the other. Only an order that
/// reduces what is held may bring a loss from one to the other, as long as the worse of the two does not grow: selling at a loss is
/// a way out too.
fn exceeds((then, now): ([Usdc; 2], [Usdc; 2]), limit: Usdc, reduces: bool) -> bool {
    let worse = |[yes, no]: [Usdc; 2]| yes.max(no);
    let grew = now.into_iter().zip(then).any(|(now, then)| now > limit && now > then);
    grew && !(reduces && worse(now) <= worse(then))
}

fn with(exposure: &MarketExposure, order: &OpenOrder, own: &MarketExposure) -> MarketExposure {
    let mut with = *exposure;
    with.add_owned(order, own);
    with
}

fn check_latch(latch: Option<Latch>, reduces: bool) -> Result<(), Denial> {
    let Some(latch) = latch else { return Ok(()) };
    match (latch, latch.mode()) {
        (_, TradingMode::Active) => Ok(()),
        (_, TradingMode::Reducing) if reduces => Ok(()),
        (_, TradingMode::Reducing) => Err(Denial::ReduceOnly),
        (Latch::Kill(_) | Latch::CoolDown, _) => Err(Denial::KillSwitch),
        (Latch::DailyLoss, _) => Err(Denial::DailyLoss),
        (Latch::Breaker(_), _) => Err(Denial::Breaker),
        (Latch::Mode(_) | Latch::HalfSize, _) => Err(Denial::Latched),
    }
}
