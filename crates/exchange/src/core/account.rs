//! Accounts: who holds what, and what of it is free.

use std::collections::BTreeMap;

use oddsmith_domain::{Address, AssetId, ExchangeKind, Shares, SignatureType, Usdc};

use super::config::UsableAt;

/// The number of an account that holds money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// The number of a person: one signing address, its keys and its wallets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u32);

/// The number of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

/// What an account has of one token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// On the chain.
    pub settled: Shares,
    /// Matched away, not yet in a block.
    pub pending_out: Shares,
    /// Matched towards it, not yet in a block.
    pub pending_in: Shares,
    /// Offered by open SELL orders.
    pub open: Shares,
}

impl Holding {
    fn is_empty(&self) -> bool {
        *self == Holding::default()
    }
}

/// How much one exchange contract may move for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Collateral; `None` is without limit.
    pub collateral: Option<Usdc>,
    /// Whether it may move tokens.
    pub tokens: bool,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance { collateral: None, tokens: true }
    }
}

/// An account that holds money.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its address.
    pub address: Address,
    /// Whose it is.
    pub user: UserId,
    /// What kind of wallet it is.
    pub wallet: SignatureType,
    /// Collateral on the chain.
    pub collateral: Usdc,
    /// Collateral matched away, not yet in a block.
    pub pending_out: Usdc,
    /// Collateral matched towards it, not yet in a block.
    pub pending_in: Usdc,
    /// Collateral that open BUY orders need.
    pub open: Usdc,
    /// Collateral that is locked for no reason (a fault that the venue has shown).
    pub phantom_lock: Usdc,
    /// Tokens.
    pub holdings: BTreeMap<AssetId, Holding>,
    allowances: [Allowance; 3],
}

impl Account {
    pub(crate) fn new(address: Address, user: UserId, wallet: SignatureType) -> Account {
        Account {
            address,
            user,
            wallet,
            collateral: Usdc::ZERO,
            pending_out: Usdc::ZERO,
            pending_in: Usdc::ZERO,
            open: Usdc::ZERO,
            phantom_lock: Usdc::ZERO,
            holdings: BTreeMap::new(),
            allowances: [Allowance::default(); 3],
        }
    }

    /// What one contract may move.
    #[must_use]
    pub fn allowance(&self, exchange: ExchangeKind) -> Allowance {
        self.allowances[exchange_index(exchange)]
    }

    pub(crate) fn set_allowance(&mut self, exchange: ExchangeKind, allowance: Allowance) {
        self.allowances[exchange_index(exchange)] = allowance;
    }

    /// What it has of one token.
    #[must_use]
    pub fn holding(&self, asset: AssetId) -> Holding {
        self.holdings.get(&asset).copied().unwrap_or_default()
    }

    pub(crate) fn change_holding(&mut self, asset: AssetId, change: impl FnOnce(&mut Holding)) {
        let mut holding = self.holding(asset);
        change(&mut holding);
        if holding.is_empty() {
            self.holdings.remove(&asset);
        } else {
            self.holdings.insert(asset, holding);
        }
    }

    /// Collateral that open orders and new ones may use together.
    #[must_use]
    pub fn spendable(&self, usable: UsableAt) -> Usdc {
        let coming = if usable == UsableAt::Matched { self.pending_in } else { Usdc::ZERO };
        self.collateral + coming - self.pending_out - self.phantom_lock
    }

    /// Shares of a token that open orders and new ones may offer together.
    #[must_use]
    pub fn sellable(&self, asset: AssetId, usable: UsableAt) -> Shares {
        let holding = self.holding(asset);
        let coming = if usable == UsableAt::Matched { holding.pending_in } else { Shares::ZERO };
        holding.settled + coming - holding.pending_out
    }
}

const fn exchange_index(exchange: ExchangeKind) -> usize {
    match exchange {
        ExchangeKind::Ctf => 0,
        ExchangeKind::NegRisk => 1,
        ExchangeKind::Position => 2,
    }
}
