//! What limits are set on, kept from order to order: it is added up anew only where a fill, an order, a card or the book has changed.

use std::cell::Cell;

use oddsmith_domain::{InstanceId, MarketId, Outcome, Price, Shares, Side, Usdc};
use oddsmith_execution::{Ledger, Orders};
use oddsmith_risk::{Elsewhere, GroupLoss, GroupStanding, Limits, MarketExposure};

use crate::core::Engine;
use crate::market::Market;

/// How many levels of a side count as its depth.
const DEPTH_LEVELS: usize = 5;

/// What the holdings and open orders of a market come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// The last changes of the market's accounts and orders that are counted in.
    of: (u64, u64),
    /// All instances together.
    pub(crate) all: MarketExposure,
    /// What that is for the limits of the wallet.
    part: Elsewhere,
    /// Each instance that holds something or has an order open.
    own: Vec<(InstanceId, MarketExposure)>,
    /// What own orders are worth, by their side in YES terms.
    worth: [Usdc; 2],
}

impl Figures {
    /// Adds a market up.
    pub(crate) fn of(ledger: &Ledger, orders: &Orders, market: MarketId) -> Figures {
        Figures::default().anew(ledger, orders, market)
    }

    /// Adds a market up again, in the memory that it has.
    fn anew(self, ledger: &Ledger, orders: &Orders, market: MarketId) -> Figures {
        let mut own = self.own;
        own.clear();
        let mut figures = Figures { of: (ledger.changed(market), orders.changed(market)), own, ..Figures::default() };
        let (mut held, mut cost) = ([Shares::ZERO; 2], [Usdc::ZERO; 2]);
        for (instance, account) in ledger.market(market) {
            held = [held[0] + account.shares[0], held[1] + account.shares[1]];
            cost = [cost[0] + account.cost[0], cost[1] + account.cost[1]];
            figures.own.push((instance, MarketExposure::new(account.shares, account.cost)));
        }
        figures.all = MarketExposure::new(held, cost);
        for order in orders.open_in(market) {
            let (instance, open) = (order.place.instance, order.open());
            let account = ledger.account(instance, market);
            figures.all.add_owned(&open, &MarketExposure::new(account.shares, account.cost));
            let own = figures.own.iter().position(|(of, _)| *of == instance);
            let own = own.unwrap_or_else(|| {
                figures.own.push((instance, MarketExposure::default()));
                figures.own.len() - 1
            });
            if let Some((_, exposure)) = figures.own.get_mut(own) {
                exposure.add(&open);
            }
            let (side, price) = open.in_yes_terms();
            figures.worth[side as usize] += worth(side, price, open.size);
        }
        figures.part = Elsewhere::of(&figures.all);
        figures
    }

    /// What one instance holds and has open.
    pub(crate) fn own(&self, instance: InstanceId) -> MarketExposure {
        self.own.iter().find(|(of, _)| *of == instance).map(|(_, exposure)| *exposure).unwrap_or_default()
    }
}

/// What an order is worth to whoever rests there.
fn worth(side: Side, yes: Price, size: Shares) -> Usdc {
    match side {
        Side::Buy => size.cost_floor(yes),
        Side::Sell => size.cost_floor(yes.complement()),
    }
}

/// What the best levels of both sides of a book are worth, as long as the book stays as it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Depth(Cell<Option<(u64, [Usdc; 2])>>);

impl Market {
    /// What other people's orders on the best levels of the thinner side are worth. All of ours are taken off, wherever they rest:
    /// rather too little than too much.
    pub(crate) fn depth(&self) -> Usdc {
        let version = self.book.levels_version();
        let all = match self.depth.0.get() {
            Some((of, all)) if of == version => all,
            _ => {
                let all = [Side::Buy, Side::Sell].map(|side| {
                    let levels = self.book.levels(Outcome::Yes, side).take(DEPTH_LEVELS);
                    levels.map(|level| worth(side, level.price, level.size)).sum::<Usdc>()
                });
                self.depth.0.set(Some((version, all)));
                all
            }
        };
        let [bids, asks] = [Side::Buy, Side::Sell].map(|side| all[side as usize] - self.figures.worth[side as usize]);
        bids.min(asks)
    }
}

/// Sums over markets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// All markets together.
    everywhere: Elsewhere,
    /// Each configured group: its markets, and how often the figures of one of them have changed, or it came or went.
    groups: Vec<(Vec<MarketId>, u64)>,
}

/// A group that a market is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Membership {
    /// Its number in the configuration.
    group: usize,
    /// What its other markets can lose, and the number of their last change that is counted in.
    others: Option<(u64, GroupLoss)>,
}

impl Engine {
    /// Adds a market up again if its orders or holdings have changed.
    pub(crate) fn recount(&mut self, market: MarketId) {
        let now = (self.ledger.changed(market), self.orders.changed(market));
        let Some(known) = self.markets.get_mut(market.index()).filter(|known| known.figures.of != now) else { return };
        let (figures, everywhere) = (std::mem::take(&mut known.figures), &mut self.sums.everywhere);
        *everywhere = everywhere.without(&figures.part);
        known.figures = figures.anew(&self.ledger, &self.orders, market);
        *everywhere = everywhere.plus(&known.figures.part);
        known.recounts += 1;
        for membership in &known.groups {
            if let Some((_, changes)) = self.sums.groups.get_mut(membership.group) {
                *changes += 1;
            }
        }
        for instance in &mut self.instances {
            if let Some(wanted) = instance.wants.get_mut(&market) {
                let loss = known.figures.own(instance.id).worst().loss;
                instance.loss += loss - std::mem::replace(&mut wanted.loss, loss);
            }
        }
    }

    /// What all other markets come to.
    pub(crate) fn elsewhere(&self, known: &Market) -> Elsewhere {
        self.sums.everywhere.without(&known.figures.part)
    }

    /// Finds the groups that a market is in: when it gets its number, or another name.
    pub(crate) fn join_groups(&mut self, market: MarketId) {
        self.leave_groups(market);
        let limits = self.gate.limits();
        self.sums.groups.resize_with(limits.groups.len(), Default::default);
        let Some(known) = self.markets.get_mut(market.index()) else { return };
        known.groups = groups_of(limits, &known.card.slug).map(|group| Membership { group, others: None }).collect();
        for membership in &known.groups {
            if let Some((members, changes)) = self.sums.groups.get_mut(membership.group) {
                let at = members.partition_point(|member| *member < market);
                members.insert(at, market);
                *changes += 1;
            }
        }
    }

    fn leave_groups(&mut self, market: MarketId) {
        for (members, changes) in &mut self.sums.groups {
            if let Some(at) = members.iter().position(|member| *member == market) {
                members.remove(at);
                *changes += 1;
            }
        }
    }

    /// A market is followed no more.
    pub(crate) fn uncount(&mut self, market: &Market) {
        self.leave_groups(market.id);
        self.sums.everywhere = self.sums.everywhere.without(&market.figures.part);
    }

    /// Brings up to date what the other markets of a market's groups can lose.
    pub(crate) fn regroup(&mut self, market: MarketId) {
        let Some(known) = self.markets.get(market.index()) else { return };
        for n in 0..known.groups.len() {
            let Some(known) = self.markets.get(market.index()) else { return };
            let (Some(membership), recounts) = (known.groups.get(n).copied(), known.recounts) else { return };
            let Some((members, changes)) = self.sums.groups.get(membership.group) else { return };
            // The market's own changes are none of the others'.
            let of_others = changes.wrapping_sub(recounts);
            if membership.others.is_some_and(|(of, _)| of == of_others) {
                continue;
            }
            let others = members.iter().filter(|member| **member != market);
            let others = others.filter_map(|member| self.markets.get(member.index()));
            let others = others.fold(GroupLoss::default(), |sum, other| sum.with(other.figures.all.losses()));
            if let Some(membership) = self.markets.get_mut(market.index()).and_then(|known| known.groups.get_mut(n)) {
                membership.others = Some((of_others, others));
            }
        }
    }

    /// The groups of a market with what their other markets can lose, as [`Engine::regroup`] has found it.
    pub(crate) fn group_standings(&self, market: &Market) -> Vec<GroupStanding<'_>> {
        let limits = self.gate.limits();
        let of = |membership: &Membership| {
            let limit = limits.groups.get(membership.group)?;
            Some(GroupStanding {
                limit,
                others: membership.others.map_or_else(GroupLoss::default, |(_, others)| others),
            })
        };
        market.groups.iter().filter_map(of).collect()
    }

    /// Compares everything that is kept here with what it is made of.
    ///
    /// # Errors
    /// The first figure that is not what it should be, which no input brings about.
    pub fn check_figures(&mut self) -> Result<(), String> {
        let mut everywhere = Elsewhere::default();
        let ids: Vec<MarketId> = self.markets.iter().map(|market| market.id).collect();
        for &id in &ids {
            self.regroup(id);
            let Some(known) = self.markets.get(id.index()) else { continue };
            let anew = Figures { of: known.figures.of, ..Figures::of(&self.ledger, &self.orders, id) };
            if known.figures != anew {
                return Err(format!("market {}: kept {:?}, anew {anew:?}", id.0, known.figures));
            }
            everywhere.add(&anew.all);
            let slug = &known.card.slug;
            let groups: Vec<usize> = groups_of(self.gate.limits(), slug).collect();
            if !known.groups.iter().map(|membership| membership.group).eq(groups.iter().copied()) {
                return Err(format!("market {} is in other groups than {groups:?}", id.0));
            }
            for standing in self.group_standings(known) {
                let others = self.markets.iter().filter(|m| m.id != id && standing.limit.covers(&m.card.slug));
                let others = others.fold(GroupLoss::default(), |sum, other| sum.with(other.figures.all.losses()));
                if standing.others != others {
                    return Err(format!("market {}, group {}: the others' losses", id.0, standing.limit.name));
                }
            }
        }
        if everywhere != self.sums.everywhere {
            return Err(format!("kept {:?} of all markets, anew {everywhere:?}", self.sums.everywhere));
        }
        for instance in &self.instances {
            let loss: Usdc = instance.wants.values().map(|wanted| wanted.loss).sum();
            let anew: Usdc = instance
                .wants
                .keys()
                .filter_map(|id| self.markets.get(id.index()))
                .map(|market| market.figures.own(instance.id).worst().loss)
                .sum();
            if instance.loss != loss || loss != anew {
                return Err(format!("instance {}: kept {} and {loss}, anew {anew}", instance.name, instance.loss));
            }
        }
        let buys = |o: &&oddsmith_execution::Order| o.place.side() == Side::Buy;
        let reserved: Usdc = self.orders.open().filter(buys).map(|o| o.remaining().cost_ceil(o.place.price)).sum();
        if reserved != self.orders.reserved() {
            return Err(format!("kept {} reserved, anew {reserved}", self.orders.reserved()));
        }
        Ok(())
    }
}

fn groups_of<'a>(limits: &'a Limits, slug: &'a str) -> impl Iterator<Item = usize> + 'a {
    limits.groups.iter().enumerate().filter(move |(_, group)| group.covers(slug)).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{
        Address, ConditionId, ExchangeKind, FeeSchedule, Input, IntentId, MarketCard, OrderFields, OrderId, OrderState,
        OrderType, Payer, PlaceOrder, RunId, Setup, SignatureType, Tick, Time, TokenId,
    };
    use oddsmith_execution::ALL_STATES;
    use oddsmith_risk::GroupLimit;
    use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};
    use proptest::prelude::*;

    use super::*;
    use crate::{EngineConfig, InstanceConfig};

    const NOW: Time = Time { mono_ns: 1_000, wall_ns: 1_790_000_000 * Time::SECOND };

    fn card(n: u8) -> MarketCard {
        MarketCard {
            condition: ConditionId::parse(&format!("0x0{n}")).expect("a condition"),
            slug: format!("market-{n}"),
            question: String::new(),
            tokens: [TokenId::from_be_bytes([1 + n; 32]), TokenId::from_be_bytes([101 + n; 32])],
            outcomes: ["Yes".to_owned(), "No".to_owned()],
            tick: Some(Tick::Cent),
            min_size: Some(Shares::from_whole(5)),
            fee: Some(FeeSchedule::FREE),
            end_wall_s: None,
            neg_risk: false,
            accepting_orders: true,
            taker_delay_ms: 0,
            settlement: Default::default(),
        }
    }

    /// Three markets, two instances, a group of all markets and one of two.
    fn engine() -> Engine {
        let strategy = StrategyConfig::SkewedMaker(Parameters::default());
        let instance = |name: &str, markets: &str| InstanceConfig {
            name: name.to_owned(),
            markets: vec![markets.to_owned()],
            strategy: strategy.clone(),
            listener: Default::default(),
        };
        let group = |name: &str, markets: &[&str], exclusive| GroupLimit {
            name: name.to_owned(),
            markets: markets.iter().map(|m| (*m).to_owned()).collect(),
            exclusive,
            max_loss_usdc: Usdc::from_whole(100),
        };
        let mut config =
            EngineConfig { instances: vec![instance("a", "*"), instance("b", "market-1")], ..EngineConfig::default() };
        config.limits.groups = vec![group("all", &["*"], true), group("two", &["market-0", "market-1"], false)];
        let account = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266".parse().expect("an address");
        let setup = Setup {
            run: RunId([7; 16]),
            seed: [3; 32],
            account,
            payer: Payer::own(account),
            chain_id: 137,
            config: config.to_json().expect("json"),
        };
        let (mut engine, mut out) = (Engine::new(), Vec::new());
        engine.handle(&Input::Setup(Box::new(setup)), NOW, &mut out);
        (0..3).for_each(|n| engine.handle(&Input::Card(Box::new(card(n))), NOW, &mut out));
        engine
    }

    fn order(id: u8, (market, instance): (u32, u16), (yes, buys): (bool, bool), cents: u16, whole: i64) -> PlaceOrder {
        let (outcome, side) = (if yes { Outcome::Yes } else { Outcome::No }, if buys { Side::Buy } else { Side::Sell });
        PlaceOrder {
            id: OrderId([id; 32]),
            fields: OrderFields {
                salt: u64::from(id),
                maker: Address::default(),
                signer: Address::default(),
                token: TokenId::from_be_bytes([1; 32]),
                maker_amount: 0,
                taker_amount: 0,
                side,
                signature_type: SignatureType::Eoa,
                timestamp_ms: 0,
                metadata: [0; 32],
                builder: [0; 32],
            },
            exchange: ExchangeKind::Ctf,
            order_type: OrderType::Gtc,
            post_only: true,
            expiration_s: 0,
            asset: MarketId(market).asset(outcome),
            price: Price::from_units(cents * 100).expect("in range"),
            size: Shares::from_whole(whole),
            instance: InstanceId(instance),
            intent: IntentId(1),
            deadline_mono_ns: u64::MAX,
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Place(u8, (u32, u16), (bool, bool), u16, i64),
        Move(u8, OrderState),
        Fill(u8, i64),
        Undo(u8, i64),
        Split(u32, u16, i64),
        Rename(u32, u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let place = ((0u32..3, 0u16..2), (any::<bool>(), any::<bool>()), 1u16..100, 1i64..40);
        let step = prop_oneof![
            4 => (0u8..12, place).prop_map(|(id, (at, what, cents, whole))| Step::Place(id, at, what, cents, whole)),
            3 => (0u8..12, 0..ALL_STATES.len()).prop_map(|(id, state)| Step::Move(id, ALL_STATES[state])),
            3 => (0u8..12, 1i64..30).prop_map(|(id, whole)| Step::Fill(id, whole)),
            1 => (0u8..12, 1i64..10).prop_map(|(id, whole)| Step::Undo(id, whole)),
            1 => (0u32..3, 0u16..2, 1i64..30).prop_map(|(market, owner, whole)| Step::Split(market, owner, whole)),
            1 => (0u32..3, 0u8..5).prop_map(|(market, name)| Step::Rename(market, name)),
        ];
        prop::collection::vec(step, 1..40)
    }

    /// Takes a step; the market that it concerns.
    fn take(engine: &mut Engine, step: &Step) -> Option<MarketId> {
        let of = |engine: &Engine, id: &u8| engine.orders.get(&OrderId([*id; 32])).map(|order| order.place);
        match step {
            Step::Place(id, at, what, cents, whole) => {
                if of(engine, id).is_some() {
                    return None;
                }
                engine.orders.insert(order(*id, *at, *what, *cents, *whole), NOW);
                Some(MarketId(at.0))
            }
            Step::Move(id, to) => {
                let place = of(engine, id)?;
                engine.orders.transition(&place.id, *to, NOW);
                Some(place.asset.market())
            }
            Step::Fill(id, whole) => {
                let (place, size) = (of(engine, id)?, Shares::from_whole(*whole));
                engine.orders.filled(&place.id, size, NOW);
                let owner = (place.instance, place.asset.market());
                let notional = size.cost_ceil(place.price);
                let what = (place.asset.outcome(), place.side());
                engine.ledger.fill(owner, what, size, notional, Usdc::ZERO).expect("a size");
                Some(owner.1)
            }
            Step::Undo(id, whole) => {
                let place = of(engine, id)?;
                engine.orders.unfilled(&place.id, Shares::from_whole(*whole));
                Some(place.asset.market())
            }
            Step::Split(market, owner, whole) => {
                let place = (InstanceId(*owner), MarketId(*market));
                engine.ledger.split(place, Shares::from_whole(*whole)).expect("a size");
                Some(place.1)
            }
            Step::Rename(market, name) => {
                let renamed =
                    MarketCard { slug: format!("market-{name}"), ..card(u8::try_from(*market).expect("small")) };
                engine.handle(&Input::Card(Box::new(renamed)), NOW, &mut Vec::new());
                None
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        /// What is kept is what is added up anew, whatever happens to orders, accounts and cards.
        #[test]
        fn figures_that_are_kept_are_those_that_are_added_up_anew(steps in steps()) {
            let mut engine = engine();
            prop_assert_eq!(engine.check_figures(), Ok(()));
            for step in &steps {
                if let Some(market) = take(&mut engine, step) {
                    engine.recount(market);
                }
                prop_assert_eq!(engine.check_figures(), Ok(()), "after {:?}", step);
            }
        }

        /// Nothing that changes a figure is missed: without being added up again, each step that the check objects to has changed
        /// the number of the last change.
        #[test]
        fn a_change_shows_in_its_number(steps in steps()) {
            let mut engine = engine();
            for step in &steps {
                let market = take(&mut engine, step);
                if let Some(market) = market {
                    let known = engine.markets.get(market.index()).expect("a market");
                    let now = (engine.ledger.changed(market), engine.orders.changed(market));
                    let anew = Figures { of: known.figures.of, ..Figures::of(&engine.ledger, &engine.orders, market) };
                    prop_assert!(known.figures == anew || known.figures.of != now, "after {:?}", step);
                    engine.recount(market);
                }
            }
        }
    }

    #[test]
    fn what_was_not_added_up_again_is_found() {
        let mut engine = engine();
        engine.orders.insert(order(1, (0, 0), (true, true), 40, 10), NOW);
        assert!(engine.check_figures().is_err());
        engine.recount(MarketId(0));
        assert_eq!(engine.check_figures(), Ok(()));
    }
}
