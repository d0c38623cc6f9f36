//! Hands resources to the resource workers. Every message that needs a call at the provider takes a reserved slot along and
//! arrives when that is due, so nobody asks for permission again and again; and no account has more than some minutes' work waiting.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use domain::message::{IntegrationRef, ResourceAction, ResourceMessage, RunRef};
use domain::rate::Lane;
use domain::resource::DeleteReason;
use domain::{ExternalId, SyncMode, Timestamp, Trigger};
use providers::provider::Listed;
use queue::Envelope;
use store::{PageRow, Reserved};

use crate::failure::Halt;
use crate::listing::run_ref;
use crate::run::Run;
use crate::worker::SyncWorker;

/// The longest text that travels in a message (SQS takes 1 MiB, and JSON may double a text). A longer one is fetched.
const TEXT_BYTES: usize = 400 * 1024;
/// How far ahead slots are reserved for what has been listed: far enough for a whole page of the slowest account. A message whose
/// slot lies beyond a queue's longest delay goes to and fro a few times, with its slot; there is at most a page of those.
const HORIZON: Duration = Duration::from_secs(86_400);
/// With this much work waiting nothing more is listed: a queue's longest delay.
const BACKLOG: TimeDelta = TimeDelta::minutes(15);
/// Listing goes on while this much is left to do, so that the workers do not run dry.
const RESUME: TimeDelta = TimeDelta::seconds(450);
/// A wait this short means that others reserve at the same moment; it is slept out.
const MET: Duration = Duration::from_secs(1);

impl SyncWorker {
    /// Pauses a listing that is far ahead of the resource workers.
    ///
    /// # Errors
    /// [`Halt::Pause`].
    pub(crate) fn check_backlog(&self, run: &Run) -> Result<(), Halt> {
        let Some(until) = run.job.checkpoint.expected_end_at else { return Ok(()) };
        let ahead = until - self.clock.now();
        if ahead < BACKLOG {
            return Ok(());
        }
        Err(Halt::Pause((ahead - RESUME).to_std().unwrap_or_default()))
    }

    /// Sends messages to the resource workers, each with its slot if it needs a call. On an error some may have been sent.
    ///
    /// # Errors
    /// [`Halt`]; the caller hands all of them out again.
    pub(crate) async fn hand_out(&self, run: &mut Run, messages: Vec<ResourceMessage>) -> Result<(), Halt> {
        let calls = messages.iter().filter(|message| needs_call(message)).count();
        let mut slots = self.slots(run, calls).await?.into_iter();
        let envelopes: Vec<Envelope<ResourceMessage>> = messages
            .into_iter()
            .map(|message| {
                let slot = if needs_call(&message) { slots.next() } else { None };
                Envelope { slot, ..Envelope::new(message.integration.owner.clone(), message) }
            })
            .collect();
        let queue = if run.job.trigger == Trigger::Webhook { &self.webhook_lane } else { &self.resources };
        Ok(queue.send_all(&envelopes, self.clock.now()).await?)
    }

    /// Slots for calls, in order; fewer where there are not as many in sight: the rest then takes its own when it arrives.
    async fn slots(&self, run: &mut Run, calls: usize) -> Result<Vec<Timestamp>, Halt> {
        let budget = self.registry.get(run.integration.provider).manifest().rate_limits.budget();
        let lane = match run.job.mode {
            SyncMode::Full => Lane::Backfill,
            SyncMode::Incremental => Lane::Live,
        };
        let key = run.integration.rate_key();
        let mut slots: Vec<Timestamp> = Vec::with_capacity(calls);
        while slots.len() < calls {
            let units = u32::try_from(calls - slots.len()).unwrap_or(u32::MAX);
            match self.store.reserve(&key, &budget, lane, units, HORIZON, self.clock.now()).await? {
                Reserved::Slots(more) => slots.extend(more.iter()),
                Reserved::Wait(wait) if wait <= MET => {
                    run.check_time(self.clock.now())?;
                    tokio::time::sleep(wait).await;
                }
                // Nothing is on the queue yet, so the whole page may wait.
                Reserved::Wait(wait) if slots.is_empty() => return Err(Halt::Pause(wait)),
                Reserved::Wait(_) => break,
            }
        }
        // Live slots may lie before backfill's; the earliest go to those that come first.
        slots.sort_unstable();
        let checkpoint = &mut run.job.checkpoint;
        checkpoint.expected_end_at = checkpoint.expected_end_at.max(slots.last().copied());
        Ok(slots)
    }

    /// Hands out again what was handed out and never reported.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) async fn hand_out_again(
        &self,
        run: &mut Run,
        open: &[ExternalId],
        pages: &[PageRow],
    ) -> Result<(), Halt> {
        let gone: BTreeMap<&ExternalId, DeleteReason> = pages
            .iter()
            .filter(|page| !page.listing)
            .flat_map(|page| page.gone.iter().map(|(id, reason)| (id, *reason)))
            .collect();
        // A deletion rests on what this run saw, so on nothing older than the run.
        let at = run.job.started_at;
        let action = |id: &ExternalId| match gone.get(id) {
            Some(reason) => ResourceAction::Delete { reason: *reason, at },
            None => ResourceAction::Sync { resource: None, text: None, listed_at: None },
        };
        let messages = open.iter().map(|id| message(run, id, action(id))).collect();
        self.hand_out(run, messages).await?;
        self.checkpoint(run, None).await
    }
}

/// Whether working on it means a call at the provider.
fn needs_call(message: &ResourceMessage) -> bool {
    matches!(message.action, ResourceAction::Sync { text: None, .. })
}

/// A message about a resource of this run.
pub(crate) fn message(run: &Run, id: &ExternalId, action: ResourceAction) -> ResourceMessage {
    ResourceMessage {
        integration: run.integration.reference(),
        run: Some(run_ref(run)),
        external_id: id.clone(),
        action,
    }
}

/// The messages that hand listed resources out.
pub(crate) fn listed_messages(
    resources: Vec<Listed>,
    integration: &IntegrationRef,
    run: RunRef,
    listed_at: Timestamp,
) -> Vec<ResourceMessage> {
    let message = |Listed { resource, text }: Listed| ResourceMessage {
        integration: integration.clone(),
        run: Some(run),
        external_id: resource.external_id.clone(),
        action: ResourceAction::Sync {
            resource: Some(Box::new(resource)),
            text: text.filter(|text| text.len() <= TEXT_BYTES),
            listed_at: Some(listed_at),
        },
    };
    resources.into_iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::resource;

    #[test]
    fn a_text_too_long_for_a_message_is_left_to_be_fetched() {
        let integration = IntegrationRef {
            owner: "user/ada".parse().unwrap(),
            provider: domain::ProviderId::GoogleDrive,
            integration_id: "01JD0000000000000000000000".parse().unwrap(),
        };
        let run = RunRef { job_id: "01JD0000000000000000000001".parse().unwrap(), run: 1 };
        let at = Timestamp::from_timestamp(5, 0).unwrap();
        let with = |bytes: usize| Listed { resource: resource("a", "text/plain", "1"), text: Some("x".repeat(bytes)) };
        let messages = listed_messages(vec![with(10), with(TEXT_BYTES + 1)], &integration, run, at);
        let texts: Vec<bool> = messages
            .iter()
            .map(|message| matches!(&message.action, ResourceAction::Sync { text: Some(_), .. }))
            .collect();
        assert_eq!(texts, [true, false]);
        let calls: Vec<bool> = messages.iter().map(needs_call).collect();
        assert_eq!(calls, [false, true], "only what is fetched takes a slot");
    }
}
