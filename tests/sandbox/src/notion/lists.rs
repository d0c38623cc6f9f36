//! Lists in pages of at most a hundred, with cursors that can be made to expire.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    error::ApiError,
    state::{Notion, uuid},
};

const FULL_PAGE: usize = 100;

/// Which page of a list is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    pub start_cursor: Option<String>,
    #[serde(deserialize_with = "number")]
    pub page_size: Option<usize>,
}

/// A number in JSON, or in a query that is read together with other fields.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    match Option::<Value>::deserialize(deserializer)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
        Some(value) => serde_json::from_value(value).map(Some).map_err(serde::de::Error::custom),
    }
}

/// The page of a list of values.
pub fn page(
    notion: &Notion,
    kind: &str,
    all: Vec<Value>,
    asked: &Asked,
    limit: Option<usize>,
) -> Result<Value, ApiError> {
    page_of(notion, kind, &all, Clone::clone, asked, limit)
}

/// The page of a list of anything, of which only what is shown is put into JSON. Beyond `limit` the list says that it is incomplete.
pub fn page_of<T>(
    notion: &Notion,
    kind: &str,
    all: &[T],
    show: impl Fn(&T) -> Value,
    asked: &Asked,
    limit: Option<usize>,
) -> Result<Value, ApiError> {
    let size = asked.page_size.unwrap_or(FULL_PAGE);
    if !(1..=FULL_PAGE).contains(&size) {
        return Err(ApiError::validation("page_size should be at least 1 and at most 100."));
    }
    let start = match asked.start_cursor.as_deref() {
        None => 0,
        Some(cursor) => position(notion, cursor)
            .ok_or_else(|| ApiError::validation(format!("The start_cursor provided is invalid: {cursor}")))?,
    };
    let whole = limit.map_or(all.len(), |limit| all.len().min(limit));
    let end = (start + size).min(whole);
    let results: Vec<Value> = all.get(start..end).unwrap_or_default().iter().map(show).collect();
    let next = (end < whole).then(|| format!("{:08x}-0000-4000-a000-{end:012x}", notion.generation));
    let mut page = json!({
        "object": "list",
        "results": results,
        "next_cursor": next,
        "has_more": next.is_some(),
        "type": kind,
        kind: {},
        "request_id": uuid(),
    });
    if limit.is_some()
        && let Some(page) = page.as_object_mut()
    {
        let status = if next.is_none() && whole < all.len() {
            json!({ "type": "incomplete", "incomplete_reason": "query_result_limit_reached" })
        } else {
            json!({ "type": "complete" })
        };
        page.insert("request_status".to_owned(), status);
    }
    Ok(page)
}

fn position(notion: &Notion, cursor: &str) -> Option<usize> {
    let (generation, rest) = cursor.split_once("-0000-4000-a000-")?;
    let is_live = u32::from_str_radix(generation, 16).ok()? == notion.generation;
    usize::from_str_radix(rest, 16).ok().filter(|_| is_live)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(notion: &Notion, count: usize, size: usize, limit: Option<usize>) -> (usize, Vec<Value>) {
        let all: Vec<Value> = (0..count).map(|number| json!(number)).collect();
        let (mut found, mut asked, mut pages) = (Vec::new(), Asked { page_size: Some(size), ..Asked::default() }, 0);
        loop {
            let page = page(notion, "block", all.clone(), &asked, limit).unwrap();
            found.extend(page["results"].as_array().unwrap().clone());
            pages += 1;
            asked.start_cursor = page["next_cursor"].as_str().map(str::to_owned);
            if asked.start_cursor.is_none() {
                return (pages, found);
            }
        }
    }

    #[test]
    fn pages_cover_a_list_and_a_limit_cuts_it() {
        let notion = Notion::default();
        let (pages, found) = read(&notion, 250, 100, None);
        assert_eq!((pages, found.len(), &found[249]), (3, 250, &json!(249)));
        let (pages, found) = read(&notion, 250, 100, Some(120));
        assert_eq!((pages, found.len()), (2, 120));
    }

    #[test]
    fn a_cursor_of_an_earlier_generation_is_refused() {
        let mut notion = Notion::default();
        let all = vec![json!(1), json!(2)];
        let first =
            page(&notion, "block", all.clone(), &Asked { page_size: Some(1), ..Asked::default() }, None).unwrap();
        let asked = Asked { start_cursor: first["next_cursor"].as_str().map(str::to_owned), page_size: None };
        assert!(page(&notion, "block", all.clone(), &asked, None).is_ok());
        notion.generation += 1;
        assert_eq!(page(&notion, "block", all, &asked, None).unwrap_err().code, "validation_error");
    }
}
