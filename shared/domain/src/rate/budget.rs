//! What we allow ourselves of a provider's limits, such that the worst minute stays within them.

use std::time::Duration;

use super::Limit;
use super::slots::{SLOT_EARLY, SLOT_GRACE};
use crate::provider::RateLimits;

/// The share of a provider's quota that we use, in percent. The rest is left to the customer's own use of the account.
const OUR_PERCENT: u32 = 70;
/// The share of the quota that live work may take ahead of reserved slots, in percent; in the long run it comes out of our share.
const LIVE_PERCENT: u32 = 10;
/// How much of a minute may be taken at once after idle times: five seconds' worth.
const BURSTS_A_MINUTE: u32 = 12;
/// How much of a day may be taken at once: an hour's worth.
const BURSTS_A_DAY: u32 = 24;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// What we allow ourselves of one account at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Our share of the minute.
    pub minute: Limit,
    /// Our share of the day, where the provider limits it.
    pub day: Option<Limit>,
    /// What live work may take ahead of reserved slots. `None` where the limit is too small to be shared out.
    pub live: Option<Limit>,
    /// Calls that resource workers may have under way at once, everywhere. One less than the provider allows: listings, which are made
    /// one by one, hold nothing.
    pub concurrent: u32,
}

impl Budget {
    /// The budget under these limits.
    ///
    /// A minute sees at most the slots of `60 s + SLOT_EARLY + SLOT_GRACE` = 71 s, plus one for the window's two ends, of both
    /// lines: 82.8 % + 11.8 % + 2 calls. From 38 calls a minute on that is within the limit; below, the live line is thinned out
    /// to one call in 72 s, and where that is too much, left out.
    #[must_use]
    pub fn of(limits: RateLimits) -> Self {
        let full = limits.per_minute.max(1);
        let minute = percent(full, OUR_PERCENT, MINUTE, BURSTS_A_MINUTE);
        let worst = |live: Limit| most_in_a_minute(minute) + most_in_a_minute(live) <= u128::from(full);
        let rare = Limit { units: 1, period: worst_window() + Duration::from_secs(1), burst: 1 };
        let live = [percent(full, LIVE_PERCENT, MINUTE, BURSTS_A_MINUTE), rare].into_iter().find(|live| worst(*live));
        let day = limits.per_day.map(|units| percent(units.max(1), OUR_PERCENT, DAY, BURSTS_A_DAY));
        Self { minute, day, live, concurrent: limits.concurrent.saturating_sub(1).max(1) }
    }
}

/// The stretch of a line whose slots may all be used within one minute.
fn worst_window() -> Duration {
    MINUTE + SLOT_EARLY + SLOT_GRACE
}

/// The most calls that slots of this line allow within a minute.
fn most_in_a_minute(limit: Limit) -> u128 {
    worst_window().as_micros() / u128::from(limit.apart_us().unsigned_abs()) + 1
}

/// This share of `units` a period. Periods are multiplied instead of units divided, so that small limits lose nothing by rounding.
fn percent(units: u32, percent: u32, period: Duration, bursts: u32) -> Limit {
    let share = u64::from(units) * u64::from(percent);
    let burst = u32::try_from(share / 100 / u64::from(bursts)).unwrap_or(u32::MAX).max(1);
    match u32::try_from(share) {
        Ok(units) => Limit { units, period: period * 100, burst },
        Err(_) => Limit { units: u32::try_from(share / 100).unwrap_or(u32::MAX), period, burst },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(per_minute: u32) -> Budget {
        RateLimits { per_minute, per_day: None, concurrent: 4 }.budget()
    }

    #[test]
    fn no_minute_sees_more_than_the_provider_allows() {
        for per_minute in 1..=4000 {
            let Budget { minute, live, .. } = budget(per_minute);
            let most = most_in_a_minute(minute) + live.map_or(0, most_in_a_minute);
            assert!(most <= u128::from(per_minute), "{per_minute}: {most}");
        }
    }

    #[test]
    fn our_share_is_seventy_percent_however_small_the_limit() {
        for per_minute in [1, 2, 15, 100, 1625, 60_000, u32::MAX] {
            let apart_us = budget(per_minute).minute.apart_us();
            let wanted = 60_000_000.0 / (f64::from(per_minute) * 0.7);
            #[expect(clippy::cast_precision_loss, reason = "compared roughly")]
            let apart = apart_us as f64;
            assert!(apart >= wanted && apart <= wanted + 1.0, "{per_minute}: {apart} {wanted}");
        }
    }

    #[test]
    fn live_work_has_a_line_of_its_own_where_there_is_room_for_one() {
        let check = |per_minute, live: Option<i64>| {
            assert_eq!(budget(per_minute).live.map(Limit::apart_us), live, "{per_minute}");
        };
        check(1, None);
        check(5, None);
        check(6, Some(100_000_000));
        check(10, Some(72_000_000));
        check(15, Some(40_000_000));
        check(1625, Some(369_231));
    }

    #[test]
    fn a_day_has_our_share_and_an_hour_at_once() {
        let limits = RateLimits { per_minute: 1, per_day: Some(1000), concurrent: 0 };
        let Budget { day: Some(day), concurrent, .. } = limits.budget() else { panic!("no day") };
        assert_eq!((day.apart_us(), day.burst, concurrent), (123_428_572, 29, 1));
    }
}
