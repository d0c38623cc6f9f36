//! What travels on the queues. Fields are only ever added, and with a default, so that messages of an older version decode.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{AccountId, ExternalId, IntegrationId, JobId};
use crate::owner::Owner;
use crate::provider::ProviderId;
use crate::resource::{DeleteReason, Resource};

/// Names an integration completely: enough to read its row by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationRef {
    /// Whose.
    pub owner: Owner,
    /// At which provider.
    pub provider: ProviderId,
    /// Its id; a row with another id is another integration.
    pub integration_id: IntegrationId,
}

/// On `integration-sync`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum SyncMessage {
    /// Go on with a run: list, hand out, or end it. Which of these is told by the job's row.
    Run {
        /// Which integration.
        integration: IntegrationRef,
        /// Which run.
        job_id: JobId,
        /// How many times the end was looked for without progress; spaces the looks out.
        #[serde(default)]
        looks: u32,
    },
    /// Delete what was synced of an integration that is disconnected: its resources are handed out to be deleted.
    Purge {
        /// Which integration.
        integration: IntegrationRef,
        /// The last resource that was handed out; `None` begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<ExternalId>,
    },
    /// Sum up what a run did that was cancelled.
    Count {
        /// Which integration.
        integration: IntegrationRef,
        /// Which run.
        job_id: JobId,
    },
    /// Bring the integration's webhook subscriptions to what they should be: missing ones made, old ones renewed, surplus ones stopped.
    Subscribe {
        /// Which integration.
        integration: IntegrationRef,
    },
}

impl SyncMessage {
    /// Which integration it is about.
    #[must_use]
    pub const fn integration(&self) -> &IntegrationRef {
        match self {
            Self::Run { integration, .. }
            | Self::Subscribe { integration }
            | Self::Purge { integration, .. }
            | Self::Count { integration, .. } => integration,
        }
    }
}

/// On `integration-webhook`: a delivery whose authenticity is established.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookMessage {
    /// Which provider sent it.
    pub provider: ProviderId,
    /// The integration whose subscription it was delivered under.
    pub integration: Option<IntegrationRef>,
    /// The account that it is about, where the provider names no subscription: every integration of that account heeds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Its headers, names in lower case, without authorization and cookies.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Body,
    /// When it arrived.
    pub received_at: Timestamp,
}

/// The body of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The bytes as text.
    Text(String),
    /// Bytes that are no UTF-8, in base64.
    Base64(String),
    /// Too large for a queue message: the key of an object in the content bucket.
    Object(String),
}

/// On `integration-resource` and on its lane for webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceMessage {
    /// Which integration.
    pub integration: IntegrationRef,
    /// The run that counts this resource; `None` for a webhook that named the resource itself.
    pub run: Option<RunRef>,
    /// Which resource.
    pub external_id: ExternalId,
    /// What to do.
    pub action: ResourceAction,
}

/// The run that a resource's outcome is reported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRef {
    /// The job.
    pub job_id: JobId,
    /// Its number within the integration.
    pub run: u64,
}

/// How far the fetch of a resource has come whose content takes many calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// When it was begun. With the resource it names the parts, and it is what the whole is dated by.
    pub begun_at: Timestamp,
    /// How many parts there are so far; their texts lie in the content bucket.
    pub parts: u32,
    /// How long they are together, in bytes.
    pub bytes: u64,
    /// How often it was begun anew, because the provider no longer knew where to go on.
    #[serde(default)]
    pub restarts: u32,
    /// Where to go on, in the provider's terms.
    pub next: String,
}

impl ResourceAction {
    /// A sync of a resource of which only the id is known.
    #[must_use]
    pub const fn fresh() -> Self {
        Self::Sync { resource: None, text: None, listed_at: None, announced_at: None, progress: None }
    }

    /// A sync of a resource that the provider said has changed; its word arrived at this moment.
    #[must_use]
    pub const fn announced(at: Timestamp) -> Self {
        Self::Sync { resource: None, text: None, listed_at: None, announced_at: Some(at), progress: None }
    }

    /// A sync of a resource that a listing showed, with its text where the listing brought that.
    #[must_use]
    pub fn listed(resource: Resource, text: Option<String>, at: Timestamp) -> Self {
        Self::Sync { resource: Some(Box::new(resource)), text, listed_at: Some(at), announced_at: None, progress: None }
    }
}

/// What to do with a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum ResourceAction {
    /// Fetch and deliver it. Carries what the listing said and, where the listing brought it, the text.
    Sync {
        /// What the listing said; `None` when only the id is known.
        resource: Option<Box<Resource>>,
        /// The text, where the listing carried it.
        #[serde(default)]
        text: Option<String>,
        /// When the listing was asked for; orders this against other fetches. `None`: the fetch's own start counts.
        #[serde(default)]
        listed_at: Option<Timestamp>,
        /// When the provider's word that it has changed arrived: whatever was observed after that shows the change already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        announced_at: Option<Timestamp>,
        /// How far the fetch has come, where it takes more calls than one message makes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        progress: Option<Box<Progress>>,
    },
    /// Delete it from the sink.
    Delete {
        /// Why.
        reason: DeleteReason,
        /// When the provider said so; orders it against fetches.
        at: Timestamp,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_the_newer_fields_decodes() {
        let text = r#"{"kind":"run","integration":{"owner":{"kind":"user","id":"ada"},"provider":"google_drive",
            "integrationId":"01JD0000000000000000000000"},"jobId":"01JD0000000000000000000001","later":true}"#;
        let message: SyncMessage = serde_json::from_str(text).unwrap();
        assert!(matches!(message, SyncMessage::Run { looks: 0, .. }));
    }

    #[test]
    fn guarantee_48_a_delivery_of_the_version_before_decodes_and_one_of_a_later_too() {
        let text = r#"{"provider":"google_drive","integration":null,"headers":{"a":"b"},"body":{"text":"{}"},
            "receivedAt":"2026-11-25T06:00:00Z","later":{"x":1}}"#;
        let message: WebhookMessage = serde_json::from_str(text).unwrap();
        assert_eq!((message.account.as_ref(), &message.body), (None, &Body::Text("{}".to_owned())));
        // The version before knows no account, and is not shown one where there is none.
        assert!(!serde_json::to_string(&message).unwrap().contains("account"));
    }
}
