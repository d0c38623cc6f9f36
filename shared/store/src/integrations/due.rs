//! When the scheduler looks at what: the index `due`, and the claim that keeps two schedulers apart.

use domain::message::IntegrationRef;
use domain::{JobId, Timestamp};

use crate::Store;
use crate::call::{Ended, Item, decode, ms, n, names, new_mark, s, text, update, values};
use crate::error::Error;
use crate::items::integration::{ProjectedItem, RowKind, WHAT};
use crate::keys::{self, Key};

/// Where a list of what is due goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct DuePlace(Item);

/// Something the scheduler should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What it is.
    pub kind: DueKind,
    /// The integration it is, or belongs to.
    pub integration: IntegrationRef,
    /// Since when it is due.
    pub due_at: Timestamp,
}

/// The two sorts of things that fall due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DueKind {
    /// An integration: to be synced, or its active run to be looked after.
    Integration {
        /// The run that holds the slot.
        active: Option<JobId>,
    },
    /// A webhook subscription: a successor should be made.
    Subscription {
        /// Its id.
        id: String,
    },
}

impl Due {
    fn key(&self) -> Key {
        match &self.kind {
            DueKind::Integration { .. } => keys::integration(&self.integration.owner, self.integration.provider),
            DueKind::Subscription { id } => keys::subscription(self.integration.integration_id, id),
        }
    }
}

impl Store {
    /// At most `limit` things of a shard (below [`DUE_SHARDS`](crate::DUE_SHARDS)) that are due, the longest overdue first.
    /// A row that makes no sense is left out and logged, so that it keeps no other waiting. One query of an index that lags
    /// by moments; one request.
    ///
    /// # Errors
    /// [`Error`] if the index cannot be read.
    pub async fn due(&self, shard: u8, now: Timestamp, limit: u32) -> Result<Vec<Due>, Error> {
        Ok(self.due_from(shard, now, limit, None).await?.0)
    }

    /// As [`Self::due`], from a place on, and where the list goes on then: what cannot be read, or stays due because nothing could be
    /// done about it, is behind that place. The page may be short of `limit`, even empty, and the list still go on.
    ///
    /// # Errors
    /// As [`Self::due`].
    pub async fn due_from(
        &self,
        shard: u8,
        now: Timestamp,
        limit: u32,
        from: Option<DuePlace>,
    ) -> Result<(Vec<Due>, Option<DuePlace>), Error> {
        let call = self
            .client
            .query()
            .table_name(&self.tables.integrations)
            .index_name(keys::DUE_INDEX)
            .key_condition_expression("#due_shard = :due_shard AND #due_at <= :now")
            .set_expression_attribute_names(names(&["due_shard", "due_at"]))
            .set_expression_attribute_values(values([("due_shard", s(shard.to_string())), ("now", ms(now))]))
            .set_exclusive_start_key(from.map(|place| place.0))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let page = call.send().await.map_err(|e| Error::dynamo("read what is due", e))?;
        let due = page.items.unwrap_or_default().into_iter().filter_map(readable).collect();
        Ok((due, page.last_evaluated_key.map(DuePlace)))
    }

    /// Claims something due by moving it on (`None`: never due again). `false`: another has moved it since. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn move_due(&self, due: &Due, to: Option<Timestamp>) -> Result<bool, Error> {
        let mark = new_mark();
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(due.key().attributes())
            .condition_expression("#integration_id = :integration_id AND #due_at = :due_at")
            .expression_attribute_values(":integration_id", s(due.integration.integration_id.to_string()))
            .expression_attribute_values(":due_at", n(due.due_at.timestamp_millis()))
            .expression_attribute_values(":due_mark", s(&mark));
        let call = match to {
            Some(at) => call
                .update_expression("SET #due_at = :to, #due_mark = :due_mark")
                .expression_attribute_values(":to", ms(at))
                .set_expression_attribute_names(names(&["integration_id", "due_at", "due_mark"])),
            None => call
                .update_expression("SET #due_mark = :due_mark REMOVE #due_at, #due_shard")
                .set_expression_attribute_names(names(&["integration_id", "due_at", "due_shard", "due_mark"])),
        };
        Ok(match update("claim what is due", call).await? {
            Ended::Written(_) => true,
            Ended::Failed(old) => old.is_some_and(|row| text(&row, "due_mark") == Some(mark.as_str())),
        })
    }

    /// Sets when the scheduler looks at an integration next; `None` means never. Does nothing if the row is another
    /// integration's or is disconnected. One request.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn set_due(&self, r: &IntegrationRef, due_at: Option<Timestamp>) -> Result<(), Error> {
        let call = self
            .client
            .update_item()
            .table_name(&self.tables.integrations)
            .set_key(keys::integration(&r.owner, r.provider).attributes())
            .condition_expression("#integration_id = :integration_id AND #status <> :disconnected")
            .set_expression_attribute_names(names(&["integration_id", "status", "due_at", "due_shard"]))
            .expression_attribute_values(":integration_id", s(r.integration_id.to_string()))
            .expression_attribute_values(":disconnected", crate::call::encode(domain::Status::Disconnected)?);
        let call = match due_at {
            Some(at) => call
                .update_expression("SET #due_at = :due_at, #due_shard = :due_shard")
                .expression_attribute_values(":due_at", ms(at))
                .expression_attribute_values(":due_shard", s(keys::due_shard(r.integration_id))),
            None => call.update_expression("REMOVE #due_at, #due_shard"),
        };
        update("set when an integration is due", call).await.map(|_| ())
    }
}

/// A row of the index `due`; nothing, and a line in the log, if it makes no sense.
fn readable(row: Item) -> Option<Due> {
    let id = text(&row, "integration_id").unwrap_or("unknown").to_owned();
    match decode(WHAT, row).and_then(read_due) {
        Ok(due) => Some(due),
        Err(error) => {
            tracing::error!(integration.id = %id, %error, "a row of the due index is left out");
            None
        }
    }
}

/// A row of the index `due`.
fn read_due(item: ProjectedItem) -> Result<Due, Error> {
    let corrupt = || Error::Corrupt { what: "a row of the due index" };
    let kind = match item.kind.ok_or_else(corrupt)? {
        RowKind::Integration => DueKind::Integration { active: item.active_job_id },
        RowKind::Subscription => {
            DueKind::Subscription { id: item.sk.strip_prefix(keys::SUBSCRIPTION).ok_or_else(corrupt)?.to_owned() }
        }
    };
    Ok(Due { kind, integration: item.reference()?, due_at: item.due_at.ok_or_else(corrupt)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01JD0000000000000000000000";

    fn row(id: &str) -> Item {
        let attributes = [
            ("sk", s("I#google_drive")),
            ("kind", s("integration")),
            ("owner", s("user/ada")),
            ("provider", s("google_drive")),
            ("integration_id", s(id)),
            ("due_at", n(5)),
        ];
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn a_row_that_makes_no_sense_keeps_no_other_waiting() {
        let broken = [("integration_id", s("1")), ("owner", s("nobody")), ("provider", s("?")), ("kind", s("?"))];
        let mut rows: Vec<Item> = broken
            .into_iter()
            .map(|(name, value)| {
                let mut row = row(ID);
                row.insert(name.to_owned(), value);
                row
            })
            .collect();
        let mut undated = row(ID);
        undated.remove("due_at");
        rows.extend([undated, Item::new(), row(ID)]);
        let due: Vec<Due> = rows.into_iter().filter_map(readable).collect();
        let found: Vec<_> = due.iter().map(|due| (due.integration.integration_id.to_string(), &due.kind)).collect();
        assert_eq!(found, [(ID.to_owned(), &DueKind::Integration { active: None })]);
    }
}
