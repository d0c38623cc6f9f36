//! After the listing: what failed before is tried again, what is gone is deleted, and deletions that are suspiciously many wait for
//! a person. Only a listing that has come to its end gets here.

use std::collections::{BTreeMap, HashSet};

use domain::integration::PendingDeletes;
use domain::message::ResourceAction;
use domain::resource::{DeleteReason, RecordState};
use domain::{ExternalId, SyncMode, Timestamp};
use store::{PageRow, RecordMark, resource_key};

use crate::failure::Halt;
use crate::hand_out::message;
use crate::pages::{History, deletions_page};
use crate::run::Run;
use crate::worker::SyncWorker;

/// At most so many resources that a full listing no longer shows are looked at one by one before they are deleted: as many as the
/// guard lets pass without asking a person.
const VERIFIED: usize = 50;
/// Resources handed out between two checkpoints.
const CHUNK: usize = 1000;

impl SyncWorker {
    /// Hands out what the listing itself does not, and marks the run as listed.
    ///
    /// # Errors
    /// [`Halt`]; what was handed out is recorded and is not handed out again.
    pub(crate) async fn sweep(&self, run: &mut Run) -> Result<(), Halt> {
        let pages = if run.job.checkpoint.pages == 0 { Vec::new() } else { self.store.pages(run.job.id).await? };
        let history = History::of(&pages);
        if run.job.mode == SyncMode::Incremental && run.integration.retry_failed {
            self.retry_failed(run, &history).await?;
        }
        if run.job.mode == SyncMode::Full || !history.gone.is_empty() {
            self.delete_gone(run, &history).await?;
        }
        run.job.checkpoint.listed = true;
        if run.job.checkpoint.pages == 0 {
            // Nothing was found and nothing handed out: the end of the run follows at once.
            run.pages = Some(Vec::new());
            return Ok(());
        }
        self.checkpoint(run, None).await
    }

    /// Hands out failures of earlier runs that are worth another try and that this run has not come upon.
    async fn retry_failed(&self, run: &mut Run, history: &History) -> Result<(), Halt> {
        let mut cursor = None;
        loop {
            run.check_time(self.clock.now())?;
            let failed = Some(RecordState::Failed);
            let (records, next) =
                self.store.records_of(run.integration.id, failed, cursor.as_ref(), CHUNK as u32).await?;
            let ids: Vec<ExternalId> = records
                .into_iter()
                .filter(|record| {
                    let key = resource_key(&record.external_id);
                    record.retriable
                        && !history.handed.contains(&key)
                        && !history.listed.contains(&key)
                        && !history.gone.contains_key(&record.external_id)
                        && record.last_run.is_none_or(|last| last.job_id != run.job.id)
                })
                .map(|record| record.external_id)
                .collect();
            if !ids.is_empty() {
                let action = |_: &ExternalId| ResourceAction::fresh();
                let messages = ids.iter().map(|id| message(run, id, action(id))).collect();
                self.hand_out(run, messages).await?;
                let row = PageRow { page: run.job.checkpoint.pages, handed: ids, ..PageRow::default() };
                self.record_handed(run, row).await?;
            }
            if next.is_none() {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Deletes what is gone, or holds it back.
    async fn delete_gone(&self, run: &mut Run, history: &History) -> Result<(), Halt> {
        // Reckoned before the records are read: what is observed after this is newer than what the deletions rest on.
        let at = self.clock.now();
        let mut found = self.candidates(run, history).await?;
        self.verify(run, history, &mut found).await?;
        let deletions: Vec<(ExternalId, DeleteReason)> = found.deletions.into_iter().collect();
        let all = deletions.len() as u64;
        if !history.deletes_begun && !run.job.may_delete(all, found.live) {
            if history.held > 0 {
                return Ok(());
            }
            tracing::warn!(job.id = %run.job.id, count = all, of = found.live, "deletions wait for a person");
            let row = deletions_page(run.job.checkpoint.pages, &deletions, true);
            run.job.checkpoint.pages += 1;
            return self.checkpoint(run, Some(&row)).await;
        }
        for chunk in deletions.chunks(CHUNK) {
            let chunk: Vec<_> = chunk.iter().filter(|(id, _)| !swept(history, id)).cloned().collect();
            if chunk.is_empty() {
                continue;
            }
            run.check_time(self.clock.now())?;
            let reasons: BTreeMap<&ExternalId, DeleteReason> = chunk.iter().map(|(id, reason)| (id, *reason)).collect();
            let ids: Vec<ExternalId> = chunk.iter().map(|(id, _)| id.clone()).collect();
            let reason = |id: &ExternalId| reasons.get(id).copied().unwrap_or(DeleteReason::Removed);
            let delete = |id| message(run, id, ResourceAction::Delete { reason: reason(id), at });
            let messages = ids.iter().map(delete).collect();
            self.hand_out(run, messages).await?;
            let row = deletions_page(run.job.checkpoint.pages, &chunk, false);
            self.record_handed(run, row).await?;
        }
        Ok(())
    }

    /// What might be deleted: what the provider says is gone and, after a full listing, what it did not list; of that, what we have.
    async fn candidates(&self, run: &Run, history: &History) -> Result<Candidates, Halt> {
        let mut found = Candidates::default();
        if run.job.mode == SyncMode::Full {
            let (started_at, gone) = (run.job.started_at, &history.gone);
            self.store
                .for_each_record(run.integration.id, |mark| found.see(&mark, history, gone, Some(started_at)))
                .await?;
            return Ok(found);
        }
        let gone: Vec<ExternalId> = history.gone.keys().cloned().collect();
        for ids in gone.chunks(CHUNK) {
            for record in self.store.get_records(run.integration.id, ids).await?.into_values() {
                if record.state != RecordState::Deleted
                    && let Some(reason) = history.gone.get(&record.external_id)
                {
                    found.deletions.insert(record.external_id, *reason);
                }
            }
        }
        // Only many deletions need to know of how many.
        if PendingDeletes::are_too_many(found.deletions.len() as u64, 0) {
            found.live = self.live_records(run).await?;
        }
        Ok(found)
    }

    /// How many resources there are, tombstones left out.
    pub(crate) async fn live_records(&self, run: &Run) -> Result<u64, Halt> {
        let mut live = 0;
        self.store
            .for_each_record(run.integration.id, |mark| live += u64::from(mark.state != RecordState::Deleted))
            .await?;
        Ok(live)
    }

    /// Looks at what is doubtful: all that was both listed and said to be gone, and what was merely not listed where that is a few.
    async fn verify(&self, run: &mut Run, history: &History, found: &mut Candidates) -> Result<(), Halt> {
        let few = found.unlisted.len() <= VERIFIED;
        let doubtful: Vec<ExternalId> = found
            .deletions
            .keys()
            .filter(|id| history.is_contradictory(id) || (few && found.unlisted.contains(*id)))
            .filter(|id| !swept(history, id))
            .cloned()
            .collect();
        let config = run.integration.config.clone();
        for id in doubtful {
            run.check_time(self.clock.now())?;
            let gone =
                self.ask(run, async |provider, access| provider.confirm_gone(access, &config, &id).await).await??;
            match gone {
                Some(reason) => found.deletions.insert(id, reason),
                None => found.deletions.remove(&id),
            };
        }
        Ok(())
    }

    /// Records what was handed out beside the listing.
    async fn record_handed(&self, run: &mut Run, row: PageRow) -> Result<(), Halt> {
        run.job.checkpoint.pages += 1;
        run.job.checkpoint.handed_out += row.handed.len() as u64;
        run.job.counts.found += row.handed.len() as u64;
        self.checkpoint(run, Some(&row)).await
    }
}

/// Whether its deletion was handed out in an earlier turn. What was listed was handed out to be synced, which says nothing of that.
fn swept(history: &History, id: &ExternalId) -> bool {
    let key = resource_key(id);
    history.deletes_begun && history.handed.contains(&key) && !history.listed.contains(&key)
}

/// What might be deleted.
#[derive(Debug, Default)]
struct Candidates {
    deletions: BTreeMap<ExternalId, DeleteReason>,
    /// Those of the deletions that rest on nothing but a listing without them.
    unlisted: HashSet<ExternalId>,
    /// All resources, those to be deleted included.
    live: u64,
}

impl Candidates {
    /// Looks at a record after a full listing that began at `started_at`. What was observed later than that began to exist, or
    /// changed, while the listing was under way and may be missing from it for that reason.
    fn see(
        &mut self,
        mark: &RecordMark,
        history: &History,
        gone: &BTreeMap<ExternalId, DeleteReason>,
        started_at: Option<Timestamp>,
    ) {
        if mark.state == RecordState::Deleted {
            return;
        }
        self.live += 1;
        if let Some(reason) = gone.get(&mark.external_id) {
            self.deletions.insert(mark.external_id.clone(), *reason);
        } else if !history.listed.contains(&resource_key(&mark.external_id))
            && started_at.is_some_and(|started_at| mark.observed_at < started_at)
        {
            self.deletions.insert(mark.external_id.clone(), DeleteReason::NotListed);
            self.unlisted.insert(mark.external_id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ExternalId {
        ExternalId::new(text).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn mark(name: &str, state: RecordState, observed_at: i64) -> RecordMark {
        RecordMark {
            external_id: id(name),
            state,
            revision: "1".to_owned(),
            stored_as: None,
            retriable: false,
            observed_at: at(observed_at),
            last_run: None,
        }
    }

    #[test]
    fn only_what_was_there_before_the_listing_and_is_not_on_it_is_deleted() {
        let page = PageRow {
            listing: true,
            seen: vec![resource_key(&id("listed"))],
            gone: vec![(id("gone"), DeleteReason::Trashed)],
            ..PageRow::default()
        };
        let history = History::of(&[page]);
        let mut found = Candidates::default();
        for mark in [
            mark("listed", RecordState::Synced, 1),
            mark("vanished", RecordState::Synced, 1),
            mark("failed and vanished", RecordState::Failed, 1),
            mark("born meanwhile", RecordState::Synced, 11),
            mark("tombstone", RecordState::Deleted, 1),
            mark("gone", RecordState::Synced, 11),
        ] {
            found.see(&mark, &history, &history.gone, Some(at(10)));
        }
        let expected = [
            (id("failed and vanished"), DeleteReason::NotListed),
            (id("gone"), DeleteReason::Trashed),
            (id("vanished"), DeleteReason::NotListed),
        ];
        assert_eq!(found.deletions.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!((found.live, found.unlisted.len()), (5, 2));
    }

    #[test]
    fn a_deletion_is_handed_out_once() {
        let deletions = [(id("a"), DeleteReason::NotListed)];
        let history = History::of(&[deletions_page(1, &deletions, false)]);
        assert!(swept(&history, &id("a")));
        assert!(!swept(&history, &id("b")));
        let held = History::of(&[deletions_page(1, &deletions, true)]);
        assert!(!swept(&held, &id("a")));
    }
}
