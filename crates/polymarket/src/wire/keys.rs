#![allow(missing_docs, reason = "field names are the venue's own words")]
//! API keys (protocol section 3.3).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::or_default;

/// What `POST /auth/api-key` and `GET /auth/derive-api-key` hand out. Its `Debug` shows the key's name only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyCreds {
    pub api_key: String,
    pub secret: String,
    pub passphrase: String,
}

impl fmt::Debug for ApiKeyCreds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyCreds").field("api_key", &self.api_key).finish_non_exhaustive()
    }
}

/// `GET /auth/api-keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeys {
    #[serde(rename = "apiKeys", default, deserialize_with = "or_default")]
    pub api_keys: Vec<String>,
}

/// `POST /auth/readonly-api-key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadonlyApiKey {
    #[serde(rename = "apiKey")]
    pub api_key: String,
}

/// `GET /auth/readonly-api-keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadonlyApiKeys {
    #[serde(rename = "readonlyApiKeys", default, deserialize_with = "or_default")]
    pub readonly_api_keys: Vec<String>,
}

/// `GET /auth/ban-status/closed-only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanStatus {
    pub closed_only: bool,
}

/// An entry of `GET /auth/builder-api-key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuilderApiKey {
    pub key: String,
    #[serde(default)]
    pub created_at: Option<String>,
    #[serde(default)]
    pub revoked_at: Option<String>,
}
