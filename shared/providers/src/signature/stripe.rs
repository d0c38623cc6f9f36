//! Stripe's header, which others have copied: a timestamp and any number of MACs in one line.

use domain::Timestamp;

use super::body::{Written, check_mac};
use super::window::{self, FIVE_MINUTES, header};
use crate::provider::{Delivery, NotAuthentic};

/// Verifies a delivery against the endpoint's secret. `name` is the header, in lower case (`stripe-signature`). One right MAC of version 1 will
/// do; version 0 is for tests and counts for nothing.
///
/// # Errors
/// [`NotAuthentic`] with the reason.
pub fn stripe(delivery: &Delivery, name: &str, secret: &[u8], now: Timestamp) -> Result<(), NotAuthentic> {
    let parts = header(delivery, name, "no signature")?.split(',').filter_map(|part| part.trim().split_once('='));
    let all = |wanted: &'static str| parts.clone().filter(move |(key, _)| *key == wanted).map(|(_, value)| value);
    let timestamp = all("t").next().ok_or(NotAuthentic("no timestamp"))?;
    window::check(window::seconds(timestamp)?, now, FIVE_MINUTES)?;
    let is_right =
        |mac: &str| check_mac(secret, &[timestamp.as_bytes(), b".", &delivery.body], mac, Written::Hex).is_ok();
    if all("v1").any(is_right) { Ok(()) } else { Err(NotAuthentic("wrong signature")) }
}
