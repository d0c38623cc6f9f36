//! How long the steps of a refresh may take. One set of numbers, because they only hold together.

use std::time::Duration;

/// The times of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a lease lasts. It must outlast all that a holder does (its calls within `holder_has`, then the write of the new
    /// pair, tried for as long as the lease lasts), or a second worker would call while the first still does.
    pub lease: Duration,
    /// What a holder has for its calls to the provider, all together. Token endpoints have been seen to take half a minute.
    pub holder_has: Duration,
    /// How long a waiting worker waits before it gives its message back to the queue. Most refreshes take less than a second; in
    /// a longer one, fifty workers that wait are fifty functions that are paid for nothing.
    pub waiter_has: Duration,
    /// A holder begins no write in the last part of its lease: its clock and the next one's may differ so much.
    pub margin: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(120),
            holder_has: Duration::from_secs(50),
            waiter_has: Duration::from_secs(4),
            margin: Duration::from_secs(10),
        }
    }
}

impl Timing {
    /// Until when after taking the lease a new pair may be saved.
    pub(crate) const fn may_save(&self) -> Duration {
        self.lease.saturating_sub(self.margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_leaves_its_holder_time_to_save_what_the_provider_took_long_to_give() {
        let timing = Timing::default();
        assert!(timing.may_save() >= timing.holder_has + Duration::from_secs(60));
    }

    #[test]
    fn guarantee_25_a_token_endpoint_may_take_half_a_minute_and_nobody_else_waits_for_it() {
        assert!(Timing::default().holder_has > Duration::from_secs(45));
        assert!(Timing::default().waiter_has < Duration::from_secs(5));
    }
}
