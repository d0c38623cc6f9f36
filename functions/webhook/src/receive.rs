//! Receives a delivery: verified over the raw bytes, stored on the queue, and only then acknowledged.
//!
//! Duplicates are looked up before the queue is asked and marked after it has answered. The other way round (mark, then send) a
//! function that dies in between would swallow the provider's repetition and with it the change. Two copies that arrive
//! in the same instant may both pass, which costs a message and nothing else: the syncs they ask for fall together.
//!
//! A delivery costs one read, one message and one write; a repetition, or one that is not authentic, the read alone.

use std::sync::Arc;

use connections::Settings;
use domain::clock::SharedClock;
use domain::message::{Body, IntegrationRef, WebhookMessage};
use domain::subscription::WebhookEvent;
use domain::{AccountId, OrganizationId, Owner, ProviderId, ProviderSettings, Timestamp};
use providers::provider::Expected;
use providers::{Delivery, Handshake, NotAuthentic, Webhooks};
use queue::Queue;
use sink::Bodies;
use store::{KnownDelivery, Store};

use crate::answer::Answer;
use crate::carry::in_message;
use crate::forward::headers_to_keep;

/// The largest body that is taken: what the gateway lets through at most. (Lambda's own limit, 6 MB for the whole event, comes first for
/// most.) Amazon API Gateway, "Quotas for configuring and running an HTTP API".
pub const LARGEST_BODY_BYTES: usize = 10 * 1024 * 1024;

/// The longest subscription id that is looked up. Ours have 53 characters; a longer one is no key of ours.
const LONGEST_ID: usize = 64;

/// Receives deliveries.
#[derive(Clone)]
pub struct Receiver {
    store: Store,
    queue: Queue<WebhookMessage>,
    bodies: Bodies,
    settings: Settings,
    registry: Arc<providers::Registry>,
    clock: SharedClock,
}

/// What is known of a delivery that does not verify yet.
struct Known {
    found: KnownDelivery,
    /// The account that it names, where this provider's deliveries do that.
    account: Option<AccountId>,
    settings: Option<Arc<ProviderSettings>>,
    /// The key under which the delivery is remembered, where the provider numbers its deliveries.
    key: Option<String>,
}

/// Whom an authentic delivery concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    /// The integration whose subscription it came under.
    Integration(IntegrationRef),
    /// Every integration of an account.
    Account(AccountId),
}

impl Receiver {
    /// A receiver over these. Makes no call.
    #[must_use]
    pub fn new(
        store: Store,
        queue: Queue<WebhookMessage>,
        bodies: Bodies,
        settings: Settings,
        registry: Arc<providers::Registry>,
        clock: SharedClock,
    ) -> Self {
        Self { store, queue, bodies, settings, registry, clock }
    }

    /// Receives a delivery to the path of `provider`, and of `integration` where the path names one.
    pub async fn receive(&self, provider: &str, integration: Option<&str>, delivery: Delivery) -> Answer {
        let Ok(id) = provider.parse::<ProviderId>() else { return Answer::UnknownProvider };
        let Some(webhooks) = self.registry.get(id).webhooks() else { return Answer::UnknownProvider };
        self.receive_from(id, webhooks, integration, delivery).await
    }

    /// Receives a delivery of this provider.
    async fn receive_from(
        &self,
        provider: ProviderId,
        webhooks: &dyn Webhooks,
        named: Option<&str>,
        delivery: Delivery,
    ) -> Answer {
        if delivery.body.len() > LARGEST_BODY_BYTES {
            return Answer::TooLarge;
        }
        let now = self.clock.now();
        let known = match self.look_up(provider, webhooks, &delivery, now).await {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%provider, error, "a delivery cannot be verified now");
                return Answer::Unavailable;
            }
        };
        let expected = Expected { settings: known.settings.as_deref(), subscription: None, now };
        if let Some(shaken) = webhooks.handshake(&delivery, expected) {
            return self.shake_hands(provider, webhooks, &delivery, shaken, now).await;
        }
        let about = match judge(webhooks, &known, named, &delivery, now) {
            Ok(about) => about,
            Err(answer) => return answer,
        };
        match webhooks.parse(&delivery) {
            Ok(events) if events.iter().all(|event| *event == WebhookEvent::Nothing) => Answer::Received,
            Ok(_) if known.found.seen => Answer::Received,
            Ok(_) => self.pass_on(provider, about, delivery, known.key.as_deref(), now).await,
            Err(error) => {
                tracing::warn!(%provider, ?about, %error, "a delivery is malformed");
                Answer::Malformed
            }
        }
    }

    /// Answers a handshake. A key that comes with it is kept for the operator first: the provider does not say it twice unasked.
    async fn shake_hands(
        &self,
        provider: ProviderId,
        webhooks: &dyn Webhooks,
        delivery: &Delivery,
        shaken: Result<Handshake, NotAuthentic>,
        now: Timestamp,
    ) -> Answer {
        let answer = match shaken {
            Ok(answer) => answer,
            Err(reason) => {
                tracing::warn!(%provider, %reason, "a handshake is refused");
                return Answer::InvalidSignature;
            }
        };
        if let Some(key) = webhooks.offered_key(delivery)
            && let Err(error) = self.store.keep_offered_key(provider, &key, now).await
        {
            tracing::error!(%provider, error = told(&error), "the key of a handshake was not kept");
            return Answer::Unavailable;
        }
        tracing::info!(%provider, "a handshake is answered");
        Answer::Handshake(answer)
    }

    /// Reads what verification needs, all at once.
    async fn look_up(
        &self,
        provider: ProviderId,
        webhooks: &dyn Webhooks,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Known, String> {
        let id = webhooks.subscription_id(delivery).filter(|id| is_plausible(id));
        let account = webhooks.account_id(delivery);
        let hook = id.as_deref().or(account.as_ref().map(AccountId::as_str));
        let key = webhooks.delivery_id(delivery).map(|delivery_id| delivery_key(provider, hook, &delivery_id));
        let found = async {
            let looked_up = self.store.look_up_delivery(id.as_deref(), key.as_deref(), now).await;
            looked_up.map_err(|error| told(&error))
        };
        let settings = async {
            match webhooks.needs_settings() {
                true => self.settings.get(provider).await.map_err(|error| told(&error)),
                false => Ok(None),
            }
        };
        let (mut found, settings) = tokio::try_join!(found, settings)?;
        found.subscription = found.subscription.filter(|(reference, _)| reference.provider == provider);
        Ok(Known { found, account, settings, key })
    }

    /// Puts the delivery on the queue, its body in the bucket before if it is too large for a message, then remembers it.
    async fn pass_on(
        &self,
        provider: ProviderId,
        about: About,
        delivery: Delivery,
        key: Option<&str>,
        now: Timestamp,
    ) -> Answer {
        let Some(group) = group_of(provider, &about) else { return Answer::Malformed };
        let body = match in_message(delivery.body) {
            Ok(body) => body,
            Err(bytes) => match self.bodies.keep(bytes, now).await {
                Ok(key) => Body::Object(key),
                Err(error) => {
                    tracing::error!(%provider, ?about, error = told(&error), "a large delivery was not stored");
                    return Answer::Unavailable;
                }
            },
        };
        let (integration, account) = match about.clone() {
            About::Integration(reference) => (Some(reference), None),
            About::Account(account) => (None, Some(account)),
        };
        let headers = headers_to_keep(delivery.headers);
        let message = WebhookMessage { provider, integration, account, headers, body, received_at: now };
        if let Err(error) = self.queue.send(&group, &message).await {
            tracing::error!(%provider, ?about, error = told(&error), "a delivery was not stored");
            return Answer::Unavailable;
        }
        if let Some(key) = key
            && let Err(error) = self.store.first_delivery(key, now).await
        {
            // It is stored, so it is acknowledged; a repetition would only cost another look.
            tracing::warn!(%provider, ?about, error = told(&error), "a delivery was not remembered");
        }
        Answer::Received
    }
}

/// Whether a delivery is authentic, and whom it concerns.
fn judge(
    webhooks: &dyn Webhooks,
    known: &Known,
    named: Option<&str>,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<About, Answer> {
    let subscription = known.found.subscription.as_ref();
    let expected = Expected {
        settings: known.settings.as_deref(),
        subscription: subscription.map(|(_, subscription)| subscription),
        now,
    };
    if let Err(reason) = webhooks.verify(delivery, expected) {
        tracing::warn!(%reason, "a delivery is refused");
        return Err(Answer::InvalidSignature);
    }
    match (subscription, &known.account, named) {
        (Some((reference, _)), _, named) if named.is_none_or(|named| named == reference.integration_id.to_string()) => {
            Ok(About::Integration(reference.clone()))
        }
        (Some((reference, _)), ..) => {
            tracing::warn!(integration.id = %reference.integration_id, "a delivery came to another integration's address");
            Err(Answer::InvalidSignature)
        }
        (None, Some(account), None) => Ok(About::Account(account.clone())),
        (None, ..) => {
            tracing::warn!("an authentic delivery names neither an integration nor an account");
            Err(Answer::InvalidSignature)
        }
    }
}

/// The group whose deliveries queue up behind each other: the owner's, or, of an account that several owners may share, a group of
/// its own. (No organization's slug has a colon.) A long account's name is cut; that two may then share a group costs nobody more than
/// a wait.
fn group_of(provider: ProviderId, about: &About) -> Option<Owner> {
    match about {
        About::Integration(reference) => Some(reference.owner.clone()),
        About::Account(account) => {
            let name = format!("{provider}:{account}").chars().take(OrganizationId::MAX_BYTES / 4).collect::<String>();
            OrganizationId::new(name).ok().map(Owner::Organization)
        }
    }
}

/// Whether an id can be one that we gave.
fn is_plausible(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Names a delivery. Delivery numbers start again with every subscription and meet between accounts, so what they are counted for (the
/// subscription, the account) is part of the name.
fn delivery_key(provider: ProviderId, hook: Option<&str>, delivery_id: &str) -> String {
    format!("{provider}#{}#{delivery_id}", hook.unwrap_or("-"))
}

/// An error with its causes.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    lambda::telemetry::chain(error)
}

#[cfg(test)]
mod tests;
