//! HTTP/1.1 as a client: our own bytes on kept connections for orders, a blocking client for everything on the side.

mod blocking;
mod connection;
mod message;

pub(crate) use blocking::read_until_complete;
pub use blocking::{Answer, HttpClient, Transport};
pub use connection::{HttpConnection, ORDER_BODY_LIMIT};
pub use message::{Body, HttpFault, Response, read_response, write_request};
