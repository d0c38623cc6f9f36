//! Notion's blocks as Markdown, one at a time. What is in a block is put after it by `walk`.

use serde_json::Value;

use super::client::{dashed, malformed};
use super::text::{is_link, plain, words};
use super::wire::{Block, Content, RichText};
use crate::error::ProviderError;

/// A block as text, and what the walk needs to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Its text; empty for what only holds others.
    pub text: String,
    /// Whether it stands close to its neighbours of the same kind.
    pub is_close: bool,
    /// What stands before each line of what is in it.
    pub inner: &'static str,
    /// What is in it belongs to this document.
    pub descend: bool,
    /// Of a synced copy: the original.
    pub copy_of: Option<String>,
    /// Whether it counts up a list.
    pub is_numbered: bool,
    /// Whether it is a table.
    pub is_table: bool,
}

/// Where a block stands among its neighbours.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its number in a numbered list.
    pub number: u32,
    /// Whether it is the first row of a table.
    pub is_head: bool,
}

/// A block's text.
///
/// # Errors
/// [`crate::error::Kind::Malformed`] for a block of a known type in another form.
pub fn render(block: &Block, place: Place) -> Result<Rendered, ProviderError> {
    let Some(kind) = block.kind.as_deref() else { return Ok(unknown("of a page that is not shared")) };
    let content = content(block, kind)?;
    let text = content.rich_text.as_deref().map(words).unwrap_or_default();
    let plainly = |text: String| Rendered { text, ..holder() };
    Ok(match kind {
        "paragraph" | "template" => plainly(text),
        "heading_1" => plainly(headed("# ", &text)),
        "heading_2" => plainly(headed("## ", &text)),
        "heading_3" => plainly(headed("### ", &text)),
        "heading_4" => plainly(headed("#### ", &text)),
        "bulleted_list_item" | "toggle" => listed("- ", &text),
        "numbered_list_item" => {
            let number = content.list_start_index.unwrap_or(place.number);
            Rendered { is_numbered: true, ..listed(&format!("{number}. "), &text) }
        }
        "to_do" => listed(if content.checked == Some(true) { "- [x] " } else { "- [ ] " }, &text),
        "quote" | "callout" => Rendered { inner: "> ", ..plainly(format!("> {}", text.replace('\n', "\n> "))) },
        "code" => plainly(fenced(&content)),
        "equation" => plainly(content.expression.map(|it| format!("$$ {it} $$")).unwrap_or_default()),
        "divider" => plainly("---".to_owned()),
        "breadcrumb" | "table_of_contents" => Rendered { descend: false, ..holder() },
        "column_list" | "column" | "tab" => holder(),
        "synced_block" => Rendered {
            copy_of: content.synced_from.and_then(|from| from.block_id).and_then(|id| dashed(&id)),
            ..holder()
        },
        "meeting_notes" | "transcription" => plainly(headed("## ", &formatted(content.title.as_ref())?)),
        "table" => Rendered { is_table: true, ..holder() },
        "table_row" => row(content.cells.as_deref().unwrap_or_default(), place.is_head),
        // Documents of their own. Their names are left out too: a renamed one does not move the time of the page that it is in.
        "child_page" | "child_database" => Rendered { descend: false, ..holder() },
        "link_to_page" => {
            let target = content.page_id.or(content.database_id);
            Rendered { descend: false, ..plainly(target.map(|id| linked("Page", &id)).unwrap_or_default()) }
        }
        "bookmark" | "embed" | "link_preview" => plainly(pointer(&content)),
        "image" | "video" | "pdf" | "file" | "audio" => plainly(file(kind, &content)),
        "unsupported" => unknown(content.block_type.as_deref().unwrap_or("unknown")),
        other => unknown(other),
    })
}

/// What is left in the place of a block that cannot be read.
pub fn placeholder(what: &str) -> String {
    format!("[{what}]")
}

fn content(block: &Block, kind: &str) -> Result<Content, ProviderError> {
    match block.rest.get(kind) {
        // A type that is not known may look like anything.
        _ if !is_known(kind) => Ok(Content::default()),
        None | Some(Value::Null) => Ok(Content::default()),
        Some(value) => {
            serde_json::from_value(value.clone()).map_err(|_| malformed("a block of another form than its type has"))
        }
    }
}

fn is_known(kind: &str) -> bool {
    const KNOWN: [&str; 38] = [
        "paragraph",
        "template",
        "heading_1",
        "heading_2",
        "heading_3",
        "heading_4",
        "bulleted_list_item",
        "toggle",
        "numbered_list_item",
        "to_do",
        "quote",
        "callout",
        "code",
        "equation",
        "divider",
        "breadcrumb",
        "table_of_contents",
        "column_list",
        "column",
        "tab",
        "synced_block",
        "meeting_notes",
        "transcription",
        "table",
        "table_row",
        "child_page",
        "child_database",
        "link_to_page",
        "bookmark",
        "embed",
        "link_preview",
        "image",
        "video",
        "pdf",
        "file",
        "audio",
        "unsupported",
        "ai_block",
    ];
    KNOWN.contains(&kind)
}

const fn holder() -> Rendered {
    Rendered {
        text: String::new(),
        is_close: false,
        inner: "",
        descend: true,
        copy_of: None,
        is_numbered: false,
        is_table: false,
    }
}

/// The placeholder names the type if it is a word.
fn unknown(kind: &str) -> Rendered {
    let is_word = kind.len() <= 60 && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b' ');
    let text = placeholder(&format!("Block that cannot be read: {}", if is_word { kind } else { "unknown" }));
    Rendered { text, ..holder() }
}

fn headed(mark: &str, text: &str) -> String {
    if text.trim().is_empty() { String::new() } else { format!("{mark}{}", text.replace('\n', " ")) }
}

fn listed(mark: &str, text: &str) -> Rendered {
    Rendered { text: format!("{mark}{}", text.replace('\n', "\n  ")), is_close: true, inner: "  ", ..holder() }
}

fn fenced(content: &Content) -> String {
    let code = content.rich_text.as_deref().map(plain).unwrap_or_default();
    // A fence longer than any inside, or code could end it.
    let fence = if code.contains("```") { "~~~~" } else { "```" };
    let language = content.language.as_deref().filter(|language| *language != "plain text").unwrap_or_default();
    let caption = content.caption.as_deref().map(words).filter(|caption| !caption.is_empty());
    let after = caption.map(|caption| format!("\n{caption}")).unwrap_or_default();
    format!("{fence}{language}\n{code}\n{fence}{after}")
}

fn row(cells: &[Vec<RichText>], is_head: bool) -> Rendered {
    let cell = |cell: &Vec<RichText>| words(cell).replace('|', "\\|").replace('\n', " ");
    let mut text = format!("| {} |", cells.iter().map(cell).collect::<Vec<_>>().join(" | "));
    if is_head {
        text.push_str(&format!("\n|{}", " --- |".repeat(cells.len())));
    }
    Rendered { text, is_close: true, ..holder() }
}

fn linked(title: &str, id: &str) -> String {
    match dashed(id) {
        Some(id) => format!("[{title}](https://www.notion.so/{})", id.replace('-', "")),
        None => title.to_owned(),
    }
}

fn pointer(content: &Content) -> String {
    let caption = content.caption.as_deref().map(plain).filter(|caption| !caption.trim().is_empty());
    match (caption, content.url.as_deref().filter(|url| is_link(url))) {
        (Some(caption), Some(url)) => format!("[{caption}]({url})"),
        (None, Some(url)) => url.to_owned(),
        (caption, None) => caption.unwrap_or_default(),
    }
}

/// A file by its name or caption. Addresses at Notion end within the hour and are not kept; those elsewhere are.
fn file(kind: &str, content: &Content) -> String {
    let caption = content.caption.as_deref().map(plain).filter(|caption| !caption.trim().is_empty());
    let what = match (content.name.as_deref().filter(|name| !name.is_empty()), caption) {
        (Some(name), Some(caption)) => format!("{kind}: {name}, {caption}"),
        (Some(name), None) => format!("{kind}: {name}"),
        (None, Some(caption)) => format!("{kind}: {caption}"),
        (None, None) => kind.to_owned(),
    };
    match content.external.as_ref().map(|external| external.url.as_str()).filter(|url| is_link(url)) {
        Some(url) => format!("[{what}]({url})"),
        None => placeholder(&what),
    }
}

fn formatted(title: Option<&Value>) -> Result<String, ProviderError> {
    match title {
        Some(Value::String(title)) => Ok(title.clone()),
        Some(value @ Value::Array(_)) => serde_json::from_value::<Vec<RichText>>(value.clone())
            .map(|pieces| plain(&pieces))
            .map_err(|_| malformed("a title of another form")),
        _ => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn block(kind: &str, content: Value) -> Block {
        serde_json::from_value(json!({"object": "block", "id": "59833787-2cf9-4fdf-8782-e53db20768a5", "type": kind, "has_children": false, kind: content})).unwrap()
    }

    fn text(kind: &str, content: Value) -> String {
        render(&block(kind, content), Place { number: 3, is_head: false }).unwrap().text
    }

    fn rich(text: &str) -> Value {
        json!([{"type": "text", "plain_text": text, "href": null}])
    }

    #[test]
    fn every_kind_of_block_has_its_text() {
        let check = |kind: &str, content: Value, expected: &str| assert_eq!(text(kind, content), expected, "{kind}");
        check("paragraph", json!({"rich_text": rich("a\nb"), "color": "default"}), "a\nb");
        check("heading_1", json!({"rich_text": rich("A"), "is_toggleable": false}), "# A");
        check("heading_4", json!({"rich_text": rich("A")}), "#### A");
        check("heading_2", json!({"rich_text": []}), "");
        check("bulleted_list_item", json!({"rich_text": rich("a\nb")}), "- a\n  b");
        check("numbered_list_item", json!({"rich_text": rich("a")}), "3. a");
        check("numbered_list_item", json!({"rich_text": rich("a"), "list_start_index": 7}), "7. a");
        check("to_do", json!({"rich_text": rich("a"), "checked": true}), "- [x] a");
        check("to_do", json!({"rich_text": rich("a"), "checked": false}), "- [ ] a");
        check("toggle", json!({"rich_text": rich("a")}), "- a");
        check("quote", json!({"rich_text": rich("a\nb")}), "> a\n> b");
        check("callout", json!({"rich_text": rich("a"), "icon": {"type": "emoji", "emoji": "x"}}), "> a");
        check(
            "code",
            json!({"rich_text": rich("let a;"), "language": "rust", "caption": rich("c")}),
            "```rust\nlet a;\n```\nc",
        );
        check("code", json!({"rich_text": rich("```"), "language": "plain text", "caption": []}), "~~~~\n```\n~~~~");
        check("equation", json!({"expression": "e=mc^2"}), "$$ e=mc^2 $$");
        check("divider", json!({}), "---");
        check("breadcrumb", json!({}), "");
        check("column_list", json!({}), "");
        check("table_row", json!({"cells": [rich("a|b"), rich("c")]}), "| a\\|b | c |");
        check("child_page", json!({"title": "Plan"}), "");
        check(
            "link_to_page",
            json!({"type": "page_id", "page_id": "598337872cf94fdf8782e53db20768a5"}),
            "[Page](https://www.notion.so/598337872cf94fdf8782e53db20768a5)",
        );
        check("bookmark", json!({"url": "https://a.example", "caption": rich("A")}), "[A](https://a.example)");
        check("embed", json!({"url": "https://a.example", "caption": []}), "https://a.example");
        check("embed", json!({"url": "javascript:alert(1)", "caption": []}), "");
        check(
            "image",
            json!({"type": "file", "file": {"url": "https://s3.example/secret", "expiry_time": "2026"}, "caption": rich("A lamp")}),
            "[image: A lamp]",
        );
        check(
            "file",
            json!({"type": "external", "external": {"url": "https://a.example/x"}, "name": "x.txt", "caption": []}),
            "[file: x.txt](https://a.example/x)",
        );
        check("meeting_notes", json!({"title": rich("Kick-off"), "status": "notes_ready"}), "## Kick-off");
        check("unsupported", json!({"block_type": "form"}), "[Block that cannot be read: form]");
        check("invented_in_2030", json!(7), "[Block that cannot be read: invented_in_2030]");
    }

    #[test]
    fn the_first_row_of_a_table_is_its_head() {
        let row = block("table_row", json!({"cells": [rich("a"), rich("b")]}));
        assert_eq!(render(&row, Place { number: 1, is_head: true }).unwrap().text, "| a | b |\n| --- | --- |");
    }

    #[test]
    fn documents_of_their_own_are_not_entered_and_copies_name_their_original() {
        let at = Place { number: 1, is_head: false };
        assert!(!render(&block("child_database", json!({"title": "Tasks"})), at).unwrap().descend);
        let copy = json!({"synced_from": {"type": "block_id", "block_id": "598337872cf94fdf8782e53db20768a5"}});
        let copy = render(&block("synced_block", copy), at).unwrap();
        assert_eq!((copy.copy_of.as_deref(), copy.descend), (Some("59833787-2cf9-4fdf-8782-e53db20768a5"), true));
        assert_eq!(render(&block("synced_block", json!({"synced_from": null})), at).unwrap().copy_of, None);
    }

    #[test]
    fn a_known_block_of_another_form_is_malformed_and_a_bare_one_a_placeholder() {
        for (kind, wrong) in
            [("paragraph", json!({"rich_text": "text"})), ("table_row", json!({"cells": [[7]]})), ("to_do", json!([1]))]
        {
            assert!(render(&block(kind, wrong), Place { number: 1, is_head: false }).is_err(), "{kind}");
        }
        let bare: Block = serde_json::from_str(r#"{"object":"block","id":"a"}"#).unwrap();
        assert!(render(&bare, Place { number: 1, is_head: false }).unwrap().text.starts_with('['));
    }
}
