//! Threads as our resources: a top-level message with its replies is one document, `<channel>/<ts of the first message>`.

use std::collections::BTreeSet;

use domain::{Resource, ResourceKind};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::blocks;
use super::client::{external_id, malformed};
use super::names::{Names, Place, Room, author};
use super::text::{Mentions, Resolved, escape, plain, unescape};
use super::ts::Ts;
use super::wire::{Attachment, File, Message};
use crate::error::ProviderError;

/// Longest title, in characters after the channel's name.
const TITLE_CHARS: usize = 80;

/// Subtypes that tell of a channel's life and say nothing: joins, names, topics, pins. Those of channels and groups all begin alike.
const NOTICES: &[&str] = &[
    "pinned_item",
    "unpinned_item",
    "ekm_access_denied",
    "bot_add",
    "bot_remove",
    "bot_enable",
    "bot_disable",
    "reminder_add",
    "huddle_thread",
    "sh_room_created",
    "sh_room_shared",
    "document_mention",
];

/// What is left of a deleted message that has replies.
pub const TOMBSTONE: &str = "tombstone";

/// Whether a message says something.
pub fn is_kept(message: &Message) -> bool {
    message.subtype.as_deref().is_none_or(|subtype| {
        !NOTICES.contains(&subtype)
            && subtype != TOMBSTONE
            && !["channel_", "group_", "message_"].iter().any(|prefix| subtype.starts_with(prefix))
    })
}

/// The first message of the thread that a message of a channel's history stands for: itself, or the parent of a reply that was also
/// sent to the channel. `None` if it says nothing and nobody replied.
pub fn head(message: &Message) -> Option<&Message> {
    let head = match &message.thread_ts {
        Some(thread) if *thread != message.ts => message.root.as_deref()?,
        _ => message,
    };
    let says_something = is_kept(head) && !said(head).is_empty();
    (says_something || has_replies(head)).then_some(head)
}

/// Whether anybody replied.
pub fn has_replies(message: &Message) -> bool {
    message.reply_count.is_some_and(|count| count > 0)
}

/// Writes the threads of one channel.
pub struct Writer<'a> {
    names: Names<'a>,
    channel: String,
    room: Room,
    workspace: String,
}

impl<'a> Writer<'a> {
    /// For a channel that can be seen.
    pub async fn new(names: Names<'a>, channel: &str) -> Result<Self, ProviderError> {
        let (room, workspace) = (names.room(channel).await?, names.workspace().await?);
        Ok(Self { names, channel: channel.to_owned(), room, workspace })
    }

    /// The names of everybody and everything that these messages mention.
    pub async fn resolve(&self, messages: &[&Message]) -> Result<Resolved, ProviderError> {
        let mut mentions = Mentions::default();
        for message in messages {
            mentions.add(&said(message));
            mentions.people.extend(message.user.clone());
        }
        if self.room.place == Place::Direct {
            mentions.people.insert(self.room.name.clone());
        }
        let (people, rooms) = (self.names.people(&mentions.people).await?, self.names.rooms(&mentions.rooms).await?);
        Ok(Resolved { people, rooms })
    }

    /// A thread as a resource, by its first message.
    ///
    /// # Errors
    /// [`crate::error::Kind::Malformed`] for ids that Slack cannot have given.
    pub fn resource(&self, head: &Message, resolved: &Resolved) -> Result<Resource, ProviderError> {
        let ts = Ts::read(&head.ts).ok_or_else(|| malformed("a message whose id is none"))?;
        let changes = [head.edited.as_ref().and_then(|edited| edited.ts.as_ref()), head.latest_reply.as_ref()];
        let updated = changes.into_iter().flatten().filter_map(|text| Ts::read(text)).max().unwrap_or(ts).max(ts);
        let name = self.title(head, resolved);
        Ok(Resource {
            external_id: external_id(&self.channel, &head.ts)?,
            kind: ResourceKind::Message,
            revision: revision(head, &self.room.name),
            name,
            mime_type: None,
            bytes: None,
            url: Some(format!("{}archives/{}/p{}", self.workspace, self.channel, ts.digits())),
            parent_id: Some(self.channel.clone()),
            author: self.author(head, resolved),
            created_at: ts.at(),
            updated_at: updated.at(),
            metadata: self.metadata(head),
        })
    }

    /// A message as a line of its thread; nothing of one that says nothing.
    pub fn line(&self, message: &Message, resolved: &Resolved) -> Option<String> {
        if !is_kept(message) {
            return None;
        }
        let text = plain(&said(message), resolved);
        let name = self.author(message, resolved).map_or_else(|| "Unknown".to_owned(), |author| author.name);
        (!text.is_empty()).then(|| format!("{name}: {text}"))
    }

    fn title(&self, head: &Message, resolved: &Resolved) -> String {
        let room = &self.room.name;
        let place = match self.room.place {
            Place::Channel => format!("#{room}"),
            Place::Group => room.clone(),
            Place::Direct => format!("@{}", author(room, &resolved.people).name),
        };
        let text = plain(&said(head), resolved);
        let words = text.lines().map(str::trim).find(|line| !line.is_empty()).filter(|_| is_kept(head));
        match words {
            Some(words) => format!("{place}: {}", shortened(words)),
            None if is_kept(head) => format!("{place}: a message without words"),
            None => format!("{place}: a deleted message"),
        }
    }

    fn author(&self, message: &Message, resolved: &Resolved) -> Option<domain::Author> {
        let given = message.username.clone().or_else(|| message.bot_profile.as_ref().and_then(|bot| bot.name.clone()));
        let given = given.map(|name| unescape(&name)).filter(|name| !name.trim().is_empty());
        match (&message.user, &message.bot_id, given) {
            // A bot that goes by a name of its own in this message, or one that is nobody's account.
            (user, Some(bot), Some(name)) => {
                Some(domain::Author { id: user.clone().unwrap_or_else(|| bot.clone()), name, email: None })
            }
            (Some(user), ..) => Some(author(user, &resolved.people)),
            (None, Some(bot), None) => Some(domain::Author { id: bot.clone(), name: bot.clone(), email: None }),
            (None, None, given) => given.map(|name| domain::Author { id: String::new(), name, email: None }),
        }
    }

    fn metadata(&self, head: &Message) -> Map<String, Value> {
        let pairs = [
            ("channelId", json!(self.channel)),
            ("channelName", json!(self.room.name)),
            ("threadTs", json!(head.ts)),
            ("replies", json!(head.reply_count.unwrap_or(0))),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// What a message says, as mrkdwn: its text or else its blocks, what an application hung on it, and the names of its files.
fn said(message: &Message) -> String {
    let text = message.text.clone().filter(|text| !text.trim().is_empty());
    let body = text.unwrap_or_else(|| blocks::mrkdwn(message.blocks.as_deref().unwrap_or_default()));
    let mut lines = vec![body];
    lines.extend(message.attachments.iter().flatten().filter(|it| !is_preview(it)).map(attached));
    lines.extend(message.files.iter().flatten().filter_map(named));
    lines.retain(|line| !line.trim().is_empty());
    lines.join("\n")
}

/// Slack's preview of a link comes after the message and goes at will: nobody has written it.
fn is_preview(attachment: &Attachment) -> bool {
    attachment.from_url.is_some() || attachment.original_url.is_some()
}

fn attached(attachment: &Attachment) -> String {
    let fields = attachment.fields.iter().flatten().map(|field| {
        let words = [field.title.as_deref(), field.value.as_deref()].into_iter().flatten().filter(|it| !it.is_empty());
        words.collect::<Vec<_>>().join(": ")
    });
    let blocks = attachment.blocks.as_deref().map(blocks::mrkdwn);
    let whole = [attachment.pretext.clone(), attachment.title.clone(), attachment.text.clone(), blocks];
    let lines: Vec<String> = whole.into_iter().flatten().chain(fields).filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() { attachment.fallback.clone().unwrap_or_default() } else { lines.join("\n") }
}

fn named(file: &File) -> Option<String> {
    if matches!(file.mode.as_deref(), Some("tombstone" | "hidden_by_limit")) {
        return None;
    }
    let name = file.title.as_ref().filter(|title| !title.is_empty()).or(file.name.as_ref())?;
    Some(format!("[file: {}]", escape(name)))
}

fn shortened(words: &str) -> String {
    if words.chars().count() <= TITLE_CHARS {
        return words.to_owned();
    }
    let cut: String = words.chars().take(TITLE_CHARS).collect();
    let end = cut.rfind(char::is_whitespace).filter(|end| *end > TITLE_CHARS / 2).unwrap_or(cut.len());
    format!("{}…", cut.get(..end).unwrap_or(&cut).trim_end())
}

/// Changes with whatever of a thread its first message tells of: its own words, and that somebody replied.
fn revision(head: &Message, room: &str) -> String {
    let files: BTreeSet<String> =
        head.files.iter().flatten().map(|file| format!("{} {:?}", file.id, file.mode.as_deref())).collect();
    let texts = [
        room.to_owned(),
        said(head),
        head.user.clone().or_else(|| head.bot_id.clone()).unwrap_or_default(),
        head.username.clone().unwrap_or_default(),
        head.subtype.clone().filter(|subtype| subtype == TOMBSTONE).unwrap_or_default(),
        head.edited.as_ref().and_then(|edited| edited.ts.clone()).unwrap_or_default(),
        head.reply_count.unwrap_or(0).to_string(),
        head.latest_reply.clone().unwrap_or_default(),
    ];
    let mut hash = Sha256::new();
    for text in texts.iter().chain(&files) {
        // With its length before it, no field can pass for the end of another.
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let mut hex = hex::encode(hash.finalize());
    hex.truncate(32);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::names::Person;
    use std::collections::HashMap;

    fn message(json: Value) -> Message {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn notices_say_nothing_and_unknown_subtypes_may() {
        let check = |subtype: Option<&str>, kept| {
            assert_eq!(is_kept(&message(json!({"ts": "1.000000", "subtype": subtype}))), kept, "{subtype:?}");
        };
        for subtype in
            [None, Some("bot_message"), Some("me_message"), Some("file_share"), Some("thread_broadcast"), Some("new")]
        {
            check(subtype, true);
        }
        for subtype in ["channel_join", "channel_topic", "group_leave", "pinned_item", "tombstone", "message_replied"] {
            check(Some(subtype), false);
        }
    }

    #[test]
    fn a_reply_in_the_channel_stands_for_its_thread_and_a_tombstone_for_its_replies() {
        let broadcast = message(json!({"ts": "2.000000", "thread_ts": "1.000000", "subtype": "thread_broadcast",
            "root": {"ts": "1.000000", "thread_ts": "1.000000", "reply_count": 1, "text": "first"}}));
        assert_eq!(head(&broadcast).unwrap().ts, "1.000000");
        assert!(head(&message(json!({"ts": "2.000000", "thread_ts": "1.000000"}))).is_none());
        assert!(head(&message(json!({"ts": "1.000000", "subtype": "tombstone"}))).is_none());
        assert!(head(&message(json!({"ts": "1.000000", "subtype": "tombstone", "reply_count": 2}))).is_some());
    }

    #[test]
    fn what_a_message_says_includes_its_blocks_attachments_and_files() {
        let check = |json, expected: &str| assert_eq!(said(&message(json)), expected);
        check(json!({"ts": "1.000000", "text": "hi", "blocks": [{"type": "markdown", "text": "other"}]}), "hi");
        check(json!({"ts": "1.000000", "text": "", "blocks": [{"type": "markdown", "text": "block"}]}), "block");
        check(
            json!({"ts": "1.000000", "attachments": [{"title": "Alert", "fields": [{"title": "host", "value": "a"}], "fallback": "f"},
                {"fallback": "only this"}, {"from_url": "https://x.example", "title": "a preview"}]}),
            "Alert\nhost: a\nonly this",
        );
        check(
            json!({"ts": "1.000000", "text": "see", "files": [{"id": "F1", "title": "a <b>"}, {"id": "F2", "mode": "tombstone"}]}),
            "see\n[file: a &lt;b&gt;]",
        );
    }

    #[test]
    fn the_revision_moves_with_what_is_delivered() {
        let one = json!({"ts": "1.000000", "user": "U1", "text": "hi", "reply_count": 1, "latest_reply": "2.000000"});
        let first = revision(&message(one.clone()), "general");
        let check = |field: &str, value: Value, same: bool| {
            let mut other = one.clone();
            other[field] = value;
            assert_eq!(revision(&message(other), "general") == first, same, "{field}");
        };
        check("text", json!("ho"), false);
        check("reply_count", json!(2), false);
        check("latest_reply", json!("3.000000"), false);
        check("edited", json!({"ts": "4.000000"}), false);
        check("files", json!([{"id": "F1"}]), false);
        check("subtype", json!("tombstone"), false);
        check("reactions", json!([{"name": "tada"}]), true);
        check("attachments", json!([{"from_url": "https://x.example", "text": "preview"}]), true);
        assert_ne!(revision(&message(one), "renamed"), first);
    }

    #[test]
    fn a_long_title_ends_at_a_word() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"word ".repeat(40));
        assert!(long.chars().count() <= TITLE_CHARS + 1 && long.ends_with("word…"), "{long}");
        assert_eq!(shortened(&"é".repeat(200)).chars().count(), TITLE_CHARS + 1);
    }

    #[test]
    fn an_unknown_person_goes_by_their_id() {
        let people = HashMap::from([("U1".to_owned(), Person { name: "Ada".to_owned(), email: None })]);
        assert_eq!((author("U1", &people).name, author("U2", &people).name), ("Ada".to_owned(), "U2".to_owned()));
    }
}
