//! Refreshes tokens: one call for one expired pair, over all functions.
//!
//! A lease in the integration's row lets one worker through. The others look at the row again and again, a little later each
//! time, until it shows a newer pair. Every write of the holder carries its fencing number, so that one that was
//! held up past its lease changes nothing any more.

use std::time::Duration;

use domain::integration::SealedTokens;
use domain::message::IntegrationRef;
use domain::{Integration, TokenSet};
use providers::{Access, Kind, ProviderError};
use store::Lease;
use tokio::time::{Instant, sleep, timeout};
use vault::Purpose;

use crate::Connections;
use crate::error::OpenError;
use crate::open::{still_serves, tokens_of};

/// How long a lease lasts. It must outlast all that a holder does (a call and its repetition within [`HOLDER_HAS`], then
/// the writes), or a second worker would call while the first still does.
const LEASE: chrono::TimeDelta = chrono::TimeDelta::seconds(75);

/// What a holder has for its calls to the provider, both together.
const HOLDER_HAS: Duration = Duration::from_secs(50);

/// How long a waiting worker waits for the holder before it gives its message back to the queue.
const WAITER_HAS: Duration = Duration::from_secs(35);

/// The first look at the row comes after this; every later one after twice as long, up to [`LONGEST_LOOK`].
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// How often a new pair is tried to be saved: where refresh tokens rotate, it exists nowhere else.
const SAVES: u32 = 5;

/// How long to wait where a provider limits its token endpoint and does not say how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(30);

/// The longest delay that a queue takes.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// What people read on an integration whose grant is dead.
const CONNECT_AGAIN: &str = "the provider no longer accepts this connection; please connect again";

impl Connections {
    /// Has the tokens of `row` refreshed, by this worker or another, and opens the new pair. `refused`: the provider does
    /// not take the present access token any more, so that it cannot tide us over.
    pub(crate) async fn refresh(&self, mut row: Integration, refused: bool) -> Result<Access, OpenError> {
        let reference = row.reference();
        let seen = tokens_of(&row)?.version;
        let (began, mut look) = (Instant::now(), FIRST_LOOK);
        loop {
            let now = self.clock.now();
            match self.store.take_refresh_lease(&reference, seen, now, now + LEASE).await? {
                Lease::Taken { fence } => return self.refresh_holding(&row, fence, refused).await,
                Lease::Gone => return Err(OpenError::NotConnected),
                Lease::Newer => {
                    row = self.read_again(&reference).await?;
                    return self.access(&row, tokens_of(&row)?).await;
                }
                Lease::Held { until } => {
                    let tokens = tokens_of(&row)?;
                    if !refused && still_serves(tokens, now) {
                        return self.access(&row, tokens).await;
                    }
                    if began.elapsed() >= WAITER_HAS {
                        let left = (until - now).to_std().unwrap_or_default();
                        return Err(OpenError::RetryAfter(left.clamp(Duration::from_secs(1), LONGEST_DELAY)));
                    }
                }
            }
            sleep(look.mul_f64(rand::random_range(0.75..1.25))).await;
            look = (look * 2).min(LONGEST_LOOK);
            row = self.read_again(&reference).await?;
            let tokens = tokens_of(&row)?;
            if tokens.version > seen {
                return self.access(&row, tokens).await;
            }
        }
    }

    /// Refreshes while holding the lease, and lets go of it however it ends.
    async fn refresh_holding(&self, row: &Integration, fence: u64, refused: bool) -> Result<Access, OpenError> {
        let error = match self.call_and_keep(row, fence).await {
            Ok(access) => return Ok(access),
            Err(error) => error,
        };
        if let Err(error) = self.store.release_refresh_lease(&row.reference(), fence).await {
            tracing::warn!(integration.id = %row.id, %error, "the refresh lease was not released and will run out");
        }
        let tokens = tokens_of(row)?;
        let passes = matches!(error, OpenError::Unavailable(_) | OpenError::RetryAfter(_));
        if passes && !refused && still_serves(tokens, self.clock.now()) {
            tracing::warn!(integration.id = %row.id, provider = %row.provider, %error, "refresh failed, the old access token serves on");
            return self.access(row, tokens).await;
        }
        Err(error)
    }

    /// One call to the token endpoint. Where the grant is said to be dead: a look at the row, and one more call.
    async fn call_and_keep(&self, row: &Integration, fence: u64) -> Result<Access, OpenError> {
        let provider = self.registry.get(row.provider);
        let missing = |what: &'static str| OpenError::Unavailable(what.into());
        let oauth = provider.oauth().ok_or_else(|| missing("the provider has no OAuth flow"))?;
        let settings =
            self.settings.get(row.provider).await?.ok_or_else(|| missing("the provider is not configured"))?;
        let (reference, began) = (row.reference(), Instant::now());
        let mut tokens = tokens_of(row)?.clone();
        for is_last in [false, true] {
            let Some(sealed) = &tokens.refresh else { break };
            let refresh_token = self.vault.open(&self.context_of(row), Purpose::Refresh, sealed).await?;
            let issued_at = self.clock.now();
            let left = HOLDER_HAS.saturating_sub(began.elapsed());
            let error = match timeout(left, oauth.refresh(&settings, &refresh_token, issued_at)).await {
                Err(_) => return Err(missing("the token endpoint did not answer in time")),
                Ok(Ok(answer)) => return self.keep(row, &tokens, &answer, issued_at, fence).await,
                Ok(Err(error)) => error,
            };
            let dead = sort(error)?;
            // Another worker may have been faster than our lease: then its pair is the right one and ours was the old one.
            let again = self.read_again(&reference).await?;
            let present = tokens_of(&again)?;
            if present.version > tokens.version {
                return self.access(&again, present).await;
            }
            if is_last {
                tracing::warn!(integration.id = %row.id, provider = %row.provider, error = %dead, "the grant is dead");
            }
            tokens = present.clone();
        }
        self.refuse(&reference, fence, tokens.version).await
    }

    /// Seals and saves a new pair. An absent refresh token means: the old one goes on.
    async fn keep(
        &self,
        row: &Integration,
        old: &SealedTokens,
        answer: &TokenSet,
        issued_at: domain::Timestamp,
        fence: u64,
    ) -> Result<Access, OpenError> {
        let (access, refresh) = self
            .vault
            .seal(&self.context_of(row), &answer.access_token, answer.refresh_token.as_ref(), Some(&old.access))
            .await?;
        let new = SealedTokens {
            access,
            refresh: refresh.or_else(|| old.refresh.clone()),
            expires_at: answer.expires_at,
            issued_at,
            scope: answer.scope.clone().or_else(|| old.scope.clone()),
            version: old.version + 1,
        };
        let reference = row.reference();
        let mut pause = FIRST_LOOK;
        let mut tries = 0;
        let saved = loop {
            tries += 1;
            match self.store.save_refreshed(&reference, fence, &new).await {
                Ok(saved) => break saved,
                Err(error) if tries >= SAVES => return Err(error.into()),
                Err(_) => sleep(pause).await,
            }
            pause *= 2;
        };
        if saved {
            let stamp = (new.issued_at, new.version);
            self.opened.put(row.id, stamp, answer.access_token.clone(), self.clock.now());
            return self.access(row, &new).await;
        }
        // Our lease had passed to another worker, or an earlier try had reached the table after all: the row knows.
        self.newer_than(&reference, old.version).await
    }

    /// Records that the grant is dead.
    async fn refuse(&self, reference: &IntegrationRef, fence: u64, version: u64) -> Result<Access, OpenError> {
        if self.store.refuse_tokens(reference, fence, CONNECT_AGAIN, self.clock.now()).await? {
            self.opened.forget(reference.integration_id);
            return Err(OpenError::TokenExpired);
        }
        self.newer_than(reference, version).await
    }

    /// The pair that another worker saved after `version`.
    async fn newer_than(&self, reference: &IntegrationRef, version: u64) -> Result<Access, OpenError> {
        let row = self.read_again(reference).await?;
        let tokens = tokens_of(&row)?;
        if tokens.version > version {
            return self.access(&row, tokens).await;
        }
        Err(OpenError::RetryAfter(Duration::from_secs(1)))
    }
}

/// Sorts the token endpoint's error: the one that says that the grant is dead comes back, every other is an answer already.
fn sort(error: ProviderError) -> Result<ProviderError, OpenError> {
    match error.kind {
        Kind::GrantDead(_) => Ok(error),
        Kind::RateLimited { retry_after } => {
            Err(OpenError::RetryAfter(retry_after.unwrap_or(UNTOLD_WAIT).min(LONGEST_DELAY)))
        }
        // An outage, an operator's mistake or an answer that makes no sense: nobody's connection is to blame.
        Kind::Unavailable
        | Kind::Misconfigured(_)
        | Kind::Malformed(_)
        | Kind::Rejected(_)
        | Kind::AddressRefused(_)
        | Kind::TokenRejected
        | Kind::ScopeMissing
        | Kind::NotFound
        | Kind::Forbidden(_)
        | Kind::TooLarge(_)
        | Kind::Unsupported(_)
        | Kind::CursorExpired
        | Kind::PageExpired => Err(OpenError::Unavailable(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use domain::ProviderId;

    use super::*;

    fn sorted(kind: Kind) -> Result<ProviderError, OpenError> {
        sort(ProviderError::new(ProviderId::GoogleDrive, kind))
    }

    #[test]
    fn only_the_providers_own_word_makes_a_grant_dead() {
        assert!(sorted(Kind::GrantDead("invalid_grant".into())).is_ok());
        for kind in [
            Kind::Unavailable,
            Kind::Misconfigured("invalid_client".into()),
            Kind::Malformed("html".into()),
            Kind::Rejected("400".into()),
            Kind::TokenRejected,
        ] {
            assert!(matches!(sorted(kind), Err(OpenError::Unavailable(_))));
        }
    }

    #[test]
    fn a_limited_token_endpoint_is_waited_for() {
        let check = |told, waited| match sorted(Kind::RateLimited { retry_after: told }) {
            Err(OpenError::RetryAfter(wait)) => assert_eq!(wait, waited),
            other => panic!("{other:?}"),
        };
        check(None, UNTOLD_WAIT);
        check(Some(Duration::from_secs(3)), Duration::from_secs(3));
        check(Some(Duration::from_secs(86_400)), LONGEST_DELAY);
    }

    #[test]
    fn a_lease_outlasts_its_holder() {
        let saving = (0..SAVES).map(|n| FIRST_LOOK * 2_u32.pow(n)).sum::<Duration>();
        assert!(LEASE.to_std().unwrap() > HOLDER_HAS + saving + Duration::from_secs(10));
    }
}
