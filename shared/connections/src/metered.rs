//! What an integration's calls count against.

use domain::Integration;
use domain::rate::Budget;
use providers::provider::Call;

use crate::Connections;
use crate::error::OpenError;

/// A limit, by its name, and what we allow ourselves of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metered {
    /// The limit's name.
    pub key: String,
    /// Our share of it.
    pub budget: Budget,
}

impl Connections {
    /// What calls of this kind count against. Costs nothing beyond the provider's settings, which opening needs too.
    ///
    /// # Errors
    /// As [`Self::open`], where the settings cannot be read.
    pub async fn metered(&self, integration: &Integration, call: Call) -> Result<Metered, OpenError> {
        let settings = self.settings_of(integration.provider).await?;
        let settings = settings.ok_or_else(|| OpenError::Unavailable("the provider is not configured".into()))?;
        let meter = self.registry.get(integration.provider).meter(&settings, call);
        Ok(Metered { key: integration.rate_key_of(meter.name), budget: meter.limits.budget() })
    }
}
