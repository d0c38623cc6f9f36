//! From SQS batches to single messages and back: the only place that sees an SQS event.
//!
//! Every record is decoded on its own, so a malformed neighbour harms nobody, and the answer names exactly those that failed.

mod answer;
mod record;
mod steps;

use std::future::Future;
use std::time::{Duration, Instant};

pub use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use domain::clock::Clock;
use domain::job::JobError;
use domain::{SystemClock, Timestamp};
use futures::StreamExt as _;
use lambda_runtime::{LambdaEvent, service_fn};
use queue::Queue;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use answer::{Step, answer};
use record::{Received, decode, receive};

/// Time kept back at the end of an invocation to tell the queue what became of its messages. Without it a worker that runs out of
/// time throws the whole batch back.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A message as a worker gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<M> {
    /// What it says.
    pub body: M,
    /// The queue's id of it, for logs.
    pub id: String,
    /// The name of the queue that it came from.
    pub queue: String,
    /// How many attempts were begun, this one included; waits are none. The last is the queue's `maxReceiveCount`.
    pub attempt: u32,
    /// When the call that is reserved for it is due. `None`: none is.
    pub slot: Option<Timestamp>,
    /// When the invocation's time is up.
    pub deadline: Timestamp,
}

/// The queues that feed a function, found again by the name that a record's source carries.
pub struct Queues<M>(Vec<(String, Queue<M>)>);

impl<M> Queues<M> {
    /// Several queues, each with its URL.
    #[must_use]
    pub fn by_url(queues: impl IntoIterator<Item = (String, Queue<M>)>) -> Self {
        let name = |url: String| url.rsplit('/').next().map(str::to_owned).unwrap_or(url);
        Self(queues.into_iter().map(|(url, queue)| (name(url), queue)).collect())
    }

    /// The queue that a record came from. With one queue there is no other that it could be.
    fn of(&self, received: &Received) -> Option<&Queue<M>> {
        match self.0.as_slice() {
            [(_, only)] => Some(only),
            several => several.iter().find(|(name, _)| *name == received.queue).map(|(_, queue)| queue),
        }
    }

    /// How many attempts a message of that queue has.
    fn attempts(&self, received: &Received) -> u32 {
        self.of(received).map_or(u32::MAX, |queue| queue.backoff().attempts)
    }
}

impl<M> From<Queue<M>> for Queues<M> {
    fn from(queue: Queue<M>) -> Self {
        Self(vec![(String::new(), queue)])
    }
}

/// Runs `run` for each message, at most `concurrency` at once, until the environment ends.
///
/// `queues` are those that feed the function; a message that waits is sent to its own again.
///
/// # Errors
/// What the runtime cannot go on from.
pub async fn serve<M, F, Fut>(queues: impl Into<Queues<M>>, concurrency: usize, run: F) -> Result<(), crate::Error>
where
    M: DeserializeOwned,
    F: Fn(Message<M>) -> Fut,
    Fut: Future<Output = Result<(), JobError>>,
{
    let run = &run;
    serve_batch(queues, move |messages: Vec<Message<M>>| each(messages, concurrency, run)).await
}

/// Runs `run` for each batch of messages that decode, until the environment ends. It returns one result for each message, in
/// their order; a result that is missing counts as a failure.
///
/// # Errors
/// What the runtime cannot go on from.
pub async fn serve_batch<M, F, Fut>(queues: impl Into<Queues<M>>, run: F) -> Result<(), crate::Error>
where
    M: DeserializeOwned,
    F: Fn(Vec<Message<M>>) -> Fut,
    Fut: Future<Output = Vec<Result<(), JobError>>>,
{
    let (queues, run) = (&queues.into(), &run);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| {
        let deadline = i64::try_from(event.context.deadline).ok().and_then(Timestamp::from_timestamp_millis);
        // Boxed: a worker within all of this is more nesting than the compiler follows.
        Box::pin(work_on(queues, event.payload, deadline.unwrap_or(Timestamp::MAX_UTC), run))
    }))
    .await
}

/// One invocation, as [`serve_batch`] serves many: works on the event's messages until `deadline` and says which of them their
/// queue must keep.
///
/// # Errors
/// If the event holds a record that cannot be answered for; nothing was worked on then.
pub async fn work_on<M, F, Fut>(
    queues: &Queues<M>,
    event: SqsEvent,
    deadline: Timestamp,
    run: F,
) -> Result<SqsBatchResponse, crate::Error>
where
    M: DeserializeOwned,
    F: Fn(Vec<Message<M>>) -> Fut,
    Fut: Future<Output = Vec<Result<(), JobError>>>,
{
    let attempts = |received: &Received| queues.attempts(received);
    handle(event, deadline, run, attempts, |steps| steps::act(queues, steps)).await
}

/// Runs the messages one by one, several at a time, and gives the results in their order.
async fn each<M, F, Fut>(messages: Vec<Message<M>>, concurrency: usize, run: F) -> Vec<Result<(), JobError>>
where
    F: Fn(Message<M>) -> Fut,
    Fut: Future<Output = Result<(), JobError>>,
{
    let running = messages.into_iter().map(|message| {
        let span = tracing::info_span!("message", queue.message_id = message.id, job.attempt = message.attempt);
        run(message).instrument(span)
    });
    futures::stream::iter(running).buffered(concurrency.max(1)).collect().await
}

/// One invocation: decode, run, answer, one log line.
async fn handle<M, F, Fut, A, AFut>(
    event: SqsEvent,
    deadline: Timestamp,
    run: F,
    attempts: impl Fn(&Received) -> u32,
    act: A,
) -> Result<SqsBatchResponse, crate::Error>
where
    M: DeserializeOwned,
    F: Fn(Vec<Message<M>>) -> Fut,
    Fut: Future<Output = Vec<Result<(), JobError>>>,
    A: Fn(Vec<(Received, Step)>) -> AFut,
    AFut: Future<Output = Vec<bool>>,
{
    let began = Instant::now();
    let received = receive(event)?;
    let (messages, mut results) = decode(&received, deadline);
    let worked_on: Vec<usize> = messages.iter().map(|(index, _)| *index).collect();
    let outcome = in_time(deadline, run(messages.into_iter().map(|(_, message)| message).collect())).await;
    for (index, result) in worked_on.into_iter().zip(outcome.into_iter().flatten()) {
        if let Some(slot) = results.get_mut(index) {
            *slot = result;
        }
    }
    let (response, tally) = answer(received.into_iter().zip(results).collect(), attempts, act).await;
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        duration_ms,
        done = tally.done,
        again = tally.again,
        waiting = tally.waiting,
        given_up = tally.given_up,
        dead = tally.dead,
        "messages handled"
    );
    Ok(response)
}

/// The worker's results, or `None` if its time ran out first. What it was doing stops where it stands, as if the process had died there.
async fn in_time<T>(deadline: Timestamp, work: impl Future<Output = T>) -> Option<T> {
    match (deadline - SystemClock.now()).to_std() {
        Ok(left) if left > LAST_WORDS * 2 => tokio::time::timeout(left - LAST_WORDS, work).await.ok(),
        // A deadline this near, or past, is no deadline to go by; the runtime's own will do.
        _ => Some(work.await),
    }
}

#[cfg(test)]
mod tests;
