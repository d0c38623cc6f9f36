//! The HTTP API: integrations of people and of organizations, administration, the OAuth callback.
//!
//! A handler reads the request, asks a use case of `integrations` or `connections`, and writes the answer; what is decided, is
//! decided there. Who may call stands in the handler's signature.

pub mod config;
mod document;
mod error;
pub mod event;
mod form;
mod idempotency;
mod limits;
mod note;
mod path;
pub mod redirect;
mod routes;
mod state;
mod wire;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use state::Api;

/// The whole API as a router.
pub fn router(api: Api) -> axum::Router {
    let origins = api.access.origins.clone();
    let (routes, _document) = routes::all(&api).split_for_parts();
    web::request::complete(routes.with_state(api), origins)
}
