//! Webhook subscriptions. Their rows stand in the index `due` for the moment when a successor should be made.

use domain::IntegrationId;
use domain::message::IntegrationRef;
use domain::subscription::Subscription;

use crate::Store;
use crate::call::{decode, encode_item, names, query_all, s, values};
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
        let Some(integration_id) = id.get(..INTEGRATION_ID_BYTES).and_then(|id| id.parse().ok()) else {
            return Ok(None);
        };
        let key = keys::subscription(integration_id, id);
        let row = self.get("read a webhook subscription", &self.tables.integrations, key).await?;
        row.map(|row| decode::<SubscriptionItem>(WHAT, row)?.try_into()).transpose()
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
        rows.into_iter()
            .map(|row| {
                let (_, subscription) = decode::<SubscriptionItem>(WHAT, row)?.try_into()?;
                Ok(subscription)
            })
            .collect()
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
}
