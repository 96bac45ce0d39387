//! Our backtest as the product runs it: a recording on disk, the tape, the engine, the venue on paper, the measuring.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Result;
use oddsmith_backtest::tape::{Assumptions, Form, Reel};
use oddsmith_backtest::trial::{
    self, Client, Limits, Material, Measured, Recorder, Setting, Stretch, TrialError, Unrecorded,
};
use oddsmith_domain::{
    Action, ConditionId, Event, FeeSchedule, Input, MarketCard, OrderId, Outcome as Token, Output, OutputBody,
    PlaceOrder, RunId, Shares, Side, Tick, Time, TokenId, Usdc,
};
use oddsmith_engine::{EngineConfig, InstanceConfig};
use oddsmith_paper::PaperSettings;
use oddsmith_paper::latency::{LatencyModel, Unevenness};
use oddsmith_paper::queue::QueueModel;
use oddsmith_report::Record;
use oddsmith_strategy::StrategyConfig;
use oddsmith_strategy::skewed_maker::Parameters;

use crate::script::{Order, Outcome, Script};
use crate::stream::{BEGIN_MS, CONDITION, FEED_MS, NO, Stream, YES, listing, recording};

/// To the venue and back, in milliseconds, for everybody.
pub const ENTRY_MS: u64 = 60;
pub const RESPONSE_MS: u64 = 40;

/// The market of the stream.
pub fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse(CONDITION).expect("a condition"),
        slug: "wandering".into(),
        question: "Does it wander?".into(),
        tokens: [YES, NO].map(|token| TokenId::parse(token).expect("a token")),
        outcomes: ["Yes".into(), "No".into()],
        tick: Some(Tick::Cent),
        min_size: Some(Shares::from_whole(5)),
        fee: Some(FeeSchedule::FREE),
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

/// A recording that can be run over.
pub struct Ours {
    path: PathBuf,
    session: Stretch,
    /// Orders that were filled, whole or in part, when somebody listened.
    filled: Cell<usize>,
}

/// What is written down of a run from which the peers' script is made.
#[derive(Default)]
struct Told {
    orders: BTreeMap<OrderId, Order>,
    filled: BTreeSet<OrderId>,
}

struct Listening(Rc<RefCell<Told>>);

impl Recorder for Listening {
    fn record(&mut self, _: &Input<'_>, now: Time, outputs: &[Output]) -> bool {
        let mut told = self.0.borrow_mut();
        for output in outputs {
            match &output.body {
                OutputBody::Action(Action::Place(place)) => {
                    told.orders.insert(place.id, order(place, now));
                }
                OutputBody::Action(Action::Cancel { order, .. }) => {
                    told.orders.entry(*order).and_modify(|order| order.cancel_ns = Some(now.wall_ns));
                }
                OutputBody::Action(Action::CancelMarket { .. } | Action::CancelAll) => {
                    for order in told.orders.values_mut() {
                        order.cancel_ns.get_or_insert(now.wall_ns);
                    }
                }
                OutputBody::Event(Event::Fill { order, .. }) => {
                    told.filled.insert(*order);
                }
                _ => {}
            }
        }
        true
    }
}

/// In terms of YES: a purchase of NO is a sale of YES.
fn order(place: &PlaceOrder, now: Time) -> Order {
    let (buys, price) = match (place.asset.outcome(), place.side()) {
        (Token::Yes, side) => (side == Side::Buy, place.price),
        (Token::No, side) => (side == Side::Sell, place.price.complement()),
    };
    Order {
        place_ns: now.wall_ns,
        cancel_ns: None,
        buys,
        cents: u64::from(price.units()) / 100,
        lots: place.size.micros() as u64 / 10_000,
        post_only: place.post_only,
    }
}

struct Once {
    paper: PaperSettings,
    told: Option<Rc<RefCell<Told>>>,
    measured: Option<Measured>,
}

impl Client for Once {
    fn begin(&mut self, _: usize) -> Result<(Setting, Box<dyn Recorder>), TrialError> {
        let strategy = StrategyConfig::SkewedMaker(Parameters { target_spread: 0.01, ..Parameters::default() });
        let instance = InstanceConfig {
            name: "maker".to_owned(),
            markets: vec!["*".to_owned()],
            strategy,
            listener: Default::default(),
            sharing: Default::default(),
        };
        let mut config = EngineConfig { instances: vec![instance], ..EngineConfig::default() };
        // It goes on whatever it loses: this is about events, not about money.
        let much = Usdc::from_whole(1_000_000);
        config.limits.max_daily_loss_usdc = much;
        config.limits.max_total_loss_usdc = much;
        config.limits.max_market_loss_usdc = much;
        config.limits.max_instance_loss_usdc = much;
        config.limits.drawdown.max_usdc = much;
        let config = config.to_json().map_err(|_| TrialError::Journal)?;
        let recorder: Box<dyn Recorder> = match &self.told {
            Some(told) => Box::new(Listening(told.clone())),
            None => Box::new(Unrecorded),
        };
        Ok((Setting { run: RunId([7; 16]), seed: [7; 32], config, paper: self.paper.clone() }, recorder))
    }

    fn end(&mut self, _: usize, measured: Measured, _: Record) {
        self.measured = Some(measured);
    }
}

impl Ours {
    pub fn write(stream: &Stream, both: bool, dir: &Path) -> Result<Ours> {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("markets.jsonl"), listing())?;
        let path = dir.join("frames.jsonl");
        std::fs::write(&path, recording(stream, both))?;
        let ns = |ms: u64| ms * Time::MILLI;
        let session = Stretch { from_ns: ns(BEGIN_MS + FEED_MS), to_ns: ns(stream.end_ms()) + 1 };
        Ok(Ours { path, session, filled: Cell::new(0) })
    }

    fn trial(&self, told: Option<Rc<RefCell<Told>>>, reel: Option<&Reel>) -> Result<Measured> {
        let paper = PaperSettings {
            queue: QueueModel::RiskAverse,
            latency: LatencyModel::Constant {
                entry_ns: (ENTRY_MS * Time::MILLI) as i64,
                response_ns: (RESPONSE_MS * Time::MILLI) as i64,
            },
            uneven: Unevenness::NONE,
            feed_ns: FEED_MS * Time::MILLI,
            ..PaperSettings::with(Usdc::from_whole(1_000_000), 7)
        };
        let material = Material {
            recordings: self.recordings(),
            assumptions: Assumptions::default(),
            limits: Limits::default(),
            holes: Vec::new(),
        };
        let mut once = Once { paper, told, measured: None };
        match reel {
            Some(reel) => trial::run_laid_out(reel, &material, &[self.session], &mut once)?,
            None => trial::run(&material, &[self.session], &mut once)?,
        }
        once.measured.ok_or_else(|| anyhow::anyhow!("the session did not end"))
    }

    fn recordings(&self) -> Vec<(PathBuf, Form)> {
        vec![(self.path.clone(), Form::Frames)]
    }

    /// The recording as every configuration and assumption of one command runs over it.
    pub fn lay_out(&self) -> Result<Reel> {
        let reel = Reel::lay_out(&self.recordings(), Assumptions::default(), usize::MAX, &mut |_| {})?;
        reel.ok_or_else(|| anyhow::anyhow!("there is room for everything"))
    }

    /// Runs once with open ears, so that the peers can do the same orders.
    pub fn script(&self) -> Result<Script> {
        let told = Rc::new(RefCell::new(Told::default()));
        self.trial(Some(told.clone()), None)?;
        let told = told.borrow();
        let end_ns = self.session.to_ns;
        let mut orders: Vec<Order> = told.orders.values().filter(|order| order.place_ns < end_ns).copied().collect();
        orders.sort_by_key(|order| order.place_ns);
        self.filled.set(told.filled.len());
        anyhow::ensure!(orders.len() > 10, "a backtest without orders shows little");
        Ok(Script::new(orders))
    }

    /// Runs over the file, or over what was laid out of it.
    pub fn run(&self, reel: Option<&Reel>) -> Result<Outcome> {
        let measured = self.trial(None, reel)?;
        let (placed, filled) = (measured.orders as usize, self.filled.get());
        Ok(Outcome { placed, filled, shares: measured.shares.to_f64() })
    }
}
