//! Matches and their settlement: who got what, and whether it came to the chain.

use oddsmith_domain::{
    AccountTrade, Address, MakerLeg, MarketId, OrderId, PlaceOrder, Price, Shares, Time, TradeId, TradeStatus, Usdc,
};
use oddsmith_polymarket::wire::{LegFrame, OrderFrame, TradeFrame};

use crate::held::Standing;
use crate::matching::Fill;
use crate::purse::Deal;
use crate::rules::{Plan, price_of};
use crate::venue::{Job, PaperVenue, REMEMBERED};

/// Who stands on the other side of every match: nobody's account.
const OTHERS: Address = Address(*b"nobody on paper 1234");
/// What frames name as the API key of ours, and of everybody else.
const OUR_KEY: &str = "00000000-0000-4000-8000-00000000000a";
const THEIR_KEY: &str = "00000000-0000-4000-8000-00000000000b";

/// One match.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    market: MarketId,
    pub(crate) report: AccountTrade,
    deal: Deal,
    transaction: Option<[u8; 32]>,
    matched_ms: u64,
}

impl Match {
    /// A match of another run, which has come to the chain.
    pub(crate) const fn settled(market: MarketId, report: AccountTrade, deal: Deal) -> Match {
        let matched_ms = report.match_time_s.saturating_mul(1_000);
        Match { market, report, deal, transaction: None, matched_ms }
    }
}

impl PaperVenue {
    /// A match that is over is kept for reads of the account.
    pub(crate) fn remember(&mut self, known: Match) {
        self.last_match += 1;
        self.matches.insert(self.last_match, known);
        self.finish_match(self.last_match);
    }

    /// A match's settlement has ended: it is remembered for a while.
    fn finish_match(&mut self, number: u64) {
        self.finished_matches.push_back(number);
        while self.finished_matches.len() > REMEMBERED {
            if let Some(old) = self.finished_matches.pop_front() {
                self.matches.remove(&old);
            }
        }
    }

    /// A resting order of ours was reached.
    pub(crate) fn on_fill(&mut self, market: MarketId, fill: Fill, now: Time) {
        let Some(id) = self.keys.get(&fill.key).copied() else { return };
        let Some(place) = self.orders.get(&id).map(|held| held.place) else { return };
        self.counts.made += 1;
        let size = Shares::from_micros(fill.micros);
        let standing = if fill.left > 0 { Standing::Live } else { Standing::Filled };
        let (price, asset) = (place.price, place.asset);
        let collateral = size.cost_floor(price);
        let deal = Deal { asset, side: place.side(), shares: size, collateral, fee: Usdc::ZERO };
        let leg = MakerLeg {
            order: id,
            maker: self.settings.payer.maker,
            asset: Some(asset),
            side: place.side(),
            price,
            size,
        };
        let report = AccountTrade {
            id: self.new_trade_id(),
            status: TradeStatus::Matched,
            taker_order: self.foreign_order(),
            asset: Some(asset),
            side: place.side().opposite(),
            size,
            price,
            we_take: false,
            legs: vec![leg],
            match_time_s: now.wall_s(),
        };
        self.open(market, (id, standing, "UPDATE"), report, deal, now);
        if standing == Standing::Filled {
            self.finish(&id);
        }
    }

    /// An order of ours took what was planned; the match's id.
    pub(crate) fn take(
        &mut self,
        place: &PlaceOrder,
        plan: &Plan,
        (standing, change): (Standing, &'static str),
        now: Time,
    ) -> TradeId {
        self.counts.taken += 1;
        let legs = plan.takes.iter().map(|take| MakerLeg {
            order: self.foreign_order(),
            maker: OTHERS,
            asset: Some(place.asset),
            side: place.side().opposite(),
            price: price_of(place, take.units),
            size: Shares::from_micros(take.micros),
        });
        let legs: Vec<MakerLeg> = legs.collect();
        let deal = Deal {
            asset: place.asset,
            side: place.side(),
            shares: plan.shares,
            collateral: plan.collateral,
            fee: plan.fee,
        };
        let report = AccountTrade {
            id: self.new_trade_id(),
            status: TradeStatus::Matched,
            taker_order: place.id,
            asset: Some(place.asset),
            side: place.side(),
            size: plan.shares,
            price: average(&legs),
            we_take: true,
            legs,
            match_time_s: now.wall_s(),
        };
        let id = report.id;
        self.open(place.asset.market(), (place.id, standing, change), report, deal, now);
        id
    }

    /// A match happened: the order stands otherwise, the account has promised, and its settlement begins.
    fn open(
        &mut self,
        market: MarketId,
        (order, standing, change): (OrderId, Standing, &'static str),
        report: AccountTrade,
        deal: Deal,
        now: Time,
    ) {
        if let Some(held) = self.orders.get_mut(&order) {
            held.matched += report.size;
            held.trades.push(report.id);
        }
        self.stand(&order, standing);
        self.purse.promise(&deal);
        self.last_match += 1;
        let number = self.last_match;
        self.tell_order(&order, change, now);
        self.matches.insert(number, Match { market, report, deal, transaction: None, matched_ms: now.wall_ms() });
        self.tell_match(number, now);
        let way = self.settings.settlement;
        let [fails, retried] = [way.failed_ppm, way.retried_ppm].map(|share| self.noise.happens(share));
        let ms = |ms: u64| ms.saturating_mul(Time::MILLI);
        let first = now.mono_ns.saturating_add(ms(way.mined_after_ms));
        let [second, third] = [1, 2].map(|n| first.saturating_add(ms(way.confirmed_after_ms).saturating_mul(n)));
        let steps: &[(u64, TradeStatus)] = match (fails, retried) {
            (true, _) => &[(first, TradeStatus::Retrying), (second, TradeStatus::Failed)],
            (false, true) => {
                &[(first, TradeStatus::Retrying), (second, TradeStatus::Mined), (third, TradeStatus::Confirmed)]
            }
            (false, false) => &[(first, TradeStatus::Mined), (second, TradeStatus::Confirmed)],
        };
        for (at, status) in steps {
            self.at(*at, Job::Settle(number, *status));
        }
    }

    /// A settlement moves on.
    pub(crate) fn settle(&mut self, number: u64, status: TradeStatus, now: Time) {
        let mut hash = [0u8; 32];
        self.noise.fill(&mut hash);
        let Some(known) = self.matches.get_mut(&number) else { return };
        known.report.status = status;
        match status {
            TradeStatus::Mined => {
                known.transaction = Some(hash);
                self.purse.settle(&known.deal, true);
            }
            TradeStatus::Failed => {
                self.counts.failed += 1;
                self.purse.settle(&known.deal, false);
            }
            TradeStatus::Matched | TradeStatus::Confirmed | TradeStatus::Retrying => {}
        }
        self.tell_match(number, now);
        if matches!(status, TradeStatus::Confirmed | TradeStatus::Failed) {
            self.finish_match(number);
        }
    }

    fn new_trade_id(&mut self) -> TradeId {
        let mut bytes = [0u8; 16];
        self.noise.fill(&mut bytes);
        let hex = hex::encode(bytes);
        let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
        let text = format!("{}-{}-4{}-8{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32));
        TradeId::parse(&text).unwrap_or_else(|_| unreachable!("36 characters are an id"))
    }

    /// The id of somebody else's order.
    pub(crate) fn foreign_order(&mut self) -> OrderId {
        let mut bytes = [0u8; 32];
        self.noise.fill(&mut bytes);
        OrderId(bytes)
    }

    /// Tells how an order stands.
    pub(crate) fn tell_order(&mut self, id: &OrderId, change: &'static str, now: Time) {
        let Some(held) = self.orders.get(id) else { return };
        let Some(listed) = self.markets.get(&held.place.asset.market()) else { return };
        let outcome = held.place.asset.outcome().index();
        let frame = OrderFrame {
            change,
            id: *id,
            owner: OUR_KEY,
            market: listed.card.condition.as_str(),
            asset: &listed.tokens[outcome],
            outcome: &listed.card.outcomes[outcome],
            side: held.place.side(),
            price: held.place.price,
            size: held.place.size,
            matched: held.matched,
            trades: &held.trades,
            created_s: held.created_ms / 1_000,
            expiration_s: held.place.expiration_s,
            order_type: held.place.order_type.as_str(),
            maker: &held.place.fields.maker.to_string(),
            status: held.standing.word(),
            timestamp_ms: now.wall_ms(),
        }
        .to_json();
        self.tell(frame, now);
    }

    fn tell_match(&mut self, number: u64, now: Time) {
        let Some(known) = self.matches.get(&number) else { return };
        let Some(listed) = self.markets.get(&known.market) else { return };
        let report = &known.report;
        let people: Vec<String> = report.legs.iter().map(|leg| leg.maker.to_string()).collect();
        // All legs of a paper match are of one token: what is displayed for the other one is the same offer.
        let outcome = known.deal.asset.outcome().index();
        let legs = report.legs.iter().zip(&people).map(|(leg, maker)| LegFrame {
            order: leg.order,
            owner: if report.we_take { THEIR_KEY } else { OUR_KEY },
            maker,
            asset: &listed.tokens[outcome],
            outcome: &listed.card.outcomes[outcome],
            outcome_index: outcome,
            side: leg.side,
            price: leg.price,
            size: leg.size,
        });
        let legs: Vec<LegFrame<'_>> = legs.collect();
        let taker = if report.we_take { self.settings.payer.maker } else { OTHERS };
        let block = matches!(report.status, TradeStatus::Mined | TradeStatus::Confirmed);
        let transaction = known.transaction.filter(|_| block).map(|hash| format!("0x{}", hex::encode(hash)));
        let frame = TradeFrame {
            id: report.id.as_str(),
            taker_order: report.taker_order,
            market: listed.card.condition.as_str(),
            asset: &listed.tokens[outcome],
            outcome: &listed.card.outcomes[outcome],
            side: report.side,
            size: report.size,
            price: report.price,
            status: word(report.status),
            owner: OUR_KEY,
            maker: &taker.to_string(),
            as_taker: report.we_take,
            legs: &legs,
            transaction: transaction.as_deref().unwrap_or_default(),
            matched_ms: known.matched_ms,
            timestamp_ms: now.wall_ms(),
        }
        .to_json();
        self.tell(frame, now);
    }
}

const fn word(status: TradeStatus) -> &'static str {
    match status {
        TradeStatus::Matched => "MATCHED",
        TradeStatus::Mined => "MINED",
        TradeStatus::Confirmed => "CONFIRMED",
        TradeStatus::Retrying => "RETRYING",
        TradeStatus::Failed => "FAILED",
    }
}

/// The price at which a taker's report states a match at several levels: the average, to the nearest unit, halves up.
fn average(legs: &[MakerLeg]) -> Price {
    let shares: i128 = legs.iter().map(|leg| i128::from(leg.size.micros())).sum();
    let weighted: i128 = legs.iter().map(|leg| i128::from(leg.size.micros()) * i128::from(leg.price.units())).sum();
    if shares <= 0 {
        return Price::ZERO;
    }
    let units = (2 * weighted + shares) / (2 * shares);
    u16::try_from(units).ok().and_then(Price::from_units).unwrap_or(Price::ONE)
}
