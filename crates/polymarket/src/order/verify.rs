//! Checking the signature of an order, as the venue's contract does (protocol section 4.1). The local exchange needs this.

use std::fmt;

use oddsmith_domain::{Address, ExchangeKind, OrderFields, SignatureType};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Secp256k1, VerifyOnly};
use thiserror::Error;

use super::contracts::{proxy_wallet, safe_wallet};
use super::hash::OrderHasher;
use super::sign::{OrderSignature, account};

/// Finds the account that made a signature.
#[derive(Clone)]
pub struct Recoverer(Secp256k1<VerifyOnly>);

impl Recoverer {
    /// A new one; keep it, it is not free to make.
    #[must_use]
    pub fn new() -> Recoverer {
        Recoverer(Secp256k1::verification_only())
    }

    /// The account that signed a digest. `v` may be 27 or 28, or 0 or 1. A signature whose s is in the upper half is refused,
    /// because the contracts refuse it and it would be a second form of the same signature.
    #[must_use]
    pub fn recover(&self, digest: &[u8; 32], signature: &[u8; 65]) -> Option<Address> {
        let (compact, v) = signature.split_first_chunk::<64>()?;
        let recovery = match v {
            [0 | 27] => RecoveryId::Zero,
            [1 | 28] => RecoveryId::One,
            _ => return None,
        };
        if compact[32..] > HALF_ORDER[..] {
            return None;
        }
        let signature = RecoverableSignature::from_compact(compact, recovery).ok()?;
        self.0.recover_ecdsa(Message::from_digest(*digest), &signature).ok().map(|key| account(&key))
    }
}

/// Half the order of the curve: the largest s of a signature in its one accepted form.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e,
    0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

impl Default for Recoverer {
    fn default() -> Recoverer {
        Recoverer::new()
    }
}

impl fmt::Debug for Recoverer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recoverer")
    }
}

/// Why a signature does not belong to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureFault {
    /// Its length does not fit the signature type.
    #[error("the signature has the wrong length for its type")]
    Length,
    /// What surrounds a deposit wallet's signature is not of this order and contract.
    #[error("the wrapping of the deposit wallet's signature does not belong to this order")]
    Wrapping,
    /// No account made it.
    #[error("the signature is of no account")]
    Nobody,
    /// It was made by another account than the order's signer.
    #[error("the order was signed by {0}, not by its signer")]
    Signer(Address),
    /// The maker is not the signer's account of this type.
    #[error("the maker is not the signer's account of this signature type")]
    Maker,
}

/// Checks an order's signature and returns the account of the key that made it.
///
/// For a deposit wallet (type 3) that is the wallet's key, about which the order says nothing: whether it may sign for the
/// wallet is for the caller to know.
///
/// # Errors
/// [`SignatureFault`].
pub fn verify_order(
    recoverer: &Recoverer,
    hasher: &OrderHasher,
    kind: ExchangeKind,
    fields: &OrderFields,
    signature: &OrderSignature,
) -> Result<Address, SignatureFault> {
    if matches!(fields.signature_type, SignatureType::Poly1271) {
        if fields.maker != fields.signer {
            return Err(SignatureFault::Maker);
        }
        if signature.as_plain().is_some() {
            return Err(SignatureFault::Length);
        }
        let inner = signature
            .unwrap_wallet(hasher.domain_separator(kind), &hasher.struct_hash(fields))
            .ok_or(SignatureFault::Wrapping)?;
        return recoverer.recover(&hasher.wallet_digest(kind, fields), inner).ok_or(SignatureFault::Nobody);
    }
    let plain = signature.as_plain().ok_or(SignatureFault::Length)?;
    let by = recoverer.recover(&hasher.digest(kind, fields).0, plain).ok_or(SignatureFault::Nobody)?;
    if by != fields.signer {
        return Err(SignatureFault::Signer(by));
    }
    let owner = match fields.signature_type {
        SignatureType::Eoa | SignatureType::Poly1271 => Ok(by),
        SignatureType::Proxy => proxy_wallet(hasher.chain_id(), by),
        SignatureType::Safe => safe_wallet(hasher.chain_id(), by),
    };
    if owner == Ok(fields.maker) { Ok(by) } else { Err(SignatureFault::Maker) }
}
