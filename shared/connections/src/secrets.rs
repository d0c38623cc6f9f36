//! Random words and their hashes: states, browser cookies, PKCE verifiers, subscription tokens. Not for keeping them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// 32 bytes from the operating system's generator, in base64url (43 characters): out of anybody's reach to guess, and long
/// enough for a PKCE verifier (RFC 7636 section 4.1 asks for 43 to 128).
pub fn random_word() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// SHA-256 of a word.
pub fn sha256(word: &str) -> [u8; 32] {
    Sha256::digest(word.as_bytes()).into()
}

/// The PKCE challenge of a verifier: base64url of its SHA-256 (RFC 7636 section 4.2, method `S256`).
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(verifier))
}

/// Whether `word` has this hash, in a time that does not depend on where they differ.
pub fn has_hash(word: &str, hash: &[u8; 32]) -> bool {
    sha256(word).ct_eq(hash).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn words_are_long_and_differ() {
        let (one, other) = (random_word(), random_word());
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
    }

    #[test]
    fn a_hash_accepts_its_word_alone() {
        let hash = sha256("word");
        assert!(has_hash("word", &hash));
        assert!(!has_hash("words", &hash));
        assert!(!has_hash("", &hash));
    }
}
