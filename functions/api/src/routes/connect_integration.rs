//! `POST …/integrations/{provider}/connect`: the address where the person grants access, and a cookie that ties the flow to
//! this browser. Without it, a stranger could send a victim their own authorize link and receive the victim's documents.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use connections::{Begin, BeginError, Begun};
use domain::ProviderId;
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use integrations::Action;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use web::cookie::SetCookie;
use web::{ApiError, Data, OwnerAdmin, Scope};

use crate::error::{Error, Result};
use crate::limits::{Barred, barred};
use crate::path::Provider;
use crate::redirect;
use crate::state::Api;

/// For how long a state, and the cookie with it, is accepted.
const COOKIE_LIVES: Duration = Duration::from_secs(600);

/// A connection that has begun.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionBegun {
    /// Where the person grants access.
    #[schema(format = "uri")]
    auth_url: String,
    /// The single-use state in it; good for ten minutes.
    state: String,
}

/// The cookie's name: one per provider, so that two connections can be under way in one browser.
pub fn cookie_name(provider: ProviderId) -> String {
    format!("cognia_oauth_{provider}")
}

/// Begins a connection. A browser that asks for HTML is sent to the provider at once.
#[utoipa::path(post, path = "/{provider}/connect", tag = "integrations", responses(
    (status = 200, description = "Where the person grants access; the answer sets a cookie that the callback needs", body = Data<ConnectionBegun>),
    (status = 303, description = "The same, for a browser"),
    (status = 402, description = "The plan allows no further integration", body = web::ErrorBody),
    (status = 409, description = "The operator has not set the provider up", body = web::ErrorBody)))]
pub async fn connect_integration(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Response> {
    let begin = Begin {
        owner: scope.owner.clone(),
        user: scope.caller.id.clone(),
        provider,
        redirect_uri: api.flow.redirect_uri(provider),
        browser: api.flow.bind_state_to_browser,
    };
    let begun = match api.connections.begin(begin).await {
        Ok(begun) => begun,
        Err(error) => return Err(explained(error, &api, &scope, provider).await),
    };
    api.note(&scope, Action::ConnectBegun, provider, Value::Null).await;
    let Begun { auth_url, state, browser_cookie } = begun;
    let mut answer = if web::accept::prefers_html(&headers) {
        redirect::send(StatusCode::SEE_OTHER, auth_url.as_str())?
    } else {
        Data::new(ConnectionBegun { auth_url: auth_url.into(), state }).into_response()
    };
    if let Some(value) = browser_cookie {
        let cookie = SetCookie {
            name: &cookie_name(provider),
            value: &value,
            path: &api.flow.cookie_path,
            max_age: COOKIE_LIVES,
            secure: api.flow.cookie_secure,
        };
        let header = cookie.header().ok_or_else(|| ApiError::internal("the cookie is no header value"))?;
        answer.headers_mut().append(SET_COOKIE, header);
    }
    Ok(answer)
}

/// The error with the limit that was met and what would lift it.
async fn explained(error: BeginError, api: &Api, scope: &Scope, provider: ProviderId) -> Error {
    match error {
        BeginError::QuotaExceeded => barred(api, scope, provider, Barred::Quota).await,
        BeginError::NotInPlan => barred(api, scope, provider, Barred::NotOffered).await,
        BeginError::NotOAuth | BeginError::NotConfigured | BeginError::Disabled | BeginError::Unavailable(_) => {
            error.into()
        }
    }
}
