//! Which services exist and what each can do. The implementations live in `providers`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::rate::Budget;

/// A service that accounts can be connected at, under SPEC's id.
///
/// A new variant does not compile until `providers::registry` wires it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderId {
    /// Google Drive.
    GoogleDrive,
    /// Slack.
    Slack,
    /// GitHub.
    Github,
    /// Notion.
    Notion,
}

/// The text names no provider.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown provider")]
pub struct UnknownProvider;

impl ProviderId {
    /// Every provider, in the order that lists show.
    pub const ALL: &'static [Self] = &[Self::GoogleDrive, Self::Slack, Self::Github, Self::Notion];

    /// The id in URLs, keys and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GoogleDrive => "google_drive",
            Self::Slack => "slack",
            Self::Github => "github",
            Self::Notion => "notion",
        }
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProviderId {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|id| id.as_str() == text).ok_or(UnknownProvider)
    }
}

/// Where a provider stands in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// File stores.
    Storage,
    /// Documents and wikis.
    Productivity,
    /// Chat.
    Communication,
    /// Code and issues.
    Development,
    /// Customer records.
    Crm,
    /// Anything else.
    Other,
}

/// How an account is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthType {
    /// The OAuth 2 code flow.
    Oauth2,
    /// A key that the person pastes.
    ApiKey,
    /// A name and a password or token.
    Basic,
}

/// What a provider can do, computed from its implementation so that it cannot lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Content can be listed and fetched.
    pub pull_content: bool,
    /// Changes are announced by the provider.
    pub webhooks: bool,
    /// Content can be written back. None can yet.
    pub bidirectional: bool,
}

/// How much the provider allows, in its own accounting units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Units a minute for one account.
    pub per_minute: u32,
    /// Units a day for one account, where the provider has such a limit.
    pub per_day: Option<u32>,
    /// Requests under way at once for one account.
    pub concurrent: u32,
}

impl RateLimits {
    /// What we allow ourselves of them.
    #[must_use]
    pub fn budget(self) -> Budget {
        Budget::of(self)
    }
}
