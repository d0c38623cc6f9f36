//! Carries out at the queues what the answers ask for: everything of one kind in one request.

use domain::clock::Clock as _;
use domain::{SystemClock, Timestamp};
use queue::{Again, DeadLetter, Queue, Unsent};

use super::Queues;
use super::answer::Step;
use super::record::Received;
use crate::telemetry::chain;

/// Carries out steps; whether each was, in their order. A back-off that could not be set is no failure: the message comes back
/// when its visibility ends.
pub(super) async fn act<M>(queues: &Queues<M>, steps: Vec<(Received, Step)>) -> Vec<bool> {
    let now = SystemClock.now();
    let mut done = vec![false; steps.len()];
    for (name, queue) in &queues.0 {
        let (mut again, mut dead, mut later) = (Kind::default(), Kind::default(), Kind::default());
        for (place, (received, step)) in steps.iter().enumerate() {
            if !queues.of(received).is_some_and(|of| std::ptr::eq(of, queue)) {
                continue;
            }
            match step {
                Step::SendAgain { delay, slot, instead } => again.push(
                    place,
                    Again {
                        group: received.group.clone(),
                        body: instead.as_deref().unwrap_or(&received.body).to_owned(),
                        delay: *delay,
                        slot: *slot,
                        spent: received.attempt.saturating_sub(1),
                    },
                ),
                Step::Bury { reason } => dead.push(
                    place,
                    DeadLetter {
                        group: received.group.clone(),
                        body: received.body.clone(),
                        reason: reason.clone(),
                        attempts: received.attempt,
                    },
                ),
                Step::BackOff => later.push(place, (received.receipt.clone(), received.attempt)),
            }
        }
        again.settle(queue.send_again(&again.messages, now).await, &mut done, name);
        dead.settle(bury(queue, &dead.messages, now).await, &mut done, name);
        if let Err(error) = queue.retry_later(&later.messages).await {
            tracing::warn!(queue = name, error = chain(&error), "back-offs could not be set");
        }
        later.settle(Vec::new(), &mut done, name);
    }
    done
}

/// Puts messages among the dead letters.
async fn bury<M>(queue: &Queue<M>, letters: &[DeadLetter], now: Timestamp) -> Vec<Unsent> {
    if letters.is_empty() { Vec::new() } else { queue.bury(letters, now).await }
}

/// Messages that are treated alike, with their places among the steps.
struct Kind<T> {
    places: Vec<usize>,
    messages: Vec<T>,
}

impl<T> Default for Kind<T> {
    fn default() -> Self {
        Self { places: Vec::new(), messages: Vec::new() }
    }
}

impl<T> Kind<T> {
    fn push(&mut self, place: usize, message: T) {
        self.places.push(place);
        self.messages.push(message);
    }

    /// Marks what was done; `unsent` was not.
    fn settle(&self, unsent: Vec<Unsent>, done: &mut [bool], queue: &str) {
        for Unsent { places, error } in &unsent {
            tracing::warn!(queue, count = places.len(), error = chain(error), "messages could not be sent");
        }
        for (index, place) in self.places.iter().enumerate() {
            let failed = unsent.iter().any(|unsent| unsent.places.contains(&index));
            if let Some(done) = done.get_mut(*place) {
                *done = !failed;
            }
        }
    }
}
