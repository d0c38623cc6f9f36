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
    /// Every plan, from the smallest to the largest.
    pub const ALL: [Self; 3] = [Self::Free, Self::Pro, Self::Enterprise];

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

    /// Whether scheduled pulls at `frequency` are no closer together than the plan allows.
    #[must_use]
    pub fn allows(self, frequency: SyncFrequency, has_webhooks: bool) -> bool {
        frequency.interval(has_webhooks).is_none_or(|wanted| wanted >= self.min_interval())
    }

    /// The smallest larger plan that would lift a limit, if one does: `lifts` says of a plan whether it would.
    pub fn upgrade(self, lifts: impl Fn(Self) -> bool) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| *plan > self && lifts(*plan))
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

    #[test]
    fn a_plan_allows_what_it_does_not_slow_down() {
        let check = |frequency, webhooks, allowed: [bool; 3]| {
            assert_eq!(Plan::ALL.map(|plan| plan.allows(frequency, webhooks)), allowed, "{frequency:?} {webhooks}");
        };
        check(SyncFrequency::Manual, true, [true; 3]);
        check(SyncFrequency::Daily, true, [true; 3]);
        check(SyncFrequency::Hourly, true, [false, true, true]);
        check(SyncFrequency::FifteenMin, true, [false, false, true]);
        check(SyncFrequency::Realtime, true, [false, true, true]);
        check(SyncFrequency::Realtime, false, [false, false, true]);
    }

    #[test]
    fn the_smallest_plan_that_lifts_a_limit_is_named() {
        let room_for = |count| move |plan: Plan| plan.max_integrations().is_none_or(|most| most > count);
        assert_eq!(Plan::Free.upgrade(room_for(1)), Some(Plan::Pro));
        assert_eq!(Plan::Free.upgrade(room_for(5)), Some(Plan::Enterprise));
        assert_eq!(Plan::Enterprise.upgrade(room_for(1)), None, "there is nothing larger");
        assert_eq!(Plan::Free.upgrade(|_| false), None);
    }
}
