//! The sources outside of the venue, for who only writes down what they say.

use oddsmith_domain::{Input, Link, LinkState, MarketSource, Time};
use oddsmith_net::{Intake, NetError};

use super::desk::Desk;
use crate::live::{Outside, PRICES, Sources, TRUTH};

/// See the [module](self).
pub struct Feeds {
    outside: Outside,
    changes: Changes,
}

/// Of everything that is made of the messages, the changes of connections are written down; the rest is made again from the messages by
/// who reads them.
#[derive(Default)]
struct Changes(Vec<(&'static str, LinkState)>);

impl Intake for Changes {
    fn frame(&mut self, _: MarketSource, _: &[u8]) {}

    fn user(&mut self, _: &[u8]) {}

    fn input(&mut self, input: Input<'static>) {
        if let Input::Link { link, state } = input {
            let source = if matches!(link, Link::Reference(_)) { PRICES } else { TRUTH };
            self.0.push((source, state));
        }
    }
}

impl Feeds {
    /// Sources that begin to connect.
    ///
    /// # Errors
    /// As [`Outside::new`].
    pub fn new(sources: Sources, seed: u64, now: Time) -> Result<Feeds, NetError> {
        Ok(Feeds { outside: Outside::new(sources, seed, now)?, changes: Changes::default() })
    }

    /// When something is due at the latest, on the monotonic clock.
    pub fn next_deadline(&self) -> u64 {
        self.outside.next_deadline().unwrap_or(u64::MAX)
    }

    /// Waits until something has arrived.
    pub async fn wait(&mut self) {
        self.outside.wait().await;
    }

    /// Has everything written down that has arrived.
    pub async fn drain(&mut self, desk: &mut Desk, now: Time) {
        self.outside.glance().await;
        self.outside.drain(&mut self.changes, |source, bytes| desk.heard(source, bytes), now);
        for (source, state) in self.changes.0.drain(..) {
            desk.feed_link(source, &state);
        }
    }
}
