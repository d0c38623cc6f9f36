//! Documents as Word writes them, built by hand so that each construct is seen.

use crate::office::tests::relations;
use crate::package::tests::zipped;
use crate::tests::{check, check_with};
use crate::{Limits, Text};

const MIME: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/// A document with this body, a style sheet, two lists and a footnote.
fn docx(body: &str) -> Vec<u8> {
    let main = relations(&[("r1", "officeDocument", "word/document.xml")]);
    let parts = relations(&[
        ("s", "styles", "styles.xml"),
        ("n", "numbering", "numbering.xml"),
        ("f", "footnotes", "footnotes.xml"),
    ]);
    let styles = r#"<w:styles xmlns:w="w"><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
        <w:style w:styleId="Sub"><w:name w:val="My style"/><w:basedOn w:val="berschrift1"/></w:style>
        <w:style w:styleId="ListBullet"><w:name w:val="List Bullet"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style></w:styles>"#;
    let numbering = r#"<w:numbering xmlns:w="w">
        <w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>
        <w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/></w:lvl></w:abstractNum>
        <w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num></w:numbering>"#;
    let footnotes = r#"<w:footnotes xmlns:w="w"><w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:t>rule</w:t></w:r></w:p></w:footnote>
        <w:footnote w:id="2"><w:p><w:r><w:t>The note.</w:t></w:r></w:p></w:footnote></w:footnotes>"#;
    let document = format!(r#"<?xml version="1.0"?><w:document xmlns:w="w"><w:body>{body}</w:body></w:document>"#);
    zipped(&[
        ("_rels/.rels", &main),
        ("word/document.xml", &document),
        ("word/_rels/document.xml.rels", &parts),
        ("word/styles.xml", styles),
        ("word/numbering.xml", numbering),
        ("word/footnotes.xml", footnotes),
    ])
}

fn paragraph(properties: &str, text: &str) -> String {
    format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

fn item(list: u8, level: u8, text: &str) -> String {
    paragraph(&format!("<w:numPr><w:ilvl w:val=\"{level}\"/><w:numId w:val=\"{list}\"/></w:numPr>"), text)
}

/// What follows the note that every document of these tests has.
const NOTE: &str = "\n\n[^2]: The note.";

#[test]
fn paragraphs_headings_and_lists_keep_their_form() {
    let body = [
        paragraph("<w:pStyle w:val=\"berschrift1\"/>", "Report"),
        paragraph("", "First &amp; foremost."),
        paragraph("<w:pStyle w:val=\"Sub\"/><w:outlineLvl w:val=\"1\"/>", "Part"),
        item(1, 0, "one"),
        item(1, 1, "one a"),
        paragraph("<w:pStyle w:val=\"ListBullet\"/>", "two"),
        item(2, 0, "first"),
        item(2, 0, "second"),
        paragraph("", "Last."),
    ];
    let expected = "# Report\n\nFirst & foremost.\n\n## Part\n\n- one\n  - one a\n- two\n1. first\n2. second\n\nLast.";
    check(&docx(&body.concat()), MIME, "a.docx", &format!("{expected}{NOTE}"));
}

#[test]
fn runs_join_and_breaks_part() {
    let body = "<w:p><w:pPr><w:tabs><w:tab w:val=\"left\"/></w:tabs></w:pPr><w:r><w:t>Hel</w:t></w:r><w:r><w:t>lo</w:t><w:tab/><w:t>you</w:t><w:br/><w:t>there</w:t></w:r>\
        <w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>, new</w:t></w:r></w:ins><w:r><w:footnoteReference w:id=\"2\"/></w:r></w:p>";
    check(&docx(body), MIME, "a.docx", &format!("Hello\tyou\nthere, new[^2]{NOTE}"));
}

#[test]
fn tables_are_rows_of_cells_parted_by_tabs() {
    let cell = |text: &str| format!("<w:tc>{}</w:tc>", paragraph("", text));
    let inner = format!("<w:tc><w:tbl><w:tr>{}{}</w:tr></w:tbl><w:p/></w:tc>", cell("x"), cell("y"));
    let body = format!(
        "{}<w:tbl><w:tr>{}{}</w:tr><w:tr>{}{}</w:tr><w:tr><w:tc><w:tcPr><w:gridSpan w:val=\"2\"/></w:tcPr>{}</w:tc>{}</w:tr></w:tbl>{}",
        paragraph("", "Before"),
        cell("Name"),
        cell("Sum"),
        cell("Ada"),
        inner,
        paragraph("", "both"),
        cell("third"),
        paragraph("", "After"),
    );
    check(&docx(&body), MIME, "a.docx", &format!("Before\n\nName\tSum\nAda\tx y\nboth\t\tthird\n\nAfter{NOTE}"));
}

#[test]
fn a_text_box_is_read_once() {
    let alternate = format!(
        "<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent>{0}</w:txbxContent></mc:Choice><mc:Fallback>{0}</mc:Fallback></mc:AlternateContent></w:r><w:r><w:t>Around</w:t></w:r></w:p>",
        paragraph("", "Boxed"),
    );
    check(&docx(&alternate), MIME, "a.docx", &format!("Boxed\n\nAround{NOTE}"));
}

#[test]
fn the_package_decides_whatever_the_name_says() {
    check(&docx(&paragraph("", "Text")), "application/octet-stream", "a.bin", &format!("Text{NOTE}"));
}

#[test]
fn guarantee_23_entity_expansion_is_refused() {
    let mut entities = String::from("<!DOCTYPE lolz [<!ENTITY l0 \"lol\">");
    for n in 1..10 {
        entities.push_str(&format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)));
    }
    let document = format!(
        "{entities}]><w:document xmlns:w=\"w\"><w:body><w:p><w:r><w:t>&l9;</w:t></w:r></w:p></w:body></w:document>"
    );
    let main = relations(&[("r1", "officeDocument", "word/document.xml")]);
    let bytes = zipped(&[("_rels/.rels", &main), ("word/document.xml", &document)]);
    check_with(&Limits::default(), &bytes, MIME, "a.docx", Err("unreadable"));
}

#[test]
fn guarantee_23_a_bomb_is_refused_with_the_limit() {
    let body = paragraph("", "").repeat(400_000);
    let bytes = docx(&body);
    assert!(bytes.len() < 300_000);
    let started = std::time::Instant::now();
    check_with(&Limits { expanded_bytes: 10_000_000, ..Limits::default() }, &bytes, MIME, "a.docx", Err("too_large"));
    assert!(started.elapsed() < std::time::Duration::from_secs(15));
}

#[test]
fn long_text_is_cut_and_said_so() {
    let bytes = docx(&[paragraph("", "One"), paragraph("", "Two three")].concat());
    let limits = Limits { text_bytes: 8, ..Limits::default() };
    check_with(&limits, &bytes, MIME, "a.docx", Ok(Text { text: "One\n\nTwo".to_owned(), truncated: true }));
}

#[test]
fn cut_files_are_unreadable() {
    let bytes = docx(&paragraph("", "Text"));
    for length in [0, 3, 30, 200, bytes.len() - 100, bytes.len() - 1] {
        check_with(&Limits::default(), &bytes[..length], MIME, "a.docx", Err("unreadable"));
    }
}
