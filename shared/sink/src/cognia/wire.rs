//! Cognia's JSON, under its names.

use std::collections::BTreeMap;

use domain::Owner;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::parts::{Part, digest};
use crate::Upsert;

/// The attribute of a memory's metadata under which every resource that delivered it stands. An object, because Cognia merges the
/// objects of a memory's metadata when two deliveries turn out to be one memory: so all of them can be found by their keys.
const OURS: &str = "cognia_integrations";
/// Always so, or Cognia takes what it does not know for captures of its browser extension and lets them shape the person's profile.
const SOURCE_TYPE: &str = "INTEGRATION";

/// What a part is found by: its resource, its name and its text, told by nobody else.
pub(super) fn key(integration: &str, external_id: &str, part: &str, hash: &str) -> String {
    digest(&[integration, external_id, part, hash])
}

/// `POST /api/content`.
#[derive(Serialize)]
pub(super) struct Content<'a> {
    content: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    metadata: Map<String, Value>,
}

impl<'a> Content<'a> {
    pub fn of(upsert: &'a Upsert, part: &'a Part, place: usize, cut: bool) -> Self {
        let content = &upsert.content;
        let (owner, integration) = (&upsert.integration.owner, upsert.integration.integration_id.to_string());
        let provider = upsert.integration.provider.as_str();
        let key = key(&integration, content.external_id.as_str(), &part.id, &part.hash);
        let from = json!({
            "integration": integration, "provider": provider, "externalId": content.external_id, "part": part.id,
        });
        let mut metadata = Map::new();
        for (name, value) in &content.metadata {
            metadata.insert(name.clone(), value.clone());
        }
        // Ours last: nothing that a provider says may stand in their place.
        let ours = json!({
            "source": provider,
            "source_type": SOURCE_TYPE,
            "skip_profile_update": true,
            "timestamp": content.updated_at.timestamp(),
            "content_type": content.kind,
            "mime_type": content.mime_type,
            "author": content.author.as_ref().map(|author| &author.name),
            "document_title": content.title,
            "part": place,
            "cut_off": cut,
            OURS: { key: from },
        });
        if let Value::Object(ours) = ours {
            metadata.extend(ours);
        }
        for name in ["memory_id", "synced_resource_id", "organization_id", "url", "title", "page_metadata"] {
            metadata.remove(name);
        }
        if let Owner::Organization(id) = owner {
            metadata.insert("organization_id".to_owned(), id.as_str().into());
        }
        Self { content: &part.text, title: &part.title, url: content.url.as_deref(), metadata }
    }
}

/// What is left of a memory whose text is not to be kept.
#[derive(Serialize)]
pub(super) struct Bare<'a> {
    pub content: &'a str,
    pub full_content: &'a str,
}

/// The answer to a delivery: with a name where Cognia worked on it at once, without one where it has queued it.
#[derive(Deserialize, Default)]
struct Taken {
    #[serde(default)]
    data: Option<TakenData>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct TakenData {
    #[serde(default)]
    memory_id: Option<String>,
    #[serde(default)]
    memory: Option<TakenMemory>,
}

#[derive(Deserialize)]
struct TakenMemory {
    id: String,
}

/// The name in an answer to a delivery, if it tells one.
pub(super) fn taken(body: &[u8]) -> Option<String> {
    let data = serde_json::from_slice::<Taken>(body).ok()?.data?;
    data.memory_id.or_else(|| data.memory.map(|memory| memory.id)).filter(|id| is_name(id))
}

/// A name that may stand in a path and in a key.
fn is_name(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 64
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The answer to a refusal for sensitive data.
#[derive(Deserialize)]
struct Blocked {
    #[serde(default)]
    matches: Vec<String>,
}

/// The kinds of sensitive data that a refusal names, for people; plain words only.
pub(super) fn blocked(body: &[u8]) -> String {
    let matches = serde_json::from_slice::<Blocked>(body).map(|blocked| blocked.matches).unwrap_or_default();
    let is_plain = |word: &String| {
        (1..=40).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let words: Vec<String> = matches.into_iter().filter(is_plain).take(8).collect();
    if words.is_empty() { "it gives no reason".to_owned() } else { format!("it found {}", words.join(", ")) }
}

/// A page of memories, newest first. What has no list is no page.
#[derive(Deserialize)]
struct Listed {
    data: Vec<Value>,
}

/// A memory that carries keys of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Cognia's name for it.
    pub id: String,
    /// A person threw it away; it takes up no text, but stands in the way of an equal one.
    pub is_trashed: bool,
    /// Our keys.
    pub keys: Vec<String>,
}

#[derive(Deserialize)]
struct Memory {
    id: String,
    #[serde(default)]
    deleted_at: Option<Value>,
    #[serde(default)]
    page_metadata: Option<BTreeMap<String, Value>>,
}

/// The memories of a page that carry keys of ours; `None` if it is no page of memories.
pub(super) fn seen(body: &[u8]) -> Option<Vec<Seen>> {
    let listed: Listed = serde_json::from_slice(body).ok()?;
    let memories = listed.data.into_iter().filter_map(|memory| serde_json::from_value::<Memory>(memory).ok());
    let seen = memories.filter(|memory| is_name(&memory.id)).filter_map(|memory| {
        let keys = memory.page_metadata?.get(OURS)?.as_object()?.keys().cloned().collect();
        Some(Seen { id: memory.id, is_trashed: memory.deleted_at.is_some_and(|at| !at.is_null()), keys })
    });
    Some(seen.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cognia::parts;
    use crate::testing::upsert;

    fn sent(upsert: &Upsert) -> Value {
        let (parts, cut) = parts::of(upsert);
        serde_json::to_value(Content::of(upsert, &parts[0], 0, cut)).unwrap()
    }

    #[test]
    fn every_memory_is_said_to_be_an_integration_s_whatever_a_provider_says() {
        let mut resource = upsert("f1", "text");
        for (name, value) in
            [("source_type", "MANUAL"), ("memory_id", "m7"), ("organization_id", "other"), ("channel", "plans")]
        {
            resource.content.metadata.insert(name.to_owned(), value.into());
        }
        let metadata = &sent(&resource)["metadata"];
        assert_eq!(metadata["source_type"], "INTEGRATION");
        assert_eq!((&metadata["source"], &metadata["channel"]), (&"google_drive".into(), &"plans".into()));
        assert_eq!((metadata.get("memory_id"), metadata.get("organization_id")), (None, None));
        let from = metadata[OURS].as_object().unwrap().values().next().unwrap();
        assert_eq!((&from["externalId"], &from["part"]), (&"f1".into(), &"whole".into()));
    }

    #[test]
    fn an_organization_s_memory_is_the_organization_s() {
        let mut resource = upsert("f1", "text");
        resource.integration.owner = "organization/acme".parse().unwrap();
        assert_eq!(sent(&resource)["metadata"]["organization_id"], "acme");
    }

    #[test]
    fn a_name_is_read_from_every_form_of_answer_and_from_none_that_makes_no_sense() {
        let check = |body: &str, name: Option<&str>| assert_eq!(taken(body.as_bytes()).as_deref(), name, "{body}");
        check(r#"{"success":true,"data":{"userId":"u","memoryId":"m-1"}}"#, Some("m-1"));
        check(r#"{"success":true,"data":{"memory":{"id":"m2"},"isDuplicate":true}}"#, Some("m2"));
        check(r#"{"success":true,"message":"Content submitted for processing"}"#, None);
        check(r#"{"data":{"memoryId":"../../admin"}}"#, None);
        check(r#"{"data":{"memoryId":""}}"#, None);
        check("<html>", None);
    }

    #[test]
    fn guarantee_43_a_refusal_is_told_by_its_kinds_and_by_nothing_else_it_says() {
        assert_eq!(blocked(br#"{"code":"DLP_BLOCKED","matches":["us_ssn","jwt"]}"#), "it found us_ssn, jwt");
        assert_eq!(blocked(br#"{"matches":["Your key AKIA1234 <b>","x y"]}"#), "it gives no reason");
        assert_eq!(blocked(b"no"), "it gives no reason");
    }

    #[test]
    fn memories_are_known_by_our_keys() {
        let body = json!({"success": true, "data": [
            {"id": "m1", "page_metadata": {OURS: {"k1": {}, "k2": {}}}, "deleted_at": null},
            {"id": "m2", "page_metadata": {OURS: {"k3": {}}}, "deleted_at": "2026-01-01T00:00:00Z"},
            {"id": "m3", "page_metadata": {"topics": []}}, {"id": "m4"}, {"id": 5}, 7
        ], "nextCursor": null});
        let seen = seen(body.to_string().as_bytes()).unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].id.as_str(), seen[0].keys.len(), seen[0].is_trashed), ("m1", 2, false));
        assert!(seen[1].is_trashed);
        for other in ["[]", "{}", "<html>", r#"{"data":{}}"#] {
            assert_eq!(super::seen(other.as_bytes()), None, "{other}");
        }
    }
}
