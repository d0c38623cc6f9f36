//! One file: its metadata, its bytes, its exports.

use std::collections::HashMap;

use axum::{
    Json,
    body::Body as HttpBody,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use super::{
    caller::{Caller, Need},
    export,
    params::Params,
    render, shapes,
};
use crate::{
    google::{
        error::ApiError,
        file::{Body, File},
        state::Google,
    },
    state::Shared,
};

type Fields = HashMap<String, String>;

/// `GET /files/{id}`, with `alt=media` the bytes.
pub async fn get(
    State(sandbox): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params(query);
    match params.text("alt") {
        None | Some("json") => sandbox.read(|world| metadata(&world.google, &id, &params, &headers)),
        Some("media") => {
            let (caller, mime_type, bytes) = sandbox.read(|world| media(&world.google, &id, &params, &headers))?;
            note_opened(&sandbox, &id, &caller);
            Ok(ranged(&bytes, &mime_type, &headers))
        }
        Some(_) => Err(ApiError::invalid_value("alt")),
    }
}

/// `GET /files/{id}/export?mimeType=`: at most 10 MB.
pub async fn export(
    State(sandbox): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params(query);
    let mime_type = params.text("mimeType").ok_or_else(|| ApiError::required("mimeType"))?.to_owned();
    let (caller, file) = sandbox.read(|world| exportable(&world.google, &id, &params, &headers))?;
    let bytes = convert(&file, &mime_type)?;
    if bytes.len() > export::MAX_BYTES {
        return Err(ApiError::forbidden("exportSizeLimitExceeded", "This file is too large to be exported."));
    }
    note_opened(&sandbox, &id, &caller);
    Ok(download(bytes, &mime_type))
}

/// `GET /feeds/download/{kind}/Export?id=&exportFormat=` on the documents' own host: the same without the limit.
pub async fn export_link(
    State(sandbox): State<Shared>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params(query);
    let id = params.text("id").ok_or_else(|| ApiError::required("id"))?.to_owned();
    let format = params.text("exportFormat").ok_or_else(|| ApiError::required("exportFormat"))?;
    let mime_type = export::mime_type(format).ok_or_else(|| ApiError::invalid_value("exportFormat"))?;
    // This address knows nothing of Drive's flags: whoever may see the file gets it.
    let with_drives = Params(HashMap::from([("supportsAllDrives".to_owned(), "true".to_owned())]));
    let (_, file) = sandbox.read(|world| exportable(&world.google, &id, &with_drives, &headers))?;
    Ok(download(convert(&file, mime_type)?, mime_type))
}

/// The file, if the caller may see it; an item of a shared drive only when the caller says that it knows about these.
pub fn find<'a>(google: &'a Google, id: &str, params: &Params, caller: &Caller) -> Result<&'a File, ApiError> {
    let file = google.visible(&caller.account, id).filter(|_| caller.sees_all);
    let file = file.ok_or_else(|| ApiError::file_not_found(id))?;
    if file.drive_id.is_some() && !params.supports_all_drives()? {
        return Err(ApiError::file_not_found(id));
    }
    Ok(file)
}

fn metadata(google: &Google, id: &str, params: &Params, headers: &HeaderMap) -> Result<Response, ApiError> {
    let caller = Caller::recognize(google, headers, params.text("access_token"), Need::Metadata)?;
    let selection = params.selection(shapes::FILE, "kind,id,name,mimeType,resourceKey,driveId,teamDriveId")?;
    let file = find(google, id, params, &caller)?;
    Ok(Json(selection.apply(render::file(google, file, &caller.account))).into_response())
}

fn media(google: &Google, id: &str, params: &Params, headers: &HeaderMap) -> Result<(Caller, String, Bytes), ApiError> {
    let caller = Caller::recognize(google, headers, params.text("access_token"), Need::Content)?;
    let file = find(google, id, params, &caller)?;
    may_download(file, &caller)?;
    match file.body.bytes() {
        Some(bytes) => Ok((caller, file.mime_type.clone(), bytes.clone())),
        None => {
            let message = "Only files with binary content can be downloaded. Use Export with Docs Editors files.";
            Err(ApiError::forbidden("fileNotDownloadable", message).at("alt"))
        }
    }
}

fn exportable(google: &Google, id: &str, params: &Params, headers: &HeaderMap) -> Result<(Caller, File), ApiError> {
    let caller = Caller::recognize(google, headers, params.text("access_token"), Need::Content)?;
    let file = find(google, id, params, &caller)?;
    may_download(file, &caller)?;
    match file.body {
        Body::Document { .. } | Body::Spreadsheet { .. } | Body::Presentation { .. } => Ok((caller, file.clone())),
        _ => Err(ApiError::forbidden("fileNotExportable", "Export only supports Docs Editors files.")),
    }
}

fn may_download(file: &File, caller: &Caller) -> Result<(), ApiError> {
    if file.downloadable || (file.drive_id.is_none() && file.owner == caller.account.email) {
        return Ok(());
    }
    Err(ApiError::forbidden("cannotDownloadFile", "This file cannot be downloaded by the user."))
}

fn convert(file: &File, mime_type: &str) -> Result<Bytes, ApiError> {
    match export::convert(&file.body, mime_type) {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(error)) => {
            tracing::error!("cannot export {}: {error:#}", file.id);
            Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internalError", "Internal Error"))
        }
        None => Err(ApiError::new(StatusCode::BAD_REQUEST, "badRequest", "The requested conversion is not supported.")
            .at("convertTo")),
    }
}

/// A first look is a change of the world, though none that a feed tells of.
fn note_opened(sandbox: &Shared, id: &str, caller: &Caller) {
    let email = &caller.account.email;
    let known = sandbox.read(|world| world.google.files.get(id).is_some_and(|file| file.opened_by.contains(email)));
    if !known {
        sandbox.write(|world| world.google.opened(id, email));
    }
}

fn download(bytes: Bytes, mime_type: &str) -> Response {
    let mut response = Response::new(HttpBody::from(bytes));
    if let Ok(value) = HeaderValue::from_str(mime_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

/// The bytes, or the part of them that the `Range` header asks for.
fn ranged(bytes: &Bytes, mime_type: &str, headers: &HeaderMap) -> Response {
    let total = bytes.len();
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let mut response = match asked.map(|range| parse_range(range, total)) {
        Some(Range::Part(from, to)) => {
            let mut response = download(bytes.slice(from..=to), mime_type);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            if let Ok(value) = HeaderValue::from_str(&format!("bytes {from}-{to}/{total}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            response
        }
        Some(Range::Outside) => {
            let message = "Request range not satisfiable";
            let error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "requestedRangeNotSatisfiable", message);
            let mut response = error.into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{total}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return response;
        }
        Some(Range::Whole) | None => download(bytes.clone(), mime_type),
    };
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// Not a range that is understood: everything is sent, as HTTP allows.
    Whole,
    Part(usize, usize),
    Outside,
}

fn parse_range(text: &str, total: usize) -> Range {
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Range::Whole;
    };
    match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), _) if from >= total => Range::Outside,
        (Ok(from), Ok(to)) if from <= to => Range::Part(from, to.min(total - 1)),
        (Ok(from), Err(_)) if to.is_empty() => Range::Part(from, total - 1),
        (Err(_), Ok(0)) if from.is_empty() => Range::Outside,
        (Err(_), Ok(_)) if from.is_empty() && total == 0 => Range::Outside,
        (Err(_), Ok(last)) if from.is_empty() => Range::Part(total.saturating_sub(last), total - 1),
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        for (text, total, expected) in [
            ("bytes=0-3", 10, Range::Part(0, 3)),
            ("bytes=5-", 10, Range::Part(5, 9)),
            ("bytes=5-100", 10, Range::Part(5, 9)),
            ("bytes=-4", 10, Range::Part(6, 9)),
            ("bytes=-40", 10, Range::Part(0, 9)),
            ("bytes=10-", 10, Range::Outside),
            ("bytes=0-", 0, Range::Outside),
            ("bytes=-0", 10, Range::Outside),
            ("bytes=4-2", 10, Range::Whole),
            ("bytes=0-1,3-4", 10, Range::Whole),
            ("lines=0-1", 10, Range::Whole),
        ] {
            assert_eq!(parse_range(text, total), expected, "{text} of {total}");
        }
    }
}
