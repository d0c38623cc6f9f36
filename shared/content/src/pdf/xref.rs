//! Where the objects of a PDF are: the file's own tables, old form and new, or a look through the file when they are damaged.

use std::collections::{HashMap, HashSet};

use super::document::Document;
use super::object::{Dict, Object, Parser, Stream};
use crate::error::{Error, Exceeded};

/// Most objects. A page takes about ten.
const OBJECTS: u32 = 1_000_000;
/// Most tables that a file may have; each saved change adds one.
const TABLES: usize = 1_000;
/// Most bytes of a table in the old form: twenty for each object, and some more.
const TABLE_BYTES: u64 = 24 << 20;

/// Where an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At this place in the file.
    At(u64),
    /// In the object stream of this number.
    In {
        /// The object stream.
        stream: u32,
    },
    /// Nowhere any more: an older table's place for it must not be used.
    Free,
}

/// Where all objects are.
#[derive(Default)]
pub(super) struct Xref {
    places: HashMap<u32, Place>,
    trailers: Vec<Dict>,
}

impl Xref {
    /// Where an object is, if it is anywhere.
    pub(super) fn place(&self, number: u32) -> Option<Place> {
        self.places.get(&number).copied().filter(|place| *place != Place::Free)
    }

    /// What the newest trailer that has this entry says.
    pub(super) fn trailer_entry(&self, name: &str) -> &Object {
        let mut all = self.trailers.iter().map(|trailer| trailer.get(name));
        all.find(|object| **object != Object::Null).unwrap_or(&Object::Null)
    }

    /// Notes a place unless a newer table has one.
    fn note(&mut self, number: u64, place: Place) -> Result<(), Error> {
        let too_many = || Error::TooLarge(Exceeded::Entries(OBJECTS));
        if self.places.len() >= OBJECTS as usize {
            return Err(too_many());
        }
        if let Ok(number) = u32::try_from(number) {
            self.places.entry(number).or_insert(place);
        }
        Ok(())
    }
}

/// Reads the tables, newest first; `None` if the file's way to them is broken.
pub(super) fn read(document: &Document<'_, '_, '_>) -> Result<Option<Xref>, Error> {
    let source = document.source();
    let tail_at = source.bytes().saturating_sub(2048);
    let tail = source.window(tail_at, 2048)?;
    let Some(at) = tail.windows(9).rposition(|at| at == b"startxref") else { return Ok(None) };
    let start = Parser::new(tail.get(at + 9..).unwrap_or_default()).object().ok().and_then(|start| start.integer());
    let mut xref = Xref::default();
    let mut next = vec![start.and_then(|start| u64::try_from(start).ok())];
    let mut seen = HashSet::new();
    while let Some(at) = next.pop() {
        let Some(at) = at.filter(|at| *at < source.bytes()) else { return Ok(None) };
        // Tables may point at each other in a ring.
        if !seen.insert(at) {
            continue;
        }
        if seen.len() > TABLES {
            return Ok(None);
        }
        let Some(trailer) = read_table(document, at, &mut xref)? else { return Ok(None) };
        let place = |name: &str| trailer.get(name).integer().map(|at| u64::try_from(at).ok());
        // The table for newer readers comes before older tables: the last pushed is read first.
        next.extend(place("Prev"));
        next.extend(place("XRefStm"));
        xref.trailers.push(trailer);
    }
    Ok(Some(xref))
}

fn read_table(document: &Document<'_, '_, '_>, at: u64, xref: &mut Xref) -> Result<Option<Dict>, Error> {
    let start = document.source().window(at, 64)?;
    let mut parser = Parser::new(&start);
    parser.skip_space();
    if parser.rest().starts_with(b"xref") {
        return read_old_table(document, at, xref);
    }
    match document.object_at(at)? {
        Some((_, Object::Stream(stream))) if stream.dict.get("Type").name() == Some("XRef") => {
            read_stream_table(document, &stream, xref)?;
            Ok(Some(stream.dict))
        }
        _ => Ok(None),
    }
}

/// `xref`, then runs of entries of twenty bytes, then the trailer.
fn read_old_table(document: &Document<'_, '_, '_>, at: u64, xref: &mut Xref) -> Result<Option<Dict>, Error> {
    let source = document.source();
    let Some(trailer_at) = source.find(at, b"trailer", TABLE_BYTES)? else { return Ok(None) };
    let table = source.window(at, trailer_at - at)?;
    let mut parser = Parser::new(&table);
    if !parser.object().is_ok_and(|word| word.is_word("xref")) {
        return Ok(None);
    }
    while let (Ok(first), Ok(count)) = (parser.object(), parser.object()) {
        let numbers =
            (first.integer().and_then(|n| u64::try_from(n).ok()), count.integer().and_then(|n| u64::try_from(n).ok()));
        let (Some(first), Some(count)) = numbers else { return Ok(None) };
        for number in first..first.saturating_add(count) {
            document.budget().tick()?;
            let (Ok(place), Ok(_), Ok(kind)) = (parser.object(), parser.object(), parser.object()) else { break };
            let place = match place.integer().and_then(|at| u64::try_from(at).ok()) {
                Some(at) if kind.is_word("n") && at > 0 => Place::At(at),
                _ if kind.is_word("n") || kind.is_word("f") => Place::Free,
                _ => return Ok(None),
            };
            xref.note(number, place)?;
        }
    }
    let trailer = source.parse(trailer_at + 7, |parser| parser.object())?;
    Ok(trailer.and_then(|trailer| trailer.dict().cloned()))
}

/// Rows of three numbers, each of a stated width.
fn read_stream_table(document: &Document<'_, '_, '_>, stream: &Stream, xref: &mut Xref) -> Result<(), Error> {
    let widths: Vec<usize> = stream
        .dict
        .get("W")
        .array()
        .unwrap_or_default()
        .iter()
        .map(|width| width.integer().and_then(|width| usize::try_from(width).ok()).unwrap_or(0).min(8))
        .collect();
    let (Some(kind_width), Some(place_width), Some(last_width)) = (widths.first(), widths.get(1), widths.get(2)) else {
        return Ok(());
    };
    let row = kind_width + place_width + last_width;
    if row == 0 {
        return Ok(());
    }
    let data = document.data(stream)?;
    let whole = [Object::Integer(0), stream.dict.get("Size").clone()];
    let index = stream.dict.get("Index").array().unwrap_or(&whole);
    let mut rows = data.chunks_exact(row);
    for run in index.chunks(2) {
        let numbers: Vec<u64> = run.iter().filter_map(|n| n.integer().and_then(|n| u64::try_from(n).ok())).collect();
        let (Some(first), Some(count)) = (numbers.first(), numbers.get(1)) else { return Ok(()) };
        for number in *first..first.saturating_add(*count) {
            document.budget().tick()?;
            let Some(row) = rows.next() else { return Ok(()) };
            let (kind, rest) = row.split_at_checked(*kind_width).unwrap_or((row, &[]));
            let (place, _) = rest.split_at_checked(*place_width).unwrap_or((rest, &[]));
            let place = big_endian(place);
            let place = match if *kind_width == 0 { 1 } else { big_endian(kind) } {
                1 => Place::At(place),
                2 => u32::try_from(place).map_or(Place::Free, |stream| Place::In { stream }),
                _ => Place::Free,
            };
            xref.note(number, place)?;
        }
    }
    Ok(())
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

/// Looks through the whole file for objects. Where a number comes twice, the later one counts: it was saved later.
pub(super) fn rebuild(document: &Document<'_, '_, '_>) -> Result<Xref, Error> {
    let source = document.source();
    let mut xref = Xref::default();
    source.search(0, source.bytes(), b" obj", |at| {
        let before_at = at.saturating_sub(20);
        let before = source.window(before_at, at - before_at)?;
        let generation = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let head = before.get(..before.len() - generation).unwrap_or_default().trim_ascii_end();
        let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let start = head.len() - digits;
        let number = head
            .get(start..)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse::<u32>().ok());
        if let Some(number) = number.filter(|_| generation > 0) {
            xref.places.insert(number, Place::At(before_at + start as u64));
            if xref.places.len() > OBJECTS as usize {
                return Err(Error::TooLarge(Exceeded::Entries(OBJECTS)));
            }
        }
        Ok(true)
    })?;
    source.search(0, source.bytes(), b"trailer", |at| {
        if let Some(Object::Dict(trailer)) = source.parse(at + 7, |parser| parser.object())? {
            xref.trailers.insert(0, trailer);
        }
        Ok(xref.trailers.len() < TABLES)
    })?;
    Ok(xref)
}

/// After [`rebuild`]: notes what object streams hold, and finds the root where no trailer names one.
pub(super) fn add_object_streams(document: &mut Document<'_, '_, '_>) -> Result<(), Error> {
    let places: Vec<(u32, u64)> = document
        .xref_mut()
        .places
        .iter()
        .filter_map(|(number, place)| if let Place::At(at) = place { Some((*number, *at)) } else { None })
        .collect();
    let mut root = None;
    for (number, at) in places {
        document.budget().tick()?;
        // The dictionary of such an object is short, and says so near its beginning.
        let mut beginning = document.source().window(at, 512)?;
        let end = beginning.windows(6).position(|at| at == b"endobj").unwrap_or(beginning.len());
        beginning.truncate(end);
        let says = |word: &[u8]| beginning.windows(word.len()).any(|at| at == word);
        if says(b"/ObjStm") || says(b"/XRef") {
            let Some((_, Object::Stream(stream))) = document.object_at(at)? else { continue };
            match stream.dict.get("Type").name() {
                Some("ObjStm") => {
                    for inside in document.numbers_in(&stream)? {
                        document.xref_mut().note(u64::from(inside), Place::In { stream: number })?;
                    }
                }
                Some("XRef") => document.xref_mut().trailers.push(stream.dict),
                _ => {}
            }
        } else if says(b"/Catalog") {
            root = Some(number);
        }
    }
    if *document.xref_mut().trailer_entry("Root") != Object::Null {
        return Ok(());
    }
    if root.is_none() {
        root = root_in_streams(document)?;
    }
    if let Some(root) = root {
        let trailer = format!("<</Root {root} 0 R>>");
        if let Ok(Object::Dict(trailer)) = Parser::new(trailer.as_bytes()).object() {
            document.xref_mut().trailers.push(trailer);
        }
    }
    Ok(())
}

/// The root among the objects of object streams, for a file that has lost every trailer.
fn root_in_streams(document: &mut Document<'_, '_, '_>) -> Result<Option<u32>, Error> {
    let places = document.xref_mut().places.iter();
    let mut inside: Vec<(u32, u32)> = places
        .filter_map(|(number, place)| if let Place::In { stream } = place { Some((*stream, *number)) } else { None })
        .collect();
    // Stream by stream, so that each is decoded once.
    inside.sort_unstable();
    for (_, number) in inside {
        let object = document.resolve(&Object::Reference(number))?;
        if object.dict().is_some_and(|dict| dict.get("Type").name() == Some("Catalog")) {
            return Ok(Some(number));
        }
    }
    Ok(None)
}
