//! Wires the function that works on webhooks.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use domain::SystemClock;
use domain::message::WebhookMessage;
use integrations::Syncs;
use lambda::sqs::Message;
use providers::Registry;
use providers::http::Http;
use queue::{Backoff, Queue};
use sink::{Bodies, S3Client};
use store::Store;
use webhook_worker::{Config, WebhookWorker};

/// Deliveries worked on at once; the size of a batch.
const CONCURRENCY: usize = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::telemetry::init();
    let config = Config::from_env()?;
    let aws = lambda::aws_config().await;
    let clock = SystemClock::shared();
    let store = Store::new(store::Client::new(&aws), config.tables);
    let sqs = queue::Client::new(&aws);
    let deliveries: Queue<WebhookMessage> =
        Queue::new(sqs.clone(), config.webhook_queue_url, Backoff { base: Duration::from_secs(1), attempts: 5 });
    let runs = Queue::new(sqs.clone(), config.sync_queue_url, Backoff { base: Duration::from_secs(5), attempts: 3 });
    let lane = Backoff { base: Duration::from_secs(2), attempts: 3 };
    let resources = Queue::new(sqs, config.resource_webhook_queue_url, lane);
    let registry = Arc::new(Registry::new(Http::new()));
    let syncs = Syncs::new(store.clone(), runs, Arc::clone(&registry), Arc::clone(&clock));
    let bodies = Bodies::new(move || S3Client::new(&aws), config.content_bucket);
    let worker = WebhookWorker::new(store, syncs, resources, bodies, registry, clock);
    let worker = &worker;
    let serving =
        lambda::sqs::serve(deliveries, CONCURRENCY, |message: Message<WebhookMessage>| worker.run(message.body));
    // Boxed, because the compiler lays out no type as deep as the calls of a delivery within those of a batch within this function.
    let serving: Pin<Box<dyn Future<Output = Result<(), lambda::Error>> + '_>> = Box::pin(serving);
    serving.await
}
