//! Functions that are called with an event that is no queue's: the scheduler.

use std::future::Future;
use std::time::Instant;

use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::telemetry::chain;

/// Runs `handler` over events of type `E` until the environment ends, and writes one log line for each.
///
/// What the handler returns is the invocation's answer and part of the log line, so it holds counts and no content.
///
/// # Errors
/// What the runtime cannot go on from.
pub async fn serve_event<E, R, X, F, Fut>(handler: F) -> Result<(), crate::Error>
where
    E: DeserializeOwned,
    R: Serialize + std::fmt::Debug,
    X: std::error::Error + Send + Sync + 'static,
    F: Fn(E) -> Fut,
    Fut: Future<Output = Result<R, X>>,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<E>| async move {
        let began = Instant::now();
        let result = handler(event.payload).await;
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &result {
            Ok(outcome) => tracing::info!(duration_ms, ?outcome, "event handled"),
            Err(error) => tracing::error!(duration_ms, error = chain(error), "event failed"),
        }
        result.map_err(crate::Error::from)
    }))
    .await
}
