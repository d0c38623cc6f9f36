//! Long texts in parts: Cognia finds a memory by the first 1,200 characters of its text and by nothing behind them.
//!
//! A text is cut at its headings, and a section that is still too long at its paragraphs, lines and words. A part is named by the
//! headings above it, not by its place, so that an edit in one section leaves the parts of the others as they are.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::text::{beginning, readable, units};
use crate::Upsert;

/// What a part may have at most, in units of UTF-16: Cognia reads the first 1,200 characters.
pub(super) const LEAD: usize = 1_199;
/// Parts of one resource. What lies behind them is left out and said to be: the account of more would not fit into its row.
pub(super) const MOST: usize = 3_000;
/// The longest title.
const TITLE: usize = 300;
/// The longest part of a title that stands before a text of which only a reference is stored.
const REFERENCE: usize = 200;

/// What becomes one memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Its name within the resource, stable under edits elsewhere.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its text, safe to be stored.
    pub text: String,
    /// What stands in its place where no text is kept; `None` where it is kept.
    pub reference: Option<String>,
    /// Of all that is delivered.
    pub hash: String,
}

/// A section of a text: the headings above it, and its text with its own heading.
struct Section {
    path: Vec<String>,
    text: String,
}

/// The parts of a resource, in the order of its text, and whether some had to be left out.
pub(super) fn of(upsert: &Upsert) -> (Vec<Part>, bool) {
    let content = &upsert.content;
    let reference =
        (!upsert.keep_body).then(|| format!("Reference: {}", beginning(&readable(&content.title), REFERENCE)));
    let room = LEAD - reference.as_deref().map_or(0, |line| units(line) + 2);
    let part = |id: String, title: String, text: &str| {
        // No memory may be empty.
        let text = if text.trim().is_empty() { &content.title } else { text };
        let text = match &reference {
            // Never equal to a text that is kept, or the two would share one memory.
            Some(line) => format!("{line} \n{}", beginning(&readable(text), room)),
            None => beginning(&readable(text), room).to_owned(),
        };
        let hash = digest(&[&title, &text, content.url.as_deref().unwrap_or_default()]);
        Part { id, title, text, reference: reference.clone(), hash }
    };
    let title = beginning(&content.title, TITLE);
    if units(&readable(&content.content)) <= room {
        return (vec![part("whole".to_owned(), title.to_owned(), &content.content)], false);
    }
    let mut seen: HashMap<Vec<String>, u32> = HashMap::new();
    let mut parts = Vec::new();
    for Section { path, text } in sections(&content.content) {
        let times = seen.entry(path.clone()).or_default();
        let named = path.last().map_or_else(|| title.to_owned(), |heading| format!("{title} — {heading}"));
        for (place, chunk) in chunks(&text, room).into_iter().enumerate() {
            if parts.len() == MOST {
                return (parts, true);
            }
            let id = digest(&[&path.join("\n"), &times.to_string(), &place.to_string()]);
            parts.push(part(id, beginning(&named, TITLE).to_owned(), chunk));
        }
        *times += 1;
    }
    (parts, false)
}

/// Cuts a text at its headings (`# Heading`, outside of fenced code). A heading with nothing below it goes along with what follows.
fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut section = Section { path: Vec::new(), text: String::new() };
    let (mut fenced, mut has_body) = (false, false);
    for line in text.split_inclusive('\n') {
        fenced ^= line.trim_start().starts_with("```");
        if let Some((level, heading)) = heading(line).filter(|_| !fenced) {
            path.retain(|(above, _)| *above < level);
            path.push((level, heading.to_owned()));
            let names = path.iter().map(|(_, name)| name.clone()).collect();
            if has_body {
                sections.push(std::mem::replace(&mut section, Section { path: names, text: String::new() }));
            } else {
                section.path = names;
            }
            has_body = false;
        } else {
            has_body |= !line.trim().is_empty();
        }
        section.text.push_str(line);
    }
    sections.push(section);
    sections
}

/// A line's heading and its level.
fn heading(line: &str) -> Option<(usize, &str)> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    let name = rest.strip_prefix(' ')?.trim();
    ((1..=6).contains(&level) && !name.is_empty()).then_some((level, name))
}

/// Cuts a text into pieces that have room, at the best places there are.
fn chunks(text: &str, room: usize) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let fits = fitting(rest, room);
        let end = if fits == rest.len() { fits } else { best_cut(rest.get(..fits).unwrap_or(rest)) };
        let (chunk, after) = rest.split_at(end);
        chunks.push(chunk.trim());
        rest = after.trim_start();
    }
    chunks
}

/// How many bytes of a text have room once it is made readable, at a character's end.
fn fitting(text: &str, room: usize) -> usize {
    let mut used = 0;
    for (at, letter) in text.char_indices() {
        used += if letter == '\n' || letter == '\r' { 2 } else { letter.len_utf16() };
        if used > room {
            // At least one character, or it would never end.
            return if at == 0 { letter.len_utf8() } else { at };
        }
    }
    text.len()
}

/// Where to cut: behind a paragraph, else a line, a sentence, a word; else at the end. Not in the first half, or the pieces get small.
fn best_cut(text: &str) -> usize {
    let second_half = text.floor_char_boundary(text.len() / 2);
    let cuts = ["\n\n", "\n", ". ", " "].into_iter().filter_map(|mark| text.rfind(mark).map(|at| at + mark.len()));
    cuts.into_iter().find(|cut| *cut > second_half).unwrap_or(text.len())
}

/// Sixteen hexadecimal digits of several texts.
pub(super) fn digest(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(16);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::upsert;
    use std::collections::BTreeMap;

    fn parts(text: &str) -> Vec<Part> {
        of(&upsert("f1", text)).0
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn section(heading: &str, word: &str, times: usize) -> String {
        format!("## {heading}\n\n{}\n\n", format!("{word} ").repeat(times).trim())
    }

    #[test]
    fn a_short_text_is_one_part_and_an_empty_one_is_its_title() {
        let one = parts("# Plan\n\nWe meet.");
        assert_eq!((one.len(), one[0].id.as_str(), one[0].title.as_str()), (1, "whole", "Plan"));
        assert_eq!(one[0].text, "# Plan \n \nWe meet.");
        assert_eq!(parts(" \n")[0].text, "Plan");
    }

    #[test]
    fn a_long_text_is_cut_at_its_headings_and_loses_no_word() {
        let text = format!(
            "Intro\n\n# All\n\n{}{}{}",
            section("One", "first", 150),
            section("Two", "second", 700),
            section("Three", "😀é", 400)
        );
        let parts = parts(&text);
        assert!(
            parts.iter().all(|part| units(&part.text) < 1_200),
            "{:?}",
            parts.iter().map(|part| units(&part.text)).collect::<Vec<_>>()
        );
        let together: String = parts.iter().map(|part| format!("{} ", part.text)).collect();
        assert_eq!(words(&together), words(&text));
        let ids: std::collections::BTreeSet<_> = parts.iter().map(|part| &part.id).collect();
        assert_eq!(ids.len(), parts.len());
        assert!(parts.iter().any(|part| part.title == "Plan — Two"));
    }

    #[test]
    fn an_edit_in_one_section_leaves_the_others_parts_alone() {
        let text = |middle: &str| {
            format!("{}{}{}", section("One", "first", 190), section("Two", middle, 180), section("Three", "third", 190))
        };
        let by_id =
            |text: &str| parts(text).into_iter().map(|part| (part.id.clone(), part)).collect::<BTreeMap<_, _>>();
        let (before, after) = (by_id(&text("second")), by_id(&text("edited")));
        let changed = before.iter().filter(|(id, part)| after.get(*id) != Some(part)).count();
        assert!(before.len() >= 3 && changed == before.values().filter(|part| part.title.ends_with("Two")).count());
        let longer = by_id(&format!("{}{}", section("Zero", "new", 150), text("second")));
        assert!(before.iter().all(|(id, part)| longer.get(id) == Some(part)), "a section before them moves nobody");
    }

    #[test]
    fn headings_of_the_same_name_have_parts_of_their_own() {
        let text = format!("{}{}", section("Notes", "first", 190), section("Notes", "second", 190));
        let ids: Vec<_> = parts(&text).into_iter().map(|part| part.id).collect();
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn what_looks_like_a_heading_in_code_is_none() {
        assert_eq!(sections("```\n# no heading\n```\ntext\n").len(), 1);
        assert_eq!(heading("####### seven"), None);
        assert_eq!(heading("#tag"), None);
        assert_eq!(heading("# "), None);
        assert_eq!(heading("### Three\n"), Some((3, "Three")));
    }

    #[test]
    fn a_word_without_end_is_cut_all_the_same() {
        let parts = parts(&"x".repeat(5_000));
        assert_eq!(parts.iter().map(|part| part.text.len()).sum::<usize>(), 5_000);
        assert!(parts.iter().all(|part| part.text.len() <= LEAD));
    }

    #[test]
    fn a_text_of_which_only_a_reference_is_stored_equals_none_that_is_kept() {
        let kept = upsert("f1", &"word ".repeat(600));
        let reference = Upsert { keep_body: false, ..kept.clone() };
        let (kept, reference) = (of(&kept).0, of(&reference).0);
        assert!(reference.iter().all(|part| part.text.starts_with("Reference: Plan \n") && units(&part.text) <= LEAD));
        assert!(reference.iter().all(|part| part.reference.as_deref() == Some("Reference: Plan")));
        assert!(kept.iter().all(|part| part.reference.is_none() && !part.text.contains("Reference")));
    }

    #[test]
    fn a_book_is_cut_off_and_says_so() {
        let (parts, cut) = of(&upsert("f1", &"# Chapter\n\nwords of it\n\n".repeat(MOST + 5)));
        assert_eq!((parts.len(), cut), (MOST, true));
    }
}
