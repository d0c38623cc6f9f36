//! When a run got how far: the marks that its pages leave.

use domain::{JobId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::call::{Item, decode, moment, n, names, number, s, values};
use crate::error::Error;
use crate::items::job::PAGE_WHAT;
use crate::keys;

/// The most pages that a timeline shows.
const MOST: i32 = 200;

/// What was on a page, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageNumbers {
    /// Resources handed to resource workers.
    pub handed_out: u64,
    /// Resources that were as before.
    pub unchanged: u64,
    /// Resources without text.
    pub skipped: u64,
    /// Resources that the provider says are gone.
    pub gone: u64,
}

/// A page of a run, and when it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageMark {
    /// The page's number within the run.
    pub page: u32,
    /// When it was recorded, the last time it was.
    pub recorded_at: Timestamp,
    /// Whether it is a page of the provider's listing, and not the deletions found at its end.
    pub listing: bool,
    /// What was on it.
    pub numbers: PageNumbers,
}

/// When a run got how far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// When a worker first took it up.
    pub claimed_at: Option<Timestamp>,
    /// How often a worker took it up.
    pub turns: u64,
    /// Its first pages, in their order.
    pub pages: Vec<PageMark>,
    /// Whether there are more pages than these.
    pub more_pages: bool,
}

impl Store {
    /// When a run got how far. Pages are kept for two weeks; of a run that is older only its taking up is known. Two reads.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or a row makes no sense.
    pub async fn timeline(&self, integration_id: domain::IntegrationId, job_id: JobId) -> Result<Timeline, Error> {
        let call = self
            .client
            .query()
            .table_name(&self.tables.jobs)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .filter_expression("#part = :first")
            .projection_expression("#page, #listing, #recorded_at, #numbers")
            .set_expression_attribute_names(names(&["pk", "sk", "part", "page", "listing", "recorded_at", "numbers"]))
            .set_expression_attribute_values(values([
                ("pk", s(keys::pages(job_id))),
                ("prefix", s(keys::PAGE)),
                ("first", n(0)),
            ]))
            .limit(MOST);
        let job = self.get("read a sync job", &self.tables.jobs, keys::job(integration_id, job_id));
        let pages = async { call.send().await.map_err(|e| Error::dynamo("read a sync job's timeline", e)) };
        let (job, pages) = tokio::try_join!(job, pages)?;
        let job = job.unwrap_or_default();
        Ok(Timeline {
            claimed_at: moment(&job, "claimed_at"),
            turns: number(&job, "fence").unwrap_or_default(),
            more_pages: pages.last_evaluated_key.is_some(),
            pages: pages
                .items
                .unwrap_or_default()
                .into_iter()
                .filter_map(|row| mark(row).transpose())
                .collect::<Result<_, _>>()?,
        })
    }
}

/// A page's mark; `None` for a row from before pages were dated.
fn mark(row: Item) -> Result<Option<PageMark>, Error> {
    #[derive(Deserialize)]
    struct Marked {
        page: u32,
        listing: bool,
        #[serde(default)]
        numbers: PageNumbers,
    }
    let Some(recorded_at) = moment(&row, "recorded_at") else { return Ok(None) };
    let Marked { page, listing, numbers } = decode(PAGE_WHAT, row)?;
    Ok(Some(PageMark { page, recorded_at, listing, numbers }))
}
