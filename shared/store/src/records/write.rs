//! Writing records: only a later observation may overwrite an earlier one, and only a later run an earlier run's outcome.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, WriteRequest};
use domain::resource::{Record, RecordState, RunOutcome};
use domain::{ExternalId, IntegrationId};

use super::read;
use crate::Store;
use crate::call::{Ended, encode, ms, n, names, number, or_null, s, update, values};
use crate::error::Error;
use crate::keys;
use crate::retry::{TRIES, back_off};

/// The most writes in one BatchWriteItem.
const BATCH: usize = 25;

/// The answer to the write of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Written.
    Yes,
    /// A later observation is stored: this one. Nothing was written.
    Stale(Box<Record>),
    /// What is stored is no later, but it is not what the writer had read: this. Nothing was written.
    Changed(Box<Record>),
}

/// Which stored record a write may replace.
#[derive(Debug, Clone, Copy)]
enum Over<'a> {
    /// Any that is no later.
    Older,
    /// That one alone, or none where there was none.
    Seen(Option<&'a Record>),
}

impl Store {
    /// Writes a record, unless a later observation is stored. Without a `last_run` the stored one is kept; with one, so is a
    /// stored one of a later run. Safe to repeat. One request; two if a later run has reported.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written, or the stored row makes no sense.
    pub async fn save_record(&self, id: IntegrationId, record: &Record) -> Result<Written, Error> {
        self.save_over(id, record, Over::Older).await
    }

    /// The same, but only over the record that was read before the sink was touched: what was done there, or left undone, was decided by it.
    /// Two workers may have the same resource in hand; whoever of them writes second learns of the other here.
    ///
    /// # Errors
    /// As [`Self::save_record`].
    pub async fn save_record_over(
        &self,
        id: IntegrationId,
        seen: Option<&Record>,
        record: &Record,
    ) -> Result<Written, Error> {
        self.save_over(id, record, Over::Seen(seen)).await
    }

    async fn save_over(&self, id: IntegrationId, record: &Record, over: Over<'_>) -> Result<Written, Error> {
        const WHAT: &str = "save a record";
        let (mut last_run, mut over) = (record.last_run, over);
        for tries in 0..TRIES {
            let old = match update(WHAT, self.write_record(id, record, last_run, over)?).await? {
                Ended::Written(_) => return Ok(Written::Yes),
                Ended::Failed(Some(old)) => old,
                // The row is not there, or went away between the condition and its answer: a purge took it.
                Ended::Failed(None) => {
                    over = Over::Older;
                    back_off(tries).await;
                    continue;
                }
            };
            let stored: Option<i64> = number(&old, "observed_at");
            if stored.is_none_or(|stored| stored > record.observed_at.timestamp_micros()) {
                return read(old).map(|stored| Written::Stale(Box::new(stored)));
            }
            if let Over::Seen(seen) = over {
                let stored = read(old.clone())?;
                // Our own write, whose answer was lost.
                if is_version(&stored, record) {
                    return Ok(Written::Yes);
                }
                if !seen.is_some_and(|seen| is_version(&stored, seen)) {
                    return Ok(Written::Changed(Box::new(stored)));
                }
            }
            last_run = None; // A later run's outcome stays.
            if tries > 0 {
                back_off(tries).await;
            }
        }
        Err(Error::contended(WHAT))
    }

    fn write_record(
        &self,
        id: IntegrationId,
        record: &Record,
        last_run: Option<RunOutcome>,
        over: Over<'_>,
    ) -> Result<UpdateItemFluentBuilder, Error> {
        let optional = |text: &Option<String>| or_null(text.clone().map(AttributeValue::S));
        let mut attributes = vec![
            "pk",
            "external_id",
            "resource_kind",
            "resource_name",
            "mime_type",
            "url",
            "state",
            "revision",
            "content_hash",
            "memory_id",
            "stored_as",
            "code",
            "reason",
            "retriable",
            "observed_at",
            "last_synced_at",
            "failed_pk",
        ];
        let mut call = self
            .client
            .update_item()
            .table_name(&self.tables.records)
            .set_key(keys::record(id, &record.external_id).attributes())
            .set_expression_attribute_values(values([
                ("external_id", s(record.external_id.as_str())),
                ("resource_kind", encode(record.kind)?),
                ("resource_name", s(&record.name)),
                ("mime_type", optional(&record.mime_type)),
                ("url", optional(&record.url)),
                ("state", encode(record.state)?),
                ("revision", s(&record.revision)),
                ("content_hash", optional(&record.content_hash)),
                ("memory_id", optional(&record.memory_id)),
                ("stored_as", encode(record.stored_as)?),
                ("code", optional(&record.code)),
                ("reason", optional(&record.reason)),
                ("retriable", AttributeValue::Bool(record.retriable)),
                ("observed_at", n(record.observed_at.timestamp_micros())),
                ("last_synced_at", ms(record.last_synced_at)),
            ]));
        let mut set = "SET #external_id = :external_id, #resource_kind = :resource_kind, \
                       #resource_name = :resource_name, #mime_type = :mime_type, #url = :url, #state = :state, \
                       #revision = :revision, #content_hash = :content_hash, #memory_id = :memory_id, #stored_as = :stored_as, #code = :code, \
                       #reason = :reason, #retriable = :retriable, #observed_at = :observed_at, \
                       #last_synced_at = :last_synced_at"
            .to_owned();
        let mut condition = match over {
            Over::Older => "(attribute_not_exists(#pk) OR #observed_at <= :observed_at)",
            Over::Seen(None) => "attribute_not_exists(#pk)",
            Over::Seen(Some(_)) => {
                "attribute_exists(#pk) AND #observed_at <= :observed_at AND #observed_at = :seen_at AND #last_synced_at = :seen_synced_at"
            }
        }
        .to_owned();
        if let Over::Seen(Some(seen)) = over {
            call = call
                .expression_attribute_values(":seen_at", n(seen.observed_at.timestamp_micros()))
                .expression_attribute_values(":seen_synced_at", ms(seen.last_synced_at));
        }
        if let Some(last) = last_run {
            attributes.extend(["run_job_id", "run", "outcome"]);
            set.push_str(", #run_job_id = :run_job_id, #run = :run, #outcome = :outcome");
            condition.push_str(" AND (attribute_not_exists(#run) OR #run <= :run)");
            call = call
                .expression_attribute_values(":run_job_id", s(last.job_id.to_string()))
                .expression_attribute_values(":run", n(last.run))
                .expression_attribute_values(":outcome", encode(last.outcome)?);
        }
        if record.state == RecordState::Failed {
            set.push_str(", #failed_pk = :failed_pk");
            call = call.expression_attribute_values(":failed_pk", s(keys::of_integration(id)));
        } else {
            set.push_str(" REMOVE #failed_pk");
        }
        Ok(call
            .update_expression(set)
            .condition_expression(condition)
            .set_expression_attribute_names(names(&attributes)))
    }

    /// Notes what a run did to a resource whose record stays as it is, unless this or a later run has reported there.
    /// `true`: there is a record; `false`: there is none, and none is made. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn note_outcome(
        &self,
        id: IntegrationId,
        external_id: &ExternalId,
        outcome: RunOutcome,
    ) -> Result<bool, Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.records)
            .set_key(keys::record(id, external_id).attributes())
            .update_expression("SET #run_job_id = :run_job_id, #run = :run, #outcome = :outcome")
            .condition_expression("attribute_exists(#pk) AND (attribute_not_exists(#run) OR #run < :run)")
            .set_expression_attribute_names(names(&["pk", "run_job_id", "run", "outcome"]))
            .set_expression_attribute_values(values([
                ("run_job_id", s(outcome.job_id.to_string())),
                ("run", n(outcome.run)),
                ("outcome", encode(outcome.outcome)?),
            ]));
        Ok(match update("note an outcome", call).await? {
            Ended::Written(_) => true,
            Ended::Failed(old) => old.is_some(),
        })
    }

    /// Deletes records for good, tombstones included, as a purge does. One request per 25.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written or keeps leaving deletions undone; some may then be done.
    pub async fn delete_records(&self, id: IntegrationId, external_ids: &[ExternalId]) -> Result<(), Error> {
        let mut wanted: Vec<&ExternalId> = external_ids.iter().collect();
        wanted.sort_unstable();
        wanted.dedup(); // A key named twice fails the whole batch.
        for batch in wanted.chunks(BATCH) {
            let writes: Result<Vec<WriteRequest>, Error> = batch
                .iter()
                .map(|external_id| {
                    let delete = DeleteRequest::builder().set_key(keys::record(id, external_id).attributes()).build();
                    let delete = delete.map_err(|e| Error::malformed("build a delete", e))?;
                    Ok(WriteRequest::builder().delete_request(delete).build())
                })
                .collect();
            self.write_batch(writes?).await?;
        }
        Ok(())
    }

    /// One batch, until DynamoDB has processed all of it.
    async fn write_batch(&self, mut writes: Vec<WriteRequest>) -> Result<(), Error> {
        const WHAT: &str = "delete records";
        for tries in 0..TRIES {
            let call = self.client.batch_write_item().request_items(&self.tables.records, writes);
            let answer = call.send().await.map_err(|e| Error::dynamo(WHAT, e))?;
            writes = answer.unprocessed_items.unwrap_or_default().remove(&self.tables.records).unwrap_or_default();
            if writes.is_empty() {
                return Ok(());
            }
            back_off(tries).await;
        }
        Err(Error::unprocessed(WHAT))
    }
}

/// Whether a stored record is the one that was read or written: no two writes of one resource share both times.
fn is_version(stored: &Record, known: &Record) -> bool {
    stored.observed_at == known.observed_at
        && stored.last_synced_at.timestamp_millis() == known.last_synced_at.timestamp_millis()
        && stored.state == known.state
        && stored.content_hash == known.content_hash
}
