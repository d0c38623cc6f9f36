//! When the scheduler looks at an integration next.

use domain::plan::Plan;
use domain::{Integration, IntegrationId, Status, Timestamp};

/// An integration in the state ERROR is tried at most this often.
const ERROR_TRIED_EVERY: chrono::TimeDelta = chrono::TimeDelta::days(1);

/// The most that a due time is put off to spread integrations that would fall due together.
const MOST_SPREAD: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// When an integration without a run is due next, seen from `now`: after the interval of its frequency, slowed down to the plan, plus
/// its share of a spread. Not before the provider's wait is over. `None`: never (MANUAL, or a state that is not scheduled).
#[must_use]
pub fn next_due(integration: &Integration, plan: Plan, has_webhooks: bool, now: Timestamp) -> Option<Timestamp> {
    due_after(integration, plan, has_webhooks, now)
        .map(|due| integration.blocked_until.map_or(due, |until| due.max(until)))
}

/// When an integration falls due after its settings or its state have changed: at once if the interval has passed since its last sync.
/// One in the state ERROR keeps the time of its next daily try.
pub(crate) fn due_since_last_sync(
    integration: &Integration,
    plan: Plan,
    has_webhooks: bool,
    now: Timestamp,
) -> Option<Timestamp> {
    let failing = integration.status == Status::Error;
    let from = integration.last_sync_at.filter(|_| !failing).unwrap_or(now);
    let due = due_after(integration, plan, has_webhooks, from)?.max(now);
    let due = integration.due_at.filter(|_| failing).unwrap_or(due);
    Some(integration.blocked_until.map_or(due, |until| due.max(until)))
}

fn due_after(integration: &Integration, plan: Plan, has_webhooks: bool, from: Timestamp) -> Option<Timestamp> {
    if !integration.status.is_scheduled() {
        return None;
    }
    let wanted = plan.interval(integration.sync_frequency, has_webhooks)?;
    let interval = if integration.status == Status::Error { wanted.max(ERROR_TRIED_EVERY) } else { wanted };
    Some(from + interval + spread(integration.id, interval))
}

/// An integration's share of a tenth of the interval (five minutes at most). It is the same every time, so that integrations that
/// once fell due together drift apart, and differs by id.
pub(crate) fn spread(id: IntegrationId, interval: chrono::TimeDelta) -> chrono::TimeDelta {
    let most_ms = (interval / 10).min(MOST_SPREAD).num_milliseconds().max(1);
    // FNV-1a over the id: its random part differs enough, and the result is the same in every build.
    let hash = id
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let share = i64::try_from((hash >> 16) % most_ms.unsigned_abs()).unwrap_or_default();
    chrono::TimeDelta::milliseconds(share)
}

#[cfg(test)]
pub(crate) mod tests {
    use domain::SyncFrequency;

    use super::*;

    pub(crate) fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    /// Ada's healthy integration, connected at 0.
    pub(crate) fn integration() -> Integration {
        Integration {
            change_cursor: Some("cursor".to_owned()),
            ..domain::testing::integration("user/ada", at(0)).unwrap()
        }
    }

    /// Checks that the next look comes `after` seconds from now, give or take the spread.
    fn check(integration: &Integration, plan: Plan, after: Option<i64>) {
        let due = next_due(integration, plan, true, at(1000)).map(|due| (due - at(1000)).num_seconds());
        match (due, after) {
            (Some(due), Some(after)) => assert!((after..=after + 300).contains(&due), "{due} instead of {after}"),
            (due, after) => assert_eq!(due, after),
        }
    }

    #[test]
    fn the_frequency_decides_within_the_plan() {
        let of = |sync_frequency| Integration { sync_frequency, ..integration() };
        check(&of(SyncFrequency::Hourly), Plan::Pro, Some(3600));
        check(&of(SyncFrequency::Hourly), Plan::Free, Some(86_400));
        check(&of(SyncFrequency::FifteenMin), Plan::Enterprise, Some(900));
        check(&of(SyncFrequency::Realtime), Plan::Enterprise, Some(6 * 3600));
        check(&of(SyncFrequency::Manual), Plan::Enterprise, None);
    }

    #[test]
    fn what_is_not_scheduled_is_never_due_and_errors_are_tried_daily() {
        let of = |status| Integration { status, ..integration() };
        check(&of(Status::Paused), Plan::Enterprise, None);
        check(&of(Status::TokenExpired), Plan::Enterprise, None);
        check(&of(Status::Disconnected), Plan::Enterprise, None);
        check(&of(Status::Error), Plan::Enterprise, Some(86_400));
        check(&of(Status::RateLimited), Plan::Enterprise, Some(3600));
    }

    #[test]
    fn nothing_is_due_before_the_providers_wait_is_over() {
        let blocked = Integration { blocked_until: Some(at(1000 + 50_000)), ..integration() };
        assert_eq!(next_due(&blocked, Plan::Pro, true, at(1000)), Some(at(51_000)));
        assert_eq!(due_since_last_sync(&blocked, Plan::Pro, true, at(1000)), Some(at(51_000)));
    }

    #[test]
    fn a_shorter_interval_that_has_passed_makes_it_due_at_once() {
        let synced = Integration { last_sync_at: Some(at(0)), ..integration() };
        assert_eq!(due_since_last_sync(&synced, Plan::Pro, true, at(10_000)), Some(at(10_000)));
        assert!(due_since_last_sync(&synced, Plan::Pro, true, at(1000)).unwrap() >= at(3600));
    }

    #[test]
    fn new_settings_try_nothing_sooner_that_failed_too_often() {
        let failing = Integration { status: Status::Error, last_sync_at: Some(at(0)), ..integration() };
        let due = |row: &Integration| due_since_last_sync(row, Plan::Pro, true, at(500_000));
        assert!(due(&failing).unwrap() >= at(500_000 + 86_400));
        assert_eq!(due(&Integration { due_at: Some(at(500_700)), ..failing.clone() }), Some(at(500_700)));
        assert_eq!(due(&Integration { sync_frequency: SyncFrequency::Manual, ..failing }), None);
    }

    #[test]
    fn many_integrations_spread_out() {
        let interval = chrono::TimeDelta::minutes(15);
        let mut seconds: Vec<_> = (0..200).map(|n| spread(IntegrationId::new(at(n)), interval).num_seconds()).collect();
        assert!(seconds.iter().all(|second| (0..90).contains(second)));
        seconds.sort_unstable();
        seconds.dedup();
        assert!(seconds.len() > 60, "{} different seconds", seconds.len());
    }
}
