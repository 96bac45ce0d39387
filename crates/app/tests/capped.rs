//! `oddsmith run` with real orders and low limits: the caps hold at the venue, by the venue's own account.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oddsmith_domain::{AccountTrade, Activity, Address, AssetId, MarketId, OrderId, Outcome, Shares, Side, Usdc};
use oddsmith_exchange::core::KNOWN_SECRETS;
use oddsmith_exchange::scenario::Scenario;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_net::Venue;
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::order::Signer;
use support::live::{account, assert_replays, cards, venue_flags};
use support::oddsmith;

const ORDER_SHARES: i64 = 10;
const ORDER_USDC: i64 = 5;
const POSITION_SHARES: i64 = 15;
const NET_SHARES: i64 = 12;

/// The most orders that may be open at once.
#[derive(Clone, Copy, Debug, Default)]
struct Orders {
    market: usize,
    wallet: usize,
}

/// Three lively markets.
fn exchange() -> Running {
    let market = |slug: &str| {
        format!(
            "  - slug: {slug}\n    fee: {{ rate: 0.05 }}\n    process: {{ opinion: {{ start: 0.5, volatility: 0.01, pull: 0.05 }} }}\n    \
             traders: {{ noise_rate: 8.0, maker_rate: 2.0, half_spread: 0.03 }}\n"
        )
    };
    let scenario = format!("markets:\n{}{}{}", market("rain"), market("snow"), market("wind"));
    let scenario = Scenario::parse(&scenario).expect("a valid scenario");
    Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("an exchange")
}

/// A maker who wants ten times what it may.
fn settings(orders: Orders) -> Vec<String> {
    let limits = [
        ("max_order_shares", ORDER_SHARES.to_string()),
        ("max_order_usdc", ORDER_USDC.to_string()),
        ("max_position_shares", POSITION_SHARES.to_string()),
        ("max_net_shares", NET_SHARES.to_string()),
        ("max_open_orders", orders.market.to_string()),
        ("max_wallet_orders", orders.wallet.to_string()),
    ];
    let limits = limits.iter().map(|(name, value)| format!("engine.limits.{name}={value}"));
    let strategy = ["base_usdc=50", "target_spread=0.02", "max_net_shares=500", "toxic_notional_usdc=100000"];
    let strategy = strategy.map(|set| format!("engine.instances.0.strategy.skewed_maker.{set}"));
    let patience = ["wallet_cooldown_ms=300", "caution_ms=300"].map(|set| format!("engine.timing.{set}"));
    limits.chain(strategy).chain(patience).flat_map(|set| ["--set".to_owned(), set]).collect()
}

/// What the venue has shown of the account so far.
#[derive(Default)]
struct Seen {
    caps: Orders,
    looks: u32,
    /// Tokens by all matches.
    held: BTreeMap<AssetId, Shares>,
    counted: BTreeSet<String>,
    largest: Shares,
    furthest: Shares,
    most_orders: usize,
}

/// Our parts of a match: token, side and size.
fn parts(trade: &AccountTrade, account: Address) -> Vec<(AssetId, Side, Shares)> {
    let makers = trade.legs.iter().filter(|leg| leg.maker == account);
    let mut parts: Vec<_> = makers.map(|leg| (leg.asset.expect("a known token"), leg.side, leg.size)).collect();
    if trade.we_take {
        parts.push((trade.asset.expect("a known token"), trade.side, trade.size));
    }
    parts
}

impl Seen {
    /// One look at the account, if nothing was matched and no order came or went in the middle of it.
    fn look(&mut self, venue: &mut Venue, table: &AssetTable, account: Address) {
        let mut read = || venue.activity(table, 0).expect("the account");
        let orders = |activity: &Activity| -> BTreeMap<OrderId, Shares> {
            activity.orders.iter().map(|order| (order.id, order.size_matched)).collect()
        };
        let (first, then) = (read(), read());
        if first.trades.len() != then.trades.len() || orders(&first) != orders(&then) {
            return;
        }
        self.looks += 1;
        for trade in &then.trades {
            if self.counted.insert(trade.id.as_str().to_owned()) {
                for (asset, side, size) in parts(trade, account) {
                    let held = self.held.entry(asset).or_default();
                    *held += if side == Side::Buy { size } else { -size };
                }
            }
        }
        self.check(&then);
    }

    fn check(&mut self, activity: &Activity) {
        let mut by_market: BTreeMap<MarketId, Vec<_>> = BTreeMap::new();
        for order in &activity.orders {
            let asset = order.asset.expect("a known token");
            by_market.entry(asset.market()).or_default().push((asset.outcome(), order));
            let paid = if order.side == Side::Buy { order.price } else { order.price.complement() };
            assert!(order.original_size <= Shares::from_whole(ORDER_SHARES), "{order:?}");
            assert!(order.original_size.cost_ceil(paid) <= Usdc::from_whole(ORDER_USDC), "{order:?}");
            self.largest = self.largest.max(order.original_size);
        }
        assert!(activity.orders.len() <= self.caps.wallet, "{:?}", activity.orders);
        self.most_orders = self.most_orders.max(activity.orders.len());
        let held = |asset: AssetId| self.held.get(&asset).copied().unwrap_or_default();
        for market in (0..3).map(MarketId) {
            let open = by_market.remove(&market).unwrap_or_default();
            assert!(open.len() <= self.caps.market, "{open:?}");
            let [yes, no] = Outcome::BOTH.map(|outcome| held(market.asset(outcome)));
            // Every way in which what is open can fill.
            let (mut worst, mut up, mut down) = ([yes, no], yes - no, yes - no);
            for (outcome, order) in open {
                let left = order.original_size - order.size_matched;
                match (outcome, order.side) {
                    (Outcome::Yes, Side::Buy) | (Outcome::No, Side::Sell) => up += left,
                    (Outcome::No, Side::Buy) | (Outcome::Yes, Side::Sell) => down -= left,
                }
                if order.side == Side::Buy {
                    worst[outcome.index()] += left;
                }
            }
            assert!(worst.iter().all(|held| *held <= Shares::from_whole(POSITION_SHARES)), "{worst:?} in {market:?}");
            let net = up.max(-down);
            assert!(net <= Shares::from_whole(NET_SHARES), "{net} net in {market:?}");
            self.furthest = self.furthest.max((yes - no).abs());
        }
    }
}

/// Runs for a while, and holds every look at the venue's account against the caps. What the run was denied, by its codes.
fn held_back(caps: Orders) -> String {
    let (exchange, data) = (exchange(), support::data());
    let trader = Signer::from_hex(KNOWN_SECRETS[0]).expect("a key").address();
    let mut table = AssetTable::new();
    for (market, card) in (0u32..).map(MarketId).zip(&cards(&exchange)) {
        table.insert(market, card);
    }
    let mut venue = account(&exchange);
    let arguments: Vec<String> = ["run", "--for", "20s", "--status", "0"]
        .map(str::to_owned)
        .into_iter()
        .chain(venue_flags(&exchange))
        .chain(settings(caps))
        .collect();
    let folder = data.path().to_owned();
    let run = std::thread::spawn(move || oddsmith(&folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>()));
    let mut seen = Seen { caps, ..Seen::default() };
    while !run.is_finished() {
        seen.look(&mut venue, &table, trader);
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = run.join().expect("it ran");
    assert_eq!(ran.code, 0, "{ran:?}");
    let (wallet, address) = (trader.to_string(), format!("http://{}", exchange.addr()));
    let limits = format!("order {ORDER_SHARES} shares and {ORDER_USDC} dollars");
    for part in ["LIVE: real orders are sent", wallet.as_str(), address.as_str(), limits.as_str(), "total loss 1000"] {
        assert!(ran.err.contains(part), "{part} in {}", ran.err);
    }
    let left = venue.activity(&table, 0).expect("the account");
    assert!(left.orders.is_empty(), "{:?}", left.orders);
    seen.check(&left);
    // It was held back, and not merely modest.
    assert!(seen.looks > 50, "{} looks", seen.looks);
    assert!(seen.largest > Shares::from_whole(ORDER_SHARES - 2), "{} was the largest order", seen.largest);
    assert_eq!(seen.most_orders, caps.wallet);
    assert!(seen.furthest.is_positive(), "nothing was held at any look");
    assert_replays(data.path());
    let audit = oddsmith(data.path(), &["audit", "latest"]);
    assert_eq!(audit.code, 0, "{}{}", audit.out, audit.err);
    oddsmith(data.path(), &["journal", "cat", "latest", "--kind", "event.denied"]).out
}

#[test]
fn the_caps_of_a_live_run_hold_at_the_venue() {
    let denied = held_back(Orders { market: 2, wallet: 3 });
    assert!(denied.contains("\"wallet_orders\""), "{denied}");
    assert!(denied.contains("\"position\"") || denied.contains("\"net_position\""), "{denied}");
}

#[test]
fn one_order_in_each_market_and_two_in_all_is_what_the_venue_sees() {
    let denied = held_back(Orders { market: 1, wallet: 2 });
    for code in ["\"open_orders\"", "\"wallet_orders\""] {
        assert!(denied.contains(code), "{code} in {denied}");
    }
}
