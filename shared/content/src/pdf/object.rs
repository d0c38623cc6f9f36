//! The objects that a PDF is made of, and the reader of their notation. Content streams and character maps share the notation.

use std::collections::HashMap;
use std::rc::Rc;

/// Deepest nesting of arrays and dictionaries.
const LEVELS: u32 = 64;

/// A PDF object. Clones are cheap.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Bytes.
    String(Rc<[u8]>),
    /// A name, its bytes read as Latin-1.
    Name(Rc<str>),
    /// A list.
    Array(Rc<Vec<Object>>),
    /// Names and what they stand for.
    Dict(Dict),
    /// A dictionary with bytes in the file.
    Stream(Stream),
    /// The object of this number.
    Reference(u32),
    /// A bare word: an operator in content, a keyword in the file.
    Word(Rc<str>),
}

/// Names and what they stand for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Dict(Rc<HashMap<String, Object>>);

/// A dictionary with bytes in the file, still encoded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stream {
    /// What the stream is.
    pub(super) dict: Dict,
    /// Where its bytes begin.
    pub(super) at: u64,
    /// How many there are.
    pub(super) bytes: u64,
}

impl Dict {
    /// The object under this name; [`Object::Null`] if there is none.
    pub(super) fn get(&self, name: &str) -> &Object {
        self.0.get(name).unwrap_or(&Object::Null)
    }
}

impl Object {
    /// The number, rounded if need be.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond the range saturates, which callers then refuse"
    )]
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Real(number) => Some(*number as i64),
            _ => None,
        }
    }

    /// The number.
    #[expect(clippy::cast_precision_loss, reason = "coordinates and widths are small")]
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            _ => None,
        }
    }

    /// The name.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The list.
    pub(super) fn array(&self) -> Option<&[Object]> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The dictionary, also that of a stream.
    pub(super) fn dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) | Self::Stream(Stream { dict, .. }) => Some(dict),
            _ => None,
        }
    }

    /// Whether it is this bare word.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if &**found == word)
    }
}

/// Why no object was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes end before the object does.
    End,
    /// Nested too deeply.
    TooDeep,
}

/// Reads objects from bytes. What makes no sense is passed over, as PDF readers do.
pub(super) struct Parser<'a> {
    bytes: &'a [u8],
    /// Where the next byte is.
    pub(super) at: usize,
    levels: u32,
}

impl<'a> Parser<'a> {
    /// Reads from the beginning of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, levels: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// What follows.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Passes over white space and comments.
    pub(super) fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            if byte == b'%' {
                let line = self.rest().iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                self.at = line.map_or(self.bytes.len(), |line| self.at + line);
            } else if is_space(byte) {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    /// The next object.
    pub(super) fn object(&mut self) -> Result<Object, Stop> {
        loop {
            self.skip_space();
            let byte = self.peek().ok_or(Stop::End)?;
            match byte {
                b'/' => return Ok(Object::Name(self.name())),
                b'(' => return self.string(),
                b'<' if self.rest().starts_with(b"<<") => return self.dict().map(Object::Dict),
                b'<' => return self.hex_string(),
                b'[' => return self.array(),
                b'+' | b'-' | b'.' | b'0'..=b'9' => return self.number_or_reference(),
                // Closers without an opener, and braces, which only functions have.
                b']' | b')' | b'{' | b'}' => self.at += 1,
                b'>' => self.at += if self.rest().starts_with(b">>") { 2 } else { 1 },
                _ => return Ok(self.word()),
            }
        }
    }

    fn word(&mut self) -> Object {
        let length = self.rest().iter().position(|byte| !is_regular(*byte)).unwrap_or(self.rest().len());
        let word = self.rest().get(..length.max(1)).unwrap_or_default();
        self.at += length.max(1);
        match word {
            b"true" => Object::Bool(true),
            b"false" => Object::Bool(false),
            b"null" => Object::Null,
            word => Object::Word(latin1(word.get(..64).unwrap_or(word)).into()),
        }
    }

    fn name(&mut self) -> Rc<str> {
        self.at += 1;
        let length = self.rest().iter().position(|byte| !is_regular(*byte)).unwrap_or(self.rest().len());
        let raw = self.rest().get(..length).unwrap_or_default();
        self.at += raw.len();
        let mut name = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((byte, after)) = rest.split_first() {
            // `#41` is the byte 0x41.
            let escaped = match after {
                [high, low, after @ ..] if *byte == b'#' => {
                    hex_digit(*high).zip(hex_digit(*low)).map(|(high, low)| (high * 16 + low, after))
                }
                _ => None,
            };
            let (byte, after) = escaped.unwrap_or((*byte, after));
            name.push(char::from(byte));
            rest = after;
        }
        name.into()
    }

    fn string(&mut self) -> Result<Object, Stop> {
        self.at += 1;
        let mut string = Vec::new();
        let mut open = 1u32;
        loop {
            let byte = self.peek().ok_or(Stop::End)?;
            self.at += 1;
            match byte {
                b'(' => open = open.saturating_add(1),
                b')' => {
                    open -= 1;
                    if open == 0 {
                        return Ok(Object::String(string.into()));
                    }
                }
                b'\\' => {
                    if let Some(byte) = self.escape()? {
                        string.push(byte);
                    }
                    continue;
                }
                _ => {}
            }
            string.push(byte);
        }
    }

    fn escape(&mut self) -> Result<Option<u8>, Stop> {
        let byte = self.peek().ok_or(Stop::End)?;
        self.at += 1;
        Ok(Some(match byte {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'\r' => {
                self.at += usize::from(self.peek() == Some(b'\n'));
                return Ok(None);
            }
            b'\n' => return Ok(None),
            b'0'..=b'7' => {
                let mut code = u32::from(byte - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.peek() else { break };
                    code = code * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                u8::try_from(code & 0xff).unwrap_or(0)
            }
            other => other,
        }))
    }

    fn hex_string(&mut self) -> Result<Object, Stop> {
        self.at += 1;
        let length = self.rest().iter().position(|byte| *byte == b'>').ok_or(Stop::End)?;
        let digits: Vec<u8> =
            self.rest().get(..length).unwrap_or_default().iter().copied().filter_map(hex_digit).collect();
        self.at += length + 1;
        // A last digit without a partner stands for itself and a zero.
        let byte = |pair: &[u8]| match pair {
            [high, low] => high * 16 + low,
            [high] => high * 16,
            _ => 0,
        };
        Ok(Object::String(digits.chunks(2).map(byte).collect()))
    }

    fn array(&mut self) -> Result<Object, Stop> {
        self.at += 1;
        self.enter()?;
        let mut array = Vec::new();
        loop {
            self.skip_space();
            match self.peek().ok_or(Stop::End)? {
                b']' => {
                    self.at += 1;
                    self.levels -= 1;
                    return Ok(Object::Array(Rc::new(array)));
                }
                _ => array.push(self.object()?),
            }
        }
    }

    fn dict(&mut self) -> Result<Dict, Stop> {
        self.at += 2;
        self.enter()?;
        let mut dict = HashMap::new();
        loop {
            self.skip_space();
            if self.rest().starts_with(b">>") {
                self.at += 2;
                self.levels -= 1;
                return Ok(Dict(Rc::new(dict)));
            }
            let key = self.object()?;
            self.skip_space();
            if self.rest().starts_with(b">>") {
                continue;
            }
            if let Object::Name(key) = key {
                let value = self.object()?;
                dict.insert(key.to_string(), value);
            }
        }
    }

    fn enter(&mut self) -> Result<(), Stop> {
        self.levels += 1;
        if self.levels > LEVELS { Err(Stop::TooDeep) } else { Ok(()) }
    }

    fn number_or_reference(&mut self) -> Result<Object, Stop> {
        let number = self.number();
        let Object::Integer(id) = number else { return Ok(number) };
        let Ok(id) = u32::try_from(id) else { return Ok(number) };
        // `12 0 R` is a reference; anything else leaves the place as it was.
        let back = self.at;
        self.skip_space();
        let generation = self.rest().iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        if (1..=5).contains(&generation) {
            self.at += generation;
            self.skip_space();
            let after = self.rest().get(1).copied();
            if self.peek() == Some(b'R') && !after.is_some_and(is_regular) {
                self.at += 1;
                return Ok(Object::Reference(id));
            }
        }
        self.at = back;
        Ok(number)
    }

    fn number(&mut self) -> Object {
        let length = self.rest().iter().position(|byte| !matches!(byte, b'+' | b'-' | b'.' | b'0'..=b'9'));
        let raw = self.rest().get(..length.unwrap_or(self.rest().len())).unwrap_or_default();
        self.at += raw.len();
        let text = latin1(raw.get(..64).unwrap_or(raw));
        if let Ok(number) = text.parse::<i64>() {
            return Object::Integer(number);
        }
        // Writers produce `--5` and `1.2.3`; what can be read of them is.
        let cleaned = text.trim_start_matches('+').replace("--", "-");
        Object::Real(cleaned.parse::<f64>().ok().filter(|number| number.is_finite()).unwrap_or(0.0))
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | 9 | 10 | 12 | 13 | 32)
}

fn is_regular(byte: u8) -> bool {
    !is_space(byte) && !matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &str) -> Vec<Object> {
        let mut parser = Parser::new(text.as_bytes());
        std::iter::from_fn(|| parser.object().ok()).collect()
    }

    #[test]
    fn every_kind_of_object_is_read() {
        let told = format!(
            "{:?}",
            objects("null true -1 +.5 (a\\(b\\)\\n\\101(c)) <4 1 6> /N#20a [1 2 R 3 0 R] 12 0 Rx % comment\nBT")
        );
        let expected = "[Null, Bool(true), Integer(-1), Real(0.5), String([97, 40, 98, 41, 10, 65, 40, 99, 41]), String([65, 96]), \
            Name(\"N a\"), Array([Integer(1), Reference(2)";
        assert!(told.starts_with(&expected[..120]), "{told}");
        let dict = objects("<</Type/Page /Kids [1 0 R] /Odd>>");
        assert_eq!(dict[0].dict().unwrap().get("Type").name(), Some("Page"));
        assert_eq!(dict[0].dict().unwrap().get("Kids").array().unwrap(), [Object::Reference(1)]);
    }

    #[test]
    fn nesting_and_missing_ends_stop_the_reader() {
        let stop = |text: &str| Parser::new(text.as_bytes()).object().unwrap_err();
        assert_eq!(stop(&"[".repeat(100)), Stop::TooDeep);
        assert_eq!(stop(&"<</A".repeat(100)), Stop::TooDeep);
        assert_eq!(stop("(never closed"), Stop::End);
        assert_eq!(stop("<</A [1 2"), Stop::End);
        assert_eq!(stop("  "), Stop::End);
    }
}
