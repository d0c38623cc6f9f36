//! Records in, messages out.

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use domain::Timestamp;
use domain::job::JobError;

use super::{Job, Message};

/// A record with what the adapter needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    /// The queue's id of it; never empty.
    pub id: String,
    /// What changing its visibility needs.
    pub receipt: String,
    /// How many times it was received.
    pub attempt: u32,
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
    let attempt = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1);
    let source = record.event_source_arn.unwrap_or_default();
    Ok(Received {
        id,
        receipt: record.receipt_handle.unwrap_or_default(),
        attempt,
        queue: source.rsplit(':').next().unwrap_or_default().to_owned(),
        body: record.body.unwrap_or_default(),
    })
}

/// The messages that decode, with their places among the records, and a result for every place: a failure until the worker gives another.
#[expect(clippy::type_complexity, reason = "two lists that are made in one pass")]
pub(super) fn decode<M: Job>(
    received: &[Received],
    deadline: Timestamp,
) -> (Vec<(usize, Message<M>)>, Vec<Result<(), JobError>>) {
    let mut messages = Vec::with_capacity(received.len());
    let mut results = Vec::with_capacity(received.len());
    for (index, record) in received.iter().enumerate() {
        match serde_json::from_str(&record.body) {
            Ok(body) => {
                messages.push((index, Message { body, id: record.id.clone(), attempt: record.attempt, deadline }));
                results.push(Err(JobError::retry(Unanswered)));
            }
            Err(error) => results.push(Err(JobError::retry(undecodable(&error)))),
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
}
