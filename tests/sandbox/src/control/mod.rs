//! The control API: how tests look into the sandbox, change its content and make it misbehave.

pub mod contract;
mod wire;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    emulated, google,
    state::{Shared, World},
};

/// All routes below `/control`.
pub fn routes() -> Router<Shared> {
    let own = emulated::ALL
        .iter()
        .fold(Router::new(), |router, emulated| router.nest(&format!("/{}", emulated.name), (emulated.control)()));
    own.merge(contract::routes())
        .route("/reset", post(reset))
        .route("/truth", get(google::control::truth))
        .route("/endpoints", get(endpoints))
        .route("/clock", get(wire::clock).post(wire::set_clock))
        .route("/faults", get(wire::faults).post(wire::add_fault).delete(wire::clear_faults))
        .route("/faults/{id}", delete(wire::remove_fault))
        .route("/limits", get(wire::limits).post(wire::set_limits))
        .route("/requests", get(wire::requests).delete(wire::clear_requests))
        .route("/counters", get(wire::counters))
        .route("/webhooks", get(wire::webhooks))
        .fallback(|| async { Wrong::not_found("the control API has no such route") })
}

/// What is wrong with a control request: `{"error": "…"}`.
#[derive(Debug)]
pub struct Wrong(StatusCode, String);

impl Wrong {
    /// Something that is named is not there.
    pub fn not_found(message: impl std::fmt::Display) -> Self {
        Self(StatusCode::NOT_FOUND, message.to_string())
    }

    /// It is there already.
    pub fn conflict(message: impl std::fmt::Display) -> Self {
        Self(StatusCode::CONFLICT, message.to_string())
    }

    /// What is asked for cannot be.
    pub fn unprocessable(message: impl std::fmt::Display) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, message.to_string())
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// What a control route answers.
pub type Answer = Result<Json<Value>, Wrong>;

/// A JSON body, an empty one being an empty object; what is not understood is said.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Wrong> {
    let body = if body.is_empty() { b"{}".as_slice() } else { body };
    serde_json::from_slice(body).map_err(Wrong::unprocessable)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    #[serde(default)]
    demo: bool,
}

/// Forgets everything: content, tokens, faults, limits, logs and the clock's offset.
async fn reset(State(sandbox): State<Shared>, body: bytes::Bytes) -> Answer {
    let wanted: Reset = parse(&body)?;
    let fresh = World::fresh(wanted.demo).map_err(Wrong::unprocessable)?;
    sandbox.write(|world| *world = fresh);
    crate::clock::set_ahead(0);
    sandbox.traffic(|traffic| {
        traffic.faults.clear();
        traffic.limits.set(crate::limits::Rule::default());
        traffic.requests.clear();
        traffic.deliveries.clear();
    });
    Ok(Json(json!({ "reset": true })))
}

/// Whose.
#[derive(Deserialize)]
pub struct OfAccount {
    pub account: String,
}

/// The endpoint mapping for each provider's secret.
async fn endpoints(State(sandbox): State<Shared>) -> Json<Value> {
    Json(emulated::endpoints(&sandbox.public_url))
}
