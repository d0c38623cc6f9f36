//! Answers that are not what the API promises. A page is taken whole or not at all: nothing of a broken one is listed, and no cursor
//! comes of it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Slack;
use crate::error::Kind;
use crate::testing::{Reply, Seen, Server, config, slack};
use crate::{FetchRequest, From, Http, ListRequest, Provider as _};

/// The answer that is spoiled, by method; the others are good.
struct Workspace {
    server: Server,
    spoiled: Arc<Mutex<(String, Vec<u8>)>>,
}

fn good(method: &str) -> Value {
    match method {
        "auth.test" => json!({"ok": true, "url": "https://acme.slack.com/", "team": "Acme", "team_id": "T1"}),
        "users.conversations" => {
            json!({"ok": true, "channels": [{"id": "C1", "name": "general", "is_member": true, "created": 1_600_000_000}], "response_metadata": {"next_cursor": ""}})
        }
        "users.info" => {
            json!({"ok": true, "user": {"id": "U1", "name": "ada", "profile": {"display_name": "Ada", "email": "ada@example.com"}}})
        }
        "files.list" => {
            json!({"ok": true, "files": [{"id": "F1", "name": "a.txt", "title": "A", "mimetype": "text/plain", "mode": "hosted", "is_external": false,
            "size": 3, "created": 1_700_000_000, "user": "U1", "url_private": "https://files.slack.com/F1", "permalink": "https://acme.slack.com/files/F1", "channels": ["C1"], "groups": [], "ims": []}],
            "paging": {"count": 200, "total": 1, "page": 1, "pages": 1}})
        }
        _ => json!({"ok": true, "has_more": false, "messages": [
            {"type": "message", "user": "U1", "text": "hello", "ts": "1700000000.000100", "edited": {"user": "U1", "ts": "1700000001.000000"}},
            {"type": "message", "subtype": "bot_message", "bot_id": "B1", "username": "ci", "text": "", "ts": "1700000000.000090",
             "attachments": [{"title": "built", "fields": [{"title": "a", "value": "b"}]}], "blocks": [{"type": "divider"}]},
            {"type": "message", "user": "U1", "text": "asks", "ts": "1700000000.000080", "thread_ts": "1700000000.000080", "reply_count": 2,
             "latest_reply": "1700000000.000085", "files": [{"id": "F1", "name": "a.txt", "mode": "hosted"}]}],
            "response_metadata": {"next_cursor": ""}}),
    }
}

impl Workspace {
    async fn start() -> Self {
        let spoiled = Arc::new(Mutex::new((String::new(), Vec::new())));
        let said = Arc::clone(&spoiled);
        let server = Server::start(move |request: &Seen| {
            let method = request.path.trim_start_matches("/api/");
            let spoiled = said.lock().unwrap();
            if spoiled.0 == method {
                Reply::new(200, "application/json", &spoiled.1)
            } else {
                Reply::json(200, good(method))
            }
        })
        .await;
        Self { server, spoiled }
    }

    /// What is listed, page by page: ids, and whether it came to its end.
    async fn tell(&self, method: &str, body: &[u8]) -> Result<Vec<String>, Kind> {
        *self.spoiled.lock().unwrap() = (method.to_owned(), body.to_vec());
        let (provider, access, config) = (Slack::new(Http::new()), slack(&self.server), config(json!({})));
        let (mut ids, mut page) = (Vec::new(), None::<String>);
        for _ in 0..10 {
            let request = ListRequest { config: &config, from: From::Everything, page: page.as_deref() };
            let answer = provider.list(&access, request).await.map_err(|error| error.kind)?;
            ids.extend(answer.resources.into_iter().map(|listed| listed.resource.external_id.to_string()));
            page = answer.next;
            if page.is_none() {
                return Ok(ids);
            }
        }
        panic!("the listing does not end");
    }

    async fn refuses(&self, method: &str, body: &[u8]) {
        let told = self.tell(method, body).await;
        assert!(matches!(told, Err(Kind::Malformed(_))), "{method} {}: {told:?}", body.escape_ascii());
    }
}

const METHODS: [&str; 3] = ["users.conversations", "conversations.history", "files.list"];

/// The document with a value of another type at each place, one at a time.
fn with_wrong_types(document: &Value) -> Vec<(String, Value)> {
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(n, item)| places(item, &format!("{at}/{n}"), found))
            }
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| places(field, &format!("{at}/{name}"), found))
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(document, "", &mut found);
    let others = [json!(7), json!(-1.5), json!("x"), json!([[1]]), json!({"a": {}})];
    let kind = |value: &Value| std::mem::discriminant(value);
    let mut wrong = Vec::new();
    for place in found {
        for other in others.iter().filter(|other| kind(other) != kind(document.pointer(&place).unwrap())) {
            let mut spoiled = document.clone();
            *spoiled.pointer_mut(&place).unwrap() = other.clone();
            wrong.push((format!("{place} = {other}"), spoiled));
        }
    }
    wrong
}

#[tokio::test]
async fn guarantee_19_a_wrong_type_anywhere_fails_the_page_or_changes_nothing() {
    let workspace = Workspace::start().await;
    let truth = workspace.tell("", b"").await.unwrap();
    assert_eq!(truth.len(), 4);
    for method in METHODS {
        let mut failed = 0;
        for (what, wrong) in with_wrong_types(&good(method)) {
            match workspace.tell(method, wrong.to_string().as_bytes()).await {
                Err(Kind::Malformed(_)) => failed += 1,
                Ok(told) => assert_eq!(told, truth, "{method} {what}"),
                Err(other) => panic!("{method} {what}: {other:?}"),
            }
        }
        assert!(failed > 20, "{method}: {failed}");
    }
}

#[tokio::test]
async fn guarantee_19_what_must_be_there_is_missed_and_what_may_be_missing_is_not() {
    let workspace = Workspace::start().await;
    for (method, place) in [
        ("users.conversations", "/channels"),
        ("users.conversations", "/channels/0/id"),
        ("users.conversations", "/ok"),
        ("conversations.history", "/messages"),
        ("conversations.history", "/messages/0/ts"),
        ("files.list", "/files"),
        ("files.list", "/files/0/id"),
    ] {
        let (parent, field) = place.rsplit_once('/').unwrap();
        for gone in [true, false] {
            let mut document = good(method);
            let object = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            if gone {
                object.remove(field)
            } else {
                object.insert(field.to_owned(), Value::Null)
            };
            workspace.refuses(method, document.to_string().as_bytes()).await;
        }
    }
    let bare =
        json!({"ok": true, "messages": [{"ts": "1700000000.000100", "text": "hello", "unknown": {"deep": [1]}}]});
    let told = workspace.tell("conversations.history", bare.to_string().as_bytes()).await.unwrap();
    assert_eq!(told, ["C1/1700000000.000100", "C1/F1"]);
}

#[tokio::test]
async fn guarantee_19_a_page_cut_anywhere_and_garbage_are_no_page() {
    let workspace = Workspace::start().await;
    for method in METHODS {
        let whole = good(method).to_string();
        for length in (0..whole.len()).step_by(17).chain([whole.len() - 1]) {
            workspace.refuses(method, &whole.as_bytes()[..length]).await;
        }
        workspace.refuses(method, whole.repeat(2).as_bytes()).await;
        for garbage in ["", "null", "[]", "7", "<html>", "ok", "\u{feff}{}", "{\"ok\":1}", "\"ok\"", "{}"] {
            workspace.refuses(method, garbage.as_bytes()).await;
        }
        workspace.refuses(method, "[".repeat(100_000).as_bytes()).await;
    }
}

#[tokio::test]
async fn guarantee_20_cursors_that_lead_nowhere_are_refused() {
    let workspace = Workspace::start().await;
    workspace.refuses("conversations.history", br#"{"ok":true,"messages":[],"has_more":true}"#).await;
    // The page that "a" leads to leads to itself.
    workspace
        .refuses(
            "conversations.history",
            br#"{"ok":true,"messages":[],"has_more":true,"response_metadata":{"next_cursor":"a"}}"#,
        )
        .await;
    workspace
        .refuses("users.conversations", br#"{"ok":true,"channels":[],"response_metadata":{"next_cursor":"a"}}"#)
        .await;
}

#[tokio::test]
async fn ids_that_slack_cannot_have_given_reach_no_request_and_no_record() {
    let workspace = Workspace::start().await;
    workspace.refuses("users.conversations", br#"{"ok":true,"channels":[{"id":"C1&limit=1"}]}"#).await;
    workspace.refuses("conversations.history", br#"{"ok":true,"messages":[{"ts":"../../x"}]}"#).await;
    workspace.refuses("files.list", br#"{"ok":true,"files":[{"id":"../x","channels":["C1"]}]}"#).await;
}

#[tokio::test]
async fn guarantee_43_no_error_repeats_what_was_sent_or_what_was_answered() {
    let echo = |status: u16| {
        move |request: &Seen| {
            let token = request.headers.get("authorization").cloned().unwrap_or_default();
            Reply::json(status, json!({"ok": false, "error": token, "needed": "canary-scope", "messages": token, "canary-field": ["canary-value"]}))
                .with("location", "https://evil.example/?token=canary-location")
                .with("retry-after", "canary-wait")
        }
    };
    let (thread, file) =
        (domain::ExternalId::new("C1/1700000000.000100").unwrap(), domain::ExternalId::new("C1/F1").unwrap());
    let settings = config(json!({}));
    for status in [200, 204, 301, 302, 400, 401, 403, 404, 410, 429, 500, 503] {
        let server = Server::start(echo(status)).await;
        let (slack, access) = (Slack::new(Http::new()), slack(&server));
        let now = Http::new().now();
        let oauth = slack.oauth().unwrap();
        let errors = [
            slack.list(&access, ListRequest { config: &settings, from: From::Everything, page: None }).await.err(),
            slack
                .list(&access, ListRequest { config: &settings, from: From::Cursor("canary"), page: None })
                .await
                .err(),
            slack.fetch(&access, FetchRequest::whole(&thread, None)).await.err(),
            slack.fetch(&access, FetchRequest::whole(&file, None)).await.err(),
            slack.test_connection(&access).await.err(),
            slack.start_cursor(&access, &settings).await.err(),
            slack.browse(&access, crate::BrowseRequest { parent: None, cursor: Some("canary") }).await.err(),
            oauth.refresh(&access.settings, &"canary-refresh".into(), now).await.err(),
            oauth.exchange(&access.settings, "canary-code", "https://us.example/cb", None, now).await.err(),
        ];
        assert!(errors.iter().all(Option::is_some), "{status}");
        for error in errors.into_iter().flatten() {
            let said =
                format!("{error} {error:?} {:#?} {:?}", error.kind, error.source.as_deref().map(ToString::to_string));
            assert!(!said.contains("canary"), "{status}: {said}");
        }
    }
}
