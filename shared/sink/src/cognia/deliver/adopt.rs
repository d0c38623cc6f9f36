//! What is there: found by our keys, and taken up under the name that Cognia gave it.

use std::collections::{BTreeMap, BTreeSet};

use domain::UserId;
use domain::memory::Sheet;

use super::super::ledger::Adopted;
use super::super::parts::Part;
use super::super::text::probe;
use super::super::wire;
use super::{Delivery, Halt, unaccounted};
use crate::error::Error;

/// A part, the hash of what was submitted of it, and the memory that it became.
pub(super) type Made = (String, String, String);

impl Delivery<'_> {
    /// Looks for parts that were submitted, and takes up those that are there.
    pub(super) async fn take_up(&self, sheet: &mut Sheet, acting: &UserId, parts: &[&Part]) -> Result<(), Halt> {
        let wanted: Vec<(&String, &String)> = parts.iter().map(|part| (&part.id, &part.hash)).collect();
        let mut known = self.known(acting, &wanted, None).await?;
        for part in parts {
            // One that was taken for the double of an older memory is not among the newest.
            if !known.contains_key(&part.id)
                && let Some(words) = probe(&part.text)
            {
                known.extend(self.known(acting, &[(&part.id, &part.hash)], Some(&words)).await?);
            }
        }
        let hashes: BTreeMap<&String, &String> = wanted.into_iter().collect();
        let found: Vec<Made> = known
            .into_iter()
            .filter_map(|(part, memory_id)| hashes.get(&part).map(|hash| (part.clone(), (*hash).clone(), memory_id)))
            .collect();
        self.adopt(sheet, acting, &found).await
    }

    /// The memories of these parts, among a person's newest or those with these words. One that a person threw away is deleted for good,
    /// so that its text can come in again.
    pub(super) async fn known(
        &self,
        person: &UserId,
        parts: &[(&String, &String)],
        words: Option<&str>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let integration = self.integration.integration_id.to_string();
        let keys: BTreeMap<String, &String> = parts
            .iter()
            .map(|(part, hash)| (wire::key(&integration, self.external_id.as_str(), part, hash), *part))
            .collect();
        let mut known = BTreeMap::new();
        for memory in self.api.newest(person, words).await? {
            let ours: Vec<&String> = memory.keys.iter().filter_map(|key| keys.get(key).copied()).collect();
            if ours.is_empty() {
                continue;
            }
            if memory.is_trashed {
                self.api.delete(person, &memory.id).await?;
                continue;
            }
            known.extend(ours.into_iter().map(|part| (part.clone(), memory.id.clone())));
        }
        Ok(known)
    }

    /// Takes up parts under their names. A memory that others are deleting just now is deleted here too, and its parts are submitted
    /// again.
    pub(super) async fn adopt(&self, sheet: &mut Sheet, person: &UserId, found: &[Made]) -> Result<(), Halt> {
        let mut leaving: BTreeSet<String> = BTreeSet::new();
        for _ in 0..=found.len() {
            let mut with = sheet.clone();
            let mut gained: BTreeMap<String, u32> = BTreeMap::new();
            for (part, hash, memory_id) in found {
                if leaving.contains(memory_id) {
                    with.submitted.remove(part);
                } else {
                    with.hold(part, hash, memory_id);
                    *gained.entry(memory_id.clone()).or_default() += 1;
                }
            }
            if found.is_empty() {
                return Ok(());
            }
            let adopted = self.ledger.adopt(self.integration, self.external_id, &with, &gained).await;
            match adopted.map_err(unaccounted)? {
                Adopted::Yes if leaving.is_empty() => {
                    *sheet = with;
                    return self.written(sheet, true);
                }
                // The rest begins anew, from a sheet that does not say they were submitted.
                Adopted::Yes | Adopted::Overtaken => return Err(Halt::Overtaken),
                Adopted::Leaving(memories) => {
                    for memory_id in &memories {
                        self.api.delete(person, memory_id).await?;
                    }
                    leaving.extend(memories);
                }
            }
        }
        Err(Halt::Overtaken)
    }
}
