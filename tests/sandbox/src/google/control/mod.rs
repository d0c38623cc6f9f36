//! Google's part of the control API.

mod content;
mod oauth;

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::{delete, get, patch, post},
};
use serde_json::{Value, json};

use super::{change::Refused, state::Google};
use crate::{
    clock::{self, rfc3339},
    control::{Answer, OfAccount, Wrong},
    google,
    state::Shared,
};

/// All routes below `/control/google`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/accounts", get(content::accounts).post(content::add_account))
        .route("/files", post(content::add_file))
        .route("/files/bulk", post(content::add_many))
        .route("/files/{id}", patch(content::edit_file).delete(content::delete_file))
        .route("/drives", get(content::drives).post(content::add_drive))
        .route("/drives/{id}/members", post(content::join))
        .route("/drives/{id}/members/{email}", delete(content::leave))
        .route("/clients", post(oauth::add_client))
        .route("/tokens", get(oauth::tokens).post(oauth::set_tokens))
        .route("/settings", get(oauth::settings).post(oauth::set_settings))
        .route("/expire-cursors", post(expire_cursors))
        .route("/channels", get(channels).delete(forget_channels))
}

impl From<Refused> for Wrong {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::UnknownAccount(_) | Refused::UnknownFile(_) | Refused::UnknownDrive(_) => Self::not_found(refused),
            Refused::Taken(_) => Self::conflict(refused),
            Refused::NotAFolder(_) | Refused::Loop | Refused::IsRoot => Self::unprocessable(refused),
        }
    }
}

/// Everything that the account sees and that is not in the trash, with the text that a perfect extractor finds.
pub async fn truth(State(sandbox): State<Shared>, Query(query): Query<OfAccount>) -> Answer {
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

/// Refuses all change tokens and page tokens handed out so far.
async fn expire_cursors(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.write(|world| world.google.feeds.expire_tokens());
    Json(json!({ "expired": true }))
}

/// `GET /control/google/channels`: the live ones.
async fn channels(State(sandbox): State<Shared>) -> Json<Value> {
    let now = clock::now();
    sandbox.read(|world| {
        let live: Vec<_> = world.google.channels.values().filter(|channel| channel.expires > now).collect();
        Json(json!({ "channels": live }))
    })
}

/// `DELETE /control/google/channels?account=`: forgets the account's channels without a word, as providers do.
async fn forget_channels(State(sandbox): State<Shared>, Query(query): Query<OfAccount>) -> Json<Value> {
    let forgotten = sandbox.write(|world| {
        let before = world.google.channels.len();
        world.google.channels.retain(|_, channel| channel.account != query.account);
        before - world.google.channels.len()
    });
    Json(json!({ "forgotten": forgotten }))
}
