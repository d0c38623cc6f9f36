//! HTML: what a reader would see. Scripts, styles and markup are left out; headings, lists and tables keep their form.
//!
//! The markup is read as a stream of tags, never built into a tree, so that nesting costs nothing.

use std::fs::File;

use crate::charset;
use crate::error::Error;
use crate::limits::Budget;
use crate::output::Output;
use crate::plain;

mod tokens;

use tokens::{Token, Tokens};

/// Source bytes that are read for each byte of text that may come out: pages carry more markup than text.
const SOURCE_FACTOR: u64 = 6;
/// Elements whose contents nobody reads. Their ends are looked for as plain text.
const UNREAD: &[&str] =
    &["script", "style", "noscript", "template", "iframe", "object", "svg", "math", "head", "select"];
/// Elements that stand apart from what is around them.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "section",
    "article",
    "aside",
    "header",
    "footer",
    "main",
    "nav",
    "address",
    "blockquote",
    "figure",
    "figcaption",
    "form",
    "fieldset",
    "details",
    "summary",
    "dl",
    "hr",
    "body",
];

/// Reads a page.
pub(crate) fn read(file: &File, mime_type: Option<&str>, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
    let beginning = plain::beginning(file, budget, SOURCE_FACTOR)?;
    let declared = charset::of_media_type(mime_type).map(str::to_owned).or_else(|| declared_charset(&beginning.bytes));
    let source = charset::decode(&beginning.bytes, declared.as_deref(), beginning.cut);
    drop(beginning.bytes);
    Page::new(out).read(&source, budget)?;
    if beginning.cut {
        out.mark_truncated();
    }
    Ok(())
}

/// The character set that the page's head names. Browsers look within the first kilobyte.
fn declared_charset(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(bytes.get(..1024).unwrap_or(bytes)).to_ascii_lowercase();
    let (_, after) = head.split_once("charset=")?;
    let label: String = after
        .trim_start_matches(['"', '\''])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c))
        .collect();
    (!label.is_empty()).then_some(label)
}

/// A list that is open: the number of its next item, if its items are numbered.
type List = Option<u32>;

struct Page<'o> {
    out: &'o mut Output,
    lists: Vec<List>,
    /// Inside `pre`: white space counts.
    preformatted: u32,
    /// Cells of the present row so far.
    cells: usize,
    tables: u32,
    title: String,
    in_title: bool,
    heading: Option<String>,
}

impl<'o> Page<'o> {
    fn new(out: &'o mut Output) -> Self {
        Self {
            out,
            lists: Vec::new(),
            preformatted: 0,
            cells: 0,
            tables: 0,
            title: String::new(),
            in_title: false,
            heading: None,
        }
    }

    fn read(mut self, source: &str, budget: &Budget<'_>) -> Result<(), Error> {
        let mut tokens = Tokens::new(source);
        while let Some(token) = tokens.next() {
            budget.tick()?;
            if self.out.is_full() {
                return Ok(());
            }
            match token {
                Token::Text(text) => self.text(&tokens::decoded(text)),
                // The head holds the title between things nobody reads.
                Token::Start(tag) if tag.name == "head" => {}
                Token::Start(tag) if UNREAD.contains(&tag.name.as_str()) => tokens.skip_to_end_of(&tag),
                Token::Start(tag) => self.start(&tag, budget)?,
                Token::End(name) => self.end(&name),
            }
        }
        self.flush_heading();
        if self.out.is_empty() && !self.title.trim().is_empty() {
            self.out.push_str(self.title.trim());
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if self.in_title {
            if self.title.len() < 1_000 {
                self.title.push_str(text);
            }
            return;
        }
        if let Some(heading) = &mut self.heading {
            if heading.len() < 10_000 {
                heading.push_str(text);
            }
            return;
        }
        if self.preformatted > 0 {
            self.out.push_str(text);
            return;
        }
        // White space of any kind and length is one space, and none at a line's start.
        for c in text.chars() {
            if !matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
                self.out.push(c);
            } else if !self.out.after_space() {
                self.out.push(' ');
            }
        }
    }

    fn start(&mut self, tag: &tokens::Tag, budget: &Budget<'_>) -> Result<(), Error> {
        match tag.name.as_str() {
            "title" => self.in_title = true,
            "br" if self.heading.is_some() => self.text(" "),
            "br" if self.tables > 0 => self.text(" "),
            "br" => self.out.end_line(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" if self.tables == 0 => {
                self.flush_heading();
                self.heading = Some(format!(
                    "{} ",
                    "#".repeat(usize::from(tag.name.as_bytes().last().map_or(1, |digit| digit - b'0')))
                ));
            }
            "ul" | "menu" | "ol" => {
                let list = (tag.name == "ol")
                    .then(|| tag.attribute("start").and_then(|start| start.parse().ok()).unwrap_or(1));
                if self.lists.is_empty() {
                    self.block();
                }
                // Deeper lists than this look the same.
                if self.lists.len() < 100 {
                    self.lists.push(list);
                }
            }
            "li" => self.item(),
            "dt" => self.block(),
            "dd" => {
                self.out.new_line();
                self.out.push_str("  ");
            }
            "pre" | "textarea" | "listing" => {
                self.block();
                self.preformatted += 1;
            }
            "table" => {
                if self.tables == 0 {
                    self.block();
                }
                self.tables += 1;
            }
            "tr" if self.tables <= 1 => {
                self.flush_heading();
                self.out.new_line();
                self.cells = 0;
            }
            "td" | "th" => {
                budget.cell()?;
                if self.tables > 1 {
                    self.text(" ");
                } else if self.cells > 0 {
                    self.out.next_cell();
                }
                self.cells += usize::from(self.tables <= 1);
            }
            "caption" | "tbody" | "thead" | "tfoot" => self.out.new_line(),
            "img" | "area" => {
                if let Some(alt) = tag.attribute("alt") {
                    self.text(&tokens::decoded(&alt));
                }
            }
            name if BLOCKS.contains(&name) => self.block(),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) {
        match name {
            "title" => self.in_title = false,
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.flush_heading(),
            "ul" | "menu" | "ol" => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.block();
                }
            }
            "li" => {}
            "pre" | "textarea" | "listing" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.block();
            }
            "table" => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    self.block();
                }
            }
            "p" | "dl" => self.block(),
            name if BLOCKS.contains(&name) => self.block(),
            _ => {}
        }
    }

    /// Starts a block: a paragraph of its own, or a space inside a table's cell, or a line inside a list's item.
    fn block(&mut self) {
        self.flush_heading();
        if self.tables > 0 {
            if !self.out.after_space() {
                self.out.push(' ');
            }
        } else if !self.lists.is_empty() {
            // The first block of an item follows its mark.
            if !self.out.after_space() {
                self.out.new_line();
                self.out.push_str(&"  ".repeat(self.lists.len()));
            }
        } else {
            self.out.new_paragraph();
        }
    }

    fn item(&mut self) {
        self.flush_heading();
        if self.tables > 0 {
            self.text(" ");
            return;
        }
        self.out.new_line();
        self.out.push_str(&"  ".repeat(self.lists.len().saturating_sub(1)));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                let mark = format!("{number}. ");
                *number = number.saturating_add(1);
                self.out.push_str(&mark);
            }
            _ => self.out.push_str("- "),
        }
    }

    /// Headings are gathered whole, because an empty one leaves no mark.
    fn flush_heading(&mut self) {
        let Some(heading) = self.heading.take() else { return };
        let words: Vec<&str> = heading.split_whitespace().collect();
        if words.len() > 1 {
            self.out.new_paragraph();
            self.out.push_str(&words.join(" "));
            self.out.new_paragraph();
        }
    }
}

#[cfg(test)]
mod tests;
