//! How inputs and outputs become payloads, and back.

use oddsmith_domain::{Action, Event, Input, InstanceId, Output, OutputBody, Scope};
use serde::Serialize;
use thiserror::Error;

use crate::format::{Ids, Kind};

/// Why a payload could not be written or read.
#[derive(Debug, Error)]
pub enum CodecError {
    /// It could not be encoded.
    #[error("cannot encode a record: {0}")]
    Encode(postcard::Error),
    /// It is not what its kind says, although its checksum is right: another version wrote it.
    #[error("a record's payload does not fit its kind: {0}")]
    Decode(postcard::Error),
    /// There is more than the value.
    #[error("a record's payload has {0} bytes too many")]
    Trailing(usize),
}

/// A payload with what the record says of it.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    /// What it is.
    pub kind: Kind,
    /// What it speaks of.
    pub ids: Ids,
    /// The bytes.
    pub payload: &'a [u8],
}

/// Encodes payloads into one buffer, which is used again: no allocation once it has grown to the longest payload.
#[derive(Debug, Default)]
pub struct Encoder {
    scratch: Vec<u8>,
}

impl Encoder {
    /// Encodes an input.
    ///
    /// # Errors
    /// [`CodecError::Encode`], which no value of the domain causes.
    pub fn input(&mut self, input: &Input<'_>) -> Result<Encoded<'_>, CodecError> {
        let (kind, ids) = (input_kind(input), Ids::default());
        Ok(Encoded { kind, ids, payload: self.bytes(input)? })
    }

    /// Encodes an output.
    ///
    /// # Errors
    /// [`CodecError::Encode`], which no value of the domain causes.
    pub fn output(&mut self, output: &Output) -> Result<Encoded<'_>, CodecError> {
        let (kind, ids) = match &output.body {
            OutputBody::Action(action) => describe_action(action),
            OutputBody::Event(event) => describe_event(event),
        };
        Ok(Encoded { kind, ids, payload: self.bytes(output)? })
    }

    fn bytes<T: Serialize>(&mut self, value: &T) -> Result<&[u8], CodecError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.scratch = postcard::to_extend(value, scratch).map_err(CodecError::Encode)?;
        Ok(&self.scratch)
    }
}

/// Decodes an input; frames borrow the payload.
///
/// # Errors
/// [`CodecError`] when the payload is not exactly an input.
pub fn decode_input(payload: &[u8]) -> Result<Input<'_>, CodecError> {
    whole(postcard::take_from_bytes(payload))
}

/// Decodes an output.
///
/// # Errors
/// [`CodecError`] when the payload is not exactly an output.
pub fn decode_output(payload: &[u8]) -> Result<Output, CodecError> {
    whole(postcard::take_from_bytes(payload))
}

fn whole<T>(taken: Result<(T, &[u8]), postcard::Error>) -> Result<T, CodecError> {
    match taken.map_err(CodecError::Decode)? {
        (value, []) => Ok(value),
        (_, rest) => Err(CodecError::Trailing(rest.len())),
    }
}

const fn input_kind(input: &Input<'_>) -> Kind {
    match input {
        Input::Setup(_) => Kind::SETUP,
        Input::Card(_) => Kind::CARD,
        Input::Market { .. } => Kind::MARKET,
        Input::User { .. } => Kind::USER,
        Input::Gateway(_) => Kind::GATEWAY,
        Input::Link { .. } => Kind::LINK,
        Input::Command(_) => Kind::COMMAND,
        Input::Tick => Kind::TICK,
        Input::Guard(_) => Kind::GUARD,
        Input::Restore(_) => Kind::RESTORE,
        Input::Protocol(_) => Kind::PROTOCOL,
        Input::Evaluated { .. } => Kind::EVALUATED,
        Input::Reference(_) => Kind::REFERENCE,
        Input::Truth(_) => Kind::TRUTH,
        Input::Listed(_) => Kind::LISTED,
    }
}

fn describe_action(action: &Action) -> (Kind, Ids) {
    let none = Ids::default();
    match action {
        Action::Place(place) => (
            Kind::PLACE,
            Ids {
                market: Some(place.asset.market()),
                instance: Some(place.instance),
                intent: Some(place.intent),
                order: Some(place.id),
            },
        ),
        Action::Cancel { order, asset } => {
            (Kind::CANCEL, Ids { market: Some(asset.market()), order: Some(*order), ..none })
        }
        Action::CancelMarket { market } => (Kind::CANCEL_MARKET, Ids { market: Some(*market), ..none }),
        Action::CancelAll => (Kind::CANCEL_ALL, none),
        Action::Query { order } => (Kind::QUERY, Ids { order: Some(*order), ..none }),
        Action::Heartbeat => (Kind::HEARTBEAT, none),
        Action::Subscribe { .. } => (Kind::SUBSCRIBE, none),
        Action::Fetch(_) => (Kind::FETCH, none),
        Action::Unsubscribe { .. } => (Kind::UNSUBSCRIBE, none),
        Action::Merge { market, .. } => (Kind::MERGE, Ids { market: Some(*market), ..none }),
        Action::Redeem { market } => (Kind::REDEEM, Ids { market: Some(*market), ..none }),
        Action::Convert(what) => (Kind::CONVERT, Ids { market: what.from.first().copied(), ..none }),
    }
}

fn describe_event(event: &Event) -> (Kind, Ids) {
    let none = Ids::default();
    let of = |instance: &InstanceId, market| Ids { instance: Some(*instance), market: Some(market), ..none };
    let scoped = |scope: &Scope| match scope {
        Scope::Market(market) => Ids { market: Some(*market), ..none },
        Scope::Wallet => none,
        Scope::Instance(instance) => Ids { instance: Some(*instance), ..none },
    };
    match event {
        Event::Decision { instance, market, intent, .. } => {
            (Kind::DECISION, Ids { intent: Some(*intent), ..of(instance, *market) })
        }
        Event::Order { order, .. } => (Kind::ORDER, Ids { order: Some(*order), ..none }),
        Event::IllegalTransition { order, .. } => (Kind::ILLEGAL_TRANSITION, Ids { order: Some(*order), ..none }),
        Event::IllegalSettlement { order, .. } => (Kind::ILLEGAL_SETTLEMENT, Ids { order: Some(*order), ..none }),
        Event::Fill { order, instance, asset, .. } => {
            (Kind::FILL, Ids { market: Some(asset.market()), instance: *instance, order: Some(*order), intent: None })
        }
        Event::Settlement { order, .. } => (Kind::SETTLEMENT, Ids { order: Some(*order), ..none }),
        Event::Ledger { instance, market, .. } => (Kind::LEDGER, of(instance, *market)),
        Event::Denied { instance, market, .. } => (Kind::DENIED, of(instance, *market)),
        Event::Residual { instance, market, .. } => (Kind::RESIDUAL, of(instance, *market)),
        Event::BasketTaken { instance, intent, .. } => {
            (Kind::BASKET_TAKEN, Ids { instance: Some(*instance), intent: Some(*intent), ..none })
        }
        Event::Basket { instance, .. } => (Kind::BASKET, Ids { instance: Some(*instance), ..none }),
        Event::BasketAbandoned { instance, .. } => (Kind::BASKET_ABANDONED, Ids { instance: Some(*instance), ..none }),
        Event::Book { asset, .. } => (Kind::BOOK, Ids { market: Some(asset.market()), ..none }),
        Event::DoubtBegan { scope, .. } => (Kind::DOUBT_BEGAN, scoped(scope)),
        Event::DoubtCanceled { scope } => (Kind::DOUBT_CANCELED, scoped(scope)),
        Event::DoubtCleared { scope } => (Kind::DOUBT_CLEARED, scoped(scope)),
        Event::DoubtEnded { scope } => (Kind::DOUBT_ENDED, scoped(scope)),
        Event::CautionEnded { scope } => (Kind::CAUTION_ENDED, scoped(scope)),
        Event::VenueMode { .. } => (Kind::VENUE_MODE, none),
        Event::Withdrawn { order, .. } => (Kind::WITHDRAWN, Ids { order: Some(*order), ..none }),
        Event::Repelled { instance, market, .. } => (Kind::REPELLED, of(instance, *market)),
        Event::Breaker { .. } => (Kind::BREAKER, none),
        Event::Degraded { market, .. } => (Kind::DEGRADED, Ids { market: Some(*market), ..none }),
        Event::Booking { instance, market, .. } => (Kind::BOOKING, of(instance, *market)),
        Event::Capital { .. } => (Kind::CAPITAL, none),
        Event::Resolved { market, .. } => (Kind::RESOLVED, Ids { market: Some(*market), ..none }),
        Event::AccountRead { .. } => (Kind::ACCOUNT_READ, none),
        Event::AccountRejected { .. } => (Kind::ACCOUNT_REJECTED, none),
        Event::PollBegan => (Kind::POLL_BEGAN, none),
        Event::PollEnded { .. } => (Kind::POLL_ENDED, none),
        Event::Difference { market, .. } => (Kind::DIFFERENCE, Ids { market: *market, ..none }),
        Event::Undecodable { .. } => (Kind::UNDECODABLE, none),
        Event::Refused { order, .. } => (Kind::REFUSED, Ids { order: Some(*order), ..none }),
        Event::Began { .. } => (Kind::BEGAN, none),
        Event::Numbered { market, .. } => (Kind::NUMBERED, Ids { market: Some(*market), ..none }),
        Event::Restored { .. } => (Kind::RESTORED, none),
        Event::Alert { .. } => (Kind::ALERT, none),
        Event::Latched(_) => (Kind::LATCHED, none),
        Event::Unlatched { .. } => (Kind::UNLATCHED, none),
        Event::Profit(_) => (Kind::PROFIT, none),
        Event::State { market, instance, .. } => {
            (Kind::STATE, Ids { market: Some(*market), instance: *instance, ..none })
        }
        Event::SlowEvaluation { instance, .. } => (Kind::SLOW_EVALUATION, Ids { instance: Some(*instance), ..none }),
        Event::Unfamiliar { .. } => (Kind::UNFAMILIAR, none),
        Event::Listing { market, .. } => (Kind::LISTING, Ids { market: Some(*market), ..none }),
        Event::FairValue { instance, market, .. } => {
            (Kind::FAIR_VALUE, Ids { market: Some(*market), instance: Some(*instance), ..none })
        }
        Event::Reasons { instance, market, intent, .. } => {
            (Kind::REASONS, Ids { intent: Some(*intent), ..of(instance, *market) })
        }
        Event::Paused { market, instance, .. } => (Kind::PAUSED, of(instance, *market)),
        Event::Unpaused { market, instance, .. } => (Kind::UNPAUSED, of(instance, *market)),
        Event::Selection { instance, .. } => (Kind::SELECTION, Ids { instance: Some(*instance), ..none }),
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{LinkState, MarketId, MarketSource, OrderId};

    use super::*;

    #[test]
    fn inputs_survive_and_frames_borrow() {
        let mut encoder = Encoder::default();
        let frame = br#"[{"event_type":"book"}]"#;
        let input = Input::Market { source: MarketSource::Shard(3), bytes: frame };
        let encoded = encoder.input(&input).expect("encodes");
        assert_eq!(encoded.kind, Kind::MARKET);
        assert_eq!(decode_input(encoded.payload).expect("decodes"), input);
        let link = Input::Link { link: oddsmith_domain::Link::User, state: LinkState::Down("gone".into()) };
        assert_eq!(decode_input(encoder.input(&link).expect("encodes").payload).expect("decodes"), link);
    }

    #[test]
    fn outputs_survive_and_name_what_they_speak_of() {
        let mut encoder = Encoder::default();
        let order = OrderId([5; 32]);
        let asset = MarketId(4).asset(oddsmith_domain::Outcome::No);
        let output = Output { seq: 9, body: OutputBody::Action(Action::Cancel { order, asset }) };
        let encoded = encoder.output(&output).expect("encodes");
        assert_eq!(encoded.kind, Kind::CANCEL);
        assert_eq!(encoded.ids, Ids { market: Some(MarketId(4)), order: Some(order), ..Ids::default() });
        assert_eq!(decode_output(encoded.payload).expect("decodes"), output);
    }

    #[test]
    fn foreign_payloads_are_refused() {
        assert!(matches!(decode_input(&[200]), Err(CodecError::Decode(_))));
        let mut encoder = Encoder::default();
        let mut bytes = encoder.input(&Input::Tick).expect("encodes").payload.to_vec();
        bytes.push(0);
        assert!(matches!(decode_input(&bytes), Err(CodecError::Trailing(1))));
    }
}
