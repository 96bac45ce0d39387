//! The EIP-712 digest of an order (protocol section 4.1).

use oddsmith_domain::{ExchangeKind, OrderFields, OrderId, Side, TokenId};
use sha3::{Digest, Keccak256};

use super::contracts::{UnknownChain, exchange_contract};

/// The type that is signed, as the standard spells it.
pub const ORDER_TYPE: &str = "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,\
uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)";

const TYPED_DATA_SIGN: &str = "TypedDataSign(Order contents,string name,string version,uint256 chainId,\
address verifyingContract,bytes32 salt)";
const DOMAIN_TYPE: &[u8] = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const DOMAIN_NAME: &[u8] = b"Polymarket CTF Exchange";
const WALLET_NAME: &[u8] = b"DepositWallet";
const WALLET_VERSION: &[u8] = b"1";

/// Computes order digests for one chain. Everything that does not depend on the order is computed once.
#[derive(Clone, Debug)]
pub struct OrderHasher {
    chain_id: u64,
    domains: [[u8; 32]; 3],
    order_type: [u8; 32],
    wallet_type: [u8; 32],
    wallet_name: [u8; 32],
    wallet_version: [u8; 32],
}

impl OrderHasher {
    /// A hasher for orders on this chain.
    ///
    /// # Errors
    /// [`UnknownChain`].
    pub fn new(chain_id: u64) -> Result<OrderHasher, UnknownChain> {
        let domain = |kind| {
            let version: &[u8] = if matches!(kind, ExchangeKind::Position) { b"3" } else { b"2" };
            let mut words = Words::<5>::new();
            words.put(&keccak(DOMAIN_TYPE));
            words.put(&keccak(DOMAIN_NAME));
            words.put(&keccak(version));
            words.put_u64(chain_id);
            words.put_right(&exchange_contract(chain_id, kind)?.0);
            Ok(words.hash())
        };
        let wallet_type = [TYPED_DATA_SIGN, ORDER_TYPE].concat();
        Ok(OrderHasher {
            chain_id,
            domains: [domain(ExchangeKind::Ctf)?, domain(ExchangeKind::NegRisk)?, domain(ExchangeKind::Position)?],
            order_type: keccak(ORDER_TYPE.as_bytes()),
            wallet_type: keccak(wallet_type.as_bytes()),
            wallet_name: keccak(WALLET_NAME),
            wallet_version: keccak(WALLET_VERSION),
        })
    }

    /// The chain.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The digest of an order: what is signed (but for deposit wallets) and the venue's id of the order.
    #[must_use]
    pub fn digest(&self, kind: ExchangeKind, fields: &OrderFields) -> OrderId {
        OrderId(typed_digest(self.domain_separator(kind), &self.struct_hash(fields)))
    }

    /// The domain separator of a contract.
    #[must_use]
    pub const fn domain_separator(&self, kind: ExchangeKind) -> &[u8; 32] {
        &self.domains[match kind {
            ExchangeKind::Ctf => 0,
            ExchangeKind::NegRisk => 1,
            ExchangeKind::Position => 2,
        }]
    }

    /// The hash of the order's fields, the same under every contract.
    #[must_use]
    pub fn struct_hash(&self, fields: &OrderFields) -> [u8; 32] {
        let mut words = Words::<12>::new();
        words.put(&self.order_type);
        words.put_u64(fields.salt);
        words.put_right(&fields.maker.0);
        words.put_right(&fields.signer.0);
        words.put(&fields.token.to_be_bytes());
        words.put_u64(fields.maker_amount);
        words.put_u64(fields.taker_amount);
        words.put_u64(match fields.side {
            Side::Buy => 0,
            Side::Sell => 1,
        });
        words.put_u64(u64::from(fields.signature_type as u8));
        words.put_u64(fields.timestamp_ms);
        words.put(&fields.metadata);
        words.put(&fields.builder);
        words.hash()
    }

    /// What the key of a deposit wallet signs: the order nested in a typed message of the wallet (ERC-7739).
    #[must_use]
    pub fn wallet_digest(&self, kind: ExchangeKind, fields: &OrderFields) -> [u8; 32] {
        let mut words = Words::<7>::new();
        words.put(&self.wallet_type);
        words.put(&self.struct_hash(fields));
        words.put(&self.wallet_name);
        words.put(&self.wallet_version);
        words.put_u64(self.chain_id);
        words.put_right(&fields.signer.0);
        words.put(&[0; 32]);
        typed_digest(self.domain_separator(kind), &words.hash())
    }
}

/// Whether an id is that of a position rather than of a CTF token: its 64 reserved bits are zero (protocol section 1.1).
#[must_use]
pub fn is_position_id(token: TokenId) -> bool {
    // bits 40 to 103, counted from the least significant, are the bytes 19 to 26 of the big-endian form
    token.to_be_bytes()[19..27] == [0; 8]
}

/// Keccak-256.
pub(crate) fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// `keccak(0x19 0x01 ‖ domain ‖ message)`.
pub(crate) fn typed_digest(domain: &[u8; 32], message: &[u8; 32]) -> [u8; 32] {
    let mut input = [0u8; 66];
    input[0] = 0x19;
    input[1] = 0x01;
    input[2..34].copy_from_slice(domain);
    input[34..].copy_from_slice(message);
    keccak(&input)
}

/// Words of 32 bytes, filled in order on the stack. The number of `put`s is a constant of each caller.
struct Words<const N: usize> {
    words: [[u8; 32]; N],
    filled: usize,
}

impl<const N: usize> Words<N> {
    const fn new() -> Words<N> {
        Words { words: [[0; 32]; N], filled: 0 }
    }

    fn put(&mut self, word: &[u8; 32]) {
        self.words[self.filled] = *word;
        self.filled += 1;
    }

    /// Pads on the left, as numbers and addresses are.
    fn put_right(&mut self, bytes: &[u8]) {
        self.words[self.filled][32 - bytes.len()..].copy_from_slice(bytes);
        self.filled += 1;
    }

    fn put_u64(&mut self, value: u64) {
        self.put_right(&value.to_be_bytes());
    }

    fn hash(&self) -> [u8; 32] {
        debug_assert_eq!(self.filled, N, "every word is filled");
        keccak(self.words.as_flattened())
    }
}
