//! Signs what leaves, after Standard Webhooks (version 1): the message's id, the moment and the body, by a shared secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::Sha256;

use crate::error::BoxError;

/// The fewest bytes of a secret that the standard allows.
const LEAST_BYTES: usize = 24;

/// The JSON of the HTTP sink's secret.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    signing_secret: SecretString,
    /// While receivers change over: signed with both, the new one first.
    #[serde(default)]
    previous_signing_secret: Option<SecretString>,
}

/// A secret that signs nothing. Its text is not told.
#[derive(Debug, thiserror::Error)]
#[error("the sink's secret is not usable: {0}")]
pub(crate) struct BadSecret(pub &'static str);

/// Signs messages. Shows no key.
pub(crate) struct Signer(Vec<Vec<u8>>);

impl Signer {
    /// From the secret's JSON: `{"signingSecret": "whsec_…", "previousSigningSecret"?: "whsec_…"}`.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn from_secret(json: &SecretString) -> Result<Self, BadSecret> {
        let secret: Secret = serde_json::from_str(json.expose_secret())
            .map_err(|_| BadSecret("it is not the JSON {\"signingSecret\": …}"))?;
        let keys = [Some(secret.signing_secret), secret.previous_signing_secret];
        let keys = keys.iter().flatten().map(key).collect::<Result<_, _>>()?;
        Ok(Self(keys))
    }

    /// The headers of a message.
    ///
    /// # Errors
    /// If the id is no header's value; ids are ours.
    pub fn headers(&self, id: &str, now: Timestamp, body: &[u8]) -> Result<HeaderMap, BoxError> {
        let timestamp = now.timestamp().to_string();
        let mut signatures = Vec::with_capacity(self.0.len());
        for key in &self.0 {
            let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                mac.update(part);
            }
            signatures.push(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
        }
        Ok([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HeaderName::from_static("webhook-id"), HeaderValue::from_str(id)?),
            (HeaderName::from_static("webhook-timestamp"), HeaderValue::from_str(&timestamp)?),
            (HeaderName::from_static("webhook-signature"), HeaderValue::from_str(&signatures.join(" "))?),
        ]
        .into_iter()
        .collect())
    }
}

fn key(secret: &SecretString) -> Result<Vec<u8>, BadSecret> {
    let text = secret.expose_secret().trim();
    let text = text.strip_prefix("whsec_").unwrap_or(text);
    let key = STANDARD.decode(text).map_err(|_| BadSecret("the signing secret is not base64"))?;
    if key.len() < LEAST_BYTES {
        return Err(BadSecret("the signing secret has fewer than 24 bytes"));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(json: &str) -> Result<Signer, BadSecret> {
        Signer::from_secret(&SecretString::from(json.to_owned()))
    }

    #[test]
    fn guarantee_34_a_message_is_signed_as_the_standard_s_own_example() {
        // The example of the specification and of its libraries' tests.
        let signer = signer(r#"{"signingSecret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#).unwrap();
        let now = Timestamp::from_timestamp(1_614_265_330, 0).unwrap();
        let headers = signer.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", now, br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(
            (&headers["webhook-id"], &headers["webhook-timestamp"]),
            (&HeaderValue::from_static("msg_p5jXN8AQM9LWM0D4loKWxJek"), &HeaderValue::from_static("1614265330"))
        );
    }

    #[test]
    fn while_a_secret_is_changed_both_sign() {
        let both = signer(
            r#"{"signingSecret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "previousSigningSecret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        );
        let headers = both.unwrap().headers("msg_1", Timestamp::from_timestamp(1, 0).unwrap(), b"{}").unwrap();
        let signatures: Vec<&str> = headers["webhook-signature"].to_str().unwrap().split(' ').collect();
        assert_eq!(signatures.len(), 2);
        assert!(signatures.iter().all(|one| one.starts_with("v1,")) && signatures[0] != signatures[1]);
    }

    #[test]
    fn guarantee_43_a_secret_that_signs_nothing_is_told_without_its_text() {
        for text in ["canary", "{}", r#"{"signingSecret":"canary!"}"#, r#"{"signingSecret":"whsec_Y2FuYXJ5"}"#] {
            let told = signer(text).err().map(|error| format!("{error} {error:?}")).unwrap();
            assert!(!told.contains("canary") && !told.contains("Y2Fu"), "{told}");
        }
    }
}
