//! The venue's account and our books, compared: when it is read, what is taken from it, and what is done about a difference.
//!
//! A read is whole or it is rejected. Matches count at once, each once. A balance that differs is believed in three steps, because
//! the venue's numbers are read one after the other and may be older than what the user channel has told: at the first sight the
//! account is only read again, at the second the difference is told and its scope is stopped, at the third our books are put right.

use std::collections::BTreeMap;

use oddsmith_domain::{
    AccountOrder, AccountSnapshot, Action, ActionSeq, AssetId, Booking, CapitalCause, DifferenceKind, DoubtCause,
    Event, FetchWhat, InstanceId, MarketId, Omission, OrderState, Outcome, Output, ReadReason, RequestKind, Shares,
    Time, Usdc,
};

use crate::config::ns;
use crate::core::{Engine, Purpose};
use crate::doubt::Phase;
use crate::market::Market;
use crate::settle::Converting;

/// After something did not fit, the account is read again this much later.
pub(crate) const AGAIN_NS: u64 = 2 * Time::SECOND;
/// Every so many scheduled reads, every token is counted; in between only those that matter.
const FULL_EVERY: u64 = 10;
/// An unknown conversion that this many reads in a row do not show was not carried out.
pub(crate) const UNSEEN: u32 = 3;

/// When the account is read next, and what the last reads have shown.
#[derive(Debug, Default)]
pub(crate) struct Reconciler {
    pub(crate) next_at: u64,
    reason: Option<ReadReason>,
    /// The read that is under way, why, and since when.
    asked: Option<(ActionSeq, ReadReason, Time)>,
    reads: u64,
    /// How often the ledger had moved when the last read was asked for.
    moved: u64,
    /// It has moved between the question and the answer: a balance that differs may only be older than our books.
    raced: bool,
    pub(crate) rejected: u64,
    sights: BTreeMap<Sight, (i64, u32)>,
}

/// What a balance was found to differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sight {
    Collateral,
    Token(AssetId),
}

impl Reconciler {
    /// How often in a row the same difference was seen, this time included; 0 when it proves nothing.
    fn see(&mut self, sight: Sight, off: i64) -> u32 {
        if self.raced {
            return 0;
        }
        let (last, count) = self.sights.entry(sight).or_insert((off, 0));
        *count = if *last == off { *count + 1 } else { 1 };
        *last = off;
        *count
    }
}

impl Engine {
    /// Something does not fit: the account is read at this time at the latest.
    pub(crate) fn suspect(&mut self, mono_ns: u64) {
        self.ask_for_account(mono_ns, ReadReason::Suspicion);
    }

    pub(crate) fn ask_for_account(&mut self, mono_ns: u64, reason: ReadReason) {
        let reconciler = &mut self.reconciler;
        reconciler.next_at = reconciler.next_at.min(mono_ns);
        // A reconnect that waits for its read must not be forgotten for a suspicion.
        if reconciler.reason != Some(ReadReason::Reconnect) {
            reconciler.reason = Some(reason);
        }
        self.pending = true;
    }

    /// Reads the account when it is time, unless doubt reads it anyway.
    pub(crate) fn step_reconcile(&mut self, now: Time, out: &mut Vec<Output>) {
        let read_by_doubt = self.awaited.values().any(|p| matches!(p, Purpose::Doubt(oddsmith_domain::Scope::Wallet)));
        let readable = self.breakers.room(RequestKind::Account) > 0;
        if now.mono_ns < self.reconciler.next_at || self.reconciler.asked.is_some() || read_by_doubt || !readable {
            return;
        }
        let reason = self.reconciler.reason.take().unwrap_or(ReadReason::Schedule);
        self.reconciler.next_at = now.mono_ns + ns(self.config.timing.reconcile_ms);
        let action = self.fetch_account(Purpose::Reconcile, now, out);
        self.reconciler.asked = Some((action, reason, now));
    }

    pub(crate) fn fetch_account(&mut self, purpose: Purpose, now: Time, out: &mut Vec<Output>) -> ActionSeq {
        self.reconciler.reads += 1;
        self.reconciler.moved = self.counts.movements;
        let full = self.reconciler.reads % FULL_EVERY == 1;
        let assets = self.markets.iter().filter(|m| full || self.is_counted(m.id)).flat_map(|m| {
            let id = m.id;
            Outcome::BOTH.map(|outcome| id.asset(outcome))
        });
        let what = FetchWhat::Account { trades_since_s: self.reach.since_s(now), assets: assets.collect() };
        self.breakers.sent(RequestKind::Account);
        let action = self.emit.action(out, Action::Fetch(what));
        self.awaited.insert(action, purpose);
        action
    }

    /// Whether a market's tokens are counted in every read: some are held or on their way, or they were never counted.
    fn is_counted(&self, id: MarketId) -> bool {
        let market = self.markets.get(id.index());
        market.is_some_and(|m| !m.adopted || m.conversion.is_some() || m.doubt.has(DoubtCause::Mismatch))
            || self.ledger.market(id).any(|(_, a)| {
                !a.is_flat() || [a.settled, a.arriving, a.leaving].iter().flatten().any(|s| *s >= Shares::LOT)
            })
    }

    /// The account was read for comparison.
    pub(crate) fn on_reconciled(
        &mut self,
        outcome: &Result<AccountSnapshot, Omission>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let Some((_, reason, asked)) = self.reconciler.asked.take() else { return };
        match outcome {
            Ok(snapshot) => {
                self.take_account(snapshot, reason, now, out);
                self.look_for_orders(&snapshot.orders, asked, out);
                for order in &snapshot.orders {
                    if self.orders.get(&order.id).is_none() {
                        self.on_foreign_order(&order.id, order.asset, now, out);
                        self.doubt_wallet(DoubtCause::Mismatch, now, out);
                    }
                }
                if reason == ReadReason::Reconnect {
                    self.wallet.resolve(DoubtCause::UserLink);
                }
            }
            Err(omission) => {
                self.reject_account(reason, omission, out);
                self.account_unread(reason, now, out);
            }
        }
    }

    /// A read that is not whole is no read: what was missing is told and counted.
    pub(crate) fn reject_account(&mut self, reason: ReadReason, omission: &Omission, out: &mut Vec<Output>) {
        self.reconciler.rejected += 1;
        let rejected = self.reconciler.rejected;
        self.emit.event(out, Event::AccountRejected { reason, omission: Box::new(omission.clone()), rejected });
    }

    /// Takes over what a whole read shows: matches at once, orders as they stand, balances after they were seen to differ thrice.
    pub(crate) fn take_account(
        &mut self,
        snapshot: &AccountSnapshot,
        reason: ReadReason,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        self.account_was_read();
        self.reconciler.raced = self.counts.movements != self.reconciler.moved;
        let before = self.counts.differences;
        for trade in &snapshot.trades {
            self.on_trade(trade, now, out);
        }
        self.reach.done(&self.fills);
        for order in &snapshot.orders {
            self.compare_order(order, now, out);
        }
        self.weigh_conversions(snapshot, now, out);
        for &(asset, actual) in &snapshot.tokens {
            self.compare_token(asset, actual, now, out);
        }
        self.compare_collateral(snapshot.collateral, now, out);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.emit.event(
            out,
            Event::AccountRead {
                reason,
                orders: count(snapshot.orders.len()),
                trades: count(snapshot.trades.len()),
                tokens: count(snapshot.tokens.len()),
                suspected: count(self.reconciler.sights.len()),
                differences: count(usize::try_from(self.counts.differences - before).unwrap_or(usize::MAX)),
            },
        );
    }

    fn compare_order(&mut self, listed: &AccountOrder, now: Time, out: &mut Vec<Output>) {
        let Some(order) = self.orders.get(&listed.id) else { return };
        let place = order.place;
        let same = (listed.side, listed.price) == (place.side(), place.price)
            && listed.original_size == place.size
            && listed.asset.is_none_or(|asset| asset == place.asset);
        self.on_order_standing(&listed.id, listed.status, listed.size_matched, now, out);
        if !same {
            let what = format!(
                "order {} is {} {} @{} at the venue, {} {} @{} in our books",
                listed.id,
                listed.side.as_str(),
                listed.original_size,
                listed.price,
                place.side().as_str(),
                place.size,
                place.price
            );
            self.differ(DifferenceKind::OrderTerms, Some(place.asset.market()), what, out);
            self.doubt_wallet(DoubtCause::Mismatch, now, out);
        }
    }

    /// Orders that worked before the read began and are not in it are asked about: a cancel or a fill may be on its way to us.
    fn look_for_orders(&mut self, listed: &[AccountOrder], asked: Time, out: &mut Vec<Output>) {
        let missing: Vec<_> = self
            .orders
            .open()
            .filter(|o| matches!(o.state, OrderState::Working | OrderState::PartiallyFilled) && o.asked.is_none())
            .filter(|o| o.state_since.mono_ns < asked.mono_ns && o.remaining().floor_lots().is_positive())
            .map(|o| o.place.id)
            .filter(|id| !listed.iter().any(|order| order.id == *id))
            .collect();
        for id in missing {
            self.query(id, out);
        }
    }

    /// What the chain can hold of a token, whichever of our open matches have reached it.
    fn bounds(&self, asset: AssetId) -> (Shares, Shares) {
        let i = asset.outcome().index();
        let mut bounds = (Shares::ZERO, Shares::ZERO);
        for (_, account) in self.ledger.market(asset.market()) {
            bounds.0 += account.settled[i] - account.leaving[i];
            bounds.1 += account.settled[i] + account.arriving[i];
        }
        bounds
    }

    pub(crate) fn token_off(&self, asset: AssetId, actual: Shares) -> Shares {
        let (low, high) = self.bounds(asset);
        let off = if actual > high { actual - high } else { (actual - low).min(Shares::ZERO) };
        if off.abs() <= self.config.tokens.tolerance { Shares::ZERO } else { off }
    }

    fn compare_token(&mut self, asset: AssetId, actual: Shares, now: Time, out: &mut Vec<Output>) {
        let (id, outcome) = (asset.market(), asset.outcome());
        let off = self.token_off(asset, actual);
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        if market.conversion.is_some() {
            return;
        }
        // Both tokens of a market are in a read or neither is.
        let first = !market.adopted;
        if first && matches!(self.wallet.phase(), Phase::Name(_)) {
            // The books are hardly there yet: what the tokens are worth is known at the next read.
            return;
        }
        market.adopted |= outcome == Outcome::No;
        let sight = Sight::Token(asset);
        if off.is_zero() {
            self.reconciler.sights.remove(&sight);
            return self.calm_market(id);
        }
        if market.pays.is_some() && off.is_negative() && actual < Shares::LOT {
            // Someone redeemed them: the venue itself, or a person.
            self.reconciler.sights.remove(&sight);
            self.book_redemption(id, outcome, out);
            return self.recount(id);
        }
        if first && off.is_positive() {
            return self.adopt_tokens(asset, off, out);
        }
        match self.reconciler.see(sight, off.micros()) {
            0 | 1 => {}
            2 => {
                let what = format!("{actual} {outcome:?} tokens of market {} at the venue, {off} off our books", id.0);
                self.differ(DifferenceKind::Tokens, Some(id), what, out);
                self.doubt_market(id, DoubtCause::Mismatch, now, out);
            }
            _ => {
                self.reconciler.sights.remove(&sight);
                if off.is_positive() {
                    self.adopt_tokens(asset, off, out)
                } else {
                    self.write_off(asset, -off, out)
                }
                return self.calm_market(id);
            }
        }
        self.suspect(now.mono_ns + AGAIN_NS);
    }

    /// A market whose tokens are as they should be is no longer stopped for them.
    fn calm_market(&mut self, id: MarketId) {
        let sights = &self.reconciler.sights;
        let differs = Outcome::BOTH.iter().any(|outcome| sights.contains_key(&Sight::Token(id.asset(*outcome))));
        if let (false, Some(market)) = (differs, self.markets.get_mut(id.index())) {
            market.doubt.resolve(DoubtCause::Mismatch);
        }
    }

    /// Tokens that came from elsewhere, valued at the last known mid: nobody's, or by rule an instance's.
    fn adopt_tokens(&mut self, asset: AssetId, size: Shares, out: &mut Vec<Output>) {
        let (id, outcome) = (asset.market(), asset.outcome());
        let mark = self.markets.get(id.index()).and_then(Market::mark);
        let price = mark.map(|yes| if outcome == Outcome::Yes { yes } else { yes.complement() });
        let cost = price.map_or(Usdc::ZERO, |price| size.cost_floor(price));
        let nobody = (InstanceId::WALLET, id);
        let movement = self.ledger.take_in(nobody, outcome, size, cost);
        self.set_capital(self.opening.unwrap_or(Usdc::ZERO) + cost, CapitalCause::Tokens, out);
        self.tell_booking(nobody, Booking::Opening, movement, out);
        let adopter = self.config.tokens.adopt.as_deref().and_then(|name| {
            let instance = self.instances.iter().find(|i| i.name == name && i.wants.contains_key(&id))?;
            Some(instance.id)
        });
        if let (Some(adopter), Some(price)) = (adopter, price)
            && let Ok([given, taken]) = self.ledger.transfer((InstanceId::WALLET, adopter), asset, size, price)
        {
            self.tell_booking(nobody, Booking::Transfer, given, out);
            self.tell_booking((adopter, id), Booking::Transfer, taken, out);
        }
        self.recount(id);
        self.wake(id, false);
    }

    /// Tokens that are gone: what nobody owns goes first, then what the instance of the least priority has.
    fn write_off(&mut self, asset: AssetId, mut missing: Shares, out: &mut Vec<Output>) {
        let (id, outcome, i) = (asset.market(), asset.outcome(), asset.outcome().index());
        let held = self.ledger.market(id).map(|(instance, a)| (instance, a.settled[i] - a.leaving[i]));
        let mut held: Vec<(InstanceId, Shares)> = held.collect();
        held.sort_by_key(|(instance, _)| self.rank(*instance));
        for (instance, free) in held.into_iter().rev() {
            let part = missing.min(free);
            if part.is_positive() {
                missing -= part;
                let movement = self.ledger.correct((instance, id), outcome, -part);
                self.tell_booking((instance, id), Booking::Correction, movement, out);
            }
        }
        self.book_decision(id, out);
        self.recount(id);
        self.wake(id, false);
    }

    fn compare_collateral(&mut self, actual: Usdc, now: Time, out: &mut Vec<Output>) {
        let settled = self.ledger.settled_cash();
        let Some(capital) = self.opening else {
            return self.set_capital(actual - settled, CapitalCause::Opening, out);
        };
        if self.markets.iter().any(|m| m.conversion.is_some()) {
            return;
        }
        let expected = capital + self.ledger.cash();
        let (low, high) = (expected - self.ledger.incoming(), expected + self.ledger.outgoing());
        let off = if actual > high { actual - high } else { (actual - low).min(Usdc::ZERO) };
        if off.abs() <= self.config.tokens.cash_tolerance {
            self.reconciler.sights.remove(&Sight::Collateral);
            return;
        }
        let seen = self.reconciler.see(Sight::Collateral, off.micros());
        if seen == 2 {
            let what = format!("the venue counts {actual} pUSD where {low} to {high} are expected");
            self.differ(DifferenceKind::Collateral, None, what, out);
            if off.is_negative() {
                self.doubt_wallet(DoubtCause::Mismatch, now, out);
            }
        }
        if seen > 2 {
            self.reconciler.sights.remove(&Sight::Collateral);
            let cause = if off.is_positive() { CapitalCause::Deposit } else { CapitalCause::Withdrawal };
            return self.set_capital(capital + off, cause, out);
        }
        self.suspect(now.mono_ns + AGAIN_NS);
    }

    /// The capital that profit is counted from: collateral is this and the cash of all sub-accounts.
    fn set_capital(&mut self, capital: Usdc, cause: CapitalCause, out: &mut Vec<Output>) {
        let change = capital - self.opening.unwrap_or(Usdc::ZERO);
        self.opening = Some(capital);
        self.emit.event(out, Event::Capital { capital, change, cause });
    }

    /// Conversions that nobody knows the fate of: tokens that are gone prove one, tokens that stay refute it in the end.
    fn weigh_conversions(&mut self, snapshot: &AccountSnapshot, now: Time, out: &mut Vec<Output>) {
        self.weigh_event_conversions(snapshot, now, out);
        let converting: Vec<MarketId> = self.markets.iter().filter(|m| m.conversion.is_some()).map(|m| m.id).collect();
        for id in converting {
            let index = id.index();
            let Some(market) = self.markets.get(index) else { continue };
            let (id, Some(conversion)) = (market.id, market.conversion) else { continue };
            let Some(unseen) = conversion.unknown else { continue };
            let off = |outcome: Outcome| {
                let asset = id.asset(outcome);
                let actual = snapshot.tokens.iter().find(|(a, _)| *a == asset).map(|(_, actual)| *actual)?;
                Some((self.token_off(asset, actual), actual))
            };
            let (Some((yes, has_yes)), Some((no, has_no))) = (off(Outcome::Yes), off(Outcome::No)) else { continue };
            let gone = match conversion.what {
                Converting::Pairs(_, pairs) => yes == -pairs && no == -pairs,
                Converting::Decided => has_yes < Shares::LOT && has_no < Shares::LOT,
                // Weighed with the other markets of its event.
                Converting::Event => continue,
            };
            if gone || unseen + 1 >= UNSEEN {
                self.end_conversion(id, gone, now, out);
            } else if let Some(conversion) = self.markets.get_mut(index).and_then(|m| m.conversion.as_mut()) {
                conversion.unknown = Some(unseen + 1);
                self.suspect(now.mono_ns + AGAIN_NS);
            }
        }
    }
}
