//! The market channel: one machine for each shard of assets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use oddsmith_domain::{AssetId, Link, LinkState, MarketBatch, MarketEvent, Time, TokenId};

use super::traffic::Traffic;
use super::wire::{Due, SessionOutput, SessionSettings, Wire, ns};
use crate::AssetTable;
use crate::codec::market::MarketDecoder;

/// The most assets of one connection. Beyond 500 the venue leaves out snapshots without a word; other clients stay at 200.
pub const SHARD_LIMIT: usize = 200;

/// Splits assets over as many connections as the limit asks for, in order.
#[must_use]
pub fn shard_assets(assets: &[(AssetId, TokenId)]) -> Vec<Vec<(AssetId, TokenId)>> {
    assets.chunks(SHARD_LIMIT).map(<[_]>::to_vec).collect()
}

/// One connection to the market channel, without its socket.
///
/// It is up when the snapshot of every asset has arrived since it connected. A snapshot that does not come within the limit is
/// asked for by REST; an asset whose book the venue does not have (a market just listed) does not hold up the others, and is
/// asked for again.
#[derive(Debug)]
pub struct MarketSession {
    link: Link,
    settings: SessionSettings,
    wire: Wire,
    assets: BTreeMap<AssetId, TokenId>,
    /// Assets without a snapshot since the connection began, and when each is to be asked for by REST.
    awaited: BTreeMap<AssetId, u64>,
    /// Assets that the venue has no book for; they are awaited, but do not hold up the shard.
    absent: BTreeSet<AssetId>,
    traffic: Traffic,
    state: ShardState,
    data_since_ping: bool,
    decoder: MarketDecoder,
    batch: MarketBatch,
    outputs: VecDeque<SessionOutput>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShardState {
    Down,
    AwaitingSnapshots,
    Live,
    Silent { reconnect_at: u64 },
}

impl MarketSession {
    /// A shard that connects as soon as it has something to subscribe to. `seed` decides the jitter of its waits.
    #[must_use]
    pub fn new(number: u16, settings: SessionSettings, seed: u64, now: Time) -> MarketSession {
        MarketSession {
            link: Link::Market(number),
            settings,
            wire: Wire::new(settings, seed, now),
            assets: BTreeMap::new(),
            awaited: BTreeMap::new(),
            absent: BTreeSet::new(),
            traffic: Traffic::new(now, ns(settings.silence_floor_ms), ns(settings.silence_cap_ms)),
            state: ShardState::Down,
            data_since_ping: false,
            decoder: MarketDecoder::new(),
            batch: MarketBatch::default(),
            outputs: VecDeque::new(),
        }
    }

    /// How many more assets fit.
    #[must_use]
    pub fn room(&self) -> usize {
        SHARD_LIMIT.saturating_sub(self.assets.len())
    }

    /// The assets of this shard.
    pub fn assets(&self) -> impl Iterator<Item = AssetId> + '_ {
        self.assets.keys().copied()
    }

    /// Whether snapshots are still to come: only then need anybody look for them in frames.
    #[must_use]
    pub fn awaits_snapshots(&self) -> bool {
        self.wire.is_open() && !self.awaited.is_empty()
    }

    /// Whether every snapshot has arrived and data flows.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state == ShardState::Live
    }

    /// How many attempts to connect have failed since the last healthy period.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.wire.attempt()
    }

    /// Follows more assets, from now on if connected. What does not fit into the shard is handed back.
    pub fn add(&mut self, assets: &[(AssetId, TokenId)], now: Time) -> Vec<(AssetId, TokenId)> {
        let mut added = Vec::new();
        let mut left_over = Vec::new();
        for &(asset, token) in assets {
            if self.assets.contains_key(&asset) {
                continue;
            }
            if self.room() == 0 {
                left_over.push((asset, token));
                continue;
            }
            self.assets.insert(asset, token);
            added.push((asset, token));
        }
        if self.wire.is_open() && !added.is_empty() {
            let text = token_frame(
                r#"{"operation":"subscribe","custom_feature_enabled":true,"level":2,"assets_ids":["#,
                &added,
            );
            self.outputs.push_back(SessionOutput::SendText(text));
            let by = now.mono_ns.saturating_add(ns(self.settings.snapshot_limit_ms));
            self.awaited.extend(added.iter().map(|&(asset, _)| (asset, by)));
        }
        left_over
    }

    /// Stops following assets; the others are not touched. A connection that carries nothing any more is closed, without a word to
    /// the engine: nothing depends on it.
    pub fn remove(&mut self, assets: &[AssetId], now: Time) {
        let removed: Vec<(AssetId, TokenId)> =
            assets.iter().filter_map(|asset| self.assets.remove(asset).map(|token| (*asset, token))).collect();
        for (asset, _) in &removed {
            self.awaited.remove(asset);
            self.absent.remove(asset);
        }
        if self.assets.is_empty() && !removed.is_empty() {
            return self.retire(now);
        }
        if self.wire.is_open() && !removed.is_empty() {
            let text = token_frame(r#"{"operation":"unsubscribe","assets_ids":["#, &removed);
            self.outputs.push_back(SessionOutput::SendText(text));
        }
        self.become_live_if_complete(now);
    }

    fn retire(&mut self, now: Time) {
        if !self.wire.is_waiting() {
            self.outputs.push_back(SessionOutput::Close);
        }
        self.wire.retire(now);
        self.state = ShardState::Down;
    }

    /// The connection stands.
    pub fn on_open(&mut self, now: Time) {
        self.wire.on_open(now);
        self.state = ShardState::AwaitingSnapshots;
        self.traffic = Traffic::new(now, ns(self.settings.silence_floor_ms), ns(self.settings.silence_cap_ms));
        self.data_since_ping = false;
        self.absent.clear();
        let by = now.mono_ns.saturating_add(ns(self.settings.snapshot_limit_ms));
        self.awaited = self.assets.keys().map(|asset| (*asset, by)).collect();
        if !self.assets.is_empty() {
            let assets: Vec<_> = self.assets.iter().map(|(asset, token)| (*asset, *token)).collect();
            let head = r#"{"type":"market","initial_dump":true,"level":2,"custom_feature_enabled":true,"assets_ids":["#;
            self.outputs.push_back(SessionOutput::SendText(token_frame(head, &assets)));
        }
        self.on_time(now);
    }

    /// The connection could not be had, or ended.
    pub fn on_closed(&mut self, reason: &str, now: Time) {
        if !self.wire.is_waiting() {
            self.lose(reason, now);
        }
    }

    /// A text frame came. Says whether it is data, to be passed on, or only the answer to a PING.
    pub fn on_text(&mut self, text: &[u8], now: Time) -> bool {
        if text != b"PONG" {
            self.on_data(now);
            return true;
        }
        self.wire.on_pong();
        if !self.data_since_ping && self.state == ShardState::Live {
            self.change(LinkState::Alive);
        }
        false
    }

    fn on_data(&mut self, now: Time) {
        self.data_since_ping = true;
        self.traffic.on_data(now);
        if matches!(self.state, ShardState::Silent { .. }) {
            self.state = ShardState::AwaitingSnapshots;
            self.become_live_if_complete(now);
        }
    }

    /// Finds the snapshots in a frame. Costs a decoding, so it does so only while [`MarketSession::awaits_snapshots`].
    pub fn look_for_snapshots(&mut self, text: &[u8], table: &AssetTable, now: Time) {
        if !self.awaits_snapshots() {
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        self.decoder.decode(table, text, &mut batch);
        for event in &batch.events {
            if let MarketEvent::Snapshot(header) = event {
                self.on_snapshot(header.asset, now);
            }
        }
        self.batch = batch;
    }

    /// The snapshot of an asset arrived, on the channel or by REST.
    pub fn on_snapshot(&mut self, asset: AssetId, now: Time) {
        self.absent.remove(&asset);
        if self.awaited.remove(&asset).is_some() {
            self.become_live_if_complete(now);
        }
    }

    /// The book of an asset could not be read by REST. It is asked for again, and does not hold up the others.
    pub fn on_book_missing(&mut self, asset: AssetId, now: Time) {
        if self.awaited.contains_key(&asset) {
            self.absent.insert(asset);
            self.become_live_if_complete(now);
        }
    }

    /// Time passed.
    pub fn on_time(&mut self, now: Time) {
        if self.assets.is_empty() && self.wire.is_waiting() {
            return;
        }
        while let Some(due) = self.wire.due(now) {
            match due {
                Due::Connect { attempt } => self.outputs.push_back(SessionOutput::Connect { attempt }),
                Due::Ping => {
                    self.data_since_ping = false;
                    self.outputs.push_back(SessionOutput::SendText("PING".into()));
                }
                Due::Lost(reason) => {
                    self.outputs.push_back(SessionOutput::Close);
                    self.lose(reason, now);
                }
            }
        }
        if self.wire.is_open() {
            self.fetch_overdue(now);
            self.watch_traffic(now);
        }
    }

    /// When [`MarketSession::on_time`] must be called at the latest, on the monotonic clock.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        if self.assets.is_empty() && self.wire.is_waiting() {
            return None;
        }
        let mut next = self.wire.next_deadline();
        if self.wire.is_open() {
            next = self.awaited.values().copied().fold(next, u64::min);
            next = next.min(match self.state {
                ShardState::Live => self.traffic.suspicious_at(),
                ShardState::Silent { reconnect_at } => reconnect_at,
                ShardState::Down | ShardState::AwaitingSnapshots => u64::MAX,
            });
        }
        Some(next)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    fn fetch_overdue(&mut self, now: Time) {
        // The next question leaves the REST read, itself bounded in time, room to be answered.
        let again = now.mono_ns.saturating_add(ns(self.settings.snapshot_limit_ms.max(1_000)).saturating_mul(3));
        for (asset, by) in &mut self.awaited {
            if *by <= now.mono_ns {
                *by = again;
                self.outputs.push_back(SessionOutput::FetchBook(*asset));
            }
        }
    }

    fn watch_traffic(&mut self, now: Time) {
        match self.state {
            ShardState::Live if self.traffic.suspicious_at() <= now.mono_ns => {
                let reconnect_at = now.mono_ns.saturating_add(ns(self.settings.silence_grace_ms));
                self.state = ShardState::Silent { reconnect_at };
                self.change(LinkState::Silent);
            }
            ShardState::Silent { reconnect_at } if reconnect_at <= now.mono_ns => {
                let quiet_s = now.mono_ns.saturating_sub(self.traffic.last_data()) / Time::SECOND;
                self.outputs.push_back(SessionOutput::Close);
                self.lose(&format!("no data for {quiet_s} s although PONG arrives"), now);
            }
            _ => {}
        }
    }

    fn become_live_if_complete(&mut self, now: Time) {
        let complete = self.awaited.keys().all(|asset| self.absent.contains(asset));
        if self.state == ShardState::AwaitingSnapshots && complete && !self.assets.is_empty() {
            self.state = ShardState::Live;
            // The watchdog counts from here: the snapshots may have taken a while.
            self.traffic.on_data(now);
            self.change(LinkState::Up);
        }
    }

    fn lose(&mut self, reason: &str, now: Time) {
        self.wire.on_lost(now);
        self.state = ShardState::Down;
        self.awaited.clear();
        self.absent.clear();
        self.change(LinkState::Down(format!("{reason} (attempt {})", self.wire.attempt())));
    }

    fn change(&mut self, state: LinkState) {
        self.outputs.push_back(SessionOutput::LinkChange { link: self.link, state });
    }
}

fn token_frame(head: &str, assets: &[(AssetId, TokenId)]) -> String {
    let mut text = String::with_capacity(head.len() + assets.len() * 81 + 2);
    text.push_str(head);
    for (n, (_, token)) in assets.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "\"{token}\"");
    }
    text.push_str("]}");
    text
}

#[cfg(test)]
#[path = "market_tests.rs"]
mod tests;
