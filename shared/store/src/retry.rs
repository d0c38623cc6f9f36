//! Waits between tries of what the SDK does not retry itself: batches left partly undone, and transactions that met others.

use std::time::Duration;

/// Tries before a call gives up as unavailable. With the waits below that is about three seconds.
pub(crate) const TRIES: u32 = 8;

/// The longest wait before the next try, by the number of tries already made (from 0).
fn longest(tries: u32) -> Duration {
    Duration::from_millis(20u64.saturating_mul(1 << tries.min(6)))
}

/// Waits a random part of a span that doubles with every try, so that those who met do not meet again.
pub(crate) async fn back_off(tries: u32) {
    let span_ms = u64::try_from(longest(tries).as_millis()).unwrap_or(u64::MAX);
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..=span_ms))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_stay_bounded() {
        assert_eq!(longest(0), Duration::from_millis(20));
        assert_eq!(longest(3), Duration::from_millis(160));
        assert_eq!(longest(40), Duration::from_millis(1280));
    }
}
