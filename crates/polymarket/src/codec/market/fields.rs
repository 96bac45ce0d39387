//! The fields of one JSON object, by their places, and their values on demand.

use arrayvec::ArrayString;
use oddsmith_domain::{Price, Shares, Side, SizeText, Tick, VenueHash};

use crate::codec::number::{self, Decimal};
use crate::codec::scan::{Kind, Raw, unescape};
use crate::codec::{Fault, FaultKind};

macro_rules! keys {
    ($($key:ident = $text:literal,)*) => {
        /// A field that the market channel is known to have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Key { $($key,)* }

        impl Key {
            const ALL: &[Key] = &[$(Key::$key),*];

            pub(crate) const fn text(self) -> &'static str {
                match self { $(Key::$key => $text,)* }
            }
        }
    };
}

keys! {
    EventType = "event_type",
    Market = "market",
    AssetId = "asset_id",
    Timestamp = "timestamp",
    Hash = "hash",
    Price = "price",
    Size = "size",
    Side = "side",
    BestBid = "best_bid",
    BestAsk = "best_ask",
    TickSize = "tick_size",
    MinOrderSize = "min_order_size",
    NegRisk = "neg_risk",
    LastTradePrice = "last_trade_price",
    Version = "version",
    NewTickSize = "new_tick_size",
    WinningAssetId = "winning_asset_id",
    WinningOutcome = "winning_outcome",
    // Lists are read where they stand.
    Bids = "bids",
    Asks = "asks",
    PriceChanges = "price_changes",
    // Known, but of no use to the engine: only their presence matters.
    OldTickSize = "old_tick_size",
    FeeRateBps = "fee_rate_bps",
    TransactionHash = "transaction_hash",
    Spread = "spread",
    Id = "id",
    Question = "question",
    Slug = "slug",
    Description = "description",
    AssetsIds = "assets_ids",
    Outcomes = "outcomes",
    EventMessage = "event_message",
    Tags = "tags",
    ConditionId = "condition_id",
    Active = "active",
    ClobTokenIds = "clob_token_ids",
    SportsMarketType = "sports_market_type",
    Line = "line",
    GameStartTime = "game_start_time",
    OrderPriceMinTickSize = "order_price_min_tick_size",
    GroupItemTitle = "group_item_title",
    TakerBaseFee = "taker_base_fee",
    FeesEnabled = "fees_enabled",
    FeeSchedule = "fee_schedule",
}

/// Where each key is found by [`slot_of`]: the key's number plus one, zero for none. The compiler checks that no two share a slot.
const SLOTS: [u8; 256] = {
    let (mut slots, mut at) = ([0u8; 256], 0);
    while at < Key::ALL.len() {
        let slot = slot_of(Key::ALL[at].text().as_bytes());
        assert!(slots[slot] == 0, "two keys in one slot: choose other factors");
        slots[slot] = at as u8 + 1;
        at += 1;
    }
    slots
};

/// The first 16 bytes of a key as a number, to compare them at once.
struct Pattern {
    text: u128,
    mask: u128,
    len: usize,
}

const PATTERNS: [Pattern; Key::ALL.len()] = {
    let mut patterns = [const { Pattern { text: 1, mask: 0, len: 0 } }; Key::ALL.len()];
    let mut at = 0;
    while at < patterns.len() {
        patterns[at] = Pattern::of(Key::ALL[at].text().as_bytes());
        at += 1;
    }
    patterns
};

impl Pattern {
    const fn of(key: &[u8]) -> Pattern {
        if key.len() > 16 {
            // A text outside the mask equals nothing.
            return Pattern { text: 1, mask: u128::MAX, len: key.len() };
        }
        let (mut text, mut at) = (0u128, 0);
        while at < key.len() {
            text |= (key[at] as u128) << (8 * at);
            at += 1;
        }
        Pattern { text, mask: u128::MAX >> (128 - 8 * key.len()), len: key.len() }
    }
}

/// Mixes the length, and the first, the middle and the last byte of a key.
const fn slot_of(text: &[u8]) -> usize {
    let (len, [first, last]) = match text {
        [] => return 0,
        [first, .., last] => (text.len(), [*first, *last]),
        [only] => (1, [*only, *only]),
    };
    let middle = text[len / 2];
    (len * 45 + middle as usize * 94 + last as usize * 141 + first as usize * 226) & 255
}

impl Key {
    /// The key with this text.
    #[inline]
    pub(crate) fn of(text: &[u8]) -> Option<Key> {
        let number = SLOTS.get(slot_of(text)).copied().unwrap_or(0);
        let key = *Key::ALL.get(usize::from(number).checked_sub(1)?)?;
        (key.text().as_bytes() == text).then_some(key)
    }

    /// Whether the key stands at the beginning of these 16 bytes; never for a longer key.
    #[inline]
    pub(crate) const fn begins(self, word: u128) -> bool {
        let pattern = &PATTERNS[self as usize];
        (word ^ pattern.text) & pattern.mask == 0
    }

    #[inline]
    pub(crate) const fn len(self) -> usize {
        PATTERNS[self as usize].len
    }

    /// The key at the beginning of these 16 bytes, if they hold its closing quote too.
    #[inline]
    pub(crate) fn in_word(word: u128) -> Option<Key> {
        const ONES: u128 = u128::MAX / 255;
        let quote = word ^ (ONES * 0x22);
        let len = (quote.wrapping_sub(ONES) & !quote & (ONES << 7)).trailing_zeros() as usize / 8;
        let bytes = word.to_le_bytes();
        let number = SLOTS.get(slot_of(bytes.get(..len)?)).copied().unwrap_or(0);
        let key = *Key::ALL.get(usize::from(number).checked_sub(1)?)?;
        (key.len() == len && len < 16 && key.begins(word)).then_some(key)
    }

    pub(crate) const fn bit(self) -> u64 {
        1 << self as u32
    }

    /// The bits of several keys.
    pub(crate) const fn bits(keys: &[Key]) -> u64 {
        let (mut mask, mut at) = (0, 0);
        while at < keys.len() {
            mask |= keys[at].bit();
            at += 1;
        }
        mask
    }
}

/// Keys whose values are kept: the ones before [`Key::Bids`].
const KEPT: usize = Key::Bids as usize;

/// A text of the venue with its escapes resolved. Nothing that we read is longer than 128 bytes.
pub(crate) type Unescaped = ArrayString<128>;

pub(crate) type Field<T> = Result<T, Fault>;

/// The fields of one object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    /// Which keys were seen.
    pub(crate) seen: u64,
    /// Where the object starts.
    pub(crate) start: u32,
    /// A key that came twice, and where.
    pub(crate) duplicate: Option<Fault>,
    raw: [Raw; KEPT],
}

impl Fields {
    /// Forgets everything, for an object that starts at `start`. Places of values that were not seen since are not read.
    pub(crate) fn begin(&mut self, start: usize) {
        (self.seen, self.start, self.duplicate) = (0, start as u32, None);
    }

    /// Notes a key; false when its value must be ignored because it was seen before.
    #[inline]
    pub(crate) fn note(&mut self, key: Key, at: u32) -> bool {
        let again = self.seen & key.bit() != 0;
        if again {
            self.duplicate.get_or_insert(Fault { at, field: Some(key.text()), kind: FaultKind::Duplicate });
        }
        self.seen |= key.bit();
        !again
    }

    #[inline]
    pub(crate) fn set(&mut self, key: Key, raw: Raw) {
        if let Some(place) = self.raw.get_mut(key as usize) {
            *place = raw;
        }
    }

    pub(crate) const fn has(&self, key: Key) -> bool {
        self.seen & key.bit() != 0
    }

    #[inline]
    fn get(&self, key: Key) -> Raw {
        match self.raw.get(key as usize) {
            Some(raw) if self.has(key) => *raw,
            _ => Raw::default(),
        }
    }

    /// A complaint about a field, at its value or, when it is missing, at the object.
    #[cold]
    pub(crate) fn fault(&self, key: Key, kind: FaultKind) -> Fault {
        let raw = self.get(key);
        let at = if raw.kind == Kind::Absent { self.start } else { raw.start };
        Fault { at, field: Some(key.text()), kind }
    }

    /// The text of a field, or what else stands there.
    fn text_or<'t>(&self, frame: &'t [u8], key: Key, buffer: &'t mut Unescaped) -> Field<&'t [u8]> {
        let raw = self.get(key);
        match raw.kind {
            Kind::Text => Ok(raw.slice(frame)),
            Kind::Escaped => match unescape(raw.slice(frame), buffer) {
                Some(()) => Ok(buffer.as_bytes()),
                None => Err(self.fault(key, FaultKind::TooLarge)),
            },
            Kind::Absent => Err(self.fault(key, FaultKind::Missing)),
            _ => Err(self.fault(key, FaultKind::WrongType)),
        }
    }

    /// Reads a required text.
    pub(crate) fn text<T>(&self, frame: &[u8], key: Key, read: impl FnOnce(&[u8]) -> Result<T, FaultKind>) -> Field<T> {
        let mut buffer = Unescaped::new();
        let text = self.text_or(frame, key, &mut buffer)?;
        read(text).map_err(|kind| self.fault(key, kind))
    }

    /// Whether a field is there, be it empty.
    pub(crate) fn is_stated(&self, key: Key) -> bool {
        !matches!(self.get(key).kind, Kind::Absent | Kind::Null)
    }

    /// Reads a text that may be missing, `null` or empty.
    pub(crate) fn optional<T>(
        &self,
        frame: &[u8],
        key: Key,
        read: impl FnOnce(&[u8]) -> Result<T, FaultKind>,
    ) -> Field<Option<T>> {
        match self.get(key).kind {
            Kind::Absent | Kind::Null => Ok(None),
            _ => self.text(frame, key, |text| if text.is_empty() { Ok(None) } else { read(text).map(Some) }),
        }
    }

    /// Reads a number that the venue writes as a string in some places and as a number in others.
    fn loose<T>(&self, frame: &[u8], key: Key, read: impl FnOnce(&[u8]) -> Result<T, FaultKind>) -> Field<T> {
        let raw = self.get(key);
        if raw.kind == Kind::Number {
            return read(raw.slice(frame)).map_err(|kind| self.fault(key, kind));
        }
        self.text(frame, key, read)
    }

    pub(crate) fn timestamp(&self, frame: &[u8]) -> Field<u64> {
        self.loose(frame, Key::Timestamp, number::digits)
    }

    pub(crate) fn price(&self, frame: &[u8], key: Key) -> Field<(Price, Decimal)> {
        self.text(frame, key, number::price)
    }

    pub(crate) fn size(&self, frame: &[u8]) -> Field<(SizeText, bool)> {
        self.text(frame, Key::Size, number::size)
    }

    /// A best price of a change: missing, `null` and empty all mean that none was stated.
    pub(crate) fn optional_price(&self, frame: &[u8], key: Key) -> Field<Option<(Price, Decimal)>> {
        self.optional(frame, key, number::price)
    }

    pub(crate) fn side(&self, frame: &[u8]) -> Field<Side> {
        self.text(frame, Key::Side, side)
    }

    /// The book hash, when it is one: some frames carry other texts there, which say nothing.
    pub(crate) fn hash(&self, frame: &[u8]) -> Field<Option<VenueHash>> {
        self.optional(frame, Key::Hash, |text| Ok(venue_hash(text))).map(Option::flatten)
    }

    /// A grid, and whether its text is the usual one.
    pub(crate) fn tick(&self, frame: &[u8], key: Key) -> Field<(Tick, bool)> {
        self.loose(frame, key, tick)
    }

    /// The minimum order size, and whether its text is the shortest one.
    pub(crate) fn min_size(&self, frame: &[u8]) -> Field<(Shares, bool)> {
        self.loose(frame, Key::MinOrderSize, min_size)
    }

    pub(crate) fn flag(&self, key: Key) -> Field<bool> {
        match self.get(key).kind {
            Kind::True => Ok(true),
            Kind::False => Ok(false),
            Kind::Absent => Err(self.fault(key, FaultKind::Missing)),
            _ => Err(self.fault(key, FaultKind::WrongType)),
        }
    }

    /// Whether a field is there with anything but `null`.
    pub(crate) fn states(&self, key: Key) -> bool {
        !matches!(self.get(key).kind, Kind::Absent | Kind::Null)
    }
}

/// A grid, and whether its text is the usual one.
pub(crate) fn tick(text: &[u8]) -> Result<(Tick, bool), FaultKind> {
    let tick = Tick::parse(text).map_err(|_| FaultKind::UnknownWord)?;
    Ok((tick, tick.as_str().as_bytes() == text))
}

/// A minimum order size, and whether its text is the shortest one.
pub(crate) fn min_size(text: &[u8]) -> Result<(Shares, bool), FaultKind> {
    let (size, regular) = number::size(text)?;
    let mut shortest = Unescaped::new();
    let written = std::fmt::Write::write_fmt(&mut shortest, format_args!("{}", size.shares));
    Ok((size.shares, regular && written.is_ok() && shortest.as_bytes() == text))
}

#[inline]
pub(crate) fn side(text: &[u8]) -> Result<Side, FaultKind> {
    match text {
        b"BUY" | b"buy" => Ok(Side::Buy),
        b"SELL" | b"sell" => Ok(Side::Sell),
        _ => Err(FaultKind::UnknownWord),
    }
}

/// The 20 bytes of 40 hexadecimal digits.
#[inline]
pub(crate) fn venue_hash(text: &[u8]) -> Option<VenueHash> {
    let text: &[u8; 40] = text.try_into().ok()?;
    let mut hash = [0u8; 20];
    for (out, chunk) in hash.as_chunks_mut::<4>().0.iter_mut().zip(text.as_chunks::<8>().0) {
        *out = eight_hex_digits(u64::from_le_bytes(*chunk))?;
    }
    Some(VenueHash(hash))
}

/// Eight hexadecimal digits at once, one in each byte of a word, to four bytes.
#[inline]
fn eight_hex_digits(word: u64) -> Option<[u8; 4]> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let letters = (word >> 6) & ONES;
    let nibbles = (word & (ONES * 0x0f)).wrapping_add(letters * 9);
    // Writing the digits again and comparing shows whether they were digits: the lowest value of a byte that wraps around
    // above nine is a letter, everything else differs.
    let above_nine = (nibbles.wrapping_add(ONES * 6) >> 4) & ONES;
    let again = nibbles.wrapping_add(ONES * 0x30).wrapping_add(above_nine * 0x27);
    let printable = (word >> 5 | word >> 6) & ONES;
    if again != word | (ONES * 0x20) || printable != ONES || nibbles & (ONES * 0xf0) != 0 {
        return None;
    }
    let pairs = (nibbles << 4 | nibbles >> 8) & 0x00ff_00ff_00ff_00ff;
    let quads = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    Some(((quads | quads >> 16) as u32).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_by_its_text() {
        assert!(Key::ALL.len() < 64);
        for &key in Key::ALL {
            assert_eq!(Key::of(key.text().as_bytes()), Some(key));
        }
        assert_eq!(Key::of(b"assets_id"), None);
    }

    #[test]
    fn hexadecimal_digits_and_nothing_else() {
        for high in 0..=255u8 {
            let mut text = *b"00112233445566778899aabbccddeeff00112233";
            for at in [0, 7, 8, 39] {
                text[at] = high;
                let reference = hex::decode(text).ok().map(|bytes| VenueHash(bytes.try_into().expect("20 bytes")));
                assert_eq!(venue_hash(&text), reference, "{high:#x} at {at}");
                text[at] = b'0';
            }
        }
        assert_eq!(venue_hash(b"0xabc123"), None);
    }
}
