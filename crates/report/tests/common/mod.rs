//! A run as the engine would journal it: books by frames, fills through the ledger.

#![allow(dead_code, reason = "each test uses its own part")]

use std::collections::BTreeMap;

use oddsmith_domain::{
    Booking, BookingId, ConditionId, Event, Input, InstanceId, MarketCard, MarketId, MarketSource, Movement, OrderId,
    Outcome, Output, OutputBody, Price, ResolutionSource, Shares, Side, Tick, Time, TokenId, TradeId, TradeStatus,
    Usdc,
};
use oddsmith_execution::Ledger;
use oddsmith_report::{Attribution, Split};

pub const MARKET: MarketId = MarketId(0);
pub const MAKER: InstanceId = InstanceId(0);
pub const START_S: u64 = 1_790_000_000;

pub fn usd(text: &str) -> Usdc {
    text.parse().expect("an amount")
}

pub fn price(units: u16) -> Price {
    Price::from_units(units).expect("in range")
}

pub fn card(n: u32) -> MarketCard {
    let token = |k: u32| TokenId::parse(&(100 + 2 * n + k).to_string()).expect("a token");
    MarketCard {
        condition: ConditionId::parse(&format!("0x{n:064x}")).expect("a condition"),
        slug: format!("market-{n}"),
        question: "Will it?".to_owned(),
        tokens: [token(0), token(1)],
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: Some(Tick::Thousandth),
        min_size: Some(Shares::from_whole(5)),
        fee: None,
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

/// What was booked for a fill.
#[derive(Clone, Copy)]
pub struct Fill {
    pub place: (InstanceId, MarketId),
    pub way: (Outcome, Side),
    pub movement: Movement,
    pub settled: bool,
}

/// Feeds an attribution and keeps the ledger that it must agree with.
pub struct Desk {
    pub attribution: Attribution,
    pub ledger: Ledger,
    pub now: Time,
    pub marks: BTreeMap<MarketId, Price>,
    pub decided: BTreeMap<MarketId, Price>,
    pub fills: Vec<Fill>,
    seq: u64,
}

impl Desk {
    pub fn new(markets: u32) -> Desk {
        let mut desk = Desk {
            attribution: Attribution::new(),
            ledger: Ledger::default(),
            now: Time { mono_ns: 1, wall_ns: START_S * Time::SECOND },
            marks: BTreeMap::new(),
            decided: BTreeMap::new(),
            fills: Vec::new(),
            seq: 0,
        };
        desk.tick();
        for n in 0..markets {
            desk.tell(Event::Numbered { market: MarketId(n), card: Box::new(card(n)) });
        }
        desk
    }

    pub fn tell(&mut self, event: Event) {
        self.seq += 1;
        self.attribution.output(&Output { seq: self.seq, body: OutputBody::Event(event) });
    }

    pub fn tick(&mut self) {
        self.attribution.input(&Input::Tick, self.now);
    }

    pub fn pass_ms(&mut self, ms: u64) {
        self.now = self.now.plus_ns(ms * Time::MILLI);
        self.tick();
    }

    /// Moves a market's mid by a book of one level a side, half a tick of spread around it.
    pub fn mid(&mut self, market: MarketId, units: u16) {
        let (bid, ask) = (price(units - 10), price(units + 10));
        let (id, ms) = (card(market.0), self.now.wall_ms());
        let frame = format!(
            r#"{{"event_type":"book","market":"{}","asset_id":"{}","timestamp":"{ms}","hash":"","bids":[{{"price":"{bid}","size":"100"}}],"asks":[{{"price":"{ask}","size":"100"}}]}}"#,
            id.condition, id.tokens[0]
        );
        self.attribution.input(&Input::Market { source: MarketSource::Shard(0), bytes: frame.as_bytes() }, self.now);
        if !self.decided.contains_key(&market) {
            self.marks.insert(market, price(units));
            assert_eq!(self.attribution.books().mark(market), Some(price(units)), "{frame}");
        }
    }

    pub fn fill(
        &mut self,
        (instance, market): (InstanceId, MarketId),
        (outcome, side): (Outcome, Side),
        size: Shares,
        at: Price,
        fee: Usdc,
    ) -> usize {
        let place = (instance, market);
        let movement =
            self.ledger.fill(place, (outcome, side), size, size.cost_floor(at), fee).expect("a size above zero");
        let number = self.fills.len();
        self.fills.push(Fill { place, way: (outcome, side), movement, settled: false });
        self.tell(Event::Fill {
            trade: trade(number),
            order: OrderId([1; 32]),
            instance: Some(instance).filter(|instance| *instance != InstanceId::WALLET),
            asset: market.asset(outcome),
            side,
            price: at,
            size,
            fee,
            taker: !fee.is_zero(),
            movement,
            matched_s: self.now.wall_s(),
        });
        self.told(place);
        self.decision_again(market);
        number
    }

    /// The settlement of a fill ends.
    pub fn settle(&mut self, number: usize, status: TradeStatus) {
        let fill = self.fills[number];
        if std::mem::replace(&mut self.fills[number].settled, true) {
            return;
        }
        match status {
            TradeStatus::Failed => drop(self.ledger.undo(fill.place, fill.way, &fill.movement)),
            _ => self.ledger.settle(fill.place, fill.way, &fill.movement, false),
        }
        self.tell(Event::Settlement { trade: trade(number), order: OrderId([1; 32]), status });
        self.told(fill.place);
        self.decision_again(fill.place.1);
    }

    pub fn book(&mut self, (instance, market): (InstanceId, MarketId), booking: Booking, movement: Movement) {
        if !movement.is_nothing() {
            self.tell(Event::Booking { id: BookingId::default(), instance, market, booking, movement });
            self.told((instance, market));
        }
    }

    pub fn resolve(&mut self, market: MarketId, yes: Price) {
        self.tell(Event::Resolved { market, yes, source: ResolutionSource::Venue });
        self.marks.insert(market, yes);
        self.decided.insert(market, yes);
        self.decision_again(market);
    }

    fn decision_again(&mut self, market: MarketId) {
        let Some(yes) = self.decided.get(&market).copied() else { return };
        let holders: Vec<InstanceId> = self.ledger.market(market).map(|(instance, _)| instance).collect();
        for instance in holders {
            let movement = self.ledger.decide((instance, market), yes);
            self.book((instance, market), Booking::Decided, movement);
        }
    }

    fn told(&mut self, (instance, market): (InstanceId, MarketId)) {
        let account = self.ledger.account(instance, market);
        self.tell(Event::Ledger { instance, market, account });
    }

    /// The ledger's own profit.
    pub fn profit(&self, instance: Option<InstanceId>) -> Usdc {
        self.ledger
            .accounts()
            .filter(|(owner, _, _)| instance.is_none_or(|instance| instance == *owner))
            .map(|(_, market, account)| {
                let mark = self.marks.get(&market).copied();
                account.realized + mark.map_or(Usdc::ZERO, |mark| account.unrealized(mark))
            })
            .sum()
    }

    /// The split, which must be the ledger's profit.
    pub fn split(&self) -> Split {
        let split = self.attribution.split();
        assert_eq!((split.sum(), split.total), (self.profit(None), self.profit(None)), "{split:?}");
        split
    }
}

fn trade(number: usize) -> TradeId {
    TradeId::parse(&format!("t-{number}")).expect("short")
}
