//! Writes that happened and whose answers were lost: the SDK repeats the call, and the repeat must not mistake its own earlier
//! self for somebody else.

use anyhow::{Context as _, Result};
use domain::{JobStatus, Status, SyncFrequency, SyncMode};
use store::{
    Cancelled, Claim, Due, DueKind, Finished, Lease, RunEnd, Saved, Settings, Started, StatusChange, Store, Written,
};
use testkit::emulator::Emulator;

use crate::proxy::Proxy;
use crate::sample::{again, at, connected, integration, job, record, store as plain, tokens};

/// A store behind a proxy.
async fn store() -> Result<(Store, Proxy)> {
    let emulator = Emulator::connect().await?;
    let tables = emulator.tables().await?;
    let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
    Ok((emulator.through(&address).store(&tables), proxy))
}

/// Loses one answer to `operation`, and checks afterwards that the call was carried out more than once.
macro_rules! losing {
    ($proxy:expr, $operation:literal, $call:expr) => {{
        $proxy.carried_out($operation);
        $proxy.lose($operation, 1);
        let answer = $call.await?;
        assert!($proxy.carried_out($operation) >= 2, "the answer was not lost");
        answer
    }};
}

#[tokio::test]
async fn a_connection_was_saved() -> Result<()> {
    let (store, proxy) = store().await?;
    let ada = integration("user/ada");
    assert_eq!(losing!(proxy, "TransactWriteItems", store.save_connection(&ada, None)), Saved::Yes);
    assert_eq!(losing!(proxy, "TransactWriteItems", store.save_connection(&ada, Some(1))), Saved::Yes);
    assert_eq!(again(&store, &ada.reference()).await?.version, 2);
    Ok(())
}

#[tokio::test]
async fn settings_were_saved_and_a_status_was_moved() -> Result<()> {
    let (store, proxy) = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let settings = Settings {
        config: domain::IntegrationConfig::default(),
        storage_strategy: domain::StorageStrategy::MetadataOnly,
        sync_frequency: SyncFrequency::Daily,
        due_at: Some(at(9)),
        full_next: false,
    };
    let r = ada.reference();
    assert_eq!(losing!(proxy, "UpdateItem", store.save_settings(&r, 1, &settings, at(1))), Saved::Yes);
    let change = StatusChange {
        from: Status::Active,
        to: Status::RateLimited,
        last_error: Some("wait".to_owned()),
        failures_in_a_row: 0,
        blocked_until: None,
        due_at: None,
    };
    assert!(losing!(proxy, "TransactWriteItems", store.move_status(&r, &change, at(2))));
    assert!(losing!(proxy, "TransactWriteItems", store.disconnect(&r, at(3))).is_some());
    let counted = store.connected().await?.iter().map(|one| one.by_status.total()).sum::<u64>();
    assert_eq!(counted, 0, "what was repeated is counted once");
    Ok(())
}

#[tokio::test]
async fn a_run_was_started_claimed_and_ended_once() -> Result<()> {
    let (store, proxy) = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let job = job(&ada, SyncMode::Full);
    assert_eq!(losing!(proxy, "TransactWriteItems", store.start_run(&ada, &job, at(120))), Started::Yes);
    let claim = losing!(proxy, "UpdateItem", store.claim_job(ada.id, job.id, at(0), at(10)));
    let Claim::Taken(mut job) = claim else { panic!("{claim:?}") };
    assert_eq!(job.fence, 1, "claimed once");
    assert!(losing!(proxy, "TransactWriteItems", store.checkpoint(&job, None, at(1), at(11))));
    (job.status, job.completed_at) = (JobStatus::Completed, Some(at(50)));
    let end = RunEnd {
        integration: again(&store, &ada.reference()).await?,
        job: job.clone(),
        status: Status::Active,
        last_error: None,
        failures_in_a_row: 0,
        last_sync_at: Some(at(50)),
        change_cursor: Some("next".to_owned()),
        retry_failed: false,
        pending_deletes: None,
        deletes_confirmed: false,
        blocked_until: None,
        due_at: Some(at(3600)),
    };
    assert_eq!(losing!(proxy, "TransactWriteItems", store.finish_run(&end)), Finished::Yes);
    let ada = again(&store, &ada.reference()).await?;
    assert_eq!((ada.active, ada.runs, ada.change_cursor.as_deref()), (None, 1, Some("next")));
    Ok(())
}

#[tokio::test]
async fn a_job_was_cancelled() -> Result<()> {
    let (store, proxy) = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let job = job(&ada, SyncMode::Full);
    store.start_run(&ada, &job, at(120)).await?;
    let cancelled = losing!(proxy, "TransactWriteItems", store.cancel_job(&ada.reference(), job.id, at(1)));
    assert!(matches!(cancelled, Cancelled::Yes(_)), "{cancelled:?}");
    Ok(())
}

#[tokio::test]
async fn a_lease_was_taken_and_the_tokens_were_saved() -> Result<()> {
    let (store, proxy) = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    let lease = losing!(proxy, "UpdateItem", store.take_refresh_lease(&r, 1, at(0), at(30)));
    let Lease::Taken { fence, unanswered_since: None } = lease else { panic!("{lease:?}") };
    assert!(losing!(proxy, "UpdateItem", store.save_refreshed(&r, fence, &tokens(2))));
    assert_eq!(again(&store, &r).await?.tokens, Some(tokens(2)));
    Ok(())
}

#[tokio::test]
async fn what_is_due_was_claimed() -> Result<()> {
    let (store, proxy) = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let kind = DueKind::Integration { active: None };
    let due = Due { kind, integration: ada.reference(), due_at: at(60) };
    assert!(losing!(proxy, "UpdateItem", store.move_due(&due, Some(at(3600)))));
    assert!(!store.move_due(&due, Some(at(3600))).await?);
    Ok(())
}

#[tokio::test]
async fn a_first_delivery_is_still_the_first() -> Result<()> {
    let (store, proxy) = store().await?;
    assert!(losing!(proxy, "PutItem", store.first_delivery("k", at(0))));
    assert!(!store.first_delivery("k", at(0)).await?);
    Ok(())
}

#[tokio::test]
async fn a_record_was_written_and_its_outcome_noted() -> Result<()> {
    let (store, proxy) = store().await?;
    let ada = integration("user/ada");
    let record = record("a", at(1));
    assert_eq!(losing!(proxy, "UpdateItem", store.save_record(ada.id, &record)), Written::Yes);
    let outcome = domain::resource::RunOutcome {
        job_id: job(&ada, SyncMode::Full).id,
        run: 1,
        outcome: domain::resource::Outcome::Synced,
    };
    assert!(losing!(proxy, "UpdateItem", store.note_outcome(ada.id, &record.external_id, outcome)));
    Ok(())
}

#[tokio::test]
async fn what_a_batch_leaves_undone_is_done_in_the_end() -> Result<()> {
    let (store, proxy) = store().await?;
    let id = integration("user/ada").id;
    let mut ids = Vec::new();
    for i in 0..12 {
        let record = record(&format!("{i}"), at(1));
        store.save_record(id, &record).await?;
        ids.push(record.external_id);
    }
    proxy.leave_out("BatchGetItem", 5);
    assert_eq!(store.get_records(id, &ids).await?.len(), 12);
    assert_eq!(proxy.carried_out("BatchGetItem"), 2);
    proxy.leave_out("BatchWriteItem", 5);
    store.delete_records(id, &ids).await?;
    assert_eq!(proxy.carried_out("BatchWriteItem"), 2);
    assert!(store.get_records(id, &ids).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_outage_is_unavailable_and_no_answer() -> Result<()> {
    let (store, proxy) = store().await?;
    let ada = connected(&store, "user/ada").await?;
    proxy.lose("UpdateItem", 1000);
    let failed = store.take_refresh_lease(&ada.reference(), 1, at(0), at(30)).await;
    assert!(matches!(failed, Err(store::Error::Unavailable(_))), "{failed:?}");
    // Another process, which the outage spares, sees a lease that ends by itself.
    proxy.lose("UpdateItem", 0);
    let next = store.take_refresh_lease(&ada.reference(), 1, at(30), at(60)).await?;
    assert!(matches!(next, Lease::Taken { .. }), "{next:?}");
    Ok(())
}

#[tokio::test]
async fn a_missing_table_is_refused_and_not_an_outage() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let mut tables = emulator.tables().await?;
    tables.limits = "it-nowhere".to_owned();
    let failed =
        emulator.store(&tables).look_up_delivery(None, Some("k"), at(0)).await.err().context("it must fail")?;
    assert!(matches!(failed, store::Error::Refused(_)), "{failed:?}");
    assert_eq!(plain().await?.integrations_of(&crate::sample::owner("user/nobody")).await?, []);
    Ok(())
}
