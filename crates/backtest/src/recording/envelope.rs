//! What recorders put around a frame.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr_iter};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Needle;

/// A frame taken out of what the recorder put around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwrapped<'p> {
    /// The frame's own bytes.
    pub frame: Cow<'p, [u8]>,
    /// When it was received, in nanoseconds on whatever clock the recorder used; `None` when it did not say.
    pub received_ns: Option<u64>,
    /// The name that the recorder gave to where it came from.
    pub source: Source<'p>,
}

/// Where a frame came from, in the recorder's words; empty when it did not say.
pub type Source<'p> = Cow<'p, str>;

/// The fields of an envelope that matter.
#[derive(Default)]
struct Envelope<'p> {
    payload: Option<&'p [u8]>,
    /// The other name of a payload, which counts only for what was received.
    data: Option<&'p [u8]>,
    is_received: bool,
    source: Source<'p>,
    has_topic: bool,
    /// The receive time, and the place of its name in [`TIMES`].
    received: Option<(usize, u64)>,
}

/// How recorders name the time at which they received a frame, the surest first.
const TIMES: [&str; 19] = [
    "recv_wall_ns",
    "recv_wall_us",
    "recv_wall_ms",
    "recv_wall_ts",
    "recv_ns",
    "recv_ms",
    "recv_ts",
    "recv_time",
    "received_ns",
    "received_ms",
    "received_at",
    "received",
    "receive_time",
    "local_timestamp",
    "local_ts",
    "ts",
    "t",
    "time",
    "timestamp",
];

/// A key of an object, without a copy where it has no escapes.
struct Key<'p>(Cow<'p, str>);

impl<'p> Deserialize<'p> for Key<'p> {
    fn deserialize<D: Deserializer<'p>>(deserializer: D) -> Result<Key<'p>, D::Error> {
        struct Text;
        impl<'p> Visitor<'p> for Text {
            type Value = Key<'p>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, text: &'p str) -> Result<Key<'p>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'p>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'p> Deserialize<'p> for Envelope<'p> {
    fn deserialize<D: Deserializer<'p>>(deserializer: D) -> Result<Envelope<'p>, D::Error> {
        struct Fields;
        impl<'p> Visitor<'p> for Fields {
            type Value = Envelope<'p>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<Envelope<'p>, A::Error> {
                let mut envelope = Envelope::default();
                while let Some(Key(key)) = map.next_key()? {
                    let value: &'p RawValue = map.next_value()?;
                    envelope.take(&key, value.get());
                }
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'p> Envelope<'p> {
    /// Reads an envelope as it usually is, without looking at what is in the frame: plain keys and values without space, and the frame, an
    /// object, behind them. `None` says no more than that it is not that.
    fn usual(piece: &'p [u8]) -> Option<Envelope<'p>> {
        let mut envelope = Envelope::default();
        let mut rest = piece.strip_prefix(b"{")?;
        loop {
            let key = plain(rest)?;
            rest = rest.get(key.len() + 2..)?.strip_prefix(b":")?;
            if key == "payload" {
                break;
            }
            let len = if rest.first() == Some(&b'"') { plain(rest)?.len() + 2 } else { whole_number(rest)? };
            let (value, behind) = rest.split_at_checked(len)?;
            envelope.take(key, std::str::from_utf8(value).ok()?);
            rest = behind.strip_prefix(b",")?;
        }
        let frame = rest.strip_suffix(b"}")?.trim_ascii();
        if !frame.starts_with(b"{") || !frame.ends_with(b"}") || may_end_before(frame) {
            return None;
        }
        envelope.payload = Some(frame);
        Some(envelope)
    }

    fn frame(&self) -> Option<&'p [u8]> {
        self.payload.or(self.data.filter(|_| self.is_received))
    }

    fn take(&mut self, key: &str, value: &'p str) {
        match key {
            "payload" => self.payload = Some(value.as_bytes()),
            "data" => self.data = Some(value.as_bytes()),
            "dir" => self.is_received = value == "\"recv\"",
            "topic" => self.has_topic = true,
            "source" => {
                if let Some(source) = plain(value.as_bytes()) {
                    self.source = Cow::Borrowed(source);
                } else if let Ok(Key(source)) = serde_json::from_str(value) {
                    self.source = source;
                }
            }
            _ => {
                let Some(rank) = TIMES.iter().position(|name| *name == key) else {
                    return;
                };
                if self.received.is_none_or(|(known, _)| rank < known)
                    && let Some(ns) = nanoseconds(value)
                {
                    self.received = Some((rank, ns));
                }
            }
        }
    }
}

/// The text of a string at the beginning, if nothing in it is written in another way than it is read.
fn plain(json: &[u8]) -> Option<&str> {
    let text = json.strip_prefix(b"\"")?;
    let len = text.iter().position(|byte| !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\'))?;
    let (text, behind) = text.split_at_checked(len)?;
    if behind.first() == Some(&b'"') { std::str::from_utf8(text).ok() } else { None }
}

/// The length of a whole number at the beginning.
fn whole_number(json: &[u8]) -> Option<usize> {
    let len = json.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (len == 1 || len > 1 && json.first() != Some(&b'0')).then_some(len)
}

/// Whether an object could end inside of this text, which begins with one, and be followed by another key: where it is not, and the whole
/// line is JSON, the object ends where the text does. Nothing else of it has to be read.
fn may_end_before(object: &[u8]) -> bool {
    memchr_iter(b'}', object).any(|end| {
        let behind = object.get(end + 1..).unwrap_or_default().trim_ascii_start();
        behind.strip_prefix(b",").is_some_and(|next| next.trim_ascii_start().starts_with(b"\""))
    })
}

/// Whether an object can have something in it that counts as a frame: not without its name, unless that is written with escapes.
fn may_hold_frame(object: &[u8]) -> bool {
    static NAMES: [Needle; 2] = [Needle::new("\"payload\""), Needle::new("\"dir\"")];
    NAMES.iter().any(|name| name.is_in(object)) || memchr(b'\\', object).is_some()
}

/// Takes the frame out of a piece of a recording. What is no envelope is a frame itself.
#[must_use]
pub fn unwrap(piece: &[u8]) -> Unwrapped<'_> {
    let (stamp, piece) = stamped(piece.trim_ascii());
    let envelope = if piece.first() == Some(&b'{') && may_hold_frame(piece) {
        Envelope::usual(piece).or_else(|| serde_json::from_slice(piece).ok())
    } else {
        None
    };
    opened(piece, stamp, envelope)
}

fn opened<'p>(piece: &'p [u8], stamp: Option<u64>, envelope: Option<Envelope<'p>>) -> Unwrapped<'p> {
    // A message of the venue's other data service has a payload of its own, under a topic.
    let Some((payload, envelope)) =
        envelope.filter(|envelope| !envelope.has_topic).and_then(|envelope| Some((envelope.frame()?, envelope)))
    else {
        return Unwrapped { frame: Cow::Borrowed(piece), received_ns: stamp, source: Cow::Borrowed("") };
    };
    let text = if payload.starts_with(b"\"") { serde_json::from_slice::<Key<'_>>(payload).ok() } else { None };
    let frame = match text {
        Some(Key(Cow::Borrowed(text))) => Cow::Borrowed(text.as_bytes()),
        Some(Key(Cow::Owned(text))) => Cow::Owned(text.into_bytes()),
        None => Cow::Borrowed(payload),
    };
    let received_ns = envelope.received.map(|(_, ns)| ns).or(stamp);
    Unwrapped { frame, received_ns, source: envelope.source }
}

/// Splits off a receive time that stands before the frame: `1777366911692 {…}`.
fn stamped(piece: &[u8]) -> (Option<u64>, &[u8]) {
    let digits = piece.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (stamp, rest) = piece.split_at(digits);
    let frame = rest.trim_ascii_start();
    if digits < 10 || rest.len() == frame.len() || !matches!(frame.first(), Some(b'{' | b'[')) {
        return (None, piece);
    }
    (std::str::from_utf8(stamp).ok().and_then(nanoseconds), frame)
}

/// A time since the epoch from a JSON number, or a text with one, in seconds, milli-, micro- or nanoseconds: for some 200
/// years around ours its size tells which. Or from a text such as `2026-10-05T23:15:25.682Z`.
fn nanoseconds(text: &str) -> Option<u64> {
    let text = text.trim_matches('"');
    // Whole numbers stay exact: an f64 holds no nanosecond of today.
    if let Ok(whole) = text.parse::<u64>() {
        return whole.checked_mul(unit_ns(whole as f64)? as u64);
    }
    match text.parse::<f64>() {
        Ok(value) => Some((value * unit_ns(value)?) as u64),
        Err(_) => calendar(text),
    }
}

/// The unit of a time since the epoch, in nanoseconds.
fn unit_ns(value: f64) -> Option<f64> {
    Some(match value {
        1e8..1e11 => 1e9,
        1e11..1e14 => 1e6,
        1e14..1e17 => 1e3,
        1e17..1e19 => 1.0,
        _ => return None,
    })
}

/// Nanoseconds of a time of the calendar in UTC.
fn calendar(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z').or(text.strip_suffix("+00:00"))?.split_once(['T', ' '])?;
    let numbers = |text: &str, separator| -> Option<[u64; 3]> {
        let mut parts = text.split(separator).map(|part| part.parse::<u64>().ok());
        let all = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(all)
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let ([year, month, day], [hours, minutes, seconds]) = (numbers(date, '-')?, numbers(clock, ':')?);
    let sane = (1970..2500).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !sane || hours > 23 || minutes > 59 || seconds > 60 || fraction.len() > 9 {
        return None;
    }
    let nanos = if fraction.is_empty() { 0 } else { format!("{fraction:0<9}").parse::<u64>().ok()? };
    // Days before this year's March the first, in years that begin in March: the leap day comes last.
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = shifted_year * 365 + leaps + (153 * shifted_month + 2) / 5 + day - 1;
    let since_epoch = days.checked_sub(719_468)?;
    let seconds = since_epoch * 86_400 + hours * 3_600 + minutes * 60 + seconds;
    Some(seconds * 1_000_000_000 + nanos)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn taken(piece: &str) -> (String, Option<u64>, String) {
        let unwrapped = unwrap(piece.as_bytes());
        let frame = String::from_utf8_lossy(&unwrapped.frame).into_owned();
        (frame, unwrapped.received_ns, unwrapped.source.into_owned())
    }

    #[test]
    fn every_shape_of_a_line() {
        let ns = 1_777_366_911_692_000_000;
        for (piece, frame, received, source) in [
            (r#"{"event_type":"book"}"#, r#"{"event_type":"book"}"#, None, ""),
            (r#" [{"a":1}] "#, r#"[{"a":1}]"#, None, ""),
            (r#"{"source":"x","recv_wall_ts":1777366911692,"payload":{"a":1}}"#, r#"{"a":1}"#, Some(ns), "x"),
            (
                r#"{"payload":"{\"a\":\"\\u00e9\"}\n","received_at":"1777366911.692"}"#,
                "{\"a\":\"\\u00e9\"}\n",
                Some(ns),
                "",
            ),
            (r#"{"ts":1777366911692000000,"payload":[{"a":1}]}"#, r#"[{"a":1}]"#, Some(ns), ""),
            (r#"1777366911692000 {"a":1}"#, r#"{"a":1}"#, Some(ns), ""),
            (
                r#"{"topic":"prices","type":"update","payload":{"a":1}}"#,
                r#"{"topic":"prices","type":"update","payload":{"a":1}}"#,
                None,
                "",
            ),
            (r#"{"recv_ts":"2026-04-28T09:01:51.692Z","payload":null}"#, "null", Some(ns), ""),
            (r#"{"t":1777366911.692,"dir":"recv","data":"PONG"}"#, "PONG", Some(ns), ""),
            (r#"{"dir":"send","data":"PING"}"#, r#"{"dir":"send","data":"PING"}"#, None, ""),
            (r#"{"type":"ticker","data":{}}"#, r#"{"type":"ticker","data":{}}"#, None, ""),
            (r#"{"timestamp":"1","time":1777366911692,"ts":true,"payload":{}}"#, "{}", Some(ns), ""),
            (r#"{"payload":"{\"cut"#, r#"{"payload":"{\"cut"#, None, ""),
            ("PONG", "PONG", None, ""),
            ("12 {}", "12 {}", None, ""),
        ] {
            assert_eq!(taken(piece), (frame.to_owned(), received, source.to_owned()), "{piece}");
        }
    }

    /// Lines of JSON around frames, most of them envelopes.
    fn line() -> impl Strategy<Value = String> {
        let key = select(vec![
            "payload",
            "payload",
            "source",
            "recv_wall_ns",
            "ts",
            "dir",
            "data",
            "topic",
            "socket",
            "pay\\u006coad",
            "else",
        ]);
        let value = select(vec![
            r#"{"a":1}"#,
            r#"{"market":"0x1", "price_changes":[{"a":1}, {"a":"}"}], "timestamp":"7"}"#,
            r#"{"a":{"b":1},"c":2}"#,
            r#"{"a":"},\"x\":"}"#,
            r#"[{"a":1}]"#,
            r#""{\"a\":1}""#,
            r#""polymarket""#,
            r#""recv""#,
            "1777366911692000000",
            "0",
            "-1.5e3",
            "null",
            "{}",
        ]);
        let space = || select(vec!["", "", "", " "]);
        let pair = (key, value, space()).prop_map(|(key, value, space)| format!("\"{key}\":{space}{value}"));
        (prop::collection::vec(pair, 0..5), space(), space())
            .prop_map(|(pairs, space, end)| format!("{{{}{end}}}{end}", pairs.join(&format!(",{space}"))))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_usual_envelopes_hold_is_what_reading_them_whole_finds(line in line()) {
            let piece = line.trim_ascii().as_bytes();
            let whole = serde_json::from_slice::<Envelope<'_>>(piece).expect("JSON");
            prop_assert_eq!(unwrap(line.as_bytes()), opened(piece, None, Some(whole)), "{}", line);
        }
    }

    #[test]
    fn our_own_lines_are_usual() {
        for (socket, frame) in [(0, r#"{"a":[{"b":"}"}]}"#), (12, r#"{"a":1, "b":"x"}"#)] {
            let mut line = Vec::new();
            oddsmith_recorder::line(&mut line, oddsmith_recorder::Source::Socket(socket), 7, frame.as_bytes());
            assert_eq!(
                Envelope::usual(line.trim_ascii()).and_then(|envelope| envelope.payload),
                Some(frame.as_bytes())
            );
        }
    }

    #[test]
    fn the_calendar() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-10-05T23:15:25Z", 1_791_242_125),
            ("2024-12-31 23:59:59+00:00", 1_735_689_599),
        ] {
            assert_eq!(nanoseconds(text), Some(seconds * 1_000_000_000), "{text}");
        }
        assert_eq!(nanoseconds("2026-10-05T23:15:25.682Z"), Some(1_791_242_125_682_000_000));
    }

    #[test]
    fn times_that_cannot_be_are_left_out() {
        for text in [
            "2026-13-01T00:00:00Z",
            "2026-01-01T25:00:00Z",
            "0000-00-00T00:00:00Z",
            "-Z",
            "TZ",
            "2026-1-1T1:1Z",
            "NaN",
            "inf",
            "-1777366911692",
            "0",
            "1e300",
            "\"\"",
            "{}",
            "99999999999999999999",
        ] {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }
}
