//! Numbers that the venue writes now as strings, now as numbers.

use std::fmt;

use oddsmith_domain::{DecimalError, Price, Shares, Tick, Usdc, parse_fixed};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

macro_rules! lenient {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// The text of a value.
            pub fn of(value: impl fmt::Display) -> $type {
                $type(value.to_string())
            }

            /// The text as it came; a JSON number in its shortest decimal form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether the field was absent, `null` or `""`.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// As a price.
            ///
            /// # Errors
            /// As [`Price::parse`].
            pub fn price(&self) -> Result<Price, DecimalError> {
                Price::parse(self.0.as_bytes())
            }

            /// As a number of shares.
            ///
            /// # Errors
            /// As [`Shares::parse`].
            pub fn shares(&self) -> Result<Shares, DecimalError> {
                Shares::parse(self.0.as_bytes())
            }

            /// As dollars.
            ///
            /// # Errors
            /// As [`Usdc::parse`].
            pub fn usdc(&self) -> Result<Usdc, DecimalError> {
                Usdc::parse(self.0.as_bytes())
            }

            /// As a tick size.
            ///
            /// # Errors
            /// As [`Tick::parse`].
            pub fn tick(&self) -> Result<Tick, DecimalError> {
                Tick::parse(self.0.as_bytes())
            }

            /// As a count that is not negative.
            ///
            /// # Errors
            /// [`DecimalError`] for anything else, decimals that are not zero included.
            pub fn count(&self) -> Result<u64, DecimalError> {
                let value = parse_fixed(self.0.as_bytes(), 0)?;
                u64::try_from(value).map_err(|_| DecimalError::Range)
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> $type {
                $type(text.to_owned())
            }
        }

        impl From<String> for $type {
            fn from(text: String) -> $type {
                $type(text)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                deserializer.deserialize_any(TextVisitor).map($type)
            }
        }
    };
}

lenient! {
    /// A number, id or word that the venue writes as a JSON string.
    Text
}

lenient! {
    /// A number that the venue writes as a JSON number.
    Number
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            return serializer.serialize_none();
        }
        if let Ok(whole) = self.0.parse::<i64>() {
            return serializer.serialize_i64(whole);
        }
        match self.0.parse::<f64>() {
            Ok(value) if value.is_finite() => serializer.serialize_f64(value),
            _ => serializer.serialize_str(&self.0),
        }
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<String, E> {
        Ok(text)
    }

    fn visit_u64<E>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_none<E>(self) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

/// `null` means the default: an empty list, `false`, an empty text.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_numbers_mean_the_same() {
        for json in ["0.01", "\"0.01\""] {
            let number: Number = serde_json::from_str(json).expect("a number");
            assert_eq!(number.tick(), Ok(Tick::Cent));
            assert_eq!(serde_json::to_string(&number).expect("a number"), "0.01");
        }
        let text: Text = serde_json::from_str("5").expect("a number");
        assert_eq!(serde_json::to_string(&text).expect("a text"), "\"5\"");
        assert!(serde_json::from_str::<Text>("null").expect("nothing").is_empty());
        assert!(serde_json::from_str::<Text>("[1]").is_err());
        assert!(serde_json::from_str::<Text>("true").is_err());
    }

    #[test]
    fn small_and_large_numbers_keep_their_digits() {
        for (json, text) in [("0.0001", "0.0001"), ("1e-4", "0.0001"), ("1760000000123", "1760000000123"), ("-3", "-3")]
        {
            assert_eq!(serde_json::from_str::<Number>(json).expect("a number").as_str(), text);
        }
        assert_eq!(Number::from("-1").count(), Err(DecimalError::Range));
        assert_eq!(Number::from("7.0").count(), Ok(7));
    }
}
