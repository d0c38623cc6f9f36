//! Everything that the emulated Google knows: accounts, shared drives, files, feeds, tokens and channels.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    drive::channel::Channel,
    feed::Feeds,
    file::File,
    oauth::grants::{Client, Grants},
};
use crate::{clock, random};

/// A Google account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    pub email: String,
    pub name: String,
    /// The stable id that Drive shows for the person: twenty digits.
    pub permission_id: String,
    /// The folder "My Drive".
    pub root_id: String,
}

/// A shared drive; its root folder has the same id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SharedDrive {
    pub id: String,
    pub name: String,
    pub created: DateTime<Utc>,
    pub members: BTreeSet<String>,
}

/// Switches that tests turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    pub access_lifetime_seconds: i64,
    /// What `expires_in` says instead of the truth, if anything.
    pub told_lifetime: Option<serde_json::Value>,
    pub rotate_refresh_tokens: bool,
    /// For how long a rotated refresh token still serves, as a caller needs who never got the answer.
    pub rotation_grace_seconds: i64,
    /// Whether a rotated refresh token that comes after its grace ends the whole grant, as a stolen one would.
    pub reuse_revokes: bool,
    /// How long the token endpoint takes to refresh.
    pub refresh_delay_ms: u64,
    /// How long a change takes to appear in the feeds.
    pub propagation_delay_ms: u64,
    /// Whether listings over all drives say that they may be incomplete.
    pub incomplete_search: bool,
    /// First pause before a webhook is tried again; it doubles each time.
    pub webhook_retry_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_lifetime_seconds: 3599,
            told_lifetime: None,
            rotate_refresh_tokens: false,
            rotation_grace_seconds: 0,
            reuse_revokes: false,
            refresh_delay_ms: 0,
            propagation_delay_ms: 0,
            incomplete_search: false,
            webhook_retry_ms: 1000,
        }
    }
}

/// The emulated Google.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Google {
    pub accounts: BTreeMap<String, Account>,
    pub drives: BTreeMap<String, SharedDrive>,
    pub files: HashMap<String, File>,
    pub feeds: Feeds,
    pub grants: Grants,
    pub channels: BTreeMap<String, Channel>,
    pub settings: Settings,
    /// Counts files as they are made; gives listings without an order a stable one.
    pub made: u64,
    #[serde(skip)]
    pub children: HashMap<String, BTreeSet<String>>,
}

impl Google {
    /// No accounts and no content, but the client that every sandbox has.
    pub fn empty() -> Self {
        let mut google = Self::default();
        google.grants.clients.insert(
            "sandbox-client".to_owned(),
            Client { secret: "sandbox-secret".to_owned(), redirect_uris: Vec::new() },
        );
        google
    }

    /// Rebuilds what is not stored.
    pub fn after_load(&mut self) {
        self.feeds.after_load();
        for file in self.files.values() {
            if let Some(parent) = &file.parent {
                self.children.entry(parent.clone()).or_default().insert(file.id.clone());
            }
        }
    }

    /// Adds an account with an empty My Drive, or renames the one that exists.
    pub fn add_account(&mut self, email: &str, name: &str) -> Account {
        if let Some(account) = self.accounts.get_mut(email) {
            name.clone_into(&mut account.name);
            return account.clone();
        }
        let account = Account {
            email: email.to_owned(),
            name: name.to_owned(),
            permission_id: permission_id(email),
            root_id: format!("0A{}PVA", random::letters(14)),
        };
        let root = File { root: true, ..File::folder(&account.root_id, "My Drive", email, clock::now()) };
        self.files.insert(root.id.clone(), root);
        self.accounts.insert(email.to_owned(), account.clone());
        account
    }

    /// The person behind an address; a stranger gets the address as name.
    pub fn person(&self, email: &str) -> Account {
        self.accounts.get(email).cloned().unwrap_or_else(|| Account {
            email: email.to_owned(),
            name: email.to_owned(),
            permission_id: permission_id(email),
            root_id: String::new(),
        })
    }

    /// The latest time at which a change must have happened to be out in the feeds.
    pub fn propagated(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let delay = i64::try_from(self.settings.propagation_delay_ms).unwrap_or(i64::MAX);
        now - chrono::TimeDelta::try_milliseconds(delay).unwrap_or_default()
    }
}

/// Twenty digits that follow from the address, so that they stay when an account is made again.
fn permission_id(email: &str) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(email.as_bytes());
    let number = hash.iter().take(16).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("1{:019}", number % 10_u128.pow(19))
}
