//! ZIP packages, as Office files are. Of what the package says about itself only places are believed, and those are checked:
//! entries are counted while their list is read, may not share bytes, and are inflated through a counter.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use crate::error::{Error, Exceeded};
use crate::limits::{Budget, Counted};

/// Longest name of an entry that is kept; longer ones name no part that is read here.
const NAME_BYTES: usize = 512;
/// The record that ends a ZIP file, without its comment.
const END_BYTES: usize = 22;

/// An open package.
pub(crate) struct Package<'f> {
    file: &'f File,
    parts: HashMap<String, Part>,
}

/// Where an entry is and how it is packed.
#[derive(Clone, Copy)]
struct Part {
    header_at: u64,
    packed_bytes: u64,
    method: u16,
    encrypted: bool,
    crc: u32,
}

/// A range of the file. It keeps its own place, so several can be read in turns.
struct Range<'f> {
    file: &'f File,
    at: u64,
    end: u64,
}

impl Read for Range<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buf.len().min(left);
        self.file.seek(SeekFrom::Start(self.at))?;
        let read = self.file.read(buf.get_mut(..wanted).unwrap_or_default())?;
        self.at += read as u64;
        Ok(read)
    }
}

impl<'f> Package<'f> {
    /// Reads the list of entries.
    pub(crate) fn open(file: &'f File, budget: &Budget<'_>) -> Result<Self, Error> {
        let bytes = file.metadata()?.len();
        let directory = find_directory(file, bytes)?;
        let range = Range { file, at: directory.start, end: directory.end };
        let mut reader = BufReader::with_capacity(64 * 1024, range);
        let mut parts = HashMap::new();
        let mut extents = Vec::new();
        while let Some((name, part, name_bytes)) = read_entry(&mut reader, directory.shift)? {
            budget.tick()?;
            let end = part.header_at.saturating_add(30 + name_bytes).saturating_add(part.packed_bytes);
            extents.push((part.header_at, end));
            if extents.len() > budget.limits().entries as usize {
                return Err(Error::TooLarge(Exceeded::Entries(budget.limits().entries)));
            }
            if let Some(name) = name {
                parts.insert(name, part);
            }
        }
        extents.sort_unstable();
        // Entries that share their bytes are how a small file unpacks to petabytes.
        if extents.windows(2).any(|pair| matches!(pair, [(_, end), (start, _)] if start < end)) {
            return Err(Error::unreadable("its entries overlap"));
        }
        if extents.last().is_some_and(|(_, end)| *end > directory.start) {
            return Err(Error::unreadable("it is cut short"));
        }
        Ok(Self { file, parts })
    }

    /// Whether there is a part of this name. Names are compared as the format asks: without case, without a leading slash.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.parts.contains_key(&key(name))
    }

    /// Opens a part; `None` if there is none of this name.
    pub(crate) fn part<'b, 'l>(
        &self,
        name: &str,
        budget: &'b Budget<'l>,
    ) -> Result<Option<impl Read + use<'f, 'b, 'l>>, Error> {
        let Some(part) = self.parts.get(&key(name)) else { return Ok(None) };
        if part.encrypted {
            return Err(Error::Encrypted);
        }
        let mut header = [0; 30];
        let mut range = Range { file: self.file, at: part.header_at, end: u64::MAX };
        range.read_exact(&mut header).map_err(|_| Error::unreadable("it is cut short"))?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(Error::unreadable("its list of entries does not match them"));
        }
        range.at += u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        range.end = range.at.saturating_add(part.packed_bytes);
        let packed = BufReader::with_capacity(32 * 1024, range);
        let unpacked = match part.method {
            0 => Unpacked::Stored(packed),
            8 => Unpacked::Deflated(DeflateDecoder::new(packed)),
            _ => return Err(Error::unreadable("it is packed in a way that is not understood")),
        };
        Ok(Some(Counted::new(Checked { inner: unpacked, crc: Crc::new(), expected: part.crc }, budget)))
    }

    /// Opens a part that the format requires.
    pub(crate) fn required_part<'b, 'l>(
        &self,
        name: &str,
        budget: &'b Budget<'l>,
    ) -> Result<impl Read + use<'f, 'b, 'l>, Error> {
        self.part(name, budget)?.ok_or_else(|| Error::unreadable("a part of it is missing"))
    }
}

enum Unpacked<R: Read> {
    Stored(R),
    Deflated(DeflateDecoder<R>),
}

/// Compares the checksum when the end is reached.
struct Checked<R: Read> {
    inner: Unpacked<R>,
    crc: Crc,
    expected: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.inner {
            Unpacked::Stored(inner) => inner.read(buf)?,
            Unpacked::Deflated(inner) => inner.read(buf)?,
        };
        self.crc.update(buf.get(..read).unwrap_or_default());
        if read == 0 && !buf.is_empty() && self.crc.sum() != self.expected {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum does not match"));
        }
        Ok(read)
    }
}

/// Where the list of entries is, and by how much all places in it are off (bytes put before the package).
struct Directory {
    start: u64,
    end: u64,
    shift: u64,
}

fn find_directory(file: &File, bytes: u64) -> Result<Directory, Error> {
    let cut_short = || Error::unreadable("it is cut short or no ZIP package");
    let tail_at = bytes.saturating_sub(65_535 + END_BYTES as u64);
    let mut tail = Vec::new();
    Range { file, at: tail_at, end: bytes }.read_to_end(&mut tail)?;
    // The last record whose comment fits in what follows it.
    let at = (0..=tail.len().saturating_sub(END_BYTES))
        .rev()
        .find(|at| {
            tail.get(*at..).is_some_and(|record| {
                record.starts_with(b"PK\x05\x06") && END_BYTES + usize::from(u16_at(record, 20)) <= record.len()
            })
        })
        .ok_or_else(cut_short)?;
    let record = tail.get(at..).unwrap_or_default();
    let record_at = tail_at + at as u64;
    let (mut size, mut start) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
    let mut end = record_at;
    if size == u64::from(u32::MAX) || start == u64::from(u32::MAX) || u16_at(record, 10) == u16::MAX {
        let mut locator = [0; 20];
        Range { file, at: record_at.saturating_sub(20), end: record_at }
            .read_exact(&mut locator)
            .map_err(|_| cut_short())?;
        if locator.starts_with(b"PK\x06\x07") {
            let mut wide = [0; 56];
            let wide_at = u64_at(&locator, 8);
            Range { file, at: wide_at, end: record_at }.read_exact(&mut wide).map_err(|_| cut_short())?;
            if !wide.starts_with(b"PK\x06\x06") {
                return Err(cut_short());
            }
            (size, start, end) = (u64_at(&wide, 40), u64_at(&wide, 48), wide_at);
        }
    }
    let real_start = end.checked_sub(size).ok_or_else(cut_short)?;
    let shift = real_start.checked_sub(start).ok_or_else(cut_short)?;
    Ok(Directory { start: real_start, end, shift })
}

/// One entry of the list: its name if that is kept, its place, and the length of its name. `None` at the end of the list.
fn read_entry(reader: &mut impl Read, shift: u64) -> Result<Option<(Option<String>, Part, u64)>, Error> {
    let cut_short = |_| Error::unreadable("its list of entries is cut short");
    let mut header = Vec::new();
    reader.take(46).read_to_end(&mut header)?;
    if header.is_empty() {
        return Ok(None);
    }
    if header.len() < 46 || !header.starts_with(b"PK\x01\x02") {
        return Err(Error::unreadable("its list of entries is malformed"));
    }
    let mut name = vec![0; usize::from(u16_at(&header, 28))];
    reader.read_exact(&mut name).map_err(cut_short)?;
    let mut extra = vec![0; usize::from(u16_at(&header, 30))];
    reader.read_exact(&mut extra).map_err(cut_short)?;
    let mut comment = vec![0; usize::from(u16_at(&header, 32))];
    reader.read_exact(&mut comment).map_err(cut_short)?;
    let (mut packed_bytes, mut header_at) = (u64::from(u32_at(&header, 20)), u64::from(u32_at(&header, 42)));
    widen(&extra, u32_at(&header, 24), &mut packed_bytes, &mut header_at);
    let part = Part {
        header_at: header_at.saturating_add(shift),
        packed_bytes,
        method: u16_at(&header, 10),
        encrypted: u16_at(&header, 8) & 1 == 1,
        crc: u32_at(&header, 16),
    };
    let name_bytes = name.len() as u64;
    let name = (name.len() <= NAME_BYTES).then(|| key(&String::from_utf8_lossy(&name)));
    Ok(Some((name, part, name_bytes)))
}

/// Takes the 64-bit values of the extra field for those that do not fit in 32 bits.
fn widen(extra: &[u8], unpacked: u32, packed_bytes: &mut u64, header_at: &mut u64) {
    let mut rest = extra;
    while let Some((head, after)) = rest.split_at_checked(4) {
        let Some((body, next)) = after.split_at_checked(usize::from(u16_at(head, 2))) else { return };
        if u16_at(head, 0) == 1 {
            let mut at = if unpacked == u32::MAX { 8 } else { 0 };
            for value in [packed_bytes, header_at] {
                if *value == u64::from(u32::MAX) {
                    *value = u64_at(body, at);
                    at += 8;
                }
            }
            return;
        }
        rest = next;
    }
}

/// A part's name in the form in which names are compared.
fn key(name: &str) -> String {
    name.trim_start_matches('/').replace('\\', "/").to_lowercase()
}

/// Little-endian numbers; what is not there is zero.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u16::from_le_bytes(*chunk))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::Limits;
    use crate::tests::{check_with, file};

    /// A ZIP package with these parts.
    pub(crate) fn zipped(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, body) in parts {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(body.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn read(bytes: &[u8], limits: &Limits, name: &str) -> Result<Option<String>, Error> {
        let file = file(bytes);
        let budget = Budget::new(limits);
        let package = Package::open(file.as_file(), &budget)?;
        let Some(mut part) = package.part(name, &budget)? else { return Ok(None) };
        let mut text = String::new();
        let result = part.read_to_string(&mut text);
        drop(part);
        match (budget.into_tripped(), result) {
            (Some(reason), _) => Err(reason),
            (None, Err(error)) => Err(Error::unreadable(error.to_string())),
            (None, Ok(_)) => Ok(Some(text)),
        }
    }

    fn refusal(bytes: &[u8], limits: &Limits, name: &str) -> String {
        let error = read(bytes, limits, name).unwrap_err();
        format!("{}: {error}", error.code())
    }

    #[test]
    fn parts_are_found_whatever_their_case() {
        let bytes = zipped(&[("Word/Document.xml", "body"), ("../../etc/passwd", "up")]);
        let limits = Limits::default();
        assert_eq!(read(&bytes, &limits, "/word/document.xml").unwrap().unwrap(), "body");
        assert_eq!(read(&bytes, &limits, "none").unwrap(), None);
        assert_eq!(
            read(&[b"#!/bin/sh\n", bytes.as_slice()].concat(), &limits, "word/document.xml").unwrap().unwrap(),
            "body"
        );
    }

    #[test]
    fn guarantee_23_too_many_entries_are_refused_while_counting() {
        let names: Vec<String> = (0..11).map(|n| n.to_string()).collect();
        let parts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        let limits = Limits { entries: 10, ..Limits::default() };
        assert_eq!(refusal(&zipped(&parts), &limits, "0"), "too_large: the file has more than 10 entries");
        assert!(read(&zipped(&parts[1..]), &limits, "1").is_ok());
    }

    #[test]
    fn guarantee_23_what_comes_out_is_counted_whatever_was_declared() {
        let body = "0".repeat(5_000_000);
        let mut bytes = zipped(&[("bomb", &body)]);
        assert!(bytes.len() < 6_000);
        // Declare an unpacked size of one byte in both headers.
        let directory = bytes.windows(4).rposition(|at| at == b"PK\x01\x02").unwrap();
        for at in [22, directory + 24] {
            bytes[at..at + 4].copy_from_slice(&1u32.to_le_bytes());
        }
        let limits = Limits { expanded_bytes: 1_000_000, ..Limits::default() };
        assert_eq!(
            refusal(&bytes, &limits, "bomb"),
            "too_large: the file has more than 1000000 bytes once decompressed"
        );
    }

    #[test]
    fn guarantee_23_entries_that_share_bytes_are_refused() {
        let bytes = zipped(&[("a", "first"), ("b", "second")]);
        let mut same = bytes.clone();
        let directory = same.windows(4).rposition(|at| at == b"PK\x01\x02").unwrap();
        same[directory + 42..directory + 46].copy_from_slice(&0u32.to_le_bytes());
        assert_eq!(
            refusal(&same, &Limits::default(), "a"),
            "unreadable: the file could not be read: its entries overlap"
        );
    }

    #[test]
    fn damage_is_noticed() {
        let limits = Limits::default();
        let bytes = zipped(&[("a", "some text that is long enough to be worth packing, packing, packing")]);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length], &limits, "a").is_err(), "cut to {length}");
        }
        let mut wrong = bytes.clone();
        let directory = wrong.windows(4).rposition(|at| at == b"PK\x01\x02").unwrap();
        wrong[directory + 16] ^= 1;
        assert_eq!(
            refusal(&wrong, &limits, "a"),
            "unreadable: the file could not be read: the checksum does not match"
        );
    }

    #[test]
    fn an_encrypted_entry_is_said_to_be() {
        let mut bytes = zipped(&[("a", "text")]);
        let directory = bytes.windows(4).rposition(|at| at == b"PK\x01\x02").unwrap();
        bytes[directory + 8] |= 1;
        assert_eq!(refusal(&bytes, &Limits::default(), "a"), "encrypted: the file is protected with a password");
    }

    #[test]
    fn guarantee_23_an_archive_is_no_document() {
        let inner = zipped(&[("a.txt", "text")]);
        check_with(&Limits::default(), &inner, "application/zip", "a.zip", Err("unsupported"));
        check_with(&Limits::default(), &zipped(&[]), "", "a.docx", Err("unsupported"));
    }
}
