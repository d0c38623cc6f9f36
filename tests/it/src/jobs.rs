//! Jobs: claims, checkpoints with their pages, reports, history.

use anyhow::Result;
use domain::job::Checkpoint;
use domain::resource::DeleteReason;
use domain::{JobId, JobStatus, SyncJob, SyncMode};
use store::{Claim, Cursor, PageRow, Progress, Store, resource_key};

use crate::sample::{at, connected, external_id, job, store};

/// A started job.
async fn started(store: &Store) -> Result<SyncJob> {
    let ada = connected(store, "user/ada").await?;
    let job = job(&ada, SyncMode::Full);
    store.start_run(&ada, &job, at(120)).await?;
    Ok(job)
}

async fn claim(store: &Store, job: &SyncJob, now: i64) -> Result<SyncJob> {
    match store.claim_job(job.integration_id, job.id, at(now), at(now + 10)).await? {
        Claim::Taken(job) => Ok(job),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn guarantee_11_of_fifty_workers_one_takes_the_job_up() -> Result<()> {
    let store = store().await?;
    let job = started(&store).await?;
    let tries = (0..50).map(|_| {
        let store = store.clone();
        async move { store.claim_job(job.integration_id, job.id, at(0), at(10)).await }
    });
    let claims = futures::future::try_join_all(tries).await?;
    assert_eq!(claims.iter().filter(|claim| matches!(claim, Claim::Taken(_))).count(), 1);
    assert_eq!(claims.iter().filter(|claim| **claim == Claim::Busy { until: at(10) }).count(), 49);
    assert_eq!(started_job(&store, &job).await?.fence, 1);
    Ok(())
}

async fn started_job(store: &Store, job: &SyncJob) -> Result<SyncJob> {
    Ok(store.get_job(job.integration_id, job.id).await?.expect("the job is there"))
}

#[tokio::test]
async fn a_dead_workers_job_is_taken_up_once_its_lease_has_ended() -> Result<()> {
    let store = store().await?;
    let job = started(&store).await?;
    let first = claim(&store, &job, 0).await?;
    assert_eq!((first.status, first.fence), (JobStatus::Running, 1));
    let busy = store.claim_job(job.integration_id, job.id, at(9), at(19)).await?;
    assert_eq!(busy, Claim::Busy { until: at(10) });
    let second = claim(&store, &job, 10).await?;
    assert_eq!(second.fence, 2);
    assert!(!store.checkpoint(&first, None, at(11), at(21)).await?, "the first worker woke up");
    store.release_job(job.integration_id, job.id, first.fence).await?;
    assert!(matches!(store.claim_job(job.integration_id, job.id, at(11), at(21)).await?, Claim::Busy { .. }));
    store.release_job(job.integration_id, job.id, second.fence).await?;
    assert_eq!(claim(&store, &job, 12).await?.fence, 3);
    let unknown = store.claim_job(job.integration_id, JobId::new(at(1)), at(0), at(1)).await?;
    assert_eq!(unknown, Claim::Unknown);
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_and_its_page_are_written_together_and_renew_the_lease() -> Result<()> {
    let store = store().await?;
    let mut job = claim(&store, &started(&store).await?, 0).await?;
    job.mode = SyncMode::Incremental;
    job.checkpoint = Checkpoint {
        page_cursor: Some("2".to_owned()),
        pages: 1,
        handed_out: 2,
        changes_from: Some("c".to_owned()),
        ..Checkpoint::default()
    };
    let ids = [external_id("a"), external_id("b")];
    let page = PageRow {
        page: 1,
        listing: true,
        seen: ids.iter().map(resource_key).collect(),
        handed: ids.to_vec(),
        gone: vec![(external_id("z"), DeleteReason::Removed)],
        ..PageRow::default()
    };
    assert!(store.checkpoint(&job, Some(&page), at(5), at(15)).await?);
    let stored = started_job(&store, &job).await?;
    assert_eq!((&stored.checkpoint, stored.mode, stored.progress_at), (&job.checkpoint, job.mode, at(5)));
    assert_eq!(store.pages(job.id).await?, [page]);
    let busy = store.claim_job(job.integration_id, job.id, at(14), at(24)).await?;
    assert_eq!(busy, Claim::Busy { until: at(15) });
    Ok(())
}

#[tokio::test]
async fn an_older_workers_page_is_refused_with_its_checkpoint() -> Result<()> {
    let store = store().await?;
    let older = claim(&store, &started(&store).await?, 0).await?;
    let newer = claim(&store, &older, 10).await?;
    let large = |page, first: usize| PageRow {
        page,
        handed: (first..first + 2000).map(|i| external_id(&format!("{i:0>600}"))).collect(),
        ..PageRow::default()
    };
    let theirs = large(1, 0);
    assert!(store.checkpoint(&newer, Some(&theirs), at(11), at(21)).await?);
    assert!(!store.checkpoint(&older, Some(&large(1, 5000)), at(12), at(22)).await?);
    assert!(!store.checkpoint(&older, Some(&large(2, 5000)), at(12), at(22)).await?);
    assert_eq!(store.pages(newer.id).await?, [theirs], "page 1 is the newer worker's, page 2 was never committed");
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_listed_again_replaces_what_it_was() -> Result<()> {
    let store = store().await?;
    let job = claim(&store, &started(&store).await?, 0).await?;
    let page = |number, count: usize| PageRow {
        page: number,
        handed: (0..count).map(|i| external_id(&format!("{i:0>600}"))).collect(),
        ..PageRow::default()
    };
    for page in [page(1, 2000), page(2, 1), page(1, 3)] {
        assert!(store.checkpoint(&job, Some(&page), at(1), at(11)).await?);
    }
    assert_eq!(store.pages(job.id).await?, [page(1, 3), page(2, 1)]);
    Ok(())
}

#[tokio::test]
async fn reports_add_up_beside_checkpoints() -> Result<()> {
    let store = store().await?;
    let mut job = claim(&store, &started(&store).await?, 0).await?;
    let (integration_id, job_id) = (job.integration_id, job.id);
    let reports = (0..50).map(|_| {
        let store = store.clone();
        async move { store.report(integration_id, job_id, 2, at(3)).await }
    });
    job.checkpoint.handed_out = 100;
    job.checkpoint.listed = true;
    let (reports, written) =
        tokio::join!(futures::future::try_join_all(reports), store.checkpoint(&job, None, at(2), at(12)));
    assert!(written?);
    assert_eq!(reports?.len(), 50);
    let progress = store.report(job.integration_id, job.id, 0, at(4)).await?;
    let expected = Progress { reported: 100, handed_out: 100, listed: true, status: JobStatus::Running };
    assert_eq!(progress, Some(expected));
    assert_eq!(store.report(job.integration_id, JobId::new(at(1)), 1, at(4)).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_final_job_is_not_taken_up_again() -> Result<()> {
    let store = store().await?;
    let job = claim(&store, &started(&store).await?, 0).await?;
    let r = domain::message::IntegrationRef {
        owner: job.owner.clone(),
        provider: job.provider,
        integration_id: job.integration_id,
    };
    store.cancel_job(&r, job.id, at(1)).await?;
    let claim = store.claim_job(job.integration_id, job.id, at(20), at(30)).await?;
    assert!(matches!(claim, Claim::Final(job) if job.status == JobStatus::Cancelled));
    assert!(!store.checkpoint(&job, Some(&PageRow::default()), at(2), at(12)).await?);
    assert!(store.pages(job.id).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn history_is_newest_first_and_goes_on_at_its_cursor() -> Result<()> {
    let store = store().await?;
    let mut ada = connected(&store, "user/ada").await?;
    let mut ids = Vec::new();
    for n in 0..5 {
        let next = SyncJob { id: JobId::new(at(n)), ..job(&ada, SyncMode::Full) };
        store.start_run(&ada, &next, at(120)).await?;
        store.cancel_job(&ada.reference(), next.id, at(1)).await?;
        ada = crate::sample::again(&store, &ada.reference()).await?;
        ids.insert(0, next.id);
    }
    let (first, cursor) = store.jobs_of(ada.id, None, 2).await?;
    let cursor = Cursor::parse(&cursor.expect("there are more").to_string())?;
    let (second, cursor) = store.jobs_of(ada.id, Some(&cursor), 2).await?;
    let (third, end) = store.jobs_of(ada.id, cursor.as_ref(), 2).await?;
    let seen: Vec<_> = [first, second, third].concat().iter().map(|job| job.id).collect();
    assert_eq!(seen, ids);
    assert_eq!(end, None);

    let bob = connected(&store, "user/bob").await?;
    assert_eq!(store.jobs_of(bob.id, cursor.as_ref(), 10).await?, (Vec::new(), None), "ada's cursor leads nowhere");
    let of_records = Cursor::parse("UiNh")?;
    assert_eq!(store.jobs_of(ada.id, Some(&of_records), 10).await?, (Vec::new(), None));
    Ok(())
}
