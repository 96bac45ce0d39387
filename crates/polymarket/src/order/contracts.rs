//! The venue's contracts and the wallets that are derived from a key (protocol sections 2.2 and 2.3).

use arrayvec::ArrayString;
use oddsmith_domain::{Address, ExchangeKind};
use thiserror::Error;

use super::hash::keccak;

/// Polygon, where the venue settles.
pub const POLYGON: u64 = 137;
/// Polygon's test network.
pub const AMOY: u64 = 80_002;

/// A chain on which the venue has no contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the venue has no contracts on chain {0}: 137 (Polygon) or 80002 (Amoy) are needed")]
pub struct UnknownChain(pub u64);

const CTF_EXCHANGE: Address = address(b"E111180000d2663C0091e4f400237545B87B996B");
const NEG_RISK_EXCHANGE: Address = address(b"e2222d279d744050d28e00520010520000310F59");
const POSITION_EXCHANGE: Address = address(b"e3333700cA9d93003F00f0F71f8515005F6c00Aa");
const POSITION_EXCHANGE_AMOY: Address = address(b"9fE6e61422AdB6F610d8597F9684b16912D50C3D");
const SAFE_FACTORY: Address = address(b"aacFeEa03eb1561C4e67d661e40682Bd20E3541b");
const PROXY_FACTORY: Address = address(b"aB45c5A4B0c941a2F231C04C3f49182e1A254052");
const SAFE_CODE: [u8; 32] = bytes(b"2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf");
const PROXY_CODE: [u8; 32] = bytes(b"d21df8dc65880a8606f09fe0ce3df9b8869287ab0b058be05aa9e8af6330a00b");

/// The contract that orders of this kind are signed for.
///
/// # Errors
/// [`UnknownChain`].
pub const fn exchange_contract(chain_id: u64, kind: ExchangeKind) -> Result<Address, UnknownChain> {
    match (chain_id, kind) {
        (POLYGON | AMOY, ExchangeKind::Ctf) => Ok(CTF_EXCHANGE),
        (POLYGON | AMOY, ExchangeKind::NegRisk) => Ok(NEG_RISK_EXCHANGE),
        (POLYGON, ExchangeKind::Position) => Ok(POSITION_EXCHANGE),
        (AMOY, ExchangeKind::Position) => Ok(POSITION_EXCHANGE_AMOY),
        (other, _) => Err(UnknownChain(other)),
    }
}

/// The Gnosis Safe that the venue's factory makes for a key.
///
/// # Errors
/// [`UnknownChain`].
pub fn safe_wallet(chain_id: u64, owner: Address) -> Result<Address, UnknownChain> {
    if !matches!(chain_id, POLYGON | AMOY) {
        return Err(UnknownChain(chain_id));
    }
    let mut padded = [0u8; 32];
    padded[12..].copy_from_slice(&owner.0);
    Ok(create2(SAFE_FACTORY, keccak(&padded), SAFE_CODE))
}

/// The proxy wallet that the venue's factory makes for a key. There is none on Amoy.
///
/// # Errors
/// [`UnknownChain`].
pub fn proxy_wallet(chain_id: u64, owner: Address) -> Result<Address, UnknownChain> {
    if chain_id != POLYGON {
        return Err(UnknownChain(chain_id));
    }
    Ok(create2(PROXY_FACTORY, keccak(&owner.0), PROXY_CODE))
}

fn create2(factory: Address, salt: [u8; 32], code_hash: [u8; 32]) -> Address {
    let mut input = [0u8; 85];
    input[0] = 0xff;
    input[1..21].copy_from_slice(&factory.0);
    input[21..53].copy_from_slice(&salt);
    input[53..].copy_from_slice(&code_hash);
    address_of(&keccak(&input))
}

/// The account in the last 20 bytes of a hash.
pub(super) fn address_of(hash: &[u8; 32]) -> Address {
    let mut account = [0u8; 20];
    account.copy_from_slice(&hash[12..]);
    Address(account)
}

/// An address with the mixed-case checksum of EIP-55, as most clients write it.
#[must_use]
pub fn checksum_address(address: Address) -> ArrayString<42> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0u8; 40];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(address.0) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    let hash = keccak(&digits);
    let mut text = ArrayString::new();
    text.push_str("0x");
    for (index, digit) in digits.into_iter().enumerate() {
        let nibble = if index % 2 == 0 { hash[index / 2] >> 4 } else { hash[index / 2] & 15 };
        text.push(char::from(if nibble >= 8 { digit.to_ascii_uppercase() } else { digit }));
    }
    text
}

const fn address(digits: &[u8; 40]) -> Address {
    let mut account = [0u8; 20];
    let mut at = 0;
    while at < 20 {
        account[at] = nibble(digits[2 * at]) << 4 | nibble(digits[2 * at + 1]);
        at += 1;
    }
    Address(account)
}

const fn bytes(digits: &[u8; 64]) -> [u8; 32] {
    let mut value = [0u8; 32];
    let mut at = 0;
    while at < 32 {
        value[at] = nibble(digits[2 * at]) << 4 | nibble(digits[2 * at + 1]);
        at += 1;
    }
    value
}

/// Only used on the constants above, at compile time: a typing error there does not compile.
const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => panic!("not a hexadecimal digit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

    #[test]
    fn wallets_of_the_protocol_file() {
        let owner = Address::parse(KEY).expect("an address");
        let safe = safe_wallet(POLYGON, owner).expect("a known chain");
        let proxy = proxy_wallet(POLYGON, owner).expect("a known chain");
        // these two texts of the protocol file are not checksummed
        assert_eq!(Address::parse("0xd93b25Cb943D14d0d34FBAf01fc93a0F8b5f6e47"), Ok(safe));
        assert_eq!(Address::parse("0x365f0cA36ae1F641E02Fe3b7743673DA42A13a70"), Ok(proxy));
        assert_eq!(safe_wallet(AMOY, owner), Ok(safe));
        assert_eq!(proxy_wallet(AMOY, owner), Err(UnknownChain(AMOY)));
        assert_eq!(safe_wallet(1, owner), Err(UnknownChain(1)));
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        for text in [KEY, "0xE111180000d2663C0091e4f400237545B87B996B", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"] {
            assert_eq!(checksum_address(Address::parse(text).expect("an address")).as_str(), text);
        }
    }

    #[test]
    fn each_kind_has_its_contract_on_both_chains() {
        for chain in [POLYGON, AMOY] {
            for kind in [ExchangeKind::Ctf, ExchangeKind::NegRisk, ExchangeKind::Position] {
                assert!(exchange_contract(chain, kind).is_ok());
            }
        }
        assert_eq!(exchange_contract(1, ExchangeKind::Ctf), Err(UnknownChain(1)));
        let [polygon, amoy] = [POLYGON, AMOY].map(|chain| exchange_contract(chain, ExchangeKind::Position));
        assert_ne!(polygon, amoy);
    }
}
