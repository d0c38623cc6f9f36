//! The account that the Cognia sink keeps of memories, in the table of records.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::clock::SharedClock;
use domain::memory::Sheet;
use domain::message::IntegrationRef;
use domain::{ExternalId, Timestamp};
use sink::Ledger;
use sink::cognia::Adopted;
use store::Store;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The table's rows as the sink asks for them.
pub(crate) struct StoredLedger {
    pub store: Store,
    pub clock: SharedClock,
}

#[async_trait]
impl Ledger for StoredLedger {
    async fn read(&self, of: &IntegrationRef, id: &ExternalId) -> Result<Sheet, BoxError> {
        Ok(self.store.memories_of(of, id).await?)
    }

    async fn write(&self, of: &IntegrationRef, id: &ExternalId, sheet: &Sheet) -> Result<bool, BoxError> {
        Ok(self.store.save_memories(of, id, sheet, self.clock.now()).await?)
    }

    async fn adopt(
        &self,
        of: &IntegrationRef,
        id: &ExternalId,
        sheet: &Sheet,
        gained: &BTreeMap<String, u32>,
    ) -> Result<Adopted, BoxError> {
        Ok(match self.store.adopt_memories(of, id, sheet, gained, self.clock.now()).await? {
            store::Adopted::Yes => Adopted::Yes,
            store::Adopted::Overtaken => Adopted::Overtaken,
            store::Adopted::Closed(memories) => Adopted::Leaving(memories),
        })
    }

    async fn release(
        &self,
        of: &IntegrationRef,
        id: &ExternalId,
        sheet: &Sheet,
        lost: &BTreeMap<String, u32>,
    ) -> Result<bool, BoxError> {
        Ok(self.store.release_memories(of, id, sheet, lost, self.clock.now()).await?)
    }

    async fn close(&self, memory_id: &str, now: Timestamp) -> Result<bool, BoxError> {
        Ok(self.store.close_memory(memory_id, now).await?)
    }
}
