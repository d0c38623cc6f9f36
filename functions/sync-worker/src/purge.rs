//! Has what was synced of a disconnected integration deleted: every record is handed out, and the resource workers do the deleting.

use chrono::TimeDelta;
use domain::job::JobError;
use domain::message::{IntegrationRef, ResourceAction, ResourceMessage, SyncMessage};
use domain::resource::{DeleteReason, Record};
use domain::{ExternalId, Status, Timestamp};
use queue::Envelope;
use store::Cursor;

use crate::worker::SyncWorker;

/// Records read and handed out together.
const PAGE: u32 = 500;
/// What is kept back of a turn, to send the message that goes on.
const RESERVE: TimeDelta = TimeDelta::seconds(5);

impl SyncWorker {
    /// Hands out records, from the one after `after`, until the end or until the turn is nearly over; then a message goes on. Handing out twice
    /// does no harm. Nothing is handed out once the account is connected again, since what is synced then is wanted.
    ///
    /// # Errors
    /// [`JobError`]: again, from `after`.
    pub(crate) async fn purge(
        &self,
        reference: &IntegrationRef,
        after: Option<ExternalId>,
        deadline: Timestamp,
    ) -> Result<(), JobError> {
        let mut after = after;
        loop {
            let now = self.clock.now();
            if self.store.find_integration(reference).await?.is_some_and(|row| row.status != Status::Disconnected) {
                tracing::info!(integration.id = %reference.integration_id, "a purge stops: the account is connected again");
                return Ok(());
            }
            let cursor = after.as_ref().map(|id| Cursor::after_record(reference.integration_id, id));
            let (records, next) = self.store.records_of(reference.integration_id, None, cursor.as_ref(), PAGE).await?;
            let messages: Vec<_> = records.iter().map(|record| deletion(reference, record, now)).collect();
            self.resources.send_all(&messages, now).await?;
            let (Some(_), Some(last)) = (next, records.last()) else {
                tracing::info!(integration.id = %reference.integration_id, "everything that was synced is handed out to be deleted");
                return Ok(());
            };
            after = Some(last.external_id.clone());
            if self.clock.now() + RESERVE >= deadline {
                let on = SyncMessage::Purge { integration: reference.clone(), after };
                return Ok(self.queue.send(&reference.owner, &on).await?);
            }
        }
    }
}

fn deletion(reference: &IntegrationRef, record: &Record, at: Timestamp) -> Envelope<ResourceMessage> {
    let action = ResourceAction::Delete { reason: DeleteReason::Purged, at };
    let external_id = record.external_id.clone();
    let message = ResourceMessage { integration: reference.clone(), run: None, external_id, action };
    Envelope::new(reference.owner.clone(), message)
}
