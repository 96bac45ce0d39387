//! What a piece of JSON is, before it is decoded: its kind for the count, and the tokens that it names.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The names that a recording of this venue can hold.
#[derive(Debug, Default)]
pub(super) struct Peek<'p> {
    event_type: Option<Cow<'p, str>>,
    /// `type`, `e` or `topic`: how other feeds say what a message is.
    other: [Option<Cow<'p, str>>; 3],
    stream: Option<Cow<'p, str>>,
    /// What a recorder did, or from where it says that a message came.
    recorder: [Option<Cow<'p, str>>; 2],
    pub market: Option<Cow<'p, str>>,
    pub asset: Option<Cow<'p, str>>,
    changes: Option<&'p RawValue>,
    /// Which of the telling fields are there.
    has: Has,
}

#[derive(Clone, Copy, Debug, Default)]
struct Has {
    bids: bool,
    asks: bool,
    event_type: bool,
    new_tick: bool,
    fee_rate: bool,
    price: bool,
    size: bool,
    product: bool,
    pyth: bool,
    error: bool,
    update_id: bool,
}

/// What is to be done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message of the market channel, or something that claims to be one.
    Stream(String),
    /// A book read by REST.
    Rest,
    /// A book that does not say whose it is.
    NamelessBook,
    /// Something else that is known for what it is: counted under this name.
    Other(String),
    /// Nothing that can be named.
    Nothing,
}

/// The longest name that is counted under itself.
const NAME_BYTES: usize = 48;

impl<'p> Peek<'p> {
    /// Looks at one object; `None` for anything else.
    pub fn at(json: &'p str) -> Option<Peek<'p>> {
        serde_json::from_str(json).ok()
    }

    pub fn kind(&self, source: &str) -> Kind {
        if let Some(name) = &self.event_type {
            return Kind::Stream(clip(name));
        }
        if self.has.event_type {
            return Kind::Stream(String::from("event_type?"));
        }
        let [named, binance, topic] = &self.other;
        let changes_or_tick = if self.changes.is_some() {
            Some("price_change")
        } else if self.has.new_tick {
            Some("tick_size_change")
        } else {
            (self.has.price && self.has.fee_rate && self.asset.is_some()).then_some("last_trade_price")
        };
        if let Some(name) = changes_or_tick {
            Kind::Stream(name.to_owned())
        } else if self.has.update_id && self.has.bids {
            Kind::Other(String::from("binance.snapshot"))
        } else if self.has.bids && self.has.asks && binance.is_none() && self.stream.is_none() {
            if self.asset.is_some() { Kind::Rest } else { Kind::NamelessBook }
        } else if let Some(topic) = topic {
            Kind::Other(clip(&format!("rtds.{topic}")))
        } else if let Some(stream) = &self.stream {
            let event = stream.split_once('@').map_or(&**stream, |(_, event)| event);
            Kind::Other(clip(&format!("binance.{event}")))
        } else if let Some(event) = binance {
            Kind::Other(clip(&format!("binance.{event}")))
        } else if let Some(name) = named {
            let source = if self.has.product {
                "coinbase"
            } else if source.is_empty() {
                "other"
            } else {
                source
            };
            Kind::Other(clip(&format!("{source}.{name}")))
        } else if self.has.pyth {
            Kind::Other(String::from("pyth.prices"))
        } else if self.has.error {
            Kind::Other(String::from("rest.error"))
        } else if self.has.price && self.has.size {
            Kind::Other(String::from("trade"))
        } else if let [Some(did), _] = &self.recorder {
            Kind::Other(clip(&format!("recorder.{did}")))
        } else if let [_, Some(source)] = &self.recorder {
            Kind::Other(clip(source))
        } else {
            Kind::Nothing
        }
    }

    /// The tokens that the message is about.
    pub fn assets(&self) -> Vec<Cow<'p, str>> {
        let changes = self.changes.and_then(|raw| serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok());
        let named = changes.unwrap_or_default().into_iter().filter_map(|entry| Peek::at(entry.get())?.asset);
        self.asset.iter().cloned().chain(named).collect()
    }
}

fn clip(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME_BYTES).collect()
}

struct Text<'p>(Option<Cow<'p, str>>);

impl<'p> Deserialize<'p> for Text<'p> {
    fn deserialize<D: Deserializer<'p>>(deserializer: D) -> Result<Text<'p>, D::Error> {
        let raw = <&'p RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let plain = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|text| !text.contains('\\'));
        Ok(Text(match plain {
            Some(text) => Some(Cow::Borrowed(text)),
            None => serde_json::from_str::<String>(text).ok().map(Cow::Owned),
        }))
    }
}

impl<'p> Deserialize<'p> for Peek<'p> {
    fn deserialize<D: Deserializer<'p>>(deserializer: D) -> Result<Peek<'p>, D::Error> {
        struct Fields;
        impl<'p> Visitor<'p> for Fields {
            type Value = Peek<'p>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<Peek<'p>, A::Error> {
                let mut peek = Peek::default();
                while let Some(Text(key)) = map.next_key()? {
                    peek.field(&key.unwrap_or_default(), &mut map)?;
                }
                Ok(peek)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'p> Peek<'p> {
    fn field<A: MapAccess<'p>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "event_type" => {
                self.has.event_type = true;
                self.event_type = map.next_value::<Text<'p>>()?.0;
            }
            "type" => self.other[0] = map.next_value::<Text<'p>>()?.0,
            "e" => self.other[1] = map.next_value::<Text<'p>>()?.0,
            "topic" => self.other[2] = map.next_value::<Text<'p>>()?.0,
            "stream" => self.stream = map.next_value::<Text<'p>>()?.0,
            "dir" => self.recorder[0] = map.next_value::<Text<'p>>()?.0,
            "source" => self.recorder[1] = map.next_value::<Text<'p>>()?.0,
            "market" => self.market = map.next_value::<Text<'p>>()?.0,
            "asset_id" => self.asset = map.next_value::<Text<'p>>()?.0,
            "price_changes" => self.changes = Some(map.next_value()?),
            _ => {
                map.next_value::<IgnoredAny>()?;
                self.telling(key);
            }
        }
        Ok(())
    }

    fn telling(&mut self, key: &str) {
        let has = &mut self.has;
        match key {
            "bids" => has.bids = true,
            "asks" => has.asks = true,
            "new_tick_size" => has.new_tick = true,
            "fee_rate_bps" => has.fee_rate = true,
            "price" => has.price = true,
            "size" => has.size = true,
            "product_id" | "channels" => has.product = true,
            "parsed" => has.pyth = true,
            "error" => has.error = true,
            "lastUpdateId" => has.update_id = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(json: &str) -> Kind {
        Peek::at(json).map_or(Kind::Nothing, |peek| peek.kind("recorder"))
    }

    #[test]
    fn every_feed_is_counted_as_what_it_is() {
        let other = |name: &str| Kind::Other(name.to_owned());
        let stream = |name: &str| Kind::Stream(name.to_owned());
        for (json, expected) in [
            (r#"{"event_type":"book","bids":[],"asks":[]}"#, stream("book")),
            (r#"{"event_type":"something_new"}"#, stream("something_new")),
            (r#"{"event_type":5}"#, stream("event_type?")),
            (r#"{"asset_id":"1","bids":[],"asks":[]}"#, Kind::Rest),
            (r#"{"bids":[],"asks":[],"timestamp":"1"}"#, Kind::NamelessBook),
            (r#"{"market":"0x1","price_changes":[]}"#, stream("price_change")),
            (r#"{"stream":"btcusdt@trade","data":{}}"#, other("binance.trade")),
            (r#"{"e":"depthUpdate","bids":[],"asks":[]}"#, other("binance.depthUpdate")),
            (r#"{"type":"ticker","product_id":"BTC-USD"}"#, other("coinbase.ticker")),
            (r#"{"topic":"crypto_prices","type":"update","payload":{}}"#, other("rtds.crypto_prices")),
            (r#"{"binary":{},"parsed":[]}"#, other("pyth.prices")),
            (r#"{"type":"book_snapshot","data":{}}"#, other("recorder.book_snapshot")),
            (r#"{"error":"market not found"}"#, other("rest.error")),
            (r#"{"price":"0.4","size":"5","side":"buy"}"#, other("trade")),
            (r#"{"lastUpdateId":1,"bids":[],"asks":[]}"#, other("binance.snapshot")),
            (r#"{"dir":"close","data":{}}"#, other("recorder.close")),
            (r#"{"source":"chainlink","asset":"BTC","price":1}"#, other("chainlink")),
            (r#"{"foo":1}"#, Kind::Nothing),
            ("[1]", Kind::Nothing),
        ] {
            assert_eq!(kind(json), expected, "{json}");
        }
    }

    #[test]
    fn all_tokens_of_a_message_are_named() {
        let json = r#"{"market":"0x1","price_changes":[{"asset_id":"11"},{"asset_id":"\u0032\u0032"},{"price":1},7]}"#;
        assert_eq!(Peek::at(json).map(|peek| peek.assets()), Some(vec!["11".into(), "22".into()]));
    }
}
