//! What a memory holds of each resource, and how many hold each memory: two rows whose changes are one transaction.
//!
//! A memory that nobody holds is closed before it is deleted and stays so: whoever was given its name just before finds it closed, and
//! has it made anew. The rows of closed memories go after a while, when nobody can be on the way any more.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use domain::memory::Sheet;
use domain::message::IntegrationRef;
use domain::{ExternalId, Timestamp};

use crate::Store;
use crate::call::{Ended, Item, n, names, number, put, s, text, update};
use crate::error::Error;
use crate::keys::{self, Key};

/// How long the row of a closed memory, and that of an empty sheet, is kept.
const KEPT_DAYS: i64 = 30;
/// What a sheet's row is called in errors.
const WHAT: &str = "a resource's memories";

/// How taking up memories ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adopted {
    /// Written.
    Yes,
    /// Another has written the sheet meanwhile, or another transaction was in the way; nothing was written.
    Overtaken,
    /// These memories are closed; nothing was written.
    Closed(Vec<String>),
}

impl Store {
    /// What a memory holds of a resource; an empty sheet of version 0 if nothing. One consistent read.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or the row makes no sense.
    pub async fn memories_of(&self, of: &IntegrationRef, id: &ExternalId) -> Result<Sheet, Error> {
        let row = self.get("read what is remembered of a resource", &self.tables.records, key(of, id)).await?;
        row.map_or_else(|| Ok(Sheet::default()), |row| sheet(&row))
    }

    /// Writes a sheet over the one of its version. `false`: another has written meanwhile. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn save_memories(
        &self,
        of: &IntegrationRef,
        id: &ExternalId,
        sheet: &Sheet,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let call = self.client.put_item().table_name(&self.tables.records).set_item(Some(row(of, id, sheet, now)?));
        let (condition, attribute) = condition(sheet);
        let call = call.condition_expression(condition).set_expression_attribute_names(names(&[attribute]));
        let call = call.set_expression_attribute_values(expected(sheet));
        Ok(matches!(put("write what is remembered of a resource", call).await?, Ended::Written(_)))
    }

    /// Writes a sheet, and adds holders to memories: all or nothing. One request. At most 99 memories.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn adopt_memories(
        &self,
        of: &IntegrationRef,
        id: &ExternalId,
        sheet: &Sheet,
        gained: &BTreeMap<String, u32>,
        now: Timestamp,
    ) -> Result<Adopted, Error> {
        let mut writes = vec![self.sheet_write(of, id, sheet, now)?];
        for (memory, count) in gained {
            writes.push(self.count_holders(memory, i64::from(*count))?);
        }
        let Some(reasons) = self.transact_or_why("take up memories", writes).await? else { return Ok(Adopted::Yes) };
        let closed = gained.keys().zip(reasons.iter().skip(1)).filter(|(_, failed)| **failed);
        let closed: Vec<String> = closed.map(|(memory, _)| memory.clone()).collect();
        let is_overtaken = reasons.first().copied().unwrap_or_default() || closed.is_empty();
        Ok(if is_overtaken { Adopted::Overtaken } else { Adopted::Closed(closed) })
    }

    /// Writes a sheet, and takes holders from memories: all or nothing. `false`: another has written the sheet meanwhile. One request.
    /// At most 99 memories.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn release_memories(
        &self,
        of: &IntegrationRef,
        id: &ExternalId,
        sheet: &Sheet,
        lost: &BTreeMap<String, u32>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut writes = vec![self.sheet_write(of, id, sheet, now)?];
        for (memory, count) in lost {
            writes.push(self.count_holders(memory, -i64::from(*count))?);
        }
        Ok(self.transact_or_why("let go of memories", writes).await?.is_none())
    }

    /// Closes a memory that nobody holds: `true`, also if it was closed before. `false`: somebody holds it. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn close_memory(&self, memory_id: &str, now: Timestamp) -> Result<bool, Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.records)
            .set_key(keys::memory(memory_id).attributes())
            .update_expression("SET #closed = :yes, #expires_at = :expires_at")
            .condition_expression("attribute_not_exists(#holders) OR #holders <= :none")
            .set_expression_attribute_names(names(&["closed", "expires_at", "holders"]))
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":none", n(0))
            .expression_attribute_values(":expires_at", n(now.timestamp() + KEPT_DAYS * 86_400));
        Ok(matches!(update("close a memory", call).await?, Ended::Written(_)))
    }

    fn sheet_write(
        &self,
        of: &IntegrationRef,
        id: &ExternalId,
        sheet: &Sheet,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let (condition, attribute) = condition(sheet);
        let write = Put::builder()
            .table_name(&self.tables.records)
            .set_item(Some(row(of, id, sheet, now)?))
            .condition_expression(condition)
            .set_expression_attribute_names(names(&[attribute]))
            .set_expression_attribute_values(expected(sheet));
        let write = write.build().map_err(|error| Error::malformed("build a write", error))?;
        Ok(TransactWriteItem::builder().put(write).build())
    }

    fn count_holders(&self, memory_id: &str, by: i64) -> Result<TransactWriteItem, Error> {
        let write = Update::builder()
            .table_name(&self.tables.records)
            .set_key(keys::memory(memory_id).attributes())
            .update_expression("ADD #holders :by")
            .expression_attribute_names("#holders", "holders")
            .expression_attribute_values(":by", n(by));
        // Whoever holds a memory may always let go of it.
        let write = if by < 0 {
            write
        } else {
            write.condition_expression("attribute_not_exists(#closed)").expression_attribute_names("#closed", "closed")
        };
        let write = write.build().map_err(|error| Error::malformed("build a write", error))?;
        Ok(TransactWriteItem::builder().update(write).build())
    }

    /// Writes all of these or none; `None` if they are written, else which of their conditions failed. Where another transaction was in
    /// the way, none did.
    async fn transact_or_why(
        &self,
        what: &'static str,
        items: Vec<TransactWriteItem>,
    ) -> Result<Option<Vec<bool>>, Error> {
        let Err(error) = self.client.transact_write_items().set_transact_items(Some(items)).send().await else {
            return Ok(None);
        };
        if let SdkError::ServiceError(context) = &error
            && let TransactWriteItemsError::TransactionCanceledException(cancelled) = context.err()
        {
            let codes: Vec<&str> =
                cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default()).collect();
            if !codes.contains(&"ValidationError") {
                return Ok(Some(codes.into_iter().map(|code| code == "ConditionalCheckFailed").collect()));
            }
        }
        Err(Error::dynamo(what, error))
    }
}

/// The row is the one that was read, or there is none as when it was read; and the attribute that this is told by.
const fn condition(sheet: &Sheet) -> (&'static str, &'static str) {
    if sheet.version == 0 { ("attribute_not_exists(#pk)", "pk") } else { ("#version = :version", "version") }
}

fn expected(sheet: &Sheet) -> Option<Item> {
    (sheet.version > 0).then(|| [(":version".to_owned(), n(sheet.version))].into())
}

fn key(of: &IntegrationRef, id: &ExternalId) -> Key {
    keys::memories_of(of.integration_id, id)
}

/// An empty sheet's row is kept for a while: were it gone, a worker that read it before could write over its successor of the same version.
fn row(of: &IntegrationRef, id: &ExternalId, sheet: &Sheet, now: Timestamp) -> Result<Item, Error> {
    let text = serde_json::to_string(sheet).map_err(|error| Error::malformed("encode a sheet", error))?;
    let mut row = key(of, id).attributes().unwrap_or_default();
    row.insert("version".to_owned(), n(sheet.version + 1));
    row.insert("sheet".to_owned(), s(text));
    if sheet.is_empty() {
        row.insert("expires_at".to_owned(), n(now.timestamp() + KEPT_DAYS * 86_400));
    }
    Ok(row)
}

/// The cause of a failure is dropped, because it may quote the row.
fn sheet(row: &Item) -> Result<Sheet, Error> {
    let corrupt = || Error::Corrupt { what: WHAT };
    let sheet: Sheet = serde_json::from_str(text(row, "sheet").ok_or_else(corrupt)?).map_err(|_| corrupt())?;
    Ok(Sheet { version: number(row, "version").ok_or_else(corrupt)?, ..sheet })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ProviderId;

    #[test]
    fn a_sheet_s_row_reads_back_one_version_on() {
        let of = IntegrationRef {
            owner: "user/ada".parse().unwrap(),
            provider: ProviderId::GoogleDrive,
            integration_id: "01JD0000000000000000000000".parse().unwrap(),
        };
        let mut written = Sheet { version: 7, ..Sheet::default() };
        written.hold("whole", "1", "m1");
        let id = ExternalId::new("f1").unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let stored = row(&of, &id, &written, now).unwrap();
        assert_eq!(sheet(&stored).unwrap(), Sheet { version: 8, ..written });
        assert!(!stored.contains_key("expires_at"));
        assert!(row(&of, &id, &Sheet::default(), now).unwrap().contains_key("expires_at"));
        assert!(sheet(&Item::new()).is_err());
    }
}
