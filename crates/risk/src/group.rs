//! Markets that win and lose together.

use oddsmith_domain::Usdc;
use serde::{Deserialize, Serialize};

/// The worst-case loss of several markets together has a limit of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupLimit {
    /// Its name, unique in the configuration.
    pub name: String,
    /// Its markets, by slug; a trailing `*` stands for any ending.
    pub markets: Vec<String>,
    /// Whether at most one of its markets can resolve to YES, as in a neg-risk event.
    #[serde(default)]
    pub exclusive: bool,
    /// The largest worst-case loss of all of them together, in dollars.
    pub max_loss_usdc: Usdc,
}

impl GroupLimit {
    /// Whether a market belongs to the group.
    #[must_use]
    pub fn covers(&self, slug: &str) -> bool {
        self.markets.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => slug.starts_with(start),
            None => slug == pattern,
        })
    }
}

/// The losses of a group's markets, added up one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupLoss {
    /// All of them resolve to NO.
    all_no: Usdc,
    /// The most that one market's YES adds to that.
    worst_yes: Usdc,
    /// Each resolves as is worst for us.
    each_worst: Usdc,
}

impl GroupLoss {
    /// Adds a market that loses `[if YES wins, if NO wins]`; negative is a gain.
    #[must_use]
    pub fn with(mut self, [yes, no]: [Usdc; 2]) -> GroupLoss {
        self.all_no += no;
        self.worst_yes = self.worst_yes.max(yes - no);
        self.each_worst += yes.max(no).max(Usdc::ZERO);
        self
    }

    /// The worst losses of these markets and one more that loses `[if YES wins, if NO wins]`, for either way in which that one
    /// can resolve. The larger of the two, if it is a loss at all, is [`GroupLoss::worst`] of all together.
    #[must_use]
    pub fn worst_with(&self, [yes, no]: [Usdc; 2], exclusive: bool) -> [Usdc; 2] {
        if exclusive {
            [self.all_no + yes, self.all_no + no + self.worst_yes]
        } else {
            [yes, no].map(|loss| self.each_worst + loss.max(Usdc::ZERO))
        }
    }

    /// The worst loss of all together. Where the markets exclude each other, at most one resolves to YES; otherwise nothing is
    /// assumed of how they hang together, and gains of one do not pay for losses of another.
    #[must_use]
    pub fn worst(&self, exclusive: bool) -> Usdc {
        if exclusive { (self.all_no + self.worst_yes).max(Usdc::ZERO) } else { self.each_worst }
    }
}

/// A group that a market belongs to, and what its other markets can lose.
#[derive(Clone, Copy, Debug)]
pub struct GroupStanding<'a> {
    /// The limit.
    pub limit: &'a GroupLimit,
    /// The other markets of the group.
    pub others: GroupLoss,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn selling_every_outcome_of_an_event_risks_one_of_them() {
        // 100 NO of each of three at 0.70: pays 200 whichever wins, and 300 if none does.
        let no = [Usdc::from_whole(70), Usdc::from_whole(-30)];
        let loss = GroupLoss::default().with(no).with(no).with(no);
        assert_eq!(loss.worst(true), Usdc::from_whole(10));
        assert_eq!(loss.worst(false), Usdc::from_whole(210));
    }

    proptest! {
        /// The closed form against every way in which the markets can resolve.
        #[test]
        fn the_closed_form_is_the_worst_of_all_resolutions(markets in prop::collection::vec((-50i64..50, -50i64..50), 0..7)) {
            let losses: Vec<[i64; 2]> = markets.into_iter().map(|(yes, no)| [yes, no]).collect();
            let loss = losses.iter().fold(GroupLoss::default(), |sum, l| sum.with(l.map(Usdc::from_whole)));
            if let Some((last, others)) = losses.split_last() {
                let others = others.iter().fold(GroupLoss::default(), |sum, l| sum.with(l.map(Usdc::from_whole)));
                for exclusive in [true, false] {
                    let [yes, no] = others.worst_with(last.map(Usdc::from_whole), exclusive);
                    prop_assert_eq!(yes.max(no).max(Usdc::ZERO), loss.worst(exclusive));
                }
            }
            let (mut exclusive, mut free) = (0i64, 0i64);
            for resolution in 0..1u32 << losses.len() {
                let sum: i64 = losses.iter().enumerate().map(|(i, l)| l[usize::from(resolution >> i & 1 == 0)]).sum();
                if resolution.count_ones() <= 1 {
                    exclusive = exclusive.max(sum);
                }
                free = free.max(sum);
            }
            prop_assert_eq!(loss.worst(true), Usdc::from_whole(exclusive));
            // Gains are not counted against losses there.
            prop_assert!(loss.worst(false) >= Usdc::from_whole(free));
        }
    }
}
