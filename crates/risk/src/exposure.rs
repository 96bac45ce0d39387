//! What a market can cost at worst.

use oddsmith_domain::{Outcome, Price, Shares, Side, Usdc, planted};

/// An order that may still fill: one that rests, is on its way, or whose fate is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// The outcome.
    pub outcome: Outcome,
    /// The side.
    pub side: Side,
    /// The limit price.
    pub price: Price,
    /// What may still fill.
    pub size: Shares,
}

impl OpenOrder {
    /// Whether this order and another of the same account in the same market would meet. Buying NO at `1 - p` is selling YES at
    /// `p`, so orders of both tokens can meet.
    #[must_use]
    pub fn meets(&self, other: &OpenOrder) -> bool {
        let ((side, price), (other_side, other_price)) = (self.in_yes_terms(), other.in_yes_terms());
        match (side, other_side) {
            (Side::Buy, Side::Sell) => price >= other_price,
            (Side::Sell, Side::Buy) => price <= other_price,
            _ => false,
        }
    }

    /// Side and price of the equivalent order in YES.
    #[must_use]
    pub const fn in_yes_terms(&self) -> (Side, Price) {
        match self.outcome {
            Outcome::Yes => (self.side, self.price),
            Outcome::No => (self.side.opposite(), self.price.complement()),
        }
    }
}

/// One market's holdings and open orders, all instances together, added up for the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarketExposure {
    held: [Shares; 2],
    /// What the shares held have cost.
    cost: [Usdc; 2],
    open_buys: [Shares; 2],
    open_sells: [Shares; 2],
    /// What the open buys of an outcome cost if all of them fill.
    open_buy_cost: [Usdc; 2],
    /// By how much the loss still to come grows if the open sells of an outcome fill and the outcome wins: by `size * (1 - p)`,
    /// or by what the shares are worth above their cost, whichever is more, because a gain once made is not counted against a loss.
    open_sell_forgone: [Usdc; 2],
    orders: u32,
}

/// The figures that limits are set on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worst {
    /// Most shares of each outcome that could be held.
    pub position: [Shares; 2],
    /// Largest net position that could come about towards each outcome; negative when even the worst leaves the other in front.
    pub net: [Shares; 2],
    /// Most shares of both outcomes together.
    pub gross: Shares,
    /// The largest loss over both outcomes and every subset of the open orders filling. Never negative.
    pub loss: Usdc,
    /// Open orders.
    pub orders: u32,
}

impl MarketExposure {
    /// A market that holds these shares at this cost, with no open order yet.
    #[must_use]
    pub fn new(held: [Shares; 2], cost: [Usdc; 2]) -> MarketExposure {
        MarketExposure { held, cost, ..MarketExposure::default() }
    }

    /// What everything held has cost.
    #[must_use]
    pub fn cost_basis(&self) -> Usdc {
        self.cost[0] + self.cost[1]
    }

    /// Counts an open order in.
    pub fn add(&mut self, order: &OpenOrder) {
        let own = *self;
        self.add_owned(order, &own);
    }

    /// Counts an open order of one of several owners in, whose own holdings are `owner`'s.
    pub fn add_owned(&mut self, order: &OpenOrder, owner: &MarketExposure) {
        let i = order.outcome.index();
        self.orders = self.orders.saturating_add(1);
        match order.side {
            Side::Buy => {
                self.open_buys[i] += order.size;
                self.open_buy_cost[i] += order.size.cost_ceil(order.price);
            }
            Side::Sell => {
                self.open_sells[i] += order.size;
                self.open_sell_forgone[i] += owner.forgone(order);
            }
        }
    }

    fn forgone(&self, order: &OpenOrder) -> Usdc {
        let (i, by_price) = (order.outcome.index(), order.size.cost_ceil(order.price.complement()));
        let held = i128::from(self.held[i].micros());
        if held <= 0 {
            return by_price;
        }
        let cost = i128::from(self.cost[i].micros()) * i128::from(order.size.micros()) / held;
        let above_cost = i128::from(order.size.micros()).saturating_sub(cost);
        by_price.max(Usdc::from_micros(i64::try_from(above_cost).unwrap_or(i64::MAX)))
    }

    /// Whether an order can only bring the net position nearer to zero, whatever else of its direction fills too.
    #[must_use]
    pub fn is_reduced_by(&self, order: &OpenOrder) -> bool {
        let net = self.held[0] - self.held[1];
        match order.in_yes_terms().0 {
            Side::Buy => self.open_buys[0] + self.open_sells[1] + order.size <= -net,
            Side::Sell => self.open_sells[0] + self.open_buys[1] + order.size <= net,
        }
    }

    /// YES less NO of what is held.
    #[must_use]
    pub fn net_held(&self) -> Shares {
        self.held[0] - self.held[1]
    }

    /// The worst losses if YES wins and if NO wins; a negative one is a gain.
    #[must_use]
    pub fn losses(&self) -> [Usdc; 2] {
        Outcome::BOTH.map(|winner| {
            let (w, l) = (winner.index(), winner.complement().index());
            let payout = Usdc::from_micros(self.held[w].micros());
            self.cost_basis() - payout + self.open_buy_cost[l] + self.open_sell_forgone[w]
        })
    }

    /// What everything held has cost, and everything bid for would.
    #[must_use]
    pub fn at_work(&self) -> Usdc {
        self.cost_basis() + self.open_buy_cost[0] + self.open_buy_cost[1]
    }

    /// Whether nothing is held and nothing open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.orders == 0 && self.held == [Shares::ZERO; 2]
    }

    /// The worst that holdings and open orders can come to.
    ///
    /// If YES wins, held YES pay one dollar each; a fill of an open NO buy loses its cost, a fill of an open YES sell forgoes
    /// what the share would have paid beyond its price, and every other fill only helps. If NO wins, the mirror.
    #[must_use]
    pub fn worst(&self) -> Worst {
        let [if_yes, if_no] = self.losses();
        let loss = if_yes.max(if_no).max(Usdc::ZERO);
        if planted!(PendingUncounted) {
            let [yes, no] = self.held;
            return Worst { position: [yes, no], net: [yes - no, no - yes], gross: yes + no, loss, orders: 0 };
        }
        let [yes, no] = [0, 1].map(|i| self.held[i] + self.open_buys[i]);
        let net = [yes - self.held[1] + self.open_sells[1], no - self.held[0] + self.open_sells[0]];
        Worst { position: [yes, no], net, gross: yes + no, loss, orders: self.orders }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(outcome: Outcome, side: Side, units: u16, whole: i64) -> OpenOrder {
        let price = Price::from_units(units).expect("in range");
        OpenOrder { outcome, side, price, size: Shares::from_whole(whole) }
    }

    #[test]
    fn a_bid_can_lose_its_cost() {
        let mut exposure = MarketExposure::default();
        exposure.add(&order(Outcome::Yes, Side::Buy, 4_000, 100));
        assert_eq!(exposure.worst().loss, Usdc::from_whole(40));
        exposure.add(&order(Outcome::No, Side::Buy, 5_000, 100));
        // Only one of the two can lose; if both fill, each completes the other.
        assert_eq!(exposure.worst().loss, Usdc::from_whole(50));
    }

    #[test]
    fn a_held_pair_cannot_lose_more_than_it_cost_above_a_dollar() {
        let held = [Shares::from_whole(60); 2];
        let exposure = MarketExposure::new(held, ["30".parse().expect("decimal"), "28.2".parse().expect("decimal")]);
        assert_eq!(exposure.worst().loss, Usdc::ZERO);
    }

    #[test]
    fn orders_of_both_tokens_can_meet() {
        let buy_yes = order(Outcome::Yes, Side::Buy, 6_000, 10);
        assert!(buy_yes.meets(&order(Outcome::No, Side::Buy, 4_000, 10)));
        assert!(!buy_yes.meets(&order(Outcome::No, Side::Buy, 3_900, 10)));
        assert!(buy_yes.meets(&order(Outcome::Yes, Side::Sell, 6_000, 10)));
        assert!(!buy_yes.meets(&order(Outcome::No, Side::Sell, 4_000, 10)));
    }

    proptest! {
        /// The closed form against every subset of fills, tried one by one.
        #[test]
        fn the_worst_loss_is_the_worst_of_all_subsets(
            held in prop::array::uniform2(0i64..50),
            cost in prop::array::uniform2(0i64..40),
            orders in prop::collection::vec((any::<bool>(), any::<bool>(), 1u16..100, 1i64..20), 0..6),
        ) {
            let held = held.map(Shares::from_whole);
            let cost = [0, 1].map(|i| Usdc::from_whole(if held[i].is_zero() { 0 } else { cost[i] }));
            let orders: Vec<_> = orders
                .into_iter()
                .map(|(yes, buy, cents, whole)| {
                    let outcome = if yes { Outcome::Yes } else { Outcome::No };
                    order(outcome, if buy { Side::Buy } else { Side::Sell }, cents * 100, whole)
                })
                .collect();
            let mut exposure = MarketExposure::new(held, cost);
            orders.iter().for_each(|o| exposure.add(o));

            let mut worst = 0i64;
            for subset in 0..(1u32 << orders.len()) {
                let mut shares = held.map(Shares::micros);
                let mut spent = cost[0].micros() + cost[1].micros();
                for (_, o) in orders.iter().enumerate().filter(|(i, _)| subset >> i & 1 == 1) {
                    let (i, paid) = (o.outcome.index(), o.size.cost_ceil(o.price).micros());
                    match o.side {
                        Side::Buy => { shares[i] += o.size.micros(); spent += paid; }
                        Side::Sell => {
                            shares[i] -= o.size.micros();
                            // What was paid for them, as far as the price pays it back.
                            let had = held[i].micros();
                            let own = if had == 0 { paid } else { cost[i].micros() * (o.size.micros() / 1_000_000) / (had / 1_000_000) };
                            spent -= paid.min(own);
                        }
                    }
                }
                worst = worst.max(spent - shares[0]).max(spent - shares[1]);
            }
            prop_assert_eq!(exposure.worst().loss.micros(), worst);
        }
    }
}
