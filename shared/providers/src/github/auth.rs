//! GitHub's OAuth, of both kinds of app: an OAuth app, whose tokens do not end, and a GitHub App, whose user tokens live eight hours and
//! come with a refresh token that serves once.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{ProviderSettings, Timestamp, TokenSet};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use url::Url;

use super::client::{API, SITE, error};
use crate::error::{Kind, ProviderError};
use crate::http::{Call, Http, Payload};
use crate::oauth::{CodeFlow, Refusal, Verdict};
use crate::provider::{Flow, OAuth};
use crate::retry_after;

/// Private repositories can be read with this alone, and it includes their hooks; GitHub has no scope that only reads. GitHub Apps
/// ignore scopes: their permissions are the app's.
pub const SCOPES: &[&str] = &["repo"];

const FLOW: CodeFlow = CodeFlow {
    site: SITE,
    authorize: "https://github.com/login/oauth/authorize",
    token: "https://github.com/login/oauth/access_token",
    // Never called: GitHub's revocation is another request, see `revoke`.
    revoke: API,
    scopes: SCOPES,
    extra: &[],
    refusals: REFUSALS,
};

/// The same without scopes: GitHub parts granted ones by commas, and a GitHub App's token names none. They are checked here.
const EXCHANGE: CodeFlow = CodeFlow { scopes: &[], ..FLOW };

/// Refusals that RFC 6749 does not know ("Troubleshooting OAuth app access token request errors"). They come with status 200.
const REFUSALS: &[Refusal] = &[Refusal { code: "unverified_user_email", saying: "", means: Verdict::Dead }];

/// The code flow with the client that its requests leave through.
pub struct Auth {
    http: Http,
}

impl Auth {
    /// GitHub's OAuth over this client.
    pub const fn new(http: Http) -> Self {
        Self { http }
    }
}

#[async_trait]
impl OAuth for Auth {
    fn uses_pkce(&self) -> bool {
        true
    }

    fn authorize_url(&self, settings: &ProviderSettings, flow: &Flow<'_>) -> Result<Url, ProviderError> {
        FLOW.authorize_url(settings, flow)
    }

    async fn exchange(
        &self,
        settings: &ProviderSettings,
        code: &str,
        redirect_uri: &str,
        pkce_verifier: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenSet, ProviderError> {
        let tokens = EXCHANGE.exchange(&self.http, settings, code, redirect_uri, pkce_verifier, now).await?;
        let tokens = TokenSet { scope: tokens.scope.as_deref().and_then(spaced), ..tokens };
        if lacks_scope(&tokens) {
            return Err(error(Kind::ScopeMissing));
        }
        Ok(tokens)
    }

    async fn refresh(
        &self,
        settings: &ProviderSettings,
        refresh_token: &SecretString,
        now: Timestamp,
    ) -> Result<TokenSet, ProviderError> {
        let tokens = EXCHANGE.refresh(&self.http, settings, refresh_token, now).await?;
        Ok(TokenSet { scope: tokens.scope.as_deref().and_then(spaced), ..tokens })
    }

    /// `DELETE /applications/{client_id}/token`, as the app itself. It ends this token and no other: the grant as a whole may serve
    /// another connection of the same person.
    async fn revoke(&self, settings: &ProviderSettings, tokens: &TokenSet) -> Result<(), ProviderError> {
        let wrong = || error(Kind::Misconfigured("client id".to_owned()));
        let mut url = Url::parse(API).map_err(|_| wrong())?;
        url.path_segments_mut().map_err(|()| wrong())?.clear().extend(["applications", &settings.client_id, "token"]);
        let pair = format!("{}:{}", settings.client_id, settings.client_secret.expose_secret());
        let mut basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).map_err(|_| wrong())?;
        basic.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, basic);
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        let payload = Payload::Json(json!({"access_token": tokens.access_token.expose_secret()}));
        let call = Call { method: Method::DELETE, url, bearer: None, headers, payload };
        let answer = self.http.send(SITE, settings, call).await?;
        match answer.status.as_u16() {
            // 404 and 422 are said of tokens that are dead already.
            200..=299 | 404 | 422 => Ok(()),
            401 => Err(error(Kind::Misconfigured("incorrect_client_credentials".to_owned()))),
            403 | 429 => {
                let retry_after = retry_after::asked(&answer.headers, &answer.body, self.http.now());
                Err(error(Kind::RateLimited { retry_after }))
            }
            408 | 500..=599 => Err(error(Kind::Unavailable)),
            status => Err(error(Kind::Rejected(format!("status {status}")))),
        }
    }
}

/// Granted scopes parted by spaces; none where GitHub names none.
fn spaced(scope: &str) -> Option<String> {
    let words: Vec<&str> = scope.split([',', ' ']).filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Whether a person granted an OAuth app less than it asked for. A GitHub App's token (`ghu_`) names no scopes.
fn lacks_scope(tokens: &TokenSet) -> bool {
    let has_all = |granted: &str| SCOPES.iter().all(|needed| granted.split(' ').any(|scope| scope == *needed));
    match &tokens.scope {
        Some(granted) => !has_all(granted),
        None => tokens.access_token.expose_secret().starts_with("gho_"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::Value;

    use super::*;
    use crate::testing::{Reply, Server, settings};

    fn at(server: &Server) -> ProviderSettings {
        settings(&[("https://github.com", server.url()), ("https://api.github.com", server.url())])
    }

    fn now() -> Timestamp {
        "2026-11-25T02:00:00Z".parse().unwrap()
    }

    async fn exchanged(status: u16, body: Value) -> Result<TokenSet, Kind> {
        let server = Server::start(move |_| Reply::json(status, &body)).await;
        let auth = Auth::new(Http::new());
        let tokens = auth.exchange(&at(&server), "code", "https://us.example/cb", Some("v"), now()).await;
        let asked = &server.seen()[0];
        assert_eq!(
            (asked.path.as_str(), asked.headers["accept"].as_str()),
            ("/login/oauth/access_token", "application/json")
        );
        assert_eq!(
            (asked.form()["client_secret"].as_str(), asked.form()["code_verifier"].as_str()),
            ("app-secret", "v")
        );
        tokens.map_err(|error| error.kind)
    }

    #[tokio::test]
    async fn an_oauth_apps_token_has_no_end_and_must_carry_the_scope() {
        let tokens = exchanged(200, json!({"access_token": "gho_x", "scope": "gist,repo", "token_type": "bearer"}))
            .await
            .unwrap();
        assert_eq!((tokens.expires_at, tokens.scope.as_deref()), (None, Some("gist repo")));
        assert!(tokens.refresh_token.is_none());
        for scope in ["", "gist", "public_repo"] {
            let answer = json!({"access_token": "gho_x", "scope": scope, "token_type": "bearer"});
            assert_eq!(exchanged(200, answer).await.unwrap_err(), Kind::ScopeMissing, "{scope}");
        }
    }

    #[tokio::test]
    async fn a_github_apps_token_ends_and_names_no_scopes() {
        let answer = json!({"access_token": "ghu_x", "expires_in": 28800, "refresh_token": "ghr_x",
            "refresh_token_expires_in": 15_811_200, "scope": "", "token_type": "bearer"});
        let tokens = exchanged(200, answer).await.unwrap();
        assert_eq!((tokens.expires_at, tokens.scope), (Some(now() + TimeDelta::hours(8)), None));
        assert_eq!(tokens.refresh_token.unwrap().expose_secret(), "ghr_x");
    }

    #[tokio::test]
    async fn errors_that_come_with_success_are_errors() {
        let check = async |code: &str, kind: Kind| {
            let body = json!({"error": code, "error_description": "canary", "error_uri": "https://docs"});
            let error = exchanged(200, body).await.unwrap_err();
            assert!(!format!("{error}").contains("canary"));
            assert_eq!(error, kind, "{code}");
        };
        check("bad_verification_code", Kind::GrantDead("bad_verification_code".to_owned())).await;
        check("bad_refresh_token", Kind::GrantDead("bad_refresh_token".to_owned())).await;
        check("unverified_user_email", Kind::GrantDead("unverified_user_email".to_owned())).await;
        check("incorrect_client_credentials", Kind::Misconfigured("incorrect_client_credentials".to_owned())).await;
        check("redirect_uri_mismatch", Kind::Misconfigured("redirect_uri_mismatch".to_owned())).await;
        check("something_new", Kind::Rejected("something_new".to_owned())).await;
        assert_eq!(exchanged(503, json!({})).await.unwrap_err(), Kind::Unavailable);
    }

    #[tokio::test]
    async fn revoking_ends_one_token_as_the_app() {
        let check = async |status, expected: Result<(), Kind>| {
            let server = Server::start(move |_| Reply::json(status, "")).await;
            let tokens = TokenSet { access_token: "canary".into(), refresh_token: None, expires_at: None, scope: None };
            let revoked = Auth::new(Http::new()).revoke(&at(&server), &tokens).await;
            assert_eq!(revoked.map_err(|error| error.kind), expected, "{status}");
            let asked = &server.seen()[0];
            assert_eq!((asked.method.as_str(), asked.path.as_str()), ("DELETE", "/applications/app/token"));
            assert_eq!(asked.headers["authorization"], format!("Basic {}", STANDARD.encode("app:app-secret")));
        };
        check(204, Ok(())).await;
        check(422, Ok(())).await;
        check(404, Ok(())).await;
        check(503, Err(Kind::Unavailable)).await;
        check(401, Err(Kind::Misconfigured("incorrect_client_credentials".to_owned()))).await;
    }
}
