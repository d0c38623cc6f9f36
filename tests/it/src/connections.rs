//! Connecting, configuring, moving the status, disconnecting.

use anyhow::Result;
use domain::integration::{ActiveRun, PendingDeletes};
use domain::{AccountId, IntegrationId, JobId, ProviderId, Status, SyncFrequency, SyncMode};
use store::{Saved, Settings, Started, StatusChange};

use crate::sample::{again, at, connected, integration, job, owner, store, tokens};

fn change(from: Status, to: Status) -> StatusChange {
    StatusChange { from, to, last_error: None, failures_in_a_row: 0, blocked_until: None, due_at: Some(at(9)) }
}

#[tokio::test]
async fn a_connection_reads_back_and_its_account_is_remembered() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let bob = connected(&store, "user/bob").await?;
    assert_eq!(store.get_integration(&ada.owner, ada.provider).await?, Some(ada.clone()));
    assert_eq!(store.find_integration(&bob.reference()).await?, Some(bob.clone()));
    assert_eq!(store.known_account(&ada.owner, ada.provider, &ada.account_id).await?, Some(ada.id));
    let other = AccountId::new("permission-2")?;
    assert_eq!(store.known_account(&ada.owner, ada.provider, &other).await?, None);

    let mut of_account = store.integrations_of_account(ada.provider, &ada.account_id).await?;
    of_account.sort_by_key(|r| r.owner.clone());
    assert_eq!(of_account, [ada.reference(), bob.reference()]);
    assert_eq!(store.integrations_of(&ada.owner).await?, [ada]);
    assert_eq!(store.get_integration(&owner("organization/ada"), ProviderId::GoogleDrive).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_name_that_names_another_integration_finds_none() -> Result<()> {
    let store = store().await?;
    let mut stranger = connected(&store, "user/ada").await?.reference();
    stranger.integration_id = IntegrationId::new(at(5));
    assert_eq!(store.find_integration(&stranger).await?, None);
    assert!(!store.move_status(&stranger, &change(Status::Active, Status::Paused), at(1)).await?);
    assert_eq!(store.disconnect(&stranger, at(1)).await?, None);
    store.set_due(&stranger, None).await?;
    assert!(!store.want_another(&stranger, SyncMode::Full, at(1)).await?);
    stranger.integration_id = again(&store, &connected_ref(&store).await?).await?.id;
    assert_eq!(again(&store, &stranger).await?.status, Status::Active);
    assert_eq!(again(&store, &stranger).await?.due_at, Some(at(60)));
    Ok(())
}

async fn connected_ref(store: &store::Store) -> Result<domain::message::IntegrationRef> {
    let ada = store.get_integration(&owner("user/ada"), ProviderId::GoogleDrive).await?;
    Ok(ada.expect("connected").reference())
}

#[tokio::test]
async fn of_fifty_first_connections_at_once_one_wins() -> Result<()> {
    let store = store().await?;
    let tries = (0..50).map(|_| {
        let (store, integration) = (store.clone(), integration("user/ada"));
        async move { store.save_connection(&integration, None).await.map(|saved| (saved, integration.id)) }
    });
    let saved: Vec<_> = futures::future::try_join_all(tries).await?;
    let winners: Vec<_> = saved.iter().filter(|(saved, _)| *saved == Saved::Yes).collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    let stored = store.get_integration(&owner("user/ada"), ProviderId::GoogleDrive).await?.expect("stored");
    assert_eq!(stored.id, winners[0].1);
    assert_eq!(store.known_account(&stored.owner, stored.provider, &stored.account_id).await?, Some(stored.id));
    Ok(())
}

#[tokio::test]
async fn a_reconnection_replaces_only_the_version_it_read() -> Result<()> {
    let store = store().await?;
    let mut ada = connected(&store, "user/ada").await?;
    ada.tokens = Some(tokens(9));
    assert_eq!(store.save_connection(&ada, Some(1)).await?, Saved::Yes);
    assert_eq!(again(&store, &ada.reference()).await?.version, 2);
    ada.account_name = Some("late".to_owned());
    assert_eq!(store.save_connection(&ada, Some(1)).await?, Saved::Conflict);
    assert_eq!(store.save_connection(&ada, None).await?, Saved::Conflict);
    assert_ne!(again(&store, &ada.reference()).await?.account_name, ada.account_name);
    Ok(())
}

#[tokio::test]
async fn a_reconnection_does_not_write_over_a_run_that_it_did_not_see() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let job = job(&ada, SyncMode::Full);
    assert_eq!(store.start_run(&ada, &job, at(120)).await?, Started::Yes);
    assert_eq!(store.save_connection(&ada, Some(1)).await?, Saved::Conflict);
    let seen = again(&store, &ada.reference()).await?;
    assert_eq!(store.save_connection(&seen, Some(1)).await?, Saved::Yes);
    assert_eq!(again(&store, &ada.reference()).await?.active, Some(ActiveRun { job_id: job.id, run: 1 }));
    Ok(())
}

#[tokio::test]
async fn settings_are_saved_on_the_version_that_was_read() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let mut settings = Settings {
        config: serde_json::from_str(r#"{"folders":["f"]}"#)?,
        storage_strategy: domain::StorageStrategy::MetadataOnly,
        sync_frequency: SyncFrequency::Daily,
        due_at: Some(at(500)),
        full_next: false,
    };
    assert_eq!(store.save_settings(&ada.reference(), 1, &settings, at(5)).await?, Saved::Yes);
    let saved = again(&store, &ada.reference()).await?;
    assert_eq!((saved.version, saved.due_at, saved.sync_frequency), (2, Some(at(500)), SyncFrequency::Daily));
    assert_eq!((saved.config, saved.updated_at), (settings.config.clone(), at(5)));
    assert_eq!(saved.again, None);
    (settings.due_at, settings.full_next) = (None, true);
    assert_eq!(store.save_settings(&ada.reference(), 1, &settings, at(6)).await?, Saved::Conflict);
    assert_eq!(store.save_settings(&ada.reference(), 2, &settings, at(6)).await?, Saved::Yes);
    let saved = again(&store, &ada.reference()).await?;
    assert_eq!((saved.due_at, saved.again), (None, Some(SyncMode::Full)));
    Ok(())
}

#[tokio::test]
async fn settings_leave_the_watch_over_a_run_alone() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    store.start_run(&ada, &job(&ada, SyncMode::Full), at(120)).await?;
    let settings = Settings {
        config: domain::IntegrationConfig::default(),
        storage_strategy: domain::StorageStrategy::FullContent,
        sync_frequency: SyncFrequency::Manual,
        due_at: None,
        full_next: false,
    };
    assert_eq!(store.save_settings(&ada.reference(), 1, &settings, at(5)).await?, Saved::Yes);
    let saved = again(&store, &ada.reference()).await?;
    assert_eq!((saved.due_at, saved.sync_frequency), (Some(at(120)), SyncFrequency::Manual));
    Ok(())
}

#[tokio::test]
async fn guarantee_11_of_fifty_moves_of_one_status_one_wins() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let tries = (0..50).map(|i| {
        let (store, r) = (store.clone(), ada.reference());
        let change = StatusChange { last_error: Some(format!("{i}")), ..change(Status::Active, Status::RateLimited) };
        async move { store.move_status(&r, &change, at(1)).await }
    });
    let moved = futures::future::try_join_all(tries).await?;
    assert_eq!(moved.iter().filter(|moved| **moved).count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_move_of_the_status_writes_all_that_goes_with_it() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let limited = StatusChange {
        from: Status::Active,
        to: Status::RateLimited,
        last_error: Some("wait".to_owned()),
        failures_in_a_row: 3,
        blocked_until: Some(at(900)),
        due_at: Some(at(900)),
    };
    assert!(store.move_status(&ada.reference(), &limited, at(7)).await?);
    let now = again(&store, &ada.reference()).await?;
    assert_eq!((now.status, now.failures_in_a_row, now.updated_at), (Status::RateLimited, 3, at(7)));
    assert_eq!(
        (now.last_error.as_deref(), now.blocked_until, now.due_at),
        (Some("wait"), Some(at(900)), Some(at(900)))
    );
    let paused = StatusChange { due_at: None, ..change(Status::RateLimited, Status::Paused) };
    assert!(store.move_status(&ada.reference(), &paused, at(8)).await?);
    let now = again(&store, &ada.reference()).await?;
    assert_eq!((now.last_error, now.blocked_until, now.due_at), (None, None, None));
    Ok(())
}

#[tokio::test]
async fn a_move_of_the_status_leaves_when_it_is_due_unless_it_says_so() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    // A run starts between a worker's read and its word on the status: the run's watch stays.
    store.start_run(&ada, &job(&ada, SyncMode::Full), at(120)).await?;
    let without = |from, to| StatusChange { due_at: None, ..change(from, to) };
    assert!(store.move_status(&ada.reference(), &without(Status::Active, Status::RateLimited), at(7)).await?);
    assert_eq!(again(&store, &ada.reference()).await?.due_at, Some(at(120)));
    // Paused: the run under way is still looked after; without one nothing is due.
    assert!(store.move_status(&ada.reference(), &without(Status::RateLimited, Status::Paused), at(8)).await?);
    let now = again(&store, &ada.reference()).await?;
    assert_eq!((now.status, now.due_at), (Status::Paused, Some(at(120))));
    let bob = connected(&store, "user/bob").await?;
    assert!(store.move_status(&bob.reference(), &without(Status::Active, Status::Paused), at(8)).await?);
    assert_eq!(again(&store, &bob.reference()).await?.due_at, None);
    Ok(())
}

#[tokio::test]
async fn disconnecting_destroys_the_tokens_and_hands_them_out_once() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let job = job(&ada, SyncMode::Full);
    store.start_run(&ada, &job, at(120)).await?;
    store.want_another(&ada.reference(), SyncMode::Full, at(1)).await?;
    let old = store.disconnect(&ada.reference(), at(2)).await?.expect("was connected");
    assert_eq!(old.tokens, ada.tokens);
    assert_eq!(store.disconnect(&ada.reference(), at(3)).await?, None);

    let now = again(&store, &ada.reference()).await?;
    assert_eq!((now.status, now.tokens, now.active, now.again), (Status::Disconnected, None, None, None));
    assert_eq!((now.due_at, now.pending_deletes, now.blocked_until), (None, None, None));
    assert_eq!(now.version, old.version + 1);
    assert!(store.integrations_of_account(ada.provider, &ada.account_id).await?.is_empty());
    assert_eq!(store.known_account(&ada.owner, ada.provider, &ada.account_id).await?, Some(ada.id));
    assert_eq!(store.start_run(&ada, &crate::sample::job(&ada, SyncMode::Full), at(120)).await?, Started::Gone);
    store.set_due(&ada.reference(), Some(at(1))).await?;
    assert_eq!(again(&store, &ada.reference()).await?.due_at, None);
    Ok(())
}

#[tokio::test]
async fn pending_deletions_are_decided_for_the_job_that_held_them_back() -> Result<()> {
    let store = store().await?;
    for confirm in [true, false] {
        let mut ada = integration(&format!("user/ada-{confirm}"));
        let job_id = JobId::new(at(1));
        ada.pending_deletes = Some(PendingDeletes { job_id, count: 60, of: 70, since: at(1) });
        store.save_connection(&ada, None).await?;
        let r = ada.reference();
        assert!(!store.decide_deletes(&r, JobId::new(at(2)), confirm).await?, "of another job");
        assert!(store.decide_deletes(&r, job_id, confirm).await?);
        let now = again(&store, &r).await?;
        assert_eq!((now.pending_deletes, now.deletes_confirmed), (None, confirm));
        assert!(!store.decide_deletes(&r, job_id, false).await?, "nothing is pending any more");
    }
    Ok(())
}
