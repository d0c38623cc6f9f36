//! Discord: Ed25519 over timestamp and body. Discord probes an address with wrong signatures and drops it unless it refuses them.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use super::window::header;
use crate::provider::{Delivery, NotAuthentic};

/// Fails unless `signature` is that of `message` under this public key, 32 bytes long.
pub(super) fn check_ed25519(public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), NotAuthentic> {
    let key = UnparsedPublicKey::new(&ED25519, public_key);
    key.verify(message, signature).map_err(|_| NotAuthentic("wrong signature"))
}

/// Verifies a delivery of Discord against the application's public key, in hexadecimal. Discord states no window for the timestamp, so
/// the delivery's id keeps a repetition out.
///
/// # Errors
/// [`NotAuthentic`] with the reason.
pub fn discord(delivery: &Delivery, public_key: &str) -> Result<(), NotAuthentic> {
    let signature = header(delivery, "x-signature-ed25519", "no signature")?;
    let signature = hex::decode(signature).map_err(|_| NotAuthentic("the signature is not readable"))?;
    let key = hex::decode(public_key).map_err(|_| NotAuthentic("the key is not readable"))?;
    let timestamp = header(delivery, "x-signature-timestamp", "no timestamp")?;
    check_ed25519(&key, &[timestamp.as_bytes(), delivery.body.as_slice()].concat(), &signature)
}
