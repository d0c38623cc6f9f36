//! Tables of cells in text: CSV and its kin. Out they come with tabs, whatever parted them.

use std::fs::File;

use crate::charset;
use crate::error::Error;
use crate::limits::Budget;
use crate::output::Output;
use crate::plain;

/// What may part cells, the most usual first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Lines from which the delimiter is told.
const SAMPLE_LINES: usize = 20;

/// Reads a table whose cells are parted by `delimiter`, or by whichever fits best.
pub(crate) fn read(
    file: &File,
    mime_type: Option<&str>,
    delimiter: Option<u8>,
    budget: &Budget<'_>,
    out: &mut Output,
) -> Result<(), Error> {
    let beginning = plain::beginning(file, budget, 2)?;
    let text = charset::decode(&beginning.bytes, charset::of_media_type(mime_type), beginning.cut);
    let delimiter = delimiter.unwrap_or_else(|| sniffed(&text));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        // Tabs need no quotes: a quote in such a file is a quote.
        .quoting(delimiter != b'\t' || text.contains("\"\t") || text.contains("\t\""))
        .from_reader(text.as_bytes());
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).map_err(|_| Error::unreadable("its table is malformed"))? {
        if out.is_full() {
            return Ok(());
        }
        for (at, cell) in row.iter().enumerate() {
            budget.cell()?;
            if at > 0 {
                out.push('\t');
            }
            push_cell(cell, out);
        }
        out.end_line();
    }
    if beginning.cut {
        out.mark_truncated();
    }
    Ok(())
}

/// A cell is one line: breaks and tabs inside it are spaces.
fn push_cell(cell: &str, out: &mut Output) {
    for (at, line) in cell.split(['\n', '\r', '\t']).filter(|line| !line.is_empty()).enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(line);
    }
}

/// The delimiter that parts the first lines most evenly.
fn sniffed(text: &str) -> u8 {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(SAMPLE_LINES).collect();
    let score = |delimiter: u8| {
        let counts = lines.iter().map(|line| outside_quotes(line, delimiter));
        // Every line has it: that outweighs one line that has it often.
        counts.clone().min().unwrap_or(0) * 1_000 + counts.filter(|count| *count > 0).count()
    };
    let best = DELIMITERS.iter().rev().max_by_key(|delimiter| score(**delimiter));
    best.copied().unwrap_or(b',')
}

fn outside_quotes(line: &str, delimiter: u8) -> usize {
    let (mut quoted, mut count) = (false, 0);
    // Lines may be megabytes; their beginning tells.
    for byte in line.bytes().take(10_000) {
        match byte {
            b'"' => quoted = !quoted,
            byte if byte == delimiter && !quoted => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use crate::tests::{check, check_with};
    use crate::{Limits, Text};

    #[test]
    fn cells_come_out_parted_by_tabs() {
        check(
            b"Name,Sum\r\n\"Ada, Lovelace\",\"said \"\"hi\"\"\nand left\"\r\nBob,\r\n",
            "text/csv",
            "a.csv",
            "Name\tSum\nAda, Lovelace\tsaid \"hi\" and left\nBob",
        );
    }

    #[test]
    fn the_delimiter_is_told_from_the_lines() {
        check(b"a;b\n1,5;2,5\n", "text/csv", "a.csv", "a\tb\n1,5\t2,5");
        check(b"a|b|c\n1|2|3\n", "text/csv", "a.csv", "a\tb\tc\n1\t2\t3");
        check(b"a\tb\n1\t2\n", "text/csv", "a.csv", "a\tb\n1\t2");
        check(b"one column\nof words\n", "text/csv", "a.csv", "one column\nof words");
    }

    #[test]
    fn rows_may_differ_and_quotes_may_be_missing() {
        check(b"a,b\n1\n2,3,4\n5,\"6", "text/csv", "a.csv", "a\tb\n1\n2\t3\t4\n5\t6");
        check(b"a\t5\" wide\n", "text/tab-separated-values", "a.tsv", "a\t5\" wide");
    }

    #[test]
    fn character_sets_are_told() {
        check(b"\xff\xfea\0;\0b\0\n\0", "text/csv", "a.csv", "a\tb");
        check("prénom;âge\nZoé;7".as_bytes(), "text/csv", "a.csv", "prénom\tâge\nZoé\t7");
    }

    #[test]
    fn cells_and_text_are_limited() {
        let limits = Limits { cells: 3, ..Limits::default() };
        check_with(&limits, b"a,b\nc,d\n", "text/csv", "a.csv", Err("too_large"));
        let limits = Limits { text_bytes: 3, ..Limits::default() };
        check_with(&limits, b"a,b\nc,d\n", "text/csv", "a.csv", Ok(Text { text: "a\tb".to_owned(), truncated: true }));
    }
}
