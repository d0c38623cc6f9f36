//! The webhook deliveries that have been seen, so that a provider's repetition has no second effect.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use domain::message::IntegrationRef;
use domain::subscription::Subscription;
use domain::{ProviderId, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use crate::Store;
use crate::call::{Ended, Item, n, names, new_mark, number, put, s, text, values};
use crate::error::Error;
use crate::keys;
use crate::retry::{TRIES, back_off};
use crate::subscriptions::{key_of, read};

/// How long a delivery is remembered; no provider repeats one for longer.
const DELIVERY_DAYS: i64 = 7;
/// How long an offered key is kept.
const OFFER_SECONDS: i64 = 86_400;

/// What the tables know of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownDelivery {
    /// The subscription that it names, and the integration that one serves.
    pub subscription: Option<(IntegrationRef, Subscription)>,
    /// Whether it is remembered.
    pub seen: bool,
}

impl Store {
    /// What is known of a delivery that names the subscription `subscription_id` and is remembered under `key`, as far as it
    /// has either. One consistent read of both; none where it has neither.
    ///
    /// # Errors
    /// [`Error`] if a table cannot be read or a row makes no sense.
    pub async fn look_up_delivery(
        &self,
        subscription_id: Option<&str>,
        key: Option<&str>,
        now: Timestamp,
    ) -> Result<KnownDelivery, Error> {
        let subscription = subscription_id.and_then(key_of).map(|key| (&self.tables.integrations, key));
        let delivery = key.map(|key| (&self.tables.limits, keys::delivery(key)));
        let mut wanted = HashMap::new();
        for (table, key) in subscription.into_iter().chain(delivery) {
            let keys = KeysAndAttributes::builder().keys(key.attributes().unwrap_or_default()).consistent_read(true);
            let keys = keys.build().map_err(|e| Error::malformed("build a read", e))?;
            wanted.insert(table.clone(), keys);
        }
        let mut found = self.read_together(wanted).await?;
        let seen = found.remove(&self.tables.limits).and_then(|row| number::<i64>(&row, "expires_at"));
        let subscription = found.remove(&self.tables.integrations).map(read).transpose()?;
        Ok(KnownDelivery { subscription, seen: seen.is_some_and(|at| at > now.timestamp()) })
    }

    /// One row from each of several tables, by table; those without a row are absent.
    async fn read_together(
        &self,
        mut wanted: HashMap<String, KeysAndAttributes>,
    ) -> Result<HashMap<String, Item>, Error> {
        const WHAT: &str = "look up a delivery";
        let mut found = HashMap::new();
        for tries in 0..TRIES {
            if wanted.is_empty() {
                return Ok(found);
            }
            if tries > 0 {
                back_off(tries).await;
            }
            let call = self.client.batch_get_item().set_request_items(Some(wanted));
            let answer = call.send().await.map_err(|e| Error::dynamo(WHAT, e))?;
            let rows = answer.responses.unwrap_or_default().into_iter();
            found.extend(rows.filter_map(|(table, rows)| Some((table, rows.into_iter().next()?))));
            wanted = answer.unprocessed_keys.unwrap_or_default();
        }
        if wanted.is_empty() { Ok(found) } else { Err(Error::unprocessed(WHAT)) }
    }

    /// Remembers the delivery `key` for seven days; `true` if it was not remembered yet: of any number of calls exactly one
    /// gets it. To be called once the delivery is stored, never before, or a repetition of one that was lost is dropped. One
    /// request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn first_delivery(&self, key: &str, now: Timestamp) -> Result<bool, Error> {
        let mark = new_mark();
        let keys::Key { pk, sk } = keys::delivery(key);
        let call = self
            .client
            .put_item()
            .table_name(&self.tables.limits)
            .item(keys::PK, s(pk))
            .item(keys::SK, s(sk))
            .item("mark", s(&mark))
            .item("expires_at", n(now.timestamp() + DELIVERY_DAYS * 86_400))
            .condition_expression("attribute_not_exists(#pk) OR #expires_at <= :now")
            .set_expression_attribute_names(names(&["pk", "expires_at"]))
            .set_expression_attribute_values(values([("now", n(now.timestamp()))]));
        Ok(match put("remember a delivery", call).await? {
            Ended::Written(_) => true,
            Ended::Failed(old) => old.is_some_and(|row| text(&row, "mark") == Some(mark.as_str())),
        })
    }

    /// Keeps the key that a handshake of this provider offered for an operator to read, for a day; a later one takes its place. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn keep_offered_key(
        &self,
        provider: ProviderId,
        key: &SecretString,
        now: Timestamp,
    ) -> Result<(), Error> {
        let keys::Key { pk, sk } = keys::offered_key(provider);
        let call = self
            .client
            .put_item()
            .table_name(&self.tables.limits)
            .item(keys::PK, s(pk))
            .item(keys::SK, s(sk))
            .item("offered_key", s(key.expose_secret()))
            .item("offered_at", s(now.to_rfc3339()))
            .item("expires_at", n(now.timestamp() + OFFER_SECONDS));
        call.send().await.map_err(|e| Error::dynamo("keep an offered key", e))?;
        Ok(())
    }
}
