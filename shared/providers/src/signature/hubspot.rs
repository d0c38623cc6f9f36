//! `HubSpot`, three versions. A delivery that carries the third is judged by that alone: the first has no timestamp and covers
//! no address, so it must not rescue a wrong third.

use domain::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::body::{Written, check_mac};
use super::window::{self, FIVE_MINUTES, header};
use crate::provider::{Delivery, NotAuthentic};

/// The request's line as the provider sees it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `POST`.
    pub method: &'a str,
    /// The whole public address, with its query: `https` and our name, whatever the gateway made of it.
    pub uri: &'a str,
}

/// What is decoded in the address before it is signed, and nothing else.
const DECODED: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

/// Verifies a delivery of `HubSpot` against the app's client secret.
///
/// # Errors
/// [`NotAuthentic`] with the reason.
pub fn hubspot(
    delivery: &Delivery,
    request: Request<'_>,
    client_secret: &[u8],
    now: Timestamp,
) -> Result<(), NotAuthentic> {
    if let Some(signature) = delivery.header("x-hubspot-signature-v3") {
        let timestamp = header(delivery, "x-hubspot-request-timestamp", "no timestamp")?;
        window::check(window::milliseconds(timestamp)?, now, FIVE_MINUTES)?;
        let uri = decoded(request.uri);
        let parts = [request.method.as_bytes(), uri.as_bytes(), &delivery.body, timestamp.as_bytes()];
        return check_mac(client_secret, &parts, signature, Written::Base64);
    }
    let signature = header(delivery, "x-hubspot-signature", "no signature")?;
    let mut hash = Sha256::new_with_prefix(client_secret);
    match header(delivery, "x-hubspot-signature-version", "no version")? {
        "v1" => {}
        "v2" => {
            hash.update(request.method);
            hash.update(request.uri);
        }
        _ => return Err(NotAuthentic("another version")),
    }
    hash.update(&delivery.body);
    let given = hex::decode(signature).map_err(|_| NotAuthentic("the signature is not readable"))?;
    let is_right = !client_secret.is_empty() && bool::from(hash.finalize().as_slice().ct_eq(&given));
    if is_right { Ok(()) } else { Err(NotAuthentic("wrong signature")) }
}

fn decoded(uri: &str) -> String {
    // Capital and small digits mean the same.
    DECODED.iter().fold(uri.to_owned(), |uri, (encoded, plain)| {
        uri.replace(encoded, plain).replace(&encoded.to_ascii_lowercase(), plain)
    })
}
