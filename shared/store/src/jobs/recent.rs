//! Sync jobs of everybody, the newest first, for those who run the platform.
//!
//! An owner's jobs are read where they are. All others come from the index `started`, which has jobs by month and status and none of
//! their pages; what a page of the list shows is then read from the table itself.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use chrono::TimeDelta;
use domain::{IntegrationId, JobId, JobStatus, Owner, ProviderId, SyncJob, Timestamp};
use futures::future::try_join_all;

use super::read;
use crate::Store;
use crate::call::{Item, names, query_all, s, text, values};
use crate::cursor::Cursor;
use crate::error::Error;
use crate::items::job::JOB_DAYS;
use crate::keys::{self, Key};
use crate::newest::{Span, Strand, merge, months, strand};
use crate::retry::{TRIES, back_off};

/// For how long jobs are kept, so that the list looks back no further.
const KEPT: TimeDelta = TimeDelta::days(JOB_DAYS);

/// The most rows of one batched read.
const BATCH: usize = 100;

/// Which jobs are asked for; all that are named must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// At this provider.
    pub provider: Option<ProviderId>,
    /// In this status.
    pub status: Option<JobStatus>,
    /// Of this owner, formerly connected accounts included.
    pub owner: Option<Owner>,
    /// Asked for at this moment or later.
    pub from: Option<Timestamp>,
    /// Asked for before this moment.
    pub to: Option<Timestamp>,
}

impl JobFilter {
    fn takes(&self, job: &SyncJob) -> bool {
        self.provider.is_none_or(|provider| job.provider == provider)
            && self.status.is_none_or(|status| job.status == status)
            && self.owner.as_ref().is_none_or(|owner| job.owner == *owner)
    }
}

impl Store {
    /// At most `limit` jobs (up to 100), the newest first, and where the list goes on; a page may be short of `limit`, even empty, and the
    /// list still go on. A cursor of another kind of list gives an empty page. For an owner two or more consistent queries, one for
    /// each account; else up to five queries for each month, of an index that lags by moments, and one read.
    ///
    /// # Errors
    /// [`Error`] if a table cannot be read or a row makes no sense.
    pub async fn recent_jobs(
        &self,
        filter: &JobFilter,
        cursor: Option<&Cursor>,
        limit: u32,
        now: Timestamp,
    ) -> Result<(Vec<SyncJob>, Option<Cursor>), Error> {
        let limit = usize::try_from(limit).unwrap_or(BATCH).clamp(1, BATCH);
        let newest = now + TimeDelta::hours(1); // Another host's clock may be ahead.
        let to = filter.to.map_or(newest, |to| to.min(newest));
        let from = filter.from.map_or(now - KEPT, |from| from.max(now - KEPT));
        let below = match cursor {
            None => JobId::least_of(to),
            Some(cursor) => match cursor.sort_key(keys::JOB).and_then(keys::job_id) {
                Some(id) => id.min(JobId::least_of(to)),
                None => return Ok((Vec::new(), None)),
            },
        };
        let least = JobId::least_of(from);
        if below <= least {
            return Ok((Vec::new(), None));
        }
        let span = Span { least: keys::job_sort(least), below: keys::job_sort(below) };
        match &filter.owner {
            Some(owner) => self.jobs_of_owner(owner, filter, &span, limit).await,
            None => self.jobs_started(filter, &span, &months(from, below.made_at()), limit).await,
        }
    }

    /// A job by its id alone, found by the index: a query for each status, and a read.
    ///
    /// # Errors
    /// [`Error`] if a table cannot be read or the row makes no sense.
    pub async fn find_job(&self, id: JobId) -> Result<Option<SyncJob>, Error> {
        let sort_key = keys::job_sort(id);
        let asked = JobStatus::ALL.map(|status| {
            let call = self
                .client
                .query()
                .table_name(&self.tables.jobs)
                .index_name(keys::STARTED_INDEX)
                .key_condition_expression("#started_under = :under AND #sk = :sk")
                .set_expression_attribute_names(names(&["started_under", "sk"]))
                .set_expression_attribute_values(values([
                    ("under", s(keys::started_under(id, status))),
                    ("sk", s(&sort_key)),
                ]));
            query_all("find a sync job", call)
        });
        let found = try_join_all(asked).await?.into_iter().flatten().next();
        let integration = found.as_ref().and_then(|row| text(row, keys::PK)).and_then(keys::integration_of);
        match integration {
            Some(integration_id) => self.get_job(integration_id, id).await,
            None => Ok(None),
        }
    }

    /// Jobs of all integrations that an owner ever had, the present ones and those of accounts that were replaced.
    async fn jobs_of_owner(
        &self,
        owner: &Owner,
        filter: &JobFilter,
        span: &Span,
        limit: usize,
    ) -> Result<(Vec<SyncJob>, Option<Cursor>), Error> {
        let strands = try_join_all(self.accounts_of(owner, filter.provider).await?.into_iter().map(|integration_id| {
            let mut call = self
                .client
                .query()
                .table_name(&self.tables.jobs)
                .consistent_read(true)
                .set_expression_attribute_names(names(&["pk", "sk"]));
            if let Some(status) = filter.status {
                call = call
                    .filter_expression("#status = :status")
                    .expression_attribute_names("#status", "status")
                    .expression_attribute_values(":status", s(status.as_str()));
            }
            strand("list an owner's sync jobs", call, keys::of_integration(integration_id), span, limit)
        }))
        .await?;
        let merged = merge(strands, limit);
        let jobs = merged.rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok((jobs.into_iter().filter(|job| filter.takes(job)).collect(), merged.goes_on.map(Cursor::after)))
    }

    /// The ids of the integrations that an owner has or had, at one provider or all.
    async fn accounts_of(&self, owner: &Owner, provider: Option<ProviderId>) -> Result<Vec<IntegrationId>, Error> {
        let prefix =
            provider.map_or_else(|| keys::ACCOUNT.to_owned(), |provider| format!("{}{provider}#", keys::ACCOUNT));
        let call = self
            .client
            .query()
            .table_name(&self.tables.integrations)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .set_expression_attribute_names(names(&["pk", "sk"]))
            .set_expression_attribute_values(values([("pk", s(keys::owner(owner))), ("prefix", s(prefix))]))
            .consistent_read(true);
        let rows = query_all("list an owner's accounts", call).await?;
        let ids = rows.iter().map(|row| text(row, "integration_id").and_then(|id| id.parse().ok()));
        let mut ids: Vec<IntegrationId> =
            ids.collect::<Option<_>>().ok_or(Error::Corrupt { what: "a remembered account" })?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    async fn jobs_started(
        &self,
        filter: &JobFilter,
        span: &Span,
        months: &[String],
        limit: usize,
    ) -> Result<(Vec<SyncJob>, Option<Cursor>), Error> {
        let mut rows: Vec<Item> = Vec::new();
        let mut goes_on = None;
        for (place, month) in months.iter().enumerate() {
            let left = limit - rows.len();
            let merged = merge(self.month(filter, span, month, left).await?, left);
            rows.extend(merged.rows);
            goes_on = merged.goes_on;
            if goes_on.is_none() && rows.len() >= limit && place + 1 < months.len() {
                goes_on = rows.last().and_then(|row| text(row, keys::SK)).map(str::to_owned);
            }
            if goes_on.is_some() {
                break;
            }
        }
        let jobs = self.whole(&rows).await?;
        // The index lags: what has moved on since is left out, as it belongs to another list by now.
        Ok((jobs.into_iter().filter(|job| filter.takes(job)).collect(), goes_on.map(Cursor::after)))
    }

    /// The jobs of a month in the wanted statuses, as the index has them.
    async fn month(&self, filter: &JobFilter, span: &Span, month: &str, wanted: usize) -> Result<Vec<Strand>, Error> {
        let statuses = JobStatus::ALL.into_iter().filter(|status| filter.status.is_none_or(|asked| asked == *status));
        let asked = statuses.map(|status| {
            let mut call = self
                .client
                .query()
                .table_name(&self.tables.jobs)
                .index_name(keys::STARTED_INDEX)
                .expression_attribute_names("#pk", "started_under")
                .expression_attribute_names("#sk", keys::SK);
            if let Some(provider) = filter.provider {
                call = call
                    .filter_expression("#provider = :provider")
                    .expression_attribute_names("#provider", "provider")
                    .expression_attribute_values(":provider", s(provider.as_str()));
            }
            strand("list sync jobs", call, keys::started_in(month, status), span, wanted)
        });
        try_join_all(asked).await
    }

    /// The rows of these keys as the table has them, in their order; those that are gone are left out.
    async fn whole(&self, rows: &[Item]) -> Result<Vec<SyncJob>, Error> {
        const WHAT: &str = "read sync jobs";
        let wanted: Vec<Key> = rows
            .iter()
            .filter_map(|row| Some(Key { pk: text(row, keys::PK)?.to_owned(), sk: text(row, keys::SK)?.to_owned() }))
            .collect();
        let mut asked: Vec<HashMap<String, AttributeValue>> =
            wanted.iter().cloned().filter_map(Key::attributes).collect();
        let mut found: HashMap<String, SyncJob> = HashMap::new();
        for tries in 0..TRIES {
            if asked.is_empty() {
                return Ok(wanted.into_iter().filter_map(|key| found.remove(&key.sk)).collect());
            }
            let keys = KeysAndAttributes::builder().set_keys(Some(asked)).consistent_read(true).build();
            let keys = keys.map_err(|e| Error::malformed(WHAT, e))?;
            let call = self.client.batch_get_item().request_items(&self.tables.jobs, keys);
            let answer = call.send().await.map_err(|e| Error::dynamo(WHAT, e))?;
            for row in answer.responses.unwrap_or_default().into_values().flatten() {
                let sort_key = text(&row, keys::SK).unwrap_or_default().to_owned();
                found.insert(sort_key, read(row)?);
            }
            let left = answer.unprocessed_keys.unwrap_or_default().into_values();
            asked = left.flat_map(|keys| keys.keys).collect();
            if !asked.is_empty() {
                back_off(tries).await;
            }
        }
        Err(Error::unprocessed(WHAT))
    }
}
