//! Word documents: paragraphs, headings, lists, tables, notes, in the order of the text.

use std::io::Read;

use crate::error::Error;
use crate::limits::Budget;
use crate::office::{Gathered, Relations};
use crate::output::Output;
use crate::package::Package;
use crate::xml::{Node, Xml};

mod styles;

use styles::{Counters, Item, Numbering, Styles};

/// Reads the document whose main part is `main`.
pub(crate) fn read(package: &Package<'_>, main: &str, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
    let relations = Relations::of(package, main, budget)?;
    let styles = match relations.target_of_type("styles").map(|name| package.part(name, budget)).transpose()?.flatten()
    {
        Some(part) => Styles::read(part, budget)?,
        None => Styles::default(),
    };
    let numbering =
        match relations.target_of_type("numbering").map(|name| package.part(name, budget)).transpose()?.flatten() {
            Some(part) => Numbering::read(part, budget)?,
            None => Numbering::default(),
        };
    let mut body = Body::new(&styles, &numbering, budget);
    body.read(package.required_part(main, budget)?, budget, out)?;
    for kind in ["footnotes", "endnotes"] {
        if let Some(part) = relations.target_of_type(kind).map(|name| package.part(name, budget)).transpose()?.flatten()
        {
            body.read(part, budget, out)?;
        }
    }
    Ok(())
}

/// A paragraph being read.
struct Paragraph {
    text: Gathered,
    heading: Option<u8>,
    item: Option<Item>,
    style: Option<String>,
}

/// A table being read: the cells of its present row.
struct Table {
    row: Gathered,
    rows: usize,
    cells: usize,
    /// Columns that the last cell covers beyond its own; they stay, so that the rows line up.
    spanned: usize,
    filled: bool,
}

struct Body<'s> {
    styles: &'s Styles,
    numbering: &'s Numbering,
    counters: Counters,
    /// Open paragraphs; a text box puts some inside another.
    paragraphs: Vec<Paragraph>,
    /// Open tables, the outermost first.
    tables: Vec<Table>,
    /// What the next paragraph begins with: the mark of a note.
    mark: String,
    after_item: bool,
    in_text: bool,
    new_paragraph: fn(&Budget<'_>) -> Paragraph,
}

impl<'s> Body<'s> {
    fn new(styles: &'s Styles, numbering: &'s Numbering, _: &Budget<'_>) -> Self {
        Self {
            styles,
            numbering,
            counters: Counters::default(),
            paragraphs: Vec::new(),
            tables: Vec::new(),
            mark: String::new(),
            after_item: false,
            in_text: false,
            new_paragraph: |budget| Paragraph { text: Gathered::new(budget), heading: None, item: None, style: None },
        }
    }

    fn read(&mut self, part: impl Read, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
        let mut xml = Xml::new(part, budget);
        while let Some(node) = xml.next()? {
            if out.is_full() {
                return Ok(());
            }
            match node {
                Node::Start => self.start(&mut xml, budget)?,
                Node::End => self.end(xml.name(), budget, out)?,
                Node::Text if self.in_text => self.say(xml.text()),
                Node::Text => {}
            }
        }
        Ok(())
    }

    fn say(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn start<R: Read>(&mut self, xml: &mut Xml<'_, '_, R>, budget: &Budget<'_>) -> Result<(), Error> {
        match xml.name() {
            "p" => self.paragraphs.push((self.new_paragraph)(budget)),
            "pPr" => self.properties(xml)?,
            "t" => self.in_text = true,
            "tab" => self.say("\t"),
            "br" | "cr" => self.say("\n"),
            "noBreakHyphen" => self.say("-"),
            "footnoteReference" | "endnoteReference" => {
                let mark = xml.attribute("id").map(|id| format!("[^{id}]"));
                self.say(&mark.unwrap_or_default());
            }
            "footnote" | "endnote" => match (xml.attribute("type"), xml.attribute("id")) {
                // The rules that part notes from the text are notes of a type of their own.
                (Some(_), _) => xml.skip()?,
                (None, id) => self.mark = id.map(|id| format!("[^{id}]: ")).unwrap_or_default(),
            },
            // What was deleted or moved away, and the copy of a drawing for old readers.
            "del" | "moveFrom" | "Fallback" | "rPr" | "sectPr" | "tblPr" | "trPr" => xml.skip()?,
            "tbl" => {
                self.tables.push(Table { row: Gathered::new(budget), rows: 0, cells: 0, spanned: 0, filled: false })
            }
            "tc" => {
                budget.cell()?;
                if let Some(table) = self.tables.last_mut() {
                    let tabs = usize::from(table.cells > 0) + std::mem::take(&mut table.spanned);
                    table.row.push_str(&"\t".repeat(tabs));
                    table.cells += 1;
                }
            }
            "gridSpan" => {
                let span = xml.attribute("val").and_then(|val| val.parse::<usize>().ok()).unwrap_or(1).clamp(1, 64);
                if let Some(table) = self.tables.last_mut() {
                    table.spanned = span - 1;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn properties<R: Read>(&mut self, xml: &mut Xml<'_, '_, R>) -> Result<(), Error> {
        let (mut style, mut level, mut item, mut outline) = (None, None, None, None);
        while let Some(node) = xml.next()? {
            match (node, xml.name()) {
                (Node::End, "pPr") => break,
                (Node::Start, "pStyle") => style = xml.attribute("val"),
                (Node::Start, "ilvl") => level = xml.attribute("val").and_then(|val| val.parse().ok()),
                (Node::Start, "numId") => item = xml.attribute("val"),
                (Node::Start, "outlineLvl") => outline = xml.attribute("val").and_then(|val| val.parse::<u8>().ok()),
                (Node::Start, "pPrChange" | "rPr" | "tabs") => xml.skip()?,
                _ => {}
            }
        }
        if let Some(paragraph) = self.paragraphs.last_mut() {
            let looks = style.as_deref().map(|id| self.styles.looks(id)).unwrap_or_default();
            paragraph.heading = outline.filter(|level| *level < 9).map(|level| level + 1).or(looks.heading);
            paragraph.item = match item {
                Some(list) => Some(Item { list, level: level.unwrap_or(0) }),
                None => looks.item.map(|item| Item { level: level.unwrap_or(item.level), ..item }),
            };
            paragraph.style = style;
        }
        Ok(())
    }

    fn end(&mut self, name: &str, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
        match name {
            "t" => self.in_text = false,
            "p" => {
                if let Some(paragraph) = self.paragraphs.pop() {
                    self.write(paragraph, out);
                }
            }
            "tr" => {
                if let Some(mut table) = self.tables.pop() {
                    let filled = table.filled;
                    let row = table.row.take(out);
                    if let Some(outer) = self.tables.last_mut() {
                        outer.row.push_flat(&row);
                        outer.filled |= filled;
                    } else if filled {
                        if table.rows == 0 {
                            out.new_paragraph()
                        } else {
                            out.new_line()
                        }
                        out.push_str(&row);
                    }
                    self.tables.push(Table { rows: table.rows + 1, cells: 0, spanned: 0, filled: false, ..table });
                }
            }
            "tbl" => {
                self.tables.pop();
                if self.tables.is_empty() {
                    out.new_paragraph();
                }
                self.after_item = false;
            }
            _ => {}
        }
        budget.tick()
    }

    fn write(&mut self, mut paragraph: Paragraph, out: &mut Output) {
        let text = paragraph.text.take(out);
        if text.trim().is_empty() {
            return;
        }
        if let Some(table) = self.tables.last_mut() {
            table.filled = true;
            table.row.push_flat(&text);
            return;
        }
        let item = paragraph.item.and_then(|item| self.numbering.mark(&item, &mut self.counters));
        match (&item, self.after_item) {
            // The items of a list stand close together.
            (Some(_), true) if paragraph.heading.is_none() => out.new_line(),
            _ => out.new_paragraph(),
        }
        self.after_item = item.is_some() && paragraph.heading.is_none();
        out.push_str(&std::mem::take(&mut self.mark));
        if let Some(level) = paragraph.heading {
            out.push_str(&"#".repeat(usize::from(level.clamp(1, 6))));
            out.push(' ');
        }
        out.push_str(&item.unwrap_or_default());
        out.push_str(&text);
    }
}

#[cfg(test)]
mod tests;
