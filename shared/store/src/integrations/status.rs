//! The status, outside of connecting and of the end of a run, and a person's decision on deletions that wait for one.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use domain::message::IntegrationRef;
use domain::{Integration, JobId, Timestamp};

use super::{StatusChange, built, read};
use crate::Store;
use crate::call::{Ended, encode, ms, n, names, or_null, s, update, values};
use crate::error::Error;
use crate::keys;
use crate::retry::{TRIES, back_off};

impl Store {
    /// Moves the status, if it still is what was read. `false`: it is not, or the row is another integration's. One request; two to leave
    /// what is scheduled while a run is under way; when it meets others, two per try.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written, or others keep changing the row.
    pub async fn move_status(&self, r: &IntegrationRef, change: &StatusChange, now: Timestamp) -> Result<bool, Error> {
        const WHAT: &str = "move an integration's status";
        let mut due = match change.due_at {
            Some(at) => DueThen::At(at),
            None if change.to.is_scheduled() => DueThen::AsItIs { watched: false },
            None => DueThen::Never,
        };
        for tries in 0..TRIES {
            let mut writes = vec![self.status_written(r, change, due, now)?];
            writes.extend(self.moved(r.provider, Some(change.from), Some(change.to))?);
            if self.transact(WHAT, writes).await? {
                return Ok(true);
            }
            let Some(stored) = self.find_integration(r).await? else { return Ok(false) };
            // A repeat of a write whose answer was lost finds exactly what it wrote.
            if is_written(&stored, change, now) {
                return Ok(true);
            }
            if stored.status != change.from {
                return Ok(false);
            }
            // A run is under way: it stays watched. One that has ended since needs no watch.
            if !matches!(due, DueThen::At(_)) && !change.to.is_scheduled() {
                due = if stored.active.is_some() { DueThen::AsItIs { watched: true } } else { DueThen::Never };
            }
            if tries > 0 {
                back_off(tries).await;
            }
        }
        Err(Error::contended(WHAT))
    }

    /// The write that moves the status.
    fn status_written(
        &self,
        r: &IntegrationRef,
        change: &StatusChange,
        due: DueThen,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let mut attributes =
            vec!["integration_id", "status", "last_error", "failures_in_a_row", "blocked_until", "updated_at"];
        let call = Update::builder()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&r.owner, r.provider).attributes())
            .set_expression_attribute_values(values([
                ("integration_id", s(r.integration_id.to_string())),
                ("from", encode(change.from)?),
                ("to", encode(change.to)?),
                ("last_error", or_null(change.last_error.clone().map(AttributeValue::S))),
                ("failures_in_a_row", n(change.failures_in_a_row)),
                ("blocked_until", or_null(change.blocked_until.map(ms))),
                ("updated_at", ms(now)),
            ]));
        let set = "SET #status = :to, #last_error = :last_error, #failures_in_a_row = :failures_in_a_row, \
                   #blocked_until = :blocked_until, #updated_at = :updated_at";
        let as_read = "#integration_id = :integration_id AND #status = :from";
        let call = match due {
            DueThen::At(at) => {
                attributes.extend(["due_at", "due_shard"]);
                call.update_expression(format!("{set}, #due_at = :due_at, #due_shard = :due_shard"))
                    .condition_expression(as_read)
                    .expression_attribute_values(":due_at", ms(at))
                    .expression_attribute_values(":due_shard", s(keys::due_shard(r.integration_id)))
            }
            DueThen::AsItIs { watched: false } => call.update_expression(set).condition_expression(as_read),
            DueThen::AsItIs { watched: true } => {
                attributes.push("active_job_id");
                call.update_expression(set)
                    .condition_expression(format!("{as_read} AND attribute_exists(#active_job_id)"))
            }
            DueThen::Never => {
                attributes.extend(["due_at", "due_shard", "active_job_id"]);
                call.update_expression(format!("{set} REMOVE #due_at, #due_shard"))
                    .condition_expression(format!("{as_read} AND attribute_not_exists(#active_job_id)"))
            }
        };
        built(call.set_expression_attribute_names(names(&attributes)))
    }

    /// A person's decision on the deletions that `job_id` held back: no longer pending, and so many confirmed or not.
    /// `false`: none of that job are pending. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn decide_deletes(&self, r: &IntegrationRef, job_id: JobId, confirm: bool) -> Result<bool, Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&r.owner, r.provider).attributes())
            .update_expression(
                "SET #deletes_confirmed = :confirm, #confirmed_count = #pending_deletes.#count, \
                 #version = #version + :one REMOVE #pending_deletes",
            )
            .condition_expression("#integration_id = :integration_id AND #pending_deletes.#job_id = :job_id")
            .set_expression_attribute_names(names(&[
                "deletes_confirmed",
                "confirmed_count",
                "count",
                "version",
                "pending_deletes",
                "integration_id",
                "job_id",
            ]))
            .set_expression_attribute_values(values([
                ("confirm", AttributeValue::Bool(confirm)),
                ("one", n(1)),
                ("integration_id", s(r.integration_id.to_string())),
                ("job_id", s(job_id.to_string())),
            ]));
        match update("decide on pending deletions", call).await? {
            Ended::Written(_) => Ok(true),
            Ended::Failed(old) => Ok(confirm && old.is_some_and(|row| was_confirmed(row, r))),
        }
    }
}

/// What a move of the status does to the time at which the scheduler looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DueThen {
    At(Timestamp),
    /// `watched`: only while a run is under way.
    AsItIs {
        watched: bool,
    },
    /// Only while no run is under way.
    Never,
}

/// Whether the row is what the move made of it.
fn is_written(stored: &Integration, change: &StatusChange, now: Timestamp) -> bool {
    stored.status == change.to
        && stored.updated_at.timestamp_millis() == now.timestamp_millis()
        && stored.last_error == change.last_error
        && stored.failures_in_a_row == change.failures_in_a_row
}

/// Whether the confirmation already stands, with nothing pending: asked twice, or a repeat after a lost answer.
fn was_confirmed(row: crate::call::Item, r: &IntegrationRef) -> bool {
    read(row).is_ok_and(|stored| {
        stored.id == r.integration_id && stored.deletes_confirmed && stored.pending_deletes.is_none()
    })
}
