//! Native documents in other formats.

use anyhow::Result;
use bytes::Bytes;

use crate::google::{
    file::{Body, DOCX, File, PDF, PPTX, Sheet, XLSX},
    material,
};

/// `files.export` gives no more than this; the export links do.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;

const MARKDOWN: &str = "text/markdown";
const PLAIN: &str = "text/plain";
const CSV: &str = "text/csv";
const TSV: &str = "text/tab-separated-values";

/// Formats that a kind of document can be exported to.
pub fn formats(body: &Body) -> &'static [&'static str] {
    match body {
        Body::Document { .. } => &[DOCX, PDF, MARKDOWN, PLAIN],
        Body::Spreadsheet { .. } => &[XLSX, CSV, TSV],
        Body::Presentation { .. } => &[PPTX, PDF, PLAIN],
        Body::Folder | Body::Shortcut { .. } | Body::Blob { .. } | Body::Opaque => &[],
    }
}

/// The link that exports without a size limit.
pub fn link(file: &File, mime_type: &str) -> String {
    let kind = match &file.body {
        Body::Spreadsheet { .. } => "spreadsheets",
        Body::Presentation { .. } => "presentations",
        _ => "documents",
    };
    format!(
        "https://docs.google.com/feeds/download/{kind}/Export?id={}&exportFormat={}",
        file.id,
        short_name(mime_type).unwrap_or_default()
    )
}

const SHORT_NAMES: [(&str, &str); 8] = [
    ("docx", DOCX),
    ("xlsx", XLSX),
    ("pptx", PPTX),
    ("pdf", PDF),
    ("markdown", MARKDOWN),
    ("txt", PLAIN),
    ("csv", CSV),
    ("tsv", TSV),
];

fn short_name(mime_type: &str) -> Option<&'static str> {
    SHORT_NAMES.iter().find(|(_, long)| *long == mime_type).map(|(short, _)| *short)
}

/// The media type that an export link's format stands for.
pub fn mime_type(short_name: &str) -> Option<&'static str> {
    SHORT_NAMES.iter().find(|(short, _)| *short == short_name).map(|(_, long)| *long)
}

/// The document in another format; none when it has no such form.
pub fn convert(body: &Body, mime_type: &str) -> Option<Result<Bytes>> {
    let bytes = match (body, mime_type) {
        (Body::Document { markdown }, MARKDOWN) => Ok(markdown.clone().into()),
        // Google begins plain text with a byte order mark and ends lines as Windows does.
        (Body::Document { markdown }, PLAIN) => Ok(format!("\u{feff}{}", plain(markdown).replace('\n', "\r\n")).into()),
        (Body::Document { markdown }, DOCX) => material::docx::document(&plain(markdown)),
        (Body::Document { markdown }, PDF) => Ok(material::pdf::document(&plain(markdown))),
        (Body::Spreadsheet { sheets }, XLSX) => material::xlsx::workbook(sheets),
        (Body::Spreadsheet { sheets }, CSV) => Ok(first_sheet(sheets, ",").into()),
        (Body::Spreadsheet { sheets }, TSV) => Ok(first_sheet(sheets, "\t").into()),
        (Body::Presentation { slides }, PLAIN) => Ok(slides.join("\n\n").into()),
        (Body::Presentation { slides }, PPTX) => material::pptx::presentation(slides),
        (Body::Presentation { slides }, PDF) => Ok(material::pdf::document(&slides.join("\n\n"))),
        _ => return None,
    };
    Some(bytes.map(Bytes::from))
}

/// Markdown without its marks: headings, emphasis and bullets.
pub fn plain(markdown: &str) -> String {
    let lines: Vec<String> = markdown
        .lines()
        .map(|line| {
            let line = line.trim_start_matches('#').trim_start();
            let line = line.strip_prefix("- ").map_or_else(|| line.to_owned(), |item| format!("* {item}"));
            line.replace("**", "")
        })
        .collect();
    lines.join("\n")
}

fn first_sheet(sheets: &[Sheet], separator: &str) -> String {
    let rows = sheets.first().map(|sheet| sheet.rows.as_slice()).unwrap_or_default();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| row.iter().map(|cell| quoted(cell, separator)).collect::<Vec<_>>().join(separator))
        .collect();
    lines.join("\r\n")
}

fn quoted(cell: &str, separator: &str) -> String {
    match separator {
        "," if cell.contains([',', '"', '\n', '\r']) => format!("\"{}\"", cell.replace('"', "\"\"")),
        "\t" => cell.replace(['\t', '\n'], " "),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_export_as_markdown_and_as_windows_text() {
        let body = Body::Document { markdown: "# Title\n\nSome **bold** text\n- item".into() };
        let text = |mime_type| String::from_utf8(convert(&body, mime_type).unwrap().unwrap().to_vec()).unwrap();
        assert_eq!(text(MARKDOWN), "# Title\n\nSome **bold** text\n- item");
        assert_eq!(text(PLAIN), "\u{feff}Title\r\n\r\nSome bold text\r\n* item");
        assert!(convert(&body, CSV).is_none());
    }

    #[test]
    fn only_the_first_sheet_becomes_csv_and_its_cells_are_quoted() {
        let sheet = |name: &str, cell: &str| Sheet { name: name.into(), rows: vec![vec![cell.into(), "2".into()]] };
        let body = Body::Spreadsheet { sheets: vec![sheet("one", "a,\"b\""), sheet("two", "no")] };
        assert_eq!(convert(&body, CSV).unwrap().unwrap(), "\"a,\"\"b\"\"\",2");
    }

    #[test]
    fn every_listed_format_converts_and_has_a_link() {
        for body in [
            Body::Document { markdown: "a".into() },
            Body::Spreadsheet { sheets: Vec::new() },
            Body::Presentation { slides: vec!["a".into()] },
        ] {
            for format in formats(&body) {
                assert!(convert(&body, format).unwrap().is_ok(), "{format}");
                assert_eq!(short_name(format).and_then(mime_type), Some(*format));
            }
        }
    }
}
