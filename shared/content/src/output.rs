//! The text being collected, brought to its normal form as it comes in and never longer than allowed.

use crate::Text;

/// Most line ends in a row that are kept: two blank lines.
const LINE_ENDS: usize = 3;

/// Collects text in normal form. White space is held back until something follows it, which trims line ends and the
/// text's own ends and folds blank lines.
pub(crate) struct Output {
    text: String,
    max: usize,
    truncated: bool,
    /// More was dropped before it came here.
    more: bool,
    /// Line ends not yet written.
    line_ends: usize,
    /// Spaces and tabs of the present line not yet written.
    spaces: String,
    after_cr: bool,
}

impl Output {
    /// Holds at most `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            text: String::new(),
            max,
            truncated: false,
            more: false,
            line_ends: 0,
            spaces: String::new(),
            after_cr: false,
        }
    }

    /// Adds text in whatever form.
    pub(crate) fn push_str(&mut self, text: &str) {
        for c in text.chars() {
            self.push(c);
        }
    }

    /// Adds one character.
    pub(crate) fn push(&mut self, c: char) {
        if self.truncated {
            return;
        }
        let after_cr = std::mem::replace(&mut self.after_cr, c == '\r');
        match c {
            '\n' if after_cr => {}
            // Line and page breaks of every kind are one line end.
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => self.end_line(),
            ' ' | '\t' => {
                // A run beyond any sensible line is cut, so that spaces cannot pile up unseen.
                if self.spaces.len() < 1024 {
                    self.spaces.push(c);
                }
            }
            '\u{feff}' | '\u{fffe}' => {}
            c if c.is_control() => {}
            c => self.write(c),
        }
    }

    fn write(&mut self, c: char) {
        let start = self.text.is_empty();
        let (line_ends, spaces) = if start { (0, 0) } else { (self.line_ends, self.spaces.len()) };
        if self.text.len() + line_ends + spaces + c.len_utf8() > self.max {
            self.truncated = true;
            return;
        }
        if !start {
            self.text.extend(std::iter::repeat_n('\n', self.line_ends));
            self.text.push_str(&self.spaces);
        }
        self.line_ends = 0;
        self.spaces.clear();
        self.text.push(c);
    }

    /// Ends the present line, also when it is empty.
    pub(crate) fn end_line(&mut self) {
        self.spaces.clear();
        self.line_ends = (self.line_ends + 1).min(LINE_ENDS);
    }

    /// Starts a new line unless one has just been started.
    pub(crate) fn new_line(&mut self) {
        self.spaces.clear();
        self.line_ends = self.line_ends.max(1);
    }

    /// Starts a new paragraph: leaves one blank line unless there is one.
    pub(crate) fn new_paragraph(&mut self) {
        self.spaces.clear();
        self.line_ends = self.line_ends.max(2);
    }

    /// Ends a cell of a row: a tab in place of spaces.
    pub(crate) fn next_cell(&mut self) {
        let text = self.spaces.trim_end_matches(' ').len();
        self.spaces.truncate(text);
        self.push('\t');
    }

    /// Whether the last thing given was white space, or nothing was given yet.
    pub(crate) fn after_space(&self) -> bool {
        self.text.is_empty() || self.line_ends > 0 || !self.spaces.is_empty()
    }

    /// Whether nothing was written yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Says that the file has more than was given here.
    pub(crate) fn mark_truncated(&mut self) {
        self.truncated = true;
    }

    /// Says that what is given next was itself cut.
    pub(crate) fn expect_more(&mut self) {
        self.more = true;
    }

    /// Whether more text would be left out: the reader may stop.
    pub(crate) fn is_full(&self) -> bool {
        self.truncated
    }

    /// The text.
    pub(crate) fn finish(self) -> Text {
        Text { text: self.text, truncated: self.truncated || self.more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        let mut out = Output::new(1000);
        out.push_str(input);
        assert_eq!(out.finish(), Text { text: expected.to_owned(), truncated: false });
    }

    #[test]
    fn line_ends_are_one_kind() {
        check("a\r\nb\rc\nd\u{2028}e\u{c}f", "a\nb\nc\nd\ne\nf");
        check("a\r\r\nb", "a\n\nb");
    }

    #[test]
    fn blank_lines_are_folded_to_two() {
        check("a\n\n\n\n\n\nb\n  \n\t\n\nc", "a\n\n\nb\n\n\nc");
    }

    #[test]
    fn ends_of_lines_and_text_are_trimmed() {
        check(" \n\n a  b \t\n  c \n\n", "a  b\n  c");
    }

    #[test]
    fn control_characters_are_dropped() {
        check("\u{feff}a\u{0}b\u{7}c\u{1b}[0m\td\u{9f}", "abc[0m\td");
    }

    #[test]
    fn text_is_cut_on_a_character() {
        let mut out = Output::new(4);
        out.push_str("aéé é");
        assert_eq!(out.finish(), Text { text: "aé".to_owned(), truncated: true });
        let mut out = Output::new(3);
        out.push_str("abc\n\n  ");
        assert_eq!(out.finish(), Text { text: "abc".to_owned(), truncated: false });
    }
}
