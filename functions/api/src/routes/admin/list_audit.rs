//! `GET /api/admin/audit`: what people did.

use axum::extract::State;
use domain::audit::Action;
use serde::Deserialize;
use store::AuditFilter;
use utoipa::IntoParams;
use web::page::PageQuery;
use web::{List, Page, PlatformAdmin, Query};

use super::{owner_named, person_named};
use crate::error::Result;
use crate::state::Api;
use crate::wire::audit::AuditRow;
use crate::wire::words;

/// Which entries; all that is named must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// What this person did.
    #[param(schema_with = words::person)]
    actor: Option<String>,
    /// What was done to what is this owner's: `user/<id>` or `organization/<slug>`.
    #[param(schema_with = words::owner)]
    owner: Option<String>,
    /// Doings of this kind.
    #[param(schema_with = words::action)]
    action: Option<Action>,
}

/// Lists what people did, the latest first: who connected, changed, synced, disconnected, redrove. Entries are kept for 400 days. A page
/// may be short, even empty, while `nextCursor` says that the list goes on.
#[utoipa::path(get, path = "/audit", tag = "administration", params(AuditQuery, PageQuery),
    responses((status = 200, description = "A page of the audit log", body = List<AuditRow>)))]
pub async fn list_audit(
    _: PlatformAdmin,
    Query(query): Query<AuditQuery>,
    page: Page,
    State(api): State<Api>,
) -> Result<List<AuditRow>> {
    let actor = query.actor.map(person_named).transpose()?;
    let owner = query.owner.as_deref().map(owner_named).transpose()?;
    if actor == Some(None) || owner == Some(None) {
        return Ok(List::new(Vec::new(), None));
    }
    let filter = AuditFilter { actor: actor.flatten(), owner: owner.flatten(), action: query.action };
    let log = api.audit.log();
    let (entries, next) = log.entries(&filter, page.cursor.as_ref(), page.limit, api.clock.now()).await?;
    Ok(List::new(entries.into_iter().map(Into::into).collect(), next.as_ref()))
}
