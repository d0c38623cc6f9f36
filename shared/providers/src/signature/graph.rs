//! Microsoft Graph: nothing is signed; every notification of a delivery carries the word that its subscription was made with.

use serde::Deserialize;
use serde_json::Value;

use super::token_matches;
use crate::provider::NotAuthentic;

#[derive(Deserialize)]
struct Notifications {
    value: Vec<Value>,
}

/// What of a delivery is authentic.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The notifications to work on.
    pub authentic: Vec<Value>,
    /// How many were dropped.
    pub dropped: usize,
}

/// The authentic notifications of a delivery, which may be for several subscriptions. `expected` is the SHA-256 of the client state that
/// belongs to a subscription's id, if there is such a subscription.
///
/// # Errors
/// [`NotAuthentic`] if the body is no list of notifications, or none of them is authentic.
pub fn graph(body: &[u8], expected: impl Fn(&str) -> Option<[u8; 32]>) -> Result<Verdict, NotAuthentic> {
    let all: Notifications = serde_json::from_slice(body).map_err(|_| NotAuthentic("no notifications"))?;
    let is_authentic = |one: &Value| {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        expected(text("subscriptionId")).is_some_and(|hash| token_matches(text("clientState"), &hash))
    };
    let (authentic, others): (Vec<_>, Vec<_>) = all.value.into_iter().partition(is_authentic);
    if authentic.is_empty() {
        return Err(NotAuthentic("wrong client state"));
    }
    Ok(Verdict { authentic, dropped: others.len() })
}
