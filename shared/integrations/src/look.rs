//! What people look at: the history of runs and the resources with their states.

use domain::resource::{Record, RecordState};
use domain::{JobId, Owner, ProviderId, SyncJob};
use store::Cursor;

use crate::Integrations;
use crate::error::Error;

impl Integrations {
    /// A page of runs, the newest first; where to go on, if there is more. Two reads.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn history(
        &self,
        owner: &Owner,
        provider: ProviderId,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<SyncJob>, Option<Cursor>), Error> {
        let integration = self.get(owner, provider).await?;
        Ok(self.store.jobs_of(integration.id, cursor, limit).await?)
    }

    /// One run of this integration. Two reads.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::JobNotFound`] (a run of another integration is not found either), [`Error::Unavailable`].
    pub async fn job(&self, owner: &Owner, provider: ProviderId, job_id: JobId) -> Result<SyncJob, Error> {
        let integration = self.get(owner, provider).await?;
        self.store.get_job(integration.id, job_id).await?.ok_or(Error::JobNotFound)
    }

    /// A page of resources, all or those in one state; where to go on, if there is more.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn resources(
        &self,
        owner: &Owner,
        provider: ProviderId,
        state: Option<RecordState>,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<Record>, Option<Cursor>), Error> {
        let integration = self.get(owner, provider).await?;
        Ok(self.store.records_of(integration.id, state, cursor, limit).await?)
    }
}
