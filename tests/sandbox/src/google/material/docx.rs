//! Word documents: one paragraph for each line.

use anyhow::Result;

use super::{package, xml_escape};

const MAIN: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";

/// The bytes of a .docx file.
pub fn document(text: &str) -> Result<Vec<u8>> {
    let paragraphs: String = text
        .lines()
        .map(|line| format!("<w:p><w:r><w:t xml:space=\"preserve\">{}</w:t></w:r></w:p>", xml_escape(line)))
        .collect();
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>";
    package(&[
        (
            "[Content_Types].xml".to_owned(),
            format!(
                "{head}<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
                 <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
                 <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
                 <Override PartName=\"/word/document.xml\" ContentType=\
                 \"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml\"/></Types>"
            ),
        ),
        (
            "_rels/.rels".to_owned(),
            format!(
                "{head}<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
                 <Relationship Id=\"rId1\" Type=\
                 \"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" \
                 Target=\"word/document.xml\"/></Relationships>"
            ),
        ),
        (
            "word/document.xml".to_owned(),
            format!("{head}<w:document xmlns:w=\"{MAIN}\"><w:body>{paragraphs}<w:sectPr/></w:body></w:document>"),
        ),
    ])
}
