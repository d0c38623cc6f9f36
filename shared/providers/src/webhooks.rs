//! The contract of announcements: what a delivery is, how it is verified, and what it says.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::subscription::{Subscription, WebhookEvent};
use domain::{AccountId, IntegrationConfig, ProviderSettings, Timestamp};
use secrecy::SecretString;
use url::Url;

use crate::error::ProviderError;
use crate::provider::Access;

/// In which header of a [`Delivery`] the subscription stands that its address names by `?subscription=`: for providers whose deliveries
/// name no subscription themselves. It never comes from outside.
pub const SUBSCRIPTION_HEADER: &str = "x-cognia-subscription";

/// A delivery as it arrived.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Header names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The raw bytes.
    pub body: Vec<u8>,
}

impl Delivery {
    /// A header's value; the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The answer to a delivery that only asks whether we are there, in the provider's own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// Its media type.
    pub content_type: &'static str,
    /// What it says.
    pub body: String,
}

/// What a delivery is verified against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The operator's registration, with the signing secret.
    pub settings: Option<&'a ProviderSettings>,
    /// The subscription that the delivery names, where deliveries name one.
    pub subscription: Option<&'a Subscription>,
    /// The present time, for schemes with a window.
    pub now: Timestamp,
}

/// A delivery that is not what it claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delivery is not authentic: {0}")]
pub struct NotAuthentic(pub &'static str);

/// A subscription to make.
#[derive(Debug, Clone)]
pub struct NewSubscription<'a> {
    /// Our name for it.
    pub id: &'a str,
    /// The token that deliveries must carry.
    pub token: &'a SecretString,
    /// Where deliveries go.
    pub address: &'a Url,
    /// Which part of the account, out of [`Webhooks::scopes`].
    pub scope: &'a str,
    /// The present time, from which its life is reckoned.
    pub now: Timestamp,
}

/// A subscription that the provider has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The provider's name for it.
    pub provider_id: Option<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// Announcements of changes.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// The id of the subscription that a delivery names, if deliveries of this provider name one. Not yet verified.
    fn subscription_id(&self, delivery: &Delivery) -> Option<String>;

    /// The account that a delivery is about, where this provider's deliveries name an account instead of a subscription. Not yet verified.
    fn account_id(&self, delivery: &Delivery) -> Option<AccountId> {
        let _ = delivery;
        None
    }

    /// The answer to a handshake, or why the handshake is refused; `None` if the delivery is none. Asked before anything else, with no
    /// subscription at hand; verifies the delivery itself where handshakes are signed.
    fn handshake(&self, delivery: &Delivery, expected: Expected<'_>) -> Option<Result<Handshake, NotAuthentic>> {
        let _ = (delivery, expected);
        None
    }

    /// The key that later deliveries are signed with, where a handshake brings it for an operator to enter (Notion). It is kept for them to
    /// read, for a day; whoever sends a handshake offers one, so it counts for nothing until an operator has compared and entered it.
    fn offered_key(&self, delivery: &Delivery) -> Option<SecretString> {
        let _ = delivery;
        None
    }

    /// Whether an event of the account concerns an integration that syncs this. The default: every event does.
    fn concerns(&self, config: &IntegrationConfig, event: &WebhookEvent) -> bool {
        let _ = (config, event);
        true
    }

    /// Whether it needs the operator's settings to verify a delivery (a signing secret).
    fn needs_settings(&self) -> bool;

    /// Verifies the raw bytes. What is missing is a failure.
    ///
    /// # Errors
    /// [`NotAuthentic`] with the reason, for the log only.
    fn verify(&self, delivery: &Delivery, expected: Expected<'_>) -> Result<(), NotAuthentic>;

    /// The provider's id of this delivery, equal when it is delivered again.
    fn delivery_id(&self, delivery: &Delivery) -> Option<String>;

    /// What a verified delivery says.
    ///
    /// # Errors
    /// [`crate::error::Kind::Malformed`].
    fn parse(&self, delivery: &Delivery) -> Result<Vec<WebhookEvent>, ProviderError>;

    /// The parts of the account to subscribe to, given what is synced and the change cursor (which knows of parts found while listing).
    fn scopes(&self, config: &IntegrationConfig, change_cursor: Option<&str>) -> Vec<String>;

    /// Makes a subscription.
    async fn register(&self, access: &Access, new: &NewSubscription<'_>) -> Result<Registered, ProviderError>;

    /// Stops a subscription. One that is gone already counts as stopped.
    async fn unregister(&self, access: &Access, subscription: &Subscription) -> Result<(), ProviderError>;
}
