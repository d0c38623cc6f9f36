//! HTML as a stream of tags and text. It forgives what browsers forgive, in one pass and without memory of its own.

use std::borrow::Cow;

/// Longest name of a reference such as `&CounterClockwiseContourIntegral;`.
const REFERENCE_BYTES: usize = 34;

/// A start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    /// In lower case.
    pub(super) name: String,
    attributes: String,
    closes_itself: bool,
}

/// A piece of the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'s> {
    /// Text, its references not yet decoded.
    Text(&'s str),
    /// The start of an element.
    Start(Tag),
    /// The end of an element, by its name in lower case.
    End(String),
}

/// The pieces of a page, in order.
pub(super) struct Tokens<'s> {
    rest: &'s str,
}

impl<'s> Tokens<'s> {
    /// Reads from the beginning of `source`.
    pub(super) fn new(source: &'s str) -> Self {
        Self { rest: source }
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Token<'s>> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            // A `<` that begins no tag is text.
            let from = usize::from(self.rest.starts_with('<'));
            let Some(after) = self.rest.strip_prefix('<').filter(|after| begins_markup(after)) else {
                let next =
                    self.rest.get(from..).and_then(|rest| rest.find('<')).map_or(self.rest.len(), |at| at + from);
                let (text, rest) = self.rest.split_at_checked(next).unwrap_or((self.rest, ""));
                self.rest = rest;
                return Some(Token::Text(text));
            };
            if let Some(comment) = after.strip_prefix("!--") {
                self.rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            } else if let Some(data) = after.strip_prefix("![CDATA[") {
                let (text, rest) = data.split_once("]]>").unwrap_or((data, ""));
                self.rest = rest;
                return Some(Token::Text(text));
            } else if after.starts_with(['!', '?']) {
                self.rest = after.split_once('>').map_or("", |(_, rest)| rest);
            } else {
                return self.tag(after);
            }
        }
    }

    fn tag(&mut self, after: &'s str) -> Option<Token<'s>> {
        let (inside, rest) = split_at_tag_end(after);
        self.rest = rest;
        let closes = inside.starts_with('/');
        let inside = inside.trim_start_matches('/');
        let name_end = inside.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(inside.len());
        let (name, attributes) = inside.split_at_checked(name_end)?;
        let name = name
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .get(..name.len().min(32))
            .unwrap_or_default()
            .to_ascii_lowercase();
        if closes {
            return Some(Token::End(name));
        }
        let closes_itself = attributes.trim_end().ends_with('/');
        // No attribute that is read here is long; a page's images may be written into theirs.
        let attributes =
            if name == "img" || name == "area" || name == "ol" { attributes.to_owned() } else { String::new() };
        Some(Token::Start(Tag { name, attributes, closes_itself }))
    }

    /// Passes over the contents of an element that nobody reads, up to its own end.
    pub(super) fn skip_to_end_of(&mut self, tag: &Tag) {
        if tag.closes_itself && !matches!(tag.name.as_str(), "script" | "style" | "template") {
            return;
        }
        let mut rest = self.rest;
        while let Some(at) = rest.find("</") {
            let after = rest.get(at + 2..).unwrap_or_default();
            let name = after.get(..tag.name.len()).unwrap_or_default();
            let next = after.as_bytes().get(tag.name.len()).copied().unwrap_or(b'>');
            if name.eq_ignore_ascii_case(&tag.name) && !next.is_ascii_alphanumeric() {
                self.rest = after.split_once('>').map_or("", |(_, rest)| rest);
                return;
            }
            rest = after;
        }
        self.rest = "";
    }
}

impl Tag {
    /// The value of an attribute, its references not yet decoded.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let mut rest = self.attributes.as_str();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '=' || c == '/').unwrap_or(rest.len());
            let (found, after) = rest.split_at_checked(end)?;
            if rest.is_empty() {
                return None;
            }
            let after = after.trim_start();
            let Some(value) = after.strip_prefix('=').map(str::trim_start) else {
                rest = if end == 0 { after.get(1..)? } else { after };
                continue;
            };
            let (value, after) = match value.strip_prefix(['"', '\'']) {
                Some(quoted) => {
                    let quote = if value.starts_with('"') { '"' } else { '\'' };
                    quoted.split_once(quote).unwrap_or((quoted, ""))
                }
                None => value.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((value, "")),
            };
            if found.eq_ignore_ascii_case(name) {
                return Some(value.to_owned());
            }
            rest = after;
        }
    }
}

/// Whether what follows a `<` makes it a tag, a comment or a declaration.
fn begins_markup(after: &str) -> bool {
    let mut bytes = after.bytes();
    match bytes.next() {
        Some(b'!' | b'?') => true,
        Some(b'/') => bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic()),
        Some(byte) => byte.is_ascii_alphabetic(),
        None => false,
    }
}

/// Splits at the `>` that ends the tag, which is not one inside a quoted value.
fn split_at_tag_end(after: &str) -> (&str, &str) {
    let mut quote = None;
    let mut after_equals = false;
    for (at, byte) in after.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return (after.get(..at).unwrap_or_default(), after.get(at + 1..).unwrap_or_default()),
            (None, b'"' | b'\'') if after_equals => quote = Some(byte),
            (Some(open), byte) if byte == open => quote = None,
            _ => {}
        }
        after_equals = byte == b'=' || (after_equals && byte.is_ascii_whitespace());
    }
    // A quote that never closes would swallow the page: end such a tag at the first `>`.
    after.split_once('>').unwrap_or((after, ""))
}

/// Replaces references by what they stand for.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        result.push_str(before);
        let end = after.bytes().take(REFERENCE_BYTES).position(|byte| byte == b';');
        let reference = end.and_then(|end| after.get(..end)).and_then(resolved);
        match (reference, end) {
            (Some(meaning), Some(end)) => {
                result.push_str(&meaning);
                rest = after.get(end + 1..).unwrap_or_default();
            }
            _ => {
                result.push('&');
                rest = after;
            }
        }
    }
    result.push_str(rest);
    Cow::Owned(result)
}

fn resolved(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        // Numbers of the C1 range mean what they mean in Windows' Latin set.
        let code = match u8::try_from(code) {
            Ok(byte @ 0x80..=0x9f) => {
                return Some(encoding_rs::WINDOWS_1252.decode_without_bom_handling(&[byte]).0.into_owned());
            }
            _ => code,
        };
        return char::from_u32(code).map(String::from);
    }
    quick_xml::escape::resolve_html5_entity(name).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[&str]) {
        let mut tokens = Tokens::new(source);
        let mut told = Vec::new();
        while let Some(token) = tokens.next() {
            told.push(match token {
                Token::Text(text) => text.to_owned(),
                Token::Start(tag) => format!("<{}>", tag.name),
                Token::End(name) => format!("</{name}>"),
            });
        }
        assert_eq!(told, expected);
    }

    #[test]
    fn tags_and_text_part_where_browsers_part_them() {
        check("<P class='>'>a</p >b", &["<p>", "a", "</p>", "b"]);
        check("1 < 2 <3 <", &["1 ", "< 2 ", "<3 ", "<"]);
        check("<!doctype html><!-- <b> --><?x?>a<![CDATA[<c>]]>", &["a", "<c>"]);
        check("<a title=\"never closed>b", &["<a>", "b"]);
        check("<b", &["<b>"]);
    }

    #[test]
    fn attributes_are_found_in_any_dress() {
        let check = |source: &str, expected: Option<&str>| {
            let Some(Token::Start(tag)) = Tokens::new(source).next() else { panic!("no tag in {source}") };
            assert_eq!(tag.attribute("alt").as_deref(), expected, "{source}");
        };
        check("<img alt=\"a b\">", Some("a b"));
        check("<img src=x hidden ALT = 'c'/>", Some("c"));
        check("<img alt=d src=y>", Some("d"));
        check("<img = alt>", None);
        check("<img>", None);
    }

    #[test]
    fn references_are_decoded() {
        let check = |text, expected: &str| assert_eq!(decoded(text), expected);
        check("a &amp; b&nbsp;&eacute;&#233;&#xE9;&#128;", "a & b\u{a0}ééé€");
        check("&amp;lt; &unheard; & &#xFFFFFFFF; &;", "&lt; &unheard; & &#xFFFFFFFF; &;");
    }
}
