//! Ends runs: looks whether every resource has been reported, takes the exact counts, and frees the slot in the same write.

use domain::circuit::Gate;
use domain::integration::PendingDeletes;
use domain::resource::{Outcome, Record, RecordState, RunOutcome};
use domain::status::Event;
use domain::subscription::unannounced_since;
use domain::{ExternalId, Integration, JobStatus, ResourceKind, Status, SyncJob, SyncMode, Timestamp};
use store::{Finished, PageRow, RunEnd, Written};

use crate::failure::Halt;
use crate::pages::History;
use crate::run::Run;
use crate::tally::{Tally, handed_out};
use crate::worker::{SyncWorker, TurnEnd};

/// Records read at once while counting; bounds memory.
const CHUNK: usize = 1000;
/// A failed run is tried again after this, or at its next due time where that is sooner.
const TRY_AGAIN: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// Times that resources whose work was lost are handed out again before they count as failed.
const REHANDED: u32 = 2;

/// A wait that outlasts every message of a run: a queue's longest delay, and a minute.
const DROPPED_AFTER: chrono::TimeDelta = chrono::TimeDelta::minutes(16);

impl SyncWorker {
    /// Looks at a run that has handed everything out, and ends it if all of that is done.
    ///
    /// Whoever reports the last outcome sends the message that leads here, and the scheduler sends one every two minutes; so
    /// a look that comes too early may simply end.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) async fn look(&self, run: &mut Run) -> Result<TurnEnd, Halt> {
        if run.has_listed && run.job.checkpoint.handed_out > 0 {
            // Others have reported while this turn listed; the last of them may have seen a run that was not listed yet.
            let Some(stored) = self.store.get_job(run.integration.id, run.job.id).await? else {
                return Err(Halt::Superseded);
            };
            run.job.checkpoint.reported = stored.checkpoint.reported;
            run.job.progress_at = stored.progress_at;
        }
        let now = self.clock.now();
        let may_move = !matches!(run.circuit.gate(now), Gate::Shut { .. });
        let is_stalled = may_move && now - quiet_since(&run.integration, &run.job) >= self.stall;
        let was_dropped = was_dropped(&run.integration, &run.job, now);
        let is_stalled = is_stalled || was_dropped;
        if run.job.checkpoint.reported < run.job.checkpoint.handed_out && !is_stalled {
            return Ok(TurnEnd::Waiting);
        }
        let pages = self.pages(run).await?;
        let mut tally = self.tally(&run.job, &pages).await?;
        if !tally.open.is_empty() {
            if !is_stalled {
                return Ok(TurnEnd::Waiting);
            }
            if was_dropped || run.job.checkpoint.rehanded < REHANDED {
                run.job.checkpoint.rehanded += u32::from(!was_dropped);
                tracing::warn!(job.id = %run.job.id, count = tally.open.len(), "resources were never reported and are handed out again");
                self.hand_out_again(run, &tally.open, &pages).await?;
                return Ok(TurnEnd::Waiting);
            }
            self.give_up_on(run, &mut tally).await?;
        }
        let history = History::of(&pages);
        let pending = if history.held > 0 {
            let of = self.live_records(run).await?;
            Some(PendingDeletes { job_id: run.job.id, count: history.held, of, since: now })
        } else {
            None
        };
        let retry_failed = tally.retry_failed;
        (run.job.counts, run.job.failed_resources) = tally.finish(&pages);
        let mut end = completed(&run.integration, &run.job, pending, retry_failed, now);
        end.due_at = self.syncs.next_due(&as_ended(&end)).await?;
        self.write_end(end).await
    }

    /// Ends a run before its end, FAILED with a reason or CANCELLED. What it did stays done and is counted.
    ///
    /// # Errors
    /// [`Halt::Trouble`].
    pub(crate) async fn end_early(
        &self,
        run: &mut Run,
        status: JobStatus,
        reason: Option<String>,
    ) -> Result<TurnEnd, Halt> {
        let now = self.clock.now();
        let pages = self.pages(run).await?;
        let tally = self.tally(&run.job, &pages).await?;
        let retry_failed = tally.retry_failed || run.integration.retry_failed;
        (run.job.counts, run.job.failed_resources) = tally.finish(&pages);
        let mut end = cut_short(&run.integration, &run.job, status, reason, now);
        end.retry_failed = retry_failed;
        let due_at = self.syncs.next_due(&as_ended(&end)).await?;
        // ERROR is tried at most daily, which `next_due` sees to; a first failure need not wait for the next day.
        let sooner = status == JobStatus::Failed && end.status != Status::Error;
        end.due_at = if sooner { due_at.map(|at| at.min(now + TRY_AGAIN)) } else { due_at };
        self.write_end(end).await
    }

    /// Frees the slot of a run whose job has ended already.
    ///
    /// # Errors
    /// [`Halt::Trouble`].
    pub(crate) async fn release_slot(&self, integration: &Integration, job: SyncJob) -> Result<(), Halt> {
        let mut end = unchanged(integration, job);
        end.due_at = self.syncs.next_due(integration).await?;
        self.write_end(end).await.map(|_| ())
    }

    async fn write_end(&self, end: RunEnd) -> Result<TurnEnd, Halt> {
        let reference = end.integration.reference();
        let was_full = end.job.status == JobStatus::Completed && end.job.mode == SyncMode::Full;
        let finished = self.store.finish_run(&end).await?;
        let counts = end.job.counts;
        tracing::info!(
            integration.id = %end.job.integration_id, job.id = %end.job.id, provider = %end.job.provider,
            status = ?end.job.status, ?finished, found = counts.found, synced = counts.synced,
            unchanged = counts.unchanged, failed = counts.failed, deleted = counts.deleted, skipped = counts.skipped,
            "run ended"
        );
        match finished {
            Finished::Gone => return Ok(TurnEnd::Finished),
            Finished::Again(mode) => {
                self.syncs.after_run(&reference, Some(mode)).await?;
            }
            Finished::Yes => {}
        }
        if let Some(since) = unannounced_since(&end.job, &end.integration) {
            let doubted = self.store.doubt_subscriptions(&reference, since, self.clock.now()).await?;
            if doubted > 0 {
                tracing::warn!(integration.id = %end.job.integration_id, doubted, "changes were found that no webhook announced");
            }
        }
        if was_full {
            // A full listing may have found parts of the account that want a subscription of their own.
            self.syncs.subscribe(&reference).await?;
        }
        Ok(TurnEnd::Finished)
    }

    async fn pages(&self, run: &mut Run) -> Result<Vec<PageRow>, Halt> {
        match run.pages.take() {
            Some(pages) => Ok(pages),
            None => Ok(self.store.pages(run.job.id).await?),
        }
    }

    /// What became of everything that a run has handed out, as the records say.
    pub(crate) async fn tally(&self, job: &SyncJob, pages: &[PageRow]) -> Result<Tally, store::Error> {
        let ids: Vec<ExternalId> = handed_out(pages).into_iter().cloned().collect();
        let mut tally = Tally::default();
        for ids in ids.chunks(CHUNK) {
            let records = self.store.get_records(job.integration_id, ids).await?;
            for id in ids {
                tally.add(id, records.get(id), job.run);
            }
        }
        Ok(tally)
    }

    /// Records what no worker will report any more as failed, so that the run ends and the next one tries again.
    async fn give_up_on(&self, run: &Run, tally: &mut Tally) -> Result<(), Halt> {
        let open = std::mem::take(&mut tally.open);
        tracing::warn!(job.id = %run.job.id, count = open.len(), "resources were never reported and count as failed");
        for ids in open.chunks(CHUNK) {
            let mut records = self.store.get_records(run.integration.id, ids).await?;
            for id in ids {
                let seen = records.remove(id);
                let lost = lost(id, seen.clone(), &run.job, self.clock.now());
                match self.store.save_record_over(run.integration.id, seen.as_ref(), &lost).await? {
                    Written::Yes => tally.add_failure(&lost),
                    // It was reported after all, between the look and now.
                    Written::Stale(record) | Written::Changed(record) => tally.add(id, Some(&record), run.job.run),
                }
            }
        }
        // One that was observed meanwhile without a word for this run: unchanged is what this run did to it.
        for id in std::mem::take(&mut tally.open) {
            let outcome = RunOutcome { job_id: run.job.id, run: run.job.run, outcome: Outcome::Unchanged };
            self.store.note_outcome(run.integration.id, &id, outcome).await?;
            let record = self.store.get_records(run.integration.id, std::slice::from_ref(&id)).await?.remove(&id);
            tally.add(&id, record.as_ref(), run.job.run);
        }
        Ok(())
    }
}

/// Since when nothing has moved that should have: waiting for a reserved call, or as long as the provider asks, is no standstill.
fn quiet_since(integration: &Integration, job: &SyncJob) -> Timestamp {
    [job.checkpoint.expected_end_at, integration.blocked_until]
        .into_iter()
        .flatten()
        .fold(job.progress_at, Timestamp::max)
}

/// Whether the provider asked to wait for longer than messages stay on a queue, and that wait is over: the resource workers have let
/// go of the run's messages, so that none goes to and fro for hours.
fn was_dropped(integration: &Integration, job: &SyncJob, now: Timestamp) -> bool {
    integration.blocked_until.is_some_and(|until| until <= now && until - job.progress_at >= DROPPED_AFTER)
}

/// The record of a resource that was handed out and never reported.
fn lost(id: &ExternalId, record: Option<Record>, job: &SyncJob, now: Timestamp) -> Record {
    let record = record.unwrap_or_else(|| Record {
        external_id: id.clone(),
        kind: ResourceKind::File,
        name: id.to_string(),
        mime_type: None,
        url: None,
        state: RecordState::Failed,
        revision: String::new(),
        content_hash: None,
        memory_id: None,
        stored_as: None,
        code: None,
        reason: None,
        retriable: true,
        observed_at: now,
        last_synced_at: now,
        last_run: None,
    });
    Record {
        state: RecordState::Failed,
        // Whatever was delivered of it may be older than this revision says: the next listing hands it out again.
        revision: String::new(),
        code: Some("worker_lost".to_owned()),
        reason: Some("The work on it was lost several times; it will be tried again.".to_owned()),
        retriable: true,
        observed_at: now,
        last_synced_at: now,
        last_run: Some(RunOutcome { job_id: job.id, run: job.run, outcome: Outcome::Failed }),
        ..record
    }
}

/// The end of a run that did all it set out to do; single resources may have failed.
fn completed(
    integration: &Integration,
    job: &SyncJob,
    pending: Option<PendingDeletes>,
    retry_failed: bool,
    now: Timestamp,
) -> RunEnd {
    let job = SyncJob { status: JobStatus::Completed, completed_at: Some(now), error_message: None, ..job.clone() };
    let is_full = job.mode == SyncMode::Full;
    RunEnd {
        status: integration.status.after(Event::Succeeded),
        last_error: None,
        failures_in_a_row: 0,
        last_sync_at: Some(now),
        change_cursor: job.checkpoint.changes_from.clone(),
        retry_failed,
        // A full listing knows of everything that is to be deleted; changes know nothing of what waits since before.
        pending_deletes: pending.or(integration.pending_deletes.filter(|_| !is_full)),
        // A confirmation is used up by the full run that carried it, not by one that was under way when it was given.
        deletes_confirmed: integration.deletes_confirmed && !(is_full && job.deletes_confirmed),
        blocked_until: None,
        due_at: None,
        ..unchanged(integration, job)
    }
}

/// The end of a run that did not reach its own: the integration keeps its cursor.
fn cut_short(
    integration: &Integration,
    job: &SyncJob,
    status: JobStatus,
    reason: Option<String>,
    now: Timestamp,
) -> RunEnd {
    let job = SyncJob { status, completed_at: Some(now), error_message: reason.clone(), ..job.clone() };
    let end = unchanged(integration, job);
    if status != JobStatus::Failed {
        return end;
    }
    let in_a_row = integration.failures_in_a_row.saturating_add(1);
    RunEnd {
        status: integration.status.after(Event::Failed { in_a_row }),
        last_error: reason,
        failures_in_a_row: in_a_row,
        ..end
    }
}

/// An end that leaves the integration as it is, without its slot.
fn unchanged(integration: &Integration, job: SyncJob) -> RunEnd {
    RunEnd {
        job,
        status: integration.status,
        last_error: integration.last_error.clone(),
        failures_in_a_row: integration.failures_in_a_row,
        last_sync_at: integration.last_sync_at,
        change_cursor: None,
        retry_failed: integration.retry_failed,
        pending_deletes: integration.pending_deletes,
        deletes_confirmed: integration.deletes_confirmed,
        blocked_until: integration.blocked_until,
        due_at: integration.due_at,
        integration: integration.clone(),
    }
}

/// The integration as it will be, from which its next due time is reckoned.
fn as_ended(end: &RunEnd) -> Integration {
    Integration {
        status: end.status,
        failures_in_a_row: end.failures_in_a_row,
        last_sync_at: end.last_sync_at,
        blocked_until: end.blocked_until,
        active: None,
        ..end.integration.clone()
    }
}

#[cfg(test)]
mod tests;
