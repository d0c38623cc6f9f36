//! The contract that every provider fulfils. Providers make one call and say what happened: they never store, queue, decrypt,
//! sleep or retry. What differs between providers is behind these traits; what they share is in the modules beside this one.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::provider::{AuthType, Capabilities, Category, RateLimits};
use domain::resource::DeleteReason;
use domain::subscription::{Subscription, WebhookEvent};
use domain::{AccountId, ExternalId, IntegrationConfig, ProviderId, ProviderSettings, Resource, Timestamp, TokenSet};
use secrecy::SecretString;
use url::Url;

use crate::error::ProviderError;
pub use crate::refresh_tokens::RefreshTokens;

/// What a provider is, for lists, pages and limits.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Its id.
    pub id: ProviderId,
    /// Its name, for people.
    pub name: &'static str,
    /// What is synced, in a sentence.
    pub description: &'static str,
    /// Name of its icon.
    pub icon: &'static str,
    /// Where it stands in lists.
    pub category: Category,
    /// How an account is connected.
    pub auth_type: AuthType,
    /// OAuth scopes that are asked for.
    pub scopes: &'static [&'static str],
    /// What the provider allows.
    pub rate_limits: RateLimits,
    /// What becomes of a refresh token that was used; see there for which provider does what.
    pub refresh_tokens: RefreshTokens,
}

/// The right to call a provider for one integration. Made by `connections` alone.
#[derive(Debug, Clone)]
pub struct Access {
    /// The access token.
    pub token: SecretString,
    /// The operator's registration, with the endpoints' mapping.
    pub settings: Arc<ProviderSettings>,
}

/// The connected account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The provider's id of it; stable.
    pub id: AccountId,
    /// The name that people know it by.
    pub name: Option<String>,
}

/// Asks for one page of a listing.
#[derive(Debug, Clone, Copy)]
pub struct ListRequest<'a> {
    /// What is synced, in the provider's terms.
    pub config: &'a IntegrationConfig,
    /// Everything, or what has changed since a cursor.
    pub from: From<'a>,
    /// Where the last page said to go on; `None` asks for the first page.
    pub page: Option<&'a str>,
}

/// Where a listing begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From<'a> {
    /// Everything in scope.
    Everything,
    /// What changed since this cursor, which [`Provider::start_cursor`] or an earlier listing of changes gave.
    Cursor(&'a str),
}

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// What is there and in scope, with its text where the answer carried it.
    pub resources: Vec<Listed>,
    /// What is no longer there, or no longer in scope. Only listings of changes have these.
    pub gone: Vec<Gone>,
    /// Where to go on; `None` on the last page.
    pub next: Option<String>,
    /// On the last page of a listing of changes: the cursor for the next one.
    pub cursor: Option<String>,
    /// The changes cannot be told one by one (a folder moved, a drive was joined): a full listing is needed.
    pub relist: bool,
}

/// A listed resource.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What the listing says of it.
    pub resource: Resource,
    /// Its text, where the listing carried it: then no fetch is needed.
    pub text: Option<String>,
}

/// A resource that is no longer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Which.
    pub external_id: ExternalId,
    /// Why.
    pub reason: DeleteReason,
}

/// A fetched resource.
#[derive(Debug)]
pub struct Fetched {
    /// What it is now; the listing's words where they were given.
    pub resource: Resource,
    /// Its content.
    pub body: Body,
}

/// Fetched content.
#[derive(Debug)]
pub enum Body {
    /// Text already.
    Text(String),
    /// A file of this media type, on disk, from which `content` takes the text. Removed when dropped.
    File {
        /// The media type to read it by: that of an export, not of the original.
        mime_type: String,
        /// The file.
        file: tempfile::NamedTempFile,
    },
}

/// A service that accounts can be connected at.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What it is.
    fn manifest(&self) -> &'static Manifest;

    /// The JSON Schema of an integration's `config`.
    fn config_schema(&self) -> serde_json::Value;

    /// Checks a `config` beyond what the types say.
    ///
    /// # Errors
    /// A sentence for people that names the field and what it takes.
    fn check_config(&self, config: &IntegrationConfig) -> Result<(), String>;

    /// Whose account the token opens. Doubles as the test of a connection.
    async fn test_connection(&self, access: &Access) -> Result<Account, ProviderError>;

    /// The cursor from which changes can be listed later. Taken *before* a full listing, so that nothing falls between the two.
    async fn start_cursor(&self, access: &Access, config: &IntegrationConfig) -> Result<String, ProviderError>;

    /// One page of a listing.
    async fn list(&self, access: &Access, request: ListRequest<'_>) -> Result<Page, ProviderError>;

    /// A resource with its content. `known` is what a listing said of it; without it one more call asks.
    async fn fetch(&self, access: &Access, id: &ExternalId, known: Option<&Resource>)
    -> Result<Fetched, ProviderError>;

    /// Whether a resource that a complete listing did not show is really gone, by reading it directly: `None` means it is still there
    /// and in scope. The default believes the listing.
    async fn confirm_gone(
        &self,
        access: &Access,
        config: &IntegrationConfig,
        id: &ExternalId,
    ) -> Result<Option<DeleteReason>, ProviderError> {
        let _ = (access, config, id);
        Ok(Some(DeleteReason::NotListed))
    }

    /// The OAuth 2 code flow, where accounts are connected so.
    fn oauth(&self) -> Option<&dyn OAuth> {
        None
    }

    /// Announcements of changes, where the provider makes them.
    fn webhooks(&self) -> Option<&dyn Webhooks> {
        None
    }

    /// What it can do, computed from the above so that it cannot lie.
    fn capabilities(&self) -> Capabilities {
        Capabilities { pull_content: true, webhooks: self.webhooks().is_some(), bidirectional: false }
    }
}

/// The OAuth 2 code flow of a provider.
#[async_trait]
pub trait OAuth: Send + Sync {
    /// Whether the flow uses PKCE (RFC 7636).
    fn uses_pkce(&self) -> bool;

    /// Where the person grants access.
    ///
    /// # Errors
    /// [`crate::error::Kind::Misconfigured`] if the endpoints' mapping gives no valid URL.
    fn authorize_url(&self, settings: &ProviderSettings, flow: &Flow<'_>) -> Result<Url, ProviderError>;

    /// Exchanges the code for tokens. `now` dates their end.
    async fn exchange(
        &self,
        settings: &ProviderSettings,
        code: &str,
        redirect_uri: &str,
        pkce_verifier: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenSet, ProviderError>;

    /// New tokens for a refresh token. An absent refresh token in the answer means: keep the old one.
    async fn refresh(
        &self,
        settings: &ProviderSettings,
        refresh_token: &SecretString,
        now: Timestamp,
    ) -> Result<TokenSet, ProviderError>;

    /// Withdraws the grant. Tokens that are dead already count as withdrawn.
    async fn revoke(&self, settings: &ProviderSettings, tokens: &TokenSet) -> Result<(), ProviderError>;
}

/// What an authorize URL is made of.
#[derive(Debug, Clone, Copy)]
pub struct Flow<'a> {
    /// The single-use state.
    pub state: &'a str,
    /// Where the provider sends the person back to.
    pub redirect_uri: &'a str,
    /// SHA-256 of the PKCE verifier, base64url.
    pub pkce_challenge: Option<&'a str>,
}

/// A delivery as it arrived.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Header names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The raw bytes.
    pub body: Vec<u8>,
}

impl Delivery {
    /// A header's value; the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What a delivery is verified against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The operator's registration, with the signing secret.
    pub settings: Option<&'a ProviderSettings>,
    /// The subscription that the delivery names, where deliveries name one.
    pub subscription: Option<&'a Subscription>,
    /// The present time, for schemes with a window.
    pub now: Timestamp,
}

/// A delivery that is not what it claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delivery is not authentic: {0}")]
pub struct NotAuthentic(pub &'static str);

/// A subscription to make.
#[derive(Debug, Clone)]
pub struct NewSubscription<'a> {
    /// Our name for it.
    pub id: &'a str,
    /// The token that deliveries must carry.
    pub token: &'a SecretString,
    /// Where deliveries go.
    pub address: &'a Url,
    /// Which part of the account, out of [`Webhooks::scopes`].
    pub scope: &'a str,
    /// The present time, from which its life is reckoned.
    pub now: Timestamp,
}

/// A subscription that the provider has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The provider's name for it.
    pub provider_id: Option<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// Announcements of changes.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// The id of the subscription that a delivery names, if deliveries of this provider name one. Not yet verified.
    fn subscription_id(&self, delivery: &Delivery) -> Option<String>;

    /// The account that a delivery is about, where this provider's deliveries name an account instead of a subscription. Not yet verified.
    fn account_id(&self, delivery: &Delivery) -> Option<AccountId> {
        let _ = delivery;
        None
    }

    /// Whether it needs the operator's settings to verify a delivery (a signing secret).
    fn needs_settings(&self) -> bool;

    /// Verifies the raw bytes. What is missing is a failure.
    ///
    /// # Errors
    /// [`NotAuthentic`] with the reason, for the log only.
    fn verify(&self, delivery: &Delivery, expected: Expected<'_>) -> Result<(), NotAuthentic>;

    /// The provider's id of this delivery, equal when it is delivered again.
    fn delivery_id(&self, delivery: &Delivery) -> Option<String>;

    /// What a verified delivery says.
    ///
    /// # Errors
    /// [`crate::error::Kind::Malformed`].
    fn parse(&self, delivery: &Delivery) -> Result<Vec<WebhookEvent>, ProviderError>;

    /// The parts of the account to subscribe to, given what is synced and the change cursor (which knows of parts found while listing).
    fn scopes(&self, config: &IntegrationConfig, change_cursor: Option<&str>) -> Vec<String>;

    /// Makes a subscription.
    async fn register(&self, access: &Access, new: &NewSubscription<'_>) -> Result<Registered, ProviderError>;

    /// Stops a subscription. One that is gone already counts as stopped.
    async fn unregister(&self, access: &Access, subscription: &Subscription) -> Result<(), ProviderError>;
}
