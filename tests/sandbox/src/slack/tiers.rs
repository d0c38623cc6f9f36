//! Slack's rate limits: so many calls a minute for each method and workspace.

use super::state::{Slack, Tiers};
use crate::clock;

const MINUTE_MS: i64 = 60_000;

/// Calls a minute that a method allows. <https://docs.slack.dev/apis/web-api/rate-limits>
fn per_minute(method: &str, tiers: Tiers) -> usize {
    match (method, tiers) {
        ("conversations.history" | "conversations.replies", Tiers::Restricted) => 1,
        (
            "users.conversations"
            | "conversations.info"
            | "conversations.history"
            | "conversations.replies"
            | "files.list",
            _,
        ) => 50,
        ("conversations.list" | "users.list", _) => 20,
        _ => 100,
    }
}

/// Takes a call; how many seconds to wait if there is none left.
pub fn take(slack: &mut Slack, team: &str, method: &str) -> Option<u64> {
    let tiers = slack.settings.tiers;
    if tiers == Tiers::Off {
        return None;
    }
    let now = clock::now().timestamp_millis();
    let calls = slack.calls.entry(format!("{team} {method}")).or_default();
    calls.retain(|at| now - at < MINUTE_MS);
    if calls.len() < per_minute(method, tiers) {
        calls.push_back(now);
        return None;
    }
    let first = calls.front().copied().unwrap_or(now);
    u64::try_from((first + MINUTE_MS - now).max(0)).ok().map(|ms| ms.div_ceil(1000).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_and_workspace_has_its_own_minute() {
        let mut slack = Slack::default();
        slack.settings.tiers = Tiers::Restricted;
        assert_eq!(take(&mut slack, "T1", "conversations.history"), None);
        let wait = take(&mut slack, "T1", "conversations.history").unwrap();
        assert!((59..=60).contains(&wait), "{wait}");
        assert_eq!(take(&mut slack, "T1", "conversations.replies"), None);
        assert_eq!(take(&mut slack, "T2", "conversations.history"), None);
        let users = (0..101).filter(|_| take(&mut slack, "T1", "users.info").is_none()).count();
        assert_eq!(users, 100);
    }
}
