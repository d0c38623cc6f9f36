//! A resource's row: what we know of one thing at the provider. Its text is with the sink.

use domain::resource::{Record, RecordState};
use domain::{ResourceKind, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::words;

/// One thing at the provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncedResource)]
pub struct ResourceRow {
    /// The provider's id.
    external_id: String,
    /// What it is.
    #[schema(schema_with = words::resource_kind)]
    resource_type: ResourceKind,
    /// Its name.
    name: String,
    /// Its media type at the provider.
    mime_type: Option<String>,
    /// Link for people.
    url: Option<String>,
    /// Where it stands.
    #[schema(schema_with = words::record_state)]
    status: RecordState,
    /// Why it failed or was deleted, for programs.
    #[schema(example = "too_large")]
    code: Option<String>,
    /// Why it failed, for people.
    reason: Option<String>,
    /// Hash of the delivered content.
    content_hash: Option<String>,
    /// What the memory calls it.
    memory_id: Option<String>,
    /// When it came to stand so.
    #[schema(value_type = String, format = DateTime)]
    last_synced_at: Timestamp,
}

impl From<Record> for ResourceRow {
    fn from(record: Record) -> Self {
        Self {
            external_id: record.external_id.into(),
            resource_type: record.kind,
            name: record.name,
            mime_type: record.mime_type,
            url: record.url,
            status: record.state,
            code: record.code,
            reason: record.reason,
            content_hash: record.content_hash,
            memory_id: record.memory_id,
            last_synced_at: record.last_synced_at,
        }
    }
}
