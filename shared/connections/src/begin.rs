//! Begins a connection: a single-use state, and the address where the person grants access.

use domain::{Owner, ProviderId, UserId};
use providers::ProviderError;
use providers::provider::Flow;
use url::Url;

use crate::Connections;
use crate::error::BeginError;
use crate::offer::{self, Refusal, plan_of};
use crate::secrets::{challenge, random_word, sha256};

/// For how long a state is accepted.
const STATE_LIVES: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// A connection to begin.
#[derive(Debug, Clone)]
pub struct Begin {
    /// Whose integration it becomes.
    pub owner: Owner,
    /// Who connects. The caller has checked that they may.
    pub user: UserId,
    /// At which provider.
    pub provider: ProviderId,
    /// Where the provider sends the person back to; from configuration, never from a request.
    pub redirect_uri: String,
    /// Whether the callback must come from the browser that begins it. Off only for hosts that begin the flow from a server.
    pub browser: bool,
}

/// A connection that has begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Where the person grants access.
    pub auth_url: Url,
    /// The state in it.
    pub state: String,
    /// The value of the cookie that ties the state to the browser; only its hash is kept.
    pub browser_cookie: Option<String>,
}

impl Connections {
    /// Makes a state and the authorize URL. Costs up to four reads and one write.
    ///
    /// # Errors
    /// [`BeginError`], which says whether the operator, the plan or a dependency is in the way.
    pub async fn begin(&self, begin: Begin) -> Result<Begun, BeginError> {
        let now = self.clock.now();
        let provider = self.registry.get(begin.provider);
        let oauth = provider.oauth().ok_or(BeginError::NotOAuth)?;
        let (plan, entry) =
            tokio::try_join!(plan_of(&self.store, &begin.owner, now), self.store.registry_entry(begin.provider))?;
        offer::check(&entry, plan).map_err(|refusal| match refusal {
            Refusal::Disabled => BeginError::Disabled,
            Refusal::NotInPlan => BeginError::NotInPlan,
        })?;
        if !offer::has_room(plan, &self.store.integrations_of(&begin.owner).await?, begin.provider) {
            return Err(BeginError::QuotaExceeded);
        }
        let settings = self.settings.get(begin.provider).await?.ok_or(BeginError::NotConfigured)?;

        let state = random_word();
        let verifier = oauth.uses_pkce().then(random_word);
        let browser_cookie = begin.browser.then(random_word);
        let pkce_challenge = verifier.as_deref().map(challenge);
        let flow = Flow { state: &state, redirect_uri: &begin.redirect_uri, pkce_challenge: pkce_challenge.as_deref() };
        let auth_url = oauth.authorize_url(&settings, &flow).map_err(|error: ProviderError| {
            tracing::error!(provider = %begin.provider, %error, "the registration gives no authorize URL");
            BeginError::NotConfigured
        })?;
        let row = store::OAuthState {
            provider: begin.provider,
            owner: begin.owner,
            user: begin.user,
            redirect_uri: begin.redirect_uri,
            pkce_verifier: verifier,
            browser_sha256: browser_cookie.as_deref().map(sha256),
            expires_at: now + STATE_LIVES,
        };
        self.store.put_state(&state, &row).await?;
        Ok(Begun { auth_url, state, browser_cookie })
    }
}
