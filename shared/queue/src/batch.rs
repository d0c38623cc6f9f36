//! Many messages at once: cut into requests that SQS takes, each repeated for what it left out.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::body::MAX_BYTES;
use crate::error::{Error, is_passing};

/// The most messages in one request. SQS, "SendMessageBatch".
const MOST: usize = 10;
/// Requests under way at once.
const AT_ONCE: usize = 4;
/// Tries before messages count as not sent. With the waits between them that is about two seconds.
const TRIES: u32 = 7;

/// A message group and a body.
type Entry = (String, String);

/// Sends all entries.
pub(crate) async fn send_all(client: &Client, url: &str, entries: Vec<Entry>) -> Result<(), Error> {
    futures::stream::iter(cut(entries))
        .map(|batch| send(client, url, batch))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Cuts entries into batches of at most ten and at most 1 MiB.
fn cut(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut batches: Vec<Vec<Entry>> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let size = entry.1.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < MOST && bytes + size <= MAX_BYTES => {
                bytes += size;
                batch.push(entry);
            }
            _ => {
                bytes = size;
                batches.push(vec![entry]);
            }
        }
    }
    batches
}

/// Sends one batch, and again what was left out, until nothing is.
async fn send(client: &Client, url: &str, mut batch: Vec<Entry>) -> Result<(), Error> {
    let mut code = String::new();
    for tries in 0..TRIES {
        if tries > 0 {
            let longest_ms = 20u64 << tries;
            tokio::time::sleep(Duration::from_millis(rand::random_range(0..=longest_ms))).await;
        }
        let answer = client.send_message_batch().queue_url(url).set_entries(Some(numbered(&batch)?)).send().await;
        let failed = answer.map_err(|e| Error::sqs("send messages", e))?.failed;
        let Some(last) = failed.last() else { return Ok(()) };
        code.clone_from(&last.code);
        if let Some(refused) = failed.iter().find(|entry| entry.sender_fault && !is_passing(&entry.code)) {
            return Err(Error::left_out(failed.len(), refused.code.clone(), true));
        }
        batch = left_out(batch, &failed);
    }
    Err(Error::left_out(batch.len(), code, false))
}

/// The entries as SQS wants them, each under its place in the batch.
fn numbered(batch: &[Entry]) -> Result<Vec<SendMessageBatchRequestEntry>, Error> {
    let entries = batch.iter().enumerate().map(|(place, (group, body))| {
        SendMessageBatchRequestEntry::builder()
            .id(place.to_string())
            .message_group_id(group)
            .message_body(body)
            .build()
            .map_err(Error::malformed)
    });
    entries.collect()
}

/// The entries that SQS names as failed.
fn left_out(batch: Vec<Entry>, failed: &[BatchResultErrorEntry]) -> Vec<Entry> {
    let is_failed = |place: usize| failed.iter().any(|entry| entry.id == place.to_string());
    batch.into_iter().enumerate().filter(|(place, _)| is_failed(*place)).map(|(_, entry)| entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body_bytes: usize) -> Entry {
        ("user/ada".to_owned(), "x".repeat(body_bytes))
    }

    #[test]
    fn batches_hold_ten_messages_at_most() {
        let sizes: Vec<usize> = cut(vec![entry(1); 23]).iter().map(Vec::len).collect();
        assert_eq!(sizes, [10, 10, 3]);
        assert!(cut(Vec::new()).is_empty());
    }

    #[test]
    fn batches_hold_a_mebibyte_at_most() {
        let half = MAX_BYTES / 2;
        let sizes: Vec<usize> =
            cut(vec![entry(half), entry(half), entry(1), entry(MAX_BYTES), entry(1)]).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
    }

    #[test]
    fn exactly_what_was_left_out_is_sent_again() {
        let batch: Vec<Entry> = (0..10).map(|i| ("g".to_owned(), i.to_string())).collect();
        let failed: Vec<BatchResultErrorEntry> = ["2", "7", "9"]
            .map(|id| {
                BatchResultErrorEntry::builder().id(id).sender_fault(false).code("InternalError").build().unwrap()
            })
            .to_vec();
        let again: Vec<String> = left_out(batch, &failed).into_iter().map(|(_, body)| body).collect();
        assert_eq!(again, ["2", "7", "9"]);
    }
}
