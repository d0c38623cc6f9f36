#![doc = include_str!("../README.md")]

mod backoff;
mod batch;
mod body;
mod error;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

pub use aws_sdk_sqs::Client;
use domain::Owner;
use serde::Serialize;

pub use backoff::Backoff;
pub use error::Error;

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

    /// Makes a received message visible again after the queue's back-off for `attempt` (the message's receive count, from
    /// 1). After the last attempt it is visible at once, and SQS moves it to the dead letters. One request.
    ///
    /// # Errors
    /// [`Error`] if SQS cannot be reached or refuses; the message then comes back when its visibility ends.
    pub async fn retry_later(&self, receipt_handle: &str, attempt: u32) -> Result<(), Error> {
        let delay_s = self.backoff.delay_s(attempt, rand::random_range(0.0..1.0));
        let call = self
            .client
            .change_message_visibility()
            .queue_url(&*self.url)
            .receipt_handle(receipt_handle)
            .visibility_timeout(i32::try_from(delay_s).unwrap_or(i32::MAX));
        call.send().await.map_err(|e| Error::sqs("send a message back to its queue", e))?;
        Ok(())
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

    /// Sends many messages, in tens and within SQS's 1 MiB per request; what a request leaves out is sent again. On an error
    /// some may have been sent: sending all of them again is right, since receivers cope with repetition. One request per
    /// ten or per MiB.
    ///
    /// # Errors
    /// [`Error::TooLarge`] before anything is sent; other [`Error`]s if SQS cannot be reached, refuses, or keeps leaving
    /// messages out.
    pub async fn send_all(&self, messages: &[(Owner, M)]) -> Result<(), Error> {
        let entries: Result<Vec<_>, Error> =
            messages.iter().map(|(group, message)| Ok((body::group_id(group), body::encode(message)?))).collect();
        batch::send_all(&self.client, &self.url, entries?).await
    }
}
