//! Results in, the batch's answer out: what the queue is told about each message.

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use domain::Timestamp;
use domain::job::{Decision, JobError};

use super::record::Received;
use crate::telemetry::chain;

/// The longest delay that SQS takes.
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// What is to be done at the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Show the message again after the queue's back-off.
    BackOff,
    /// Send the message again.
    SendAgain {
        /// No sooner than this.
        delay: Duration,
        /// With this reserved call, and not before it is due.
        slot: Option<Timestamp>,
        /// What is sent in its place; `None`: itself.
        instead: Option<Box<str>>,
    },
    /// Put the message among the dead letters.
    Bury {
        /// Why, for people.
        reason: String,
    },
}

/// How many messages ended in which way, for the log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub done: usize,
    pub again: usize,
    pub waiting: usize,
    pub given_up: usize,
    pub dead: usize,
}

/// Does at the queue what each result asks for and names those messages that SQS must keep: those that back off, and those that
/// could not be sent elsewhere. `attempts` says how many a message has; `act` carries steps out and says of each whether it was.
///
/// Only ids of `results` are named, each once.
pub(super) async fn answer<A, Fut>(
    results: Vec<(Received, Result<(), JobError>)>,
    attempts: impl Fn(&Received) -> u32,
    act: A,
) -> (SqsBatchResponse, Tally)
where
    A: Fn(Vec<(Received, Step)>) -> Fut,
    Fut: Future<Output = Vec<bool>>,
{
    let mut tally = Tally::default();
    let (mut elsewhere, mut back_off) = (Vec::new(), Vec::new());
    for (received, result) in results {
        let Err(error) = result else {
            tally.done += 1;
            continue;
        };
        match step(&received, error, attempts(&received)) {
            None => tally.given_up += 1,
            Some(Step::BackOff) => back_off.push(received),
            Some(step) => elsewhere.push((received, step)),
        }
    }
    if !elsewhere.is_empty() {
        let done = act(elsewhere.clone()).await;
        for (place, (received, step)) in elsewhere.into_iter().enumerate() {
            match (done.get(place), step) {
                (Some(true), Step::Bury { .. }) => tally.dead += 1,
                (Some(true), _) => tally.waiting += 1,
                // It is nowhere else, so the queue must keep it; that spends an attempt, which is better than losing it.
                _ => back_off.push(received),
            }
        }
    }
    let mut response = SqsBatchResponse::default();
    let mut kept = HashSet::new();
    for received in back_off.iter().filter(|received| kept.insert(received.id.clone())) {
        response.add_failure(received.id.clone());
    }
    tally.again = back_off.len();
    if !back_off.is_empty() {
        // Failing here changes only when the messages are seen again: at the end of their visibility timeout.
        act(back_off.into_iter().map(|received| (received, Step::BackOff)).collect()).await;
    }
    (response, tally)
}

/// What an error asks for; `None` if the message is done with. `attempts`: how many the message has.
fn step(received: &Received, error: JobError, attempts: u32) -> Option<Step> {
    let (message_id, attempt) = (&received.id, received.attempt);
    let cause = chain(error.source.as_ref());
    match error.decision {
        Decision::GiveUp => {
            tracing::warn!(queue.message_id = message_id, job.attempt = attempt, error = cause, "message given up");
            None
        }
        Decision::RetryAfter(wanted) => {
            // SQS counts in whole seconds; a delay of none would spin.
            let delay = Duration::from_secs(wanted.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX));
            let delay = delay.clamp(Duration::from_secs(1), LONGEST_DELAY);
            tracing::info!(queue.message_id = message_id, delay_s = delay.as_secs(), reason = cause, "message waits");
            Some(Step::SendAgain { delay, slot: error.slot, instead: error.instead })
        }
        Decision::Poison => {
            tracing::error!(
                queue.message_id = message_id,
                job.attempt = attempt,
                error = cause,
                "message is no message"
            );
            Some(Step::Bury { reason: cause })
        }
        Decision::Retry if attempt >= attempts => {
            tracing::error!(
                queue.message_id = message_id,
                job.attempt = attempt,
                error = cause,
                "message is beyond help"
            );
            Some(Step::Bury { reason: cause })
        }
        Decision::Retry => {
            tracing::warn!(queue.message_id = message_id, job.attempt = attempt, error = cause, "message failed");
            Some(Step::BackOff)
        }
    }
}
