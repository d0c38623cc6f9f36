//! The Lambda function `resource-worker`: SQS `integration-resource` and its lane for webhooks, ten messages an invocation.

use resource_worker::{Config, ResourceWorker};

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    lambda::telemetry::init();
    let config = Config::from_env()?;
    let worker = ResourceWorker::new(&config, &lambda::aws_config().await);
    lambda::sqs::serve_batch(worker.queues(&config), |messages| worker.run(messages)).await
}
