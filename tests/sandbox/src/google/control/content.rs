//! Accounts, files and shared drives, made and changed by tests.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Path, State},
};
use base64::Engine;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::described;
use crate::{
    control::{Answer, Wrong, parse},
    google::{
        change::{Edit, NewFile, Refused},
        file::Body,
        material,
    },
    state::Shared,
};

/// `GET /control/google/accounts`.
pub async fn accounts(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.read(|world| Json(json!({ "accounts": world.google.accounts.values().collect::<Vec<_>>() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    email: String,
    name: Option<String>,
}

/// `POST /control/google/accounts`.
pub async fn add_account(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewAccount = parse(&body)?;
    let name = wanted.name.as_deref().unwrap_or(&wanted.email);
    let account = sandbox.write(|world| world.google.add_account(&wanted.email, name));
    Ok(Json(json!(account)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewContent {
    account: String,
    id: Option<String>,
    name: String,
    mime_type: String,
    parent: Option<String>,
    drive_id: Option<String>,
    text: Option<String>,
    base64: Option<String>,
    /// What a perfect extractor finds, where it is not the text itself (HTML, given bytes).
    expected_text: Option<String>,
}

/// The body of a file from either form, and its known text.
fn content(
    mime_type: &str,
    text: Option<&str>,
    base64: Option<&str>,
    expected: Option<String>,
) -> Result<(Body, Option<String>), Wrong> {
    let (body, known) = match (text, base64) {
        (Some(_), Some(_)) => return Err(Wrong::unprocessable("give text or base64, not both")),
        (_, Some(base64)) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(base64).map_err(Wrong::unprocessable)?;
            material::of_bytes(mime_type, bytes)
        }
        (text, None) => material::of_text(mime_type, text.unwrap_or_default()).map_err(Wrong::unprocessable)?,
    };
    Ok((body, expected.or(known)))
}

/// `POST /control/google/files`.
pub async fn add_file(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewContent = parse(&body)?;
    let (body, text) =
        content(&wanted.mime_type, wanted.text.as_deref(), wanted.base64.as_deref(), wanted.expected_text)?;
    sandbox.write(|world| {
        let google = &mut world.google;
        let new = NewFile {
            id: wanted.id,
            name: &wanted.name,
            mime_type: &wanted.mime_type,
            body,
            text,
            parent: wanted.parent.as_deref(),
            drive_id: wanted.drive_id.as_deref(),
        };
        let id = google.create(&wanted.account, new)?;
        shown(google, &id)
    })
}

fn shown(google: &crate::google::state::Google, id: &str) -> Answer {
    let file = google.files.get(id).ok_or_else(|| Refused::UnknownFile(id.to_owned()))?;
    Ok(Json(described(google, file)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Many {
    account: String,
    parent: Option<String>,
    drive_id: Option<String>,
    count: usize,
    prefix: String,
}

/// `POST /control/google/files/bulk`: numbered text files, `<prefix>-00001.txt` and so on.
pub async fn add_many(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: Many = parse(&body)?;
    if wanted.count > 1_000_000 {
        return Err(Wrong::unprocessable("at most a million files at once"));
    }
    sandbox.write(|world| {
        let ids = (1..=wanted.count)
            .map(|number| {
                let text = format!("This is text {number} of {}.\n", wanted.prefix);
                let new = NewFile {
                    id: None,
                    name: &format!("{}-{number:05}.txt", wanted.prefix),
                    mime_type: "text/plain",
                    body: Body::blob(text.clone()),
                    text: Some(text),
                    parent: wanted.parent.as_deref(),
                    drive_id: wanted.drive_id.as_deref(),
                };
                world.google.create(&wanted.account, new)
            })
            .collect::<Result<Vec<_>, Refused>>()?;
        Ok(Json(json!({ "count": ids.len(), "ids": ids })))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    name: Option<String>,
    text: Option<String>,
    base64: Option<String>,
    expected_text: Option<String>,
    parent: Option<String>,
    trashed: Option<bool>,
    modified_time: Option<DateTime<Utc>>,
    shared_with: Option<BTreeSet<String>>,
    downloadable: Option<bool>,
    /// Who does it; absent: the owner.
    account: Option<String>,
}

/// `PATCH /control/google/files/{id}`.
pub async fn edit_file(State(sandbox): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let wanted: Change = parse(&body)?;
    sandbox.write(|world| {
        let google = &mut world.google;
        let file = google.files.get(&id).ok_or_else(|| Refused::UnknownFile(id.clone()))?;
        let content = match (&wanted.text, &wanted.base64) {
            (None, None) => None,
            (text, base64) => Some(content(&file.mime_type, text.as_deref(), base64.as_deref(), wanted.expected_text)?),
        };
        let edit = Edit {
            name: wanted.name,
            content,
            parent: wanted.parent,
            trashed: wanted.trashed,
            modified: wanted.modified_time,
            shared_with: wanted.shared_with,
            downloadable: wanted.downloadable,
            by: wanted.account,
        };
        google.edit(&id, edit)?;
        shown(google, &id)
    })
}

/// `DELETE /control/google/files/{id}`: for good.
pub async fn delete_file(State(sandbox): State<Shared>, Path(id): Path<String>) -> Answer {
    sandbox.write(|world| world.google.delete(&id))?;
    Ok(Json(json!({ "deleted": id })))
}

/// `GET /control/google/drives`.
pub async fn drives(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.read(|world| Json(json!({ "drives": world.google.drives.values().collect::<Vec<_>>() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDrive {
    id: Option<String>,
    name: String,
    #[serde(default)]
    members: Vec<String>,
}

/// `POST /control/google/drives`.
pub async fn add_drive(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewDrive = parse(&body)?;
    sandbox.write(|world| {
        let google = &mut world.google;
        if let Some(stranger) = wanted.members.iter().find(|email| !google.accounts.contains_key(*email)) {
            return Err(Refused::UnknownAccount(stranger.clone()).into());
        }
        let id = google.add_drive(wanted.id, &wanted.name, &wanted.members)?;
        Ok(Json(json!(google.drives.get(&id))))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    email: String,
}

/// `POST /control/google/drives/{id}/members`.
pub async fn join(State(sandbox): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let member: Member = parse(&body)?;
    sandbox.write(|world| world.google.join(&id, &member.email))?;
    Ok(Json(json!({ "joined": member.email })))
}

/// `DELETE /control/google/drives/{id}/members/{email}`.
pub async fn leave(State(sandbox): State<Shared>, Path((id, email)): Path<(String, String)>) -> Answer {
    sandbox.write(|world| world.google.leave(&id, &email))?;
    Ok(Json(json!({ "left": email })))
}
