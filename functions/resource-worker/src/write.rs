//! Delivers and records findings. The record decides what is newer: a write that it refuses means that our delivery may have
//! overwritten something newer in the sink, and that is made good before the message is let go of.

use domain::job::{Decision, JobError};
use domain::rate::Lane;
use domain::resource::{DeleteReason, Outcome, Record, RunOutcome, has_unwanted_body};
use domain::{Integration, Owner, ResourceContent, StorageStrategy, Timestamp, UserId};
use futures::StreamExt as _;
use sink::{Deletion, Delivered, Upsert};
use store::Written;

use crate::batch::{Ended, Finding, Found, Group, Job, wanted_by};
use crate::failure::{Consequence, Fault, consequence};
use crate::fetch::Wanted;
use crate::records::{Content, Failure, Writing, is_delivered, may_be_in_sink, normalized};
use crate::slices::going_on;
use crate::worker::ResourceWorker;

/// Records written at once.
const CONCURRENT: usize = 10;

/// What was done at the sink for a finding.
#[derive(Debug)]
enum Sunk {
    /// Nothing: it has it, or never had it.
    Untouched,
    /// Delivered.
    Delivered(Delivered),
    /// Deleted.
    Deleted,
    /// It did not take it.
    Failed(sink::Error),
}

/// A message whose write was refused, and whether the sink was touched for it.
struct Refused {
    job: Job,
    newer: Box<Record>,
}

/// The sink gave fewer results than it was given resources.
#[derive(Debug, thiserror::Error)]
#[error("the sink gave no result")]
struct NoResult;

impl ResourceWorker {
    /// Delivers, deletes and records what was found: one call to the sink for all deliveries and one for all deletions.
    pub(crate) async fn write_all(&self, group: &mut Group, found: Vec<Found>) -> Vec<Ended> {
        let contents: Vec<Option<ResourceContent>> = found
            .iter()
            .map(|found| match &found.finding {
                Finding::Content(content) => Some(normalized(group.integration.id, content)),
                _ => None,
            })
            .collect();
        let sunk = self.sink_all(group, &found, &contents).await;
        let mut writes = Vec::with_capacity(found.len());
        for ((found, content), sunk) in found.into_iter().zip(contents).zip(sunk) {
            writes.push(self.record(group, found, content, sunk));
        }
        let written: Vec<Result<Ended, Refused>> = futures::stream::iter(writes).buffered(CONCURRENT).collect().await;
        let mut ended = Vec::with_capacity(written.len());
        for result in written {
            ended.push(match result {
                Ok(end) => end,
                Err(refused) => self.make_good(group, refused).await,
            });
        }
        ended
    }

    /// One delivery and one deletion for the whole batch; what happened to each finding, in their order.
    async fn sink_all(&self, group: &Group, found: &[Found], contents: &[Option<ResourceContent>]) -> Vec<Sunk> {
        let (mut upserts, mut deletions) = (Vec::new(), Vec::new());
        let mut sunk: Vec<Sunk> = Vec::with_capacity(found.len());
        for (place, (found, content)) in found.iter().zip(contents).enumerate() {
            sunk.push(Sunk::Untouched);
            let (job, old) = (&found.job, group.records.get(&found.job.id));
            match (&found.finding, content) {
                // A first attempt that died may have delivered something else; only a fresh delivery is certain.
                (Finding::Content(content), Some(normal))
                    if job.attempt > 1
                        || !old.is_some_and(|old| is_delivered(old, normal, group.integration.storage_strategy)) =>
                {
                    upserts.push((place, upsert(group, normal.clone(), &content.resource.revision, found.observed_at)));
                }
                (Finding::Gone(reason), _) if may_be_in_sink(old, job.attempt) => {
                    deletions.push((place, deletion(group, job, *reason)));
                }
                (Finding::NoText(_), _) if may_be_in_sink(old, job.attempt) => {
                    deletions.push((place, deletion(group, job, DeleteReason::Removed)));
                }
                _ => {}
            }
        }
        let (places, upserts): (Vec<usize>, Vec<Upsert>) = upserts.into_iter().unzip();
        for (place, result) in places.into_iter().zip(self.upsert(upserts).await) {
            set(&mut sunk, place, result.map_or_else(Sunk::Failed, Sunk::Delivered));
        }
        let (places, deletions): (Vec<usize>, Vec<Deletion>) = deletions.into_iter().unzip();
        for (place, result) in places.into_iter().zip(self.delete(deletions).await) {
            set(&mut sunk, place, result.map_or_else(Sunk::Failed, |()| Sunk::Deleted));
        }
        sunk
    }

    /// As the sink's own, with the batch's error given to each.
    async fn upsert(&self, batch: Vec<Upsert>) -> Vec<Result<Delivered, sink::Error>> {
        let count = batch.len();
        if count == 0 {
            return Vec::new();
        }
        fill(self.sink.upsert(batch).await, count)
    }

    /// As [`Self::upsert`].
    pub(crate) async fn delete(&self, batch: Vec<Deletion>) -> Vec<Result<(), sink::Error>> {
        let count = batch.len();
        if count == 0 {
            return Vec::new();
        }
        fill(self.sink.delete(batch).await, count)
    }

    /// Writes the record of a finding.
    async fn record(
        &self,
        group: &Group,
        found: Found,
        content: Option<ResourceContent>,
        sunk: Sunk,
    ) -> Result<Ended, Refused> {
        let Found { job, finding, observed_at } = found;
        let old = group.records.get(&job.id);
        let writing = self.writing(group, &job, observed_at);
        let touched = !matches!(sunk, Sunk::Untouched);
        let (record, then) = match (finding, sunk) {
            (Finding::Done, _) => return Ok(Ended::recorded(&job, Ok(()))),
            (Finding::Known, _) => return Ok(self.note_unchanged(group, &job).await),
            (Finding::GoesOn(slice), _) => {
                let instead = queue::encode(&going_on(group, &job, &slice, observed_at)).map_err(JobError::retry);
                let result = instead.and_then(|instead| Err(JobError::goes_on(instead, slice.slot)));
                return Ok(Ended::unrecorded(&job, result));
            }
            (Finding::Fault(fault, known), _) => {
                match self.failed(&job, fault, writing, known.as_deref(), old, false) {
                    Ok((failed, then)) => (self.without_body(group, &job, old, failed).await, then),
                    Err(end) => return Ok(*end),
                }
            }
            (finding, Sunk::Failed(error)) => {
                let resource = match &finding {
                    Finding::Content(content) => Some(&content.resource),
                    Finding::NoText(resource) => Some(resource.as_ref()),
                    _ => None,
                };
                let is_touched = error.may_have_touched();
                match self.failed(&job, error.into(), writing, resource, old, true) {
                    Ok(failed) => failed,
                    Err(end) if is_touched => return Ok(not_as_new(&job, *end)),
                    Err(end) => return Ok(*end),
                }
            }
            (Finding::Content(found), sunk) => {
                let hash = content.map(|content| content.content_hash).unwrap_or_default();
                let (memory_id, outcome) = match sunk {
                    Sunk::Delivered(delivered) => (delivered.memory_id, Outcome::Synced),
                    _ => (old.and_then(|old| old.memory_id.clone()), Outcome::Unchanged),
                };
                (writing.synced(&found.resource, &hash, memory_id, outcome), Ok(()))
            }
            (Finding::NoText(resource), _) => (writing.skipped(&resource), Ok(())),
            (Finding::Gone(reason), _) => (writing.deleted(&job.id, old, reason), Ok(())),
        };
        match self.store.save_record_over(group.integration.id, old, &record).await {
            Ok(Written::Yes) => Ok(Ended::recorded(&job, then)),
            // Another worker had the same resource in hand. Whose touch of the sink came last is not known.
            Ok(Written::Changed(newer)) => Err(Refused { job, newer }),
            Ok(Written::Stale(newer)) if touched || job.attempt > 1 => Err(Refused { job, newer }),
            Ok(Written::Stale(_)) => Ok(self.note_unchanged(group, &job).await),
            Err(error) => Ok(Ended::unrecorded(&job, Err(error.into()))),
        }
    }

    /// What cannot be fetched any more and was kept whole before its owner wanted no body kept, leaves the sink: none stays at rest because
    /// it could not be rewritten. What another try may mend stays until then; what the sink does not let go of, the next full pass
    /// hands out again.
    async fn without_body(&self, group: &Group, job: &Job, old: Option<&Record>, failed: Record) -> Record {
        let wanted = group.integration.storage_strategy;
        if failed.retriable || !old.is_some_and(|old| has_unwanted_body(old.stored_as, wanted)) {
            return failed;
        }
        match self.delete(vec![deletion(group, job, DeleteReason::Removed)]).await.pop() {
            Some(Ok(())) => Record { content_hash: None, memory_id: None, stored_as: None, ..failed },
            Some(Err(_)) | None => failed,
        }
    }

    /// The failed record of a fault, or the end of the message if nothing is to be recorded.
    fn failed(
        &self,
        job: &Job,
        fault: Fault,
        writing: Writing,
        resource: Option<&domain::Resource>,
        old: Option<&Record>,
        sink_uncertain: bool,
    ) -> Result<(Record, Result<(), JobError>), Box<Ended>> {
        let end = |result| Err(Box::new(Ended::unrecorded(job, result)));
        match consequence(fault, job.attempt, job.run.is_some()) {
            Consequence::Drop => end(Ok(())),
            Consequence::TryAgain(error) => end(Err(error)),
            Consequence::Record { code, reason, retriable, then } => {
                tracing::warn!(resource.external_id = %job.id, code, reason, "resource failed");
                let failure = Failure { code, reason, retriable };
                Ok((writing.failed(&job.id, resource, old, failure, sink_uncertain), then))
            }
        }
    }

    /// There is something newer: for the run, nothing has changed.
    async fn note_unchanged(&self, group: &Group, job: &Job) -> Ended {
        let Some(run) = job.run else { return Ended::unrecorded(job, Ok(())) };
        let outcome = RunOutcome { job_id: run.job_id, run: run.run, outcome: Outcome::Unchanged };
        match self.store.note_outcome(group.integration.id, &job.id, outcome).await {
            Ok(_) => Ended::recorded(job, Ok(())),
            Err(error) => Ended::unrecorded(job, Err(error.into())),
        }
    }

    /// Makes good what a stale delivery may have overwritten: looks at the resource now, and brings sink and record to that.
    async fn make_good(&self, group: &mut Group, refused: Refused) -> Ended {
        let Refused { job, newer } = refused;
        tracing::info!(resource.external_id = %job.id, "a newer observation was recorded meanwhile; looking again");
        let observed_at = self.clock.now();
        let writing = self.writing(group, &job, observed_at);
        let (record, then) = match self.look_again(group, &job).await {
            Ok(content) => {
                let normal = normalized(group.integration.id, &content);
                let hash = normal.content_hash.clone();
                let sent =
                    self.upsert(vec![upsert(group, normal, &content.resource.revision, observed_at)]).await.pop();
                match sent.unwrap_or_else(|| Err(no_result())) {
                    Ok(delivered) => {
                        (writing.synced(&content.resource, &hash, delivered.memory_id, Outcome::Synced), Ok(()))
                    }
                    Err(error) => {
                        match self.failed(&job, error.into(), writing, Some(&content.resource), Some(&newer), true) {
                            Ok(failed) => failed,
                            Err(end) => return not_as_new(&job, *end),
                        }
                    }
                }
            }
            Err(Fault::Gone) => {
                let sent = self.delete(vec![deletion(group, &job, DeleteReason::Removed)]).await.pop();
                match sent.unwrap_or_else(|| Err(no_result())) {
                    Ok(()) => (writing.deleted(&job.id, Some(&newer), DeleteReason::Removed), Ok(())),
                    Err(error) => match self.failed(&job, error.into(), writing, None, Some(&newer), true) {
                        Ok(failed) => failed,
                        Err(end) => return not_as_new(&job, *end),
                    },
                }
            }
            Err(fault) => match self.failed(&job, fault, writing, None, Some(&newer), true) {
                // Without a revision the next listing hands it out again, whatever it says.
                Ok((failed, then)) => (Record { revision: String::new(), retriable: true, ..failed }, then),
                Err(end) => return not_as_new(&job, *end),
            },
        };
        match self.store.save_record_over(group.integration.id, Some(&newer), &record).await {
            Ok(Written::Yes) => Ended::recorded(&job, then),
            // Somebody is faster every time: let them finish.
            Ok(Written::Stale(_) | Written::Changed(_)) => Ended::unrecorded(&job, Err(JobError::retry(Overtaken))),
            Err(error) => Ended::unrecorded(&job, Err(error.into())),
        }
    }

    async fn look_again(&self, group: &mut Group, job: &Job) -> Result<Content, Fault> {
        let calls = self.calls_of(group, None);
        let wanted = [Wanted { slot: None, lane: Lane::Live, calls, ..wanted_by(job, None) }];
        match self.fetch_wanted(group, &wanted).await.pop() {
            // It is fetched in parts: the message comes again as a second attempt, and delivers whatever it finds.
            Some(Err(Fault::GoesOn(_))) => Err(Fault::Wait(std::time::Duration::from_secs(1))),
            // What is to be made good is not let go of, however long it takes.
            Some(Err(Fault::Far(wait))) => Err(Fault::Wait(wait)),
            Some(result) => result,
            None => Err(Fault::Gone),
        }
    }

    fn writing(&self, group: &Group, job: &Job, observed_at: Timestamp) -> Writing {
        let strategy = group.integration.storage_strategy;
        Writing { run: job.run, observed_at, now: self.clock.now(), strategy }
    }
}

/// A message that only waits comes back with the attempts that it had. As the first attempt it would take what is recorded for known
/// and leave the sink with what this one may have put there, so here the first one is spent.
fn not_as_new(job: &Job, end: Ended) -> Ended {
    let result = match end.result {
        Err(JobError { decision: Decision::RetryAfter(_), source, .. }) if job.attempt == 1 => {
            Err(JobError::retry(source))
        }
        result => result,
    };
    Ended { result, ..end }
}

/// Newer observations keep coming while an older one is made good.
#[derive(Debug, thiserror::Error)]
#[error("a newer observation was recorded again")]
struct Overtaken;

fn upsert(group: &Group, content: ResourceContent, revision: &str, observed_at: Timestamp) -> Upsert {
    let (keep_body, form) = match group.integration.storage_strategy {
        StorageStrategy::FullContent => (true, ""),
        // A sink that has seen the whole must not take this for the same again.
        StorageStrategy::MetadataOnly => (false, ":reference"),
    };
    Upsert {
        integration: group.integration.reference(),
        idempotency_key: format!("{}@{revision}#{}{form}", content.id, content.content_hash),
        content,
        keep_body,
        part: 0,
        acting: acting(&group.integration),
        observed_at,
    }
}

/// In whose name a resource is delivered: a person's own, or that of the member who connected an organization's account.
fn acting(integration: &Integration) -> UserId {
    match &integration.owner {
        Owner::User(id) => id.clone(),
        Owner::Organization(_) => integration.connected_by.clone(),
    }
}

fn deletion(group: &Group, job: &Job, reason: DeleteReason) -> Deletion {
    Deletion { integration: group.integration.reference(), external_id: job.id.clone(), reason }
}

fn set(sunk: &mut [Sunk], place: usize, what: Sunk) {
    if let Some(slot) = sunk.get_mut(place) {
        *slot = what;
    }
}

fn no_result() -> sink::Error {
    sink::Error::unavailable("deliver", NoResult)
}

/// One result for each, whatever the sink gave.
fn fill<T>(given: Result<Vec<Result<T, sink::Error>>, sink::Error>, count: usize) -> Vec<Result<T, sink::Error>> {
    let mut results = match given {
        Ok(results) => results,
        Err(error) => {
            let reason = lambda::telemetry::chain(&error);
            (0..count).map(|_| Err(sink::Error::unavailable("reach it", reason.clone()))).collect()
        }
    };
    results.truncate(count);
    while results.len() < count {
        results.push(Err(no_result()));
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::{at, record};

    #[test]
    fn guarantee_08_a_wait_does_not_make_a_stale_delivery_look_like_a_first_attempt() {
        let decision = |attempt| {
            let job = Job {
                place: 0,
                id: record("a", "1").external_id,
                run: None,
                attempt,
                slot: None,
                announced: false,
                progress: None,
            };
            let waits = Ended::unrecorded(&job, Err(JobError::at_slot(at(9), "a slot")));
            not_as_new(&job, waits).result.unwrap_err().decision
        };
        assert_eq!(decision(1), Decision::Retry);
        assert_eq!(decision(2), Decision::RetryAfter(std::time::Duration::ZERO), "the attempt stays a second one");
    }

    #[test]
    fn every_resource_gets_a_result_from_the_sink() {
        let down = || Err::<Vec<Result<(), _>>, _>(sink::Error::unavailable("connect", "refused"));
        assert!(fill(down(), 3).iter().all(Result::is_err));
        let short = fill(Ok(vec![Ok(())]), 3);
        assert_eq!(short.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(fill(Ok(vec![Ok(()), Ok(())]), 1).len(), 1);
    }
}
