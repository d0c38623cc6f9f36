//! Character maps: from the codes of a font to text, as the file itself gives them.

use std::collections::HashMap;

use super::object::{Object, Parser};
use crate::error::Error;
use crate::limits::Budget;

/// Most entries of one map; a font has at most 65,536 characters.
const ENTRIES: usize = 100_000;

/// A map from codes to text.
#[derive(Debug, Default)]
pub(super) struct CMap {
    single: HashMap<u32, String>,
    /// First code, last code, and the text of the first; sorted by the first code.
    ranges: Vec<(u32, u32, Vec<u16>)>,
    /// How many bytes the codes have, if the map says.
    pub(super) code_bytes: Option<usize>,
}

impl CMap {
    /// Reads a map.
    pub(super) fn read(data: &[u8], budget: &Budget<'_>) -> Result<Self, Error> {
        let mut map = Self::default();
        let mut parser = Parser::new(data);
        let mut operands: Vec<Object> = Vec::new();
        while let Ok(object) = parser.object() {
            budget.tick()?;
            let Object::Word(word) = &object else {
                if operands.len() < ENTRIES {
                    operands.push(object);
                }
                continue;
            };
            match &**word {
                "endcodespacerange" => {
                    let lengths = operands
                        .iter()
                        .filter_map(|operand| if let Object::String(code) = operand { Some(code.len()) } else { None });
                    map.code_bytes = lengths.max().filter(|length| (1..=4).contains(length)).or(map.code_bytes);
                }
                "endbfchar" => {
                    for pair in operands.chunks_exact(2) {
                        if let [Object::String(code), Object::String(text)] = pair {
                            map.insert(code_of(code), String::from_utf16_lossy(&units(text)));
                        }
                    }
                }
                "endbfrange" => {
                    for range in operands.chunks_exact(3) {
                        map.add_range(range);
                    }
                }
                _ => {}
            }
            operands.clear();
        }
        map.ranges.sort_by_key(|(first, ..)| *first);
        Ok(map)
    }

    fn insert(&mut self, code: u32, text: String) {
        if self.single.len() < ENTRIES {
            self.single.insert(code, text);
        }
    }

    fn add_range(&mut self, range: &[Object]) {
        let [Object::String(first), Object::String(last), target] = range else { return };
        let (first, last) = (code_of(first), code_of(last));
        match target {
            Object::String(text) if self.ranges.len() < ENTRIES => self.ranges.push((first, last, units(text))),
            Object::Array(texts) => {
                for (code, text) in (first..=last).zip(texts.iter()) {
                    if let Object::String(text) = text {
                        self.insert(code, String::from_utf16_lossy(&units(text)));
                    }
                }
            }
            _ => {}
        }
    }

    /// The text of a code, if the map has it.
    pub(super) fn get(&self, code: u32) -> Option<String> {
        if let Some(text) = self.single.get(&code) {
            return Some(text.clone());
        }
        let after = self.ranges.partition_point(|(first, ..)| *first <= code);
        let (first, last, text) = self.ranges.get(after.checked_sub(1)?)?;
        if code > *last {
            return None;
        }
        let mut text = text.clone();
        let step = u16::try_from(code - first).ok()?;
        let end = text.last_mut()?;
        *end = end.checked_add(step)?;
        Some(String::from_utf16_lossy(&text))
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.single.is_empty() && self.ranges.is_empty()
    }
}

fn code_of(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |code, byte| (code << 8) | u32::from(*byte))
}

fn units(bytes: &[u8]) -> Vec<u16> {
    match bytes {
        [one] => vec![u16::from(*one)],
        bytes => bytes
            .chunks_exact(2)
            .take(64)
            .map(|pair| pair.iter().fold(0, |unit, byte| (unit << 8) | u16::from(*byte)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn characters_ranges_and_lists_are_mapped() {
        let map = "1 begincodespacerange <0000> <FFFF> endcodespacerange 2 beginbfchar <0003> <0020> <0004> <D83DDE00> endbfchar \
            2 beginbfrange <0010> <0012> <0041> <0020> <0021> [<00660069> <0078>] endbfrange";
        let limits = Limits::default();
        let map = CMap::read(map.as_bytes(), &Budget::new(&limits)).unwrap();
        let check = |code, expected: Option<&str>| assert_eq!(map.get(code).as_deref(), expected);
        assert_eq!(map.code_bytes, Some(2));
        check(3, Some(" "));
        check(4, Some("😀"));
        check(0x10, Some("A"));
        check(0x12, Some("C"));
        check(0x13, None);
        check(0x20, Some("fi"));
        check(0x21, Some("x"));
    }

    #[test]
    fn guarantee_24_an_endless_range_costs_nothing() {
        let limits = Limits::default();
        let map = CMap::read(b"beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange", &Budget::new(&limits)).unwrap();
        assert_eq!(map.get(1).as_deref(), Some("B"));
        assert_eq!(map.get(u32::MAX), None);
    }
}
