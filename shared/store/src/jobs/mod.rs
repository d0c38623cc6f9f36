//! Sync jobs: reading them, and the two writes that come from outside a worker: cancelling and reporting.

mod claim;
mod recent;
mod timeline;

use aws_sdk_dynamodb::types::{ReturnValue, TransactWriteItem, Update};
use domain::message::IntegrationRef;
use domain::{IntegrationId, JobId, JobStatus, SyncJob, Timestamp};

use crate::Store;
use crate::call::{Ended, Item, decode, encode, ms, n, names, s, update, values};
use crate::cursor::Cursor;
use crate::error::Error;
use crate::integrations::built;
use crate::items::job::{JobItem, WHAT};
use crate::keys::{self, Key};
use crate::retry::{TRIES, back_off};

pub use claim::Claim;
pub use recent::JobFilter;
pub use timeline::{PageMark, PageNumbers, Timeline};

/// How far a run has come, as seen by whoever just reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Outcomes reported so far.
    pub reported: u64,
    /// Distinct resources handed out so far.
    pub handed_out: u64,
    /// Whether all that there is to do has been handed out.
    pub listed: bool,
    /// Where the job stands.
    pub status: JobStatus,
}

/// The answer to a request to cancel.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancelled {
    /// Cancelled, and the slot is free; the job as it is now.
    Yes(SyncJob),
    /// It had ended before.
    Final(SyncJob),
    /// There is no such job.
    Unknown,
}

/// A row as a job.
pub(crate) fn read(row: Item) -> Result<SyncJob, Error> {
    decode::<JobItem>(WHAT, row)?.try_into()
}

impl Store {
    /// A job. One consistent read.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or the row makes no sense.
    pub async fn get_job(&self, integration_id: IntegrationId, job_id: JobId) -> Result<Option<SyncJob>, Error> {
        let row = self.get("read a sync job", &self.tables.jobs, keys::job(integration_id, job_id)).await?;
        row.map(read).transpose()
    }

    /// At most `limit` jobs of an integration, the newest first, and where the list goes on. A cursor of another kind of list
    /// gives an empty page. One consistent query.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or a row makes no sense.
    pub async fn jobs_of(
        &self,
        integration_id: IntegrationId,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<SyncJob>, Option<Cursor>), Error> {
        let pk = keys::of_integration(integration_id);
        let mut call = self
            .client
            .query()
            .table_name(&self.tables.jobs)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .set_expression_attribute_names(names(&["pk", "sk"]))
            .set_expression_attribute_values(values([("pk", s(&pk)), ("prefix", s(keys::JOB))]))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX));
        if let Some(cursor) = cursor {
            let Some(sk) = cursor.sort_key(keys::JOB) else { return Ok((Vec::new(), None)) };
            call = call.set_exclusive_start_key(Key { pk, sk: sk.to_owned() }.attributes());
        }
        let page = call.send().await.map_err(|e| Error::dynamo("list an integration's sync jobs", e))?;
        let next = page.last_evaluated_key.as_ref().and_then(|key| crate::call::text(key, keys::SK));
        let next = next.map(|sk| Cursor::after(sk.to_owned()));
        Ok((page.items.unwrap_or_default().into_iter().map(read).collect::<Result<_, _>>()?, next))
    }

    /// Adds `n` reported outcomes and gives how far the run has come; `None` if there is no such job. A hint by design: a
    /// repeat after a lost answer, or a message handled twice, counts twice. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written or the row makes no sense.
    pub async fn report(
        &self,
        integration_id: IntegrationId,
        job_id: JobId,
        outcomes: u64,
        now: Timestamp,
    ) -> Result<Option<Progress>, Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.jobs)
            .set_key(keys::job(integration_id, job_id).attributes())
            .update_expression("SET #progress_at = :now ADD #reported :outcomes")
            .condition_expression("attribute_exists(#pk)")
            .set_expression_attribute_names(names(&["pk", "progress_at", "reported"]))
            .set_expression_attribute_values(values([("now", ms(now)), ("outcomes", n(outcomes))]))
            .return_values(ReturnValue::AllNew);
        let Ended::Written(row) = update("report outcomes to a sync job", call).await? else { return Ok(None) };
        let job = read(row)?;
        Ok(Some(Progress {
            reported: job.checkpoint.reported,
            handed_out: job.checkpoint.handed_out,
            listed: job.checkpoint.listed,
            status: job.status,
        }))
    }

    /// Cancels a job: it becomes final and its slot is freed, in one transaction. When the integration is due next is left as
    /// it is, soon that is: the caller sets it. Two reads and one write; when it meets others, three per try.
    ///
    /// # Errors
    /// [`Error`] if a table cannot be written, or others keep changing the rows.
    pub async fn cancel_job(&self, r: &IntegrationRef, job_id: JobId, now: Timestamp) -> Result<Cancelled, Error> {
        const WHAT: &str = "cancel a sync job";
        for tries in 0..TRIES {
            let Some(mut job) = self.get_job(r.integration_id, job_id).await? else { return Ok(Cancelled::Unknown) };
            if job.status.is_final() {
                return Ok(Cancelled::Final(job));
            }
            // What it has done beyond this is summed up, and counted, later.
            let ended = SyncJob { status: JobStatus::Cancelled, completed_at: Some(now), ..job.clone() };
            let mut writes = vec![self.cancelled(&job, now)?, self.ended(&ended)?];
            if self.active_run(r).await?.is_some_and(|active| active.job_id == job_id) {
                writes.push(self.release_cancelled(r, job_id)?);
            }
            if self.transact(WHAT, writes).await? {
                (job.status, job.completed_at) = (JobStatus::Cancelled, Some(now));
                return Ok(Cancelled::Yes(job));
            }
            back_off(tries).await;
        }
        Err(Error::contended(WHAT))
    }

    /// Writes down what a cancelled run did, as summed up after its end, and counts what it did beyond what was known. Nothing happens to
    /// a job that is not CANCELLED, or says the same already. Two requests; when it meets others, two more per try.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written, or others keep changing the row.
    pub async fn note_counts(&self, job: &SyncJob) -> Result<(), Error> {
        const WHAT: &str = "write the counts of a cancelled sync job";
        for tries in 0..TRIES {
            let Some(stored) = self.get_job(job.integration_id, job.id).await? else { return Ok(()) };
            let is_same = stored.counts == job.counts && stored.failed_resources == job.failed_resources;
            if stored.status != JobStatus::Cancelled || is_same {
                return Ok(());
            }
            let ended = SyncJob { counts: job.counts, ..stored.clone() };
            if self
                .transact(WHAT, vec![self.counts_noted(job, &stored)?, self.counted_since(&ended, stored.counts)?])
                .await?
            {
                return Ok(());
            }
            back_off(tries).await;
        }
        Err(Error::contended(WHAT))
    }

    fn counts_noted(&self, job: &SyncJob, stored: &SyncJob) -> Result<TransactWriteItem, Error> {
        built(
            Update::builder()
                .table_name(&self.tables.jobs)
                .set_key(keys::job(job.integration_id, job.id).attributes())
                .update_expression("SET #counts = :counts, #failed_resources = :failed")
                .condition_expression("#status = :cancelled AND #counts = :old")
                .set_expression_attribute_names(names(&["counts", "failed_resources", "status"]))
                .set_expression_attribute_values(values([
                    ("counts", encode(job.counts)?),
                    ("old", encode(stored.counts)?),
                    ("failed", encode(&job.failed_resources)?),
                    ("cancelled", encode(JobStatus::Cancelled)?),
                ])),
        )
    }

    /// Frees a slot whose job does not exist any more. Nothing happens if another run holds it. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn free_slot(&self, r: &IntegrationRef, job_id: JobId) -> Result<bool, Error> {
        self.transact("free the slot of a lost job", vec![self.release_cancelled(r, job_id)?]).await
    }

    fn cancelled(&self, job: &SyncJob, now: Timestamp) -> Result<TransactWriteItem, Error> {
        built(
            Update::builder()
                .table_name(&self.tables.jobs)
                .set_key(keys::job(job.integration_id, job.id).attributes())
                .update_expression(
                    "SET #status = :cancelled, #completed_at = :now, #started_under = :started_under \
                     REMOVE #lease_until, #lease_mark",
                )
                .condition_expression("#status IN (:pending, :running) AND #counts = :counts")
                .set_expression_attribute_names(names(&[
                    "status",
                    "counts",
                    "completed_at",
                    "started_under",
                    "lease_until",
                    "lease_mark",
                ]))
                .set_expression_attribute_values(values([
                    ("started_under", s(keys::started_under(job.id, JobStatus::Cancelled))),
                    ("counts", encode(job.counts)?),
                    ("cancelled", encode(JobStatus::Cancelled)?),
                    ("now", ms(now)),
                    ("pending", encode(JobStatus::Pending)?),
                    ("running", encode(JobStatus::Running)?),
                ])),
        )
    }
}
