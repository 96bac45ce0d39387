//! Level 1: the wallet attests that it is controlled (protocol section 3.1).

use oddsmith_domain::Address;
use thiserror::Error;

use super::header;
use crate::order::{Recoverer, Signer, keccak, typed_digest};

const DOMAIN_TYPE: &[u8] = b"EIP712Domain(string name,string version,uint256 chainId)";
const AUTH_TYPE: &[u8] = b"ClobAuth(address address,string timestamp,uint256 nonce,string message)";
const MESSAGE: &[u8] = b"This message attests that I control the given wallet";

/// What is attested: by whom, when, and for which of his keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClobAuth<'a> {
    /// The chain of the domain.
    pub chain_id: u64,
    /// The account.
    pub address: Address,
    /// Seconds since the Unix epoch, as the text that the header carries.
    pub timestamp: &'a str,
    /// Which key: the same nonce gives the same key.
    pub nonce: u64,
}

impl ClobAuth<'_> {
    /// What is signed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let domain = [keccak(DOMAIN_TYPE), keccak(b"ClobAuthDomain"), keccak(b"1"), word(self.chain_id)];
        let mut account = [0u8; 32];
        account[12..].copy_from_slice(&self.address.0);
        let message =
            [keccak(AUTH_TYPE), account, keccak(self.timestamp.as_bytes()), word(self.nonce), keccak(MESSAGE)];
        typed_digest(&keccak(domain.as_flattened()), &keccak(message.as_flattened()))
    }

    /// Checks a signature, given as the header's text.
    ///
    /// # Errors
    /// [`L1Fault`].
    pub fn verify(&self, recoverer: &Recoverer, signature: &str) -> Result<(), L1Fault> {
        let digits = signature.strip_prefix("0x").unwrap_or(signature);
        let mut bytes = [0u8; 65];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| L1Fault::Text)?;
        match recoverer.recover(&self.digest(), &bytes) {
            Some(by) if by == self.address => Ok(()),
            _ => Err(L1Fault::Signer),
        }
    }
}

fn word(value: u64) -> [u8; 32] {
    let mut word = [0u8; 32];
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}

/// Why a level 1 signature is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum L1Fault {
    /// Not the hexadecimal digits of 65 bytes.
    #[error("the signature is not 65 bytes in hexadecimal digits")]
    Text,
    /// Made by another account, for another time, nonce or chain.
    #[error("the signature is not of this account, time and nonce")]
    Signer,
}

/// The headers of a level 1 request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L1Headers {
    /// Names and values, ready to be sent.
    pub pairs: [(&'static str, String); 4],
}

impl L1Headers {
    /// Signs the headers of a request at this time.
    #[must_use]
    pub fn sign(signer: &Signer, chain_id: u64, timestamp_s: u64, nonce: u64) -> L1Headers {
        let timestamp = timestamp_s.to_string();
        let auth = ClobAuth { chain_id, address: signer.address(), timestamp: &timestamp, nonce };
        let signature = format!("0x{}", hex::encode(signer.sign_digest(&auth.digest())));
        let address = crate::order::checksum_address(signer.address()).as_str().to_owned();
        L1Headers {
            pairs: [
                (header::ADDRESS, address),
                (header::SIGNATURE, signature),
                (header::TIMESTAMP, timestamp),
                (header::NONCE, nonce.to_string()),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{AMOY, POLYGON};

    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    // protocol section 5.1
    const SIGNATURE: &str = "0xf62319a987514da40e57e2f4d7529f7bac38f0355bd88bb5adbb3768d80de6c1682518e0af677d5260366425f4361e7b70c25ae232aff0ab2331e2b164a1aedc1b";

    #[test]
    fn the_vector_of_the_protocol_file() {
        assert_eq!(hex::encode(keccak(AUTH_TYPE)), "52578c5c725a28a84fedc8c22aa47947822942f35b4dc350db028e45320e035c");
        let signer = Signer::from_hex(KEY).expect("a key");
        let headers = L1Headers::sign(&signer, AMOY, 10_000_000, 23);
        let values = headers.pairs.each_ref().map(|(_, value)| value.as_str());
        assert_eq!(values, ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", SIGNATURE, "10000000", "23"]);
    }

    #[test]
    fn a_signature_is_good_for_one_account_time_nonce_and_chain() {
        let recoverer = Recoverer::new();
        let address = Signer::from_hex(KEY).expect("a key").address();
        let good = ClobAuth { chain_id: AMOY, address, timestamp: "10000000", nonce: 23 };
        assert_eq!(good.verify(&recoverer, SIGNATURE), Ok(()));
        for other in [
            ClobAuth { chain_id: POLYGON, ..good },
            ClobAuth { address: Address([1; 20]), ..good },
            ClobAuth { timestamp: "10000001", ..good },
            ClobAuth { timestamp: "010000000", ..good },
            ClobAuth { nonce: 24, ..good },
        ] {
            assert_eq!(other.verify(&recoverer, SIGNATURE), Err(L1Fault::Signer));
        }
        for text in ["", "0x", "0x00", "hello", &SIGNATURE[..131], &format!("{SIGNATURE}00")] {
            assert_eq!(good.verify(&recoverer, text), Err(L1Fault::Text));
        }
    }
}
