//! Notion's part of the control API: everything that people and administrators do there.

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::{get, patch, post},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    change::NewPage,
    outline::Draft,
    push, shapes,
    state::{Settings, What},
    truth,
};
use crate::{
    control::{Answer, OfAccount, Wrong, parse},
    state::Shared,
};

/// Everything below `/control/notion`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/accounts", get(accounts).post(add_account))
        .route("/truth", get(true_content))
        .route("/pages", post(add_page))
        .route("/pages/bulk", post(add_many))
        .route("/pages/{id}", patch(edit_page).delete(delete_page))
        .route("/databases", post(add_database))
        .route("/blocks/{id}", post(add_blocks))
        .route("/comments", post(comment))
        .route("/clients", post(add_client))
        .route("/expire-cursors", post(expire_cursors))
        .route("/settings", get(settings).post(set_settings))
        .route("/hook", get(hook).post(set_hook))
}

async fn accounts(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.read(|world| {
        let (people, workspaces) = (&world.notion.people, &world.notion.workspaces);
        Json(json!({ "accounts": people.values().collect::<Vec<_>>(), "workspaces": workspaces.values().collect::<Vec<_>>() }))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    email: String,
    name: Option<String>,
    /// Of somebody who is there already: their workspace.
    colleague: Option<String>,
}

async fn add_account(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewAccount = parse(&body)?;
    sandbox.write(|world| {
        let notion = &mut world.notion;
        let workspace = match &wanted.colleague {
            Some(email) => {
                let colleague = notion.people.get(email);
                let colleague = colleague.ok_or_else(|| Wrong::not_found(format!("there is no account {email}")))?;
                Some(colleague.workspace.clone())
            }
            None => None,
        };
        let name = wanted.name.as_deref().unwrap_or(&wanted.email);
        Ok(Json(json!(notion.add_person(&wanted.email, name, workspace.as_deref()))))
    })
}

async fn true_content(State(sandbox): State<Shared>, Query(query): Query<OfAccount>) -> Answer {
    let pages = sandbox.read(|world| truth::truth(&world.notion, &query.account))?;
    Ok(Json(json!({ "account": query.account, "pages": pages })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    account: String,
    id: Option<String>,
    title: String,
    parent: Option<String>,
    #[serde(default)]
    text: String,
    /// Of a row: its properties beside the title, in the API's form without ids.
    #[serde(default)]
    values: Map<String, Value>,
}

async fn add_page(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Page = parse(&body)?;
    sandbox.write(|world| {
        let new = NewPage {
            id: wanted.id,
            title: &wanted.title,
            parent: wanted.parent.as_deref(),
            text: &wanted.text,
            values: wanted.values,
        };
        let id = world.notion.add_page(&wanted.account, new)?;
        Ok(Json(shapes::node(&world.notion, world.notion.node(&id)?)))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    account: String,
    parent: Option<String>,
    count: usize,
    prefix: String,
}

async fn add_many(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Many = parse(&body)?;
    if wanted.count > 100_000 {
        return Err(Wrong::unprocessable("at most a hundred thousand pages at once"));
    }
    sandbox.write(|world| {
        let ids = (1..=wanted.count)
            .map(|number| {
                let (title, text) =
                    (format!("{} {number:05}", wanted.prefix), format!("This is text {number} of {}.", wanted.prefix));
                let new =
                    NewPage { title: &title, text: &text, parent: wanted.parent.as_deref(), ..NewPage::default() };
                world.notion.add_page(&wanted.account, new)
            })
            .collect::<Result<Vec<_>, Wrong>>()?;
        Ok(Json(json!({ "count": ids.len(), "ids": ids })))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    account: String,
    title: Option<String>,
    text: Option<String>,
    /// Another place; an empty text is the top.
    parent: Option<String>,
    trashed: Option<bool>,
    /// Left out of searches.
    unindexed: Option<bool>,
    /// Properties in the API's form without ids.
    #[serde(default)]
    values: Map<String, Value>,
}

async fn edit_page(State(sandbox): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let wanted: Change = parse(&body)?;
    sandbox.write(|world| {
        let (notion, who) = (&mut world.notion, wanted.account.as_str());
        if let Some(title) = &wanted.title {
            notion.rename(who, &id, title)?;
        }
        if let Some(text) = &wanted.text {
            notion.write_page(who, &id, text)?;
        }
        if let Some(parent) = &wanted.parent {
            notion.move_to(who, &id, Some(parent.as_str()).filter(|parent| !parent.is_empty()))?;
        }
        for (name, value) in wanted.values {
            notion.set_value(who, &id, &name, value)?;
        }
        if let Some(trashed) = wanted.trashed {
            notion.trash(who, &id, trashed)?;
        }
        if let (Some(unindexed), Some(node)) = (wanted.unindexed, notion.nodes.get_mut(&id)) {
            node.unindexed = unindexed;
        }
        Ok(Json(shapes::node(notion, notion.node(&id)?)))
    })
}

/// For good.
async fn delete_page(State(sandbox): State<Shared>, Path(id): Path<String>, Query(query): Query<OfAccount>) -> Answer {
    sandbox.write(|world| world.notion.delete(&query.account, &id))?;
    Ok(Json(json!({ "deleted": id })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Database {
    account: String,
    title: String,
    parent: Option<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    columns: Map<String, Value>,
}

async fn add_database(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Database = parse(&body)?;
    sandbox.write(|world| {
        let (title, description) = (&wanted.title, &wanted.description);
        let parent = wanted.parent.as_deref();
        let (database, source) =
            world.notion.add_database(&wanted.account, title, parent, description, wanted.columns)?;
        Ok(Json(json!({ "database": database, "dataSource": source })))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Blocks {
    account: String,
    blocks: Vec<Block>,
    /// What a perfect reader then finds on the page.
    expected_text: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    children: Vec<Block>,
}

impl From<Block> for Draft {
    fn from(block: Block) -> Self {
        Self::of(&block.kind, block.content).with(block.children.into_iter().map(Self::from).collect())
    }
}

async fn add_blocks(State(sandbox): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let wanted: Blocks = parse(&body)?;
    sandbox.write(|world| {
        let notion = &mut world.notion;
        let page = notion.page_of(notion.node(&id)?).id.clone();
        let ids = notion.add_blocks(&wanted.account, &id, wanted.blocks.into_iter().map(Draft::from).collect())?;
        if let (Some(expected), Some(node)) = (wanted.expected_text, notion.nodes.get_mut(&page))
            && let What::Page { text, .. } = &mut node.what
        {
            *text = expected;
        }
        let by = notion.id_of(&wanted.account)?;
        notion.tell(&page, "content_updated", &by, &ids);
        Ok(Json(json!({ "ids": ids })))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Comment {
    account: String,
    page: String,
    text: String,
}

async fn comment(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Comment = parse(&body)?;
    let id = sandbox.write(|world| world.notion.comment(&wanted.account, &wanted.page, &wanted.text))?;
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Client {
    client_id: String,
    client_secret: String,
}

async fn add_client(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Client = parse(&body)?;
    sandbox.write(|world| world.notion.grants.clients.insert(wanted.client_id.clone(), wanted.client_secret));
    Ok(Json(json!({ "clientId": wanted.client_id })))
}

async fn settings(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.read(|world| {
        let notion = &world.notion;
        Json(json!({ "settings": notion.settings, "reusedRefreshTokens": notion.grants.reused }))
    })
}

/// Refuses all cursors handed out so far.
async fn expire_cursors(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.write(|world| world.notion.generation += 1);
    Json(json!({ "expired": true }))
}

/// What is given replaces what was; the rest stays.
async fn set_settings(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Map<String, Value> = parse(&body)?;
    sandbox.write(|world| {
        let mut all = serde_json::to_value(&world.notion.settings).map_err(Wrong::unprocessable)?;
        for (name, value) in wanted {
            match all.get_mut(&name) {
                Some(field) => *field = value,
                None => return Err(Wrong::unprocessable(format!("there is no setting {name}"))),
            }
        }
        let settings: Settings = serde_json::from_value(all).map_err(Wrong::unprocessable)?;
        world.notion.settings = settings;
        Ok(Json(json!(world.notion.settings)))
    })
}

async fn hook(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.read(|world| Json(json!(world.notion.hook)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewHook {
    url: Option<String>,
    secret: Option<String>,
    /// Sends the verification token, as when a subscription is made.
    #[serde(default)]
    offer: bool,
}

async fn set_hook(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewHook = parse(&body)?;
    let hook = sandbox.write(|world| {
        let hook = &mut world.notion.hook;
        hook.url.clone_from(&wanted.url);
        if let Some(secret) = &wanted.secret {
            secret.clone_into(&mut hook.secret);
        }
        hook.clone()
    });
    if let (true, Some(url)) = (wanted.offer, wanted.url) {
        push::offer(sandbox, url).await;
    }
    Ok(Json(json!(hook)))
}
