//! Standard Webhooks: id, timestamp and body are signed, by a shared secret (`whsec_…`) or a key pair (`whpk_…`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;

use super::body::{Written, check_mac};
use super::discord::check_ed25519;
use super::window::{self, FIVE_MINUTES};
use crate::provider::{Delivery, NotAuthentic};

/// Verifies a delivery against its secret, or against the sender's public key. The headers may begin with `webhook-` or, as Svix
/// sends them, with `svix-`. One right signature of the secret's version will do.
///
/// # Errors
/// [`NotAuthentic`] with the reason.
pub fn standard(delivery: &Delivery, secret: &str, now: Timestamp) -> Result<(), NotAuthentic> {
    let (version, key) = match secret.strip_prefix("whpk_") {
        Some(public) => ("v1a", public),
        None => ("v1", secret.strip_prefix("whsec_").unwrap_or(secret)),
    };
    let key = STANDARD.decode(key).map_err(|_| NotAuthentic("the secret is not readable"))?;
    let header = |name: &str, absent| {
        let own = delivery.header(&format!("webhook-{name}"));
        own.or_else(|| delivery.header(&format!("svix-{name}"))).ok_or(NotAuthentic(absent))
    };
    let id = header("id", "no id")?;
    let timestamp = header("timestamp", "no timestamp")?;
    window::check(window::seconds(timestamp)?, now, FIVE_MINUTES)?;
    let parts: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &delivery.body];
    let is_right = |signature: &str| match version {
        "v1a" => STANDARD.decode(signature).is_ok_and(|given| check_ed25519(&key, &parts.concat(), &given).is_ok()),
        _ => check_mac(&key, &parts, signature, Written::Base64).is_ok(),
    };
    let signatures = header("signature", "no signature")?.split(' ').filter_map(|one| one.split_once(','));
    let right = signatures.filter(|(of, _)| *of == version).any(|(_, signature)| is_right(signature));
    if right { Ok(()) } else { Err(NotAuthentic("wrong signature")) }
}
