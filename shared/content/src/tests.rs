//! Actors of the tests: a file on disk and what it must give.

use std::io::Write as _;

use tempfile::NamedTempFile;

use crate::{Error, Limits, Text, extract};

/// A file that holds `bytes` while the test runs.
pub(crate) fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file.flush().unwrap();
    file
}

/// What `extract` makes of `bytes`.
pub(crate) fn extracted(limits: &Limits, bytes: &[u8], mime_type: &str, name: &str) -> Result<Text, Error> {
    let mime_type = (!mime_type.is_empty()).then_some(mime_type);
    extract(file(bytes).path(), mime_type, name, limits)
}

/// The whole text of `bytes` is `expected`, and nothing was cut.
pub(crate) fn check(bytes: &[u8], mime_type: &str, name: &str, expected: &str) {
    let text = extracted(&Limits::default(), bytes, mime_type, name).unwrap();
    assert_eq!(text, Text { text: expected.to_owned(), truncated: false });
}

/// Under `limits`, `bytes` give `expected`: the text, or the code of the refusal.
pub(crate) fn check_with(limits: &Limits, bytes: &[u8], mime_type: &str, name: &str, expected: Result<Text, &str>) {
    let result = extracted(limits, bytes, mime_type, name);
    assert_eq!(result.as_ref().map_err(Error::code), expected.as_ref().map_err(|code| *code), "{result:?}");
}

/// What any file must meet, whatever it holds: an end, in time, and text in normal form.
fn holds_for(bytes: &[u8], mime_type: &str, name: &str) {
    let started = std::time::Instant::now();
    let result = extracted(&Limits::default(), bytes, mime_type, name);
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "{name}: {:?}", started.elapsed());
    match result {
        Ok(Text { text, .. }) => {
            assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{name}: {text:?}");
            assert_eq!(text.trim_matches(['\n', ' ', '\t']), text, "{name}");
            assert!(!text.contains("\n\n\n\n"), "{name}");
        }
        Err(error) => {
            assert!(!matches!(error, Error::Io(_)), "{name}: {error}");
            assert!(!error.to_string().contains("not understood"), "a reader panicked on {name}");
        }
    }
}

const NAMES: [&str; 9] = ["a.txt", "a.html", "a.csv", "a.json", "a.pdf", "a.docx", "a.xlsx", "a.pptx", "a"];

proptest::proptest! {
    #[test]
    fn guarantee_24_random_bytes_end_well(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2_000), name in proptest::sample::select(&NAMES[..])) {
        holds_for(&bytes, "", name);
    }

    #[test]
    fn guarantee_24_random_bytes_under_a_signature_end_well(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2_000),
        start in proptest::sample::select(&["%PDF-1.4\n", "PK\x03\x04", "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R", "<html>"][..]),
    ) {
        holds_for(&[start.as_bytes(), &bytes].concat(), "", "a");
    }

    #[test]
    fn guarantee_23_random_markup_ends_well(markup in "(<[/!a-z]{0,3}[a-z \"'=-]{0,9}>?|&[a-z#0-9;]{0,6}|[ -~\n]{0,9}){0,60}") {
        holds_for(markup.as_bytes(), "text/html", "a.html");
        holds_for(markup.as_bytes(), "text/csv", "a.csv");
        let parts = [("_rels/.rels", "<a><Relationship Id=\"r\" Type=\"/officeDocument\" Target=\"word/document.xml\"/></a>"), ("word/document.xml", &format!("<document><p><t>{markup}"))];
        holds_for(&crate::package::tests::zipped(&parts), "", "a.docx");
    }

    #[test]
    fn guarantee_24_random_content_of_a_page_ends_well(content in "([(<\\[/]{0,2}[0-9A-Fa-z ./#-]{0,6}[)>\\]]{0,2} ?(Tj|TJ|Tf|Td|Tm|cm|q|Q|BT|ET|Do|BI|ID|'|\")? ){0,80}") {
        let body = format!("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Kids[3 0 R]>>endobj\n3 0 obj<</Contents 4 0 R/Resources<</Font<</F1 5 0 R>>/XObject<</X 4 0 R>>>>>>endobj\n4 0 obj<</Subtype/Form/Length 1>>stream\n/F1 9 Tf {content}\nendstream endobj\n5 0 obj<</Subtype/Type1/BaseFont/Helvetica>>endobj\n");
        holds_for(body.as_bytes(), "", "a.pdf");
    }
}
