//! Google, emulated: accounts and OAuth, Drive, push channels.

pub mod change;
pub mod demo;
mod dialect;
pub mod drive;
pub mod error;
pub mod feed;
pub mod file;
pub mod material;
pub mod oauth;
pub mod state;
mod tree;

use axum::{Router, extract::Request, middleware};

use crate::{gate, state::Shared};

/// Everything below `/google`, behind the gate.
pub fn routes(sandbox: &Shared) -> Router<Shared> {
    let gated = sandbox.clone();
    Router::new()
        .nest("/accounts", oauth::accounts())
        .nest("/oauth2", oauth::oauth2())
        .nest("/www/drive/v3", drive::routes())
        .nest("/docs", drive::docs())
        .layer(middleware::from_fn(move |request: Request, next: middleware::Next| {
            gate::pass(gated.clone(), dialect::GOOGLE, request, next)
        }))
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
