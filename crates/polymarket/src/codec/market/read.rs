//! Readers of values in place, for texts that look as they always do.
//!
//! Each reader starts on the first byte of a value, and returns the value and where it ends; or `None`, which means no more than that
//! the text is unusual, and must be read the general way.

use oddsmith_domain::{AssetId, Price, Side, SizeText, VenueHash};

use super::fields::venue_hash;
use crate::AssetTable;
use crate::codec::number::{Decimal, scan_decimal, to_price, to_size};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The bytes from `at` on, as an array.
#[inline]
pub(super) fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>()
}

/// The first place at or after `at` that is not white space.
#[inline]
pub(super) fn past_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// A price as it stands in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PriceText {
    pub(super) price: Price,
    pub(super) decimals: u8,
    pub(super) regular: bool,
}

/// A price in quotes.
#[inline(always)]
pub(super) fn price(bytes: &[u8], at: usize) -> Option<(PriceText, usize)> {
    match short_price(bytes, at) {
        Some(found) => Some(found),
        None => long_price(bytes, at),
    }
}

/// `"0."`, one to four digits and the quote, all within ten bytes: nearly every price.
#[inline(always)]
fn short_price(bytes: &[u8], at: usize) -> Option<(PriceText, usize)> {
    let text = chunk::<10>(bytes, at)?;
    let word = u64::from_le_bytes(*text.last_chunk::<8>()?) >> 8;
    if text[..3] != *b"\"0." {
        return None;
    }
    // The digits stand in the lowest bytes; the first quote after them says how many they are.
    let quote = word ^ (ONES * 0x22);
    let bits = (quote.wrapping_sub(ONES) & !quote & HIGHS).trailing_zeros() & !7;
    if !(8..=32).contains(&bits) {
        return None;
    }
    let digits = (word as u32 & (u64::MAX >> (64 - bits)) as u32) | (0x3030_3030u64 << bits) as u32;
    if digits & 0xf0f0_f0f0 != 0x3030_3030 || digits.wrapping_add(0x0606_0606) & 0xf0f0_f0f0 != 0x3030_3030 {
        return None;
    }
    let digits = digits & 0x0f0f_0f0f;
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff;
    let price = Price::from_units(((pairs & 0xff) * 100 + (pairs >> 16)) as u16)?;
    let decimals = bits / 8;
    Some((PriceText { price, decimals: decimals as u8, regular: true }, at + 4 + decimals as usize))
}

#[cold]
fn long_price(bytes: &[u8], at: usize) -> Option<(PriceText, usize)> {
    let (decimal, end) = decimal(bytes, at, Price::SCALE as usize)?;
    let price = to_price(decimal).ok()?;
    Some((PriceText { price, decimals: decimal.decimals, regular: decimal.regular }, end))
}

/// A decimal number in quotes.
#[inline]
fn decimal(bytes: &[u8], at: usize, scale: usize) -> Option<(Decimal, usize)> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let (decimal, end) = scan_decimal(bytes, at + 1, scale).ok()?;
    (bytes.get(end) == Some(&b'"')).then_some((decimal, end + 1))
}

/// A size in quotes, and whether its text is regular.
#[inline]
pub(super) fn size(bytes: &[u8], at: usize) -> Option<(SizeText, bool, usize)> {
    let (decimal, end) = decimal(bytes, at, 6)?;
    Some((to_size(decimal), decimal.regular, end))
}

/// A side in quotes.
#[inline]
pub(super) fn side(bytes: &[u8], at: usize) -> Option<(Side, usize)> {
    if chunk(bytes, at) == Some(b"\"BUY\"") {
        Some((Side::Buy, at + 5))
    } else if chunk(bytes, at) == Some(b"\"SELL\"") {
        Some((Side::Sell, at + 6))
    } else {
        None
    }
}

/// A time of thirteen digits in quotes.
#[inline]
pub(super) fn timestamp(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let text = chunk::<15>(bytes, at)?;
    let high = eight_digits(u64::from_le_bytes(*text[1..].first_chunk::<8>()?))?;
    // The last eight of the thirteen overlap the first eight in three digits.
    let low = eight_digits(u64::from_le_bytes(*text[6..].first_chunk::<8>()?))?;
    (text[0] == b'"' && text[14] == b'"').then_some((high / 1_000 * 100_000_000 + low, at + 15))
}

/// Eight decimal digits at once.
#[inline]
const fn eight_digits(word: u64) -> Option<u64> {
    const ZEROS: u64 = ONES * 0x30;
    if word & (ONES * 0xf0) != ZEROS || word.wrapping_add(ONES * 6) & (ONES * 0xf0) != ZEROS {
        return None;
    }
    let digits = word & (ONES * 0x0f);
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let quads = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((quads * 10_000 + (quads >> 32)) & 0xffff_ffff)
}

/// A token in quotes, and which asset of ours it is.
#[inline]
pub(super) fn asset(table: &AssetTable, bytes: &[u8], at: usize) -> Option<(Option<AssetId>, usize)> {
    // Nine in ten tokens have 77 digits. A text that is found in the table holds no quote, so that it ends where it seemed to.
    for digits in [77, 76, 78] {
        let end = at + 1 + digits;
        if bytes.get(end) == Some(&b'"')
            && let Some(asset) = table.lookup(bytes.get(at + 1..end)?)
        {
            return (bytes.get(at) == Some(&b'"')).then_some((Some(asset), end + 1));
        }
    }
    let (text, end) = plain(bytes, at)?;
    Some((table.lookup(text), end))
}

/// A book hash in quotes; `None` inside for another text.
#[inline]
pub(super) fn hash(bytes: &[u8], at: usize) -> Option<(Option<VenueHash>, usize)> {
    if let Some(text) = chunk::<42>(bytes, at)
        && text[0] == b'"'
        && text[41] == b'"'
        && let Some(hash) = venue_hash(&text[1..41])
    {
        return Some((Some(hash), at + 42));
    }
    let (text, end) = plain(bytes, at)?;
    Some((venue_hash(text), end))
}

/// Whether a string holds such a byte without any ado.
#[inline]
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// A string in quotes without escapes and of printable ASCII only.
#[inline]
pub(super) fn plain(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let text = bytes.get(at + 1..)?;
    let mut len = 0;
    while let Some(block) = chunk::<16>(text, len) {
        if !block.iter().fold(true, |all, &byte| all & is_plain(byte)) {
            break;
        }
        len += 16;
    }
    len += text.get(len..)?.iter().take_while(|byte| is_plain(**byte)).count();
    (text.get(len) == Some(&b'"')).then(|| (text.get(..len).unwrap_or_default(), at + len + 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::number;

    #[test]
    fn prices_as_the_general_way_reads_them() {
        for units in 0..=10_000u32 {
            for text in [format!("{}.{:04}", units / 10_000, units % 10_000), format!("{}", f64::from(units) / 1e4)] {
                let (general, shape) = number::price(text.as_bytes()).expect("a price");
                let quoted = format!("\"{text}\"        ");
                let expected = PriceText { price: general, decimals: shape.decimals, regular: shape.regular };
                assert_eq!(price(quoted.as_bytes(), 0), Some((expected, text.len() + 2)), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_read_that_the_general_way_refuses(text in "[0-9./:;\\-\" ]{0,12}", pad in 0usize..12) {
            let quoted = format!("\"{text}\"{}", " ".repeat(pad));
            let inner = text.split('"').next().unwrap_or_default();
            let general = number::price(inner.as_bytes()).ok();
            let found = price(quoted.as_bytes(), 0);
            let expected = general.map(|(price, shape)| {
                (PriceText { price, decimals: shape.decimals, regular: shape.regular }, inner.len() + 2)
            });
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn times_as_the_general_way_reads_them(text in "[0-9:/]{13}|[0-9]{13}") {
            let quoted = format!("\"{text}\"");
            let general = number::digits(text.as_bytes()).ok().map(|time| (time, 15));
            prop_assert_eq!(timestamp(quoted.as_bytes(), 0), general);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0usize..110) {
            let _ = (price(&bytes, at), size(&bytes, at), side(&bytes, at), timestamp(&bytes, at), hash(&bytes, at));
            let _ = (plain(&bytes, at), asset(&AssetTable::new(), &bytes, at));
        }
    }
}
