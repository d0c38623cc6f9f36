//! Dead letters: messages that no attempt mends, kept in the queue's dead-letter queue with the reason for people.

use domain::Timestamp;

use crate::batch::{self, Unsent, Wire};
use crate::envelope::{number, text};
use crate::error::Error;
use crate::{Queue, body};

/// What a queue's dead-letter queue is called: the queue's own name and this.
pub const DEAD_LETTERS: &str = "-dlq";
/// The attribute with the reason, for people.
pub const REASON: &str = "reason";
/// The attribute with the attempts that were made.
pub const ATTEMPTS: &str = "attempts";
/// The attribute with the time of the last attempt, RFC 3339.
pub const FAILED_AT: &str = "failed_at";
/// The attribute with the name of the queue that it came from.
pub const SOURCE_QUEUE: &str = "source_queue";

/// The longest reason that is kept.
const REASON_CHARS: usize = 1_000;

/// A message that was received and is beyond help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its group, as it came with it.
    pub group: String,
    /// Its body, as it came.
    pub body: String,
    /// Why it is beyond help, for people. Holds no secrets and nothing of the body.
    pub reason: String,
    /// Attempts that were made.
    pub attempts: u32,
}

impl<M> Queue<M> {
    /// Puts messages among the dead letters, each with its reason; those that could not be put there, by their places. One
    /// request per ten or per MiB.
    ///
    /// A message that stays on its queue as well will be there twice, which harms nobody; so the caller lets go of it afterwards.
    pub async fn bury(&self, letters: &[DeadLetter], now: Timestamp) -> Vec<Unsent> {
        let url = format!("{}{DEAD_LETTERS}", self.url);
        let mut wires = Vec::with_capacity(letters.len());
        for letter in letters {
            match self.wire(letter, now) {
                Ok(wire) => wires.push(wire),
                Err(error) => return vec![Unsent { places: (0..letters.len()).collect(), error }],
            }
        }
        batch::send_each(&self.client, &url, wires).await
    }

    fn wire(&self, letter: &DeadLetter, now: Timestamp) -> Result<Wire, Error> {
        let name = self.url.rsplit('/').next().unwrap_or_default();
        Ok(Wire {
            // An attribute and a body are never empty for SQS.
            group: if letter.group.is_empty() { "none".to_owned() } else { letter.group.clone() },
            body: if letter.body.is_empty() { "null".to_owned() } else { letter.body.clone() },
            delay_s: 0,
            attributes: vec![
                (REASON, text(readable(&letter.reason))?),
                (ATTEMPTS, number(letter.attempts)?),
                (FAILED_AT, text(now.to_rfc3339())?),
                (SOURCE_QUEUE, text(name)?),
            ],
        })
    }
}

/// A reason as SQS takes it: not empty, not too long, and of characters that XML knows.
fn readable(reason: &str) -> String {
    let text: String = reason.chars().filter(|letter| body::is_taken(*letter)).take(REASON_CHARS).collect();
    if text.trim().is_empty() { "no reason was given".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_that_sqs_takes() {
        assert_eq!(readable("a\u{0}b\u{ffff}ä\n"), "abä\n");
        assert_eq!(readable(" "), "no reason was given");
        assert_eq!(readable(&"x".repeat(5_000)).len(), REASON_CHARS);
    }
}
