//! Excel workbooks.

use anyhow::Result;
use rust_xlsxwriter::Workbook;

use crate::google::file::Sheet;

/// The bytes of a .xlsx file; what looks like a number is one.
pub fn workbook(sheets: &[Sheet]) -> Result<Vec<u8>> {
    let mut workbook = Workbook::new();
    for sheet in sheets {
        let page = workbook.add_worksheet();
        page.set_name(&sheet.name)?;
        for (row, cells) in (0_u32..).zip(&sheet.rows) {
            for (column, cell) in (0_u16..).zip(cells) {
                match cell.parse::<f64>() {
                    // Only what reads the same again: "007" and "1e3" are texts.
                    Ok(number) if number.to_string() == *cell => page.write_number(row, column, number)?,
                    _ => page.write_string(row, column, cell)?,
                };
            }
        }
    }
    if sheets.is_empty() {
        workbook.add_worksheet();
    }
    Ok(workbook.save_to_buffer()?)
}
