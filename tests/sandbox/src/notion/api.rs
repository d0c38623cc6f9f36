//! Notion's API as far as reading goes: users, search, pages, databases, data sources, blocks, comments.

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    error::ApiError,
    grants::Bot,
    lists::{self, Asked},
    oauth, shapes,
    state::{Capabilities, Node, Notion, What, uuid},
};
use crate::{clock, state::Shared};

/// The versions of the API that are understood.
const VERSIONS: [&str; 2] = ["2025-09-03", "2026-03-11"];

type Answer = Result<Json<Value>, ApiError>;

/// Everything below `/notion`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/oauth/authorize", get(oauth::page).post(oauth::decide))
        .route("/v1/oauth/token", post(oauth::token))
        .route("/v1/oauth/revoke", post(oauth::revoke))
        .route("/v1/oauth/introspect", post(oauth::introspect))
        .route("/v1/users", get(users))
        .route("/v1/users/me", get(me))
        .route("/v1/users/{id}", get(user))
        .route("/v1/search", post(search))
        .route("/v1/pages/{id}", get(page))
        .route("/v1/pages/{id}/properties/{property}", get(property))
        .route("/v1/databases/{id}", get(database))
        .route("/v1/data_sources/{id}", get(source))
        .route("/v1/data_sources/{id}/query", post(query))
        .route("/v1/blocks/{id}", get(block))
        .route("/v1/blocks/{id}/children", get(children))
        .route("/v1/comments", get(comments))
        .fallback(|| async { no_such_route() })
}

fn no_such_route() -> Response {
    ApiError::new(axum::http::StatusCode::BAD_REQUEST, "invalid_request_url", "Invalid request URL.").into_response()
}

/// The token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Who calls, once token and version are as they should be.
fn caller<'a>(notion: &'a Notion, headers: &HeaderMap) -> Result<&'a Bot, ApiError> {
    let version = headers.get("notion-version").and_then(|value| value.to_str().ok());
    let bot = bearer(headers).and_then(|token| notion.grants.bot(token, clock::now()));
    let bot = bot.ok_or_else(ApiError::unauthorized)?;
    match version {
        Some(version) if VERSIONS.contains(&version) => Ok(bot),
        Some(_) => Err(ApiError::validation("Notion-Version is not one that this sandbox knows.")),
        None => Err(ApiError::new(
            axum::http::StatusCode::BAD_REQUEST,
            "missing_version",
            "Notion-Version header is missing.",
        )),
    }
}

fn needs(notion: &Notion, capability: fn(&Capabilities) -> bool) -> Result<(), ApiError> {
    if capability(&notion.settings.capabilities) { Ok(()) } else { Err(ApiError::restricted()) }
}

/// Looks at the world as a caller who may read content.
fn reading<T>(
    sandbox: &Shared,
    headers: &HeaderMap,
    look: impl FnOnce(&Notion, &Bot) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    sandbox.read(|world| {
        let bot = caller(&world.notion, headers)?;
        needs(&world.notion, |capabilities| capabilities.read_content)?;
        look(&world.notion, bot)
    })
}

/// A node that the caller sees.
fn shared<'a>(notion: &'a Notion, bot: &Bot, kind: &str, id: &str) -> Result<&'a Node, ApiError> {
    let id = canonical(id)
        .ok_or_else(|| ApiError::validation(format!("path failed validation: {kind}_id should be a valid uuid.")))?;
    let node = notion.nodes.get(&id).filter(|node| notion.is_shared(node, &bot.workspace, bot.pages.as_ref()));
    node.ok_or_else(|| ApiError::not_found(kind, &id))
}

/// Ids are taken with and without dashes.
pub fn canonical(id: &str) -> Option<String> {
    let hex: String = id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    let is_id = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then(|| format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)))
}

async fn me(State(sandbox): State<Shared>, headers: HeaderMap) -> Answer {
    sandbox.read(|world| {
        let bot = caller(&world.notion, &headers)?;
        let mut shown = shapes::bot(&world.notion, bot);
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("request_id".to_owned(), json!(uuid()));
        }
        Ok(Json(shown))
    })
}

async fn users(State(sandbox): State<Shared>, headers: HeaderMap, Query(asked): Query<Asked>) -> Answer {
    sandbox.read(|world| {
        let notion = &world.notion;
        let bot = caller(notion, &headers)?;
        needs(notion, |capabilities| capabilities.read_users)?;
        let with_email = notion.settings.capabilities.read_emails;
        let people = notion.people.values().filter(|person| person.workspace == bot.workspace);
        let all = people.map(|person| shapes::person(person, with_email)).collect();
        lists::page(notion, "user", all, &asked, None).map(Json)
    })
}

async fn user(State(sandbox): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    sandbox.read(|world| {
        let notion = &world.notion;
        let bot = caller(notion, &headers)?;
        needs(notion, |capabilities| capabilities.read_users)?;
        let person = canonical(&id).and_then(|id| notion.person_by_id(&id));
        let person = person.filter(|person| person.workspace == bot.workspace);
        let person = person.ok_or_else(|| ApiError::not_found("user", &id))?;
        Ok(Json(shapes::person(person, notion.settings.capabilities.read_emails)))
    })
}

async fn page(State(sandbox): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    reading(&sandbox, &headers, |notion, bot| {
        let node = shared(notion, bot, "page", &id)?;
        match node.what {
            What::Page { .. } => Ok(Json(shapes::node(notion, node))),
            What::Database { .. } | What::Source { .. } => Err(ApiError::validation(format!(
                "Provided ID {} is a database, not a page. Use the retrieve database API instead.",
                node.id
            ))),
            What::Block { .. } => Err(ApiError::not_found("page", &node.id)),
        }
    })
}

async fn database(State(sandbox): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    reading(&sandbox, &headers, |notion, bot| {
        let node = shared(notion, bot, "database", &id)?;
        match node.what {
            What::Database { .. } => Ok(Json(shapes::node(notion, node))),
            What::Page { .. } => {
                Err(ApiError::validation(format!("Provided ID {} is a page, not a database.", node.id)))
            }
            _ => Err(ApiError::not_found("database", &node.id)),
        }
    })
}

async fn source(State(sandbox): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    reading(&sandbox, &headers, |notion, bot| {
        let node = shared(notion, bot, "data_source", &id)?;
        match node.what {
            What::Source { .. } => Ok(Json(shapes::node(notion, node))),
            _ => Err(ApiError::not_found("data_source", &node.id)),
        }
    })
}

async fn property(
    State(sandbox): State<Shared>,
    headers: HeaderMap,
    Path((id, property)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Answer {
    reading(&sandbox, &headers, |notion, bot| {
        let node = shared(notion, bot, "page", &id)?;
        let What::Page { title, values, .. } = &node.what else { return Err(ApiError::not_found("page", &node.id)) };
        // The path arrives decoded.
        let is_asked = |name: &str| shapes::property_id(name).replace("%3A", ":") == property;
        let (name, value) = match values.iter().find(|(name, _)| is_asked(name)) {
            Some((name, value)) => (name.as_str(), value.clone()),
            None if property == "title" => {
                ("title", json!({ "type": "title", "title": super::outline::rich_text(title) }))
            }
            None => return Err(ApiError::not_found("property", &property)),
        };
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let item = |value: Value| json!({ "object": "property_item", "id": shapes::property_id(name), "type": kind, &kind: value });
        match value.get(&kind) {
            Some(Value::Array(all)) if matches!(kind.as_str(), "title" | "rich_text" | "people" | "relation") => {
                let mut page =
                    lists::page(notion, "property_item", all.iter().cloned().map(item).collect(), &asked, None)?;
                let about = json!({ "id": shapes::property_id(name), "type": kind, "next_url": null, &kind: {} });
                if let Some(fields) = page.as_object_mut() {
                    fields.insert("property_item".to_owned(), about);
                }
                Ok(Json(page))
            }
            other => Ok(Json(item(other.cloned().unwrap_or_default()))),
        }
    })
}

async fn block(State(sandbox): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    reading(&sandbox, &headers, |notion, bot| Ok(Json(shapes::block(notion, shared(notion, bot, "block", &id)?))))
}

async fn children(
    State(sandbox): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    reading(&sandbox, &headers, |notion, bot| {
        let node = shared(notion, bot, "block", &id)?;
        if matches!(node.what, What::Database { .. } | What::Source { .. }) {
            return Err(ApiError::not_found("block", &node.id));
        }
        let all = shapes::children(notion, node);
        lists::page_of(notion, "block", &all, |child| shapes::block(notion, child), &asked, None).map(Json)
    })
}

#[derive(Deserialize)]
struct OfBlock {
    block_id: String,
    start_cursor: Option<String>,
    page_size: Option<usize>,
}

async fn comments(State(sandbox): State<Shared>, headers: HeaderMap, Query(asked): Query<OfBlock>) -> Answer {
    reading(&sandbox, &headers, |notion, bot| {
        needs(notion, |capabilities| capabilities.read_comments)?;
        let node = shared(notion, bot, "block", &asked.block_id)?;
        let on_page = notion.comments.iter().filter(|comment| comment.page == node.id);
        let all = on_page.map(|comment| shapes::comment(notion, comment)).collect();
        let asked = Asked { start_cursor: asked.start_cursor, page_size: asked.page_size };
        lists::page(notion, "comment", all, &asked, None).map(Json)
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Search {
    query: Option<String>,
    sort: Option<Sort>,
    filter: Option<SearchFilter>,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Deserialize)]
struct Sort {
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    direction: Option<String>,
}

#[derive(Deserialize)]
struct SearchFilter {
    #[serde(default)]
    property: Option<String>,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    in_trash: Option<bool>,
}

async fn search(State(sandbox): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let wanted: Search = parse(&body)?;
    reading(&sandbox, &headers, |notion, bot| {
        let filter = wanted.filter.as_ref();
        let kind = match filter.map(|filter| (filter.property.as_deref(), filter.value.as_deref())) {
            None | Some((None, None)) => None,
            Some((Some("object"), Some(kind @ ("page" | "data_source")))) => Some(kind == "page"),
            Some(_) => {
                return Err(ApiError::validation(
                    "body failed validation: body.filter.value should be `\"page\"` or `\"data_source\"`.",
                ));
            }
        };
        let trashed = filter.and_then(|filter| filter.in_trash).unwrap_or(false);
        let known =
            clock::now() - TimeDelta::milliseconds(i64::try_from(notion.settings.index_delay_ms).unwrap_or(i64::MAX));
        let words = wanted.query.as_deref().unwrap_or_default().to_lowercase();
        let mut found: Vec<&Node> = notion
            .documents(&bot.workspace)
            .filter(|node| !node.unindexed && (notion.settings.index_delay_ms == 0 || node.edited <= known))
            .filter(|node| notion.is_shared(node, &bot.workspace, bot.pages.as_ref()))
            .filter(|node| notion.is_trashed(node) == trashed)
            .filter(|node| kind.is_none_or(|is_page| matches!(node.what, What::Page { .. }) == is_page))
            .filter(|node| node.title().to_lowercase().contains(&words))
            .collect();
        found.sort_by(|a, b| b.edited.cmp(&a.edited).then_with(|| a.id.cmp(&b.id)));
        if let Some(sort) = &wanted.sort {
            match (sort.timestamp.as_deref(), sort.direction.as_deref()) {
                (Some("last_edited_time"), Some("ascending")) => found.reverse(),
                (Some("last_edited_time"), Some("descending")) => {}
                _ => return Err(ApiError::validation("body failed validation: body.sort is not as documented.")),
            }
        }
        let limit = Some(notion.settings.query_limit);
        lists::page_of(notion, "page_or_data_source", &found, |node| shapes::node(notion, node), &wanted.asked, limit)
            .map(Json)
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rows {
    filter: Option<RowFilter>,
    sorts: Vec<Sort>,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Deserialize)]
struct RowFilter {
    timestamp: String,
    #[serde(default)]
    created_time: Option<Since>,
    #[serde(default)]
    last_edited_time: Option<Since>,
}

#[derive(Deserialize)]
struct Since {
    on_or_after: DateTime<Utc>,
}

async fn query(State(sandbox): State<Shared>, headers: HeaderMap, Path(id): Path<String>, body: Bytes) -> Answer {
    let wanted: Rows = parse(&body)?;
    reading(&sandbox, &headers, |notion, bot| {
        let node = shared(notion, bot, "data_source", &id)?;
        if !matches!(node.what, What::Source { .. }) {
            return Err(ApiError::not_found("data_source", &node.id));
        }
        let mut rows: Vec<&Node> =
            node.children.iter().filter_map(|id| notion.nodes.get(id)).filter(|row| !notion.is_trashed(row)).collect();
        if let Some(filter) = &wanted.filter {
            let since = match filter.timestamp.as_str() {
                "created_time" => filter.created_time.as_ref(),
                "last_edited_time" => filter.last_edited_time.as_ref(),
                _ => None,
            };
            let since = since
                .ok_or_else(|| ApiError::validation("body failed validation: body.filter is not as documented."))?;
            let is_by_creation = filter.timestamp == "created_time";
            rows.retain(|row| (if is_by_creation { row.created } else { row.edited }) >= since.on_or_after);
        }
        for sort in &wanted.sorts {
            let by: fn(&Node) -> DateTime<Utc> = match sort.timestamp.as_deref() {
                Some("created_time") => |row| row.created,
                Some("last_edited_time") => |row| row.edited,
                _ => return Err(ApiError::validation("body failed validation: body.sorts is not as documented.")),
            };
            rows.sort_by_key(|row| by(row));
            if sort.direction.as_deref() == Some("descending") {
                rows.reverse();
            }
        }
        let limit = Some(notion.settings.query_limit);
        lists::page_of(notion, "page_or_data_source", &rows, |row| shapes::node(notion, row), &wanted.asked, limit)
            .map(Json)
    })
}

fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, ApiError> {
    let body = if body.is_empty() { b"{}".as_slice() } else { body };
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => ApiError::validation(format!("body failed validation: {error}")),
        _ => ApiError::new(axum::http::StatusCode::BAD_REQUEST, "invalid_json", "Error parsing JSON body."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_with_and_without_dashes() {
        let id = uuid();
        assert_eq!(canonical(&id).as_ref(), Some(&id));
        assert_eq!(canonical(&id.replace('-', "").to_uppercase()).as_ref(), Some(&id));
        assert_eq!(canonical("me"), None);
    }
}
