//! Connected, synced by hand, paused, resumed, disconnected: what people do with an integration as a whole.

use domain::status::Event;
use domain::{Integration, Owner, ProviderId, Status, SyncFrequency, SyncMode, Trigger};

use crate::Integrations;
use crate::error::Error;
use crate::settle::Settled;
use crate::syncs::Requested;

impl Integrations {
    /// After an account was connected: the first full sync, and the webhook subscriptions.
    ///
    /// # Errors
    /// As [`Syncs::request`](crate::Syncs::request). The connection stands whatever happens here; the scheduler starts what was not started.
    pub async fn connected(&self, integration: &Integration) -> Result<Requested, Error> {
        if let Err(error) = self.syncs.subscribe(&integration.reference()).await {
            tracing::warn!(integration.id = %integration.id, %error, "webhooks were not asked for; the next full sync asks again");
        }
        self.syncs.request(integration, SyncMode::Full, Trigger::Connect).await
    }

    /// A sync because a person wants one.
    ///
    /// # Errors
    /// [`Error::NotFound`], and as [`Syncs::request`](crate::Syncs::request).
    pub async fn sync_now(&self, owner: &Owner, provider: ProviderId, mode: SyncMode) -> Result<Requested, Error> {
        let integration = self.connected_one(owner, provider).await?;
        self.syncs.request(&integration, mode, Trigger::Manual).await
    }

    /// Stops all syncing until [`Self::resume`]; a run under way is cancelled. Pausing twice does no harm.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotConnected`], [`Error::TokenExpired`] (there is nothing to pause), [`Error::Unavailable`].
    pub async fn pause(&self, owner: &Owner, provider: ProviderId) -> Result<Integration, Error> {
        let integration = self.connected_one(owner, provider).await?;
        match self.syncs.settle(&integration, Event::PausedByPerson, Settled::default()).await? {
            Status::Paused => {}
            Status::TokenExpired => return Err(Error::TokenExpired),
            _ => return Err(Error::NotConnected),
        }
        let paused = self.read_again(&integration.reference()).await?;
        let Some(run) = paused.active else { return Ok(paused) };
        match self.cancel_run(&paused, run.job_id).await {
            Ok(_) | Err(Error::JobEnded) => self.read_again(&integration.reference()).await,
            Err(error) => Err(error),
        }
    }

    /// Goes on after [`Self::pause`], with a sync that catches up (unless syncs are by hand only). Resuming what is not paused
    /// does no harm.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotConnected`], [`Error::TokenExpired`], [`Error::Unavailable`].
    pub async fn resume(&self, owner: &Owner, provider: ProviderId) -> Result<Integration, Error> {
        let integration = self.connected_one(owner, provider).await?;
        match integration.status {
            Status::Paused => {}
            Status::TokenExpired => return Err(Error::TokenExpired),
            Status::Active | Status::Error | Status::RateLimited | Status::Disconnected => return Ok(integration),
        }
        let by_hand = integration.sync_frequency == SyncFrequency::Manual;
        let due_at = (!by_hand).then(|| self.clock.now());
        self.syncs.settle(&integration, Event::ResumedByPerson, Settled { due_at, ..Settled::default() }).await?;
        let reference = integration.reference();
        let resumed = self.read_again(&reference).await?;
        if by_hand || resumed.status != Status::Active {
            return Ok(resumed);
        }
        // It is due now, so that the scheduler does what is not done here.
        if let Err(error) = self.syncs.subscribe(&reference).await {
            tracing::warn!(integration.id = %resumed.id, %error, "webhooks were not asked for on resuming");
        }
        if let Err(error) = self.syncs.request(&resumed, SyncMode::Incremental, Trigger::Manual).await {
            tracing::warn!(integration.id = %resumed.id, %error, "the catching-up sync is left to the scheduler");
        }
        self.read_again(&reference).await
    }

    /// Disconnects; with `purge`, has what was synced deleted as well, which takes its time afterwards. Of what is disconnected already
    /// the content can still be purged.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotConnected`] if it is disconnected and nothing is to be purged; [`Error::Unavailable`].
    pub async fn disconnect(&self, owner: &Owner, provider: ProviderId, purge: bool) -> Result<(), Error> {
        let integration = self.get(owner, provider).await?;
        match integration.status {
            Status::Disconnected if !purge => return Err(Error::NotConnected),
            Status::Disconnected => {}
            Status::Active | Status::Paused | Status::Error | Status::RateLimited | Status::TokenExpired => {
                self.cut(&integration).await?;
            }
        }
        if purge {
            self.syncs.purge(&integration.reference(), self.batch_takes).await?;
        }
        Ok(())
    }

    async fn cut(&self, integration: &Integration) -> Result<(), Error> {
        if let Some(run) = integration.active
            && let Err(error) = self.cancel_run(integration, run.job_id).await
        {
            // Disconnecting cancels it in any case, with the counts that were last known.
            tracing::warn!(integration.id = %integration.id, job.id = %run.job_id, %error, "a run was not cancelled before disconnecting");
        }
        self.connections.disconnect(integration).await?;
        Ok(())
    }
}
