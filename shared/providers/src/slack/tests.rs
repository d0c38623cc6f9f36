//! Slack as a whole against a small workspace, which is here with what asks it.

mod fetching;
mod listing;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use domain::{IntegrationConfig, Resource};
use serde_json::{Value, json};

use super::*;
use crate::provider::Body;
use crate::testing::{Reply, Seen, Server, config, slack};

const GENERAL: &str = "C0GENERAL";
const RANDOM: &str = "C0RANDOM";

/// A workspace that a test changes as it goes.
#[derive(Default)]
struct World {
    channels: Vec<Value>,
    /// Top-level messages by channel, the newest first.
    history: BTreeMap<String, Vec<Value>>,
    replies: BTreeMap<String, Vec<Value>>,
    files: Vec<Value>,
    page: usize,
    /// A cursor that is no longer accepted.
    expired: Option<String>,
}

type Workspace = Arc<Mutex<World>>;

fn channel(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name, "is_member": true, "is_archived": false, "created": 1_600_000_000})
}

fn message(ts: &str, text: &str) -> Value {
    json!({"type": "message", "user": "U1", "text": text, "ts": ts})
}

fn thread(ts: &str, text: &str, replies: u64, latest: &str) -> Value {
    json!({"type": "message", "user": "U1", "text": text, "ts": ts, "thread_ts": ts, "reply_count": replies, "latest_reply": latest})
}

fn workspace() -> Workspace {
    Arc::new(Mutex::new(World {
        channels: vec![channel(GENERAL, "general"), channel(RANDOM, "random")],
        history: BTreeMap::from([
            (
                GENERAL.to_owned(),
                vec![
                    message("1700000300.000000", "third <@U2>"),
                    thread("1700000200.000000", "second", 1, "1700000250.000000"),
                    message("1700000100.000000", "first"),
                ],
            ),
            (RANDOM.to_owned(), vec![message("1700000150.000000", "elsewhere")]),
        ]),
        replies: BTreeMap::from([(
            "1700000200.000000".to_owned(),
            vec![json!({"user": "U2", "text": "indeed", "ts": "1700000250.000000", "thread_ts": "1700000200.000000"})],
        )]),
        files: vec![
            json!({"id": "F1", "name": "plan.txt", "mimetype": "text/plain", "size": 4, "created": 1_700_000_260, "user": "U1", "mode": "hosted",
            "channels": [GENERAL, "C0OTHER"], "url_private_download": "https://files.slack.com/files-pri/T1-F1/download/plan.txt"}),
        ],
        page: 100,
        expired: None,
    }))
}

fn refused(code: &str) -> Reply {
    Reply::json(200, json!({"ok": false, "error": code}))
}

fn answer(world: &World, request: &Seen) -> Reply {
    let channel = request.query("channel");
    match request.path.as_str() {
        "/api/auth.test" => Reply::json(
            200,
            json!({"ok": true, "url": "https://acme.slack.com/", "team": "Acme &amp; Co", "team_id": "T1", "user_id": "U0BOT"}),
        ),
        "/api/users.conversations" => {
            Reply::json(200, json!({"ok": true, "channels": world.channels, "response_metadata": {"next_cursor": ""}}))
        }
        "/api/conversations.info" => match world.channels.iter().find(|it| it["id"] == channel) {
            Some(found) => Reply::json(200, json!({"ok": true, "channel": found})),
            None => refused("channel_not_found"),
        },
        "/api/users.info" => match request.query("user") {
            "U1" => Reply::json(
                200,
                json!({"ok": true, "user": {"id": "U1", "profile": {"display_name": "Ada", "email": "ada@example.com"}}}),
            ),
            "U2" => Reply::json(200, json!({"ok": true, "user": {"id": "U2", "real_name": "Bob"}})),
            _ => refused("user_not_found"),
        },
        "/api/conversations.history" => {
            if !world.channels.iter().any(|it| it["id"] == channel) {
                return refused("channel_not_found");
            }
            if !request.query("cursor").is_empty() && world.expired.as_deref() == Some(request.query("cursor")) {
                return refused("invalid_cursor");
            }
            let inside = |it: &&Value| {
                let ts = it["ts"].as_str().unwrap();
                ts >= request.query("oldest") && (request.query("latest").is_empty() || ts <= request.query("latest"))
            };
            let all: Vec<&Value> = world.history.get(channel).into_iter().flatten().filter(inside).collect();
            paged(&all, request.query("cursor"), world.page)
        }
        "/api/conversations.replies" => {
            let ts = request.query("ts");
            let head = world.history.get(channel).into_iter().flatten().find(|it| it["ts"] == ts);
            let Some(head) = head else { return refused("thread_not_found") };
            if request.query("limit") == "1" {
                return Reply::json(200, json!({"ok": true, "messages": [head]}));
            }
            let replies: Vec<&Value> = world.replies.get(ts).into_iter().flatten().collect();
            let mut all = vec![head];
            all.extend(replies);
            paged(&all, request.query("cursor"), world.page)
        }
        "/api/files.list" => {
            Reply::json(200, json!({"ok": true, "files": world.files, "paging": {"page": 1, "pages": 1}}))
        }
        "/api/files.info" => match world.files.iter().find(|it| it["id"] == request.query("file")) {
            Some(file) => Reply::json(200, json!({"ok": true, "file": file})),
            None => refused("file_not_found"),
        },
        "/files-pri/T1-F1/download/plan.txt" => Reply::bytes(b"plan"),
        other => panic!("{other}"),
    }
}

fn paged(all: &[&Value], cursor: &str, size: usize) -> Reply {
    let from: usize = cursor.parse().unwrap_or(0);
    let next = if from + size < all.len() { (from + size).to_string() } else { String::new() };
    let shown = &all[from.min(all.len())..(from + size).min(all.len())];
    Reply::json(
        200,
        json!({"ok": true, "messages": shown, "has_more": !next.is_empty(), "response_metadata": {"next_cursor": next}}),
    )
}

async fn start(workspace: &Workspace) -> Server {
    let world = Arc::clone(workspace);
    Server::start(move |request: &Seen| answer(&world.lock().unwrap(), request)).await
}

/// What a listing brought, by id: revision and text.
#[derive(Debug, Default)]
struct Found {
    resources: BTreeMap<String, (Resource, Option<String>)>,
    cursor: Option<String>,
    relist: bool,
    pages: usize,
}

impl Found {
    fn ids(&self) -> Vec<&str> {
        self.resources.keys().map(String::as_str).collect()
    }
}

async fn list(server: &Server, config: &IntegrationConfig, from: From<'_>) -> Result<Found, Kind> {
    let (slack, access) = (Slack::new(Http::new()), slack(server));
    let (mut found, mut next) = (Found::default(), None::<String>);
    loop {
        let request = ListRequest { config, from, page: next.as_deref() };
        let page = slack.list(&access, request).await.map_err(|error| error.kind)?;
        found.pages += 1;
        assert!(found.pages < 50, "the listing ends");
        for listed in page.resources {
            found.resources.insert(listed.resource.external_id.to_string(), (listed.resource, listed.text));
        }
        (found.cursor, found.relist, next) = (page.cursor, page.relist, page.next);
        if next.is_none() {
            return Ok(found);
        }
    }
}

async fn start_cursor(server: &Server, config: &IntegrationConfig) -> String {
    Slack::new(Http::new()).start_cursor(&slack(server), config).await.unwrap()
}

async fn fetched(server: &Server, id: &str, calls: u32) -> Result<(Resource, String, u32), Kind> {
    let (slack, access, id) = (Slack::new(Http::new()), slack(server), ExternalId::new(id).unwrap());
    let (mut text, mut resume, mut parts) = (String::new(), None::<String>, 0);
    loop {
        let request = FetchRequest { id: &id, known: None, resume: resume.as_deref(), calls };
        let fetched = slack.fetch(&access, request).await.map_err(|error| error.kind)?;
        parts += 1;
        match fetched.body {
            Body::Text(more) => text.push_str(&more),
            Body::File { file, .. } => text = std::fs::read_to_string(file.path()).unwrap(),
        }
        resume = fetched.next;
        if resume.is_none() {
            return Ok((fetched.resource, text, parts));
        }
    }
}
