//! Every match counts once, and is undone when its settlement fails.

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{
    AccountTrade, Address, AssetId, FeeSchedule, InstanceId, Movement, OrderId, Outcome, Price, Shares, Side, TradeId,
    TradeStatus, Usdc, planted,
};

use crate::ledger::{Ledger, Place};
use crate::transition::{Settlement, settlement};

/// How many finally settled fills are remembered, so that a late report of one is not counted again.
const REMEMBERED: usize = 200_000;

/// What makes a fill unique: the venue's match, and our order's part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FillKey {
    /// The match.
    pub trade: TradeId,
    /// Our order.
    pub order: OrderId,
}

/// Our part in a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnLeg {
    /// Our order.
    pub order: OrderId,
    /// Its token, when it is one of ours.
    pub asset: Option<AssetId>,
    /// Its side.
    pub side: Side,
    /// The price, rounded to the price unit when several makers filled a taker.
    pub price: Price,
    /// The size.
    pub size: Shares,
    /// What the shares cost or brought, by the venue's rounding: a maker's collateral is rounded down to the millionth, and the
    /// taker of a mint or a merge has the rest of the dollar.
    pub notional: Usdc,
    /// The fee, by the market's schedule.
    pub fee: Usdc,
    /// Whether we took.
    pub taker: bool,
}

/// Finds our parts in a match: of orders that `is_known`, and of orders that the venue says `account` pays for. `fee` gives the
/// schedule of a token's market; without one a taker's fee is counted as nothing, which the caller prevents by not taking in such a
/// market.
#[must_use]
pub fn own_legs(
    trade: &AccountTrade,
    account: Address,
    is_known: impl Fn(&OrderId) -> bool,
    fee: impl Fn(AssetId) -> Option<FeeSchedule>,
) -> Vec<OwnLeg> {
    let is_account = |maker: Address| maker == account && account != Address::default();
    let mut legs: Vec<OwnLeg> = trade
        .legs
        .iter()
        .filter(|leg| is_known(&leg.order) || is_account(leg.maker))
        .map(|leg| OwnLeg {
            order: leg.order,
            asset: leg.asset,
            side: leg.side,
            price: leg.price,
            size: leg.size,
            notional: if planted!(Rounding) { leg.size.cost_ceil(leg.price) } else { leg.size.cost_floor(leg.price) },
            fee: Usdc::ZERO,
            taker: false,
        })
        .collect();
    if is_known(&trade.taker_order) || trade.we_take {
        legs.push(taker_leg(trade, trade.asset.and_then(fee).unwrap_or(FeeSchedule::FREE)));
    }
    legs
}

/// The taker's part: made of the makers' parts when their legs account for the whole size, of the stated price otherwise.
fn taker_leg(trade: &AccountTrade, schedule: FeeSchedule) -> OwnLeg {
    let matched: Shares = trade.legs.iter().map(|leg| leg.size).sum();
    let (mut notional, mut fee) = (Usdc::ZERO, Usdc::ZERO);
    if matched == trade.size && !trade.legs.is_empty() {
        for leg in &trade.legs {
            let makers = leg.size.cost_floor(leg.price);
            // A maker of the other token was matched by a mint or a merge: both together make a dollar a share.
            let complementary = leg.asset == trade.asset;
            let price = if complementary { leg.price } else { leg.price.complement() };
            notional += if complementary { makers } else { Usdc::from_micros(leg.size.micros()) - makers };
            fee += schedule.taker_fee(leg.size, price);
        }
    } else {
        notional = trade.size.cost_floor(trade.price);
        fee = schedule.taker_fee(trade.size, trade.price);
    }
    OwnLeg {
        order: trade.taker_order,
        asset: trade.asset,
        side: trade.side,
        price: trade.price,
        size: trade.size,
        notional,
        fee,
        taker: true,
    }
}

/// A fill that has been booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// Whose it is.
    pub owner: InstanceId,
    /// The token.
    pub asset: AssetId,
    /// The side.
    pub side: Side,
    /// The size.
    pub size: Shares,
    /// How far its settlement has come.
    pub status: TradeStatus,
    /// What it did to the sub-account.
    pub movement: Movement,
}

impl Booked {
    const fn place(&self) -> Place {
        (self.owner, self.asset.market())
    }

    const fn way(&self) -> (Outcome, Side) {
        (self.asset.outcome(), self.side)
    }
}

/// What a report of a match led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A fill that was not known before, booked now.
    New(Movement),
    /// A known fill whose settlement moved on.
    Settled(TradeStatus),
    /// Nothing new.
    Known,
    /// A fill whose settlement had ended, as this, and is now said to have ended otherwise.
    Contradicts(TradeStatus),
    /// A known fill, reported with another size: this one was booked.
    Disagrees(Shares),
}

/// All fills of the run.
#[derive(Clone, Debug, Default)]
pub struct Fills {
    /// `None` for a match that had failed before it was heard of.
    booked: BTreeMap<FillKey, Option<Booked>>,
    /// Keys whose settlement is final, oldest first.
    finished: VecDeque<FillKey>,
    unsettled: u32,
}

impl Fills {
    /// Fills that were booked elsewhere, in a ledger that is taken over with them. The oldest come first.
    #[must_use]
    pub fn from_parts(parts: impl IntoIterator<Item = (FillKey, Option<Booked>)>) -> Fills {
        let mut fills = Fills::default();
        for (key, booked) in parts {
            if fills.booked.insert(key, booked).is_some() {
                continue;
            }
            match booked.map(|b| b.status) {
                Some(status) if !is_final(status) => fills.unsettled += u32::from(!is_settled(status)),
                _ => fills.finish(key),
            }
        }
        fills
    }

    /// Books a report of a match that our order took part in. The report may be the first or the fifth, early or late.
    pub fn apply(
        &mut self,
        ledger: &mut Ledger,
        trade: TradeId,
        status: TradeStatus,
        leg: &OwnLeg,
        (owner, asset): (InstanceId, AssetId),
    ) -> Applied {
        let key = FillKey { trade, order: leg.order };
        match self.booked.get(&key).copied() {
            Some(Some(_)) if planted!(DoubleFill) && status == TradeStatus::Confirmed => {
                self.book(ledger, key, status, leg, (owner, asset))
            }
            Some(Some(booked)) => match self.settle(ledger, key, booked, status) {
                Applied::Known if booked.size != leg.size => Applied::Disagrees(booked.size),
                applied => applied,
            },
            Some(None) => Applied::Known,
            None if status == TradeStatus::Failed => {
                // It failed before we heard of it: nothing to book, and nothing to book later.
                self.booked.insert(key, None);
                self.finish(key);
                Applied::Settled(TradeStatus::Failed)
            }
            None => self.book(ledger, key, status, leg, (owner, asset)),
        }
    }

    fn book(
        &mut self,
        ledger: &mut Ledger,
        key: FillKey,
        status: TradeStatus,
        leg: &OwnLeg,
        (owner, asset): (InstanceId, AssetId),
    ) -> Applied {
        let place = (owner, asset.market());
        let Ok(movement) = ledger.fill(place, (asset.outcome(), leg.side), leg.size, leg.notional, leg.fee) else {
            return Applied::Known;
        };
        let booked = Booked { owner, asset, side: leg.side, size: leg.size, status: TradeStatus::Matched, movement };
        self.unsettled += 1;
        self.booked.insert(key, Some(booked));
        if status != TradeStatus::Matched {
            self.settle(ledger, key, booked, status);
        }
        Applied::New(movement)
    }

    fn settle(&mut self, ledger: &mut Ledger, key: FillKey, mut booked: Booked, status: TradeStatus) -> Applied {
        match settlement(booked.status, status) {
            Settlement::MovesOn => {}
            Settlement::Old => return Applied::Known,
            Settlement::Contradiction => return Applied::Contradicts(booked.status),
        }
        let (was, is) = (is_settled(booked.status), is_settled(status));
        if was != is {
            ledger.settle(booked.place(), booked.way(), &booked.movement, was);
            self.unsettled = if is { self.unsettled.saturating_sub(1) } else { self.unsettled + 1 };
        }
        booked.status = status;
        if status == TradeStatus::Failed && !planted!(SkippedUndo) {
            self.unsettled = self.unsettled.saturating_sub(1);
            ledger.undo(booked.place(), booked.way(), &booked.movement);
        }
        self.booked.insert(key, Some(booked));
        if is_final(status) {
            self.finish(key);
        }
        Applied::Settled(status)
    }

    fn finish(&mut self, key: FillKey) {
        if planted!(TombstoneForgotten) {
            self.booked.remove(&key);
        }
        self.finished.push_back(key);
        if self.finished.len() > REMEMBERED
            && let Some(oldest) = self.finished.pop_front()
        {
            self.booked.remove(&oldest);
        }
    }

    /// Our part in a match, if it was booked, be it undone since.
    #[must_use]
    pub fn get(&self, trade: TradeId, order: OrderId) -> Option<&Booked> {
        self.booked.get(&FillKey { trade, order }).and_then(Option::as_ref)
    }

    /// Every part of a match that is remembered, with the movement that books it.
    pub fn iter(&self) -> impl Iterator<Item = (&FillKey, Option<&Booked>)> {
        self.booked.iter().map(|(key, booked)| (key, booked.as_ref()))
    }

    /// How many fills wait for their settlement.
    #[must_use]
    pub const fn unsettled(&self) -> u32 {
        self.unsettled
    }
}

/// Whether a match with this status is on the chain.
const fn is_settled(status: TradeStatus) -> bool {
    matches!(status, TradeStatus::Mined | TradeStatus::Confirmed)
}

const fn is_final(status: TradeStatus) -> bool {
    matches!(status, TradeStatus::Confirmed | TradeStatus::Failed)
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{MakerLeg, MarketId, Outcome};
    use proptest::prelude::*;

    use super::*;

    const OWNER: InstanceId = InstanceId(3);

    fn yes() -> AssetId {
        MarketId(0).asset(Outcome::Yes)
    }

    fn trade(text: &str) -> TradeId {
        TradeId::parse(text).expect("short")
    }

    fn leg(order: u8, side: Side, whole: i64) -> OwnLeg {
        let (price, size) = (Price::from_units(4_000).expect("in range"), Shares::from_whole(whole));
        OwnLeg {
            order: OrderId([order; 32]),
            asset: Some(yes()),
            side,
            price,
            size,
            notional: size.cost_floor(price),
            fee: Usdc::ZERO,
            taker: false,
        }
    }

    #[test]
    fn a_mint_is_our_own_token_at_our_own_price() {
        // Protocol 9.1: the taker buys 10 YES at 0.58 against our resting bid for 10 NO at 0.42.
        let no = MarketId(0).asset(Outcome::No);
        let price = |t: &str| t.parse().expect("price");
        let report = AccountTrade {
            id: trade("t-1"),
            status: TradeStatus::Matched,
            taker_order: OrderId([9; 32]),
            asset: Some(yes()),
            side: Side::Buy,
            size: Shares::from_whole(10),
            price: price("0.58"),
            we_take: false,
            legs: vec![MakerLeg {
                order: OrderId([1; 32]),
                maker: Address::default(),
                asset: Some(no),
                side: Side::Buy,
                price: price("0.42"),
                size: Shares::from_whole(10),
            }],
            match_time_s: 0,
        };
        let fee = FeeSchedule::new(70_000, 1, true).expect("a schedule");
        let ours = own_legs(&report, Address::default(), |id| id.0[0] == 1, |_| Some(fee));
        assert_eq!(ours.len(), 1);
        assert_eq!(
            (ours[0].asset, ours[0].notional, ours[0].fee),
            (Some(no), "4.2".parse().expect("usdc"), Usdc::ZERO)
        );
        let theirs = own_legs(&report, Address::default(), |id| id.0[0] == 9, |_| Some(fee));
        assert_eq!(theirs[0].notional, "5.8".parse().expect("usdc"));
        assert_eq!(theirs[0].fee, fee.taker_fee(Shares::from_whole(10), price("0.58")));
    }

    #[test]
    fn a_failed_match_is_undone_and_a_retried_one_is_not_sellable() {
        let (mut fills, mut ledger) = (Fills::default(), Ledger::default());
        let buy = leg(1, Side::Buy, 10);
        let report = |fills: &mut Fills, ledger: &mut Ledger, status| {
            fills.apply(ledger, trade("t"), status, &buy, (OWNER, yes()))
        };
        assert!(matches!(report(&mut fills, &mut ledger, TradeStatus::Matched), Applied::New(_)));
        assert_eq!(
            (ledger.matched(OWNER, yes()), ledger.settled(OWNER, yes())),
            (Shares::from_whole(10), Shares::ZERO)
        );
        report(&mut fills, &mut ledger, TradeStatus::Mined);
        assert_eq!(ledger.available(OWNER, yes()), Shares::from_whole(10));
        report(&mut fills, &mut ledger, TradeStatus::Retrying);
        assert_eq!(ledger.available(OWNER, yes()), Shares::ZERO);
        assert_eq!(report(&mut fills, &mut ledger, TradeStatus::Failed), Applied::Settled(TradeStatus::Failed));
        assert_eq!(report(&mut fills, &mut ledger, TradeStatus::Matched), Applied::Known);
        assert_eq!((ledger.matched(OWNER, yes()), fills.unsettled()), (Shares::ZERO, 0));
        assert!(ledger.balances() && ledger.cash().is_zero());
    }

    #[test]
    fn a_matched_sale_is_not_sellable_again() {
        let (mut fills, mut ledger) = (Fills::default(), Ledger::default());
        fills.apply(&mut ledger, trade("b"), TradeStatus::Confirmed, &leg(1, Side::Buy, 10), (OWNER, yes()));
        fills.apply(&mut ledger, trade("s"), TradeStatus::Matched, &leg(2, Side::Sell, 6), (OWNER, yes()));
        assert_eq!(ledger.settled(OWNER, yes()), Shares::from_whole(10));
        assert_eq!(ledger.available(OWNER, yes()), Shares::from_whole(4));
        assert_eq!(ledger.matched(OWNER, yes()), Shares::from_whole(4));
        assert_eq!(ledger.incoming(), "2.4".parse().expect("usdc"));
        fills.apply(&mut ledger, trade("s"), TradeStatus::Failed, &leg(2, Side::Sell, 6), (OWNER, yes()));
        assert_eq!(ledger.available(OWNER, yes()), Shares::from_whole(10));
        assert!(ledger.incoming().is_zero() && ledger.balances());
    }

    proptest! {
        /// Reports of the same matches, repeated, reordered and seen on two ways, end in the same position as one clean pass.
        #[test]
        fn every_fill_counts_once(
            sizes in prop::collection::vec((1i64..50, any::<bool>()), 1..12),
            noise in prop::collection::vec((0usize..12, 0u8..4), 0..60),
        ) {
            let statuses = [TradeStatus::Matched, TradeStatus::Mined, TradeStatus::Retrying, TradeStatus::Confirmed];
            let report = |fills: &mut Fills, ledger: &mut Ledger, i: usize, status| {
                let (whole, buy) = sizes[i];
                let side = if buy { Side::Buy } else { Side::Sell };
                fills.apply(ledger, trade(&i.to_string()), status, &leg(i as u8, side, whole), (OWNER, yes()));
            };
            let (mut clean, mut clean_ledger) = (Fills::default(), Ledger::default());
            let (mut noisy, mut noisy_ledger) = (Fills::default(), Ledger::default());
            for i in 0..sizes.len() {
                report(&mut clean, &mut clean_ledger, i, TradeStatus::Confirmed);
            }
            for (i, status) in noise {
                report(&mut noisy, &mut noisy_ledger, i % sizes.len(), statuses[usize::from(status)]);
                prop_assert!(noisy_ledger.balances());
            }
            for i in 0..sizes.len() {
                report(&mut noisy, &mut noisy_ledger, i, TradeStatus::Confirmed);
            }
            prop_assert_eq!(noisy_ledger.matched(OWNER, yes()), clean_ledger.matched(OWNER, yes()));
            prop_assert_eq!(noisy_ledger.settled(OWNER, yes()), clean_ledger.settled(OWNER, yes()));
            prop_assert_eq!(noisy_ledger.cash(), clean_ledger.cash());
            prop_assert_eq!((noisy.unsettled(), noisy_ledger.incoming()), (0, Usdc::ZERO));
        }
    }
}
