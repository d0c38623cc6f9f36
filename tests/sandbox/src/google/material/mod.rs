//! Real files made from text: what people keep in a drive, byte for byte valid.

pub mod docx;
pub mod md5;
pub mod pdf;
pub mod png;
pub mod pptx;
pub mod xlsx;

use std::io::{Cursor, Write};

use anyhow::Result;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::file::{Body, DOCUMENT, DOCX, FOLDER, PDF, PPTX, PRESENTATION, SHORTCUT, SPREADSHEET, Sheet, XLSX};

/// What to put between two slides in a text that becomes a presentation.
pub const SLIDE_BREAK: &str = "\n---\n";

/// A file of some kind that says `text`, and what a perfect extractor reads out of it. For a spreadsheet the text is CSV;
/// for a presentation slides are parted by `SLIDE_BREAK`, the first line of each being its title; for a shortcut it is the
/// target's id.
///
/// Extracted text has one normal form, whatever it comes from: paragraphs parted by an empty line, titles of slides and names
/// of sheets as headings with `#`, cells parted by tabs.
pub fn of_text(mime_type: &str, text: &str) -> Result<(Body, Option<String>)> {
    let known = Some(text.to_owned());
    Ok(match mime_type {
        FOLDER => (Body::Folder, None),
        SHORTCUT => (Body::Shortcut { target: text.trim().to_owned() }, None),
        DOCUMENT => (Body::Document { markdown: text.to_owned() }, known),
        SPREADSHEET => {
            let sheets = vec![sheet("Sheet1", text)];
            let said = sheet_text(&sheets);
            (Body::Spreadsheet { sheets }, Some(said))
        }
        // Google exports slides as plain text, so titles are not told from other lines.
        PRESENTATION => (Body::Presentation { slides: slides(text) }, Some(slides(text).join("\n\n"))),
        DOCX => {
            let paragraphs: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            (Body::blob(docx::document(text)?), Some(paragraphs.join("\n\n")))
        }
        PPTX => (Body::blob(pptx::presentation(&slides(text))?), Some(slides_text(&slides(text)))),
        XLSX => {
            let sheets = vec![sheet("Sheet1", text)];
            (Body::blob(xlsx::workbook(&sheets)?), Some(sheet_text(&sheets)))
        }
        PDF => (Body::blob(pdf::document(text)), Some(pdf::text(text))),
        other if other.starts_with("application/vnd.google-apps.") => (Body::Opaque, None),
        // What the text of a page is depends on how it is laid out; whoever makes the page says so.
        "text/html" => (Body::blob(text.to_owned()), None),
        "text/csv" => (Body::blob(text.to_owned()), Some(rows_text(&sheet("", text).rows))),
        _ => (Body::blob(text.to_owned()), known),
    })
}

/// A file of given bytes; its text is known when the bytes are the text.
pub fn of_bytes(mime_type: &str, bytes: Vec<u8>) -> (Body, Option<String>) {
    let plain = matches!(mime_type, "text/plain" | "text/markdown" | "application/json");
    let text = String::from_utf8(bytes.clone()).ok().filter(|_| plain);
    (Body::blob(bytes), text)
}

fn slides(text: &str) -> Vec<String> {
    text.split(SLIDE_BREAK).map(str::to_owned).collect()
}

/// CSV without line breaks in cells, as one sheet.
pub fn sheet(name: &str, csv: &str) -> Sheet {
    let rows = csv.lines().map(cells).collect();
    Sheet { name: name.to_owned(), rows }
}

fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}

/// The text of a spreadsheet: each sheet under its name.
pub fn sheet_text(sheets: &[Sheet]) -> String {
    let texts: Vec<String> =
        sheets.iter().map(|sheet| format!("# {}\n\n{}", sheet.name, rows_text(&sheet.rows))).collect();
    texts.join("\n\n")
}

fn rows_text(rows: &[Vec<String>]) -> String {
    rows.iter().map(|row| row.join("\t")).collect::<Vec<_>>().join("\n")
}

/// The text of a presentation: each slide under its title.
fn slides_text(slides: &[String]) -> String {
    let texts: Vec<String> = slides
        .iter()
        .map(|slide| match slide.split_once('\n') {
            Some((title, rest)) => format!("# {title}\n\n{rest}"),
            None => format!("# {slide}"),
        })
        .collect();
    texts.join("\n\n")
}

/// A ZIP package of these parts.
fn package(parts: &[(String, String)]) -> Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(name.as_str(), SimpleFileOptions::default())?;
        zip.write_all(content.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

fn xml_escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cells_may_be_quoted() {
        assert_eq!(cells(r#"a,"b, ""c""",d"#), ["a", r#"b, "c""#, "d"]);
    }

    #[test]
    fn known_texts_are_in_the_normal_form() {
        for (kind, text, expected) in [
            (XLSX, "a,b\n1,2", "# Sheet1\n\na\tb\n1\t2"),
            (SPREADSHEET, "a,b", "# Sheet1\n\na\tb"),
            (PPTX, "One\ntext\n---\nTwo", "# One\n\ntext\n\n# Two"),
            (PRESENTATION, "One\ntext\n---\nTwo", "One\ntext\n\nTwo"),
            (DOCX, "One\n\nTwo\nThree", "One\n\nTwo\n\nThree"),
            (PDF, "One\nTwo", "One\nTwo"),
            ("text/csv", "a,\"b, c\"\n1,2\n", "a\tb, c\n1\t2"),
            ("text/plain", "as it is\n", "as it is\n"),
        ] {
            assert_eq!(of_text(kind, text).unwrap().1.as_deref(), Some(expected), "{kind}");
        }
    }

    #[test]
    fn every_kind_of_file_is_made_and_packages_open_again() {
        for kind in [DOCX, PPTX, XLSX] {
            let (body, text) = of_text(kind, "first <line>\nsecond & last").unwrap();
            assert!(text.is_some());
            let bytes = body.bytes().unwrap().to_vec();
            let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
            let mut types = String::new();
            std::io::Read::read_to_string(&mut archive.by_name("[Content_Types].xml").unwrap(), &mut types).unwrap();
            assert!(types.contains("openxmlformats"), "{kind}");
        }
        assert!(matches!(of_text("application/vnd.google-apps.form", "").unwrap(), (Body::Opaque, None)));
    }
}
