//! Fixed-point decimal text: the one parser and the one printer for every number that is money.

use std::fmt;

use thiserror::Error;

/// Why a decimal text is not a fixed-point number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// Empty, or a character that is not a digit, a leading `-` or one point.
    #[error("not a decimal number")]
    Syntax,
    /// More non-zero decimals than the type can hold.
    #[error("more decimals than the unit can hold")]
    Precision,
    /// Does not fit the integer type.
    #[error("number out of range")]
    Range,
}

/// Parses a decimal text such as `12`, `0.5`, `.48` or `-3.250000` into an integer count of `10^-scale`.
///
/// The conversion is exact: digits beyond `scale` must be zero. Exponents, signs other than a leading `-`, spaces and
/// separators are refused.
///
/// # Errors
/// [`DecimalError`] says whether the text, its precision or its size is at fault.
pub fn parse_fixed(text: &[u8], scale: u32) -> Result<i64, DecimalError> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some(_) => (false, text),
        None => return Err(DecimalError::Syntax),
    };
    let mut value: i64 = 0;
    let mut decimals: Option<u32> = None;
    let mut seen_digit = false;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                seen_digit = true;
                let digit = i64::from(byte - b'0');
                match decimals {
                    Some(count) if count >= scale => {
                        if digit != 0 {
                            return Err(DecimalError::Precision);
                        }
                        continue;
                    }
                    Some(count) => decimals = Some(count + 1),
                    None => {}
                }
                value = value.checked_mul(10).and_then(|v| v.checked_add(digit)).ok_or(DecimalError::Range)?;
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            _ => return Err(DecimalError::Syntax),
        }
    }
    if !seen_digit {
        return Err(DecimalError::Syntax);
    }
    for _ in decimals.unwrap_or(0)..scale {
        value = value.checked_mul(10).ok_or(DecimalError::Range)?;
    }
    Ok(if negative { -value } else { value })
}

/// Writes `value` counted in `10^-scale` as the shortest decimal: no trailing zeros, no point when it is whole.
///
/// # Errors
/// Only those of the writer.
pub fn write_fixed(out: &mut impl fmt::Write, value: i64, scale: u32) -> fmt::Result {
    if value < 0 {
        out.write_char('-')?;
    }
    let magnitude = value.unsigned_abs();
    let unit = 10u64.pow(scale);
    write!(out, "{}", magnitude / unit)?;
    let mut fraction = magnitude % unit;
    if fraction == 0 {
        return Ok(());
    }
    let mut width = scale as usize;
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        width -= 1;
    }
    write!(out, ".{fraction:0width$}")
}

/// Implements `Display`, `FromStr`, `Serialize` and `Deserialize` for a fixed-point newtype over an integer: decimal
/// strings for people, integers for machines.
macro_rules! fixed_point_text {
    ($type:ident, $int:ty, $scale:expr) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut text = arrayvec::ArrayString::<32>::new();
                crate::decimal::write_fixed(&mut text, i64::from(self.0), $scale)?;
                f.pad_integral(!text.starts_with('-'), "", text.trim_start_matches('-'))
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $type {
            type Err = crate::DecimalError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text.as_bytes())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                    Self::parse(text.as_bytes()).map_err(serde::de::Error::custom)
                } else {
                    let raw = <$int>::deserialize(deserializer)?;
                    Self::from_raw(raw).ok_or_else(|| serde::de::Error::custom("number out of range"))
                }
            }
        }
    };
}
pub(crate) use fixed_point_text;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn print(value: i64, scale: u32) -> String {
        let mut text = String::new();
        write_fixed(&mut text, value, scale).expect("a String takes any text");
        text
    }

    #[test]
    fn texts_of_the_venue() {
        for (text, scale, value) in [
            ("0.5", 4, 5_000),
            (".48", 4, 4_800),
            ("0.130", 4, 1_300),
            ("1485.64", 6, 1_485_640_000),
            ("5", 6, 5_000_000),
            ("0.50000000", 4, 5_000),
            ("-3.25", 6, -3_250_000),
        ] {
            assert_eq!(parse_fixed(text.as_bytes(), scale), Ok(value), "{text}");
        }
    }

    #[test]
    fn hostile_texts_are_refused() {
        for text in ["", "-", ".", "1.2.3", "1e5", "NaN", "inf", "+1", " 1", "1 ", "0x10", "१"] {
            assert_eq!(parse_fixed(text.as_bytes(), 6), Err(DecimalError::Syntax), "{text:?}");
        }
        assert_eq!(parse_fixed(b"0.1234567", 6), Err(DecimalError::Precision));
        assert_eq!(parse_fixed(b"99999999999999999999", 6), Err(DecimalError::Range));
        assert_eq!(parse_fixed(b"9223372036854.775808", 6), Err(DecimalError::Range));
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(value in (i64::MIN + 1)..=i64::MAX, scale in 0u32..=9) {
            prop_assert_eq!(parse_fixed(print(value, scale).as_bytes(), scale), Ok(value));
        }
    }
}
