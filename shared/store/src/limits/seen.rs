//! The limits as this process last saw them, each behind a lock of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::IntegrationId;

use super::row::Row;

/// The most limits that are remembered; what is forgotten costs a request more the next time.
const MOST: usize = 1000;

type Seat = Arc<tokio::sync::Mutex<Option<Row>>>;

/// Remembers rows by their keys, and which limit an integration's calls count for. Clones share what they remember.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    seats: Arc<Mutex<HashMap<String, Seat>>>,
    keys: Arc<Mutex<HashMap<IntegrationId, String>>>,
}

impl Seen {
    /// The limit of an integration that was met before.
    pub(crate) fn key_of(&self, id: IntegrationId) -> Option<String> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Remembers an integration's limit.
    pub(crate) fn remember(&self, id: IntegrationId, key: String) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MOST {
            keys.clear();
        }
        keys.insert(id, key);
    }

    /// Takes note of a row that was read along with others, unless it is being changed just now or was seen later.
    pub(super) fn note(&self, key: &str, row: Row) {
        if let Ok(mut seen) = self.seat(key).try_lock()
            && seen.as_ref().is_none_or(|seen| seen.version < row.version)
        {
            *seen = Some(row);
        }
    }

    /// The place of a limit. Whoever changes the limit keeps it locked meanwhile.
    pub(super) fn seat(&self, key: &str) -> Seat {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
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
    fn only_a_later_row_is_taken_note_of() {
        let seen = Seen::default();
        let row = |version| Row { version, ..Row::default() };
        seen.note("a", row(2));
        seen.note("a", row(1));
        assert_eq!(seen.seat("a").try_lock().unwrap().as_ref().map(|row| row.version), Some(2));
        let seat = seen.seat("a");
        let changing = seat.try_lock().unwrap();
        seen.note("a", row(9));
        assert_eq!(changing.as_ref().map(|row| row.version), Some(2), "whoever is changing it goes by what it saw");
    }

    #[test]
    fn a_limit_has_one_seat_and_idle_ones_are_forgotten() {
        let seen = Seen::default();
        let kept = seen.seat("a");
        for number in 0..MOST {
            seen.clone().seat(&number.to_string());
        }
        assert!(Arc::ptr_eq(&kept, &seen.seat("a")));
        assert!(seen.seats.lock().unwrap().len() < 10);
    }
}
