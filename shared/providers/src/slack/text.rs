//! Slack's mrkdwn to plain text: mentions, channels and links become what people see, marks go, entities come back.
//!
//! <https://docs.slack.dev/messaging/formatting-message-text>. What stands between `<` and `>` is a reference; the characters themselves
//! are always written as entities, so no text of a person can pass for one.

use std::collections::{BTreeSet, HashMap};

use super::names::Person;

/// Whom and what texts refer to by id only.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// People and bots.
    pub people: BTreeSet<String>,
    /// Channels.
    pub rooms: BTreeSet<String>,
}

/// The names of what was mentioned.
#[derive(Debug, Default)]
pub struct Resolved {
    /// People and bots, by id.
    pub people: HashMap<String, Person>,
    /// Channels, by id.
    pub rooms: HashMap<String, String>,
}

impl Mentions {
    /// Adds what this text mentions and gives no label for.
    pub fn add(&mut self, text: &str) {
        for inner in references(text) {
            let (what, label) = inner.split_once('|').unwrap_or((inner, ""));
            match (what.chars().next(), label.is_empty()) {
                (Some('@'), true) => self.people.insert(what.trim_start_matches('@').to_owned()),
                (Some('#'), true) => self.rooms.insert(what.trim_start_matches('#').to_owned()),
                _ => false,
            };
        }
    }
}

/// What stands between angle brackets.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(inner, _)| inner))
}

/// A text without marks, with names in place of ids.
pub fn plain(text: &str, resolved: &Resolved) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        let (before, from) = rest.split_at(start);
        let fence = if from.starts_with("```") { "```" } else { "`" };
        let inner = from.get(fence.len()..).unwrap_or_default();
        // A single backtick pairs within its line; one that is alone is a character.
        let end = inner
            .find(fence)
            .filter(|end| fence.len() == 3 || (*end > 0 && !inner.get(..*end).unwrap_or_default().contains('\n')));
        unmarked(before, resolved, &mut out);
        match end {
            Some(end) => {
                let (code, after) = inner.split_at(end);
                with_names(code.trim_matches('\n'), resolved, &mut out);
                rest = after.get(fence.len()..).unwrap_or_default();
            }
            None => {
                out.push_str(fence);
                rest = inner;
            }
        }
    }
    unmarked(rest, resolved, &mut out);
    unescape(out.trim())
}

/// Text outside of code: marks go, references become names.
fn unmarked(text: &str, resolved: &Resolved, out: &mut String) {
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let pieces = pieces(line, resolved);
        let mut dropped = vec![false; pieces.len()];
        for mark in ['*', '_', '~'] {
            drop_pairs(&pieces, mark, &mut dropped);
        }
        for (piece, _) in pieces.iter().zip(&dropped).filter(|(_, dropped)| !**dropped) {
            match piece {
                Piece::Char(char) => out.push(*char),
                Piece::Reference(text) => out.push_str(text),
            }
        }
    }
}

/// Code: everything stays, but references are what people see.
fn with_names(text: &str, resolved: &Resolved, out: &mut String) {
    for piece in pieces(text, resolved) {
        match piece {
            Piece::Char(char) => out.push(char),
            Piece::Reference(text) => out.push_str(&text),
        }
    }
}

/// A character, or a reference as people see it.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    Reference(String),
}

impl Piece {
    fn is(&self, wanted: char) -> bool {
        *self == Self::Char(wanted)
    }

    /// Whether a mark beside it is part of a word: `snake_case`, `2*3`.
    fn is_of_a_word(&self) -> bool {
        matches!(self, Self::Char(char) if char.is_alphanumeric())
    }

    fn is_space(&self) -> bool {
        matches!(self, Self::Char(char) if char.is_whitespace())
    }
}

fn pieces(text: &str, resolved: &Resolved) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, from) = rest.split_at(start);
        pieces.extend(before.chars().map(Piece::Char));
        let inner = from.get(1..).unwrap_or_default();
        // A second opening bracket before the closing one: this one is a character.
        let end = inner.find(['<', '>']).filter(|end| *end > 0 && inner.as_bytes().get(*end) == Some(&b'>'));
        match end.and_then(|end| Some((inner.get(..end)?, inner.get(end + 1..)?))) {
            Some((inner, after)) => {
                pieces.push(Piece::Reference(seen(inner, resolved)));
                rest = after;
            }
            None => {
                pieces.push(Piece::Char('<'));
                rest = inner;
            }
        }
    }
    pieces.extend(rest.chars().map(Piece::Char));
    pieces
}

/// Marks the two ends of each stretch between two marks of a kind.
fn drop_pairs(pieces: &[Piece], mark: char, dropped: &mut [bool]) {
    let neighbour = |place: usize| pieces.get(place);
    let opens = |place: usize| {
        let before = place.checked_sub(1).and_then(neighbour);
        let after = neighbour(place + 1);
        !before.is_some_and(|piece| piece.is_of_a_word() || piece.is(mark))
            && after.is_some_and(|piece| !piece.is_space() && !piece.is(mark))
    };
    let closes = |place: usize| {
        let before = place.checked_sub(1).and_then(neighbour);
        before.is_some_and(|piece| !piece.is_space() && !piece.is(mark))
            && !neighbour(place + 1).is_some_and(|piece| piece.is_of_a_word() || piece.is(mark))
    };
    let mut open: Option<usize> = None;
    for (place, piece) in pieces.iter().enumerate() {
        if !piece.is(mark) {
            continue;
        }
        match open {
            Some(start) if closes(place) => {
                for end in [start, place] {
                    if let Some(dropped) = dropped.get_mut(end) {
                        *dropped = true;
                    }
                }
                open = None;
            }
            _ if opens(place) => open = Some(place),
            _ => {}
        }
    }
}

/// What people see of a reference. Names are escaped, because the whole text is unescaped at the end.
fn seen(inner: &str, resolved: &Resolved) -> String {
    let (what, label) = inner.split_once('|').unwrap_or((inner, ""));
    if let Some(id) = what.strip_prefix('@') {
        let known = || resolved.people.get(id).map(|person| escape(&person.name));
        let name = if label.is_empty() { known().unwrap_or_else(|| id.to_owned()) } else { label.to_owned() };
        return format!("@{}", name.trim_start_matches('@'));
    }
    if let Some(id) = what.strip_prefix('#') {
        let known = || resolved.rooms.get(id).map(|name| escape(name));
        let name = if label.is_empty() { known().unwrap_or_else(|| id.to_owned()) } else { label.to_owned() };
        return format!("#{}", name.trim_start_matches('#'));
    }
    if let Some(command) = what.strip_prefix('!') {
        // `!here`, `!subteam^S1|@writers`, `!date^1700000000^{date}|14 November`.
        let word = command.split('^').next().unwrap_or(command);
        return if label.is_empty() { format!("@{word}") } else { label.to_owned() };
    }
    let address = what.strip_prefix("mailto:").or_else(|| what.strip_prefix("tel:"));
    match (address, label) {
        (Some(address), "") => address.to_owned(),
        (Some(_), label) => label.to_owned(),
        (None, "") => what.to_owned(),
        // A link that is written without its scheme is labelled by itself.
        (None, label)
            if what == label || what.strip_prefix("https://").or(what.strip_prefix("http://")) == Some(label) =>
        {
            what.to_owned()
        }
        (None, label) => format!("{label} ({what})"),
    }
}

/// The three characters that Slack writes as entities.
pub fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// A plain text as mrkdwn that shows it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved() -> Resolved {
        let person = |name: &str| Person { name: name.to_owned(), email: None };
        Resolved {
            people: HashMap::from([("U1".to_owned(), person("Ada *Byron*")), ("U2".to_owned(), person("R & D <x>"))]),
            rooms: HashMap::from([("C1".to_owned(), "general".to_owned())]),
        }
    }

    fn check(mrkdwn: &str, expected: &str) {
        assert_eq!(plain(mrkdwn, &resolved()), expected, "{mrkdwn}");
    }

    #[test]
    fn references_become_what_people_see() {
        check("hi <@U1>, <@U9> and <@U7|bob>", "hi @Ada *Byron*, @U9 and @bob");
        check("<@U2>", "@R & D <x>");
        check("see <#C1> and <#C2|random> and <#C3>", "see #general and #random and #C3");
        check("<!here> <!channel> <!subteam^S1|@writers> <!subteam^S2>", "@here @channel @writers @subteam");
        check("on <!date^1392734382^{date_num}|2014-02-18>", "on 2014-02-18");
        check("<https://x.example/a?b=1&amp;c=2>", "https://x.example/a?b=1&c=2");
        check("<https://x.example|the page>", "the page (https://x.example)");
        check("<http://x.example|x.example>", "http://x.example");
        check("<mailto:a@x.example|a@x.example> <mailto:b@x.example>", "a@x.example b@x.example");
    }

    #[test]
    fn marks_go_and_characters_that_are_none_stay() {
        check("*bold* _italic_ ~gone~ *_both_*", "bold italic gone both");
        check("snake_case_name and 2*3*4 and a * b * c", "snake_case_name and 2*3*4 and a * b * c");
        check("(*bold*), \"_it_\"", "(bold), \"it\"");
        check("*one\ntwo*", "*one\ntwo*");
        check("** __ ~~ *", "** __ ~~ *");
        check("*<@U1>*", "@Ada *Byron*");
        check(":wave: &gt; quoted", ":wave: > quoted");
    }

    #[test]
    fn code_stays_as_it_is_and_loses_its_ticks() {
        check("run `a_b *c*` now", "run a_b *c* now");
        check("```\nfn main() { *x* }\n```", "fn main() { *x* }");
        check("a ` b", "a ` b");
        check("open ``` only *x*", "open ``` only x");
        check("`see <https://x.example>`", "see https://x.example");
    }

    #[test]
    fn entities_come_back_once() {
        check("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2");
        check("&amp;lt;", "&lt;");
        check("&lt;@U1&gt;", "<@U1>");
    }

    #[test]
    fn what_is_mentioned_by_id_only_is_asked_for() {
        let mut mentions = Mentions::default();
        mentions.add("<@U1> <@U2|bob> <#C1> <#C2|x> <#C3|> <!here> <https://x.example> <@> < <@U4");
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(mentions, Mentions { people: set(&["U1", ""]), rooms: set(&["C1", "C3"]) });
    }

    #[test]
    fn hostile_texts_end_quickly() {
        let begun = std::time::Instant::now();
        for text in ["<", "`", "```", "*a", "*_~", "<@", "<<>>", "`a`", "&amp;"] {
            plain(&text.repeat(40_000), &resolved());
        }
        assert!(begun.elapsed().as_secs() < 20);
    }
}
