//! `GET /api/admin/users`: everybody who was ever seen.

use axum::extract::State;
use web::page::PageQuery;
use web::{List, Page, PlatformAdmin};

use crate::error::Result;
use crate::state::Api;
use crate::wire::directory::UserRow;

/// Lists people, in the order of their ids.
#[utoipa::path(get, path = "/users", tag = "administration", params(PageQuery),
    responses((status = 200, description = "A page of people", body = List<UserRow>)))]
pub async fn list_users(_: PlatformAdmin, page: Page, State(api): State<Api>) -> Result<List<UserRow>> {
    let (users, next) = api.store.users(page.cursor.as_ref(), page.limit).await?;
    Ok(List::new(users.into_iter().map(Into::into).collect(), next.as_ref()))
}
