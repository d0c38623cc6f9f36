//! Where strings stand on a page tells what lies between them: nothing, a space, a column, a line, a paragraph.

use crate::output::Output;

/// A transformation of the plane, as PDF writes it: `[a b c d e f]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matrix(pub(super) [f64; 6]);

impl Matrix {
    /// Leaves everything where it is.
    pub(super) const IDENTITY: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    /// This transformation, then `next`.
    pub(super) fn then(self, next: Self) -> Self {
        let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (self.0, next.0);
        Self([a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + l])
    }

    /// A move.
    pub(super) fn shift(x: f64, y: f64) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y])
    }
}

/// The place where the last string ended.
#[derive(Debug, Clone, Copy)]
struct Pen {
    x: f64,
    y: f64,
    /// Direction of the line, of length one.
    along: (f64, f64),
    size: f64,
}

/// Writes the strings of a page in the order in which they are drawn.
pub(super) struct Layout<'o> {
    out: &'o mut Output,
    pen: Option<Pen>,
}

impl<'o> Layout<'o> {
    /// Writes to `out`.
    pub(super) fn new(out: &'o mut Output) -> Self {
        Self { out, pen: None }
    }

    /// A new page begins.
    pub(super) fn page(&mut self) {
        self.pen = None;
        self.out.new_paragraph();
    }

    /// Whether more text would be left out.
    pub(super) fn is_full(&self) -> bool {
        self.out.is_full()
    }

    /// A string was drawn: `from` and `to` transform the origin to its two ends; the size of the letters is that of `from`.
    pub(super) fn string(&mut self, text: &str, from: Matrix, to: Matrix) {
        let [a, b, c, d, x, y] = from.0;
        let [.., end_x, end_y] = to.0;
        let (length, size) = (a.hypot(b), c.hypot(d));
        let along = if length > 0.0 { (a / length, b / length) } else { (1.0, 0.0) };
        let size = if size.is_finite() && size > 0.0 { size } else { 1.0 };
        if !text.chars().all(|c| c == ' ') {
            self.part(x, y, along, size);
        }
        self.out.push_str(text);
        self.pen = Some(Pen { x: end_x, y: end_y, along, size });
    }

    /// Writes what lies between the pen and the next string.
    fn part(&mut self, x: f64, y: f64, along: (f64, f64), size: f64) {
        let Some(pen) = self.pen else { return };
        let (dx, dy) = (x - pen.x, y - pen.y);
        let forward = dx * pen.along.0 + dy * pen.along.1;
        let aside = (dy * pen.along.0 - dx * pen.along.1).abs();
        let turned = pen.along.0 * along.0 + pen.along.1 * along.1 < 0.9;
        let size = size.max(pen.size);
        // Raised and lowered figures stay on their line; lines are at least their letters' size apart.
        if turned || aside > size * 1.9 {
            self.out.new_paragraph();
        } else if aside > size * 0.6 {
            self.out.new_line();
        } else if forward > size * 2.5 {
            if !self.out.after_space() {
                self.out.push('\t');
            }
        } else if (forward > size * 0.17 || forward < -size * 0.5) && !self.out.after_space() {
            self.out.push(' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(size: f64, x: f64, y: f64) -> Matrix {
        Matrix([size, 0.0, 0.0, size, x, y])
    }

    #[test]
    fn gaps_become_what_a_reader_sees() {
        let mut out = Output::new(100);
        let mut layout = Layout::new(&mut out);
        let strings = [
            ("He", 0.0, 100.0, 10.0),
            ("llo", 10.5, 100.0, 20.0),
            ("you", 23.0, 100.0, 40.0),
            ("next", 0.0, 88.0, 20.0),
            ("far", 80.0, 88.0, 90.0),
            ("new", 0.0, 60.0, 10.0),
        ];
        for (text, x, y, end) in strings {
            layout.string(text, at(10.0, x, y), at(10.0, end, y));
        }
        assert_eq!(out.finish().text, "Hello you\nnext\tfar\n\nnew");
    }

    #[test]
    fn turned_text_has_lines_of_its_own() {
        let mut out = Output::new(100);
        let mut layout = Layout::new(&mut out);
        let up = |x, y| Matrix([0.0, 10.0, -10.0, 0.0, x, y]);
        layout.string("flat", at(10.0, 0.0, 0.0), at(10.0, 20.0, 0.0));
        layout.string("up", up(20.0, 0.0), up(20.0, 12.0));
        layout.string("ward", up(20.0, 12.0), up(20.0, 30.0));
        layout.string("beside", up(32.0, 0.0), up(32.0, 30.0));
        assert_eq!(out.finish().text, "flat\n\nupward\nbeside");
    }

    #[test]
    fn transformations_follow_each_other() {
        let twice = Matrix([2.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
        assert_eq!(Matrix::shift(1.0, 2.0).then(twice).0, [2.0, 0.0, 0.0, 2.0, 2.0, 4.0]);
    }
}
