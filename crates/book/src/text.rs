//! The venue's hash: SHA-1 over the text of a whole book (protocol section 5.5).

use oddsmith_domain::{BookLevel, ConditionId, Outcome, Price, Shares, Tick, TokenId, VenueHash};
use sha1::{Digest, Sha1};

/// What the hash covers besides levels and time. `None` is what nobody has stated yet: the hash cannot be computed then.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub tick: Option<Tick>,
    pub min_size: Option<Shares>,
    pub neg_risk: Option<bool>,
    /// The last trade of the market. Both tokens' books show the same price, that of the token in which it was printed.
    pub last_trade: LastTrade,
    /// A position market, whose text ends in `"version":"v2"`.
    pub version_v2: bool,
}

/// The last traded price as the hash shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LastTrade {
    /// Not known: a book was seen, but not whether there was a trade.
    #[default]
    Unknown,
    /// There was none yet: an empty text.
    Never,
    /// The price.
    At(Price),
}

/// Writes the texts and hashes them, in memory that is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hasher {
    /// `{"market":"…","asset_id":"…","timestamp":"`, by outcome.
    heads: [Vec<u8>; 2],
    text: Vec<u8>,
}

impl Hasher {
    pub fn new(market: ConditionId, tokens: [TokenId; 2]) -> Hasher {
        let head = |token: TokenId| {
            format!("{{\"market\":\"{market}\",\"asset_id\":\"{token}\",\"timestamp\":\"").into_bytes()
        };
        Hasher { heads: tokens.map(head), text: Vec::with_capacity(16_384) }
    }

    /// The hash of a book whose bids come lowest first and whose asks come highest first: the venue's order. `None` when a fact
    /// is missing.
    pub fn hash(
        &mut self,
        outcome: Outcome,
        timestamp_ms: u64,
        facts: &Facts,
        bids: impl Iterator<Item = BookLevel>,
        asks: impl Iterator<Item = BookLevel>,
    ) -> Option<VenueHash> {
        let (tick, min_size, neg_risk) = (facts.tick?, facts.min_size?, facts.neg_risk?);
        if facts.last_trade == LastTrade::Unknown {
            return None;
        }
        let text = &mut self.text;
        text.clear();
        text.extend_from_slice(&self.heads[outcome.index()]);
        push_digits(text, timestamp_ms, 1);
        text.extend_from_slice(b"\",\"hash\":\"\",\"bids\":[");
        push_levels(text, bids);
        text.extend_from_slice(b"],\"asks\":[");
        push_levels(text, asks);
        text.extend_from_slice(b"],\"min_order_size\":\"");
        push_shortest(text, min_size.micros(), Shares::SCALE, 0);
        text.extend_from_slice(b"\",\"tick_size\":\"");
        text.extend_from_slice(tick.as_str().as_bytes());
        text.extend_from_slice(if neg_risk { b"\",\"neg_risk\":true" } else { b"\",\"neg_risk\":false" });
        text.extend_from_slice(b",\"last_trade_price\":\"");
        if let LastTrade::At(price) = facts.last_trade {
            // Three decimals in every capture; a fourth only where three cannot hold the price.
            push_shortest(text, i64::from(price.units()), Price::SCALE, 3);
        }
        text.extend_from_slice(if facts.version_v2 { b"\",\"version\":\"v2\"}" } else { b"\"}" });
        Some(VenueHash(Sha1::digest(&self.text).into()))
    }
}

fn push_levels(text: &mut Vec<u8>, levels: impl Iterator<Item = BookLevel>) {
    for (index, level) in levels.enumerate() {
        // A book has some hundred levels, so each is put together in place and copied once.
        let mut line = Line::new();
        line.put(if index == 0 { b"{\"price\":\"" } else { b",{\"price\":\"" });
        let (units, micros) = (u32::from(level.price.units()), level.size.shares.micros());
        if !line.decimal::<4>(u64::from(units / 10_000), units % 10_000, level.price_decimals) {
            push_slow(text, &level, index == 0);
            continue;
        }
        line.put(b"\",\"size\":\"");
        let Ok(micros) = u64::try_from(micros) else {
            push_slow(text, &level, index == 0);
            continue;
        };
        if !line.decimal::<6>(micros / 1_000_000, (micros % 1_000_000) as u32, level.size.decimals) {
            push_slow(text, &level, index == 0);
            continue;
        }
        line.put(b"\"}");
        text.extend_from_slice(line.bytes());
    }
}

/// A level with a text that is not as wide as its number: more decimals than the unit has, or fewer than the value needs.
fn push_slow(text: &mut Vec<u8>, level: &BookLevel, first: bool) {
    text.extend_from_slice(if first { b"{\"price\":\"" } else { b",{\"price\":\"" });
    push_padded(text, i64::from(level.price.units()), Price::SCALE, level.price_decimals);
    text.extend_from_slice(b"\",\"size\":\"");
    push_padded(text, level.size.shares.micros(), Shares::SCALE, level.size.decimals);
    text.extend_from_slice(b"\"}");
}

/// The text of one level: two keys, a price of at most six bytes, a size of at most twenty-one.
struct Line {
    bytes: [u8; 64],
    len: usize,
}

impl Line {
    const fn new() -> Line {
        Line { bytes: [0; 64], len: 0 }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn put(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }

    /// Writes a whole part and the first `decimals` of `SCALE` digits of a fraction. `false` when those would not be the number:
    /// then the line is to be thrown away.
    fn decimal<const SCALE: usize>(&mut self, whole: u64, fraction: u32, decimals: u8) -> bool {
        let mut digits = [b'0'; 20];
        let (mut first, mut rest) = (20, whole);
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.put(&digits[first..]);
        let decimals = usize::from(decimals);
        let mut parts = [b'0'; SCALE];
        let mut rest = fraction;
        for digit in parts.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let Some((shown, hidden)) = parts.split_at_checked(decimals) else { return false };
        if hidden.iter().any(|digit| *digit != b'0') {
            return false;
        }
        if !shown.is_empty() {
            self.put(b".");
            self.put(shown);
        }
        true
    }
}

/// The shortest exact decimal with at least `least` digits after the point.
fn push_shortest(text: &mut Vec<u8>, value: i64, scale: u32, least: u8) {
    let mut decimals = scale;
    while decimals > u32::from(least) && value % 10i64.pow(scale - decimals + 1) == 0 {
        decimals -= 1;
    }
    push_padded(text, value, scale, u8::try_from(decimals).unwrap_or(u8::MAX));
}

/// The decimal with exactly `decimals` digits after the point, as [`BookLevel::write_price`] and [`BookLevel::write_size`] print
/// it; the same text without the formatting machinery, because a book has some hundred of them.
fn push_padded(text: &mut Vec<u8>, value: i64, scale: u32, decimals: u8) {
    let wide = u32::from(decimals);
    if wide < scale && value % 10i64.pow(scale - wide) != 0 {
        return push_shortest(text, value, scale, 0);
    }
    if value < 0 {
        text.push(b'-');
    }
    let (value, unit) = (value.unsigned_abs(), 10u64.pow(scale));
    push_digits(text, value / unit, 1);
    if wide == 0 {
        return;
    }
    text.push(b'.');
    push_digits(text, value % unit / 10u64.pow(scale - wide.min(scale)), wide.min(scale) as usize);
    text.resize(text.len() + wide.saturating_sub(scale) as usize, b'0');
}

/// The digits of a number, with leading zeros up to `width`.
fn push_digits(text: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    while value > 0 {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    text.extend_from_slice(&digits[first.min(digits.len() - width.min(digits.len()))..]);
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::SizeText;
    use proptest::prelude::*;

    use super::*;

    fn level(price: &str, size: &str) -> BookLevel {
        let decimals = |text: &str| text.split_once('.').map_or(0, |(_, fraction)| fraction.len() as u8);
        BookLevel {
            price: Price::parse(price.as_bytes()).expect("price"),
            price_decimals: decimals(price),
            size: SizeText { shares: Shares::parse(size.as_bytes()).expect("size"), decimals: decimals(size) },
        }
    }

    fn hasher(condition: &str, yes: &str) -> Hasher {
        let token = |text| TokenId::parse(text).expect("token");
        Hasher::new(ConditionId::parse(condition).expect("condition"), [token(yes), token("7")])
    }

    #[test]
    fn the_vector_of_the_protocol() {
        let mut hasher = hasher("0xaabbcc", "100");
        let facts = Facts {
            tick: Some(Tick::Cent),
            min_size: Some(Shares::from_whole(100)),
            neg_risk: Some(false),
            last_trade: LastTrade::At(Price::from_units(5_000).expect("price")),
            version_v2: false,
        };
        // The vector lists its levels in this order, and prints the trade price as "0.5" where the venue prints "0.500".
        let bids = [level("0.3", "100"), level("0.4", "100")];
        let asks = [level("0.6", "100"), level("0.7", "100")];
        let hash =
            hasher.hash(Outcome::Yes, 123_456_789, &facts, bids.into_iter(), asks.into_iter()).expect("all facts");
        assert_eq!(hash.to_string(), "66bb0696b6058b388f60ee0d1d6e59404601c35a");
        let text = String::from_utf8(hasher.text).expect("text").replace("\"0.500\"", "\"0.5\"");
        let hash = VenueHash(Sha1::digest(text.as_bytes()).into());
        assert_eq!(hash.to_string(), "0458ea5755c9f73d64a14636fa5c36ed460ec394");
    }

    #[test]
    fn nothing_is_assumed_in_place_of_a_missing_fact() {
        let mut hasher = hasher("0xaabbcc", "100");
        let whole = Facts {
            tick: Some(Tick::Cent),
            min_size: Some(Shares::from_whole(5)),
            neg_risk: Some(false),
            last_trade: LastTrade::Never,
            version_v2: false,
        };
        let mut hash = |facts: Facts| {
            let none = std::iter::empty();
            hasher.hash(Outcome::Yes, 1, &facts, none.clone(), none)
        };
        assert!(hash(whole).is_some());
        assert!(hash(Facts { tick: None, ..whole }).is_none());
        assert!(hash(Facts { min_size: None, ..whole }).is_none());
        assert!(hash(Facts { neg_risk: None, ..whole }).is_none());
        assert!(hash(Facts { last_trade: LastTrade::Unknown, ..whole }).is_none());
        assert_ne!(hash(Facts { version_v2: true, ..whole }), hash(whole));
    }

    proptest! {
        #[test]
        fn texts_equal_those_of_the_vocabulary(micros in 0i64..10_000_000_000_000, decimals in 0u8..=9, units in 0u16..=10_000) {
            let level = BookLevel {
                price: Price::from_units(units).expect("in range"),
                price_decimals: decimals,
                size: SizeText { shares: Shares::from_micros(micros), decimals },
            };
            let (mut price, mut size) = (String::new(), String::new());
            level.write_price(&mut price).expect("text");
            level.write_size(&mut size).expect("text");
            let mut ours = Vec::new();
            push_levels(&mut ours, std::iter::once(level));
            let theirs = format!("{{\"price\":\"{price}\",\"size\":\"{size}\"}}");
            prop_assert_eq!(String::from_utf8_lossy(&ours), theirs);
        }
    }
}
