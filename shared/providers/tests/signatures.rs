//! Every scheme against the vectors in `data/webhook-signatures.json`: signatures that providers print in their own documents, those of
//! their test suites, and computed ones that a second implementation has checked. Each says what the verdict must be.

#![expect(clippy::panic, clippy::unwrap_used, reason = "what is missing fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use providers::signature::{self, Request};
use providers::{Delivery, NotAuthentic};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Clone, Deserialize)]
struct Vector {
    id: String,
    provider: String,
    algorithm: String,
    secret: String,
    secondary_secret: Option<String>,
    method: String,
    url: Option<String>,
    headers: BTreeMap<String, String>,
    body_base64: Option<String>,
    verdict: String,
    now_unix_seconds: Option<i64>,
}

impl Vector {
    fn delivery(&self) -> Delivery {
        let headers = self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        Delivery { headers, body: STANDARD.decode(self.body_base64.as_deref().unwrap_or_default()).unwrap() }
    }

    /// The verdict of the scheme that the vector's provider signs by, in the vectors' words.
    fn judged(&self) -> &'static str {
        let (delivery, secret) = (self.delivery(), self.secret.as_bytes());
        // Where the vector leaves the clock open, the scheme has no window, and a clock that is far off shows it.
        let now = Timestamp::from_timestamp(self.now_unix_seconds.unwrap_or(4_102_444_800), 0).unwrap();
        let result: Result<(), NotAuthentic> = match self.provider.as_str() {
            "github" => signature::GITHUB.verify(&delivery, secret),
            "atlassian" => signature::ATLASSIAN.verify(&delivery, secret),
            "notion" => signature::NOTION.verify(&delivery, secret),
            "dropbox" => signature::DROPBOX.verify(&delivery, secret),
            "microsoft-teams" => signature::TEAMS.verify(&delivery, secret),
            "slack" => signature::slack(&delivery, secret, now),
            "linear" => signature::linear(&delivery, secret, now),
            "hubspot" => {
                let request = Request { method: &self.method, uri: self.url.as_deref().unwrap() };
                signature::hubspot(&delivery, request, secret, now)
            }
            "stripe-like" => signature::stripe(&delivery, "stripe-signature", secret, now),
            "standard-webhooks" => signature::standard(&delivery, &self.secret, now),
            "gitlab" if self.algorithm.contains("X-Gitlab-Token") => token(&delivery, "x-gitlab-token", secret),
            "gitlab" => signature::standard(&delivery, &self.secret, now),
            "google-drive" => token(&delivery, "x-goog-channel-token", secret),
            "box" => signature::boxed(&delivery, secret, self.secondary_secret.as_deref().map(str::as_bytes), now),
            "discord" => signature::discord(&delivery, &self.secret),
            "microsoft-graph" => {
                let expected: [u8; 32] = Sha256::digest(secret).into();
                match signature::graph(&delivery.body, |_| Some(expected)) {
                    Ok(verdict) if verdict.dropped > 0 => return "reject-item",
                    verdict => verdict.map(drop),
                }
            }
            other => panic!("no scheme is known for {other}"),
        };
        if result.is_ok() { "accept" } else { "reject" }
    }
}

fn token(delivery: &Delivery, header: &str, secret: &[u8]) -> Result<(), NotAuthentic> {
    let given = delivery.header(header).ok_or(NotAuthentic("no token"))?;
    if signature::secret_matches(given, secret) { Ok(()) } else { Err(NotAuthentic("wrong token")) }
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str::<File>(include_str!("data/webhook-signatures.json")).unwrap().vectors
}

#[test]
fn guarantee_34_every_vector_gets_its_verdict() {
    let vectors = vectors();
    let wrong: Vec<_> = vectors.iter().filter(|vector| vector.judged() != vector.verdict).map(|it| &it.id).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(vectors.len(), 99);
    let providers: BTreeSet<_> = vectors.iter().map(|vector| vector.provider.as_str()).collect();
    assert_eq!(providers.len(), 15, "{providers:?}");
}

/// Whatever byte of a signed body is changed, it does not pass any more.
#[test]
fn guarantee_34_no_changed_byte_passes() {
    for vector in vectors().iter().filter(|vector| vector.verdict == "accept" && is_signed(vector)) {
        let mut body = STANDARD.decode(vector.body_base64.as_deref().unwrap_or_default()).unwrap();
        for place in 0..body.len().min(200) {
            body[place] ^= 1;
            let changed = Vector { body_base64: Some(STANDARD.encode(&body)), ..vector.clone() };
            assert_eq!(changed.judged(), "reject", "{} with byte {place} of its body changed", vector.id);
            body[place] ^= 1;
        }
    }
}

/// Tokens cover no body, and of Graph's notifications each is its own.
fn is_signed(vector: &Vector) -> bool {
    !matches!(vector.provider.as_str(), "google-drive" | "microsoft-graph") && vector.id != "gitlab-token"
}
