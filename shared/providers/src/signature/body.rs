//! HMAC-SHA256 over the body alone. Nothing says when it was signed, so only the delivery's id keeps a repetition out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::provider::{Delivery, NotAuthentic};

/// How a MAC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// In hexadecimal digits.
    Hex,
    /// In base64 with its padding.
    Base64,
}

impl Written {
    fn read(self, text: &str) -> Result<Vec<u8>, NotAuthentic> {
        let read = match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
        };
        read.ok_or(NotAuthentic("the signature is not readable"))
    }
}

/// Fails unless `text` is the MAC of all `parts` in a row under `key`. An empty key signs nothing.
pub(super) fn check_mac(key: &[u8], parts: &[&[u8]], text: &str, written: Written) -> Result<(), NotAuthentic> {
    let given = written.read(text)?;
    let mac = Hmac::<Sha256>::new_from_slice(key).ok().filter(|_| !key.is_empty());
    let mut mac = mac.ok_or(NotAuthentic("there is no secret"))?;
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(&given).map_err(|_| NotAuthentic("wrong signature"))
}

/// A MAC over the body in one header.
#[derive(Debug, Clone, Copy)]
pub struct BodyMac {
    /// The header, in lower case.
    header: &'static str,
    /// What stands before the MAC.
    prefix: &'static str,
    written: Written,
    /// Whether the secret is itself base64.
    secret_in_base64: bool,
}

/// GitHub. The older header with SHA-1 proves nothing.
pub const GITHUB: BodyMac = BodyMac::hex("x-hub-signature-256", "sha256=");
/// Webhooks of Jira and Confluence that an administrator made.
pub const ATLASSIAN: BodyMac = BodyMac::hex("x-hub-signature", "sha256=");
/// Notion; the secret is the verification token.
pub const NOTION: BodyMac = BodyMac::hex("x-notion-signature", "sha256=");
/// Dropbox; the secret is the app's.
pub const DROPBOX: BodyMac = BodyMac::hex("x-dropbox-signature", "");
/// Coda.
pub const CODA: BodyMac = BodyMac::hex("x-webhook-signature", "");
/// Linear, whose scheme adds a timestamp.
pub(super) const LINEAR: BodyMac = BodyMac::hex("linear-signature", "");
/// Outgoing webhooks of Microsoft Teams.
pub const TEAMS: BodyMac =
    BodyMac { header: "authorization", prefix: "HMAC ", written: Written::Base64, secret_in_base64: true };

impl BodyMac {
    const fn hex(header: &'static str, prefix: &'static str) -> Self {
        Self { header, prefix, written: Written::Hex, secret_in_base64: false }
    }

    /// Verifies a delivery.
    ///
    /// # Errors
    /// [`NotAuthentic`] with the reason.
    pub fn verify(&self, delivery: &Delivery, secret: &[u8]) -> Result<(), NotAuthentic> {
        let value = delivery.header(self.header).ok_or(NotAuthentic("no signature"))?;
        let text = value.strip_prefix(self.prefix).ok_or(NotAuthentic("another kind of signature"))?;
        let decoded = if self.secret_in_base64 {
            Some(STANDARD.decode(secret).map_err(|_| NotAuthentic("the secret is not readable"))?)
        } else {
            None
        };
        check_mac(decoded.as_deref().unwrap_or(secret), &[&delivery.body], text, self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_secret_nothing_verifies() {
        // HMAC-SHA256 of nothing under an empty key, RFC 2104.
        let of_nothing = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        assert_eq!(check_mac(b"", &[], of_nothing, Written::Hex), Err(NotAuthentic("there is no secret")));
        assert!(check_mac(b"k", &[], "", Written::Base64).is_err());
    }
}
