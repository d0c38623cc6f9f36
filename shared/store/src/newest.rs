//! Lists from the newest row to the oldest that stand in several partitions: by month, by state. Their sort keys are ids that sort by
//! time, so that a place in the list is a sort key, whichever partitions it is read from.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use chrono::Datelike as _;
use domain::Timestamp;

use crate::call::{Item, s, text};
use crate::error::Error;
use crate::keys;

/// Rows that a query looks at where a filter sorts them out; DynamoDB counts before it filters.
const LOOKED_AT: i32 = 1000;
/// Requests for one partition. A list whose filter finds too little in them goes on with the next page.
const REQUESTS: u32 = 4;

/// What was read of one partition.
pub(crate) struct Strand {
    /// The newest first.
    rows: Vec<Item>,
    /// The sort key down to which it was read; `None`: to its end.
    read_to: Option<String>,
}

/// Rows of several strands, the newest first.
pub(crate) struct Merged {
    pub(crate) rows: Vec<Item>,
    /// The sort key after which the list goes on in these partitions; `None`: they are done with.
    pub(crate) goes_on: Option<String>,
}

/// Sort keys from `least` on, and below `below`.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) least: String,
    pub(crate) below: String,
}

/// The months from `to` back to `from`, as partitions name them: `2026-11`.
pub(crate) fn months(from: Timestamp, to: Timestamp) -> Vec<String> {
    let number = |at: Timestamp| i64::from(at.year()) * 12 + i64::from(at.month0());
    (number(from)..=number(to))
        .rev()
        .map(|month| format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1))
        .collect()
}

/// The month of a moment.
pub(crate) fn month(at: Timestamp) -> String {
    format!("{:04}-{:02}", at.year(), at.month())
}

/// Reads a partition from its newest row on, until `wanted` rows are found. The call has its table, index, filter and the
/// names `#pk` and `#sk`; the partition and the span are set here.
pub(crate) async fn strand(
    what: &'static str,
    call: QueryFluentBuilder,
    partition: String,
    span: &Span,
    wanted: usize,
) -> Result<Strand, Error> {
    let is_filtered = call.get_filter_expression().is_some();
    // One more, because the row at `below` is read along.
    let exact = i32::try_from(wanted.saturating_add(1)).unwrap_or(i32::MAX);
    let mut call = call
        .key_condition_expression("#pk = :pk AND #sk BETWEEN :least AND :below")
        .expression_attribute_values(":pk", s(partition))
        .expression_attribute_values(":least", s(&span.least))
        .expression_attribute_values(":below", s(&span.below))
        .scan_index_forward(false)
        .limit(if is_filtered { LOOKED_AT } else { exact });
    let mut rows: Vec<Item> = Vec::new();
    for _ in 0..REQUESTS {
        let page = call.clone().send().await.map_err(|e| Error::dynamo(what, e))?;
        let found = page.items.unwrap_or_default();
        rows.extend(found.into_iter().filter(|row| text(row, keys::SK).is_some_and(|sk| sk < span.below.as_str())));
        let Some(last) = page.last_evaluated_key else { return Ok(Strand { rows, read_to: None }) };
        if rows.len() >= wanted {
            let read_to = rows.last().and_then(|row| text(row, keys::SK)).map(str::to_owned);
            return Ok(Strand { rows, read_to });
        }
        call = call.set_exclusive_start_key(Some(last));
    }
    let read_to = call.get_exclusive_start_key().as_ref().and_then(|key| text(key, keys::SK)).map(str::to_owned);
    Ok(Strand { rows, read_to })
}

/// The first `limit` rows of all strands together. Below the place down to which the least read strand was read, nothing is
/// certain, so the list stops there. A row that moved from one partition to another meanwhile is taken once.
pub(crate) fn merge(strands: Vec<Strand>, limit: usize) -> Merged {
    let floor = strands.iter().filter_map(|strand| strand.read_to.clone()).max();
    let sort_key = |row: &Item| text(row, keys::SK).unwrap_or_default().to_owned();
    let mut rows: Vec<Item> = strands.into_iter().flat_map(|strand| strand.rows).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(sort_key(row)));
    rows.dedup_by_key(|row| sort_key(row));
    if let Some(floor) = &floor {
        rows.retain(|row| sort_key(row) >= *floor);
    }
    let goes_on = if rows.len() > limit {
        rows.truncate(limit);
        rows.last().map(sort_key)
    } else {
        floor
    };
    Merged { rows, goes_on }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn row(sk: &str) -> Item {
        Item::from([("sk".to_owned(), s(sk))])
    }

    fn strand(sks: &[&str], read_to: Option<&str>) -> Strand {
        Strand { rows: sks.iter().map(|sk| row(sk)).collect(), read_to: read_to.map(str::to_owned) }
    }

    fn check(strands: Vec<Strand>, limit: usize, expected: &[&str], goes_on: Option<&str>) {
        let merged = merge(strands, limit);
        let found: Vec<_> = merged.rows.iter().filter_map(|row| text(row, "sk")).collect();
        assert_eq!((found.as_slice(), merged.goes_on.as_deref()), (expected, goes_on));
    }

    #[test]
    fn the_newest_of_all_strands_come_first_and_once() {
        let strands = || vec![strand(&["9", "5", "1"], None), strand(&["8", "5", "2"], None)];
        check(strands(), 10, &["9", "8", "5", "2", "1"], None);
        check(strands(), 3, &["9", "8", "5"], Some("5"));
        check(strands(), 5, &["9", "8", "5", "2", "1"], None);
        check(Vec::new(), 5, &[], None);
    }

    #[test]
    fn nothing_is_told_below_the_place_to_which_everything_was_read() {
        check(vec![strand(&["9", "8"], Some("7")), strand(&["6", "3"], None)], 10, &["9", "8"], Some("7"));
        check(vec![strand(&[], Some("4")), strand(&["6", "3"], Some("3"))], 10, &["6"], Some("4"));
        check(vec![strand(&[], Some("4"))], 10, &[], Some("4"));
    }

    #[test]
    fn months_go_back_over_the_turn_of_the_year() {
        let found = months(at("2025-11-30T23:59:59Z"), at("2026-02-01T00:00:00Z"));
        assert_eq!(found, ["2026-02", "2026-01", "2025-12", "2025-11"]);
        assert_eq!(month(at("2026-02-01T00:00:00Z")), "2026-02");
        assert!(months(at("2026-02-01T00:00:00Z"), at("2026-01-01T00:00:00Z")).is_empty());
    }
}
