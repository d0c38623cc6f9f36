//! Google Drive: files of My Drive, of what is shared with the person, and of shared drives.
//!
#![doc = include_str!("quirks.md")]

mod auth;
mod browse;
mod changes;
mod client;
mod config;
mod cursor;
mod fetch;
mod listing;
mod resources;
mod scope;
#[cfg(test)]
mod torture;
mod webhooks;
mod wire;

use async_trait::async_trait;
use domain::provider::{AuthType, Category, RateLimits};
use domain::resource::DeleteReason;
use domain::{AccountId, ExternalId, IntegrationConfig, ProviderId};

use self::client::{Api, error, malformed};
use self::config::Config;
use self::scope::Scope;
use crate::error::{Kind, ProviderError};
use crate::http::Http;
use crate::provider::{
    Access, Account, BrowseRequest, Choices, FetchRequest, Fetched, From, ListRequest, Manifest, OAuth, Page, Provider,
    RefreshTokens, Webhooks,
};

/// Drive counts 325,000 quota units a minute for a person and project. A download or export costs 200 of them, a listing 100, all else 5;
/// the limit here is in calls of the dearest kind. There is no limit per day unless the project's owner sets one.
static MANIFEST: Manifest = Manifest {
    id: ProviderId::GoogleDrive,
    name: "Google Drive",
    description: "Documents, spreadsheets, presentations and files of My Drive and shared drives.",
    icon: "google-drive",
    category: Category::Storage,
    auth_type: AuthType::Oauth2,
    scopes: auth::SCOPES,
    rate_limits: RateLimits { per_minute: 325_000 / 200, per_day: None, concurrent: 20 },
    refresh_tokens: RefreshTokens::Kept,
};

/// Google Drive.
pub struct GoogleDrive {
    http: Http,
    auth: auth::Auth,
    channels: webhooks::Channels,
}

impl GoogleDrive {
    /// Drive over this client.
    #[must_use]
    pub fn new(http: Http) -> Self {
        Self { auth: auth::Auth::new(http.clone()), channels: webhooks::Channels::new(http.clone()), http }
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
impl Provider for GoogleDrive {
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
        let user = self.api(access).about().await?.user;
        let id = user
            .permission_id
            .and_then(|id| AccountId::new(id).ok())
            .ok_or_else(|| malformed("an account without id"))?;
        Ok(Account { id, name: user.email_address.or(user.display_name) })
    }

    async fn start_cursor(&self, access: &Access, config: &IntegrationConfig) -> Result<String, ProviderError> {
        listing::start_cursor(self.api(access), &read(config)?).await
    }

    async fn list(&self, access: &Access, request: ListRequest<'_>) -> Result<Page, ProviderError> {
        let (api, config) = (self.api(access), read(request.config)?);
        match request.from {
            From::Everything => listing::list(api, config, request.page).await,
            From::Cursor(cursor) => changes::list(api, config, cursor, request.page).await,
        }
    }

    async fn fetch(&self, access: &Access, request: FetchRequest<'_>) -> Result<Fetched, ProviderError> {
        fetch::fetch(self.api(access), request.id, request.known).await
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
        let file = match api.file(id.as_str(), wire::FILE_FIELDS).await {
            Ok(file) => file,
            Err(ProviderError { kind: Kind::NotFound, .. }) => return Ok(Some(DeleteReason::Removed)),
            Err(ProviderError { kind: Kind::Forbidden(_), .. }) => return Ok(Some(DeleteReason::AccessLost)),
            Err(error) => return Err(error),
        };
        let mut scope = Scope::new(api, read(config)?).await?;
        if let Some(reason) = scope.judge(&file) {
            return Ok(Some(reason));
        }
        let drives: Vec<String> = file.drive_id.iter().cloned().collect();
        let inside = scope.inside(std::slice::from_ref(&file), &drives).await?;
        Ok(inside.is_empty().then_some(DeleteReason::OutOfScope))
    }

    fn oauth(&self) -> Option<&dyn OAuth> {
        Some(&self.auth)
    }

    fn webhooks(&self) -> Option<&dyn Webhooks> {
        Some(&self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Seen, Server, config, google};
    use serde_json::{Value, json};

    #[tokio::test]
    async fn the_account_is_known_by_its_permission_id() {
        let check = async |user: Value| {
            let server = Server::start(move |_| Reply::json(200, json!({"user": user}))).await;
            let account = GoogleDrive::new(Http::new()).test_connection(&google(&server)).await;
            assert!(server.seen()[0].query("fields").starts_with("user("));
            account.map(|account| (account.id.to_string(), account.name)).map_err(|error| error.kind)
        };
        let ada = json!({"permissionId": "047", "emailAddress": "ada@example.com", "displayName": "Ada"});
        assert_eq!(check(ada).await.unwrap(), ("047".to_owned(), Some("ada@example.com".to_owned())));
        assert_eq!(check(json!({"permissionId": "047"})).await.unwrap(), ("047".to_owned(), None));
        assert!(matches!(check(json!({"displayName": "Ada"})).await, Err(Kind::Malformed(_))));
    }

    #[tokio::test]
    async fn a_missing_file_is_looked_at_before_it_counts_as_gone() {
        let check = async |settings: Value, status: u16, file: Value, expected: Result<Option<DeleteReason>, Kind>| {
            let server = Server::start(move |request: &Seen| match request.path.as_str() {
                "/drive/v3/files/a" => Reply::json(status, &file),
                "/drive/v3/files/up" => Reply::json(200, json!({"id": "up", "parents": ["F"]})),
                "/drive/v3/files/else" => Reply::json(200, json!({"id": "else"})),
                "/drive/v3/files" => Reply::json(200, json!({"files": []})),
                other => panic!("{other}"),
            })
            .await;
            let id = ExternalId::new("a").unwrap();
            let reason = GoogleDrive::new(Http::new()).confirm_gone(&google(&server), &config(settings), &id).await;
            assert_eq!(reason.map_err(|error| error.kind), expected);
        };
        let file = |more: Value| {
            let mut file = json!({"id": "a", "mimeType": "text/plain"});
            file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            file
        };
        check(json!({}), 200, file(json!({})), Ok(None)).await;
        check(json!({}), 404, json!({}), Ok(Some(DeleteReason::Removed))).await;
        check(json!({}), 403, json!({}), Ok(Some(DeleteReason::AccessLost))).await;
        check(json!({}), 200, file(json!({"trashed": true})), Ok(Some(DeleteReason::Trashed))).await;
        check(json!({"sharedDrives": false}), 200, file(json!({"driveId": "D"})), Ok(Some(DeleteReason::OutOfScope)))
            .await;
        check(json!({"fileTypes": ["pdf"]}), 200, file(json!({})), Ok(Some(DeleteReason::OutOfScope))).await;
        check(json!({"folders": ["F"]}), 200, file(json!({"parents": ["up"]})), Ok(None)).await;
        check(json!({"folders": ["F"]}), 200, file(json!({"parents": ["else"]})), Ok(Some(DeleteReason::OutOfScope)))
            .await;
        check(json!({}), 503, json!({}), Err(Kind::Unavailable)).await;
        let limited = json!({"error": {"errors": [{"reason": "userRateLimitExceeded"}]}});
        check(json!({}), 403, limited, Err(Kind::RateLimited { retry_after: None })).await;
    }
}
