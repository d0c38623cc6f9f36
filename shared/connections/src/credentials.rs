//! Connects an account by what a person enters: a key, or a name and a password. The provider is asked whose account they open before
//! anything is stored; what is stored is sealed as tokens are.

use std::collections::BTreeMap;

use domain::{Integration, Owner, ProviderId, TokenSet, UserId};
use secrecy::SecretString;

use crate::Connections;
use crate::error::CallbackKind;
use crate::save::{Claim, Grant};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Credentials that a person has entered.
#[derive(Debug, Clone)]
pub struct Enter {
    /// Whose integration it becomes.
    pub owner: Owner,
    /// Who connects. The caller has checked that they may.
    pub user: UserId,
    /// At which provider.
    pub provider: ProviderId,
    /// The entries, under the names of the provider's form.
    pub entered: BTreeMap<String, SecretString>,
}

/// Why credentials connected nothing.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// Accounts of this provider are connected by signing in there.
    #[error("this provider is not connected by credentials")]
    NotCredentials,
    /// An entry is missing or cannot be one; a sentence for people that names the field and repeats nothing.
    #[error("the entries are not valid: {0}")]
    Invalid(String),
    /// The provider does not accept them.
    #[error("the provider does not accept the credentials")]
    Refused(#[source] BoxError),
    /// Everything that stands in the way of any connection.
    #[error("the connection was not made")]
    Other(#[source] CallbackKind),
}

impl From<CallbackKind> for EnterError {
    fn from(kind: CallbackKind) -> Self {
        match kind {
            CallbackKind::ExchangeFailed(source) => Self::Refused(source),
            CallbackKind::ScopeMissing => Self::Refused(CallbackKind::ScopeMissing.into()),
            other => Self::Other(other),
        }
    }
}

impl Connections {
    /// Connects by credentials: the integration that had this account before, or a new one. About ten reads and writes and one call at
    /// the provider.
    ///
    /// # Errors
    /// [`EnterError`]; nothing has been stored then.
    pub async fn enter(&self, enter: Enter) -> Result<Integration, EnterError> {
        let Enter { owner, user, provider: id, entered } = enter;
        let provider = self.registry.get(id);
        let form = provider.credentials().ok_or(EnterError::NotCredentials)?;
        let claim = Claim { owner, user, provider: id };
        let ground = self.may_connect(&claim).await?;
        let access_token = form.token(&entered).map_err(EnterError::Invalid)?;
        let settings = self.settings_of(id).await.map_err(CallbackKind::from)?.unwrap_or_default();
        let tokens = TokenSet { access_token, refresh_token: None, expires_at: None, scope: None };
        let grant = Grant { tokens, issued_at: self.clock.now() };
        Ok(self.save(&claim, provider, &settings, &grant, ground).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_provider_says_of_the_credentials_is_told_apart_from_what_stands_in_the_way() {
        let refused = |kind: CallbackKind| matches!(EnterError::from(kind), EnterError::Refused(_));
        assert!(refused(CallbackKind::ExchangeFailed("401".into())));
        assert!(refused(CallbackKind::ScopeMissing));
        assert!(!refused(CallbackKind::ProviderUnavailable("503".into())));
        assert!(!refused(CallbackKind::QuotaExceeded));
    }
}
