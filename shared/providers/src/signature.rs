//! Constant-time checks of what a delivery carries.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Whether `token` is the one whose SHA-256 is `expected`. Takes the same time wherever the two differ; an empty token never is.
#[must_use]
pub fn token_matches(token: &str, expected: &[u8; 32]) -> bool {
    let hash = Sha256::digest(token.as_bytes());
    bool::from(hash.as_slice().ct_eq(expected)) && !token.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_token_matches() {
        let expected: [u8; 32] = Sha256::digest(b"398348u3tu83ut8uu38").into();
        assert!(token_matches("398348u3tu83ut8uu38", &expected));
        for other in ["", "398348u3tu83ut8uu3", "398348u3tu83ut8uu39", "398348u3tu83ut8uu38 "] {
            assert!(!token_matches(other, &expected), "{other:?}");
        }
        assert!(!token_matches("", &Sha256::digest(b"").into()));
    }
}
