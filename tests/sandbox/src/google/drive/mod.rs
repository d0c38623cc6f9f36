//! The Drive API, version 3: what answers under `https://www.googleapis.com/drive/v3`.

mod about;
pub mod caller;
mod changes;
pub mod channel;
mod channels;
mod content;
mod drives;
pub mod export;
mod fields;
mod files;
mod order;
mod page_token;
mod params;
pub mod push;
mod query;
pub mod render;
mod shapes;

use axum::{Router, response::IntoResponse, routing};

use super::error::ApiError;
use crate::state::Shared;

/// All routes, below `/drive/v3`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/about", routing::get(about::get))
        .route("/files", routing::get(files::list))
        .route("/files/{id}", routing::get(content::get))
        .route("/files/{id}/export", routing::get(content::export))
        .route("/files/{id}/watch", routing::post(channels::watch_file))
        .route("/drives", routing::get(drives::list))
        .route("/drives/{id}", routing::get(drives::get))
        .route("/changes/startPageToken", routing::get(changes::start_page_token))
        .route("/changes", routing::get(changes::list))
        .route("/changes/watch", routing::post(channels::watch_changes))
        .route("/channels/stop", routing::post(channels::stop))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
}

/// What Google says to an address or method that it does not know.
async fn unknown() -> impl IntoResponse {
    ApiError::new(axum::http::StatusCode::NOT_FOUND, "notFound", "Not Found")
}

/// What answers under `https://docs.google.com`: the export links, which know no size limit.
pub fn docs() -> Router<Shared> {
    Router::new().route("/feeds/download/{kind}/Export", routing::get(content::export_link))
}
