//! An entry of the audit log.

use domain::Timestamp;
use domain::audit::{Action, Entry};
use serde::Serialize;
use utoipa::ToSchema;

use super::dead_letter::OwnerOf;
use super::words;

/// Something that a person did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditRow {
    /// Its id; ids sort by time.
    #[schema(example = "01JD0000000000000000000001")]
    id: String,
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who did it.
    #[schema(example = "ada")]
    actor: String,
    /// What.
    #[schema(schema_with = words::action)]
    action: Action,
    /// Whose integrations, or which person or organization, it concerns. Null: nobody's alone.
    owner: Option<OwnerOf>,
    /// At which provider.
    #[schema(example = "google_drive")]
    provider: Option<String>,
    /// What else there is to say of it, by action; null if nothing.
    #[schema(value_type = Option<Object>)]
    detail: serde_json::Value,
}

impl From<Entry> for AuditRow {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id.to_string(),
            at: entry.at,
            actor: entry.actor.into(),
            action: entry.action,
            owner: entry.owner.as_ref().map(Into::into),
            provider: entry.provider.map(|provider| provider.to_string()),
            detail: entry.detail,
        }
    }
}
