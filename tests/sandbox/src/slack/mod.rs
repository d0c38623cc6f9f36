//! Slack, emulated: workspaces and their content, OAuth v2, the Web API as far as it reads, the Events API.

mod api;
mod change;
mod contract;
mod control;
pub mod demo;
mod dialect;
mod grants;
mod lists;
mod oauth;
mod pages;
mod push;
mod shapes;
pub mod state;
mod tiers;

use axum::{
    Router,
    routing::{any, get},
};
use serde_json::{Value, json};

use crate::{emulated::Emulated, state::Shared};

/// Slack in the table of providers.
pub const EMULATED: Emulated = Emulated {
    name: "slack",
    id: "slack",
    title: "Slack",
    routes,
    dialect: dialect::SLACK,
    control: control::routes,
    pages: pages::routes,
    endpoints,
    front: pages::front,
    start: |sandbox| {
        tokio::spawn(push::keep_telling(sandbox.clone()));
    },
    contract: contract::SLACK,
};

/// Everything below `/slack`.
fn routes() -> Router<Shared> {
    Router::new()
        .route("/oauth/v2/authorize", get(oauth::page).post(oauth::decide))
        .route("/api/{method}", any(api::call))
        .route("/files/files-pri/{which}/{*rest}", get(lists::download))
}

/// The endpoint mapping that points a client of Slack at the sandbox.
fn endpoints(public_url: &str) -> Value {
    json!({
        "https://slack.com": format!("{public_url}/slack"),
        "https://files.slack.com": format!("{public_url}/slack/files"),
    })
}
