//! Pages written as text, as the editor takes them: the text becomes blocks, and is at the same time what a perfect reader finds in them.
//!
//! Understood are headings, lists and check boxes (two spaces deeper are inside), quotes, code between fences, tables, dividers, and
//! paragraphs parted by an empty line.

use serde_json::{Value, json};

/// A block to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub kind: String,
    pub content: Value,
    pub children: Vec<Draft>,
}

impl Draft {
    /// A block with formatted text.
    pub fn text(kind: &str, text: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            content: json!({ "rich_text": rich_text(text), "color": "default" }),
            children: Vec::new(),
        }
    }

    /// A block of any form.
    pub fn of(kind: &str, content: Value) -> Self {
        Self { kind: kind.to_owned(), content, children: Vec::new() }
    }

    /// The same with blocks in it.
    pub fn with(mut self, children: Vec<Self>) -> Self {
        self.children = children;
        self
    }
}

/// Longest text of one piece.
const PIECE: usize = 2000;

/// Text in Notion's form: pieces of at most 2,000 characters.
pub fn rich_text(text: &str) -> Value {
    let letters: Vec<char> = text.chars().collect();
    let piece = |letters: &[char]| {
        let content: String = letters.iter().collect();
        json!({
            "type": "text",
            "text": { "content": content, "link": null },
            "annotations": {
                "bold": false, "italic": false, "strikethrough": false, "underline": false, "code": false, "color": "default",
            },
            "plain_text": content,
            "href": null,
        })
    };
    letters.chunks(PIECE).map(piece).collect()
}

/// The blocks of a text.
pub fn blocks(text: &str) -> Vec<Draft> {
    let lines: Vec<&str> = text.trim_end().split('\n').collect();
    let mut reader = Reader { lines: &lines, at: 0 };
    reader.level("")
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The line to be read, without this indentation; `None` at the end or where it is indented less.
    fn line(&self, indent: &str) -> Option<&'a str> {
        let line = *self.lines.get(self.at)?;
        if line.trim().is_empty() { Some("") } else { line.strip_prefix(indent) }
    }

    /// All blocks at this indentation.
    fn level(&mut self, indent: &str) -> Vec<Draft> {
        let mut found = Vec::new();
        while let Some(line) = self.line(indent) {
            if line.is_empty() {
                // An empty line belongs to this level only if what follows does.
                let next = self.lines.iter().skip(self.at).find(|line| !line.trim().is_empty());
                if next.is_none_or(|next| !next.starts_with(indent)) {
                    break;
                }
                self.at += 1;
                continue;
            }
            found.push(self.block(line, indent));
        }
        found
    }

    fn block(&mut self, line: &str, indent: &str) -> Draft {
        let simple = |kind, mark: &str| line.strip_prefix(mark).map(|text| Draft::text(kind, text));
        let single =
            simple("heading_3", "### ").or_else(|| simple("heading_2", "## ")).or_else(|| simple("heading_1", "# "));
        if let Some(draft) = single {
            self.at += 1;
            return draft;
        }
        if line == "---" {
            self.at += 1;
            return Draft::of("divider", json!({}));
        }
        if let Some(language) = line.strip_prefix("```") {
            return self.code(language, indent);
        }
        if line.starts_with("| ") {
            return self.table(indent);
        }
        if line.starts_with("> ") {
            let said = self.while_prefixed(indent, |line| line.strip_prefix("> "));
            return Draft::text("quote", &said);
        }
        if let Some(draft) = item(line) {
            self.at += 1;
            let children = self.level(&format!("{indent}  "));
            return draft.with(children);
        }
        let said = self.while_prefixed(indent, |line| (!line.is_empty() && item(line).is_none()).then_some(line));
        Draft::text("paragraph", &said)
    }

    /// Lines for as long as they have a form, joined.
    fn while_prefixed(&mut self, indent: &str, form: impl Fn(&'a str) -> Option<&'a str>) -> String {
        let mut said = Vec::new();
        while let Some(line) = self.line(indent).and_then(&form) {
            said.push(line);
            self.at += 1;
        }
        said.join("\n")
    }

    fn code(&mut self, language: &str, indent: &str) -> Draft {
        self.at += 1;
        let code = self.while_prefixed(indent, |line| (line != "```").then_some(line));
        self.at += 1;
        let language = if language.is_empty() { "plain text" } else { language };
        Draft::of("code", json!({ "rich_text": rich_text(&code), "caption": [], "language": language }))
    }

    fn table(&mut self, indent: &str) -> Draft {
        let rows = self.while_prefixed(indent, |line| line.starts_with('|').then_some(line));
        let is_row = |row: &&str| !row.chars().all(|c| matches!(c, '|' | '-' | ' '));
        let cells =
            |row: &str| -> Vec<Value> { row.trim_matches('|').split('|').map(|cell| rich_text(cell.trim())).collect() };
        let rows: Vec<Vec<Value>> = rows.split('\n').filter(is_row).map(cells).collect();
        let width = rows.first().map_or(0, Vec::len);
        let children = rows.into_iter().map(|cells| Draft::of("table_row", json!({ "cells": cells }))).collect();
        let table = json!({ "table_width": width, "has_column_header": true, "has_row_header": false });
        Draft::of("table", table).with(children)
    }
}

/// A line that is an item of a list.
fn item(line: &str) -> Option<Draft> {
    let checked = |mark: &str, checked: bool| {
        let text = line.strip_prefix(mark)?;
        let mut draft = Draft::text("to_do", text);
        draft.content.as_object_mut()?.insert("checked".to_owned(), json!(checked));
        Some(draft)
    };
    checked("- [x] ", true)
        .or_else(|| checked("- [ ] ", false))
        .or_else(|| line.strip_prefix("- ").map(|text| Draft::text("bulleted_list_item", text)))
        .or_else(|| {
            let (number, text) = line.split_once(". ")?;
            let is_number = !number.is_empty() && number.len() < 4 && number.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| Draft::text("numbered_list_item", text))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(drafts: &[Draft]) -> Vec<String> {
        drafts
            .iter()
            .map(|draft| {
                let text: String = draft.content["rich_text"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|piece| piece["plain_text"].as_str())
                    .collect();
                let inside = shape(&draft.children);
                let inside = if inside.is_empty() { String::new() } else { format!(" [{}]", inside.join(", ")) };
                format!("{} {text}{inside}", draft.kind)
            })
            .collect()
    }

    #[test]
    fn a_text_becomes_the_blocks_that_it_shows() {
        let text = "# Plan\n\nfirst line\nsecond line\n\n- one\n  - [x] inner\n\n  said\n- two\n1. a\n2. b\n\n> said\n> twice\n\n```rust\nlet a;\n\nlet b;\n```\n\n---\n\n| a | b |\n| --- | --- |\n| c | d |";
        assert_eq!(
            shape(&blocks(text)),
            [
                "heading_1 Plan",
                "paragraph first line\nsecond line",
                "bulleted_list_item one [to_do inner, paragraph said]",
                "bulleted_list_item two",
                "numbered_list_item a",
                "numbered_list_item b",
                "quote said\ntwice",
                "code let a;\n\nlet b;",
                "divider ",
                "table  [table_row , table_row ]",
            ]
        );
    }

    #[test]
    fn long_text_comes_in_pieces_and_no_text_in_none() {
        assert_eq!(rich_text(&"x".repeat(4500)).as_array().unwrap().len(), 3);
        assert_eq!(rich_text(""), json!([]));
        assert_eq!(blocks(""), []);
    }
}
