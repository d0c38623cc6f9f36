//! Domain values to begin with, and a store with tables of its own to put them in.

use anyhow::Result;
use domain::integration::SealedTokens;
use domain::job::Checkpoint;
use domain::message::IntegrationRef;
use domain::resource::{Record, RecordState};
use domain::{
    AccountId, Counts, ExternalId, Integration, IntegrationConfig, IntegrationId, JobId, JobStatus, Owner, ProviderId,
    ResourceKind, SealedToken, Status, StorageStrategy, SyncFrequency, SyncJob, SyncMode, Timestamp, Trigger, UserId,
};
use store::{Saved, Store};
use testkit::emulator::Emulator;

/// A moment, in seconds after the beginning of these tests' time: the year 2100, so that the emulator, which goes by its own
/// clock, deletes nothing as expired meanwhile.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(4_102_444_800 + seconds, 0).unwrap()
}

/// A store over new tables.
pub async fn store() -> Result<Store> {
    let emulator = Emulator::connect().await?;
    Ok(emulator.store(&emulator.tables().await?))
}

pub fn owner(text: &str) -> Owner {
    text.parse().unwrap()
}

pub fn tokens(version: u64) -> SealedTokens {
    SealedTokens {
        access: SealedToken::from_bytes(format!("sealed access {version}").into_bytes()),
        refresh: Some(SealedToken::from_bytes(format!("sealed refresh {version}").into_bytes())),
        expires_at: Some(at(3600)),
        issued_at: at(0),
        scope: Some("drive.readonly".to_owned()),
        version,
    }
}

/// An owner's Drive, connected and due, never synced.
pub fn integration(whose: &str) -> Integration {
    Integration {
        id: IntegrationId::new(at(0)),
        owner: owner(whose),
        provider: ProviderId::GoogleDrive,
        account_id: AccountId::new("permission-1").unwrap(),
        account_name: Some("ada@example.com".to_owned()),
        status: Status::Active,
        storage_strategy: StorageStrategy::FullContent,
        sync_frequency: SyncFrequency::Hourly,
        config: IntegrationConfig::default(),
        last_sync_at: None,
        last_error: None,
        failures_in_a_row: 0,
        connected_by: UserId::new("ada").unwrap(),
        connected_at: at(0),
        updated_at: at(0),
        change_cursor: None,
        active: None,
        runs: 0,
        again: None,
        pending_deletes: None,
        deletes_confirmed: false,
        confirmed_count: None,
        blocked_until: None,
        due_at: Some(at(60)),
        retry_failed: false,
        tokens: Some(tokens(1)),
        version: 1,
    }
}

/// The same, stored.
pub async fn connected(store: &Store, whose: &str) -> Result<Integration> {
    let integration = integration(whose);
    assert_eq!(store.save_connection(&integration, None).await?, Saved::Yes);
    Ok(integration)
}

/// The integration as it is stored now.
pub async fn again(store: &Store, r: &IntegrationRef) -> Result<Integration> {
    Ok(store.find_integration(r).await?.expect("the integration is there"))
}

/// The job of the integration's next run.
pub fn job(of: &Integration, mode: SyncMode) -> SyncJob {
    SyncJob {
        id: JobId::new(at(0)),
        integration_id: of.id,
        owner: of.owner.clone(),
        provider: of.provider,
        mode,
        trigger: Trigger::Manual,
        run: of.runs + 1,
        status: JobStatus::Pending,
        started_at: at(0),
        completed_at: None,
        counts: Counts::default(),
        error_message: None,
        failed_resources: Vec::new(),
        checkpoint: Checkpoint::default(),
        deletes_confirmed: false,
        outages: 0,
        progress_at: at(0),
        fence: 0,
    }
}

pub fn external_id(text: &str) -> ExternalId {
    ExternalId::new(text).unwrap()
}

pub fn record(id: &str, observed_at: Timestamp) -> Record {
    Record {
        external_id: external_id(id),
        kind: ResourceKind::File,
        name: format!("{id}.txt"),
        mime_type: Some("text/plain".to_owned()),
        url: None,
        state: RecordState::Synced,
        revision: "1".to_owned(),
        content_hash: Some("hash".to_owned()),
        memory_id: None,
        code: None,
        reason: None,
        retriable: false,
        observed_at,
        last_synced_at: observed_at,
        last_run: None,
    }
}
