//! `resource-worker` with each of its sinks: from a message to what the sink has, the record, and what the queue is told.

use std::time::Duration;

use anyhow::{Context as _, Result};
use domain::clock::Clock as _;
use domain::job::{Decision, JobError};
use domain::message::{ResourceAction, ResourceMessage};
use domain::resource::{DeleteReason, Record, RecordState};
use domain::{Integration, Resource, ResourceKind, StorageStrategy, SystemClock, Timestamp};
use lambda::sqs::Message;
use resource_worker::{Config, ResourceWorker, SinkChoice};
use store::Store;
use testkit::emulator::Emulator;
use testkit::sinks::{Cognia, Receiver, Trouble};

use crate::sample::{at, connected, external_id};

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SHARED: &str = "a-secret-of-at-least-thirty-two-bytes";

/// A worker, its tables, and ada's Drive.
struct Stage {
    store: Store,
    config: Config,
    aws: lambda::AwsConfig,
    worker: ResourceWorker,
    drive: Integration,
}

impl Stage {
    /// A stage with this sink; `choice` gets the name of a secret with this text.
    async fn new(secret: &str, choice: impl FnOnce(String) -> Result<SinkChoice>) -> Result<Self> {
        let emulator = Emulator::connect().await?;
        let tables = emulator.tables().await?;
        let store = emulator.store(&tables);
        let folder = emulator.secret("sink", secret).await?;
        let (resource, lane) = (emulator.queue("ResourceQueue").await?, emulator.queue("ResourceWebhookQueue").await?);
        let config = Config {
            tables,
            resource_queue_url: resource.url,
            webhook_queue_url: lane.url,
            sync_queue_url: emulator.queue("SyncQueue").await?.url,
            token_key_id: emulator.key().await?,
            secret_prefix: folder.clone(),
            settings_ttl: Duration::from_secs(60),
            content_bucket: emulator.bucket().await?.1,
            sink: choice(format!("{folder}sink"))?,
        };
        let aws = lambda::aws_config().await;
        let worker = ResourceWorker::new(&config, &aws);
        let drive = connected(&store, "user/ada").await?;
        Ok(Self { store, config, aws, worker, drive })
    }

    async fn http(receiver: &Receiver) -> Result<Self> {
        Self::new(&format!(r#"{{"signingSecret":"{SIGNING}"}}"#), |secret| {
            let url = receiver.url().parse()?;
            Ok(SinkChoice::Http { url, secret, embeds: false, patience: Duration::from_secs(3) })
        })
        .await
    }

    async fn cognia(cognia: &Cognia) -> Result<Self> {
        Self::new(&format!(r#"{{"jwtSecret":"{SHARED}"}}"#), |secret| {
            let (patience, slice) = (Duration::from_secs(3), Duration::from_secs(10));
            Ok(SinkChoice::Cognia { url: cognia.url().parse()?, secret, patience, slice })
        })
        .await
    }

    /// Another process of the same function.
    fn another(&self) -> ResourceWorker {
        ResourceWorker::new(&self.config, &self.aws)
    }

    fn message(&self, id: &str, attempt: u32, action: ResourceAction) -> Message<ResourceMessage> {
        let body =
            ResourceMessage { integration: self.drive.reference(), run: None, external_id: external_id(id), action };
        let deadline = SystemClock.now() + chrono::TimeDelta::seconds(60);
        Message { body, id: format!("{id}-{attempt}"), queue: String::new(), attempt, slot: None, deadline }
    }

    /// A resource with its text, as a listing brought it in that second.
    fn listed(&self, id: &str, text: &str, second: i64) -> Message<ResourceMessage> {
        self.message(id, 1, sync(id, text, second))
    }

    fn gone(&self, id: &str, second: i64) -> Message<ResourceMessage> {
        self.message(id, 1, ResourceAction::Delete { reason: DeleteReason::Trashed, at: at(second) })
    }

    async fn run(&self, message: Message<ResourceMessage>) -> Result<(), JobError> {
        self.worker.run(vec![message]).await.pop().unwrap()
    }

    async fn record(&self, id: &str) -> Result<Record> {
        let id = external_id(id);
        let mut records = self.store.get_records(self.drive.id, std::slice::from_ref(&id)).await?;
        records.remove(&id).context("no record")
    }
}

fn sync(id: &str, text: &str, second: i64) -> ResourceAction {
    let resource = Resource {
        external_id: external_id(id),
        kind: ResourceKind::Message,
        name: "Plan".to_owned(),
        mime_type: Some("text/plain".to_owned()),
        revision: second.to_string(),
        bytes: None,
        url: Some(format!("https://drive.example/{id}")),
        parent_id: None,
        author: None,
        created_at: at(0),
        updated_at: at(second),
        metadata: serde_json::Map::default(),
    };
    ResourceAction::Sync {
        resource: Some(Box::new(resource)),
        text: Some(text.to_owned()),
        listed_at: Some(at(second)),
        announced_at: None,
        progress: None,
    }
}

fn wait(result: Result<(), JobError>) -> Option<Duration> {
    match result {
        Err(JobError { decision: Decision::RetryAfter(wait), .. }) => Some(wait),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_gets_an_object_and_loses_it() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let (s3, bucket) = emulator.bucket().await?;
    let named = bucket.clone();
    let stage = Stage::new("{}", move |_| Ok(SinkChoice::S3 { bucket: named, bus: "default".to_owned() })).await?;
    stage.run(stage.listed("f1", "text", 1)).await?;
    let key = sink::object_key(&stage.drive.reference(), &external_id("f1"))?;
    let object = s3.get_object().bucket(&bucket).key(&key).send().await?.body.collect().await?.into_bytes();
    let object: serde_json::Value = serde_json::from_slice(&object)?;
    assert_eq!(object["content"], "text");
    stage.run(stage.gone("f1", 2)).await?;
    assert!(s3.get_object().bucket(&bucket).key(&key).send().await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_what_is_synced_and_hears_what_is_gone() -> Result<()> {
    let receiver = Receiver::start(SIGNING).await?;
    let stage = Stage::http(&receiver).await?;
    let batch = (0..10).map(|number| stage.listed(&format!("f{number}"), &format!("text {number}"), 1)).collect();
    for result in stage.worker.run(batch).await {
        result?;
    }
    let told = receiver.resources();
    assert_eq!((told.len(), &told["f7"]["text"]), (10, &"text 7".into()));
    assert_eq!(told["f7"]["observedAt"].as_str().and_then(|at| at.parse::<Timestamp>().ok()), Some(at(1)));
    let record = stage.record("f7").await?;
    assert_eq!((record.state, record.memory_id.as_deref()), (RecordState::Synced, Some("memory-of-f7")));
    stage.run(stage.gone("f7", 2)).await?;
    assert!(!receiver.resources().contains_key("f7"));
    assert_eq!(stage.record("f7").await?.state, RecordState::Deleted);
    assert_eq!(receiver.forged(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_16_a_sink_that_asks_to_wait_is_left_alone_by_everybody_and_no_attempt_is_spent() -> Result<()> {
    let receiver = Receiver::start(SIGNING).await?;
    let stage = Stage::http(&receiver).await?;
    receiver.troubles.next(Trouble::RetryAfter(429, "3"));
    let waited = wait(stage.run(stage.listed("f1", "text", 1)).await).context("no wait")?;
    assert!((3..8).contains(&waited.as_secs()), "{waited:?}");
    // Another process does not even ask.
    let other = stage.another();
    let result = other.run(vec![stage.listed("f2", "text", 1)]).await.remove(0);
    assert!(wait(result).is_some());
    assert_eq!(receiver.troubles.asked().len(), 1);
    testkit::wait::until("the wait is over", Duration::from_secs(20), async || {
        Ok(stage.run(stage.listed("f1", "text", 1)).await.is_ok().then_some(()))
    })
    .await?;
    assert_eq!(receiver.resources().len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_17_a_sink_that_is_down_is_tried_by_one_for_all_and_then_gets_everything() -> Result<()> {
    let receiver = Receiver::start(SIGNING).await?;
    let stage = Stage::http(&receiver).await?;
    receiver.troubles.always(Some(Trouble::Answer(500, "")));
    let batch = || (0..3).map(|number| stage.listed(&format!("f{number}"), "text", 1)).collect::<Vec<_>>();
    // Several that fail together are no fault of theirs, and five failures in a row open the circuit.
    for _ in 0..5 {
        for result in stage.worker.run(batch()).await {
            let Err(error) = result else { anyhow::bail!("delivered") };
            // What may have been touched spends the first attempt, and only that one.
            assert_eq!(error.decision, Decision::Retry);
        }
    }
    let asked = receiver.troubles.asked().len();
    for result in stage.another().run(batch()).await {
        assert!(wait(result).context("no wait")? <= Duration::from_secs(20));
    }
    assert_eq!(receiver.troubles.asked().len(), asked, "nobody calls while it is open");
    receiver.troubles.always(None);
    testkit::wait::until("the circuit closes", Duration::from_secs(60), async || {
        let results = stage.worker.run(batch()).await;
        Ok(results.iter().all(Result::is_ok).then_some(()))
    })
    .await?;
    assert_eq!(receiver.resources().len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_07_what_no_attempt_delivers_is_a_dead_letter_with_its_reason() -> Result<()> {
    let receiver = Receiver::start(SIGNING).await?;
    let stage = Stage::http(&receiver).await?;
    for attempt in 1..=3 {
        receiver.troubles.next(Trouble::Answer(500, "canary"));
        let error = stage.run(stage.message("f1", attempt, sync("f1", "text", 1))).await.unwrap_err();
        assert_eq!(error.decision, Decision::Retry, "so that it comes among the dead letters after the last");
        let reason = lambda::telemetry::chain(&error);
        assert!(reason.contains("500") && !reason.contains("canary"), "{reason}");
    }
    let record = stage.record("f1").await?;
    assert_eq!((record.state, record.code.as_deref()), (RecordState::Failed, Some("sink_unavailable")));
    assert!(record.retriable, "sent again, it is delivered");
    stage.run(stage.listed("f1", "text", 2)).await?;
    assert_eq!(stage.record("f1").await?.state, RecordState::Synced);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sink_blocks_is_shown_on_the_resource_and_not_tried_again() -> Result<()> {
    let receiver = Receiver::start(SIGNING).await?;
    let stage = Stage::http(&receiver).await?;
    receiver.troubles.next(Trouble::Answer(422, "{}"));
    stage.run(stage.listed("f1", "text", 1)).await?;
    let record = stage.record("f1").await?;
    assert_eq!(
        (record.state, record.code.as_deref(), record.retriable),
        (RecordState::Failed, Some("content_blocked"), false)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_references_an_address_gets_no_text() -> Result<()> {
    let receiver = Receiver::start(SIGNING).await?;
    let stage = Stage::http(&receiver).await?;
    stage.run(stage.listed("f1", "canary", 1)).await?;
    let settings = store::Settings {
        storage_strategy: StorageStrategy::MetadataOnly,
        sync_frequency: stage.drive.sync_frequency,
        config: stage.drive.config.clone(),
        due_at: stage.drive.due_at,
        full_next: true,
    };
    change(&stage, settings).await?;
    // The same content again: it is kept otherwise now, so it is told again.
    stage.run(stage.listed("f1", "canary", 2)).await?;
    let told = &receiver.resources()["f1"];
    assert_eq!((&told["text"], &told["keepText"]), (&serde_json::Value::Null, &false.into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cognia_gets_memories_that_resources_may_share() -> Result<()> {
    for queue in [None, Some(Duration::from_millis(50))] {
        let cognia = Cognia::start(SHARED, queue).await?;
        let stage = Stage::cognia(&cognia).await?;
        let deliver = async |message: fn(&Stage) -> Message<ResourceMessage>| {
            testkit::wait::until("the delivery", Duration::from_secs(30), async || {
                match stage.run(message(&stage)).await {
                    Ok(()) => Ok(Some(())),
                    Err(error) if matches!(error.decision, Decision::GiveUp | Decision::Poison) => Err(error.into()),
                    Err(_) => Ok(None),
                }
            })
            .await
        };
        deliver(|stage| stage.listed("f1", "the same words", 1)).await?;
        deliver(|stage| stage.listed("f2", "the same words", 1)).await?;
        let memories = cognia.memories("ada");
        assert_eq!(memories.len(), 1);
        let name = Some(memories[0].id.as_str());
        assert_eq!(
            (stage.record("f1").await?.memory_id.as_deref(), stage.record("f2").await?.memory_id.as_deref()),
            (name, name)
        );
        deliver(|stage| stage.gone("f1", 2)).await?;
        assert_eq!(cognia.memories("ada").len(), 1, "the other still needs it");
        deliver(|stage| stage.listed("f2", "edited words", 3)).await?;
        let texts: Vec<String> = cognia.memories("ada").into_iter().map(|memory| memory.content).collect();
        assert_eq!(texts, ["edited words"]);
        deliver(|stage| stage.gone("f2", 4)).await?;
        assert!(cognia.memories("ada").is_empty());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_43_what_cognia_blocks_is_named_by_its_kind_alone() -> Result<()> {
    let cognia = Cognia::start(SHARED, None).await?;
    let stage = Stage::cognia(&cognia).await?;
    stage.run(stage.listed("f1", "hers is 123-45-6789 as it happens", 1)).await?;
    let record = stage.record("f1").await?;
    assert_eq!(record.code.as_deref(), Some("content_blocked"));
    let reason = record.reason.context("no reason")?;
    assert!(reason.contains("us_ssn") && !reason.contains("123"), "{reason}");
    Ok(())
}

async fn change(stage: &Stage, settings: store::Settings) -> Result<()> {
    let reference = stage.drive.reference();
    let version = crate::sample::again(&stage.store, &reference).await?.version;
    assert_eq!(stage.store.save_settings(&reference, version, &settings, at(0)).await?, store::Saved::Yes);
    Ok(())
}
