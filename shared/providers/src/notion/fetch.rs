//! Fetching: the words of a page's properties, its blocks, and the comments on it; of a data source its description and its columns.
//!
//! A long page is fetched in parts. What is written down between two parts is where the walk through the blocks stands.

use domain::{ExternalId, Resource, ResourceKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Api, error};
use super::people::People;
use super::resources::{CREATED_BY, CUT, OBJECT, PROPERTIES, resource};
use super::text::{Property, properties, property_item, separator, words};
use super::walk::Walk;
use super::wire::Item;
use crate::error::{Kind, ProviderError};
use crate::provider::{Access, Body, FetchRequest, Fetched};

/// Calls that are reserved for one part of a fetch. Most rows take two, blocks and comments; pages have nested blocks more often. More would
/// leave the limit unused, and what needs more goes on in another part.
pub fn calls(known: Option<&Resource>) -> u32 {
    if known.is_some_and(|known| known.kind == ResourceKind::Record) { 2 } else { 3 }
}

/// Long properties that are read whole.
const LONG_PROPERTIES: usize = 10;
/// Parts of a long property that are read.
const PROPERTY_PAGES: u32 = 10;
/// Comments that are kept of a page.
const COMMENTS: u32 = 1000;

/// Where a fetch stands between two parts.
#[derive(Serialize, Deserialize)]
struct Resume {
    walk: Walk,
    /// Where the comments go on.
    #[serde(default)]
    comments: Option<String>,
    /// Comments taken so far.
    #[serde(default)]
    taken: u32,
}

/// A resource with its content, or the next part of one.
pub async fn fetch(
    api: Api<'_>,
    access: &Access,
    people: &People,
    request: FetchRequest<'_>,
) -> Result<Fetched, ProviderError> {
    let mut calls = request.calls.max(1);
    let mut item = None;
    let mut resource = match request.known {
        Some(known) => known.clone(),
        None => {
            let found = item.insert(look(api, request.id, &mut calls).await?);
            resource(found, api.now())?
        }
    };
    let resume = request.resume.map(read_resume).transpose()?;
    let created_by = resource.metadata.get(CREATED_BY).and_then(Value::as_str).map(str::to_owned);
    if let (None, Some(id)) = (&resource.author, created_by) {
        resource.author = people.named(api, access, &id, &mut calls).await?;
    }
    if resource.metadata.get(OBJECT).and_then(Value::as_str) == Some("data_source") {
        let item = match item {
            Some(item) => item,
            None => api.data_source(request.id.as_str()).await?,
        };
        return Ok(Fetched { resource, body: Body::Text(columns(&item)?), next: None });
    }
    let mut text = String::new();
    let mut at = match resume {
        Some(at) => at,
        None => {
            let mut at = Resume { walk: Walk::begin(request.id.as_str()), comments: None, taken: 0 };
            at.walk.add_lines(&property_lines(api, &resource, item, &mut calls).await?, &mut text);
            at
        }
    };
    // However little was left, every part goes a step on.
    calls = calls.max(1);
    at.walk.go(api, &mut calls, &mut text).await?;
    let is_done = at.walk.is_done() && comments(api, request.id, &mut at, &mut calls, &mut text).await?;
    let next = if is_done { None } else { Some(write_resume(&at)?) };
    Ok(Fetched { resource, body: Body::Text(text), next })
}

/// The page or data source of an id. Notion answers for ids of the other kind as for what is not there, or as for a wrong value.
///
/// # Errors
/// [`Kind::NotFound`] too for what is in the trash, or cannot be read whole.
pub async fn look(api: Api<'_>, id: &ExternalId, calls: &mut u32) -> Result<Item, ProviderError> {
    let item = find(api, id, calls).await?;
    if item.is_trashed() || !item.is_whole() {
        return Err(error(Kind::NotFound).because("it is in the trash, or not shared"));
    }
    Ok(item)
}

/// As [`look`], in the trash too.
///
/// # Errors
/// [`Kind::NotFound`] for what is not shared with the connection.
pub async fn find(api: Api<'_>, id: &ExternalId, calls: &mut u32) -> Result<Item, ProviderError> {
    *calls = calls.saturating_sub(1);
    match api.page(id.as_str()).await {
        Err(ProviderError { kind: Kind::NotFound | Kind::Rejected(_), .. }) => {}
        found => return found,
    }
    *calls = calls.saturating_sub(1);
    match api.data_source(id.as_str()).await {
        Err(ProviderError { kind: Kind::Rejected(_), .. }) => Err(error(Kind::NotFound)),
        found => found,
    }
}

/// The lines of a page's properties: those of the listing where they are whole, the page's own where the listing kept less.
async fn property_lines(
    api: Api<'_>,
    resource: &Resource,
    item: Option<Item>,
    calls: &mut u32,
) -> Result<Vec<String>, ProviderError> {
    if resource.metadata.get(CUT) != Some(&Value::Bool(true)) {
        let texts = resource.metadata.get(PROPERTIES).and_then(Value::as_object);
        let line = |(name, text): (&String, &Value)| Some(format!("{name}: {}", text.as_str()?));
        return Ok(texts.into_iter().flatten().filter_map(line).collect());
    }
    let id = resource.external_id.as_str();
    let item = match item {
        Some(item) => item,
        None => {
            *calls = calls.saturating_sub(1);
            api.page(id).await?
        }
    };
    let mut lines = Vec::new();
    let mut long = 0;
    for mut property in properties(&item.properties.unwrap_or_default())? {
        if let Some(rest) = property.rest.take().filter(|_| long < LONG_PROPERTIES) {
            long += 1;
            property = whole(api, id, property, &rest, calls).await?;
        }
        lines.push(format!("{}: {}", property.name, property.text));
    }
    Ok(lines)
}

/// A property with all of its text, as far as it can be had.
async fn whole(api: Api<'_>, page: &str, cut: Property, id: &str, calls: &mut u32) -> Result<Property, ProviderError> {
    let (mut text, mut cursor) = (String::new(), None);
    for _ in 0..PROPERTY_PAGES {
        *calls = calls.saturating_sub(1);
        let list = match api.property(page, id, cursor.as_deref()).await {
            Err(ProviderError { kind: Kind::NotFound | Kind::Rejected(_) | Kind::Forbidden(_), .. }) => return Ok(cut),
            list => list?,
        };
        for item in &list.results {
            if !text.is_empty() {
                text.push_str(separator(item));
            }
            text.push_str(&property_item(item)?);
        }
        cursor = list.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(Property { text, ..cut })
}

/// Adds the comments; whether there are no more. Without the capability to read them, or where there are none, nothing is added.
async fn comments(
    api: Api<'_>,
    id: &ExternalId,
    at: &mut Resume,
    calls: &mut u32,
    text: &mut String,
) -> Result<bool, ProviderError> {
    loop {
        if *calls == 0 {
            return Ok(false);
        }
        *calls -= 1;
        let list = match api.comments(id.as_str(), at.comments.as_deref()).await {
            Err(ProviderError {
                kind: Kind::ScopeMissing | Kind::NotFound | Kind::Forbidden(_) | Kind::Rejected(_),
                ..
            }) => return Ok(true),
            list => list?,
        };
        for comment in &list.results {
            let said = comment.rich_text.as_deref().map(words).unwrap_or_default();
            if said.trim().is_empty() {
                continue;
            }
            let name = comment.display_name.as_ref().and_then(|name| name.resolved_name.as_deref());
            let who = name.map(|name| format!("{name}: ")).unwrap_or_default();
            if at.taken == 0 {
                at.walk.add_block("## Comments", false, text);
            }
            at.walk.add_block(&format!("- {who}{}", said.replace('\n', "\n  ")), true, text);
            at.taken += 1;
        }
        at.comments = list.next_cursor;
        if at.comments.is_none() || at.taken >= COMMENTS {
            return Ok(true);
        }
    }
}

/// A data source: what it is about, and the names and types of its columns.
fn columns(item: &Item) -> Result<String, ProviderError> {
    let mut text = item.description.as_deref().map(words).unwrap_or_default();
    let empty = serde_json::Map::new();
    let properties = item.properties.as_ref().unwrap_or(&empty);
    let kind = |column: &Value| column.get("type").and_then(Value::as_str).unwrap_or("unknown").replace('_', " ");
    let mut lines: Vec<String> =
        properties.iter().map(|(name, column)| format!("- {name} ({})", kind(column))).collect();
    lines.sort_unstable();
    if !lines.is_empty() {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&format!("Properties:\n{}", lines.join("\n")));
    }
    Ok(text)
}

fn read_resume(text: &str) -> Result<Resume, ProviderError> {
    let resume: Option<Resume> = serde_json::from_str(text).ok();
    // What another version wrote down is begun anew by the next run.
    resume.filter(|resume| resume.walk.is_readable()).ok_or_else(|| error(Kind::Unavailable))
}

fn write_resume(at: &Resume) -> Result<String, ProviderError> {
    serde_json::to_string(at).map_err(|cause| error(Kind::Malformed("a cursor".to_owned())).because(cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notion::Notion;
    use crate::notion::tests::{access, id};
    use crate::testing::{Reply, Seen, Server};
    use crate::{Http, Provider as _};
    use serde_json::json;

    fn rich(text: &str) -> Value {
        json!([{"type": "text", "plain_text": text, "href": null}])
    }

    fn page(number: u8, properties: Value) -> Value {
        json!({"object": "page", "id": id(number), "created_time": "2026-11-01T08:00:00.000Z", "last_edited_time": "2026-11-20T10:00:00.000Z",
               "created_by": {"object": "user", "id": id(7)}, "parent": {"type": "workspace", "workspace": true}, "properties": properties})
    }

    fn list(results: Value) -> Reply {
        Reply::json(200, json!({"object": "list", "results": results, "has_more": false, "next_cursor": null}))
    }

    fn absent() -> Reply {
        Reply::json(404, json!({"object": "error", "status": 404, "code": "object_not_found"}))
    }

    /// Page 1 with a property, a paragraph, a comment and an author; data source 2; page 3 in the trash; page 4 with a long property.
    fn answer(request: &Seen) -> Reply {
        let is = |path: &str, number: u8| request.path == path.replace("{}", &id(number));
        if is("/v1/pages/{}", 1) {
            let title = json!({"id": "title", "type": "title", "title": rich("Plan")});
            Reply::json(
                200,
                page(1, json!({"Name": title, "Status": {"id": "s", "type": "select", "select": {"name": "Open"}}})),
            )
        } else if is("/v1/blocks/{}/children", 1) || is("/v1/blocks/{}/children", 4) {
            list(
                json!([{"object": "block", "id": id(50), "type": "paragraph", "paragraph": {"rich_text": rich("Body")}}]),
            )
        } else if request.path == "/v1/comments" && request.query("block_id") == id(1) {
            let comment = |who: &str, said: &str| json!({"object": "comment", "id": id(60), "rich_text": rich(said), "display_name": {"type": "user", "resolved_name": who}});
            list(json!([comment("Ada", "Good"), comment("Bob", "Two\nlines"), {"object": "comment", "id": id(61)}]))
        } else if request.path == "/v1/comments" {
            Reply::json(403, json!({"object": "error", "status": 403, "code": "restricted_resource"}))
        } else if is("/v1/users/{}", 7) {
            Reply::json(
                200,
                json!({"object": "user", "id": id(7), "name": "Ada", "person": {"email": "ada@example.com"}}),
            )
        } else if is("/v1/data_sources/{}", 2) {
            let mut source = page(
                2,
                json!({"Name": {"id": "title", "name": "Name", "type": "title", "title": {}}, "Due": {"type": "date", "date": {}}}),
            );
            source["object"] = json!("data_source");
            source["title"] = rich("Tasks");
            source["description"] = rich("All that is to do");
            Reply::json(200, source)
        } else if is("/v1/pages/{}", 2) {
            Reply::json(400, json!({"object": "error", "status": 400, "code": "validation_error"}))
        } else if is("/v1/pages/{}", 3) {
            let mut trashed = page(3, json!({}));
            trashed["in_trash"] = json!(true);
            Reply::json(200, trashed)
        } else if is("/v1/pages/{}", 4) {
            let pieces: Vec<Value> = (0..25).map(|_| rich("x")[0].clone()).collect();
            Reply::json(200, page(4, json!({"Notes": {"id": "a%3Ab", "type": "rich_text", "rich_text": pieces}})))
        } else if request.path == format!("/v1/pages/{}/properties/a%3Ab", id(4)) {
            let piece = json!({"object": "property_item", "type": "rich_text", "rich_text": rich("x")[0]});
            let next = request.query("start_cursor").is_empty().then_some("more");
            Reply::json(
                200,
                json!({"object": "list", "results": vec![piece; 20], "has_more": next.is_some(), "next_cursor": next}),
            )
        } else {
            absent()
        }
    }

    async fn fetched(number: u8, known: Option<&Resource>, calls: u32) -> Result<(Resource, String, usize), Kind> {
        let server = Server::start(answer).await;
        let (notion, access) = (Notion::new(Http::new()), access(&server));
        let external_id = ExternalId::new(id(number)).unwrap();
        let (mut text, mut resume): (String, Option<String>) = (String::new(), None);
        for _ in 0..50 {
            let request = FetchRequest { id: &external_id, known, resume: resume.as_deref(), calls };
            let part = notion.fetch(&access, request).await.map_err(|error| error.kind)?;
            let Body::Text(more) = part.body else { panic!("no text") };
            text.push_str(&more);
            resume = part.next;
            if resume.is_none() {
                return Ok((part.resource, text, server.seen().len()));
            }
        }
        panic!("the fetch does not end");
    }

    const TEXT: &str = "Status: Open\n\nBody\n\n## Comments\n\n- Ada: Good\n- Bob: Two\n  lines";

    #[tokio::test]
    async fn a_page_is_its_properties_its_blocks_and_its_comments() {
        let (resource, text, made) = fetched(1, None, 100).await.unwrap();
        assert_eq!((resource.name.as_str(), text.as_str(), made), ("Plan", TEXT, 4));
        let author = resource.author.clone().unwrap();
        assert_eq!((author.name.as_str(), author.email.as_deref()), ("Ada", Some("ada@example.com")));
        // With the listing's words, and the author known, only blocks and comments are asked for.
        let (_, text, made) = fetched(1, Some(&resource), super::calls(Some(&resource))).await.unwrap();
        assert_eq!((text.as_str(), made), (TEXT, 2));
    }

    #[tokio::test]
    async fn parts_of_one_call_come_to_the_same_text() {
        assert_eq!(fetched(1, None, 1).await.unwrap().1, TEXT);
    }

    #[tokio::test]
    async fn a_data_source_is_its_description_and_its_columns() {
        let (resource, text, _) = fetched(2, None, 10).await.unwrap();
        assert_eq!(resource.name, "Tasks");
        assert_eq!(text, "All that is to do\n\nProperties:\n- Due (date)\n- Name (title)");
    }

    #[tokio::test]
    async fn what_is_in_the_trash_or_not_shared_is_not_found() {
        assert_eq!(fetched(3, None, 10).await.unwrap_err(), Kind::NotFound);
        assert_eq!(fetched(9, None, 10).await.unwrap_err(), Kind::NotFound);
    }

    #[tokio::test]
    async fn a_long_property_is_read_whole_and_missing_comments_do_no_harm() {
        let (_, text, _) = fetched(4, None, 10).await.unwrap();
        assert_eq!(text, format!("Notes: {}\n\nBody", "x".repeat(40)));
    }

    #[tokio::test]
    async fn a_foreign_note_is_begun_anew_later() {
        let server = Server::start(answer).await;
        let external_id = ExternalId::new(id(1)).unwrap();
        for resume in ["", "{}", r#"{"walk":{"v":9,"frames":[],"blocks":0,"bytes":0,"started":false,"close":false}}"#] {
            let request = FetchRequest { id: &external_id, known: None, resume: Some(resume), calls: 5 };
            let kind = Notion::new(Http::new()).fetch(&access(&server), request).await.unwrap_err().kind;
            assert_eq!(kind, Kind::Unavailable);
        }
    }
}
