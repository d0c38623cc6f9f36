//! For pages without JavaScript: a form may post to the API's routes, and the browser then lands on the application's page
//! instead of on JSON. The handlers know nothing of it.

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};
use web::ApiError;
use web::accept::prefers_html;

use crate::redirect;
use crate::state::Api;

/// Sends a browser that posted a form on: to the list of integrations, or to the page that says why not.
pub async fn land(State(api): State<Api>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !prefers_html(request.headers()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
    let param = |name: &str| {
        let found = params.iter().flatten().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.to_owned())
    };
    let (slug, provider) = (param("slug"), param("provider").unwrap_or_default());

    let answer = next.run(Request::from_parts(parts, body)).await;
    if answer.status().is_redirection() {
        return answer;
    }
    let error = answer.extensions().get::<Arc<ApiError>>();
    let to = match error {
        Some(error) => api.redirects.failed(slug.as_deref(), &provider, error.code),
        None => api.redirects.home(slug.as_deref()),
    };
    let Ok(mut landing) = redirect::send(StatusCode::SEE_OTHER, &to) else { return answer };
    if let Some(error) = error {
        // The error stays with the answer, so that it is logged.
        landing.extensions_mut().insert(Arc::clone(error));
    }
    landing
}
