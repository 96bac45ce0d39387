//! An engine that quotes one order whenever its market becomes tight, and withdraws it when it becomes wide.

use std::collections::VecDeque;

use oddsmith_domain::{
    AccountSnapshot, Action, ActionSeq, CancelOutcome, CanceledOrders, GatewayInput, GatewayOutcome, Input, Link,
    LinkState, MarketSource, Output, OutputBody, Payer, PlaceOutcome, RunId, Setup, Shares, Time, Usdc, VenueOrderStatus,
};
use oddsmith_engine::{Engine, EngineConfig, InstanceConfig, Timing};
use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};

use crate::frames::{self, MARKET, NO, YES};
use crate::orders::wallet;

/// No venue hash, but as long as one: what is not hexadecimal cannot be compared.
const NO_HASH: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

/// The engine's configuration: one maker, one order, nothing that waits.
fn config() -> EngineConfig {
    let parameters = Parameters { max_book_age_ms: 600_000, ..Parameters::default() };
    let mut config = EngineConfig {
        instances: vec![InstanceConfig {
            name: "maker".into(),
            markets: vec!["*".into()],
            strategy: StrategyConfig::SkewedMaker(parameters),
            listener: Default::default(),
            sharing: Default::default(),
        }],
        timing: Timing {
            debounce_ms: 0,
            sync_interval_ms: 600_000,
            replace_interval_ms: 0,
            stale_book_ms: 600_000,
            wallet_cooldown_ms: 0,
            market_cooldown_ms: 0,
            caution_ms: 0,
            heartbeat_ms: 0,
            reconcile_ms: 3_600_000,
            cross_check_ms: 3_600_000,
            ..Timing::default()
        },
        ..EngineConfig::default()
    };
    config.limits.max_open_orders = 1;
    config
}

/// What a run begins with.
pub fn setup() -> Setup {
    Setup {
        run: RunId([7; 16]),
        seed: [3; 32],
        account: wallet().signer.address(),
        payer: Payer::own(wallet().signer.address()),
        chain_id: 137,
        config: config().to_json().expect("JSON"),
    }
}

/// The books of both tokens: bid 0.30, ask 0.52, which is too wide to quote.
pub fn books(wall_ms: u64) -> String {
    let book = |token: &str, bid: &str, ask: &str| {
        format!(
            r#"{{"market":"{MARKET}","asset_id":"{token}","timestamp":"{wall_ms}","hash":"{NO_HASH}","bids":[{{"price":"{bid}","size":"100"}}],"asks":[{{"price":"{ask}","size":"100"}}],"event_type":"book"}}"#
        )
    };
    format!("[{},{}]", book(YES, "0.30", "0.52"), book(NO, "0.48", "0.70"))
}

/// A `price_change` of 602 bytes or so that brings a bid of 0.48, or takes it away.
pub fn move_frame(tight: bool, wall_ms: u64) -> String {
    let (size, bid) = if tight { ("100.00", "0.48") } else { ("0", "0.30") };
    let mirrored = if tight { "0.52" } else { "0.70" };
    format!(
        r#"{{"market":"{MARKET}", "price_changes":[{{"asset_id":"{YES}", "price":"0.48", "size":"{size}", "side":"BUY", "hash":"{NO_HASH}", "best_bid":"{bid}", "best_ask":"0.52"}}, {{"asset_id":"{NO}", "price":"0.52", "size":"{size}", "side":"SELL", "hash":"{NO_HASH}", "best_bid":"0.48", "best_ask":"{mirrored}"}}], "timestamp":"{wall_ms}", "event_type":"price_change"}}"#
    )
}

/// A frame that changes nothing which the strategy looks at: a far level.
pub fn idle_frame(n: u64, wall_ms: u64) -> String {
    let size = 100 + n % 900;
    format!(
        r#"{{"market":"{MARKET}", "price_changes":[{{"asset_id":"{YES}", "price":"0.10", "size":"{size}", "side":"BUY", "hash":"{NO_HASH}", "best_bid":"0.30", "best_ask":"0.52"}}, {{"asset_id":"{NO}", "price":"0.90", "size":"{size}", "side":"SELL", "hash":"{NO_HASH}", "best_bid":"0.48", "best_ask":"0.70"}}], "timestamp":"{wall_ms}", "event_type":"price_change"}}"#
    )
}

/// What an honest venue says at once to an action that is not a placement.
pub fn honest(action: &Action) -> Option<GatewayOutcome> {
    Some(match action {
        Action::Place(_) => return None,
        Action::Cancel { .. } => GatewayOutcome::Cancel(CancelOutcome::Canceled),
        Action::CancelMarket { .. } | Action::CancelAll => GatewayOutcome::CancelScope(Ok(CanceledOrders::default())),
        Action::Query { .. } => GatewayOutcome::Query(Ok(None)),
        Action::Heartbeat => GatewayOutcome::Heartbeat(Ok(())),
        Action::Fetch(oddsmith_domain::FetchWhat::Activity { .. }) => GatewayOutcome::Activity(Ok(Default::default())),
        Action::Fetch(oddsmith_domain::FetchWhat::Resolution(_)) => GatewayOutcome::Resolution(Ok(None)),
        Action::Merge { .. } | Action::Redeem { .. } | Action::Convert(_) => {
            GatewayOutcome::Tokens(oddsmith_domain::TokenOutcome::Refused("nobody converts tokens here".to_owned()))
        }
        Action::Fetch(oddsmith_domain::FetchWhat::Account { .. }) => GatewayOutcome::Account(Ok(AccountSnapshot {
            collateral: Usdc::from_whole(1_000),
            ..AccountSnapshot::default()
        })),
        Action::Subscribe { .. } | Action::Unsubscribe { .. } | Action::Fetch(_) => GatewayOutcome::Done(Ok(())),
    })
}

/// The engine in virtual time, everything but placements answered at once.
pub struct Desk {
    pub engine: Engine,
    pub now: Time,
    out: Vec<Output>,
    waiting: VecDeque<(ActionSeq, Action)>,
    pub places: Vec<(ActionSeq, Action)>,
}

impl Desk {
    /// An engine that is ready, in front of a book that is too wide.
    pub fn new() -> Desk {
        let mut desk = Desk {
            engine: Engine::new(),
            now: Time { mono_ns: 1_000_000_000, wall_ns: 1_790_000_000 * Time::SECOND },
            out: Vec::with_capacity(64),
            waiting: VecDeque::new(),
            places: Vec::with_capacity(16),
        };
        desk.put(&Input::Setup(Box::new(setup())));
        let mut card = frames::card();
        card.min_size = Some(Shares::from_whole(5));
        card.tick = Some(oddsmith_domain::Tick::Cent);
        card.fee = Some(oddsmith_domain::FeeSchedule::FREE);
        desk.put(&Input::Card(Box::new(card)));
        for link in [Link::Orders, Link::User, Link::Market(0)] {
            desk.put(&Input::Link { link, state: LinkState::Up });
        }
        desk.frame(&books(desk.now.wall_ms()));
        for _ in 0..1_000 {
            desk.pass(10);
            desk.settle();
        }
        desk
    }

    pub fn pass(&mut self, ms: u64) {
        self.now = self.now.plus_ns(ms * Time::MILLI);
    }

    pub fn put(&mut self, input: &Input<'_>) {
        self.engine.handle(input, self.now, &mut self.out);
        for output in self.out.drain(..) {
            if let OutputBody::Action(action) = output.body {
                let seq = ActionSeq(output.seq);
                match action {
                    Action::Place(_) => self.places.push((seq, action)),
                    action => self.waiting.push_back((seq, action)),
                }
            }
        }
    }

    pub fn frame(&mut self, frame: &str) {
        self.put(&Input::Market { source: MarketSource::Shard(0), bytes: frame.as_bytes() });
    }

    /// Ticks until the engine has nothing to do.
    pub fn tick(&mut self) {
        while self.engine.needs_tick() || self.engine.next_deadline().is_some_and(|at| at <= self.now.mono_ns) {
            self.put(&Input::Tick);
        }
    }

    pub fn answer(&mut self, action: ActionSeq, outcome: GatewayOutcome) {
        self.put(&Input::Gateway(Box::new(GatewayInput { action, outcome })));
    }

    /// Answers everything that waits, placements included, and ticks until all is quiet.
    pub fn settle(&mut self) {
        loop {
            self.tick();
            for (seq, _) in std::mem::take(&mut self.places) {
                self.answer(seq, accepted());
            }
            let Some((seq, action)) = self.waiting.pop_front() else { break };
            if let Some(outcome) = honest(&action) {
                self.answer(seq, outcome);
            }
        }
        self.tick();
    }

    /// Makes the market wide again and lets the engine withdraw.
    pub fn withdraw(&mut self) {
        self.pass(5);
        self.settle();
        self.frame(&move_frame(false, self.now.wall_ms()));
        self.settle();
        self.pass(5);
        self.settle();
    }
}

/// The venue took an order.
pub fn accepted() -> GatewayOutcome {
    GatewayOutcome::Place(PlaceOutcome::Accepted { status: VenueOrderStatus::Live, trades: Vec::new() })
}
