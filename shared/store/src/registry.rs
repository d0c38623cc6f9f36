//! The provider registry: what an operator allows, a row per provider, made on first read.

use domain::plan::Plan;
use domain::{IntegrationConfig, ProviderId};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::call::{Ended, Item, decode, encode_item, names, put, query_all, s, values};
use crate::error::Error;
use crate::items::integration::config_text;
use crate::keys;

const WHAT: &str = "a registry entry";

/// What an operator allows of a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryEntry {
    /// The provider.
    pub provider: ProviderId,
    /// Whether it may be connected and is synced.
    pub enabled: bool,
    /// The plans that have it; empty means all.
    pub allowed_plans: Vec<Plan>,
    /// The configuration that new integrations start with.
    pub default_config: IntegrationConfig,
}

impl RegistryEntry {
    /// The entry that a provider starts with: enabled, in every plan.
    #[must_use]
    pub fn new(provider: ProviderId) -> Self {
        Self { provider, enabled: true, allowed_plans: Vec::new(), default_config: IntegrationConfig::default() }
    }

    /// Whether it is enabled and in the plan.
    #[must_use]
    pub fn allows(&self, plan: Plan) -> bool {
        self.enabled && (self.allowed_plans.is_empty() || self.allowed_plans.contains(&plan))
    }
}

#[derive(Serialize, Deserialize)]
struct RegistryItem {
    pk: String,
    sk: String,
    provider: ProviderId,
    enabled: bool,
    allowed_plans: Vec<Plan>,
    /// JSON, as in an integration's row.
    default_config: String,
}

impl RegistryItem {
    fn row(entry: &RegistryEntry) -> Result<Item, Error> {
        let key = keys::registry(entry.provider);
        encode_item(Self {
            pk: key.pk,
            sk: key.sk,
            provider: entry.provider,
            enabled: entry.enabled,
            allowed_plans: entry.allowed_plans.clone(),
            default_config: config_text(&entry.default_config)?,
        })
    }
}

fn read(row: Item) -> Result<RegistryEntry, Error> {
    let item: RegistryItem = decode(WHAT, row)?;
    Ok(RegistryEntry {
        provider: item.provider,
        enabled: item.enabled,
        allowed_plans: item.allowed_plans,
        default_config: serde_json::from_str(&item.default_config).map_err(|_| Error::Corrupt { what: WHAT })?,
    })
}

impl Store {
    /// The entries of all providers, in the order that lists show. One consistent query, and one request for every provider
    /// that had no row yet.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or written, or a row makes no sense.
    pub async fn registry(&self) -> Result<Vec<RegistryEntry>, Error> {
        let call = self
            .client
            .query()
            .table_name(&self.tables.directory)
            .key_condition_expression("#pk = :pk")
            .set_expression_attribute_names(names(&["pk"]))
            .set_expression_attribute_values(values([("pk", s(keys::REGISTRY))]))
            .consistent_read(true);
        let mut entries = Vec::with_capacity(ProviderId::ALL.len());
        let mut rows = query_all("read the provider registry", call).await?;
        for provider in ProviderId::ALL.iter().copied() {
            // By key, so that a row of a provider that this version does not know is left alone.
            let sk = keys::registry(provider).sk;
            let row = rows.iter().position(|row| crate::call::text(row, keys::SK) == Some(sk.as_str()));
            entries.push(match row.map(|at| rows.swap_remove(at)) {
                Some(row) => read(row)?,
                None => self.enter(provider).await?,
            });
        }
        Ok(entries)
    }

    /// A provider's entry, made on first read. One consistent read; two requests the first time.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or written, or the row makes no sense.
    pub async fn registry_entry(&self, provider: ProviderId) -> Result<RegistryEntry, Error> {
        match self.get("read a registry entry", &self.tables.directory, keys::registry(provider)).await? {
            Some(row) => read(row),
            None => self.enter(provider).await,
        }
    }

    /// Writes an entry. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn save_registry_entry(&self, entry: &RegistryEntry) -> Result<(), Error> {
        self.put_directory("save a registry entry", RegistryItem::row(entry)?).await
    }

    /// Makes a provider's first entry, unless another was faster.
    async fn enter(&self, provider: ProviderId) -> Result<RegistryEntry, Error> {
        let entry = RegistryEntry::new(provider);
        let call = self
            .client
            .put_item()
            .table_name(&self.tables.directory)
            .set_item(Some(RegistryItem::row(&entry)?))
            .condition_expression("attribute_not_exists(#pk)")
            .set_expression_attribute_names(names(&["pk"]));
        match put("make a registry entry", call).await? {
            Ended::Failed(Some(row)) => read(row),
            Ended::Failed(None) | Ended::Written(_) => Ok(entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_as_written() {
        let entry = RegistryEntry {
            provider: ProviderId::GoogleDrive,
            enabled: false,
            allowed_plans: vec![Plan::Pro, Plan::Enterprise],
            default_config: serde_json::from_str(r#"{"folders":[]}"#).unwrap(),
        };
        assert_eq!(read(RegistryItem::row(&entry).unwrap()).unwrap(), entry);
    }

    #[test]
    fn no_plan_named_means_every_plan_and_disabled_means_none() {
        let mut entry = RegistryEntry::new(ProviderId::GoogleDrive);
        assert!(entry.allows(Plan::Free));
        entry.allowed_plans = vec![Plan::Pro];
        assert!(entry.allows(Plan::Pro) && !entry.allows(Plan::Free));
        entry.enabled = false;
        assert!(!entry.allows(Plan::Pro));
    }
}
