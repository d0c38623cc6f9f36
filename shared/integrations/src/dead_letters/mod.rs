//! Dead letters: work that was given up on, shown with its reason and sent back to its queue. What administrators do when a
//! cause is mended.

mod explain;
mod redrive;

use std::time::{Duration, Instant};

use futures::future::{join, join_all};
use queue::{Client, Letter, Letters};

pub use explain::{Explained, Kind};
pub use redrive::{Redriven, Refused, Wanted};

use crate::error::Error;
use crate::syncs::Syncs;

/// For how long letters are hidden from others while they are shown. They are visible again as soon as they have been read; this
/// holds only if the reader dies.
const SHOWING: Duration = Duration::from_secs(30);
/// For how long letters are read before what there is by then is shown.
const READING: Duration = Duration::from_secs(10);

/// A queue of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkQueue {
    /// `integration-sync`.
    Sync,
    /// `integration-webhook`.
    Webhook,
    /// `integration-resource`.
    Resource,
    /// `integration-resource-webhook`: the lane for what webhooks ask for.
    ResourceWebhook,
}

impl WorkQueue {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sync, Self::Webhook, Self::Resource, Self::ResourceWebhook];

    /// The word in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Webhook => "webhook",
            Self::Resource => "resource",
            Self::ResourceWebhook => "resource_webhook",
        }
    }

    /// The queue of a word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == word)
    }

    /// The attempts that a message has on it: `maxReceiveCount` in the template.
    #[must_use]
    pub const fn attempts(self) -> u32 {
        match self {
            Self::Webhook => 5,
            Self::Sync | Self::Resource | Self::ResourceWebhook => 3,
        }
    }
}

/// The URLs of the queues of work.
#[derive(Debug, Clone)]
pub struct QueueUrls {
    /// `integration-sync`.
    pub sync: String,
    /// `integration-webhook`.
    pub webhook: String,
    /// `integration-resource`.
    pub resource: String,
    /// `integration-resource-webhook`.
    pub resource_webhook: String,
}

/// The dead letters of all queues. Cheap to clone.
#[derive(Clone)]
pub struct DeadLetters {
    syncs: Syncs,
    queues: [(WorkQueue, Letters); 4],
}

/// Dead letters, and how many there are in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The latest first; those of which nobody knows when they failed come last.
    pub letters: Vec<Explained>,
    /// How many each queue has, about.
    pub totals: Vec<(WorkQueue, u64)>,
}

impl DeadLetters {
    /// Puts it together. Makes no call.
    #[must_use]
    pub fn new(syncs: Syncs, client: &Client, urls: &QueueUrls) -> Self {
        let of = |queue, url: &str| (queue, Letters::of(client.clone(), url));
        let queues = [
            of(WorkQueue::Sync, &urls.sync),
            of(WorkQueue::Webhook, &urls.webhook),
            of(WorkQueue::Resource, &urls.resource),
            of(WorkQueue::ResourceWebhook, &urls.resource_webhook),
        ];
        Self { syncs, queues }
    }

    /// At most `limit` letters, of one queue or of all. Nothing is taken away: they are hidden from others only while they are
    /// read. For each queue a request for ten letters, one more to see that there are no others, and two for the rest.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list(&self, of: Option<WorkQueue>, limit: usize) -> Result<Listing, Error> {
        let asked = self.queues.iter().filter(|(queue, _)| of.is_none_or(|of| of == *queue));
        let read = join_all(asked.map(|(queue, letters)| look(*queue, letters, limit)));
        let (read, totals) = join(read, self.totals()).await;
        let mut letters = Vec::new();
        for part in read {
            letters.extend(part?);
        }
        letters.sort_by(|a: &Explained, b| b.failed_at.cmp(&a.failed_at).then_with(|| a.id.cmp(&b.id)));
        letters.truncate(limit);
        Ok(Listing { letters, totals: totals? })
    }

    /// How many letters each queue has, about. One request for each.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn totals(&self) -> Result<Vec<(WorkQueue, u64)>, Error> {
        let counts = self.queues.iter().map(|(queue, letters)| async move { Ok((*queue, letters.count().await?)) });
        join_all(counts).await.into_iter().collect()
    }
}

/// Reads at most `limit` letters and shows them again.
async fn look(queue: WorkQueue, letters: &Letters, limit: usize) -> Result<Vec<Explained>, Error> {
    let began = Instant::now();
    let mut read: Vec<Letter> = Vec::new();
    let mut failure = None;
    while read.len() < limit && began.elapsed() < READING {
        match letters.receive(SHOWING).await {
            Ok(ten) if ten.is_empty() => break,
            Ok(ten) => read.extend(ten),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    if let Err(error) = letters.show_again(&read).await {
        tracing::warn!(queue = queue.as_str(), %error, "dead letters that were looked at stay hidden for half a minute");
    }
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(read.into_iter().map(|letter| Explained::of(queue, letter)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_has_a_word_that_leads_back_to_it() {
        for queue in WorkQueue::ALL {
            assert_eq!(WorkQueue::named(queue.as_str()), Some(queue));
        }
        assert_eq!(WorkQueue::named("Sync"), None);
    }
}
