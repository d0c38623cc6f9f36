//! Hands resources to the resource workers. Every message that needs a call at the provider takes a reserved slot along and
//! arrives when that is due, so nobody asks for permission again and again; and no account has more than some minutes' work waiting.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use domain::message::{IntegrationRef, ResourceAction, ResourceMessage, RunRef};
use domain::rate::Lane;
use domain::resource::DeleteReason;
use domain::{ExternalId, SyncMode, Timestamp, Trigger};
use providers::provider::{Call, Listed, Provider};
use queue::Envelope;
use store::{PageRow, Reserved};

use crate::failure::Halt;
use crate::listing::run_ref;
use crate::run::Run;
use crate::worker::SyncWorker;

/// The longest text that travels in a message, as JSON writes it (SQS takes 1 MiB for a whole ten). A longer one is fetched.
const TEXT_BYTES: usize = 200 * 1024;
/// Calls that are reserved for one resource at most, whatever its provider says.
const MOST_CALLS: u32 = 60;
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
        let provider = self.registry.get(run.integration.provider);
        let calls: Vec<u32> = messages.iter().map(|message| calls_of(provider, message)).collect();
        let slots = self.slots(run, calls.iter().sum()).await?;
        let envelopes: Vec<Envelope<ResourceMessage>> = messages
            .into_iter()
            .zip(shared_out(&slots, &calls))
            .map(|(message, slot)| Envelope { slot, ..Envelope::new(message.integration.owner.clone(), message) })
            .collect();
        // A webhook that asks for everything (a channel was renamed, a repository came) brings a backfill's work.
        let is_awaited = run.job.trigger == Trigger::Webhook && run.job.mode == SyncMode::Incremental;
        let queue = if is_awaited { &self.webhook_lane } else { &self.resources };
        Ok(queue.send_all(&envelopes, self.clock.now()).await?)
    }

    /// Slots for calls, in order; fewer where there are not as many in sight: the rest then takes its own when it arrives.
    async fn slots(&self, run: &mut Run, calls: u32) -> Result<Vec<Timestamp>, Halt> {
        if calls == 0 {
            return Ok(Vec::new());
        }
        let (key, budget) = self.meter(&run.integration, Call::Fetch).await?;
        let calls = calls as usize;
        let lane = match run.job.mode {
            SyncMode::Full => Lane::Backfill,
            SyncMode::Incremental => Lane::Live,
        };
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
            None => ResourceAction::fresh(),
        };
        let messages = open.iter().map(|id| message(run, id, action(id))).collect();
        self.hand_out(run, messages).await?;
        self.checkpoint(run, None).await
    }
}

/// How many calls at the provider working on it means at most.
fn calls_of(provider: &dyn Provider, message: &ResourceMessage) -> u32 {
    match &message.action {
        ResourceAction::Sync { text: None, resource, .. } => {
            provider.fetch_calls(resource.as_deref()).clamp(1, MOST_CALLS)
        }
        ResourceAction::Sync { .. } | ResourceAction::Delete { .. } => 0,
    }
}

/// The slot at which each message is due that needs so many calls: the last of its own. Those for whose calls the slots do not reach take
/// theirs when they arrive.
fn shared_out(slots: &[Timestamp], calls: &[u32]) -> Vec<Option<Timestamp>> {
    let mut used = 0_usize;
    let due = |calls: &u32| {
        used = used.saturating_add(*calls as usize);
        used.checked_sub(1).filter(|_| *calls > 0).and_then(|last| slots.get(last).copied())
    };
    calls.iter().map(due).collect()
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
        action: ResourceAction::listed(resource, text.filter(|text| text.len() <= TEXT_BYTES && fits(text)), listed_at),
    };
    resources.into_iter().map(message).collect()
}

/// Whether a text travels in a message, as JSON writes it: a control character takes six bytes.
fn fits(text: &str) -> bool {
    let width = |letter: char| match letter {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => 6,
        other => other.len_utf8(),
    };
    text.chars().map(width).sum::<usize>() <= TEXT_BYTES
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
        let with = |text: String| Listed { resource: resource("a", "text/plain", "1"), text: Some(text) };
        let texts = ["x".repeat(10), "x".repeat(TEXT_BYTES + 1), "\u{1}".repeat(TEXT_BYTES / 6 + 1)];
        let messages = listed_messages(texts.map(with).into(), &integration, run, at);
        let texts: Vec<bool> = messages
            .iter()
            .map(|message| matches!(&message.action, ResourceAction::Sync { text: Some(_), .. }))
            .collect();
        assert_eq!(texts, [true, false, false]);
        let registry = providers::Registry::new(providers::Http::new());
        let provider = registry.get(domain::ProviderId::GoogleDrive);
        let calls: Vec<u32> = messages.iter().map(|message| calls_of(provider, message)).collect();
        assert_eq!(calls, [0, 1, 1], "only what is fetched takes a slot");
    }

    #[test]
    fn a_message_is_due_when_the_last_of_its_calls_is() {
        let at = |second| Timestamp::from_timestamp(second, 0).unwrap();
        let slots: Vec<Timestamp> = (1..=6).map(at).collect();
        assert_eq!(shared_out(&slots, &[1, 0, 3, 1]), [Some(at(1)), None, Some(at(4)), Some(at(5))]);
        assert_eq!(shared_out(&slots, &[4, 4, 0]), [Some(at(4)), None, None], "what is short takes its own later");
        assert_eq!(shared_out(&[], &[0, 1]), [None, None]);
    }
}
