//! Bytes to text, whatever the character set: byte order marks first, then what is declared, then what the bytes look like.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Bytes from which the character set is guessed.
const SAMPLE_BYTES: usize = 1 << 20;

/// Decodes `bytes`. `declared` is a label such as `iso-8859-1`, if anything declares one. What does not decode becomes U+FFFD;
/// if `cut`, the bytes may end in the middle of a character, which is left out.
pub(crate) fn decode(bytes: &[u8], declared: Option<&str>, cut: bool) -> String {
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(bytes) {
        return decode_all(encoding, bytes.get(mark_bytes..).unwrap_or_default(), cut);
    }
    decode_all(encoding_of(bytes, declared, cut), bytes, cut)
}

fn encoding_of(bytes: &[u8], declared: Option<&str>, cut: bool) -> &'static Encoding {
    if is_utf8(bytes, cut) && !bytes.contains(&0) {
        return UTF_8;
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        return encoding;
    }
    let declared = declared.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    // A file that says UTF-8 and is not, is in whatever it looks like.
    if let Some(encoding) = declared.filter(|encoding| *encoding != UTF_8) {
        return encoding;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes.get(..SAMPLE_BYTES).unwrap_or(bytes), true);
    detector.guess(None, Utf8Detection::Deny)
}

fn decode_all(encoding: &'static Encoding, bytes: &[u8], cut: bool) -> String {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text =
        String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len()).min(bytes.len() + 64));
    let mut rest = bytes;
    loop {
        let (result, read, _) = decoder.decode_to_string(rest, &mut text, !cut);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            encoding_rs::CoderResult::InputEmpty => return text,
            encoding_rs::CoderResult::OutputFull => text.reserve(rest.len().max(1024)),
        }
    }
}

/// Valid UTF-8, save for a character that is cut off at the end.
fn is_utf8(bytes: &[u8], cut: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => cut && error.error_len().is_none(),
    }
}

/// UTF-16 of mostly Latin text has zeros in every other place.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = bytes.get(..4096).unwrap_or(bytes);
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let pairs = sample.len() / 2;
    let (even, odd) = (zeros(0), zeros(1));
    if pairs < 2 {
        None
    } else if odd * 10 >= pairs * 6 && even * 20 <= pairs {
        Some(UTF_16LE)
    } else if even * 10 >= pairs * 6 && odd * 20 <= pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Whether the first bytes of a file look like text in some character set, rather than like binary data.
pub(crate) fn looks_like_text(head: &[u8]) -> bool {
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return encoding == UTF_8 || !head.windows(4).any(|at| at == [0; 4]);
    }
    if utf16_without_mark(head).is_some() {
        return true;
    }
    // Text has hardly any control characters. The escape sequences of terminals and of ISO-2022-JP are the exception.
    let control = head.iter().filter(|byte| matches!(byte, 1..=8 | 0xe..=0x1a | 0x1c..=0x1f | 0x7f)).count();
    !head.contains(&0) && control * 50 <= head.len()
}

/// The `charset` parameter of a media type.
pub(crate) fn of_media_type(mime_type: Option<&str>) -> Option<&str> {
    mime_type?.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], declared: Option<&str>, expected: &str) {
        assert_eq!(decode(bytes, declared, false), expected);
    }

    #[test]
    fn byte_order_marks_decide() {
        check(b"\xef\xbb\xbfna\xc3\xafve", Some("iso-8859-1"), "naïve");
        check(b"\xff\xfeh\0\xe9\0", None, "hé");
        check(b"\xfe\xff\0h\0\xe9", None, "hé");
    }

    #[test]
    fn utf16_is_told_without_a_mark() {
        let text = "Plain words, nothing more.";
        check(&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), None, text);
        check(&text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>(), None, text);
    }

    #[test]
    fn declared_sets_are_used_unless_it_is_utf8() {
        check(b"\xcf\xf0\xe8\xe2\xe5\xf2", Some("windows-1251"), "Привет");
        check("Привет".as_bytes(), Some("windows-1251"), "Привет");
        check(b"caf\xe9", Some("utf-8"), "café");
    }

    #[test]
    fn undeclared_sets_are_guessed() {
        check(b"Caf\xe9 cr\xe8me, s'il vous pla\xeet", None, "Café crème, s'il vous plaît");
        let (russian, ..) =
            encoding_rs::WINDOWS_1251.encode("Съешь же ещё этих мягких французских булок, да выпей чаю");
        check(&russian, None, "Съешь же ещё этих мягких французских булок, да выпей чаю");
        let (japanese, ..) =
            encoding_rs::SHIFT_JIS.encode("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。");
        check(&japanese, None, "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。");
    }

    #[test]
    fn a_character_cut_off_at_the_end_is_left_out() {
        assert_eq!(decode(b"na\xc3", None, true), "na");
    }

    #[test]
    fn binary_data_does_not_look_like_text() {
        assert!(looks_like_text(b"plain\n"));
        assert!(looks_like_text("Ünïcödé".as_bytes()));
        assert!(!looks_like_text(b"\x7fELF\0\0\0"));
        assert!(!looks_like_text(b"a\x01\x02\x03b"));
    }

    #[test]
    fn the_parameter_of_a_media_type_is_read() {
        assert_eq!(of_media_type(Some("text/plain; format=flowed; Charset=\"ISO-8859-2\"")), Some("ISO-8859-2"));
        assert_eq!(of_media_type(Some("text/plain")), None);
    }
}
