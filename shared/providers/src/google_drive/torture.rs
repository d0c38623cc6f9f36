//! Answers that are not what the API promises. A page is taken whole or not at all: nothing of a broken one is listed, nothing of it
//! counts as gone, and no cursor comes of it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::GoogleDrive;
use crate::error::Kind;
use crate::testing::{Reply, Seen, Server, config, google};
use crate::{FetchRequest, From, Http, ListRequest, Page, Provider as _};

const CURSOR: &str = r#"{"v":1,"user":"10","drives":{}}"#;

/// Drive, whose first page of a listing is what is put in here.
struct Drive {
    provider: GoogleDrive,
    server: Server,
    body: Arc<Mutex<Vec<u8>>>,
}

/// What came of a page, as far as a caller acts on it.
#[derive(Debug, PartialEq)]
struct Told {
    listed: Vec<String>,
    gone: Vec<String>,
    goes_on: bool,
    has_cursor: bool,
    relist: bool,
}

impl Drive {
    async fn start() -> Self {
        let body = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&body);
        let server = Server::start(move |request: &Seen| match request.path.as_str() {
            "/drive/v3/files" if !request.query("pageToken").is_empty() => {
                Reply::json(200, r#"{"files":[{"id":"second","mimeType":"text/plain"}]}"#)
            }
            "/drive/v3/files" | "/drive/v3/changes" => Reply::new(200, "application/json", &said.lock().unwrap()),
            // What a shortcut leads to is not to be seen.
            _ => Reply::json(404, json!({"error": {"errors": [{"reason": "notFound"}]}})),
        })
        .await;
        Self { provider: GoogleDrive::new(Http::new()), server, body }
    }

    async fn tell(&self, from: From<'_>, body: &[u8]) -> Result<Told, Kind> {
        *self.body.lock().unwrap() = body.to_vec();
        let config = config(json!({"sharedDrives": false}));
        let request = ListRequest { config: &config, from, page: None };
        let Page { resources, gone, next, cursor, relist, .. } =
            self.provider.list(&google(&self.server), request).await.map_err(|error| error.kind)?;
        let listed = resources.into_iter().map(|listed| listed.resource.external_id.to_string());
        Ok(Told {
            listed: listed.collect(),
            gone: gone.into_iter().map(|gone| gone.external_id.to_string()).collect(),
            goes_on: next.is_some(),
            has_cursor: cursor.is_some(),
            relist,
        })
    }

    async fn refuses(&self, from: From<'_>, body: &[u8]) {
        let told = self.tell(from, body).await;
        assert!(matches!(told, Err(Kind::Malformed(_))), "{}: {told:?}", body.escape_ascii());
    }
}

fn files() -> Value {
    serde_json::from_str(include_str!("fixtures/files.list.json")).unwrap()
}

fn changes() -> Value {
    let mut files = files();
    let changes: Vec<Value> = files["files"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        // A shared folder would ask for a full listing, which is another matter.
        .filter(|file| file["mimeType"] != "application/vnd.google-apps.folder")
        .map(|file| json!({"kind": "drive#change", "changeType": "file", "time": "2026-02-01T00:00:00.000Z", "removed": false, "fileId": file["id"], "file": file.take()}))
        .chain([json!({"changeType": "file", "removed": true, "fileId": "gone-1", "time": "2026-02-01T00:00:00.000Z"})])
        .collect();
    json!({"kind": "drive#changeList", "newStartPageToken": "11", "changes": changes})
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

/// The document with a value of another type at each place, one at a time.
fn with_wrong_types(document: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    places(document, "", &mut found);
    let others = [json!(true), json!(-1), json!(1.5), json!("x"), json!([]), json!([[1]]), json!({}), json!({"a": {}})];
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
    let drive = Drive::start().await;
    for (from, document) in [(From::Everything, files()), (From::Cursor(CURSOR), changes())] {
        let truth = drive.tell(from, document.to_string().as_bytes()).await.unwrap();
        assert!(!truth.listed.is_empty());
        let (mut failed, mut harmless) = (0, Vec::new());
        for (what, wrong) in with_wrong_types(&document) {
            match drive.tell(from, wrong.to_string().as_bytes()).await {
                Err(Kind::Malformed(_)) => failed += 1,
                // A field that is not read, or a number that may be written either way.
                Ok(told) => {
                    assert_eq!(told, truth, "{what}");
                    harmless.push(what);
                }
                Err(other) => panic!("{what}: {other:?}"),
            }
        }
        assert!(failed > 400, "{failed} failed, {harmless:#?} did not");
    }
}

#[tokio::test]
async fn guarantee_19_what_must_be_there_is_missed() {
    let drive = Drive::start().await;
    for (from, mut document, places) in [
        (From::Everything, files(), &["/files", "/files/0/id"][..]),
        (From::Cursor(CURSOR), changes(), &["/changes", "/newStartPageToken", "/changes/0/file/id"]),
    ] {
        let whole = document.clone();
        for place in places {
            for gone in [true, false] {
                let (parent, field) = place.rsplit_once('/').unwrap();
                let object = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                if gone {
                    object.remove(field);
                } else {
                    object.insert(field.to_owned(), Value::Null);
                }
                drive.refuses(from, document.to_string().as_bytes()).await;
                document = whole.clone();
            }
        }
    }
}

#[tokio::test]
async fn guarantee_19_a_page_cut_anywhere_is_no_page() {
    let drive = Drive::start().await;
    for (from, document) in [(From::Everything, files()), (From::Cursor(CURSOR), changes())] {
        let whole = document.to_string();
        for length in (0..whole.len()).step_by(13).chain([whole.len() - 1]) {
            drive.refuses(from, &whole.as_bytes()[..length]).await;
        }
        drive.refuses(from, format!("{whole}}}").as_bytes()).await;
        drive.refuses(from, whole.repeat(2).as_bytes()).await;
    }
}

/// Texts that are no JSON, after the cases that parsers are commonly tested with.
fn no_json() -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = [
        "",
        " ",
        "\u{feff}{}",
        "nul",
        "NaN",
        "Infinity",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "-",
        "--1",
        "1_000",
        "'a'",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"a\nb\"",
        "\"tab\there\"",
        "\"open",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "]",
        "[1}}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\" 1}",
        "{1:1}",
        "{} {}",
        "{}#",
        "// c\n{}",
        "/* c */ {}",
        "{}\0",
        "<html><body>Sorry</body></html>",
        "<?xml version=\"1.0\"?><a/>",
        "ok",
        "True",
        "undefined",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    // Not UTF-8: alone, in a string, cut off, too long a form, a surrogate.
    for bytes in [&b"\xff"[..], b"\"\xff\"", b"\"\xe2\x82\"", b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\"", b"{\"a\xe9\":1}"] {
        texts.push(bytes.to_vec());
    }
    // So deep that a parser that calls itself would run out of stack.
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        texts.push(open.repeat(100_000).into_bytes());
    }
    texts.push([b"[".repeat(100_000), b"]".repeat(100_000)].concat());
    texts
}

#[tokio::test]
async fn guarantee_19_nothing_is_read_out_of_garbage() {
    let drive = Drive::start().await;
    for garbage in no_json() {
        drive.refuses(From::Everything, &garbage).await;
        drive.refuses(From::Cursor(CURSOR), &garbage).await;
        // The same in the place of a value, in a page that is right but for that.
        for (from, start, end) in [
            (From::Everything, r#"{"files":[{"id":"a","mimeType":"text/plain","name":"#, "}]}"),
            (From::Cursor(CURSOR), r#"{"newStartPageToken":"11","changes":"#, "}"),
        ] {
            drive.refuses(from, &[start.as_bytes(), &garbage, end.as_bytes()].concat()).await;
        }
    }
    for other in ["null", "true", "7", "\"files\"", "[]", "[[]]", "{}", r#"{"error":{"code":500}}"#, r#"{"files":{}}"#]
    {
        drive.refuses(From::Everything, other.as_bytes()).await;
        drive.refuses(From::Cursor(CURSOR), other.as_bytes()).await;
    }
    // A field that comes twice: readers would disagree about which one counts.
    drive.refuses(From::Everything, br#"{"files":[{"id":"a","mimeType":"text/plain"}],"files":[]}"#).await;
    drive.refuses(From::Everything, br#"{"files":[{"id":"a","id":"b","mimeType":"text/plain"}]}"#).await;
}

#[tokio::test]
async fn guarantee_20_cursors_that_lead_nowhere_are_refused_and_empty_pages_are_followed() {
    let drive = Drive::start().await;
    // The page that was asked for is named as the next one.
    drive.refuses(From::Cursor(CURSOR), br#"{"changes":[],"nextPageToken":"10"}"#).await;
    // A page of changes that leads nowhere at all.
    drive.refuses(From::Cursor(CURSOR), br#"{"changes":[]}"#).await;
    let empty = drive.tell(From::Everything, br#"{"files":[],"nextPageToken":"more"}"#).await.unwrap();
    assert_eq!(empty.listed, ["second"]);
}

#[tokio::test]
async fn guarantee_43_no_error_repeats_what_was_sent_or_what_was_answered() {
    // An answer that echoes the token, in the places where providers put words, and bodies with a secret of their own.
    let echo = |status: u16| {
        move |request: &Seen| {
            let token = request.headers.get("authorization").cloned().unwrap_or_default();
            let error = json!({"code": status, "message": token, "status": token, "errors": [{"reason": token, "message": token}], "details": [{"reason": "canary-detail"}]});
            Reply::json(status, json!({"error": error, "canary-field": ["canary-value"], "files": 7, "changes": token}))
                .with("location", "https://evil.example/?token=canary-location")
                .with("retry-after", "canary-wait")
                .with("www-authenticate", "Bearer realm=canary-realm")
        }
    };
    let id = domain::ExternalId::new("canary-file").unwrap();
    let settings = config(json!({"sharedDrives": false}));
    for status in [200, 201, 204, 301, 302, 307, 400, 401, 403, 404, 409, 410, 418, 429, 500, 503] {
        let server = Server::start(echo(status)).await;
        let (drive, access) = (GoogleDrive::new(Http::new()), google(&server));
        let everything = ListRequest { config: &settings, from: From::Everything, page: None };
        let changes = ListRequest { config: &settings, from: From::Cursor(CURSOR), page: None };
        let errors = [
            drive.list(&access, everything).await.err(),
            drive.list(&access, changes).await.err(),
            drive.fetch(&access, FetchRequest::whole(&id, None)).await.err(),
            drive.test_connection(&access).await.err(),
            drive.start_cursor(&access, &settings).await.err(),
            drive.confirm_gone(&access, &settings, &id).await.err(),
            drive.oauth().unwrap().refresh(&access.settings, &"canary-refresh".into(), Http::new().now()).await.err(),
        ];
        assert!(errors.iter().flatten().count() >= 5, "{status}");
        for error in errors.into_iter().flatten() {
            let said =
                format!("{error} {error:?} {:#?} {:?}", error.kind, error.source.as_deref().map(ToString::to_string));
            assert!(!said.contains("canary"), "{status}: {said}");
        }
        assert!(!format!("{access:?}").contains("canary"));
    }
}
