//! A Cognia that behaves as its content API does: it queues, cleans texts of their line breaks, makes one memory of equal or nearly equal
//! ones, remembers what is in its bin, reads the beginning of a text only, and refuses sensitive data.

mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{Json, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, patch, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Served;
use super::trouble::{Troubles, meet};
use text::{canonical, cleaned, lead, place, sensitive, similarity};

/// How alike two texts of one address are that it takes for one.
const ALIKE: f64 = 0.9;

/// A Cognia and what it remembers.
#[derive(Debug)]
pub struct Cognia {
    served: Served,
    mind: Shared,
    /// What goes wrong with it.
    pub troubles: Troubles,
}

type Shared = Arc<Mutex<Mind>>;

#[derive(Debug, Default)]
struct Mind {
    secret: String,
    /// How long a text waits in its queue; `None`: it is worked on at once, and the answer names the memory.
    queue: Option<Duration>,
    /// The next this many queued texts are forgotten.
    forgets: u32,
    queued: Vec<Submitted>,
    memories: Vec<Memory>,
    made: u64,
}

#[derive(Debug, Clone)]
struct Submitted {
    person: String,
    content: String,
    title: String,
    url: Option<String>,
    metadata: Map<String, Value>,
}

/// What it remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// Its name.
    pub id: String,
    /// Whose it is.
    pub person: String,
    /// Its title.
    pub title: String,
    /// Its address.
    pub url: Option<String>,
    /// Its text as it is kept.
    pub content: String,
    /// What it is found by: the beginning of its text when it came.
    pub lead: String,
    /// What it compares texts by.
    canonical: String,
    /// What was said of it.
    pub metadata: Map<String, Value>,
    /// It is in the bin.
    pub is_trashed: bool,
}

impl Cognia {
    /// A Cognia that shares this secret and queues texts for `queue`; `None`: it works on them at once.
    ///
    /// # Errors
    /// If there is no port.
    pub async fn start(secret: &str, queue: Option<Duration>) -> Result<Self> {
        let mind = Arc::new(Mutex::new(Mind { secret: secret.to_owned(), queue, ..Mind::default() }));
        let troubles = Troubles::default();
        let routes = Router::new()
            .route("/api/content", post(submit))
            .route("/api/memory/v2", get(list))
            .route("/api/memory/{id}", patch(change).delete(remove))
            .with_state(mind.clone())
            .layer(axum::middleware::from_fn_with_state(troubles.clone(), meet));
        Ok(Self { served: Served::start(routes).await?, mind, troubles })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        self.served.url()
    }

    /// What a person has, what is in the bin left out, in the order in which it came.
    #[must_use]
    pub fn memories(&self, person: &str) -> Vec<Memory> {
        let is_theirs = |memory: &&Memory| memory.person == person && !memory.is_trashed;
        lock(&self.mind).memories.iter().filter(is_theirs).cloned().collect()
    }

    /// How many memories it has made in all.
    #[must_use]
    pub fn made(&self) -> u64 {
        lock(&self.mind).made
    }

    /// A person throws a memory away.
    pub fn throw_away(&self, id: &str) {
        lock(&self.mind)
            .memories
            .iter_mut()
            .filter(|memory| memory.id == id)
            .for_each(|memory| memory.is_trashed = true);
    }

    /// The next texts that it has accepted come to nothing.
    pub fn forget_next(&self, count: u32) {
        lock(&self.mind).forgets = count;
    }
}

fn lock(mind: &Shared) -> MutexGuard<'_, Mind> {
    mind.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    content: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "userId")]
    user_id: String,
}

fn person(mind: &Mind, headers: &HeaderMap) -> Option<String> {
    let token = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
    let key = jsonwebtoken::DecodingKey::from_secret(mind.secret.as_bytes());
    let checks = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    jsonwebtoken::decode::<Claims>(token, &key, &checks).ok().map(|token| token.claims.user_id)
}

fn stranger() -> Response {
    (StatusCode::UNAUTHORIZED, Json(json!({"message": "Invalid token"}))).into_response()
}

async fn submit(State(mind): State<Shared>, headers: HeaderMap, Json(content): Json<Content>) -> Response {
    let (submitted, queue) = {
        let mut known = lock(&mind);
        let Some(person) = person(&known, &headers) else { return stranger() };
        if content.content.trim().is_empty() {
            return (StatusCode::BAD_REQUEST, Json(json!({"success": false}))).into_response();
        }
        let found = sensitive(&content.content);
        if !found.is_empty() {
            let body = json!({"success": false, "code": "DLP_BLOCKED", "message": content.content, "matches": found});
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response();
        }
        let Content { content, title, url, metadata } = content;
        let submitted = Submitted { person, content: content.trim().to_owned(), title, url, metadata };
        let Some(queue) = known.queue else {
            let (id, is_double) = known.remember(submitted);
            let data =
                if is_double { json!({"memory": {"id": id}, "isDuplicate": true}) } else { json!({"memoryId": id}) };
            return Json(json!({"success": true, "data": data})).into_response();
        };
        if known.is_queued(&submitted) {
            return accepted();
        }
        known.queued.push(submitted.clone());
        (submitted, queue)
    };
    tokio::spawn(async move {
        tokio::time::sleep(queue).await;
        let mut known = lock(&mind);
        known.queued.retain(|queued| queued.content != submitted.content || queued.person != submitted.person);
        if known.forgets > 0 {
            known.forgets -= 1;
        } else {
            known.remember(submitted);
        }
    });
    accepted()
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({"success": true, "message": "Content submitted for processing"})))
        .into_response()
}

impl Mind {
    /// A text that is in the queue already, or one of the same address that is much like it, is dropped without a word.
    fn is_queued(&self, new: &Submitted) -> bool {
        let text = canonical(&new.content);
        self.queued.iter().filter(|queued| queued.person == new.person).any(|queued| {
            let other = canonical(&queued.content);
            let is_same_place = new.url.is_some() && new.url.as_deref().map(place) == queued.url.as_deref().map(place);
            other == text || (is_same_place && similarity(&other, &text) > ALIKE)
        })
    }

    /// The memory that a text becomes, or is taken for.
    fn remember(&mut self, new: Submitted) -> (String, bool) {
        let content = cleaned(&new.content);
        let text = canonical(&content);
        let double = self.memories.iter_mut().find(|memory| {
            // What is in the bin counts, too.
            let is_same_place = new.url.is_some() && new.url.as_deref().map(place) == memory.url.as_deref().map(place);
            memory.person == new.person
                && (memory.canonical == text || (is_same_place && similarity(&memory.canonical, &text) >= ALIKE))
        });
        if let Some(memory) = double {
            for (name, value) in new.metadata {
                match (memory.metadata.get_mut(&name), value) {
                    (Some(Value::Object(old)), Value::Object(more)) => old.extend(more),
                    (_, value) => drop(memory.metadata.insert(name, value)),
                }
            }
            return (memory.id.clone(), true);
        }
        self.made += 1;
        let id = format!("memory-{}", self.made);
        let Submitted { person, title, url, metadata, .. } = new;
        let lead = lead(&content);
        self.memories.push(Memory {
            id: id.clone(),
            person,
            title,
            url,
            lead,
            canonical: text,
            content,
            metadata,
            is_trashed: false,
        });
        (id, false)
    }
}

async fn list(
    State(mind): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let mind = lock(&mind);
    let Some(person) = person(&mind, &headers) else { return stranger() };
    let words = query.get("q").map(|words| words.to_lowercase());
    let has_words = |memory: &Memory| {
        words.as_ref().is_none_or(|words| {
            memory.title.to_lowercase().contains(words) || memory.content.to_lowercase().contains(words)
        })
    };
    let with_bin = query.get("includeDeleted").is_some_and(|value| value == "true");
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50);
    let found = mind.memories.iter().rev().filter(|memory| memory.person == person && (with_bin || !memory.is_trashed));
    let rows: Vec<Value> = found
        .filter(|memory| has_words(memory))
        .take(limit)
        .map(|memory| {
            let deleted = memory.is_trashed.then_some("2026-01-01T00:00:00Z");
            json!({"id": memory.id, "title": memory.title, "content": memory.content, "page_metadata": memory.metadata, "deleted_at": deleted})
        })
        .collect();
    Json(json!({"success": true, "data": rows, "nextCursor": null})).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"success": false, "message": "Memory not found"}))).into_response()
}

async fn change(
    State(mind): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Json(new): Json<Map<String, Value>>,
) -> Response {
    let mut mind = lock(&mind);
    let Some(person) = person(&mind, &headers) else { return stranger() };
    let theirs = mind.memories.iter_mut().find(|memory| memory.id == id && memory.person == person);
    let Some(memory) = theirs else { return not_found() };
    if let Some(content) = new.get("content").and_then(Value::as_str) {
        content.clone_into(&mut memory.content);
    }
    Json(json!({"success": true})).into_response()
}

async fn remove(
    State(mind): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let mut mind = lock(&mind);
    let Some(person) = person(&mind, &headers) else { return stranger() };
    let is_it = |memory: &Memory| memory.id == id && memory.person == person;
    if !mind.memories.iter().any(is_it) {
        return not_found();
    }
    if query.get("hard").is_some_and(|hard| hard == "true") {
        mind.memories.retain(|memory| !is_it(memory));
    } else {
        mind.memories.iter_mut().filter(|memory| is_it(memory)).for_each(|memory| memory.is_trashed = true);
    }
    Json(json!({"success": true})).into_response()
}
