//! PowerPoint presentations: slides in their order, with their notes.

use crate::error::{Error, Exceeded};
use crate::limits::Budget;
use crate::office::{Gathered, Relations};
use crate::output::Output;
use crate::package::Package;
use crate::xml::{Node, Xml};

/// Reads the presentation whose main part is `main`.
pub(crate) fn read(package: &Package<'_>, main: &str, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
    let relations = Relations::of(package, main, budget)?;
    for (at, name) in slides(package, main, &relations, budget)?.into_iter().enumerate() {
        if out.is_full() {
            break;
        }
        let slide = Slide::read(package, &name, Wanted::All, budget, out)?;
        out.new_paragraph();
        if slide.title.trim().is_empty() {
            out.push_str(&format!("# Slide {}", at + 1));
        } else {
            out.push_str("# ");
            out.push_str(&slide.title);
        }
        out.new_paragraph();
        out.push_str(&slide.text);
        if let Some(notes) =
            Relations::of(package, &name, budget)?.target_of_type("notesSlide").filter(|name| package.has(name))
        {
            let notes = Slide::read(package, notes, Wanted::Body, budget, out)?;
            if !notes.text.trim().is_empty() {
                out.new_paragraph();
                out.push_str("Notes: ");
                out.push_str(&notes.text);
            }
        }
    }
    Ok(())
}

/// The slides' parts in the order in which they are shown.
fn slides(package: &Package<'_>, main: &str, relations: &Relations, budget: &Budget<'_>) -> Result<Vec<String>, Error> {
    let mut xml = Xml::new(package.required_part(main, budget)?, budget);
    let mut slides = Vec::new();
    while let Some(node) = xml.next()? {
        if node == Node::Start
            && xml.name() == "sldId"
            && let Some(slide) = xml.prefixed_attribute("id").and_then(|id| relations.target(&id))
        {
            if slides.len() >= budget.limits().pages as usize {
                return Err(Error::TooLarge(Exceeded::Pages(budget.limits().pages)));
            }
            slides.push(slide.to_owned());
        }
    }
    Ok(slides)
}

/// Which shapes of a slide are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// All but page numbers, dates and the like.
    All,
    /// The body alone: of a page of notes, the notes.
    Body,
}

struct Slide {
    title: String,
    text: String,
}

impl Slide {
    fn read(
        package: &Package<'_>,
        name: &str,
        wanted: Wanted,
        budget: &Budget<'_>,
        out: &mut Output,
    ) -> Result<Self, Error> {
        let mut xml = Xml::new(package.required_part(name, budget)?, budget);
        let (mut title, mut text) = (Gathered::new(budget), Gathered::new(budget));
        let (mut role, mut in_text, mut in_cell, mut cells) = (None::<String>, false, false, 0);
        let mut paragraph = Gathered::new(budget);
        while let Some(node) = xml.next()? {
            match (node, xml.name()) {
                (Node::Start, "Fallback") => xml.skip()?,
                (Node::Start, "sp" | "graphicFrame") => role = None,
                // A placeholder without a type is one for content.
                (Node::Start, "ph") => role = Some(xml.attribute("type").unwrap_or_else(|| "body".to_owned())),
                (Node::Start, "t") => in_text = true,
                (Node::End, "t") => in_text = false,
                (Node::Text, _) if in_text => paragraph.push_str(xml.text()),
                (Node::Start, "br") => paragraph.push_str("\n"),
                (Node::Start, "tr") => cells = 0,
                (Node::Start, "tc") => {
                    budget.cell()?;
                    in_cell = true;
                    if cells > 0 {
                        text.push_str("\t");
                    }
                    cells += 1;
                }
                (Node::End, "tc") => in_cell = false,
                (Node::End, "tr") => text.push_str("\n"),
                (Node::End, "p") => {
                    let line = paragraph.take(out);
                    match role.as_deref() {
                        Some("sldNum" | "dt" | "ftr" | "hdr" | "sldImg") => {}
                        role if wanted == Wanted::Body && role != Some("body") => {}
                        _ if line.trim().is_empty() => {}
                        Some("title" | "ctrTitle") => title.push_flat(&line),
                        _ if in_cell => text.push_flat(&line),
                        _ => {
                            text.push_str(&line);
                            text.push_str("\n");
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(Self { title: title.take(out), text: text.take(out) })
    }
}

#[cfg(test)]
mod tests {
    use crate::Limits;
    use crate::office::tests::relations;
    use crate::package::tests::zipped;
    use crate::tests::{check, check_with};

    const MIME: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";

    fn shape(role: &str, paragraphs: &[&str]) -> String {
        let role = if role.is_empty() { String::new() } else { format!("<p:ph type=\"{role}\"/>") };
        let text: String = paragraphs.iter().map(|text| format!("<a:p><a:r><a:t>{text}</a:t></a:r></a:p>")).collect();
        format!("<p:sp><p:nvSpPr><p:nvPr>{role}</p:nvPr></p:nvSpPr><p:txBody>{text}</p:txBody></p:sp>")
    }

    /// Slides in reverse order of their parts' names, the first with notes.
    fn pptx(slides: &[String], notes: &str) -> Vec<u8> {
        let last = slides.len();
        let ids: String = (0..last).map(|at| format!("<p:sldId id=\"{}\" r:id=\"s{at}\"/>", 256 + at)).collect();
        let part = |at: usize| format!("slides/slide{}.xml", last - at);
        let names: Vec<(String, String)> = (0..last).map(|at| (format!("s{at}"), part(at))).collect();
        let names: Vec<(&str, &str, &str)> =
            names.iter().map(|(id, name)| (id.as_str(), "slide", name.as_str())).collect();
        let mut parts = vec![
            ("_rels/.rels".to_owned(), relations(&[("r", "officeDocument", "ppt/presentation.xml")])),
            (
                "ppt/presentation.xml".to_owned(),
                format!("<p:presentation xmlns:p=\"p\" xmlns:r=\"r\"><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"),
            ),
            ("ppt/_rels/presentation.xml.rels".to_owned(), relations(&names)),
            (
                format!("ppt/slides/_rels/slide{last}.xml.rels"),
                relations(&[("n", "notesSlide", "../notesSlides/notesSlide1.xml")]),
            ),
            (
                "ppt/notesSlides/notesSlide1.xml".to_owned(),
                format!("<p:notes>{}{}</p:notes>", shape("sldNum", &["1"]), shape("body", &[notes])),
            ),
        ];
        for (at, slide) in slides.iter().enumerate() {
            parts.push((
                format!("ppt/{}", part(at)),
                format!("<p:sld xmlns:p=\"p\" xmlns:a=\"a\"><p:cSld>{slide}</p:cSld></p:sld>"),
            ));
        }
        let parts: Vec<(&str, &str)> = parts.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
        zipped(&parts)
    }

    #[test]
    fn slides_come_in_order_with_titles_tables_and_notes() {
        let table = "<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>Year</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>Sum</a:t></a:r></a:p></a:txBody></a:tc></a:tr>\
            <a:tr><a:tc><a:txBody><a:p><a:r><a:t>2026</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>7</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>";
        let first =
            [shape("ctrTitle", &["Plan &amp; goals"]), shape("body", &["One", "Two"]), shape("ftr", &["Company"])]
                .concat();
        let second = [shape("", &["Free text"]), table.to_owned()].concat();
        let expected = "# Plan & goals\n\nOne\nTwo\n\nNotes: Say hello.\n\n# Slide 2\n\nFree text\nYear\tSum\n2026\t7";
        check(&pptx(&[first, second], "Say hello."), MIME, "a.pptx", expected);
    }

    #[test]
    fn too_many_slides_are_refused() {
        let slides = vec![shape("title", &["T"]); 4];
        let limits = Limits { pages: 3, ..Limits::default() };
        check_with(&limits, &pptx(&slides, ""), MIME, "a.pptx", Err("too_large"));
    }

    #[test]
    fn a_missing_slide_is_damage() {
        let bytes = zipped(&[
            ("_rels/.rels", &relations(&[("r", "officeDocument", "ppt/presentation.xml")])),
            ("ppt/presentation.xml", "<p:presentation xmlns:r=\"r\"><p:sldId r:id=\"s\"/></p:presentation>"),
            ("ppt/_rels/presentation.xml.rels", &relations(&[("s", "slide", "slides/slide1.xml")])),
        ]);
        check_with(&Limits::default(), &bytes, MIME, "a.pptx", Err("unreadable"));
    }
}
