//! `PUT /api/admin/organizations/{slug}/members/{userId}`: a person's role in an organization.

use axum::extract::State;
use domain::Owner;
use domain::plan::Role;
use integrations::Action;
use serde::Deserialize;
use serde_json::json;
use store::Membership;
use utoipa::ToSchema;
use web::{Data, Json, PlatformAdmin};

use super::get_organization::known_organization;
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
    PlatformAdmin(admin): PlatformAdmin,
    Slug(organization): Slug,
    User(user): User,
    State(api): State<Api>,
    Json(body): Json<NewRole>,
) -> Result<Data<MemberRow>> {
    known_organization(&api, &organization).await?;
    let member = Membership { user, role: body.role };
    api.store.put_membership(&organization, &member).await?;
    let detail = json!({"user": member.user.as_str(), "role": member.role});
    api.audit.note(&admin.id, Action::MemberChanged, Some(&Owner::Organization(organization)), None, detail).await;
    Ok(Data::new(member.into()))
}
