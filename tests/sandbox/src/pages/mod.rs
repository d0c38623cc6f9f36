//! Pages for people: what this is, a small drive to play with, and a stand-in for the host application.

mod drive;
pub mod html;
mod index;
mod integrations;
mod session;

use axum::{
    Router,
    routing::{get, post},
};

use crate::state::Shared;

/// All pages; those of the host application only where its API is configured.
pub fn routes(sandbox: &Shared) -> Router<Shared> {
    let pages = Router::new()
        .route("/", get(index::page))
        .route("/drive", get(drive::page))
        .route("/drive/edit", get(drive::edit_page))
        .route("/drive/do", post(drive::act));
    if sandbox.app.is_none() {
        return pages;
    }
    pages
        .route("/app", get(integrations::page))
        .route("/app/integrations", get(integrations::page))
        .route("/app/user", post(session::choose))
        .route("/app/do", post(integrations::act))
}
