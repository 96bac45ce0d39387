//! The known accounts, and the wallets that belong to a signing address.

use oddsmith_domain::{Address, SignatureType};
use oddsmith_polymarket::order::{POLYGON, proxy_wallet, safe_wallet};
use sha2::{Digest, Sha256};

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

/// The account that pays for orders of a signature type (protocol 2.3): the address itself, or a wallet whose address
/// CREATE2 derives from it.
///
/// The venue's derivation of deposit wallets (type 3) is not published, so ours is our own: a hash of the signer, by which
/// every signer has exactly one, stable over runs. The exchange also accepts any other deposit wallet and binds it to the
/// first signer who uses it.
#[must_use]
pub fn wallet_of(signer: Address, kind: SignatureType) -> Address {
    let wallet = match kind {
        SignatureType::Eoa => return signer,
        SignatureType::Proxy => proxy_wallet(POLYGON, signer),
        SignatureType::Safe => safe_wallet(POLYGON, signer),
        SignatureType::Poly1271 => Ok(deposit_wallet(signer)),
    };
    wallet.expect("both factories are on Polygon")
}

fn deposit_wallet(signer: Address) -> Address {
    let mut sha = Sha256::new();
    sha.update(b"deposit wallet");
    sha.update(signer.0);
    let digest: [u8; 32] = sha.finalize().into();
    let mut address = [0u8; 20];
    address.copy_from_slice(&digest[..20]);
    Address(address)
}

#[cfg(test)]
mod tests {
    use oddsmith_polymarket::order::Signer;

    use super::*;

    #[test]
    fn the_known_secrets_are_those_of_the_known_addresses() {
        for (secret, address) in KNOWN_SECRETS.iter().zip(KNOWN_ADDRESSES) {
            let signer = Signer::from_hex(secret).expect("a signing key");
            assert_eq!(signer.address(), Address::parse(address).expect("an address"));
        }
    }

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
