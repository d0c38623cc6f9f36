//! Slack: the channels of a workspace, each thread as one document, and the files shared there.
//!
#![doc = include_str!("quirks.md")]

mod auth;
mod blocks;
mod browse;
mod client;
mod config;
mod cursor;
mod fetch;
mod files;
mod listing;
mod names;
mod text;
mod threads;
#[cfg(test)]
mod torture;
mod ts;
mod webhooks;
mod wire;

use async_trait::async_trait;
use domain::provider::{AuthType, Category, RateLimits};
use domain::resource::DeleteReason;
use domain::{AccountId, ExternalId, IntegrationConfig, ProviderId, ProviderSettings};

use self::client::{Api, Tier, error, malformed};
use self::config::Config;
use self::cursor::ChangeCursor;
use self::fetch::Named;
use self::listing::{Lister, is_out_of_reach};
use self::names::{Memory, Names};
use crate::error::{Kind, ProviderError};
use crate::http::Http;
use crate::provider::{
    Access, Account, BrowseRequest, Call, Choices, FetchRequest, Fetched, From, ListRequest, Manifest, Meter, OAuth,
    Page, Provider, RefreshTokens, Webhooks,
};

/// Slack counts calls by method, app and workspace. `conversations.history` and `conversations.replies`, which are nearly all of ours, are in
/// its tier 3: 50 a minute.
const FULL: RateLimits = RateLimits { per_minute: 50, per_day: None, concurrent: 4 };
/// The same two methods of a commercial app that is not in Slack's Marketplace.
const RESTRICTED: RateLimits = RateLimits { per_minute: 1, per_day: None, concurrent: 2 };

static MANIFEST: Manifest = Manifest {
    id: ProviderId::Slack,
    name: "Slack",
    description: "Threads and files of the channels that the app was invited to.",
    icon: "slack",
    category: Category::Communication,
    auth_type: AuthType::Oauth2,
    scopes: auth::SCOPES,
    rate_limits: FULL,
    refresh_tokens: RefreshTokens::RotatedOnce,
};

/// Slack.
pub struct Slack {
    http: Http,
    auth: auth::Auth,
    memory: Memory,
}

impl Slack {
    /// Slack over this client.
    #[must_use]
    pub fn new(http: Http) -> Self {
        Self { auth: auth::Auth::new(http.clone()), memory: Memory::default(), http }
    }

    const fn api<'a>(&'a self, access: &'a Access) -> Api<'a> {
        Api::new(&self.http, access)
    }

    fn names<'a>(&'a self, access: &'a Access) -> Names<'a> {
        self.memory.of(self.api(access))
    }

    fn lister<'a>(&'a self, access: &'a Access, config: &'a Config) -> Lister<'a> {
        let is_person = auth::is_person(&access.settings);
        Lister { api: self.api(access), names: self.names(access), config, is_person }
    }
}

/// A `config` that was checked when it was saved.
fn read(config: &IntegrationConfig) -> Result<Config, ProviderError> {
    Config::read(config).map_err(|sentence| error(Kind::Rejected(sentence)))
}

#[async_trait]
impl Provider for Slack {
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
        let identity = self.api(access).identity().await?;
        let id = match identity.is_enterprise_install {
            Some(true) => identity.enterprise_id,
            _ => identity.team_id,
        };
        let id = id.and_then(|id| AccountId::new(id).ok()).ok_or_else(|| malformed("a workspace without id"))?;
        Ok(Account { id, name: identity.team.map(|name| text::unescape(&name)) })
    }

    async fn start_cursor(&self, access: &Access, config: &IntegrationConfig) -> Result<String, ProviderError> {
        self.lister(access, &read(config)?).start_cursor().await
    }

    async fn list(&self, access: &Access, request: ListRequest<'_>) -> Result<Page, ProviderError> {
        let config = read(request.config)?;
        let before = match request.from {
            From::Everything => None,
            From::Cursor(cursor) => Some(ChangeCursor::read(cursor, &config)?),
        };
        self.lister(access, &config).list(before.as_ref(), request.page).await
    }

    async fn fetch(&self, access: &Access, request: FetchRequest<'_>) -> Result<Fetched, ProviderError> {
        fetch::fetch(self.api(access), self.names(access), request).await
    }

    fn meter(&self, settings: &ProviderSettings, call: Call) -> Meter {
        let limits = match Tier::of(settings) {
            Tier::Full => FULL,
            Tier::Restricted => RESTRICTED,
        };
        let name = match call {
            Call::List => "history",
            Call::Fetch => "replies",
        };
        Meter { name, limits }
    }

    async fn browse(&self, access: &Access, request: BrowseRequest<'_>) -> Result<Choices, ProviderError> {
        browse::browse(self.api(access), request).await
    }

    async fn confirm_gone(
        &self,
        access: &Access,
        config: &IntegrationConfig,
        id: &ExternalId,
    ) -> Result<Option<DeleteReason>, ProviderError> {
        let (api, config) = (self.api(access), read(config)?);
        let Some(named) = Named::read(id) else { return Ok(Some(DeleteReason::Removed)) };
        if !config.takes(named.channel()) {
            return Ok(Some(DeleteReason::OutOfScope));
        }
        let channel = match api.channel(named.channel()).await {
            Ok(channel) => channel,
            Err(unseen) if is_out_of_reach(&unseen.kind) => return Ok(Some(DeleteReason::AccessLost)),
            Err(error) => return Err(error),
        };
        let is_chosen = config.channels.is_some() && auth::is_person(&access.settings);
        if channel.is_member == Some(false) && !is_chosen {
            return Ok(Some(DeleteReason::AccessLost));
        }
        if channel.is_archived == Some(true) && !config.archived_channels {
            return Ok(Some(DeleteReason::OutOfScope));
        }
        if channel.is_mpim == Some(true) && config.channels.is_none() && !config.direct_messages {
            return Ok(Some(DeleteReason::OutOfScope));
        }
        match named {
            Named::Thread(_, ts) if !config.reaches(ts.at()) => Ok(Some(DeleteReason::OutOfScope)),
            Named::Thread(channel, ts) => gone(api.parent(channel, ts).await, |parent| {
                parent.as_ref().and_then(threads::head).is_none().then_some(DeleteReason::Removed)
            }),
            Named::File(channel, file) => gone(api.file(file).await, |file| {
                let is_here = file.places().any(|place| place == channel) && files::is_kept(file);
                let is_wanted = config.files && config.reaches(files::made(file));
                match (is_here, is_wanted) {
                    (false, _) => Some(DeleteReason::Removed),
                    (true, false) => Some(DeleteReason::OutOfScope),
                    (true, true) => None,
                }
            }),
        }
    }

    fn oauth(&self) -> Option<&dyn OAuth> {
        Some(&self.auth)
    }

    fn webhooks(&self) -> Option<&dyn Webhooks> {
        Some(&webhooks::Events)
    }
}

/// Why a thing is gone, of which this was heard.
fn gone<T>(
    heard: Result<T, ProviderError>,
    judge: impl FnOnce(&T) -> Option<DeleteReason>,
) -> Result<Option<DeleteReason>, ProviderError> {
    match heard {
        Ok(found) => Ok(judge(&found)),
        Err(ProviderError { kind: Kind::NotFound, .. }) => Ok(Some(DeleteReason::Removed)),
        Err(ProviderError { kind: Kind::Forbidden(_), .. }) => Ok(Some(DeleteReason::AccessLost)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
