//! How a wanted exposure is split between selling what is held and buying the complement (systems 4.1).

use oddsmith_domain::Shares;
use serde::{Deserialize, Serialize};

/// What to do when a part would be smaller than the venue takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MinSizePolicy {
    /// Rather quote less than was wanted.
    #[default]
    PassiveFirst,
    /// Rather buy the minimum than nothing.
    Aggregate,
}

/// A wanted size, split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// To sell from what is held of the one token.
    pub reduce: Shares,
    /// To buy of the other token.
    pub open: Shares,
    /// Wanted, but too small to order.
    pub residual: Shares,
}

/// Splits `target` into a sale of up to `free` held shares and a purchase of the rest, neither smaller than `min`.
///
/// A residual is never rounded up into a sale of more than is held.
#[must_use]
pub fn split(target: Shares, free: Shares, min: Shares, policy: MinSizePolicy) -> Split {
    let target = target.max(Shares::ZERO);
    let reduce = target.min(free.max(Shares::ZERO)).floor_lots();
    let open = target - reduce;
    let aggregate = policy == MinSizePolicy::Aggregate;
    match (reduce >= min, open >= min) {
        _ if open.is_zero() && reduce >= min => Split { reduce, ..Split::default() },
        _ if open.is_zero() => Split { residual: reduce, ..Split::default() },
        (true, true) => Split { reduce, open, residual: Shares::ZERO },
        (true, false) => Split { reduce, residual: open, ..Split::default() },
        (false, true) => Split { open, residual: reduce, ..Split::default() },
        (false, false) if aggregate => Split { open: min, residual: reduce, ..Split::default() },
        (false, false) => Split { residual: target, ..Split::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eight_cases() {
        let min = 5;
        // target, free | passive first: reduce, open, residual | aggregate: reduce, open, residual
        for (target, free, passive, aggregate) in [
            (8, 0, (0, 8, 0), (0, 8, 0)),
            (4, 0, (0, 0, 4), (0, 5, 0)),
            (8, 9, (8, 0, 0), (8, 0, 0)),
            (4, 9, (0, 0, 4), (0, 0, 4)),
            (12, 6, (6, 6, 0), (6, 6, 0)),
            (9, 6, (6, 0, 3), (6, 0, 3)),
            (9, 3, (0, 6, 3), (0, 6, 3)),
            (7, 3, (0, 0, 7), (0, 5, 3)),
        ] {
            for (policy, (reduce, open, residual)) in
                [(MinSizePolicy::PassiveFirst, passive), (MinSizePolicy::Aggregate, aggregate)]
            {
                let expected = Split {
                    reduce: Shares::from_whole(reduce),
                    open: Shares::from_whole(open),
                    residual: Shares::from_whole(residual),
                };
                let [target, free, min] = [target, free, min].map(Shares::from_whole);
                assert_eq!(split(target, free, min, policy), expected, "target {target} free {free} {policy:?}");
            }
        }
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn parts_are_orderable_and_never_more_than_held(
                target in 0i64..50_000_000, free in -1_000_000i64..50_000_000, min in 10_000i64..10_000_000, aggregate: bool,
            ) {
                let policy = if aggregate { MinSizePolicy::Aggregate } else { MinSizePolicy::PassiveFirst };
                let [target, free, min] = [target, free, min].map(Shares::from_micros);
                let s = split(target, free, min, policy);
                prop_assert!(s.reduce <= free.max(Shares::ZERO));
                prop_assert!(s.reduce.is_zero() || s.reduce >= min);
                prop_assert!(s.open.is_zero() || s.open >= min);
                if policy == MinSizePolicy::PassiveFirst {
                    prop_assert_eq!(s.reduce + s.open + s.residual, target);
                }
            }
        }
    }
}
