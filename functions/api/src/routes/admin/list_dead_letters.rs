//! `GET /api/admin/integrations/dead-letters`: work that was given up on, and why.

use axum::Json;
use axum::extract::State;
use integrations::dead_letters::WorkQueue;
use serde::Deserialize;
use utoipa::IntoParams;
use web::page::{DEFAULT_LIMIT, MAX_LIMIT};
use web::{ApiError, PlatformAdmin, Query};

use crate::error::Result;
use crate::state::Api;
use crate::wire::dead_letter::DeadLetterList;
use crate::wire::words;

/// Which dead letters.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeadLettersQuery {
    /// Only those of this queue; all without it.
    #[param(schema_with = words::work_queue)]
    queue: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
}

/// Lists work that was given up on. Nothing is taken away.
#[utoipa::path(get, path = "/integrations/dead-letters", tag = "administration", params(DeadLettersQuery),
    responses((status = 200, description = "Dead letters with their reasons", body = DeadLetterList)))]
pub async fn list_dead_letters(
    _: PlatformAdmin,
    Query(query): Query<DeadLettersQuery>,
    State(api): State<Api>,
) -> Result<Json<DeadLetterList>> {
    let queue = query.queue.as_deref().map(work_queue).transpose()?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::invalid("limit: must be from 1 to 100").into());
    }
    let listing = api.dead_letters.list(queue, usize::try_from(limit).unwrap_or(usize::MAX)).await?;
    Ok(Json(listing.into()))
}

/// The queue that a request names.
pub fn work_queue(word: &str) -> std::result::Result<WorkQueue, ApiError> {
    let unknown = || ApiError::invalid("queue: must be one of sync, webhook, resource and resource_webhook");
    WorkQueue::named(word).ok_or_else(unknown)
}
