//! What the holder of the refresh lease does: asks the provider, and decides what its answer means for the grant.
//!
//! The row has said since the lease was taken that the provider is about to be asked. If we die now, the next holder finds
//! that, and does what the provider allows (`providers::RefreshTokens`).

use std::time::Duration;

use domain::message::IntegrationRef;
use domain::{Integration, Timestamp};
use providers::refresh_tokens::AfterRefusal;
use providers::{Access, Kind, ProviderError};
use tokio::time::timeout;
use vault::Purpose;

use crate::Connections;
use crate::error::OpenError;
use crate::open::tokens_of;
use crate::refresh::{Back, Held, LONGEST_DELAY, Stopped};

/// How long to wait where a provider limits its token endpoint and does not say how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(30);

/// How long a token endpoint that has just failed is left alone, by all workers of this integration.
const FAILED_REST: Duration = Duration::from_secs(5);

/// What people read on an integration whose grant is dead.
pub const CONNECT_AGAIN: &str = "the provider no longer accepts this connection; please connect again";

/// What people read on an integration whose key or password is no longer accepted.
pub const ENTER_AGAIN: &str = "the provider no longer accepts the credentials; please enter them again";

/// What people read where the provider did give a new pair and nobody lived to keep it.
pub const LOST: &str = "the renewed connection was lost in a crash; please connect again";

impl Connections {
    /// Asks the token endpoint and keeps what it gives. A refusal is believed only after a look at the row, and mostly only the
    /// second time.
    pub(crate) async fn ask_and_keep(&self, row: &Integration, held: Held) -> Result<Access, Stopped> {
        let stopped = |error: OpenError| Stopped::answered(error, Duration::ZERO);
        let missing = |what: &'static str| stopped(OpenError::Unavailable(what.into()));
        let provider = self.registry.get(row.provider);
        // A key or a password does not end by itself and cannot be renewed: refused, it is over.
        let Some(oauth) = provider.oauth() else {
            let version = tokens_of(row).map_err(stopped)?.version;
            return self.refuse(&row.reference(), held, version, ENTER_AGAIN).await;
        };
        let settings = self.settings.get(row.provider).await.map_err(|error| stopped(error.into()))?;
        let settings = settings.ok_or_else(|| missing("the provider is not configured"))?;
        let (reference, context) = (row.reference(), self.context_of(row));
        let tokens = tokens_of(row).map_err(stopped)?;
        // Tokens that do not open here cannot be refreshed: that is the trouble to tell of, and no reason to make a new key.
        if let Some(sealed) = &tokens.refresh {
            self.vault.open(&context, Purpose::Refresh, sealed).await.map_err(|error| stopped(error.into()))?;
        }
        // The key is in hand before there is anything to seal: KMS may fail meanwhile, and a new pair may not be lost.
        let sealer = self.vault.sealer(&context, Some(&tokens.access)).await.map_err(|error| stopped(error.into()))?;
        if let Some(access) = self.save_under(row, held).await {
            return access;
        }
        let mut refusals = 0;
        loop {
            let Some(sealed) = &tokens.refresh else {
                return self.refuse(&reference, held, tokens.version, CONNECT_AGAIN).await;
            };
            let opened = self.vault.open(&context, Purpose::Refresh, sealed).await;
            let refresh_token = opened.map_err(|error| stopped(error.into()))?;
            let issued_at = self.clock.now();
            let left = self.timing.holder_has.saturating_sub(held.since.elapsed());
            // Held up for so long, our lease may be another's soon: what was not asked is left to them.
            if left.is_zero() {
                return Err(missing("the time to ask was over"));
            }
            let error = match timeout(left, oauth.refresh(&settings, &refresh_token, issued_at)).await {
                Err(_) => {
                    let late = OpenError::Unavailable("the token endpoint did not answer in time".into());
                    return Err(Stopped { error: late, back: Some(Back { rest: FAILED_REST, unanswered: true }) });
                }
                Ok(Ok(answer)) => return self.keep(row, tokens, &answer, issued_at, &sealer, held).await,
                Ok(Err(error)) => error,
            };
            let dead = sort(error)?;
            refusals += 1;
            // Another worker may have been faster than our lease, or a person has connected again: then what the row has now is
            // right, and not ours to ask with. No two sealed tokens are alike; versions start again with a new connection.
            let again = self.read_again(&reference).await.map_err(stopped)?;
            let present = tokens_of(&again).map_err(stopped)?;
            if present.access != tokens.access {
                return self.access(&again, present).await.map_err(|error| Stopped { error, back: None });
            }
            let unanswered = held.unanswered_since.map(|since| age(since, issued_at));
            let reason = match self.registry.refresh_tokens(row.provider).after_refusal(unanswered, refusals) {
                AfterRefusal::AskAgain => continue,
                AfterRefusal::Dead => CONNECT_AGAIN,
                AfterRefusal::Lost => LOST,
            };
            tracing::warn!(integration.id = %row.id, provider = %row.provider, error = %dead, reason, "the grant is dead");
            return self.refuse(&reference, held, tokens.version, reason).await;
        }
    }

    /// Records that the grant is dead.
    async fn refuse(
        &self,
        reference: &IntegrationRef,
        held: Held,
        version: u64,
        reason: &str,
    ) -> Result<Access, Stopped> {
        let recorded = self.store.refuse_tokens(reference, held.fence, reason, self.clock.now()).await;
        match recorded {
            Ok(true) => {
                self.opened.forget(reference.integration_id);
                Err(Stopped { error: OpenError::TokenExpired, back: None })
            }
            Ok(false) => self.newer_than(reference, version).await.map_err(|error| Stopped { error, back: None }),
            Err(error) => Err(Stopped::answered(error, Duration::ZERO)),
        }
    }
}

/// How long ago; a moment in the future (another host's clock is ahead) was just now.
fn age(since: Timestamp, now: Timestamp) -> Duration {
    (now - since).to_std().unwrap_or_default()
}

/// Sorts the token endpoint's error: the one that says that the grant is dead comes back, every other is an answer already.
fn sort(error: ProviderError) -> Result<ProviderError, Stopped> {
    let unanswered = error.is_unanswered();
    match error.kind {
        Kind::GrantDead(_) => Ok(error),
        Kind::RateLimited { retry_after } => {
            let rest = retry_after.unwrap_or(UNTOLD_WAIT).min(LONGEST_DELAY);
            Err(Stopped::answered(OpenError::RetryAfter(rest), rest))
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
        | Kind::PageExpired => {
            let error = OpenError::Unavailable(error.into());
            Err(Stopped { error, back: Some(Back { rest: FAILED_REST, unanswered }) })
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::ProviderId;

    use super::*;

    fn sorted(kind: Kind) -> Result<ProviderError, Stopped> {
        sort(ProviderError::new(ProviderId::GoogleDrive, kind))
    }

    #[test]
    fn guarantee_28_only_the_providers_own_word_makes_a_grant_dead() {
        assert!(sorted(Kind::GrantDead("invalid_grant".into())).is_ok());
        let check = |kind, unanswered| match sorted(kind) {
            Err(Stopped { error: OpenError::Unavailable(_), back: Some(back) }) => {
                assert_eq!((back.unanswered, back.rest), (unanswered, FAILED_REST));
            }
            other => panic!("{other:?}"),
        };
        // The last two may have been carried out all the same.
        check(Kind::Misconfigured("invalid_client".into()), false);
        check(Kind::Rejected("400".into()), false);
        check(Kind::TokenRejected, false);
        check(Kind::Malformed("html".into()), true);
        check(Kind::Unavailable, true);
    }

    #[test]
    fn a_limited_token_endpoint_is_waited_for_by_everybody() {
        let check = |told, waited| match sorted(Kind::RateLimited { retry_after: told }) {
            Err(Stopped { error: OpenError::RetryAfter(wait), back: Some(back) }) => {
                assert_eq!((wait, back.rest, back.unanswered), (waited, waited, false));
            }
            other => panic!("{other:?}"),
        };
        check(None, UNTOLD_WAIT);
        check(Some(Duration::from_secs(3)), Duration::from_secs(3));
        check(Some(Duration::from_secs(86_400)), LONGEST_DELAY);
    }

    #[test]
    fn a_journal_from_the_future_is_of_just_now() {
        let at = |second| chrono::DateTime::from_timestamp(second, 0).unwrap();
        assert_eq!(age(at(0), at(90)), Duration::from_secs(90));
        assert_eq!(age(at(600), at(0)), Duration::ZERO);
    }
}
