//! The file under a PDF, read in pieces where something is looked for.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use super::object::{Parser, Stop};
use crate::error::{Error, Exceeded};
use crate::limits::Budget;

/// Sizes of the piece in which an object is looked for: each larger one when the object goes on beyond the smaller.
const WINDOWS: [u64; 4] = [2 << 10, 32 << 10, 512 << 10, LARGEST];
/// Most bytes of one object without its stream.
const LARGEST: u64 = 4 << 20;
/// Size of the pieces in which a file is searched.
const CHUNK_BYTES: u64 = 256 << 10;

/// The file; places are counted from its header.
pub(super) struct Source<'f, 'b, 'l> {
    file: &'f File,
    start: u64,
    bytes: u64,
    budget: &'b Budget<'l>,
}

impl<'f, 'b, 'l> Source<'f, 'b, 'l> {
    /// Finds the header.
    pub(super) fn new(file: &'f File, budget: &'b Budget<'l>) -> Result<Self, Error> {
        let mut source = Self { file, start: 0, bytes: file.metadata()?.len(), budget };
        let head = source.window(0, 1024)?;
        let start = head.windows(5).position(|at| at == b"%PDF-").unwrap_or(0) as u64;
        source.start = start;
        source.bytes -= start;
        Ok(source)
    }

    /// Bytes from the header to the end.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Up to `most` bytes from `at` on.
    pub(super) fn window(&self, at: u64, most: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        if at < self.bytes {
            let mut file = self.file;
            file.seek(SeekFrom::Start(self.start + at))?;
            file.take(most.min(self.bytes - at)).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Reads something from `at` on with as large a piece as it takes; `None` if the file or sense ends first.
    pub(super) fn parse<T>(
        &self,
        at: u64,
        read: impl Fn(&mut Parser<'_>) -> Result<T, Stop>,
    ) -> Result<Option<T>, Error> {
        for most in WINDOWS {
            self.budget.tick()?;
            let bytes = self.window(at, most)?;
            let mut parser = Parser::new(&bytes);
            let whole = at.saturating_add(bytes.len() as u64) >= self.bytes;
            match read(&mut parser) {
                // What ends with the piece may go on after it; so may a keyword right behind.
                Ok(result) if whole || parser.at + 16 < bytes.len() => return Ok(Some(result)),
                Ok(_) | Err(Stop::End) if !whole => {}
                Ok(_) | Err(_) => return Ok(None),
            }
        }
        Err(Error::TooLarge(Exceeded::PieceBytes(LARGEST)))
    }

    /// Where `word` is found next within `most` bytes from `at` on.
    pub(super) fn find(&self, at: u64, word: &[u8], most: u64) -> Result<Option<u64>, Error> {
        let mut found = None;
        self.search(at, at.saturating_add(most), word, |place| {
            found = Some(place);
            Ok(false)
        })?;
        Ok(found)
    }

    /// Tells every place of `word` between `from` and `to`, for as long as `tell` wants more.
    pub(super) fn search(
        &self,
        from: u64,
        to: u64,
        word: &[u8],
        mut tell: impl FnMut(u64) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut at = from;
        while at < to.min(self.bytes) {
            self.budget.check_time()?;
            let chunk = self.window(at, CHUNK_BYTES + word.len() as u64)?;
            for (offset, _) in chunk
                .windows(word.len())
                .enumerate()
                .filter(|(offset, here)| *offset < CHUNK_BYTES as usize && *here == word)
            {
                if !tell(at + offset as u64)? {
                    return Ok(());
                }
            }
            at += CHUNK_BYTES;
        }
        Ok(())
    }
}
