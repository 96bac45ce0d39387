//! What our strategy did, so that the peers' strategies do the same at the same moments without having to decide anything.

use std::fmt::Write as _;

/// One order, in terms of YES.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// When it left, by the clock of the recording.
    pub place_ns: u64,
    /// When a cancel of it left.
    pub cancel_ns: Option<u64>,
    /// Whether it buys.
    pub buys: bool,
    /// Its price, in cents.
    pub cents: u64,
    /// Its size, in hundredths of a share.
    pub lots: u64,
    /// Whether it must not match at once.
    pub post_only: bool,
}

/// Something to do.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// Place the order with this number.
    Place(usize),
    /// Cancel the order with this number.
    Cancel(usize),
}

/// What became of the orders.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Orders placed.
    pub placed: usize,
    /// Orders of which something was filled.
    pub filled: usize,
    /// How much, in shares.
    pub shares: f64,
}

/// All orders and everything to do, in order.
pub struct Script {
    pub orders: Vec<Order>,
    pub deeds: Vec<(u64, Deed)>,
}

impl Script {
    pub fn new(orders: Vec<Order>) -> Script {
        let mut deeds = Vec::new();
        for (number, order) in orders.iter().enumerate() {
            deeds.push((order.place_ns, Deed::Place(number)));
            deeds.extend(order.cancel_ns.map(|at| (at, Deed::Cancel(number))));
        }
        deeds.sort_by_key(|(at, _)| *at);
        Script { orders, deeds }
    }

    /// All orders: when they left and when their cancels did, side, price, size. The cancel's time is empty where there is none.
    pub fn table(&self) -> String {
        let mut text = String::from("place_ns,cancel_ns,buy,cents,lots,post_only\n");
        for Order { place_ns, cancel_ns, buys, cents, lots, post_only } in &self.orders {
            let cancel = cancel_ns.map(|at| at.to_string()).unwrap_or_default();
            let (buys, post_only) = (u8::from(*buys), u8::from(*post_only));
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{place_ns},{cancel},{buys},{cents},{lots},{post_only}");
        }
        text
    }
}
