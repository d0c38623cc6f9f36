//! The Events API: signed deliveries to one address of the app, for every workspace that has it installed.
//!
//! There is nothing to register: the address is set where the app is described at Slack. A delivery names the workspace.

use async_trait::async_trait;
use domain::resource::DeleteReason;
use domain::subscription::{Subscription, WebhookEvent};
use domain::{AccountId, ExternalId, IntegrationConfig, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::client::{external_id, malformed};
use super::config::{Config, is_channel};
use super::fetch::Named;
use super::files::is_file;
use super::threads::{TOMBSTONE, has_replies, is_kept};
use super::ts::Ts;
use super::wire::{Envelope, Event, Message};
use crate::error::ProviderError;
use crate::provider::{Access, Delivery, Expected, Handshake, NewSubscription, NotAuthentic, Registered, Webhooks};
use crate::signature;

/// Longest challenge that is given back; Slack's have 52 characters.
const LONGEST_CHALLENGE: usize = 256;

/// Slack's events.
pub struct Events;

fn envelope(delivery: &Delivery) -> Option<Envelope> {
    serde_json::from_slice(&delivery.body).ok()
}

#[async_trait]
impl Webhooks for Events {
    fn subscription_id(&self, _delivery: &Delivery) -> Option<String> {
        None
    }

    /// The installation that the delivery is for. With channels that companies share, the workspace where it happened may be another.
    fn account_id(&self, delivery: &Delivery) -> Option<AccountId> {
        let envelope = envelope(delivery)?;
        let first = envelope.authorizations.and_then(|all| all.into_iter().next());
        let for_whom = first.and_then(|first| match first.is_enterprise_install {
            Some(true) => first.enterprise_id,
            _ => first.team_id,
        });
        let id = for_whom.or(envelope.team_id).or(envelope.enterprise_id)?;
        AccountId::new(id).ok()
    }

    fn handshake(&self, delivery: &Delivery, expected: Expected<'_>) -> Option<Result<Handshake, NotAuthentic>> {
        let envelope = envelope(delivery).filter(|it| it.kind.as_deref() == Some("url_verification"))?;
        let is_plain = |text: &String| text.len() <= LONGEST_CHALLENGE && text.bytes().all(|b| b.is_ascii_graphic());
        Some(self.verify(delivery, expected).and_then(|()| {
            let challenge = envelope.challenge.filter(is_plain).ok_or(NotAuthentic("no challenge"))?;
            Ok(Handshake { content_type: "text/plain", body: challenge })
        }))
    }

    /// What an event concerns is told by its channel; direct messages and what lies before `since` are no business of most.
    fn concerns(&self, config: &IntegrationConfig, event: &WebhookEvent) -> bool {
        let Ok(config) = Config::read(config) else { return true };
        match event {
            WebhookEvent::Touched { external_id, .. } => match Named::read(external_id) {
                Some(Named::Thread(channel, ts)) => config.takes(channel) && config.reaches(ts.at()),
                Some(Named::File(channel, _)) => config.takes(channel) && config.files,
                None => false,
            },
            // What was never in scope has no record, so its deletion does nothing.
            _ => true,
        }
    }

    fn needs_settings(&self) -> bool {
        true
    }

    fn verify(&self, delivery: &Delivery, expected: Expected<'_>) -> Result<(), NotAuthentic> {
        let secret = expected.settings.and_then(|settings| settings.signing_secret.as_ref());
        let secret = secret.ok_or(NotAuthentic("no signing secret is configured"))?;
        signature::slack(delivery, secret.expose_secret().as_bytes(), expected.now)
    }

    /// The same for each of the up to four attempts.
    fn delivery_id(&self, delivery: &Delivery) -> Option<String> {
        let is_plain = |id: &String| !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        envelope(delivery)?.event_id.filter(is_plain)
    }

    fn parse(&self, delivery: &Delivery) -> Result<Vec<WebhookEvent>, ProviderError> {
        let Some(envelope) = envelope(delivery) else {
            // A button that was pressed comes as a form. Nobody of ours draws any.
            if delivery.body.starts_with(b"payload=") {
                return Ok(vec![WebhookEvent::Nothing]);
            }
            return Err(malformed("a delivery that is none"));
        };
        match envelope.kind.as_deref() {
            Some("event_callback") => events(&envelope),
            // Deliveries were left out; the list tells what they were about.
            Some("app_rate_limited") => Ok(vec![WebhookEvent::Changed]),
            Some(_) => Ok(vec![WebhookEvent::Nothing]),
            None => Err(malformed("a delivery without a type")),
        }
    }

    fn scopes(&self, _config: &IntegrationConfig, _change_cursor: Option<&str>) -> Vec<String> {
        Vec::new()
    }

    /// Never asked for, because there are no scopes to register.
    async fn register(&self, _access: &Access, _new: &NewSubscription<'_>) -> Result<Registered, ProviderError> {
        Ok(Registered { provider_id: None, expires_at: None })
    }

    async fn unregister(&self, _access: &Access, _subscription: &Subscription) -> Result<(), ProviderError> {
        Ok(())
    }
}

fn events(envelope: &Envelope) -> Result<Vec<WebhookEvent>, ProviderError> {
    let event = envelope.event.as_ref().ok_or_else(|| malformed("a delivery without an event"))?;
    let said = event.event_ts.as_deref().and_then(Ts::read).map(Ts::at);
    let at = said.or_else(|| Timestamp::from_timestamp(envelope.event_time?, 0)).unwrap_or_default();
    let ours = envelope.authorizations.iter().flatten().next().and_then(|first| first.user_id.as_deref());
    let found = match event.kind.as_deref().unwrap_or_default() {
        "message" => return messages(event, at),
        "file_shared" | "file_public" | "file_unshared" => {
            let channel = event.channel_id.as_deref().or_else(|| id_of(event.channel.as_ref()));
            return Ok(vec![match channel {
                Some(channel) => touched_file(channel, event.file_id.as_deref().unwrap_or_default(), at)?,
                None => WebhookEvent::Changed,
            }]);
        }
        "file_change" => WebhookEvent::Changed,
        "file_deleted" => {
            let file = event.file_id.as_deref().unwrap_or_default();
            let places = event.channel_ids.iter().flatten();
            let gone: Result<Vec<_>, _> = places.map(|channel| gone_file(channel, file, at)).collect();
            // Without the channels that it was in, the messages that carried it tell by their own events.
            return gone.map(|gone| if gone.is_empty() { vec![WebhookEvent::Nothing] } else { gone });
        }
        "channel_deleted"
        | "group_deleted"
        | "channel_left"
        | "group_left"
        | "channel_archive"
        | "group_archive"
        | "channel_unarchive"
        | "group_unarchive"
        | "channel_rename"
        | "group_rename"
        | "channel_id_changed"
        | "channel_history_changed"
        | "group_history_changed"
        | "im_history_changed"
        | "channel_unshared" => WebhookEvent::Rearranged,
        "member_left_channel" if is_about(event, ours) => WebhookEvent::Rearranged,
        "member_joined_channel" if is_about(event, ours) => WebhookEvent::Changed,
        "channel_joined" | "group_joined" | "im_created" | "group_open" | "im_open" => WebhookEvent::Changed,
        "app_uninstalled" | "tokens_revoked" => WebhookEvent::Revoked,
        "app_rate_limited" => WebhookEvent::Changed,
        _ => WebhookEvent::Nothing,
    };
    Ok(vec![found])
}

/// Whether the event is about the bot or person that the delivery is for.
fn is_about(event: &Event, ours: Option<&str>) -> bool {
    id_of(event.user.as_ref()).is_some_and(|user| ours.is_none_or(|ours| ours == user))
}

/// The id of a thing that is named by its id or given whole.
fn id_of(value: Option<&Value>) -> Option<&str> {
    match value? {
        Value::String(id) => Some(id),
        Value::Object(fields) => fields.get("id")?.as_str(),
        _ => None,
    }
}

/// An event of a message. Its own `ts` names the message only where it was posted; for changes and deletions it names the event.
fn messages(event: &Event, at: Timestamp) -> Result<Vec<WebhookEvent>, ProviderError> {
    let channel = id_of(event.channel.as_ref()).unwrap_or_default();
    // Of a direct message of several people the id does not tell that it is one, so whether it is wanted is the listing's to tell.
    let is_group = event.channel_type.as_deref() == Some("mpim");
    let touched = |ts: Option<&str>| match ts.filter(|_| !is_group) {
        Some(ts) => touched_thread(channel, ts, at),
        None if is_group => Ok(WebhookEvent::Changed),
        None => Err(malformed("a message without an id")),
    };
    match event.subtype.as_deref() {
        Some("message_changed") => {
            let message = event.message.as_ref().ok_or_else(|| malformed("a change without its message"))?;
            let is_gone = message.subtype.as_deref() == Some(TOMBSTONE) && !has_replies(message) && is_head(message);
            let mut found = vec![match is_gone {
                true => gone_thread(channel, &message.ts, at)?,
                false => touched(Some(thread_of(message)))?,
            }];
            for file in message.files.iter().flatten().filter(|file| file.mode.as_deref() == Some("tombstone")) {
                found.push(gone_file(channel, &file.id, at)?);
            }
            Ok(found)
        }
        Some("message_deleted") => {
            let deleted = event.deleted_ts.as_deref().ok_or_else(|| malformed("a deletion without an id"))?;
            let before = event.previous_message.as_ref();
            let mut found = vec![match before {
                Some(before) if !is_head(before) || has_replies(before) => touched(Some(thread_of(before)))?,
                _ => gone_thread(channel, deleted, at)?,
            }];
            for file in before.and_then(|before| before.files.as_ref()).into_iter().flatten() {
                // The file itself may live on, elsewhere or alone.
                found.push(if is_group { WebhookEvent::Changed } else { touched_file(channel, &file.id, at)? });
            }
            Ok(found)
        }
        Some("message_replied") => touched(event.message.as_ref().map(thread_of)).map(|event| vec![event]),
        subtype => {
            let as_message = Message { subtype: subtype.map(str::to_owned), ..Message::default() };
            if !is_kept(&as_message) {
                return Ok(vec![WebhookEvent::Nothing]);
            }
            let mut found = vec![touched(event.thread_ts.as_deref().or(event.ts.as_deref()))?];
            for file in event.files.iter().flatten().filter(|_| !is_group) {
                found.push(touched_file(channel, &file.id, at)?);
            }
            Ok(found)
        }
    }
}

fn is_head(message: &Message) -> bool {
    message.thread_ts.as_ref().is_none_or(|thread| *thread == message.ts)
}

fn thread_of(message: &Message) -> &str {
    message.thread_ts.as_deref().unwrap_or(&message.ts)
}

fn thread(channel: &str, ts: &str) -> Result<ExternalId, ProviderError> {
    if !is_channel(channel) || Ts::read(ts).is_none() {
        return Err(malformed("an id that is none"));
    }
    external_id(channel, ts)
}

fn file(channel: &str, id: &str) -> Result<ExternalId, ProviderError> {
    if !is_channel(channel) || !is_file(id) {
        return Err(malformed("an id that is none"));
    }
    external_id(channel, id)
}

fn touched_thread(channel: &str, ts: &str, at: Timestamp) -> Result<WebhookEvent, ProviderError> {
    Ok(WebhookEvent::Touched { external_id: thread(channel, ts)?, at })
}

fn touched_file(channel: &str, id: &str, at: Timestamp) -> Result<WebhookEvent, ProviderError> {
    Ok(WebhookEvent::Touched { external_id: file(channel, id)?, at })
}

fn gone_thread(channel: &str, ts: &str, at: Timestamp) -> Result<WebhookEvent, ProviderError> {
    Ok(WebhookEvent::Gone { external_id: thread(channel, ts)?, reason: DeleteReason::Removed, at })
}

fn gone_file(channel: &str, id: &str, at: Timestamp) -> Result<WebhookEvent, ProviderError> {
    Ok(WebhookEvent::Gone { external_id: file(channel, id)?, reason: DeleteReason::Removed, at })
}

#[cfg(test)]
mod tests;
