//! Which subscriptions were written down as heard a moment ago, so that a busy one costs no write for each of its deliveries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Timestamp;
use domain::subscription::HEARD_EVERY;

/// Subscriptions remembered at most; beyond that all are forgotten, which costs a write each.
const MOST: usize = 10_000;

/// What this process has written. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<HashMap<String, Timestamp>>>);

impl Heard {
    /// Whether it is worth writing that the subscription was heard at `at`.
    pub fn is_news(&self, subscription_id: &str, at: Timestamp) -> bool {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.get(subscription_id).is_none_or(|last| at - *last >= HEARD_EVERY)
    }

    /// It has been written.
    pub fn written(&self, subscription_id: &str, at: Timestamp) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() >= MOST {
            written.clear();
        }
        written.insert(subscription_id.to_owned(), at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_subscription_is_written_down_every_five_minutes() {
        let (heard, at) = (Heard::default(), |second| Timestamp::from_timestamp(second, 0).unwrap());
        assert!(heard.is_news("a", at(0)));
        heard.written("a", at(0));
        assert!(!heard.clone().is_news("a", at(299)));
        assert!(heard.is_news("a", at(300)));
        assert!(heard.is_news("b", at(1)));
    }

    #[test]
    fn memory_is_bounded() {
        let (heard, at) = (Heard::default(), Timestamp::UNIX_EPOCH);
        for number in 0..=MOST {
            heard.written(&number.to_string(), at);
        }
        assert!(heard.0.lock().unwrap().len() <= MOST);
    }
}
