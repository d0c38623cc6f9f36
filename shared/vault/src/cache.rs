//! Data keys in the clear: each for five minutes at most, a bounded number of them, wiped when they go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use domain::Timestamp;

use crate::context::Context;
use crate::envelope::DataKey;

/// How long a key is kept. After a key is disabled in KMS, tokens still open for so long.
const KEPT: TimeDelta = TimeDelta::minutes(5);

/// How many are kept; far more than the integrations that one function instance serves in five minutes.
const MOST: usize = 512;

/// Which key: its wrapped form, and where it belongs, so that a hit means what a call to KMS would.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    wrapped: Vec<u8>,
    table: String,
    owner: String,
    integration_id: domain::IntegrationId,
}

impl CacheKey {
    pub(crate) fn new(context: &Context<'_>, wrapped: &[u8]) -> Self {
        Self {
            wrapped: wrapped.to_vec(),
            table: context.table.to_owned(),
            owner: context.owner.to_string(),
            integration_id: context.integration_id,
        }
    }
}

/// The place of one key. Whoever finds it empty holds its lock while asking KMS, so that others wait instead of asking too.
#[derive(Default)]
pub(crate) struct Slot {
    kept: Option<(DataKey, Timestamp)>,
}

impl Slot {
    /// The key, unless it is too old. A clock that went backwards makes it too old as well.
    pub(crate) fn get(&mut self, now: Timestamp) -> Option<DataKey> {
        self.kept.take_if(|(_, since)| now < *since || now - *since >= KEPT);
        self.kept.as_ref().map(|(key, _)| key.clone())
    }

    pub(crate) fn put(&mut self, key: &DataKey, now: Timestamp) {
        self.kept = Some((key.clone(), now));
    }
}

type SharedSlot = Arc<tokio::sync::Mutex<Slot>>;

/// The keys of one process.
#[derive(Default)]
pub(crate) struct Cache {
    slots: Mutex<HashMap<CacheKey, SharedSlot>>,
}

impl Cache {
    /// The place of a key, made if there is none.
    pub(crate) fn slot(&self, key: CacheKey, now: Timestamp) -> SharedSlot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // Old keys are wiped by whatever use comes next, not only by a use of their own.
        slots.retain(|_, slot| {
            // Held by somebody beside this map: about to be filled, and others must find it.
            Arc::strong_count(slot) > 1 || slot.try_lock().map_or(true, |mut slot| slot.get(now).is_some())
        });
        if slots.len() >= MOST && !slots.contains_key(&key) {
            // One that nobody is just asking KMS for; the oldest of them.
            let age = |slot: &SharedSlot| slot.try_lock().ok()?.kept.as_ref().map(|(_, since)| *since);
            let oldest = slots.iter().filter_map(|(key, slot)| Some((age(slot)?, key))).min_by_key(|(at, _)| *at);
            if let Some(oldest) = oldest.map(|(_, key)| key.clone()) {
                slots.remove(&oldest);
            }
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Owner;
    use zeroize::Zeroizing;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    fn cache_key(owner: &str, wrapped: &[u8]) -> CacheKey {
        let owner: Owner = owner.parse().unwrap();
        let integration_id = "01JD0000000000000000000000".parse().unwrap();
        CacheKey::new(&Context { table: "t", owner: &owner, integration_id }, wrapped)
    }

    fn put(cache: &Cache, key: CacheKey, now: Timestamp) {
        cache.slot(key, now).try_lock().unwrap().put(&Zeroizing::new([1; 32]), now);
    }

    fn has(cache: &Cache, key: CacheKey, now: Timestamp) -> bool {
        cache.slot(key, now).try_lock().unwrap().get(now).is_some()
    }

    #[test]
    fn guarantee_15_a_key_is_kept_five_minutes_and_no_longer() {
        let cache = Cache::default();
        put(&cache, cache_key("user/ada", b"w"), at(1000));
        assert!(has(&cache, cache_key("user/ada", b"w"), at(1299)));
        assert!(!has(&cache, cache_key("user/ada", b"w"), at(1300)));
        put(&cache, cache_key("user/ada", b"w"), at(1000));
        assert!(!has(&cache, cache_key("user/ada", b"w"), at(999)), "the clock went back");
    }

    #[test]
    fn a_key_of_another_owner_is_not_found() {
        let cache = Cache::default();
        put(&cache, cache_key("user/ada", b"w"), at(0));
        assert!(!has(&cache, cache_key("user/bob", b"w"), at(0)));
    }

    #[test]
    fn the_number_of_keys_is_bounded_and_the_oldest_go() {
        let cache = Cache::default();
        for i in 0..MOST + 10 {
            let second = i64::try_from(i).unwrap() / 10;
            put(&cache, cache_key("user/ada", &i.to_be_bytes()), at(second));
        }
        assert_eq!(cache.slots.lock().unwrap().len(), MOST);
        assert!(has(&cache, cache_key("user/ada", &(MOST + 9).to_be_bytes()), at(60)));
        assert!(!cache.slots.lock().unwrap().contains_key(&cache_key("user/ada", &0usize.to_be_bytes())));
    }
}
