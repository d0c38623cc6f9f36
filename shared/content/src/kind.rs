//! What kind of file it is: by its type and name before it is fetched, by its first bytes once it is here.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use crate::charset;
use crate::error::Error;
use crate::limits::Budget;

/// Whether a file is worth fetching for its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// A format that is read here.
    Text,
    /// An image, a sound or a film: carries no text, so it is never fetched.
    Media,
    /// Not known: it may be text. Try; it may fail.
    Unknown,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As it stands.
    Plain,
    /// Markup for browsers.
    Html,
    /// Rows of cells, parted by this byte, or by whichever fits.
    Delimited(Option<u8>),
    /// A ZIP package of XML parts; which one, the package itself says.
    Office,
    /// A PDF.
    Pdf,
}

/// Bytes that are enough to tell a kind.
const HEAD_BYTES: u64 = 64 * 1024;

/// Types and endings that say how to read text, and those that say that a binary format is meant.
const HTML_ENDINGS: &str = "html htm xhtml shtml";
const OFFICE_ENDINGS: &str = "docx docm dotx dotm xlsx xlsm xltx xltm pptx pptm ppsx ppsm potx odt ott ods ots odp otp";
const MEDIA_ENDINGS: &str = "png jpg jpeg gif bmp tif tiff webp heic heif avif ico svg psd raw cr2 nef dng mp3 wav flac ogg oga opus \
    m4a aac wma aiff mid midi mp4 m4v mov avi mkv webm wmv flv mpg mpeg 3gp ogv";
const TEXT_ENDINGS: &str = "txt text md markdown mdx rst adoc asciidoc org tex bib log csv tsv tab json jsonl ndjson json5 geojson \
    ipynb xml xsd xsl xslt rss atom kml plist yaml yml toml ini cfg conf properties env srt vtt ics vcf eml \
    diff patch css scss sass less js mjs cjs jsx tsx mts cts vue svelte py pyi rb php pl pm lua r jl java kt \
    kts scala groovy gradle clj cljs c h cc cpp cxx hpp hh m mm cs fs vb go rs swift dart zig nim ex exs erl \
    hrl hs ml mli elm lisp el scm rkt sql graphql gql proto thrift sh bash zsh fish ps1 psm1 bat cmd awk sed \
    tf tfvars hcl nix cmake mk asm s v sv vhd sol tcl gs";
/// Files without an ending that are text by custom.
const TEXT_NAMES: &str = "readme license licence copying notice authors changelog contributing todo makefile dockerfile gemfile \
    rakefile procfile jenkinsfile vagrantfile codeowners .gitignore .gitattributes .editorconfig";

/// Types of `application/` that are text.
const TEXT_TYPES: &str = "json xml javascript ecmascript x-javascript typescript x-typescript x-sh x-shellscript x-python x-ruby \
    x-perl x-httpd-php x-php x-yaml yaml toml sql x-sql x-tex x-latex x-ndjson jsonl x-subrip graphql csv \
    xhtml+xml vnd.google-apps.script+json";
/// Types of `application/` that are read by a format of their own.
const DOCUMENT_TYPES: &str = "pdf x-pdf vnd.google-apps.document vnd.google-apps.spreadsheet vnd.google-apps.presentation \
    vnd.google-apps.script";

/// Whether a file of this type and name is worth fetching.
///
/// The type decides; the name helps where there is no type or one that says nothing (`application/octet-stream`).
#[must_use]
pub fn support(mime_type: Option<&str>, name: &str) -> Support {
    let (ending, stem) = ending_and_stem(name);
    let ending = ending.as_str();
    let by_name = if has(MEDIA_ENDINGS, ending) {
        Support::Media
    } else if ending == "pdf"
        || has(OFFICE_ENDINGS, ending)
        || has(HTML_ENDINGS, ending)
        || has(TEXT_ENDINGS, ending)
        || has(TEXT_NAMES, &stem)
    {
        Support::Text
    } else {
        Support::Unknown
    };
    let Some(essence) = mime_type.map(essence).filter(|essence| !says_nothing(essence)) else { return by_name };
    match essence.split_once('/') {
        // What the registries call a film's transport stream is, in people's drives, mostly TypeScript.
        Some(("video", "mp2t" | "vnd.dlna.mpeg-tts")) if ending == "ts" => Support::Unknown,
        Some(("image" | "audio" | "video", _)) => Support::Media,
        Some(("text", _)) => Support::Text,
        Some((_, subtype)) if subtype.ends_with("+json") || subtype.ends_with("+xml") => Support::Text,
        Some(("application", subtype)) => match subtype {
            "vnd.google-apps.audio" | "vnd.google-apps.video" | "vnd.google-apps.photo" | "vnd.google-apps.drawing" => {
                Support::Media
            }
            subtype if has(TEXT_TYPES, subtype) || has(DOCUMENT_TYPES, subtype) => Support::Text,
            subtype if is_office_type(subtype) => Support::Text,
            _ => by_name,
        },
        _ => by_name,
    }
}

/// Tells the format of a file that is here.
///
/// # Errors
/// [`Error::Unsupported`] for kinds that no text is read from, [`Error::Encrypted`] for an Office file in its encrypted
/// wrapping, [`Error::Unreadable`] if it is not what its type or name says.
pub(crate) fn detect(
    mut file: &File,
    mime_type: Option<&str>,
    name: &str,
    budget: &Budget<'_>,
) -> Result<Format, Error> {
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head)?;
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Ok(Format::Office);
    }
    if head.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
        return Err(old_office(file, budget)?);
    }
    // Some bytes may precede the header; readers of the format look within the first kilobyte.
    if head.get(..head.len().min(1024)).is_some_and(|start| start.windows(5).any(|at| at == b"%PDF-")) {
        return Ok(Format::Pdf);
    }
    let declared = declared(mime_type, name);
    if let Some(what) = foreign(&head) {
        return Err(match declared {
            Declared::Unknown => Error::Unsupported(what.to_owned()),
            _ => Error::unreadable(format!("its name or type promises text, but it is {what}")),
        });
    }
    let looks_like_text = charset::looks_like_text(&head);
    match declared {
        Declared::Format(format) if looks_like_text => Ok(format),
        Declared::Format(_) => Err(Error::unreadable("its name or type promises text, but it holds binary data")),
        // Reports saved from the web are often HTML under the name of an Office format.
        _ if looks_like_text && is_html(&head) => Ok(Format::Html),
        Declared::Package(what) => Err(Error::unreadable(format!("it is not {what}"))),
        Declared::Unknown if looks_like_text => Ok(Format::Plain),
        Declared::Unknown => Err(Error::Unsupported("this kind of file".to_owned())),
    }
}

/// What type and name promise.
enum Declared {
    /// Text, read in this way.
    Format(Format),
    /// A format with a signature of its own.
    Package(&'static str),
    /// Nothing.
    Unknown,
}

fn declared(mime_type: Option<&str>, name: &str) -> Declared {
    let (ending, stem) = ending_and_stem(name);
    let ending = ending.as_str();
    let essence = mime_type.map(essence).unwrap_or_default();
    let tabs = Declared::Format(Format::Delimited(Some(b'\t')));
    match essence.as_str() {
        "text/html" | "application/xhtml+xml" => return Declared::Format(Format::Html),
        "text/csv" | "application/csv" => return Declared::Format(Format::Delimited(None)),
        "text/tab-separated-values" => return tabs,
        "application/pdf" | "application/x-pdf" => return Declared::Package("a PDF"),
        other if other.strip_prefix("application/").is_some_and(is_office_type) => {
            return Declared::Package("an Office document");
        }
        _ => {}
    }
    match ending {
        "csv" => Declared::Format(Format::Delimited(None)),
        "tsv" | "tab" => tabs,
        "pdf" => Declared::Package("a PDF"),
        _ if has(HTML_ENDINGS, ending) => Declared::Format(Format::Html),
        _ if has(OFFICE_ENDINGS, ending) => Declared::Package("an Office document"),
        _ if has(TEXT_ENDINGS, ending) || has(TEXT_NAMES, &stem) => Declared::Format(Format::Plain),
        _ if !says_nothing(&essence) && support(mime_type, "") == Support::Text => Declared::Format(Format::Plain),
        _ => Declared::Unknown,
    }
}

/// Names the well-known binary kinds, for a refusal that says what was found.
fn foreign(head: &[u8]) -> Option<&'static str> {
    const SIGNATURES: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n\x1a\n", "an image"),
        (b"\xff\xd8\xff", "an image"),
        (b"GIF8", "an image"),
        (b"II*\0", "an image"),
        (b"MM\0*", "an image"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ\0", "an xz archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"\x7fELF", "a program"),
        (b"MZ\x90\0", "a program"),
        (b"SQLite format 3\0", "a database"),
        (b"{\\rtf", "Rich Text Format; save it as .docx"),
        (b"OggS", "a sound"),
        (b"ID3", "a sound"),
        (b"fLaC", "a sound"),
        (b"\x1aE\xdf\xa3", "a film"),
    ];
    let by_start = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)).map(|(_, what)| *what);
    by_start.or_else(|| match (head.get(..4), head.get(8..12)) {
        (Some(b"RIFF"), Some(b"WEBP")) => Some("an image"),
        (Some(b"RIFF"), Some(b"WAVE")) => Some("a sound"),
        (Some(b"RIFF"), Some(b"AVI ")) => Some("a film"),
        _ if head.get(4..8) == Some(b"ftyp") => Some("a film or an image"),
        _ => None,
    })
}

/// The binary container of old Office formats is also what newer ones are wrapped in when they have a password.
fn old_office(mut file: &File, budget: &Budget<'_>) -> Result<Error, Error> {
    let wanted: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    file.seek(SeekFrom::Start(0))?;
    let mut window: Vec<u8> = Vec::new();
    loop {
        budget.check_time()?;
        let keep = window.len().saturating_sub(wanted.len());
        window.drain(..keep);
        if file.take(HEAD_BYTES).read_to_end(&mut window)? == 0 {
            let what = "old binary Office files (.doc, .xls, .ppt); save it as .docx, .xlsx or .pptx";
            return Ok(Error::Unsupported(what.to_owned()));
        }
        if window.windows(wanted.len()).any(|at| at == wanted) {
            return Ok(Error::Encrypted);
        }
    }
}

fn is_html(head: &[u8]) -> bool {
    let start: Vec<u8> =
        head.iter().skip_while(|byte| !byte.is_ascii_graphic()).take(512).map(u8::to_ascii_lowercase).collect();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    start.starts_with(b"<!doctype html") || start.starts_with(b"<html") || start.starts_with(b"<table")
}

/// Whether a list of words has this one.
fn has(words: &str, word: &str) -> bool {
    words.split(' ').any(|found| found == word)
}

/// The type without its parameters, in lower case.
fn essence(mime_type: &str) -> String {
    mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Types that providers give to files of which they know nothing.
fn says_nothing(essence: &str) -> bool {
    matches!(
        essence,
        "" | "application/octet-stream"
            | "binary/octet-stream"
            | "application/x-binary"
            | "application/download"
            | "application/zip"
            | "application/x-zip-compressed"
    )
}

fn is_office_type(subtype: &str) -> bool {
    subtype.starts_with("vnd.openxmlformats-officedocument.")
        || subtype.starts_with("vnd.oasis.opendocument.text")
        || subtype.starts_with("vnd.oasis.opendocument.spreadsheet")
        || subtype.starts_with("vnd.oasis.opendocument.presentation")
        || (subtype.starts_with("vnd.ms-") && subtype.contains(".macroenabled."))
}

/// `("csv", "report")` of `Report.CSV`; a name without a dot has no ending.
fn ending_and_stem(name: &str) -> (String, String) {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim().to_lowercase();
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => (ending.to_owned(), stem.to_owned()),
        _ => (String::new(), name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_is_told_before_fetching() {
        let check = |mime: &str, name, expected| {
            let mime = (!mime.is_empty()).then_some(mime);
            assert_eq!(support(mime, name), expected, "{mime:?} {name}");
        };
        check("text/plain", "a", Support::Text);
        check("text/markdown; charset=utf-8", "a", Support::Text);
        check("application/pdf", "a.bin", Support::Text);
        check("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "a", Support::Text);
        check("application/vnd.ms-excel.sheet.macroEnabled.12", "a", Support::Text);
        check("application/ld+json", "", Support::Text);
        check("image/svg+xml", "a.svg", Support::Media);
        check("video/mp4", "talk.txt", Support::Media);
        check("video/mp2t", "index.ts", Support::Unknown);
        check("audio/mpeg", "a", Support::Media);
        check("application/octet-stream", "main.rs", Support::Text);
        check("application/octet-stream", "photo.HEIC", Support::Media);
        check("application/octet-stream", "a.bin", Support::Unknown);
        check("", "Makefile", Support::Text);
        check("", "", Support::Unknown);
        check("application/x-msdownload", "setup.exe", Support::Unknown);
        check("application/vnd.google-apps.document", "Notes", Support::Text);
    }

    fn detected(bytes: &[u8], mime: Option<&str>, name: &str) -> Result<Format, Error> {
        let file = crate::tests::file(bytes);
        let limits = crate::Limits::default();
        detect(file.as_file(), mime, name, &Budget::new(&limits))
    }

    #[test]
    fn first_bytes_outrank_type_and_name() {
        assert_eq!(detected(b"%PDF-1.4", Some("text/plain"), "a.txt").unwrap(), Format::Pdf);
        assert_eq!(detected(b"PK\x03\x04", Some("application/pdf"), "a.pdf").unwrap(), Format::Office);
        assert_eq!(detected(b"<html>", None, "report.xlsx").unwrap(), Format::Html);
    }

    #[test]
    fn type_then_name_decide_how_text_is_read() {
        assert_eq!(detected(b"a,b", Some("text/csv"), "a").unwrap(), Format::Delimited(None));
        assert_eq!(detected(b"a,b", Some("text/plain"), "a.csv").unwrap(), Format::Delimited(None));
        assert_eq!(detected(b"a", None, "a.tsv").unwrap(), Format::Delimited(Some(b'\t')));
        assert_eq!(detected(b"a", Some("text/html"), "a").unwrap(), Format::Html);
        assert_eq!(detected(b"a", None, "unheard.of").unwrap(), Format::Plain);
        assert_eq!(detected(b"", None, "").unwrap(), Format::Plain);
    }

    #[test]
    fn what_is_not_read_is_named() {
        let check = |bytes: &[u8], name, code, text: &str| {
            let error = detected(bytes, None, name).unwrap_err();
            assert_eq!((error.code(), error.to_string()), (code, text.to_owned()));
        };
        check(b"\x89PNG\r\n\x1a\n", "a", "unsupported", "no text is read from an image");
        check(b"\x1f\x8b\x08", "a.gz", "unsupported", "no text is read from a gzip archive");
        check(b"\0\x01\x02\x03", "a.dat", "unsupported", "no text is read from this kind of file");
        check(b"hello", "a.pdf", "unreadable", "the file could not be read: it is not a PDF");
        check(b"hello", "a.docx", "unreadable", "the file could not be read: it is not an Office document");
        let promised = "the file could not be read: its name or type promises text, but it holds binary data";
        check(b"\0\x01\x02\x03", "a.txt", "unreadable", promised);
    }

    #[test]
    fn old_office_files_are_told_from_encrypted_new_ones() {
        let mut bytes = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec();
        bytes.resize(200_000, 0);
        assert_eq!(detected(&bytes, None, "a.xls").unwrap_err().code(), "unsupported");
        bytes.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(detected(&bytes, None, "a.xlsx").unwrap_err().code(), "encrypted");
    }
}
