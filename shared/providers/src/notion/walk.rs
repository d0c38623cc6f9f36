//! Walks through a page's blocks, depth first and without recursion. Where it stands can be written down between any two calls: a stack of
//! blocks whose content is being read, each with the cursor of its list and how far that was read.
//!
//! It ends whatever it meets: a synced copy within itself is left out, and so is what lies deeper or further than anything people write.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::client::{Api, dashed, error};
use super::content::{Place, placeholder, render};
use super::wire::Block;
use crate::error::{Kind, ProviderError};

const VERSION: u8 = 1;
/// Levels of blocks that are read.
const DEPTH: usize = 64;
/// Blocks that are read of one page.
const BLOCKS: u32 = 50_000;
/// Bytes of text that are taken of one page.
const BYTES: usize = 8_000_000;
/// Longest indentation; deeper lists are indented no further.
const PREFIX: usize = 40;

/// A block whose content is being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Frame {
    /// The block, or the page itself.
    id: String,
    /// The original, of a synced copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    copy_of: Option<String>,
    /// Where its list goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// Blocks of that part of the list that are done.
    skip: usize,
    /// What stands before each line.
    prefix: String,
    /// The number of the last item of a numbered list, and of the last row of a table.
    number: u32,
    /// Whether it is a table.
    table: bool,
}

/// Where a walk stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    v: u8,
    frames: Vec<Frame>,
    blocks: u32,
    bytes: usize,
    /// Whether there is text already.
    started: bool,
    /// Whether the last block stands close to the next of its kind.
    close: bool,
}

/// What a list of blocks still holds, for as long as the walk is in memory.
struct Loaded {
    blocks: VecDeque<Block>,
    next: Option<String>,
}

impl Walk {
    /// At the beginning of a page.
    pub fn begin(page: &str) -> Self {
        let frame = Frame {
            id: page.to_owned(),
            copy_of: None,
            cursor: None,
            skip: 0,
            prefix: String::new(),
            number: 0,
            table: false,
        };
        Self { v: VERSION, frames: vec![frame], blocks: 0, bytes: 0, started: false, close: false }
    }

    /// Whether it can be gone on with: it is of this version.
    pub const fn is_readable(&self) -> bool {
        self.v == VERSION
    }

    /// Whether it has come to its end.
    pub fn is_done(&self) -> bool {
        self.frames.is_empty()
    }

    /// Goes on until the end, or until this many calls are made, and adds to `text`.
    ///
    /// # Errors
    /// Those of the calls. What cannot be read inside of the page is left out; only the page itself must be readable.
    pub async fn go(&mut self, api: Api<'_>, calls: &mut u32, text: &mut String) -> Result<(), ProviderError> {
        let mut loaded: Vec<Option<Loaded>> = self.frames.iter().map(|_| None).collect();
        while let Some(top) = self.frames.last() {
            if !matches!(loaded.last(), Some(Some(_))) {
                if *calls == 0 {
                    return Ok(());
                }
                *calls -= 1;
                match self.load(api, top).await? {
                    Some(list) => {
                        loaded.pop();
                        loaded.push(Some(list));
                    }
                    None => {
                        self.frames.pop();
                        loaded.pop();
                        continue;
                    }
                }
            }
            let Some(Some(list)) = loaded.last_mut() else { return Ok(()) };
            match list.blocks.pop_front() {
                Some(block) => {
                    if self.take(&block, text)? {
                        loaded.push(None);
                    }
                    if self.is_enough() {
                        self.add("", &placeholder("The page goes on; this is as much of it as is kept"), false, text);
                        self.frames.clear();
                    }
                }
                None => {
                    let next = list.next.take();
                    loaded.pop();
                    match (next, self.frames.last_mut()) {
                        (Some(next), Some(frame)) => {
                            (frame.cursor, frame.skip) = (Some(next), 0);
                            loaded.push(None);
                        }
                        _ => {
                            self.frames.pop();
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn is_enough(&self) -> bool {
        self.blocks >= BLOCKS || self.bytes >= BYTES
    }

    /// The part of a list where a frame stands; `None` if it cannot be read and does no harm.
    async fn load(&self, api: Api<'_>, frame: &Frame) -> Result<Option<Loaded>, ProviderError> {
        let list = match api.children(&frame.id, frame.cursor.as_deref()).await {
            Err(ProviderError { kind: Kind::NotFound | Kind::Forbidden(_) | Kind::Rejected(_), .. })
                if self.frames.len() > 1 =>
            {
                return Ok(None);
            }
            // The list has changed meanwhile: what came of it stays, and the rest is left to the next edit's fetch.
            Err(ProviderError { kind: Kind::PageExpired, .. }) => return Err(error(Kind::Unavailable)),
            list => list?,
        };
        let blocks = list.results.into_iter().skip(frame.skip).collect();
        Ok(Some(Loaded { blocks, next: list.next_cursor }))
    }

    /// Takes a block: adds its text, and goes into it (then it says so) if there is something inside.
    fn take(&mut self, block: &Block, text: &mut String) -> Result<bool, ProviderError> {
        let Some(frame) = self.frames.last_mut() else { return Ok(false) };
        frame.skip += 1;
        self.blocks += 1;
        let place = Place { number: frame.number + 1, is_head: frame.table && frame.number == 0 };
        let rendered = render(block, place)?;
        frame.number = if rendered.is_numbered || frame.table { place.number } else { 0 };
        let prefix = frame.prefix.clone();
        self.add(&prefix, &rendered.text, rendered.is_close, text);
        if !rendered.descend || block.has_children != Some(true) {
            return Ok(false);
        }
        let Some(id) = dashed(&block.id) else { return Ok(false) };
        if self.goes_in_circles(&id) || rendered.copy_of.as_deref().is_some_and(|id| self.goes_in_circles(id)) {
            self.add(&prefix, &placeholder("Synced content that holds itself"), false, text);
            return Ok(false);
        }
        if self.frames.len() >= DEPTH {
            self.add(&prefix, &placeholder("What lies deeper is left out"), false, text);
            return Ok(false);
        }
        let inner = if prefix.len() + rendered.inner.len() <= PREFIX { rendered.inner } else { "" };
        self.frames.push(Frame {
            id,
            copy_of: rendered.copy_of,
            cursor: None,
            skip: 0,
            prefix: format!("{prefix}{inner}"),
            number: 0,
            table: rendered.is_table,
        });
        Ok(true)
    }

    fn goes_in_circles(&self, id: &str) -> bool {
        self.frames.iter().any(|frame| frame.id == id || frame.copy_of.as_deref() == Some(id))
    }

    /// Adds lines of their own before the blocks.
    pub fn add_lines(&mut self, lines: &[String], text: &mut String) {
        for line in lines {
            self.add("", line, true, text);
        }
        self.close = false;
    }

    /// Adds a block that is no block of Notion's. Close ones stand close to each other.
    pub fn add_block(&mut self, what: &str, is_close: bool, text: &mut String) {
        self.add("", what, is_close, text);
    }

    fn add(&mut self, prefix: &str, what: &str, is_close: bool, text: &mut String) {
        if what.trim().is_empty() {
            return;
        }
        let before = text.len();
        if self.started {
            text.push_str(if self.close && is_close { "\n" } else { "\n\n" });
        }
        for (number, line) in what.split('\n').enumerate() {
            if number > 0 {
                text.push('\n');
            }
            text.push_str(prefix);
            text.push_str(line);
        }
        (self.started, self.close) = (true, is_close);
        self.bytes += text.len() - before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Http;
    use crate::notion::tests::{access, id};
    use crate::testing::{Reply, Seen, Server};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn block(number: u32, kind: &str, text: &str, has_children: bool) -> Value {
        json!({"object": "block", "id": long_id(number), "type": kind, "has_children": has_children,
               kind: {"rich_text": [{"plain_text": text}]}})
    }

    fn long_id(number: u32) -> String {
        format!("00000000-0000-4000-8000-{number:012x}")
    }

    /// What the children of each block are, a list a page.
    type Tree = BTreeMap<String, Vec<Vec<Value>>>;

    fn serve(tree: Tree) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
        move |request| {
            let id = request.path.trim_start_matches("/v1/blocks/").trim_end_matches("/children");
            let Some(pages) = tree.get(id) else {
                return Reply::json(404, json!({"object": "error", "code": "object_not_found"}));
            };
            let at: usize = request.query("start_cursor").trim_start_matches('c').parse().unwrap_or(0);
            let next = (at + 1 < pages.len()).then(|| format!("c{}", at + 1));
            Reply::json(200, json!({"results": pages[at], "has_more": next.is_some(), "next_cursor": next}))
        }
    }

    /// Walks in parts of this many calls, each from what the one before wrote down. The text, the calls and the largest note.
    async fn walk(server: &Server, page: &str, calls: u32) -> Result<(String, usize, usize), Kind> {
        let (http, access) = (Http::new(), access(server));
        let (mut at, mut text, mut largest) = (Walk::begin(page), String::new(), 0);
        for _ in 0..5_000 {
            let mut left = calls;
            at.go(Api::new(&http, &access), &mut left, &mut text).await.map_err(|error| error.kind)?;
            if at.is_done() {
                return Ok((text, server.seen().len(), largest));
            }
            let note = serde_json::to_string(&at).unwrap();
            largest = largest.max(note.len());
            at = serde_json::from_str(&note).unwrap();
        }
        panic!("the walk does not end");
    }

    fn nested() -> Tree {
        let page = vec![
            vec![
                block(10, "heading_1", "Plan", false),
                block(11, "bulleted_list_item", "one", true),
                block(12, "bulleted_list_item", "two", false),
            ],
            vec![
                block(13, "numbered_list_item", "first", false),
                block(14, "numbered_list_item", "second", true),
                block(15, "paragraph", "end", false),
            ],
        ];
        Tree::from([
            (id(1), page),
            (long_id(11), vec![vec![block(20, "to_do", "inner\nlines", true), block(21, "quote", "said", false)]]),
            (long_id(20), vec![vec![block(30, "paragraph", "deep", false)]]),
            // 14 is not shared.
        ])
    }

    const TEXT: &str =
        "# Plan\n\n- one\n  - [ ] inner\n    lines\n\n    deep\n\n  > said\n\n- two\n1. first\n2. second\n\nend";

    #[tokio::test]
    async fn text_is_the_same_in_one_part_and_in_many() {
        for calls in [1, 2, 3, u32::MAX] {
            let server = Server::start(serve(nested())).await;
            let (text, made, _) = walk(&server, &id(1), calls).await.unwrap();
            assert_eq!(text, TEXT, "{calls}");
            assert!(made <= 12, "{calls}: {made} calls");
        }
        let server = Server::start(serve(nested())).await;
        assert_eq!(walk(&server, &id(1), u32::MAX).await.unwrap().1, 5);
    }

    #[tokio::test]
    async fn a_page_that_is_gone_is_gone_and_a_block_that_is_gone_is_left_out() {
        let server = Server::start(serve(nested())).await;
        assert_eq!(walk(&server, &id(2), 9).await, Err(Kind::NotFound));
    }

    #[tokio::test]
    async fn tables_have_a_head_and_their_rows() {
        let row = |number, text: &str| json!({"object": "block", "id": long_id(number), "type": "table_row", "table_row": {"cells": [[{"plain_text": text}]]}});
        let table = json!({"object": "block", "id": long_id(10), "type": "table", "has_children": true, "table": {"table_width": 1}});
        let tree = Tree::from([
            (id(1), vec![vec![table]]),
            (long_id(10), vec![vec![row(11, "a"), row(12, "b")], vec![row(13, "c")]]),
        ]);
        for calls in [1, 9] {
            let server = Server::start(serve(tree.clone())).await;
            assert_eq!(walk(&server, &id(1), calls).await.unwrap().0, "| a |\n| --- |\n| b |\n| c |");
        }
    }

    #[tokio::test]
    async fn a_page_of_twenty_thousand_blocks_is_read_in_parts() {
        let pages: Vec<Vec<Value>> = (0..200)
            .map(|page| (0..100).map(|n| block(1000 + page * 100 + n, "paragraph", "word", false)).collect())
            .collect();
        let server = Server::start(serve(Tree::from([(id(1), pages)]))).await;
        let (text, calls, largest) = walk(&server, &id(1), 10).await.unwrap();
        assert_eq!((text.matches("word").count(), calls), (20_000, 200));
        assert!(largest < 1000);
    }

    #[tokio::test]
    async fn no_page_is_endless() {
        let endless = |request: &Seen| {
            let at: u32 = request.query("start_cursor").parse().unwrap_or(0);
            let blocks: Vec<Value> = (0..100).map(|n| block(n, "paragraph", "word", false)).collect();
            Reply::json(200, json!({"results": blocks, "has_more": true, "next_cursor": (at + 1).to_string()}))
        };
        let server = Server::start(endless).await;
        let (text, calls, _) = walk(&server, &id(1), 50).await.unwrap();
        assert_eq!(calls, 500);
        assert!(text.ends_with("[The page goes on; this is as much of it as is kept]"));
    }

    #[tokio::test]
    async fn depth_ends_and_the_note_stays_small() {
        let bottomless = |request: &Seen| {
            let id = request.path.trim_start_matches("/v1/blocks/").trim_end_matches("/children");
            let number = u32::from_str_radix(&id[28..], 16).unwrap();
            let item = block(number + 1, "bulleted_list_item", "down", true);
            Reply::json(200, json!({"results": [item], "has_more": false, "next_cursor": null}))
        };
        let server = Server::start(bottomless).await;
        let (text, calls, largest) = walk(&server, &id(1), 7).await.unwrap();
        assert_eq!(text.matches("- down").count(), DEPTH);
        assert!(text.contains("[What lies deeper is left out]"));
        assert!(calls <= 2 * DEPTH + 20 && largest < 60_000, "{calls} {largest}");
    }

    #[tokio::test]
    async fn synced_blocks_that_hold_each_other_end() {
        let copy = |number: u32, of: u32| {
            json!({"object": "block", "id": long_id(number), "type": "synced_block", "has_children": true,
                   "synced_block": {"synced_from": {"type": "block_id", "block_id": long_id(of)}}})
        };
        // 10 holds a copy 11 of 20, and 20 a copy of 10; 12 holds itself.
        let tree = Tree::from([
            (id(1), vec![vec![copy(11, 20), block(12, "toggle", "self", true), block(13, "paragraph", "end", false)]]),
            (long_id(11), vec![vec![block(30, "paragraph", "twenty", false), copy(21, 10)]]),
            (long_id(21), vec![vec![block(31, "paragraph", "ten", false), copy(11, 20), copy(22, 20)]]),
            (long_id(12), vec![vec![block(12, "toggle", "self", true)]]),
        ]);
        let server = Server::start(serve(tree)).await;
        let (text, calls, _) = walk(&server, &id(1), 3).await.unwrap();
        assert_eq!(text.matches("[Synced content that holds itself]").count(), 3, "{text}");
        assert!(text.ends_with("end") && calls < 20);
    }
}
