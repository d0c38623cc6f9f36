//! Records of resources: reading them one by one, by range and by state.

mod write;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use domain::resource::{Record, RecordState, RunOutcome};
use domain::{ExternalId, IntegrationId, StorageStrategy, Timestamp};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::Store;
use crate::call::{Item, decode, encode, names, s, text, values};
use crate::cursor::Cursor;
use crate::error::Error;
use crate::items::record::{MarkItem, RecordItem, WHAT, last_run};
use crate::keys::{self, Key};
use crate::retry::{TRIES, back_off};

pub use write::Written;

/// The most keys in one BatchGetItem.
const BATCH: usize = 100;
/// Batches under way at once.
const BATCHES_AT_ONCE: usize = 4;
/// The most pages that one call reads in search of records in a state, so that no call takes for ever.
const PAGES_PER_CALL: usize = 10;

/// What comparing a listing with the records needs of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMark {
    /// The provider's id.
    pub external_id: ExternalId,
    /// Where it stands.
    pub state: RecordState,
    /// The revision this state was reached from.
    pub revision: String,
    /// Whether another attempt may mend a failure.
    pub retriable: bool,
    /// The storage strategy under which it was delivered.
    pub stored_as: Option<StorageStrategy>,
    /// When the fetch behind this state started.
    pub observed_at: Timestamp,
    /// The run that last reported here, and what it did.
    pub last_run: Option<RunOutcome>,
}

fn read(row: Item) -> Result<Record, Error> {
    Ok(decode::<RecordItem>(WHAT, row)?.into())
}

impl Store {
    /// The records of these resources, tombstones included; those without a record are absent. Consistent reads, one
    /// request per 100.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read, keeps leaving keys unprocessed, or a row makes no sense.
    pub async fn get_records(
        &self,
        id: IntegrationId,
        external_ids: &[ExternalId],
    ) -> Result<HashMap<ExternalId, Record>, Error> {
        let mut wanted: Vec<&ExternalId> = external_ids.iter().collect();
        wanted.sort_unstable();
        wanted.dedup(); // A key named twice fails the whole batch.
        let keys = |batch: &[&ExternalId]| -> Vec<_> {
            batch.iter().filter_map(|external_id| keys::record(id, external_id).attributes()).collect()
        };
        let batches: Vec<_> = wanted.chunks(BATCH).map(keys).collect();
        let batches =
            futures::stream::iter(batches).map(|batch| self.get_batch(batch)).buffer_unordered(BATCHES_AT_ONCE);
        let rows: Vec<Vec<Item>> = batches.try_collect().await?;
        let records = rows.into_iter().flatten().map(read);
        records.map(|record| record.map(|record| (record.external_id.clone(), record))).collect()
    }

    /// One batch, until DynamoDB has processed all of it.
    async fn get_batch(&self, mut keys: Vec<HashMap<String, AttributeValue>>) -> Result<Vec<Item>, Error> {
        const WHAT: &str = "read records";
        let mut rows = Vec::new();
        for tries in 0..TRIES {
            let request = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let request = request.map_err(|e| Error::malformed(WHAT, e))?;
            let call = self.client.batch_get_item().request_items(&self.tables.records, request);
            let answer = call.send().await.map_err(|e| Error::dynamo(WHAT, e))?;
            rows.extend(answer.responses.unwrap_or_default().into_values().flatten());
            let left = answer.unprocessed_keys.unwrap_or_default().remove(&self.tables.records);
            keys = left.map(|left| left.keys).unwrap_or_default();
            if keys.is_empty() {
                return Ok(rows);
            }
            back_off(tries).await;
        }
        Err(Error::unprocessed(WHAT))
    }

    /// Shows every record of an integration, tombstones included, in the order of their ids, to `see`. Consistent; holds one
    /// page in memory at a time; one request per MiB, which is some thousand records.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or a row makes no sense; `see` may then have seen a part.
    pub async fn for_each_record(&self, id: IntegrationId, mut see: impl FnMut(RecordMark)) -> Result<(), Error> {
        let call = self
            .client
            .query()
            .table_name(&self.tables.records)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .projection_expression(
                "#external_id, #state, #revision, #retriable, #stored_as, #observed_at, #run_job_id, #run, #outcome",
            )
            .set_expression_attribute_names(names(&[
                "pk",
                "sk",
                "external_id",
                "state",
                "revision",
                "retriable",
                "stored_as",
                "observed_at",
                "run_job_id",
                "run",
                "outcome",
            ]))
            .set_expression_attribute_values(values([("pk", s(keys::of_integration(id))), ("prefix", s(keys::RECORD))]))
            .consistent_read(true);
        let mut rows = call.into_paginator().items().send();
        while let Some(row) = rows.next().await {
            let row = row.map_err(|e| Error::dynamo("read an integration's records", e))?;
            let item: MarkItem = decode(WHAT, row)?;
            see(RecordMark {
                external_id: item.external_id,
                state: item.state,
                revision: item.revision,
                retriable: item.retriable,
                stored_as: item.stored_as,
                observed_at: item.observed_at,
                last_run: last_run(item.run_job_id, item.run, item.outcome),
            });
        }
        Ok(())
    }

    /// At most `limit` records of an integration in a state (`None`: in any, tombstones included), in the order of their
    /// ids, and where the list goes on. A page may be short of `limit`, even empty, and still go on. A cursor of another kind
    /// of list gives an empty page.
    ///
    /// Failed records come from an index that lags by moments, in one request; others from a range with a filter, up to
    /// ten requests.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or a row makes no sense.
    pub async fn records_of(
        &self,
        id: IntegrationId,
        state: Option<RecordState>,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<Record>, Option<Cursor>), Error> {
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        let mut from = match cursor.map(|cursor| cursor.sort_key(keys::RECORD)) {
            Some(None) => return Ok((Vec::new(), None)),
            Some(Some(sk)) => Some(sk.to_owned()),
            None => None,
        };
        let mut found: Vec<Record> = Vec::new();
        for _ in 0..PAGES_PER_CALL {
            let (rows, next) = self.record_page(id, state, from, limit - found.len()).await?;
            for row in rows {
                found.push(read(row)?);
            }
            from = next;
            if from.is_none() || found.len() >= limit {
                break;
            }
        }
        // With a filter a page may bring more than is wanted; the list then goes on after the last one that is given.
        if found.len() > limit {
            found.truncate(limit);
            from = found.last().map(|last| keys::record(id, &last.external_id).sk);
        }
        Ok((found, from.map(Cursor::after)))
    }

    /// One page of records after the sort key `from`.
    async fn record_page(
        &self,
        id: IntegrationId,
        state: Option<RecordState>,
        from: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Item>, Option<String>), Error> {
        /// Rows that a filtered page looks at.
        const FILTERED_PAGE: usize = 500;
        let pk = keys::of_integration(id);
        let call = self.client.query().table_name(&self.tables.records);
        let mut start = from.and_then(|sk| Key { pk: pk.clone(), sk }.attributes());
        let (call, looked_at) = match state {
            Some(RecordState::Failed) => {
                if let Some(start) = &mut start {
                    start.insert("failed_pk".to_owned(), s(&pk));
                }
                let call = call
                    .index_name(keys::FAILED_INDEX)
                    .key_condition_expression("#failed_pk = :pk AND begins_with(#sk, :prefix)")
                    .set_expression_attribute_names(names(&["failed_pk", "sk"]));
                (call, limit)
            }
            Some(state) => {
                let call = call
                    .consistent_read(true)
                    .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
                    .filter_expression("#state = :state")
                    .expression_attribute_values(":state", encode(state)?)
                    .set_expression_attribute_names(names(&["pk", "sk", "state"]));
                (call, limit.max(FILTERED_PAGE))
            }
            None => {
                let call = call
                    .consistent_read(true)
                    .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
                    .set_expression_attribute_names(names(&["pk", "sk"]));
                (call, limit)
            }
        };
        let call = call
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":prefix", s(keys::RECORD))
            .set_exclusive_start_key(start)
            .limit(i32::try_from(looked_at).unwrap_or(i32::MAX));
        let page = call.send().await.map_err(|e| Error::dynamo("list an integration's records", e))?;
        let next = page.last_evaluated_key.as_ref().and_then(|key| text(key, keys::SK)).map(str::to_owned);
        Ok((page.items.unwrap_or_default(), next))
    }
}
