//! The two WebSocket channels (protocol section 8).

mod hub;
mod session;

pub(super) use hub::Hub;
pub(super) use session::{market_socket, user_socket};
