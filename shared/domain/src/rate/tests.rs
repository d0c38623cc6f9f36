//! What must hold of slots and connections whatever is asked for, and when.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::provider::RateLimits;

const QUARTER: Duration = Duration::from_secs(900);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(1_000_000_000_000 + ms).unwrap()
}

fn budget(per_minute: u32) -> Budget {
    RateLimits { per_minute, per_day: None, concurrent: 5 }.budget()
}

fn slots(answer: Reserved) -> Slots {
    match answer {
        Reserved::Slots(slots) => slots,
        Reserved::Wait(wait) => panic!("no slot for {wait:?}"),
    }
}

/// The most slots that lie in any stretch of this length.
fn most_within(slots: &mut [Timestamp], stretch: TimeDelta) -> usize {
    slots.sort_unstable();
    let (mut most, mut first) = (0, 0);
    for last in 0..slots.len() {
        while slots[last] - slots[first] > stretch {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

/// The slots that may all be used within one minute lie in a stretch of this length.
fn worst_minute() -> TimeDelta {
    TimeDelta::minutes(1) + TimeDelta::from_std(SLOT_EARLY + SLOT_GRACE).unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Reserve(bool, u32, u64),
    Wait(i64),
    Refused(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (any::<bool>(), 1..400_u32, prop_oneof![Just(1), Just(60), Just(900)])
            .prop_map(|(live, units, horizon)| Step::Reserve(live, units, horizon)),
        4 => prop_oneof![0..300_i64, 0..20_000_i64, 0..400_000_i64].prop_map(Step::Wait),
        1 => (0..100_000_i64).prop_map(Step::Refused),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn guarantee_47_no_minute_sees_more_calls_than_the_provider_allows(per_minute in prop_oneof![1..40_u32, 1..3000_u32], steps in steps()) {
        let (budget, mut bucket, mut now, mut given) = (budget(per_minute), Bucket::default(), at(0), Vec::new());
        for step in steps {
            match step {
                Step::Wait(ms) => now += TimeDelta::milliseconds(ms),
                Step::Refused(ms) => { bucket.limited(now + TimeDelta::milliseconds(ms), now); }
                Step::Reserve(live, units, horizon) => {
                    let (lane, before) = (if live { Lane::Live } else { Lane::Backfill }, bucket.clone());
                    let horizon = Duration::from_secs(horizon);
                    match bucket.reserve(&budget, lane, units, horizon, now) {
                        Reserved::Slots(slots) => {
                            prop_assert!((1..=units).contains(&slots.count));
                            prop_assert!(slots.last() <= now + TimeDelta::from_std(horizon).unwrap());
                            prop_assert!(slots.first_at >= now - TimeDelta::seconds(5), "it is still good for a while");
                            prop_assert!(bucket.blocked_until.is_none_or(|until| slots.first_at >= until));
                            given.extend(slots.iter());
                        }
                        Reserved::Wait(wait) => prop_assert!(bucket == before && !wait.is_zero()),
                    }
                }
            }
        }
        prop_assert!(most_within(&mut given, worst_minute()) <= per_minute as usize);
    }

    #[test]
    fn no_day_sees_more_calls_than_the_provider_allows(per_day in 24..20_000_u32, asks in proptest::collection::vec((any::<bool>(), 1..500_u32, 0..7_200_i64), 1..200)) {
        let budget = RateLimits { per_minute: 600, per_day: Some(per_day), concurrent: 4 }.budget();
        let (mut bucket, mut now, mut given) = (Bucket::default(), at(0), Vec::new());
        for (live, units, wait) in asks {
            now += TimeDelta::seconds(wait);
            let lane = if live { Lane::Live } else { Lane::Backfill };
            if let Reserved::Slots(slots) = bucket.reserve(&budget, lane, units, QUARTER, now) {
                given.extend(slots.iter());
            }
        }
        let day = TimeDelta::days(1) + TimeDelta::from_std(SLOT_EARLY + SLOT_GRACE).unwrap();
        prop_assert!(most_within(&mut given, day) <= per_day as usize);
    }

    #[test]
    fn never_more_connections_are_lent_than_there_are(concurrent in 1..20_u32, asks in proptest::collection::vec((0..6_u8, 0..15_u32, 0..3_000_i64), 1..100)) {
        let budget = Budget { concurrent, ..budget(600) };
        let (mut bucket, mut now) = (Bucket::default(), at(0));
        for (holder, want, wait) in asks {
            now += TimeDelta::milliseconds(wait);
            let holder = holder.to_string();
            if want == 0 {
                bucket.let_go(&holder, now);
            } else {
                let before = bucket.clone();
                match bucket.hold(&budget, &holder, want, now + TimeDelta::seconds(5), now) {
                    Held::Some(count) => prop_assert!((1..=want).contains(&count)),
                    Held::Wait(wait) => prop_assert!(bucket == before && wait <= Duration::from_secs(5)),
                }
            }
            let lent: u32 = bucket.holders.values().filter(|hold| hold.until > now).map(|hold| hold.count).sum();
            prop_assert!(lent <= concurrent);
        }
    }
}

#[test]
fn a_backfill_uses_the_whole_share_and_no_more() {
    for per_minute in [1, 3, 15, 100, 1625, 20_000] {
        let (budget, mut bucket, mut now, mut given) = (budget(per_minute), Bucket::default(), at(0), 0_u32);
        while now < at(3_600_000) {
            match bucket.reserve(&budget, Lane::Backfill, 100, QUARTER, now) {
                Reserved::Slots(slots) => given += slots.count,
                Reserved::Wait(wait) => now = after(now, wait),
            }
        }
        // What is given out by then reaches up to 15 minutes further.
        let (share, seconds) =
            (f64::from(per_minute) * 0.7 / 60.0, (bucket.minute_us - at(0).timestamp_micros()) / 1_000_000);
        #[expect(clippy::cast_precision_loss, reason = "compared roughly")]
        let most = share * seconds as f64;
        assert!(
            f64::from(given) >= most * 0.99 - 1.0 && f64::from(given) <= most * 1.01 + share * 5.0 + 1.0,
            "{per_minute}: {given} of {most}"
        );
    }
}

#[test]
fn live_work_goes_ahead_of_a_backfill_and_comes_out_of_the_same_share() {
    let (budget, mut bucket) = (budget(1200), Bucket::default());
    while let Reserved::Slots(_) = bucket.reserve(&budget, Lane::Backfill, 1000, QUARTER, at(0)) {}
    let full_us = bucket.minute_us;
    let ahead = slots(bucket.reserve(&budget, Lane::Live, 10, QUARTER, at(0)));
    assert!(ahead.count == 10 && ahead.first_at <= at(0) && ahead.last() <= at(0), "five seconds' worth at once");
    assert_eq!(bucket.minute_us - full_us, 10 * budget.minute.apart_us(), "the backfill gives way later");
    let next = slots(bucket.reserve(&budget, Lane::Live, 100, QUARTER, at(0)));
    assert_eq!(next.apart, Duration::from_millis(500), "then 120 a minute");
    assert!(matches!(bucket.reserve(&budget, Lane::Backfill, 1, QUARTER, at(0)), Reserved::Wait(_)));
}

#[test]
fn beyond_its_limit_live_work_queues_like_a_backfill() {
    let (budget, mut bucket) = (budget(1200), Bucket::default());
    slots(bucket.reserve(&budget, Lane::Backfill, 2, QUARTER, at(0)));
    let mut last = at(-10_000);
    for _ in 0..40 {
        let next = slots(bucket.reserve(&budget, Lane::Live, 5, QUARTER, at(0)));
        last = last.max(next.last());
    }
    assert!(last < at(20_000), "200 calls at 840 a minute and 120 ahead of them: {last}");
}

#[test]
fn a_tiny_limit_gives_every_call_its_turn() {
    let mut slack = Bucket::default();
    let ten = slots(slack.reserve(&budget(15), Lane::Backfill, 10, QUARTER, at(0)));
    assert_eq!((ten.first_at, ten.count), (at(0), 10));
    assert!(ten.apart >= Duration::from_millis(5714) && ten.apart < Duration::from_millis(5715));
    let live = slots(slack.reserve(&budget(15), Lane::Live, 10, QUARTER, at(1000)));
    assert_eq!((live.first_at, live.count), (at(1000), 2), "what comes sooner than the end of the queue");
    let mut one = Bucket::default();
    let few = slots(one.reserve(&budget(1), Lane::Live, 100, QUARTER, at(0)));
    assert_eq!((few.count, few.apart.as_secs()), (11, 85));
}

#[test]
fn what_lies_beyond_the_horizon_waits_until_half_of_it_is_free() {
    let (budget, mut bucket) = (budget(60), Bucket::default());
    while let Reserved::Slots(slots) = bucket.reserve(&budget, Lane::Backfill, 100, QUARTER, at(0)) {
        assert!(slots.last() <= at(900_000));
    }
    let Reserved::Wait(wait) = bucket.reserve(&budget, Lane::Backfill, 1, QUARTER, at(0)) else { panic!("beyond it") };
    assert!((450..460).contains(&wait.as_secs()), "{wait:?}");
    assert!(slots(bucket.reserve(&budget, Lane::Backfill, 1000, QUARTER, after(at(0), wait))).count >= 300);
}

#[test]
fn an_exhausted_day_gives_slots_at_the_day_s_pace() {
    let budget = RateLimits { per_minute: 600, per_day: Some(1440), concurrent: 1 }.budget();
    let mut bucket = Bucket::default();
    let first = slots(bucket.reserve(&budget, Lane::Backfill, 100, QUARTER, at(0)));
    assert!((40..=45).contains(&first.count), "an hour's worth at the minute's pace: {first:?}");
    let then = slots(bucket.reserve(&budget, Lane::Backfill, 100, QUARTER, first.last()));
    assert!(then.apart > Duration::from_secs(85) && then.count < 12, "{then:?}");
}

#[test]
fn a_block_holds_everyone_only_grows_and_ends_by_itself() {
    let (budget, mut bucket) = (budget(1200), Bucket::default());
    assert!(bucket.limited(at(30_000), at(0)));
    assert!(!bucket.limited(at(10_000), at(1)), "a shorter one changes nothing");
    assert_eq!(bucket.hold(&budget, "w", 1, at(60_000), at(0)), Held::Wait(Duration::from_secs(30)));
    for lane in [Lane::Backfill, Lane::Live] {
        assert_eq!(slots(bucket.reserve(&budget, lane, 1, QUARTER, at(0))).first_at, at(30_000));
    }
    assert!(matches!(bucket.reserve(&budget, Lane::Live, 1, Duration::from_secs(1), at(0)), Reserved::Wait(_)));
    assert_eq!(bucket.hold(&budget, "w", 1, at(60_000), at(30_000)), Held::Some(1));
}

#[test]
fn a_refusal_slows_everyone_down_once_and_wears_off() {
    let (budget, mut bucket) = (budget(1200), Bucket::default());
    let check = |bucket: &Bucket, ms, percent| assert_eq!(bucket.pace_percent(at(ms)), percent, "{ms}");
    check(&bucket, 0, 100);
    bucket.limited(at(10_000), at(0));
    bucket.limited(at(12_000), at(5));
    check(&bucket, 12_000, 70);
    let slow = slots(bucket.reserve(&budget, Lane::Backfill, 2, QUARTER, at(12_000)));
    assert_eq!(slow.apart.as_millis(), 102, "instead of 71");
    bucket.limited(at(75_000), at(72_000));
    check(&bucket, 75_000, 52);
    check(&bucket, 75_000 + 60_000, 57);
    check(&bucket, 75_000 + 600_000, 100);
    for minute in 0..60 {
        bucket.limited(at(1_000_000 + minute * 60_000), at(1_000_000 + minute * 60_000));
    }
    assert!(bucket.pace_percent(at(4_600_000)) >= 10, "it never stands still");
}

#[test]
fn slots_that_were_given_out_before_a_refusal_are_thinned_out() {
    let (budget, mut bucket) = (budget(1200), Bucket::default());
    bucket.limited(at(0), at(0));
    let mut made = 0;
    // Ten calls every 714 ms had been reserved.
    for ms in (0..60_000).step_by(714) {
        if let Held::Some(_) = bucket.hold(&budget, &ms.to_string(), 10, at(ms + 10), at(ms)) {
            made += 10;
        }
    }
    assert!((560..=660).contains(&made), "70 % of 840 a minute: {made}");
}

#[test]
fn a_dead_worker_s_connections_are_free_again_when_its_lease_ends() {
    let (budget, mut bucket) = (budget(600), Bucket::default());
    assert_eq!(bucket.hold(&budget, "dead", 3, at(60_000), at(0)), Held::Some(3));
    assert_eq!(bucket.hold(&budget, "a", 3, at(60_000), at(0)), Held::Some(1), "as many as there are left");
    assert_eq!(bucket.hold(&budget, "b", 3, at(60_000), at(0)), Held::Wait(Duration::from_secs(2)));
    assert_eq!(bucket.hold(&budget, "b", 3, at(90_000), at(59_500)), Held::Wait(Duration::from_millis(500)));
    assert_eq!(bucket.hold(&budget, "b", 9, at(90_000), at(60_000)), Held::Some(4));
    assert!(bucket.let_go("b", at(60_001)) && !bucket.let_go("dead", at(60_001)));
}
