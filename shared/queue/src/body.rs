//! A message as SQS carries it: JSON within 1 MiB, and the group of its owner.

use domain::Owner;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// The most that a message, and a batch of them, may hold. SQS, "Message quotas".
pub(crate) const MAX_BYTES: usize = 1_048_576;

/// The longest group id. SQS, "SendMessage", MessageGroupId.
const MAX_GROUP: usize = 128;

/// The message as JSON.
pub(crate) fn encode(message: &impl Serialize) -> Result<String, Error> {
    let mut text = serde_json::to_string(message).map_err(Error::Encode)?;
    // The only characters that JSON leaves as they are and SQS does not take (it takes what XML 1.0 takes). They stand
    // inside JSON strings, where their escapes mean the same.
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        text = text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
    }
    if text.len() > MAX_BYTES { Err(Error::TooLarge { bytes: text.len() }) } else { Ok(text) }
}

/// Whether SQS takes a character: what XML 1.0 takes. SQS, "SendMessage", MessageBody.
pub(crate) const fn is_taken(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The owner's group: the owner as text where SQS takes that, its hash where it does not.
pub(crate) fn group_id(owner: &Owner) -> String {
    let text = owner.to_string();
    if text.len() <= MAX_GROUP && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        text
    } else {
        format!("{}/{}", owner.kind().as_str(), hex::encode(Sha256::digest(&text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_travels_as_its_json() {
        assert_eq!(encode(&serde_json::json!({"a": "ä\n"})).unwrap(), r#"{"a":"ä\n"}"#);
    }

    #[test]
    fn what_sqs_does_not_take_is_escaped_and_reads_back() {
        let text = "a\u{ffff}b\u{fffe}\u{0}";
        let body = encode(&text).unwrap();
        assert!(!body.contains(['\u{fffe}', '\u{ffff}', '\u{0}']));
        assert_eq!(serde_json::from_str::<String>(&body).unwrap(), text);
    }

    #[test]
    fn a_mebibyte_passes_and_a_byte_more_does_not() {
        assert!(encode(&"x".repeat(MAX_BYTES - 2)).is_ok());
        let refused = encode(&"x".repeat(MAX_BYTES - 1)).unwrap_err();
        assert!(matches!(refused, Error::TooLarge { bytes } if bytes == MAX_BYTES + 1), "{refused}");
    }

    #[test]
    fn a_group_is_one_that_sqs_takes() {
        let check = |owner: &str, group: Option<&str>| {
            let made = group_id(&owner.parse().unwrap());
            assert!(made.len() <= MAX_GROUP && made.bytes().all(|byte| byte.is_ascii_graphic()), "{made}");
            assert!(group.is_none_or(|group| group == made), "{made}");
        };
        check("user/ada", Some("user/ada"));
        check("organization/acme", Some("organization/acme"));
        check("user/with space", None);
        check("user/ämtlich", None);
        check(&format!("organization/{}", "a".repeat(128)), None);
        assert_ne!(group_id(&"user/a b".parse().unwrap()), group_id(&"user/a c".parse().unwrap()));
    }
}
