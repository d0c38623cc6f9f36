//! The table of contents: every route, one file each. Handlers of `integrations` serve people and organizations alike; the
//! path says whose integrations are meant, and the extractor in the signature who may.

mod admin;
mod browse_integration;
mod callback;
mod cancel_sync_job;
mod configure_integration;
mod confirm_deletes;
mod connect_integration;
mod discard_deletes;
mod disconnect_integration;
mod docs;
mod get_integration;
mod get_settings;
mod get_sync_job;
mod health;
mod list_connected;
mod list_integrations;
mod list_resources;
mod list_sync_jobs;
mod pause_integration;
mod put_settings;
mod resume_integration;
mod store_credentials;
mod sync_integration;

use axum::middleware;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::document;
use crate::form;
use crate::idempotency;
use crate::state::Api;

/// Everything.
pub fn all(api: &Api) -> OpenApiRouter<Api> {
    let landing = middleware::from_fn_with_state(api.clone(), form::land);
    // Inside the landing, so that what is kept is the API's own answer.
    let once = middleware::from_fn_with_state(api.clone(), idempotency::once);
    let personal = integrations().layer(once.clone()).layer(landing.clone());
    let organizations = integrations().merge(settings()).layer(once.clone()).layer(landing);
    OpenApiRouter::with_openapi(document::head())
        .nest("/api/integrations", personal)
        .nest("/api/organizations/{slug}/integrations", organizations)
        .nest("/api/admin", administration().layer(once))
        .merge(about())
}

/// Below `/api/integrations` and `/api/organizations/{slug}/integrations`.
fn integrations() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list_integrations::list_integrations))
        .routes(routes!(list_connected::list_connected))
        .routes(routes!(connect_integration::connect_integration))
        .routes(routes!(callback::finish_connection))
        .routes(routes!(store_credentials::store_credentials))
        .routes(routes!(browse_integration::browse_integration))
        .routes(routes!(get_integration::get_integration, disconnect_integration::disconnect_integration))
        .routes(routes!(configure_integration::configure_integration))
        .routes(routes!(sync_integration::sync_integration))
        .routes(routes!(pause_integration::pause_integration))
        .routes(routes!(resume_integration::resume_integration))
        .routes(routes!(list_sync_jobs::list_sync_jobs))
        .routes(routes!(get_sync_job::get_sync_job))
        .routes(routes!(cancel_sync_job::cancel_sync_job))
        .routes(routes!(list_resources::list_resources))
        .routes(routes!(confirm_deletes::confirm_deletes))
        .routes(routes!(discard_deletes::discard_deletes))
}

/// Below `/api/organizations/{slug}/integrations` alone.
fn settings() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(get_settings::get_settings, put_settings::put_settings))
}

/// Below `/api/admin`.
fn administration() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(admin::list_registry::list_registry))
        .routes(routes!(admin::put_registry_entry::put_registry_entry))
        .routes(routes!(admin::list_dead_letters::list_dead_letters))
        .routes(routes!(admin::redrive_dead_letters::redrive_dead_letters))
        .routes(routes!(admin::list_all_sync_jobs::list_all_sync_jobs))
        .routes(routes!(admin::get_any_sync_job::get_any_sync_job))
        .routes(routes!(admin::get_stats::get_stats))
        .routes(routes!(admin::list_audit::list_audit))
        .routes(routes!(admin::list_users::list_users))
        .routes(routes!(admin::get_user::get_user, admin::put_user::put_user))
        .routes(routes!(admin::list_organizations::list_organizations))
        .routes(routes!(admin::get_organization::get_organization, admin::put_organization::put_organization))
        .routes(routes!(admin::list_members::list_members))
        .routes(routes!(admin::put_member::put_member, admin::delete_member::delete_member))
}

/// About the API itself.
fn about() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(health::get_health))
        .routes(routes!(docs::get_document))
        .routes(routes!(docs::get_docs))
}
