//! `Idempotency-Key`: a request that is sent twice under one key is done once, and answered twice with the same words. One layer
//! around the routes that [`kept_for`] names; their handlers know nothing of it.
//!
//! A key belongs to a caller, a method and an address. The same key with another body is refused (422), and so is one whose first
//! request is still under way (409). Only what was done is kept: a refusal is forgotten, so that the same key can try again.

mod sealed;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{FromRequestParts as _, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::UserId;
use http::header::{CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use store::{Idempotency, IdempotencyClaim};
use web::{ApiError, Session};

use self::sealed::Seal;
use crate::state::Api;

/// The request's header.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key; a UUID has 36 characters.
pub const MAX_KEY_CHARS: usize = 255;
/// For how long an answer is kept.
const A_DAY: Duration = Duration::from_secs(24 * 3600);
/// For how long the address that begins a connection is kept: the state in it is good for no longer.
const A_FLOW: Duration = Duration::from_secs(600);
/// The largest answer that is kept; a row holds 400 KB. Ours are a few KB.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;
/// When to ask again while the first request is under way.
const UNDER_WAY_FOR: Duration = Duration::from_secs(1);
/// The headers that belong to an answer; the others are made anew for each.
const KEPT_HEADERS: [HeaderName; 4] = [CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE];

/// For how long answers of this route are kept under their key; `None` for routes that take no key.
pub fn kept_for(method: &Method, route: &str) -> Option<Duration> {
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    if route.starts_with("/api/admin/") {
        return Some(A_DAY);
    }
    match route.rsplit_once("/{provider}/") {
        Some((_, "connect")) if method == Method::POST => Some(A_FLOW),
        Some((_, "sync" | "credentials")) if method == Method::POST => Some(A_DAY),
        _ => None,
    }
}

/// Does a request that carries a key once.
pub async fn once(State(api): State<Api>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let Some(keep) = kept_for(request.method(), route).filter(|_| request.headers().contains_key(KEY)) else {
        return next.run(request).await;
    };
    let (mut parts, body) = request.into_parts();
    // Who is nobody gets the handler's refusal, and leaves nothing behind.
    let Ok(Session(caller)) = Session::from_request_parts(&mut parts, &api).await;
    let Some(caller) = caller else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let bytes = match web::extract::body(Request::from_parts(parts.clone(), body), &()).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let seal = match key(&parts.headers) {
        Ok(key) => seal_of(&caller, &parts.method, parts.uri.path(), key),
        Err(error) => return error.into_response(),
    };
    let begun = api.store.begin_idempotent(&seal.name(), &seal.fingerprint(&bytes), api.clock.now()).await;
    let claim = match begun {
        Ok(Idempotency::New(claim)) => claim,
        Ok(Idempotency::Answered(answer)) => return replay(&seal, &answer).unwrap_or_else(|e| e.into_response()),
        Ok(Idempotency::UnderWay) => return under_way().into_response(),
        Ok(Idempotency::OtherBody) => return other_body().into_response(),
        Err(error) => return ApiError::from(error).into_response(),
    };
    let answer = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    finish(&api, &seal, &claim, answer, keep).await
}

/// The key, if it is one.
fn key(headers: &HeaderMap) -> Result<&str, ApiError> {
    let bad = || {
        let words = format!("Idempotency-Key: from 1 to {MAX_KEY_CHARS} visible characters");
        ApiError::new(StatusCode::BAD_REQUEST, "bad_idempotency_key", words)
    };
    let text = headers.get(KEY).and_then(|value| value.to_str().ok()).ok_or_else(bad)?;
    let decent = (1..=MAX_KEY_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    decent.then_some(text).ok_or_else(bad)
}

fn seal_of(caller: &UserId, method: &Method, path: &str, key: &str) -> Seal {
    Seal::of(&[caller.as_str(), method.as_str(), path, key])
}

fn under_way() -> ApiError {
    ApiError::conflict("request_in_progress", "the same request is under way; ask again for its answer")
        .retry_after(UNDER_WAY_FOR)
}

fn other_body() -> ApiError {
    let words = "this Idempotency-Key was used for another body; use a new one";
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", words)
}

/// An answer as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Keeps the answer of what was done and forgets a refusal. The request is over either way, so a table that fails now is logged
/// and no more: the claim frees itself within a minute.
async fn finish(api: &Api, seal: &Seal, claim: &IdempotencyClaim, answer: Response, keep: Duration) -> Response {
    let done = (answer.status().is_success() || answer.status().is_redirection())
        && answer.extensions().get::<Arc<ApiError>>().is_none()
        && answer.body().size_hint().exact().is_some_and(|bytes| bytes <= MAX_ANSWER_BYTES);
    let (answer, written) = if done {
        let (parts, body) = answer.into_parts();
        let Ok(bytes) = to_bytes(body, usize::MAX).await else {
            return ApiError::internal("an answer of ours cannot be read").into_response();
        };
        let kept = sealed_answer(seal, parts.status, &parts.headers, &bytes);
        let written = match kept {
            Some(kept) => api.store.answer_idempotent(claim, kept, api.clock.now() + keep).await,
            None => api.store.forget_idempotent(claim).await,
        };
        (Response::from_parts(parts, Body::from(bytes)), written)
    } else {
        (answer, api.store.forget_idempotent(claim).await)
    };
    if let Err(error) = written {
        tracing::warn!(error = lambda::telemetry::chain(&error), "the answer of a request under a key was not kept");
    }
    answer
}

fn sealed_answer(seal: &Seal, status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Option<Vec<u8>> {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
    let kept = headers.iter().filter(|(name, _)| KEPT_HEADERS.contains(name));
    let kept = Kept {
        status: status.as_u16(),
        headers: kept.map(pair).collect::<Option<_>>()?,
        body: std::str::from_utf8(body).ok()?.to_owned(),
    };
    seal.close(&serde_json::to_vec(&kept).ok()?)
}

/// The answer again, marked as such.
fn replay(seal: &Seal, sealed: &[u8]) -> Result<Response, ApiError> {
    let unreadable = || ApiError::internal("an answer that was kept cannot be read");
    let opened = seal.open(sealed).ok_or_else(unreadable)?;
    let kept: Kept = serde_json::from_slice(&opened).map_err(|_| unreadable())?;
    let mut answer = Response::new(Body::from(kept.body));
    *answer.status_mut() = StatusCode::from_u16(kept.status).map_err(|_| unreadable())?;
    for (name, value) in kept.headers {
        let name: HeaderName = name.parse().map_err(|_| unreadable())?;
        answer.headers_mut().append(name, HeaderValue::from_str(&value).map_err(|_| unreadable())?);
    }
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_routes_take_a_key() {
        let check = |method: Method, route: &str, expected: Option<Duration>| {
            assert_eq!(kept_for(&method, route), expected, "{method} {route}");
        };
        let (personal, of_organizations) = ("/api/integrations", "/api/organizations/{slug}/integrations");
        for base in [personal, of_organizations] {
            check(Method::POST, &format!("{base}/{{provider}}/connect"), Some(A_FLOW));
            check(Method::POST, &format!("{base}/{{provider}}/sync"), Some(A_DAY));
            check(Method::POST, &format!("{base}/{{provider}}/pause"), None);
            check(Method::GET, &format!("{base}/{{provider}}/callback"), None);
            check(Method::PUT, &format!("{base}/{{provider}}/config"), None);
        }
        check(Method::POST, "/api/admin/integrations/dead-letters/redrive", Some(A_DAY));
        check(Method::PUT, "/api/admin/users/{userId}", Some(A_DAY));
        check(Method::DELETE, "/api/admin/organizations/{slug}/members/{userId}", Some(A_DAY));
        check(Method::GET, "/api/admin/audit", None);
    }

    #[test]
    fn keys_are_visible_and_not_endless() {
        let check = |value: &[u8], good: bool| {
            let headers = HeaderMap::from_iter([(KEY, HeaderValue::from_bytes(value).unwrap())]);
            let got = key(&headers).map_err(|e| (e.status.as_u16(), e.code));
            assert_eq!(got.is_ok(), good, "{value:?}");
            assert!(got.is_ok() || got == Err((400, "bad_idempotency_key")));
        };
        check(b"k", true);
        check(b"\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", true);
        check(&[b'k'; MAX_KEY_CHARS], true);
        check(&[b'k'; MAX_KEY_CHARS + 1], false);
        check(b"", false);
        check(b"two words", false);
        check(b"\xff", false);
    }

    #[tokio::test]
    async fn an_answer_comes_back_whole_and_only_with_its_key() {
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (SET_COOKIE, HeaderValue::from_static("a=1; Path=/")),
            (http::header::DATE, HeaderValue::from_static("today")),
        ]);
        let ada = UserId::new("ada").unwrap();
        let seal = seal_of(&ada, &Method::POST, "/p", "k");
        let kept = sealed_answer(&seal, StatusCode::ACCEPTED, &headers, &Bytes::from_static(b"{}")).unwrap();
        assert!(!String::from_utf8_lossy(&kept).contains("a=1"), "the table cannot be read");
        let answer = replay(&seal, &kept).unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        assert_eq!(answer.headers()[REPLAYED], "true");
        assert_eq!(answer.headers()[SET_COOKIE], "a=1; Path=/");
        assert!(!answer.headers().contains_key(http::header::DATE));
        assert_eq!(to_bytes(answer.into_body(), 10).await.unwrap(), "{}");
        assert!(replay(&seal_of(&ada, &Method::POST, "/p", "other"), &kept).is_err());
    }
}
