//! A paper account that outlives its run: the venue of the next run begins with what the ledger of the run before ended with.
//!
//! A venue on paper dies with its process, and what it had not said yet never happened: it was in no journal. What it had said was booked,
//! so the ledger is the account. Orders are gone; matches that were on their way to the chain have reached it.

use std::collections::BTreeMap;

use oddsmith_domain::{
    AccountTrade, AssetId, MakerLeg, MarketId, OrderId, Outcome, Price, Restore, RestoredBooking, Shares, Side,
    TradeId, TradeStatus, Usdc,
};

use crate::matches::Match;
use crate::purse::Deal;
use crate::settings::PaperSettings;
use crate::venue::PaperVenue;

/// The multiplier of FNV-1a, which spreads the bytes of a run's id over a seed.
const FNV_PRIME: u64 = 0x0100_0000_01b3;

impl PaperVenue {
    /// A venue that goes on after the run which left these facts, with their numbers of markets.
    ///
    /// The collateral of the settings is not looked at if the facts state a capital. What looks like chance begins anew from the
    /// settings' seed and the run before: a chain of runs that drew the same numbers again and again would be no chance, and their
    /// matches would have the same ids.
    #[must_use]
    pub fn after(settings: PaperSettings, before: &Restore) -> PaperVenue {
        let cash: Usdc = before.accounts.iter().map(|line| line.account.cash).sum();
        let collateral = before.capital.unwrap_or(settings.collateral) + cash;
        let seed =
            before.run.0.iter().fold(settings.seed, |seed, byte| (seed ^ u64::from(*byte)).wrapping_mul(FNV_PRIME));
        let mut venue = PaperVenue::new(PaperSettings { collateral, seed, ..settings });
        for (market, known) in (0u32..).map(MarketId).zip(&before.markets) {
            venue.learn(market, &known.card);
            if let Some(listed) = venue.markets.get_mut(&market) {
                (listed.paid, listed.is_open) = (known.resolved, listed.is_open && known.resolved.is_none());
            }
            // Nobody follows it before the engine says so.
            venue.forget(market);
        }
        for (asset, shares) in held(before) {
            venue.give(asset, shares);
        }
        for fill in &before.fills {
            if let Some(booked) = fill.booked.filter(|booked| !booked.is_final()) {
                // Reads of the account reach back to `trades_since_s`, and an older match would never be seen to have settled.
                let matched_s = booked.matched_s.max(before.trades_since_s);
                venue.has_settled((fill.trade, fill.order), &booked, matched_s);
            }
        }
        venue
    }

    /// A match of the run before, as the venue reports it now: on the chain.
    fn has_settled(&mut self, (trade, order): (TradeId, OrderId), booked: &RestoredBooking, matched_s: u64) {
        let RestoredBooking { asset, side, size, movement, .. } = *booked;
        let collateral = match side {
            Side::Buy => -movement.cash - movement.fee,
            Side::Sell => movement.cash + movement.fee,
        };
        let price = price_of(collateral, size);
        let maker = self.settings.payer.maker;
        let report = AccountTrade {
            id: trade,
            status: TradeStatus::Confirmed,
            taker_order: self.foreign_order(),
            asset: Some(asset),
            side: side.opposite(),
            size,
            price,
            we_take: false,
            // Which side took is not kept, and changes nothing any more: the fill is booked.
            legs: vec![MakerLeg { order, maker, asset: Some(asset), side, price, size }],
            match_time_s: matched_s,
        };
        let deal = Deal { asset, side, shares: size, collateral, fee: movement.fee };
        self.remember(Match::settled(asset.market(), report, deal));
    }
}

/// The tokens that all sub-accounts hold together.
fn held(before: &Restore) -> BTreeMap<AssetId, Shares> {
    let mut held = BTreeMap::new();
    for line in before.accounts.iter().filter(|line| line.market != MarketId::CLOSED) {
        for outcome in Outcome::BOTH {
            *held.entry(line.market.asset(outcome)).or_insert(Shares::ZERO) += line.account.shares[outcome.index()];
        }
    }
    held
}

/// What a share cost or brought, to the nearest unit of a price.
fn price_of(collateral: Usdc, size: Shares) -> Price {
    let (paid, size) = (i128::from(collateral.micros()) * i128::from(Price::ONE.units()), i128::from(size.micros()));
    if size <= 0 {
        return Price::ZERO;
    }
    u16::try_from((2 * paid + size) / (2 * size)).ok().and_then(Price::from_units).unwrap_or_default()
}
