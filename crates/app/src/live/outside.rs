//! The sources outside of the venue: prices and reports of matches, each a session machine and its socket, on the driver's thread.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use oddsmith_domain::{Input, LinkState, Symbol, Time};
use oddsmith_feeds::binance::BinanceSession;
use oddsmith_feeds::truth::ReportSession;
use oddsmith_feeds::{FeedOutput, FeedSettings};
use oddsmith_net::{Connected, Intake, NetError, SideThreads, Target, Wire, dial_websocket};

/// How long a connection may take.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// What a recording calls the source of prices, and that of match reports.
pub const PRICES: &str = "binance";
pub const TRUTH: &str = "truth";

/// Which sources are followed.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Binance, or who stands in for it: its address, and the symbols with its names for them.
    pub binance: Option<(String, Vec<(Symbol, String)>)>,
    /// Where reports of matches come from.
    pub truth: Option<String>,
    /// The times of both.
    pub settings: FeedSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Prices,
    Truth,
}

struct Dialed {
    which: Which,
    generation: u64,
    result: Result<Connected, NetError>,
}

struct Line<S> {
    session: S,
    wire: Wire,
    target: Target,
}

/// The sources of a run.
pub struct Outside {
    prices: Option<Line<BinanceSession>>,
    truth: Option<Line<ReportSession>>,
    side: SideThreads<Dialed>,
    dialed: VecDeque<Dialed>,
    seed: u64,
}

impl Outside {
    /// Sources that begin to connect.
    ///
    /// # Errors
    /// [`NetError`] for an address that is not allowed, or when there is no thread.
    pub fn new(sources: Sources, seed: u64, now: Time) -> Result<Outside, NetError> {
        let settings = sources.settings;
        let prices = match sources.binance {
            None => None,
            Some((address, symbols)) => {
                let session = BinanceSession::new(symbols, settings, seed ^ 0x62, now);
                Some(Line { session, wire: Wire::default(), target: Target::parse(&address)? })
            }
        };
        let truth = match sources.truth {
            None => None,
            Some(address) => {
                let session = ReportSession::new(settings, seed ^ 0x74, now);
                Some(Line { session, wire: Wire::default(), target: Target::parse(&address)? })
            }
        };
        let side = SideThreads::start(1)?;
        Ok(Outside { prices, truth, side, dialed: VecDeque::new(), seed })
    }

    /// When something is due at the latest, on the monotonic clock.
    pub fn next_deadline(&self) -> Option<u64> {
        let prices = self.prices.as_ref().map(|line| line.session.next_deadline());
        prices.into_iter().chain(self.truth.as_ref().map(|line| line.session.next_deadline())).min()
    }

    /// Waits until something has arrived.
    pub async fn wait(&mut self) {
        std::future::poll_fn(|cx| if self.poll_io(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Looks, without waiting, whether something has arrived.
    pub async fn glance(&mut self) {
        std::future::poll_fn(|cx| {
            self.poll_io(cx);
            Poll::Ready(())
        })
        .await;
    }

    fn poll_io(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while let Poll::Ready(Some(dialed)) = self.side.poll_event(cx) {
            self.dialed.push_back(dialed);
            progress = true;
        }
        progress |= self.prices.as_mut().is_some_and(|line| line.wire.poll_io(cx));
        progress | self.truth.as_mut().is_some_and(|line| line.wire.poll_io(cx))
    }

    /// Hands over everything that has arrived: the newest price of each symbol, and every report. `heard` is told every message before,
    /// with the name of its source.
    pub fn drain(&mut self, intake: &mut impl Intake, mut heard: impl FnMut(&'static str, &[u8]), now: Time) {
        while let Some(dialed) = self.dialed.pop_front() {
            self.on_dialed(dialed, now);
        }
        if let Some(Line { session, wire, .. }) = &mut self.prices {
            session.on_time(now);
            let (_, end) = wire.drain(usize::MAX, |text| {
                heard(PRICES, text);
                session.on_text(text, now);
            });
            if let Some(end) = end {
                session.on_closed(&end.why, now);
            }
        }
        if let Some(Line { session, wire, .. }) = &mut self.truth {
            session.on_time(now);
            let (_, end) = wire.drain(usize::MAX, |text| {
                heard(TRUTH, text);
                session.on_text(text, now);
            });
            if let Some(end) = end {
                tracing::warn!(why = end.why, "the source of match reports");
                session.on_closed(now);
            }
        }
        self.carry_out(intake);
        if let Some(line) = &mut self.prices {
            line.session.take_ticks().for_each(|tick| intake.input(Input::Reference(Box::new(tick))));
        }
        if let Some(line) = &mut self.truth {
            line.session.take_reports().for_each(|report| intake.input(Input::Truth(Box::new(report))));
        }
    }

    fn on_dialed(&mut self, dialed: Dialed, now: Time) {
        let Dialed { which, generation, result } = dialed;
        match (which, &mut self.prices, &mut self.truth) {
            (Which::Prices, Some(Line { session, wire, .. }), _) => match wire.on_dialed(generation, result) {
                Some(Ok(())) => session.on_open(now),
                Some(Err(error)) => session.on_closed(&error.to_string(), now),
                None => {}
            },
            (Which::Truth, _, Some(Line { session, wire, .. })) => match wire.on_dialed(generation, result) {
                Some(Ok(())) => session.on_open(now),
                Some(Err(_)) => session.on_closed(now),
                None => {}
            },
            _ => {}
        }
    }

    fn carry_out(&mut self, intake: &mut impl Intake) {
        if let Some(Line { session, wire, target }) = &mut self.prices {
            while let Some(output) = session.poll_output() {
                follow(output, Which::Prices, (wire, target), (&self.side, self.seed), intake);
            }
        }
        if let Some(Line { session, wire, target }) = &mut self.truth {
            while let Some(output) = session.poll_output() {
                follow(output, Which::Truth, (wire, target), (&self.side, self.seed), intake);
            }
        }
    }
}

fn follow(
    output: FeedOutput,
    which: Which,
    (wire, target): (&mut Wire, &Target),
    (side, seed): (&SideThreads<Dialed>, u64),
    intake: &mut impl Intake,
) {
    match output {
        FeedOutput::Connect { .. } => {
            let generation = wire.begin_dial();
            let target = target.clone();
            side.run(move || {
                let result = dial_websocket(&target, seed.rotate_left(13).wrapping_add(generation), DIAL_LIMIT);
                Dialed { which, generation, result }
            });
        }
        FeedOutput::SendText(text) => wire.send(&text),
        FeedOutput::Close => wire.close(),
        FeedOutput::LinkChange { link, state } => {
            match &state {
                LinkState::Up | LinkState::Alive => tracing::info!(?link, "up"),
                other => tracing::warn!(?link, state = ?other, "connection"),
            }
            intake.input(Input::Link { link, state });
        }
    }
}
