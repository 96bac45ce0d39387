//! The two WebSocket channels (protocol section 8).

mod feed;
mod hub;
mod session;

pub(super) use feed::{feed_text, price_socket, truth_socket};
pub(super) use hub::{Hub, Inlet};
pub(super) use session::{Answered, Login, login, market_socket, market_text, user_socket, user_text};
