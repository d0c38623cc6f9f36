//! Waiting for a condition instead of for a time.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::bail;

/// Asks again until `look` gives a value, at most for `limit`. `what` completes the sentence "waited … for".
///
/// # Errors
/// When the limit passes, or when `look` fails.
pub async fn until<T>(
    what: impl Display,
    limit: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if began.elapsed() > limit {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
