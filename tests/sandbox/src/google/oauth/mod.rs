//! Google's OAuth: the consent page, the token endpoint, revocation.

pub mod authorize;
pub mod grants;
mod pkce;
pub mod token;

use axum::{Router, routing};

use crate::state::Shared;

/// What answers under `https://accounts.google.com`.
pub fn accounts() -> Router<Shared> {
    Router::new().route("/o/oauth2/v2/auth", routing::get(authorize::page).post(authorize::decide))
}

/// What answers under `https://oauth2.googleapis.com`.
pub fn oauth2() -> Router<Shared> {
    Router::new().route("/token", routing::post(token::token)).route("/revoke", routing::post(token::revoke))
}
