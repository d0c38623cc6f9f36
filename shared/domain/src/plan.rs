//! Plans, roles and what they allow.

use serde::{Deserialize, Serialize};

use crate::integration::SyncFrequency;

/// What a person or an organization pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// One integration, synced at most daily.
    #[default]
    Free,
    /// Five integrations, synced at most hourly.
    Pro,
    /// As many as wanted, synced every minute.
    Enterprise,
}

impl Plan {
    /// The word in rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }

    /// Connected integrations allowed; `None` is unlimited.
    #[must_use]
    pub const fn max_integrations(self) -> Option<usize> {
        match self {
            Self::Free => Some(1),
            Self::Pro => Some(5),
            Self::Enterprise => None,
        }
    }

    /// The shortest time between scheduled pulls.
    #[must_use]
    pub const fn min_interval(self) -> chrono::TimeDelta {
        match self {
            Self::Free => chrono::TimeDelta::days(1),
            Self::Pro => chrono::TimeDelta::hours(1),
            Self::Enterprise => chrono::TimeDelta::minutes(1),
        }
    }

    /// Time between scheduled pulls at `frequency`, slowed down to what the plan allows; `None` means never.
    #[must_use]
    pub fn interval(self, frequency: SyncFrequency, has_webhooks: bool) -> Option<chrono::TimeDelta> {
        frequency.interval(has_webhooks).map(|wanted| wanted.max(self.min_interval()))
    }
}

/// What a member may do in an organization, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and edits documents; integrations as a viewer.
    Editor,
    /// Connects, configures, syncs, disconnects.
    Admin,
}

/// What a person may do on the whole platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlatformRole {
    /// Uses it.
    #[default]
    User,
    /// Runs it.
    Admin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_slows_a_frequency_and_never_hastens_it() {
        let check = |plan: Plan, frequency, hours: Option<i64>| {
            assert_eq!(plan.interval(frequency, true).map(|i| i.num_hours()), hours, "{plan:?} {frequency:?}");
        };
        check(Plan::Free, SyncFrequency::FifteenMin, Some(24));
        check(Plan::Pro, SyncFrequency::FifteenMin, Some(1));
        check(Plan::Pro, SyncFrequency::Daily, Some(24));
        check(Plan::Enterprise, SyncFrequency::Realtime, Some(6));
        check(Plan::Enterprise, SyncFrequency::Manual, None);
    }
}
