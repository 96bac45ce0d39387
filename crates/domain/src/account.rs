//! What a sub-account holds, and what moves it.

use serde::{Deserialize, Serialize};

use crate::{AssetId, MarketId, Outcome, Price, Shares, Usdc};

/// What a movement did to a sub-account, so that it can be undone, and done again in another run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// Change of cash.
    pub cash: Usdc,
    /// Change of the cost of the shares held, by outcome.
    pub cost: [Usdc; 2],
    /// Change of the realised profit.
    pub realized: Usdc,
    /// Change of the shares held, by outcome.
    pub shares: [Shares; 2],
    /// Fees contained in it.
    pub fee: Usdc,
}

impl Movement {
    /// Whether it keeps the identity: cash and cost together change by what was realised.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.cash + self.cost[0] + self.cost[1] == self.realized
    }

    /// Whether it moves nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Movement::default()
    }

    /// The same the other way round.
    #[must_use]
    pub fn reversed(self) -> Movement {
        Movement {
            cash: -self.cash,
            cost: self.cost.map(|c| -c),
            realized: -self.realized,
            shares: self.shares.map(|s| -s),
            fee: -self.fee,
        }
    }
}

/// What one instance has in one market. Cash is counted from zero: the wallet's opening balance is nobody's profit.
///
/// Two identities hold after every event: `cash = realized - cost`, and for each outcome `shares = settled + arriving - leaving`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubAccount {
    /// Net cash since the start, by every match so far.
    pub cash: Usdc,
    /// What the shares held have cost, entry fees included, by outcome.
    pub cost: [Usdc; 2],
    /// Profit realised since the start, fees included.
    pub realized: Usdc,
    /// Fees paid since the start.
    pub fees: Usdc,
    /// Shares held by every match so far, by outcome.
    pub shares: [Shares; 2],
    /// Shares that are on the chain.
    pub settled: [Shares; 2],
    /// Shares bought in matches that are not on the chain.
    pub arriving: [Shares; 2],
    /// Shares sold in matches that are not on the chain.
    pub leaving: [Shares; 2],
    /// Settled shares promised to a merge or a redemption that is under way.
    pub reserved: [Shares; 2],
    /// Cash of sales that are not on the chain.
    pub incoming: Usdc,
    /// Cash of purchases that are not on the chain.
    pub outgoing: Usdc,
}

impl SubAccount {
    /// What all shares held have cost.
    #[must_use]
    pub fn cost_basis(&self) -> Usdc {
        self.cost[0] + self.cost[1]
    }

    /// The identities of the books, exactly.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.cash == self.realized - self.cost_basis()
            && (0..2).all(|i| self.shares[i] == self.settled[i] + self.arriving[i] - self.leaving[i])
    }

    /// Whether more has been sold than was held.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.shares.iter().any(|s| s.is_negative())
    }

    /// Whether nothing is held that could be ordered: the dust below the smallest size of an order is no position.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.shares.iter().all(|s| s.abs() < Shares::LOT)
    }

    /// Settled shares of an outcome that are neither on their way out nor promised. What working sells have promised is still in it.
    #[must_use]
    pub fn available(&self, outcome: Outcome) -> Shares {
        let i = outcome.index();
        (self.settled[i] - self.leaving[i] - self.reserved[i]).max(Shares::ZERO)
    }

    /// Cash as the chain counts it.
    #[must_use]
    pub fn settled_cash(&self) -> Usdc {
        self.cash - self.incoming + self.outgoing
    }

    /// Profit not realised if YES is worth `mid` and NO the rest.
    #[must_use]
    pub fn unrealized(&self, mid: Price) -> Usdc {
        self.shares[0].cost_floor(mid) + self.shares[1].cost_floor(mid.complement()) - self.cost_basis()
    }
}

/// Why a sub-account moved without a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Booking {
    /// Tokens that the wallet held before anyone here bought them.
    Opening,
    /// Tokens went from one sub-account to another, at a stated price.
    Transfer,
    /// Collateral became pairs.
    Split,
    /// Pairs became collateral.
    Merge,
    /// The market is decided: what is held is worth what it pays.
    Decided,
    /// Tokens of a decided market became collateral.
    Redeem,
    /// The venue counts other tokens than we did, and proved it twice.
    Correction,
    /// NO of some outcomes of an event became collateral and YES of its others.
    Convert,
}

/// NO of some outcomes of an event against YES of all its others, and a dollar for each outcome given but one (quant 9).
///
/// Exactly one outcome of the event wins: whichever it is, both sides of the exchange pay the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventConversion {
    /// The markets whose NO is given.
    pub from: Vec<MarketId>,
    /// All the other markets of the event, whose YES comes.
    pub into: Vec<MarketId>,
    /// How many shares of each.
    pub shares: Shares,
}

impl EventConversion {
    /// All markets of the event.
    pub fn markets(&self) -> impl Iterator<Item = MarketId> + '_ {
        self.from.iter().chain(&self.into).copied()
    }

    /// The collateral that comes: a dollar a share for each outcome given but one.
    #[must_use]
    pub fn collateral(&self) -> Usdc {
        let dollars = i64::try_from(self.from.len().saturating_sub(1)).unwrap_or(i64::MAX);
        Usdc::from_micros(self.shares.micros().saturating_mul(dollars))
    }

    /// Whether it is one: NO of at least one market, no market twice, and something of each.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let mut all: Vec<MarketId> = self.markets().collect();
        all.sort_unstable();
        !self.from.is_empty() && all.is_sorted_by(|one, next| one < next) && self.shares.is_positive()
    }
}

/// Why the capital changed that profit is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapitalCause {
    /// The venue told the collateral for the first time.
    Opening,
    /// Tokens were taken in that the wallet held before; they count at their cost.
    Tokens,
    /// Collateral came in from outside: a deposit, a rebate, a reward.
    Deposit,
    /// Collateral went away, or the venue withholds it.
    Withdrawal,
}

/// The number of a booking that no venue has numbered: made from what it is, so that a second run, or a second report, makes the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BookingId(pub [u8; 16]);

/// In what the venue's account and our books differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// An order under our key that this run does not know.
    ForeignOrder,
    /// An order of ours that we took for working is not among the venue's open ones.
    MissingOrder,
    /// An order of ours that we took for dead is alive.
    UndeadOrder,
    /// An order's size, price, side or token are not as we sent it.
    OrderTerms,
    /// A match of an order that this run does not know.
    ForeignFill,
    /// The venue claims more matched for an order than its matches show.
    MissingFill,
    /// A match was reported again with another size, or with another token or side than its order has.
    FillTerms,
    /// The venue counts other collateral.
    Collateral,
    /// The venue counts other tokens.
    Tokens,
    /// More was sold than was held, or a sub-account does not balance.
    Ledger,
    /// Two sources disagree about how a market was decided.
    Resolution,
}

/// Where the word came from that a market is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolutionSource {
    /// The market channel.
    Socket,
    /// The venue was asked.
    Venue,
}

/// Why the account is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadReason {
    /// The wallet is in doubt; the start is one.
    Doubt,
    /// It is time.
    Schedule,
    /// The user channel was away and is back.
    Reconnect,
    /// Something does not fit.
    Suspicion,
    /// Orders and matches alone, because the user channel is away.
    Poll,
}

/// A part of the account that is read by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountPart {
    /// The open orders.
    Orders,
    /// The matches.
    Trades,
    /// The collateral.
    Collateral,
    /// One token's balance.
    Token(AssetId),
}
