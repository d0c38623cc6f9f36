//! Shared drives: `drives.list` and `drives.get`.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::HeaderMap,
};
use serde_json::{Value, json};

use super::{
    caller::{Caller, Need},
    page_token::Request,
    params::Params,
    render, shapes,
};
use crate::{clock, google::error::ApiError, state::Shared};

/// `GET /drives`: ten on a page unless asked for more, a hundred at most.
pub async fn list(
    State(sandbox): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let params = Params(query);
    sandbox.read(|world| {
        let google = &world.google;
        let caller = Caller::recognize(google, &headers, params.text("access_token"), Need::Drives)?;
        let selection = params.selection(shapes::DRIVE_LIST, "kind,nextPageToken,drives(kind,id,name)")?;
        let size = params.page_size(10, 100, false)?;
        let request = Request::new(&["drives", &caller.account.email], google.feeds.epoch());
        let after = match params.text("pageToken") {
            Some(token) => request.after(token, clock::now()).ok_or_else(|| ApiError::invalid_value("pageToken"))?,
            None => Vec::new(),
        };
        let after = after.first();
        let mut mine = google
            .drives
            .values()
            .filter(|drive| drive.members.contains(&caller.account.email))
            .filter(|drive| after.is_none_or(|after| drive.id > *after));
        let page: Vec<_> = mine.by_ref().take(size).collect();
        let mut answer = json!({
            "kind": "drive#driveList",
            "drives": page.iter().map(|drive| render::drive(drive)).collect::<Vec<_>>(),
        });
        if let (Some(_), Some(last), Some(answer)) = (mine.next(), page.last(), answer.as_object_mut()) {
            let token = request.token(vec![last.id.clone()], clock::now());
            answer.insert("nextPageToken".to_owned(), json!(token));
        }
        Ok(Json(selection.apply(answer)))
    })
}

/// `GET /drives/{id}`.
pub async fn get(
    State(sandbox): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let params = Params(query);
    sandbox.read(|world| {
        let google = &world.google;
        let caller = Caller::recognize(google, &headers, params.text("access_token"), Need::Drives)?;
        let selection = params.selection(shapes::DRIVE, "kind,id,name")?;
        let drive = google.drives.get(&id).filter(|drive| drive.members.contains(&caller.account.email));
        let drive = drive.ok_or_else(|| ApiError::drive_not_found(&id))?;
        Ok(Json(selection.apply(render::drive(drive))))
    })
}
