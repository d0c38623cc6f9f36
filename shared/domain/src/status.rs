//! How an integration's status moves. One function decides; a test names every pair.

use serde::{Deserialize, Serialize};

/// SPEC's `IntegrationStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Works.
    Active,
    /// A person stopped it.
    Paused,
    /// Failed [`ERROR_AFTER`] times in a row; still tried, at most daily.
    Error,
    /// The provider asked to wait.
    RateLimited,
    /// The provider no longer accepts our token; a person must connect again.
    TokenExpired,
    /// A person disconnected it; its tokens are gone.
    Disconnected,
}

/// Failures in a row that make an integration [`Status::Error`].
pub const ERROR_AFTER: u32 = 5;

/// Something that may move the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An operation at the provider succeeded.
    Succeeded,
    /// An operation failed; this many have now failed in a row.
    Failed {
        /// Failures in a row, this one included.
        in_a_row: u32,
    },
    /// The provider asked to wait.
    LimitHit,
    /// The provider refused the refresh token for good.
    TokenRefused,
    /// A person paused it.
    PausedByPerson,
    /// A person resumed it.
    ResumedByPerson,
    /// A person disconnected it.
    DisconnectedByPerson,
    /// A person connected it (again).
    Connected,
}

impl Status {
    /// The status after `event`.
    ///
    /// A pause outlasts everything but a person; a disconnection outlasts everything but a new connection.
    #[must_use]
    pub const fn after(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Connected) => Self::Active,
            (Self::Disconnected, _) | (_, Event::DisconnectedByPerson) => Self::Disconnected,
            (Self::TokenExpired, Event::PausedByPerson | Event::ResumedByPerson) => Self::TokenExpired,
            (_, Event::PausedByPerson) => Self::Paused,
            (Self::Paused, Event::ResumedByPerson) => Self::Active,
            (Self::Paused, _) => Self::Paused,
            (_, Event::Succeeded) => Self::Active,
            (_, Event::TokenRefused) => Self::TokenExpired,
            (Self::TokenExpired, _) => Self::TokenExpired,
            (_, Event::LimitHit) => Self::RateLimited,
            (_, Event::Failed { in_a_row }) if in_a_row >= ERROR_AFTER => Self::Error,
            (unchanged, Event::Failed { .. } | Event::ResumedByPerson) => unchanged,
        }
    }

    /// Whether the scheduler starts syncs for it.
    #[must_use]
    pub const fn is_scheduled(self) -> bool {
        matches!(self, Self::Active | Self::Error | Self::RateLimited)
    }
}

#[cfg(test)]
mod tests {
    use super::{ERROR_AFTER, Event::*, Status::*};

    #[test]
    fn every_pair_moves_as_the_flow_says() {
        let few = Failed { in_a_row: ERROR_AFTER - 1 };
        let many = Failed { in_a_row: ERROR_AFTER };
        let events = [
            Succeeded,
            few,
            many,
            LimitHit,
            TokenRefused,
            PausedByPerson,
            ResumedByPerson,
            DisconnectedByPerson,
            Connected,
        ];
        let table = [
            (Active, [Active, Active, Error, RateLimited, TokenExpired, Paused, Active, Disconnected, Active]),
            (Paused, [Paused, Paused, Paused, Paused, Paused, Paused, Active, Disconnected, Active]),
            (Error, [Active, Error, Error, RateLimited, TokenExpired, Paused, Error, Disconnected, Active]),
            (
                RateLimited,
                [Active, RateLimited, Error, RateLimited, TokenExpired, Paused, RateLimited, Disconnected, Active],
            ),
            (
                TokenExpired,
                [
                    Active,
                    TokenExpired,
                    TokenExpired,
                    TokenExpired,
                    TokenExpired,
                    TokenExpired,
                    TokenExpired,
                    Disconnected,
                    Active,
                ],
            ),
            (
                Disconnected,
                [
                    Disconnected,
                    Disconnected,
                    Disconnected,
                    Disconnected,
                    Disconnected,
                    Disconnected,
                    Disconnected,
                    Disconnected,
                    Active,
                ],
            ),
        ];
        for (from, row) in table {
            for (event, to) in events.into_iter().zip(row) {
                assert_eq!(from.after(event), to, "{from:?} after {event:?}");
            }
        }
    }
}
