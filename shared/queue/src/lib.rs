#![doc = include_str!("../README.md")]

mod backoff;
mod batch;
mod body;
mod dead;
mod envelope;
mod error;
mod letters;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

pub use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use domain::{Owner, Timestamp};
use serde::Serialize;

pub use backoff::Backoff;
pub use batch::Unsent;
pub use dead::{ATTEMPTS, DEAD_LETTERS, DeadLetter, FAILED_AT, REASON, SOURCE_QUEUE};
pub use envelope::{Again, Envelope, SLOT, SPENT};
pub use error::Error;
pub use letters::{Letter, Letters, encode};

use batch::Wire;

/// The longest delay that SQS knows.
pub const MAX_DELAY: Duration = Duration::from_secs(900);

/// A queue of messages `M`. A cheap handle: clone it freely.
pub struct Queue<M> {
    client: Client,
    url: Arc<str>,
    backoff: Backoff,
    messages: PhantomData<fn(M)>,
}

impl<M> Clone for Queue<M> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), url: Arc::clone(&self.url), backoff: self.backoff, messages: PhantomData }
    }
}

impl<M> std::fmt::Debug for Queue<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("url", &self.url).field("backoff", &self.backoff).finish_non_exhaustive()
    }
}

impl<M> Queue<M> {
    /// The queue at `url`, whose failed messages come back after `backoff`.
    #[must_use]
    pub fn new(client: Client, url: impl Into<String>, backoff: Backoff) -> Self {
        Self { client, url: url.into().into(), backoff, messages: PhantomData }
    }

    /// How failed messages of this queue come back.
    #[must_use]
    pub const fn backoff(&self) -> Backoff {
        self.backoff
    }

    /// Makes received messages (receipt, and attempts so far, from 1) visible again after the queue's back-off. One request
    /// per ten. A message whose visibility could not be changed comes back when its visibility ends; how many those are.
    ///
    /// # Errors
    /// [`Error`] if SQS cannot be reached or refuses; all that were in the request then come back at the end of their visibility.
    pub async fn retry_later(&self, messages: &[(String, u32)]) -> Result<usize, Error> {
        let mut unchanged = 0;
        for ten in messages.chunks(batch::MOST) {
            let entries = ten.iter().enumerate().map(|(place, (receipt, attempt))| {
                let delay_s = self.backoff.delay_s(*attempt, rand::random_range(0.0..1.0));
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(i32::try_from(delay_s).unwrap_or(i32::MAX))
                    .build()
                    .map_err(Error::malformed)
            });
            let entries = entries.collect::<Result<Vec<_>, Error>>()?;
            let call = self.client.change_message_visibility_batch().queue_url(&*self.url).set_entries(Some(entries));
            let answer = call.send().await.map_err(|e| Error::sqs("send messages back to their queue", e))?;
            unchanged += answer.failed.len();
        }
        Ok(unchanged)
    }

    /// Sends received messages again as they are, each with its delay; those that could not be sent, by their places. One
    /// request per ten or per MiB.
    pub async fn send_again(&self, messages: &[Again], now: Timestamp) -> Vec<Unsent> {
        let wires = messages.iter().map(|again| {
            let spent = (again.spent > 0).then_some(again.spent);
            let delay = again.delay.max(until(again.slot, now));
            wire(again.group.clone(), again.body.clone(), delay, again.slot, spent)
        });
        match wires.collect::<Result<Vec<_>, Error>>() {
            Ok(wires) => batch::send_each(&self.client, &self.url, batch::together(wires, &slots(messages))).await,
            Err(error) => vec![Unsent { places: (0..messages.len()).collect(), error }],
        }
    }
}

impl<M: Serialize> Queue<M> {
    /// Sends a message in its owner's group. One request.
    ///
    /// # Errors
    /// [`Error::TooLarge`] before anything is sent; other [`Error`]s if SQS cannot be reached or refuses.
    pub async fn send(&self, group: &Owner, message: &M) -> Result<(), Error> {
        self.send_after(group, message, Duration::ZERO).await
    }

    /// Sends a message that becomes visible after `delay`, which is rounded up to seconds and cut to [`MAX_DELAY`]. One request.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_after(&self, group: &Owner, message: &M, delay: Duration) -> Result<(), Error> {
        let call = self
            .client
            .send_message()
            .queue_url(&*self.url)
            .message_group_id(body::group_id(group))
            .message_body(body::encode(message)?);
        let call = match backoff::whole_seconds(delay.min(MAX_DELAY)) {
            0 => call,
            delay_s => call.delay_seconds(i32::try_from(delay_s).unwrap_or(i32::MAX)),
        };
        call.send().await.map_err(|e| Error::sqs("send a message", e))?;
        Ok(())
    }

    /// Sends many messages, in tens and within SQS's 1 MiB per request; what a request leaves out is sent again. A message
    /// with a slot arrives when its call is due. On an error some may have been sent: sending all of them again is right,
    /// since receivers cope with repetition. One request per ten or per MiB.
    ///
    /// # Errors
    /// [`Error::TooLarge`] before anything is sent; other [`Error`]s if SQS cannot be reached, refuses, or keeps leaving
    /// messages out.
    pub async fn send_all(&self, envelopes: &[Envelope<M>], now: Timestamp) -> Result<(), Error> {
        let wires = envelopes.iter().map(|envelope| {
            let body = body::encode(&envelope.message)?;
            wire(body::group_id(&envelope.group), body, until(envelope.slot, now), envelope.slot, None)
        });
        let slots: Vec<Option<Timestamp>> = envelopes.iter().map(|envelope| envelope.slot).collect();
        let wires = batch::together(wires.collect::<Result<Vec<_>, Error>>()?, &slots);
        batch::send_each(&self.client, &self.url, wires).await.pop().map_or(Ok(()), |unsent| Err(unsent.error))
    }
}

/// How long it is until a slot.
fn until(slot: Option<Timestamp>, now: Timestamp) -> Duration {
    slot.and_then(|slot| (slot - now).to_std().ok()).unwrap_or_default()
}

fn slots(messages: &[Again]) -> Vec<Option<Timestamp>> {
    messages.iter().map(|again| again.slot).collect()
}

fn wire(
    group: String,
    body: String,
    delay: Duration,
    slot: Option<Timestamp>,
    spent: Option<u32>,
) -> Result<Wire, Error> {
    let mut attributes = Vec::new();
    if let Some(slot) = slot {
        attributes.push((SLOT, envelope::number(slot.timestamp_millis())?));
    }
    if let Some(spent) = spent {
        attributes.push((SPENT, envelope::number(spent)?));
    }
    // SQS takes no empty group.
    let group = if group.is_empty() { "none".to_owned() } else { group };
    let delay_s = u32::try_from(backoff::whole_seconds(delay.min(MAX_DELAY))).unwrap_or(u32::MAX);
    Ok(Wire { group, body, delay_s, attributes })
}
