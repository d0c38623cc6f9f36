//! The statistics: counters that move in the transactions which change what they count, so that they are exact whatever is repeated
//! or refused.

use anyhow::Result;
use domain::{Counts, Integration, JobStatus, ProviderId, Status, SyncJob, SyncMode, Timestamp};
use store::{ByStatus, Cancelled, Claim, Finished, Lease, RunEnd, RunSums, Saved, StatusChange, Store};

use crate::sample::{again, at, connected, integration, job, store, tokens};

/// What is connected at Drive.
async fn drives(store: &Store) -> Result<ByStatus> {
    let connected = store.connected().await?;
    assert_eq!(connected.len(), ProviderId::ALL.len());
    Ok(connected.iter().find(|one| one.provider == ProviderId::GoogleDrive).expect("Drive is listed").by_status)
}

/// The sums of all days.
async fn runs(store: &Store) -> Result<RunSums> {
    let mut sums = RunSums::default();
    for day in store.stats(at(0).date_naive()).await?.days {
        sums += day.runs;
    }
    Ok(sums)
}

fn change(from: Status, to: Status, due_at: Option<Timestamp>) -> StatusChange {
    StatusChange { from, to, last_error: None, failures_in_a_row: 0, blocked_until: None, due_at }
}

/// The end of a run with this outcome.
fn end(integration: &Integration, job: &SyncJob, status: JobStatus, then: Status) -> RunEnd {
    let counts = Counts { found: 6, synced: 1, unchanged: 2, failed: 1, deleted: 1, skipped: 1 };
    RunEnd {
        integration: integration.clone(),
        job: SyncJob { status, completed_at: Some(at(50)), counts, ..job.clone() },
        status: then,
        last_error: None,
        failures_in_a_row: 0,
        last_sync_at: Some(at(50)),
        change_cursor: None,
        retry_failed: false,
        pending_deletes: None,
        deletes_confirmed: false,
        blocked_until: None,
        due_at: Some(at(3600)),
    }
}

/// A run of an integration, taken up by a worker.
async fn running(store: &Store, of: &Integration) -> Result<(Integration, SyncJob)> {
    let job = job(of, SyncMode::Full);
    store.start_run(of, &job, at(120)).await?;
    let Claim::Taken(job) = store.claim_job(of.id, job.id, at(1), at(10)).await? else { panic!("not taken") };
    Ok((again(store, &of.reference()).await?, job))
}

#[tokio::test]
async fn what_is_connected_is_counted_through_all_it_goes_through() -> Result<()> {
    let store = store().await?;
    assert_eq!(drives(&store).await?, ByStatus::default());
    let ada = connected(&store, "user/ada").await?;
    connected(&store, "organization/acme").await?;
    assert_eq!(drives(&store).await?, ByStatus { active: 2, ..ByStatus::default() });
    assert_eq!(store.save_connection(&integration("user/ada"), None).await?, Saved::Conflict);
    assert_eq!(drives(&store).await?.total(), 2, "what was refused is not counted");

    let r = ada.reference();
    assert!(store.move_status(&r, &change(Status::Active, Status::RateLimited, None), at(1)).await?);
    assert!(!store.move_status(&r, &change(Status::Active, Status::Error, None), at(2)).await?, "no longer active");
    assert_eq!(drives(&store).await?, ByStatus { active: 1, rate_limited: 1, ..ByStatus::default() });
    assert!(store.move_status(&r, &change(Status::RateLimited, Status::Paused, None), at(3)).await?);
    assert_eq!(drives(&store).await?, ByStatus { active: 1, paused: 1, ..ByStatus::default() });

    // Connected again over what a person paused.
    let seen = again(&store, &r).await?;
    let anew = Integration { status: Status::Active, updated_at: at(4), tokens: Some(tokens(2)), ..seen.clone() };
    assert_eq!(store.save_connection(&anew, Some(seen.version)).await?, Saved::Yes);
    assert_eq!(drives(&store).await?, ByStatus { active: 2, ..ByStatus::default() });

    let Lease::Taken { fence, .. } = store.take_refresh_lease(&r, 2, at(5), at(30)).await? else { panic!("not taken") };
    assert!(store.refuse_tokens(&r, fence, "refused", at(6)).await?);
    assert_eq!(drives(&store).await?, ByStatus { active: 1, token_expired: 1, ..ByStatus::default() });

    assert!(store.disconnect(&r, at(7)).await?.is_some());
    assert_eq!(store.disconnect(&r, at(8)).await?, None);
    assert_eq!(drives(&store).await?, ByStatus { active: 1, ..ByStatus::default() });
    // And connected once more, from being disconnected.
    let seen = again(&store, &r).await?;
    let anew = Integration { status: Status::Active, tokens: Some(tokens(3)), ..seen.clone() };
    assert_eq!(store.save_connection(&anew, Some(seen.version)).await?, Saved::Yes);
    assert_eq!(drives(&store).await?.total(), 2);
    Ok(())
}

#[tokio::test]
async fn a_paused_integration_whose_tokens_are_refused_stays_paused_and_counted_so() -> Result<()> {
    let store = store().await?;
    let r = connected(&store, "user/ada").await?.reference();
    let Lease::Taken { fence, .. } = store.take_refresh_lease(&r, 1, at(0), at(30)).await? else { panic!("not taken") };
    assert!(store.move_status(&r, &change(Status::Active, Status::Paused, None), at(1)).await?);
    assert!(store.refuse_tokens(&r, fence, "refused", at(2)).await?);
    let row = again(&store, &r).await?;
    assert_eq!((row.status, row.last_error.as_deref()), (Status::Paused, Some("refused")));
    assert_eq!(drives(&store).await?, ByStatus { paused: 1, ..ByStatus::default() });
    Ok(())
}

#[tokio::test]
async fn a_run_is_counted_once_with_what_it_did_and_how_long_it_took() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let (seen, first) = running(&store, &ada).await?;
    assert_eq!(runs(&store).await?, RunSums::default(), "it has not ended");
    let done = end(&seen, &first, JobStatus::Completed, Status::Active);
    assert_eq!(store.finish_run(&done).await?, Finished::Yes);
    assert_eq!(store.finish_run(&done).await?, Finished::Yes, "repeated");
    let expected = RunSums {
        completed: 1,
        duration_ms: 50_000,
        within: [0, 1, 0, 0, 0, 0],
        found: 6,
        synced: 1,
        unchanged: 2,
        resources_failed: 1,
        deleted: 1,
        skipped: 1,
        ..RunSums::default()
    };
    assert_eq!(runs(&store).await?, expected);

    let (seen, second) = running(&store, &again(&store, &ada.reference()).await?).await?;
    assert_eq!(store.finish_run(&end(&seen, &second, JobStatus::Failed, Status::Error)).await?, Finished::Yes);
    let sums = runs(&store).await?;
    assert_eq!((sums.completed, sums.failed, sums.found, sums.duration_ms), (1, 1, 12, 50_000));
    assert_eq!(drives(&store).await?, ByStatus { error: 1, ..ByStatus::default() }, "its status moved along");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_run_is_counted_at_once_and_what_it_did_when_it_is_summed_up() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let (_, job) = running(&store, &ada).await?;
    let cancelled = store.cancel_job(&ada.reference(), job.id, at(9)).await?;
    let Cancelled::Yes(job) = cancelled else { panic!("{cancelled:?}") };
    assert_eq!(runs(&store).await?, RunSums { cancelled: 1, ..RunSums::default() });
    let counts = Counts { found: 3, synced: 2, failed: 1, ..Counts::default() };
    let summed = SyncJob { counts, ..job.clone() };
    store.note_counts(&summed).await?;
    store.note_counts(&summed).await?;
    let expected = RunSums { cancelled: 1, found: 3, synced: 2, resources_failed: 1, ..RunSums::default() };
    assert_eq!(runs(&store).await?, expected, "once, however often it is said");
    // What a worker had in its hands comes to its end, and the failed one has been mended by it.
    let counts = Counts { found: 4, synced: 4, ..Counts::default() };
    store.note_counts(&SyncJob { counts, ..job.clone() }).await?;
    assert_eq!(runs(&store).await?, RunSums { cancelled: 1, found: 4, synced: 4, ..RunSums::default() });
    assert_eq!(store.get_job(ada.id, job.id).await?.expect("there").counts, counts);
    Ok(())
}

#[tokio::test]
async fn what_happened_meanwhile_keeps_its_status_and_its_count() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let (seen, job) = running(&store, &ada).await?;
    // A person pauses it while its worker is about to say that it is well.
    assert!(store.move_status(&ada.reference(), &change(Status::Active, Status::Paused, None), at(5)).await?);
    assert_eq!(store.finish_run(&end(&seen, &job, JobStatus::Completed, Status::Active)).await?, Finished::Yes);
    assert_eq!(again(&store, &ada.reference()).await?.status, Status::Paused);
    assert_eq!(drives(&store).await?, ByStatus { paused: 1, ..ByStatus::default() });
    assert_eq!(runs(&store).await?.completed, 1);
    Ok(())
}

#[tokio::test]
async fn counts_are_exact_when_everybody_counts_at_once() -> Result<()> {
    let store = store().await?;
    let people: Vec<String> = (0..30).map(|i| format!("user/p{i}")).collect();
    let each = people.iter().map(|whose| {
        let store = store.clone();
        async move {
            let one = connected(&store, whose).await?;
            let (seen, job) = running(&store, &one).await?;
            store.finish_run(&end(&seen, &job, JobStatus::Completed, Status::RateLimited)).await?;
            anyhow::Ok(())
        }
    });
    futures::future::try_join_all(each).await?;
    assert_eq!(drives(&store).await?, ByStatus { rate_limited: 30, ..ByStatus::default() });
    let sums = runs(&store).await?;
    assert_eq!((sums.completed, sums.found), (30, 180));
    Ok(())
}
