//! Saves a connection, however its tokens were come by: whether it may be made, its first settings, the sealing, the row.
//!
//! The row is written last, on condition that nothing has changed that was decided by: two connections that are completed at the same
//! moment do not both take the last place that a plan allows.

use std::sync::Arc;

use domain::integration::SealedTokens;
use domain::plan::{Plan, Role};
use domain::{
    Integration, IntegrationConfig, IntegrationId, Owner, ProviderId, ProviderSettings, Status, StorageStrategy,
    SyncFrequency, Timestamp, TokenSet, UserId,
};
use providers::{Access, Account, Provider};
use store::Saved;

use crate::Connections;
use crate::error::CallbackKind;
use crate::offer;

/// When the scheduler looks after a new connection whose first sync was not started (its function died in between).
const FIRST_LOOK: chrono::TimeDelta = chrono::TimeDelta::minutes(2);

/// How often a row that changes under our hands is read again.
const SAVES: usize = 5;

/// Who connects what, and for whom.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// Whose integration it becomes.
    pub owner: Owner,
    /// Who connects.
    pub user: UserId,
    /// At which provider.
    pub provider: ProviderId,
}

/// Tokens that were just given, in the clear.
pub(crate) struct Grant {
    /// The tokens.
    pub tokens: TokenSet,
    /// When they were asked for.
    pub issued_at: Timestamp,
}

/// What was found when it was asked whether a connection may be made.
pub(crate) struct Ground {
    plan: Plan,
    rows: Vec<Integration>,
    start: Start,
}

/// What a new integration starts with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    config: IntegrationConfig,
    frequency: SyncFrequency,
    strategy: StorageStrategy,
}

impl Connections {
    /// Whether the person may (still) connect this provider for this owner; with what was read on the way. Four reads.
    pub(crate) async fn may_connect(&self, claim: &Claim) -> Result<Ground, CallbackKind> {
        let user = self.store.user_on_first_sight(&claim.user, self.clock.now()).await?;
        if !user.active {
            return Err(CallbackKind::NotAllowed);
        }
        let organization = match &claim.owner {
            Owner::User(id) if *id == claim.user => None,
            Owner::User(_) => return Err(CallbackKind::NotAllowed),
            Owner::Organization(id) => {
                let (role, organization) =
                    tokio::try_join!(self.store.membership(id, &claim.user), self.store.get_organization(id))?;
                if role != Some(Role::Admin) {
                    return Err(CallbackKind::NotAllowed);
                }
                Some(organization.ok_or(CallbackKind::NotAllowed)?)
            }
        };
        let (entry, rows) =
            tokio::try_join!(self.store.registry_entry(claim.provider), self.store.integrations_of(&claim.owner))?;
        let plan = organization.as_ref().map_or(user.plan, |organization| organization.plan);
        offer::check(&entry, plan).map_err(|_| CallbackKind::NotOffered)?;
        if !offer::has_room(plan, &rows, claim.provider) {
            return Err(CallbackKind::QuotaExceeded);
        }
        let frequency = organization.as_ref().and_then(|organization| organization.default_frequency);
        let strategy = organization.as_ref().and_then(|organization| organization.default_storage_strategy);
        let start = Start {
            config: usable(self.registry.get(claim.provider), entry.default_config),
            frequency: frequency.unwrap_or_default(),
            strategy: strategy.unwrap_or_default(),
        };
        Ok(Ground { plan, rows, start })
    }

    /// Tests the tokens, seals them and writes the row. Rows that change meanwhile (a run starts or ends, another connection is made)
    /// are read again.
    pub(crate) async fn save(
        &self,
        claim: &Claim,
        provider: &dyn Provider,
        settings: &Arc<ProviderSettings>,
        grant: &Grant,
        ground: Ground,
    ) -> Result<Integration, CallbackKind> {
        let access = Access { token: grant.tokens.access_token.clone(), settings: Arc::clone(settings) };
        let account = provider.test_connection(&access).await?;
        let Ground { plan, mut rows, start } = ground;
        for _ in 0..SAVES {
            if !offer::has_room(plan, &rows, claim.provider) {
                return Err(CallbackKind::QuotaExceeded);
            }
            let beside = offer::must_stay_unconnected(plan, &rows, claim.provider);
            let existing = rows.iter().find(|row| row.provider == claim.provider);
            if let Some(saved) = self.save_over(existing, claim, &account, grant, &start, &beside).await? {
                return Ok(saved);
            }
            rows = self.store.integrations_of(&claim.owner).await?;
        }
        Err(CallbackKind::Conflict)
    }

    /// One try at writing the row over `existing`; `None` if something is no longer as it was read.
    async fn save_over(
        &self,
        existing: Option<&Integration>,
        claim: &Claim,
        account: &Account,
        grant: &Grant,
        start: &Start,
        beside: &[ProviderId],
    ) -> Result<Option<Integration>, CallbackKind> {
        let known = match existing {
            Some(row) if row.account_id == account.id => Some(row.id),
            _ => self.store.known_account(&claim.owner, claim.provider, &account.id).await?,
        };
        let now = self.clock.now();
        let id = known.unwrap_or_else(|| IntegrationId::new(now));
        let same = existing.filter(|row| row.id == id);
        if let Some(other) = existing.filter(|row| is_connected(row) && row.id != id) {
            // One row per owner and provider: the account that stood there goes, with its run and its webhooks.
            self.disconnect(other).await?;
            return Ok(None);
        }
        let tokens = self.seal(&claim.owner, id, grant, same.and_then(|row| row.tokens.as_ref())).await?;
        let integration = match same {
            Some(row) => connected_again(row, account, claim, tokens, now),
            None => connected_first(id, account, claim, tokens, start, now),
        };
        let replaces = existing.map(|row| row.version);
        // The write's condition compares the run under way with the row that is replaced, whosever it is.
        let integration = match existing {
            Some(row) if same.is_none() => {
                Integration { runs: row.runs, active: row.active, again: row.again, ..integration }
            }
            _ => integration,
        };
        match self.store.save_connection_beside(&integration, replaces, beside).await? {
            Saved::Yes => {
                self.opened.forget(id);
                Ok(Some(Integration { version: replaces.map_or(1, |version| version + 1), ..integration }))
            }
            Saved::Conflict => Ok(None),
        }
    }

    /// Seals a grant for an integration. An absent refresh token means that the old one goes on: Google gives one at the
    /// first consent only.
    async fn seal(
        &self,
        owner: &Owner,
        id: IntegrationId,
        grant: &Grant,
        old: Option<&SealedTokens>,
    ) -> Result<SealedTokens, CallbackKind> {
        let tokens = &grant.tokens;
        let (access, refresh) = self
            .vault
            .seal(&self.context(owner, id), &tokens.access_token, tokens.refresh_token.as_ref(), None)
            .await?;
        Ok(SealedTokens {
            access,
            refresh: refresh.or_else(|| old.and_then(|old| old.refresh.clone())),
            expires_at: tokens.expires_at,
            issued_at: grant.issued_at,
            scope: tokens.scope.clone(),
            version: old.map_or(1, |old| old.version + 1),
        })
    }
}

/// The registry's configuration for new integrations, if the provider takes it: one that was written for an older version may say what
/// is no longer understood, and must not make every connection useless.
fn usable(provider: &dyn Provider, config: IntegrationConfig) -> IntegrationConfig {
    match provider.check_config(&config) {
        Ok(()) => config,
        Err(reason) => {
            tracing::error!(provider = %provider.manifest().id, reason, "the registry's default config is not valid and is left out");
            IntegrationConfig::default()
        }
    }
}

/// Whether a row holds a live connection.
fn is_connected(row: &Integration) -> bool {
    row.status != Status::Disconnected && row.tokens.is_some()
}

/// A new integration of this account.
pub(crate) fn connected_first(
    id: IntegrationId,
    account: &Account,
    claim: &Claim,
    tokens: SealedTokens,
    start: &Start,
    now: Timestamp,
) -> Integration {
    Integration {
        id,
        owner: claim.owner.clone(),
        provider: claim.provider,
        account_id: account.id.clone(),
        account_name: account.name.clone(),
        status: Status::Active,
        storage_strategy: start.strategy,
        sync_frequency: start.frequency,
        config: start.config.clone(),
        last_sync_at: None,
        last_error: None,
        failures_in_a_row: 0,
        connected_by: claim.user.clone(),
        connected_at: now,
        updated_at: now,
        change_cursor: None,
        active: None,
        runs: 0,
        again: None,
        pending_deletes: None,
        deletes_confirmed: false,
        confirmed_count: None,
        blocked_until: None,
        due_at: Some(now + FIRST_LOOK),
        retry_failed: false,
        tokens: Some(tokens),
        version: 0,
    }
}

/// The same integration with new tokens: its settings, its records and a run under way stay as they are.
fn connected_again(
    row: &Integration,
    account: &Account,
    claim: &Claim,
    tokens: SealedTokens,
    now: Timestamp,
) -> Integration {
    Integration {
        account_name: account.name.clone().or_else(|| row.account_name.clone()),
        status: Status::Active,
        last_error: None,
        failures_in_a_row: 0,
        connected_by: claim.user.clone(),
        connected_at: now,
        updated_at: now,
        blocked_until: None,
        due_at: Some(now + FIRST_LOOK),
        // What changed while it was disconnected, or was purged, only a full listing tells.
        change_cursor: row.change_cursor.clone().filter(|_| is_connected(row)),
        tokens: Some(tokens),
        ..row.clone()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    pub(crate) fn claim(provider: ProviderId) -> Claim {
        let user = UserId::new("ada").unwrap();
        Claim { owner: Owner::User(user.clone()), user, provider }
    }

    pub(crate) fn tokens(version: u64) -> SealedTokens {
        SealedTokens {
            access: domain::SealedToken::from_bytes(vec![1]),
            refresh: None,
            expires_at: None,
            issued_at: at(0),
            scope: None,
            version,
        }
    }

    fn account() -> Account {
        Account { id: domain::AccountId::new("7").unwrap(), name: Some("Ada".to_owned()) }
    }

    #[test]
    fn connecting_again_keeps_settings_and_a_run_under_way() {
        let (id, claim) = (IntegrationId::new(at(0)), claim(ProviderId::GoogleDrive));
        let mut row = connected_first(id, &account(), &claim, tokens(2), &Start::default(), at(0));
        row.status = Status::TokenExpired;
        row.sync_frequency = SyncFrequency::Daily;
        row.change_cursor = Some("cursor".to_owned());
        row.runs = 3;
        let again = connected_again(&row, &account(), &claim, tokens(2), at(60));
        assert_eq!((again.id, again.status, again.runs), (id, Status::Active, 3));
        assert_eq!(again.sync_frequency, SyncFrequency::Daily);
        assert_eq!(again.change_cursor.as_deref(), Some("cursor"));

        (row.status, row.tokens) = (Status::Disconnected, None);
        assert_eq!(connected_again(&row, &account(), &claim, tokens(2), at(60)).change_cursor, None);
    }

    #[test]
    fn a_new_integration_starts_with_what_its_owner_and_the_registry_say() {
        let start = Start {
            config: serde_json::from_str(r#"{"folders":["f"]}"#).unwrap(),
            frequency: SyncFrequency::Daily,
            strategy: StorageStrategy::MetadataOnly,
        };
        let claim = claim(ProviderId::GoogleDrive);
        let row = connected_first(IntegrationId::new(at(0)), &account(), &claim, tokens(1), &start, at(0));
        assert_eq!((row.sync_frequency, row.storage_strategy), (SyncFrequency::Daily, StorageStrategy::MetadataOnly));
        assert_eq!(row.config, start.config);
    }

    #[test]
    fn a_default_that_the_provider_does_not_take_is_left_out() {
        let registry = providers::Registry::new(providers::Http::new());
        let drive = registry.get(ProviderId::GoogleDrive);
        let check = |text: &str, kept: bool| {
            let config: IntegrationConfig = serde_json::from_str(text).unwrap();
            let expected = if kept { config.clone() } else { IntegrationConfig::default() };
            assert_eq!(usable(drive, config), expected, "{text}");
        };
        check(r#"{"folders":["f"]}"#, true);
        check(r#"{"folder":"f"}"#, false);
    }
}
