//! A worker's hold on a job: the claim with its lease and fencing number, and the checkpoints written under it.

use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem, Update};
use domain::{IntegrationId, JobId, JobStatus, SyncJob, Timestamp};

use super::read;
use crate::Store;
use crate::call::{Ended, encode, encode_item, moment, ms, n, names, new_mark, put, s, text, update, values};
use crate::error::Error;
use crate::items::job::{JobItem, WHAT};
use crate::keys;
use crate::pages::{PageRow, rows};
use crate::retry::{TRIES, back_off};

/// The answer to a worker that wants to take up a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// The worker's: the job as it is now, with the fencing number that its writes must carry.
    Taken(SyncJob),
    /// Another worker's.
    Busy {
        /// When its lease ends, should it die.
        until: Timestamp,
    },
    /// It has ended.
    Final(SyncJob),
    /// There is no such job.
    Unknown,
}

impl Store {
    /// Takes a job up until `until`: RUNNING, with the next fencing number. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written or the row makes no sense.
    pub async fn claim_job(
        &self,
        integration_id: IntegrationId,
        job_id: JobId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim, Error> {
        let mark = new_mark();
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.jobs)
            .set_key(keys::job(integration_id, job_id).attributes())
            .update_expression(
                "SET #status = :running, #fence = #fence + :one, #lease_until = :until, #lease_mark = :mark, \
                 #started_under = :started_under, #claimed_at = if_not_exists(#claimed_at, :now)",
            )
            .condition_expression(
                "#status IN (:pending, :running) AND (attribute_not_exists(#lease_until) OR #lease_until <= :now)",
            )
            .set_expression_attribute_names(names(&[
                "status",
                "fence",
                "lease_until",
                "lease_mark",
                "started_under",
                "claimed_at",
            ]))
            .set_expression_attribute_values(values([
                ("started_under", s(keys::started_under(job_id, JobStatus::Running))),
                ("pending", encode(JobStatus::Pending)?),
                ("running", encode(JobStatus::Running)?),
                ("one", n(1)),
                ("until", ms(until)),
                ("mark", s(&mark)),
                ("now", ms(now)),
            ]))
            .return_values(ReturnValue::AllNew);
        let old = match update("claim a sync job", call).await? {
            Ended::Written(new) => return read(new).map(Claim::Taken),
            Ended::Failed(None) => return Ok(Claim::Unknown),
            Ended::Failed(Some(old)) => old,
        };
        let (is_ours, lease) = (text(&old, "lease_mark") == Some(mark.as_str()), moment(&old, "lease_until"));
        let job = read(old)?;
        match lease {
            _ if job.status.is_final() => Ok(Claim::Final(job)),
            _ if is_ours => Ok(Claim::Taken(job)),
            Some(until) => Ok(Claim::Busy { until }),
            None => Err(Error::Corrupt { what: WHAT }),
        }
    }

    /// Gives a job back before its lease ends, so that the next worker need not wait. Does nothing if a newer worker has it.
    /// One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn release_job(&self, integration_id: IntegrationId, job_id: JobId, fence: u64) -> Result<(), Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.jobs)
            .set_key(keys::job(integration_id, job_id).attributes())
            .update_expression("REMOVE #lease_until, #lease_mark")
            .condition_expression("#fence = :fence")
            .set_expression_attribute_names(names(&["lease_until", "lease_mark", "fence"]))
            .set_expression_attribute_values(values([("fence", n(fence))]));
        update("release a sync job", call).await.map(|_| ())
    }

    /// Writes how far a run has come, with what belongs to the page just done, in one transaction, and renews the lease.
    ///
    /// Written of the job: mode, checkpoint (all but `reported`, which others add to), counts so far, outages and the
    /// confirmation of deletions. A page row replaces what an earlier attempt wrote under its number. `false`: a newer worker
    /// has taken the job up or it has ended: stop. One request; one more for every 350 KB of a page beyond the first.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written, or others keep changing the row.
    pub async fn checkpoint(
        &self,
        job: &SyncJob,
        page: Option<&PageRow>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Error> {
        const WHAT: &str = "write a sync job's checkpoint";
        let mut parts = page.map(|page| rows(job.id, page, job.fence, now)).unwrap_or_default().into_iter();
        let first = parts.next().map(encode_item).transpose()?;
        // Later parts count only once the first one, which the transaction writes, says so. An older worker must not
        // replace a newer one's.
        for part in parts {
            let call = self
                .client
                .put_item()
                .table_name(&self.tables.jobs)
                .condition_expression("attribute_not_exists(#pk) OR #fence <= :fence")
                .set_expression_attribute_names(names(&["pk", "fence"]))
                .set_expression_attribute_values(values([("fence", n(job.fence))]))
                .set_item(Some(encode_item(part)?));
            if let Ended::Failed(_) = put("write a page of a sync job", call).await? {
                return Ok(false);
            }
        }
        for tries in 0..TRIES {
            let mut writes = vec![self.progress(job, now, until)?];
            if let Some(first) = &first {
                let put = Put::builder().table_name(&self.tables.jobs).set_item(Some(first.clone())).build();
                let put = put.map_err(|e| Error::malformed("build a put", e))?;
                writes.push(TransactWriteItem::builder().put(put).build());
            }
            if self.transact(WHAT, writes).await? {
                return Ok(true);
            }
            let stored = self.get_job(job.integration_id, job.id).await?;
            if stored.is_none_or(|stored| stored.fence != job.fence || stored.status != JobStatus::Running) {
                return Ok(false);
            }
            back_off(tries).await; // A resource worker's report was in the way.
        }
        Err(Error::contended(WHAT))
    }

    fn progress(&self, job: &SyncJob, now: Timestamp, until: Timestamp) -> Result<TransactWriteItem, Error> {
        let item = JobItem::from(job);
        crate::integrations::built(
            Update::builder()
                .table_name(&self.tables.jobs)
                .set_key(keys::job(job.integration_id, job.id).attributes())
                .update_expression(
                    "SET #mode = :mode, #checkpoint = :checkpoint, #counts = :counts, #outages = :outages, \
                     #deletes_confirmed = :deletes_confirmed, #progress_at = :now, #lease_until = :until",
                )
                .condition_expression("#fence = :fence AND #status = :running")
                .set_expression_attribute_names(names(&[
                    "mode",
                    "checkpoint",
                    "counts",
                    "outages",
                    "deletes_confirmed",
                    "progress_at",
                    "lease_until",
                    "fence",
                    "status",
                ]))
                .set_expression_attribute_values(values([
                    ("mode", encode(item.mode)?),
                    ("checkpoint", encode(item.checkpoint)?),
                    ("counts", encode(item.counts)?),
                    ("outages", n(item.outages)),
                    ("deletes_confirmed", aws_sdk_dynamodb::types::AttributeValue::Bool(item.deletes_confirmed)),
                    ("now", ms(now)),
                    ("until", ms(until)),
                    ("fence", n(item.fence)),
                    ("running", encode(JobStatus::Running)?),
                ])),
        )
    }
}
