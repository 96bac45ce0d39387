//! Who listens to what, and the one place from which frames go out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use oddsmith_domain::{ConditionId, MarketId, Outcome, TruthReport};
use oddsmith_feeds::binance::encode;
use tokio::sync::{Notify, mpsc};

use super::feed::MOST_STREAMS;
use crate::core::{PublicEvent, UserId};
use crate::scenario::Channel;
use crate::server::faults::{Faults, FrameFate};
use crate::world::WorldPrice;

/// Frames that may wait for one subscriber. Who falls further behind is disconnected: a client that cannot keep up must
/// learn it, and must not cost memory.
pub(super) const QUEUE: usize = 8_192;
/// Assets that one connection may listen to.
const MOST_ASSETS: usize = 10_000;

/// The number of a connection.
pub(in crate::server) type SessionId = u64;

/// The receiving end of a connection's queue.
pub(in crate::server) struct Inlet {
    pub(in crate::server) id: SessionId,
    pub(in crate::server) frames: mpsc::Receiver<Utf8Bytes>,
    pub(in crate::server) kicked: Arc<Notify>,
}

#[derive(Debug)]
struct Outlet {
    frames: mpsc::Sender<Utf8Bytes>,
    kicked: Arc<Notify>,
    held: Option<Utf8Bytes>,
}

impl Outlet {
    fn new(id: SessionId) -> (Outlet, Inlet) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let kicked = Arc::new(Notify::new());
        let outlet = Outlet { frames: sender, kicked: Arc::clone(&kicked), held: None };
        (outlet, Inlet { id, frames: receiver, kicked })
    }

    fn offer(&mut self, frame: &Utf8Bytes, fate: FrameFate) {
        match fate {
            FrameFate::Drop => {}
            FrameFate::Hold => {
                if let Some(earlier) = self.held.replace(frame.clone()) {
                    self.put(earlier);
                }
            }
            FrameFate::Send => {
                self.put(frame.clone());
                if let Some(held) = self.held.take() {
                    self.put(held);
                }
            }
            FrameFate::Duplicate => {
                self.put(frame.clone());
                self.put(frame.clone());
            }
        }
    }

    fn put(&self, frame: Utf8Bytes) {
        if self.frames.try_send(frame).is_err() {
            self.kicked.notify_one();
        }
    }
}

#[derive(Debug)]
struct MarketSession {
    outlet: Outlet,
    assets: BTreeSet<(MarketId, Outcome)>,
    custom: bool,
}

#[derive(Debug)]
struct UserSession {
    outlet: Outlet,
    user: UserId,
    /// `None` listens to every market.
    markets: Option<BTreeSet<ConditionId>>,
}

/// Who listens to prices or reports.
#[derive(Debug)]
struct FeedSession {
    outlet: Outlet,
    /// The streams of prices that it follows; `None` for one that hears reports of matches.
    streams: Option<BTreeSet<String>>,
}

/// All connections of all channels.
#[derive(Debug, Default)]
pub(in crate::server) struct Hub {
    next: SessionId,
    market: BTreeMap<SessionId, MarketSession>,
    watchers: BTreeMap<MarketId, BTreeSet<SessionId>>,
    user: BTreeMap<SessionId, UserSession>,
    feed: BTreeMap<SessionId, FeedSession>,
}

impl Hub {
    /// A connection that hears prices, or reports of matches.
    pub(in crate::server) fn join_feed(&mut self, reports: bool) -> Inlet {
        self.next += 1;
        let (outlet, inlet) = Outlet::new(self.next);
        self.feed.insert(self.next, FeedSession { outlet, streams: (!reports).then(BTreeSet::new) });
        inlet
    }

    /// Adds streams of prices, or removes them.
    pub(super) fn follow(&mut self, id: SessionId, add: bool, names: &[String]) {
        let Some(streams) = self.feed.get_mut(&id).and_then(|session| session.streams.as_mut()) else { return };
        for name in names {
            if !add {
                streams.remove(name);
            } else if streams.len() < MOST_STREAMS {
                streams.insert(name.clone());
            }
        }
    }

    /// Tells a coin's price to whoever follows it.
    pub(in crate::server) fn tell_price(&mut self, price: &WorldPrice, faults: &Faults) {
        let stream = format!("{}usdt@bookTicker", price.symbol);
        let follows = |session: &&mut FeedSession| session.streams.as_ref().is_some_and(|all| all.contains(&stream));
        let mut frame = None;
        for session in self.feed.values_mut().filter(follows) {
            let (frame, fate) = frame
                .get_or_insert_with(|| (Utf8Bytes::from(encode(&price.ticker())), faults.frame_fate(Channel::Feed)));
            session.outlet.offer(frame, *fate);
        }
    }

    /// Tells what is said of a match.
    pub(in crate::server) fn tell_report(&mut self, report: &TruthReport, faults: &Faults) {
        let mut frame = None;
        for session in self.feed.values_mut().filter(|session| session.streams.is_none()) {
            let (frame, fate) = frame.get_or_insert_with(|| {
                // A report has text keys only, so this cannot fail.
                let text = serde_json::to_string(report).unwrap_or_default();
                (Utf8Bytes::from(text), faults.frame_fate(Channel::Feed))
            });
            session.outlet.offer(frame, *fate);
        }
    }

    /// A connection of the market channel that listens to nothing yet.
    pub(in crate::server) fn join_market(&mut self) -> Inlet {
        self.next += 1;
        let (outlet, inlet) = Outlet::new(self.next);
        self.market.insert(self.next, MarketSession { outlet, assets: BTreeSet::new(), custom: false });
        inlet
    }

    /// A connection of the user channel.
    pub(in crate::server) fn join_user(&mut self, user: UserId, markets: Option<BTreeSet<ConditionId>>) -> Inlet {
        self.next += 1;
        let (outlet, inlet) = Outlet::new(self.next);
        self.user.insert(self.next, UserSession { outlet, user, markets });
        inlet
    }

    /// Forgets a connection.
    pub(in crate::server) fn leave(&mut self, id: SessionId) {
        self.user.remove(&id);
        self.feed.remove(&id);
        if let Some(session) = self.market.remove(&id) {
            for (market, _) in session.assets {
                self.unwatch(market, id);
            }
        }
    }

    /// Adds tokens; the ones that were not there before, in the order given.
    pub(super) fn subscribe(
        &mut self,
        id: SessionId,
        assets: &[(MarketId, Outcome)],
        custom: Option<bool>,
    ) -> Vec<(MarketId, Outcome)> {
        let Some(session) = self.market.get_mut(&id) else {
            return Vec::new();
        };
        session.custom = custom.unwrap_or(session.custom);
        let mut added = Vec::new();
        for asset in assets {
            if session.assets.len() < MOST_ASSETS && session.assets.insert(*asset) {
                self.watchers.entry(asset.0).or_default().insert(id);
                added.push(*asset);
            }
        }
        added
    }

    /// Removes tokens.
    pub(super) fn unsubscribe(&mut self, id: SessionId, assets: &[(MarketId, Outcome)]) {
        let Some(session) = self.market.get_mut(&id) else {
            return;
        };
        for asset in assets {
            session.assets.remove(asset);
        }
        let gone: Vec<MarketId> = assets
            .iter()
            .map(|(market, _)| *market)
            .filter(|market| Outcome::BOTH.iter().all(|outcome| !session.assets.contains(&(*market, *outcome))))
            .collect();
        for market in gone {
            self.unwatch(market, id);
        }
    }

    /// Changes the filter of a user connection.
    pub(super) fn filter_user(&mut self, id: SessionId, add: bool, markets: &[ConditionId]) {
        let Some(filter) = self.user.get_mut(&id).and_then(|session| session.markets.as_mut()) else {
            // Who listens to everything keeps listening to everything.
            return;
        };
        for market in markets {
            if add {
                filter.insert(*market);
            } else {
                filter.remove(market);
            }
        }
    }

    /// Whether anybody would receive this event: frames that nobody wants are not made.
    pub(in crate::server) fn wants(&self, event: &PublicEvent) -> bool {
        match event {
            PublicEvent::NewMarket { .. } => self.market.values().any(|session| session.custom),
            other => self.watchers.contains_key(&other.market()),
        }
    }

    /// Sends a frame to everybody who listens to its market, or token, and wants its kind.
    pub(in crate::server) fn publish(&mut self, event: &PublicEvent, frame: String, faults: &Faults) {
        let everybody = matches!(event, PublicEvent::NewMarket { .. });
        let market = event.market();
        let ids: Vec<SessionId> = if everybody {
            self.market.keys().copied().collect()
        } else {
            self.watchers.get(&market).into_iter().flatten().copied().collect()
        };
        let wanted = |session: &&mut MarketSession| session.listens(event);
        let frame = Utf8Bytes::from(frame);
        let mut fate = None;
        for id in ids {
            if let Some(session) = self.market.get_mut(&id).filter(wanted) {
                // A fault strikes a frame that somebody would have seen, and strikes it for all of them.
                let fate = *fate.get_or_insert_with(|| faults.frame_fate(Channel::Market));
                session.outlet.offer(&frame, fate);
            }
        }
    }

    /// Sends a frame to one market connection only: its snapshots.
    pub(super) fn send(&mut self, id: SessionId, frame: String) {
        if let Some(session) = self.market.get(&id) {
            session.outlet.put(Utf8Bytes::from(frame));
        }
    }

    /// Whether this user listens to this market.
    pub(in crate::server) fn hears(&self, user: UserId, market: &ConditionId) -> bool {
        self.user.values().any(|session| session.listens(user, market))
    }

    /// Sends a frame to a user's connections that listen to the market.
    pub(in crate::server) fn tell(&mut self, user: UserId, market: &ConditionId, frame: String, faults: &Faults) {
        let fate = faults.frame_fate(Channel::User);
        let frame = Utf8Bytes::from(frame);
        for session in self.user.values_mut().filter(|session| session.listens(user, market)) {
            session.outlet.offer(&frame, fate);
        }
    }

    /// Disconnects every connection of a channel.
    pub(in crate::server) fn kick(&self, channel: Channel) {
        let outlets: Vec<&Outlet> = match channel {
            Channel::Market => self.market.values().map(|session| &session.outlet).collect(),
            Channel::User => self.user.values().map(|session| &session.outlet).collect(),
            Channel::Feed => self.feed.values().map(|session| &session.outlet).collect(),
        };
        outlets.iter().for_each(|outlet| outlet.kicked.notify_one());
    }

    /// How many connections each channel has.
    pub(in crate::server) fn counts(&self) -> (usize, usize) {
        (self.market.len(), self.user.len())
    }

    fn unwatch(&mut self, market: MarketId, id: SessionId) {
        if let Some(watchers) = self.watchers.get_mut(&market) {
            watchers.remove(&id);
            if watchers.is_empty() {
                self.watchers.remove(&market);
            }
        }
    }
}

impl MarketSession {
    /// Whether it hears of an event: of its tokens, and of the custom kinds only if it asked for them.
    fn listens(&self, event: &PublicEvent) -> bool {
        let market = event.market();
        let (outcome, custom) = match event {
            PublicEvent::NewMarket { .. } => return self.custom,
            PublicEvent::Book { outcome, .. }
            | PublicEvent::LastTrade { outcome, .. }
            | PublicEvent::TickChange { outcome, .. } => (Some(*outcome), false),
            PublicEvent::BestBidAsk { outcome, .. } => (Some(*outcome), true),
            PublicEvent::PriceChange { .. } => (None, false),
            PublicEvent::MarketResolved { .. } => (None, true),
        };
        let one_of = |outcome: Outcome| self.assets.contains(&(market, outcome));
        (self.custom || !custom) && outcome.map_or_else(|| Outcome::BOTH.into_iter().any(one_of), one_of)
    }
}

impl UserSession {
    fn listens(&self, user: UserId, market: &ConditionId) -> bool {
        self.user == user && self.markets.as_ref().is_none_or(|markets| markets.contains(market))
    }
}
