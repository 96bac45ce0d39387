//! What simulated traders do when they act.

use std::collections::VecDeque;

use oddsmith_domain::{
    Address, MarketId, OrderFields, OrderId, OrderType, Outcome, Price, Shares, Side, SignatureType, Tick, Usdc,
};
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;

use crate::core::{AccountId, Core, KeyId, Nanos, PlaceRequest};

use super::process::normal;
use super::{PURSE, TraderSpec};

/// Pairs that a trader splits to have something to sell.
const STOCK: Usdc = Usdc::from_whole(200_000);
/// How many patient orders the noise traders leave in the book.
const PATIENT: usize = 6;

/// What a trader knows and feels when he acts.
pub(crate) struct Mood<'a> {
    pub(crate) truth: f64,
    pub(crate) traders: &'a TraderSpec,
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) now_ns: Nanos,
}

/// One simulated trader.
#[derive(Debug)]
struct Trader {
    key: KeyId,
    account: AccountId,
    address: Address,
    orders: VecDeque<OrderId>,
}

/// The traders of one market.
#[derive(Debug)]
pub(crate) struct Crowd {
    market: MarketId,
    makers: Vec<Trader>,
    noise: Trader,
    informed: Trader,
}

/// An order as a trader thinks of it.
#[derive(Clone, Copy, Debug)]
struct Thought {
    outcome: Outcome,
    side: Side,
    price: Price,
    size: Shares,
    order_type: OrderType,
    post_only: bool,
}

impl Trader {
    fn new(core: &mut Core, market: MarketId, now_ns: Nanos) -> Trader {
        let (key, account) = core.add_trader(PURSE);
        let address = core.account(account).map(|account| account.address).unwrap_or_default();
        let trader = Trader { key, account, address, orders: VecDeque::new() };
        trader.stock_up(core, market, now_ns);
        trader
    }

    fn stock_up(&self, core: &mut Core, market: MarketId, now_ns: Nanos) {
        // A purse of 250 times the stock runs out only after hundreds of windows; then the trader just cannot sell first.
        let _poor = core.split(self.account, market, STOCK, now_ns);
    }

    /// Places an order and remembers it while it rests. Refusals are part of a trader's life.
    fn place(&mut self, core: &mut Core, market: MarketId, thought: Thought, mood: &mut Mood<'_>) -> bool {
        let Some(token) = core.market(market).map(|market| market.tokens[thought.outcome.index()]) else {
            return false;
        };
        let mut id = [0u8; 32];
        mood.rng.fill_bytes(&mut id);
        let value = thought.size.cost_floor(thought.price).micros().unsigned_abs();
        let size = thought.size.micros().unsigned_abs();
        let (maker_amount, taker_amount) = if thought.side == Side::Buy { (value, size) } else { (size, value) };
        let request = PlaceRequest {
            id: OrderId(id),
            fields: OrderFields {
                salt: 0,
                maker: self.address,
                signer: self.address,
                token,
                maker_amount,
                taker_amount,
                side: thought.side,
                signature_type: SignatureType::Eoa,
                timestamp_ms: mood.now_ns / 1_000_000,
                metadata: [0; 32],
                builder: [0; 32],
            },
            order_type: thought.order_type,
            post_only: thought.post_only,
            expiration_s: 0,
        };
        let placed = core.place(self.key, &request, mood.now_ns).is_ok();
        if placed && thought.order_type.rests() {
            self.orders.push_back(request.id);
        }
        placed
    }

    fn cancel(&mut self, core: &mut Core, count: usize, now_ns: Nanos) {
        let ids: Vec<OrderId> = self.orders.drain(..count.min(self.orders.len())).collect();
        if !ids.is_empty() && core.cancel(self.key, &ids, now_ns).is_err() {
            // Cancels are off now; the orders are still there and are tried again next time.
            self.orders.extend(ids);
        }
    }

    /// The same exposure as a bid (or ask) for YES, in one of its two forms: the other outcome's opposite side.
    fn form(&self, ladder_buy: bool, yes: Price, mood: &mut Mood<'_>) -> (Outcome, Side, Price) {
        match (ladder_buy, mood.rng.random_bool(0.5)) {
            (true, true) => (Outcome::Yes, Side::Buy, yes),
            (true, false) => (Outcome::No, Side::Sell, yes.complement()),
            (false, true) => (Outcome::Yes, Side::Sell, yes),
            (false, false) => (Outcome::No, Side::Buy, yes.complement()),
        }
    }
}

impl Crowd {
    pub(crate) fn new(core: &mut Core, market: MarketId, traders: &TraderSpec, now_ns: Nanos) -> Crowd {
        let makers = (0..traders.makers).map(|_| Trader::new(core, market, now_ns)).collect();
        let noise = Trader::new(core, market, now_ns);
        let informed = Trader::new(core, market, now_ns);
        Crowd { market, makers, noise, informed }
    }

    fn everybody(&mut self) -> impl Iterator<Item = &mut Trader> {
        self.makers.iter_mut().chain([&mut self.noise, &mut self.informed])
    }

    /// Takes the winnings of a decided market.
    pub(crate) fn redeem(&mut self, core: &mut Core, market: MarketId, now_ns: Nanos) {
        for trader in self.everybody() {
            trader.orders.clear();
            // A market that is not decided cannot be redeemed; the shares stay where they are.
            let _nothing = core.redeem(trader.account, market, now_ns);
        }
    }

    /// Goes to another market.
    pub(crate) fn move_to(&mut self, core: &mut Core, market: MarketId, now_ns: Nanos) {
        self.market = market;
        for trader in self.everybody() {
            trader.stock_up(core, market, now_ns);
        }
    }

    /// A maker replaces its ladder by one around what it now believes.
    pub(crate) fn quote(&mut self, core: &mut Core, maker: usize, mood: &mut Mood<'_>) {
        let market = self.market;
        let (Some(trader), Some(tick)) = (self.makers.get_mut(maker), core.market(market).map(|m| m.tick)) else {
            return;
        };
        let all = trader.orders.len();
        trader.cancel(core, all, mood.now_ns);
        let belief = mood.truth + 0.2 * mood.traders.half_spread * normal(mood.rng);
        let step = f64::from(tick.units().max(50)) / 10_000.0;
        for level in 0..mood.traders.levels {
            let distance = mood.traders.half_spread * (1.0 + 0.3 * f64::from(maker as u32)) + step * f64::from(level);
            let size = lots(mood.traders.size * (1.0 + f64::from(level)) * mood.rng.random_range(0.5..1.5));
            for buys in [true, false] {
                let price = if buys { tick.floor(belief - distance) } else { tick.ceil(belief + distance) };
                let Some(price) = price else { continue };
                let (outcome, side, price) = trader.form(buys, price, mood);
                let thought = Thought { outcome, side, price, size, order_type: OrderType::Gtc, post_only: true };
                trader.place(core, market, thought, mood);
            }
        }
    }

    /// Somebody buys or sells because he feels like it: mostly at once, sometimes with patience.
    pub(crate) fn trade_for_no_reason(&mut self, core: &mut Core, mood: &mut Mood<'_>) {
        let Some((tick, bid, ask)) = top(core, self.market) else { return };
        let buys = mood.rng.random_bool(0.5);
        let (near, far) = if buys { (bid, ask) } else { (ask, bid) };
        let patient = mood.rng.random_bool(0.25);
        let size = lots(libm::exp(2.6 + 0.8 * normal(mood.rng)));
        if patient {
            // Join the own side, or improve it by one tick.
            let better = if mood.rng.random_bool(0.3) { i32::from(tick.units()) } else { 0 };
            let price = near.saturating_add_units(if buys { better } else { -better });
            if !tick.admits(price) {
                return;
            }
            let (outcome, side, price) = self.noise.form(buys, price, mood);
            let size = size.max(Shares::from_whole(5));
            let thought = Thought { outcome, side, price, size, order_type: OrderType::Gtc, post_only: true };
            self.noise.place(core, self.market, thought, mood);
            let surplus = self.noise.orders.len().saturating_sub(PATIENT);
            self.noise.cancel(core, surplus, mood.now_ns);
        } else {
            let slack = i32::from(tick.units()) * mood.rng.random_range(0..3);
            let price = clamp(tick, far.saturating_add_units(if buys { slack } else { -slack }));
            take(&mut self.noise, core, self.market, (buys, price, size), mood);
        }
    }

    /// Somebody who knows the true value takes a quote that is wrong by more than his edge.
    pub(crate) fn trade_on_knowledge(&mut self, core: &mut Core, mood: &mut Mood<'_>) {
        let Some((tick, bid, ask)) = top(core, self.market) else { return };
        let edge = mood.traders.informed_edge;
        let size = lots(mood.traders.size * mood.rng.random_range(0.3..1.2));
        if mood.truth - ask.to_f64() > edge {
            if let Some(price) = tick.floor(mood.truth - edge) {
                take(&mut self.informed, core, self.market, (true, price, size), mood);
            }
        } else if bid.to_f64() - mood.truth > edge
            && let Some(price) = tick.ceil(mood.truth + edge)
        {
            take(&mut self.informed, core, self.market, (false, price, size), mood);
        }
    }
}

/// Takes what is there up to a price in YES terms.
fn take(
    trader: &mut Trader,
    core: &mut Core,
    market: MarketId,
    (buys, price, size): (bool, Price, Shares),
    mood: &mut Mood<'_>,
) {
    let (outcome, side, price) = trader.form(buys, price, mood);
    // The venue does not match less than a dollar's worth.
    let mut size = size.max(Usdc::from_whole(2).affords(price));
    let by_value = mood.traders.by_value;
    if side == Side::Buy && by_value > 0.0 && mood.rng.random_bool(by_value) {
        size = for_value(size.cost_ceil(price), price);
    }
    let thought = Thought { outcome, side, price, size, order_type: OrderType::Fak, post_only: false };
    trader.place(core, market, thought, mood);
}

/// The shares that whole cents buy, cut as a client cuts them (protocol 4.3): to two decimals more than the price may have.
fn for_value(value: Usdc, price: Price) -> Shares {
    let cents = value.micros() - value.micros() % 10_000;
    let units = i64::from(price.units()).max(1);
    let exact = cents.saturating_mul(i64::from(Price::ONE.units())) / units;
    let step = if price.units().is_multiple_of(100) { 100 } else { 10 };
    Shares::from_micros(exact - exact % step)
}

/// The grid and the top of the YES book; the ends of the grid where a side is empty. `None` while no orders are taken.
fn top(core: &Core, market: MarketId) -> Option<(Tick, Price, Price)> {
    let market = core.market(market).filter(|market| market.accepts_orders())?;
    let bid = market.best(Outcome::Yes, Side::Buy).unwrap_or(market.tick.min_price());
    let ask = market.best(Outcome::Yes, Side::Sell).unwrap_or(market.tick.max_price());
    Some((market.tick, bid, ask))
}

fn clamp(tick: Tick, price: Price) -> Price {
    price.clamp(tick.min_price(), tick.max_price())
}

/// Shares in whole lots, at least one share.
fn lots(shares: f64) -> Shares {
    let hundredths = if shares.is_finite() { (shares * 100.0).clamp(100.0, 1e9) } else { 100.0 };
    Shares::from_micros(hundredths as i64 * Shares::LOT.micros())
}
