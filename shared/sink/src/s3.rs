//! Objects in S3, news on EventBridge.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_s3::primitives::ByteStream;
use futures::StreamExt as _;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::event::{self, Detail};
use crate::{Deletion, Delivered, EventsClient, S3Client, Sink, Upsert, object_key};

/// Objects put or deleted at once.
const CONCURRENT: usize = 10;
/// Times that an event which the bus did not accept is put again.
const TRIES: u32 = 4;
/// First pause before an event is put again; it doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// The default sink. A batch costs one S3 call for each resource and one EventBridge call.
#[derive(Debug, Clone)]
pub struct S3Sink {
    s3: S3Client,
    events: EventsClient,
    bucket: String,
    bus: String,
}

impl S3Sink {
    /// Keeps objects in `bucket` and tells the event bus `bus` (its name or ARN).
    #[must_use]
    pub const fn new(s3: S3Client, events: EventsClient, bucket: String, bus: String) -> Self {
        Self { s3, events, bucket, bus }
    }

    /// Stores one resource's object, or removes the one of an earlier storage strategy, and gives the words for the event.
    async fn store(&self, upsert: &Upsert) -> Result<Box<RawValue>, Error> {
        let key = object_key(&upsert.integration, &upsert.content.external_id)?;
        let words = event::synced(upsert, &self.bucket, upsert.keep_body.then_some(key.as_str()))?;
        if upsert.keep_body {
            let body = serde_json::to_vec(&upsert.content)
                .map_err(|error| Error::Refused(format!("it has no form in JSON ({error})")))?;
            self.s3
                .put_object()
                .bucket(&self.bucket)
                .key(key)
                .content_type("application/json")
                .body(ByteStream::from(body))
                .send()
                .await
                .map_err(|error| Error::unavailable("store an object", error))?;
        } else {
            self.remove(key).await?;
        }
        Ok(words)
    }

    /// Removes one resource's object and gives the words for the event.
    async fn unstore(&self, deletion: &Deletion) -> Result<Box<RawValue>, Error> {
        let words = event::deleted(deletion)?;
        // What could never have been stored under so long a key is not there to delete.
        if let Ok(key) = object_key(&deletion.integration, &deletion.external_id) {
            self.remove(key).await?;
        }
        Ok(words)
    }

    async fn remove(&self, key: String) -> Result<(), Error> {
        let sent = self.s3.delete_object().bucket(&self.bucket).key(key).send().await;
        sent.map(|_| ()).map_err(|error| Error::unavailable("delete an object", error))
    }

    /// Tells the bus of every resource whose object is in order; gives one result for each, in their order.
    async fn tell(&self, kind: &'static str, stored: Vec<Result<Box<RawValue>, Error>>) -> Vec<Result<(), Error>> {
        let mut results = Vec::with_capacity(stored.len());
        let mut words = Vec::with_capacity(stored.len());
        for (place, result) in stored.into_iter().enumerate() {
            results.push(result.map(|text| words.push((place, text))));
        }
        for detail in event::pack(words) {
            if let Err(failed) = self.put(kind, &detail).await {
                let reason = failed.to_string();
                for place in detail.about {
                    if let Some(result) = results.get_mut(place) {
                        *result = Err(Error::unavailable("put an event", reason.clone()));
                    }
                }
            }
        }
        results
    }

    /// Puts one event, again where the bus answers well and yet does not accept it.
    async fn put(&self, kind: &'static str, detail: &Detail) -> Result<(), crate::error::BoxError> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(event::SOURCE)
            .detail_type(kind)
            .detail(&detail.json)
            .build();
        let mut pause = PAUSE;
        for attempt in 1.. {
            let answer = self.events.put_events().entries(entry.clone()).send().await?;
            if answer.failed_entry_count() == 0 {
                break;
            }
            let code = answer.entries().iter().find_map(|entry| entry.error_code()).unwrap_or("unknown").to_owned();
            if attempt == TRIES {
                return Err(format!("the event bus does not accept the event ({code})").into());
            }
            tracing::debug!(code, attempt, "the event bus did not accept an event yet");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }
}

/// Runs calls side by side, at most [`CONCURRENT`] at once; their results in the calls' order.
async fn side_by_side<F: Future>(calls: Vec<F>) -> Vec<F::Output> {
    futures::stream::iter(calls).buffered(CONCURRENT).collect().await
}

#[async_trait]
impl Sink for S3Sink {
    async fn upsert(&self, batch: Vec<Upsert>) -> Result<Vec<Result<Delivered, Error>>, Error> {
        let mut calls = Vec::with_capacity(batch.len());
        for upsert in &batch {
            calls.push(self.store(upsert));
        }
        let told = self.tell(event::SYNCED, side_by_side(calls).await).await;
        // A bucket has no names of its own for resources.
        Ok(told.into_iter().map(|result| result.map(|()| Delivered::default())).collect())
    }

    async fn delete(&self, batch: Vec<Deletion>) -> Result<Vec<Result<(), Error>>, Error> {
        let mut calls = Vec::with_capacity(batch.len());
        for deletion in &batch {
            calls.push(self.unstore(deletion));
        }
        Ok(self.tell(event::DELETED, side_by_side(calls).await).await)
    }
}
