//! The strict rate limiter: a bucket per account that refuses what goes beyond, and counts both.

use std::{collections::BTreeMap, time::Instant};

use serde::{Deserialize, Serialize};

/// What `POST /control/limits` sets; an empty object switches the limiter off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Every request costs one.
    pub requests_per_minute: Option<u32>,
    /// Every request costs what the provider's price list says.
    pub units_per_minute: Option<u32>,
    /// How much may be used at once after a pause; a whole minute's worth when absent.
    pub burst: Option<u32>,
}

/// Allowed and refused requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub allowed: u64,
    pub refused: u64,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    filled: Instant,
    counts: Counts,
}

/// The limiter with one bucket per account.
#[derive(Debug, Default)]
pub struct Limits {
    rule: Rule,
    buckets: BTreeMap<String, Bucket>,
}

impl Limits {
    /// Replaces the rule; buckets start full and counts at zero.
    pub fn set(&mut self, rule: Rule) {
        self.rule = rule;
        self.buckets.clear();
    }

    /// The rule in force.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Whether `account` may make a request that costs `units` now. Always true without a rule.
    pub fn allows(&mut self, account: &str, units: u32, now: Instant) -> bool {
        let (per_minute, cost) = match (self.rule.requests_per_minute, self.rule.units_per_minute) {
            (Some(requests), _) => (requests, 1),
            (None, Some(limit)) => (limit, units),
            (None, None) => return true,
        };
        let capacity = f64::from(self.rule.burst.unwrap_or(per_minute)).max(f64::from(cost));
        let bucket = self.buckets.entry(account.to_owned()).or_insert_with(|| Bucket {
            left: capacity,
            filled: now,
            counts: Counts::default(),
        });
        let gained = now.saturating_duration_since(bucket.filled).as_secs_f64() * f64::from(per_minute) / 60.0;
        bucket.left = (bucket.left + gained).min(capacity);
        bucket.filled = now;
        // A millionth is forgiven: sums of fractions must not refuse a caller who is exactly on time.
        let allowed = bucket.left + 1e-6 >= f64::from(cost);
        if allowed {
            bucket.left -= f64::from(cost);
            bucket.counts.allowed += 1;
        } else {
            bucket.counts.refused += 1;
        }
        allowed
    }

    /// Counts of each account since the rule was set.
    pub fn counts(&self) -> BTreeMap<&str, Counts> {
        self.buckets.iter().map(|(account, bucket)| (account.as_str(), bucket.counts)).collect()
    }

    /// Counts of all accounts together.
    pub fn total(&self) -> Counts {
        self.buckets.values().fold(Counts::default(), |sum, bucket| Counts {
            allowed: sum.allowed + bucket.counts.allowed,
            refused: sum.refused + bucket.counts.refused,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn without_a_rule_everything_passes_uncounted() {
        let mut limits = Limits::default();
        assert!(limits.allows("ada", 1_000_000, Instant::now()));
        assert_eq!(limits.total(), Counts::default());
    }

    #[test]
    fn a_burst_passes_and_the_next_request_waits_for_its_share_of_the_minute() {
        let mut limits = Limits::default();
        limits.set(Rule { requests_per_minute: Some(60), burst: Some(2), ..Rule::default() });
        let start = Instant::now();
        assert!(limits.allows("ada", 5, start));
        assert!(limits.allows("ada", 5, start));
        assert!(!limits.allows("ada", 5, start));
        assert!(limits.allows("bob", 5, start), "each account has a bucket of its own");
        assert!(!limits.allows("ada", 5, start + Duration::from_millis(900)));
        assert!(limits.allows("ada", 5, start + Duration::from_millis(1000)));
        assert_eq!(limits.total(), Counts { allowed: 4, refused: 2 });
    }

    #[test]
    fn units_are_counted_by_the_price_of_the_request() {
        let mut limits = Limits::default();
        limits.set(Rule { units_per_minute: Some(300), ..Rule::default() });
        let start = Instant::now();
        assert!(limits.allows("ada", 200, start));
        assert!(limits.allows("ada", 100, start));
        assert!(!limits.allows("ada", 5, start));
        assert!(limits.allows("ada", 5, start + Duration::from_secs(1)));
    }
}
