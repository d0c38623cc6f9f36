//! A page: its content is a little program, of which only what draws text matters here.

use std::collections::HashMap;
use std::rc::Rc;

use super::document::{Document, STREAM_BYTES};
use super::font::Font;
use super::layout::{Layout, Matrix};
use super::object::{Dict, Object, Parser, Stream};
use crate::error::{Error, Exceeded};

/// Forms inside forms.
const LEVELS: u32 = 12;
/// Forms drawn on one page. Forms that draw forms that draw forms grow without bound otherwise.
const FORMS: u32 = 5_000;
/// Operands that an operator may have; the longest real ones are text arrays.
const OPERANDS: usize = 64;
/// States that may be saved at a time.
const SAVED: usize = 256;
/// Fonts that are kept.
const FONTS: usize = 256;

/// What text is drawn with.
#[derive(Clone)]
struct State {
    /// From the content's plane to the page's.
    plane: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    letter_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
}

/// Runs the content of pages.
pub(super) struct Painter<'d, 'f, 'b, 'l> {
    document: &'d Document<'f, 'b, 'l>,
    fonts: HashMap<u32, Rc<Font>>,
    forms: u32,
}

impl<'d, 'f, 'b, 'l> Painter<'d, 'f, 'b, 'l> {
    /// For the pages of a document.
    pub(super) fn new(document: &'d Document<'f, 'b, 'l>) -> Self {
        Self { document, fonts: HashMap::new(), forms: 0 }
    }

    /// Writes the text of a page.
    pub(super) fn page(&mut self, page: &Dict, resources: &Dict, layout: &mut Layout<'_>) -> Result<(), Error> {
        self.forms = 0;
        let content = self.content(page)?;
        let state = State {
            plane: Matrix::IDENTITY,
            font: None,
            size: 1.0,
            letter_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
        };
        self.run(&content, resources, state, 0, layout)
    }

    /// The streams of a page's content, as one.
    fn content(&self, page: &Dict) -> Result<Vec<u8>, Error> {
        let contents = self.document.get(page, "Contents")?;
        let parts = match contents {
            Object::Array(parts) => parts.to_vec(),
            one => vec![one],
        };
        let mut content = Vec::new();
        for part in &parts {
            if let Object::Stream(stream) = self.document.resolve(part)? {
                content.extend(self.document.data(&stream)?);
                // Words do not go on from one stream to the next.
                content.push(b'\n');
                if content.len() as u64 > STREAM_BYTES {
                    return Err(Error::TooLarge(Exceeded::PieceBytes(STREAM_BYTES)));
                }
            }
        }
        Ok(content)
    }

    fn run(
        &mut self,
        content: &[u8],
        resources: &Dict,
        state: State,
        level: u32,
        layout: &mut Layout<'_>,
    ) -> Result<(), Error> {
        let mut parser = Parser::new(content);
        let mut operands: Vec<Object> = Vec::new();
        let mut text = Text { state, saved: Vec::new(), line: Matrix::IDENTITY, at: Matrix::IDENTITY };
        while let Ok(object) = parser.object() {
            self.document.budget().tick()?;
            if layout.is_full() {
                return Ok(());
            }
            let Object::Word(operator) = &object else {
                if operands.len() < OPERANDS {
                    operands.push(object);
                }
                continue;
            };
            match &**operator {
                "Do" => self.draw(&operands, resources, &text.state, level, layout)?,
                "Tf" => {
                    if let [name, size] = operands.as_slice() {
                        text.state.font = self.font(resources, name)?;
                        text.state.size = size.number().unwrap_or(1.0);
                    }
                }
                "ID" => skip_image(&mut parser),
                operator => text.run(operator, &operands, layout),
            }
            operands.clear();
        }
        Ok(())
    }

    /// Draws a form: content of its own, placed by its matrix. Images draw no text.
    fn draw(
        &mut self,
        operands: &[Object],
        resources: &Dict,
        state: &State,
        level: u32,
        layout: &mut Layout<'_>,
    ) -> Result<(), Error> {
        let forms = self.document.get(resources, "XObject")?;
        let name = operands.first().and_then(Object::name).unwrap_or_default();
        let Some(reference) = forms.dict().map(|forms| forms.get(name).clone()) else { return Ok(()) };
        let Object::Stream(form) = self.document.resolve(&reference)? else { return Ok(()) };
        if self.document.get(&form.dict, "Subtype")?.name() != Some("Form") || level >= LEVELS || self.forms >= FORMS {
            return Ok(());
        }
        self.forms += 1;
        let own = self.document.get(&form.dict, "Resources")?;
        let resources = own.dict().unwrap_or(resources);
        let mut state = state.clone();
        if let Some(matrix) = numbers(self.document.get(&form.dict, "Matrix")?.array().unwrap_or_default()) {
            state.plane = Matrix(matrix).then(state.plane);
        }
        let content = self.document.data(&Stream::clone(&form))?;
        self.run(&content, resources, state, level + 1, layout)
    }

    fn font(&mut self, resources: &Dict, name: &Object) -> Result<Option<Rc<Font>>, Error> {
        let fonts = self.document.get(resources, "Font")?;
        let Some(reference) = fonts.dict().map(|fonts| fonts.get(name.name().unwrap_or_default()).clone()) else {
            return Ok(None);
        };
        let number = if let Object::Reference(number) = reference { Some(number) } else { None };
        if let Some(kept) = number.and_then(|number| self.fonts.get(&number)) {
            return Ok(Some(Rc::clone(kept)));
        }
        let font = self.document.resolve(&reference)?;
        let Some(dict) = font.dict() else { return Ok(None) };
        let font = Rc::new(Font::read(self.document, dict)?);
        if let Some(number) = number {
            if self.fonts.len() >= FONTS {
                self.fonts.clear();
            }
            self.fonts.insert(number, Rc::clone(&font));
        }
        Ok(Some(font))
    }
}

/// The state of text while a content runs.
struct Text {
    state: State,
    saved: Vec<State>,
    /// Where the present line begins, and where the next letter goes.
    line: Matrix,
    at: Matrix,
}

impl Text {
    fn run(&mut self, operator: &str, operands: &[Object], layout: &mut Layout<'_>) {
        let number = |at: usize| operands.get(at).and_then(Object::number).unwrap_or(0.0);
        match operator {
            "q" if self.saved.len() < SAVED => self.saved.push(self.state.clone()),
            "Q" => {
                if let Some(saved) = self.saved.pop() {
                    self.state = saved;
                }
            }
            "cm" => {
                if let Some(matrix) = numbers(operands) {
                    self.state.plane = Matrix(matrix).then(self.state.plane);
                }
            }
            "BT" => (self.line, self.at) = (Matrix::IDENTITY, Matrix::IDENTITY),
            "Tc" => self.state.letter_space = number(0),
            "Tw" => self.state.word_space = number(0),
            "Tz" => self.state.stretch = number(0) / 100.0,
            "TL" => self.state.leading = number(0),
            "Ts" => self.state.rise = number(0),
            "Td" => self.move_line(number(0), number(1)),
            "TD" => {
                self.state.leading = -number(1);
                self.move_line(number(0), number(1));
            }
            "Tm" => {
                if let Some(matrix) = numbers(operands) {
                    (self.line, self.at) = (Matrix(matrix), Matrix(matrix));
                }
            }
            "T*" => self.move_line(0.0, -self.state.leading),
            "Tj" => self.show(operands.first(), layout),
            "'" => {
                self.move_line(0.0, -self.state.leading);
                self.show(operands.first(), layout);
            }
            "\"" => {
                (self.state.word_space, self.state.letter_space) = (number(0), number(1));
                self.move_line(0.0, -self.state.leading);
                self.show(operands.get(2), layout);
            }
            "TJ" => {
                for part in operands.first().and_then(Object::array).unwrap_or_default() {
                    match part.number() {
                        Some(back) => self.forward(-back / 1000.0 * self.state.size * self.state.stretch),
                        None => self.show(Some(part), layout),
                    }
                }
            }
            _ => {}
        }
    }

    fn move_line(&mut self, x: f64, y: f64) {
        self.line = Matrix::shift(x, y).then(self.line);
        self.at = self.line;
    }

    fn forward(&mut self, x: f64) {
        self.at = Matrix::shift(x, 0.0).then(self.at);
    }

    fn show(&mut self, string: Option<&Object>, layout: &mut Layout<'_>) {
        let (Some(Object::String(string)), Some(font)) = (string, self.state.font.clone()) else { return };
        let State { size, letter_space, word_space, stretch, rise, plane, .. } = self.state;
        let mut text = String::new();
        let mut width = 0.0;
        font.each(string, |letters, share, is_space| {
            text.push_str(letters);
            width += (share * size + letter_space + if is_space { word_space } else { 0.0 }) * stretch;
        });
        let letters = Matrix([size * stretch, 0.0, 0.0, size, 0.0, rise]);
        let from = letters.then(self.at).then(plane);
        self.forward(width);
        let to = letters.then(self.at).then(plane);
        layout.string(&text, from, to);
    }
}

/// Six numbers.
fn numbers(operands: &[Object]) -> Option<[f64; 6]> {
    let numbers: Vec<f64> = operands.iter().filter_map(Object::number).collect();
    <[f64; 6]>::try_from(numbers).ok()
}

/// Passes over the bytes of an image that lies in the content itself, up to an `EI` that stands alone.
fn skip_image(parser: &mut Parser<'_>) {
    let is_end = |at: &[u8]| matches!(at, [before, b'E', b'I', after] if before.is_ascii_whitespace() && after.is_ascii_whitespace());
    let rest = parser.rest();
    let end = rest.windows(4).position(is_end).map_or(rest.len(), |at| at + 3);
    parser.at += end;
}
