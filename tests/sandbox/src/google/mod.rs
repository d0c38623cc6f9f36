//! Google, emulated: accounts and OAuth, Drive, push channels.

pub mod change;
mod contract;
pub mod control;
pub mod demo;
mod dialect;
pub mod drive;
pub mod error;
pub mod feed;
pub mod file;
pub mod material;
pub mod oauth;
mod pages;
pub mod state;
mod tree;

use axum::Router;

use crate::{emulated::Emulated, state::Shared};

/// Google in the table of providers.
pub const EMULATED: Emulated = Emulated {
    name: "google",
    id: "google_drive",
    title: "Google Drive",
    routes,
    dialect: dialect::GOOGLE,
    control: control::routes,
    pages: pages::routes,
    endpoints,
    front: pages::front,
    start: |sandbox| {
        tokio::spawn(drive::push::keep_telling(sandbox.clone()));
    },
    contract: contract::GOOGLE,
};

/// Everything below `/google`.
fn routes() -> Router<Shared> {
    Router::new()
        .nest("/accounts", oauth::accounts())
        .nest("/oauth2", oauth::oauth2())
        .nest("/www/drive/v3", drive::routes())
        .nest("/docs", drive::docs())
}

/// The endpoint mapping that points a client of Google at the sandbox.
pub fn endpoints(public_url: &str) -> serde_json::Value {
    serde_json::json!({
        "https://accounts.google.com": format!("{public_url}/google/accounts"),
        "https://oauth2.googleapis.com": format!("{public_url}/google/oauth2"),
        "https://www.googleapis.com": format!("{public_url}/google/www"),
        "https://docs.google.com": format!("{public_url}/google/docs"),
    })
}
