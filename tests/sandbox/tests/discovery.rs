//! Every kind of answer is what Google's discovery document says it is, field by field.
//!
//! `SANDBOX_GOOGLE_DISCOVERY` names the document (`drive.v3.json` of PyPI's google-api-python-client).
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is a test"
)]

#[allow(dead_code, reason = "each test uses a part of it")]
mod running;

use std::collections::BTreeSet;

use running::{ADA, READONLY, Running};
use serde_json::{Map, Value, json};

/// The document, and its schemas as JSON Schema in which no field may be unknown.
struct Official {
    document: Value,
    definitions: Value,
}

impl Official {
    fn load() -> Self {
        let path = std::env::var("SANDBOX_GOOGLE_DISCOVERY")
            .expect("SANDBOX_GOOGLE_DISCOVERY must name Google's drive.v3.json; `make test` sets it");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
        let document: Value = serde_json::from_str(&text).unwrap();
        let schemas = document["schemas"].as_object().unwrap();
        let definitions = schemas.iter().map(|(name, schema)| (name.clone(), translated(schema))).collect();
        Self { document, definitions: Value::Object(definitions) }
    }

    /// What is wrong with an answer, by the document.
    fn errors(&self, schema: &str, answer: &Value) -> Vec<String> {
        let schema = json!({ "$ref": format!("#/$defs/{schema}"), "$defs": self.definitions });
        let validator = jsonschema::validator_for(&schema).unwrap();
        validator.iter_errors(answer).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    fn check(&self, what: &str, schema: &str, answer: &Value) {
        let errors = self.errors(schema, answer);
        assert!(errors.is_empty(), "{what} is no {schema}: {errors:#?}\n{answer:#}");
    }

    /// The method with this id, `files.list`.
    fn method(&self, id: &str) -> &Value {
        let (resource, name) = id.split_once('.').unwrap();
        let method = &self.document["resources"][resource]["methods"][name];
        assert!(method.is_object(), "the document has no {id}");
        method
    }
}

/// A discovery schema as JSON Schema.
fn translated(schema: &Value) -> Value {
    let Some(schema) = schema.as_object() else { return json!({}) };
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return json!({ "$ref": format!("#/$defs/{name}") });
    }
    let mut out = Map::new();
    match schema.get("type").and_then(Value::as_str) {
        Some("any") | None => {}
        Some(kind) => {
            out.insert("type".into(), json!(kind));
        }
    }
    match schema.get("format").and_then(Value::as_str) {
        Some("int64" | "uint64") => {
            out.insert("pattern".into(), json!("^-?[0-9]+$"));
        }
        Some("date-time") => {
            out.insert("pattern".into(), json!(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"));
        }
        _ => {}
    }
    if let Some(items) = schema.get("items") {
        out.insert("items".into(), translated(items));
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let properties: Map<_, _> =
            properties.iter().map(|(name, schema)| (name.clone(), translated(schema))).collect();
        out.insert("properties".into(), Value::Object(properties));
        out.insert("additionalProperties".into(), json!(false));
    }
    if let Some(more) = schema.get("additionalProperties") {
        out.insert("additionalProperties".into(), translated(more));
    }
    Value::Object(out)
}

const DRIVES: &str = "supportsAllDrives=true&includeItemsFromAllDrives=true";

#[tokio::test]
async fn every_kind_of_answer_fits_the_discovery_document() {
    let official = Official::load();
    let sandbox = Running::start(&[]);
    let tokens = sandbox.consent(ADA, READONLY).await;
    let token = tokens["access_token"].as_str().unwrap();

    let about = sandbox.get("about?fields=*", token).await;
    official.check("about.get", "About", &about);
    assert_eq!(about["user"]["emailAddress"], ADA);

    let start = sandbox.get("changes/startPageToken?supportsAllDrives=true", token).await;
    official.check("changes.getStartPageToken", "StartPageToken", &start);

    for (query, fields) in
        [("", ""), ("", "&fields=*"), ("&corpora=allDrives", "&fields=*"), ("&pageSize=3", "&fields=*")]
    {
        let list = sandbox.get(&format!("files?{DRIVES}{query}{fields}"), token).await;
        official.check("files.list", "FileList", &list);
        assert!(!list["files"].as_array().unwrap().is_empty());
    }
    let all = sandbox.get(&format!("files?{DRIVES}&corpora=allDrives"), token).await;
    let mut kinds = BTreeSet::new();
    for file in all["files"].as_array().unwrap() {
        let id = file["id"].as_str().unwrap();
        for fields in ["", "&fields=*"] {
            let file = sandbox.get(&format!("files/{id}?supportsAllDrives=true{fields}"), token).await;
            official.check("files.get", "File", &file);
            kinds.insert(file["mimeType"].as_str().unwrap().to_owned());
        }
    }
    assert!(kinds.len() >= 14, "all kinds of sample files are there: {kinds:?}");

    let drives = sandbox.get("drives?fields=*", token).await;
    official.check("drives.list", "DriveList", &drives);
    let drive_id = drives["drives"][0]["id"].as_str().unwrap();
    official.check("drives.get", "Drive", &sandbox.get(&format!("drives/{drive_id}?fields=*"), token).await);

    // One of each kind of change: edited, trashed, deleted, a drive joined, a drive left.
    let own: Vec<&str> = all["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["driveId"].is_null())
        .map(|f| f["id"].as_str().unwrap())
        .collect();
    sandbox.control("PATCH", &format!("google/files/{}", own[0]), json!({ "name": "renamed" })).await;
    sandbox.control("PATCH", &format!("google/files/{}", own[1]), json!({ "trashed": true })).await;
    sandbox.control("DELETE", &format!("google/files/{}", own[2]), json!({})).await;
    let joined = sandbox.control("POST", "google/drives", json!({ "name": "New", "members": [ADA] })).await;
    sandbox.control("DELETE", &format!("google/drives/{drive_id}/members/{ADA}"), json!({})).await;
    let place = start["startPageToken"].as_str().unwrap();
    for fields in ["", "&fields=*"] {
        let changes = sandbox.get(&format!("changes?pageToken={place}&{DRIVES}{fields}"), token).await;
        official.check("changes.list", "ChangeList", &changes);
        let seen: Vec<_> = changes["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| (c["changeType"].clone(), c["removed"].clone()))
            .collect();
        for wanted in [("file", false), ("file", true), ("drive", false), ("drive", true)] {
            assert!(seen.contains(&(json!(wanted.0), json!(wanted.1))), "{wanted:?} in {seen:?}");
        }
        assert!(changes["newStartPageToken"].is_string());
    }
    let first = sandbox.get(&format!("changes?pageToken={place}&pageSize=1&{DRIVES}"), token).await;
    official.check("changes.list", "ChangeList", &first);
    assert!(first["nextPageToken"].is_string() && first["newStartPageToken"].is_null());

    let watch = json!({ "id": "c-1", "type": "web_hook", "address": "https://127.0.0.1:9/hook", "token": "t" });
    let channel =
        sandbox.drive("POST", &format!("changes/watch?pageToken={place}"), token).json(&watch).send().await.unwrap();
    official.check("changes.watch", "Channel", &channel.json().await.unwrap());
    let watch = json!({ "id": "c-2", "type": "web_hook", "address": "https://127.0.0.1:9/hook" });
    let channel = sandbox.drive("POST", &format!("files/{}/watch", own[0]), token).json(&watch).send().await.unwrap();
    official.check("files.watch", "Channel", &channel.json().await.unwrap());

    let feed = format!("changes/startPageToken?supportsAllDrives=true&driveId={}", joined["id"].as_str().unwrap());
    official.check("changes.getStartPageToken", "StartPageToken", &sandbox.get(&feed, token).await);
    assert!(!official.errors("File", &json!({ "id": "1", "surprise": true })).is_empty(), "the check is strict");
    assert!(!official.errors("File", &json!({ "size": 5 })).is_empty(), "64-bit numbers travel as texts");
}

#[tokio::test]
async fn every_operation_and_selectable_field_exists_in_the_discovery_document() {
    let official = Official::load();
    let sandbox = Running::start(&[]);
    let tokens = sandbox.consent(ADA, READONLY).await;
    let token = tokens["access_token"].as_str().unwrap();
    for (id, method, path) in [
        ("about.get", "GET", "about"),
        ("files.list", "GET", "files"),
        ("files.get", "GET", "files/{fileId}"),
        ("files.export", "GET", "files/{fileId}/export"),
        ("files.watch", "POST", "files/{fileId}/watch"),
        ("drives.list", "GET", "drives"),
        ("drives.get", "GET", "drives/{driveId}"),
        ("changes.getStartPageToken", "GET", "changes/startPageToken"),
        ("changes.list", "GET", "changes"),
        ("changes.watch", "POST", "changes/watch"),
        ("channels.stop", "POST", "channels/stop"),
    ] {
        let found = official.method(id);
        assert_eq!((found["httpMethod"].as_str(), found["path"].as_str()), (Some(method), Some(path)), "{id}");
    }
    // A selection of each field of the document is accepted, so no client of the real API is refused here.
    for (schema, path, prefix) in [("File", "files", "files/"), ("Drive", "drives", "drives/"), ("About", "about", "")]
    {
        for name in official.document["schemas"][schema]["properties"].as_object().unwrap().keys() {
            sandbox.get(&format!("{path}?fields={prefix}{name}"), token).await;
        }
    }
    let refused = sandbox.drive("GET", "files?fields=files/surprise", token).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 400);
}
