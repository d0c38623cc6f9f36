//! The messages of one integration, from their plans to their ends.

use std::collections::HashMap;

use connections::Metered;
use domain::circuit::Circuit;
use domain::job::JobError;
use domain::message::{IntegrationRef, Progress, ResourceAction, ResourceMessage, RunRef};
use domain::rate::Lane;
use domain::resource::{DeleteReason, Record};
use domain::{ExternalId, Integration, Resource, Status, Timestamp};
use lambda::sqs::Message;
use providers::provider::Access;
use store::Work;

use crate::failure::Fault;
use crate::fetch::{Time, Wanted, whole};
use crate::plan::{Plan, left_behind, plan, redriven};
use crate::purge::is_purge;
use crate::records::Content;
use crate::slices::Slice;
use crate::worker::ResourceWorker;

/// Calls that one message makes at most, whatever its provider says.
const MOST_CALLS: u32 = 60;

/// A message on its way.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Its place in the batch.
    pub place: usize,
    /// Which resource.
    pub id: ExternalId,
    /// The run that counts it.
    pub run: Option<RunRef>,
    /// How many times it was received.
    pub attempt: u32,
    /// The call that is reserved for it.
    pub slot: Option<Timestamp>,
    /// It came on the lane of what webhooks announce.
    pub announced: bool,
    /// How far the fetch has come that it goes on with.
    pub progress: Option<Box<Progress>>,
}

/// How a message ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its place in the batch.
    pub place: usize,
    /// The run that its outcome is to be reported to; `None` while there is none to report.
    pub report: Option<RunRef>,
    /// What the queue is told.
    pub result: Result<(), JobError>,
}

impl Ended {
    /// Its outcome stands in the record.
    pub fn recorded(job: &Job, result: Result<(), JobError>) -> Self {
        Self { place: job.place, report: job.run, result }
    }

    /// It has no outcome, or none that anybody waits for.
    pub fn unrecorded(job: &Job, result: Result<(), JobError>) -> Self {
        Self { place: job.place, report: None, result }
    }
}

/// What is to be written about a resource.
#[derive(Debug)]
pub(crate) enum Finding {
    /// It was done before.
    Done,
    /// There is something newer.
    Known,
    /// It carries no text.
    NoText(Box<Resource>),
    /// It is to be deleted.
    Gone(DeleteReason),
    /// It is this.
    Content(Box<Content>),
    /// Another message goes on with it.
    GoesOn(Box<Slice>),
    /// Something went wrong; what a listing said of it.
    Fault(Fault, Option<Box<Resource>>),
}

/// A finding with what it is about.
#[derive(Debug)]
pub(crate) struct Found {
    /// The message.
    pub job: Job,
    /// What was found.
    pub finding: Finding,
    /// When the observation began.
    pub observed_at: Timestamp,
}

/// One integration's part of a batch.
pub(crate) struct Group {
    /// The integration as read for this batch.
    pub integration: Integration,
    /// When it was read, or looked at again.
    pub read_at: Timestamp,
    /// Its provider's circuit, as read then or as our own looks have made it.
    pub circuit: Circuit,
    /// The records of the batch's resources.
    pub records: HashMap<ExternalId, Record>,
    /// The token, once one was needed.
    pub access: Option<Access>,
    /// What its fetches count against.
    pub meter: Metered,
    /// The time that is left.
    pub time: Time,
    /// Under which name it holds connections: the first message's, so that a message that comes back after its worker's death
    /// takes over what that one held.
    pub holder: String,
}

impl ResourceWorker {
    /// Works on messages of one integration, no two of the same resource.
    pub(crate) async fn work_on(
        &self,
        reference: &IntegrationRef,
        messages: Vec<(usize, Message<ResourceMessage>)>,
        time: Time,
    ) -> Vec<Ended> {
        let places: Vec<usize> = messages.iter().map(|(place, _)| *place).collect();
        match self.try_work_on(reference, messages, time).await {
            Ok(ended) => ended,
            Err(error) => {
                // A table did not answer before anything was done.
                let reason = lambda::telemetry::chain(&error);
                let again = |place| Ended { place, report: None, result: Err(JobError::retry(reason.clone())) };
                places.into_iter().map(again).collect()
            }
        }
    }

    async fn try_work_on(
        &self,
        reference: &IntegrationRef,
        messages: Vec<(usize, Message<ResourceMessage>)>,
        time: Time,
    ) -> Result<Vec<Ended>, store::Error> {
        let read_at = self.clock.now();
        let ids: Vec<ExternalId> = messages.iter().map(|(_, message)| message.body.external_id.clone()).collect();
        let work = self.store.find_work(reference, &ids).await?;
        let Work { integration, circuit, records } = match work {
            Some(work) if work.integration.status != Status::Disconnected => work,
            Some(work) => return Ok(self.purge(reference, messages, &work.records).await),
            None => return Ok(self.purge(reference, messages, &HashMap::new()).await),
        };
        let holder = messages.first().map(|(_, message)| message.id.clone()).unwrap_or_default();
        // What the provider's settings may refine, before the first call.
        let limits = self.registry.get(integration.provider).manifest().rate_limits;
        let meter = Metered { key: integration.rate_key(), budget: limits.budget() };
        let mut group = Group { integration, read_at, circuit, records, access: None, meter, time, holder };
        let (planned, mut ended) = self.plans(&group, messages);
        let in_parts: Vec<Job> =
            planned.iter().map(|(job, _)| job).filter(|job| job.progress.is_some()).cloned().collect();
        let found = self.find(&mut group, planned).await;
        ended.extend(self.write_all(&mut group, found).await);
        for job in in_parts {
            let is_done = ended.iter().any(|end| end.place == job.place && end.result.is_ok());
            if let Some(progress) = job.progress.as_deref().filter(|_| is_done) {
                self.forget_parts(&group, &job, progress).await;
            }
        }
        Ok(ended)
    }

    /// Decides about every message; those of runs that have ended mostly end here.
    fn plans(&self, group: &Group, messages: Vec<(usize, Message<ResourceMessage>)>) -> (Vec<(Job, Plan)>, Vec<Ended>) {
        let (mut planned, mut ended) = (Vec::new(), Vec::new());
        for (place, message) in messages {
            let Message { body, attempt, slot, queue, .. } = message;
            let record = group.records.get(&body.external_id);
            let mut job = Job {
                place,
                id: body.external_id.clone(),
                run: body.run,
                attempt,
                slot,
                announced: self.is_webhook_lane(&queue),
                progress: match &body.action {
                    ResourceAction::Sync { progress, .. } => progress.clone(),
                    ResourceAction::Delete { .. } => None,
                },
            };
            if is_purge(&body.action) {
                // The account is connected again: what is synced now is wanted.
                ended.push(Ended::unrecorded(&job, Ok(())));
            } else if is_of_an_ended_run(&group.integration, body.run) {
                job.run = None;
                let plan = redriven(record).or_else(|| left_behind(record, attempt));
                match plan.filter(|_| group.integration.status.is_scheduled()) {
                    Some(plan) => planned.push((job, plan)),
                    None => ended.push(Ended::unrecorded(&job, Ok(()))),
                }
            } else {
                planned.push((job, plan(body, record, attempt)));
            }
        }
        (planned, ended)
    }

    /// Finds out what there is to write: fetches what is to be fetched.
    async fn find(&self, group: &mut Group, planned: Vec<(Job, Plan)>) -> Vec<Found> {
        let now = self.clock.now();
        let (mut found, mut jobs, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        for (job, plan) in planned {
            let (finding, observed_at) = match plan {
                Plan::Done => (Finding::Done, now),
                Plan::Known => (Finding::Known, now),
                Plan::Skip { resource, listed_at } => (Finding::NoText(resource), listed_at.unwrap_or(now)),
                Plan::Delete { reason, at } => (Finding::Gone(reason), at),
                Plan::Fetch { known: Some(known), text: Some(text), listed_at, .. } => {
                    (Finding::Content(Box::new(whole(*known, text))), listed_at.unwrap_or(now))
                }
                Plan::Fetch { known, text: _, listed_at, progress } => {
                    let calls = self.calls_of(group, known.as_deref());
                    wanted.push(Wanted { calls, progress, ..wanted_by(&job, known) });
                    jobs.push((job, listed_at.unwrap_or(now)));
                    continue;
                }
            };
            found.push(Found { job, finding, observed_at });
        }
        let results = self.fetch_wanted(group, &wanted).await;
        for (((job, observed_at), wanted), result) in jobs.into_iter().zip(wanted).zip(results) {
            let (finding, observed_at) = match result {
                Ok(content) => (Finding::Content(Box::new(content)), observed_at),
                // That it is gone was seen now, whatever a listing said before.
                Err(Fault::Gone) => (Finding::Gone(DeleteReason::Removed), now),
                Err(Fault::Forbidden { .. }) if was_delivered(group.records.get(&job.id)) => {
                    (Finding::Gone(DeleteReason::AccessLost), now)
                }
                Err(Fault::GoesOn(slice)) => (Finding::GoesOn(slice), observed_at),
                Err(fault) => (Finding::Fault(fault, wanted.known), observed_at),
            };
            found.push(Found { job, finding, observed_at });
        }
        found
    }
}

impl ResourceWorker {
    /// How many calls a fetch makes at most.
    pub(crate) fn calls_of(&self, group: &Group, known: Option<&Resource>) -> u32 {
        self.registry.get(group.integration.provider).fetch_calls(known).clamp(1, MOST_CALLS)
    }
}

/// The fetch that a message asks for, of one call. What a webhook announced, or no run has handed out, somebody waits for.
pub(crate) fn wanted_by(job: &Job, known: Option<Box<Resource>>) -> Wanted {
    let lane = if job.run.is_some() && !job.announced { Lane::Backfill } else { Lane::Live };
    Wanted { id: job.id.clone(), known, slot: job.slot, lane, calls: 1, progress: None }
}

/// Whether the run that handed it out is over.
fn is_of_an_ended_run(integration: &Integration, run: Option<RunRef>) -> bool {
    run.is_some_and(|run| integration.active.is_none_or(|active| active.job_id != run.job_id))
}

/// Whether the sink has something of it that a loss of access takes away.
fn was_delivered(record: Option<&Record>) -> bool {
    record.is_some_and(|record| record.content_hash.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::{at, integration, record, resource};
    use domain::JobId;
    use domain::integration::ActiveRun;

    #[test]
    fn only_the_active_run_s_messages_are_worked_on() {
        let (mine, other) = (JobId::new(at(1)), JobId::new(at(2)));
        let run = Some(RunRef { job_id: mine, run: 4 });
        let with = |job_id| Integration { active: Some(ActiveRun { job_id, run: 4 }), ..integration() };
        assert!(!is_of_an_ended_run(&with(mine), run));
        assert!(is_of_an_ended_run(&with(other), run));
        assert!(is_of_an_ended_run(&integration(), run));
        assert!(!is_of_an_ended_run(&integration(), None), "a webhook's message belongs to no run");
    }

    #[test]
    fn what_somebody_waits_for_goes_ahead() {
        let id = resource("a", "1").external_id;
        let job = |run, announced| Job {
            place: 0,
            id: id.clone(),
            run,
            attempt: 1,
            slot: Some(at(5)),
            announced,
            progress: None,
        };
        let run = Some(RunRef { job_id: JobId::new(at(1)), run: 4 });
        assert_eq!(wanted_by(&job(None, false), None).lane, Lane::Live);
        assert_eq!(wanted_by(&job(run, true), None).lane, Lane::Live);
        let backfill = wanted_by(&job(run, false), None);
        assert_eq!((backfill.lane, backfill.slot), (Lane::Backfill, Some(at(5))));
    }

    #[test]
    fn access_is_lost_only_to_what_was_delivered() {
        assert!(was_delivered(Some(&record("a", "1"))));
        assert!(!was_delivered(Some(&Record { content_hash: None, ..record("a", "1") })));
        assert!(!was_delivered(None));
    }
}
