//! The row of a webhook subscription.

use chrono::serde::{ts_milliseconds, ts_milliseconds_option};
use domain::message::IntegrationRef;
use domain::subscription::{Doubt, Subscription};
use domain::{IntegrationId, Owner, ProviderId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Binary;
use super::integration::RowKind;
use crate::error::Error;
use crate::keys;

/// What the row is called in errors.
pub(crate) const WHAT: &str = "a webhook subscription";

#[derive(Serialize, Deserialize)]
pub(crate) struct SubscriptionItem {
    pub(crate) pk: String,
    pub(crate) sk: String,
    pub(crate) kind: RowKind,
    pub(crate) subscription_id: String,
    pub(crate) integration_id: IntegrationId,
    pub(crate) owner: String,
    pub(crate) provider: ProviderId,
    pub(crate) scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider_id: Option<String>,
    pub(crate) token_sha256: Binary,
    #[serde(with = "ts_milliseconds")]
    pub(crate) created_at: Timestamp,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) ends_at: Option<Timestamp>,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) heard_at: Option<Timestamp>,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) doubt_since: Option<Timestamp>,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) doubt_at: Option<Timestamp>,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due_shard: Option<String>,
}

impl SubscriptionItem {
    /// The whole row; due when it is to be looked at.
    pub(crate) fn new(of: &IntegrationRef, subscription: &Subscription) -> Self {
        let key = keys::subscription(of.integration_id, &subscription.id);
        let due_at = subscription.look_at();
        Self {
            pk: key.pk,
            sk: key.sk,
            kind: RowKind::Subscription,
            subscription_id: subscription.id.clone(),
            integration_id: of.integration_id,
            owner: of.owner.to_string(),
            provider: of.provider,
            scope: subscription.scope.clone(),
            provider_id: subscription.provider_id.clone(),
            token_sha256: Binary(subscription.token_sha256.to_vec()),
            created_at: subscription.created_at,
            ends_at: subscription.expires_at,
            heard_at: subscription.heard_at,
            doubt_since: subscription.doubt.map(|doubt| doubt.since),
            doubt_at: subscription.doubt.map(|doubt| doubt.at),
            due_at,
            due_shard: due_at.map(|_| keys::due_shard(of.integration_id)),
        }
    }
}

impl TryFrom<SubscriptionItem> for (IntegrationRef, Subscription) {
    type Error = Error;

    fn try_from(item: SubscriptionItem) -> Result<Self, Error> {
        let corrupt = || Error::Corrupt { what: WHAT };
        let owner: Owner = item.owner.parse().map_err(|_| corrupt())?;
        let of = IntegrationRef { owner, provider: item.provider, integration_id: item.integration_id };
        let subscription = Subscription {
            id: item.subscription_id,
            integration_id: item.integration_id,
            scope: item.scope,
            provider_id: item.provider_id,
            token_sha256: item.token_sha256.0.try_into().map_err(|_| corrupt())?,
            created_at: item.created_at,
            expires_at: item.ends_at,
            heard_at: item.heard_at,
            doubt: item.doubt_since.zip(item.doubt_at).map(|(since, at)| Doubt { since, at }),
        };
        Ok((of, subscription))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{decode, encode_item};

    #[test]
    fn a_subscription_reads_back_and_is_due_half_way() {
        let at = |ms| Timestamp::from_timestamp_millis(ms).unwrap();
        let of = IntegrationRef {
            owner: "organization/acme".parse().unwrap(),
            provider: ProviderId::GoogleDrive,
            integration_id: "01JD0000000000000000000000".parse().unwrap(),
        };
        let subscription = Subscription {
            id: "01JD0000000000000000000000abc".to_owned(),
            integration_id: of.integration_id,
            scope: "my-drive".to_owned(),
            provider_id: Some("r".to_owned()),
            token_sha256: [7; 32],
            created_at: at(1000),
            expires_at: Some(at(3000)),
            heard_at: Some(at(1500)),
            doubt: Some(Doubt { since: at(1100), at: at(1700) }),
        };
        let item = SubscriptionItem::new(&of, &subscription);
        assert_eq!(item.due_at, Some(at(2000)));
        let item: SubscriptionItem = decode(WHAT, encode_item(item).unwrap()).unwrap();
        assert_eq!(<(IntegrationRef, Subscription)>::try_from(item).unwrap(), (of, subscription));
    }
}
