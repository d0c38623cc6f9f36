//! Messages, one by one or many at once.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::NewText;
use crate::{
    clock,
    control::{Answer, Wrong, parse},
    slack::{
        change::{Post, Refused, escaped},
        shapes,
        state::ts_of,
    },
    state::Shared,
};

#[derive(Deserialize)]
pub struct OfChannel {
    channel: String,
}

pub async fn messages(State(sandbox): State<Shared>, Query(query): Query<OfChannel>) -> Answer {
    sandbox.read(|world| {
        let workspace = world.slack.home(&query.channel);
        let workspace = workspace.ok_or_else(|| Wrong::not_found("there is no such channel"))?;
        let channel = workspace.channels.get(&query.channel);
        let all = channel.into_iter().flat_map(|channel| {
            channel.messages.values().map(move |message| shapes::shown(workspace, channel, message))
        });
        Ok(Json(json!({ "messages": all.collect::<Vec<_>>() })))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewMessage {
    channel: String,
    /// The id of a person; absent: a member.
    user: Option<String>,
    /// Plain; or with `mrkdwn` as Slack stores it, and `plain` as people read it.
    #[serde(default)]
    text: String,
    #[serde(default)]
    mrkdwn: bool,
    plain: Option<String>,
    thread_ts: Option<String>,
    #[serde(default)]
    broadcast: bool,
    /// Of long ago.
    ts: Option<String>,
    username: Option<String>,
    blocks: Option<Value>,
    attachments: Option<Value>,
}

pub async fn add_message(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: NewMessage = parse(&body)?;
    let text = if wanted.mrkdwn { wanted.text } else { escaped(&wanted.text) };
    let post = Post {
        channel: wanted.channel.clone(),
        user: wanted.user,
        text,
        plain: wanted.plain,
        thread_ts: wanted.thread_ts,
        broadcast: wanted.broadcast,
        ts: wanted.ts,
        files: Vec::new(),
        attachments: wanted.attachments,
        blocks: wanted.blocks,
        username: wanted.username,
    };
    let ts = sandbox.write(|world| world.slack.post(post))?;
    Ok(Json(json!({ "channel": wanted.channel, "ts": ts })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ManyMessages {
    channel: String,
    count: u32,
    prefix: String,
    /// All are replies to this message.
    thread_ts: Option<String>,
    /// How far apart they are, back in time from now.
    #[serde(default)]
    seconds_apart: u32,
}

pub async fn add_messages(State(sandbox): State<Shared>, body: Bytes) -> Answer {
    let wanted: ManyMessages = parse(&body)?;
    if wanted.count > 1_000_000 {
        return Err(Wrong::unprocessable("at most a million messages at once"));
    }
    let last = sandbox.write(|world| {
        let slack = &mut world.slack;
        let mut last = String::new();
        let now = clock::now().timestamp_micros();
        for number in 1..=wanted.count {
            let back = i64::from(wanted.count - number) * i64::from(wanted.seconds_apart) * 1_000_000;
            let ts = (wanted.seconds_apart > 0).then(|| ts_of(now - back));
            let text = format!("This is message {number} of {}.", wanted.prefix);
            let thread_ts = wanted.thread_ts.clone();
            last = slack.post(Post { channel: wanted.channel.clone(), text, thread_ts, ts, ..Post::default() })?;
            // A burst like this is no event that anybody waits for.
            slack.untold.pop();
        }
        Ok::<_, Refused>(last)
    })?;
    Ok(Json(json!({ "count": wanted.count, "last": last })))
}

pub async fn edit_message(
    State(sandbox): State<Shared>,
    Path((channel, ts)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let wanted: NewText = parse(&body)?;
    sandbox.write(|world| world.slack.edit(&channel, &ts, &escaped(&wanted.text), None))?;
    Ok(Json(json!({ "channel": channel, "ts": ts })))
}

pub async fn delete_message(State(sandbox): State<Shared>, Path((channel, ts)): Path<(String, String)>) -> Answer {
    sandbox.write(|world| world.slack.delete(&channel, &ts))?;
    Ok(Json(json!({ "deleted": ts })))
}
