//! Plain text, Markdown, source code, JSON, XML: as it stands, in normal form.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use crate::charset;
use crate::error::Error;
use crate::limits::Budget;
use crate::output::Output;

/// Reads a text file as it stands.
pub(crate) fn read(file: &File, mime_type: Option<&str>, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
    let beginning = beginning(file, budget, 2)?;
    budget.check_time()?;
    out.push_str(&charset::decode(&beginning.bytes, charset::of_media_type(mime_type), beginning.cut));
    if beginning.cut {
        out.mark_truncated();
    }
    budget.check_time()
}

/// As much of a file as can matter for its text.
pub(crate) struct Beginning {
    /// Its first bytes.
    pub(crate) bytes: Vec<u8>,
    /// There are more.
    pub(crate) cut: bool,
}

/// Reads at most `factor` times as many bytes as the text may have: two cover every character set (UTF-16 of Latin text is twice
/// its UTF-8), so that a huge log costs no more memory than a large one.
pub(crate) fn beginning(mut file: &File, budget: &Budget<'_>, factor: u64) -> Result<Beginning, Error> {
    let most = (budget.limits().text_bytes as u64).saturating_mul(factor).saturating_add(4096);
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    let cut = file.metadata()?.len() > bytes.len() as u64;
    Ok(Beginning { bytes, cut })
}

#[cfg(test)]
mod tests {
    use crate::tests::{check, check_with};
    use crate::{Limits, Text, extract};

    #[test]
    fn text_stands_as_it_is() {
        check(b"One line\r\nand another\r\n", "text/plain", "a.txt", "One line\nand another");
        check(
            b"# Title\n\n- a\n  - b\n\n```rust\nfn main() {}\n```\n",
            "text/markdown",
            "a.md",
            "# Title\n\n- a\n  - b\n\n```rust\nfn main() {}\n```",
        );
        check(b"{\"b\": 1,\n \"a\": [\"x\"]}\n", "application/json", "a.json", "{\"b\": 1,\n \"a\": [\"x\"]}");
        check(
            b"fn main() {\n\tprintln!();\n}\n",
            "application/octet-stream",
            "main.rs",
            "fn main() {\n\tprintln!();\n}",
        );
        check(b"", "text/plain", "empty.txt", "");
    }

    #[test]
    fn xml_is_text_and_its_entities_stay_names() {
        let bomb = b"<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
        check(bomb, "application/xml", "a.xml", std::str::from_utf8(bomb).unwrap());
    }

    #[test]
    fn the_charset_of_the_type_is_used() {
        check(b"\xb1\xea", "text/plain; charset=iso-8859-2", "a", "ąę");
    }

    #[test]
    fn text_beyond_the_limit_is_cut_and_said_so() {
        let limits = Limits { text_bytes: 10, ..Limits::default() };
        check_with(
            &limits,
            b"0123456789ab",
            "text/plain",
            "a",
            Ok(Text { text: "0123456789".to_owned(), truncated: true }),
        );
        check_with(
            &limits,
            &b"\n".repeat(100_000),
            "text/plain",
            "a",
            Ok(Text { text: String::new(), truncated: true }),
        );
    }

    #[test]
    fn guarantee_22_a_file_beyond_the_limit_is_refused_unread() {
        let limits = Limits { file_bytes: 3, ..Limits::default() };
        let file = crate::tests::file(b"four");
        let error = extract(file.path(), None, "a.txt", &limits).unwrap_err();
        assert_eq!((error.code(), error.to_string()), ("too_large", "the file has more than 3 bytes".to_owned()));
    }
}
