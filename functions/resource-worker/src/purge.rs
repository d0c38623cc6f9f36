//! Deletes what was synced of an integration that is disconnected. Anything else that is still asked for it is dropped.

use std::collections::HashMap;

use domain::ExternalId;
use domain::job::JobError;
use domain::message::{IntegrationRef, ResourceAction, ResourceMessage};
use domain::resource::{DeleteReason, Record};
use lambda::sqs::Message;
use sink::Deletion;

use crate::batch::Ended;
use crate::records::may_be_in_sink;
use crate::worker::ResourceWorker;

/// Whether a message belongs to a purge.
pub(crate) const fn is_purge(action: &ResourceAction) -> bool {
    matches!(action, ResourceAction::Delete { reason: DeleteReason::Purged, .. })
}

impl ResourceWorker {
    /// Deletes the content and then the record of each resource that a purge names; no tombstone stays. Content that the sink does not let
    /// go of keeps its record, so that the message finds both when it comes again.
    pub(crate) async fn purge(
        &self,
        reference: &IntegrationRef,
        messages: Vec<(usize, Message<ResourceMessage>)>,
        records: &HashMap<ExternalId, Record>,
    ) -> Vec<Ended> {
        let done = |place, result| Ended { place, report: None, result };
        let (purged, rest): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|(_, message)| is_purge(&message.body.action));
        let mut ended: Vec<Ended> = rest.into_iter().map(|(place, _)| done(place, Ok(()))).collect();
        // Of a resource without a record the sink may hold something all the same.
        let (delivered, bare): (Vec<_>, Vec<_>) = purged.into_iter().partition(|(_, message)| {
            records.get(&message.body.external_id).is_none_or(|record| may_be_in_sink(Some(record), message.attempt))
        });
        let deletions = delivered.iter().map(|(_, message)| Deletion {
            integration: reference.clone(),
            external_id: message.body.external_id.clone(),
            reason: DeleteReason::Purged,
        });
        let mut gone = bare;
        // A sink that does not let go is asked again; after the last attempt the message is among the dead letters with the reason.
        for (message, result) in delivered.iter().zip(self.delete(deletions.collect()).await) {
            match result {
                Ok(()) => gone.push(message.clone()),
                Err(error @ sink::Error::Busy { .. }) => ended.push(done(message.0, Err(error.into()))),
                Err(error) => ended.push(done(message.0, Err(JobError::retry(error)))),
            }
        }
        let ids: Vec<_> = gone.iter().map(|(_, message)| message.body.external_id.clone()).collect();
        let forgotten = self.store.delete_records(reference.integration_id, &ids).await;
        let trouble = forgotten.err().map(|error| lambda::telemetry::chain(&error));
        ended.extend(gone.into_iter().map(|(place, _)| match &trouble {
            None => done(place, Ok(())),
            Some(reason) => done(place, Err(JobError::retry(reason.clone()))),
        }));
        ended
    }
}
