//! The known accounts, and the wallets that belong to a signing address.

use oddsmith_domain::{Address, SignatureType};
use sha3::{Digest, Keccak256};

/// Addresses 0 to 9 of the public development mnemonic "test test test test test test test test test test test junk"
/// (derivation path m/44'/60'/0'/0/i). Their private keys are public knowledge: never send anything of value there.
pub const KNOWN_ADDRESSES: [&str; 10] = [
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
    "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
    "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
    "0x976EA74026E726554dB657fA54763abd0C3a0aa9",
    "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955",
    "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f",
    "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
];

/// The private keys of [`KNOWN_ADDRESSES`], public development keys.
pub const KNOWN_SECRETS: [&str; 10] = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
    "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
    "0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
    "0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
    "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
];

const SAFE_FACTORY: &str = "0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b";
const SAFE_INIT_HASH: &str = "2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf";
const PROXY_FACTORY: &str = "0xaB45c5A4B0c941a2F231C04C3f49182e1A254052";
const PROXY_INIT_HASH: &str = "d21df8dc65880a8606f09fe0ce3df9b8869287ab0b058be05aa9e8af6330a00b";
const DEPOSIT_FACTORY: &str = "0x00000000000Fb5C9ADea0298D729A0CB3823Cc07";

/// The account that pays for orders of a signature type (protocol 2.3): the address itself, or a wallet whose address
/// CREATE2 derives from it.
///
/// The venue's derivation of deposit wallets (type 3) is not published; ours uses their factory with the init-code hash of
/// an empty contract, so that every signer has exactly one, stable over runs. The exchange also accepts any other deposit
/// wallet and binds it to the first signer who uses it.
#[must_use]
pub fn wallet_of(signer: Address, kind: SignatureType) -> Address {
    match kind {
        SignatureType::Eoa => signer,
        SignatureType::Proxy => create2(PROXY_FACTORY, keccak(&signer.0), PROXY_INIT_HASH),
        SignatureType::Safe => create2(SAFE_FACTORY, keccak(&padded(signer)), SAFE_INIT_HASH),
        SignatureType::Poly1271 => {
            let mut init = String::with_capacity(64);
            for byte in keccak(&[]) {
                init.push_str(&format!("{byte:02x}"));
            }
            create2(DEPOSIT_FACTORY, keccak(&padded(signer)), &init)
        }
    }
}

fn padded(address: Address) -> [u8; 32] {
    let mut word = [0u8; 32];
    word[12..].copy_from_slice(&address.0);
    word
}

fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

fn create2(factory: &str, salt: [u8; 32], init_hash: &str) -> Address {
    let factory = Address::parse(factory).expect("a constant address");
    let init = oddsmith_domain::OrderId::parse(&format!("0x{init_hash}")).expect("a constant hash of 32 bytes");
    let mut bytes = Vec::with_capacity(85);
    bytes.push(0xff);
    bytes.extend_from_slice(&factory.0);
    bytes.extend_from_slice(&salt);
    bytes.extend_from_slice(&init.0);
    let digest = keccak(&bytes);
    let mut address = [0u8; 20];
    address.copy_from_slice(&digest[12..]);
    Address(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_wallets_of_the_first_account() {
        let signer = Address::parse(KNOWN_ADDRESSES[0]).expect("an address");
        for (kind, expected) in [
            (SignatureType::Eoa, KNOWN_ADDRESSES[0]),
            (SignatureType::Safe, "0xd93b25Cb943D14d0d34FBAf01fc93a0F8b5f6e47"),
            (SignatureType::Proxy, "0x365f0cA36ae1F641E02Fe3b7743673DA42A13a70"),
        ] {
            assert_eq!(wallet_of(signer, kind), Address::parse(expected).expect("an address"), "{kind:?}");
        }
        let other = Address::parse(KNOWN_ADDRESSES[1]).expect("an address");
        let deposit = wallet_of(signer, SignatureType::Poly1271);
        assert!(deposit != signer && deposit != wallet_of(other, SignatureType::Poly1271));
    }
}
