//! Completes a connection: the callback that the provider sends the person to.
//!
//! Everything that can be checked is checked before the state is spent; the state is spent before the code is; the row is
//! written last. Whoever fails half way has stored nothing.

use domain::{Integration, Owner, ProviderId, Timestamp, UserId};
use store::OAuthState;

use crate::Connections;
use crate::error::{CallbackError, CallbackKind};
use crate::save::{Claim, Grant};
use crate::secrets::has_hash;

/// The longest state that is looked up; ours have 43 characters.
const LONGEST_STATE: usize = 128;

/// The longest code that is passed on to a provider.
const LONGEST_CODE: usize = 4096;

/// A callback as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Callback<'a> {
    /// The provider that the path names.
    pub provider: ProviderId,
    /// The owner that the path names: an organization's own callback takes that organization's states only. `None` for the shared
    /// callback, which takes everybody's.
    pub owner: Option<&'a Owner>,
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
        let claim = Claim { owner: state.owner, user: state.user, provider: state.provider };
        let ground = self.may_connect(&claim).await?;
        let settings = self
            .settings
            .get(claim.provider)
            .await?
            .ok_or_else(|| CallbackKind::NotConfigured("there is no secret with its settings".into()))?;

        let issued_at = self.clock.now();
        let tokens =
            oauth.exchange(&settings, code, &state.redirect_uri, state.pkce_verifier.as_deref(), issued_at).await?;
        // A grant that is not kept in the end is not withdrawn: providers (Google is one) withdraw all grants of an account
        // at once, and another owner may have connected it. Nobody has the tokens then.
        self.save(&claim, provider, &settings, &Grant { tokens, issued_at }, ground).await
    }
}

/// Whether a callback may use a state: same provider, the path's owner, in time, and the browser that began it or the person who did.
fn is_acceptable(state: &OAuthState, callback: &Callback<'_>, now: Timestamp) -> bool {
    let tied = match &state.browser_sha256 {
        Some(hash) => {
            callback.browser_cookie.is_some_and(|cookie| has_hash(cookie, hash))
                || callback.session_user == Some(&state.user)
        }
        // The stage lets servers begin the flow. A person who is signed in must still be the one who began it.
        None => callback.session_user.is_none_or(|user| *user == state.user),
    };
    let meant = state.provider == callback.provider && callback.owner.is_none_or(|owner| *owner == state.owner);
    tied && meant && now < state.expires_at
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
            owner: None,
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
    fn an_organizations_own_callback_takes_its_own_states_only() {
        let acme: Owner = "organization/acme".parse().unwrap();
        let accepted = |owner: &Owner, path: Option<&Owner>| {
            let state = OAuthState { owner: owner.clone(), ..state(Some("cookie")) };
            let callback = Callback {
                provider: ProviderId::GoogleDrive,
                owner: path,
                code: "code",
                state: "state",
                browser_cookie: Some("cookie"),
                session_user: None,
            };
            is_acceptable(&state, &callback, at(0))
        };
        let (ada, other) = (Owner::User(user("ada")), "organization/other".parse().unwrap());
        assert!(accepted(&acme, None) && accepted(&ada, None), "the shared callback takes everybody's");
        assert!(accepted(&acme, Some(&acme)));
        assert!(!accepted(&other, Some(&acme)) && !accepted(&ada, Some(&acme)));
    }
}
