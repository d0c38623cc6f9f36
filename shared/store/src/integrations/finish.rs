//! The end of a run: the job is final and the slot is free, whatever happened to the integration meanwhile.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use domain::{Integration, JobStatus, Status, SyncJob, SyncMode, Timestamp};

use super::runs::{again_condition, built};
use super::{Finished, RunEnd};
use crate::Store;
use crate::call::{encode, ms, n, names, or_null, s};
use crate::error::Error;
use crate::items::job::JobItem;
use crate::keys;
use crate::retry::{TRIES, back_off};

impl Store {
    /// Ends a run: the job's row becomes final and the slot is free, in one transaction.
    ///
    /// Safe to repeat: a job that is final already while the slot is still held only has the slot released (and if it was
    /// ended otherwise, cancelled say, the integration keeps its cursor and status). If another pass was asked for and
    /// nothing stands in its way, the integration is due at once, whatever `due_at` says. A person's cancelling does, and so does the
    /// state ERROR: the wish is then kept until the integration is due. One request; when it meets others, three per try.
    ///
    /// # Errors
    /// [`Error`] if a table cannot be written, or others keep changing the rows.
    pub async fn finish_run(&self, end: &RunEnd) -> Result<Finished, Error> {
        const WHAT: &str = "end a run";
        let mut seen = end.integration.clone();
        let mut ending = Ending::Whole;
        for tries in 0..TRIES {
            let mut writes = vec![self.release_slot(end, ending, &seen)?];
            if ending == Ending::Whole {
                writes.push(self.final_job(&end.job)?);
                writes.push(self.ended(&end.job)?);
            }
            if let Some(to) = status_then(end, ending, &seen) {
                writes.extend(self.moved(end.integration.provider, Some(seen.status), Some(to))?);
            }
            if self.transact(WHAT, writes).await? {
                return Ok(finished(end, seen.again));
            }
            let stored = match self.find_integration(&end.integration.reference()).await? {
                Some(stored) if stored.status != Status::Disconnected => stored,
                _ => return Ok(Finished::Gone),
            };
            let Some(job) = self.get_job(end.job.integration_id, end.job.id).await? else { return Ok(Finished::Gone) };
            let holds = stored.active.is_some_and(|active| active.job_id == end.job.id);
            ending = match (job.status.is_final(), holds) {
                (true, true) if job.status == end.job.status => Ending::Slot,
                (true, true) => Ending::SlotOnly,
                (false, true) if job.fence == end.job.fence => Ending::Whole,
                // Ended by an earlier call of this worker whose answer was lost, or by another one: the slot tells no more.
                (true, false) if stored.active.is_none() && job.status == end.job.status => {
                    return Ok(finished(end, stored.again));
                }
                _ => return Ok(Finished::Gone),
            };
            seen = stored;
            back_off(tries).await;
        }
        Err(Error::contended(WHAT))
    }

    /// Frees the slot of the integration as last seen, with what the run's end says as far as `ending` lets it.
    fn release_slot(&self, end: &RunEnd, ending: Ending, seen: &Integration) -> Result<TransactWriteItem, Error> {
        let ended_at = end.job.completed_at.unwrap_or(end.job.progress_at);
        let mut attributes = vec![
            "integration_id",
            "active_job_id",
            "active_run",
            "again",
            "status",
            "version",
            "updated_at",
            "due_at",
            "due_shard",
        ];
        let call = Update::builder()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&end.integration.owner, end.integration.provider).attributes())
            .expression_attribute_values(":integration_id", s(end.integration.id.to_string()))
            .expression_attribute_values(":job_id", s(end.job.id.to_string()))
            .expression_attribute_values(":read_status", encode(seen.status)?)
            .expression_attribute_values(":version", n(seen.version))
            .expression_attribute_values(":updated_at", ms(ended_at));
        let (mut call, again_as_read) = again_condition(call, seen.again)?;
        let mut set = "SET #updated_at = :updated_at".to_owned();
        let overtaken = is_overtaken(end, seen);
        if ending != Ending::SlotOnly {
            set.push_str(
                ", #last_sync_at = :last_sync_at, #failures_in_a_row = :failures_in_a_row, \
                 #retry_failed = :retry_failed, #blocked_until = :blocked_until",
            );
            attributes.extend(["last_sync_at", "failures_in_a_row", "retry_failed", "blocked_until"]);
            call = call
                .expression_attribute_values(":last_sync_at", or_null(end.last_sync_at.map(ms)))
                .expression_attribute_values(":failures_in_a_row", n(end.failures_in_a_row))
                .expression_attribute_values(":retry_failed", AttributeValue::Bool(end.retry_failed))
                .expression_attribute_values(":blocked_until", or_null(end.blocked_until.map(ms)));
            if !was_decided(end, seen) {
                set.push_str(", #pending_deletes = :pending_deletes, #deletes_confirmed = :deletes_confirmed");
                attributes.extend(["pending_deletes", "deletes_confirmed"]);
                call = call
                    .expression_attribute_values(":pending_deletes", encode(end.pending_deletes)?)
                    .expression_attribute_values(":deletes_confirmed", AttributeValue::Bool(end.deletes_confirmed));
            }
            if let Some(cursor) = &end.change_cursor {
                set.push_str(", #change_cursor = :change_cursor");
                attributes.push("change_cursor");
                call = call.expression_attribute_values(":change_cursor", s(cursor));
            }
            if let Some(status) = status_then(end, ending, seen) {
                set.push_str(", #status = :status, #last_error = :last_error");
                attributes.push("last_error");
                call = call
                    .expression_attribute_values(":status", encode(status)?)
                    .expression_attribute_values(":last_error", or_null(end.last_error.clone().map(AttributeValue::S)));
            }
        }
        let due_at = if overtaken { None } else { due_after(end, seen.again, ended_at) };
        let mut remove = " REMOVE #active_job_id, #active_run".to_owned();
        if let Some(at) = due_at {
            set.push_str(", #due_at = :due_at, #due_shard = :due_shard");
            call = call
                .expression_attribute_values(":due_at", ms(at))
                .expression_attribute_values(":due_shard", s(keys::due_shard(end.integration.id)));
        } else {
            remove.push_str(", #due_at, #due_shard");
        }
        built(
            call.set_expression_attribute_names(names(&attributes))
                .update_expression(set + &remove)
                .condition_expression(format!(
                    "#integration_id = :integration_id AND #active_job_id = :job_id AND #status = :read_status \
                     AND #version = :version AND {again_as_read}"
                )),
        )
    }

    fn final_job(&self, job: &SyncJob) -> Result<TransactWriteItem, Error> {
        let item = JobItem::from(job);
        built(
            Update::builder()
                .table_name(&self.tables.jobs)
                .set_key(keys::job(job.integration_id, job.id).attributes())
                .update_expression(
                    "SET #status = :status, #counts = :counts, #failed_resources = :failed_resources, \
                     #error_message = :error_message, #completed_at = :completed_at, #outages = :outages, \
                     #started_under = :started_under \
                     REMOVE #lease_until, #lease_mark",
                )
                .condition_expression("#status IN (:pending, :running) AND #fence = :fence")
                .set_expression_attribute_names(names(&[
                    "status",
                    "counts",
                    "failed_resources",
                    "error_message",
                    "completed_at",
                    "outages",
                    "started_under",
                    "lease_until",
                    "lease_mark",
                    "fence",
                ]))
                .expression_attribute_values(":started_under", s(keys::started_under(job.id, job.status)))
                .expression_attribute_values(":status", encode(item.status)?)
                .expression_attribute_values(":counts", encode(item.counts)?)
                .expression_attribute_values(":failed_resources", encode(item.failed_resources)?)
                .expression_attribute_values(":error_message", or_null(item.error_message.map(AttributeValue::S)))
                .expression_attribute_values(":completed_at", or_null(item.completed_at.map(ms)))
                .expression_attribute_values(":outages", n(item.outages))
                .expression_attribute_values(":pending", encode(domain::JobStatus::Pending)?)
                .expression_attribute_values(":running", encode(domain::JobStatus::Running)?)
                .expression_attribute_values(":fence", n(item.fence)),
        )
    }
}

/// How much of a run's end is still to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The job's row and the integration's.
    Whole,
    /// The job's row is final as wanted; the integration's is to be written.
    Slot,
    /// The job ended otherwise; the slot is to be freed and nothing else said.
    SlotOnly,
}

/// Whether a person or a refused token did something meanwhile that outlasts what the run says, its due time included.
fn is_overtaken(end: &RunEnd, seen: &Integration) -> bool {
    seen.status != end.integration.status && !seen.status.is_scheduled()
}

/// The status that the end writes over the one that was seen; `None` leaves that.
fn status_then(end: &RunEnd, ending: Ending, seen: &Integration) -> Option<Status> {
    (ending != Ending::SlotOnly && !is_overtaken(end, seen)).then_some(end.status)
}

/// Whether a person has decided on an earlier run's deletions while this one was under way: that decision stands, unless this
/// run has held back deletions of its own.
fn was_decided(end: &RunEnd, seen: &Integration) -> bool {
    let holds_back = end.pending_deletes.is_some_and(|pending| pending.job_id == end.job.id);
    let read = &end.integration;
    !holds_back && (seen.pending_deletes, seen.deletes_confirmed) != (read.pending_deletes, read.deletes_confirmed)
}

/// What an end leads to. Whoever cancels a run wants no other at once, and what failed too often is tried daily.
fn finished(end: &RunEnd, again: Option<SyncMode>) -> Finished {
    let at_once = end.job.status != JobStatus::Cancelled && end.status != Status::Error;
    again.filter(|_| at_once).map_or(Finished::Yes, Finished::Again)
}

/// When the integration is due once the run has ended: at once if another pass is wanted and nothing stands in its way.
fn due_after(end: &RunEnd, again: Option<SyncMode>, ended_at: Timestamp) -> Option<Timestamp> {
    let may_start = end.status.is_scheduled() && end.blocked_until.is_none_or(|until| until <= ended_at);
    if may_start && matches!(finished(end, again), Finished::Again(_)) {
        Some(end.due_at.map_or(ended_at, |at| at.min(ended_at)))
    } else {
        end.due_at
    }
}
