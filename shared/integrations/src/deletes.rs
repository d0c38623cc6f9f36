//! Deletions that a run held back because there were suspiciously many: a person carries them out or drops them.

use domain::{Integration, Owner, ProviderId, SyncMode, Trigger};

use crate::Integrations;
use crate::error::Error;
use crate::syncs::Requested;

impl Integrations {
    /// Confirms the pending deletions: a full run follows that may carry them out. It looks again, so that what has come back
    /// meanwhile stays.
    ///
    /// # Errors
    /// [`Error::NothingPending`], [`Error::NotFound`], and as [`Syncs::request`](crate::Syncs::request). The confirmation stands
    /// once it is given: a sync that cannot start now finds it later.
    pub async fn confirm_deletes(&self, owner: &Owner, provider: ProviderId) -> Result<Requested, Error> {
        let decided = self.decide(owner, provider, true).await?;
        self.syncs.request(&decided, SyncMode::Full, Trigger::Manual).await
    }

    /// Drops the pending deletions: what is synced stays until a later full listing lacks it again.
    ///
    /// # Errors
    /// [`Error::NothingPending`], [`Error::NotFound`], [`Error::NotConnected`], [`Error::Unavailable`].
    pub async fn discard_deletes(&self, owner: &Owner, provider: ProviderId) -> Result<Integration, Error> {
        self.decide(owner, provider, false).await
    }

    async fn decide(&self, owner: &Owner, provider: ProviderId, confirm: bool) -> Result<Integration, Error> {
        let integration = self.connected_one(owner, provider).await?;
        let pending = integration.pending_deletes.ok_or(Error::NothingPending)?;
        let reference = integration.reference();
        if !self.store.decide_deletes(&reference, pending.job_id, confirm).await? {
            return Err(Error::NothingPending);
        }
        self.read_again(&reference).await
    }
}
