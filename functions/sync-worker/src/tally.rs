//! Exact counts: the sum of what the resource records say this run did, and of what its pages say needed nothing.

use std::collections::HashSet;

use domain::job::FailedResource;
use domain::resource::{Outcome, Record};
use domain::{Counts, ExternalId, SyncJob};
use store::{PageRow, resource_key};

/// A sum under way.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Counts,
    failed: Vec<FailedResource>,
    /// Handed out and not reported yet.
    pub open: Vec<ExternalId>,
    /// Whether a failure is worth another try.
    pub retry_failed: bool,
}

impl Tally {
    /// Counts what became of a resource that was handed out by run number `run`. A later run's word counts too: it is the newer one.
    pub fn add(&mut self, id: &ExternalId, record: Option<&Record>, run: u64) {
        let last = record.and_then(|record| record.last_run).filter(|last| last.run >= run);
        let (Some(record), Some(last)) = (record, last) else {
            self.open.push(id.clone());
            return;
        };
        match last.outcome {
            Outcome::Synced => self.counts.synced += 1,
            Outcome::Unchanged => self.counts.unchanged += 1,
            Outcome::Deleted => self.counts.deleted += 1,
            Outcome::Skipped => self.counts.skipped += 1,
            Outcome::Failed => self.add_failure(record),
        }
    }

    /// Counts a failure.
    pub fn add_failure(&mut self, record: &Record) {
        self.counts.failed += 1;
        self.retry_failed |= record.retriable;
        self.failed.push(FailedResource {
            external_id: record.external_id.to_string(),
            name: Some(record.name.clone()),
            code: record.code.clone().unwrap_or_else(|| "unknown".to_owned()),
            reason: record.reason.clone().unwrap_or_default(),
        });
        if self.failed.len() >= 2 * SyncJob::MAX_FAILED_LISTED {
            self.keep_first_failures();
        }
    }

    /// The first failures by id: the same ones whatever order the records came in.
    fn keep_first_failures(&mut self) {
        self.failed.sort_by(|one, other| one.external_id.cmp(&other.external_id));
        self.failed.truncate(SyncJob::MAX_FAILED_LISTED);
    }

    /// The counts with what needed no worker, and the failures to list. What is still open is not counted as found.
    pub fn finish(mut self, pages: &[PageRow]) -> (Counts, Vec<FailedResource>) {
        let mut counted: HashSet<u128> = handed_out(pages).iter().map(|id| resource_key(id)).collect();
        // What was the same on one page and new on another was handed out; what is both same and skipped is counted once.
        for key in pages.iter().flat_map(|page| &page.unchanged) {
            self.counts.unchanged += u64::from(counted.insert(*key));
        }
        for key in pages.iter().flat_map(|page| &page.skipped) {
            self.counts.skipped += u64::from(counted.insert(*key));
        }
        let Counts { synced, unchanged, failed, deleted, skipped, .. } = self.counts;
        self.counts.found = synced + unchanged + failed + deleted + skipped;
        self.keep_first_failures();
        (self.counts, self.failed)
    }
}

/// Everything that was handed out, each once.
pub(crate) fn handed_out(pages: &[PageRow]) -> Vec<&ExternalId> {
    let mut ids: Vec<&ExternalId> = pages.iter().flat_map(|page| &page.handed).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use domain::resource::{RecordState, RunOutcome};
    use domain::{JobId, ResourceKind, Timestamp};

    pub(crate) fn record(id: &str, run: u64, outcome: Outcome) -> Record {
        let at = Timestamp::from_timestamp(1, 0).unwrap();
        Record {
            external_id: ExternalId::new(id).unwrap(),
            kind: ResourceKind::File,
            name: id.to_uppercase(),
            mime_type: None,
            url: None,
            state: RecordState::Synced,
            revision: "1".to_owned(),
            content_hash: None,
            memory_id: None,
            stored_as: None,
            code: Some("too_large".to_owned()),
            reason: Some("more than 1 page".to_owned()),
            retriable: false,
            observed_at: at,
            last_synced_at: at,
            last_run: Some(RunOutcome { job_id: JobId::new(at), run, outcome }),
        }
    }

    fn page(handed: &[&str], unchanged: &[&str], skipped: &[&str]) -> PageRow {
        let ids = |names: &[&str]| names.iter().map(|name| ExternalId::new(*name).unwrap()).collect::<Vec<_>>();
        PageRow {
            listing: true,
            handed: ids(handed),
            unchanged: ids(unchanged).iter().map(resource_key).collect(),
            skipped: ids(skipped).iter().map(resource_key).collect(),
            ..PageRow::default()
        }
    }

    #[test]
    fn every_resource_counts_once_and_the_sum_holds() {
        let pages = [page(&["a", "b"], &["c", "d"], &["e"]), page(&["b", "c"], &["d"], &["e", "f"])];
        let mut tally = Tally::default();
        let outcomes = [("a", Outcome::Synced), ("b", Outcome::Failed), ("c", Outcome::Deleted)];
        for id in handed_out(&pages) {
            let outcome = outcomes.iter().find(|(name, _)| *name == id.as_str()).unwrap().1;
            tally.add(id, Some(&record(id.as_str(), 5, outcome)), 5);
        }
        assert!(tally.open.is_empty());
        let (counts, failed) = tally.finish(&pages);
        assert_eq!(counts, Counts { found: 6, synced: 1, unchanged: 1, failed: 1, deleted: 1, skipped: 2 });
        assert_eq!((failed[0].external_id.as_str(), failed[0].code.as_str()), ("b", "too_large"));
    }

    #[test]
    fn what_only_an_earlier_run_reported_is_open() {
        let mut tally = Tally::default();
        let id = ExternalId::new("a").unwrap();
        tally.add(&id, Some(&record("a", 4, Outcome::Synced)), 5);
        tally.add(&id, None, 5);
        assert_eq!(tally.open.len(), 2);
        assert_eq!(tally.finish(&[]).0, Counts::default());
    }

    #[test]
    fn the_list_of_failures_is_bounded_and_the_count_is_not() {
        let mut tally = Tally::default();
        for number in (0..450).rev() {
            let record = record(&format!("{number:03}"), 1, Outcome::Failed);
            tally.add(&record.external_id, Some(&record), 1);
        }
        let (counts, failed) = tally.finish(&[]);
        assert_eq!((counts.failed, failed.len()), (450, SyncJob::MAX_FAILED_LISTED));
        assert_eq!(failed.last().unwrap().external_id, "099");
    }
}
