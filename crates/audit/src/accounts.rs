//! The audit's own books: sub-accounts, and every part of a match that is ours.

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{
    AssetId, Booking, InstanceId, MarketId, Movement, OrderId, Shares, Side, SubAccount, TradeId, TradeStatus, Usdc,
};

/// How many finally settled fills are remembered: more than the engine does, so that a fill that it counts again is noticed.
const REMEMBERED: usize = 400_000;

/// Our part in a match, as the venue reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub owner: InstanceId,
    pub asset: AssetId,
    pub side: Side,
    pub size: Shares,
    pub notional: Usdc,
    pub fee: Usdc,
}

/// A part that was counted.
#[derive(Clone, Copy, Debug)]
struct Counted {
    part: Part,
    status: TradeStatus,
    movement: Movement,
}

/// What a report of a match means, by what was reported before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It is to be counted, and then to stand at this status.
    Fill,
    /// A counted part moves on.
    Settles,
    /// A match that failed before anybody heard of it: told, and nothing is counted.
    StillBorn,
    /// Nothing new.
    Nothing,
}

/// Key of a part: the match and our order.
pub(crate) type Key = (TradeId, OrderId);

/// All sub-accounts and fills.
#[derive(Debug, Default)]
pub(crate) struct Books {
    accounts: BTreeMap<(MarketId, InstanceId), SubAccount>,
    /// `None` for a match that had failed before it was heard of.
    counted: BTreeMap<Key, Option<Counted>>,
    finished: VecDeque<Key>,
}

impl Books {
    pub fn account(&self, instance: InstanceId, market: MarketId) -> SubAccount {
        self.accounts.get(&(market, instance)).copied().unwrap_or_default()
    }

    pub fn accounts(&self) -> impl Iterator<Item = &SubAccount> {
        self.accounts.values()
    }

    /// The accounts of one instance.
    pub fn of(&self, instance: InstanceId) -> impl Iterator<Item = &SubAccount> {
        self.accounts.iter().filter(move |((_, of), _)| *of == instance).map(|(_, account)| account)
    }

    /// The accounts of one market, nobody's included.
    pub fn market(&self, market: MarketId) -> impl Iterator<Item = &SubAccount> {
        let range = (market, InstanceId(0))..=(market, InstanceId::WALLET);
        self.accounts.range(range).map(|(_, account)| account)
    }

    /// Takes an account over as a run before this one left it.
    pub fn take_over(&mut self, instance: InstanceId, market: MarketId, account: SubAccount) {
        self.accounts.insert((market, instance), account);
    }

    /// Takes over a part that a run before this one has counted.
    pub fn remember(&mut self, key: Key, counted: Option<(Part, TradeStatus, Movement)>) {
        self.counted.insert(key, counted.map(|(part, status, movement)| Counted { part, status, movement }));
        if counted.is_none_or(|(_, status, _)| is_final(status)) {
            self.finish(key);
        }
    }

    /// What a report means.
    pub fn news(&self, key: &Key, status: TradeStatus) -> News {
        match self.counted.get(key) {
            None if status == TradeStatus::Failed => News::StillBorn,
            None => News::Fill,
            Some(None) => News::Nothing,
            Some(Some(counted)) if moves_on(counted.status, status) => News::Settles,
            Some(Some(_)) => News::Nothing,
        }
    }

    /// The part that was counted under a key.
    pub fn part(&self, key: &Key) -> Option<Part> {
        self.counted.get(key).copied().flatten().map(|counted| counted.part)
    }

    /// Counts a part, and says what it does to its account.
    pub fn count(&mut self, key: Key, part: Part) -> Movement {
        let i = part.asset.outcome().index();
        let account = self.accounts.entry((part.asset.market(), part.owner)).or_default();
        let mut movement = Movement { fee: part.fee, ..Movement::default() };
        match part.side {
            Side::Buy => {
                let paid = part.notional + part.fee;
                let short = (-account.shares[i]).max(Shares::ZERO).min(part.size);
                let covering = proportion(paid, short, part.size);
                movement.cash = -paid;
                movement.cost[i] = paid - covering;
                movement.realized = -covering;
                movement.shares[i] = part.size;
                account.arriving[i] += part.size;
                account.outgoing += paid;
            }
            Side::Sell => {
                let got = part.notional - part.fee;
                let leaves = proportion(account.cost[i], part.size, account.shares[i]);
                movement.cash = got;
                movement.cost[i] = -leaves;
                movement.realized = got - leaves;
                movement.shares[i] = -part.size;
                account.leaving[i] += part.size;
                account.incoming += got;
            }
        }
        let movement = apply(account, movement);
        self.counted.insert(key, Some(Counted { part, status: TradeStatus::Matched, movement }));
        movement
    }

    /// A match that failed before anybody heard of it.
    pub fn still_born(&mut self, key: Key) {
        self.counted.insert(key, None);
        self.finish(key);
    }

    /// A counted part moves on. Says whether that undid it.
    pub fn settle(&mut self, key: Key, status: TradeStatus) -> bool {
        let Some(Some(counted)) = self.counted.get_mut(&key) else { return false };
        let Counted { part, movement, status: before } = *counted;
        counted.status = status;
        let account = self.accounts.entry((part.asset.market(), part.owner)).or_default();
        let i = part.asset.outcome().index();
        let (was, is) = (on_chain(before), on_chain(status));
        if was != is {
            let (size, cash) = if is { (part.size, movement.cash) } else { (-part.size, -movement.cash) };
            match part.side {
                Side::Buy => {
                    account.arriving[i] -= size;
                    account.settled[i] += size;
                    account.outgoing += cash;
                }
                Side::Sell => {
                    account.leaving[i] -= size;
                    account.settled[i] -= size;
                    account.incoming -= cash;
                }
            }
        }
        let undone = status == TradeStatus::Failed;
        if undone {
            match part.side {
                Side::Buy => {
                    account.arriving[i] -= part.size;
                    account.outgoing += movement.cash;
                }
                Side::Sell => {
                    account.leaving[i] -= part.size;
                    account.incoming -= movement.cash;
                }
            }
            apply(account, movement.reversed());
        }
        if is_final(status) {
            self.finish(key);
        }
        undone
    }

    /// An account moved without a match: its settled shares move with it.
    pub fn book(&mut self, (instance, market): (InstanceId, MarketId), movement: &Movement) {
        let account = self.accounts.entry((market, instance)).or_default();
        apply(account, *movement);
        (0..2).for_each(|i| account.settled[i] += movement.shares[i]);
    }

    fn finish(&mut self, key: Key) {
        self.finished.push_back(key);
        if self.finished.len() > REMEMBERED
            && let Some(oldest) = self.finished.pop_front()
        {
            self.counted.remove(&oldest);
        }
    }
}

/// What is wrong with a booking by its kind; `None` if nothing is.
pub(crate) fn fault_of(booking: Booking, m: &Movement) -> Option<&'static str> {
    let value = |shares: Shares| Usdc::from_micros(shares.micros());
    let [yes, no] = m.shares;
    let holds = match booking {
        Booking::Opening => !yes.is_negative() && !no.is_negative() && m.fee.is_zero(),
        Booking::Transfer => m.fee.is_zero() && (yes.is_zero() || no.is_zero()),
        Booking::Split => yes == no && yes.is_positive() && m.cash == -value(yes),
        Booking::Merge => yes == no && yes.is_negative() && m.cash == -value(yes),
        Booking::Decided => m.cash.is_zero() && yes.is_zero() && no.is_zero(),
        Booking::Redeem => !yes.is_positive() && !no.is_positive() && !m.cash.is_negative(),
        Booking::Correction => m.cash.is_zero(),
        Booking::Convert if yes.is_zero() => m.fee.is_zero() && no.is_negative(),
        Booking::Convert => m.fee.is_zero() && no.is_zero() && yes.is_positive() && !m.cash.is_positive(),
    };
    match (m.balances(), holds) {
        (false, _) => Some("its cash, cost and profit do not balance"),
        (true, false) => Some("it is not what its kind says"),
        (true, true) => None,
    }
}

/// Books a movement. Cost that no share carries any more is realised.
fn apply(account: &mut SubAccount, mut m: Movement) -> Movement {
    for i in 0..2 {
        let (shares, cost) = (account.shares[i] + m.shares[i], account.cost[i] + m.cost[i]);
        if !shares.is_positive() || cost.is_negative() {
            m.cost[i] -= cost;
            m.realized -= cost;
        }
        account.shares[i] = shares;
        account.cost[i] += m.cost[i];
    }
    account.cash += m.cash;
    account.realized += m.realized;
    account.fees += m.fee;
    m
}

/// The part of an amount that goes with `size` of `held` shares, rounded down; all of it with the last.
fn proportion(amount: Usdc, size: Shares, held: Shares) -> Usdc {
    if size >= held {
        return amount;
    }
    let product = i128::from(amount.micros()) * i128::from(size.micros());
    Usdc::from_micros(i64::try_from(product / i128::from(held.micros())).unwrap_or(i64::MAX))
}

const fn on_chain(status: TradeStatus) -> bool {
    matches!(status, TradeStatus::Mined | TradeStatus::Confirmed)
}

const fn is_final(status: TradeStatus) -> bool {
    matches!(status, TradeStatus::Confirmed | TradeStatus::Failed)
}

/// Whether a status is news after another. The last two are final; nothing goes back to `MATCHED`, and a retried match has been mined
/// or not before.
const fn moves_on(from: TradeStatus, to: TradeStatus) -> bool {
    match from {
        TradeStatus::Matched => !matches!(to, TradeStatus::Matched),
        TradeStatus::Mined => !matches!(to, TradeStatus::Matched | TradeStatus::Mined),
        TradeStatus::Retrying => !matches!(to, TradeStatus::Matched | TradeStatus::Retrying),
        TradeStatus::Confirmed | TradeStatus::Failed => false,
    }
}
