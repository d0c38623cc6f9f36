//! The audit log: what people did, kept for a good year in a table of its own that only the API writes.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use chrono::TimeDelta;
use chrono::serde::ts_milliseconds;
use domain::audit::{Action, Entry};
use domain::id::EntryId;
use domain::{Owner, ProviderId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::call::{Item, decode, encode_item, s};
use crate::cursor::Cursor;
use crate::error::Error;
use crate::keys;
use crate::newest::{Span, merge, months, strand};

const WHAT: &str = "an entry of the audit log";

/// How long entries are kept: a year, and time to notice that it is over.
const KEPT: TimeDelta = TimeDelta::days(400);

/// The table of the audit log behind a client. A cheap handle. Apart from [`Store`](crate::Store), because only one function has it.
#[derive(Debug, Clone)]
pub struct AuditLog {
    client: Client,
    table: String,
}

/// Which entries are asked for; all that are named must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// What this person did.
    pub actor: Option<UserId>,
    /// What was done to what is this owner's.
    pub owner: Option<Owner>,
    /// Doings of this kind.
    pub action: Option<Action>,
}

#[derive(Serialize, Deserialize)]
struct EntryItem {
    pk: String,
    sk: String,
    entry_id: EntryId,
    #[serde(with = "ts_milliseconds")]
    at: Timestamp,
    actor: UserId,
    action: Action,
    /// Absent where it is nobody's alone: such an entry stays out of the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<ProviderId>,
    /// JSON.
    detail: String,
    /// Epoch seconds.
    expires_at: i64,
}

impl From<&Entry> for EntryItem {
    fn from(entry: &Entry) -> Self {
        let key = keys::audit(entry.id);
        Self {
            pk: key.pk,
            sk: key.sk,
            entry_id: entry.id,
            at: entry.at,
            actor: entry.actor.clone(),
            action: entry.action,
            owner: entry.owner.as_ref().map(ToString::to_string),
            provider: entry.provider,
            detail: entry.detail.to_string(),
            expires_at: (entry.at + KEPT).timestamp(),
        }
    }
}

fn read(row: Item) -> Result<Entry, Error> {
    let item: EntryItem = decode(WHAT, row)?;
    let corrupt = || Error::Corrupt { what: WHAT };
    Ok(Entry {
        id: item.entry_id,
        at: item.at,
        actor: item.actor,
        action: item.action,
        owner: item.owner.map(|owner| owner.parse()).transpose().map_err(|_| corrupt())?,
        provider: item.provider,
        detail: serde_json::from_str(&item.detail).map_err(|_| corrupt())?,
    })
}

impl AuditLog {
    /// The log in this table.
    #[must_use]
    pub const fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Adds an entry. One request; a repeat writes the same again.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be written.
    pub async fn add(&self, entry: &Entry) -> Result<(), Error> {
        let item = encode_item(EntryItem::from(entry))?;
        let call = self.client.put_item().table_name(&self.table).set_item(Some(item));
        call.send().await.map_err(|e| Error::dynamo("add to the audit log", e))?;
        Ok(())
    }

    /// At most `limit` entries, the newest first, and where the list goes on; a page may be short of `limit`, even empty, and the list
    /// still go on. A cursor of another kind of list gives an empty page. For an owner or a person one query of an index that lags
    /// by moments (up to four where a filter finds little), else one for every month until enough is found.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or a row makes no sense.
    pub async fn entries(
        &self,
        filter: &AuditFilter,
        cursor: Option<&Cursor>,
        limit: u32,
        now: Timestamp,
    ) -> Result<(Vec<Entry>, Option<Cursor>), Error> {
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        let newest = now + TimeDelta::hours(1); // Another host's clock may be ahead.
        let (below, until) = match cursor {
            None => (keys::entry(EntryId::least_of(newest)), newest),
            Some(cursor) => match cursor.sort_key(keys::ENTRY).and_then(keys::entry_id) {
                Some(id) => (keys::entry(id), id.made_at()),
                None => return Ok((Vec::new(), None)),
            },
        };
        let oldest = now - KEPT;
        let span = Span { least: keys::entry(EntryId::least_of(oldest)), below };
        let (call, partitions) = self.asked(filter, oldest, until);
        let mut found = Vec::new();
        let mut partitions = partitions.into_iter().peekable();
        while let Some(partition) = partitions.next() {
            let left = limit - found.len();
            let newest = strand("read the audit log", call.clone(), partition, &span, left).await?;
            let merged = merge(vec![newest], left);
            let last = merged.rows.last().and_then(|row| crate::call::text(row, keys::SK)).map(str::to_owned);
            found.extend(merged.rows);
            let more_months = partitions.peek().is_some() && found.len() >= limit;
            if let Some(goes_on) = merged.goes_on.or_else(|| last.filter(|_| more_months)) {
                let entries = found.into_iter().map(read).collect::<Result<_, _>>()?;
                return Ok((entries, Some(Cursor::after(goes_on))));
            }
        }
        Ok((found.into_iter().map(read).collect::<Result<_, _>>()?, None))
    }

    /// The query that a filter asks for, and the partitions that it is to be put to, the newest first.
    fn asked(&self, filter: &AuditFilter, oldest: Timestamp, until: Timestamp) -> (QueryFluentBuilder, Vec<String>) {
        let mut attributes = vec![("#sk", keys::SK)];
        let mut conditions = Vec::new();
        let mut call = self.client.query().table_name(&self.table);
        let partitions = match (&filter.owner, &filter.actor) {
            (Some(owner), _) => {
                call = call.index_name(keys::OWNER_INDEX);
                attributes.push(("#pk", "owner"));
                vec![owner.to_string()]
            }
            (None, Some(actor)) => {
                call = call.index_name(keys::ACTOR_INDEX);
                attributes.push(("#pk", "actor"));
                vec![actor.to_string()]
            }
            (None, None) => {
                attributes.push(("#pk", keys::PK));
                months(oldest, until).iter().map(|month| keys::audit_month(month)).collect()
            }
        };
        if let (Some(_), Some(actor)) = (&filter.owner, &filter.actor) {
            attributes.push(("#actor", "actor"));
            conditions.push("#actor = :actor");
            call = call.expression_attribute_values(":actor", s(actor.as_str()));
        }
        if let Some(action) = filter.action {
            attributes.push(("#action", "action"));
            conditions.push("#action = :action");
            call = call.expression_attribute_values(":action", s(action.as_str()));
        }
        let spelled = attributes.into_iter().map(|(name, attribute)| (name.to_owned(), attribute.to_owned())).collect();
        call = call.set_expression_attribute_names(Some(spelled));
        if !conditions.is_empty() {
            call = call.filter_expression(conditions.join(" AND "));
        }
        (call, partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_as_written() {
        let at = Timestamp::from_timestamp_millis(1_700_000_000_123).unwrap();
        let entry = Entry {
            id: EntryId::new(at),
            at,
            actor: UserId::new("ada#1").unwrap(),
            action: Action::Disconnected,
            owner: Some("organization/acme".parse().unwrap()),
            provider: Some(ProviderId::GoogleDrive),
            detail: serde_json::json!({"purge": true}),
        };
        let bare = Entry { owner: None, provider: None, detail: serde_json::Value::Null, ..entry.clone() };
        for entry in [entry, bare] {
            let row = encode_item(EntryItem::from(&entry)).unwrap();
            assert_eq!(row.contains_key("owner"), entry.owner.is_some(), "absent, so that the index stays sparse");
            assert_eq!(read(row).unwrap(), entry);
        }
    }
}
