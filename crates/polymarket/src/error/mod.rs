//! What the venue's answers prove.
//!
//! Every request has one of three results. *Accepted*: the venue says so. *Refused*: the venue proved that it did not take the
//! order. *Unknown*: everything else; the order then counts as alive until something says otherwise. [`reply`] draws that line
//! for every status and body, [`text`] knows the venue's error texts (protocol section 7).
//!
//! | answer | result |
//! |---|---|
//! | 200, `success`, no `errorMsg`, our id | accepted |
//! | 200, an `errorMsg` and not the order's id, or `success` false with an `errorMsg` | refused, unless the text is doubtful |
//! | 200, anything else | unknown |
//! | 425, 429 | refused: the request did not reach the engine |
//! | other 4xx, except 408 and 499 | refused, unless the text is doubtful |
//! | 503 with the text of a venue mode | refused |
//! | any other status, no answer, a broken connection | unknown |
//!
//! *Doubtful* texts say that something may have happened: `Duplicated` (an order with this id was taken before), `delayed`,
//! `timed out`, `could not insert`, `context canceled`.

pub mod reply;
pub mod text;

pub use reply::{HeartbeatOutcome, HttpReply, Reply};
pub use text::refusal_code;
