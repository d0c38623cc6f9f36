//! A PDF file: where its objects are, and each of them when it is asked for. Nothing is read that the text does not need.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use super::filters::{self, Stop};
use super::object::{Dict, Object, Parser, Stream};
use super::source::Source;
use super::xref::{self, Place, Xref};
use crate::error::{Error, Exceeded};
use crate::limits::Budget;

/// Most bytes of one decoded stream, and of one encoded stream. Text never needs as much.
pub(super) const STREAM_BYTES: u64 = 32 << 20;
/// References that lead to references, and streams whose length is in another object: deeper is a ring.
const HOPS: u32 = 16;
/// Decoded object streams that are kept.
const KEPT_STREAMS: usize = 4;

/// An open PDF.
pub(super) struct Document<'f, 'b, 'l> {
    source: Source<'f, 'b, 'l>,
    xref: Xref,
    budget: &'b Budget<'l>,
    depth: Cell<u32>,
    /// Streams whose expansion has been counted; a letterhead on every page is counted once.
    counted: RefCell<HashSet<u64>>,
    object_streams: RefCell<Vec<(u32, Rc<ObjectStream>)>>,
}

/// The objects of an object stream: their numbers, where they begin, and the bytes.
struct ObjectStream {
    places: Vec<(u32, usize)>,
    bytes: Vec<u8>,
}

impl<'f, 'b, 'l> Document<'f, 'b, 'l> {
    /// Finds the objects: by the file's own tables, or by looking through the whole file if those are damaged.
    pub(super) fn open(source: Source<'f, 'b, 'l>, budget: &'b Budget<'l>) -> Result<Self, Error> {
        let mut document = Self {
            source,
            xref: Xref::default(),
            budget,
            depth: Cell::new(0),
            counted: RefCell::default(),
            object_streams: RefCell::default(),
        };
        let found = xref::read(&document)?;
        document.xref = found.unwrap_or_default();
        if document.root()?.is_none() && !document.is_encrypted() {
            document.xref = xref::rebuild(&document)?;
            document.object_streams.borrow_mut().clear();
            xref::add_object_streams(&mut document)?;
        }
        if document.is_encrypted() { Err(Error::Encrypted) } else { Ok(document) }
    }

    fn is_encrypted(&self) -> bool {
        *self.xref.trailer_entry("Encrypt") != Object::Null
    }

    /// The document's root, if it can be found and has pages.
    pub(super) fn root(&self) -> Result<Option<Dict>, Error> {
        let root = self.resolve(self.xref.trailer_entry("Root"))?;
        let Some(dict) = root.dict() else { return Ok(None) };
        Ok(self.get(dict, "Pages")?.dict().is_some().then(|| dict.clone()))
    }

    /// The file.
    pub(super) fn source(&self) -> &Source<'f, 'b, 'l> {
        &self.source
    }

    /// The account of what the file costs.
    pub(super) fn budget(&self) -> &'b Budget<'l> {
        self.budget
    }

    /// The places of the objects.
    pub(super) fn xref_mut(&mut self) -> &mut Xref {
        &mut self.xref
    }

    /// The object itself: what a reference leads to, [`Object::Null`] if that is nothing.
    pub(super) fn resolve(&self, object: &Object) -> Result<Object, Error> {
        let mut object = object.clone();
        for _ in 0..HOPS {
            let Object::Reference(number) = object else { return Ok(object) };
            object = self.object(number)?;
        }
        Ok(Object::Null)
    }

    /// The object under a name of a dictionary.
    pub(super) fn get(&self, dict: &Dict, name: &str) -> Result<Object, Error> {
        self.resolve(dict.get(name))
    }

    fn object(&self, number: u32) -> Result<Object, Error> {
        self.budget.tick()?;
        if self.depth.get() >= HOPS {
            return Ok(Object::Null);
        }
        self.depth.set(self.depth.get() + 1);
        let object = match self.xref.place(number) {
            Some(Place::At(at)) => self.object_at(at).map(|found| match found {
                Some((found, object)) if found == number => object,
                _ => Object::Null,
            }),
            Some(Place::In { stream }) => self.object_in(stream, number),
            Some(Place::Free) | None => Ok(Object::Null),
        };
        self.depth.set(self.depth.get().saturating_sub(1));
        object
    }

    /// The numbered object at a place in the file, if there is one.
    pub(super) fn object_at(&self, at: u64) -> Result<Option<(u32, Object)>, Error> {
        let read = |parser: &mut Parser<'_>| {
            let number = parser.object()?;
            parser.object()?;
            let keyword = parser.object()?;
            if !keyword.is_word("obj") {
                return Ok(None);
            }
            let object = parser.object()?;
            parser.skip_space();
            let stream = parser.rest().starts_with(b"stream").then(|| {
                let after = parser.rest().get(6..).unwrap_or_default();
                let line_end = if after.starts_with(b"\r\n") {
                    2
                } else {
                    usize::from(after.starts_with(b"\n") || after.starts_with(b"\r"))
                };
                parser.at + 6 + line_end
            });
            Ok(Some((number, object, stream)))
        };
        let Some(Some((number, object, stream))) = self.source.parse(at, read)? else { return Ok(None) };
        let Some(number) = number.integer().and_then(|number| u32::try_from(number).ok()) else { return Ok(None) };
        match (stream, object) {
            (Some(offset), Object::Dict(dict)) => {
                let stream = self.stream_at(dict, at + offset as u64)?;
                Ok(Some((number, Object::Stream(stream))))
            }
            (_, object) => Ok(Some((number, object))),
        }
    }

    /// A stream whose bytes begin at `at`. Its stated length is believed only if the stream does end there.
    fn stream_at(&self, dict: Dict, at: u64) -> Result<Stream, Error> {
        let stated = self.get(&dict, "Length")?.integer().and_then(|length| u64::try_from(length).ok());
        if let Some(bytes) = stated
            && let Some(end) = at.checked_add(bytes).filter(|end| *end <= self.source.bytes())
        {
            let after = self.source.window(end, 32)?;
            let mut parser = Parser::new(&after);
            parser.skip_space();
            if parser.rest().starts_with(b"endstream") || parser.rest().starts_with(b"endobj") {
                return Ok(Stream { dict, at, bytes });
            }
        }
        let bytes = self.source.find(at, b"endstream", STREAM_BYTES)?.map_or(0, |end| end - at);
        Ok(Stream { dict, at, bytes })
    }

    fn object_in(&self, stream: u32, number: u32) -> Result<Object, Error> {
        let Some(objects) = self.object_stream(stream)? else { return Ok(Object::Null) };
        let place = objects.places.iter().find(|(found, _)| *found == number);
        let bytes = place.and_then(|(_, at)| objects.bytes.get(*at..)).unwrap_or_default();
        Ok(Parser::new(bytes).object().unwrap_or(Object::Null))
    }

    fn object_stream(&self, number: u32) -> Result<Option<Rc<ObjectStream>>, Error> {
        if let Some((_, kept)) = self.object_streams.borrow().iter().find(|(kept, _)| *kept == number) {
            return Ok(Some(Rc::clone(kept)));
        }
        // An object stream lies in the file itself; one inside another would be a ring.
        let Some(Place::At(at)) = self.xref.place(number) else { return Ok(None) };
        let Some((_, Object::Stream(stream))) = self.object_at(at)? else { return Ok(None) };
        let objects = Rc::new(self.read_object_stream(&stream)?);
        let mut kept = self.object_streams.borrow_mut();
        if kept.len() >= KEPT_STREAMS {
            kept.remove(0);
        }
        kept.push((number, Rc::clone(&objects)));
        Ok(Some(objects))
    }

    fn read_object_stream(&self, stream: &Stream) -> Result<ObjectStream, Error> {
        let bytes = self.data(stream)?;
        let first = stream.dict.get("First").integer().and_then(|first| usize::try_from(first).ok()).unwrap_or(0);
        let mut parser = Parser::new(bytes.get(..first).unwrap_or_default());
        let mut places = Vec::new();
        while let (Ok(number), Ok(at)) = (parser.object(), parser.object()) {
            self.budget.tick()?;
            let number = number.integer().and_then(|number| u32::try_from(number).ok());
            let at = at.integer().and_then(|at| usize::try_from(at).ok()).and_then(|at| at.checked_add(first));
            if let (Some(number), Some(at)) = (number, at) {
                places.push((number, at));
            }
        }
        Ok(ObjectStream { places, bytes })
    }

    /// The numbers of the objects in an object stream.
    pub(super) fn numbers_in(&self, stream: &Stream) -> Result<Vec<u32>, Error> {
        Ok(self.read_object_stream(stream)?.places.into_iter().map(|(number, _)| number).collect())
    }

    /// The decoded bytes of a stream; none if they are an image's or cannot be decoded.
    pub(super) fn data(&self, stream: &Stream) -> Result<Vec<u8>, Error> {
        let too_large = || Error::TooLarge(Exceeded::PieceBytes(STREAM_BYTES));
        let filter = self.get(&stream.dict, "Filter")?;
        let filters: Vec<Object> = match &filter {
            Object::Null => Vec::new(),
            Object::Array(filters) => filters.to_vec(),
            filter => vec![filter.clone()],
        };
        let parameters = self.get(&stream.dict, "DecodeParms")?;
        // A chain is two or three long; a longer one is there to cost time.
        if filters.len() > 8 {
            return Ok(Vec::new());
        }
        if stream.bytes > STREAM_BYTES {
            return Err(too_large());
        }
        let mut data = self.source.window(stream.at, stream.bytes)?;
        for (at, filter) in filters.iter().enumerate() {
            let filter = self.resolve(filter)?;
            let of_filter = match &parameters {
                Object::Array(all) => self.resolve(all.get(at).unwrap_or(&Object::Null))?,
                one => one.clone(),
            };
            data = match filters::undo(filter.name().unwrap_or_default(), of_filter.dict(), &data, most(STREAM_BYTES)) {
                Ok(data) => data,
                Err(Stop::NotText) => return Ok(Vec::new()),
                Err(Stop::TooLarge) => return Err(too_large()),
            };
            self.budget.check_time()?;
        }
        if !filters.is_empty() && self.counted.borrow_mut().insert(stream.at) {
            self.budget.expand(data.len() as u64)?;
        }
        Ok(data)
    }
}

fn most(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
