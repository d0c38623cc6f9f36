//! Opens an integration: the right to call the provider, with a token that lives long enough to be used.

use domain::integration::SealedTokens;
use domain::message::IntegrationRef;
use domain::{Integration, Status, Timestamp};
use providers::Access;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;
use vault::Purpose;

use crate::Connections;
use crate::error::OpenError;

/// A token with less than this left is refreshed before it is used.
const REFRESH_BEFORE: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// A refreshed token that is younger than this is not refreshed because of a refusal: a provider that refuses whatever it
/// gives would be asked for ever.
const BRAND_NEW: chrono::TimeDelta = chrono::TimeDelta::seconds(5);

/// A token with less than this left is not handed out any more, because a call may take as long.
const TOO_LATE: chrono::TimeDelta = chrono::TimeDelta::seconds(10);

impl Connections {
    /// The right to call the provider for `integration`. Usually costs nothing (the token is cached) or one decryption;
    /// refreshes when less than five minutes, or a fifth of a shorter life, are left.
    ///
    /// # Errors
    /// [`OpenError`], which says whether a person, the provider or time is needed.
    pub async fn open(&self, integration: &Integration) -> Result<Access, OpenError> {
        let (tokens, now) = (tokens_of(integration)?, self.clock.now());
        // What cannot be refreshed is used to its end.
        let can_wait = tokens.refresh.is_none() && still_serves(tokens, now);
        if needs_refresh(tokens, now) && !can_wait {
            return self.refresh(integration.clone(), false).await;
        }
        self.access(integration, tokens).await
    }

    /// As [`Self::open`], after a look at the row: for work that goes on with an integration it has read a while ago. A
    /// disconnection ends it here. One read more.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn reopen(&self, integration: &Integration) -> Result<Access, OpenError> {
        self.open(&self.read_again(&integration.reference()).await?).await
    }

    /// Another right after the provider refused this one. Compares the tokens themselves, so that the refusal of a token
    /// that was refreshed in between is understood. To be asked once per refusal. Reads the row, so it also notices a
    /// disconnection.
    ///
    /// # Errors
    /// As [`Self::open`], and [`OpenError::RefusedAtOnce`].
    pub async fn renew_after(&self, integration: &Integration, refused: &Access) -> Result<Access, OpenError> {
        let row = self.read_again(&integration.reference()).await?;
        let tokens = tokens_of(&row)?;
        let access = self.access(&row, tokens).await?;
        let same = access.token.expose_secret().as_bytes().ct_eq(refused.token.expose_secret().as_bytes());
        if !bool::from(same) {
            return Ok(access);
        }
        if is_brand_new(tokens, self.clock.now()) {
            return Err(OpenError::RefusedAtOnce);
        }
        self.refresh(row, true).await
    }

    /// The row as it is now.
    pub(crate) async fn read_again(&self, reference: &IntegrationRef) -> Result<Integration, OpenError> {
        self.store.find_integration(reference).await?.ok_or(OpenError::NotConnected)
    }

    /// Opens these tokens of this row, whatever is left of their life.
    pub(crate) async fn access(&self, integration: &Integration, tokens: &SealedTokens) -> Result<Access, OpenError> {
        let settings = self
            .settings_of(integration.provider)
            .await?
            .ok_or_else(|| OpenError::Unavailable("the provider is not configured".into()))?;
        let (now, stamp) = (self.clock.now(), (tokens.issued_at, tokens.version));
        if let Some(token) = self.opened.get(integration.id, stamp, now) {
            return Ok(Access { token, settings });
        }
        let context = self.context_of(integration);
        let token = self.vault.open(&context, Purpose::Access, &tokens.access).await?;
        self.opened.put(integration.id, stamp, token.clone(), now);
        Ok(Access { token, settings })
    }
}

/// The tokens of an integration that may be used at all.
pub(crate) fn tokens_of(integration: &Integration) -> Result<&SealedTokens, OpenError> {
    match integration.status {
        Status::Disconnected => Err(OpenError::NotConnected),
        Status::TokenExpired => Err(OpenError::TokenExpired),
        Status::Active | Status::Paused | Status::Error | Status::RateLimited => {
            integration.tokens.as_ref().ok_or(OpenError::NotConnected)
        }
    }
}

/// Whether the access token is to be refreshed before use: less than five minutes left, or less than a fifth of a life that
/// is shorter. A token said to have ended before it was issued (`expires_in` of 0 or less) is used until the provider
/// refuses it; refreshing it early would never end.
pub(crate) fn needs_refresh(tokens: &SealedTokens, now: Timestamp) -> bool {
    let Some(ends) = tokens.expires_at else { return false };
    let life = ends - tokens.issued_at;
    life > chrono::TimeDelta::zero() && ends - now < REFRESH_BEFORE.min(life / 5)
}

/// Whether this pair came out of a refresh a moment ago, by our clock. One from the future (another host's clock is ahead) does not.
fn is_brand_new(tokens: &SealedTokens, now: Timestamp) -> bool {
    let age = now - tokens.issued_at;
    tokens.version > 1 && age >= chrono::TimeDelta::zero() && age < BRAND_NEW
}

/// Whether the access token still serves when no better one can be had.
pub(crate) fn still_serves(tokens: &SealedTokens, now: Timestamp) -> bool {
    tokens.expires_at.is_none_or(|ends| ends - now > TOO_LATE.min((ends - tokens.issued_at) / 10))
}

#[cfg(test)]
mod tests {
    use domain::SealedToken;

    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    /// A pair issued at 0 that ends after `life` seconds.
    fn pair(life: Option<i64>) -> SealedTokens {
        SealedTokens {
            access: SealedToken::from_bytes(vec![]),
            refresh: None,
            expires_at: life.map(at),
            issued_at: at(0),
            scope: None,
            version: 1,
        }
    }

    #[test]
    fn guarantee_29_a_token_is_refreshed_when_five_minutes_or_a_fifth_of_its_life_are_left() {
        let check = |life, now, refreshed| assert_eq!(needs_refresh(&pair(life), at(now)), refreshed, "{life:?} {now}");
        check(Some(3600), 3299, false);
        check(Some(3600), 3301, true);
        check(Some(3600), 4000, true);
        check(Some(100), 79, false);
        check(Some(100), 81, true);
        check(None, i64::from(u32::MAX), false);
    }

    #[test]
    fn guarantee_29_a_token_without_a_life_is_not_refreshed_for_ever() {
        for life in [0, -5, -86_400] {
            assert!(!needs_refresh(&pair(Some(life)), at(0)), "{life}");
            assert!(!needs_refresh(&pair(Some(life)), at(60)), "{life}");
        }
    }

    #[test]
    fn guarantee_29_a_refusal_of_a_brand_new_pair_brings_no_other() {
        let check = |version, now, new| {
            assert_eq!(is_brand_new(&SealedTokens { version, ..pair(Some(3600)) }, at(now)), new, "{version} {now}");
        };
        check(2, 4, true);
        check(2, 5, false);
        check(2, -600, false);
        check(1, 0, false);
    }

    #[test]
    fn guarantee_29_hosts_whose_clocks_differ_refresh_early_or_late_and_never_at_once_again() {
        // Issued by a host whose clock is ten minutes ahead or behind, for an hour.
        for skew in [-600, 600] {
            let issued = SealedTokens { issued_at: at(skew), expires_at: Some(at(skew + 3600)), ..pair(None) };
            assert!(!needs_refresh(&issued, at(0)), "{skew}");
            assert!(!needs_refresh(&issued, at(skew)), "{skew}");
            assert!(needs_refresh(&issued, at(skew + 3600)), "{skew}");
        }
    }

    #[test]
    fn an_old_token_serves_while_it_lives() {
        let check = |life, now, serves| assert_eq!(still_serves(&pair(life), at(now)), serves, "{life:?} {now}");
        check(Some(3600), 3589, true);
        check(Some(3600), 3590, false);
        check(Some(3600), 3700, false);
        check(Some(20), 17, true);
        check(Some(20), 18, false);
        check(None, 1_000_000, true);
    }
}
