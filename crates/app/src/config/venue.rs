//! Where orders go: the part of the configuration that speaks of the venue, and what it means for the edge.

use oddsmith_domain::{Address, Payer, SignatureType, Usdc};
use oddsmith_exchange::core::wallet_of;
use oddsmith_net::EdgeSettings;
use oddsmith_polymarket::Tier;
use oddsmith_polymarket::discovery::{DiscoverySettings, Ruled};
use oddsmith_polymarket::session::{OutboxSettings, SessionSettings};
use serde::{Deserialize, Serialize};

/// Whether orders are real.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Market data from the venue, orders to one that exists on paper.
    #[default]
    Paper,
    /// Orders to the venue. The command line must say so too.
    Live,
}

/// Where orders go. Without addresses, the built-in exchange is started and used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Venue {
    /// Whether orders to the addresses below are real: `paper` or `live`. On the built-in exchange all orders are its own.
    pub mode: Mode,
    /// Address of the REST interface, `http://127.0.0.1:PORT`. This machine only, until paper and live trading are built.
    pub rest: Option<String>,
    /// Address of the market channel, `ws://127.0.0.1:PORT/ws/market`.
    pub market_socket: Option<String>,
    /// Address of the user channel, `ws://127.0.0.1:PORT/ws/user`.
    pub user_socket: Option<String>,
    /// Address of Gamma, where markets are found; `/gamma` behind `rest` if there is none.
    pub gamma: Option<String>,
    /// Which of the exchange's ten known accounts trades. 0 … 9.
    pub account: u8,
    /// How orders are signed: `eoa`, `proxy`, `safe` or `poly1271`.
    pub signature_type: SignatureType,
    /// The account that pays; derived from the key if there is none. Only `poly1271` can name another.
    pub funder: Option<Address>,
    /// Which markets are found.
    pub discovery: Discovery,
    /// How much may be sent.
    pub rates: Rates,
    /// How long requests wait.
    pub requests: Requests,
    /// How connections are kept.
    pub sessions: Sessions,
}

/// Which markets are found during a run, besides that an instance must name them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Discovery {
    /// Between two looks at the venue's list; half a minute, or five minutes if some instance chooses its markets by a rule, if not
    /// given. 1000 … 3600000.
    pub every_ms: Option<u64>,
    /// Gamma's numbers of tags: only markets with one of them.
    pub tags: Vec<String>,
    /// Only markets that end within this time, in seconds. 60 … 31536000.
    pub end_within_s: Option<u64>,
    /// Only markets with at least this volume.
    pub min_volume_usdc: Option<Usdc>,
    /// Only markets with at least this in their books.
    pub min_liquidity_usdc: Option<Usdc>,
    /// The most markets that are followed at once. 1 … 10000.
    pub max_markets: u64,
}

/// Between two looks at the list: by slug, and by rules, which need the whole of it.
const LOOKED_MS: u64 = 30_000;
const CHOSEN_MS: u64 = 300_000;
/// What is looked at beyond the last end that a rule allows: its margin, and the time until the next look.
const BEYOND_S: u64 = 7_200;

/// Within which time all markets end that can be wanted, if there is one: later pages need not be read.
fn end_within(patterns: &[String], rules: &[Ruled]) -> Option<u64> {
    let latest = rules.iter().map(|ruled| ruled.rule.max_to_close_s).try_fold(0, |most, one| Some(one?.max(most)))?;
    let every_market_is_ruled = patterns.is_empty() && !rules.is_empty();
    every_market_is_ruled.then(|| latest.saturating_add(latest / 2).saturating_add(BEYOND_S))
}

impl Default for Discovery {
    fn default() -> Discovery {
        Discovery {
            every_ms: None,
            tags: Vec::new(),
            end_within_s: None,
            min_volume_usdc: None,
            min_liquidity_usdc: None,
            max_markets: 100,
        }
    }
}

/// How much may be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// The wallet's tier.
    pub tier: Tier,
    /// How much of each burst stays unused, because requests do not arrive as evenly as they leave. 0 … 20.
    pub margin: u32,
    /// No order is placed while fewer cancels than this are left. 0 … 100.
    pub cancel_reserve: u32,
    /// Orders of one request. 1 … 15.
    pub place_batch: u64,
    /// Cancels of one request. 1 … 1000.
    pub cancel_batch: u64,
    /// Orders that may wait. 1 … 1000.
    pub queued_orders: u64,
    /// Other requests that may wait. 10 … 10000.
    pub queued_requests: u64,
}

impl Default for Rates {
    fn default() -> Rates {
        let base = OutboxSettings::default();
        Rates {
            tier: Tier::Standard,
            margin: 2,
            cancel_reserve: base.cancel_reserve,
            place_batch: base.place_batch as u64,
            cancel_batch: base.cancel_batch as u64,
            queued_orders: base.max_queued_placements as u64,
            queued_requests: base.max_queued as u64,
        }
    }
}

/// How long requests wait, and how many connections carry them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Requests {
    /// Connections for orders, queries and heartbeats. 1 … 32.
    pub order_connections: u64,
    /// Connections that only cancels use. 1 … 16.
    pub cancel_connections: u64,
    /// From writing an order to its answer. 100 … 60000.
    pub place_timeout_ms: u64,
    /// From writing any other request to its answer. 100 … 60000.
    pub request_timeout_ms: u64,
    /// The longest wait of a request for the wire. 100 … 60000.
    pub queue_limit_ms: u64,
    /// For a read on the side, all of its pages. 1000 … 120000.
    pub fetch_timeout_ms: u64,
    /// For one connection, handshake or page on the side. 100 … 60000.
    pub side_timeout_ms: u64,
    /// How long an order is remembered, so that it is never sent twice. 10000 … 3600000.
    pub remember_ms: u64,
    /// Between two questions for the venue's protocol version. 1000 … 3600000.
    pub protocol_every_ms: u64,
}

impl Default for Requests {
    fn default() -> Requests {
        let base = OutboxSettings::default();
        Requests {
            order_connections: 4,
            cancel_connections: 2,
            place_timeout_ms: base.place_timeout_ms,
            request_timeout_ms: base.request_timeout_ms,
            queue_limit_ms: base.queue_limit_ms,
            fetch_timeout_ms: base.fetch_timeout_ms,
            side_timeout_ms: 5_000,
            remember_ms: base.remember_ms,
            protocol_every_ms: 60_000,
        }
    }
}

/// How connections are kept, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    /// Between two PINGs. 500 … 60000.
    pub ping_every_ms: u64,
    /// From a PING to the latest PONG. 500 … 60000.
    pub pong_limit_ms: u64,
    /// From the wish to connect to a connection. 500 … 60000.
    pub connect_limit_ms: u64,
    /// From a subscription to each of its snapshots; later it is read by REST. 100 … 60000.
    pub snapshot_limit_ms: u64,
    /// A connection that lived this long was healthy: waiting begins anew. 1000 … 3600000.
    pub healthy_after_ms: u64,
    /// The shortest pause in the data that can be suspicious. 500 … 600000.
    pub silence_floor_ms: u64,
    /// The longest pause in the data that is not suspicious. 1000 … 3600000.
    pub silence_cap_ms: u64,
    /// From suspicious silence to a new connection. 100 … 600000.
    pub silence_grace_ms: u64,
    /// The longest wait between two attempts to connect. 1000 … 600000.
    pub backoff_cap_ms: u64,
}

impl Default for Sessions {
    fn default() -> Sessions {
        let base = SessionSettings::default();
        Sessions {
            ping_every_ms: base.ping_every_ms,
            pong_limit_ms: base.pong_limit_ms,
            connect_limit_ms: base.connect_limit_ms,
            snapshot_limit_ms: base.snapshot_limit_ms,
            healthy_after_ms: base.healthy_after_ms,
            silence_floor_ms: base.silence_floor_ms,
            silence_cap_ms: base.silence_cap_ms,
            silence_grace_ms: base.silence_grace_ms,
            backoff_cap_ms: base.backoff_cap_ms,
        }
    }
}

impl Venue {
    /// Whether the built-in exchange is meant.
    pub const fn is_built_in(&self) -> bool {
        self.rest.is_none() && self.market_socket.is_none() && self.user_socket.is_none()
    }

    /// Checks what the types alone do not: the key that is wrong, and why.
    pub fn validate(&self) -> Result<(), (String, String)> {
        let (d, r, q, s) = (&self.discovery, &self.rates, &self.requests, &self.sessions);
        let rows = [
            ("account", u64::from(self.account), 0, 9),
            ("discovery.every_ms", d.every_ms.unwrap_or(1_000), 1_000, 3_600_000),
            ("discovery.end_within_s", d.end_within_s.unwrap_or(60), 60, 31_536_000),
            ("discovery.max_markets", d.max_markets, 1, 10_000),
            ("rates.margin", u64::from(r.margin), 0, 20),
            ("rates.cancel_reserve", u64::from(r.cancel_reserve), 0, 100),
            ("rates.place_batch", r.place_batch, 1, 15),
            ("rates.cancel_batch", r.cancel_batch, 1, 1_000),
            ("rates.queued_orders", r.queued_orders, 1, 1_000),
            ("rates.queued_requests", r.queued_requests, 10, 10_000),
            ("requests.order_connections", q.order_connections, 1, 32),
            ("requests.cancel_connections", q.cancel_connections, 1, 16),
            ("requests.place_timeout_ms", q.place_timeout_ms, 100, 60_000),
            ("requests.request_timeout_ms", q.request_timeout_ms, 100, 60_000),
            ("requests.queue_limit_ms", q.queue_limit_ms, 100, 60_000),
            ("requests.fetch_timeout_ms", q.fetch_timeout_ms, 1_000, 120_000),
            ("requests.side_timeout_ms", q.side_timeout_ms, 100, 60_000),
            ("requests.remember_ms", q.remember_ms, 10_000, 3_600_000),
            ("requests.protocol_every_ms", q.protocol_every_ms, 1_000, 3_600_000),
            ("sessions.ping_every_ms", s.ping_every_ms, 500, 60_000),
            ("sessions.pong_limit_ms", s.pong_limit_ms, 500, 60_000),
            ("sessions.connect_limit_ms", s.connect_limit_ms, 500, 60_000),
            ("sessions.snapshot_limit_ms", s.snapshot_limit_ms, 100, 60_000),
            ("sessions.healthy_after_ms", s.healthy_after_ms, 1_000, 3_600_000),
            ("sessions.silence_floor_ms", s.silence_floor_ms, 500, 600_000),
            ("sessions.silence_cap_ms", s.silence_cap_ms, 1_000, 3_600_000),
            ("sessions.silence_grace_ms", s.silence_grace_ms, 100, 600_000),
            ("sessions.backoff_cap_ms", s.backoff_cap_ms, 1_000, 600_000),
        ];
        for (name, value, low, high) in rows {
            if !(low..=high).contains(&value) {
                let key = format!("venue.{name}");
                return Err((key.clone(), format!("`{key}` is {value}: {low} … {high} is needed")));
            }
        }
        self.validate_addresses()
    }

    fn validate_addresses(&self) -> Result<(), (String, String)> {
        let needed = [
            ("venue.rest", &self.rest),
            ("venue.market_socket", &self.market_socket),
            ("venue.user_socket", &self.user_socket),
        ];
        for (key, address) in needed.into_iter().chain([("venue.gamma", &self.gamma)]) {
            if let Some(address) = address {
                oddsmith_net::Target::parse(address).map_err(|error| (key.to_owned(), format!("`{key}`: {error}")))?;
            } else if key != "venue.gamma" && needed.iter().any(|(_, other)| other.is_some()) {
                let message =
                    format!("`{key}` is missing: give all three addresses of a venue, or none for the built-in one");
                return Err(("venue".to_owned(), message));
            }
        }
        Ok(())
    }

    /// The account that orders of a key are paid from, or why the venue would not let it pay.
    pub fn payer(&self, key: Address) -> Result<Payer, String> {
        let derived = wallet_of(key, self.signature_type);
        let maker = self.funder.unwrap_or(derived);
        if maker != derived && self.signature_type != SignatureType::Poly1271 {
            let kind = self.signature_type as u8;
            return Err(format!("`venue.funder` is {maker}: with signature type {kind} the key pays from {derived}"));
        }
        Ok(Payer { maker, signature_type: self.signature_type })
    }

    /// The edge's settings as they are configured, for markets of these patterns, and those that rules choose.
    pub fn tune(&self, edge: EdgeSettings, (patterns, rules): (Vec<String>, Vec<Ruled>)) -> EdgeSettings {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (d, r, q, s) = (&self.discovery, &self.rates, &self.requests, &self.sessions);
        let [orders, cancels] =
            [r.tier.orders(), r.tier.cancels()].map(|has| (has.per_second, has.burst.saturating_sub(r.margin)));
        EdgeSettings {
            gamma_url: self.gamma.clone().unwrap_or(edge.gamma_url),
            discovery: DiscoverySettings {
                every_ms: d.every_ms.unwrap_or(if rules.is_empty() { LOOKED_MS } else { CHOSEN_MS }),
                end_within_s: d.end_within_s.or_else(|| end_within(&patterns, &rules)),
                patterns,
                rules,
                tags: d.tags.clone(),
                min_volume: d.min_volume_usdc,
                min_liquidity: d.min_liquidity_usdc,
                max_markets: count(d.max_markets),
            },
            protocol_every_ms: q.protocol_every_ms,
            signature_type: self.signature_type,
            order_connections: count(q.order_connections),
            cancel_connections: count(q.cancel_connections),
            session: SessionSettings {
                ping_every_ms: s.ping_every_ms,
                pong_limit_ms: s.pong_limit_ms,
                connect_limit_ms: s.connect_limit_ms,
                snapshot_limit_ms: s.snapshot_limit_ms,
                healthy_after_ms: s.healthy_after_ms,
                silence_floor_ms: s.silence_floor_ms,
                silence_cap_ms: s.silence_cap_ms,
                silence_grace_ms: s.silence_grace_ms,
                backoff_cap_ms: s.backoff_cap_ms,
            },
            outbox: OutboxSettings {
                orders,
                cancels,
                cancel_reserve: r.cancel_reserve,
                max_queued_placements: count(r.queued_orders),
                max_queued: count(r.queued_requests),
                place_batch: count(r.place_batch),
                cancel_batch: count(r.cancel_batch),
                place_timeout_ms: q.place_timeout_ms,
                request_timeout_ms: q.request_timeout_ms,
                queue_limit_ms: q.queue_limit_ms,
                fetch_timeout_ms: q.fetch_timeout_ms,
                remember_ms: q.remember_ms,
            },
            side_timeout_ms: q.side_timeout_ms,
            ..edge
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_what_the_machines_have_by_themselves() {
        let edge = EdgeSettings::at("http://127.0.0.1:1", "ws://127.0.0.1:1/m", "ws://127.0.0.1:1/u", 7);
        let tuned = Venue::default().tune(edge.clone(), Default::default());
        assert_eq!(format!("{tuned:?}"), format!("{edge:?}"));
        assert_eq!(Venue::default().validate(), Ok(()));
    }

    #[test]
    fn a_tier_is_a_budget() {
        let edge = || EdgeSettings::at("http://127.0.0.1:1", "ws://127.0.0.1:1/m", "ws://127.0.0.1:1/u", 7);
        let gold = Venue { rates: Rates { tier: Tier::Gold, margin: 10, ..Rates::default() }, ..Venue::default() };
        let tuned = gold.tune(edge(), Default::default());
        assert_eq!((tuned.outbox.orders, tuned.outbox.cancels), ((400, 590), (800, 1_190)));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let wrong = Venue { sessions: Sessions { ping_every_ms: 1, ..Sessions::default() }, ..Venue::default() };
        let (key, message) = wrong.validate().expect_err("too often");
        assert_eq!(key, "venue.sessions.ping_every_ms");
        assert!(message.contains("500 … 60000"), "{message}");
    }

    #[test]
    fn the_payer_follows_from_the_key() {
        let key = Address::parse("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266").expect("an address");
        let payer = |signature_type| {
            let payer = Venue { signature_type, ..Venue::default() }.payer(key);
            payer.expect("a payer").maker.to_string()
        };
        assert_eq!(payer(SignatureType::Eoa), key.to_string());
        assert_eq!(payer(SignatureType::Safe), "0xd93b25cb943d14d0d34fbaf01fc93a0f8b5f6e47");
        assert_eq!(payer(SignatureType::Proxy), "0x365f0ca36ae1f641e02fe3b7743673da42a13a70");
        let funder = Some(Address([7; 20]));
        let named = Venue { signature_type: SignatureType::Poly1271, funder, ..Venue::default() };
        assert_eq!(named.payer(key).map(|payer| payer.maker), Ok(Address([7; 20])));
        let foreign = Venue { signature_type: SignatureType::Safe, funder, ..Venue::default() };
        assert!(foreign.payer(key).expect_err("not the key's").contains("venue.funder"));
    }
}
