//! What happens on the wire: faults, limits, logs, channels.

use axum::{
    Json,
    extract::{Query, State},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Wrong, parse};
use crate::{clock, faults, limits, state::Shared};

/// `GET /control/faults`.
pub async fn faults(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.traffic(|traffic| Json(json!({ "faults": traffic.faults.all() })))
}

/// `POST /control/faults`.
pub async fn add_fault(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let rule: faults::Rule = parse(&body)?;
    if rule.status.is_some_and(|status| !(200..=599).contains(&status)) {
        return Err(Wrong::unprocessable("status must be from 200 to 599"));
    }
    Ok(Json(json!(sandbox.traffic(|traffic| traffic.faults.add(rule)))))
}

/// `DELETE /control/faults`.
pub async fn clear_faults(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.traffic(|traffic| traffic.faults.clear());
    Json(json!({ "cleared": true }))
}

/// `GET /control/limits`: the rule, and what it allowed and refused.
pub async fn limits(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.traffic(|traffic| {
        let total = traffic.limits.total();
        Json(json!({
            "rule": traffic.limits.rule(),
            "allowed": total.allowed,
            "refused": total.refused,
            "accounts": traffic.limits.counts(),
        }))
    })
}

/// `POST /control/limits`.
pub async fn set_limits(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let rule: limits::Rule = parse(&body)?;
    sandbox.traffic(|traffic| traffic.limits.set(rule));
    Ok(Json(json!(rule)))
}

#[derive(Deserialize)]
pub struct Since {
    #[serde(default)]
    since: u64,
}

/// `GET /control/requests?since=`.
pub async fn requests(State(sandbox): State<Shared>, Query(query): Query<Since>) -> Json<Value> {
    sandbox.traffic(|traffic| Json(json!({ "requests": traffic.requests.since(query.since) })))
}

/// `DELETE /control/requests`: the counters start again too.
pub async fn clear_requests(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.traffic(|traffic| traffic.requests.clear());
    Json(json!({ "cleared": true }))
}

/// `GET /control/counters`.
pub async fn counters(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.traffic(|traffic| Json(json!(traffic.requests.counters())))
}

/// `GET /control/webhooks?since=`.
pub async fn webhooks(State(sandbox): State<Shared>, Query(query): Query<Since>) -> Json<Value> {
    sandbox.traffic(|traffic| Json(json!({ "webhooks": traffic.deliveries.since(query.since) })))
}

/// `GET /control/google/channels`: the live ones.
pub async fn channels(State(sandbox): State<Shared>) -> Json<Value> {
    let now = clock::now();
    sandbox.read(|world| {
        let live: Vec<_> = world.google.channels.values().filter(|channel| channel.expires > now).collect();
        Json(json!({ "channels": live }))
    })
}
