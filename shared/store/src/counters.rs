//! What the statistics are made of: counters that are kept in the transactions which change what they count, so that nothing is
//! ever gone through to count it, and nothing is counted twice or not at all.
//!
//! They are spread over a few rows, since every end of a run adds to them; a reader sums the rows up. A share may be below zero (an
//! account was connected under one share and disconnected under another), their sum is not.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ops::AddAssign;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use chrono::{NaiveDate, TimeDelta};
use domain::{Counts, JobStatus, ProviderId, Status, SyncJob, Timestamp};
use futures::future::try_join_all;

use crate::Store;
use crate::call::{Item, n, names, number, query_all, s, text, values};
use crate::error::Error;
use crate::integrations::built;
use crate::keys::{self, COUNTER_SHARDS, Key};

/// How long a day's counters are kept. Statistics go back 30 days.
const KEPT: TimeDelta = TimeDelta::days(60);

/// Bounds of the classes by which lengths of runs are counted, in seconds; the last class is what took longer.
pub const WITHIN_SECONDS: [i64; 5] = [10, 60, 600, 3600, 21_600];

/// The attributes of those classes.
const WITHIN: [&str; 6] = ["within_0", "within_1", "within_2", "within_3", "within_4", "longer"];

/// Integrations of a provider that are connected, by their status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByStatus {
    /// Those that work.
    pub active: u64,
    /// Those that a person stopped.
    pub paused: u64,
    /// Those that failed too often.
    pub error: u64,
    /// Those that the provider asked to wait.
    pub rate_limited: u64,
    /// Those that have to be connected again.
    pub token_expired: u64,
}

impl ByStatus {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.active + self.paused + self.error + self.rate_limited + self.token_expired
    }
}

impl AddAssign for ByStatus {
    fn add_assign(&mut self, other: Self) {
        self.active += other.active;
        self.paused += other.paused;
        self.error += other.error;
        self.rate_limited += other.rate_limited;
        self.token_expired += other.token_expired;
    }
}

/// What is connected at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connected {
    /// The provider.
    pub provider: ProviderId,
    /// How many integrations, in which state.
    pub by_status: ByStatus,
}

/// Runs that ended, summed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunSums {
    /// Runs that reached their end.
    pub completed: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that were stopped.
    pub cancelled: u64,
    /// What completed runs took from being asked for to their end, in milliseconds.
    pub duration_ms: u64,
    /// Completed runs by how long they took; see [`WITHIN_SECONDS`].
    pub within: [u64; 6],
    /// Resources that the runs came upon.
    pub found: u64,
    /// Resources delivered.
    pub synced: u64,
    /// Resources that were as before.
    pub unchanged: u64,
    /// Resources that failed.
    pub resources_failed: u64,
    /// Resources deleted.
    pub deleted: u64,
    /// Resources without text.
    pub skipped: u64,
}

impl AddAssign for RunSums {
    fn add_assign(&mut self, other: Self) {
        self.completed += other.completed;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.duration_ms += other.duration_ms;
        for (mine, others) in self.within.iter_mut().zip(other.within) {
            *mine += others;
        }
        self.found += other.found;
        self.synced += other.synced;
        self.unchanged += other.unchanged;
        self.resources_failed += other.resources_failed;
        self.deleted += other.deleted;
        self.skipped += other.skipped;
    }
}

/// A provider's runs that ended on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// The day, in UTC.
    pub date: NaiveDate,
    /// The provider.
    pub provider: ProviderId,
    /// The runs.
    pub runs: RunSums,
}

/// What is connected now, and what was run in the days asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Every provider, in the order that lists show.
    pub connected: Vec<Connected>,
    /// Days with runs, the earliest first; within a day in the order of the providers' ids.
    pub days: Vec<Day>,
}

impl Store {
    /// The statistics from a day on. One query for each share of the counters, side by side.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read.
    pub async fn stats(&self, from: NaiveDate) -> Result<Stats, Error> {
        let rows = self.counters(format!("{}{from}", keys::DAY)).await?;
        Ok(Stats { connected: connected(&rows), days: days(&rows) })
    }

    /// What is connected at every provider. As many queries as [`Self::stats`].
    ///
    /// # Errors
    /// As [`Self::stats`].
    pub async fn connected(&self) -> Result<Vec<Connected>, Error> {
        Ok(connected(&self.counters(keys::STATE.to_owned()).await?))
    }

    /// All rows of counters from this sort key on.
    async fn counters(&self, from: String) -> Result<Vec<Item>, Error> {
        let shares = (0..COUNTER_SHARDS).map(|shard| {
            let call = self
                .client
                .query()
                .table_name(&self.tables.integrations)
                .key_condition_expression("#pk = :pk AND #sk >= :from")
                .set_expression_attribute_names(names(&["pk", "sk"]))
                .set_expression_attribute_values(values([("pk", s(keys::counters(shard))), ("from", s(&from))]));
            query_all("read the counters", call)
        });
        Ok(try_join_all(shares).await?.into_iter().flatten().collect())
    }

    /// Counts an integration that moves from one status to another; `None` is not being connected. Nothing where nothing moves.
    pub(crate) fn moved(
        &self,
        provider: ProviderId,
        from: Option<Status>,
        to: Option<Status>,
    ) -> Result<Option<TransactWriteItem>, Error> {
        let (from, to) = (from.and_then(counted), to.and_then(counted));
        if from == to {
            return Ok(None);
        }
        let sums: Vec<_> = from.map(|name| (name, -1)).into_iter().chain(to.map(|name| (name, 1))).collect();
        self.add(keys::connected(any_share(), provider), &sums, None).map(Some)
    }

    /// Counts a run that ends.
    pub(crate) fn ended(&self, job: &SyncJob) -> Result<TransactWriteItem, Error> {
        let ended_at = job.completed_at.unwrap_or(job.progress_at);
        let outcome = match job.status {
            JobStatus::Completed => "completed",
            JobStatus::Cancelled => "cancelled",
            JobStatus::Failed | JobStatus::Pending | JobStatus::Running => "failed",
        };
        let mut sums = vec![(outcome, 1)];
        if job.status == JobStatus::Completed {
            let took = (ended_at - job.started_at).max(TimeDelta::zero());
            sums.push(("duration_ms", took.num_milliseconds()));
            sums.push((class_of(took), 1));
        }
        sums.extend(of_resources(job.counts));
        self.add_to_day(job, ended_at, sums)
    }

    /// Counts what a run did beyond what was counted of it before.
    pub(crate) fn counted_since(&self, job: &SyncJob, before: Counts) -> Result<TransactWriteItem, Error> {
        let sums = of_resources(job.counts).into_iter().zip(of_resources(before));
        let sums = sums.map(|((name, now), (_, before))| (name, now - before)).collect();
        self.add_to_day(job, job.completed_at.unwrap_or(job.progress_at), sums)
    }

    fn add_to_day(
        &self,
        job: &SyncJob,
        ended_at: Timestamp,
        sums: Vec<(&'static str, i64)>,
    ) -> Result<TransactWriteItem, Error> {
        let day = ended_at.date_naive();
        let expires_at = day.and_time(chrono::NaiveTime::MIN).and_utc() + KEPT;
        self.add(keys::day(any_share(), &day.to_string(), job.provider), &sums, Some(expires_at))
    }

    fn add(
        &self,
        key: Key,
        sums: &[(&'static str, i64)],
        expires_at: Option<Timestamp>,
    ) -> Result<TransactWriteItem, Error> {
        let mut spelled: Vec<&str> = sums.iter().map(|(name, _)| *name).collect();
        let adds: Vec<String> = sums.iter().map(|(name, _)| format!("#{name} :{name}")).collect();
        let mut given: HashMap<String, AttributeValue> =
            sums.iter().map(|(name, count)| (format!(":{name}"), n(count))).collect();
        let mut expression = format!("ADD {}", adds.join(", "));
        if let Some(at) = expires_at {
            spelled.push("expires_at");
            given.insert(":expires_at".to_owned(), n(at.timestamp()));
            expression.insert_str(0, "SET #expires_at = :expires_at ");
        }
        built(
            Update::builder()
                .table_name(&self.tables.integrations)
                .set_key(key.attributes())
                .update_expression(expression)
                .set_expression_attribute_names(names(&spelled))
                .set_expression_attribute_values(Some(given)),
        )
    }
}

/// One of the shares, by chance, so that two that met meet no more.
fn any_share() -> u8 {
    rand::random_range(0..COUNTER_SHARDS)
}

/// The attribute that counts integrations in this status; one that is disconnected is not counted.
const fn counted(status: Status) -> Option<&'static str> {
    match status {
        Status::Active => Some("active"),
        Status::Paused => Some("paused"),
        Status::Error => Some("error"),
        Status::RateLimited => Some("rate_limited"),
        Status::TokenExpired => Some("token_expired"),
        Status::Disconnected => None,
    }
}

/// The attribute that counts runs of this length.
fn class_of(took: TimeDelta) -> &'static str {
    let longer = |bound: &&i64| took > TimeDelta::seconds(**bound);
    WITHIN.get(WITHIN_SECONDS.iter().filter(longer).count()).copied().unwrap_or("longer")
}

/// What is counted of a run's resources.
fn of_resources(counts: Counts) -> [(&'static str, i64); 6] {
    [
        ("found", counts.found),
        ("synced", counts.synced),
        ("unchanged", counts.unchanged),
        ("resources_failed", counts.failed),
        ("deleted", counts.deleted),
        ("skipped", counts.skipped),
    ]
    .map(|(name, count)| (name, i64::try_from(count).unwrap_or(i64::MAX)))
}

fn connected(rows: &[Item]) -> Vec<Connected> {
    ProviderId::ALL
        .iter()
        .map(|provider| {
            let sort_key = format!("{}{provider}", keys::STATE);
            let own: Vec<_> = rows.iter().filter(|row| text(row, keys::SK) == Some(sort_key.as_str())).collect();
            let sum = |name: &str| sum(&own, name);
            let by_status = ByStatus {
                active: sum("active"),
                paused: sum("paused"),
                error: sum("error"),
                rate_limited: sum("rate_limited"),
                token_expired: sum("token_expired"),
            };
            Connected { provider: *provider, by_status }
        })
        .collect()
}

fn days(rows: &[Item]) -> Vec<Day> {
    let mut shares: BTreeMap<(NaiveDate, ProviderId), Vec<&Item>> = BTreeMap::new();
    for row in rows {
        // A row of a provider that this version does not know is left alone.
        if let Some(day) = text(row, keys::SK).and_then(day_of) {
            shares.entry(day).or_default().push(row);
        }
    }
    shares.into_iter().map(|((date, provider), rows)| Day { date, provider, runs: sums_of(&rows) }).collect()
}

/// The day and the provider that a sort key names.
fn day_of(sort_key: &str) -> Option<(NaiveDate, ProviderId)> {
    let (date, provider) = sort_key.strip_prefix(keys::DAY)?.split_once('#')?;
    Some((date.parse().ok()?, provider.parse().ok()?))
}

/// A counter over all its shares.
fn sum(rows: &[&Item], name: &str) -> u64 {
    let sum: i64 = rows.iter().filter_map(|row| number::<i64>(row, name)).sum();
    u64::try_from(sum).unwrap_or_default()
}

fn sums_of(rows: &[&Item]) -> RunSums {
    let sum = |name: &str| sum(rows, name);
    RunSums {
        completed: sum("completed"),
        failed: sum("failed"),
        cancelled: sum("cancelled"),
        duration_ms: sum("duration_ms"),
        within: WITHIN.map(sum),
        found: sum("found"),
        synced: sum("synced"),
        unchanged: sum("unchanged"),
        resources_failed: sum("resources_failed"),
        deleted: sum("deleted"),
        skipped: sum("skipped"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sk: &str, counts: &[(&str, i64)]) -> Item {
        let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), n(count)));
        counts.chain([("sk".to_owned(), s(sk))]).collect()
    }

    #[test]
    fn shares_are_summed_up_and_may_be_below_zero_alone() {
        let rows = [
            row("S#google_drive", &[("active", 3), ("paused", -1)]),
            row("S#google_drive", &[("active", -1), ("paused", 2)]),
            row("S#a_provider_to_come", &[("active", 7)]),
        ];
        let found = connected(&rows);
        assert_eq!(found.len(), ProviderId::ALL.len());
        let drive = found.iter().find(|one| one.provider == ProviderId::GoogleDrive).unwrap();
        assert_eq!(drive.by_status, ByStatus { active: 2, paused: 1, ..ByStatus::default() });
        assert_eq!(drive.by_status.total(), 3);
    }

    #[test]
    fn days_are_told_apart_and_what_is_unknown_is_left_alone() {
        let rows = [
            row("D#2026-11-24#google_drive", &[("completed", 1), ("within_0", 1), ("found", 5)]),
            row("D#2026-11-25#google_drive", &[("completed", 2), ("failed", 1)]),
            row("D#2026-11-24#google_drive", &[("completed", 1), ("longer", 1), ("found", 2)]),
            row("D#2026-11-24#a_provider_to_come", &[("completed", 9)]),
            row("D#no day#google_drive", &[("completed", 9)]),
            row("S#google_drive", &[("active", 1)]),
        ];
        let found = days(&rows);
        let told: Vec<_> = found.iter().map(|day| (day.date.to_string(), day.runs.completed, day.runs.found)).collect();
        assert_eq!(told, [("2026-11-24".to_owned(), 2, 7), ("2026-11-25".to_owned(), 2, 0)]);
        assert_eq!(found.first().unwrap().runs.within, [1, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_run_is_counted_in_the_class_of_its_length() {
        let check = |seconds, class| assert_eq!(class_of(TimeDelta::seconds(seconds)), class, "{seconds}");
        check(0, "within_0");
        check(10, "within_0");
        check(11, "within_1");
        check(3600, "within_3");
        check(21_601, "longer");
    }
}
