//! What tests do to any provider in the same words, so that one suite drives them all: `/control/<name>/contract/…`.
//!
//! Ids are the sandbox's own. `text` is what a perfect sync delivers of a resource, and `account` is what the consent page takes as such.

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::{get, post},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Answer, OfAccount, Wrong, parse};
use crate::{
    emulated,
    state::{Shared, World},
};

/// Something that is done to the world.
pub type Act<T> = fn(&mut World, &T) -> Result<(), Wrong>;

/// What a provider of the sandbox does for such tests.
pub struct Contract {
    /// Makes an account with one empty place (a folder, a channel, a repository, a page) that [`Self::create`] puts things into.
    /// One that exists stays as it is.
    pub add_account: fn(&mut World, &str) -> Result<(), Wrong>,
    /// Makes a resource and answers its id.
    pub create: fn(&mut World, &New) -> Result<String, Wrong>,
    /// Gives a resource another text.
    pub edit: Act<Edit>,
    /// Gives a resource another title; `None` where titles follow from something else.
    pub rename: Option<Act<Rename>>,
    /// Deletes a resource, as a person would.
    pub delete: Act<One>,
    /// All that a full sync of the account delivers, in any order.
    pub truth: fn(&World, &str) -> Result<Vec<True>, Wrong>,
    /// Refuses all cursors and page tokens handed out so far; `None` where they never expire.
    pub expire_cursors: Option<fn(&mut World)>,
    /// Sets how tokens live, and ends some.
    pub tokens: fn(&mut World, &Tokens),
    /// Where the application's webhooks go (an address) and what they are signed with (`None`: what they are now), where that is no API
    /// of the provider's but a page of its developers' site.
    pub hook: Option<fn(&mut World, &str, Option<&str>)>,
}

/// A resource to make.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    pub account: String,
    pub title: String,
    pub text: String,
}

/// Another text for a resource.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    pub account: String,
    pub id: String,
    pub text: String,
}

/// Another title for a resource.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    pub account: String,
    pub id: String,
    pub title: String,
}

/// A resource.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct One {
    pub account: String,
    pub id: String,
}

/// A resource as it is delivered.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct True {
    pub id: String,
    pub title: String,
    /// Absent: it carries no text that is read.
    pub text: Option<String>,
    pub url: Option<String>,
    /// The name of whoever wrote it, where the provider says.
    pub author: Option<String>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// How tokens live; what is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tokens {
    /// Limits ending and revoking to one account.
    pub account: Option<String>,
    pub access_lifetime_seconds: Option<i64>,
    pub rotate: Option<bool>,
    /// Ends access tokens at once.
    #[serde(default)]
    pub expire_access: bool,
    /// Ends grants at once: access and refresh tokens, as when a person takes the permission back.
    #[serde(default)]
    pub revoke: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    url: String,
    secret: Option<String>,
}

/// The routes, below `/control`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/{provider}/contract", get(able))
        .route("/{provider}/contract/truth", get(truth))
        .route("/{provider}/contract/{act}", post(act))
}

fn of(name: &str) -> Result<&'static Contract, Wrong> {
    emulated::named(name)
        .map(|emulated| &emulated.contract)
        .ok_or_else(|| Wrong::not_found("there is no such provider"))
}

/// What can be done with the provider beyond what all can.
async fn able(Path(name): Path<String>) -> Answer {
    let contract = of(&name)?;
    Ok(Json(json!({
        "rename": contract.rename.is_some(),
        "expireCursors": contract.expire_cursors.is_some(),
        "hook": contract.hook.is_some(),
    })))
}

async fn truth(State(sandbox): State<Shared>, Path(name): Path<String>, Query(query): Query<OfAccount>) -> Answer {
    let contract = of(&name)?;
    let resources = sandbox.read(|world| (contract.truth)(world, &query.account))?;
    Ok(Json(json!({ "resources": resources })))
}

async fn act(State(sandbox): State<Shared>, Path((name, act)): Path<(String, String)>, body: Bytes) -> Answer {
    let contract = of(&name)?;
    let unable = || Wrong::unprocessable("this provider knows no such thing");
    match act.as_str() {
        "account" => {
            let wanted: OfAccount = parse(&body)?;
            done(sandbox.write(|world| (contract.add_account)(world, &wanted.account)))
        }
        "create" => {
            let id = change(&sandbox, &body, contract.create)?;
            Ok(Json(json!({ "id": id })))
        }
        "edit" => done(change(&sandbox, &body, contract.edit)),
        "rename" => done(change(&sandbox, &body, contract.rename.ok_or_else(unable)?)),
        "delete" => done(change(&sandbox, &body, contract.delete)),
        "expire-cursors" => {
            let expire = contract.expire_cursors.ok_or_else(unable)?;
            sandbox.write(expire);
            done(Ok(()))
        }
        "tokens" => {
            let wanted: Tokens = parse(&body)?;
            sandbox.write(|world| (contract.tokens)(world, &wanted));
            done(Ok(()))
        }
        "hook" => {
            let wanted: Hook = parse(&body)?;
            let set = contract.hook.ok_or_else(unable)?;
            sandbox.write(|world| set(world, &wanted.url, wanted.secret.as_deref()));
            done(Ok(()))
        }
        _ => Err(Wrong::not_found("there is no such act")),
    }
}

fn change<T: DeserializeOwned, R>(
    sandbox: &Shared,
    body: &[u8],
    make: fn(&mut World, &T) -> Result<R, Wrong>,
) -> Result<R, Wrong> {
    let wanted: T = parse(body)?;
    sandbox.write(|world| make(world, &wanted))
}

fn done(result: Result<(), Wrong>) -> Answer {
    result.map(|()| Json::<Value>(json!({ "done": true })))
}
