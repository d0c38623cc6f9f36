//! Cancels a run: its job ends, the slot is free, and what it has done is summed up afterwards, since that takes as long as the run is large.

use domain::{Integration, JobId, Owner, ProviderId, SyncJob};
use store::Cancelled;

use crate::Integrations;
use crate::error::Error;

impl Integrations {
    /// Cancels a run that has not ended. What it did stays done and is counted within a minute or so; until then the job shows what was last
    /// known. Another pass that was asked for meanwhile begins when the integration is due next.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::JobNotFound`], [`Error::JobEnded`], [`Error::Unavailable`].
    pub async fn cancel(&self, owner: &Owner, provider: ProviderId, job_id: JobId) -> Result<SyncJob, Error> {
        let integration = self.get(owner, provider).await?;
        self.cancel_run(&integration, job_id).await
    }

    /// Cancels a run of this integration.
    pub(crate) async fn cancel_run(&self, integration: &Integration, job_id: JobId) -> Result<SyncJob, Error> {
        let reference = integration.reference();
        let job = match self.store.cancel_job(&reference, job_id, self.clock.now()).await? {
            Cancelled::Yes(job) => job,
            Cancelled::Final(_) => return Err(Error::JobEnded),
            Cancelled::Unknown => return Err(Error::JobNotFound),
        };
        self.syncs.count(&reference, job_id, self.batch_takes).await;
        // It fell due soon, as a run that is watched; now it is due as one without a run.
        if let Some(row) = self.store.find_integration(&reference).await?
            && row.active.is_none()
        {
            self.store.set_due(&reference, self.syncs.next_due(&row).await?).await?;
        }
        Ok(job)
    }
}
