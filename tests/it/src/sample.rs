//! Domain values to begin with, and a store with tables of its own to put them in.

use anyhow::Result;
use domain::integration::SealedTokens;
use domain::message::IntegrationRef;
use domain::resource::Record;
use domain::{AccountId, ExternalId, Integration, Owner, SealedToken, Status, SyncJob, SyncMode, Timestamp, testing};
use store::{RunEnd, Saved, Store};
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
        account_id: AccountId::new("permission-1").unwrap(),
        account_name: Some("ada@example.com".to_owned()),
        due_at: Some(at(60)),
        tokens: Some(tokens(1)),
        ..testing::integration(whose, at(0)).unwrap()
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
    testing::job(of, mode, at(0))
}

/// The end of a run that leaves its integration well.
pub fn end(integration: &Integration, job: SyncJob) -> RunEnd {
    RunEnd {
        integration: integration.clone(),
        last_sync_at: job.completed_at,
        job,
        status: Status::Active,
        last_error: None,
        failures_in_a_row: 0,
        change_cursor: Some("next".to_owned()),
        retry_failed: false,
        pending_deletes: None,
        deletes_confirmed: false,
        blocked_until: None,
        due_at: Some(at(3600)),
    }
}

pub fn external_id(text: &str) -> ExternalId {
    ExternalId::new(text).unwrap()
}

pub fn record(id: &str, observed_at: Timestamp) -> Record {
    testing::record(external_id(id), observed_at)
}
