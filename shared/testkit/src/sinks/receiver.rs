//! Somebody who takes signed deliveries, checks them as the standard says, and keeps one resource for each that it is told of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use domain::clock::Clock as _;
use providers::Delivery;
use serde_json::{Value, json};

use super::Served;
use super::trouble::{Troubles, meet};

/// A receiver and what it has.
#[derive(Debug)]
pub struct Receiver {
    served: Served,
    held: Shared,
    /// What goes wrong with it.
    pub troubles: Troubles,
}

type Shared = Arc<Mutex<Held>>;

#[derive(Debug, Default)]
struct Held {
    secret: String,
    /// By integration and external id.
    resources: BTreeMap<(String, String), Value>,
    ids: BTreeSet<String>,
    /// Deliveries whose signature was not right.
    forged: u32,
    /// Times that something was stored anew.
    stored: u32,
    /// Where it sends everybody instead.
    elsewhere: Option<String>,
}

impl Receiver {
    /// A receiver that knows this secret (`whsec_…`).
    ///
    /// # Errors
    /// If there is no port.
    pub async fn start(secret: &str) -> Result<Self> {
        let (held, troubles) = (Shared::default(), Troubles::default());
        lock(&held).secret = secret.to_owned();
        let routes = Router::new()
            .route("/in", any(take))
            .with_state(held.clone())
            .layer(axum::middleware::from_fn_with_state(troubles.clone(), meet));
        Ok(Self { served: Served::start(routes).await?, held, troubles })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/in", self.served.url())
    }

    /// What it was told last of each resource, by external id.
    #[must_use]
    pub fn resources(&self) -> BTreeMap<String, Value> {
        lock(&self.held).resources.iter().map(|((_, id), value)| (id.clone(), value.clone())).collect()
    }

    /// Deliveries whose signature was not right.
    #[must_use]
    pub fn forged(&self) -> u32 {
        lock(&self.held).forged
    }

    /// It sends everybody there from now on.
    pub fn redirect_to(&self, url: &str) {
        lock(&self.held).elsewhere = Some(url.to_owned());
    }

    /// How often it had to store something.
    #[must_use]
    pub fn stored(&self) -> u32 {
        lock(&self.held).stored
    }
}

fn lock(held: &Shared) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(held): State<Shared>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let mut held = lock(&held);
    if let Some(url) = &held.elsewhere {
        return axum::response::Redirect::temporary(url).into_response();
    }
    let names = headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    let delivery = Delivery { headers: names.collect(), body: body.to_vec() };
    if providers::signature::standard(&delivery, &held.secret, domain::SystemClock.now()).is_err() {
        held.forged += 1;
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(told) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let word = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = (word("integration"), word("externalId"));
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let is_new = held.ids.insert(id);
    if method == Method::DELETE {
        held.resources.remove(&key);
        return StatusCode::NO_CONTENT.into_response();
    }
    let (outcome, name) = match held.resources.get(&key) {
        _ if !is_new => ("unchanged", key.1.clone()),
        Some(old) if old.get("idempotencyKey") == told.get("idempotencyKey") => ("unchanged", key.1.clone()),
        Some(_) => ("updated", key.1.clone()),
        None => ("created", key.1.clone()),
    };
    if is_new {
        held.stored += u32::from(outcome != "unchanged");
        held.resources.insert(key, told);
    }
    axum::Json(json!({"memoryId": format!("memory-of-{name}"), "outcome": outcome})).into_response()
}
