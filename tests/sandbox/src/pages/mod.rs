//! Pages for people: what this is, what each provider adds to play with, and a stand-in for the host application.

pub mod html;
mod index;
mod integrations;
mod session;

use axum::{
    Router,
    routing::{get, post},
};

use crate::{emulated, state::Shared};

/// All pages; those of the host application only where its API is configured.
pub fn routes(sandbox: &Shared) -> Router<Shared> {
    let own = emulated::ALL.iter().fold(Router::new(), |router, emulated| router.merge((emulated.pages)()));
    let pages = own.route("/", get(index::page));
    if sandbox.app.is_none() {
        return pages;
    }
    pages
        .route("/app", get(integrations::page))
        .route("/app/integrations", get(integrations::page))
        .route("/app/user", post(session::choose))
        .route("/app/do", post(integrations::act))
}
