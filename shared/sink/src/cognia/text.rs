//! Text as Cognia must be given it.

/// Makes a text safe to be stored there.
///
/// Cognia removes control characters, line breaks among them, without putting anything in their place: the last word of a line and the
/// first of the next would become one. So a space stands before each line break, and in the place of every other control character.
pub(super) fn readable(text: &str) -> String {
    let mut readable = String::with_capacity(text.len() + text.len() / 40);
    let mut letters = text.trim_end().chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' | '\r' => {
                if !readable.ends_with(' ') {
                    readable.push(' ');
                }
                readable.push('\n');
            }
            control if control.is_control() => readable.push(' '),
            letter => readable.push(letter),
        }
    }
    readable
}

/// How long a text is to Cognia, which counts as JavaScript does: in units of UTF-16.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The beginning of a text, at most so many units long.
pub(super) fn beginning(text: &str, most: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, letter)| {
        used += letter.len_utf16();
        used > most
    });
    end.map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

/// The longest run of plain words in a text, for looking it up by its own words: nothing in it is changed by Cognia's cleaning.
pub(super) fn probe(text: &str) -> Option<String> {
    let runs = text.split(|letter: char| !letter.is_alphanumeric() && letter != ' ');
    let runs = runs.flat_map(|run| run.split("  ")).map(str::trim);
    let longest = runs.max_by_key(|run| run.len().min(PROBE_BYTES))?;
    // It may end within a word; what is looked for is any text that contains it.
    let cut = longest.get(..longest.floor_char_boundary(PROBE_BYTES)).unwrap_or_default().trim();
    (units(cut) >= 3).then(|| cut.to_owned())
}

/// The longest probe.
const PROBE_BYTES: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_two_lines_stay_two_words() {
        let check = |text: &str, expected: &str| assert_eq!(readable(text), expected);
        check("one\ntwo", "one \ntwo");
        check("one \ntwo", "one \ntwo");
        check("one\r\ntwo\rthree", "one \ntwo \nthree");
        check("one\n\ntwo", "one \n \ntwo");
        check("a\tb\u{b}c\u{85}d", "a b c d");
        check("end\n\n", "end");
        check("", "");
    }

    #[test]
    fn length_is_what_javascript_counts() {
        assert_eq!(units("aé€"), 3);
        assert_eq!(units("😀"), 2);
        assert_eq!(beginning("a😀b", 2), "a");
        assert_eq!(beginning("a😀b", 3), "a😀");
        assert_eq!(beginning("ab", 9), "ab");
    }

    #[test]
    fn a_probe_is_plain_words() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(probe(text).as_deref(), expected);
        check("# Plan: we meet <b>at noon on Monday</b>, then\nlunch", Some("at noon on Monday"));
        check("!!", None);
        check("ok", None);
        assert!(probe(&"word ".repeat(100)).unwrap().len() <= PROBE_BYTES);
        assert!(probe(&"é".repeat(100)).unwrap().len() <= PROBE_BYTES);
    }
}
