//! Partial answers: `fields=nextPageToken,files(id,owners/displayName)`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::shapes::Shape;
use crate::google::error::ApiError;

/// What to keep of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    All,
    /// These fields, and what to keep of each.
    Some(BTreeMap<String, Selection>),
}

impl Selection {
    /// Reads a selection and checks each name against the answer's shape.
    pub fn parse(text: &str, shape: Shape) -> Result<Self, ApiError> {
        let mut rest = text;
        let mut kept = BTreeMap::new();
        list(&mut rest, shape, &mut kept, text, 0)?;
        if !rest.is_empty() {
            return Err(invalid(text));
        }
        Ok(tidy(kept))
    }

    /// The selection of a field, if it is selected at all.
    pub fn of(&self, name: &str) -> Option<Self> {
        match self {
            Self::All => Some(Self::All),
            Self::Some(fields) => fields.get(name).or_else(|| fields.get("*")).cloned(),
        }
    }

    /// Keeps what is selected; of a list, in each of its elements.
    pub fn apply(&self, value: Value) -> Value {
        match (self, value) {
            (Self::All, value) => value,
            (Self::Some(_), Value::Array(items)) => {
                Value::Array(items.into_iter().map(|item| self.apply(item)).collect())
            }
            (Self::Some(_), Value::Object(object)) => {
                let mut kept = Map::new();
                for (name, value) in object {
                    if let Some(selection) = self.of(&name) {
                        kept.insert(name, selection.apply(value));
                    }
                }
                Value::Object(kept)
            }
            (Self::Some(_), value) => value,
        }
    }
}

/// `field, field, …` up to the end or a closing parenthesis.
fn list(
    rest: &mut &str,
    shape: Shape,
    kept: &mut BTreeMap<String, Selection>,
    whole: &str,
    depth: usize,
) -> Result<(), ApiError> {
    // Deeper than any answer is; also what keeps a hostile text from exhausting the stack.
    if depth > 20 {
        return Err(invalid(whole));
    }
    loop {
        path(rest, shape, kept, whole, depth)?;
        *rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => *rest = after,
            None => return Ok(()),
        }
    }
}

/// `name`, `name/path` or `name(list)`.
fn path(
    rest: &mut &str,
    shape: Shape,
    kept: &mut BTreeMap<String, Selection>,
    whole: &str,
    depth: usize,
) -> Result<(), ApiError> {
    if depth > 20 {
        return Err(invalid(whole));
    }
    *rest = rest.trim_start();
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "*_-.".contains(c))).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    if name.is_empty() {
        return Err(invalid(whole));
    }
    *rest = after;
    let below = if name == "*" { Shape::Map } else { shape.field(name).ok_or_else(|| invalid(name))? };
    let mut inner = BTreeMap::new();
    if let Some(after) = rest.strip_prefix('/') {
        *rest = after;
        path(rest, below, &mut inner, whole, depth + 1)?;
    } else if let Some(after) = rest.strip_prefix('(') {
        *rest = after;
        list(rest, below, &mut inner, whole, depth + 1)?;
        *rest = rest.trim_start().strip_prefix(')').ok_or_else(|| invalid(whole))?;
    }
    merge(kept, name, tidy(inner));
    Ok(())
}

/// Nothing below a name means all of it; a lone star too.
fn tidy(inner: BTreeMap<String, Selection>) -> Selection {
    match inner.get("*") {
        Some(Selection::All) => Selection::All,
        _ if inner.is_empty() => Selection::All,
        _ => Selection::Some(inner),
    }
}

fn merge(kept: &mut BTreeMap<String, Selection>, name: &str, new: Selection) {
    let merged = match (kept.remove(name), new) {
        (None, new) => new,
        (Some(Selection::Some(mut old)), Selection::Some(new)) => {
            for (name, selection) in new {
                merge(&mut old, &name, selection);
            }
            Selection::Some(old)
        }
        _ => Selection::All,
    };
    kept.insert(name.to_owned(), merged);
}

fn invalid(name: &str) -> ApiError {
    ApiError::invalid_parameter("fields", format!("Invalid field selection {name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::google::drive::shapes::FILE_LIST;

    fn check(fields: &str, expected: Value) {
        let answer = json!({
            "kind": "drive#fileList",
            "nextPageToken": "t",
            "files": [{
                "id": "1",
                "name": "a",
                "owners": [{ "displayName": "Ada", "emailAddress": "ada@example.com" }],
                "capabilities": { "canDownload": true, "canEdit": true },
            }],
        });
        let selection = Selection::parse(fields, FILE_LIST).unwrap();
        assert_eq!(selection.apply(answer), expected, "{fields}");
    }

    #[test]
    fn only_what_is_selected_stays() {
        check("nextPageToken", json!({ "nextPageToken": "t" }));
        check("files/id", json!({ "files": [{ "id": "1" }] }));
        check("files(id,name)", json!({ "files": [{ "id": "1", "name": "a" }] }));
        check("files/id, files/name", json!({ "files": [{ "id": "1", "name": "a" }] }));
        check("files(owners/displayName)", json!({ "files": [{ "owners": [{ "displayName": "Ada" }] }] }));
        check("files(capabilities(canDownload))", json!({ "files": [{ "capabilities": { "canDownload": true } }] }));
        check(
            "files/owners(emailAddress)",
            json!({ "files": [{ "owners": [{ "emailAddress": "ada@example.com" }] }] }),
        );
        check("files(size)", json!({ "files": [{}] }));
    }

    #[test]
    fn a_star_keeps_everything_at_its_level() {
        let selection = Selection::parse("*", FILE_LIST).unwrap();
        assert_eq!(selection, Selection::All);
        let selection = Selection::parse("nextPageToken,files(*)", FILE_LIST).unwrap();
        assert_eq!(selection.of("files"), Some(Selection::All));
        assert_eq!(selection.of("kind"), None);
    }

    #[test]
    fn unknown_names_and_broken_texts_are_refused() {
        for fields in ["nonsense", "files(nonsense)", "files(id", "files(id))", "files/", ",", "files(id/x)", "files()"]
        {
            let error = Selection::parse(fields, FILE_LIST).unwrap_err();
            assert_eq!((error.reason.as_str(), error.status.as_u16()), ("invalidParameter", 400), "{fields}");
        }
        let deep = format!("files({}", "owners(".repeat(10_000));
        assert!(Selection::parse(&deep, FILE_LIST).is_err());
    }
}
