//! How runs end.

use domain::integration::ActiveRun;
use domain::job::Checkpoint;
use domain::status::ERROR_AFTER;
use domain::{JobId, Trigger};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(second, 0).unwrap()
}

fn integration() -> Integration {
    Integration {
        status: Status::RateLimited,
        last_error: Some("before".to_owned()),
        failures_in_a_row: 3,
        change_cursor: Some("old".to_owned()),
        active: Some(ActiveRun { job_id: JobId::new(at(1)), run: 4 }),
        runs: 4,
        blocked_until: Some(at(5)),
        due_at: Some(at(6)),
        retry_failed: true,
        ..domain::testing::integration("user/ada", at(0)).unwrap()
    }
}

fn job(mode: SyncMode) -> SyncJob {
    SyncJob {
        trigger: Trigger::Schedule,
        run: 4,
        status: JobStatus::Running,
        checkpoint: Checkpoint { changes_from: Some("new".to_owned()), ..Checkpoint::default() },
        progress_at: at(2),
        fence: 1,
        ..domain::testing::job(&integration(), mode, at(1))
    }
}

fn pending(job_id: JobId) -> PendingDeletes {
    PendingDeletes { job_id, count: 60, of: 100, since: at(3) }
}

#[test]
fn a_completed_run_heals_the_integration_and_keeps_the_cursor_taken_before_listing() {
    let end = completed(&integration(), &job(SyncMode::Full), None, false, at(9));
    assert_eq!((end.job.status, end.job.completed_at), (JobStatus::Completed, Some(at(9))));
    assert_eq!((end.status, end.failures_in_a_row, end.last_error), (Status::Active, 0, None));
    assert_eq!((end.change_cursor.as_deref(), end.last_sync_at), (Some("new"), Some(at(9))));
    assert_eq!((end.blocked_until, end.retry_failed), (None, false));
}

#[test]
fn a_failed_run_keeps_the_cursor_and_the_fifth_in_a_row_is_an_error() {
    let reason = Some("down".to_owned());
    let fourth = cut_short(&integration(), &job(SyncMode::Full), JobStatus::Failed, reason.clone(), at(9));
    assert_eq!((fourth.failures_in_a_row, fourth.status), (4, Status::RateLimited));
    assert_eq!((fourth.change_cursor, fourth.last_sync_at), (None, None));
    assert_eq!((&fourth.job.error_message, &fourth.last_error), (&reason, &reason));
    let failed_often = Integration { failures_in_a_row: ERROR_AFTER - 1, ..integration() };
    assert_eq!(cut_short(&failed_often, &job(SyncMode::Full), JobStatus::Failed, reason, at(9)).status, Status::Error);
}

#[test]
fn a_cancelled_run_says_nothing_about_the_integration() {
    let end = cut_short(&integration(), &job(SyncMode::Full), JobStatus::Cancelled, None, at(9));
    assert_eq!((end.status, end.failures_in_a_row), (Status::RateLimited, 3));
    assert_eq!(end.last_error.as_deref(), Some("before"));
    assert_eq!(end.job.status, JobStatus::Cancelled);
}

#[test]
fn a_person_s_decision_on_deletions_is_used_up_by_the_full_run_that_carries_it() {
    let waiting =
        Integration { pending_deletes: Some(pending(JobId::new(at(0)))), deletes_confirmed: true, ..integration() };
    let check = |mode, carries, found: Option<PendingDeletes>, pending_after, confirmed_after| {
        let job = SyncJob { deletes_confirmed: carries, ..job(mode) };
        let end = completed(&waiting, &job, found, false, at(9));
        assert_eq!(
            (end.pending_deletes, end.deletes_confirmed),
            (pending_after, confirmed_after),
            "{mode:?} {carries}"
        );
    };
    let (old, new) = (waiting.pending_deletes, Some(pending(JobId::new(at(1)))));
    check(SyncMode::Full, true, None, None, false);
    check(SyncMode::Full, false, new, new, true);
    check(SyncMode::Incremental, true, None, old, true);
    check(SyncMode::Incremental, false, new, new, true);
}

#[test]
fn a_lost_resource_is_a_failure_worth_another_try() {
    let id = ExternalId::new("a").unwrap();
    let unknown = lost(&id, None, &job(SyncMode::Full), at(9));
    assert_eq!((unknown.state, unknown.retriable, unknown.name.as_str()), (RecordState::Failed, true, "a"));
    assert_eq!(unknown.last_run.unwrap().outcome, Outcome::Failed);
    let known = Record { content_hash: Some("h".to_owned()), ..crate::tally::tests::record("a", 2, Outcome::Synced) };
    let known = lost(&id, Some(known), &job(SyncMode::Full), at(9));
    assert_eq!((known.name.as_str(), known.content_hash.as_deref()), ("A", Some("h")));
    assert_eq!((known.observed_at, known.last_run.unwrap().run), (at(9), 4));
}
