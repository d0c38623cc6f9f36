//! Push messages: what is sent, when, and how often it is tried again.

use std::{collections::BTreeSet, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;

use super::channel::{Channel, Subject};
use crate::{
    clock,
    google::{feed::FeedKey, state::Google},
    sending::{self, Outgoing, Schedule},
    state::{Sandbox, Shared},
};

/// Changes within this time share one message.
const COALESCED: Duration = Duration::from_millis(40);
const MAX_ATTEMPTS: u32 = 7;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// A message to be sent.
struct Message {
    channel: Channel,
    number: u64,
    state: &'static str,
    changed: Option<&'static str>,
}

/// Sends messages after changes, until the process ends.
pub async fn keep_telling(sandbox: Shared) {
    let mut changes = sandbox.changes();
    while changes.changed().await.is_ok() {
        tokio::time::sleep(COALESCED).await;
        // Asked first, because a write rings the bell again.
        if !sandbox.read(|world| world.google.feeds.has_untold()) {
            continue;
        }
        for message in sandbox.write(|world| messages(&mut world.google)) {
            tokio::spawn(deliver(sandbox.clone(), message));
        }
    }
}

/// Sends the first message of a new channel; it may arrive before the answer to the watch request.
pub fn sync(sandbox: &Shared, channel: &str) {
    let message = sandbox.write(|world| {
        let channel = world.google.channels.get_mut(channel)?;
        channel.last_message = 1;
        Some(Message { channel: channel.clone(), number: 1, state: "sync", changed: None })
    });
    if let Some(message) = message {
        tokio::spawn(deliver(sandbox.clone(), message));
    }
}

/// One message for each live channel whose subject changed.
fn messages(google: &mut Google) -> Vec<Message> {
    let untold: BTreeSet<FeedKey> = google.feeds.take_untold();
    let now = clock::now();
    google.channels.retain(|_, channel| channel.expires > now);
    let mut channels = std::mem::take(&mut google.channels);
    let mut due = Vec::new();
    for channel in channels.values_mut() {
        let news = match &channel.subject {
            Subject::Changes(feed) => untold.contains(feed).then_some(("change", None)),
            Subject::File(id) => file_news(google, id, &channel.account, &mut channel.told),
        };
        if let Some((state, changed)) = news {
            // Numbers grow, but not by one: nobody may count on that.
            channel.last_message += rand::random_range(1..=4000);
            due.push(Message { channel: channel.clone(), number: channel.last_message, state, changed });
        }
    }
    google.channels = channels;
    due
}

fn file_news(
    google: &Google,
    id: &str,
    account: &str,
    told: &mut (u64, bool),
) -> Option<(&'static str, Option<&'static str>)> {
    let present = google.files.get(id).filter(|file| google.may_see(account, file));
    let now = present.map_or((u64::MAX, true), |file| (file.version, google.is_trashed(file)));
    let before = std::mem::replace(told, now);
    match (before, now) {
        _ if before == now => None,
        (_, (u64::MAX, _)) => Some(("remove", None)),
        ((_, false), (_, true)) => Some(("trash", None)),
        ((_, true), (_, false)) => Some(("untrash", None)),
        _ => Some(("update", Some("content,properties"))),
    }
}

async fn deliver(sandbox: Shared, message: Message) {
    let first_pause = sandbox.read(|world| world.google.settings.webhook_retry_ms);
    let pauses = (1..MAX_ATTEMPTS).map(|attempt| Duration::from_millis(first_pause.saturating_mul(1 << (attempt - 1))));
    let schedule = Schedule {
        pauses: pauses.collect(),
        timeout: ATTEMPT_TIMEOUT,
        is_taken: |status| matches!(status, 102 | 200 | 201 | 202 | 204),
        is_retried: |status| matches!(status, 500 | 502..=504),
    };
    let channel = &message.channel;
    let outgoing = Outgoing {
        provider: "google",
        hook: channel.id.clone(),
        number: message.number,
        event: message.state.to_owned(),
        account: channel.account.clone(),
        address: channel.address.clone(),
        body: Bytes::new(),
    };
    let (headers, id) = (headers(&message), channel.id.clone());
    // A channel that was stopped meanwhile gets nothing more.
    let is_live = move |sandbox: &Sandbox| sandbox.read(|world| world.google.channels.contains_key(&id));
    sending::send(sandbox, outgoing, schedule, move |_, _| headers.clone(), is_live).await;
}

fn headers(message: &Message) -> HeaderMap {
    let channel = &message.channel;
    let expires = channel.expires.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let pairs = [
        ("x-goog-channel-id", Some(channel.id.clone())),
        ("x-goog-channel-expiration", Some(expires)),
        ("x-goog-channel-token", channel.token.clone()),
        ("x-goog-resource-id", Some(channel.resource_id.clone())),
        ("x-goog-resource-uri", Some(channel.resource_uri.clone())),
        ("x-goog-resource-state", Some(message.state.to_owned())),
        ("x-goog-message-number", Some(message.number.to_string())),
        ("x-goog-changed", message.changed.map(str::to_owned)),
        ("accept", Some("*/*".to_owned())),
        ("content-length", Some("0".to_owned())),
        ("user-agent", Some("APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)".to_owned())),
    ];
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value?).ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::{
        change::{Edit, NewFile},
        file::Body,
    };

    fn channel(subject: Subject, told: (u64, bool)) -> Channel {
        Channel {
            id: "c".into(),
            resource_id: "r".into(),
            resource_uri: "https://www.googleapis.com/drive/v3/changes?alt=json&pageToken=1".into(),
            address: "http://localhost/hook".into(),
            token: Some("secret".into()),
            subject,
            account: "ada".into(),
            client: "sandbox-client".into(),
            created: clock::now(),
            expires: clock::now() + chrono::TimeDelta::hours(1),
            last_message: 1,
            told,
        }
    }

    fn scene() -> Google {
        let mut google = Google::empty();
        google.add_account("ada", "Ada");
        let new = NewFile {
            id: Some("f".into()),
            name: "f",
            mime_type: "text/plain",
            body: Body::blob("x"),
            text: None,
            parent: None,
            drive_id: None,
        };
        google.create("ada", new).unwrap();
        google.feeds.take_untold();
        google
    }

    #[test]
    fn changes_made_together_give_one_message_and_numbers_grow() {
        let mut google = scene();
        google.channels.insert("c".into(), channel(Subject::Changes(FeedKey::user("ada")), (0, false)));
        for name in ["a", "b"] {
            google.edit("f", Edit { name: Some(name.into()), ..Edit::default() }).unwrap();
        }
        let first = messages(&mut google);
        assert_eq!((first.len(), first[0].state), (1, "change"));
        assert!(messages(&mut google).is_empty());
        google.edit("f", Edit { name: Some("c".into()), ..Edit::default() }).unwrap();
        assert!(messages(&mut google)[0].number > first[0].number);
    }

    #[test]
    fn a_channel_on_another_feed_stays_silent() {
        let mut google = scene();
        google.channels.insert("c".into(), channel(Subject::Changes(FeedKey::drive("D")), (0, false)));
        google.edit("f", Edit { name: Some("a".into()), ..Edit::default() }).unwrap();
        assert!(messages(&mut google).is_empty());
    }

    #[test]
    fn a_file_channel_says_what_became_of_the_file() {
        let mut google = scene();
        let version = google.files["f"].version;
        google.channels.insert("c".into(), channel(Subject::File("f".into()), (version, false)));
        let mut states = Vec::new();
        for edit in [
            Edit { name: Some("a".into()), ..Edit::default() },
            Edit { trashed: Some(true), ..Edit::default() },
            Edit { trashed: Some(false), ..Edit::default() },
        ] {
            google.edit("f", edit).unwrap();
            states.extend(messages(&mut google).iter().map(|message| message.state));
        }
        google.delete("f").unwrap();
        states.extend(messages(&mut google).iter().map(|message| message.state));
        assert_eq!(states, ["update", "trash", "untrash", "remove"]);
    }
}
