//! What is asked again and again besides trading: which markets there are, and which protocol the venue speaks.

use std::time::Duration;

use oddsmith_domain::{ConditionId, Input, MarketCard, Time, VenueProtocol};
use oddsmith_polymarket::codec::rest::Protocol;
use oddsmith_polymarket::discovery::{Discovery, DiscoveryCounts, Sweep, Swept};

use crate::{EdgeSettings, Finder, NetError, Target, Venue};

/// Something to be asked on the side.
pub(crate) enum Errand {
    Sweep(Box<Sweep>),
    Protocol,
}

/// What came back.
pub(crate) enum Report {
    Swept(Result<Swept, NetError>),
    Protocol(Result<Protocol, NetError>),
}

/// See the [module](self).
pub(crate) struct Scout {
    discovery: Discovery,
    gamma: Target,
    rest: Target,
    timeout: Duration,
    protocol_every_ns: u64,
    protocol_at: Option<u64>,
}

impl Scout {
    pub(crate) fn new(settings: &EdgeSettings, now: Time) -> Result<Scout, NetError> {
        let protocol_every_ns = settings.protocol_every_ms.saturating_mul(Time::MILLI);
        Ok(Scout {
            discovery: Discovery::new(settings.discovery.clone(), settings.seed ^ 0x64, now),
            gamma: Target::parse(&settings.gamma_url)?,
            rest: Target::parse(&settings.rest_url)?,
            timeout: Duration::from_millis(settings.side_timeout_ms),
            protocol_every_ns,
            protocol_at: Some(now.mono_ns.saturating_add(protocol_every_ns)),
        })
    }

    pub(crate) const fn counts(&self) -> DiscoveryCounts {
        self.discovery.counts()
    }

    pub(crate) fn follow(&mut self, card: &MarketCard) {
        self.discovery.follow(card);
    }

    pub(crate) fn forget(&mut self, condition: &ConditionId) {
        self.discovery.forget(condition);
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        [self.discovery.next_deadline(), self.protocol_at].into_iter().flatten().min()
    }

    /// The next errand that is due; to be asked until there is none.
    pub(crate) fn due(&mut self, now: Time) -> Option<Errand> {
        if self.protocol_at.is_some_and(|at| at <= now.mono_ns) {
            self.protocol_at = None;
            return Some(Errand::Protocol);
        }
        self.discovery.on_time(now).map(|sweep| Errand::Sweep(Box::new(sweep)))
    }

    /// The work of an errand, to be done on a side thread.
    pub(crate) fn job(&self, errand: Errand) -> impl FnOnce() -> Report + Send + 'static {
        let (gamma, rest, timeout) = (self.gamma.clone(), self.rest.clone(), self.timeout);
        move || match errand {
            Errand::Sweep(sweep) => Report::Swept(Finder::new(gamma, rest, timeout).sweep(*sweep)),
            Errand::Protocol => Report::Protocol(Venue::new(rest, timeout).protocol()),
        }
    }

    /// What the engine is to be told of a report.
    pub(crate) fn on_report(&mut self, report: Report, now: Time) -> Vec<Input<'static>> {
        match report {
            Report::Protocol(answer) => {
                self.protocol_at = Some(now.mono_ns.saturating_add(self.protocol_every_ns));
                match answer {
                    Ok(protocol) => vec![Input::Protocol(stated(protocol))],
                    Err(why) => {
                        tracing::warn!(%why, "the venue's protocol version could not be read");
                        Vec::new()
                    }
                }
            }
            Report::Swept(swept) => {
                let swept = swept.inspect_err(|why| tracing::warn!(%why, "the markets could not be listed")).ok();
                for fault in swept.iter().flat_map(|swept| &swept.faults) {
                    tracing::warn!(%fault, "a market that was not understood");
                }
                let told = self.discovery.on_swept(swept, now);
                let list = self.discovery.take_list().map(Input::Listed);
                told.into_iter().map(|card| Input::Card(Box::new(card))).chain(list).collect()
            }
        }
    }
}

/// What the venue said of its protocol, in the engine's words.
#[must_use]
pub const fn stated(protocol: Protocol) -> VenueProtocol {
    match protocol {
        Protocol::Supported => VenueProtocol::Supported,
        Protocol::ReadOnly { version } => VenueProtocol::Unknown(version),
    }
}
