//! Secrets as types: what is in the clear is [`SecretString`], what is at rest is [`SealedToken`]. Neither prints itself.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;

use crate::clock::Timestamp;

/// What a provider's token endpoint gave.
#[derive(Debug, Clone)]
pub struct TokenSet {
    /// The access token.
    pub access_token: SecretString,
    /// The refresh token; absent in an answer to a refresh means: keep the old one.
    pub refresh_token: Option<SecretString>,
    /// When the access token ends, by our clock.
    pub expires_at: Option<Timestamp>,
    /// What was granted, space separated.
    pub scope: Option<String>,
}

/// A token as it is stored. Only `vault` makes one and only `connections` has one opened.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedToken(Vec<u8>);

impl SealedToken {
    /// Wraps sealed bytes. Its contents are not checked here; opening checks them.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The sealed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedToken({} bytes)", self.0.len())
    }
}

/// The operator's registration at a provider: the JSON of the secret `<stack>/providers/<provider>`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderSettings {
    /// OAuth client id.
    #[serde(default)]
    pub client_id: String,
    /// OAuth client secret.
    #[serde(default)]
    pub client_secret: SecretString,
    /// What the provider signs its webhooks with.
    #[serde(default)]
    pub signing_secret: Option<SecretString>,
    /// A key of the application itself, where the provider wants one.
    #[serde(default)]
    pub api_key: Option<SecretString>,
    /// What kind of application it is, where the provider's limits depend on it (Slack: `marketplace`, `internal`, `restricted`).
    #[serde(default)]
    pub tier: Option<String>,
    /// Whom the application acts as, where a provider leaves that to it (Slack: `bot`, which is the default, or `user`).
    #[serde(default)]
    pub acts_as: Option<String>,
    /// URL prefixes of the provider's public API, mapped to others; the longest prefix wins.
    #[serde(default)]
    pub endpoints: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_printed() {
        let settings: ProviderSettings =
            serde_json::from_str(r#"{"clientId":"app","clientSecret":"canary","signingSecret":"canary"}"#).unwrap();
        let printed = format!("{settings:?} {:?}", SealedToken::from_bytes(b"canary".to_vec()));
        assert!(!printed.contains("canary"), "{printed}");
    }
}
