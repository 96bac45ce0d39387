//! Which way an order may go.

use oddsmith_domain::OrderState::{
    Canceled, Filled, PartiallyFilled, PendingCancel, PendingNew, Rejected, Unknown, Working,
};
use oddsmith_domain::TradeStatus::{Confirmed, Failed, Matched, Mined, Retrying};
use oddsmith_domain::{OrderState, TradeStatus};

/// Every state, in the order of an order's life.
pub const ALL_STATES: [OrderState; 8] =
    [PendingNew, Working, PartiallyFilled, PendingCancel, Unknown, Filled, Canceled, Rejected];

/// Whether an order may go from one state to another. This is the only place where it is said.
///
/// Three rows deserve a word. A fill may overtake the answer to its placement, so `PENDING_NEW` leads to every fill state. From
/// `UNKNOWN` every fact is welcome, because there was none before. And `CANCELED` leads to `FILLED`: the venue may confirm a cancel
/// while the match that used the order up is still being reported.
#[must_use]
pub const fn is_legal(from: OrderState, to: OrderState) -> bool {
    match from {
        PendingNew => matches!(to, Working | PartiallyFilled | Filled | PendingCancel | Canceled | Rejected | Unknown),
        Working => matches!(to, PartiallyFilled | Filled | PendingCancel | Canceled | Unknown),
        PartiallyFilled => matches!(to, Filled | PendingCancel | Canceled | Unknown),
        PendingCancel => matches!(to, Working | PartiallyFilled | Filled | Canceled | Rejected | Unknown),
        Unknown => matches!(to, Working | PartiallyFilled | Filled | PendingCancel | Canceled | Rejected),
        Canceled => matches!(to, Filled),
        Filled | Rejected => false,
    }
}

/// What a report of a match's settlement is to what was reported before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The settlement moved on.
    MovesOn,
    /// A report that was overtaken, or repeats what is known.
    Old,
    /// Both cannot be true: the settlement had ended, and is now said to have ended otherwise.
    Contradiction,
}

/// Every status of a settlement, in the order of its life.
pub const ALL_STATUSES: [TradeStatus; 5] = [Matched, Mined, Confirmed, Retrying, Failed];

/// What a report of `to` says after one of `from`. This is the only place where it is said.
///
/// Reports come late, twice and out of order, so what lies behind is old and no error. `CONFIRMED` and `FAILED` are last words:
/// only each other contradicts them.
#[must_use]
pub const fn settlement(from: TradeStatus, to: TradeStatus) -> Settlement {
    match (from, to) {
        (Matched, Mined | Confirmed | Retrying | Failed)
        | (Retrying, Mined | Confirmed | Failed)
        | (Mined, Confirmed | Retrying | Failed) => Settlement::MovesOn,
        (Confirmed, Failed) | (Failed, Confirmed) => Settlement::Contradiction,
        _ => Settlement::Old,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table once more, as a picture: rows from, columns to, in the order of [`ALL_STATES`].
    const PICTURE: [(&str, [u8; 8]); 8] = [
        //                     new wrk part pcan unk fil can rej
        ("PENDING_NEW", [0, 1, 1, 1, 1, 1, 1, 1]),
        ("WORKING", [0, 0, 1, 1, 1, 1, 1, 0]),
        ("PARTIALLY_FILLED", [0, 0, 0, 1, 1, 1, 1, 0]),
        ("PENDING_CANCEL", [0, 1, 1, 0, 1, 1, 1, 1]),
        ("UNKNOWN", [0, 1, 1, 1, 0, 1, 1, 1]),
        ("FILLED", [0, 0, 0, 0, 0, 0, 0, 0]),
        ("CANCELED", [0, 0, 0, 0, 0, 1, 0, 0]),
        ("REJECTED", [0, 0, 0, 0, 0, 0, 0, 0]),
    ];

    #[test]
    fn every_pair_is_as_the_picture_shows() {
        for (from, (name, row)) in ALL_STATES.into_iter().zip(PICTURE) {
            for (to, legal) in ALL_STATES.into_iter().zip(row) {
                assert_eq!(is_legal(from, to), legal == 1, "{name} -> {to:?}");
            }
        }
    }

    /// Rows from, columns to, in the order of [`ALL_STATUSES`]: `>` moves on, `.` is old, `!` contradicts.
    const SETTLEMENTS: [(&str, &str); 5] =
        [("MATCHED", ".>>>>"), ("MINED", "..>>>"), ("CONFIRMED", "....!"), ("RETRYING", ".>>.>"), ("FAILED", "..!..")];

    #[test]
    fn every_pair_of_a_settlement_is_as_the_picture_shows() {
        for (from, (name, row)) in ALL_STATUSES.into_iter().zip(SETTLEMENTS) {
            for (to, shown) in ALL_STATUSES.into_iter().zip(row.chars()) {
                let expected = match shown {
                    '>' => Settlement::MovesOn,
                    '!' => Settlement::Contradiction,
                    _ => Settlement::Old,
                };
                assert_eq!(settlement(from, to), expected, "{name} -> {to:?}");
            }
        }
    }

    #[test]
    fn final_states_lead_nowhere_but_to_a_late_fill() {
        for from in ALL_STATES.into_iter().filter(|s| s.is_final()) {
            for to in ALL_STATES {
                assert_eq!(is_legal(from, to), from == Canceled && to == Filled);
            }
        }
    }
}
