//! A market, its frames, and orders for it.
#![allow(dead_code, reason = "each test file uses what it needs")]

use oddsmith_domain::{
    AccountSnapshot, AccountTrade, Action, ActionSeq, Address, CancelOutcome, ConditionId, ExchangeKind, FeeSchedule,
    FetchWhat, GatewayOutcome, InstanceId, IntentId, MarketCard, MarketId, OrderFields, OrderId, OrderType, Outcome,
    PlaceOrder, PlaceOutcome, Shares, Side, SignatureType, Tick, Time, TokenId, TradeStatus,
};
use oddsmith_paper::{PaperInput, PaperSettings, PaperVenue};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::user::{UserDecoder, UserEvent};

pub const MARKET: MarketId = MarketId(3);
pub const START_S: u64 = 1_790_000_000;

pub fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse("0xab").expect("a condition"),
        slug: "a-market".to_owned(),
        question: "?".to_owned(),
        tokens: ["111", "222"].map(|text| TokenId::parse(text).expect("a token")),
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: Some(Tick::Cent),
        min_size: Some(Shares::from_whole(5)),
        fee: Some(FeeSchedule::new(70_000, 1, true).expect("a schedule")),
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

pub struct Desk {
    pub venue: PaperVenue,
    pub now: Time,
    pub said: Vec<(u64, PaperInput)>,
    assets: AssetTable,
    seq: u64,
}

impl Desk {
    pub fn new(settings: PaperSettings) -> Desk {
        Desk::with(settings, &card())
    }

    pub fn with(settings: PaperSettings, card: &MarketCard) -> Desk {
        let mut assets = AssetTable::new();
        assets.insert(MARKET, card);
        let mut venue = PaperVenue::new(settings);
        venue.learn(MARKET, card);
        let now = Time { mono_ns: Time::SECOND, wall_ns: START_S * Time::SECOND };
        Desk { venue, now, said: Vec::new(), assets, seq: 0 }
    }

    fn hear(&mut self) {
        while let Some(input) = self.venue.next_input() {
            self.said.push((self.now.mono_ns, input));
        }
    }

    /// Lets time pass, stopping wherever the venue has something to do.
    pub fn pass_ms(&mut self, ms: u64) {
        let until = self.now.plus_ns(ms * Time::MILLI);
        while let Some(due) = self.venue.next_due().filter(|due| *due <= until.mono_ns) {
            self.now = self.now.plus_ns(due.saturating_sub(self.now.mono_ns));
            self.venue.advance(self.now);
            self.hear();
        }
        self.now = until;
    }

    pub fn frame(&mut self, text: &str) {
        self.venue.frame(text.as_bytes(), self.now);
        self.hear();
    }

    pub fn book(&mut self, bids: &[(&str, &str)], asks: &[(&str, &str)]) {
        let ms = self.now.wall_ms();
        self.frame(&book_at(ms, bids, asks));
    }

    /// Levels of YES change: side, price, new size.
    pub fn change(&mut self, levels: &[(&str, &str, &str)]) {
        let ms = self.now.wall_ms();
        let change = |(side, price, size): &(&str, &str, &str)| {
            format!(r#"{{"asset_id":"111","price":"{price}","size":"{size}","side":"{side}","hash":""}}"#)
        };
        let changes: Vec<_> = levels.iter().map(change).collect();
        self.frame(&format!(
            r#"{{"market":"0xab","price_changes":[{}],"timestamp":"{ms}","event_type":"price_change"}}"#,
            changes.join(",")
        ));
    }

    pub fn trade(&mut self, token: &str, side: &str, price: &str, size: &str) {
        let ms = self.now.wall_ms();
        self.frame(&format!(
            r#"{{"market":"0xab","asset_id":"{token}","price":"{price}","size":"{size}","fee_rate_bps":"0","side":"{side}","timestamp":"{ms}","event_type":"last_trade_price"}}"#
        ));
    }

    pub fn act(&mut self, action: Action) -> ActionSeq {
        self.seq += 1;
        self.venue.act(ActionSeq(self.seq), &action, self.now);
        self.hear();
        ActionSeq(self.seq)
    }

    pub fn place(&mut self, order: PlaceOrder) -> ActionSeq {
        self.act(Action::Place(Box::new(order)))
    }

    pub fn result(&self, seq: ActionSeq) -> Option<&GatewayOutcome> {
        self.said.iter().find_map(|(_, input)| match input {
            PaperInput::Gateway(result) if result.action == seq => Some(&result.outcome),
            _ => None,
        })
    }

    pub fn placed(&self, seq: ActionSeq) -> &PlaceOutcome {
        match self.result(seq) {
            Some(GatewayOutcome::Place(outcome)) => outcome,
            other => panic!("no placement: {other:?}"),
        }
    }

    pub fn cancel(&mut self, order: &PlaceOrder) -> CancelOutcome {
        let seq = self.act(Action::Cancel { order: order.id, asset: order.asset });
        self.pass_ms(400);
        match self.result(seq) {
            Some(GatewayOutcome::Cancel(outcome)) => outcome.clone(),
            other => panic!("no cancel: {other:?}"),
        }
    }

    pub fn account(&mut self) -> AccountSnapshot {
        let assets = Outcome::BOTH.map(|outcome| MARKET.asset(outcome)).to_vec();
        let seq = self.act(Action::Fetch(FetchWhat::Account { trades_since_s: 0, assets }));
        self.pass_ms(400);
        match self.result(seq) {
            Some(GatewayOutcome::Account(Ok(account))) => account.clone(),
            other => panic!("no account: {other:?}"),
        }
    }

    /// Everything that was said on the user channel, decoded as the engine decodes it.
    pub fn news(&self) -> Vec<UserEvent> {
        let mut events = Vec::new();
        for (_, input) in &self.said {
            if let PaperInput::User(bytes) = input {
                let report = UserDecoder::new().decode(&self.assets, bytes, &mut events);
                assert_eq!((report.elements, report.undecodable, report.unknown_events), (1, 0, 0), "{report:?}");
            }
        }
        events
    }

    pub fn trades(&self, status: TradeStatus) -> Vec<AccountTrade> {
        let trade = |event| match event {
            UserEvent::Trade(trade) if trade.status == status => Some(trade),
            _ => None,
        };
        self.news().into_iter().filter_map(trade).collect()
    }

    /// The sizes of our fills so far, as reported when they were matched.
    pub fn fills(&self) -> Vec<String> {
        self.trades(TradeStatus::Matched).iter().map(|trade| trade.size.to_string()).collect()
    }
}

pub fn book_at(ms: u64, bids: &[(&str, &str)], asks: &[(&str, &str)]) -> String {
    let levels = |levels: &[(&str, &str)]| {
        let level = |(price, size): &(&str, &str)| format!(r#"{{"price":"{price}","size":"{size}"}}"#);
        levels.iter().map(level).collect::<Vec<_>>().join(",")
    };
    format!(
        r#"{{"event_type":"book","asset_id":"111","market":"0xab","bids":[{}],"asks":[{}],"timestamp":"{ms}","hash":""}}"#,
        levels(bids),
        levels(asks)
    )
}

pub fn order(number: u8, outcome: Outcome, side: Side, price: &str, size: &str) -> PlaceOrder {
    let maker = Address([9; 20]);
    let fields = OrderFields {
        salt: u64::from(number),
        maker,
        signer: maker,
        token: card().token(outcome),
        maker_amount: 0,
        taker_amount: 0,
        side,
        signature_type: SignatureType::Eoa,
        timestamp_ms: 0,
        metadata: [0; 32],
        builder: [0; 32],
    };
    PlaceOrder {
        id: OrderId([number; 32]),
        fields,
        exchange: ExchangeKind::Ctf,
        order_type: OrderType::Gtc,
        post_only: false,
        expiration_s: 0,
        asset: MARKET.asset(outcome),
        price: price.parse().expect("a price"),
        size: size.parse().expect("a size"),
        instance: InstanceId(0),
        intent: IntentId(0),
        deadline_mono_ns: u64::MAX,
    }
}

pub fn buy(number: u8, price: &str, size: &str) -> PlaceOrder {
    order(number, Outcome::Yes, Side::Buy, price, size)
}

pub fn sell(number: u8, price: &str, size: &str) -> PlaceOrder {
    order(number, Outcome::Yes, Side::Sell, price, size)
}
