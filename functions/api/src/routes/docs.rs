//! `GET /api/openapi.json` and `GET /api/docs`: this API, for programs and for people. The page needs no outside network.

use axum::extract::State;
use axum::response::{Html, IntoResponse};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use crate::document;
use crate::state::Api;

const PAGE: &str = include_str!("docs.html");

/// The page runs its own script and style and asks this server only.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The OpenAPI document of this API.
#[utoipa::path(get, path = "/api/openapi.json", tag = "about", security(()),
    responses((status = 200, description = "The document", content_type = "application/json", body = Object)))]
pub async fn get_document(State(api): State<Api>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")], document::at(&api.flow.public_url))
}

/// The same as a page.
#[utoipa::path(get, path = "/api/docs", tag = "about", security(()),
    responses((status = 200, description = "The page", content_type = "text/html", body = String)))]
pub async fn get_docs() -> impl IntoResponse {
    ([(CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "public, max-age=300")], Html(PAGE))
}
