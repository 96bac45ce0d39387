//! Where the profit of a run came from: a fold over its records.

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{
    Booking, Event, Input, InstanceId, MarketBatch, MarketId, MarketSource, Movement, Output, OutputBody, Price,
    Restore, SubAccount, Time, TradeStatus,
};
use oddsmith_execution::{FillKey, facts};

use crate::account::{Account, FINE, Part, steps};
use crate::books::Books;
use crate::split::Split;

/// Until when after a fill a move of the mid counts as adverse selection: 30 s.
pub const HORIZON_NS: u64 = 30 * Time::SECOND;

type Place = (MarketId, InstanceId);

/// Splits a run's profit. The crate's first page tells how it is used; [`Split`] what the parts are.
///
/// A fill counts from the moment at which the engine heard of it. A fill whose settlement fails is taken back from the parts that it
/// was put down to. It needs memory for the markets that are followed, for fills that are younger than the horizon or not settled, and
/// for every account.
#[derive(Debug, Default)]
pub struct Attribution {
    now: Time,
    books: Books,
    batch: MarketBatch,
    names: Vec<String>,
    accounts: BTreeMap<Place, Account>,
    /// What the accounts of a market were last valued at.
    marks: BTreeMap<MarketId, Mark>,
    fills: BTreeMap<FillKey, Filled>,
    /// Fills in the order in which they reach the horizon, and when, on the monotonic clock.
    young: VecDeque<(u64, FillKey)>,
    /// The facts that are being taken over, while the outputs of that input come.
    restoring: Option<Box<Restore>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    yes: Option<Price>,
    /// The last one before the market was decided.
    undecided: Option<Price>,
}

/// A fill that may still be undone, or has not reached the horizon.
#[derive(Clone, Copy, Debug)]
struct Filled {
    place: Place,
    movement: Movement,
    /// What its price brought, fees apart, and what that was put down to.
    gain: i128,
    part: Part,
    /// The price of YES when it was heard of.
    at: Option<Price>,
    /// The price of YES at the horizon, once that is behind it, or when the market was decided.
    later: Option<Price>,
    young: bool,
    is_final: bool,
}

impl Filled {
    /// YES less NO, in millionths of a share.
    fn net(&self) -> i128 {
        let [yes, no] = self.movement.shares.map(|shares| i128::from(shares.micros()));
        yes - no
    }
}

impl Attribution {
    /// An attribution that awaits the first record of a run.
    #[must_use]
    pub fn new() -> Attribution {
        Attribution::default()
    }

    /// Takes the next input, with its time.
    pub fn input(&mut self, input: &Input<'_>, now: Time) {
        if let Input::Market { source, bytes } = input {
            let mut batch = std::mem::take(&mut self.batch);
            self.decode(bytes, &mut batch);
            self.frame(*source, &batch, now);
            self.batch = batch;
            return;
        }
        self.pass(now);
        match input {
            Input::Link { link, state } => self.books.link(*link, state),
            Input::Restore(restore) => self.restoring = Some(restore.clone()),
            _ => {}
        }
    }

    /// What a market frame says, in the numbers of this run.
    pub fn decode(&mut self, bytes: &[u8], batch: &mut MarketBatch) {
        self.books.decode(bytes, batch);
    }

    /// Takes the next input, which is a market frame that was decoded already.
    pub fn frame(&mut self, source: MarketSource, batch: &MarketBatch, now: Time) {
        self.pass(now);
        self.books.frame(source, batch, now);
        for at in 0..self.books.touched().len() {
            self.remark(self.books.touched()[at]);
        }
    }

    fn pass(&mut self, now: Time) {
        self.now = now;
        self.restoring = None;
        self.age();
    }

    /// Takes the next output of the last input.
    pub fn output(&mut self, output: &Output) {
        let OutputBody::Event(event) = &output.body else { return };
        match event {
            Event::Began { instances, .. } => self.names.clone_from(instances),
            Event::Numbered { market, card } => {
                let before = self.restoring.as_ref().and_then(|restore| restore.markets.get(market.index()));
                self.books.number(*market, card, before.and_then(|market| market.resolved));
                self.marks.insert(*market, Mark { yes: self.books.mark(*market), undecided: None });
            }
            Event::Degraded { market, on } => self.books.degraded(*market, *on),
            Event::Listing { market, listing } => {
                self.books.listing(*market, *listing);
                self.remark(*market);
            }
            Event::Resolved { market, yes, .. } => self.decide(*market, *yes),
            Event::Fill { trade, order, instance, asset, movement, .. } => {
                let place = (asset.market(), instance.unwrap_or(InstanceId::WALLET));
                self.fill(FillKey { trade: *trade, order: *order }, place, movement);
            }
            Event::Settlement { trade, order, status } => {
                self.settle(FillKey { trade: *trade, order: *order }, *status);
            }
            Event::Booking { instance, market, booking, movement, .. } => {
                self.book((*market, *instance), *booking, movement);
            }
            Event::Ledger { instance, market, account } => self.told((*market, *instance), account),
            Event::Restored { .. } => self.take_fills(),
            _ => {}
        }
    }

    /// The profit of everything, split.
    #[must_use]
    pub fn split(&self) -> Split {
        self.lines().map(|(_, _, split)| split).sum()
    }

    /// The profit of an instance, split.
    #[must_use]
    pub fn instance(&self, instance: InstanceId) -> Split {
        self.lines().filter(|(owner, _, _)| *owner == instance).map(|(_, _, split)| split).sum()
    }

    /// The profit of every account, split. Those of nobody ([`InstanceId::WALLET`]) and of no market ([`MarketId::CLOSED`]) are among them.
    pub fn lines(&self) -> impl Iterator<Item = (InstanceId, MarketId, Split)> + '_ {
        self.accounts.iter().map(|(&(market, instance), account)| (instance, market, account.split(self.mark(market))))
    }

    /// The accounts as the ledger told them last.
    pub fn accounts(&self) -> impl Iterator<Item = (InstanceId, MarketId, &SubAccount)> {
        self.accounts.iter().map(|(&(market, instance), account)| (instance, market, &account.held))
    }

    /// The names of the instances, by their numbers.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The books as they are now.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// The most by which an account's inventory part differs from its own sum because amounts are whole millionths, in millionths.
    #[must_use]
    pub fn rounding(&self) -> i64 {
        let most = self.accounts.iter().map(|((market, _), account)| account.rounding(self.mark(*market)).abs()).max();
        i64::try_from(most.unwrap_or_default().div_euclid(FINE) + 1).unwrap_or(i64::MAX)
    }

    fn mark(&self, market: MarketId) -> Option<Price> {
        self.marks.get(&market).and_then(|mark| mark.yes)
    }

    /// Fills that have reached the horizon stand from now on at the mid that there was.
    fn age(&mut self) {
        while let Some((at, key)) = self.young.front().copied() {
            if at >= self.now.mono_ns {
                break;
            }
            self.young.pop_front();
            let Some(filled) = self.fills.get_mut(&key) else { continue };
            if std::mem::take(&mut filled.young) {
                filled.later = self.marks.get(&filled.place.0).and_then(|mark| mark.yes);
                if let Some(account) = self.accounts.get_mut(&filled.place) {
                    account.young -= filled.net();
                }
            }
            if filled.is_final {
                self.fills.remove(&key);
            }
        }
    }

    fn of_market(&mut self, market: MarketId) -> impl Iterator<Item = &mut Account> {
        let range = (market, InstanceId(0))..=(market, InstanceId::WALLET);
        self.accounts.range_mut(range).map(|(_, account)| account)
    }

    /// Values what is held in a market anew, if its mark has changed.
    fn remark(&mut self, market: MarketId) {
        let after = self.books.mark(market);
        let Some(mark) = self.marks.get_mut(&market) else { return };
        let before = std::mem::replace(&mut mark.yes, after);
        if before != after {
            self.of_market(market).for_each(|account| account.remark(before, after));
        }
    }

    fn decide(&mut self, market: MarketId, pays: Price) {
        let mark = self.marks.entry(market).or_default();
        let before = mark.yes.replace(pays);
        if !self.books.is_decided(market) {
            mark.undecided = before;
        }
        self.books.decide(market, pays);
        for filled in self.fills.values_mut().filter(|filled| filled.place.0 == market && filled.young) {
            (filled.young, filled.later) = (false, before);
        }
        self.of_market(market).for_each(|account| account.decide(before, pays));
    }

    fn fill(&mut self, key: FillKey, place: Place, movement: &Movement) {
        let (mark, decided) = (self.mark(place.0), self.books.is_decided(place.0));
        let part = match mark {
            _ if decided => Part::Settlement,
            Some(_) => Part::Spread,
            None => Part::Inventory,
        };
        let account = self.accounts.entry(place).or_default();
        let gain = account.apply(movement, false, mark);
        account.put(part, gain);
        let young = part == Part::Spread;
        let filled = Filled { place, movement: *movement, gain, part, at: mark, later: None, young, is_final: false };
        if young {
            account.young += filled.net();
            self.young.push_back((self.now.mono_ns.saturating_add(HORIZON_NS), key));
        }
        self.fills.insert(key, filled);
    }

    fn settle(&mut self, key: FillKey, status: TradeStatus) {
        match status {
            TradeStatus::Failed => self.undo(key),
            TradeStatus::Confirmed => {
                if let Some(filled) = self.fills.get_mut(&key) {
                    filled.is_final = true;
                    if !filled.young {
                        self.fills.remove(&key);
                    }
                }
            }
            TradeStatus::Matched | TradeStatus::Mined | TradeStatus::Retrying => {}
        }
    }

    /// Takes a fill back from the parts that it was put down to.
    fn undo(&mut self, key: FillKey) {
        let Some(filled) = self.fills.remove(&key) else { return };
        let marks = self.marks.get(&filled.place.0).copied().unwrap_or_default();
        let decided = self.books.is_decided(filled.place.0);
        let Some(account) = self.accounts.get_mut(&filled.place) else { return };
        let mut change = account.apply(&filled.movement.reversed(), true, marks.yes);
        let net = filled.net();
        let mut take_back = |part: Part, fine: i128| {
            account.put(part, -fine);
            change += fine;
        };
        // What a fill of the run before did to this run's parts is not known.
        let rest = if filled.part == Part::Other { Part::Other } else { Part::Inventory };
        take_back(filled.part, filled.gain);
        if filled.part == Part::Spread {
            // From the fill to the horizon.
            let later = if filled.young { marks.yes } else { filled.later };
            if let (Some(at), Some(later)) = (filled.at, later) {
                take_back(Part::AdverseSelection, net * steps(at, later));
            }
        }
        let held_into_it = decided && matches!(filled.part, Part::Spread | Part::Inventory);
        if let (true, Some(last), Some(pays)) = (held_into_it, marks.undecided, marks.yes) {
            take_back(Part::Settlement, net * steps(last, pays));
        }
        account.put(if filled.part == Part::Settlement { Part::Settlement } else { rest }, change);
        if filled.young {
            account.young -= net;
        }
    }

    fn book(&mut self, place: Place, booking: Booking, movement: &Movement) {
        let mark = self.mark(place.0);
        let account = self.accounts.entry(place).or_default();
        let change = account.apply(movement, false, mark);
        // Pairs and payouts are worth what they become: with a mark, nothing but rounding is left of these.
        let part = match booking {
            Booking::Opening | Booking::Transfer | Booking::Correction => Part::Other,
            Booking::Split | Booking::Merge | Booking::Convert => Part::Inventory,
            Booking::Decided | Booking::Redeem => Part::Settlement,
        };
        account.put(part, change);
    }

    fn told(&mut self, place: Place, told: &SubAccount) {
        let mark = self.mark(place.0);
        let part = if self.restoring.is_some() { Part::Carried } else { Part::Other };
        let account = self.accounts.entry(place).or_default();
        let difference = account.told(told, mark);
        account.put(part, difference);
    }

    /// Fills of the run before that can still be undone: when they are, that is no part of this run's trading.
    fn take_fills(&mut self) {
        let Some(restore) = self.restoring.take() else { return };
        let owners = facts::owners(&restore, &self.names);
        for fill in &restore.fills {
            let Some(booked) = fill.booked.filter(|booked| !booked.is_final()) else { continue };
            let place = (booked.asset.market(), facts::owner(&owners, booked.owner));
            let filled = Filled {
                place,
                movement: booked.movement,
                gain: 0,
                part: Part::Other,
                at: None,
                later: None,
                young: false,
                is_final: false,
            };
            self.fills.insert(FillKey { trade: fill.trade, order: fill.order }, filled);
        }
    }
}
