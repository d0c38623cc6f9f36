//! Resources whose content takes more calls than one message makes: fetched part by part over several messages, delivered once and whole,
//! whatever is repeated or lost on the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use connections::{Connections, Enter, Settings};
use domain::message::{ResourceAction, ResourceMessage};
use domain::resource::{RecordState, ResourceKind};
use domain::{
    AccountId, Clock as _, Integration, IntegrationConfig, ProviderId, Resource, SystemClock, Timestamp, UserId,
};
use lambda::sqs::Message;
use providers::credentials::{Credentials, Field};
use providers::provider::{
    Access, Account, Body, BrowseRequest, Choices, FetchRequest, Fetched, ListRequest, Manifest, Page, Provider,
};
use providers::{Http, Kind, ProviderError, Registry};
use resource_worker::{Config, ResourceWorker, SinkChoice};
use store::Store;
use testkit::emulator::Emulator;
use vault::Vault;

use crate::sample::{at, external_id};

/// Calls that one part makes.
const CALLS: u32 = 3;
/// Parts of the page.
const PARTS: usize = 5;

/// Where each fetch was to go on, and how many calls it might make.
type Asked = Vec<(Option<String>, u32)>;

/// A provider with one page, which comes in parts and may lose its place.
struct Parted {
    drive: providers::google_drive::GoogleDrive,
    /// Where each fetch was to go on, with the calls it was given.
    asked: Arc<Mutex<Asked>>,
    /// How often it no longer knows where the third part begins.
    forgets: Arc<Mutex<u32>>,
}

const FORM: Credentials =
    Credentials { fields: &[Field { name: "key", title: "Key", description: "A key.", secret: true }] };

fn page(revision: &str) -> Resource {
    Resource {
        external_id: external_id("page"),
        kind: ResourceKind::Page,
        name: "A long page".to_owned(),
        mime_type: None,
        revision: revision.to_owned(),
        bytes: None,
        url: None,
        parent_id: None,
        author: None,
        created_at: at(1),
        updated_at: at(2),
        metadata: Default::default(),
    }
}

#[async_trait::async_trait]
impl Provider for Parted {
    fn manifest(&self) -> &'static Manifest {
        self.drive.manifest()
    }

    fn config_schema(&self) -> serde_json::Value {
        self.drive.config_schema()
    }

    fn check_config(&self, config: &IntegrationConfig) -> Result<(), String> {
        self.drive.check_config(config)
    }

    async fn test_connection(&self, _: &Access) -> Result<Account, ProviderError> {
        Ok(Account { id: AccountId::new("account").unwrap(), name: None })
    }

    async fn start_cursor(&self, _: &Access, _: &IntegrationConfig) -> Result<String, ProviderError> {
        Ok("cursor".to_owned())
    }

    async fn list(&self, _: &Access, _: ListRequest<'_>) -> Result<Page, ProviderError> {
        Ok(Page::default())
    }

    async fn fetch(&self, _: &Access, request: FetchRequest<'_>) -> Result<Fetched, ProviderError> {
        self.asked.lock().unwrap().push((request.resume.map(str::to_owned), request.calls));
        let number: usize = request.resume.map_or(0, |resume| resume.parse().unwrap());
        let mut forgets = self.forgets.lock().unwrap();
        if number == 2 && *forgets > 0 {
            *forgets -= 1;
            return Err(ProviderError::new(ProviderId::GoogleDrive, Kind::CursorExpired));
        }
        let next = Some(number + 1).filter(|next| *next < PARTS).map(|next| next.to_string());
        // It is edited while it is read: what was seen first is what is recorded, so that the edit is found later.
        let resource = page(if number == 0 { "first" } else { "edited" });
        Ok(Fetched { resource, body: Body::Text(format!("part {number};")), next })
    }

    fn fetch_calls(&self, _: Option<&Resource>) -> u32 {
        CALLS
    }

    async fn browse(&self, _: &Access, _: BrowseRequest<'_>) -> Result<Choices, ProviderError> {
        Ok(Choices::default())
    }

    fn credentials(&self) -> Option<&'static Credentials> {
        Some(&FORM)
    }
}

/// A worker, with an account connected.
struct World {
    s3: sink::S3Client,
    store: Store,
    worker: ResourceWorker,
    integration: Integration,
    bucket: String,
    asked: Arc<Mutex<Asked>>,
    forgets: Arc<Mutex<u32>>,
}

impl World {
    async fn new() -> Result<Self> {
        let emulator = Emulator::connect().await?;
        let (tables, key) = (emulator.tables().await?, emulator.key().await?);
        let (s3, bucket) = emulator.bucket().await?;
        let (asked, forgets) = (Arc::default(), Arc::default());
        let registry = |asked: &Arc<_>, forgets: &Arc<_>| {
            let drive = providers::google_drive::GoogleDrive::new(Http::new());
            let provider = Parted { drive, asked: Arc::clone(asked), forgets: Arc::clone(forgets) };
            Registry::new(Http::new()).serving(Arc::new(provider))
        };
        let clock = SystemClock::shared();
        let connections = Connections::new(
            emulator.store(&tables),
            Vault::new(emulator.kms.clone(), key.clone(), clock.clone()),
            Settings::new(emulator.secrets.clone(), "nowhere/".to_owned(), Duration::from_secs(60), clock.clone()),
            Arc::new(registry(&asked, &forgets)),
            clock,
        );
        let entered = BTreeMap::from([("key".to_owned(), "a key".into())]);
        let (owner, user) = ("user/ada".parse()?, UserId::new("ada")?);
        let integration = connections.enter(Enter { owner, user, provider: ProviderId::GoogleDrive, entered }).await?;
        let config = Config {
            tables: tables.clone(),
            resource_queue_url: emulator.queue("ResourceQueue").await?.url,
            webhook_queue_url: emulator.queue("ResourceWebhookQueue").await?.url,
            sync_queue_url: emulator.queue("SyncQueue").await?.url,
            token_key_id: key,
            secret_prefix: "nowhere/".to_owned(),
            settings_ttl: Duration::from_secs(60),
            content_bucket: bucket.clone(),
            sink: SinkChoice::S3 { bucket: bucket.clone(), bus: "default".to_owned() },
        };
        let worker = ResourceWorker::over(&config, emulator.config(), registry(&asked, &forgets));
        let store = emulator.store(&tables);
        Ok(Self { s3, store, worker, integration, bucket, asked, forgets })
    }

    fn first(&self) -> ResourceMessage {
        ResourceMessage {
            integration: self.integration.reference(),
            run: None,
            external_id: external_id("page"),
            action: ResourceAction::fresh(),
        }
    }

    /// Has the worker work on a message when its call is due: the message that is sent in its place, if one is.
    async fn work_on(
        &self,
        body: ResourceMessage,
        slot: Option<Timestamp>,
    ) -> Result<Option<(ResourceMessage, Option<Timestamp>)>> {
        let wait = slot.and_then(|slot| (slot - SystemClock.now()).to_std().ok()).unwrap_or_default();
        tokio::time::sleep(wait).await;
        let deadline = SystemClock.now() + TimeDelta::seconds(60);
        let message = Message { body, id: "m".to_owned(), queue: "q".to_owned(), attempt: 1, slot, deadline };
        match self.worker.run(vec![message]).await.pop().context("a result")? {
            Ok(()) => Ok(None),
            Err(error) => {
                let slot = error.slot;
                let instead = error
                    .instead
                    .with_context(|| format!("it failed: {}", lambda::telemetry::chain(error.source.as_ref())))?;
                Ok(Some((serde_json::from_str(&instead)?, slot)))
            }
        }
    }

    /// Has it work until nothing is sent any more; how many messages that took.
    async fn to_the_end(&self, mut message: ResourceMessage) -> Result<usize> {
        let mut slot = None;
        for turns in 1..50 {
            match self.work_on(message, slot).await? {
                None => return Ok(turns),
                Some((next, due)) => {
                    assert!(due.is_some(), "the calls of the next part are reserved");
                    (message, slot) = (next, due);
                }
            }
        }
        anyhow::bail!("it does not end")
    }

    /// The objects in the bucket, by key.
    async fn objects(&self) -> Result<BTreeMap<String, serde_json::Value>> {
        let mut objects = BTreeMap::new();
        for object in self.s3.list_objects_v2().bucket(&self.bucket).send().await?.contents() {
            let key = object.key().context("an object without a key")?;
            let got = self.s3.get_object().bucket(&self.bucket).key(key).send().await?;
            let bytes = got.body.collect().await?.into_bytes();
            objects.insert(key.to_owned(), serde_json::from_slice(&bytes).context("a part is left")?);
        }
        Ok(objects)
    }

    /// Checks that the page is delivered whole, recorded as it was first seen, and that no part is left.
    async fn assert_whole(&self) -> Result<()> {
        let whole: String = (0..PARTS).map(|number| format!("part {number};")).collect();
        let objects = self.objects().await?;
        let [(key, page)] = objects.iter().collect::<Vec<_>>().try_into().map_err(|all| anyhow::anyhow!("{all:?}"))?;
        assert!(key.ends_with("/page.json"), "{key}");
        assert_eq!(page["content"], whole);
        let id = external_id("page");
        let records = self.store.get_records(self.integration.id, std::slice::from_ref(&id)).await?;
        let record = records.get(&id).context("a record")?;
        assert_eq!((record.state, record.revision.as_str()), (RecordState::Synced, "first"));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_many_calls_is_fetched_over_several_messages_and_delivered_whole() -> Result<()> {
    let world = World::new().await?;
    assert_eq!(world.to_the_end(world.first()).await?, PARTS);
    world.assert_whole().await?;
    let asked = world.asked.lock().unwrap().clone();
    let expected: Vec<_> = (0..PARTS)
        .map(|number| (Some(number).filter(|number| *number > 0).map(|number| number.to_string()), CALLS))
        .collect();
    assert_eq!(asked, expected, "each part once, with the calls that are reserved for it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_02_a_part_that_is_fetched_twice_stands_in_the_text_once() -> Result<()> {
    let world = World::new().await?;
    let (second, due) = world.work_on(world.first(), None).await?.context("it goes on")?;
    let (third, _) = world.work_on(second.clone(), due).await?.context("it goes on")?;
    // The queue delivers the second message again, and a third has been sent already: both go on to the end.
    let again = world.to_the_end(second).await?;
    world.assert_whole().await?;
    assert_eq!(again, PARTS - 1);
    world.to_the_end(third).await?;
    world.assert_whole().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_has_lost_the_place_is_read_from_the_beginning_a_few_times() -> Result<()> {
    let world = World::new().await?;
    *world.forgets.lock().unwrap() = 2;
    world.to_the_end(world.first()).await?;
    world.assert_whole().await?;

    *world.forgets.lock().unwrap() = u32::MAX;
    world.to_the_end(world.first()).await?;
    let id = external_id("page");
    let records = world.store.get_records(world.integration.id, std::slice::from_ref(&id)).await?;
    let record = records.get(&id).context("a record")?;
    assert_eq!(
        (record.state, record.code.as_deref(), record.retriable),
        (RecordState::Failed, Some("unfinished"), true)
    );
    assert!(record.content_hash.is_some(), "what was delivered before stays");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn several_words_of_one_change_cost_one_fetch() -> Result<()> {
    let world = World::new().await?;
    let arrived = SystemClock.now();
    let word = || ResourceMessage { action: ResourceAction::announced(arrived), ..world.first() };
    world.to_the_end(word()).await?;
    let fetched = world.asked.lock().unwrap().len();
    assert_eq!(world.to_the_end(word()).await?, 1);
    assert_eq!(world.asked.lock().unwrap().len(), fetched, "what was observed after the word arrived shows the change");
    let later = ResourceMessage { action: ResourceAction::announced(SystemClock.now()), ..world.first() };
    world.to_the_end(later).await?;
    assert_eq!(world.asked.lock().unwrap().len(), 2 * fetched);
    Ok(())
}
