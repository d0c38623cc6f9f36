//! Slack's OAuth v2: its own parameters, answers that say `ok` or not, and tokens of the bot or of the person.
//!
//! Whom the app acts as is the operator's choice (`actsAs` of the secret): as its bot, which sees the channels that it was invited to, or
//! as the person who connects, with all that they see. There is no PKCE: switched on for an app it makes every refresh token end
//! after 30 days, and cannot be switched off again.

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::{ProviderSettings, Timestamp, TokenSet};
use http::{HeaderMap, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::client::{self, SITE, error, malformed, word};
use super::wire;
use crate::error::{Kind, ProviderError};
use crate::http::{Answer, Call, Http, Payload};
use crate::provider::{Flow, OAuth};
use crate::retry_after;

const AUTHORIZE: &str = "https://slack.com/oauth/v2/authorize";
const ACCESS: &str = "https://slack.com/api/oauth.v2.access";
const REVOKE: &str = "https://slack.com/api/auth.revoke";

/// What is asked for: to read channels of every kind with their messages and files, and who people are. The same for either kind of token.
pub const SCOPES: &[&str] = &[
    "channels:read",
    "channels:history",
    "groups:read",
    "groups:history",
    "im:read",
    "im:history",
    "mpim:read",
    "mpim:history",
    "users:read",
    "users:read.email",
    "files:read",
    "team:read",
];

/// Longest believed life of an access token; Slack's is 12 hours.
const LONGEST_LIFE_SECONDS: f64 = 10.0 * 365.0 * 86_400.0;

/// Whether the app acts as the person who connects it.
pub fn is_person(settings: &ProviderSettings) -> bool {
    settings.acts_as.as_deref() == Some("user")
}

/// The code flow with the client that its requests leave through.
pub struct Auth {
    http: Http,
}

impl Auth {
    /// Slack's OAuth over this client.
    pub const fn new(http: Http) -> Self {
        Self { http }
    }

    /// Asks the token endpoint.
    async fn ask(&self, settings: &ProviderSettings, pairs: &[(&str, &str)]) -> Result<wire::Granted, ProviderError> {
        if settings.client_id.is_empty() {
            return Err(error(Kind::Misconfigured("no client id".to_owned())));
        }
        let url = Url::parse(ACCESS).map_err(|cause| malformed("an address").because(cause))?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &settings.client_id)
            .append_pair("client_secret", settings.client_secret.expose_secret())
            .extend_pairs(pairs)
            .finish();
        let payload = Payload::Form(form.into());
        let call = Call { method: Method::POST, url, bearer: None, headers: HeaderMap::new(), payload };
        let answer = self.http.send_patiently(SITE, settings, call).await?;
        read(&answer, self.http.now())
    }
}

#[async_trait]
impl OAuth for Auth {
    fn uses_pkce(&self) -> bool {
        false
    }

    fn authorize_url(&self, settings: &ProviderSettings, flow: &Flow<'_>) -> Result<Url, ProviderError> {
        if settings.client_id.is_empty() {
            return Err(error(Kind::Misconfigured("no client id".to_owned())));
        }
        let mut url = Url::parse(AUTHORIZE).map_err(|cause| malformed("an address").because(cause))?;
        // Commas, not spaces; and one of the two lists is empty.
        let scopes = SCOPES.join(",");
        let scope = if is_person(settings) { "user_scope" } else { "scope" };
        url.query_pairs_mut()
            .append_pair("client_id", &settings.client_id)
            .append_pair(scope, &scopes)
            .append_pair("redirect_uri", flow.redirect_uri)
            .append_pair("state", flow.state);
        Http::mapped(SITE, settings, &url)
    }

    async fn exchange(
        &self,
        settings: &ProviderSettings,
        code: &str,
        redirect_uri: &str,
        _pkce_verifier: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenSet, ProviderError> {
        let granted = self.ask(settings, &[("code", code), ("redirect_uri", redirect_uri)]).await?;
        if granted.is_enterprise_install == Some(true) {
            let words = "the app was installed for a whole organization; install it in one workspace";
            return Err(error(Kind::Rejected(words.to_owned())));
        }
        let tokens = chosen(granted, is_person(settings), now)?;
        if let Some(scope) = &tokens.scope
            && !SCOPES.iter().all(|needed| scope.split(' ').any(|given| given == *needed))
        {
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
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())];
        let granted = self.ask(settings, &pairs).await?;
        // Either kind of token comes at the top then; one below is taken where it comes alone.
        chosen(granted, false, now)
    }

    /// Revokes the access token. Slack's refresh tokens are ended by their use and with the installation only.
    async fn revoke(&self, settings: &ProviderSettings, tokens: &TokenSet) -> Result<(), ProviderError> {
        let url = Url::parse(REVOKE).map_err(|cause| malformed("an address").because(cause))?;
        let payload = Payload::Form(String::new().into());
        let bearer = Some(&tokens.access_token);
        let call = Call { method: Method::POST, url, bearer, headers: HeaderMap::new(), payload };
        let answer = self.http.send(SITE, settings, call).await?;
        match client::read::<wire::Verdict>(&answer, self.http.now()) {
            // A token that is dead already counts as revoked.
            Ok(_) | Err(ProviderError { kind: Kind::TokenRejected, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn read(answer: &Answer, now: Timestamp) -> Result<wire::Granted, ProviderError> {
    match answer.status.as_u16() {
        429 => return Err(limited(answer, now)),
        408 | 500..=599 => return Err(error(Kind::Unavailable)),
        300..=399 => return Err(error(Kind::AddressRefused("a redirect".to_owned()))),
        _ => {}
    }
    let no_token = || malformed("the token endpoint's answer is no token");
    let verdict: wire::Verdict = serde_json::from_slice(&answer.body).map_err(|_| no_token())?;
    if verdict.ok && answer.status.is_success() {
        return serde_json::from_slice(&answer.body).map_err(|_| no_token());
    }
    Err(match refused(verdict.error.as_deref().unwrap_or_default()) {
        Kind::RateLimited { .. } => limited(answer, now),
        kind => error(kind),
    })
}

fn limited(answer: &Answer, now: Timestamp) -> ProviderError {
    error(Kind::RateLimited { retry_after: retry_after::asked(&answer.headers, &answer.body, now) })
}

/// What a refusal of the token endpoint means.
fn refused(code: &str) -> Kind {
    match code {
        "invalid_code"
        | "code_already_used"
        | "code_expired"
        | "invalid_refresh_token"
        | "token_revoked"
        | "token_expired"
        | "account_inactive"
        | "invalid_auth"
        | "not_authed"
        | "access_denied"
        | "invalid_grant"
        | "authorization_not_found"
        | "user_not_found"
        | "no_permission" => Kind::GrantDead(word(code)),
        "bad_redirect_uri"
        | "bad_client_secret"
        | "invalid_client_id"
        | "invalid_client"
        | "invalid_grant_type"
        | "oauth_authorization_url_mismatch"
        | "token_rotation_not_enabled"
        | "invalid_scope"
        | "missing_client_id"
        | "preview_feature_not_available" => Kind::Misconfigured(word(code)),
        "ratelimited" | "rate_limited" => Kind::RateLimited { retry_after: None },
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org"
        | "org_login_required"
        | "cannot_install_an_org_installed_app" => Kind::Unavailable,
        _ => Kind::Rejected(word(code)),
    }
}

/// The token that was asked for: the bot's is at the top, the person's below; where only one of them came, that.
fn chosen(granted: wire::Granted, person: bool, now: Timestamp) -> Result<TokenSet, ProviderError> {
    let no_token = || malformed("the token endpoint's answer is no token");
    let some = |token: &Option<String>| token.as_ref().is_some_and(|token| !token.is_empty());
    let is_below = |user: &wire::AuthedUser| some(&user.access_token);
    let user = granted.authed_user.filter(is_below).filter(|_| person || !some(&granted.access_token));
    let (access, refresh, life, scope) = match user {
        Some(user) => (user.access_token, user.refresh_token, user.expires_in, user.scope),
        None => (granted.access_token, granted.refresh_token, granted.expires_in, granted.scope),
    };
    Ok(TokenSet {
        access_token: access.filter(|token| !token.is_empty()).ok_or_else(no_token)?.into(),
        refresh_token: refresh.filter(|token| !token.is_empty()).map(Into::into),
        expires_at: life.as_ref().and_then(life_of).map(|life| now + life),
        scope: scope.map(|scope| scope.split([',', ' ']).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")),
    })
}

/// A token's life from now. Nothing or less means that it is over already; what is no number says nothing.
fn life_of(said: &Value) -> Option<TimeDelta> {
    let seconds = said.as_f64().or_else(|| said.as_str()?.trim().parse().ok()).filter(|seconds| !seconds.is_nan())?;
    #[expect(clippy::cast_possible_truncation, reason = "bounded on both sides")]
    let whole = seconds.clamp(0.0, LONGEST_LIFE_SECONDS) as i64;
    TimeDelta::try_seconds(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Server, slack};
    use serde_json::json;

    const CALLBACK: &str = "https://us.example/cb";

    fn now() -> Timestamp {
        "2026-11-25T02:00:00Z".parse().unwrap()
    }

    async fn exchanged(body: Value, acts_as: Option<&str>) -> (Result<TokenSet, Kind>, crate::testing::Seen) {
        let server = Server::start(move |_| Reply::json(200, &body)).await;
        let mut settings = (*slack(&server).settings).clone();
        settings.acts_as = acts_as.map(str::to_owned);
        let tokens = Auth::new(Http::new()).exchange(&settings, "the-code", CALLBACK, None, now()).await;
        (tokens.map_err(|error| error.kind), server.seen().remove(0))
    }

    #[tokio::test]
    async fn the_bots_token_is_at_the_top_and_the_persons_below() {
        let both = json!({"ok": true, "access_token": "xoxb-1", "token_type": "bot", "scope": SCOPES.join(","),
            "team": {"id": "T1"}, "authed_user": {"id": "U1", "access_token": "xoxp-1", "scope": SCOPES.join(",")}});
        let (bot, seen) = exchanged(both.clone(), None).await;
        let bot = bot.unwrap();
        assert_eq!(bot.access_token.expose_secret(), "xoxb-1");
        assert_eq!((bot.expires_at, bot.refresh_token.is_none()), (None, true), "without rotation it never ends");
        assert_eq!((seen.path.as_str(), seen.form()["code"].as_str()), ("/api/oauth.v2.access", "the-code"));
        assert_eq!(
            (seen.form()["redirect_uri"].as_str(), seen.form()["client_secret"].as_str()),
            (CALLBACK, "app-secret")
        );
        assert_eq!(exchanged(both, Some("user")).await.0.unwrap().access_token.expose_secret(), "xoxp-1");
        let only_user = json!({"ok": true, "authed_user": {"id": "U1", "access_token": "xoxe.xoxp-1", "refresh_token": "xoxe-1",
            "expires_in": 43200, "scope": SCOPES.join(",")}});
        let user = exchanged(only_user, Some("user")).await.0.unwrap();
        assert_eq!(user.expires_at, Some(now() + TimeDelta::hours(12)));
        assert_eq!(user.refresh_token.unwrap().expose_secret(), "xoxe-1");
    }

    #[tokio::test]
    async fn what_is_not_enough_or_too_much_is_refused() {
        let check =
            async |body: Value, expected: Kind| assert_eq!(exchanged(body, None).await.0.unwrap_err(), expected);
        check(json!({"ok": true, "access_token": "xoxb-1", "scope": "channels:read"}), Kind::ScopeMissing).await;
        let organization = json!({"ok": true, "access_token": "xoxb-1", "is_enterprise_install": true});
        assert!(
            matches!(exchanged(organization, None).await.0, Err(Kind::Rejected(words)) if words.contains("workspace"))
        );
        for body in
            [json!({"ok": true}), json!({"ok": true, "access_token": ""}), json!([]), json!({"access_token": "x"})]
        {
            assert!(matches!(exchanged(body, None).await.0, Err(Kind::Malformed(_))));
        }
    }

    #[tokio::test]
    async fn a_refusal_with_status_200_is_told_apart_by_its_word() {
        let check = async |code: &str, expected: Kind| {
            assert_eq!(exchanged(json!({"ok": false, "error": code}), None).await.0.unwrap_err(), expected, "{code}");
        };
        for dead in ["invalid_code", "code_already_used", "invalid_refresh_token", "token_revoked", "account_inactive"]
        {
            check(dead, Kind::GrantDead(dead.to_owned())).await;
        }
        for ours in ["bad_redirect_uri", "bad_client_secret", "invalid_client_id"] {
            check(ours, Kind::Misconfigured(ours.to_owned())).await;
        }
        check("internal_error", Kind::Unavailable).await;
        check("ratelimited", Kind::RateLimited { retry_after: None }).await;
        check("never_heard_of", Kind::Rejected("never_heard_of".to_owned())).await;
    }

    #[tokio::test]
    async fn a_refresh_brings_a_new_pair_or_keeps_the_old_token() {
        let check = async |body: Value, refresh: Option<&str>| {
            let server = Server::start(move |_| Reply::json(200, &body)).await;
            let access = slack(&server);
            let tokens = Auth::new(Http::new()).refresh(&access.settings, &"old".into(), now()).await.unwrap();
            assert_eq!(server.seen()[0].form()["grant_type"], "refresh_token");
            assert_eq!(tokens.refresh_token.as_ref().map(|token| token.expose_secret()), refresh);
            assert_eq!(tokens.expires_at, Some(now() + TimeDelta::hours(12)));
        };
        check(
            json!({"ok": true, "access_token": "a", "refresh_token": "new", "expires_in": 43200, "token_type": "user"}),
            Some("new"),
        )
        .await;
        check(json!({"ok": true, "access_token": "a", "expires_in": "43200"}), None).await;
    }

    #[test]
    fn the_authorize_url_asks_for_one_kind_of_token() {
        let settings = crate::testing::settings(&[]);
        let flow = Flow { state: "s t", redirect_uri: CALLBACK, pkce_challenge: None };
        let url = Auth::new(Http::new()).authorize_url(&settings, &flow).unwrap();
        assert_eq!((url.host_str(), url.path()), (Some("slack.com"), "/oauth/v2/authorize"));
        let asked: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["scope"], SCOPES.join(","));
        assert_eq!((asked["state"].as_str(), asked.contains_key("user_scope")), ("s t", false));
        let person = ProviderSettings { acts_as: Some("user".to_owned()), ..settings };
        let url = Auth::new(Http::new()).authorize_url(&person, &flow).unwrap();
        assert!(
            url.query_pairs().any(|(name, _)| name == "user_scope")
                && !url.query_pairs().any(|(name, _)| name == "scope")
        );
    }

    #[tokio::test]
    async fn a_dead_token_counts_as_revoked() {
        let check = async |status, body: Value, revoked: bool| {
            let server = Server::start(move |_| Reply::json(status, &body)).await;
            let access = slack(&server);
            let tokens = TokenSet { access_token: "at".into(), refresh_token: None, expires_at: None, scope: None };
            let result = Auth::new(Http::new()).revoke(&access.settings, &tokens).await;
            assert_eq!(result.is_ok(), revoked);
            assert_eq!(server.seen()[0].headers["authorization"], "Bearer at");
        };
        check(200, json!({"ok": true, "revoked": true}), true).await;
        check(200, json!({"ok": false, "error": "token_revoked"}), true).await;
        check(200, json!({"ok": false, "error": "internal_error"}), false).await;
        check(503, json!({}), false).await;
    }
}
