//! Whether an order was within every limit, by the audit's own figures.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{InstanceId, MarketCard, MarketId, PlaceOrder, Shares, Side, Usdc};
use oddsmith_risk::{CapitalPart, Elsewhere, Factor, GroupLoss, Limits, MarketExposure, OpenOrder, paid};

use crate::accounts::Books;
use crate::orders::OwnOrders;
use crate::report::{Findings, Rule};

/// What a placement is held against.
pub(crate) struct Scene<'a> {
    pub limits: &'a Limits,
    pub card: &'a MarketCard,
    pub cards: &'a BTreeMap<MarketId, MarketCard>,
    pub books: &'a Books,
    pub orders: &'a OwnOrders,
    /// What the collateral was before the run's own movements; `None` before the venue has told it.
    pub capital: Option<Usdc>,
    /// Markets in which something was ever placed or held, and whether the instances have left each.
    pub markets: &'a BTreeMap<MarketId, bool>,
    /// The instance's name.
    pub name: &'a str,
    /// Markets whose outcome is known: what is held there can lose nothing any more.
    pub decided: &'a BTreeSet<MarketId>,
    /// The part of the wallet's capital that the instance may have at work.
    pub part: Option<CapitalPart>,
    /// The most markets that the instance may hold or quote at once.
    pub most_markets: Option<u64>,
    /// Whether sizes are halved after a kill.
    pub halved: bool,
    /// Seconds since the Unix epoch.
    pub wall_s: u64,
}

/// An order, and its market without and with it.
struct Step<'a> {
    place: &'a PlaceOrder,
    order: &'a OpenOrder,
    /// Whether it reduces what the instance holds.
    reduces: bool,
    before: MarketExposure,
    after: MarketExposure,
}

impl Scene<'_> {
    /// Checks an order that is about to be placed; it is not among the orders yet.
    pub fn check(&self, place: &PlaceOrder, order: &OpenOrder, found: &mut Findings) {
        let market = place.asset.market();
        let own = self.own(place.instance, market);
        let reduces = own.is_reduced_by(order);
        self.check_self_trade(place, order, found);
        self.check_means(place, order, found);
        self.check_part(place, order, found);
        self.check_times(place, reduces, found);
        self.check_order(place, order, reduces, found);
        let before = self.exposure(market);
        let mut after = before;
        after.add_owned(order, &own);
        let step = Step { place, order, reduces, before, after };
        self.check_market(&step, found);
        self.check_wallet(&step, found);
        self.check_groups(&step, found);
        self.check_instance(&step, own, found);
    }

    fn check_self_trade(&self, place: &PlaceOrder, order: &OpenOrder, found: &mut Findings) {
        let others = self.orders.open_in(place.asset.market()).filter(|own| own.place.instance != place.instance);
        let met = others.map(|own| (own.place.id, own.open())).find(|(_, open)| open.meets(order));
        found.check(Rule::SelfTrade, met.is_none(), || {
            let other = met.map_or_else(String::new, |(id, _)| id.to_string());
            format!("order {} would meet order {other} of another instance", place.id)
        });
    }

    /// Collateral for what is bought, settled tokens for what is sold.
    fn check_means(&self, place: &PlaceOrder, order: &OpenOrder, found: &mut Findings) {
        let id = place.id;
        match order.side {
            Side::Buy => {
                let moved: Usdc = self.books.accounts().map(|a| a.cash - a.incoming).sum();
                let free = self.capital.map(|capital| capital + moved - self.orders.reserved());
                let cost = order.size.cost_ceil(order.price);
                found.check(Rule::Limit, free.is_some_and(|free| cost <= free), || match free {
                    Some(free) => format!("order {id} costs {cost}, and {free} are free"),
                    None => format!("order {id} is placed before the venue has told the collateral"),
                });
            }
            Side::Sell => {
                let account = self.books.account(place.instance, place.asset.market());
                let i = order.outcome.index();
                let promised = self.orders.promised(place.instance, place.asset);
                let free = (account.settled[i] - account.leaving[i]).max(Shares::ZERO) - promised;
                found.check(Rule::Limit, order.size <= free, || {
                    format!("order {id} sells {}, and {free} settled tokens are free", order.size)
                });
            }
        }
    }

    /// What the instance has at work with a buy: what it holds at its cost, sales that are not settled, and its open buys. The capital is
    /// what the collateral was, what the run moved, and everything held at its cost.
    fn check_part(&self, place: &PlaceOrder, order: &OpenOrder, found: &mut Findings) {
        let Some(part) = self.part.filter(|_| order.side == Side::Buy) else { return };
        let moved: Usdc = self.books.accounts().map(|account| account.cash + account.cost_basis()).sum();
        let most = part.of(self.capital.map_or(Usdc::ZERO, |capital| capital + moved));
        let held: Usdc = self.books.of(place.instance).map(|account| account.cost_basis() + account.incoming).sum();
        let buys = self.orders.open().filter(|o| o.place.instance == place.instance && o.place.side() == Side::Buy);
        let bid: Usdc = buys.map(|own| own.open().size.cost_ceil(own.open().price)).sum();
        let now = held + bid + order.size.cost_ceil(order.price);
        found.check(Rule::Limit, now <= most, || {
            format!("order {} brings {now} to work; the instance {} may have {most}", place.id, self.name)
        });
    }

    fn check_times(&self, place: &PlaceOrder, reduces: bool, found: &mut Findings) {
        let allowed = self.limits.times.check(self.wall_s, self.card.end_wall_s, reduces);
        found.check(Rule::Limit, allowed.is_ok(), || {
            let why = allowed.err().map_or("", |denial| denial.sentence());
            format!("order {}: {why}", place.id)
        });
    }

    /// Limits of one order. After a kill, at some hours and near the end sizes shrink, except of what reduces.
    fn check_order(&self, place: &PlaceOrder, order: &OpenOrder, reduces: bool, found: &mut Findings) {
        let (id, limits) = (place.id, self.limits);
        let half = if self.halved { Factor::percent(50) } else { Factor::ONE };
        let times = &limits.times;
        let scaled = half.and(times.hour_factor(self.wall_s)).and(times.end_factor(self.wall_s, self.card.end_wall_s));
        let factor = if reduces { Factor::ONE } else { scaled };
        let most = factor.of_shares(limits.max_order_shares);
        found.check(Rule::Limit, order.size <= most, || {
            format!("order {id}: {} shares, max_order_shares allows {most}", order.size)
        });
        let (cost, most) = (order.size.cost_ceil(paid(order)), factor.of_usdc(limits.max_order_usdc));
        found.check(Rule::Limit, cost <= most, || format!("order {id}: {cost} at stake, max_order_usdc allows {most}"));
    }

    /// Limits of the market. What makes nothing worse is allowed even above a limit.
    fn check_market(&self, step: &Step<'_>, found: &mut Findings) {
        let (id, limits) = (step.place.id, self.limits);
        let losses = (step.before.losses(), step.after.losses());
        self.loses(step, "max_market_loss_usdc", losses, limits.max_market_loss_usdc, found);
        let (before, after) = (step.before.worst(), step.after.worst());
        found.check(Rule::Limit, after.orders <= limits.max_open_orders, || {
            format!("order {id} is the market's {}th, max_open_orders is {}", after.orders, limits.max_open_orders)
        });
        let i = step.order.outcome.index();
        let gross = limits.times.end_factor(self.wall_s, self.card.end_wall_s).of_shares(limits.max_gross_shares);
        for (name, now, then, limit) in [
            ("max_position_shares", after.position[i], before.position[i], limits.max_position_shares),
            ("max_net_shares", after.net[0], before.net[0], limits.max_net_shares),
            ("max_net_shares", after.net[1], before.net[1], limits.max_net_shares),
            ("max_gross_shares", after.gross, before.gross, gross),
        ] {
            found.check(Rule::Limit, now <= limit || now <= then, || {
                format!("order {id} brings {now} shares about, {name} allows {limit}")
            });
        }
    }

    /// Limits of everything under the key.
    fn check_wallet(&self, step: &Step<'_>, found: &mut Findings) {
        let (id, limits, market) = (step.place.id, self.limits, step.place.asset.market());
        let mut elsewhere = Elsewhere::default();
        self.markets.keys().filter(|m| **m != market).for_each(|m| elsewhere.add(&self.exposure(*m)));
        let orders = elsewhere.orders.saturating_add(step.after.worst().orders);
        found.check(Rule::Limit, orders <= limits.max_wallet_orders, || {
            format!("order {id} is the wallet's {orders}th, max_wallet_orders is {}", limits.max_wallet_orders)
        });
        found.check(Rule::Limit, !step.before.is_empty() || elsewhere.markets < limits.max_markets, || {
            format!(
                "order {id} opens another market beside {}, max_markets is {}",
                elsewhere.markets, limits.max_markets
            )
        });
        let losses = [&step.before, &step.after].map(|exposure| beside(exposure.losses(), elsewhere.losses));
        self.loses(step, "max_total_loss_usdc", losses.into(), limits.max_total_loss_usdc, found);
        let [then, now] = [&step.before, &step.after].map(|exposure| exposure.at_work() + elsewhere.at_work);
        let limit = limits.max_total_gross_usdc;
        found.check(Rule::Limit, now <= limit || now <= then, || {
            format!("order {id} brings {now} about where {then} was; max_total_gross_usdc allows {limit}")
        });
    }

    /// Limits of the groups that the market belongs to.
    fn check_groups(&self, step: &Step<'_>, found: &mut Findings) {
        let market = step.place.asset.market();
        for group in self.limits.groups.iter().filter(|group| group.covers(&self.card.slug)) {
            let others = self.cards.iter().filter(|(m, card)| **m != market && group.covers(&card.slug));
            let others = others.fold(GroupLoss::default(), |sum, (m, _)| sum.with(self.exposure(*m).losses()));
            let worst = |exposure: &MarketExposure| others.worst_with(exposure.losses(), group.exclusive);
            let name = format!("the group {}", group.name);
            self.loses(step, &name, (worst(&step.before), worst(&step.after)), group.max_loss_usdc, found);
        }
    }

    /// The limit of the instance, over the markets that it trades.
    fn check_instance(&self, step: &Step<'_>, own: MarketExposure, found: &mut Findings) {
        let (instance, market) = (step.place.instance, step.place.asset.market());
        let others = self.markets.iter().filter(|(m, left)| **m != market && !**left);
        let elsewhere: Usdc = others.map(|(m, _)| self.own(instance, *m).worst().loss).sum();
        let mut after = own;
        after.add(step.order);
        if let Some(most) = self.most_markets.filter(|_| own.is_empty()) {
            let others = self.markets.iter().filter(|(m, left)| **m != market && !**left);
            let entered = others.filter(|(m, _)| !self.own(instance, **m).is_empty()).count() as u64;
            found.check(Rule::Limit, entered < most, || {
                format!(
                    "order {} enters a market beside {entered}; the instance {} may {most}",
                    step.place.id, self.name
                )
            });
        }
        let losses = [own, after].map(|exposure| beside(exposure.losses(), elsewhere));
        let name = format!("the instance {}", self.name);
        self.loses(step, &name, losses.into(), self.limits.instance_limit(self.name), found);
    }

    /// Losses if YES wins and if NO wins, before and after: each may be above its limit only if the order does not make it grow. An
    /// order that reduces what the instance holds may bring a loss from one side to the other.
    fn loses(
        &self,
        step: &Step<'_>,
        name: &str,
        (then, now): ([Usdc; 2], [Usdc; 2]),
        limit: Usdc,
        found: &mut Findings,
    ) {
        let worse = |[yes, no]: [Usdc; 2]| yes.max(no);
        let out = step.reduces && worse(now) <= worse(then);
        let allowed = |side: usize| now[side] <= limit || now[side] <= then[side];
        found.check(Rule::Limit, out || (allowed(0) && allowed(1)), || {
            let (id, then, now) = (step.place.id, worse(then), worse(now));
            format!("order {id} brings {now} about where {then} was; {name} allows {limit}")
        });
    }

    /// What one instance holds and has open in a market.
    pub fn own(&self, instance: InstanceId, market: MarketId) -> MarketExposure {
        let mut exposure = self.holdings(instance, market);
        let own = self.orders.open_in(market).filter(|own| own.place.instance == instance);
        own.for_each(|own| exposure.add(&own.open()));
        exposure
    }

    /// What one instance holds in a market, as far as it can still lose anything.
    fn holdings(&self, instance: InstanceId, market: MarketId) -> MarketExposure {
        if self.decided.contains(&market) {
            return MarketExposure::default();
        }
        let account = self.books.account(instance, market);
        MarketExposure::new(account.shares, account.cost)
    }

    /// What all together hold and have open in a market.
    fn exposure(&self, market: MarketId) -> MarketExposure {
        let (mut held, mut cost) = ([Shares::ZERO; 2], [Usdc::ZERO; 2]);
        let undecided = !self.decided.contains(&market);
        for account in self.books.market(market).filter(|_| undecided) {
            for i in 0..2 {
                held[i] += account.shares[i];
                cost[i] += account.cost[i];
            }
        }
        let mut exposure = MarketExposure::new(held, cost);
        for own in self.orders.open_in(market) {
            exposure.add_owned(&own.open(), &self.holdings(own.place.instance, market));
        }
        exposure
    }
}

/// The losses of one market, of which gains count for nothing, with those of all others.
fn beside(losses: [Usdc; 2], elsewhere: Usdc) -> [Usdc; 2] {
    losses.map(|loss| loss.max(Usdc::ZERO) + elsewhere)
}
