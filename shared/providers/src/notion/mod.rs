//! Notion: pages, the rows of databases, and the databases' data sources.
//!
#![doc = include_str!("quirks.md")]

mod auth;
mod browse;
mod changes;
mod client;
mod config;
mod content;
mod cursor;
mod fetch;
mod listing;
mod people;
mod resources;
mod scope;
mod text;
#[cfg(test)]
mod torture;
mod walk;
mod webhooks;
mod wire;

use async_trait::async_trait;
use domain::provider::{AuthType, Category, RateLimits};
use domain::resource::DeleteReason;
use domain::{ExternalId, IntegrationConfig, ProviderId, Resource};

use self::client::{Api, error, malformed};
use self::config::Config;
use crate::error::{Kind, ProviderError};
use crate::http::Http;
use crate::provider::{
    Access, Account, BrowseRequest, Choices, FetchRequest, Fetched, From, ListRequest, Manifest, OAuth, Page, Provider,
    RefreshTokens, Webhooks,
};

/// Three requests a second on average for a connection; there is no limit per day.
static MANIFEST: Manifest = Manifest {
    id: ProviderId::Notion,
    name: "Notion",
    description: "Pages, databases with their rows, and comments of the pages that you pick.",
    icon: "notion",
    category: Category::Productivity,
    auth_type: AuthType::Oauth2,
    scopes: auth::SCOPES,
    rate_limits: RateLimits { per_minute: 180, per_day: None, concurrent: 3 },
    refresh_tokens: RefreshTokens::RotatedOnce,
};

/// Notion.
pub struct Notion {
    http: Http,
    auth: auth::Auth,
    people: people::People,
}

impl Notion {
    /// Notion over this client.
    #[must_use]
    pub fn new(http: Http) -> Self {
        Self { auth: auth::Auth::new(http.clone()), people: people::People::default(), http }
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
impl Provider for Notion {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn config_schema(&self) -> serde_json::Value {
        config::schema()
    }

    fn check_config(&self, config: &IntegrationConfig) -> Result<(), String> {
        Config::read(config).map(drop)
    }

    /// The account is the workspace. A connection of which Notion does not tell the workspace could never be told apart from others.
    async fn test_connection(&self, access: &Access) -> Result<Account, ProviderError> {
        let bot = self.api(access).me().await?.bot.ok_or_else(|| malformed("a connection without a bot"))?;
        let workspace = bot.workspace_id.as_deref().and_then(webhooks::account);
        let id = workspace.ok_or_else(|| malformed("a connection without a workspace"))?;
        Ok(Account { id, name: bot.workspace_name })
    }

    async fn start_cursor(&self, access: &Access, _config: &IntegrationConfig) -> Result<String, ProviderError> {
        cursor::ChangeCursor::new(listing::start_cursor(self.api(access)).await?).write()
    }

    async fn list(&self, access: &Access, request: ListRequest<'_>) -> Result<Page, ProviderError> {
        let (api, config) = (self.api(access), read(request.config)?);
        match request.from {
            From::Everything => listing::list(api, config, request.page).await,
            From::Cursor(cursor) => changes::list(api, config, cursor, request.page).await,
        }
    }

    async fn fetch(&self, access: &Access, request: FetchRequest<'_>) -> Result<Fetched, ProviderError> {
        fetch::fetch(self.api(access), access, &self.people, request).await
    }

    fn fetch_calls(&self, known: Option<&Resource>) -> u32 {
        fetch::calls(known)
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
        let api = self.api(access);
        let item = match fetch::find(api, id, &mut 2).await {
            Ok(item) if item.is_whole() => item,
            Ok(_) => return Ok(Some(DeleteReason::AccessLost)),
            // Deletion goes through the trash, where it would be seen.
            Err(ProviderError { kind: Kind::NotFound | Kind::Forbidden(_), .. }) => {
                return Ok(Some(DeleteReason::AccessLost));
            }
            Err(error) => return Err(error),
        };
        if item.is_trashed() {
            return Ok(Some(DeleteReason::Trashed));
        }
        let is_held = listing::fresh(api, read(config)?).holds(&item).await?;
        Ok((!is_held).then_some(DeleteReason::OutOfScope))
    }

    fn oauth(&self) -> Option<&dyn OAuth> {
        Some(&self.auth)
    }

    fn webhooks(&self) -> Option<&dyn Webhooks> {
        Some(&webhooks::Hooks)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::{Reply, Seen, Server, config, settings};
    use serde_json::{Value, json};

    /// Access to Notion at this server, with the token `canary-token`.
    pub(super) fn access(server: &Server) -> Access {
        let settings = settings(&[("https://api.notion.com", server.url())]);
        Access { token: "canary-token".into(), settings: Arc::new(settings) }
    }

    /// An id of Notion's form.
    pub(super) fn id(number: u8) -> String {
        format!("00000000-0000-4000-8000-0000000000{number:02x}")
    }

    #[tokio::test]
    async fn the_account_is_the_workspace() {
        let check = async |bot: Value| {
            let server = Server::start(move |request: &Seen| {
                assert_eq!(
                    (request.path.as_str(), request.headers["notion-version"].as_str()),
                    ("/v1/users/me", "2026-03-11")
                );
                Reply::json(200, json!({"object": "user", "id": id(1), "type": "bot", "name": "Cognia", "bot": bot}))
            })
            .await;
            let account = Notion::new(Http::new()).test_connection(&access(&server)).await;
            account.map(|account| (account.id.to_string(), account.name)).map_err(|error| error.kind)
        };
        let bot = json!({"workspace_id": "13950b26c2034f3bb97d93ec06319565", "workspace_name": "Acme", "owner": {}});
        assert_eq!(
            check(bot).await.unwrap(),
            ("13950b26-c203-4f3b-b97d-93ec06319565".to_owned(), Some("Acme".to_owned()))
        );
        assert!(matches!(check(json!({"workspace_name": "Acme"})).await, Err(Kind::Malformed(_))));
        assert!(matches!(check(Value::Null).await, Err(Kind::Malformed(_))));
    }

    #[tokio::test]
    async fn a_missing_page_is_looked_at_before_it_counts_as_gone() {
        let check = async |settings: Value, status: u16, page: Value, expected: Result<Option<DeleteReason>, Kind>| {
            let server = Server::start(move |request: &Seen| match request.path.as_str() {
                path if path == format!("/v1/pages/{}", id(1)) => Reply::json(status, &page),
                path if path == format!("/v1/data_sources/{}", id(1)) => {
                    Reply::json(404, json!({"object": "error", "code": "object_not_found"}))
                }
                other => panic!("{other}"),
            })
            .await;
            let external_id = ExternalId::new(id(1)).unwrap();
            let reason = Notion::new(Http::new()).confirm_gone(&access(&server), &config(settings), &external_id).await;
            assert_eq!(reason.map_err(|error| error.kind), expected);
        };
        let page = |in_trash: bool| {
            json!({"object": "page", "id": id(1), "last_edited_time": "2026-11-20T10:00:00.000Z", "in_trash": in_trash,
                   "parent": {"type": "workspace", "workspace": true}, "properties": {}})
        };
        let failure = |code: &str| json!({"object": "error", "code": code});
        check(json!({}), 200, page(false), Ok(None)).await;
        check(json!({}), 200, page(true), Ok(Some(DeleteReason::Trashed))).await;
        check(json!({}), 404, failure("object_not_found"), Ok(Some(DeleteReason::AccessLost))).await;
        check(json!({}), 200, json!({"object": "page", "id": id(1)}), Ok(Some(DeleteReason::AccessLost))).await;
        check(json!({"pages": [id(2)]}), 200, page(false), Ok(Some(DeleteReason::OutOfScope))).await;
        check(json!({}), 403, failure("restricted_resource"), Err(Kind::ScopeMissing)).await;
        check(json!({}), 401, failure("unauthorized"), Err(Kind::TokenRejected)).await;
        check(json!({}), 503, failure("service_unavailable"), Err(Kind::Unavailable)).await;
        check(json!({}), 429, failure("rate_limited"), Err(Kind::RateLimited { retry_after: None })).await;
    }
}
