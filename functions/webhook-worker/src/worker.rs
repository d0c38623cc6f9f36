//! What a delivery asks for. Where the provider only says that something changed, that is one incremental sync, however often it
//! says so.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::clock::SharedClock;
use domain::job::JobError;
use domain::message::{Body, WebhookMessage};
use domain::subscription::WebhookEvent;
use domain::{Integration, Status, SyncFrequency, SyncMode, Timestamp, Trigger};
use integrations::{Error, Syncs};
use providers::Delivery;
use store::Store;

/// Works on deliveries.
#[derive(Clone)]
pub struct WebhookWorker {
    store: Store,
    syncs: Syncs,
    registry: Arc<providers::Registry>,
    clock: SharedClock,
}

impl WebhookWorker {
    /// A worker over these. Makes no call.
    #[must_use]
    pub fn new(store: Store, syncs: Syncs, registry: Arc<providers::Registry>, clock: SharedClock) -> Self {
        Self { store, syncs, registry, clock }
    }

    /// Works on one delivery. One read, and the requests of a sync.
    ///
    /// # Errors
    /// [`JobError`]: again if a dependency is down or the delivery makes no sense (its place is then the dead-letter queue).
    pub async fn run(&self, message: WebhookMessage) -> Result<(), JobError> {
        let Some(reference) = &message.integration else {
            return Err(JobError::retry("the delivery names no integration"));
        };
        let webhooks = self
            .registry
            .get(message.provider)
            .webhooks()
            .ok_or_else(|| JobError::retry("the provider announces no changes"))?;
        let delivery = Delivery { headers: message.headers.clone(), body: bytes_of(&message.body)? };
        let events = webhooks.parse(&delivery).map_err(JobError::retry)?;
        if !events.contains(&WebhookEvent::Changed) {
            return Ok(());
        }
        let found = self.store.find_integration(reference).await?;
        let integration = match heed(found.as_ref(), self.clock.now()) {
            Ok(integration) => integration,
            Err(reason) => {
                tracing::info!(integration.id = %reference.integration_id, provider = %message.provider, reason, "a change is not followed");
                return Ok(());
            }
        };
        match self.syncs.request(integration, SyncMode::Incremental, Trigger::Webhook).await {
            Ok(requested) => {
                tracing::info!(integration.id = %reference.integration_id, provider = %message.provider, job.id = %requested.job_id, started = requested.started, "a change is followed");
                Ok(())
            }
            // Paused or disconnected in between.
            Err(Error::Paused | Error::TokenExpired | Error::NotConnected) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The integration, if a change at the provider makes it sync; else why not.
fn heed(found: Option<&Integration>, now: Timestamp) -> Result<&Integration, &'static str> {
    let integration = found.ok_or("the integration is gone")?;
    match integration.status {
        Status::Disconnected => return Err("the integration is disconnected"),
        Status::Paused => return Err("the integration is paused"),
        Status::TokenExpired => return Err("the integration must be connected again"),
        Status::Active | Status::Error | Status::RateLimited => {}
    }
    if integration.sync_frequency == SyncFrequency::Manual {
        return Err("the integration is synced by hand only");
    }
    // The scheduler starts a sync when the wait is over, and that one finds the change. A run under way may have passed it by.
    let waits = integration.blocked_until.is_some_and(|until| until > now);
    if waits && integration.active.is_none() && integration.due_at.is_some() {
        return Err("the provider asked to wait");
    }
    Ok(integration)
}

/// The body's bytes.
fn bytes_of(body: &Body) -> Result<Vec<u8>, JobError> {
    match body {
        Body::Text(text) => Ok(text.clone().into_bytes()),
        Body::Base64(text) => STANDARD.decode(text).map_err(JobError::retry),
        // Written by a newer version only: the dead-letter queue keeps it until that version is back.
        Body::Object(_) => Err(JobError::retry("this version reads no bodies outside of the queue")),
    }
}

#[cfg(test)]
mod tests {
    use domain::integration::ActiveRun;
    use domain::{AccountId, IntegrationConfig, IntegrationId, JobId, Owner, ProviderId, StorageStrategy, UserId};

    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    fn integration() -> Integration {
        let ada = UserId::new("ada").unwrap();
        Integration {
            id: IntegrationId::new(at(0)),
            owner: Owner::User(ada.clone()),
            provider: ProviderId::GoogleDrive,
            account_id: AccountId::new("7").unwrap(),
            account_name: None,
            status: Status::Active,
            storage_strategy: StorageStrategy::FullContent,
            sync_frequency: SyncFrequency::Hourly,
            config: IntegrationConfig::default(),
            last_sync_at: None,
            last_error: None,
            failures_in_a_row: 0,
            connected_by: ada,
            connected_at: at(0),
            updated_at: at(0),
            change_cursor: None,
            active: None,
            runs: 0,
            again: None,
            pending_deletes: None,
            deletes_confirmed: false,
            blocked_until: None,
            due_at: Some(at(500)),
            retry_failed: false,
            tokens: None,
            version: 1,
        }
    }

    fn check(found: Option<&Integration>, reason: Option<&str>) {
        assert_eq!(heed(found, at(100)).err(), reason);
    }

    #[test]
    fn a_change_is_followed_unless_a_person_or_the_provider_stopped_it() {
        let row = integration();
        check(Some(&row), None);
        check(None, Some("the integration is gone"));
        check(Some(&Integration { status: Status::Error, ..row.clone() }), None);
        let of = |status| Integration { status, ..row.clone() };
        check(Some(&of(Status::Disconnected)), Some("the integration is disconnected"));
        check(Some(&of(Status::Paused)), Some("the integration is paused"));
        check(Some(&of(Status::TokenExpired)), Some("the integration must be connected again"));
        let by_hand = Integration { sync_frequency: SyncFrequency::Manual, ..row };
        check(Some(&by_hand), Some("the integration is synced by hand only"));
    }

    #[test]
    fn a_change_during_a_wait_is_found_when_it_is_over_but_a_run_under_way_is_told() {
        let waiting = Integration { blocked_until: Some(at(500)), ..integration() };
        check(Some(&waiting), Some("the provider asked to wait"));
        let run = ActiveRun { job_id: JobId::new(at(90)), run: 1 };
        check(Some(&Integration { active: Some(run), ..waiting.clone() }), None);
        check(Some(&Integration { blocked_until: Some(at(99)), ..waiting }), None);
    }

    #[test]
    fn a_body_comes_back_as_it_was() {
        assert_eq!(bytes_of(&Body::Text("{}".to_owned())).unwrap(), b"{}");
        assert_eq!(bytes_of(&Body::Base64("/w==".to_owned())).unwrap(), [0xff]);
        assert!(bytes_of(&Body::Base64("%".to_owned())).is_err());
    }
}
