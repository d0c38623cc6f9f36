//! What every request to an emulated provider passes: the request log, the rate limiter and the faults.

use std::{convert::Infallible, time::Duration, time::Instant};

use axum::{
    body::{Body, to_bytes},
    extract::{OriginalUri, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;

use crate::{
    clock,
    faults::{Kind, Rule, Subject},
    fields,
    listings::{self, Listing},
    requests::Logged,
    state::Shared,
};

/// No emulated endpoint takes more than this in a request body.
const MAX_BODY: usize = 1 << 20;

/// A request as far as logging and limiting need it.
pub struct Seen<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// What differs between providers.
#[derive(Clone, Copy)]
pub struct Dialect {
    /// Name of the operation, `files.list`.
    pub operation: fn(&Seen<'_>) -> String,
    /// Whose request it is, if that can be told.
    pub account: fn(&Shared, &Seen<'_>) -> Option<String>,
    /// Price of the operation for the limiter; absent: not limited.
    pub cost: fn(&Seen<'_>, operation: &str) -> Option<u32>,
    /// "Too fast" in the provider's words.
    pub rate_limited: fn() -> Response,
    /// Any error in the provider's words: status and reason.
    pub error: fn(StatusCode, Option<&str>) -> Response,
    /// How the pages of an operation look; absent: it does not list.
    pub listing: fn(operation: &str) -> Option<Listing>,
}

/// The middleware.
pub async fn pass(sandbox: Shared, dialect: Dialect, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (mut parts, body) = request.into_parts();
    let uri = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |original| original.0.clone());
    let Ok(mut body) = to_bytes(body, MAX_BODY).await else {
        return (dialect.error)(StatusCode::PAYLOAD_TOO_LARGE, None);
    };
    let seen = Seen {
        method: &parts.method,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body: &body,
    };
    let operation = (dialect.operation)(&seen);
    let account = (dialect.account)(&sandbox, &seen);
    let cost = (dialect.cost)(&seen, &operation);
    let subject =
        Subject { method: seen.method.as_str(), path: seen.path, account: account.as_deref(), operation: &operation };
    let (seq, within_limit, fault) = sandbox.traffic(|traffic| {
        let seq = traffic.requests.begin(Logged {
            seq: 0,
            time: clock::now(),
            method: seen.method.to_string(),
            path: seen.path.to_owned(),
            query: without_secrets(seen.query),
            operation: operation.clone(),
            account: account.clone(),
            status: None,
            interference: None,
            duration_ms: None,
        });
        let within = match (&account, cost) {
            (Some(account), Some(units)) => traffic.limits.allows(account, units, started),
            _ => true,
        };
        let fault = if within { traffic.faults.hit(subject, rand::random::<f64>) } else { None };
        (seq, within, fault)
    });
    let interference = if within_limit { fault.as_ref().map(|rule| name(rule.kind)) } else { Some("limit".to_owned()) };
    let cut = fault.as_ref().is_some_and(|rule| matches!(rule.kind, Kind::Reset | Kind::Silent));
    let listing = (dialect.listing)(&operation);
    let cursor = listing.and_then(|listing| cursor(&seen, listing.token)).unwrap_or_default();
    if let (Some(listing), Some((_, original))) = (listing, listings::after_empty(&cursor)) {
        match with_field(&body, listing.token, original) {
            Some(other) => body = other,
            None => parts.uri = with_parameter(&parts.uri, listing.token, original),
        }
    }
    let run = next.run(Request::from_parts(parts, Body::from(body)));
    let mut response = match fault {
        _ if !within_limit => (dialect.rate_limited)(),
        None => run.await,
        Some(rule) => spoil(dialect, rule, listing.map(|listing| (listing, cursor.as_str())), run).await,
    };
    // The provider's clock, not the machine's.
    if let Ok(date) = HeaderValue::from_str(&clock::http_date(clock::now())) {
        response.headers_mut().insert(header::DATE, date);
    }
    let status = (!cut).then(|| response.status().as_u16());
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    sandbox.traffic(|traffic| traffic.requests.end(seq, status, interference, duration_ms));
    response
}

/// Applies a fault; `run` is the true answer, still to be computed, `page` how the operation lists and which page is asked for.
async fn spoil(
    dialect: Dialect,
    rule: Rule,
    page: Option<(Listing, &str)>,
    run: impl Future<Output = Response>,
) -> Response {
    let delay = Duration::from_millis(rule.delay_ms.unwrap_or(0));
    // What is invented needs no true answer; what spoils one has it first.
    let invented = page.and_then(|(listing, cursor)| listing.invented(rule.kind, cursor));
    let truth = match rule.kind {
        _ if invented.is_some() => None,
        Kind::Delay if !rule.after_effect => {
            tokio::time::sleep(delay).await;
            Some(run.await)
        }
        Kind::Delay | Kind::Trickle | Kind::Truncate | Kind::ExtraFields | Kind::LeanFields => Some(run.await),
        kind if is_about_pages(kind) => Some(run.await),
        _ if rule.after_effect => {
            run.await;
            None
        }
        _ => None,
    };
    let waits_itself = matches!(rule.kind, Kind::Endless | Kind::Trickle | Kind::Silent);
    let has_waited = rule.kind == Kind::Delay && !rule.after_effect;
    if !delay.is_zero() && !waits_itself && !has_waited {
        tokio::time::sleep(delay).await;
    }
    let mut response = match (rule.kind, truth) {
        (Kind::Delay, Some(truth)) => truth,
        (Kind::Trickle, Some(truth)) => trickled(truth, delay).await,
        (Kind::Truncate, Some(truth)) => truncated(truth).await,
        (Kind::ExtraFields, Some(truth)) => reworded(truth, fields::extra).await,
        (Kind::LeanFields, Some(truth)) => reworded(truth, fields::lean).await,
        (kind, Some(truth)) => match page {
            Some((listing, _)) => spoiled_page(listing, kind, rule.share.unwrap_or(0.3), truth).await,
            None => truth,
        },
        (Kind::Status, None) => {
            let status = rule.status.and_then(|status| StatusCode::from_u16(status).ok());
            let status = status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            match rule.body {
                Some(body) => (status, body).into_response(),
                None => (dialect.error)(status, rule.reason.as_deref()),
            }
        }
        (Kind::RateLimit, None) => match rule.status.and_then(|status| StatusCode::from_u16(status).ok()) {
            Some(status) => (dialect.error)(status, Some(rule.reason.as_deref().unwrap_or("rateLimitExceeded"))),
            None => (dialect.rate_limited)(),
        },
        (Kind::Garbage, None) => {
            let body = rule.body.unwrap_or_else(|| "{\"files\": [nonsense, \u{fffd}".to_owned());
            ([(header::CONTENT_TYPE, "application/json; charset=UTF-8")], body).into_response()
        }
        (Kind::Html, None) => {
            let body = rule.body.unwrap_or_else(|| "<!doctype html><title>Error</title><h1>Sorry</h1>".to_owned());
            ([(header::CONTENT_TYPE, "text/html; charset=UTF-8")], body).into_response()
        }
        (Kind::Endless, None) => endless(delay),
        (Kind::Silent, None) => {
            tokio::time::sleep(if delay.is_zero() { Duration::from_secs(3600) } else { delay }).await;
            Response::new(broken_body(None))
        }
        (Kind::Reset, None) => Response::new(broken_body(None)),
        (_, None) => axum::Json(invented).into_response(),
    };
    let header = match rule.retry_after {
        Some(serde_json::Value::String(text)) => Some(text),
        Some(value) => Some(value.to_string()),
        None => None,
    };
    if let Some(value) = header.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// A body that fails after `start`. With nothing before it, the connection closes before even the head is sent.
fn broken_body(start: Option<Bytes>) -> Body {
    let after_start = start.is_some();
    Body::from_stream(stream::unfold(Some(start), move |rest| async move {
        match rest? {
            Some(piece) => Some((Ok(piece), Some(None))),
            None => {
                // Time for what is written so far to leave; it would be thrown away with the connection.
                if after_start {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Some((Err(std::io::Error::other("cut on purpose")), None))
            }
        }
    }))
}

/// The first half of an answer under its full length.
async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    Response::from_parts(parts, broken_body(Some(whole.slice(..whole.len() / 2))))
}

/// An answer, byte by byte, under its full length.
async fn trickled(response: Response, pause: Duration) -> Response {
    let pause = if pause.is_zero() { Duration::from_millis(20) } else { pause };
    let (mut parts, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let body = Body::from_stream(stream::unfold(whole, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(1);
        Some((Ok::<_, Infallible>(piece), rest))
    }));
    Response::from_parts(parts, body)
}

const fn is_about_pages(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::CutListing
            | Kind::EndListing
            | Kind::RepeatCursor
            | Kind::LoopCursor
            | Kind::EmptyPage
            | Kind::WrongTypes
    )
}

/// A true page with a lie in it. What is no page (a refusal, or an operation that does not list) stays as it is.
async fn spoiled_page(listing: Listing, kind: Kind, share: f64, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let page = serde_json::from_slice(&whole).ok().filter(|_| parts.status.is_success());
    let Some(mut page) = page else { return Response::from_parts(parts, Body::from(whole)) };
    listing.spoil(kind, share, &mut page);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(page.to_string()))
}

/// An answer in JSON, said otherwise; any other stays as it is.
async fn reworded(response: Response, reword: fn(&mut serde_json::Value)) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Ok(mut json) = serde_json::from_slice(&whole) else { return Response::from_parts(parts, Body::from(whole)) };
    reword(&mut json);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(json.to_string()))
}

/// Which page is asked for: by the address, or by a JSON body.
fn cursor(seen: &Seen<'_>, name: &str) -> Option<String> {
    parameter(seen.query, name).or_else(|| {
        let body: serde_json::Value = serde_json::from_slice(seen.body).ok()?;
        body.get(name)?.as_str().map(str::to_owned)
    })
}

/// A JSON body with another value of a field that it has; without it, if the value is empty.
fn with_field(body: &[u8], name: &str, value: &str) -> Option<Bytes> {
    let mut json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let fields = json.as_object_mut()?;
    fields.remove(name)?;
    if !value.is_empty() {
        fields.insert(name.to_owned(), value.into());
    }
    Some(Bytes::from(json.to_string()))
}

/// A parameter of a query.
fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// An address with another value of a parameter; without it, if the value is empty.
fn with_parameter(uri: &Uri, name: &str, value: &str) -> Uri {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).filter(|(key, _)| key != name);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    if !value.is_empty() {
        query.append_pair(name, value);
    }
    format!("{}?{}", uri.path(), query.finish()).parse().unwrap_or_else(|_| uri.clone())
}

fn endless(pause: Duration) -> Response {
    let piece = if pause.is_zero() { Bytes::from(vec![b' '; 64 * 1024]) } else { Bytes::from_static(b" ") };
    let body = Body::from_stream(stream::unfold(true, move |first| {
        let piece = if first { Bytes::from_static(b"{\"files\":[") } else { piece.clone() };
        async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Some((Ok::<_, Infallible>(piece), false))
        }
    }));
    ([(header::CONTENT_TYPE, "application/json; charset=UTF-8")], body).into_response()
}

fn name(kind: Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The query as logged: a token given in the address is not kept.
fn without_secrets(query: &str) -> String {
    query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((key @ ("access_token" | "token" | "code"), _)) => format!("{key}=…"),
            _ => pair.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("&")
}
