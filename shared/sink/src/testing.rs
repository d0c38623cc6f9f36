//! Resources to deliver, for this crate's tests.

use domain::message::IntegrationRef;
use domain::resource::{DeleteReason, content_hash};
use domain::{ExternalId, ProviderId, ResourceContent, ResourceKind, Timestamp, UserId};

use crate::{Deletion, Upsert};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

pub(crate) fn integration() -> IntegrationRef {
    IntegrationRef {
        owner: "user/ada".parse().unwrap(),
        provider: ProviderId::GoogleDrive,
        integration_id: "01JD0000000000000000000000".parse().unwrap(),
    }
}

pub(crate) fn upsert(id: &str, text: &str) -> Upsert {
    let content = ResourceContent {
        id: format!("{}/{id}", integration().integration_id),
        external_id: ExternalId::new(id).unwrap(),
        kind: ResourceKind::File,
        title: "Plan".to_owned(),
        content: text.to_owned(),
        content_hash: content_hash("Plan", text),
        mime_type: Some("text/plain".to_owned()),
        url: Some(format!("https://drive.example/file/{id}")),
        metadata: serde_json::Map::new(),
        created_at: at(0),
        updated_at: at(0),
        author: None,
    };
    Upsert {
        integration: integration(),
        idempotency_key: format!("{}@1#{}", content.id, content.content_hash),
        content,
        keep_body: true,
        part: 0,
        acting: UserId::new("ada").unwrap(),
        observed_at: at(1),
    }
}

pub(crate) fn deletion(id: &str) -> Deletion {
    Deletion { integration: integration(), external_id: ExternalId::new(id).unwrap(), reason: DeleteReason::Removed }
}
