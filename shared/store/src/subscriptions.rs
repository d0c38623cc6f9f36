//! Webhook subscriptions. Their rows stand in the index `due` for the moment when a successor should be made.

use domain::message::IntegrationRef;
use domain::subscription::{Doubt, HEARD_EVERY, Subscription, doubtful};
use domain::{IntegrationId, Timestamp};

use crate::Store;
use crate::call::{Item, decode, encode_item, ms, names, query_all, s, update, values};
use crate::error::Error;
use crate::items::subscription::{SubscriptionItem, WHAT};
use crate::keys;

/// Length of an integration's id, with which the ids of its subscriptions begin.
const INTEGRATION_ID_BYTES: usize = 26;

impl Store {
    /// Writes a subscription, in place of one with the same id. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn save_subscription(&self, of: &IntegrationRef, subscription: &Subscription) -> Result<(), Error> {
        let item = encode_item(SubscriptionItem::new(of, subscription))?;
        let call = self.client.put_item().table_name(&self.tables.integrations).set_item(Some(item));
        call.send().await.map_err(|e| Error::dynamo("save a webhook subscription", e))?;
        Ok(())
    }

    /// The subscription of this id and the integration it serves; `None` also for what is no such id. One consistent read.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or the row makes no sense.
    pub async fn get_subscription(&self, id: &str) -> Result<Option<(IntegrationRef, Subscription)>, Error> {
        let Some(key) = key_of(id) else { return Ok(None) };
        self.get("read a webhook subscription", &self.tables.integrations, key).await?.map(read).transpose()
    }

    /// The subscriptions of an integration, ended ones that were not deleted included. One consistent query.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or a row makes no sense.
    pub async fn subscriptions_of(&self, id: IntegrationId) -> Result<Vec<Subscription>, Error> {
        let call = self
            .client
            .query()
            .table_name(&self.tables.integrations)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .set_expression_attribute_names(names(&["pk", "sk"]))
            .set_expression_attribute_values(values([
                ("pk", s(keys::of_integration(id))),
                ("prefix", s(keys::SUBSCRIPTION)),
            ]))
            .consistent_read(true);
        let rows = query_all("list an integration's webhook subscriptions", call).await?;
        rows.into_iter().map(|row| read(row).map(|(_, subscription)| subscription)).collect()
    }

    /// Forgets a subscription. Nothing happens if there is none. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn delete_subscription(&self, integration_id: IntegrationId, id: &str) -> Result<(), Error> {
        let key = keys::subscription(integration_id, id);
        let call = self.client.delete_item().table_name(&self.tables.integrations).set_key(key.attributes());
        call.send().await.map_err(|e| Error::dynamo("delete a webhook subscription", e))?;
        Ok(())
    }

    /// Writes down that a change was delivered under a subscription at `at`, unless one within [`HEARD_EVERY`] before is
    /// written down already or the subscription is gone. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn note_heard(&self, integration_id: IntegrationId, id: &str, at: Timestamp) -> Result<(), Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::subscription(integration_id, id).attributes())
            .update_expression("SET #heard_at = :at")
            .condition_expression("attribute_exists(#pk) AND (attribute_not_exists(#heard_at) OR #heard_at <= :before)")
            .set_expression_attribute_names(names(&["pk", "heard_at"]))
            .set_expression_attribute_values(values([("at", ms(at)), ("before", ms(at - HEARD_EVERY))]));
        update("note that a subscription was heard", call).await.map(|_| ())
    }

    /// Doubts an integration's subscriptions, because a pull found changes at `now` that happened since `since` and that
    /// none of them announced ([`domain::subscription::unannounced_since`] tells so). They fall due when a delivery can no longer
    /// be under way; how many there are. One query, and one request for each.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or written.
    pub async fn doubt_subscriptions(
        &self,
        of: &IntegrationRef,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let all = self.subscriptions_of(of.integration_id).await?;
        let doubted = doubtful(&all, since, now);
        for subscription in &doubted {
            let doubt = Some(Doubt { since, at: now });
            self.set_doubt(&Subscription { doubt, ..(*subscription).clone() }).await?;
        }
        Ok(doubted.len())
    }

    /// Takes the doubt from a subscription that was heard after all. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn clear_doubt(&self, subscription: &Subscription) -> Result<(), Error> {
        self.set_doubt(&Subscription { doubt: None, ..subscription.clone() }).await
    }

    /// Writes a subscription's doubt, or that there is none, and when it is looked at next, unless it is gone.
    async fn set_doubt(&self, subscription: &Subscription) -> Result<(), Error> {
        let mut call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::subscription(subscription.integration_id, &subscription.id).attributes())
            .condition_expression("attribute_exists(#pk)")
            .set_expression_attribute_names(names(&["pk", "doubt_since", "doubt_at", "due_at", "due_shard"]));
        let mut set = Vec::new();
        let mut remove = Vec::new();
        if let Some(doubt) = subscription.doubt {
            set.push("#doubt_since = :since, #doubt_at = :at");
            call = call
                .expression_attribute_values(":since", ms(doubt.since))
                .expression_attribute_values(":at", ms(doubt.at));
        } else {
            remove.push("#doubt_since, #doubt_at");
        }
        if let Some(due_at) = subscription.look_at() {
            set.push("#due_at = :due_at, #due_shard = :due_shard");
            call = call
                .expression_attribute_values(":due_at", ms(due_at))
                .expression_attribute_values(":due_shard", s(keys::due_shard(subscription.integration_id)));
        } else {
            remove.push("#due_at, #due_shard");
        }
        let clause = |word: &str, parts: &[&str]| match parts {
            [] => String::new(),
            parts => format!("{word} {} ", parts.join(", ")),
        };
        let call = call.update_expression(format!("{}{}", clause("SET", &set), clause("REMOVE", &remove)).trim_end());
        update("doubt a webhook subscription", call).await.map(|_| ())
    }
}

/// The key of the subscription of this id; `None` for what is no such id.
pub(crate) fn key_of(id: &str) -> Option<keys::Key> {
    let integration_id = id.get(..INTEGRATION_ID_BYTES)?.parse().ok()?;
    Some(keys::subscription(integration_id, id))
}

/// A row as a subscription and the integration that it serves.
pub(crate) fn read(row: Item) -> Result<(IntegrationRef, Subscription), Error> {
    decode::<SubscriptionItem>(WHAT, row)?.try_into()
}
