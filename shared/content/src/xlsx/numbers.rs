//! Numbers of a workbook as they are shown: plain, as a share of a hundred, or as a day and time.

use std::collections::HashMap;
use std::io::Read;

use crate::error::Error;
use crate::limits::Budget;
use crate::xml::{Node, Xml};

/// Most cell formats that are remembered; Excel itself allows 65,490.
const MOST: usize = 70_000;
/// Days from the beginning of the common era to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// As a number.
    Number,
    /// As a share of a hundred.
    Percent,
    /// As a day, with the time of day unless it is midnight.
    Day,
    /// As a time of day or a duration.
    Time,
}

/// How the cells of each style number are shown.
pub(super) fn formats(part: impl Read, budget: &Budget<'_>) -> Result<Vec<Shown>, Error> {
    let mut xml = Xml::new(part, budget);
    let mut custom = HashMap::new();
    let (mut formats, mut in_cells) = (Vec::new(), false);
    while let Some(node) = xml.next()? {
        match (node, xml.name()) {
            (Node::Start, "numFmt") => {
                if let (Some(id), Some(code)) = (xml.attribute("numFmtId"), xml.attribute("formatCode"))
                    && custom.len() < MOST
                {
                    custom.insert(id, of_code(&code));
                }
            }
            (Node::Start, "cellXfs") => in_cells = true,
            (Node::End, "cellXfs") => in_cells = false,
            (Node::Start, "xf") if in_cells && formats.len() < MOST => {
                let id = xml.attribute("numFmtId").unwrap_or_default();
                formats.push(custom.get(&id).copied().unwrap_or_else(|| of_builtin(&id)));
            }
            _ => {}
        }
    }
    Ok(formats)
}

/// The formats that every workbook has without saying so (ECMA-376 part 1, 18.8.30).
fn of_builtin(id: &str) -> Shown {
    match id.parse::<u32>() {
        Ok(9 | 10) => Shown::Percent,
        Ok(14..=17 | 22 | 27..=31 | 36 | 50..=58) => Shown::Day,
        Ok(18..=21 | 32..=35 | 45..=47) => Shown::Time,
        _ => Shown::Number,
    }
}

/// What a format code makes of a number: quoted words, escapes, colours and currencies aside, its letters tell.
fn of_code(code: &str) -> Shown {
    let (mut day, mut time, mut percent) = (false, false, false);
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => drop(chars.by_ref().find(|c| *c == '"')),
            '\\' | '_' | '*' => drop(chars.next()),
            '[' => {
                let inside: String = chars.by_ref().take_while(|c| *c != ']').collect();
                time |= matches!(inside.to_ascii_lowercase().as_str(), "h" | "hh" | "m" | "mm" | "s" | "ss");
            }
            // Only the first of up to four sections, which is for positive numbers.
            ';' => break,
            'd' | 'D' | 'y' | 'Y' => day = true,
            'h' | 'H' | 's' | 'S' => time = true,
            '%' => percent = true,
            _ => {}
        }
    }
    // A lone m is a month.
    let month =
        !time && code.chars().all(|c| matches!(c, 'm' | 'M' | '-' | '/' | ' ' | '.')) && code.contains(['m', 'M']);
    match (day || month, time, percent) {
        (true, _, _) => Shown::Day,
        (false, true, _) => Shown::Time,
        (false, false, true) => Shown::Percent,
        (false, false, false) => Shown::Number,
    }
}

impl Shown {
    /// The number as text. Days are counted from 1900, with the leap day that 1900 never had, or from 1904.
    pub(super) fn show(self, number: f64, from_1904: bool) -> String {
        // Days outside the years that Excel shows are shown as numbers.
        let in_range = (0.0..2_958_466.0).contains(&number);
        match self {
            Self::Percent => format!("{}%", plain(number * 100.0)),
            Self::Day if in_range => {
                let (day, seconds) = day_and_seconds(number);
                let date = date(day, from_1904);
                if seconds == 0 { date } else { format!("{date} {}", clock(seconds)) }
            }
            Self::Time if in_range => {
                let (day, seconds) = day_and_seconds(number);
                clock(day.saturating_mul(86_400).saturating_add(seconds))
            }
            Self::Number | Self::Day | Self::Time => plain(number),
        }
    }
}

/// Whole days and the seconds of the rest, rounded.
#[expect(clippy::cast_possible_truncation, reason = "the caller has checked the range, and saturation does no harm")]
fn day_and_seconds(number: f64) -> (i64, i64) {
    let seconds = (number * 86_400.0).round() as i64;
    (seconds.div_euclid(86_400), seconds.rem_euclid(86_400))
}

fn clock(seconds: i64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `2026-03-01`. The arithmetic is that of the proleptic Gregorian calendar in eras of 400 years.
fn date(day: i64, from_1904: bool) -> String {
    let since_1970 = if from_1904 {
        day - 24_107
    } else {
        // Day 60 is 29 February 1900, which was not; days before it are one off.
        day - 25_569 + i64::from(day < 60)
    };
    let days = since_1970 + DAYS_TO_1970;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

/// Fifteen significant digits, as Excel keeps, without the tail that binary fractions leave.
fn plain(number: f64) -> String {
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    if rounded != 0.0 && !(1e-6..1e16).contains(&rounded.abs()) { format!("{rounded:E}") } else { format!("{rounded}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_codes_tell_days_times_and_shares() {
        let check = |code, expected| assert_eq!(of_code(code), expected, "{code}");
        check("General", Shown::Number);
        check("#,##0.00\\ \"days\"", Shown::Number);
        check("[Red]0.0", Shown::Number);
        check("0.0%", Shown::Percent);
        check("yyyy\\-mm\\-dd", Shown::Day);
        check("dd/mm/yyyy hh:mm", Shown::Day);
        check("mmm", Shown::Day);
        check("[h]:mm", Shown::Time);
        check("mm:ss", Shown::Time);
        check("0;[Red]-0;\"dry\"", Shown::Number);
    }

    #[test]
    fn numbers_are_shown_as_people_see_them() {
        let check = |shown: Shown, number, expected: &str| assert_eq!(shown.show(number, false), expected);
        check(Shown::Number, 0.1 + 0.2, "0.3");
        check(Shown::Number, -3.0, "-3");
        check(Shown::Number, 12_345_678_901.5, "12345678901.5");
        check(Shown::Number, 1e300, "1E300");
        check(Shown::Percent, 0.07, "7%");
        check(Shown::Day, 46_082.0, "2026-03-01");
        check(Shown::Day, 59.0, "1900-02-28");
        check(Shown::Day, 61.0, "1900-03-01");
        check(Shown::Day, 46_082.75, "2026-03-01 18:00:00");
        check(Shown::Time, 0.5, "12:00:00");
        check(Shown::Time, 1.25, "30:00:00");
        check(Shown::Day, -1.0, "-1");
        check(Shown::Day, f64::NAN, "NaN");
        assert_eq!(Shown::Day.show(0.0, true), "1904-01-01");
    }
}
