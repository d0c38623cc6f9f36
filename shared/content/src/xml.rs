//! The XML of Office parts, event by event. A document type is refused, so no entity is ever expanded; the largest event and
//! the depth are bounded, so a part costs no more memory than its largest tag.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::error::{Error, Exceeded};
use crate::limits::Budget;

/// Most bytes of one tag or one stretch of text.
const PIECE_BYTES: u64 = 8 << 20;
/// Deepest nesting. Office parts stay below fifty.
const LEVELS: u32 = 500;

/// What comes next in a part. Its name, attributes and text are asked of the [`Xml`] it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    /// An element begins. An empty one ends right after.
    Start,
    /// An element ends.
    End,
    /// Text between tags.
    Text,
}

/// A part being read.
pub(crate) struct Xml<'b, 'l, R: Read> {
    reader: Reader<Pieces<'b, 'l, BufReader<R>>>,
    budget: &'b Budget<'l>,
    piece_left: Rc<Cell<u64>>,
    buffer: Vec<u8>,
    depth: u32,
    /// The present tag or text, and how much of a tag is its name.
    content: String,
    name_bytes: usize,
}

impl<'b, 'l, R: Read> Xml<'b, 'l, R> {
    /// Reads a part from its beginning.
    pub(crate) fn new(part: R, budget: &'b Budget<'l>) -> Self {
        let piece_left = Rc::new(Cell::new(PIECE_BYTES));
        let pieces = Pieces { inner: BufReader::with_capacity(32 * 1024, part), left: Rc::clone(&piece_left), budget };
        let mut reader = Reader::from_reader(pieces);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        Self { reader, budget, piece_left, buffer: Vec::new(), depth: 0, content: String::new(), name_bytes: 0 }
    }

    /// Moves on; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Node>, Error> {
        loop {
            self.budget.tick()?;
            self.buffer.clear();
            self.piece_left.set(PIECE_BYTES);
            let event = self.reader.read_event_into(&mut self.buffer);
            self.content.clear();
            self.name_bytes = 0;
            match event.map_err(|_| Error::unreadable("a part of it is not well-formed XML"))? {
                Event::Start(tag) => {
                    self.depth += 1;
                    if self.depth > LEVELS {
                        return Err(Error::TooLarge(Exceeded::Levels(LEVELS)));
                    }
                    self.name_bytes = tag.name().as_ref().len();
                    self.content.push_str(&tag);
                    return Ok(Some(Node::Start));
                }
                Event::End(tag) => {
                    self.depth = self.depth.saturating_sub(1);
                    self.name_bytes = tag.name().as_ref().len();
                    self.content.push_str(&tag);
                    return Ok(Some(Node::End));
                }
                Event::Text(text) => {
                    self.content.push_str(&text);
                    return Ok(Some(Node::Text));
                }
                Event::CData(text) => {
                    self.content.push_str(&text);
                    return Ok(Some(Node::Text));
                }
                Event::GeneralRef(reference) => {
                    let named = quick_xml::escape::resolve_predefined_entity(&reference);
                    match reference.resolve_char_ref() {
                        Ok(Some(c)) => self.content.push(c),
                        _ => self.content.push_str(named.unwrap_or_default()),
                    }
                    return Ok(Some(Node::Text));
                }
                Event::DocType(_) => {
                    return Err(Error::unreadable("it declares a document type, which these documents never do"));
                }
                Event::Eof if self.depth > 0 => return Err(Error::unreadable("a part of it is cut short")),
                Event::Eof => return Ok(None),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    /// The local name of the element that begins or ends. Prefixes differ between writers.
    pub(crate) fn name(&self) -> &str {
        let name = self.content.get(..self.name_bytes).unwrap_or_default();
        name.rsplit_once(':').map_or(name, |(_, local)| local)
    }

    /// The text between tags.
    pub(crate) fn text(&self) -> &str {
        &self.content
    }

    /// The value of the attribute of this local name of the element that begins.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        self.attribute_where(|local, _| local == name)
    }

    /// The value of the attribute that has a prefix and this local name: `r:id` next to `id`.
    pub(crate) fn prefixed_attribute(&self, name: &str) -> Option<String> {
        self.attribute_where(|local, prefixed| prefixed && local == name)
    }

    fn attribute_where(&self, wanted: impl Fn(&str, bool) -> bool) -> Option<String> {
        let tag = BytesStart::from_content(self.content.as_str(), self.name_bytes);
        let found = tag.attributes().with_checks(false).flatten().find(|attribute| {
            let (local, full) = (attribute.key.local_name(), attribute.key.as_ref());
            wanted(local.as_ref(), local.as_ref().len() < full.len())
        })?;
        found.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
    }

    /// Passes over the element that has just begun.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            if self.next()?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// Stops a reader that takes too much for one event.
struct Pieces<'b, 'l, R> {
    inner: R,
    left: Rc<Cell<u64>>,
    budget: &'b Budget<'l>,
}

impl<R: BufRead> Read for Pieces<'_, '_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buf)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Pieces<'_, '_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left.get() == 0 {
            return Err(self.budget.trip(Error::TooLarge(Exceeded::PieceBytes(PIECE_BYTES))));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.left.set(self.left.get().saturating_sub(amount as u64));
        self.inner.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn told(xml: &str) -> Result<String, Error> {
        let limits = Limits::default();
        let budget = Budget::new(&limits);
        let mut told = String::new();
        let result = (|| {
            let mut xml = Xml::new(xml.as_bytes(), &budget);
            while let Some(node) = xml.next()? {
                match node {
                    Node::Start => {
                        let id = xml.attribute("id").map(|id| format!(" {id}")).unwrap_or_default();
                        told.push_str(&format!("({}{id}", xml.name()));
                    }
                    Node::End => told.push(')'),
                    Node::Text => told.push_str(xml.text()),
                }
            }
            Ok(())
        })();
        match (budget.into_tripped(), result) {
            (Some(reason), _) | (None, Err(reason)) => Err(reason),
            (None, Ok(())) => Ok(told),
        }
    }

    fn code(xml: &str) -> &'static str {
        told(xml).unwrap_err().code()
    }

    #[test]
    fn elements_text_and_predefined_references_come_through() {
        let xml = "<?xml version=\"1.0\"?><w:a x:id='1&amp;2'>b&lt;&#233;<c/><!-- no --><![CDATA[<d>]]>&unknown;</w:a>";
        assert_eq!(told(xml).unwrap(), "(a 1&2b<é(c)<d>)");
    }

    #[test]
    fn guarantee_23_a_document_type_is_refused_before_any_entity() {
        let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><l>&b;</l>";
        assert_eq!(code(laughs), "unreadable");
    }

    #[test]
    fn guarantee_23_deep_nesting_and_huge_pieces_are_refused() {
        assert_eq!(code(&"<a>".repeat(501)), "too_large");
        assert_eq!(code(&format!("<a b='{}'/>", "<".repeat(9 << 20))), "too_large");
        assert_eq!(code(&format!("<a>{}</a>", " ".repeat(9 << 20))), "too_large");
    }

    #[test]
    fn malformed_and_cut_parts_are_unreadable() {
        assert_eq!(code("<a><b></a>"), "unreadable");
        assert_eq!(code("<a><b></b>"), "unreadable");
        assert_eq!(code("<a"), "unreadable");
    }
}
