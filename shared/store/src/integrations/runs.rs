//! The slot: at most one run of an integration at a time. Taking it, and wishing for another pass while it is taken.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use domain::integration::ActiveRun;
use domain::message::IntegrationRef;
use domain::{Integration, JobId, Status, SyncJob, SyncMode, Timestamp};

use super::Started;
use crate::Store;
use crate::call::{Ended, encode, encode_item, ms, n, names, s, update};
use crate::error::Error;
use crate::items::job::JobItem;
use crate::keys;
use crate::retry::{TRIES, back_off};

impl Store {
    /// Takes the integration's slot for `job` and writes the job's row, in one transaction. The integration is due at
    /// `watch_at` from now on, so that the scheduler looks after a run that nobody works on.
    ///
    /// The run's number is one more than the row's, whatever `job.run` says, in case another run came and went since the
    /// integration was read. A wish for another pass (`again`) is fulfilled by this run and cleared, unless it asks for a
    /// full pass and this one is incremental. Whoever calls checks the status; only DISCONNECTED is refused here. Called
    /// again after a success it says [`Started::Yes`]. One request; when it meets others, two or three per try.
    ///
    /// # Errors
    /// [`Error`] if a table cannot be written, or others keep changing the row.
    pub async fn start_run(
        &self,
        integration: &Integration,
        job: &SyncJob,
        watch_at: Timestamp,
    ) -> Result<Started, Error> {
        const WHAT: &str = "start a run";
        let (mut runs, mut again) = (integration.runs, integration.again);
        for tries in 0..TRIES {
            let slot = self.take_slot(integration, job, watch_at, runs, again)?;
            let row = self.new_job(&SyncJob { run: runs + 1, ..job.clone() })?;
            if self.transact(WHAT, vec![slot, row]).await? {
                return Ok(Started::Yes);
            }
            let stored = match self.find_integration(&integration.reference()).await? {
                Some(stored) if stored.status != Status::Disconnected => stored,
                _ => return Ok(Started::Gone),
            };
            match stored.active {
                Some(active) if active.job_id == job.id => return Ok(Started::Yes),
                Some(active) => return Ok(Started::Busy(active)),
                None => {}
            }
            if self.get_job(job.integration_id, job.id).await?.is_some() {
                return Ok(Started::Yes); // It was started before and has ended since.
            }
            (runs, again) = (stored.runs, stored.again);
            back_off(tries).await;
        }
        Err(Error::contended(WHAT))
    }

    fn take_slot(
        &self,
        integration: &Integration,
        job: &SyncJob,
        watch_at: Timestamp,
        runs: u64,
        again: Option<SyncMode>,
    ) -> Result<TransactWriteItem, Error> {
        let key = keys::integration(&integration.owner, integration.provider);
        let call = Update::builder()
            .table_name(&self.tables.integrations)
            .set_key(key.attributes())
            .set_expression_attribute_names(names(&[
                "integration_id",
                "status",
                "active_job_id",
                "active_run",
                "runs",
                "again",
                "due_at",
                "due_shard",
            ]))
            .expression_attribute_values(":integration_id", s(integration.id.to_string()))
            .expression_attribute_values(":disconnected", encode(Status::Disconnected)?)
            .expression_attribute_values(":runs", n(runs))
            .expression_attribute_values(":run", n(runs + 1))
            .expression_attribute_values(":job_id", s(job.id.to_string()))
            .expression_attribute_values(":due_at", ms(watch_at))
            .expression_attribute_values(":due_shard", s(keys::due_shard(integration.id)));
        let set = "SET #active_job_id = :job_id, #active_run = :run, #runs = :run, #due_at = :due_at, \
                   #due_shard = :due_shard";
        let call = if again == Some(SyncMode::Full) && job.mode == SyncMode::Incremental {
            call.update_expression(set)
        } else {
            call.update_expression(format!("{set} REMOVE #again"))
        };
        let (call, again) = again_condition(call, again)?;
        built(call.condition_expression(format!(
            "#integration_id = :integration_id AND #status <> :disconnected AND #runs = :runs \
             AND attribute_not_exists(#active_job_id) AND {again}"
        )))
    }

    fn new_job(&self, job: &SyncJob) -> Result<TransactWriteItem, Error> {
        let put = Put::builder()
            .table_name(&self.tables.jobs)
            .set_item(Some(encode_item(JobItem::from(job))?))
            .condition_expression("attribute_not_exists(#pk)")
            .set_expression_attribute_names(names(&["pk"]))
            .build()
            .map_err(|e| Error::malformed("build a put", e))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Asks for another pass after the active run. `false` if no run is active: start one instead. A full pass outranks an
    /// incremental one, in whatever order they are asked for. One request; none is written where the wish stands already.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn want_another(&self, r: &IntegrationRef, mode: SyncMode, now: Timestamp) -> Result<bool, Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&r.owner, r.provider).attributes())
            .update_expression("SET #again = :mode, #updated_at = :now")
            .condition_expression(
                "#integration_id = :integration_id AND attribute_exists(#active_job_id) \
                 AND (attribute_not_exists(#again) OR #again <> :full)",
            )
            .set_expression_attribute_names(names(&["integration_id", "active_job_id", "again", "updated_at"]))
            .expression_attribute_values(":integration_id", s(r.integration_id.to_string()))
            .expression_attribute_values(":mode", encode(mode)?)
            .expression_attribute_values(":full", encode(SyncMode::Full)?)
            .expression_attribute_values(":now", ms(now));
        Ok(match update("ask for another pass", call).await? {
            Ended::Written(_) => true,
            Ended::Failed(old) => old.is_some_and(|row| {
                row.contains_key("active_job_id")
                    && crate::call::text(&row, "integration_id") == Some(r.integration_id.to_string().as_str())
            }),
        })
    }

    /// Frees the slot of a job that was cancelled, with nothing else changed: part of the cancelling transaction.
    pub(crate) fn release_cancelled(&self, r: &IntegrationRef, job_id: JobId) -> Result<TransactWriteItem, Error> {
        built(
            Update::builder()
                .table_name(&self.tables.integrations)
                .set_key(keys::integration(&r.owner, r.provider).attributes())
                .update_expression("REMOVE #active_job_id, #active_run")
                .condition_expression("#integration_id = :integration_id AND #active_job_id = :job_id")
                .set_expression_attribute_names(names(&["integration_id", "active_job_id", "active_run"]))
                .expression_attribute_values(":integration_id", s(r.integration_id.to_string()))
                .expression_attribute_values(":job_id", s(job_id.to_string())),
        )
    }

    /// Which run holds the slot.
    pub(crate) async fn active_run(&self, r: &IntegrationRef) -> Result<Option<ActiveRun>, Error> {
        Ok(self.find_integration(r).await?.and_then(|stored| stored.active))
    }
}

/// The condition that `again` still is what was read.
pub(super) fn again_condition(
    call: UpdateBuilder,
    again: Option<SyncMode>,
) -> Result<(UpdateBuilder, &'static str), Error> {
    Ok(match again {
        Some(mode) => (call.expression_attribute_values(":again", encode(mode)?), "#again = :again"),
        None => (call, "attribute_not_exists(#again)"),
    })
}

/// An update as part of a transaction.
pub(crate) fn built(update: UpdateBuilder) -> Result<TransactWriteItem, Error> {
    let update = update.build().map_err(|e| Error::malformed("build an update", e))?;
    Ok(TransactWriteItem::builder().update(update).build())
}
