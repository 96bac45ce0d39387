//! What the paper account has: what is settled, what is promised, what open orders hold.

use std::collections::BTreeMap;

use oddsmith_domain::{AssetId, Shares, Side, Usdc};

/// Tokens of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Holding {
    settled: Shares,
    /// Sold in matches that are not in a block yet.
    leaving: Shares,
    /// Offered by open orders.
    open: Shares,
}

/// One part of a match, as money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deal {
    pub(crate) asset: AssetId,
    pub(crate) side: Side,
    pub(crate) shares: Shares,
    /// What they cost or bring, without the fee.
    pub(crate) collateral: Usdc,
    pub(crate) fee: Usdc,
}

/// The account. Tokens and collateral count when they are in a block, as at the venue; what goes out is gone at the match.
#[derive(Clone, Debug)]
pub(crate) struct Purse {
    collateral: Usdc,
    leaving: Usdc,
    open: Usdc,
    allowance: Option<Usdc>,
    tokens_allowed: bool,
    holdings: BTreeMap<AssetId, Holding>,
}

/// Why the account cannot pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short {
    /// Whether it is the allowance that does not suffice.
    pub(crate) allowance: bool,
    pub(crate) has_micro: i64,
    pub(crate) open_micro: i64,
    pub(crate) needs_micro: i64,
}

impl Purse {
    pub(crate) const fn new(collateral: Usdc, allowance: Option<Usdc>, tokens_allowed: bool) -> Purse {
        Purse {
            collateral,
            leaving: Usdc::ZERO,
            open: Usdc::ZERO,
            allowance,
            tokens_allowed,
            holdings: BTreeMap::new(),
        }
    }

    /// Settled collateral: what the venue's balance says.
    pub(crate) const fn collateral(&self) -> Usdc {
        self.collateral
    }

    /// Settled tokens.
    pub(crate) fn settled(&self, asset: AssetId) -> Shares {
        self.holdings.get(&asset).map_or(Shares::ZERO, |holding| holding.settled)
    }

    fn holding(&mut self, asset: AssetId) -> &mut Holding {
        self.holdings.entry(asset).or_default()
    }

    /// Whether an order that needs so much collateral, or so many of its own tokens, can be paid.
    pub(crate) fn can_pay(&self, asset: AssetId, side: Side, cost: Usdc, shares: Shares) -> Result<(), Short> {
        let (has, open, needs, allowed) = match side {
            Side::Buy => {
                let allowed = self.allowance.is_none_or(|limit| self.open + self.leaving + cost <= limit);
                ((self.collateral - self.leaving).micros(), self.open.micros(), cost.micros(), allowed)
            }
            Side::Sell => {
                let holding = self.holdings.get(&asset).copied().unwrap_or_default();
                let has = (holding.settled - holding.leaving).micros();
                (has, holding.open.micros(), shares.micros(), self.tokens_allowed)
            }
        };
        if allowed && has.saturating_sub(open) >= needs {
            return Ok(());
        }
        Err(Short { allowance: !allowed, has_micro: has, open_micro: open, needs_micro: needs })
    }

    /// An open order holds so much, less so much than before.
    pub(crate) fn hold(&mut self, asset: AssetId, (cost, shares): (Usdc, Shares), (less_cost, less): (Usdc, Shares)) {
        self.open = self.open + cost - less_cost;
        if !shares.is_zero() || !less.is_zero() {
            let holding = self.holding(asset);
            holding.open = holding.open + shares - less;
        }
    }

    /// A match: what we give is promised.
    pub(crate) fn promise(&mut self, deal: &Deal) {
        match deal.side {
            Side::Buy => self.leaving += deal.collateral + deal.fee,
            Side::Sell => self.holding(deal.asset).leaving += deal.shares,
        }
    }

    /// The match is in a block, or will never be.
    pub(crate) fn settle(&mut self, deal: &Deal, mined: bool) {
        match deal.side {
            Side::Buy => {
                self.leaving -= deal.collateral + deal.fee;
                if mined {
                    self.collateral -= deal.collateral + deal.fee;
                    self.holding(deal.asset).settled += deal.shares;
                }
            }
            Side::Sell => {
                self.holding(deal.asset).leaving -= deal.shares;
                if mined {
                    self.holding(deal.asset).settled -= deal.shares;
                    self.collateral += deal.collateral - deal.fee;
                }
            }
        }
    }

    /// Tokens come from outside, or go: free ones only. Whether there were enough.
    pub(crate) fn change(&mut self, asset: AssetId, by: Shares) -> bool {
        let holding = self.holding(asset);
        let free = holding.settled - holding.leaving - holding.open;
        let enough = free + by >= Shares::ZERO;
        if enough {
            holding.settled += by;
        }
        enough
    }

    /// Free tokens: settled, not promised and not offered.
    pub(crate) fn free(&self, asset: AssetId) -> Shares {
        self.holdings.get(&asset).map_or(Shares::ZERO, |holding| holding.settled - holding.leaving - holding.open)
    }

    /// Free collateral.
    pub(crate) fn free_collateral(&self) -> Usdc {
        self.collateral - self.leaving - self.open
    }

    /// Collateral comes, or goes.
    pub(crate) fn pay(&mut self, amount: Usdc) {
        self.collateral += amount;
    }
}
