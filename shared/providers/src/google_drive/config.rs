//! What of a Drive is synced: the integration's `config`, read and checked.

use std::collections::BTreeSet;

use chrono::DateTime;
use domain::{IntegrationConfig, Timestamp};
use serde_json::{Value, json};

use super::wire;

/// Folders that a filter may name. Each costs a look-up per listing.
const MAX_FOLDERS: usize = 50;
/// Shared drives that a filter may name. Each has a feed and a webhook of its own.
const MAX_DRIVES: usize = 200;

/// The largest limit on size that makes sense to set; every JSON reader knows numbers up to here exactly.
const MAX_BYTES: u64 = 1 << 50;

/// Short names of file types, and the media types that they stand for.
const SHORT_NAMES: &[(&str, &[&str])] = &[
    ("document", &[wire::DOCUMENT]),
    ("spreadsheet", &[wire::SPREADSHEET]),
    ("presentation", &[wire::PRESENTATION]),
    ("script", &[wire::SCRIPT]),
    ("pdf", &["application/pdf"]),
    ("word", &["application/vnd.openxmlformats-officedocument.wordprocessingml.document", "application/msword"]),
    ("excel", &["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/vnd.ms-excel"]),
    (
        "powerpoint",
        &["application/vnd.openxmlformats-officedocument.presentationml.presentation", "application/vnd.ms-powerpoint"],
    ),
    ("text", &["text/plain"]),
    ("markdown", &["text/markdown", "text/x-markdown"]),
    ("csv", &["text/csv", "text/tab-separated-values"]),
    ("html", &["text/html"]),
    ("json", &["application/json"]),
];

/// Which shared drives are synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedDrives {
    /// Every drive that the person is a member of.
    All,
    /// None.
    Without,
    /// These.
    These(BTreeSet<String>),
}

impl SharedDrives {
    /// Whether a file of this drive is in scope.
    pub fn contains(&self, drive: &str) -> bool {
        match self {
            Self::All => true,
            Self::Without => false,
            Self::These(ids) => ids.contains(drive),
        }
    }
}

/// A read `config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Only what is in these folders, at any depth. They may lie in shared drives; then those drives are in scope.
    pub folders: Option<BTreeSet<String>>,
    /// Which shared drives; means nothing beside `folders`.
    pub shared_drives: SharedDrives,
    /// Only what was changed at this time or later.
    pub modified_after: Option<Timestamp>,
    /// Only these media types; `text/*` takes a whole family.
    pub types: Option<Vec<String>>,
    /// Only files up to this size. Native documents have no size and always pass.
    pub max_bytes: Option<u64>,
}

impl Config {
    /// Reads a `config`.
    ///
    /// # Errors
    /// A sentence that names the field and what it takes.
    pub fn read(config: &IntegrationConfig) -> Result<Self, String> {
        const FIELDS: [&str; 5] = ["folders", "sharedDrives", "modifiedAfter", "fileTypes", "maxBytes"];
        if let Some(unknown) = config.0.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            let unknown: String = unknown.chars().take(40).collect();
            return Err(format!("{unknown} is not a setting of Google Drive; it takes {}.", FIELDS.join(", ")));
        }
        // A null is what forms send for an empty field.
        let field = |name: &str| config.0.get(name).filter(|value| !value.is_null());
        Ok(Self {
            folders: field("folders")
                .map(|value| ids("folders", value, MAX_FOLDERS))
                .transpose()?
                .filter(|ids| !ids.is_empty()),
            shared_drives: match field("sharedDrives") {
                None | Some(Value::Bool(true)) => SharedDrives::All,
                Some(Value::Bool(false)) => SharedDrives::Without,
                Some(value) => SharedDrives::These(
                    ids("sharedDrives", value, MAX_DRIVES)
                        .map_err(|error| format!("{error} true and false mean all and none."))?,
                ),
            },
            modified_after: field("modifiedAfter").map(time).transpose()?,
            types: field("fileTypes").map(types).transpose()?.filter(|types| !types.is_empty()),
            max_bytes: match field("maxBytes") {
                None => None,
                Some(value) => Some(bytes(value)?),
            },
        })
    }

    /// Whether the filters on type, time and size let a file pass.
    pub fn passes(&self, file: &wire::File) -> bool {
        let time = self.modified_after.is_none_or(|after| file.modified_time.is_none_or(|modified| modified >= after));
        let size = self.max_bytes.is_none_or(|most| file.size.is_none_or(|bytes| bytes <= most));
        let kind = self.types.as_ref().is_none_or(|types| types.iter().any(|wanted| is_of(&file.mime_type, wanted)));
        time && size && kind
    }
}

fn is_of(mime_type: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(family) => mime_type.starts_with(family),
        None => mime_type == wanted,
    }
}

fn bytes(value: &Value) -> Result<u64, String> {
    // 10.0 is as whole a number as 10, to JSON Schema and to people.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and in the range")]
    let whole = |number: f64| (number.fract() == 0.0 && (1.0..=9.0e15).contains(&number)).then_some(number as u64);
    let number = value.as_u64().or_else(|| value.as_f64().and_then(whole));
    number
        .filter(|bytes| (1..=MAX_BYTES).contains(bytes))
        .ok_or_else(|| format!("maxBytes takes a whole number of bytes from 1 to {MAX_BYTES}."))
}

fn ids(field: &str, value: &Value, most: usize) -> Result<BTreeSet<String>, String> {
    let wrong =
        || format!("{field} takes a list of at most {most} ids, as they stand in the address of a folder or drive.");
    let list = value.as_array().filter(|list| list.len() <= most).ok_or_else(wrong)?;
    let ids: BTreeSet<String> = list
        .iter()
        .map(|id| id.as_str().filter(|id| is_id(id)).map(str::to_owned).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    if ids.len() < list.len() {
        return Err(format!("{field} names an id twice."));
    }
    Ok(ids)
}

/// Whether a text has the form of a Drive id. What has not never becomes part of a URL or a query.
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn time(value: &Value) -> Result<Timestamp, String> {
    let wrong = "modifiedAfter takes a date and time like 2026-01-31T00:00:00Z.";
    let text = value.as_str().ok_or(wrong)?;
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|_| wrong.to_owned())
}

fn types(value: &Value) -> Result<Vec<String>, String> {
    let wrong = || {
        let names: Vec<_> = SHORT_NAMES.iter().map(|(name, _)| *name).collect();
        format!("fileTypes takes a list of media types like text/plain or text/*, or of {}.", names.join(", "))
    };
    let mut types = Vec::new();
    for item in value.as_array().filter(|list| list.len() <= 100).ok_or_else(wrong)? {
        let text = item.as_str().ok_or_else(wrong)?;
        if let Some((_, mime_types)) = SHORT_NAMES.iter().find(|(name, _)| *name == text) {
            types.extend(mime_types.iter().map(|mime_type| (*mime_type).to_owned()));
        } else if is_media_type(text) {
            types.push(text.to_ascii_lowercase());
        } else {
            return Err(wrong());
        }
    }
    Ok(types)
}

fn is_media_type(text: &str) -> bool {
    let is_token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    text.len() <= 128
        && text.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && (subtype == "*" || is_token(subtype)))
}

/// The JSON Schema of what [`Config::read`] takes.
pub fn schema() -> Value {
    let id = json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "folders": {
                "title": "Folders",
                "description": "Only what is in these folders, at any depth. `root` is My Drive. Everything, if none is named.",
                "type": ["array", "null"], "items": id, "maxItems": MAX_FOLDERS, "uniqueItems": true
            },
            "sharedDrives": {
                "title": "Shared drives",
                "description": "All of them, none, or these. Chosen folders bring their drives with them.",
                "default": true,
                "oneOf": [
                    {"type": "boolean"},
                    {"type": "array", "items": id, "maxItems": MAX_DRIVES, "uniqueItems": true},
                    {"type": "null"}
                ]
            },
            "modifiedAfter": {
                "title": "Changed since",
                "description": "Only what was changed at this time or later.",
                "type": ["string", "null"], "format": "date-time"
            },
            "fileTypes": {
                "title": "File types",
                "description": "Media types like text/plain or text/*, or short names. All types, if none is named.",
                "type": ["array", "null"],
                "maxItems": 100,
                "items": {"anyOf": [
                    {"enum": SHORT_NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>()},
                    {"type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9!#$&^_.+-]+/([A-Za-z0-9!#$&^_.+-]+|\\*)$"}
                ]}
            },
            "maxBytes": {
                "title": "Largest file",
                "description": "Only files up to this many bytes.",
                "type": ["integer", "null"], "minimum": 1, "maximum": MAX_BYTES
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::read(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn an_empty_config_takes_everything() {
        let config = read("{}").unwrap();
        assert_eq!(config.shared_drives, SharedDrives::All);
        assert!(config.folders.is_none() && config.passes(&wire::File::default()));
        assert_eq!(read(r#"{"folders":null,"fileTypes":[],"sharedDrives":null}"#).unwrap(), config);
    }

    #[test]
    fn a_wrong_field_is_named_and_the_schema_agrees() {
        let check = |text: &str, names: &str| {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(names) && error.ends_with('.'), "{text}: {error}");
        };
        check(r#"{"folders":"root"}"#, "folders");
        check(r#"{"folders":["a b"]}"#, "folders");
        check(r#"{"folders":["x' in parents or 'y"]}"#, "folders");
        check(r#"{"sharedDrives":"all"}"#, "sharedDrives");
        check(r#"{"modifiedAfter":"yesterday"}"#, "modifiedAfter");
        check(r#"{"modifiedAfter":1}"#, "modifiedAfter");
        check(r#"{"fileTypes":["pdf","nonsense"]}"#, "fileTypes");
        check(r#"{"maxBytes":0}"#, "maxBytes");
        check(r#"{"maxBytes":1.5}"#, "maxBytes");
        check(r#"{"folder":["a"]}"#, "folder is not");
    }

    #[test]
    fn the_published_schema_takes_exactly_what_is_taken() {
        let schema = jsonschema::options().should_validate_formats(true).build(&schema()).unwrap();
        let many = |count: usize| json!((0..count).map(|n| format!("f{n}")).collect::<Vec<_>>());
        let long = "x".repeat(129);
        let (far, farther) = (json!(MAX_BYTES), json!(MAX_BYTES + 1));
        let values = [
            json!(null),
            json!(true),
            json!(false),
            json!(0),
            json!(1),
            json!(-1),
            json!(1.0),
            json!(1.5),
            json!(1e300),
            far,
            farther,
            json!(""),
            json!("root"),
            json!("2026-01-31T00:00:00Z"),
            json!("2026-01-31T00:00:00.5+02:00"),
            json!("2026-01-31"),
            json!("2026-02-31T00:00:00Z"),
            json!({}),
            json!([]),
            json!([null]),
            json!([1]),
            json!(["root"]),
            json!(["a", "a"]),
            json!(["a b"]),
            json!(["a/b"]),
            json!(["x' or 'y"]),
            json!([""]),
            json!([long]),
            json!(["pdf", "text/*"]),
            json!(["*/*"]),
            json!(["text/"]),
            json!(["text/a b"]),
            json!(["TEXT/Plain"]),
            json!(["pdf "]),
            json!([format!("text/{long}")]),
            many(50),
            many(51),
            many(100),
            many(101),
            many(200),
            many(201),
            json!([["root"]]),
        ];
        for field in ["folders", "sharedDrives", "modifiedAfter", "fileTypes", "maxBytes", "other"] {
            for value in &values {
                let config = json!({ field: value });
                let taken = Config::read(&serde_json::from_value(config.clone()).unwrap());
                assert_eq!(taken.is_ok(), schema.is_valid(&config), "{config}: {taken:?}");
            }
        }
        let whole = r#"{"folders":["root"],"sharedDrives":["0A"],"modifiedAfter":"2026-01-31T00:00:00Z","fileTypes":["pdf","text/*"],"maxBytes":9}"#;
        assert!(read(whole).is_ok() && schema.is_valid(&serde_json::from_str(whole).unwrap()));
    }

    #[test]
    fn filters_judge_type_time_and_size() {
        let config =
            read(r#"{"fileTypes":["pdf","text/*"],"maxBytes":10,"modifiedAfter":"2026-01-31T00:00:00Z"}"#).unwrap();
        let check = |text: &str, passes| {
            assert_eq!(config.passes(&serde_json::from_str(text).unwrap()), passes, "{text}");
        };
        check(r#"{"id":"a","mimeType":"application/pdf","size":"10","modifiedTime":"2026-01-31T00:00:00Z"}"#, true);
        check(r#"{"id":"a","mimeType":"text/csv"}"#, true);
        check(r#"{"id":"a","mimeType":"image/png"}"#, false);
        check(r#"{"id":"a","mimeType":"text/csv","size":"11"}"#, false);
        check(r#"{"id":"a","mimeType":"text/csv","modifiedTime":"2026-01-30T23:59:59Z"}"#, false);
    }
}
