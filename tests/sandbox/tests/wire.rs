//! What only shows on a real connection: faults, limits, webhooks, pages, and state that survives a restart.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "this is a test")]

mod running;

use std::time::Duration;

use reqwest::StatusCode;
use running::{ADA, READONLY, Running};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

async fn token(sandbox: &Running) -> String {
    sandbox.consent(ADA, READONLY).await["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_fault_spoils_the_answer_in_its_own_way_and_then_is_spent() {
    let sandbox = Running::start(&[]);
    let token = token(&sandbox).await;
    let list = || sandbox.drive("GET", "files", &token).send();
    let fault = |mut rule: Value| {
        rule["times"] = json!(1);
        rule["match"] = json!({ "operation": "files.list", "account": ADA });
        sandbox.control("POST", "faults", rule)
    };

    fault(json!({ "kind": "reset" })).await;
    assert!(list().await.is_err(), "the connection is cut");

    fault(json!({ "kind": "truncate" })).await;
    let cut = list().await.expect("the head arrives");
    assert_eq!(cut.status(), StatusCode::OK);
    assert!(cut.bytes().await.is_err(), "the body does not");

    fault(json!({ "kind": "status", "status": 503, "retryAfter": 7 })).await;
    let down = list().await.unwrap();
    assert_eq!(
        (down.status(), down.headers()["retry-after"].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "7")
    );
    assert_eq!(down.json::<Value>().await.unwrap()["error"]["errors"][0]["reason"], "backendError");

    fault(json!({ "kind": "rateLimit" })).await;
    let fast = list().await.unwrap();
    assert_eq!(fast.status(), StatusCode::FORBIDDEN);
    let error = fast.json::<Value>().await.unwrap()["error"]["errors"][0].clone();
    assert_eq!((&error["reason"], &error["domain"]), (&json!("userRateLimitExceeded"), &json!("usageLimits")));

    for kind in ["garbage", "html"] {
        fault(json!({ "kind": kind })).await;
        let odd = list().await.unwrap();
        assert_eq!(odd.status(), StatusCode::OK);
        assert!(odd.json::<Value>().await.is_err(), "{kind} is no JSON");
    }

    fault(json!({ "kind": "endless" })).await;
    let mut endless = list().await.unwrap();
    let mut read = 0;
    while read < 1 << 20 {
        read += endless.chunk().await.unwrap().expect("it goes on").len();
    }
    drop(endless);

    fault(json!({ "kind": "delay", "delayMs": 300 })).await;
    let started = std::time::Instant::now();
    assert_eq!(list().await.unwrap().status(), StatusCode::OK);
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(list().await.unwrap().status(), StatusCode::OK, "all faults are spent");

    let counters = sandbox.control("GET", "counters", json!({})).await;
    assert_eq!(counters["files.list"], 9);
    let log = sandbox.control("GET", "requests", json!({})).await;
    let marks: Vec<&str> =
        log["requests"].as_array().unwrap().iter().filter_map(|entry| entry["interference"].as_str()).collect();
    assert_eq!(marks, ["reset", "truncate", "status", "rateLimit", "garbage", "html", "endless", "delay"]);
}

#[tokio::test]
async fn the_limiter_refuses_what_is_beyond_and_counts_both() {
    let sandbox = Running::start(&[]);
    let token = token(&sandbox).await;
    sandbox.control("POST", "limits", json!({ "requestsPerMinute": 60, "burst": 3 })).await;
    let mut refused = 0;
    for _ in 0..5 {
        let response = sandbox.drive("GET", "files", &token).send().await.unwrap();
        refused += u32::from(response.status() == StatusCode::FORBIDDEN);
    }
    assert!((1..=2).contains(&refused), "{refused} refused");
    let counts = sandbox.control("GET", "limits", json!({})).await;
    assert_eq!(counts["refused"], refused);
    assert_eq!(counts["allowed"], 5 - refused);
}

/// Answers requests one by one with the given statuses and returns their heads.
async fn receive(listener: &TcpListener, statuses: &[u16]) -> Vec<String> {
    let mut heads = Vec::new();
    for status in statuses {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        heads.push(String::from_utf8(head).unwrap().to_lowercase());
    }
    heads
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head.lines().find(|line| line.starts_with(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("{name} is missing in {head}")).split_once(':').unwrap().1.trim()
}

#[tokio::test]
async fn a_channel_gets_sync_then_changes_and_an_outage_is_tried_again() {
    let sandbox = Running::start(&[]);
    let token = token(&sandbox).await;
    sandbox.control("POST", "google/settings", json!({ "webhookRetryMs": 50 })).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let start = sandbox.get("changes/startPageToken", &token).await["startPageToken"].as_str().unwrap().to_owned();
    let address = format!("http://hooks.localhost:{}/in", listener.local_addr().unwrap().port());
    let watch = json!({ "id": "channel-1", "type": "web_hook", "address": address, "token": "s3cret" });
    let request = sandbox.drive("POST", &format!("changes/watch?pageToken={start}"), &token).json(&watch);
    let (response, sync) = tokio::join!(request.send(), receive(&listener, &[200]));
    let channel: Value = response.unwrap().json().await.unwrap();
    assert_eq!(header(&sync[0], "x-goog-resource-state"), "sync");
    assert_eq!(header(&sync[0], "x-goog-message-number"), "1");

    let new = json!({ "account": ADA, "name": "new.txt", "mimeType": "text/plain", "text": "new" });
    let started = std::time::Instant::now();
    for _ in 0..2 {
        sandbox.control("POST", "google/files", new.clone()).await;
    }
    // 503 twice, then accepted: one message, three attempts, always the same number.
    let heads = receive(&listener, &[503, 503, 204]).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    for head in &heads {
        assert_eq!(header(head, "x-goog-resource-state"), "change");
        assert_eq!(header(head, "x-goog-channel-id"), "channel-1");
        assert_eq!(header(head, "x-goog-channel-token"), "s3cret");
        assert_eq!(header(head, "x-goog-resource-id"), channel["resourceId"].as_str().unwrap().to_lowercase());
        assert_eq!(header(head, "content-length"), "0");
        assert_eq!(header(head, "x-goog-message-number"), header(&heads[0], "x-goog-message-number"));
    }
    assert!(header(&heads[0], "x-goog-message-number").parse::<u64>().unwrap() > 1);

    let stop = json!({ "id": "channel-1", "resourceId": channel["resourceId"] });
    let stopped = sandbox.drive("POST", "channels/stop", &token).json(&stop).send().await.unwrap();
    assert_eq!(stopped.status(), StatusCode::NO_CONTENT);
    let again = sandbox.drive("POST", "channels/stop", &token).json(&stop).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
    assert_eq!(sandbox.control("GET", "google/channels", json!({})).await["channels"], json!([]));
    let sent = sandbox.control("GET", "webhooks", json!({})).await;
    let outcomes: Vec<_> = sent["webhooks"].as_array().unwrap().iter().map(|sent| sent["outcome"].clone()).collect();
    assert_eq!(outcomes, ["delivered", "delivered"]);
}

#[tokio::test]
async fn files_tokens_and_cursors_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/state.json");
    let variables = [("SANDBOX_STATE", file.to_str().unwrap())];
    let sandbox = Running::start(&variables);
    let token = token(&sandbox).await;
    let start = sandbox.get("changes/startPageToken", &token).await["startPageToken"].as_str().unwrap().to_owned();
    let page = sandbox.get("files?pageSize=5&orderBy=name", &token).await;
    let before = sandbox.control("GET", &format!("truth?account={ADA}"), json!({})).await;
    sandbox.stop();

    let sandbox = Running::start(&variables);
    assert_eq!(sandbox.control("GET", &format!("truth?account={ADA}"), json!({})).await, before);
    let next = page["nextPageToken"].as_str().unwrap();
    let next = sandbox.get(&format!("files?pageSize=5&orderBy=name&pageToken={next}"), &token).await;
    assert_eq!(next["files"].as_array().unwrap().len(), 5);
    let id = page["files"][0]["id"].as_str().unwrap();
    sandbox.control("PATCH", &format!("google/files/{id}"), json!({ "trashed": true })).await;
    let changes = sandbox.get(&format!("changes?pageToken={start}&fields=*"), &token).await;
    assert_eq!(changes["changes"][0]["fileId"], json!(id));
    assert_eq!(changes["changes"][0]["file"]["trashed"], true);
}

#[tokio::test]
async fn tokens_expire_refresh_rotate_and_are_revoked() {
    let sandbox = Running::start(&[]);
    let tokens = sandbox.consent(ADA, READONLY).await;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    sandbox.control("POST", "google/tokens", json!({ "expireAccessTokens": true })).await;
    let dead = sandbox.drive("GET", "files", access).send().await.unwrap();
    assert_eq!(dead.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(dead.json::<Value>().await.unwrap()["error"]["errors"][0]["reason"], "authError");

    sandbox.control("POST", "google/tokens", json!({ "rotateRefreshTokens": true })).await;
    let renewed = sandbox.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
    let again = sandbox.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
    assert_eq!(again["error"], "invalid_grant");
    let access = renewed["access_token"].as_str().unwrap();
    sandbox.get("files", access).await;

    let revoke = |token: String| {
        sandbox.http.post(format!("{}/google/oauth2/revoke", sandbox.url)).form(&[("token", token)]).send()
    };
    assert_eq!(revoke(access.to_owned()).await.unwrap().status(), StatusCode::OK);
    assert_eq!(revoke(access.to_owned()).await.unwrap().status(), StatusCode::BAD_REQUEST);
    let log = sandbox.control("GET", "requests", json!({})).await;
    let revoked = log["requests"].as_array().unwrap().iter().find(|entry| entry["operation"] == "oauth2.revoke");
    assert_eq!(revoked.unwrap()["account"], ADA);
    let rotated = renewed["refresh_token"].as_str().unwrap();
    let after = sandbox.token(&[("grant_type", "refresh_token"), ("refresh_token", rotated)]).await;
    assert_eq!(after["error"], "invalid_grant", "revoking the access token revoked its refresh token");
}

#[tokio::test]
async fn a_person_can_add_and_trash_a_file_on_the_drive_page() {
    let sandbox = Running::start(&[]);
    let add = [
        ("account", ADA),
        ("action", "add"),
        ("kind", "text/plain"),
        ("name", "by <hand>.txt"),
        ("text", "one\r\ntwo"),
        ("parent", ""),
    ];
    let done = sandbox.http.post(format!("{}/drive/do", sandbox.url)).form(&add).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let page = sandbox.http.get(format!("{}/drive?account={ADA}", sandbox.url)).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("by &lt;hand&gt;.txt"));
    let truth = sandbox.control("GET", &format!("truth?account={ADA}"), json!({})).await;
    let file = truth["files"].as_array().unwrap().iter().find(|file| file["name"] == "by <hand>.txt").unwrap().clone();
    assert_eq!(file["text"], "one\ntwo");
    for (name, value) in
        [("/", "Sandbox"), (&format!("/drive/edit?account={ADA}&id={}", file["id"].as_str().unwrap()), "one")]
    {
        let page = sandbox.http.get(format!("{}{name}", sandbox.url)).send().await.unwrap();
        assert!(page.text().await.unwrap().contains(value), "{name}");
    }
    let trash = [("account", ADA), ("action", "trash"), ("id", file["id"].as_str().unwrap())];
    let done = sandbox.http.post(format!("{}/drive/do", sandbox.url)).form(&trash).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let truth = sandbox.control("GET", &format!("truth?account={ADA}"), json!({})).await;
    assert!(truth["files"].as_array().unwrap().iter().all(|file| file["name"] != "by <hand>.txt"));
}

#[tokio::test]
async fn the_stand_in_for_the_host_application_shows_what_the_api_says_and_echoes_nothing_as_markup() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let sandbox = Running::start(&[("APP_API_URL", &api), ("APP_TOKENS", r#"{"ada":"jwt-of-ada"}"#)]);
    let chosen = sandbox.http.post(format!("{}/app/user", sandbox.url)).form(&[("user", "ada")]).send().await.unwrap();
    let cookie = chosen.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert_eq!(cookie, "cognia_session=jwt-of-ada; Path=/; HttpOnly; SameSite=Lax");
    let landing = sandbox.http.get(format!("{}/app/integrations?error=%3Cscript%3E", sandbox.url));
    let page = landing.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));

    let sync = sandbox.http.post(format!("{}/app/do", sandbox.url)).header("cookie", "cognia_session=jwt-of-ada");
    let (_, heads) = tokio::join!(sync.form(&[("action", "sync")]).send(), receive(&listener, &[202]));
    assert!(heads[0].starts_with("post /api/integrations/google_drive/sync"));
    assert_eq!(header(&heads[0], "authorization"), "bearer jwt-of-ada");
}
