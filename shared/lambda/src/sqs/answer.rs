//! Results in, the batch's answer out: what the queue is told about each message.

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use domain::job::{Decision, JobError};

use super::record::Received;
use crate::telemetry::chain;

/// The longest delay that SQS takes.
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// What is to be done at the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Show the message again after the queue's back-off.
    BackOff,
    /// Send the message again with this delay.
    SendAfter(Duration),
}

/// How many messages ended in which way, for the log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub done: usize,
    pub again: usize,
    pub waiting: usize,
    pub given_up: usize,
}

/// Does at the queue what each result asks for and names those messages that SQS must keep.
///
/// Only ids of `results` are named, each once.
pub(super) async fn answer<A, Fut>(results: Vec<(Received, Result<(), JobError>)>, act: A) -> (SqsBatchResponse, Tally)
where
    A: Fn(Received, Step) -> Fut,
    Fut: Future<Output = Result<(), crate::Error>>,
{
    let mut tally = Tally::default();
    let settled = results.into_iter().map(|(received, result)| async {
        let id = received.id.clone();
        (id, settle(received, result, &act).await)
    });
    let mut kept = HashSet::new();
    let mut response = SqsBatchResponse::default();
    for (id, end) in futures::future::join_all(settled).await {
        match end {
            End::Done => tally.done += 1,
            End::Waiting => tally.waiting += 1,
            End::GivenUp => tally.given_up += 1,
            End::Again => {
                tally.again += 1;
                if kept.insert(id.clone()) {
                    response.add_failure(id);
                }
            }
        }
    }
    (response, tally)
}

/// How a message ended.
enum End {
    Done,
    Again,
    Waiting,
    GivenUp,
}

async fn settle<A, Fut>(received: Received, result: Result<(), JobError>, act: &A) -> End
where
    A: Fn(Received, Step) -> Fut,
    Fut: Future<Output = Result<(), crate::Error>>,
{
    let Err(error) = result else { return End::Done };
    let (message_id, attempt) = (received.id.clone(), received.attempt);
    let cause = chain(error.source.as_ref());
    match error.decision {
        Decision::GiveUp => {
            tracing::warn!(queue.message_id = message_id, job.attempt = attempt, error = cause, "message given up");
            return End::GivenUp;
        }
        Decision::RetryAfter(wanted) => {
            // SQS counts in whole seconds; a delay of none would spin.
            let delay = Duration::from_secs(wanted.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX));
            let delay = delay.clamp(Duration::from_secs(1), LONGEST_DELAY);
            match act(received.clone(), Step::SendAfter(delay)).await {
                Ok(()) => {
                    let delay_s = delay.as_secs();
                    tracing::info!(queue.message_id = message_id, delay_s, reason = cause, "message waits");
                    return End::Waiting;
                }
                // It is not sent again, so the queue must keep it; that spends an attempt, which is better than losing it.
                Err(failed) => tracing::warn!(
                    queue.message_id = message_id,
                    error = chain(failed.as_ref()),
                    reason = cause,
                    "message could not be sent again"
                ),
            }
        }
        Decision::Retry => {
            tracing::warn!(queue.message_id = message_id, job.attempt = attempt, error = cause, "message failed");
        }
    }
    // Failing here changes only when the message is seen again: at the end of its visibility timeout.
    if let Err(failed) = act(received, Step::BackOff).await {
        tracing::warn!(queue.message_id = message_id, error = chain(failed.as_ref()), "back-off could not be set");
    }
    End::Again
}
