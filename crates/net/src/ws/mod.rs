//! WebSockets as a client: our own framing, because it stands between the venue's tick and our order.

mod frame;
mod socket;

pub use frame::{FrameHead, Opcode, WsFault, read_head, write_frame};
pub use socket::{Incoming, MESSAGE_LIMIT, WsSocket};
