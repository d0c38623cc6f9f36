//! Moments at which calls may be made, and how exactly they must be kept.

use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// How long before its time a slot is good: queues deliver on whole seconds.
pub const SLOT_EARLY: Duration = Duration::from_secs(1);
/// How long after its time a slot is good. Later it is taken anew; raising this raises what a minute may see, see `Budget`.
pub const SLOT_GRACE: Duration = Duration::from_secs(10);

/// Evenly spaced moments, one for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// The first one; up to a few seconds in the past after idle times, and due at once then.
    pub first_at: Timestamp,
    /// From one to the next.
    pub apart: Duration,
    /// How many.
    pub count: u32,
}

impl Slots {
    /// The `index`-th slot, from 0. Beyond the count it goes on as if there were more.
    #[must_use]
    pub fn at(&self, index: u32) -> Timestamp {
        let after = TimeDelta::from_std(self.apart.saturating_mul(index)).unwrap_or(TimeDelta::MAX);
        self.first_at.checked_add_signed(after).unwrap_or(Timestamp::MAX_UTC)
    }

    /// The last one.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        self.at(self.count.saturating_sub(1))
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let slots = *self;
        (0..slots.count).map(move |index| slots.at(index))
    }
}

/// What a slot is worth at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotState {
    /// Good after this long.
    Early(Duration),
    /// Good now.
    Good,
    /// Worth nothing any more: another has to be taken.
    Lapsed,
}

/// What the slot at `slot` is worth at `now`.
#[must_use]
pub fn slot_state(slot: Timestamp, now: Timestamp) -> SlotState {
    let late = now - slot;
    let early = (-late).to_std().ok().and_then(|ahead| ahead.checked_sub(SLOT_EARLY)).filter(|ahead| !ahead.is_zero());
    match early {
        Some(ahead) => SlotState::Early(ahead),
        None if late.to_std().is_ok_and(|late| late > SLOT_GRACE) => SlotState::Lapsed,
        None => SlotState::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(ms).unwrap()
    }

    #[test]
    fn slots_lie_evenly() {
        let slots = Slots { first_at: at(1000), apart: Duration::from_millis(250), count: 3 };
        assert_eq!(slots.iter().collect::<Vec<_>>(), [at(1000), at(1250), at(1500)]);
        assert_eq!(slots.last(), at(1500));
        let far = Slots { apart: Duration::MAX, ..slots };
        assert_eq!(far.at(2), Timestamp::MAX_UTC);
    }

    #[test]
    fn a_slot_is_good_from_a_second_before_until_ten_after() {
        let check = |now, state| assert_eq!(slot_state(at(20_000), at(now)), state, "{now}");
        check(18_999, SlotState::Early(Duration::from_millis(1)));
        check(19_000, SlotState::Good);
        check(20_000, SlotState::Good);
        check(30_000, SlotState::Good);
        check(30_001, SlotState::Lapsed);
        check(10_000, SlotState::Early(Duration::from_secs(9)));
    }
}
