//! Excel workbooks: each sheet's filled cells, row by row, as they are shown.

use std::io::Read;

use crate::error::{Error, Exceeded};
use crate::limits::Budget;
use crate::office::{Gathered, Relations};
use crate::output::Output;
use crate::package::Package;
use crate::xml::{Node, Xml};

mod numbers;

use numbers::Shown;

/// Most bytes of shared strings that are held. What lies beyond would not fit in the text in any case.
const SHARED_BYTES: usize = 32 << 20;
/// Columns of a sheet in Excel.
const COLUMNS: usize = 16_384;

/// Reads the workbook whose main part is `main`.
pub(crate) fn read(package: &Package<'_>, main: &str, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
    let relations = Relations::of(package, main, budget)?;
    let (sheets, from_1904) = sheets(package, main, &relations, budget)?;
    let strings =
        match relations.target_of_type("sharedStrings").map(|name| package.part(name, budget)).transpose()?.flatten() {
            Some(part) => Strings::read(part, budget)?,
            None => Strings::default(),
        };
    let formats = match relations.target_of_type("styles").map(|name| package.part(name, budget)).transpose()?.flatten()
    {
        Some(part) => numbers::formats(part, budget)?,
        None => Vec::new(),
    };
    let workbook = Workbook { strings, formats, from_1904 };
    for (name, part) in sheets {
        if out.is_full() {
            break;
        }
        // A sheet that holds a chart alone has no part of this kind.
        let Some(part) = package.part(&part, budget)? else { continue };
        out.new_paragraph();
        out.push_str("# ");
        out.push_str(&name);
        out.new_paragraph();
        workbook.read_sheet(part, budget, out)?;
    }
    Ok(())
}

/// The sheets' names and parts in order, and whether days are counted from 1904.
fn sheets(
    package: &Package<'_>,
    main: &str,
    relations: &Relations,
    budget: &Budget<'_>,
) -> Result<(Vec<(String, String)>, bool), Error> {
    let mut xml = Xml::new(package.required_part(main, budget)?, budget);
    let (mut sheets, mut from_1904) = (Vec::new(), false);
    while let Some(node) = xml.next()? {
        match (node, xml.name()) {
            (Node::Start, "workbookPr") => {
                from_1904 = matches!(xml.attribute("date1904").as_deref(), Some("1" | "true"));
            }
            (Node::Start, "sheet") => {
                let target = xml.prefixed_attribute("id").and_then(|id| relations.target(&id).map(str::to_owned));
                if let (Some(name), Some(target)) = (xml.attribute("name"), target) {
                    if sheets.len() >= budget.limits().entries as usize {
                        return Err(Error::TooLarge(Exceeded::Entries(budget.limits().entries)));
                    }
                    sheets.push((name, target));
                }
            }
            _ => {}
        }
    }
    Ok((sheets, from_1904))
}

/// The strings that cells name by number, end to end in one piece of memory.
#[derive(Default)]
struct Strings {
    text: String,
    ends: Vec<u32>,
    cut: bool,
}

impl Strings {
    fn read(part: impl Read, budget: &Budget<'_>) -> Result<Self, Error> {
        let mut strings = Self::default();
        let most = usize::try_from(budget.limits().cells).unwrap_or(usize::MAX).saturating_mul(2);
        let mut xml = Xml::new(part, budget);
        let mut in_text = false;
        while let Some(node) = xml.next()? {
            match (node, xml.name()) {
                (Node::Start, "t") => in_text = true,
                (Node::End, "t") => in_text = false,
                // How East Asian words are read aloud.
                (Node::Start, "rPh") => xml.skip()?,
                (Node::End, "si") => {
                    if strings.ends.len() >= most {
                        return Err(Error::TooLarge(Exceeded::Cells(budget.limits().cells)));
                    }
                    strings.ends.push(u32::try_from(strings.text.len()).unwrap_or(u32::MAX));
                }
                (Node::Text, _) if in_text => {
                    if strings.text.len() + xml.text().len() <= SHARED_BYTES {
                        strings.text.push_str(xml.text());
                    } else {
                        strings.cut = true;
                    }
                }
                _ => {}
            }
        }
        Ok(strings)
    }

    fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)? as usize;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        self.text.get(start..end)
    }
}

struct Workbook {
    strings: Strings,
    formats: Vec<Shown>,
    from_1904: bool,
}

/// A cell being read.
#[derive(Default)]
struct Cell {
    column: usize,
    kind: String,
    style: usize,
}

impl Workbook {
    fn read_sheet(&self, part: impl Read, budget: &Budget<'_>, out: &mut Output) -> Result<(), Error> {
        let mut xml = Xml::new(part, budget);
        let (mut cell, mut value, mut row) = (Cell::default(), Gathered::new(budget), Gathered::new(budget));
        // Where the sheet says that it begins. It only aligns; nothing is made as large as a sheet says.
        let (mut first, mut column, mut in_value, mut filled) = (0, 0, false, false);
        if self.strings.cut {
            out.expect_more();
        }
        while let Some(node) = xml.next()? {
            if out.is_full() {
                return Ok(());
            }
            match (node, xml.name()) {
                (Node::Start, "dimension") => {
                    first = xml.attribute("ref").and_then(|range| column_of(&range)).unwrap_or(0);
                }
                (Node::Start, "row") => (column, filled) = (0, false),
                (Node::Start, "c") => {
                    let at = xml.attribute("r").and_then(|reference| column_of(&reference)).unwrap_or(column);
                    let style = xml.attribute("s").and_then(|style| style.parse().ok()).unwrap_or(0);
                    cell = Cell { column: at, kind: xml.attribute("t").unwrap_or_default(), style };
                    column = at + 1;
                }
                (Node::Start, "v" | "t") => in_value = true,
                (Node::End, "v" | "t") => in_value = false,
                (Node::Start, "rPh" | "f" | "extLst") => xml.skip()?,
                (Node::Text, _) if in_value => value.push_str(xml.text()),
                (Node::End, "c") => {
                    let given = value.take(out);
                    if !given.is_empty() {
                        budget.cell()?;
                        let shown = self.shown(&cell, &given);
                        // Tabs up to this cell's place; what is already there counts.
                        let place = cell.column.saturating_sub(first);
                        let tabs = row.as_str().matches('\t').count();
                        row.push_str(&"\t".repeat(place.saturating_sub(tabs)));
                        push_cell(&mut row, &shown);
                        filled = true;
                    }
                }
                (Node::End, "row") => {
                    let line = row.take(out);
                    if filled {
                        out.push_str(&line);
                        out.end_line();
                    }
                }
                (Node::End, "sheetData") => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }

    fn shown(&self, cell: &Cell, value: &str) -> String {
        match cell.kind.as_str() {
            "s" => value.trim().parse().ok().and_then(|number| self.strings.get(number)).unwrap_or_default().to_owned(),
            "b" => if value.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned(),
            "str" | "inlineStr" | "e" => value.to_owned(),
            "d" => value.trim().to_owned(),
            _ => match value.trim().parse::<f64>() {
                Ok(number) => {
                    self.formats.get(cell.style).copied().unwrap_or(Shown::Number).show(number, self.from_1904)
                }
                Err(_) => value.trim().to_owned(),
            },
        }
    }
}

/// A cell is one line: breaks and tabs inside it are spaces.
fn push_cell(row: &mut Gathered, text: &str) {
    for (at, word) in text.split(['\n', '\r', '\t']).filter(|word| !word.is_empty()).enumerate() {
        if at > 0 {
            row.push_str(" ");
        }
        row.push_str(word);
    }
}

/// The column, from 0, of `BC12` or of the beginning of `BC12:BD40`.
fn column_of(reference: &str) -> Option<usize> {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic);
    let number = letters.fold(0usize, |number, letter| {
        number.saturating_mul(26).saturating_add(usize::from(letter.to_ascii_uppercase() - b'A') + 1)
    });
    number.checked_sub(1).filter(|column| *column < COLUMNS)
}

#[cfg(test)]
mod tests;
