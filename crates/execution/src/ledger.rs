//! Double-entry accounts of shares and cash, in millionths.

use std::collections::BTreeMap;

use oddsmith_domain::{
    AssetId, Booking, BookingId, ConditionId, InstanceId, MarketId, Movement, Outcome, Price, Shares, Side, SubAccount,
    Usdc,
};
use thiserror::Error;

/// Why a movement was not booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// Its size is zero or negative.
    #[error("a movement of {0} shares is none")]
    Size(Shares),
    /// The sub-account does not have that much free of matches and promises.
    #[error("only {free} shares are free, {wanted} are wanted")]
    NotFree {
        /// What is free.
        free: Shares,
        /// What was wanted.
        wanted: Shares,
    },
}

/// A sub-account's place: whose, and in which market.
pub type Place = (InstanceId, MarketId);

/// The sub-accounts of all instances, and of nobody ([`InstanceId::WALLET`]). They sum to the wallet's change since the start.
///
/// Every operation keeps both identities of [`SubAccount::balances`]. Where no share is left, no cost is left: what remains of it is
/// realised at once, so that a position that is closed again has the same books whatever came first.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: BTreeMap<(MarketId, InstanceId), SubAccount>,
    /// How often something has moved, and the number of the last movement in each market.
    changes: u64,
    changed: BTreeMap<MarketId, u64>,
    /// Sums over all accounts, kept as they change: they are asked for with every order.
    cash: Usdc,
    incoming: Usdc,
    outgoing: Usdc,
}

impl Ledger {
    /// A ledger of accounts that were kept elsewhere.
    #[must_use]
    pub fn from_accounts(accounts: impl IntoIterator<Item = (Place, SubAccount)>) -> Ledger {
        let mut ledger = Ledger::default();
        for ((instance, market), account) in accounts {
            ledger.cash += account.cash;
            ledger.incoming += account.incoming;
            ledger.outgoing += account.outgoing;
            ledger.accounts.insert((market, instance), account);
            ledger.mark(market);
        }
        ledger
    }

    fn mark(&mut self, market: MarketId) {
        self.changes += 1;
        self.changed.insert(market, self.changes);
    }

    /// The number of the last movement in a market: as long as it stays, so does everything that is added up from its accounts.
    #[must_use]
    pub fn changed(&self, market: MarketId) -> u64 {
        self.changed.get(&market).copied().unwrap_or(0)
    }

    /// One instance's account in one market.
    #[must_use]
    pub fn account(&self, instance: InstanceId, market: MarketId) -> SubAccount {
        self.accounts.get(&(market, instance)).copied().unwrap_or_default()
    }

    /// Every account that has ever moved.
    pub fn accounts(&self) -> impl Iterator<Item = (InstanceId, MarketId, &SubAccount)> {
        self.accounts.iter().map(|(&(market, instance), account)| (instance, market, account))
    }

    /// The accounts of one market.
    pub fn market(&self, market: MarketId) -> impl Iterator<Item = (InstanceId, &SubAccount)> {
        let range = (market, InstanceId(0))..=(market, InstanceId::WALLET);
        self.accounts.range(range).map(|(&(_, instance), account)| (instance, account))
    }

    /// Shares that are on the chain.
    #[must_use]
    pub fn settled(&self, instance: InstanceId, asset: AssetId) -> Shares {
        self.account(instance, asset.market()).settled[asset.outcome().index()]
    }

    /// Shares by every match so far.
    #[must_use]
    pub fn matched(&self, instance: InstanceId, asset: AssetId) -> Shares {
        self.account(instance, asset.market()).shares[asset.outcome().index()]
    }

    /// Settled shares that are neither on their way out nor promised to a merge. What working sells have promised is still in it.
    #[must_use]
    pub fn available(&self, instance: InstanceId, asset: AssetId) -> Shares {
        self.account(instance, asset.market()).available(asset.outcome())
    }

    /// Cash of all accounts together: the wallet's change since the start, by every match so far.
    #[must_use]
    pub const fn cash(&self) -> Usdc {
        self.cash
    }

    /// Cash of sales that are not on the chain: not spendable yet.
    #[must_use]
    pub const fn incoming(&self) -> Usdc {
        self.incoming
    }

    /// Cash of purchases that are not on the chain: the venue still counts it.
    #[must_use]
    pub const fn outgoing(&self) -> Usdc {
        self.outgoing
    }

    /// Cash of all accounts as the chain counts it.
    #[must_use]
    pub fn settled_cash(&self) -> Usdc {
        self.cash - self.incoming + self.outgoing
    }

    /// Whether every account balances, and their sums are the wallet's.
    #[must_use]
    pub fn balances(&self) -> bool {
        let sum = |of: fn(&SubAccount) -> Usdc| -> Usdc { self.accounts.values().map(of).sum() };
        self.accounts.values().all(SubAccount::balances)
            && sum(|a| a.cash) == self.cash
            && sum(|a| a.incoming) == self.incoming
            && sum(|a| a.outgoing) == self.outgoing
    }

    /// Books a fill: `notional` is what was paid or received for the shares, `fee` what was charged besides. It is not settled.
    ///
    /// A buy's fee becomes part of what the shares cost; a sell's fee comes off what is realised. The cost that leaves with a sale
    /// is rounded down, and the last share takes what is left, so that nothing is lost to rounding.
    ///
    /// A fill is a fact: a sale of more than is held is booked too and leaves the account short of shares, which the caller must
    /// report ([`SubAccount::is_short`]). The purchase that covers it is realised as far as it does.
    ///
    /// # Errors
    /// [`LedgerError::Size`] for no shares. Nothing is booked then.
    pub fn fill(
        &mut self,
        place: Place,
        (outcome, side): (Outcome, Side),
        size: Shares,
        notional: Usdc,
        fee: Usdc,
    ) -> Result<Movement, LedgerError> {
        if !size.is_positive() {
            return Err(LedgerError::Size(size));
        }
        let i = outcome.index();
        let account = self.account(place.0, place.1);
        let mut movement = Movement { fee, ..Movement::default() };
        match side {
            Side::Buy => {
                let paid = notional + fee;
                let short = (-account.shares[i]).max(Shares::ZERO).min(size);
                let covering = share_of(paid, short, size);
                movement.cash = -paid;
                movement.cost[i] = paid - covering;
                movement.realized = -covering;
                movement.shares[i] = size;
            }
            Side::Sell => {
                let leaving = share_of(account.cost[i], size, account.shares[i]);
                movement.cash = notional - fee;
                movement.cost[i] = -leaving;
                movement.realized = notional - fee - leaving;
                movement.shares[i] = -size;
            }
        }
        Ok(self.post(place, movement, |account| match side {
            Side::Buy => {
                account.arriving[i] += size;
                account.outgoing += notional + fee;
            }
            Side::Sell => {
                account.leaving[i] += size;
                account.incoming += notional - fee;
            }
        }))
    }

    /// A fill reached the chain, or, if `back`, was thrown off it again.
    pub fn settle(&mut self, place: Place, (outcome, side): (Outcome, Side), movement: &Movement, back: bool) {
        let i = outcome.index();
        let sign = |n: Shares| if back { -n } else { n };
        let (size, cash) = (sign(movement.shares[i].abs()), if back { -movement.cash } else { movement.cash });
        self.post(place, Movement::default(), |account| match side {
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
        });
    }

    /// Undoes a fill that is not on the chain, because its settlement failed.
    pub fn undo(&mut self, place: Place, (outcome, side): (Outcome, Side), movement: &Movement) -> Movement {
        let i = outcome.index();
        let size = movement.shares[i].abs();
        self.post(place, movement.reversed(), |account| match side {
            Side::Buy => {
                account.arriving[i] -= size;
                account.outgoing += movement.cash;
            }
            Side::Sell => {
                account.leaving[i] -= size;
                account.incoming -= movement.cash;
            }
        })
    }

    /// Takes in settled shares that the wallet held before, at a stated cost. The wallet's capital grows by the same amount.
    pub fn take_in(&mut self, place: Place, outcome: Outcome, size: Shares, cost: Usdc) -> Movement {
        let i = outcome.index();
        let mut movement = Movement { cash: -cost, ..Movement::default() };
        (movement.shares[i], movement.cost[i]) = (size, cost);
        self.post(place, movement, |account| account.settled[i] += size)
    }

    /// Turns collateral into as many pairs of both outcomes.
    ///
    /// Half of a pair's dollar becomes the cost of each outcome; of an odd millionth the first takes the more.
    ///
    /// # Errors
    /// [`LedgerError::Size`] for no pairs.
    pub fn split(&mut self, place: Place, pairs: Shares) -> Result<Movement, LedgerError> {
        if !pairs.is_positive() {
            return Err(LedgerError::Size(pairs));
        }
        let value = Usdc::from_micros(pairs.micros());
        let half = Usdc::from_micros(pairs.micros() / 2);
        let movement =
            Movement { cash: -value, cost: [value - half, half], shares: [pairs, pairs], ..Movement::default() };
        Ok(self.post(place, movement, |account| account.settled.iter_mut().for_each(|s| *s += pairs)))
    }

    /// Turns reserved pairs of both outcomes back into collateral.
    ///
    /// # Errors
    /// [`LedgerError::NotFree`] when less was reserved.
    pub fn merge(&mut self, place: Place, pairs: Shares) -> Result<Movement, LedgerError> {
        let account = self.account(place.0, place.1);
        let reserved = account.reserved[0].min(account.reserved[1]);
        if !pairs.is_positive() {
            return Err(LedgerError::Size(pairs));
        }
        if reserved < pairs {
            return Err(LedgerError::NotFree { free: reserved, wanted: pairs });
        }
        let value = Usdc::from_micros(pairs.micros());
        let leaving = [0, 1].map(|i| share_of(account.cost[i], pairs, account.shares[i]));
        let movement = Movement {
            cash: value,
            cost: leaving.map(|cost| -cost),
            realized: value - leaving[0] - leaving[1],
            shares: [-pairs, -pairs],
            fee: Usdc::ZERO,
        };
        Ok(self.post(place, movement, |account| {
            for i in 0..2 {
                account.settled[i] -= pairs;
                account.reserved[i] -= pairs;
            }
        }))
    }

    /// Promises free shares of each outcome to a merge or a redemption: they are not sold meanwhile.
    ///
    /// # Errors
    /// [`LedgerError::NotFree`]; nothing is promised then.
    pub fn reserve(&mut self, place: Place, sizes: [Shares; 2]) -> Result<(), LedgerError> {
        let account = self.account(place.0, place.1);
        for outcome in Outcome::BOTH {
            let (free, wanted) = (account.available(outcome), sizes[outcome.index()]);
            if wanted.is_negative() || wanted > free {
                return Err(LedgerError::NotFree { free, wanted });
            }
        }
        self.post(place, Movement::default(), |account| {
            (0..2).for_each(|i| account.reserved[i] += sizes[i]);
        });
        Ok(())
    }

    /// Takes a promise back.
    pub fn release(&mut self, place: Place, sizes: [Shares; 2]) {
        self.post(place, Movement::default(), |account| {
            (0..2).for_each(|i| account.reserved[i] = (account.reserved[i] - sizes[i]).max(Shares::ZERO));
        });
    }

    /// Moves free shares from one sub-account to another at a price: a sale for the one, a purchase for the other.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing has moved then.
    pub fn transfer(
        &mut self,
        (from, to): (InstanceId, InstanceId),
        asset: AssetId,
        size: Shares,
        price: Price,
    ) -> Result<[Movement; 2], LedgerError> {
        let (market, outcome, i) = (asset.market(), asset.outcome(), asset.outcome().index());
        let giver = self.account(from, market);
        if !size.is_positive() {
            return Err(LedgerError::Size(size));
        }
        if giver.available(outcome) < size {
            return Err(LedgerError::NotFree { free: giver.available(outcome), wanted: size });
        }
        let value = size.cost_floor(price);
        let leaving = share_of(giver.cost[i], size, giver.shares[i]);
        let (mut given, mut taken) = (Movement::default(), Movement::default());
        (given.cash, given.realized, given.cost[i], given.shares[i]) = (value, value - leaving, -leaving, -size);
        (taken.cash, taken.cost[i], taken.shares[i]) = (-value, value, size);
        Ok([
            self.post((from, market), given, |account| account.settled[i] -= size),
            self.post((to, market), taken, |account| account.settled[i] += size),
        ])
    }

    /// The market is decided: what is held costs from now on what it pays, and the rest is profit or loss. Nothing changes the
    /// second time, so this is done after each movement in a decided market.
    pub fn decide(&mut self, place: Place, yes: Price) -> Movement {
        let account = self.account(place.0, place.1);
        let mut movement = Movement::default();
        for outcome in Outcome::BOTH {
            let i = outcome.index();
            let worth = account.shares[i].max(Shares::ZERO).cost_floor(pays(outcome, yes));
            movement.cost[i] = worth - account.cost[i];
            movement.realized += movement.cost[i];
        }
        self.post(place, movement, |_| ())
    }

    /// The shares of an outcome of a decided market became what they pay. Those in matches that are not on the chain stay.
    pub fn redeem(&mut self, place: Place, outcome: Outcome, yes: Price) -> Movement {
        let (account, i) = (self.account(place.0, place.1), outcome.index());
        let size = (account.settled[i] - account.leaving[i]).max(Shares::ZERO);
        let paid = size.cost_floor(pays(outcome, yes));
        let leaving = share_of(account.cost[i], size, account.shares[i]);
        let mut movement = Movement { cash: paid, realized: paid - leaving, ..Movement::default() };
        (movement.cost[i], movement.shares[i]) = (-leaving, -size);
        self.post(place, movement, |account| {
            account.settled[i] -= size;
            account.reserved[i] = Shares::ZERO;
        })
    }

    /// The venue proved that there are other tokens than we count: `change` of them come for nothing, or go with what they cost.
    pub fn correct(&mut self, place: Place, outcome: Outcome, change: Shares) -> Movement {
        let (i, account) = (outcome.index(), self.account(place.0, place.1));
        let mut movement = Movement::default();
        movement.shares[i] = change;
        if change.is_negative() {
            let leaving = share_of(account.cost[i], -change, account.shares[i]);
            (movement.cost[i], movement.realized) = (-leaving, -leaving);
        }
        self.post(place, movement, |account| account.settled[i] += change)
    }

    /// Books a movement together with what else it changes, realises cost that no share carries any more, and returns what was done
    /// in all.
    pub(crate) fn post(
        &mut self,
        place: Place,
        mut movement: Movement,
        also: impl FnOnce(&mut SubAccount),
    ) -> Movement {
        let account = self.accounts.entry((place.1, place.0)).or_default();
        let before = *account;
        for i in 0..2 {
            let (shares, cost) = (account.shares[i] + movement.shares[i], account.cost[i] + movement.cost[i]);
            if !shares.is_positive() || cost.is_negative() {
                movement.cost[i] -= cost;
                movement.realized -= cost;
            }
        }
        account.cash += movement.cash;
        account.realized += movement.realized;
        account.fees += movement.fee;
        for i in 0..2 {
            account.cost[i] += movement.cost[i];
            account.shares[i] += movement.shares[i];
        }
        also(account);
        self.cash += account.cash - before.cash;
        self.incoming += account.incoming - before.incoming;
        self.outgoing += account.outgoing - before.outgoing;
        self.mark(place.1);
        movement
    }
}

/// What is booked, however often something has moved.
impl PartialEq for Ledger {
    fn eq(&self, other: &Ledger) -> bool {
        let sums = |l: &Ledger| (l.cash, l.incoming, l.outgoing);
        self.accounts == other.accounts && sums(self) == sums(other)
    }
}

impl Eq for Ledger {}

/// The number of a booking that no venue has numbered: a digest of the run, the booking's place in it, and what it is.
#[must_use]
pub fn booking_id(
    run: &[u8; 16],
    number: u64,
    condition: &ConditionId,
    instance: InstanceId,
    booking: Booking,
) -> BookingId {
    // FNV-1a in 128 bits: only distinctness is asked for.
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let number = number.to_le_bytes();
    let instance = instance.0.to_le_bytes();
    for part in [&run[..], &number, condition.as_str().as_bytes(), &instance, &[booking as u8]] {
        for byte in part {
            hash = (hash ^ u128::from(*byte)).wrapping_mul(0x0100_0000_01b3 | (1 << 88));
        }
    }
    BookingId(hash.to_be_bytes())
}

/// What a share of an outcome pays when YES pays `yes`.
const fn pays(outcome: Outcome, yes: Price) -> Price {
    match outcome {
        Outcome::Yes => yes,
        Outcome::No => yes.complement(),
    }
}

/// The part of `amount` that belongs to `size` of `held` shares, rounded down; all of it when all leave.
pub(crate) fn share_of(amount: Usdc, size: Shares, held: Shares) -> Usdc {
    if size >= held {
        return amount;
    }
    let part = i128::from(amount.micros()) * i128::from(size.micros()) / i128::from(held.micros().max(1));
    Usdc::from_micros(i64::try_from(part).unwrap_or(i64::MAX))
}
