//! Every change to content, with the event that Slack sends of it.

use serde_json::{Value, json};

use super::{
    shapes,
    state::{Channel, File, Kind, Message, Slack, Untold, User, Workspace, new_id},
};
use crate::clock;

/// What can be wrong with a requested change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    Unknown(&'static str, String),
    Taken(String),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(what, id) => write!(f, "there is no {what} {id}"),
            Self::Taken(id) => write!(f, "{id} is taken"),
        }
    }
}

/// A message to be posted.
#[derive(Debug, Clone, Default)]
pub struct Post {
    pub channel: String,
    /// Who; none: the first person who is a member.
    pub user: Option<String>,
    /// As Slack stores it.
    pub text: String,
    pub plain: Option<String>,
    pub thread_ts: Option<String>,
    /// Whether a reply is shown in the channel too.
    pub broadcast: bool,
    /// A moment of its own, for messages of long ago.
    pub ts: Option<String>,
    pub files: Vec<String>,
    pub attachments: Option<Value>,
    pub blocks: Option<Value>,
    pub username: Option<String>,
}

/// A plain text as Slack stores it.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Slack {
    /// Makes a workspace with the app's user in it, not installed yet.
    pub fn add_workspace(&mut self, id: Option<String>, name: &str, domain: &str) -> Result<String, Refused> {
        let id = id.unwrap_or_else(|| new_id('T'));
        if self.workspaces.contains_key(&id) {
            return Err(Refused::Taken(id));
        }
        let bot =
            User { id: new_id('U'), handle: "cognia".to_owned(), name: "Cognia".to_owned(), email: None, is_bot: true };
        let workspace = Workspace {
            id: id.clone(),
            name: name.to_owned(),
            domain: domain.to_owned(),
            bot: bot.id.clone(),
            installed: false,
            users: [(bot.id.clone(), bot)].into(),
            channels: Default::default(),
            files: Default::default(),
        };
        self.workspaces.insert(id.clone(), workspace);
        Ok(id)
    }

    /// Makes a person in a workspace.
    pub fn add_person(&mut self, team: &str, email: &str, name: &str) -> Result<String, Refused> {
        if self.person(email).is_some() {
            return Err(Refused::Taken(email.to_owned()));
        }
        let workspace = self.workspace(team)?;
        let handle = email.split('@').next().unwrap_or(email).to_owned();
        let user =
            User { id: new_id('U'), handle, name: name.to_owned(), email: Some(email.to_owned()), is_bot: false };
        let id = user.id.clone();
        workspace.users.insert(id.clone(), user);
        Ok(id)
    }

    /// Makes a channel with these members; `app` invites the app.
    pub fn add_channel(
        &mut self,
        team: &str,
        id: Option<String>,
        name: &str,
        kind: Kind,
        members: &[String],
        app: bool,
    ) -> Result<String, Refused> {
        let id = id.unwrap_or_else(|| new_id(if kind == Kind::Im { 'D' } else { 'C' }));
        if self.home(&id).is_some() {
            return Err(Refused::Taken(id));
        }
        let workspace = self.workspace(team)?;
        let mut members: std::collections::BTreeSet<String> = members.iter().cloned().collect();
        if app {
            members.insert(workspace.bot.clone());
        }
        let channel = Channel {
            id: id.clone(),
            name: name.to_owned(),
            kind,
            members,
            archived: false,
            created: clock::now(),
            messages: Default::default(),
        };
        let joined = json!({ "type": "member_joined_channel", "user": workspace.bot, "channel": id, "channel_type": "C", "team": team });
        workspace.channels.insert(id.clone(), channel);
        if app {
            self.tell(team, None, joined);
        }
        Ok(id)
    }

    /// Posts a message and answers its `ts`.
    pub fn post(&mut self, post: Post) -> Result<String, Refused> {
        let ts = match &post.ts {
            Some(ts) => ts.clone(),
            None => self.next_ts(),
        };
        let workspace = self.home_of(&post.channel)?;
        let team = workspace.id.clone();
        let anybody = || {
            let members = workspace.channels.get(&post.channel).into_iter().flat_map(|channel| &channel.members);
            members.filter_map(|id| workspace.users.get(id)).find(|user| !user.is_bot).map(|user| user.id.clone())
        };
        let user = post.user.clone().or_else(anybody).unwrap_or_else(|| workspace.bot.clone());
        let channel = channel_of(workspace, &post.channel)?;
        if channel.messages.contains_key(&ts) {
            return Err(Refused::Taken(ts));
        }
        if let Some(thread) = &post.thread_ts {
            let parent = channel.messages.get_mut(thread);
            parent.ok_or_else(|| Refused::Unknown("message", thread.clone()))?.thread_ts = Some(thread.clone());
        }
        let subtype = match (post.broadcast, &post.username, post.files.is_empty()) {
            (true, ..) => Some("thread_broadcast"),
            (_, Some(_), _) => Some("bot_message"),
            (.., false) => Some("file_share"),
            _ => None,
        };
        let message = Message {
            ts: ts.clone(),
            user,
            text: post.text,
            plain: post.plain,
            thread_ts: post.thread_ts,
            subtype: subtype.map(str::to_owned),
            files: post.files,
            attachments: post.attachments,
            blocks: post.blocks,
            username: post.username,
            ..Message::default()
        };
        channel.messages.insert(ts.clone(), message);
        let workspace = self.home_of(&post.channel)?;
        let event = shapes::posted(workspace, &post.channel, &ts);
        self.tell(&team, Some(&post.channel), event);
        Ok(ts)
    }

    /// Gives a message another text.
    pub fn edit(&mut self, channel: &str, ts: &str, text: &str, plain: Option<String>) -> Result<(), Refused> {
        let now = self.next_ts();
        let workspace = self.home_of(channel)?;
        let team = workspace.id.clone();
        let before = shapes::message(workspace, channel, ts);
        let message = message_of(workspace, channel, ts)?;
        text.clone_into(&mut message.text);
        message.plain = plain;
        message.edited = Some((message.user.clone(), now.clone()));
        let after = shapes::message(workspace, channel, ts);
        let event = shapes::changed(workspace, channel, &now, after, before);
        self.tell(&team, Some(channel), event);
        Ok(())
    }

    /// Deletes a message. A parent with replies leaves a tombstone.
    pub fn delete(&mut self, channel: &str, ts: &str) -> Result<(), Refused> {
        let now = self.next_ts();
        let workspace = self.home_of(channel)?;
        let team = workspace.id.clone();
        let before = shapes::message(workspace, channel, ts);
        message_of(workspace, channel, ts)?;
        let place = channel_of(workspace, channel)?;
        let has_replies = place.replies(ts).next().is_some();
        let event = if has_replies {
            if let Some(message) = place.messages.get_mut(ts) {
                message.tombstone = true;
            }
            let after = shapes::message(workspace, channel, ts);
            shapes::changed(workspace, channel, &now, after, before)
        } else {
            let parent = place.messages.remove(ts).and_then(|message| message.thread_ts).filter(|parent| parent != ts);
            // A tombstone whose last reply is deleted goes with it.
            if let Some(parent) = parent {
                let is_last = place.replies(&parent).next().is_none();
                place.messages.retain(|ts, message| !(is_last && *ts == parent && message.tombstone));
            }
            shapes::deleted(workspace, channel, &now, ts, before)
        };
        self.tell(&team, Some(channel), event);
        Ok(())
    }

    /// Shares a new file in these channels, each with a message of its own.
    pub fn share(&mut self, mut file: File, text: &str) -> Result<String, Refused> {
        let places = file.places.clone();
        let first = places.first().cloned().unwrap_or_default();
        let workspace = self.home_of(&first)?;
        let team = workspace.id.clone();
        if file.user.is_empty() {
            file.user =
                workspace.users.values().find(|user| !user.is_bot).map(|user| user.id.clone()).unwrap_or_default();
        }
        let (id, user) = (file.id.clone(), file.user.clone());
        if workspace.files.insert(id.clone(), file).is_some() {
            return Err(Refused::Taken(id));
        }
        for place in places {
            let post = Post {
                channel: place.clone(),
                user: Some(user.clone()),
                text: text.to_owned(),
                files: vec![id.clone()],
                ..Post::default()
            };
            self.post(post)?;
            let shared = json!({ "type": "file_shared", "file_id": id, "user_id": user, "file": { "id": id }, "channel_id": place });
            self.tell(&team, Some(&place), shared);
        }
        Ok(id)
    }

    /// Gives a file another text.
    pub fn rewrite(&mut self, id: &str, text: &str) -> Result<(), Refused> {
        let (team, place) = {
            let (workspace, file) = self.file_mut(id)?;
            file.text = Some(text.to_owned());
            file.size = text.len() as u64;
            file.updated = clock::now();
            let place = file.places.first().cloned();
            (workspace, place)
        };
        self.tell(&team, place.as_deref(), json!({ "type": "file_change", "file_id": id, "file": { "id": id } }));
        Ok(())
    }

    /// Deletes a file. Messages that carried it show that it is gone.
    pub fn delete_file(&mut self, id: &str) -> Result<(), Refused> {
        let (team, file) = {
            let (team, file) = self.file_mut(id)?;
            (team, file.clone())
        };
        if let Some(workspace) = self.workspaces.get_mut(&team) {
            workspace.files.remove(id);
        }
        let place = file.places.first().cloned();
        let event = json!({ "type": "file_deleted", "file_id": id, "channel_ids": file.places });
        self.tell(&team, place.as_deref(), event);
        Ok(())
    }

    /// Renames a channel.
    pub fn rename_channel(&mut self, id: &str, name: &str) -> Result<(), Refused> {
        let workspace = self.home_of(id)?;
        let team = workspace.id.clone();
        name.clone_into(&mut channel_of(workspace, id)?.name);
        let event = json!({ "type": "channel_rename", "channel": { "id": id, "name": name, "name_normalized": name,
            "created": clock::now().timestamp(), "is_channel": true, "is_mpim": false } });
        self.tell(&team, Some(id), event);
        Ok(())
    }

    /// Archives a channel, or opens it again.
    pub fn archive(&mut self, id: &str, archived: bool) -> Result<(), Refused> {
        let workspace = self.home_of(id)?;
        let team = workspace.id.clone();
        let channel = channel_of(workspace, id)?;
        channel.archived = archived;
        let (kind, user) =
            (if archived { "channel_archive" } else { "channel_unarchive" }, channel.members.first().cloned());
        self.tell(&team, Some(id), json!({ "type": kind, "channel": id, "user": user }));
        Ok(())
    }

    /// Deletes a channel with all that is in it.
    pub fn delete_channel(&mut self, id: &str) -> Result<(), Refused> {
        let workspace = self.home_of(id)?;
        let team = workspace.id.clone();
        let bot = workspace.bot.clone();
        let told = channel_of(workspace, id)?.members.contains(&bot);
        workspace.channels.remove(id);
        for file in workspace.files.values_mut() {
            file.places.remove(id);
        }
        if told {
            self.tell(&team, None, json!({ "type": "channel_deleted", "channel": id }));
        }
        Ok(())
    }

    /// Lets a member in or out; the app, where none is named.
    pub fn set_member(&mut self, id: &str, user: Option<&str>, is_member: bool) -> Result<(), Refused> {
        let workspace = self.home_of(id)?;
        let (team, bot) = (workspace.id.clone(), workspace.bot.clone());
        let user = user.unwrap_or(&bot).to_owned();
        let channel = channel_of(workspace, id)?;
        let changed = if is_member { channel.members.insert(user.clone()) } else { channel.members.remove(&user) };
        let kind = if is_member { "member_joined_channel" } else { "member_left_channel" };
        if changed && (user == bot || channel.members.contains(&bot)) {
            self.tell(
                &team,
                None,
                json!({ "type": kind, "user": user, "channel": id, "channel_type": "C", "team": team }),
            );
        }
        Ok(())
    }

    /// Removes the app from a workspace: all of its tokens there end.
    pub fn uninstall(&mut self, team: &str) -> Result<(), Refused> {
        let bot = self.workspace(team)?.bot.clone();
        // Told before it is gone: nothing is sent to an app that is not there.
        self.tell(team, None, json!({ "type": "tokens_revoked", "tokens": { "oauth": [], "bot": [bot] } }));
        self.tell(team, None, json!({ "type": "app_uninstalled" }));
        self.grants.revoke(Some(team));
        Ok(())
    }

    fn tell(&mut self, team: &str, channel: Option<&str>, mut event: Value) {
        // Slack's types give nearly every event a moment of its own; these have none.
        const TIMELESS: &[&str] = &["file_change", "channel_deleted", "app_uninstalled", "tokens_revoked"];
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        if !TIMELESS.contains(&kind) && event.get("event_ts").is_none() {
            let now = json!(self.next_ts());
            if let Some(fields) = event.as_object_mut() {
                fields.insert("event_ts".to_owned(), now);
            }
        }
        self.untold.push(Untold { team: team.to_owned(), channel: channel.map(str::to_owned), event });
    }

    fn workspace(&mut self, id: &str) -> Result<&mut Workspace, Refused> {
        self.workspaces.get_mut(id).ok_or_else(|| Refused::Unknown("workspace", id.to_owned()))
    }

    fn home_of(&mut self, channel: &str) -> Result<&mut Workspace, Refused> {
        self.home_mut(channel).ok_or_else(|| Refused::Unknown("channel", channel.to_owned()))
    }

    fn file_mut(&mut self, id: &str) -> Result<(String, &mut File), Refused> {
        let found = self.workspaces.values_mut().find_map(|workspace| {
            let team = workspace.id.clone();
            workspace.files.get_mut(id).map(|file| (team, file))
        });
        found.ok_or_else(|| Refused::Unknown("file", id.to_owned()))
    }
}

fn channel_of<'w>(workspace: &'w mut Workspace, id: &str) -> Result<&'w mut Channel, Refused> {
    workspace.channels.get_mut(id).ok_or_else(|| Refused::Unknown("channel", id.to_owned()))
}

fn message_of<'w>(workspace: &'w mut Workspace, channel: &str, ts: &str) -> Result<&'w mut Message, Refused> {
    let message = channel_of(workspace, channel)?.messages.get_mut(ts).filter(|message| !message.tombstone);
    message.ok_or_else(|| Refused::Unknown("message", ts.to_owned()))
}
