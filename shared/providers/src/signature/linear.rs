//! Linear: a MAC over the body, which itself says when it was sent. The timestamp in a header is not signed and counts for nothing.

use chrono::TimeDelta;
use domain::Timestamp;
use serde::Deserialize;

use super::{body, window};
use crate::provider::{Delivery, NotAuthentic};

/// How old a delivery may be.
const WINDOW: TimeDelta = TimeDelta::seconds(60);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stamped {
    webhook_timestamp: i64,
}

/// Verifies a delivery of Linear against the webhook's signing secret.
///
/// # Errors
/// [`NotAuthentic`] with the reason.
pub fn linear(delivery: &Delivery, signing_secret: &[u8], now: Timestamp) -> Result<(), NotAuthentic> {
    body::LINEAR.verify(delivery, signing_secret)?;
    let stamped: Option<Stamped> = serde_json::from_slice(&delivery.body).ok();
    let then = stamped.and_then(|it| Timestamp::from_timestamp_millis(it.webhook_timestamp));
    window::check(then.ok_or(NotAuthentic("no timestamp"))?, now, WINDOW)
}
