//! Notion's OAuth: HTTP Basic with a JSON body, no scopes, no PKCE, and tokens that name no end.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{ProviderSettings, Timestamp, TokenSet};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::client::{SITE, VERSION, error, malformed};
use super::wire::Failure;
use crate::error::{Kind, ProviderError};
use crate::http::{Answer, Call, Http, Payload};
use crate::oauth::{CodeFlow, refused};
use crate::provider::{Flow, OAuth};
use crate::retry_after;

/// What is asked for: nothing by name. What an integration may do is set where it is registered, and people pick the pages.
pub const SCOPES: &[&str] = &[];

const TOKEN: &str = "https://api.notion.com/v1/oauth/token";
const REVOKE: &str = "https://api.notion.com/v1/oauth/revoke";

/// Where the person grants access; the rest of the flow is Notion's own.
const FLOW: CodeFlow = CodeFlow {
    site: SITE,
    authorize: "https://api.notion.com/v1/oauth/authorize",
    token: TOKEN,
    revoke: REVOKE,
    scopes: SCOPES,
    extra: &[("owner", "user")],
    refusals: &[],
};

/// Notion's flow with the client that its requests leave through.
pub struct Auth {
    http: Http,
}

/// A token endpoint's answer. What it says of the workspace is asked of the API again, where it is needed.
#[derive(Deserialize)]
struct Tokens {
    access_token: SecretString,
    #[serde(default)]
    refresh_token: Option<SecretString>,
}

impl Auth {
    /// Notion's OAuth over this client.
    pub const fn new(http: Http) -> Self {
        Self { http }
    }

    async fn post(&self, settings: &ProviderSettings, to: &str, body: Value) -> Result<Answer, ProviderError> {
        let url = Url::parse(to).map_err(|cause| misconfigured("token").because(cause))?;
        if settings.client_id.is_empty() {
            return Err(misconfigured("no client id"));
        }
        let pair = format!("{}:{}", settings.client_id, settings.client_secret.expose_secret());
        let mut basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
            .map_err(|_| misconfigured("client id or secret"))?;
        basic.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, basic);
        headers.insert("notion-version", HeaderValue::from_static(VERSION));
        let call = Call { method: Method::POST, url, bearer: None, headers, payload: Payload::Json(body) };
        let answer = self.http.send_patiently(SITE, settings, call).await?;
        match answer.status.as_u16() {
            429 | 529 => Err(error(Kind::RateLimited {
                retry_after: retry_after::from_headers(&answer.headers, self.http.now()),
            })),
            408 | 409 | 500..=599 => Err(error(Kind::Unavailable)),
            300..=399 => Err(error(Kind::AddressRefused("a redirect".to_owned()))),
            _ => Ok(answer),
        }
    }

    async fn tokens(&self, settings: &ProviderSettings, body: Value) -> Result<TokenSet, ProviderError> {
        let answer = self.post(settings, TOKEN, body).await?;
        if !answer.status.is_success() {
            return Err(error(refusal(Failure::read(&answer.body).code())));
        }
        let tokens: Option<Tokens> = serde_json::from_slice(&answer.body).ok();
        let tokens = tokens.filter(|tokens| !tokens.access_token.expose_secret().is_empty());
        let tokens = tokens.ok_or_else(|| malformed("the token endpoint's answer is no token"))?;
        Ok(TokenSet {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token.filter(|token| !token.expose_secret().is_empty()),
            // How long a token lives is not told; its end shows when it is refused.
            expires_at: None,
            scope: None,
        })
    }
}

/// What a refusal means. Notion has answered in OAuth's words and in those of its API.
fn refusal(code: &str) -> Kind {
    match code {
        "unauthorized" | "invalid_request" | "validation_error" | "invalid_json" | "invalid_request_url" => {
            Kind::Misconfigured(code.to_owned())
        }
        code => refused(code),
    }
}

fn misconfigured(what: &str) -> ProviderError {
    error(Kind::Misconfigured(what.to_owned()))
}

#[async_trait]
impl OAuth for Auth {
    fn uses_pkce(&self) -> bool {
        false
    }

    fn authorize_url(&self, settings: &ProviderSettings, flow: &Flow<'_>) -> Result<Url, ProviderError> {
        FLOW.authorize_url(settings, flow)
    }

    async fn exchange(
        &self,
        settings: &ProviderSettings,
        code: &str,
        redirect_uri: &str,
        _pkce_verifier: Option<&str>,
        _now: Timestamp,
    ) -> Result<TokenSet, ProviderError> {
        let body = json!({"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri});
        self.tokens(settings, body).await
    }

    async fn refresh(
        &self,
        settings: &ProviderSettings,
        refresh_token: &SecretString,
        _now: Timestamp,
    ) -> Result<TokenSet, ProviderError> {
        let body = json!({"grant_type": "refresh_token", "refresh_token": refresh_token.expose_secret()});
        self.tokens(settings, body).await
    }

    async fn revoke(&self, settings: &ProviderSettings, tokens: &TokenSet) -> Result<(), ProviderError> {
        let answer = self.post(settings, REVOKE, json!({"token": tokens.access_token.expose_secret()})).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        match Failure::read(&answer.body).code() {
            "invalid_token" | "invalid_grant" => Ok(()),
            code => Err(error(refusal(code))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notion::tests::access;
    use crate::testing::{Reply, Server};

    fn now() -> Timestamp {
        "2026-11-25T02:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_authorize_url_asks_for_a_persons_pages_and_for_no_scope() {
        let flow = Flow { state: "st", redirect_uri: "https://us.example/cb", pkce_challenge: None };
        let url = Auth::new(Http::new()).authorize_url(&crate::testing::settings(&[]), &flow).unwrap();
        assert_eq!((url.host_str(), url.path()), (Some("api.notion.com"), "/v1/oauth/authorize"));
        let pairs: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(
            (pairs["owner"].as_str(), pairs["response_type"].as_str(), pairs["state"].as_str()),
            ("user", "code", "st")
        );
        assert_eq!((pairs["client_id"].as_str(), pairs.contains_key("scope")), ("app", false));
        assert!(!url.as_str().contains("app-secret"));
    }

    #[tokio::test]
    async fn a_code_and_a_refresh_token_go_as_json_with_basic_authentication() {
        let body = json!({"access_token": "at", "token_type": "bearer", "refresh_token": "rt", "bot_id": "b", "workspace_id": "w", "workspace_name": null, "owner": {"type": "workspace"}});
        let server = Server::start(move |_| Reply::json(200, &body)).await;
        let (auth, access) = (Auth::new(Http::new()), access(&server));
        let first = auth.exchange(&access.settings, "c/1", "https://us.example/cb", None, now()).await.unwrap();
        let fresh = auth.refresh(&access.settings, &"old".into(), now()).await.unwrap();
        for tokens in [&first, &fresh] {
            assert_eq!(tokens.access_token.expose_secret(), "at");
            assert_eq!(tokens.refresh_token.as_ref().unwrap().expose_secret(), "rt");
            assert_eq!((tokens.expires_at, &tokens.scope), (None, &None));
        }
        auth.revoke(&access.settings, &first).await.unwrap();
        let seen = server.seen();
        let bodies: Vec<Value> = seen.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
        assert_eq!(
            bodies[0],
            json!({"grant_type": "authorization_code", "code": "c/1", "redirect_uri": "https://us.example/cb"})
        );
        assert_eq!(bodies[1], json!({"grant_type": "refresh_token", "refresh_token": "old"}));
        assert_eq!((seen[2].path.as_str(), &bodies[2]), ("/v1/oauth/revoke", &json!({"token": "at"})));
        for request in &seen {
            assert_eq!(request.headers["authorization"], format!("Basic {}", STANDARD.encode("app:app-secret")));
            assert_eq!(request.headers["content-type"], "application/json");
        }
    }

    #[tokio::test]
    async fn an_absent_refresh_token_is_none() {
        for token in [r#","refresh_token":null"#, r#","refresh_token":"""#, ""] {
            let body = format!(r#"{{"access_token":"at"{token}}}"#);
            let server = Server::start(move |_| Reply::json(200, &body)).await;
            let tokens = Auth::new(Http::new()).refresh(&access(&server).settings, &"old".into(), now()).await.unwrap();
            assert!(tokens.refresh_token.is_none());
        }
    }

    #[tokio::test]
    async fn every_refusal_says_who_must_act_in_either_form() {
        let check = async |status: u16, body: &'static str| {
            let server = Server::start(move |_| Reply::json(status, body)).await;
            let auth = Auth::new(Http::new());
            let error = auth.refresh(&access(&server).settings, &"canary-old".into(), now()).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"));
            error.kind
        };
        let dead = Kind::GrantDead("invalid_grant".to_owned());
        assert_eq!(check(400, r#"{"error":"invalid_grant","error_description":"canary"}"#).await, dead);
        assert_eq!(
            check(400, r#"{"object":"error","status":400,"code":"invalid_grant","message":"canary"}"#).await,
            dead
        );
        assert_eq!(check(401, r#"{"error":"invalid_client"}"#).await, Kind::Misconfigured("invalid_client".to_owned()));
        assert_eq!(
            check(401, r#"{"object":"error","code":"unauthorized"}"#).await,
            Kind::Misconfigured("unauthorized".to_owned())
        );
        assert_eq!(check(429, "").await, Kind::RateLimited { retry_after: None });
        for status in [500, 502, 503, 504] {
            assert_eq!(
                check(status, r#"{"error":"invalid_grant"}"#).await,
                Kind::Unavailable,
                "{status} is no verdict"
            );
        }
        for body in ["", "{}", "[]", r#"{"access_token":""}"#, r#"{"access_token":7}"#, "<html>canary</html>"] {
            assert!(matches!(check(200, body).await, Kind::Malformed(_)), "{body}");
        }
    }

    #[tokio::test]
    async fn a_dead_token_counts_as_revoked_and_an_outage_does_not() {
        let check = async |status, body: &'static str| {
            let server = Server::start(move |_| Reply::json(status, body)).await;
            let tokens = TokenSet { access_token: "at".into(), refresh_token: None, expires_at: None, scope: None };
            Auth::new(Http::new()).revoke(&access(&server).settings, &tokens).await.map_err(|error| error.kind)
        };
        assert_eq!(check(200, "{}").await, Ok(()));
        assert_eq!(check(400, r#"{"error":"invalid_token"}"#).await, Ok(()));
        assert_eq!(check(503, "").await, Err(Kind::Unavailable));
    }
}
