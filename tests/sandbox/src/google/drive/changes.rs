//! The changes feed as the API shows it: start tokens and pages of changes.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Query, State},
    http::HeaderMap,
};
use serde_json::{Map, Value, json};

use super::{
    caller::{Caller, Need},
    params::Params,
    render, shapes,
};
use crate::{
    clock::{self, rfc3339},
    google::{
        error::ApiError,
        feed::{Entry, FeedKey, Item},
        file::File,
        state::Google,
    },
    state::Shared,
};

/// `GET /changes/startPageToken`.
pub async fn start_page_token(
    State(sandbox): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let params = Params(query);
    sandbox.read(|world| {
        let google = &world.google;
        let caller = Caller::recognize(google, &headers, params.text("access_token"), Need::Metadata)?;
        let selection = params.selection(shapes::START_PAGE_TOKEN, "*")?;
        let key = feed(google, &params, &caller)?;
        let token = google.feeds.token(&key, google.feeds.start(&key, google.propagated(clock::now())));
        Ok(Json(selection.apply(json!({ "kind": "drive#startPageToken", "startPageToken": token }))))
    })
}

/// `GET /changes`.
pub async fn list(
    State(sandbox): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let params = Params(query);
    sandbox.read(|world| answer(&world.google, &params, &headers)).map(Json)
}

/// The feed that a request is about; a shared drive's only for its members.
pub fn feed(google: &Google, params: &Params, caller: &Caller) -> Result<FeedKey, ApiError> {
    let Some(id) = params.drive_id() else { return Ok(FeedKey::user(&caller.account.email)) };
    let drive = google.drives.get(id).filter(|drive| drive.members.contains(&caller.account.email));
    drive.ok_or_else(|| ApiError::drive_not_found(id))?;
    if !params.supports_all_drives()? {
        let message = "The supportsAllDrives parameter must be set to true when driveId is specified.";
        return Err(ApiError::invalid_parameter("supportsAllDrives", message));
    }
    Ok(FeedKey::drive(id))
}

/// What a reader wants to see of a feed.
struct View<'a> {
    google: &'a Google,
    caller: &'a Caller,
    drive: Option<&'a str>,
    include_removed: bool,
    include_drives: bool,
    include_corpus_removals: bool,
    my_drive_only: bool,
}

fn answer(google: &Google, params: &Params, headers: &HeaderMap) -> Result<Value, ApiError> {
    let caller = Caller::recognize(google, headers, params.text("access_token"), Need::Metadata)?;
    let default = "kind,nextPageToken,newStartPageToken,\
                   changes(kind,type,changeType,time,removed,fileId,driveId,teamDriveId,\
                   file(kind,id,name,mimeType,driveId,teamDriveId),drive(kind,id,name))";
    let selection = params.selection(shapes::CHANGE_LIST, default)?;
    let key = feed(google, params, &caller)?;
    let size = params.page_size(100, 1000, true)?;
    let token = params.text("pageToken").ok_or_else(|| ApiError::required("pageToken"))?;
    let place = google.feeds.place(&key, token).ok_or_else(|| ApiError::invalid_value("pageToken"))?;
    let view = View {
        google,
        caller: &caller,
        drive: params.drive_id(),
        include_removed: params.flag("includeRemoved", true)?,
        include_drives: params.includes_all_drives()?,
        include_corpus_removals: params.flag("includeCorpusRemovals", false)?,
        my_drive_only: params.flag("restrictToMyDrive", false)?,
    };
    if view.drive.is_some() && !view.include_drives {
        let message = "The includeItemsFromAllDrives parameter must be set to true when driveId is specified.";
        return Err(ApiError::invalid_parameter("includeItemsFromAllDrives", message));
    }
    let visible = google.propagated(clock::now());
    let page = google.feeds.page(&key, place, size, visible, |entry| view.wants(entry));
    let changes: Vec<Value> = page.entries.iter().map(|(_, entry)| view.change(entry)).collect();
    let mut answer = json!({ "kind": "drive#changeList", "changes": changes });
    if let Some(answer) = answer.as_object_mut() {
        let name = if page.more { "nextPageToken" } else { "newStartPageToken" };
        answer.insert(name.to_owned(), json!(google.feeds.token(&key, page.next)));
    }
    Ok(selection.apply(answer))
}

impl View<'_> {
    fn wants(&self, entry: &Entry) -> bool {
        match &entry.item {
            Item::Drive(id) => {
                let member = self.member(id);
                self.include_drives && !self.my_drive_only && (member || self.include_removed)
            }
            Item::File(id) => match self.present(id) {
                Some(file) => {
                    (file.drive_id.is_none() || self.include_drives)
                        && (!self.my_drive_only || (file.drive_id.is_none() && file.owner == self.caller.account.email))
                }
                None => self.include_removed,
            },
        }
    }

    /// The file, while it is in this feed's collection and visible to the reader.
    fn present(&self, id: &str) -> Option<&File> {
        let file = self.google.files.get(id).filter(|_| self.caller.sees_all)?;
        let in_collection = self.drive.is_none_or(|drive| file.drive_id.as_deref() == Some(drive));
        (in_collection && self.google.may_see(&self.caller.account.email, file)).then_some(file)
    }

    fn member(&self, drive: &str) -> bool {
        self.google.drives.get(drive).is_some_and(|drive| drive.members.contains(&self.caller.account.email))
    }

    fn change(&self, entry: &Entry) -> Value {
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| {
            out.insert(name.to_owned(), value);
        };
        put("kind", json!("drive#change"));
        put("time", json!(rfc3339(entry.time)));
        match &entry.item {
            Item::Drive(id) => {
                put("type", json!("drive"));
                put("changeType", json!("drive"));
                put("driveId", json!(id));
                put("teamDriveId", json!(id));
                put("removed", json!(!self.member(id)));
                if let Some(drive) = self.google.drives.get(id).filter(|_| self.member(id)) {
                    put("drive", render::drive(drive));
                }
            }
            Item::File(id) => {
                put("type", json!("file"));
                put("changeType", json!("file"));
                put("fileId", json!(id));
                let present = self.present(id);
                put("removed", json!(present.is_none()));
                // A file that left the collection but is still in reach is shown to those who ask for that.
                let beyond = self.google.visible(&self.caller.account, id).filter(|_| self.include_corpus_removals);
                if let Some(file) = present.or(beyond) {
                    put("file", render::file(self.google, file, &self.caller.account));
                }
            }
        }
        Value::Object(out)
    }
}
