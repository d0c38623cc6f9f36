//! Wires the function that receives webhooks.

use std::sync::Arc;
use std::time::Duration;

use connections::{SecretsClient, Settings};
use domain::SystemClock;
use providers::Registry;
use providers::http::Http;
use queue::{Backoff, Queue};
use sink::{Bodies, S3Client};
use store::Store;
use webhook::{Config, Receiver, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::telemetry::init();
    let config = Config::from_env()?;
    let aws = lambda::aws_config().await;
    let clock = SystemClock::shared();
    let store = Store::new(store::Client::new(&aws), config.tables);
    let queue =
        Queue::new(queue::Client::new(&aws), config.queue_url, Backoff { base: Duration::from_secs(1), attempts: 5 });
    let settings =
        Settings::new(SecretsClient::new(&aws), config.secret_prefix, config.settings_ttl, Arc::clone(&clock));
    let registry = Arc::new(Registry::new(Http::new()));
    let bodies = Bodies::new(move || S3Client::new(&aws), config.content_bucket);
    lambda::http::serve(router(Receiver::new(store, queue, bodies, settings, registry, clock))).await
}
