//! Decoding of the market channel, and of books read by REST (protocol sections 8.1 and 6.3).
//!
//! An element is first tried the fast way, which reads values where they stand and guesses the order of keys from the element
//! before. What is unusual in it (escapes, missing, doubled or unreadable fields) takes the general way, which reads anything and knows
//! what is wrong. Both decide alike: a test compares them on frames of every kind.

use oddsmith_domain::{MarketBatch, MarketEvent};

use super::scan::{Raw, Scan, Scanner};
use super::{DecodeReport, Fault, FaultKind};
use crate::AssetTable;

mod element;
mod fast;
mod fields;
mod read;
mod what;

/// The largest frame that is looked at: some hundreds of full books.
const MAX_FRAME_BYTES: usize = 64 << 20;

/// Decodes frames of the market channel, and bodies of `GET /book` and `POST /books`.
#[derive(Debug, Default)]
pub struct MarketDecoder {
    habits: fast::Habits,
}

impl MarketDecoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub fn new() -> MarketDecoder {
        MarketDecoder::default()
    }

    /// Decodes one frame into `batch`, whose former contents are forgotten.
    ///
    /// Elements stand in the frame's order. One that cannot be decoded leaves nothing behind and does not harm the others, except
    /// that nothing can be read after the place where the text stops being JSON. Of a `price_change`, every change is taken or
    /// refused on its own.
    pub fn decode(&mut self, table: &AssetTable, frame: &[u8], batch: &mut MarketBatch) -> DecodeReport {
        run(table, frame, batch, |state, scanner| match fast::decode(state, &mut self.habits, scanner) {
            Some(()) => Ok(()),
            None => element::decode(state, scanner),
        })
    }
}

/// Decodes a frame, each of its elements by `element`.
#[inline]
fn run<'f>(
    table: &'f AssetTable,
    bytes: &'f [u8],
    batch: &'f mut MarketBatch,
    element: impl FnMut(&mut Frame<'f>, &mut Scanner<'f>) -> Scan<()>,
) -> DecodeReport {
    batch.clear();
    let mut frame = Frame { table, batch, report: DecodeReport::default() };
    if bytes.len() > MAX_FRAME_BYTES {
        frame.report.fail(Fault { at: 0, field: None, kind: FaultKind::TooLarge });
    } else if let Err(broken) = frame.elements(&mut Scanner::new(bytes), element) {
        frame.report.fail(element::fault_of(broken));
    }
    frame.report
}

/// One frame being decoded.
struct Frame<'f> {
    table: &'f AssetTable,
    batch: &'f mut MarketBatch,
    report: DecodeReport,
}

/// How full the batch was.
#[derive(Clone, Copy)]
struct Mark {
    events: usize,
    levels: usize,
}

impl<'f> Frame<'f> {
    fn mark(&self) -> Mark {
        Mark { events: self.batch.events.len(), levels: self.batch.levels.len() }
    }

    fn roll_back(&mut self, mark: Mark) {
        self.batch.events.truncate(mark.events);
        self.batch.levels.truncate(mark.levels);
    }

    #[inline]
    fn elements(
        &mut self,
        scanner: &mut Scanner<'f>,
        mut element: impl FnMut(&mut Frame<'f>, &mut Scanner<'f>) -> Scan<()>,
    ) -> Scan<()> {
        scanner.skip_space();
        if scanner.peek() == Some(b'[') {
            let mut more = scanner.opens(b'[', b']')?;
            while more {
                element(self, scanner)?;
                more = scanner.another(b']')?;
            }
        } else {
            element(self, scanner)?;
        }
        scanner.skip_space();
        if scanner.is_done() { Ok(()) } else { Err(scanner.broken(FaultKind::Trailing)) }
    }

    /// Counts an element that was understood, with the known keys that are strange in it and those that nobody knows.
    #[inline]
    fn understood(&mut self, strange: u32, unknown: Unknown, start: u32) {
        self.report.elements += 1;
        if strange + unknown.count > 0 {
            self.report.unknown_fields += strange + unknown.count;
            self.report.first_unknown.get_or_insert(unknown.first.unwrap_or(start));
        }
    }

    /// Gives the changes since `mark` the time of their element.
    #[inline]
    fn date_changes(&mut self, mark: Mark, timestamp_ms: u64) {
        for event in self.batch.events.iter_mut().skip(mark.events) {
            if let MarketEvent::Change(change) = event {
                change.timestamp_ms = timestamp_ms;
            }
        }
    }

    /// Brings the bids of a book before its asks, as the batch wants them; where they begin.
    fn bids_first(&mut self, bids: Levels, asks: Levels) -> u32 {
        if asks.first < bids.first
            && let Some(levels) = self.batch.levels.get_mut(asks.first..)
        {
            levels.rotate_left(asks.count.min(levels.len()));
        }
        bids.first.min(asks.first) as u32
    }
}

/// A run of levels in the batch.
#[derive(Clone, Copy, Debug, Default)]
struct Levels {
    first: usize,
    count: usize,
}

/// Keys that nobody knows.
#[derive(Clone, Copy, Debug, Default)]
struct Unknown {
    count: u32,
    first: Option<u32>,
}

impl Unknown {
    fn note(&mut self, key: Raw) {
        self.count += 1;
        self.first.get_or_insert(key.start);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;
    use crate::assets::tests::card;

    const YES: &str = "48388091485466084032258596983551595414700058539322197443810535093166937854987";
    const NO: &str = "61239215649395191360236665642361373285369855891601242399674202107726866894461";

    fn table() -> AssetTable {
        let mut table = AssetTable::new();
        table.insert(oddsmith_domain::MarketId(0), &card("0xab", [YES, NO]));
        table
    }

    /// Pieces from which frames are made that are nearly right, or right.
    fn piece() -> impl Strategy<Value = String> {
        let key = select(vec![
            "event_type",
            "market",
            "asset_id",
            "timestamp",
            "hash",
            "price",
            "size",
            "side",
            "best_bid",
            "best_ask",
            "tick_size",
            "min_order_size",
            "neg_risk",
            "last_trade_price",
            "version",
            "bids",
            "asks",
            "price_changes",
            "fee_rate_bps",
            "later",
            "pri\\u0063e",
            "sports_market_type",
        ]);
        let value = prop_oneof![
            4 => select(vec![
                "\"price_change\"", "\"book\"", "\"last_trade_price\"", "\"best_bid_ask\"", "\"0xab\"", "\"0.5\"", "\"0.52\"",
                "\"12.50\"", "\"BUY\"", "\"SELL\"", "\"1760000000100\"", "1760000000100", "\"\"", "null", "true", "false", "7",
                "\"f3cc31114e050a10b3d72e6f8a2233f63b19489c\"", "[]", "{}", "[{\"price\":\"0.4\",\"size\":\"3\"}]",
                "[{ \"size\" : \"3\", \"price\":\"0.4\", \"x\":[1]}]", "[{\"price\":\"0.4\"}]", "[3]", "\"v2\"", "\"0.01\"", "\"é\"",
                "\"-1\"", "\"0.\\u0035\"", "\"1e3\"",
            ]).prop_map(str::to_owned),
            1 => select(vec![YES, NO, "5"]).prop_map(|token| format!("\"{token}\"")),
        ];
        (key, value, select(vec!["", "", " ", "\n "]))
            .prop_map(|(key, value, space)| format!("\"{key}\"{space}:{space}{value}{space}"))
    }

    fn change() -> impl Strategy<Value = String> {
        let extra = prop_oneof![3 => Just(String::new()), 1 => piece().prop_map(|piece| format!(",{piece}"))];
        (select(vec![YES, NO, "5"]), select(vec!["0.27", "1", "x"]), extra).prop_map(|(token, price, extra)| {
            format!("{{\"asset_id\":\"{token}\",\"price\":\"{price}\",\"size\":\"8.0\",\"side\":\"BUY\"{extra}}}")
        })
    }

    fn nearly_right() -> impl Strategy<Value = String> {
        let pieces = prop::collection::vec(piece(), 0..4);
        let body = prop_oneof![
            prop::collection::vec(change(), 0..3).prop_map(|changes| format!(
                "\"event_type\":\"price_change\",\"market\":\"0xab\",\"timestamp\":\"1760000000100\",\"price_changes\":[{}]",
                changes.join(", ")
            )),
            select(vec![YES, "5"]).prop_map(|token| format!(
                "\"market\":\"0xab\",\"asset_id\":\"{token}\",\"asks\":[{{\"price\":\"0.9\",\"size\":\"1\"}}],\
                 \"bids\":[{{\"price\":\"0.1\",\"size\":\"2\"}},{{\"price\":\"0.2\",\"size\":\"2.0\"}}],\"timestamp\":\"1760000000100\""
            )),
            Just(format!(
                "\"market\":\"0xab\",\"asset_id\":\"{YES}\",\"timestamp\":\"1760000000100\",\"price\":\"0.3\",\"size\":\"2\",\
                 \"side\":\"SELL\",\"best_bid\":\"0\",\"best_ask\":\"1\""
            )),
        ];
        (body, pieces).prop_map(|(body, pieces)| {
            let pieces: String = pieces.iter().map(|piece| format!(",{piece}")).collect();
            format!("{{{body}{pieces}}}")
        })
    }

    fn both_ways(decoder: &mut MarketDecoder, frame: &[u8]) -> Result<(), TestCaseError> {
        let table = table();
        let (mut fast, mut general) = (MarketBatch::default(), MarketBatch::default());
        let report = decoder.decode(&table, frame, &mut fast);
        let expected = run(&table, frame, &mut general, element::decode);
        prop_assert_eq!(report, expected, "{}", String::from_utf8_lossy(frame));
        prop_assert_eq!(&fast.events, &general.events, "{}", String::from_utf8_lossy(frame));
        prop_assert_eq!(&fast.levels, &general.levels, "{}", String::from_utf8_lossy(frame));
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_fast_way_and_the_general_way_decide_alike(
            elements in prop::collection::vec(nearly_right(), 1..4),
            at in any::<Index>(),
            byte in any::<u8>(),
            harm in 0..4,
        ) {
            let mut decoder = MarketDecoder::new();
            let mut frame = if elements.len() == 1 { elements.concat() } else { format!("[{}]", elements.join(",")) }.into_bytes();
            both_ways(&mut decoder, &frame)?;
            let at = at.index(frame.len());
            match harm {
                0 => frame.truncate(at),
                1 => frame[at] = byte,
                2 => frame.insert(at, byte),
                _ => { frame.remove(at); }
            }
            both_ways(&mut decoder, &frame)?;
        }
    }

    #[test]
    fn the_usual_shapes_take_the_fast_way() {
        let table = table();
        let change = |token: &str| {
            format!(
                "{{\"asset_id\":\"{token}\", \"price\":\"0.27\", \"size\":\"0\", \"side\":\"BUY\", \"hash\":\"f3cc31114e050a10b3d72e6f8a2233f63b19489c\", \"best_bid\":\"0.49\", \"best_ask\":\"0.5\"}}"
            )
        };
        let frames = [
            format!(
                "{{\"market\":\"0xab\", \"price_changes\":[{}, {}], \"timestamp\":\"1777366994943\", \"event_type\":\"price_change\"}}",
                change(YES),
                change(NO)
            ),
            format!(
                "{{\"market\":\"0xab\",\"asset_id\":\"{YES}\",\"timestamp\":\"1777366758691\",\"hash\":\"\",\"bids\":[{{\"price\":\"0.01\",\"size\":\"2540\"}}],\"asks\":[],\"min_order_size\":\"5\",\"tick_size\":\"0.01\",\"neg_risk\":false,\"last_trade_price\":\"0.500\",\"later\":{{}}}}"
            ),
        ];
        for frame in frames {
            let mut batch = MarketBatch::default();
            let mut habits = fast::Habits::default();
            let report = run(&table, frame.as_bytes(), &mut batch, |state, scanner| {
                fast::decode(state, &mut habits, scanner).expect("the fast way suffices");
                Ok(())
            });
            assert_eq!((report.elements, report.undecodable), (1, 0));
            assert!(!batch.events.is_empty());
        }
    }
}
