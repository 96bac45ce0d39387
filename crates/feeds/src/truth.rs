//! Reports of matches as JSON objects, one in each text frame: the form in which the local exchange tells of its world's matches, and
//! which anybody can write. Modules for real sources come later; each will yield the same reports.

use std::collections::VecDeque;

use oddsmith_domain::{Time, TruthReport};

use crate::session::{Due, FeedCounts, FeedOutput, FeedSettings, Line};

/// Reports that wait at most; older ones are overtaken by newer ones.
const MOST_WAITING: usize = 1_024;

/// One connection to a source of reports, without its socket.
#[derive(Clone, Debug)]
pub struct ReportSession {
    line: Line,
    waiting: VecDeque<TruthReport>,
    outputs: VecDeque<FeedOutput>,
    counts: FeedCounts,
}

impl ReportSession {
    /// A session that begins to connect. `seed` decides the jitter.
    #[must_use]
    pub fn new(settings: FeedSettings, seed: u64, now: Time) -> ReportSession {
        let line = Line::new(settings, seed, now);
        ReportSession { line, waiting: VecDeque::new(), outputs: VecDeque::new(), counts: FeedCounts::default() }
    }

    /// The connection stands.
    pub const fn on_open(&mut self, now: Time) {
        self.line.on_open(now);
    }

    /// The connection is gone, or could not be made. A match that is not heard of has an age of its own, so that nobody has to be told.
    pub fn on_closed(&mut self, now: Time) {
        self.line.on_lost(now);
    }

    /// A text frame.
    pub fn on_text(&mut self, text: &[u8], now: Time) {
        match serde_json::from_slice::<TruthReport>(text) {
            Ok(report) => {
                self.line.on_data(now);
                self.counts.reports += 1;
                if self.waiting.len() == MOST_WAITING {
                    self.waiting.pop_front();
                    self.counts.coalesced += 1;
                }
                self.waiting.push_back(report);
            }
            Err(_) => self.counts.undecodable += 1,
        }
    }

    /// The reports that have come since this was last asked, in their order.
    pub fn take_reports(&mut self) -> impl Iterator<Item = TruthReport> + use<> {
        std::mem::take(&mut self.waiting).into_iter()
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Time) {
        match self.line.due(now) {
            Some(Due::Connect { attempt }) => self.outputs.push_back(FeedOutput::Connect { attempt }),
            Some(Due::Lost(_)) => {
                self.outputs.push_back(FeedOutput::Close);
                self.line.on_lost(now);
            }
            Some(Due::Renew) => {
                self.outputs.push_back(FeedOutput::Close);
                self.line.renew(now);
            }
            None => {}
        }
    }

    /// When [`ReportSession::on_time`] must be called at the latest, on the monotonic clock.
    #[must_use]
    pub const fn next_deadline(&self) -> u64 {
        self.line.next_deadline()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<FeedOutput> {
        self.outputs.pop_front()
    }

    /// What has been counted.
    #[must_use]
    pub const fn counts(&self) -> FeedCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time { mono_ns: Time::SECOND, wall_ns: 1_790_000_000 * Time::SECOND };

    fn said(event: u64) -> String {
        format!(
            "{{\"match_id\":\"m\",\"market\":\"a-b\",\"yes\":\"first\",\"source\":\"s\",\"tier\":\"official\",\"state\":\"live\",\
             \"first_ppm\":700000,\"confidence_ppm\":990000,\"event\":{event},\"source_wall_ms\":1790000000000}}"
        )
    }

    #[test]
    fn reports_come_in_their_order_and_nonsense_is_counted() {
        let mut session = ReportSession::new(FeedSettings::default(), 7, START);
        session.on_time(START);
        assert_eq!(session.poll_output(), Some(FeedOutput::Connect { attempt: 0 }));
        session.on_open(START);
        for text in [said(1), "{}".to_owned(), String::new(), said(2), said(3).replace("live", "later")] {
            session.on_text(text.as_bytes(), START);
        }
        assert_eq!(session.take_reports().map(|report| report.event).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((session.counts().reports, session.counts().undecodable), (2, 3));
        for event in 0..2_000 {
            session.on_text(said(event).as_bytes(), START);
        }
        assert_eq!(session.take_reports().count(), MOST_WAITING, "what waits is bounded");
    }

    #[test]
    fn a_silent_source_is_connected_to_again() {
        let mut session = ReportSession::new(FeedSettings::default(), 7, START);
        session.on_time(START);
        session.on_open(START);
        session.poll_output();
        let silent = START.plus_ns(10 * Time::SECOND);
        session.on_time(silent);
        assert_eq!(session.poll_output(), Some(FeedOutput::Close));
        assert!(session.next_deadline() > silent.mono_ns);
    }
}
