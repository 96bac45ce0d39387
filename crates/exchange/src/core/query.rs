//! Reading: everything that the endpoints of protocol sections 6.1 to 6.6 show.

use std::sync::Arc;

use oddsmith_domain::{Address, AssetId, ConditionId, MarketId, OrderId, SignatureType, TokenId, TradeId, Usdc};
use rand::RngCore;

use super::account::{Account, AccountId, KeyId, UserId};
use super::keys::{ApiKey, KeyKind};
use super::market::Market;
use super::order::Order;
use super::trade::Trade;
use super::{Core, SECOND};

impl Core {
    /// Every market, in the order of listing.
    #[must_use]
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// A market by our number.
    #[must_use]
    pub fn market(&self, market: MarketId) -> Option<&Market> {
        self.markets.get(market.index())
    }

    /// A market by its condition.
    #[must_use]
    pub fn market_by_condition(&self, condition: &ConditionId) -> Option<&Market> {
        self.market_by_condition.get(condition).and_then(|market| self.market(*market))
    }

    /// A market by its slug.
    #[must_use]
    pub fn market_by_slug(&self, slug: &str) -> Option<&Market> {
        self.market_by_slug.get(slug).and_then(|market| self.market(*market))
    }

    /// The asset of a token.
    #[must_use]
    pub fn asset(&self, token: &TokenId) -> Option<AssetId> {
        self.market_by_token.get(token).copied()
    }

    /// The key with this text, unless it is revoked.
    #[must_use]
    pub fn find_key(&self, id: &str) -> Option<KeyId> {
        self.keys.find(id)
    }

    /// A key by our number, revoked or not.
    #[must_use]
    pub fn key(&self, key: KeyId) -> Option<&ApiKey> {
        self.keys.get(key)
    }

    /// Makes a full key for a signing address, or says that there is one for that nonce.
    ///
    /// # Errors
    /// The existing key.
    pub fn create_key(&mut self, address: Address, nonce: u64) -> Result<KeyId, KeyId> {
        let user = self.user(address);
        if let Some(key) = self.derive_key(address, nonce) {
            return Err(key);
        }
        self.wallet(user, address, SignatureType::Eoa);
        Ok(self.keys.add(self.seed, (user, address), KeyKind::Full, nonce, self.now_ns / SECOND))
    }

    /// The full key of a signing address for a nonce, if there is one.
    #[must_use]
    pub fn derive_key(&self, address: Address, nonce: u64) -> Option<KeyId> {
        let user = *self.user_by_address.get(&address)?;
        let mut keys = self.keys.of_user(user, KeyKind::Full);
        keys.find(|(_, key)| key.nonce == nonce && key.revoked_s.is_none()).map(|(id, _)| id)
    }

    /// Makes another key of a kind for the owner of a key.
    pub fn create_sub_key(&mut self, owner: KeyId, kind: KeyKind) -> Option<KeyId> {
        let (user, address) = self.keys.get(owner).map(|key| (key.user, key.address))?;
        Some(self.keys.add(self.seed, (user, address), kind, 0, self.now_ns / SECOND))
    }

    /// The keys of a kind that the owner of a key has and has not revoked.
    pub fn keys_of(&self, owner: KeyId, kind: KeyKind) -> impl Iterator<Item = (KeyId, &ApiKey)> {
        let user = self.keys.get(owner).map(|key| key.user);
        let keys = user.into_iter().flat_map(move |user| self.keys.of_user(user, kind));
        keys.filter(|(_, key)| key.revoked_s.is_none())
    }

    /// Revokes a key; says whether it was alive.
    pub fn revoke_key(&mut self, key: KeyId) -> bool {
        self.keys.revoke(key, self.now_ns / SECOND)
    }

    /// A simulated trader with money, whose key never leaves the process.
    pub fn add_trader(&mut self, funds: Usdc) -> (KeyId, AccountId) {
        let mut bytes = [0u8; 20];
        self.ids.fill_bytes(&mut bytes);
        let address = Address(bytes);
        let user = self.user(address);
        if let Some(user) = self.users.get_mut(user.0 as usize) {
            user.internal = true;
        }
        let account = self.wallet(user, address, SignatureType::Eoa);
        self.account_mut(account).collateral = funds;
        let key = self.keys.add(self.seed, (user, address), KeyKind::Internal, 0, self.now_ns / SECOND);
        (key, account)
    }

    /// An account by its number.
    #[must_use]
    pub fn account(&self, account: AccountId) -> Option<&Account> {
        self.accounts.get(account.0 as usize)
    }

    /// Every account.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The account at an address.
    #[must_use]
    pub fn account_at(&self, address: &Address) -> Option<AccountId> {
        self.account_by_address.get(address).copied()
    }

    /// The signing address of a user.
    #[must_use]
    pub fn user_address(&self, user: UserId) -> Option<Address> {
        self.users.get(user.0 as usize).map(|user| user.address)
    }

    /// Whether a user may only reduce positions.
    #[must_use]
    pub fn is_closed_only(&self, user: UserId) -> bool {
        self.users.get(user.0 as usize).is_some_and(|user| user.closed_only)
    }

    /// An order, open or remembered.
    #[must_use]
    pub fn order(&self, id: &OrderId) -> Option<&Order> {
        self.order_by_id.get(id).and_then(|slot| self.order_at(*slot))
    }

    /// The open orders of a user, oldest first.
    pub fn open_orders(&self, user: UserId) -> impl Iterator<Item = &Order> {
        self.open_of(user)
    }

    /// A match by its id.
    #[must_use]
    pub fn trade(&self, id: &TradeId) -> Option<&Arc<Trade>> {
        self.trade_by_id.get(id).and_then(|sequence| self.trades.get(sequence))
    }

    /// The matches of a user that are remembered, newest first.
    pub fn trades_of(&self, user: UserId) -> impl Iterator<Item = &Arc<Trade>> {
        let sequences = self.users.get(user.0 as usize).into_iter().flat_map(|user| user.trades.iter().rev());
        sequences.filter_map(|sequence| self.trades.get(sequence))
    }

    /// Fees that the exchange has collected.
    #[must_use]
    pub fn fees_collected(&self) -> Usdc {
        self.fees
    }

    /// All collateral there is: on accounts, behind tokens, and collected as fees. Nothing changes it but a grant.
    #[must_use]
    pub fn total_collateral(&self) -> Usdc {
        let held: Usdc = self.accounts.iter().map(|account| account.collateral).sum();
        let locked: Usdc = self.markets.iter().map(|market| market.locked).sum();
        held + locked + self.fees
    }
}
