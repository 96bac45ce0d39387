//! What must never be, looked at after every step: by what was said, against what the exchange knows.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{
    Action, AssetId, Command, ConditionId, Event, Input, InstanceId, Latch, LatchScope, Link, LinkState, MarketId,
    MarketSource, OrderId, OrderState, Outcome, Output, OutputBody, PlaceOrder, Price, Scope, Shares, Side, Time,
    TradeId, TradingMode, Usdc,
};
use oddsmith_engine::EngineConfig;
use oddsmith_exchange::core::UserId;
use oddsmith_exchange::server::Local;
use oddsmith_risk::Limits;

/// A proof that a book is current may be so much older than the engine's own limit: it looks ten times a second.
const STALE_SLACK_NS: u64 = 500 * Time::MILLI;

/// An order that the engine takes to be alive, or does not know to be dead.
#[derive(Clone, Copy, Debug)]
struct Shadow {
    asset: AssetId,
    side: Side,
    price: Price,
    size: Shares,
    /// What the order's state says is filled.
    stated: Shares,
    /// What its counted matches come to. A match may be counted before or after the state tells of it.
    counted: Shares,
}

impl Shadow {
    fn open(&self) -> Shares {
        (self.size - self.stated.max(self.counted)).max(Shares::ZERO)
    }
}

/// A fill that was counted, and where it is written down: which run, which record.
type Counted = (u32, u64);

/// Watches one engine after the other.
pub(super) struct Oracle {
    limits: Limits,
    stale_ns: u64,
    run: u32,
    records: u64,
    placed: BTreeSet<OrderId>,
    /// The salt of every order, with the number of its action and its market.
    salts: BTreeMap<u64, (u64, MarketId)>,
    actions: u64,
    /// The number of the last cancel of everything, and of everything in a market.
    all_canceled: u64,
    market_canceled: BTreeMap<MarketId, u64>,
    alive: BTreeMap<OrderId, Shadow>,
    fills: BTreeMap<(TradeId, OrderId), Counted>,
    /// Fills whose account has not been told yet. A restart takes over only what an account stands for.
    untold: Vec<((TradeId, OrderId), MarketId)>,
    /// What each instance holds in each market, as the engine said last.
    held: BTreeMap<(InstanceId, MarketId), [Shares; 2]>,
    wallet_in_doubt: bool,
    markets_in_doubt: BTreeSet<MarketId>,
    user_up: bool,
    shards: BTreeMap<u16, bool>,
    proofs: BTreeMap<u16, u64>,
    /// Markets whose books come from REST, and when the last such book came.
    degraded: BTreeSet<MarketId>,
    rest_proof: u64,
    stopped: bool,
    /// What is halted by a latch: kill switch, loss, breaker, or the operator's word.
    halted: BTreeSet<(LatchScope, Latch)>,
    conditions: BTreeMap<MarketId, ConditionId>,
    names: Vec<String>,
    resolved: BTreeSet<MarketId>,
    /// What was counted, over all runs.
    pub(super) orders: u64,
    pub(super) counted_fills: u64,
}

/// What the exchange knows, for comparison.
pub(super) struct Truth<'a> {
    pub(super) local: &'a Local,
    pub(super) user: UserId,
    /// The exchange's number of each of the engine's markets.
    pub(super) markets: &'a BTreeMap<MarketId, MarketId>,
}

impl Oracle {
    pub(super) fn new(config: &EngineConfig) -> Oracle {
        Oracle {
            limits: config.limits.clone(),
            stale_ns: config.timing.stale_book_ms * Time::MILLI + STALE_SLACK_NS,
            run: 0,
            records: 0,
            placed: BTreeSet::new(),
            salts: BTreeMap::new(),
            actions: 0,
            all_canceled: 0,
            market_canceled: BTreeMap::new(),
            alive: BTreeMap::new(),
            fills: BTreeMap::new(),
            untold: Vec::new(),
            held: BTreeMap::new(),
            wallet_in_doubt: false,
            markets_in_doubt: BTreeSet::new(),
            user_up: false,
            shards: BTreeMap::new(),
            proofs: BTreeMap::new(),
            degraded: BTreeSet::new(),
            rest_proof: 0,
            stopped: false,
            halted: BTreeSet::new(),
            conditions: BTreeMap::new(),
            names: Vec::new(),
            resolved: BTreeSet::new(),
            orders: 0,
            counted_fills: 0,
        }
    }

    /// The process was killed, and what it wrote down from this record on is lost. Another one begins.
    pub(super) fn restarted(&mut self, first_lost: u64) {
        let run = self.run;
        for (key, _) in std::mem::take(&mut self.untold) {
            self.fills.remove(&key);
        }
        self.fills.retain(|_, (of, record)| *of != run || *record < first_lost);
        self.run += 1;
        self.records = 0;
        self.alive.clear();
        self.held.clear();
        self.markets_in_doubt.clear();
        self.wallet_in_doubt = true;
        self.user_up = false;
        self.shards.clear();
        self.proofs.clear();
        self.degraded.clear();
        self.halted.clear();
        self.resolved.clear();
        self.stopped = false;
    }

    /// Looks at an input and at what came of it.
    ///
    /// # Errors
    /// What must never be.
    pub(super) fn observe(
        &mut self,
        input: &Input<'_>,
        now: Time,
        outputs: &[Output],
        truth: &Truth<'_>,
    ) -> Result<(), String> {
        self.records += 1;
        self.take_input(input, now);
        for output in outputs {
            self.records += 1;
            match &output.body {
                OutputBody::Action(action) => {
                    self.actions += 1;
                    match action {
                        Action::Place(order) => self.on_place(order, now)?,
                        Action::CancelAll => self.all_canceled = self.actions,
                        Action::CancelMarket { market } => {
                            self.market_canceled.insert(*market, self.actions);
                        }
                        _ => {}
                    }
                }
                OutputBody::Event(event) => self.on_event(event, truth)?,
            }
        }
        Ok(())
    }

    /// Looks at a request that leaves: none may carry an order that was made before the last cancel of its scope.
    ///
    /// # Errors
    /// What must never be.
    pub(super) fn on_request(&self, bytes: &[u8]) -> Result<(), String> {
        const SALT: &[u8] = b"\"salt\":";
        if !bytes.starts_with(b"POST /order") {
            return Ok(());
        }
        for at in bytes.windows(SALT.len()).enumerate().filter(|(_, window)| *window == SALT).map(|(at, _)| at) {
            let digits = bytes[at + SALT.len()..].iter().skip_while(|byte| **byte == b'"');
            let digits = digits.take_while(|byte| byte.is_ascii_digit());
            let salt = digits.fold(0u64, |salt, digit| salt.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
            let Some((made, market)) = self.salts.get(&salt) else {
                return Err(format!("an order of salt {salt} leaves, and nobody made it"));
            };
            let canceled = self.market_canceled.get(market).copied().unwrap_or(0).max(self.all_canceled);
            if *made < canceled {
                return Err(format!("the order of salt {salt} leaves after its scope was cancelled"));
            }
        }
        Ok(())
    }

    fn take_input(&mut self, input: &Input<'_>, now: Time) {
        match input {
            Input::Market { source: MarketSource::Shard(shard), .. } => {
                self.proofs.insert(*shard, now.mono_ns);
            }
            Input::Market { source: MarketSource::Rest, .. } => self.rest_proof = now.mono_ns,
            Input::Link { link: Link::Market(shard), state } => {
                let up = matches!(state, LinkState::Up | LinkState::Alive);
                self.shards.insert(*shard, up);
                if up {
                    self.proofs.insert(*shard, now.mono_ns);
                }
            }
            Input::Link { link: Link::User, state } => self.user_up = matches!(state, LinkState::Up | LinkState::Alive),
            Input::Command(command) => match command {
                Command::Stop | Command::Shutdown | Command::Kill => self.stopped = true,
                Command::Resume | Command::Reset => self.stopped = false,
                Command::Reduce(_) | Command::Halt(_) | Command::Activate(_) => {}
            },
            _ => {}
        }
    }

    fn on_place(&mut self, order: &PlaceOrder, now: Time) -> Result<(), String> {
        let (id, market) = (order.id, order.asset.market());
        let shard = market.shard();
        let (connected, proven) = if self.degraded.contains(&market) {
            (true, Some(self.rest_proof))
        } else {
            (self.shards.get(&shard) != Some(&false), self.proofs.get(&shard).copied())
        };
        let why_not = match () {
            () if !self.placed.insert(id) => Some("its id was used before"),
            () if self.salts.insert(order.fields.salt, (self.actions, market)).is_some() => {
                Some("its salt was used before")
            }
            () if self.stopped => Some("the engine was told to stop"),
            () if self.is_halted(order) => Some("a latch halts it"),
            () if self.resolved.contains(&market) => Some("its market is decided"),
            () if self.wallet_in_doubt => Some("the wallet is in doubt"),
            () if self.markets_in_doubt.contains(&market) => Some("its market is in doubt"),
            () if !self.user_up => Some("the user channel is down"),
            () if !connected => Some("its market's connection is down or silent"),
            () if proven.is_none_or(|at| now.mono_ns - at > self.stale_ns) => {
                Some("nothing proves its market's book current")
            }
            () => None,
        };
        if let Some(why) = why_not {
            return Err(format!("order {id} in market {} was placed although {why}", market.0));
        }
        self.orders += 1;
        let shadow = Shadow {
            asset: order.asset,
            side: order.side(),
            price: order.price,
            size: order.size,
            stated: Shares::ZERO,
            counted: Shares::ZERO,
        };
        self.alive.insert(id, shadow);
        self.check_limits(id, &shadow)
    }

    fn is_halted(&self, order: &PlaceOrder) -> bool {
        let condition = self.conditions.get(&order.asset.market());
        let name = self.names.get(usize::from(order.instance.0));
        self.halted.iter().any(|(scope, _)| match scope {
            LatchScope::Wallet => true,
            LatchScope::Market(halted) => Some(halted) == condition,
            LatchScope::Instance(halted) => Some(halted) == name,
        })
    }

    /// Whether everything that the engine holds and may still get stays within the limits, this order included.
    fn check_limits(&self, id: OrderId, order: &Shadow) -> Result<(), String> {
        let limits = &self.limits;
        let market = order.asset.market();
        let paid = if order.side == Side::Buy { order.price } else { order.price.complement() };
        let open: Vec<&Shadow> = self.alive.values().filter(|shadow| shadow.asset.market() == market).collect();
        let held = self.held.iter().filter(|((_, of), _)| *of == market).map(|(_, held)| held);
        let mut matched = [Shares::ZERO; 2];
        for (sum, part) in held.flat_map(|held| (0..2).zip(*held)) {
            if let Some(sum) = matched.get_mut(sum) {
                *sum += part;
            }
        }
        let sum = |outcome: Outcome, side: Side| -> Shares {
            let of = open.iter().filter(|shadow| shadow.asset.outcome() == outcome && shadow.side == side);
            of.map(|shadow| shadow.open()).sum()
        };
        let buys = Outcome::BOTH.map(|outcome| sum(outcome, Side::Buy));
        let sells = Outcome::BOTH.map(|outcome| sum(outcome, Side::Sell));
        let outcome = order.asset.outcome().index();
        let grows = order.side == Side::Buy;
        let up = matched[0] + buys[0] - matched[1] + sells[1];
        let down = matched[1] + buys[1] - matched[0] + sells[0];
        let raises_yes = (order.asset.outcome() == Outcome::Yes) == (order.side == Side::Buy);
        let net = if raises_yes { up } else { down };
        let position = matched[outcome] + buys[outcome];
        let gross = matched[0] + matched[1] + buys[0] + buys[1];
        let count = u32::try_from(open.len()).unwrap_or(u32::MAX);
        let broken = match () {
            () if order.size > limits.max_order_shares => Some(("max_order_shares", order.size.to_string())),
            () if order.size.cost_ceil(paid) > limits.max_order_usdc => {
                Some(("max_order_usdc", order.size.cost_ceil(paid).to_string()))
            }
            () if count > limits.max_open_orders => Some(("max_open_orders", count.to_string())),
            () if grows && position > limits.max_position_shares => Some(("max_position_shares", position.to_string())),
            () if grows && gross > limits.max_gross_shares => Some(("max_gross_shares", gross.to_string())),
            () if net > limits.max_net_shares => Some(("max_net_shares", net.to_string())),
            () => None,
        };
        match broken {
            Some((limit, value)) => Err(format!("order {id} in market {} exceeds {limit}: {value}", market.0)),
            None => Ok(()),
        }
    }

    fn on_event(&mut self, event: &Event, truth: &Truth<'_>) -> Result<(), String> {
        match event {
            Event::Order { order, to, filled, .. } => {
                if to.is_final() {
                    self.alive.remove(order);
                    check_dead(truth, order, *to)?;
                } else if let Some(shadow) = self.alive.get_mut(order) {
                    shadow.stated = *filled;
                }
            }
            Event::IllegalTransition { order, from, to } => {
                return Err(format!("order {order} was to go from {from:?} to {to:?}"));
            }
            Event::Fill { trade, order, asset, side, size, fee, .. } => {
                self.counted_fills += 1;
                if let Some(before) = self.fills.insert((*trade, *order), (self.run, self.records)) {
                    return Err(format!(
                        "match {trade} of order {order} was counted twice, first in run {} record {}",
                        before.0, before.1
                    ));
                }
                if let Some(shadow) = self.alive.get_mut(order) {
                    shadow.counted += *size;
                }
                self.untold.push(((*trade, *order), asset.market()));
                check_fill(truth, (trade, order), (*asset, *side), *size, *fee)?;
            }
            Event::Ledger { instance, market, account } => {
                let told = (self.run, self.records);
                for (key, _) in self.untold.extract_if(.., |(_, of)| of == market) {
                    self.fills.insert(key, told);
                }
                if account.cash != account.realized - account.cost_basis() || !account.balances() {
                    return Err(format!(
                        "instance {} in market {}: cash {} is not realised {} less cost {}",
                        instance.0,
                        market.0,
                        account.cash,
                        account.realized,
                        account.cost_basis()
                    ));
                }
                self.held.insert((*instance, *market), account.shares);
            }
            Event::DoubtBegan { scope: Scope::Wallet, .. } => self.wallet_in_doubt = true,
            Event::DoubtEnded { scope: Scope::Wallet } => self.wallet_in_doubt = false,
            Event::DoubtBegan { scope: Scope::Market(market), .. } => {
                self.markets_in_doubt.insert(*market);
            }
            Event::DoubtEnded { scope: Scope::Market(market) } => {
                self.markets_in_doubt.remove(market);
            }
            Event::DoubtCleared { scope } => return check_cleared(*scope, truth),
            Event::IllegalSettlement { trade, order, .. } => {
                return Err(format!("the settlement of match {trade} of order {order} contradicts itself"));
            }
            Event::Latched(latched) if latched.latch.mode() == TradingMode::Halted => {
                self.halted.insert((latched.scope.clone(), latched.latch));
            }
            Event::Unlatched { scope, latch } => {
                self.halted.remove(&(scope.clone(), *latch));
            }
            Event::Degraded { market, on: true } => {
                self.degraded.insert(*market);
            }
            Event::Degraded { market, on: false } => {
                self.degraded.remove(market);
            }
            Event::Began { instances, .. } => self.names.clone_from(instances),
            Event::Numbered { market, card } => {
                self.conditions.insert(*market, card.condition);
            }
            Event::Resolved { market, .. } => {
                self.resolved.insert(*market);
            }
            Event::Undecodable { why, .. } => return Err(format!("the venue's bytes were not understood: {why}")),
            _ => {}
        }
        Ok(())
    }
}

/// A fill must be one of the exchange's, with its size and its fee.
fn check_fill(
    truth: &Truth<'_>,
    (trade, order): (&TradeId, &OrderId),
    (asset, side): (AssetId, Side),
    size: Shares,
    fee: Usdc,
) -> Result<(), String> {
    let found = truth.local.with_core(|core| {
        let known = core.trade(trade)?;
        known.legs().find(|leg| leg.order == *order).map(|leg| (known.market, leg.clone()))
    });
    let Some((listed, leg)) = found else {
        return Err(format!("match {trade} of order {order} was counted, and the exchange does not know it"));
    };
    let market = truth.markets.get(&asset.market()).copied();
    let right = market == Some(listed) && asset.outcome() == leg.outcome && side == leg.side;
    if !right || size != leg.shares || fee != leg.fee {
        return Err(format!(
            "match {trade} of order {order} was counted as {} {size} with fee {fee}; the exchange has {} {} with fee {}",
            side.as_str(),
            leg.side.as_str(),
            leg.shares,
            leg.fee
        ));
    }
    Ok(())
}

/// What the engine takes for dead is not alive. Less than a lot can be left of a filled one: nobody can order so little, and what the
/// exchange may still match of it is counted like any match.
fn check_dead(truth: &Truth<'_>, order: &OrderId, state: OrderState) -> Result<(), String> {
    let left = |left: Shares| left >= Shares::LOT || state != OrderState::Filled;
    let alive = truth
        .local
        .with_core(|core| core.order(order).is_some_and(|found| found.status.is_open() && left(found.remaining())));
    if alive { Err(format!("order {order} is taken for {state:?} and is alive at the exchange")) } else { Ok(()) }
}

/// After a confirmed cancel no order of its scope is alive.
fn check_cleared(scope: Scope, truth: &Truth<'_>) -> Result<(), String> {
    let of = match scope {
        Scope::Wallet => None,
        Scope::Market(market) => truth.markets.get(&market).copied(),
        // An instance's orders are not the venue's to cancel as a scope.
        Scope::Instance(_) => return Ok(()),
    };
    let alive = truth.local.with_core(|core| {
        let mut open = core.open_orders(truth.user);
        open.find(|order| of.is_none_or(|market| order.market == market)).map(|order| order.id)
    });
    match alive {
        Some(order) => Err(format!("order {order} is alive after everything in {scope:?} was cancelled")),
        None => Ok(()),
    }
}
