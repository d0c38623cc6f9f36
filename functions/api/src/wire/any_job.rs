//! A sync as those who run the platform see it: whose it is, and when it got how far.

use domain::{Integration, Status, SyncJob, Timestamp};
use serde::Serialize;
use store::Timeline;
use utoipa::ToSchema;

use super::dead_letter::OwnerOf;
use super::job::SyncJobRow;
use super::words;

/// A sync, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnedSyncJob)]
pub struct AnyJobRow {
    #[serde(flatten)]
    job: SyncJobRow,
    /// Whose integration.
    owner: OwnerOf,
}

/// A sync with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncJobDetails)]
pub struct JobDetailsRow {
    #[serde(flatten)]
    job: SyncJobRow,
    /// Whose integration.
    owner: OwnerOf,
    /// The integration as it is now. Null: it is another account's by now.
    integration: Option<IntegrationOf>,
    /// How often a worker took it up.
    turns: u64,
    /// How often in a row the provider did not answer.
    outages: u32,
    /// What happened when, the earliest first; pages are known for two weeks.
    timeline: Vec<MomentRow>,
    /// Whether it has more pages than the timeline shows.
    more_pages: bool,
}

/// The integration of a sync.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IntegrationOfSyncJob)]
pub struct IntegrationOf {
    /// Where it stands.
    #[schema(schema_with = words::status)]
    status: Status,
    /// The account as people know it.
    account_name: Option<String>,
    /// Why it is not ACTIVE, for people.
    last_error: Option<String>,
    /// Failures since the last success.
    failures_in_a_row: u32,
    /// When the scheduler looks at it next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_sync_at: Option<Timestamp>,
}

/// A moment of a sync.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncJobMoment)]
pub struct MomentRow {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What happened.
    #[schema(schema_with = words::moment)]
    event: &'static str,
    /// Which page, of `page` and `deletions`.
    page: Option<u32>,
    /// Resources on it that were handed to workers.
    handed_out: Option<u64>,
    /// Resources on it that were as before.
    unchanged: Option<u64>,
    /// Resources on it without text.
    skipped: Option<u64>,
    /// Resources on it that are gone at the provider.
    gone: Option<u64>,
}

impl MomentRow {
    const fn new(at: Timestamp, event: &'static str) -> Self {
        Self { at, event, page: None, handed_out: None, unchanged: None, skipped: None, gone: None }
    }
}

impl From<SyncJob> for AnyJobRow {
    fn from(job: SyncJob) -> Self {
        let owner = (&job.owner).into();
        Self { job: job.into(), owner }
    }
}

impl JobDetailsRow {
    /// The row of a job.
    pub fn new(job: SyncJob, timeline: Timeline, integration: Option<Integration>) -> Self {
        let integration = integration.map(|integration| IntegrationOf {
            status: integration.status,
            account_name: integration.account_name,
            last_error: integration.last_error,
            failures_in_a_row: integration.failures_in_a_row,
            next_sync_at: integration.due_at.filter(|_| integration.status.is_scheduled()),
        });
        let moments = moments(&job, &timeline);
        Self {
            owner: (&job.owner).into(),
            integration,
            turns: timeline.turns,
            outages: job.outages,
            timeline: moments,
            more_pages: timeline.more_pages,
            job: job.into(),
        }
    }
}

/// What happened when.
fn moments(job: &SyncJob, timeline: &Timeline) -> Vec<MomentRow> {
    let mut found = vec![MomentRow::new(job.started_at, "asked_for")];
    found.extend(timeline.claimed_at.map(|at| MomentRow::new(at, "taken_up")));
    found.extend(timeline.pages.iter().map(|page| MomentRow {
        page: Some(page.page),
        handed_out: Some(page.numbers.handed_out),
        unchanged: Some(page.numbers.unchanged),
        skipped: Some(page.numbers.skipped),
        gone: Some(page.numbers.gone),
        ..MomentRow::new(page.recorded_at, if page.listing { "page" } else { "deletions" })
    }));
    match job.completed_at {
        Some(at) => found.push(MomentRow::new(at, "ended")),
        None => found.push(MomentRow::new(job.progress_at, "last_progress")),
    }
    found.sort_by_key(|moment| moment.at);
    found
}

#[cfg(test)]
mod tests {
    use domain::{JobStatus, SyncMode};
    use store::{PageMark, PageNumbers};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn job() -> SyncJob {
        let of = domain::testing::integration("organization/acme", at(0)).unwrap();
        let job = domain::testing::job(&of, SyncMode::Full, at(0));
        SyncJob { status: JobStatus::Running, outages: 2, progress_at: at(9), fence: 3, ..job }
    }

    #[test]
    fn what_happened_is_told_in_its_order() {
        let page = |page, second, listing| PageMark {
            page,
            recorded_at: at(second),
            listing,
            numbers: PageNumbers { handed_out: 4, ..PageNumbers::default() },
        };
        let timeline = Timeline {
            claimed_at: Some(at(1)),
            turns: 3,
            pages: vec![page(0, 5, true), page(1, 3, true), page(2, 8, false)],
            more_pages: false,
        };
        let told = |job: &SyncJob| {
            moments(job, &timeline).iter().map(|moment| (moment.event, moment.page)).collect::<Vec<_>>()
        };
        let running = [
            ("asked_for", None),
            ("taken_up", None),
            ("page", Some(1)),
            ("page", Some(0)),
            ("deletions", Some(2)),
            ("last_progress", None),
        ];
        assert_eq!(told(&job()), running);
        let ended = SyncJob { status: JobStatus::Completed, completed_at: Some(at(20)), ..job() };
        assert_eq!(told(&ended).last(), Some(&("ended", None)));
        let row = serde_json::to_value(JobDetailsRow::new(ended, timeline, None)).unwrap();
        assert_eq!(row["owner"], serde_json::json!({"kind": "organization", "id": "acme"}));
        assert_eq!((row["status"].as_str(), row["turns"].as_u64()), (Some("COMPLETED"), Some(3)));
    }
}
