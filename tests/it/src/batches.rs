//! Batches as Lambda's poller hands them over, from a real queue: what fails harms no neighbour, and what is beyond help ends among
//! the dead letters with its reason.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use domain::Timestamp;
use domain::job::JobError;
use domain::message::{ResourceAction, ResourceMessage};
use integrations::dead_letters::{Explained, WorkQueue};
use lambda::sqs::{Message, Queues, SqsEvent, work_on};
use queue::{Backoff, Envelope, Queue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use testkit::emulator::{Emulator, TestQueue};

use crate::dead_letters::{Room, urls};
use crate::proxy::Proxy;
use crate::sample::{at, external_id, integration, owner};

#[derive(Debug, thiserror::Error)]
#[error("message 3 always fails")]
struct AlwaysFails;

/// A queue and a worker behind it.
struct Line<M> {
    emulator: Emulator,
    test: TestQueue,
    queue: Queue<M>,
    /// How often each message was worked on to its end, by what it says.
    done: Mutex<BTreeMap<String, u32>>,
    /// How many messages the worker was shown.
    shown: Mutex<u32>,
}

impl<M: Serialize + DeserializeOwned> Line<M> {
    /// A worker whose calls go to `endpoint`.
    async fn new(endpoint: Option<&str>) -> Result<Self> {
        let emulator = Emulator::connect().await?;
        let test = emulator.queue("ResourceQueue").await?;
        let backoff = Backoff { base: Duration::from_secs(1), attempts: test.attempts };
        let sqs = endpoint.map_or_else(|| emulator.sqs.clone(), |endpoint| emulator.through(endpoint).sqs);
        let queue = Queue::new(sqs, test.url.clone(), backoff);
        Ok(Self { emulator, test, queue, done: Mutex::default(), shown: Mutex::default() })
    }

    /// What the poller does once: receives, has the worker work, and deletes what it is not told to keep.
    async fn poll(&self, work: impl Fn(&M) -> Result<(), JobError>) -> Result<()> {
        let call = self.emulator.sqs.receive_message().queue_url(&self.test.url).max_number_of_messages(10);
        let call = call.visibility_timeout(30).wait_time_seconds(1).message_attribute_names("All");
        let received = call.message_system_attribute_names("All".into()).send().await?.messages.unwrap_or_default();
        let records: Vec<_> = received
            .iter()
            .map(|message| {
                let system = message.attributes.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()));
                let carried = message.message_attributes.iter().flatten();
                let carried = carried.map(|(name, value)| {
                    (name, json!({"stringValue": value.string_value, "dataType": value.data_type}))
                });
                json!({
                    "messageId": message.message_id, "receiptHandle": message.receipt_handle, "body": message.body,
                    "attributes": system.collect::<BTreeMap<_, _>>(),
                    "messageAttributes": carried.collect::<BTreeMap<_, _>>(),
                    "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:integration-resource"
                })
            })
            .collect();
        let event: SqsEvent = serde_json::from_value(json!({ "Records": records }))?;
        let queues = Queues::from(self.queue.clone());
        let response = work_on(&queues, event, Timestamp::MAX_UTC, |messages: Vec<Message<M>>| {
            *self.shown.lock().unwrap() += u32::try_from(messages.len()).unwrap();
            let results = messages.iter().map(|message| {
                work(&message.body)?;
                let words = serde_json::to_string(&message.body).unwrap();
                *self.done.lock().unwrap().entry(words).or_default() += 1;
                Ok(())
            });
            std::future::ready(results.collect::<Vec<_>>())
        });
        let response = response.await.map_err(|error| anyhow::anyhow!("{error}"))?;
        let kept: Vec<_> = response.batch_item_failures.iter().map(|failure| &failure.item_identifier).collect();
        for message in &received {
            let id = message.message_id.as_ref().context("a message without an id")?;
            if !kept.contains(&id) {
                let receipt = message.receipt_handle.as_deref().context("a message without a receipt")?;
                self.emulator.sqs.delete_message().queue_url(&self.test.url).receipt_handle(receipt).send().await?;
            }
        }
        Ok(())
    }

    /// Polls until the queue is empty and `dead` letters lie beside it.
    async fn until_dead(&self, dead: u64, work: impl Fn(&M) -> Result<(), JobError>) -> Result<Vec<Explained>> {
        let limit = Duration::from_secs(60);
        testkit::wait::until(format_args!("{dead} dead letters"), limit, async || {
            self.poll(&work).await?;
            Ok((self.test.left().await? == (0, dead)).then_some(()))
        })
        .await?;
        let room = Room::with(&self.emulator, &urls(&self.test)).await?;
        Ok(room.dead_letters.list(Some(WorkQueue::Resource), 100).await?.letters)
    }
}

fn ten() -> Vec<Envelope<String>> {
    (0..10).map(|number| Envelope::new(owner("user/ada"), format!("message {number}"))).collect()
}

fn but_the_third(words: &String) -> Result<(), JobError> {
    if words == "message 3" { Err(JobError::retry(AlwaysFails)) } else { Ok(()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_04_nine_of_ten_are_done_once_and_the_one_that_always_fails_ends_alone_with_its_reason() -> Result<()>
{
    let line = Line::<String>::new(None).await?;
    line.queue.send_all(&ten(), at(0)).await?;
    let letters = line.until_dead(1, but_the_third).await?;
    let done = line.done.lock().unwrap().clone();
    assert_eq!(done.len(), 9);
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    assert_eq!(*line.shown.lock().unwrap(), 9 + line.test.attempts, "and it was tried as often as its queue says");
    let [letter] = letters.as_slice() else { anyhow::bail!("{letters:?}") };
    assert!(letter.reason.contains("message 3 always fails"), "{letter:?}");
    assert_eq!(letter.attempts, line.test.attempts);
    assert!(letter.failed_at.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_04_attempts_are_counted_across_waits() -> Result<()> {
    let line = Line::<String>::new(None).await?;
    line.queue.send(&owner("user/ada"), &"message 3".to_owned()).await?;
    let turns = Mutex::new(0);
    let letters = line.until_dead(1, |words| {
        let mut turns = turns.lock().unwrap();
        *turns += 1;
        // It waits twice after its first failure: neither wait is an attempt, and neither makes the failure forgotten.
        if *turns == 2 || *turns == 3 {
            return Err(JobError::retry_after(Duration::ZERO, AlwaysFails));
        }
        but_the_third(words)
    });
    assert_eq!(letters.await?[0].attempts, line.test.attempts);
    assert_eq!(turns.into_inner().unwrap(), line.test.attempts + 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_04_what_cannot_be_put_among_the_dead_letters_is_put_there_by_the_queue() -> Result<()> {
    let (proxy, address) = Proxy::before(Emulator::connect().await?.endpoint()).await?;
    let line = Line::<String>::new(Some(&address)).await?;
    line.queue.send_all(&ten(), at(0)).await?;
    // No worker can send anything from now on; back-offs work.
    proxy.refuse("SendMessageBatch", u32::MAX);
    let letters = line.until_dead(1, but_the_third).await?;
    assert_eq!(line.done.lock().unwrap().len(), 9);
    assert_eq!((letters[0].attempts, letters[0].failed_at), (line.test.attempts, None));
    assert!(!letters[0].reason.is_empty());
    Ok(())
}

fn resource(id: &str) -> ResourceMessage {
    ResourceMessage {
        integration: integration("user/ada").reference(),
        run: None,
        external_id: external_id(id),
        action: ResourceAction::fresh(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_06_poison_of_every_kind_is_dead_at_first_sight_and_its_neighbours_are_unharmed() -> Result<()> {
    let line = Line::<ResourceMessage>::new(None).await?;
    let good = serde_json::to_value(resource("good"))?;
    let with = |pointer: &str, value: serde_json::Value| -> Result<String> {
        let mut message = good.clone();
        *message.pointer_mut(pointer).with_context(|| format!("no {pointer}"))? = value;
        Ok(message.to_string())
    };
    let poison = [
        "this is no JSON".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        good.to_string().replace('}', ""),
        with("/integration/provider", json!("provider_of_tomorrow"))?,
        with("/action", json!({"do": "an action of tomorrow"}))?,
        with("/externalId", json!(7))?,
        with("/integration/integrationId", json!("not an id"))?,
        format!("[{}]", "[".repeat(200_000)),
    ];
    for (number, body) in poison.iter().enumerate() {
        let call = line.emulator.sqs.send_message().queue_url(&line.test.url).message_group_id("user/ada");
        call.message_body(body).send().await?;
        line.queue.send(&owner("user/ada"), &resource(&number.to_string())).await?;
    }
    let letters = line.until_dead(poison.len() as u64, |_| Ok(())).await?;
    assert_eq!(
        *line.shown.lock().unwrap(),
        poison.len() as u32,
        "no worker saw poison, and each neighbour was seen once"
    );
    assert_eq!(line.done.lock().unwrap().len(), poison.len());
    assert_eq!(letters.len(), poison.len());
    for letter in letters {
        assert_eq!((letter.code, letter.attempts), ("undecodable", 1), "{letter:?}");
        assert!(letter.reason.contains("does not decode"), "{letter:?}");
        ensure!(!letter.reason.contains("tomorrow"), "the reason quotes the body: {letter:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_06_poison_as_large_as_a_message_can_be_is_dead_too() -> Result<()> {
    let line = Line::<ResourceMessage>::new(None).await?;
    let call = line.emulator.sqs.send_message().queue_url(&line.test.url).message_group_id("user/ada");
    call.message_body("x".repeat(1_048_576)).send().await?;
    line.queue.send(&owner("user/ada"), &resource("neighbour")).await?;
    let letters = line.until_dead(1, |_| Ok(())).await?;
    assert_eq!(line.done.lock().unwrap().values().copied().collect::<Vec<_>>(), [1]);
    assert_eq!((letters[0].code, letters[0].reason.is_empty()), ("undecodable", false));
    Ok(())
}
