//! The status, outside of connecting and of the end of a run, and a person's decision on deletions that wait for one.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::message::IntegrationRef;
use domain::{JobId, Timestamp};

use super::{StatusChange, read};
use crate::Store;
use crate::call::{Ended, encode, ms, n, names, or_null, s, update, values};
use crate::error::Error;
use crate::keys;

impl Store {
    /// Moves the status, if it still is what was read. `false`: it is not, or the row is another integration's. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn move_status(&self, r: &IntegrationRef, change: &StatusChange, now: Timestamp) -> Result<bool, Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&r.owner, r.provider).attributes())
            .condition_expression("#integration_id = :integration_id AND #status = :from")
            .set_expression_attribute_names(names(&[
                "integration_id",
                "status",
                "last_error",
                "failures_in_a_row",
                "blocked_until",
                "updated_at",
                "due_at",
                "due_shard",
            ]))
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
        let call = match change.due_at {
            Some(at) => call
                .update_expression(format!("{set}, #due_at = :due_at, #due_shard = :due_shard"))
                .expression_attribute_values(":due_at", ms(at))
                .expression_attribute_values(":due_shard", s(keys::due_shard(r.integration_id))),
            None => call.update_expression(format!("{set} REMOVE #due_at, #due_shard")),
        };
        match update("move an integration's status", call).await? {
            Ended::Written(_) => Ok(true),
            Ended::Failed(None) => Ok(false),
            // A repeat of a write whose answer was lost finds exactly what it wrote.
            Ended::Failed(Some(old)) => {
                let stored = read(old)?;
                Ok(stored.id == r.integration_id
                    && stored.status == change.to
                    && stored.updated_at.timestamp_millis() == now.timestamp_millis()
                    && stored.last_error == change.last_error
                    && stored.failures_in_a_row == change.failures_in_a_row)
            }
        }
    }

    /// A person's decision on the deletions that `job_id` held back: no longer pending, and confirmed or not.
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
            .update_expression("SET #deletes_confirmed = :confirm, #version = #version + :one REMOVE #pending_deletes")
            .condition_expression("#integration_id = :integration_id AND #pending_deletes.#job_id = :job_id")
            .set_expression_attribute_names(names(&[
                "deletes_confirmed",
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

/// Whether the confirmation already stands, with nothing pending: asked twice, or a repeat after a lost answer.
fn was_confirmed(row: crate::call::Item, r: &IntegrationRef) -> bool {
    read(row).is_ok_and(|stored| {
        stored.id == r.integration_id && stored.deletes_confirmed && stored.pending_deletes.is_none()
    })
}
