//! Fills, settlements and accounts: what the venue reported against what the engine told.

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{
    AccountTrade, Address, AssetId, Booking, Event, InstanceId, MarketId, Movement, OrderId, Price, Shares, Side,
    SubAccount, TradeId, TradeStatus, Usdc,
};

use crate::accounts::{Key, News, Part, fault_of};
use crate::auditor::Auditor;
use crate::report::Rule;

/// A report of our part in a match, in the order in which an input brings them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported {
    pub(crate) key: Key,
    pub(crate) part: Part,
    pub(crate) price: Price,
    pub(crate) taker: bool,
    pub(crate) status: TradeStatus,
}

/// What the present input demands of its outputs.
#[derive(Debug, Default)]
pub(crate) struct Demands {
    pub(crate) reports: VecDeque<Reported>,
    /// A fill that came with a further status, which is to be told next.
    pub(crate) settlement: Option<(Key, TradeStatus)>,
    /// An account that moved and is to be told.
    pub(crate) ledger: Option<(InstanceId, MarketId)>,
    /// What the input says YES shares of markets pay.
    pub(crate) decided: Vec<(MarketId, Price)>,
    /// Whether the input was an account with no open order.
    pub(crate) shown_empty: bool,
    /// Sums of transfers by market: they must come out even.
    pub(crate) transfers: BTreeMap<MarketId, (Usdc, [Shares; 2])>,
    /// What conversions of events moved, by instance: cash, and the shares of each market.
    pub(crate) conversions: BTreeMap<InstanceId, (Usdc, Vec<[Shares; 2]>)>,
}

impl Auditor {
    /// Notes our parts in a reported match.
    pub(crate) fn reported(&mut self, trade: &AccountTrade) {
        let account = self.setup.as_ref().map_or_else(Address::default, |setup| setup.payer.maker);
        for leg in &trade.legs {
            let ours = leg.maker == account && account != Address::default();
            let terms = (leg.order, leg.asset, leg.side, leg.size, leg.price);
            self.part(trade, terms, ours, (leg.size.cost_floor(leg.price), Usdc::ZERO), false);
        }
        let terms = (trade.taker_order, trade.asset, trade.side, trade.size, trade.price);
        let money = self.taken(trade);
        self.part(trade, terms, trade.we_take, money, true);
    }

    /// What a taker pays or gets, and his fee. Against makers of the other token both together make a dollar a share.
    fn taken(&self, trade: &AccountTrade) -> (Usdc, Usdc) {
        let fee = trade.asset.and_then(|asset| self.cards.get(&asset.market())).and_then(|card| card.fee);
        let fee = |size, price| fee.map_or(Usdc::ZERO, |schedule| schedule.taker_fee(size, price));
        let sum: Shares = trade.legs.iter().map(|leg| leg.size).sum();
        if sum != trade.size || trade.legs.is_empty() {
            return (trade.size.cost_floor(trade.price), fee(trade.size, trade.price));
        }
        let mut money = (Usdc::ZERO, Usdc::ZERO);
        for leg in &trade.legs {
            let makers = leg.size.cost_floor(leg.price);
            let same = leg.asset == trade.asset;
            money.0 += if same { makers } else { Usdc::from_micros(leg.size.micros()) - makers };
            money.1 += fee(leg.size, if same { leg.price } else { leg.price.complement() });
        }
        money
    }

    fn part(
        &mut self,
        trade: &AccountTrade,
        (order, asset, side, size, price): (OrderId, Option<AssetId>, Side, Shares, Price),
        ours: bool,
        (notional, fee): (Usdc, Usdc),
        taker: bool,
    ) {
        let key = (trade.id, order);
        let known = match (self.orders.get(&order), self.books.part(&key)) {
            (Some(own), _) => Some((own.place.instance, own.place.asset)),
            (None, Some(part)) => Some((part.owner, part.asset)),
            (None, None) => None,
        };
        let before = trade.match_time_s != 0 && trade.match_time_s < self.started_s;
        let (owner, asset) = match (known, asset) {
            (Some(known), _) => known,
            // Nobody's: what a stranger's order under the key did since the run began.
            (None, Some(asset)) if ours && !before && trade.status != TradeStatus::Failed => {
                (InstanceId::WALLET, asset)
            }
            (None, _) => return,
        };
        let part = Part { owner, asset, side, size, notional, fee };
        if size.is_positive() {
            self.demands.reports.push_back(Reported { key, part, price, taker, status: trade.status });
        }
    }

    /// A fill that is told must be the next one that was reported, as it was reported.
    pub(crate) fn fill(&mut self, event: &Event) {
        self.told_ledger();
        let Event::Fill { trade, order, instance, asset, side, price, size, fee, taker, movement, .. } = event else {
            return;
        };
        let key = (*trade, *order);
        let Some(reported) = self.next_news() else {
            let what =
                format!("a fill of order {order} in match {trade} is counted that was not reported, or a second time");
            return self.found.found(Rule::FillOnce, what);
        };
        let told = Part {
            owner: instance.unwrap_or(InstanceId::WALLET),
            asset: *asset,
            side: *side,
            size: *size,
            notional: reported.part.notional,
            fee: *fee,
        };
        let is_new = self.books.news(&reported.key, reported.status) == News::Fill;
        let same = (reported.key, reported.part, reported.price, reported.taker) == (key, told, *price, *taker);
        self.found.check(Rule::FillOnce, is_new && same, || {
            format!(
                "counted: {} {size} @{price} fee {fee} of order {order} in match {trade}; reported: {}",
                side.as_str(),
                words(&reported)
            )
        });
        let moved = self.count(&reported);
        self.found.check(Rule::Ledger, moved == *movement, || {
            format!("the fill of order {order} in match {trade} is said to move {movement:?}; it moves {moved:?}")
        });
    }

    /// The next report that says something new; those before it said nothing.
    fn next_news(&mut self) -> Option<Reported> {
        while let Some(reported) = self.demands.reports.pop_front() {
            if self.books.news(&reported.key, reported.status) != News::Nothing {
                return Some(reported);
            }
        }
        None
    }

    /// Books a reported part.
    fn count(&mut self, reported: &Reported) -> Movement {
        self.totals.fills += 1;
        let Reported { key, part, status, .. } = *reported;
        self.touched.entry(part.asset.market()).or_default();
        let movement = self.books.count(key, part);
        self.orders.fill(&key.1, part.size);
        self.demands.ledger = Some((part.owner, part.asset.market()));
        if status != TradeStatus::Matched {
            self.books.settle(key, status);
            self.demands.settlement = Some((key, status));
        }
        movement
    }

    /// Books a reported settlement.
    fn settle(&mut self, reported: &Reported) {
        let Reported { key, part, status, .. } = *reported;
        if self.books.news(&key, status) == News::StillBorn {
            return self.books.still_born(key);
        }
        if self.books.settle(key, status) {
            self.totals.failed += 1;
            self.orders.fill(&key.1, -part.size);
        }
        self.demands.ledger = Some((part.owner, part.asset.market()));
    }

    pub(crate) fn settlement(&mut self, key: (TradeId, OrderId), status: TradeStatus) {
        let told = (key, status);
        let expected = match self.demands.settlement.take() {
            Some(with_fill) => Some(with_fill),
            None => {
                self.told_ledger();
                self.next_news().map(|reported| {
                    if self.books.news(&reported.key, reported.status) == News::Fill {
                        self.found.found(Rule::FillOnce, format!("not counted: {}", words(&reported)));
                        self.count(&reported);
                        self.demands.settlement = None;
                    } else {
                        self.settle(&reported);
                    }
                    (reported.key, reported.status)
                })
            }
        };
        self.found.check(Rule::Settlement, expected == Some(told), || {
            let reported =
                expected.map(|((trade, order), status)| format!("{status:?} of match {trade}, order {order}"));
            let reported = reported.unwrap_or_else(|| "nothing new".to_owned());
            format!("told: {status:?} of match {}, order {}; reported: {reported}", key.0, key.1)
        });
    }

    pub(crate) fn ledger(&mut self, place: (InstanceId, MarketId), told: &SubAccount) {
        self.totals.ledgers += 1;
        if self.demands.ledger == Some(place) {
            self.demands.ledger = None;
        }
        // What is promised to a merge is a plan, not a movement.
        let own = SubAccount { reserved: told.reserved, ..self.books.account(place.0, place.1) };
        self.found.check(Rule::Ledger, own == *told, || {
            format!(
                "instance {} in market {} is said to have {told:?}; its movements lead to {own:?}",
                place.0.0, place.1.0
            )
        });
        self.found.check(Rule::Ledger, told.balances(), || {
            format!("the account of instance {} in market {} does not balance", place.0.0, place.1.0)
        });
    }

    pub(crate) fn booked(&mut self, (instance, market): (InstanceId, MarketId), booking: Booking, movement: &Movement) {
        self.touched.entry(market).or_default();
        let fault = fault_of(booking, movement);
        self.found.check(Rule::Ledger, fault.is_none(), || {
            format!(
                "a booking ({booking:?}) of instance {} in market {}: {}",
                instance.0,
                market.0,
                fault.unwrap_or_default()
            )
        });
        if booking == Booking::Transfer {
            let (cash, shares) = self.demands.transfers.entry(market).or_default();
            *cash += movement.cash;
            (0..2).for_each(|i| shares[i] += movement.shares[i]);
        }
        if booking == Booking::Convert {
            let (cash, shares) = self.demands.conversions.entry(instance).or_default();
            *cash += movement.cash;
            shares.push(movement.shares);
        }
        self.books.book((instance, market), movement);
    }

    /// An account that moved must have been told before the next movement.
    fn told_ledger(&mut self) {
        if let Some((instance, market)) = self.demands.ledger.take() {
            let what = format!("the account of instance {} in market {} moved and was not told", instance.0, market.0);
            self.found.found(Rule::Ledger, what);
        }
    }

    /// What the last input demanded and its outputs did not bring.
    pub(crate) fn settle_demands(&mut self) {
        while let Some(reported) = self.next_news() {
            let fill = self.books.news(&reported.key, reported.status) == News::Fill;
            let rule = if fill { Rule::FillOnce } else { Rule::Settlement };
            self.found.found(rule, format!("reported and not told: {}", words(&reported)));
            if fill {
                self.count(&reported);
            } else {
                self.settle(&reported);
            }
            self.demands.ledger = None;
            self.demands.settlement = None;
        }
        if let Some(((trade, order), status)) = self.demands.settlement {
            let what = format!("reported and not told: {status:?} of match {trade}, order {order}");
            self.found.found(Rule::Settlement, what);
        }
        self.told_ledger();
        for (market, (cash, shares)) in std::mem::take(&mut self.demands.transfers) {
            let even = cash.is_zero() && shares.iter().all(|s| s.is_zero());
            self.found.check(Rule::Ledger, even, || format!("transfers in market {} do not come out even", market.0));
        }
        for (instance, (cash, shares)) in std::mem::take(&mut self.demands.conversions) {
            let fault = fault_of_conversion(cash, &shares);
            self.found.check(Rule::Ledger, fault.is_none(), || {
                format!("a conversion of instance {}: {}", instance.0, fault.unwrap_or_default())
            });
        }
        self.demands = Demands::default();
    }
}

/// What is wrong with the movements of a conversion together; `None` if nothing is: as much YES comes in each market as NO goes in each
/// other one, and a dollar a share for each of these but one.
pub(crate) fn fault_of_conversion(cash: Usdc, shares: &[[Shares; 2]]) -> Option<&'static str> {
    let given = shares.iter().filter(|[_, no]| no.is_negative()).count();
    let size = shares.iter().find(|[_, no]| no.is_negative()).map_or(Shares::ZERO, |[_, no]| -*no);
    let fits = |[yes, no]: &[Shares; 2]| (yes.is_zero() && *no == -size) || (*yes == size && no.is_zero());
    if given == 0 || !shares.iter().all(fits) {
        return Some("not as many of each token");
    }
    let dollars = i64::try_from(given - 1).unwrap_or(i64::MAX);
    let due = Usdc::from_micros(size.micros().saturating_mul(dollars));
    (cash != due).then_some("its collateral is not a dollar for each outcome given but one")
}

fn words(reported: &Reported) -> String {
    let Reported { key: (trade, order), part, price, status, .. } = reported;
    format!(
        "{status:?} {} {} @{price} fee {} of order {order} in match {trade}",
        part.side.as_str(),
        part.size,
        part.fee
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversion_brings_as_much_of_each_and_a_dollar_for_all_but_one() {
        let shares = |yes: i64, no: i64| [Shares::from_whole(yes), Shares::from_whole(no)];
        let fault = |dollars: i64, rows: &[[Shares; 2]]| fault_of_conversion(Usdc::from_whole(dollars), rows).is_some();
        assert!(!fault(10, &[shares(0, -10), shares(0, -10), shares(10, 0)]));
        assert!(!fault(20, &[shares(0, -10), shares(0, -10), shares(0, -10)]));
        assert!(!fault(0, &[shares(0, -10), shares(10, 0), shares(10, 0)]));
        for (dollars, rows) in [
            (20, [shares(0, -10), shares(0, -10), shares(10, 0)]),
            (10, [shares(0, -10), shares(0, -10), shares(11, 0)]),
            (10, [shares(0, -10), shares(0, -9), shares(10, 0)]),
            (0, [shares(10, 0), shares(10, 0), shares(10, 0)]),
            (10, [shares(0, -10), shares(1, -10), shares(10, 0)]),
        ] {
            assert!(fault(dollars, &rows), "{dollars} {rows:?}");
        }
    }
}
