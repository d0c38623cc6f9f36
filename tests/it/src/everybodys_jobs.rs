//! Everybody's sync jobs, for those who run the platform: by provider, status, owner and time, the newest first, each once.

use anyhow::Result;
use chrono::TimeDelta;
use domain::{AccountId, Integration, IntegrationId, JobId, JobStatus, SyncJob, SyncMode, Timestamp};
use store::{Claim, Cursor, JobFilter, PageNumbers, PageRow, Saved, Store};

use crate::sample::{again, at, connected, external_id, integration, job, owner, store};

/// A job that was asked for at a moment, and has gone as far as `status`.
async fn asked(store: &Store, of: &Integration, when: Timestamp, status: JobStatus) -> Result<SyncJob> {
    let of = again(store, &of.reference()).await?;
    let new = SyncJob { id: JobId::new(when), started_at: when, progress_at: when, ..job(&of, SyncMode::Full) };
    store.start_run(&of, &new, when).await?;
    match status {
        JobStatus::Pending => {}
        JobStatus::Running => {
            store.claim_job(of.id, new.id, when, when + TimeDelta::seconds(1)).await?;
        }
        JobStatus::Cancelled => {
            store.cancel_job(&of.reference(), new.id, when + TimeDelta::seconds(2)).await?;
        }
        JobStatus::Completed | JobStatus::Failed => {
            let claimed = store.claim_job(of.id, new.id, when, when + TimeDelta::seconds(1)).await?;
            let Claim::Taken(job) = claimed else { panic!("{claimed:?}") };
            let seen = again(store, &of.reference()).await?;
            let job = SyncJob { status, completed_at: Some(when + TimeDelta::seconds(2)), ..job };
            store.finish_run(&crate::sample::end(&seen, job)).await?;
        }
    }
    Ok(store.get_job(of.id, new.id).await?.expect("the job is there"))
}

/// All jobs that a filter lets through, page by page.
async fn all(store: &Store, filter: &JobFilter, limit: u32, now: Timestamp) -> Result<Vec<JobId>> {
    let (mut found, mut cursor): (Vec<JobId>, Option<Cursor>) = (Vec::new(), None);
    for _ in 0..200 {
        let (page, next) = store.recent_jobs(filter, cursor.as_ref(), limit, now).await?;
        assert!(page.len() <= limit as usize);
        found.extend(page.iter().map(|job| job.id));
        let Some(next) = next else { return Ok(found) };
        cursor = Some(next.to_string().parse()?);
    }
    panic!("the list does not end");
}

#[tokio::test]
async fn jobs_are_found_by_status_owner_and_time_over_months() -> Result<()> {
    let store = store().await?;
    let now = at(0) + TimeDelta::days(80);
    let (ada, acme) = (connected(&store, "user/ada").await?, connected(&store, "organization/acme").await?);
    let mut jobs = Vec::new();
    for day in 0..12 {
        let of = if day % 3 == 0 { &acme } else { &ada };
        let status = [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled, JobStatus::Completed][day % 4];
        let when = now - TimeDelta::days(70) + TimeDelta::days(6 * i64::try_from(day)?);
        jobs.push(asked(&store, of, when, status).await?);
    }
    jobs.push(asked(&store, &acme, now - TimeDelta::minutes(5), JobStatus::Running).await?);
    jobs.push(asked(&store, &ada, now - TimeDelta::minutes(4), JobStatus::Pending).await?);
    for limit in [1, 4, 100] {
        let check = async |filter: JobFilter, expected: &dyn Fn(&SyncJob) -> bool| -> Result<()> {
            let wanted: Vec<_> = jobs.iter().rev().filter(|job| expected(job)).map(|job| job.id).collect();
            assert_eq!(all(&store, &filter, limit, now).await?, wanted, "{filter:?} by {limit}");
            Ok(())
        };
        let base = JobFilter::default;
        check(base(), &|_| true).await?;
        for status in JobStatus::ALL {
            check(JobFilter { status: Some(status), ..base() }, &|job| job.status == status).await?;
        }
        let whose = Some(owner("organization/acme"));
        check(JobFilter { owner: whose.clone(), ..base() }, &|job| job.owner == acme.owner).await?;
        let completed = Some(JobStatus::Completed);
        let both = JobFilter { owner: whose, status: completed, ..base() };
        check(both, &|job| job.owner == acme.owner && job.status == JobStatus::Completed).await?;
        check(JobFilter { provider: Some(ada.provider), ..base() }, &|_| true).await?;
        let (from, to) = (now - TimeDelta::days(50), now - TimeDelta::days(20));
        let span = JobFilter { from: Some(from), to: Some(to), ..base() };
        check(span, &|job| (from..to).contains(&job.started_at)).await?;
        check(JobFilter { from: Some(to), to: Some(from), ..base() }, &|_| false).await?;
        check(JobFilter { owner: Some(owner("user/nobody")), ..base() }, &|_| false).await?;
        check(JobFilter { from: Some(now + TimeDelta::days(40_000)), ..base() }, &|_| false).await?;
    }
    for other in domain::ProviderId::ALL.iter().filter(|id| **id != ada.provider) {
        let filter = JobFilter { provider: Some(*other), ..JobFilter::default() };
        assert_eq!(all(&store, &filter, 10, now).await?, []);
    }
    for job in &jobs {
        assert_eq!(store.find_job(job.id).await?.as_ref(), Some(job), "by its id alone");
    }
    assert_eq!(store.find_job(JobId::new(now)).await?, None);
    Ok(())
}

#[tokio::test]
async fn an_owners_list_has_the_jobs_of_accounts_that_were_replaced() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let old = asked(&store, &ada, at(10), JobStatus::Completed).await?;
    store.disconnect(&ada.reference(), at(20)).await?;
    let seen = again(&store, &ada.reference()).await?;
    let other = Integration {
        id: IntegrationId::new(at(30)),
        account_id: AccountId::new("permission-2")?,
        runs: seen.runs,
        ..integration("user/ada")
    };
    assert_eq!(store.save_connection(&other, Some(seen.version)).await?, Saved::Yes);
    let new = asked(&store, &other, at(40), JobStatus::Failed).await?;
    let filter = JobFilter { owner: Some(owner("user/ada")), ..JobFilter::default() };
    assert_eq!(all(&store, &filter, 1, at(60)).await?, [new.id, old.id]);
    Ok(())
}

#[tokio::test]
async fn a_timeline_says_when_a_run_got_how_far() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    let new = job(&ada, SyncMode::Full);
    store.start_run(&ada, &new, at(120)).await?;
    let before = store.timeline(ada.id, new.id).await?;
    assert_eq!((before.claimed_at, before.turns, before.pages.len()), (None, 0, 0));
    let Claim::Taken(mut run) = store.claim_job(ada.id, new.id, at(1), at(10)).await? else { panic!("not taken") };
    let first = PageRow {
        page: 0,
        listing: true,
        handed: vec![external_id("a"), external_id("b")],
        unchanged: vec![1, 2, 3],
        skipped: vec![4],
        ..PageRow::default()
    };
    run.checkpoint.pages = 1;
    assert!(store.checkpoint(&run, Some(&first), at(5), at(20)).await?);
    store.release_job(ada.id, new.id, run.fence).await?;
    let Claim::Taken(mut run) = store.claim_job(ada.id, new.id, at(7), at(30)).await? else { panic!("not taken") };
    let gone = vec![(external_id("c"), domain::resource::DeleteReason::NotListed)];
    let second = PageRow { page: 1, listing: false, gone, ..PageRow::default() };
    run.checkpoint.pages = 2;
    assert!(store.checkpoint(&run, Some(&second), at(9), at(30)).await?);

    let told = store.timeline(ada.id, new.id).await?;
    assert_eq!((told.claimed_at, told.turns, told.more_pages), (Some(at(1)), 2, false), "the first claim stays");
    let marks: Vec<_> =
        told.pages.iter().map(|page| (page.page, page.recorded_at, page.listing, page.numbers)).collect();
    let numbers = PageNumbers { handed_out: 2, unchanged: 3, skipped: 1, gone: 0 };
    let swept = PageNumbers { gone: 1, ..PageNumbers::default() };
    assert_eq!(marks, [(0, at(5), true, numbers), (1, at(9), false, swept)]);
    Ok(())
}
