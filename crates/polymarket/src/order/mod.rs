//! An order from its fields to the bytes of its request.
//!
//! 1. [`salt`] makes it unique.
//! 2. [`OrderHasher::digest`] gives its id, which is what is signed and what the venue calls it by.
//! 3. [`Signer::sign_order`] signs it, for any of the four signature types.
//! 4. [`order_body`] writes the request into a buffer that is used again and again.
//!
//! None of these allocates once the buffer is warm. The other direction, which the local exchange needs, is
//! [`verify_order`].
//!
//! ```
//! use oddsmith_domain::{ExchangeKind, OrderFields, Side, SignatureType, TokenId};
//! use oddsmith_polymarket::order::{OrderHasher, POLYGON, Recoverer, Signer, verify_order};
//!
//! // a key that everybody knows: never send money to it
//! let signer = Signer::from_hex("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").unwrap();
//! let hasher = OrderHasher::new(POLYGON).unwrap();
//! let fields = OrderFields {
//!     salt: 1, maker: signer.address(), signer: signer.address(), token: TokenId::parse("1234").unwrap(),
//!     maker_amount: 5_700_000, taker_amount: 10_000_000, side: Side::Buy, signature_type: SignatureType::Eoa,
//!     timestamp_ms: 1_710_000_000_000, metadata: [0; 32], builder: [0; 32],
//! };
//! let signature = signer.sign_fields(&hasher, ExchangeKind::Ctf, &fields);
//! let by = verify_order(&Recoverer::new(), &hasher, ExchangeKind::Ctf, &fields, &signature);
//! assert_eq!(by, Ok(signer.address()));
//! ```

mod body;
mod contracts;
mod hash;
mod sign;
mod verify;

#[cfg(test)]
mod vectors;

pub use body::{order_body, orders_body};
pub use contracts::{AMOY, POLYGON, UnknownChain, checksum_address, exchange_contract, proxy_wallet, safe_wallet};
pub use hash::{ORDER_TYPE, OrderHasher, is_position_id};
pub(crate) use hash::{keccak, typed_digest};
pub use sign::{KeyError, OrderSignature, SignatureTextError, Signer};
pub use verify::{Recoverer, SignatureFault, verify_order};

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The salt of the order with this number in the run with this seed: the low 53 bits of a keyed hash, so that a JSON number
/// holds it and no two orders of a run, nor of two runs, are likely to share one.
#[must_use]
pub fn salt(seed: &[u8; 32], sequence: u64) -> u64 {
    // An HMAC takes keys of any length, so this cannot fail; the fallback keeps outside input from ever panicking.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(seed) else { return sequence & SALT_MASK };
    mac.update(b"oddsmith order salt");
    mac.update(&sequence.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let low = hash.iter().rev().take(8).rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    low & SALT_MASK
}

const SALT_MASK: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn salts_are_stable_distinct_and_fit_a_json_number() {
        let seed = [7u8; 32];
        let salts: BTreeSet<u64> = (0..10_000).map(|sequence| salt(&seed, sequence)).collect();
        assert_eq!(salts.len(), 10_000);
        assert!(salts.iter().all(|salt| *salt < 1 << 53));
        assert!(salts.iter().any(|salt| *salt > 1 << 52), "the high bits are used");
        assert_eq!(salt(&seed, 3), salt(&seed, 3));
        assert_ne!(salt(&seed, 3), salt(&[8u8; 32], 3));
    }
}
