//! What a dead letter is about, from its attributes and its body. Of the body only names are told, never content.

use domain::message::{IntegrationRef, ResourceAction, ResourceMessage, SyncMessage, WebhookMessage};
use domain::{ExternalId, JobId, ProviderId, Timestamp};
use queue::Letter;

use super::WorkQueue;

/// A dead letter, told for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What names it.
    pub id: String,
    /// The queue that it came from.
    pub queue: WorkQueue,
    /// Why it is here, for programs: `undecodable`, `worker_lost` or `failed`.
    pub code: &'static str,
    /// Why it is here, for people.
    pub reason: String,
    /// Attempts that were made.
    pub attempts: u32,
    /// When the last of them failed, where that is known.
    pub failed_at: Option<Timestamp>,
    /// What was to be done. `None`: nobody can tell.
    pub kind: Option<Kind>,
    /// The provider.
    pub provider: Option<ProviderId>,
    /// For which integration.
    pub integration: Option<IntegrationRef>,
    /// For which run.
    pub job_id: Option<JobId>,
    /// For which resource.
    pub external_id: Option<ExternalId>,
}

/// What was to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Go on with a run.
    Run,
    /// Bring webhook subscriptions up to date.
    Subscribe,
    /// Delete what was synced of a disconnected integration.
    Purge,
    /// Sum up a cancelled run.
    Count,
    /// Work on a delivery.
    Delivery,
    /// Fetch a resource and deliver it.
    SyncResource,
    /// Delete a resource.
    DeleteResource,
}

impl Kind {
    /// The word in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Subscribe => "subscribe",
            Self::Purge => "purge",
            Self::Count => "count",
            Self::Delivery => "delivery",
            Self::SyncResource => "sync_resource",
            Self::DeleteResource => "delete_resource",
        }
    }
}

/// What a body names.
#[derive(Debug, Default)]
struct Names {
    kind: Option<Kind>,
    provider: Option<ProviderId>,
    integration: Option<IntegrationRef>,
    job_id: Option<JobId>,
    external_id: Option<ExternalId>,
}

impl Explained {
    /// Tells what a letter of a queue is about.
    pub(super) fn of(queue: WorkQueue, letter: Letter) -> Self {
        let names = names(queue, &letter.body);
        let (code, reason) = match (&names, letter.reason) {
            (None, reason) => {
                ("undecodable", reason.unwrap_or_else(|| "The body is no message of this queue.".to_owned()))
            }
            (Some(_), Some(reason)) => ("failed", reason),
            (Some(_), None) => ("worker_lost", "The worker died or ran out of time at each attempt.".to_owned()),
        };
        let Names { kind, provider, integration, job_id, external_id } = names.unwrap_or_default();
        Self {
            id: letter.id,
            queue,
            code,
            reason,
            attempts: letter.attempts.unwrap_or_else(|| letter.spent.saturating_add(queue.attempts())),
            failed_at: letter.failed_at,
            kind,
            provider,
            integration,
            job_id,
            external_id,
        }
    }
}

/// What the body names; `None` if it is no message of this queue.
fn names(queue: WorkQueue, body: &str) -> Option<Names> {
    let of = |kind, integration: IntegrationRef| Names {
        kind: Some(kind),
        provider: Some(integration.provider),
        integration: Some(integration),
        ..Names::default()
    };
    Some(match queue {
        WorkQueue::Sync => match serde_json::from_str(body).ok()? {
            SyncMessage::Run { integration, job_id, .. } => {
                Names { job_id: Some(job_id), ..of(Kind::Run, integration) }
            }
            SyncMessage::Subscribe { integration } => of(Kind::Subscribe, integration),
            SyncMessage::Purge { integration, .. } => of(Kind::Purge, integration),
            SyncMessage::Count { integration, job_id } => {
                Names { job_id: Some(job_id), ..of(Kind::Count, integration) }
            }
        },
        WorkQueue::Webhook => {
            let message: WebhookMessage = serde_json::from_str(body).ok()?;
            Names {
                kind: Some(Kind::Delivery),
                provider: Some(message.provider),
                integration: message.integration,
                ..Names::default()
            }
        }
        WorkQueue::Resource | WorkQueue::ResourceWebhook => {
            let message: ResourceMessage = serde_json::from_str(body).ok()?;
            let kind = match message.action {
                ResourceAction::Sync { .. } => Kind::SyncResource,
                ResourceAction::Delete { .. } => Kind::DeleteResource,
            };
            Names {
                job_id: message.run.map(|run| run.job_id),
                external_id: Some(message.external_id),
                ..of(kind, message.integration)
            }
        }
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn letter(body: &str) -> Letter {
        Letter {
            id: "id".to_owned(),
            receipt: "receipt".to_owned(),
            group: "user/ada".to_owned(),
            body: body.to_owned(),
            reason: None,
            attempts: None,
            failed_at: None,
            spent: 0,
            sent_at: None,
        }
    }

    const RESOURCE: &str = r#"{"integration":{"owner":{"kind":"user","id":"ada"},"provider":"google_drive",
        "integrationId":"01JD0000000000000000000000"},"run":{"jobId":"01JD0000000000000000000001","run":4},
        "externalId":"file-1","action":{"do":"sync","resource":null,"text":"canary"}}"#;

    #[test]
    fn a_letter_names_its_work_and_nothing_of_its_content() {
        let with = Letter { reason: Some("too large".to_owned()), attempts: Some(4), ..letter(RESOURCE) };
        let told = Explained::of(WorkQueue::Resource, with);
        assert_eq!((told.code, told.reason.as_str(), told.attempts), ("failed", "too large", 4));
        assert_eq!(told.kind, Some(Kind::SyncResource));
        assert_eq!(told.external_id.as_ref().map(ToString::to_string).as_deref(), Some("file-1"));
        assert!(told.job_id.is_some() && told.integration.is_some());
        assert!(!format!("{told:?}").contains("canary"));
    }

    #[test]
    fn what_sqs_moved_by_itself_was_lost_with_its_workers() {
        let told = Explained::of(WorkQueue::Resource, Letter { spent: 2, ..letter(RESOURCE) });
        assert_eq!((told.code, told.attempts, told.failed_at), ("worker_lost", 5, None));
    }

    #[test]
    fn what_nobody_understands_says_so() {
        for body in ["", "null", "{", RESOURCE] {
            let told = Explained::of(WorkQueue::Webhook, letter(body));
            assert_eq!((told.code, told.kind), ("undecodable", None), "{body}");
        }
    }
}
