//! The row of a sync job, and the rows of its pages.

use chrono::serde::{ts_milliseconds, ts_milliseconds_option};
use domain::job::{Checkpoint, FailedResource};
use domain::resource::DeleteReason;
use domain::{
    Counts, ExternalId, IntegrationId, JobId, JobStatus, Owner, ProviderId, SyncJob, SyncMode, Timestamp, Trigger,
};
use serde::{Deserialize, Serialize};

use super::Binary;
use crate::error::Error;
use crate::jobs::PageNumbers;
use crate::keys;

/// What the row is called in errors.
pub(crate) const WHAT: &str = "a sync job";
/// What a page's row is called in errors.
pub(crate) const PAGE_WHAT: &str = "a page of a sync job";

/// How long a job is kept.
pub(crate) const JOB_DAYS: i64 = 90;

#[derive(Serialize, Deserialize)]
pub(crate) struct JobItem {
    pub(crate) pk: String,
    pub(crate) sk: String,
    pub(crate) job_id: JobId,
    pub(crate) integration_id: IntegrationId,
    pub(crate) owner: String,
    pub(crate) provider: ProviderId,
    pub(crate) mode: SyncMode,
    pub(crate) trigger: Trigger,
    pub(crate) run: u64,
    pub(crate) status: JobStatus,
    #[serde(with = "ts_milliseconds")]
    pub(crate) started_at: Timestamp,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_message: Option<String>,
    #[serde(default)]
    pub(crate) failed_resources: Vec<FailedResource>,
    pub(crate) checkpoint: CheckpointItem,
    /// Beside the checkpoint, because resource workers add to it while the checkpoint is replaced.
    pub(crate) reported: u64,
    #[serde(default)]
    pub(crate) deletes_confirmed: bool,
    #[serde(default)]
    pub(crate) outages: u32,
    #[serde(with = "ts_milliseconds")]
    pub(crate) progress_at: Timestamp,
    pub(crate) fence: u64,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) lease_until: Option<Timestamp>,
    /// The partition of the index `started`; absent in rows from before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started_under: Option<String>,
    /// Epoch seconds.
    pub(crate) expires_at: i64,
}

/// A checkpoint without what stands beside it.
#[derive(Serialize, Deserialize)]
pub(crate) struct CheckpointItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page_cursor: Option<String>,
    pages: u32,
    ended: bool,
    listed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changes_from: Option<String>,
    handed_out: u64,
    unchanged: u64,
    #[serde(default)]
    skipped: u64,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    expected_end_at: Option<Timestamp>,
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    listing_ends_at: Option<Timestamp>,
    #[serde(default)]
    rehanded: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed_count: Option<u64>,
}

impl From<&Checkpoint> for CheckpointItem {
    fn from(c: &Checkpoint) -> Self {
        Self {
            page_cursor: c.page_cursor.clone(),
            pages: c.pages,
            ended: c.ended,
            listed: c.listed,
            changes_from: c.changes_from.clone(),
            handed_out: c.handed_out,
            unchanged: c.unchanged,
            skipped: c.skipped,
            expected_end_at: c.expected_end_at,
            listing_ends_at: c.listing_ends_at,
            rehanded: c.rehanded,
            confirmed_count: c.confirmed_count,
        }
    }
}

impl From<&SyncJob> for JobItem {
    fn from(job: &SyncJob) -> Self {
        let key = keys::job(job.integration_id, job.id);
        Self {
            pk: key.pk,
            sk: key.sk,
            job_id: job.id,
            integration_id: job.integration_id,
            owner: job.owner.to_string(),
            provider: job.provider,
            mode: job.mode,
            trigger: job.trigger,
            run: job.run,
            status: job.status,
            started_at: job.started_at,
            completed_at: job.completed_at,
            counts: job.counts,
            error_message: job.error_message.clone(),
            failed_resources: job.failed_resources.clone(),
            checkpoint: (&job.checkpoint).into(),
            reported: job.checkpoint.reported,
            deletes_confirmed: job.deletes_confirmed,
            outages: job.outages,
            progress_at: job.progress_at,
            fence: job.fence,
            lease_until: None,
            started_under: Some(keys::started_under(job.id, job.status)),
            expires_at: job.started_at.timestamp() + JOB_DAYS * 86_400,
        }
    }
}

impl TryFrom<JobItem> for SyncJob {
    type Error = Error;

    fn try_from(item: JobItem) -> Result<Self, Error> {
        let owner: Owner = item.owner.parse().map_err(|_| Error::Corrupt { what: WHAT })?;
        let c = item.checkpoint;
        Ok(Self {
            id: item.job_id,
            integration_id: item.integration_id,
            owner,
            provider: item.provider,
            mode: item.mode,
            trigger: item.trigger,
            run: item.run,
            status: item.status,
            started_at: item.started_at,
            completed_at: item.completed_at,
            counts: item.counts,
            error_message: item.error_message,
            failed_resources: item.failed_resources,
            checkpoint: Checkpoint {
                page_cursor: c.page_cursor,
                pages: c.pages,
                ended: c.ended,
                listed: c.listed,
                changes_from: c.changes_from,
                handed_out: c.handed_out,
                unchanged: c.unchanged,
                skipped: c.skipped,
                reported: item.reported,
                expected_end_at: c.expected_end_at,
                listing_ends_at: c.listing_ends_at,
                rehanded: c.rehanded,
                confirmed_count: c.confirmed_count,
            },
            deletes_confirmed: item.deletes_confirmed,
            outages: item.outages,
            progress_at: item.progress_at,
            fence: item.fence,
        })
    }
}

/// One part of a page. Part 0 says how many parts count; others may be left over from an attempt that did not finish.
#[derive(Serialize, Deserialize)]
pub(crate) struct PageItem {
    pub(crate) pk: String,
    pub(crate) sk: String,
    pub(crate) page: u32,
    pub(crate) part: u32,
    pub(crate) parts: u32,
    pub(crate) listing: bool,
    /// The fencing number of the worker that wrote it.
    pub(crate) fence: u64,
    #[serde(default, skip_serializing_if = "Binary::is_empty")]
    pub(crate) seen: Binary,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) handed: Vec<ExternalId>,
    #[serde(default, skip_serializing_if = "Binary::is_empty")]
    pub(crate) unchanged: Binary,
    #[serde(default, skip_serializing_if = "Binary::is_empty")]
    pub(crate) skipped: Binary,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gone: Vec<(ExternalId, DeleteReason)>,
    /// When it was written, and the sums of all parts: in part 0, for the run's timeline.
    #[serde(default, with = "ts_milliseconds_option", skip_serializing_if = "Option::is_none")]
    pub(crate) recorded_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) numbers: Option<PageNumbers>,
    /// Epoch seconds.
    pub(crate) expires_at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{decode, encode_item};

    #[test]
    fn a_job_reads_back_as_written() {
        let at = |ms| Timestamp::from_timestamp_millis(ms).unwrap();
        let job = SyncJob {
            id: "01JD0000000000000000000001".parse().unwrap(),
            integration_id: "01JD0000000000000000000000".parse().unwrap(),
            owner: "user/ada".parse().unwrap(),
            provider: ProviderId::GoogleDrive,
            mode: SyncMode::Incremental,
            trigger: Trigger::Webhook,
            run: 3,
            status: JobStatus::Failed,
            started_at: at(1000),
            completed_at: Some(at(2000)),
            counts: Counts { found: 3, synced: 1, unchanged: 1, failed: 1, deleted: 0, skipped: 0 },
            error_message: Some("why".to_owned()),
            failed_resources: vec![FailedResource {
                external_id: "x".to_owned(),
                name: None,
                code: "too_large".to_owned(),
                reason: "too large".to_owned(),
            }],
            checkpoint: Checkpoint {
                page_cursor: Some("p".to_owned()),
                pages: 2,
                ended: true,
                listed: true,
                changes_from: None,
                handed_out: 2,
                unchanged: 1,
                skipped: 0,
                expected_end_at: None,
                listing_ends_at: None,
                rehanded: 0,
                confirmed_count: Some(60),
                reported: 2,
            },
            deletes_confirmed: true,
            outages: 1,
            progress_at: at(1500),
            fence: 4,
        };
        let item: JobItem = decode(WHAT, encode_item(JobItem::from(&job)).unwrap()).unwrap();
        assert_eq!(item.expires_at, 1 + 90 * 86_400);
        assert_eq!(SyncJob::try_from(item).unwrap(), job);
    }
}
