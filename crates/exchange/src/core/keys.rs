//! API keys: their life, and who they belong to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, Mac};
use oddsmith_domain::Address;
use sha2::Sha256;

use super::account::{KeyId, UserId};

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Trade and read.
    Full,
    /// Read.
    ReadOnly,
    /// Attribute orders to a builder.
    Builder,
    /// A simulated trader's: it never leaves the process.
    Internal,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The key itself, a UUID.
    pub id: String,
    /// The HMAC secret, URL-safe base64.
    pub secret: String,
    /// The passphrase, 64 hexadecimal digits.
    pub passphrase: String,
    /// Whose it is.
    pub user: UserId,
    /// The signing address that it is bound to.
    pub address: Address,
    /// What it may do.
    pub kind: KeyKind,
    /// The nonce that it was derived from.
    pub nonce: u64,
    /// When it was made, in seconds since the Unix epoch.
    pub created_s: u64,
    /// When it was revoked.
    pub revoked_s: Option<u64>,
}

/// The key ring of the exchange.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyRing {
    keys: Vec<ApiKey>,
    by_id: BTreeMap<String, KeyId>,
    made: u64,
}

impl KeyRing {
    pub(crate) fn get(&self, key: KeyId) -> Option<&ApiKey> {
        self.keys.get(key.0 as usize)
    }

    /// A key that is not revoked, by its text.
    pub(crate) fn find(&self, id: &str) -> Option<KeyId> {
        let key = *self.by_id.get(id).or_else(|| self.by_id.get(id.to_ascii_lowercase().as_str()))?;
        self.get(key).is_some_and(|record| record.revoked_s.is_none()).then_some(key)
    }

    pub(crate) fn of_user(&self, user: UserId, kind: KeyKind) -> impl Iterator<Item = (KeyId, &ApiKey)> {
        let numbered = self.keys.iter().enumerate().map(|(index, key)| (KeyId(index as u32), key));
        numbered.filter(move |(_, key)| key.user == user && key.kind == kind)
    }

    pub(crate) fn add(
        &mut self,
        seed: u64,
        (user, address): (UserId, Address),
        kind: KeyKind,
        nonce: u64,
        now_s: u64,
    ) -> KeyId {
        self.made += 1;
        // Full keys depend on address and nonce alone, as the venue derives them; a revoked one can thus not come back
        // under the same credentials, because `made` enters too once there was one.
        let again = self.of_user(user, kind).filter(|(_, key)| key.nonce == nonce).count() as u64;
        let salt = if kind == KeyKind::Full { again } else { self.made };
        let words = |word: &str| derive(seed, address, nonce, salt, kind, word);
        let key = ApiKey {
            id: uuid(&words("id")),
            secret: URL_SAFE.encode(words("secret")),
            passphrase: hex(&words("passphrase")),
            user,
            address,
            kind,
            nonce,
            created_s: now_s,
            revoked_s: None,
        };
        let id = KeyId(self.keys.len() as u32);
        self.by_id.insert(key.id.clone(), id);
        self.keys.push(key);
        id
    }

    pub(crate) fn revoke(&mut self, key: KeyId, now_s: u64) -> bool {
        match self.keys.get_mut(key.0 as usize) {
            Some(record) if record.revoked_s.is_none() => {
                record.revoked_s = Some(now_s);
                true
            }
            _ => false,
        }
    }
}

fn derive(seed: u64, address: Address, nonce: u64, salt: u64, kind: KeyKind, word: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&seed.to_be_bytes()).expect("an HMAC key may have any length");
    mac.update(&address.0);
    mac.update(&nonce.to_be_bytes());
    mac.update(&salt.to_be_bytes());
    mac.update(&[kind as u8]);
    mac.update(word.as_bytes());
    mac.finalize().into_bytes().into()
}

/// A version-4 UUID of the first 16 bytes.
pub(crate) fn uuid(bytes: &[u8; 32]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().take(16).enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let byte = match index {
            6 => byte & 0x0f | 0x40,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}
