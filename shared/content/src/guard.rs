//! A thread of its own for each file. The readers look at the clock themselves and do not panic; this is for the day when one of
//! them, or a library below it, has a fault that we did not find.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::Text;
use crate::error::Error;

/// Time beyond the limit that a reader gets to notice the limit by itself.
const GRACE: Duration = Duration::from_secs(2);
/// Stack of the thread, in bytes. Nesting is bounded everywhere, so this is far more than a reader needs.
const STACK_BYTES: usize = 4 << 20;

/// Runs `work` and waits for it. Work that overruns is left behind and reported as timed out; a panic, in a binary that
/// unwinds, becomes [`Error::Unreadable`].
pub(crate) fn run(time: Duration, work: impl FnOnce() -> Result<Text, Error> + Send + 'static) -> Result<Text, Error> {
    let (sender, receiver) = sync_channel(1);
    thread::Builder::new().name("content".to_owned()).stack_size(STACK_BYTES).spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(Error::unreadable("it is malformed in a way that is not understood")));
        // Nobody listens any more when the work has overrun.
        let _ = sender.send(result);
    })?;
    match receiver.recv_timeout(time.saturating_add(GRACE)) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(Error::TimedOut(time)),
        Err(RecvTimeoutError::Disconnected) => Err(Error::unreadable("reading it stopped halfway")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guarantee_24_a_panic_is_an_unreadable_file() {
        std::panic::set_hook(Box::new(|_| {}));
        let result = run(Duration::from_secs(5), || panic!("a fault"));
        let _ = std::panic::take_hook();
        assert_eq!(result.unwrap_err().code(), "unreadable");
    }

    #[test]
    fn guarantee_24_work_that_overruns_is_left_behind() {
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let result = run(Duration::ZERO, move || {
            let _ = blocked.recv();
            Err(Error::Encrypted)
        });
        assert_eq!(result.unwrap_err().code(), "timed_out");
        drop(release);
    }
}
