//! nautilus-backtest: data, risk and execution engine, portfolio and simulated venue, alone or with a strategy that follows the script.

use std::rc::Rc;

use anyhow::{Result, ensure};
use nautilus_backtest::config::{BacktestEngineConfig, SimulatedVenueConfig};
use nautilus_backtest::engine::BacktestEngine;
use nautilus_common::actor::DataActor;
use nautilus_common::logging::logger::LoggerConfig;
use nautilus_execution::models::latency::StaticLatencyModel;
use nautilus_model::data::{BookOrder, Data, OrderBookDelta, OrderBookDeltas, TradeTick};
use nautilus_model::enums::{
    AccountType, AggressorSide, AssetClass, BookAction, BookType, OmsType, OrderSide, RecordFlag,
};
use nautilus_model::identifiers::{ClientOrderId, InstrumentId, Symbol, TradeId, Venue};
use nautilus_model::instruments::{BinaryOption, InstrumentAny};
use nautilus_model::orders::Order as _;
use nautilus_model::types::{Currency, Money, Price, Quantity};
use nautilus_trading::nautilus_strategy;
use nautilus_trading::strategy::{Strategy as _, StrategyConfig, StrategyCore};

use crate::clock::Watch;
use crate::ours::ENTRY_MS;
use crate::script::{Deed, Outcome, Script};
use crate::stream::{BEGIN_MS, Event, FEED_MS, Kind, Stream};

const MS: u64 = 1_000_000;

/// What runs of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The engine and its venue with the stream alone: no strategy, no order, no book but the venue's.
    Bare,
    /// A strategy that hears every event and follows the script; the engine keeps a book for it.
    Strategy,
    /// The same, and the venue tracks how much is ahead of an order and what was taken from a level, as ours does.
    Queue,
}

/// The stream in its own form, in memory.
pub struct Peer {
    data: Vec<Data>,
}

fn instrument_id() -> InstrumentId {
    InstrumentId::new(Symbol::from("WANDERING"), Venue::from("POLYMARKET"))
}

fn price(cents: u64) -> Price {
    Price::new(cents as f64 / 100.0, 2)
}

fn quantity(lots: u64) -> Quantity {
    Quantity::new(lots as f64 / 100.0, 2)
}

fn side(buys: bool) -> OrderSide {
    if buys { OrderSide::Buy } else { OrderSide::Sell }
}

fn instrument() -> InstrumentAny {
    let id = instrument_id();
    InstrumentAny::BinaryOption(BinaryOption::new(
        id,
        id.symbol,
        AssetClass::Alternative,
        Currency::USDC(),
        0.into(),
        (i64::MAX as u64).into(),
        2,
        2,
        price(1),
        quantity(1),
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        0.into(),
        0.into(),
    ))
}

/// Its venue sees data when they are received, so that an order takes both ways.
fn datum(number: u64, at_ms: u64, kind: Kind, cents: u64, lots: u64) -> Data {
    let (id, price, size) = (instrument_id(), price(cents), quantity(lots));
    let (happened, received) = ((at_ms * MS).into(), ((at_ms + FEED_MS) * MS).into());
    match kind {
        Kind::Level { bid } => {
            let action = if lots > 0 { BookAction::Update } else { BookAction::Delete };
            let order = BookOrder::new(side(bid), price, size, 0);
            let last = RecordFlag::F_LAST as u8;
            Data::Delta(OrderBookDelta::new(id, action, order, last, number, happened, received))
        }
        Kind::Trade { buyer } => {
            let aggressor = if buyer { AggressorSide::Buyer } else { AggressorSide::Seller };
            let trade = TradeId::from(number.to_string().as_str());
            Data::Trade(TradeTick::new(id, price, size, aggressor, trade, happened, received))
        }
    }
}

impl Peer {
    pub fn new(stream: &Stream) -> Peer {
        let opening = stream.opening.iter().map(|&(bid, cents, lots)| (BEGIN_MS, Kind::Level { bid }, cents, lots));
        let rest = stream.events.iter().map(|&Event { at_ms, kind, cents, lots, .. }| (at_ms, kind, cents, lots));
        let numbered = (0..).zip(opening.chain(rest));
        Peer {
            data: numbered
                .map(|(number, (at_ms, kind, cents, lots))| datum(number, at_ms, kind, cents, lots))
                .collect(),
        }
    }

    /// Sets an engine up, and lets its run be timed; what it is handed and how it is taken down are not.
    pub fn run(&self, script: &Rc<Script>, scope: Scope, watch: &mut Watch) -> Result<Outcome> {
        let mut engine = engine(scope)?;
        if scope != Scope::Bare {
            engine.add_strategy(Follower::new(script.clone()))?;
        }
        engine.add_data(self.data.clone(), None, true, true)?;
        // Bypassed is not off: every line would still reach the logger.
        log::set_max_level(log::LevelFilter::Off);
        watch.time(|| engine.run(None, None, None, false))?;
        ensure!(engine.iteration() == self.data.len(), "only {} events were run", engine.iteration());
        let outcome = outcome(&engine);
        engine.dispose();
        Ok(outcome)
    }
}

fn engine(scope: Scope) -> Result<BacktestEngine> {
    let logging = LoggerConfig::builder().bypass_logging(true).build();
    let config = BacktestEngineConfig::builder().logging(logging).run_analysis(false).build();
    let mut engine = BacktestEngine::new(config)?;
    let way_ns = (FEED_MS + ENTRY_MS) * MS;
    let venue = SimulatedVenueConfig::builder()
        .venue(instrument_id().venue)
        .oms_type(OmsType::Netting)
        .account_type(AccountType::Margin)
        .book_type(BookType::L2_MBP)
        .starting_balances(vec![Money::new(1e6, Currency::USDC())])
        .latency_model(Box::new(StaticLatencyModel::new(way_ns.into(), 0.into(), 0.into(), 0.into())))
        .queue_position(scope == Scope::Queue)
        .liquidity_consumption(scope == Scope::Queue)
        .build();
    engine.add_venue(venue)?;
    engine.add_instrument(&instrument())?;
    Ok(engine)
}

fn outcome(engine: &BacktestEngine) -> Outcome {
    let cache = engine.kernel().cache.borrow();
    let orders = cache.orders(None, None, None, None, None);
    let filled: Vec<f64> = orders.iter().map(|order| order.filled_qty().as_f64()).collect();
    Outcome {
        placed: orders.len(),
        filled: filled.iter().filter(|shares| **shares > 0.0).count(),
        shares: filled.iter().fold(0.0, |sum, shares| sum + shares),
    }
}

/// Places and cancels what it is told, when it is told to.
struct Follower {
    core: StrategyCore,
    script: Rc<Script>,
    /// The next thing to do.
    next: usize,
    /// Its name for every order of the script, once placed.
    mine: Vec<Option<ClientOrderId>>,
}

nautilus_strategy!(Follower);

impl std::fmt::Debug for Follower {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Follower").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Follower {
    fn new(script: Rc<Script>) -> Follower {
        let core = StrategyCore::new(StrategyConfig::builder().build());
        let mine = vec![None; script.orders.len()];
        Follower { core, script, next: 0, mine }
    }

    fn follow(&mut self, now_ns: u64) -> Result<()> {
        while let Some(&(at_ns, deed)) = self.script.deeds.get(self.next)
            && at_ns <= now_ns
        {
            self.next += 1;
            match deed {
                Deed::Place(number) => self.place(number)?,
                Deed::Cancel(number) => self.cancel(number)?,
            }
        }
        Ok(())
    }

    fn place(&mut self, number: usize) -> Result<()> {
        let order = self.script.orders[number];
        let order = self.core.order_factory().limit(
            instrument_id(),
            side(order.buys),
            quantity(order.lots),
            price(order.cents),
            None,
            None,
            Some(order.post_only),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
        );
        self.mine[number] = Some(order.client_order_id());
        self.submit_order(order, None, None, None)
    }

    /// One that has gone cannot be cancelled. One that is still under way can: most cancels leave in the moment in which their order arrives.
    fn cancel(&mut self, number: usize) -> Result<()> {
        let Some(id) = self.mine[number] else { return Ok(()) };
        let gone = self.cache().order(&id).is_none_or(|order| order.is_closed());
        if gone { Ok(()) } else { self.cancel_order(id, None, None) }
    }
}

impl DataActor for Follower {
    fn on_start(&mut self) -> Result<()> {
        self.subscribe_book_deltas(instrument_id(), BookType::L2_MBP, None, None, true, None);
        self.subscribe_trades(instrument_id(), None, None);
        Ok(())
    }

    fn on_book_deltas(&mut self, deltas: &OrderBookDeltas) -> Result<()> {
        self.follow(deltas.ts_init.as_u64())
    }

    fn on_trade(&mut self, trade: &TradeTick) -> Result<()> {
        self.follow(trade.ts_init.as_u64())
    }
}
