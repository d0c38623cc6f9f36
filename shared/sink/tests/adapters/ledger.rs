//! An account of memories in memory, with the rules of the one in the table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use domain::memory::Sheet;
use domain::message::IntegrationRef;
use domain::{ExternalId, Timestamp};
use sink::Ledger;
use sink::cognia::Adopted;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Default)]
pub struct Account(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    sheets: BTreeMap<ExternalId, Sheet>,
    holders: BTreeMap<String, i64>,
    closed: BTreeSet<String>,
}

impl Rows {
    fn write(&mut self, id: &ExternalId, sheet: &Sheet) -> bool {
        let stored = self.sheets.get(id).map_or(0, |sheet| sheet.version);
        if stored != sheet.version {
            return false;
        }
        self.sheets.insert(id.clone(), Sheet { version: stored + 1, ..sheet.clone() });
        true
    }
}

impl Account {
    /// Memories that are held, with how many hold them.
    pub fn holders(&self) -> BTreeMap<String, i64> {
        self.0
            .lock()
            .unwrap()
            .holders
            .iter()
            .filter(|(_, count)| **count != 0)
            .map(|(id, count)| (id.clone(), *count))
            .collect()
    }
}

#[async_trait]
impl Ledger for Account {
    async fn read(&self, _: &IntegrationRef, id: &ExternalId) -> Result<Sheet, BoxError> {
        Ok(self.0.lock().unwrap().sheets.get(id).cloned().unwrap_or_default())
    }

    async fn write(&self, _: &IntegrationRef, id: &ExternalId, sheet: &Sheet) -> Result<bool, BoxError> {
        Ok(self.0.lock().unwrap().write(id, sheet))
    }

    async fn adopt(
        &self,
        _: &IntegrationRef,
        id: &ExternalId,
        sheet: &Sheet,
        gained: &BTreeMap<String, u32>,
    ) -> Result<Adopted, BoxError> {
        assert!(gained.len() <= 90, "more than a transaction holds");
        let mut rows = self.0.lock().unwrap();
        let closed: Vec<String> = gained.keys().filter(|memory| rows.closed.contains(*memory)).cloned().collect();
        if !closed.is_empty() {
            return Ok(Adopted::Leaving(closed));
        }
        if !rows.write(id, sheet) {
            return Ok(Adopted::Overtaken);
        }
        for (memory, count) in gained {
            *rows.holders.entry(memory.clone()).or_default() += i64::from(*count);
        }
        Ok(Adopted::Yes)
    }

    async fn release(
        &self,
        _: &IntegrationRef,
        id: &ExternalId,
        sheet: &Sheet,
        lost: &BTreeMap<String, u32>,
    ) -> Result<bool, BoxError> {
        assert!(lost.len() <= 90, "more than a transaction holds");
        let mut rows = self.0.lock().unwrap();
        if !rows.write(id, sheet) {
            return Ok(false);
        }
        for (memory, count) in lost {
            *rows.holders.entry(memory.clone()).or_default() -= i64::from(*count);
        }
        Ok(true)
    }

    async fn close(&self, memory_id: &str, _: Timestamp) -> Result<bool, BoxError> {
        let mut rows = self.0.lock().unwrap();
        let is_held = rows.holders.get(memory_id).is_some_and(|count| *count > 0);
        if !is_held {
            rows.closed.insert(memory_id.to_owned());
        }
        Ok(!is_held)
    }
}
