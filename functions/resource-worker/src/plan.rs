//! What is to be done about a message, given our record of its resource: one pure decision, before anything is fetched.

use content::Support;
use domain::message::{Progress, ResourceAction, ResourceMessage, RunRef};
use domain::resource::{DeleteReason, Outcome, Record, RecordState};
use domain::{Resource, ResourceKind, Timestamp};

/// What is to be done about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// An earlier delivery of this message has done it: it only remains to be reported.
    Done,
    /// What we have is newer than the message: the run is told that nothing changed.
    Known,
    /// Carries no text.
    Skip {
        /// What the listing said.
        resource: Box<Resource>,
        /// When the listing was asked for.
        listed_at: Option<Timestamp>,
    },
    /// It is to be deleted.
    Delete {
        /// Why.
        reason: DeleteReason,
        /// When that was known.
        at: Timestamp,
    },
    /// Its content is to be had.
    Fetch {
        /// What the listing said.
        known: Option<Box<Resource>>,
        /// The text, where the listing carried it.
        text: Option<String>,
        /// When the listing was asked for; `None`: the fetch's start counts.
        listed_at: Option<Timestamp>,
        /// How far the fetch has come; `None` before its first part.
        progress: Option<Box<Progress>>,
    },
}

impl Plan {
    /// A fetch that relies on nothing said before.
    pub const fn fresh() -> Self {
        Self::Fetch { known: None, text: None, listed_at: None, progress: None }
    }
}

/// Decides about a message at its `attempt`-th delivery.
///
/// A message that is delivered again may have been at work before and have died between the sink and the record. What it may have
/// overwritten there is mended by a fresh fetch, so from the second attempt on "there is something newer" is no reason to stop.
pub(crate) fn plan(message: ResourceMessage, record: Option<&Record>, attempt: u32) -> Plan {
    let ResourceMessage { run, action, .. } = message;
    let newer_than = |at: Timestamp| record.is_some_and(|record| record.observed_at > at);
    match action {
        ResourceAction::Sync { resource, listed_at, .. } if is_done(run, resource.as_deref(), listed_at, record) => {
            Plan::Done
        }
        ResourceAction::Sync { listed_at: Some(at), .. } if newer_than(at) => known_or_fresh(attempt),
        // Several words of the same resource in a row: the first that is heeded fetches what all of them are about.
        ResourceAction::Sync { announced_at: Some(at), progress: None, .. }
            if newer_than(at) && !has_failed(record) =>
        {
            known_or_fresh(attempt)
        }
        ResourceAction::Sync { resource: Some(resource), text: None, listed_at, .. } if carries_no_text(&resource) => {
            Plan::Skip { resource, listed_at }
        }
        ResourceAction::Sync { resource, text, listed_at, progress, .. } => {
            Plan::Fetch { known: resource, text, listed_at, progress }
        }
        ResourceAction::Delete { reason, at } => match record {
            Some(record) if record.state == RecordState::Deleted => {
                if reported(run, record) {
                    Plan::Done
                } else {
                    Plan::Known
                }
            }
            // The provider's clock is not ours, and its word may come late: a look tells.
            _ if newer_than(at) && run.is_none() => Plan::fresh(),
            _ if newer_than(at) => known_or_fresh(attempt),
            _ => Plan::Delete { reason, at },
        },
    }
}

fn has_failed(record: Option<&Record>) -> bool {
    record.is_some_and(|record| record.state == RecordState::Failed)
}

fn known_or_fresh(attempt: u32) -> Plan {
    if attempt == 1 { Plan::Known } else { Plan::fresh() }
}

/// Whether this run has reported on the resource already.
fn reported(run: Option<RunRef>, record: &Record) -> bool {
    run.is_some_and(|run| record.last_run.is_some_and(|last| last.job_id == run.job_id))
}

/// Whether this very work has been done for this run. A failure is worth doing again.
fn is_done(
    run: Option<RunRef>,
    resource: Option<&Resource>,
    listed_at: Option<Timestamp>,
    record: Option<&Record>,
) -> bool {
    record.is_some_and(|record| {
        reported(run, record)
            && record.last_run.is_some_and(|last| last.outcome != Outcome::Failed)
            && record.state != RecordState::Failed
            // Equal revisions are equal content, also on a page that was listed again after its worker died.
            && match resource {
                Some(resource) => resource.revision == record.revision,
                None => listed_at.is_none_or(|listed_at| listed_at <= record.observed_at),
            }
    })
}

/// Whether it is an image, a sound or a film.
pub(crate) fn carries_no_text(resource: &Resource) -> bool {
    resource.kind == ResourceKind::File
        && content::support(resource.mime_type.as_deref(), &resource.name) == Support::Media
}

/// What a message of a run that has ended is still good for: its resource failed, and a person sends the message again from the
/// dead-letter queue. It relies on nothing that the old listing said.
pub(crate) fn redriven(record: Option<&Record>) -> Option<Plan> {
    record.filter(|record| record.state == RecordState::Failed && record.retriable).map(|_| Plan::fresh())
}

/// The same of a message whose worker died: it may have delivered what no record tells of. Only a look at the resource brings the two
/// together again, since nothing else would ever delete it.
pub(crate) fn left_behind(record: Option<&Record>, attempt: u32) -> Option<Plan> {
    // What carries no text is not delivered, and may be a film that nobody wants to download.
    let is_told_of = |record: &Record| record.content_hash.is_some() || record.state == RecordState::Skipped;
    (attempt > 1 && !record.is_some_and(is_told_of)).then(Plan::fresh)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::{at, integration, record, resource};
    use domain::JobId;
    use domain::resource::RunOutcome;

    const RUN: u64 = 4;

    fn run() -> RunRef {
        RunRef { job_id: "01JD0000000000000000000001".parse::<JobId>().unwrap(), run: RUN }
    }

    fn sync(mime_type: &str, revision: &str, listed_at: i64) -> ResourceMessage {
        let resource = Resource { mime_type: Some(mime_type.to_owned()), ..resource("a", revision) };
        ResourceMessage {
            integration: integration().reference(),
            run: Some(run()),
            external_id: resource.external_id.clone(),
            action: ResourceAction::listed(resource, None, at(listed_at)),
        }
    }

    fn delete(moment: i64) -> ResourceMessage {
        let action = ResourceAction::Delete { reason: DeleteReason::Trashed, at: at(moment) };
        ResourceMessage { action, ..sync("text/plain", "1", 0) }
    }

    fn observed(state: RecordState, moment: i64) -> Record {
        Record { state, observed_at: at(moment), last_run: None, ..record("a", "1") }
    }

    fn reported_here(record: Record, outcome: Outcome) -> Record {
        Record { last_run: Some(RunOutcome { job_id: run().job_id, run: RUN, outcome }), ..record }
    }

    #[test]
    fn a_new_or_changed_resource_is_fetched_and_a_film_is_not() {
        assert!(matches!(plan(sync("text/plain", "1", 5), None, 1), Plan::Fetch { known: Some(_), .. }));
        let changed = observed(RecordState::Synced, 4);
        assert!(matches!(plan(sync("text/plain", "2", 5), Some(&changed), 1), Plan::Fetch { .. }));
        assert!(matches!(plan(sync("video/mp4", "1", 5), None, 1), Plan::Skip { .. }));
    }

    #[test]
    fn an_older_listing_does_not_overwrite_a_newer_observation() {
        for state in [RecordState::Synced, RecordState::Deleted] {
            let newer = observed(state, 6);
            assert_eq!(plan(sync("text/plain", "1", 5), Some(&newer), 1), Plan::Known);
            assert_eq!(plan(sync("text/plain", "1", 5), Some(&newer), 2), Plan::fresh());
        }
    }

    #[test]
    fn work_that_this_run_has_done_is_only_reported() {
        let done = reported_here(observed(RecordState::Synced, 5), Outcome::Synced);
        assert_eq!(plan(sync("text/plain", "1", 5), Some(&done), 2), Plan::Done);
        assert!(matches!(plan(sync("text/plain", "2", 5), Some(&done), 2), Plan::Fetch { .. }), "it changed again");
        let failed = reported_here(observed(RecordState::Failed, 5), Outcome::Failed);
        assert!(matches!(plan(sync("text/plain", "1", 5), Some(&failed), 2), Plan::Fetch { .. }));
    }

    #[test]
    fn a_deletion_yields_to_what_was_seen_after_it() {
        let check = |record: Option<Record>, attempt, expected: Plan| {
            assert_eq!(plan(delete(5), record.as_ref(), attempt), expected);
        };
        let carried_out = Plan::Delete { reason: DeleteReason::Trashed, at: at(5) };
        check(Some(observed(RecordState::Synced, 4)), 1, carried_out.clone());
        check(None, 1, carried_out);
        check(Some(observed(RecordState::Synced, 6)), 1, Plan::Known);
        check(Some(observed(RecordState::Synced, 6)), 2, Plan::fresh());
        check(Some(observed(RecordState::Deleted, 4)), 1, Plan::Known);
        check(Some(reported_here(observed(RecordState::Deleted, 5), Outcome::Deleted)), 2, Plan::Done);
    }

    #[test]
    fn an_ended_run_s_message_mends_only_what_failed() {
        let failed = Record { retriable: true, ..observed(RecordState::Failed, 5) };
        assert_eq!(redriven(Some(&failed)), Some(Plan::fresh()));
        assert_eq!(redriven(Some(&Record { retriable: false, ..failed })), None);
        assert_eq!(redriven(Some(&observed(RecordState::Synced, 5))), None);
        assert_eq!(redriven(None), None);
    }

    #[test]
    fn guarantee_14_what_a_dead_worker_may_have_delivered_is_looked_at_though_its_run_has_ended() {
        let with_hash = |record: Record, hash: Option<&str>| Record { content_hash: hash.map(str::to_owned), ..record };
        let gone = with_hash(observed(RecordState::Deleted, 5), None);
        assert_eq!(left_behind(None, 2), Some(Plan::fresh()));
        assert_eq!(left_behind(Some(&gone), 2), Some(Plan::fresh()));
        assert_eq!(left_behind(None, 1), None, "nobody has had it in hand");
        assert_eq!(left_behind(Some(&with_hash(observed(RecordState::Synced, 5), Some("h"))), 2), None);
        assert_eq!(left_behind(Some(&with_hash(observed(RecordState::Skipped, 5), None)), 2), None);
    }
}
