//! The messages of one integration, from their plans to their ends.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use domain::job::JobError;
use domain::message::{IntegrationRef, ResourceMessage, RunRef};
use domain::resource::{DeleteReason, Record};
use domain::status::Event;
use domain::{ExternalId, Integration, Resource, Status, Timestamp};
use integrations::Settled;
use lambda::sqs::Message;
use providers::provider::Access;

use crate::failure::Fault;
use crate::fetch::{Time, Wanted, whole};
use crate::plan::{Plan, plan, redriven};
use crate::records::Content;
use crate::worker::ResourceWorker;

/// How long everybody on an account waits after a whole batch found the provider down.
const OUTAGE: Duration = Duration::from_secs(15);

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Job {
    /// Its place in the batch.
    pub place: usize,
    /// Which resource.
    pub id: ExternalId,
    /// The run that counts it.
    pub run: Option<RunRef>,
    /// How many times it was received.
    pub attempt: u32,
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
    /// The records of the batch's resources.
    pub records: HashMap<ExternalId, Record>,
    /// The token, once one was needed.
    pub access: Option<Access>,
    /// The time that is left.
    pub time: Time,
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
        let drop = |(place, _)| Ended { place, report: None, result: Ok(()) };
        let integration = self.store.find_integration(reference).await?;
        let Some(integration) = integration.filter(|found| found.status != Status::Disconnected) else {
            return Ok(messages.into_iter().map(drop).collect());
        };
        let ids: Vec<ExternalId> = messages.iter().map(|(_, message)| message.body.external_id.clone()).collect();
        let records = self.store.get_records(integration.id, &ids).await?;
        let mut group = Group { integration, records, access: None, time };
        let (planned, mut ended) = self.plans(&group, messages);
        let found = self.find(&mut group, planned).await;
        ended.extend(self.write_all(&mut group, found).await);
        Ok(ended)
    }

    /// Decides about every message; those of runs that have ended mostly end here.
    fn plans(&self, group: &Group, messages: Vec<(usize, Message<ResourceMessage>)>) -> (Vec<(Job, Plan)>, Vec<Ended>) {
        let (mut planned, mut ended) = (Vec::new(), Vec::new());
        for (place, message) in messages {
            let Message { body, attempt, .. } = message;
            let record = group.records.get(&body.external_id);
            let mut job = Job { place, id: body.external_id.clone(), run: body.run, attempt };
            if is_of_an_ended_run(&group.integration, body.run) {
                job.run = None;
                match redriven(record).filter(|_| group.integration.status.is_scheduled()) {
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
                Plan::Fetch { known: Some(known), text: Some(text), listed_at } => {
                    (Finding::Content(Box::new(whole(*known, text))), listed_at.unwrap_or(now))
                }
                Plan::Fetch { known, text: _, listed_at } => {
                    wanted.push(Wanted { id: job.id.clone(), known });
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
                Err(fault) => (Finding::Fault(fault, wanted.known), observed_at),
            };
            found.push(Found { job, finding, observed_at });
        }
        found
    }

    /// Fetches, and tells the others on the account if the provider asks to wait or is down.
    async fn fetch_wanted(&self, group: &mut Group, wanted: &[Wanted]) -> Vec<Result<Content, Fault>> {
        if wanted.is_empty() {
            return Vec::new();
        }
        let calls = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
        let mut results = match self.prepare(&group.integration, calls, &group.time).await {
            Ok(mut access) => {
                let results = self.fetch_all(&group.integration, &mut access, wanted, &group.time).await;
                group.access = Some(access);
                results
            }
            Err(fault) => repeat(fault, wanted.len()),
        };
        let limit = results.iter().filter_map(|result| match result {
            Err(Fault::Limited(wait)) => Some(*wait),
            _ => None,
        });
        if let Some(wait) = limit.max() {
            self.tell_limit(group, wait).await;
        }
        if is_outage(&results) {
            tracing::warn!(provider = %group.integration.provider, "the provider is down for a whole batch");
            self.block(group, OUTAGE).await;
            results = repeat(Fault::Wait(OUTAGE), wanted.len());
        }
        results
    }

    /// Everybody on the account waits, and people see until when.
    async fn tell_limit(&self, group: &Group, wait: Duration) {
        let until = self.block(group, wait).await;
        let settled = Settled {
            last_error: Some("The provider asks to wait.".to_owned()),
            blocked_until: Some(until),
            due_at: None,
        };
        // The wait itself is kept by the messages; this is for the others and for people.
        if let Err(error) = self.syncs.settle(&group.integration, Event::LimitHit, settled).await {
            tracing::warn!(error = lambda::telemetry::chain(&error), "the wait could not be shown on the integration");
        }
    }

    async fn block(&self, group: &Group, wait: Duration) -> Timestamp {
        let now = self.clock.now();
        let until = TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait)).unwrap_or(now);
        if let Err(error) = self.store.block(&group.integration.rate_key(), until).await {
            tracing::warn!(error = lambda::telemetry::chain(&error), "the wait could not be told to other workers");
        }
        until
    }
}

/// Whether the run that handed it out is over.
fn is_of_an_ended_run(integration: &Integration, run: Option<RunRef>) -> bool {
    run.is_some_and(|run| integration.active.is_none_or(|active| active.job_id != run.job_id))
}

/// Whether the sink has something of it that a loss of access takes away.
fn was_delivered(record: Option<&Record>) -> bool {
    record.is_some_and(|record| record.content_hash.is_some())
}

/// Whether every one of several fetches found the provider down: that is the provider's trouble. One alone may be its own.
fn is_outage(results: &[Result<Content, Fault>]) -> bool {
    results.len() > 1 && results.iter().all(|result| matches!(result, Err(Fault::Outage(_))))
}

/// The same fault for several: the first keeps the cause.
fn repeat(fault: Fault, times: usize) -> Vec<Result<Content, Fault>> {
    let copy = |fault: &Fault| match fault {
        Fault::Gone => Fault::Gone,
        Fault::Forbidden { code } => Fault::Forbidden { code },
        Fault::Final { code, reason, retriable } => {
            Fault::Final { code, reason: reason.clone(), retriable: *retriable }
        }
        Fault::Passing { code, reason, source } => {
            Fault::Passing { code, reason: reason.clone(), source: source.to_string().into() }
        }
        Fault::Outage(source) => Fault::Outage(source.to_string().into()),
        Fault::Limited(wait) => Fault::Limited(*wait),
        Fault::Wait(wait) => Fault::Wait(*wait),
        Fault::Disconnected => Fault::Disconnected,
        Fault::TokenRejected => Fault::TokenRejected,
    };
    let mut faults: Vec<_> = (1..times).map(|_| Err(copy(&fault))).collect();
    faults.push(Err(fault));
    faults
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
    fn an_outage_is_told_from_one_resource_s_trouble() {
        let down = || Err(Fault::Outage("503".into()));
        let fine = || Ok(whole(resource("a", "1"), "text".to_owned()));
        assert!(is_outage(&[down(), down()]));
        assert!(!is_outage(&[down()]));
        assert!(!is_outage(&[down(), fine()]));
        assert!(!is_outage(&[]));
    }

    #[test]
    fn a_fault_of_all_is_each_one_s() {
        let faults = repeat(Fault::Wait(OUTAGE), 3);
        assert_eq!(faults.len(), 3);
        assert!(faults.iter().all(|fault| matches!(fault, Err(Fault::Wait(wait)) if *wait == OUTAGE)));
    }

    #[test]
    fn access_is_lost_only_to_what_was_delivered() {
        assert!(was_delivered(Some(&record("a", "1"))));
        assert!(!was_delivered(Some(&Record { content_hash: None, ..record("a", "1") })));
        assert!(!was_delivered(None));
    }
}
