//! A small exchange to try things on: orders by words, balances by names.
#![allow(dead_code, reason = "each test file uses its own part")]

use oddsmith_domain::{
    Address, MarketId, OrderFields, OrderId, OrderType, Outcome, Price, Shares, Side, SignatureType, Usdc,
};
use oddsmith_exchange::core::{
    AccountId, Config, Core, CoreEvent, KNOWN_ADDRESSES, KeyId, MarketSpec, PlaceRequest, Placed, PublicEvent, Refusal,
};

pub const START: u64 = 1_790_000_000_000_000_000;
pub const MS: u64 = 1_000_000;
pub const S: u64 = 1_000_000_000;

pub struct Desk {
    pub core: Core,
    pub market: MarketId,
    pub now: u64,
    keys: Vec<KeyId>,
    next: u64,
}

/// An order in words.
#[derive(Clone, Copy, Debug)]
pub struct Want {
    pub who: usize,
    pub outcome: Outcome,
    pub side: Side,
    pub price: Price,
    pub size: Shares,
    pub order_type: OrderType,
    pub post_only: bool,
    pub expiration_s: u64,
}

pub fn price(text: &str) -> Price {
    text.parse().expect("a price")
}

pub fn shares(text: &str) -> Shares {
    text.parse().expect("shares")
}

pub fn usdc(text: &str) -> Usdc {
    text.parse().expect("dollars")
}

/// `want(0, "BUY YES 10 @ 0.57")`, resting until cancelled.
pub fn want(who: usize, words: &str) -> Want {
    let mut words = words.split(' ');
    let mut next = || words.next().expect("SIDE OUTCOME SIZE @ PRICE");
    let side = if next() == "BUY" { Side::Buy } else { Side::Sell };
    let outcome = if next() == "YES" { Outcome::Yes } else { Outcome::No };
    let size = shares(next());
    assert_eq!(next(), "@");
    let price = price(next());
    Want { who, outcome, side, price, size, order_type: OrderType::Gtc, post_only: false, expiration_s: 0 }
}

impl Want {
    pub fn kind(self, order_type: OrderType) -> Want {
        Want { order_type, ..self }
    }

    pub fn post_only(self) -> Want {
        Want { post_only: true, ..self }
    }

    pub fn until(self, expiration_s: u64) -> Want {
        Want { order_type: OrderType::Gtd, expiration_s, ..self }
    }
}

impl Desk {
    pub fn new() -> Desk {
        Desk::with(Config::default(), MarketSpec::ordinary("quiet-test", "Is it a test?"))
    }

    pub fn with(config: Config, spec: MarketSpec) -> Desk {
        let mut core = Core::new(config, 7, START);
        let market = core.list_market(spec, START);
        let keys = KNOWN_ADDRESSES
            .iter()
            .map(|text| core.create_key(Address::parse(text).expect("an address"), 0).expect("a first key"))
            .collect();
        let mut desk = Desk { core, market, now: START, keys, next: 0 };
        desk.events();
        desk
    }

    pub fn key(&self, who: usize) -> KeyId {
        self.keys[who]
    }

    pub fn address(who: usize) -> Address {
        Address::parse(KNOWN_ADDRESSES[who]).expect("an address")
    }

    pub fn account(&self, who: usize) -> AccountId {
        self.core.account_at(&Desk::address(who)).expect("an account")
    }

    pub fn request(&mut self, want: Want) -> PlaceRequest {
        self.next += 1;
        let mut id = [0u8; 32];
        id[24..].copy_from_slice(&self.next.to_be_bytes());
        let value = want.size.cost_floor(want.price).micros() as u64;
        let size = want.size.micros() as u64;
        let (maker_amount, taker_amount) = if want.side == Side::Buy { (value, size) } else { (size, value) };
        let token = self.core.market(self.market).expect("a market").tokens[want.outcome.index()];
        let address = Desk::address(want.who);
        PlaceRequest {
            id: OrderId(id),
            fields: OrderFields {
                salt: self.next,
                maker: address,
                signer: address,
                token,
                maker_amount,
                taker_amount,
                side: want.side,
                signature_type: SignatureType::Eoa,
                timestamp_ms: self.now / MS,
                metadata: [0; 32],
                builder: [0; 32],
            },
            order_type: want.order_type,
            post_only: want.post_only,
            expiration_s: want.expiration_s,
        }
    }

    pub fn place(&mut self, want: Want) -> Result<Placed, Refusal> {
        let request = self.request(want);
        self.core.place(self.key(want.who), &request, self.now)
    }

    pub fn put(&mut self, who: usize, words: &str) -> Placed {
        self.place(want(who, words)).unwrap_or_else(|refusal| panic!("{words}: {}", refusal.text()))
    }

    pub fn wait(&mut self, ns: u64) {
        self.now += ns;
        self.core.advance(self.now);
    }

    pub fn split(&mut self, who: usize, dollars: &str) {
        let account = self.account(who);
        self.core.split(account, self.market, usdc(dollars), self.now).expect("money to split");
    }

    pub fn cash(&self, who: usize) -> Usdc {
        self.core.account(self.account(who)).expect("an account").collateral
    }

    pub fn tokens(&self, who: usize, outcome: Outcome) -> Shares {
        self.core.account(self.account(who)).expect("an account").holding(self.market.asset(outcome)).settled
    }

    pub fn events(&mut self) -> Vec<CoreEvent> {
        let mut events = Vec::new();
        self.core.drain_events(&mut events);
        events
    }

    pub fn public(&mut self) -> Vec<PublicEvent> {
        let public = |event| if let CoreEvent::Public(event) = event { Some(event) } else { None };
        self.events().into_iter().filter_map(public).collect()
    }

    /// The levels of a token as text, best first.
    pub fn ladder(&self, outcome: Outcome, side: Side) -> Vec<String> {
        let market = self.core.market(self.market).expect("a market");
        market.levels(outcome, side).map(|(price, size)| format!("{size}@{price}")).collect()
    }
}
