//! The sources outside of the venue: prices and reports of matches, each a session machine on a line of its own.

use oddsmith_domain::{Input, Symbol, Time};
use oddsmith_engine::{EngineConfig, Lanes, OwnedInput};
use oddsmith_feeds::binance::BinanceSession;
use oddsmith_feeds::truth::ReportSession;
use oddsmith_feeds::{FeedOutput, FeedSettings};
use oddsmith_strategy::StrategyConfig;

use super::edge::{Line, Wish};

/// What has a price in simulated worlds.
const SYMBOLS: [&str; 4] = ["btc", "eth", "sol", "xrp"];

/// A source outside of the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Prices,
    Truth,
}

/// The sources that strategies ask for.
#[derive(Default)]
pub(super) struct Outside {
    prices: Option<(BinanceSession, u64)>,
    truth: Option<(ReportSession, u64)>,
}

impl Outside {
    pub(super) fn new(config: &EngineConfig, seed: u64, now: Time) -> Outside {
        let asked = |asks: fn(&StrategyConfig) -> bool| config.instances.iter().any(|one| asks(&one.strategy));
        let symbols = SYMBOLS.iter().filter_map(|name| Some((Symbol::new(name).ok()?, format!("{name}usdt"))));
        let prices = || BinanceSession::new(symbols.collect(), FeedSettings::default(), seed ^ 0x70, now);
        let truth = || ReportSession::new(FeedSettings::default(), seed ^ 0x74, now);
        Outside {
            prices: asked(|strategy| strategy.reference_shock().is_some()).then(|| (prices(), 0)),
            truth: asked(StrategyConfig::follows_truth).then(|| (truth(), 0)),
        }
    }

    pub(super) fn next_deadline(&self) -> u64 {
        let prices = self.prices.as_ref().map(|(session, _)| session.next_deadline());
        let truth = self.truth.as_ref().map(|(session, _)| session.next_deadline());
        prices.into_iter().chain(truth).min().unwrap_or(u64::MAX)
    }

    /// Time has passed: hands over the newest prices and every report, and says what the network is to do.
    pub(super) fn turn(&mut self, lanes: &mut Lanes, wishes: &mut Vec<Wish>, now: Time) {
        if let Some((session, generation)) = &mut self.prices {
            session.on_time(now);
            let outputs = std::iter::from_fn(|| session.poll_output());
            follow(outputs, Source::Prices, generation, lanes, wishes);
            session.take_ticks().for_each(|tick| put(lanes, Input::Reference(Box::new(tick))));
        }
        if let Some((session, generation)) = &mut self.truth {
            session.on_time(now);
            let outputs = std::iter::from_fn(|| session.poll_output());
            follow(outputs, Source::Truth, generation, lanes, wishes);
            session.take_reports().for_each(|report| put(lanes, Input::Truth(Box::new(report))));
        }
    }

    pub(super) fn on_dialed(&mut self, source: Source, generation: u64, open: bool, now: Time) {
        match (source, &mut self.prices, &mut self.truth) {
            (Source::Prices, Some((session, current)), _) if *current == generation => {
                if open {
                    session.on_open(now)
                } else {
                    session.on_closed("the connection was refused", now)
                }
            }
            (Source::Truth, _, Some((session, current))) if *current == generation => {
                if open {
                    session.on_open(now)
                } else {
                    session.on_closed(now)
                }
            }
            _ => {}
        }
    }

    pub(super) fn on_ended(&mut self, source: Source, generation: u64, now: Time) {
        match (source, &mut self.prices, &mut self.truth) {
            (Source::Prices, Some((session, current)), _) if *current == generation => {
                session.on_closed("the source ended the stream", now);
            }
            (Source::Truth, _, Some((session, current))) if *current == generation => session.on_closed(now),
            _ => {}
        }
    }

    pub(super) fn on_text(&mut self, source: Source, generation: u64, text: &[u8], now: Time) {
        match (source, &mut self.prices, &mut self.truth) {
            (Source::Prices, Some((session, current)), _) if *current == generation => session.on_text(text, now),
            (Source::Truth, _, Some((session, current))) if *current == generation => session.on_text(text, now),
            _ => {}
        }
    }
}

fn put(lanes: &mut Lanes, input: Input<'static>) {
    lanes.push(OwnedInput::Other(input));
}

fn follow(
    outputs: impl Iterator<Item = FeedOutput>,
    source: Source,
    generation: &mut u64,
    lanes: &mut Lanes,
    wishes: &mut Vec<Wish>,
) {
    let line = Line::Outside(source);
    for output in outputs {
        match output {
            FeedOutput::Connect { .. } => {
                *generation += 1;
                wishes.push(Wish::Dial { line, generation: *generation });
            }
            FeedOutput::SendText(text) => wishes.push(Wish::Text { line, generation: *generation, text }),
            FeedOutput::Close => wishes.push(Wish::HangUp { line, generation: *generation }),
            FeedOutput::LinkChange { link, state } => put(lanes, Input::Link { link, state }),
        }
    }
}
