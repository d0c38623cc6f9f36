//! Sending: groups, delays, tens, sizes, and coming back after a failure.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use domain::message::{IntegrationRef, SyncMessage};
use domain::{Clock as _, IntegrationId, ProviderId, SystemClock};
use queue::{Again, Backoff, Envelope, Error, Queue, SLOT, SPENT};
use testkit::emulator::{Emulator, Received, TestQueue};

use crate::proxy::Proxy;
use crate::sample::{at, owner};

async fn queue<M>() -> Result<(Queue<M>, TestQueue)> {
    let emulator = Emulator::connect().await?;
    let test = emulator.queue("SyncQueue").await?;
    let backoff = Backoff { base: Duration::from_secs(1), attempts: test.attempts };
    Ok((Queue::new(emulator.sqs.clone(), test.url.clone(), backoff), test))
}

/// A message of Ada's.
fn of_ada(text: impl Into<String>) -> Envelope<String> {
    Envelope::new(owner("user/ada"), text.into())
}

/// Receives and deletes until `count` messages have come.
async fn drain(test: &TestQueue, count: usize) -> Result<Vec<Received>> {
    let mut all = Vec::new();
    while all.len() < count {
        let batch = test.receive().await?;
        anyhow::ensure!(!batch.is_empty(), "only {} of {count} messages came", all.len());
        for message in batch {
            test.delete(&message).await?;
            all.push(message);
        }
    }
    assert_eq!(test.left().await?, (0, 0), "nothing is left behind");
    Ok(all)
}

#[tokio::test]
async fn a_message_travels_in_its_owners_group() -> Result<()> {
    let (queue, test) = queue::<SyncMessage>().await?;
    let integration = IntegrationRef {
        owner: owner("user/ada"),
        provider: ProviderId::GoogleDrive,
        integration_id: IntegrationId::new(at(0)),
    };
    let message = SyncMessage::Subscribe { integration };
    queue.send(&owner("user/ada"), &message).await?;
    let received = drain(&test, 1).await?.remove(0);
    assert_eq!(serde_json::from_str::<SyncMessage>(&received.body)?, message);
    assert_eq!(received.attributes["MessageGroupId"], "user/ada");
    Ok(())
}

#[tokio::test]
async fn many_messages_all_arrive_once() -> Result<()> {
    let (queue, test) = queue::<String>().await?;
    let messages: Vec<_> = (0..137).map(|i| of_ada(format!("message {i}"))).collect();
    queue.send_all(&messages, at(0)).await?;
    let bodies: BTreeSet<String> = drain(&test, 137).await?.into_iter().map(|message| message.body).collect();
    assert_eq!(bodies.len(), 137);
    queue.send_all(&[], at(0)).await?;
    assert_eq!(test.left().await?, (0, 0));
    Ok(())
}

#[tokio::test]
async fn guarantee_13_what_a_batch_leaves_out_is_sent_again_and_the_rest_is_not() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let test = emulator.queue("ResourceQueue").await?;
    let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
    let backoff = Backoff { base: Duration::from_secs(2), attempts: test.attempts };
    let queue = Queue::<String>::new(emulator.through(&address).sqs, test.url.clone(), backoff);
    proxy.leave_out("SendMessageBatch", 3);
    let messages: Vec<_> = (0..10).map(|i| of_ada(format!("message {i}"))).collect();
    queue.send_all(&messages, at(0)).await?;
    assert_eq!(proxy.carried_out("SendMessageBatch"), 2);
    let bodies: BTreeSet<String> = drain(&test, 10).await?.into_iter().map(|message| message.body).collect();
    assert_eq!(bodies.len(), 10, "each of them, none twice");
    Ok(())
}

#[tokio::test]
async fn a_queue_that_is_down_is_unavailable() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let test = emulator.queue("WebhookQueue").await?;
    let backoff = Backoff { base: Duration::from_secs(1), attempts: test.attempts };
    // Nobody listens at the port: it was free a moment ago.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let queue = Queue::<String>::new(emulator.through(&format!("http://{free}")).sqs, test.url.clone(), backoff);
    let failed = queue.send(&owner("user/ada"), &"x".to_owned()).await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    let failed = queue.send_all(&[of_ada("x")], at(0)).await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    assert_eq!(test.left().await?, (0, 0));
    Ok(())
}

#[tokio::test]
async fn large_messages_travel_in_requests_of_their_own_and_too_large_ones_not_at_all() -> Result<()> {
    let (queue, test) = queue::<String>().await?;
    let large = |bytes: usize| of_ada("x".repeat(bytes));
    queue.send_all(&[large(600_000), large(600_000), large(600_000)], at(0)).await?;
    drain(&test, 3).await?;
    let refused = queue.send_all(&[large(10), large(1_048_576)], at(0)).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    let refused = queue.send(&owner("user/ada"), &"x".repeat(1_048_576)).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    assert_eq!(test.left().await?, (0, 0), "nothing was sent");
    Ok(())
}

#[tokio::test]
async fn a_delayed_message_is_not_there_at_once() -> Result<()> {
    let (queue, test) = queue::<String>().await?;
    queue.send_after(&owner("user/ada"), &"later".to_owned(), Duration::from_millis(1500)).await?;
    assert!(test.receive().await?.is_empty());
    assert_eq!(test.left().await?, (1, 0));
    let message = testkit::wait::until("the delayed message", Duration::from_secs(10), || async {
        Ok(test.receive().await?.pop())
    });
    test.delete(&message.await?).await?;
    Ok(())
}

#[tokio::test]
async fn a_message_arrives_when_its_call_is_due_and_takes_its_attempts_along() -> Result<()> {
    let (queue, test) = queue::<String>().await?;
    let now = SystemClock.now();
    queue.send_all(&[of_ada("first").at(now + TimeDelta::milliseconds(1200))], now).await?;
    assert!(test.receive().await?.is_empty());
    let come =
        || testkit::wait::until("the message", Duration::from_secs(10), || async { Ok(test.receive().await?.pop()) });
    let first = come().await?;
    assert_eq!(first.carried[SLOT], (now + TimeDelta::milliseconds(1200)).timestamp_millis().to_string());
    assert!(!first.carried.contains_key(SPENT));
    test.delete(&first).await?;
    let again = Again {
        group: first.attributes["MessageGroupId"].clone(),
        body: first.body.clone(),
        delay: Duration::ZERO,
        slot: None,
        spent: 2,
    };
    assert!(queue.send_again(&[again], now).await.is_empty());
    let second = come().await?;
    assert_eq!((second.body, second.carried[SPENT].as_str()), (first.body, "2"));
    assert_eq!(second.attributes["MessageGroupId"], "user/ada");
    Ok(())
}

#[tokio::test]
async fn a_failed_message_comes_back_after_the_back_off_and_ends_among_the_dead() -> Result<()> {
    let (queue, test) = queue::<String>().await?;
    queue.send(&owner("user/ada"), &"poison".to_owned()).await?;
    for attempt in 1..=test.attempts {
        let message =
            testkit::wait::until("the message", Duration::from_secs(15), || async { Ok(test.receive().await?.pop()) });
        let message = message.await?;
        assert_eq!(message.attributes["ApproximateReceiveCount"], attempt.to_string());
        let handle = message.receipt.as_deref().context("a receipt")?;
        assert_eq!(queue.retry_later(&[(handle.to_owned(), attempt)]).await?, 0);
    }
    testkit::wait::until("the dead letter", Duration::from_secs(15), || async {
        assert!(test.receive().await?.is_empty(), "its attempts were spent");
        Ok((test.left().await? == (0, 1)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_stale_receipt_and_a_missing_queue_are_refused() -> Result<()> {
    let (queue, _) = queue::<String>().await?;
    let unchanged = queue.retry_later(&[("no such receipt".to_owned(), 1)]).await;
    assert!(!matches!(unchanged, Ok(0)), "{unchanged:?}");
    let emulator = Emulator::connect().await?;
    let url = format!("{}/000000000000/it-nowhere", emulator.endpoint());
    let backoff = Backoff { base: Duration::from_secs(1), attempts: 3 };
    let nowhere = Queue::<String>::new(emulator.sqs.clone(), url, backoff);
    let failed = nowhere.send(&owner("user/ada"), &"x".to_owned()).await;
    assert!(matches!(failed, Err(Error::Refused(_))), "{failed:?}");
    let failed = nowhere.send_all(&[of_ada("x")], at(0)).await;
    assert!(matches!(failed, Err(Error::Refused(_))), "{failed:?}");
    Ok(())
}
