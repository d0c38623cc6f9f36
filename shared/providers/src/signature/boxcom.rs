//! Box: two keys, of which one may be being changed, over the body and then the timestamp.

use chrono::{DateTime, TimeDelta};
use domain::Timestamp;

use super::body::{Written, check_mac};
use super::window::{self, header};
use crate::provider::{Delivery, NotAuthentic};

/// How old a delivery may be.
const WINDOW: TimeDelta = TimeDelta::minutes(10);

/// Verifies a delivery of Box. Each header is tried with its own key: `primary` and, where there is one, `secondary`.
///
/// # Errors
/// [`NotAuthentic`] with the reason.
pub fn boxed(
    delivery: &Delivery,
    primary: &[u8],
    secondary: Option<&[u8]>,
    now: Timestamp,
) -> Result<(), NotAuthentic> {
    if delivery.header("box-signature-version") != Some("1") {
        return Err(NotAuthentic("another version"));
    }
    if delivery.header("box-signature-algorithm") != Some("HmacSHA256") {
        return Err(NotAuthentic("another algorithm"));
    }
    let timestamp = header(delivery, "box-delivery-timestamp", "no timestamp")?;
    let then = DateTime::parse_from_rfc3339(timestamp).map_err(|_| NotAuthentic("no timestamp"))?;
    window::check(then.to_utc(), now, WINDOW)?;
    let check = |name: &str, key: &[u8]| {
        let signature = header(delivery, name, "no signature")?;
        check_mac(key, &[&delivery.body, timestamp.as_bytes()], signature, Written::Base64)
    };
    check("box-signature-primary", primary).or_else(|reason| match secondary {
        Some(secondary) => check("box-signature-secondary", secondary),
        None => Err(reason),
    })
}
