//! The beginning of a recording: markets, files, and what an earlier recorder left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use oddsmith_domain::{ConditionId, MarketCard, Time};
use oddsmith_net::{Clock, EdgeSettings, Finder, Listener, Target};
use oddsmith_polymarket::discovery::{Discovery, DiscoverySettings, Sweep};
use oddsmith_recorder::{Coverage, FileError, Files, Followed, Pen, Resumed, read_line};

use super::RecordPlan;
use super::desk::Desk;
use super::feeds::Feeds;
use crate::failure::Failure;

/// Markets that are named to somebody who asked for one that is not there.
const NAMED: usize = 10;

/// A recording that is ready to be driven.
pub struct Started {
    pub clock: Clock,
    pub listener: Listener,
    pub feeds: Feeds,
    pub desk: Desk,
    pub record_for: Option<Duration>,
    pub status_every: Duration,
}

/// Finds the markets, opens the files, goes on where an earlier recorder stopped.
pub fn start(plan: RecordPlan) -> Result<Started, Failure> {
    let RecordPlan {
        edge,
        sources,
        books_every,
        markets_per_socket,
        layout,
        coverage,
        limits,
        record_for,
        status_every,
    } = plan;
    let clock = Clock::start();
    let cards = first_sweep(&edge, clock.now())?;
    let (files, resumed) = Files::open(layout.clone(), clock.now().wall_ns).map_err(|error| refuse(&error))?;
    let pen = Pen::start(files, limits).map_err(|error| Failure::Running(format!("no thread: {error}")))?;
    let books_every_ns = u64::try_from(books_every.as_nanos()).unwrap_or(u64::MAX);
    let mut desk = Desk::new(clock, Coverage::new(coverage), pen, layout, books_every_ns);
    let feeds = Feeds::new(sources, edge.seed, clock.now()).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut listener =
        Listener::new(edge, markets_per_socket, clock).map_err(|error| Failure::Usage(error.to_string()))?;
    match resumed {
        None => desk.follow(&cards, &mut listener, |_| None),
        Some(resumed) => go_on(resumed, &cards, &mut desk, &mut listener)?,
    }
    Ok(Started { clock, listener, feeds, desk, record_for, status_every })
}

fn refuse(error: &FileError) -> Failure {
    match error {
        FileError::Io { .. } => Failure::Running(error.to_string()),
        error => Failure::Usage(error.to_string()),
    }
}

/// Goes on after an earlier recorder: what it wrote behind its last checkpoint is counted, and from its last frame on there is a gap.
fn go_on(resumed: Resumed, cards: &[MarketCard], desk: &mut Desk, listener: &mut Listener) -> Result<(), Failure> {
    if resumed.lost_bytes > 0 {
        eprintln!("oddsmith: the last file was torn: {} packed bytes of its end could not be read", resumed.lost_bytes);
    }
    let mut last = resumed.checkpoint.sockets.clone();
    resumed
        .tail(|text| {
            if let Some(kept) = read_line(text)
                && let (Some(socket), true) = (kept.socket, kept.frame.is_some())
            {
                let at = usize::from(socket);
                last.resize(last.len().max(at + 1), 0);
                if let Some(last) = last.get_mut(at) {
                    *last = (*last).max(kept.wall_ns);
                }
            }
        })
        .map_err(|error| refuse(&error))?;
    let last_of = |followed: &Followed| last.get(usize::from(followed.socket)).copied().unwrap_or(0);
    let mut known: BTreeMap<ConditionId, Followed> =
        resumed.checkpoint.markets.iter().map(|followed| (followed.card.condition, followed.clone())).collect();
    desk.follow(cards, listener, |condition| {
        known.remove(condition).map(|followed| {
            let last = last_of(&followed);
            (followed, last)
        })
    });
    for (_, followed) in known {
        let last = last_of(&followed).max(resumed.checkpoint.wall_ns);
        desk.coverage().leave(followed, last);
    }
    resumed
        .tail(|text| {
            if let Some(kept) = read_line(text)
                && let (Some(_), Some(frame)) = (kept.socket, kept.frame)
            {
                desk.coverage().recount(&frame, kept.wall_ns);
            }
        })
        .map_err(|error| refuse(&error))
}

/// The markets that are wanted and take orders now.
fn first_sweep(edge: &EdgeSettings, now: Time) -> Result<Vec<MarketCard>, Failure> {
    let usage = |error: oddsmith_net::NetError| Failure::Usage(error.to_string());
    let (gamma, rest) = (Target::parse(&edge.gamma_url).map_err(usage)?, Target::parse(&edge.rest_url).map_err(usage)?);
    let mut finder = Finder::new(gamma, rest, Duration::from_millis(edge.side_timeout_ms));
    let mut sweep = |wanted: DiscoverySettings| {
        finder.sweep(Sweep::new(wanted, BTreeMap::new(), now.wall_s())).map_err(|error| {
            let from = &edge.gamma_url;
            Failure::Running(format!("the list of markets cannot be read from {from}: {error}; is the venue there?"))
        })
    };
    let swept = sweep(edge.discovery.clone())?;
    for fault in &swept.faults {
        tracing::warn!(%fault, "a market that was not understood");
    }
    let cards = Discovery::new(edge.discovery.clone(), edge.seed, now).on_swept(Some(swept), now);
    let missing = |pattern: &&String| !pattern.ends_with('*') && !cards.iter().any(|card| card.slug == **pattern);
    let unknown = match edge.discovery.patterns.iter().find(missing) {
        Some(unknown) => unknown.clone(),
        None if cards.is_empty() => edge.discovery.patterns.join(", "),
        None => return Ok(cards),
    };
    let all = sweep(DiscoverySettings { patterns: vec!["*".to_owned()], ..DiscoverySettings::default() })?;
    let others: Vec<&str> = all.found.iter().map(|found| found.card.slug.as_str()).take(NAMED).collect();
    Err(Failure::Usage(format!("no market `{unknown}` takes orders; others do, such as: {}", others.join(", "))))
}
