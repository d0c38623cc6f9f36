//! The slot: starting, wishing for another pass, ending.

use anyhow::Result;
use domain::integration::PendingDeletes;
use domain::{Counts, Integration, JobStatus, Status, SyncJob, SyncMode};
use store::{Cancelled, Claim, Finished, RunEnd, Started, StatusChange, Store};

use crate::sample::{again, at, connected, job, store};

/// How a run ends that found and delivered one resource.
fn end(integration: &Integration, job: &SyncJob) -> RunEnd {
    let job = SyncJob {
        status: JobStatus::Completed,
        completed_at: Some(at(50)),
        counts: Counts { found: 1, synced: 1, ..Counts::default() },
        ..job.clone()
    };
    RunEnd {
        integration: integration.clone(),
        job,
        status: Status::Active,
        last_error: None,
        failures_in_a_row: 0,
        last_sync_at: Some(at(50)),
        change_cursor: Some("next".to_owned()),
        retry_failed: true,
        pending_deletes: None,
        deletes_confirmed: false,
        blocked_until: None,
        due_at: Some(at(3600)),
    }
}

/// A run that a worker has taken up: the integration and the job as they are now.
async fn running(store: &Store) -> Result<(Integration, SyncJob)> {
    let ada = connected(store, "user/ada").await?;
    let job = job(&ada, SyncMode::Incremental);
    assert_eq!(store.start_run(&ada, &job, at(120)).await?, Started::Yes);
    let Claim::Taken(job) = store.claim_job(ada.id, job.id, at(1), at(10)).await? else { panic!("not taken") };
    Ok((again(store, &ada.reference()).await?, job))
}

#[tokio::test]
async fn guarantee_11_of_fifty_starts_on_one_slot_one_wins() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let tries = (0..50).map(|_| {
        let (store, ada, job) = (store.clone(), ada.clone(), job(&ada, SyncMode::Full));
        async move { store.start_run(&ada, &job, at(120)).await.map(|started| (started, job.id)) }
    });
    let started = futures::future::try_join_all(tries).await?;
    let winners: Vec<_> = started.iter().filter(|(started, _)| *started == Started::Yes).collect();
    assert_eq!(winners.len(), 1);
    let active = again(&store, &ada.reference()).await?.active.expect("active");
    assert_eq!((active.job_id, active.run), (winners[0].1, 1));
    assert!(started.iter().all(|(started, _)| matches!(started, Started::Yes) || *started == Started::Busy(active)));
    assert_eq!(store.jobs_of(ada.id, None, 100).await?.0.len(), 1, "the losers left no job behind");
    Ok(())
}

#[tokio::test]
async fn a_start_that_is_repeated_has_started() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let job = job(&ada, SyncMode::Full);
    assert_eq!(store.start_run(&ada, &job, at(120)).await?, Started::Yes);
    assert_eq!(store.start_run(&ada, &job, at(120)).await?, Started::Yes);
    let seen = again(&store, &ada.reference()).await?;
    assert_eq!((seen.runs, seen.due_at), (1, Some(at(120))));
    store.finish_run(&end(&seen, &job)).await?;
    assert_eq!(store.start_run(&ada, &job, at(240)).await?, Started::Yes, "it has ended since");
    assert_eq!(again(&store, &ada.reference()).await?.active, None);
    Ok(())
}

#[tokio::test]
async fn a_start_on_an_old_read_gets_the_next_number() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let first = job(&ada, SyncMode::Full);
    store.start_run(&ada, &first, at(120)).await?;
    store.finish_run(&end(&again(&store, &ada.reference()).await?, &first)).await?;
    let second = job(&ada, SyncMode::Full);
    assert_eq!(second.run, 1, "the read was before the first run");
    assert_eq!(store.start_run(&ada, &second, at(240)).await?, Started::Yes);
    assert_eq!(store.get_job(ada.id, second.id).await?.map(|job| job.run), Some(2));
    assert_eq!(again(&store, &ada.reference()).await?.runs, 2);
    Ok(())
}

#[tokio::test]
async fn a_run_ends_with_all_that_it_says() -> Result<()> {
    let store = store().await?;
    let (ada, job) = running(&store).await?;
    let mut end = end(&ada, &job);
    end.pending_deletes = Some(PendingDeletes { job_id: job.id, count: 60, of: 70, since: at(50) });
    assert_eq!(store.finish_run(&end).await?, Finished::Yes);
    let now = again(&store, &ada.reference()).await?;
    assert_eq!((now.active, now.runs, now.last_sync_at), (None, 1, Some(at(50))));
    assert_eq!((now.change_cursor.as_deref(), now.due_at, now.retry_failed), (Some("next"), Some(at(3600)), true));
    assert_eq!(now.pending_deletes, end.pending_deletes);
    let job = store.get_job(ada.id, job.id).await?.expect("the job is there");
    assert_eq!((job.status, job.counts.synced, job.completed_at), (JobStatus::Completed, 1, Some(at(50))));
    Ok(())
}

#[tokio::test]
async fn an_end_that_is_repeated_changes_nothing() -> Result<()> {
    let store = store().await?;
    let (ada, job) = running(&store).await?;
    let end = end(&ada, &job);
    assert_eq!(store.finish_run(&end).await?, Finished::Yes);
    let (integration, job) = (again(&store, &ada.reference()).await?, store.get_job(ada.id, job.id).await?);
    assert_eq!(store.finish_run(&end).await?, Finished::Yes);
    assert_eq!(again(&store, &ada.reference()).await?, integration);
    assert_eq!(store.get_job(ada.id, end.job.id).await?, job);
    Ok(())
}

#[tokio::test]
async fn an_end_without_a_cursor_keeps_the_one_that_is_there() -> Result<()> {
    let store = store().await?;
    let (ada, first) = running(&store).await?;
    store.finish_run(&end(&ada, &first)).await?;
    let ada = again(&store, &ada.reference()).await?;
    let second = job(&ada, SyncMode::Full);
    store.start_run(&ada, &second, at(120)).await?;
    let ada = again(&store, &ada.reference()).await?;
    let failed = RunEnd { change_cursor: None, last_error: Some("down".to_owned()), ..end(&ada, &second) };
    store.finish_run(&failed).await?;
    let ada = again(&store, &ada.reference()).await?;
    assert_eq!((ada.change_cursor.as_deref(), ada.last_error.as_deref()), (Some("next"), Some("down")));
    Ok(())
}

#[tokio::test]
async fn a_wish_for_another_pass_outlives_the_run_and_full_outranks() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let r = ada.reference();
    assert!(!store.want_another(&r, SyncMode::Full, at(1)).await?, "no run is active");
    let (first, second) = (job(&ada, SyncMode::Incremental), job(&ada, SyncMode::Full));
    store.start_run(&ada, &first, at(120)).await?;
    let read_before = again(&store, &r).await?;
    assert!(store.want_another(&r, SyncMode::Incremental, at(2)).await?);
    assert!(store.want_another(&r, SyncMode::Full, at(3)).await?);
    assert!(store.want_another(&r, SyncMode::Incremental, at(4)).await?);
    // The worker read the integration before the wish; the wish is found all the same.
    assert_eq!(store.finish_run(&end(&read_before, &first)).await?, Finished::Again(SyncMode::Full));
    assert_eq!(store.finish_run(&end(&read_before, &first)).await?, Finished::Again(SyncMode::Full), "repeated");
    let ada = again(&store, &r).await?;
    assert_eq!((ada.again, ada.due_at), (Some(SyncMode::Full), Some(at(50))), "due at once, should the caller die");
    assert_eq!(store.start_run(&ada, &second, at(200)).await?, Started::Yes);
    assert_eq!(again(&store, &r).await?.again, None);
    Ok(())
}

#[tokio::test]
async fn an_incremental_run_leaves_the_wish_for_a_full_one() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let first = job(&ada, SyncMode::Incremental);
    store.start_run(&ada, &first, at(120)).await?;
    store.want_another(&ada.reference(), SyncMode::Full, at(2)).await?;
    store.finish_run(&end(&again(&store, &ada.reference()).await?, &first)).await?;
    // Read before the wish was made, so it does not know of it.
    assert_eq!(store.start_run(&ada, &job(&ada, SyncMode::Incremental), at(200)).await?, Started::Yes);
    assert_eq!(again(&store, &ada.reference()).await?.again, Some(SyncMode::Full));
    Ok(())
}

#[tokio::test]
async fn guarantee_09_no_wish_is_lost_between_fifty_wishes_and_the_end() -> Result<()> {
    let store = store().await?;
    let (ada, job) = running(&store).await?;
    let wishes = (0..50).map(|_| {
        let (store, r) = (store.clone(), ada.reference());
        async move { store.want_another(&r, SyncMode::Incremental, at(3)).await }
    });
    let end = end(&ada, &job);
    let (wishes, finished) = tokio::join!(futures::future::try_join_all(wishes), store.finish_run(&end));
    let accepted = wishes?.into_iter().any(|accepted| accepted);
    let expected = if accepted { Finished::Again(SyncMode::Incremental) } else { Finished::Yes };
    assert_eq!(finished?, expected);
    Ok(())
}

#[tokio::test]
async fn a_pause_during_the_run_outlasts_its_end() -> Result<()> {
    let store = store().await?;
    let (ada, job) = running(&store).await?;
    let pause = StatusChange {
        from: Status::Active,
        to: Status::Paused,
        last_error: None,
        failures_in_a_row: 0,
        blocked_until: None,
        due_at: None,
    };
    assert!(store.move_status(&ada.reference(), &pause, at(5)).await?);
    assert_eq!(store.finish_run(&end(&ada, &job)).await?, Finished::Yes);
    let now = again(&store, &ada.reference()).await?;
    assert_eq!((now.status, now.due_at, now.active), (Status::Paused, None, None));
    assert_eq!(now.change_cursor.as_deref(), Some("next"), "what the run reached is kept");
    Ok(())
}

#[tokio::test]
async fn a_decision_on_deletions_during_the_run_outlasts_its_end() -> Result<()> {
    let store = store().await?;
    for confirm in [true, false] {
        let mut ada = crate::sample::integration(&format!("user/ada-{confirm}"));
        let earlier = PendingDeletes { job_id: domain::JobId::new(at(0)), count: 60, of: 70, since: at(0) };
        ada.pending_deletes = Some(earlier);
        store.save_connection(&ada, None).await?;
        let job = job(&ada, SyncMode::Incremental);
        store.start_run(&ada, &job, at(120)).await?;
        let read = again(&store, &ada.reference()).await?;
        assert!(store.decide_deletes(&ada.reference(), earlier.job_id, confirm).await?);
        let end = RunEnd { pending_deletes: read.pending_deletes, ..end(&read, &job) };
        assert_eq!(store.finish_run(&end).await?, Finished::Yes);
        let now = again(&store, &ada.reference()).await?;
        assert_eq!((now.pending_deletes, now.deletes_confirmed), (None, confirm));
    }
    Ok(())
}

#[tokio::test]
async fn a_disconnected_integration_is_not_touched_by_a_runs_end() -> Result<()> {
    let store = store().await?;
    let (ada, job) = running(&store).await?;
    store.disconnect(&ada.reference(), at(5)).await?;
    let before = again(&store, &ada.reference()).await?;
    assert_eq!(store.finish_run(&end(&ada, &job)).await?, Finished::Gone);
    assert_eq!(again(&store, &ada.reference()).await?, before);
    Ok(())
}

#[tokio::test]
async fn an_older_worker_does_not_end_a_run_that_a_newer_one_has() -> Result<()> {
    let store = store().await?;
    let (ada, job) = running(&store).await?;
    let Claim::Taken(newer) = store.claim_job(ada.id, job.id, at(11), at(20)).await? else { panic!("not taken") };
    assert_eq!(store.finish_run(&end(&ada, &job)).await?, Finished::Gone);
    assert!(again(&store, &ada.reference()).await?.active.is_some());
    assert_eq!(store.finish_run(&end(&ada, &newer)).await?, Finished::Yes);
    Ok(())
}

#[tokio::test]
async fn guarantee_09_a_wish_waits_for_the_next_due_time_after_a_cancelled_run_and_in_the_state_error() -> Result<()> {
    let store = store().await?;
    for (whose, job_status, status) in
        [("user/a", JobStatus::Cancelled, Status::Active), ("user/b", JobStatus::Failed, Status::Error)]
    {
        let of = connected(&store, whose).await?;
        let started = job(&of, SyncMode::Incremental);
        store.start_run(&of, &started, at(120)).await?;
        assert!(store.want_another(&of.reference(), SyncMode::Incremental, at(3)).await?);
        let read = again(&store, &of.reference()).await?;
        let mut end = RunEnd { status, ..end(&read, &started) };
        end.job.status = job_status;
        assert_eq!(store.finish_run(&end).await?, Finished::Yes, "nothing starts at once");
        let now = again(&store, &of.reference()).await?;
        assert_eq!((now.active, now.due_at, now.again), (None, Some(at(3600)), Some(SyncMode::Incremental)));
    }
    Ok(())
}

#[tokio::test]
async fn guarantee_21_a_confirmation_carries_how_many_were_shown() -> Result<()> {
    let store = store().await?;
    let mut ada = crate::sample::integration("user/ada");
    let pending = PendingDeletes { job_id: domain::JobId::new(at(0)), count: 60, of: 70, since: at(0) };
    ada.pending_deletes = Some(pending);
    store.save_connection(&ada, None).await?;
    assert!(store.decide_deletes(&ada.reference(), pending.job_id, true).await?);
    let now = again(&store, &ada.reference()).await?;
    assert_eq!((now.pending_deletes, now.deletes_confirmed, now.confirmed_count), (None, true, Some(60)));
    Ok(())
}

#[tokio::test]
async fn cancelling_ends_the_job_and_frees_the_slot() -> Result<()> {
    let store = store().await?;
    let (ada, job) = running(&store).await?;
    let Cancelled::Yes(cancelled) = store.cancel_job(&ada.reference(), job.id, at(7)).await? else { panic!("not") };
    assert_eq!(store.get_job(ada.id, job.id).await?.as_ref(), Some(&cancelled));
    assert_eq!((cancelled.status, cancelled.completed_at), (JobStatus::Cancelled, Some(at(7))));
    assert_eq!(again(&store, &ada.reference()).await?.active, None);
    assert_eq!(store.cancel_job(&ada.reference(), job.id, at(8)).await?, Cancelled::Final(cancelled));
    let unknown = domain::JobId::new(at(9));
    assert_eq!(store.cancel_job(&ada.reference(), unknown, at(8)).await?, Cancelled::Unknown);
    // The worker, which did not know, ends its run: nothing of it counts.
    assert_eq!(store.finish_run(&end(&ada, &job)).await?, Finished::Gone);
    assert_eq!(again(&store, &ada.reference()).await?.change_cursor, None);
    Ok(())
}

#[tokio::test]
async fn of_a_cancellation_and_an_end_at_once_one_wins() -> Result<()> {
    let store = store().await?;
    for _ in 0..5 {
        let ada = crate::sample::integration("user/ada");
        let stored = store.get_integration(&ada.owner, ada.provider).await?;
        store
            .save_connection(
                &Integration { runs: stored.as_ref().map_or(0, |s| s.runs), ..ada.clone() },
                stored.map(|s| s.version),
            )
            .await?;
        let ada = again(&store, &ada.reference()).await?;
        let job = job(&ada, SyncMode::Full);
        store.start_run(&ada, &job, at(120)).await?;
        let ada = again(&store, &ada.reference()).await?;
        let (end, r) = (end(&ada, &job), ada.reference());
        let (cancelled, finished) = tokio::join!(store.cancel_job(&r, job.id, at(7)), store.finish_run(&end));
        let status = store.get_job(ada.id, job.id).await?.map(|job| job.status);
        match (cancelled?, finished?) {
            (Cancelled::Yes(_), Finished::Gone) => assert_eq!(status, Some(JobStatus::Cancelled)),
            (Cancelled::Final(_), Finished::Yes) => assert_eq!(status, Some(JobStatus::Completed)),
            both => panic!("{both:?}"),
        }
        assert_eq!(again(&store, &ada.reference()).await?.active, None);
    }
    Ok(())
}
