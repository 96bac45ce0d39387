//! Decimal texts of the venue: one pass to integers, keeping how they were written.

use oddsmith_domain::{Price, Shares, SizeText};

use super::FaultKind;

/// A decimal number as it stood in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    /// Its value in `10^-scale`.
    pub(crate) value: u64,
    /// Digits after the point.
    pub(crate) decimals: u8,
    /// Whether value and decimals suffice to write the text again: no leading zero too many, none missing.
    pub(crate) regular: bool,
}

const POWERS: [u64; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

/// The most digits before the point: with six decimals they fit 64 bits, and no amount of the venue needs more.
const MAX_WHOLE_DIGITS: usize = 12;

/// The most digits after the point.
const MAX_DECIMALS: usize = 18;

/// Reads a number that starts at `at`, and says where it ends. `scale` is at most 6.
#[inline]
pub(crate) fn scan_decimal(bytes: &[u8], at: usize, scale: usize) -> Result<(Decimal, usize), FaultKind> {
    let text = bytes.get(at..).unwrap_or_default();
    let (mut value, mut used) = (0u64, 0usize);
    while let Some(digit) = digit(text, used) {
        value = value.wrapping_mul(10).wrapping_add(digit);
        used += 1;
    }
    if used > MAX_WHOLE_DIGITS {
        return Err(FaultKind::OutOfRange);
    }
    let whole = used;
    let leading_zero = text.first() == Some(&b'0') && whole > 1;
    let mut decimals = 0;
    if text.get(used) == Some(&b'.') {
        used += 1;
        while let Some(digit) = digit(text, used) {
            if decimals < scale {
                value = value * 10 + digit;
            } else if digit != 0 {
                return Err(FaultKind::TooFine);
            } else if decimals == MAX_DECIMALS {
                return Err(FaultKind::OutOfRange);
            }
            decimals += 1;
            used += 1;
        }
    }
    if whole + decimals == 0 {
        let negative = text.first() == Some(&b'-') && text.get(1).is_some_and(u8::is_ascii_digit);
        return Err(if negative { FaultKind::OutOfRange } else { FaultKind::NotDecimal });
    }
    let missing = scale.saturating_sub(decimals);
    value *= POWERS.get(missing).copied().unwrap_or(1);
    let dangling = used > whole && decimals == 0;
    let regular = whole > 0 && !leading_zero && !dangling;
    Ok((Decimal { value, decimals: decimals as u8, regular }, at + used))
}

#[inline]
fn digit(text: &[u8], at: usize) -> Option<u64> {
    text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10).map(u64::from)
}

fn whole_text(text: &[u8], scale: usize) -> Result<Decimal, FaultKind> {
    let (decimal, end) = scan_decimal(text, 0, scale)?;
    if end == text.len() { Ok(decimal) } else { Err(FaultKind::NotDecimal) }
}

/// A price and how it was written.
pub(crate) fn price(text: &[u8]) -> Result<(Price, Decimal), FaultKind> {
    let decimal = whole_text(text, Price::SCALE as usize)?;
    Ok((to_price(decimal)?, decimal))
}

#[inline]
pub(crate) fn to_price(decimal: Decimal) -> Result<Price, FaultKind> {
    u16::try_from(decimal.value).ok().and_then(Price::from_units).ok_or(FaultKind::OutOfRange)
}

/// A size, its text's shape, and whether it is regular.
pub(crate) fn size(text: &[u8]) -> Result<(SizeText, bool), FaultKind> {
    let decimal = whole_text(text, Shares::SCALE as usize)?;
    Ok((to_size(decimal), decimal.regular))
}

#[inline]
pub(crate) const fn to_size(decimal: Decimal) -> SizeText {
    // At most 12 + 6 digits: below the range of a signed 64-bit number.
    SizeText { shares: Shares::from_micros(decimal.value as i64), decimals: decimal.decimals }
}

/// A time: digits only.
pub(crate) fn digits(text: &[u8]) -> Result<u64, FaultKind> {
    if text.is_empty() {
        return Err(FaultKind::NotDecimal);
    }
    text.iter().try_fold(0u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(FaultKind::NotDecimal);
        }
        value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit))).ok_or(FaultKind::OutOfRange)
    })
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{BookLevel, DecimalError, parse_fixed};
    use proptest::prelude::*;

    use super::*;

    fn rewritten(size: SizeText) -> String {
        let mut out = String::new();
        let level = BookLevel { price: Price::ZERO, price_decimals: 0, size };
        level.write_size(&mut out).expect("a String takes any text");
        out
    }

    #[test]
    fn shapes() {
        for (text, regular) in
            [("0", true), ("5.", false), ("00.5", false), (".48", false), ("0.50", true), ("10", true)]
        {
            assert_eq!(size(text.as_bytes()).map(|(_, regular)| regular), Ok(regular), "{text}");
        }
        for (text, fault) in [
            ("", FaultKind::NotDecimal),
            (".", FaultKind::NotDecimal),
            ("-", FaultKind::NotDecimal),
            ("NaN", FaultKind::NotDecimal),
            ("1e5", FaultKind::NotDecimal),
            ("1.2.3", FaultKind::NotDecimal),
            ("-5", FaultKind::OutOfRange),
            ("9999999999999", FaultKind::OutOfRange),
            ("1.0000001", FaultKind::TooFine),
            ("1.0000000000000000000000000000000000", FaultKind::OutOfRange),
        ] {
            assert_eq!(size(text.as_bytes()).map(|_| ()), Err(fault), "{text}");
        }
        assert_eq!(price(b"1.0001").map(|_| ()), Err(FaultKind::OutOfRange));
        assert_eq!(price(b"6.5536").map(|_| ()), Err(FaultKind::OutOfRange));
        assert_eq!(digits(b"18446744073709551616"), Err(FaultKind::OutOfRange));
    }

    proptest! {
        #[test]
        fn agrees_with_the_domains_parser(text in "[0-9]{0,13}(\\.[0-9]{0,8})?") {
            let reference = parse_fixed(text.as_bytes(), 6);
            match size(text.as_bytes()) {
                Ok((size, regular)) => {
                    prop_assert_eq!(Ok(size.shares.micros()), reference);
                    if regular {
                        prop_assert_eq!(rewritten(size), text);
                    }
                }
                Err(FaultKind::TooFine) => prop_assert_eq!(reference, Err(DecimalError::Precision)),
                Err(FaultKind::NotDecimal) => prop_assert_eq!(reference, Err(DecimalError::Syntax)),
                Err(fault) => {
                    prop_assert_eq!(fault, FaultKind::OutOfRange);
                    prop_assert!(text.split('.').next().is_some_and(|whole| whole.len() > 12));
                }
            }
        }

        #[test]
        fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (size(&text), price(&text), digits(&text));
        }
    }
}
