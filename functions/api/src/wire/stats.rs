//! The statistics' rows. Everything is a sum of counters; nothing is gone through for it.

use std::collections::BTreeMap;

use domain::{ProviderId, Timestamp};
use serde::Serialize;
use store::{ByStatus, Connected, RunSums, Stats};
use utoipa::ToSchema;

/// How things stand, and what was synced in the last 30 days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stats)]
pub struct StatsRow {
    /// The first day that is counted.
    #[schema(format = Date, example = "2026-10-27")]
    from: String,
    /// Today, in UTC.
    #[schema(format = Date, example = "2026-11-25")]
    to: String,
    /// What is connected now.
    connected: ConnectedRow,
    /// Syncs that ended in these days.
    syncs: SyncsRow,
    /// The same for each provider.
    providers: Vec<ProviderStatsRow>,
    /// The same for each of the days, the earliest first; days without a sync are there.
    days: Vec<DayRow>,
}

/// Connected integrations.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectedCount)]
pub struct ConnectedRow {
    /// All that are not disconnected.
    total: u64,
    /// By their status.
    by_status: ByStatusRow,
}

/// Connected integrations by their status.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = ConnectedByStatus)]
pub struct ByStatusRow {
    /// Those that work.
    active: u64,
    /// Those that a person stopped.
    paused: u64,
    /// Those that failed five times in a row.
    error: u64,
    /// Those that the provider asked to wait.
    rate_limited: u64,
    /// Those that have to be connected again.
    token_expired: u64,
}

/// Syncs that ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncStats)]
pub struct SyncsRow {
    /// Those that reached their end; single resources may have failed.
    completed: u64,
    /// Those that failed.
    failed: u64,
    /// Those that were stopped.
    cancelled: u64,
    /// Completed ones among those that completed or failed, from 0 to 1. Null: there were none.
    success_rate: Option<f64>,
    /// Seconds from being asked for to the end, of completed ones, on average. Null: there were none.
    average_seconds: Option<f64>,
    /// Completed ones by how long they took.
    durations: DurationsRow,
    /// What became of the resources that they came upon.
    resources: ResourceCountsRow,
}

/// Completed syncs by how long they took from being asked for to the end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncDurations)]
pub struct DurationsRow {
    /// 10 seconds at most.
    within_10_seconds: u64,
    /// A minute at most.
    within_1_minute: u64,
    /// 10 minutes at most.
    within_10_minutes: u64,
    /// An hour at most.
    within_1_hour: u64,
    /// Six hours at most.
    within_6_hours: u64,
    /// Longer.
    longer: u64,
}

/// What became of resources.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResourceCounts)]
pub struct ResourceCountsRow {
    /// The sum of the others; a resource counts with every sync that came upon it.
    found: u64,
    /// Delivered.
    synced: u64,
    /// Same as before.
    unchanged: u64,
    /// Failed.
    failed: u64,
    /// Deleted.
    deleted: u64,
    /// Of a kind that carries no text.
    skipped: u64,
}

/// A provider's part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderStats)]
pub struct ProviderStatsRow {
    /// The provider.
    #[schema(example = "google_drive")]
    provider: String,
    /// What is connected there now.
    connected: ConnectedRow,
    /// Its syncs that ended in these days.
    syncs: SyncsRow,
}

/// A day's part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DayStats)]
pub struct DayRow {
    /// The day, in UTC.
    #[schema(format = Date, example = "2026-11-25")]
    date: String,
    /// The syncs that ended on it.
    syncs: SyncsRow,
}

impl StatsRow {
    /// The rows of the days from `from` to `to`.
    pub fn new(stats: &Stats, from: Timestamp, to: Timestamp) -> Self {
        let (first, last) = (from.date_naive(), to.date_naive());
        let (mut whole, mut connected) = (RunSums::default(), ByStatus::default());
        let mut by_provider: BTreeMap<ProviderId, RunSums> = BTreeMap::new();
        let mut by_day: BTreeMap<_, RunSums> =
            first.iter_days().take_while(|day| *day <= last).map(|day| (day, RunSums::default())).collect();
        // A run that ended on another host's tomorrow is counted when tomorrow comes.
        for day in stats.days.iter().filter(|day| (first..=last).contains(&day.date)) {
            whole += day.runs;
            *by_provider.entry(day.provider).or_default() += day.runs;
            *by_day.entry(day.date).or_default() += day.runs;
        }
        for one in &stats.connected {
            connected += one.by_status;
        }
        let of = |Connected { provider, by_status }: &Connected| ProviderStatsRow {
            provider: provider.to_string(),
            connected: (*by_status).into(),
            syncs: by_provider.get(provider).copied().unwrap_or_default().into(),
        };
        Self {
            from: first.to_string(),
            to: last.to_string(),
            connected: connected.into(),
            syncs: whole.into(),
            providers: stats.connected.iter().map(of).collect(),
            days: by_day.into_iter().map(|(day, runs)| DayRow { date: day.to_string(), syncs: runs.into() }).collect(),
        }
    }
}

impl From<ByStatus> for ConnectedRow {
    fn from(counts: ByStatus) -> Self {
        let ByStatus { active, paused, error, rate_limited, token_expired } = counts;
        Self { total: counts.total(), by_status: ByStatusRow { active, paused, error, rate_limited, token_expired } }
    }
}

impl From<RunSums> for SyncsRow {
    fn from(runs: RunSums) -> Self {
        let [within_10_seconds, within_1_minute, within_10_minutes, within_1_hour, within_6_hours, longer] =
            runs.within;
        Self {
            completed: runs.completed,
            failed: runs.failed,
            cancelled: runs.cancelled,
            success_rate: quotient(runs.completed, runs.completed + runs.failed),
            average_seconds: quotient(runs.duration_ms, runs.completed).map(|ms| (ms / 1000.0 * 10.0).round() / 10.0),
            durations: DurationsRow {
                within_10_seconds,
                within_1_minute,
                within_10_minutes,
                within_1_hour,
                within_6_hours,
                longer,
            },
            resources: ResourceCountsRow {
                found: runs.found,
                synced: runs.synced,
                unchanged: runs.unchanged,
                failed: runs.resources_failed,
                deleted: runs.deleted,
                skipped: runs.skipped,
            },
        }
    }
}

/// One number by another; nothing by nothing is nothing.
fn quotient(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts are far from 2^53, and a rate is read by people")]
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use store::Day;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn day(date: &str, provider: ProviderId, completed: u64, failed: u64) -> Day {
        let runs =
            RunSums { completed, failed, duration_ms: completed * 2500, found: 10 * completed, ..RunSums::default() };
        Day { date: date.parse().unwrap(), provider, runs }
    }

    #[test]
    fn days_and_providers_add_up_to_the_whole() {
        let drive = ProviderId::GoogleDrive;
        let stats = Stats {
            connected: vec![Connected {
                provider: drive,
                by_status: ByStatus { active: 2, error: 1, ..ByStatus::default() },
            }],
            days: vec![
                day("2026-11-22", drive, 100, 0),
                day("2026-11-23", drive, 2, 1),
                day("2026-11-25", drive, 1, 0),
                day("2026-11-26", drive, 100, 0),
            ],
        };
        let row = StatsRow::new(&stats, at("2026-11-23T12:00:00Z"), at("2026-11-25T12:00:00Z"));
        let row = serde_json::to_value(row).unwrap();
        assert_eq!((row["from"].as_str(), row["to"].as_str()), (Some("2026-11-23"), Some("2026-11-25")));
        assert_eq!(row["connected"]["total"], 3);
        assert_eq!(row["connected"]["by_status"]["ERROR"], 1);
        assert_eq!(row["syncs"]["completed"], 3);
        assert_eq!(row["syncs"]["success_rate"], 0.75);
        assert_eq!(row["syncs"]["average_seconds"], 2.5);
        assert_eq!(row["syncs"]["resources"]["found"], 30);
        assert_eq!(row["providers"][0]["syncs"], row["syncs"]);
        let days: Vec<_> = row["days"].as_array().unwrap().iter().map(|day| &day["syncs"]["completed"]).collect();
        assert_eq!(days, [2, 0, 1]);
        assert_eq!(row["days"][1]["syncs"]["success_rate"], serde_json::Value::Null);
    }
}
