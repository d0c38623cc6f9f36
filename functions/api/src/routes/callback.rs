//! `GET …/integrations/{provider}/callback`: the provider sends the person back. Whatever happens, the answer is a redirect to a
//! configured page with a word of ours; nothing that the provider or the address said is repeated.
//!
//! Below `/api/integrations` it is shared: the state knows whose connection it is. An organization's own takes only its states;
//! where it is refused, the browser is not sent to that organization's page, since the return address is never taken from the request.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use connections::{Callback, CallbackError};
use domain::{Owner, ProviderId, UserId};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use integrations::Action;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use web::cookie::{self, SetCookie};
use web::{Query, Session};

use super::connect_integration::cookie_name;
use crate::error::Result;
use crate::path::{Organization, ProviderText};
use crate::redirect::{self, slug_of};
use crate::state::Api;

/// What the provider put into the address.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackQuery {
    /// The code to exchange.
    code: Option<String>,
    /// The state that `connect` made.
    state: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Finishes a connection and sends the browser to the application.
#[utoipa::path(get, path = "/{provider}/callback", tag = "integrations", security(()), params(CallbackQuery),
    responses((status = 302, description = "To the application, with `?connected=<provider>` or `?error=<code>`")))]
pub async fn finish_connection(
    ProviderText(text): ProviderText,
    Organization(organization): Organization,
    Session(session): Session,
    State(api): State<Api>,
    headers: HeaderMap,
    query: std::result::Result<Query<CallbackQuery>, web::ApiError>,
) -> Result<Response> {
    let Ok(provider) = text.parse::<ProviderId>() else {
        return redirect::send(StatusCode::FOUND, &api.redirects.failed(None, "", "unknown_provider"))
            .map_err(Into::into);
    };
    // What cannot be read (a state that comes twice) is as good as absent.
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let (to, is_over) = match finish(&api, provider, organization.as_ref(), &query, session.as_ref(), &headers).await {
        Ok(owner) => (api.redirects.connected(&owner, provider), true),
        Err(refused) => {
            refused.log(provider);
            let to = api.redirects.failed(refused.slug(), provider.as_str(), refused.code());
            (to, refused.ends_the_flow())
        }
    };
    let mut answer = redirect::send(StatusCode::FOUND, &to)?;
    // A stranger's link must not end the flow that the person has begun in this browser.
    if is_over {
        take_cookie_back(&api.flow.cookie_path, api.flow.cookie_secure, provider, &mut answer);
    }
    Ok(answer)
}

/// Why nothing was connected.
enum Refused {
    /// The address has no code.
    NoCode,
    /// The flow came to an end.
    Flow(CallbackError),
}

async fn finish(
    api: &Api,
    provider: ProviderId,
    organization: Option<&Owner>,
    query: &CallbackQuery,
    session: Option<&UserId>,
    headers: &HeaderMap,
) -> std::result::Result<Owner, Refused> {
    let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    let (code, state) = (given(&query.code).unwrap_or_default(), given(&query.state).unwrap_or_default());
    let name = cookie_name(provider);
    let callback = Callback {
        provider,
        owner: organization,
        code: &code,
        state: &state,
        browser_cookie: cookie::read(headers, &name),
        session_user: session,
    };
    if let Some(error) = given(&query.error) {
        return Err(Refused::Flow(api.connections.denied(callback, &error).await));
    }
    if code.is_empty() && !state.is_empty() {
        return Err(Refused::NoCode);
    }
    let integration = api.connections.complete(callback).await.map_err(Refused::Flow)?;
    let (actor, owner) = (&integration.connected_by, &integration.owner);
    let detail = json!({"integration_id": integration.id.to_string()});
    api.audit.note(actor, Action::Connected, Some(owner), Some(provider), detail).await;
    if let Err(error) = api.integrations.connected(&integration).await {
        // It is connected all the same: the scheduler finds the new row by its due time and starts the sync.
        tracing::warn!(integration.id = %integration.id, error = error.to_string(), "the first sync was not started at once");
    }
    Ok(integration.owner)
}

impl Refused {
    const fn code(&self) -> &'static str {
        match self {
            Self::NoCode => "missing_code",
            Self::Flow(error) => error.code(),
        }
    }

    /// Whether the flow that the state names is over. One whose state was not accepted or could not be looked up, or that has no code, has spent nothing.
    fn ends_the_flow(&self) -> bool {
        !matches!(self.code(), "missing_code" | "invalid_state" | "unavailable")
    }

    fn slug(&self) -> Option<&str> {
        match self {
            Self::NoCode => None,
            Self::Flow(error) => error.owner.as_ref().and_then(slug_of),
        }
    }

    /// A redirect carries no envelope, so what went wrong is logged here.
    fn log(&self, provider: ProviderId) {
        let cause = match self {
            Self::NoCode => String::new(),
            Self::Flow(error) => lambda::telemetry::chain(error),
        };
        tracing::warn!(%provider, code = self.code(), error = cause, "a connection was not finished");
    }
}

fn take_cookie_back(path: &str, secure: bool, provider: ProviderId, answer: &mut Response) {
    let name = cookie_name(provider);
    let cookie = SetCookie { name: &name, value: "", path, max_age: Duration::ZERO, secure };
    if let Some(header) = cookie.header() {
        answer.headers_mut().append(SET_COOKIE, header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_that_is_over_takes_its_cookie_back_where_it_was_set() {
        let mut answer = Response::default();
        take_cookie_back("/mounted/api", true, ProviderId::GoogleDrive, &mut answer);
        let expected = "cognia_oauth_google_drive=; Path=/mounted/api; Max-Age=0; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(answer.headers().get(SET_COOKIE).unwrap(), expected);
    }
}
