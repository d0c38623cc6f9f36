//! Slack, version 0: the timestamp's header is signed with the body.

use domain::Timestamp;

use super::body::{Written, check_mac};
use super::window::{self, FIVE_MINUTES, header};
use crate::provider::{Delivery, NotAuthentic};

/// Verifies a delivery of Slack against the app's signing secret.
///
/// # Errors
/// [`NotAuthentic`] with the reason.
pub fn slack(delivery: &Delivery, signing_secret: &[u8], now: Timestamp) -> Result<(), NotAuthentic> {
    let timestamp = header(delivery, "x-slack-request-timestamp", "no timestamp")?;
    window::check(window::seconds(timestamp)?, now, FIVE_MINUTES)?;
    let signature = header(delivery, "x-slack-signature", "no signature")?;
    let mac = signature.strip_prefix("v0=").ok_or(NotAuthentic("another version"))?;
    check_mac(signing_secret, &[b"v0:", timestamp.as_bytes(), b":", &delivery.body], mac, Written::Hex)
}
