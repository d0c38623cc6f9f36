//! What is known of the memories that a resource has: kept outside, because this room keeps nothing.
//!
//! A trait, because the rows live in `store`, which this room may not import. Every write is conditional on the sheet's version, so that
//! of two workers at one resource one has to look again; who holds a memory is counted in the same transaction in which the sheet says so.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::memory::Sheet;
use domain::message::IntegrationRef;
use domain::{ExternalId, Timestamp};

use crate::error::BoxError;

/// How taking up memories ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adopted {
    /// The sheet is written and the memories are counted.
    Yes,
    /// Another has written the sheet meanwhile; nothing was done.
    Overtaken,
    /// These are being deleted, because nobody held them any more; nothing was done.
    Leaving(Vec<String>),
}

/// Where sheets are kept and holders are counted.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// A resource's sheet; an empty one of version 0 if there is none. Consistent.
    ///
    /// # Errors
    /// If it cannot be read.
    async fn read(&self, of: &IntegrationRef, id: &ExternalId) -> Result<Sheet, BoxError>;

    /// Writes a sheet over the one of its version, as the next. `false`: another has written meanwhile.
    ///
    /// # Errors
    /// If it cannot be written.
    async fn write(&self, of: &IntegrationRef, id: &ExternalId, sheet: &Sheet) -> Result<bool, BoxError>;

    /// Writes a sheet, and adds to each memory as many holders as it gains, all or nothing. At most 90 memories.
    ///
    /// # Errors
    /// If it cannot be written.
    async fn adopt(
        &self,
        of: &IntegrationRef,
        id: &ExternalId,
        sheet: &Sheet,
        gained: &BTreeMap<String, u32>,
    ) -> Result<Adopted, BoxError>;

    /// Writes a sheet, and takes from each memory as many holders as it loses, all or nothing. At most 90 memories. `false`: another has
    /// written meanwhile.
    ///
    /// # Errors
    /// If it cannot be written.
    async fn release(
        &self,
        of: &IntegrationRef,
        id: &ExternalId,
        sheet: &Sheet,
        lost: &BTreeMap<String, u32>,
    ) -> Result<bool, BoxError>;

    /// Closes a memory that nobody holds, for good: `true`, also if it was closed before; it may be deleted then, and nobody will take
    /// it up again. `false`: somebody holds it.
    ///
    /// # Errors
    /// If it cannot be written.
    async fn close(&self, memory_id: &str, now: Timestamp) -> Result<bool, BoxError>;
}
