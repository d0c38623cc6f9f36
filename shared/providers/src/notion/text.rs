//! Formatted text and property values as plain words.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::client::malformed;
use super::wire::{RichText, UserRef};
use crate::error::ProviderError;

/// References (pieces of text, people, relations) that a page carries of one value at most.
pub const CUT_AT: usize = 25;

/// Longest text of one property that a listing keeps; a fetch has it whole.
const KEPT_CHARS: usize = 1000;
/// Properties that a listing keeps at most.
const KEPT_PROPERTIES: usize = 60;

/// The words of formatted text; links as Markdown.
pub fn words(pieces: &[RichText]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece.href.as_deref().filter(|href| is_link(href) && *href != piece.plain_text) {
            Some(href) => text.push_str(&format!("[{}]({href})", piece.plain_text)),
            None => text.push_str(&piece.plain_text),
        }
    }
    text
}

/// The words alone.
pub fn plain(pieces: &[RichText]) -> String {
    pieces.iter().map(|piece| piece.plain_text.as_str()).collect()
}

/// Whether it leads somewhere outside of Notion's own relative links.
pub fn is_link(href: &str) -> bool {
    href.starts_with("https://") || href.starts_with("http://") || href.starts_with("mailto:")
}

/// A property value: its words, and the id to ask for the rest by where the page carries it cut short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name, for people.
    pub name: String,
    /// Its words.
    pub text: String,
    /// The id of a value that may be longer than this.
    pub rest: Option<String>,
}

/// The title of a page: the one property of that type, whatever its name.
///
/// # Errors
/// [`crate::error::Kind::Malformed`] for a title of another form.
pub fn title(properties: &Map<String, Value>) -> Result<String, ProviderError> {
    for value in properties.values() {
        if value.get("type").and_then(Value::as_str) == Some("title") {
            return Ok(plain(&read::<Vec<RichText>>(value, "title")?));
        }
    }
    Ok(String::new())
}

/// The other properties that have a value, in the order of their names.
///
/// # Errors
/// [`crate::error::Kind::Malformed`] for a value of another form than its type has. Unknown types are left out.
pub fn properties(all: &Map<String, Value>) -> Result<Vec<Property>, ProviderError> {
    let mut found = Vec::new();
    for (name, value) in all {
        let (text, is_cut) = property(value)?;
        if !text.is_empty() {
            let id = value.get("id").and_then(Value::as_str).filter(|_| is_cut);
            found.push(Property { name: name.clone(), text, rest: id.map(str::to_owned) });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// What a listing keeps of them: short texts, and whether that is less than there is.
pub fn kept(properties: &[Property]) -> (Map<String, Value>, bool) {
    let mut cut = properties.len() > KEPT_PROPERTIES;
    let mut kept = Map::new();
    for property in properties.iter().take(KEPT_PROPERTIES) {
        let text: String = property.text.chars().take(KEPT_CHARS).collect();
        cut |= property.rest.is_some() || text.len() < property.text.len();
        kept.insert(property.name.chars().take(100).collect(), Value::String(text));
    }
    (kept, cut)
}

/// The words of a part of a long value, as `GET /pages/{id}/properties/{id}` lists them.
///
/// # Errors
/// [`crate::error::Kind::Malformed`].
pub fn property_item(item: &Value) -> Result<String, ProviderError> {
    Ok(match kind(item) {
        "title" | "rich_text" => words(read::<Option<RichText>>(item, kind(item))?.as_slice()),
        "people" => read::<Option<UserRef>>(item, "people")?.as_ref().map(person).unwrap_or_default(),
        _ => String::new(),
    })
}

/// Whether the parts of a long value stand apart from each other.
pub fn separator(item: &Value) -> &'static str {
    if kind(item) == "people" { ", " } else { "" }
}

fn kind(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// What stands under the name of its type. What is absent is empty.
fn read<T: for<'de> Deserialize<'de> + Default>(value: &Value, name: &str) -> Result<T, ProviderError> {
    value
        .get(name)
        .map_or_else(|| Ok(T::default()), T::deserialize)
        .map_err(|_| malformed("a value of another form than its type has"))
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Date {
    start: String,
    #[serde(default)]
    end: Option<String>,
}

#[derive(Deserialize)]
struct UniqueId {
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    number: Option<i64>,
}

/// The words of a value, and whether there may be more. The title is the page's name and left out here.
fn property(value: &Value) -> Result<(String, bool), ProviderError> {
    let kind = kind(value);
    let whole = |text: String| (text, false);
    Ok(match kind {
        "rich_text" => {
            let pieces: Vec<RichText> = read(value, kind)?;
            (words(&pieces), pieces.len() >= CUT_AT)
        }
        "people" => {
            let people: Vec<UserRef> = read(value, kind)?;
            (
                people.iter().map(person).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", "),
                people.len() >= CUT_AT,
            )
        }
        "number" => whole(read::<Option<f64>>(value, kind)?.map(|number| number.to_string()).unwrap_or_default()),
        "select" | "status" => whole(read::<Option<Named>>(value, kind)?.map(|named| named.name).unwrap_or_default()),
        "multi_select" => whole(names(read(value, kind)?)),
        "date" => whole(read::<Option<Date>>(value, kind)?.map(date).unwrap_or_default()),
        "checkbox" => whole(read::<Option<bool>>(value, kind)?.map(yes_or_no).unwrap_or_default()),
        "url" | "email" | "phone_number" => whole(read::<Option<String>>(value, kind)?.unwrap_or_default()),
        // Addresses of files that Notion hosts end within the hour.
        "files" => whole(names(read(value, kind)?)),
        "unique_id" => whole(read::<Option<UniqueId>>(value, kind)?.map(unique).unwrap_or_default()),
        "formula" => {
            let formula = value.get(kind).cloned().unwrap_or_default();
            whole(computed(&formula)?)
        }
        "rollup" => {
            let rollup = value.get(kind).cloned().unwrap_or_default();
            match rollup.get("array").and_then(Value::as_array) {
                Some(items) => {
                    let texts: Result<Vec<String>, ProviderError> = items.iter().take(100).map(rolled_up).collect();
                    whole(texts?.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", "))
                }
                None => whole(computed(&rollup)?),
            }
        }
        // Relations are ids; times and people of edits are kept as such; buttons and the like carry no words.
        _ => whole(String::new()),
    })
}

/// An item of a rollup: a value of any simple type. Titles count here, they belong to other pages. A rollup of rollups is not read.
fn rolled_up(item: &Value) -> Result<String, ProviderError> {
    match kind(item) {
        "title" => Ok(plain(&read::<Vec<RichText>>(item, "title")?)),
        "rollup" => Ok(String::new()),
        _ => property(item).map(|(text, _)| text),
    }
}

fn computed(value: &Value) -> Result<String, ProviderError> {
    let kind = kind(value);
    Ok(match kind {
        "string" => read::<Option<String>>(value, kind)?.unwrap_or_default(),
        "number" => read::<Option<f64>>(value, kind)?.map(|number| number.to_string()).unwrap_or_default(),
        "boolean" => read::<Option<bool>>(value, kind)?.map(yes_or_no).unwrap_or_default(),
        "date" => read::<Option<Date>>(value, kind)?.map(date).unwrap_or_default(),
        _ => String::new(),
    })
}

fn names(all: Vec<Named>) -> String {
    all.into_iter().map(|named| named.name).collect::<Vec<_>>().join(", ")
}

fn yes_or_no(is: bool) -> String {
    (if is { "yes" } else { "no" }).to_owned()
}

fn date(date: Date) -> String {
    match date.end {
        Some(end) => format!("{} to {end}", date.start),
        None => date.start,
    }
}

fn unique(id: UniqueId) -> String {
    match (id.prefix, id.number) {
        (Some(prefix), Some(number)) => format!("{prefix}-{number}"),
        (None, Some(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn person(user: &UserRef) -> String {
    user.name.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rich(text: &str) -> Value {
        json!({"type": "text", "text": {"content": text}, "plain_text": text, "href": null, "annotations": {}})
    }

    fn check(value: Value, expected: &str) {
        assert_eq!(property(&value).unwrap().0, expected, "{value}");
    }

    #[test]
    fn every_type_of_value_has_its_words() {
        check(json!({"type": "rich_text", "rich_text": [rich("a"), rich(" b")]}), "a b");
        check(json!({"type": "number", "number": 4.5}), "4.5");
        check(json!({"type": "number", "number": 12}), "12");
        check(json!({"type": "number", "number": null}), "");
        check(json!({"type": "select", "select": {"name": "Open"}}), "Open");
        check(json!({"type": "status", "status": null}), "");
        check(json!({"type": "multi_select", "multi_select": [{"name": "x"}, {"name": "y"}]}), "x, y");
        check(
            json!({"type": "date", "date": {"start": "2026-01-01", "end": "2026-01-02", "time_zone": null}}),
            "2026-01-01 to 2026-01-02",
        );
        check(json!({"type": "checkbox", "checkbox": false}), "no");
        check(json!({"type": "url", "url": "https://a.example"}), "https://a.example");
        check(json!({"type": "email", "email": null}), "");
        check(json!({"type": "rich_text"}), "");
        check(json!({"type": "checkbox"}), "");
        check(
            json!({"type": "people", "people": [{"object": "user", "id": "u", "name": "Ada"}, {"object": "user", "id": "v"}]}),
            "Ada",
        );
        check(
            json!({"type": "files", "files": [{"name": "a.pdf", "type": "file", "file": {"url": "https://s3/secret"}}]}),
            "a.pdf",
        );
        check(json!({"type": "unique_id", "unique_id": {"prefix": "TASK", "number": 7}}), "TASK-7");
        check(json!({"type": "formula", "formula": {"type": "boolean", "boolean": true}}), "yes");
        check(json!({"type": "rollup", "rollup": {"type": "number", "number": 3, "function": "count"}}), "3");
        check(
            json!({"type": "rollup", "rollup": {"type": "array", "array": [{"type": "title", "title": [rich("T")]}, {"type": "number", "number": 1}], "function": "show_original"}}),
            "T, 1",
        );
        check(json!({"type": "relation", "relation": [{"id": "x"}], "has_more": false}), "");
        check(json!({"type": "invented_in_2030", "invented_in_2030": {"x": 1}}), "");
    }

    #[test]
    fn a_value_of_another_form_is_malformed() {
        for wrong in [
            json!({"type": "rich_text", "rich_text": "text"}),
            json!({"type": "rich_text", "rich_text": null}),
            json!({"type": "number", "number": "4"}),
            json!({"type": "select", "select": {"name": 1}}),
            json!({"type": "checkbox", "checkbox": "yes"}),
        ] {
            assert!(property(&wrong).is_err(), "{wrong}");
        }
        assert!(title(json!({"Name": {"type": "title", "title": {}}}).as_object().unwrap()).is_err());
    }

    #[test]
    fn links_are_kept_and_relative_ones_are_words() {
        let piece = |text: &str, href: &str| RichText { plain_text: text.to_owned(), href: Some(href.to_owned()) };
        assert_eq!(
            words(&[piece("site", "https://a.example"), piece("page", "/598337")]),
            "[site](https://a.example)page"
        );
        assert_eq!(words(&[piece("https://a.example", "https://a.example")]), "https://a.example");
    }

    #[test]
    fn what_a_listing_keeps_is_small_and_says_when_it_is_less() {
        let short = Property { name: "a".to_owned(), text: "b".to_owned(), rest: None };
        assert_eq!(kept(std::slice::from_ref(&short)), (json!({"a": "b"}).as_object().unwrap().clone(), false));
        assert!(kept(&[Property { rest: Some("id".to_owned()), ..short.clone() }]).1);
        assert!(kept(&[Property { text: "x".repeat(1001), ..short.clone() }]).1);
        let many: Vec<_> = (0..61).map(|n| Property { name: format!("{n}"), ..short.clone() }).collect();
        assert!(kept(&many).1);
    }
}
