//! `GET /health`: the function runs. It asks no dependency, so that an outage of one does not take this one out of service.

use serde::Serialize;
use utoipa::ToSchema;
use web::Data;

/// How the function is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Says that the function runs.
#[utoipa::path(get, path = "/health", tag = "about", security(()), responses((status = 200, description = "It runs", body = Data<Health>)))]
pub async fn get_health() -> Data<Health> {
    Data::new(Health { status: "ok" })
}
