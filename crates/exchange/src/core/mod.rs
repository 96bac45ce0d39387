//! The exchange itself: accounts, books, matching, settlement and the life of markets, as one pure state machine.
//!
//! [`Core`] owns all state. Requests and the time go in, replies and [`CoreEvent`]s come out; the same requests at the same
//! times with the same seed give the same events. It never opens a socket, reads a clock, checks a signature or speaks JSON
//! beyond the texts that the book hash covers.
//!
//! Time is one number, nanoseconds since the Unix epoch, and never goes back: an earlier time counts as the latest one.
//!
//! # Rounding
//!
//! Prices are on the 0.0001 grid and shares in millionths, so a fill of whole 0.01 lots is exact to the millionth. For
//! finer fills the maker's collateral is `floor(shares * price)`, whether it pays or receives; the taker pays or receives
//! the same in a complementary fill, and `shares` less that in a mint or a merge. Nothing is created or lost by rounding.

mod account;
mod actions;
mod book;
mod cancel;
mod config;
mod event;
mod heartbeat;
mod keys;
mod life;
mod market;
mod matching;
mod order;
mod place;
mod publish;
mod query;
mod rates;
mod settle;
mod timer;
mod trade;
mod wallets;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use oddsmith_domain::{Address, AssetId, ConditionId, MarketId, OrderId, SignatureType, TokenId, TradeId};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use account::{Account, AccountId, Allowance, Holding, KeyId, UserId};
pub use actions::ActionError;
pub use book::{BookSnapshot, last_trade_text};
pub use config::{Config, DelayReply, MinSizeUnit, SelfFill, Settlement, UsableAt};
pub use event::{CoreEvent, LevelDelta, OrderChange, OrderEvent, PublicEvent, TradeEvent};
pub use keys::{ApiKey, KeyKind};
pub use life::Mode;
pub use market::{LastTrade, Market, MarketSpec, MarketState};
pub use order::{CancelReason, CancelReply, Order, OrderStatus, PlaceRequest, Placed, PlacedStatus, Refusal};
pub use rates::{RateReply, RateUse};
pub use trade::{FillKind, Leg, Trade, TradeState};
pub use wallets::{KNOWN_ADDRESSES, KNOWN_SECRETS, wallet_of};

use book::Slot;
use keys::KeyRing;
use publish::Touch;
use timer::Timers;

/// A moment, or a span, in nanoseconds; moments count from the Unix epoch.
pub type Nanos = u64;

const MILLI: Nanos = 1_000_000;
const SECOND: Nanos = 1_000_000_000;

/// A person as the exchange knows one.
#[derive(Clone, Debug)]
struct User {
    address: Address,
    internal: bool,
    banned: bool,
    closed_only: bool,
    rates: rates::Rates,
    /// Open orders by sequence.
    open: BTreeMap<u64, Slot>,
    /// Finished orders and trades, oldest first, while they are remembered.
    trades: VecDeque<u64>,
}

/// The exchange.
#[derive(Debug)]
pub struct Core {
    config: Config,
    seed: u64,
    now_ns: Nanos,
    sequence: u64,
    /// Draws ids. Nothing that depends on requests draws from it twice.
    ids: ChaCha8Rng,
    keys: KeyRing,
    users: Vec<User>,
    user_by_address: BTreeMap<Address, UserId>,
    accounts: Vec<Account>,
    account_by_address: BTreeMap<Address, AccountId>,
    account_open: Vec<BTreeMap<u64, Slot>>,
    markets: Vec<Market>,
    market_by_condition: BTreeMap<ConditionId, MarketId>,
    market_by_token: BTreeMap<TokenId, AssetId>,
    market_by_slug: BTreeMap<String, MarketId>,
    event_ids: BTreeMap<String, String>,
    orders: Vec<Option<Order>>,
    free_slots: Vec<Slot>,
    order_by_id: BTreeMap<OrderId, Slot>,
    finished_orders: VecDeque<OrderId>,
    trades: BTreeMap<u64, Arc<Trade>>,
    trade_by_id: BTreeMap<TradeId, u64>,
    finished_trades: VecDeque<u64>,
    timers: Timers,
    events: Vec<CoreEvent>,
    touched: Vec<Touch>,
    mode: Mode,
    settlements: VecDeque<Settlement>,
    switches: BTreeMap<KeyId, heartbeat::Switch>,
    fees: oddsmith_domain::Usdc,
}

impl Core {
    /// A new exchange at a time, with the ten known accounts funded and no market.
    #[must_use]
    pub fn new(config: Config, seed: u64, now_ns: Nanos) -> Core {
        let mut core = Core {
            config,
            seed,
            now_ns,
            sequence: 0,
            ids: ChaCha8Rng::seed_from_u64(seed),
            keys: KeyRing::default(),
            users: Vec::new(),
            user_by_address: BTreeMap::new(),
            accounts: Vec::new(),
            account_by_address: BTreeMap::new(),
            account_open: Vec::new(),
            markets: Vec::new(),
            market_by_condition: BTreeMap::new(),
            market_by_token: BTreeMap::new(),
            market_by_slug: BTreeMap::new(),
            event_ids: BTreeMap::new(),
            orders: Vec::new(),
            free_slots: Vec::new(),
            order_by_id: BTreeMap::new(),
            finished_orders: VecDeque::new(),
            trades: BTreeMap::new(),
            trade_by_id: BTreeMap::new(),
            finished_trades: VecDeque::new(),
            timers: Timers::default(),
            events: Vec::new(),
            touched: Vec::new(),
            mode: Mode::Normal,
            settlements: VecDeque::new(),
            switches: BTreeMap::new(),
            fees: oddsmith_domain::Usdc::ZERO,
        };
        for text in KNOWN_ADDRESSES {
            let address = Address::parse(text).expect("a constant address");
            let user = core.user(address);
            core.wallet(user, address, SignatureType::Eoa);
        }
        core
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The latest time that was seen.
    #[must_use]
    pub fn now_ns(&self) -> Nanos {
        self.now_ns
    }

    fn now_ms(&self) -> u64 {
        self.now_ns / MILLI
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Moves everything that has happened since the last call to `out`, in order.
    pub fn drain_events(&mut self, out: &mut Vec<CoreEvent>) {
        out.append(&mut self.events);
    }

    /// The number of the person behind a signing address; made up when new.
    fn user(&mut self, address: Address) -> UserId {
        if let Some(user) = self.user_by_address.get(&address) {
            return *user;
        }
        let id = UserId(self.users.len() as u32);
        self.users.push(User {
            address,
            internal: false,
            banned: false,
            closed_only: false,
            rates: rates::Rates::default(),
            open: BTreeMap::new(),
            trades: VecDeque::new(),
        });
        self.user_by_address.insert(address, id);
        id
    }

    /// The account of a user at an address; made, and for the known accounts funded, when it first appears.
    fn wallet(&mut self, user: UserId, address: Address, kind: SignatureType) -> AccountId {
        if let Some(account) = self.account_by_address.get(&address) {
            return *account;
        }
        let id = AccountId(self.accounts.len() as u32);
        let mut account = Account::new(address, user, kind);
        let known = self.users.get(user.0 as usize).is_some_and(|u| {
            KNOWN_ADDRESSES.iter().any(|text| Address::parse(text).is_ok_and(|known| known == u.address))
        });
        if known {
            account.collateral = self.config.grant;
        }
        self.accounts.push(account);
        self.account_open.push(BTreeMap::new());
        self.account_by_address.insert(address, id);
        id
    }

    fn market_mut(&mut self, market: MarketId) -> Option<&mut Market> {
        self.markets.get_mut(market.index())
    }

    fn account_mut(&mut self, account: AccountId) -> &mut Account {
        // Account numbers are only made by `wallet`, and accounts are never removed.
        &mut self.accounts[account.0 as usize]
    }

    fn is_internal(&self, user: UserId) -> bool {
        self.users.get(user.0 as usize).is_some_and(|u| u.internal)
    }

    fn order_at(&self, slot: Slot) -> Option<&Order> {
        self.orders.get(slot as usize).and_then(Option::as_ref)
    }
}
