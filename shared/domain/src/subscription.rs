//! A standing request to a provider to announce changes, and how one that has fallen silent is noticed.
//!
//! A provider may forget a subscription without a word. A pull tells: it finds changes, and nothing was heard since the pull
//! before it. The subscription is then doubted; if nothing is heard for as long as a delivery may take, it is made anew.

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::id::{ExternalId, IntegrationId};
use crate::integration::{Integration, SyncFrequency};
use crate::job::{JobStatus, SyncJob, SyncMode, Trigger};
use crate::resource::DeleteReason;

/// How long the delivery of a change may take. A pull may find a change before its delivery has arrived.
pub const DELIVERY_TAKES: TimeDelta = TimeDelta::minutes(10);

/// The moment of the last delivery is written down at most this often, so it may be older than the truth by as much.
pub const HEARD_EVERY: TimeDelta = TimeDelta::minutes(5);

/// A webhook subscription of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Our name for it, given to the provider (Drive's channel id). It begins with the integration's id.
    pub id: String,
    /// The integration it serves.
    pub integration_id: IntegrationId,
    /// Which part of the account it watches, in the provider's terms (`my-drive`, a shared drive's id); one live subscription per scope.
    pub scope: String,
    /// The provider's name for it, which stopping it needs.
    pub provider_id: Option<String>,
    /// SHA-256 of the token that deliveries must carry.
    pub token_sha256: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` if it does not.
    pub expires_at: Option<Timestamp>,
    /// When a change was last delivered under it, within [`HEARD_EVERY`].
    pub heard_at: Option<Timestamp>,
    /// A pull found changes that it had not announced.
    pub doubt: Option<Doubt>,
}

/// Changes were found that nothing had announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// They happened after this moment.
    pub since: Timestamp,
    /// They were found at this moment.
    pub at: Timestamp,
}

impl Subscription {
    /// When a successor should be made: half way through its life, so that the new one is live long before the old one ends.
    #[must_use]
    pub fn renew_at(&self) -> Option<Timestamp> {
        self.expires_at.map(|end| self.created_at + (end - self.created_at) / 2)
    }

    /// When it is to be looked at next: for its renewal, or because a doubt is ripe.
    #[must_use]
    pub fn look_at(&self) -> Option<Timestamp> {
        let ripe = self.doubt.map(|doubt| doubt.at + DELIVERY_TAKES);
        self.renew_at().into_iter().chain(ripe).min()
    }

    /// Whether a change may have been delivered after this moment.
    #[must_use]
    pub fn heard_since(&self, moment: Timestamp) -> bool {
        self.heard_at.is_some_and(|at| at + HEARD_EVERY > moment)
    }

    /// What has become of the doubt at `now`.
    #[must_use]
    pub fn trust(&self, now: Timestamp) -> Trust {
        match self.doubt {
            None => Trust::Trusted,
            Some(doubt) if self.heard_since(doubt.since) => Trust::Cleared,
            Some(doubt) if doubt.at + DELIVERY_TAKES <= now => Trust::Silent,
            Some(_) => Trust::Trusted,
        }
    }
}

/// Whether a subscription is believed to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It is; a doubt that is not ripe yet changes nothing.
    Trusted,
    /// It was doubted and has been heard since: the doubt can go.
    Cleared,
    /// It said nothing of changes for longer than a delivery takes: it is to be made anew.
    Silent,
}

/// The moment since which changes went unannounced, if the run that just completed found such. `before` is the integration as it was
/// before the run's end was written.
///
/// Only a run that no delivery started can tell, and only one that looked at what changed: what a full listing finds may be old, and
/// what is tried again after a failure was announced long ago.
#[must_use]
pub fn unannounced_since(job: &SyncJob, before: &Integration) -> Option<Timestamp> {
    let is_pull = job.mode == SyncMode::Incremental && matches!(job.trigger, Trigger::Schedule | Trigger::Manual);
    let found_changes = job.status == JobStatus::Completed && job.counts.synced + job.counts.deleted > 0;
    let can_tell = before.sync_frequency != SyncFrequency::Manual && !before.retry_failed;
    before.last_sync_at.filter(|_| is_pull && found_changes && can_tell)
}

/// Those of an integration's subscriptions to doubt, when changes since `since` went unannounced. None if any of them was heard since:
/// which of several should have announced a change is not known, and the account is not silent.
#[must_use]
pub fn doubtful(subscriptions: &[Subscription], since: Timestamp, now: Timestamp) -> Vec<&Subscription> {
    if subscriptions.iter().any(|one| one.heard_since(since)) {
        return Vec::new();
    }
    let lived_then = |one: &&Subscription| one.created_at <= since && one.expires_at.is_none_or(|end| end > now);
    subscriptions.iter().filter(lived_then).filter(|one| one.doubt.is_none()).collect()
}

/// What a delivery says, in our terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookEvent {
    /// Something changed; the change feed says what.
    Changed,
    /// This resource was made or has changed: it is fetched.
    Touched {
        /// Which.
        external_id: ExternalId,
        /// When, by the provider's clock.
        at: Timestamp,
    },
    /// This resource is gone.
    Gone {
        /// Which.
        external_id: ExternalId,
        /// Why.
        reason: DeleteReason,
        /// When, by the provider's clock.
        at: Timestamp,
    },
    /// Something that holds many resources (a channel, a repository) came, went or was renamed: a full listing tells what became of them.
    Rearranged,
    /// The grant is over: uninstalled or revoked at the provider.
    Revoked,
    /// Nothing to do (a handshake, an event of no interest).
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_timestamp(minute * 60, 0).unwrap()
    }

    /// Made at minute 0 for two thousand minutes.
    fn subscription() -> Subscription {
        Subscription {
            id: "01JD0000000000000000000000-1".to_owned(),
            integration_id: "01JD0000000000000000000000".parse().unwrap(),
            scope: "user".to_owned(),
            provider_id: None,
            token_sha256: [0; 32],
            created_at: at(0),
            expires_at: Some(at(2000)),
            heard_at: None,
            doubt: None,
        }
    }

    fn doubted(heard_at: Option<i64>) -> Subscription {
        let doubt = Doubt { since: at(100), at: at(160) };
        Subscription { heard_at: heard_at.map(at), doubt: Some(doubt), ..subscription() }
    }

    #[test]
    fn a_doubt_ripens_unless_something_is_heard() {
        let check = |heard_at, now, trust| assert_eq!(doubted(heard_at).trust(at(now)), trust, "{heard_at:?} {now}");
        check(None, 169, Trust::Trusted);
        check(None, 170, Trust::Silent);
        check(Some(95), 170, Trust::Silent);
        check(Some(96), 170, Trust::Cleared);
        check(Some(165), 165, Trust::Cleared);
        assert_eq!(subscription().trust(at(1999)), Trust::Trusted);
    }

    #[test]
    fn it_is_looked_at_for_its_renewal_or_sooner_for_a_doubt() {
        assert_eq!(subscription().look_at(), Some(at(1000)));
        assert_eq!(doubted(None).look_at(), Some(at(170)));
        assert_eq!(Subscription { expires_at: None, ..doubted(None) }.look_at(), Some(at(170)));
        assert_eq!(Subscription { expires_at: None, ..subscription() }.look_at(), None);
    }

    #[test]
    fn only_those_are_doubted_that_lived_through_the_silence() {
        let ids = |all: &[Subscription]| doubtful(all, at(100), at(160)).len();
        let young = Subscription { created_at: at(101), ..subscription() };
        let ended = Subscription { expires_at: Some(at(160)), ..subscription() };
        assert_eq!(ids(&[subscription(), young, ended, doubted(None)]), 1);
        let heard = Subscription { heard_at: Some(at(150)), ..subscription() };
        assert_eq!(ids(&[subscription(), heard]), 0);
    }
}
