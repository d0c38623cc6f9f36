//! `GET …/integrations/{provider}/resources`: what is synced, what failed and why.

use axum::extract::State;
use domain::resource::RecordState;
use serde::Deserialize;
use utoipa::IntoParams;
use web::page::PageQuery;
use web::{List, OwnerRead, Page, Query};

use crate::error::Result;
use crate::path::Provider;
use crate::state::Api;
use crate::wire::resource::ResourceRow;
use crate::wire::words;

/// Which resources.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ResourcesQuery {
    /// Only those that stand so; all without it.
    #[param(schema_with = words::record_state)]
    status: Option<RecordState>,
}

/// Lists an integration's resources.
#[utoipa::path(get, path = "/{provider}/resources", tag = "integrations", params(ResourcesQuery, PageQuery),
    responses((status = 200, description = "A page of resources", body = List<ResourceRow>)))]
pub async fn list_resources(
    OwnerRead(scope): OwnerRead,
    Provider(provider): Provider,
    Query(query): Query<ResourcesQuery>,
    page: Page,
    State(api): State<Api>,
) -> Result<List<ResourceRow>> {
    let page_of = api.integrations.resources(&scope.owner, provider, query.status, page.cursor.as_ref(), page.limit);
    let (records, next) = page_of.await?;
    Ok(List::new(records.into_iter().map(Into::into).collect(), next.as_ref()))
}
