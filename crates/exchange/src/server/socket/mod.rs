//! The two WebSocket channels (protocol section 8).

mod hub;
mod session;

pub(super) use hub::{Hub, Inlet};
pub(super) use session::{Answered, Login, login, market_socket, market_text, user_socket, user_text};
