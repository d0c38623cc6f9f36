//! Reading dead letters: what a queue's dead-letter queue holds, looked at without taking it away, and sent back to work.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName,
    QueueAttributeName,
};
use domain::Timestamp;
use serde::Serialize;

use crate::batch::{self, Unsent, Wire};
use crate::body;
use crate::dead::{ATTEMPTS, DEAD_LETTERS, FAILED_AT, REASON};
use crate::envelope::SPENT;
use crate::error::Error;
use crate::{Client, backoff};

/// How long SQS looks for letters before it says that there are none. Without this it asks only some of its hosts, and a few
/// letters are easily missed.
const LOOK_S: i32 = 1;

/// The dead letters of one queue. A cheap handle.
#[derive(Debug, Clone)]
pub struct Letters {
    client: Client,
    queue_url: Arc<str>,
    url: Arc<str>,
}

/// A dead letter as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// SQS's id of it, which stays the same for as long as it lies there.
    pub id: String,
    /// What deletes it or shows it again.
    pub receipt: String,
    /// The group that it had on its queue; empty if it had none.
    pub group: String,
    /// Its body.
    pub body: String,
    /// Why it is here, for people. `None`: SQS moved it by itself, after every worker that took it up ended without a word.
    pub reason: Option<String>,
    /// Attempts that were made, where a worker put it here.
    pub attempts: Option<u32>,
    /// When the last of them failed, where a worker put it here.
    pub failed_at: Option<Timestamp>,
    /// Attempts that it had before it was sent again the last time, where SQS moved it by itself.
    pub spent: u32,
    /// When it was put here; where SQS moved it by itself, when it was first sent.
    pub sent_at: Option<Timestamp>,
}

impl Letters {
    /// The dead letters of the queue at `queue_url`. Makes no call.
    #[must_use]
    pub fn of(client: Client, queue_url: &str) -> Self {
        Self { client, queue_url: queue_url.into(), url: format!("{queue_url}{DEAD_LETTERS}").into() }
    }

    /// How many there are, those included that somebody is looking at. SQS counts them about, not exactly. One request.
    ///
    /// # Errors
    /// [`Error`] if SQS cannot be reached or refuses.
    pub async fn count(&self) -> Result<u64, Error> {
        let counted = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.client.get_queue_attributes().queue_url(&*self.url).set_attribute_names(Some(counted.into()));
        let answer = call.send().await.map_err(|e| Error::sqs("count dead letters", e))?;
        let numbers = answer.attributes.unwrap_or_default().into_values();
        Ok(numbers.filter_map(|number| number.parse::<u64>().ok()).sum())
    }

    /// Up to ten letters, which nobody else sees for the time `hidden` (whole seconds). None: there is none that is not hidden.
    /// One request.
    ///
    /// # Errors
    /// [`Error`] if SQS cannot be reached or refuses.
    pub async fn receive(&self, hidden: Duration) -> Result<Vec<Letter>, Error> {
        let call = self
            .client
            .receive_message()
            .queue_url(&*self.url)
            .max_number_of_messages(i32::try_from(batch::MOST).unwrap_or(1))
            .visibility_timeout(i32::try_from(backoff::whole_seconds(hidden)).unwrap_or(i32::MAX))
            .wait_time_seconds(LOOK_S)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = call.send().await.map_err(|e| Error::sqs("receive dead letters", e))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(Letter::from).collect())
    }

    /// Shows received letters again at once. One request per ten. Those for which that fails come back when their time is over.
    ///
    /// # Errors
    /// [`Error`] if SQS cannot be reached or refuses.
    pub async fn show_again(&self, letters: &[Letter]) -> Result<(), Error> {
        for ten in letters.chunks(batch::MOST) {
            let entries = ten.iter().enumerate().map(|(place, letter)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(&letter.receipt)
                    .visibility_timeout(0)
                    .build()
                    .map_err(Error::malformed)
            });
            let entries = entries.collect::<Result<Vec<_>, Error>>()?;
            let call = self.client.change_message_visibility_batch().queue_url(&*self.url).set_entries(Some(entries));
            call.send().await.map_err(|e| Error::sqs("show dead letters again", e))?;
        }
        Ok(())
    }

    /// Puts work, each with its group and body, on the queue that the letters came from, as if it were new: its attempts begin
    /// anew. Those that could not be sent, by their places. One request per ten or per MiB.
    pub async fn send_back(&self, work: Vec<(String, String)>) -> Vec<Unsent> {
        let wires = work.into_iter().map(|(group, body)| Wire {
            // SQS takes no empty group.
            group: if group.is_empty() { "none".to_owned() } else { group },
            body,
            ..Wire::default()
        });
        batch::send_each(&self.client, &self.queue_url, wires.collect()).await
    }

    /// Takes letters away for good. One request per ten. How many were not taken away: they come back when their time is over.
    ///
    /// # Errors
    /// [`Error`] if SQS cannot be reached or refuses.
    pub async fn delete(&self, letters: &[Letter]) -> Result<usize, Error> {
        let mut kept = 0;
        for ten in letters.chunks(batch::MOST) {
            let entries = ten.iter().enumerate().map(|(place, letter)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(place.to_string())
                    .receipt_handle(&letter.receipt)
                    .build()
                    .map_err(Error::malformed)
            });
            let entries = entries.collect::<Result<Vec<_>, Error>>()?;
            let call = self.client.delete_message_batch().queue_url(&*self.url).set_entries(Some(entries));
            kept += call.send().await.map_err(|e| Error::sqs("delete dead letters", e))?.failed.len();
        }
        Ok(kept)
    }
}

/// A message as a queue carries it.
///
/// # Errors
/// [`Error::TooLarge`] and [`Error::Encode`].
pub fn encode(message: &impl Serialize) -> Result<String, Error> {
    body::encode(message)
}

impl From<Message> for Letter {
    fn from(message: Message) -> Self {
        let system = |name| message.attributes.as_ref().and_then(|all| all.get(&name));
        let given = |name: &str| message.message_attributes.as_ref()?.get(name)?.string_value.clone();
        let group = system(MessageSystemAttributeName::MessageGroupId).cloned().unwrap_or_default();
        let sent_at = system(MessageSystemAttributeName::SentTimestamp).and_then(|text| text.parse().ok());
        Self {
            group,
            sent_at: sent_at.and_then(Timestamp::from_timestamp_millis),
            reason: given(REASON),
            attempts: given(ATTEMPTS).and_then(|text| text.parse().ok()),
            failed_at: given(FAILED_AT).and_then(|text| text.parse().ok()),
            spent: given(SPENT).and_then(|text| text.parse().ok()).unwrap_or_default(),
            id: message.message_id.unwrap_or_default(),
            receipt: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{number, text};

    #[test]
    fn a_letter_tells_what_its_worker_wrote() {
        let message = Message::builder()
            .message_id("id")
            .body("{}")
            .attributes(MessageSystemAttributeName::MessageGroupId, "user/ada")
            .attributes(MessageSystemAttributeName::SentTimestamp, "1500")
            .message_attributes(REASON, text("the provider refused").unwrap())
            .message_attributes(ATTEMPTS, number(3).unwrap())
            .message_attributes(FAILED_AT, text("2026-01-02T03:04:05+00:00").unwrap())
            .build();
        let letter = Letter::from(message);
        assert_eq!((letter.reason.as_deref(), letter.attempts), (Some("the provider refused"), Some(3)));
        assert_eq!(letter.failed_at.map(|at| at.to_rfc3339()).as_deref(), Some("2026-01-02T03:04:05+00:00"));
        assert_eq!((letter.group.as_str(), letter.sent_at), ("user/ada", Timestamp::from_timestamp_millis(1500)));
    }

    #[test]
    fn a_letter_that_sqs_moved_has_no_reason() {
        let message = Message::builder().message_id("id").message_attributes(SPENT, number(2).unwrap()).build();
        let letter = Letter::from(message);
        assert_eq!((letter.reason, letter.attempts, letter.failed_at, letter.spent), (None, None, None, 2));
    }
}
