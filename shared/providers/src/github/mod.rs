//! GitHub: issues, pull requests, discussions, releases and files of the repositories that an account can reach.
//!
#![doc = include_str!("quirks.md")]

mod auth;
mod changes;
mod client;
mod config;
mod content;
mod cursor;
mod discussions;
mod events;
mod fetch;
mod files;
mod graph;
mod ids;
mod issues;
mod kinds;
mod listing;
mod pack;
mod refusals;
mod releases;
mod repos;
#[cfg(test)]
mod torture;
mod webhooks;
mod wire;

use async_trait::async_trait;
use domain::provider::{AuthType, Category, RateLimits};
use domain::resource::DeleteReason;
use domain::{AccountId, ExternalId, IntegrationConfig, ProviderId, ProviderSettings, Resource};

use self::client::{Api, At, error, malformed};
use self::config::Config;
use self::files::{Reader, Trees};
use self::ids::{Name, What};
use crate::error::{Kind, ProviderError};
use crate::http::Http;
use crate::provider::{
    Access, Account, BrowseRequest, Call, Choices, FetchRequest, Fetched, From, ListRequest, Manifest, Meter, OAuth,
    Page, Provider, RefreshTokens, Webhooks,
};

/// GitHub counts 5,000 calls an hour for a person, whichever app makes them, and bears 100 at once and 900 a minute.
const LIMITS: RateLimits = RateLimits { per_minute: 5_000 / 60, per_day: None, concurrent: 20 };
/// For apps that an Enterprise Cloud organization owns or has approved: 15,000 an hour.
const ENTERPRISE: RateLimits = RateLimits { per_minute: 15_000 / 60, ..LIMITS };

static MANIFEST: Manifest = Manifest {
    id: ProviderId::Github,
    name: "GitHub",
    description: "Issues, pull requests, discussions, releases, Markdown and source files of repositories.",
    icon: "github",
    category: Category::Development,
    auth_type: AuthType::Oauth2,
    scopes: auth::SCOPES,
    rate_limits: LIMITS,
    refresh_tokens: RefreshTokens::RotatedOnce,
};

/// GitHub.
pub struct GitHub {
    http: Http,
    auth: auth::Auth,
    hooks: webhooks::Hooks,
    trees: Trees,
}

impl GitHub {
    /// GitHub over this client.
    #[must_use]
    pub fn new(http: Http) -> Self {
        Self {
            auth: auth::Auth::new(http.clone()),
            hooks: webhooks::Hooks::new(http.clone()),
            trees: Trees::default(),
            http,
        }
    }

    const fn api<'a>(&'a self, access: &'a Access) -> Api<'a> {
        Api::new(&self.http, access)
    }
}

/// A `config` that was checked when it was saved.
fn read(config: &IntegrationConfig) -> Result<Config, ProviderError> {
    Config::read(config).map_err(|sentence| error(Kind::Rejected(sentence)))
}

#[async_trait]
impl Provider for GitHub {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn config_schema(&self) -> serde_json::Value {
        config::schema()
    }

    fn check_config(&self, config: &IntegrationConfig) -> Result<(), String> {
        Config::read(config).map(drop)
    }

    async fn test_connection(&self, access: &Access) -> Result<Account, ProviderError> {
        let user = self.api(access).user().await?;
        let id = AccountId::new(user.id.to_string()).map_err(|_| malformed("an account without a number"))?;
        Ok(Account { id, name: Some(user.login).filter(|login| !login.is_empty()) })
    }

    async fn start_cursor(&self, access: &Access, config: &IntegrationConfig) -> Result<String, ProviderError> {
        listing::start_cursor(self.api(access), &read(config)?).await
    }

    async fn list(&self, access: &Access, request: ListRequest<'_>) -> Result<Page, ProviderError> {
        let config = read(request.config)?;
        let reader = Reader { api: self.api(access), token: &access.token, config: &config, trees: &self.trees };
        match request.from {
            From::Everything => listing::list(reader, request.page).await,
            From::Cursor(cursor) => changes::list(reader, cursor, request.page).await,
        }
    }

    async fn fetch(&self, access: &Access, request: FetchRequest<'_>) -> Result<Fetched, ProviderError> {
        fetch::fetch(self.api(access), request).await
    }

    fn fetch_calls(&self, known: Option<&Resource>) -> u32 {
        fetch::calls(known)
    }

    /// Everything counts against the person. The GraphQL API has a purse of its own, which is as large and used less.
    fn meter(&self, settings: &ProviderSettings, _call: Call) -> Meter {
        let limits = if settings.tier.as_deref() == Some("enterprise") { ENTERPRISE } else { LIMITS };
        Meter { name: "", limits }
    }

    async fn browse(&self, access: &Access, request: BrowseRequest<'_>) -> Result<Choices, ProviderError> {
        repos::browse(self.api(access), request).await
    }

    async fn confirm_gone(
        &self,
        access: &Access,
        config: &IntegrationConfig,
        id: &ExternalId,
    ) -> Result<Option<DeleteReason>, ProviderError> {
        let (api, config) = (self.api(access), read(config)?);
        let Some(name) = Name::read(id.as_str()) else { return Ok(Some(DeleteReason::Removed)) };
        if !config.has_repository(name.repository) || !config.has(name.what) {
            return Ok(Some(DeleteReason::OutOfScope));
        }
        match is_in_scope(api, &config, name).await {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(DeleteReason::OutOfScope)),
            Err(ProviderError { kind: Kind::NotFound, .. }) => Ok(Some(DeleteReason::Removed)),
            Err(ProviderError { kind: Kind::Forbidden(_), .. }) => Ok(Some(DeleteReason::AccessLost)),
            Err(error) => Err(error),
        }
    }

    fn oauth(&self) -> Option<&dyn OAuth> {
        Some(&self.auth)
    }

    fn webhooks(&self) -> Option<&dyn Webhooks> {
        Some(&self.hooks)
    }
}

/// Whether a thing that is there is in scope.
async fn is_in_scope(api: Api<'_>, config: &Config, name: Name<'_>) -> Result<bool, ProviderError> {
    let at = At { id: name.repository, name: None };
    Ok(match name.what {
        What::Issues | What::Pulls => config.is_recent(issues::find(api, at, name).await?.updated_at),
        What::Discussions => {
            let repository = api.repository(name.repository).await?.full_name;
            config.is_recent(discussions::find(api, &repository, name, None).await?.updated_at)
        }
        What::Releases => config.is_recent(releases::updated(&fetch::release(api, at, name).await?)),
        What::Files => config.has_file(name.which, Some(fetch::find(api, at, name).await?.size)),
    })
}
