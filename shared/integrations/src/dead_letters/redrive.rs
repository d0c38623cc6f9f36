//! Sends dead letters back to work: first to their queue, then away from the dead letters. Whoever dies in between leaves the
//! work there twice, which its workers cope with, and never not at all.
//!
//! While letters are worked on nobody else sees them, so that two administrators at once do not do it twice.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::message::{IntegrationRef, ResourceAction, ResourceMessage, SyncMessage};
use domain::resource::DeleteReason;
use domain::{IntegrationId, JobId, JobStatus, Timestamp, Trigger};
use futures::future::join_all;
use queue::{Letter, Letters};

use super::{DeadLetters, WorkQueue};
use crate::error::Error;

/// For how long letters are hidden from others: longer than any call lasts.
const HIDDEN: Duration = Duration::from_secs(60);
/// For how long letters are sent back before the answer says that more is left. A request to the API lasts 29 s at most.
const WORKING: Duration = Duration::from_secs(15);
/// A letter with the words of one that was just sent back, and put here since about then, has come back.
const ABOUT: TimeDelta = TimeDelta::seconds(60);

/// Which letters are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Those of these ids, wherever they are.
    Ids(BTreeSet<String>),
    /// Those of a queue.
    Queue(WorkQueue),
    /// All.
    All,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redriven {
    /// How many letters went back to work.
    pub redriven: u64,
    /// Letters that stay, since their work cannot be done now.
    pub refused: Vec<Refused>,
    /// Ids that were asked for and are nowhere; or somebody else has them in hand at this moment.
    pub missing: Vec<String>,
    /// How many letters are left on the queues that were asked for, about.
    pub remaining: u64,
    /// Whether time ran out: asking again goes on.
    pub more: bool,
}

/// A letter that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The letter.
    pub id: String,
    /// What stands in the way.
    pub code: &'static str,
}

/// What is to be done about a letter.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// This goes to its queue.
    Back(String),
    /// Nothing is left to do, or it has been done here.
    Done,
    /// It stays.
    Stay(&'static str),
}

/// What is known of one queue's letters while they are worked on.
#[derive(Default)]
struct Progress {
    redriven: u64,
    refused: Vec<Refused>,
    /// Letters in hand that stay.
    held: Vec<Letter>,
    /// Wanted ids that were met.
    met: BTreeSet<String>,
    more: bool,
    /// Words that were sent back.
    sent: HashSet<(String, String)>,
    /// Runs for which a new one was asked for.
    restarted: HashSet<JobId>,
    /// The run that an integration has under way.
    active: HashMap<IntegrationId, Option<JobId>>,
}

impl DeadLetters {
    /// Sends letters back to their queues, where their attempts begin anew. The message of a run that has failed starts a new run; one
    /// of a resource whose run has ended is done for itself. About three requests for ten letters, and one or two reads for each
    /// integration or run among them.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if nothing could be done at all.
    pub async fn redrive(&self, wanted: &Wanted) -> Result<Redriven, Error> {
        let ids = if let Wanted::Ids(ids) = wanted { Some(ids) } else { None };
        let asked: Vec<_> =
            self.queues.iter().filter(|(queue, _)| !matches!(wanted, Wanted::Queue(of) if of != queue)).collect();
        let worked = join_all(asked.iter().map(|(queue, letters)| self.redrive_of(*queue, letters, ids))).await;
        let mut done = Redriven::default();
        let mut met = BTreeSet::new();
        let mut failure = None;
        for (progress, error) in worked {
            done.redriven += progress.redriven;
            done.refused.extend(progress.refused);
            done.more |= progress.more || error.is_some();
            met.extend(progress.met);
            failure = error.or(failure);
        }
        if let Some(error) = failure {
            if done.redriven == 0 {
                return Err(error);
            }
            tracing::warn!(%error, "not all dead letters could be worked on");
        }
        if !done.more {
            done.missing = ids.into_iter().flatten().filter(|id| !met.contains(*id)).cloned().collect();
        }
        for count in join_all(asked.iter().map(|(_, letters)| letters.count())).await {
            done.remaining += count?;
        }
        Ok(done)
    }

    /// The letters of one queue; what was done, and what ended it early.
    async fn redrive_of(
        &self,
        queue: WorkQueue,
        letters: &Letters,
        ids: Option<&BTreeSet<String>>,
    ) -> (Progress, Option<Error>) {
        let (began, began_at) = (Instant::now(), self.syncs.clock.now());
        let mut progress = Progress::default();
        let failure = loop {
            if ids.is_some_and(|ids| ids.is_subset(&progress.met)) {
                break None;
            }
            if began.elapsed() >= WORKING {
                progress.more = true;
                break None;
            }
            match letters.receive(HIDDEN).await {
                Ok(ten) if ten.is_empty() => break None,
                Ok(ten) => {
                    let (mine, others) = ten.into_iter().partition(|letter| {
                        ids.is_none_or(|ids| ids.contains(&letter.id)) && !progress.has_come_back(letter, began_at)
                    });
                    progress.held.extend::<Vec<_>>(others);
                    if let Err(error) = self.ten(queue, letters, mine, &mut progress).await {
                        break Some(error);
                    }
                }
                Err(error) => break Some(error.into()),
            }
        };
        if let Err(error) = letters.show_again(&progress.held).await {
            tracing::warn!(queue = queue.as_str(), %error, "dead letters that stay are hidden for a minute");
        }
        (progress, failure)
    }

    /// Works on a few letters.
    async fn ten(
        &self,
        queue: WorkQueue,
        letters: &Letters,
        mine: Vec<Letter>,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        let (mut work, mut going, mut done) = (Vec::new(), Vec::new(), Vec::new());
        let mut failure = None;
        for letter in mine {
            if failure.is_some() {
                progress.held.push(letter);
                continue;
            }
            match self.way(queue, &letter, progress).await {
                Ok(Way::Back(body)) => {
                    work.push((letter.group.clone(), body));
                    going.push(letter);
                }
                Ok(Way::Done) => done.push(letter),
                Ok(Way::Stay(code)) => {
                    progress.met.insert(letter.id.clone());
                    progress.refused.push(Refused { id: letter.id.clone(), code });
                    progress.held.push(letter);
                }
                Err(error) => {
                    failure = Some(error);
                    progress.held.push(letter);
                }
            }
        }
        let unsent = if work.is_empty() { Vec::new() } else { letters.send_back(work).await };
        for (place, letter) in going.into_iter().enumerate() {
            if unsent.iter().any(|unsent| unsent.places.contains(&place)) {
                progress.held.push(letter);
            } else {
                done.push(letter);
            }
        }
        for letter in &done {
            progress.redriven += 1;
            progress.met.insert(letter.id.clone());
            progress.sent.insert((letter.group.clone(), letter.body.clone()));
        }
        // Their work is under way; what is not taken away now is done once more by whoever redrives it, without harm.
        match letters.delete(&done).await {
            Ok(0) => {}
            Ok(kept) => tracing::warn!(queue = queue.as_str(), kept, "redriven dead letters could not be taken away"),
            Err(error) => {
                tracing::warn!(queue = queue.as_str(), %error, "redriven dead letters could not be taken away")
            }
        }
        let failure = failure.or_else(|| unsent.into_iter().next().map(|unsent| unsent.error.into()));
        failure.map_or(Ok(()), Err)
    }

    /// What is to be done about a letter. What nobody understands goes back as it is: a newer worker may understand it.
    async fn way(&self, queue: WorkQueue, letter: &Letter, progress: &mut Progress) -> Result<Way, Error> {
        match queue {
            WorkQueue::Sync => match serde_json::from_str(&letter.body) {
                Ok(SyncMessage::Run { integration, job_id, .. }) => {
                    self.run(letter, &integration, job_id, progress).await
                }
                Ok(SyncMessage::Subscribe { .. } | SyncMessage::Purge { .. } | SyncMessage::Count { .. }) | Err(_) => {
                    Ok(Way::Back(letter.body.clone()))
                }
            },
            WorkQueue::Webhook => Ok(Way::Back(letter.body.clone())),
            WorkQueue::Resource | WorkQueue::ResourceWebhook => match serde_json::from_str(&letter.body) {
                Ok(message) => self.resource(letter, message, progress).await,
                Err(_) => Ok(Way::Back(letter.body.clone())),
            },
        }
    }

    /// A run that is under way goes on. One that failed is done by a new run; one that completed or was cancelled is done.
    async fn run(
        &self,
        letter: &Letter,
        reference: &IntegrationRef,
        job_id: JobId,
        progress: &mut Progress,
    ) -> Result<Way, Error> {
        let back = Way::Back(letter.body.clone());
        let Some(integration) = self.syncs.store.find_integration(reference).await? else { return Ok(Way::Done) };
        let Some(job) = self.syncs.store.get_job(reference.integration_id, job_id).await? else { return Ok(Way::Done) };
        if !job.status.is_final() {
            return Ok(back);
        }
        let holds_the_slot = integration.active.is_some_and(|run| run.job_id == job_id);
        if job.status == JobStatus::Failed && !progress.restarted.contains(&job_id) {
            match self.syncs.request(&integration, job.mode, Trigger::Manual).await {
                Ok(_) | Err(Error::NotConnected) => {
                    progress.restarted.insert(job_id);
                }
                Err(error @ (Error::Paused | Error::TokenExpired)) => return Ok(Way::Stay(error.code())),
                Err(error) => return Err(error),
            }
        }
        // Whoever finds a run that has ended and holds the slot frees it, and starts what was asked for.
        Ok(if holds_the_slot { back } else { Way::Done })
    }

    /// A resource's message goes back as it is while its run is under way. Afterwards it belongs to no run any more and is done for
    /// itself, relying on nothing that the old listing said, unless only a listing could say it.
    async fn resource(&self, letter: &Letter, message: ResourceMessage, progress: &mut Progress) -> Result<Way, Error> {
        let Some(run) = message.run else { return Ok(Way::Back(letter.body.clone())) };
        let id = message.integration.integration_id;
        let active = match progress.active.get(&id) {
            Some(active) => *active,
            None => {
                let found = self.syncs.store.find_integration(&message.integration).await?;
                let active = found.and_then(|integration| integration.active).map(|run| run.job_id);
                progress.active.insert(id, active);
                active
            }
        };
        if active == Some(run.job_id) {
            return Ok(Way::Back(letter.body.clone()));
        }
        Ok(Way::Back(queue::encode(&for_itself(message))?))
    }
}

impl Progress {
    /// Whether a letter was sent back by this very call and has failed again at once.
    fn has_come_back(&self, letter: &Letter, began_at: Timestamp) -> bool {
        letter.sent_at.is_some_and(|sent_at| sent_at >= began_at - ABOUT)
            && self.sent.contains(&(letter.group.clone(), letter.body.clone()))
    }
}

/// The message without its run, which has ended.
fn for_itself(message: ResourceMessage) -> ResourceMessage {
    let action = match message.action {
        // Only a listing can say these; what was fetched since then outdates them.
        action @ ResourceAction::Delete {
            reason: DeleteReason::NotListed | DeleteReason::OutOfScope | DeleteReason::Purged,
            ..
        } => action,
        ResourceAction::Delete {
            reason: DeleteReason::Trashed | DeleteReason::Removed | DeleteReason::AccessLost,
            ..
        }
        | ResourceAction::Sync { .. } => ResourceAction::fresh(),
    };
    ResourceMessage { run: None, action, ..message }
}

#[cfg(test)]
mod tests {
    use super::super::explain::tests::letter;
    use super::*;
    use domain::message::RunRef;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    fn message(action: ResourceAction) -> ResourceMessage {
        ResourceMessage {
            integration: IntegrationRef {
                owner: "user/ada".parse().unwrap(),
                provider: domain::ProviderId::GoogleDrive,
                integration_id: "01JD0000000000000000000000".parse().unwrap(),
            },
            run: Some(RunRef { job_id: "01JD0000000000000000000001".parse().unwrap(), run: 4 }),
            external_id: domain::ExternalId::new("a").unwrap(),
            action,
        }
    }

    #[test]
    fn what_outlived_its_run_is_looked_at_afresh() {
        let fresh = ResourceAction::fresh();
        let check = |action: ResourceAction, expected: &ResourceAction| {
            let alone = for_itself(message(action));
            assert_eq!((alone.run, &alone.action), (None, expected));
        };
        let listed = ResourceAction::Sync {
            resource: None,
            text: Some("old".to_owned()),
            listed_at: Some(at(5)),
            announced_at: None,
            progress: None,
        };
        check(listed, &fresh);
        check(ResourceAction::Delete { reason: DeleteReason::Trashed, at: at(5) }, &fresh);
        let unlisted = ResourceAction::Delete { reason: DeleteReason::NotListed, at: at(5) };
        check(unlisted.clone(), &unlisted);
    }

    #[test]
    fn what_fails_again_at_once_is_not_sent_to_and_fro() {
        let mut progress = Progress::default();
        let new = Letter { sent_at: Some(at(1000)), ..letter("x") };
        assert!(!progress.has_come_back(&new, at(990)), "never sent");
        progress.sent.insert((new.group.clone(), new.body.clone()));
        assert!(progress.has_come_back(&new, at(990)));
        let old = Letter { sent_at: Some(at(1)), ..new.clone() };
        assert!(!progress.has_come_back(&old, at(990)), "another with the same words, here for long");
        assert!(!progress.has_come_back(&Letter { body: "y".to_owned(), ..new }, at(990)));
    }
}
