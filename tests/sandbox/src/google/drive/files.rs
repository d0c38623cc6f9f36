//! `files.list`: search, order, pages.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Query as UrlQuery, State},
    http::{HeaderMap, StatusCode},
};
use serde_json::{Value, json};

use super::{
    caller::{Caller, Need},
    order::{Key, Order},
    page_token::Request,
    params::Params,
    query::Query,
    render, shapes,
};
use crate::{
    clock,
    google::{error::ApiError, file::File, state::Google},
    state::Shared,
};

/// Which body of files is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Corpus {
    /// The caller's own view: My Drive, what is shared with the caller, and what the caller opened in shared drives.
    User,
    Drive(String),
    AllDrives,
}

/// `GET /files`.
pub async fn list(
    State(sandbox): State<Shared>,
    UrlQuery(query): UrlQuery<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let params = Params(query);
    sandbox.read(|world| answer(&world.google, &params, &headers)).map(Json)
}

fn answer(google: &Google, params: &Params, headers: &HeaderMap) -> Result<Value, ApiError> {
    let caller = Caller::recognize(google, headers, params.text("access_token"), Need::Metadata)?;
    let selection = params.selection(
        shapes::FILE_LIST,
        "kind,incompleteSearch,nextPageToken,files(kind,id,name,mimeType,resourceKey,driveId,teamDriveId)",
    )?;
    let size = params.page_size(100, 1000, true)?;
    let corpus = corpus(google, params, &caller)?;
    let include_drives = params.includes_all_drives()?;
    let query = params.text("q").map(Query::parse).transpose().map_err(|_| ApiError::invalid_value("q"))?;
    let order_text = params.text("orderBy").unwrap_or_default();
    let order = Order::parse(order_text).ok_or_else(|| ApiError::invalid_value("orderBy"))?;
    if query.as_ref().is_some_and(Query::has_full_text) && !order_text.is_empty() {
        let message = "Sorting is not supported for queries with fullText terms.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "badRequest", message).at("orderBy"));
    }
    let spaces = params.text("spaces").unwrap_or("drive");
    if !spaces.split(',').all(|space| matches!(space, "drive" | "appDataFolder" | "photos")) {
        return Err(ApiError::invalid_value("spaces"));
    }
    let request = Request::new(
        &[
            &caller.account.email,
            params.text("q").unwrap_or_default(),
            order_text,
            &format!("{corpus:?} {include_drives} {spaces}"),
        ],
        google.feeds.epoch(),
    );
    let after = match params.text("pageToken") {
        Some(token) => Some(request.after(token, clock::now()).ok_or_else(|| ApiError::invalid_value("pageToken"))?),
        None => None,
    };
    let mut named = Vec::new();
    if let Some(query) = &query {
        query.named_parents(&mut named);
    }
    let in_corpus = |file: &&File| match (&corpus, &file.drive_id) {
        _ if !caller.sees_all || !spaces.contains("drive") => false,
        (_, Some(_)) if !include_drives => false,
        (Corpus::Drive(drive), found) => found.as_ref() == Some(drive),
        (Corpus::AllDrives, _) | (Corpus::User, None) => true,
        (Corpus::User, Some(_)) => {
            file.opened_by.contains(&caller.account.email)
                || file.parent.as_deref().is_some_and(|parent| named.contains(&parent))
        }
    };
    let mut found: Vec<(Key, &File)> = google
        .files_of(&caller.account.email)
        .filter(in_corpus)
        .filter(|file| query.as_ref().is_none_or(|query| query.matches(google, &caller.account, file)))
        .map(|file| (order.key(file), file))
        .filter(|(key, _)| after.as_ref().is_none_or(|after| order.compare(key, after).is_gt()))
        .collect();
    found.sort_by(|(a, _), (b, _)| order.compare(a, b));
    let more = found.len() > size;
    found.truncate(size);
    let mut answer = json!({
        "kind": "drive#fileList",
        "incompleteSearch": google.settings.incomplete_search && corpus == Corpus::AllDrives,
    });
    let of_file = selection.of("files");
    let files: Vec<Value> = match &of_file {
        Some(of_file) => {
            found.iter().map(|(_, file)| of_file.apply(render::file(google, file, &caller.account))).collect()
        }
        None => Vec::new(),
    };
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("files".to_owned(), Value::Array(files));
        if let (true, Some((last, _))) = (more, found.last()) {
            answer.insert("nextPageToken".to_owned(), json!(request.token(last.clone(), clock::now())));
        }
    }
    Ok(selection.apply(answer))
}

fn corpus(google: &Google, params: &Params, caller: &Caller) -> Result<Corpus, ApiError> {
    let corpora = params.text("corpora").or_else(|| params.text("corpus"));
    let corpora = match (corpora, params.drive_id()) {
        (None, Some(_)) => "drive",
        (None, None) => "user",
        (Some(corpora), _) => corpora,
    };
    let corpus = match (corpora, params.drive_id()) {
        ("user" | "domain" | "default", None) => Corpus::User,
        ("allDrives" | "user,allTeamDrives", None) => Corpus::AllDrives,
        ("drive" | "teamDrive", Some(id)) => {
            let drive = google.drives.get(id).filter(|drive| drive.members.contains(&caller.account.email));
            drive.ok_or_else(|| ApiError::drive_not_found(id))?;
            Corpus::Drive(id.to_owned())
        }
        ("drive" | "teamDrive" | "user" | "domain" | "default" | "allDrives", _) => {
            let message = "The driveId parameter must be specified if and only if corpora is set to drive.";
            return Err(ApiError::invalid_parameter("driveId", message));
        }
        _ => return Err(ApiError::invalid_value("corpora")),
    };
    if corpus != Corpus::User && !params.includes_all_drives()? {
        let message = "The includeItemsFromAllDrives parameter must be set to true when driveId is specified or \
                       corpora contains drive or allDrives.";
        return Err(ApiError::invalid_parameter("includeItemsFromAllDrives", message));
    }
    Ok(corpus)
}
