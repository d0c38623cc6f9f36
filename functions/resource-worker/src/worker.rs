//! A batch of messages, whatever they are about: grouped by integration, worked on, reported. Knows nothing of Lambda.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use connections::{Connections, SecretsClient, Settings};
use domain::clock::SharedClock;
use domain::job::JobError;
use domain::message::{IntegrationRef, ResourceMessage, SyncMessage};
use domain::{ExternalId, IntegrationId, SystemClock};
use integrations::Syncs;
use lambda::sqs::{Message, Queues};
use queue::{Backoff, Queue};
use sink::{Parts, S3Client, Sink};
use store::Store;
use tokio::sync::Semaphore;
use vault::Vault;

use crate::batch::Ended;
use crate::config::Config;
use crate::delivery::open;
use crate::failure::ATTEMPTS;
use crate::fetch::Time;

/// Both lanes' first back-off; it doubles.
const BACKOFF: Duration = Duration::from_secs(2);
/// The sync queue's first back-off. Nothing is tried again there by this function; it only sends.
const SYNC_BACKOFF: Duration = Duration::from_secs(5);
/// Files read at once. Each may take some megabytes of memory; the function has 256.
const READERS: usize = 2;

/// Works on resources. One per process.
pub struct ResourceWorker {
    pub(crate) store: Store,
    pub(crate) connections: Connections,
    pub(crate) syncs: Syncs,
    pub(crate) registry: Arc<providers::Registry>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) sync_queue: Queue<SyncMessage>,
    pub(crate) parts: Parts,
    pub(crate) readers: Arc<Semaphore>,
    pub(crate) clock: SharedClock,
    sqs: queue::Client,
    webhook_queue: String,
}

/// A batch's messages, each with its place.
type Placed = Vec<(usize, Message<ResourceMessage>)>;

impl ResourceWorker {
    /// Puts the worker together. Makes no call.
    #[must_use]
    pub fn new(config: &Config, aws: &lambda::AwsConfig) -> Self {
        let http = providers::Http::with_clock(SystemClock::shared());
        Self::over(config, aws, providers::Registry::new(http))
    }

    /// The same, over these providers. Makes no call.
    #[must_use]
    pub fn over(config: &Config, aws: &lambda::AwsConfig, registry: providers::Registry) -> Self {
        let (clock, registry) = (SystemClock::shared(), Arc::new(registry));
        let store = Store::new(store::Client::new(aws), config.tables.clone());
        let sqs = queue::Client::new(aws);
        let backoff = Backoff { base: SYNC_BACKOFF, attempts: ATTEMPTS };
        let sync_queue = Queue::new(sqs.clone(), config.sync_queue_url.clone(), backoff);
        let vault = Vault::new(vault::Client::new(aws), config.token_key_id.clone(), clock.clone());
        let settings =
            Settings::new(SecretsClient::new(aws), config.secret_prefix.clone(), config.settings_ttl, clock.clone());
        let sink = open(&config.sink, aws, &store, config.settings_ttl, &clock);
        Self {
            connections: Connections::new(store.clone(), vault, settings, registry.clone(), clock.clone()),
            syncs: Syncs::new(store.clone(), sync_queue.clone(), registry.clone(), clock.clone()),
            sink,
            parts: {
                let aws = aws.clone();
                Parts::new(move || S3Client::new(&aws), config.content_bucket.clone())
            },
            readers: Arc::new(Semaphore::new(READERS)),
            store,
            registry,
            sync_queue,
            clock,
            sqs,
            webhook_queue: config.webhook_queue_url.clone(),
        }
    }

    /// The queues that feed it.
    #[must_use]
    pub fn queues(&self, config: &Config) -> Queues<ResourceMessage> {
        let backoff = Backoff { base: BACKOFF, attempts: ATTEMPTS };
        Queues::by_url(
            [&config.resource_queue_url, &config.webhook_queue_url]
                .map(|url| (url.clone(), Queue::new(self.sqs.clone(), url.clone(), backoff))),
        )
    }

    /// Whether a queue of this name is the lane of what webhooks announce.
    pub(crate) fn is_webhook_lane(&self, queue: &str) -> bool {
        self.webhook_queue.rsplit('/').next() == Some(queue)
    }

    /// Works on a batch; one result for each message, in their order.
    pub async fn run(&self, messages: Vec<Message<ResourceMessage>>) -> Vec<Result<(), JobError>> {
        let mut results: Vec<Result<(), JobError>> = messages.iter().map(|_| Err(JobError::retry(Unreached))).collect();
        let Some(deadline) = messages.iter().map(|message| message.deadline).min() else { return results };
        let time = Time::new(self.clock.clone(), deadline);
        for wave in waves(messages) {
            let groups = by_integration(wave);
            let work =
                groups.into_iter().map(|(reference, group)| self.work_and_report(reference, group, time.clone()));
            for end in futures::future::join_all(work).await.into_iter().flatten() {
                if let Some(result) = results.get_mut(end.place) {
                    *result = end.result;
                }
            }
        }
        results
    }

    async fn work_and_report(&self, reference: IntegrationRef, messages: Placed, time: Time) -> Vec<Ended> {
        let mut ended = self.work_on(&reference, messages, time).await;
        self.report(&reference, &mut ended).await;
        ended
    }
}

/// A message that no wave took up; it does not happen.
#[derive(Debug, thiserror::Error)]
#[error("the message was not worked on")]
struct Unreached;

/// Parts a batch so that no wave has two messages of one resource: they are worked on one after the other, since each decides by
/// the record that the other writes.
fn waves(messages: Vec<Message<ResourceMessage>>) -> Vec<Placed> {
    let mut seen: HashMap<(IntegrationId, ExternalId), usize> = HashMap::new();
    let mut waves: Vec<Placed> = Vec::new();
    for (place, message) in messages.into_iter().enumerate() {
        let key = (message.body.integration.integration_id, message.body.external_id.clone());
        let times = seen.entry(key).or_default();
        match waves.get_mut(*times) {
            Some(wave) => wave.push((place, message)),
            None => waves.push(vec![(place, message)]),
        }
        *times += 1;
    }
    waves
}

/// Messages by the integration that they name in full.
fn by_integration(messages: Placed) -> Vec<(IntegrationRef, Placed)> {
    let mut groups: Vec<(IntegrationRef, Placed)> = Vec::new();
    for (place, message) in messages {
        match groups.iter_mut().find(|(reference, _)| *reference == message.body.integration) {
            Some((_, group)) => group.push((place, message)),
            None => groups.push((message.body.integration.clone(), vec![(place, message)])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::{at, integration};
    use domain::message::ResourceAction;

    fn message(owner: &str, id: &str) -> Message<ResourceMessage> {
        let integration = IntegrationRef { owner: owner.parse().unwrap(), ..integration().reference() };
        let body = ResourceMessage {
            integration,
            run: None,
            external_id: ExternalId::new(id).unwrap(),
            action: ResourceAction::fresh(),
        };
        Message { body, id: id.to_owned(), queue: String::new(), attempt: 1, slot: None, deadline: at(0) }
    }

    #[test]
    fn two_messages_of_one_resource_are_worked_on_one_after_the_other() {
        let batch = ["a", "b", "a", "c", "a"].map(|id| message("user/ada", id)).into();
        let places: Vec<Vec<usize>> =
            waves(batch).iter().map(|wave| wave.iter().map(|(place, _)| *place).collect()).collect();
        assert_eq!(places, [vec![0, 1, 3], vec![2], vec![4]]);
    }

    #[test]
    fn an_integration_is_read_once_for_all_its_messages() {
        let batch = vec![message("user/ada", "a"), message("user/eve", "a"), message("user/ada", "b")];
        let groups = by_integration(batch.into_iter().enumerate().collect());
        let sizes: Vec<usize> = groups.iter().map(|(_, group)| group.len()).collect();
        assert_eq!(sizes, [2, 1], "another owner's name is another integration");
    }
}
