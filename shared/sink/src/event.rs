//! What the bus is told: one event for a batch, split where it would be too large.
//!
//! Receivers read these names; fields are only ever added. A resource's text is not in the event: its object is named instead.

use domain::message::IntegrationRef;
use domain::resource::DeleteReason;
use domain::{Author, ExternalId, Owner, ProviderId, ResourceKind, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::{Deletion, Upsert};

/// What events say of their origin.
pub(crate) const SOURCE: &str = "cognia.integrations";
/// The type of an event about delivered resources.
pub(crate) const SYNCED: &str = "Resources Synced";
/// The type of an event about deleted resources.
pub(crate) const DELETED: &str = "Resources Deleted";
/// The largest detail of one event. EventBridge takes 256 KB for a request, source, type and time included; this leaves 6 KB for those.
const MAX_BYTES: usize = 250 * 1024;
/// `{"resources":[]}` around the resources.
const FRAME_BYTES: usize = 16;

/// A delivered resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Synced<'a> {
    idempotency_key: &'a str,
    owner: &'a Owner,
    integration: String,
    provider: ProviderId,
    external_id: &'a ExternalId,
    /// Resources are handed over whole: every one is its only part.
    part: u32,
    #[serde(rename = "type")]
    kind: ResourceKind,
    title: &'a str,
    url: Option<&'a str>,
    mime_type: Option<&'a str>,
    author: Option<&'a Author>,
    created_at: Timestamp,
    updated_at: Timestamp,
    content_hash: &'a str,
    /// Left out if the event would become too large with it; the object has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a serde_json::Map<String, serde_json::Value>>,
    /// Where the text is; absent where none is kept.
    object: Option<Object<'a>>,
}

/// An object in the content bucket.
#[derive(Serialize)]
struct Object<'a> {
    bucket: &'a str,
    key: &'a str,
}

/// A deleted resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deleted<'a> {
    owner: &'a Owner,
    integration: String,
    provider: ProviderId,
    external_id: &'a ExternalId,
    reason: DeleteReason,
}

/// The words about one delivered resource. `object` is its key if a body is kept.
///
/// # Errors
/// [`Error::Refused`] if they do not fit into an event even without metadata.
pub(crate) fn synced(upsert: &Upsert, bucket: &str, key: Option<&str>) -> Result<Box<RawValue>, Error> {
    let IntegrationRef { owner, provider, integration_id } = &upsert.integration;
    let content = &upsert.content;
    let mut words = Synced {
        idempotency_key: &upsert.idempotency_key,
        owner,
        integration: integration_id.to_string(),
        provider: *provider,
        external_id: &content.external_id,
        part: upsert.part,
        kind: content.kind,
        title: &content.title,
        url: content.url.as_deref(),
        mime_type: content.mime_type.as_deref(),
        author: content.author.as_ref(),
        created_at: content.created_at,
        updated_at: content.updated_at,
        content_hash: &content.content_hash,
        metadata: Some(&content.metadata),
        object: key.map(|key| Object { bucket, key }),
    };
    let whole = raw(&words)?;
    if fits(&whole) {
        return Ok(whole);
    }
    words.metadata = None;
    let short = raw(&words)?;
    if fits(&short) {
        Ok(short)
    } else {
        Err(Error::Refused("its title or address is too long for an event of 256 KB".to_owned()))
    }
}

/// The words about one deleted resource.
///
/// # Errors
/// [`Error::Refused`]; ids are short, so it does not happen.
pub(crate) fn deleted(deletion: &Deletion) -> Result<Box<RawValue>, Error> {
    let IntegrationRef { owner, provider, integration_id } = &deletion.integration;
    raw(&Deleted {
        owner,
        integration: integration_id.to_string(),
        provider: *provider,
        external_id: &deletion.external_id,
        reason: deletion.reason,
    })
}

fn raw(words: &impl Serialize) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(words).map_err(|error| Error::Refused(format!("it has no form in JSON ({error})")))
}

fn fits(words: &RawValue) -> bool {
    words.get().len() + FRAME_BYTES <= MAX_BYTES
}

/// An event to put, and which resources it is about (their places in the batch).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    /// The event's detail, in JSON.
    pub json: String,
    /// Places in the batch.
    pub about: Vec<usize>,
}

/// Packs words into as few events as fit.
pub(crate) fn pack(words: impl IntoIterator<Item = (usize, Box<RawValue>)>) -> Vec<Detail> {
    let mut details = Vec::new();
    let (mut bytes, mut texts, mut about) = (FRAME_BYTES, Vec::<Box<RawValue>>::new(), Vec::new());
    for (place, text) in words {
        let more = text.get().len() + 1;
        if !texts.is_empty() && bytes + more > MAX_BYTES {
            details.push(detail(&std::mem::take(&mut texts), std::mem::take(&mut about)));
            bytes = FRAME_BYTES;
        }
        bytes += more;
        texts.push(text);
        about.push(place);
    }
    if !texts.is_empty() {
        details.push(detail(&texts, about));
    }
    details
}

fn detail(texts: &[Box<RawValue>], about: Vec<usize>) -> Detail {
    let list: Vec<&str> = texts.iter().map(|text| text.get()).collect();
    Detail { json: format!("{{\"resources\":[{}]}}", list.join(",")), about }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn upsert(title: &str, metadata: usize) -> Upsert {
        let mut upsert = testing::upsert("f1", "canary");
        upsert.content.title = title.to_owned();
        upsert.content.metadata.insert("note".to_owned(), "x".repeat(metadata).into());
        upsert
    }

    #[test]
    fn an_event_names_the_object_and_carries_no_text() {
        let words = synced(&upsert("Plan", 1), "bucket", Some("key")).unwrap();
        assert!(!words.get().contains("canary"));
        let words: serde_json::Value = serde_json::from_str(words.get()).unwrap();
        assert_eq!(words["owner"], serde_json::json!({"kind": "user", "id": "ada"}));
        assert_eq!(words["object"], serde_json::json!({"bucket": "bucket", "key": "key"}));
        assert_eq!((&words["externalId"], &words["provider"]), (&"f1".into(), &"google_drive".into()));
    }

    #[test]
    fn metadata_gives_way_before_a_resource_is_refused() {
        let words = synced(&upsert("Plan", MAX_BYTES), "bucket", None).unwrap();
        assert!(!words.get().contains("metadata"));
        assert!(synced(&upsert(&"x".repeat(MAX_BYTES), 0), "bucket", None).is_err());
    }

    #[test]
    fn a_batch_is_split_where_an_event_would_be_too_large_and_loses_nobody() {
        let words = (0..10).map(|place| (place, synced(&upsert("Plan", 60_000), "bucket", None).unwrap()));
        let details = pack(words);
        assert_eq!(details.len(), 3);
        assert!(details.iter().all(|detail| detail.json.len() <= MAX_BYTES));
        let about: Vec<usize> = details.iter().flat_map(|detail| detail.about.clone()).collect();
        assert_eq!(about, (0..10).collect::<Vec<_>>());
        for detail in &details {
            let value: serde_json::Value = serde_json::from_str(&detail.json).unwrap();
            assert_eq!(value["resources"].as_array().unwrap().len(), detail.about.len());
        }
    }

    #[test]
    fn nothing_to_say_is_no_event() {
        assert_eq!(pack([]), []);
    }
}
