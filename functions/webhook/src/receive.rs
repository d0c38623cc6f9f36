//! Receives a delivery: verified over the raw bytes, stored on the queue, and only then acknowledged.
//!
//! Duplicates are looked up before the queue is asked and marked after it has answered. The other way round (mark, then send) a
//! function that dies in between would swallow the provider's repetition and with it the change. Two copies that arrive
//! in the same instant may both pass, which costs a message and nothing else: the syncs they ask for fall together.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connections::Settings;
use domain::clock::SharedClock;
use domain::message::{Body, IntegrationRef, WebhookMessage};
use domain::subscription::{Subscription, WebhookEvent};
use domain::{ProviderId, ProviderSettings, Timestamp};
use providers::provider::Expected;
use providers::{Delivery, Webhooks};
use queue::Queue;
use store::Store;

use crate::answer::Answer;
use crate::forward::headers_to_keep;

/// The largest body that goes into a queue message, which may have a megabyte in all.
pub const LARGEST_BODY_BYTES: usize = 900 * 1024;

/// JSON writes one byte as six at worst; a body below this fits whatever is in it.
const ALWAYS_FITS_BYTES: usize = LARGEST_BODY_BYTES / 6;

/// The longest subscription id that is looked up. Ours have 53 characters; a longer one is no key of ours.
const LONGEST_ID: usize = 64;

/// Receives deliveries.
#[derive(Clone)]
pub struct Receiver {
    store: Store,
    queue: Queue<WebhookMessage>,
    settings: Settings,
    registry: Arc<providers::Registry>,
    clock: SharedClock,
}

/// What is known of a delivery that does not verify yet.
struct Known {
    subscription: Option<(IntegrationRef, Subscription)>,
    settings: Option<Arc<ProviderSettings>>,
    seen: bool,
    /// The key under which the delivery is remembered, where the provider numbers its deliveries.
    key: Option<String>,
}

impl Receiver {
    /// A receiver over these. Makes no call.
    #[must_use]
    pub fn new(
        store: Store,
        queue: Queue<WebhookMessage>,
        settings: Settings,
        registry: Arc<providers::Registry>,
        clock: SharedClock,
    ) -> Self {
        Self { store, queue, settings, registry, clock }
    }

    /// Receives a delivery to the path of `provider`, and of `integration` where the path names one. Two reads side by
    /// side, one message, one write.
    pub async fn receive(&self, provider: &str, integration: Option<&str>, delivery: Delivery) -> Answer {
        let Ok(id) = provider.parse::<ProviderId>() else { return Answer::UnknownProvider };
        let Some(webhooks) = self.registry.get(id).webhooks() else { return Answer::UnknownProvider };
        if delivery.body.len() > LARGEST_BODY_BYTES {
            return Answer::TooLarge;
        }
        let now = self.clock.now();
        let known = match self.look_up(id, webhooks, &delivery, now).await {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(provider = %id, error, "a delivery cannot be verified now");
                return Answer::Unavailable;
            }
        };
        let reference = match judge(webhooks, &known, integration, &delivery, now) {
            Ok(reference) => reference.clone(),
            Err(answer) => return answer,
        };
        match webhooks.parse(&delivery) {
            Ok(events) if events.iter().all(|event| *event == WebhookEvent::Nothing) => return Answer::Received,
            Ok(_) if known.seen => return Answer::Received,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(provider = %id, integration.id = %reference.integration_id, %error, "a delivery is malformed");
                return Answer::Malformed;
            }
        }
        self.pass_on(id, reference, delivery, known.key.as_deref(), now).await
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
        let key = webhooks.delivery_id(delivery).map(|delivery_id| delivery_key(provider, id.as_deref(), &delivery_id));
        let subscription = async {
            match &id {
                Some(id) => self.store.get_subscription(id).await.map_err(|error| told(&error)),
                None => Ok(None),
            }
        };
        let seen = async {
            match &key {
                Some(key) => self.store.seen_delivery(key, now).await.map_err(|error| told(&error)),
                None => Ok(false),
            }
        };
        let settings = async {
            match webhooks.needs_settings() {
                true => self.settings.get(provider).await.map_err(|error| told(&error)),
                false => Ok(None),
            }
        };
        let (subscription, seen, settings) = tokio::try_join!(subscription, seen, settings)?;
        let subscription = subscription.filter(|(reference, _)| reference.provider == provider);
        Ok(Known { subscription, settings, seen, key })
    }

    /// Puts the delivery on the queue, then remembers it.
    async fn pass_on(
        &self,
        provider: ProviderId,
        reference: IntegrationRef,
        delivery: Delivery,
        key: Option<&str>,
        now: Timestamp,
    ) -> Answer {
        let integration_id = reference.integration_id;
        let Some(body) = body_of(delivery.body) else { return Answer::TooLarge };
        let owner = reference.owner.clone();
        let message = WebhookMessage {
            provider,
            integration: Some(reference),
            headers: headers_to_keep(delivery.headers),
            body,
            received_at: now,
        };
        if let Err(error) = self.queue.send(&owner, &message).await {
            tracing::error!(%provider, integration.id = %integration_id, error = told(&error), "a delivery was not stored");
            return Answer::Unavailable;
        }
        if let Some(key) = key
            && let Err(error) = self.store.first_delivery(key, now).await
        {
            // It is stored, so it is acknowledged; a repetition would only cost another look.
            tracing::warn!(%provider, integration.id = %integration_id, error = told(&error), "a delivery was not remembered");
        }
        Answer::Received
    }
}

/// Whether a delivery is authentic, and for which integration.
fn judge<'a>(
    webhooks: &dyn Webhooks,
    known: &'a Known,
    named: Option<&str>,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<&'a IntegrationRef, Answer> {
    let expected = Expected {
        settings: known.settings.as_deref(),
        subscription: known.subscription.as_ref().map(|(_, subscription)| subscription),
        now,
    };
    if let Err(reason) = webhooks.verify(delivery, expected) {
        tracing::warn!(%reason, "a delivery is refused");
        return Err(Answer::InvalidSignature);
    }
    let Some((reference, _)) = &known.subscription else {
        tracing::warn!("an authentic delivery names no integration");
        return Err(Answer::InvalidSignature);
    };
    if named.is_some_and(|named| named != reference.integration_id.to_string()) {
        tracing::warn!(integration.id = %reference.integration_id, "a delivery came to another integration's address");
        return Err(Answer::InvalidSignature);
    }
    Ok(reference)
}

/// Whether an id can be one that we gave.
fn is_plausible(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Names a delivery. Delivery numbers start again with every subscription, so the subscription is part of the name.
fn delivery_key(provider: ProviderId, subscription: Option<&str>, delivery_id: &str) -> String {
    format!("{provider}#{}#{delivery_id}", subscription.unwrap_or("-"))
}

/// The body as a message carries it; `None` if it grows beyond what one can carry.
fn body_of(bytes: Vec<u8>) -> Option<Body> {
    let check_needed = bytes.len() > ALWAYS_FITS_BYTES;
    let body = match String::from_utf8(bytes) {
        Ok(text) => Body::Text(text),
        Err(error) => Body::Base64(STANDARD.encode(error.as_bytes())),
    };
    let fits = !check_needed || serde_json::to_vec(&body).is_ok_and(|json| json.len() <= LARGEST_BODY_BYTES);
    fits.then_some(body)
}

/// An error with its causes.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    lambda::telemetry::chain(error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{IntegrationId, Owner, UserId};
    use providers::http::Http;
    use sha2::Digest as _;

    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    /// A change as Drive delivers it, and what the table knows of its channel.
    fn change() -> (Delivery, Known) {
        let integration_id = IntegrationId::new(at(0));
        let id = format!("{integration_id}-01JD0000000000000000000000");
        let headers = [
            ("x-goog-channel-id", id.as_str()),
            ("x-goog-channel-token", "token"),
            ("x-goog-resource-id", "resource"),
            ("x-goog-resource-state", "change"),
            ("x-goog-message-number", "7"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let subscription = Subscription {
            id: id.clone(),
            integration_id,
            scope: "user".to_owned(),
            provider_id: Some("resource".to_owned()),
            token_sha256: sha2::Sha256::digest("token").into(),
            created_at: at(0),
            expires_at: None,
        };
        let owner = Owner::User(UserId::new("ada").unwrap());
        let reference = IntegrationRef { owner, provider: ProviderId::GoogleDrive, integration_id };
        let known = Known { subscription: Some((reference, subscription)), settings: None, seen: false, key: None };
        (Delivery { headers: BTreeMap::from(headers), body: Vec::new() }, known)
    }

    fn judged(delivery: &Delivery, known: &Known, named: Option<&str>) -> Result<IntegrationRef, Answer> {
        let registry = providers::Registry::new(Http::new());
        let webhooks = registry.get(ProviderId::GoogleDrive).webhooks().unwrap();
        judge(webhooks, known, named, delivery, at(0)).cloned()
    }

    #[test]
    fn an_authentic_delivery_belongs_to_its_subscriptions_integration() {
        let (delivery, known) = change();
        let id = known.subscription.as_ref().unwrap().1.integration_id;
        assert_eq!(judged(&delivery, &known, None).unwrap().integration_id, id);
        assert_eq!(judged(&delivery, &known, Some(&id.to_string())).unwrap().integration_id, id);
    }

    #[test]
    fn what_is_forged_unknown_or_misdirected_gets_one_answer() {
        let (delivery, known) = change();
        let mut forged = delivery.clone();
        forged.headers.insert("x-goog-channel-token".to_owned(), "tokem".to_owned());
        let mut bare = delivery.clone();
        bare.headers.remove("x-goog-channel-token");
        let stranger = IntegrationId::new(at(1)).to_string();
        assert_eq!(judged(&forged, &known, None), Err(Answer::InvalidSignature));
        assert_eq!(judged(&bare, &known, None), Err(Answer::InvalidSignature));
        assert_eq!(judged(&delivery, &known, Some(&stranger)), Err(Answer::InvalidSignature));
        assert_eq!(judged(&delivery, &known, Some("nonsense")), Err(Answer::InvalidSignature));
        let unknown = Known { subscription: None, ..known };
        assert_eq!(judged(&delivery, &unknown, None), Err(Answer::InvalidSignature));
    }

    #[test]
    fn the_same_number_of_another_subscription_is_another_delivery() {
        let key = |subscription| delivery_key(ProviderId::GoogleDrive, subscription, "7");
        assert_eq!(key(Some("a")), "google_drive#a#7");
        assert_ne!(key(Some("a")), key(Some("b")));
    }

    #[test]
    fn an_id_that_no_key_can_hold_is_not_looked_up() {
        assert!(is_plausible("01JD0000000000000000000000-01JD0000000000000000000001"));
        for id in ["", "a#b", "a b", "ä", &"x".repeat(65)] {
            assert!(!is_plausible(id), "{id}");
        }
    }

    #[test]
    fn a_body_that_grows_beyond_a_message_is_refused() {
        assert_eq!(body_of(b"{}".to_vec()), Some(Body::Text("{}".to_owned())));
        assert_eq!(body_of(vec![0xff]), Some(Body::Base64("/w==".to_owned())));
        assert!(body_of(vec![b'a'; LARGEST_BODY_BYTES - 100]).is_some());
        assert_eq!(body_of(vec![0; LARGEST_BODY_BYTES / 2]), None);
        assert_eq!(body_of(vec![0xff; LARGEST_BODY_BYTES - 100]), None);
    }
}
