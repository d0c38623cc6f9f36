//! Webhook subscriptions: one live one for every part of the account that is watched, renewed half way through its life, and sooner
//! when it has fallen silent.

use domain::subscription::{Subscription, Trust};
use domain::{Integration, Status, Timestamp};
use providers::provider::NewSubscription;
use providers::{Access, Kind, Webhooks};
use secrecy::SecretString;
use url::Url;

use crate::Connections;
use crate::error::{OpenError, SubscribeError};
use crate::secrets::{random_word, sha256};

/// The life that a row has from before the provider has answered. Long enough for the answer; short enough that a
/// subscription whose making was cut off is soon made anew (the row falls due half way).
const UNANSWERED_LIVES: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Subscriptions made.
    pub made: usize,
    /// Subscriptions stopped and forgotten.
    pub stopped: usize,
}

/// [`Connections::bring_up_to_date`] as a function.
///
/// # Errors
/// As there.
pub async fn bring_up_to_date(
    connections: &Connections,
    integration: &Integration,
    public_url: &Url,
) -> Result<Changes, SubscribeError> {
    connections.bring_up_to_date(integration, public_url).await
}

impl Connections {
    /// Brings an integration's subscriptions to what they should be: missing ones are made, silent ones and those past half of
    /// their life get a successor before they are stopped, surplus ones are stopped. Doing it twice at the same time leaves one live
    /// subscription per scope. `public_url` is our own address from outside, without a trailing slash.
    ///
    /// # Errors
    /// The first [`SubscribeError`]; the other scopes have been seen to all the same.
    pub async fn bring_up_to_date(
        &self,
        integration: &Integration,
        public_url: &Url,
    ) -> Result<Changes, SubscribeError> {
        let Some(webhooks) = self.registry.get(integration.provider).webhooks() else { return Ok(Changes::default()) };
        let existing = self.store.subscriptions_of(integration.id).await?;
        let now = self.clock.now();
        if integration.status == Status::Disconnected || integration.tokens.is_none() {
            return self.forget_all(integration, &existing).await;
        }
        // A paused integration's deliveries are ignored, so nothing is made for it; resuming asks again.
        let scopes = match integration.status {
            Status::Paused | Status::TokenExpired => return self.forget_ended(integration, &existing, now).await,
            _ => webhooks.scopes(&integration.config, integration.change_cursor.as_deref()),
        };
        for cleared in existing.iter().filter(|subscription| subscription.trust(now) == Trust::Cleared) {
            self.store.clear_doubt(cleared).await?;
        }
        let plan = plan(&scopes, &existing, now);
        for silent in existing.iter().filter(|subscription| subscription.trust(now) == Trust::Silent) {
            tracing::warn!(integration.id = %integration.id, provider = %integration.provider, scope = silent.scope, made_at = %silent.created_at, "a webhook has fallen silent");
        }
        if plan.make.is_empty() && plan.stop.is_empty() {
            return Ok(Changes::default());
        }
        let access = match self.open(integration).await {
            Ok(access) => access,
            Err(OpenError::NotConnected) => return self.forget_all(integration, &existing).await,
            Err(error) => return Err(error.into()),
        };
        let address = address(integration, public_url)?;
        let (mut done, mut trouble) = (Changes::default(), None);
        for subscription in &plan.stop {
            done.stopped += usize::from(self.retire(integration, &access, subscription, now).await?);
        }
        for scope in &plan.make {
            match self.make(integration, webhooks, &access, &address, scope).await {
                Ok(made) => {
                    done.made += 1;
                    done.stopped += self.keep_only_newest(integration, &access, scope, &made).await?;
                }
                Err(error) => {
                    tracing::warn!(integration.id = %integration.id, provider = %integration.provider, %error, "a webhook was not made");
                    trouble.get_or_insert(error);
                }
            }
        }
        trouble.map_or(Ok(done), Err)
    }

    /// Makes a subscription. Its row is there before the provider is asked, because the provider's first delivery may
    /// arrive before its answer does.
    async fn make(
        &self,
        integration: &Integration,
        webhooks: &dyn Webhooks,
        access: &Access,
        address: &Url,
        scope: &str,
    ) -> Result<Subscription, SubscribeError> {
        let (reference, now) = (integration.reference(), self.clock.now());
        let token = random_word();
        let mut subscription = Subscription {
            id: format!("{}-{}", integration.id, ulid::Ulid::from_datetime(now.into())),
            integration_id: integration.id,
            scope: scope.to_owned(),
            provider_id: None,
            token_sha256: sha256(&token),
            created_at: now,
            expires_at: Some(now + UNANSWERED_LIVES),
            heard_at: None,
            doubt: None,
        };
        let token = SecretString::from(token);
        self.store.save_subscription(&reference, &subscription).await?;
        let new = NewSubscription { id: &subscription.id, token: &token, address, scope, now };
        let answer = match webhooks.register(access, &new).await {
            Err(error) if error.kind == Kind::TokenRejected => match self.renew_after(integration, access).await {
                Ok(renewed) => webhooks.register(&renewed, &new).await.map_err(SubscribeError::from),
                Err(error) => Err(error.into()),
            },
            answer => answer.map_err(SubscribeError::from),
        };
        match answer {
            Ok(registered) => {
                subscription.provider_id = registered.provider_id;
                subscription.expires_at = registered.expires_at;
                self.store.save_subscription(&reference, &subscription).await?;
                Ok(subscription)
            }
            Err(error) => {
                self.store.delete_subscription(integration.id, &subscription.id).await?;
                Err(error)
            }
        }
    }

    /// Stops all subscriptions of a scope but the newest. Two workers that made one each at the same time agree on which
    /// that is, since its id sorts last.
    async fn keep_only_newest(
        &self,
        integration: &Integration,
        access: &Access,
        scope: &str,
        made: &Subscription,
    ) -> Result<usize, SubscribeError> {
        let present = self.store.subscriptions_of(integration.id).await?;
        let newest = present.iter().filter(|other| other.scope == scope).map(|other| other.id.as_str()).max();
        let newest = newest.unwrap_or(&made.id);
        let mut stopped = 0;
        for other in present.iter().filter(|other| other.scope == scope && other.id != newest) {
            stopped += usize::from(self.retire(integration, access, other, self.clock.now()).await?);
        }
        Ok(stopped)
    }

    /// Stops a subscription and forgets it. One that the provider could not stop stays until it ends, to be tried again.
    async fn retire(
        &self,
        integration: &Integration,
        access: &Access,
        subscription: &Subscription,
        now: Timestamp,
    ) -> Result<bool, SubscribeError> {
        if !self.stop(integration, access, subscription).await && !has_ended(subscription, now) {
            return Ok(false);
        }
        self.store.delete_subscription(integration.id, &subscription.id).await?;
        Ok(true)
    }

    /// Forgets the subscriptions of an integration that has no tokens to stop them with.
    async fn forget_all(
        &self,
        integration: &Integration,
        existing: &[Subscription],
    ) -> Result<Changes, SubscribeError> {
        for subscription in existing {
            self.store.delete_subscription(integration.id, &subscription.id).await?;
        }
        Ok(Changes { made: 0, stopped: existing.len() })
    }

    /// Forgets the subscriptions that have ended.
    async fn forget_ended(
        &self,
        integration: &Integration,
        existing: &[Subscription],
        now: Timestamp,
    ) -> Result<Changes, SubscribeError> {
        let ended: Vec<_> = existing.iter().filter(|subscription| has_ended(subscription, now)).cloned().collect();
        self.forget_all(integration, &ended).await
    }
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// Scopes that need a new subscription. The ones it replaces are stopped once it lives.
    make: Vec<String>,
    /// Subscriptions that nothing needs any more.
    stop: Vec<Subscription>,
}

/// Compares what is wanted with what there is.
fn plan(scopes: &[String], existing: &[Subscription], now: Timestamp) -> Plan {
    let newest = |scope: &str| {
        existing
            .iter()
            .filter(|subscription| subscription.scope == scope && !has_ended(subscription, now))
            .max_by(|one, other| one.id.cmp(&other.id))
    };
    let is_worn = |subscription: &Subscription| {
        subscription.renew_at().is_some_and(|at| at <= now) || subscription.trust(now) == Trust::Silent
    };
    let make = scopes.iter().filter(|scope| newest(scope).is_none_or(is_worn)).cloned().collect();
    let is_surplus = |subscription: &&Subscription| {
        let is_wanted = scopes.contains(&subscription.scope);
        let is_newest = newest(&subscription.scope).is_some_and(|newest| newest.id == subscription.id);
        !(is_wanted && is_newest)
    };
    Plan { make, stop: existing.iter().filter(is_surplus).cloned().collect() }
}

/// Whether its life is over.
fn has_ended(subscription: &Subscription, now: Timestamp) -> bool {
    subscription.expires_at.is_some_and(|end| end <= now)
}

/// Where an integration's deliveries go.
fn address(integration: &Integration, public_url: &Url) -> Result<Url, url::ParseError> {
    let base = public_url.as_str().trim_end_matches('/');
    Url::parse(&format!("{base}/api/webhooks/integrations/{}/{}", integration.provider, integration.id))
}

#[cfg(test)]
mod tests {
    use domain::IntegrationId;

    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    fn live(id: &str, scope: &str, from: i64, to: Option<i64>) -> Subscription {
        Subscription {
            id: id.to_owned(),
            integration_id: IntegrationId::new(at(0)),
            scope: scope.to_owned(),
            provider_id: Some("hook".to_owned()),
            token_sha256: [0; 32],
            created_at: at(from),
            expires_at: to.map(at),
            heard_at: None,
            doubt: None,
        }
    }

    fn check(scopes: &[&str], existing: &[Subscription], now: i64, make: &[&str], stop: &[&str]) {
        let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        let plan = plan(&scopes, existing, at(now));
        assert_eq!(plan.make, make, "made");
        assert_eq!(plan.stop.iter().map(|subscription| subscription.id.as_str()).collect::<Vec<_>>(), stop, "stopped");
    }

    #[test]
    fn every_scope_has_one_subscription() {
        check(&["a", "b"], &[live("1", "a", 0, Some(100))], 10, &["b"], &[]);
        check(&["a"], &[live("1", "a", 0, None)], 1_000_000, &[], &[]);
    }

    #[test]
    fn half_way_a_successor_is_made_before_the_old_one_is_stopped() {
        let old = live("1", "a", 0, Some(100));
        check(&["a"], std::slice::from_ref(&old), 49, &[], &[]);
        check(&["a"], std::slice::from_ref(&old), 50, &["a"], &[]);
        check(&["a"], &[old, live("2", "a", 50, Some(150))], 51, &[], &["1"]);
    }

    #[test]
    fn a_silent_one_gets_a_successor_at_once_and_stays_until_that_lives() {
        let doubt = Some(domain::subscription::Doubt { since: at(1000), at: at(2000) });
        let silent = Subscription { doubt, ..live("1", "a", 0, Some(100_000)) };
        let heard = Subscription { heard_at: Some(at(1500)), ..silent.clone() };
        check(&["a"], std::slice::from_ref(&silent), 2599, &[], &[]);
        check(&["a"], std::slice::from_ref(&silent), 2600, &["a"], &[]);
        check(&["a"], &[heard], 2600, &[], &[]);
        check(&["a"], &[silent, live("2", "a", 2600, Some(102_600))], 2601, &[], &["1"]);
    }

    #[test]
    fn what_has_ended_or_is_no_longer_wanted_goes() {
        check(&["a"], &[live("1", "a", 0, Some(100))], 100, &["a"], &["1"]);
        check(&[], &[live("1", "a", 0, Some(100))], 10, &[], &["1"]);
    }
}
