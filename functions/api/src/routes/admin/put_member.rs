//! `PUT /api/admin/organizations/{slug}/members/{userId}`: a person's role in an organization.

use axum::extract::State;
use domain::plan::Role;
use serde::Deserialize;
use store::Membership;
use utoipa::ToSchema;
use web::{ApiError, Data, Json, PlatformAdmin};

use crate::error::Result;
use crate::path::{Slug, User};
use crate::state::Api;
use crate::wire::directory::MemberRow;
use crate::wire::words;

/// What the person may do there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// Members read; ADMIN connects, configures, syncs and disconnects.
    #[schema(schema_with = words::role)]
    role: Role,
}

/// Makes a person a member, or changes their role.
#[utoipa::path(put, path = "/organizations/{slug}/members/{userId}", tag = "administration", request_body = NewRole,
    responses((status = 200, description = "The member", body = Data<MemberRow>)))]
pub async fn put_member(
    _: PlatformAdmin,
    Slug(organization): Slug,
    User(user): User,
    State(api): State<Api>,
    Json(body): Json<NewRole>,
) -> Result<Data<MemberRow>> {
    if api.store.get_organization(&organization).await?.is_none() {
        return Err(ApiError::not_found("unknown_organization", "there is no such organization").into());
    }
    let member = Membership { user, role: body.role };
    api.store.put_membership(&organization, &member).await?;
    Ok(Data::new(member.into()))
}
