//! A desk for the engine: time that we turn, books that we write, and a venue that answers as the test says.

#![allow(dead_code, reason = "each test file uses its own part of the desk")]

use std::collections::VecDeque;

use oddsmith_domain::{
    AccountOrder, AccountSnapshot, Action, ActionSeq, CancelOutcome, CanceledOrders, Command, ConditionId, Event,
    FeeSchedule, GatewayInput, GatewayOutcome, Input, Link, LinkState, MarketCard, MarketSource, OrderId, Output,
    OutputBody, Payer, PlaceOrder, PlaceOutcome, RefusalCode, RunId, Setup, Shares, Side, Tick, Time, TokenId, TradeId,
    UnknownCause, Usdc, VenueOrderStatus,
};
use oddsmith_engine::{Engine, EngineConfig, InstanceConfig};
use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};

pub const START_WALL_NS: u64 = 1_790_000_000 * Time::SECOND;

/// The engine, the venue's answers, and everything that came out so far.
pub struct Desk {
    pub engine: Engine,
    pub now: Time,
    pub outputs: Vec<Output>,
    /// Actions that the venue has not answered yet.
    pub waiting: Vec<(ActionSeq, Action)>,
    /// What was put in, to be put in again.
    pub tape: Vec<(Time, Vec<u8>)>,
    /// Orders that rest at the venue.
    pub resting: Vec<PlaceOrder>,
    /// Orders that take, in the order in which they came.
    pub taken: Vec<PlaceOrder>,
    /// What becomes of the next ones; without a word they get all they want.
    pub fates: VecDeque<Taking>,
    /// What the user channel says next.
    pub later: Vec<String>,
    /// Whether the venue makes collateral of pairs.
    pub merges: bool,
    pub collateral: Usdc,
    /// Whether the market connection gives signs of life.
    pub alive: bool,
    trades: u64,
}

/// What becomes of an order that takes.
#[derive(Clone, Copy, Debug)]
pub enum Taking {
    /// So many whole shares at its limit, settled at once; none at all for 0.
    Gets(i64),
    /// The same, and the settlement is open.
    Unsettled(i64),
    /// It is held back; nothing more is said.
    Delayed,
    /// No answer comes.
    Lost,
}

pub fn card(n: u8) -> MarketCard {
    MarketCard {
        condition: ConditionId::parse(&format!("0x{:064x}", u32::from(n) + 1)).expect("a condition"),
        slug: format!("market-{n}"),
        question: "Will it?".to_owned(),
        tokens: [TokenId::from_be_bytes([0x10 + n; 32]), TokenId::from_be_bytes([0x90 + n; 32])],
        outcomes: ["Yes".to_owned(), "No".to_owned()],
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

/// An order that rests at the venue, as the venue lists it.
pub fn listed(place: &PlaceOrder) -> AccountOrder {
    AccountOrder {
        id: place.id,
        asset: Some(place.asset),
        side: place.side(),
        price: place.price,
        original_size: place.size,
        size_matched: Shares::ZERO,
        status: VenueOrderStatus::Live,
    }
}

/// A read of the account of which nothing came.
pub fn unread(cause: oddsmith_domain::UnknownCause) -> oddsmith_domain::Omission {
    let part = oddsmith_domain::AccountPart::Orders;
    oddsmith_domain::Omission { part, page: 1, cause, rejected: 0, rejects: Vec::new() }
}

pub fn config() -> EngineConfig {
    let strategy = StrategyConfig::SkewedMaker(Parameters::default());
    let instance = InstanceConfig {
        name: "maker".to_owned(),
        markets: vec!["*".to_owned()],
        strategy,
        listener: Default::default(),
        sharing: Default::default(),
    };
    EngineConfig { instances: vec![instance], ..EngineConfig::default() }
}

impl Desk {
    /// A configured engine that has one market with a book and has not asked the venue anything yet.
    pub fn new(config: EngineConfig) -> Desk {
        Desk::of(Engine::new(), config)
    }

    /// The same with an engine that has not been set up yet.
    pub fn of(engine: Engine, config: EngineConfig) -> Desk {
        let mut desk = Desk {
            engine,
            now: Time { mono_ns: 1_000, wall_ns: START_WALL_NS },
            outputs: Vec::new(),
            waiting: Vec::new(),
            tape: Vec::new(),
            resting: Vec::new(),
            taken: Vec::new(),
            fates: VecDeque::new(),
            later: Vec::new(),
            merges: false,
            collateral: Usdc::from_whole(1_000),
            alive: true,
            trades: 0,
        };
        let account = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266".parse().expect("an address");
        let setup = Setup {
            run: RunId([7; 16]),
            seed: [3; 32],
            account,
            payer: Payer::own(account),
            chain_id: 137,
            config: config.to_json().expect("json"),
        };
        desk.put(&Input::Setup(Box::new(setup)));
        desk.add_market(0);
        desk.put(&Input::Link { link: Link::User, state: LinkState::Up });
        desk
    }

    /// A desk on which the engine quotes.
    pub fn quoting() -> Desk {
        Desk::quoting_with(config())
    }

    pub fn quoting_with(config: EngineConfig) -> Desk {
        let mut desk = Desk::new(config);
        desk.run_for(9_000);
        assert!(!desk.resting.is_empty(), "the desk quotes: {:#?}", desk.events());
        desk
    }

    pub fn add_market(&mut self, n: u8) {
        self.put(&Input::Card(Box::new(card(n))));
        self.book(n, "0.48", "0.52");
        self.put(&Input::Link { link: Link::Market(0), state: LinkState::Up });
    }

    /// Hands one input over, and notes what comes out.
    pub fn put(&mut self, input: &Input<'_>) {
        let bytes = postcard::to_stdvec(input).expect("an input has bytes");
        self.tape.push((self.now, bytes));
        let mut out = Vec::new();
        self.engine.handle(input, self.now, &mut out);
        for output in &out {
            if let OutputBody::Action(action) = &output.body {
                self.waiting.push((ActionSeq(output.seq), action.clone()));
            }
        }
        self.outputs.extend(out);
    }

    /// Time passes in steps of ten milliseconds; the venue answers everything at once, the books stay alive.
    pub fn run_for(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.step();
            self.answer_all();
        }
    }

    /// Ten milliseconds pass and the engine ticks until it is done; nobody answers.
    pub fn step(&mut self) {
        self.now = self.now.plus_ns(10 * Time::MILLI);
        if self.alive && (self.now.mono_ns / Time::MILLI).is_multiple_of(500) {
            self.put(&Input::Link { link: Link::Market(0), state: LinkState::Alive });
        }
        self.tick();
    }

    pub fn tick(&mut self) {
        for _ in 0..100 {
            if !self.engine.needs_tick() && self.engine.next_deadline().is_none_or(|at| at > self.now.mono_ns) {
                return;
            }
            self.put(&Input::Tick);
        }
        panic!("the engine never comes to rest");
    }

    /// The venue answers everything that waits, as an honest venue does.
    pub fn answer_all(&mut self) {
        for (seq, action) in std::mem::take(&mut self.waiting) {
            let outcome = self.honest(&action);
            self.answer(seq, outcome);
        }
        for frame in std::mem::take(&mut self.later) {
            self.put(&Input::User { bytes: frame.as_bytes() });
        }
    }

    pub fn answer(&mut self, action: ActionSeq, outcome: GatewayOutcome) {
        self.put(&Input::Gateway(Box::new(GatewayInput { action, outcome })));
    }

    /// What an honest venue says to an action.
    pub fn honest(&mut self, action: &Action) -> GatewayOutcome {
        match action {
            Action::Place(place) if !place.order_type.rests() => self.take(place),
            Action::Place(place) => {
                self.resting.push(**place);
                let outcome = PlaceOutcome::Accepted { status: VenueOrderStatus::Live, trades: Vec::new() };
                GatewayOutcome::Place(outcome)
            }
            Action::Cancel { order, .. } => {
                let before = self.resting.len();
                self.resting.retain(|o| o.id != *order);
                GatewayOutcome::Cancel(if self.resting.len() < before {
                    CancelOutcome::Canceled
                } else {
                    CancelOutcome::Gone("already canceled or matched".to_owned())
                })
            }
            Action::CancelMarket { market } => {
                let (gone, stay) = self.resting.drain(..).partition(|o| o.asset.market() == *market);
                self.resting = stay;
                let gone: Vec<PlaceOrder> = gone;
                let canceled = gone.iter().map(|o| o.id).collect();
                GatewayOutcome::CancelScope(Ok(CanceledOrders { canceled, not_canceled: Vec::new() }))
            }
            Action::CancelAll => {
                let canceled = self.resting.drain(..).map(|o| o.id).collect();
                GatewayOutcome::CancelScope(Ok(CanceledOrders { canceled, not_canceled: Vec::new() }))
            }
            Action::Query { order } => {
                GatewayOutcome::Query(Ok(self.resting.iter().find(|o| o.id == *order).map(listed)))
            }
            Action::Heartbeat => GatewayOutcome::Heartbeat(Ok(())),
            Action::Subscribe { .. } | Action::Unsubscribe { .. } => GatewayOutcome::Done(Ok(())),
            Action::Fetch(oddsmith_domain::FetchWhat::Book(_)) => GatewayOutcome::Done(Ok(())),
            Action::Fetch(oddsmith_domain::FetchWhat::Activity { .. }) => {
                GatewayOutcome::Activity(Ok(Default::default()))
            }
            Action::Fetch(oddsmith_domain::FetchWhat::Resolution(_)) => GatewayOutcome::Resolution(Ok(None)),
            Action::Merge { pairs, .. } if self.merges => {
                self.collateral += Usdc::from_micros(pairs.micros());
                GatewayOutcome::Tokens(oddsmith_domain::TokenOutcome::Done)
            }
            Action::Convert(what) if self.merges => {
                self.collateral += what.collateral();
                GatewayOutcome::Tokens(oddsmith_domain::TokenOutcome::Done)
            }
            Action::Merge { .. } | Action::Redeem { .. } | Action::Convert(_) => {
                GatewayOutcome::Tokens(oddsmith_domain::TokenOutcome::Refused("nobody converts tokens here".to_owned()))
            }
            Action::Fetch(oddsmith_domain::FetchWhat::Account { .. }) => GatewayOutcome::Account(Ok(AccountSnapshot {
                orders: self.resting.iter().map(listed).collect(),
                collateral: self.collateral,
                ..AccountSnapshot::default()
            })),
        }
    }

    /// What the venue makes of an order that takes.
    fn take(&mut self, place: &PlaceOrder) -> GatewayOutcome {
        self.taken.push(*place);
        let fate = self.fates.pop_front().unwrap_or(Taking::Gets(place.size.micros() / 1_000_000));
        let accepted = |status, trades| GatewayOutcome::Place(PlaceOutcome::Accepted { status, trades });
        match fate {
            Taking::Gets(0) => GatewayOutcome::Place(PlaceOutcome::Refused {
                code: RefusalCode::FakNotFilled,
                text: "no orders found to match with FAK order.".to_owned(),
            }),
            Taking::Gets(whole) => {
                let id = self.match_taker(place, whole, "CONFIRMED");
                accepted(VenueOrderStatus::Matched, vec![id])
            }
            Taking::Unsettled(whole) => {
                let id = self.match_taker(place, whole, "MATCHED");
                accepted(VenueOrderStatus::Matched, vec![id])
            }
            Taking::Delayed => accepted(VenueOrderStatus::Delayed, Vec::new()),
            Taking::Lost => GatewayOutcome::Place(PlaceOutcome::Unknown(UnknownCause::Timeout)),
        }
    }

    /// An order of ours took so many shares at its limit; the user channel says so next.
    pub fn match_taker(&mut self, place: &PlaceOrder, whole: i64, status: &str) -> TradeId {
        self.trades += 1;
        let name = format!("trade-{}", self.trades);
        let size = Shares::from_whole(whole);
        self.later.push(taker_frame(&name, place, size, status, self.now));
        let paid = size.cost_ceil(place.price);
        self.collateral = if place.side() == Side::Buy { self.collateral - paid } else { self.collateral + paid };
        TradeId::parse(&name).expect("an id")
    }

    /// Books of both tokens of a market: price and whole shares of the best levels of YES.
    pub fn sized_book(&mut self, n: u8, bid: (&str, u32), ask: (&str, u32)) {
        let c = card(n);
        let mirror = |price: &str| price.parse::<oddsmith_domain::Price>().expect("price").complement().to_string();
        let one = |token: TokenId, bid: (&str, u32), ask: (&str, u32)| {
            format!(
                r#"{{"event_type":"book","asset_id":"{token}","market":"{}","timestamp":"{}","bids":[{{"price":"{}","size":"{}"}}],"asks":[{{"price":"{}","size":"{}"}}]}}"#,
                c.condition,
                self.now.wall_ms(),
                bid.0,
                bid.1,
                ask.0,
                ask.1
            )
        };
        let yes = one(c.tokens[0], bid, ask);
        let no = one(c.tokens[1], (&mirror(ask.0), ask.1), (&mirror(bid.0), bid.1));
        self.frame(format!("[{yes},{no}]").as_bytes());
    }

    /// Levels of YES change, and the venue states the best prices after it: side, price and whole shares of each.
    pub fn levels_change(&mut self, n: u8, changes: &[(Side, &str, u32)], (bid, ask): (&str, &str)) {
        let c = card(n);
        let entry = |(side, price, size): &(Side, &str, u32)| {
            format!(
                r#"{{"asset_id":"{}","price":"{price}","size":"{size}","side":"{}","hash":"","best_bid":"{bid}","best_ask":"{ask}"}}"#,
                c.tokens[0],
                side.as_str(),
            )
        };
        let entries: Vec<_> = changes.iter().map(entry).collect();
        let frame = format!(
            r#"{{"event_type":"price_change","market":"{}","timestamp":"{}","price_changes":[{}]}}"#,
            c.condition,
            self.now.wall_ms(),
            entries.join(",")
        );
        self.frame(frame.as_bytes());
    }

    /// A fresh book of both tokens of a market, 100 shares on each best price.
    pub fn book(&mut self, n: u8, bid: &str, ask: &str) {
        let price = |t: &str| t.parse::<oddsmith_domain::Price>().expect("price");
        let (no_bid, no_ask) = (price(ask).complement(), price(bid).complement());
        let one = |token: TokenId, bid: &str, ask: &str, now: Time| {
            format!(
                r#"{{"event_type":"book","asset_id":"{token}","market":"{}","timestamp":"{}","bids":[{{"price":"{bid}","size":"100"}}],"asks":[{{"price":"{ask}","size":"100"}}]}}"#,
                card(n).condition,
                now.wall_ms()
            )
        };
        let c = card(n);
        let yes = one(c.tokens[0], bid, ask, self.now);
        let no = one(c.tokens[1], &no_bid.to_string(), &no_ask.to_string(), self.now);
        self.frame(format!("[{yes},{no}]").as_bytes());
    }

    pub fn frame(&mut self, bytes: &[u8]) {
        self.put(&Input::Market { source: MarketSource::Shard(0), bytes });
    }

    /// The user channel reports that a resting order of ours was matched as a maker.
    pub fn fill(&mut self, order: &PlaceOrder, size: Shares, status: &str) -> String {
        self.trades += 1;
        let id = format!("trade-{}", self.trades);
        self.report(&id, order, size, status);
        id
    }

    pub fn report(&mut self, id: &str, order: &PlaceOrder, size: Shares, status: &str) {
        let frame = trade_frame(id, order, size, status, self.now);
        self.put(&Input::User { bytes: frame.as_bytes() });
    }

    pub fn command(&mut self, command: Command) {
        self.put(&Input::Command(command));
    }

    pub fn events(&self) -> Vec<&Event> {
        self.outputs.iter().filter_map(|o| if let OutputBody::Event(e) = &o.body { Some(e) } else { None }).collect()
    }

    pub fn actions(&self) -> Vec<&Action> {
        self.outputs.iter().filter_map(|o| if let OutputBody::Action(a) = &o.body { Some(a) } else { None }).collect()
    }

    pub fn count(&self, f: impl Fn(&Action) -> bool) -> usize {
        self.actions().into_iter().filter(|a| f(a)).count()
    }

    pub fn quotes(&self) -> Vec<String> {
        let mut lines: Vec<_> = self
            .resting
            .iter()
            .map(|o| format!("{} {:?} {} @{}", o.side().as_str(), o.asset.outcome(), o.size, o.price))
            .collect();
        lines.sort();
        lines
    }

    pub fn resting_buy(&self) -> PlaceOrder {
        *self.resting.iter().find(|o| o.side() == Side::Buy).expect("a resting buy")
    }

    pub fn take_from_venue(&mut self, id: &OrderId) {
        self.resting.retain(|o| o.id != *id);
    }
}

pub fn taker_frame(id: &str, order: &PlaceOrder, size: Shares, status: &str, now: Time) -> String {
    let c = card(u8::try_from(order.asset.market().0).expect("few markets"));
    let outcome = order.asset.outcome();
    let (side, name, token) = (order.side(), &c.outcomes[outcome.index()], c.token(outcome));
    let (owner, stranger) = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002");
    format!(
        r#"{{"event_type":"trade","type":"TRADE","id":"{id}","taker_order_id":"{}","market":"{}","asset_id":"{token}","side":"{}","size":"{size}","price":"{}","status":"{status}","owner":"{owner}","trade_owner":"{owner}","trader_side":"TAKER","outcome":"{name}","bucket_index":0,"fee_rate_bps":"0","maker_address":"{}","transaction_hash":"","match_time":"{}","last_update":"{}","timestamp":"{}","maker_orders":[{{"order_id":"0x{:064x}","owner":"{stranger}","maker_address":"0x0000000000000000000000000000000000000001","matched_amount":"{size}","price":"{}","fee_rate_bps":"0","asset_id":"{token}","side":"{}","outcome":"{name}","outcome_index":0}}]}}"#,
        order.id,
        c.condition,
        side.as_str(),
        order.price,
        order.fields.maker,
        now.wall_s(),
        now.wall_s(),
        now.wall_ms(),
        77,
        order.price,
        side.opposite().as_str(),
    )
}

pub fn trade_frame(id: &str, order: &PlaceOrder, size: Shares, status: &str, now: Time) -> String {
    let c = card(u8::try_from(order.asset.market().0).expect("few markets"));
    let outcome = order.asset.outcome();
    let (taker_side, outcome_name) = (order.side().opposite().as_str(), &c.outcomes[outcome.index()]);
    let owner = "00000000-0000-0000-0000-000000000001";
    format!(
        r#"{{"event_type":"trade","type":"TRADE","id":"{id}","taker_order_id":"0x{:064x}","market":"{}","asset_id":"{}","side":"{taker_side}","size":"{size}","price":"{}","status":"{status}","owner":"{owner}","trade_owner":"{owner}","trader_side":"MAKER","outcome":"{outcome_name}","bucket_index":0,"fee_rate_bps":"0","maker_address":"{}","transaction_hash":"","match_time":"{}","last_update":"{}","timestamp":"{}","maker_orders":[{{"order_id":"{}","owner":"{owner}","maker_address":"{}","matched_amount":"{size}","price":"{}","fee_rate_bps":"0","asset_id":"{}","side":"{}","outcome":"{outcome_name}","outcome_index":0}}]}}"#,
        9,
        c.condition,
        c.token(outcome),
        order.price,
        order.fields.maker,
        now.wall_s(),
        now.wall_s(),
        now.wall_ms(),
        order.id,
        order.fields.maker,
        order.price,
        c.token(outcome),
        order.side().as_str(),
    )
}
