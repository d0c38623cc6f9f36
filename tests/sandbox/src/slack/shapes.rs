//! What things look like in answers and events.

use serde_json::{Map, Value, json};

use super::state::{Channel, File, Kind, Message, User, Workspace};

/// A message as a list shows it; nothing where there is none.
pub fn message(workspace: &Workspace, channel: &str, ts: &str) -> Value {
    let found = workspace.channels.get(channel).and_then(|place| Some((place, place.messages.get(ts)?)));
    found.map_or(Value::Null, |(place, message)| shown(workspace, place, message))
}

/// A message of a channel.
pub fn shown(workspace: &Workspace, channel: &Channel, message: &Message) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("type", json!("message"));
    put("ts", json!(message.ts));
    if message.tombstone {
        put("subtype", json!("tombstone"));
        put("text", json!("This message was deleted."));
        put("user", json!("USLACKBOT"));
        put("hidden", json!(true));
    } else {
        put("text", json!(message.text));
        put("team", json!(workspace.id));
        if let Some(subtype) = &message.subtype {
            put("subtype", json!(subtype));
        }
        match &message.username {
            Some(name) => {
                put("username", json!(name));
                put("bot_id", json!("B0SANDBOX"));
            }
            None => drop(put("user", json!(message.user))),
        }
        if let Some((user, ts)) = &message.edited {
            put("edited", json!({ "user": user, "ts": ts }));
        }
        if !message.files.is_empty() {
            let files = message.files.iter().map(|id| match workspace.files.get(id) {
                Some(found) => file(workspace, found),
                None => json!({ "id": id, "mode": "tombstone" }),
            });
            put("files", Value::Array(files.collect()));
        }
        for (name, value) in [("attachments", &message.attachments), ("blocks", &message.blocks)] {
            if let Some(value) = value {
                put(name, value.clone());
            }
        }
    }
    if let Some(thread) = &message.thread_ts {
        put("thread_ts", json!(thread));
        let replies: Vec<&Message> = channel.replies(&message.ts).collect();
        if *thread == message.ts {
            let mut people: Vec<&str> = replies.iter().map(|reply| reply.user.as_str()).collect();
            people.dedup();
            put("reply_count", json!(replies.len()));
            put("reply_users_count", json!(people.len()));
            put("reply_users", json!(people));
            put("is_locked", json!(false));
            put("subscribed", json!(false));
            if let Some(last) = replies.last() {
                put("latest_reply", json!(last.ts));
            }
        } else {
            let parent = channel.messages.get(thread);
            put("parent_user_id", json!(parent.map(|parent| parent.user.clone())));
        }
    }
    Value::Object(shown)
}

/// The event of a message that was posted.
pub fn posted(workspace: &Workspace, channel: &str, ts: &str) -> Value {
    let mut event = message(workspace, channel, ts);
    if let Some(fields) = event.as_object_mut() {
        fields.insert("channel".to_owned(), json!(channel));
        fields.insert("channel_type".to_owned(), json!(channel_type(workspace, channel)));
        fields.insert("event_ts".to_owned(), json!(ts));
        let thread = fields.get("thread_ts").and_then(Value::as_str).map(str::to_owned);
        if let Some(thread) = thread.filter(|_| fields.get("subtype") == Some(&json!("thread_broadcast"))) {
            fields.insert("root".to_owned(), message(workspace, channel, &thread));
        }
    }
    event
}

/// The event of a message that changed.
pub fn changed(workspace: &Workspace, channel: &str, now: &str, after: Value, before: Value) -> Value {
    json!({ "type": "message", "subtype": "message_changed", "hidden": true, "channel": channel,
        "channel_type": channel_type(workspace, channel), "ts": now, "event_ts": now, "message": after, "previous_message": before })
}

/// The event of a message that was deleted.
pub fn deleted(workspace: &Workspace, channel: &str, now: &str, ts: &str, before: Value) -> Value {
    json!({ "type": "message", "subtype": "message_deleted", "hidden": true, "channel": channel,
        "channel_type": channel_type(workspace, channel), "ts": now, "event_ts": now, "deleted_ts": ts, "previous_message": before })
}

fn channel_type(workspace: &Workspace, channel: &str) -> &'static str {
    match workspace.channels.get(channel).map(|channel| channel.kind) {
        Some(Kind::Private) => "group",
        Some(Kind::Im) => "im",
        Some(Kind::Mpim) => "mpim",
        Some(Kind::Public) | None => "channel",
    }
}

/// A channel as `viewer` sees it.
pub fn channel(workspace: &Workspace, channel: &Channel, viewer: &str) -> Value {
    let is = |kind: Kind| channel.kind == kind;
    let mut shown = json!({
        "id": channel.id,
        "created": channel.created.timestamp(),
        "updated": channel.created.timestamp_millis(),
        "is_archived": channel.archived,
        "is_im": is(Kind::Im),
        "is_mpim": is(Kind::Mpim),
        "is_org_shared": false,
        "context_team_id": workspace.id,
    });
    let more = if is(Kind::Im) {
        let other = channel.members.iter().find(|member| *member != viewer);
        json!({ "user": other.map_or(viewer, String::as_str), "is_user_deleted": false, "priority": 0 })
    } else {
        json!({
            "name": channel.name,
            "name_normalized": channel.name,
            "is_channel": !is(Kind::Mpim),
            "is_group": false,
            "is_private": !is(Kind::Public),
            "is_member": channel.members.contains(viewer),
            "is_general": channel.name == "general",
            "is_shared": false,
            "is_ext_shared": false,
            "is_pending_ext_shared": false,
            "unlinked": 0,
            "creator": channel.members.first(),
            "shared_team_ids": [workspace.id],
            "previous_names": [],
            "num_members": channel.members.len(),
            "topic": { "value": "", "creator": "", "last_set": 0 },
            "purpose": { "value": "", "creator": "", "last_set": 0 },
        })
    };
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
    shown
}

/// A person or bot. Addresses show to those who may see them.
pub fn user(workspace: &Workspace, user: &User, with_email: bool) -> Value {
    let mut profile = json!({
        "real_name": user.name,
        "real_name_normalized": user.name,
        "display_name": user.name,
        "display_name_normalized": user.name,
        "avatar_hash": "",
        "status_text": "",
        "status_emoji": "",
        "team": workspace.id,
    });
    if let (Some(fields), Some(email)) = (profile.as_object_mut(), user.email.as_ref().filter(|_| with_email)) {
        fields.insert("email".to_owned(), json!(email));
    }
    json!({
        "id": user.id,
        "team_id": workspace.id,
        "name": user.handle,
        "deleted": false,
        "real_name": user.name,
        "profile": profile,
        "is_bot": user.is_bot,
        "is_app_user": user.is_bot,
        "is_admin": false,
        "updated": 1_700_000_000,
    })
}

/// A file.
pub fn file(workspace: &Workspace, file: &File) -> Value {
    let of_kind = |private: bool, im: bool| {
        let is = |id: &&String| {
            workspace.channels.get(*id).is_some_and(|channel| {
                let is_im = channel.kind == Kind::Im;
                let is_private = matches!(channel.kind, Kind::Private | Kind::Mpim);
                is_im == im && is_private == private
            })
        };
        file.places.iter().filter(is).cloned().collect::<Vec<_>>()
    };
    let address = format!("https://files.slack.com/files-pri/{}-{}", workspace.id, file.id);
    json!({
        "id": file.id,
        "created": file.created.timestamp(),
        "timestamp": file.created.timestamp(),
        "updated": file.updated.timestamp(),
        "name": file.name,
        "title": file.title,
        "mimetype": file.mime_type,
        "filetype": file.name.rsplit('.').next().unwrap_or_default(),
        "pretty_type": "File",
        "display_as_bot": false,
        "username": "",
        "user": file.user,
        "editable": file.mode == "snippet",
        "size": file.size,
        "mode": file.mode,
        "is_external": false,
        "external_type": "",
        "is_public": !of_kind(false, false).is_empty(),
        "public_url_shared": false,
        "url_private": format!("{address}/{}", file.name),
        "url_private_download": format!("{address}/download/{}", file.name),
        "permalink": format!("https://{}.slack.com/files/{}/{}/{}", workspace.domain, file.user, file.id, file.name),
        "channels": of_kind(false, false),
        "groups": of_kind(true, false),
        "ims": of_kind(false, true),
    })
}
