//! Hashes in a shorter form, because cursors hold many.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A hash in two thirds of its length; a text that is none, as it is.
pub fn pack(sha: &str) -> String {
    if sha.len() == 40 || sha.len() == 64 { pack_hex(sha) } else { sha.to_owned() }
}

/// The hash again.
pub fn unpack(text: &str) -> String {
    if text.is_empty() { String::new() } else { unpack_hex(text) }
}

/// Hexadecimal digits in two thirds of their length; a text that is none, as it is.
pub fn pack_hex(text: &str) -> String {
    hex::decode(text).map_or_else(|_| text.to_owned(), |bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// The digits again.
pub fn unpack_hex(text: &str) -> String {
    URL_SAFE_NO_PAD.decode(text).map_or_else(|_| text.to_owned(), hex::encode)
}
