//! The user channel: authenticated, by condition id.

use std::collections::{BTreeSet, VecDeque};

use oddsmith_domain::{ConditionId, Link, LinkState, Time};

use super::wire::{Due, SessionOutput, SessionSettings, Wire};
use crate::wire::ApiKeyCreds;

/// The connection to the user channel, without its socket.
///
/// The venue acknowledges nothing and closes without explanation when the key is wrong. The channel counts as up when
/// the first text after the authentication arrives: the PONG to the PING that follows it, at the latest.
#[derive(Debug)]
pub struct UserSession {
    wire: Wire,
    credentials: ApiKeyCreds,
    markets: BTreeSet<ConditionId>,
    confirmed: bool,
    data_since_ping: bool,
    outputs: VecDeque<SessionOutput>,
}

impl UserSession {
    /// A user channel that connects at once. `seed` decides the jitter of its waits.
    #[must_use]
    pub fn new(credentials: ApiKeyCreds, settings: SessionSettings, seed: u64, now: Time) -> UserSession {
        UserSession {
            wire: Wire::new(settings, seed, now),
            credentials,
            markets: BTreeSet::new(),
            confirmed: false,
            data_since_ping: false,
            outputs: VecDeque::new(),
        }
    }

    /// Whether the venue answered since the authentication.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.confirmed
    }

    /// How many attempts to connect have failed since the last healthy period.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.wire.attempt()
    }

    /// Follows more markets, from now on if connected. Without any, the venue sends the events of all.
    pub fn add(&mut self, markets: &[ConditionId]) {
        let added: Vec<_> = markets.iter().copied().filter(|market| self.markets.insert(*market)).collect();
        if self.wire.is_open() && !added.is_empty() {
            let text = format!(r#"{{"operation":"subscribe","markets":[{}]}}"#, quoted(&added));
            self.outputs.push_back(SessionOutput::SendText(text));
        }
    }

    /// Stops following markets.
    pub fn remove(&mut self, markets: &[ConditionId]) {
        let removed: Vec<_> = markets.iter().copied().filter(|market| self.markets.remove(market)).collect();
        if self.wire.is_open() && !removed.is_empty() {
            let text = format!(r#"{{"operation":"unsubscribe","markets":[{}]}}"#, quoted(&removed));
            self.outputs.push_back(SessionOutput::SendText(text));
        }
    }

    /// The connection stands.
    pub fn on_open(&mut self, now: Time) {
        self.wire.on_open(now);
        self.confirmed = false;
        let markets: Vec<_> = self.markets.iter().copied().collect();
        let ApiKeyCreds { api_key, secret, passphrase } = &self.credentials;
        let auth = serde_json::json!({ "apiKey": api_key, "secret": secret, "passphrase": passphrase });
        let text = format!(r#"{{"type":"user","auth":{auth},"markets":[{}]}}"#, quoted(&markets));
        self.outputs.push_back(SessionOutput::SendText(text));
        self.on_time(now);
    }

    /// The connection could not be had, or ended.
    pub fn on_closed(&mut self, reason: &str, now: Time) {
        if self.wire.is_waiting() {
            return;
        }
        if self.wire.is_open() && !self.confirmed {
            self.lose(&format!("{reason}, right after the authentication: the API key was probably refused"), now);
        } else {
            self.lose(reason, now);
        }
    }

    /// A text frame came. Says whether it is data, to be passed on, or only the answer to a PING.
    pub fn on_text(&mut self, text: &[u8]) -> bool {
        let is_data = text != b"PONG";
        if is_data {
            self.data_since_ping = true;
        } else {
            self.wire.on_pong();
        }
        if !self.confirmed && self.wire.is_open() {
            self.confirmed = true;
            self.change(LinkState::Up);
        } else if !is_data && !self.data_since_ping {
            self.change(LinkState::Alive);
        }
        is_data
    }

    /// Time passed.
    pub fn on_time(&mut self, now: Time) {
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
    }

    /// When [`UserSession::on_time`] must be called at the latest, on the monotonic clock.
    #[must_use]
    pub fn next_deadline(&self) -> u64 {
        self.wire.next_deadline()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    fn lose(&mut self, reason: &str, now: Time) {
        self.wire.on_lost(now);
        self.confirmed = false;
        self.change(LinkState::Down(format!("{reason} (attempt {})", self.wire.attempt())));
    }

    fn change(&mut self, state: LinkState) {
        self.outputs.push_back(SessionOutput::LinkChange { link: Link::User, state });
    }
}

fn quoted(markets: &[ConditionId]) -> String {
    markets.iter().map(|market| format!("\"{market}\"")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::default().plus_ns(ms * Time::MILLI)
    }

    fn session() -> UserSession {
        let credentials =
            ApiKeyCreds { api_key: "key".into(), secret: "se\"cret=".into(), passphrase: "phrase".into() };
        UserSession::new(credentials, SessionSettings::default(), 1, at(0))
    }

    fn drain(session: &mut UserSession) -> Vec<SessionOutput> {
        std::iter::from_fn(|| session.poll_output()).collect()
    }

    fn condition(text: &str) -> ConditionId {
        ConditionId::parse(text).expect("a condition")
    }

    #[test]
    fn authenticates_subscribes_and_is_up_when_the_venue_answers() {
        let mut user = session();
        user.add(&[condition("0xab")]);
        user.on_time(at(0));
        assert_eq!(drain(&mut user), [SessionOutput::Connect { attempt: 0 }]);
        user.on_open(at(5));
        let [SessionOutput::SendText(first), SessionOutput::SendText(ping)] = &drain(&mut user)[..] else {
            panic!("an authentication and a PING");
        };
        let frame: serde_json::Value = serde_json::from_str(first).expect("JSON");
        assert_eq!(frame["auth"]["secret"], "se\"cret=");
        assert_eq!(frame["type"], "user");
        assert_eq!(frame["markets"][0], "0xab");
        assert_eq!(ping, "PING");
        assert!(!user.is_live());
        assert!(!user.on_text(b"PONG"));
        assert_eq!(drain(&mut user), [SessionOutput::LinkChange { link: Link::User, state: LinkState::Up }]);
        user.add(&[condition("0xcd")]);
        let SessionOutput::SendText(add) = &drain(&mut user)[0] else { panic!("a text") };
        assert_eq!(add, r#"{"operation":"subscribe","markets":["0xcd"]}"#);
    }

    #[test]
    fn a_refused_key_is_named() {
        let mut user = session();
        user.on_time(at(0));
        user.on_open(at(5));
        drain(&mut user);
        user.on_closed("the venue closed", at(10));
        let [SessionOutput::LinkChange { state: LinkState::Down(why), .. }] = &drain(&mut user)[..] else {
            panic!("down");
        };
        assert!(why.contains("API key was probably refused") && why.contains("attempt 1"), "{why}");
        assert!(user.next_deadline() >= at(1_010).mono_ns);
    }

    #[test]
    fn a_missed_pong_is_a_disconnect() {
        let mut user = session();
        user.on_time(at(0));
        user.on_open(at(0));
        user.on_text(b"PONG");
        drain(&mut user);
        user.on_time(at(5_000));
        assert_eq!(drain(&mut user), [SessionOutput::SendText("PING".into())]);
        user.on_time(at(14_999));
        assert_eq!(drain(&mut user), [SessionOutput::SendText("PING".into())]);
        user.on_time(at(15_000));
        assert_eq!(drain(&mut user)[0], SessionOutput::Close);
    }

    #[test]
    fn secrets_are_not_printed() {
        let text = format!("{:?}", session());
        assert!(!text.contains("phrase\"") && !text.contains("cret="), "{text}");
    }
}
