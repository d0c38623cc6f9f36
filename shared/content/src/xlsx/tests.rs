//! Workbooks, written by a library and by hand.

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};

use crate::office::tests::relations;
use crate::package::tests::zipped;
use crate::tests::{check, check_with, extracted};
use crate::{Limits, Text};

const MIME: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// A workbook of one sheet with this sheet part and these shared strings.
fn handmade(sheet: &str, strings: &str) -> Vec<u8> {
    let main = relations(&[("r1", "officeDocument", "xl/workbook.xml")]);
    let parts =
        relations(&[("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "sharedStrings", "sharedStrings.xml")]);
    let workbook = r#"<workbook xmlns:r="r"><sheets><sheet name="Sheet" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
    zipped(&[
        ("_rels/.rels", &main),
        ("xl/workbook.xml", workbook),
        ("xl/_rels/workbook.xml.rels", &parts),
        ("xl/worksheets/sheet1.xml", &format!("<worksheet>{sheet}</worksheet>")),
        ("xl/sharedStrings.xml", &format!("<sst>{strings}</sst>")),
    ])
}

#[test]
fn sheets_are_read_as_they_are_shown() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet().set_name("Budget & plan").unwrap();
    let day = Format::new().set_num_format("yyyy-mm-dd");
    let share = Format::new().set_num_format("0.0%");
    sheet.write(1, 1, "Item").unwrap();
    sheet.write(1, 2, "Cost").unwrap();
    sheet.write(1, 3, "Paid on").unwrap();
    sheet.write(2, 1, "Chairs\nand tables").unwrap();
    sheet.write(2, 2, 1234.5).unwrap();
    sheet.write_with_format(2, 3, ExcelDateTime::from_ymd(2026, 3, 1).unwrap(), &day).unwrap();
    sheet.write(4, 1, "Share").unwrap();
    sheet.write_with_format(4, 3, 0.125, &share).unwrap();
    sheet.write(5, 1, true).unwrap();
    sheet.write(5, 2, Formula::new("=1+1").set_result("2")).unwrap();
    workbook.add_worksheet().set_name("Second").unwrap().write(0, 0, "only").unwrap();
    let expected = "# Budget & plan\n\nItem\tCost\tPaid on\nChairs and tables\t1234.5\t2026-03-01\nShare\t\t12.5%\nTRUE\t2\n\n# Second\n\nonly";
    check(&workbook.save_to_buffer().unwrap(), MIME, "a.xlsx", expected);
}

#[test]
fn rich_inline_and_phonetic_strings_read_as_their_text() {
    let strings = "<si><r><t>Rich</t></r><r><t xml:space=\"preserve\"> text</t></r><rPh><t>aloud</t></rPh></si>";
    let sheet = r#"<sheetData><row><c t="s"><v>0</v></c><c t="inlineStr"><is><t>in line</t></is></c><c t="s"><v>9</v></c><c t="e"><v>#N/A</v></c></row></sheetData>"#;
    check(&handmade(sheet, strings), MIME, "a", "# Sheet\n\nRich text\tin line\t\t#N/A");
}

#[test]
fn guarantee_22_declared_dimensions_cost_nothing() {
    let sheet = r#"<dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row></sheetData>"#;
    let text = extracted(&Limits::default(), &handmade(sheet, ""), MIME, "a").unwrap().text;
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["#", "Sheet", "1", "2"]);
}

#[test]
fn guarantee_22_cells_are_counted_while_reading() {
    let sheet = format!("<sheetData>{}</sheetData>", "<row><c><v>1</v></c><c><v>2</v></c></row>".repeat(51));
    let limits = Limits { cells: 100, ..Limits::default() };
    check_with(&limits, &handmade(&sheet, ""), MIME, "a", Err("too_large"));
}

#[test]
fn guarantee_22_very_many_rows_end_in_a_cut_or_a_stated_refusal() {
    let sheet = format!("<sheetData>{}</sheetData>", "<row><c><v>123456789</v></c></row>".repeat(50_001));
    let bytes = handmade(&sheet, "");
    let limits = Limits { cells: 50_000, text_bytes: 100_000, ..Limits::default() };
    let text = extracted(&limits, &bytes, MIME, "a").unwrap();
    assert!(text.truncated && (99_000..=100_000).contains(&text.text.len()));
    check_with(&Limits { cells: 50_000, ..Limits::default() }, &bytes, MIME, "a", Err("too_large"));
}

#[test]
fn guarantee_23_a_bomb_of_shared_strings_is_refused_with_the_limit() {
    let strings = format!("<si><t>{}</t></si>", "x".repeat(1_000_000)).repeat(12);
    let bytes = handmade("<sheetData/>", &strings);
    assert!(bytes.len() < 50_000);
    let limits = Limits { expanded_bytes: 10_000_000, ..Limits::default() };
    check_with(&limits, &bytes, MIME, "a", Err("too_large"));
}

#[test]
fn long_sheets_are_cut() {
    let sheet = "<sheetData><row><c><v>1</v></c></row><row><c><v>2</v></c></row></sheetData>";
    let limits = Limits { text_bytes: 10, ..Limits::default() };
    let expected = Text { text: "# Sheet\n\n1".to_owned(), truncated: true };
    check_with(&limits, &handmade(sheet, ""), MIME, "a", Ok(expected));
}
