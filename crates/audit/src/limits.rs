//! Whether an order was within every limit, by the audit's own figures.

use std::collections::BTreeMap;

use oddsmith_domain::{InstanceId, MarketCard, MarketId, PlaceOrder, Shares, Side, Usdc};
use oddsmith_risk::{Elsewhere, Factor, GroupLoss, Limits, MarketExposure, OpenOrder, paid};

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
    /// Whether sizes are halved after a kill.
    pub halved: bool,
    /// Seconds since the Unix epoch.
    pub wall_s: u64,
}

impl Scene<'_> {
    /// Checks an order that is about to be placed; it is not among the orders yet.
    pub fn check(&self, place: &PlaceOrder, order: &OpenOrder, found: &mut Findings) {
        let market = place.asset.market();
        let own = self.own(place.instance, market);
        let reduces = own.is_reduced_by(order);
        self.check_self_trade(place, order, found);
        self.check_means(place, order, found);
        self.check_times(place, reduces, found);
        self.check_order(place, order, reduces, found);
        let before = self.exposure(market);
        let mut after = before;
        after.add_owned(order, &own);
        self.check_market(place, order, (&before, &after), found);
        self.check_wallet(place, market, (&before, &after), found);
        self.check_groups(place, market, (&before, &after), found);
        self.check_instance(place, market, order, &own, found);
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
    fn check_market(
        &self,
        place: &PlaceOrder,
        order: &OpenOrder,
        (before, after): (&MarketExposure, &MarketExposure),
        found: &mut Findings,
    ) {
        let (id, limits) = (place.id, self.limits);
        for losses in before.losses().into_iter().zip(after.losses()) {
            self.grows(place, "max_market_loss_usdc", losses, limits.max_market_loss_usdc, found);
        }
        let (before, after) = (before.worst(), after.worst());
        found.check(Rule::Limit, after.orders <= limits.max_open_orders, || {
            format!("order {id} is the market's {}th, max_open_orders is {}", after.orders, limits.max_open_orders)
        });
        let i = order.outcome.index();
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
    fn check_wallet(
        &self,
        place: &PlaceOrder,
        market: MarketId,
        (before, after): (&MarketExposure, &MarketExposure),
        found: &mut Findings,
    ) {
        let (id, limits) = (place.id, self.limits);
        let mut elsewhere = Elsewhere::default();
        self.markets.keys().filter(|m| **m != market).for_each(|m| elsewhere.add(&self.exposure(*m)));
        let orders = elsewhere.orders.saturating_add(after.worst().orders);
        found.check(Rule::Limit, orders <= limits.max_wallet_orders, || {
            format!("order {id} is the wallet's {orders}th, max_wallet_orders is {}", limits.max_wallet_orders)
        });
        found.check(Rule::Limit, !before.is_empty() || elsewhere.markets < limits.max_markets, || {
            format!(
                "order {id} opens another market beside {}, max_markets is {}",
                elsewhere.markets, limits.max_markets
            )
        });
        let losses = (before.worst().loss + elsewhere.losses, after.worst().loss + elsewhere.losses);
        self.grows(place, "max_total_loss_usdc", losses, limits.max_total_loss_usdc, found);
        let at_work = (before.at_work() + elsewhere.at_work, after.at_work() + elsewhere.at_work);
        self.grows(place, "max_total_gross_usdc", at_work, limits.max_total_gross_usdc, found);
    }

    /// Limits of the groups that the market belongs to.
    fn check_groups(
        &self,
        place: &PlaceOrder,
        market: MarketId,
        (before, after): (&MarketExposure, &MarketExposure),
        found: &mut Findings,
    ) {
        for group in self.limits.groups.iter().filter(|group| group.covers(&self.card.slug)) {
            let others = self.cards.iter().filter(|(m, card)| **m != market && group.covers(&card.slug));
            let others = others.fold(GroupLoss::default(), |sum, (m, _)| sum.with(self.exposure(*m).losses()));
            let worst = |exposure: &MarketExposure| others.with(exposure.losses()).worst(group.exclusive);
            let name = format!("the group {}", group.name);
            self.grows(place, &name, (worst(before), worst(after)), group.max_loss_usdc, found);
        }
    }

    /// The limit of the instance, over the markets that it trades.
    fn check_instance(
        &self,
        place: &PlaceOrder,
        market: MarketId,
        order: &OpenOrder,
        own: &MarketExposure,
        found: &mut Findings,
    ) {
        let others = self.markets.iter().filter(|(m, left)| **m != market && !**left);
        let elsewhere: Usdc = others.map(|(m, _)| self.own(place.instance, *m).worst().loss).sum();
        let mut after = *own;
        after.add(order);
        let losses = (own.worst().loss + elsewhere, after.worst().loss + elsewhere);
        let name = format!("the instance {}", self.name);
        self.grows(place, &name, losses, self.limits.instance_limit(self.name), found);
    }

    /// A figure in dollars may be above its limit only if the order does not make it grow.
    fn grows(&self, place: &PlaceOrder, name: &str, (then, now): (Usdc, Usdc), limit: Usdc, found: &mut Findings) {
        found.check(Rule::Limit, now <= limit || now <= then, || {
            format!("order {} brings {now} about where {then} was; {name} allows {limit}", place.id)
        });
    }

    /// What one instance holds and has open in a market.
    pub fn own(&self, instance: InstanceId, market: MarketId) -> MarketExposure {
        let account = self.books.account(instance, market);
        let mut exposure = MarketExposure::new(account.shares, account.cost);
        let own = self.orders.open_in(market).filter(|own| own.place.instance == instance);
        own.for_each(|own| exposure.add(&own.open()));
        exposure
    }

    /// What all together hold and have open in a market.
    fn exposure(&self, market: MarketId) -> MarketExposure {
        let (mut held, mut cost) = ([Shares::ZERO; 2], [Usdc::ZERO; 2]);
        for account in self.books.market(market) {
            for i in 0..2 {
                held[i] += account.shares[i];
                cost[i] += account.cost[i];
            }
        }
        let mut exposure = MarketExposure::new(held, cost);
        for own in self.orders.open_in(market) {
            let account = self.books.account(own.place.instance, market);
            exposure.add_owned(&own.open(), &MarketExposure::new(account.shares, account.cost));
        }
        exposure
    }
}
