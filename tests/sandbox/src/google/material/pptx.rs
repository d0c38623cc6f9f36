//! Presentations: on each slide a title, its first line, and the other lines below.

use anyhow::Result;

use super::{package, xml_escape};

const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const NAMESPACES: &str = "xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\" \
     xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\" \
     xmlns:p=\"http://schemas.openxmlformats.org/presentationml/2006/main\"";
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>";

/// The bytes of a .pptx file.
pub fn presentation(slides: &[String]) -> Result<Vec<u8>> {
    let numbers = 1..=slides.len();
    let types: String = numbers
        .clone()
        .map(|n| {
            format!(
                "<Override PartName=\"/ppt/slides/slide{n}.xml\" ContentType=\
                 \"application/vnd.openxmlformats-officedocument.presentationml.slide+xml\"/>"
            )
        })
        .collect();
    let relations: String = numbers
        .clone()
        .map(|n| format!("<Relationship Id=\"rId{n}\" Type=\"{RELATIONS}/slide\" Target=\"slides/slide{n}.xml\"/>"))
        .collect();
    let ids: String = numbers.map(|n| format!("<p:sldId id=\"{}\" r:id=\"rId{n}\"/>", 255 + n)).collect();
    let package_relations = "http://schemas.openxmlformats.org/package/2006/relationships";
    let mut parts = vec![
        (
            "[Content_Types].xml".to_owned(),
            format!(
                "{HEAD}<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
                 <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
                 <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
                 <Override PartName=\"/ppt/presentation.xml\" ContentType=\
                 \"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml\"/>{types}</Types>"
            ),
        ),
        (
            "_rels/.rels".to_owned(),
            format!(
                "{HEAD}<Relationships xmlns=\"{package_relations}\"><Relationship Id=\"rId1\" \
                 Type=\"{RELATIONS}/officeDocument\" Target=\"ppt/presentation.xml\"/></Relationships>"
            ),
        ),
        (
            "ppt/presentation.xml".to_owned(),
            format!(
                "{HEAD}<p:presentation {NAMESPACES}><p:sldIdLst>{ids}</p:sldIdLst>\
                 <p:sldSz cx=\"9144000\" cy=\"6858000\"/><p:notesSz cx=\"6858000\" cy=\"9144000\"/></p:presentation>"
            ),
        ),
        (
            "ppt/_rels/presentation.xml.rels".to_owned(),
            format!("{HEAD}<Relationships xmlns=\"{package_relations}\">{relations}</Relationships>"),
        ),
    ];
    for (index, text) in slides.iter().enumerate() {
        parts.push((format!("ppt/slides/slide{}.xml", index + 1), slide(text)));
    }
    package(&parts)
}

fn slide(text: &str) -> String {
    let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
    format!(
        "{HEAD}<p:sld {NAMESPACES}><p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id=\"1\" name=\"\"/><p:cNvGrpSpPr/><p:nvPr/>\
         </p:nvGrpSpPr><p:grpSpPr/>{}{}</p:spTree></p:cSld></p:sld>",
        shape(2, "title", 457_200, 1_143_000, title),
        shape(3, "body", 1_700_000, 4_500_000, rest),
    )
}

/// A placeholder with one paragraph for each line; `top` and `height` in English Metric Units.
fn shape(id: u32, role: &str, top: u32, height: u32, text: &str) -> String {
    let paragraphs: String = text
        .lines()
        .map(|line| format!("<a:p><a:r><a:rPr lang=\"en-US\"/><a:t>{}</a:t></a:r></a:p>", xml_escape(line)))
        .collect();
    let paragraphs = if paragraphs.is_empty() { "<a:p/>".to_owned() } else { paragraphs };
    format!(
        "<p:sp><p:nvSpPr><p:cNvPr id=\"{id}\" name=\"{role}\"/><p:cNvSpPr/><p:nvPr><p:ph type=\"{role}\"/></p:nvPr>\
         </p:nvSpPr><p:spPr><a:xfrm><a:off x=\"457200\" y=\"{top}\"/><a:ext cx=\"8229600\" cy=\"{height}\"/></a:xfrm>\
         <a:prstGeom prst=\"rect\"><a:avLst/></a:prstGeom></p:spPr><p:txBody><a:bodyPr/><a:lstStyle/>{paragraphs}\
         </p:txBody></p:sp>"
    )
}
