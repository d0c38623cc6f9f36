//! Messages as versions that were deployed have written them. They lie on queues while a new version is rolled out, and in dead-letter
//! queues for two weeks, so they must be read for ever; and what is written today must be readable by the version before.
//!
//! A file of `recorded` is never changed. When messages get new fields, a new file is added beside it.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "this is a test")]

use domain::message::{ResourceMessage, SyncMessage, WebhookMessage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

const RECORDED: &[&str] = &[include_str!("recorded/messages-1.json")];

/// Fields whose content is somebody else's, or one of several forms: nothing is added inside.
const CLOSED: &[&str] = &["headers", "metadata", "body"];

fn recorded() -> Vec<(String, Value)> {
    let files = RECORDED.iter().map(|text| serde_json::from_str::<Vec<Map<String, Value>>>(text).unwrap());
    let all = files.flatten().map(|mut one| (one["queue"].as_str().unwrap().to_owned(), one.remove("body").unwrap()));
    all.collect()
}

/// Reads a message and writes it again.
fn round<T: DeserializeOwned + Serialize>(body: &Value) -> Value {
    let read: T = serde_json::from_str(&body.to_string()).unwrap_or_else(|error| panic!("{error}: {body}"));
    serde_json::to_value(read).unwrap()
}

fn read_and_written(queue: &str, body: &Value) -> Value {
    match queue {
        "sync" => round::<SyncMessage>(body),
        "webhook" => round::<WebhookMessage>(body),
        "resource" => round::<ResourceMessage>(body),
        other => panic!("{other} is no queue"),
    }
}

/// Whether all that `old` says is in `new`, too. An absent field says the same as null.
fn says_all(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(name, value)| says_all(value, new.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| says_all(old, new))
        }
        _ => old == new,
    }
}

/// The same message with a field in every part of it that this version does not know.
fn from_the_future(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let known = fields.iter().map(|(name, field)| {
                let closed = CLOSED.contains(&name.as_str());
                (name.clone(), if closed { field.clone() } else { from_the_future(field) })
            });
            let mut fields: Map<String, Value> = known.collect();
            fields.insert("addedLater".to_owned(), json!({"anything": [1, null]}));
            Value::Object(fields)
        }
        other => other.clone(),
    }
}

#[test]
fn guarantee_48_messages_of_every_version_are_read() {
    let all = recorded();
    assert!(all.len() >= 11);
    for (queue, body) in all {
        read_and_written(&queue, &body);
    }
}

#[test]
fn guarantee_48_the_version_before_finds_all_its_fields_in_what_is_written_now() {
    for (queue, body) in recorded() {
        let written = read_and_written(&queue, &body);
        assert!(says_all(&body, &written), "{body} became {written}");
    }
}

#[test]
fn guarantee_48_fields_of_a_later_version_are_passed_over() {
    for (queue, body) in recorded() {
        let later = from_the_future(&body);
        assert_ne!(later, body);
        assert_eq!(read_and_written(&queue, &later), read_and_written(&queue, &body), "{later}");
    }
}
