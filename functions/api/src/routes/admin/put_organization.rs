//! `PUT /api/admin/organizations/{slug}`: makes an organization known, or changes its name and plan.

use axum::extract::State;
use domain::Owner;
use domain::plan::Plan;
use integrations::Action;
use serde::Deserialize;
use serde_json::json;
use store::Organization;
use utoipa::ToSchema;
use web::{ApiError, Data, Json, PlatformAdmin};

use crate::error::Result;
use crate::path::Slug;
use crate::state::Api;
use crate::wire::directory::OrganizationRow;
use crate::wire::words;

/// Longest name.
const MAX_NAME_CHARS: usize = 200;

/// A change of an organization; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationChange {
    /// Its name; a new organization without one is called by its slug.
    #[schema(min_length = 1, max_length = 200, pattern = "\\S")]
    name: Option<String>,
    /// What it pays for.
    #[schema(schema_with = words::plan_or_null)]
    plan: Option<Plan>,
}

/// Makes an organization known or changes it.
#[utoipa::path(put, path = "/organizations/{slug}", tag = "administration", request_body = OrganizationChange,
    responses((status = 200, description = "The organization as it is now", body = Data<OrganizationRow>)))]
pub async fn put_organization(
    PlatformAdmin(admin): PlatformAdmin,
    Slug(id): Slug,
    State(api): State<Api>,
    Json(body): Json<OrganizationChange>,
) -> Result<Data<OrganizationRow>> {
    if body.name.as_ref().is_some_and(|name| name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS) {
        return Err(ApiError::invalid("name: from 1 to 200 characters").into());
    }
    let mut organization = match api.store.get_organization(&id).await? {
        Some(known) => known,
        None => Organization {
            name: id.to_string(),
            id,
            plan: Plan::default(),
            default_frequency: None,
            default_storage_strategy: None,
            created_at: api.clock.now(),
        },
    };
    organization.name = body.name.unwrap_or(organization.name);
    organization.plan = body.plan.unwrap_or(organization.plan);
    api.store.put_organization(&organization).await?;
    let detail = json!({"name": organization.name, "plan": organization.plan});
    let of = Owner::Organization(organization.id.clone());
    api.audit.note(&admin.id, Action::OrganizationChanged, Some(&of), None, detail).await;
    Ok(Data::new(organization.into()))
}
