//! Looking through a connected account for what to sync: folders, channels, repositories. A person waits for it, so it is one page and
//! one try, and it counts against the account's limit like every other call.

use std::time::Duration;

use connections::{Metered, OpenError};
use domain::rate::{Lane, Reserved};
use domain::{Integration, Owner, ProviderId};
use providers::{Access, BrowseRequest, Call, Choices, Kind, ProviderError};

use crate::Integrations;
use crate::error::Error;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The longest that a person's request waits for a free slot of the account's limit.
const SLOT_WITHIN: Duration = Duration::from_secs(2);

/// What the provider has for its answer; the API's callers wait at most 30 s.
const PROVIDER_HAS: Duration = Duration::from_secs(15);

/// How long to wait where the provider asks to and does not say how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(60);

/// The longest id and cursor that are passed on to a provider.
const LONGEST: usize = 4096;

/// Why there is nothing to choose from.
#[derive(Debug, thiserror::Error)]
pub enum BrowseError {
    /// The integration cannot be used for it.
    #[error(transparent)]
    Integration(#[from] Error),
    /// There is nothing of this id, or it cannot be looked into.
    #[error("there is nothing of this id to look into")]
    UnknownParent,
    /// The cursor is none of the provider's, or no longer one.
    #[error("the cursor is not valid")]
    BadCursor,
    /// What the person granted at the provider does not include it.
    #[error("a needed permission was not granted")]
    ScopeMissing,
    /// The account's limit is reached.
    #[error("the account's limit is reached for {} s", .0.as_secs())]
    RateLimited(Duration),
    /// The provider does not answer, or not as it should.
    #[error("the provider does not answer")]
    ProviderUnavailable(#[source] BoxError),
}

impl From<store::Error> for BrowseError {
    fn from(error: store::Error) -> Self {
        Self::Integration(error.into())
    }
}

impl From<OpenError> for BrowseError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TokenExpired => Error::TokenExpired.into(),
            OpenError::NotConnected => Error::NotConnected.into(),
            OpenError::RetryAfter(wait) => Self::RateLimited(wait),
            OpenError::Parked { .. } => Self::Integration(Error::Unavailable(error.into())),
            OpenError::Unavailable(_) | OpenError::RefusedAtOnce => Self::ProviderUnavailable(error.into()),
        }
    }
}

impl Integrations {
    /// A page of what can be chosen inside of `parent` (`None`: where one begins), and where it goes on. Three or four requests and one
    /// or two calls at the provider.
    ///
    /// # Errors
    /// [`BrowseError`].
    pub async fn browse(
        &self,
        owner: &Owner,
        provider: ProviderId,
        parent: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<Choices, BrowseError> {
        if parent.is_some_and(|id| id.is_empty() || id.len() > LONGEST) {
            return Err(BrowseError::UnknownParent);
        }
        if cursor.is_some_and(|cursor| cursor.is_empty() || cursor.len() > LONGEST) {
            return Err(BrowseError::BadCursor);
        }
        let integration = self.connected_one(owner, provider).await?;
        let access = self.connections.open(&integration).await?;
        let metered = self.connections.metered(&integration, Call::List).await?;
        self.take_slot(&integration, &metered).await?;
        let request = BrowseRequest { parent, cursor };
        let error = match self.look(&integration, &access, request).await {
            Ok(choices) => return Ok(choices),
            Err(ProviderError { kind: Kind::TokenRejected, .. }) => {
                let renewed = self.connections.renew_after(&integration, &access).await?;
                match self.look(&integration, &renewed, request).await {
                    Ok(choices) => return Ok(choices),
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        if let Kind::RateLimited { retry_after } = &error.kind {
            let wait = retry_after.unwrap_or(UNTOLD_WAIT);
            let now = self.clock.now();
            let until = domain::rate::after(now, wait);
            self.store.limited(&metered.key, until, now).await?;
            return Err(BrowseError::RateLimited(wait));
        }
        Err(sorted(error, cursor.is_some()))
    }

    async fn look(
        &self,
        integration: &Integration,
        access: &Access,
        request: BrowseRequest<'_>,
    ) -> Result<Choices, ProviderError> {
        let provider = self.registry.get(integration.provider);
        let looking = tokio::time::timeout(PROVIDER_HAS, provider.browse(access, request));
        looking
            .await
            .unwrap_or_else(|elapsed| Err(ProviderError::new(integration.provider, Kind::Unavailable).because(elapsed)))
    }

    /// Takes a slot of the account's limit, ahead of what nobody waits for.
    async fn take_slot(&self, integration: &Integration, metered: &Metered) -> Result<(), BrowseError> {
        let now = self.clock.now();
        if let Some(until) = integration.blocked_until.filter(|until| *until > now) {
            return Err(BrowseError::RateLimited((until - now).to_std().unwrap_or_default()));
        }
        match self.store.reserve(&metered.key, &metered.budget, Lane::Live, 1, SLOT_WITHIN, now).await? {
            Reserved::Slots(slots) => {
                let wait = (slots.first_at - self.clock.now()).to_std().unwrap_or_default();
                tokio::time::sleep(wait.min(SLOT_WITHIN)).await;
                Ok(())
            }
            Reserved::Wait(wait) => Err(BrowseError::RateLimited(wait)),
        }
    }
}

/// What a provider's error means to a person who looks for something. `goes_on`: they sent a cursor.
fn sorted(error: ProviderError, goes_on: bool) -> BrowseError {
    match error.kind {
        Kind::NotFound | Kind::Forbidden(_) | Kind::Unsupported(_) => BrowseError::UnknownParent,
        Kind::PageExpired | Kind::CursorExpired => BrowseError::BadCursor,
        Kind::Rejected(_) if goes_on => BrowseError::BadCursor,
        Kind::ScopeMissing => BrowseError::ScopeMissing,
        // A renewed token that is refused as well: workers find out what that means.
        Kind::TokenRejected | Kind::GrantDead(_) => Error::TokenExpired.into(),
        Kind::RateLimited { retry_after } => BrowseError::RateLimited(retry_after.unwrap_or(UNTOLD_WAIT)),
        Kind::Unavailable
        | Kind::Malformed(_)
        | Kind::Misconfigured(_)
        | Kind::AddressRefused(_)
        | Kind::TooLarge(_)
        | Kind::Rejected(_) => BrowseError::ProviderUnavailable(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_no_becomes_what_a_person_can_make_something_of() {
        let sort = |kind, goes_on| sorted(ProviderError::new(ProviderId::GoogleDrive, kind), goes_on);
        assert!(matches!(sort(Kind::NotFound, false), BrowseError::UnknownParent));
        assert!(matches!(sort(Kind::Forbidden("forbidden"), false), BrowseError::UnknownParent));
        assert!(matches!(sort(Kind::PageExpired, true), BrowseError::BadCursor));
        assert!(matches!(sort(Kind::Rejected("invalid".into()), true), BrowseError::BadCursor));
        assert!(matches!(sort(Kind::Rejected("invalid".into()), false), BrowseError::ProviderUnavailable(_)));
        assert!(matches!(sort(Kind::TokenRejected, false), BrowseError::Integration(Error::TokenExpired)));
        assert!(matches!(sort(Kind::Malformed("html".into()), false), BrowseError::ProviderUnavailable(_)));
    }
}
