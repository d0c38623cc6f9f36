//! What is synced: a thing at the provider, its text, and what our record says of it.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{ExternalId, JobId};
use crate::integration::StorageStrategy;

/// SPEC's `ResourceContent.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceKind {
    /// A file.
    File,
    /// A message or a thread of them.
    Message,
    /// A page or document.
    Page,
    /// An issue, a pull request, a ticket.
    Issue,
    /// A record of a CRM or a database.
    Record,
}

impl ResourceKind {
    /// The word in keys and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Message => "message",
            Self::Page => "page",
            Self::Issue => "issue",
            Self::Record => "record",
        }
    }
}

/// Who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The provider's id of the person.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their address, where the provider shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A thing at the provider, as a listing describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// The provider's id.
    pub external_id: ExternalId,
    /// What it is to us.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its media type at the provider.
    #[serde(default)]
    pub mime_type: Option<String>,
    /// Changes whenever anything we deliver may have changed. Equal revisions are not fetched again.
    pub revision: String,
    /// Its size at the provider in bytes, if known.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Link for people.
    #[serde(default)]
    pub url: Option<String>,
    /// The folder, channel or repository it is in.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// Who wrote it.
    #[serde(default)]
    pub author: Option<Author>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// What else the provider says that is worth keeping.
    #[serde(default)]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// SPEC's normalized content, and the body of a content object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceContent {
    /// `<integration id>/<external id>`.
    pub id: String,
    /// The provider's id.
    pub external_id: ExternalId,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ResourceKind,
    /// Its name.
    pub title: String,
    /// The extracted text.
    pub content: String,
    /// SHA-256 of title and text, in hex.
    pub content_hash: String,
    /// Its media type at the provider.
    pub mime_type: Option<String>,
    /// Link for people.
    pub url: Option<String>,
    /// What else the provider says.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
}

/// SHA-256 over title and text, in hex: the sink is told only when it changes.
#[must_use]
pub fn content_hash(title: &str, text: &str) -> String {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    hash.update((title.len() as u64).to_be_bytes());
    hash.update(title);
    hash.update(text);
    hex::encode(hash.finalize())
}

/// Why a resource was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteReason {
    /// In the provider's bin.
    Trashed,
    /// The provider says it is gone: deleted for good, or no longer shared; some providers do not tell these apart.
    Removed,
    /// It is there and we may not read it any more.
    AccessLost,
    /// It left the folders, channels or repositories that are synced.
    OutOfScope,
    /// A complete listing no longer had it.
    NotListed,
    /// The integration was disconnected with its content.
    Purged,
}

impl DeleteReason {
    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trashed => "trashed",
            Self::Removed => "removed",
            Self::AccessLost => "access_lost",
            Self::OutOfScope => "out_of_scope",
            Self::NotListed => "not_listed",
            Self::Purged => "purged",
        }
    }
}

/// Where a resource stands with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordState {
    /// The sink has its present content.
    Synced,
    /// Could not be synced.
    Failed,
    /// Carries no text.
    Skipped,
    /// Deleted from the sink; the record is a tombstone.
    Deleted,
}

/// What a run did to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Delivered.
    Synced,
    /// Fetched and found the same.
    Unchanged,
    /// Failed.
    Failed,
    /// Deleted.
    Deleted,
    /// Carries no text.
    Skipped,
}

/// Our record of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The provider's id.
    pub external_id: ExternalId,
    /// What it is.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its media type at the provider.
    pub mime_type: Option<String>,
    /// Link for people.
    pub url: Option<String>,
    /// Where it stands.
    pub state: RecordState,
    /// The revision this state was reached from.
    pub revision: String,
    /// Hash of the delivered content.
    pub content_hash: Option<String>,
    /// What the sink calls it.
    pub memory_id: Option<String>,
    /// The storage strategy under which it was delivered; `None` if the sink has nothing, or in rows from before this was written down.
    pub stored_as: Option<StorageStrategy>,
    /// Stable code of the failure, or the reason of the deletion.
    pub code: Option<String>,
    /// The reason, for people.
    pub reason: Option<String>,
    /// Whether another attempt may mend a failure.
    pub retriable: bool,
    /// When the fetch behind this state started (or the provider said it was gone). Only a later one may overwrite.
    pub observed_at: Timestamp,
    /// When this state was written.
    pub last_synced_at: Timestamp,
    /// The run that last reported here, and what it did.
    pub last_run: Option<RunOutcome>,
}

/// Whether what was delivered as `stored_as` has to be delivered anew for an owner who wants it kept as `wanted`. Rows that do not say
/// are from when nearly everything was kept whole.
#[must_use]
pub fn is_kept_otherwise(stored_as: Option<StorageStrategy>, wanted: StorageStrategy) -> bool {
    stored_as.unwrap_or(StorageStrategy::FullContent) != wanted
}

/// Whether a body lies at rest though none is wanted any more.
#[must_use]
pub fn has_unwanted_body(stored_as: Option<StorageStrategy>, wanted: StorageStrategy) -> bool {
    stored_as == Some(StorageStrategy::FullContent) && wanted == StorageStrategy::MetadataOnly
}

/// What the latest run did to a resource; a job's counts are the sum of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// The job.
    pub job_id: JobId,
    /// Its number within the integration.
    pub run: u64,
    /// What it did.
    pub outcome: Outcome,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_otherwise_than_wanted_is_delivered_anew_and_a_body_that_is_not_wanted_is_known() {
        use StorageStrategy::{FullContent, MetadataOnly};
        let check = |stored_as, wanted, otherwise, unwanted| {
            assert_eq!(is_kept_otherwise(stored_as, wanted), otherwise, "{stored_as:?} {wanted:?}");
            assert_eq!(has_unwanted_body(stored_as, wanted), unwanted, "{stored_as:?} {wanted:?}");
        };
        check(Some(FullContent), FullContent, false, false);
        check(Some(FullContent), MetadataOnly, true, true);
        check(Some(MetadataOnly), FullContent, true, false);
        check(Some(MetadataOnly), MetadataOnly, false, false);
        check(None, FullContent, false, false);
        check(None, MetadataOnly, true, false);
    }

    #[test]
    fn the_hash_tells_title_from_text() {
        assert_ne!(content_hash("ab", "c"), content_hash("a", "bc"));
        assert_eq!(content_hash("a", "b"), content_hash("a", "b"));
        assert_eq!(content_hash("", "").len(), 64);
    }
}
