//! OAuth states: single use, for a few minutes, stored under their hash.

use chrono::serde::ts_seconds;
use domain::{Owner, ProviderId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use aws_sdk_dynamodb::types::ReturnValue;

use crate::Store;
use crate::call::{Ended, Item, decode, delete, encode_item, names, put};
use crate::error::Error;
use crate::items::Binary;
use crate::keys;

const WHAT: &str = "an OAuth state";

/// What a connection under way remembers between the start and the callback.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuthState {
    /// At which provider.
    pub provider: ProviderId,
    /// For whom the connection will be.
    pub owner: Owner,
    /// Who started it.
    pub user: UserId,
    /// The address that the provider was given; the exchange must name it again.
    pub redirect_uri: String,
    /// The PKCE verifier, where the provider supports it.
    pub pkce_verifier: Option<String>,
    /// SHA-256 of the cookie that ties it to the browser that started it.
    pub browser_sha256: Option<[u8; 32]>,
    /// When it ends; kept to the second.
    pub expires_at: Timestamp,
}

/// Without the verifier, which is a secret until it is used.
impl std::fmt::Debug for OAuthState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OAuthState")
            .field("provider", &self.provider)
            .field("owner", &self.owner)
            .field("user", &self.user)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct StateItem {
    pk: String,
    sk: String,
    provider: ProviderId,
    owner: String,
    user: UserId,
    redirect_uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pkce_verifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    browser_sha256: Option<Binary>,
    #[serde(with = "ts_seconds")]
    expires_at: Timestamp,
}

impl StateItem {
    fn new(state: &str, row: &OAuthState) -> Self {
        let key = keys::state(state);
        Self {
            pk: key.pk,
            sk: key.sk,
            provider: row.provider,
            owner: row.owner.to_string(),
            user: row.user.clone(),
            redirect_uri: row.redirect_uri.clone(),
            pkce_verifier: row.pkce_verifier.clone(),
            browser_sha256: row.browser_sha256.map(|hash| Binary(hash.to_vec())),
            expires_at: row.expires_at,
        }
    }
}

/// The row as a state, unless it has expired.
fn read(row: Item, now: Timestamp) -> Result<Option<OAuthState>, Error> {
    let corrupt = || Error::Corrupt { what: WHAT };
    let item: StateItem = decode(WHAT, row)?;
    if item.expires_at <= now {
        return Ok(None);
    }
    let browser = item.browser_sha256.map(|hash| hash.0.try_into()).transpose();
    Ok(Some(OAuthState {
        provider: item.provider,
        owner: item.owner.parse().map_err(|_| corrupt())?,
        user: item.user,
        redirect_uri: item.redirect_uri,
        pkce_verifier: item.pkce_verifier,
        browser_sha256: browser.map_err(|_| corrupt())?,
        expires_at: item.expires_at,
    }))
}

impl Store {
    /// Remembers a state that was just made. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn put_state(&self, state: &str, row: &OAuthState) -> Result<(), Error> {
        let item = encode_item(StateItem::new(state, row))?;
        let call = self.client.put_item().table_name(&self.tables.integrations).set_item(Some(item));
        put("remember an OAuth state", call).await.map(|_| ())
    }

    /// The state without consuming it, so that a callback can be checked first; `None` if unknown, used or expired.
    /// One consistent read.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or the row makes no sense.
    pub async fn peek_state(&self, state: &str, now: Timestamp) -> Result<Option<OAuthState>, Error> {
        let row = self.get("read an OAuth state", &self.tables.integrations, keys::state(state)).await?;
        row.map_or(Ok(None), |row| read(row, now))
    }

    /// The state, consumed: of any number of calls exactly one gets it. Should that one's answer be lost, nobody does, and
    /// the person starts again. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written or the row makes no sense.
    pub async fn take_state(&self, state: &str, now: Timestamp) -> Result<Option<OAuthState>, Error> {
        let call = self
            .client
            .delete_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::state(state).attributes())
            .condition_expression("attribute_exists(#pk)")
            .set_expression_attribute_names(names(&["pk"]))
            .return_values(ReturnValue::AllOld);
        match delete("take an OAuth state", call).await? {
            Ended::Written(old) => read(old, now),
            Ended::Failed(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(expires_at: i64) -> OAuthState {
        OAuthState {
            provider: ProviderId::GoogleDrive,
            owner: "user/ada".parse().unwrap(),
            user: UserId::new("ada").unwrap(),
            redirect_uri: "https://app.example/callback".to_owned(),
            pkce_verifier: Some("canary".to_owned()),
            browser_sha256: Some([9; 32]),
            expires_at: Timestamp::from_timestamp(expires_at, 0).unwrap(),
        }
    }

    #[test]
    fn a_state_reads_back_until_it_expires() {
        let row = || encode_item(StateItem::new("s", &state(100))).unwrap();
        let at = |s| Timestamp::from_timestamp(s, 0).unwrap();
        assert_eq!(read(row(), at(99)).unwrap(), Some(state(100)));
        assert_eq!(read(row(), at(100)).unwrap(), None);
    }

    #[test]
    fn the_verifier_is_not_printed() {
        assert!(!format!("{:?}", state(1)).contains("canary"));
    }
}
