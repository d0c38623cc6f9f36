//! `about.get`: who the token belongs to, and what the account can do.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Query, State},
    http::HeaderMap,
};
use serde_json::{Map, Value, json};

use super::{
    caller::{Caller, Need},
    export,
    params::Params,
    render, shapes,
};
use crate::{
    google::{
        error::ApiError,
        file::{Body, DOCUMENT, PRESENTATION, SPREADSHEET},
    },
    state::Shared,
};

/// `GET /about`; `fields` is mandatory here.
pub async fn get(
    State(sandbox): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let params = Params(query);
    sandbox.read(|world| {
        let google = &world.google;
        let caller = Caller::recognize(google, &headers, params.text("access_token"), Need::Metadata)?;
        params.text("fields").ok_or_else(|| ApiError::required("fields"))?;
        let selection = params.selection(shapes::ABOUT, "*")?;
        let bytes = |trashed: bool| -> usize {
            let own = google.files_of(&caller.account.email).filter(|file| file.owner == caller.account.email);
            own.filter(|file| !trashed || google.is_trashed(file))
                .filter_map(|file| file.body.bytes())
                .map(bytes::Bytes::len)
                .sum()
        };
        let exports: Map<String, Value> = [
            (DOCUMENT, Body::Document { markdown: String::new() }),
            (SPREADSHEET, Body::Spreadsheet { sheets: Vec::new() }),
            (PRESENTATION, Body::Presentation { slides: Vec::new() }),
        ]
        .into_iter()
        .map(|(kind, body)| (kind.to_owned(), json!(export::formats(&body))))
        .collect();
        let answer = json!({
            "kind": "drive#about",
            "user": render::user(&caller.account, &caller.account),
            "appInstalled": false,
            "canCreateDrives": true,
            "canCreateTeamDrives": true,
            "maxUploadSize": "5242880000000",
            "storageQuota": {
                "limit": "16106127360",
                "usage": bytes(false).to_string(),
                "usageInDrive": bytes(false).to_string(),
                "usageInDriveTrash": bytes(true).to_string(),
            },
            "exportFormats": exports,
            "importFormats": { "text/plain": [DOCUMENT], "text/csv": [SPREADSHEET] },
            "maxImportSizes": { DOCUMENT: "10485760", SPREADSHEET: "104857600", PRESENTATION: "104857600" },
            "folderColorPalette": ["#8f8f8f", "#ff7537"],
            "driveThemes": [],
            "teamDriveThemes": [],
        });
        Ok(Json(selection.apply(answer)))
    })
}
