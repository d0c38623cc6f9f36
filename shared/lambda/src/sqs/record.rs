//! Records in, messages out.

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use domain::Timestamp;
use domain::job::JobError;
use serde::de::DeserializeOwned;

use super::Message;

/// A record with what the adapter needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    /// The queue's id of it; never empty.
    pub id: String,
    /// What changing its visibility needs.
    pub receipt: String,
    /// How many times work on it was begun, before it was last sent again too, this time included.
    pub attempt: u32,
    /// The call that is reserved for it.
    pub slot: Option<Timestamp>,
    /// Its message group.
    pub group: String,
    /// The name of the queue it came from.
    pub queue: String,
    /// Its text.
    pub body: String,
}

/// The event holds a record that cannot be answered for.
#[derive(Debug, thiserror::Error)]
#[error(
    "an SQS record without a message id: the invocation fails, because an empty id in its answer would fail the batch unseen"
)]
pub(super) struct NoId;

/// A body that is no message of ours.
#[derive(Debug, thiserror::Error)]
#[error("the body does not decode (category {category}, line {line}, column {column})")]
struct Undecodable {
    category: &'static str,
    line: usize,
    column: usize,
}

/// The worker ended without saying what became of this message.
#[derive(Debug, thiserror::Error)]
#[error("no result: the worker ran out of time")]
struct Unanswered;

/// The event's records.
///
/// # Errors
/// [`NoId`] if one of them has none.
pub(super) fn receive(event: SqsEvent) -> Result<Vec<Received>, NoId> {
    event.records.into_iter().map(one).collect()
}

fn one(record: SqsMessage) -> Result<Received, NoId> {
    let id = record.message_id.filter(|id| !id.is_empty()).ok_or(NoId)?;
    let attribute = |name: &str| record.attributes.get(name).map(String::as_str);
    let received = attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1);
    let group = attribute("MessageGroupId").unwrap_or_default().to_owned();
    let sent = |name: &str| record.message_attributes.get(name)?.string_value.as_deref()?.parse::<i64>().ok();
    let spent = sent(queue::SPENT).and_then(|spent| u32::try_from(spent).ok()).unwrap_or_default();
    // A reserved call is made once. A message that comes back needs another.
    let slot = sent(queue::SLOT).and_then(Timestamp::from_timestamp_millis).filter(|_| received == 1);
    let source = record.event_source_arn.unwrap_or_default();
    Ok(Received {
        id,
        receipt: record.receipt_handle.unwrap_or_default(),
        attempt: spent.saturating_add(received),
        slot,
        group,
        queue: source.rsplit(':').next().unwrap_or_default().to_owned(),
        body: record.body.unwrap_or_default(),
    })
}

/// The messages that decode, with their places among the records, and a result for every place: a failure until the worker gives another.
#[expect(clippy::type_complexity, reason = "two lists that are made in one pass")]
pub(super) fn decode<M: DeserializeOwned>(
    received: &[Received],
    deadline: Timestamp,
) -> (Vec<(usize, Message<M>)>, Vec<Result<(), JobError>>) {
    let mut messages = Vec::with_capacity(received.len());
    let mut results = Vec::with_capacity(received.len());
    for (index, record) in received.iter().enumerate() {
        match serde_json::from_str(&record.body) {
            Ok(body) => {
                let (id, queue) = (record.id.clone(), record.queue.clone());
                let message = Message { body, id, queue, attempt: record.attempt, slot: record.slot, deadline };
                messages.push((index, message));
                results.push(Err(JobError::retry(Unanswered)));
            }
            // No attempt mends it.
            Err(error) => results.push(Err(JobError::poison(undecodable(&error)))),
        }
    }
    (messages, results)
}

/// Where decoding stopped. The parser's own words may quote the body, so they stay here.
fn undecodable(error: &serde_json::Error) -> Undecodable {
    let category = match error.classify() {
        serde_json::error::Category::Io => "io",
        serde_json::error::Category::Syntax => "syntax",
        serde_json::error::Category::Data => "data",
        serde_json::error::Category::Eof => "cut short",
    };
    Undecodable { category, line: error.line(), column: error.column() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::message::SyncMessage;

    #[test]
    fn what_is_wrong_with_a_body_is_told_without_the_body() {
        let error = serde_json::from_str::<SyncMessage>(r#"{"kind":"canary"}"#).unwrap_err();
        assert!(!undecodable(&error).to_string().contains("canary"));
    }

    #[test]
    fn the_queue_is_named_by_the_end_of_its_arn() {
        let event: SqsEvent = serde_json::from_value(serde_json::json!({"Records": [{
            "messageId": "1", "body": "{}", "attributes": {"ApproximateReceiveCount": "3"},
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:dev-integration-sync"
        }]}))
        .unwrap();
        let received = receive(event).unwrap();
        assert_eq!((received[0].queue.as_str(), received[0].attempt), ("dev-integration-sync", 3));
    }

    fn sent_again(count: &str) -> Received {
        let event: SqsEvent = serde_json::from_value(serde_json::json!({"Records": [{
            "messageId": "1", "body": "{}",
            "attributes": {"ApproximateReceiveCount": count, "MessageGroupId": "user/ada"},
            "messageAttributes": {
                "slot": {"stringValue": "1500", "dataType": "Number"},
                "spent": {"stringValue": "2", "dataType": "Number"}
            }
        }]}))
        .unwrap();
        receive(event).unwrap().remove(0)
    }

    #[test]
    fn what_was_sent_again_has_had_its_attempts() {
        let first = sent_again("1");
        assert_eq!((first.attempt, first.group.as_str()), (3, "user/ada"));
        assert_eq!(first.slot, Timestamp::from_timestamp_millis(1500));
    }

    #[test]
    fn a_reserved_call_is_made_once() {
        assert_eq!(sent_again("2").slot, None);
    }
}
