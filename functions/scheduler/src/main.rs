//! Wires the function that the clock calls.

use std::sync::Arc;
use std::time::Duration;

use domain::SystemClock;
use integrations::Syncs;
use providers::Registry;
use providers::http::Http;
use queue::{Backoff, Queue};
use scheduler::{Config, Scheduler};
use serde::de::IgnoredAny;
use store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::telemetry::init();
    let config = Config::from_env()?;
    let aws = lambda::aws_config().await;
    let clock = SystemClock::shared();
    let store = Store::new(store::Client::new(&aws), config.tables);
    let runs = Queue::new(
        queue::Client::new(&aws),
        config.sync_queue_url,
        Backoff { base: Duration::from_secs(5), attempts: 3 },
    );
    let registry = Arc::new(Registry::new(Http::new()));
    let syncs = Syncs::new(store.clone(), runs, registry, Arc::clone(&clock));
    let scheduler = Scheduler::new(store, syncs, clock);
    let scheduler = &scheduler;
    // The event is only a tick: what is due is in the table.
    lambda::serve_event(|_: IgnoredAny| scheduler.round()).await
}
