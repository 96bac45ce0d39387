//! Orders of ours as the paper venue holds them.

use oddsmith_domain::{AccountOrder, PlaceOrder, Shares, Side, TradeId, Usdc, VenueOrderStatus};

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Waits for its taker delay.
    Delayed,
    /// Rests.
    Live,
    /// Nothing is left of it.
    Filled,
    /// Cancelled, with the venue's word for it.
    Gone(&'static str),
}

impl Standing {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Standing::Delayed => "DELAYED",
            Standing::Live => "LIVE",
            Standing::Filled => "MATCHED",
            Standing::Gone(word) => word,
        }
    }

    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Standing::Delayed | Standing::Live)
    }
}

/// One order.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) place: PlaceOrder,
    /// Its number in the book.
    pub(crate) key: u64,
    pub(crate) matched: Shares,
    pub(crate) standing: Standing,
    pub(crate) trades: Vec<TradeId>,
    pub(crate) created_ms: u64,
    /// What it holds of the account.
    pub(crate) holds: (Usdc, Shares),
}

impl Held {
    pub(crate) fn remaining(&self) -> Shares {
        self.place.size - self.matched
    }

    /// What it must hold of the account while it is open.
    pub(crate) fn needs(&self) -> (Usdc, Shares) {
        match (self.standing.is_open(), self.place.side()) {
            (false, _) => (Usdc::ZERO, Shares::ZERO),
            (true, Side::Buy) => (self.remaining().cost_ceil(self.place.price), Shares::ZERO),
            (true, Side::Sell) => (Usdc::ZERO, self.remaining()),
        }
    }

    /// As the venue reports it.
    pub(crate) fn report(&self) -> AccountOrder {
        AccountOrder {
            id: self.place.id,
            asset: Some(self.place.asset),
            side: self.place.side(),
            price: self.place.price,
            original_size: self.place.size,
            size_matched: self.matched,
            status: match self.standing {
                Standing::Delayed => VenueOrderStatus::Delayed,
                Standing::Live => VenueOrderStatus::Live,
                Standing::Filled => VenueOrderStatus::Matched,
                Standing::Gone(_) => VenueOrderStatus::Canceled,
            },
        }
    }
}
