//! Going on after another run: its facts are taken over, then the venue is asked.
//!
//! A restart decides nothing a second time. Orders that were not final may be anything now; they count as alive until the venue
//! shows otherwise, which the doubt of every start sees to: what is open is named, cancelled, and shown to be gone. Matches are read
//! from before the end of the other run on, so that those that nobody heard of are booked once, to their instance.

use oddsmith_domain::{
    Address, DoubtCause, Event, InstanceId, MarketId, Output, Restore, RestoredBasket, RestoredMarket, SubAccount,
    Time, TradeStatus,
};
use oddsmith_execution::{Booked, FillKey, Fills, Ledger, facts};

use crate::core::Engine;
use crate::market::Market;

/// How far back the venue's matches are read when nothing older is open, in seconds.
const USUAL_S: u64 = 3_600;

/// From when on the venue's matches are read.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// Nothing before this is of this run or of those that it goes on after; in seconds since the Unix epoch.
    from_s: u64,
    /// Nothing was read yet since the facts of the run before were taken over.
    behind: bool,
    /// Fills of the runs before whose settlement is open, and when they were matched.
    open: Vec<(FillKey, u64)>,
}

impl Reach {
    /// The reach of a run that begins now. A minute of overlap: what is known already is not counted again.
    pub(crate) const fn begin(now: Time) -> Reach {
        Reach { from_s: now.wall_s().saturating_sub(60), behind: false, open: Vec::new() }
    }

    /// The second since the Unix epoch from which on matches are to be read.
    pub(crate) fn since_s(&self, now: Time) -> u64 {
        let usual = now.wall_s().saturating_sub(USUAL_S);
        let oldest = self.open.iter().map(|(_, matched_s)| *matched_s).min().unwrap_or(usual);
        if self.behind { self.from_s } else { self.from_s.max(usual.min(oldest)) }
    }

    /// The matches were read whole.
    pub(crate) fn done(&mut self, fills: &Fills) {
        self.behind = false;
        self.open.retain(|(key, _)| fills.get(key.trade, key.order).is_some_and(|booked| !is_final(booked.status)));
    }
}

const fn is_final(status: TradeStatus) -> bool {
    matches!(status, TradeStatus::Confirmed | TradeStatus::Failed)
}

impl Engine {
    /// The sub-accounts as they stand.
    pub fn accounts(&self) -> impl Iterator<Item = (InstanceId, MarketId, &SubAccount)> {
        self.ledger.accounts()
    }

    pub(crate) fn on_restore(&mut self, restore: &Restore, now: Time, out: &mut Vec<Output>) {
        if let Some(why) = self.refuses(restore) {
            let text = format!("the facts of run {} were refused: {why}", restore.run);
            return self.emit.event(out, Event::Alert { text });
        }
        for market in &restore.markets {
            self.take_in(market, out);
        }
        let names: Vec<String> = self.instances.iter().map(|instance| instance.name.clone()).collect();
        let owners = facts::owners(restore, &names);
        for order in &restore.orders {
            let mut place = order.place;
            place.instance = facts::owner(&owners, place.instance);
            self.orders.restore(place, order.state, order.filled, now);
        }
        let open: Vec<_> = self.orders.open().map(|order| order.place.id).collect();
        for id in &open {
            self.change(id, oddsmith_domain::OrderState::Unknown, now, out);
        }
        self.take_fills(restore, &owners);
        self.ledger = Ledger::from_accounts(
            facts::accounts(restore, &names).into_iter().map(|((m, i), account)| ((i, m), account)),
        );
        let places: Vec<_> = self.ledger.accounts().map(|(instance, market, _)| (instance, market)).collect();
        for (instance, market) in places {
            // What a conversion of the run before was promised is free again; the balances will say whether it was carried out.
            let promised = self.ledger.account(instance, market).reserved;
            self.ledger.release((instance, market), promised);
            // The run before has counted its tokens: whatever differs now is a difference, and not what the wallet began with.
            if let Some(market) = self.markets.get_mut(market.index()) {
                market.adopted = true;
            }
            self.tell_ledger(instance, market, out);
        }
        // Orders that may be alive count, also where nothing was ever filled.
        (0..restore.markets.len()).for_each(|n| self.recount(MarketId(u32::try_from(n).unwrap_or(u32::MAX))));
        self.opening = restore.capital;
        self.name_the_gone(restore, &owners, out);
        self.restore_latches(&restore.latches, restore.profit, now, out);
        if restore.stopped {
            self.doubt_wallet(DoubtCause::Operator, now, out);
        }
        for before in &restore.baskets {
            let RestoredBasket { basket, state, parts, .. } = before.clone();
            let instance = facts::owner(&owners, before.instance);
            self.emit.event(out, Event::BasketAbandoned { instance, basket, state, parts });
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (open, fills) = (count(open.len()), count(restore.fills.len()));
        self.emit.event(out, Event::Restored { run: restore.run, open, fills });
    }

    /// Why facts cannot be taken over, if so: they come too late, or are another account's, or contradict themselves.
    fn refuses(&self, restore: &Restore) -> Option<&'static str> {
        let account = self.setup.as_ref().map_or_else(Address::default, |setup| setup.payer.maker);
        let known = |market: MarketId| market.index() < restore.markets.len();
        if self.setup.is_none() {
            Some("there is no setup yet")
        } else if restore.account != account {
            Some("they are another account's")
        } else if !self.by_condition.is_empty()
            || self.orders.open_count() > 0
            || self.ledger.accounts().next().is_some()
        {
            Some("they are not the second input of the run")
        } else if !restore.orders.iter().all(|order| known(order.place.asset.market()))
            || !restore.fills.iter().filter_map(|fill| fill.booked.as_ref()).all(|b| known(b.asset.market()))
            || !restore.accounts.iter().all(|a| known(a.market) || a.market == MarketId::CLOSED)
            || !restore.baskets.iter().flat_map(|b| &b.parts).all(|part| known(part.market))
        {
            Some("they speak of a market that they do not name")
        } else {
            None
        }
    }

    /// Takes a market of the run before in, under its number. It is received and traded when its card comes.
    fn take_in(&mut self, before: &RestoredMarket, out: &mut Vec<Output>) {
        let id = self.number(&before.card, out);
        if let Some(market) = self.markets.get_mut(id.index()) {
            (market.resolved, market.pays) = (before.resolved.is_some(), before.resolved);
        }
    }

    /// Gives a market its number.
    pub(crate) fn number(&mut self, card: &oddsmith_domain::MarketCard, out: &mut Vec<Output>) -> MarketId {
        let id = self.markets.next_id();
        self.assets.insert(id, card);
        self.by_condition.insert(card.condition, id);
        self.markets.push(Market::new(id, card.clone()));
        self.join_groups(id);
        self.emit.event(out, Event::Numbered { market: id, card: Box::new(card.clone()) });
        id
    }

    fn take_fills(&mut self, restore: &Restore, owners: &[InstanceId]) {
        let parts = restore.fills.iter().map(|fill| {
            let booked = fill.booked.map(|b| Booked {
                owner: facts::owner(owners, b.owner),
                asset: b.asset,
                side: b.side,
                size: b.size,
                status: b.status,
                movement: b.movement,
            });
            (FillKey { trade: fill.trade, order: fill.order }, booked)
        });
        self.fills = Fills::from_parts(parts);
        let open = restore.fills.iter().filter_map(|fill| {
            let booked = fill.booked.filter(|b| !is_final(b.status))?;
            Some((FillKey { trade: fill.trade, order: fill.order }, booked.matched_s))
        });
        self.reach = Reach { from_s: restore.trades_since_s, behind: true, open: open.collect() };
    }

    /// Tells what instances hold that are not configured any more: it is nobody's from now on.
    fn name_the_gone(&mut self, restore: &Restore, owners: &[InstanceId], out: &mut Vec<Output>) {
        for account in &restore.accounts {
            let gone = facts::owner(owners, account.instance) == InstanceId::WALLET;
            if let Some(name) = restore.instances.get(usize::from(account.instance.0)).filter(|_| gone)
                && !account.account.is_flat()
            {
                let [yes, no] = account.account.shares;
                let text = format!(
                    "instance `{name}` is not configured any more; the {yes} YES and {no} NO that it held in market {} belong to no \
                     instance now",
                    account.market.0
                );
                self.emit.event(out, Event::Alert { text });
            }
        }
    }
}
