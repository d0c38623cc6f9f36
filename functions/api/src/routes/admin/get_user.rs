//! `GET /api/admin/users/{userId}`: a person, and the organizations that they are a member of.

use axum::extract::State;
use web::{ApiError, Data, PlatformAdmin};

use crate::error::Result;
use crate::path::User;
use crate::state::Api;
use crate::wire::directory::UserDetailsRow;

/// Shows a person with their memberships.
#[utoipa::path(get, path = "/users/{userId}", tag = "administration",
    responses((status = 200, description = "The person", body = Data<UserDetailsRow>)))]
pub async fn get_user(_: PlatformAdmin, User(id): User, State(api): State<Api>) -> Result<Data<UserDetailsRow>> {
    let (user, memberships) = tokio::try_join!(api.store.get_user(&id), api.store.memberships_of(&id))?;
    let user = user.ok_or_else(|| ApiError::not_found("unknown_user", "this person was never seen"))?;
    Ok(Data::new(UserDetailsRow::new(user, memberships)))
}
