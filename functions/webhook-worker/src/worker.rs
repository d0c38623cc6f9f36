//! What a delivery asks for. Where the provider only says that something changed, that is one incremental sync, however often it
//! says so. Where it names a resource, that resource is looked at, on the lane of what somebody waits for.
//!
//! A delivery may concern several integrations. If one of them cannot be served now, the whole message comes back; those that were served
//! are asked again, which at worst gives them a pass that finds nothing.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::clock::SharedClock;
use domain::job::JobError;
use domain::message::{Body, IntegrationRef, ResourceMessage, WebhookMessage};
use domain::subscription::WebhookEvent;
use domain::{Integration, Status, SyncFrequency, SyncMode, Timestamp, Trigger};
use integrations::{Error, Syncs};
use providers::{Delivery, Webhooks};
use queue::{Envelope, Queue};
use sink::Bodies;
use store::Store;

use crate::asked::Asked;
use crate::heard::Heard;

/// Works on deliveries.
#[derive(Clone)]
pub struct WebhookWorker {
    store: Store,
    syncs: Syncs,
    resources: Queue<ResourceMessage>,
    bodies: Bodies,
    registry: Arc<providers::Registry>,
    clock: SharedClock,
    heard: Heard,
}

impl WebhookWorker {
    /// A worker over these; `resources` is the lane of resources that webhooks name. Makes no call.
    #[must_use]
    pub fn new(
        store: Store,
        syncs: Syncs,
        resources: Queue<ResourceMessage>,
        bodies: Bodies,
        registry: Arc<providers::Registry>,
        clock: SharedClock,
    ) -> Self {
        Self { store, syncs, resources, bodies, registry, clock, heard: Heard::default() }
    }

    /// Works on one delivery. One read, and the requests of a sync or one send for ten resources; for an account one query, and those for
    /// each of its integrations.
    ///
    /// # Errors
    /// [`JobError`]: again if a dependency is down; to the dead letters if the delivery makes no sense.
    pub async fn run(&self, message: WebhookMessage) -> Result<(), JobError> {
        let Some(webhooks) = self.registry.get(message.provider).webhooks() else {
            tracing::warn!(provider = %message.provider, "a delivery is dropped: the provider announces no changes");
            return Ok(());
        };
        let Some(body) = self.bytes_of(&message.body).await? else {
            tracing::info!(provider = %message.provider, "a delivery was worked on before");
            return Ok(());
        };
        let delivery = Delivery { headers: message.headers.clone(), body };
        let mut events = webhooks.parse(&delivery).map_err(JobError::poison)?;
        events.retain(|event| *event != WebhookEvent::Nothing);
        if !events.is_empty() {
            if let Some((reference, id)) = message.integration.as_ref().zip(webhooks.subscription_id(&delivery)) {
                self.note_heard(reference, &id, message.received_at).await;
            }
            self.follow_all(&message, webhooks, &events).await?;
        }
        if let Body::Object(key) = &message.body
            && let Err(error) = self.bodies.clear(key).await
        {
            tracing::warn!(%error, "a large delivery that was worked on stays until it expires");
        }
        Ok(())
    }

    /// Has every integration that the delivery concerns follow what it says; the first error, after all have been tried.
    async fn follow_all(
        &self,
        message: &WebhookMessage,
        webhooks: &dyn Webhooks,
        events: &[WebhookEvent],
    ) -> Result<(), JobError> {
        let concerned = match (&message.integration, &message.account) {
            (Some(reference), _) => vec![reference.clone()],
            (None, Some(account)) => self.store.integrations_of_account(message.provider, account).await?,
            (None, None) => return Err(JobError::poison("the delivery names neither an integration nor an account")),
        };
        if concerned.is_empty() {
            tracing::info!(provider = %message.provider, "a change is not followed: nobody has the account connected");
        }
        let mut trouble = Ok(());
        for reference in &concerned {
            if let Err(error) = self.follow(reference, webhooks, events, message.received_at).await {
                trouble = trouble.and(Err(error));
            }
        }
        trouble
    }

    /// Has one integration follow what concerns it.
    async fn follow(
        &self,
        reference: &IntegrationRef,
        webhooks: &dyn Webhooks,
        events: &[WebhookEvent],
        received_at: Timestamp,
    ) -> Result<(), JobError> {
        let found = self.store.find_integration(reference).await?;
        let integration = match heed(found.as_ref()) {
            Ok(integration) => integration,
            Err(reason) => {
                tracing::info!(integration.id = %reference.integration_id, provider = %reference.provider, reason, "a change is not followed");
                return Ok(());
            }
        };
        let events = events.iter().filter(|event| webhooks.concerns(&integration.config, event));
        let Asked { resources, pass } = Asked::by(events, reference, received_at);
        if !resources.is_empty() {
            let count = resources.len();
            let envelope = |message| Envelope::new(reference.owner.clone(), message);
            let envelopes: Vec<_> = resources.into_iter().map(envelope).collect();
            self.resources.send_all(&envelopes, self.clock.now()).await?;
            tracing::info!(integration.id = %reference.integration_id, provider = %reference.provider, count, "resources are looked at");
        }
        match pass {
            None => Ok(()),
            Some(_) if waits(integration, self.clock.now()) => {
                tracing::info!(integration.id = %reference.integration_id, provider = %reference.provider, reason = "the provider asked to wait", "a change is not followed");
                Ok(())
            }
            Some(mode) => self.start(integration, mode).await,
        }
    }

    /// Has a pass follow.
    async fn start(&self, integration: &Integration, mode: SyncMode) -> Result<(), JobError> {
        match self.syncs.request(integration, mode, Trigger::Webhook).await {
            Ok(requested) => {
                tracing::info!(integration.id = %integration.id, provider = %integration.provider, job.id = %requested.job_id, started = requested.started, "a change is followed");
                Ok(())
            }
            // It failed too often: its next daily try goes on from the cursor and finds the change.
            Err(Error::Waiting) => Ok(()),
            // Paused or disconnected in between.
            Err(Error::Paused | Error::TokenExpired | Error::NotConnected) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes down that the subscription speaks. A failure only means that it may be made anew one day without need.
    async fn note_heard(&self, reference: &IntegrationRef, subscription_id: &str, at: Timestamp) {
        if !self.heard.is_news(subscription_id, at) {
            return;
        }
        match self.store.note_heard(reference.integration_id, subscription_id, at).await {
            Ok(()) => self.heard.written(subscription_id, at),
            Err(error) => tracing::warn!(%error, "it was not noted that a subscription was heard"),
        }
    }

    /// The body's bytes; `None` if they were worked on already.
    async fn bytes_of(&self, body: &Body) -> Result<Option<Vec<u8>>, JobError> {
        match body {
            Body::Text(text) => Ok(Some(text.clone().into_bytes())),
            Body::Base64(text) => STANDARD.decode(text).map(Some).map_err(JobError::poison),
            Body::Object(key) => self.bodies.read(key).await.map_err(|error| match error.is_retriable() {
                true => JobError::retry(error),
                false => JobError::poison(error),
            }),
        }
    }
}

/// The integration, if a change at the provider makes it sync; else why not.
fn heed(found: Option<&Integration>) -> Result<&Integration, &'static str> {
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
    Ok(integration)
}

/// Whether a pass need not be asked for: one that the scheduler starts as soon as a wait is over finds the change. A run under way may have
/// passed it by, and one that is due later would find it late.
fn waits(integration: &Integration, now: Timestamp) -> bool {
    let until = integration.blocked_until.filter(|until| *until > now && integration.active.is_none());
    until.zip(integration.due_at).is_some_and(|(until, due_at)| due_at <= until)
}

#[cfg(test)]
mod tests {
    use domain::JobId;
    use domain::integration::ActiveRun;

    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    fn integration() -> Integration {
        Integration { due_at: Some(at(500)), ..domain::testing::integration("user/ada", at(0)).unwrap() }
    }

    fn check(found: Option<&Integration>, reason: Option<&str>) {
        assert_eq!(heed(found).err(), reason);
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
        let check = |row: &Integration, expected| assert_eq!(waits(row, at(100)), expected);
        let waiting = Integration { blocked_until: Some(at(500)), ..integration() };
        check(&Integration { due_at: Some(at(501)), ..waiting.clone() }, false);
        check(&waiting, true);
        let run = ActiveRun { job_id: JobId::new(at(90)), run: 1 };
        check(&Integration { active: Some(run), ..waiting.clone() }, false);
        check(&Integration { blocked_until: Some(at(99)), ..waiting }, false);
    }
}
