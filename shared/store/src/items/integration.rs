//! The row of an integration.

use chrono::serde::{ts_milliseconds, ts_milliseconds_option};
use domain::integration::{ActiveRun, PendingDeletes, SealedTokens};
use domain::message::IntegrationRef;
use domain::{
    AccountId, Integration, IntegrationConfig, IntegrationId, JobId, Owner, ProviderId, SealedToken, Status,
    StorageStrategy, SyncFrequency, SyncMode, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use super::Binary;
use crate::error::Error;
use crate::keys;

/// What the row is called in errors.
pub(crate) const WHAT: &str = "an integration";

/// How `kind` tells the two sorts of rows in the index `due` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RowKind {
    Integration,
    Subscription,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct IntegrationItem {
    pub(crate) pk: String,
    pub(crate) sk: String,
    pub(crate) kind: RowKind,
    pub(crate) integration_id: IntegrationId,
    pub(crate) owner: String,
    pub(crate) provider: ProviderId,
    pub(crate) account_id: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account_name: Option<String>,
    /// Present while connected; the partition of the index `account`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account_key: Option<String>,
    pub(crate) status: Status,
    pub(crate) storage_strategy: StorageStrategy,
    pub(crate) sync_frequency: SyncFrequency,
    /// JSON, so that it reads back exactly as the provider's schema accepted it.
    pub(crate) config: String,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) last_sync_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<String>,
    pub(crate) failures_in_a_row: u32,
    pub(crate) connected_by: UserId,
    #[serde(with = "ts_milliseconds")]
    pub(crate) connected_at: Timestamp,
    #[serde(with = "ts_milliseconds")]
    pub(crate) updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) active_job_id: Option<JobId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) active_run: Option<u64>,
    pub(crate) runs: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) again: Option<SyncMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pending_deletes: Option<PendingDeletes>,
    #[serde(default)]
    pub(crate) deletes_confirmed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed_count: Option<u64>,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) blocked_until: Option<Timestamp>,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due_shard: Option<String>,
    #[serde(default)]
    pub(crate) retry_failed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_token: Option<Binary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<Binary>,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) token_expires_at: Option<Timestamp>,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) token_issued_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_version: Option<u64>,
    /// The refresh lease's fencing number; see [`first_fence`].
    pub(crate) lease_fence: u64,
    pub(crate) version: u64,
}

/// Where the fencing numbers of a connection start: above all that any earlier connection in this row can have used, so
/// that a refresh that began before a reconnection can never save its tokens over the new ones.
const fn first_fence(version: u64) -> u64 {
    version << 32
}

impl IntegrationItem {
    /// The whole row of a connected integration, to be written as this version.
    pub(crate) fn connected(integration: &Integration, version: u64) -> Result<Self, Error> {
        let i = integration;
        let key = keys::integration(&i.owner, i.provider);
        let tokens = i.tokens.as_ref();
        Ok(Self {
            pk: key.pk,
            sk: key.sk,
            kind: RowKind::Integration,
            integration_id: i.id,
            owner: i.owner.to_string(),
            provider: i.provider,
            account_id: i.account_id.clone(),
            account_name: i.account_name.clone(),
            account_key: Some(keys::account_key(i.provider, &i.account_id)),
            status: i.status,
            storage_strategy: i.storage_strategy,
            sync_frequency: i.sync_frequency,
            config: config_text(&i.config)?,
            last_sync_at: i.last_sync_at,
            last_error: i.last_error.clone(),
            failures_in_a_row: i.failures_in_a_row,
            connected_by: i.connected_by.clone(),
            connected_at: i.connected_at,
            updated_at: i.updated_at,
            change_cursor: i.change_cursor.clone(),
            active_job_id: i.active.map(|run| run.job_id),
            active_run: i.active.map(|run| run.run),
            runs: i.runs,
            again: i.again,
            pending_deletes: i.pending_deletes,
            deletes_confirmed: i.deletes_confirmed,
            confirmed_count: i.confirmed_count,
            blocked_until: i.blocked_until,
            due_at: i.due_at,
            due_shard: i.due_at.map(|_| keys::due_shard(i.id)),
            retry_failed: i.retry_failed,
            access_token: tokens.map(|t| Binary(t.access.as_bytes().to_vec())),
            refresh_token: tokens.and_then(|t| t.refresh.as_ref()).map(|t| Binary(t.as_bytes().to_vec())),
            token_expires_at: tokens.and_then(|t| t.expires_at),
            token_issued_at: tokens.map(|t| t.issued_at),
            token_scope: tokens.and_then(|t| t.scope.clone()),
            token_version: tokens.map(|t| t.version),
            lease_fence: first_fence(version),
            version,
        })
    }

    /// The sealed tokens, if all that belongs to them is there.
    fn tokens(&mut self) -> Option<SealedTokens> {
        Some(SealedTokens {
            access: SealedToken::from_bytes(self.access_token.take()?.0),
            refresh: self.refresh_token.take().map(|bytes| SealedToken::from_bytes(bytes.0)),
            expires_at: self.token_expires_at,
            issued_at: self.token_issued_at?,
            scope: self.token_scope.take(),
            version: self.token_version?,
        })
    }
}

/// A configuration as the row carries it.
pub(crate) fn config_text(config: &IntegrationConfig) -> Result<String, Error> {
    serde_json::to_string(config).map_err(|e| Error::malformed("encode a configuration", e))
}

impl TryFrom<IntegrationItem> for Integration {
    type Error = Error;

    fn try_from(mut item: IntegrationItem) -> Result<Self, Error> {
        let corrupt = || Error::Corrupt { what: WHAT };
        let tokens = item.tokens();
        Ok(Self {
            id: item.integration_id,
            owner: item.owner.parse().map_err(|_| corrupt())?,
            provider: item.provider,
            account_id: item.account_id,
            account_name: item.account_name,
            status: item.status,
            storage_strategy: item.storage_strategy,
            sync_frequency: item.sync_frequency,
            config: serde_json::from_str(&item.config).map_err(|_| corrupt())?,
            last_sync_at: item.last_sync_at,
            last_error: item.last_error,
            failures_in_a_row: item.failures_in_a_row,
            connected_by: item.connected_by,
            connected_at: item.connected_at,
            updated_at: item.updated_at,
            change_cursor: item.change_cursor,
            active: match (item.active_job_id, item.active_run) {
                (Some(job_id), Some(run)) => Some(ActiveRun { job_id, run }),
                (None, None) => None,
                _ => return Err(corrupt()),
            },
            runs: item.runs,
            again: item.again,
            pending_deletes: item.pending_deletes,
            deletes_confirmed: item.deletes_confirmed,
            confirmed_count: item.confirmed_count,
            blocked_until: item.blocked_until,
            due_at: item.due_at,
            retry_failed: item.retry_failed,
            tokens,
            version: item.version,
        })
    }
}

/// What the indexes `due` and `account` project.
#[derive(Deserialize)]
pub(crate) struct ProjectedItem {
    pub(crate) sk: String,
    pub(crate) kind: Option<RowKind>,
    pub(crate) owner: String,
    pub(crate) provider: ProviderId,
    pub(crate) integration_id: IntegrationId,
    #[serde(default)]
    pub(crate) active_job_id: Option<JobId>,
    #[serde(default, with = "ts_milliseconds_option")]
    pub(crate) due_at: Option<Timestamp>,
}

impl ProjectedItem {
    /// The integration it stands for or belongs to.
    pub(crate) fn reference(&self) -> Result<IntegrationRef, Error> {
        let owner: Owner = self.owner.parse().map_err(|_| Error::Corrupt { what: WHAT })?;
        Ok(IntegrationRef { owner, provider: self.provider, integration_id: self.integration_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Item, decode, encode_item};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(ms).unwrap()
    }

    fn integration() -> Integration {
        Integration {
            id: "01JD0000000000000000000000".parse().unwrap(),
            owner: "user/ada".parse().unwrap(),
            provider: ProviderId::GoogleDrive,
            account_id: AccountId::new("a#1").unwrap(),
            account_name: None,
            status: Status::Active,
            storage_strategy: StorageStrategy::FullContent,
            sync_frequency: SyncFrequency::Hourly,
            config: serde_json::from_str(r#"{"folders":["x"],"deep":{"n":1.5,"empty":""}}"#).unwrap(),
            last_sync_at: None,
            last_error: Some("why".to_owned()),
            failures_in_a_row: 2,
            connected_by: UserId::new("ada").unwrap(),
            connected_at: at(1),
            updated_at: at(2),
            change_cursor: Some("c".to_owned()),
            active: Some(ActiveRun { job_id: "01JD0000000000000000000001".parse().unwrap(), run: 7 }),
            runs: 7,
            again: Some(SyncMode::Full),
            pending_deletes: Some(PendingDeletes {
                job_id: "01JD0000000000000000000001".parse().unwrap(),
                count: 60,
                of: 70,
                since: at(3),
            }),
            deletes_confirmed: true,
            confirmed_count: Some(60),
            blocked_until: Some(at(4)),
            due_at: Some(at(5)),
            retry_failed: true,
            tokens: Some(SealedTokens {
                access: SealedToken::from_bytes(vec![1, 2]),
                refresh: Some(SealedToken::from_bytes(vec![3])),
                expires_at: Some(at(6)),
                issued_at: at(7),
                scope: Some("drive".to_owned()),
                version: 3,
            }),
            version: 4,
        }
    }

    fn written(integration: &Integration) -> Item {
        encode_item(IntegrationItem::connected(integration, integration.version).unwrap()).unwrap()
    }

    #[test]
    fn an_integration_reads_back_as_written() {
        let full = integration();
        let mut bare = integration();
        (bare.active, bare.again, bare.pending_deletes, bare.due_at, bare.tokens) = (None, None, None, None, None);
        for integration in [full, bare] {
            let item: IntegrationItem = decode(WHAT, written(&integration)).unwrap();
            assert_eq!(Integration::try_from(item).unwrap(), integration);
        }
    }

    #[test]
    fn tokens_are_separate_binary_attributes() {
        let item = written(&integration());
        assert_eq!(item["access_token"].as_b().unwrap().as_ref(), [1, 2]);
        assert_eq!(item["refresh_token"].as_b().unwrap().as_ref(), [3]);
    }

    #[test]
    fn what_is_never_due_stays_out_of_the_due_index() {
        let mut integration = integration();
        integration.due_at = None;
        let item = written(&integration);
        assert!(!item.contains_key("due_at") && !item.contains_key("due_shard"));
    }

    #[test]
    fn an_attribute_of_null_reads_as_absent() {
        let mut item = written(&integration());
        for name in ["last_error", "last_sync_at", "blocked_until", "pending_deletes"] {
            item.insert(name.to_owned(), crate::call::or_null(None));
        }
        let read = Integration::try_from(decode::<IntegrationItem>(WHAT, item).unwrap()).unwrap();
        assert!(read.last_error.is_none() && read.last_sync_at.is_none());
        assert!(read.blocked_until.is_none() && read.pending_deletes.is_none());
    }

    #[test]
    fn a_row_of_nonsense_is_corrupt() {
        for (name, value) in [("owner", "nobody"), ("config", "{"), ("status", "WELL"), ("integration_id", "1")] {
            let mut item = written(&integration());
            item.insert(name.to_owned(), crate::call::s(value));
            let read = decode::<IntegrationItem>(WHAT, item).and_then(Integration::try_from);
            assert!(matches!(read, Err(Error::Corrupt { what: WHAT })), "{name}");
        }
    }

    #[test]
    fn a_reconnection_starts_above_every_earlier_fence() {
        assert!(first_fence(2) > first_fence(1) + u64::from(u32::MAX));
    }
}
