//! Slack as a whole against a small workspace: listing, what changed, fetching, and what is gone.

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

#[tokio::test]
async fn a_workspace_is_listed_whole_with_the_text_of_what_has_no_replies() {
    let (workspace, everything) = (workspace(), config(json!({})));
    let server = start(&workspace).await;
    let found = list(&server, &everything, From::Everything).await.unwrap();
    assert_eq!(
        found.ids(),
        [
            "C0GENERAL/1700000100.000000",
            "C0GENERAL/1700000200.000000",
            "C0GENERAL/1700000300.000000",
            "C0GENERAL/F1",
            "C0RANDOM/1700000150.000000"
        ]
    );
    let (third, text) = &found.resources["C0GENERAL/1700000300.000000"];
    assert_eq!((third.name.as_str(), text.as_deref()), ("#general: third @Bob", Some("Ada: third @Bob")));
    assert_eq!(third.url.as_deref(), Some("https://acme.slack.com/archives/C0GENERAL/p1700000300000000"));
    let author = third.author.as_ref().unwrap();
    assert_eq!((author.id.as_str(), author.email.as_deref()), ("U1", Some("ada@example.com")));
    assert_eq!(third.created_at.timestamp(), 1_700_000_300);
    let (second, text) = &found.resources["C0GENERAL/1700000200.000000"];
    assert_eq!((second.updated_at.timestamp(), text), (1_700_000_250, &None), "a thread with replies is fetched");
    let calls = |method: &str| server.seen().iter().filter(|seen| seen.path.ends_with(method)).count();
    assert_eq!((calls("conversations.history"), calls("users.info"), calls("auth.test")), (2, 2, 1));
}

#[tokio::test]
async fn the_filters_are_kept_to() {
    let workspace = workspace();
    let server = start(&workspace).await;
    let check = async |settings: Value, expected: &[&str]| {
        assert_eq!(
            list(&server, &config(settings.clone()), From::Everything).await.unwrap().ids(),
            expected,
            "{settings}"
        );
    };
    check(json!({"channels": [RANDOM]}), &["C0RANDOM/1700000150.000000"]).await;
    check(json!({"channels": ["C0HIDDEN"]}), &[]).await;
    let since = json!({"since": "2023-11-14T22:17:00Z", "files": false});
    check(since, &["C0GENERAL/1700000300.000000"]).await;
}

#[tokio::test]
async fn nothing_new_brings_what_is_known_with_equal_revisions_and_a_change_another() {
    let (workspace, everything) = (workspace(), config(json!({"lateReplyDays": 90})));
    // Now, so that all lies in the window.
    let recent = Http::new().now().timestamp();
    let ts = |ago: i64| format!("{}.000000", recent - ago);
    {
        let mut world = workspace.lock().unwrap();
        let general =
            vec![message(&ts(100), "third"), message(&ts(200), "second"), message(&ts(99 * 86_400), "ancient")];
        world.history.insert(GENERAL.to_owned(), general);
        world.history.insert(RANDOM.to_owned(), Vec::new());
    }
    let server = start(&workspace).await;
    let full = list(&server, &everything, From::Everything).await.unwrap();
    let cursor = start_cursor(&server, &everything).await;
    let quiet = list(&server, &everything, From::Cursor(&cursor)).await.unwrap();
    assert!(!quiet.ids().contains(&format!("{GENERAL}/{}", ts(99 * 86_400)).as_str()), "only the window is read again");
    assert!(quiet.resources.iter().all(|(id, (resource, _))| full.resources[id].0.revision == resource.revision));
    // A late reply, an edit, and a new message.
    {
        let mut world = workspace.lock().unwrap();
        world.history.insert(
            GENERAL.to_owned(),
            vec![
                message(&ts(1), "fourth"),
                json!({"user": "U1", "text": "third, mended", "ts": ts(100), "edited": {"user": "U1", "ts": ts(2)}}),
                thread(&ts(200), "second", 1, &ts(3)),
            ],
        );
    }
    let cursor = quiet.cursor.unwrap();
    let news = list(&server, &everything, From::Cursor(&cursor)).await.unwrap();
    let changed: Vec<&str> = news
        .resources
        .iter()
        .filter(|(id, (resource, _))| full.resources.get(*id).is_none_or(|old| old.0.revision != resource.revision))
        .map(|(id, _)| id.as_str())
        .collect();
    let id = |ago| format!("{GENERAL}/{}", ts(ago));
    assert_eq!(changed, [id(200).as_str(), id(100).as_str(), id(1).as_str()]);
    assert_eq!(news.resources[&id(200)].1, None);
}

#[tokio::test]
async fn a_channel_that_is_new_is_read_from_its_beginning_and_one_that_is_gone_asks_for_a_full_listing() {
    let (workspace, everything) = (workspace(), config(json!({})));
    let server = start(&workspace).await;
    let cursor = start_cursor(&server, &everything).await;
    {
        let mut world = workspace.lock().unwrap();
        world.channels.push(channel("C0NEW", "new"));
        world.history.insert("C0NEW".to_owned(), vec![message("1600000000.000001", "old words")]);
        world.files[0]["channels"] = json!(["C0NEW"]);
    }
    let found = list(&server, &everything, From::Cursor(&cursor)).await.unwrap();
    assert_eq!(found.ids(), ["C0NEW/1600000000.000001", "C0NEW/F1"]);
    let cursor = found.cursor.unwrap();
    workspace.lock().unwrap().channels.retain(|it| it["id"] != "C0NEW");
    let found = list(&server, &everything, From::Cursor(&cursor)).await.unwrap();
    assert!(found.relist && found.cursor.is_none());
    // What is listed in full then names its own channels.
    let cursor = start_cursor(&server, &everything).await;
    assert!(!list(&server, &everything, From::Cursor(&cursor)).await.unwrap().relist);
}

#[tokio::test]
async fn a_page_cursor_that_expired_is_replaced_by_the_time_that_was_reached() {
    let (workspace, everything) = (workspace(), config(json!({"channels": [GENERAL], "files": false})));
    workspace.lock().unwrap().page = 1;
    let server = start(&workspace).await;
    workspace.lock().unwrap().expired = Some("1".to_owned());
    let found = list(&server, &everything, From::Everything).await.unwrap();
    assert_eq!(found.ids().len(), 3);
}

#[tokio::test]
async fn a_restricted_app_asks_for_fifteen_and_has_a_meter_of_one_a_minute() {
    let workspace = workspace();
    let server = start(&workspace).await;
    let (provider, mut access) = (Slack::new(Http::new()), slack(&server));
    let settings = Arc::make_mut(&mut access.settings);
    settings.tier = Some("restricted".to_owned());
    assert_eq!(provider.meter(settings, Call::List).limits.per_minute, 1);
    assert_ne!(provider.meter(settings, Call::List).name, provider.meter(settings, Call::Fetch).name);
    let everything = config(json!({}));
    let mut next = None::<String>;
    for left in [1, 0] {
        let request = ListRequest { config: &everything, from: From::Everything, page: next.as_deref() };
        let page = provider.list(&access, request).await.unwrap();
        assert_eq!(page.pages_left, Some(left), "it says how much is left");
        next = page.next;
    }
    let history: Vec<_> = server.seen().into_iter().filter(|seen| seen.path.ends_with("history")).collect();
    assert!(history.len() == 2 && history.iter().all(|seen| seen.query("limit") == "15"), "one call a page");
    let full = crate::testing::settings(&[]);
    assert_eq!(provider.meter(&full, Call::Fetch).limits.per_minute, 50);
}

#[tokio::test]
async fn a_thread_is_fetched_with_its_replies_in_as_many_parts_as_it_takes() {
    let workspace = workspace();
    let many: Vec<Value> = (0..9)
        .map(|n| json!({"user": "U2", "text": format!("reply {n}"), "ts": format!("17000002{:02}.000000", 50 + n)}))
        .collect();
    {
        let mut world = workspace.lock().unwrap();
        world.replies.insert("1700000200.000000".to_owned(), many);
        world.page = 3;
    }
    let server = start(&workspace).await;
    let whole = fetched(&server, "C0GENERAL/1700000200.000000", u32::MAX).await.unwrap();
    let expected: Vec<String> =
        std::iter::once("Ada: second".to_owned()).chain((0..9).map(|n| format!("Bob: reply {n}"))).collect();
    assert_eq!((whole.1.as_str(), whole.2), (expected.join("\n").as_str(), 1));
    assert_eq!((whole.0.name.as_str(), whole.0.updated_at.timestamp()), ("#general: second", 1_700_000_258));
    for calls in [1, 2, 3] {
        let parts = fetched(&server, "C0GENERAL/1700000200.000000", calls).await.unwrap();
        assert_eq!((&parts.1, &parts.0), (&whole.1, &whole.0), "{calls} calls a part");
        assert_eq!(parts.2, 4_u32.div_ceil(calls));
    }
}

#[tokio::test]
async fn a_listed_thread_and_a_fetched_one_have_the_same_revision() {
    let (workspace, everything) = (workspace(), config(json!({})));
    let server = start(&workspace).await;
    let found = list(&server, &everything, From::Everything).await.unwrap();
    for id in ["C0GENERAL/1700000200.000000", "C0GENERAL/1700000100.000000", "C0GENERAL/F1"] {
        assert_eq!(fetched(&server, id, 1).await.unwrap().0, found.resources[id].0, "{id}");
    }
}

#[tokio::test]
async fn what_cannot_be_had_says_why() {
    let workspace = workspace();
    let server = start(&workspace).await;
    let check = async |id: &str, kind: Kind| assert_eq!(fetched(&server, id, 1).await.unwrap_err(), kind, "{id}");
    check("C0GENERAL/1700009999.000000", Kind::NotFound).await;
    check("C0GENERAL/F9", Kind::NotFound).await;
    check("C0RANDOM/F1", Kind::NotFound).await;
    check("nonsense", Kind::NotFound).await;
    check("C0GENERAL/../x", Kind::NotFound).await;
    let seen = server.seen().len();
    workspace.lock().unwrap().files[0]["size"] = json!(200_000_000);
    check("C0GENERAL/F1", Kind::TooLarge("files of more than 100 MB are not fetched".to_owned())).await;
    assert_eq!(server.seen().len() - seen, 2, "what it is and who made it, and not a byte of it");
    workspace.lock().unwrap().files[0]["mode"] = json!("space");
    assert!(matches!(fetched(&server, "C0GENERAL/F1", 1).await.unwrap_err(), Kind::Unsupported(_)));
}

#[tokio::test]
async fn guarantee_22_a_page_to_sign_in_at_is_no_file() {
    let check = async |identity: Value, kind: Kind| {
        let server = Server::start(move |request: &Seen| match request.path.as_str() {
            "/api/files.info" => Reply::json(
                200,
                json!({"ok": true, "file": {"id": "F1", "mimetype": "text/plain", "size": 4, "channels": ["C1"],
                "url_private": "https://files.slack.com/F1"}}),
            ),
            "/F1" => Reply::new(200, "text/html", b"<!DOCTYPE html><html><body>Sign in</body></html>"),
            _ => Reply::json(200, &identity),
        })
        .await;
        assert_eq!(fetched(&server, "C1/F1", 1).await.unwrap_err(), kind);
        let download = server.seen().into_iter().find(|seen| seen.path == "/F1").unwrap();
        assert_eq!(download.headers["authorization"], "Bearer canary-token");
    };
    check(json!({"ok": true, "team_id": "T1"}), Kind::Forbidden("file_not_downloadable")).await;
    check(json!({"ok": false, "error": "token_expired"}), Kind::TokenRejected).await;
}

#[tokio::test]
async fn guarantee_35_the_token_goes_to_no_foreign_address() {
    let server = Server::start(|request: &Seen| match request.path.as_str() {
        "/api/files.info" => Reply::json(200, json!({"ok": true, "file": {"id": "F1", "size": 4, "channels": ["C1"], "url_private_download": "https://evil.example/F1"}})),
        _ => Reply::json(200, json!({"ok": true, "team_id": "T1"})),
    })
    .await;
    assert_eq!(fetched(&server, "C1/F1", 1).await.unwrap_err(), Kind::Forbidden("file_not_downloadable"));
    assert!(server.seen().iter().all(|seen| seen.path.starts_with("/api/")));
}

#[tokio::test]
async fn what_is_gone_is_told_from_what_may_no_longer_be_read() {
    let workspace = workspace();
    {
        let mut world = workspace.lock().unwrap();
        let mut left = channel("C0LEFT", "left");
        left["is_member"] = json!(false);
        let mut archived = channel("C0ARCHIVED", "archived");
        archived["is_archived"] = json!(true);
        world.channels.extend([left, archived]);
        world.history.insert("C0ARCHIVED".to_owned(), vec![message("1700000100.000000", "old")]);
    }
    let server = start(&workspace).await;
    let check = async |settings: Value, id: &str, expected: Option<DeleteReason>| {
        let (id, provider) = (ExternalId::new(id).unwrap(), Slack::new(Http::new()));
        let reason = provider.confirm_gone(&slack(&server), &config(settings), &id).await.unwrap();
        assert_eq!(reason, expected, "{id}");
    };
    check(json!({}), "C0GENERAL/1700000100.000000", None).await;
    check(json!({}), "C0GENERAL/1700009999.000000", Some(DeleteReason::Removed)).await;
    check(json!({}), "C0SECRET/1700000100.000000", Some(DeleteReason::AccessLost)).await;
    check(json!({}), "C0LEFT/1700000100.000000", Some(DeleteReason::AccessLost)).await;
    check(json!({}), "C0ARCHIVED/1700000100.000000", None).await;
    check(json!({"archivedChannels": false}), "C0ARCHIVED/1700000100.000000", Some(DeleteReason::OutOfScope)).await;
    check(json!({"channels": [RANDOM]}), "C0GENERAL/1700000100.000000", Some(DeleteReason::OutOfScope)).await;
    check(json!({"since": "2024-01-01T00:00:00Z"}), "C0GENERAL/1700000100.000000", Some(DeleteReason::OutOfScope))
        .await;
    check(json!({}), "C0GENERAL/F1", None).await;
    check(json!({}), "C0GENERAL/F9", Some(DeleteReason::Removed)).await;
    check(json!({}), "C0RANDOM/F1", Some(DeleteReason::Removed)).await;
    check(json!({"files": false}), "C0GENERAL/F1", Some(DeleteReason::OutOfScope)).await;
}

#[tokio::test]
async fn the_account_is_the_workspace_or_the_organization() {
    let check = async |identity: Value| {
        let server = Server::start(move |_| Reply::json(200, &identity)).await;
        let account = Slack::new(Http::new()).test_connection(&slack(&server)).await;
        account.map(|account| (account.id.to_string(), account.name)).map_err(|error| error.kind)
    };
    let acme = json!({"ok": true, "team": "Acme &amp; Co", "team_id": "T1", "url": "https://acme.slack.com/"});
    assert_eq!(check(acme).await.unwrap(), ("T1".to_owned(), Some("Acme & Co".to_owned())));
    let whole = json!({"ok": true, "team_id": "T1", "enterprise_id": "E1", "is_enterprise_install": true});
    assert_eq!(check(whole).await.unwrap().0, "E1");
    assert!(matches!(check(json!({"ok": true})).await, Err(Kind::Malformed(_))));
    assert_eq!(check(json!({"ok": false, "error": "token_revoked"})).await, Err(Kind::TokenRejected));
}

#[tokio::test]
async fn channels_can_be_chosen_and_have_nothing_inside() {
    let workspace = workspace();
    let server = start(&workspace).await;
    let browse = async |parent| {
        let request = BrowseRequest { parent, cursor: None };
        Slack::new(Http::new()).browse(&slack(&server), request).await.unwrap()
    };
    let top = browse(None).await;
    let names: Vec<_> =
        top.items.iter().map(|choice| (choice.name.as_str(), choice.field, choice.has_children)).collect();
    assert_eq!(names, [("#general", Some("channels"), false), ("#random", Some("channels"), false)]);
    assert!(browse(Some(GENERAL)).await.items.is_empty());
}

#[tokio::test]
async fn ten_thousand_channels_and_access_to_none_both_end() {
    let (workspace, everything) = (workspace(), config(json!({"files": false})));
    workspace.lock().unwrap().channels.clear();
    let server = start(&workspace).await;
    assert_eq!(list(&server, &everything, From::Everything).await.unwrap().pages, 1);
    workspace.lock().unwrap().channels = (0..10_000).map(|n| channel(&format!("C{n:010}"), "n")).collect();
    let cursor = start_cursor(&server, &everything).await;
    assert!(cursor.len() < 100_000, "{}", cursor.len());
    let (provider, access) = (Slack::new(Http::new()), slack(&server));
    let first =
        provider.list(&access, ListRequest { config: &everything, from: From::Everything, page: None }).await.unwrap();
    let next = first.next.unwrap();
    assert!(next.len() < 200_000 && first.pages_left == Some(9_999), "{} {:?}", next.len(), first.pages_left);
    provider
        .list(&access, ListRequest { config: &everything, from: From::Everything, page: Some(&next) })
        .await
        .unwrap();
}
