//! Identifiers as types of their own, so that one is never passed for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::clock::Timestamp;

/// What was given is not an identifier of the wanted kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a valid {kind}")]
pub struct InvalidId {
    /// The kind of identifier that was wanted.
    pub kind: &'static str,
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Ulid);

        impl $name {
            /// A new identifier that sorts by `now`.
            #[must_use]
            pub fn new(now: Timestamp) -> Self {
                Self(Ulid::from_datetime(now.into()))
            }

            /// When it was made, to the millisecond.
            #[must_use]
            pub fn made_at(&self) -> Timestamp {
                i64::try_from(self.0.timestamp_ms()).ok().and_then(Timestamp::from_timestamp_millis).unwrap_or_default()
            }

            /// The least identifier of a moment: those made before it sort below, the others do not.
            #[must_use]
            pub fn least_of(at: Timestamp) -> Self {
                Self(Ulid::from_parts(u64::try_from(at.timestamp_millis()).unwrap_or_default(), 0))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ulid::from_string(text).map(Self).map_err(|_| InvalidId { kind: $kind })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Longest accepted form, in bytes. It keeps keys within DynamoDB's 1,024-byte sort keys.
            pub const MAX_BYTES: usize = $max;

            /// Accepts any text of 1 to [`Self::MAX_BYTES`] bytes without control characters.
            ///
            /// # Errors
            /// [`InvalidId`] if the text is empty, too long or carries control characters.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                if text.is_empty() || text.len() > $max || text.chars().any(char::is_control) {
                    return Err(InvalidId { kind: $kind });
                }
                Ok(Self(text))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

ulid_id!(
    /// An owner's connected account.
    IntegrationId, "integration id"
);
ulid_id!(
    /// One run of a sync. It names the run; it never decides whether two runs are the same.
    JobId, "job id"
);
ulid_id!(
    /// An entry of the audit log.
    EntryId, "entry id"
);
text_id!(
    /// A person, as the host application names them (the token's `sub`).
    UserId, "user id", 128
);
text_id!(
    /// An organization, by the slug that its URLs carry.
    OrganizationId, "organization id", 128
);
text_id!(
    /// What the provider calls the connected account (Drive's `permissionId`, Slack's team id).
    AccountId, "account id", 256
);
text_id!(
    /// What the provider calls a resource.
    ExternalId, "external id", 768
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_what_no_key_can_hold() {
        assert!(UserId::new("ada").is_ok());
        assert!(UserId::new("").is_err());
        assert!(UserId::new("a\u{0}b").is_err());
        assert!(UserId::new("a".repeat(129)).is_err());
        assert!(serde_json::from_str::<ExternalId>("\"\"").is_err());
    }

    #[test]
    fn ids_tell_when_they_were_made_and_sort_by_it() {
        let at = |ms| chrono::DateTime::from_timestamp_millis(ms).unwrap();
        let id = JobId::new(at(1_700_000_000_123));
        assert_eq!(id.made_at(), at(1_700_000_000_123));
        assert!(JobId::least_of(id.made_at()) <= id && id < JobId::least_of(at(1_700_000_000_124)));
        assert!(JobId::least_of(at(1)).to_string() < JobId::least_of(at(2)).to_string());
    }

    #[test]
    fn ulid_ids_read_back_as_written() {
        let id = JobId::new(chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
        assert!("not-an-id".parse::<JobId>().is_err());
    }
}
