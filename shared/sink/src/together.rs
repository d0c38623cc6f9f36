//! A batch's calls side by side, until the sink asks to wait: then nothing more of the batch is begun.

use std::sync::OnceLock;
use std::time::Duration;

use futures::StreamExt as _;

use crate::error::Error;

/// Runs the calls, at most `at_once` of them at a time; their results in their order. Once one is told to wait, those that have not begun
/// are told the same.
pub(crate) async fn until_busy<T, F>(calls: Vec<F>, at_once: usize) -> Vec<Result<T, Error>>
where
    F: Future<Output = Result<T, Error>>,
{
    let busy: &OnceLock<Duration> = &OnceLock::new();
    let calls = calls.into_iter().map(|call| async move {
        if let Some(wait) = busy.get() {
            return Err(Error::busy(*wait));
        }
        let result = call.await;
        if let Err(Error::Busy { wait, asked: true, .. }) = &result {
            // The first to hear it tells the others; a second word changes nothing.
            let _ = busy.set(*wait);
        }
        result
    });
    futures::stream::iter(calls).buffered(at_once).collect().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    #[tokio::test]
    async fn guarantee_16_after_a_wait_nothing_more_is_begun() {
        let begun = &AtomicUsize::new(0);
        let call = |number: usize| async move {
            begun.fetch_add(1, SeqCst);
            if number == 1 { Err(Error::busy(Duration::from_secs(9))) } else { Ok(number) }
        };
        let results = until_busy((0..10).map(call).collect(), 1).await;
        assert_eq!(begun.load(SeqCst), 2);
        assert!(matches!(results[0], Ok(0)));
        assert!(
            results[1..].iter().all(|result| matches!(result, Err(Error::Busy { wait, .. }) if wait.as_secs() == 9))
        );
    }
}
