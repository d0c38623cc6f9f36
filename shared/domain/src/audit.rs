//! What people did, as the audit log keeps it: who, what, to whose integration, when. Workers' doings are in the sync jobs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{EntryId, UserId};
use crate::owner::Owner;
use crate::provider::ProviderId;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// Something that a person did.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in rows and answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

actions! {
    /// Set out to connect an account.
    ConnectBegun = "connect_begun",
    /// Connected an account.
    Connected = "connected",
    /// Entered a key or a password for an account.
    CredentialsSet = "credentials_set",
    /// Changed what is synced, what is kept, or how often.
    Configured = "configured",
    /// Asked for a sync.
    SyncRequested = "sync_requested",
    /// Stopped a sync.
    SyncCancelled = "sync_cancelled",
    /// Paused an integration.
    Paused = "paused",
    /// Let an integration go on.
    Resumed = "resumed",
    /// Disconnected an integration.
    Disconnected = "disconnected",
    /// Had held-back deletions carried out.
    DeletesConfirmed = "deletes_confirmed",
    /// Dropped held-back deletions.
    DeletesDiscarded = "deletes_discarded",
    /// Changed what an organization's new integrations start with.
    SettingsChanged = "settings_changed",
    /// Sent dead letters back to work.
    DeadLettersRedriven = "dead_letters_redriven",
    /// Changed what is allowed of a provider.
    RegistryChanged = "registry_changed",
    /// Changed a person's plan or rights.
    UserChanged = "user_changed",
    /// Made an organization known, or changed it.
    OrganizationChanged = "organization_changed",
    /// Made a person a member, or gave a member another role.
    MemberChanged = "member_changed",
    /// Ended a membership.
    MemberRemoved = "member_removed",
}

/// The text names no action.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown action")]
pub struct UnknownAction;

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|action| action.as_str() == text).ok_or(UnknownAction)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its id; ids sort by time.
    pub id: EntryId,
    /// When it was done.
    pub at: Timestamp,
    /// Who did it.
    pub actor: UserId,
    /// What.
    pub action: Action,
    /// Whose integrations, or which person or organization, it concerns; nobody's alone: `None`.
    pub owner: Option<Owner>,
    /// At which provider.
    pub provider: Option<ProviderId>,
    /// What else there is to say: names of what was changed, never what is secret or the content of a configuration.
    pub detail: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_has_one_word_everywhere() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
        assert_eq!("".parse::<Action>(), Err(UnknownAction));
    }
}
