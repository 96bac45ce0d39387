//! What comes from outside of the venue: prices that decide markets, and reports of matches.

use std::fmt;
use std::str::FromStr;

use arrayvec::ArrayString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::{DecimalError, parse_fixed, write_fixed};

/// The short name of something that has a price outside of the venue, such as `btc`: lower-case letters and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(ArrayString<12>);

/// Not the short name of something that has a price.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a symbol: 1 to 12 letters and digits are needed")]
pub struct SymbolError(String);

impl Symbol {
    /// The name in lower case.
    ///
    /// # Errors
    /// [`SymbolError`] when it is empty, too long, or has another character than a letter or a digit.
    pub fn new(text: &str) -> Result<Symbol, SymbolError> {
        let fault = || SymbolError(text.to_owned());
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(fault());
        }
        let mut name = ArrayString::from(text).map_err(|_| fault())?;
        name.make_ascii_lowercase();
        Ok(Symbol(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Symbol, SymbolError> {
        Symbol::new(text)
    }
}

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Symbol, D::Error> {
        let text = String::deserialize(deserializer)?;
        Symbol::new(&text).map_err(de::Error::custom)
    }
}

/// A price outside of the venue, in hundred-millionths of a dollar: exact, and never money of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferencePrice(i64);

impl ReferencePrice {
    /// Decimals of the unit.
    pub const DECIMALS: u32 = 8;
    const PER_DOLLAR: i64 = 100_000_000;

    /// A price of so many hundred-millionths of a dollar.
    #[must_use]
    pub const fn from_units(units: i64) -> ReferencePrice {
        ReferencePrice(units)
    }

    /// In hundred-millionths of a dollar.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// A decimal text, exactly.
    ///
    /// # Errors
    /// As [`parse_fixed`].
    pub fn parse(text: &[u8]) -> Result<ReferencePrice, DecimalError> {
        parse_fixed(text, ReferencePrice::DECIMALS).map(ReferencePrice)
    }

    /// The nearest double: for signals.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / ReferencePrice::PER_DOLLAR as f64
    }

    /// The nearest unit to a signal; `None` for what is no positive price.
    #[must_use]
    pub fn nearest(price: f64) -> Option<ReferencePrice> {
        let units = price * ReferencePrice::PER_DOLLAR as f64 + 0.5;
        (price > 0.0 && units < i64::MAX as f64).then_some(ReferencePrice(units as i64))
    }

    /// The middle between two prices, rounded down.
    #[must_use]
    pub const fn middle(self, other: ReferencePrice) -> ReferencePrice {
        ReferencePrice(((self.0 as i128 + other.0 as i128) / 2) as i64)
    }
}

impl fmt::Display for ReferencePrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed(f, self.0, ReferencePrice::DECIMALS)
    }
}

impl Serialize for ReferencePrice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for ReferencePrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ReferencePrice, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            return ReferencePrice::parse(text.as_bytes()).map_err(de::Error::custom);
        }
        i64::deserialize(deserializer).map(ReferencePrice)
    }
}

/// Who said a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceSource {
    /// Binance's spot market, or whoever speaks its language.
    Binance,
}

/// The best bid and ask of something outside of the venue. When it was received is the time of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceTick {
    /// What the price is of.
    pub symbol: Symbol,
    /// Who said it.
    pub source: PriceSource,
    /// The best bid; the same as the ask where a source states one price.
    pub bid: ReferencePrice,
    /// The best ask.
    pub ask: ReferencePrice,
    /// The source's own count of its changes, rising.
    pub update: u64,
    /// When the source says that it was so, in milliseconds since the Unix epoch; `None` where it does not say.
    pub source_wall_ms: Option<u64>,
}

/// How far a source of match reports can be trusted (quant 16): by what it is, not by what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceTier {
    /// The competition's own data.
    Official,
    /// A provider's licensed data.
    Licensed,
    /// Public pages: they confirm, and never lead.
    Public,
}

/// How a match stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchState {
    /// It has not begun.
    Scheduled,
    /// It is being played.
    Live,
    /// It is interrupted.
    Paused,
    /// It is over, and its winner is known.
    Final,
    /// It is not counted.
    Void,
}

/// Which of the two competitors of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Competitor {
    /// The one that is named first.
    First,
    /// The other one.
    Second,
}

/// What a source says of a match that decides a market. When it was received is the time of its input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthReport {
    /// The match.
    pub match_id: String,
    /// The short name of the market that it decides.
    pub market: String,
    /// Whose victory the market's YES is.
    pub yes: Competitor,
    /// The source's name.
    pub source: String,
    /// What kind of source it is.
    pub tier: SourceTier,
    /// How the match stands.
    pub state: MatchState,
    /// The chance that the first competitor wins, in millionths. 0 … 1000000.
    pub first_ppm: u32,
    /// How sure the source is, in millionths. 0 … 1000000.
    pub confidence_ppm: u32,
    /// The number of the last event of the match, as the source counts them; a report of the same state has the same number.
    pub event: u64,
    /// When that event happened by the source's account, in milliseconds since the Unix epoch.
    pub source_wall_ms: u64,
}

impl TruthReport {
    /// The chance of the market's YES, in millionths.
    #[must_use]
    pub const fn yes_ppm(&self) -> u32 {
        let first = if self.first_ppm > 1_000_000 { 1_000_000 } else { self.first_ppm };
        match self.yes {
            Competitor::First => first,
            Competitor::Second => 1_000_000 - first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_lower_case_and_short() {
        assert_eq!(Symbol::new("BTC").map(|s| s.to_string()), Ok("btc".to_owned()));
        for wrong in ["", "btc/usd", "thirteenchars", "b c"] {
            assert!(Symbol::new(wrong).is_err(), "{wrong}");
        }
        let json = serde_json::to_string(&Symbol::new("eth").expect("a symbol")).expect("json");
        assert_eq!(json, "\"eth\"");
        assert!(serde_json::from_str::<Symbol>("\"btc-usd\"").is_err());
    }

    #[test]
    fn prices_are_exact_and_print_as_decimals() {
        let price = ReferencePrice::parse(b"61837.63000001").expect("a price");
        assert_eq!((price.units(), price.to_string()), (6_183_763_000_001, "61837.63000001".to_owned()));
        assert!(ReferencePrice::parse(b"1.123456789").is_err(), "more than the unit can hold");
        assert_eq!(serde_json::to_string(&price).expect("json"), "\"61837.63000001\"");
        let bytes = postcard::to_stdvec(&price).expect("bytes");
        assert_eq!(postcard::from_bytes(&bytes), Ok(price));
        assert_eq!(ReferencePrice::nearest(61_837.630_000_01), Some(price));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e30] {
            assert_eq!(ReferencePrice::nearest(wrong), None);
        }
        let most = ReferencePrice::from_units(i64::MAX);
        assert_eq!(most.middle(most), most);
    }

    #[test]
    fn the_chance_of_yes_is_of_whom_it_names() {
        let mut report = TruthReport {
            match_id: "m".to_owned(),
            market: "a-beats-b".to_owned(),
            yes: Competitor::First,
            source: "script".to_owned(),
            tier: SourceTier::Official,
            state: MatchState::Live,
            first_ppm: 700_000,
            confidence_ppm: 950_000,
            event: 3,
            source_wall_ms: 0,
        };
        assert_eq!(report.yes_ppm(), 700_000);
        report.yes = Competitor::Second;
        assert_eq!(report.yes_ppm(), 300_000);
        report.first_ppm = u32::MAX;
        assert_eq!(report.yes_ppm(), 0);
    }
}
