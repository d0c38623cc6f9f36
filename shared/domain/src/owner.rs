//! Who an integration belongs to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{InvalidId, OrganizationId, UserId};

/// The two kinds of owner, spelled as SPEC's `integration_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerKind {
    /// A person's own integration.
    User,
    /// An integration shared by an organization.
    Organization,
}

impl OwnerKind {
    /// The word that keys, URLs and logs use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organization => "organization",
        }
    }
}

/// The tenant. Every question to the store starts with one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "lowercase")]
pub enum Owner {
    /// A person.
    User(UserId),
    /// An organization.
    Organization(OrganizationId),
}

impl Owner {
    /// Which of the two kinds.
    #[must_use]
    pub const fn kind(&self) -> OwnerKind {
        match self {
            Self::User(_) => OwnerKind::User,
            Self::Organization(_) => OwnerKind::Organization,
        }
    }

    /// The identifier without its kind.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::User(id) => id.as_str(),
            Self::Organization(id) => id.as_str(),
        }
    }
}

/// `user/ada`: the form in keys, object names and message groups.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind().as_str(), self.id())
    }
}

impl FromStr for Owner {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some(("user", id)) => UserId::new(id).map(Self::User),
            Some(("organization", id)) => OrganizationId::new(id).map(Self::Organization),
            _ => Err(InvalidId { kind: "owner" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_reads_back_as_written() {
        for text in ["user/ada", "organization/acme", "user/a/b"] {
            assert_eq!(text.parse::<Owner>().unwrap().to_string(), text);
        }
        assert!("team/x".parse::<Owner>().is_err());
        assert!("user/".parse::<Owner>().is_err());
    }
}
