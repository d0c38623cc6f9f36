//! The Lambda function `sync-worker`: SQS `integration-sync`, one message an invocation.

use lambda::sqs::Message;
use sync_worker::{Config, SyncWorker, Turn};

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    lambda::telemetry::init();
    let config = Config::from_env()?;
    let worker = SyncWorker::new(&config, &lambda::aws_config().await);
    lambda::sqs::serve(worker.queue(), 1, |Message { body, attempt, deadline, .. }| {
        worker.run(body, Turn { attempt, deadline })
    })
    .await
}
