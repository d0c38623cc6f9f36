//! Which services exist and what each can do. The implementations live in `providers`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rate::Limit;

/// A service that accounts can be connected at, under SPEC's id.
///
/// A new variant does not compile until `providers::registry` wires it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderId {
    /// Google Drive.
    GoogleDrive,
}

/// The text names no provider.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown provider")]
pub struct UnknownProvider;

impl ProviderId {
    /// Every provider, in the order that lists show.
    pub const ALL: &'static [Self] = &[Self::GoogleDrive];

    /// The id in URLs, keys and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GoogleDrive => "google_drive",
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

/// The share of a provider's quota that we use, in percent. The rest is left to the customer's own use of the account.
const OUR_PERCENT: u64 = 70;

impl RateLimits {
    /// Our share of the limit per minute. Five seconds' worth may be taken at once, so that no minute sees more than the whole limit.
    #[must_use]
    pub fn our_minute(self) -> Limit {
        let units = ours(self.per_minute);
        Limit { units, period: Duration::from_secs(60), burst: (units / 12).max(1) }
    }

    /// Our share of the limit per day, where there is one. An hour's worth may be taken at once.
    #[must_use]
    pub fn our_day(self) -> Option<Limit> {
        let units = ours(self.per_day?);
        Some(Limit { units, period: Duration::from_secs(86_400), burst: (units / 24).max(1) })
    }
}

fn ours(units: u32) -> u32 {
    u32::try_from(u64::from(units) * OUR_PERCENT / 100).unwrap_or(units).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_left_to_the_customer_even_with_a_burst() {
        let check = |per_minute: u32, units, burst| {
            let limit = RateLimits { per_minute, per_day: None, concurrent: 1 }.our_minute();
            assert_eq!((limit.units, limit.burst), (units, burst));
        };
        check(1625, 1137, 94);
        check(100, 70, 5);
        check(1, 1, 1);
        let daily = RateLimits { per_minute: 1, per_day: Some(1000), concurrent: 1 }.our_day().unwrap();
        assert_eq!((daily.units, daily.burst), (700, 29));
    }
}
