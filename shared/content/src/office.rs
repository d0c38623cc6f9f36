//! Office packages: which kind it is, and how its parts point at each other.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;

use crate::error::{Error, Exceeded};
use crate::limits::Budget;
use crate::output::Output;
use crate::package::Package;
use crate::xml::{Node, Xml};
use crate::{docx, odf, pptx, xlsx};

/// Reads whichever kind of Office document the package holds. What it holds decides, not what the file is called.
pub(crate) fn read(file: &File, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
    let package = Package::open(file, budget)?;
    if let Some(part) = package.part("mimetype", budget)? {
        let mut mime_type = String::new();
        if part.take(128).read_to_string(&mut mime_type).is_ok() && mime_type.contains("opendocument") {
            return odf::read(&package, mime_type.trim(), budget, out);
        }
    }
    let main = Relations::of(&package, "", budget)?.target_of_type("officeDocument").map(str::to_owned);
    let customary = ["word/document.xml", "xl/workbook.xml", "ppt/presentation.xml"];
    let main = main.or_else(|| customary.into_iter().find(|name| package.has(name)).map(str::to_owned));
    let no_document = || Error::Unsupported("this kind of ZIP archive".to_owned());
    let main = main.ok_or_else(no_document)?;
    if main.ends_with(".bin") {
        return Err(Error::Unsupported("binary workbooks (.xlsb); save it as .xlsx".to_owned()));
    }
    match root_of(&package, &main, budget)?.as_str() {
        "document" => docx::read(&package, &main, budget, out),
        "workbook" => xlsx::read(&package, &main, budget, out),
        "presentation" => pptx::read(&package, &main, budget, out),
        _ => Err(no_document()),
    }
}

/// The name of a part's outermost element.
fn root_of(package: &Package<'_>, name: &str, budget: &Budget<'_>) -> Result<String, Error> {
    let mut xml = Xml::new(package.required_part(name, budget)?, budget);
    while let Some(node) = xml.next()? {
        if node == Node::Start {
            return Ok(xml.name().to_owned());
        }
    }
    Err(Error::unreadable("a part of it is empty"))
}

/// What a part points at.
#[derive(Default)]
pub(crate) struct Relations {
    by_id: HashMap<String, (String, String)>,
    in_order: Vec<String>,
}

impl Relations {
    /// The relations of `part`; those of the package itself for `""`.
    pub(crate) fn of(package: &Package<'_>, part: &str, budget: &Budget<'_>) -> Result<Self, Error> {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let name = if folder.is_empty() { format!("_rels/{file}.rels") } else { format!("{folder}/_rels/{file}.rels") };
        let mut relations = Self::default();
        let Some(part) = package.part(&name, budget)? else { return Ok(relations) };
        let mut xml = Xml::new(part, budget);
        while let Some(node) = xml.next()? {
            if node != Node::Start
                || xml.name() != "Relationship"
                || xml.attribute("TargetMode").is_some_and(|m| m == "External")
            {
                continue;
            }
            let (Some(id), Some(kind), Some(target)) =
                (xml.attribute("Id"), xml.attribute("Type"), xml.attribute("Target"))
            else {
                continue;
            };
            if relations.in_order.len() >= budget.limits().entries as usize {
                return Err(Error::TooLarge(Exceeded::Entries(budget.limits().entries)));
            }
            relations.in_order.push(id.clone());
            relations.by_id.insert(id, (kind, resolve(folder, &target)));
        }
        Ok(relations)
    }

    /// The part that an id stands for.
    pub(crate) fn target(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(|(_, target)| target.as_str())
    }

    /// The first part of a kind, told by the last word of its type (the rest differs between editions of the format).
    pub(crate) fn target_of_type(&self, kind: &str) -> Option<&str> {
        let mut all = self.in_order.iter().filter_map(|id| self.by_id.get(id));
        all.find(|(of, _)| of.rsplit('/').next() == Some(kind)).map(|(_, target)| target.as_str())
    }
}

/// The full name of `target`, seen from `folder`.
fn resolve(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.join("/")
}

/// Text gathered before it can be written (a paragraph, a row of cells), never more than can be written at all.
pub(crate) struct Gathered {
    text: String,
    max: usize,
    cut: bool,
}

impl Gathered {
    /// Gathers at most as much as the text may have.
    pub(crate) fn new(budget: &Budget<'_>) -> Self {
        Self { text: String::new(), max: budget.limits().text_bytes.saturating_add(4), cut: false }
    }

    /// Adds text; what is too much is dropped, and the cut is passed on when the rest is taken.
    pub(crate) fn push_str(&mut self, text: &str) {
        for c in text.chars() {
            if self.text.len() >= self.max {
                self.cut = true;
                return;
            }
            self.text.push(c);
        }
    }

    /// Adds text as a part of one line: white space of every kind is a space.
    pub(crate) fn push_flat(&mut self, text: &str) {
        for word in text.split_whitespace() {
            if !self.text.is_empty() && !self.text.ends_with(['\t', ' ', '\n']) {
                self.push_str(" ");
            }
            self.push_str(word);
        }
    }

    /// What was gathered so far.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Writes what was gathered and starts anew.
    pub(crate) fn take(&mut self, out: &mut Output) -> String {
        if std::mem::take(&mut self.cut) {
            // The text is written up to its limit by the caller; that it goes on must be said even if it just fits.
            out.expect_more();
        }
        std::mem::take(&mut self.text)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::resolve;

    /// The relations of a part, from `(id, type's last word, target)`.
    pub(crate) fn relations(all: &[(&str, &str, &str)]) -> String {
        let one = |(id, kind, target): &(&str, &str, &str)| {
            format!(
                "<Relationship Id=\"{id}\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}\" Target=\"{target}\"/>"
            )
        };
        let all: String = all.iter().map(one).collect();
        format!(
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{all}</Relationships>"
        )
    }

    #[test]
    fn guarantee_23_targets_are_seen_from_their_folder_and_stay_names() {
        assert_eq!(resolve("ppt/slides", "../notesSlides/notesSlide1.xml"), "ppt/notesSlides/notesSlide1.xml");
        assert_eq!(resolve("xl", "/xl/worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml");
        assert_eq!(resolve("xl", "../../../../etc/passwd"), "etc/passwd");
    }
}
