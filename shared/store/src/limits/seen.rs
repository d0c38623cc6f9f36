//! The limits as this process last saw them, each behind a lock of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::row::Row;

/// The most limits that are remembered; what is forgotten costs a request more the next time.
const MOST: usize = 1000;

type Seat = Arc<tokio::sync::Mutex<Option<Row>>>;

/// Remembers rows by their keys. Clones share what they remember.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<HashMap<String, Seat>>>);

impl Seen {
    /// The place of a limit. Whoever changes the limit keeps it locked meanwhile.
    pub(super) fn seat(&self, key: &str) -> Seat {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seats.get(key) {
            return seat.clone();
        }
        if seats.len() >= MOST {
            // Those that nobody is using just now.
            seats.retain(|_, seat| Arc::strong_count(seat) > 1);
        }
        seats.entry(key.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_one_seat_and_idle_ones_are_forgotten() {
        let seen = Seen::default();
        let kept = seen.seat("a");
        for number in 0..MOST {
            seen.clone().seat(&number.to_string());
        }
        assert!(Arc::ptr_eq(&kept, &seen.seat("a")));
        assert!(seen.0.lock().unwrap().len() < 10);
    }
}
