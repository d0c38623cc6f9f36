//! A standing request to a provider to announce changes.

use crate::clock::Timestamp;
use crate::id::IntegrationId;

/// A webhook subscription of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Our name for it, given to the provider (Drive's channel id). It begins with the integration's id.
    pub id: String,
    /// The integration it serves.
    pub integration_id: IntegrationId,
    /// Which part of the account it watches, in the provider's terms (`my-drive`, a shared drive's id); one live subscription per scope.
    pub scope: String,
    /// The provider's name for it, which stopping it needs.
    pub provider_id: Option<String>,
    /// SHA-256 of the token that deliveries must carry.
    pub token_sha256: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` if it does not.
    pub expires_at: Option<Timestamp>,
}

impl Subscription {
    /// When a successor should be made: half way through its life, so that the new one is live long before the old one ends.
    #[must_use]
    pub fn renew_at(&self) -> Option<Timestamp> {
        self.expires_at.map(|end| self.created_at + (end - self.created_at) / 2)
    }
}

/// What a delivery says, in our terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookEvent {
    /// Something changed; the change feed says what.
    Changed,
    /// Nothing to do (a handshake, an event of no interest).
    Nothing,
}
