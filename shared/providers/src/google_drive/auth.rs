//! Google's OAuth: what differs from the shared code flow.

use async_trait::async_trait;
use domain::{ProviderSettings, Timestamp, TokenSet};
use secrecy::SecretString;
use url::Url;

use super::client::SITE;
use crate::error::ProviderError;
use crate::http::Http;
use crate::oauth::CodeFlow;
use crate::provider::{Flow, OAuth};

/// Content and changes, read only. Narrower scopes either cannot download or see only what the app made.
pub const SCOPES: &[&str] = &["https://www.googleapis.com/auth/drive.readonly"];

/// Google's code flow. `access_type=offline` brings a refresh token, and `prompt=consent` brings one at every connection:
/// without it only a person's very first consent does.
const FLOW: CodeFlow = CodeFlow {
    site: SITE,
    authorize: "https://accounts.google.com/o/oauth2/v2/auth",
    token: "https://oauth2.googleapis.com/token",
    revoke: "https://oauth2.googleapis.com/revoke",
    scopes: SCOPES,
    extra: &[("access_type", "offline"), ("prompt", "consent")],
    refusals: &[],
};

/// The code flow with the client that its requests leave through.
pub struct Auth {
    http: Http,
}

impl Auth {
    /// Google's OAuth over this client.
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
        FLOW.exchange(&self.http, settings, code, redirect_uri, pkce_verifier, now).await
    }

    async fn refresh(
        &self,
        settings: &ProviderSettings,
        refresh_token: &SecretString,
        now: Timestamp,
    ) -> Result<TokenSet, ProviderError> {
        FLOW.refresh(&self.http, settings, refresh_token, now).await
    }

    /// Revoking the refresh token ends the grant with all its access tokens; revoking an access token ends its refresh token too.
    async fn revoke(&self, settings: &ProviderSettings, tokens: &TokenSet) -> Result<(), ProviderError> {
        let token = tokens.refresh_token.as_ref().unwrap_or(&tokens.access_token);
        FLOW.revoke(&self.http, settings, token).await
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Reply, Server, google};

    #[tokio::test]
    async fn guarantee_29_a_life_is_reckoned_by_our_clock_whatever_the_provider_says_of_time() {
        let now: Timestamp = "2026-11-25T02:00:00Z".parse().unwrap();
        let check = async |told: Value, date: &'static str, life: Option<TimeDelta>| {
            let body =
                json!({"access_token": "at", "token_type": "Bearer", "expires_in": told, "scope": SCOPES.join(" ")});
            let server = Server::start(move |_| Reply::json(200, &body).with("date", date)).await;
            let (auth, access) = (Auth::new(Http::new()), google(&server));
            let fresh = auth.refresh(&access.settings, &"old".into(), now).await.unwrap();
            let first = auth.exchange(&access.settings, "code", "https://us.example/cb", Some("v"), now).await.unwrap();
            for tokens in [fresh, first] {
                assert_eq!(tokens.expires_at, life.map(|life| now + life), "{told} {date}");
            }
        };
        let hour = Some(TimeDelta::hours(1));
        for date in ["Wed, 25 Nov 2026 01:50:00 GMT", "Wed, 25 Nov 2026 02:10:00 GMT", "yesterday", ""] {
            check(json!(3600), date, hour).await;
        }
        check(json!("3600"), "", hour).await;
        check(json!(0), "", Some(TimeDelta::zero())).await;
        check(json!(-5), "", Some(TimeDelta::zero())).await;
        check(json!(1e18), "", Some(TimeDelta::days(3650))).await;
        check(json!(null), "", None).await;
        check(json!("soon"), "", None).await;
    }

    #[test]
    fn guarantee_39_the_verifier_is_always_asked_for() {
        assert!(Auth::new(Http::new()).uses_pkce());
    }
}
