//! Sums up what a cancelled run has done. Whoever cancels does not wait for it.

use domain::job::JobError;
use domain::message::IntegrationRef;
use domain::{JobId, JobStatus, SyncJob};

use crate::worker::SyncWorker;

impl SyncWorker {
    /// Sums up a cancelled run from its pages and the resource records. Work that was under way when it was cancelled may still come to its
    /// end, and a purge may take records away: a smaller sum than the one that stands is not written.
    ///
    /// # Errors
    /// [`JobError`]: again.
    pub(crate) async fn count(&self, reference: &IntegrationRef, job_id: JobId) -> Result<(), JobError> {
        let found = self.store.get_job(reference.integration_id, job_id).await?;
        let Some(job) = found.filter(|job| job.status == JobStatus::Cancelled) else { return Ok(()) };
        let pages = self.store.pages(job_id).await?;
        let (counts, failed_resources) = self.tally(&job, &pages).await?.finish(&pages);
        if counts.found < job.counts.found || (counts, &failed_resources) == (job.counts, &job.failed_resources) {
            return Ok(());
        }
        tracing::info!(integration.id = %reference.integration_id, job.id = %job_id, found = counts.found, synced = counts.synced, "a cancelled run is summed up");
        Ok(self.store.note_counts(&SyncJob { counts, failed_resources, ..job }).await?)
    }
}
