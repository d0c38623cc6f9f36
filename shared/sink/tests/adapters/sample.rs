//! Resources to deliver.

use std::sync::Arc;

use domain::message::IntegrationRef;
use domain::resource::{DeleteReason, content_hash};
use domain::{ExternalId, ProviderId, ResourceContent, ResourceKind, Timestamp, UserId};
use secrecy::SecretString;
use sink::{Deletion, Secret, Upsert};

pub const PERSON: &str = "ada";

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

pub fn integration() -> IntegrationRef {
    IntegrationRef {
        owner: "user/ada".parse().unwrap(),
        provider: ProviderId::GoogleDrive,
        integration_id: "01JD0000000000000000000000".parse().unwrap(),
    }
}

pub fn external_id(id: &str) -> ExternalId {
    ExternalId::new(id).unwrap()
}

/// A resource with an address of its own.
pub fn upsert(id: &str, text: &str) -> Upsert {
    let content = ResourceContent {
        id: format!("{}/{id}", integration().integration_id),
        external_id: external_id(id),
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
        acting: UserId::new(PERSON).unwrap(),
        observed_at: at(1),
    }
}

pub fn deletion(id: &str) -> Deletion {
    Deletion { integration: integration(), external_id: external_id(id), reason: DeleteReason::Removed }
}

pub fn secret(json: &str) -> Secret {
    let text = SecretString::from(json.to_owned());
    Arc::new(move || {
        let text = text.clone();
        Box::pin(async move { Ok(text) })
    })
}

/// A text with three headings, each with some hundred words of its own.
pub fn long(words: [&str; 3]) -> String {
    let section = |number: usize, word: &str| {
        let body: Vec<String> = (0..260).map(|place| format!("{word}{number}x{place}")).collect();
        format!("## Section {number}\n\n{}\n\n", body.join(" "))
    };
    words.iter().enumerate().map(|(number, word)| section(number, word)).collect()
}
