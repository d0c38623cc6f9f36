//! Proof key for code exchange, RFC 7636.

use base64::Engine;
use serde::{Deserialize, Serialize};
use sha2::Digest;

/// What the authorization request promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Challenge {
    Plain(String),
    S256(String),
}

impl Challenge {
    /// Reads the parameters of the authorization request; none when there is no challenge. Without a method it is `plain`.
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Option<Self>, &'static str> {
        match (challenge, method) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err("code_challenge is missing"),
            (Some(text), _) if !(43..=128).contains(&text.len()) => Err("code_challenge has a wrong length"),
            (Some(text), Some("S256")) => Ok(Some(Self::S256(text.to_owned()))),
            (Some(text), None | Some("plain")) => Ok(Some(Self::Plain(text.to_owned()))),
            (Some(_), Some(_)) => Err("code_challenge_method is not supported"),
        }
    }

    /// Whether the verifier keeps the promise.
    pub fn holds(&self, verifier: &str) -> bool {
        match self {
            Self::Plain(challenge) => challenge == verifier,
            Self::S256(challenge) => {
                let digest = sha2::Sha256::digest(verifier.as_bytes());
                *challenge == base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_holds() {
        let challenge = Challenge::parse(Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), Some("S256"));
        let challenge = challenge.unwrap().unwrap();
        assert!(challenge.holds("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.holds("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"));
    }

    #[test]
    fn a_method_without_challenge_and_an_unknown_method_are_refused() {
        assert!(Challenge::parse(None, Some("S256")).is_err());
        assert!(Challenge::parse(Some(&"x".repeat(43)), Some("S512")).is_err());
        assert_eq!(Challenge::parse(None, None), Ok(None));
    }
}
