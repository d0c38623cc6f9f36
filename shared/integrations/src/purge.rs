//! Deletes the synced content of a disconnected integration, slice by slice.

use std::time::{Duration, Instant};

use domain::message::IntegrationRef;
use domain::resource::{DeleteReason, Record, RecordState};
use domain::{ExternalId, Status};
use sink::Deletion;

use crate::Integrations;
use crate::error::Error;

/// When a request that disconnects and purges begins no further page; the API's callers wait at most 30 s.
const SLICE: Duration = Duration::from_secs(18);

/// Records looked at together.
const PAGE: u32 = 100;

/// How far a purge has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purge {
    /// Resources whose content was deleted now.
    pub deleted: u64,
    /// Whether nothing is left. If not: ask again.
    pub complete: bool,
}

impl Integrations {
    /// Deletes content for as long as a request that began then may take, a page at least. Content goes before its record does. Stops at once when the account is
    /// connected again, since what is synced then is wanted.
    pub(crate) async fn purge(&self, reference: &IntegrationRef, began: Instant) -> Result<Purge, Error> {
        let (mut done, mut cursor, mut left) = (Purge::default(), None, false);
        loop {
            match self.store.find_integration(reference).await? {
                Some(row) if row.status == Status::Disconnected => {}
                _ => return Ok(done),
            }
            let (records, next) = self.store.records_of(reference.integration_id, None, cursor.as_ref(), PAGE).await?;
            let failed = self.purge_page(reference, &records, &mut done.deleted).await?;
            left |= failed > 0;
            let Some(next) = next else {
                done.complete = !left;
                return Ok(done);
            };
            if began.elapsed() >= SLICE {
                return Ok(done);
            }
            cursor = Some(next);
        }
    }

    /// Deletes a page of records with their content; says how many of them the sink would not let go.
    async fn purge_page(
        &self,
        reference: &IntegrationRef,
        records: &[Record],
        deleted: &mut u64,
    ) -> Result<usize, Error> {
        let (delivered, bare): (Vec<&Record>, Vec<&Record>) = records.iter().partition(|record| has_content(record));
        let deletions = delivered
            .iter()
            .map(|record| Deletion {
                integration: reference.clone(),
                external_id: record.external_id.clone(),
                reason: DeleteReason::Purged,
            })
            .collect::<Vec<_>>();
        let mut forget: Vec<ExternalId> = bare.iter().map(|record| record.external_id.clone()).collect();
        let mut failed = 0;
        if !deletions.is_empty() {
            let answers = self.sink.delete(deletions).await.map_err(|error| Error::Unavailable(error.into()))?;
            for (record, answer) in delivered.iter().zip(answers) {
                match answer {
                    Ok(_) => {
                        forget.push(record.external_id.clone());
                        *deleted += 1;
                    }
                    Err(error) => {
                        failed += 1;
                        tracing::warn!(integration.id = %reference.integration_id, resource.external_id = %record.external_id, %error, "content was not purged");
                    }
                }
            }
        }
        self.store.delete_records(reference.integration_id, &forget).await?;
        Ok(failed)
    }
}

/// Whether the sink may hold something of a record. A failed one may have been delivered before it failed.
const fn has_content(record: &Record) -> bool {
    match record.state {
        RecordState::Synced | RecordState::Failed => true,
        RecordState::Skipped | RecordState::Deleted => false,
    }
}
