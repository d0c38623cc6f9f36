//! Completes a connection: the callback that the provider sends the person to.
//!
//! Everything that can be checked is checked before the state is spent; the state is spent before the code is; the row is
//! written last. Whoever fails half way has stored nothing.

use std::sync::Arc;

use domain::integration::SealedTokens;
use domain::plan::Role;
use domain::{
    Integration, IntegrationId, Owner, ProviderId, ProviderSettings, Status, StorageStrategy, SyncFrequency, Timestamp,
    TokenSet, UserId,
};
use providers::{Access, Account, Provider};
use store::{OAuthState, Saved};

use crate::Connections;
use crate::error::{CallbackError, CallbackKind};
use crate::offer::{self, plan_of};
use crate::secrets::has_hash;

/// The longest state that is looked up; ours have 43 characters.
const LONGEST_STATE: usize = 128;

/// The longest code that is passed on to a provider.
const LONGEST_CODE: usize = 4096;

/// When the scheduler looks after a new connection whose first sync was not started (its function died in between).
const FIRST_LOOK: chrono::TimeDelta = chrono::TimeDelta::minutes(2);

/// How often a row that changes under our hands is read again.
const SAVES: usize = 5;

/// Tokens that were just exchanged, in the clear.
struct Grant {
    tokens: TokenSet,
    issued_at: Timestamp,
}

/// A callback as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Callback<'a> {
    /// The provider that the path names.
    pub provider: ProviderId,
    /// The code; empty if there is none.
    pub code: &'a str,
    /// The state; empty if there is none.
    pub state: &'a str,
    /// The value of the cookie that [`Connections::begin`] gave.
    pub browser_cookie: Option<&'a str>,
    /// Who is signed in, if anybody is.
    pub session_user: Option<&'a UserId>,
}

impl Connections {
    /// Turns a callback into an integration. Says which integration it became: the one that had this account before, or a
    /// new one. Costs about ten reads and writes and three calls at the provider.
    ///
    /// # Errors
    /// [`CallbackError`] with a stable code; nothing has been stored then.
    pub async fn complete(&self, callback: Callback<'_>) -> Result<Integration, CallbackError> {
        let state = self.spend(&callback).await?;
        let owner = state.owner.clone();
        self.connect(state, callback.code).await.map_err(|kind| CallbackError { owner: Some(owner), kind })
    }

    /// The provider sent the person back with `error` instead of a code. Spends the state, and says whose it was. What the
    /// provider said is sorted into our own codes and goes nowhere.
    pub async fn denied(&self, callback: Callback<'_>, error: &str) -> CallbackError {
        match self.spend(&callback).await {
            Ok(state) => CallbackError { owner: Some(state.owner), kind: sort_denial(error) },
            Err(error) => error,
        }
    }

    /// Checks a state and spends it: one caller wins.
    async fn spend(&self, callback: &Callback<'_>) -> Result<OAuthState, CallbackError> {
        let unknown = |kind| CallbackError { owner: None, kind };
        if callback.state.is_empty() || callback.state.len() > LONGEST_STATE {
            return Err(unknown(CallbackKind::InvalidState));
        }
        let now = self.clock.now();
        let seen = self.store.peek_state(callback.state, now).await.map_err(|error| unknown(error.into()))?;
        // A state that the caller may not use tells nothing of whose it is: the owner stays out of the error.
        if !seen.is_some_and(|state| is_acceptable(&state, callback, now)) {
            return Err(unknown(CallbackKind::InvalidState));
        }
        let taken = self.store.take_state(callback.state, now).await.map_err(|error| unknown(error.into()))?;
        taken.ok_or_else(|| unknown(CallbackKind::InvalidState))
    }

    async fn connect(&self, state: OAuthState, code: &str) -> Result<Integration, CallbackKind> {
        if code.is_empty() || code.len() > LONGEST_CODE {
            return Err(CallbackKind::ExchangeFailed("there is no usable code".into()));
        }
        let provider = self.registry.get(state.provider);
        let oauth = provider.oauth().ok_or(CallbackKind::NotOffered)?;
        let rows = self.may_connect(&state).await?;
        let settings = self
            .settings
            .get(state.provider)
            .await?
            .ok_or_else(|| CallbackKind::NotConfigured("there is no secret with its settings".into()))?;

        let issued_at = self.clock.now();
        let tokens =
            oauth.exchange(&settings, code, &state.redirect_uri, state.pkce_verifier.as_deref(), issued_at).await?;
        // A grant that is not kept in the end is not withdrawn: providers (Google is one) withdraw all grants of an account
        // at once, and another owner may have connected it. Nobody has the tokens then.
        self.save(&state, provider, &settings, &Grant { tokens, issued_at }, rows).await
    }

    /// Whether the person may still connect this provider for this owner; and the owner's rows, read on the way.
    async fn may_connect(&self, state: &OAuthState) -> Result<Vec<Integration>, CallbackKind> {
        let now = self.clock.now();
        if let Owner::Organization(organization) = &state.owner
            && self.store.membership(organization, &state.user).await? != Some(Role::Admin)
        {
            return Err(CallbackKind::NotAllowed);
        }
        let (plan, entry, rows) = tokio::try_join!(
            plan_of(&self.store, &state.owner, now),
            self.store.registry_entry(state.provider),
            self.store.integrations_of(&state.owner)
        )?;
        offer::check(&entry, plan).map_err(|_| CallbackKind::NotOffered)?;
        if !offer::has_room(plan, &rows, state.provider) {
            return Err(CallbackKind::QuotaExceeded);
        }
        Ok(rows)
    }

    /// Tests the tokens, seals them and writes the row. A row that changes meanwhile (a run starts or ends) is read again.
    async fn save(
        &self,
        state: &OAuthState,
        provider: &dyn Provider,
        settings: &Arc<ProviderSettings>,
        grant: &Grant,
        rows: Vec<Integration>,
    ) -> Result<Integration, CallbackKind> {
        let access = Access { token: grant.tokens.access_token.clone(), settings: Arc::clone(settings) };
        let account = provider.test_connection(&access).await?;
        let mut existing = rows.into_iter().find(|row| row.provider == state.provider);
        for _ in 0..SAVES {
            if let Some(saved) = self.save_over(existing.as_ref(), state, &account, grant).await? {
                return Ok(saved);
            }
            existing = self.store.get_integration(&state.owner, state.provider).await?;
        }
        Err(CallbackKind::Conflict)
    }

    /// One try at writing the row over `existing`; `None` if it is no longer as it was read.
    async fn save_over(
        &self,
        existing: Option<&Integration>,
        state: &OAuthState,
        account: &Account,
        grant: &Grant,
    ) -> Result<Option<Integration>, CallbackKind> {
        let known = match existing {
            Some(row) if row.account_id == account.id => Some(row.id),
            _ => self.store.known_account(&state.owner, state.provider, &account.id).await?,
        };
        let now = self.clock.now();
        let id = known.unwrap_or_else(|| IntegrationId::new(now));
        let same = existing.filter(|row| row.id == id);
        if let Some(other) = existing.filter(|row| is_connected(row) && row.id != id) {
            // One row per owner and provider: the account that stood there goes, with its run and its webhooks.
            self.disconnect(other).await?;
            return Ok(None);
        }
        let tokens = self.seal(&state.owner, id, grant, same.and_then(|row| row.tokens.as_ref())).await?;
        let integration = match same {
            Some(row) => connected_again(row, account, state, tokens, now),
            None => {
                let entry = self.store.registry_entry(state.provider).await?;
                connected_first(id, account, state, tokens, entry.default_config, now)
            }
        };
        let replaces = existing.map(|row| row.version);
        // The write's condition compares the run under way with the row that is replaced, whosever it is.
        let integration = match existing {
            Some(row) if same.is_none() => {
                Integration { runs: row.runs, active: row.active, again: row.again, ..integration }
            }
            _ => integration,
        };
        match self.store.save_connection(&integration, replaces).await? {
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

/// Whether a row holds a live connection.
fn is_connected(row: &Integration) -> bool {
    row.status != Status::Disconnected && row.tokens.is_some()
}

/// Whether a callback may use a state: same provider, in time, and the browser that began it or the person who did.
fn is_acceptable(state: &OAuthState, callback: &Callback<'_>, now: Timestamp) -> bool {
    let tied = match &state.browser_sha256 {
        Some(hash) => {
            callback.browser_cookie.is_some_and(|cookie| has_hash(cookie, hash))
                || callback.session_user == Some(&state.user)
        }
        // The stage lets servers begin the flow. A person who is signed in must still be the one who began it.
        None => callback.session_user.is_none_or(|user| *user == state.user),
    };
    tied && state.provider == callback.provider && now < state.expires_at
}

/// Sorts the `error` of an authorize answer (RFC 6749 section 4.1.2.1, and what providers add).
fn sort_denial(error: &str) -> CallbackKind {
    match error {
        "server_error" | "temporarily_unavailable" => {
            CallbackKind::ProviderUnavailable("the authorize page says so".into())
        }
        "invalid_scope" => CallbackKind::ScopeMissing,
        "unauthorized_client" | "invalid_request" | "unsupported_response_type" | "redirect_uri_mismatch" => {
            CallbackKind::NotConfigured("the authorize page refused our request".into())
        }
        _ => CallbackKind::AccessDenied,
    }
}

/// A new integration of this account.
fn connected_first(
    id: IntegrationId,
    account: &Account,
    state: &OAuthState,
    tokens: SealedTokens,
    config: domain::IntegrationConfig,
    now: Timestamp,
) -> Integration {
    Integration {
        id,
        owner: state.owner.clone(),
        provider: state.provider,
        account_id: account.id.clone(),
        account_name: account.name.clone(),
        status: Status::Active,
        storage_strategy: StorageStrategy::default(),
        sync_frequency: SyncFrequency::default(),
        config,
        last_sync_at: None,
        last_error: None,
        failures_in_a_row: 0,
        connected_by: state.user.clone(),
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
    state: &OAuthState,
    tokens: SealedTokens,
    now: Timestamp,
) -> Integration {
    Integration {
        account_name: account.name.clone().or_else(|| row.account_name.clone()),
        status: Status::Active,
        last_error: None,
        failures_in_a_row: 0,
        connected_by: state.user.clone(),
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
mod tests {
    use super::*;
    use crate::secrets::sha256;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    fn state(browser: Option<&str>) -> OAuthState {
        OAuthState {
            provider: ProviderId::GoogleDrive,
            owner: Owner::User(user("ada")),
            user: user("ada"),
            redirect_uri: "https://api.example/callback".to_owned(),
            pkce_verifier: None,
            browser_sha256: browser.map(sha256),
            expires_at: at(600),
        }
    }

    fn check(state: &OAuthState, cookie: Option<&str>, session: Option<&str>, now: i64, accepted: bool) {
        let session = session.map(user);
        let callback = Callback {
            provider: ProviderId::GoogleDrive,
            code: "code",
            state: "state",
            browser_cookie: cookie,
            session_user: session.as_ref(),
        };
        assert_eq!(is_acceptable(state, &callback, at(now)), accepted, "{cookie:?} {session:?} at {now}");
    }

    #[test]
    fn a_state_needs_the_browser_or_the_person_that_began_it() {
        let bound = state(Some("cookie"));
        check(&bound, Some("cookie"), None, 0, true);
        check(&bound, None, Some("ada"), 0, true);
        check(&bound, Some("other"), Some("ada"), 0, true);
        check(&bound, None, None, 0, false);
        check(&bound, Some("other"), None, 0, false);
        check(&bound, None, Some("eve"), 0, false);
    }

    #[test]
    fn an_unbound_state_is_still_refused_to_somebody_else_who_is_signed_in() {
        let free = state(None);
        check(&free, None, None, 0, true);
        check(&free, None, Some("ada"), 0, true);
        check(&free, None, Some("eve"), 0, false);
    }

    #[test]
    fn a_state_ends_after_its_minutes() {
        check(&state(Some("cookie")), Some("cookie"), None, 599, true);
        check(&state(Some("cookie")), Some("cookie"), None, 600, false);
    }

    #[test]
    fn what_the_authorize_page_says_becomes_one_of_our_codes() {
        let check = |error, code| assert_eq!(sort_denial(error).code(), code, "{error}");
        check("access_denied", "access_denied");
        check("admin_policy_enforced", "access_denied");
        check("<script>alert(1)</script>", "access_denied");
        check("temporarily_unavailable", "provider_unavailable");
        check("invalid_scope", "scope_missing");
        check("redirect_uri_mismatch", "not_configured");
    }

    #[test]
    fn connecting_again_keeps_settings_and_a_run_under_way() {
        let tokens = SealedTokens {
            access: domain::SealedToken::from_bytes(vec![1]),
            refresh: None,
            expires_at: None,
            issued_at: at(0),
            scope: None,
            version: 2,
        };
        let account = Account { id: domain::AccountId::new("7").unwrap(), name: Some("Ada".to_owned()) };
        let id = IntegrationId::new(at(0));
        let mut row = connected_first(id, &account, &state(None), tokens.clone(), Default::default(), at(0));
        row.status = Status::TokenExpired;
        row.sync_frequency = SyncFrequency::Daily;
        row.change_cursor = Some("cursor".to_owned());
        row.runs = 3;
        let again = connected_again(&row, &account, &state(None), tokens.clone(), at(60));
        assert_eq!((again.id, again.status, again.runs), (id, Status::Active, 3));
        assert_eq!(again.sync_frequency, SyncFrequency::Daily);
        assert_eq!(again.change_cursor.as_deref(), Some("cursor"));

        (row.status, row.tokens) = (Status::Disconnected, None);
        assert_eq!(connected_again(&row, &account, &state(None), tokens, at(60)).change_cursor, None);
    }
}
