//! Receives the providers' announcements: verify, store, acknowledge. It opens no token and decides nothing about syncs.

pub mod answer;
mod carry;
pub mod config;
mod forward;
pub mod receive;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::routing::post;
use http::{HeaderMap, Uri};
use providers::Delivery;
use providers::provider::SUBSCRIPTION_HEADER;

pub use answer::Answer;
pub use config::Config;
pub use receive::Receiver;

/// The longest that an answer takes. Less than the function's time, so that a provider hears "again" from us and not an error of the
/// gateway's, whatever hangs behind us.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);

/// The two routes, and answers in our form for everything else.
pub fn router(receiver: Receiver) -> Router {
    Router::new()
        .route("/api/webhooks/integrations/{provider}", post(to_provider))
        .route("/api/webhooks/integrations/{provider}/{integration}", post(to_integration))
        .method_not_allowed_fallback(async || Answer::WrongMethod)
        .fallback(async || Answer::NotFound)
        // The gateway limits bodies already, and the receiver answers what is too large in its own words.
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(receiver))
}

async fn to_provider(
    State(receiver): State<Arc<Receiver>>,
    Path(provider): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    receive(&receiver, &provider, None, delivery(&uri, &headers, body)).await
}

async fn to_integration(
    State(receiver): State<Arc<Receiver>>,
    Path((provider, integration)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    receive(&receiver, &provider, Some(&integration), delivery(&uri, &headers, body)).await
}

/// Receives, and writes the one log line of a delivery.
async fn receive(receiver: &Receiver, provider: &str, integration: Option<&str>, delivery: Delivery) -> Answer {
    let began = Instant::now();
    let body_bytes = delivery.body.len();
    let work = receiver.receive(provider, integration, delivery);
    let answer = tokio::time::timeout(ANSWERED_WITHIN, work).await.unwrap_or(Answer::Unavailable);
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(status = answer.status().as_u16(), ?answer, body_bytes, duration_ms, "delivery answered");
    answer
}

/// The delivery as it arrived. Of a header that stands twice the first text counts; one that is no text counts as absent, and what
/// is absent does not verify. Where the address names a subscription, the delivery says so in [`SUBSCRIPTION_HEADER`], which
/// nobody can send from outside.
fn delivery(uri: &Uri, headers: &HeaderMap, body: Bytes) -> Delivery {
    let mut texts = BTreeMap::new();
    for (name, value) in headers {
        if let Ok(text) = value.to_str() {
            texts.entry(name.as_str().to_owned()).or_insert_with(|| text.to_owned());
        }
    }
    texts.remove(SUBSCRIPTION_HEADER);
    let mut pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    if let Some((_, id)) = pairs.find(|(name, _)| *name == "subscription") {
        texts.insert(SUBSCRIPTION_HEADER.to_owned(), id.to_owned());
    }
    Delivery { headers: texts, body: body.into() }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_bytes_stay_as_they_came() {
        let mut headers = HeaderMap::new();
        headers.append("X-Goog-Channel-ID", HeaderValue::from_static("first"));
        headers.append("X-Goog-Channel-ID", HeaderValue::from_static("second"));
        headers.append("X-Odd", HeaderValue::from_bytes(&[0xff]).unwrap());
        let delivery = delivery(&Uri::from_static("/"), &headers, Bytes::from_static(b" {\"a\" : 1}\n\xff"));
        assert_eq!(delivery.header("x-goog-channel-id"), Some("first"));
        assert_eq!(delivery.header("x-odd"), None);
        assert_eq!(delivery.body, b" {\"a\" : 1}\n\xff");
    }

    #[test]
    fn only_the_address_names_a_subscription() {
        let mut headers = HeaderMap::new();
        headers.append(SUBSCRIPTION_HEADER, HeaderValue::from_static("forged"));
        let named = |path| {
            let delivery = delivery(&Uri::from_static(path), &headers, Bytes::new());
            delivery.header(SUBSCRIPTION_HEADER).map(str::to_owned)
        };
        assert_eq!(named("/api/webhooks/integrations/github"), None);
        assert_eq!(named("/api/webhooks/integrations/github?a=b&subscription=01JD-01JE").as_deref(), Some("01JD-01JE"));
    }
}
