//! Authentication, in both directions (protocol section 3).
//!
//! *Level 1* is a signature of the wallet's key; it obtains and manages API keys. *Level 2* is an HMAC under an API key's
//! secret; it authenticates every request that trades. [`Credentials`] holds such a key and writes the headers of a request
//! without allocating. The checking side is for the local exchange; it compares in constant time.

mod l1;
mod l2;

pub use l1::{ClobAuth, L1Fault, L1Headers};
pub use l2::{Credentials, CredentialsError, HmacKey, same_secret};

/// Header names of both levels.
pub mod header {
    /// The signing key's account.
    pub const ADDRESS: &str = "POLY_ADDRESS";
    /// The signature: hexadecimal at level 1, base64 at level 2.
    pub const SIGNATURE: &str = "POLY_SIGNATURE";
    /// Seconds since the Unix epoch.
    pub const TIMESTAMP: &str = "POLY_TIMESTAMP";
    /// Level 1 only: the number of the key that is wanted.
    pub const NONCE: &str = "POLY_NONCE";
    /// Level 2 only: the API key's id.
    pub const API_KEY: &str = "POLY_API_KEY";
    /// Level 2 only: the API key's passphrase.
    pub const PASSPHRASE: &str = "POLY_PASSPHRASE";
}
