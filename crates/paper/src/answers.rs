//! Answers to everything but placements: cancels, questions, reads, conversions.

use oddsmith_domain::{
    AccountPart, AccountSnapshot, Action, Activity, CancelOutcome, CanceledOrders, EventConversion, FetchWhat,
    GatewayOutcome, MarketId, Omission, OrderId, Outcome, PlaceOutcome, RefusalCode, Shares, Time, TokenOutcome,
    UnknownCause, Usdc,
};

use crate::held::{Held, Standing};
use crate::venue::PaperVenue;

const GONE: &str = "already canceled or matched";
const NOT_FOUND: &str = "order not found";
const DELAYED: &str = "order is delayed and cannot be canceled";
/// What the venue says when it is overloaded.
const BUSY: &str = "service not ready";

pub(crate) const fn refusal(code: RefusalCode, text: String) -> PlaceOutcome {
    PlaceOutcome::Refused { code, text }
}

/// A placement that the venue refuses without looking.
pub(crate) fn refused() -> PlaceOutcome {
    refusal(RefusalCode::Other, BUSY.to_owned())
}

/// What comes instead of an answer to a request that the venue refuses without looking.
pub(crate) fn instead(what: &Action) -> GatewayOutcome {
    let busy = UnknownCause::Status(503);
    let omission = || Omission { part: AccountPart::Orders, page: 1, cause: busy, rejected: 0, rejects: Vec::new() };
    match what {
        Action::Place(_) => GatewayOutcome::Place(refused()),
        Action::Cancel { .. } => GatewayOutcome::Cancel(CancelOutcome::Refused(BUSY.to_owned())),
        Action::CancelMarket { .. } | Action::CancelAll => GatewayOutcome::CancelScope(Err(busy)),
        Action::Query { .. } => GatewayOutcome::Query(Err(busy)),
        Action::Heartbeat => GatewayOutcome::Heartbeat(Err(busy)),
        Action::Fetch(FetchWhat::Account { .. }) => GatewayOutcome::Account(Err(omission())),
        Action::Fetch(FetchWhat::Activity { .. }) => GatewayOutcome::Activity(Err(omission())),
        Action::Fetch(FetchWhat::Resolution(_)) => GatewayOutcome::Resolution(Err(busy)),
        Action::Merge { .. } | Action::Redeem { .. } | Action::Convert(_) => {
            GatewayOutcome::Tokens(TokenOutcome::Refused(BUSY.to_owned()))
        }
        Action::Fetch(FetchWhat::Book(_)) | Action::Subscribe { .. } | Action::Unsubscribe { .. } => {
            GatewayOutcome::Done(Err(busy))
        }
    }
}

impl PaperVenue {
    /// The answer to an action that is no placement and no heartbeat, as the venue stands now.
    pub(crate) fn look_up(&mut self, what: &Action, now: Time) -> GatewayOutcome {
        match what {
            Action::Cancel { order, .. } => GatewayOutcome::Cancel(self.cancel(order, now)),
            Action::CancelMarket { market } => self.cancel_scope(|held| held.place.asset.market() == *market, now),
            Action::CancelAll => self.cancel_scope(|_| true, now),
            Action::Query { order } => GatewayOutcome::Query(Ok(self.orders.get(order).map(Held::report))),
            Action::Fetch(FetchWhat::Account { trades_since_s, assets }) => {
                let Activity { orders, trades } = self.activity(*trades_since_s);
                let tokens = assets.iter().map(|asset| (*asset, self.purse.settled(*asset))).collect();
                let collateral = self.purse.collateral();
                GatewayOutcome::Account(Ok(AccountSnapshot { orders, trades, collateral, tokens }))
            }
            Action::Fetch(FetchWhat::Activity { trades_since_s }) => {
                GatewayOutcome::Activity(Ok(self.activity(*trades_since_s)))
            }
            Action::Merge { market, pairs } => GatewayOutcome::Tokens(self.merge(*market, *pairs)),
            Action::Redeem { market } => GatewayOutcome::Tokens(self.redeem(*market)),
            Action::Convert(what) => GatewayOutcome::Tokens(self.convert(what)),
            other => instead(other),
        }
    }

    fn cancel(&mut self, order: &OrderId, now: Time) -> CancelOutcome {
        match self.orders.get(order).map(|held| held.standing) {
            None => CancelOutcome::Gone(NOT_FOUND.to_owned()),
            Some(Standing::Delayed) => CancelOutcome::Refused(DELAYED.to_owned()),
            Some(Standing::Live) => {
                self.cancel_open(order, "CANCELED", now);
                CancelOutcome::Canceled
            }
            Some(Standing::Filled | Standing::Gone(_)) => CancelOutcome::Gone(GONE.to_owned()),
        }
    }

    fn cancel_scope(&mut self, which: impl Fn(&Held) -> bool, now: Time) -> GatewayOutcome {
        let mut orders = CanceledOrders::default();
        for order in self.open_orders(which) {
            match self.cancel(&order, now) {
                CancelOutcome::Canceled => orders.canceled.push(order),
                CancelOutcome::Refused(why) | CancelOutcome::Gone(why) => orders.not_canceled.push((order, why)),
                CancelOutcome::NotSent(_) | CancelOutcome::Unknown(_) => {}
            }
        }
        GatewayOutcome::CancelScope(Ok(orders))
    }

    fn activity(&self, since_s: u64) -> Activity {
        let open = self.keys.values().filter_map(|id| self.orders.get(id));
        Activity {
            orders: open.filter(|held| held.standing.is_open()).map(Held::report).collect(),
            trades: self
                .matches
                .values()
                .map(|known| &known.report)
                .filter(|report| report.match_time_s >= since_s)
                .cloned()
                .collect(),
        }
    }

    fn merge(&mut self, market: MarketId, pairs: Shares) -> TokenOutcome {
        let assets = Outcome::BOTH.map(|outcome| market.asset(outcome));
        if !pairs.is_positive() || assets.iter().any(|asset| self.purse.free(*asset) < pairs) {
            return TokenOutcome::Refused("not enough free tokens of both outcomes".to_owned());
        }
        for asset in assets {
            let _enough = self.purse.change(asset, -pairs);
        }
        self.purse.pay(Usdc::from_micros(pairs.micros()));
        TokenOutcome::Done
    }

    /// That the markets are the whole event is the operator's word: frames do not say which markets belong together.
    fn convert(&mut self, what: &EventConversion) -> TokenOutcome {
        let refused = |why: &str| TokenOutcome::Refused(why.to_owned());
        let listed = |market: MarketId| self.markets.get(&market).is_some_and(|listed| listed.paid.is_none());
        if !what.is_sound() || !what.markets().all(listed) {
            return refused("the markets are not distinct undecided members of one event");
        }
        if what.from.iter().any(|market| self.purse.free(market.asset(Outcome::No)) < what.shares) {
            return refused("not enough free NO tokens of every market");
        }
        for market in &what.from {
            let _enough = self.purse.change(market.asset(Outcome::No), -what.shares);
        }
        for market in &what.into {
            let _more = self.purse.change(market.asset(Outcome::Yes), what.shares);
        }
        self.purse.pay(what.collateral());
        TokenOutcome::Done
    }

    fn redeem(&mut self, market: MarketId) -> TokenOutcome {
        let Some(yes_pays) = self.markets.get(&market).and_then(|listed| listed.paid) else {
            return TokenOutcome::Refused("the market is not decided".to_owned());
        };
        for outcome in Outcome::BOTH {
            let pays = if outcome == Outcome::Yes { yes_pays } else { yes_pays.complement() };
            let held = self.purse.free(market.asset(outcome));
            let _enough = self.purse.change(market.asset(outcome), -held);
            self.purse.pay(held.cost_floor(pays));
        }
        TokenOutcome::Done
    }
}
