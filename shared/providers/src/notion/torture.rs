//! What must not happen whatever Notion answers: a page of a listing is taken whole or not at all, and no error repeats a secret.

use std::sync::{Arc, Mutex};

use domain::ExternalId;
use serde_json::{Value, json};

use super::Notion;
use super::tests::{access, id};
use crate::error::Kind;
use crate::provider::{BrowseRequest, FetchRequest};
use crate::testing::{Reply, Server, config};
use crate::{From, Http, ListRequest, Provider as _};

const CURSOR: &str = r#"{"v":1,"since":"2026-11-20T10:00:00Z"}"#;

/// Notion, whose every answer is what is put in here.
struct Spoiled {
    notion: Notion,
    server: Server,
    body: Arc<Mutex<Vec<u8>>>,
}

/// What came of a page, as far as a caller acts on it.
#[derive(Debug, PartialEq)]
struct Told {
    listed: Vec<String>,
    gone: Vec<String>,
    goes_on: bool,
    relist: bool,
}

impl Spoiled {
    async fn start() -> Self {
        let body = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&body);
        let server = Server::start(move |_| Reply::new(200, "application/json", &said.lock().unwrap())).await;
        Self { notion: Notion::new(Http::new()), server, body }
    }

    async fn tell(&self, from: From<'_>, body: &[u8]) -> Result<Told, Kind> {
        *self.body.lock().unwrap() = body.to_vec();
        let config = config(json!({"rows": false}));
        let request = ListRequest { config: &config, from, page: None };
        let page = self.notion.list(&access(&self.server), request).await.map_err(|error| error.kind)?;
        Ok(Told {
            listed: page.resources.into_iter().map(|listed| listed.resource.external_id.to_string()).collect(),
            gone: page.gone.into_iter().map(|gone| gone.external_id.to_string()).collect(),
            goes_on: page.next.is_some(),
            relist: page.relist,
        })
    }

    async fn refuses(&self, from: From<'_>, body: &[u8]) {
        let told = self.tell(from, body).await;
        assert!(matches!(told, Err(Kind::Malformed(_))), "{}: {told:?}", body.escape_ascii());
    }
}

fn found() -> Value {
    serde_json::from_str(include_str!("fixtures/search.json")).unwrap()
}

/// The places of all values in a document, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, item)| places(item, &format!("{at}/{number}"), found))
        }
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            places(field, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found)
        }),
        _ => {}
    }
}

#[tokio::test]
async fn a_wrong_type_anywhere_fails_the_page_or_names_the_same_pages() {
    let spoiled = Spoiled::start().await;
    let document = found();
    let mut all = Vec::new();
    places(&document, "", &mut all);
    let others = [json!(true), json!(-1), json!("x"), json!([]), json!([[1]]), json!({}), json!({"a": {}})];
    for from in [From::Everything, From::Cursor(CURSOR)] {
        let truth = spoiled.tell(from, document.to_string().as_bytes()).await.unwrap();
        assert!(!truth.listed.is_empty());
        let (mut failed, mut harmless) = (0, 0);
        for place in &all {
            let kind = std::mem::discriminant(document.pointer(place).unwrap());
            for other in others.iter().filter(|other| std::mem::discriminant(*other) != kind) {
                let mut wrong = document.clone();
                *wrong.pointer_mut(place).unwrap() = other.clone();
                match spoiled.tell(from, wrong.to_string().as_bytes()).await {
                    Err(Kind::Malformed(_)) => failed += 1,
                    // A field that is not read.
                    Ok(told) if told == truth => harmless += 1,
                    // Another kind of object is no row, or no resource of ours: nothing is invented for it.
                    Ok(told) => assert!(
                        place.ends_with("/object") || place.contains("/parent") || place == "/next_cursor",
                        "{place} = {other}: {told:?}"
                    ),
                    Err(other) => panic!("{place}: {other:?}"),
                }
            }
        }
        assert!(failed > 200, "{failed} failed, {harmless} did not");
    }
}

#[tokio::test]
async fn guarantee_19_what_must_be_there_is_missed() {
    let spoiled = Spoiled::start().await;
    for from in [From::Everything, From::Cursor(CURSOR)] {
        for place in ["/results", "/results/0/id", "/results/0/object"] {
            for gone in [true, false] {
                let mut document = found();
                let (parent, field) = place.rsplit_once('/').unwrap();
                let object = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                if gone {
                    object.remove(field);
                } else {
                    object.insert(field.to_owned(), Value::Null);
                }
                spoiled.refuses(from, document.to_string().as_bytes()).await;
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_read_out_of_a_page_that_was_cut_or_out_of_garbage() {
    let spoiled = Spoiled::start().await;
    let whole = found().to_string();
    for from in [From::Everything, From::Cursor(CURSOR)] {
        for length in (0..whole.len()).step_by(53).chain([whole.len() - 1]) {
            spoiled.refuses(from, &whole.as_bytes()[..length]).await;
        }
        spoiled.refuses(from, format!("{whole}}}").as_bytes()).await;
        spoiled.refuses(from, whole.repeat(2).as_bytes()).await;
        for garbage in [
            "",
            "nul",
            "[]",
            "7",
            "\"x\"",
            "{}",
            "{\"results\":{}}",
            "<html></html>",
            "{\"a\":1}{}",
            "{\"results\":[],\"results\":[]}",
        ] {
            spoiled.refuses(from, garbage.as_bytes()).await;
        }
        spoiled.refuses(from, &[b"{\"results\":".to_vec(), b"[".repeat(100_000)].concat()).await;
        spoiled.refuses(from, b"{\"results\":[],\"next_cursor\":\"\xff\"}").await;
        // A cursor that no message should carry.
        let long = format!(r#"{{"results":[],"has_more":true,"next_cursor":"{}"}}"#, "c".repeat(10_000));
        spoiled.refuses(from, long.as_bytes()).await;
    }
}

#[tokio::test]
async fn guarantee_43_no_error_repeats_what_was_sent_or_what_was_answered() {
    let echo = |status: u16| {
        move |request: &crate::testing::Seen| {
            let token = request.headers.get("authorization").cloned().unwrap_or_default();
            let body = json!({"object": "error", "status": status, "code": token, "message": token, "error": token,
                              "request_id": token, "results": 7, "canary-field": ["canary-value"], "access_token": 7});
            Reply::json(status, body)
                .with("location", "https://evil.example/?token=canary-location")
                .with("retry-after", "canary-wait")
        }
    };
    let external_id = ExternalId::new(id(1)).unwrap();
    let settings = config(json!({}));
    for status in [200, 201, 204, 301, 302, 307, 400, 401, 403, 404, 409, 418, 429, 500, 503, 529] {
        let server = Server::start(echo(status)).await;
        let (notion, access) = (Notion::new(Http::new()), access(&server));
        let everything = ListRequest { config: &settings, from: From::Everything, page: None };
        let changes = ListRequest { config: &settings, from: From::Cursor(CURSOR), page: None };
        let browse = BrowseRequest { parent: None, cursor: None };
        let errors = [
            notion.list(&access, everything).await.err(),
            notion.list(&access, changes).await.err(),
            notion.fetch(&access, FetchRequest::whole(&external_id, None)).await.err(),
            notion.browse(&access, browse).await.err(),
            notion.test_connection(&access).await.err(),
            notion.start_cursor(&access, &settings).await.err(),
            notion.confirm_gone(&access, &settings, &external_id).await.err(),
            notion.oauth().unwrap().refresh(&access.settings, &"canary-refresh".into(), Http::new().now()).await.err(),
        ];
        assert!(errors.iter().flatten().count() >= 6, "{status}");
        for error in errors.into_iter().flatten() {
            let cause = error.source.as_deref().map(ToString::to_string);
            let said = format!("{error} {error:?} {:#?} {cause:?}", error.kind);
            assert!(!said.contains("canary") && !said.contains("app-secret"), "{status}: {said}");
        }
    }
}
