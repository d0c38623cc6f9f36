//! `GET /api/admin/integrations/stats`: how things stand, and what was synced in the last 30 days.

use axum::extract::State;
use chrono::TimeDelta;
use web::{Data, PlatformAdmin};

use crate::error::Result;
use crate::state::Api;
use crate::wire::stats::StatsRow;

/// The days that are counted, today among them.
const DAYS: i64 = 30;

/// Shows what is connected, how syncs ended, how long they took and what they found: in all, by provider and by day.
#[utoipa::path(get, path = "/integrations/stats", tag = "administration",
    responses((status = 200, description = "The statistics", body = Data<StatsRow>)))]
pub async fn get_stats(_: PlatformAdmin, State(api): State<Api>) -> Result<Data<StatsRow>> {
    let now = api.clock.now();
    let from = now - TimeDelta::days(DAYS - 1);
    let stats = api.store.stats(from.date_naive()).await?;
    Ok(Data::new(StatsRow::new(&stats, from, now)))
}
