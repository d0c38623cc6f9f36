//! What a file may cost, and the account of what it has cost so far.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::time::{Duration, Instant};

use crate::error::{Error, Exceeded};

/// What a file may cost. All but [`Limits::text_bytes`] refuse; that one cuts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes. Default 100 MB.
    pub file_bytes: u64,
    /// Most bytes that the parts of one file may decompress to, together. Default 200 MB.
    pub expanded_bytes: u64,
    /// Longest text, in bytes of UTF-8; the rest is left out. Default 5 MB.
    pub text_bytes: usize,
    /// Most pages of a PDF or slides of a presentation. Default 2,000.
    pub pages: u32,
    /// Most filled cells of a spreadsheet or table. Default 1,000,000.
    pub cells: u64,
    /// Most entries of a ZIP package. Default 10,000.
    pub entries: u32,
    /// Longest time. Default 20 s.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 100_000_000,
            expanded_bytes: 200_000_000,
            text_bytes: 5_000_000,
            pages: 2_000,
            cells: 1_000_000,
            entries: 10_000,
            time: Duration::from_secs(20),
        }
    }
}

/// What one file has cost so far. Readers ask it before they go on.
pub(crate) struct Budget<'a> {
    limits: &'a Limits,
    deadline: Instant,
    expanded: Cell<u64>,
    cells: Cell<u64>,
    ticks: Cell<u32>,
    tripped: RefCell<Option<Error>>,
}

impl<'a> Budget<'a> {
    /// A fresh account; its time starts now.
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            deadline: Instant::now() + limits.time,
            expanded: Cell::new(0),
            cells: Cell::new(0),
            ticks: Cell::new(0),
            tripped: RefCell::new(None),
        }
    }

    /// The limits themselves.
    pub(crate) fn limits(&self) -> &'a Limits {
        self.limits
    }

    /// One small step: looks at the clock every 256th time. Any loop over a file's contents calls this.
    pub(crate) fn tick(&self) -> Result<(), Error> {
        let ticks = self.ticks.get().wrapping_add(1);
        self.ticks.set(ticks);
        if ticks.is_multiple_of(256) { self.check_time() } else { Ok(()) }
    }

    /// Looks at the clock.
    pub(crate) fn check_time(&self) -> Result<(), Error> {
        if Instant::now() < self.deadline { Ok(()) } else { Err(Error::TimedOut(self.limits.time)) }
    }

    /// Counts bytes that came out of a decompressor.
    pub(crate) fn expand(&self, bytes: u64) -> Result<(), Error> {
        let expanded = self.expanded.get().saturating_add(bytes);
        self.expanded.set(expanded);
        if expanded > self.limits.expanded_bytes {
            return Err(Error::TooLarge(Exceeded::ExpandedBytes(self.limits.expanded_bytes)));
        }
        self.check_time()
    }

    /// Counts one filled cell.
    pub(crate) fn cell(&self) -> Result<(), Error> {
        let cells = self.cells.get().saturating_add(1);
        self.cells.set(cells);
        if cells > self.limits.cells {
            return Err(Error::TooLarge(Exceeded::Cells(self.limits.cells)));
        }
        self.tick()
    }

    /// Remembers why a read inside someone else's decoder was refused, and gives the error that stops that decoder.
    pub(crate) fn trip(&self, reason: Error) -> io::Error {
        let mut tripped = self.tripped.borrow_mut();
        if tripped.is_none() {
            *tripped = Some(reason);
        }
        io::Error::other("a limit was reached")
    }

    /// The first reason given to [`Self::trip`].
    pub(crate) fn into_tripped(self) -> Option<Error> {
        self.tripped.into_inner()
    }
}

/// A reader that counts what comes out of a decompressor, whatever the file said would.
pub(crate) struct Counted<'b, 'l, R> {
    inner: R,
    budget: &'b Budget<'l>,
}

impl<'b, 'l, R: Read> Counted<'b, 'l, R> {
    /// Counts what is read from `inner`.
    pub(crate) fn new(inner: R, budget: &'b Budget<'l>) -> Self {
        Self { inner, budget }
    }
}

impl<R: Read> Read for Counted<'_, '_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.budget.expand(read as u64).map_err(|reason| self.budget.trip(reason))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guarantee_23_bytes_are_counted_as_they_come_out() {
        let limits = Limits { expanded_bytes: 10, ..Limits::default() };
        let budget = Budget::new(&limits);
        let mut all = Vec::new();
        assert!(Counted::new(&[0u8; 10][..], &budget).read_to_end(&mut all).is_ok());
        assert!(Counted::new(&[0u8; 1][..], &budget).read_to_end(&mut all).is_err());
        assert!(matches!(budget.into_tripped(), Some(Error::TooLarge(Exceeded::ExpandedBytes(10)))));
    }

    #[test]
    fn guarantee_23_no_time_left_stops_the_next_step() {
        let limits = Limits { time: Duration::ZERO, ..Limits::default() };
        let budget = Budget::new(&limits);
        assert!(matches!(budget.check_time(), Err(Error::TimedOut(_))));
    }

    #[test]
    fn the_cell_beyond_the_limit_is_refused() {
        let limits = Limits { cells: 2, ..Limits::default() };
        let budget = Budget::new(&limits);
        assert!(budget.cell().is_ok() && budget.cell().is_ok());
        assert!(matches!(budget.cell(), Err(Error::TooLarge(Exceeded::Cells(2)))));
    }
}
