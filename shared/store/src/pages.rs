//! What a run did page by page: the rows from which its counts and its deletions are reckoned at the end.

use domain::resource::DeleteReason;
use domain::{ExternalId, JobId, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::Store;
use crate::call::{decode, names, query_all, s, values};
use crate::error::Error;
use crate::items::Binary;
use crate::items::job::{PAGE_WHAT, PageItem};
use crate::jobs::PageNumbers;
use crate::keys;

/// How long pages are kept; a run takes hours at most.
const PAGE_DAYS: i64 = 14;

/// The most that one row may hold. DynamoDB's limit is 400 KB; the rest is for what is not counted here.
const PART_BYTES: usize = 350_000;

/// What was on a page and what was done about it. A page that is listed again replaces its row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageRow {
    /// The page's number within the run.
    pub page: u32,
    /// Whether it is a page of the provider's listing (and not, say, the deletions found at its end).
    pub listing: bool,
    /// [`resource_key`]s of all resources on it.
    pub seen: Vec<u128>,
    /// Resources handed to resource workers.
    pub handed: Vec<ExternalId>,
    /// [`resource_key`]s of those that were the same as stored.
    pub unchanged: Vec<u128>,
    /// [`resource_key`]s of those that carry no text.
    pub skipped: Vec<u128>,
    /// Resources that the provider says are gone, and why.
    pub gone: Vec<(ExternalId, DeleteReason)>,
}

/// The first 16 bytes of the SHA-256 of an external id: as good as the id for telling resources apart, and small.
#[must_use]
pub fn resource_key(external_id: &ExternalId) -> u128 {
    let hash = Sha256::digest(external_id.as_str());
    hash.iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte))
}

impl Store {
    /// All pages of a run, in the order of their numbers. One consistent query, one request per MiB.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or a row makes no sense.
    pub async fn pages(&self, job_id: JobId) -> Result<Vec<PageRow>, Error> {
        let call = self
            .client
            .query()
            .table_name(&self.tables.jobs)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .set_expression_attribute_names(names(&["pk", "sk"]))
            .set_expression_attribute_values(values([("pk", s(keys::pages(job_id))), ("prefix", s(keys::PAGE))]))
            .consistent_read(true);
        let rows = query_all("read the pages of a sync job", call).await?;
        join(rows.into_iter().map(|row| decode(PAGE_WHAT, row)).collect::<Result<_, _>>()?)
    }
}

/// A page as rows that DynamoDB takes; at least one, the first of which says how many count.
pub(crate) fn rows(job_id: JobId, page: &PageRow, fence: u64, now: Timestamp) -> Vec<PageItem> {
    let parts = split(page);
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let numbers = PageNumbers {
        handed_out: page.handed.len() as u64,
        unchanged: page.unchanged.len() as u64,
        skipped: page.skipped.len() as u64,
        gone: page.gone.len() as u64,
    };
    let numbered = parts.into_iter().zip(0u32..);
    numbered
        .map(|(part, number)| {
            let key = keys::page(job_id, page.page, number);
            PageItem {
                pk: key.pk,
                sk: key.sk,
                page: page.page,
                part: number,
                parts: count,
                listing: page.listing,
                fence,
                seen: Binary::of_keys(&part.seen),
                handed: part.handed,
                unchanged: Binary::of_keys(&part.unchanged),
                skipped: Binary::of_keys(&part.skipped),
                gone: part.gone,
                recorded_at: (number == 0).then_some(now),
                numbers: (number == 0).then_some(numbers),
                expires_at: now.timestamp() + PAGE_DAYS * 86_400,
            }
        })
        .collect()
}

/// Fills one part after the other.
struct Splitter {
    full: Vec<PageRow>,
    open: PageRow,
    open_bytes: usize,
}

impl Splitter {
    /// A part with room for `bytes` more.
    fn room(&mut self, bytes: usize) -> &mut PageRow {
        if self.open_bytes + bytes > PART_BYTES {
            self.full.push(std::mem::take(&mut self.open));
            self.open_bytes = 0;
        }
        self.open_bytes += bytes;
        &mut self.open
    }
}

fn split(page: &PageRow) -> Vec<PageRow> {
    /// Bytes of a key, and bytes that DynamoDB counts for a list's element beside the text itself, generously.
    const KEY: usize = 16;
    const ELEMENT: usize = 4;
    const REASON: usize = 24;
    let mut to = Splitter { full: Vec::new(), open: PageRow::default(), open_bytes: 0 };
    for key in &page.seen {
        to.room(KEY).seen.push(*key);
    }
    for id in &page.handed {
        to.room(id.as_str().len() + ELEMENT).handed.push(id.clone());
    }
    for key in &page.unchanged {
        to.room(KEY).unchanged.push(*key);
    }
    for key in &page.skipped {
        to.room(KEY).skipped.push(*key);
    }
    for (id, reason) in &page.gone {
        to.room(id.as_str().len() + ELEMENT + REASON).gone.push((id.clone(), *reason));
    }
    to.full.push(to.open);
    to.full
}

/// Parts, in order, back to pages. Parts beyond the number that the first one names are left over and do not count.
fn join(items: Vec<PageItem>) -> Result<Vec<PageRow>, Error> {
    let mut pages: Vec<PageRow> = Vec::new();
    let (mut number, mut parts, mut next) = (None, 0, 0);
    for item in items {
        if number != Some(item.page) {
            if next < parts {
                return Err(Error::Corrupt { what: PAGE_WHAT });
            }
            // Without its first part a page was never committed.
            (number, next) = (Some(item.page), 0);
            parts = if item.part == 0 { item.parts } else { 0 };
            if item.part == 0 {
                pages.push(PageRow { page: item.page, listing: item.listing, ..PageRow::default() });
            }
        }
        if item.part >= parts {
            continue;
        }
        let page = pages.last_mut().filter(|_| item.part == next).ok_or(Error::Corrupt { what: PAGE_WHAT })?;
        let keys = |binary: &Binary| binary.keys().ok_or(Error::Corrupt { what: PAGE_WHAT });
        page.seen.extend(keys(&item.seen)?);
        page.handed.extend(item.handed);
        page.unchanged.extend(keys(&item.unchanged)?);
        page.skipped.extend(keys(&item.skipped)?);
        page.gone.extend(item.gone);
        next += 1;
    }
    if next < parts { Err(Error::Corrupt { what: PAGE_WHAT }) } else { Ok(pages) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u32, ids: usize) -> PageRow {
        let ids: Vec<ExternalId> = (0..ids).map(|i| ExternalId::new(format!("{i:0>700}")).unwrap()).collect();
        PageRow {
            page: number,
            listing: true,
            seen: ids.iter().map(resource_key).collect(),
            handed: ids.clone(),
            unchanged: vec![1, 2],
            skipped: vec![3],
            gone: ids.into_iter().map(|id| (id, DeleteReason::Trashed)).collect(),
        }
    }

    fn items(page: &PageRow) -> Vec<PageItem> {
        let job_id = "01JD0000000000000000000001".parse().unwrap();
        rows(job_id, page, 1, Timestamp::from_timestamp(0, 0).unwrap())
    }

    #[test]
    fn a_large_page_is_split_and_read_back_whole() {
        let large = page(1, 2000);
        let parts = items(&large);
        assert!(parts.len() > 5, "{}", parts.len());
        let size = |part: &PageItem| -> usize {
            part.seen.0.len()
                + part.handed.iter().map(|id| id.as_str().len()).sum::<usize>()
                + part.gone.iter().map(|(id, _)| id.as_str().len()).sum::<usize>()
        };
        assert!(parts.iter().all(|part| size(part) <= PART_BYTES));
        assert_eq!(join(parts).unwrap(), [large]);
    }

    #[test]
    fn an_empty_page_is_one_row() {
        let empty = PageRow { page: 4, ..PageRow::default() };
        assert_eq!(items(&empty).len(), 1);
        assert_eq!(join(items(&empty)).unwrap(), [empty]);
    }

    #[test]
    fn parts_left_over_from_a_longer_attempt_do_not_count() {
        let (short, long) = (page(1, 1), page(1, 2000));
        let mut stored = items(&short);
        stored.extend(items(&long).into_iter().skip(1));
        stored.extend(items(&page(2, 1)));
        assert_eq!(join(stored).unwrap(), [short, page(2, 1)]);
    }

    #[test]
    fn a_page_without_its_first_part_was_never_written() {
        let torn = items(&page(1, 2000)).into_iter().skip(1).collect();
        assert_eq!(join(torn).unwrap(), []);
    }

    #[test]
    fn a_missing_part_is_noticed() {
        let mut torn = items(&page(1, 2000));
        torn.remove(2);
        assert!(matches!(join(torn), Err(Error::Corrupt { .. })));
        let mut short = items(&page(1, 2000));
        short.pop();
        short.extend(items(&page(2, 1)));
        assert!(matches!(join(short), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn a_key_is_the_front_of_the_hash() {
        let id = ExternalId::new("abc").unwrap();
        assert_eq!(format!("{:032x}", resource_key(&id)), "ba7816bf8f01cfea414140de5dae2223");
    }
}
