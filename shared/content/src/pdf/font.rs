//! Fonts: from the codes of a string to text, and how far each moves the pen.

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GBK, SHIFT_JIS, UTF_16BE};

use super::cmap::CMap;
use super::document::Document;
use super::glyphs::{self, Set};
use super::object::{Dict, Object};
use crate::error::Error;

/// Widths of the printable characters of ASCII in Helvetica, in thousandths of the size: for fonts that do not bring their own.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];

/// How the bytes of a string make codes.
#[derive(Debug, Clone, Copy)]
enum Codes {
    /// One byte each.
    Bytes,
    /// Two bytes each, the numbers of glyphs.
    Pairs,
    /// Text in a character set that is known by name.
    Text(&'static Encoding),
}

/// A font.
#[derive(Debug)]
pub(super) struct Font {
    codes: Codes,
    map: CMap,
    /// What the 256 codes of a simple font stand for.
    table: Vec<String>,
    /// First code, last code, width of each; sorted.
    widths: Vec<(u32, u32, Width)>,
    /// Width of the codes without one, in thousandths.
    default_width: f64,
    /// Thousandths to the size; a font drawn by the file itself has a measure of its own.
    scale: f64,
}

/// The widths of a run of codes, in thousandths.
#[derive(Debug)]
enum Width {
    Same(f64),
    Each(Vec<f64>),
}

impl Font {
    /// Reads a font's dictionary. What is missing or malformed is guessed.
    pub(super) fn read(document: &Document<'_, '_, '_>, dict: &Dict) -> Result<Self, Error> {
        let map = match document.get(dict, "ToUnicode")? {
            Object::Stream(stream) => CMap::read(&document.data(&stream)?, document.budget())?,
            _ => CMap::default(),
        };
        let kind = document.get(dict, "Subtype")?;
        if kind.name() == Some("Type0") {
            Self::composite(document, dict, map)
        } else {
            Self::simple(document, dict, &kind, map)
        }
    }

    fn composite(document: &Document<'_, '_, '_>, dict: &Dict, map: CMap) -> Result<Self, Error> {
        let encoding = document.get(dict, "Encoding")?;
        let codes = match encoding.name().and_then(charset_of) {
            // The file's own map is for glyph numbers or for the same text; the named set is surer.
            Some(charset) if map.is_empty() => Codes::Text(charset),
            _ if map.code_bytes == Some(1) => Codes::Bytes,
            _ => Codes::Pairs,
        };
        let mut font = Self { codes, map, table: Vec::new(), widths: Vec::new(), default_width: 1000.0, scale: 0.001 };
        let descendants = document.get(dict, "DescendantFonts")?;
        let first = document.resolve(descendants.array().and_then(<[Object]>::first).unwrap_or(&Object::Null))?;
        if let Some(descendant) = first.dict() {
            font.default_width = document.get(descendant, "DW")?.number().unwrap_or(1000.0);
            if let Some(widths) = document.get(descendant, "W")?.array() {
                font.read_runs(document, widths)?;
            }
        }
        Ok(font)
    }

    /// `first [w w w]` or `first last w`, again and again.
    fn read_runs(&mut self, document: &Document<'_, '_, '_>, all: &[Object]) -> Result<(), Error> {
        let mut rest = all.iter();
        while let (Some(first), Some(second)) = (rest.next(), rest.next()) {
            document.budget().tick()?;
            let Some(first) = first.integer().and_then(|first| u32::try_from(first).ok()) else { return Ok(()) };
            match document.resolve(second)? {
                Object::Array(each) => {
                    let each: Vec<f64> = each.iter().filter_map(Object::number).collect();
                    let last = first.saturating_add(u32::try_from(each.len().saturating_sub(1)).unwrap_or(0));
                    self.widths.push((first, last, Width::Each(each)));
                }
                last => {
                    let last = last.integer().and_then(|last| u32::try_from(last).ok());
                    let (Some(last), Some(width)) = (last, rest.next().and_then(Object::number)) else { return Ok(()) };
                    self.widths.push((first, last, Width::Same(width)));
                }
            }
        }
        self.widths.sort_by_key(|(first, ..)| *first);
        Ok(())
    }

    fn simple(document: &Document<'_, '_, '_>, dict: &Dict, kind: &Object, map: CMap) -> Result<Self, Error> {
        let base_font = document.get(dict, "BaseFont")?;
        let name = base_font.name().unwrap_or_default().rsplit('+').next().unwrap_or_default();
        let mut font =
            Self { codes: Codes::Bytes, map, table: Vec::new(), widths: Vec::new(), default_width: 0.0, scale: 0.001 };
        font.table = table(document, dict, kind, name)?;
        if let Some(widths) = document.get(dict, "Widths")?.array() {
            let first =
                document.get(dict, "FirstChar")?.integer().and_then(|first| u32::try_from(first).ok()).unwrap_or(0);
            let mut each = Vec::with_capacity(widths.len().min(256));
            for width in widths.iter().take(256) {
                each.push(document.resolve(width)?.number().unwrap_or(0.0));
            }
            let last = first.saturating_add(u32::try_from(each.len()).unwrap_or(0)).saturating_sub(1);
            font.widths.push((first, last, Width::Each(each)));
            font.default_width = match document.get(dict, "FontDescriptor")?.dict() {
                Some(descriptor) => document.get(descriptor, "MissingWidth")?.number().unwrap_or(0.0),
                None => 0.0,
            };
        } else {
            font.guess_widths(name);
        }
        if kind.name() == Some("Type3") {
            let matrix = document.get(dict, "FontMatrix")?;
            let scale = matrix.array().and_then(|matrix| matrix.first()).and_then(Object::number);
            font.scale = scale.filter(|scale| scale.is_finite() && *scale != 0.0).map_or(0.001, f64::abs);
        }
        Ok(font)
    }

    fn guess_widths(&mut self, name: &str) {
        if name.starts_with("Courier") {
            self.default_width = 600.0;
            return;
        }
        let narrower = if name.starts_with("Times") { 0.9 } else { 1.0 };
        self.widths.push((32, 126, Width::Each(WIDTHS.iter().map(|width| f64::from(*width) * narrower).collect())));
        self.default_width = 556.0 * narrower;
    }

    /// Tells each code of a string: its text, its width as a share of the size, and whether it is the one-byte space.
    pub(super) fn each(&self, string: &[u8], mut tell: impl FnMut(&str, f64, bool)) {
        match self.codes {
            Codes::Text(charset) => {
                let text = charset.decode_without_bom_handling(string).0;
                for c in text.chars() {
                    tell(c.encode_utf8(&mut [0; 4]), if c.is_ascii() { 0.5 } else { 1.0 }, false);
                }
            }
            Codes::Pairs => {
                for pair in string.chunks_exact(2) {
                    let code = pair.iter().fold(0, |code, byte| (code << 8) | u32::from(*byte));
                    tell(&self.map.get(code).unwrap_or_default(), self.width(code), false);
                }
            }
            Codes::Bytes => {
                for byte in string {
                    let code = u32::from(*byte);
                    // A map that maps to nothing printable leaves the font's own word.
                    let mapped = self.map.get(code).filter(|text| !text.chars().all(|c| c == '\0' || c == '\u{fffd}'));
                    let text = mapped.as_deref().or_else(|| self.table.get(usize::from(*byte)).map(String::as_str));
                    tell(text.unwrap_or_default(), self.width(code), code == 32);
                }
            }
        }
    }

    fn width(&self, code: u32) -> f64 {
        let after = self.widths.partition_point(|(first, ..)| *first <= code);
        let run = after.checked_sub(1).and_then(|at| self.widths.get(at)).filter(|(_, last, _)| code <= *last);
        let width = match run {
            Some((_, _, Width::Same(width))) => *width,
            Some((first, _, Width::Each(each))) => {
                each.get((code - first) as usize).copied().unwrap_or(self.default_width)
            }
            None => self.default_width,
        };
        width * self.scale
    }
}

/// The character sets under the names of the predefined maps (ISO 32000-1, table 118).
fn charset_of(name: &str) -> Option<&'static Encoding> {
    let has = |part: &str| name.contains(part);
    if has("UCS2") || has("UTF16") {
        Some(UTF_16BE)
    } else if has("RKSJ") {
        Some(SHIFT_JIS)
    } else if has("GBK") || has("GBpc") || has("GB-EUC") {
        Some(GBK)
    } else if has("B5") || has("ETen") || has("HKscs") {
        Some(BIG5)
    } else if has("KSC") {
        Some(EUC_KR)
    } else if name == "EUC-H" || name == "EUC-V" {
        Some(EUC_JP)
    } else {
        None
    }
}

/// What the 256 codes of a simple font stand for.
fn table(document: &Document<'_, '_, '_>, dict: &Dict, kind: &Object, name: &str) -> Result<Vec<String>, Error> {
    let encoding = document.get(dict, "Encoding")?;
    let base = match &encoding {
        Object::Name(_) => encoding.clone(),
        encoding => match encoding.dict() {
            Some(dict) => document.get(dict, "BaseEncoding")?,
            None => Object::Null,
        },
    };
    let set = match (base.name(), name) {
        (Some("WinAnsiEncoding"), _) => Set::Windows,
        (Some("MacRomanEncoding"), _) => Set::Macintosh,
        (_, name) if name.starts_with("Symbol") => Set::Symbol,
        (_, name) if name.starts_with("ZapfDingbats") => Set::Dingbats,
        _ if kind.name() == Some("TrueType") => Set::Windows,
        _ => Set::Standard,
    };
    let mut table: Vec<String> = (0..=255).map(|code| set.text(code)).collect();
    if let Some(encoding) = encoding.dict()
        && let Some(differences) = document.get(encoding, "Differences")?.array()
    {
        let mut code = 0usize;
        for difference in differences {
            match document.resolve(difference)? {
                Object::Name(glyph) => {
                    if let Some(slot) = table.get_mut(code) {
                        // A name that says nothing (`g17`) leaves what the code would stand for without it only where names are
                        // the font's own invention; most often that is the letter itself.
                        *slot = glyphs::text_of(&glyph)
                            .unwrap_or_else(|| if &*glyph == ".notdef" { String::new() } else { std::mem::take(slot) });
                    }
                    code += 1;
                }
                number => code = number.integer().and_then(|number| usize::try_from(number).ok()).unwrap_or(256),
            }
        }
    }
    Ok(table)
}
