//! Slack's part of the control API.

mod messages;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, patch, post},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    change::{Refused, escaped},
    push, shapes,
    state::{File, Kind, Slack, Tiers, new_id},
};
use crate::{
    clock,
    control::{Answer, Wrong, parse},
    state::Shared,
};

/// All routes below `/control/slack`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/workspaces", get(workspaces).post(add_workspace))
        .route("/workspaces/{id}/uninstall", post(uninstall))
        .route("/people", post(add_person))
        .route("/channels", post(add_channel))
        .route("/channels/bulk", post(add_channels))
        .route("/channels/{id}", patch(change_channel).delete(delete_channel))
        .route("/messages", get(messages::messages).post(messages::add_message))
        .route("/messages/bulk", post(messages::add_messages))
        .route("/messages/{channel}/{ts}", patch(messages::edit_message).delete(messages::delete_message))
        .route("/files", post(add_file))
        .route("/files/{id}", patch(rewrite_file).delete(delete_file))
        .route("/app", get(app).post(set_app))
        .route("/settings", get(settings).post(set_settings))
        .route("/tokens", get(tokens).post(set_tokens))
        .route("/expire-cursors", post(expire_cursors))
}

async fn workspaces(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.read(|world| {
        let shown = world.slack.workspaces.values().map(|workspace| {
            let channels = workspace.channels.values().map(|channel| shapes::channel(workspace, channel, &workspace.bot));
            json!({ "id": workspace.id, "name": workspace.name, "domain": workspace.domain, "installed": workspace.installed,
                "bot": workspace.bot, "people": workspace.users.values().collect::<Vec<_>>(), "channels": channels.collect::<Vec<_>>() })
        });
        Json(json!({ "workspaces": shown.collect::<Vec<_>>() }))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewWorkspace {
    id: Option<String>,
    name: String,
    domain: Option<String>,
}

async fn add_workspace(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewWorkspace = parse(&body)?;
    let domain = wanted.domain.unwrap_or_else(|| wanted.name.to_lowercase());
    let id = sandbox.write(|world| world.slack.add_workspace(wanted.id, &wanted.name, &domain))?;
    Ok(Json(json!({ "id": id })))
}

async fn uninstall(State(sandbox): State<Shared>, Path(id): Path<String>) -> Answer {
    sandbox.write(|world| world.slack.uninstall(&id))?;
    Ok(Json(json!({ "uninstalled": id })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPerson {
    workspace: String,
    email: String,
    name: Option<String>,
}

async fn add_person(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewPerson = parse(&body)?;
    let name = wanted.name.as_deref().unwrap_or(&wanted.email);
    let id = sandbox.write(|world| world.slack.add_person(&wanted.workspace, &wanted.email, name))?;
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewChannel {
    workspace: String,
    id: Option<String>,
    #[serde(default)]
    name: String,
    kind: Option<Kind>,
    /// Ids of people; absent: everybody.
    members: Option<Vec<String>>,
    /// Whether the app is invited.
    #[serde(default)]
    app: bool,
    /// How many, all with this name and a number.
    count: Option<usize>,
}

impl NewChannel {
    fn members(&self, slack: &Slack) -> Vec<String> {
        let people = || {
            let users =
                slack.workspaces.get(&self.workspace).into_iter().flat_map(|workspace| workspace.users.values());
            users.filter(|user| !user.is_bot).map(|user| user.id.clone()).collect()
        };
        self.members.clone().unwrap_or_else(people)
    }
}

async fn add_channel(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewChannel = parse(&body)?;
    let id = sandbox.write(|world| {
        let slack = &mut world.slack;
        let (members, kind) = (wanted.members(slack), wanted.kind.unwrap_or(Kind::Public));
        slack.add_channel(&wanted.workspace, wanted.id, &wanted.name, kind, &members, wanted.app)
    })?;
    Ok(Json(json!({ "id": id })))
}

async fn add_channels(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewChannel = parse(&body)?;
    let count =
        wanted.count.filter(|count| *count <= 100_000).ok_or_else(|| Wrong::unprocessable("count is missing"))?;
    sandbox.write(|world| {
        let slack = &mut world.slack;
        let (members, kind) = (wanted.members(slack), wanted.kind.unwrap_or(Kind::Public));
        for number in 0..count {
            let name = format!("{}-{number:05}", wanted.name);
            slack.add_channel(&wanted.workspace, None, &name, kind, &members, wanted.app)?;
        }
        // Nobody sends ten thousand events for what a test set up.
        slack.untold.clear();
        Ok::<_, Refused>(())
    })?;
    Ok(Json(json!({ "count": count })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelChange {
    name: Option<String>,
    archived: Option<bool>,
    /// Invites the app, or has it leave.
    app: Option<bool>,
}

async fn change_channel(State(sandbox): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let wanted: ChannelChange = parse(&body)?;
    sandbox.write(|world| {
        let slack = &mut world.slack;
        wanted.name.map_or(Ok(()), |name| slack.rename_channel(&id, &name))?;
        wanted.archived.map_or(Ok(()), |archived| slack.archive(&id, archived))?;
        wanted.app.map_or(Ok(()), |app| slack.set_member(&id, None, app))
    })?;
    Ok(Json(json!({ "id": id })))
}

async fn delete_channel(State(sandbox): State<Shared>, Path(id): Path<String>) -> Answer {
    sandbox.write(|world| world.slack.delete_channel(&id))?;
    Ok(Json(json!({ "deleted": id })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewText {
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewFile {
    channels: Vec<String>,
    name: String,
    title: Option<String>,
    mime_type: Option<String>,
    mode: Option<String>,
    /// What it holds; or with `size` so many spaces.
    text: Option<String>,
    size: Option<u64>,
    created: Option<DateTime<Utc>>,
    /// What the message with it says.
    #[serde(default)]
    message: String,
}

async fn add_file(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewFile = parse(&body)?;
    let created = wanted.created.unwrap_or_else(clock::now);
    let size = wanted.size.unwrap_or(wanted.text.as_ref().map_or(0, |text| text.len() as u64));
    let file = File {
        id: new_id('F'),
        title: wanted.title.unwrap_or_else(|| wanted.name.clone()),
        name: wanted.name,
        mime_type: wanted.mime_type.unwrap_or_else(|| "text/plain".to_owned()),
        mode: wanted.mode.unwrap_or_else(|| "hosted".to_owned()),
        user: String::new(),
        created,
        updated: created,
        places: wanted.channels.into_iter().collect(),
        text: wanted.text,
        size,
    };
    let id = sandbox.write(|world| world.slack.share(file, &escaped(&wanted.message)))?;
    Ok(Json(json!({ "id": id })))
}

async fn rewrite_file(State(sandbox): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let wanted: NewText = parse(&body)?;
    sandbox.write(|world| world.slack.rewrite(&id, &wanted.text))?;
    Ok(Json(json!({ "id": id })))
}

async fn delete_file(State(sandbox): State<Shared>, Path(id): Path<String>) -> Answer {
    sandbox.write(|world| world.slack.delete_file(&id))?;
    Ok(Json(json!({ "deleted": id })))
}

async fn app(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.read(|world| Json(json!({ "id": world.slack.app.id, "requestUrl": world.slack.app.request_url })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewApp {
    request_url: Option<String>,
    signing_secret: Option<String>,
}

/// Saves where events go once the address has answered the challenge, as Slack's page for developers does; 422 if it did not.
async fn set_app(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewApp = parse(&body)?;
    if let Some(secret) = wanted.signing_secret {
        sandbox.write(|world| world.slack.app.signing_secret = secret);
    }
    if let Some(address) = &wanted.request_url {
        push::verify(&sandbox, address).await.map_err(Wrong::unprocessable)?;
        sandbox.write(|world| world.slack.app.request_url = Some(address.clone()));
    }
    Ok(app(State(sandbox)).await)
}

async fn settings(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.read(|world| Json(json!(world.slack.settings)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Switches {
    rotation: Option<bool>,
    access_lifetime_seconds: Option<i64>,
    tiers: Option<Tiers>,
    webhook_retry_ms: Option<u64>,
}

async fn set_settings(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Switches = parse(&body)?;
    sandbox.write(|world| {
        let settings = &mut world.slack.settings;
        settings.rotation = wanted.rotation.unwrap_or(settings.rotation);
        settings.access_lifetime_seconds = wanted.access_lifetime_seconds.unwrap_or(settings.access_lifetime_seconds);
        settings.tiers = wanted.tiers.unwrap_or(settings.tiers);
        settings.webhook_retry_ms = wanted.webhook_retry_ms.unwrap_or(settings.webhook_retry_ms);
        world.slack.calls.clear();
        Ok(Json(json!(world.slack.settings)))
    })
}

async fn tokens(State(sandbox): State<Shared>) -> Json<Value> {
    let (access, refresh) = sandbox.read(|world| world.slack.grants.live());
    Json(json!({ "liveAccessTokens": access, "liveRefreshTokens": refresh }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndTokens {
    workspace: Option<String>,
    #[serde(default)]
    expire: bool,
    #[serde(default)]
    revoke: bool,
}

async fn set_tokens(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: EndTokens = parse(&body)?;
    sandbox.write(|world| {
        let (grants, team) = (&mut world.slack.grants, wanted.workspace.as_deref());
        let expired = if wanted.expire { grants.expire(team) } else { 0 };
        let revoked = if wanted.revoke { grants.revoke(team) } else { 0 };
        Ok(Json(json!({ "expired": expired, "revoked": revoked })))
    })
}

/// Refuses all cursors handed out so far.
async fn expire_cursors(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.write(|world| world.slack.settings.cursors += 1);
    Json(json!({ "expired": true }))
}
