//! Raw frames as they were received.

use std::path::Path;

use oddsmith_domain::{Input, MarketSource};

use super::entry::{Draft, What};
use super::{Reading, Source, TapeError, outside};
use crate::recording::{Needle, Recording, is_market_frame, unwrap};

static EVENT_TYPE: Needle = Needle::new("\"event_type\"");

/// A recording of frames.
pub(super) struct Frames {
    recording: Recording,
}

impl Frames {
    pub(super) fn open(path: &Path) -> Result<Frames, TapeError> {
        Ok(Frames::new(Recording::open(path)?))
    }

    pub(super) fn new(recording: Recording) -> Frames {
        Frames { recording }
    }
}

impl Source for Frames {
    fn next(&mut self, draft: &mut Draft, reading: &mut Reading) -> Result<bool, TapeError> {
        while let Some(piece) = self.recording.next_piece()? {
            if piece.clipped {
                reading.counts.refused += 1;
                continue;
            }
            let unwrapped = unwrap(piece.bytes);
            if !is_market_frame(&unwrapped.frame) {
                if let Some(tick) = outside::price(&unwrapped.frame) {
                    let input = Input::Reference(Box::new(tick));
                    draft.other(unwrapped.received_ns, What::Input(Box::new(input)), None);
                    return Ok(true);
                }
                reading.counts.others += 1;
                continue;
            }
            // A book read by REST has no event type; on the socket everything has one, most often at the end.
            let rest = !EVENT_TYPE.is_in_from_end(&unwrapped.frame);
            let source = if rest { MarketSource::Rest } else { MarketSource::Shard(0) };
            draft.frame(unwrapped.received_ns, source, &unwrapped.frame);
            return Ok(true);
        }
        Ok(false)
    }
}
