//! The facts of a run, folded from what came out of it, for the run that goes on after it.
//!
//! Nothing is decided here a second time: orders, fills, sub-accounts, capital and latches are what the events say they are. A fill counts
//! only together with the sub-account that was told after it, so that a journal which was cut between the two knows neither; the venue
//! reports the match again.

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{
    Action, Address, AssetId, BasketLeg, BasketPart, BasketState, DoubtCause, Event, Input, InstanceId, MarketCard,
    MarketId, OrderId, OrderState, Output, OutputBody, Price, ProfitMark, Restore, RestoredAccount, RestoredBasket,
    RestoredBooking, RestoredFill, RestoredMarket, RestoredOrder, RunId, Scope, Shares, SubAccount, Time, TradeStatus,
    Usdc, planted,
};
use oddsmith_risk::Latches;

use crate::fills::FillKey;

/// How many finished orders are kept, so that a late fill finds its owner.
const KEPT_ORDERS: usize = 1_000;
/// How many finally settled fills are kept, so that none is counted again.
const KEPT_FILLS: usize = 3_000;
/// How far before its end a run's matches are read again, in seconds.
const OVERLAP_S: u64 = 600;

/// What a run knows of itself and its account, at some point of its journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    run: RunId,
    account: Address,
    names: Vec<String>,
    markets: BTreeMap<MarketId, RestoredMarket>,
    orders: BTreeMap<OrderId, Known>,
    /// Orders in the sequence in which they were finished.
    finished: VecDeque<OrderId>,
    fills: BTreeMap<FillKey, Option<RestoredBooking>>,
    /// Fills in the sequence in which they became final.
    settled: VecDeque<FillKey>,
    /// The time of the latest final fill that was forgotten, in seconds since the Unix epoch.
    forgotten_s: u64,
    accounts: BTreeMap<(MarketId, InstanceId), SubAccount>,
    capital: Option<Usdc>,
    latches: Latches,
    profit: Option<ProfitMark>,
    stopped: bool,
    /// Baskets on their way.
    baskets: BTreeMap<InstanceId, RestoredBasket>,
    /// The venue's matches from this second on were not read yet since the run began.
    unread_s: Option<u64>,
    /// Told, but not yet in a sub-account.
    pending: Vec<Pending>,
    orders_made: u64,
    last_wall_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Known {
    order: RestoredOrder,
    /// The sequence of making.
    made: u64,
}

/// Something that the next word about a sub-account will contain.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pending {
    Fill(FillKey, RestoredBooking),
    Settlement(FillKey, TradeStatus),
}

impl Facts {
    /// Takes an input in. Only [`Input::Restore`] carries facts; it comes after the event that tells the names of the instances.
    pub fn input(&mut self, input: &Input<'_>) {
        if let Input::Restore(restore) = input
            && restore.account == self.account
        {
            self.take_over(restore);
        }
    }

    /// Takes in what came out of the engine at this time. Outputs come in the order of the journal.
    pub fn apply(&mut self, output: &Output, now: Time) {
        self.last_wall_ns = now.wall_ns;
        match &output.body {
            OutputBody::Action(Action::Place(place)) => {
                let order = RestoredOrder { place: **place, state: OrderState::PendingNew, filled: Shares::ZERO };
                self.make(order);
            }
            OutputBody::Action(_) => {}
            OutputBody::Event(event) => self.event(event, now),
        }
    }

    fn event(&mut self, event: &Event, now: Time) {
        match event {
            Event::Began { run, account, instances } => {
                (self.run, self.account, self.names) = (*run, *account, instances.clone());
            }
            Event::Numbered { market, card } => self.number(*market, card),
            Event::Order { order, to, .. } => self.stand(order, *to),
            Event::Fill { trade, order, instance, asset, side, size, movement, matched_s, .. } => {
                let booking = RestoredBooking {
                    owner: instance.unwrap_or(InstanceId::WALLET),
                    asset: *asset,
                    side: *side,
                    size: *size,
                    status: TradeStatus::Matched,
                    movement: *movement,
                    matched_s: if *matched_s == 0 { now.wall_s() } else { *matched_s },
                };
                self.pending.push(Pending::Fill(FillKey { trade: *trade, order: *order }, booking));
            }
            Event::Settlement { trade, order, status } => {
                self.pending.push(Pending::Settlement(FillKey { trade: *trade, order: *order }, *status));
            }
            Event::Ledger { instance, market, account } => {
                self.accounts.insert((*market, *instance), *account);
                self.commit((*market, *instance));
            }
            Event::BasketTaken { instance, basket, what, .. } => {
                let part = |leg: &BasketLeg| BasketPart {
                    market: leg.market,
                    outcome: leg.outcome,
                    side: leg.side,
                    got: Shares::ZERO,
                    undone: Shares::ZERO,
                };
                let (state, parts) = (BasketState::Entering, what.legs.iter().map(part).collect());
                let begun = RestoredBasket { instance: *instance, basket: *basket, state, parts };
                self.baskets.insert(*instance, begun);
            }
            Event::Basket { instance, state, .. } if state.is_final() => drop(self.baskets.remove(instance)),
            Event::Basket { instance, basket, state, parts, .. } => {
                let stands =
                    RestoredBasket { instance: *instance, basket: *basket, state: *state, parts: parts.clone() };
                self.baskets.insert(*instance, stands);
            }
            Event::Capital { capital, .. } => self.capital = Some(*capital),
            Event::Resolved { market, yes, .. } => self.resolve(*market, *yes),
            Event::Latched(_) | Event::Unlatched { .. } => self.latches.apply(event),
            Event::Profit(mark) => self.profit = Some(*mark),
            Event::DoubtBegan { scope: Scope::Wallet, cause: DoubtCause::Operator } => self.stopped = true,
            Event::DoubtBegan { scope: Scope::Wallet, cause: DoubtCause::Shutdown }
            | Event::DoubtEnded { scope: Scope::Wallet } => self.stopped = false,
            // The account was read whole.
            Event::DoubtCleared { scope: Scope::Wallet } => self.unread_s = None,
            _ => {}
        }
    }

    fn number(&mut self, market: MarketId, card: &MarketCard) {
        let resolved = self.markets.get(&market).and_then(|known| known.resolved);
        self.markets.insert(market, RestoredMarket { card: card.clone(), resolved });
    }

    fn resolve(&mut self, market: MarketId, yes: Price) {
        if let Some(known) = self.markets.get_mut(&market) {
            known.resolved = Some(yes);
        }
    }

    fn make(&mut self, order: RestoredOrder) {
        self.orders_made += 1;
        let id = order.place.id;
        if order.state.is_final() {
            self.finished.push_back(id);
        }
        self.orders.insert(id, Known { order, made: self.orders_made });
    }

    fn stand(&mut self, id: &OrderId, to: OrderState) {
        let Some(known) = self.orders.get_mut(id) else { return };
        let was_final = known.order.state.is_final();
        known.order.state = to;
        if to.is_final() && !was_final {
            self.finished.push_back(*id);
        }
        if self.finished.len() > KEPT_ORDERS
            && let Some(oldest) = self.finished.pop_front()
        {
            self.orders.remove(&oldest);
        }
    }

    /// A sub-account was told: what led to it counts from now on.
    fn commit(&mut self, place: (MarketId, InstanceId)) {
        let told = std::mem::take(&mut self.pending);
        for pending in told.iter().copied() {
            let belongs = self.place_of(&pending, &told).is_none_or(|own| own == place);
            match pending {
                _ if !belongs => self.pending.push(pending),
                Pending::Fill(key, booking) => self.book(key, booking),
                Pending::Settlement(key, status) => self.settle(key, status),
            }
        }
    }

    /// The sub-account that a word is about. A settlement's is that of its fill, which may still be pending itself.
    fn place_of(&self, pending: &Pending, told: &[Pending]) -> Option<(MarketId, InstanceId)> {
        let at = |booking: &RestoredBooking| (booking.asset.market(), booking.owner);
        match pending {
            Pending::Fill(_, booking) => Some(at(booking)),
            Pending::Settlement(key, _) => match self.fills.get(key) {
                Some(booked) => booked.as_ref().map(at),
                None => told.iter().find_map(|other| match other {
                    Pending::Fill(own, booking) if own == key => Some(at(booking)),
                    _ => None,
                }),
            },
        }
    }

    fn book(&mut self, key: FillKey, booking: RestoredBooking) {
        if let Some(known) = self.orders.get_mut(&key.order) {
            known.order.filled += booking.size;
        }
        if planted!(RestartLosesFill) {
            return;
        }
        self.fills.insert(key, Some(booking));
        if is_final(booking.status) {
            self.finish(key);
        }
    }

    fn settle(&mut self, key: FillKey, status: TradeStatus) {
        match self.fills.get_mut(&key) {
            Some(Some(booked)) => {
                booked.status = status;
                let size = booked.size;
                if status == TradeStatus::Failed
                    && let Some(known) = self.orders.get_mut(&key.order)
                {
                    known.order.filled = (known.order.filled - size).max(Shares::ZERO);
                }
            }
            Some(None) => return,
            // It had failed before it was heard of.
            None => {
                self.fills.insert(key, None);
            }
        }
        if is_final(status) {
            self.finish(key);
        }
    }

    fn finish(&mut self, key: FillKey) {
        self.settled.push_back(key);
        if self.settled.len() > KEPT_FILLS
            && let Some(oldest) = self.settled.pop_front()
            && let Some(booked) = self.fills.remove(&oldest)
        {
            self.forgotten_s = self.forgotten_s.max(booked.map_or(0, |b| b.matched_s));
        }
    }

    /// Takes over the facts of the run before, under the names that this run has.
    fn take_over(&mut self, restore: &Restore) {
        let owners = owners(restore, &self.names);
        for (n, market) in (0u32..).zip(&restore.markets) {
            self.markets.insert(MarketId(n), market.clone());
        }
        for order in &restore.orders {
            let mut order = *order;
            order.place.instance = owner(&owners, order.place.instance);
            self.make(order);
        }
        for fill in &restore.fills {
            let key = FillKey { trade: fill.trade, order: fill.order };
            let booked = fill.booked.map(|b| RestoredBooking { owner: owner(&owners, b.owner), ..b });
            self.fills.insert(key, booked);
            if booked.is_none_or(|b| is_final(b.status)) {
                self.finish(key);
            }
        }
        self.accounts = accounts(restore, &self.names);
        self.forgotten_s = restore.trades_since_s.saturating_sub(1);
        self.unread_s = Some(restore.trades_since_s);
        self.capital = restore.capital;
        self.profit = restore.profit;
        self.stopped = restore.stopped;
        restore.latches.iter().for_each(|l| self.latches.apply(&Event::Latched(l.clone())));
        self.last_wall_ns = self.last_wall_ns.max(restore.ended_wall_ns);
    }

    /// The run that these facts are of; the default before it began.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// The sub-accounts as they were told last.
    pub fn accounts(&self) -> impl Iterator<Item = (InstanceId, MarketId, &SubAccount)> {
        self.accounts.iter().map(|(&(market, instance), account)| (instance, market, account))
    }

    /// The orders that are kept: id, state, and how much of each the fills account for.
    pub fn orders(&self) -> impl Iterator<Item = (&OrderId, OrderState, Shares)> {
        self.orders.iter().map(|(id, known)| (id, known.order.state, known.order.filled))
    }

    /// What the next run takes over.
    #[must_use]
    pub fn into_restore(self) -> Restore {
        let trades_since_s = self.trades_since_s();
        let (mut numbers, mut markets) = (BTreeMap::new(), Vec::new());
        for (market, known) in &self.markets {
            if self.is_alive(*market, trades_since_s) {
                numbers.insert(*market, MarketId(u32::try_from(markets.len()).unwrap_or(u32::MAX)));
                markets.push(known.clone());
            }
        }
        let asset = |asset: AssetId| numbers.get(&asset.market()).map(|market| market.asset(asset.outcome()));
        let mut orders: Vec<Known> = self.orders.into_values().collect();
        orders.sort_by_key(|known| known.made);
        let orders = orders.into_iter().filter_map(|Known { mut order, .. }| {
            order.place.asset = asset(order.place.asset)?;
            Some(order)
        });
        let fill = |key: &FillKey, booked: &Option<RestoredBooking>| {
            let booked = match booked {
                Some(b) => Some(RestoredBooking { asset: asset(b.asset)?, ..*b }),
                None => None,
            };
            Some(RestoredFill { trade: key.trade, order: key.order, booked })
        };
        let open = self.fills.iter().filter(|(_, booked)| booked.is_some_and(|b| !is_final(b.status)));
        let ended = self.settled.iter().filter_map(|key| self.fills.get_key_value(key));
        let fills = ended.chain(open).filter_map(|(key, booked)| fill(key, booked)).collect();
        let part = |part: BasketPart| Some(BasketPart { market: *numbers.get(&part.market)?, ..part });
        let baskets = self.baskets.into_values().map(|mut basket| {
            basket.parts = basket.parts.into_iter().filter_map(part).collect();
            basket
        });
        let baskets = baskets.collect();
        Restore {
            run: self.run,
            account: self.account,
            ended_wall_ns: self.last_wall_ns,
            trades_since_s,
            orders: orders.collect(),
            fills,
            accounts: closed(&self.accounts, &numbers),
            instances: self.names,
            markets,
            capital: self.capital,
            latches: self.latches.iter().cloned().collect(),
            profit: self.profit,
            stopped: self.stopped,
            baskets,
        }
    }

    /// From when on the venue's matches must be read: before everything that is open, and a while before the end. The latest match that is
    /// known has the venue's time, so that a clock of ours that ran ahead hides nothing; behind it are only matches that are not known.
    fn trades_since_s(&self) -> u64 {
        let matched = || self.fills.values().flatten().map(|b| (b.matched_s, is_final(b.status)));
        let latest = matched().map(|(at, _)| at).max().unwrap_or(u64::MAX);
        let last = (self.last_wall_ns / Time::SECOND).min(latest).saturating_sub(OVERLAP_S);
        let open = matched().filter(|(_, ended)| !ended).map(|(at, _)| at).min().unwrap_or(last);
        // Nothing that was forgotten may come again.
        open.min(last).min(self.unread_s.unwrap_or(last)).max(self.forgotten_s.saturating_add(1))
    }

    /// Whether anything can still happen in a market, or has happened since this second.
    fn is_alive(&self, market: MarketId, since_s: u64) -> bool {
        let held = |account: &SubAccount| {
            account.shares != [Shares::ZERO; 2] || !account.incoming.is_zero() || !account.outgoing.is_zero()
        };
        let open_or_late = |known: &Known| {
            known.order.place.asset.market() == market
                && (!known.order.state.is_final() || known.order.place.fields.timestamp_ms / 1_000 >= since_s)
        };
        let recent =
            |b: &RestoredBooking| b.asset.market() == market && (!is_final(b.status) || b.matched_s >= since_s);
        let range = (market, InstanceId(0))..=(market, InstanceId::WALLET);
        self.accounts.range(range).any(|(_, account)| held(account))
            || self.orders.values().any(open_or_late)
            || self.fills.values().flatten().any(recent)
    }
}

/// The sub-accounts under the numbers of the markets that are kept; those of the others together, under [`MarketId::CLOSED`].
fn closed(
    accounts: &BTreeMap<(MarketId, InstanceId), SubAccount>,
    numbers: &BTreeMap<MarketId, MarketId>,
) -> Vec<RestoredAccount> {
    let mut sums = BTreeMap::new();
    for (&(market, instance), account) in accounts {
        let market = numbers.get(&market).copied().unwrap_or(MarketId::CLOSED);
        add(sums.entry((market, instance)).or_default(), account);
    }
    sums.into_iter().map(|((market, instance), account)| RestoredAccount { instance, market, account }).collect()
}

/// The sub-accounts of a run before, under the instances that this run has.
#[must_use]
pub fn accounts(restore: &Restore, names: &[String]) -> BTreeMap<(MarketId, InstanceId), SubAccount> {
    let owners = owners(restore, names);
    let mut accounts = BTreeMap::new();
    for RestoredAccount { instance, market, account } in &restore.accounts {
        // What was promised to a merge is free again: nothing is under way that this run has asked for.
        add(
            accounts.entry((*market, owner(&owners, *instance))).or_default(),
            &SubAccount { reserved: [Shares::ZERO; 2], ..*account },
        );
    }
    accounts
}

/// The instances of a run before, found by their names among those of this run. One that is not configured any more belongs to
/// nobody: [`InstanceId::WALLET`].
#[must_use]
pub fn owners(restore: &Restore, names: &[String]) -> Vec<InstanceId> {
    let find = |name: &String| names.iter().position(|own| own == name).and_then(|at| u16::try_from(at).ok());
    restore.instances.iter().map(|name| find(name).map_or(InstanceId::WALLET, InstanceId)).collect()
}

/// The instance that an instance of the run before is in this run.
#[must_use]
pub fn owner(owners: &[InstanceId], before: InstanceId) -> InstanceId {
    owners.get(usize::from(before.0)).copied().unwrap_or(InstanceId::WALLET)
}

fn add(sum: &mut SubAccount, account: &SubAccount) {
    sum.cash += account.cash;
    sum.realized += account.realized;
    sum.fees += account.fees;
    sum.incoming += account.incoming;
    sum.outgoing += account.outgoing;
    for i in 0..2 {
        sum.cost[i] += account.cost[i];
        sum.shares[i] += account.shares[i];
        sum.settled[i] += account.settled[i];
        sum.arriving[i] += account.arriving[i];
        sum.leaving[i] += account.leaving[i];
        sum.reserved[i] += account.reserved[i];
    }
}

const fn is_final(status: TradeStatus) -> bool {
    matches!(status, TradeStatus::Confirmed | TradeStatus::Failed)
}
