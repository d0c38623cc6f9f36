//! Integrations: reading and connecting them, the slot of their only run, their status, and when they are due.

mod connection;
mod due;
mod finish;
mod runs;
mod status;

use domain::integration::ActiveRun;
use domain::message::IntegrationRef;
use domain::{AccountId, Integration, IntegrationConfig, IntegrationId, Owner, ProviderId, Status, StorageStrategy};
use domain::{SyncFrequency, SyncJob, SyncMode, Timestamp};

use crate::Store;
use crate::call::{Item, decode, query_all, s, text, values};
use crate::error::Error;
use crate::items::integration::{IntegrationItem, ProjectedItem, WHAT};
use crate::keys;

pub use crate::keys::DUE_SHARDS;
pub use due::{Due, DueKind, DuePlace};
pub(crate) use runs::built;

/// Whether a write on a read found the row as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// Written.
    Yes,
    /// Another was faster: read again and decide again.
    Conflict,
}

/// What a person sets on an integration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What is synced.
    pub config: IntegrationConfig,
    /// What is kept of the content.
    pub storage_strategy: StorageStrategy,
    /// How often it is pulled.
    pub sync_frequency: SyncFrequency,
    /// When the scheduler looks at it next. Left as it is while a run is active, because the run is watched by it.
    pub due_at: Option<Timestamp>,
    /// Whether the next run has to be a full one, whenever it comes and whoever asks for it.
    pub full_next: bool,
}

/// A move of the status with what goes along with it; every field but `due_at` is written as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    /// The status as read; the move happens only from it.
    pub from: Status,
    /// The status to move to.
    pub to: Status,
    /// Why, for people.
    pub last_error: Option<String>,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Until when the provider asked us to wait.
    pub blocked_until: Option<Timestamp>,
    /// When the scheduler looks at it next. `None` leaves that as it is; in a status in which no syncs are scheduled nothing is due
    /// any more then, except that a run under way is still watched.
    pub due_at: Option<Timestamp>,
}

/// The answer to a request to start a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The slot is the job's, and the job's row is there.
    Yes,
    /// This run holds the slot.
    Busy(ActiveRun),
    /// The integration is disconnected or is another one by now.
    Gone,
}

/// How a run ends, and what that means for its integration.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    /// The integration as read. What a person, or a refused token, changes after that read outlasts this end.
    pub integration: Integration,
    /// The job with its final status, counts, failures and end.
    pub job: SyncJob,
    /// The integration's status from now on.
    pub status: Status,
    /// Why it is not ACTIVE, for people.
    pub last_error: Option<String>,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// When the last sync ended well.
    pub last_sync_at: Option<Timestamp>,
    /// The change cursor to keep; `None` keeps the one that is there.
    pub change_cursor: Option<String>,
    /// Whether failures are left that are worth another try.
    pub retry_failed: bool,
    /// Deletions that wait for a person.
    pub pending_deletes: Option<domain::integration::PendingDeletes>,
    /// Whether a person's confirmation still stands.
    pub deletes_confirmed: bool,
    /// Until when the provider asked us to wait.
    pub blocked_until: Option<Timestamp>,
    /// When the scheduler looks at it next; `None` means never.
    pub due_at: Option<Timestamp>,
}

/// What became of the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// Ended, and nothing more is to start at once.
    Yes,
    /// Ended, and another pass of this mode was asked for meanwhile: start it. Should the caller die first, the integration
    /// is due at once and still carries the wish (`Integration::again`), until a run that fulfils it is started.
    Again(SyncMode),
    /// The run is not the caller's to end: the integration is disconnected, another run holds the slot, or a newer worker
    /// has taken the run up.
    Gone,
}

impl Store {
    /// The integration of an owner at a provider, disconnected or not. One consistent read.
    ///
    /// # Errors
    /// [`Error`] if the table cannot be read or the row makes no sense.
    pub async fn get_integration(&self, owner: &Owner, provider: ProviderId) -> Result<Option<Integration>, Error> {
        let row =
            self.get("read an integration", &self.tables.integrations, keys::integration(owner, provider)).await?;
        row.map(read).transpose()
    }

    /// The integration that a message names; `None` if the row by now is another integration's. One consistent read.
    ///
    /// # Errors
    /// As [`Self::get_integration`].
    pub async fn find_integration(&self, r: &IntegrationRef) -> Result<Option<Integration>, Error> {
        Ok(self.get_integration(&r.owner, r.provider).await?.filter(|found| found.id == r.integration_id))
    }

    /// All integrations of an owner, disconnected ones included. One consistent query, one request per MiB.
    ///
    /// # Errors
    /// As [`Self::get_integration`].
    pub async fn integrations_of(&self, owner: &Owner) -> Result<Vec<Integration>, Error> {
        let call = self
            .client
            .query()
            .table_name(&self.tables.integrations)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .set_expression_attribute_names(crate::call::names(&["pk", "sk"]))
            .set_expression_attribute_values(values([("pk", s(keys::owner(owner))), ("prefix", s(keys::INTEGRATION))]))
            .consistent_read(true);
        query_all("list an owner's integrations", call).await?.into_iter().map(read).collect()
    }

    /// Every connected integration of a provider's account, whoever's it is. One query of an index that lags by moments;
    /// one request per MiB.
    ///
    /// # Errors
    /// As [`Self::get_integration`].
    pub async fn integrations_of_account(
        &self,
        provider: ProviderId,
        account: &AccountId,
    ) -> Result<Vec<IntegrationRef>, Error> {
        let call = self
            .client
            .query()
            .table_name(&self.tables.integrations)
            .index_name(keys::ACCOUNT_INDEX)
            .key_condition_expression("#account_key = :account_key")
            .set_expression_attribute_names(crate::call::names(&["account_key"]))
            .set_expression_attribute_values(values([("account_key", s(keys::account_key(provider, account)))]));
        let rows = query_all("list an account's integrations", call).await?;
        rows.into_iter().map(|row| decode::<ProjectedItem>(WHAT, row)?.reference()).collect()
    }

    /// The id under which this owner had this account connected before, if ever. One consistent read.
    ///
    /// # Errors
    /// As [`Self::get_integration`].
    pub async fn known_account(
        &self,
        owner: &Owner,
        provider: ProviderId,
        account: &AccountId,
    ) -> Result<Option<IntegrationId>, Error> {
        let key = keys::account(owner, provider, account);
        let Some(row) = self.get("read a remembered account", &self.tables.integrations, key).await? else {
            return Ok(None);
        };
        let id = text(&row, "integration_id").and_then(|id| id.parse().ok());
        id.map(Some).ok_or(Error::Corrupt { what: "a remembered account" })
    }
}

/// A row as an integration.
pub(crate) fn read(row: Item) -> Result<Integration, Error> {
    decode::<IntegrationItem>(WHAT, row)?.try_into()
}
