//! `DELETE /api/admin/organizations/{slug}/members/{userId}`: a person leaves an organization. What they connected for it stays.

use axum::extract::State;
use domain::Owner;
use integrations::Action;
use serde_json::json;
use web::{ApiError, Data, PlatformAdmin};

use crate::error::Result;
use crate::path::{Slug, User};
use crate::state::Api;
use crate::wire::directory::MemberRow;

/// Ends a membership.
#[utoipa::path(delete, path = "/organizations/{slug}/members/{userId}", tag = "administration",
    responses((status = 200, description = "Who the member was", body = Data<MemberRow>)))]
pub async fn delete_member(
    PlatformAdmin(admin): PlatformAdmin,
    Slug(organization): Slug,
    User(user): User,
    State(api): State<Api>,
) -> Result<Data<MemberRow>> {
    let role = api.store.membership(&organization, &user).await?;
    let role = role.ok_or_else(|| ApiError::not_found("unknown_member", "this person is no member"))?;
    api.store.delete_membership(&organization, &user).await?;
    let detail = json!({"user": user.as_str(), "role": role});
    api.audit.note(&admin.id, Action::MemberRemoved, Some(&Owner::Organization(organization)), None, detail).await;
    Ok(Data::new(store::Membership { user, role }.into()))
}
