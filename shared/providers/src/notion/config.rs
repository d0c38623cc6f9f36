//! What of a workspace is synced: the integration's `config`, read and checked.

use std::collections::BTreeSet;

use chrono::DateTime;
use domain::{IntegrationConfig, Timestamp};
use serde_json::{Value, json};

use super::client::dashed;
use super::wire::{Item, Up};

/// Pages or databases that a filter may name.
const MAX_ROOTS: usize = 100;

/// A read `config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Only these pages and databases and what is in them, at any depth; everything that the connection sees, if `None`.
    pub roots: Option<BTreeSet<String>>,
    /// Only what was edited at this time or later.
    pub modified_after: Option<Timestamp>,
    /// Whether the rows of databases are synced.
    pub rows: bool,
}

impl Config {
    /// Reads a `config`.
    ///
    /// # Errors
    /// A sentence that names the field and what it takes.
    pub fn read(config: &IntegrationConfig) -> Result<Self, String> {
        const FIELDS: [&str; 4] = ["pages", "databases", "modifiedAfter", "rows"];
        if let Some(unknown) = config.0.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            let unknown: String = unknown.chars().take(40).collect();
            return Err(format!("{unknown} is not a setting of Notion; it takes {}.", FIELDS.join(", ")));
        }
        // A null is what forms send for an empty field.
        let field = |name: &str| config.0.get(name).filter(|value| !value.is_null());
        let mut roots = BTreeSet::new();
        for name in ["pages", "databases"] {
            roots.extend(field(name).map(|value| ids(name, value)).transpose()?.unwrap_or_default());
        }
        Ok(Self {
            roots: (!roots.is_empty()).then_some(roots),
            modified_after: field("modifiedAfter").map(time).transpose()?,
            rows: match field("rows") {
                None => true,
                Some(value) => value.as_bool().ok_or("rows takes true or false.")?,
            },
        })
    }

    /// Whether an event that names a page does not tell by itself whether the page is to be synced.
    pub const fn is_selective(&self) -> bool {
        self.roots.is_some() || !self.rows || self.modified_after.is_some()
    }

    /// Whether the filters that need no look at its surroundings let an item pass.
    pub fn passes(&self, item: &Item) -> bool {
        let time = self.modified_after.is_none_or(|after| item.last_edited_time.is_none_or(|edited| edited >= after));
        time && (self.rows || !is_row(item))
    }
}

/// Whether an item is a row of a database.
pub fn is_row(item: &Item) -> bool {
    let up = item.parent.as_ref().map(super::wire::Parent::up);
    item.object == "page" && matches!(up, Some(Up::DataSource(..) | Up::Database(_)))
}

fn ids(field: &str, value: &Value) -> Result<Vec<String>, String> {
    let wrong = || {
        format!(
            "{field} takes a list of at most {MAX_ROOTS} ids of 32 hexadecimal digits, as they stand at the end of a link."
        )
    };
    let list = value.as_array().filter(|list| list.len() <= MAX_ROOTS).ok_or_else(wrong)?;
    list.iter().map(|id| id.as_str().and_then(dashed).ok_or_else(wrong)).collect()
}

fn time(value: &Value) -> Result<Timestamp, String> {
    let wrong = "modifiedAfter takes a date and time like 2026-01-31T00:00:00Z.";
    let text = value.as_str().ok_or(wrong)?;
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|_| wrong.to_owned())
}

/// The JSON Schema of what [`Config::read`] takes.
pub fn schema() -> Value {
    let id = "^([0-9a-fA-F]{32}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$";
    let ids = json!({"type": "string", "pattern": id});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "pages": {
                "title": "Pages",
                "description": "Only these pages and what is in them, at any depth. Everything that was shared, if neither pages nor databases are named.",
                "type": ["array", "null"], "items": ids, "maxItems": MAX_ROOTS, "uniqueItems": true
            },
            "databases": {
                "title": "Databases",
                "description": "Only these databases or data sources, their rows, and what is in the rows.",
                "type": ["array", "null"], "items": ids, "maxItems": MAX_ROOTS, "uniqueItems": true
            },
            "rows": {
                "title": "Rows of databases",
                "description": "Whether each row of a database is synced as a record.",
                "type": ["boolean", "null"], "default": true
            },
            "modifiedAfter": {
                "title": "Edited since",
                "description": "Only what was edited at this time or later.",
                "type": ["string", "null"], "format": "date-time"
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "598337872cf94fdf8782e53db20768a5";
    const DASHED: &str = "59833787-2cf9-4fdf-8782-e53db20768a5";

    fn read(text: &str) -> Result<Config, String> {
        Config::read(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn an_empty_config_takes_everything() {
        let config = read("{}").unwrap();
        assert!(config.roots.is_none() && config.rows && !config.is_selective());
        assert_eq!(read(r#"{"pages":[],"databases":null,"rows":null,"modifiedAfter":null}"#).unwrap(), config);
    }

    #[test]
    fn ids_are_taken_with_and_without_dashes() {
        let config = read(&format!(r#"{{"pages":["{ID}"],"databases":["{DASHED}"]}}"#)).unwrap();
        assert_eq!(config.roots.as_ref().unwrap().iter().collect::<Vec<_>>(), [DASHED]);
        assert!(config.is_selective());
    }

    #[test]
    fn a_wrong_field_is_named_and_the_schema_agrees() {
        let schema = jsonschema::validator_for(&schema()).unwrap();
        let check = |text: &str, names: &str| {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(names) && error.ends_with('.'), "{text}: {error}");
            let agrees = !schema.is_valid(&serde_json::from_str(text).unwrap()) || names == "modifiedAfter";
            assert!(agrees, "{text} passes the schema");
        };
        check(r#"{"pages":"all"}"#, "pages");
        check(r#"{"pages":["https://www.notion.so/x"]}"#, "pages");
        check(
            r#"{"databases":["598337872cf9-4fdf8782e53db20768a5"]}"#.replace("598337872cf9-", "x").as_str(),
            "databases",
        );
        check(r#"{"rows":"no"}"#, "rows");
        check(r#"{"modifiedAfter":"yesterday"}"#, "modifiedAfter");
        check(r#"{"page":[]}"#, "page is not");
        let good = format!(
            r#"{{"pages":["{ID}"],"databases":["{DASHED}"],"rows":false,"modifiedAfter":"2026-01-31T00:00:00Z"}}"#
        );
        assert!(schema.is_valid(&serde_json::from_str(&good).unwrap()) && read(&good).is_ok());
    }

    #[test]
    fn filters_judge_time_and_rows() {
        let config = read(r#"{"rows":false,"modifiedAfter":"2026-01-31T00:00:00Z"}"#).unwrap();
        let check =
            |text: &str, passes| assert_eq!(config.passes(&serde_json::from_str(text).unwrap()), passes, "{text}");
        check(
            r#"{"object":"page","id":"a","last_edited_time":"2026-01-31T00:00:00Z","parent":{"type":"workspace","workspace":true}}"#,
            true,
        );
        check(r#"{"object":"page","id":"a","last_edited_time":"2026-01-30T00:00:00Z"}"#, false);
        check(r#"{"object":"page","id":"a","parent":{"type":"data_source_id","data_source_id":"b"}}"#, false);
        check(r#"{"object":"data_source","id":"a","parent":{"type":"database_id","database_id":"b"}}"#, true);
    }
}
