//! Settlement: a match becomes a transaction, or does not.

use std::sync::Arc;

use oddsmith_domain::{Outcome, Shares, Side, Usdc};
use rand::RngCore;

use super::account::{AccountId, KeyId};
use super::config::Settlement;
use super::event::{CoreEvent, TradeEvent};
use super::timer::Timer;
use super::trade::{FillKind, Leg, Trade, TradeState};
use super::{Core, MILLI};

/// How much slower a late settlement is.
const LATE_FACTOR: u64 = 10;

impl Core {
    /// Decides what becomes of the next matches in which an outside account takes part, one entry for each.
    pub fn script_settlements(&mut self, outcomes: impl IntoIterator<Item = Settlement>) {
        self.settlements.extend(outcomes);
    }

    /// Notes what a match will move.
    pub(crate) fn promise(&mut self, trade: &Trade, leg: &Leg) {
        let asset = trade.market.asset(leg.outcome);
        let account = self.account_mut(leg.account);
        account.pending_out += leg.collateral_out();
        account.pending_in += leg.collateral_in();
        account.change_holding(asset, |holding| match leg.side {
            Side::Buy => holding.pending_in += leg.shares,
            Side::Sell => holding.pending_out += leg.shares,
        });
    }

    /// Forgets what a match would have moved.
    fn withdraw_promise(&mut self, trade: &Trade, leg: &Leg) {
        let asset = trade.market.asset(leg.outcome);
        let account = self.account_mut(leg.account);
        account.pending_out -= leg.collateral_out();
        account.pending_in -= leg.collateral_in();
        account.change_holding(asset, |holding| match leg.side {
            Side::Buy => holding.pending_in -= leg.shares,
            Side::Sell => holding.pending_out -= leg.shares,
        });
    }

    pub(crate) fn schedule_settlement(&mut self, trade: &Trade) {
        let outside = trade.legs().any(|leg| !self.is_internal(leg.user));
        let way = if outside { self.settlements.pop_front().unwrap_or_default() } else { Settlement::Normal };
        let factor = if way == Settlement::Late { LATE_FACTOR } else { 1 };
        let ms = |ms: u64| ms.saturating_mul(factor).saturating_mul(MILLI);
        let first = self.now_ns.saturating_add(ms(self.config.mined_after_ms));
        let second = first.saturating_add(ms(self.config.confirmed_after_ms));
        let third = second.saturating_add(ms(self.config.confirmed_after_ms));
        let steps: &[(u64, TradeState)] = match way {
            Settlement::Normal | Settlement::Late => &[(first, TradeState::Mined), (second, TradeState::Confirmed)],
            Settlement::RetryThenMine => {
                &[(first, TradeState::Retrying), (second, TradeState::Mined), (third, TradeState::Confirmed)]
            }
            Settlement::RetryThenFail => &[(first, TradeState::Retrying), (second, TradeState::Failed)],
            Settlement::Fail => &[(first, TradeState::Failed)],
        };
        for (when, state) in steps {
            self.timers.at(*when, Timer::Settle(trade.sequence, *state));
        }
    }

    /// A match takes a step of its settlement.
    pub(crate) fn settle(&mut self, sequence: u64, step: TradeState) {
        let Some(trade) = self.trades.get(&sequence).cloned() else { return };
        if matches!(trade.state, TradeState::Confirmed | TradeState::Failed) {
            return;
        }
        let step = if step == TradeState::Mined && !self.can_settle(&trade) { TradeState::Failed } else { step };
        let mut trade = Arc::unwrap_or_clone(trade);
        trade.state = step;
        trade.updated_ms = self.now_ms();
        match step {
            TradeState::Mined => {
                let mut hash = [0u8; 32];
                self.ids.fill_bytes(&mut hash);
                trade.transaction = Some(hash);
                self.mine(&trade);
            }
            TradeState::Failed => {
                for leg in trade.legs() {
                    self.withdraw_promise(&trade, leg);
                }
            }
            TradeState::Matched | TradeState::Confirmed | TradeState::Retrying => {}
        }
        let trade = Arc::new(trade);
        self.tell_trade(&trade);
        let over = matches!(step, TradeState::Confirmed | TradeState::Failed);
        self.trades.insert(sequence, trade.clone());
        if over {
            self.file_trade(&trade);
        }
        if step == TradeState::Failed {
            // What was to come in may have been offered or promised again (usable when matched).
            let accounts: Vec<AccountId> = trade.legs().map(|leg| leg.account).collect();
            for account in accounts {
                self.drop_unpaid(account);
            }
        }
    }

    /// Whether every party still has on the chain what it has to give.
    fn can_settle(&self, trade: &Trade) -> bool {
        trade.legs().all(|leg| {
            let Some(account) = self.accounts.get(leg.account.0 as usize) else { return false };
            let same = || trade.legs().filter(|other| other.account == leg.account);
            let cash: Usdc = same().map(Leg::collateral_out).sum();
            let sold = same().filter(|other| other.side == Side::Sell && other.outcome == leg.outcome);
            let shares: Shares = sold.map(|other| other.shares).sum();
            let asset = trade.market.asset(leg.outcome);
            cash <= account.collateral && shares <= account.holding(asset).settled
        })
    }

    /// Moves the balances of a match.
    fn mine(&mut self, trade: &Trade) {
        for leg in trade.legs() {
            self.withdraw_promise(trade, leg);
            let asset = trade.market.asset(leg.outcome);
            let account = self.account_mut(leg.account);
            account.collateral = account.collateral - leg.collateral_out() + leg.collateral_in();
            account.change_holding(asset, |holding| match leg.side {
                Side::Buy => holding.settled += leg.shares,
                Side::Sell => holding.settled -= leg.shares,
            });
            self.fees += leg.fee;
        }
        let moved = |kind| trade.makers.iter().filter(|(_, k)| *k == kind).map(|(leg, _)| leg.shares).sum::<Shares>();
        let minted = moved(FillKind::Mint) - moved(FillKind::Merge);
        if let Some(market) = self.market_mut(trade.market) {
            market.locked += Usdc::from_micros(minted.micros());
            for outcome in Outcome::BOTH {
                market.outstanding[outcome.index()] += minted;
            }
        }
    }

    /// Tells every outside party of a match how it stands.
    pub(crate) fn tell_trade(&mut self, trade: &Arc<Trade>) {
        let mut told: Vec<(KeyId, bool)> = Vec::new();
        for (index, leg) in trade.legs().enumerate() {
            let entry = (leg.key, index == 0);
            if !self.is_internal(leg.user) && !told.contains(&entry) {
                told.push(entry);
            }
        }
        for (receiver, as_taker) in told {
            self.events.push(CoreEvent::Trade(TradeEvent {
                receiver,
                as_taker,
                trade: trade.clone(),
                state: trade.state,
                timestamp_ms: trade.updated_ms,
            }));
        }
    }

    /// Enters a match into the lists of the outside users who take part.
    pub(crate) fn remember_trade(&mut self, trade: &Trade) {
        for leg in trade.legs() {
            if let Some(user) = self.users.get_mut(leg.user.0 as usize)
                && !user.internal
                && user.trades.back() != Some(&trade.sequence)
            {
                user.trades.push_back(trade.sequence);
            }
        }
    }

    /// Keeps a finished match readable for outside users, and forgets what is too old or concerns none.
    fn file_trade(&mut self, trade: &Trade) {
        if trade.legs().all(|leg| self.is_internal(leg.user)) {
            self.trades.remove(&trade.sequence);
            self.trade_by_id.remove(&trade.id);
            return;
        }
        self.finished_trades.push_back(trade.sequence);
        while self.finished_trades.len() > self.config.history {
            let Some(old) = self.finished_trades.pop_front().and_then(|sequence| self.trades.remove(&sequence)) else {
                continue;
            };
            self.trade_by_id.remove(&old.id);
            for leg in old.legs() {
                let Some(user) = self.users.get_mut(leg.user.0 as usize) else { continue };
                if user.trades.front() == Some(&old.sequence) {
                    user.trades.pop_front();
                } else {
                    // Late settlements finish out of order.
                    user.trades.retain(|sequence| *sequence != old.sequence);
                }
            }
        }
    }
}
