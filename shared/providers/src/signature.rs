//! The schemes by which deliveries prove where they come from. A provider picks one; none is written a second time.
//!
//! | scheme | who uses it |
//! | --- | --- |
//! | [`BodyMac`] | GitHub, Notion, Dropbox, Atlassian's admin webhooks, Coda, outgoing webhooks of Microsoft Teams |
//! | [`slack`] | Slack |
//! | [`linear`] | Linear |
//! | [`hubspot`] | `HubSpot`, versions 1 to 3 |
//! | [`boxed`] | Box |
//! | [`stripe`] | Stripe and those who copied it |
//! | [`standard`] | Standard Webhooks: GitLab's signing tokens, Svix, our own HTTP sink |
//! | [`jwt`] | Jira's dynamic webhooks |
//! | [`discord`] | Discord |
//! | [`graph`] | Microsoft Graph: `OneDrive`, Teams |
//! | [`token_matches`], [`secret_matches`] | Google's channels, GitLab's plain tokens |
//!
//! Each works on the bytes as they arrived, compares in constant time, and takes what is missing, malformed or outside of its
//! window for a failure. The reasons it gives are for the log and name no value.

mod body;
mod boxcom;
mod discord;
mod graph;
mod hubspot;
mod jwt;
mod linear;
mod slack;
mod standard;
mod stripe;
mod window;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub use body::{ATLASSIAN, BodyMac, CODA, DROPBOX, GITHUB, NOTION, TEAMS};
pub use boxcom::boxed;
pub use discord::discord;
pub use graph::{Verdict as GraphVerdict, graph};
pub use hubspot::{Request, hubspot};
pub use jwt::jwt;
pub use linear::linear;
pub use slack::slack;
pub use standard::standard;
pub use stripe::stripe;

/// Whether `token` is the one whose SHA-256 is `expected`. Takes the same time wherever the two differ; an empty token never is.
#[must_use]
pub fn token_matches(token: &str, expected: &[u8; 32]) -> bool {
    let hash = Sha256::digest(token.as_bytes());
    bool::from(hash.as_slice().ct_eq(expected)) && !token.is_empty()
}

/// Whether `token` is the secret itself. Hashed first, so that not even its length shows in the time taken.
#[must_use]
pub fn secret_matches(token: &str, secret: &[u8]) -> bool {
    token_matches(token, &Sha256::digest(secret).into())
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
        assert!(secret_matches("s", b"s") && !secret_matches("", b"") && !secret_matches("s", b"S"));
    }
}
