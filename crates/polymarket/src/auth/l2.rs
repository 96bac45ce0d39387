//! Level 2: an HMAC over every request (protocol section 3.2).

use std::fmt;

use arrayvec::ArrayString;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE};
use hmac::{Hmac, Mac};
use oddsmith_domain::Address;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::header;
use crate::order::checksum_address;
use crate::wire::ApiKeyCreds;

/// Why credentials cannot be used. Nothing secret is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CredentialsError {
    /// The secret is not base64.
    #[error("the API key's secret is not base64")]
    Secret,
    /// The key's id or passphrase has characters that cannot stand in a header.
    #[error("the API key's id or passphrase has characters that cannot stand in a header")]
    Header,
}

/// An API key's secret, ready to sign: the key's part of the hash is computed once.
#[derive(Clone)]
pub struct HmacKey(Hmac<Sha256>);

impl HmacKey {
    /// Takes the secret in base64: either alphabet, with or without padding, white space ignored.
    ///
    /// # Errors
    /// [`CredentialsError::Secret`].
    pub fn from_secret(secret: &str) -> Result<HmacKey, CredentialsError> {
        let key = decode_base64(secret).filter(|key| !key.is_empty()).ok_or(CredentialsError::Secret)?;
        Hmac::new_from_slice(&key).map(HmacKey).map_err(|_| CredentialsError::Secret)
    }

    /// The signature of a request, in url-safe base64 with its padding.
    ///
    /// `timestamp` is the text of its header; `method` stands as it is sent; of `path` everything from a `?` on is left out;
    /// `body` is every byte that is sent, nothing if there is none.
    #[must_use]
    pub fn sign(&self, timestamp: &str, method: &str, path: &str, body: &[u8]) -> [u8; 44] {
        let code: [u8; 32] = self.mac(timestamp, method, path, body).finalize().into_bytes().into();
        let mut text = [0u8; 44];
        let written = URL_SAFE.encode_slice(code, &mut text);
        debug_assert_eq!(written, Ok(44), "32 bytes are 44 digits of base64");
        text
    }

    /// Whether a signature is good for a request. Takes the same time for every signature of the right length.
    #[must_use]
    pub fn verify(&self, timestamp: &str, method: &str, path: &str, body: &[u8], signature: &str) -> bool {
        decode_base64(signature).is_some_and(|code| self.mac(timestamp, method, path, body).verify_slice(&code).is_ok())
    }

    fn mac(&self, timestamp: &str, method: &str, path: &str, body: &[u8]) -> Hmac<Sha256> {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let mut mac = self.0.clone();
        for part in [timestamp.as_bytes(), method.as_bytes(), path.as_bytes(), body] {
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey")
    }
}

/// Whether two secrets are equal, in a time that depends on their lengths only.
#[must_use]
pub fn same_secret(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=')
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        })
        .collect();
    LENIENT.decode(digits).ok()
}

/// An API key of ours: writes the headers of authenticated requests. Shows its id and nothing else.
#[derive(Clone)]
pub struct Credentials {
    address: ArrayString<42>,
    api_key: String,
    secret: String,
    passphrase: String,
    key: HmacKey,
}

impl Credentials {
    /// Credentials that belong to the key of this account.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn new(address: Address, creds: ApiKeyCreds) -> Result<Credentials, CredentialsError> {
        let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable(&creds.api_key) || !printable(&creds.passphrase) {
            return Err(CredentialsError::Header);
        }
        let key = HmacKey::from_secret(&creds.secret)?;
        let ApiKeyCreds { api_key, secret, passphrase } = creds;
        Ok(Credentials { address: checksum_address(address), api_key, secret, passphrase, key })
    }

    /// The key's id: the `owner` of orders.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The triple that the user channel's subscription carries (protocol section 3.5). Secret.
    #[must_use]
    pub fn triple(&self) -> ApiKeyCreds {
        ApiKeyCreds { api_key: self.api_key.clone(), secret: self.secret.clone(), passphrase: self.passphrase.clone() }
    }

    /// Appends the five header lines of a request to `out`, each ended with CR and LF. Allocates nothing but room in `out`.
    pub fn write_headers(&self, timestamp_s: u64, method: &str, path: &str, body: &[u8], out: &mut Vec<u8>) {
        let mut timestamp = ArrayString::<20>::new();
        // 20 digits hold every u64
        let written = fmt::Write::write_fmt(&mut timestamp, format_args!("{timestamp_s}"));
        debug_assert!(written.is_ok());
        let signature = self.key.sign(&timestamp, method, path, body);
        for (name, value) in [
            (header::ADDRESS, self.address.as_bytes()),
            (header::SIGNATURE, &signature[..]),
            (header::TIMESTAMP, timestamp.as_bytes()),
            (header::API_KEY, self.api_key.as_bytes()),
            (header::PASSPHRASE, self.passphrase.as_bytes()),
        ] {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("api_key", &self.api_key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn key() -> HmacKey {
        HmacKey::from_secret(SECRET).expect("a secret")
    }

    fn sign(timestamp: &str, method: &str, path: &str, body: &str) -> String {
        String::from_utf8(key().sign(timestamp, method, path, body.as_bytes()).to_vec()).expect("text")
    }

    #[test]
    fn the_vectors_of_the_protocol_file() {
        // section 5.2
        for (timestamp, method, path, body, expected) in [
            (
                "1000000",
                "test-sign",
                "/orders",
                "{\"hash\": \"0x123\"}",
                "ZwAdJKvoYRlEKDkNMwd5BuwNNtg93kNaR_oU2HrfVvc=",
            ),
            ("1000000", "test-sign", "/orders", "{\"hash\":\"0x123\"}", "4gJVbox-R6XlDK4nlaicig0_ANVL1qdcahiL8CXfXLM="),
            ("1", "GET", "/", "", "eHaylCwqRSOa2LFD77Nt_SaTpbsxzN8eTEI3LryhEj4="),
        ] {
            assert_eq!(sign(timestamp, method, path, body), expected);
            assert!(key().verify(timestamp, method, path, body.as_bytes(), expected));
        }
    }

    #[test]
    fn the_query_is_not_signed_and_everything_else_is() {
        let good = sign("17", "GET", "/data/orders", "");
        assert_eq!(sign("17", "GET", "/data/orders?next_cursor=MA%3D%3D", ""), good);
        for (timestamp, method, path, body) in [
            ("18", "GET", "/data/orders", ""),
            ("17", "POST", "/data/orders", ""),
            ("17", "GET", "/data/trades", ""),
            ("17", "GET", "/data/orders", "x"),
        ] {
            assert!(!key().verify(timestamp, method, path, body.as_bytes(), &good));
        }
    }

    #[test]
    fn secrets_in_every_spelling_of_base64() {
        // 0xfb 0xff ... has digits on which the alphabets differ
        let code = |secret: &str| HmacKey::from_secret(secret).map(|key| key.sign("1", "GET", "/", b""));
        let expected = code("-_8-_8-_8A==").expect("a secret");
        for secret in ["-_8-_8-_8A", "+/8+/8+/8A==", "+/8+/8+/8A", "-_8+/8-_8A=\n", " -_8-_8-_8A== "] {
            assert_eq!(code(secret), Ok(expected), "{secret}");
        }
        for bad in ["", "====", "*", "A", "ü"] {
            assert_eq!(code(bad), Err(CredentialsError::Secret), "{bad}");
        }
    }

    #[test]
    fn bad_signatures_are_refused() {
        let good = sign("1", "GET", "/", "");
        assert!(key().verify("1", "GET", "/", b"", good.trim_end_matches('=')));
        assert!(key().verify("1", "GET", "/", b"", &good.replace('-', "+").replace('_', "/")));
        for bad in ["", "A", &good[..40], &format!("AAAA{good}"), &good.to_ascii_lowercase(), "\u{0}"] {
            assert!(!key().verify("1", "GET", "/", b"", bad), "{bad:?}");
        }
        assert!(same_secret("abc", "abc") && !same_secret("abc", "abd") && !same_secret("abc", "ab"));
    }

    #[test]
    fn headers_are_lines_and_secrets_stay_hidden() {
        let creds = |api_key: &str, passphrase: &str| ApiKeyCreds {
            api_key: api_key.to_owned(),
            secret: SECRET.to_owned(),
            passphrase: passphrase.to_owned(),
        };
        let address = Address([0; 20]);
        let mut out = Vec::new();
        let own = Credentials::new(address, creds("key-id", "pass")).expect("credentials");
        own.write_headers(1, "GET", "/", b"", &mut out);
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "POLY_ADDRESS: 0x0000000000000000000000000000000000000000\r\n\
             POLY_SIGNATURE: eHaylCwqRSOa2LFD77Nt_SaTpbsxzN8eTEI3LryhEj4=\r\n\
             POLY_TIMESTAMP: 1\r\nPOLY_API_KEY: key-id\r\nPOLY_PASSPHRASE: pass\r\n"
        );
        let shown = format!("{own:?} {:?} {:?}", own.triple(), key());
        assert!(!shown.contains("pass\"") && !shown.contains("AAAA"), "{shown}");
        for (api_key, passphrase) in [("", "p"), ("k\r\nx: y", "p"), ("k", "a b"), ("k", "")] {
            let refused = Credentials::new(address, creds(api_key, passphrase));
            assert_eq!(refused.expect_err("not a header"), CredentialsError::Header);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_decoded_or_refused(text in ".{0,80}") {
            let _ = HmacKey::from_secret(&text);
            prop_assert!(!key().verify("1", "GET", "/", b"", &text));
        }
    }
}
