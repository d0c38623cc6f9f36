//! `PUT /api/admin/users/{userId}`: a person's plan and rights. The host application keeps them up to date here.

use axum::extract::State;
use domain::Owner;
use domain::plan::{Plan, PlatformRole};
use integrations::Action;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use web::{Data, Json, PlatformAdmin};

use crate::error::Result;
use crate::path::User;
use crate::state::Api;
use crate::wire::directory::UserRow;
use crate::wire::words;

/// A change of a person's entry; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// What they pay for.
    #[schema(schema_with = words::plan_or_null)]
    plan: Option<Plan>,
    /// What they may do on the platform.
    #[schema(schema_with = words::platform_role_or_null)]
    role: Option<PlatformRole>,
    /// Whether they may use it at all.
    active: Option<bool>,
}

/// Changes a person's plan and rights; somebody who was never seen is made known.
#[utoipa::path(put, path = "/users/{userId}", tag = "administration", request_body = UserChange,
    responses((status = 200, description = "The person as they are now", body = Data<UserRow>)))]
pub async fn put_user(
    PlatformAdmin(admin): PlatformAdmin,
    User(id): User,
    State(api): State<Api>,
    Json(body): Json<UserChange>,
) -> Result<Data<UserRow>> {
    let known = api.store.get_user(&id).await?;
    let mut user = known.unwrap_or_else(|| store::User::new(id, api.clock.now()));
    user.plan = body.plan.unwrap_or(user.plan);
    user.role = body.role.unwrap_or(user.role);
    user.active = body.active.unwrap_or(user.active);
    api.store.put_user(&user).await?;
    let detail = json!({"plan": user.plan, "role": user.role, "active": user.active});
    let of = Owner::User(user.id.clone());
    api.audit.note(&admin.id, Action::UserChanged, Some(&of), None, detail).await;
    Ok(Data::new(user.into()))
}
