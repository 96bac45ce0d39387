//! Signing with the wallet's key.

use std::fmt;

use arrayvec::{ArrayString, ArrayVec};
use oddsmith_domain::{Address, ExchangeKind, OrderFields, OrderId, PlaceOrder, SignatureType};
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey, SignOnly};
use thiserror::Error;

use super::contracts::address_of;
use super::hash::{ORDER_TYPE, OrderHasher, keccak};

/// Bytes of a plain signature: r, s, v.
const PLAIN: usize = 65;
/// Bytes of a deposit wallet's signature: the plain one, the domain, the order's hash, the order's type and its length.
const WRAPPED: usize = PLAIN + 32 + 32 + ORDER_TYPE.len() + 2;

/// Why a secret is not a signing key. The secret itself is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not 64 hexadecimal digits, with or without `0x`.
    #[error("a signing key is 64 hexadecimal digits, with or without 0x")]
    Text,
    /// Zero, or not below the order of the curve.
    #[error("these 32 bytes are not a valid signing key")]
    Range,
}

/// A wallet's key. The secret is overwritten when the signer is dropped and shown by nothing.
pub struct Signer {
    context: Secp256k1<SignOnly>,
    secret: SecretKey,
    address: Address,
}

impl Signer {
    /// A signer from the secret's 32 bytes. The caller's copy is the caller's to erase.
    ///
    /// # Errors
    /// [`KeyError::Range`].
    pub fn from_secret(secret: &[u8; 32]) -> Result<Signer, KeyError> {
        let context = Secp256k1::signing_only();
        let secret = SecretKey::from_byte_array(*secret).map_err(|_| KeyError::Range)?;
        let address = account(&PublicKey::from_secret_key(&context, &secret));
        Ok(Signer { context, secret, address })
    }

    /// A signer from the secret's hexadecimal text.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_hex(text: &str) -> Result<Signer, KeyError> {
        let text = text.trim();
        let mut secret = [0u8; 32];
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut secret).map_err(|_| KeyError::Text)?;
        let signer = Signer::from_secret(&secret);
        secret.fill(0);
        std::hint::black_box(&secret);
        signer
    }

    /// The key's account.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Signs an order's id: r, s, v with v 27 or 28. Deterministic (RFC 6979), s in the lower half.
    #[must_use]
    pub fn sign(&self, digest: &OrderId) -> [u8; PLAIN] {
        self.sign_digest(&digest.0)
    }

    /// Signs any digest, as [`Signer::sign`].
    #[must_use]
    pub fn sign_digest(&self, digest: &[u8; 32]) -> [u8; PLAIN] {
        let (recovery, compact) =
            self.context.sign_ecdsa_recoverable(Message::from_digest(*digest), &self.secret).serialize_compact();
        let mut signature = [0u8; PLAIN];
        signature[..64].copy_from_slice(&compact);
        signature[64] = 27 + u8::from(i32::from(recovery) & 1 == 1);
        signature
    }

    /// Signs an order whose id is known.
    #[must_use]
    pub fn sign_order(&self, hasher: &OrderHasher, order: &PlaceOrder) -> OrderSignature {
        match order.fields.signature_type {
            SignatureType::Poly1271 => self.sign_fields(hasher, order.exchange, &order.fields),
            SignatureType::Eoa | SignatureType::Proxy | SignatureType::Safe => {
                OrderSignature::plain(self.sign(&order.id))
            }
        }
    }

    /// Signs an order from its fields.
    #[must_use]
    pub fn sign_fields(&self, hasher: &OrderHasher, kind: ExchangeKind, fields: &OrderFields) -> OrderSignature {
        match fields.signature_type {
            SignatureType::Poly1271 => OrderSignature::wrapped(
                &self.sign_digest(&hasher.wallet_digest(kind, fields)),
                hasher.domain_separator(kind),
                &hasher.struct_hash(fields),
            ),
            SignatureType::Eoa | SignatureType::Proxy | SignatureType::Safe => {
                OrderSignature::plain(self.sign(&hasher.digest(kind, fields)))
            }
        }
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The account of a public key.
pub(super) fn account(key: &PublicKey) -> Address {
    address_of(&keccak(&key.serialize_uncompressed()[1..]))
}

/// Why a text is not the signature of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a signature is 0x and the hexadecimal digits of 65 bytes, or of 317 for a deposit wallet")]
pub struct SignatureTextError;

/// The signature of an order as it is sent: 65 bytes, or more for a deposit wallet.
#[derive(Clone, PartialEq, Eq)]
pub struct OrderSignature(ArrayVec<u8, WRAPPED>);

impl OrderSignature {
    /// The signature of a plain key.
    #[must_use]
    pub fn plain(signature: [u8; PLAIN]) -> OrderSignature {
        let mut bytes = ArrayVec::new();
        bytes.extend(signature);
        OrderSignature(bytes)
    }

    fn wrapped(inner: &[u8; PLAIN], domain: &[u8; 32], contents: &[u8; 32]) -> OrderSignature {
        let mut bytes = ArrayVec::new();
        bytes.extend(*inner);
        bytes.extend(*domain);
        bytes.extend(*contents);
        bytes.extend(ORDER_TYPE.bytes());
        bytes.extend(TYPE_LENGTH);
        OrderSignature(bytes)
    }

    /// Reads the venue's text. The local exchange gets these from anybody.
    ///
    /// # Errors
    /// [`SignatureTextError`].
    pub fn parse(text: &str) -> Result<OrderSignature, SignatureTextError> {
        let digits = text.strip_prefix("0x").ok_or(SignatureTextError)?;
        let mut bytes = [0u8; WRAPPED];
        let bytes = match digits.len() / 2 {
            length @ (PLAIN | WRAPPED) => bytes.get_mut(..length).ok_or(SignatureTextError)?,
            _ => return Err(SignatureTextError),
        };
        hex::decode_to_slice(digits, bytes).map_err(|_| SignatureTextError)?;
        let mut signature = ArrayVec::new();
        signature.try_extend_from_slice(bytes).map_err(|_| SignatureTextError)?;
        Ok(OrderSignature(signature))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The plain signature, if it is one.
    #[must_use]
    pub fn as_plain(&self) -> Option<&[u8; PLAIN]> {
        self.0.as_slice().try_into().ok()
    }

    /// The plain signature inside a deposit wallet's, if what surrounds it is what it must be.
    #[must_use]
    pub fn unwrap_wallet(&self, domain: &[u8; 32], contents: &[u8; 32]) -> Option<&[u8; PLAIN]> {
        let (inner, rest) = self.0.split_first_chunk::<PLAIN>()?;
        let rest = rest.strip_prefix(domain)?.strip_prefix(contents)?.strip_prefix(ORDER_TYPE.as_bytes())?;
        (rest == TYPE_LENGTH).then_some(inner)
    }
}

/// The length of the order's type, as the wrapping states it.
const TYPE_LENGTH: [u8; 2] = (ORDER_TYPE.len() as u16).to_be_bytes();

impl fmt::Display for OrderSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = ArrayString::<{ 2 + 2 * WRAPPED }>::new();
        text.push_str("0x");
        for byte in &self.0 {
            fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"))?;
        }
        f.pad(&text)
    }
}

impl fmt::Debug for OrderSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signer_shows_its_account_and_nothing_else() {
        let secret = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
        for text in [secret.to_owned(), format!("0x{secret}\n"), secret.to_ascii_uppercase()] {
            let signer = Signer::from_hex(&text).expect("a key");
            let shown = format!("{signer:?}");
            assert_eq!(shown, "Signer { address: 0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266, .. }");
        }
    }

    #[test]
    fn bad_keys_are_refused_without_being_shown() {
        for text in ["", "0x", "12", &"zz".repeat(32), &"11".repeat(33)] {
            let fault = Signer::from_hex(text).expect_err("not a key");
            assert_eq!(fault, KeyError::Text);
        }
        for secret in [[0u8; 32], [0xff; 32]] {
            assert_eq!(Signer::from_secret(&secret).expect_err("not a key"), KeyError::Range);
        }
    }

    #[test]
    fn only_two_lengths_are_signatures() {
        for length in [0, 1, 64, 66, 316, 318, 1_000] {
            assert!(OrderSignature::parse(&format!("0x{}", "00".repeat(length))).is_err(), "{length}");
        }
        assert!(OrderSignature::parse(&"00".repeat(65)).is_err());
        assert!(OrderSignature::parse(&format!("0x{}", "0g".repeat(65))).is_err());
        assert!(OrderSignature::parse(&format!("0x{}0", "00".repeat(65))).is_err());
        let text = format!("0x{}", "1f".repeat(65));
        assert_eq!(OrderSignature::parse(&text).map(|s| s.to_string()), Ok(text));
    }
}
