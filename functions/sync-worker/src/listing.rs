//! Lists, page by page, and hands out what is new. Every page is on the queue before its checkpoint is written, so a crash
//! repeats a page and never skips one.

use std::collections::{HashMap, HashSet};

use domain::message::RunRef;
use domain::rate::after;
use domain::{ExternalId, SyncMode, Timestamp};
use providers::error::{Kind, ProviderError};
use providers::provider::{Call, From as ListFrom, ListRequest, Listed, Page};
use store::{PageRow, resource_key};

use crate::compare::{Known, Records, Verdict, decide};
use crate::failure::Halt;
use crate::hand_out::listed_messages;
use crate::run::Run;
use crate::worker::SyncWorker;

/// Times that a listing is begun anew in one turn because the provider no longer accepts the page cursor.
const RESTARTS: u32 = 3;

/// What a turn knows of its listing.
#[derive(Default)]
struct Slice {
    /// Page cursors that were used: a repeated one is a loop.
    cursors: HashSet<String>,
    restarts: u32,
    /// All records of the integration, once read; for full listings.
    records: Option<Records>,
}

impl SyncWorker {
    /// Lists until the provider's listing has come to its end.
    ///
    /// # Errors
    /// [`Halt`]; the checkpoint says where to go on.
    pub(crate) async fn list(&self, run: &mut Run) -> Result<(), Halt> {
        let mut slice = Slice::default();
        while !run.job.checkpoint.ended {
            run.check_time(self.clock.now())?;
            self.check_backlog(run)?;
            self.take_start_cursor(run).await?;
            let listed_at = self.clock.now();
            match self.page(run).await? {
                Ok(page) if page.relist && run.job.mode == SyncMode::Incremental => relist(run, &mut slice),
                Ok(page) => self.take_page(run, &mut slice, page, listed_at).await?,
                Err(error) => match recovery(&error.kind, run.job.mode, run.job.checkpoint.page_cursor.is_some()) {
                    Some(Recovery::Relist) => relist(run, &mut slice),
                    Some(Recovery::Restart) if slice.restarts < RESTARTS => restart(run, &mut slice),
                    Some(Recovery::Restart) | None => return Err(error.into()),
                },
            }
        }
        Ok(())
    }

    /// A full listing needs to know first from where changes are to be read later: nothing may fall between the two.
    async fn take_start_cursor(&self, run: &mut Run) -> Result<(), Halt> {
        if run.job.mode == SyncMode::Incremental && run.integration.change_cursor.is_none() {
            run.job.mode = SyncMode::Full;
        }
        if run.job.mode == SyncMode::Incremental || run.job.checkpoint.changes_from.is_some() {
            return Ok(());
        }
        let config = run.integration.config.clone();
        let cursor = self.ask(run, async |provider, access| provider.start_cursor(access, &config).await).await??;
        run.job.checkpoint.changes_from = Some(cursor);
        self.checkpoint(run, None).await
    }

    async fn page(&self, run: &mut Run) -> Result<Result<Page, ProviderError>, Halt> {
        let config = run.integration.config.clone();
        let cursor = run.integration.change_cursor.clone().filter(|_| run.job.mode == SyncMode::Incremental);
        let page = run.job.checkpoint.page_cursor.clone();
        self.ask(run, async |provider, access| {
            let from = cursor.as_deref().map_or(ListFrom::Everything, ListFrom::Cursor);
            provider.list(access, ListRequest { config: &config, from, page: page.as_deref() }).await
        })
        .await
    }

    /// Compares a page, hands out, and writes the checkpoint.
    async fn take_page(&self, run: &mut Run, slice: &mut Slice, page: Page, listed_at: Timestamp) -> Result<(), Halt> {
        check_page(&page, run, slice)?;
        let checkpoint = &mut run.job.checkpoint;
        checkpoint.ended = page.next.is_none();
        checkpoint.page_cursor.clone_from(&page.next);
        let pages_left = page.pages_left.filter(|_| page.next.is_some());
        if checkpoint.ended && run.job.mode == SyncMode::Incremental {
            checkpoint.changes_from.clone_from(&page.cursor);
        }
        if checkpoint.pages == 0 && checkpoint.ended && page.resources.is_empty() && page.gone.is_empty() {
            // Nothing has changed, as most times: the run may end without a page of its own.
            return Ok(());
        }
        let number = checkpoint.pages;
        let fresh = match run.job.mode {
            SyncMode::Full => None,
            SyncMode::Incremental => Some(self.records_of_page(run, &page).await?),
        };
        if fresh.is_none() && slice.records.is_none() {
            slice.records = Some(self.all_records(run).await?);
        }
        let none = Records::new();
        let records = fresh.as_ref().or(slice.records.as_ref()).unwrap_or(&none);
        let sorted = sort(page, records, number);
        self.hand_out(run, listed_messages(sorted.handed, &run.integration.reference(), run_ref(run), listed_at))
            .await?;
        let (checkpoint, counts) = (&mut run.job.checkpoint, &mut run.job.counts);
        checkpoint.pages += 1;
        checkpoint.handed_out += sorted.row.handed.len() as u64;
        checkpoint.unchanged += sorted.row.unchanged.len() as u64;
        checkpoint.skipped += sorted.row.skipped.len() as u64;
        // What people see while the run lasts; the exact counts are taken at its end.
        counts.found += sorted.row.seen.len() as u64;
        counts.unchanged = checkpoint.unchanged;
        counts.skipped = checkpoint.skipped;
        self.expect_end(run, pages_left).await?;
        self.checkpoint(run, Some(&sorted.row)).await
    }

    /// Writes down when the listing will be done, where the provider says how much of it is left.
    async fn expect_end(&self, run: &mut Run, pages_left: Option<u32>) -> Result<(), Halt> {
        run.job.checkpoint.listing_ends_at = match pages_left {
            None => None,
            Some(pages) => {
                let (_, budget) = self.meter(&run.integration, Call::List).await?;
                Some(after(self.clock.now(), budget.minute.takes(pages)))
            }
        };
        Ok(())
    }

    async fn records_of_page(&self, run: &Run, page: &Page) -> Result<Records, Halt> {
        let ids: Vec<ExternalId> = page.resources.iter().map(|listed| listed.resource.external_id.clone()).collect();
        let records = self.store.get_records(run.integration.id, &ids).await?;
        Ok(records
            .values()
            .map(|record| Known::of_record(record, run.job.id, run.integration.storage_strategy))
            .collect())
    }

    async fn all_records(&self, run: &Run) -> Result<Records, Halt> {
        let mut records = Records::new();
        self.store
            .for_each_record(run.integration.id, |mark| {
                records.extend([Known::of_mark(&mark, run.job.id, run.integration.storage_strategy)]);
            })
            .await?;
        Ok(records)
    }

    /// Writes the checkpoint, with a page's record if there is one.
    pub(crate) async fn checkpoint(&self, run: &mut Run, row: Option<&PageRow>) -> Result<(), Halt> {
        run.job.progress_at = self.clock.now();
        let ours = self.store.checkpoint(&run.job, row, run.job.progress_at, run.lease()).await?;
        if ours { Ok(()) } else { Err(Halt::Superseded) }
    }
}

/// The run as messages name it.
pub(crate) const fn run_ref(run: &Run) -> RunRef {
    RunRef { job_id: run.job.id, run: run.job.run }
}

/// What can be done in the run itself about a listing that the provider refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recovery {
    /// List everything.
    Relist,
    /// Begin this listing anew.
    Restart,
}

fn recovery(kind: &Kind, mode: SyncMode, has_page: bool) -> Option<Recovery> {
    match (kind, mode) {
        (Kind::CursorExpired, SyncMode::Incremental) => Some(Recovery::Relist),
        // A page is made of several calls, whose own cursors may expire before the first page has one of ours.
        (Kind::PageExpired, _) => Some(Recovery::Restart),
        (Kind::CursorExpired, SyncMode::Full) if has_page => Some(Recovery::Restart),
        _ => None,
    }
}

/// The changes cannot be told from the cursor: the same run becomes a full one. Pages recorded so far count on.
fn relist(run: &mut Run, slice: &mut Slice) {
    tracing::info!(job.id = %run.job.id, "the changes cannot be told one by one; everything is listed");
    run.job.mode = SyncMode::Full;
    run.job.checkpoint.changes_from = None;
    run.job.checkpoint.page_cursor = None;
    slice.cursors.clear();
}

fn restart(run: &mut Run, slice: &mut Slice) {
    tracing::info!(job.id = %run.job.id, "the page cursor has expired; the listing begins anew");
    run.job.checkpoint.page_cursor = None;
    slice.cursors.clear();
    slice.restarts += 1;
}

/// A page whose successor was listed before, or a last page of changes without a cursor, is not to be believed.
fn check_page(page: &Page, run: &Run, slice: &mut Slice) -> Result<(), Halt> {
    let malformed =
        |what: &str| Err(Halt::from(ProviderError::new(run.integration.provider, Kind::Malformed(what.to_owned()))));
    slice.cursors.extend(run.job.checkpoint.page_cursor.clone());
    match &page.next {
        Some(next) if slice.cursors.contains(next) => malformed("the listing runs in a circle"),
        None if page.cursor.is_none() && run.job.mode == SyncMode::Incremental => {
            malformed("the changes end without a cursor")
        }
        _ => Ok(()),
    }
}

/// A page, sorted into what is to be done.
struct Sorted {
    row: PageRow,
    handed: Vec<Listed>,
}

fn sort(page: Page, records: &Records, number: u32) -> Sorted {
    // A resource that stands twice on a page is one; its later entry is the newer.
    let mut places = HashMap::new();
    for (place, listed) in page.resources.iter().enumerate() {
        places.insert(resource_key(&listed.resource.external_id), place);
    }
    let mut row = PageRow { page: number, listing: true, ..PageRow::default() };
    let mut handed = Vec::new();
    for (place, listed) in page.resources.into_iter().enumerate() {
        let key = resource_key(&listed.resource.external_id);
        if places.get(&key) != Some(&place) {
            continue;
        }
        row.seen.push(key);
        match decide(&listed.resource, listed.text.is_some(), records.get(&key)) {
            Verdict::Unchanged => row.unchanged.push(key),
            Verdict::Skip => row.skipped.push(key),
            Verdict::HandOut => {
                row.handed.push(listed.resource.external_id.clone());
                handed.push(listed);
            }
        }
    }
    row.gone = page.gone.into_iter().map(|gone| (gone.external_id, gone.reason)).collect();
    Sorted { row, handed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::resource;
    use domain::resource::DeleteReason;
    use providers::provider::Gone;

    fn listed(id: &str, mime_type: &str, revision: &str) -> Listed {
        Listed { resource: resource(id, mime_type, revision), text: None }
    }

    #[test]
    fn a_page_is_sorted_and_says_what_was_on_it() {
        let page = Page {
            resources: vec![
                listed("a", "text/plain", "1"),
                listed("b", "video/mp4", "1"),
                listed("a", "text/plain", "2"),
            ],
            gone: vec![Gone { external_id: ExternalId::new("c").unwrap(), reason: DeleteReason::Trashed }],
            ..Page::default()
        };
        let Sorted { row, handed } = sort(page, &Records::new(), 3);
        assert_eq!((row.page, row.listing, row.seen.len()), (3, true, 2));
        assert_eq!(row.handed, [ExternalId::new("a").unwrap()]);
        assert_eq!(handed[0].resource.revision, "2", "the later entry counts");
        assert_eq!(row.skipped, [resource_key(&ExternalId::new("b").unwrap())]);
        assert_eq!(row.gone, [(ExternalId::new("c").unwrap(), DeleteReason::Trashed)]);
    }

    #[test]
    fn an_expired_cursor_lists_everything_and_an_expired_page_begins_anew() {
        let check = |kind: Kind, mode, has_page, expected| assert_eq!(recovery(&kind, mode, has_page), expected);
        check(Kind::CursorExpired, SyncMode::Incremental, false, Some(Recovery::Relist));
        check(Kind::CursorExpired, SyncMode::Incremental, true, Some(Recovery::Relist));
        check(Kind::PageExpired, SyncMode::Full, true, Some(Recovery::Restart));
        check(Kind::PageExpired, SyncMode::Incremental, true, Some(Recovery::Restart));
        check(Kind::PageExpired, SyncMode::Full, false, Some(Recovery::Restart));
        check(Kind::CursorExpired, SyncMode::Full, false, None);
        check(Kind::Unavailable, SyncMode::Full, true, None);
    }
}
