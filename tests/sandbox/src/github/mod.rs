//! GitHub, emulated: accounts and OAuth of both kinds of app, repositories with issues, pull requests, discussions, releases and
//! files, the REST and GraphQL APIs as far as connectors use them, repository hooks and an app's hook.

mod api;
mod change;
mod contract;
mod control;
mod demo;
mod dialect;
mod error;
mod files;
mod grants;
mod graph;
mod hooks;
mod lists;
mod oauth;
mod pages;
mod shapes;
pub mod state;
mod talk;

use axum::Router;

use crate::{emulated::Emulated, state::Shared};

pub use demo::fill;

/// GitHub in the table of providers.
pub const EMULATED: Emulated = Emulated {
    name: "github",
    id: "github",
    title: "GitHub",
    routes,
    dialect: dialect::GITHUB,
    control: control::routes,
    pages: pages::routes,
    endpoints,
    front: pages::front,
    start: |sandbox| {
        tokio::spawn(hooks::keep_telling(sandbox.clone()));
    },
    contract: contract::GITHUB,
};

/// Everything below `/github`.
fn routes() -> Router<Shared> {
    Router::new().nest("/web", oauth::routes()).nest("/api", api::routes())
}

/// The endpoint mapping that points a client of GitHub at the sandbox.
pub fn endpoints(public_url: &str) -> serde_json::Value {
    serde_json::json!({
        "https://github.com": format!("{public_url}/github/web"),
        "https://api.github.com": format!("{public_url}/github/api"),
    })
}
