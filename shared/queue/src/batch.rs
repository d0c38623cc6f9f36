//! Many messages at once: cut into requests that SQS takes, each repeated for what it left out.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{BatchResultErrorEntry, MessageAttributeValue, SendMessageBatchRequestEntry};
use chrono::TimeDelta;
use domain::Timestamp;
use futures::StreamExt as _;

use crate::body::MAX_BYTES;
use crate::error::{Error, is_passing};

/// The most messages in one request. SQS, "SendMessageBatch".
pub(crate) const MOST: usize = 10;
/// Requests under way at once.
const AT_ONCE: usize = 4;
/// Tries before messages count as not sent. With the waits between them that is about two seconds.
const TRIES: u32 = 7;
/// Messages of one request whose calls are due this soon after another arrive together with it, so that one worker gets
/// them all. Half of the time for which a call stays good.
const TOGETHER: TimeDelta = TimeDelta::seconds(5);

/// A message as it goes into a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire {
    pub group: String,
    pub body: String,
    pub delay_s: u32,
    pub attributes: Vec<(&'static str, MessageAttributeValue)>,
}

/// Messages that were not sent.
#[derive(Debug)]
pub struct Unsent {
    /// Their places among the messages that were to be sent.
    pub places: Vec<usize>,
    /// Why they were not.
    pub error: Error,
}

/// Sends all messages; those that could not be sent.
pub(crate) async fn send_each(client: &Client, url: &str, wires: Vec<Wire>) -> Vec<Unsent> {
    let sent = futures::stream::iter(cut(wires)).map(|batch| send(client, url, batch)).buffer_unordered(AT_ONCE);
    sent.filter_map(std::future::ready).collect().await
}

/// A message with its place among all.
type Placed = (usize, Wire);

/// Cuts messages into batches of at most ten and at most 1 MiB.
fn cut(wires: Vec<Wire>) -> Vec<Vec<Placed>> {
    let mut batches: Vec<Vec<Placed>> = Vec::new();
    let mut bytes = 0;
    for (place, wire) in wires.into_iter().enumerate() {
        let size = size(&wire);
        match batches.last_mut() {
            Some(batch) if batch.len() < MOST && bytes + size <= MAX_BYTES => {
                bytes += size;
                batch.push((place, wire));
            }
            _ => {
                bytes = size;
                batches.push(vec![(place, wire)]);
            }
        }
    }
    batches
}

/// What SQS counts of a message: its body and its attributes' names, types and values.
fn size(wire: &Wire) -> usize {
    let attributes = wire
        .attributes
        .iter()
        .map(|(name, value)| name.len() + value.data_type.len() + value.string_value.as_deref().map_or(0, str::len));
    wire.body.len() + attributes.sum::<usize>()
}

/// Gives messages of one ten whose calls are due soon after one another the delay of the latest of them.
pub(crate) fn together(mut wires: Vec<Wire>, slots: &[Option<Timestamp>]) -> Vec<Wire> {
    for (wires, slots) in wires.chunks_mut(MOST).zip(slots.chunks(MOST)) {
        let delays: Vec<u32> = wires.iter().map(|wire| wire.delay_s).collect();
        for (wire, slot) in wires.iter_mut().zip(slots) {
            let Some(slot) = slot else { continue };
            let near = slots.iter().zip(&delays).filter(|(other, _)| {
                other.is_some_and(|other| (TimeDelta::zero()..=TOGETHER).contains(&(other - *slot)))
            });
            wire.delay_s = near.map(|(_, delay_s)| *delay_s).max().unwrap_or(wire.delay_s);
        }
    }
    wires
}

/// Sends one batch, and again what was left out, until nothing is.
async fn send(client: &Client, url: &str, mut batch: Vec<Placed>) -> Option<Unsent> {
    let places = |batch: &[Placed]| batch.iter().map(|(place, _)| *place).collect();
    let mut code = String::new();
    for tries in 0..TRIES {
        if tries > 0 {
            let longest_ms = 20u64 << tries;
            tokio::time::sleep(Duration::from_millis(rand::random_range(0..=longest_ms))).await;
        }
        let entries = match numbered(&batch) {
            Ok(entries) => entries,
            Err(error) => return Some(Unsent { places: places(&batch), error }),
        };
        let failed = match client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await {
            Ok(answer) => answer.failed,
            Err(error) => {
                return Some(Unsent { places: places(&batch), error: Error::sqs("send messages", error) });
            }
        };
        let last = failed.last()?;
        code.clone_from(&last.code);
        let for_good = failed.iter().find(|entry| entry.sender_fault && !is_passing(&entry.code));
        batch = left_out(batch, &failed);
        if let Some(refused) = for_good {
            let error = Error::left_out(batch.len(), refused.code.clone(), true);
            return Some(Unsent { places: places(&batch), error });
        }
    }
    Some(Unsent { places: places(&batch), error: Error::left_out(batch.len(), code, false) })
}

/// The entries as SQS wants them, each under its place in the batch.
fn numbered(batch: &[Placed]) -> Result<Vec<SendMessageBatchRequestEntry>, Error> {
    let entries = batch.iter().enumerate().map(|(place, (_, wire))| {
        let entry = SendMessageBatchRequestEntry::builder()
            .id(place.to_string())
            .message_group_id(&wire.group)
            .message_body(&wire.body);
        let entry = match wire.delay_s {
            0 => entry,
            delay_s => entry.delay_seconds(i32::try_from(delay_s).unwrap_or(i32::MAX)),
        };
        let attributes = wire.attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let entry = entry.set_message_attributes((!wire.attributes.is_empty()).then(|| attributes.collect()));
        entry.build().map_err(Error::malformed)
    });
    entries.collect()
}

/// The entries that SQS names as failed.
fn left_out(batch: Vec<Placed>, failed: &[BatchResultErrorEntry]) -> Vec<Placed> {
    let is_failed = |place: usize| failed.iter().any(|entry| entry.id == place.to_string());
    batch.into_iter().enumerate().filter(|(place, _)| is_failed(*place)).map(|(_, entry)| entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body_bytes: usize) -> Wire {
        Wire { group: "user/ada".to_owned(), body: "x".repeat(body_bytes), ..Wire::default() }
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
        let batch: Vec<Placed> = (0..10).map(|place| (place + 20, entry(1))).collect();
        let failed: Vec<BatchResultErrorEntry> = ["2", "7", "9"]
            .map(|id| {
                BatchResultErrorEntry::builder().id(id).sender_fault(false).code("InternalError").build().unwrap()
            })
            .to_vec();
        let again: Vec<usize> = left_out(batch, &failed).into_iter().map(|(place, _)| place).collect();
        assert_eq!(again, [22, 27, 29]);
    }

    #[test]
    fn calls_that_are_due_within_seconds_arrive_together() {
        let at = |ms| Timestamp::from_timestamp_millis(ms);
        let slots = [at(100), at(900), at(1_100), at(9_000), None];
        let wires = [1, 1, 2, 9, 0].map(|delay_s| Wire { delay_s, ..Wire::default() }).into();
        let delays: Vec<u32> = together(wires, &slots).iter().map(|wire| wire.delay_s).collect();
        assert_eq!(delays, [2, 2, 2, 9, 0]);
    }
}
