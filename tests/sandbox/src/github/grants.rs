//! Clients, codes and tokens of both kinds of app.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::{clock, random};

/// How long a refresh token lives: about six months.
const REFRESH_SECONDS: i64 = 15_897_600;

/// A registered app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    pub secret: String,
    /// Allowed return addresses; empty allows any, for the sandbox's convenience.
    pub redirect_uris: Vec<String>,
}

/// A code, good for ten minutes and one use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Code {
    pub client: String,
    pub account: String,
    pub scopes: BTreeSet<String>,
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub expires: DateTime<Utc>,
}

impl Code {
    /// Whether a verifier keeps the promise; only S256 is taken.
    pub fn holds(&self, verifier: Option<&str>) -> bool {
        match (&self.challenge, verifier) {
            (None, _) => true,
            (Some(challenge), Some(verifier)) => {
                let digest = sha2::Sha256::digest(verifier.as_bytes());
                *challenge == base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest)
            }
            (Some(_), None) => false,
        }
    }
}

/// An access token, with the refresh token that was given along, if one was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Access {
    pub client: String,
    pub account: String,
    pub scopes: BTreeSet<String>,
    pub expires: Option<DateTime<Utc>>,
    pub refresh: Option<String>,
}

/// All of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Grants {
    pub clients: BTreeMap<String, Client>,
    codes: BTreeMap<String, Code>,
    access: BTreeMap<String, Access>,
    /// Refresh tokens, each good for one use.
    refresh: BTreeMap<String, (String, String, DateTime<Utc>)>,
    /// How often a refresh token was used that was used before.
    #[serde(default)]
    pub reused: u64,
    #[serde(default)]
    used: BTreeSet<String>,
}

/// What a token request gives.
pub struct Issued {
    pub token: String,
    pub scopes: BTreeSet<String>,
    /// Life, refresh token and its life, where tokens end.
    pub refresh: Option<(i64, String, i64)>,
}

impl Grants {
    /// Issues a code.
    pub fn issue_code(&mut self, code: Code) -> String {
        let text = random::letters(20).to_lowercase();
        self.codes.insert(text.clone(), code);
        text
    }

    /// Who a code was issued for, while it is not used.
    pub fn code_account(&self, code: &str) -> Option<&str> {
        self.codes.get(code).map(|code| code.account.as_str())
    }

    /// Takes a code; it is gone afterwards, whatever comes of it.
    pub fn take_code(&mut self, code: &str) -> Option<Code> {
        self.codes.remove(code).filter(|code| code.expires > clock::now())
    }

    /// A new token: one that ends and comes with a refresh token if `lifetime` is given.
    pub fn issue(&mut self, client: &str, account: &str, scopes: BTreeSet<String>, lifetime: Option<i64>) -> Issued {
        let now = clock::now();
        let seconds = |seconds| now + TimeDelta::try_seconds(seconds).unwrap_or_default();
        let refresh = lifetime.map(|lifetime| (lifetime, format!("ghr_{}", random::letters(76)), REFRESH_SECONDS));
        // A GitHub App's token names no scopes: its permissions are the app's.
        let scopes = if lifetime.is_some() { BTreeSet::new() } else { scopes };
        let token = format!("{}_{}", if lifetime.is_some() { "ghu" } else { "gho" }, random::letters(36));
        if let Some((_, text, life)) = &refresh {
            self.refresh.insert(text.clone(), (client.to_owned(), account.to_owned(), seconds(*life)));
        }
        let access = Access {
            client: client.to_owned(),
            account: account.to_owned(),
            scopes: scopes.clone(),
            expires: lifetime.map(seconds),
            refresh: refresh.as_ref().map(|(_, text, _)| text.clone()),
        };
        self.access.insert(token.clone(), access);
        Issued { token, scopes, refresh }
    }

    /// Uses a refresh token up, with the access token that it was given along with; the account, if it was good.
    pub fn use_refresh(&mut self, client: &str, token: &str) -> Option<String> {
        let found = self.refresh.get(token).filter(|(of, _, until)| of == client && *until > clock::now());
        let Some((_, account, _)) = found.cloned() else {
            self.reused += u64::from(self.used.contains(token));
            return None;
        };
        self.refresh.remove(token);
        self.used.insert(token.to_owned());
        self.access.retain(|_, access| access.refresh.as_deref() != Some(token));
        Some(account)
    }

    /// A live access token.
    pub fn access(&self, token: &str) -> Option<&Access> {
        self.access.get(token).filter(|access| access.expires.is_none_or(|end| end > clock::now()))
    }

    /// Whose a token is, dead or alive.
    pub fn account_of(&self, token: &str) -> Option<&str> {
        self.access.get(token).map(|access| access.account.as_str())
    }

    /// Whose a refresh token is.
    pub fn account_of_refresh(&self, token: &str) -> Option<&str> {
        self.refresh.get(token).map(|(_, account, _)| account.as_str())
    }

    /// Ends one token of a client; whether there was one.
    pub fn delete(&mut self, client: &str, token: &str) -> bool {
        let is_ours = self.access.get(token).is_some_and(|access| access.client == client);
        if is_ours {
            self.access.remove(token);
        }
        is_ours
    }

    /// Ends access tokens, of one account or of all.
    pub fn end_access(&mut self, account: Option<&str>) {
        let now = clock::now();
        for access in self.access.values_mut().filter(|one| account.is_none_or(|account| one.account == account)) {
            access.expires = Some(now - TimeDelta::seconds(1));
        }
    }

    /// Ends whole grants, of one account or of all.
    pub fn revoke(&mut self, account: Option<&str>) {
        self.access.retain(|_, one| account.is_some_and(|account| one.account != account));
        self.refresh.retain(|_, (_, of, _)| account.is_some_and(|account| of != account));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_serves_once_and_takes_its_access_token_along() {
        let mut grants = Grants::default();
        let first = grants.issue("c", "ada", BTreeSet::from(["repo".to_owned()]), Some(60));
        assert!(first.token.starts_with("ghu_") && first.scopes.is_empty());
        let (_, refresh, _) = first.refresh.unwrap();
        assert_eq!(grants.use_refresh("other", &refresh), None);
        assert_eq!(grants.use_refresh("c", &refresh).as_deref(), Some("ada"));
        assert!(grants.access(&first.token).is_none());
        assert_eq!((grants.use_refresh("c", &refresh), grants.reused), (None, 1));
    }

    #[test]
    fn an_oauth_apps_token_has_no_end() {
        let mut grants = Grants::default();
        let issued = grants.issue("c", "ada", BTreeSet::from(["repo".to_owned()]), None);
        assert!(issued.token.starts_with("gho_") && issued.refresh.is_none());
        assert!(grants.access(&issued.token).unwrap().expires.is_none());
        grants.revoke(Some("bob"));
        assert!(grants.access(&issued.token).is_some());
        grants.revoke(Some("ada"));
        assert!(grants.access(&issued.token).is_none());
    }
}
