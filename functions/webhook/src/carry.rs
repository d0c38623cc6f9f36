//! How a delivery's body travels: in the message where it fits, as an object in the bucket where it does not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::message::Body;

/// The largest body, as the message writes it, that goes into a queue message; that may have a mebibyte in all.
pub const LARGEST_IN_MESSAGE_BYTES: usize = 900 * 1024;

/// JSON writes one byte as six at worst; a body below this fits whatever is in it.
const ALWAYS_FITS_BYTES: usize = LARGEST_IN_MESSAGE_BYTES / 6;

/// The body as a message carries it.
///
/// # Errors
/// The bytes as they are, if they are too large for a message.
pub fn in_message(bytes: Vec<u8>) -> Result<Body, Vec<u8>> {
    match String::from_utf8(bytes) {
        Ok(text) if text.len() <= ALWAYS_FITS_BYTES || written(&text) <= LARGEST_IN_MESSAGE_BYTES => {
            Ok(Body::Text(text))
        }
        Ok(text) => Err(text.into_bytes()),
        Err(error) if error.as_bytes().len().div_ceil(3) * 4 <= LARGEST_IN_MESSAGE_BYTES => {
            Ok(Body::Base64(STANDARD.encode(error.as_bytes())))
        }
        Err(error) => Err(error.into_bytes()),
    }
}

/// How many bytes a text has as JSON, written as a queue takes it (which does not take the last two characters of the first plane).
fn written(text: &str) -> usize {
    let width = |character| match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => 6,
        other => other.len_utf8(),
    };
    text.chars().map(width).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: Vec<u8>, fits: bool) {
        match in_message(bytes.clone()) {
            Ok(body) => {
                assert!(fits, "{} bytes fit", bytes.len());
                assert!(serde_json::to_vec(&body).unwrap().len() <= LARGEST_IN_MESSAGE_BYTES);
            }
            Err(same) => assert!(!fits && same == bytes, "{} bytes do not fit", bytes.len()),
        }
    }

    #[test]
    fn the_size_is_that_of_the_json() {
        let text = (0..0x300).filter_map(char::from_u32).collect::<String>();
        assert_eq!(written(&text) + 2, serde_json::to_vec(&text).unwrap().len());
    }

    #[test]
    fn what_grows_beyond_a_message_stays_as_it_is() {
        assert_eq!(in_message(b"{}".to_vec()), Ok(Body::Text("{}".to_owned())));
        assert_eq!(in_message(vec![0xff]), Ok(Body::Base64("/w==".to_owned())));
        check(vec![b'a'; LARGEST_IN_MESSAGE_BYTES - 100], true);
        check(vec![b'a'; LARGEST_IN_MESSAGE_BYTES + 1], false);
        check(vec![0; LARGEST_IN_MESSAGE_BYTES / 2], false);
        check("\u{ffff}".repeat(LARGEST_IN_MESSAGE_BYTES / 5).into_bytes(), false);
        check(vec![0xff; LARGEST_IN_MESSAGE_BYTES - 100], false);
        check(vec![0xff; ALWAYS_FITS_BYTES], true);
    }
}
