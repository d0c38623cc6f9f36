//! The OAuth 2 code flow that providers share: authorize, exchange, refresh, revoke, and what the token endpoint's errors mean.
//!
//! Requests are made by the `oauth2` crate, sent through our own client. The token answer is a type of our own, because providers send
//! lives that the crate's refuses (negative, absurd, as text). Revocation is our own too: for us a token that is dead already counts as
//! revoked, and the crate also insists on https where an operator may name a plain local endpoint.

use std::borrow::Cow;
use std::time::Duration;

use chrono::TimeDelta;
use domain::{ProviderSettings, Timestamp, TokenSet};
use futures::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{Kind, ProviderError};
use crate::http::{Answer, Call, Http, Payload, Site};
use crate::provider::Flow;
pub use crate::refusal::{Refusal, Verdict};
use crate::retry_after;

/// Longest believed life of an access token; a longer one is taken as this.
const LONGEST_LIFE_SECONDS: f64 = 10.0 * 365.0 * 86_400.0;

/// A provider's code flow.
#[derive(Debug, Clone, Copy)]
pub struct CodeFlow {
    /// Whom errors name and which hosts may be called.
    pub site: Site,
    /// Where the person grants access.
    pub authorize: &'static str,
    /// Where codes and refresh tokens are exchanged.
    pub token: &'static str,
    /// Where a grant is withdrawn.
    pub revoke: &'static str,
    /// What is asked for.
    pub scopes: &'static [&'static str],
    /// What else the provider wants in the authorize URL.
    pub extra: &'static [(&'static str, &'static str)],
    /// Where the provider's refusals mean something else than RFC 6749 says. The first that fits decides.
    pub refusals: &'static [Refusal],
}

type Client = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl CodeFlow {
    /// Where the person grants access, under the operator's mapping.
    ///
    /// # Errors
    /// [`Kind::Misconfigured`] for a registration without a client id or with endpoints that make no URL.
    pub fn authorize_url(&self, settings: &ProviderSettings, flow: &Flow<'_>) -> Result<Url, ProviderError> {
        let client = self.client(settings)?;
        let mut request = client
            .authorize_url(|| CsrfToken::new(flow.state.to_owned()))
            .set_redirect_uri(Cow::Owned(self.redirect(flow.redirect_uri)?))
            .add_scopes(self.scopes.iter().map(|scope| Scope::new((*scope).to_owned())));
        for (name, value) in self.extra {
            request = request.add_extra_param(*name, *value);
        }
        if let Some(challenge) = flow.pkce_challenge {
            request =
                request.add_extra_param("code_challenge", challenge).add_extra_param("code_challenge_method", "S256");
        }
        Http::mapped(self.site, settings, &request.url().0)
    }

    /// Exchanges a code. Grants that lack one of [`Self::scopes`] are refused: people may untick them.
    ///
    /// # Errors
    /// [`Kind::GrantDead`] for a code that is not (or no longer) good, [`Kind::ScopeMissing`], [`Kind::Misconfigured`],
    /// [`Kind::RateLimited`], [`Kind::Unavailable`], [`Kind::Malformed`].
    pub async fn exchange(
        &self,
        http: &Http,
        settings: &ProviderSettings,
        code: &str,
        redirect_uri: &str,
        pkce_verifier: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenSet, ProviderError> {
        let client = self.client(settings)?;
        let mut request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_redirect_uri(Cow::Owned(self.redirect(redirect_uri)?));
        if let Some(verifier) = pkce_verifier {
            request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
        }
        let sender = Sender { flow: self, http, settings };
        let tokens = self.tokens(request.request_async(&sender).await, now)?;
        if let Some(granted) = &tokens.scope
            && !self.scopes.iter().all(|needed| granted.split_whitespace().any(|scope| scope == *needed))
        {
            return Err(self.error(Kind::ScopeMissing));
        }
        Ok(tokens)
    }

    /// New tokens for a refresh token; an absent refresh token in the answer stays absent, which means: keep the old one.
    ///
    /// # Errors
    /// As [`Self::exchange`], without the scopes.
    pub async fn refresh(
        &self,
        http: &Http,
        settings: &ProviderSettings,
        refresh_token: &SecretString,
        now: Timestamp,
    ) -> Result<TokenSet, ProviderError> {
        let client = self.client(settings)?;
        let token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let sender = Sender { flow: self, http, settings };
        let answer = client.exchange_refresh_token(&token).request_async(&sender).await;
        self.tokens(answer, now)
    }

    /// Withdraws the grant behind a token. One that is dead already counts as withdrawn.
    ///
    /// # Errors
    /// [`Kind::RateLimited`], [`Kind::Unavailable`], [`Kind::Rejected`].
    pub async fn revoke(
        &self,
        http: &Http,
        settings: &ProviderSettings,
        token: &SecretString,
    ) -> Result<(), ProviderError> {
        let url = Url::parse(self.revoke).map_err(|error| self.misconfigured("revoke").because(error))?;
        let form =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token.expose_secret()).finish();
        let payload = Payload::Form(form.into());
        let call = Call { method: Method::POST, url, bearer: None, headers: HeaderMap::new(), payload };
        let answer = http.send(self.site, settings, call).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        self.check_temporary(&answer, http.now())?;
        match error_code(&answer.body).as_deref() {
            Some("invalid_token" | "invalid_grant") => Ok(()),
            code => Err(self.error(refused(code.unwrap_or_default()))),
        }
    }

    fn client(&self, settings: &ProviderSettings) -> Result<Client, ProviderError> {
        if settings.client_id.is_empty() {
            return Err(self.misconfigured("no client id"));
        }
        let authorize =
            AuthUrl::new(self.authorize.to_owned()).map_err(|error| self.misconfigured("authorize").because(error))?;
        let token = TokenUrl::new(self.token.to_owned()).map_err(|error| self.misconfigured("token").because(error))?;
        Ok(oauth2::Client::new(ClientId::new(settings.client_id.clone()))
            .set_client_secret(ClientSecret::new(settings.client_secret.expose_secret().to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(authorize)
            .set_token_uri(token))
    }

    fn redirect(&self, uri: &str) -> Result<RedirectUrl, ProviderError> {
        RedirectUrl::new(uri.to_owned()).map_err(|error| self.misconfigured("redirect URL").because(error))
    }

    /// Sends a token request. What is no verdict on the grant (down, busy, redirected) is an error here; the rest the crate reads.
    async fn send(
        &self,
        http: &Http,
        settings: &ProviderSettings,
        request: HttpRequest,
    ) -> Result<HttpResponse, ProviderError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| self.misconfigured("token").because(error))?;
        let form = String::from_utf8(body).map_err(|_| self.misconfigured("token"))?;
        let mut headers = parts.headers;
        // The payload brings its own.
        headers.remove(http::header::CONTENT_TYPE);
        let call = Call { method: parts.method, url, bearer: None, headers, payload: Payload::Form(form.into()) };
        let answer = http.send_patiently(self.site, settings, call).await?;
        self.check_temporary(&answer, http.now())?;
        // Some providers answer errors with 200; the crate looks for an error only elsewhere.
        let status = match error_code(&answer.body) {
            Some(_) if answer.status.is_success() => StatusCode::BAD_REQUEST,
            _ => answer.status,
        };
        let mut response = HttpResponse::new(answer.body);
        *response.status_mut() = status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }

    fn check_temporary(&self, answer: &Answer, now: Timestamp) -> Result<(), ProviderError> {
        match answer.status.as_u16() {
            429 => Err(self.error(Kind::RateLimited { retry_after: retry_after::from_headers(&answer.headers, now) })),
            408 | 500..=599 => Err(self.error(Kind::Unavailable)),
            300..=399 => Err(self.error(Kind::AddressRefused("a redirect".to_owned()))),
            _ => Ok(()),
        }
    }

    fn tokens(
        &self,
        answer: Result<TokenAnswer, RequestTokenError<ProviderError, BasicErrorResponse>>,
        now: Timestamp,
    ) -> Result<TokenSet, ProviderError> {
        // The crate's errors are not kept as causes: two of them carry the body.
        let answer = answer.map_err(|error| match error {
            RequestTokenError::Request(error) => error,
            RequestTokenError::ServerResponse(response) => {
                let said = response.error_description().map_or("", String::as_str);
                self.error(self.refused(response.error().as_ref(), said))
            }
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => self.error(malformed()),
        })?;
        if answer.access_token.secret().is_empty() {
            return Err(self.error(malformed()));
        }
        let refresh_token = answer.refresh_token.as_ref().map(RefreshToken::secret).filter(|token| !token.is_empty());
        Ok(TokenSet {
            access_token: answer.access_token.secret().clone().into(),
            refresh_token: refresh_token.map(|token| token.clone().into()),
            expires_at: answer.life_seconds().map(|life| now + life),
            scope: answer.scope,
        })
    }

    /// What a refusal means at this provider. What it said beside the code is compared and not repeated.
    fn refused(&self, code: &str, said: &str) -> Kind {
        let fits = |refusal: &&Refusal| refusal.code == code && said.contains(refusal.saying);
        match self.refusals.iter().find(fits).map(|refusal| refusal.means) {
            Some(Verdict::Dead) => Kind::GrantDead(word(code)),
            Some(Verdict::Passing) => Kind::Unavailable,
            Some(Verdict::Ours) => Kind::Misconfigured(word(code)),
            None => refused(code),
        }
    }

    fn error(&self, kind: Kind) -> ProviderError {
        ProviderError::new(self.site.provider, kind)
    }

    fn misconfigured(&self, what: &str) -> ProviderError {
        self.error(Kind::Misconfigured(what.to_owned()))
    }
}

/// Our HTTP client in the form that the crate takes.
struct Sender<'a> {
    flow: &'a CodeFlow,
    http: &'a Http,
    settings: &'a ProviderSettings,
}

impl<'c> AsyncHttpClient<'c> for Sender<'_> {
    type Error = ProviderError;
    type Future = BoxFuture<'c, Result<HttpResponse, ProviderError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.flow.send(self.http, self.settings, request))
    }
}

fn malformed() -> Kind {
    Kind::Malformed("the token endpoint's answer is no token".to_owned())
}

/// What an error code of the token or revocation endpoint means (RFC 6749 section 5.2, RFC 7009, and what providers add).
pub(crate) fn refused(code: &str) -> Kind {
    let word = word(code);
    match code {
        "invalid_grant"
        | "access_denied"
        | "admin_policy_enforced"
        | "consent_required"
        | "interaction_required"
        | "invalid_token"
        | "bad_verification_code"
        | "bad_refresh_token"
        | "invalid_refresh_token"
        | "expired_token" => Kind::GrantDead(word),
        "invalid_client"
        | "deleted_client"
        | "disabled_client"
        | "unauthorized_client"
        | "redirect_uri_mismatch"
        | "incorrect_client_credentials"
        | "unsupported_grant_type"
        | "invalid_scope"
        | "org_internal" => Kind::Misconfigured(word),
        "temporarily_unavailable" | "server_error" | "internal_failure" => Kind::Unavailable,
        "slow_down" | "rate_limit_exceeded" => Kind::RateLimited { retry_after: None },
        _ => Kind::Rejected(word),
    }
}

/// Codes are words; anything else is not repeated, since it may echo what was sent.
fn word(code: &str) -> String {
    let is_word = !code.is_empty() && code.len() <= 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if is_word { code.to_owned() } else { "unknown".to_owned() }
}

/// The `error` of a body that carries one and no token.
fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
        access_token: Option<serde::de::IgnoredAny>,
    }
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    refusal.access_token.is_none().then_some(refusal.error)
}

/// A token endpoint's answer.
#[derive(Debug, Serialize, Deserialize)]
struct TokenAnswer {
    access_token: AccessToken,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
    #[serde(default)]
    scope: Option<String>,
}

impl TokenAnswer {
    /// The token's life from now. Nothing or less means that it is over already; what is no number says nothing.
    fn life_seconds(&self) -> Option<TimeDelta> {
        let seconds = match self.expires_in.as_ref()? {
            serde_json::Value::Number(number) => number.as_f64()?,
            serde_json::Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        if seconds.is_nan() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded on both sides")]
        let whole = seconds.clamp(0.0, LONGEST_LIFE_SECONDS) as i64;
        TimeDelta::try_seconds(whole)
    }
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        // Some providers leave it out or write words of their own; all take the token as a bearer token.
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<Duration> {
        self.life_seconds()?.to_std().ok()
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Server, settings};

    fn check_life(expires_in: &str, seconds: Option<i64>) {
        let answer: TokenAnswer =
            serde_json::from_str(&format!(r#"{{"access_token":"t","expires_in":{expires_in}}}"#)).unwrap();
        assert_eq!(answer.life_seconds().map(|life| life.num_seconds()), seconds, "{expires_in}");
    }

    #[test]
    fn guarantee_29_any_life_that_a_provider_writes_is_taken_within_bounds() {
        check_life("3920", Some(3920));
        check_life("\"3600\"", Some(3600));
        check_life("0", Some(0));
        check_life("-5", Some(0));
        check_life("1e300", Some(315_360_000));
        check_life("99999999999999999999", Some(315_360_000));
        check_life("null", None);
        check_life("\"soon\"", None);
        check_life("[]", None);
    }

    #[test]
    fn an_error_code_says_who_must_act() {
        assert_eq!(refused("invalid_grant"), Kind::GrantDead("invalid_grant".to_owned()));
        assert_eq!(refused("admin_policy_enforced"), Kind::GrantDead("admin_policy_enforced".to_owned()));
        for code in ["invalid_client", "deleted_client", "unauthorized_client", "redirect_uri_mismatch"] {
            assert_eq!(refused(code), Kind::Misconfigured(code.to_owned()));
        }
        assert_eq!(refused("temporarily_unavailable"), Kind::Unavailable);
        assert_eq!(refused("something_new"), Kind::Rejected("something_new".to_owned()));
        assert_eq!(refused("<script>secret</script>"), Kind::Rejected("unknown".to_owned()));
    }

    #[test]
    fn guarantee_28_a_provider_may_mean_something_of_its_own() {
        const OWN: CodeFlow = CodeFlow {
            refusals: &[
                Refusal { code: "invalid_grant", saying: "already being processed", means: Verdict::Passing },
                Refusal { code: "invalid_grant", saying: "IP restricted", means: Verdict::Ours },
                Refusal { code: "unauthorized_client", saying: "", means: Verdict::Dead },
            ],
            ..FLOW
        };
        let check = |code, said, kind| assert_eq!(OWN.refused(code, said), kind, "{code} {said}");
        check("invalid_grant", "token request is already being processed", Kind::Unavailable);
        check("invalid_grant", "IP restricted or invalid login hours", Kind::Misconfigured("invalid_grant".to_owned()));
        check("invalid_grant", "expired access/refresh token", Kind::GrantDead("invalid_grant".to_owned()));
        check("unauthorized_client", "refresh_token is invalid", Kind::GrantDead("unauthorized_client".to_owned()));
        check("something_new", "", Kind::Rejected("something_new".to_owned()));
        assert_eq!(FLOW.refused("unauthorized_client", ""), Kind::Misconfigured("unauthorized_client".to_owned()));
    }

    #[test]
    fn guarantee_43_tokens_are_not_printed() {
        let answer: TokenAnswer =
            serde_json::from_str(r#"{"access_token":"canary","refresh_token":"canary"}"#).unwrap();
        assert!(!format!("{answer:?}").contains("canary"));
    }

    const AUTH: &str = "https://auth.example";

    const FLOW: CodeFlow = CodeFlow {
        site: Site { provider: domain::ProviderId::GoogleDrive, hosts: &["auth.example"], storage: &[] },
        authorize: "https://auth.example/authorize",
        token: "https://auth.example/token",
        revoke: "https://auth.example/revoke",
        scopes: &["read", "list"],
        extra: &[("access_type", "offline")],
        refusals: &[],
    };

    fn now() -> Timestamp {
        "2026-11-25T02:00:00Z".parse().unwrap()
    }

    async fn exchange(status: u16, content_type: &'static str, body: &'static str) -> Result<TokenSet, ProviderError> {
        let server = Server::start(move |_| Reply::new(status, content_type, body.as_bytes())).await;
        FLOW.exchange(
            &Http::new(),
            &settings(&[(AUTH, server.url())]),
            "the-code",
            "https://us.example/cb",
            Some("verifier"),
            now(),
        )
        .await
    }

    async fn refusal(status: u16, body: &'static str) -> Kind {
        exchange(status, "application/json", body).await.unwrap_err().kind
    }

    #[test]
    fn the_authorize_url_carries_what_the_flow_needs_under_the_mapping() {
        let flow = Flow { state: "st", redirect_uri: "https://us.example/cb", pkce_challenge: Some("ch") };
        let url = FLOW
            .authorize_url(&settings(&[("https://auth.example/authorize", "http://127.0.0.1:9/o/auth")]), &flow)
            .unwrap();
        assert_eq!(url.origin().ascii_serialization(), "http://127.0.0.1:9");
        let pairs: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let get = |name: &str| pairs[name].as_str();
        assert_eq!((get("client_id"), get("response_type"), get("state")), ("app", "code", "st"));
        assert_eq!((get("scope"), get("redirect_uri")), ("read list", "https://us.example/cb"));
        assert_eq!((get("code_challenge"), get("code_challenge_method")), ("ch", "S256"));
        assert_eq!((get("access_type"), pairs.contains_key("client_secret")), ("offline", false));
    }

    #[tokio::test]
    async fn a_code_is_exchanged_with_secret_and_verifier_in_the_form() {
        let body =
            r#"{"access_token":"at","refresh_token":"rt","expires_in":3600,"token_type":"Bearer","scope":"list read"}"#;
        let server = Server::start(move |_| Reply::json(200, body)).await;
        let settings = settings(&[(AUTH, server.url())]);
        let tokens =
            FLOW.exchange(&Http::new(), &settings, "c/1", "https://us.example/cb", Some("vvv"), now()).await.unwrap();
        assert_eq!((tokens.access_token.expose_secret(), tokens.refresh_token.unwrap().expose_secret()), ("at", "rt"));
        assert_eq!(tokens.expires_at.unwrap(), now() + TimeDelta::hours(1));
        let form = server.seen().remove(0).form();
        assert_eq!((form["grant_type"].as_str(), form["code"].as_str()), ("authorization_code", "c/1"));
        assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("app", "app-secret"));
        assert_eq!((form["code_verifier"].as_str(), form["redirect_uri"].as_str()), ("vvv", "https://us.example/cb"));
    }

    #[tokio::test]
    async fn a_grant_of_less_than_is_needed_is_no_connection() {
        let kind = refusal(200, r#"{"access_token":"at","scope":"read email"}"#).await;
        assert_eq!(kind, Kind::ScopeMissing);
        assert!(
            exchange(200, "application/json", r#"{"access_token":"at"}"#).await.is_ok(),
            "an absent scope is what was asked for"
        );
    }

    #[tokio::test]
    async fn guarantee_28_every_refusal_of_the_token_endpoint_says_who_must_act() {
        let dead = Kind::GrantDead("invalid_grant".to_owned());
        assert_eq!(
            refusal(400, r#"{"error":"invalid_grant","error_description":"canary","error_subtype":"invalid_rapt"}"#)
                .await,
            dead
        );
        assert_eq!(refusal(200, r#"{"error":"invalid_grant"}"#).await, dead, "an error with status 200");
        assert_eq!(
            refusal(401, r#"{"error":"invalid_client"}"#).await,
            Kind::Misconfigured("invalid_client".to_owned())
        );
        for status in [500, 502, 503, 504] {
            assert_eq!(
                refusal(status, r#"{"error":"invalid_grant"}"#).await,
                Kind::Unavailable,
                "{status} is no verdict"
            );
        }
        assert_eq!(refusal(429, "").await, Kind::RateLimited { retry_after: None });
        for body in ["", "{}", "[]", r#"{"access_token":""}"#, r#"{"access_token":7}"#, "{\"access_token\":\"a"] {
            assert!(matches!(refusal(200, body).await, Kind::Malformed(_)), "{body}");
        }
        let html = exchange(200, "text/html", "<html>canary</html>").await.unwrap_err();
        assert!(matches!(html.kind, Kind::Malformed(_)));
        assert!(!format!("{html:?}").contains("canary"));
    }

    #[tokio::test]
    async fn a_refresh_without_a_new_refresh_token_keeps_quiet_about_it() {
        let server =
            Server::start(|_| Reply::json(200, r#"{"access_token":"at2","expires_in":0,"refresh_token":""}"#)).await;
        let settings = settings(&[(AUTH, server.url())]);
        let tokens = FLOW.refresh(&Http::new(), &settings, &"old".into(), now()).await.unwrap();
        assert!(tokens.refresh_token.is_none());
        assert_eq!(tokens.expires_at, Some(now()));
        let form = server.seen().remove(0).form();
        assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "old"));
    }

    #[tokio::test]
    async fn a_dead_token_counts_as_revoked_and_an_outage_does_not() {
        let check = async |status, body: &'static str| {
            let server = Server::start(move |_| Reply::json(status, body)).await;
            let result = FLOW.revoke(&Http::new(), &settings(&[(AUTH, server.url())]), &"to+ken".into()).await;
            assert_eq!(server.seen().remove(0).form()["token"], "to+ken");
            result.map_err(|error| error.kind)
        };
        assert_eq!(check(200, "").await, Ok(()));
        assert_eq!(check(400, r#"{"error":"invalid_token"}"#).await, Ok(()));
        assert_eq!(check(503, "").await, Err(Kind::Unavailable));
        assert_eq!(check(400, "nonsense").await, Err(Kind::Rejected("unknown".to_owned())));
    }
}
