//! Which token of the venue is which asset of ours.

use oddsmith_domain::{AssetId, MarketCard, MarketId, Outcome};

/// The tokens and conditions that we follow, found by the venue's own text without parsing it.
///
/// Token ids are random 256-bit numbers, so their last digits are already spread evenly: a lookup mixes the last 16 bytes of
/// the text, and then compares all of it. Keys come only from market cards, never from a frame, so that nobody outside can
/// choose them to collide.
#[derive(Clone, Debug, Default)]
pub struct AssetTable {
    tokens: TextTable,
    conditions: TextTable,
}

impl AssetTable {
    /// A table that knows nothing yet.
    #[must_use]
    pub fn new() -> AssetTable {
        AssetTable::default()
    }

    /// Learns the tokens and the condition of a market. Learning them again changes nothing.
    pub fn insert(&mut self, market: MarketId, card: &MarketCard) {
        for outcome in Outcome::BOTH {
            self.tokens.insert(card.token(outcome).to_string().as_bytes(), market.asset(outcome).0);
        }
        self.conditions.insert(card.condition.as_str().as_bytes(), market.0);
    }

    /// Forgets the tokens and the condition of a market.
    pub fn remove(&mut self, card: &MarketCard) {
        for outcome in Outcome::BOTH {
            self.tokens.remove(card.token(outcome).to_string().as_bytes());
        }
        self.conditions.remove(card.condition.as_str().as_bytes());
    }

    /// The asset whose token has this decimal text.
    #[must_use]
    #[inline]
    pub fn lookup(&self, token: &[u8]) -> Option<AssetId> {
        self.tokens.find(token).map(AssetId)
    }

    /// The market whose condition has this text.
    #[must_use]
    pub fn market(&self, condition: &[u8]) -> Option<MarketId> {
        self.conditions.find(condition).map(MarketId)
    }

    /// How many tokens are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.entries.len()
    }

    /// Whether no token is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.entries.is_empty()
    }
}

/// The longest text that a table holds: a 256-bit number has at most 78 decimal digits.
const TEXT_BYTES: usize = 78;

#[derive(Clone, Debug)]
struct Entry {
    text: [u8; TEXT_BYTES],
    len: u8,
    value: u32,
}

impl Entry {
    fn text(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Open addressing over dense entries: `slots` holds entry numbers plus one, zero for an empty slot, at most half full.
#[derive(Clone, Debug, Default)]
struct TextTable {
    slots: Vec<u32>,
    entries: Vec<Entry>,
}

impl TextTable {
    fn insert(&mut self, text: &[u8], value: u32) {
        if text.len() > TEXT_BYTES || self.find(text).is_some() {
            return;
        }
        let mut entry = Entry { text: [0; TEXT_BYTES], len: text.len() as u8, value };
        entry.text[..text.len()].copy_from_slice(text);
        self.entries.push(entry);
        if self.entries.len() * 2 > self.slots.len() {
            self.spread();
        } else {
            Self::place(&mut self.slots, text, self.entries.len() as u32);
        }
    }

    fn remove(&mut self, text: &[u8]) {
        if let Some(at) = self.entries.iter().position(|entry| entry.text() == text) {
            self.entries.swap_remove(at);
            self.spread();
        }
    }

    /// Places every entry anew, in as much room as there should be.
    fn spread(&mut self) {
        let mut slots = vec![0u32; (self.entries.len() * 4).next_power_of_two().max(16)];
        for (number, entry) in (1u32..).zip(&self.entries) {
            Self::place(&mut slots, entry.text(), number);
        }
        self.slots = slots;
    }

    fn place(slots: &mut [u32], text: &[u8], number: u32) {
        let mask = slots.len() - 1;
        let mut at = tail_hash(text) as usize & mask;
        while slots[at] != 0 {
            at = (at + 1) & mask;
        }
        slots[at] = number;
    }

    #[inline]
    fn find(&self, text: &[u8]) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = tail_hash(text) as usize & mask;
        loop {
            let number = *self.slots.get(at)?;
            let entry = self.entries.get((number as usize).checked_sub(1)?)?;
            if entry.text() == text {
                return Some(entry.value);
            }
            at = (at + 1) & mask;
        }
    }
}

/// Mixes the last 16 bytes (all of a shorter text) into 32 bits.
#[inline]
fn tail_hash(text: &[u8]) -> u32 {
    let tail = match text.last_chunk::<16>() {
        Some(tail) => u128::from_le_bytes(*tail),
        None => text.iter().fold(0u128, |mixed, &byte| mixed << 8 | u128::from(byte)),
    };
    let folded = (tail as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (tail >> 64) as u64;
    (folded.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32) as u32
}

#[cfg(test)]
pub(crate) mod tests {
    use oddsmith_domain::{ConditionId, TokenId};

    use super::*;

    /// A card of ours with made-up tokens: only what a table needs.
    pub(crate) fn card(condition: &str, tokens: [&str; 2]) -> MarketCard {
        MarketCard {
            condition: ConditionId::parse(condition).expect("a condition"),
            slug: String::new(),
            question: String::new(),
            tokens: tokens.map(|text| TokenId::parse(text).expect("a token")),
            outcomes: [String::from("Yes"), String::from("No")],
            tick: None,
            min_size: None,
            fee: None,
            end_wall_s: None,
            neg_risk: false,
            accepting_orders: true,
            taker_delay_ms: 0,
            settlement: Default::default(),
        }
    }

    #[test]
    fn many_tokens_are_told_apart() {
        let mut table = AssetTable::new();
        assert_eq!(table.lookup(b"7"), None);
        let token = |n: u32| format!("{}", u128::from(n) * 0x1234_5678_9abc_def1_2345_6789);
        for n in 0..2_000u32 {
            let card = card(&format!("0x{n:064x}"), [&token(n * 2 + 1), &token(n * 2 + 2)]);
            table.insert(MarketId(n), &card);
            table.insert(MarketId(n), &card);
        }
        assert_eq!(table.len(), 4_000);
        for n in 0..2_000u32 {
            assert_eq!(table.lookup(token(n * 2 + 1).as_bytes()), Some(MarketId(n).asset(Outcome::Yes)));
            assert_eq!(table.lookup(token(n * 2 + 2).as_bytes()), Some(MarketId(n).asset(Outcome::No)));
            assert_eq!(table.market(format!("0x{n:064x}").as_bytes()), Some(MarketId(n)));
        }
        assert_eq!(table.lookup(b"5"), None);
        assert_eq!(table.lookup(&[b'9'; 500]), None);
        assert_eq!(table.lookup(b""), None);
    }

    #[test]
    fn what_was_forgotten_is_not_found_and_its_neighbours_are() {
        let mut table = AssetTable::new();
        let cards: Vec<_> = (0..50u32)
            .map(|n| card(&format!("0x{n:064x}"), [&format!("{}", n * 2 + 1), &format!("{}", n * 2 + 2)]))
            .collect();
        (0u32..).zip(&cards).for_each(|(n, card)| table.insert(MarketId(n), card));
        cards.iter().step_by(2).for_each(|card| table.remove(card));
        for (n, card) in (0u32..).zip(&cards) {
            let kept = (n % 2 == 1).then(|| MarketId(n).asset(Outcome::No));
            assert_eq!(table.lookup(card.token(Outcome::No).to_string().as_bytes()), kept);
            assert_eq!(table.market(card.condition.as_str().as_bytes()), kept.map(|asset| asset.market()));
        }
        assert_eq!(table.len(), 50);
    }

    #[test]
    fn the_same_tail_is_not_the_same_token() {
        let mut table = AssetTable::new();
        let long = "96032845026589264419652263767853273417682663975879399135125885387803393541415";
        table.insert(MarketId(3), &card("0x01", [long, "2"]));
        assert_eq!(table.lookup(long.as_bytes()), Some(MarketId(3).asset(Outcome::Yes)));
        assert_eq!(table.lookup(&long.as_bytes()[1..]), None);
        assert_eq!(table.lookup(format!("1{}", &long[1..]).as_bytes()), None);
    }
}
