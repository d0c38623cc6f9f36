//! An integration's row. Never a token.

use domain::{Integration, Owner, Status, StorageStrategy, SyncFrequency, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::words;

/// A connected account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Integration)]
pub struct IntegrationRow {
    /// Its id; kept when the same account is connected again.
    #[schema(example = "01JD0000000000000000000000")]
    id: String,
    /// Whose it is, if a person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// Whose it is, if an organization's.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<String>,
    /// The provider.
    #[schema(example = "google_drive")]
    provider: String,
    /// Where it stands.
    #[schema(schema_with = words::status)]
    status: Status,
    /// What is kept of the content.
    #[schema(schema_with = words::storage_strategy)]
    storage_strategy: StorageStrategy,
    /// How often it is pulled; the owner's plan may slow it down.
    #[schema(schema_with = words::sync_frequency)]
    sync_frequency: SyncFrequency,
    /// What is synced, in the provider's terms.
    #[schema(value_type = Object)]
    config: serde_json::Map<String, serde_json::Value>,
    /// When the last sync ended well.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_sync_at: Option<Timestamp>,
    /// When the next scheduled sync is due; null while one runs and where none is scheduled.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_sync_at: Option<Timestamp>,
    /// Why it is not ACTIVE, for people.
    last_error: Option<String>,
    /// Until when it waits because the provider asked for that; null unless it waits now.
    #[schema(value_type = Option<String>, format = DateTime)]
    rate_limited_until: Option<Timestamp>,
    /// The sync under way.
    active_job_id: Option<String>,
    /// Deletions that wait for a person.
    pending_deletes: Option<PendingDeletesRow>,
    /// The account as people know it.
    account_name: Option<String>,
    /// Who connected it (organizations).
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_by: Option<String>,
    /// When it was connected.
    #[schema(value_type = String, format = DateTime)]
    connected_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Deletions that a sync held back because there were suspiciously many.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PendingDeletes)]
pub struct PendingDeletesRow {
    /// The sync that held them back.
    job_id: String,
    /// How many it would have deleted.
    count: u64,
    /// Of how many.
    of: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

impl IntegrationRow {
    /// The row as it is shown at `now`.
    pub fn at(now: Timestamp, integration: Integration) -> Self {
        let (user_id, organization_id) = match &integration.owner {
            Owner::User(id) => (Some(id.to_string()), None),
            Owner::Organization(id) => (None, Some(id.to_string())),
        };
        let scheduled = integration.active.is_none() && integration.status.is_scheduled();
        Self {
            id: integration.id.to_string(),
            connected_by: organization_id.is_some().then(|| integration.connected_by.to_string()),
            user_id,
            organization_id,
            provider: integration.provider.to_string(),
            status: integration.status,
            storage_strategy: integration.storage_strategy,
            sync_frequency: integration.sync_frequency,
            config: integration.config.0,
            last_sync_at: integration.last_sync_at,
            next_sync_at: integration.due_at.filter(|_| scheduled),
            last_error: integration.last_error,
            rate_limited_until: integration.blocked_until.filter(|until| *until > now),
            active_job_id: integration.active.map(|run| run.job_id.to_string()),
            pending_deletes: integration.pending_deletes.map(|pending| PendingDeletesRow {
                job_id: pending.job_id.to_string(),
                count: pending.count,
                of: pending.of,
                since: pending.since,
            }),
            account_name: integration.account_name,
            connected_at: integration.connected_at,
            updated_at: integration.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::integration::SealedTokens;
    use domain::{IntegrationConfig, ProviderId, SealedToken};

    use super::*;

    const NOW: Timestamp = chrono::DateTime::UNIX_EPOCH;

    fn integration(owner: &str) -> Integration {
        let at = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let sealed = SealedToken::from_bytes(b"canary".to_vec());
        let tokens = SealedTokens {
            access: sealed.clone(),
            refresh: Some(sealed),
            expires_at: None,
            issued_at: at,
            scope: None,
            version: 1,
        };
        Integration {
            id: "01JD0000000000000000000000".parse().unwrap(),
            owner: owner.parse().unwrap(),
            provider: ProviderId::GoogleDrive,
            account_id: "a".parse().unwrap(),
            account_name: Some("ada@example.com".into()),
            status: Status::Active,
            storage_strategy: StorageStrategy::FullContent,
            sync_frequency: SyncFrequency::Hourly,
            config: IntegrationConfig::default(),
            last_sync_at: None,
            last_error: None,
            failures_in_a_row: 0,
            connected_by: "ada".parse().unwrap(),
            connected_at: at,
            updated_at: at,
            change_cursor: Some("canary".into()),
            active: None,
            runs: 0,
            again: None,
            pending_deletes: None,
            deletes_confirmed: false,
            confirmed_count: None,
            blocked_until: None,
            due_at: Some(at),
            retry_failed: false,
            tokens: Some(tokens),
            version: 1,
        }
    }

    #[test]
    fn a_row_has_the_models_names_and_no_token() {
        let row = serde_json::to_value(IntegrationRow::at(NOW, integration("user/ada"))).unwrap();
        insta::assert_snapshot!(row, @r#"{"account_name":"ada@example.com","active_job_id":null,"config":{},"connected_at":"2027-01-15T08:00:00Z","id":"01JD0000000000000000000000","last_error":null,"last_sync_at":null,"next_sync_at":"2027-01-15T08:00:00Z","pending_deletes":null,"provider":"google_drive","rate_limited_until":null,"status":"ACTIVE","storage_strategy":"FULL_CONTENT","sync_frequency":"HOURLY","updated_at":"2027-01-15T08:00:00Z","user_id":"ada"}"#);
    }

    #[test]
    fn an_organizations_row_says_who_connected_it() {
        let row = serde_json::to_value(IntegrationRow::at(NOW, integration("organization/acme"))).unwrap();
        assert_eq!((&row["organization_id"], &row["connected_by"]), (&"acme".into(), &"ada".into()));
        assert!(row.get("user_id").is_none());
    }

    #[test]
    fn a_wait_is_shown_until_it_is_over() {
        let until = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let waiting = Integration { blocked_until: Some(until), ..integration("user/ada") };
        let shown = |now| IntegrationRow::at(now, waiting.clone()).rate_limited_until;
        assert_eq!(shown(until - chrono::TimeDelta::seconds(1)), Some(until));
        assert_eq!(shown(until), None);
    }

    #[test]
    fn a_paused_integration_has_no_next_sync() {
        let paused = Integration { status: Status::Paused, ..integration("user/ada") };
        assert_eq!(
            serde_json::to_value(IntegrationRow::at(NOW, paused)).unwrap()["next_sync_at"],
            serde_json::Value::Null
        );
    }
}
