//! What an account does on the chain beside trading: split, merge, redeem, convert, move, allow.

use oddsmith_domain::{Address, ExchangeKind, MarketId, Outcome, Price, Shares, SignatureType, Usdc};
use thiserror::Error;

use super::account::{AccountId, Allowance};
use super::{Core, Nanos};

/// Why an action was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ActionError {
    /// No such market.
    #[error("no such market")]
    UnknownMarket,
    /// No such account.
    #[error("no such account")]
    UnknownAccount,
    /// Nothing, or less than nothing.
    #[error("the amount must be positive")]
    Amount,
    /// The account does not hold that much free of pending matches.
    #[error("the account does not hold that much")]
    NotEnough,
    /// The market is not decided.
    #[error("the market is not resolved")]
    NotResolved,
    /// The market is decided.
    #[error("the market is resolved")]
    Resolved,
    /// The markets are not distinct members of one neg-risk group.
    #[error("the markets are not distinct members of one neg-risk group")]
    Group,
}

impl Core {
    /// Splits collateral into equal shares of both outcomes.
    ///
    /// # Errors
    /// [`ActionError`]; nothing has changed then.
    pub fn split(
        &mut self,
        account: AccountId,
        market: MarketId,
        amount: Usdc,
        now_ns: Nanos,
    ) -> Result<(), ActionError> {
        self.advance(now_ns);
        self.markets.get(market.index()).ok_or(ActionError::UnknownMarket)?;
        let holder = self.accounts.get(account.0 as usize).ok_or(ActionError::UnknownAccount)?;
        positive(amount.micros())?;
        if holder.collateral - holder.pending_out < amount {
            return Err(ActionError::NotEnough);
        }
        self.mint(account, market, Shares::from_micros(amount.micros()));
        self.drop_unpaid(account);
        Ok(())
    }

    /// Merges equal shares of both outcomes back into collateral.
    ///
    /// # Errors
    /// [`ActionError`]; nothing has changed then.
    pub fn merge(
        &mut self,
        account: AccountId,
        market: MarketId,
        shares: Shares,
        now_ns: Nanos,
    ) -> Result<(), ActionError> {
        self.advance(now_ns);
        self.markets.get(market.index()).ok_or(ActionError::UnknownMarket)?;
        let holder = self.accounts.get(account.0 as usize).ok_or(ActionError::UnknownAccount)?;
        positive(shares.micros())?;
        let free = |outcome| {
            let holding = holder.holding(market.asset(outcome));
            holding.settled - holding.pending_out >= shares
        };
        if !Outcome::BOTH.into_iter().all(free) {
            return Err(ActionError::NotEnough);
        }
        self.mint(account, market, -shares);
        self.drop_unpaid(account);
        Ok(())
    }

    /// Makes (or, if negative, destroys) pairs for an account against its collateral.
    fn mint(&mut self, account: AccountId, market: MarketId, shares: Shares) {
        let value = Usdc::from_micros(shares.micros());
        let holder = self.account_mut(account);
        holder.collateral -= value;
        for outcome in Outcome::BOTH {
            holder.change_holding(market.asset(outcome), |holding| holding.settled += shares);
        }
        if let Some(listed) = self.market_mut(market) {
            listed.locked += value;
            for outstanding in &mut listed.outstanding {
                *outstanding += shares;
            }
        }
    }

    /// Redeems all free shares of a decided market and returns what they paid.
    ///
    /// # Errors
    /// [`ActionError`]; nothing has changed then.
    pub fn redeem(&mut self, account: AccountId, market: MarketId, now_ns: Nanos) -> Result<Usdc, ActionError> {
        self.advance(now_ns);
        let listed = self.markets.get(market.index()).ok_or(ActionError::UnknownMarket)?;
        let payout = |outcome| listed.payout(outcome).ok_or(ActionError::NotResolved);
        let prices: [Price; 2] = [payout(Outcome::Yes)?, payout(Outcome::No)?];
        self.accounts.get(account.0 as usize).ok_or(ActionError::UnknownAccount)?;
        let mut paid = Usdc::ZERO;
        for outcome in Outcome::BOTH {
            let holder = self.account_mut(account);
            let holding = holder.holding(market.asset(outcome));
            let shares = holding.settled - holding.pending_out;
            let value = shares.cost_floor(prices[outcome.index()]);
            holder.change_holding(market.asset(outcome), |holding| holding.settled -= shares);
            holder.collateral += value;
            if let Some(listed) = self.market_mut(market) {
                listed.outstanding[outcome.index()] -= shares;
                listed.locked -= value;
            }
            paid += value;
        }
        Ok(paid)
    }

    /// Converts NO shares of `m` distinct markets of a neg-risk group into `m - 1` dollars a share and YES shares of every
    /// other market of the group.
    ///
    /// The collateral behind the burnt NO shares moves with them: it comes from the converted markets and goes to the others.
    ///
    /// # Errors
    /// [`ActionError`]; nothing has changed then.
    pub fn convert(
        &mut self,
        account: AccountId,
        markets: &[MarketId],
        shares: Shares,
        now_ns: Nanos,
    ) -> Result<(), ActionError> {
        self.advance(now_ns);
        positive(shares.micros())?;
        let holder = self.accounts.get(account.0 as usize).ok_or(ActionError::UnknownAccount)?;
        let first = markets.first().and_then(|market| self.markets.get(market.index())).ok_or(ActionError::Group)?;
        let group = first.spec.neg_risk_group.clone().ok_or(ActionError::Group)?;
        let members = self.members(&group);
        let distinct = markets.iter().enumerate().all(|(i, m)| members.contains(m) && !markets[..i].contains(m));
        if !distinct {
            return Err(ActionError::Group);
        }
        if members.iter().any(|market| self.markets.get(market.index()).is_some_and(|m| m.closed_s.is_some())) {
            return Err(ActionError::Resolved);
        }
        let holds = |market: &MarketId| {
            let holding = holder.holding(market.asset(Outcome::No));
            holding.settled - holding.pending_out >= shares
        };
        if !markets.iter().all(holds) {
            return Err(ActionError::NotEnough);
        }
        self.move_group(account, (markets, &members), shares);
        self.drop_unpaid(account);
        Ok(())
    }

    fn members(&self, group: &str) -> Vec<MarketId> {
        let of = self.markets.iter().filter(|market| market.spec.neg_risk_group.as_deref() == Some(group));
        of.map(|market| market.id).collect()
    }

    /// Whether these markets are all members of one neg-risk group: what a trader believes to be an event is one.
    #[must_use]
    pub fn is_whole_group(&self, markets: &[MarketId]) -> bool {
        let first = markets.first().and_then(|market| self.markets.get(market.index()));
        let Some(group) = first.and_then(|market| market.spec.neg_risk_group.as_deref()) else { return false };
        let mut listed = markets.to_vec();
        listed.sort_unstable();
        let mut members = self.members(group);
        members.sort_unstable();
        listed == members
    }

    fn move_group(&mut self, account: AccountId, (from, members): (&[MarketId], &[MarketId]), shares: Shares) {
        let value = Usdc::from_micros(shares.micros());
        for market in members {
            let gives_no = from.contains(market);
            let outcome = if gives_no { Outcome::No } else { Outcome::Yes };
            let change = if gives_no { -shares } else { shares };
            let holder = self.account_mut(account);
            holder.change_holding(market.asset(outcome), |holding| holding.settled += change);
            if let Some(listed) = self.market_mut(*market) {
                listed.outstanding[outcome.index()] += change;
            }
        }
        let paid = Usdc::from_micros(value.micros().saturating_mul(from.len() as i64 - 1));
        self.account_mut(account).collateral += paid;
        if let Some(listed) = from.first().and_then(|market| self.market_mut(*market)) {
            listed.locked -= paid;
        }
    }

    /// Moves collateral out of an account to another address. Orders that it can no longer pay for are cancelled.
    ///
    /// # Errors
    /// [`ActionError`]; nothing has changed then.
    pub fn transfer(&mut self, from: AccountId, to: Address, amount: Usdc, now_ns: Nanos) -> Result<(), ActionError> {
        self.advance(now_ns);
        positive(amount.micros())?;
        let holder = self.accounts.get(from.0 as usize).ok_or(ActionError::UnknownAccount)?;
        if holder.collateral < amount {
            return Err(ActionError::NotEnough);
        }
        let user = self.user(to);
        let receiver = self.wallet(user, to, SignatureType::Eoa);
        self.account_mut(from).collateral -= amount;
        self.account_mut(receiver).collateral += amount;
        self.drop_unpaid(from);
        Ok(())
    }

    /// Moves shares of a token to another address. Orders that can no longer be delivered are cancelled.
    ///
    /// # Errors
    /// [`ActionError`]; nothing has changed then.
    pub fn transfer_shares(
        &mut self,
        from: AccountId,
        to: Address,
        (market, outcome): (MarketId, Outcome),
        shares: Shares,
        now_ns: Nanos,
    ) -> Result<(), ActionError> {
        self.advance(now_ns);
        positive(shares.micros())?;
        self.markets.get(market.index()).ok_or(ActionError::UnknownMarket)?;
        let asset = market.asset(outcome);
        let holder = self.accounts.get(from.0 as usize).ok_or(ActionError::UnknownAccount)?;
        if holder.holding(asset).settled < shares {
            return Err(ActionError::NotEnough);
        }
        let user = self.user(to);
        let receiver = self.wallet(user, to, SignatureType::Eoa);
        self.account_mut(from).change_holding(asset, |holding| holding.settled -= shares);
        self.account_mut(receiver).change_holding(asset, |holding| holding.settled += shares);
        self.drop_unpaid(from);
        Ok(())
    }

    /// Sets what an exchange contract may move for an account. Orders beyond it are cancelled.
    pub fn set_allowance(&mut self, account: AccountId, exchange: ExchangeKind, allowance: Allowance, now_ns: Nanos) {
        self.advance(now_ns);
        if let Some(holder) = self.accounts.get_mut(account.0 as usize) {
            holder.set_allowance(exchange, allowance);
            self.drop_unpaid(account);
        }
    }

    /// Locks collateral of an account for no reason, as the venue has been seen to do. Open orders stay.
    pub fn set_phantom_lock(&mut self, account: AccountId, amount: Usdc) {
        if let Some(holder) = self.accounts.get_mut(account.0 as usize) {
            holder.phantom_lock = amount;
        }
    }

    /// Bans a user, or lets one only reduce positions.
    pub fn restrict(&mut self, address: Address, banned: bool, closed_only: bool) {
        let user = self.user(address);
        if let Some(user) = self.users.get_mut(user.0 as usize) {
            (user.banned, user.closed_only) = (banned, closed_only);
        }
    }
}

fn positive(micros: i64) -> Result<(), ActionError> {
    if micros > 0 { Ok(()) } else { Err(ActionError::Amount) }
}
