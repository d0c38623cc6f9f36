//! What is kept of an account's limits, and the four things that happen to it. Pure: the store keeps it in one row.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;

use super::slots::Slots;
use super::{Budget, Lane, Limit};
use crate::clock::Timestamp;

/// A refusal leaves this much of the pace, in percent.
const AFTER_REFUSAL: u32 = 70;
/// The slowest pace, in percent of the budget.
const SLOWEST: u32 = 10;
/// Percent of the budget that the pace wins back in a minute without a refusal.
const RECOVERY: u32 = 5;
/// When to ask again for a connection while all are in use and none of the leases ends sooner.
const BUSY: Duration = Duration::from_secs(2);

/// The answer to a request for slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// At least one, at most as many as were asked for, none later than the horizon.
    Slots(Slots),
    /// None within the horizon. After this long half of it will be free again.
    Wait(Duration),
}

/// The answer to a request for connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// As many calls may be under way at once; at least 1.
    Some(u32),
    /// The account is blocked, slowed down, or all connections are in use. Ask again after this long.
    Wait(Duration),
}

/// How fast calls may be made after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Percent of the budget.
    pub percent: u32,
    /// From when on it recovers.
    pub since: Timestamp,
}

/// Connections lent to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// How many.
    pub count: u32,
    /// When they are free again, whatever has become of the worker.
    pub until: Timestamp,
}

/// The state of one account's limits. Lines are in microseconds since the epoch: the earliest time that is still free.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bucket {
    /// The minute's line.
    pub minute_us: i64,
    /// The day's line.
    pub day_us: i64,
    /// The line of live work.
    pub live_us: i64,
    /// The line of calls made while the pace is below 100 %: slots that were given out at a faster pace are thinned out by it.
    pub slowed_us: i64,
    /// Until when the provider wants to see nobody.
    pub blocked_until: Option<Timestamp>,
    /// The pace after the last refusal; `None` while there was none.
    pub pace: Option<Pace>,
    /// Who has connections.
    pub holders: BTreeMap<String, Hold>,
}

/// A line, with its place and step: the next slot is at `next_us`.
#[derive(Clone, Copy)]
struct Line {
    next_us: i64,
    apart_us: i64,
}

impl Line {
    /// How many of its slots, from its first on, are no later than `until_us`.
    fn count_until(self, until_us: i64) -> i64 {
        if self.next_us > until_us { 0 } else { (until_us - self.next_us) / self.apart_us + 1 }
    }
}

impl Bucket {
    /// The pace at `now`, in percent of the budget.
    #[must_use]
    pub fn pace_percent(&self, now: Timestamp) -> u32 {
        let Some(pace) = self.pace else { return 100 };
        let recovered = (now - pace.since).num_seconds().max(0) * i64::from(RECOVERY) / 60;
        pace.percent.saturating_add(u32::try_from(recovered).unwrap_or(100)).min(100)
    }

    /// How long the account is still blocked.
    #[must_use]
    pub fn blocked_for(&self, now: Timestamp) -> Option<Duration> {
        self.blocked_until.and_then(|until| (until - now).to_std().ok()).filter(|wait| !wait.is_zero())
    }

    /// Gives out the next `units` slots, fewer if the rest lies beyond `horizon`; changes nothing if it answers [`Reserved::Wait`].
    ///
    /// Live work takes slots of its own line where they come sooner; what it takes pushes the minute's line back, so that both
    /// together keep to our share in the long run. Slots before the end of a block are not given out.
    pub fn reserve(&mut self, budget: &Budget, lane: Lane, units: u32, horizon: Duration, now: Timestamp) -> Reserved {
        let (now_us, units) = (now.timestamp_micros(), i64::from(units.max(1)));
        let minute = self.line(self.minute_us, budget.minute, now);
        let live = budget.live.filter(|_| lane == Lane::Live).map(|limit| self.line(self.live_us, limit, now));
        let ahead = live.filter(|live| live.next_us < minute.next_us);
        let mut line = ahead.unwrap_or(minute);
        let mut count = units;
        if ahead.is_some() {
            count = count.min(line.count_until(minute.next_us - 1));
        }
        let day = budget.day.map(|limit| {
            let lagging = self.day_us.max(now_us.saturating_sub(limit.lag_us()));
            Line { next_us: lagging, apart_us: limit.apart_us() }
        });
        if let Some(day) = day {
            if day.next_us > line.next_us {
                line = Line { next_us: day.next_us, apart_us: line.apart_us.max(day.apart_us) };
            } else if day.apart_us > line.apart_us {
                // As many as the day allows at the minute's pace; whoever wants more asks again and gets the day's.
                count = count.min((line.next_us - day.next_us) / (day.apart_us - line.apart_us) + 1);
            }
        }
        let horizon_us = i64::try_from(horizon.as_micros()).unwrap_or(i64::MAX / 4);
        count = count.min(line.count_until(now_us.saturating_add(horizon_us)));
        let Ok(granted @ 1..) = u32::try_from(count) else {
            return Reserved::Wait(micros((line.next_us - now_us).saturating_sub(horizon_us / 2).max(1)));
        };
        let end_us = line.next_us.saturating_add(line.apart_us.saturating_mul(count));
        if ahead.is_some() {
            self.live_us = end_us;
            self.minute_us = minute.next_us.saturating_add(minute.apart_us.saturating_mul(count));
        } else {
            self.minute_us = end_us - line.apart_us + minute.apart_us;
        }
        if let Some(day) = day {
            self.day_us = day.next_us.saturating_add(day.apart_us.saturating_mul(count));
        }
        let first_at = Timestamp::from_timestamp_micros(line.next_us).unwrap_or(now);
        Reserved::Slots(Slots { first_at, apart: micros(line.apart_us), count: granted })
    }

    /// Lends `holder` up to `want` connections until `until`; what it had before goes back first. `want` is also the number of
    /// calls it is about to make, which the pace after a refusal counts. Changes nothing if it answers [`Held::Wait`].
    pub fn hold(&mut self, budget: &Budget, holder: &str, want: u32, until: Timestamp, now: Timestamp) -> Held {
        if let Some(wait) = self.blocked_for(now) {
            return Held::Wait(wait);
        }
        let others = self.holders.iter().filter(|(name, hold)| name.as_str() != holder && hold.until > now);
        let (mut used, mut soonest) = (0_u32, BUSY);
        for (_, hold) in others {
            used = used.saturating_add(hold.count);
            soonest = soonest.min((hold.until - now).to_std().unwrap_or_default());
        }
        let count = want.max(1).min(budget.concurrent.saturating_sub(used));
        if count == 0 {
            return Held::Wait(soonest.max(Duration::from_millis(1)));
        }
        if self.pace_percent(now) < 100 {
            // Slots may be used late, and so in bunches: those given out at the slower pace must all pass.
            let in_bunches = Limit { burst: budget.minute.burst.saturating_mul(3), ..budget.minute };
            let slowed = self.line(self.slowed_us, in_bunches, now);
            let wait_us = slowed.next_us - now.timestamp_micros();
            if wait_us > 0 {
                return Held::Wait(micros(wait_us));
            }
            self.slowed_us = slowed.next_us.saturating_add(slowed.apart_us.saturating_mul(i64::from(want.max(1))));
        }
        self.holders.retain(|_, hold| hold.until > now);
        self.holders.insert(holder.to_owned(), Hold { count, until });
        Held::Some(count)
    }

    /// Takes back what `holder` has; whether it had anything.
    pub fn let_go(&mut self, holder: &str, now: Timestamp) -> bool {
        let had = self.holders.remove(holder).is_some();
        self.holders.retain(|_, hold| hold.until > now);
        had
    }

    /// The provider has refused a call and wants to see nobody until `until`: blocks everybody, and slows everybody down afterwards.
    /// Several refusals of the same moment count once; a longer block that stands stays. Whether anything has changed.
    pub fn limited(&mut self, until: Timestamp, now: Timestamp) -> bool {
        let blocked = self.blocked_for(now).is_some();
        if blocked && self.blocked_until.is_some_and(|standing| standing >= until) {
            return false;
        }
        let percent = match self.pace {
            // One burst of calls brings many refusals: they are one reason to slow down.
            Some(pace) if blocked => pace.percent,
            _ => (self.pace_percent(now) * AFTER_REFUSAL / 100).max(SLOWEST),
        };
        self.pace = Some(Pace { percent, since: until });
        self.blocked_until = Some(until);
        true
    }

    /// A line as it stands at `now`: an idle one lags behind by the limit's burst, none begins within a block, and after a refusal
    /// its slots are further apart.
    fn line(&self, stored_us: i64, limit: Limit, now: Timestamp) -> Line {
        let blocked_us = self.blocked_until.map_or(i64::MIN, |until| until.timestamp_micros());
        let idle_us = now.timestamp_micros().saturating_sub(limit.lag_us());
        let apart_us = limit.apart_us().saturating_mul(100) / i64::from(self.pace_percent(now).max(1));
        Line { next_us: stored_us.max(idle_us).max(blocked_us), apart_us }
    }
}

fn micros(us: i64) -> Duration {
    Duration::from_micros(us.unsigned_abs())
}

/// The moment `wait` after `now`; the latest there is if that is beyond all time.
#[must_use]
pub fn after(now: Timestamp, wait: Duration) -> Timestamp {
    TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait)).unwrap_or(Timestamp::MAX_UTC)
}
