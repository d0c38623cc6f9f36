//! What a batch of resources begins with, in one read: whose they are, whether the provider answers, and what is known of them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use domain::circuit::Circuit;
use domain::message::IntegrationRef;
use domain::resource::Record;
use domain::{ExternalId, Integration};

use crate::Store;
use crate::call::{Item, decode, text};
use crate::circuit::circuit;
use crate::error::Error;
use crate::items::record::{RecordItem, WHAT as RECORD};
use crate::keys;
use crate::retry::{TRIES, back_off};

const WHAT: &str = "read what a batch begins with";

/// What a batch of resources begins with.
#[derive(Debug, Clone)]
pub struct Work {
    /// The integration.
    pub integration: Integration,
    /// Its provider's circuit.
    pub circuit: Circuit,
    /// The records of those resources that have one, tombstones included.
    pub records: HashMap<ExternalId, Record>,
}

impl Store {
    /// The integration that messages name, its provider's circuit, and the records of at most 98 of its resources; `None` if the row
    /// by now is another integration's. Consistent reads of all of them, in one request. The row of the integration's rate limit comes
    /// along once the process has met the integration, for [`Self::hold`], which then knows what others did to it meanwhile.
    ///
    /// # Errors
    /// [`Error`] if the tables cannot be read, keep leaving keys unprocessed, or a row makes no sense.
    pub async fn find_work(&self, r: &IntegrationRef, external_ids: &[ExternalId]) -> Result<Option<Work>, Error> {
        let shared = keys::circuit(r.provider);
        let rows = [keys::integration(&r.owner, r.provider), shared.clone()];
        let mut ids: Vec<&ExternalId> = external_ids.iter().collect();
        ids.sort_unstable();
        ids.dedup(); // A key named twice fails the whole batch.
        let records = ids.into_iter().map(|id| keys::record(r.integration_id, id));
        let mut wanted = HashMap::new();
        wanted.insert(self.tables.integrations.clone(), rows.into_iter().filter_map(keys::Key::attributes).collect());
        wanted.insert(self.tables.records.clone(), records.filter_map(keys::Key::attributes).collect());
        let limit = self.limits_seen.key_of(r.integration_id);
        if let Some(key) = &limit {
            let row = keys::bucket(key).attributes().into_iter().collect();
            wanted.insert(self.tables.limits.clone(), row);
        }
        let mut rows = self.get_from_tables(wanted).await?;
        let own = rows.remove(&self.tables.integrations).unwrap_or_default();
        let (circuits, integrations): (Vec<Item>, Vec<Item>) =
            own.into_iter().partition(|row| text(row, keys::PK) == Some(shared.pk.as_str()));
        let found = integrations.into_iter().next().map(crate::integrations::read).transpose()?;
        let Some(integration) = found.filter(|found| found.id == r.integration_id) else { return Ok(None) };
        let key = integration.rate_key();
        let limits = rows.remove(&self.tables.limits).unwrap_or_default();
        // An account's limit, or one of its meters that this process was told of.
        let own =
            |limit: &String| limit.strip_prefix(&key).is_some_and(|rest| rest.is_empty() || rest.starts_with('#'));
        match limit.filter(own) {
            Some(limit) => {
                if let Some(item) = limits.into_iter().next() {
                    self.note_limit(&limit, item)?;
                }
            }
            None => self.limits_seen.remember(r.integration_id, key),
        }
        let records = rows.remove(&self.tables.records).unwrap_or_default().into_iter().map(|row| {
            let record: Record = decode::<RecordItem>(RECORD, row)?.into();
            Ok((record.external_id.clone(), record))
        });
        let records = records.collect::<Result<_, Error>>()?;
        Ok(Some(Work { integration, circuit: circuits.first().map(circuit).unwrap_or_default(), records }))
    }

    /// Remembers which limit an integration's fetches count against, so that [`Self::find_work`] reads its row along. Makes no call.
    pub fn counts_against(&self, integration: domain::IntegrationId, limit: &str) {
        if self.limits_seen.key_of(integration).is_none_or(|known| known != limit) {
            self.limits_seen.remember(integration, limit.to_owned());
        }
    }

    /// Rows of several tables, by table, until DynamoDB has processed all keys.
    async fn get_from_tables(
        &self,
        mut wanted: HashMap<String, Vec<HashMap<String, AttributeValue>>>,
    ) -> Result<HashMap<String, Vec<Item>>, Error> {
        let mut rows: HashMap<String, Vec<Item>> = HashMap::new();
        for tries in 0..TRIES {
            if tries > 0 {
                back_off(tries).await;
            }
            let mut call = self.client.batch_get_item();
            for (table, keys) in wanted.drain().filter(|(_, keys)| !keys.is_empty()) {
                let request = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
                call = call.request_items(table, request.map_err(|e| Error::malformed(WHAT, e))?);
            }
            let answer = call.send().await.map_err(|e| Error::dynamo(WHAT, e))?;
            for (table, more) in answer.responses.unwrap_or_default() {
                rows.entry(table).or_default().extend(more);
            }
            wanted = answer
                .unprocessed_keys
                .unwrap_or_default()
                .into_iter()
                .map(|(table, left)| (table, left.keys))
                .collect();
            if wanted.is_empty() {
                return Ok(rows);
            }
        }
        Err(Error::unprocessed(WHAT))
    }
}
