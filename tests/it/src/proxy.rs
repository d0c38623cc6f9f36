//! Stands before the emulator and breaks things as AWS does. It refuses calls: nothing is carried out. It loses answers: the call
//! is carried out, and the caller is told that it failed. It leaves parts of batches undone: the rest is carried out, and the answer says what was left out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

/// A running proxy; it ends with the test.
#[derive(Clone)]
pub struct Proxy {
    client: reqwest::Client,
    upstream: Arc<str>,
    /// How many more calls to refuse, by operation.
    to_refuse: Arc<Mutex<HashMap<String, u32>>>,
    /// How many more answers to lose, by operation.
    to_lose: Arc<Mutex<HashMap<String, u32>>>,
    /// How many entries of the next batch to leave out, by operation.
    to_leave_out: Arc<Mutex<HashMap<String, usize>>>,
    /// How often each operation was forwarded.
    forwarded: Arc<Mutex<HashMap<String, u32>>>,
}

impl Proxy {
    /// A proxy before `upstream`, and its address.
    pub async fn before(upstream: &str) -> Result<(Self, String)> {
        let proxy = Self {
            client: reqwest::Client::builder().no_proxy().build()?,
            upstream: upstream.trim_end_matches('/').into(),
            to_refuse: Arc::default(),
            to_lose: Arc::default(),
            to_leave_out: Arc::default(),
            forwarded: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(forward).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((proxy, address))
    }

    /// Refuses the next `count` calls of `operation` (`SendMessage`) without carrying them out.
    pub fn refuse(&self, operation: &str, count: u32) {
        self.to_refuse.lock().unwrap().insert(operation.to_owned(), count);
    }

    /// How many calls of `operation` are still to be refused.
    pub fn left_to_refuse(&self, operation: &str) -> u32 {
        self.to_refuse.lock().unwrap().get(operation).copied().unwrap_or_default()
    }

    /// Loses the next `count` answers to `operation` (`UpdateItem`).
    pub fn lose(&self, operation: &str, count: u32) {
        self.to_lose.lock().unwrap().insert(operation.to_owned(), count);
    }

    /// Leaves `count` entries of the next batch of `operation` out.
    pub fn leave_out(&self, operation: &str, count: usize) {
        self.to_leave_out.lock().unwrap().insert(operation.to_owned(), count);
    }

    /// How often `operation` was carried out since the last look.
    pub fn carried_out(&self, operation: &str) -> u32 {
        self.forwarded.lock().unwrap().remove(operation).unwrap_or_default()
    }

    /// What was carried out since the last look, each operation with how often.
    pub fn tally(&self) -> Vec<(String, u32)> {
        let mut tally: Vec<_> = self.forwarded.lock().unwrap().drain().collect();
        tally.sort();
        tally
    }

    async fn pass_on(
        &self,
        method: Method,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap, Bytes)> {
        let mut request = self.client.request(method, &*self.upstream).body(body);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
            request = request.header(name, value);
        }
        let answer = request.send().await.context("forward")?;
        Ok((answer.status(), answer.headers().clone(), answer.bytes().await?))
    }
}

async fn forward(State(proxy): State<Proxy>, method: Method, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    if take(&proxy.to_refuse, &operation) {
        return failure("refused");
    }
    let leave_out = proxy.to_leave_out.lock().unwrap().remove(&operation).unwrap_or_default();
    let (body, left_out) = cut(&operation, body, leave_out);
    let answer = proxy.pass_on(method, &headers, body).await;
    *proxy.forwarded.lock().unwrap().entry(operation.clone()).or_default() += 1;
    let lose = take(&proxy.to_lose, &operation);
    let mut response = Response::new(Body::empty());
    match answer {
        Ok((status, headers, body)) if !lose => {
            *response.status_mut() = status;
            let checksum = left_out.is_none().then_some("x-amz-crc32");
            for name in ["content-type", "x-amzn-requestid"].into_iter().chain(checksum) {
                if let Some(value) = headers.get(name) {
                    response.headers_mut().insert(name, value.clone());
                }
            }
            *response.body_mut() = Body::from(match left_out {
                Some(left_out) => with_left_out(&operation, &body, left_out),
                None => body,
            });
        }
        _ => return failure("the answer was lost"),
    }
    response
}

/// Takes one of the faults that are planned for `operation`, if any is left.
fn take(planned: &Mutex<HashMap<String, u32>>, operation: &str) -> bool {
    planned.lock().unwrap().get_mut(operation).is_some_and(|left| {
        let is_planned = *left > 0;
        *left = left.saturating_sub(1);
        is_planned
    })
}

/// The answer of a service that fails.
fn failure(message: &str) -> Response<Body> {
    let body = json!({ "__type": "InternalServerError", "message": message }).to_string();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}

/// Where the entries of a batch stand in its request: a list under one name, or lists under a table's name.
fn entries<'a>(operation: &str, request: &'a mut Value) -> Option<&'a mut Vec<Value>> {
    match operation {
        "SendMessageBatch" => request.get_mut("Entries")?.as_array_mut(),
        "BatchWriteItem" => request.get_mut("RequestItems")?.as_object_mut()?.values_mut().next()?.as_array_mut(),
        "BatchGetItem" => {
            let table = request.get_mut("RequestItems")?.as_object_mut()?.values_mut().next()?;
            table.get_mut("Keys")?.as_array_mut()
        }
        _ => None,
    }
}

/// The request without its last `count` entries, and a request of just those.
fn cut(operation: &str, body: Bytes, count: usize) -> (Bytes, Option<Value>) {
    let parsed = if count == 0 { None } else { serde_json::from_slice::<Value>(&body).ok() };
    let Some(mut kept) = parsed else { return (body, None) };
    let mut left_out = kept.clone();
    let (Some(keep), Some(leave)) = (entries(operation, &mut kept), entries(operation, &mut left_out)) else {
        return (body, None);
    };
    *leave = keep.split_off(keep.len().saturating_sub(count));
    (Bytes::from(kept.to_string()), Some(left_out))
}

/// The answer, which says in the operation's own way what was left out.
fn with_left_out(operation: &str, answer: &Bytes, mut left_out: Value) -> Bytes {
    let mut answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match operation {
        "SendMessageBatch" => {
            let failed = entries(operation, &mut left_out).into_iter().flatten().map(|entry| {
                json!({ "Id": entry["Id"], "SenderFault": false, "Code": "InternalError", "Message": "left out" })
            });
            answer["Failed"] = failed.collect();
        }
        "BatchWriteItem" => answer["UnprocessedItems"] = left_out["RequestItems"].take(),
        _ => answer["UnprocessedKeys"] = left_out["RequestItems"].take(),
    }
    Bytes::from(answer.to_string())
}
