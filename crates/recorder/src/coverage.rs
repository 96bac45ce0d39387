//! All markets under watch.

use std::collections::BTreeMap;

use oddsmith_book::HashPolicy;
use oddsmith_domain::{AssetId, LinkState, MarketBatch, MarketCard, MarketEvent, MarketId, Time};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;

use crate::certificate::{Cause, Certificate, SCHEMA_VERSION};
use crate::checkpoint::{Checkpoint, Followed};
use crate::envelope::BookNote;
use crate::hours::{Hour, Hours};
use crate::watch::{Flow, Watch};

/// How coverage is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverageSettings {
    /// The length of an hour, in nanoseconds: less where files are rotated faster.
    pub unit_ns: u64,
    /// Between two comparisons of a market by REST, in nanoseconds; 0 for none.
    pub check_ns: u64,
    /// The venue's hash is compared at the end of one batch in so many.
    pub hash_one_in: u32,
}

/// What all markets come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Data frames.
    pub frames: u64,
    /// Frames, or parts of them, that were not understood.
    pub undecodable: u64,
    /// Markets with a gap under way.
    pub open_gaps: usize,
    /// Gaps that are over, listed in hours under way.
    pub gaps: usize,
    /// Hashes compared and reproduced in the hours under way.
    pub hashes: (u64, u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Socket {
    /// When the last data frame came.
    last_data_ns: u64,
    /// Whether its connection stands and was asked for its markets.
    up: bool,
    silent: bool,
    /// When the first data came since it was lost or fell silent, on the monotonic clock: a book read by REST says nothing of a
    /// connection that says nothing.
    flows_since: Option<u64>,
}

impl Socket {
    const fn carries(&self) -> bool {
        self.up && !self.silent && self.flows_since.is_some()
    }
}

/// See the crate's first page.
#[derive(Debug)]
pub struct Coverage {
    settings: CoverageSettings,
    table: AssetTable,
    decoder: MarketDecoder,
    batch: MarketBatch,
    markets: BTreeMap<MarketId, Watch>,
    sockets: Vec<Socket>,
    touched: Vec<MarketId>,
    over: Vec<Certificate>,
    wanted: Vec<AssetId>,
    totals: Totals,
}

impl Coverage {
    /// Follows nothing yet.
    #[must_use]
    pub fn new(settings: CoverageSettings) -> Coverage {
        Coverage {
            settings,
            table: AssetTable::new(),
            decoder: MarketDecoder::new(),
            batch: MarketBatch::default(),
            markets: BTreeMap::new(),
            sockets: Vec::new(),
            touched: Vec::new(),
            over: Vec::new(),
            wanted: Vec::new(),
            totals: Totals::default(),
        }
    }

    /// How long an hour that is over is kept open: as long as a gap that is found late may reach back.
    const fn hold_ns(&self) -> u64 {
        let slow = self.settings.check_ns.saturating_mul(2).saturating_add(60 * Time::SECOND);
        if slow < self.settings.unit_ns { slow } else { self.settings.unit_ns }
    }

    /// Follows a market that a socket carries. `before` is what an earlier recorder knew of it, and when that one wrote its last frame.
    pub fn follow(
        &mut self,
        market: MarketId,
        card: &MarketCard,
        socket: u16,
        before: Option<(Followed, u64)>,
        now: Time,
    ) {
        self.table.insert(market, card);
        if let Some(known) = self.markets.get_mut(&market) {
            return known.update(card);
        }
        let hours = Hours::begin(self.settings.unit_ns, self.hold_ns(), now.wall_ns);
        let policy = match self.settings.hash_one_in {
            0 | 1 => HashPolicy::Every,
            one_in => HashPolicy::Sampled { one_in },
        };
        let mut watch = Watch::new(card, socket, hours, policy);
        if let Some((followed, last_ns)) = before {
            if followed.hours.unit_ns() != self.settings.unit_ns {
                self.leave(followed.clone(), last_ns);
            }
            watch.resume(followed, last_ns);
        }
        watch.check.1 = now.mono_ns.saturating_add(self.settings.check_ns);
        self.markets.insert(market, watch);
    }

    /// Follows a market no more; its last hours are certified.
    pub fn forget(&mut self, market: MarketId, now: Time) {
        if let Some(watch) = self.markets.remove(&market) {
            self.table.remove(&watch.card);
            for hour in watch.hours.all() {
                self.over.push(certificate(&watch, hour, now.wall_ns));
            }
        }
    }

    /// An earlier recorder followed a market, and this one does not: its last hours are certified up to its last frame.
    pub fn leave(&mut self, followed: Followed, last_ns: u64) {
        let Followed { card, hours, gap, .. } = followed;
        let condition = card.condition.to_string();
        let each = hours.all().map(|hour| hours.certificate(hour, (&card.slug, &condition), last_ns, gap.as_ref()));
        self.over.extend(each);
    }

    /// A data frame came.
    pub fn on_frame(&mut self, socket: u16, bytes: &[u8], now: Time) {
        let link = self.socket(socket);
        link.last_data_ns = now.wall_ns;
        if link.flows_since.is_none() {
            link.flows_since = Some(now.mono_ns);
            self.markets.values_mut().filter(|watch| watch.socket == socket).for_each(Watch::resumed);
        }
        self.totals.frames += 1;
        let mut batch = std::mem::take(&mut self.batch);
        let report = self.decoder.decode(&self.table, bytes, &mut batch);
        self.totals.undecodable += u64::from(report.undecodable);
        self.touched.clear();
        for event in &batch.events {
            let market = event.market();
            let Some(watch) = self.markets.get_mut(&market) else { continue };
            watch.event(&batch, event, now);
            if !self.touched.contains(&market) {
                self.touched.push(market);
            }
        }
        self.batch = batch;
        for market in &self.touched {
            if let Some(watch) = self.markets.get_mut(market) {
                watch.frame_ended(now);
            }
        }
    }

    /// Counts a frame that was written before: no book is made of it.
    pub fn recount(&mut self, bytes: &[u8], wall_ns: u64) {
        let mut batch = std::mem::take(&mut self.batch);
        self.decoder.decode(&self.table, bytes, &mut batch);
        self.touched.clear();
        for event in &batch.events {
            let market = event.market();
            let Some(watch) = self.markets.get_mut(&market) else { continue };
            let hour = watch.hours.now();
            hour.snapshots += u64::from(matches!(event, MarketEvent::Snapshot(_)));
            hour.hashes.changes += u64::from(matches!(event, MarketEvent::Change(_)));
            if !self.touched.contains(&market) {
                self.touched.push(market);
                hour.frame(wall_ns);
            }
        }
        self.batch = batch;
    }

    /// A connection changed.
    pub fn on_link(&mut self, socket: u16, state: &LinkState, now: Time) {
        let link = self.socket(socket);
        let (last, was_silent) = (link.last_data_ns, link.silent);
        let cause = match state {
            LinkState::Alive => return,
            LinkState::Up => {
                (link.up, link.silent) = (true, false);
                return;
            }
            LinkState::Silent => {
                (link.silent, link.flows_since) = (true, None);
                Cause::Frozen
            }
            LinkState::Down(_) => {
                (link.up, link.silent, link.flows_since) = (false, false, None);
                if was_silent { Cause::Frozen } else { Cause::Disconnect }
            }
        };
        // A connection that never carried anything has lost nothing.
        let last = if last == 0 { now.wall_ns } else { last };
        for watch in self.markets.values_mut().filter(|watch| watch.socket == socket) {
            watch.broken(last, cause);
        }
    }

    /// The first book of a token did not come in time.
    pub fn on_missing(&mut self, asset: AssetId) {
        if let Some(watch) = self.markets.get_mut(&asset.market()) {
            watch.missing();
            // The socket is open, or nobody would have missed it.
            let socket = watch.socket;
            self.socket(socket).up = true;
        }
    }

    /// A book that was asked for at a time was read by REST, or could not be.
    pub fn on_book(&mut self, asset: AssetId, asked: Time, bytes: Option<&[u8]>, now: Time) {
        let Some(watch) = self.markets.get_mut(&asset.market()) else { return };
        let Some(bytes) = bytes else { return watch.rest_failed() };
        let flow = match self.sockets.get(usize::from(watch.socket)) {
            Some(socket) if socket.carries() && socket.flows_since <= Some(asked.mono_ns) => Flow::Flows,
            _ => Flow::Broken,
        };
        let mut batch = std::mem::take(&mut self.batch);
        let report = self.decoder.decode(&self.table, bytes, &mut batch);
        self.totals.undecodable += u64::from(report.undecodable);
        for event in &batch.events {
            if let MarketEvent::Snapshot(header) = event
                && let Some(watch) = self.markets.get_mut(&header.asset.market())
            {
                watch.rest(&batch, event, header.asset.outcome(), now, flow);
            }
        }
        self.batch = batch;
    }

    /// Time passed.
    pub fn on_time(&mut self, now: Time) {
        for (market, watch) in &mut self.markets {
            watch.idle(now);
            let gap = watch.gap().cloned();
            let mut over = Vec::new();
            watch.hours.roll(now.wall_ns, gap.as_ref(), |hour| over.push(hour));
            self.over.extend(over.iter().map(|hour| certificate(watch, hour, now.wall_ns)));
            if !self.sockets.get(usize::from(watch.socket)).is_some_and(Socket::carries) {
                continue;
            }
            watch.wanted(*market, now, &mut self.wanted);
            if self.settings.check_ns > 0 && watch.check.1 <= now.mono_ns {
                self.wanted.push(market.asset(watch.check.0));
                watch.check = (watch.check.0.complement(), now.mono_ns.saturating_add(self.settings.check_ns));
            }
        }
    }

    /// Books that look otherwise than when this was last asked, of markets of which nothing is missing now.
    pub fn notes(&mut self) -> Vec<BookNote> {
        self.markets.values_mut().filter_map(Watch::note).collect()
    }

    /// Books that are to be read by REST, since the last time.
    pub fn wanted(&mut self) -> Vec<AssetId> {
        std::mem::take(&mut self.wanted)
    }

    /// Certificates of hours that are over, since the last time.
    pub fn over(&mut self) -> Vec<Certificate> {
        std::mem::take(&mut self.over)
    }

    /// Certificates of the hours that are not over.
    #[must_use]
    pub fn under_way(&self, now: Time) -> Vec<Certificate> {
        let each = self
            .markets
            .values()
            .flat_map(|watch| watch.hours.all().map(|hour| certificate(watch, hour, now.wall_ns)).collect::<Vec<_>>());
        each.collect()
    }

    /// What is to be remembered beyond this recorder's end.
    #[must_use]
    pub fn checkpoint(&self, now: Time) -> Checkpoint {
        Checkpoint {
            schema_version: SCHEMA_VERSION,
            wall_ns: now.wall_ns,
            sockets: self.sockets.iter().map(|socket| socket.last_data_ns).collect(),
            markets: self.markets.values().map(Watch::followed).collect(),
        }
    }

    /// What all markets come to.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = self.totals;
        for watch in self.markets.values() {
            totals.open_gaps += usize::from(watch.gap().is_some());
            for hour in watch.hours.all() {
                totals.gaps += hour.gaps.len();
                totals.hashes.0 += hour.hashes.checked;
                totals.hashes.1 += hour.hashes.reproduced;
            }
        }
        totals
    }

    fn socket(&mut self, number: u16) -> &mut Socket {
        let at = usize::from(number);
        if self.sockets.len() <= at {
            self.sockets.resize(at + 1, Socket::default());
        }
        &mut self.sockets[at]
    }
}

fn certificate(watch: &Watch, hour: &Hour, now_ns: u64) -> Certificate {
    let condition = watch.card.condition.to_string();
    watch.hours.certificate(hour, (&watch.card.slug, &condition), now_ns, watch.gap())
}
