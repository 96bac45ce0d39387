//! nautilus-backtest: its engine, a simulated venue with queue positions, and a strategy that follows the script.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::{self, Debug};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use nautilus_backtest::config::{BacktestEngineConfig, SimulatedVenueConfig};
use nautilus_backtest::engine::BacktestEngine;
use nautilus_common::actor::DataActor;
use nautilus_core::UnixNanos;
use nautilus_execution::models::latency::StaticLatencyModel;
use nautilus_model::data::{BookOrder, Data, OrderBookDelta, OrderBookDeltas, TradeTick};
use nautilus_model::enums::{
    AccountType, AggressorSide, AssetClass, BookAction, BookType, OmsType, OrderSide, RecordFlag, TimeInForce,
};
use nautilus_model::events::OrderFilled;
use nautilus_model::identifiers::{ClientOrderId, InstrumentId, StrategyId, Symbol, TradeId, Venue};
use nautilus_model::instruments::{BinaryOption, InstrumentAny};
use nautilus_model::orders::Order as _;
use nautilus_model::types::{Currency, Money, Price, Quantity};
use nautilus_trading::nautilus_strategy;
use nautilus_trading::strategy::{Strategy, StrategyConfig, StrategyCore};

use crate::clock::Clock;
use crate::ours::ENTRY_MS;
use crate::script::{Deed, Outcome, Script};
use crate::stream::{BEGIN_MS, Event, FEED_MS, Kind, Stream};

const MS: u64 = 1_000_000;

/// The stream in its own form, in memory.
pub struct Peer {
    data: Vec<Data>,
    instrument: InstrumentAny,
}

fn instrument() -> BinaryOption {
    let (price, size) = (Price::from("0.01"), Quantity::from("0.01"));
    BinaryOption::new(
        InstrumentId::from("WANDERING.POLYMARKET"),
        Symbol::new("WANDERING"),
        AssetClass::Alternative,
        Currency::USDC(),
        UnixNanos::from(0),
        UnixNanos::from(u64::MAX),
        price.precision,
        size.precision,
        price,
        size,
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
        UnixNanos::default(),
        UnixNanos::default(),
    )
}

fn price(cents: u64) -> Price {
    Price::new(cents as f64 / 100.0, 2)
}

fn size(lots: u64) -> Quantity {
    Quantity::new(lots as f64 / 100.0, 2)
}

fn datum(id: InstrumentId, number: usize, event: &Event) -> Data {
    let Event { at_ms, kind, cents, lots, .. } = *event;
    let (happened, received) = (UnixNanos::from(at_ms * MS), UnixNanos::from((at_ms + FEED_MS) * MS));
    match kind {
        Kind::Level { bid } => {
            let side = if bid { OrderSide::Buy } else { OrderSide::Sell };
            let action = if lots == 0 { BookAction::Delete } else { BookAction::Update };
            let order = BookOrder::new(side, price(cents), size(lots), 0);
            let flags = RecordFlag::F_LAST as u8;
            Data::Delta(OrderBookDelta::new(id, action, order, flags, number as u64, happened, received))
        }
        Kind::Trade { buyer } => {
            let side = if buyer { AggressorSide::Buyer } else { AggressorSide::Seller };
            let name = TradeId::new(format!("{number}"));
            Data::Trade(TradeTick::new(id, price(cents), size(lots), side, name, happened, received))
        }
    }
}

impl Peer {
    pub fn new(stream: &Stream) -> Peer {
        let id = instrument().id;
        let opening = stream.opening.iter().map(|&(bid, cents, lots)| Event {
            at_ms: BEGIN_MS,
            kind: Kind::Level { bid },
            cents,
            lots,
            best: (0, 0),
        });
        let events: Vec<Event> = opening.chain(stream.events.iter().copied()).collect();
        let data = events.iter().enumerate().map(|(number, event)| datum(id, number, event)).collect();
        Peer { data, instrument: InstrumentAny::BinaryOption(instrument()) }
    }

    /// How long it took, without the making of the engine and the handing over of the data.
    pub fn run(&self, script: &Rc<Script>) -> Result<(Outcome, Duration)> {
        let mut config = BacktestEngineConfig::builder().bypass_logging(true).run_analysis(false).build();
        config.logging.bypass_logging = true;
        let mut engine = BacktestEngine::new(config)?;
        let to_venue = StaticLatencyModel::new(
            UnixNanos::from((ENTRY_MS + FEED_MS) * MS),
            UnixNanos::from(0),
            UnixNanos::from(0),
            UnixNanos::from(0),
        );
        engine.add_venue(
            SimulatedVenueConfig::builder()
                .venue(Venue::from("POLYMARKET"))
                .oms_type(OmsType::Netting)
                .account_type(AccountType::Margin)
                .book_type(BookType::L2_MBP)
                .starting_balances(vec![Money::from("1_000_000 USDC")])
                .latency_model(Box::new(to_venue))
                .queue_position(true)
                .build(),
        )?;
        engine.add_instrument(&self.instrument)?;
        let noted = Rc::new(RefCell::new(Noted::default()));
        let id = nautilus_model::instruments::Instrument::id(&self.instrument);
        engine.add_strategy(Follower::new(id, script.clone(), noted.clone()))?;
        engine.add_data(self.data.clone(), None, true, false)?;
        engine.sort_data();
        let start = Clock::start();
        engine.run(None, None, None, false)?;
        let took = start.elapsed();
        let noted = noted.borrow();
        let filled = noted.filled.iter().collect::<HashSet<_>>().len();
        let outcome = Outcome { placed: noted.placed, filled, shares: noted.shares };
        engine.dispose();
        Ok((outcome, took))
    }
}

/// What the follower has done, and heard.
#[derive(Default)]
struct Noted {
    placed: usize,
    filled: Vec<ClientOrderId>,
    shares: f64,
}

/// Follows the script.
struct Follower {
    core: StrategyCore,
    instrument: InstrumentId,
    script: Rc<Script>,
    next: usize,
    /// Its names of the script's orders.
    names: Vec<Option<ClientOrderId>>,
    noted: Rc<RefCell<Noted>>,
}

impl Follower {
    fn new(instrument: InstrumentId, script: Rc<Script>, noted: Rc<RefCell<Noted>>) -> Follower {
        let config = StrategyConfig {
            strategy_id: Some(StrategyId::from("FOLLOWER-001")),
            order_id_tag: Some("001".to_owned()),
            log_events: false,
            log_commands: false,
            ..StrategyConfig::default()
        };
        let names = vec![None; script.orders.len()];
        Follower { core: StrategyCore::new(config), instrument, script, next: 0, names, noted }
    }

    fn follow(&mut self, now: UnixNanos) -> Result<()> {
        while let Some((_, deed)) = self.script.deeds.get(self.next).filter(|(at, _)| *at <= now.as_u64()) {
            let deed = *deed;
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
        let side = if order.buys { OrderSide::Buy } else { OrderSide::Sell };
        let order = self.core.order_factory().limit(
            self.instrument,
            side,
            size(order.lots),
            price(order.cents),
            Some(TimeInForce::Gtc),
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
        self.names[number] = Some(order.client_order_id());
        self.noted.borrow_mut().placed += 1;
        self.submit_order(order, None, None, None)
    }

    fn cancel(&mut self, number: usize) -> Result<()> {
        let Some(name) = self.names[number] else { return Ok(()) };
        let open = self.cache().order(&name).is_some_and(|order| order.is_open());
        if open { self.cancel_order(name, None, None) } else { Ok(()) }
    }
}

nautilus_strategy!(Follower);

impl Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("next", &self.next).finish_non_exhaustive()
    }
}

impl DataActor for Follower {
    fn on_start(&mut self) -> Result<()> {
        self.subscribe_book_deltas(self.instrument, BookType::L2_MBP, None, None, true, None);
        self.subscribe_trades(self.instrument, None, None);
        Ok(())
    }

    fn on_book_deltas(&mut self, deltas: &OrderBookDeltas) -> Result<()> {
        self.follow(deltas.ts_init)
    }

    fn on_trade(&mut self, trade: &TradeTick) -> Result<()> {
        self.follow(trade.ts_init)
    }

    fn on_order_filled(&mut self, event: &OrderFilled) -> Result<()> {
        let mut noted = self.noted.borrow_mut();
        noted.filled.push(event.client_order_id);
        noted.shares += event.last_qty.as_f64();
        Ok(())
    }
}
