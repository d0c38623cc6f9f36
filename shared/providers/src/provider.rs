//! The contract that every provider fulfils. Providers make one call and say what happened: they never store, queue, decrypt,
//! sleep or retry. What differs between providers is behind these traits; what they share is in the modules beside this one.

use std::sync::Arc;

use async_trait::async_trait;
use domain::provider::{AuthType, Capabilities, Category, RateLimits};
use domain::resource::DeleteReason;
use domain::{AccountId, ExternalId, IntegrationConfig, ProviderId, ProviderSettings, Resource, Timestamp, TokenSet};
use secrecy::SecretString;
use url::Url;

use crate::credentials::Credentials;
use crate::error::ProviderError;
pub use crate::refresh_tokens::RefreshTokens;
pub use crate::webhooks::{
    Delivery, Expected, Handshake, NewSubscription, NotAuthentic, Registered, SUBSCRIPTION_HEADER, Webhooks,
};

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
    /// How many more pages this listing takes, about, where that can be told: with the limit it says when the listing will be done.
    pub pages_left: Option<u32>,
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

/// Asks for a resource, or for the next part of one that takes many calls.
#[derive(Debug, Clone, Copy)]
pub struct FetchRequest<'a> {
    /// Which resource.
    pub id: &'a ExternalId,
    /// What a listing said of it; without it one more call asks.
    pub known: Option<&'a Resource>,
    /// Where the last part said to go on; `None` begins.
    pub resume: Option<&'a str>,
    /// How many calls this part may make, at least one. What is begun is finished, so a few more do no harm; then it stops.
    pub calls: u32,
}

impl<'a> FetchRequest<'a> {
    /// Asks for the whole of a resource, as far as one part goes.
    #[must_use]
    pub const fn whole(id: &'a ExternalId, known: Option<&'a Resource>) -> Self {
        Self { id, known, resume: None, calls: u32::MAX }
    }
}

/// A fetched resource, or a part of it.
#[derive(Debug)]
pub struct Fetched {
    /// What it is now; the listing's words where they were given.
    pub resource: Resource,
    /// Its content; of a part, what it adds to the parts before it.
    pub body: Body,
    /// Where to go on, at most 64 KB; `None` if this was all.
    pub next: Option<String>,
}

/// What a call at a provider is made for, as far as limits tell calls apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A page of a listing.
    List,
    /// A resource's content.
    Fetch,
}

/// What a call counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    /// Tells the meters of one account apart; empty where it has one only.
    pub name: &'static str,
    /// What is allowed on it.
    pub limits: RateLimits,
}

/// Asks what there is to choose from.
#[derive(Debug, Clone, Copy)]
pub struct BrowseRequest<'a> {
    /// Inside of what; `None` shows where one begins.
    pub parent: Option<&'a str>,
    /// Where the last answer said to go on.
    pub cursor: Option<&'a str>,
}

/// Something that a person may choose to sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The provider's id of it: what goes into the config, and what `parent` takes.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What it is: `folder`, `drive`, `channel`, `repository`, `page`, `database`.
    pub kind: &'static str,
    /// The field of the config that takes its id; `None` if it can only be looked into.
    pub field: Option<&'static str>,
    /// Whether there is something inside to choose.
    pub has_children: bool,
}

/// Some of what there is to choose from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// In the provider's order.
    pub items: Vec<Choice>,
    /// Where to go on; `None` if this was all.
    pub next: Option<String>,
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

    /// A resource with its content, or the next part of one that takes many calls.
    async fn fetch(&self, access: &Access, request: FetchRequest<'_>) -> Result<Fetched, ProviderError>;

    /// How many calls a part of a fetch makes at most; so many are reserved for it.
    fn fetch_calls(&self, known: Option<&Resource>) -> u32 {
        let _ = known;
        1
    }

    /// What a call counts against. The default: everything against one meter of the account.
    fn meter(&self, settings: &ProviderSettings, call: Call) -> Meter {
        let _ = (settings, call);
        Meter { name: "", limits: self.manifest().rate_limits }
    }

    /// What a person can choose to sync: one call, one page of it.
    async fn browse(&self, access: &Access, request: BrowseRequest<'_>) -> Result<Choices, ProviderError>;

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

    /// What a person enters to connect an account, where they do not sign in at the provider.
    fn credentials(&self) -> Option<&'static Credentials> {
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
