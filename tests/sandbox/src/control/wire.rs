//! What happens on the wire: faults, limits, logs, channels.

use axum::{
    Json,
    extract::{Path, Query, State},
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
    if rule.share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(Wrong::unprocessable("share must be from 0 to 1"));
    }
    Ok(Json(json!(sandbox.traffic(|traffic| traffic.faults.add(rule)))))
}

/// `DELETE /control/faults/{id}`: the rule as it was, with its hits.
pub async fn remove_fault(State(sandbox): State<Shared>, Path(id): Path<u64>) -> Answer {
    let removed = sandbox.traffic(|traffic| traffic.faults.remove(id));
    removed.map(|fault| Json(json!(fault))).ok_or_else(|| Wrong::not_found("there is no such rule"))
}

/// `DELETE /control/faults`.
pub async fn clear_faults(State(sandbox): State<Shared>) -> Json<Value> {
    sandbox.traffic(|traffic| traffic.faults.clear());
    Json(json!({ "cleared": true }))
}

/// No clock is further off than this: ten years, in milliseconds.
const FARTHEST_MS: u64 = 10 * 365 * 86_400_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Clock {
    offset_ms: i64,
}

/// `GET /control/clock`: the providers' time, and how far it is ahead of the machine's.
pub async fn clock() -> Json<Value> {
    Json(json!({ "now": clock::rfc3339(clock::now()), "offsetMs": clock::ahead() }))
}

/// `POST /control/clock`: moves the providers' time against the machine's.
pub async fn set_clock(body: Bytes) -> Answer {
    let wanted: Clock = parse(&body)?;
    if wanted.offset_ms.unsigned_abs() > FARTHEST_MS {
        return Err(Wrong::unprocessable("offsetMs must be within ten years"));
    }
    clock::set_ahead(wanted.offset_ms);
    Ok(self::clock().await)
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
