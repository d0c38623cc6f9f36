//! A picture: eight by eight pixels in two colours, with no text in it.

use base64::Engine;

const CHEQUERED: &str = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAGUlEQVR42mMwTjvzv9Qck2TAKgokGQalDgBQ4mIBSYv1tAAAAABJ\
     RU5ErkJggg==";

/// The bytes of the picture.
pub fn picture() -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(CHEQUERED).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_picture_is_a_whole_png() {
        let bytes = super::picture();
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert!(bytes.windows(4).any(|window| window == b"IEND"));
    }
}
