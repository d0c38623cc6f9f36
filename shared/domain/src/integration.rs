//! An owner's connected account, as every room but the vault sees it: without tokens in the clear.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{AccountId, IntegrationId, JobId, UserId};
use crate::job::SyncMode;
use crate::message::IntegrationRef;
use crate::owner::Owner;
use crate::provider::ProviderId;
use crate::secret::SealedToken;
use crate::status::Status;

/// SPEC's `StorageStrategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageStrategy {
    /// Keep the reference only; no body at rest.
    MetadataOnly,
    /// Keep the extracted text.
    #[default]
    FullContent,
}

/// SPEC's `SyncFrequency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SyncFrequency {
    /// Webhooks, with a reconciling pull every six hours.
    Realtime,
    /// Every fifteen minutes.
    FifteenMin,
    /// Every hour.
    #[default]
    Hourly,
    /// Every day.
    Daily,
    /// Only when a person asks.
    Manual,
}

impl SyncFrequency {
    /// Time between scheduled pulls; `None` means never. Without webhooks, REALTIME polls every fifteen minutes.
    #[must_use]
    pub fn interval(self, has_webhooks: bool) -> Option<chrono::TimeDelta> {
        match self {
            Self::Realtime if has_webhooks => Some(chrono::TimeDelta::hours(6)),
            Self::Realtime | Self::FifteenMin => Some(chrono::TimeDelta::minutes(15)),
            Self::Hourly => Some(chrono::TimeDelta::hours(1)),
            Self::Daily => Some(chrono::TimeDelta::days(1)),
            Self::Manual => None,
        }
    }
}

/// What to sync, in each provider's own terms. `providers` validates it against the provider's schema.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntegrationConfig(pub serde_json::Map<String, serde_json::Value>);

/// The sealed tokens of an integration and when the access token ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedTokens {
    /// The access token.
    pub access: SealedToken,
    /// The refresh token, where the provider gave one.
    pub refresh: Option<SealedToken>,
    /// When the access token ends; `None` if it does not.
    pub expires_at: Option<Timestamp>,
    /// When it was issued, by our clock. With `expires_at` it tells the token's life.
    pub issued_at: Timestamp,
    /// What the person granted, space separated, if the provider says.
    pub scope: Option<String>,
    /// Grows by one with every pair that is saved; waiting workers look for a higher one.
    pub version: u64,
}

/// A sync that holds the integration's only slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveRun {
    /// The job whose run it is.
    pub job_id: JobId,
    /// Grows by one with every run of this integration; orders the outcomes that resources carry.
    pub run: u64,
}

/// Deletions that a run held back because there were suspiciously many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDeletes {
    /// The run that held them back.
    pub job_id: JobId,
    /// How many it would have deleted.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// When.
    pub since: Timestamp,
}

impl PendingDeletes {
    /// Whether deleting `count` of `of` resources waits for a person: more than 50 and more than 20 %.
    #[must_use]
    pub const fn are_too_many(count: u64, of: u64) -> bool {
        count > 50 && count * 5 > of
    }

    /// Whether a person who confirmed `confirmed` deletions, and then finds `count` carried out, got what they agreed to: a tenth more,
    /// or ten, may have come to be gone since they looked.
    #[must_use]
    pub fn are_confirmed(count: u64, confirmed: u64) -> bool {
        count <= confirmed.saturating_add((confirmed / 10).max(10))
    }
}

/// An owner's connected account.
#[derive(Debug, Clone, PartialEq)]
pub struct Integration {
    /// Its id; new at every first connection, kept on reconnection of the same provider account.
    pub id: IntegrationId,
    /// Whose it is.
    pub owner: Owner,
    /// At which provider.
    pub provider: ProviderId,
    /// The provider's name for the account.
    pub account_id: AccountId,
    /// The account as people know it (an email address, a workspace name).
    pub account_name: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// What is kept of the content.
    pub storage_strategy: StorageStrategy,
    /// How often it is pulled.
    pub sync_frequency: SyncFrequency,
    /// What is synced.
    pub config: IntegrationConfig,
    /// When the last sync ended well.
    pub last_sync_at: Option<Timestamp>,
    /// Why it is not ACTIVE, for people.
    pub last_error: Option<String>,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Who connected it.
    pub connected_by: UserId,
    /// When it was connected.
    pub connected_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
    /// The provider's change cursor after the last complete sync; `None` asks for a full listing.
    pub change_cursor: Option<String>,
    /// The sync under way.
    pub active: Option<ActiveRun>,
    /// Runs so far; the next run's number is one more.
    pub runs: u64,
    /// Something asked for a sync while one was running: another pass of this mode follows. Full outranks incremental.
    pub again: Option<SyncMode>,
    /// Deletions that wait for a person.
    pub pending_deletes: Option<PendingDeletes>,
    /// A person has confirmed the pending deletions: the next full run may carry them out.
    pub deletes_confirmed: bool,
    /// How many the person confirmed; `None` in rows from before this was written down.
    pub confirmed_count: Option<u64>,
    /// Until when the provider asked us to wait.
    pub blocked_until: Option<Timestamp>,
    /// When the scheduler looks at it next; `None` means never.
    pub due_at: Option<Timestamp>,
    /// Whether the last run left failures that are worth another try.
    pub retry_failed: bool,
    /// The tokens; `None` once disconnected.
    pub tokens: Option<SealedTokens>,
    /// Grows by one with every write of a person's making; a write on a stale read is refused.
    pub version: u64,
}

impl Integration {
    /// Its full name, as messages carry it.
    #[must_use]
    pub fn reference(&self) -> IntegrationRef {
        IntegrationRef { owner: self.owner.clone(), provider: self.provider, integration_id: self.id }
    }

    /// What the provider counts calls by, and thus the name of the rate limit: the account, whoever has connected it.
    #[must_use]
    pub fn rate_key(&self) -> String {
        format!("{}#{}", self.provider, self.account_id)
    }

    /// The name of the rate limit of one of the account's meters; one without a name is the account's own.
    #[must_use]
    pub fn rate_key_of(&self, meter: &str) -> String {
        if meter.is_empty() { self.rate_key() } else { format!("{}#{meter}", self.rate_key()) }
    }
}

#[cfg(test)]
mod tests {
    use super::PendingDeletes;

    #[test]
    fn only_many_and_a_large_share_wait_for_a_person() {
        let check = |count, of, held| assert_eq!(PendingDeletes::are_too_many(count, of), held, "{count} of {of}");
        check(50, 50, false);
        check(51, 51, true);
        check(51, 255, false);
        check(51, 254, true);
        check(0, 0, false);
    }

    #[test]
    fn guarantee_21_a_confirmation_is_for_about_as_many_as_were_shown() {
        let check = |count, confirmed, is| assert_eq!(PendingDeletes::are_confirmed(count, confirmed), is, "{count}");
        check(60, 60, true);
        check(70, 60, true);
        check(71, 60, false);
        check(1100, 1000, true);
        check(1101, 1000, false);
    }
}
