//! PDF: the text of its pages in the order in which they are drawn.

use std::collections::HashSet;
use std::fs::File;

use crate::error::{Error, Exceeded};
use crate::limits::Budget;
use crate::output::Output;

mod cmap;
mod document;
mod filters;
mod font;
mod glyphs;
mod layout;
mod object;
mod page;
mod source;
mod xref;

use document::Document;
use layout::Layout;
use object::{Dict, Object};
use page::Painter;
use source::Source;

/// Deepest tree of pages; those of real files are a handful deep.
const LEVELS: usize = 200;

/// Reads a PDF.
pub(crate) fn read(file: &File, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
    let document = Document::open(Source::new(file, budget)?, budget)?;
    let root = document.root()?.ok_or_else(|| Error::unreadable("its pages cannot be found"))?;
    let pages = pages(&document, &root, budget)?;
    // A file that was cut may keep its page tree and lose every page: that is no document without text.
    if pages.is_empty() {
        return Err(Error::unreadable("none of its pages can be found"));
    }
    let mut painter = Painter::new(&document);
    let mut layout = Layout::new(out);
    for (page, resources) in pages {
        let page = document.resolve(&Object::Reference(page))?;
        let Some(page) = page.dict() else { continue };
        budget.check_time()?;
        if layout.is_full() {
            break;
        }
        layout.page();
        painter.page(page, &resources, &mut layout)?;
    }
    Ok(())
}

/// The pages in order, each with the resources that it brings or inherits. Counted before any is drawn.
fn pages(document: &Document<'_, '_, '_>, root: &Dict, budget: &Budget<'_>) -> Result<Vec<(u32, Dict)>, Error> {
    let mut pages = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![(root.get("Pages").clone(), Dict::default(), 0)];
    while let Some((node, inherited, level)) = open.pop() {
        budget.tick()?;
        // A page must be referred to; and a tree that comes back to itself would never end.
        let Object::Reference(number) = node else { continue };
        if !seen.insert(number) || level > LEVELS {
            continue;
        }
        let node = document.resolve(&node)?;
        let Some(dict) = node.dict() else { continue };
        let resources = document.get(dict, "Resources")?.dict().cloned().unwrap_or(inherited);
        match document.get(dict, "Kids")?.array() {
            Some(kids) => open.extend(kids.iter().rev().map(|kid| (kid.clone(), resources.clone(), level + 1))),
            None => {
                if pages.len() >= budget.limits().pages as usize {
                    return Err(Error::TooLarge(Exceeded::Pages(budget.limits().pages)));
                }
                pages.push((number, resources));
            }
        }
    }
    Ok(pages)
}

#[cfg(test)]
mod tests;
