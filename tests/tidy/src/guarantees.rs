//! What `docs/guarantees.md` promises is tested: fifty rows, each with tests that exist, or with words on why it has none.

use std::collections::BTreeSet;

use crate::Complaint;

/// Rows of the table.
const ROWS: usize = 50;

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    number: usize,
    tests: Vec<&'a str>,
    open: &'a str,
}

/// Complains about rows that are missing or empty, tests that are named and do not exist, and tests that no row names.
#[must_use]
pub fn check(table: &str, sources: &[String]) -> Vec<Complaint> {
    let rows: Vec<Row> = table.lines().filter_map(row).collect();
    let existing: BTreeSet<&str> = sources.iter().flat_map(|source| tests_in(source)).collect();
    let mut complaints = Vec::new();
    for number in 1..=ROWS {
        match rows.iter().filter(|row| row.number == number).count() {
            1 => {}
            times => complaints.push(format!("guarantee {number} has {times} rows")),
        }
    }
    for row in &rows {
        if row.tests.is_empty() && row.open.is_empty() {
            complaints.push(format!("guarantee {} names no test and does not say why", row.number));
        }
        for test in &row.tests {
            if !existing.contains(test) {
                complaints.push(format!("guarantee {} names {test}, which does not exist", row.number));
            }
            if number_of(test) != Some(row.number) {
                complaints.push(format!("guarantee {} names {test}, which is another's", row.number));
            }
        }
    }
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| row.tests.iter().copied()).collect();
    complaints.extend(existing.difference(&named).map(|test| format!("{test} stands in no row")));
    complaints
}

/// A line of the table: `| number | what holds | tests | what is open |`.
fn row(line: &str) -> Option<Row<'_>> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [_, number, _, tests, open, _] = cells.as_slice() else { return None };
    let tests = tests.split('`').filter(|piece| piece.starts_with("guarantee_")).collect();
    Some(Row { number: number.parse().ok()?, tests, open })
}

/// The functions of a source, in Rust or Python, that are named after a guarantee.
fn tests_in(source: &str) -> Vec<&str> {
    let names = source.lines().filter_map(|line| {
        let line = line.trim_start().trim_start_matches("pub ").trim_start_matches("async ");
        let rest = line.strip_prefix("fn ").or_else(|| line.strip_prefix("def "))?;
        rest.split(['(', '<']).next().filter(|name| name.starts_with("guarantee_"))
    });
    names.collect()
}

fn number_of(test: &str) -> Option<usize> {
    test.strip_prefix("guarantee_")?.split('_').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assert_none, project};

    #[test]
    fn every_guarantee_is_proved_or_says_what_is_open() {
        let table = project::text("docs/guarantees.md").unwrap();
        let rust = project::sources().unwrap().into_iter().map(|(_, text)| text);
        let sources: Vec<String> = rust.chain(project::scripts().unwrap()).collect();
        assert_none(&check(&table, &sources));
    }

    #[test]
    fn a_table_that_promises_too_much_is_refused() {
        let whole: String =
            (1..=ROWS).map(|row| format!("| {row} | it holds | `guarantee_{row:02}_holds` | |\n")).collect();
        let source = |rows: std::ops::RangeInclusive<usize>| -> Vec<String> {
            rows.map(|row| format!("    async fn guarantee_{row:02}_holds() {{")).collect()
        };
        assert_none(&check(&whole, &source(1..=ROWS)));
        assert_eq!(check(&whole, &source(1..=ROWS - 1)).len(), 1, "a test that does not exist");
        assert_eq!(check(&whole, &source(1..=ROWS + 1)).len(), 1, "a test that no row names");
        let silent = whole.replace("`guarantee_07_holds`", "");
        assert_eq!(check(&silent, &source(1..=ROWS)).len(), 2, "a row without a test, and a test without a row");
        assert_eq!(check(&whole.replace("| 7 |", "| 8 |"), &source(1..=ROWS)).len(), 3, "a row twice, and one missing");
    }
}
