//! Decoding of the market channel, and of books read by REST (protocol sections 8.1 and 6.3).
//!
//! Every element can be read by the general way of [`element`], whatever its order of keys, white space or escapes.

use oddsmith_domain::MarketBatch;

use super::scan::{Scan, Scanner};
use super::{DecodeReport, Fault, FaultKind};
use crate::AssetTable;

mod element;
mod fields;

/// The largest frame that is looked at: some hundreds of full books.
const MAX_FRAME_BYTES: usize = 64 << 20;

/// Decodes frames of the market channel, and bodies of `GET /book` and `POST /books`.
#[derive(Debug, Default)]
pub struct MarketDecoder {}

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
        batch.clear();
        let mut state = Frame { table, batch, report: DecodeReport::default() };
        if frame.len() > MAX_FRAME_BYTES {
            state.report.fail(Fault { at: 0, field: None, kind: FaultKind::TooLarge });
        } else if let Err(broken) = state.elements(&mut Scanner::new(frame, 0)) {
            state.report.fail(element::fault_of(broken));
        }
        state.report
    }
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

impl Frame<'_> {
    fn mark(&self) -> Mark {
        Mark { events: self.batch.events.len(), levels: self.batch.levels.len() }
    }

    fn roll_back(&mut self, mark: Mark) {
        self.batch.events.truncate(mark.events);
        self.batch.levels.truncate(mark.levels);
    }

    fn elements(&mut self, scanner: &mut Scanner<'_>) -> Scan<()> {
        scanner.skip_space();
        if scanner.peek() == Some(b'[') {
            let mut more = scanner.opens(b'[', b']')?;
            while more {
                element::decode(self, scanner)?;
                more = scanner.another(b']')?;
            }
        } else {
            element::decode(self, scanner)?;
        }
        scanner.skip_space();
        if scanner.is_done() { Ok(()) } else { Err(scanner.broken(FaultKind::Trailing)) }
    }
}
