//! The control API: how tests look into the sandbox, change its content and make it misbehave.

mod content;
mod oauth;
mod wire;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    clock::rfc3339,
    google::{self, change::Refused, state::Google},
    state::{Shared, World},
};

/// All routes below `/control`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/reset", post(reset))
        .route("/truth", get(truth))
        .route("/endpoints", get(endpoints))
        .route("/clock", get(wire::clock).post(wire::set_clock))
        .route("/faults", get(wire::faults).post(wire::add_fault).delete(wire::clear_faults))
        .route("/faults/{id}", delete(wire::remove_fault))
        .route("/limits", get(wire::limits).post(wire::set_limits))
        .route("/requests", get(wire::requests).delete(wire::clear_requests))
        .route("/counters", get(wire::counters))
        .route("/webhooks", get(wire::webhooks))
        .route("/google/accounts", get(content::accounts).post(content::add_account))
        .route("/google/files", post(content::add_file))
        .route("/google/files/bulk", post(content::add_many))
        .route("/google/files/{id}", patch(content::edit_file).delete(content::delete_file))
        .route("/google/drives", get(content::drives).post(content::add_drive))
        .route("/google/drives/{id}/members", post(content::join))
        .route("/google/drives/{id}/members/{email}", delete(content::leave))
        .route("/google/clients", post(oauth::add_client))
        .route("/google/tokens", get(oauth::tokens).post(oauth::set_tokens))
        .route("/google/settings", get(oauth::settings).post(oauth::set_settings))
        .route("/google/expire-cursors", post(expire_cursors))
        .route("/google/channels", get(wire::channels).delete(wire::forget_channels))
        .fallback(|| async { Wrong::not_found("the control API has no such route") })
}

/// What is wrong with a control request: `{"error": "…"}`.
#[derive(Debug)]
pub struct Wrong(StatusCode, String);

impl Wrong {
    fn not_found(message: &str) -> Self {
        Self(StatusCode::NOT_FOUND, message.to_owned())
    }

    fn unprocessable(message: impl std::fmt::Display) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, message.to_string())
    }
}

impl From<Refused> for Wrong {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::UnknownAccount(_) | Refused::UnknownFile(_) | Refused::UnknownDrive(_) => StatusCode::NOT_FOUND,
            Refused::Taken(_) => StatusCode::CONFLICT,
            Refused::NotAFolder(_) | Refused::Loop | Refused::IsRoot => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self(status, refused.to_string())
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

type Answer = Result<Json<Value>, Wrong>;

/// A JSON body, an empty one being an empty object; what is not understood is said.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Wrong> {
    let body = if body.is_empty() { b"{}".as_slice() } else { body };
    serde_json::from_slice(body).map_err(Wrong::unprocessable)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    #[serde(default)]
    demo: bool,
}

/// Forgets everything: content, tokens, faults, limits, logs and the clock's offset.
async fn reset(State(sandbox): State<Shared>, body: bytes::Bytes) -> Answer {
    let wanted: Reset = parse(&body)?;
    let fresh = World::fresh(wanted.demo).map_err(Wrong::unprocessable)?;
    sandbox.write(|world| *world = fresh);
    crate::clock::set_ahead(0);
    sandbox.traffic(|traffic| {
        traffic.faults.clear();
        traffic.limits.set(crate::limits::Rule::default());
        traffic.requests.clear();
        traffic.deliveries.clear();
    });
    Ok(Json(json!({ "reset": true })))
}

/// Whose.
#[derive(Deserialize)]
pub struct OfAccount {
    account: String,
}

/// Everything that the account sees and that is not in the trash, with the text that a perfect extractor finds.
async fn truth(State(sandbox): State<Shared>, Query(query): Query<OfAccount>) -> Answer {
    sandbox.read(|world| {
        let google = &world.google;
        if !google.accounts.contains_key(&query.account) {
            return Err(Refused::UnknownAccount(query.account.clone()).into());
        }
        let mut files: Vec<_> = google.files_of(&query.account).filter(|file| !google.is_trashed(file)).collect();
        files.sort_by(|a, b| a.id.cmp(&b.id));
        let files: Vec<Value> = files.into_iter().map(|file| described(google, file)).collect();
        Ok(Json(json!({ "account": query.account, "files": files })))
    })
}

/// A file as the control API shows it.
fn described(google: &Google, file: &google::file::File) -> Value {
    json!({
        "id": file.id,
        "name": file.name,
        "mimeType": file.mime_type,
        "parents": file.parent.iter().collect::<Vec<_>>(),
        "driveId": file.drive_id,
        "owner": file.owner,
        "modifiedTime": rfc3339(file.modified),
        "trashed": google.is_trashed(file),
        "text": file.text,
        "size": file.body.bytes().map(bytes::Bytes::len),
    })
}

/// The endpoint mapping for a provider's secret.
async fn endpoints(State(sandbox): State<Shared>) -> Json<Value> {
    Json(json!({ "google": google::endpoints(&sandbox.public_url) }))
}

/// Refuses all change tokens and page tokens handed out so far.
async fn expire_cursors(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.write(|world| world.google.feeds.expire_tokens());
    Json(json!({ "expired": true }))
}
