//! The server's own choices where the venue's behaviour is not known.

/// Settings of the server. The core has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How far a signed timestamp may be from ours, in seconds. The venue does not state its own tolerance.
    pub timestamp_tolerance_s: u64,
    /// Most ids of one `DELETE /orders`: the venue's changelog says 1,000, older pages and the unified SDK 3,000.
    pub most_cancels: usize,
    /// Entries of a page of orders, trades or markets.
    pub page: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { timestamp_tolerance_s: 300, most_cancels: 1_000, page: 500 }
    }
}
