//! Page tokens of listings. They carry the place of the last item, so paging goes on where it was, whatever changed
//! meanwhile, and even after a restart.

use base64::Engine;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::Digest;

/// "Several hours", says Google.
const LIFE: TimeDelta = TimeDelta::hours(4);

#[derive(Serialize, Deserialize)]
struct Token {
    after: Vec<String>,
    request: String,
    epoch: u64,
    issued: i64,
}

/// What must not change from page to page, and which tokens were expired by hand.
#[derive(Debug)]
pub struct Request {
    fingerprint: String,
    epoch: u64,
}

impl Request {
    /// A request by those of its parameters that decide which items there are, in which order.
    pub fn new(parts: &[&str], epoch: u64) -> Self {
        let digest = sha2::Sha256::digest(parts.join("\u{0}").as_bytes());
        Self { fingerprint: hex::encode(digest.get(..8).unwrap_or_default()), epoch }
    }

    /// A token for the page after the item with this key.
    pub fn token(&self, after: Vec<String>, now: DateTime<Utc>) -> String {
        let token =
            Token { after, request: self.fingerprint.clone(), epoch: self.epoch, issued: now.timestamp_millis() };
        let json = serde_json::to_vec(&token).unwrap_or_default();
        format!("~!!~{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json))
    }

    /// The key that a token names; none when it is of another request, too old, or none at all.
    pub fn after(&self, token: &str, now: DateTime<Utc>) -> Option<Vec<String>> {
        let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.strip_prefix("~!!~")?).ok()?;
        let token: Token = serde_json::from_slice(&json).ok()?;
        let fresh = now.timestamp_millis() - token.issued < LIFE.num_milliseconds();
        (token.request == self.fingerprint && token.epoch == self.epoch && fresh).then_some(token.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    #[test]
    fn a_token_is_good_for_its_request_for_some_hours() {
        let request = Request::new(&["ada", "trashed=false"], 0);
        let token = request.token(vec!["a".into()], now());
        assert_eq!(request.after(&token, now()), Some(vec!["a".to_owned()]));
        assert_eq!(request.after(&token, now() + TimeDelta::hours(5)), None);
        assert_eq!(Request::new(&["ada", "trashed=true"], 0).after(&token, now()), None);
        assert_eq!(Request::new(&["ada", "trashed=false"], 1).after(&token, now()), None);
        assert_eq!(request.after("nonsense", now()), None);
    }
}
