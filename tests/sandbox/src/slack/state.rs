//! Everything that the emulated Slack knows: workspaces with people, channels, messages and files; the app; its tokens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::grants::Grants;
use crate::{clock, random};

/// A person or bot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    pub id: String,
    /// The handle, `ada`.
    pub handle: String,
    /// The name that shows.
    pub name: String,
    pub email: Option<String>,
    pub is_bot: bool,
}

/// What kind of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Public,
    Private,
    Im,
    Mpim,
}

/// A conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Channel {
    pub id: String,
    pub name: String,
    pub kind: Kind,
    pub members: BTreeSet<String>,
    pub archived: bool,
    pub created: DateTime<Utc>,
    /// By their `ts`, whose texts sort as their times do.
    pub messages: BTreeMap<String, Message>,
}

/// A message.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Message {
    pub ts: String,
    pub user: String,
    /// As Slack stores it: with entities and references.
    pub text: String,
    /// What a person reads in it, where that is not the text without entities.
    pub plain: Option<String>,
    pub thread_ts: Option<String>,
    pub subtype: Option<String>,
    /// Who edited it and when.
    pub edited: Option<(String, String)>,
    pub files: Vec<String>,
    /// A parent that was deleted while it had replies.
    pub tombstone: bool,
    pub attachments: Option<Value>,
    pub blocks: Option<Value>,
    /// The name that a bot goes by in this message.
    pub username: Option<String>,
}

/// A file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct File {
    pub id: String,
    pub name: String,
    pub title: String,
    pub mime_type: String,
    pub mode: String,
    pub user: String,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
    pub places: BTreeSet<String>,
    /// What it holds; a file that is only large holds spaces.
    pub text: Option<String>,
    pub size: u64,
}

/// A workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Workspace {
    pub id: String,
    pub name: String,
    pub domain: String,
    /// The app's own user there.
    pub bot: String,
    pub installed: bool,
    pub users: BTreeMap<String, User>,
    pub channels: BTreeMap<String, Channel>,
    pub files: BTreeMap<String, File>,
}

/// The app as its developer described it at Slack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    pub id: String,
    pub client_id: String,
    pub client_secret: String,
    pub signing_secret: String,
    /// Where events go.
    pub request_url: Option<String>,
}

/// Under which limits the app calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tiers {
    /// None.
    #[default]
    Off,
    /// Slack's tiers by method.
    Full,
    /// The same, but one call a minute and 15 messages a page of history and replies.
    Restricted,
}

/// Switches that tests turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Whether tokens rotate.
    pub rotation: bool,
    pub access_lifetime_seconds: i64,
    pub tiers: Tiers,
    /// The longer pause before an event is tried again; the last one is five times as long.
    pub webhook_retry_ms: u64,
    /// Cursors of an earlier generation are refused.
    pub cursors: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rotation: false,
            access_lifetime_seconds: 43_200,
            tiers: Tiers::Off,
            webhook_retry_ms: 60_000,
            cursors: 0,
        }
    }
}

/// An event that was not sent yet.
#[derive(Debug, Clone)]
pub struct Untold {
    /// The workspace.
    pub team: String,
    /// Who must see it for it to be sent; none: whoever has the app.
    pub channel: Option<String>,
    pub event: Value,
}

/// The emulated Slack.
#[derive(Debug, Serialize, Deserialize)]
pub struct Slack {
    pub app: App,
    pub workspaces: BTreeMap<String, Workspace>,
    pub grants: Grants,
    pub settings: Settings,
    /// The latest message, in microseconds: no two have the same `ts`.
    pub last_ts: i64,
    #[serde(skip)]
    pub untold: Vec<Untold>,
    /// When methods were called, for the tiers.
    #[serde(skip)]
    pub calls: BTreeMap<String, VecDeque<i64>>,
}

impl Default for Slack {
    fn default() -> Self {
        let app = App {
            id: "A0SANDBOX".to_owned(),
            client_id: "sandbox-client".to_owned(),
            client_secret: "sandbox-secret".to_owned(),
            signing_secret: "sandbox-signing-secret".to_owned(),
            request_url: None,
        };
        Self {
            app,
            workspaces: BTreeMap::new(),
            grants: Grants::default(),
            settings: Settings::default(),
            last_ts: 0,
            untold: Vec::new(),
            calls: BTreeMap::new(),
        }
    }
}

impl Slack {
    /// The person with this address, and their workspace.
    pub fn person(&self, email: &str) -> Option<(&Workspace, &User)> {
        self.workspaces.values().find_map(|workspace| {
            let user = workspace.users.values().find(|user| user.email.as_deref() == Some(email))?;
            Some((workspace, user))
        })
    }

    /// The workspace that a channel is in.
    pub fn home(&self, channel: &str) -> Option<&Workspace> {
        self.workspaces.values().find(|workspace| workspace.channels.contains_key(channel))
    }

    /// The same, to be changed.
    pub fn home_mut(&mut self, channel: &str) -> Option<&mut Workspace> {
        self.workspaces.values_mut().find(|workspace| workspace.channels.contains_key(channel))
    }

    /// A `ts` that no message has.
    pub fn next_ts(&mut self) -> String {
        self.last_ts = clock::now().timestamp_micros().max(self.last_ts + 1);
        ts_of(self.last_ts)
    }
}

/// A moment in microseconds as a `ts`.
pub fn ts_of(micros: i64) -> String {
    format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
}

/// A `ts` as a moment.
pub fn moment_of(ts: &str) -> DateTime<Utc> {
    let micros = ts.split_once('.').and_then(|(seconds, rest)| {
        Some(seconds.parse::<i64>().ok()?.checked_mul(1_000_000)? + rest.parse::<i64>().ok()?)
    });
    DateTime::from_timestamp_micros(micros.unwrap_or_default()).unwrap_or_default()
}

/// An id as Slack gives them: a letter that tells the kind, then ten of capitals and digits.
pub fn new_id(kind: char) -> String {
    format!("{kind}0{}", random::letters(9).to_ascii_uppercase())
}

impl Workspace {
    /// Whether somebody may read a channel's messages: members, and people (not bots) in public channels.
    pub fn may_read(&self, user: &str, channel: &Channel) -> bool {
        let is_person = self.users.get(user).is_some_and(|user| !user.is_bot);
        channel.members.contains(user) || (channel.kind == Kind::Public && is_person)
    }

    /// Whether somebody knows that a channel exists.
    pub fn may_see(&self, user: &str, channel: &Channel) -> bool {
        channel.kind == Kind::Public || channel.members.contains(user)
    }

    /// How a person shows.
    pub fn name_of(&self, user: &str) -> String {
        self.users.get(user).map_or_else(|| user.to_owned(), |user| user.name.clone())
    }
}

impl Channel {
    /// Replies of a thread, the oldest first.
    pub fn replies<'c>(&'c self, thread: &'c str) -> impl DoubleEndedIterator<Item = &'c Message> {
        self.messages
            .values()
            .filter(move |message| message.thread_ts.as_deref() == Some(thread) && message.ts != thread)
    }
}
