//! What time it is. Everything that depends on time takes a [`Clock`], so that a test moves time instead of waiting.

use std::sync::Arc;

/// A moment in UTC, written as RFC 3339 wherever a person or another system reads it.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// Tells the time. One per process, made in `main` and handed down.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// A clock that can be shared by everything a function is made of.
pub type SharedClock = Arc<dyn Clock>;

/// The host's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The host's clock in the form that the rooms take.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the host's clock")]
    fn now(&self) -> Timestamp {
        chrono::Utc::now()
    }
}
