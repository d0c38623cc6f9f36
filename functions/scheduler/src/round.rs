//! One round of the scheduler: all that is due, up to a bound. What it does with each thing is `integrations`' to say; that two
//! rounds at once do nothing twice is the claim's.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use domain::clock::SharedClock;
use futures::StreamExt as _;
use integrations::{Syncs, Woken};
use serde::Serialize;
use store::{DUE_SHARDS, Due, DueKind, Store};

/// How long a round goes on; the next one begins a minute after it, and the function has a minute.
const LASTS: Duration = Duration::from_secs(45);

/// Things read of a shard at once.
const PAGE: u32 = 200;

/// Things acted on in one round of a shard. A backlog beyond that is shared with the next rounds, the longest overdue first; what
/// fails does not count, lest it keep the others waiting.
const MOST: usize = 2000;

/// Things looked at at once, in each shard.
const CONCURRENCY: usize = 8;

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Syncs started.
    pub started: usize,
    /// Runs under way that were handed to the workers again.
    pub watched: usize,
    /// Subscriptions handed over for renewal.
    pub renewed: usize,
    /// Things put off or taken out.
    pub rescheduled: usize,
    /// Things that another round had, or that the index was late with.
    pub skipped: usize,
    /// Things that failed and stay due.
    pub failed: usize,
}

impl Tally {
    fn count(&mut self, woken: Option<Woken>) {
        *match woken {
            Some(Woken::Started) => &mut self.started,
            Some(Woken::Watched) => &mut self.watched,
            Some(Woken::Renewed) => &mut self.renewed,
            Some(Woken::Rescheduled) => &mut self.rescheduled,
            Some(Woken::Skipped) => &mut self.skipped,
            None => &mut self.failed,
        } += 1;
    }

    /// Things that something was done about.
    const fn acted_on(&self) -> usize {
        self.started + self.watched + self.renewed + self.rescheduled
    }

    const fn and(self, other: Self) -> Self {
        Self {
            started: self.started + other.started,
            watched: self.watched + other.watched,
            renewed: self.renewed + other.renewed,
            rescheduled: self.rescheduled + other.rescheduled,
            skipped: self.skipped + other.skipped,
            failed: self.failed + other.failed,
        }
    }
}

/// Looks at what is due.
#[derive(Clone)]
pub struct Scheduler {
    store: Store,
    syncs: Syncs,
    clock: SharedClock,
}

impl Scheduler {
    /// A scheduler over these. Makes no call.
    #[must_use]
    pub fn new(store: Store, syncs: Syncs, clock: SharedClock) -> Self {
        Self { store, syncs, clock }
    }

    /// One round over all shards. With nothing due it costs one request for each of them.
    ///
    /// # Errors
    /// The store's, if a shard cannot be read; the others have been looked at all the same.
    pub async fn round(&self) -> Result<Tally, store::Error> {
        let began = Instant::now();
        let shards = futures::future::join_all((0..DUE_SHARDS).map(|shard| self.shard(shard, began))).await;
        shards.into_iter().try_fold(Tally::default(), |sum, tally| Ok(sum.and(tally?)))
    }

    /// Pages through a shard once. What stays due, because it fails or makes no sense, lies behind the page, so that it keeps none of
    /// those that follow it waiting, however many there are of it.
    async fn shard(&self, shard: u8, began: Instant) -> Result<Tally, store::Error> {
        let (mut tally, mut seen, mut place) = (Tally::default(), HashSet::new(), None);
        while began.elapsed() < LASTS && tally.acted_on() < MOST {
            let (page, next) = self.store.due_from(shard, self.clock.now(), PAGE, place).await?;
            let fresh = unseen(page, &mut seen);
            let mut looks = futures::stream::iter(fresh).map(|due| self.look(due)).buffer_unordered(CONCURRENCY);
            while let Some(woken) = looks.next().await {
                tally.count(woken);
            }
            if next.is_none() {
                break;
            }
            place = next;
        }
        Ok(tally)
    }

    /// Looks at one thing; a failure is told here and leaves the others alone.
    async fn look(&self, due: Due) -> Option<Woken> {
        match self.syncs.wake(&due).await {
            Ok(woken) => Some(woken),
            Err(error) => {
                let id = due.integration.integration_id;
                tracing::error!(integration.id = %id, error = lambda::telemetry::chain(&error), "what is due could not be looked at");
                None
            }
        }
    }
}

/// The things that this round has not seen yet. The index lags behind the claims by moments, so a page may show them again.
fn unseen(page: Vec<Due>, seen: &mut HashSet<String>) -> Vec<Due> {
    let name = |due: &Due| match &due.kind {
        DueKind::Integration { .. } => due.integration.integration_id.to_string(),
        DueKind::Subscription { id } => id.clone(),
    };
    page.into_iter().filter(|due| seen.insert(name(due))).collect()
}

#[cfg(test)]
mod tests {
    use domain::message::IntegrationRef;
    use domain::{IntegrationId, Owner, ProviderId, Timestamp, UserId};

    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn what_a_late_index_shows_again_is_looked_at_once() {
        let integration = IntegrationRef {
            owner: Owner::User(UserId::new("ada").unwrap()),
            provider: ProviderId::GoogleDrive,
            integration_id: IntegrationId::new(at(0)),
        };
        let due = |kind| Due { kind, integration: integration.clone(), due_at: at(1) };
        let page = vec![
            due(DueKind::Integration { active: None }),
            due(DueKind::Subscription { id: format!("{}-1", integration.integration_id) }),
        ];
        let mut seen = HashSet::new();
        assert_eq!(unseen(page.clone(), &mut seen).len(), 2);
        assert!(unseen(page, &mut seen).is_empty());
    }

    #[test]
    fn every_look_is_counted_once() {
        let mut tally = Tally::default();
        for woken in [Some(Woken::Started), Some(Woken::Skipped), None, Some(Woken::Started)] {
            tally.count(woken);
        }
        let sum = tally.and(Tally { watched: 1, ..Tally::default() });
        assert_eq!(sum, Tally { started: 2, watched: 1, skipped: 1, failed: 1, ..Tally::default() });
    }
}
