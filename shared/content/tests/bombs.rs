//! Small files that want to be large: what they cost in memory and in time, measured on this process. Bombs are made here, bit by bit,
//! so that making them costs nothing either.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "this is a test")]

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use content::{Error, Limits, extract};
use tempfile::NamedTempFile;

/// The most memory that reading a bomb may take beyond what the process held before. The function that reads files in the cloud has
/// several times as much, and reads some side by side.
const MEMORY_KB: u64 = 100 * 1024;
/// The most time of a processor. Unoptimized code gets more.
const CPU: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });
/// More than any limit, and more than the memory of a function.
const FOUR_GIGABYTES: u64 = 4 << 30;

/// One bomb at a time: memory and time are those of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// A deflate stream (RFC 1951) in one block with fixed codes.
#[derive(Default)]
struct Deflate {
    bytes: Vec<u8>,
    bits: u32,
    count: u32,
}

impl Deflate {
    fn start() -> Self {
        let mut stream = Self::default();
        // The last block, with fixed codes.
        stream.put(0b011, 3);
        stream
    }

    /// Writes bits, the lowest first.
    fn put(&mut self, bits: u32, count: u32) {
        self.bits |= bits << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.bits as u8);
            self.bits >>= 8;
            self.count -= 8;
        }
    }

    /// Writes a code, its highest bit first.
    fn code(&mut self, code: u32, count: u32) {
        self.put(code.reverse_bits() >> (32 - count), count);
    }

    fn text(mut self, text: &str) -> Self {
        for byte in text.bytes() {
            assert!(byte < 144, "the other codes are longer");
            self.code(0x30 + u32::from(byte), 8);
        }
        self
    }

    /// Repeats the last byte; 13 bits for each 258 times.
    fn again(mut self, times: u64) -> Self {
        for _ in 0..times / 258 {
            // Length 258, distance 1.
            self.code(0b1100_0101, 8);
            self.code(0, 5);
        }
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.code(0, 7);
        self.put(0, 7);
        self.bytes
    }
}

/// An entry of a ZIP file: its name, its deflated bytes, and the checksum of what they unpack to.
struct Entry {
    name: String,
    packed: Vec<u8>,
    checksum: u32,
}

/// An honest entry.
fn entry(name: &str, text: &str) -> Entry {
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    Entry { name: name.to_owned(), packed: Deflate::start().text(text).end(), checksum: crc.sum() }
}

/// An entry that says it holds one byte. Its checksum is wrong, which nobody learns who does not read to the end.
fn bomb(name: &str, packed: Vec<u8>) -> Entry {
    Entry { name: name.to_owned(), packed, checksum: 0 }
}

fn le(value: usize, bytes: usize) -> Vec<u8> {
    value.to_le_bytes()[..bytes].to_vec()
}

/// A ZIP file of these entries, each said to unpack to one byte.
fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut file, mut list) = (Vec::new(), Vec::new());
    for Entry { name, packed, checksum } in entries {
        let at = file.len();
        // Version, flags, method, time, date, checksum, packed and unpacked size, lengths of the name and of the extra field.
        let shared = [
            le(20, 2),
            le(0, 2),
            le(8, 2),
            le(0, 4),
            le(*checksum as usize, 4),
            le(packed.len(), 4),
            le(1, 4),
            le(name.len(), 2),
            le(0, 2),
        ]
        .concat();
        file.extend([b"PK\x03\x04".as_slice(), &shared, name.as_bytes(), packed].concat());
        let rest = [le(0, 2), le(0, 2), le(0, 2), le(0, 4), le(at, 4)].concat();
        list.extend([b"PK\x01\x02".as_slice(), &le(0x0314, 2), &shared, &rest, name.as_bytes()].concat());
    }
    let at = file.len();
    file.extend_from_slice(&list);
    let count = le(entries.len().min(0xffff), 2);
    file.extend(
        [b"PK\x05\x06".as_slice(), &le(0, 4), &count, &count, &le(list.len(), 4), &le(at, 4), &le(0, 2)].concat(),
    );
    file
}

/// A true ZIP file, for what has to be read to its end.
fn true_zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, body) in parts {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(body).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

const RELATIONS: &str = "<Relationships><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"";

fn relations(main: &str) -> String {
    format!("{RELATIONS}{main}\"/></Relationships>")
}

/// A number out of `/proc/self/status`, in KB.
fn status_kb(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).expect("the kernel counts it");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The processor's time that this process has used.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Reads a file alone, and says how it ended. It must end within the bounds.
fn measured(what: &str, bytes: Vec<u8>, name: &str, limits: &Limits) -> Result<String, Error> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    file.flush().unwrap();
    drop(bytes);
    // From here on the kernel counts the peak anew.
    std::fs::write("/proc/self/clear_refs", "5").expect("the peak can be reset");
    let (held, used) = (status_kb("VmRSS"), cpu());
    let result = extract(file.path(), None, name, limits);
    let (more, took) = (status_kb("VmHWM").saturating_sub(held), cpu() - used);
    println!("{what}: {took:?} of a processor, {more} KB more memory, {result:?}");
    assert!(more < MEMORY_KB, "{what}: {more} KB");
    assert!(took < CPU, "{what}: {took:?}");
    result.map(|text| text.text)
}

/// Limits as they are, but for time: unoptimized code is measured by the processor's time, not by the clock.
fn limits() -> Limits {
    let defaults = Limits::default();
    Limits { time: defaults.time * if cfg!(debug_assertions) { 10 } else { 1 }, ..defaults }
}

fn refused(what: &str, bytes: Vec<u8>, name: &str, code: &str) {
    let refusal = measured(what, bytes, name, &limits()).expect_err(what);
    assert_eq!(refusal.code(), code, "{what}: {refusal}");
}

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn guarantee_23_packed_files_that_unpack_to_gigabytes_are_refused_in_little_time_and_memory() {
    let _alone = alone();
    let document = Deflate::start().text("<document><body><p><r><t>x").again(FOUR_GIGABYTES).end();
    assert!(document.len() < 30_000_000);
    let docx = zip(&[entry("_rels/.rels", &relations("word/document.xml")), bomb("word/document.xml", document)]);
    refused("a document of 4 GB", docx, "a.docx", "too_large");

    let strings = Deflate::start().text("<sst><si><t>x").again(FOUR_GIGABYTES).end();
    let book = "<workbook xmlns:r=\"r\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>";
    let parts = "<Relationships><Relationship Id=\"r1\" Type=\"x/worksheet\" Target=\"s.xml\"/><Relationship Id=\"r2\" Type=\"x/sharedStrings\" Target=\"strings.xml\"/></Relationships>";
    let xlsx = zip(&[
        entry("_rels/.rels", &relations("xl/workbook.xml")),
        entry("xl/workbook.xml", book),
        entry("xl/_rels/workbook.xml.rels", parts),
        entry("xl/s.xml", "<worksheet/>"),
        bomb("xl/strings.xml", strings),
    ]);
    refused("shared strings of 4 GB", xlsx, "a.xlsx", "too_large");
}

#[test]
fn guarantee_23_lists_of_entries_that_lie_are_refused() {
    let _alone = alone();
    let many: Vec<Entry> = (0..60_000).map(|number| entry(&format!("{number}"), "")).collect();
    refused("60,000 entries", zip(&many), "a.docx", "too_large");
    // Each entry is said to begin where the first does: what is packed once unpacks a thousand times.
    let packed = Deflate::start().text("x").again(100_000_000).end();
    let mut shared = zip(&[bomb("a", packed)]);
    let list = shared.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    let end = shared.windows(4).rposition(|bytes| bytes == b"PK\x05\x06").unwrap();
    let one = shared[list..end].to_vec();
    let (many, tail) = (one.repeat(1_000), shared.split_off(end));
    shared.truncate(list);
    shared.extend_from_slice(&many);
    let mut tail = tail;
    tail[8..12].copy_from_slice(&[le(1_000, 2), le(1_000, 2)].concat());
    tail[12..16].copy_from_slice(&le(many.len(), 4));
    shared.extend(tail);
    refused("a thousand entries of the same bytes", shared, "a.docx", "unreadable");
}

#[test]
fn guarantee_23_what_is_packed_inside_what_is_packed_stays_so() {
    let _alone = alone();
    let mut nested = true_zip(&[("a.txt", &b" ".repeat(1_000_000))]);
    for _ in 0..10 {
        let parts: Vec<(String, Vec<u8>)> = (0..10).map(|number| (format!("{number}.zip"), nested.clone())).collect();
        let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, body)| (name.as_str(), body.as_slice())).collect();
        nested = true_zip(&parts);
    }
    refused("ten to the tenth archives", nested.clone(), "a.zip", "unsupported");
    refused("the same by another name", nested, "a.docx", "unsupported");
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    packed.extend(Deflate::start().text("x").again(FOUR_GIGABYTES).end());
    refused("4 GB under gzip", packed.clone(), "a.txt.gz", "unsupported");
    refused("4 GB under gzip as text", packed, "a.txt", "unreadable");
}

#[test]
fn guarantee_23_names_that_climb_and_links_write_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/a.docx");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let main = "<w:document xmlns:w=\"w\"><w:body><w:p><w:r><w:t>Only this.</w:t></w:r></w:p></w:body></w:document>";
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, body) in [
        ("_rels/.rels", relations("word/document.xml")),
        ("word/document.xml", main.to_owned()),
        ("../climbed.txt", "up".to_owned()),
        ("../../climbed.txt", "up".to_owned()),
        ("/tmp/climbed-from-a-document.txt", "up".to_owned()),
        ("..\\climbed.txt", "up".to_owned()),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(body.as_bytes()).unwrap();
    }
    writer.add_symlink("word/media/link", "/etc/passwd", options).unwrap();
    writer.finish().unwrap();
    let text = extract(&path, None, "a.docx", &Limits::default()).unwrap().text;
    assert_eq!(text, "Only this.");
    let mut found: Vec<String> = Vec::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path())
            } else {
                found.push(entry.file_name().into_string().unwrap())
            }
        }
    }
    assert_eq!(found, ["a.docx"]);
    assert!(!std::path::Path::new("/tmp/climbed-from-a-document.txt").exists());
    // A main part that is said to lie outside is looked for by that name, and nowhere else.
    let outside = true_zip(&[("_rels/.rels", relations("../../../../etc/passwd").as_bytes())]);
    let refusal = measured("a main part outside", outside, "a.docx", &limits()).unwrap_err();
    assert!(matches!(refusal.code(), "unreadable" | "unsupported"), "{refusal}");
}

#[test]
fn guarantee_23_markup_that_grows_or_goes_deep_is_refused() {
    let _alone = alone();
    let docx = |body: &str| {
        true_zip(&[("_rels/.rels", relations("word/document.xml").as_bytes()), ("word/document.xml", body.as_bytes())])
    };
    let mut laughs = "<!DOCTYPE d [<!ENTITY a0 \"ha\">".to_owned();
    for level in 1..30 {
        laughs.push_str(&format!("<!ENTITY a{level} \"{}\">", format!("&a{};", level - 1).repeat(10)));
    }
    refused("laughs", docx(&format!("{laughs}]><document><p>&a29;</p></document>")), "a.docx", "unreadable");
    let outside = "<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><document><body><p><r><t>&x;</t></r></p></body></document>";
    refused("an entity from outside", docx(outside), "a.docx", "unreadable");
    refused("a million levels", docx(&format!("<document><body>{}", "<p>".repeat(1_000_000))), "a.docx", "too_large");
    refused("a name of 50 MB", docx(&format!("<document><{}", "a".repeat(50_000_000))), "a.docx", "too_large");
    refused("a value of 50 MB", docx(&format!("<document><p a=\"{}", "a".repeat(50_000_000))), "a.docx", "too_large");
}

#[test]
fn guarantee_22_a_sheet_of_a_million_rows_ends_in_a_stated_refusal() {
    let _alone = alone();
    let sheet =
        format!("<worksheet><sheetData>{}</sheetData></worksheet>", "<row><c><v>1</v></c></row>".repeat(1_000_001));
    let book = "<workbook xmlns:r=\"r\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>";
    let parts = "<Relationships><Relationship Id=\"r1\" Type=\"x/worksheet\" Target=\"s.xml\"/></Relationships>";
    let xlsx = true_zip(&[
        ("_rels/.rels", relations("xl/workbook.xml").as_bytes()),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", parts.as_bytes()),
        ("xl/s.xml", sheet.as_bytes()),
    ]);
    drop(sheet);
    let refusal = measured("a million rows", xlsx, "a.xlsx", &limits()).unwrap_err();
    assert_eq!(refusal.to_string(), "the file has more than 1000000 cells");
}

#[test]
fn guarantee_22_a_file_of_200_megabytes_is_refused_unread() {
    let _alone = alone();
    let file = NamedTempFile::new().unwrap();
    file.as_file().set_len(200_000_000).unwrap();
    let used = cpu();
    let refusal = extract(file.path(), Some("text/plain"), "a.txt", &Limits::default()).unwrap_err();
    assert_eq!(refusal.to_string(), "the file has more than 100000000 bytes");
    assert!(cpu() - used < Duration::from_millis(200));
}

/// A PDF with these objects, numbered from 1, the first being the root. It has no table: it is found by looking through.
fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    for (at, object) in objects.iter().enumerate() {
        bytes.extend([format!("{} 0 obj\n", at + 1).as_bytes(), object, b"\nendobj\n"].concat());
    }
    bytes.extend(b"trailer\n<</Root 1 0 R>>\n%%EOF\n");
    bytes
}

#[test]
fn guarantee_24_pdf_bombs_are_refused_in_little_time_and_memory() {
    let _alone = alone();
    let root = |kids: &str| {
        vec![b"<</Type/Catalog/Pages 2 0 R>>".to_vec(), format!("<</Type/Pages/Kids[{kids}]>>").into_bytes()]
    };
    let with_content = |filter: &str, content: &[u8]| {
        let mut objects = root("3 0 R");
        objects.push(b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>".to_vec());
        let dict = format!("<<{filter}/Length {}>>\nstream\n", content.len());
        objects.push([dict.as_bytes(), content, b"\nendstream"].concat());
        pdf(&objects)
    };
    // A zlib header, and 4 GB of blanks.
    let flate = [&[0x78, 0x9c][..], &Deflate::start().text(" ").again(FOUR_GIGABYTES).end()].concat();
    refused("4 GB under Flate", with_content("/Filter/FlateDecode", &flate), "a.pdf", "too_large");
    let twice = with_content("/Filter[/FlateDecode/FlateDecode]", &flate);
    let refusal = measured("Flate twice", twice, "a.pdf", &limits()).unwrap_err();
    assert_eq!(refusal.code(), "too_large");
    let runs: Vec<u8> = [129, b' '].repeat(5_000_000);
    refused("640 MB of runs", with_content("/Filter/RunLengthDecode", &runs), "a.pdf", "too_large");
    // A million pages, each its own object.
    let kids: String = (3..1_000_003).map(|number| format!("{number} 0 R ")).collect();
    let mut pages = root(&kids);
    pages.extend(vec![b"<</Type/Page>>".to_vec(); 1_000_000]);
    refused("a million pages", pdf(&pages), "a.pdf", "too_large");
    drop(pages);
    // A tree of pages as deep as it is large, and one that branches into itself.
    let mut deep = vec![b"<</Type/Catalog/Pages 2 0 R>>".to_vec()];
    deep.extend((2..100_000).map(|number| format!("<</Type/Pages/Kids[{} 0 R]>>", number + 1).into_bytes()));
    refused("a deep tree", pdf(&deep), "a.pdf", "unreadable");
    let mut wide = vec![b"<</Type/Catalog/Pages 2 0 R>>".to_vec()];
    wide.extend(
        (2..60)
            .map(|number| format!("<</Type/Pages/Kids[{}]>>", format!("{} 0 R ", number + 1).repeat(10)).into_bytes()),
    );
    let ended = measured("a tree of ten to the sixtieth", pdf(&wide), "a.pdf", &limits());
    assert!(matches!(&ended, Err(error) if error.code() != "timed_out"), "{ended:?}");
}
