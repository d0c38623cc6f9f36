//! Pages, rows and data sources as our resources.

use chrono::{DateTime, TimeDelta};
use domain::{Resource, ResourceKind, Timestamp};
use serde_json::{Map, Value, json};

use super::client::{dashed, external_id};
use super::text::{kept, plain, properties, title};
use super::wire::{Item, Up};
use crate::error::ProviderError;

/// Notion tells times of edits to the minute only. Until so much later, another edit may happen under the same time.
pub const UNSETTLED: TimeDelta = TimeDelta::seconds(120);

/// Name of what was never given one, as Notion shows it.
const UNTITLED: &str = "Untitled";

/// The metadata field that tells a data source from a page.
pub const OBJECT: &str = "object";
/// The metadata field with the texts of the properties.
pub const PROPERTIES: &str = "properties";
/// The metadata field that says that the properties are more than what is kept of them.
pub const CUT: &str = "propertiesCut";
/// The metadata field with the id of who made it.
pub const CREATED_BY: &str = "createdBy";

/// An item as a resource, seen at `now`.
///
/// # Errors
/// [`crate::error::Kind::Malformed`] for an id that Notion cannot have given, or a value of the wrong form.
pub fn resource(item: &Item, now: Timestamp) -> Result<Resource, ProviderError> {
    let edited = item.last_edited_time.or(item.created_time).unwrap_or(DateTime::UNIX_EPOCH);
    let up = item.parent.as_ref().map_or(Up::Top, super::wire::Parent::up);
    let is_page = item.object == "page";
    let name = if is_page { page_title(item)? } else { item.title.as_deref().map(plain).unwrap_or_default() };
    Ok(Resource {
        external_id: external_id(&item.id)?,
        // Rows are what databases are made of.
        kind: match &up {
            Up::DataSource(..) | Up::Database(_) if is_page => ResourceKind::Record,
            _ => ResourceKind::Page,
        },
        name: if name.trim().is_empty() { UNTITLED.to_owned() } else { name },
        mime_type: None,
        revision: revision(edited, item.is_trashed(), now),
        bytes: None,
        url: item.url.clone().or_else(|| item.public_url.clone()),
        parent_id: parent_id(&up),
        author: None,
        created_at: item.created_time.unwrap_or(edited),
        updated_at: edited,
        metadata: metadata(item)?,
    })
}

/// Two edits within a minute have the same time, so a time that is not over yet makes a revision of its own: the page is then looked at
/// again when it is.
fn revision(edited: Timestamp, is_trashed: bool, now: Timestamp) -> String {
    let open = if now < edited + UNSETTLED { "~" } else { "" };
    let trash = if is_trashed { "-" } else { "" };
    format!("{trash}{}{open}", edited.timestamp_millis())
}

fn page_title(item: &Item) -> Result<String, ProviderError> {
    item.properties.as_ref().map_or_else(|| Ok(String::new()), title)
}

fn parent_id(up: &Up) -> Option<String> {
    match up {
        Up::Page(id) | Up::DataSource(id, _) | Up::Database(id) | Up::Block(id) => dashed(id),
        Up::Top => None,
    }
}

/// What else is kept. [`super::fetch`] reads some of it back.
fn metadata(item: &Item) -> Result<Map<String, Value>, ProviderError> {
    let mut metadata = Map::new();
    let mut keep = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            metadata.insert(name.to_owned(), value);
        }
    };
    keep(OBJECT, Some(json!(item.object)));
    keep("publicUrl", item.public_url.as_ref().map(|url| json!(url)));
    keep("icon", item.icon.as_ref().and_then(|icon| icon.emoji.as_ref()).map(|emoji| json!(emoji)));
    keep("isLocked", item.is_locked.filter(|is| *is).map(Value::Bool));
    keep(CREATED_BY, item.created_by.as_ref().and_then(|user| dashed(&user.id)).map(Value::String));
    keep("lastEditedBy", item.last_edited_by.as_ref().and_then(|user| dashed(&user.id)).map(Value::String));
    let database = item.parent.as_ref().and_then(|parent| match parent.up() {
        Up::DataSource(_, database) => database,
        _ => None,
    });
    keep("databaseId", database.and_then(|id| dashed(&id)).map(Value::String));
    if let Some(all) = item.properties.as_ref().filter(|_| item.object == "page") {
        let (texts, cut) = kept(&properties(all)?);
        keep(PROPERTIES, (!texts.is_empty()).then_some(Value::Object(texts)));
        keep(CUT, cut.then_some(Value::Bool(true)));
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notion::wire::List;

    fn recorded() -> Vec<Item> {
        serde_json::from_str::<List<Item>>(include_str!("fixtures/search.json")).unwrap().results
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_page_a_row_and_a_data_source_become_resources() {
        let items = recorded();
        let all: Vec<Resource> = items.iter().map(|item| resource(item, at("2026-11-20T12:00:00Z")).unwrap()).collect();
        assert_eq!((all[0].name.as_str(), all[0].kind), ("Handbook", ResourceKind::Page));
        assert_eq!(all[0].metadata["icon"], "📘");
        assert_eq!(all[0].metadata[CREATED_BY], "c7c11cca-1d73-471d-9b6e-bdef51470190");
        assert_eq!((all[1].name.as_str(), all[1].kind), ("Fix the lamp", ResourceKind::Record));
        assert_eq!(all[1].parent_id.as_deref(), Some("0ef2e755-4912-8096-91c1-00376a88a5ca"));
        assert_eq!(all[1].metadata["databaseId"], "29d75c0d-5546-4414-8459-7b7a92f1fc4b");
        assert_eq!(all[1].metadata[PROPERTIES], json!({"Due": "2026-12-01", "Status": "Open"}));
        assert_eq!((all[2].name.as_str(), all[2].kind), ("Tasks", ResourceKind::Page));
        assert_eq!(all[2].metadata[OBJECT], "data_source");
        assert_eq!(all[2].metadata.get(PROPERTIES), None);
    }

    #[test]
    fn a_minute_that_is_not_over_makes_a_revision_of_its_own() {
        let edited = at("2026-11-20T10:00:00Z");
        let seen = |at_time| revision(edited, false, at(at_time));
        assert_eq!(seen("2026-11-20T10:00:30Z"), seen("2026-11-20T10:01:59Z"));
        assert_ne!(seen("2026-11-20T10:01:59Z"), seen("2026-11-20T10:02:00Z"));
        assert_eq!(seen("2026-11-20T10:02:00Z"), seen("2026-12-20T10:02:00Z"));
        assert_ne!(revision(edited, true, at("2026-12-20T10:02:00Z")), seen("2026-12-20T10:02:00Z"));
    }

    #[test]
    fn a_bare_page_is_still_a_resource_and_a_foreign_id_none() {
        let bare: Item =
            serde_json::from_str(r#"{"object":"page","id":"598337872cf94fdf8782e53db20768a5","later":{}}"#).unwrap();
        let resource_of = resource(&bare, at("2026-11-20T10:00:00Z")).unwrap();
        assert_eq!((resource_of.name.as_str(), resource_of.url), ("Untitled", None));
        let foreign: Item = serde_json::from_str(r#"{"object":"page","id":"../x"}"#).unwrap();
        assert!(resource(&foreign, at("2026-11-20T10:00:00Z")).is_err());
    }
}
