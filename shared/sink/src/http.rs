//! A sink behind an address of the operator's: one signed request for each resource.

use async_trait::async_trait;
use domain::message::IntegrationRef;
use domain::resource::DeleteReason;
use domain::{Author, ExternalId, Owner, ProviderId, ResourceKind, Timestamp};
use http::Method;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::client::{Call, Client, SinkUrl};
use crate::error::{BoxError, Error};
use crate::secret::{self, Secret};
use crate::standard::Signer;
use crate::together::until_busy;
use crate::{Deletion, Delivered, DeliveryOutcome, Sink, Upsert};

/// Requests under way at once for one batch.
const AT_ONCE: usize = 10;
/// The longest name that a receiver may give to what it stored.
const NAME_BYTES: usize = 256;

/// Delivers to one address: `POST` for a resource, `DELETE` for one that is gone, both signed after Standard Webhooks.
#[derive(Clone)]
pub struct HttpSink {
    client: Client,
    url: SinkUrl,
    secret: Secret,
    embeds: bool,
}

impl HttpSink {
    /// A sink at `url`, signing with the `secret`. `embeds`: the receiver reads texts once and keeps none of those it is told not to
    /// keep, so it is given texts of which only a reference is to be stored, too.
    #[must_use]
    pub const fn new(client: Client, url: SinkUrl, secret: Secret, embeds: bool) -> Self {
        Self { client, url, secret, embeds }
    }

    async fn send(&self, method: Method, id: &str, body: Result<Vec<u8>, serde_json::Error>) -> Result<Vec<u8>, Error> {
        let body = body.map_err(|error| Error::Refused(format!("it has no form in JSON ({error})")))?;
        let secret = secret::read(&self.secret).await?;
        let signed = Signer::from_secret(&secret).map_err(BoxError::from);
        let headers = signed.and_then(|signer| signer.headers(id, self.client.now(), &body));
        let headers = headers.map_err(|error| Error::unavailable("sign a delivery", error))?;
        let answer = self.client.send(Call { method, url: self.url.whole(), headers, body: Some(body) }).await?;
        self.client.judge(answer).map(|answer| answer.body)
    }

    async fn post(&self, upsert: &Upsert) -> Result<Delivered, Error> {
        let body = serde_json::to_vec(&Posted::of(upsert, self.embeds));
        let answer = self.send(Method::POST, &message_id(upsert), body).await?;
        Ok(understood(&answer))
    }

    async fn gone(&self, deletion: &Deletion) -> Result<(), Error> {
        let id = format!("msg_{}", ulid::Ulid::from_datetime(self.client.now().into()));
        self.send(Method::DELETE, &id, serde_json::to_vec(&Gone::of(deletion))).await.map(|_| ())
    }
}

/// The same for every attempt to deliver one observation of a resource, and another for another: what was deleted and came back in the
/// same state must not look like a repetition.
fn message_id(upsert: &Upsert) -> String {
    let mut hash = Sha256::new();
    hash.update(&upsert.idempotency_key);
    hash.update(upsert.observed_at.timestamp_micros().to_be_bytes());
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(32);
    format!("msg_{digits}")
}

/// What a receiver is told of a resource. Receivers read these names; fields are only ever added.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    idempotency_key: &'a str,
    owner: &'a Owner,
    integration: String,
    provider: ProviderId,
    external_id: &'a ExternalId,
    part: u32,
    #[serde(rename = "type")]
    kind: ResourceKind,
    title: &'a str,
    /// Absent where only a reference is to be stored and the receiver does not embed.
    text: Option<&'a str>,
    /// Whether the text may be kept.
    keep_text: bool,
    url: Option<&'a str>,
    mime_type: Option<&'a str>,
    author: Option<&'a Author>,
    created_at: Timestamp,
    updated_at: Timestamp,
    observed_at: Timestamp,
    content_hash: &'a str,
    metadata: &'a serde_json::Map<String, serde_json::Value>,
}

impl<'a> Posted<'a> {
    fn of(upsert: &'a Upsert, embeds: bool) -> Self {
        let IntegrationRef { owner, provider, integration_id } = &upsert.integration;
        let content = &upsert.content;
        Self {
            idempotency_key: &upsert.idempotency_key,
            owner,
            integration: integration_id.to_string(),
            provider: *provider,
            external_id: &content.external_id,
            part: upsert.part,
            kind: content.kind,
            title: &content.title,
            text: Some(content.content.as_str()).filter(|_| upsert.keep_body || embeds),
            keep_text: upsert.keep_body,
            url: content.url.as_deref(),
            mime_type: content.mime_type.as_deref(),
            author: content.author.as_ref(),
            created_at: content.created_at,
            updated_at: content.updated_at,
            observed_at: upsert.observed_at,
            content_hash: &content.content_hash,
            metadata: &content.metadata,
        }
    }
}

/// What a receiver is told of a resource that is gone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gone<'a> {
    owner: &'a Owner,
    integration: String,
    provider: ProviderId,
    external_id: &'a ExternalId,
    reason: DeleteReason,
}

impl<'a> Gone<'a> {
    fn of(deletion: &'a Deletion) -> Self {
        let IntegrationRef { owner, provider, integration_id } = &deletion.integration;
        Self {
            owner,
            integration: integration_id.to_string(),
            provider: *provider,
            external_id: &deletion.external_id,
            reason: deletion.reason,
        }
    }
}

/// What a receiver may say of a resource that it has taken.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    #[serde(default)]
    memory_id: Option<String>,
    #[serde(default)]
    outcome: Option<String>,
}

/// Receivers need not answer anything: what is not understood is nothing.
fn understood(answer: &[u8]) -> Delivered {
    let Ok(said) = serde_json::from_slice::<Said>(answer) else { return Delivered::default() };
    let outcome = match said.outcome.as_deref() {
        Some("created") => DeliveryOutcome::Created,
        Some("unchanged") => DeliveryOutcome::Unchanged,
        _ => DeliveryOutcome::Updated,
    };
    Delivered { memory_id: said.memory_id.filter(|name| !name.is_empty() && name.len() <= NAME_BYTES), outcome }
}

#[async_trait]
impl Sink for HttpSink {
    async fn upsert(&self, batch: Vec<Upsert>) -> Result<Vec<Result<Delivered, Error>>, Error> {
        let mut calls = Vec::with_capacity(batch.len());
        for upsert in &batch {
            calls.push(self.post(upsert));
        }
        Ok(until_busy(calls, AT_ONCE).await)
    }

    async fn delete(&self, batch: Vec<Deletion>) -> Result<Vec<Result<(), Error>>, Error> {
        let mut calls = Vec::with_capacity(batch.len());
        for deletion in &batch {
            calls.push(self.gone(deletion));
        }
        // What a receiver does not have is as good as deleted; it says so with a success or with these.
        Ok(until_busy(calls, AT_ONCE).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, deletion, upsert};

    #[test]
    fn a_receiver_is_told_everything_under_the_contract_s_names() {
        let told = serde_json::to_value(Posted::of(&upsert("f1", "the text"), false)).unwrap();
        assert_eq!(told["owner"], serde_json::json!({"kind": "user", "id": "ada"}));
        assert_eq!((&told["externalId"], &told["part"], &told["text"]), (&"f1".into(), &0.into(), &"the text".into()));
        for name in [
            "idempotencyKey",
            "integration",
            "provider",
            "title",
            "url",
            "mimeType",
            "author",
            "createdAt",
            "updatedAt",
            "contentHash",
        ] {
            assert!(told.get(name).is_some(), "{name}");
        }
        let gone = serde_json::to_value(Gone::of(&deletion("f1"))).unwrap();
        assert_eq!((&gone["externalId"], &gone["reason"]), (&"f1".into(), &"removed".into()));
    }

    #[test]
    fn a_text_of_which_only_a_reference_is_stored_is_given_to_whoever_embeds_and_nobody_else() {
        let reference = Upsert { keep_body: false, ..upsert("f1", "canary") };
        let told = |embeds| serde_json::to_value(Posted::of(&reference, embeds)).unwrap();
        assert_eq!((&told(false)["text"], &told(false)["keepText"]), (&serde_json::Value::Null, &false.into()));
        assert_eq!((&told(true)["text"], &told(true)["keepText"]), (&"canary".into(), &false.into()));
    }

    #[test]
    fn an_id_is_that_of_one_observation() {
        let first = upsert("f1", "text");
        assert_eq!(message_id(&first), message_id(&first.clone()));
        assert_ne!(message_id(&first), message_id(&Upsert { observed_at: at(99), ..first.clone() }));
        assert_ne!(message_id(&first), message_id(&Upsert { idempotency_key: "other".to_owned(), ..first.clone() }));
        assert_eq!(message_id(&first).len(), 36);
    }

    #[test]
    fn an_answer_is_read_as_far_as_it_makes_sense() {
        let check = |answer: &str, name: Option<&str>, outcome| {
            assert_eq!(
                understood(answer.as_bytes()),
                Delivered { memory_id: name.map(str::to_owned), outcome },
                "{answer}"
            );
        };
        check(r#"{"memoryId":"m1","outcome":"created","later":1}"#, Some("m1"), DeliveryOutcome::Created);
        check(r#"{"outcome":"unchanged"}"#, None, DeliveryOutcome::Unchanged);
        check(r#"{"memoryId":""}"#, None, DeliveryOutcome::Updated);
        check(&format!(r#"{{"memoryId":"{}"}}"#, "x".repeat(300)), None, DeliveryOutcome::Updated);
        for nothing in ["", "ok", "[]", r#"{"memoryId":7}"#] {
            check(nothing, None, DeliveryOutcome::Updated);
        }
    }
}
