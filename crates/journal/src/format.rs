//! The bytes of a segment: its header, its records, and what their kinds mean.
//!
//! All integers are little-endian. A segment begins with a header of [`HEADER_LEN`] bytes; records follow back to back, each
//! starting at a multiple of eight:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | length of head and payload; zero while the record is not committed |
//! | 4 | 4 | CRC-32C over the length, everything from offset 8 on, and the padding |
//! | 8 | 8 | sequence number |
//! | 16 | 8 | monotonic time, ns |
//! | 24 | 8 | wall time, ns |
//! | 32 | 2 | kind |
//! | 34 | 2 | strategy instance + 1, or 0 |
//! | 36 | 4 | market + 1, or 0 |
//! | 40 | 8 | intent + 1, or 0 |
//! | 48 | 32 | order id, or zeros |
//! | 80 | … | payload, padded with zeros to a multiple of eight |

use oddsmith_domain::{InstanceId, IntentId, MarketId, OrderId, RunId, Time};

/// The version of the format and of the payloads' encoding that this build writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

pub(crate) const MAGIC: [u8; 8] = *b"ODDSMJNL";
pub(crate) const HEADER_LEN: usize = 64;
pub(crate) const RECORD_HEAD_LEN: usize = 80;
/// A seal has a payload of one byte, padded to eight.
pub(crate) const SEAL_LEN: usize = RECORD_HEAD_LEN + 8;

/// What a record is. The numbers are part of the format and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(pub u16);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $word:literal;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $name: Kind = Kind($number);)*

            /// The kind in words, or `None` for a number that this build does not know.
            #[must_use]
            pub const fn word(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($word),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// The first input of a run.
    SETUP = 1, "input.setup";
    /// A market's card.
    CARD = 2, "input.card";
    /// A frame of the market channel, or a book read by REST.
    MARKET = 3, "input.market";
    /// A frame of the user channel.
    USER = 4, "input.user";
    /// The result of an action.
    GATEWAY = 5, "input.gateway";
    /// A connection changed.
    LINK = 6, "input.link";
    /// A command.
    COMMAND = 7, "input.command";
    /// Time passed.
    TICK = 8, "input.tick";
    /// The watchdog acted.
    GUARD = 10, "input.guard";
    /// What the run before left behind.
    RESTORE = 0x40, "input.restore";
    /// The protocol that the venue speaks.
    PROTOCOL = 0x10, "input.protocol";
    /// An evaluation took too long.
    EVALUATED = 0x11, "input.evaluated";
    /// A price outside of the venue.
    REFERENCE = 0x12, "input.reference";
    /// A report of a match.
    TRUTH = 0x13, "input.truth";
    /// The venue's list of markets.
    LISTED = 0x14, "input.listed";
    /// Place an order.
    PLACE = 0x100, "action.place";
    /// Cancel an order.
    CANCEL = 0x101, "action.cancel";
    /// Cancel a market's orders.
    CANCEL_MARKET = 0x102, "action.cancel_market";
    /// Cancel every order.
    CANCEL_ALL = 0x103, "action.cancel_all";
    /// Ask for an order.
    QUERY = 0x104, "action.query";
    /// Tell the venue that we live.
    HEARTBEAT = 0x105, "action.heartbeat";
    /// Receive markets.
    SUBSCRIBE = 0x106, "action.subscribe";
    /// Read something whole.
    FETCH = 0x107, "action.fetch";
    /// Pairs become collateral.
    MERGE = 0x108, "action.merge";
    /// Tokens of a decided market become collateral.
    REDEEM = 0x109, "action.redeem";
    /// Receive markets no more.
    UNSUBSCRIBE = 0x110, "action.unsubscribe";
    /// NO of some outcomes of an event becomes collateral and YES of its others.
    CONVERT = 0x111, "action.convert";
    /// A strategy decided.
    DECISION = 0x200, "event.decision";
    /// An order changed its state.
    ORDER = 0x201, "event.order";
    /// An order could not change its state as an input wanted.
    ILLEGAL_TRANSITION = 0x202, "event.illegal_transition";
    /// An own order was filled in part.
    FILL = 0x203, "event.fill";
    /// A settlement moved on.
    SETTLEMENT = 0x204, "event.settlement";
    /// A sub-account changed.
    LEDGER = 0x205, "event.ledger";
    /// An order was not built.
    DENIED = 0x206, "event.denied";
    /// A rest below the minimum size.
    RESIDUAL = 0x207, "event.residual";
    /// A book's health changed.
    BOOK = 0x208, "event.book";
    /// Doubt began.
    DOUBT_BEGAN = 0x209, "event.doubt_began";
    /// Nothing of ours rests in a doubt's scope.
    DOUBT_CLEARED = 0x20a, "event.doubt_cleared";
    /// Doubt ended.
    DOUBT_ENDED = 0x20b, "event.doubt_ended";
    /// The venue's account and ours differ.
    DIFFERENCE = 0x20c, "event.difference";
    /// A frame was not understood.
    UNDECODABLE = 0x20d, "event.undecodable";
    /// The venue refused an order.
    REFUSED = 0x20e, "event.refused";
    /// For a person.
    ALERT = 0x20f, "event.alert";
    /// Something stops or narrows trading.
    LATCHED = 0x210, "event.latched";
    /// A latch ended.
    UNLATCHED = 0x211, "event.unlatched";
    /// How the wallet's profit stands.
    PROFIT = 0x212, "event.profit";
    /// Where trading stands changed.
    STATE = 0x213, "event.state";
    /// An evaluation took too long.
    SLOW_EVALUATION = 0x214, "event.slow_evaluation";
    /// A basket was accepted.
    BASKET_TAKEN = 0x215, "event.basket_taken";
    /// A basket stands otherwise than before.
    BASKET = 0x216, "event.basket";
    /// A basket of the run before is not taken up again.
    BASKET_ABANDONED = 0x217, "event.basket_abandoned";
    /// The cancel of a doubt's scope was answered.
    DOUBT_CANCELED = 0x230, "event.doubt_canceled";
    /// Caution after a doubt is over.
    CAUTION_ENDED = 0x231, "event.caution_ended";
    /// The venue takes less, or everything again.
    VENUE_MODE = 0x232, "event.venue_mode";
    /// An order is cancelled although no plan asked for it.
    WITHDRAWN = 0x233, "event.withdrawn";
    /// Quotes stand further away after post-only refusals.
    REPELLED = 0x234, "event.repelled";
    /// A breaker changed.
    BREAKER = 0x235, "event.breaker";
    /// A settlement could not go where an input wanted it.
    ILLEGAL_SETTLEMENT = 0x237, "event.illegal_settlement";
    /// A market's books come from REST reads, or from its connection again.
    DEGRADED = 0x236, "event.degraded";
    /// A sub-account moved without a match.
    BOOKING = 0x220, "event.booking";
    /// The capital changed.
    CAPITAL = 0x221, "event.capital";
    /// A market is decided.
    RESOLVED = 0x222, "event.resolved";
    /// The account was read whole.
    ACCOUNT_READ = 0x223, "event.account_read";
    /// A read of the account was not whole.
    ACCOUNT_REJECTED = 0x224, "event.account_rejected";
    /// Asking began in place of the user channel.
    POLL_BEGAN = 0x225, "event.poll_began";
    /// The asking is over.
    POLL_ENDED = 0x226, "event.poll_ended";
    /// A run began.
    BEGAN = 0x240, "event.began";
    /// A market got its number.
    NUMBERED = 0x241, "event.numbered";
    /// The facts of the run before were taken over.
    RESTORED = 0x242, "event.restored";
    /// A market came or went.
    LISTING = 0x250, "event.listing";
    /// The venue said more than is known.
    UNFAMILIAR = 0x251, "event.unfamiliar";
    /// An instance stated what an outcome is worth.
    FAIR_VALUE = 0x252, "event.fair_value";
    /// An instance is paused in a market by another one.
    PAUSED = 0x253, "event.paused";
    /// It is paused no more.
    UNPAUSED = 0x254, "event.unpaused";
    /// What a rule of selection says of markets.
    SELECTION = 0x255, "event.selection";
    /// A decision stands for other reasons than before.
    REASONS = 0x256, "event.reasons";
    /// The end of a segment; never handed out by the reader.
    SEAL = 0xffff, "seal";
}

impl Kind {
    /// Whether records of this kind are inputs of the engine.
    #[must_use]
    pub const fn is_input(self) -> bool {
        self.0 >= 1 && self.0 < 0x100
    }

    /// Whether records of this kind are outputs of the engine.
    #[must_use]
    pub const fn is_output(self) -> bool {
        self.0 >= 0x100 && self.0 < Kind::SEAL.0
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.word() {
            Some(word) => f.pad(word),
            None => write!(f, "kind {}", self.0),
        }
    }
}

/// What a record speaks of, so that it can be found without decoding its payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// The market.
    pub market: Option<MarketId>,
    /// The strategy instance.
    pub instance: Option<InstanceId>,
    /// The decision.
    pub intent: Option<IntentId>,
    /// The order.
    pub order: Option<OrderId>,
}

/// What a record says before its payload. Its sequence number is the writer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// When it happened.
    pub time: Time,
    /// What it is.
    pub kind: Kind,
    /// What it speaks of.
    pub ids: Ids,
}

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub schema_version: u32,
    pub run: RunId,
    pub index: u32,
    pub first_sequence: u64,
    pub capacity: u64,
}

impl SegmentHeader {
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0u8; HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.schema_version.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.index.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.run.0);
        bytes[32..40].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.capacity.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..HEADER_LEN - 4]);
        bytes[HEADER_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header, or `None` when these bytes are none.
    pub fn from_bytes(bytes: &[u8; HEADER_LEN]) -> Option<SegmentHeader> {
        let crc = crc32c::crc32c(&bytes[..HEADER_LEN - 4]);
        if bytes[..8] != MAGIC || bytes[HEADER_LEN - 4..] != crc.to_le_bytes() {
            return None;
        }
        Some(SegmentHeader {
            schema_version: u32_at(bytes, 8),
            index: u32_at(bytes, 12),
            run: RunId(array_at(bytes, 16)),
            first_sequence: u64_at(bytes, 32),
            capacity: u64_at(bytes, 40),
        })
    }
}

/// The first 80 bytes of a record, without its commit word.
pub(crate) fn head_bytes(head: &RecordHead, sequence: u64) -> [u8; RECORD_HEAD_LEN] {
    let mut bytes = [0u8; RECORD_HEAD_LEN];
    let ids = &head.ids;
    bytes[8..16].copy_from_slice(&sequence.to_le_bytes());
    bytes[16..24].copy_from_slice(&head.time.mono_ns.to_le_bytes());
    bytes[24..32].copy_from_slice(&head.time.wall_ns.to_le_bytes());
    bytes[32..34].copy_from_slice(&head.kind.0.to_le_bytes());
    bytes[34..36].copy_from_slice(&ids.instance.map_or(0, |id| id.0.saturating_add(1)).to_le_bytes());
    bytes[36..40].copy_from_slice(&ids.market.map_or(0, |id| id.0.saturating_add(1)).to_le_bytes());
    bytes[40..48].copy_from_slice(&ids.intent.map_or(0, |id| id.0.saturating_add(1)).to_le_bytes());
    bytes[48..80].copy_from_slice(&ids.order.unwrap_or_default().0);
    bytes
}

/// Head and sequence number out of a record's first 80 bytes.
pub(crate) fn parse_head(bytes: &[u8; RECORD_HEAD_LEN]) -> (RecordHead, u64) {
    let order = OrderId(array_at(bytes, 48));
    let ids = Ids {
        instance: u16_at(bytes, 34).checked_sub(1).map(InstanceId),
        market: u32_at(bytes, 36).checked_sub(1).map(MarketId),
        intent: u64_at(bytes, 40).checked_sub(1).map(IntentId),
        order: (order != OrderId::default()).then_some(order),
    };
    let time = Time { mono_ns: u64_at(bytes, 16), wall_ns: u64_at(bytes, 24) };
    (RecordHead { time, kind: Kind(u16_at(bytes, 32)), ids }, u64_at(bytes, 8))
}

/// The checksum of a record: over its length, its bytes after the commit word, and its padding.
pub(crate) fn record_crc(length: u32, head: &[u8], payload: &[u8]) -> u32 {
    const ZEROS: [u8; 8] = [0; 8];
    let crc = crc32c::crc32c(&length.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, head);
    let crc = crc32c::crc32c_append(crc, payload);
    crc32c::crc32c_append(crc, &ZEROS[..padded(payload.len()) - payload.len()])
}

/// A length, rounded up to the alignment of records.
pub(crate) const fn padded(len: usize) -> usize {
    len.next_multiple_of(8)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0u8; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_its_bytes() {
        for ids in [
            Ids::default(),
            Ids {
                market: Some(MarketId(0)),
                instance: Some(InstanceId(0)),
                intent: Some(IntentId(0)),
                order: Some(OrderId([9; 32])),
            },
        ] {
            let head = RecordHead { time: Time { mono_ns: 3, wall_ns: 4 }, kind: Kind::FILL, ids };
            assert_eq!(parse_head(&head_bytes(&head, 77)), (head, 77));
        }
    }

    #[test]
    fn a_header_with_any_flipped_bit_is_none() {
        let header =
            SegmentHeader { schema_version: 1, run: RunId([3; 16]), index: 2, first_sequence: 9, capacity: 4_096 };
        let bytes = header.to_bytes();
        assert_eq!(SegmentHeader::from_bytes(&bytes), Some(header));
        for bit in 0..HEADER_LEN * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::from_bytes(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn kinds_are_inputs_or_outputs() {
        assert!(Kind::SETUP.is_input() && Kind::TICK.is_input() && !Kind::TICK.is_output());
        assert!(Kind::PLACE.is_output() && Kind::ALERT.is_output() && !Kind::ALERT.is_input());
        assert!(!Kind::SEAL.is_input() && !Kind::SEAL.is_output());
        assert_eq!(Kind(999).to_string(), "kind 999");
    }
}
