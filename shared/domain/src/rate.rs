//! How much of a provider's limit we take, and when: calls are given *slots in time* ahead, so that nobody polls for permission.
//!
//! Everything here is arithmetic without I/O. The idea is the generic cell rate algorithm (GCRA, ITU-T I.371) kept as a line of
//! arrival times: each call gets the next free time on the line, a unit apart from the one before. An idle line may lag behind the
//! clock by the limit's burst; slots that lie in the past are due at once. A slot is good from [`SLOT_EARLY`] before its time until
//! [`SLOT_GRACE`] after it, so whatever the workers do, a minute sees no more calls than there are slots in 71 seconds of the line.
//! [`Budget`] is made such that this never exceeds what the provider allows.

mod bucket;
mod budget;
mod slots;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use bucket::{Bucket, Held, Hold, Pace, Reserved, after};
pub use budget::Budget;
pub use slots::{SLOT_EARLY, SLOT_GRACE, SlotState, Slots, slot_state};

/// A limit of `units` per `period`, of which `burst` may be taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Units allowed per period; at least 1.
    pub units: u32,
    /// The period.
    pub period: Duration,
    /// Units that may be taken at once; at least 1.
    pub burst: u32,
}

/// What a call is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Work that nobody waits for: takes the next free slot.
    Backfill,
    /// What somebody waits for (webhooks, incremental runs, listings): goes ahead of reserved slots while the small limit for that lasts.
    Live,
}

impl Limit {
    /// Microseconds from one unit to the next, rounded up so that rounding never goes beyond the limit; at least 1.
    pub(crate) fn apart_us(self) -> i64 {
        let apart = self.period.as_micros().div_ceil(u128::from(self.units.max(1)));
        i64::try_from(apart).unwrap_or(i64::MAX / 4).max(1)
    }

    /// How long so many units take in the long run.
    #[must_use]
    pub fn takes(self, units: u32) -> Duration {
        Duration::from_micros(self.apart_us().unsigned_abs().saturating_mul(u64::from(units)))
    }

    /// Microseconds that an idle line lags behind the clock: with the unit that is due now, they make the burst.
    pub(crate) fn lag_us(self) -> i64 {
        self.apart_us().saturating_mul(i64::from(self.burst.max(1)) - 1)
    }
}
