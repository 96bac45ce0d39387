//! What readers outside the engine see: values, copied at one moment.

use oddsmith_domain::{
    BookHealth, DoubtCause, MarketId, Mode, OrderId, OrderState, Outcome, Price, Scope, Shares, Side, Time, Usdc,
};
use serde::Serialize;

use crate::core::Engine;
use crate::market::Market;
use crate::unfamiliar::Unfamiliar;

/// The engine at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct EngineView {
    /// The moment, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Whether the wallet may quote.
    pub quoting: bool,
    /// Whether quotes are cautious after doubt.
    pub cautious: bool,
    /// Why the wallet is in doubt.
    pub doubts: Vec<DoubtCause>,
    /// The markets.
    pub markets: Vec<MarketLine>,
    /// The strategy instances.
    pub instances: Vec<InstanceView>,
    /// Sums and counts.
    pub totals: Totals,
}

/// One market.
#[derive(Clone, Debug, Serialize)]
pub struct MarketLine {
    /// Our number of it.
    pub market: MarketId,
    /// The venue's short name.
    pub slug: String,
    /// The best YES bid and its size.
    pub bid: Option<(Price, Shares)>,
    /// The best YES ask and its size.
    pub ask: Option<(Price, Shares)>,
    /// The health of the two books.
    pub health: [BookHealth; 2],
    /// Milliseconds since the books were last proven current.
    pub age_ms: Option<u64>,
    /// Why the market is in doubt.
    pub doubts: Vec<DoubtCause>,
    /// How its instances want to be in it: the last that decided.
    pub mode: Mode,
    /// Our open orders in YES terms, best first within each side.
    pub quotes: Vec<QuoteView>,
    /// Shares by every match, by outcome.
    pub matched: [Shares; 2],
    /// Settled shares, by outcome.
    pub settled: [Shares; 2],
    /// Settled shares that are free to be sold, by outcome.
    pub sellable: [Shares; 2],
    /// Realised profit.
    pub realized: Usdc,
    /// Profit not realised, at the last known mid.
    pub unrealized: Usdc,
    /// The worst that holdings and open orders can come to.
    pub worst_loss: Usdc,
}

/// One of our open orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QuoteView {
    /// The token it is for.
    pub outcome: Outcome,
    /// Its side in YES terms.
    pub side: Side,
    /// Its price in YES terms.
    pub price: Price,
    /// What may still fill.
    pub size: Shares,
    /// Whether it rests at the venue for certain.
    pub working: bool,
}

/// One strategy instance.
#[derive(Clone, Debug, Serialize)]
pub struct InstanceView {
    /// Its name.
    pub name: String,
    /// Its strategy.
    pub strategy: &'static str,
    /// How many markets it trades.
    pub markets: usize,
    /// Whether it failed and is kept from trading.
    pub quarantined: bool,
}

/// Sums and counts of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Collateral when the run began; `None` before the venue told it.
    pub opening: Option<Usdc>,
    /// Collateral now, by our books.
    pub cash: Option<Usdc>,
    /// Collateral that nothing has reserved.
    pub free: Usdc,
    /// Realised profit.
    pub realized: Usdc,
    /// Profit not realised.
    pub unrealized: Usdc,
    /// Fees paid.
    pub fees: Usdc,
    /// Market frames applied.
    pub frames: u64,
    /// Frames, or parts of them, that were not understood.
    pub undecodable: u64,
    /// Elements and fields of frames that were understood and are not known.
    pub unfamiliar: u64,
    /// Evaluations of strategies.
    pub evaluations: u64,
    /// Orders sent.
    pub placed: u64,
    /// Orders cancelled.
    pub canceled: u64,
    /// Orders refused by the venue.
    pub refused: u64,
    /// Fills counted.
    pub fills: u64,
    /// Differences between the venue's account and our books.
    pub differences: u64,
    /// Fills whose settlement is open.
    pub unsettled: u32,
    /// Orders that may be alive.
    pub open_orders: usize,
}

impl Engine {
    /// What a YES share of a market is valued at; `None` for a market that is not known, or never had a price.
    #[must_use]
    pub fn value(&self, market: MarketId) -> Option<Price> {
        self.markets.get(market.index())?.mark()
    }

    /// Copies out what readers want to know.
    #[must_use]
    pub fn view(&self, now: Time) -> EngineView {
        EngineView {
            wall_ms: now.wall_ms(),
            quoting: self.wallet.may_quote(),
            cautious: self.wallet.is_cautious(),
            doubts: self.wallet.causes().collect(),
            markets: self.markets.iter().map(|market| self.market_line(market, now)).collect(),
            instances: self
                .instances
                .iter()
                .map(|i| InstanceView {
                    name: i.name.clone(),
                    strategy: i.strategy.name(),
                    markets: i.scope.len(),
                    quarantined: i.quarantined,
                })
                .collect(),
            totals: self.totals(),
        }
    }

    /// Shares of a token that an instance holds, by every match so far.
    #[must_use]
    pub fn held(&self, instance: oddsmith_domain::InstanceId, asset: oddsmith_domain::AssetId) -> Shares {
        self.ledger.matched(instance, asset)
    }

    /// The names of the strategy instances, by their numbers.
    pub fn instance_names(&self) -> impl Iterator<Item = &str> {
        self.instances.iter().map(|instance| instance.name.as_str())
    }

    /// The orders of a scope that may be alive.
    #[must_use]
    pub fn open_orders(&self, scope: Scope) -> Vec<OrderId> {
        match scope {
            Scope::Wallet => self.orders.open().map(|order| order.place.id).collect(),
            Scope::Market(market) => self.orders.open_in(market).map(|order| order.place.id).collect(),
            Scope::Instance(id) => {
                self.orders.open().filter(|order| order.place.instance == id).map(|order| order.place.id).collect()
            }
        }
    }

    /// Where an order stands; `None` for one that is not, or not any more, remembered.
    #[must_use]
    pub fn order_state(&self, id: &OrderId) -> Option<OrderState> {
        self.orders.get(id).map(|order| order.state)
    }

    /// Whether the venue has shown that nothing of ours is left in a scope that is not quoted.
    #[must_use]
    pub fn is_shown_empty(&self, scope: Scope) -> bool {
        let market = match scope {
            Scope::Wallet => false,
            Scope::Market(id) => self.markets.get(id.index()).is_some_and(|market| market.doubt.is_verified()),
            // An instance's orders are cancelled one by one: each is gone only when the venue has said so.
            Scope::Instance(id) => self.orders.open().all(|order| order.place.instance != id),
        };
        market || self.wallet.is_verified()
    }

    fn market_line(&self, market: &Market, now: Time) -> MarketLine {
        let top = |top: Option<oddsmith_book::Top>| top.map(|t| (t.price, t.size));
        let mut quotes: Vec<_> = self
            .orders
            .open_in(market.id)
            .map(|order| {
                let (side, price) = order.open().in_yes_terms();
                let working = matches!(
                    order.state,
                    oddsmith_domain::OrderState::Working | oddsmith_domain::OrderState::PartiallyFilled
                );
                QuoteView { outcome: order.place.asset.outcome(), side, price, size: order.remaining(), working }
            })
            .collect();
        quotes.sort_by_key(|q| match q.side {
            Side::Buy => (0, i32::from(Price::ONE.units() - q.price.units())),
            Side::Sell => (1, i32::from(q.price.units())),
        });
        let mut line = MarketLine {
            market: market.id,
            slug: market.card.slug.clone(),
            bid: top(market.book.best_bid(Outcome::Yes)),
            ask: top(market.book.best_ask(Outcome::Yes)),
            health: market.health(),
            age_ms: market.book_age_ns(now, Engine::proof_of(&self.shards, market.id)).map(|ns| ns / Time::MILLI),
            doubts: market.doubt.causes().collect(),
            mode: Mode::Stop,
            quotes,
            matched: [Shares::ZERO; 2],
            settled: [Shares::ZERO; 2],
            sellable: [Shares::ZERO; 2],
            realized: Usdc::ZERO,
            unrealized: Usdc::ZERO,
            worst_loss: market.figures.all.worst().loss,
        };
        for instance in &self.instances {
            if let Some(wanted) = instance.wants.get(&market.id) {
                line.mode = wanted.mode();
            }
            let account = self.ledger.account(instance.id, market.id);
            line.realized += account.realized;
            line.unrealized += market.mark().map_or(Usdc::ZERO, |mark| account.unrealized(mark));
            for outcome in Outcome::BOTH {
                let (i, asset) = (outcome.index(), market.id.asset(outcome));
                let available = self.ledger.available(instance.id, asset);
                line.matched[i] += self.ledger.matched(instance.id, asset);
                line.settled[i] += self.ledger.settled(instance.id, asset);
                line.sellable[i] += available - self.orders.promised(instance.id, asset).min(available);
            }
        }
        line
    }

    fn totals(&self) -> Totals {
        let realized = self.ledger.accounts().map(|(_, _, a)| a.realized).sum();
        Totals {
            opening: self.opening,
            cash: self.opening.map(|opening| opening + self.ledger.cash()),
            free: self.free_collateral(),
            realized,
            unrealized: self.profit() - realized,
            fees: self.ledger.accounts().map(|(_, _, a)| a.fees).sum(),
            frames: self.counts.frames,
            undecodable: self.counts.undecodable,
            unfamiliar: self.unfamiliar.iter().map(Unfamiliar::total).sum(),
            evaluations: self.counts.evaluations,
            placed: self.counts.placed,
            canceled: self.counts.canceled,
            refused: self.counts.refused,
            fills: self.counts.fills,
            differences: self.counts.differences,
            unsettled: self.fills.unsettled(),
            open_orders: self.orders.open_count(),
        }
    }
}
