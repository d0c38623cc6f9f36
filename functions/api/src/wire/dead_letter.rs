//! Dead letters as administrators see them: what they are about, never what they hold.

use domain::{Owner, OwnerKind, Timestamp};
use integrations::dead_letters::{Explained, Listing, Redriven, Refused, WorkQueue};
use serde::Serialize;
use utoipa::ToSchema;

use super::words;

/// Dead letters.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterList {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// The latest first.
    data: Vec<DeadLetterRow>,
    /// How many there are in all, about.
    totals: DeadLetterTotals,
    /// Always null: a queue is not read in pages. Redrive what is shown to see what is behind it.
    next_cursor: Option<String>,
}

/// How many dead letters each queue has, about.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct DeadLetterTotals {
    /// `integration-sync`.
    sync: u64,
    /// `integration-webhook`.
    webhook: u64,
    /// `integration-resource`.
    resource: u64,
    /// `integration-resource-webhook`.
    resource_webhook: u64,
}

/// A dead letter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct DeadLetterRow {
    /// What names it when it is redriven.
    id: String,
    /// The queue that it came from.
    #[schema(schema_with = words::work_queue)]
    queue: &'static str,
    /// Why it is here, for programs.
    #[schema(schema_with = words::dead_letter_code)]
    code: &'static str,
    /// Why it is here, for people.
    reason: String,
    /// Attempts that were made.
    attempts: u32,
    /// When the last of them failed. Null: no worker lived to say it.
    #[schema(value_type = Option<String>, format = DateTime)]
    failed_at: Option<Timestamp>,
    /// What was to be done. Null: nobody understands it.
    #[schema(schema_with = words::dead_letter_kind_or_null)]
    kind: Option<&'static str>,
    /// The provider.
    #[schema(example = "google_drive")]
    provider: Option<String>,
    /// Whose integration.
    owner: Option<OwnerOf>,
    /// For which integration.
    integration_id: Option<String>,
    /// For which sync.
    job_id: Option<String>,
    /// For which resource.
    external_id: Option<String>,
}

/// Whose.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnerName)]
pub struct OwnerOf {
    /// A person or an organization.
    #[schema(schema_with = words::owner_kind)]
    kind: OwnerKind,
    /// Which one.
    #[schema(example = "ada")]
    id: String,
}

/// What a redrive has done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Redriven)]
pub struct RedrivenRow {
    /// How many letters went back to work.
    redriven: u64,
    /// Letters that stay where they are, and why.
    refused: Vec<RefusedRow>,
    /// Ids that were asked for and are nowhere, or in somebody else's hands at this moment.
    missing: Vec<String>,
    /// How many letters are left on the queues that were asked for, about.
    remaining: u64,
    /// Whether time ran out; the same request goes on.
    more: bool,
}

/// A letter that stays.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefusedDeadLetter)]
pub struct RefusedRow {
    /// The letter.
    id: String,
    /// What stands in the way: its integration is paused, or must be connected again.
    #[schema(schema_with = words::redrive_refusal)]
    code: &'static str,
}

impl From<&Owner> for OwnerOf {
    fn from(owner: &Owner) -> Self {
        Self { kind: owner.kind(), id: owner.id().to_owned() }
    }
}

impl From<Listing> for DeadLetterList {
    fn from(listing: Listing) -> Self {
        let mut totals = DeadLetterTotals::default();
        for (queue, count) in listing.totals {
            match queue {
                WorkQueue::Sync => totals.sync = count,
                WorkQueue::Webhook => totals.webhook = count,
                WorkQueue::Resource => totals.resource = count,
                WorkQueue::ResourceWebhook => totals.resource_webhook = count,
            }
        }
        let data = listing.letters.into_iter().map(Into::into).collect();
        Self { success: true, data, totals, next_cursor: None }
    }
}

impl From<Explained> for DeadLetterRow {
    fn from(letter: Explained) -> Self {
        let owner = letter.integration.as_ref().map(|integration| OwnerOf::from(&integration.owner));
        Self {
            id: letter.id,
            queue: letter.queue.as_str(),
            code: letter.code,
            reason: letter.reason,
            attempts: letter.attempts,
            failed_at: letter.failed_at,
            kind: letter.kind.map(integrations::dead_letters::Kind::as_str),
            provider: letter.provider.map(|provider| provider.to_string()),
            owner,
            integration_id: letter.integration.map(|integration| integration.integration_id.to_string()),
            job_id: letter.job_id.map(|id| id.to_string()),
            external_id: letter.external_id.map(|id| id.to_string()),
        }
    }
}

impl From<Redriven> for RedrivenRow {
    fn from(done: Redriven) -> Self {
        let Redriven { redriven, refused, missing, remaining, more } = done;
        Self { redriven, refused: refused.into_iter().map(Into::into).collect(), missing, remaining, more }
    }
}

impl From<Refused> for RefusedRow {
    fn from(refused: Refused) -> Self {
        Self { id: refused.id, code: refused.code }
    }
}
