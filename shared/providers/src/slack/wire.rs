//! Slack's JSON under its names. What is not read is not named; what may be missing is optional.

use serde::Deserialize;
use serde_json::Value;

/// What every answer begins with.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    pub ok: bool,
    #[serde(default)]
    pub error: Option<String>,
}

/// Where a listing goes on.
#[derive(Debug, Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next_cursor: Option<String>,
}

impl Next {
    /// The cursor; an empty one ends the listing.
    pub fn cursor(self) -> Option<String> {
        self.next_cursor.filter(|cursor| !cursor.is_empty())
    }
}

/// `auth.test`.
#[derive(Debug, Deserialize)]
pub struct Identity {
    pub url: Option<String>,
    pub team: Option<String>,
    pub team_id: Option<String>,
    pub enterprise_id: Option<String>,
    pub is_enterprise_install: Option<bool>,
}

/// `users.conversations`.
#[derive(Debug, Deserialize)]
pub struct Channels {
    pub channels: Vec<Channel>,
    #[serde(default)]
    pub response_metadata: Option<Next>,
}

/// `conversations.info`.
#[derive(Debug, Deserialize)]
pub struct OneChannel {
    pub channel: Channel,
}

/// A conversation of any kind.
#[derive(Debug, Clone, Deserialize)]
pub struct Channel {
    pub id: String,
    /// Direct messages have none.
    #[serde(default)]
    pub name: Option<String>,
    /// With whom, in a direct message.
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub is_im: Option<bool>,
    #[serde(default)]
    pub is_mpim: Option<bool>,
    #[serde(default)]
    pub is_archived: Option<bool>,
    #[serde(default)]
    pub is_member: Option<bool>,
    /// Seconds since the epoch.
    #[serde(default)]
    pub created: Option<i64>,
}

/// `conversations.history` and `conversations.replies`.
#[derive(Debug, Deserialize)]
pub struct Messages {
    pub messages: Vec<Message>,
    #[serde(default)]
    pub has_more: Option<bool>,
    #[serde(default)]
    pub response_metadata: Option<Next>,
}

/// A message.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Message {
    pub ts: String,
    #[serde(default)]
    pub subtype: Option<String>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub bot_id: Option<String>,
    /// The name that a bot goes by in this message.
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub bot_profile: Option<Bot>,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub thread_ts: Option<String>,
    #[serde(default)]
    pub reply_count: Option<u64>,
    #[serde(default)]
    pub latest_reply: Option<String>,
    #[serde(default)]
    pub edited: Option<Edited>,
    #[serde(default)]
    pub files: Option<Vec<File>>,
    #[serde(default)]
    pub blocks: Option<Vec<Value>>,
    #[serde(default)]
    pub attachments: Option<Vec<Attachment>>,
    /// The parent, in a reply that was also sent to the channel.
    #[serde(default)]
    pub root: Option<Box<Message>>,
}

/// Who a bot is.
#[derive(Debug, Clone, Deserialize)]
pub struct Bot {
    #[serde(default)]
    pub name: Option<String>,
}

/// When a message was last edited.
#[derive(Debug, Clone, Deserialize)]
pub struct Edited {
    #[serde(default)]
    pub ts: Option<String>,
}

/// What an application hangs on a message, or what a link leads to.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Attachment {
    #[serde(default)]
    pub pretext: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub fallback: Option<String>,
    #[serde(default)]
    pub fields: Option<Vec<Field>>,
    #[serde(default)]
    pub blocks: Option<Vec<Value>>,
    /// The link that it shows; then it is Slack's preview and nobody wrote it.
    #[serde(default)]
    pub from_url: Option<String>,
    #[serde(default)]
    pub original_url: Option<String>,
}

/// A row of an attachment.
#[derive(Debug, Clone, Deserialize)]
pub struct Field {
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub value: Option<String>,
}

/// `files.list`.
#[derive(Debug, Deserialize)]
pub struct Files {
    pub files: Vec<File>,
    #[serde(default)]
    pub paging: Option<Paging>,
}

/// Where a listing by numbered pages stands.
#[derive(Debug, Deserialize)]
pub struct Paging {
    #[serde(default)]
    pub page: Option<u32>,
    #[serde(default)]
    pub pages: Option<u32>,
}

/// `files.info`.
#[derive(Debug, Deserialize)]
pub struct OneFile {
    pub file: File,
}

/// A file.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct File {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub mimetype: Option<String>,
    /// `hosted`, `snippet`, `external`, `post`, `space`, `tombstone`, `hidden_by_limit`, …
    #[serde(default)]
    pub mode: Option<String>,
    #[serde(default)]
    pub is_external: Option<bool>,
    #[serde(default)]
    pub size: Option<u64>,
    /// Seconds since the epoch.
    #[serde(default)]
    pub created: Option<i64>,
    /// Seconds since the epoch of the latest change, where Slack says.
    #[serde(default)]
    pub updated: Option<i64>,
    /// The same, of a snippet that was edited.
    #[serde(default)]
    pub edit_timestamp: Option<i64>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub url_private: Option<String>,
    #[serde(default)]
    pub url_private_download: Option<String>,
    #[serde(default)]
    pub permalink: Option<String>,
    #[serde(default)]
    pub file_access: Option<String>,
    #[serde(default)]
    pub channels: Option<Vec<String>>,
    #[serde(default)]
    pub groups: Option<Vec<String>>,
    #[serde(default)]
    pub ims: Option<Vec<String>>,
}

impl File {
    /// Every channel that it is shared in.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        [&self.channels, &self.groups, &self.ims].into_iter().flatten().flatten().map(String::as_str)
    }
}

/// `users.list`.
#[derive(Debug, Deserialize)]
pub struct Users {
    pub members: Vec<User>,
    #[serde(default)]
    pub response_metadata: Option<Next>,
}

/// `users.info`.
#[derive(Debug, Deserialize)]
pub struct OneUser {
    pub user: User,
}

/// A person or bot.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub real_name: Option<String>,
    #[serde(default)]
    pub profile: Option<Profile>,
}

/// How a person shows.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Profile {
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub real_name: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
}

/// `oauth.v2.access`: after a code, and after a refresh token.
#[derive(Debug, Deserialize)]
pub struct Granted {
    #[serde(default)]
    pub access_token: Option<String>,
    #[serde(default)]
    pub refresh_token: Option<String>,
    #[serde(default)]
    pub expires_in: Option<Value>,
    #[serde(default)]
    pub scope: Option<String>,
    #[serde(default)]
    pub is_enterprise_install: Option<bool>,
    #[serde(default)]
    pub authed_user: Option<AuthedUser>,
}

/// The tokens that act as the person.
#[derive(Debug, Deserialize)]
pub struct AuthedUser {
    #[serde(default)]
    pub access_token: Option<String>,
    #[serde(default)]
    pub refresh_token: Option<String>,
    #[serde(default)]
    pub expires_in: Option<Value>,
    #[serde(default)]
    pub scope: Option<String>,
}

/// A delivery of the Events API, its event not yet read.
#[derive(Debug, Deserialize)]
pub struct Envelope {
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub challenge: Option<String>,
    #[serde(default)]
    pub team_id: Option<String>,
    #[serde(default)]
    pub enterprise_id: Option<String>,
    #[serde(default)]
    pub event_id: Option<String>,
    #[serde(default)]
    pub event_time: Option<i64>,
    #[serde(default)]
    pub authorizations: Option<Vec<Authorization>>,
    #[serde(default)]
    pub event: Option<Event>,
}

/// Which installation a delivery is for.
#[derive(Debug, Deserialize)]
pub struct Authorization {
    #[serde(default)]
    pub enterprise_id: Option<String>,
    #[serde(default)]
    pub team_id: Option<String>,
    #[serde(default)]
    pub user_id: Option<String>,
    #[serde(default)]
    pub is_enterprise_install: Option<bool>,
}

/// An event of any type: what one of them needs is optional for the others.
#[derive(Debug, Deserialize)]
pub struct Event {
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub subtype: Option<String>,
    /// An id, or with `channel_rename` and its like the channel itself.
    #[serde(default)]
    pub channel: Option<Value>,
    #[serde(default)]
    pub channel_type: Option<String>,
    /// An id, or with some types the user itself.
    #[serde(default)]
    pub user: Option<Value>,
    #[serde(default)]
    pub ts: Option<String>,
    #[serde(default)]
    pub event_ts: Option<String>,
    #[serde(default)]
    pub thread_ts: Option<String>,
    #[serde(default)]
    pub deleted_ts: Option<String>,
    #[serde(default)]
    pub message: Option<Message>,
    #[serde(default)]
    pub previous_message: Option<Message>,
    #[serde(default)]
    pub files: Option<Vec<File>>,
    #[serde(default)]
    pub file_id: Option<String>,
    #[serde(default)]
    pub channel_id: Option<String>,
    #[serde(default)]
    pub channel_ids: Option<Vec<String>>,
}
