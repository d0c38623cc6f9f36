//! OpenDocument texts, spreadsheets and presentations: one kind of content part for all three.

use std::io::Read;

use crate::error::{Error, Exceeded};
use crate::limits::Budget;
use crate::office::Gathered;
use crate::output::Output;
use crate::package::Package;
use crate::xml::{Node, Xml};

/// How often a repeated row or cell is written out. Sheets end in a million repeated blanks, which are not written at all.
const REPEATS: usize = 1_000;

/// Reads the package, whose type is `mime_type`.
pub(crate) fn read(package: &Package<'_>, mime_type: &str, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
    if let Some(manifest) = package.part("META-INF/manifest.xml", budget)? {
        let mut xml = Xml::new(manifest, budget);
        while let Some(node) = xml.next()? {
            if node == Node::Start && xml.name() == "encryption-data" {
                return Err(Error::Encrypted);
            }
        }
    }
    let content = package.required_part("content.xml", budget)?;
    let mut body = Body {
        names_tables: mime_type.contains("spreadsheet"),
        paragraphs: Vec::new(),
        tables: Vec::new(),
        lists: 0,
        in_item: false,
        title: false,
        notes: false,
        slides: 0,
    };
    body.read(content, budget, out)
}

struct Paragraph {
    text: Gathered,
    heading: Option<usize>,
    in_text: bool,
}

struct Table {
    row: Gathered,
    cell: Gathered,
    /// Cells passed without text since the last one with text.
    gap: usize,
    any: bool,
    repeat_row: usize,
    repeat_cell: usize,
}

struct Body {
    names_tables: bool,
    paragraphs: Vec<Paragraph>,
    tables: Vec<Table>,
    lists: usize,
    /// The next paragraph is the first of a list's item.
    in_item: bool,
    title: bool,
    notes: bool,
    slides: u32,
}

impl Body {
    fn read(&mut self, part: impl Read, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
        let mut xml = Xml::new(part, budget);
        while let Some(node) = xml.next()? {
            if out.is_full() {
                return Ok(());
            }
            match node {
                Node::Start => self.start(&mut xml, budget, out)?,
                Node::End => self.end(xml.name(), budget, out)?,
                Node::Text => {
                    // White space in the markup is one space; more is written as elements.
                    if let Some(paragraph) = self.paragraphs.last_mut().filter(|paragraph| paragraph.in_text) {
                        let text = xml.text().replace(['\n', '\r', '\t'], " ");
                        paragraph.text.push_str(&text);
                    }
                }
            }
        }
        Ok(())
    }

    fn say(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn start<R: Read>(&mut self, xml: &mut Xml<'_, '_, R>, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
        let count = |name: &str| xml.attribute(name).and_then(|count| count.parse::<usize>().ok()).unwrap_or(1);
        match xml.name() {
            "p" => self.paragraphs.push(Paragraph { text: Gathered::new(budget), heading: None, in_text: true }),
            "h" => {
                let heading = Some(count("outline-level").clamp(1, 6));
                self.paragraphs.push(Paragraph { text: Gathered::new(budget), heading, in_text: true });
            }
            "s" => self.say(&" ".repeat(count("c").min(1_000))),
            "tab" => self.say("\t"),
            "line-break" => self.say("\n"),
            "annotation" | "tracked-changes" | "note-citation" | "automatic-styles" | "scripts" | "forms" => {
                xml.skip()?
            }
            "list" => self.lists += 1,
            "list-item" => self.in_item = true,
            "table" => {
                if self.names_tables && self.tables.is_empty() {
                    out.new_paragraph();
                    out.push_str("# ");
                    out.push_str(&xml.attribute("name").unwrap_or_default());
                    out.new_paragraph();
                }
                self.tables.push(Table {
                    row: Gathered::new(budget),
                    cell: Gathered::new(budget),
                    gap: 0,
                    any: false,
                    repeat_row: 1,
                    repeat_cell: 1,
                });
            }
            "table-row" => {
                let repeats = count("number-rows-repeated");
                if let Some(table) = self.tables.last_mut() {
                    table.repeat_row = repeats.min(REPEATS);
                }
            }
            "table-cell" | "covered-table-cell" => {
                let repeats = count("number-columns-repeated");
                if let Some(table) = self.tables.last_mut() {
                    table.repeat_cell = repeats;
                }
            }
            "page" => {
                self.slides += 1;
                if self.slides > budget.limits().pages {
                    return Err(Error::TooLarge(Exceeded::Pages(budget.limits().pages)));
                }
            }
            "frame" => self.title = xml.attribute("class").is_some_and(|class| class == "title"),
            "notes" => self.notes = true,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
        match name {
            "p" | "h" => {
                if let Some(paragraph) = self.paragraphs.pop() {
                    self.write(paragraph, out);
                }
            }
            "list" => self.lists = self.lists.saturating_sub(1),
            "frame" => self.title = false,
            "notes" => self.notes = false,
            "table-cell" | "covered-table-cell" => {
                if let Some(table) = self.tables.last_mut() {
                    table.end_cell(budget, out)?;
                }
            }
            "table-row" => {
                if let Some(mut table) = self.tables.pop() {
                    let row = table.row.take(out);
                    let any = std::mem::take(&mut table.any);
                    table.gap = 0;
                    if let Some(outer) = self.tables.last_mut() {
                        outer.cell.push_flat(&row);
                    } else if any {
                        for _ in 0..table.repeat_row.max(1) {
                            out.new_line();
                            out.push_str(&row);
                        }
                    }
                    self.tables.push(table);
                }
            }
            "table" => {
                self.tables.pop();
                out.new_paragraph();
            }
            _ => {}
        }
        Ok(())
    }

    fn write(&mut self, mut paragraph: Paragraph, out: &mut Output) {
        let text = paragraph.text.take(out);
        if text.trim().is_empty() {
            return;
        }
        if let Some(table) = self.tables.last_mut() {
            table.cell.push_flat(&text);
            return;
        }
        let heading = paragraph.heading.or(self.title.then_some(1));
        if self.lists > 0 && heading.is_none() {
            if self.lists == 1 && !std::mem::take(&mut self.in_item) {
                out.new_paragraph();
            } else {
                out.new_line();
                out.push_str(&"  ".repeat(self.lists.min(10) - 1));
                out.push_str("- ");
            }
        } else {
            out.new_paragraph();
        }
        self.in_item = false;
        if let Some(level) = heading {
            out.push_str(&"#".repeat(level));
            out.push(' ');
        }
        if std::mem::take(&mut self.notes) {
            out.push_str("Notes: ");
        }
        out.push_str(&text);
    }
}

impl Table {
    fn end_cell(&mut self, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
        let text = self.cell.take(out);
        if text.is_empty() {
            self.gap = self.gap.saturating_add(self.repeat_cell);
            return budget.tick();
        }
        for _ in 0..self.repeat_cell.clamp(1, REPEATS) {
            for _ in 0..self.repeat_row.max(1) {
                budget.cell()?;
            }
            self.row.push_str(&"\t".repeat(self.gap.min(16_384)));
            self.row.push_str(&text);
            self.gap = 1;
            self.any = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Limits;
    use crate::package::tests::zipped;
    use crate::tests::{check, check_with};

    fn odf(kind: &str, body: &str) -> Vec<u8> {
        let mime_type = format!("application/vnd.oasis.opendocument.{kind}");
        let content = format!(
            "<office:document-content xmlns:office=\"o\"><office:body>{body}</office:body></office:document-content>"
        );
        zipped(&[("mimetype", &mime_type), ("content.xml", &content)])
    }

    #[test]
    fn texts_keep_headings_lists_and_tables() {
        let body = "<text:h text:outline-level=\"2\">Part</text:h><text:p>A<text:s text:c=\"2\"/>b<text:tab/>c<text:line-break/>d &amp; e</text:p>\
            <text:list><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>deep</text:p></text:list-item></text:list></text:list-item><text:list-item><text:p>two</text:p></text:list-item></text:list>\
            <table:table><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell><table:table-cell><text:p>y</text:p></table:table-cell></table:table-row></table:table><text:p>End</text:p>";
        check(&odf("text", body), "", "a.odt", "## Part\n\nA  b\tc\nd & e\n- one\n  - deep\n- two\nx\ty\n\nEnd");
    }

    #[test]
    fn sheets_pass_over_repeated_blanks() {
        let cell = |text: &str| format!("<table:table-cell><text:p>{text}</text:p></table:table-cell>");
        let blank = "<table:table-cell table:number-columns-repeated=\"16000\"/>";
        let body = format!(
            "<table:table table:name=\"Sums\"><table:table-row>{}<table:table-cell table:number-columns-repeated=\"2\"/>{}{blank}</table:table-row>\
            <table:table-row table:number-rows-repeated=\"2\">{}</table:table-row><table:table-row table:number-rows-repeated=\"1048576\">{blank}</table:table-row></table:table>",
            cell("a"),
            cell("b"),
            cell("same"),
        );
        check(&odf("spreadsheet", &body), "", "a.ods", "# Sums\n\na\t\t\tb\nsame\nsame");
    }

    #[test]
    fn repeated_cells_are_counted() {
        let row = "<table:table-row table:number-rows-repeated=\"1000\"><table:table-cell table:number-columns-repeated=\"1000\"><text:p>x</text:p></table:table-cell></table:table-row>";
        let body = format!("<table:table>{}</table:table>", row.repeat(3));
        check_with(&Limits::default(), &odf("spreadsheet", &body), "", "a.ods", Err("too_large"));
    }

    #[test]
    fn presentations_keep_titles_and_notes() {
        let body = "<draw:page><draw:frame presentation:class=\"title\"><draw:text-box><text:p>Hello</text:p></draw:text-box></draw:frame>\
            <draw:frame><draw:text-box><text:p>Body</text:p></draw:text-box></draw:frame><presentation:notes><draw:frame><text:p>Say it</text:p></draw:frame></presentation:notes></draw:page>";
        check(&odf("presentation", body), "", "a.odp", "# Hello\n\nBody\n\nNotes: Say it");
    }

    #[test]
    fn an_encrypted_package_is_said_to_be() {
        let manifest = "<manifest><file-entry><encryption-data/></file-entry></manifest>";
        let bytes = zipped(&[
            ("mimetype", "application/vnd.oasis.opendocument.text"),
            ("META-INF/manifest.xml", manifest),
            ("content.xml", "?"),
        ]);
        check_with(&Limits::default(), &bytes, "", "a.odt", Err("encrypted"));
    }
}
