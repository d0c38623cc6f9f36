//! What is listed and read: channels, messages, people, files.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use base64::Engine as _;
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    api::{self, Args, Caller, Failure},
    shapes,
    state::{Channel, File, Kind, Message, Slack, Tiers},
};
use crate::state::Shared;

type Answer = Result<Value, Failure>;

const ENGINE: base64::engine::GeneralPurpose = base64::engine::general_purpose::STANDARD;

/// `users.conversations` (only those that the token's user is in) and `conversations.list` (all that they see).
pub fn conversations(slack: &Slack, caller: &Caller<'_>, args: &Args, only_joined: bool) -> Answer {
    let types = args.get("types").map_or("public_channel", String::as_str);
    let wanted: Vec<Kind> = types
        .split(',')
        .map(|name| match name.trim() {
            "public_channel" => Ok(Kind::Public),
            "private_channel" => Ok(Kind::Private),
            "im" => Ok(Kind::Im),
            "mpim" => Ok(Kind::Mpim),
            _ => Err("invalid_types"),
        })
        .collect::<Result<_, _>>()?;
    let without_archived = flag(args, "exclude_archived");
    let (workspace, user) = (caller.workspace, &caller.token.user);
    let channels: Vec<&Channel> = workspace
        .channels
        .values()
        .filter(|channel| wanted.contains(&channel.kind) && !(without_archived && channel.archived))
        .filter(|channel| match only_joined {
            true => channel.members.contains(user),
            false => workspace.may_see(user, channel),
        })
        .collect();
    let limit = limit(args, 100, 999)?;
    let from = position(slack, "conversations", args)?.unwrap_or_default();
    let after: Vec<&&Channel> = channels.iter().filter(|channel| channel.id > from).collect();
    let page: Vec<_> = after.iter().take(limit).collect();
    let next = page.last().filter(|_| after.len() > limit).map(|last| last.id.as_str());
    let shown = page.iter().map(|channel| {
        let mut shown = shapes::channel(workspace, channel, user);
        // Of channels that were asked for by membership it is not said again.
        if let Some(fields) = shown.as_object_mut().filter(|_| only_joined) {
            fields.remove("is_member");
            fields.remove("num_members");
        }
        shown
    });
    Ok(json!({
        "channels": shown.collect::<Vec<_>>(),
        "response_metadata": { "next_cursor": cursor(slack, "conversations", args, next) },
    }))
}

/// `conversations.info`.
pub fn conversation(caller: &Caller<'_>, args: &Args) -> Answer {
    let channel = seen(caller, args)?;
    Ok(json!({ "channel": shapes::channel(caller.workspace, channel, &caller.token.user) }))
}

/// `conversations.history`: what stands in the channel itself, the newest first.
pub fn history(slack: &Slack, caller: &Caller<'_>, args: &Args) -> Answer {
    let channel = readable(caller, args)?;
    let in_channel = |message: &&Message| {
        let is_reply = message.thread_ts.as_ref().is_some_and(|thread| *thread != message.ts);
        !is_reply || message.subtype.as_deref() == Some("thread_broadcast")
    };
    let within = stretch(args)?;
    let all = channel.messages.values().rev().filter(in_channel).filter(|message| within(&message.ts));
    let after = position(slack, "history", args)?;
    let all: Vec<&Message> = all.filter(|message| after.as_ref().is_none_or(|after| message.ts < *after)).collect();
    page(slack, caller, args, channel, "history", &all)
}

/// `conversations.replies`: the parent, then its replies, the oldest first.
pub fn replies(slack: &Slack, caller: &Caller<'_>, args: &Args) -> Answer {
    let channel = readable(caller, args)?;
    let thread = args.get("ts").ok_or("thread_not_found")?;
    let parent = channel.messages.get(thread).ok_or("thread_not_found")?;
    let within = stretch(args)?;
    let all = std::iter::once(parent).chain(channel.replies(thread).filter(|message| within(&message.ts)));
    let after = position(slack, "replies", args)?;
    let all: Vec<&Message> = all.filter(|message| after.as_ref().is_none_or(|after| message.ts > *after)).collect();
    page(slack, caller, args, channel, "replies", &all)
}

fn page(slack: &Slack, caller: &Caller<'_>, args: &Args, channel: &Channel, kind: &str, all: &[&Message]) -> Answer {
    let limit = match slack.settings.tiers {
        Tiers::Restricted => limit(args, 15, 15)?,
        Tiers::Off | Tiers::Full => limit(args, 100, 999)?,
    };
    let shown: Vec<&&Message> = all.iter().take(limit).collect();
    let next = shown.last().filter(|_| all.len() > limit).map(|last| last.ts.as_str());
    let messages = shown.iter().map(|message| {
        let mut shown = shapes::shown(caller.workspace, channel, message);
        let root = message.thread_ts.as_ref().filter(|_| message.subtype.as_deref() == Some("thread_broadcast"));
        if let (Some(fields), Some(root)) = (shown.as_object_mut(), root) {
            fields.insert("root".to_owned(), shapes::message(caller.workspace, &channel.id, root));
        }
        shown
    });
    let mut body = json!({ "messages": messages.collect::<Vec<_>>(), "has_more": next.is_some() });
    if let Some(fields) = body.as_object_mut() {
        if kind == "history" {
            fields.insert("pin_count".to_owned(), json!(0));
        }
        let next = cursor(slack, kind, args, next);
        fields.insert("response_metadata".to_owned(), json!({ "next_cursor": next }));
    }
    Ok(body)
}

/// `users.list`.
pub fn users(slack: &Slack, caller: &Caller<'_>, args: &Args) -> Answer {
    let limit = limit(args, 1000, 1000)?;
    let from = position(slack, "users", args)?.unwrap_or_default();
    let workspace = caller.workspace;
    let after: Vec<_> = workspace.users.values().filter(|user| user.id > from).collect();
    let shown: Vec<_> = after.iter().take(limit).collect();
    let next = shown.last().filter(|_| after.len() > limit).map(|last| last.id.as_str());
    let with_email = caller.token.scopes.contains("users:read.email");
    Ok(json!({
        "members": shown.iter().map(|user| shapes::user(workspace, user, with_email)).collect::<Vec<_>>(),
        "cache_ts": 1_700_000_000,
        "response_metadata": { "next_cursor": cursor(slack, "users", args, next) },
    }))
}

/// `files.list`: by numbered pages, the newest first.
pub fn files(caller: &Caller<'_>, args: &Args) -> Answer {
    let number = |name: &str| args.get(name).and_then(|text| text.split('.').next()?.parse::<i64>().ok());
    let (from, to) = (number("ts_from").unwrap_or(0), number("ts_to").unwrap_or(i64::MAX));
    let count = usize::try_from(number("count").unwrap_or(100)).ok().filter(|count| (1..=1000).contains(count));
    let (count, page) =
        (count.ok_or("invalid_arguments")?, usize::try_from(number("page").unwrap_or(1).max(1)).unwrap_or(1));
    let workspace = caller.workspace;
    let mut found: Vec<&File> = workspace
        .files
        .values()
        .filter(|file| (from..=to).contains(&file.created.timestamp()) && sees_file(caller, file))
        .filter(|file| args.get("channel").is_none_or(|channel| file.places.contains(channel)))
        .collect();
    found.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    let shown = found.iter().skip((page - 1) * count).take(count).map(|file| shapes::file(workspace, file));
    Ok(json!({
        "files": shown.collect::<Vec<_>>(),
        "paging": { "count": count, "total": found.len(), "page": page, "pages": found.len().div_ceil(count).max(1) },
    }))
}

/// `files.info`.
pub fn file(caller: &Caller<'_>, args: &Args) -> Answer {
    let file = args.get("file").and_then(|id| caller.workspace.files.get(id)).ok_or("file_not_found")?;
    if !sees_file(caller, file) {
        return Err("file_not_found".into());
    }
    Ok(
        json!({ "file": shapes::file(caller.workspace, file), "comments": [], "response_metadata": { "next_cursor": "" } }),
    )
}

/// `GET files-pri/<team>-<file>/…`: the bytes, or for whom the token is not good a page to sign in at.
pub async fn download(
    State(sandbox): State<Shared>,
    Path((which, _)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let found = sandbox.read(|world| {
        let token = world.slack.grants.token(&api::token(&headers, &Args::new())?).ok()?;
        let workspace = world.slack.workspaces.get(&token.team)?;
        let (_, id) = which.split_once('-')?;
        let file = workspace.files.get(id)?;
        let caller = Caller { workspace, token };
        (token.scopes.contains("files:read") && sees_file(&caller, file)).then(|| file.clone())
    });
    match found {
        Some(File { text: Some(text), mime_type, .. }) => ([(header::CONTENT_TYPE, mime_type)], text).into_response(),
        Some(File { size, mime_type, .. }) => {
            let pieces = stream::unfold(size, |left| async move {
                let length = left.min(65_536);
                let piece = Bytes::from(vec![b' '; usize::try_from(length).unwrap_or_default()]);
                (length > 0).then(|| (Ok::<_, std::convert::Infallible>(piece), left - length))
            });
            let headers = [(header::CONTENT_TYPE, mime_type), (header::CONTENT_LENGTH, size.to_string())];
            (StatusCode::OK, headers, axum::body::Body::from_stream(pieces)).into_response()
        }
        None => {
            Html("<!DOCTYPE html><html><head><title>Slack</title></head><body>Sign in</body></html>").into_response()
        }
    }
}

fn sees_file(caller: &Caller<'_>, file: &File) -> bool {
    let sees = |id: &String| {
        let channel = caller.workspace.channels.get(id);
        channel.is_some_and(|channel| caller.workspace.may_read(&caller.token.user, channel))
    };
    file.places.iter().any(sees)
}

/// The channel that is named, if the caller knows of it.
fn seen<'c>(caller: &Caller<'c>, args: &Args) -> Result<&'c Channel, Failure> {
    let channel = args.get("channel").and_then(|id| caller.workspace.channels.get(id)).ok_or("channel_not_found")?;
    match caller.workspace.may_see(&caller.token.user, channel) {
        true => Ok(channel),
        false => Err("channel_not_found".into()),
    }
}

/// The channel that is named, if the caller may read its messages.
fn readable<'c>(caller: &Caller<'c>, args: &Args) -> Result<&'c Channel, Failure> {
    let channel = seen(caller, args)?;
    match caller.workspace.may_read(&caller.token.user, channel) {
        true => Ok(channel),
        false => Err("not_in_channel".into()),
    }
}

/// Whether a message lies between `oldest` and `latest`.
fn stretch(args: &Args) -> Result<impl Fn(&String) -> bool, Failure> {
    let given = |name: &str| args.get(name).filter(|text| !text.is_empty() && *text != "0");
    let bound = |name: &str, wrong: &'static str| match given(name) {
        None => Ok::<_, Failure>(None),
        Some(text) => {
            let (seconds, rest) = text.split_once('.').unwrap_or((text, "0"));
            let seconds: i64 = seconds.parse().map_err(|_| wrong)?;
            let micros: i64 = format!("{rest:0<6}").get(..6).and_then(|rest| rest.parse().ok()).ok_or(wrong)?;
            Ok(Some(super::state::ts_of(seconds * 1_000_000 + micros)))
        }
    };
    let (oldest, latest) = (bound("oldest", "invalid_ts_oldest")?, bound("latest", "invalid_ts_latest")?);
    let inclusive = flag(args, "inclusive");
    Ok(move |ts: &String| {
        let above = oldest.as_ref().is_none_or(|oldest| ts > oldest || (inclusive && ts == oldest));
        above && latest.as_ref().is_none_or(|latest| ts < latest || (inclusive && ts == latest))
    })
}

fn flag(args: &Args, name: &str) -> bool {
    args.get(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}

fn limit(args: &Args, default: usize, most: usize) -> Result<usize, Failure> {
    match args.get("limit").filter(|text| !text.is_empty()) {
        None => Ok(default),
        Some(text) => {
            let limit: usize = text.parse().map_err(|_| "invalid_limit")?;
            if limit == 0 || limit > 1000 { Err("invalid_limit".into()) } else { Ok(limit.min(most)) }
        }
    }
}

/// Cursors are bound to the arguments and to a generation.
fn seal(slack: &Slack, kind: &str, args: &Args) -> String {
    let mut hash = Sha256::new();
    hash.update(kind);
    for (name, value) in args.iter().filter(|(name, _)| !matches!(name.as_str(), "cursor" | "limit" | "token")) {
        hash.update(format!("\0{name}\0{value}"));
    }
    hash.update(slack.settings.cursors.to_be_bytes());
    let mut hex = hex::encode(hash.finalize());
    hex.truncate(12);
    hex
}

fn cursor(slack: &Slack, kind: &str, args: &Args, at: Option<&str>) -> String {
    at.map(|at| ENGINE.encode(format!("next:{}:{at}", seal(slack, kind, args)))).unwrap_or_default()
}

/// Where a cursor leads; `None` without one.
fn position(slack: &Slack, kind: &str, args: &Args) -> Result<Option<String>, Failure> {
    let Some(text) = args.get("cursor").filter(|text| !text.is_empty()) else { return Ok(None) };
    let decoded = ENGINE.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let prefix = format!("next:{}:", seal(slack, kind, args));
    let at = decoded.as_deref().and_then(|text| text.strip_prefix(&prefix)).map(str::to_owned);
    at.map(Some).ok_or_else(|| "invalid_cursor".into())
}
