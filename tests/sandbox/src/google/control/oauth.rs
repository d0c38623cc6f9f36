//! Clients, token lifetimes and the other switches of the emulated Google.

use axum::{Json, extract::State};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::{
    clock,
    control::{Answer, parse},
    google::oauth::grants::Client,
    state::Shared,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewClient {
    client_id: String,
    client_secret: String,
    /// Absent or empty: any return address is allowed.
    #[serde(default)]
    redirect_uris: Vec<String>,
}

/// `POST /control/google/clients`.
pub async fn add_client(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewClient = parse(&body)?;
    let client = Client { secret: wanted.client_secret, redirect_uris: wanted.redirect_uris };
    sandbox.write(|world| world.google.grants.clients.insert(wanted.client_id.clone(), client));
    Ok(Json(json!({ "clientId": wanted.client_id })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tokens {
    access_lifetime_seconds: Option<i64>,
    /// Any JSON that `expires_in` shall be; null tells the truth again.
    #[serde(default, deserialize_with = "given")]
    told_lifetime: Option<Value>,
    rotate_refresh_tokens: Option<bool>,
    rotation_grace_seconds: Option<i64>,
    reuse_revokes: Option<bool>,
    refresh_delay_ms: Option<u64>,
    #[serde(default)]
    expire_access_tokens: bool,
    #[serde(default)]
    revoke_refresh_tokens: bool,
    /// Limits expiring and revoking to one account.
    account: Option<String>,
}

/// Tells a field that is null from one that is absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// `POST /control/google/tokens`.
pub async fn set_tokens(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Tokens = parse(&body)?;
    let (expired, revoked) = sandbox.write(|world| {
        let google = &mut world.google;
        let settings = &mut google.settings;
        settings.access_lifetime_seconds = wanted.access_lifetime_seconds.unwrap_or(settings.access_lifetime_seconds);
        settings.rotate_refresh_tokens = wanted.rotate_refresh_tokens.unwrap_or(settings.rotate_refresh_tokens);
        settings.rotation_grace_seconds = wanted.rotation_grace_seconds.unwrap_or(settings.rotation_grace_seconds);
        settings.reuse_revokes = wanted.reuse_revokes.unwrap_or(settings.reuse_revokes);
        if let Some(told) = wanted.told_lifetime {
            settings.told_lifetime = Some(told).filter(|told| !told.is_null());
        }
        settings.refresh_delay_ms = wanted.refresh_delay_ms.unwrap_or(settings.refresh_delay_ms);
        let account = wanted.account.as_deref();
        let expired = if wanted.expire_access_tokens { google.grants.expire_access(account, clock::now()) } else { 0 };
        let revoked = if wanted.revoke_refresh_tokens { google.grants.kill_refresh(account) } else { 0 };
        (expired, revoked)
    });
    Ok(Json(json!({ "expired": expired, "revoked": revoked })))
}

/// `GET /control/google/tokens`: how many are alive, and how often a rotated one came again.
pub async fn tokens(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.read(|world| {
        let grants = &world.google.grants;
        let (access, refresh) = grants.live(clock::now());
        Json(json!({ "liveAccessTokens": access, "liveRefreshTokens": refresh, "reusedRefreshTokens": grants.reused }))
    })
}

/// `GET /control/google/settings`.
pub async fn settings(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.read(|world| Json(json!(world.google.settings)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Switches {
    propagation_delay_ms: Option<u64>,
    incomplete_search: Option<bool>,
    webhook_retry_ms: Option<u64>,
}

/// `POST /control/google/settings`.
pub async fn set_settings(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Switches = parse(&body)?;
    sandbox.write(|world| {
        let settings = &mut world.google.settings;
        settings.propagation_delay_ms = wanted.propagation_delay_ms.unwrap_or(settings.propagation_delay_ms);
        settings.incomplete_search = wanted.incomplete_search.unwrap_or(settings.incomplete_search);
        settings.webhook_retry_ms = wanted.webhook_retry_ms.unwrap_or(settings.webhook_retry_ms);
        Ok(Json(json!(settings)))
    })
}
