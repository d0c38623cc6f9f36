//! Brings an integration's webhook subscriptions to what they should be.

use domain::job::JobError;
use domain::message::IntegrationRef;

use crate::worker::SyncWorker;

impl SyncWorker {
    /// Missing subscriptions are made, ageing ones renewed, surplus ones stopped. An integration that is gone has none to make.
    ///
    /// # Errors
    /// What the queue should do.
    pub(crate) async fn subscribe(&self, reference: &IntegrationRef) -> Result<(), JobError> {
        let Some(integration) = self.store.find_integration(reference).await? else { return Ok(()) };
        let changes = self.connections.bring_up_to_date(&integration, &self.public_url).await?;
        tracing::info!(
            integration.id = %integration.id, provider = %integration.provider, ?changes, "subscriptions are up to date"
        );
        Ok(())
    }
}
