//! Cancels a run: its job ends with the counts of what is done, and the slot is free.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use domain::job::FailedResource;
use domain::resource::{Outcome, Record};
use domain::{Counts, ExternalId, Integration, JobId, JobStatus, Owner, ProviderId, SyncJob};
use store::{Cancelled, Finished, PageRow, RunEnd, resource_key};

use crate::Integrations;
use crate::error::Error;

/// How often a run that moves under our hands is read again before it is cancelled without its counts.
const TRIES: usize = 3;

/// What summing up may take within a request, whose caller waits at most 30 s. A run that is larger than that is cancelled with the
/// counts that were last known.
const SUMMING_TAKES: Duration = Duration::from_secs(8);

impl Integrations {
    /// Cancels a run that has not ended. What it did stays done and is counted. Another pass that was asked for meanwhile begins when
    /// the integration is due next.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::JobNotFound`], [`Error::JobEnded`], [`Error::Unavailable`].
    pub async fn cancel(&self, owner: &Owner, provider: ProviderId, job_id: JobId) -> Result<SyncJob, Error> {
        let integration = self.get(owner, provider).await?;
        self.cancel_run(&integration, job_id).await
    }

    /// Cancels a run of this integration.
    pub(crate) async fn cancel_run(&self, integration: &Integration, job_id: JobId) -> Result<SyncJob, Error> {
        let reference = integration.reference();
        for _ in 0..TRIES {
            let job = self.store.get_job(integration.id, job_id).await?.ok_or(Error::JobNotFound)?;
            if job.status.is_final() {
                return Err(Error::JobEnded);
            }
            let row = self.store.find_integration(&reference).await?;
            let Some(row) = row.filter(|row| row.active.is_some_and(|run| run.job_id == job_id)) else { break };
            let summing = tokio::time::timeout(SUMMING_TAKES, self.summed(job));
            let Ok(job) = summing.await else {
                tracing::warn!(integration.id = %integration.id, job.id = %job_id, "a run is too large to be summed up while somebody waits for its end");
                break;
            };
            let job = job?;
            let due_at = self.syncs.next_due(&row).await?;
            match self.store.finish_run(&end_of(row, job.clone(), due_at)).await? {
                Finished::Yes | Finished::Again(_) => return Ok(job),
                // A worker took the run up in between, or ended it: look again.
                Finished::Gone => {}
            }
        }
        match self.store.cancel_job(&reference, job_id, self.clock.now()).await? {
            Cancelled::Yes(job) => {
                // It fell due soon, as a run that is watched; now it is due as one without a run.
                if let Some(row) = self.store.find_integration(&reference).await?
                    && row.active.is_none()
                {
                    self.store.set_due(&reference, self.syncs.next_due(&row).await?).await?;
                }
                Ok(job)
            }
            Cancelled::Final(_) => Err(Error::JobEnded),
            Cancelled::Unknown => Err(Error::JobNotFound),
        }
    }

    /// The job as it ends: cancelled now, with the counts of what is done.
    async fn summed(&self, job: SyncJob) -> Result<SyncJob, Error> {
        let pages = self.store.pages(job.id).await?;
        let ids: HashSet<&ExternalId> =
            pages.iter().flat_map(|page| page.handed.iter().chain(page.gone.iter().map(|(id, _)| id))).collect();
        let ids: Vec<ExternalId> = ids.into_iter().cloned().collect();
        let records = self.store.get_records(job.integration_id, &ids).await?;
        let (counts, failed_resources) = tally(job.id, &pages, &records);
        Ok(SyncJob {
            status: JobStatus::Cancelled,
            completed_at: Some(self.clock.now()),
            counts,
            failed_resources,
            ..job
        })
    }
}

/// The end of a cancelled run: the integration keeps everything but its slot.
fn end_of(row: Integration, job: SyncJob, due_at: Option<domain::Timestamp>) -> RunEnd {
    RunEnd {
        job,
        status: row.status,
        last_error: row.last_error.clone(),
        failures_in_a_row: row.failures_in_a_row,
        last_sync_at: row.last_sync_at,
        change_cursor: None,
        retry_failed: row.retry_failed,
        pending_deletes: row.pending_deletes,
        deletes_confirmed: row.deletes_confirmed,
        blocked_until: row.blocked_until,
        due_at,
        integration: row,
    }
}

/// Counts what a run has done: outcomes that the records carry, and what its pages say needed nothing. A resource that
/// was handed out and not yet worked on is not counted as found, so that the sum holds.
fn tally(job_id: JobId, pages: &[PageRow], records: &HashMap<ExternalId, Record>) -> (Counts, Vec<FailedResource>) {
    let mut counts = Counts::default();
    let mut failed = Vec::new();
    for record in records.values() {
        let Some(last) = record.last_run.filter(|last| last.job_id == job_id) else { continue };
        match last.outcome {
            Outcome::Synced => counts.synced += 1,
            Outcome::Unchanged => counts.unchanged += 1,
            Outcome::Deleted => counts.deleted += 1,
            Outcome::Skipped => counts.skipped += 1,
            Outcome::Failed => {
                counts.failed += 1;
                failed.push(failure(record));
            }
        }
    }
    let handed: HashSet<u128> = pages
        .iter()
        .flat_map(|page| page.handed.iter().chain(page.gone.iter().map(|(id, _)| id)))
        .map(resource_key)
        .collect();
    let unchanged: HashSet<u128> =
        pages.iter().flat_map(|page| page.unchanged.iter().copied()).filter(|key| !handed.contains(key)).collect();
    let skipped = pages
        .iter()
        .flat_map(|page| page.skipped.iter().copied())
        .filter(|key| !handed.contains(key) && !unchanged.contains(key))
        .collect::<HashSet<u128>>()
        .len();
    counts.unchanged += unchanged.len() as u64;
    counts.skipped += skipped as u64;
    counts.found = counts.synced + counts.unchanged + counts.failed + counts.deleted + counts.skipped;
    failed.sort_by(|one, other| one.external_id.cmp(&other.external_id));
    failed.truncate(SyncJob::MAX_FAILED_LISTED);
    (counts, failed)
}

fn failure(record: &Record) -> FailedResource {
    FailedResource {
        external_id: record.external_id.to_string(),
        name: Some(record.name.clone()),
        code: record.code.clone().unwrap_or_else(|| "unknown".to_owned()),
        reason: record.reason.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use domain::ResourceKind;
    use domain::resource::{DeleteReason, RecordState, RunOutcome};

    use super::*;
    use crate::due::tests::at;

    fn id(text: &str) -> ExternalId {
        ExternalId::new(text).unwrap()
    }

    /// A record that this run left with an outcome.
    fn record(text: &str, job_id: JobId, outcome: Outcome) -> (ExternalId, Record) {
        let record = Record {
            external_id: id(text),
            kind: ResourceKind::File,
            name: text.to_owned(),
            mime_type: None,
            url: None,
            state: RecordState::Synced,
            revision: "1".to_owned(),
            content_hash: None,
            memory_id: None,
            code: Some("too_large".to_owned()),
            reason: Some("larger than 10 MB".to_owned()),
            retriable: false,
            observed_at: at(0),
            last_synced_at: at(0),
            last_run: Some(RunOutcome { job_id, run: 1, outcome }),
        };
        (id(text), record)
    }

    fn page(handed: &[&str], unchanged: &[&str], skipped: &[&str], gone: &[&str]) -> PageRow {
        let keys = |ids: &[&str]| ids.iter().map(|text| resource_key(&id(text))).collect::<Vec<_>>();
        PageRow {
            page: 1,
            listing: true,
            seen: Vec::new(),
            handed: handed.iter().map(|text| id(text)).collect(),
            unchanged: keys(unchanged),
            skipped: keys(skipped),
            gone: gone.iter().map(|text| (id(text), DeleteReason::Trashed)).collect(),
        }
    }

    #[test]
    fn a_cancelled_run_counts_what_is_done_once() {
        let (job, other) = (JobId::new(at(1)), JobId::new(at(2)));
        let pages = [
            page(&["new", "waiting", "bad"], &["same", "twice"], &["image"], &[]),
            page(&["twice", "seen-by-another-run"], &["same"], &["image"], &["old"]),
        ];
        let records = HashMap::from([
            record("new", job, Outcome::Synced),
            record("bad", job, Outcome::Failed),
            record("twice", job, Outcome::Unchanged),
            record("old", job, Outcome::Deleted),
            record("seen-by-another-run", other, Outcome::Synced),
        ]);
        let (counts, failed) = tally(job, &pages, &records);
        assert_eq!(counts, Counts { found: 6, synced: 1, unchanged: 2, failed: 1, deleted: 1, skipped: 1 });
        assert_eq!(failed.len(), 1);
        assert_eq!((failed[0].external_id.as_str(), failed[0].code.as_str()), ("bad", "too_large"));
    }
}
