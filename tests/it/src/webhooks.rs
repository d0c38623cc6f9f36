//! Receiving deliveries: what is acknowledged is stored, what is stored is stored once, and what cannot be stored comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use connections::{SecretsClient, Settings};
use domain::message::{Body, IntegrationRef, WebhookMessage};
use domain::subscription::Subscription;
use domain::testing::ManualClock;
use domain::{Clock as _, ProviderId};
use futures::StreamExt as _;
use providers::http::Http;
use providers::{Delivery, Registry};
use queue::{Backoff, Queue};
use sha2::{Digest as _, Sha256};
use sink::{Bodies, S3Client};
use store::Store;
use testkit::emulator::{Emulator, TestQueue};
use webhook::{Answer, Receiver};

use crate::proxy::Proxy;
use crate::sample::{at, connected, integration};

const DRIVE: &str = "google_drive";

/// A receiver with a proxy before everything that it calls but the bucket.
pub struct Setup {
    pub proxy: Proxy,
    pub clock: ManualClock,
    /// Past the proxy.
    pub store: Store,
    /// Past the proxy.
    pub emulator: Emulator,
    pub through: Emulator,
    pub tables: store::Tables,
    pub queue: TestQueue,
    pub receiver: Receiver,
    pub s3: S3Client,
    pub bucket: String,
}

impl Setup {
    pub async fn new() -> Result<Self> {
        let emulator = Emulator::connect().await?;
        let (s3, bucket) = emulator.bucket().await?;
        Self::with_bucket(emulator, s3, bucket).await
    }

    async fn with_bucket(emulator: Emulator, s3: S3Client, bucket: String) -> Result<Self> {
        let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
        let (tables, queue) = (emulator.tables().await?, emulator.queue("WebhookQueue").await?);
        let (through, clock) = (emulator.through(&address), ManualClock::at(at(0)));
        let shared: Arc<ManualClock> = Arc::new(clock.clone());
        // Drive's deliveries need no secret, so nobody may ask for one.
        let secrets = SecretsClient::new(&testkit::nowhere::aws_config());
        let client = s3.clone();
        let receiver = Receiver::new(
            through.store(&tables),
            Queue::new(through.sqs.clone(), queue.url.clone(), backoff(queue.attempts)),
            Bodies::new(move || client.clone(), bucket.clone()),
            Settings::new(secrets, String::new(), Duration::from_secs(60), shared.clone()),
            Arc::new(Registry::new(Http::new())),
            shared,
        );
        let store = emulator.store(&tables);
        Ok(Self { proxy, clock, store, emulator, through, tables, queue, receiver, s3, bucket })
    }

    /// A channel of an owner's new integration.
    pub async fn channel(&self, whose: &str) -> Result<Channel> {
        let reference = connected(&self.store, whose).await?.reference();
        self.channel_of(reference).await
    }

    /// Another channel of an integration.
    pub async fn channel_of(&self, reference: IntegrationRef) -> Result<Channel> {
        let id = format!("{}-{}", reference.integration_id, domain::JobId::new(self.clock.now()));
        let subscription = Subscription {
            id: id.clone(),
            integration_id: reference.integration_id,
            scope: "user".to_owned(),
            provider_id: Some("resource".to_owned()),
            token_sha256: Sha256::digest("token").into(),
            created_at: self.clock.now(),
            expires_at: None,
            heard_at: None,
            doubt: None,
        };
        self.store.save_subscription(&reference, &subscription).await?;
        Ok(Channel { reference, id })
    }

    pub async fn receive(&self, delivery: &Delivery) -> Answer {
        self.receiver.receive(DRIVE, None, delivery.clone()).await
    }

    /// Takes everything off the queue.
    pub async fn drain(&self) -> Result<Vec<WebhookMessage>> {
        let mut all = Vec::new();
        while self.queue.left().await?.0 > 0 {
            for message in self.queue.receive().await? {
                all.push(serde_json::from_str(&message.body).context("a message of another kind")?);
                self.queue.delete(&message).await?;
            }
        }
        Ok(all)
    }
}

pub fn backoff(attempts: u32) -> Backoff {
    Backoff { base: Duration::from_secs(1), attempts }
}

/// A channel as the provider knows it.
#[derive(Clone)]
pub struct Channel {
    pub reference: IntegrationRef,
    pub id: String,
}

impl Channel {
    /// The channel's delivery of this number.
    pub fn delivery(&self, number: u32) -> Delivery {
        let headers = [
            ("x-goog-channel-id", self.id.clone()),
            ("x-goog-channel-token", "token".to_owned()),
            ("x-goog-resource-id", "resource".to_owned()),
            ("x-goog-resource-state", "change".to_owned()),
            ("x-goog-message-number", number.to_string()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        Delivery { headers: BTreeMap::from(headers), body: Vec::new() }
    }
}

/// Which delivery a message carries: its channel and number.
fn name(message: &WebhookMessage) -> (String, String) {
    let header = |name: &str| message.headers.get(name).cloned().unwrap_or_default();
    (header("x-goog-channel-id"), header("x-goog-message-number"))
}

#[tokio::test]
async fn a_delivery_costs_one_read_one_message_and_one_write() -> Result<()> {
    let setup = Setup::new().await?;
    let delivery = setup.channel("user/ada").await?.delivery(1);
    let calls = |calls: &[&str]| calls.iter().map(|name| ((*name).to_owned(), 1)).collect::<Vec<_>>();
    assert_eq!(setup.receive(&delivery).await, Answer::Received);
    assert_eq!(setup.proxy.tally(), calls(&["BatchGetItem", "PutItem", "SendMessage"]));
    assert_eq!(setup.receive(&delivery).await, Answer::Received);
    assert_eq!(setup.proxy.tally(), calls(&["BatchGetItem"]), "a repetition");
    let mut forged = delivery.clone();
    forged.headers.insert("x-goog-channel-token".to_owned(), "tokem".to_owned());
    assert_eq!(setup.receive(&forged).await, Answer::InvalidSignature);
    assert_eq!(setup.proxy.tally(), calls(&["BatchGetItem"]), "a forgery");
    let [message] = setup.drain().await?.try_into().ok().context("one message")?;
    assert!(!message.headers.contains_key("x-goog-channel-token"), "{:?}", message.headers.keys());
    Ok(())
}

#[tokio::test]
async fn guarantee_31_with_the_queue_down_a_delivery_is_refused_and_accepted_once_when_it_comes_again() -> Result<()> {
    let setup = Setup::new().await?;
    let delivery = setup.channel("user/ada").await?.delivery(1);
    setup.proxy.refuse("SendMessage", u32::MAX);
    assert_eq!(setup.receive(&delivery).await, Answer::Unavailable);
    assert_eq!(setup.receive(&delivery).await, Answer::Unavailable, "it is not taken for a repetition");
    assert_eq!(setup.queue.left().await?, (0, 0));
    setup.proxy.refuse("SendMessage", 0);
    assert_eq!(setup.receive(&delivery).await, Answer::Received);
    assert_eq!(setup.receive(&delivery).await, Answer::Received);
    assert_eq!(setup.drain().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn guarantee_31_with_a_table_down_nothing_is_acknowledged_that_is_not_stored() -> Result<()> {
    let setup = Setup::new().await?;
    let channel = setup.channel("user/ada").await?;
    setup.proxy.refuse("BatchGetItem", u32::MAX);
    assert_eq!(setup.receive(&channel.delivery(1)).await, Answer::Unavailable);
    assert_eq!(setup.queue.left().await?, (0, 0));
    setup.proxy.refuse("BatchGetItem", 0);
    setup.proxy.refuse("PutItem", u32::MAX);
    assert_eq!(setup.receive(&channel.delivery(1)).await, Answer::Received, "it is stored, if not remembered");
    setup.proxy.refuse("PutItem", 0);
    assert_eq!(setup.receive(&channel.delivery(1)).await, Answer::Received);
    assert_eq!(setup.receive(&channel.delivery(1)).await, Answer::Received);
    let names: BTreeSet<_> = setup.drain().await?.iter().map(name).collect();
    assert_eq!(names.len(), 1);
    Ok(())
}

#[tokio::test]
async fn guarantee_32_a_replay_has_no_second_effect() -> Result<()> {
    let setup = Setup::new().await?;
    let (ada, bob) = (setup.channel("user/ada").await?, setup.channel("user/bob").await?);
    let delivery = ada.delivery(1);
    assert_eq!(setup.receive(&delivery).await, Answer::Received);
    for later in [TimeDelta::seconds(1), TimeDelta::minutes(6), TimeDelta::days(6)] {
        setup.clock.advance(later);
        assert_eq!(setup.receive(&delivery).await, Answer::Received, "after {later}");
    }
    assert_eq!(setup.drain().await?.len(), 1);

    let to = async |integration: &str, delivery: &Delivery| {
        setup.receiver.receive(DRIVE, Some(integration), delivery.clone()).await
    };
    let (own, others) = (ada.reference.integration_id.to_string(), bob.reference.integration_id.to_string());
    assert_eq!(to(&own, &delivery).await, Answer::Received);
    assert_eq!(to(&others, &ada.delivery(2)).await, Answer::InvalidSignature, "to another integration's address");
    assert_eq!(to("nonsense", &ada.delivery(2)).await, Answer::InvalidSignature);
    let mut renamed = ada.delivery(2);
    renamed.headers.insert("x-goog-channel-id".to_owned(), format!("{}x", ada.id));
    assert_eq!(setup.receive(&renamed).await, Answer::InvalidSignature, "under a channel that does not exist");
    assert_eq!(setup.receiver.receive("dropbox", None, delivery).await, Answer::UnknownProvider);
    assert_eq!(setup.queue.left().await?, (0, 0), "nothing of this was stored");
    Ok(())
}

#[tokio::test]
async fn guarantee_33_equal_numbers_of_other_hooks_and_of_a_hook_made_anew_are_deliveries_of_their_own() -> Result<()> {
    let setup = Setup::new().await?;
    let (ada, bob) = (setup.channel("user/ada").await?, setup.channel("user/bob").await?);
    let anew = setup.channel_of(ada.reference.clone()).await?;
    for channel in [&ada, &bob, &anew] {
        for number in [1, 2, 3] {
            assert_eq!(setup.receive(&channel.delivery(number)).await, Answer::Received);
            assert_eq!(setup.receive(&channel.delivery(number)).await, Answer::Received);
        }
    }
    let messages = setup.drain().await?;
    assert_eq!(messages.len(), 9);
    assert_eq!(messages.iter().map(name).collect::<BTreeSet<_>>().len(), 9);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_30_of_a_flood_every_acknowledged_delivery_is_on_the_queue_once() -> Result<()> {
    const FLOOD: u32 = 800;
    const OTHERS: u32 = 50;
    const REPEATED: u32 = 300;
    let setup = Setup::new().await?;
    let (flooder, other) = (setup.channel("user/flooder").await?, setup.channel("user/other").await?);
    let all_at_once = async |deliveries: Vec<Delivery>| -> usize {
        let answers = futures::stream::iter(deliveries).map(|delivery| {
            let receiver = setup.receiver.clone();
            async move { receiver.receive(DRIVE, None, delivery).await }
        });
        let answers: Vec<_> = answers.buffer_unordered(64).collect().await;
        answers.iter().filter(|answer| **answer == Answer::Received).count()
    };
    let mut first: Vec<_> = (0..FLOOD).map(|number| flooder.delivery(number)).collect();
    first.extend((0..OTHERS).map(|number| other.delivery(number)));
    let mut second: Vec<_> = (0..REPEATED).map(|number| flooder.delivery(number * 2)).collect();
    second.extend((FLOOD..FLOOD + OTHERS).map(|number| flooder.delivery(number)));
    let acked = all_at_once(first).await + all_at_once(second).await;
    assert_eq!(acked, (FLOOD + OTHERS + REPEATED + OTHERS) as usize, "all are acknowledged");

    let mut groups = BTreeMap::new();
    let mut names = BTreeSet::new();
    let mut enqueued = 0;
    while setup.queue.left().await?.0 > 0 {
        for message in setup.queue.receive().await? {
            *groups.entry(message.attributes["MessageGroupId"].clone()).or_insert(0) += 1;
            names.insert(name(&serde_json::from_str(&message.body)?));
            enqueued += 1;
            setup.queue.delete(&message).await?;
        }
    }
    assert_eq!(names.len(), (FLOOD + OTHERS + OTHERS) as usize, "each delivery is there");
    assert_eq!(enqueued, acked - REPEATED as usize, "acknowledged is enqueued and deduplicated");
    let expected = [("user/flooder".to_owned(), FLOOD + OTHERS), ("user/other".to_owned(), OTHERS)];
    assert_eq!(groups, BTreeMap::from(expected), "each owner queues up behind itself");
    Ok(())
}

#[tokio::test]
async fn guarantee_22_a_delivery_that_no_message_holds_goes_by_the_bucket() -> Result<()> {
    let setup = Setup::new().await?;
    let channel = setup.channel("user/ada").await?;
    let mut large = channel.delivery(1);
    large.body = (0..6 * 1024 * 1024_u32).map(|place| place.to_le_bytes()[0] | 1).collect();
    assert_eq!(setup.receive(&large).await, Answer::Received);
    assert_eq!(setup.receive(&large).await, Answer::Received);
    let [message] = setup.drain().await?.try_into().ok().context("one message")?;
    let Body::Object(key) = &message.body else { panic!("the body is in the message") };
    assert!(key.starts_with("webhooks/2100-01-01/"), "{key}");
    let stored = setup.s3.get_object().bucket(&setup.bucket).key(key).send().await?.body.collect().await?;
    assert_eq!(stored.to_vec(), large.body);

    let mut forged = large.clone();
    forged.headers.insert("x-goog-channel-token".to_owned(), "tokem".to_owned());
    assert_eq!(setup.receive(&forged).await, Answer::InvalidSignature);
    let mut too_large = channel.delivery(2);
    too_large.body = vec![b' '; webhook::receive::LARGEST_BODY_BYTES + 1];
    assert_eq!(setup.receive(&too_large).await, Answer::TooLarge);
    let objects = setup.s3.list_objects_v2().bucket(&setup.bucket).send().await?;
    assert_eq!(objects.contents().len(), 1, "what is refused is not stored");
    Ok(())
}

#[tokio::test]
async fn guarantee_31_with_the_bucket_down_a_large_delivery_is_refused_and_a_small_one_is_not() -> Result<()> {
    let nowhere = S3Client::new(&testkit::nowhere::aws_config());
    let setup = Setup::with_bucket(Emulator::connect().await?, nowhere, "nowhere".to_owned()).await?;
    let channel = setup.channel("user/ada").await?;
    let mut large = channel.delivery(1);
    large.body = vec![b' '; 1024 * 1024];
    assert_eq!(setup.receive(&large).await, Answer::Unavailable);
    assert_eq!(setup.receive(&channel.delivery(2)).await, Answer::Received);
    assert_eq!(setup.drain().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_subscription_of_another_provider_or_a_gone_one_verifies_nothing() -> Result<()> {
    let setup = Setup::new().await?;
    let channel = Channel { reference: integration("user/ada").reference(), id: "x".repeat(65) };
    assert_eq!(setup.receive(&channel.delivery(1)).await, Answer::InvalidSignature);
    let gone = setup.channel("user/bob").await?;
    setup.store.delete_subscription(gone.reference.integration_id, &gone.id).await?;
    assert_eq!(setup.receive(&gone.delivery(1)).await, Answer::InvalidSignature);
    assert_eq!(gone.reference.provider, ProviderId::GoogleDrive);
    assert_eq!(setup.queue.left().await?, (0, 0));
    Ok(())
}
