//! Opened access tokens of the last minutes, so that a busy worker does not decrypt one token for every message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{IntegrationId, Timestamp};
use secrecy::SecretString;

/// How long an opened token is kept: minutes at most, like the vault's plaintext keys.
const KEEP: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// How many are kept at once; a worker of one environment serves few integrations at a time.
const MOST: usize = 256;

/// Opened tokens by integration and pair. A new pair never hits an old entry. Dropped secrets are wiped.
#[derive(Clone, Default)]
pub struct Opened(Arc<Mutex<HashMap<IntegrationId, Entry>>>);

/// Tells the pairs of an integration apart: when it was issued, and its version, which starts again when an account is
/// connected again after a disconnection.
pub type Stamp = (Timestamp, u64);

struct Entry {
    stamp: Stamp,
    token: SecretString,
    at: Timestamp,
}

impl Opened {
    /// The token of this pair, if it was opened lately.
    pub fn get(&self, id: IntegrationId, stamp: Stamp, now: Timestamp) -> Option<SecretString> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(&id).filter(|entry| entry.stamp == stamp && now - entry.at < KEEP).map(|entry| entry.token.clone())
    }

    /// Keeps a token. Never puts an older pair over a newer one.
    pub fn put(&self, id: IntegrationId, stamp: Stamp, token: SecretString, now: Timestamp) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.get(&id).is_some_and(|entry| entry.stamp > stamp) {
            return;
        }
        entries.retain(|_, entry| now - entry.at < KEEP);
        if entries.len() >= MOST {
            entries.clear();
        }
        entries.insert(id, Entry { stamp, token, at: now });
    }

    /// Forgets an integration's token.
    pub fn forget(&self, id: IntegrationId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn guarantee_15_a_token_is_kept_for_its_pair_and_its_minutes() {
        let (cache, id) = (Opened::default(), IntegrationId::new(at(0)));
        let (old, new, newer) = ((at(0), 7), (at(10), 1), (at(10), 2));
        cache.put(id, new, "new".into(), at(10));
        cache.put(id, old, "old".into(), at(11));
        assert_eq!(cache.get(id, new, at(309)).unwrap().expose_secret(), "new");
        assert!(cache.get(id, old, at(11)).is_none());
        assert!(cache.get(id, newer, at(11)).is_none());
        assert!(cache.get(id, new, at(310)).is_none());
        cache.forget(id);
        assert!(cache.get(id, new, at(11)).is_none());
    }
}
